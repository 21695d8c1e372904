use linear_algebra::{Real, cross_gram, cross_product};
use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use statistics::Folds;

use crate::alphas::End;
use crate::error::RidgeError;
use crate::linear::{FitError, LinearModel, Predictors, Preparation, Responses, learn_scaling};

/// Voxels whose products with the features are held at once.
const VOXELS: usize = 256;
/// Features that enter at least, where more are due.
const ENTER: usize = 16;
/// Where no feature can gain, scikit-learn's penalties are this.
const NO_PENALTY_NEEDED: f64 = 1e-15;

/// How weights are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LassoOptions {
    /// Whether weights below 0 are forbidden: the sparse-positive mapping.
    pub positive: bool,
    /// The duality gap at which to stop, as a share of the sum of squares of the (centred) responses.
    pub tolerance: f64,
    /// Passes over the features that may have a weight, at most; a voxel that needs more is flagged.
    pub max_sweeps: usize,
}

/// Positive weights, scikit-learn's tolerance.
impl Default for LassoOptions {
    fn default() -> LassoOptions {
        LassoOptions { positive: true, tolerance: 1e-4, max_sweeps: 10_000 }
    }
}

/// Penalties to choose from.
#[derive(Debug, Clone, PartialEq)]
pub enum LassoAlphas {
    /// These, for all voxels.
    Given(Vec<f64>),
    /// `n` penalties, evenly spaced on a logarithmic scale, from the smallest under which the voxel has no weight at
    /// all down to `ratio` times that; scikit-learn's are 100 down to 1e-3.
    Path {
        /// How many.
        n: usize,
        /// The last over the first.
        ratio: f64,
    },
}

/// The Lasso of every voxel: `|y - b - X w|^2 / (2 n) + alpha |w|_1` is minimized, with weights of 0 or above where
/// they have to be.
///
/// It is scikit-learn's `Lasso`. Weights are found by coordinate descent in the products of features, `X' X`
/// (`p x p`), which all voxels share, so that a step costs p and not n; only features that have a weight, or would
/// gain one, are descended on, and all others looked at again when those have settled. The duality gap bounds how far
/// the objective is from its minimum, whatever the path: a voxel is done when the gap is at most `tolerance |y|^2`.
pub struct Lasso {
    features: Predictors,
    gram: Array2<f64>,
}

/// A fitted model and what is known of its descent, per voxel.
#[derive(Debug, Clone, PartialEq)]
pub struct LassoModel {
    /// The weights.
    pub model: LinearModel,
    /// The penalty; `NaN` where there is no fit.
    pub alpha: Vec<f64>,
    /// By how much the objective may be above its minimum. Without a penalty nothing bounds it, and this is what
    /// single steps on each feature could gain.
    pub dual_gap: Vec<f64>,
    /// Sweeps over the features in use.
    pub sweeps: Vec<usize>,
    /// Whether the gap is within the tolerance; true where there is no fit.
    pub converged: Vec<bool>,
    /// Weights that are not 0.
    pub n_weights: Vec<usize>,
    /// Where the penalty was chosen: mean over folds of the mean squared error of held-out rows; else `NaN`.
    pub held_out_error: Vec<f64>,
    /// Where the penalty was chosen: whether it is the lowest or the highest of those to choose from.
    pub edge: Vec<Option<End>>,
}

/// One voxel's weights on their way down.
struct Descent {
    weights: Vec<f64>,
    gap: f64,
    sweeps: usize,
    converged: bool,
}

impl Lasso {
    /// Multiplies the features (`n x p`); takes `p x p` numbers.
    pub fn learn<T: Real>(x: ArrayView2<T>, preparation: Preparation) -> Result<Lasso, FitError> {
        let features = Predictors::learn(x, preparation)?;
        let gram = cross_gram(features.values.view()).to_array();
        Ok(Lasso { features, gram })
    }

    /// The weights of these voxels (`n x v`) under one penalty for all, or one for each.
    pub fn fit<U: Real>(
        &self,
        y: ArrayView2<U>,
        alphas: &[f64],
        options: &LassoOptions,
    ) -> Result<LassoModel, FitError> {
        check(alphas)?;
        let v = y.ncols();
        let alphas = match alphas {
            [alpha] => vec![*alpha; v],
            alphas if alphas.len() == v => alphas.to_vec(),
            _ => return Err(FitError::PenaltyCount { penalties: alphas.len(), voxels: v }),
        };
        let responses = Responses::learn(y, &self.features)?;
        let chosen = alphas.into_iter().map(|alpha| Chosen { alpha, error: f64::NAN, edge: None }).collect();
        Ok(self.descend_all(responses, chosen, options))
    }

