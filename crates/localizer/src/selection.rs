//! Which units are selective: thresholds, corrected p, and rank.

use std::str::FromStr;

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

/// Selection rules; those that are set must all hold, and `top` is taken last, among the units that passed the others.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Selection {
    /// Keep t strictly above this.
    pub t_above: Option<f64>,
    /// Keep adjusted p (one-sided) at or below this.
    pub alpha: Option<f64>,
    /// Keep the highest t, exactly this many (fewer when fewer passed); of equal t the lower index.
    pub top: Option<Top>,
}

impl Selection {
    /// Selected units, rising. A unit without a t (constant, NaN) is never selected.
    ///
    /// # Panics
    /// When `alpha` is set and the tests were computed without a correction.
    pub fn select(&self, tests: &UnitTests) -> Vec<usize> {
        select_by_statistic(tests.t(), tests.ln_q(), self)
    }
}

/// The same rules on a bare map: `statistic` one value per unit or voxel, `ln_q` the logarithm of its adjusted p.
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
    if let Some(top) = rules.top {
        let count = top.of(statistic.len());
        if count < kept.len() {
            // Stable, so equal statistics stay in order of index.
            kept.sort_by(|&a, &b| (statistic[b] + 0.0).total_cmp(&(statistic[a] + 0.0)));
            kept.truncate(count);
            kept.sort_unstable();
        }
    }
    kept
}

/// A threshold on a statistic as a user spells it: any number but NaN, which nothing is above or below.
///
/// ```
/// assert_eq!(localizer::parse_threshold("3.1"), Ok(3.1));
/// assert!(localizer::parse_threshold("nan").is_err());
/// ```
pub fn parse_threshold(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(t) if !t.is_nan() => Ok(t),
        _ => Err(format!("{text:?} is no number")),
    }
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

    const NONE: Selection = Selection { t_above: None, alpha: None, top: None };

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
        let rules = Selection { t_above: Some(6.0), alpha: Some(0.05), top: None };
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
