use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::{Mat, Par};
use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::LinearAlgebraError;
use crate::error::finite_square;

/// The factor `L` of a symmetric positive definite matrix `a = L L'`.
///
/// ```
/// use linear_algebra::Cholesky;
/// use ndarray::array;
/// let factor = Cholesky::new(array![[4.0, 2.0], [2.0, 5.0]].view())?;
/// // 4 * 1 + 2 * 2 = 8; 2 * 1 + 5 * 2 = 12
/// assert_eq!(factor.solve(array![[8.0], [12.0]].view())?, array![[1.0], [2.0]]);
/// # Ok::<(), linear_algebra::LinearAlgebraError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cholesky {
    lower: Mat<f64>,
}

impl Cholesky {
    /// Factors `a`, of which only the lower triangle is read.
    pub fn new(a: ArrayView2<f64>) -> Result<Cholesky, LinearAlgebraError> {
        let n = finite_square(a)?;
        let mut lower = Mat::from_fn(n, n, |i, j| a[(i, j)]);
        let scratch = llt::factor::cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default());
        let mut memory = MemBuffer::new(scratch);
        llt::factor::cholesky_in_place(
            lower.as_mut(),
            Default::default(),
            Par::Seq,
            MemStack::new(&mut memory),
            Default::default(),
        )
        .map_err(|llt::factor::LltError::NonPositivePivot { index }| {
            LinearAlgebraError::NotPositiveDefinite { order: index + 1, n }
        })?;
        Ok(Cholesky { lower })
    }

    /// The diagonal of `L`. Twice the sum of its logarithms is that of the determinant of `a`; its squares over the
    /// diagonal of `a` say what share of each row is not explained by those before it.
    ///
    /// ```
    /// # use linear_algebra::Cholesky;
    /// # use ndarray::array;
    /// // [4 2; 2 5] = L L' with L = [2 0; 1 2]
    /// assert_eq!(Cholesky::new(array![[4.0, 2.0], [2.0, 5.0]].view())?.diagonal(), array![2.0, 2.0]);
    /// # Ok::<(), linear_algebra::LinearAlgebraError>(())
    /// ```
    pub fn diagonal(&self) -> Array1<f64> {
        (0..self.lower.nrows()).map(|i| self.lower[(i, i)]).collect()
    }

    /// `x` with `a x = b`, for every column of `b`.
    pub fn solve(&self, b: ArrayView2<f64>) -> Result<Array2<f64>, LinearAlgebraError> {
        let n = self.lower.nrows();
        if b.nrows() != n {
            return Err(LinearAlgebraError::RowsDiffer { rows: b.nrows(), n });
        }
        let mut x = Mat::from_fn(n, b.ncols(), |i, j| b[(i, j)]);
        let scratch = llt::solve::solve_in_place_scratch::<f64>(n, b.ncols(), Par::Seq);
        let mut memory = MemBuffer::new(scratch);
        llt::solve::solve_in_place(self.lower.as_ref(), x.as_mut(), Par::Seq, MemStack::new(&mut memory));
        Ok(Array2::from_shape_fn(b.dim(), |(i, j)| x[(i, j)]))
    }
}

/// Rows that are solved for together by one thread; fixed, so that the bytes are.
const ROWS_AT_ONCE: usize = 64;

impl Cholesky {
    /// Turns every row `x` (`n_rows x n`) into `L^-1 x`, in place: rows whose covariance was `a` then have the
    /// identity as covariance, and their squared differences are Mahalanobis distances.
    pub fn whiten_rows(&self, rows: &mut Array2<f64>) -> Result<(), LinearAlgebraError> {
        let n = self.lower.nrows();
        if rows.ncols() != n {
            return Err(LinearAlgebraError::RowsDiffer { rows: rows.ncols(), n });
        }
        // Rows in another order are no slices, and would be left as they are.
        if !rows.is_standard_layout() {
            *rows = rows.as_standard_layout().into_owned();
        }
        rows.axis_chunks_iter_mut(Axis(0), ROWS_AT_ONCE).into_par_iter().for_each(|mut chunk| {
            let count = chunk.nrows();
            if let Some(values) = chunk.as_slice_mut() {
                let columns = faer::MatMut::from_column_major_slice_mut(values, n, count);
                faer::linalg::triangular_solve::solve_lower_triangular_in_place(self.lower.as_ref(), columns, Par::Seq);
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::Cholesky;
    use crate::testing::noise;
    use crate::{LinearAlgebraError, gram, product};

    #[test]
    fn solution_gives_back_the_right_hand_side() {
        let a = gram(noise::<f64>(120, 200, 1).view()).to_array();
        let b = noise::<f64>(120, 7, 2);
        let x = Cholesky::new(a.view()).unwrap().solve(b.view()).unwrap();
        let residual = &product(a.view(), x.view()) - &b;
        // condition of this matrix is below 1e3
        assert!(residual.iter().all(|r| r.abs() < 1e-12));
    }

    #[test]
    fn whitened_rows_have_mahalanobis_distances() {
        // [4 2; 2 5] = L L' with L = [2 0; 1 2]: (2, 5) becomes (1, 2)
        let mut rows = array![[2.0, 5.0]];
        Cholesky::new(array![[4.0, 2.0], [2.0, 5.0]].view()).unwrap().whiten_rows(&mut rows).unwrap();
        assert_eq!(rows, array![[1.0, 2.0]]);
        // in Fortran order as well
        let mut turned = array![[2.0, 4.0], [5.0, 2.0]].reversed_axes();
        Cholesky::new(array![[4.0, 2.0], [2.0, 5.0]].view()).unwrap().whiten_rows(&mut turned).unwrap();
        assert_eq!(turned, array![[1.0, 2.0], [2.0, 0.0]]);
        let a = gram(noise::<f64>(90, 200, 3).view()).to_array();
        let factor = Cholesky::new(a.view()).unwrap();
        let x = noise::<f64>(150, 90, 4);
        let mut white = x.clone();
        factor.whiten_rows(&mut white).unwrap();
        let solved = factor.solve(x.t()).unwrap();
        let (expected, found) = (product(x.view(), solved.view()), gram(white.view()).to_array());
        assert!(expected.iter().zip(&found).all(|(e, f)| (e - f).abs() < 1e-11 * expected[(0, 0)].abs()));
        let one = crate::testing::with_threads(1, || {
            let mut again = x.clone();
            factor.whiten_rows(&mut again).unwrap();
            again
        });
        assert_eq!(one, white);
        let error = factor.whiten_rows(&mut Array2::zeros((3, 89))).unwrap_err();
        assert_eq!(error, LinearAlgebraError::RowsDiffer { rows: 89, n: 90 });
    }

    #[test]
    fn names_the_first_part_that_is_not_positive_definite() {
        let a = array![[1.0, 0.0, 0.0], [0.0, 4.0, 2.0], [0.0, 2.0, 1.0]];
        let error = Cholesky::new(a.view()).unwrap_err();
        assert_eq!(error, LinearAlgebraError::NotPositiveDefinite { order: 3, n: 3 });
        let factor = Cholesky::new(Array2::eye(2).view()).unwrap();
        let error = factor.solve(Array2::zeros((3, 1)).view()).unwrap_err();
        assert_eq!(error, LinearAlgebraError::RowsDiffer { rows: 3, n: 2 });
    }
}
