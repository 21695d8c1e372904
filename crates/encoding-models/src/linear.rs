//! What the methods beside ridge have in common: how features and responses enter, and the model that comes out.

use linear_algebra::{LinearAlgebraError, Real, product};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use statistics::{Reason, mean};

use crate::error::RidgeError;
use crate::scaling::{ColumnScaling, Scaling};

/// Why a linear model cannot be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// What ridge refuses too.
    #[error(transparent)]
    Ridge(#[from] RidgeError),
    /// Too few rows to train on.
    #[error("{rows} training rows; this model needs at least {needed}")]
    TooFewRows {
        /// Rows there are.
        rows: usize,
        /// Rows needed.
        needed: usize,
    },
    /// Nothing is left to train on, or nothing to judge by.
    #[error("the training rows lie in {0} fold; choosing a penalty needs at least 2")]
    TooFewFolds(usize),
    /// A penalty must be a finite number that is not below 0.
    #[error("{0} is no penalty; it has to be 0 or above and finite")]
    NotAPenalty(f64),
    /// Not one penalty per voxel, or none to choose from.
    #[error("{penalties} penalties for {voxels} voxels")]
    PenaltyCount {
        /// Penalties given.
        penalties: usize,
        /// Voxels there are.
        voxels: usize,
    },
    /// The features, or what the responses share with them, do not have that many dimensions.
    #[error("{asked} components asked for, but features and responses share {rank}; ask for at most {rank}")]
    TooManyComponents {
        /// What was asked for.
        asked: usize,
        /// What there is.
        rank: usize,
    },
    /// The features could not be decomposed.
    #[error(transparent)]
    LinearAlgebra(#[from] LinearAlgebraError),
}

/// What is done to features and responses before the fit; learned on the rows of the fit alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preparation {
    /// Whether features are divided by their standard deviation (without an intercept: by their root mean square).
    pub scaling: Scaling,
    /// Whether there is an intercept: means are taken out of features and responses. Without it both are taken as
    /// they are, and a constant feature is a feature.
    pub intercept: bool,
}

/// Centred and scaled features, with an intercept.
impl Default for Preparation {
    fn default() -> Preparation {
        Preparation { scaling: Scaling::Standardize, intercept: true }
    }
}

/// A fitted model in the features' and responses' own units.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearModel {
    /// `p x v`; `NaN` for voxels that could not be fitted, 0 for features that were constant.
    pub weights: Array2<f64>,
    /// What the model predicts where every feature is 0, one per voxel.
    pub intercept: Vec<f64>,
    /// Why a voxel could not be fitted.
    pub reasons: Vec<Option<Reason>>,
    /// Feature columns that were constant in the training rows and got weight 0.
    pub n_constant: usize,
}

impl LinearModel {
    /// Predictions for the rows of `x` (`n x p`), `n x v`.
    ///
    /// # Panics
    /// When `x` has another number of columns than the model has features.
    pub fn predict<T: Real>(&self, x: ArrayView2<T>) -> Array2<f64> {
        let mut predictions = product(x.mapv(|v| v.to_f64()).view(), self.weights.view());
        for (mut column, intercept) in predictions.columns_mut().into_iter().zip(&self.intercept) {
            column += *intercept;
        }
        predictions
    }
}

/// The features of a fit, ready for products.
#[derive(Debug, Clone)]
pub(crate) struct Predictors {
    /// `n x p`, centred and scaled; a constant column is 0.
    pub values: Array2<f64>,
    pub scaling: ColumnScaling,
    pub preparation: Preparation,
}

impl Predictors {
    pub fn learn<T: Real>(x: ArrayView2<T>, preparation: Preparation) -> Result<Predictors, FitError> {
        let broken = x.indexed_iter().find(|(_, value)| !value.to_f64().is_finite());
        if let Some(((row, column), value)) = broken {
            return Err(RidgeError::FeatureNotFinite { row, column, value: value.to_f64() }.into());
        }
        if x.nrows() < 2 {
            return Err(FitError::TooFewRows { rows: x.nrows(), needed: 2 });
        }
        let rows: Vec<usize> = (0..x.nrows()).collect();
        let scaling = learn_scaling(x, &rows, preparation);
        Ok(Predictors { values: scaling.apply(x, &rows, 0..x.ncols()), scaling, preparation })
    }

