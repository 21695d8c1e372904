use linear_algebra::{Real, cross_product, product, symmetric_eigen};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::linear::{FitError, LinearModel, Predictors, Preparation, Responses};
use crate::scaling::Scaling;

/// What is left of the covariance, or of the features, below this share of what there was is rounding.
const NOTHING: f64 = 1e-12;
/// Vectors kept in one run of Lanczos' method, and runs.
const VECTORS: usize = 60;
const RUNS: usize = 100;

/// Partial least squares regression of all voxels together (PLS2).
///
/// Component by component: the direction `w` of the features whose scores `t = X w` have the largest covariance with
/// the responses, which is the first left singular vector of `X' Y`; both sides are then freed of `t`. It is what
/// scikit-learn's `PLSRegression` iterates to (Wegelin 2000), found by Lanczos' method to rounding where that stops by
/// a tolerance. `X` itself is not deflated: the scores of its own axes are kept orthogonal, and `X' Y` (`p x v`) alone
/// loses the component (Dayal and MacGregor 1997).
///
/// One fit holds the models of every smaller number of components.
#[derive(Debug, Clone)]
pub struct Pls {
    /// `p x k`: `X` times this are the scores; in the scaled features' units.
    rotations: Array2<f64>,
    /// `k x v`, in the responses' own units.
    loadings: Array2<f64>,
    features: Predictors,
    responses: Responses,
}

impl Pls {
    /// Fits up to `n_components` components to `x` (`n x p`) and `y` (`n x v`).
    ///
    /// Under [`Scaling::Standardize`] responses too are divided by their standard deviations, so that every voxel
    /// counts alike (scikit-learn's `scale=True`); under [`Scaling::Centre`] voxels count by their variance. Voxels
    /// that cannot be fitted count for nothing.
    pub fn fit<T: Real, U: Real>(
        x: ArrayView2<T>,
        y: ArrayView2<U>,
        n_components: usize,
        preparation: Preparation,
    ) -> Result<Pls, FitError> {
        let features = Predictors::learn(x, preparation)?;
        let responses = Responses::learn(y, &features)?;
        let (n, p) = features.values.dim();
        let rows = n - usize::from(preparation.intercept);
        let most = rows.min(p - features.scaling.n_constant());
        if n_components > most {
            return Err(FitError::TooManyComponents { asked: n_components, rank: most });
        }
        let mut targets = responses.values.clone();
        let mut spread = vec![1.0; targets.ncols()];
        if preparation.scaling == Scaling::Standardize {
            for (mut column, spread) in targets.columns_mut().into_iter().zip(&mut spread) {
                // Root mean square: the standard deviation where the mean was taken out.
                let size = (column.iter().map(|v| v * v).sum::<f64>() / n as f64).sqrt();
                if size > 0.0 {
                    *spread = size;
                    column /= size;
                }
            }
        }
        let x = features.values.view();
        let mut covariance = cross_product(x, targets.view());
        let (all, squares) = (length(&covariance), length(&features.values));
        let nobody = responses.reasons.iter().all(Option::is_some);
        let mut rotations = Array2::zeros((p, n_components));
        let mut loadings = Array2::zeros((n_components, targets.ncols()));
        let (mut scores, mut x_loadings) = (Vec::<Array1<f64>>::new(), Vec::<Array1<f64>>::new());
        for k in 0..n_components {
            if nobody {
                break;
            }
            let too_many = FitError::TooManyComponents { asked: n_components, rank: k };
            if length(&covariance) <= NOTHING * all {
                return Err(too_many);
            }
            let direction = first_left_singular_vector(covariance.view())?;
            let mut rotation = direction.clone();
            let mut score = column(product(x, direction.view().insert_axis(Axis(1))));
            // Twice: what rounding leaves of the earlier scores the first time is gone after the second.
            for pass in 0..2 {
                for j in 0..k {
                    let share = match pass {
                        0 => x_loadings[j].dot(&direction),
                        _ => scores[j].dot(&score) / scores[j].dot(&scores[j]),
                    };
                    score.scaled_add(-share, &scores[j]);
                    rotation.scaled_add(-share, &rotations.column(j));
                }
            }
            let square = score.dot(&score);
            if square.sqrt() <= NOTHING * squares {
                return Err(too_many);
            }
            let as_matrix = score.view().insert_axis(Axis(1));
            let x_loading = column(cross_product(x, as_matrix)) / square;
            let loading = column(cross_product(targets.view(), as_matrix)) / square;
            let rows = covariance.axis_iter_mut(Axis(0)).into_par_iter().enumerate();
            rows.for_each(|(i, mut row)| row.scaled_add(-x_loading[i] * square, &loading));
            rotations.column_mut(k).assign(&rotation);
            loadings.row_mut(k).assign(&loading);
            scores.push(score);
            x_loadings.push(x_loading);
        }
        loadings *= &Array1::from(spread);
        Ok(Pls { rotations, loadings, features, responses })
    }

