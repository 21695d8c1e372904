use statistics::{Draws, Reason, mean, variance};

use super::{Regression, bootstrap_regression, column_of_shared, regress, regress_held_out};
use crate::inference::{Bootstrap, Generalize, multiplicities};
use crate::testing::noise;
use crate::{ControlledSide, Rdm, RdmError, Scale, compare_partial};

const METHODS: [Regression; 4] = [
    Regression::Ols,
    Regression::Nnls,
    Regression::Ridge { alpha: 3.0, standardized: true },
    Regression::Ridge { alpha: 0.4, standardized: false },
];

fn rdm(values: Vec<f64>) -> Rdm {
    Rdm::from_condensed(values, None).unwrap()
}

/// Predictors and outcomes of 10 stimuli on scales of their own; the outcomes hold some of each predictor.
fn study() -> (Vec<Rdm>, Vec<Rdm>) {
    let x = noise(3, 45, 1);
    let predictors = (0..3).map(|k| rdm(x.row(k).iter().map(|v| 5.0 + (1.0 + k as f64) * v).collect())).collect();
    let outcome = |s: u64| {
        let own = noise(1, 45, 100 + s);
        let signal = &x.row(0) * 0.9 + &(&x.row(1) * 0.5) - &(&x.row(2) * 0.3 * s as f64);
        rdm((signal + own.row(0)).iter().map(|v| 2.0 + (s + 1) as f64 * v).collect())
    };
    (predictors, (0..3).map(outcome).collect())
}

fn close(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} {expected}");
}

fn prediction(predictors: &[Rdm], weights: &[f64], intercept: f64, k: usize) -> f64 {
    intercept + predictors.iter().zip(weights).map(|(p, w)| w * p.values()[k]).sum::<f64>()
}

/// The sum of squared errors, and the penalty.
fn objective(predictors: &[Rdm], y: &Rdm, method: Regression, weights: &[f64], intercept: f64) -> f64 {
    let errors = (0..y.values().len()).map(|k| (y.values()[k] - prediction(predictors, weights, intercept, k)).powi(2));
    let sd2 = |p: &Rdm| variance(p.values()) * 44.0 / 45.0;
    errors.sum::<f64>()
        + match method {
            Regression::Ridge { alpha, standardized: true } => {
                alpha * predictors.iter().zip(weights).map(|(p, w)| w * w * sd2(p)).sum::<f64>()
            }
            Regression::Ridge { alpha, .. } => alpha * weights.iter().map(|w| w * w).sum::<f64>(),
            _ => 0.0,
        }
}

#[test]
fn no_other_weights_have_a_lower_objective() {
    let (predictors, outcomes) = study();
    for method in METHODS {
        for (found, y) in regress(&predictors, &outcomes, method, Scale::Values).unwrap().iter().zip(&outcomes) {
            let best = objective(&predictors, y, method, &found.weights, found.intercept);
            let mut n_at_0 = 0;
            for j in 0..4 {
                for step in [-1e-2, 1e-2, -1e-4, 1e-4] {
                    let (mut weights, mut intercept) = (found.weights.clone(), found.intercept);
                    if j < 3 {
                        weights[j] += step
                    } else {
                        intercept += step
                    }
                    if method == Regression::Nnls && weights.iter().any(|w| *w < 0.0) {
                        n_at_0 += 1;
                        continue;
                    }
                    assert!(objective(&predictors, y, method, &weights, intercept) > best, "{method:?} {j} {step}");
                }
            }
            assert!(n_at_0 == 0 || found.weights.contains(&0.0));
            // R2 and R of the prediction itself
            let predicted: Vec<f64> =
                (0..45).map(|k| prediction(&predictors, &found.weights, found.intercept, k)).collect();
            let error: f64 = predicted.iter().zip(y.values()).map(|(p, y)| (p - y).powi(2)).sum();
            close("R2", found.r2, 1.0 - error / (44.0 * variance(y.values())), 1e-12);
            close("R", found.r, statistics::pearson(&predicted, y.values()), 1e-12);
            for (j, p) in predictors.iter().enumerate() {
                let standardized = found.weights[j] * (variance(p.values()) / variance(y.values())).sqrt();
                close("standardized", found.standardized[j], standardized, 1e-12);
                let others: Vec<Rdm> = (0..3).filter(|o| *o != j).map(|o| predictors[o].clone()).collect();
                let without = &regress(&others, std::slice::from_ref(y), method, Scale::Values).unwrap()[0];
                close("unique", found.unique[j], found.r2 - without.r2, 1e-12);
            }
            close("shared", found.shared + found.unique.iter().sum::<f64>(), found.r2, 1e-14);
        }
    }
}