    /// The model of weights of the scaled features (`p x v`).
    pub fn model(&self, mut weights: Array2<f64>, responses: Responses) -> LinearModel {
        for (mut row, divisor) in weights.rows_mut().into_iter().zip(&self.scaling.divisor) {
            if *divisor == 0.0 {
                row.fill(0.0);
            } else {
                row /= *divisor;
            }
        }
        let mut intercept = responses.mean;
        for (row, mean) in weights.rows().into_iter().zip(&self.scaling.mean) {
            intercept.iter_mut().zip(row).for_each(|(b, w)| *b -= mean * w);
        }
        for (voxel, _) in responses.reasons.iter().enumerate().filter(|(_, reason)| reason.is_some()) {
            weights.column_mut(voxel).fill(f64::NAN);
            intercept[voxel] = f64::NAN;
        }
        LinearModel { weights, intercept, reasons: responses.reasons, n_constant: self.scaling.n_constant() }
    }
}

/// Means and divisors of these rows.
pub(crate) fn learn_scaling<T: Real>(x: ArrayView2<T>, rows: &[usize], preparation: Preparation) -> ColumnScaling {
    ColumnScaling::learn_weighted(x, rows, preparation.scaling, preparation.intercept, None)
}

/// The responses of a fit, ready for products.
#[derive(Debug, Clone)]
pub(crate) struct Responses {
    /// `n x v`, centred; 0 for voxels that cannot be fitted, so that they change nothing where voxels meet.
    pub values: Array2<f64>,
    pub mean: Vec<f64>,
    pub reasons: Vec<Option<Reason>>,
}

impl Responses {
    pub fn learn<U: Real>(y: ArrayView2<U>, features: &Predictors) -> Result<Responses, FitError> {
        if y.nrows() != features.values.nrows() {
            return Err(RidgeError::RowsDiffer { features: features.values.nrows(), responses: y.nrows() }.into());
        }
        let columns: Vec<(Vec<f64>, f64, Option<Reason>)> = (0..y.ncols())
            .into_par_iter()
            .map(|voxel| {
                let mut values: Vec<f64> = y.column(voxel).iter().map(|v| v.to_f64()).collect();
                let reason = Reason::of(&values);
                if reason.is_some() {
                    return (vec![0.0; values.len()], f64::NAN, reason);
                }
                let centre = if features.preparation.intercept { mean(&values) } else { 0.0 };
                values.iter_mut().for_each(|v| *v -= centre);
                (values, centre, None)
            })
            .collect();
        let mut values = Array2::zeros(y.dim());
        for (mut out, (column, ..)) in values.columns_mut().into_iter().zip(&columns) {
            out.iter_mut().zip(column).for_each(|(out, v)| *out = *v);
        }
        let (mean, reasons) = columns.into_iter().map(|(_, mean, reason)| (mean, reason)).unzip();
        Ok(Responses { values, mean, reasons })
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use ndarray::Array2;

    /// Uniform noise between -1/2 and 1/2, the same for the same seed.
    pub fn noise(n: usize, p: usize, seed: u64) -> Array2<f64> {
        let mut state = seed;
        Array2::from_shape_simple_fn((n, p), || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        })
    }

    pub fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
    }

    #[track_caller]
    pub fn assert_close(a: &Array2<f64>, b: &Array2<f64>, tolerance: f64) {
        assert_eq!(a.dim(), b.dim());
        for ((place, a), b) in a.indexed_iter().zip(b) {
            assert!((a - b).abs() <= tolerance || (a.is_nan() && b.is_nan()), "{place:?}: {a} {b}");
        }
    }
}
