use linear_algebra::{Cholesky, cross_gram, cross_product, product};
use ndarray::{Array1, Array2, ArrayView2, Axis, array, concatenate, s};
use statistics::{FoldOrder, Folds, Reason, k_folds};

use super::{CrossValidated, Inner, RidgeModel, RidgeOptions};
use crate::alphas::AlphaGrid;
use crate::choice::{Choice, ChooseBy};
use crate::error::RidgeError;
use crate::features::Features;
use crate::rotation::Rotation;
use crate::scaling::{ColumnScaling, Scaling};
use linear_algebra::Real;

fn noise(n: usize, p: usize, seed: u64) -> Array2<f64> {
    let mut state = seed;
    Array2::from_shape_simple_fn((n, p), || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    })
}

/// Two voxels: one driven by three features, one nearly noise.
fn example(n: usize, p: usize) -> (Array2<f64>, Array2<f64>) {
    let x = noise(n, p, 1);
    let y = product(x.slice(s![.., ..3]), array![[1.0, 0.0], [0.5, 0.0], [-1.0, 0.2]].view());
    (x, y + 0.5 * noise(n, 2, 2))
}

fn options(grid: &str, inner: Inner) -> RidgeOptions {
    RidgeOptions::new(grid.parse::<AlphaGrid>().unwrap().closed(), inner)
}