    /// Components that were fitted.
    pub fn n_components(&self) -> usize {
        self.rotations.ncols()
    }

    /// The model of the first `k` components; of none it is the mean.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn model(&self, k: usize) -> LinearModel {
        let weights = product(self.rotations.slice(s![.., ..k]), self.loadings.slice(s![..k, ..]));
        self.features.model(weights, self.responses.clone())
    }

    /// Calls `take` with each number of components from 1 up and the predictions of that model for the rows of `x`
    /// (`n x p`), `n x v`: what a number of components is chosen by, without weights.
    pub fn predict_each<T: Real>(&self, x: ArrayView2<T>, mut take: impl FnMut(usize, ArrayView2<f64>)) {
        let rows: Vec<usize> = (0..x.nrows()).collect();
        let scaled: Array2<f64> = self.features.scaling.apply(x, &rows, 0..x.ncols());
        let scores = product(scaled.view(), self.rotations.view());
        let mut predictions = Array2::zeros((x.nrows(), self.loadings.ncols()));
        predictions += &Array1::from(self.responses.mean.clone());
        for k in 0..self.n_components() {
            let rows = predictions.axis_iter_mut(Axis(0)).into_par_iter().enumerate();
            rows.for_each(|(i, mut row)| row.scaled_add(scores[(i, k)], &self.loadings.row(k)));
            take(k + 1, predictions.view());
        }
    }
}

fn column(matrix: Array2<f64>) -> Array1<f64> {
    matrix.column(0).to_owned()
}

fn length(matrix: &Array2<f64>) -> f64 {
    let rows: Vec<f64> = matrix.axis_iter(Axis(0)).into_par_iter().map(|row| row.dot(&row)).collect();
    rows.iter().sum::<f64>().sqrt()
}

/// The left singular vector of the largest singular value of `a` (`p x v`), which is not 0: the first eigenvector of
/// `a a'` by Lanczos' method, every vector kept orthogonal to all before it.
fn first_left_singular_vector(a: ArrayView2<f64>) -> Result<Array1<f64>, FitError> {
    let times = |q: &Array1<f64>| {
        let across = cross_product(a, q.view().insert_axis(Axis(1)));
        column(product(a, across.view()))
    };
    // No pattern of data is likely to be orthogonal to this one; a column of `a` itself may well be.
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let mut start = times(&(0..a.nrows()).map(|i| (golden * (i * i + 1) as f64).fract() - 0.5).collect());
    if start.dot(&start) == 0.0 {
        start = times(&Array1::ones(a.nrows()));
    }
    for _ in 0..RUNS {
        start /= start.dot(&start).sqrt();
        let mut basis = vec![start.clone()];
        let (mut diagonal, mut beside) = (Vec::new(), Vec::<f64>::new());
        loop {
            let j = basis.len();
            let mut next = times(&basis[j - 1]);
            diagonal.push(next.dot(&basis[j - 1]));
            for _ in 0..2 {
                for q in &basis {
                    let share = q.dot(&next);
                    next.scaled_add(-share, q);
                }
            }
            let rest = next.dot(&next).sqrt();
            let small = Array2::from_shape_fn((j, j), |(i, k)| match i.abs_diff(k) {
                0 => diagonal[i],
                1 => beside[i.min(k)],
                _ => 0.0,
            });
            let eigen = symmetric_eigen(small.view())?;
            let (value, vector) = (eigen.values[j - 1], eigen.vectors.column(j - 1));
            let done = rest * vector[j - 1].abs() <= f64::EPSILON * value;
            if done || j == VECTORS || j == a.nrows() {
                let mut found = Array1::zeros(a.nrows());
                basis.iter().zip(vector).for_each(|(q, share)| found.scaled_add(*share, q));
                if done || j == a.nrows() {
                    let norm = found.dot(&found).sqrt();
                    return Ok(found / norm);
                }
                start = found;
                break;
            }
            beside.push(rest);
            basis.push(next / rest);
        }
    }
    // Two largest singular values that differ by rounding alone: any vector of their plane is a first one.
    let norm = start.dot(&start).sqrt();
    Ok(start / norm)
}

