//! The table of units that `select-units` writes: its columns, which of its rows speak of an array, and the sets of
//! units in it.
//!
//! A unit number means nothing without its array, so whoever takes units from a table asks here whose they are:
//! [`units_of`] for one set of units, [`Arrays`] for a table about several arrays, [`UnitTable`] for every set of every
//! array and contrast, with what the table's sidecar says of them. [`SetArgs`] are the options that choose among
//! several contrasts and folds. [`FeatureMaps`] says which map of a layer a unit belongs to.
#![warn(missing_docs)]

mod arrays;
pub mod columns;
mod criterion;
mod feature_maps;
mod one_set;
mod sets;

pub use arrays::{Arrays, Sought, TableUnits, require_each_once, require_one_set, require_same_columns, units_of};
pub use criterion::Criterion;
pub use feature_maps::FeatureMaps;
pub use one_set::SetArgs;
pub use sets::{UnitRow, UnitSet, UnitTable};
