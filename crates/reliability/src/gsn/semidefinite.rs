//! Covariances without negative variances in any direction.

use linear_algebra::{Cholesky, LinearAlgebraError, SymmetricEigen, product, symmetric_eigen};
use ndarray::{Array2, Axis};

/// What is added to the variances of a matrix that is singular after its negative eigenvalues were set to 0, as a
/// share of their mean. The authors add this number itself, whatever unit the responses have.
const RIDGE: f64 = 1e-10;

/// The positive semidefinite matrix nearest to a symmetric one (Frobenius norm; Higham 1988): itself where it has a
/// Cholesky factor, else the one without its negative eigenvalues.
pub(super) fn nearest_semidefinite(matrix: Array2<f64>) -> Result<Array2<f64>, LinearAlgebraError> {
    if factors(&matrix)? {
        return Ok(matrix);
    }
    let mut clipped = with_eigenvalues(&symmetric_eigen(matrix.view())?, |value| value.max(0.0));
    if !factors(&clipped)? {
        let size = matrix.diag().iter().map(|v| v.abs()).sum::<f64>() / matrix.nrows() as f64;
        clipped.diag_mut().map_inplace(|v| *v += RIDGE * size);
    }
    Ok(clipped)
}

fn factors(matrix: &Array2<f64>) -> Result<bool, LinearAlgebraError> {
    match Cholesky::new(matrix.view()) {
        Ok(_) => Ok(true),
        Err(LinearAlgebraError::NotPositiveDefinite { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

/// The matrix of the same eigenvectors, exactly symmetric.
fn with_eigenvalues(eigen: &SymmetricEigen, of: impl Fn(f64) -> f64) -> Array2<f64> {
    let values = eigen.values.mapv(of).insert_axis(Axis(0));
    let matrix = product((&eigen.vectors * &values).view(), eigen.vectors.t());
    (&matrix + &matrix.t()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn close(a: &Array2<f64>, b: &Array2<f64>) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-14)
    }

    #[test]
    fn definite_matrices_stay_and_negative_eigenvalues_go() {
        let definite = array![[4.0, 2.0], [2.0, 5.0]];
        assert_eq!(nearest_semidefinite(definite.clone()).unwrap(), definite);
        // [1 2; 2 1] has 3 along (1, 1) and -1 across: what stays is 3/2 everywhere, plus the ridge of 1e-10.
        let clipped = nearest_semidefinite(array![[1.0, 2.0], [2.0, 1.0]]).unwrap();
        assert!(close(&clipped, &array![[1.5 + 1e-10, 1.5], [1.5, 1.5 + 1e-10]]), "{clipped}");
        // In units a million times as large nothing else happens.
        let large = nearest_semidefinite(array![[1e12, 2e12], [2e12, 1e12]]).unwrap();
        assert!(close(&(large / 1e12), &clipped));
        assert!(nearest_semidefinite(array![[f64::NAN]]).is_err());
    }
}