#[cfg(test)]
mod tests {
    use linear_algebra::{cross_product, product, thin_svd};
    use ndarray::{Array1, Array2, Axis, array, s};
    use statistics::Reason;

    use super::{Pls, first_left_singular_vector};
    use crate::linear::testing::{assert_close, noise, with_threads};
    use crate::linear::{FitError, Preparation};
    use crate::ols::Ols;
    use crate::scaling::Scaling;

    const RAW: Preparation = Preparation { scaling: Scaling::Centre, intercept: true };

    fn centred(x: &Array2<f64>) -> Array2<f64> {
        x - &x.mean_axis(Axis(0)).unwrap()
    }

    /// Both sides deflated, singular vectors of the whole covariance: predictions of the training rows.
    fn slow(x: &Array2<f64>, y: &Array2<f64>, k: usize) -> Array2<f64> {
        let (mut x, mut y) = (centred(x), centred(y));
        let whole = y.clone();
        for _ in 0..k {
            let w = thin_svd(cross_product(x.view(), y.view()).view()).unwrap().left.slice(s![.., ..1]).to_owned();
            let t = product(x.view(), w.view());
            let square = t.iter().map(|t| t * t).sum::<f64>();
            let p = cross_product(x.view(), t.view()) / square;
            let q = cross_product(y.view(), t.view()) / square;
            x -= &product(t.view(), p.t());
            y -= &product(t.view(), q.t());
        }
        whole - y
    }

    #[test]
    fn predictions_are_those_of_deflating_both_sides() {
        for (n, p, v) in [(30, 6, 4), (15, 40, 20), (25, 10, 90), (20, 5, 1)] {
            let x = noise(n, p, 1);
            let y = product(x.slice(s![.., ..3]), noise(3, v, 2).view()) + 0.3 * noise(n, v, 3);
            let pls = Pls::fit(x.view(), y.view(), 5, RAW).unwrap();
            let mean = y.mean_axis(Axis(0)).unwrap();
            pls.predict_each(x.view(), |k, predictions| {
                assert_close(&(&predictions - &mean), &slow(&x, &y, k), 1e-11);
                assert_close(&pls.model(k).predict(x.view()), &predictions.to_owned(), 1e-12);
            });
            assert!(pls.model(0).weights.iter().all(|w| *w == 0.0));
            assert_close(&pls.model(0).predict(x.view()), &(Array2::zeros((n, v)) + &mean), 1e-14);
        }
    }

    #[test]
    fn all_components_are_least_squares() {
        let (x, y) = (noise(30, 6, 4), noise(30, 9, 5));
        let ols = Ols::learn(x.view(), RAW, None).unwrap().fit(y.view()).unwrap();
        for scaling in [Scaling::Centre, Scaling::Standardize] {
            let pls = Pls::fit(x.view(), y.view(), 6, Preparation { scaling, intercept: true }).unwrap();
            assert_close(&pls.model(6).weights, &ols.weights, 1e-11);
            assert_eq!(pls.n_components(), 6);
        }
    }

    #[test]
    fn scaling_makes_units_irrelevant() {
        let (x, y) = (noise(20, 5, 6), noise(20, 3, 7));
        let units = Array1::from(vec![1.0, 1e3, 1e-3, 5.0, 0.2]);
        let voxels = Array1::from(vec![1e4, 1.0, 1e-2]);
        let fit = |x: &Array2<f64>, y: &Array2<f64>| Pls::fit(x.view(), y.view(), 2, Preparation::default()).unwrap();
        let plain = fit(&x, &y).model(2).predict(x.view()) * &voxels;
        let scaled = fit(&(&x * &units), &(&y * &voxels)).model(2).predict((&x * &units).view());
        let difference = (plain - scaled) / &voxels;
        assert!(difference.iter().all(|d| d.abs() < 1e-11));
    }

