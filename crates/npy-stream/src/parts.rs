//! Any rectangle of a matrix that lies in a file, read by several threads at once.

use std::fs::File;
use std::io;
use std::ops::Range;

use ndarray::{ArrayView2, ShapeBuilder};

use crate::header::Header;
use crate::reader::{decode_f4, decode_f8};
use crate::{Block, Kind, NpyError};

/// The body of one matrix in a file. Reading copies into a buffer of the caller's: unlike a memory map, pages of a
/// matrix that is read once do not stay in the memory of this process.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    pub(crate) file: &'a File,
    /// Where the body begins.
    pub(crate) at: u64,
    pub(crate) header: &'a Header,
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

impl Parts<'_> {
    /// Rows and columns of the whole matrix.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// Whether a part comes as f8.
    pub fn is_double(&self) -> bool {
        self.header.kind.is_double()
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
                    decode_f8(raw, self.header, f8)?;
                    Ok(Block::F8(view_f8(f8)?))
                } else {
                    decode_f4(raw, self.header, f4);
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
        exact_at(self.file, out, self.at + offset).map_err(|e| match e.kind() {
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
                        for ((r, c), value) in part.indexed_iter() {
                            assert_eq!(*value, (10 * (rows.start + r) + columns.start + c) as f64, "{dtype} {fortran}");
                        }
                    }
                }
                assert!(acts.finish().unwrap().is_none());
            }
        }
    }

    #[test]
    fn a_pipe_has_no_parts() {
        let bytes = file("<f4", false, |v| f32::from(v).to_le_bytes().into());
        let mut reader = NpyReader::from_pipe(bytes);
        assert!(reader.next_array().unwrap().unwrap().parts().is_none());
    }
}
