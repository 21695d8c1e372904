use linear_algebra::{LinearAlgebraError, Real};
use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use statistics::{Folds, Reason, mean, median};

use crate::alphas::AlphaGrid;
use crate::rotation::Rotation;
use crate::scaling::Scaling;

/// Voxels whose targets, predictions and residuals are held at once by one thread.
const VOXELS: usize = 256;

/// Why a ridge model cannot be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RidgeError {
    /// Features and responses are not of the same stimuli.
    #[error(
        "{features} rows of features, but {responses} of responses; both need one row per stimulus, in the same order"
    )]
    RowsDiffer {
        /// Rows of the features.
        features: usize,
        /// Rows of the responses.
        responses: usize,
    },
    /// A feature is NaN or infinite.
    #[error(
        "the features have {value} in row {row}, column {column}; a model needs finite features (drop the column or the row)"
    )]
    FeatureNotFinite {
        /// Row of the first such value, from 0.
        row: usize,
        /// Its column, from 0.
        column: usize,
        /// The value.
        value: f64,
    },
    /// Not one fold number per row.
    #[error("{folds} fold numbers for {rows} rows")]
    FoldCount {
        /// Fold numbers given.
        folds: usize,
        /// Rows of the features.
        rows: usize,
    },
    /// Too few rows to train on.
    #[error("{rows} training rows{}; a penalty can be chosen from at least {needed}", in_fold(.fold))]
    TooFewRows {
        /// The outer fold, from 0, unless all rows are trained on.
        fold: Option<usize>,
        /// Rows there are.
        rows: usize,
        /// Rows needed.
        needed: usize,
    },
    /// The training rows lie in fewer than two inner folds.
    #[error("the training rows{} lie in {n_folds} inner fold; choosing a penalty needs at least 2", in_fold(.fold))]
    TooFewInnerFolds {
        /// The outer fold, from 0, unless all rows are trained on.
        fold: Option<usize>,
        /// Inner folds with training rows.
        n_folds: usize,
    },
    /// The features could not be decomposed.
    #[error(transparent)]
    LinearAlgebra(#[from] LinearAlgebraError),
}

fn in_fold(fold: &Option<usize>) -> String {
    fold.map_or_else(String::new, |fold| format!(" of fold {fold}"))
}

/// How a penalty is judged inside the training rows. The sum of squared errors decides in both cases; of two
/// equal sums the larger penalty wins.
#[derive(Debug, Clone, PartialEq)]
pub enum Inner {
    /// Every training row is left out once, in closed form from one decomposition. Only where no stimulus occurs
    /// twice: a repeat left in would tell the model the answer. The scaling is that of all training rows.
    LeaveOneOut,
    /// One fold number per row of *all* features (those of test rows are not looked at); each inner fold learns
    /// its own scaling. The outer folds themselves will do: every training fold is then held out once.
    Folds(Folds),
}

/// How ridge models are fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct RidgeOptions {
    /// What is done to the features; learned on training rows only.
    pub scaling: Scaling,
    /// The penalties to choose from, per voxel.
    pub alphas: AlphaGrid,
    /// How they are judged.
    pub inner: Inner,
}

/// The penalties that were chosen on one training set, one per voxel.
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenAlphas {
    /// Index into the factors of the [`AlphaGrid`].
    pub index: Vec<usize>,
    /// The penalty itself, factor times scale.
    pub alpha: Vec<f64>,
    /// Whether the choice is the lowest or the highest of the grid.
    pub at_edge: Vec<bool>,
}

/// Predictions of rows by models that have not seen them.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossValidated {
    /// `n x n_voxels`, in the order of the rows given; a voxel that cannot be fitted is `NaN`.
    pub predictions: Array2<f64>,
    /// The choices of each outer fold.
    pub folds: Vec<ChosenAlphas>,
    /// Why a voxel cannot be fitted.
    pub reasons: Vec<Option<Reason>>,
    /// Whether the training rows (fewer than features), not the features, were decomposed.
    pub dual: bool,
    /// Largest number of feature columns that were constant in a training set and got weight 0.
    pub n_constant: usize,
}

impl CrossValidated {
    /// The median penalty over the outer folds, one per voxel; `NaN` where there is no fit.
    pub fn median_alpha(&self) -> Vec<f64> {
        let of_voxel = |voxel: usize| match self.reasons[voxel] {
            Some(_) => f64::NAN,
            None => median(&self.folds.iter().map(|fold| fold.alpha[voxel]).collect::<Vec<f64>>()),
        };
        (0..self.reasons.len()).map(of_voxel).collect()
    }

