use linear_algebra::Real;
use ndarray::{Array2, ArrayView2, Axis};
use statistics::{Folds, Reason};

use crate::alphas::End;
use crate::choice::Choice;
use crate::fraction::FractionalRidge;
use crate::lasso::{Lasso, LassoAlphas, LassoModel, LassoOptions};
use crate::linear::{FitError, LinearModel, Preparation, learn_scaling};
use crate::ols::Ols;
use crate::pls::Pls;
use crate::ridge::{CrossValidated, RidgeModel, Split, check_rows_of, unusable_voxels};
use crate::scaling::Scaling;

/// What is fitted in place of ridge with a penalty per voxel.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// Least squares without a penalty.
    Ols,
    /// The Lasso, each voxel under the penalty that inner folds choose where there are several.
    Lasso {
        /// How weights are found.
        options: LassoOptions,
        /// Penalties to choose from.
        alphas: LassoAlphas,
    },
    /// Partial least squares of all voxels together, with one of these numbers of components for all of them.
    Pls {
        /// At least one number.
        components: Vec<usize>,
    },
    /// Ridge whose weights have one of these fractions of the length of the unpenalized ones, chosen per voxel.
    Fractions(Vec<f64>),
}

/// What is known of one voxel's model of one training set, beside its penalty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fitted {
    /// Least squares of features of this rank.
    Ols {
        /// Dimensions that the features span.
        rank: usize,
        /// Whether these weights are the only best ones.
        unique: bool,
        /// Whether any responses at all would be fitted without error.
        fits_anything: bool,
    },
    /// A voxel's descent.
    Lasso {
        /// By how much the objective may be above its minimum.
        dual_gap: f64,
        /// Weights that are not 0.
        n_weights: usize,
        /// Whether the gap is within the tolerance.
        converged: bool,
    },
    /// Number of components.
    Pls(usize),
    /// Length of the weights over that of the unpenalized ones.
    Fraction(f64),
}

/// One training set's models.
struct Solved {
    model: LinearModel,
    choices: Vec<Choice>,
    fitted: Vec<Fitted>,
}

impl Method {
    /// Whether there is something to choose, which takes folds.
    pub fn chooses(&self) -> bool {
        match self {
            Method::Ols => false,
            Method::Lasso { alphas: LassoAlphas::Given(alphas), .. } => alphas.len() > 1,
            Method::Lasso { alphas: LassoAlphas::Path { n, .. }, .. } => *n > 1,
            Method::Pls { components } => components.len() > 1,
            Method::Fractions(fractions) => fractions.len() > 1,
        }
    }

    /// Predicts every test row by a model of the training rows, for which penalty, fraction or number of components was
    /// chosen on the inner folds of these rows (one fold number per row of all; not needed where there is nothing to
    /// choose). Details are given for every split and voxel.
    ///
    /// A voxel with `NaN` or infinity in any row, or a constant one, is `NaN` throughout. `split_done` is called after
    /// every split.
    pub fn cross_validate<T: Real, U: Real>(
        &self,
        x: ArrayView2<T>,
        y: ArrayView2<U>,
        splits: &[Split],
        inner: Option<&Folds>,
        preparation: Preparation,
        split_done: impl Fn(),
    ) -> Result<(CrossValidated, Vec<Vec<Fitted>>), FitError> {
        check_rows_of(x.nrows(), y.nrows())?;
        if let Some(whole) = without_parts(y) {
            return self.cross_validate(x, whole.view(), splits, inner, preparation, split_done);
        }
        let mut rows: Vec<usize> = splits.iter().flat_map(|split| split.test.iter().copied()).collect();
        rows.sort_unstable();
        let by_split = Array2::zeros((splits.len(), y.ncols()));
        let mut held_out = CrossValidated {
            predictions: Array2::zeros((rows.len(), y.ncols())),
            rows,
            bands: Vec::new(),
            models: Vec::new(),
            train_means: by_split.clone(),
            fitted_sds: by_split.clone(),
            train_sds: by_split,
            folds: Vec::new(),
            reasons: unusable_voxels(y),
            dual: false,
            n_constant: 0,
        };
        let mut details = Vec::new();
        for (k, split) in splits.iter().enumerate() {
            let (x_train, y_train) = (x.select(Axis(0), &split.train), y.select(Axis(0), &split.train));
            let solved = self.solve(x_train.view(), y_train.view(), inner_of(&split.train, inner)?, preparation)?;
            let constants = constants(y_train.view());
            let fitted = filled(solved.model.predict(x_train.view()), &constants);
            let predicted = filled(solved.model.predict(x.select(Axis(0), &split.test).view()), &constants);
            held_out.n_constant = held_out.n_constant.max(solved.model.n_constant);
            for voxel in 0..y.ncols() {
                let responses = y_train.column(voxel);
                let mean = match preparation.intercept {
                    true => statistics::mean(&responses.iter().map(|v| v.to_f64()).collect::<Vec<f64>>()),
                    false => 0.0,
                };
                for (i, row) in split.test.iter().enumerate() {
                    let Ok(place) = held_out.rows.binary_search(row) else { continue };
                    held_out.predictions[(place, voxel)] = predicted[(i, voxel)];
                }
                let spread = |values: &mut dyn Iterator<Item = f64>| {
                    (values.map(|v| (v - mean).powi(2)).sum::<f64>() / responses.len() as f64).sqrt()
                };
                held_out.train_means[(k, voxel)] = mean;
                held_out.train_sds[(k, voxel)] = spread(&mut responses.iter().map(|v| v.to_f64()));
                held_out.fitted_sds[(k, voxel)] = spread(&mut fitted.column(voxel).iter().copied());
            }
            held_out.folds.push(solved.choices);
            details.push(solved.fitted);
            split_done();
        }
        for (voxel, _) in held_out.reasons.iter().enumerate().filter(|(_, reason)| reason.is_some()) {
            held_out.predictions.column_mut(voxel).fill(f64::NAN);
        }
        Ok((held_out, details))
    }

