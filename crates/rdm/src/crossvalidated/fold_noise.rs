//! Crossnobis distances where every fold has noise of its own.

use linear_algebra::product;
use ndarray::Array2;
use rayon::prelude::*;

use super::{Sums, add_where, centre_present, check, contrast_rounding, finish, per_common_pair};
use crate::distance::{Distances, Erased, settle};
use crate::matrix::n_pairs;
use crate::{Design, NoiseModel, RdmError};

/// [`crossnobis`](crate::crossnobis) by folds, where `noise` has one model for every fold: the product of the
/// differences in folds f and g is taken under the inverse of the mean of their two covariances, and the mean is over
/// pairs of folds that have both conditions. rsatoolbox's `calc_rdm(method="crossnobis", noise=[...])`.
///
/// One metric per pair of folds keeps every product an estimate of a squared distance that is unbiased. (Whitening each
/// fold by its own root would multiply by `S_f^-1/2 S_g^-1/2`, which is no metric: it is not symmetric.)
/// Covariances are taken as they are, of whatever a fold holds: where folds hold different numbers of presentations,
/// give those of the means. Held are the means of all folds, whole.
///
/// # Panics
/// When `noise` has not one model per fold.
pub fn crossnobis_of_folds<'a>(
    patterns: impl Into<Erased<'a>>,
    design: &Design,
    noise: &[&NoiseModel],
) -> Result<Distances, RdmError> {
    of_folds(patterns.into(), design, noise)
}

fn of_folds(patterns: Erased, design: &Design, noise: &[&NoiseModel]) -> Result<Distances, RdmError> {
    let (n, n_folds, n_units) = (design.n_conditions(), design.n_folds(), patterns.n_units());
    assert_eq!(noise.len(), n_folds, "one noise model per fold");
    noise.iter().try_for_each(|model| model.check_channels(n_units)).map_err(RdmError::Noise)?;
    let unusable = check(patterns, design)?;
    let present = |f: usize, c: usize| design.count(c, f) > 0;
    let mut sums = Sums::new(patterns, design);
    let folds = sums.means((0, n_units))?;
    for (f, fold) in folds.iter_mut().enumerate() {
        centre_present(fold, |c| present(f, c));
    }
    let folds: &[Array2<f64>] = folds;
    let pairs: Vec<(usize, usize)> = (0..n_folds).flat_map(|f| (f + 1..n_folds).map(move |g| (f, g))).collect();
    // One pair of folds at a time: a model and two whitened folds are as large as anything here.
    let mut values = vec![0.0; n_pairs(n)];
    let mut sizes = vec![0.0; n];
    for &(f, g) in &pairs {
        let mean = (noise[f].covariance() + noise[g].covariance()) / 2.0;
        let model = NoiseModel::from_covariance(mean.view()).map_err(RdmError::Noise)?;
        let white: Vec<Array2<f64>> = [f, g]
            .into_par_iter()
            .map(|fold| model.whiten(folds[fold].clone()).map_err(RdmError::Noise))
            .collect::<Result<_, _>>()?;
        for fold in &white {
            sizes.iter_mut().zip(fold.rows()).for_each(|(sum, row)| *sum += row.dot(&row));
        }
        let both = |c: usize| present(f, c) && present(g, c);
        add_where(&mut values, &product(white[0].view(), white[1].t()), &both);
    }
    per_common_pair(&mut values, design, 1.0);
    // A whitened value is a sum over all units.
    let rounding = contrast_rounding(patterns, design) + 16.0 * n_units as f64 * f64::EPSILON;
    let bound = |i: usize, j: usize, _| rounding * (sizes[i] + sizes[j]);
    settle(&mut values, n, None, None, bound, bound);
    finish(values, unusable)
}

#[cfg(test)]
mod tests {
    use linear_algebra::Cholesky;

    use super::*;
    use crate::testing::noise;
    use crate::{FoldWeights, InMemory, Shrinkage, crossnobis};

