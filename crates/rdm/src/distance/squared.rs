//! Squared distances of all pairs of rows from products of blocks of columns.

use linear_algebra::{Gram, GramAccumulator, PANEL, Real};
use ndarray::{Array2, Axis};
use rayon::prelude::*;

use super::patterns::{Patterns, Widened, blocks, read_block};
use super::scale::{LANES, Standing, add_coordinates, power_of_two_below_inverse, squared_distance, to_coordinates};
use super::survey::Survey;
use super::ties::{Bounds, many_agree, settle};
use super::whole::{self, Whole};
use crate::RdmError;
use crate::matrix::n_pairs;

/// A pair whose squared distance is below this part of the sum of the two squared lengths is summed again:
/// the difference of sums has lost two digits of seven (`f32`) or four of sixteen (`f64`).
fn close<T: Real>() -> f64 {
    if size_of::<T>() == 4 { 1e-2 } else { 1e-4 }
}

/// Columns whose means over rows are taken by one thread.
const MEAN_CHUNK: usize = 512;

/// Rows with what makes coordinates of them; of the rows themselves nothing is held.
struct Coordinates<'a, P: ?Sized> {
    patterns: &'a P,
    survey: &'a Survey,
    standing: Standing,
    /// A power of two that keeps `f32` squares in range.
    range: f64,
}

/// Squared distances, with what bounds their errors.
struct Sums {
    values: Vec<f64>,
    /// Squared lengths of the rows minus their common mean; `NaN` where a row is unusable.
    lengths: Vec<f64>,
}

/// The squared distances between rows: the upper triangle, row by row; `NaN` where a row is unusable. Those that are
/// equal but for rounding are equal.
///
/// `f32` is multiplied in `f32` only where that saves time and where the distances do not look as if many of them were
/// equal.
pub(super) fn squared_distances<P: Patterns + ?Sized>(
    patterns: &P,
    survey: &Survey,
    standing: Standing,
) -> Result<Vec<f64>, RdmError> {
    if let Some(whole) = Whole::of(survey, standing, patterns.n_units()) {
        let mut values = whole.squared_distances(patterns)?;
        if !whole.is_exact() {
            let bound = |_, _, value: f64| whole::ROUNDING * value;
            settle(&mut values, patterns.n_stimuli(), Some(4.0), None, bound, bound);
        }
        return Ok(values);
    }
    let n = patterns.n_stimuli();
    if size_of::<P::Value>() == 8 {
        return Coordinates::new(patterns, survey, standing).settled();
    }
    let wide = Widened(patterns);
    let in_f64 = Coordinates::new(&wide, survey, standing);
    if n * n * patterns.n_units() <= CHEAP {
        return in_f64.settled();
    }
    let Sums { values, lengths } = Coordinates::new(patterns, survey, standing).sums()?;
    if many_agree(&values, n, |i, j, _| F32_ROUNDING * (lengths[i] + lengths[j])) {
        return in_f64.settled();
    }
    Ok(values)
}

/// Products that `f64` takes no more than a few milliseconds longer for than `f32`.
pub(crate) const CHEAP: usize = 1 << 26;

/// What `f32` products leave of the sum of two squared lengths, as a rule: four units in the last place.
pub(crate) const F32_ROUNDING: f64 = 2.0 * f32::EPSILON as f64;

