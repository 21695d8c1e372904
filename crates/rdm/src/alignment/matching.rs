//! Units matched with units by their correlations.

use linear_algebra::cross_product;
use ndarray::{Array2, Axis};
use statistics::bounded;

use super::transport::transport;
use super::{Split, centred};

/// One side of a matching.
#[derive(Debug, Clone)]
pub(super) struct Units {
    /// Centred columns of norm 1 over the rows of the fit, `n x p`.
    fit: Array2<f64>,
    /// The same over held-out rows, with means and norms of their own.
    held: Option<Array2<f64>>,
}

impl Units {
    /// No unit may be constant over the rows of the split.
    pub fn of(x: &Array2<f64>, split: &Split) -> Units {
        let standard = |rows: &[usize]| {
            let mut chosen = centred(x, rows);
            let norms = chosen.map_axis(Axis(0), |column| column.dot(&column).sqrt());
            chosen /= &norms;
            chosen
        };
        Units { fit: standard(&split.fit), held: split.score.as_deref().map(standard) }
    }

    pub fn n_units(&self) -> usize {
        self.fit.ncols()
    }
}

/// The mean correlation of the matched units, weighted by how much of them is matched: `soft` matches all of both
/// sides.
pub(super) fn score(a: &Units, b: &Units, soft: bool) -> f64 {
    // The smaller side in the rows: all of it is matched.
    let (a, b) = if a.n_units() > b.n_units() { (b, a) } else { (a, b) };
    let (p, q) = (a.n_units(), b.n_units());
    let of_fit = cross_product(a.fit.view(), b.fit.view());
    let common = greatest_common_divisor(p as u64, q as u64);
    let (supply, capacity) = if soft { (q as u64 / common, p as u64 / common) } else { (1, 1) };
    let plan = transport(of_fit.mapv(|r| -r).view(), supply, capacity);
    let scored = match (&a.held, &b.held) {
        (Some(x), Some(y)) => cross_product(x.view(), y.view()),
        _ => of_fit,
    };
    let whole = (supply * p as u64) as f64;
    plan.iter().map(|&(i, j, amount)| amount as f64 * bounded(scored[(i, j)])).sum::<f64>() / whole
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}