    /// The weights of these voxels, each under the penalty whose mean squared error over held-out folds is least on
    /// average over the folds, the largest of equally good ones; scikit-learn's `LassoCV`. Every fold's training rows
    /// have their own means and scaling.
    pub fn fit_chosen<U: Real>(
        &self,
        y: ArrayView2<U>,
        folds: &Folds,
        alphas: &LassoAlphas,
        options: &LassoOptions,
    ) -> Result<LassoModel, FitError> {
        let n = self.features.values.nrows();
        let responses = Responses::learn(y, &self.features)?;
        if folds.fold_of_row.len() != n {
            return Err(RidgeError::FoldCount { folds: folds.fold_of_row.len(), rows: n }.into());
        }
        let grids = self.grids(&responses, alphas, options)?;
        let mut used = folds.fold_of_row.clone();
        used.sort_unstable();
        used.dedup();
        if used.len() < 2 {
            return Err(FitError::TooFewFolds(used.len()));
        }
        let n_alphas = grids.first().map_or(0, Vec::len);
        let mut errors = vec![vec![0.0; n_alphas]; responses.mean.len()];
        for &fold in &used {
            let fold = Fold::new(self, &folds.train_rows(fold), &folds.test_rows(fold))?;
            for start in (0..errors.len()).step_by(VOXELS) {
                let end = (start + VOXELS).min(errors.len());
                fold.add_errors(
                    responses.values.slice(s![.., start..end]),
                    &grids[start..end],
                    options,
                    &mut errors[start..end],
                );
            }
        }
        let choose = |(errors, grid): (Vec<f64>, Vec<f64>)| {
            let mut best = 0;
            for i in 1..errors.len() {
                if errors[i] < errors[best] {
                    best = i;
                }
            }
            // Penalties fall.
            let edge = match best {
                _ if grid.len() == 1 => None,
                0 => Some(End::Upper),
                _ => (best + 1 == grid.len()).then_some(End::Lower),
            };
            Chosen { alpha: grid[best], error: errors[best] / used.len() as f64, edge }
        };
        let chosen = errors.into_iter().zip(grids).map(choose).collect();
        Ok(self.descend_all(responses, chosen, options))
    }

    /// The penalties of every voxel, descending.
    fn grids(
        &self,
        responses: &Responses,
        alphas: &LassoAlphas,
        options: &LassoOptions,
    ) -> Result<Vec<Vec<f64>>, FitError> {
        let v = responses.mean.len();
        match alphas {
            LassoAlphas::Given(alphas) => {
                check(alphas)?;
                if alphas.is_empty() {
                    return Err(FitError::PenaltyCount { penalties: 0, voxels: v });
                }
                let mut alphas = alphas.clone();
                alphas.sort_by(|a, b| b.total_cmp(a));
                Ok(vec![alphas; v])
            }
            LassoAlphas::Path { n, ratio } => {
                if *n == 0 {
                    return Err(FitError::PenaltyCount { penalties: 0, voxels: v });
                }
                if !(*ratio > 0.0 && *ratio <= 1.0) {
                    return Err(FitError::NotAPenalty(*ratio));
                }
                let rows = self.features.values.nrows() as f64;
                let mut grids = Vec::with_capacity(v);
                for block in responses.values.axis_chunks_iter(Axis(1), VOXELS) {
                    let products = cross_product(self.features.values.view(), block);
                    grids.extend(products.columns().into_iter().map(|column| {
                        let gain = |q: &f64| if options.positive { *q } else { q.abs() };
                        let first = column.iter().map(gain).fold(0.0, f64::max) / rows;
                        if first <= NO_PENALTY_NEEDED {
                            return vec![NO_PENALTY_NEEDED; *n];
                        }
                        let step = ratio.ln() / (*n).max(2).saturating_sub(1) as f64;
                        (0..*n).map(|i| first * (step * i as f64).exp()).collect()
                    }));
                }
                Ok(grids)
            }
        }
    }