fn standardized<T: Real>(x: ArrayView2<'_, T>) -> Features<'_, T> {
    Features::new(x, Scaling::Standardize).unwrap()
}

fn fit<T: Real>(x: ArrayView2<T>, y: ArrayView2<T>, options: &RidgeOptions) -> Result<RidgeModel, RidgeError> {
    super::fit(&Features::new(x, Scaling::Standardize)?, y, options)
}

/// Sums over the rows of the squared left-out residuals, and the scale and dual side of the features.
fn leave_one_out_errors(x: ArrayView2<f64>, y: ArrayView2<f64>, scaling: Scaling, alphas: &[f64]) -> Array2<f64> {
    let features = Features::new(x, scaling).unwrap();
    let all: Vec<usize> = (0..x.nrows()).collect();
    let training = features.training(&all, &[], None);
    let rotation: Rotation = training.rotate(&[1.0], true).unwrap();
    let mean = y.mean_axis(Axis(0)).unwrap();
    let centred = &y - &mean;
    let cross = || features.cross(&all, &training.origin, centred.view());
    let right = training.right_side(&[1.0], cross, || centred.clone(), &[0.0, 0.0]);
    let coordinates = rotation.coordinates(right.view());
    let mut errors = Array2::zeros((alphas.len(), y.ncols()));
    for (mut errors, &alpha) in errors.rows_mut().into_iter().zip(alphas) {
        let left_over = rotation.left_over(alpha);
        let residuals =
            rotation.leave_one_out_residuals(centred.view(), coordinates.view(), alpha, &left_over, &[0, 1]);
        errors.assign(&residuals.mapv(|r| r * r).sum_axis(Axis(0)));
    }
    errors
}

fn factors(choices: &[Choice]) -> Vec<f64> {
    choices.iter().map(|choice| choice.factor).collect()
}

/// Places of the chosen factors in a grid.
fn places(choices: &[Choice], options: &RidgeOptions) -> Vec<usize> {
    let place = |factor: f64| options.alphas.factors().iter().position(|f| *f == factor).unwrap();
    factors(choices).into_iter().map(place).collect()
}

fn folds(n: usize, k: usize, order: FoldOrder) -> Folds {
    k_folds(&(0..n).collect::<Vec<_>>(), k, order).unwrap()
}

fn cross_validate<T: Real>(
    x: ArrayView2<T>,
    y: ArrayView2<T>,
    outer: &Folds,
    options: &RidgeOptions,
) -> Result<CrossValidated, RidgeError> {
    super::cross_validate(&Features::new(x, Scaling::Standardize)?, y, outer, options, || ())
}

fn predict(model: &RidgeModel, x: ArrayView2<f64>) -> Array2<f64> {
    product((&x - &Array1::from(model.scaling.mean.clone())).view(), model.weights.view())
        + Array1::from(model.response_mean.clone())
}

fn assert_close(a: &Array2<f64>, b: &Array2<f64>, tolerance: f64) {
    assert_eq!(a.dim(), b.dim());
    for ((place, a), b) in a.indexed_iter().zip(b) {
        assert!((a - b).abs() <= tolerance, "{place:?}: {a} {b}");
    }
}

/// Predictions for `test` by the normal equations of the scaled features, one penalty for all voxels.
fn slow_ridge(
    x: ArrayView2<f64>,
    y: ArrayView2<f64>,
    train: &[usize],
    test: &[usize],
    scaling: &ColumnScaling,
    alpha: f64,
) -> Array2<f64> {
    let mut features: Array2<f64> = scaling.apply(x, train, 0..x.ncols());
    // A row may have been left out since the scaling was learned: the intercept is that of these rows.
    let feature_mean = features.mean_axis(Axis(0)).unwrap();
    features -= &feature_mean;
    let mean = y.select(Axis(0), train).mean_axis(Axis(0)).unwrap();
    let targets = y.select(Axis(0), train) - &mean;
    let mut gram = cross_gram(features.view()).to_array();
    gram.diag_mut().mapv_inplace(|d| d + alpha);
    let right = cross_product(features.view(), targets.view());
    let weights = Cholesky::new(gram.view()).unwrap().solve(right.view()).unwrap();
    let held_out: Array2<f64> = scaling.apply(x, test, 0..x.ncols());
    product((held_out - &feature_mean).view(), weights.view()) + &mean
}

#[test]
fn agrees_with_scikit_learn() {
    // RidgeCV(store_cv_results=True, alpha_per_target=True) of scikit-learn 1.9.1 on standardized features with
    // alphas = factor * mean(diag(X X')): sums of squared leave-one-out errors, and coefficients in raw units
    let five = [0.001, 0.01, 0.1, 1.0, 10.0];
    let primal = array![
        [0.27134825391658424, 0.751809311385703],
        [0.27239354645957387, 0.7460471961962932],
        [0.28975130296158363, 0.6990084597065847],
        [0.6554063840183754, 0.5333004243504191],
        [2.1768213926798916, 0.3878801664412494],
    ];
    let dual = array![
        [1.408303192639995, 0.19055215708686235],
        [1.4010762408652824, 0.1897684417096577],
        [1.3505101842935732, 0.18343614848896633],
        [1.3061657993512656, 0.166606439196558],
        [1.4218433359392422, 0.16121269071837344],
    ];
    for (n, p, expected) in [(12, 4, &primal), (8, 15, &dual)] {
        let (x, y) = example(n, p);
        let all: Vec<usize> = (0..n).collect();
        let features = standardized(x.view());
        let training = features.training(&all, &[], None);
        assert_eq!(training.is_dual(), p > n);
        assert!((training.alpha_scale() - p as f64).abs() < 1e-12);
        let alphas = five.map(|factor| factor * training.alpha_scale());
        let found = leave_one_out_errors(x.view(), y.view(), Scaling::Standardize, &alphas);
        assert_close(&found, expected, 1e-12);
    }
    let (x, y) = example(12, 4);
    let model = fit(x.view(), y.view(), &options("0.001:10:5", Inner::LeaveOneOut)).unwrap();
    assert_eq!(factors(&model.choices), [0.001, 10.0]);
    assert!(model.choices.iter().all(|choice| choice.edge.is_some()));
    let weights = array![
        [1.2571013455005295, 0.0007448737012553388],
        [0.8526205123104968, -0.0017051380670529397],
        [-0.9315615053383478, 0.020224630602714448],
        [-0.17664592902143603, -0.020841326391109957],
    ];
    assert_close(&model.weights, &weights, 1e-13);
    assert!((model.intercept()[0] + 0.12380419337311475).abs() < 1e-13);
    assert!((model.intercept()[1] - 0.014832921316124197).abs() < 1e-13);
    let (x, y) = example(8, 15);
    let model = fit(x.view(), y.view(), &options("0.001:10:5", Inner::LeaveOneOut)).unwrap();
    assert_eq!(factors(&model.choices), [1.0, 10.0]);
    assert_eq!(model.choices.iter().map(|choice| choice.edge.is_some()).collect::<Vec<_>>(), [false, true]);
    assert!((model.weights[(0, 0)] - 0.258201159360564).abs() < 1e-13);
    assert!((model.weights[(14, 1)] + 0.011212249427695121).abs() < 1e-13);
    assert!((model.intercept()[0] + 0.0637186730529328).abs() < 1e-13);
}

#[test]
fn agrees_with_himalaya() {
    // RidgeCV(cv=KFold(4), fit_intercept=True, score_func=l2_neg_loss) of himalaya 0.4.11 on centred data: best
    // alpha over mean(diag(X X')), first two fitted rows, first row of weights
    let golden = [
        (
            5,
            [4, 12],
            array![[-0.13291890816442659, 0.00017214189436134565], [0.47525172781709013, -0.0005454537813802231]],
            [0.9391949369773954, 0.00012918258192874926],
        ),
        (
            40,
            [0, 5],
            array![[-0.2034457071810962, 0.15993746527295355], [-0.714296981094494, 0.04143720526403588]],
            [0.30723434451286086, -0.0797415194133999],
        ),
    ];
    for (p, index, fitted, first_weights) in golden {
        let (x, y) = example(24, p);
        let inner = Inner::Folds(folds(24, 4, FoldOrder::Contiguous));
        let options = options("1e-3:1e3:13", inner);
        let features = Features::new(x.view(), Scaling::Centre).unwrap();
        let model = super::fit(&features, y.view(), &options).unwrap();
        assert_eq!(places(&model.choices, &options), index);
        let predicted = predict(&model, x.slice(s![..2, ..])) - y.mean_axis(Axis(0)).unwrap();
        assert_close(&predicted, &fitted, 1e-12);
        for (found, expected) in model.weights.row(0).iter().zip(first_weights) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }
}

#[test]
fn leave_one_out_in_closed_form_is_a_refit_without_each_row() {
    for (n, p) in [(14, 3), (9, 8), (9, 9), (10, 25)] {
        let (x, y) = example(n, p.max(3));
        let all: Vec<usize> = (0..n).collect();
        for scaling in [Scaling::Standardize, Scaling::Centre] {
            let features = Features::new(x.view(), scaling).unwrap();
            let training = features.training(&all, &[], None);
            let alphas = [1e-4, 0.03, 1.0, 50.0].map(|factor| factor * training.alpha_scale());
            let found = leave_one_out_errors(x.view(), y.view(), scaling, &alphas);
            for (a, &alpha) in alphas.iter().enumerate() {
                let mut expected = [0.0; 2];
                for row in 0..n {
                    let train: Vec<usize> = all.iter().copied().filter(|r| *r != row).collect();
                    let predicted = slow_ridge(x.view(), y.view(), &train, &[row], &training.scaling, alpha);
                    for v in 0..2 {
                        expected[v] += (predicted[(0, v)] - y[(row, v)]).powi(2);
                    }
                }
                for v in 0..2 {
                    // the refit solves normal equations with a condition up to 1e4
                    assert!((found[(a, v)] / expected[v] - 1.0).abs() < 1e-9, "{n} {p} {alpha} {v}");
                }
            }
        }
    }
}

#[test]
fn leave_one_out_stands_with_tiny_penalties_and_repeated_features() {
    // features 3.. repeat features 0..3, so X X' has a null space beside the constant vector
    let (x, y) = example(10, 3);
    let x = concatenate![Axis(1), x, x, x, x];
    let found = leave_one_out_errors(x.view(), y.view(), Scaling::Standardize, &[1e-8]);
    let narrow = x.slice(s![.., ..3]);
    // four copies of a feature share one weight: the penalty per feature is a quarter
    let expected = leave_one_out_errors(narrow, y.view(), Scaling::Standardize, &[0.25e-8]);
    assert_close(&found, &expected, 1e-8);
}

#[test]
fn scores_are_means_over_inner_folds_of_what_the_normal_equations_leave() {
    for (p, choose_by) in [4, 30].into_iter().flat_map(|p| [ChooseBy::Mse, ChooseBy::R2, ChooseBy::R].map(|c| (p, c))) {
        let (x, y) = example(17, p);
        let inner = folds(17, 3, FoldOrder::Shuffled(2));
        let features = standardized(x.view());
        for alpha in [0.05, 20.0] {
            let alphas = AlphaGrid::list(vec![alpha]).unwrap().absolute();
            // two rows of weights that are the same one, so that there is something to judge
            let gammas = Some(Array2::ones((2, 1)));
            let options = RidgeOptions { choose_by, gammas, ..RidgeOptions::new(alphas, Inner::Folds(inner.clone())) };
            let found = super::fit(&features, y.view(), &options).unwrap();
            for v in 0..2 {
                let mut scores = Vec::new();
                for fold in 0..3 {
                    let (kept, held) = (inner.train_rows(fold), inner.test_rows(fold));
                    let scaling = ColumnScaling::learn(x.view(), &kept, Scaling::Standardize);
                    let predicted = slow_ridge(x.view(), y.view(), &kept, &held, &scaling, alpha).column(v).to_vec();
                    let truth = y.select(Axis(0), &held).column(v).to_vec();
                    let squares = predicted.iter().zip(&truth).map(|(p, t)| (p - t).powi(2)).sum::<f64>();
                    scores.push(match choose_by {
                        ChooseBy::Mse => -squares / held.len() as f64,
                        ChooseBy::R2 => 1.0 - squares / (statistics::variance(&truth) * (held.len() - 1) as f64),
                        ChooseBy::R => statistics::pearson(&predicted, &truth),
                    });
                }
                let expected = statistics::mean(&scores);
                let choice = found.choices[v];
                assert_eq!((choice.gamma, choice.alpha), (0, alpha));
                assert!((choice.score - expected).abs() < 1e-11 * expected.abs().max(1.0), "{choose_by:?} {p} {v}");
            }
        }
    }
}

#[test]
fn primal_and_dual_agree() {
    // as many rows as features are dual; columns of zeros make the same problem wide
    let (x, y) = example(20, 6);
    let wide = concatenate![Axis(1), x, Array2::zeros((20, 40))];
    let outer = folds(20, 4, FoldOrder::Shuffled(3));
    for inner in [Inner::LeaveOneOut, Inner::Folds(outer.clone())] {
        let options = options("1e-3:1e3:13", inner);
        let narrow = cross_validate(x.view(), y.view(), &outer, &options).unwrap();
        let broad = cross_validate(wide.view(), y.view(), &outer, &options).unwrap();
        assert!(!narrow.dual && broad.dual);
        assert_eq!((narrow.n_constant, broad.n_constant), (0, 40));
        assert_close(&narrow.predictions, &broad.predictions, 1e-12);
        for (a, b) in narrow.folds.iter().zip(&broad.folds) {
            assert_eq!(places(a, &options), places(b, &options));
        }
        let (narrow, broad) =
            (fit(x.view(), y.view(), &options).unwrap(), fit(wide.view(), y.view(), &options).unwrap());
        assert_close(&narrow.weights, &broad.weights.slice(s![..6, ..]).to_owned(), 1e-12);
        assert!(broad.weights.slice(s![6.., ..]).iter().all(|w| *w == 0.0));
    }
}

#[test]
fn no_penalty_is_least_squares() {
    let (x, y) = example(30, 5);
    let least_squares = options("0", Inner::LeaveOneOut);
    let model = fit(x.view(), y.view(), &least_squares).unwrap();
    // the residuals of least squares are orthogonal to every feature and sum to 0
    let residuals = &y - &predict(&model, x.view());
    assert!(cross_product(x.view(), residuals.view()).iter().all(|v| v.abs() < 1e-11));
    assert!(residuals.sum_axis(Axis(0)).iter().all(|v| v.abs() < 1e-12));
    // wider than tall it interpolates
    let (x, y) = example(8, 20);
    let model = fit(x.view(), y.view(), &least_squares).unwrap();
    assert_close(&predict(&model, x.view()), &y, 1e-11);
}

#[test]
fn an_endless_penalty_predicts_the_training_mean() {
    let (x, y) = example(12, 30);
    let outer = folds(12, 3, FoldOrder::Contiguous);
    let found = cross_validate(x.view(), y.view(), &outer, &options("1e15:1e15:1", Inner::LeaveOneOut)).unwrap();
    let mean = y.slice(s![4.., ..]).mean_axis(Axis(0)).unwrap();
    for row in 0..4 {
        for v in 0..2 {
            assert!((found.predictions[(row, v)] - mean[v]).abs() < 1e-13);
        }
    }
}

#[test]
fn cross_validation_is_a_separate_fit_without_each_fold() {
    for (n, p) in [(24, 5), (24, 40)] {
        let (x, y) = example(n, p);
        let ids: Vec<usize> = (0..n).map(|row| row / 2).collect();
        let outer = k_folds(&ids, 4, FoldOrder::Shuffled(1)).unwrap();
        let options = options("1e-3:1e3:9", Inner::Folds(outer.clone()));
        let found = cross_validate(x.view(), y.view(), &outer, &options).unwrap();
        for fold in 0..4 {
            let (train, test) = (outer.train_rows(fold), outer.test_rows(fold));
            let inner = Folds { n_folds: 4, fold_of_row: train.iter().map(|&row| outer.fold_of_row[row]).collect() };
            let alone = RidgeOptions { inner: Inner::Folds(inner), ..options.clone() };
            let model = fit(x.select(Axis(0), &train).view(), y.select(Axis(0), &train).view(), &alone).unwrap();
            assert_eq!(places(&model.choices, &options), places(&found.folds[fold], &options));
            let expected = predict(&model, x.select(Axis(0), &test).view());
            assert_close(&found.predictions.select(Axis(0), &test), &expected, 1e-12);
        }
    }
}

#[test]
fn scrambled_test_rows_change_neither_the_penalty_nor_the_predictions_of_their_fold() {
    for p in [5, 40] {
        let (x, y) = example(24, p);
        let outer = folds(24, 4, FoldOrder::Contiguous);
        for inner in [Inner::LeaveOneOut, Inner::Folds(outer.clone())] {
            let options = options("1e-3:1e3:25", inner);
            let clean = cross_validate(x.view(), y.view(), &outer, &options).unwrap();
            let mut scrambled_y = y.clone();
            let mut scrambled_x = x.clone();
            scrambled_y.slice_mut(s![6..12, ..]).mapv_inplace(|v| 1e4 - 1e3 * v);
            scrambled_x.slice_mut(s![6..12, ..]).mapv_inplace(|v| v * v * 1e3);
            let found = cross_validate(x.view(), scrambled_y.view(), &outer, &options).unwrap();
            assert_eq!(found.folds[1], clean.folds[1]);
            let rows = s![6..12, ..];
            assert_eq!(found.predictions.slice(rows), clean.predictions.slice(rows));
            assert_ne!(found.predictions.slice(s![..6, ..]), clean.predictions.slice(s![..6, ..]));
            let found = cross_validate(scrambled_x.view(), y.view(), &outer, &options).unwrap();
            // the scores carry the rounding of products that held the scrambled rows before they were taken out
            let alphas = |of: &CrossValidated| of.folds[1].iter().map(|c| (c.alpha, c.edge)).collect::<Vec<_>>();
            assert_eq!(alphas(&found), alphas(&clean));
            assert_ne!(found.folds[0], clean.folds[0]);
        }
    }
}

#[test]
fn features_that_are_constant_in_training_get_no_weight_even_if_they_vary_in_test() {
    let (mut x, y) = example(12, 4);
    x.slice_mut(s![.., 3]).fill(0.1);
    let outer = folds(12, 3, FoldOrder::Contiguous);
    let options = options("1e-3:1e3:7", Inner::LeaveOneOut);
    let without = cross_validate(x.slice(s![.., ..3]), y.view(), &outer, &options).unwrap().predictions;
    let mut varies = x.clone();
    varies[(0, 3)] = 1e6;
    let found = cross_validate(varies.view(), y.view(), &outer, &options).unwrap();
    assert_eq!(found.n_constant, 1);
    assert_close(&found.predictions.slice(s![..4, ..]).to_owned(), &without.slice(s![..4, ..]).to_owned(), 1e-13);
    assert!(found.predictions.iter().all(|v| v.is_finite()));
    let flat = Array2::from_elem((12, 4), 0.3);
    let found = cross_validate(flat.view(), y.view(), &outer, &options).unwrap();
    assert!(found.predictions.iter().all(|v| v.is_finite()));
    assert!(fit(flat.view(), y.view(), &options).unwrap().weights.iter().all(|w| *w == 0.0));
}

#[test]
fn unusable_voxels_are_nan_and_change_no_other() {
    let (x, y) = example(16, 30);
    let mut with_bad = concatenate![Axis(1), y.slice(s![.., ..1]), y, y];
    with_bad.column_mut(1).fill(0.1);
    with_bad[(7, 3)] = f64::NAN;
    let outer = folds(16, 4, FoldOrder::Contiguous);
    let options = options("1e-3:1e3:7", Inner::LeaveOneOut);
    let found = cross_validate(x.view(), with_bad.view(), &outer, &options).unwrap();
    let reasons = [None, Some(Reason::Constant), None, Some(Reason::NanInput), None];
    assert_eq!(found.reasons, reasons);
    let clean = cross_validate(x.view(), y.view(), &outer, &options).unwrap();
    for (here, there) in [(0, 0), (2, 1), (4, 1)] {
        assert_eq!(found.predictions.column(here), clean.predictions.column(there));
        assert_eq!(found.median_alpha()[here], clean.median_alpha()[there]);
    }
    for voxel in [1, 3] {
        assert!(found.predictions.column(voxel).iter().all(|v| v.is_nan()));
        assert!(found.median_alpha()[voxel].is_nan() && !found.alpha_at_edge()[voxel]);
    }
    let model = fit(x.view(), with_bad.view(), &options).unwrap();
    assert_eq!(model.reasons, reasons);
    assert!(model.weights.column(1).iter().chain(&model.weights.column(3)).all(|w| w.is_nan()));
    assert!(model.weights.column(0).iter().all(|w| w.is_finite()));
}

#[test]
fn f4_and_f8_features_agree_to_f4_precision() {
    let (x, y) = example(30, 200);
    let x4 = x.mapv(|v| v as f32);
    let x8 = x4.mapv(f64::from);
    let outer = folds(30, 5, FoldOrder::Contiguous);
    let options = options("1e-3:1e3:13", Inner::LeaveOneOut);
    let from_f4 = cross_validate(x4.view(), y.mapv(|v| v as f32).view(), &outer, &options).unwrap();
    let from_f8 = cross_validate(x8.view(), y.mapv(|v| f64::from(v as f32)).view(), &outer, &options).unwrap();
    assert_close(&from_f4.predictions, &from_f8.predictions, 1e-6);
}

#[test]
fn large_offsets_of_features_and_responses_cost_nothing() {
    let (x, y) = example(20, 6);
    let options = options("1e-3:1e3:13", Inner::LeaveOneOut);
    let outer = folds(20, 4, FoldOrder::Contiguous);
    let plain = cross_validate(x.view(), y.view(), &outer, &options).unwrap().predictions;
    let (far_x, far_y) = (&x * 7.0 + 1e6, &y + 1e5);
    let found = cross_validate(far_x.view(), far_y.view(), &outer, &options).unwrap().predictions - 1e5;
    // 1e6 in f64 leaves 1e-10 of a feature
    assert_close(&found, &plain, 1e-8);
    let model = fit(far_x.view(), far_y.view(), &options).unwrap();
    let expected = predict(&fit(x.view(), y.view(), &options).unwrap(), x.view());
    assert_close(&(predict(&model, far_x.view()) - 1e5), &expected, 1e-8);
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads_or_on_which_voxels_are_fitted_together() {
    let x = noise(60, 300, 5);
    let y = noise(60, 600, 6);
    let outer = folds(60, 3, FoldOrder::Contiguous);
    let options = options("1e-2:1e2:5", Inner::Folds(outer.clone()));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| cross_validate(x.view(), y.view(), &outer, &options).unwrap())
    };
    let one = run(1);
    assert_eq!(run(2), one);
    assert_eq!(run(5), one);
}