impl<'a, P: Patterns + ?Sized> Coordinates<'a, P> {
    fn new(patterns: &'a P, survey: &'a Survey, standing: Standing) -> Coordinates<'a, P> {
        let largest = survey.scales.iter().flatten().map(|s| s.largest).fold(0.0, f64::max);
        let range = if largest > 0.0 { power_of_two_below_inverse(largest) } else { 1.0 };
        Coordinates { patterns, survey, standing, range }
    }

    /// Values of a block become coordinates minus their mean over the usable rows; 0 in unusable rows.
    fn centre(&self, block: &mut Array2<P::Value>) {
        let n_usable = self.survey.scales.iter().filter(|s| s.is_ok()).count().max(1) as f64;
        let width = block.ncols();
        let mut means = vec![0.0; width];
        let values = block.as_slice().unwrap_or_default();
        // Column chunks are independent, and each is summed from the first row to the last.
        means.par_chunks_mut(MEAN_CHUNK).enumerate().for_each(|(chunk, means)| {
            let start = chunk * MEAN_CHUNK;
            for (row, scale) in self.survey.scales.iter().enumerate() {
                let Ok(scale) = scale else { continue };
                add_coordinates(means, &values[row * width + start..row * width + start + means.len()], scale);
            }
            means.iter_mut().for_each(|mean| *mean /= n_usable);
        });
        block.axis_iter_mut(Axis(0)).into_par_iter().zip(&self.survey.scales).for_each(|(mut row, scale)| {
            match (scale, row.as_slice_mut()) {
                (Ok(scale), Some(row)) => to_coordinates(row, scale, &means, self.range),
                _ => row.fill(P::Value::default()),
            }
        });
    }

    fn sums(&self) -> Result<Sums, RdmError> {
        let (n, n_units) = (self.patterns.n_stimuli(), self.patterns.n_units());
        let mut gram = GramAccumulator::new(n);
        for (from, width) in blocks(n, size_of::<P::Value>(), n_units) {
            let mut block = read_block(self.patterns, from, width)?;
            self.centre(&mut block);
            gram.push(block.view());
        }
        let gram = gram.finish();
        let factor = 1.0 / (self.range * self.range);
        let usable = |row: usize| self.survey.scales[row].is_ok();
        let lengths: Vec<f64> =
            gram.diagonal().iter().enumerate().map(|(row, v)| if usable(row) { *v } else { f64::NAN }).collect();
        let (mut values, close) = squared_of_gram(gram, &lengths, close::<P::Value>(), factor);
        sum_directly(self.patterns, &close, &mut values, |i, a, j, b| {
            match (&self.survey.scales[i], &self.survey.scales[j]) {
                (Ok(scale_i), Ok(scale_j)) => squared_distance(a, scale_i, b, scale_j),
                _ => f64::NAN,
            }
        })?;
        Ok(Sums { values, lengths: lengths.into_iter().map(|v| v * factor).collect() })
    }

    /// For patterns in `f64`: with `u = 2^-53`, `d` units, and the coordinates of row `i` off by `e_i` (rounding of its
    /// mean and length, and of each coordinate),
    ///
    /// `|error of D_ij| <= 2 sqrt(D_ij) (e_i + e_j) + (e_i + e_j)^2 + g`
    ///
    /// by the triangle inequality, where `g` is what summing costs (Higham 2002, section 3.1): `2 m u (l_i + l_j)` for
    /// `l_i + l_j - 2 p_ij`, sums of at most `m = min(d, PANEL) + d / PANEL + 4` terms; and
    /// `(d / LANES + LANES + 4) u D_ij` for pairs that were summed directly. The rounding of the values themselves, `r`
    /// of the largest of them, is independent from unit to unit, so in the difference of two rows it is as if `e_i`
    /// were larger by a few times `r`, however many units there are.
    fn settled(&self) -> Result<Vec<f64>, RdmError> {
        let Sums { mut values, lengths } = self.sums()?;
        let d = self.patterns.n_units();
        let u = f64::EPSILON / 2.0;
        let rounding = self.patterns.rounding();
        let computed = self.survey.each(|scale| scale.error);
        let own: Vec<f64> = computed.iter().zip(&lengths).map(|(e, l)| e + 2.0 * u * l.sqrt()).collect();
        let given = self.survey.each(|scale| 4.0 * rounding * scale.raw_size());
        let summed = 2.0 * u * (d.min(PANEL) + d / PANEL + 4) as f64;
        let directly = u * (d / LANES + LANES + 4) as f64;
        let largest = (self.standing != Standing::AsItIs).then_some(4.0);
        let bound = |both: f64, value: f64, own: f64| {
            let sum = if value > close::<P::Value>() * both { summed * both } else { directly * value };
            2.0 * value.sqrt() * own + own * own + sum
        };
        let most = |of: &[f64]| of.iter().copied().filter(|v| !v.is_nan()).fold(0.0, f64::max);
        let (value, both, of_own) = (most(&values), 2.0 * most(&lengths), 2.0 * most(&own));
        let at_most = |own: f64| bound(both, value, own) + summed * both;
        let bounds = Bounds { exact_input: at_most(of_own), with_input: at_most(of_own + 2.0 * most(&given)) };
        settle(
            &mut values,
            lengths.len(),
            largest,
            Some(bounds),
            |i, j, value| bound(lengths[i] + lengths[j], value, own[i] + own[j]),
            |i, j, value| bound(lengths[i] + lengths[j], value, own[i] + own[j] + given[i] + given[j]),
        );
        Ok(values)
    }
}