    /// The model of some of the rows, in the features' own units.
    pub fn fit_rows<T: Real, U: Real>(
        &self,
        x: ArrayView2<T>,
        rows: &[usize],
        y: ArrayView2<U>,
        inner: Option<&Folds>,
        preparation: Preparation,
    ) -> Result<RidgeModel, FitError> {
        check_rows_of(x.nrows(), y.nrows())?;
        if let Some(whole) = without_parts(y) {
            return self.fit_rows(x, rows, whole.view(), inner, preparation);
        }
        let (x_train, y_train) = (x.select(Axis(0), rows), y.select(Axis(0), rows));
        let solved = self.solve(x_train.view(), y_train.view(), inner_of(rows, inner)?, preparation)?;
        let scaling = learn_scaling(x, rows, preparation);
        let LinearModel { weights, intercept, reasons, .. } = solved.model;
        // What the intercept says of the mean: X @ coef + intercept at the mean features.
        let voxels = weights.columns().into_iter().zip(&intercept);
        let response_mean =
            voxels.map(|(w, b)| b + w.iter().zip(&scaling.mean).map(|(w, m)| w * m).sum::<f64>()).collect();
        Ok(RidgeModel { weights, scaling, response_mean, choices: solved.choices, reasons })
    }

    fn solve<T: Real, U: Real>(
        &self,
        x: ArrayView2<T>,
        y: ArrayView2<U>,
        inner: Option<Folds>,
        preparation: Preparation,
    ) -> Result<Solved, FitError> {
        let v = y.ncols();
        let folds = || inner.as_ref().ok_or(FitError::TooFewFolds(1));
        match self {
            Method::Ols => {
                let ols = Ols::learn(x, preparation, None)?;
                let model = ols.fit(y)?;
                let fitted =
                    Fitted::Ols { rank: ols.rank(), unique: ols.is_unique(), fits_anything: ols.fits_anything() };
                Ok(Solved { model, choices: vec![choice(0.0, f64::NAN, None); v], fitted: vec![fitted; v] })
            }
            Method::Lasso { options, alphas } => {
                let lasso = Lasso::learn(x, preparation)?;
                let found = match alphas {
                    LassoAlphas::Given(alphas) if alphas.len() == 1 => lasso.fit(y, alphas, options)?,
                    alphas => lasso.fit_chosen(y, folds()?, alphas, options)?,
                };
                let LassoModel { model, alpha, dual_gap, converged, n_weights, held_out_error, edge, .. } = found;
                let choices = (0..v).map(|i| choice(alpha[i], -held_out_error[i], edge[i])).collect();
                let fitted = |i: usize| Fitted::Lasso {
                    dual_gap: dual_gap[i],
                    n_weights: n_weights[i],
                    converged: converged[i],
                };
                Ok(Solved { model, choices, fitted: (0..v).map(fitted).collect() })
            }
            Method::Pls { components } => {
                let (n_components, scores) = match components.as_slice() {
                    [only] => (*only, vec![f64::NAN; v]),
                    several => choose_components(x, y, several, folds()?, preparation)?,
                };
                let model = Pls::fit(x, y, n_components, preparation)?.model(n_components);
                let choices = scores.into_iter().map(|score| choice(f64::NAN, score, None)).collect();
                Ok(Solved { model, choices, fitted: vec![Fitted::Pls(n_components); v] })
            }
            Method::Fractions(fractions) => {
                let (chosen, scores) = match fractions.as_slice() {
                    [_] => (vec![0; v], vec![f64::NAN; v]),
                    several => choose_fractions(x, y, several, folds()?, preparation)?,
                };
                let ridge = FractionalRidge::learn(x, preparation, None)?;
                let mut whole: Option<Solved> = None;
                for (k, fraction) in fractions.iter().enumerate() {
                    let own: Vec<usize> = (0..v).filter(|&voxel| chosen[voxel] == k).collect();
                    if own.is_empty() {
                        continue;
                    }
                    let Some(found) = ridge.fit(y.select(Axis(1), &own).view(), &[*fraction])?.pop() else { continue };
                    let solved = whole.get_or_insert_with(|| Solved {
                        model: LinearModel {
                            weights: Array2::zeros((x.ncols(), v)),
                            intercept: vec![0.0; v],
                            reasons: vec![None; v],
                            n_constant: found.model.n_constant,
                        },
                        choices: vec![choice(f64::NAN, f64::NAN, None); v],
                        fitted: vec![Fitted::Fraction(f64::NAN); v],
                    });
                    for (i, &voxel) in own.iter().enumerate() {
                        solved.model.weights.column_mut(voxel).assign(&found.model.weights.column(i));
                        solved.model.intercept[voxel] = found.model.intercept[i];
                        solved.model.reasons[voxel] = found.model.reasons[i];
                        solved.choices[voxel] = choice(found.chosen[i].alpha, scores[voxel], None);
                        // The fraction that was asked for: what it is differs from that by rounding.
                        let fraction = if found.chosen[i].fraction.is_nan() { f64::NAN } else { *fraction };
                        solved.fitted[voxel] = Fitted::Fraction(fraction);
                    }
                }
                whole.ok_or(FitError::PenaltyCount { penalties: fractions.len(), voxels: v })
            }
        }
    }
}

