//! Distances that are no squared distance, taken pair by pair while rows are in the cache: sums and maxima of absolute
//! differences, and counts of units that differ.

use rayon::prelude::*;

use super::patterns::{Patterns, blocks, read_block};
use super::scale::{
    LANES, absolute_distance, differing, differing_and_either, largest_difference, power_of_two_below_inverse,
    sum_of_powers,
};
use super::squared::{by_row, mark_unusable};
use super::survey::Survey;
use super::ties::settle;
use crate::RdmError;
use crate::matrix::n_pairs;

/// Rows that are compared with each other while they are in the cache.
const ROWS: usize = 32;
/// Columns of them.
const COLUMNS: usize = 1024;

/// The power of [`crate::Distance::Minkowski`]: above 0, and infinity for the largest difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Power(f64);

impl Power {
    /// `None` for what is not above 0 (SciPy refuses it as well).
    pub fn new(p: f64) -> Option<Power> {
        (p > 0.0).then_some(Power(p))
    }

    /// The number itself.
    pub fn get(self) -> f64 {
        self.0
    }

    /// How `x^p` is taken for `x` from 0 up.
    fn how(self) -> Raise {
        let twice = 2.0 * self.0;
        match twice.fract() == 0.0 && self.0 <= LARGEST_PRODUCT {
            true => Raise::Product { whole: self.0.floor() as u32, root: self.0.fract() != 0.0 },
            false => Raise::Power(self.0),
        }
    }
}

/// Powers up to here are multiplied out; `2^p` times any number of units stays far within `f64`.
const LARGEST_PRODUCT: f64 = 64.0;

/// How a number is raised to a power.
#[derive(Debug, Clone, Copy)]
pub(super) enum Raise {
    /// Multiplied `whole` times, and once by its root: powers that are multiples of 1/2.
    Product { whole: u32, root: bool },
    /// Any other power.
    Power(f64),
}

impl Raise {
    /// Raises all of them, side by side.
    #[inline(always)]
    pub fn apply<const N: usize>(self, numbers: &mut [f64; N]) {
        let (mut left, root) = match self {
            Raise::Power(p) => return numbers.iter_mut().for_each(|x| *x = x.powf(p)),
            Raise::Product { whole, root } => (whole, root),
        };
        let (mut square, mut product) = (*numbers, [1.0; N]);
        if root {
            product = numbers.map(f64::sqrt);
        }
        while left > 0 {
            if left & 1 == 1 {
                product.iter_mut().zip(&square).for_each(|(product, square)| *product *= square);
            }
            square.iter_mut().for_each(|square| *square *= *square);
            left >>= 1;
        }
        *numbers = product;
    }
}

/// Adds every block of columns to what is kept of every pair `i < j`: `add(kept, i, j, values of i, values of j)`.
fn over_pairs<P: Patterns + ?Sized, V: Clone + Send>(
    patterns: &P,
    start: V,
    add: impl Fn(&mut V, (usize, usize), &[P::Value], &[P::Value]) + Sync,
) -> Result<Vec<V>, RdmError> {
    let (n, n_units) = (patterns.n_stimuli(), patterns.n_units());
    let mut kept = vec![start; n_pairs(n)];
    for (from, width) in blocks(n, size_of::<P::Value>(), n_units) {
        let block = read_block(patterns, from, width)?;
        let all = block.as_slice().unwrap_or_default();
        let piece = |row: usize, start: usize| &all[row * width + start..row * width + width.min(start + COLUMNS)];
        by_row(&mut kept, n).par_chunks_mut(ROWS).enumerate().for_each(|(group, rows)| {
            let first = group * ROWS;
            for partners in (first..n).step_by(ROWS) {
                for start in (0..width).step_by(COLUMNS) {
                    for (k, kept) in rows.iter_mut().enumerate() {
                        let i = first + k;
                        let a = piece(i, start);
                        for j in partners.max(i + 1)..n.min(partners + ROWS) {
                            add(&mut kept[j - i - 1], (i, j), a, piece(j, start));
                        }
                    }
                }
            }
        });
    }
    Ok(kept)
}

/// Sums of absolute differences: the upper triangle; `NaN` where a row is unusable.
pub(super) fn cityblock<P: Patterns + ?Sized>(patterns: &P, survey: &Survey) -> Result<Vec<f64>, RdmError> {
    let (n, n_units) = (patterns.n_stimuli(), patterns.n_units());
    let mut values = over_pairs(patterns, 0.0, |sum, _, a, b| *sum += absolute_distance(a, b))?;
    mark_unusable(&mut values, &survey.unusable());
    if !survey.sums_are_exact(n_units) {
        // Each difference rounds once, and sums of `d / LANES + LANES + d / COLUMNS` terms so many times; values that
        // are results of computations are off themselves.
        let u = f64::EPSILON / 2.0;
        let sum = u * (n_units / LANES + LANES + n_units / COLUMNS + 2) as f64;
        let own = survey.each(|scale| patterns.rounding() * n_units as f64 * scale.spread);
        settle(&mut values, n, None, None, |_, _, value| sum * value, |i, j, value| sum * value + own[i] + own[j]);
    }
    Ok(values)
}

