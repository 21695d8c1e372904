//! Ceilings of measured RDMs and profiles by simulation from the two covariances.

use linear_algebra::{gram, plain_product};
use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;
use statistics::{Draws, median, pearson};

use super::semidefinite::root;
use super::{Gsn, GsnError};
use crate::repeats::Repeats;
use crate::split_half::{average_occurrences, balanced_splits, presentations_to_split};

/// Stimuli in a draw, as in the authors' code: the ceiling of a correlation hardly depends on their number.
const STIMULI: usize = 50;

/// What the signal's covariance is multiplied by to make the model's halves agree as well as those of the data: 0, .1,
/// .. 2, as in the authors' code.
const SCALES: usize = 21;

fn scale(index: usize) -> f64 {
    index as f64 / 10.0
}

/// Draws that the scale is chosen by: four times as many as the authors' first look takes. Between neighbouring scales
/// the halves differ by more than the error of a median over so many.
const DRAWS_FOR_SCALE: usize = 200;

/// How well halves of the measured trials agree: medians over splits, not stepped up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Halves {
    /// Trials averaged in either half.
    pub n_trials: usize,
    /// Correlation of the RDMs (1 - Pearson) of both halves; `NaN` for a single voxel.
    pub rdm: f64,
    /// Correlation of the mean responses over voxels.
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
    Some(Halves { n_trials: shown / 2, rdm: median(&rdms), profile: median(&profiles) })
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

/// What a simulation says of one measure (RDM or profile).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceiling {
    /// Median over draws of the correlation of the noiseless measure with the measured one: bounds **r**. 0 where the
    /// scale is 0, as there is no signal then.
    pub ceiling: f64,
    /// Standard error of that median over draws. It does not say how well the covariances are known.
    pub error: f64,
    /// What the signal covariance was multiplied by.
    pub scale: f64,
    /// Whether the halves of the data agree better than those of the model under every scale, so that the ceiling is
    /// too low.
    pub out_of_reach: bool,
}

/// Ceilings of one region.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceilings {
    /// RDMs (1 - Pearson) compared by Pearson; `None` for a single voxel.
    pub rdm: Option<Ceiling>,
    /// Mean responses over voxels compared by Pearson.
    pub profile: Ceiling,
}

/// Ceilings by simulation.
///
/// A draw has 50 signal patterns and noise patterns for them. Under every scale of the signal the first draws give the
/// correlation of two halves (signal plus the noise of as many trials as in `halves`); the scale is the one under which
/// its median over draws is nearest to `halves` (each measure has its own). The ceiling is the median over all draws of
/// the correlation of the signal with a measurement (signal plus the noise of `n_trials`) under that scale.
///
/// `NaN` in `halves` gives `NaN`.
pub fn ceilings(gsn: &Gsn, halves: Halves, how: Simulation) -> Result<Ceilings, GsnError> {
    let model = Model::new(gsn, halves.n_trials as f64, how.n_trials)?;
    // Stream 0 of the seed has drawn the splits.
    let first = how.repeat as u64 * how.draws as u64 + 1;
    let draw =
        |index: usize, patterns: Patterns| model.draw(&mut Draws::stream(how.seed, first + index as u64), patterns);
    let twice: Vec<Draw> =
        (0..how.draws.min(DRAWS_FOR_SCALE)).into_par_iter().map(|index| draw(index, Patterns::TwoNoises)).collect();
    let splits: Vec<[[f64; 2]; SCALES]> = twice.par_iter().map(|draw| model.halves(draw)).collect();
    let [rdm, profile] = [(0, halves.rdm), (1, halves.profile)].map(|(measure, halves)| {
        let medians = |index: usize| median(&splits.iter().map(|split| split[index][measure]).collect::<Vec<f64>>());
        Matched::new(&(0..SCALES).map(medians).collect::<Vec<f64>>(), halves)
    });
    let of_draws: Vec<[f64; 2]> = (0..how.draws)
        .into_par_iter()
        .map(|index| match twice.get(index) {
            Some(draw) => model.measured(draw, rdm.scale, profile.scale),
            None => model.measured(&draw(index, Patterns::OneNoise), rdm.scale, profile.scale),
        })
        .collect();
    let of = |measure: usize, matched: Matched| {
        let values: Vec<f64> = of_draws.iter().map(|of_draw| of_draw[measure]).collect();
        let (ceiling, error) = (median(&values), error_of_median(&values));
        Ceiling { ceiling, error, scale: matched.scale, out_of_reach: matched.out_of_reach }
    };
    Ok(Ceilings { rdm: (gsn.mean.len() > 1).then(|| of(0, rdm)), profile: of(1, profile) })
}

#[derive(Debug, Clone, Copy)]
struct Matched {
    scale: f64,
    out_of_reach: bool,
}

impl Matched {
    /// By the medians of the model's halves under every scale, and the halves of the data.
    fn new(of_scales: &[f64], halves: f64) -> Matched {
        if halves.is_nan() {
            return Matched { scale: f64::NAN, out_of_reach: false };
        }
        let mut best = 0;
        for index in 1..of_scales.len() {
            if (of_scales[index] - halves).abs() < (of_scales[best] - halves).abs() {
                best = index;
            }
        }
        Matched { scale: scale(best), out_of_reach: of_scales.iter().all(|&split| split < halves) }
    }
}

