//! Generative modelling of signal and noise: what covariance a region's responses have because pictures differ, and
//! what covariance because trials do.
//!
//! Responses are taken as signal (one pattern per stimulus, multivariate normal over stimuli) plus noise (one pattern
//! per trial, multivariate normal around zero). [`Gsn::estimate`] finds both covariances; [`rdm_ceiling`] simulates
//! from them how well the noiseless RDM correlates with a measured one, [`profile_ceiling`] says the same of mean
//! responses.
//!
//! Kay, Prince, Gebhart, Tuckute, Zhou, Naselaris & Schütt (2025), PLoS Comput Biol. [`Gsn`] follows the
//! authors' NumPy code where every stimulus is shown equally often, and its treatment of missing data (`missing`) where
//! not; unlike the plain code for unequal numbers, that one throws no trial away and draws nothing. Two things differ,
//! both where that code depends on the unit of measurement or on rounding: what is added to a matrix that clipping has
//! left singular is relative to its variances, and a covariance whose factor is rounding counts as singular.

mod mersenne;
mod semidefinite;
mod shrinkage;
mod simulation;

use linear_algebra::{LinearAlgebraError, cross_gram};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use statistics::Reason;

use crate::columns::map_columns;
use crate::repeats::{RepeatError, Repeats};
use crate::split_half::averages;
use semidefinite::nearest_semidefinite;
pub use simulation::{Ceiling, Halves, Simulation, halves, profile_ceiling, rdm_ceiling};

