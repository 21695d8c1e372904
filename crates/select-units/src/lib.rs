//! `select-units`: activations and contrasts to the table of selective units, in one pass over the rows.
#![warn(missing_docs)]

mod args;
mod run;
mod unit_table;

pub use args::Args;
pub use run::run;