    fn descend_all(&self, responses: Responses, chosen: Vec<Chosen>, options: &LassoOptions) -> LassoModel {
        let (n, p) = self.features.values.dim();
        let v = responses.mean.len();
        let mut descents: Vec<Option<Descent>> = Vec::with_capacity(v);
        let mut weights = Array2::zeros((p, v));
        for (block, values) in responses.values.axis_chunks_iter(Axis(1), VOXELS).enumerate() {
            let products = cross_product(self.features.values.view(), values);
            let first = block * VOXELS;
            let found: Vec<Option<Descent>> = (0..values.ncols())
                .into_par_iter()
                .map(|k| {
                    responses.reasons[first + k].is_none().then(|| {
                        let products = products.column(k).to_vec();
                        let square = values.column(k).iter().map(|v| v * v).sum();
                        let voxel = Voxel { gram: self.gram.view(), products: &products, square };
                        let start = vec![0.0; p];
                        voxel.descend(start, chosen[first + k].alpha * n as f64, options)
                    })
                })
                .collect();
            for (k, descent) in found.iter().enumerate() {
                for (out, w) in weights.column_mut(first + k).iter_mut().zip(descent.iter().flat_map(|d| &d.weights)) {
                    *out = *w;
                }
            }
            // The weights stand in their column now, and of the descent its end alone is kept.
            descents.extend(found.into_iter().map(|d| d.map(|d| Descent { weights: Vec::new(), ..d })));
        }
        let of = |get: &dyn Fn(&Descent) -> f64| {
            descents.iter().map(|d| d.as_ref().map_or(f64::NAN, get)).collect::<Vec<f64>>()
        };
        let usable = |value: f64, d: &Option<Descent>| if d.is_some() { value } else { f64::NAN };
        LassoModel {
            alpha: chosen.iter().zip(&descents).map(|(c, d)| usable(c.alpha, d)).collect(),
            held_out_error: chosen.iter().zip(&descents).map(|(c, d)| usable(c.error, d)).collect(),
            edge: chosen.iter().zip(&descents).map(|(c, d)| c.edge.filter(|_| d.is_some())).collect(),
            dual_gap: of(&|d| d.gap / n as f64),
            sweeps: descents.iter().map(|d| d.as_ref().map_or(0, |d| d.sweeps)).collect(),
            converged: descents.iter().map(|d| d.as_ref().is_none_or(|d| d.converged)).collect(),
            n_weights: weights.columns().into_iter().map(|w| w.iter().filter(|w| **w != 0.0).count()).collect(),
            model: self.features.model(weights, responses),
        }
    }
}

struct Chosen {
    alpha: f64,
    error: f64,
    edge: Option<End>,
}

fn check(alphas: &[f64]) -> Result<(), FitError> {
    match alphas.iter().find(|alpha| !(**alpha >= 0.0 && alpha.is_finite())) {
        Some(alpha) => Err(FitError::NotAPenalty(*alpha)),
        None => Ok(()),
    }
}

/// Some rows held out: the products of the others are those of all rows less those of the held-out ones.
struct Fold {
    train: Vec<usize>,
    test: Vec<usize>,
    /// `n_train x p`, in the units of this fold's training rows.
    training: Array2<f64>,
    gram: Array2<f64>,
    /// `p x n_test`: a feature's held-out values lie together.
    held_out: Array2<f64>,
    intercept: bool,
}

impl Fold {
    fn new(lasso: &Lasso, train: &[usize], test: &[usize]) -> Result<Fold, FitError> {
        if train.len() < 2 {
            return Err(FitError::TooFewRows { rows: train.len(), needed: 2 });
        }
        let (x, preparation) = (lasso.features.values.view(), lasso.features.preparation);
        let scaling = learn_scaling(x, train, preparation);
        // The features are centred over all rows already, so that little is lost by taking this fold's means out of
        // sums of products: train = all - test, less n mean mean'.
        let held = x.select(Axis(0), test);
        let mut gram = &lasso.gram - &cross_gram(held.view()).to_array();
        let n = train.len() as f64;
        gram.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(i, mut row)| {
            for (j, value) in row.iter_mut().enumerate() {
                let divisor = scaling.divisor[i] * scaling.divisor[j];
                *value = if divisor == 0.0 { 0.0 } else { (*value - n * scaling.mean[i] * scaling.mean[j]) / divisor };
            }
        });
        let all = 0..x.ncols();
        let held_out: Array2<f64> = scaling.apply(x, test, all.clone());
        Ok(Fold {
            training: scaling.apply(x, train, all),
            gram,
            held_out: held_out.reversed_axes().as_standard_layout().into_owned(),
            train: train.to_vec(),
            test: test.to_vec(),
            intercept: preparation.intercept,
        })
    }

    /// Adds to `errors` (voxel by voxel, penalty by penalty) the mean squared errors of the held-out rows. `y` has the
    /// values of all rows.
    fn add_errors(&self, y: ArrayView2<f64>, grids: &[Vec<f64>], options: &LassoOptions, errors: &mut [Vec<f64>]) {
        let mut kept = y.select(Axis(0), &self.train);
        let means: Vec<f64> = match self.intercept {
            true => kept.columns().into_iter().map(|column| column.sum() / self.train.len() as f64).collect(),
            false => vec![0.0; y.ncols()],
        };
        for (mut column, mean) in kept.columns_mut().into_iter().zip(&means) {
            column -= *mean;
        }
        let products = cross_product(self.training.view(), kept.view());
        errors.par_iter_mut().zip(grids).enumerate().for_each(|(k, (errors, grid))| {
            let products = products.column(k).to_vec();
            let square = kept.column(k).iter().map(|v| v * v).sum();
            let voxel = Voxel { gram: self.gram.view(), products: &products, square };
            let mut weights = vec![0.0; products.len()];
            let truth: Vec<f64> = self.test.iter().map(|row| y[(*row, k)] - means[k]).collect();
            for (error, alpha) in errors.iter_mut().zip(grid) {
                // Each starts where the next larger penalty ended.
                weights = voxel.descend(weights, alpha * self.train.len() as f64, options).weights;
                let mut residuals = truth.clone();
                for (j, w) in weights.iter().enumerate().filter(|(_, w)| **w != 0.0) {
                    residuals.iter_mut().zip(self.held_out.row(j)).for_each(|(r, x)| *r -= w * x);
                }
                *error += residuals.iter().map(|r| r * r).sum::<f64>() / residuals.len() as f64;
            }
        });
    }
}

