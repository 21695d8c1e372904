//! Dense linear algebra on ndarray views: products, Gram matrices, symmetric eigenvectors, singular vectors, Cholesky,
//! principal components, random projection, the penalty of a ridge model whose weights have a fraction of their length.
//!
//! Rows are stimuli, columns are units or voxels; views go in, `ndarray` arrays come out. The backend
//! (faer) is named in this crate only and none of its types leave it.
//!
//! **Precision.** `f32` input is multiplied in `f32`, but never over more than [`PANEL`] columns at a time:
//! the panels' results are summed in `f64`, so the error does not grow with the width of a layer. Results
//! are `f64` whatever the input.
//!
//! **Determinism.** Work is cut into tiles and panels of fixed size, each is multiplied by one thread, and
//! panels are added in their order. The same bytes come out for any number of threads, and a
//! [`GramAccumulator`] gives the bytes of [`gram`] however the columns were cut into blocks. The promise is
//! for one kind of processor: another instruction set may round differently.
//!
//! No cross-validation, no scores, no files.
#![warn(missing_docs)]

mod cholesky;
mod eigen;
mod error;
mod fraction;
mod gram;
mod mixture;
mod pca;
mod product;
mod projection;
mod real;
mod residuals;
mod singular;

pub use cholesky::Cholesky;
pub use eigen::{SymmetricEigen, symmetric_eigen};
pub use error::LinearAlgebraError;
pub use fraction::{Coordinates, FractionAlpha, FractionSolver};
pub use gram::{Gram, GramAccumulator, cross_gram, gram};
pub use mixture::add_mixtures;
pub use pca::Pca;
pub use product::{PANEL, cross_product, plain_product, product};
pub use projection::{SparseProjection, johnson_lindenstrauss_dim};
pub use real::Real;
pub use residuals::{Panels, residual_squares};
pub use singular::{ThinSvd, singular_values, thin_svd};

#[cfg(test)]
mod testing {
    use crate::Real;
    use ndarray::Array2;

    /// Uniform noise between -1/2 and 1/2, the same for the same seed.
    pub fn noise<T: Real>(n: usize, p: usize, seed: u64) -> Array2<T> {
        let mut state = seed;
        Array2::from_shape_simple_fn((n, p), || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            T::from_f64((state >> 40) as f64 / (1u64 << 24) as f64 - 0.5)
        })
    }

    pub fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
    }
}
