//! Writing arrays: whole, or row by row as they come.

use crate::{Array, LabelsRef, Matrix, NpyError, Values, header};
use half::f16;
use ndarray::ArrayView2;
use std::io::Write;

/// Element type of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// 16-bit float.
    F2,
    /// 32-bit float.
    F4,
    /// 64-bit float.
    F8,
}

impl Dtype {
    /// NumPy's name.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::F2 => "f2",
            Dtype::F4 => "f4",
            Dtype::F8 => "f8",
        }
    }
}

impl std::str::FromStr for Dtype {
    type Err = String;
    fn from_str(text: &str) -> Result<Dtype, String> {
        match text {
            "f2" | "f16" => Ok(Dtype::F2),
            "f4" | "f32" => Ok(Dtype::F4),
            "f8" | "f64" => Ok(Dtype::F8),
            other => Err(format!("dtype {other:?} is none of f2, f4, f8")),
        }
    }
}

/// f32 or f64: what a matrix in memory is made of.
pub trait Float: Sized + Copy + Send + Sync + 'static {
    /// The dtype that keeps every value.
    const DTYPE: Dtype;
    /// As f32, rounded to nearest.
    fn to_f32(self) -> f32;
    /// As f64, exact.
    fn to_f64(self) -> f64;
    /// The nearest number of this type.
    fn from_f64(value: f64) -> Self;
    /// The memory of these numbers.
    fn bytes_mut(values: &mut [Self]) -> &mut [u8];
}

impl Float for f32 {
    const DTYPE: Dtype = Dtype::F4;
    fn to_f32(self) -> f32 {
        self
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn from_f64(value: f64) -> f32 {
        value as f32
    }
    fn bytes_mut(values: &mut [f32]) -> &mut [u8] {
        bytemuck::cast_slice_mut(values)
    }
}

impl Float for f64 {
    const DTYPE: Dtype = Dtype::F8;
    fn to_f32(self) -> f32 {
        self as f32
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn from_f64(value: f64) -> f64 {
        value
    }
    fn bytes_mut(values: &mut [f64]) -> &mut [u8] {
        bytemuck::cast_slice_mut(values)
    }
}

/// Writes a matrix whose rows come one block at a time; only the shape must be known before.
pub struct RowWriter<W: Write> {
    sink: W,
    n_rows: usize,
    n_columns: usize,
    dtype: Dtype,
    written: usize,
    bytes: Vec<u8>,
}

impl<W: Write> RowWriter<W> {
    /// Writes the header of an `n_rows` x `n_columns` matrix.
    pub fn new(mut sink: W, n_rows: usize, n_columns: usize, dtype: Dtype) -> Result<RowWriter<W>, NpyError> {
        sink.write_all(&header::format(&format!("<{}", dtype.name()), &[n_rows, n_columns]))?;
        Ok(RowWriter { sink, n_rows, n_columns, dtype, written: 0, bytes: Vec::new() })
    }

    /// Goes on in a sink that holds the header and the first `written` rows already.
    pub fn resume(sink: W, n_rows: usize, n_columns: usize, dtype: Dtype, written: usize) -> RowWriter<W> {
        RowWriter { sink, n_rows, n_columns, dtype, written, bytes: Vec::new() }
    }

    /// The sink, to flush it between rows.
    pub fn sink_mut(&mut self) -> &mut W {
        &mut self.sink
    }

    /// Writes the next rows, converted to the writer's dtype.
    pub fn write_rows<T: Float>(&mut self, block: ArrayView2<'_, T>) -> Result<(), NpyError> {
        if block.ncols() != self.n_columns {
            return Err(NpyError::ColumnCount { found: block.ncols(), expected: self.n_columns });
        }
        if self.written + block.nrows() > self.n_rows {
            return Err(NpyError::RowCount { written: self.written + block.nrows(), promised: self.n_rows });
        }
        for row in block.rows() {
            self.bytes.clear();
            encode(row.iter().copied(), self.dtype, &mut self.bytes)?;
            self.sink.write_all(&self.bytes)?;
        }
        self.written += block.nrows();
        Ok(())
    }

