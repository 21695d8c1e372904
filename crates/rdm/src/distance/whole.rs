//! Distances of rows of whole numbers, from Gram matrices in which nothing is rounded.
//!
//! One-hot models, binary features, ratings, counts and ranks have many distances that are equal in exact arithmetic,
//! and a rank comparison must see them as equal. Products of whole numbers and their sums are exact in `f32` up to
//! `2^24` and in `f64` up to `2^53`; where all of them stay below, squared distances, covariances and variances are
//! exact, and what is rounded after that are a few operations per pair.

use linear_algebra::{Gram, GramAccumulator, PANEL, Real};
use ndarray::{Array2, Axis};
use rayon::prelude::*;

use super::patterns::{Patterns, blocks, read_block};
use super::scale::Standing;
use super::squared::by_row;
use super::survey::Survey;
use crate::RdmError;
use crate::matrix::n_pairs;

/// How the rows become whole numbers.
pub(super) struct Whole {
    standing: Standing,
    /// Per row what is subtracted, and the factor after that; `None` where a row is unusable.
    rows: Vec<Option<(f64, f64)>>,
    /// What a squared difference of the whole numbers is multiplied by (rows that are not scaled to one length).
    square: f64,
    /// Whether sums over a panel of products stay exact in `f32`.
    fits_f32: bool,
}

/// The relative error of the squared distances that [`Whole::squared_distances`] gives: of the eight operations after
/// the exact sums each rounds by at most `2^-53`, and the values are doubled numbers of size 1.
pub(super) const ROUNDING: f64 = 16.0 * f64::EPSILON / 2.0;

impl Whole {
    /// `None` when a row does not hold whole numbers, or sums of their products may be rounded, or in other units than
    /// the patterns' own.
    pub fn of(survey: &Survey, standing: Standing, n_units: usize) -> Option<Whole> {
        if survey.unit != 1.0 {
            return None;
        }
        let usable = || survey.scales.iter().zip(&survey.grids).filter_map(|(scale, grid)| Some((scale.ok()?, grid)));
        if usable().any(|(_, grid)| grid.is_none()) {
            return None;
        }
        // Lengths are comparable only in one unit.
        let common = usable().filter_map(|(_, grid)| grid.map(|g| g.unit)).min().unwrap_or(0);
        let unit_of = |unit: i32| if standing == Standing::AsItIs { common } else { unit };
        let mut largest = 0.0f64;
        let mut rows = Vec::with_capacity(survey.scales.len());
        for (scale, grid) in survey.scales.iter().zip(&survey.grids) {
            rows.push(match (scale, grid) {
                (Ok(scale), Some(grid)) => {
                    let factor = 2.0f64.powi(-unit_of(grid.unit));
                    largest = largest.max(scale.spread * factor);
                    Some((scale.first, factor))
                }
                _ => None,
            });
        }
        let n = n_units as f64;
        let products = n * largest * largest;
        // Covariances are n times a sum of products minus a product of sums.
        let largest_sum = if standing == Standing::Profile { n * products } else { 4.0 * products };
        if largest_sum > 2.0f64.powi(53) {
            return None;
        }
        let fits_f32 = n.min(PANEL as f64) * largest * largest <= 2.0f64.powi(24);
        Some(Whole { standing, rows, square: 2.0f64.powi(2 * common), fits_f32 })
    }

    /// Whether the values are exact, and not only their sums.
    pub fn is_exact(&self) -> bool {
        self.standing == Standing::AsItIs
    }

    /// The upper triangle of squared distances between rows as they are, scaled to length 1, or centred and scaled;
    /// `NaN` where a row is unusable.
    pub fn squared_distances<P: Patterns + ?Sized>(&self, patterns: &P) -> Result<Vec<f64>, RdmError> {
        let (gram, sums) = match self.fits_f32 {
            true => self.gram::<P, f32>(patterns)?,
            false => self.gram::<P, f64>(patterns)?,
        };
        let n = self.rows.len();
        let n_units = patterns.n_units() as f64;
        // Exact, by the bounds that `of` has checked.
        let covariance = |i: usize, j: usize| match self.standing {
            Standing::Profile => n_units * gram.get(i, j) - sums[i] * sums[j],
            _ => gram.get(i, j),
        };
        let variances: Vec<f64> =
            (0..n).map(|i| if self.rows[i].is_some() { covariance(i, i) } else { f64::NAN }).collect();
        let lengths: Vec<f64> = variances.iter().map(|v| v.sqrt()).collect();
        let mut values = vec![0.0; n_pairs(n)];
        by_row(&mut values, n).into_par_iter().enumerate().for_each(|(i, row)| {
            for (value, j) in row.iter_mut().zip(i + 1..) {
                let product = covariance(i, j);
                *value = match self.standing {
                    Standing::AsItIs => (variances[i] + variances[j] - 2.0 * product) * self.square,
                    _ => 2.0 * one_minus_cosine(product, variances[i], variances[j], lengths[i] * lengths[j]),
                };
            }
        });
        Ok(values)
    }

    /// Products of the whole numbers and their sums over units.
    fn gram<P: Patterns + ?Sized, T: Real>(&self, patterns: &P) -> Result<(Gram, Vec<f64>), RdmError> {
        let (n, n_units) = (self.rows.len(), patterns.n_units());
        let mut gram = GramAccumulator::<T>::new(n);
        let mut sums = vec![0.0; n];
        for (from, width) in blocks(n, size_of::<T>(), n_units) {
            let block = read_block(patterns, from, width)?;
            let mut whole: Array2<T> = Array2::from_elem(block.dim(), T::default());
            let rows = whole.axis_iter_mut(Axis(0)).into_par_iter().zip(block.axis_iter(Axis(0)).into_par_iter());
            rows.zip(&self.rows).zip(&mut sums).for_each(|(((mut out, values), row), sum)| {
                let Some((first, factor)) = row else { return };
                for (out, x) in out.iter_mut().zip(values) {
                    let number = (x.to_f64() - first) * factor;
                    *sum += number;
                    *out = T::from_f64(number);
                }
            });
            gram.push(whole.view());
        }
        Ok((gram.finish(), sums))
    }
}

/// `1 - product / length`, with `length` the root of `a b`, to a few units in the last place however near to 0.
fn one_minus_cosine(product: f64, a: f64, b: f64, length: f64) -> f64 {
    if product > 0.5 * length {
        // (a b - product^2) / (length (length + product)), each product with what its rounding lost.
        let (ab, squared) = (a * b, product * product);
        let lost = a.mul_add(b, -ab) - product.mul_add(product, -squared);
        ((ab - squared) + lost) / (length * (length + product))
    } else {
        1.0 - product / length
    }
}
