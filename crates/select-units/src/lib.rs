//! `select-units`: activations and a contrast to the table of selective units, in one pass over the rows.
#![warn(missing_docs)]

mod args;
mod localize;
mod run;

pub use args::{Args, Fdr};
pub use run::run;
