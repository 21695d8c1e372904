//! The same voxelwise models fitted to parts of the features: all, some only, all without some.
//!
//! Models without a few features are not decomposed again. With `K = X X' + alpha I` of all features, leaving out the
//! columns `S` takes `X_S X_S'` from `K`, and its inverse is one of Woodbury's:
//!
//! ```text
//! K_wo^-1 = K^-1 + B T^-1 B',   B = K^-1 X_S,   T = I - X_S' K^-1 X_S
//! ```
//!
//! So residuals, leverages and predictions without `S` are those of all features plus a correction of rank `|S|`, for
//! every alpha, and `B` is a choice of columns of one matrix for all sets. It is the same as forcing the weights of `S`
//! to zero: `T = alpha M_SS` with `M = (X' X + alpha I)^-1`.

use std::ops::Range;

use linear_algebra::Real;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use statistics::{Folds, Reason, mean, median};

use crate::alphas::AlphaGrid;
use crate::choice::smallest;
use crate::error::RidgeError;
use crate::features::Features;
use crate::ridge::{Inner, check_folds, unusable_voxels};
use crate::scaling::Scaling;
use crate::solver::check_rows;

mod axes;
mod corrected;
mod direct;
mod leave_one_out;

use corrected::Trained;

/// Voxels that are fitted together by all models: bounds the memory.
const VOXELS: usize = 512;
/// Sets that share one decomposition and one grid of penalties, from which on that is less work than one of their own.
const FEW_SETS: usize = 3;
/// Smallest penalty, in parts of the largest eigenvalue, beside which the correction keeps nine digits.
const LEAST_ALPHA: f64 = 1e-10;
/// Sets of features are given the same penalties where these differ by rounding.
const SAME_SCALE: f64 = 1e-12;

/// Which features a model is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All of them.
    All,
    /// These columns, and no other.
    Only(Vec<usize>),
    /// All but these columns.
    Without(Vec<usize>),
}

impl Part {
    /// Their columns among `p`, ascending.
    pub fn columns(&self, p: usize) -> Vec<usize> {
        let mut listed = vec![false; p];
        if let Part::Only(columns) | Part::Without(columns) = self {
            columns.iter().for_each(|&column| listed[column] = true);
        }
        let wanted = matches!(self, Part::Only(_));
        (0..p).filter(|&column| listed[column] == wanted).collect()
    }
}

/// How the models of all parts are fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct PartOptions {
    /// What is done to the features.
    pub scaling: Scaling,
    /// The penalties to choose from; it does not go on beyond its ends.
    pub alphas: AlphaGrid,
    /// How they are judged.
    pub inner: Inner,
}

impl PartOptions {
    fn at_edge(&self, index: usize) -> bool {
        let n = self.alphas.factors().len();
        n > 1 && (index == 0 || index + 1 == n)
    }
}

/// The model of one part of the features.
#[derive(Debug, Clone, PartialEq)]
pub struct PartFit<S> {
    /// What was made of the held-out predictions, one per voxel.
    pub scores: Vec<S>,
    /// The median penalty over the outer folds, one per voxel; `NaN` where there is no fit.
    pub alpha: Vec<f64>,
    /// Whether the choice of any outer fold sits on the edge of the grid, one per voxel; false where there is no fit.
    pub alpha_at_edge: Vec<bool>,
}

