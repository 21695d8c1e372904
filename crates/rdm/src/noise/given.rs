//! Noise that somebody else has estimated: a covariance or its inverse, as it is.

use std::sync::OnceLock;

use linear_algebra::Cholesky;
use ndarray::{Array2, ArrayView2};

use super::{NoiseError, NoiseModel};
use crate::symmetric::{Asymmetry, symmetric};

impl NoiseModel {
    /// From the `n_channels x n_channels` covariance of the noise. Nothing is shrunk; it has to be symmetric and
    /// positive definite.
    ///
    /// ```
    /// use ndarray::array;
    /// use rdm::NoiseModel;
    /// let noise = NoiseModel::from_covariance(array![[4.0, 0.0], [0.0, 9.0]].view())?;
    /// assert_eq!(noise.whiten(array![[2.0, 3.0]])?, array![[1.0, 1.0]]);
    /// # Ok::<(), rdm::NoiseError>(())
    /// ```
    pub fn from_covariance(covariance: ArrayView2<f64>) -> Result<NoiseModel, NoiseError> {
        let covariance = checked(covariance)?;
        let n_channels = covariance.nrows();
        let factor = Cholesky::new(covariance.view()).map_err(|_| NoiseError::NotPositive { n_channels })?;
        Ok(NoiseModel { covariance, factor, root: OnceLock::new(), intensity: None, dof: None })
    }

    /// From the inverse of the covariance, rsatoolbox's `noise`. It is inverted, so that distances keep as many digits
    /// as its condition leaves.
    pub fn from_precision(precision: ArrayView2<f64>) -> Result<NoiseModel, NoiseError> {
        let precision = checked(precision)?;
        let n_channels = precision.nrows();
        let not_positive = || NoiseError::NotPositive { n_channels };
        let factor = Cholesky::new(precision.view()).map_err(|_| not_positive())?;
        let inverse = factor.solve(Array2::eye(n_channels).view()).map_err(|_| not_positive())?;
        NoiseModel::from_covariance(((&inverse + &inverse.t()) / 2.0).view())
    }
}

fn checked(matrix: ArrayView2<f64>) -> Result<Array2<f64>, NoiseError> {
    if matrix.is_empty() {
        let (rows, columns) = matrix.dim();
        return Err(NoiseError::NotSquare { rows, columns });
    }
    symmetric(matrix).map_err(|why| match why {
        Asymmetry::NotSquare { rows, columns } => NoiseError::NotSquare { rows, columns },
        Asymmetry::NotFinite { row, column, value } => NoiseError::EntryNotFinite { row, column, value },
        Asymmetry::Differs { row, column, upper, lower } => NoiseError::NotSymmetric { row, column, upper, lower },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shrinkage;
    use crate::testing::noise;
    use ndarray::array;

    #[test]
    fn given_noise_whitens_as_the_estimate_that_it_is() {
        let estimated = NoiseModel::from_residuals(noise(60, 5, 5).view(), None, Shrinkage::Eye).unwrap();
        let x = noise(4, 5, 6);
        let expected = estimated.whiten(x.clone()).unwrap();
        let covariance = NoiseModel::from_covariance(estimated.covariance().view()).unwrap();
        assert_eq!(covariance.whiten(x.clone()).unwrap(), expected);
        assert_eq!((covariance.dof(), covariance.intensity()), (None, None));
        let precision = NoiseModel::from_precision(estimated.precision().view()).unwrap();
        for (f, e) in precision.whiten(x).unwrap().iter().zip(&expected) {
            assert!((f - e).abs() < 1e-12);
        }
    }

    #[test]
    fn what_is_no_covariance_is_refused() {
        for of in [NoiseModel::from_covariance, NoiseModel::from_precision] {
            let error = |matrix: Array2<f64>| of(matrix.view()).unwrap_err();
            assert_eq!(error(Array2::zeros((2, 3))), NoiseError::NotSquare { rows: 2, columns: 3 });
            let skew = array![[1.0, 0.5], [0.4, 1.0]];
            assert_eq!(error(skew), NoiseError::NotSymmetric { row: 0, column: 1, upper: 0.5, lower: 0.4 });
            let error_of_nan = error(array![[1.0, f64::INFINITY], [0.4, 1.0]]);
            assert_eq!(error_of_nan, NoiseError::EntryNotFinite { row: 0, column: 1, value: f64::INFINITY });
            assert_eq!(error(array![[1.0, 2.0], [2.0, 1.0]]), NoiseError::NotPositive { n_channels: 2 });
            assert_eq!(error(Array2::zeros((3, 3))), NoiseError::NotPositive { n_channels: 3 });
        }
    }
}
