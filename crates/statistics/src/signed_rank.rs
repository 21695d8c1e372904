//! Wilcoxon's signed-rank test.

use crate::rounding::{beyond, joined};
use crate::{average_ranks, normal_sf};

/// Values up to which the distribution is counted out.
const EXACT_UP_TO: usize = 50;

/// Which differences count as evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Above 0 only.
    Greater,
    /// On either side.
    TwoSided,
}

/// p of Wilcoxon's signed-rank test of values against 0 (Wilcoxon 1945).
///
/// Zeros are left out, and so is what is no larger than `rounding`, the size of the rounding of these values (0 where
/// they are exact); magnitudes that differ by no more are tied. Up to 50 values the distribution over all signs is
/// counted out, ties and all (SciPy 1.13 and later does so up to 13; the normal approximation would give three tied
/// values that are above 0 a p of 0.04, which three signs cannot have: 1/8). Beyond, it is the normal approximation
/// with the variance corrected for ties and without continuity correction, as SciPy's `wilcoxon` has it. `NaN` for a
/// `NaN` or when nothing is left.
///
/// ```
/// use statistics::signed_rank::{Tail, wilcoxon_p};
/// // all five positive: one of 2^5 signs
/// assert_eq!(wilcoxon_p(&[1.0, 2.0, 3.0, 4.0, 5.0], Tail::Greater, 0.0), 1.0 / 32.0);
/// assert_eq!(wilcoxon_p(&[1.0, 1.0, 1.0, 0.0], Tail::TwoSided, 0.0), 0.25);
/// ```
pub fn wilcoxon_p(values: &[f64], tail: Tail, rounding: f64) -> f64 {
    if values.iter().any(|v| !v.is_finite()) {
        return f64::NAN;
    }
    let used: Vec<f64> = values.iter().copied().filter(|v| beyond(*v, rounding) != 0.0).collect();
    let n = used.len();
    if n == 0 {
        return f64::NAN;
    }
    let magnitudes: Vec<f64> = used.iter().map(|v| v.abs()).collect();
    let ranks = average_ranks(&joined(&magnitudes, rounding));
    let positive: f64 = ranks.iter().zip(&used).filter(|(_, v)| **v > 0.0).map(|(r, _)| r).sum();
    let all = (n * (n + 1) / 2) as f64;
    let mut sorted = ranks.clone();
    sorted.sort_by(f64::total_cmp);
    let at_least = |sum: f64| -> f64 {
        if n <= EXACT_UP_TO {
            return exact_at_least(&ranks, sum);
        }
        let n = n as f64;
        let groups = sorted.chunk_by(|a, b| a == b).map(|g| g.len() as f64);
        let ties: f64 = groups.map(|t| t * t * t - t).sum::<f64>() / 48.0;
        let sd = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties).sqrt();
        normal_sf((sum - all / 2.0) / sd)
    };
    match tail {
        Tail::Greater => at_least(positive),
        Tail::TwoSided => (2.0 * at_least(positive.max(all - positive))).min(1.0),
    }
}

/// P(sum of the ranks with random signs that are positive >= `sum`). Average ranks are multiples of 1/2: twice the
/// ranks are counted.
fn exact_at_least(ranks: &[f64], sum: f64) -> f64 {
    let doubled: Vec<usize> = ranks.iter().map(|r| (2.0 * r).round() as usize).collect();
    let total: usize = doubled.iter().sum();
    // Share of the sign patterns with each sum; halves are exact until they underflow, which 50 do not.
    let mut shares = vec![0.0; total + 1];
    shares[0] = 1.0;
    for rank in doubled {
        for k in (0..=total).rev() {
            let with = if k >= rank { shares[k - rank] } else { 0.0 };
            shares[k] = 0.5 * (shares[k] + with);
        }
    }
    shares.get((2.0 * sum).round() as usize..).map_or(0.0, |rest| rest.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::{Tail, wilcoxon_p};

    #[test]
    fn ties_and_zeros_by_counting_signs_too() {
        for values in [&[1.0, 1.0, 1.0][..], &[0.5, -0.5, 2.0, 2.0, 0.0, 3.0, -0.1], &[1.0, -1.0, 1.0, 2.0]] {
            let used: Vec<f64> = values.iter().copied().filter(|v| *v != 0.0).collect();
            let ranks = crate::average_ranks(&used.iter().map(|v| v.abs()).collect::<Vec<f64>>());
            let own: f64 = ranks.iter().zip(&used).filter(|(_, v)| **v > 0.0).map(|(r, _)| r).sum();
            let all = 1u32 << used.len();
            let sum = |signs: u32| -> f64 {
                ranks.iter().enumerate().filter(|(i, _)| signs >> i & 1 == 1).map(|(_, r)| r).sum()
            };
            let share = (0..all).filter(|&signs| sum(signs) >= own).count() as f64 / f64::from(all);
            assert!((wilcoxon_p(values, Tail::Greater, 0.0) - share).abs() < 1e-15, "{values:?}");
        }
        // scipy.stats.wilcoxon([0.5, -0.5, 2, 2, 3, -0.1], method=PermutationMethod()): 0.1875
        assert!((wilcoxon_p(&[0.5, -0.5, 2.0, 2.0, 3.0, -0.1], Tail::TwoSided, 0.0) - 0.1875).abs() < 1e-15);
    }

    #[test]
    fn what_differs_by_rounding_is_tied_and_what_is_rounding_is_zero() {
        let exact = [0.3, 0.3, -0.3, 0.0, 0.5];
        let rounded = [0.1 + 0.2, 0.3, -0.3, 1e-17, 0.5];
        for tail in [Tail::Greater, Tail::TwoSided] {
            assert_eq!(wilcoxon_p(&rounded, tail, 1e-12), wilcoxon_p(&exact, tail, 0.0));
            assert_ne!(wilcoxon_p(&rounded, tail, 0.0), wilcoxon_p(&exact, tail, 0.0));
        }
    }

    #[test]
    fn small_samples_by_counting_signs() {
        let values = [0.3, -0.1, 0.7, 0.2, -0.25, 0.9];
        // ranks .1 .2 .25 .3 .7 .9: positive sum 21 - 1 - 3 = 17
        let mut at_least = 0;
        for signs in 0..64u32 {
            let sum: u32 = (1..=6).filter(|r| signs >> (r - 1) & 1 == 1).sum();
            at_least += u32::from(sum >= 17);
        }
        assert!((wilcoxon_p(&values, Tail::Greater, 0.0) - f64::from(at_least) / 64.0).abs() < 1e-15);
        assert!((wilcoxon_p(&values, Tail::TwoSided, 0.0) - f64::from(at_least) / 32.0).abs() < 1e-15);
        let turned = values.map(|v| -v);
        assert_eq!(wilcoxon_p(&turned, Tail::TwoSided, 0.0), wilcoxon_p(&values, Tail::TwoSided, 0.0));
        assert!(wilcoxon_p(&turned, Tail::Greater, 0.0) > 0.9);
        assert!(
            wilcoxon_p(&[0.0, 0.0], Tail::Greater, 0.0).is_nan()
                && wilcoxon_p(&[f64::NAN], Tail::Greater, 0.0).is_nan()
        );
    }
}
