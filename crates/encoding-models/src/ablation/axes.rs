//! The axes of a training set, as sets of features are taken out of them.

use linear_algebra::{LinearAlgebraError, cross_product, product};
use ndarray::{Array1, Array2, ArrayView2};

use crate::error::RidgeError;
use crate::features::Features;
use crate::rotation::Rotation;
use crate::scaling::{ColumnScaling, Scaling};

/// The features of a training set in their principal axes, with what is known of its rows and its columns.
pub struct Axes {
    rotation: Rotation,
    pub scaling: ColumnScaling,
    /// What the factors of a grid are multiplied by.
    pub alpha_scale: f64,
}

impl Axes {
    /// Of the rows `train` of `x` (`n x p`), for the prediction of the rows `others`.
    pub fn learn(x: ArrayView2<f64>, train: &[usize], others: &[usize], scaling: Scaling) -> Result<Axes, RidgeError> {
        let features = Features::new(x, scaling)?;
        Ok(Axes::of(&features, train, others)?)
    }

    /// Of features that know the sums over all rows.
    pub fn of(features: &Features<f64>, train: &[usize], others: &[usize]) -> Result<Axes, LinearAlgebraError> {
        let training = features.training(train, others, None);
        let rotation = training.rotate(&[1.0], true)?;
        Ok(Axes { rotation, alpha_scale: training.alpha_scale(), scaling: training.scaling })
    }

    /// Eigenvalues.
    pub fn eigenvalues(&self) -> &Array1<f64> {
        &self.rotation.eigenvalues
    }

    /// n_train x k: primal `X V`, dual `U`.
    pub fn target_basis(&self) -> &Array2<f64> {
        if self.rotation.dual { &self.rotation.basis } else { &self.rotation.rows }
    }

    /// n_others x k: primal `Z V`, dual `Z X' U`.
    pub fn other_basis(&self) -> &Array2<f64> {
        &self.rotation.others
    }

    /// p x k: V, on the primal side.
    pub fn axes(&self) -> Option<&Array2<f64>> {
        (!self.rotation.dual).then_some(&self.rotation.basis)
    }

    /// Whether the training rows, not the features, were decomposed.
    pub fn is_dual(&self) -> bool {
        self.rotation.dual
    }

    /// The centred training targets (`n_train x v`) in the principal axes, `k x v`.
    pub fn coordinates(&self, centred: ArrayView2<f64>) -> Array2<f64> {
        cross_product(self.target_basis().view(), centred)
    }

    /// `diag(1 / (L + alpha)) coordinates`, with one penalty per column.
    pub fn shrink(&self, coordinates: &Array2<f64>, alphas: &[f64]) -> Array2<f64> {
        self.rotation.shrink(coordinates.view(), alphas)
    }

    /// Predictions for the other rows from shrunk coordinates, as deviations from the training mean.
    pub fn predict_others(&self, shrunk: ArrayView2<f64>) -> Array2<f64> {
        self.rotation.predict_others(shrunk)
    }

    /// 1 minus the leverage of every training row.
    pub fn left_over(&self, alpha: f64) -> Array1<f64> {
        let left = self.rotation.left_over(alpha);
        if self.rotation.dual { left * alpha } else { left }
    }

    /// The same for every penalty of a grid, `alphas x n_train`.
    pub fn left_over_all(&self, grid: &[f64]) -> Array2<f64> {
        let values = self.eigenvalues();
        if grid.iter().any(|alpha| values.iter().any(|l| l + alpha <= 0.0)) {
            let mut all = Array2::zeros((grid.len(), self.target_basis().nrows()));
            all.rows_mut().into_iter().zip(grid).for_each(|(mut row, &alpha)| row.assign(&self.left_over(alpha)));
            return all;
        }
        let dual = self.rotation.dual;
        let gains = Array2::from_shape_fn((grid.len(), values.len()), |(a, j)| {
            let gain = 1.0 / (values[j] + grid[a]);
            if dual { gain * grid[a] } else { gain }
        });
        let squares = self.target_basis().mapv(|v| v * v);
        let mut left = product(gains.view(), squares.t());
        if !dual {
            for mut row in left.rows_mut() {
                row.iter_mut().zip(&self.rotation.leverage).for_each(|(v, leverage)| *v = 1.0 - leverage - *v);
            }
        }
        left
    }
}
