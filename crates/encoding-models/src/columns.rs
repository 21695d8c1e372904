//! Columns of responses: some of them, their means and sums of squares.

use std::borrow::Cow;

use ndarray::{Array1, Array2, Axis, s};

pub fn gather(all: &Array2<f64>, rows: &[usize]) -> Array2<f64> {
    let mut out = Array2::zeros((rows.len(), all.ncols()));
    out.rows_mut().into_iter().zip(rows).for_each(|(mut out, &row)| out.assign(&all.row(row)));
    out
}

pub fn select_columns<'a>(all: &'a Array2<f64>, columns: &[usize]) -> Cow<'a, Array2<f64>> {
    match columns.len() == all.ncols() {
        true => Cow::Borrowed(all),
        false => Cow::Owned(all.select(Axis(1), columns)),
    }
}

/// Takes the weighted mean out of every column, and gives it.
pub fn centre(values: &mut Array2<f64>, weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let mean = means(values, &weights.collect::<Vec<f64>>());
    values.rows_mut().into_iter().for_each(|mut row| row.iter_mut().zip(&mean).for_each(|(v, m)| *v -= m));
    mean
}

/// Weighted means of the columns, as deviations from the first row: an offset of any size costs no digits.
pub fn means(values: &Array2<f64>, weights: &[f64]) -> Vec<f64> {
    let first = values.slice(s![0, ..]);
    let mut sums = vec![0.0; values.ncols()];
    for (row, weight) in values.rows().into_iter().zip(weights) {
        sums.iter_mut().zip(row).zip(&first).for_each(|((sum, v), first)| *sum += weight * (v - first));
    }
    let total: f64 = weights.iter().sum();
    sums.iter().zip(&first).map(|(sum, first)| first + sum / total).collect()
}

pub fn sums_of_squares(values: &Array2<f64>) -> Array1<f64> {
    let mut sums = Array1::zeros(values.ncols());
    for row in values.rows() {
        sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v * v);
    }
    sums
}

pub fn weighted_squares(values: &Array2<f64>, weights: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; values.ncols()];
    for (row, weight) in values.rows().into_iter().zip(weights) {
        sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += weight * v * v);
    }
    sums
}
