//! Voxelwise encoding models: regression from features to responses, judged on held-out stimuli.
//!
//! Rows are stimuli, columns are features or voxels. Nothing here reads a file or prints. Penalties are relative to
//! the spectrum of the features ([`AlphaGrid`]) and chosen inside the training rows.
#![warn(missing_docs)]

mod ablation;
mod alphas;
mod bands;
mod chance;
mod choice;
mod columns;
mod duplicates;
mod error;
mod features;
mod fraction;
mod judge;
mod lasso;
mod linear;
mod matched_draws;
mod memory;
mod methods;
mod mixes;
mod ols;
mod paired;
mod pls;
mod ridge;
mod rotation;
mod rows;
mod scaling;
mod score;
mod solver;
mod stored;

pub use ablation::{Part, PartFit, PartOptions, cross_validate_parts};
pub use alphas::{AlphaGrid, AlphaGridError, End};
pub use bands::{dirichlet, partition};
pub use chance::Chance;
pub use choice::{AlphaPer, Choice, ChooseBy};
pub use duplicates::near_duplicates;
pub use error::RidgeError;
pub use features::Features;
pub use fraction::{FractionModel, FractionalRidge};
pub use lasso::{Lasso, LassoAlphas, LassoModel, LassoOptions};
pub use linear::{FitError, LinearModel, Preparation};
pub use matched_draws::{MatchedDraws, MatchedDrawsError, quantile_bins};
pub use memory::Memory;
pub use methods::{Fitted, Method};
pub use ols::Ols;
pub use paired::{Paired, paired_test};
pub use pls::Pls;
pub use ridge::{
    CrossValidated, CrossValidation, Inner, RidgeModel, RidgeOptions, Split, cross_validate, fit, fit_rows, is_narrow,
    unusable_voxels,
};
pub use rows::{ReadRows, Rows};
pub use scaling::{ColumnScaling, Scaling};
pub use score::{HeldOut, Score, ScoreOver, own_means, score};
pub use solver::Want;
pub use stored::{Stored, StoredArray};
