//! Voxelwise encoding models: ridge regression from features to responses, judged on held-out stimuli.
//!
//! Rows are stimuli, columns are features or voxels. The maths is in [`cross_validate`] and [`fit`]; penalties
//! are relative to the spectrum ([`AlphaGrid`]) and chosen per voxel inside the training rows. [`run`] is the tool.
#![warn(missing_docs)]

mod alphas;
mod args;
mod fit_verb;
mod predict_verb;
mod ridge;
mod rotation;
mod saved_model;
mod scaling;
mod score;

pub use alphas::{AlphaGrid, AlphaGridError};
pub use args::{AlphaCv, Args, FitArgs, FoldOrderArg, PredictArgs, Verb};
pub use ridge::{
    ChosenAlphas, CrossValidated, Inner, RidgeError, RidgeModel, RidgeOptions, cross_validate, cross_validate_watched,
    fit,
};
pub use scaling::{ColumnScaling, Scaling};
pub use score::{Score, mean_r_over_folds, score};

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Fit(args) => fit_verb::run(&args),
        Verb::Predict(args) => predict_verb::run(&args),
    }
}