fn choice(alpha: f64, score: f64, edge: Option<End>) -> Choice {
    Choice { gamma: 0, factor: alpha, alpha, edge, beyond: false, score }
}

/// The inner folds of the training rows, numbered anew.
fn inner_of(train: &[usize], inner: Option<&Folds>) -> Result<Option<Folds>, FitError> {
    let Some(folds) = inner else { return Ok(None) };
    let mut used: Vec<usize> = train.iter().map(|&row| folds.fold_of_row[row]).collect();
    used.sort_unstable();
    used.dedup();
    if used.len() < 2 {
        return Err(FitError::TooFewFolds(used.len()));
    }
    let number = |&row: &usize| used.binary_search(&folds.fold_of_row[row]).unwrap_or(0);
    Ok(Some(Folds { n_folds: used.len(), fold_of_row: train.iter().map(number).collect() }))
}

/// For every voxel the fraction with the least mean squared error over the inner folds, of equal ones the smallest;
/// and that error, with a minus.
fn choose_fractions<T: Real, U: Real>(
    x: ArrayView2<T>,
    y: ArrayView2<U>,
    fractions: &[f64],
    folds: &Folds,
    preparation: Preparation,
) -> Result<(Vec<usize>, Vec<f64>), FitError> {
    let mut errors = Array2::<f64>::zeros((fractions.len(), y.ncols()));
    for fold in 0..folds.n_folds {
        let (train, test) = (folds.train_rows(fold), folds.test_rows(fold));
        let (y_train, x_test) = (y.select(Axis(0), &train), x.select(Axis(0), &test));
        let constants = constants(y_train.view());
        let ridge = FractionalRidge::learn(x.select(Axis(0), &train).view(), preparation, None)?;
        for (fraction, mut errors) in fractions.iter().zip(errors.rows_mut()) {
            let Some(found) = ridge.fit(y_train.view(), &[*fraction])?.pop() else { continue };
            let predicted = filled(found.model.predict(x_test.view()), &constants);
            errors.iter_mut().zip(mean_squares(predicted.view(), y, &test)).for_each(|(sum, error)| *sum += error);
        }
    }
    let mut order: Vec<usize> = (0..fractions.len()).collect();
    order.sort_by(|&a, &b| fractions[a].total_cmp(&fractions[b]));
    let best = |voxel: usize| {
        let error = |k: usize| errors[(k, voxel)] / folds.n_folds as f64;
        let best = order.iter().copied().fold(order[0], |best, k| if error(k) < error(best) { k } else { best });
        (best, -error(best))
    };
    Ok((0..y.ncols()).map(best).unzip())
}

