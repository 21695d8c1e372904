//! Banded ridge against himalaya; Lasso, partial least squares, least squares and fractional ridge against
//! scikit-learn, and exact fractions.

use crate::load::{all_close, close, counts, json, matrices, matrix, number, numbers};
use encoding_models::{
    AlphaGrid, CrossValidation, Features, FractionalRidge, HeldOut, Inner, Lasso, LassoAlphas, LassoModel,
    LassoOptions, LinearModel, Ols, Pls, Preparation, RidgeOptions, Scaling, ScoreOver, Split, Want, fit_rows,
};
use ndarray::{Array2, s};
use serde_json::Value;
use statistics::Folds;

const RAW: Preparation = Preparation { scaling: Scaling::Centre, intercept: true };
/// Two exact solvers of systems whose condition is below 1e4.
const EXACT: f64 = 1e-9;
/// Both stop at a duality gap of 1e-12 of the responses' sum of squares, which leaves its root to the weights.
const DESCENT: f64 = 1e-6;
const TIGHT: LassoOptions = LassoOptions { positive: true, tolerance: 1e-12, max_sweeps: 1_000_000 };

struct Problem {
    name: &'static str,
    x: Array2<f64>,
    y: Array2<f64>,
    expected: Value,
}

fn problems() -> [Problem; 2] {
    ["tall", "wide"].map(|name| Problem {
        name,
        x: matrix(&format!("encoding/{name}-x.npy")).0,
        y: matrix(&format!("encoding/{name}-y.npy")).0,
        expected: json(&format!("encoding/{name}.json")),
    })
}