#[test]
fn unique_parts_are_squared_semipartial_correlations_on_values_and_ranks() {
    let (predictors, outcomes) = study();
    for scale in [Scale::Values, Scale::Ranks] {
        for (found, y) in regress(&predictors, &outcomes, Regression::Ols, scale).unwrap().iter().zip(&outcomes) {
            for j in 0..3 {
                let others: Vec<Rdm> = (0..3).filter(|o| *o != j).map(|o| predictors[o].clone()).collect();
                let semipartial = |of: &Rdm, y: &Rdm| {
                    compare_partial(
                        std::slice::from_ref(of),
                        std::slice::from_ref(y),
                        &others,
                        ControlledSide::Model,
                        scale,
                    )
                    .unwrap()[(0, 0)]
                        .value
                };
                close("unique", found.unique[j], semipartial(&predictors[j], y).powi(2), 1e-12);
                // what is left of a predictor, correlated with itself, is the root of 1 - R2 = 1 / vif
                let tolerance = semipartial(&predictors[j], &predictors[j]);
                close("vif", 1.0 / found.vif[j], tolerance * tolerance, 1e-12);
            }
        }
    }
}

/// The data of a draw as it would stand in files.
fn gathered(rdms: &[Rdm], often: &[u32]) -> Vec<Rdm> {
    let drawn: Vec<usize> =
        often.iter().enumerate().flat_map(|(i, times)| std::iter::repeat_n(i, *times as usize)).collect();
    rdms.iter().map(|rdm| rdm.drawn(&drawn).unwrap()).collect()
}

#[test]
fn draws_are_regressions_of_copies_and_threads_change_nothing() {
    let (predictors, outcomes) = study();
    for method in METHODS {
        for over in [Generalize::Subjects, Generalize::Stimuli, Generalize::Both] {
            let plan = Bootstrap { over, n_boot: 12, seed: 5, ceiling: false };
            let found = bootstrap_regression(&predictors, &outcomes, method, Scale::Values, plan).unwrap();
            assert_eq!(found.tables.len(), if over == Generalize::Both { 3 } else { 1 });
            for draw in 0..12 {
                let mut draws = Draws::stream(5, draw as u64);
                let people = if over == Generalize::Stimuli { vec![1; 3] } else { multiplicities(3, &mut draws) };
                let stimuli = if over == Generalize::Subjects { vec![1; 10] } else { multiplicities(10, &mut draws) };
                let slow =
                    regress(&gathered(&predictors, &stimuli), &gathered(&outcomes, &stimuli), method, Scale::Values)
                        .unwrap();
                let over_copies = |value: &dyn Fn(&super::Regressed) -> f64| {
                    let of: Vec<f64> =
                        (0..3).flat_map(|s| std::iter::repeat_n(value(&slow[s]), people[s] as usize)).collect();
                    mean(&of)
                };
                let row = found.tables[0].row(draw);
                for j in 0..3 {
                    close("weight", row[j], over_copies(&|r| r.standardized[j]), 1e-11);
                    close("unique", row[super::column_of_unique(j, 3)], over_copies(&|r| r.unique[j]), 1e-11);
                }
                close("shared", row[column_of_shared(3)], over_copies(&|r| r.shared), 1e-11);
                close("R2", row[column_of_shared(3) - 1], over_copies(&|r| r.r2), 1e-11);
            }
            let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
            let again =
                pool.install(|| bootstrap_regression(&predictors, &outcomes, method, Scale::Values, plan).unwrap());
            assert_eq!(again, found);
        }
    }
}

#[test]
fn held_out_pairs_are_predicted_by_weights_of_the_other_stimuli() {
    let (predictors, outcomes) = study();
    let fold_of: Vec<usize> = [0, 1, 2, 0, 1, 2, 0, 1, 2, 1].to_vec();
    for method in METHODS {
        let found = regress_held_out(&predictors, &outcomes, method, Scale::Values, &fold_of, 3).unwrap();
        let slow = |chosen: &[usize], y: &Rdm| {
            let x: Vec<Rdm> = chosen.iter().map(|&j| predictors[j].clone()).collect();
            let (mut errors, mut of_mean, mut n) = (0.0, 0.0, 0);
            for fold in 0..3 {
                let (test, training): (Vec<usize>, Vec<usize>) = (0..10).partition(|&i| fold_of[i] == fold);
                let cut = |rdm: &Rdm, some: &[usize]| rdm.select(some).unwrap();
                let here: Vec<Rdm> = x.iter().map(|rdm| cut(rdm, &training)).collect();
                let fit = &regress(&here, &[cut(y, &training)], method, Scale::Values).unwrap()[0];
                let there: Vec<Rdm> = x.iter().map(|rdm| cut(rdm, &test)).collect();
                for (k, value) in cut(y, &test).values().iter().enumerate() {
                    errors += (value - prediction(&there, &fit.weights, fit.intercept, k)).powi(2);
                    of_mean += (value - mean(cut(y, &training).values())).powi(2);
                    n += 1;
                }
            }
            (1.0 - errors / of_mean, n)
        };
        for (found, y) in found.iter().zip(&outcomes) {
            let (r2, n) = slow(&[0, 1, 2], y);
            close("R2", found.r2, r2, 1e-11);
            // groups of 3, 4 and 3 stimuli
            assert_eq!((found.n_pairs, n, found.reason), (12, 12, None));
            for (j, others) in [[1, 2], [0, 2], [0, 1]].into_iter().enumerate() {
                close("unique", found.unique[j], r2 - slow(&others, y).0, 1e-11);
            }
        }
    }
    // predictors of no use do worse than none on held-out pairs, and never in the data
    let useless: Vec<Rdm> = (50..58).map(|seed| rdm(noise(1, 45, seed).into_raw_vec_and_offset().0)).collect();
    let ols = Regression::Ols;
    let held_out = regress_held_out(&useless, &outcomes, ols, Scale::Values, &fold_of, 3).unwrap();
    let whole = regress(&useless, &outcomes, ols, Scale::Values).unwrap();
    assert!(held_out.iter().zip(&whole).all(|(held_out, whole)| held_out.r2 < 0.0 && whole.r2 > 0.0));
}