#[test]
fn refuses_what_cannot_be_fitted_with_both_numbers() {
    let (x, y) = example(12, 4);
    let outer = folds(12, 3, FoldOrder::Contiguous);
    let loo = options("1:10:2", Inner::LeaveOneOut);
    let error = |result: Result<CrossValidated, RidgeError>| result.unwrap_err().to_string();
    assert_eq!(
        error(cross_validate(x.view(), y.slice(s![..11, ..]), &outer, &loo)),
        "12 rows of features, but 11 of responses; both need one row per stimulus, in the same order"
    );
    let mut broken = x.clone();
    broken[(5, 2)] = f64::NAN;
    assert!(
        error(cross_validate(broken.view(), y.view(), &outer, &loo))
            .starts_with("the features have NaN in row 5, column 2;")
    );
    let short = Folds { n_folds: 2, fold_of_row: vec![0, 1] };
    assert_eq!(error(cross_validate(x.view(), y.view(), &short, &loo)), "2 fold numbers for 12 rows");
    // trained on fold 1 alone, of which inner folds know only one
    let halves = folds(12, 2, FoldOrder::Contiguous);
    let nested = options("1:10:2", Inner::Folds(halves.clone()));
    assert_eq!(
        error(cross_validate(x.view(), y.view(), &halves, &nested)),
        "the training rows of fold 0 lie in 1 inner fold; choosing a penalty needs at least 2"
    );
    let two = fit(x.slice(s![..2, ..]), y.slice(s![..2, ..]), &loo).unwrap_err();
    assert_eq!(two, RidgeError::TooFewRows { fold: None, rows: 2, needed: 3 });
    // With one penalty nothing is chosen.
    let one_penalty = options("1", Inner::LeaveOneOut);
    let one = fit(x.slice(s![..1, ..]), y.slice(s![..1, ..]), &one_penalty).unwrap_err();
    assert_eq!(one, RidgeError::TooFewRowsToFit { fold: None, rows: 1 });
    assert_eq!(one.to_string(), "1 training rows; a model needs at least 2");
}