/// Weights (a list of rows) and intercepts.
#[track_caller]
fn same_model(what: &str, got: &LinearModel, expected: &Value, tolerance: f64) {
    for (feature, (got, expected)) in got.weights.rows().into_iter().zip(rows(&expected["weights"])).enumerate() {
        all_close(&format!("{what}: weights of feature {feature}"), &got.to_vec(), &expected, tolerance);
    }
    all_close(&format!("{what}: intercept"), &got.intercept, &numbers(&expected["intercept"]), tolerance);
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

#[test]
fn sparse_weights_under_a_fixed_penalty_are_scikit_learns() {
    for Problem { name, x, y, expected } in problems() {
        for (kind, positive) in [("positive", true), ("signed", false), ("positive_small", true)] {
            let expected = &expected["lasso"][kind];
            let lasso = Lasso::learn(x.view(), RAW).unwrap();
            let options = LassoOptions { positive, ..TIGHT };
            let found = lasso.fit(y.view(), &[number(&expected["alpha"])], &options).unwrap();
            assert!(found.converged.iter().all(|c| *c), "{name} {kind}: {:?}", found.dual_gap);
            same_model_up_to_collinear(&format!("{name} {kind}"), &x, &found, expected);
        }
    }
}

/// Column 1 is twice column 0 (and 1): under a penalty the longer of the two is the cheaper, so that it has the weight.
#[track_caller]
fn same_model_up_to_collinear(what: &str, x: &Array2<f64>, found: &LassoModel, expected: &Value) {
    assert!(found.model.weights.row(0).iter().all(|w| w.abs() < DESCENT), "{what}");
    same_model(what, &found.model, expected, DESCENT);
    let weights = Array2::from_shape_vec(found.model.weights.dim(), rows(&expected["weights"]).concat()).unwrap();
    let expected = x.dot(&weights) + ndarray::Array1::from(numbers(&expected["intercept"]));
    for (got, expected) in found.model.predict(x.view()).rows().into_iter().zip(expected.rows()) {
        all_close(&format!("{what}: predictions"), &got.to_vec(), &expected.to_vec(), DESCENT);
    }
}

#[test]
fn the_penalty_of_sparse_weights_by_cross_validation_is_scikit_learns() {
    for Problem { name, x, y, expected } in problems() {
        let folds = Folds { n_folds: 5, fold_of_row: counts(&expected["fold_of_row"]) };
        let expected = &expected["lasso"]["chosen"];
        let lasso = Lasso::learn(x.view(), RAW).unwrap();
        let path = LassoAlphas::Path { n: 100, ratio: 1e-3 };
        let found = lasso.fit_chosen(y.view(), &folds, &path, &LassoOptions { tolerance: 1e-10, ..TIGHT }).unwrap();
        let margin = numbers(&expected["margin"]);
        for (voxel, alpha) in numbers(&expected["alpha"]).into_iter().enumerate() {
            // two penalties as good as each other up to what the descent leaves are no choice
            assert!(margin[voxel] > 1e-7, "{name}: a tie in voxel {voxel}");
            assert!((found.alpha[voxel] / alpha - 1.0).abs() < 1e-10, "{name}: {} {alpha}", found.alpha[voxel]);
        }
        all_close(name, &found.held_out_error, &numbers(&expected["held_out_error"]), 1e-7);
        same_model(name, &found.model, expected, 1e-5);
    }
}

#[test]
fn partial_least_squares_is_scikit_learns_for_every_number_of_components() {
    for Problem { name, x, y, expected } in problems() {
        for (kind, scaling) in [("scaled", Scaling::Standardize), ("raw", Scaling::Centre)] {
            let pls = Pls::fit(x.view(), y.view(), 4, Preparation { scaling, intercept: true }).unwrap();
            for (k, expected) in expected["pls"][kind].as_array().unwrap().iter().enumerate() {
                same_model(&format!("{name} {kind}, {} components", k + 1), &pls.model(k + 1), expected, 1e-8);
            }
        }
    }
}

#[test]
fn least_squares_is_scikit_learns_shortest() {
    for Problem { name, x, y, expected } in problems() {
        let ols = Ols::learn(x.view(), RAW, None).unwrap();
        assert_eq!(ols.rank() as f64, number(&expected["ols"]["rank"]), "{name}");
        same_model(name, &ols.fit(y.view()).unwrap(), &expected["ols"], EXACT);
        assert_eq!(ols.fits_anything(), name == "wide");
    }
}

#[test]
fn fractions_are_exact_where_fracridge_interpolates() {
    for Problem { name, x, y, expected } in problems() {
        let fractions = numbers(&expected["fractions"]);
        let expected = &expected["fractional"];
        let ridge = FractionalRidge::learn(x.slice(s![.., 4..]), RAW, None).unwrap();
        assert_eq!(ridge.rank() as f64, number(&expected["rank"]));
        let found = ridge.fit(y.view(), &fractions).unwrap();
        for ((found, fraction), alphas) in found.iter().zip(&fractions).zip(rows(&expected["alphas"])) {
            for (chosen, alpha) in found.chosen.iter().zip(alphas) {
                assert!((chosen.fraction - fraction).abs() < 1e-14, "{name}: {chosen:?}");
                assert!((chosen.alpha - alpha).abs() <= EXACT * alpha, "{name}: {chosen:?} {alpha}");
            }
        }
        for (i, fraction) in numbers(&expected["weights_of"]).into_iter().enumerate() {
            let place = fractions.iter().position(|f| *f == fraction).unwrap();
            let weights = &found[place].model.weights;
            for (got, expected) in weights.rows().into_iter().zip(rows(&expected["weights"][i])) {
                all_close(name, &got.to_vec(), &expected, EXACT);
            }
        }
        // The distance to fracridge is the library's own, as its authors' grid makes it.
        if name == "tall" {
            close("what fracridge misses", number(&expected["fracridge_misses_fraction_by"]), 0.0, 5e-3);
            assert!(number(&expected["fracridge_misses_fraction_by"]) > 1e-4);
        }
    }
}

/// Ridge of all features, random search over given weights of bands, and winner takes all (weights of exactly 0): the
/// same folds, penalties and weights as himalaya's, without intercept on data centred once.
#[test]
fn banded_ridge_is_himalayas() {
    let expected = json("encoding/banded.json");
    let (x, y) = (matrix("encoding/x.npy").0, matrix("encoding/y.npy").0);
    let n_train = 60;
    let mut fold_of_row = counts(&expected["fold_of_row"]);
    fold_of_row.resize(x.nrows(), 0);
    let alphas = numbers(&expected["alphas"]);
    let gammas = rows(&expected["gammas"]);
    let gammas = Array2::from_shape_fn((gammas.len(), 3), |(i, k)| gammas[i][k]);
    for (name, tried) in [("ridge", Array2::ones((1, 3))), ("banded", gammas), ("winner", Array2::eye(3))] {
        let features = Features::new(x.view(), Scaling::Centre).unwrap().in_bands(&[7, 5, 90]).without_intercept();
        let options = RidgeOptions {
            gammas: Some(tried),
            ..RidgeOptions::new(
                AlphaGrid::list(alphas.clone()).unwrap().absolute(),
                Inner::Folds(Folds { n_folds: 5, fold_of_row: fold_of_row.clone() }),
            )
        };
        let expected = &expected[name];
        let model = fit_rows(&features, (0..n_train).collect(), y.view(), &options).unwrap();
        let chosen = counts(&expected["alpha"]);
        // one row per row of weights
        let scores = match name {
            "ridge" => vec![numbers(&expected["cv_scores"])],
            _ => rows(&expected["cv_scores"]),
        };
        for (v, choice) in model.choices.iter().enumerate() {
            close(&format!("{name}: alpha of voxel {v}"), choice.alpha, alphas[chosen[v]], 1e-12);
            // himalaya lets ties go to the larger penalty by adding to the score
            close(
                &format!("{name}: score of voxel {v}"),
                choice.score + 1e-10 * choice.alpha.ln(),
                scores[choice.gamma][v],
                1e-8,
            );
        }
        if name != "ridge" {
            let found: Vec<usize> = model.choices.iter().map(|choice| choice.gamma).collect();
            assert_eq!(found, counts(&expected["gamma"]), "{name}");
        }
        let weights = matrix(&format!("encoding/{name}-weights.npy")).0;
        for (feature, (got, want)) in model.weights.rows().into_iter().zip(weights.rows()).enumerate() {
            all_close(&format!("{name}: weights of feature {feature}"), &got.to_vec(), &want.to_vec(), 1e-9);
        }
        if name == "ridge" {
            continue;
        }
        // Bands of the test rows, and what each adds to R2 and r.
        let split = Split { train: (0..n_train).collect(), test: (n_train..x.nrows()).collect() };
        let prepared = CrossValidation::prepare(&features, vec![split], &options, false, None, || ()).unwrap();
        let found = prepared.predict(y.view(), Want { bands: true, ..Want::default() }).unwrap();
        let by_band = matrices(&format!("encoding/{name}-predictions.npy"));
        for (k, (got, want)) in found.bands.iter().zip(&by_band).enumerate() {
            for (got, want) in got.rows().into_iter().zip(want.rows()) {
                all_close(&format!("{name}: predictions of band {k}"), &got.to_vec(), &want.to_vec(), 1e-9);
            }
        }
        let held_out = HeldOut {
            fold_of_row: &[0; 20],
            train_means: found.train_means.view(),
            train_sds: None,
            over: ScoreOver::Pooled,
        };
        let test = y.slice(s![n_train.., ..]);
        let parts: Vec<_> = found.bands.iter().map(|band| band.view()).collect();
        let split = held_out.split(&parts, found.predictions.view(), test);
        for (k, (r2, r)) in rows(&expected["r2_split"]).iter().zip(rows(&expected["r_split"])).enumerate() {
            for v in 0..y.ncols() {
                close(&format!("{name}: share of r of band {k}, voxel {v}"), split[k][v][0], r[v], 1e-9);
                // himalaya divides by the sum of squares of the responses, whose mean here is 0 in training
                close(&format!("{name}: share of R2 of band {k}, voxel {v}"), split[k][v][1], r2[v], 1e-9);
            }
        }
    }
}
