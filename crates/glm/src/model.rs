use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ndarray::{Array2, ArrayView2, s};

use crate::collinear::named;
use crate::decomposed::{Decomposed, product};
use crate::noise::{groups, hundredths, whitened, whitened_all};
use crate::{Design, GlmError, Noise, packed};

/// A design with the contrasts that are asked of it.
///
/// A contrast is one row of weights of the columns (t) or several (F). Under [`Noise::Ar1`] voxels whose residuals have
/// one autocorrelation, in hundredths, share a whitened design; designs are kept, so blocks may come in any order and
/// from any thread.
pub struct Model {
    matrix: Array2<f64>,
    contrasts: Vec<Array2<f64>>,
    noise: Noise,
    plain: Solved,
    kept: Mutex<HashMap<i32, Arc<Solved>>>,
}

/// A decomposed design and what the contrasts are of its coordinates.
struct Solved {
    decomposed: Decomposed,
    /// `rows x rank`: effects from coordinates.
    effects: Vec<Array2<f64>>,
    /// Variances and covariances of those effects for noise of variance 1, as lower triangles.
    covariances: Vec<Vec<f64>>,
}

/// What a block of voxels gave; NaN where a time series was not finite.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Of each contrast `rows x n_voxels`.
    pub effects: Vec<Array2<f64>>,
    /// Of each contrast the lower triangle of the covariance of its rows, `rows (rows + 1) / 2 x n_voxels`: of a t
    /// contrast the variance.
    pub covariances: Vec<Array2<f64>>,
    /// Variance of the noise (under AR(1) of its innovations), residual sum of squares over `n - rank`.
    pub noise_variance: Vec<f64>,
    /// Residual sum of squares of ordinary least squares.
    pub residual_squares: Vec<f64>,
    /// Sum of squares about the mean.
    pub total_squares: Vec<f64>,
    /// Autocorrelation that was taken; 0 without.
    pub rho: Vec<f64>,
}

impl Model {
    /// Refuses a contrast that the design does not determine, naming the columns that depend on each other.
    pub fn new(design: &Design, contrasts: Vec<Array2<f64>>, noise: Noise) -> Result<Model, GlmError> {
        let (n_volumes, n_columns) = design.matrix.dim();
        if n_volumes <= n_columns {
            return Err(GlmError::NoFreedom { n_volumes, n_columns });
        }
        let plain = Solved::new(design.matrix.view(), &contrasts)?;
        for (contrast, (rows, covariance)) in contrasts.iter().zip(&plain.covariances).enumerate() {
            if !rows.rows().into_iter().all(|row| plain.decomposed.is_estimable(row)) {
                return Err(GlmError::NotEstimable { contrast, columns: named(design, &plain.decomposed) });
            }
            let n_rows = rows.nrows();
            if n_rows > 1 && !independent(covariance, n_rows) {
                return Err(GlmError::DependentRows { contrast, n_rows });
            }
        }
        Ok(Model { matrix: design.matrix.clone(), contrasts, noise, plain, kept: Mutex::default() })
    }

    /// Degrees of freedom: volumes less the rank of the design. nilearn takes the variance over volumes less columns,
    /// which is the same unless columns depend on each other.
    pub fn df(&self) -> f64 {
        (self.matrix.nrows() - self.plain.decomposed.rank()) as f64
    }

