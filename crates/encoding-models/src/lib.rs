//! Voxelwise encoding models: regression from features to responses, judged on held-out stimuli.
//!
//! Rows are stimuli, columns are features or voxels. Nothing here reads a file or prints. Penalties are relative to
//! the spectrum of the features ([`AlphaGrid`]) and chosen inside the training rows.
#![warn(missing_docs)]

mod alphas;
mod choice;
mod error;
mod features;
mod ridge;
mod rotation;
mod scaling;
mod score;
mod solver;

pub use alphas::{AlphaGrid, AlphaGridError, End};
pub use choice::{AlphaPer, Choice, ChooseBy};
pub use error::RidgeError;
pub use features::Features;
pub use ridge::{
    CrossValidated, CrossValidation, Inner, RidgeModel, RidgeOptions, cross_validate, fit, is_narrow, unusable_voxels,
};
pub use scaling::{ColumnScaling, Scaling};
pub use score::{Score, score};
