//! Fitted models in resampled data against rsatoolbox: every fold of given draws, and variances of bootstraps.

use crate::load::{all_close, arrays, close, counts, json, number, numbers};
use npy_stream::Values;
use rdm::inference::{Bootstrap, Generalize, Replicates, Spread};
use rdm::{
    Comparison, Fold, Folding, ModelKind, Penalties, Rdm, Regression, Scale, bootstrap_fitted, choose_penalties, pool,
    regress, regress_held_out, regress_held_out_choosing, score_fold,
};
use serde_json::Value;

fn rdms(file: &str) -> Vec<Rdm> {
    let array = arrays(file).remove(0);
    let length = array.shape[1];
    let Values::F8(values) = array.values else { panic!("{file} is not f8") };
    values.chunks(length).map(|v| Rdm::from_condensed(v.to_vec(), None).unwrap()).collect()
}

/// Two models, of three and two components, and six subjects.
fn inputs() -> ([Vec<Rdm>; 2], Vec<Rdm>) {
    let mut components = rdms("fitted/components.npy");
    let second = components.split_off(3);
    ([components, second], rdms("fitted/subjects.npy"))
}

fn multiplicities(value: &Value) -> Vec<u32> {
    counts(value).into_iter().map(|c| c as u32).collect()
}

const ASKED: [(ModelKind, Comparison); 8] = [
    (ModelKind::Weighted, Comparison::Pearson),
    (ModelKind::Weighted, Comparison::Cosine),
    (ModelKind::Weighted, Comparison::CorrCov),
    (ModelKind::Weighted, Comparison::CosineCov),
    (ModelKind::Select, Comparison::Pearson),
    (ModelKind::Select, Comparison::Spearman),
    (ModelKind::Select, Comparison::TauA),
    (ModelKind::Interpolate, Comparison::Pearson),
];

#[test]
fn every_fold_of_a_draw_is_rsatoolboxs() {
    let (models, subjects) = inputs();
    let mut n_folds = 0;
    for draw in json("fitted/values.json")["draws"].as_array().unwrap() {
        let (stimuli, people) = (multiplicities(&draw["stimuli"]), multiplicities(&draw["subjects"]));
        for (kind, how) in ASKED {
            // A bounded search that stops at 1e-5 in w, and conjugate gradients that stop at 1e-5 of the right-hand
            // side.
            let tolerance = match kind {
                ModelKind::Interpolate => 1e-4,
                _ if how.is_whitened() => 1e-4,
                _ => 1e-11,
            };
            let name = format!("{} {how}", kind.as_str());
            for fold in draw[&name].as_array().unwrap() {
                let held_out = Fold { subjects: counts(&fold["subjects"]), stimuli: counts(&fold["stimuli"]) };
                let found = score_fold(&models, &subjects, kind, how, &stimuli, &people, &held_out, true).unwrap();
                // rsatoolbox's score of a fold is the mean over the copies of its subjects
                let often: Vec<f64> = held_out.subjects.iter().map(|&s| f64::from(people[s])).collect();
                for (m, expected) in numbers(&fold["scores"]).into_iter().enumerate() {
                    if expected == 0.0 {
                        // No weight above 0 helps: rsatoolbox scores an RDM of zeros 0, here it has no score.
                        assert!(found.scores.row(m).iter().all(|v| v.is_nan()), "{name} {m}");
                        continue;
                    }
                    let sum: f64 = found.scores.row(m).iter().zip(&often).map(|(v, o)| v * o).sum();
                    close(&format!("{name} {m}"), sum / often.iter().sum::<f64>(), expected, tolerance);
                }
                for (side, bound) in ["lower", "upper"].into_iter().zip(&found.bounds) {
                    for (found, expected) in bound.iter().zip(numbers(&fold[side])) {
                        close(&format!("{name} {side}"), *found, expected, 1e-11);
                    }
                }
                n_folds += 1;
            }
        }
    }
    assert_eq!(n_folds, 4 * 8 * 4);
}