    /// How many rows each contrast has.
    pub fn n_rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.contrasts.iter().map(Array2::nrows)
    }

    /// Fits a block, `n_volumes x n_voxels`, on one thread.
    ///
    /// Least squares by projection on an orthonormal basis of the design; with AR(1) again, of design and data whitened
    /// by each voxel's coefficient (see `noise`).
    pub fn fit(&self, y: ArrayView2<f64>) -> Result<Fit, GlmError> {
        let (n, v) = y.dim();
        if n != self.matrix.nrows() {
            return Err(GlmError::OtherLength { found: n, n_volumes: self.matrix.nrows() });
        }
        let nan = |rows: usize| Array2::from_elem((rows, v), f64::NAN);
        let mut fit = Fit {
            effects: self.contrasts.iter().map(|rows| nan(rows.nrows())).collect(),
            covariances: self.contrasts.iter().map(|rows| nan(packed::size(rows.nrows()))).collect(),
            noise_variance: vec![f64::NAN; v],
            residual_squares: Vec::new(),
            total_squares: about_mean(y),
            rho: vec![0.0; v],
        };
        let coordinates = self.plain.decomposed.coordinates(y);
        let residuals = self.plain.decomposed.residuals(y, coordinates.view());
        let left = squares(residuals.view());
        fit.residual_squares.clone_from(&left);
        if self.noise == Noise::Ols {
            let all: Vec<usize> = (0..v).collect();
            self.put(&mut fit, &self.plain, &all, coordinates.view(), &left);
            return Ok(fit);
        }
        let rho = hundredths(residuals.view());
        drop(residuals);
        for (rho, columns) in groups(&rho) {
            let solved = self.whitened(rho)?;
            let y = whitened(y, &columns, rho);
            let coordinates = solved.decomposed.coordinates(y.view());
            let residuals = solved.decomposed.residuals(y.view(), coordinates.view());
            self.put(&mut fit, &solved, &columns, coordinates.view(), &squares(residuals.view()));
            columns.iter().for_each(|&k| fit.rho[k] = f64::from(rho) / 100.0);
        }
        rho.iter().zip(&mut fit.rho).filter(|(rho, _)| rho.is_none()).for_each(|(_, to)| *to = f64::NAN);
        Ok(fit)
    }

    fn whitened(&self, rho: i32) -> Result<Arc<Solved>, GlmError> {
        let kept =
            |model: &Model| model.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(&rho).cloned();
        if let Some(solved) = kept(self) {
            return Ok(solved);
        }
        // Two threads may both decompose it; they come to the same numbers.
        let solved = Arc::new(Solved::new(whitened_all(self.matrix.view(), rho).view(), &self.contrasts)?);
        let mut kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(kept.entry(rho).or_insert(solved).clone())
    }

    fn put(&self, fit: &mut Fit, solved: &Solved, columns: &[usize], coordinates: ArrayView2<f64>, squares: &[f64]) {
        let df = self.df();
        for (&k, squares) in columns.iter().zip(squares) {
            fit.noise_variance[k] = squares / df;
        }
        for (contrast, (weights, covariance)) in solved.effects.iter().zip(&solved.covariances).enumerate() {
            let effects = product(weights.view(), coordinates);
            for (row, effects) in effects.rows().into_iter().enumerate() {
                let mut to = fit.effects[contrast].row_mut(row);
                columns.iter().zip(effects).for_each(|(&k, &effect)| to[k] = effect);
            }
            for (place, &factor) in covariance.iter().enumerate() {
                let mut to = fit.covariances[contrast].row_mut(place);
                columns.iter().zip(squares).for_each(|(&k, squares)| to[k] = factor * squares / df);
            }
        }
    }
}

impl Solved {
    fn new(x: ArrayView2<f64>, contrasts: &[Array2<f64>]) -> Result<Solved, GlmError> {
        let decomposed = Decomposed::new(x)?;
        let effects: Vec<Array2<f64>> =
            contrasts.iter().map(|rows| product(rows.view(), decomposed.inverse.view())).collect();
        let covariance = |effects: &Array2<f64>| {
            let n = effects.nrows();
            (0..n)
                .flat_map(|i| (0..=i).map(move |j| (i, j)))
                .map(|(i, j)| effects.row(i).dot(&effects.row(j)))
                .collect()
        };
        let covariances = effects.iter().map(covariance).collect();
        Ok(Solved { decomposed, effects, covariances })
    }
}

/// Whether the rows of a contrast are independent but for rounding: none is explained by the others to 1e-9.
fn independent(covariance: &[f64], order: usize) -> bool {
    let inverse = packed::inverse(covariance, order);
    let diagonal = |i: usize| packed::size(i) + i;
    (0..order).all(|i| covariance[diagonal(i)] * inverse[diagonal(i)] < 1e9)
}

/// Sums of squares of columns.
fn squares(y: ArrayView2<f64>) -> Vec<f64> {
    let mut sums = vec![0.0; y.ncols()];
    for row in y.rows() {
        sums.iter_mut().zip(row).for_each(|(sum, y)| *sum += y * y);
    }
    sums
}

fn about_mean(y: ArrayView2<f64>) -> Vec<f64> {
    let mean = y.sum_axis(ndarray::Axis(0)) / y.nrows() as f64;
    let mut sums = vec![0.0; y.ncols()];
    for row in y.rows() {
        for (k, sum) in sums.iter_mut().enumerate() {
            *sum += (row[k] - mean[k]) * (row[k] - mean[k]);
        }
    }
    sums
}