    /// Ends the matrix, writes the labels behind it, and gives the sink back (not flushed).
    pub fn finish<'l>(mut self, labels: impl Into<LabelsRef<'l>>) -> Result<W, NpyError> {
        if self.written != self.n_rows {
            return Err(NpyError::RowCount { written: self.written, promised: self.n_rows });
        }
        let labels = labels.into();
        labels.check(&[self.n_rows, self.n_columns])?;
        labels.write(&mut self.sink)?;
        Ok(self.sink)
    }
}

/// Bytes of the values in another width. A finite number that would become infinite is an error: rounding may cost
/// digits, never the number.
fn encode<T: Float>(values: impl Iterator<Item = T>, dtype: Dtype, out: &mut Vec<u8>) -> Result<(), NpyError> {
    let mut lost: Option<f64> = None;
    let mut keep = |value: f64, infinite: bool| {
        if infinite && value.is_finite() {
            lost.get_or_insert(value);
        }
    };
    match dtype {
        // From f64, not through f32: rounding twice can land on the other neighbour.
        Dtype::F2 => values.for_each(|v| {
            let half = f16::from_f64(v.to_f64());
            keep(v.to_f64(), half.is_infinite());
            out.extend(half.to_le_bytes());
        }),
        Dtype::F4 => values.for_each(|v| {
            let single = v.to_f32();
            keep(v.to_f64(), single.is_infinite());
            out.extend(single.to_le_bytes());
        }),
        Dtype::F8 => values.for_each(|v| out.extend(v.to_f64().to_le_bytes())),
    }
    match lost {
        None => Ok(()),
        Some(value) => {
            let largest = if dtype == Dtype::F2 { f16::MAX.to_f64() } else { f64::from(f32::MAX) };
            Err(NpyError::Overflow { value, dtype: dtype.name(), largest })
        }
    }
}

/// Writes a matrix with its labels, in its own width.
pub fn write_matrix<'l, W: Write>(sink: W, matrix: &Matrix, labels: impl Into<LabelsRef<'l>>) -> Result<(), NpyError> {
    fn all<W: Write, T: Float>(sink: W, a: ArrayView2<'_, T>, labels: LabelsRef) -> Result<(), NpyError> {
        let mut rows = RowWriter::new(sink, a.nrows(), a.ncols(), T::DTYPE)?;
        rows.write_rows(a)?;
        rows.finish(labels).map(|_| ())
    }
    let labels = labels.into();
    match matrix {
        Matrix::F4(a) => all(sink, a.view(), labels),
        Matrix::F8(a) => all(sink, a.view(), labels),
    }
}

/// Writes a 1-d array (an RDM's upper triangle) and the labels behind it, which name no columns. The number of ids is
/// not checked here: an RDM of n stimuli has n ids and n(n-1)/2 values.
pub fn write_vector<'l, W: Write, T: Float>(
    mut sink: W,
    values: &[T],
    dtype: Dtype,
    labels: impl Into<LabelsRef<'l>>,
) -> Result<(), NpyError> {
    sink.write_all(&header::format(&format!("<{}", dtype.name()), &[values.len()]))?;
    encode_all(&mut sink, values, dtype)?;
    LabelsRef { columns: None, ..labels.into() }.write(sink)
}

/// Writes values in parts, so that their bytes are never all there beside them.
fn encode_all<W: Write, T: Float>(sink: &mut W, values: &[T], dtype: Dtype) -> Result<(), NpyError> {
    let mut bytes = Vec::with_capacity(values.len().min(1 << 16) * 8);
    for part in values.chunks(1 << 16) {
        bytes.clear();
        encode(part.iter().copied(), dtype, &mut bytes)?;
        sink.write_all(&bytes)?;
    }
    Ok(())
}

/// Writes an array of any shape in its own width, with its labels.
pub fn write_array<W: Write>(mut sink: W, array: &Array) -> Result<(), NpyError> {
    fn all<W: Write, T: Float>(sink: &mut W, shape: &[usize], values: &[T]) -> Result<(), NpyError> {
        sink.write_all(&header::format(&format!("<{}", T::DTYPE.name()), shape))?;
        encode_all(sink, values, T::DTYPE)
    }
    match &array.values {
        Values::F4(v) => all(&mut sink, &array.shape, v)?,
        Values::F8(v) => all(&mut sink, &array.shape, v)?,
    }
    let labels = LabelsRef::from(&array.labels);
    let columns = labels.columns.filter(|_| array.shape.len() > 1);
    LabelsRef { columns, ..labels }.write(sink)
}