#[test]
fn variances_of_our_draws_are_those_of_its_bootstraps_within_monte_carlo_error() {
    let (models, subjects) = inputs();
    let expected = &json("fitted/values.json")["monte_carlo"];
    for over in [Generalize::Subjects, Generalize::Stimuli, Generalize::Both] {
        let expected = &expected[over.as_str()];
        let folds = counts(&expected["folds"]);
        let folding = Folding { subjects: folds[0], stimuli: folds[1], seed: 0 };
        let plan = Bootstrap { over, n_boot: 3000, seed: 1, ceiling: false };
        let (kind, how) = (ModelKind::Weighted, Comparison::Pearson);
        let replicates = bootstrap_fitted(&models, &subjects, kind, how, plan, folding, 2).unwrap();
        let spread = Spread::new(&replicates, &[0, 1], over, 6, 16);
        // Of two repetitions the corrected variance 2 v_2 - v_1 is their covariance c over draws; over N draws of
        // theirs and M of ours its error has the variance (v_1^2 + c^2) (1/N + 1/M). The two-factor variance is (s + s
        // p) v_subjects + (p + s p) v_stimuli - s p v_both with s = 6/5, p = 16/15. Three standard errors.
        let n_boot = number(&expected["n_boot"]);
        let (s, p) = (6.0 / 5.0, 16.0 / 15.0);
        let factors = match over {
            Generalize::Subjects => vec![s],
            Generalize::Stimuli => vec![p],
            Generalize::Both => vec![s * p, s + s * p, p + s * p],
        };
        let tolerance = |terms: &[(usize, f64)]| -> f64 {
            let one = |t: usize| {
                let of = |repeats: Vec<ndarray::Array2<f64>>, table: &ndarray::Array2<f64>| {
                    let replicates = Replicates { tables: vec![table.clone()], repeats: vec![repeats] };
                    // a sample so large that n / (n - 1) is 1
                    Spread::new(&replicates, &[0, 1], Generalize::Subjects, usize::MAX, 1).variance(terms)
                };
                let repeats = &replicates.repeats[t];
                let (single, corrected) = (of(Vec::new(), &repeats[0]), of(repeats.clone(), &replicates.tables[t]));
                (single * single + corrected * corrected) * (1.0 / n_boot + 1.0 / 3000.0)
            };
            let terms = factors.iter().enumerate().map(|(t, factor)| factor * factor * one(t));
            3.0 * terms.sum::<f64>().sqrt()
        };
        let pairs = [(&[(0, 1.0)][..], &expected["model"], 0), (&[(1, 1.0)], &expected["model"], 1)];
        for (terms, expected, place) in
            pairs.into_iter().chain([(&[(0, 1.0), (1, -1.0)][..], &expected["difference"], 0)])
        {
            let (found, expected) = (spread.variance(terms), numbers(expected)[place]);
            println!("{} {terms:?}: {found:.5} {expected:.5}, tolerance {:.5}", over.as_str(), tolerance(terms));
            let tolerance = tolerance(terms);
            assert!(
                (found - expected).abs() < tolerance,
                "{} {terms:?}: {found} {expected} {tolerance}",
                over.as_str()
            );
        }
    }
}

fn regression(name: &str) -> (Regression, Scale) {
    let at = json("fitted/regressions.json");
    let alpha = |name: &str| number(&at[name]["alpha"]);
    match name {
        "ols" => (Regression::Ols, Scale::Values),
        "ranks" => (Regression::Ols, Scale::Ranks),
        "nnls" => (Regression::Nnls, Scale::Values),
        "ridge" => (Regression::Ridge { alpha: alpha(name), standardized: true }, Scale::Values),
        "ridge_raw" => (Regression::Ridge { alpha: alpha(name), standardized: false }, Scale::Values),
        other => panic!("{other}"),
    }
}

#[test]
fn regressions_are_those_of_numpy_scipy_and_scikit_learn() {
    let (predictors, subjects) = (rdms("fitted/components.npy"), rdms("fitted/subjects.npy"));
    let expected = json("fitted/regressions.json");
    for name in ["ols", "ranks", "nnls", "ridge", "ridge_raw"] {
        let (method, scale) = regression(name);
        let found = regress(&predictors, &subjects, method, scale).unwrap();
        let of = &expected[name];
        let of = of["fits"].as_array().or(of.as_array()).unwrap();
        assert_eq!(of.len(), 6);
        for (found, expected) in found.iter().zip(of) {
            // Predictors correlate up to 0.9; ranks go to 120, and so do intercepts.
            close(&format!("{name} intercept"), found.intercept, number(&expected["intercept"]), 1e-11);
            for (what, values) in
                [("weights", &found.weights), ("standardized", &found.standardized), ("unique", &found.unique)]
            {
                all_close(&format!("{name} {what}"), values, &numbers(&expected[what]), 1e-11);
            }
            close(&format!("{name} R2"), found.r2, number(&expected["R2"]), 1e-12);
            assert!(name != "nnls" || numbers(&expected["weights"]).iter().all(|w| *w >= 0.0));
        }
    }
}

