use linear_algebra::{
    GramAccumulator, LinearAlgebraError, Real, SymmetricEigen, cross_gram, cross_product, product, symmetric_eigen,
};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use crate::scaling::{ColumnScaling, Scaling};

/// Columns of features that are scaled and multiplied at a time on the dual side.
const COLUMNS: usize = 4096;

/// The features of one training set turned to their principal axes, in which every penalty is a division.
///
/// With scaled features `X = U sqrt(L) V'` the prediction for rows `Z` is `Z V diag(1 / (L + alpha)) V' X' Y`.
/// Either side of it is decomposed, whichever is smaller: `X' X` (primal) or `X X'` (dual). Both are written as
/// `basis diag(1 / (L + alpha)) coordinates`, with `coordinates` computed from the centred targets once.
pub(crate) struct Rotation {
    side: Side,
    /// L: the eigenvalues, none below 0. On the dual side without the one of the constant vector.
    eigenvalues: Array1<f64>,
    /// n_train x k; `coordinates` = `target_basis' Y`. Primal `X V`, dual `U`.
    target_basis: Array2<f64>,
    /// n_others x k, for the rows to be predicted. Primal `Z V`, dual `Z X' U`.
    other_basis: Array2<f64>,
    scaling: ColumnScaling,
    n_train: usize,
    /// Mean of the diagonal of `X X'`: what the factors of an alpha grid are multiplied by.
    pub alpha_scale: f64,
}

enum Side {
    /// p x k: V.
    Primal {
        axes: Array2<f64>,
    },
    Dual,
}

impl Rotation {
    /// Learns from the rows `train` of `x` and prepares the rows `others` for prediction. `train` is not empty.
    pub fn learn<T: Real>(
        x: ArrayView2<T>,
        train: &[usize],
        others: &[usize],
        scaling: Scaling,
    ) -> Result<Rotation, LinearAlgebraError> {
        let scaling = ColumnScaling::learn(x, train, scaling);
        if x.ncols() < train.len() {
            Rotation::primal(x, train, others, scaling)
        } else {
            Rotation::dual(x, train, others, scaling)
        }
    }

    fn primal<T: Real>(
        x: ArrayView2<T>,
        train: &[usize],
        others: &[usize],
        scaling: ColumnScaling,
    ) -> Result<Rotation, LinearAlgebraError> {
        let all = 0..x.ncols();
        let training: Array2<f64> = scaling.apply(x, train, all.clone());
        let gram = cross_gram(training.view());
        let alpha_scale = positive(gram.diagonal().sum() / train.len() as f64);
        let SymmetricEigen { values, vectors } = symmetric_eigen(gram.to_array().view())?;
        let held_out: Array2<f64> = scaling.apply(x, others, all);
        Ok(Rotation {
            eigenvalues: without_rounding(values),
            target_basis: product(training.view(), vectors.view()),
            other_basis: product(held_out.view(), vectors.view()),
            side: Side::Primal { axes: vectors },
            scaling,
            n_train: train.len(),
            alpha_scale,
        })
    }

    fn dual<T: Real>(
        x: ArrayView2<T>,
        train: &[usize],
        others: &[usize],
        scaling: ColumnScaling,
    ) -> Result<Rotation, LinearAlgebraError> {
        let n = train.len();
        let rows: Vec<usize> = train.iter().chain(others).copied().collect();
        // Features stream by, so that their width costs no memory.
        let mut gram = GramAccumulator::<T>::new(rows.len());
        for columns in column_blocks(x.ncols()) {
            gram.push(scaling.apply::<T, T>(x, &rows, columns).view());
        }
        let gram = gram.finish();
        let mut kernel = Array2::from_shape_fn((n, n), |(i, j)| gram.get(i, j));
        let held_out = Array2::from_shape_fn((others.len(), n), |(i, j)| gram.get(n + i, j));
        let alpha_scale = positive(kernel.diag().sum() / n as f64);
        // The centred features leave the constant vector in the null space, mixed with whatever else is there.
        // Lifted above all other eigenvalues (the largest row sum bounds them) it comes out alone, as the last.
        let bound = kernel.rows().into_iter().map(|row| row.iter().map(|v| v.abs()).sum::<f64>()).fold(0.0, f64::max);
        kernel += positive(1.1 * bound) / n as f64;
        let SymmetricEigen { values, vectors } = symmetric_eigen(kernel.view())?;
        let vectors = vectors.slice(s![.., ..n - 1]).to_owned();
        Ok(Rotation {
            eigenvalues: without_rounding(values.slice(s![..n - 1]).to_owned()),
            other_basis: product(held_out.view(), vectors.view()),
            target_basis: vectors,
            side: Side::Dual,
            scaling,
            n_train: n,
            alpha_scale,
        })
    }

    /// The centred training targets (`n_train x v`) in the principal axes, `k x v`.
    pub fn coordinates(&self, centred: ArrayView2<f64>) -> Array2<f64> {
        cross_product(self.target_basis.view(), centred)
    }

