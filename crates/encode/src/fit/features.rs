//! Features of a fit: held, or read from their files whenever they are needed.

use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};
use array_inputs::Whole;
use cli::require_memory;
use encoding_models::{ReadRows, Rows};
use linear_algebra::Real;
use ndarray::{Array2, Axis, concatenate};
use npy_stream::{Block, Float, Matrix};

/// Columns of one input: which of its rows are those of the fit.
pub(crate) struct Columns {
    /// Where they come from, for messages.
    pub source: String,
    pub whole: Whole,
    pub rows: Vec<usize>,
}

impl Columns {
    /// An error where the rows do not fit into the memory that is free.
    pub fn require_room(source: &str, whole: &Whole, rows: &[usize]) -> Result<()> {
        let Whole::InFile(_) = whole else { return Ok(()) };
        let (n, p, item) = (rows.len(), whole.n_columns(), if whole.is_double() { 8 } else { 4 });
        let remedy = "say --mem, so that they are read when they are needed, or take fewer rows or columns";
        let bytes = item * n as u128 * p as u128;
        require_memory(format!("{source}: {n} x {p} f{item} values"), bytes, remedy)
    }

    fn hold(self) -> Result<Matrix> {
        let Columns { whole, rows, .. } = self;
        let as_they_stand = rows.len() == whole.n_rows() && rows.iter().enumerate().all(|(i, &row)| i == row);
        match whole {
            Whole::InMemory(matrix) if as_they_stand => Ok(matrix),
            Whole::InMemory(matrix) => Ok(matrix.select_rows(&rows)),
            whole => whole.matrix(&rows, 0..whole.n_columns()),
        }
    }
}

/// Features, row by row of the responses.
pub(crate) enum FeatureData {
    Held(Matrix),
    InFiles(InFiles),
}

/// Those of several inputs stand beside each other.
pub(crate) struct InFiles {
    all: Vec<Columns>,
    n_rows: usize,
    n_columns: usize,
    /// The first that could not be read.
    broken: Mutex<Option<anyhow::Error>>,
}

impl FeatureData {
    /// Unless they are to be held, those that lie in files stay there.
    pub fn of(all: Vec<Columns>, hold: bool) -> Result<FeatureData> {
        if !hold && all.iter().any(|columns| matches!(columns.whole, Whole::InFile(_))) {
            let n_rows = all.first().map_or(0, |columns| columns.rows.len());
            let n_columns = all.iter().map(|columns| columns.whole.n_columns()).sum();
            return Ok(FeatureData::InFiles(InFiles { all, n_rows, n_columns, broken: Mutex::new(None) }));
        }
        let mut held: Option<Matrix> = None;
        for columns in all {
            let more = columns.hold()?;
            held = Some(match (held, more) {
                (None, more) => more,
                (Some(Matrix::F4(a)), Matrix::F4(b)) => Matrix::F4(concatenate(Axis(1), &[a.view(), b.view()])?),
                (Some(a), b) => Matrix::F8(concatenate(Axis(1), &[a.into_f64().view(), b.into_f64().view()])?),
            });
        }
        Ok(FeatureData::Held(held.unwrap_or_else(|| Matrix::F8(Array2::zeros((0, 0))))))
    }

    pub fn n_columns(&self) -> usize {
        match self {
            FeatureData::Held(matrix) => matrix.n_columns(),
            FeatureData::InFiles(files) => files.n_columns,
        }
    }

    pub fn is_double(&self) -> bool {
        match self {
            FeatureData::Held(matrix) => matches!(matrix, Matrix::F8(_)),
            FeatureData::InFiles(files) => files.all.iter().any(|columns| columns.whole.is_double()),
        }
    }

    /// What is held of them.
    pub fn bytes_held(&self) -> u128 {
        match self {
            FeatureData::Held(matrix) => {
                let item = if self.is_double() { 8 } else { 4 };
                item * matrix.n_rows() as u128 * matrix.n_columns() as u128
            }
            FeatureData::InFiles(files) => files.all.iter().map(|columns| columns.whole.bytes_held()).sum(),
        }
    }

    /// As the maths takes them, in their own precision.
    pub fn rows(&self) -> Either<'_> {
        match self {
            FeatureData::Held(matrix) => match matrix.view() {
                Block::F4(x) => Either::F4(Rows::Held(x)),
                Block::F8(x) => Either::F8(Rows::Held(x)),
            },
            FeatureData::InFiles(files) if self.is_double() => Either::F8(Rows::Read(files)),
            FeatureData::InFiles(files) => Either::F4(Rows::Read(files)),
        }
    }

    /// An error where some could not be read since.
    pub fn require_whole(&self) -> Result<()> {
        let FeatureData::InFiles(files) = self else { return Ok(()) };
        match files.broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Those that are held.
    pub fn held(&self) -> Result<&Matrix> {
        match self {
            FeatureData::Held(matrix) => Ok(matrix),
            FeatureData::InFiles(_) => bail!("features are in their files, and have to be held for this"),
        }
    }
}

/// Rows of either precision.
pub(crate) enum Either<'a> {
    F4(Rows<'a, f32>),
    F8(Rows<'a, f64>),
}

impl InFiles {
    fn fill<T: Float>(&self, row: usize, from: usize, out: &mut [T]) -> Result<()> {
        let (mut first, mut done) = (0, 0);
        for Columns { source, whole, rows } in &self.all {
            let n = whole.n_columns();
            // The part of `out` that is of these columns.
            let (start, end) = ((from + done).max(first), (from + out.len()).min(first + n));
            if start < end {
                let out = &mut out[done..done + end - start];
                done += out.len();
                whole.read_row(rows[row], start - first, out).map_err(|e| e.context(source.clone()))?;
            }
            first += n;
        }
        Ok(())
    }
}

impl<T: Float + Real> ReadRows<T> for InFiles {
    fn shape(&self) -> (usize, usize) {
        (self.n_rows, self.n_columns)
    }

    fn read(&self, row: usize, from: usize, out: &mut [T]) {
        if let Err(error) = self.fill(row, from, out) {
            self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}
