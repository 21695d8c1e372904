use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::svd::{self, ComputeSvdVectors};
use faer::{Mat, Par};
use ndarray::{Array1, Array2, ArrayView2};

use crate::LinearAlgebraError;
use crate::real::faer_view;

/// The singular values of any matrix, descending; as many as its shorter side is long.
///
/// Small ones are accurate to rounding of the largest, which the roots of the eigenvalues of `a' a` are not. Runs on
/// one thread, as [`crate::symmetric_eigen`] does: decompose several matrices at once to use more.
///
/// ```
/// use ndarray::array;
/// let a = array![[0.0, 2.0], [-3.0, 0.0], [0.0, 0.0]];
/// let values = linear_algebra::singular_values(a.view())?;
/// assert!((values[0] - 3.0).abs() < 1e-15 && (values[1] - 2.0).abs() < 1e-15);
/// # Ok::<(), linear_algebra::LinearAlgebraError>(())
/// ```
pub fn singular_values(a: ArrayView2<f64>) -> Result<Array1<f64>, LinearAlgebraError> {
    finite(a)?;
    let (rows, columns) = a.dim();
    let n = rows.min(columns);
    if n == 0 {
        return Ok(Array1::zeros(0));
    }
    let mut values = Diag::<f64>::zeros(n);
    let none = ComputeSvdVectors::No;
    let scratch = svd::svd_scratch::<f64>(rows, columns, none, none, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut memory);
    svd::svd(faer_view(a), values.as_mut(), None, None, Par::Seq, stack, Default::default())
        .map_err(|_| LinearAlgebraError::NoConvergence { n })?;
    Ok((0..n).map(|i| values[i]).collect())
}

fn finite(a: ArrayView2<f64>) -> Result<(), LinearAlgebraError> {
    match a.indexed_iter().find(|(_, v)| !v.is_finite()) {
        Some(((row, column), &value)) => Err(LinearAlgebraError::NotFinite { row, column, value }),
        None => Ok(()),
    }
}

/// `a = left diag(values) right'` of a matrix `n x p`, with as many axes `k` as its shorter side is long.
#[derive(Debug, Clone)]
pub struct ThinSvd {
    /// Orthonormal columns, `n x k`.
    pub left: Array2<f64>,
    /// Singular values, descending.
    pub values: Array1<f64>,
    /// Orthonormal columns, `p x k`. The sign of a pair of vectors is arbitrary.
    pub right: Array2<f64>,
}

