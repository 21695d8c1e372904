//! Arrays in memory: values in f4 or f8, C order, with or without labels.

use crate::{Labels, NpyError};
use ndarray::{Array2, ArrayView2};

/// Values as they are held: f4 stays f4, so that it is multiplied in f4.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Held in 32 bits.
    F4(Vec<f32>),
    /// Held in 64 bits.
    F8(Vec<f64>),
}

impl Values {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Values::F4(v) => v.len(),
            Values::F8(v) => v.len(),
        }
    }

    /// True when there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All values as f64.
    pub fn into_f64(self) -> Vec<f64> {
        match self {
            Values::F4(v) => v.into_iter().map(f64::from).collect(),
            Values::F8(v) => v,
        }
    }
}

/// One array of any number of dimensions, with the labels that stood behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// The values in C order.
    pub values: Values,
    /// The text that followed: ids of rows, names of columns, its own name.
    pub labels: Labels,
    /// Position in its stream, from 0; kept for messages.
    pub index: usize,
}

impl Array {
    /// The matrix and its labels; an error names the shape when it is not 2-d or when labels and axes differ.
    pub fn into_matrix(self) -> Result<(Matrix, Labels), NpyError> {
        let &[rows, cols] = self.shape.as_slice() else {
            return Err(NpyError::Shape {
                expected: "a matrix (rows = stimuli, columns = units or voxels)",
                shape: self.shape,
                array: self.index,
            });
        };
        self.labels.check(&self.shape)?;
        let reshaped = |_| NpyError::Header("shape and number of values disagree".into());
        let matrix = match self.values {
            Values::F4(v) => Matrix::F4(Array2::from_shape_vec((rows, cols), v).map_err(reshaped)?),
            Values::F8(v) => Matrix::F8(Array2::from_shape_vec((rows, cols), v).map_err(reshaped)?),
        };
        Ok((matrix, self.labels))
    }
}

/// A matrix in memory: rows = stimuli, columns = units, voxels or features.
#[derive(Debug, Clone, PartialEq)]
pub enum Matrix {
    /// Held in 32 bits.
    F4(Array2<f32>),
    /// Held in 64 bits.
    F8(Array2<f64>),
}

/// Some consecutive rows of a matrix, borrowed.
#[derive(Debug, Clone, Copy)]
pub enum Block<'a> {
    /// Held in 32 bits.
    F4(ArrayView2<'a, f32>),
    /// Held in 64 bits.
    F8(ArrayView2<'a, f64>),
}

impl Matrix {
    /// Number of rows (stimuli).
    pub fn n_rows(&self) -> usize {
        match self {
            Matrix::F4(a) => a.nrows(),
            Matrix::F8(a) => a.nrows(),
        }
    }

    /// Number of columns (units, voxels, features).
    pub fn n_columns(&self) -> usize {
        match self {
            Matrix::F4(a) => a.ncols(),
            Matrix::F8(a) => a.ncols(),
        }
    }

    /// The whole matrix as a block.
    pub fn view(&self) -> Block<'_> {
        match self {
            Matrix::F4(a) => Block::F4(a.view()),
            Matrix::F8(a) => Block::F8(a.view()),
        }
    }

    /// The matrix in f8, copied only when it was f4.
    pub fn into_f64(self) -> Array2<f64> {
        match self {
            Matrix::F4(a) => a.mapv(f64::from),
            Matrix::F8(a) => a,
        }
    }

    /// The given rows, in the given order, possibly repeated.
    pub fn select_rows(&self, rows: &[usize]) -> Matrix {
        match self {
            Matrix::F4(a) => Matrix::F4(a.select(ndarray::Axis(0), rows)),
            Matrix::F8(a) => Matrix::F8(a.select(ndarray::Axis(0), rows)),
        }
    }
}

impl Block<'_> {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        match self {
            Block::F4(a) => a.nrows(),
            Block::F8(a) => a.nrows(),
        }
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        match self {
            Block::F4(a) => a.ncols(),
            Block::F8(a) => a.ncols(),
        }
    }

    /// The values as f64, copied.
    pub fn to_f64(&self) -> Array2<f64> {
        match self {
            Block::F4(a) => a.mapv(f64::from),
            Block::F8(a) => a.to_owned(),
        }
    }

    /// An owned copy of the same width.
    pub fn to_matrix(&self) -> Matrix {
        match self {
            Block::F4(a) => Matrix::F4(a.to_owned()),
            Block::F8(a) => Matrix::F8(a.to_owned()),
        }
    }
}
