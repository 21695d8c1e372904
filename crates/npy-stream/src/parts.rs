//! Any rectangle of a matrix that lies in a file, read by several threads at once.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use ndarray::{ArrayView2, ShapeBuilder};

use crate::header::Header;
use crate::reader::{decode_f4, decode_f8};
use crate::{Block, Float, Kind, NpyError};

/// The body of one matrix in a file; it stays readable after the reader has gone on to the next array. Reading copies
/// into a buffer of the caller's: unlike a memory map, pages of a matrix that is read once do not stay in the memory of
/// this process.
#[derive(Debug, Clone)]
pub struct Parts {
    pub(crate) file: Arc<File>,
    /// Where the body begins.
    pub(crate) at: u64,
    pub(crate) header: Header,
    pub(crate) shape: (usize, usize),
    pub(crate) index: usize,
}

/// Memory for one part at a time.
#[derive(Debug, Default)]
pub struct PartBuffer {
    raw: Vec<u8>,
    f4: Vec<f32>,
    f8: Vec<f64>,
}

impl Parts {
    /// Rows and columns of the whole matrix.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// Whether a part comes as f8.
    pub fn is_double(&self) -> bool {
        self.header.kind.is_double()
    }

    /// Whether columns, not rows, lie together in the file.
    pub fn is_fortran(&self) -> bool {
        self.header.fortran
    }

    /// Reads `out.len()` values of row `row` from column `from` on, as `f32` or `f64`, of a matrix in C order.
    ///
    /// # Panics
    /// When the piece is not inside the matrix, or the matrix is in Fortran order.
    pub fn read_row<T: Float>(&self, row: usize, from: usize, out: &mut [T]) -> Result<(), NpyError> {
        let (n_rows, n_columns) = self.shape;
        assert!(
            row < n_rows && from + out.len() <= n_columns && !self.header.fortran,
            "columns {from} to {} of row {row} of a {n_rows} x {n_columns} matrix in C order",
            from + out.len()
        );
        let item = self.header.kind.item_bytes().unwrap_or(1);
        let at = ((row * n_columns + from) * item) as u64;
        if T::DTYPE.name() == self.header.kind.name() && !self.header.big_endian && cfg!(target_endian = "little") {
            return self.read_at(at, T::bytes_mut(out));
        }
        let mut raw = vec![0; out.len() * item];
        self.read_at(at, &mut raw)?;
        if self.is_double() {
            let mut values = Vec::with_capacity(out.len());
            decode_f8(&raw, &self.header, &mut values)?;
            out.iter_mut().zip(values).for_each(|(out, v)| *out = T::from_f64(v));
        } else {
            let mut values = Vec::with_capacity(out.len());
            decode_f4(&raw, &self.header, &mut values);
            out.iter_mut().zip(values).for_each(|(out, v)| *out = T::from_f64(f64::from(v)));
        }
        Ok(())
    }

    /// One part: `rows` x `columns`, in the file's own order of axes.
    ///
    /// # Panics
    /// When the ranges reach beyond the matrix.
    pub fn read<'b>(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        buffer: &'b mut PartBuffer,
    ) -> Result<Block<'b>, NpyError> {
        let (n_rows, n_columns) = self.shape;
        assert!(rows.end <= n_rows && columns.end <= n_columns, "{rows:?} x {columns:?} of {:?}", self.shape);
        let item = self.header.kind.item_bytes().unwrap_or(1);
        // Lines lie one after the other in the file: rows, or columns in Fortran order.
        let (lines, places, line_length) =
            if self.header.fortran { (&columns, &rows, n_rows) } else { (&rows, &columns, n_columns) };
        let bytes = lines.len() * places.len() * item;
        let native = cfg!(target_endian = "little") && !self.header.big_endian;
        let shape = (rows.len(), columns.len());
        let bad = |_| NpyError::Header("shape and number of values disagree".into());
        let view_f8 = |values: &'b [f64]| ArrayView2::from_shape(shape.set_f(self.header.fortran), values).map_err(bad);
        let view_f4 = |values: &'b [f32]| ArrayView2::from_shape(shape.set_f(self.header.fortran), values).map_err(bad);
        let PartBuffer { raw, f4, f8 } = buffer;
        match self.header.kind {
            Kind::F4 if native => {
                f4.resize(bytes / 4, 0.0);
                self.fill(lines, places, line_length, item, bytemuck::cast_slice_mut(f4))?;
                Ok(Block::F4(view_f4(f4)?))
            }
            Kind::F8 if native => {
                f8.resize(bytes / 8, 0.0);
                self.fill(lines, places, line_length, item, bytemuck::cast_slice_mut(f8))?;
                Ok(Block::F8(view_f8(f8)?))
            }
            kind => {
                raw.resize(bytes, 0);
                self.fill(lines, places, line_length, item, raw)?;
                if kind.is_double() {
                    decode_f8(raw, &self.header, f8)?;
                    Ok(Block::F8(view_f8(f8)?))
                } else {
                    decode_f4(raw, &self.header, f4);
                    Ok(Block::F4(view_f4(f4)?))
                }
            }
        }
    }

    fn fill(
        &self,
        lines: &Range<usize>,
        places: &Range<usize>,
        line_length: usize,
        item: usize,
        out: &mut [u8],
    ) -> Result<(), NpyError> {
        if out.is_empty() {
            return Ok(());
        }
        if places.len() == line_length {
            return self.read_at((lines.start * line_length * item) as u64, out);
        }
        for (line, out) in lines.clone().zip(out.chunks_exact_mut(places.len() * item)) {
            self.read_at(((line * line_length + places.start) * item) as u64, out)?;
        }
        Ok(())
    }

    /// Fills `out` from byte `offset` of the body.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), NpyError> {
        let truncated = || NpyError::Truncated { found: offset, expected: self.header.body_bytes, array: self.index };
        exact_at(&self.file, out, self.at + offset).map_err(|e| match e.kind() {
            // The file was whole when it was opened.
            io::ErrorKind::UnexpectedEof => truncated(),
            _ => e.into(),
        })
    }
}

