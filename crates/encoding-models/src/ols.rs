use linear_algebra::{Real, ThinSvd, cross_product, product, thin_svd};
use ndarray::{Array2, ArrayView2, Axis};

use crate::linear::{FitError, LinearModel, Predictors, Preparation, Responses};

/// Least squares without a penalty; of all weights that fit equally well, those of the least length.
///
/// The features (`n x p`) are decomposed once, by singular values, and any number of blocks of voxels fitted with
/// them. Where the features are collinear, or no fewer than the rows, many weights fit equally well: [`Ols::rank`] is
/// then below the number of features.
pub struct Ols {
    features: Predictors,
    svd: ThinSvd,
    rank: usize,
}

impl Ols {
    /// Decomposes the features. Singular values up to `tolerance` times the largest are taken for 0; `None` is
    /// machine precision times the longer side of `x`, as `numpy.linalg.lstsq` has it.
    pub fn learn<T: Real>(x: ArrayView2<T>, preparation: Preparation, tolerance: Option<f64>) -> Result<Ols, FitError> {
        let features = Predictors::learn(x, preparation)?;
        let svd = thin_svd(features.values.view())?;
        let (n, p) = x.dim();
        let tolerance = tolerance.unwrap_or(f64::EPSILON * n.max(p) as f64);
        let negligible = tolerance * svd.values.first().copied().unwrap_or(0.0);
        let rank = svd.values.iter().filter(|s| **s > negligible).count();
        Ok(Ols { features, svd, rank })
    }

    /// Dimensions that the centred features span in the training rows.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Whether the weights are the only ones that fit best; otherwise they are the shortest of many.
    pub fn is_unique(&self) -> bool {
        self.rank == self.features.values.ncols() - self.features.scaling.n_constant()
    }

    /// Whether any responses at all are fitted without error, so that the training rows say nothing about the model:
    /// the rank is the number of rows, less one for the intercept.
    pub fn fits_anything(&self) -> bool {
        self.rank + usize::from(self.features.preparation.intercept) >= self.features.values.nrows()
    }

    /// The weights of these voxels (`n x v`).
    pub fn fit<U: Real>(&self, y: ArrayView2<U>) -> Result<LinearModel, FitError> {
        let responses = Responses::learn(y, &self.features)?;
        let mut coordinates = cross_product(self.svd.left.view(), responses.values.view());
        for (k, (mut row, s)) in coordinates.axis_iter_mut(Axis(0)).zip(&self.svd.values).enumerate() {
            if k < self.rank {
                row /= *s;
            } else {
                row.fill(0.0);
            }
        }
        let weights: Array2<f64> = product(self.svd.right.view(), coordinates.view());
        Ok(self.features.model(weights, responses))
    }
}

#[cfg(test)]
mod tests {
    use crate::error::RidgeError;
    use linear_algebra::{Cholesky, cross_gram, cross_product, product};
    use ndarray::{Array2, Axis, array, concatenate, s};
    use statistics::Reason;

    use super::Ols;
    use crate::linear::testing::{assert_close, noise, with_threads};
    use crate::linear::{FitError, Preparation};
    use crate::scaling::Scaling;

    const RAW: Preparation = Preparation { scaling: Scaling::Centre, intercept: true };

    #[test]
    fn a_line_by_hand() {
        // through (0, 1), (1, 3), (2, 5): 1 + 2 x
        let x = array![[0.0f32], [1.0], [2.0]];
        let y = array![[1.0f32], [3.0], [5.0]];
        for scaling in [Scaling::Centre, Scaling::Standardize] {
            let ols = Ols::learn(x.view(), Preparation { scaling, intercept: true }, None).unwrap();
            let model = ols.fit(y.view()).unwrap();
            assert!((model.weights[(0, 0)] - 2.0).abs() < 1e-15 && (model.intercept[0] - 1.0).abs() < 1e-15);
            assert_close(&model.predict(array![[10.0f32]].view()), &array![[21.0]], 1e-13);
            assert!(ols.rank() == 1 && ols.is_unique() && !ols.fits_anything());
        }
    }

