//! Representational dissimilarity matrices: making them, comparing them, pooling them, their noise ceiling.
//!
//! An [`Rdm`] keeps the strict upper triangle row by row, (0,1), (0,2), ..., (1,2), ..., as SciPy's `pdist`
//! does, in `f64`. Patterns are rows (stimuli), units are columns. No function here reads a file, and none
//! looks at labels to align two RDMs: join them by id first, with [`Rdm::select`].
//!
//! A pair of stimuli without a distance is `NaN` and keeps its place; comparisons leave such pairs out and
//! return how many ([`Compared::n_nan`]).
#![warn(missing_docs)]

mod alignment;
mod bures;
mod categories;
mod ceiling;
mod compare;
mod comparison;
mod crossvalidated;
mod distance;
mod error;
mod fitted;
pub mod inference;
mod isotonic;
mod linkage;
mod matrix;
mod mds;
mod merge;
mod noise;
mod partial;
mod pool;
mod regression;
mod representation;
mod rescale;
mod searchlight;
mod symmetric;
mod transform;
mod unbalanced;
mod whitening;

pub use alignment::{Aligned, Alignment, AlignmentError, Split};
pub use bures::{NoSecondMoment, SecondMoment, bures_similarity, bures_squared_distance};
pub use categories::same_or_different;
pub use ceiling::{NoiseCeiling, noise_ceiling, noise_ceiling_in_folds, noise_ceiling_of_groups, noise_ceiling_under};
pub use compare::{Compared, compare, compare_all, compare_all_under, compare_within};
pub use comparison::Comparison;
pub use crossvalidated::{
    Design, FoldWeights, Prior, WithPrior, correlation_cv, crossnobis, crossnobis_of_folds, poisson_cv,
    stimulus_covariance,
};
pub use distance::{
    Averaged, Centred, Distance, Distances, Element, Erased, InMemory, Patterns, Power, Selected, UnusableRow, Widened,
    distances, distances_of, gather,
};
pub use error::RdmError;
pub use fitted::{
    Against, CrossValidated, FittedFold, Fold, FoldScores, Folding, ModelKind, Partition, Splits, bootstrap_fitted,
    bootstrap_fitted_in, cross_validate, cross_validate_in, default_folding, default_folding_of_draws, draw_weights,
    fit, fit_of_groups, fold_weights, fold_weights_in, predict, score_fold,
};
pub use linkage::{Linkage, Merge, MissingPairs, leaf_order, linkage, optimal_merges};
pub use matrix::Rdm;
pub use mds::{
    ClassicalMds, Embedding, MdsError, Scaling, Stopping, classical_mds, smacof, smacof_of_starts, stress_1,
};
pub use merge::{Merged, across_groups, merge};
pub use noise::{NoiseError, NoiseModel, Shrinkage};
pub use partial::{ControlledSide, Partial, Scale, compare_partial, noise_ceiling_partial};
pub use pool::{pool, to_be_pooled};
pub use regression::{
    ChosenPenalty, HeldOut, Penalties, Regressed, Regression, bootstrap_regression, bootstrap_regression_each,
    choose_penalties, column_of_shared, column_of_unique, regress, regress_each, regress_held_out,
    regress_held_out_choosing,
};
pub use representation::{MatrixComparison, Representation, Sweep, sweep};
pub use rescale::{MergeError, MergeWeights, Rescale, Rescaled, merge_rescaled};
pub use searchlight::{Models, Residuals, searchlight, searchlight_whitened};
/// Why a pattern has no distances.
pub use statistics::Reason;
pub use transform::{Transform, Transformed};
pub use unbalanced::{unbalanced_correlation, unbalanced_correlation_cv, unbalanced_poisson};
pub use whitening::StimulusCovariance;

#[cfg(test)]
mod testing {
    use ndarray::Array2;

    /// Uniform noise between -1/2 and 1/2, the same for the same seed.
    pub fn noise(n: usize, p: usize, seed: u64) -> Array2<f64> {
        let mut state = seed;
        Array2::from_shape_simple_fn((n, p), || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        })
    }
}