    #[test]
    fn more_components_than_there_are_is_an_error_with_both_numbers() {
        let refused = |x: &Array2<f64>, y: &Array2<f64>, k| Pls::fit(x.view(), y.view(), k, RAW).unwrap_err();
        let y = noise(12, 3, 8);
        assert_eq!(refused(&noise(12, 5, 1), &y, 6), FitError::TooManyComponents { asked: 6, rank: 5 });
        assert_eq!(refused(&noise(12, 30, 1), &y, 12), FitError::TooManyComponents { asked: 12, rank: 11 });
        // rank 2 of 5; a constant column
        let mut low = product(noise(12, 2, 2).view(), noise(2, 5, 3).view());
        assert_eq!(refused(&low, &y, 3), FitError::TooManyComponents { asked: 3, rank: 2 });
        assert!(Pls::fit(low.view(), y.view(), 2, RAW).is_ok());
        low.column_mut(0).fill(1.0);
        assert_eq!(refused(&low, &y, 5), FitError::TooManyComponents { asked: 5, rank: 4 });
        // responses that one component explains
        let x = noise(12, 1, 4);
        let two = ndarray::concatenate![Axis(1), x, noise(12, 1, 5)];
        let orthogonal = Ols::learn(x.view(), RAW, None).unwrap().fit(two.slice(s![.., 1..])).unwrap();
        let rest = &two.slice(s![.., 1..]) - &orthogonal.predict(x.view());
        let features = ndarray::concatenate![Axis(1), x, rest];
        assert_eq!(refused(&features, &(&x * 2.0), 2), FitError::TooManyComponents { asked: 2, rank: 1 });
    }

    #[test]
    fn the_first_vector_is_found_where_a_column_would_mislead() {
        // the longest column is itself a singular vector, of value 2; the first one has 1.9 sqrt 2
        let a = array![[2.0, 0.0, 0.0], [0.0, 1.9, 1.9]];
        let found = first_left_singular_vector(a.view()).unwrap();
        assert!(found[0].abs() < 1e-14 && (found[1].abs() - 1.0).abs() < 1e-15);
        // more vectors than one run keeps, the two largest values 1 % apart
        let svd = thin_svd(noise(200, 150, 9).view()).unwrap();
        let mut values = svd.values.clone();
        values[0] = values[1] * 1.01;
        let a = product((&svd.left * &values).view(), svd.right.t());
        let found = first_left_singular_vector(a.view()).unwrap();
        assert!((found.dot(&svd.left.column(0)).abs() - 1.0).abs() < 1e-13);
    }

    #[test]
    fn unusable_voxels_say_why_and_change_no_other() {
        let (x, y) = (noise(15, 4, 1), noise(15, 2, 2));
        let mut more = ndarray::concatenate![Axis(1), y, noise(15, 2, 3)];
        more.column_mut(2).fill(7.0);
        more[(3, 3)] = f64::NAN;
        let alone = Pls::fit(x.view(), y.view(), 2, RAW).unwrap().model(2);
        let model = Pls::fit(x.view(), more.view(), 2, RAW).unwrap().model(2);
        assert_eq!(model.reasons, [None, None, Some(Reason::Constant), Some(Reason::NanInput)]);
        assert_close(&model.weights.slice(s![.., ..2]).to_owned(), &alone.weights, 1e-14);
        assert!(model.weights.slice(s![.., 2..]).iter().chain(&model.intercept[2..]).all(|w| w.is_nan()));
        let none = Pls::fit(x.view(), more.slice(s![.., 2..]), 2, RAW).unwrap().model(2);
        assert!(none.weights.iter().all(|w| w.is_nan()));
    }

    #[test]
    fn threads_change_nothing() {
        let (x, y) = (noise(60, 300, 8), noise(60, 500, 9));
        let fit = || Pls::fit(x.view(), y.view(), 4, RAW).unwrap().model(4);
        assert_eq!(with_threads(1, fit), with_threads(4, fit));
    }
}
