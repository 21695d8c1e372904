//! Ceilings of measured RDMs and profiles by simulation from the two covariances.

use linear_algebra::{gram, plain_product};
use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;
use statistics::{Draws, mean, median, pearson};

use super::semidefinite::root;
use super::{Gsn, GsnError};
use crate::repeats::Repeats;
use crate::spearman_brown::{r_max, spearman_brown};
use crate::split_half::{average_occurrences, balanced_splits, presentations_to_split};

/// Stimuli in a draw, as in the authors' code: the ceiling of a correlation hardly depends on their number.
const STIMULI: usize = 50;

/// What the signal's covariance is multiplied by to make the model's halves agree as well as those of the data: 0, .1,
/// .. 2, as in the authors' code; it takes the best of these, we go on between them.
const SCALES: usize = 21;

fn scale(index: usize) -> f64 {
    index as f64 / 10.0
}

/// How well halves of the measured trials agree, not stepped up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Halves {
    /// Trials averaged in either half.
    pub n_trials: usize,
    /// Correlation of the RDMs (1 - Pearson) of both halves, the median over splits as the authors' code has it; `NaN`
    /// for a single voxel.
    pub rdm: f64,
    /// Correlation of the mean responses over voxels, the mean over splits as [`crate::split_half`] has it.
    pub profile: f64,
}

/// Halves of the trials (presentations x voxels), as [`presentations_to_split`] and [`balanced_splits`] have them.
/// `None` where fewer than three stimuli are repeated.
pub fn halves(trials: ArrayView2<'_, f64>, repeats: &Repeats, max_splits: usize, seed: u64) -> Option<Halves> {
    let shown = presentations_to_split(repeats)?;
    let stimuli = repeats.shown_at_least(shown);
    let (mut rdms, mut profiles) = (Vec::new(), Vec::new());
    for split in balanced_splits(shown, max_splits, seed) {
        let [a, b] = [split.a, split.b].map(|half| average_occurrences(trials, repeats, &stimuli, &half));
        profiles.push(pearson(&profile(&a), &profile(&b)));
        rdms.push(pearson(&pattern_correlations(a), &pattern_correlations(b)));
    }
    Some(Halves { n_trials: shown / 2, rdm: median(&rdms), profile: mean(&profiles) })
}

/// Mean over voxels of every stimulus.
fn profile(patterns: &Array2<f64>) -> Vec<f64> {
    patterns.rows().into_iter().map(|row| row.sum() / row.len() as f64).collect()
}

/// Takes the mean over voxels from every row, and gives these means.
fn centre_rows(patterns: &mut Array2<f64>) -> Vec<f64> {
    let means = profile(patterns);
    patterns.rows_mut().into_iter().zip(&means).for_each(|(mut row, mean)| row -= *mean);
    means
}

/// Pearson correlations of all pairs of rows. Two RDMs of 1 - r correlate as their r do.
fn pattern_correlations(mut patterns: Array2<f64>) -> Vec<f64> {
    centre_rows(&mut patterns);
    let products = gram(patterns.view());
    let norms: Vec<f64> = products.diagonal().iter().map(|square| square.sqrt()).collect();
    let n = norms.len();
    (0..n)
        .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
        .map(|(i, j)| products.get(j, i) / (norms[i] * norms[j]))
        .collect()
}

/// How to simulate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simulation {
    /// Trials in the averages that the ceilings are for.
    pub n_trials: f64,
    /// Draws of 50 stimuli each.
    pub draws: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// Which of several simulations with this seed it is; each has draws of its own.
    pub repeat: usize,
}

/// What the model says of one measure (RDM or profile).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceiling {
    /// Correlation of the noiseless measure with the measured one: bounds **r**. 0 where the scale is 0, as there is no
    /// signal then.
    pub ceiling: f64,
    /// Standard error of the simulation, the choice of the scale included; 0 where nothing is simulated. It does not
    /// say how well the covariances are known.
    pub error: f64,
    /// What the signal covariance was multiplied by.
    pub scale: f64,
    /// Whether the halves of the data agree better than those of the model under every scale, so that the ceiling is
    /// too low.
    pub out_of_reach: bool,
}

