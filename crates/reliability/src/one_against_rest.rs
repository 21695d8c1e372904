//! Reliability from single trials against the mean of all others.

use crate::repeats::Repeats;
use crate::split_half::presentations_to_split;

/// Reliability of a single trial from the correlation `r` of the means over `a` and over `b` other trials.
///
/// Means over `k` trials of reliability `p` have reliability `R(k) = k p / (1 + (k - 1) p)`, and two of them correlate
/// by `sqrt(R(a) R(b))`: solved for `p`. Stepping `r` up as if both parts had `a` trials would call the larger part's
/// lack of noise signal: one of three trials against the mean of the two others, of reliability .2, correlate by .258,
/// which Spearman-Brown makes .511 of three trials, where .429 is right.
///
/// ```
/// use reliability::{single_trial_reliability, spearman_brown};
/// let r = (0.2 * 0.4 / 1.2_f64).sqrt();
/// let single = single_trial_reliability(r, 1, 2);
/// assert!((single - 0.2).abs() < 1e-15);
/// assert!((spearman_brown(single, 3.0) - 0.6 / 1.4).abs() < 1e-15);
/// ```
///
/// A negative `r` says how noisy trials are only where both parts have one trial; else it has no solution, and `NaN` is
/// given.
///
/// # Panics
/// When a part has no trials.
pub fn single_trial_reliability(r: f64, a: usize, b: usize) -> f64 {
    assert!(a > 0 && b > 0, "parts of {a} and {b} trials");
    if a == 1 && b == 1 {
        return r;
    }
    if !(0.0..=1.0).contains(&r) {
        return f64::NAN;
    }
    // (a b - r^2 (a - 1) (b - 1)) p^2 - r^2 (a + b - 2) p - r^2 = 0
    let (a, b, square) = (a as f64, b as f64, r * r);
    let quadratic = a * b - square * (a - 1.0) * (b - 1.0);
    let linear = square * (a + b - 2.0);
    (linear + (linear * linear + 4.0 * quadratic * square).sqrt()) / (2.0 * quadratic)
}

/// What single trials of a measure (a profile, an RDM) say of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneAgainstRest {
    /// Presentations of each stimulus that are used ([`presentations_to_split`]): every one is set against the others.
    pub presentations: usize,
    /// Stimuli that have as many.
    pub n_stimuli: usize,
    /// Mean correlation of one presentation with the mean of the others.
    pub r: f64,
    /// Of a single trial ([`single_trial_reliability`]): bounds r² with single trials.
    pub reliability: f64,
}

/// Sets every presentation against the mean of the others; `None` where fewer than 3 stimuli are repeated.
///
/// `correlate` gets the stimuli shown often enough, the one occurrence and the others, for
/// [`crate::average_occurrences`].
pub fn one_against_rest<E>(
    repeats: &Repeats,
    mut correlate: impl FnMut(&[usize], &[usize], &[usize]) -> Result<f64, E>,
) -> Result<Option<OneAgainstRest>, E> {
    let Some(presentations) = presentations_to_split(repeats) else { return Ok(None) };
    let stimuli = repeats.shown_at_least(presentations);
    let mut correlations = Vec::new();
    for one in 0..presentations {
        let rest: Vec<usize> = (0..presentations).filter(|&other| other != one).collect();
        correlations.push(correlate(&stimuli, &[one], &rest)?);
    }
    let r = statistics::mean(&correlations);
    let reliability = single_trial_reliability(r, 1, presentations - 1);
    Ok(Some(OneAgainstRest { presentations, n_stimuli: stimuli.len(), r, reliability }))
}

#[cfg(test)]
mod tests {
    use statistics::{Draws, pearson};

    use super::*;
    use crate::{spearman_brown, split_half::stepped_up};

    #[test]
    fn equal_parts_are_spearman_browns() {
        for (r, k) in [(0.3, 2), (0.9, 4), (0.05, 3), (1.0, 5), (0.0, 2)] {
            let single = single_trial_reliability(r, k, k);
            assert!((spearman_brown(single, k as f64) - r).abs() < 1e-15, "{r} of {k}");
        }
        assert_eq!(single_trial_reliability(-0.3, 1, 1), -0.3);
        assert!(single_trial_reliability(-0.3, 1, 2).is_nan() && single_trial_reliability(f64::NAN, 1, 2).is_nan());
        for p in [0.01, 0.5, 0.99] {
            let of = |k: f64| k * p / (1.0 + (k - 1.0) * p);
            let r = (of(3.0) * of(7.0)).sqrt();
            assert!((single_trial_reliability(r, 3, 7) - p).abs() < 1e-14);
        }
    }

    #[test]
    fn one_of_three_against_two_is_not_over_corrected() {
        // Signal of variance 1 and noise of variance 4 over 60 stimuli: .2 of one trial, 3/7 of the mean of three.
        let (n, runs, truth) = (60, 400, 3.0 / 7.0);
        let (mut unequal, mut naive) = (Vec::new(), Vec::new());
        for run in 0..runs {
            let mut draws = Draws::stream(11, run);
            let mut normal = |sd: f64| draws.normal_pair()[0] * sd;
            let signal: Vec<f64> = (0..n).map(|_| normal(1.0)).collect();
            let trials: Vec<f64> =
                signal.iter().flat_map(|s| [s + normal(2.0), s + normal(2.0), s + normal(2.0)]).collect();
            let ids: Vec<usize> = (0..3 * n).map(|row| row / 3).collect();
            let repeats = Repeats::by_id(&ids);
            let found = one_against_rest(&repeats, |stimuli, one, rest| {
                let mean = |shown: &[usize]| -> Vec<f64> {
                    let of = |s: &usize| shown.iter().map(|k| trials[repeats.rows_of(*s)[*k]]).sum::<f64>();
                    stimuli.iter().map(|s| of(s) / shown.len() as f64).collect()
                };
                Ok::<f64, ()>(pearson(&mean(one), &mean(rest)))
            });
            let found = found.unwrap().unwrap();
            assert_eq!((found.presentations, found.n_stimuli), (3, n));
            if found.r > 0.0 {
                unequal.push(spearman_brown(found.reliability, 3.0));
                naive.push(stepped_up(found.r, 3, 3.0).reliability);
            }
        }
        let bias = |values: &[f64]| statistics::mean(values) - truth;
        // Standard errors are near .006.
        assert!(bias(&unequal).abs() < 0.02, "{}", bias(&unequal));
        assert!(bias(&naive) > 0.05, "{}", bias(&naive));
    }
}
