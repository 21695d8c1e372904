use linear_algebra::Real;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use statistics::{Folds, Reason, median};

use crate::alphas::AlphaGrid;
use crate::choice::{AlphaPer, Choice, ChooseBy};
use crate::error::RidgeError;
use crate::features::Features;
use crate::scaling::ColumnScaling;
use crate::solver::{Solved, Solver, Want};
use crate::stored::{Stored, StoredArray};

/// How a penalty is judged inside the training rows. Of two equal scores the larger penalty wins.
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
    /// The penalties to choose from.
    pub alphas: AlphaGrid,
    /// How they are judged.
    pub inner: Inner,
    /// By what.
    pub choose_by: ChooseBy,
    /// For whom.
    pub alpha_per: AlphaPer,
    /// Weights of bands to choose from, `n x n_bands`: with `gamma` the kernel of all features is the sum of
    /// `gamma[k]` times that of band `k`. `None` is one row of ones. Of equal scores the first row wins.
    pub gammas: Option<Array2<f64>>,
}

impl RidgeOptions {
    /// One penalty per voxel, chosen by the squared error.
    pub fn new(alphas: AlphaGrid, inner: Inner) -> RidgeOptions {
        RidgeOptions { alphas, inner, choose_by: ChooseBy::Mse, alpha_per: AlphaPer::Voxel, gammas: None }
    }
}

/// Predictions of rows by models that have not seen them.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossValidated {
    /// The rows that were predicted, rising.
    pub rows: Vec<usize>,
    /// `rows x n_voxels`; a voxel that cannot be fitted is `NaN`.
    pub predictions: Array2<f64>,
    /// The part of every band in them, on request; together with the training mean they are the predictions.
    pub bands: Vec<Array2<f64>>,
    /// The models of all training sets, on request.
    pub models: Vec<RidgeModel>,
    /// `n_folds x n_voxels`: the mean response of the training rows of each fold; 0 without an intercept.
    pub train_means: Array2<f64>,
    /// `n_folds x n_voxels`: root mean square of the fitted training rows, as deviations from that mean.
    pub fitted_sds: Array2<f64>,
    /// The same of the training responses.
    pub train_sds: Array2<f64>,
    /// The choices of each outer fold, one per voxel.
    pub folds: Vec<Vec<Choice>>,
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
            None => median(&self.folds.iter().map(|fold| fold[voxel].alpha).collect::<Vec<f64>>()),
        };
        (0..self.reasons.len()).map(of_voxel).collect()
    }

    /// Whether the choice of any outer fold is the lowest or highest penalty tried, one per voxel; false where there
    /// is no fit.
    pub fn alpha_at_edge(&self) -> Vec<bool> {
        let of_voxel = |v: usize| self.reasons[v].is_none() && self.folds.iter().any(|fold| fold[v].edge.is_some());
        (0..self.reasons.len()).map(of_voxel).collect()
    }
}

/// A fitted model of all rows, in the features' own units.
#[derive(Debug, Clone, PartialEq)]
pub struct RidgeModel {
    /// `p x n_voxels`; `NaN` for voxels that could not be fitted, 0 for features that were constant.
    pub weights: Array2<f64>,
    /// Means and divisors of the features over the training rows.
    pub scaling: ColumnScaling,
    /// Mean of every voxel over the training rows; 0 without an intercept.
    pub response_mean: Vec<f64>,
    /// What was chosen, one per voxel.
    pub choices: Vec<Choice>,
    /// Why a voxel could not be fitted.
    pub reasons: Vec<Option<Reason>>,
}

impl RidgeModel {
    /// What the model predicts where every feature is 0, one per voxel.
    pub fn intercept(&self) -> Vec<f64> {
        let voxels = self.weights.columns().into_iter().zip(&self.response_mean);
        voxels.map(|(w, mean)| mean - w.iter().zip(&self.scaling.mean).map(|(w, m)| w * m).sum::<f64>()).collect()
    }
}

/// Rows that are trained on, and rows that are predicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Rows of features and responses.
    pub train: Vec<usize>,
    /// Other rows.
    pub test: Vec<usize>,
}

impl Split {
    /// Every fold against the others.
    pub fn of_folds(folds: &Folds) -> Vec<Split> {
        let of = |fold| Split { train: folds.train_rows(fold), test: folds.test_rows(fold) };
        (0..folds.n_folds).map(of).collect()
    }
}