/// The number of components with the least squared error over the inner folds, of equal ones the smallest: one for all
/// voxels, whose errors count in units of their variance where responses are scaled. Also that error of every voxel,
/// with a minus.
fn choose_components<T: Real, U: Real>(
    x: ArrayView2<T>,
    y: ArrayView2<U>,
    components: &[usize],
    folds: &Folds,
    preparation: Preparation,
) -> Result<(usize, Vec<f64>), FitError> {
    let reasons = unusable_voxels(y);
    let most = components.iter().copied().max().unwrap_or(1);
    let mut errors = Array2::<f64>::zeros((components.len(), y.ncols()));
    for fold in 0..folds.n_folds {
        let (train, test) = (folds.train_rows(fold), folds.test_rows(fold));
        let y_train = y.select(Axis(0), &train);
        let constants = constants(y_train.view());
        let pls = Pls::fit(x.select(Axis(0), &train).view(), y_train.view(), most, preparation)?;
        pls.predict_each(x.select(Axis(0), &test).view(), |k, predicted| {
            let Some(place) = components.iter().position(|number| *number == k) else { return };
            let mut errors = errors.row_mut(place);
            let predicted = filled(predicted.to_owned(), &constants);
            errors.iter_mut().zip(mean_squares(predicted.view(), y, &test)).for_each(|(sum, error)| *sum += error);
        });
    }
    errors /= folds.n_folds as f64;
    let unit = |voxel: usize| match preparation.scaling {
        Scaling::Centre => 1.0,
        Scaling::Standardize => {
            let values: Vec<f64> = y.column(voxel).iter().map(|v| v.to_f64()).collect();
            let mean = statistics::mean(&values);
            values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64
        }
    };
    let usable: Vec<(usize, f64)> = (0..y.ncols()).filter(|&v| reasons[v].is_none()).map(|v| (v, unit(v))).collect();
    let total = |place: usize| usable.iter().map(|(v, unit)| errors[(place, *v)] / unit).sum::<f64>();
    let mut order: Vec<usize> = (0..components.len()).collect();
    order.sort_by_key(|&place| components[place]);
    let best = order.iter().copied().fold(order[0], |best, k| if total(k) < total(best) { k } else { best });
    Ok((components[best], errors.row(best).iter().map(|error| -error).collect()))
}

/// Responses in which voxels that are `NaN` or infinite in some rows are so in all, so that they have no part in any
/// fold's model; `None` where none is.
fn without_parts<U: Real>(y: ArrayView2<U>) -> Option<Array2<f64>> {
    let reasons = unusable_voxels(y);
    let in_parts = |v: &usize| {
        reasons[*v] == Some(Reason::NanInput) && y.column(*v).iter().any(|value| value.to_f64().is_finite())
    };
    let voxels: Vec<usize> = (0..y.ncols()).filter(in_parts).collect();
    (!voxels.is_empty()).then(|| {
        let mut whole = y.mapv(|v| v.to_f64());
        voxels.iter().for_each(|&voxel| whole.column_mut(voxel).fill(f64::NAN));
        whole
    })
}

/// Voxels that are constant in these rows, and their value: that is what there is to predict of them.
fn constants<U: Real>(y: ArrayView2<U>) -> Vec<(usize, f64)> {
    let reasons = unusable_voxels(y).into_iter().enumerate();
    let constant = reasons.filter(|(_, reason)| *reason == Some(Reason::Constant));
    constant.map(|(voxel, _)| (voxel, y[(0, voxel)].to_f64())).collect()
}

fn filled(mut predictions: Array2<f64>, constants: &[(usize, f64)]) -> Array2<f64> {
    constants.iter().for_each(|&(voxel, value)| predictions.column_mut(voxel).fill(value));
    predictions
}