/// Largest absolute differences.
pub(super) fn chebyshev<P: Patterns + ?Sized>(patterns: &P, survey: &Survey) -> Result<Vec<f64>, RdmError> {
    let mut values = largest_differences(patterns)?;
    mark_unusable(&mut values, &survey.unusable());
    // A difference rounds once, and a maximum not at all.
    let u = f64::EPSILON / 2.0;
    let own = survey.each(|scale| patterns.rounding() * scale.spread);
    let n = patterns.n_stimuli();
    settle(&mut values, n, None, None, |_, _, value| u * value, |i, j, value| u * value + own[i] + own[j]);
    Ok(values)
}

fn largest_differences<P: Patterns + ?Sized>(patterns: &P) -> Result<Vec<f64>, RdmError> {
    over_pairs(patterns, 0.0f64, |largest, _, a, b| *largest = largest.max(largest_difference(a, b)))
}

/// `(sum |a - b|^p)^(1/p)`. Powers are taken of differences in units of the pair's largest one, so that none leaves the
/// range of `f64`, whatever the power.
pub(super) fn minkowski<P: Patterns + ?Sized>(
    patterns: &P,
    survey: &Survey,
    power: Power,
) -> Result<Vec<f64>, RdmError> {
    let (n, n_units, p) = (patterns.n_stimuli(), patterns.n_units(), power.get());
    if p.is_infinite() {
        return chebyshev(patterns, survey);
    }
    let raise = power.how();
    let largest = largest_differences(patterns)?;
    let row_start = |i: usize| i * (2 * n - i - 1) / 2;
    // Multiplying by a power of two rounds nothing, so that sums of powers of whole numbers stay exact.
    let unit = |largest: f64| match raise {
        _ if largest == 0.0 || !largest.is_finite() => 1.0,
        Raise::Product { .. } => power_of_two_below_inverse(largest),
        Raise::Power(_) => 1.0 / largest.max(f64::MIN_POSITIVE),
    };
    let mut values = over_pairs(patterns, 0.0f64, |sum, (i, j), a, b| {
        *sum += sum_of_powers(a, b, unit(largest[row_start(i) + j - i - 1]), raise);
    })?;
    let inverse = 1.0 / p;
    values.iter_mut().zip(&largest).for_each(|(value, largest)| {
        *value = if *largest == 0.0 { 0.0 } else { value.powf(inverse) / unit(*largest) };
    });
    mark_unusable(&mut values, &survey.unusable());
    // A term is off by 2 p + 8 roundings at most, the sum as that of cityblock, and the root divides both by p.
    let u = f64::EPSILON / 2.0;
    let sum = (n_units / LANES + LANES + n_units / COLUMNS + 2) as f64;
    let relative = u * ((2.0 * p + 8.0 + sum) / p + 4.0);
    // By the triangle inequality, which holds from p = 1 on; below it nothing bounds what input rounding does.
    let of_input = if p < 1.0 { 0.0 } else { (n_units as f64).powf(inverse) };
    let own = survey.each(|scale| of_input * patterns.rounding() * scale.spread);
    settle(
        &mut values,
        n,
        None,
        None,
        |_, _, value| relative * value,
        |i, j, value| relative * value + own[i] + own[j],
    );
    Ok(values)
}

/// The share of units that differ.
pub(super) fn hamming<P: Patterns + ?Sized>(patterns: &P, survey: &Survey) -> Result<Vec<f64>, RdmError> {
    let n_units = patterns.n_units() as f64;
    // Counts, so that equal shares are equal numbers.
    let mut values = over_pairs(patterns, 0.0, |count, _, a, b| *count += f64::from(differing(a, b)))?;
    values.iter_mut().for_each(|count| *count /= n_units);
    mark_unusable(&mut values, &survey.unusable());
    Ok(values)
}

/// Of the units that are not 0 in both rows the share that is 0 in one; 0 where no unit is left.
pub(super) fn jaccard<P: Patterns + ?Sized>(patterns: &P, survey: &Survey) -> Result<Vec<f64>, RdmError> {
    // Both counts in the eight bytes that the value of a pair takes, so that turning them into it needs no more memory.
    let counts = over_pairs(patterns, 0u64, |counts, _, a, b| {
        let (one, either) = differing_and_either(a, b);
        *counts += u64::from(one) << 32 | u64::from(either);
    })?;
    let share = |counts: u64| match (counts >> 32, counts & u64::from(u32::MAX)) {
        (_, 0) => 0.0,
        (one, either) => one as f64 / either as f64,
    };
    let mut values: Vec<f64> = counts.into_iter().map(share).collect();
    mark_unusable(&mut values, &survey.unusable());
    Ok(values)
}
