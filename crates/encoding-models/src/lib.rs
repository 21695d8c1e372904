//! Voxelwise encoding models: regression from features to responses, judged on held-out stimuli.
//!
//! Rows are stimuli, columns are features or voxels. Nothing here reads a file or prints. Penalties are relative to
//! the spectrum of the features ([`AlphaGrid`]) and chosen inside the training rows.
#![warn(missing_docs)]

mod alphas;
mod fraction;
mod lasso;
mod linear;
mod ols;
mod pls;
mod ridge;
mod rotation;
mod scaling;
mod score;

pub use alphas::{AlphaGrid, AlphaGridError};
pub use fraction::{Coordinates, FractionAlpha, FractionModel, FractionSolver, FractionalRidge};
pub use lasso::{Lasso, LassoAlphas, LassoModel, LassoOptions};
pub use linear::{FitError, LinearModel, Preparation};
pub use ols::Ols;
pub use pls::Pls;
pub use ridge::{ChosenAlphas, CrossValidated, Inner, RidgeError, RidgeModel, RidgeOptions, cross_validate, fit};
pub use scaling::{ColumnScaling, Scaling};
pub use score::{Score, score};
