//! Cross-validated ridge against scikit-learn: more rows than features, and fewer.

use crate::load::{all_close, close, counts, json, matrices, matrix, number, numbers};
use encoding_models::{AlphaGrid, CrossValidated, Features, Inner, RidgeOptions, Scaling, cross_validate, score};
use ndarray::Array2;
use serde_json::Value;
use statistics::{FoldOrder, Folds, k_folds};

/// Two exact solvers of systems whose condition, with the penalty, is below 1e5.
const TOLERANCE: f64 = 1e-9;
/// Voxels that scikit-learn could be given: 5 is constant, 6 has a NaN.
const USABLE: usize = 5;

struct Problem {
    x: Array2<f64>,
    y: Array2<f64>,
    outer: Folds,
    expected: Value,
}

fn problem(name: &str) -> Problem {
    let (x, ids) = matrix(&format!("ridge/{name}-x.npy"));
    let (y, _) = matrix(&format!("ridge/{name}-y.npy"));
    let expected = json(&format!("ridge/{name}.json"));
    let outer = k_folds(&ids, 5, FoldOrder::Contiguous).unwrap();
    assert_eq!(outer.fold_of_row, counts(&expected["fold_of_row"]));
    Problem { x, y, outer, expected }
}

impl Problem {
    fn fit(&self, alphas: AlphaGrid, inner: Inner) -> CrossValidated {
        let features = Features::new(self.x.view(), Scaling::Standardize).unwrap();
        let options = RidgeOptions::new(alphas.closed(), inner);
        cross_validate(&features, self.y.view(), &self.outer, &options, || ()).unwrap()
    }

    #[track_caller]
    fn scored_as(&self, fitted: &CrossValidated, predictions: &Array2<f64>, scores: &Value) {
        for voxel in 0..USABLE {
            let (got, want) = (fitted.predictions.column(voxel).to_vec(), predictions.column(voxel).to_vec());
            all_close(&format!("prediction of voxel {voxel}"), &got, &want, TOLERANCE);
        }
        let (r, coefficient) = (numbers(&scores["r"]), numbers(&scores["R2"]));
        for (voxel, got) in score(fitted.predictions.view(), self.y.view()).iter().enumerate() {
            close(&format!("r of voxel {voxel}"), got.r, r[voxel], TOLERANCE);
            close(&format!("R2 of voxel {voxel}"), got.coefficient_of_determination, coefficient[voxel], TOLERANCE);
            assert_eq!(got.reason.is_some(), voxel >= USABLE);
        }
    }
}

fn grid() -> AlphaGrid {
    AlphaGrid::log_spaced(1e-4, 1e2, 13).unwrap()
}

#[test]
fn predictions_at_fixed_penalties_are_scikit_learns_and_himalayas() {
    for name in ["tall", "wide"] {
        let problem = problem(name);
        let fixed = matrices(&format!("ridge/{name}-fixed-predictions.npy"));
        let scale = number(&problem.expected["folds"][0]["scale"]);
        for (i, alpha) in numbers(&problem.expected["fixed_alphas"]).into_iter().enumerate() {
            let fitted =
                problem.fit(AlphaGrid::log_spaced(alpha / scale, alpha / scale, 1).unwrap(), Inner::LeaveOneOut);
            problem.scored_as(&fitted, &fixed[i], &problem.expected["fixed_scores"][i]);
        }
    }
}

/// The choices of every fold, and what the penalties then are.
#[track_caller]
fn chosen_as(problem: &Problem, fitted: &CrossValidated, how: &str) {
    for (fold, got) in fitted.folds.iter().enumerate() {
        let expected = &problem.expected["folds"][fold];
        let alphas = numbers(&expected["alphas"]);
        for (voxel, choice) in counts(&expected[format!("{how}_choice")]).into_iter().enumerate() {
            close(&format!("alpha of fold {fold}, voxel {voxel}"), got[voxel].alpha, alphas[choice], 1e-12);
            assert_eq!(got[voxel].edge.is_some(), choice == 0 || choice + 1 == alphas.len());
        }
    }
}

#[test]
fn the_penalty_of_each_voxel_by_leave_one_out_is_scikit_learns() {
    for name in ["tall", "wide"] {
        let problem = problem(name);
        let fitted = problem.fit(grid(), Inner::LeaveOneOut);
        chosen_as(&problem, &fitted, "loo");
        let (predictions, _) = matrix(&format!("ridge/{name}-loo-predictions.npy"));
        problem.scored_as(&fitted, &predictions, &problem.expected["loo_scores"]);
    }
}

#[test]
fn the_penalty_of_each_voxel_by_inner_folds_is_that_of_the_obvious_loop() {
    for name in ["tall", "wide"] {
        let problem = problem(name);
        let fitted = problem.fit(grid(), Inner::Folds(problem.outer.clone()));
        chosen_as(&problem, &fitted, "folds");
        let (predictions, _) = matrix(&format!("ridge/{name}-folds-predictions.npy"));
        problem.scored_as(&fitted, &predictions, &problem.expected["folds_scores"]);
    }
}
