//! From labelled activations and contrasts to tested units: what `select-units` and `unit-stats` share.
//!
//! [`LocalizerArgs`] are met with the stimulus table once ([`LocalizerArgs::plan`]); every array is then read once
//! ([`Plan::measure`]) and each contrast of it tested ([`Measured::tests`]).
#![warn(missing_docs)]

mod args;
mod folds;
mod measure;
mod rules;

pub use args::{LocalizerArgs, Plan};
pub use folds::CrossValidation;
pub use measure::Measured;
pub use rules::RuleArgs;