    /// `diag(1 / (L + alpha)) coordinates`, with one penalty per column.
    pub fn shrink(&self, coordinates: &Array2<f64>, alphas: &[f64]) -> Array2<f64> {
        let mut shrunk = coordinates.clone();
        for (mut row, l) in shrunk.rows_mut().into_iter().zip(&self.eigenvalues) {
            for (value, alpha) in row.iter_mut().zip(alphas) {
                *value /= l + alpha;
            }
        }
        shrunk
    }

    /// Predictions for the rows `others` from shrunk coordinates, as deviations from the training mean.
    pub fn predict_others(&self, shrunk: ArrayView2<f64>) -> Array2<f64> {
        product(self.other_basis.view(), shrunk)
    }

    /// Number of rows `others`.
    pub fn n_others(&self) -> usize {
        self.other_basis.nrows()
    }

    /// What the axes contribute to leave-one-out residuals under one penalty.
    fn gains(&self, alpha: f64) -> Array1<f64> {
        match self.side {
            Side::Primal { .. } => self.eigenvalues.mapv(|l| 1.0 / (l + alpha)),
            // The axes span all centred targets here, so a residual is itself a sum over axes, in which nothing
            // cancels when alpha is small.
            Side::Dual => self.eigenvalues.mapv(|l| alpha / (l + alpha)),
        }
    }

    /// 1 minus the leverage of every training row. The intercept is not penalized and counts 1/n towards it.
    pub fn left_over(&self, alpha: f64) -> Array1<f64> {
        let gains = self.gains(alpha);
        let rows = self.target_basis.rows().into_iter();
        let squares = rows.map(|row| row.iter().zip(&gains).map(|(b, gain)| b * b * gain).sum::<f64>());
        match self.side {
            Side::Primal { .. } => squares.map(|sum| 1.0 - 1.0 / self.n_train as f64 - sum).collect(),
            Side::Dual => squares.collect(),
        }
    }

    /// What each training row's residual would be if it alone had been left out of the fit (with the scaling of
    /// all training rows), for one penalty: the residual over 1 minus the leverage, `n_train x v`.
    pub fn leave_one_out_residuals(
        &self,
        centred: ArrayView2<f64>,
        coordinates: &Array2<f64>,
        alpha: f64,
        left_over: &Array1<f64>,
    ) -> Array2<f64> {
        let scaled = coordinates * &self.gains(alpha).insert_axis(Axis(1));
        let mut residuals = product(self.target_basis.view(), scaled.view());
        if let Side::Primal { .. } = self.side {
            residuals = &centred - &residuals;
        }
        residuals / left_over.view().insert_axis(Axis(1))
    }

    /// Weights of the unscaled features from shrunk coordinates, `p x v`.
    pub fn weights<T: Real>(&self, x: ArrayView2<T>, train: &[usize], shrunk: ArrayView2<f64>) -> Array2<f64> {
        let mut weights = match &self.side {
            Side::Primal { axes } => product(axes.view(), shrunk),
            Side::Dual => {
                let by_row = product(self.target_basis.view(), shrunk);
                let mut weights = Array2::zeros((x.ncols(), shrunk.ncols()));
                for columns in column_blocks(x.ncols()) {
                    let features: Array2<f64> = self.scaling.apply(x, train, columns.clone());
                    weights.slice_mut(s![columns, ..]).assign(&cross_product(features.view(), by_row.view()));
                }
                weights
            }
        };
        for (mut row, divisor) in weights.rows_mut().into_iter().zip(&self.scaling.divisor) {
            if *divisor == 0.0 {
                row.fill(0.0);
            } else {
                row /= *divisor;
            }
        }
        weights
    }

    /// Means and divisors of the features over the training rows.
    pub fn scaling(&self) -> &ColumnScaling {
        &self.scaling
    }

    /// Whether the training rows, not the features, were decomposed.
    pub fn is_dual(&self) -> bool {
        matches!(self.side, Side::Dual)
    }
}

/// What the models of parts of the features are made from ([`crate::cross_validate_parts`]).
impl Rotation {
    /// L.
    pub fn eigenvalues(&self) -> &Array1<f64> {
        &self.eigenvalues
    }

    /// n_train x k: primal `X V`, dual `U`.
    pub fn target_basis(&self) -> &Array2<f64> {
        &self.target_basis
    }

    /// n_others x k: primal `Z V`, dual `Z X' U`.
    pub fn other_basis(&self) -> &Array2<f64> {
        &self.other_basis
    }

    /// p x k: V, on the primal side.
    pub fn axes(&self) -> Option<&Array2<f64>> {
        match &self.side {
            Side::Primal { axes } => Some(axes),
            Side::Dual => None,
        }
    }
}

fn column_blocks(p: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..p).step_by(COLUMNS).map(move |start| start..(start + COLUMNS).min(p))
}

/// Eigenvalues that are 0 but for rounding are set to 0: beside a very small penalty what is left of them would
/// count as signal.
fn without_rounding(values: Array1<f64>) -> Array1<f64> {
    let largest = values.iter().copied().fold(0.0, f64::max);
    let noise = values.len() as f64 * f64::EPSILON * largest;
    values.mapv(|l| if l <= noise { 0.0 } else { l })
}

/// Features that are all constant have no spectrum; any scale then gives weights of 0.
fn positive(scale: f64) -> f64 {
    if scale > 0.0 { scale } else { 1.0 }
}
