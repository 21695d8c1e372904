//! Which units are selective: thresholds, corrected p, and rank.

use std::str::FromStr;

use rayon::prelude::*;

use crate::statistic::UnitTests;

/// How many of the highest statistics to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Top {
    /// This many.
    Count(usize),
    /// This share, in percent, of all units of the layer, unusable ones included, rounded down.
    Percent(f64),
}

impl FromStr for Top {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is neither a number of units (100) nor a percentage (5%)");
        match text.trim().strip_suffix('%') {
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Top::Percent(percent)),
                _ => Err(wrong()),
            },
            None => text.trim().parse().map(Top::Count).map_err(|_| wrong()),
        }
    }
}

impl Top {
    /// How many of `n_units` this asks for.
    ///
    /// ```
    /// assert_eq!(localizer::Top::Percent(5.0).of(1280), 64);
    /// ```
    pub fn of(self, n_units: usize) -> usize {
        match self {
            Top::Count(count) => count.min(n_units),
            // The small addition keeps 29% of 100 from becoming 28.
            Top::Percent(percent) => ((percent * n_units as f64 / 100.0 + 1e-9).floor() as usize).min(n_units),
        }
    }
}

/// What a unit is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Measure {
    /// The t of the test.
    #[default]
    T,
    /// d'
    Dprime,
    /// Selectivity index.
    SelectivityIndex,
    /// Ratio of mean responses.
    Ratio,
    /// ROC area.
    Auc,
}

impl Measure {
    /// Its name in tables and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Measure::T => "t",
            Measure::Dprime => "dprime",
            Measure::SelectivityIndex => "selectivity_index",
            Measure::Ratio => "ratio",
            Measure::Auc => "auc",
        }
    }
}

impl FromStr for Measure {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        let all = [Measure::T, Measure::Dprime, Measure::SelectivityIndex, Measure::Ratio, Measure::Auc];
        let known = all.into_iter().find(|m| m.as_str() == name);
        known.ok_or_else(|| format!("\"{name}\" is none of t, dprime, selectivity_index, ratio, auc"))
    }
}

/// Selection rules; those that are set must all hold, and `top` is taken last, among the units that passed the others.
///
/// With several comparisons every number is the weakest of them, so a rule holds in every comparison or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Selection {
    /// Keep t strictly above this.
    pub t_above: Option<f64>,
    /// Keep adjusted p (one-sided) at or below this.
    pub alpha: Option<f64>,
    /// Keep d' at or above this.
    pub dprime: Option<f64>,
    /// Keep a selectivity index at or above this.
    pub selectivity_index: Option<f64>,
    /// Keep a ratio of means at or above this.
    pub ratio: Option<f64>,
    /// Keep a ROC area at or above this.
    pub auc: Option<f64>,
    /// Keep the highest by [`Selection::rank_by`], exactly this many (fewer when fewer passed); of equals the lower
    /// index.
    pub top: Option<Top>,
    /// What `top` ranks by.
    pub rank_by: Measure,
}

