//! Which penalty leaves least in leave-one-out, found without computing what every penalty leaves.
//!
//! Under each penalty the residuals `e = base + Z r` have a sum of squares that is a sum over axes, and leave-one-out
//! weights them by `w_i = 1 / (1 - leverage_i)`, which differ little between rows. So a penalty cannot win where
//! `min(w^2) sum e^2` is above what another one leaves, and, more closely, where
//!
//! ```text
//! sum w_i^2 e_i^2 = a sum e^2 + b sum u_i e_i^2 + sum (w_i^2 - a - b u_i) e_i^2,   a = min(w_i^2 - b u_i)
//! ```
//!
//! is, whose last term is not negative: `u` are the squared weights under one penalty, so that `sum u_i e_i^2` is a
//! quadratic form in the axes, and `b` the slope of `w^2` over `u`. What is left is computed row by row.

use linear_algebra::{Panels, cross_product, product, residual_squares};
use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;

use super::axes::Axes;
use crate::choice::smallest;

/// How far a bound must be above an error, in parts of the terms it is made of: far above rounding.
const CLEARLY: f64 = 1e-9;
/// How far the axes may be from orthogonal, in parts of the largest eigenvalue: sums of squares over a training set are
/// those of all rows minus those held out, which may cost four digits.
const ORTHOGONAL: f64 = 1e-11;
/// Parts of the work of all errors that closer bounds must save, since they leave some to be computed.
const WORTH: f64 = 0.6;

/// Sums of squared leave-one-out residuals, `alphas x v`: the smallest of every voxel as it is, and those that are
/// larger either so or infinite.
///
/// `centred` are the training targets (`n_train x v`), `coordinates` the same in the axes (`k x v`).
pub fn errors(axes: &Axes, centred: &Array2<f64>, coordinates: &Array2<f64>, grid: &[f64]) -> Array2<f64> {
    let left_over = axes.left_over_all(grid);
    let model = Model {
        axes,
        // The dual axes span all centred targets, so that a residual is a sum over axes.
        base: (!axes.is_dual()).then(|| Panels::new(centred.view())),
        centred,
        coordinates,
        grid,
        weights: left_over.mapv(|left| 1.0 / left),
    };
    let sums = model.sums();
    let mut errors = Array2::from_elem(sums.residual.dim(), f64::INFINITY);
    let guess: Vec<usize> = (0..coordinates.ncols())
        .map(|v| {
            let penalties = left_over.rows().into_iter().enumerate();
            let cross_validated = penalties.map(|(a, left)| sums.residual[(a, v)] / left.mean().unwrap_or(1.0).powi(2));
            smallest(cross_validated).unwrap_or(grid.len() - 1)
        })
        .collect();
    let mut asked = vec![Vec::new(); grid.len()];
    guess.iter().enumerate().for_each(|(v, &a)| asked[a].push(v));
    model.compute(&asked, &mut errors);
    let found: Vec<f64> = guess.iter().enumerate().map(|(v, &a)| errors[(a, v)]).collect();
    let mut open: Vec<Vec<usize>> = (0..grid.len())
        .map(|a| {
            let squares = model.weights.row(a).mapv(|w| w * w);
            let least = squares.iter().copied().fold(f64::INFINITY, f64::min);
            let above =
                |v: &usize| least * (sums.residual[(a, *v)] - sums.slack[(a, *v)]) > found[*v] * (1.0 + CLEARLY);
            (0..guess.len()).filter(|v| guess[*v] != a && !above(v)).collect()
        })
        .collect();
    if model.is_worth_closer_bounds(open.iter().map(Vec::len).sum()) {
        let usual = (0..grid.len()).max_by_key(|&a| asked[a].len()).unwrap_or(0);
        model.bound_closely(usual, &sums, &found, &mut open);
    }
    model.compute(&open, &mut errors);
    errors
}

struct Model<'a> {
    axes: &'a Axes,
    base: Option<Panels>,
    centred: &'a Array2<f64>,
    coordinates: &'a Array2<f64>,
    grid: &'a [f64],
    /// alphas x n_train: 1 over 1 minus the leverage.
    weights: Array2<f64>,
}

/// Of the residuals of every penalty and voxel, alphas x v each.
struct Sums {
    /// Sums of squares.
    residual: Array2<f64>,
    /// How far these may be off.
    slack: Array2<f64>,
}

