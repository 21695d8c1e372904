//! Fractional ridge: the penalty of a voxel said by how much shorter the weights get (Rokem and Kay 2020).

use linear_algebra::{Coordinates, FractionAlpha, FractionSolver, Real, ThinSvd, cross_product, product, thin_svd};
use ndarray::{ArrayView2, Axis};

use crate::linear::{FitError, LinearModel, Predictors, Preparation, Responses};

/// Singular values up to this share of the largest are taken for 0.
const TOLERANCE: f64 = 1e-10;

/// Ridge models whose weights have a given fraction of the length of the unpenalized ones.
///
/// The features (`n x p`) are decomposed once, by singular values, and any number of blocks of voxels fitted with them.
pub struct FractionalRidge {
    features: Predictors,
    svd: ThinSvd,
    solver: FractionSolver,
}

/// A fitted model, and the penalty of every voxel.
#[derive(Debug, Clone, PartialEq)]
pub struct FractionModel {
    /// The weights.
    pub model: LinearModel,
    /// Penalty and fraction of every voxel; `NaN` where there is no fit.
    pub chosen: Vec<FractionAlpha>,
}

impl FractionalRidge {
    /// Decomposes the features. Singular values up to `tolerance` times the largest are taken for 0; `None` is 1e-10.
    pub fn learn<T: Real>(
        x: ArrayView2<T>,
        preparation: Preparation,
        tolerance: Option<f64>,
    ) -> Result<FractionalRidge, FitError> {
        let features = Predictors::learn(x, preparation)?;
        let svd = thin_svd(features.values.view())?;
        let squares: Vec<f64> = svd.values.iter().map(|s| s * s).collect();
        let solver = FractionSolver::new(&squares, Coordinates::Primal, tolerance.unwrap_or(TOLERANCE));
        Ok(FractionalRidge { features, svd, solver })
    }

    /// Dimensions that the features span in the training rows.
    pub fn rank(&self) -> usize {
        self.solver.rank()
    }

    /// The models of these voxels (`n x v`) at every fraction.
    pub fn fit<U: Real>(&self, y: ArrayView2<U>, fractions: &[f64]) -> Result<Vec<FractionModel>, FitError> {
        let responses = Responses::learn(y, &self.features)?;
        let mut coordinates = cross_product(self.svd.left.view(), responses.values.view());
        coordinates *= &self.svd.values.view().insert_axis(Axis(1));
        let solved = self.solver.solve_all(coordinates.view(), fractions)?;
        let fit = |mut chosen: Vec<FractionAlpha>| {
            let alphas: Vec<f64> = chosen.iter().map(|c| c.alpha).collect();
            let shrunk = self.solver.shrink(coordinates.view(), &alphas);
            let weights = product(self.svd.right.view(), shrunk.view());
            for (chosen, reason) in chosen.iter_mut().zip(&responses.reasons) {
                if reason.is_some() {
                    *chosen = FractionAlpha { alpha: f64::NAN, fraction: f64::NAN };
                }
            }
            FractionModel { model: self.features.model(weights, responses.clone()), chosen }
        };
        Ok(solved.into_iter().map(fit).collect())
    }
}

#[cfg(test)]
mod tests {
    use linear_algebra::{cross_product, product};
    use ndarray::{Array1, Array2, Axis, s};
    use statistics::Reason;

    use super::FractionalRidge;
    use crate::linear::Preparation;
    use crate::linear::testing::{assert_close, noise, with_threads};
    use crate::ols::Ols;
    use crate::scaling::Scaling;

    const RAW: Preparation = Preparation { scaling: Scaling::Centre, intercept: true };

    fn norms(weights: &Array2<f64>) -> Array1<f64> {
        weights.mapv(|w| w * w).sum_axis(Axis(0)).mapv(f64::sqrt)
    }

    #[test]
    fn weights_have_the_length_that_was_asked_for() {
        for (n, p) in [(40, 9), (10, 30)] {
            let mut x = noise(n, p, 7);
            let twice = &x.column(0) * 2.0;
            x.column_mut(1).assign(&twice);
            x.column_mut(2).fill(4.0);
            let y = noise(n, 5, 8);
            let ols = Ols::learn(x.view(), RAW, Some(1e-10)).unwrap();
            let full = ols.fit(y.view()).unwrap();
            let ridge = FractionalRidge::learn(x.view(), RAW, None).unwrap();
            assert_eq!(ridge.rank(), ols.rank());
            let found = ridge.fit(y.view(), &[0.2, 0.7, 1.0]).unwrap();
            for (fitted, fraction) in found.iter().zip([0.2, 0.7, 1.0]) {
                let ratio = norms(&fitted.model.weights) / norms(&full.weights);
                assert!(ratio.iter().all(|r| (r - fraction).abs() < 1e-12), "{ratio}");
            }
            assert_close(&found[2].model.weights, &full.weights, 1e-12);
            // the penalty is that of ridge: (X'X + alpha) w = X'y
            let centred = &x - &x.mean_axis(Axis(0)).unwrap();
            let w = found[0].model.weights.column(3).insert_axis(Axis(1));
            let left = cross_product(centred.view(), product(centred.view(), w).view());
            let right = cross_product(centred.view(), y.slice(s![.., 3..4]));
            assert_close(&(left + &w * found[0].chosen[3].alpha), &right, 1e-12);
        }
    }

    #[test]
    fn threads_change_nothing() {
        let (x, y) = (noise(40, 20, 8), noise(40, 200, 9));
        let fit = || FractionalRidge::learn(x.view(), RAW, None).unwrap().fit(y.view(), &[0.3, 0.6]).unwrap();
        assert_eq!(with_threads(1, fit), with_threads(4, fit));
    }

    #[test]
    fn unusable_voxels_have_reasons() {
        let (x, mut y) = (noise(9, 3, 1), noise(9, 3, 2));
        y.column_mut(0).fill(1.0);
        y[(3, 2)] = f64::INFINITY;
        let fitted = &FractionalRidge::learn(x.view(), RAW, None).unwrap().fit(y.view(), &[0.5]).unwrap()[0];
        assert_eq!(fitted.model.reasons, [Some(Reason::Constant), None, Some(Reason::NanInput)]);
        assert!(fitted.chosen[0].alpha.is_nan() && fitted.chosen[1].alpha > 0.0 && fitted.chosen[2].alpha.is_nan());
    }
}