#[cfg(unix)]
fn exact_at(file: &File, out: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}

#[cfg(windows)]
fn exact_at(file: &File, mut out: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                out = &mut out[n..];
                offset += n as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{Block, NpyReader, PartBuffer};
    use std::io::Write;

    /// A matrix of 5 x 7 with value `10 row + column`, as NumPy writes it.
    fn file(dtype: &str, fortran: bool, bytes: impl Fn(u8) -> Vec<u8>) -> std::fs::File {
        let order = if fortran { "True" } else { "False" };
        let mut header = format!("{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': (5, 7), }}");
        header.push_str(&" ".repeat((64 - (10 + header.len() + 1) % 64) % 64));
        header.push('\n');
        let mut out = tempfile::tempfile().unwrap();
        out.write_all(b"\x93NUMPY\x01\x00").unwrap();
        out.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
        out.write_all(header.as_bytes()).unwrap();
        let places: Vec<(u8, u8)> = match fortran {
            true => (0..7).flat_map(|c| (0..5).map(move |r| (r, c))).collect(),
            false => (0..5).flat_map(|r| (0..7).map(move |c| (r, c))).collect(),
        };
        places.iter().for_each(|(r, c)| out.write_all(&bytes(10 * r + c)).unwrap());
        std::io::Seek::rewind(&mut out).unwrap();
        out
    }

    #[test]
    fn every_rectangle_of_every_kind_and_order() {
        /// A dtype, and a number in it.
        type Spelled = (&'static str, fn(u8) -> Vec<u8>);
        let kinds: [Spelled; 5] = [
            ("<f4", |v| f32::from(v).to_le_bytes().into()),
            (">f4", |v| f32::from(v).to_be_bytes().into()),
            ("<f8", |v| f64::from(v).to_le_bytes().into()),
            ("<i8", |v| i64::from(v).to_le_bytes().into()),
            ("|u1", |v| vec![v]),
        ];
        for (dtype, bytes) in kinds {
            for fortran in [false, true] {
                let mut reader = NpyReader::from_file(file(dtype, fortran, bytes)).unwrap();
                let acts = reader.next_array().unwrap().unwrap();
                let parts = acts.parts().unwrap();
                let mut buffer = PartBuffer::default();
                for rows in [0..5, 1..4, 2..2, 4..5] {
                    for columns in [0..7, 0..1, 3..7, 5..5] {
                        let part = match parts.read(rows.clone(), columns.clone(), &mut buffer).unwrap() {
                            Block::F4(part) => part.mapv(f64::from),
                            Block::F8(part) => part.to_owned(),
                        };
                        assert_eq!(part.dim(), (rows.len(), columns.len()));
                        if !fortran && !rows.is_empty() {
                            let (mut single, mut double) = (vec![0_f32; columns.len()], vec![0_f64; columns.len()]);
                            parts.read_row(rows.start, columns.start, &mut single).unwrap();
                            parts.read_row(rows.start, columns.start, &mut double).unwrap();
                            assert_eq!(double, part.row(0).to_vec());
                            assert!(single.iter().zip(&double).all(|(a, b)| f64::from(*a) == *b));
                        }
                        for ((r, c), value) in part.indexed_iter() {
                            assert_eq!(*value, (10 * (rows.start + r) + columns.start + c) as f64, "{dtype} {fortran}");
                        }
                    }
                }
                assert_eq!(acts.finish().unwrap(), crate::Labels::default());
            }
        }
    }

    #[test]
    fn a_file_cut_after_its_header_was_read_is_an_error() {
        let file = file("<f4", false, |v| f32::from(v).to_le_bytes().into());
        let writer = file.try_clone().unwrap();
        let mut reader = NpyReader::from_file(file).unwrap();
        let parts = reader.next_array().unwrap().unwrap().parts().unwrap();
        writer.set_len(writer.metadata().unwrap().len() - 8).unwrap();
        let mut out = [0_f32; 7];
        parts.read_row(3, 0, &mut out).unwrap();
        let error = parts.read_row(4, 0, &mut out).unwrap_err();
        assert!(error.to_string().contains("truncated"), "{error}");
        assert!(parts.read(0..5, 0..7, &mut PartBuffer::default()).is_err());
    }

    #[test]
    fn a_pipe_has_no_parts() {
        let bytes = file("<f4", false, |v| f32::from(v).to_le_bytes().into());
        let mut reader = NpyReader::from_pipe(bytes);
        assert!(reader.next_array().unwrap().unwrap().parts().is_none());
    }
}