/// One voxel's problem: `w' G w / 2 - q' w + penalty |w|_1`, to which `square / 2` is added for the squared error.
struct Voxel<'a> {
    gram: ArrayView2<'a, f64>,
    products: &'a [f64],
    square: f64,
}

impl Voxel<'_> {
    fn descend(&self, mut weights: Vec<f64>, penalty: f64, options: &LassoOptions) -> Descent {
        let p = weights.len();
        let target = options.tolerance * self.square;
        let mut sweeps = 0;
        loop {
            let gradient = self.gradient(&weights);
            let all: Vec<usize> = (0..p).collect();
            let gap = self.gap(&all, &weights, &gradient, penalty, options.positive);
            let converged = gap <= target;
            if converged || sweeps >= options.max_sweeps {
                return Descent { weights, gap, sweeps, converged };
            }
            let used = self.in_use(&weights, &gradient, penalty, options.positive);
            // Not much closer than the rest is yet, and a little closer than has to be.
            let inner = (0.5 * target).max(0.1 * gap);
            let (made, moved) = self.descend_on(&used, &mut weights, &gradient, penalty, inner, options, sweeps);
            sweeps = made;
            if !moved {
                // Nothing left but rounding; whether that is good enough, the gap says.
                return Descent { weights, gap, sweeps, converged };
            }
        }
    }

    /// What is left for every feature to explain: `q - G w`.
    fn gradient(&self, weights: &[f64]) -> Vec<f64> {
        let mut gradient = self.products.to_vec();
        for (j, w) in weights.iter().enumerate().filter(|(_, w)| **w != 0.0) {
            gradient.iter_mut().zip(self.gram.row(j)).for_each(|(g, value)| *g -= w * value);
        }
        gradient
    }

    /// Features with a weight, and those that would gain most by one: as many as there are, at least a few.
    fn in_use(&self, weights: &[f64], gradient: &[f64], penalty: f64, positive: bool) -> Vec<usize> {
        let excess = |j: usize| if positive { gradient[j] - penalty } else { gradient[j].abs() - penalty };
        let mut used: Vec<usize> = (0..weights.len()).filter(|&j| weights[j] != 0.0).collect();
        let mut due: Vec<(f64, usize)> = (0..weights.len())
            .filter(|&j| weights[j] == 0.0 && self.gram[(j, j)] > 0.0 && excess(j) > 0.0)
            .map(|j| (excess(j).powi(2) / self.gram[(j, j)], j))
            .collect();
        due.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let n = used.len().max(ENTER);
        used.extend(due.into_iter().take(n).map(|(_, j)| j));
        used.sort_unstable();
        used
    }

    /// Sweeps over these features until the gap among them is small; says how many sweeps there are now, and whether
    /// any weight moved.
    #[allow(clippy::too_many_arguments)] // one descent's state, which nothing else has
    fn descend_on(
        &self,
        used: &[usize],
        weights: &mut [f64],
        gradient: &[f64],
        penalty: f64,
        target: f64,
        options: &LassoOptions,
        mut sweeps: usize,
    ) -> (usize, bool) {
        let k = used.len();
        // Their products lie together: a sweep over a few hundred features stays in the cache.
        let mut gram = Vec::with_capacity(k * k);
        for &i in used {
            let row = self.gram.row(i);
            gram.extend(used.iter().map(|&j| row[j]));
        }
        let mut local: Vec<f64> = used.iter().map(|&j| gradient[j]).collect();
        let mut moved = false;
        let products: Vec<f64> = used.iter().map(|&j| self.products[j]).collect();
        let some = Voxel { products: &products, ..*self };
        let mut own: Vec<f64> = used.iter().map(|&j| weights[j]).collect();
        let order: Vec<usize> = (0..k).collect();
        while sweeps < options.max_sweeps {
            sweeps += 1;
            let mut changed = false;
            for i in 0..k {
                let square = gram[i * k + i];
                if square <= 0.0 {
                    continue;
                }
                let old = own[i];
                let pull = local[i] + square * old;
                let new = if options.positive || pull > 0.0 {
                    (pull - penalty).max(0.0) / square
                } else {
                    (pull + penalty).min(0.0) / square
                };
                let step = new - old;
                if step != 0.0 {
                    changed = true;
                    own[i] = new;
                    local.iter_mut().zip(&gram[i * k..(i + 1) * k]).for_each(|(g, value)| *g -= step * value);
                }
            }
            moved |= changed;
            let gap = some.gap_with(&order, &own, &local, penalty, options.positive, |i| gram[i * k + i]);
            if !changed || gap <= target {
                break;
            }
        }
        for (&j, w) in used.iter().zip(own) {
            weights[j] = w;
        }
        (sweeps, moved)
    }

    fn gap(&self, all: &[usize], weights: &[f64], gradient: &[f64], penalty: f64, positive: bool) -> f64 {
        self.gap_with(all, weights, gradient, penalty, positive, |j| self.gram[(j, j)])
    }

    /// The duality gap, n times scikit-learn's: the residual, shortened until no feature's product with it exceeds
    /// the penalty, is the dual point.
    fn gap_with(
        &self,
        all: &[usize],
        weights: &[f64],
        gradient: &[f64],
        penalty: f64,
        positive: bool,
        diagonal: impl Fn(usize) -> f64,
    ) -> f64 {
        if penalty == 0.0 {
            // No dual point: what one step on each feature would gain.
            let gain = |&j: &usize| {
                let square = diagonal(j);
                if square <= 0.0 {
                    return 0.0;
                }
                let step = gradient[j] / square;
                let step = if positive { step.max(-weights[j]) } else { step };
                step * gradient[j] - 0.5 * square * step * step
            };
            return all.iter().map(gain).sum();
        }
        let (mut size, mut explained, mut fitted, mut largest) = (0.0, 0.0, 0.0, 0.0f64);
        for &j in all {
            let (w, g, q) = (weights[j], gradient[j], self.products[j]);
            size += w.abs();
            explained += w * q;
            fitted += w * (q - g);
            largest = largest.max(if positive { g } else { g.abs() });
        }
        let residual = self.square - 2.0 * explained + fitted;
        let shorter = if largest > penalty { penalty / largest } else { 1.0 };
        let dual = shorter * (self.square - explained) - 0.5 * shorter * shorter * residual;
        0.5 * residual + penalty * size - dual
    }
}

