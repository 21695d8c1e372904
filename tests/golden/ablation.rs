//! Models without and of only some units against normal equations in NumPy.

use crate::load::{all_close, close, counts, json, matrix, numbers, path};
use encoding_models::{AlphaGrid, HeldOut, Inner, Part, PartOptions, Scaling, ScoreOver, cross_validate_parts};
use ndarray::{Array2, ArrayView2, Axis};
use serde_json::Value;
use statistics::{FoldOrder, k_folds, median};
use support::{number, rows, run};

/// Two exact solvers of systems whose condition, with the penalty, is below 1e4.
const EXACT: f64 = 1e-10;

/// The median penalty over the folds, one per voxel.
fn median_alpha(expected: &Value) -> Vec<f64> {
    let folds: Vec<Vec<f64>> = expected["alpha"].as_array().unwrap().iter().map(numbers).collect();
    (0..3).map(|voxel| median(&folds.iter().map(|fold| fold[voxel]).collect::<Vec<f64>>())).collect()
}

#[test]
fn models_of_parts_are_numpys() {
    let (x, ids) = matrix("ablation/x.npy");
    let (y, _) = matrix("ablation/y.npy");
    let expected = json("ablation/sets.json");
    let alphas = AlphaGrid::log_spaced(1e-2, 1e2, 9).unwrap();
    all_close("factors", alphas.factors(), &numbers(&expected["factors"]), 1e-13);
    let options = PartOptions { scaling: Scaling::Standardize, alphas, inner: Inner::LeaveOneOut };
    let outer = k_folds(&ids, 4, FoldOrder::Contiguous).unwrap();
    let mut parts = Vec::new();
    let mut wanted = Vec::new();
    for set in expected["sets"].as_array().unwrap() {
        let units = counts(&set["units"]);
        if units.is_empty() {
            parts.push(Part::All);
        } else {
            parts.push(Part::Only(units.clone()));
            wanted.push(&set["only"]);
            parts.push(Part::Without(units));
        }
        // Without no unit are all.
        wanted.push(&set["without"]);
    }
    let mut train_means = Array2::zeros((4, 3));
    for (fold, mut means) in train_means.rows_mut().into_iter().enumerate() {
        means.assign(&y.select(Axis(0), &outer.train_rows(fold)).mean_axis(Axis(0)).unwrap());
    }
    let judge = |predictions: ArrayView2<f64>, y: ArrayView2<f64>| {
        let (fold_of_row, train_means) = (outer.fold_of_row.as_slice(), train_means.view());
        HeldOut { fold_of_row, train_means, train_sds: None, over: ScoreOver::Folds }.score(predictions, y)
    };
    let fits = cross_validate_parts(x.view(), y.view(), &outer, &options, &parts, judge, || ()).unwrap();
    assert_eq!(fits.len(), 11);
    for ((part, fit), expected) in parts.iter().zip(&fits).zip(&wanted) {
        let (r, explained, alpha) = (numbers(&expected["r"]), numbers(&expected["R2"]), median_alpha(expected));
        for voxel in 0..3 {
            let (what, score) = (format!("{part:?}: voxel {voxel}"), fit.scores[voxel]);
            close(&format!("{what}: r"), score.r, r[voxel], EXACT);
            close(&format!("{what}: R2"), score.coefficient_of_determination, explained[voxel], EXACT);
            close(&format!("{what}: alpha"), fit.alpha[voxel], alpha[voxel], 1e-12);
        }
    }
}

#[test]
fn the_tables_of_ablate_are_numpys() {
    let dir = tempfile::tempdir().unwrap();
    let (x, y) = (path("ablation/x.npy"), path("ablation/y.npy"));
    for set in json("ablation/sets.json")["sets"].as_array().unwrap().iter().skip(1) {
        let units = counts(&set["units"]);
        let list = units.iter().fold("unit\n".to_string(), |text, unit| text + &format!("{unit}\n"));
        std::fs::write(dir.path().join("units.csv"), list).unwrap();
        let options = "--units units.csv --draws 0 --cv 4 --fold-order contiguous --alphas 1e-2:1e2:9";
        let line = format!("encode ablate --x {} --y {} {options} --all-draws d.csv", x.display(), y.display());
        let table = rows(&run(dir.path(), &line).text());
        let models = rows(&std::fs::read_to_string(dir.path().join("d.csv")).unwrap());
        for model in ["without", "only"] {
            let (expected, alpha) = (&set[model], median_alpha(&set[model]));
            let own: Vec<_> = models.iter().filter(|row| row["model"] == model).collect();
            assert_eq!((table.len(), own.len()), (3, 3));
            for voxel in 0..3 {
                let what = format!("{model} {units:?}, voxel {voxel}");
                close(&what, number(&table[voxel], model), numbers(&expected["r"])[voxel], EXACT);
                close(&what, number(own[voxel], "r"), numbers(&expected["r"])[voxel], EXACT);
                close(&what, number(own[voxel], "R2"), numbers(&expected["R2"])[voxel], EXACT);
                close(&what, number(own[voxel], "alpha"), alpha[voxel], 1e-12);
            }
        }
    }
}
