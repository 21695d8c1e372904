//! Representational dissimilarity matrices: making them, comparing them, pooling them, their noise ceiling.
//!
//! An [`Rdm`] keeps the strict upper triangle row by row, (0,1), (0,2), ..., (1,2), ..., as SciPy's `pdist`
//! does, in `f64`. Patterns are rows (stimuli), units are columns. No function here reads a file, and none
//! looks at labels to align two RDMs: join them by id first, with [`Rdm::select`].
//!
//! A pair of stimuli without a distance is `NaN` and keeps its place; comparisons leave such pairs out and
//! return how many ([`Compared::n_nan`]).
#![warn(missing_docs)]

mod ceiling;
mod compare;
mod distance;
mod error;
mod isotonic;
mod linkage;
mod matrix;
mod mds;
mod pool;
mod searchlight;

pub use ceiling::{NoiseCeiling, noise_ceiling};
pub use compare::{Compared, compare, compare_all};
pub use distance::{Distance, Distances, UnusableRow, distances};
pub use error::RdmError;
pub use linkage::{Linkage, Merge, MissingPairs, leaf_order, linkage};
pub use matrix::Rdm;
pub use mds::{
    ClassicalMds, Embedding, MdsError, Scaling, Stopping, classical_mds, smacof, smacof_of_starts, stress_1,
};
pub use pool::pool;
pub use searchlight::{Models, searchlight};
/// How two RDMs are compared: the coefficient over their pairs of stimuli.
pub use statistics::Correlation as Comparison;
/// Why a pattern has no distances.
pub use statistics::Reason;