#[cfg(test)]
mod tests {
    use linear_algebra::product;
    use ndarray::{Array2, Axis, array, concatenate, s};
    use statistics::{FoldOrder, Folds, Reason, k_folds};

    use super::{Lasso, LassoAlphas, LassoModel, LassoOptions};
    use crate::alphas::End;
    use crate::error::RidgeError;
    use crate::linear::testing::{assert_close, noise, with_threads};
    use crate::linear::{FitError, Preparation};
    use crate::ols::Ols;
    use crate::scaling::Scaling;

    const RAW: Preparation = Preparation { scaling: Scaling::Centre, intercept: true };
    const TIGHT: LassoOptions = LassoOptions { positive: true, tolerance: 1e-12, max_sweeps: 100_000 };
    const SIGNED: LassoOptions = LassoOptions { positive: false, ..TIGHT };

    fn example(n: usize, p: usize, v: usize) -> (Array2<f64>, Array2<f64>) {
        let x = noise(n, p, 1);
        let y = product(x.slice(s![.., ..3]), noise(3, v, 2).view()) + 0.2 * noise(n, v, 3);
        (x, y)
    }

    fn fit(x: &Array2<f64>, y: &Array2<f64>, alpha: f64, options: &LassoOptions) -> LassoModel {
        Lasso::learn(x.view(), RAW).unwrap().fit(y.view(), &[alpha], options).unwrap()
    }

    /// The conditions of a minimum: on weights the product with the residual is the penalty, elsewhere at most that.
    fn assert_minimum(x: &Array2<f64>, y: &Array2<f64>, fitted: &LassoModel, positive: bool, tolerance: f64) {
        let n = x.nrows() as f64;
        let residual = y - &fitted.model.predict(x.view());
        let centred = x - &x.mean_axis(Axis(0)).unwrap();
        let products = product(centred.t(), residual.view()) / n;
        for ((place, product), w) in products.indexed_iter().zip(&fitted.model.weights) {
            let alpha = fitted.alpha[place.1];
            assert!(!positive || *w >= 0.0);
            if *w != 0.0 {
                assert!((product - alpha * w.signum()).abs() < tolerance, "{place:?}: {product} {w}");
            } else {
                let pull = if positive { *product } else { product.abs() };
                assert!(pull < alpha + tolerance, "{place:?}: {pull}");
            }
        }
    }

