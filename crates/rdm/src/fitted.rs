//! Models of several RDMs: weighted sums, the best one, or a point between neighbours, fitted to some subjects and
//! stimuli and scored on others.
//!
//! The kinds and fits are those of rsatoolbox 0.3.2 (`ModelWeighted` with `fit_regress_nn`, `ModelSelect`,
//! `ModelInterpolate`), its folds those of `sets_k_fold`: k groups of subjects times k groups of stimuli, fitted to the
//! stimuli and subjects in neither. Quirks there: `ModelWeighted` by default runs BFGS from random starts, so that its
//! weights differ from call to call (the least squares are exact); the mean over folds counts a subject of a small fold
//! more than one of a large fold (here every subject counts once).

mod cross_validation;
mod fit;
mod folds;
mod partition;
mod products;
mod resampled;
#[cfg(test)]
mod tests;
mod weights;

pub use cross_validation::{Against, CrossValidated, Folding, cross_validate, cross_validate_in, default_folding};
pub use fit::{fit, fit_of_groups, predict};
pub use folds::{Fold, FoldScores, score_fold};
pub use partition::{Partition, Splits};
pub(crate) use products::non_negative;
pub use resampled::{bootstrap_fitted, bootstrap_fitted_in, default_folding_of_draws};
pub use weights::{FittedFold, draw_weights, fold_weights, fold_weights_in};

use std::str::FromStr;

/// How several RDMs make one prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelKind {
    /// Every RDM is a model of its own; nothing is fitted.
    Fixed,
    /// A sum with weights that are not negative.
    Weighted,
    /// One of them.
    Select,
    /// `w` of one and `1 - w` of the next, `w` from 0 to 1.
    Interpolate,
}

impl ModelKind {
    /// All of them, in the order of the help text.
    pub const ALL: [ModelKind; 4] = [ModelKind::Fixed, ModelKind::Weighted, ModelKind::Select, ModelKind::Interpolate];

    /// Its name on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            ModelKind::Fixed => "fixed",
            ModelKind::Weighted => "weighted",
            ModelKind::Select => "select",
            ModelKind::Interpolate => "interpolate",
        }
    }
}

impl FromStr for ModelKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        ModelKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| format!("\"{name}\" is none of fixed, weighted, select, interpolate"))
    }
}
