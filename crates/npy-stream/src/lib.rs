//! `.npy` streams: one matrix, its labels behind it, and several of those back to back; and archives of arrays.
//!
//! A *matrix* is a 2-d array whose rows are presentations of stimuli and whose columns are units, voxels or
//! features. Behind it may stand, in this order, a 1-d `<U` array with one stimulus id per row, a second one with one
//! name per column (an empty array takes the place of ids that are absent), and a 0-d `<U` array with the name of the
//! matrix, which ends the item ([`Labels`]). All are plain NumPy: calling `numpy.load(f)` twice on an open file gives
//! the matrix and then its ids. An RDM is a 1-d numeric array (the strict upper triangle) with its n ids and its name
//! behind it. Text is of kind `U`; `S` is read too, as UTF-8.
//!
//! Read: f2 f4 f8, signed and unsigned integers, bool; either byte order; C and Fortran order; header versions
//! 1 to 3; from a regular file or from a pipe that cannot seek. Numbers that f4 holds exactly
//! (f2, bool, 8- and 16-bit integers) are read as f4, wider integers as f8, f4 as f4 and f8 as f8.
//! Written: C order, little-endian, header version 1 exactly as NumPy writes it.
//!
//! Nothing is allocated on the word of a header alone: a file is checked against its length first, and what
//! comes from a pipe grows as the bytes arrive.
//!
//! This crate knows bytes and arrays. It knows no paths, no tables and no statistics.
#![warn(missing_docs)]

mod array;
mod error;
mod header;
mod labels;
mod literal;
pub mod npz;
mod parts;
mod reader;
mod writer;
mod zeros;

pub use array::{Array, Block, Matrix, Values};
pub use error::NpyError;
pub use header::{Kind, MAX_HEADER_BYTES};
pub use labels::{Labels, LabelsRef, MAX_NAME_CHARS, is_name, write_labels};
pub use parts::{PartBuffer, Parts};
pub use reader::{Incoming, NpyReader};
pub use writer::{Dtype, Float, RowWriter, write_array, write_matrix, write_vector};
