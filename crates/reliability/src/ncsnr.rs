//! Noise ceilings of voxels from the variance of repeats, as the Natural Scenes Dataset defines them.

use ndarray::{Array2, ArrayView2};
use statistics::{Moments, Reason};

use crate::columns::map_columns;
use crate::repeats::{RepeatError, Repeats};
use crate::spearman_brown::r_max;

/// Signal, noise and ceiling of one voxel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseCeiling {
    /// Variance over all trials (n - 1); 1 for betas z-scored over them, and by convention in [`nsd_noise_ceilings`].
    pub total_variance: f64,
    /// Mean over the repeated stimuli of the variance within a stimulus (n - 1).
    pub noise_variance: f64,
    /// `total - noise` as it is: below 0 when the repeats of a picture differ more than different pictures do.
    pub signal_variance_raw: f64,
    /// `max(0, total - noise)`, as the dataset's definition has it; the raw value stands beside it.
    pub signal_variance: f64,
    /// Noise ceiling signal-to-noise ratio: `sqrt(signal_variance / noise_variance)`. Not a bound itself.
    pub ncsnr: f64,
    /// Share (0..=1) of the variance of the averages that signal makes up: bounds **r²**. Times 100 it is the
    /// dataset's noise ceiling in percent.
    pub reliability: f64,
    /// Its root: bounds **r**.
    pub r_max: f64,
    /// Why there are no numbers.
    pub reason: Option<Reason>,
}

/// Share of variance that is signal in an average over trials: `ncsnr² / (ncsnr² + mean_inverse_count)`. Bounds
/// **r²**.
///
/// `mean_inverse_count` is `1/n` for stimuli shown n times each, or [`Repeats::mean_inverse_count`] for unequal
/// repeats.
///
/// ```
/// // METHODS.md: ncsnr .5 with three trials, and with 300, 150 and 50 stimuli shown 3, 2 and 1 times
/// assert!((100.0 * reliability::noise_ceiling(0.5, 1.0 / 3.0) - 42.8571).abs() < 5e-5);
/// assert!((100.0 * reliability::noise_ceiling(0.5, 0.45) - 35.714286).abs() < 5e-7);
/// ```
///
/// Allen et al. (2022).
pub fn noise_ceiling(ncsnr: f64, mean_inverse_count: f64) -> f64 {
    if ncsnr == f64::INFINITY {
        return 1.0;
    }
    ncsnr * ncsnr / (ncsnr * ncsnr + mean_inverse_count)
}

/// The noise ceiling of every voxel, for the averages over each stimulus's own trials.
///
/// `trials` is presentations x voxels, single-trial responses; z-score them within session first
/// ([`z_score_within`]), or drifts between sessions count as signal or noise. The noise variance is a mean over the
/// stimuli with two trials or more, each counting once; stimuli shown once enter the total variance and the mean of
/// `1/n`. `mean_inverse_count` overrides that mean, to ask for another number of trials (`1/n`).
///
/// ```
/// use ndarray::array;
/// use reliability::{Repeats, noise_ceilings};
/// // two pictures twice: within-variance 2 and 2, total variance of {1, 3, 7, 9} is 40/3
/// let trials = array![[1.0], [3.0], [7.0], [9.0]];
/// let voxel = noise_ceilings(trials.view(), &Repeats::by_id(&["a", "a", "b", "b"]), None).unwrap()[0];
/// assert_eq!(voxel.noise_variance, 2.0);
/// assert!((voxel.signal_variance - 34.0 / 3.0).abs() < 1e-14);
/// assert!((voxel.reliability - (34.0 / 6.0) / (34.0 / 6.0 + 0.5)).abs() < 1e-15);
/// ```
pub fn noise_ceilings<T>(
    trials: ArrayView2<'_, T>,
    repeats: &Repeats,
    mean_inverse_count: Option<f64>,
) -> Result<Vec<NoiseCeiling>, RepeatError>
where
    T: Copy + Into<f64> + Send + Sync,
{
    repeats.check_rows(trials.nrows())?;
    let repeated = repeats.shown_at_least(2);
    if repeated.is_empty() {
        return Err(RepeatError::NoRepeats { rows: repeats.n_rows(), stimuli: repeats.n_stimuli() });
    }
    let inverse = mean_inverse_count.unwrap_or_else(|| repeats.mean_inverse_count());
    Ok(map_columns(&[trials], |_, values| of_voxel(values[0], repeats, &repeated, None, inverse)))
}

