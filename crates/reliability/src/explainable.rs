//! Explainable variance: how much of a repeated response the mean over repeats holds.

use ndarray::ArrayView2;
use statistics::{Centre, Reason, bounded};

use crate::columns::map_columns;
use crate::repeats::{RepeatError, Repeats};

/// Explainable variance of one voxel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExplainableVariance {
    /// Variance of the mean over R repeats, over the mean of the variances of the repeats, each z-scored over stimuli.
    /// It is `(1 + (R - 1) r) / R` with `r` the mean pairwise correlation of repeats: `1 / R` where there is no signal
    /// at all, so that it bounds nothing.
    pub raw: f64,
    /// `raw - (1 - raw) / (R - 1)`, which is `r` itself: the reliability of a single trial. Bounds the **r²** of a
    /// noiseless model with **one** trial, not with the average.
    pub corrected: f64,
    /// Why there are no numbers.
    pub reason: Option<Reason>,
}

/// Explainable variance of every column of `trials` (presentations x voxels), raw and corrected.
///
/// Uses the stimuli shown at least `n_repeats` times and their first `n_repeats` presentations, as
/// [`split_half_reliability`](crate::split_half_reliability) does: the k-th presentations of all stimuli are repeat k.
///
/// ```
/// use ndarray::array;
/// use reliability::{Repeats, explainable_variances};
/// let trials = array![[1.0], [2.0], [3.0], [1.0], [3.0], [2.0]];
/// let voxel = explainable_variances(trials.view(), &Repeats::by_id(&[0, 1, 2, 0, 1, 2]), 2).unwrap()[0];
/// // the repeats correlate by .5: (1 + .5) / 2, and .75 - .25 / 1
/// assert!((voxel.raw - 0.75).abs() < 1e-15 && (voxel.corrected - 0.5).abs() < 1e-15);
/// ```
///
/// Hsu, Borst & Theunissen (2004); Sahani & Linden (2003); the same numbers as in voxelwise_tutorials.
pub fn explainable_variances<T>(
    trials: ArrayView2<'_, T>,
    repeats: &Repeats,
    n_repeats: usize,
) -> Result<Vec<ExplainableVariance>, RepeatError>
where
    T: Copy + Into<f64> + Send + Sync,
{
    let stimuli = repeats.to_split(trials.nrows(), n_repeats)?;
    Ok(map_columns(&[trials], |_, values| {
        let repeat = |k: usize| stimuli.iter().map(|&s| values[0][repeats.rows_of(s)[k]]).collect::<Vec<f64>>();
        of_voxel(&(0..n_repeats).map(repeat).collect::<Vec<_>>())
    }))
}

fn of_voxel(repeats: &[Vec<f64>]) -> ExplainableVariance {
    if let Some(reason) = why_not(repeats) {
        return ExplainableVariance { raw: f64::NAN, corrected: f64::NAN, reason: Some(reason) };
    }
    let (n_repeats, n_stimuli) = (repeats.len() as f64, repeats[0].len());
    let mut mean = vec![0.0; n_stimuli];
    for repeat in repeats {
        let centre = Centre::of(repeat);
        mean.iter_mut().zip(repeat).for_each(|(mean, value)| *mean += centre.zscore(*value) / n_repeats);
    }
    // The mean of z scores has mean 0, and the variances of the repeats, whose mean is to be divided by, are 1.
    let raw = bounded(statistics::dot(&mean, &mean) / n_stimuli as f64);
    ExplainableVariance { raw, corrected: raw - (1.0 - raw) / (n_repeats - 1.0), reason: None }
}

