//! Correlations, ranks, ROC areas, moments, quantiles, concentration, survival functions, multiple comparisons, folds
//! and seeded draws.
//!
//! Everything here takes slices of `f64` and returns `f64`. Nothing reads a file and nothing prints.
//! `NaN` in gives `NaN` out: no function drops, zeroes or clips a value. Two slices that belong together must
//! have the same length; that is the caller's check, and a function that finds them unequal panics with both numbers.
#![warn(missing_docs)]

pub mod centring;
pub mod concentration;
pub mod concordance;
pub mod correlation;
pub mod deviates;
pub mod distributions;
pub mod fdr;
pub mod folds;
pub mod hypergeometric;
pub mod mean_test;
pub mod moments;
pub mod quantile;
pub mod random;
pub mod ranks;
mod reason;
pub mod roc;
pub mod rounding;
pub mod set_overlap;
pub mod signed_rank;
mod special;

pub use centring::Centre;
pub use concentration::{gini, normalized_entropy, share_nonempty};
pub use correlation::{Correlation, bounded, cosine, kendall_tau_a, kendall_tau_b, pearson, rho_a, spearman};
pub use deviates::{f_ln_tails, z_of_f, z_of_t};
pub use distributions::{
    ln_to_neg_log10, normal_ln_sf, normal_sf, student_t_ln_sf, student_t_quantile, student_t_sf, student_t_two_sided_p,
};
pub use fdr::Correction;
pub use folds::{FoldError, FoldOrder, Folds, folds_of_set, halves_within, k_folds};
pub use hypergeometric::Hypergeometric;
pub use moments::{Moments, dot, mean, sum, variance};
pub use quantile::{BoxPlot, median, quantile};
pub use random::Draws;
pub use ranks::average_ranks;
pub use reason::Reason;
pub use roc::{roc_area, roc_area_of_ranks};
pub use set_overlap::{SetOverlap, exact_memberships};
pub use special::ln_gamma;
