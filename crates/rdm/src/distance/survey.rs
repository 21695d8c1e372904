//! One look at every row before distances are taken: its scale, which rows are equal, which hold whole numbers.

use linear_algebra::Real;
use rayon::prelude::*;
use statistics::Reason;

use super::patterns::{Patterns, Selected};
use super::scale::{Scale, Standing, power_of_two_below_inverse};
use crate::RdmError;
use crate::matrix::n_pairs;

/// What is known of each row.
pub(super) struct Survey {
    pub scales: Vec<Result<Scale, Reason>>,
    /// `Some` where all values of the row are whole multiples of a power of two that is not much smaller than they are.
    pub grids: Vec<Option<Grid>>,
    /// What values were multiplied by in [`Scale::apply`], a power of two: 1, but for numbers whose squares would leave
    /// the range of `f64`.
    pub unit: f64,
}

/// A row is whole numbers times `2^unit`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub unit: i32,
}

/// Binary digits between the largest value of a row and the smallest digit of any of its values, above which the row is
/// not looked at as whole numbers: products of such numbers would not fit into an `f64` anyway. Rows of measured values
/// are past it after a few of them.
const DIGITS: i32 = 26;

impl Survey {
    /// Reads every row once.
    pub fn of<P: Patterns + ?Sized>(patterns: &P, standing: Standing) -> Result<Survey, RdmError> {
        let n_units = patterns.n_units();
        let rows: Vec<(Result<Scale, Reason>, Option<Grid>)> = (0..patterns.n_stimuli())
            .into_par_iter()
            .map_init(
                || vec![P::Value::default(); n_units],
                |values, row| {
                    patterns.read(row, 0, values)?;
                    Ok((Scale::of_row(values, standing), Grid::of(values)))
                },
            )
            .collect::<Result<_, RdmError>>()?;
        let (mut scales, grids): (Vec<Result<Scale, Reason>>, _) = rows.into_iter().unzip();
        let largest = scales.iter().flatten().map(|scale| scale.spread).fold(0.0, f64::max);
        let mut unit = 1.0;
        if standing == Standing::AsItIs && largest > 0.0 && !(1e-120..1e120).contains(&largest) {
            unit = power_of_two_below_inverse(largest);
            scales.iter_mut().flatten().for_each(|scale| scale.rescale(unit));
        }
        Ok(Survey { scales, grids, unit })
    }

    /// A number of each row; `NaN` for those that are unusable.
    pub fn each(&self, of: impl Fn(&Scale) -> f64) -> Vec<f64> {
        self.scales.iter().map(|scale| scale.as_ref().map_or(f64::NAN, &of)).collect()
    }

    /// Which rows have no distances.
    pub fn unusable(&self) -> Vec<bool> {
        self.scales.iter().map(Result::is_err).collect()
    }

    /// Whether values, which were left as they are, are whole numbers in one unit whose sums over `n_units` are exact.
    pub fn sums_are_exact(&self, n_units: usize) -> bool {
        let usable =
            || self.scales.iter().zip(&self.grids).filter_map(|(scale, grid)| Some((scale.as_ref().ok()?, grid)));
        let unit = usable().map(|(_, grid)| grid.map_or(i32::MIN / 2, |g| g.unit)).min().unwrap_or(0);
        let largest = usable().map(|(scale, _)| scale.spread).fold(0.0, f64::max);
        2.0 * n_units as f64 * largest <= 2.0f64.powi(53 + unit.max(-1000)) && unit > -1000
    }

    /// The same of some of the rows.
    pub fn of_rows(&self, rows: &[usize]) -> Survey {
        Survey {
            scales: rows.iter().map(|row| self.scales[*row]).collect(),
            grids: rows.iter().map(|row| self.grids[*row]).collect(),
            unit: self.unit,
        }
    }
}

impl Grid {
    fn of<T: Real>(row: &[T]) -> Option<Grid> {
        let (mut low, mut high) = (i32::MAX, i32::MIN);
        for x in row {
            let x = x.to_f64();
            if x == 0.0 {
                continue;
            }
            let exponent = ((x.to_bits() >> 52) & 0x7ff) as i32;
            // Subnormal, infinite, NaN.
            if exponent == 0 || exponent == 0x7ff {
                return None;
            }
            let mantissa = (x.to_bits() & ((1 << 52) - 1)) | 1 << 52;
            high = high.max(exponent - 1023);
            low = low.min(exponent - 1023 - 52 + mantissa.trailing_zeros() as i32);
            if high - low > DIGITS {
                return None;
            }
        }
        // Far from the ends of the range, so that powers of two stay exact.
        let unit = if low == i32::MAX { 0 } else { low };
        (unit.abs() < 400).then_some(Grid { unit })
    }
}

