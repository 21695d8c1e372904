//! Where patterns are when distances are taken: in memory, in a file, or as averages of other patterns.

use linear_algebra::{PANEL, Real};
use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2};
use rayon::prelude::*;

use crate::RdmError;

/// Patterns of which pieces can be read: `n_stimuli` rows of `n_units` values.
///
/// Nothing says that they are held in memory. Distances read each row once and then blocks of columns, from several
/// threads, so that what is held is a block however wide the rows are.
pub trait Patterns: Sync {
    /// `f32` or `f64`; products are made in this type.
    type Value: Element;

    /// Number of rows.
    fn n_stimuli(&self) -> usize;

    /// Number of columns.
    fn n_units(&self) -> usize;

    /// The values of row `row` from column `from` on, as many as `out` takes. A file that fails is
    /// [`RdmError::Unreadable`].
    fn read(&self, row: usize, from: usize, out: &mut [Self::Value]) -> Result<(), RdmError>;

    /// How far values may be from what they stand for, relative to the length of their row: half a unit in the last
    /// place of their type, which results of computations are rounded to.
    fn rounding(&self) -> f64 {
        half_unit::<Self::Value>()
    }
}

pub(super) fn half_unit<T>() -> f64 {
    if size_of::<T>() == 8 { f64::EPSILON / 2.0 } else { f64::from(f32::EPSILON) / 2.0 }
}

/// Patterns of either width behind a pointer, so that what is done to them is compiled once for all kinds of them, here
/// and not in every crate that measures something. Any `&` to patterns becomes one.
#[derive(Clone, Copy)]
pub enum Erased<'a> {
    /// In `f32`.
    Single(&'a dyn Patterns<Value = f32>),
    /// In `f64`.
    Double(&'a dyn Patterns<Value = f64>),
}

impl<'a, P: Patterns> From<&'a P> for Erased<'a> {
    fn from(patterns: &'a P) -> Erased<'a> {
        P::Value::erase(patterns)
    }
}

impl Erased<'_> {
    /// [`Patterns::n_stimuli`].
    pub fn n_stimuli(self) -> usize {
        match self {
            Erased::Single(patterns) => patterns.n_stimuli(),
            Erased::Double(patterns) => patterns.n_stimuli(),
        }
    }

    /// [`Patterns::n_units`].
    pub fn n_units(self) -> usize {
        match self {
            Erased::Single(patterns) => patterns.n_units(),
            Erased::Double(patterns) => patterns.n_units(),
        }
    }

    /// [`Patterns::rounding`].
    pub fn rounding(self) -> f64 {
        match self {
            Erased::Single(patterns) => patterns.rounding(),
            Erased::Double(patterns) => patterns.rounding(),
        }
    }

    /// What `of` makes of some of the rows ([`Selected`]).
    ///
    /// # Panics
    /// When a row is not there.
    pub fn with_rows<R>(self, rows: &[usize], of: impl FnOnce(Erased) -> R) -> R {
        match self {
            Erased::Single(patterns) => of((&Selected::new(patterns, rows)).into()),
            Erased::Double(patterns) => of((&Selected::new(patterns, rows)).into()),
        }
    }

    /// [`Patterns::read`] in `f64`.
    pub fn read(self, row: usize, from: usize, out: &mut [f64]) -> Result<(), RdmError> {
        match self {
            Erased::Single(patterns) => Widened(patterns).read(row, from, out),
            Erased::Double(patterns) => patterns.read(row, from, out),
        }
    }
}

/// The numbers that patterns may hold: `f32` or `f64`.
pub trait Element: Real {
    /// The patterns, whatever kind they are.
    fn erase(patterns: &dyn Patterns<Value = Self>) -> Erased<'_>;
}

impl Element for f32 {
    fn erase(patterns: &dyn Patterns<Value = f32>) -> Erased<'_> {
        Erased::Single(patterns)
    }
}

impl Element for f64 {
    fn erase(patterns: &dyn Patterns<Value = f64>) -> Erased<'_> {
        Erased::Double(patterns)
    }
}

/// Patterns in memory.
pub struct InMemory<'a, T> {
    values: CowArray<'a, T, Ix2>,
    rounding: Option<f64>,
}

impl<'a, T: Element> InMemory<'a, T> {
    /// A view in C order is used where it lies, any other is copied.
    pub fn new(patterns: ArrayView2<'a, T>) -> InMemory<'a, T> {
        let values = match patterns.is_standard_layout() {
            true => patterns.into(),
            false => patterns.as_standard_layout().into_owned().into(),
        };
        InMemory { values, rounding: None }
    }

    /// The same, with the [`Patterns::rounding`] of the computation that made them.
    pub fn with_rounding(self, rounding: f64) -> InMemory<'a, T> {
        InMemory { rounding: Some(rounding), ..self }
    }
}

impl<T: Element> Patterns for InMemory<'_, T> {
    type Value = T;

    fn n_stimuli(&self) -> usize {
        self.values.nrows()
    }

    fn n_units(&self) -> usize {
        self.values.ncols()
    }

    fn read(&self, row: usize, from: usize, out: &mut [T]) -> Result<(), RdmError> {
        let start = row * self.values.ncols() + from;
        // `new` made sure of the order.
        let all = self.values.as_slice().unwrap_or_default();
        out.copy_from_slice(&all[start..start + out.len()]);
        Ok(())
    }

    fn rounding(&self) -> f64 {
        self.rounding.unwrap_or(half_unit::<T>())
    }
}