    #[test]
    fn one_feature_by_hand() {
        // centred x: -1 0 1, y: -2 0 2 around 5; mean product 4/3, mean square 2/3: w = (4/3 - 1/3) / (2/3)
        let (x, y) = (array![[0.0], [1.0], [2.0]], array![[3.0, 7.0], [5.0, 5.0], [7.0, 3.0]]);
        let fitted = fit(&x, &y, 1.0 / 3.0, &TIGHT);
        assert_close(&fitted.model.weights, &array![[1.5, 0.0]], 1e-15);
        assert!((fitted.model.intercept[0] - 3.5).abs() < 1e-15 && fitted.model.intercept[1] == 5.0);
        assert_eq!(fitted.n_weights, [1, 0]);
        assert_close(&fit(&x, &y, 1.0 / 3.0, &SIGNED).model.weights, &array![[1.5, -1.5]], 1e-15);
        // from 4/3 on there is no weight
        assert!(fit(&x, &y, 4.0 / 3.0, &SIGNED).model.weights.iter().all(|w| *w == 0.0));
    }

    #[test]
    fn weights_are_minima_for_many_and_few_rows() {
        for (n, p) in [(60, 20), (20, 60), (40, 200)] {
            let (x, y) = example(n, p, 6);
            for alpha in [1e-4, 1e-3, 1e-2] {
                for options in [TIGHT, SIGNED] {
                    let fitted = fit(&x, &y, alpha, &options);
                    assert!(fitted.converged.iter().all(|c| *c), "{n} {p} {alpha}: {:?}", fitted.sweeps);
                    assert_minimum(&x, &y, &fitted, options.positive, 1e-6);
                }
            }
        }
    }

    #[test]
    fn the_gap_is_what_it_says_and_bounds_the_objective() {
        let (x, y) = example(30, 50, 4);
        let objective = |fitted: &LassoModel, alpha: f64| {
            let residual = &y - &fitted.model.predict(x.view());
            let squares = residual.mapv(|r| r * r).sum_axis(Axis(0)) / 60.0;
            squares + fitted.model.weights.mapv(f64::abs).sum_axis(Axis(0)) * alpha
        };
        let (loose, tight) = (LassoOptions { tolerance: 1e-2, ..TIGHT }, TIGHT);
        let (rough, exact) = (fit(&x, &y, 1e-3, &loose), fit(&x, &y, 1e-3, &tight));
        let above = objective(&rough, 1e-3) - objective(&exact, 1e-3);
        assert!(above.iter().zip(&rough.dual_gap).all(|(above, gap)| *above <= gap + 1e-15 && *above > -1e-14));
        assert!(above.iter().any(|above| *above > 1e-12));
        assert!(rough.sweeps.iter().zip(&exact.sweeps).all(|(a, b)| a < b));
    }

    #[test]
    fn voxels_that_ran_out_of_sweeps_are_flagged() {
        let (x, y) = example(30, 50, 4);
        let short = fit(&x, &y, 1e-4, &LassoOptions { max_sweeps: 2, ..TIGHT });
        assert!(short.converged.iter().all(|c| !c) && short.sweeps == [2; 4]);
        assert!(short.dual_gap.iter().all(|gap| *gap > 0.0));
        // a tolerance that rounding does not reach ends, flagged, and not in an endless loop
        let never = fit(&x, &y, 1e-3, &LassoOptions { tolerance: 0.0, max_sweeps: 5000, ..TIGHT });
        assert!(never.sweeps.iter().all(|sweeps| *sweeps <= 5000));
    }

    #[test]
    fn without_a_penalty_it_is_least_squares_and_the_nonnegative_kind() {
        let (x, y) = example(40, 6, 5);
        let ols = Ols::learn(x.view(), RAW, None).unwrap().fit(y.view()).unwrap();
        let fitted = fit(&x, &y, 0.0, &LassoOptions { tolerance: 1e-20, ..SIGNED });
        assert!(fitted.converged.iter().all(|c| *c));
        assert_close(&fitted.model.weights, &ols.weights, 1e-8);
        let fitted = fit(&x, &y, 0.0, &LassoOptions { tolerance: 1e-20, ..TIGHT });
        assert_minimum(&x, &y, &fitted, true, 1e-9);
        assert!(fitted.model.weights.iter().any(|w| *w == 0.0));
    }

