use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;
use statistics::{z_of_f, z_of_t};

use crate::packed;

/// A variance below this is taken as this, as in nilearn (`DEF_TINY`).
const LEAST_VARIANCE: f64 = 1e-50;

/// What a run counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighting {
    /// All the same: the mean of the effects.
    Equal,
    /// By the inverse of its variance, voxel by voxel.
    Precision,
}

/// What is asked of a contrast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// Whether the effect of one row is above 0.
    T,
    /// Whether the effect of any row is not 0.
    F,
}

/// One contrast over several runs, for all voxels.
///
/// With equal weights effect = mean of the effects, covariance = sum of the covariances / runs^2; with precision
/// weights covariance = (sum of inverses)^-1, effect = covariance x sum of (inverse x effect). Degrees of freedom add
/// up. An F contrast is kept with its whole covariance: nilearn adds up effects that each run has whitened by itself,
/// which is the same only where the runs share a design.
#[derive(Debug, Clone)]
pub struct FixedEffects {
    weighting: Weighting,
    n_rows: usize,
    n_runs: usize,
    df: f64,
    effects: Array2<f64>,
    covariances: Array2<f64>,
}

/// The statistics of a contrast, voxel by voxel.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// `rows x n_voxels`.
    pub effects: Array2<f64>,
    /// Variance of the effect of a t contrast; of an F contrast empty.
    pub variance: Vec<f64>,
    /// t, or F.
    pub statistic: Vec<f64>,
    /// The normal deviate with the same upper tail.
    pub z: Vec<f64>,
    /// Rows of the contrast: the first degrees of freedom of F.
    pub n_rows: usize,
    /// Degrees of freedom of the noise.
    pub df: f64,
}

impl FixedEffects {
    /// No run yet.
    pub fn new(n_rows: usize, n_voxels: usize, weighting: Weighting) -> FixedEffects {
        let (effects, covariances) =
            (Array2::zeros((n_rows, n_voxels)), Array2::zeros((packed::size(n_rows), n_voxels)));
        FixedEffects { weighting, n_rows, n_runs: 0, df: 0.0, effects, covariances }
    }

    /// Another run, with its degrees of freedom, begins.
    pub fn next_run(&mut self, df: f64) {
        self.n_runs += 1;
        self.df += df;
    }

    /// Adds what the current run says of some voxels (see [`crate::Fit`]).
    pub fn add(&mut self, voxels: Range<usize>, effects: ArrayView2<f64>, covariances: ArrayView2<f64>) {
        let mut to_effects = self.effects.slice_mut(s![.., voxels.clone()]);
        let mut to_covariances = self.covariances.slice_mut(s![.., voxels.clone()]);
        if self.weighting == Weighting::Equal {
            to_effects += &effects;
            to_covariances += &covariances;
            return;
        }
        for k in 0..voxels.len() {
            let weights = packed::inverse(&floored(covariances.column(k).to_vec(), self.n_rows), self.n_rows);
            let weighted = packed::times(&weights, &effects.column(k).to_vec());
            to_effects.column_mut(k).iter_mut().zip(weighted).for_each(|(to, value)| *to += value);
            to_covariances.column_mut(k).iter_mut().zip(weights).for_each(|(to, value)| *to += value);
        }
    }