    /// Whether the choice of any outer fold sits on the edge of the grid, one per voxel; false where there is no fit.
    pub fn alpha_at_edge(&self) -> Vec<bool> {
        let of_voxel = |v: usize| self.reasons[v].is_none() && self.folds.iter().any(|fold| fold.at_edge[v]);
        (0..self.reasons.len()).map(of_voxel).collect()
    }
}

/// A fitted model of all rows, in the features' own units.
#[derive(Debug, Clone, PartialEq)]
pub struct RidgeModel {
    /// `p x n_voxels`; `NaN` for voxels that could not be fitted, 0 for features that were constant.
    pub weights: Array2<f64>,
    /// Mean of every feature over the training rows.
    pub feature_mean: Vec<f64>,
    /// Mean of every voxel over the training rows.
    pub response_mean: Vec<f64>,
    /// The penalties.
    pub chosen: ChosenAlphas,
    /// Why a voxel could not be fitted.
    pub reasons: Vec<Option<Reason>>,
}

impl RidgeModel {
    /// What the model predicts where every feature is 0, one per voxel.
    pub fn intercept(&self) -> Vec<f64> {
        let voxels = self.weights.columns().into_iter().zip(&self.response_mean);
        voxels.map(|(w, mean)| mean - w.iter().zip(&self.feature_mean).map(|(w, m)| w * m).sum::<f64>()).collect()
    }
}

/// Predicts every row by a ridge model trained on the other outer folds, with one penalty per voxel that was
/// chosen inside those folds.
///
/// `x` is `n x p`, `y` is `n x n_voxels`. Minimizes `|y - b - X w|^2 + alpha |w|^2` for each voxel; the intercept
/// `b` is not penalized. Means, scaling and penalties are learned on training rows only. The features of a
/// training set are decomposed once, on the smaller side, and no `p x n_voxels` weights are formed. Everything is
/// solved in `f64`; where there are at least as many features as training rows, the products of `f32` features
/// are `f32`.
///
/// Features must be finite. A voxel with `NaN` or infinity in any row (`nan_input`) or a constant one (`constant`)
/// is `NaN` throughout, and changes no other. `fold_done` is called after every outer fold, from any thread.
pub fn cross_validate<T: Real, U: Real>(
    x: ArrayView2<T>,
    y: ArrayView2<U>,
    outer: &Folds,
    options: &RidgeOptions,
    fold_done: impl Fn() + Sync,
) -> Result<CrossValidated, RidgeError> {
    check(x, y, options)?;
    check_folds(outer, x.nrows())?;
    let reasons = unusable_voxels(y);
    type Fit = (Vec<usize>, Rotation, ChosenAlphas, Array2<f64>);
    let results: Vec<Result<Fit, RidgeError>> = (0..outer.n_folds)
        .into_par_iter()
        .map(|fold| {
            let (train, test) = (outer.train_rows(fold), outer.test_rows(fold));
            let (rotation, chosen) = choose(x, y, &train, &test, options, Some(fold))?;
            let predictions = predict_others(&rotation, y, &train, &chosen.alpha);
            fold_done();
            Ok((test, rotation, chosen, predictions))
        })
        .collect();
    // The error of the first fold, not of the first thread that fails: messages do not depend on threads either.
    let fits = results.into_iter().collect::<Result<Vec<Fit>, RidgeError>>()?;
    let mut all = Array2::from_elem(y.dim(), f64::NAN);
    for (test, _, _, predictions) in &fits {
        for (&row, values) in test.iter().zip(predictions.rows()) {
            all.row_mut(row).assign(&values);
        }
    }
    for (mut column, reason) in all.columns_mut().into_iter().zip(&reasons) {
        if reason.is_some() {
            column.fill(f64::NAN);
        }
    }
    Ok(CrossValidated {
        predictions: all,
        reasons,
        dual: fits.iter().any(|(_, rotation, ..)| rotation.is_dual()),
        n_constant: fits.iter().map(|(_, rotation, ..)| rotation.scaling().n_constant()).max().unwrap_or(0),
        folds: fits.into_iter().map(|(_, _, chosen, _)| chosen).collect(),
    })
}