/// Singular values and vectors of any matrix, on one thread: see [`singular_values`].
///
/// ```
/// use ndarray::array;
/// let svd = linear_algebra::thin_svd(array![[3.0, 0.0], [0.0, 2.0], [0.0, 0.0]].view())?;
/// assert_eq!((svd.left.dim(), svd.right.dim()), ((3, 2), (2, 2)));
/// assert!((svd.left[(1, 1)] * svd.values[1] * svd.right[(1, 1)] - 2.0).abs() < 1e-15);
/// # Ok::<(), linear_algebra::LinearAlgebraError>(())
/// ```
pub fn thin_svd(a: ArrayView2<f64>) -> Result<ThinSvd, LinearAlgebraError> {
    finite(a)?;
    let (rows, columns) = a.dim();
    let n = rows.min(columns);
    if n == 0 {
        let none = |side: usize| Array2::zeros((side, 0));
        return Ok(ThinSvd { left: none(rows), values: Array1::zeros(0), right: none(columns) });
    }
    let mut values = Diag::<f64>::zeros(n);
    let (mut left, mut right) = (Mat::<f64>::zeros(rows, n), Mat::<f64>::zeros(columns, n));
    let thin = ComputeSvdVectors::Thin;
    let scratch = svd::svd_scratch::<f64>(rows, columns, thin, thin, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(scratch);
    svd::svd(
        faer_view(a),
        values.as_mut(),
        Some(left.as_mut()),
        Some(right.as_mut()),
        Par::Seq,
        MemStack::new(&mut memory),
        Default::default(),
    )
    .map_err(|_| LinearAlgebraError::NoConvergence { n })?;
    Ok(ThinSvd {
        left: Array2::from_shape_fn((rows, n), |(i, j)| left[(i, j)]),
        values: (0..n).map(|i| values[i]).collect(),
        right: Array2::from_shape_fn((columns, n), |(i, j)| right[(i, j)]),
    })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};

    use super::{singular_values, thin_svd};
    use crate::testing::{noise, with_threads};
    use crate::{LinearAlgebraError, cross_gram, product, symmetric_eigen};

    #[test]
    fn squares_are_the_eigenvalues_of_the_gram_matrix() {
        for (n, p) in [(1, 1), (5, 3), (3, 5), (70, 40), (40, 200)] {
            let a = noise::<f64>(n, p, 3);
            let values = singular_values(a.view()).unwrap();
            let eigen = symmetric_eigen(cross_gram(a.view()).to_array().view()).unwrap();
            assert_eq!(values.len(), n.min(p));
            assert!(values.windows(2).into_iter().all(|w| w[0] >= w[1]));
            for (value, square) in values.iter().zip(eigen.values.iter().rev()) {
                // 1e-12: roundings of the Gram matrix, of which the largest eigenvalue is some 10
                assert!((value * value - square).abs() < 1e-12, "{n} x {p}: {value} {square}");
            }
            assert_eq!(singular_values(a.t()).unwrap().len(), values.len());
        }
    }

    #[test]
    fn small_values_keep_the_digits_that_a_gram_matrix_loses() {
        // rank 2 of 30: the roots of eigenvalues would be 1e-8 where these are 1e-15
        let a = product(noise::<f64>(30, 2, 1).view(), noise::<f64>(2, 30, 2).view());
        let values = singular_values(a.view()).unwrap();
        assert!(values[1] > 0.1 && values.slice(s![2..]).iter().all(|v| *v < 1e-14));
    }

    #[test]
    fn vectors_rebuild_the_matrix_whichever_side_is_longer() {
        for (n, p) in [(1, 1), (5, 3), (3, 5), (70, 40), (40, 200)] {
            let a = noise::<f64>(n, p, 6);
            let svd = thin_svd(a.view()).unwrap();
            let rebuilt = product((&svd.left * &svd.values).view(), svd.right.t());
            assert!((&rebuilt - &a).iter().all(|d| d.abs() < 1e-13), "{n} x {p}");
            for vectors in [&svd.left, &svd.right] {
                let identity = product(vectors.t(), vectors.view());
                assert!((&identity - &Array2::<f64>::eye(n.min(p))).iter().all(|d| d.abs() < 1e-13));
            }
            let difference = &svd.values - &singular_values(a.view()).unwrap();
            assert!(difference.iter().all(|d| d.abs() < 1e-13));
        }
        let nothing = thin_svd(Array2::zeros((4, 0)).view()).unwrap();
        assert_eq!((nothing.left.dim(), nothing.right.dim()), ((4, 0), (0, 0)));
        assert!(thin_svd(array![[f64::NAN]].view()).is_err());
    }

    #[test]
    fn same_bytes_for_any_number_of_threads() {
        let a = noise::<f64>(200, 150, 4);
        assert_eq!(
            with_threads(1, || singular_values(a.view()).unwrap()),
            with_threads(4, || singular_values(a.view()).unwrap())
        );
    }

    #[test]
    fn refuses_what_is_not_finite_and_takes_what_is_empty() {
        assert!(matches!(
            singular_values(array![[1.0, f64::NAN]].view()),
            Err(LinearAlgebraError::NotFinite { row: 0, column: 1, .. })
        ));
        assert_eq!(singular_values(Array2::zeros((0, 3)).view()).unwrap().len(), 0);
        assert_eq!(singular_values(Array2::zeros((3, 2)).view()).unwrap().to_vec(), [0.0, 0.0]);
    }
}