impl Selection {
    /// Selected units, rising. A unit without a t (constant, NaN) is never selected, nor one without the measure that a
    /// rule asks for. `auc` has one ROC area per unit, where a rule needs it.
    ///
    /// # Panics
    /// When `alpha` is set and the tests were computed without a correction, or a rule needs `auc` and it is `None`.
    pub fn select(&self, tests: &UnitTests, auc: Option<&[f64]>) -> Vec<usize> {
        let by_t = Selection { t_above: self.t_above, alpha: self.alpha, ..Selection::default() };
        let kept = select_by_statistic(tests.t(), tests.ln_q(), &by_t);
        let bounds = [
            (Measure::Dprime, self.dprime),
            (Measure::SelectivityIndex, self.selectivity_index),
            (Measure::Ratio, self.ratio),
            (Measure::Auc, self.auc),
        ];
        let bounds: Vec<(Measure, f64)> = bounds.into_iter().filter_map(|(m, bound)| bound.map(|b| (m, b))).collect();
        let measured = |unit: usize, measure: Measure| match measure {
            Measure::T => tests.t()[unit],
            Measure::Auc => auc.expect("a rule asks for ROC areas")[unit],
            Measure::Dprime => tests.row(unit).dprime,
            Measure::SelectivityIndex => tests.row(unit).selectivity_index,
            Measure::Ratio => tests.row(unit).ratio,
        };
        let passes = |unit: usize| bounds.iter().all(|&(measure, bound)| measured(unit, measure) >= bound);
        let ranked = |unit: usize| (unit, if self.top.is_some() { measured(unit, self.rank_by) } else { 0.0 });
        let kept: Vec<(usize, f64)> = kept
            .into_par_iter()
            .with_min_len(1024)
            .filter(|&unit| bounds.is_empty() || passes(unit))
            .map(ranked)
            .filter(|(_, value)| !value.is_nan())
            .collect();
        let count = self.top.map_or(usize::MAX, |top| top.of(tests.n_units()));
        highest(kept, count)
    }
}

/// The `count` units with the highest values, rising by index; of equal values the lower index.
fn highest(mut units: Vec<(usize, f64)>, count: usize) -> Vec<usize> {
    if count < units.len() {
        // Stable, so equal values stay in order of index; + 0.0 makes both zeros equal.
        units.sort_by(|a, b| (b.1 + 0.0).total_cmp(&(a.1 + 0.0)));
        units.truncate(count);
        units.sort_unstable_by_key(|&(unit, _)| unit);
    }
    units.into_iter().map(|(unit, _)| unit).collect()
}

/// The rules on t, q and rank on a bare map: `statistic` one value per unit or voxel, `ln_q` the logarithm of its
/// adjusted p. Rules on other measures are for [`Selection::select`].
///
/// ```
/// use localizer::{Selection, Top, select_by_statistic};
/// let t = [8.0, f64::NAN, 3.0, 9.0, 8.0];
/// let top2 = Selection { t_above: Some(3.0), top: Some(Top::Count(2)), ..Selection::default() };
/// assert_eq!(select_by_statistic(&t, None, &top2), [0, 3]);
/// ```
///
/// # Panics
/// When `alpha` is set without `ln_q`, or their lengths differ.
pub fn select_by_statistic(statistic: &[f64], ln_q: Option<&[f64]>, rules: &Selection) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..statistic.len())
        .filter(|&unit| !statistic[unit].is_nan())
        .filter(|&unit| rules.t_above.is_none_or(|above| statistic[unit] > above))
        .collect();
    if let Some(alpha) = rules.alpha {
        let ln_q = ln_q.expect("alpha asks for adjusted p values");
        assert_eq!(ln_q.len(), statistic.len(), "{} q for {} t", ln_q.len(), statistic.len());
        let bound = alpha.ln();
        kept.retain(|&unit| ln_q[unit] <= bound);
    }
    match rules.top {
        None => kept,
        Some(top) => highest(kept.into_iter().map(|u| (u, statistic[u])).collect(), top.of(statistic.len())),
    }
}

/// A threshold on a statistic as a user spells it: any number but NaN, which nothing is above or below.
///
/// ```
/// assert_eq!(localizer::parse_threshold("3.1"), Ok(3.1));
/// assert!(localizer::parse_threshold("nan").is_err());
/// ```
pub fn parse_threshold(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        // In digits it is a number that f8 does not hold; the word is meant.
        Ok(t) if t.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) => {
            Err(format!("{text:?} is beyond 1.8e308"))
        }
        Ok(t) if !t.is_nan() => Ok(t),
        _ => Err(format!("{text:?} is no number")),
    }
}

/// A bound on a selectivity index as a user spells it: the index lies in -1..=1, so a percentage would select nothing.
///
/// ```
/// assert_eq!(localizer::parse_index("0.333"), Ok(0.333));
/// assert!(localizer::parse_index("33").is_err());
/// ```
pub fn parse_index(text: &str) -> Result<f64, String> {
    within(parse_threshold(text)?, -1.0, "a selectivity index lies between -1 and 1 (1/3, twice the response, is .333)")
}