/// Mean squared error of the predictions of some rows, per voxel.
fn mean_squares<U: Real>(predicted: ArrayView2<f64>, y: ArrayView2<U>, rows: &[usize]) -> Vec<f64> {
    let mut sums = vec![0.0; y.ncols()];
    for (predicted, &row) in predicted.rows().into_iter().zip(rows) {
        sums.iter_mut().zip(predicted).zip(y.row(row)).for_each(|((sum, p), v)| *sum += (p - v.to_f64()).powi(2));
    }
    sums.iter().map(|sum| sum / rows.len() as f64).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis, s};
    use statistics::{FoldOrder, Folds, Reason, k_folds};

    use super::{Fitted, Method};
    use crate::alphas::AlphaGrid;
    use crate::features::Features;
    use crate::fraction::FractionalRidge;
    use crate::lasso::{LassoAlphas, LassoOptions};
    use crate::linear::Preparation;
    use crate::linear::testing::{assert_close, noise};
    use crate::pls::Pls;
    use crate::ridge::{Inner, RidgeOptions, Split, cross_validate};
    use crate::scaling::Scaling;

    fn example() -> (Array2<f64>, Array2<f64>, Folds) {
        let x = noise(40, 7, 1);
        let y = x.dot(&noise(7, 5, 2)) + noise(40, 5, 3) * 0.7 + 3.0;
        (x, y, k_folds(&(0..40).collect::<Vec<_>>(), 4, FoldOrder::Shuffled(1)).unwrap())
    }

    fn methods() -> Vec<Method> {
        vec![
            Method::Ols,
            Method::Lasso { options: LassoOptions::default(), alphas: LassoAlphas::Given(vec![0.01]) },
            Method::Pls { components: vec![2] },
            Method::Fractions(vec![0.5]),
        ]
    }

    /// What [`Method::cross_validate`] promises, one fold and model at a time.
    #[test]
    fn predictions_are_those_of_models_of_the_training_rows() {
        let (x, y, folds) = example();
        for method in methods() {
            let splits = Split::of_folds(&folds);
            let (held, details) =
                method.cross_validate(x.view(), y.view(), &splits, None, Preparation::default(), || ()).unwrap();
            assert_eq!((held.rows.len(), details.len(), details[0].len()), (40, 4, 5));
            for (k, split) in splits.iter().enumerate() {
                let model = method.fit_rows(x.view(), &split.train, y.view(), None, Preparation::default()).unwrap();
                let expected = x.select(Axis(0), &split.test).dot(&model.weights)
                    + Array2::from_shape_vec((1, 5), model.intercept()).unwrap();
                assert_close(&held.predictions.select(Axis(0), &split.test), &expected, 1e-10);
                let fitted = x.select(Axis(0), &split.train).dot(&model.weights)
                    + Array2::from_shape_vec((1, 5), model.intercept()).unwrap();
                for voxel in 0..5 {
                    let centred = &fitted.column(voxel) - held.train_means[(k, voxel)];
                    let sd = (centred.dot(&centred) / centred.len() as f64).sqrt();
                    assert!((sd - held.fitted_sds[(k, voxel)]).abs() < 1e-10);
                }
            }
        }
    }

    #[test]
    fn least_squares_is_ridge_without_a_penalty() {
        let (x, y, folds) = example();
        let features = Features::new(x.view(), Scaling::Standardize).unwrap();
        let options = RidgeOptions::new(AlphaGrid::list(vec![0.0]).unwrap(), Inner::LeaveOneOut);
        let ridge = cross_validate(&features, y.view(), &folds, &options, || ()).unwrap();
        let splits = Split::of_folds(&folds);
        for method in [Method::Ols, Method::Fractions(vec![1.0])] {
            let (held, _) =
                method.cross_validate(x.view(), y.view(), &splits, None, Preparation::default(), || ()).unwrap();
            assert_close(&held.predictions, &ridge.predictions, 1e-10);
            assert_close(&held.train_means, &ridge.train_means, 1e-12);
            assert_close(&held.fitted_sds, &ridge.fitted_sds, 1e-10);
            assert_close(&held.train_sds, &ridge.train_sds, 1e-12);
        }
    }

    #[test]
    fn fractions_and_components_are_chosen_by_the_inner_folds() {
        let (x, y, _) = example();
        let rows: Vec<usize> = (0..40).collect();
        let inner = k_folds(&rows, 5, FoldOrder::Contiguous).unwrap();
        let preparation = Preparation::default();
        let fractions = [0.9, 0.1, 0.5, 0.3, 1.0, 0.7];
        let splits = [Split { train: rows.clone(), test: vec![] }];
        let chosen = |method: &Method| {
            let (held, details) =
                method.cross_validate(x.view(), y.view(), &splits, Some(&inner), preparation, || ()).unwrap();
            (held.folds[0].clone(), details[0].clone())
        };
        let mut errors = vec![[0.0; 5]; fractions.len()];
        let mut by_components = [0.0; 6];
        for fold in 0..5 {
            let train = inner.train_rows(fold);
            let test = inner.test_rows(fold);
            let (x_train, y_train) = (x.select(Axis(0), &train), y.select(Axis(0), &train));
            let (x_test, y_test) = (x.select(Axis(0), &test), y.select(Axis(0), &test));
            let ridge = FractionalRidge::learn(x_train.view(), preparation, None).unwrap();
            for (errors, found) in errors.iter_mut().zip(ridge.fit(y_train.view(), &fractions).unwrap()) {
                let off = found.model.predict(x_test.view()) - &y_test;
                (0..5).for_each(|v| errors[v] += off.column(v).dot(&off.column(v)) / (5.0 * test.len() as f64));
            }
            for (k, sum) in by_components.iter_mut().enumerate() {
                let off = Pls::fit(x_train.view(), y_train.view(), k + 1, preparation).unwrap().model(k + 1);
                let off = off.predict(x_test.view()) - &y_test;
                *sum += (0..5).map(|v| off.column(v).dot(&off.column(v)) / y.column(v).var(0.0)).sum::<f64>();
            }
        }
        let (choices, details) = chosen(&Method::Fractions(fractions.to_vec()));
        for voxel in 0..5 {
            let best = (0..6).min_by(|a, b| errors[*a][voxel].total_cmp(&errors[*b][voxel])).unwrap();
            let Fitted::Fraction(fraction) = details[voxel] else { panic!() };
            assert!((fraction - fractions[best]).abs() < 1e-10, "voxel {voxel}");
            assert!((choices[voxel].score + errors[best][voxel]).abs() < 1e-10);
        }
        let best = (0..6).min_by(|a, b| by_components[*a].total_cmp(&by_components[*b])).unwrap();
        let (_, details) = chosen(&Method::Pls { components: vec![6, 2, 1, 3, 5, 4] });
        assert_eq!(details, [Fitted::Pls(best + 1); 5]);
    }

    #[test]
    fn voxels_without_variance() {
        let (x, mut y, folds) = example();
        let splits = Split::of_folds(&folds);
        // constant among the training rows of the first fold; everywhere; NaN
        splits[0].train.iter().for_each(|&row| y[(row, 1)] = 2.0);
        y.slice_mut(s![.., 2]).fill(4.0);
        y[(7, 3)] = f64::NAN;
        for method in methods() {
            let (held, _) =
                method.cross_validate(x.view(), y.view(), &splits, None, Preparation::default(), || ()).unwrap();
            assert_eq!(held.reasons, [None, None, Some(Reason::Constant), Some(Reason::NanInput), None]);
            for &row in &splits[0].test {
                assert_eq!(held.predictions[(row, 1)], 2.0, "{method:?}");
            }
            assert_eq!(held.fitted_sds[(0, 1)], 0.0);
            assert!(held.predictions.column(1).iter().chain(&held.predictions.column(4)).all(|v| v.is_finite()));
            assert!(held.predictions.slice(s![.., 2..4]).iter().all(|v| v.is_nan()));
            // A voxel with a NaN anywhere shapes no other, whichever fold that row is in.
            let mut without = y.clone();
            without.column_mut(3).fill(f64::NAN);
            let (same, _) =
                method.cross_validate(x.view(), without.view(), &splits, None, Preparation::default(), || ()).unwrap();
            assert_eq!(held.predictions.column(0), same.predictions.column(0));
            let rows: Vec<usize> = (0..40).filter(|row| *row != 7).collect();
            let model = method.fit_rows(x.view(), &rows, y.view(), None, Preparation::default()).unwrap();
            assert_eq!(model.reasons[3], Some(Reason::NanInput));
        }
    }
}
