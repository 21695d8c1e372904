//! From labelled activations or betas and contrasts to tested units: what `select-units`, `unit-stats` and `fmri-roi`
//! share.
//!
//! [`LocalizerArgs`] are met with the stimulus table once ([`LocalizerArgs::plan`]); every array is then read once
//! ([`Plan::measure`], volumes by [`Plan::measure_rows`]), each contrast of it tested ([`Measured::tests`]), and each
//! unit spelled as a row of a table ([`Part`]).
#![warn(missing_docs)]

mod args;
mod folds;
mod halves;
mod measure;
mod rules;
mod unit_row;

pub use args::{LocalizerArgs, Plan};
pub use folds::CrossValidation;
pub use halves::{HALVES, Halves};
pub use measure::Measured;
pub use rules::RuleArgs;
pub use unit_row::Part;
