//! Voxelwise encoding models: regression from features to responses, judged on held-out stimuli.
//!
//! Rows are stimuli, columns are features or voxels. Nothing here reads a file or prints. Penalties are relative to
//! the spectrum of the features ([`AlphaGrid`]) and chosen inside the training rows.
#![warn(missing_docs)]

mod ablation;
mod alphas;
mod chance;
mod matched_draws;
mod ridge;
mod rotation;
mod scaling;
mod score;

pub use ablation::{Features, PartFit, cross_validate_parts};
pub use alphas::{AlphaGrid, AlphaGridError};
pub use chance::Chance;
pub use matched_draws::{MatchedDraws, MatchedDrawsError, quantile_bins};
pub use ridge::{ChosenAlphas, CrossValidated, Inner, RidgeError, RidgeModel, RidgeOptions, cross_validate, fit};
pub use scaling::{ColumnScaling, Scaling};
pub use score::{Score, score};