/// Bands of 3, 4 and the rest; voxels driven by the first band, by the second, and by all.
fn banded(n: usize, p: usize) -> (Array2<f64>, Array2<f64>) {
    let x = noise(n, p, 21) + 0.3;
    let truth = Array2::from_shape_fn((p, 3), |(k, v)| match (v, k) {
        (0, 0..3) | (1, 3..7) => 1.0 + k as f64 / 5.0,
        (2, _) => 0.3,
        _ => 0.0,
    });
    let y = product(x.view(), truth.view()) + 0.3 * noise(n, 3, 22);
    (x, y)
}

/// Features times the roots of the weights of their bands; bands of weight 0 are left out.
fn by_hand(x: &Array2<f64>, gammas: &[f64]) -> Array2<f64> {
    let widths = [3, 4, x.ncols() - 7];
    let gamma_of: Vec<f64> = widths.iter().zip(gammas).flat_map(|(w, g)| vec![*g; *w]).collect();
    let columns: Vec<usize> = (0..x.ncols()).filter(|&k| gamma_of[k] > 0.0).collect();
    let roots: Array1<f64> = columns.iter().map(|&k| gamma_of[k].sqrt()).collect();
    x.select(Axis(1), &columns) * roots
}

#[test]
fn weights_of_bands_are_features_times_their_roots() {
    for p in [12, 60] {
        for scaling in [Scaling::Centre, Scaling::Standardize] {
            let (x, y) = banded(40, p);
            let outer = folds(40, 4, FoldOrder::Shuffled(5));
            let gammas = array![[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.0, 0.7, 0.3]];
            let features = Features::new(x.view(), scaling).unwrap().in_bands(&[3, 4, p - 7]);
            // absolute penalties mean the same on both sides
            let alphas: AlphaGrid = "0.01,0.3,10".parse::<AlphaGrid>().unwrap().absolute();
            let options = RidgeOptions {
                gammas: Some(gammas.clone()),
                ..RidgeOptions::new(alphas.clone(), Inner::Folds(outer.clone()))
            };
            let found = super::cross_validate(&features, y.view(), &outer, &options, || ()).unwrap();
            let model = super::fit(&features, y.view(), &options).unwrap();
            let mut used = Vec::new();
            for (g, row) in gammas.rows().into_iter().enumerate() {
                // scaled once, by hand, in every fold: standardized features lose a factor put on them before
                let alone = |x: &Array2<f64>, scaling: &ColumnScaling, rows: &[usize]| {
                    let scaled: Array2<f64> = scaling.apply(x.view(), rows, 0..p);
                    by_hand(&scaled, &row.to_vec())
                };
                let plain = RidgeOptions::new(alphas.clone(), Inner::Folds(outer.clone()));
                for fold in 0..4 {
                    let (train, test) = (outer.train_rows(fold), outer.test_rows(fold));
                    for v in (0..3).filter(|&v| found.folds[fold][v].gamma == g) {
                        used.push((g, v));
                        let alpha = found.folds[fold][v].alpha;
                        let one = scaling_of(&x, &train, scaling);
                        let inside = alone(&x, &one, &(0..40).collect::<Vec<_>>());
                        let centre = ColumnScaling::learn(inside.view(), &train, Scaling::Centre);
                        let predicted = slow_ridge(inside.view(), y.view(), &train, &test, &centre, alpha);
                        for (i, &row) in test.iter().enumerate() {
                            assert!((predicted[(i, v)] - found.predictions[(row, v)]).abs() < 1e-10);
                        }
                    }
                }
                let _ = plain;
            }
            assert!(used.iter().any(|(g, v)| (*g, *v) == (1, 0)) && used.iter().any(|(g, v)| (*g, *v) == (2, 1)));
            // the model of all rows: weights in bands of weight 0 are 0, and the rest predicts what its own fit does
            for v in 0..3 {
                let choice = model.choices[v];
                let all: Vec<usize> = (0..40).collect();
                let scaled = by_hand(
                    &scaling_of(&x, &all, scaling).apply(x.view(), &all, 0..p),
                    &gammas.row(choice.gamma).to_vec(),
                );
                let centre = ColumnScaling::learn(scaled.view(), &all, Scaling::Centre);
                let expected = slow_ridge(scaled.view(), y.view(), &all, &all, &centre, choice.alpha);
                let fitted = predict(&model, x.view());
                for row in 0..40 {
                    assert!((fitted[(row, v)] - expected[(row, v)]).abs() < 1e-10);
                }
            }
            assert!(model.weights.slice(s![3.., 0]).iter().all(|w| *w == 0.0));
        }
    }
}

