//! Wilcoxon's signed-rank test.

use crate::{average_ranks, normal_sf};

/// Values up to which the distribution is counted out, when no two magnitudes are equal.
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
/// Zeros are left out. Up to 50 values without ties and zeros the distribution is exact; otherwise it is the normal
/// approximation with the variance corrected for ties and without continuity correction, as SciPy's `wilcoxon` has it
/// (`zero_method="wilcox"`, and since 1.13 also for ties in small samples exact by permutation there, which we do not
/// do). `NaN` for a `NaN` or when nothing is left.
///
/// ```
/// use statistics::signed_rank::{Tail, wilcoxon_p};
/// // all five positive: one of 2^5 signs
/// assert_eq!(wilcoxon_p(&[1.0, 2.0, 3.0, 4.0, 5.0], Tail::Greater), 1.0 / 32.0);
/// ```
pub fn wilcoxon_p(values: &[f64], tail: Tail) -> f64 {
    if values.iter().any(|v| !v.is_finite()) {
        return f64::NAN;
    }
    let used: Vec<f64> = values.iter().copied().filter(|v| *v != 0.0).collect();
    let n = used.len();
    if n == 0 {
        return f64::NAN;
    }
    let magnitudes: Vec<f64> = used.iter().map(|v| v.abs()).collect();
    let ranks = average_ranks(&magnitudes);
    let positive: f64 = ranks.iter().zip(&used).filter(|(_, v)| **v > 0.0).map(|(r, _)| r).sum();
    let all = (n * (n + 1) / 2) as f64;
    let mut sorted = ranks.clone();
    sorted.sort_by(f64::total_cmp);
    let tied = sorted.windows(2).any(|w| w[0] == w[1]);
    let at_least = |sum: f64| -> f64 {
        if n <= EXACT_UP_TO && !tied && n == values.len() {
            return exact_at_least(n, sum.ceil() as usize);
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

/// P(sum of the ranks with random signs that are positive >= `sum`).
fn exact_at_least(n: usize, sum: usize) -> f64 {
    let total = n * (n + 1) / 2;
    // Share of the sign patterns with each sum; halves are exact until they underflow, which 50 do not.
    let mut shares = vec![0.0; total + 1];
    shares[0] = 1.0;
    for rank in 1..=n {
        for k in (0..=total).rev() {
            let with = if k >= rank { shares[k - rank] } else { 0.0 };
            shares[k] = 0.5 * (shares[k] + with);
        }
    }
    shares.get(sum..).map_or(0.0, |rest| rest.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::{Tail, wilcoxon_p};

    #[test]
    fn small_samples_by_counting_signs() {
        let values = [0.3, -0.1, 0.7, 0.2, -0.25, 0.9];
        // ranks .1 .2 .25 .3 .7 .9: positive sum 21 - 1 - 3 = 17
        let mut at_least = 0;
        for signs in 0..64u32 {
            let sum: u32 = (1..=6).filter(|r| signs >> (r - 1) & 1 == 1).sum();
            at_least += u32::from(sum >= 17);
        }
        assert!((wilcoxon_p(&values, Tail::Greater) - f64::from(at_least) / 64.0).abs() < 1e-15);
        assert!((wilcoxon_p(&values, Tail::TwoSided) - f64::from(at_least) / 32.0).abs() < 1e-15);
        let turned = values.map(|v| -v);
        assert_eq!(wilcoxon_p(&turned, Tail::TwoSided), wilcoxon_p(&values, Tail::TwoSided));
        assert!(wilcoxon_p(&turned, Tail::Greater) > 0.9);
        assert!(wilcoxon_p(&[0.0, 0.0], Tail::Greater).is_nan() && wilcoxon_p(&[f64::NAN], Tail::Greater).is_nan());
    }
}