/// Fits one model per voxel to all rows, with weights for saving (`p x n_voxels` in `f64`). See [`cross_validate`].
pub fn fit<T: Real, U: Real>(
    x: ArrayView2<T>,
    y: ArrayView2<U>,
    options: &RidgeOptions,
) -> Result<RidgeModel, RidgeError> {
    check(x, y, options)?;
    let train: Vec<usize> = (0..x.nrows()).collect();
    let (rotation, chosen) = choose(x, y, &train, &[], options, None)?;
    let mut weights = Array2::zeros((x.ncols(), y.ncols()));
    let mut response_mean = Vec::with_capacity(y.ncols());
    for start in (0..y.ncols()).step_by(VOXELS) {
        let end = (start + VOXELS).min(y.ncols());
        let targets = Targets::new(y.slice(s![.., start..end]), &train);
        let shrunk = rotation.shrink(&rotation.coordinates(targets.centred.view()), &chosen.alpha[start..end]);
        weights.slice_mut(s![.., start..end]).assign(&rotation.weights(x, &train, shrunk.view()));
        response_mean.extend(targets.mean);
    }
    let reasons = unusable_voxels(y);
    for (voxel, _) in reasons.iter().enumerate().filter(|(_, reason)| reason.is_some()) {
        weights.column_mut(voxel).fill(f64::NAN);
    }
    Ok(RidgeModel { weights, feature_mean: rotation.scaling().mean.clone(), response_mean, chosen, reasons })
}

fn check<T: Real, U: Real>(x: ArrayView2<T>, y: ArrayView2<U>, options: &RidgeOptions) -> Result<(), RidgeError> {
    if x.nrows() != y.nrows() {
        return Err(RidgeError::RowsDiffer { features: x.nrows(), responses: y.nrows() });
    }
    let broken = x.indexed_iter().find(|(_, value)| !value.to_f64().is_finite());
    if let Some(((row, column), value)) = broken {
        return Err(RidgeError::FeatureNotFinite { row, column, value: value.to_f64() });
    }
    match &options.inner {
        Inner::Folds(folds) => check_folds(folds, x.nrows()),
        Inner::LeaveOneOut => Ok(()),
    }
}

fn check_folds(folds: &Folds, rows: usize) -> Result<(), RidgeError> {
    let given = folds.fold_of_row.len();
    if given == rows { Ok(()) } else { Err(RidgeError::FoldCount { folds: given, rows }) }
}

/// `None` for the voxels that can be fitted.
fn unusable_voxels<U: Real>(y: ArrayView2<U>) -> Vec<Option<Reason>> {
    let reason = |voxel: usize| Reason::of(&y.column(voxel).iter().map(|v| v.to_f64()).collect::<Vec<f64>>());
    (0..y.ncols()).into_par_iter().map(reason).collect()
}

/// The targets of some voxels on some rows, minus their means over those rows.
struct Targets {
    centred: Array2<f64>,
    mean: Vec<f64>,
}

impl Targets {
    fn new<U: Real>(y: ArrayView2<U>, rows: &[usize]) -> Targets {
        let mut centred = Array2::from_shape_fn((rows.len(), y.ncols()), |(i, v)| y[(rows[i], v)].to_f64());
        let mean = centred
            .columns_mut()
            .into_iter()
            .map(|mut column| {
                let centre = mean(&column.to_vec());
                column -= centre;
                centre
            })
            .collect();
        Targets { centred, mean }
    }
}

/// Runs `work` on every block of voxels of `y` and puts the results (`any x n_voxels_of_block`) side by side.
fn by_voxels<U: Real>(
    y: ArrayView2<U>,
    rows: usize,
    work: impl Fn(usize, ArrayView2<U>) -> Array2<f64> + Sync,
) -> Array2<f64> {
    let mut all = Array2::zeros((rows, y.ncols()));
    let blocks: Vec<_> = all.axis_chunks_iter_mut(Axis(1), VOXELS).zip(y.axis_chunks_iter(Axis(1), VOXELS)).collect();
    blocks.into_par_iter().enumerate().for_each(|(block, (mut out, y))| out.assign(&work(block * VOXELS, y)));
    all
}

/// Predictions for the rotation's other rows, one penalty per voxel.
fn predict_others<U: Real>(rotation: &Rotation, y: ArrayView2<U>, train: &[usize], alphas: &[f64]) -> Array2<f64> {
    by_voxels(y, rotation.n_others(), |start, y| {
        let targets = Targets::new(y, train);
        let coordinates = rotation.coordinates(targets.centred.view());
        let shrunk = rotation.shrink(&coordinates, &alphas[start..start + y.ncols()]);
        let mut predictions = rotation.predict_others(shrunk.view());
        for (mut column, mean) in predictions.columns_mut().into_iter().zip(targets.mean) {
            column += mean;
        }
        predictions
    })
}

