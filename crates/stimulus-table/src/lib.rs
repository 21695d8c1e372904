//! Which stimulus is in which row: tables of stimuli with annotation columns, and the one join by id.
//!
//! A stimulus table is CSV or TSV with one header line; what a cell says (nothing, a number, a level) and what
//! separates cells is decided here for all tables. Its ids are the `stimulus` column (or `stimulus_id`; else the `path`
//! as written). The given order is kept; nothing is sorted.
//!
//! [`join`] decides, for every command with two inputs, which row of one belongs to which row of the other.
//! [`TableJoin`] does the same for a matrix that may still be streaming and an annotation table.
#![warn(missing_docs)]

mod alike;
mod cell;
mod condition;
mod join;
mod sheet;
mod table;
mod with_table;

pub use alike::look_alike;
pub use cell::{is_missing, number};
pub use condition::Condition;
pub use join::{JoinError, JoinOptions, Joined, Side, Which, join};
pub use table::{StimulusTable, Table, TableError};
pub use with_table::{StreamOrderError, TableJoin};