impl Ceiling {
    /// Where there is none.
    pub const NONE: Ceiling = Ceiling { ceiling: f64::NAN, error: f64::NAN, scale: f64::NAN, out_of_reach: false };
}

/// Ceiling of RDMs (1 - Pearson) that are compared by Pearson.
///
/// A draw has 50 signal patterns and two noise patterns for each. Under every scale of the signal it gives the
/// correlation of two halves (signal plus the noise of as many trials as in `halves`) and that of the signal with a
/// measurement (signal plus the noise of `n_trials`). The scale is the one under which the median of the former over
/// draws is that of the data (linear between scales), and the ceiling the median of the latter there.
///
/// The same draws serve both: where they agree better than others by chance, they do so in both, and the lower scale
/// makes up for it. The error is that of the whole, from a bootstrap over draws.
///
/// [`Ceiling::NONE`] for a single voxel, and where the halves have no correlation.
pub fn rdm_ceiling(gsn: &Gsn, halves: Halves, how: Simulation) -> Result<Ceiling, GsnError> {
    if gsn.mean.len() < 2 || halves.rdm.is_nan() {
        return Ok(Ceiling::NONE);
    }
    let model = Model::new(gsn, halves.n_trials as f64, how.n_trials)?;
    // Stream 0 of the seed has drawn the splits, the first one of a repeat resamples.
    let first = 1 + how.repeat as u64 * (how.draws as u64 + 1);
    let drawn: Vec<[Correlations; SCALES]> = (1..=how.draws as u64)
        .into_par_iter()
        .map(|draw| model.draw(&mut Draws::stream(how.seed, first + draw)))
        .collect();
    let all: Vec<usize> = (0..drawn.len()).collect();
    let (ceiling, scale, out_of_reach) = matched(&drawn, &all, halves.rdm);
    let mut resampling = Draws::stream(how.seed, first);
    let resampled: Vec<Vec<usize>> =
        (0..RESAMPLES).map(|_| all.iter().map(|_| resampling.below(all.len())).collect()).collect();
    let again: Vec<f64> = resampled.par_iter().map(|some| matched(&drawn, some, halves.rdm).0).collect();
    Ok(Ceiling { ceiling, error: statistics::variance(&again).sqrt(), scale, out_of_reach })
}

/// Bootstrap samples of the draws: their standard deviation is then known to 5 %.
const RESAMPLES: usize = 200;

/// Of one draw under one scale.
#[derive(Debug, Clone, Copy)]
struct Correlations {
    /// Of two halves.
    halves: f64,
    /// Of the signal with what would be measured.
    measured: f64,
}

/// Ceiling and scale by these draws, and whether the halves of the data agree better than those under any scale.
fn matched(drawn: &[[Correlations; SCALES]], which: &[usize], halves: f64) -> (f64, f64, bool) {
    let median_of = |index: usize, of: fn(&Correlations) -> f64| {
        median(&which.iter().map(|&draw| of(&drawn[draw][index])).collect::<Vec<f64>>())
    };
    let (mut below, mut low) = (0, median_of(0, |c| c.halves));
    if halves <= low {
        return (0.0, 0.0, false);
    }
    for above in 1..SCALES {
        let high = median_of(above, |c| c.halves);
        if halves <= high {
            let share = (halves - low) / (high - low);
            let [from, to] = [below, above].map(|index| median_of(index, |c| c.measured));
            return (from + share * (to - from), scale(below) + share * (scale(above) - scale(below)), false);
        }
        (below, low) = (above, high);
    }
    (median_of(below, |c| c.measured), scale(below), true)
}

