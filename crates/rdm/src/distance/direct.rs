//! Distances of Poisson rates, which are products of two different matrices.

use linear_algebra::{PANEL, product};
use ndarray::{Array2, Axis};
use rayon::prelude::*;

use super::patterns::{Patterns, blocks, read_block};
use super::squared::mark_unusable;
use super::squared::{by_row, sum_directly};
use super::survey::Survey;
use super::ties::settle;
use crate::RdmError;
use crate::matrix::n_pairs;

/// `sum((a - b) (ln a - ln b))` over units, the symmetrized Kullback-Leibler divergence of Poisson rates.
pub(super) fn poisson<P: Patterns + ?Sized>(patterns: &P, survey: &Survey) -> Result<Vec<f64>, RdmError> {
    let (n, n_units) = (patterns.n_stimuli(), patterns.n_units());
    let mut values = vec![0.0; n_pairs(n)];
    let mut lengths = vec![0.0; n];
    // Sums of squares of rates and of their logarithms, for the bound on rounding.
    let (mut of_rates, mut of_logs) = (vec![0.0; n], vec![0.0; n]);
    for (from, width) in blocks(n, 16, n_units) {
        let block = read_block(patterns, from, width)?;
        let mut rates = Array2::zeros(block.dim());
        for ((row, mut out), block) in rates.axis_iter_mut(Axis(0)).enumerate().zip(block.rows()) {
            // An unusable row stays where it can spoil no other.
            if survey.scales[row].is_err() {
                out.fill(1.0);
                continue;
            }
            for (out, value) in out.iter_mut().zip(block) {
                *out = linear_algebra::Real::to_f64(*value);
                if *out <= 0.0 {
                    return Err(RdmError::NotARate { row, value: *out });
                }
            }
        }
        let mut logs = rates.mapv(f64::ln);
        for (sums, of) in [(&mut of_rates, &rates), (&mut of_logs, &logs)] {
            sums.iter_mut().zip(of.rows()).for_each(|(sum, row)| *sum += row.dot(&row));
        }
        centre_columns(&mut rates);
        centre_columns(&mut logs);
        let kernel = product(rates.view(), logs.t());
        add_contrasts(&mut values, &kernel, 1.0);
        lengths.iter_mut().zip(kernel.diag()).for_each(|(sum, v)| *sum += v);
    }
    // Every term is positive: what is left of the difference of sums for nearly equal rows is rounding.
    let mut close = vec![Vec::new(); n];
    for ((i, values), close) in by_row(&mut values, n).into_iter().enumerate().zip(&mut close) {
        for (value, j) in values.iter_mut().zip(i + 1..) {
            if *value <= CLOSE * (lengths[i] + lengths[j]) {
                *value = 0.0;
                close.push(j as u32);
            }
        }
    }
    sum_directly(patterns, &close, &mut values, |_, a, _, b| {
        let numbers =
            a.iter().zip(b).map(|(a, b)| (linear_algebra::Real::to_f64(*a), linear_algebra::Real::to_f64(*b)));
        numbers.map(|(a, b)| (a - b) * (a.ln() - b.ln())).sum()
    })?;
    mark_unusable(&mut values, &survey.unusable());
    // As for squared distances, with the lengths of the two factors in place of one.
    let u = f64::EPSILON / 2.0;
    let summed = 2.0 * u * (n_units.min(PANEL) + n_units / PANEL + 8) as f64;
    let directly = u * (n_units + 8) as f64;
    let roots = |squares: Vec<f64>| squares.into_iter().map(f64::sqrt).collect::<Vec<f64>>();
    let (of_rates, of_logs) = (roots(of_rates), roots(of_logs));
    let bound = |i: usize, j: usize, value: f64| {
        let own = 4.0 * u * (of_rates[i] + of_rates[j]) * (of_logs[i] + of_logs[j]);
        match value <= CLOSE * (lengths[i] + lengths[j]) {
            true => directly * value + 2.0 * (own * value).sqrt().min(own),
            false => summed * (of_rates[i] + of_rates[j]) * (of_logs[i] + of_logs[j]),
        }
    };
    settle(&mut values, n, None, None, bound, bound);
    Ok(values)
}

/// Part of the sum of two lengths below which a value is summed again directly.
const CLOSE: f64 = 1e-6;

/// Adds `weight * (k_ii + k_jj - k_ij - k_ji)` to the value of every pair: with `k = x y'` that is the sum over
/// columns of `(x_i - x_j) (y_i - y_j)`.
pub(crate) fn add_contrasts(values: &mut [f64], kernel: &Array2<f64>, weight: f64) {
    by_row(values, kernel.nrows()).into_par_iter().enumerate().for_each(|(i, values)| {
        for (value, j) in values.iter_mut().zip(i + 1..) {
            *value += weight * (kernel[(i, i)] + kernel[(j, j)] - kernel[(i, j)] - kernel[(j, i)]);
        }
    });
}

/// Subtracts from every column its mean, which no difference of rows sees.
pub(crate) fn centre_columns(x: &mut Array2<f64>) {
    if let Some(means) = x.mean_axis(Axis(0)) {
        *x -= &means;
    }
}