/// The rows of which no earlier one is equal. Distances are taken between these alone, so that equal rows have equal
/// distances to every other one, and none to each other, whatever the sums round to.
pub(super) struct Distinct {
    /// The first row of each kind.
    pub rows: Vec<usize>,
    /// The place in `rows` of the row that equals this one.
    kind: Vec<usize>,
}

impl Distinct {
    /// Rows whose marks agree are read again and compared value by value.
    pub fn of<P: Patterns + ?Sized>(patterns: &P, survey: &Survey) -> Result<Distinct, RdmError> {
        let mut order: Vec<(u64, usize)> = Vec::new();
        for (row, scale) in survey.scales.iter().enumerate() {
            if let Ok(scale) = scale {
                order.push((scale.mark.to_bits(), row));
            }
        }
        order.sort_unstable();
        let candidates: Vec<&[(u64, usize)]> =
            order.chunk_by(|a, b| a.0 == b.0).filter(|some| some.len() > 1).collect();
        let twins: Vec<Vec<(usize, usize)>> =
            candidates.into_par_iter().map(|some| twins(patterns, some)).collect::<Result<_, RdmError>>()?;
        let mut first: Vec<usize> = (0..survey.scales.len()).collect();
        for (row, earlier) in twins.into_iter().flatten() {
            first[row] = earlier;
        }
        let (mut rows, mut kind) = (Vec::new(), vec![0; first.len()]);
        for row in 0..first.len() {
            if first[row] == row {
                kind[row] = rows.len();
                rows.push(row);
            } else {
                kind[row] = kind[first[row]];
            }
        }
        Ok(Distinct { rows, kind })
    }

    /// The patterns without repetitions.
    pub fn select<'a, P: Patterns + ?Sized>(&'a self, patterns: &'a P) -> Selected<'a, P> {
        Selected::new(patterns, &self.rows)
    }

    /// The triangle over all rows from that over the distinct ones.
    pub fn expand(&self, values: Vec<f64>) -> Vec<f64> {
        let (n, n_kinds) = (self.kind.len(), self.rows.len());
        if n == n_kinds {
            return values;
        }
        let mut all = Vec::with_capacity(n_pairs(n));
        for (i, a) in self.kind.iter().enumerate() {
            all.extend(self.kind[i + 1..].iter().map(|b| match (a.min(b), a.max(b)) {
                (a, b) if a == b => 0.0,
                (a, b) => values[a * (2 * n_kinds - a - 1) / 2 + (b - a - 1)],
            }));
        }
        all
    }
}

/// Values of two rows that are compared at a time.
const PIECE: usize = 1024;

/// Each row that equals an earlier one of these, with the first such.
fn twins<P: Patterns + ?Sized>(patterns: &P, rows: &[(u64, usize)]) -> Result<Vec<(usize, usize)>, RdmError> {
    let (mut firsts, mut found): (Vec<usize>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
    for (_, row) in rows {
        let mut earlier = None;
        for first in &firsts {
            if equal(patterns, *first, *row)? {
                earlier = Some(*first);
                break;
            }
        }
        match earlier {
            Some(first) => found.push((*row, first)),
            None => firsts.push(*row),
        }
    }
    Ok(found)
}

fn equal<P: Patterns + ?Sized>(patterns: &P, a: usize, b: usize) -> Result<bool, RdmError> {
    let n_units = patterns.n_units();
    let mut pieces = [vec![P::Value::default(); PIECE.min(n_units)], vec![P::Value::default(); PIECE.min(n_units)]];
    for from in (0..n_units).step_by(PIECE) {
        let width = PIECE.min(n_units - from);
        let [of_a, of_b] = &mut pieces;
        patterns.read(a, from, &mut of_a[..width])?;
        patterns.read(b, from, &mut of_b[..width])?;
        if of_a[..width] != of_b[..width] {
            return Ok(false);
        }
    }
    Ok(true)
}