fn scaling_of(x: &Array2<f64>, rows: &[usize], scaling: Scaling) -> ColumnScaling {
    ColumnScaling::learn(x.view(), rows, scaling)
}

#[test]
fn the_search_takes_the_best_pair_of_all_and_the_first_of_equal_rows() {
    let (x, y) = banded(40, 12);
    let inner = folds(40, 5, FoldOrder::Shuffled(1));
    let rows = [[0.4, 0.3, 0.3], [0.1, 0.8, 0.1], [0.4, 0.3, 0.3], [0.0, 0.0, 1.0]];
    let gammas = Array2::from_shape_fn((4, 3), |(i, k)| rows[i][k]);
    let features = standardized(x.view()).in_bands(&[3, 4, 5]);
    let base = RidgeOptions::new("1e-3:1e2:6".parse().unwrap(), Inner::Folds(inner));
    let all = super::fit(&features, y.view(), &RidgeOptions { gammas: Some(gammas.clone()), ..base.clone() }).unwrap();
    let one_by_one: Vec<RidgeModel> = (0..4)
        .map(|i| {
            let gammas = Some(gammas.slice(s![i..=i, ..]).to_owned());
            super::fit(&features, y.view(), &RidgeOptions { gammas, ..base.clone() }).unwrap()
        })
        .collect();
    for v in 0..3 {
        let scores: Vec<f64> = one_by_one.iter().map(|model| model.choices[v].score).collect();
        let best = (0..4).fold(0, |best, i| if scores[i] > scores[best] { i } else { best });
        assert_eq!(all.choices[v].gamma, best, "{scores:?}");
        assert_ne!(best, 2);
        assert_eq!(Choice { gamma: 0, ..all.choices[v] }, one_by_one[best].choices[v]);
        assert_eq!(all.weights.column(v), one_by_one[best].weights.column(v));
    }
}

