//! Ceilings of measured RDMs and profiles by simulation from the two covariances.

use linear_algebra::{gram, plain_product};
use ndarray::{Array2, ArrayView2, Axis, s};
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

/// Of one draw under one scale.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Correlations {
    /// Of two halves.
    split: f64,
    /// Of the signal with what would be measured.
    ceiling: f64,
}

/// Ceilings by simulation.
///
/// A draw has 50 signal patterns and two noise patterns for each. Under every scale of the signal it gives the
/// correlation of two halves (signal plus the noise of as many trials as in `halves`) and that of the signal with a
/// measurement (signal plus the noise of `n_trials`). The scale is the one under which the median of the former over
/// draws is nearest to `halves` (each measure has its own), and the ceiling the median of the latter.
///
/// `NaN` in `halves` gives `NaN`.
pub fn ceilings(gsn: &Gsn, halves: Halves, how: Simulation) -> Result<Ceilings, GsnError> {
    let model = Model::new(gsn, halves.n_trials as f64, how.n_trials)?;
    let first = how.repeat as u64 * how.draws as u64;
    let drawn: Vec<[[Correlations; 2]; SCALES]> = (0..how.draws as u64)
        .into_par_iter()
        // Stream 0 of the seed has drawn the splits.
        .map(|draw| model.draw(&mut Draws::stream(how.seed, first + draw + 1)))
        .collect();
    let of = |measure: usize, halves: f64| summary(&drawn, measure, halves);
    Ok(Ceilings { rdm: (gsn.mean.len() > 1).then(|| of(0, halves.rdm)), profile: of(1, halves.profile) })
}

fn summary(drawn: &[[[Correlations; 2]; SCALES]], measure: usize, halves: f64) -> Ceiling {
    if halves.is_nan() {
        return Ceiling { ceiling: f64::NAN, error: f64::NAN, scale: f64::NAN, out_of_reach: false };
    }
    let over_draws =
        |index: usize, of: fn(&Correlations) -> f64| drawn.iter().map(|d| of(&d[index][measure])).collect::<Vec<f64>>();
    let splits: Vec<f64> = (0..SCALES).map(|index| median(&over_draws(index, |c| c.split))).collect();
    let mut best = 0;
    for index in 1..SCALES {
        if (splits[index] - halves).abs() < (splits[best] - halves).abs() {
            best = index;
        }
    }
    let ceilings = over_draws(best, |c| c.ceiling);
    Ceiling {
        ceiling: median(&ceilings),
        error: error_of_median(&ceilings),
        scale: scale(best),
        out_of_reach: splits.iter().all(|&split| split < halves),
    }
}

/// Standard error of a median, from the spread of the order statistics around it, whatever the distribution (McKean
/// and Schrader 1984).
fn error_of_median(values: &[f64]) -> f64 {
    /// The 99.5th percentile of the normal distribution: theirs.
    const Z: f64 = 2.575_829_303_548_9;
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

/// Rows of a draw: signal, noise, other noise, and the mean pattern.
const SIGNAL: usize = 0;
const NOISE: usize = STIMULI;
const OTHER_NOISE: usize = 2 * STIMULI;
const MEAN: usize = 3 * STIMULI;

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

    /// 151 patterns, one below the other; the mean of the signal is the last one.
    fn patterns(&self, draws: &mut Draws) -> Array2<f64> {
        let n_voxels = self.mean.len();
        let mut white = Array2::zeros((MEAN, n_voxels));
        let mut pairs = white.as_slice_mut().unwrap_or_default().chunks_mut(2);
        // The last chunk may have one place only.
        pairs.by_ref().for_each(|pair| pair.copy_from_slice(&draws.normal_pair()[..pair.len()]));
        let mut patterns = vec![0.0; (MEAN + 1) * n_voxels];
        let (signal, rest) = patterns.split_at_mut(NOISE * n_voxels);
        let (noise, mean) = rest.split_at_mut((MEAN - NOISE) * n_voxels);
        plain_product(white.slice(s![..NOISE, ..]), self.signal_root.view(), signal);
        plain_product(white.slice(s![NOISE.., ..]), self.noise_root.view(), noise);
        mean.copy_from_slice(&self.mean);
        Array2::from_shape_vec((MEAN + 1, n_voxels), patterns).unwrap_or_default()
    }

    /// RDM and profile under every scale.
    fn draw(&self, draws: &mut Draws) -> [[Correlations; 2]; SCALES] {
        let mut patterns = self.patterns(draws);
        let means = centre_rows(&mut patterns);
        let mut products = Array2::zeros((MEAN + 1, MEAN + 1));
        if let Some(out) = products.as_slice_mut() {
            plain_product(patterns.view(), patterns.t(), out);
        }
        let mut of_scales = [[Correlations::default(); 2]; SCALES];
        for (index, of_scale) in of_scales.iter_mut().enumerate() {
            let size = scale(index).sqrt();
            let rdm = |noise: Option<(usize, f64)>| similarities(products.view(), size, noise);
            let profile = |noise: Option<(usize, f64)>| -> Vec<f64> {
                let noise_of = |i: usize| noise.map_or(0.0, |(first, share)| share * means[first + i]);
                (0..STIMULI).map(|i| size * means[SIGNAL + i] + noise_of(i)).collect()
            };
            *of_scale = [self.correlations(index, rdm), self.correlations(index, profile)];
        }
        of_scales
    }

    fn correlations(&self, index: usize, measure: impl Fn(Option<(usize, f64)>) -> Vec<f64>) -> Correlations {
        let (one, other) = (measure(Some((NOISE, self.half))), measure(Some((OTHER_NOISE, self.half))));
        let ceiling = match index {
            // Without signal all patterns are one, and what correlates with it is rounding.
            0 => 0.0,
            _ => pearson(&measure(None), &measure(Some((NOISE, self.measured)))),
        };
        Correlations { split: pearson(&one, &other), ceiling }
    }
}

/// Pearson correlations of all pairs of patterns mean + `size` signal + share x noise, from the products of their
/// parts (each centred over voxels). The products are taken once for all scales.
fn similarities(products: ArrayView2<f64>, size: f64, noise: Option<(usize, f64)>) -> Vec<f64> {
    let mean = products[(MEAN, MEAN)];
    let with_mean = products.index_axis(Axis(0), MEAN);
    let product = |i: usize, j: usize| {
        let (si, sj) = (SIGNAL + i, SIGNAL + j);
        let mut sum = mean + size * (with_mean[si] + with_mean[sj]) + size * size * products[(si, sj)];
        if let Some((first, share)) = noise {
            let (ni, nj) = (first + i, first + j);
            sum += share * (with_mean[ni] + with_mean[nj] + size * (products[(si, nj)] + products[(ni, sj)]));
            sum += share * share * products[(ni, nj)];
        }
        sum
    };
    let norms: Vec<f64> = (0..STIMULI).map(|i| product(i, i).sqrt().recip()).collect();
    let mut all = Vec::with_capacity(STIMULI * (STIMULI - 1) / 2);
    for i in 0..STIMULI {
        all.extend((i + 1..STIMULI).map(|j| product(i, j) * norms[i] * norms[j]));
    }
    all
}