    fn model(seed: u64) -> NoiseModel {
        let residuals = noise(40, 5, seed).dot(&noise(5, 5, seed + 50));
        NoiseModel::from_residuals(residuals.view(), None, Shrinkage::Diag).unwrap()
    }

    /// Conditions 0 to 4; 2 is not in fold 1, 3 in folds 0 and 1 alone, 1 twice in fold 0.
    const CONDITION: [usize; 15] = [0, 1, 1, 2, 3, 4, 0, 1, 3, 4, 2, 0, 1, 4, 2];
    const FOLD: [usize; 15] = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2];

    #[test]
    fn pairs_of_folds_under_the_mean_of_their_covariances() {
        let x = noise(15, 5, 9) * 3.0 + 20.0;
        let design = Design::new(&CONDITION, &FOLD).unwrap();
        let models = [model(1), model(2), model(3)];
        let found = crossnobis_of_folds(&InMemory::new(x.view()), &design, &models.each_ref()).unwrap();
        let mean = |c: usize, f: usize| -> Option<Vec<f64>> {
            let rows: Vec<usize> = (0..15).filter(|r| CONDITION[*r] == c && FOLD[*r] == f).collect();
            let one = |u: usize| rows.iter().map(|r| x[(*r, u)]).sum::<f64>() / rows.len() as f64;
            (!rows.is_empty()).then(|| (0..5).map(one).collect())
        };
        for i in 0..5 {
            for j in i + 1..5 {
                let mut products = Vec::new();
                for (f, g) in [(0, 1), (0, 2), (1, 2)] {
                    let difference = |f: usize| -> Option<Array2<f64>> {
                        let (a, b) = (mean(i, f)?, mean(j, f)?);
                        Some(Array2::from_shape_fn((5, 1), |(u, _)| a[u] - b[u]))
                    };
                    let (Some(a), Some(b)) = (difference(f), difference(g)) else { continue };
                    let covariance = (models[f].covariance() + models[g].covariance()) / 2.0;
                    let solved = Cholesky::new(covariance.view()).unwrap().solve(b.view()).unwrap();
                    products.push((&a * &solved).sum());
                }
                let expected = products.iter().sum::<f64>() / products.len() as f64;
                let value = found.rdm.get(i, j);
                match products.len() {
                    0 => assert!(value.is_nan(), "{i} {j}"),
                    _ => {
                        assert!((value - expected).abs() < 1e-10 * (1.0 + expected.abs()), "{i} {j} {value} {expected}")
                    }
                }
            }
        }
        // condition 2 is in folds 0 and 2, condition 3 in 0 and 1
        assert!(found.rdm.get(2, 3).is_nan() && found.rdm.n_nan() == 1 && found.unusable.is_empty());
    }

    #[test]
    fn the_same_noise_in_every_fold_is_one_noise() {
        let mut x = noise(15, 5, 9);
        let design = Design::new(&CONDITION, &FOLD).unwrap();
        let one = model(4);
        let white = one.whiten(x.clone()).unwrap();
        let expected = crossnobis(&InMemory::new(white.view()), &design, FoldWeights::Folds).unwrap();
        let found = crossnobis_of_folds(&InMemory::new(x.view()), &design, &[&one; 3]).unwrap();
        for (a, b) in found.rdm.values().iter().zip(expected.rdm.values()) {
            assert!((a - b).abs() < 1e-11 || (a.is_nan() && b.is_nan()), "{a} {b}");
        }
        x[(3, 1)] = f64::NAN;
        let spoilt = crossnobis_of_folds(&InMemory::new(x.view()), &design, &[&one; 3]).unwrap();
        assert!(spoilt.rdm.n_nan() == 4 && spoilt.unusable.len() == 1 && spoilt.unusable[0].row == 2);
        let small = NoiseModel::from_covariance(Array2::eye(4).view()).unwrap();
        let error = crossnobis_of_folds(&InMemory::new(x.view()), &design, &[&one, &small, &one]).unwrap_err();
        assert!(error.to_string().contains("5 channels, the noise 4"), "{error}");
    }
}