#[test]
fn units_and_the_order_of_stimuli_change_nothing_but_raw_weights() {
    let (predictors, outcomes) = study();
    let order = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7];
    let changed = |rdm: &Rdm, factor: f64| {
        let moved = rdm.select(&order).unwrap();
        Rdm::from_condensed(moved.values().iter().map(|v| factor * v - 7.0).collect(), None).unwrap()
    };
    let x: Vec<Rdm> = predictors.iter().zip([1e-3, 40.0, 3e5]).map(|(p, f)| changed(p, f)).collect();
    let y: Vec<Rdm> = outcomes.iter().map(|o| changed(o, 1e4)).collect();
    for method in &METHODS[..3] {
        let one = regress(&predictors, &outcomes, *method, Scale::Values).unwrap();
        let two = regress(&x, &y, *method, Scale::Values).unwrap();
        for (a, b) in one.iter().zip(&two) {
            for j in 0..3 {
                close("standardized", a.standardized[j], b.standardized[j], 1e-10);
                close("unique", a.unique[j], b.unique[j], 1e-10);
                close("raw", a.weights[j], b.weights[j] / 1e4 * [1e-3, 40.0, 3e5][j], 1e-10);
            }
            close("shared", a.shared, b.shared, 1e-10);
        }
    }
}

#[test]
fn what_has_no_weights_says_why() {
    let (mut predictors, mut outcomes) = study();
    let sum = |a: &Rdm, b: &Rdm| rdm(a.values().iter().zip(b.values()).map(|(a, b)| 0.1 * a + 3.0 * b).collect());
    predictors.push(sum(&predictors[0], &predictors[2]));
    for method in &METHODS[..2] {
        let found = &regress(&predictors, &outcomes, *method, Scale::Values).unwrap()[0];
        assert_eq!(found.reason, Some(Reason::Collinear));
        assert!(found.r2.is_nan() && found.weights.iter().all(|w| w.is_nan()));
        let infinite: Vec<bool> = found.vif.iter().map(|v| v.is_infinite()).collect();
        assert_eq!(infinite, [true, false, true, true]);
    }
    let ridge = &regress(&predictors, &outcomes, METHODS[2], Scale::Values).unwrap()[0];
    assert!(ridge.reason.is_none() && ridge.weights.iter().all(|w| w.is_finite()));
    predictors.pop();

    outcomes[1] = rdm(vec![0.1; 45]);
    let mut holes = outcomes[0].values().to_vec();
    holes[3] = f64::NAN;
    holes[17] = f64::INFINITY;
    outcomes[2] = rdm(holes);
    let found = regress(&predictors, &outcomes, Regression::Ols, Scale::Values).unwrap();
    assert_eq!((found[0].reason, found[1].reason, found[2].reason), (None, Some(Reason::Constant), None));
    assert_eq!((found[2].n_pairs, found[2].n_nan), (43, 2));
    // without these pairs in the predictors it is the same
    let without = |rdm_: &Rdm| {
        let mut values = rdm_.values().to_vec();
        (values[3], values[17]) = (f64::NAN, f64::NAN);
        rdm(values)
    };
    let less: Vec<Rdm> = predictors.iter().map(without).collect();
    let again = regress(&less, &outcomes[..1], Regression::Ols, Scale::Values).unwrap();
    assert_eq!(again[0].weights, found[2].weights);

    // 6 pairs, 5 predictors: no pair is left to judge by
    let few: Vec<Rdm> = (0..6).map(|seed| rdm(noise(1, 6, seed).into_raw_vec_and_offset().0)).collect();
    let found = regress(&few[..5], &few[5..], Regression::Ols, Scale::Values).unwrap();
    assert_eq!(found[0].reason, Some(Reason::NanPairs));
    assert_eq!(
        regress(&few, &outcomes, Regression::Ols, Scale::Values),
        Err(RdmError::SizesDiffer { index: 0, n_stimuli: 4, expected: 10 })
    );
    assert!(regress(&[], &outcomes, Regression::Ols, Scale::Values).is_err());
    let flat = regress(&[rdm(vec![2.0; 45])], &outcomes, Regression::Ols, Scale::Values).unwrap();
    assert!(flat.iter().all(|f| f.reason == Some(Reason::Constant)));
}
