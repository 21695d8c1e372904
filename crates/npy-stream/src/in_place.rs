//! A matrix that stays in its file: pieces of its rows are read when they are wanted.

use crate::header::Header;
use crate::reader::{decode_f4, decode_f8};
use crate::{Float, NpyError};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// A matrix in a regular file, C order, of which nothing is held.
///
/// Any piece of any row can be read, by several threads at once; memory is that of the piece. Made by
/// [`crate::Incoming::in_place`]; it stays readable after the reader has gone on to the next array.
#[derive(Debug, Clone)]
pub struct InPlace {
    pub(crate) file: Arc<File>,
    pub(crate) header: Header,
    pub(crate) body_at: u64,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) array: usize,
}

impl InPlace {
    /// Number of rows (stimuli).
    pub fn n_rows(&self) -> usize {
        self.rows
    }

    /// Number of columns (units, voxels, features).
    pub fn n_columns(&self) -> usize {
        self.columns
    }

    /// Whether the values are f8 in memory (f8 itself and wide integers), else f4.
    pub fn is_double(&self) -> bool {
        self.header.kind.is_double()
    }

    /// Reads `out.len()` values of row `row` from column `from` on, as `f32` or `f64`.
    ///
    /// # Panics
    /// When the piece is not inside the matrix.
    pub fn read<T: Float>(&self, row: usize, from: usize, out: &mut [T]) -> Result<(), NpyError> {
        assert!(
            row < self.rows && from + out.len() <= self.columns,
            "columns {from} to {} of row {row} of a {} x {} matrix",
            from + out.len(),
            self.rows,
            self.columns
        );
        let item = self.header.kind.item_bytes().unwrap_or(1);
        let at = (row * self.columns + from) * item;
        if T::DTYPE.name() == self.header.kind.name() && !self.header.big_endian && cfg!(target_endian = "little") {
            return self.fill(at, T::bytes_mut(out));
        }
        let mut raw = vec![0; out.len() * item];
        self.fill(at, &mut raw)?;
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

    /// Fills `bytes` from byte `at` of the body.
    fn fill(&self, at: usize, bytes: &mut [u8]) -> Result<(), NpyError> {
        use std::os::unix::fs::FileExt;
        let read = self.file.read_exact_at(bytes, self.body_at + at as u64);
        read.map_err(|error| match error.kind() {
            // The whole body was there when its header was read: somebody has cut the file since.
            io::ErrorKind::UnexpectedEof => {
                NpyError::Truncated { found: at as u64, expected: self.header.body_bytes, array: self.array }
            }
            _ => NpyError::Io(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Dtype, NpyReader, RowWriter, write_labels};
    use ndarray::{Array2, s};
    use std::fs::File;
    use std::io::Write;

    fn matrix() -> Array2<f64> {
        Array2::from_shape_fn((3, 7), |(i, j)| (10 * i + j) as f64)
    }

    fn saved(bytes: &[u8]) -> (tempfile::TempDir, File) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        std::fs::write(&path, bytes).unwrap();
        let file = File::open(path).unwrap();
        (dir, file)
    }

    fn written(dtype: Dtype) -> Vec<u8> {
        let mut rows = RowWriter::new(Vec::new(), 3, 7, dtype).unwrap();
        rows.write_rows(matrix().view()).unwrap();
        rows.finish(None).unwrap()
    }

    #[test]
    fn any_piece_of_any_row_of_any_dtype() {
        for dtype in [Dtype::F2, Dtype::F4, Dtype::F8] {
            let mut bytes = written(dtype);
            write_labels(&mut bytes, &["a".into(), "b".into(), "c".into()]).unwrap();
            bytes.extend(written(dtype));
            let (_dir, file) = saved(&bytes);
            let mut reader = NpyReader::from_file(file).unwrap();
            for _ in 0..2 {
                let next = reader.next_array().unwrap().unwrap();
                let place = next.in_place().unwrap();
                next.finish().unwrap();
                assert_eq!((place.n_rows(), place.n_columns(), place.is_double()), (3, 7, dtype == Dtype::F8));
                for (row, from, to) in [(0, 0, 7), (2, 3, 5), (1, 6, 7), (2, 0, 0)] {
                    let (mut single, mut double) = (vec![0f32; to - from], vec![0f64; to - from]);
                    place.read(row, from, &mut single).unwrap();
                    place.read(row, from, &mut double).unwrap();
                    assert_eq!(double, matrix().slice(s![row, from..to]).to_vec());
                    assert!(single.iter().zip(&double).all(|(a, b)| f64::from(*a) == *b));
                }
            }
        }
    }

    #[test]
    fn big_endian_and_integers_are_decoded() {
        let head = |descr: &str| {
            let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2, 2), }}");
            let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
            bytes.extend(format!("{dict:<117}\n").bytes());
            bytes
        };
        let mut big = head(">f4");
        (1..5).for_each(|v| big.extend((v as f32).to_be_bytes()));
        let mut wide = head("<i4");
        (1..5i32).for_each(|v| wide.extend(v.to_le_bytes()));
        for bytes in [big, wide] {
            let (_dir, file) = saved(&bytes);
            let mut reader = NpyReader::from_file(file).unwrap();
            let place = reader.next_array().unwrap().unwrap().in_place().unwrap();
            let mut out = [0f64; 2];
            place.read(1, 0, &mut out).unwrap();
            assert_eq!(out, [3.0, 4.0]);
        }
    }

    #[test]
    fn pipes_and_other_shapes_have_no_place() {
        let mut pipe = NpyReader::from_pipe(std::io::Cursor::new(written(Dtype::F4)));
        assert!(pipe.next_array().unwrap().unwrap().in_place().is_none());
        let mut vector = Vec::new();
        crate::write_vector(&mut vector, &[1.0, 2.0], Dtype::F8, None).unwrap();
        let (_dir, file) = saved(&vector);
        assert!(NpyReader::from_file(file).unwrap().next_array().unwrap().unwrap().in_place().is_none());
    }

    #[test]
    fn a_file_cut_after_its_header_was_read_is_an_error() {
        let bytes = written(Dtype::F8);
        let (dir, file) = saved(&bytes);
        let mut reader = NpyReader::from_file(file).unwrap();
        let place = reader.next_array().unwrap().unwrap().in_place().unwrap();
        let writer = File::options().write(true).open(dir.path().join("x.npy")).unwrap();
        writer.set_len(bytes.len() as u64 - 8).unwrap();
        (&writer).flush().unwrap();
        let mut out = [0f64; 7];
        place.read(1, 0, &mut out).unwrap();
        assert!(place.read(2, 0, &mut out).unwrap_err().to_string().contains("truncated"));
    }
}
