//! One matrix whose rows can be had in any order: in its file where that is possible, else in memory.

use crate::hold;
use anyhow::{Context, Result};
use ndarray::{Array2, s};
use npy_stream::{Block, Float, Incoming, Labels, Matrix, PartBuffer, Parts};
use std::ops::Range;

/// Bytes of rows that are handed on together.
const BLOCK_BYTES: usize = 8 << 20;

/// Rows of a matrix, and what they hold, in any order.
#[derive(Debug)]
pub enum Whole {
    /// Read piece by piece, so that its size is no matter.
    InFile(Parts),
    /// From a pipe, or in Fortran order.
    InMemory(Matrix),
}

impl Whole {
    /// Takes an array, which must be a matrix, and its labels.
    pub fn take(next: Incoming, source: &str) -> Result<(Whole, Labels)> {
        let named = || source.to_string();
        next.matrix_shape().with_context(named)?;
        if let Some(place) = next.parts().filter(|place| !place.is_fortran()) {
            return Ok((Whole::InFile(place), next.finish().with_context(named)?));
        }
        let (matrix, labels) = hold(next, source)?.into_matrix().with_context(named)?;
        Ok((Whole::InMemory(matrix), labels))
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.shape().0
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.shape().1
    }

    fn shape(&self) -> (usize, usize) {
        match self {
            Whole::InFile(place) => place.shape(),
            Whole::InMemory(matrix) => (matrix.n_rows(), matrix.n_columns()),
        }
    }

    /// Whether values are f8.
    pub fn is_double(&self) -> bool {
        match self {
            Whole::InFile(place) => place.is_double(),
            Whole::InMemory(matrix) => matches!(matrix, Matrix::F8(_)),
        }
    }

    /// Bytes that are held: none of what stays in its file.
    pub fn bytes_held(&self) -> u128 {
        let item = if self.is_double() { 8 } else { 4 };
        match self {
            Whole::InFile(_) => 0,
            Whole::InMemory(matrix) => item * matrix.n_rows() as u128 * matrix.n_columns() as u128,
        }
    }

    /// How many rows are handed on together, of a matrix of so many columns.
    pub fn rows_together(n_columns: usize) -> usize {
        (BLOCK_BYTES / n_columns.saturating_mul(8).max(1)).max(1)
    }

    /// Some columns of the given rows, in f64. Of a file nothing else is held.
    pub fn columns(&self, rows: &[usize], columns: Range<usize>) -> Result<Array2<f64>> {
        self.columns_as(rows, columns)
    }

    /// The same in the precision in which they are held.
    pub fn matrix(&self, rows: &[usize], columns: Range<usize>) -> Result<Matrix> {
        Ok(match self.is_double() {
            true => Matrix::F8(self.columns_as(rows, columns)?),
            false => Matrix::F4(self.columns_as(rows, columns)?),
        })
    }

    fn columns_as<T: Float>(&self, rows: &[usize], columns: Range<usize>) -> Result<Array2<T>> {
        let mut all = Array2::from_elem((rows.len(), columns.len()), T::from_f64(0.0));
        let mut buffer = PartBuffer::default();
        for (mut to, &row) in all.rows_mut().into_iter().zip(rows) {
            let block = match self {
                Whole::InFile(place) => place.read(row..row + 1, columns.clone(), &mut buffer)?,
                Whole::InMemory(Matrix::F4(m)) => Block::F4(m.slice(s![row..row + 1, columns.clone()])),
                Whole::InMemory(Matrix::F8(m)) => Block::F8(m.slice(s![row..row + 1, columns.clone()])),
            };
            match block {
                Block::F4(from) => to.zip_mut_with(&from.row(0), |to, v| *to = T::from_f64(f64::from(*v))),
                Block::F8(from) => to.zip_mut_with(&from.row(0), |to, v| *to = T::from_f64(*v)),
            }
        }
        Ok(all)
    }

    /// Fills `out` with the values of a row from column `from` on.
    pub fn read_row<T: Float>(&self, row: usize, from: usize, out: &mut [T]) -> Result<()> {
        let columns = from..from + out.len();
        match self {
            Whole::InFile(place) => place.read_row(row, from, out)?,
            Whole::InMemory(Matrix::F4(m)) => {
                let values = m.slice(s![row, columns]);
                out.iter_mut().zip(values).for_each(|(out, v)| *out = T::from_f64(f64::from(*v)));
            }
            Whole::InMemory(Matrix::F8(m)) => {
                out.iter_mut().zip(m.slice(s![row, columns])).for_each(|(out, v)| *out = T::from_f64(*v));
            }
        }
        Ok(())
    }

    /// Calls `to` for the given rows in their order, as blocks of neighbours; it gets the place in `rows` of the first
    /// of each block.
    pub fn rows(&self, rows: &[usize], mut to: impl FnMut(usize, Block) -> Result<()>) -> Result<()> {
        let (most, n_columns) = (Whole::rows_together(self.n_columns()), self.n_columns());
        let mut buffer = PartBuffer::default();
        let mut at = 0;
        while at < rows.len() {
            let first = rows[at];
            let neighbours = rows[at..].iter().take(most).enumerate().take_while(|(k, row)| **row == first + k).count();
            let run = first..first + neighbours;
            match self {
                Whole::InFile(place) => to(at, place.read(run, 0..n_columns, &mut buffer)?)?,
                Whole::InMemory(Matrix::F4(m)) => to(at, Block::F4(m.slice(s![run, ..])))?,
                Whole::InMemory(Matrix::F8(m)) => to(at, Block::F8(m.slice(s![run, ..])))?,
            }
            at += neighbours;
        }
        Ok(())
    }
}
