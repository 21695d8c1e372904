//! Rows on their way through: how many at a time, in which precision, into which writer.

use npy_stream::{Block, Dtype, Incoming, NpyError, RowWriter};
use std::io::Write;

/// Bytes of rows that are handed on together.
pub(crate) const BLOCK_BYTES: usize = 8 << 20;

/// The precision in which an array is held, and so written.
pub(crate) fn dtype_of(array: &Incoming) -> Dtype {
    if array.kind().is_double() { Dtype::F8 } else { Dtype::F4 }
}

pub(crate) fn write<W: Write>(writer: &mut RowWriter<W>, block: Block) -> Result<(), NpyError> {
    match block {
        Block::F4(rows) => writer.write_rows(rows),
        Block::F8(rows) => writer.write_rows(rows),
    }
}
