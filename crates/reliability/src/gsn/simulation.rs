//! Ceilings of measured RDMs and profiles by simulation from the two covariances.

use linear_algebra::{LinearAlgebraError, SymmetricEigen, gram, plain_product, product, symmetric_eigen};
use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use statistics::{Draws, mean, median, pearson};

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

/// Pearson correlations of all pairs of rows. Two RDMs of 1 - r correlate as their r do.
fn pattern_correlations(mut patterns: Array2<f64>) -> Vec<f64> {
    let means = profile(&patterns);
    patterns.rows_mut().into_iter().zip(&means).for_each(|(mut row, mean)| row -= *mean);
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

/// Eigenvalues below this share of their mean are not drawn: together they are less than this share of the variance,
/// and what was added to a singular matrix to make it definite is less yet.
const NOT_DRAWN: f64 = 1e-9;

/// What a draw needs of the covariances.
///
/// An RDM sees patterns less their mean over voxels, and of these only their products, so that the voxels may be
/// turned. They are turned to the eigenvectors of the (centred) noise, where a pattern of noise is normal numbers times
/// standard deviations; signal takes as many normal numbers as its covariance has rank, and one product.
struct Model {
    /// Rank x voxels, turned: normal numbers times this are patterns of signal.
    signal: Array2<f64>,
    /// Standard deviations of the noise along the last of the turned voxels; along the others there is none.
    noise: Vec<f64>,
    /// Turned, too.
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

/// Of the covariance of patterns less their mean over voxels. Every eigenvector has its largest entry above 0: their
/// signs are arbitrary, and draws should not be.
fn centred_eigen(covariance: &Array2<f64>) -> Result<SymmetricEigen, LinearAlgebraError> {
    let means = profile(covariance);
    let all = mean(&means);
    let centred = Array2::from_shape_fn(covariance.dim(), |(i, j)| covariance[(i, j)] - (means[i] + means[j]) + all);
    let mut eigen = symmetric_eigen(centred.view())?;
    for mut vector in eigen.vectors.columns_mut() {
        let largest = vector.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
        if largest < 0.0 {
            vector.map_inplace(|v| *v = -*v);
        }
    }
    Ok(eigen)
}

/// The first of the ascending eigenvalues that is drawn.
fn first_drawn(eigen: &SymmetricEigen) -> usize {
    let least = NOT_DRAWN * eigen.values.sum().max(0.0) / eigen.values.len() as f64;
    eigen.values.iter().take_while(|value| **value <= least).count()
}

impl Model {
    fn new(gsn: &Gsn, in_half: f64, in_average: f64) -> Result<Model, GsnError> {
        let (signal, noise) = rayon::join(|| centred_eigen(&gsn.signal), || centred_eigen(&gsn.noise));
        let (signal, noise) = (signal?, noise?);
        let drawn = s![.., first_drawn(&signal)..];
        let sds = signal.values.slice(s![first_drawn(&signal)..]).mapv(f64::sqrt).insert_axis(Axis(1));
        let turned = product(signal.vectors.slice(drawn).t(), noise.vectors.view());
        Ok(Model {
            signal: turned * &sds,
            noise: noise.values.iter().skip(first_drawn(&noise)).map(|value| value.sqrt()).collect(),
            mean: (&gsn.mean - mean(&gsn.mean.to_vec())).dot(&noise.vectors).to_vec(),
            half: in_half.sqrt().recip(),
            measured: in_average.sqrt().recip(),
        })
    }

    fn patterns(&self, draws: &mut Draws) -> Array2<f64> {
        let n_voxels = self.mean.len();
        let rank = self.signal.nrows();
        let mut patterns = self.mean.clone();
        patterns.resize(ROWS * n_voxels, 0.0);
        let (signal, noise) = patterns[n_voxels..].split_at_mut(STIMULI * n_voxels);
        if rank > 0 {
            let mut white = Array2::zeros((STIMULI, rank));
            white.rows_mut().into_iter().filter_map(|row| row.into_slice()).for_each(|row| draws.fill_normal(row));
            plain_product(white.view(), self.signal.view(), signal);
        }
        for row in noise.chunks_mut(n_voxels) {
            let along = &mut row[n_voxels - self.noise.len()..];
            draws.fill_normal(along);
            along.iter_mut().zip(&self.noise).for_each(|(value, sd)| *value *= sd);
        }
        Array2::from_shape_vec((ROWS, n_voxels), patterns).unwrap_or_default()
    }

    fn draw(&self, draws: &mut Draws) -> [Correlations; SCALES] {
        self.under_all_scales(self.patterns(draws))
    }

    fn under_all_scales(&self, patterns: Array2<f64>) -> [Correlations; SCALES] {
        // All that the scales need of the patterns, taken once.
        let products = gram(patterns.view()).to_array();
        let signals = of_pairs(|i, j| products[(SIGNAL + i, SIGNAL + j)]);
        let [noiseless, one, other, measured] = [
            Parts::new(&products, None),
            Parts::new(&products, Some((NOISE, self.half))),
            Parts::new(&products, Some((OTHER_NOISE, self.half))),
            Parts::new(&products, Some((NOISE, self.measured))),
        ];
        let (mut a, mut b) = (signals.clone(), signals.clone());
        std::array::from_fn(|index| {
            let mut compare = |x: &Parts, y: &Parts| {
                pearson(x.similarities(scale(index), &signals, &mut a), y.similarities(scale(index), &signals, &mut b))
            };
            let measured = match index {
                // Without signal all patterns are one, and what correlates with it is rounding.
                0 => 0.0,
                _ => compare(&noiseless, &measured),
            };
            Correlations { halves: compare(&one, &other), measured }
        })
    }
}

/// Pairs of two stimuli.
const PAIRS: usize = STIMULI * (STIMULI - 1) / 2;

/// A number of every pair of two stimuli, row by row, and behind them of every stimulus with itself.
fn of_pairs(value: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let different = (0..STIMULI).flat_map(|i| (i + 1..STIMULI).map(move |j| (i, j)));
    different.chain((0..STIMULI).map(|i| (i, i))).map(|(i, j)| value(i, j)).collect()
}

/// Products of the patterns mean + root of scale x signal + share x noise, by powers of the root of the scale; that of
/// the scale itself, the products of the signals, is the same with and without noise.
struct Parts {
    constant: Vec<f64>,
    with_root: Vec<f64>,
}

impl Parts {
    /// Rows of noise, and how much of it.
    fn new(products: &Array2<f64>, noise: Option<(usize, f64)>) -> Parts {
        let (constant, with_root) = (products[(MEAN, MEAN)], products.row(MEAN));
        let with_root = |i: usize, j: usize| with_root[SIGNAL + i] + with_root[SIGNAL + j];
        let Some((first, share)) = noise else {
            return Parts { constant: of_pairs(|_, _| constant), with_root: of_pairs(with_root) };
        };
        let with_mean = products.row(MEAN);
        let of_noise = |i: usize, j: usize| {
            share * (with_mean[first + i] + with_mean[first + j]) + share * share * products[(first + i, first + j)]
        };
        let crossed = |i: usize, j: usize| products[(SIGNAL + i, first + j)] + products[(SIGNAL + j, first + i)];
        Parts {
            constant: of_pairs(|i, j| constant + of_noise(i, j)),
            with_root: of_pairs(|i, j| with_root(i, j) + share * crossed(i, j)),
        }
    }

    /// Pearson correlations of all pairs of the patterns, written over what is in `all`.
    fn similarities<'a>(&self, scale: f64, signals: &[f64], all: &'a mut [f64]) -> &'a [f64] {
        let size = scale.sqrt();
        for (((sum, constant), with_root), signal) in
            all.iter_mut().zip(&self.constant).zip(&self.with_root).zip(signals)
        {
            *sum = constant + size * with_root + scale * signal;
        }
        let (pairs, squares) = all.split_at_mut(PAIRS);
        squares.iter_mut().for_each(|square| *square = square.sqrt().recip());
        let mut rest = &mut *pairs;
        for (i, norm) in squares.iter().enumerate() {
            let (row, below) = rest.split_at_mut(STIMULI - 1 - i);
            rest = below;
            row.iter_mut().zip(&squares[i + 1..]).for_each(|(sum, other)| *sum *= norm * other);
        }
        pairs
    }
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
        let fast = model.under_all_scales(patterns.clone());
        // Back to voxels, less their mean, which an RDM takes off.
        let patterns = patterns.dot(&centred_eigen(&gsn.noise).unwrap().vectors.t());
        let centred = &gsn.mean - gsn.mean.sum() / 7.0;
        assert!((&patterns.row(MEAN) - &centred).iter().all(|d| d.abs() < 1e-14));
        let part = |first: usize| patterns.slice(s![first..first + STIMULI, ..]).to_owned();
        for (index, found) in fast.iter().enumerate() {
            let signal = part(SIGNAL) * scale(index).sqrt() + patterns.row(MEAN);
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
        assert_eq!((model.signal.nrows(), model.noise.len()), (2, 6));
        let turn = centred_eigen(&gsn.noise).unwrap().vectors;
        let centre = Array2::<f64>::eye(7) - 1.0 / 7.0;
        let [signal, noise] = [&gsn.signal, &gsn.noise].map(|covariance| centre.dot(covariance).dot(&centre));
        for (first, expected) in [(SIGNAL, &signal), (NOISE, &noise), (OTHER_NOISE, &noise)] {
            let parts: Vec<_> = all.iter().map(|p| p.slice(s![first..first + STIMULI, ..])).collect();
            let rows = ndarray::concatenate(ndarray::Axis(0), &parts).unwrap();
            let rows = rows.dot(&turn.t());
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
