//! The same voxelwise models fitted to parts of the features: all, some only, all without some.

use linear_algebra::Real;
use ndarray::{ArrayView2, Axis};
use statistics::Folds;

use crate::ridge::{CrossValidated, RidgeError, RidgeOptions, cross_validate};

/// Which features a model is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Features {
    /// All of them.
    All,
    /// These columns, and no other.
    Only(Vec<usize>),
    /// All but these columns.
    Without(Vec<usize>),
}

impl Features {
    /// Their columns among `p`, ascending.
    pub fn columns(&self, p: usize) -> Vec<usize> {
        let mut listed = vec![false; p];
        if let Features::Only(columns) | Features::Without(columns) = self {
            columns.iter().for_each(|&column| listed[column] = true);
        }
        let wanted = matches!(self, Features::Only(_));
        (0..p).filter(|&column| listed[column] == wanted).collect()
    }
}

/// The model of one part of the features.
#[derive(Debug, Clone, PartialEq)]
pub struct PartFit<S> {
    /// What was made of the held-out predictions, one per voxel.
    pub scores: Vec<S>,
    /// The median penalty over the outer folds, one per voxel; `NaN` where there is no fit.
    pub alpha: Vec<f64>,
    /// Whether the choice of any outer fold sits on the edge of the grid, one per voxel.
    pub alpha_at_edge: Vec<bool>,
}

/// [`cross_validate`] for several parts of the features, with the same folds and the same rule for the penalty. The
/// grid is relative to the features that a model is given, as if there were no others.
pub fn cross_validate_parts<U: Real, S: Send>(
    x: ArrayView2<f64>,
    y: ArrayView2<U>,
    outer: &Folds,
    options: &RidgeOptions,
    parts: &[Features],
    judge: impl Fn(ArrayView2<f64>, ArrayView2<U>) -> Vec<S> + Sync,
    part_done: impl Fn() + Sync,
) -> Result<Vec<PartFit<S>>, RidgeError> {
    let one = |part: &Features| {
        let fitted = one_by_one(x, y, outer, options, part)?;
        part_done();
        let (alpha, alpha_at_edge) = (fitted.median_alpha(), fitted.alpha_at_edge());
        Ok(PartFit { scores: judge(fitted.predictions.view(), y), alpha, alpha_at_edge })
    };
    parts.iter().map(one).collect()
}

/// The obvious way: the columns are taken out and fitted alone.
fn one_by_one<U: Real>(
    x: ArrayView2<f64>,
    y: ArrayView2<U>,
    outer: &Folds,
    options: &RidgeOptions,
    part: &Features,
) -> Result<CrossValidated, RidgeError> {
    cross_validate(x.select(Axis(1), &part.columns(x.ncols())).view(), y, outer, options, || ())
}
