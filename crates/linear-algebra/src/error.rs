/// What can be wrong with a matrix that is to be factored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LinearAlgebraError {
    /// The matrix has to be square.
    #[error("{rows} x {columns} is not a square matrix")]
    NotSquare {
        /// Its number of rows.
        rows: usize,
        /// Its number of columns.
        columns: usize,
    },
    /// An entry is NaN or infinite.
    #[error("the entry in row {row}, column {column} is {value}; only finite numbers can be factored")]
    NotFinite {
        /// Row of the first such entry, from 0.
        row: usize,
        /// Column of the first such entry, from 0.
        column: usize,
        /// The entry.
        value: f64,
    },
    /// The Cholesky factor does not exist.
    #[error("the leading {order} x {order} part of the {n} x {n} matrix is not positive definite; regularize it")]
    NotPositiveDefinite {
        /// Order of the first leading part that fails.
        order: usize,
        /// Order of the whole matrix.
        n: usize,
    },
    /// The eigenvalue iteration stopped before it was accurate.
    #[error("the eigenvalues of the {n} x {n} matrix did not converge")]
    NoConvergence {
        /// Order of the matrix.
        n: usize,
    },
    /// The right-hand side has another number of rows than the factored matrix.
    #[error("the right-hand side has {rows} rows, the factored matrix {n}")]
    RowsDiffer {
        /// Rows of the right-hand side.
        rows: usize,
        /// Order of the factored matrix.
        n: usize,
    },
    /// Rows of another width than those that a projection was made for.
    #[error("rows of {columns} columns, the projection takes {n}")]
    ColumnsDiffer {
        /// Columns of the rows.
        columns: usize,
        /// Columns that it takes.
        n: usize,
    },
    /// The rows do not span that many dimensions.
    #[error("{asked} components asked for, the rows span {rank}")]
    TooManyComponents {
        /// What was asked for.
        asked: usize,
        /// What there is.
        rank: usize,
    },
    /// A fraction of the length of the weights lies above 0 and is at most 1.
    #[error("{0} is no fraction of the length of the unpenalized weights; it has to be above 0 and at most 1")]
    NotAFraction(f64),
}

/// The order of a square matrix of finite numbers, or why it is none.
pub(crate) fn finite_square(a: ndarray::ArrayView2<f64>) -> Result<usize, LinearAlgebraError> {
    let (rows, columns) = a.dim();
    if rows != columns {
        return Err(LinearAlgebraError::NotSquare { rows, columns });
    }
    match a.indexed_iter().find(|(_, v)| !v.is_finite()) {
        Some(((row, column), &value)) => Err(LinearAlgebraError::NotFinite { row, column, value }),
        None => Ok(rows),
    }
}