/// Standard error of a median, from the spread of the order statistics around it, whatever the distribution (McKean
/// and Schrader 1984).
fn error_of_median(values: &[f64]) -> f64 {
    /// The 99.5th percentile of the normal distribution: theirs.
    const Z: f64 = 2.575_829_303_548_9;
    if values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    let rank = ((n as f64 + 1.0) / 2.0 - Z * (n as f64 / 4.0).sqrt()).round().max(1.0) as usize;
    if n < 2 * rank {
        return f64::NAN;
    }
    (sorted[n - rank] - sorted[rank - 1]) / (2.0 * Z)
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

#[derive(Debug, Clone, Copy, PartialEq)]
enum Patterns {
    OneNoise,
    TwoNoises,
}

/// Rows of a draw: the mean pattern of the signal, then signals, noises and, for two halves, other noises.
const MEAN: usize = 0;
const SIGNAL: usize = 1;
const NOISE: usize = SIGNAL + STIMULI;
const OTHER_NOISE: usize = NOISE + STIMULI;

/// What RDMs and profiles need of the patterns, for any scale and any number of trials.
struct Draw {
    /// Products of all patterns, each centred over voxels.
    products: Array2<f64>,
    /// Means over voxels.
    means: Vec<f64>,
}

/// Rows of noise, and how much of it.
type Noise = Option<(usize, f64)>;

impl Model {
    fn new(gsn: &Gsn, in_half: f64, in_average: f64) -> Result<Model, GsnError> {
        Ok(Model {
            signal_root: root(&gsn.signal)?,
            noise_root: root(&gsn.noise)?,
            mean: gsn.mean.to_vec(),
            half: in_half.sqrt().recip(),
            measured: in_average.sqrt().recip(),
        })
    }

    fn draw(&self, draws: &mut Draws, which: Patterns) -> Draw {
        let mut patterns = self.patterns(draws, which);
        let means = centre_rows(&mut patterns);
        let mut products = vec![0.0; patterns.nrows().pow(2)];
        plain_product(patterns.view(), patterns.t(), &mut products);
        let products = Array2::from_shape_vec((patterns.nrows(), patterns.nrows()), products).unwrap_or_default();
        Draw { products, means }
    }

    fn patterns(&self, draws: &mut Draws, which: Patterns) -> Array2<f64> {
        let n_voxels = self.mean.len();
        let n_noises = if which == Patterns::TwoNoises { 2 * STIMULI } else { STIMULI };
        // An even number whatever the voxels, and signals first, so that both kinds of draw begin alike.
        let mut white = Vec::with_capacity((STIMULI + n_noises) * n_voxels);
        while white.len() < (STIMULI + n_noises) * n_voxels {
            white.extend(draws.normal_pair());
        }
        let white = Array2::from_shape_vec((STIMULI + n_noises, n_voxels), white).unwrap_or_default();
        let mut patterns = self.mean.clone();
        patterns.resize((NOISE + n_noises) * n_voxels, 0.0);
        let (signal, noise) = patterns[n_voxels..].split_at_mut(STIMULI * n_voxels);
        plain_product(white.slice(s![..STIMULI, ..]), self.signal_root.view(), signal);
        plain_product(white.slice(s![STIMULI.., ..]), self.noise_root.view(), noise);
        Array2::from_shape_vec((NOISE + n_noises, n_voxels), patterns).unwrap_or_default()
    }

    /// Correlations of two halves under every scale: RDM and profile.
    fn halves(&self, draw: &Draw) -> [[f64; 2]; SCALES] {
        let [one, other] = [NOISE, OTHER_NOISE].map(|first| Some((first, self.half)));
        std::array::from_fn(|index| {
            let rdm = |noise: Noise| draw.similarities(scale(index), noise);
            let profile = |noise: Noise| draw.profile(scale(index), noise);
            [pearson(&rdm(one), &rdm(other)), pearson(&profile(one), &profile(other))]
        })
    }

    /// Correlations of the signal with what is measured: RDM and profile.
    fn measured(&self, draw: &Draw, rdm_scale: f64, profile_scale: f64) -> [f64; 2] {
        let noise = Some((NOISE, self.measured));
        // Without signal all patterns are one, and what correlates with it is rounding.
        let or_none = |scale: f64, of: &dyn Fn(Noise) -> Vec<f64>| match scale {
            0.0 => 0.0,
            _ => pearson(&of(None), &of(noise)),
        };
        [
            or_none(rdm_scale, &|noise| draw.similarities(rdm_scale, noise)),
            or_none(profile_scale, &|noise| draw.profile(profile_scale, noise)),
        ]
    }
}

impl Draw {
    /// Mean over voxels of every stimulus, less what all share.
    fn profile(&self, scale: f64, noise: Noise) -> Vec<f64> {
        let size = scale.sqrt();
        let noise_of = |i: usize| noise.map_or(0.0, |(first, share)| share * self.means[first + i]);
        (0..STIMULI).map(|i| size * self.means[SIGNAL + i] + noise_of(i)).collect()
    }

    /// Pearson correlations of all pairs of the patterns mean + root of scale x signal + share x noise.
    fn similarities(&self, scale: f64, noise: Noise) -> Vec<f64> {
        let size = scale.sqrt();
        let row = |of: usize, first: usize| self.products.slice(s![of, first..first + STIMULI]);
        let (mean, with_mean) = (self.products[(MEAN, MEAN)], row(MEAN, SIGNAL));
        // Products of the sums, row by row, from i on.
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
}