/// Why nothing can be estimated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GsnError {
    /// The repeats do not allow it.
    #[error(transparent)]
    Repeats(#[from] RepeatError),
    /// Every shrunken covariance is singular.
    #[error("a voxel does not vary over the {of} of the stimuli that are not held out; leave it out")]
    NoVariance {
        /// What does not vary: the trials, or the averages.
        of: &'static str,
    },
    /// A matrix cannot be factored.
    #[error(transparent)]
    LinearAlgebra(#[from] LinearAlgebraError),
}

/// Stimuli needed, shown at least twice each: a fifth of them is held out.
const STIMULI: usize = 3;

/// After so many rounds the last estimate is taken as it is, as in the authors' code.
const MOST_ITERATIONS: usize = 100;

/// Two successive estimates that correlate higher than this are one.
const AGREES: f64 = 0.999;

/// The two covariances of single trials, and how they were found. Matrices are voxels x voxels.
#[derive(Debug, Clone, PartialEq)]
pub struct Gsn {
    /// Share of the off-diagonal of the noise covariance that was kept (0..=1).
    pub shrinkage_noise: f64,
    /// The same of the covariance of the stimuli's averages, of which the signal is a part.
    pub shrinkage_signal: f64,
    /// Rounds in which the estimates still changed; 0 where the first ones were fine.
    pub n_iterations: usize,
    /// Whether they stopped changing.
    pub converged: bool,
    /// Per voxel: root of signal over noise variance, of the covariances before they were made semidefinite; 0 where
    /// the signal variance is negative. Bounds nothing itself.
    pub ncsnr: Vec<f64>,
    /// Per voxel: mean over stimuli of their averages.
    pub mean: Array1<f64>,
    /// Noise covariance, shrunken.
    pub raw_noise: Array2<f64>,
    /// Signal covariance: that of the averages less the noise left in them. It may have negative eigenvalues.
    pub raw_signal: Array2<f64>,
    /// Noise covariance, positive semidefinite.
    pub noise: Array2<f64>,
    /// Signal covariance, positive semidefinite.
    pub signal: Array2<f64>,
}

/// Why a voxel cannot be part of the estimate: NaN, constant, or (`constant` too) without any difference between the
/// trials of a stimulus.
pub fn unusable_voxels<T>(trials: ArrayView2<'_, T>, repeats: &Repeats) -> Vec<Option<Reason>>
where
    T: Copy + Into<f64> + Send + Sync,
{
    map_columns(&[trials], |_, values| {
        let differs = |stimulus: usize| {
            let rows = repeats.rows_of(stimulus);
            rows.iter().any(|&row| values[0][row] != values[0][rows[0]])
        };
        let noiseless = !(0..repeats.n_stimuli()).any(differs);
        Reason::of(values[0]).or(noiseless.then_some(Reason::Constant))
    })
}

/// An error where too few stimuli are repeated for an estimate.
pub fn check_repeats(repeats: &Repeats) -> Result<(), RepeatError> {
    match repeats.shown_at_least(2).len() {
        found if found < STIMULI => Err(RepeatError::TooFewStimuli { found, stimuli: repeats.n_stimuli(), repeats: 2 }),
        _ => Ok(()),
    }
}

impl Gsn {
    /// The covariances of `trials` (presentations x voxels).
    ///
    /// 1. A fifth of the stimuli is held out (the same for the same number of stimuli, in the order of `repeats`).
    ///    *Noise*: the covariance within a stimulus (n - 1), averaged over the others that are shown twice or more; its
    ///    off-diagonal is multiplied by 0, .02, .. 1, and the factor under which the held-out residuals are likeliest
    ///    (multivariate normal) is applied to the covariance of all stimuli. *Averages*: the same with the covariance
    ///    of the stimuli's averages.
    /// 2. Signal = averages - noise x mean over stimuli of 1 / n.
    /// 3. In turns, until both correlate above .999 with those of the round before, the signal is the nearest
    ///    semidefinite matrix to averages - noise / n, and the noise that to a weighted mean of the first estimate and
    ///    of what the signal leaves of the averages.
    ///
    /// Voxels that [`unusable_voxels`] names have to be left out before.
    pub fn estimate(trials: ArrayView2<'_, f64>, repeats: &Repeats) -> Result<Gsn, GsnError> {
        repeats.check_rows(trials.nrows())?;
        check_repeats(repeats)?;
        let repeated = repeats.shown_at_least(2);
        let averages = averages(trials, repeats);
        // A decomposition runs on one thread.
        let (noise, of_averages) =
            rayon::join(|| noise_covariance(trials, repeats, &repeated), || covariance_of_averages(&averages));
        let (raw_noise, shrinkage_noise) = noise?;
        let (of_averages, shrinkage_signal) = of_averages?;

        let inverse = repeats.mean_inverse_count();
        let raw_signal = &of_averages - &(&raw_noise * inverse);
        let root = |v: f64| v.max(0.0).sqrt();
        let ncsnr = raw_signal.diag().iter().zip(raw_noise.diag()).map(|(&s, &n)| root(s) / root(n)).collect();
        let n_trials = repeats.n_rows() as f64 / repeats.n_stimuli() as f64;
        let settled = settle(&raw_noise, &of_averages, &raw_signal, inverse, n_trials, repeats.n_stimuli())?;
        Ok(Gsn {
            shrinkage_noise,
            shrinkage_signal,
            n_iterations: settled.n_iterations,
            converged: settled.converged,
            ncsnr,
            mean: mean_of_rows(averages.view()),
            raw_noise,
            raw_signal,
            noise: settled.noise,
            signal: settled.signal,
        })
    }
}

fn mean_of_rows(rows: ArrayView2<f64>) -> Array1<f64> {
    rows.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(rows.ncols()))
}

/// Presentations of these stimuli less the stimulus's mean, one below the other.
fn residuals(trials: ArrayView2<f64>, repeats: &Repeats, stimuli: &[usize]) -> Array2<f64> {
    let rows: Vec<usize> = stimuli.iter().flat_map(|&s| repeats.rows_of(s)).copied().collect();
    let mut residuals = trials.select(Axis(0), &rows);
    let mut first = 0;
    for &stimulus in stimuli {
        let n = repeats.rows_of(stimulus).len();
        let mut own = residuals.slice_mut(ndarray::s![first..first + n, ..]);
        let mean = mean_of_rows(own.view());
        own -= &mean;
        first += n;
    }
    residuals
}

/// Rows `x` for which `x' x` is the mean over stimuli of the covariance within each (n - 1): a row per degree of
/// freedom, which is one less than presentations. The k-th compares a stimulus's presentation k + 1 with the k before
/// it (Helmert's contrasts).
fn within(trials: ArrayView2<f64>, repeats: &Repeats, stimuli: &[usize]) -> Array2<f64> {
    let n_rows = stimuli.iter().map(|&s| repeats.rows_of(s).len().saturating_sub(1)).sum();
    let mut contrasts = Array2::zeros((n_rows, trials.ncols()));
    let mut next = contrasts.rows_mut().into_iter();
    for &stimulus in stimuli {
        let Some((&first, others)) = repeats.rows_of(stimulus).split_first() else { continue };
        // Relative to the first, so that what all have in common takes no digits.
        let mut before = Array1::<f64>::zeros(trials.ncols());
        for ((k, &row), mut contrast) in (1..).zip(others).zip(&mut next) {
            let (k, freedom) = (f64::from(k), others.len() as f64);
            let own = &trials.row(row) - &trials.row(first);
            contrast.assign(&((&before - &(&own * k)) / (k * (k + 1.0) * freedom * stimuli.len() as f64).sqrt()));
            before += &own;
        }
    }
    contrasts
}

fn noise_covariance(
    trials: ArrayView2<f64>,
    repeats: &Repeats,
    repeated: &[usize],
) -> Result<(Array2<f64>, f64), GsnError> {
    let is_repeated = |s: &usize| repeats.rows_of(*s).len() >= 2;
    let (held_out, others) = shrinkage::held_out(repeats.n_stimuli());
    let mut parts = [held_out, others].map(|part| part.into_iter().filter(is_repeated).collect::<Vec<usize>>());
    if parts.iter().any(Vec::is_empty) {
        // So few are repeated that all of them fell on one side.
        let (held_out, others) = shrinkage::held_out(repeated.len());
        parts = [held_out, others].map(|part| part.into_iter().map(|i| repeated[i]).collect());
    }
    let [held_out, others] = &parts;
    let points = residuals(trials, repeats, held_out);
    let factor = shrinkage::best_factor(within(trials, repeats, others).view(), &points)
        .ok_or(GsnError::NoVariance { of: "trials" })?;
    let all = cross_gram(within(trials, repeats, repeated).view()).to_array();
    Ok((shrinkage::shrunken(all, factor), factor))
}

/// Rows `x` for which `x' x` is the covariance of these (n - 1), and their mean.
fn centred(rows: ArrayView2<f64>) -> (Array2<f64>, Array1<f64>) {
    let mean = mean_of_rows(rows);
    ((&rows - &mean) / (rows.nrows() as f64 - 1.0).sqrt(), mean)
}

fn covariance_of_averages(averages: &Array2<f64>) -> Result<(Array2<f64>, f64), GsnError> {
    let (held_out, others) = shrinkage::held_out(averages.nrows());
    let (others, mean) = centred(averages.select(Axis(0), &others).view());
    let points = averages.select(Axis(0), &held_out) - &mean;
    let factor = shrinkage::best_factor(others.view(), &points).ok_or(GsnError::NoVariance { of: "averages" })?;
    let all = cross_gram(centred(averages.view()).0.view()).to_array();
    Ok((shrinkage::shrunken(all, factor), factor))
}

struct Settled {
    noise: Array2<f64>,
    signal: Array2<f64>,
    n_iterations: usize,
    converged: bool,
}

/// Signal and noise that are semidefinite and add up to what was measured. `inverse` is the mean over stimuli of 1 / n,
/// `t` the mean of n.
fn settle(
    raw_noise: &Array2<f64>,
    of_averages: &Array2<f64>,
    raw_signal: &Array2<f64>,
    inverse: f64,
    t: f64,
    n_stimuli: usize,
) -> Result<Settled, GsnError> {
    let n = n_stimuli as f64;
    // How much the residuals and the averages know of the noise: degrees of freedom n (t - 1) and n - 1.
    let all = n * t * t * (t - 1.0) + n - 1.0;
    let (of_residuals, of_rest) = (n * (t - 1.0) * t * t / all, (n - 1.0) / all);
    let (mut noise, mut signal) = (raw_noise.clone(), raw_signal.clone());
    for n_iterations in 0..MOST_ITERATIONS {
        let next_signal = nearest_semidefinite(of_averages - &(&noise * inverse))?;
        let rest = (of_averages - &next_signal) * t;
        let next_noise = nearest_semidefinite(raw_noise * of_residuals + &(rest * of_rest))?;
        let converged = agree(&signal, &next_signal, raw_noise) && agree(&noise, &next_noise, raw_noise);
        (signal, noise) = (next_signal, next_noise);
        if converged {
            return Ok(Settled { noise, signal, n_iterations, converged });
        }
    }
    Ok(Settled { noise, signal, n_iterations: MOST_ITERATIONS, converged: false })
}

/// Whether two successive estimates are one. Of one voxel there is nothing to correlate: then by their difference,
/// against the noise variance.
fn agree(before: &Array2<f64>, now: &Array2<f64>, scale: &Array2<f64>) -> bool {
    if now.len() == 1 {
        return (before[(0, 0)] - now[(0, 0)]).abs() < 1e-5 * scale[(0, 0)];
    }
    // Equal ones may be constant, so that they have no correlation.
    before == now || statistics::pearson(&flat(before), &flat(now)) > AGREES
}

fn flat(matrix: &Array2<f64>) -> Vec<f64> {
    matrix.iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, concatenate};
    use simulation::tests::{known, normal, truth};
    use statistics::Draws;

    /// Trials of `counts.len()` stimuli from the known covariances, and the stimulus of each row.
    fn simulated(noise: f64, counts: &[usize], seed: u64) -> (Array2<f64>, Repeats) {
        let (gsn, signal_root, noise_root) = known(noise);
        let mut draws = Draws::new(seed);
        let signal = normal(counts.len(), 2, &mut draws).dot(&signal_root) + &gsn.mean;
        let ids: Vec<usize> = counts.iter().enumerate().flat_map(|(s, &n)| std::iter::repeat_n(s, n)).collect();
        let trials = signal.select(Axis(0), &ids) + normal(ids.len(), 7, &mut draws).dot(&noise_root);
        (trials, Repeats::by_id(&ids))
    }

    fn furthest(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
        let largest = b.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / largest
    }

    #[test]
    fn many_stimuli_give_the_covariances_that_they_were_drawn_from() {
        for counts in [vec![3; 6000], [1, 2, 3, 4].repeat(2000)] {
            let (trials, repeats) = simulated(1.5, &counts, 1);
            let (found, truth) = (Gsn::estimate(trials.view(), &repeats).unwrap(), known(1.5).0);
            // Errors of sqrt(2 / 6000) of a variance, and of the noise left in it: five of them.
            assert!(furthest(&found.noise, &truth.noise) < 0.09);
            assert!(furthest(&found.signal, &truth.signal) < 0.13);
            assert!((&found.mean - &truth.mean).iter().all(|d| d.abs() < 0.15));
            assert!(found.shrinkage_noise > 0.9 && found.shrinkage_signal > 0.9);
        }
    }

    #[test]
    fn contrasts_have_the_covariance_within_stimuli() {
        let (trials, repeats) = simulated(1.5, &[2, 1, 3, 5], 9);
        // Far from zero, as signals of scanners are.
        let trials = trials + 1000.0;
        let stimuli = [3, 0, 2];
        let rows = within(trials.view(), &repeats, &stimuli);
        assert_eq!(rows.dim(), (4 + 1 + 2, 7));
        let mut plain = Array2::<f64>::zeros((7, 7));
        for stimulus in stimuli {
            let own = residuals(trials.view(), &repeats, &[stimulus]);
            plain += &(own.t().dot(&own) / (own.nrows() as f64 - 1.0) / 3.0);
        }
        // The numbers have 13 digits behind the point, and variances are about 1.
        assert!(furthest(&rows.t().dot(&rows), &plain) < 1e-11);
    }

    #[test]
    fn nothing_depends_on_the_unit_or_on_the_order_of_trials() {
        let (trials, repeats) = simulated(3.0, &[2; 15], 2);
        let found = Gsn::estimate(trials.view(), &repeats).unwrap();
        for unit in [1e-9, 1e9] {
            let other = Gsn::estimate((&trials * unit).view(), &repeats).unwrap();
            assert!(furthest(&(&other.signal / (unit * unit)), &found.signal) < 1e-9, "{unit}");
            assert!(furthest(&(&other.noise / (unit * unit)), &found.noise) < 1e-9, "{unit}");
            assert_eq!(other.n_iterations, found.n_iterations);
        }
        // All first trials, then all second ones: the stimuli are in the same order.
        let order: Vec<usize> = (0..30).map(|row| 2 * (row % 15) + row / 15).collect();
        let ids: Vec<usize> = (0..30).map(|row| row % 15).collect();
        let other = Gsn::estimate(trials.select(Axis(0), &order).view(), &Repeats::by_id(&ids)).unwrap();
        assert!(furthest(&other.signal, &found.signal) < 1e-12);
    }

    #[test]
    fn noise_that_exceeds_the_averages_leaves_a_semidefinite_signal() {
        let (trials, repeats) = simulated(6.0, &[2; 12], 3);
        let found = Gsn::estimate(trials.view(), &repeats).unwrap();
        let least = |m: &Array2<f64>| linear_algebra::symmetric_eigen(m.view()).unwrap().values[0];
        assert!(least(&found.raw_signal) < -0.5, "{}", least(&found.raw_signal));
        let size = found.noise.diag().sum();
        assert!(least(&found.signal) > -1e-12 * size && least(&found.noise) > -1e-12 * size);
        assert!(found.ncsnr.contains(&0.0) && found.n_iterations > 0);
    }

    #[test]
    fn two_to_forty_trials_and_one_voxel_have_estimates() {
        for n in 2..=40 {
            let (trials, repeats) = simulated(2.0, &[n; 9], n as u64);
            let found = Gsn::estimate(trials.view(), &repeats).unwrap();
            assert!(found.converged && found.signal.iter().all(|v| v.is_finite()), "{n}");
            let one = Gsn::estimate(trials.slice(ndarray::s![.., 2..3]), &repeats).unwrap();
            assert!(one.converged && one.noise[(0, 0)] > 0.0, "{n}");
            // Its variances are those that it has among others.
            assert!((one.ncsnr[0] - found.ncsnr[2]).abs() < 1e-12);
        }
    }

    #[test]
    fn few_repeated_stimuli_are_split_among_themselves() {
        // Of ten stimuli 6 and 5 are held out (the order of 42), and none of them is repeated.
        let mut counts = [1; 10];
        [0, 3, 4].into_iter().for_each(|s| counts[s] = 4);
        assert!(shrinkage::held_out(10).0.iter().all(|s| counts[*s] == 1));
        let (trials, repeats) = simulated(1.0, &counts, 5);
        assert!(Gsn::estimate(trials.view(), &repeats).unwrap().noise.iter().all(|v| v.is_finite()));
    }

    #[test]
    fn says_what_is_lacking() {
        let trials = array![[1.0], [2.0], [3.0], [4.0], [5.0]];
        let error = Gsn::estimate(trials.view(), &Repeats::by_id(&[0, 0, 1, 1, 2])).unwrap_err().to_string();
        assert!(error.starts_with("2 of 3 stimuli have 2 repeats"), "{error}");
        let error = Gsn::estimate(trials.view(), &Repeats::by_id(&[0, 0, 1, 1])).unwrap_err().to_string();
        assert!(error.starts_with("5 rows, but 4 stimulus ids"), "{error}");
        let trials = array![
            [1.0, f64::NAN, 5.0, 1.0],
            [2.0, 3.0, 5.0, 1.0],
            [3.0, 2.0, 5.0, 2.0],
            [4.0, 3.0, 5.0, 2.0],
            [9.0, 2.0, 5.0, 3.0],
            [4.0, 1.0, 5.0, 3.0]
        ];
        let repeats = Repeats::by_id(&[0, 0, 1, 1, 2, 2]);
        let reasons = unusable_voxels(trials.view(), &repeats);
        assert_eq!(reasons, [None, Some(Reason::NanInput), Some(Reason::Constant), Some(Reason::Constant)]);
        // Only stimulus 0, which is held out of three, has a trial that differs from the other.
        assert_eq!(shrinkage::held_out(3).0, [0]);
        let trials = array![[1.0], [2.0], [3.0], [3.0], [9.0], [9.0]];
        assert_eq!(Gsn::estimate(trials.view(), &repeats), Err(GsnError::NoVariance { of: "trials" }));
    }

    #[test]
    fn same_bytes_for_any_number_of_threads() {
        let (trials, repeats) = simulated(1.5, &[3; 20], 6);
        let all = || {
            let gsn = Gsn::estimate(trials.view(), &repeats).unwrap();
            let halves = halves(trials.view(), &repeats, 100, 0).unwrap();
            let how = Simulation { n_trials: 3.0, draws: 30, seed: 2, repeat: 0 };
            (rdm_ceiling(&gsn, halves, how).unwrap(), gsn)
        };
        let with = |threads: usize| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(all);
        assert_eq!(with(1), with(5));
    }

    #[test]
    fn estimated_ceilings_are_unbiased_over_seeds() {
        // 7 voxels, 150 stimuli, 3 trials: seeds differ by about .01, so that the mean of 20 is known to .003.
        let of_model = truth(&known(1.0), 1.0, 3.0, 1000);
        let found: Vec<f64> = (0..20)
            .map(|seed| {
                let (trials, repeats) = simulated(1.0, &[3; 150], 100 + seed);
                let gsn = Gsn::estimate(trials.view(), &repeats).unwrap();
                let halves = halves(trials.view(), &repeats, 100, 0).unwrap();
                let how = Simulation { n_trials: 3.0, draws: 150, seed, repeat: 0 };
                rdm_ceiling(&gsn, halves, how).unwrap().ceiling
            })
            .collect();
        let (ceiling, _) = of_model[1];
        let bias = statistics::mean(&found) - ceiling;
        let error = (statistics::variance(&found) / found.len() as f64).sqrt();
        assert!(bias.abs() < 0.01 && error < 0.005, "true {ceiling:.4}, bias {bias:.4} +- {error:.4}");
    }

    #[test]
    fn duplicated_voxels_do_not_stop_it() {
        let (trials, repeats) = simulated(1.0, &[3; 20], 8);
        let twice = concatenate![Axis(1), trials, trials];
        let found = Gsn::estimate(twice.view(), &repeats).unwrap();
        assert!(found.shrinkage_noise < 1.0 && found.converged);
    }
}