/// Models of all training sets of a cross-validation, ready for responses in any number of blocks of voxels.
pub struct CrossValidation<'f, 'a, T> {
    solvers: Vec<Solver<'f, 'a, T>>,
    splits: Vec<Split>,
}

impl<'f, 'a, T: Real> CrossValidation<'f, 'a, T> {
    /// Decomposes the features of every training set, and of the inner folds in them; with `stored` reads what
    /// [`CrossValidation::arrays`] gave for the same features, splits and options instead.
    pub fn prepare(
        features: &'f Features<'a, T>,
        splits: Vec<Split>,
        options: &RidgeOptions,
        narrow: bool,
        stored: Option<Stored>,
        fold_done: impl Fn() + Sync,
    ) -> Result<CrossValidation<'f, 'a, T>, RidgeError> {
        let weights = options.gammas.as_ref().map_or(1, Array2::nrows);
        if stored.is_some() && (weights > 1 || features.bands().len() > 1) {
            return Err(RidgeError::ManyToStore { bands: features.bands().len(), weights });
        }
        let prepare = |(fold, Split { train, test }): (usize, &Split)| {
            let fold = (splits.len() > 1).then_some(fold);
            let solver = Solver::prepare(features, train.clone(), test.clone(), options, fold, narrow, stored)?;
            fold_done();
            Ok(solver)
        };
        // The error of the first fold, not of the first thread that fails: messages do not depend on threads either.
        let solvers: Vec<Result<Solver<T>, RidgeError>> = splits.par_iter().enumerate().map(prepare).collect();
        Ok(CrossValidation { solvers: solvers.into_iter().collect::<Result<_, _>>()?, splits })
    }

    /// The decompositions as arrays with names; none where each row of weights of bands has its own.
    pub fn arrays(&self) -> Vec<(String, StoredArray<'_>)> {
        let mut arrays = Vec::new();
        for (fold, solver) in self.solvers.iter().enumerate() {
            arrays.extend(solver.arrays((self.solvers.len() > 1).then_some(fold)));
        }
        arrays
    }

    /// Predicts the test rows of some voxels (`n x v`) by the models of their training rows.
    pub fn predict<U: Real>(&self, y: ArrayView2<U>, want: Want) -> Result<CrossValidated, RidgeError> {
        let reasons = unusable_voxels(y);
        let solved: Vec<_> = self.solvers.par_iter().map(|solver| solver.solve(y, &reasons, want)).collect();
        let mut solved = solved.into_iter().collect::<Result<Vec<_>, RidgeError>>()?;
        let n_bands = solved.first().map_or(0, |fold| fold.bands.len());
        let mut rows: Vec<usize> = self.splits.iter().flat_map(|split| split.test.iter().copied()).collect();
        rows.sort_unstable();
        let mut predictions = Array2::zeros((rows.len(), y.ncols()));
        let mut by_band = vec![Array2::zeros(predictions.dim()); n_bands];
        let mut train_means = Array2::zeros((self.splits.len(), y.ncols()));
        let mut fitted_sds = Array2::zeros(train_means.dim());
        let mut train_sds = Array2::zeros(train_means.dim());
        for (fold, part) in solved.iter().enumerate() {
            for (i, row) in self.splits[fold].test.iter().enumerate() {
                let Ok(place) = rows.binary_search(row) else { continue };
                predictions.row_mut(place).assign(&part.predictions.row(i));
                by_band.iter_mut().zip(&part.bands).for_each(|(all, part)| all.row_mut(place).assign(&part.row(i)));
            }
            train_means.row_mut(fold).iter_mut().zip(&part.response_mean).for_each(|(out, mean)| *out = *mean);
            fitted_sds.row_mut(fold).iter_mut().zip(&part.fitted_sd).for_each(|(out, sd)| *out = *sd);
            train_sds.row_mut(fold).iter_mut().zip(&part.response_sd).for_each(|(out, sd)| *out = *sd);
        }
        for (voxel, _) in reasons.iter().enumerate().filter(|(_, reason)| reason.is_some()) {
            predictions.column_mut(voxel).fill(f64::NAN);
            by_band.iter_mut().for_each(|band| band.column_mut(voxel).fill(f64::NAN));
            solved.iter_mut().filter(|_| want.models).for_each(|part| part.weights.column_mut(voxel).fill(f64::NAN));
        }
        let model = |(solver, part): (&Solver<T>, &mut Solved)| RidgeModel {
            weights: std::mem::take(&mut part.weights),
            scaling: solver.scaling().clone(),
            response_mean: part.response_mean.clone(),
            choices: part.choices.clone(),
            reasons: reasons.clone(),
        };
        let models = match want.models {
            true => self.solvers.iter().zip(&mut solved).map(model).collect(),
            false => Vec::new(),
        };
        Ok(CrossValidated {
            rows,
            predictions,
            bands: by_band,
            models,
            train_means,
            fitted_sds,
            train_sds,
            reasons,
            dual: self.solvers.iter().any(Solver::is_dual),
            n_constant: self.solvers.iter().map(|solver| solver.scaling().n_constant()).max().unwrap_or(0),
            folds: solved.into_iter().map(|part| part.choices).collect(),
        })
    }
}