#[test]
fn regressions_are_rsatoolboxs_but_for_their_length() {
    let (predictors, subjects) = (rdms("fitted/components.npy"), rdms("fitted/subjects.npy"));
    let expected = json("fitted/regressions.json");
    let of_length_1 = |weights: &[f64]| -> Vec<f64> {
        let length = weights.iter().map(|w| w * w).sum::<f64>().sqrt();
        weights.iter().map(|w| w / length).collect()
    };
    // Its own solver without weights below 0 stops where unscaled slopes are small.
    for (name, method, tolerance) in [("corr", Regression::Ols, 1e-11), ("corr_nn", Regression::Nnls, 1e-6)] {
        let found = regress(&predictors, &subjects, method, Scale::Values).unwrap();
        for (found, expected) in found.iter().zip(expected[name].as_array().unwrap()) {
            all_close(name, &of_length_1(&found.weights), &numbers(expected), tolerance);
        }
    }
    // It pools several subjects: the mean of their z scores, whose weights are the mean of standardized outcomes'.
    let pooled = pool(&subjects, Comparison::Pearson).unwrap();
    let found = regress(&predictors, &[pooled], Regression::Ols, Scale::Values).unwrap();
    all_close("pooled", &of_length_1(&found[0].weights), &numbers(&expected["pooled"]), 1e-11);
}

#[test]
fn held_out_parts_are_those_of_scikit_learns_fits() {
    let (predictors, subjects) = (rdms("fitted/components.npy"), rdms("fitted/subjects.npy"));
    let expected = &json("fitted/regressions.json")["held_out"];
    let folds = counts(&expected["folds"]);
    for name in ["ols", "nnls", "ridge"] {
        let (method, scale) = regression(name);
        let found = regress_held_out(&predictors, &subjects, method, scale, &folds, 4).unwrap();
        for (found, expected) in found.iter().zip(expected[name].as_array().unwrap()) {
            close(name, found.r2, number(&expected["R2"]), 1e-11);
            all_close(name, &found.unique, &numbers(&expected["unique"]), 1e-11);
            // 4 groups of 4 stimuli
            assert_eq!((found.n_pairs, found.reason), (24, None));
        }
    }
}

#[test]
fn penalties_are_those_that_scikit_learns_fits_choose() {
    let (predictors, subjects) = (rdms("fitted/components.npy"), rdms("fitted/subjects.npy"));
    let at = json("fitted/regressions.json");
    let (folds, expected) = (counts(&at["held_out"]["folds"]), &at["chosen"]);
    let factors = numbers(&expected["factors"]);
    for name in ["ridge", "ridge_raw"] {
        let penalties = Penalties { factors: &factors, standardized: name == "ridge" };
        let chosen = choose_penalties(&predictors, &subjects, penalties, Scale::Values, &folds, 4).unwrap();
        // The others of the four folds; 3 takes the number of the one that is out.
        let inner: Vec<(Vec<usize>, usize)> =
            (0..4).map(|out| (folds.iter().map(|&fold| if fold == 3 { out } else { fold }).collect(), 3)).collect();
        let nested =
            regress_held_out_choosing(&predictors, &subjects, penalties, Scale::Values, &folds, &inner).unwrap();
        let mut places = Vec::new();
        for (subject, expected) in expected[name].as_array().unwrap().iter().enumerate() {
            let found = chosen[subject].as_ref().unwrap();
            all_close(&format!("{name} {subject} R2"), &found.r2, &numbers(&expected["R2"]), 1e-11);
            close(&format!("{name} {subject} alpha"), found.alpha, number(&expected["alpha"]), 1e-11);
            close(&format!("{name} {subject} nested"), nested[subject].r2, number(&expected["nested"]), 1e-11);
            places.push(found.place);
        }
        // Not one penalty for all.
        assert!(places.iter().any(|place| *place != places[0]), "{name} {places:?}");
    }
}