    #[test]
    fn weights_solve_the_normal_equations() {
        let (x, y) = (noise(50, 8, 1), noise(50, 3, 2));
        let ones = concatenate![Axis(1), x, Array2::ones((50, 1))];
        let normal = Cholesky::new(cross_gram(ones.view()).to_array().view()).unwrap();
        let expected = normal.solve(cross_product(ones.view(), y.view()).view()).unwrap();
        let model = Ols::learn(x.view(), Preparation::default(), None).unwrap().fit(y.view()).unwrap();
        assert_close(&model.weights, &expected.slice(s![..8, ..]).to_owned(), 1e-13);
        assert_close(
            &Array2::from_shape_vec((1, 3), model.intercept).unwrap(),
            &expected.slice(s![8.., ..]).to_owned(),
            1e-13,
        );
        // without an intercept, a column of ones does the same
        let without = Preparation { scaling: Scaling::Centre, intercept: false };
        let model = Ols::learn(ones.view(), without, None).unwrap().fit(y.view()).unwrap();
        assert_close(&model.weights, &expected, 1e-13);
        assert_eq!(model.intercept, [0.0; 3]);
    }

    #[test]
    fn collinear_constant_and_too_many_features_have_the_shortest_weights() {
        // the second column is twice the first: the shortest w with w1 + 2 w2 = 5 is (1, 2)
        let mut x = noise(20, 3, 3);
        let twice = &x.column(0) * 2.0;
        x.column_mut(1).assign(&twice);
        x.column_mut(2).fill(0.1);
        let y = product(x.slice(s![.., ..1]), array![[5.0]].view());
        let ols = Ols::learn(x.view(), RAW, None).unwrap();
        assert!(ols.rank() == 1 && !ols.is_unique());
        assert_close(&ols.fit(y.view()).unwrap().weights, &array![[1.0], [2.0], [0.0]], 1e-13);
        let (wide, y) = (noise(10, 30, 4), noise(10, 2, 5));
        let ols = Ols::learn(wide.view(), RAW, None).unwrap();
        assert!(ols.rank() == 9 && ols.fits_anything() && !ols.is_unique());
        let model = ols.fit(y.view()).unwrap();
        assert_close(&model.predict(wide.view()), &y, 1e-13);
        // the shortest weights lie in the span of the centred rows
        let centred = &wide - &wide.mean_axis(Axis(0)).unwrap();
        let kernel = product(centred.view(), centred.t()) + 1.0;
        let by_row = Cholesky::new(kernel.view()).unwrap().solve(product(centred.view(), model.weights.view()).view());
        assert_close(&cross_product(centred.view(), by_row.unwrap().view()), &model.weights, 1e-11);
    }

    #[test]
    fn unusable_voxels_say_why_and_change_no_other() {
        let x = noise(12, 4, 6);
        let mut y = noise(12, 3, 7);
        let alone = Ols::learn(x.view(), RAW, None).unwrap().fit(y.view()).unwrap();
        y.column_mut(1).fill(0.3);
        y[(4, 2)] = f64::NAN;
        let model = Ols::learn(x.view(), RAW, None).unwrap().fit(y.view()).unwrap();
        assert_eq!(model.reasons, [None, Some(Reason::Constant), Some(Reason::NanInput)]);
        assert_eq!(model.weights.column(0), alone.weights.column(0));
        assert!(model.weights.slice(s![.., 1..]).iter().chain(&model.intercept[1..]).all(|w| w.is_nan()));
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let error = |x: Array2<f64>| Ols::learn(x.view(), RAW, None).err().unwrap();
        assert_eq!(error(noise(1, 3, 1)), FitError::TooFewRows { rows: 1, needed: 2 });
        assert_eq!(error(noise(0, 3, 1)), FitError::TooFewRows { rows: 0, needed: 2 });
        assert!(matches!(
            error(array![[1.0, 2.0], [f64::INFINITY, 0.0]]),
            FitError::Ridge(RidgeError::FeatureNotFinite { row: 1, .. })
        ));
        let ols = Ols::learn(noise(5, 2, 1).view(), RAW, None).unwrap();
        let differ = ols.fit(noise(4, 2, 1).view()).unwrap_err();
        assert_eq!(differ, RidgeError::RowsDiffer { features: 5, responses: 4 }.into());
        // no feature at all: the mean
        let model = Ols::learn(noise(3, 0, 1).view(), RAW, None).unwrap().fit(array![[1.0], [2.0], [6.0]].view());
        assert_eq!(model.unwrap().intercept, [3.0]);
    }

    #[test]
    fn threads_change_nothing() {
        let (x, y) = (noise(80, 30, 8), noise(80, 40, 9));
        let fit = || Ols::learn(x.view(), RAW, None).unwrap().fit(y.view()).unwrap();
        assert_eq!(with_threads(1, fit), with_threads(4, fit));
    }
}
