//! Voxelwise encoding models: ridge regression from features to responses, judged on held-out stimuli.
//!
//! Rows are stimuli, columns are features or voxels. The maths is in [`cross_validate`] and [`fit`]; penalties
//! are relative to the spectrum ([`AlphaGrid`]) and chosen per voxel inside the training rows.
#![warn(missing_docs)]

mod alphas;
mod ridge;
mod rotation;
mod scaling;
mod score;

pub use alphas::{AlphaGrid, AlphaGridError};
pub use ridge::{ChosenAlphas, CrossValidated, Inner, RidgeError, RidgeModel, RidgeOptions, cross_validate, fit};
pub use scaling::{ColumnScaling, Scaling};
pub use score::{Score, mean_r_over_folds, score};