/// The rotation of the training rows and the penalty of every voxel.
fn choose<T: Real, U: Real>(
    x: ArrayView2<T>,
    y: ArrayView2<U>,
    train: &[usize],
    test: &[usize],
    options: &RidgeOptions,
    fold: Option<usize>,
) -> Result<(Rotation, ChosenAlphas), RidgeError> {
    // Three rows: one left out, and two that can differ.
    if train.len() < 3 {
        return Err(RidgeError::TooFewRows { fold, rows: train.len(), needed: 3 });
    }
    let factors = options.alphas.factors();
    let rotation = Rotation::learn(x, train, test, options.scaling)?;
    // The scale of all training rows, so that an inner fold judges the very penalties that may be used.
    let alphas: Vec<f64> = factors.iter().map(|factor| factor * rotation.alpha_scale).collect();
    let errors = match &options.inner {
        _ if factors.len() == 1 => Array2::zeros((1, y.ncols())),
        Inner::LeaveOneOut => leave_one_out_errors(&rotation, y, train, &alphas),
        Inner::Folds(folds) => {
            let of_row = |row: &usize| folds.fold_of_row[*row];
            let mut used: Vec<usize> = train.iter().map(of_row).collect();
            used.sort_unstable();
            used.dedup();
            if used.len() < 2 {
                return Err(RidgeError::TooFewInnerFolds { fold, n_folds: used.len() });
            }
            let mut sum = Array2::zeros((factors.len(), y.ncols()));
            for inner in used {
                let (held_out, kept): (Vec<usize>, Vec<usize>) = train.iter().partition(|row| of_row(row) == inner);
                if kept.len() < 2 {
                    return Err(RidgeError::TooFewRows { fold, rows: train.len(), needed: held_out.len() + 2 });
                }
                let rotation = Rotation::learn(x, &kept, &held_out, options.scaling)?;
                sum += &held_out_errors(&rotation, y, &kept, &held_out, &alphas);
            }
            sum
        }
    };
    let index: Vec<usize> = errors.columns().into_iter().map(|column| smallest(column.iter().copied())).collect();
    let chosen = ChosenAlphas {
        alpha: index.iter().map(|&i| alphas[i]).collect(),
        at_edge: index.iter().map(|&i| options.alphas.at_edge(i)).collect(),
        index,
    };
    Ok((rotation, chosen))
}

/// Index of the smallest error, the last of equal ones; `NaN` is never the smallest.
fn smallest(errors: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::INFINITY);
    for (index, error) in errors.enumerate() {
        if error <= best.1 {
            best = (index, error);
        }
    }
    best.0
}

/// Sum of squared leave-one-out residuals, `n_alphas x n_voxels`.
fn leave_one_out_errors<U: Real>(
    rotation: &Rotation,
    y: ArrayView2<U>,
    train: &[usize],
    alphas: &[f64],
) -> Array2<f64> {
    let left_over: Vec<_> = alphas.par_iter().map(|&alpha| rotation.left_over(alpha)).collect();
    by_voxels(y, alphas.len(), |_, y| {
        let targets = Targets::new(y, train);
        let centred = targets.centred.view();
        let coordinates = rotation.coordinates(centred);
        let mut errors = Array2::zeros((alphas.len(), y.ncols()));
        for (i, mut errors) in errors.rows_mut().into_iter().enumerate() {
            let residuals = rotation.leave_one_out_residuals(centred, &coordinates, alphas[i], &left_over[i]);
            errors.assign(&residuals.mapv(|r| r * r).sum_axis(Axis(0)));
        }
        errors
    })
}

/// Sum of squared errors of the predicted held-out rows, `n_alphas x n_voxels`.
fn held_out_errors<U: Real>(
    rotation: &Rotation,
    y: ArrayView2<U>,
    kept: &[usize],
    held_out: &[usize],
    alphas: &[f64],
) -> Array2<f64> {
    by_voxels(y, alphas.len(), |_, y| {
        let targets = Targets::new(y, kept);
        let coordinates = rotation.coordinates(targets.centred.view());
        let truth =
            Array2::from_shape_fn((held_out.len(), y.ncols()), |(i, v)| y[(held_out[i], v)].to_f64() - targets.mean[v]);
        let mut errors = Array2::zeros((alphas.len(), y.ncols()));
        for (mut errors, &alpha) in errors.rows_mut().into_iter().zip(alphas) {
            let shrunk = rotation.shrink(&coordinates, &vec![alpha; y.ncols()]);
            let mut residuals = rotation.predict_others(shrunk.view());
            residuals -= &truth;
            errors.assign(&residuals.mapv(|r| r * r).sum_axis(Axis(0)));
        }
        errors
    })
}

#[cfg(test)]
mod tests;
