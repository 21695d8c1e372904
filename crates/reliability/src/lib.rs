//! How well repeated measurements, or different people, agree: the ceilings that a model's scores stand under.
//!
//! Every quantity says what it bounds. A *reliability* (Spearman-Brown stepped split-half, or a noise ceiling as a
//! fraction of variance) is the largest squared correlation that a noiseless model can reach with the measured data: it
//! bounds r². Its square root [`r_max`] bounds r. Values are never clipped, and a negative reliability has no root.
//! Rows are presentations (trials), columns are voxels; repeats are told by their stimulus id. No file is read here.
#![warn(missing_docs)]

mod between;
mod columns;
mod design;
mod explainable;
pub mod gsn;
mod ncsnr;
mod one_against_rest;
mod repeats;
mod spearman_brown;
mod split_half;

pub use between::{
    Agreement, BetweenError, Group, between_subjects, between_subjects_by_voxel, cronbach_alpha, median_of_pairs,
    noise_corrected, pairwise,
};
pub use design::{Cells, Components, DesignError, Drawn, Found, Study, repeats_for};
pub use explainable::{ExplainableVariance, explainable_variances};
pub use ncsnr::{NoiseCeiling, noise_ceiling, noise_ceilings, nsd_noise_ceilings, z_score_within};
pub use one_against_rest::{OneAgainstRest, one_against_rest, single_trial_reliability};
pub use repeats::{RepeatError, Repeats};
pub use spearman_brown::{r_max, spearman_brown};
pub use split_half::{
    Split, SplitHalf, Splitting, Stepped, average_occurrences, averages, balanced_splits, presentations_to_split,
    reliability_of_averages, reliability_of_measure, split_half_reliability, stepped_up, what_is_split,
};