/// Other patterns in `f64`.
pub struct Widened<'a, P: ?Sized>(pub &'a P);

impl<P: Patterns + ?Sized> Patterns for Widened<'_, P> {
    type Value = f64;

    fn n_stimuli(&self) -> usize {
        self.0.n_stimuli()
    }

    fn n_units(&self) -> usize {
        self.0.n_units()
    }

    fn read(&self, row: usize, from: usize, out: &mut [f64]) -> Result<(), RdmError> {
        let mut values = vec![P::Value::default(); out.len()];
        self.0.read(row, from, &mut values)?;
        out.iter_mut().zip(&values).for_each(|(out, v)| *out = v.to_f64());
        Ok(())
    }

    fn rounding(&self) -> f64 {
        self.0.rounding()
    }
}

/// Some of the rows of other patterns, in any order.
pub struct Selected<'a, P: ?Sized> {
    patterns: &'a P,
    rows: &'a [usize],
}

impl<'a, P: Patterns + ?Sized> Selected<'a, P> {
    /// Row `k` is row `rows[k]` of `patterns`.
    ///
    /// # Panics
    /// When a row is not there.
    pub fn new(patterns: &'a P, rows: &'a [usize]) -> Selected<'a, P> {
        let n = patterns.n_stimuli();
        assert!(rows.iter().all(|row| *row < n), "a row beyond the {n} patterns");
        Selected { patterns, rows }
    }
}

impl<P: Patterns + ?Sized> Patterns for Selected<'_, P> {
    type Value = P::Value;

    fn n_stimuli(&self) -> usize {
        self.rows.len()
    }

    fn n_units(&self) -> usize {
        self.patterns.n_units()
    }

    fn read(&self, row: usize, from: usize, out: &mut [P::Value]) -> Result<(), RdmError> {
        self.patterns.read(self.rows[row], from, out)
    }

    fn rounding(&self) -> f64 {
        self.patterns.rounding()
    }
}

/// Means of rows of other patterns, unit by unit, in `f64`.
pub struct Averaged<'a> {
    patterns: Erased<'a>,
    members: &'a [Vec<usize>],
}

impl<'a> Averaged<'a> {
    /// Row `k` is the mean of the rows `members[k]`.
    ///
    /// # Panics
    /// When a row is not there, or a mean has no member.
    pub fn new(patterns: impl Into<Erased<'a>>, members: &'a [Vec<usize>]) -> Averaged<'a> {
        let patterns = patterns.into();
        let n = patterns.n_stimuli();
        assert!(members.iter().all(|rows| !rows.is_empty()), "a mean of no pattern");
        assert!(members.iter().flatten().all(|row| *row < n), "a row beyond the {n} patterns");
        Averaged { patterns, members }
    }
}

impl Patterns for Averaged<'_> {
    type Value = f64;

    fn n_stimuli(&self) -> usize {
        self.members.len()
    }

    fn n_units(&self) -> usize {
        self.patterns.n_units()
    }

    fn read(&self, row: usize, from: usize, out: &mut [f64]) -> Result<(), RdmError> {
        let mut values = vec![0.0; out.len()];
        out.fill(0.0);
        for member in &self.members[row] {
            self.patterns.read(*member, from, &mut values)?;
            out.iter_mut().zip(&values).for_each(|(sum, v)| *sum += v);
        }
        let n = self.members[row].len() as f64;
        out.iter_mut().for_each(|sum| *sum /= n);
        Ok(())
    }
}

/// All of the patterns, in memory, in `f64`: for what needs whole rows at once.
pub fn gather<'a>(patterns: impl Into<Erased<'a>>) -> Result<Array2<f64>, RdmError> {
    let patterns = patterns.into();
    read_wide(patterns, 0, patterns.n_units())
}

/// [`read_block`] in `f64`.
pub(crate) fn read_wide(patterns: Erased, from: usize, width: usize) -> Result<Array2<f64>, RdmError> {
    match patterns {
        Erased::Single(patterns) => read_block(&Widened(patterns), from, width),
        Erased::Double(patterns) => read_block(patterns, from, width),
    }
}

/// Columns `from..from + width` of all rows.
pub(crate) fn read_block<P: Patterns + ?Sized>(
    patterns: &P,
    from: usize,
    width: usize,
) -> Result<Array2<P::Value>, RdmError> {
    let mut block = Array2::from_elem((patterns.n_stimuli(), width), P::Value::default());
    let rows = block.axis_iter_mut(Axis(0)).into_par_iter().enumerate();
    rows.try_for_each(|(row, mut out)| match out.as_slice_mut() {
        Some(out) => patterns.read(row, from, out),
        None => Ok(()),
    })?;
    Ok(block)
}

/// Bytes of the block of columns that is held at a time; more where one panel of all rows is larger.
const BLOCK_BYTES: usize = 32 << 20;

/// The starts and widths of the blocks of columns that cover `n_units`, whole panels but for the last. Where they are
/// cut decides no byte of a product, which is summed panel by panel.
pub(crate) fn blocks(n_rows: usize, item_bytes: usize, n_units: usize) -> impl Iterator<Item = (usize, usize)> {
    let panels = (BLOCK_BYTES / (n_rows.max(1) * item_bytes * PANEL)).clamp(1, 64);
    let width = panels * PANEL;
    (0..n_units).step_by(width).map(move |from| (from, width.min(n_units - from)))
}
