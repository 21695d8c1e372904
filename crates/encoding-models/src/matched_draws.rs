use statistics::{Draws, quantile};

/// Random sets of units that are like a chosen set: without any of its units, and with as many in every stratum.
///
/// A stratum is what drawn units are matched on: one for all, a bin of variance ([`quantile_bins`]), a feature map.
///
/// ```
/// use encoding_models::MatchedDraws;
/// // Units 0 to 5; 0 and 3 are chosen. One is drawn of units 1 and 2, one of units 4 and 5.
/// let draws = MatchedDraws::new(&[0, 3], &[0, 0, 0, 1, 1, 1])?;
/// let drawn = draws.draw(7, 0);
/// assert!(drawn.len() == 2 && [1, 2].contains(&drawn[0]) && [4, 5].contains(&drawn[1]));
/// # Ok::<(), encoding_models::MatchedDrawsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedDraws {
    /// Of every stratum with a chosen unit: how many are drawn, and the units to draw from, ascending.
    strata: Vec<(usize, Vec<usize>)>,
}

/// Why no such set can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{chosen} units are chosen in stratum {stratum}, and only {others} others are there to draw from")]
pub struct MatchedDrawsError {
    /// The first stratum that has too few.
    pub stratum: usize,
    /// Chosen units in it.
    pub chosen: usize,
    /// All others.
    pub others: usize,
}

impl MatchedDraws {
    /// Draws for these units; `stratum_of_unit` has one number per unit.
    ///
    /// # Panics
    /// When a chosen unit has no stratum.
    pub fn new(chosen: &[usize], stratum_of_unit: &[usize]) -> Result<MatchedDraws, MatchedDrawsError> {
        let n_strata = stratum_of_unit.iter().max().map_or(0, |last| last + 1);
        let mut is_chosen = vec![false; stratum_of_unit.len()];
        let mut strata = vec![(0, Vec::new()); n_strata];
        for &unit in chosen {
            is_chosen[unit] = true;
            strata[stratum_of_unit[unit]].0 += 1;
        }
        for unit in (0..stratum_of_unit.len()).filter(|&unit| !is_chosen[unit]) {
            strata[stratum_of_unit[unit]].1.push(unit);
        }
        for (stratum, (n, others)) in strata.iter().enumerate() {
            if others.len() < *n {
                return Err(MatchedDrawsError { stratum, chosen: *n, others: others.len() });
            }
        }
        strata.retain(|(n, _)| *n > 0);
        Ok(MatchedDraws { strata })
    }

    /// Set number `draw` of this seed, ascending. It does not depend on how many are drawn.
    pub fn draw(&self, seed: u64, draw: usize) -> Vec<usize> {
        // Stream 0 is that of the folds, which the same seed shuffles.
        let mut source = Draws::stream(seed, draw as u64 + 1);
        let mut units: Vec<usize> = Vec::new();
        for (n, others) in &self.strata {
            units.extend(source.permutation(others.len()).into_iter().take(*n).map(|place| others[place]));
        }
        units.sort_unstable();
        units
    }
}

/// Which of `n_bins` bins with as many values in each a value lies in. Equal values share a bin, so that bins may be
/// empty.
///
/// ```
/// assert_eq!(encoding_models::quantile_bins(&[4.0, 1.0, 3.0, 2.0], 2), [1, 0, 1, 0]);
/// ```
pub fn quantile_bins(values: &[f64], n_bins: usize) -> Vec<usize> {
    let edges: Vec<f64> = (1..n_bins).map(|i| quantile(values, i as f64 / n_bins as f64)).collect();
    values.iter().map(|value| edges.partition_point(|edge| edge < value)).collect()
}

#[cfg(test)]
mod tests {
    use super::{MatchedDraws, MatchedDrawsError, quantile_bins};

    #[test]
    fn every_other_unit_is_drawn_equally_often_and_no_chosen_one() {
        let draws = MatchedDraws::new(&[1, 4, 5], &[0; 10]).unwrap();
        let mut counts = [0usize; 10];
        for draw in 0..7000 {
            let drawn = draws.draw(3, draw);
            assert!(drawn.len() == 3 && drawn.windows(2).all(|pair| pair[0] < pair[1]));
            drawn.iter().for_each(|&unit| counts[unit] += 1);
        }
        assert_eq!([counts[1], counts[4], counts[5]], [0; 3]);
        // 3 of 7, 7000 times: 3000, sd 41; five of them.
        assert!(counts.iter().filter(|count| **count > 0).all(|count| count.abs_diff(3000) < 207), "{counts:?}");
    }

    #[test]
    fn seeds_are_pinned() {
        let draws = MatchedDraws::new(&[0, 1, 7], &[0, 0, 0, 0, 0, 1, 1, 1, 1, 1]).unwrap();
        let of = |seed| [draws.draw(seed, 0), draws.draw(seed, 1)];
        assert_eq!(of(1), PINNED);
        assert_ne!(of(1), of(2));
    }
    const PINNED: [[usize; 3]; 2] = [[2, 3, 9], [2, 3, 5]];

    #[test]
    fn strata_have_as_many_drawn_as_chosen_or_it_is_an_error() {
        let strata = [0, 0, 1, 1, 1, 2, 2];
        let draws = MatchedDraws::new(&[0, 2], &strata).unwrap();
        for draw in 0..20 {
            let of: Vec<usize> = draws.draw(0, draw).iter().map(|&unit| strata[unit]).collect();
            assert_eq!(of, [0, 1]);
        }
        let error = MatchedDraws::new(&[2, 3, 0], &strata).unwrap_err();
        assert_eq!(error, MatchedDrawsError { stratum: 1, chosen: 2, others: 1 });
        assert!(error.to_string().contains("2 units are chosen in stratum 1, and only 1 others"));
    }

    #[test]
    fn bins_hold_as_many_values_each_unless_these_are_equal() {
        let values: Vec<f64> = (0..20).map(|i| f64::from((i * 7) % 20)).collect();
        let bins = quantile_bins(&values, 4);
        assert_eq!((0..4).map(|bin| bins.iter().filter(|b| **b == bin).count()).collect::<Vec<_>>(), [5; 4]);
        assert!(values.iter().zip(&bins).all(|(value, bin)| *bin == (*value / 5.0) as usize));
        assert_eq!(quantile_bins(&[0.0, 0.0, 0.0, 1.0], 4), [0, 0, 0, 3]);
        assert_eq!(quantile_bins(&[2.0, 1.0], 1), [0, 0]);
    }
}
