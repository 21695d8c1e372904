use std::ops::Range;

use linear_algebra::Real;
use ndarray::{Array2, Axis};
use rayon::prelude::*;

use crate::rows::Rows;

/// What is done to the feature columns before the fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// The training mean is subtracted, and the rest divided by the training standard deviation.
    Standardize,
    /// The training mean is subtracted.
    Centre,
}

/// The means and standard deviations of feature columns over the training rows, which alone are looked at.
///
/// The standard deviation has n in the denominator. A column without variance in the training rows is turned
/// into zeros everywhere, so that its weight is 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnScaling {
    /// Mean of every column; 0 without an intercept.
    pub mean: Vec<f64>,
    /// What every column is divided by: its standard deviation, or 1 under [`Scaling::Centre`]; 0 marks a
    /// column without variance.
    pub divisor: Vec<f64>,
    /// Mean squared deviation of every column from `mean`, before the division.
    pub variance: Vec<f64>,
}

/// Columns that one thread takes at a time.
const CHUNK: usize = 512;

impl ColumnScaling {
    /// Learns means and standard deviations from these rows of `x` (`n x p`). `rows` must not be empty.
    pub fn learn<'a, T: Real + 'a>(x: impl Into<Rows<'a, T>>, rows: &[usize], scaling: Scaling) -> ColumnScaling {
        ColumnScaling::learn_weighted(x, rows, scaling, true, None)
    }

    /// The same with one weight per row of `x`, by which means and variances are weighted; and, without an
    /// `intercept`, with deviations from 0: the mean is 0, and the divisor a root mean square.
    pub fn learn_weighted<'a, T: Real + 'a>(
        x: impl Into<Rows<'a, T>>,
        rows: &[usize],
        scaling: Scaling,
        intercept: bool,
        weights: Option<&[f64]>,
    ) -> ColumnScaling {
        let x = x.into();
        let p = x.ncols();
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let total: f64 = rows.iter().map(|&row| weight(row)).sum();
        let mut learned = ColumnScaling { mean: vec![0.0; p], divisor: vec![1.0; p], variance: vec![0.0; p] };
        let parts = learned.mean.par_chunks_mut(CHUNK).zip(learned.divisor.par_chunks_mut(CHUNK));
        let parts = parts.zip(learned.variance.par_chunks_mut(CHUNK)).enumerate();
        parts.for_each(|(chunk, ((mean, divisor), variance))| {
            let start = chunk * CHUNK;
            let columns = start..start + mean.len();
            let mut buffer = Vec::new();
            // Deviations from the first row: an offset of any size costs no digit of the variance.
            let from: Vec<f64> = match intercept {
                true => x.part(rows[0], columns.clone(), &mut buffer).iter().map(|v| v.to_f64()).collect(),
                false => vec![0.0; mean.len()],
            };
            let mut varies = vec![false; mean.len()];
            let mut sum = vec![0.0; mean.len()];
            for &row in rows {
                let weight = weight(row);
                for (k, value) in x.part(row, columns.clone(), &mut buffer).iter().enumerate() {
                    let difference = value.to_f64() - from[k];
                    sum[k] += weight * difference;
                    varies[k] |= difference != 0.0;
                }
            }
            let centre: Vec<f64> = sum.iter().map(|s| if intercept { s / total } else { 0.0 }).collect();
            let mut squares = vec![0.0; mean.len()];
            for &row in rows {
                let weight = weight(row);
                for (k, value) in x.part(row, columns.clone(), &mut buffer).iter().enumerate() {
                    squares[k] += weight * (value.to_f64() - from[k] - centre[k]).powi(2);
                }
            }
            for k in 0..mean.len() {
                mean[k] = from[k] + centre[k];
                variance[k] = if varies[k] { squares[k] / total } else { 0.0 };
                divisor[k] = match scaling {
                    _ if !varies[k] => 0.0,
                    Scaling::Standardize => variance[k].sqrt(),
                    Scaling::Centre => 1.0,
                };
            }
        });
        learned
    }

    /// Mean squared length of a training row of the columns, scaled: what the factors of an alpha grid are times.
    /// 1 where no column varies, since any scale then gives weights of 0.
    pub fn mean_squared_length(&self, columns: Range<usize>) -> f64 {
        let sum = columns.map(|column| self.mean_squared_length_of(column)).sum();
        if sum > 0.0 { sum } else { 1.0 }
    }

    /// Mean square of one column, scaled.
    pub(crate) fn mean_squared_length_of(&self, column: usize) -> f64 {
        match self.divisor[column] {
            0.0 => 0.0,
            divisor => self.variance[column] / (divisor * divisor),
        }
    }

    /// Number of columns without variance in the training rows.
    pub fn n_constant(&self) -> usize {
        self.divisor.iter().filter(|d| **d == 0.0).count()
    }

    /// The scaled values of these rows and columns of `x`.
    pub fn apply<'a, T: Real + 'a, U: Real>(
        &self,
        x: impl Into<Rows<'a, T>>,
        rows: &[usize],
        columns: Range<usize>,
    ) -> Array2<U> {
        let x = x.into();
        let mut out = Array2::from_elem((rows.len(), columns.len()), U::default());
        let (mean, divisor) = (&self.mean[columns.clone()], &self.divisor[columns.clone()]);
        out.axis_iter_mut(Axis(0)).into_par_iter().zip(rows).for_each_init(Vec::new, |buffer, (mut out, &row)| {
            for (k, (out, value)) in out.iter_mut().zip(x.part(row, columns.clone(), buffer)).enumerate() {
                if divisor[k] != 0.0 {
                    *out = U::from_f64((value.to_f64() - mean[k]) / divisor[k]);
                }
            }
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::{ColumnScaling, Scaling};

    #[test]
    fn means_and_deviations_come_from_the_training_rows() {
        // rows 0 and 2: column 0 has 1, 3 (mean 2, sd 1), column 1 has 4, 4; row 1 is not looked at
        let x = array![[1.0f32, 4.0], [1000.0, 9.0], [3.0, 4.0]];
        let scaling = ColumnScaling::learn(x.view(), &[0, 2], Scaling::Standardize);
        assert_eq!(scaling.mean, [2.0, 4.0]);
        assert_eq!(scaling.divisor, [1.0, 0.0]);
        assert_eq!(scaling.n_constant(), 1);
        let applied: Array2<f64> = scaling.apply(x.view(), &[0, 1, 2], 0..2);
        assert_eq!(applied, array![[-1.0, 0.0], [998.0, 0.0], [1.0, 0.0]]);
        let second: Array2<f32> = scaling.apply(x.view(), &[1], 1..2);
        assert_eq!(second, array![[0.0f32]]);
        let centred = ColumnScaling::learn(x.view(), &[0, 1], Scaling::Centre);
        assert_eq!(centred.divisor, [1.0, 1.0]);
    }

    #[test]
    fn a_large_offset_costs_no_digits_and_an_inexact_constant_is_constant() {
        let x = array![[1e9 + 1.0, 0.1], [1e9 + 2.0, 0.1], [1e9 + 6.0, 0.1]];
        let scaling = ColumnScaling::learn(x.view(), &[0, 1, 2], Scaling::Standardize);
        assert_eq!(scaling.mean[0], 1e9 + 3.0);
        assert!((scaling.divisor[0] - (14.0f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(scaling.divisor[1], 0.0);
    }
}