/// What [`crate::cross_validate`] gives for several parts of the features, with the same folds and the same rule for
/// the penalty; the grid is relative to the features that a model is given, as if there were no others.
///
/// Penalties are those of the grid, judged by the mean squared error over the inner folds, or in leave-one-out.
///
/// `x` is `n x p`, `y` is `n x n_voxels`. `judge` makes one value per voxel of the held-out predictions (`n x m`) and
/// the responses (`n x m`) of some voxels, so that no predictions need be kept. `part_done` is called as often as there
/// are parts, from any thread. All sums are `f64`.
pub fn cross_validate_parts<U: Real, S: Send>(
    x: ArrayView2<f64>,
    y: ArrayView2<U>,
    outer: &Folds,
    options: &PartOptions,
    parts: &[Part],
    judge: impl Fn(ArrayView2<f64>, ArrayView2<U>) -> Vec<S> + Sync,
    part_done: impl Fn() + Sync,
) -> Result<Vec<PartFit<S>>, RidgeError> {
    check(x, y, outer, options)?;
    let training = learn_all(x, outer, options)?;
    let groups = groups_without(&training, parts, x.ncols(), options);
    let data = Data { x, y, outer, options };
    let mut fits: Vec<PartFit<S>> = parts.iter().map(|_| PartFit::default()).collect();
    let mut alone: Vec<bool> = vec![true; parts.len()];
    for group in &groups {
        let done = corrected::fit(&data, &training, parts, group, &judge, &part_done)?;
        for (&part, done) in group.iter().zip(done) {
            // A set whose correction is not positive definite is fitted by itself.
            if let Some(fit) = done {
                alone[part] = false;
                fits[part] = fit;
            }
        }
    }
    let rest: Vec<usize> = (0..parts.len()).filter(|&part| alone[part]).collect();
    let found: Vec<Result<PartFit<S>, RidgeError>> = rest
        .par_iter()
        .map(|&part| {
            let fit = direct::fit(&data, &training, &parts[part], &judge)?;
            part_done();
            Ok(fit)
        })
        .collect();
    for (part, fit) in rest.into_iter().zip(found) {
        fits[part] = fit?;
    }
    Ok(fits)
}

impl<S> Default for PartFit<S> {
    fn default() -> PartFit<S> {
        PartFit { scores: Vec::new(), alpha: Vec::new(), alpha_at_edge: Vec::new() }
    }
}

/// What all models are fitted to.
struct Data<'a, U> {
    x: ArrayView2<'a, f64>,
    y: ArrayView2<'a, U>,
    outer: &'a Folds,
    options: &'a PartOptions,
}

/// An outer training set with all features: what is predicted by it, and the inner ones.
struct OuterFold {
    trained: Trained,
    /// None for leave-one-out, and where there is one penalty.
    inner: Vec<Trained>,
}

fn learn_all(x: ArrayView2<f64>, outer: &Folds, options: &PartOptions) -> Result<Vec<OuterFold>, RidgeError> {
    let features = Features::new(x, options.scaling)?;
    let learnt: Vec<Result<OuterFold, RidgeError>> = (0..outer.n_folds)
        .into_par_iter()
        .map(|fold| {
            let (train, test) = (outer.train_rows(fold), outer.test_rows(fold));
            check_rows(&train, options.alphas.factors().len() == 1, Some(fold))?;
            let inner = inner_splits(&train, options, fold)?;
            let inner = inner.into_iter().map(|(kept, held_out)| Trained::learn(&features, kept, held_out));
            let inner = inner.collect::<Result<Vec<Trained>, RidgeError>>()?;
            Ok(OuterFold { trained: Trained::learn(&features, train, test)?, inner })
        })
        .collect();
    learnt.into_iter().collect()
}

/// Kept and held-out rows of inner folds.
type Splits = Vec<(Vec<usize>, Vec<usize>)>;

/// Kept and held-out rows of every inner fold; none for leave-one-out.
fn inner_splits(train: &[usize], options: &PartOptions, fold: usize) -> Result<Splits, RidgeError> {
    let Inner::Folds(folds) = &options.inner else { return Ok(Vec::new()) };
    if options.alphas.factors().len() == 1 {
        return Ok(Vec::new());
    }
    let of_row = |row: &usize| folds.fold_of_row[*row];
    let mut used: Vec<usize> = train.iter().map(of_row).collect();
    used.sort_unstable();
    used.dedup();
    if used.len() < 2 {
        return Err(RidgeError::TooFewInnerFolds { fold: Some(fold), n_folds: used.len() });
    }
    let split = |inner: usize| {
        let (held_out, kept): (Vec<usize>, Vec<usize>) = train.iter().partition(|row| of_row(row) == inner);
        match kept.len() {
            0 | 1 => Err(RidgeError::TooFewRows { fold: Some(fold), rows: train.len(), needed: held_out.len() + 2 }),
            _ => Ok((kept, held_out)),
        }
    };
    used.into_iter().map(split).collect()
}