impl Model<'_> {
    /// Of every axis: what coordinates are multiplied by to give residuals `base + Z r`.
    fn factors(&self, alpha: f64) -> Array1<f64> {
        let gain = |l: &f64| if l + alpha > 0.0 { 1.0 / (l + alpha) } else { 0.0 };
        match self.axes.is_dual() {
            true => self.axes.eigenvalues().mapv(|l| alpha * gain(&l)),
            false => self.axes.eigenvalues().mapv(|l| -gain(&l)),
        }
    }

    /// `r` of some voxels, k x columns.
    fn in_axes(&self, alpha: f64, columns: &[usize]) -> Array2<f64> {
        let factors = self.factors(alpha);
        let mut r = Array2::zeros((factors.len(), columns.len()));
        for ((mut to, from), factor) in r.rows_mut().into_iter().zip(self.coordinates.rows()).zip(&factors) {
            to.iter_mut().zip(columns).for_each(|(to, &column)| *to = factor * from[column]);
        }
        r
    }

    fn sums(&self) -> Sums {
        let l = self.axes.eigenvalues();
        let squares = self.coordinates.mapv(|c| c * c);
        let per_axis = |of: &dyn Fn(f64, f64) -> f64| {
            let mut all = Array2::zeros((self.grid.len(), l.len()));
            for (mut row, &alpha) in all.rows_mut().into_iter().zip(self.grid) {
                let factors = self.factors(alpha);
                row.iter_mut().zip(&factors).zip(l).for_each(|((to, factor), l)| *to = of(*factor, *l));
            }
            product(all.view(), squares.view())
        };
        if self.axes.is_dual() {
            let residual = per_axis(&|r, _| r * r);
            return Sums { slack: &residual * CLEARLY, residual };
        }
        let total: Array1<f64> = self.centred.map_axis(Axis(0), |column| column.iter().map(|v| v * v).sum());
        let largest = l.iter().copied().fold(0.0, f64::max);
        let slack = per_axis(&|r, _| ORTHOGONAL * largest * r * r) + &total * CLEARLY;
        Sums { residual: per_axis(&|r, l| r * (2.0 + r * l)) + &total, slack }
    }

    /// Computes what is asked for, voxels of every penalty.
    fn compute(&self, asked: &[Vec<usize>], errors: &mut Array2<f64>) {
        let of = |(a, columns): (usize, &Vec<usize>)| {
            let base = self.base.as_ref().map(|base| base.columns(columns));
            let (z, r) = (self.axes.target_basis(), self.in_axes(self.grid[a], columns));
            residual_squares(base.as_ref(), z.view(), r.view(), self.weights.row(a).as_slice())
        };
        let some = asked.par_iter().enumerate();
        let found: Vec<Vec<f64>> =
            some.map(|(a, columns)| if columns.is_empty() { Vec::new() } else { of((a, columns)) }).collect();
        for (a, (columns, found)) in asked.iter().zip(found).enumerate() {
            columns.iter().zip(found).for_each(|(&v, found)| errors[(a, v)] = found);
        }
    }

    fn is_worth_closer_bounds(&self, n_open: usize) -> bool {
        let (n, k) = self.axes.target_basis().dim();
        let v = self.coordinates.ncols();
        let bounds = n * (k + v) + n_open * k;
        (bounds as f64) < WORTH * (n_open * n) as f64
    }

    /// Takes out of the open voxels of every penalty those whose error is above what was found. `usual`: the penalty
    /// whose weights are those of the quadratic form.
    fn bound_closely(&self, usual: usize, sums: &Sums, found: &[f64], open: &mut [Vec<usize>]) {
        let z = self.axes.target_basis();
        let u: Array1<f64> = self.weights.row(usual).mapv(|w| w * w);
        let (mean, largest) = (u.mean().unwrap_or(0.0), u.iter().copied().fold(0.0, f64::max));
        let weighted = z * &u.view().insert_axis(Axis(1));
        let form = product(z.t(), weighted.view());
        // What the base adds: sums of u y^2, and Z' u y.
        let base = self.base.as_ref().map(|_| {
            let squares = |column: ndarray::ArrayView1<f64>| column.iter().zip(&u).map(|(y, u)| u * y * y).sum();
            let squares: Array1<f64> = self.centred.map_axis(Axis(0), squares);
            (squares, cross_product(weighted.view(), self.centred.view()))
        });
        open.par_iter_mut().enumerate().for_each(|(a, columns)| {
            let squares = self.weights.row(a).mapv(|w| w * w);
            let middle = squares.mean().unwrap_or(0.0);
            let along: f64 = u.iter().zip(&squares).map(|(u, w)| (u - mean) * (w - middle)).sum();
            let spread: f64 = u.iter().map(|u| (u - mean).powi(2)).sum();
            let slope = if spread > 0.0 { along / spread } else { 0.0 };
            let least = squares.iter().zip(&u).map(|(w, u)| w - slope * u).fold(f64::INFINITY, f64::min);
            let r = self.in_axes(self.grid[a], columns);
            let turned = product(form.view(), r.view());
            let mut forms: Vec<f64> = vec![0.0; columns.len()];
            for (r, turned) in r.rows().into_iter().zip(turned.rows()) {
                forms.iter_mut().zip(r.iter().zip(turned)).for_each(|(sum, (r, m))| *sum += r * m);
            }
            if let Some((squares, moments)) = &base {
                for (r, moments) in r.rows().into_iter().zip(moments.rows()) {
                    let of = forms.iter_mut().zip(r).zip(columns.iter());
                    of.for_each(|((sum, r), &v)| *sum += 2.0 * r * moments[v]);
                }
                forms.iter_mut().zip(columns.iter()).for_each(|(sum, &v)| *sum += squares[v]);
            }
            let bounds = columns.iter().zip(&forms).map(|(&v, form)| {
                let slack = sums.slack[(a, v)] * (least.abs() + slope.abs() * largest);
                least * sums.residual[(a, v)] + slope * form - slack
            });
            let above: Vec<bool> = bounds.zip(columns.iter()).map(|(b, &v)| b > found[v] * (1.0 + CLEARLY)).collect();
            let mut above = above.into_iter();
            columns.retain(|_| !above.next().unwrap_or(false));
        });
    }
}