/// `NaN` anywhere comes before a repeat that is constant: it is the input that is wrong then.
fn why_not(repeats: &[Vec<f64>]) -> Option<Reason> {
    let reasons = || repeats.iter().filter_map(|repeat| Reason::of(repeat));
    reasons().find(|reason| *reason == Reason::NanInput).or_else(|| reasons().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use statistics::{Draws, mean, pearson, variance};

    /// `n_repeats` showings of `n` stimuli, showing after showing: signal of sd 1 and noise of sd `noise`.
    fn simulated(n: usize, n_repeats: usize, noise: f64, seed: u64) -> (Vec<Vec<f64>>, Array2<f64>, Repeats) {
        let mut draws = Draws::new(seed);
        let signal: Vec<f64> = (0..n).map(|_| draws.normal_pair()[0]).collect();
        // Gain and offset of every repeat differ: both leave with the z scores.
        let shown: Vec<Vec<f64>> = (0..n_repeats)
            .map(|k| {
                let gain = 1.0 + k as f64;
                signal.iter().map(|s| 100.0 * gain + gain * (s + noise * draws.normal_pair()[0])).collect()
            })
            .collect();
        let trials = Array2::from_shape_fn((n * n_repeats, 1), |(row, _)| shown[row / n][row % n]);
        let ids: Vec<usize> = (0..n * n_repeats).map(|row| row % n).collect();
        (shown, trials, Repeats::by_id(&ids))
    }

    #[test]
    fn corrected_is_the_mean_pairwise_correlation() {
        for (n, n_repeats, noise) in [(3, 2, 0.5), (40, 2, 1.0), (25, 3, 5.0), (60, 10, 2.0), (12, 7, 0.0)] {
            let (shown, trials, repeats) = simulated(n, n_repeats, noise, (n * n_repeats) as u64);
            let found = explainable_variances(trials.view(), &repeats, n_repeats).unwrap()[0];
            let pairs: Vec<f64> = (0..n_repeats)
                .flat_map(|a| (a + 1..n_repeats).map(move |b| (a, b)))
                .map(|(a, b)| pearson(&shown[a], &shown[b]))
                .collect();
            assert!((found.corrected - mean(&pairs)).abs() < 1e-12, "{n} {n_repeats}: {found:?}");
            // by its definition: variance of the mean over the mean variance
            let z: Vec<Vec<f64>> = shown
                .iter()
                .map(|x| x.iter().map(|v| (v - mean(x)) / variance(x).sqrt()).collect::<Vec<f64>>())
                .collect();
            let average: Vec<f64> = (0..n).map(|s| z.iter().map(|x| x[s]).sum::<f64>() / n_repeats as f64).collect();
            let of_repeats: Vec<f64> = z.iter().map(|x| variance(x)).collect();
            assert!((found.raw - variance(&average) / mean(&of_repeats)).abs() < 1e-12);
            assert!(found.raw <= 1.0);
        }
    }

    #[test]
    fn unequal_repeats_use_the_first_of_those_shown_often_enough() {
        let (_, trials, repeats) = simulated(20, 3, 1.0, 5);
        let two = explainable_variances(trials.view(), &repeats, 2).unwrap();
        let first = trials.slice(ndarray::s![..40, ..]);
        let ids: Vec<usize> = (0..40).map(|row| row % 20).collect();
        assert_eq!(two, explainable_variances(first, &Repeats::by_id(&ids), 2).unwrap());
    }

    #[test]
    fn voxels_and_designs_without_numbers_say_why() {
        let ids = Repeats::by_id(&[0, 1, 2, 0, 1, 2]);
        let trials = ndarray::array![
            [1.0, 7.0, 5.0],
            [2.0, 7.0, 5.0],
            [3.0, 7.0, 5.0],
            [1.0, 1.0, 1.0],
            [2.0, 2.0, f64::NAN],
            [3.0, 3.0, 3.0]
        ];
        let voxels = explainable_variances(trials.view(), &ids, 2).unwrap();
        assert!((voxels[0].raw - 1.0).abs() < 1e-15 && (voxels[0].corrected - 1.0).abs() < 1e-15);
        assert_eq!(voxels[0].reason, None);
        assert_eq!(voxels[1].reason, Some(Reason::Constant));
        assert_eq!(voxels[2].reason, Some(Reason::NanInput));
        assert!(voxels[1].raw.is_nan() && voxels[2].corrected.is_nan());
        let error = |n| explainable_variances(trials.view(), &ids, n).unwrap_err();
        assert_eq!(error(1), RepeatError::TooFewRepeats(1));
        assert_eq!(error(3), RepeatError::TooFewStimuli { found: 0, stimuli: 3, repeats: 3 });
    }
}