/// Sets of `Without` that are corrected together: those to which the same penalties belong in every fold.
fn groups_without(training: &[OuterFold], parts: &[Part], p: usize, options: &PartOptions) -> Vec<Vec<usize>> {
    let mut groups: Vec<(Vec<f64>, Vec<usize>)> = Vec::new();
    let lowest = options.alphas.factors()[0];
    for (place, part) in parts.iter().enumerate() {
        let Part::Without(columns) = part else { continue };
        let scales: Vec<f64> = training.iter().map(|fold| fold.trained.scale_without(columns)).collect();
        let is_small = |trained: &Trained, scale: f64| {
            let rank = trained.rank().min(p - columns.len());
            2 * columns.len() <= rank && lowest * scale > LEAST_ALPHA * trained.largest_eigenvalue()
        };
        let of_fold = |(fold, &scale): (&OuterFold, &f64)| {
            fold.inner.iter().chain([&fold.trained]).all(|trained| is_small(trained, scale))
        };
        if !training.iter().zip(&scales).all(of_fold) {
            continue;
        }
        let same = |known: &[f64]| known.iter().zip(&scales).all(|(a, b)| (a / b - 1.0).abs() < SAME_SCALE);
        match groups.iter_mut().find(|(known, _)| same(known)) {
            Some((_, group)) => group.push(place),
            None => groups.push((scales, vec![place])),
        }
    }
    groups.into_iter().map(|(_, group)| group).filter(|group| group.len() >= FEW_SETS).collect()
}

fn check<U: Real>(
    x: ArrayView2<f64>,
    y: ArrayView2<U>,
    outer: &Folds,
    options: &PartOptions,
) -> Result<(), RidgeError> {
    if x.nrows() != y.nrows() {
        return Err(RidgeError::RowsDiffer { features: x.nrows(), responses: y.nrows() });
    }
    check_folds(outer, x.nrows())?;
    match &options.inner {
        Inner::Folds(folds) => check_folds(folds, x.nrows()),
        Inner::LeaveOneOut => Ok(()),
    }
}

/// Responses of some voxels on some rows, minus their means over those rows.
struct Targets {
    centred: Array2<f64>,
    mean: Vec<f64>,
}

impl Targets {
    fn of<U: Real>(y: ArrayView2<U>, rows: &[usize]) -> Targets {
        let mut centred = Array2::from_shape_fn((rows.len(), y.ncols()), |(i, v)| y[(rows[i], v)].to_f64());
        let centre = |mut column: ndarray::ArrayViewMut1<f64>| {
            let centre = mean(&column.to_vec());
            column -= centre;
            centre
        };
        let mean = centred.columns_mut().into_iter().map(centre).collect();
        Targets { centred, mean }
    }

    /// Other rows of the same voxels, minus the same means.
    fn others<U: Real>(&self, y: ArrayView2<U>, rows: &[usize]) -> Array2<f64> {
        Array2::from_shape_fn((rows.len(), y.ncols()), |(i, v)| y[(rows[i], v)].to_f64() - self.mean[v])
    }
}

/// Place of the chosen penalty of every voxel (`alphas x v`); the strongest where nothing can be said for any.
fn chosen(errors: &Array2<f64>) -> Vec<usize> {
    let last = errors.nrows() - 1;
    errors.columns().into_iter().map(|column| smallest(column.iter().copied()).unwrap_or(last)).collect()
}

/// What is known of a part's penalties: the index of every fold and voxel.
struct Choices {
    /// Penalties of every fold.
    grids: Vec<Vec<f64>>,
    /// folds x voxels.
    index: Vec<Vec<usize>>,
}

impl Choices {
    /// Median penalty, and whether any is at the edge, of every voxel.
    fn summary(&self, options: &PartOptions, reasons: &[Option<Reason>]) -> (Vec<f64>, Vec<bool>) {
        let of_voxel = |voxel: usize| {
            let chosen: Vec<usize> = self.index.iter().map(|index| index[voxel]).collect();
            let alphas: Vec<f64> = self.grids.iter().zip(&chosen).map(|(grid, &i)| grid[i]).collect();
            match reasons[voxel] {
                Some(_) => (f64::NAN, false),
                None => (median(&alphas), chosen.iter().any(|&i| options.at_edge(i))),
            }
        };
        (0..reasons.len()).map(of_voxel).unzip()
    }
}

/// Predictions of voxels that cannot be fitted are `NaN`.
fn without_unusable(predictions: &mut Array2<f64>, reasons: &[Option<Reason>]) {
    for (mut column, reason) in predictions.columns_mut().into_iter().zip(reasons) {
        if reason.is_some() {
            column.fill(f64::NAN);
        }
    }
}

fn blocks(n: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n).step_by(size).map(move |start| start..(start + size).min(n))
}

#[cfg(test)]
mod tests;