#[test]
fn predictions_of_bands_sum_to_those_of_all() {
    for p in [12, 60] {
        let (x, y) = banded(40, p);
        let outer = folds(40, 4, FoldOrder::Shuffled(5));
        let features = Features::new(x.view(), Scaling::Centre).unwrap().in_bands(&[3, 4, p - 7]);
        for gammas in [array![[0.2, 0.5, 0.3], [0.5, 0.5, 0.0]], array![[0.3, 0.3, 0.4]]] {
            let options = RidgeOptions {
                gammas: Some(gammas),
                ..RidgeOptions::new(AlphaGrid::default(), Inner::Folds(outer.clone()))
            };
            let prepared = super::CrossValidation::prepare(
                &features,
                super::Split::of_folds(&outer),
                &options,
                false,
                None,
                || (),
            );
            let found = prepared.unwrap().predict(y.view(), super::Want { bands: true, models: false }).unwrap();
            let mut sum = Array2::zeros(y.dim());
            found.bands.iter().for_each(|band| sum += band);
            for row in 0..40 {
                for v in 0..3 {
                    let expected = sum[(row, v)] + found.train_means[(outer.fold_of_row[row], v)];
                    assert!((found.predictions[(row, v)] - expected).abs() < 1e-12);
                }
            }
        }
    }
}