    /// The statistics over the runs so far.
    ///
    /// # Panics
    /// When a t is asked of several rows.
    pub fn statistics(self, test: Test) -> Statistics {
        assert!(test == Test::F || self.n_rows == 1, "a t contrast has one row, not {}", self.n_rows);
        let (n_rows, n, df) = (self.n_rows, self.n_runs as f64, self.df);
        let (mut effects, mut covariances) = (self.effects, self.covariances);
        match self.weighting {
            Weighting::Equal => {
                effects /= n;
                covariances /= n * n;
            }
            Weighting::Precision => {
                for k in 0..effects.ncols() {
                    let covariance = packed::inverse(&covariances.column(k).to_vec(), n_rows);
                    let pooled = packed::times(&covariance, &effects.column(k).to_vec());
                    effects.column_mut(k).iter_mut().zip(pooled).for_each(|(to, value)| *to = value);
                    covariances.column_mut(k).iter_mut().zip(covariance).for_each(|(to, value)| *to = value);
                }
            }
        }
        let both = |k: usize| -> (f64, f64) {
            if test == Test::T {
                let variance = covariances[(0, k)];
                let t = effects[(0, k)] / if variance < LEAST_VARIANCE { LEAST_VARIANCE } else { variance }.sqrt();
                return (t, z_of_t(t, df));
            }
            let covariance = floored(covariances.column(k).to_vec(), n_rows);
            let f = packed::quadratic(&covariance, &effects.column(k).to_vec()) / n_rows as f64;
            (f, z_of_f(f, n_rows, df))
        };
        let (statistic, z) = (0..effects.ncols()).into_par_iter().map(both).unzip();
        let variance = if test == Test::T { covariances.row(0).to_vec() } else { Vec::new() };
        Statistics { effects, variance, statistic, z, n_rows, df }
    }
}

/// The same with a floor under its diagonal.
fn floored(mut covariance: Vec<f64>, order: usize) -> Vec<f64> {
    for i in 0..order {
        let variance = &mut covariance[packed::size(i) + i];
        if *variance < LEAST_VARIANCE {
            *variance = LEAST_VARIANCE;
        }
    }
    covariance
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_run_given_twice_doubles_what_is_known() {
        let (effects, covariances) = (array![[2.0, -1.0], [1.0, 0.5]], array![[4.0, 1.0], [1.0, 0.2], [2.0, 3.0]]);
        for weighting in [Weighting::Equal, Weighting::Precision] {
            let of = |n: usize, rows: usize| {
                let mut pooled = FixedEffects::new(rows, 2, weighting);
                for _ in 0..n {
                    pooled.next_run(20.0);
                    pooled.add(0..2, effects.slice(s![..rows, ..]), covariances.slice(s![..packed::size(rows), ..]));
                }
                pooled.statistics(if rows == 1 { Test::T } else { Test::F })
            };
            let (once, twice) = (of(1, 1), of(2, 1));
            assert_eq!((once.df, twice.df), (20.0, 40.0));
            for k in 0..2 {
                assert!((twice.statistic[k] / once.statistic[k] - 2f64.sqrt()).abs() < 1e-14);
                assert!((twice.effects[(0, k)] - once.effects[(0, k)]).abs() < 1e-15);
            }
            assert!((once.statistic[0] - 1.0).abs() < 1e-15);
            let (once, twice) = (of(1, 2), of(2, 2));
            for k in 0..2 {
                assert!((twice.statistic[k] / once.statistic[k] - 2.0).abs() < 1e-13);
            }
            // (2, 1) [[4, 1], [1, 2]]^-1 (2, 1)' = (8 - 4 + 4) / 7
            assert!((once.statistic[0] - 8.0 / 7.0 / 2.0).abs() < 1e-14);
        }
    }

    #[test]
    fn precision_weights_prefer_the_quiet_run() {
        let mut pooled = FixedEffects::new(1, 1, Weighting::Precision);
        for (effect, variance) in [(1.0, 1.0), (4.0, 0.5)] {
            pooled.next_run(10.0);
            pooled.add(0..1, array![[effect]].view(), array![[variance]].view());
        }
        let one = pooled.clone().statistics(Test::F);
        let pooled = pooled.statistics(Test::T);
        assert!((one.statistic[0] - pooled.statistic[0].powi(2)).abs() < 1e-13);
        // (1 + 2 * 4) / 3; 1 / 3
        assert!((pooled.effects[(0, 0)] - 3.0).abs() < 1e-15 && (pooled.variance[0] - 1.0 / 3.0).abs() < 1e-15);
    }
}
