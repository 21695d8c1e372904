//! What a matrix has to be before it can be a covariance, of channels or of stimuli.

use ndarray::{Array2, ArrayView2};

/// Entries of the two triangles may differ by this part of the largest: what saving in `f4` leaves.
const TOLERANCE: f64 = 1e-6;

/// Why a matrix is not symmetric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Asymmetry {
    NotSquare {
        rows: usize,
        columns: usize,
    },
    NotFinite {
        row: usize,
        column: usize,
        value: f64,
    },
    /// `row < column`.
    Differs {
        row: usize,
        column: usize,
        upper: f64,
        lower: f64,
    },
}

/// The mean of both triangles, which have to agree.
pub(crate) fn symmetric(matrix: ArrayView2<f64>) -> Result<Array2<f64>, Asymmetry> {
    let (rows, columns) = matrix.dim();
    if rows != columns {
        return Err(Asymmetry::NotSquare { rows, columns });
    }
    let largest = matrix.iter().fold(0.0_f64, |largest, v| largest.max(v.abs()));
    for row in 0..rows {
        for column in row..rows {
            let (upper, lower) = (matrix[(row, column)], matrix[(column, row)]);
            if let Some(value) = [upper, lower].into_iter().find(|v| !v.is_finite()) {
                return Err(Asymmetry::NotFinite { row, column, value });
            }
            if (upper - lower).abs() > TOLERANCE * largest {
                return Err(Asymmetry::Differs { row, column, upper, lower });
            }
        }
    }
    Ok((&matrix + &matrix.t()) / 2.0)
}
