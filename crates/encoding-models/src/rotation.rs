use std::ops::Range;

use linear_algebra::{Real, cross_product, product};
use ndarray::{Array1, Array2, ArrayView2, Axis};

/// The features of one training set turned to their principal axes, in which every penalty is a division.
///
/// With scaled features `X = U sqrt(L) V'` the prediction for rows `Z` is `Z V diag(1 / (L + alpha)) V' X' Y`.
/// Either side of it is decomposed, whichever is smaller: `X' X` (primal) or `X X'` (dual). Both are written as
/// `others diag(1 / (L + alpha)) coordinates`, with `coordinates` computed from the centred targets once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rotation {
    /// L: the eigenvalues, none below 0. On the dual side without the one of the intercept.
    pub eigenvalues: Array1<f64>,
    /// Primal `V` (used features x k), dual `U` (n_train x k).
    pub basis: Array2<f64>,
    /// n_others x k, for the rows to be predicted. Primal `Z V`, dual `Z X' U`.
    pub others: Array2<f64>,
    /// n_train x k, for leave-one-out: primal `X V`; empty where it was not asked for, and on the dual side, where it
    /// is the basis itself.
    pub rows: Array2<f64>,
    pub dual: bool,
    /// What the intercept takes of the leverage of every training row: its weight over the sum of weights; 0 without
    /// an intercept.
    pub leverage: Vec<f64>,
}

impl Rotation {
    /// The right-hand side in the principal axes, `k x v`: of `X' Y` (primal, used features x v), or of the centred
    /// training targets (dual, n_train x v).
    pub fn coordinates(&self, right: ArrayView2<f64>) -> Array2<f64> {
        cross_product(self.basis.view(), right)
    }

    /// `diag(1 / (L + alpha)) coordinates`, with one penalty per column; an axis without variance has no part in least
    /// squares.
    pub fn shrink<T: Real>(&self, coordinates: ArrayView2<f64>, alphas: &[f64]) -> Array2<T> {
        let mut shrunk = Array2::from_elem(coordinates.dim(), T::default());
        for ((mut out, row), l) in shrunk.rows_mut().into_iter().zip(coordinates.rows()).zip(&self.eigenvalues) {
            for ((out, value), alpha) in out.iter_mut().zip(row).zip(alphas) {
                *out = T::from_f64(value * inverse(l + alpha));
            }
        }
        shrunk
    }

    /// The same on some of the axes, for some of the columns under each of some penalties, side by side: writes
    /// `axes x (alphas x columns)`, row by row.
    pub fn shrink_side_by_side<T: Real>(
        &self,
        coordinates: ArrayView2<f64>,
        axes: Range<usize>,
        alphas: &[f64],
        columns: &[usize],
        out: &mut [T],
    ) {
        let v = columns.len();
        let all = v == coordinates.ncols();
        let mut chunks = out.chunks_exact_mut(v);
        for axis in axes {
            let (l, row) = (self.eigenvalues[axis], coordinates.row(axis));
            for (alpha, out) in alphas.iter().zip(chunks.by_ref()) {
                let factor = inverse(l + alpha);
                match all {
                    true => out.iter_mut().zip(row).for_each(|(out, value)| *out = T::from_f64(value * factor)),
                    false => {
                        out.iter_mut().zip(columns).for_each(|(out, &column)| *out = T::from_f64(row[column] * factor));
                    }
                }
            }
        }
    }

    /// Predictions for the rows `others` from shrunk coordinates, as deviations from the training mean.
    pub fn predict_others(&self, shrunk: ArrayView2<f64>) -> Array2<f64> {
        product(self.others.view(), shrunk)
    }

    /// Sums of squares of the fitted (weighted) training rows from shrunk coordinates, as deviations from their mean:
    /// `w' X' X w`, in the axes a sum over eigenvalues.
    pub fn fitted_squares(&self, shrunk: ArrayView2<f64>) -> Vec<f64> {
        let mut squares = vec![0.0; shrunk.ncols()];
        for (row, l) in shrunk.rows().into_iter().zip(&self.eigenvalues) {
            let factor = if self.dual { l * l } else { *l };
            squares.iter_mut().zip(row).for_each(|(sum, v)| *sum += factor * v * v);
        }
        squares
    }

    /// What the axes contribute to leave-one-out residuals under one penalty; a common factor cancels.
    fn gains(&self, alpha: f64) -> Array1<f64> {
        let without_variance = self.eigenvalues.iter().any(|l| *l + alpha <= 0.0);
        match (self.dual, without_variance) {
            // The axes span all centred targets here, so a residual is itself a sum over axes, in which nothing
            // cancels when alpha is small. Least squares leaves over what lies in axes without variance alone.
            (true, true) => self.eigenvalues.mapv(|l| if l <= 0.0 { 1.0 } else { 0.0 }),
            _ => self.eigenvalues.mapv(|l| inverse(l + alpha)),
        }
    }

    fn training_rows(&self) -> ArrayView2<'_, f64> {
        if self.dual { self.basis.view() } else { self.rows.view() }
    }

    /// 1 minus the leverage of every training row, on the dual side times a common factor.
    pub fn left_over(&self, alpha: f64) -> Array1<f64> {
        let gains = self.gains(alpha);
        let rows = self.training_rows();
        let squares = rows.rows().into_iter().zip(&self.leverage).map(|(row, leverage)| {
            let sum = row.iter().zip(&gains).map(|(b, gain)| b * b * gain).sum::<f64>();
            if self.dual { sum } else { 1.0 - leverage - sum }
        });
        squares.collect()
    }

    /// What each training row's residual would be if it alone had been left out of the fit (with the scaling of
    /// all training rows), for one penalty: the residual over 1 minus the leverage, `n_train x columns`.
    pub fn leave_one_out_residuals(
        &self,
        centred: ArrayView2<f64>,
        coordinates: ArrayView2<f64>,
        alpha: f64,
        left_over: &Array1<f64>,
        columns: &[usize],
    ) -> Array2<f64> {
        let gains = self.gains(alpha);
        let mut scaled = Array2::zeros((coordinates.nrows(), columns.len()));
        for ((mut out, row), gain) in scaled.rows_mut().into_iter().zip(coordinates.rows()).zip(&gains) {
            out.iter_mut().zip(columns).for_each(|(out, &column)| *out = row[column] * gain);
        }
        let mut residuals = product(self.training_rows(), scaled.view());
        if !self.dual {
            for (mut residuals, targets) in residuals.rows_mut().into_iter().zip(centred.rows()) {
                residuals
                    .iter_mut()
                    .zip(columns)
                    .for_each(|(residual, &column)| *residual = targets[column] - *residual);
            }
        }
        residuals / left_over.view().insert_axis(Axis(1))
    }
}

/// 1 / x, and 0 for an axis without variance under no penalty.
fn inverse(x: f64) -> f64 {
    if x > 0.0 { 1.0 / x } else { 0.0 }
}

/// Eigenvalues that are 0 but for rounding are set to 0: beside a very small penalty what is left of them would
/// count as signal.
pub(crate) fn without_rounding(values: Array1<f64>) -> Array1<f64> {
    let largest = values.iter().copied().fold(0.0, f64::max);
    let noise = values.len() as f64 * f64::EPSILON * largest;
    values.mapv(|l| if l <= noise { 0.0 } else { l })
}