impl Fit {
    /// Of some voxels of the block nothing is known: NaN in all of its numbers.
    pub fn blank(&mut self, voxels: impl Iterator<Item = usize>) {
        for k in voxels {
            for map in self.effects.iter_mut().chain(&mut self.covariances) {
                map.slice_mut(s![.., k]).fill(f64::NAN);
            }
            for map in [&mut self.noise_variance, &mut self.residual_squares, &mut self.total_squares, &mut self.rho] {
                map[k] = f64::NAN;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Basis, Drift, Event, Hrf, Timing};
    use linear_algebra::Cholesky;

    fn design() -> Design {
        let event =
            |condition: &str, onset: f64| Event { condition: condition.into(), onset, duration: 3.0, modulation: 1.0 };
        let events = [event("a", 2.0), event("b", 20.0), event("a", 41.0), event("b", 60.0), event("a", 77.0)];
        let timing = Timing { n_volumes: 50, tr: 2.0, slice_time_ref: 0.0 };
        Design::new(&events, None, &Basis::new(Hrf::Glover), Drift::Cosine { high_pass: 0.01 }, timing).unwrap()
    }

    fn series(v: usize) -> Array2<f64> {
        Array2::from_shape_fn((50, v), |(t, k)| {
            let (t, k) = (t as f64, k as f64);
            1000.0 + (t * (1.3 + 0.1 * k)).sin() + (0.37 * t * t + k).cos() + 0.1 * k * (t / 9.0).sin()
        })
    }

    fn of(design: &Design, weights: &[(&str, f64)]) -> Array2<f64> {
        let mut row = Array2::zeros((1, design.names.len()));
        for (name, weight) in weights {
            row[(0, design.names.iter().position(|n| n == name).unwrap())] = *weight;
        }
        row
    }

    /// Normal equations, voxel by voxel: effect, variance.
    fn slow(x: &Array2<f64>, y: &[f64], c: &Array2<f64>) -> (f64, f64) {
        let factor = Cholesky::new(x.t().dot(x).view()).unwrap();
        let y = ndarray::Array1::from(y.to_vec());
        let beta = factor.solve(x.t().dot(&y).insert_axis(ndarray::Axis(1)).view()).unwrap();
        let residuals = &y - &x.dot(&beta).column(0);
        let variance = residuals.dot(&residuals) / (x.nrows() - x.ncols()) as f64;
        let unscaled = c.dot(&factor.solve(c.t()).unwrap())[(0, 0)];
        (c.dot(&beta)[(0, 0)], variance * unscaled)
    }

    #[test]
    fn both_noises_agree_with_normal_equations_of_one_voxel() {
        let (design, y) = (design(), series(7));
        let contrast = of(&design, &[("a", 1.0), ("b", -1.0)]);
        for noise in [Noise::Ols, Noise::Ar1] {
            let model = Model::new(&design, vec![contrast.clone()], noise).unwrap();
            let fit = model.fit(y.view()).unwrap();
            for k in 0..7 {
                let rho = fit.rho[k];
                assert!(noise == Noise::Ar1 || rho == 0.0);
                let whiten = |column: Vec<f64>| -> Vec<f64> {
                    (0..50).map(|t| if t == 0 { column[0] } else { column[t] - rho * column[t - 1] }).collect()
                };
                let mut x = design.matrix.clone();
                for mut column in x.columns_mut() {
                    let white = whiten(column.to_vec());
                    column.iter_mut().zip(white).for_each(|(to, value)| *to = value);
                }
                let (effect, variance) = slow(&x, &whiten(y.column(k).to_vec()), &contrast);
                // 1000 over effects of 1: three digits of sixteen, and the square of the condition number of X.
                assert!((fit.effects[0][(0, k)] - effect).abs() < 1e-9, "{} {effect}", fit.effects[0][(0, k)]);
                assert!((fit.covariances[0][(0, k)] / variance - 1.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_voxel_is_the_same_alone_in_a_block_and_beside_nan() {
        let (design, mut y) = (design(), series(40));
        y[(3, 11)] = f64::NAN;
        let contrasts = vec![of(&design, &[("a", 1.0)]), design_rows(&design)];
        let model = Model::new(&design, contrasts, Noise::Ar1).unwrap();
        let all = model.fit(y.view()).unwrap();
        for k in 0..40 {
            let alone = model.fit(y.slice(s![.., k..k + 1])).unwrap();
            for (map, own) in
                all.effects.iter().chain(&all.covariances).zip(alone.effects.iter().chain(&alone.covariances))
            {
                for (a, b) in map.column(k).iter().zip(own.column(0)) {
                    // 1e-16 of a mean of 1000, a hundred times.
                    let same = if k == 11 { a.is_nan() && b.is_nan() } else { (a - b).abs() < 1e-11 };
                    assert!(same, "{k}: {a} {b}");
                }
            }
        }
    }

    fn design_rows(design: &Design) -> Array2<f64> {
        ndarray::concatenate![ndarray::Axis(0), of(design, &[("a", 1.0)]), of(design, &[("b", 1.0)])]
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused_by_name() {
        let mut design = design();
        let a = design.matrix.column(0).to_owned();
        design.matrix.column_mut(1).assign(&a);
        let refused = |weights: &[(&str, f64)]| {
            Model::new(&design, vec![of(&design, weights)], Noise::Ols).err().map(|error| error.to_string())
        };
        let error = refused(&[("a", 1.0), ("b", -1.0)]).unwrap();
        assert!(error.contains("a, b depend"), "{error}");
        // Their sum is known, and there is one more degree of freedom than columns say.
        assert_eq!(refused(&[("a", 1.0), ("b", 1.0)]), None);
        let model = Model::new(&design, vec![], Noise::Ols).unwrap();
        assert_eq!(model.df(), (50 - design.names.len() + 1) as f64);
        let twice = ndarray::concatenate![
            ndarray::Axis(0),
            of(&design, &[("a", 1.0), ("b", 1.0)]),
            of(&design, &[("a", 2.0), ("b", 2.0)])
        ];
        assert!(matches!(Model::new(&design, vec![twice], Noise::Ols), Err(GlmError::DependentRows { .. })));
        let long = Array2::zeros((51, 2));
        assert!(matches!(model.fit(long.view()), Err(GlmError::OtherLength { found: 51, n_volumes: 50 })));
    }
}