/// Predicts every row by a ridge model trained on the other outer folds, with a penalty that was chosen inside those
/// folds.
///
/// `y` is `n x n_voxels`. Minimizes `|y - b - X w|^2 + alpha |w|^2` for each voxel; the intercept
/// `b` is not penalized. Means, scaling and penalties are learned on training rows only. The features of a
/// training set are decomposed once, on the smaller side, and no `p x n_voxels` weights are formed. Everything is
/// solved in `f64`; where there are at least as many features as training rows, the products of `f32` features
/// are `f32`. Where features and responses are both `f32`, penalties are judged on predictions whose products are
/// `f32`.
///
/// A voxel with `NaN` or infinity in any row (`nan_input`) or a constant one (`constant`)
/// is `NaN` throughout, and changes no other. `fold_done` is called after every outer fold, from any thread.
pub fn cross_validate<T: Real, U: Real>(
    features: &Features<T>,
    y: ArrayView2<U>,
    outer: &Folds,
    options: &RidgeOptions,
    fold_done: impl Fn() + Sync,
) -> Result<CrossValidated, RidgeError> {
    check_rows(features, y)?;
    check_folds(outer, features.n_rows())?;
    CrossValidation::prepare(features, Split::of_folds(outer), options, is_narrow::<T, U>(), None, fold_done)?
        .predict(y, Want::default())
}

/// Fits one model per voxel to all rows, with weights for saving (`p x n_voxels` in `f64`). See [`cross_validate`].
pub fn fit<T: Real, U: Real>(
    features: &Features<T>,
    y: ArrayView2<U>,
    options: &RidgeOptions,
) -> Result<RidgeModel, RidgeError> {
    fit_rows(features, (0..features.n_rows()).collect(), y, options)
}

/// [`fit()`] to some of the rows.
pub fn fit_rows<T: Real, U: Real>(
    features: &Features<T>,
    rows: Vec<usize>,
    y: ArrayView2<U>,
    options: &RidgeOptions,
) -> Result<RidgeModel, RidgeError> {
    check_rows(features, y)?;
    let all = vec![Split { train: rows, test: Vec::new() }];
    let prepared = CrossValidation::prepare(features, all, options, is_narrow::<T, U>(), None, || ())?;
    let mut models = prepared.predict(y, Want { models: true, bands: false })?.models;
    Ok(models.remove(0))
}

/// Whether both are `f32`, so that penalties may be judged in it.
pub fn is_narrow<T: Real, U: Real>() -> bool {
    size_of::<T>() == 4 && size_of::<U>() == 4
}

pub(crate) fn check_rows<T: Real, U: Real>(features: &Features<T>, y: ArrayView2<U>) -> Result<(), RidgeError> {
    check_rows_of(features.n_rows(), y.nrows())
}

pub(crate) fn check_rows_of(features: usize, responses: usize) -> Result<(), RidgeError> {
    if features == responses { Ok(()) } else { Err(RidgeError::RowsDiffer { features, responses }) }
}

pub(crate) fn check_folds(folds: &Folds, rows: usize) -> Result<(), RidgeError> {
    let given = folds.fold_of_row.len();
    if given == rows { Ok(()) } else { Err(RidgeError::FoldCount { folds: given, rows }) }
}

/// Why voxels (`n x v`) cannot be fitted; `None` for those that can.
pub fn unusable_voxels<U: Real>(y: ArrayView2<U>) -> Vec<Option<Reason>> {
    let reason = |voxel: usize| Reason::of(&y.column(voxel).iter().map(|v| v.to_f64()).collect::<Vec<f64>>());
    (0..y.ncols()).into_par_iter().map(reason).collect()
}

#[cfg(test)]
mod tests;