/// The rows of a triangle, to be filled by different threads.
pub(crate) fn by_row<V>(values: &mut [V], n: usize) -> Vec<&mut [V]> {
    let mut rest = values;
    let mut rows = Vec::with_capacity(n);
    for row in 0..n {
        let (mine, others) = rest.split_at_mut(n - 1 - row);
        rows.push(mine);
        rest = others;
    }
    rows
}

/// The pairs of rows that have no distances become `NaN`; `unusable` has a place for every row.
pub(crate) fn mark_unusable(values: &mut [f64], unusable: &[bool]) {
    for (i, row) in by_row(values, unusable.len()).into_iter().enumerate() {
        for (value, other) in row.iter_mut().zip(&unusable[i + 1..]) {
            if unusable[i] || *other {
                *value = f64::NAN;
            }
        }
    }
}

/// Rows of the triangle that are made before the memory of their part of the Gram matrix is given back.
const ROWS_AT_ONCE: usize = 256;
/// Rows that are made together by one thread: a row of the triangle is a column of the Gram matrix, and this many
/// columns lie in one line of the cache.
const ROWS_TOGETHER: usize = 8;

/// `factor` times the squared distances of a Gram matrix, and for each row the partners that are too close for this:
/// their value is 0. The Gram matrix shrinks while the triangle grows, so that both together need little more than
/// one of them.
fn squared_of_gram(mut gram: Gram, lengths: &[f64], close: f64, factor: f64) -> (Vec<f64>, Vec<Vec<u32>>) {
    let n = gram.n();
    let mut values = vec![0.0; n_pairs(n)];
    let mut close_to = vec![Vec::new(); n];
    let mut rows: Vec<(&mut [f64], &mut Vec<u32>)> = by_row(&mut values, n).into_iter().zip(&mut close_to).collect();
    for (chunk, some) in rows.chunks_mut(ROWS_AT_ONCE).enumerate() {
        let start = chunk * ROWS_AT_ONCE;
        some.par_chunks_mut(ROWS_TOGETHER).enumerate().for_each(|(group, rows)| {
            let first = start + group * ROWS_TOGETHER;
            for j in first + 1..n {
                let mut column = first;
                while column < (first + rows.len()).min(j) {
                    let part = gram.part_of_row(j, column);
                    let end = (column + part.len()).min(first + rows.len()).min(j);
                    for (i, product) in (column..end).zip(part) {
                        let (values, close_to) = &mut rows[i - first];
                        let both = lengths[i] + lengths[j];
                        let squared = both - 2.0 * product;
                        if squared > close * both {
                            values[j - i - 1] = squared * factor;
                        } else if both.is_nan() {
                            values[j - i - 1] = f64::NAN;
                        } else {
                            close_to.push(j as u32);
                        }
                    }
                    column = end;
                }
            }
        });
        gram.forget_columns(start + some.len());
    }
    (values, close_to)
}

/// Adds to the value of every pair `(i, close[i][..])` the sum of `term` over blocks of columns.
pub(super) fn sum_directly<P: Patterns + ?Sized>(
    patterns: &P,
    close: &[Vec<u32>],
    values: &mut [f64],
    term: impl Fn(usize, &[P::Value], usize, &[P::Value]) -> f64 + Sync,
) -> Result<(), RdmError> {
    if close.iter().all(Vec::is_empty) {
        return Ok(());
    }
    let (n, n_units) = (patterns.n_stimuli(), patterns.n_units());
    for (from, width) in blocks(n, size_of::<P::Value>(), n_units) {
        let block = read_block(patterns, from, width)?;
        let all = block.as_slice().unwrap_or_default();
        let row = |i: usize| &all[i * width..(i + 1) * width];
        by_row(values, n).into_par_iter().enumerate().for_each(|(i, values)| {
            for j in close[i].iter().map(|j| *j as usize) {
                values[j - i - 1] += term(i, row(i), j, row(j));
            }
        });
    }
    Ok(())
}