#[test]
fn a_row_of_weight_two_counts_as_two() {
    for p in [5, 60] {
        let (x, y) = example(18, p);
        let twice: Vec<usize> = (0..18).chain([3, 11]).collect();
        let weights: Vec<f64> = (0..18).map(|row| if row == 3 || row == 11 { 2.0 } else { 1.0 }).collect();
        // inner folds, since leaving out one of two copies is not leaving out a row of weight two
        let inner = folds(18, 3, FoldOrder::Contiguous);
        let inner_twice = Folds { n_folds: 3, fold_of_row: twice.iter().map(|&row| inner.fold_of_row[row]).collect() };
        for scaling in [Scaling::Centre, Scaling::Standardize] {
            let (x2, y2) = (x.select(Axis(0), &twice), y.select(Axis(0), &twice));
            let alphas: AlphaGrid = "0.01,0.1,1,10".parse::<AlphaGrid>().unwrap();
            let weighted = Features::new(x.view(), scaling).unwrap().weighted(&weights);
            let copied = Features::new(x2.view(), scaling).unwrap();
            // the mean weight is 20 / 18: an absolute penalty of the copies is as strong on weights of that mean
            let scaled: Vec<f64> = alphas.factors().iter().map(|f| f * 18.0 / 20.0).collect();
            let options = RidgeOptions::new(AlphaGrid::list(scaled).unwrap().absolute(), Inner::Folds(inner.clone()));
            let found = super::fit(&weighted, y.view(), &options).unwrap();
            let options = RidgeOptions::new(alphas.absolute(), Inner::Folds(inner_twice.clone()));
            let expected = super::fit(&copied, y2.view(), &options).unwrap();
            assert_close(&found.weights, &expected.weights, 1e-12);
            for (a, b) in found.choices.iter().zip(&expected.choices) {
                assert!((a.score - b.score).abs() < 1e-12 && (a.alpha * 20.0 / 18.0 - b.alpha).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn weighted_leave_one_out_in_closed_form_is_a_refit_without_each_row() {
    for p in [4, 30] {
        let (x, y) = example(14, p);
        let weights: Vec<f64> = (0..14).map(|row| 0.5 + (row % 4) as f64).collect();
        let mean = statistics::mean(&weights);
        let features = Features::new(x.view(), Scaling::Centre).unwrap().weighted(&weights);
        let alphas = AlphaGrid::list(vec![0.7]).unwrap().absolute();
        let options =
            RidgeOptions { gammas: Some(Array2::ones((2, 1))), ..RidgeOptions::new(alphas, Inner::LeaveOneOut) };
        let found = super::fit(&features, y.view(), &options).unwrap();
        let mut expected = [0.0; 2];
        for row in 0..14 {
            let kept: Vec<usize> = (0..14).filter(|r| *r != row).collect();
            // the same system: rows times the roots of their weights, with a column for the intercept
            let roots: Array1<f64> = kept.iter().map(|&r| (weights[r] / mean).sqrt()).collect();
            let ones = Array2::ones((13, 1));
            let design = concatenate![Axis(1), x.select(Axis(0), &kept), ones] * &roots.clone().insert_axis(Axis(1));
            let targets = y.select(Axis(0), &kept) * &roots.insert_axis(Axis(1));
            let mut gram = cross_gram(design.view()).to_array();
            (0..p).for_each(|k| gram[(k, k)] += 0.7);
            let right = cross_product(design.view(), targets.view());
            let w = Cholesky::new(gram.view()).unwrap().solve(right.view()).unwrap();
            for (v, expected) in expected.iter_mut().enumerate() {
                let predicted = (0..p).map(|k| x[(row, k)] * w[(k, v)]).sum::<f64>() + w[(p, v)];
                *expected += weights[row] / mean * (predicted - y[(row, v)]).powi(2) / 14.0;
            }
        }
        for (choice, expected) in found.choices.iter().zip(expected) {
            assert!((choice.score + expected).abs() < 1e-10, "{} {}", choice.score, expected);
        }
    }
}

#[test]
fn without_an_intercept_nothing_is_centred() {
    for (n, p) in [(20, 5), (12, 40)] {
        let (x, y) = example(n, p);
        let (x, y) = (x + 2.0, y + 3.0);
        for scaling in [Scaling::Centre, Scaling::Standardize] {
            let features = Features::new(x.view(), scaling).unwrap().without_intercept();
            let options = RidgeOptions::new(AlphaGrid::list(vec![0.4]).unwrap().absolute(), Inner::LeaveOneOut);
            let model = super::fit(&features, y.view(), &options).unwrap();
            assert!(model.intercept().iter().all(|b| *b == 0.0));
            let divisor: Array1<f64> = match scaling {
                Scaling::Centre => Array1::ones(p),
                Scaling::Standardize => x.mapv(|v| v * v).mean_axis(Axis(0)).unwrap().mapv(f64::sqrt),
            };
            let scaled = &x / &divisor;
            let mut gram = cross_gram(scaled.view()).to_array();
            gram.diag_mut().mapv_inplace(|d| d + 0.4);
            let right = cross_product(scaled.view(), y.view());
            let expected =
                Cholesky::new(gram.view()).unwrap().solve(right.view()).unwrap() / &divisor.insert_axis(Axis(1));
            assert_close(&model.weights, &expected, 1e-10);
        }
    }
}

#[test]
fn voxels_of_a_group_share_the_penalty_of_their_mean_score() {
    let (x, _) = example(24, 6);
    let y = product(x.slice(s![.., ..3]), noise(3, 7, 8).view()) + 0.8 * noise(24, 7, 9);
    let mut y = y;
    y.column_mut(6).fill(1.0);
    let inner = folds(24, 4, FoldOrder::Contiguous);
    let groups = vec![4, 2, 4, 2, 2, 4, 4];
    let base = options("1e-3:1e3:13", Inner::Folds(inner));
    let features = standardized(x.view());
    let shared = RidgeOptions { alpha_per: crate::choice::AlphaPer::Group(groups.clone()), ..base.clone() };
    let found = super::fit(&features, y.view(), &shared).unwrap();
    for group in [2, 4] {
        let members: Vec<usize> = (0..6).filter(|&v| groups[v] == group).collect();
        // one penalty at a time, for all of them
        let mean_score = |factor: f64| {
            let alphas = AlphaGrid::list(vec![factor]).unwrap();
            let one = RidgeOptions { alphas, gammas: Some(Array2::ones((2, 1))), ..base.clone() };
            let model = super::fit(&features, y.view(), &one).unwrap();
            members.iter().map(|&v| model.choices[v].score).sum::<f64>() / members.len() as f64
        };
        let scores: Vec<f64> = base.alphas.factors().iter().map(|f| mean_score(*f)).collect();
        let best = (0..13).fold(0, |best, i| if scores[i] >= scores[best] { i } else { best });
        for v in (0..7).filter(|&v| groups[v] == group) {
            assert_eq!(found.choices[v].factor, base.alphas.factors()[best]);
            assert!((found.choices[v].score - scores[best]).abs() < 1e-12);
        }
    }
    let wrong = RidgeOptions { alpha_per: crate::choice::AlphaPer::Group(vec![0]), ..base };
    assert_eq!(super::fit(&features, y.view(), &wrong).unwrap_err().to_string(), "1 groups of voxels for 7 voxels");
}

#[test]
fn a_held_out_block_that_outweighs_the_training_rows_costs_no_digits() {
    let (x, y) = example(24, 4);
    let outer = folds(24, 4, FoldOrder::Contiguous);
    let options = options("1e-3:1e3:7", Inner::Folds(outer.clone()));
    let clean = cross_validate(x.view(), y.view(), &outer, &options).unwrap();
    let mut wild = x.clone();
    wild.slice_mut(s![..6, ..]).mapv_inplace(|v| v * 1e9);
    let found = cross_validate(wild.view(), y.view(), &outer, &options).unwrap();
    for (a, b) in found.folds[0].iter().zip(&clean.folds[0]) {
        assert!((a.score - b.score).abs() < 1e-9, "{a:?} {b:?}");
    }
}

/// Decompositions that were stored give the same bytes as those that are made, and the models of training sets come
/// with predictions.
#[test]
fn stored_decompositions_and_blocks_of_voxels() {
    use super::{CrossValidation, Split, Want};
    use crate::stored::StoredArray;
    let want = Want { models: true, bands: false };
    for (n, p) in [(40, 9), (30, 60)] {
        let x = noise(n, p, 5).mapv(|v| v as f32);
        let y = noise(n, 300, 6).mapv(|v| v as f32);
        let outer = k_folds(&(0..n).collect::<Vec<_>>(), 3, FoldOrder::Contiguous).unwrap();
        for inner in [Inner::LeaveOneOut, Inner::Folds(outer.clone())] {
            let options = RidgeOptions::new("1e-2:1e3:8".parse().unwrap(), inner);
            let features = Features::new(x.view(), Scaling::Standardize).unwrap();
            let splits = Split::of_folds(&outer);
            let prepared = CrossValidation::prepare(&features, splits.clone(), &options, true, None, || ()).unwrap();
            let made = prepared.predict(y.view(), want).unwrap();
            for (split, model) in splits.iter().zip(&made.models) {
                assert_eq!(*model, super::fit_rows(&features, split.train.clone(), y.view(), &options).unwrap());
            }
            let arrays: std::collections::HashMap<String, Array2<f64>> = prepared
                .arrays()
                .into_iter()
                .map(|(name, array)| match array {
                    StoredArray::F4(a) => (name, a.mapv(f64::from)),
                    StoredArray::F8(a) => (name, a.to_owned()),
                })
                .collect();
            let again = |stored: crate::stored::Stored| {
                CrossValidation::prepare(&features, splits.clone(), &options, true, Some(stored), || ())
            };
            let restored = again(&|name| arrays.get(name).cloned()).unwrap();
            assert_eq!(restored.predict(y.view(), want).unwrap(), made);
            // voxels of a block have the numbers that they have among all
            let block = restored.predict(y.slice(s![.., 37..290]), want).unwrap();
            assert_eq!(block.predictions, made.predictions.slice(s![.., 37..290]));
            assert_eq!(block.models[1].weights, made.models[1].weights.slice(s![.., 37..290]));
            assert_eq!(block.folds[2], made.folds[2][37..290]);
            let error = again(&|_| None).err().unwrap().to_string();
            assert!(error.starts_with("no array fold0_eigenvalues"), "{error}");
            let wide = Array2::zeros((1, 2));
            let error = again(&|_| Some(wide.clone())).err().unwrap().to_string();
            assert!(error.contains("fold0_eigenvalues is 1 x 2, not 1 x"), "{error}");
        }
    }
}