/// The noise ceiling of every voxel as the Natural Scenes Dataset's own code computes it.
///
/// `z_scored` is presentations x voxels, z-scored within session ([`z_score_within`]; all of a session's trials, sd
/// with n - 1). The noise variance is a mean over the stimuli that were shown **as often as any was**
/// ([`Repeats::most`]); stimuli shown less often are in the z scores only. The total variance is 1 by the z scores:
/// signal is `max(0, 1 - noise)`. `mean_inverse_count` as in [`noise_ceilings`]: by default over all stimuli,
/// `(A/3 + B/2 + C) / (A + B + C)`. A voxel that is constant in one session has no z scores there and no ceiling,
/// where the dataset's code leaves the stimuli out that were shown in it.
///
/// Allen et al. (2022), `export_noiseceiling.m`.
pub fn nsd_noise_ceilings<T>(
    z_scored: ArrayView2<'_, T>,
    repeats: &Repeats,
    mean_inverse_count: Option<f64>,
) -> Result<Vec<NoiseCeiling>, RepeatError>
where
    T: Copy + Into<f64> + Send + Sync,
{
    repeats.check_rows(z_scored.nrows())?;
    if repeats.most() < 2 {
        return Err(RepeatError::NoRepeats { rows: repeats.n_rows(), stimuli: repeats.n_stimuli() });
    }
    let complete = repeats.shown_at_least(repeats.most());
    let inverse = mean_inverse_count.unwrap_or_else(|| repeats.mean_inverse_count());
    Ok(map_columns(&[z_scored], |_, values| of_voxel(values[0], repeats, &complete, Some(1.0), inverse)))
}

/// `repeated` are the stimuli that the noise is of; `total` the variance that is known beforehand.
fn of_voxel(values: &[f64], repeats: &Repeats, repeated: &[usize], total: Option<f64>, inverse: f64) -> NoiseCeiling {
    if let Some(reason) = Reason::of(values) {
        return NoiseCeiling {
            total_variance: f64::NAN,
            noise_variance: f64::NAN,
            signal_variance_raw: f64::NAN,
            signal_variance: f64::NAN,
            ncsnr: f64::NAN,
            reliability: f64::NAN,
            r_max: f64::NAN,
            reason: Some(reason),
        };
    }
    let within: Vec<f64> = repeated
        .iter()
        .map(|&stimulus| {
            let trials = repeats.rows_of(stimulus).iter().map(|&row| values[row]);
            trials.collect::<Moments>().variance()
        })
        .collect();
    let total_variance = total.unwrap_or_else(|| statistics::variance(values));
    let noise_variance = statistics::mean(&within);
    if total.is_none() && !total_variance.is_normal() {
        // Squares beyond what f8 holds: ratios are those of the same values in another unit.
        let unit = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        let scaled: Vec<f64> = values.iter().map(|v| v / unit).collect();
        let found = of_voxel(&scaled, repeats, repeated, None, inverse);
        let back = |variance: f64| variance * unit * unit;
        return NoiseCeiling {
            total_variance: back(found.total_variance),
            noise_variance: back(found.noise_variance),
            signal_variance_raw: back(found.signal_variance_raw),
            signal_variance: back(found.signal_variance),
            ..found
        };
    }
    let signal_variance_raw = total_variance - noise_variance;
    let signal_variance = signal_variance_raw.max(0.0);
    let ncsnr = (signal_variance / noise_variance).sqrt();
    let reliability = noise_ceiling(ncsnr, inverse);
    NoiseCeiling {
        total_variance,
        noise_variance,
        signal_variance_raw,
        signal_variance,
        ncsnr,
        reliability,
        r_max: r_max(reliability).0,
        reason: None,
    }
}