    #[test]
    fn collinear_and_constant_features() {
        let (mut x, y) = example(30, 8, 3);
        let same = x.column(0).to_owned();
        x.column_mut(5).assign(&same);
        x.column_mut(6).fill(0.1);
        let fitted = fit(&x, &y, 1e-3, &TIGHT);
        assert!(fitted.converged.iter().all(|c| *c));
        assert_minimum(&x, &y, &fitted, true, 1e-6);
        assert!(fitted.model.weights.row(6).iter().all(|w| *w == 0.0));
        assert_eq!(fitted.model.n_constant, 1);
        let constant = fit(&Array2::ones((30, 2)), &y, 1e-3, &TIGHT);
        assert!(constant.model.weights.iter().all(|w| *w == 0.0) && constant.converged == [true; 3]);
    }

    #[test]
    fn standardized_features_are_raw_ones_in_other_units() {
        let (x, y) = example(30, 8, 3);
        let sd = x.std_axis(Axis(0), 0.0);
        let raw = fit(&(&x / &sd), &y, 1e-2, &TIGHT);
        let scaled = Lasso::learn(x.view(), Preparation::default()).unwrap().fit(y.view(), &[1e-2], &TIGHT).unwrap();
        let expected = &raw.model.weights / &sd.insert_axis(Axis(1));
        assert_close(&scaled.model.weights, &expected, 1e-6);
    }

    /// Every fold fitted anew from its own rows.
    fn slow_errors(x: &Array2<f64>, y: &Array2<f64>, folds: &Folds, alpha: f64, preparation: Preparation) -> Vec<f64> {
        let mut sum = vec![0.0; y.ncols()];
        for fold in 0..folds.n_folds {
            let (train, test) = (folds.train_rows(fold), folds.test_rows(fold));
            let lasso = Lasso::learn(x.select(Axis(0), &train).view(), preparation).unwrap();
            let fitted = lasso.fit(y.select(Axis(0), &train).view(), &[alpha], &TIGHT).unwrap();
            let residual = y.select(Axis(0), &test) - fitted.model.predict(x.select(Axis(0), &test).view());
            for (sum, column) in sum.iter_mut().zip(residual.columns()) {
                *sum += column.iter().map(|r| r * r).sum::<f64>() / test.len() as f64 / folds.n_folds as f64;
            }
        }
        sum
    }

    #[test]
    fn penalties_are_chosen_as_by_fitting_every_fold_anew() {
        let (mut x, y) = example(33, 12, 5);
        // constant in the training rows of the second fold only
        x.slice_mut(s![.., 4]).fill(2.0);
        x.slice_mut(s![9..17, 4]).assign(&noise(8, 1, 4).column(0));
        x.mapv_inplace(|v| v * 3.0 + 100.0);
        let folds = k_folds(&(0..33).collect::<Vec<_>>(), 4, FoldOrder::Contiguous).unwrap();
        let alphas = [0.3, 0.1, 0.03, 0.01, 0.003];
        for preparation in [RAW, Preparation::default(), Preparation { intercept: false, ..RAW }] {
            let lasso = Lasso::learn(x.view(), preparation).unwrap();
            let errors: Vec<Vec<f64>> =
                alphas.iter().map(|alpha| slow_errors(&x, &y, &folds, *alpha, preparation)).collect();
            for (i, alpha) in alphas.iter().enumerate() {
                let one = LassoAlphas::Given(vec![*alpha]);
                let found = lasso.fit_chosen(y.view(), &folds, &one, &TIGHT).unwrap();
                for (voxel, error) in found.held_out_error.iter().enumerate() {
                    assert!((error / errors[i][voxel] - 1.0).abs() < 1e-6, "{preparation:?} {alpha} {voxel}");
                }
                assert_eq!(found.edge, [None; 5]);
            }
            // in any order
            let given = LassoAlphas::Given(vec![0.03, 0.3, 0.003, 0.1, 0.01]);
            let found = lasso.fit_chosen(y.view(), &folds, &given, &TIGHT).unwrap();
            for (voxel, (alpha, edge)) in found.alpha.iter().zip(&found.edge).enumerate() {
                let best = (0..5).min_by(|a, b| errors[*a][voxel].total_cmp(&errors[*b][voxel])).unwrap();
                let expected = [Some(End::Upper), None, None, None, Some(End::Lower)][best];
                assert_eq!((*alpha, *edge), (alphas[best], expected));
            }
            let again = lasso.fit(y.view(), &found.alpha, &TIGHT).unwrap();
            assert_eq!(again.model.weights, found.model.weights);
        }
    }

