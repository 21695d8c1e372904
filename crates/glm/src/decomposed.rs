//! A design matrix as an orthonormal basis of what it explains.

use linear_algebra::{plain_product, thin_svd};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use crate::GlmError;

/// `X = basis (inverse)^-1`, as far as `X` has rank.
///
/// Columns are brought to length 1 first, so that what counts as dependent does not hang on the units of a confound.
pub(crate) struct Decomposed {
    /// Orthonormal columns, `n x rank`.
    pub basis: Array2<f64>,
    /// From coordinates in the basis to coefficients of the columns, `p x rank`.
    pub inverse: Array2<f64>,
    /// Coefficients that add up to nothing, `p x (p - rank)`, for columns of length 1.
    pub null: Array2<f64>,
    /// Lengths of the columns; 1 for one that is 0 throughout.
    pub lengths: Array1<f64>,
    /// Singular values of the columns of length 1, descending.
    pub values: Array1<f64>,
    /// The right singular vectors, `p x p`.
    pub right: Array2<f64>,
}

impl Decomposed {
    /// Needs at least as many rows as columns.
    pub(crate) fn new(x: ArrayView2<f64>) -> Result<Decomposed, GlmError> {
        let (n, p) = x.dim();
        let lengths = x.map_axis(Axis(0), |column| {
            let length = column.dot(&column).sqrt();
            if length > 0.0 { length } else { 1.0 }
        });
        let svd = thin_svd((&x / &lengths).view())?;
        let most = svd.values.first().copied().unwrap_or(0.0);
        // numpy.linalg.matrix_rank's and SciPy's rule.
        let least = most * f64::EPSILON * n.max(p) as f64;
        let rank = svd.values.iter().filter(|value| **value > least).count();
        let basis = svd.left.slice(s![.., ..rank]).to_owned();
        let mut inverse = svd.right.slice(s![.., ..rank]).to_owned();
        for ((row, column), value) in inverse.indexed_iter_mut() {
            *value /= svd.values[column] * lengths[row];
        }
        let null = svd.right.slice(s![.., rank..]).to_owned();
        Ok(Decomposed { basis, inverse, null, lengths, values: svd.values, right: svd.right })
    }

    pub(crate) fn rank(&self) -> usize {
        self.basis.ncols()
    }

    /// Coordinates in the basis of each column of `y` (`n x v`): `rank x v`.
    pub(crate) fn coordinates(&self, y: ArrayView2<f64>) -> Array2<f64> {
        product(self.basis.t(), y)
    }

    /// What the basis leaves of `y`, given its coordinates.
    pub(crate) fn residuals(&self, y: ArrayView2<f64>, coordinates: ArrayView2<f64>) -> Array2<f64> {
        let mut residuals = product(self.basis.view(), coordinates);
        ndarray::Zip::from(&mut residuals).and(y).for_each(|fitted, &y| *fitted = y - *fitted);
        residuals
    }

    /// Whether a combination of coefficients is one number whatever solution is taken, to a millionth of it.
    pub(crate) fn is_estimable(&self, weights: ndarray::ArrayView1<f64>) -> bool {
        let scaled = &weights / &self.lengths;
        let size = scaled.dot(&scaled).sqrt();
        self.null.columns().into_iter().all(|null| null.dot(&scaled).abs() <= 1e-6 * size)
    }
}

/// `a b` on one thread: blocks of voxels are what runs side by side.
pub(crate) fn product(a: ArrayView2<f64>, b: ArrayView2<f64>) -> Array2<f64> {
    let mut out = Array2::zeros((a.nrows(), b.ncols()));
    if let Some(out) = out.as_slice_mut().filter(|out| !out.is_empty()) {
        plain_product(a, b, out);
    }
    out
}