/// A bound on a ROC area as a user spells it: the area lies in 0..=1, so a percentage would select nothing.
///
/// ```
/// assert_eq!(localizer::parse_area(".8"), Ok(0.8));
/// assert!(localizer::parse_area("80").is_err());
/// ```
pub fn parse_area(text: &str) -> Result<f64, String> {
    within(parse_threshold(text)?, 0.0, "a ROC area lies between 0 and 1 (80 % is .8)")
}

/// `value` if it lies in `lowest..=1`, else an error that says what the measure is.
fn within(value: f64, lowest: f64, measure: &str) -> Result<f64, String> {
    if (lowest..=1.0).contains(&value) { Ok(value) } else { Err(format!("{value} is out of range: {measure}")) }
}

/// A false discovery rate as a user spells it: above 0 and at most 1, so that a percentage is not taken for a rate.
///
/// ```
/// assert_eq!(localizer::parse_rate(".05"), Ok(0.05));
/// assert!(localizer::parse_rate("5").is_err());
/// ```
pub fn parse_rate(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1.0 => Ok(rate),
        _ => Err(format!("{text:?} is no rate above 0 and at most 1 (5 % is .05)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statistics::Draws;

    const NONE: Selection = Selection {
        t_above: None,
        alpha: None,
        dprime: None,
        selectivity_index: None,
        ratio: None,
        auc: None,
        top: None,
        rank_by: Measure::T,
    };

    #[test]
    fn top_is_exact_with_ties_by_index() {
        let mut draws = Draws::new(1);
        let t: Vec<f64> = (0..200).map(|_| draws.below(10) as f64 - 3.0).collect();
        for count in [0, 1, 17, 199, 200, 500] {
            let rules = Selection { top: Some(Top::Count(count)), ..NONE };
            let kept = select_by_statistic(&t, None, &rules);
            assert_eq!(kept.len(), count.min(200));
            // Slow twin: a unit is in when fewer than count units beat it, or equal it from a lower index.
            let slow: Vec<usize> = (0..200)
                .filter(|&u| (0..200).filter(|&v| t[v] > t[u] || (t[v] == t[u] && v < u)).count() < count)
                .collect();
            assert_eq!(kept, slow);
        }
        let zeros = Selection { top: Some(Top::Count(1)), ..NONE };
        assert_eq!(select_by_statistic(&[-0.0, 0.0], None, &zeros), [0]);
    }

    #[test]
    fn rules_hold_together_and_top_comes_last() {
        let t = [9.0, 8.0, 7.0, 6.0, f64::INFINITY, f64::NAN];
        let ln_q = [0.04_f64.ln(), 0.06_f64.ln(), 0.05_f64.ln(), 0.01_f64.ln(), -900.0, f64::NAN];
        let rules = Selection { t_above: Some(6.0), alpha: Some(0.05), ..NONE };
        assert_eq!(select_by_statistic(&t, Some(&ln_q), &rules), [0, 2, 4]);
        let rules = Selection { top: Some(Top::Count(2)), ..rules };
        assert_eq!(select_by_statistic(&t, Some(&ln_q), &rules), [0, 4]);
        assert_eq!(select_by_statistic(&t, None, &NONE), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn top_as_written() {
        assert_eq!("100".parse(), Ok(Top::Count(100)));
        assert_eq!(" 0.5 %".parse(), Ok(Top::Percent(0.5)));
        for wrong in ["-1", "101%", "5.5", "%", "nan%", "ten"] {
            assert!(wrong.parse::<Top>().is_err(), "{wrong}");
        }
        assert_eq!(Top::Percent(29.0).of(100), 29);
        assert_eq!(Top::Percent(1.0).of(199), 1);
        assert_eq!(Top::Percent(100.0).of(7), 7);
    }
}
