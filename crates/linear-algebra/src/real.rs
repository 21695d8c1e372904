use faer::linalg::matmul::{self, triangular};
use faer::traits::RealField;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::ArrayView2;

/// The numbers a matrix may hold: `f32` or `f64`.
pub trait Real: sealed::Multiply + Copy + Default + PartialOrd + Send + Sync + 'static {
    /// The same number in `f64`, exactly.
    fn to_f64(self) -> f64;
    /// The nearest number of this type.
    fn from_f64(value: f64) -> Self;
}

// Loops over rows in other crates call these once per value; an incremental build inlines nothing across crates that
// does not say so, and is then thirty times slower.
impl Real for f32 {
    #[inline]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline]
    fn from_f64(value: f64) -> f32 {
        value as f32
    }
}

impl Real for f64 {
    #[inline]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline]
    fn from_f64(value: f64) -> f64 {
        value
    }
}

pub(crate) mod sealed {
    use ndarray::ArrayView2;

    /// One product on one thread; hidden so that the backend stays inside the crate.
    pub trait Multiply: Sized {
        /// Writes `a b_t'` into `out`, row-major, `a.nrows() x b_t.nrows()`. With `lower_only` (square
        /// results) the entries above the diagonal are left as they were.
        fn multiply(out: &mut [Self], a: ArrayView2<Self>, b_t: ArrayView2<Self>, lower_only: bool);
    }
}

impl sealed::Multiply for f32 {
    fn multiply(out: &mut [f32], a: ArrayView2<f32>, b_t: ArrayView2<f32>, lower_only: bool) {
        multiply(out, a, b_t, lower_only, 1.0);
    }
}

impl sealed::Multiply for f64 {
    fn multiply(out: &mut [f64], a: ArrayView2<f64>, b_t: ArrayView2<f64>, lower_only: bool) {
        multiply(out, a, b_t, lower_only, 1.0);
    }
}

fn multiply<T: RealField>(out: &mut [T], a: ArrayView2<T>, b_t: ArrayView2<T>, lower_only: bool, one: T) {
    let (rows, columns) = (a.nrows(), b_t.nrows());
    let dst = MatMut::from_row_major_slice_mut(out, rows, columns);
    let (lhs, rhs) = (faer_view(a), faer_view(b_t).transpose());
    if lower_only {
        use triangular::BlockStructure::{Rectangular, TriangularLower};
        triangular::matmul(dst, TriangularLower, Accum::Replace, lhs, Rectangular, rhs, Rectangular, one, Par::Seq);
    } else {
        matmul::matmul(dst, Accum::Replace, lhs, rhs, one, Par::Seq);
    }
}

/// The backend's view of the same memory.
pub(crate) fn faer_view<'a, T>(a: ArrayView2<'a, T>) -> MatRef<'a, T> {
    let (rows, columns) = a.dim();
    let strides = a.strides();
    // SAFETY: an ndarray view guarantees that every (row, column) inside its shape is a readable element of
    // type T at pointer + row * strides[0] + column * strides[1] for the lifetime 'a, strides counted in
    // elements, which is the contract of `from_raw_parts`.
    unsafe { MatRef::from_raw_parts(a.as_ptr(), rows, columns, strides[0], strides[1]) }
}