/// Every column z-scored (sd with n - 1) within each session, in f64.
///
/// `sessions` has one number per row. A column that is constant within a session, or has a NaN there, is `NaN` in
/// that session: nothing is filled in.
///
/// ```
/// let z = reliability::z_score_within(ndarray::array![[1.0], [3.0], [10.0], [30.0]].view(), &[0, 0, 1, 1]);
/// let h = 0.5_f64.sqrt();
/// assert!(z.iter().zip([-h, h, -h, h]).all(|(z, h)| (z - h).abs() < 1e-15));
/// ```
///
/// # Panics
/// When `sessions` has not one entry per row.
pub fn z_score_within<T>(trials: ArrayView2<'_, T>, sessions: &[usize]) -> Array2<f64>
where
    T: Copy + Into<f64> + Send + Sync,
{
    let (n_rows, n_columns) = trials.dim();
    assert_eq!(sessions.len(), n_rows, "{} sessions for {n_rows} rows", sessions.len());
    let by_session = Repeats::by_id(sessions);
    let columns: Vec<Vec<f64>> = map_columns(&[trials], |_, values| {
        let values = values[0];
        let mut scored = vec![f64::NAN; values.len()];
        for session in 0..by_session.n_stimuli() {
            let rows = by_session.rows_of(session);
            let here: Vec<f64> = rows.iter().map(|&row| values[row]).collect();
            if Reason::of(&here).is_some() {
                continue;
            }
            let (mean, sd) = (statistics::mean(&here), statistics::variance(&here).sqrt());
            rows.iter().zip(&here).for_each(|(&row, value)| scored[row] = (value - mean) / sd);
        }
        scored
    });
    Array2::from_shape_fn((n_rows, n_columns), |(row, column)| columns[column][row])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use statistics::Draws;

    #[test]
    fn methods_vectors() {
        for (ncsnr, n, percent) in [
            (0.3, 3.0, 21.2598),
            (0.5, 3.0, 42.8571),
            (1.0, 3.0, 75.0),
            (0.3, 1.0, 8.2569),
            (0.5, 1.0, 20.0),
            (1.0, 1.0, 50.0),
        ] {
            assert!((100.0 * noise_ceiling(ncsnr, 1.0 / n) - percent).abs() < 5e-5);
        }
        assert_eq!(noise_ceiling(0.0, 0.5), 0.0);
        assert_eq!(noise_ceiling(f64::INFINITY, 0.5), 1.0);
    }

    #[test]
    fn units_do_not_matter_even_where_squares_leave_f8() {
        let repeats = Repeats::by_id(&["a", "b", "a", "c", "b", "a"]);
        let trials = array![[0.5], [10.0], [2.0], [5.0], [12.0], [4.0]];
        let of = |unit: f64| noise_ceilings((&trials * unit).view(), &repeats, None).unwrap()[0];
        let plain = of(1.0);
        for unit in [1e160, 1e-170, 1e-305] {
            let found = of(unit);
            assert!((found.ncsnr - plain.ncsnr).abs() < 1e-12, "{unit}: {found:?}");
            assert!((found.reliability - plain.reliability).abs() < 1e-12, "{unit}: {found:?}");
        }
    }

    #[test]
    fn unequal_repeats_by_hand() {
        // a: {0, 2, 4} variance 4; b: {10, 12} variance 2; c: {5}. Noise 3; total over {0,2,4,10,12,5}: mean 5.5,
        // squares 30.25 + 12.25 + 2.25 + 20.25 + 42.25 + .25 = 107.5 -> 21.5. Signal 18.5, ncsnr^2 18.5/3.
        let trials = array![[0.0_f32], [10.0], [2.0], [5.0], [12.0], [4.0]];
        let repeats = Repeats::by_id(&["a", "b", "a", "c", "b", "a"]);
        let voxel = noise_ceilings(trials.view(), &repeats, None).unwrap()[0];
        assert!((voxel.noise_variance - 3.0).abs() < 1e-14);
        assert!((voxel.total_variance - 21.5).abs() < 1e-14);
        let power = 18.5 / 3.0;
        let inverse = (1.0 / 3.0 + 0.5 + 1.0) / 3.0;
        assert!((voxel.ncsnr - f64::sqrt(power)).abs() < 1e-14);
        assert!((voxel.reliability - power / (power + inverse)).abs() < 1e-14);
        assert!((voxel.r_max - voxel.reliability.sqrt()).abs() < 1e-16);
        let three = noise_ceilings(trials.view(), &repeats, Some(1.0 / 3.0)).unwrap()[0];
        assert!((three.reliability - power / (power + 1.0 / 3.0)).abs() < 1e-14);
    }

    #[test]
    fn the_convention_of_the_dataset_by_hand() {
        // Two sessions of three trials, z-scored by hand to -1, 0, 1 each. a: {-1, -1}, variance 0; b: {0, 1}, 1/2;
        // c and d once: in the z scores, not in the noise. Noise 1/4, signal 3/4; 1/n: (1/2 + 1/2 + 1 + 1) / 4.
        let trials = array![[10.0], [20.0], [30.0], [7.0], [9.0], [8.0]];
        let z = z_score_within(trials.view(), &[0, 0, 0, 1, 1, 1]);
        let repeats = Repeats::by_id(&["a", "b", "c", "a", "b", "d"]);
        let voxel = nsd_noise_ceilings(z.view(), &repeats, None).unwrap()[0];
        assert!((voxel.noise_variance - 0.25).abs() < 1e-15 && (voxel.signal_variance - 0.75).abs() < 1e-15);
        assert!((voxel.ncsnr - 3f64.sqrt()).abs() < 1e-14);
        assert!((voxel.reliability - 3.0 / (3.0 + 0.75)).abs() < 1e-14);
        // Pooled, the total is that of six z scores: 4/5.
        let pooled = noise_ceilings(z.view(), &repeats, None).unwrap()[0];
        assert!((pooled.signal_variance - 0.55).abs() < 1e-15);
        // A third showing of a alone: only its variance counts.
        let repeats = Repeats::by_id(&["a", "b", "c", "a", "b", "a"]);
        let voxel = nsd_noise_ceilings(z.view(), &repeats, None).unwrap()[0];
        assert!((voxel.noise_variance - 1.0 / 3.0).abs() < 1e-15);
        let error = nsd_noise_ceilings(z.view(), &Repeats::by_id(&[0, 1, 2, 3, 4, 5]), None).unwrap_err();
        assert!(matches!(error, RepeatError::NoRepeats { rows: 6, stimuli: 6 }));
    }

    #[test]
    fn noise_above_signal_keeps_its_raw_value() {
        // Repeats 0 and 2 of both pictures: within variance 2, total 4/3.
        let trials = array![[0.0], [2.0], [0.0], [2.0]];
        let repeats = Repeats::by_id(&[0, 0, 1, 1]);
        let voxel = noise_ceilings(trials.view(), &repeats, None).unwrap()[0];
        assert!((voxel.signal_variance_raw + 2.0 / 3.0).abs() < 1e-15);
        assert_eq!((voxel.signal_variance, voxel.ncsnr, voxel.reliability, voxel.r_max), (0.0, 0.0, 0.0, 0.0));
        assert_eq!(voxel.reason, None);
    }

    #[test]
    fn voxels_without_noise_constant_or_with_nan() {
        let trials = array![[1.0, 5.0, 1.0], [1.0, 5.0, f64::NAN], [3.0, 5.0, 2.0], [3.0, 5.0, 4.0]];
        let repeats = Repeats::by_id(&[0, 0, 1, 1]);
        let voxels = noise_ceilings(trials.view(), &repeats, None).unwrap();
        assert_eq!((voxels[0].ncsnr, voxels[0].reliability), (f64::INFINITY, 1.0));
        assert_eq!(voxels[1].reason, Some(Reason::Constant));
        assert_eq!(voxels[2].reason, Some(Reason::NanInput));
        assert!(voxels[1].ncsnr.is_nan() && voxels[2].reliability.is_nan());
    }

    #[test]
    fn recovers_a_simulated_ratio() {
        // Signal sd 1 and noise sd 2 (ncsnr .5) over 4000 pictures shown three times, uniform deviates of those sds.
        let mut draws = Draws::new(1);
        let mut uniform = |sd: f64| (draws.uniform() - 0.5) * 12f64.sqrt() * sd;
        let (mut values, mut ids) = (Vec::new(), Vec::new());
        for picture in 0..4000 {
            let signal = uniform(1.0);
            for _ in 0..3 {
                values.push(signal + uniform(2.0));
                ids.push(picture);
            }
        }
        let trials = Array2::from_shape_vec((12_000, 1), values).unwrap();
        let voxel = noise_ceilings(trials.view(), &Repeats::by_id(&ids), None).unwrap()[0];
        // Standard error of the estimate about .015.
        assert!((voxel.ncsnr - 0.5).abs() < 0.05, "{}", voxel.ncsnr);
    }

    #[test]
    fn unusable_designs_say_why() {
        let trials = array![[1.0], [2.0]];
        let error = noise_ceilings(trials.view(), &Repeats::by_id(&[0, 1]), None).unwrap_err().to_string();
        assert!(error.starts_with("2 rows of 2 stimuli, none shown twice"), "{error}");
        let error = noise_ceilings(trials.view(), &Repeats::by_id(&[0, 0, 1]), None).unwrap_err().to_string();
        assert!(error.starts_with("2 rows, but 3 stimulus ids"), "{error}");
    }
}