    #[test]
    fn a_path_starts_where_the_weights_end() {
        let (x, y) = example(30, 10, 4);
        let folds = k_folds(&(0..30).collect::<Vec<_>>(), 3, FoldOrder::Contiguous).unwrap();
        let lasso = Lasso::learn(x.view(), RAW).unwrap();
        let first = LassoAlphas::Path { n: 1, ratio: 1e-3 };
        let found = lasso.fit_chosen(y.view(), &folds, &first, &TIGHT).unwrap();
        assert!(found.model.weights.iter().all(|w| w.abs() < 1e-12));
        let below: Vec<f64> = found.alpha.iter().map(|alpha| alpha * 0.99).collect();
        assert!(lasso.fit(y.view(), &below, &TIGHT).unwrap().n_weights.iter().all(|n| *n > 0));
        // responses that no positive weight helps
        let y = -1.0 * &x.slice(s![.., ..1]);
        let lasso = Lasso::learn(x.slice(s![.., ..1]), RAW).unwrap();
        let path = LassoAlphas::Path { n: 10, ratio: 1e-3 };
        let found = lasso.fit_chosen(y.view(), &folds, &path, &TIGHT).unwrap();
        assert!(found.model.weights[(0, 0)] == 0.0 && found.alpha[0] == 1e-15);
    }

    #[test]
    fn unusable_voxels_say_why_and_change_no_other() {
        let (x, y) = example(20, 5, 1);
        let mut more = concatenate![Axis(1), y, noise(20, 2, 9)];
        more.column_mut(1).fill(3.0);
        more[(7, 2)] = f64::NAN;
        let folds = k_folds(&(0..20).collect::<Vec<_>>(), 4, FoldOrder::Contiguous).unwrap();
        let lasso = Lasso::learn(x.view(), RAW).unwrap();
        let path = LassoAlphas::Path { n: 20, ratio: 1e-3 };
        let choose = |y: &Array2<f64>| lasso.fit_chosen(y.view(), &folds, &path, &TIGHT).unwrap();
        let (alone, found) = (choose(&y), choose(&more));
        assert_eq!(found.model.reasons, [None, Some(Reason::Constant), Some(Reason::NanInput)]);
        assert!(found.alpha[0] == alone.alpha[0] && found.alpha[1].is_nan() && found.dual_gap[2].is_nan());
        assert_eq!(found.model.weights.column(0), alone.model.weights.column(0));
        assert!(found.model.weights.slice(s![.., 1..]).iter().all(|w| w.is_nan()));
        assert_eq!((found.converged[1], found.n_weights[1], found.edge[2]), (true, 0, None));
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let (x, y) = example(12, 4, 3);
        let lasso = Lasso::learn(x.view(), RAW).unwrap();
        let error = |alphas: &[f64]| lasso.fit(y.view(), alphas, &TIGHT).unwrap_err();
        assert_eq!(error(&[-0.1]), FitError::NotAPenalty(-0.1));
        assert_eq!(error(&[f64::INFINITY]), FitError::NotAPenalty(f64::INFINITY));
        assert_eq!(error(&[0.1, 0.2]), FitError::PenaltyCount { penalties: 2, voxels: 3 });
        assert_eq!(error(&[]), FitError::PenaltyCount { penalties: 0, voxels: 3 });
        let folds = |fold_of_row: Vec<usize>| Folds { n_folds: 2, fold_of_row };
        let choose = |folds: Folds, n| {
            lasso.fit_chosen(y.view(), &folds, &LassoAlphas::Path { n, ratio: 1e-3 }, &TIGHT).unwrap_err()
        };
        assert_eq!(choose(folds(vec![0; 12]), 5), FitError::TooFewFolds(1));
        assert_eq!(choose(folds(vec![0; 11]), 5), RidgeError::FoldCount { folds: 11, rows: 12 }.into());
        assert_eq!(choose(folds(vec![0; 12]), 0), FitError::PenaltyCount { penalties: 0, voxels: 3 });
        let one = (0..12).map(|row| usize::from(row > 0)).collect();
        assert_eq!(choose(folds(one), 5), FitError::TooFewRows { rows: 1, needed: 2 });
        let given = LassoAlphas::Given(vec![]);
        let halves = folds((0..12).map(|row| row % 2).collect());
        assert!(lasso.fit_chosen(y.view(), &halves, &given, &TIGHT).is_err());
    }

    #[test]
    fn threads_change_nothing() {
        let (x, y) = example(40, 30, 300);
        let folds = k_folds(&(0..40).collect::<Vec<_>>(), 4, FoldOrder::Contiguous).unwrap();
        let run = || {
            let lasso = Lasso::learn(x.view(), RAW).unwrap();
            let path = LassoAlphas::Path { n: 15, ratio: 1e-2 };
            lasso.fit_chosen(y.view(), &folds, &path, &LassoOptions::default()).unwrap()
        };
        assert_eq!(with_threads(1, run), with_threads(4, run));
    }
}