/// Ceiling of the mean response over voxels, compared by Pearson.
///
/// Means of normal patterns are normal, so that nothing needs to be simulated: with signal variance s and noise
/// variance n of the mean, halves of h trials correlate by s / (s + n / h) and the signal with a measurement by the
/// root of s / (s + n / t). The scale makes the former that of the data. The ceiling then is the root of what
/// [`spearman_brown`] makes of the halves, whatever the covariances; the scale says how far these are off.
pub fn profile_ceiling(gsn: &Gsn, halves: Halves, n_trials: f64) -> Ceiling {
    let (r, h) = (halves.profile, halves.n_trials as f64);
    if r.is_nan() {
        return Ceiling::NONE;
    }
    if r <= 0.0 {
        return Ceiling { ceiling: 0.0, error: 0.0, scale: 0.0, out_of_reach: false };
    }
    // Both sums are those of the mean times the number of voxels squared.
    let scale = r / (1.0 - r) * gsn.noise.sum() / h / gsn.signal.sum();
    Ceiling { ceiling: r_max(spearman_brown(r, n_trials / h)).0, error: 0.0, scale, out_of_reach: false }
}

/// What a draw needs of the covariances.
struct Model {
    signal_root: Array2<f64>,
    noise_root: Array2<f64>,
    mean: Vec<f64>,
    /// Noise left in a half, and in what is measured, as a share of the standard deviation of one trial.
    half: f64,
    measured: f64,
}

/// Rows of a draw: the mean pattern of the signal, then signals, noises and other noises.
const MEAN: usize = 0;
const SIGNAL: usize = 1;
const NOISE: usize = SIGNAL + STIMULI;
const OTHER_NOISE: usize = NOISE + STIMULI;
const ROWS: usize = OTHER_NOISE + STIMULI;

/// Rows of noise, and how much of it.
type Noise = Option<(usize, f64)>;

impl Model {
    fn new(gsn: &Gsn, in_half: f64, in_average: f64) -> Result<Model, GsnError> {
        let (signal_root, noise_root) = rayon::join(|| root(&gsn.signal), || root(&gsn.noise));
        Ok(Model {
            signal_root: signal_root?,
            noise_root: noise_root?,
            mean: gsn.mean.to_vec(),
            half: in_half.sqrt().recip(),
            measured: in_average.sqrt().recip(),
        })
    }

    fn patterns(&self, draws: &mut Draws) -> Array2<f64> {
        let n_voxels = self.mean.len();
        let n_white = (ROWS - SIGNAL) * n_voxels;
        let white = (0..n_white.div_ceil(2)).flat_map(|_| draws.normal_pair()).take(n_white).collect();
        let white = Array2::from_shape_vec((ROWS - SIGNAL, n_voxels), white).unwrap_or_default();
        let mut patterns = self.mean.clone();
        patterns.resize(ROWS * n_voxels, 0.0);
        let (signal, noise) = patterns[n_voxels..].split_at_mut(STIMULI * n_voxels);
        plain_product(white.slice(s![..STIMULI, ..]), self.signal_root.view(), signal);
        plain_product(white.slice(s![STIMULI.., ..]), self.noise_root.view(), noise);
        Array2::from_shape_vec((ROWS, n_voxels), patterns).unwrap_or_default()
    }

    fn draw(&self, draws: &mut Draws) -> [Correlations; SCALES] {
        self.under_all_scales(self.patterns(draws))
    }

    fn under_all_scales(&self, mut patterns: Array2<f64>) -> [Correlations; SCALES] {
        centre_rows(&mut patterns);
        // All that the scales need of the patterns, taken once.
        let products = gram(patterns.view()).to_array();
        std::array::from_fn(|index| {
            let rdm = |noise: Noise| similarities(&products, scale(index), noise);
            let halves = [NOISE, OTHER_NOISE].map(|first| rdm(Some((first, self.half))));
            let measured = match index {
                // Without signal all patterns are one, and what correlates with it is rounding.
                0 => 0.0,
                _ => pearson(&rdm(None), &rdm(Some((NOISE, self.measured)))),
            };
            Correlations { halves: pearson(&halves[0], &halves[1]), measured }
        })
    }
}

