//! Area under the ROC curve: how well a response tells one kind of picture from another.

use crate::average_ranks;

/// Area under the ROC curve of telling `preferred` from `rest` by the size of the response: the share of all pairs in
/// which the preferred value is the larger one, ties counting half. 0.5 is chance, 1 says every preferred value lies
/// above every other, 0 below.
///
/// It is Mann and Whitney's U over `n1 * n2`, by average ranks. `NaN` for `NaN` on either side, and where a side is
/// empty. Infinite values rank as such.
///
/// ```
/// // Pairs (3, 1), (3, 2), (2, 1) are won and (2, 2) is tied: 3.5 of 4.
/// assert_eq!(statistics::roc_area(&[3.0, 2.0], &[1.0, 2.0]), 0.875);
/// ```
///
/// Mann & Whitney (1947); Hanley & McNeil (1982). The same number as scikit-learn's `roc_auc_score`.
pub fn roc_area(preferred: &[f64], rest: &[f64]) -> f64 {
    let both: Vec<f64> = preferred.iter().chain(rest).copied().collect();
    // Sums of ranks are halves of whole numbers, exact in f64 in any order below 9e7 values.
    let rank_sum = average_ranks(&both)[..preferred.len()].iter().sum();
    roc_area_of_ranks(rank_sum, preferred.len(), rest.len())
}

/// [`roc_area`] from the sum of the preferred values' ranks (from 1, average for ties) among all `n_preferred + n_rest`
/// values: one ranking then serves every category of a unit. `NaN` for a `NaN` sum or an empty side.
///
/// ```
/// // Ranks of 3, 2 among 3, 2, 1, 2 are 4 and 2.5.
/// assert_eq!(statistics::roc_area_of_ranks(6.5, 2, 2), 0.875);
/// ```
pub fn roc_area_of_ranks(rank_sum: f64, n_preferred: usize, n_rest: usize) -> f64 {
    let (a, b) = (n_preferred as f64, n_rest as f64);
    if n_preferred == 0 || n_rest == 0 {
        return f64::NAN;
    }
    (rank_sum - a * (a + 1.0) / 2.0) / (a * b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Draws;

    /// All pairs, one by one.
    fn slow(preferred: &[f64], rest: &[f64]) -> f64 {
        let won = |a: f64, b: f64| if a > b { 1.0 } else { f64::from(u8::from(a == b)) / 2.0 };
        let sum: f64 = preferred.iter().flat_map(|a| rest.iter().map(move |b| won(*a, *b))).sum();
        sum / (preferred.len() * rest.len()) as f64
    }

    #[test]
    fn agrees_with_all_pairs() {
        let mut draws = Draws::new(3);
        for (n, m, levels) in [(1, 1, 2), (5, 7, 3), (40, 60, 1000), (30, 9, 4), (12, 12, 1)] {
            let a: Vec<f64> = (0..n).map(|_| draws.below(levels) as f64).collect();
            let b: Vec<f64> = (0..m).map(|_| draws.below(levels) as f64 - 0.5 * f64::from(levels > 4)).collect();
            assert_eq!(roc_area(&a, &b), slow(&a, &b), "{n} {m} {levels}");
            assert_eq!(roc_area(&a, &b) + roc_area(&b, &a), 1.0);
        }
    }

    #[test]
    fn nan_and_empty_sides_have_no_area() {
        assert!(roc_area(&[1.0, f64::NAN], &[0.0]).is_nan() && roc_area(&[1.0], &[f64::NAN]).is_nan());
        assert!(roc_area(&[], &[1.0]).is_nan() && roc_area(&[1.0], &[]).is_nan());
        assert_eq!(roc_area(&[f64::INFINITY], &[1.0, f64::NEG_INFINITY]), 1.0);
        assert_eq!(roc_area(&[2.0, 2.0], &[2.0]), 0.5);
    }
}
