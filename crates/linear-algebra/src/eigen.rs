use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{self, ComputeEigenvectors};
use faer::{Mat, Par};
use ndarray::{Array1, Array2, ArrayView2, ShapeBuilder};

use crate::LinearAlgebraError;
use crate::error::finite_square;
use crate::real::faer_view;

/// `a = vectors diag(values) vectors'`.
#[derive(Debug, Clone)]
pub struct SymmetricEigen {
    /// Eigenvalues, ascending.
    pub values: Array1<f64>,
    /// Orthonormal eigenvectors, one per column, in the order of the values. The sign of a vector is arbitrary.
    pub vectors: Array2<f64>,
}

/// Eigenvalues and eigenvectors of a symmetric matrix, of which only the lower triangle is read.
///
/// Runs on one thread: the backend's parallel reduction sums in an order that depends on the number of
/// threads. Decompose several matrices at once to use more.
pub fn symmetric_eigen(a: ArrayView2<f64>) -> Result<SymmetricEigen, LinearAlgebraError> {
    let n = finite_square(a)?;
    if n == 0 {
        return Ok(SymmetricEigen { values: Array1::zeros(0), vectors: Array2::zeros((0, 0)) });
    }
    let mut values = Diag::<f64>::zeros(n);
    let mut vectors = Mat::<f64>::zeros(n, n);
    let scratch = evd::self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(scratch);
    evd::self_adjoint_evd(
        faer_view(a),
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut memory),
        Default::default(),
    )
    .map_err(|_| LinearAlgebraError::NoConvergence { n })?;
    let values = (0..n).map(|i| values[i]).collect();
    let mut columns = Vec::with_capacity(n * n);
    for j in 0..n {
        columns.extend((0..n).map(|i| vectors[(i, j)]));
    }
    let vectors = Array2::from_shape_vec((n, n).f(), columns).unwrap_or_default();
    Ok(SymmetricEigen { values, vectors })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::symmetric_eigen;
    use crate::LinearAlgebraError;
    use crate::testing::{noise, with_threads};
    use crate::{gram, product};

    #[test]
    fn two_by_two_by_hand() {
        // [[2,1],[1,2]]: 1 with (1,-1)/sqrt 2, 3 with (1,1)/sqrt 2; what stands above the diagonal is not read
        let eigen = symmetric_eigen(array![[2.0, 99.0], [1.0, 2.0]].view()).unwrap();
        assert!((eigen.values[0] - 1.0).abs() < 1e-15 && (eigen.values[1] - 3.0).abs() < 1e-15);
        let v = eigen.vectors.column(1);
        assert!((v[0] - v[1]).abs() < 1e-15 && (v[0].abs() - 0.5f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn vectors_rebuild_a_rank_deficient_matrix() {
        let n = 150;
        let a = gram(noise::<f64>(n, 40, 1).view()).to_array();
        let eigen = symmetric_eigen(a.view()).unwrap();
        let scaled = &eigen.vectors * &eigen.values;
        let rebuilt = product(scaled.view(), eigen.vectors.t());
        let identity = product(eigen.vectors.t(), eigen.vectors.view());
        let largest = a.diag().iter().fold(0.0f64, |m, v| m.max(*v)) * 40.0;
        assert!((&rebuilt - &a).iter().all(|d| d.abs() < 1e-14 * largest));
        assert!((&identity - &Array2::<f64>::eye(n)).iter().all(|d| d.abs() < 1e-13));
        assert!(eigen.values.windows(2).into_iter().all(|w| w[0] <= w[1]));
        assert!(eigen.values.iter().take(n - 40).all(|v| v.abs() < 1e-13 * largest));
    }

    #[test]
    fn same_bytes_for_any_number_of_threads() {
        let a = gram(noise::<f64>(300, 400, 2).view()).to_array();
        let one = with_threads(1, || symmetric_eigen(a.view()).unwrap());
        let many = with_threads(4, || symmetric_eigen(a.view()).unwrap());
        assert_eq!(one.values, many.values);
        assert_eq!(one.vectors, many.vectors);
    }

    #[test]
    fn refuses_what_is_not_finite_or_not_square() {
        let mut a = Array2::<f64>::eye(3);
        a[(1, 2)] = f64::INFINITY;
        assert_eq!(
            symmetric_eigen(a.view()).unwrap_err(),
            LinearAlgebraError::NotFinite { row: 1, column: 2, value: f64::INFINITY }
        );
        assert_eq!(
            symmetric_eigen(Array2::zeros((2, 3)).view()).unwrap_err(),
            LinearAlgebraError::NotSquare { rows: 2, columns: 3 }
        );
        assert_eq!(symmetric_eigen(Array2::zeros((0, 0)).view()).unwrap().values.len(), 0);
    }
}