/// Pearson correlations of all pairs of the patterns mean + root of scale x signal + share x noise, from the products
/// of their parts (each centred over voxels).
fn similarities(products: &Array2<f64>, scale: f64, noise: Noise) -> Vec<f64> {
    let size = scale.sqrt();
    let row = |of: usize, first: usize| products.slice(s![of, first..first + STIMULI]);
    let (mean, with_mean) = (products[(MEAN, MEAN)], row(MEAN, SIGNAL));
    // Products of the sums, row by row, from the diagonal on.
    let mut sums = Array2::<f64>::zeros((STIMULI, STIMULI));
    for (i, mut sums) in sums.rows_mut().into_iter().enumerate() {
        let signals = row(SIGNAL + i, SIGNAL);
        let own = mean + size * with_mean[i];
        for j in i..STIMULI {
            sums[j] = own + size * with_mean[j] + scale * signals[j];
        }
        if let Some((first, share)) = noise {
            let (noises, noise_with_mean) = (row(first + i, first), row(MEAN, first));
            let (signal_with, noise_with) = (row(SIGNAL + i, first), row(first + i, SIGNAL));
            for j in i..STIMULI {
                let crossed = size * (signal_with[j] + noise_with[j]) + noise_with_mean[i] + noise_with_mean[j];
                sums[j] += share * crossed + share * share * noises[j];
            }
        }
    }
    let norms: Vec<f64> = sums.diag().iter().map(|square| square.sqrt().recip()).collect();
    let mut all = Vec::with_capacity(STIMULI * (STIMULI - 1) / 2);
    for (i, sums) in sums.rows().into_iter().enumerate() {
        all.extend((i + 1..STIMULI).map(|j| sums[j] * norms[i] * norms[j]));
    }
    all
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ndarray::{Array1, array};

    /// Rows of independent standard normal numbers.
    pub fn normal(rows: usize, columns: usize, draws: &mut Draws) -> Array2<f64> {
        Array2::from_shape_simple_fn((rows, columns), || draws.normal_pair()[0])
    }

    /// Seven voxels with signal along two patterns and correlated noise, and the roots that they come from.
    pub fn known(noise: f64) -> (Gsn, Array2<f64>, Array2<f64>) {
        let mut draws = Draws::new(77);
        let signal_root = normal(2, 7, &mut draws);
        let noise_root = (Array2::<f64>::eye(7) + 0.3 * normal(7, 7, &mut draws)) * noise;
        let gsn = Gsn {
            shrinkage_noise: 1.0,
            shrinkage_signal: 1.0,
            n_iterations: 0,
            converged: true,
            ncsnr: vec![1.0; 7],
            mean: Array1::from_iter((0..7).map(|_| draws.normal_pair()[0])),
            raw_noise: noise_root.t().dot(&noise_root),
            raw_signal: signal_root.t().dot(&signal_root),
            noise: noise_root.t().dot(&noise_root),
            signal: signal_root.t().dot(&signal_root),
        };
        (gsn, signal_root, noise_root)
    }

    /// Minus Pearson of all pairs of rows, one by one.
    fn rdm(patterns: &Array2<f64>) -> Vec<f64> {
        let unit = |row: ndarray::ArrayView1<f64>| {
            let row = &row - row.sum() / row.len() as f64;
            let size = row.dot(&row).sqrt();
            row / size
        };
        let rows: Vec<Array1<f64>> = patterns.rows().into_iter().map(unit).collect();
        let pairs = (0..rows.len()).flat_map(|i| (i + 1..rows.len()).map(move |j| (i, j)));
        pairs.map(|(i, j)| -rows[i].dot(&rows[j])).collect()
    }

    /// Median over `n` plain simulations, with its standard error, of the correlation of two RDMs: of halves with the
    /// noise of `h` trials, and of the signal with averages over `t`.
    pub fn truth(known: &(Gsn, Array2<f64>, Array2<f64>), h: f64, t: f64, n: usize) -> [(f64, f64); 2] {
        let (gsn, signal_root, noise_root) = known;
        let one = |index: usize| {
            let mut draws = Draws::stream(123, index as u64);
            let signal = normal(STIMULI, 2, &mut draws).dot(signal_root) + &gsn.mean;
            let mut with_noise =
                |trials: f64| &signal + &(normal(STIMULI, 7, &mut draws).dot(noise_root) / trials.sqrt());
            let halves = pearson(&rdm(&with_noise(h)), &rdm(&with_noise(h)));
            (halves, pearson(&rdm(&signal), &rdm(&with_noise(t))))
        };
        let (halves, ceilings): (Vec<f64>, Vec<f64>) = (0..n).into_par_iter().map(one).unzip();
        // The median of nearly normal values has 1.2533 times the error of the mean.
        [halves, ceilings].map(|v| (median(&v), 1.2533 * (statistics::variance(&v) / n as f64).sqrt()))
    }

    #[test]
    fn products_of_parts_give_the_rdms_of_the_sums_under_every_scale() {
        let (gsn, ..) = known(1.5);
        let model = Model::new(&gsn, 2.0, 5.0).unwrap();
        let patterns = model.patterns(&mut Draws::new(4));
        assert_eq!(patterns.row(MEAN), gsn.mean);
        let fast = model.under_all_scales(patterns.clone());
        let part = |first: usize| patterns.slice(s![first..first + STIMULI, ..]).to_owned();
        for (index, found) in fast.iter().enumerate() {
            let signal = part(SIGNAL) * scale(index).sqrt() + &gsn.mean;
            let sum = |first: usize, trials: f64| &signal + &(part(first) / trials.sqrt());
            let halves = pearson(&rdm(&sum(NOISE, 2.0)), &rdm(&sum(OTHER_NOISE, 2.0)));
            let measured = if index == 0 { 0.0 } else { pearson(&rdm(&signal), &rdm(&sum(NOISE, 5.0))) };
            assert!((found.halves - halves).abs() < 1e-12, "{index}: {} {halves}", found.halves);
            assert!((found.measured - measured).abs() < 1e-12, "{index}: {} {measured}", found.measured);
        }
    }

    #[test]
    fn drawn_patterns_have_the_covariances_they_are_drawn_from() {
        let (gsn, ..) = known(1.0);
        let model = Model::new(&gsn, 1.0, 1.0).unwrap();
        let all: Vec<Array2<f64>> = (0..200).map(|i| model.patterns(&mut Draws::stream(5, i))).collect();
        for (first, expected) in [(SIGNAL, &gsn.signal), (NOISE, &gsn.noise), (OTHER_NOISE, &gsn.noise)] {
            let parts: Vec<_> = all.iter().map(|p| p.slice(s![first..first + STIMULI, ..])).collect();
            let rows = ndarray::concatenate(ndarray::Axis(0), &parts).unwrap();
            let found = rows.t().dot(&rows) / rows.nrows() as f64;
            // Of 10000 rows: the error of a product of normal numbers is below sqrt(2) variances / 100; five of them.
            let largest = expected.diag().iter().fold(0.0f64, |m, v| m.max(*v));
            assert!((&found - expected).iter().all(|d| d.abs() < 0.07 * largest));
        }
    }

    #[test]
    fn ceiling_of_known_covariances_is_the_true_one() {
        for (noise, h, t) in [(0.7, 1, 3.0), (1.5, 1, 2.0), (3.0, 5, 10.0)] {
            let known = known(noise);
            let [(halves, halves_error), (ceiling, error)] = truth(&known, h as f64, t, 1500);
            let how = Simulation { n_trials: t, draws: 1000, seed: 1, repeat: 0 };
            let of = |rdm: f64| rdm_ceiling(&known.0, Halves { n_trials: h, rdm, profile: 0.5 }, how).unwrap();
            let found = of(halves);
            // What the error of the true halves makes of the ceiling is part of the comparison.
            let moved = (of(halves + halves_error).ceiling - found.ceiling).abs();
            let both = (found.error.powi(2) + error.powi(2) + moved.powi(2)).sqrt();
            let off = (found.ceiling - ceiling).abs() / both;
            assert!(off < 2.0, "{noise}: true {ceiling:.4} +- {error:.4}, {found:?} is {off:.2} standard errors off");
            assert!(found.error > 0.0 && found.error < 0.01, "{noise}: {found:?}");
            assert!((found.scale - 1.0).abs() < 0.1, "{noise}: {found:?}");
        }
    }

    #[test]
    fn the_error_is_the_spread_over_seeds() {
        let (gsn, ..) = known(1.5);
        let halves = Halves { n_trials: 1, rdm: 0.3, profile: 0.5 };
        let of =
            |seed: u64| rdm_ceiling(&gsn, halves, Simulation { n_trials: 3.0, draws: 100, seed, repeat: 0 }).unwrap();
        let found: Vec<Ceiling> = (0..40).map(of).collect();
        let spread = statistics::variance(&found.iter().map(|c| c.ceiling).collect::<Vec<f64>>()).sqrt();
        let reported = statistics::mean(&found.iter().map(|c| c.error).collect::<Vec<f64>>());
        // A standard deviation of 40 is known to 11 %, and the bootstrap of a median is somewhat large.
        assert!(reported / spread > 0.75 && reported / spread < 1.5, "{reported} {spread}");
        let other = Simulation { n_trials: 3.0, draws: 100, seed: 0, repeat: 1 };
        assert_ne!(rdm_ceiling(&gsn, halves, other).unwrap(), found[0]);
    }

    #[test]
    fn halves_below_the_model_have_no_signal_and_halves_above_it_say_so() {
        let (gsn, ..) = known(1.5);
        let how = Simulation { n_trials: 3.0, draws: 50, seed: 0, repeat: 0 };
        let of = |rdm: f64| rdm_ceiling(&gsn, Halves { n_trials: 1, rdm, profile: rdm }, how).unwrap();
        assert_eq!((of(-0.2).ceiling, of(-0.2).scale), (0.0, 0.0));
        let beyond = of(0.99);
        assert!(beyond.out_of_reach && beyond.scale == 2.0 && beyond.ceiling < 0.99);
        assert!(!of(0.4).out_of_reach && of(0.3).ceiling < of(0.4).ceiling);
        assert!(of(f64::NAN).ceiling.is_nan());
    }

    #[test]
    fn profile_ceiling_is_that_of_normal_means() {
        // Sums over both covariances: signal 1 + 1 + 2 * .5 = 3, noise 2 + 2 = 4. Halves of two trials at scale 2 then
        // correlate by 6 / (6 + 2), and the signal with averages over four by the root of 6 / (6 + 1).
        let (mut gsn, ..) = known(1.0);
        (gsn.signal, gsn.noise) = (array![[1.0, 0.5], [0.5, 1.0]], array![[2.0, 0.0], [0.0, 2.0]]);
        let of = |profile: f64| profile_ceiling(&gsn, Halves { n_trials: 2, rdm: 0.0, profile }, 4.0);
        let found = of(0.75);
        assert!((found.scale - 2.0).abs() < 1e-14 && (found.ceiling - (6.0f64 / 7.0).sqrt()).abs() < 1e-15);
        assert_eq!((of(-0.1).ceiling, of(-0.1).scale), (0.0, 0.0));
        assert!(of(f64::NAN).ceiling.is_nan());
    }

    #[test]
    fn halves_by_hand() {
        // Two trials of three stimuli at two voxels: profiles of the halves 1, 2, 6 and 2, 2, 5.
        let trials = array![[0.0, 2.0], [2.0, 2.0], [4.0, 8.0], [4.0, 0.0], [1.0, 3.0], [5.0, 5.0]];
        let found = halves(trials.view(), &Repeats::by_id(&[0, 1, 2, 0, 1, 2]), 100, 0).unwrap();
        assert!((found.profile - pearson(&[1.0, 2.0, 6.0], &[2.0, 2.0, 5.0])).abs() < 1e-15);
        assert_eq!(found.n_trials, 1);
        // Stimulus 1 has no pattern over voxels in the first half.
        assert!(found.rdm.is_nan());
        assert_eq!(halves(trials.view(), &Repeats::by_id(&[0, 1, 2, 0, 1, 3]), 100, 0), None);
    }
}
