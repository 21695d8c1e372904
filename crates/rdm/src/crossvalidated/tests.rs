use ndarray::{Array1, Array2, Axis, array};
use statistics::Reason;

use super::*;
use crate::testing::noise;
use crate::{Distance, InMemory, distances};

fn design(text: &str) -> Design {
    // "a0 a1 b0": condition and fold of every row
    let parse = |k: usize| text.split_whitespace().map(|w| w.as_bytes()[k] as usize).collect::<Vec<_>>();
    let condition: Vec<usize> = parse(0).iter().map(|b| b - usize::from(b'a')).collect();
    let fold: Vec<usize> = parse(1).iter().map(|b| b - usize::from(b'0')).collect();
    Design::new(&condition, &fold).unwrap()
}

const BALANCED: &str = "a0 b0 c0 d0 d1 c1 b1 a1 a2 c2 b2 d2 a0 a1 a2 b0 b1 b2 c0 c1 c2 d0 d1 d2";
const COMPLETE: &str = "a0 b0 c0 c0 a1 b1 c1 b1 b1 a2 a2 b2 c2";
const HOLES: &str = "a0 b0 c0 a1 c1 b2 c2 a2 a2 d1 d2 b2 e0 e0";

/// The mean over pairs of folds of the product of differences, every mean written out.
fn slow_folds(x: &Array2<f64>, d: &Design, prior: Option<Prior>) -> Vec<f64> {
    let mean = |c: usize, f: usize| -> Array1<f64> {
        let rows: Vec<usize> = (0..x.nrows()).filter(|r| d.condition[*r] == c && d.fold[*r] == f).collect();
        x.select(Axis(0), &rows).mean_axis(Axis(0)).unwrap()
    };
    let mut out = Vec::new();
    for i in 0..d.n_conditions {
        for j in i + 1..d.n_conditions {
            let (mut sum, mut n) = (0.0, 0.0);
            for f in 0..d.n_folds {
                for g in 0..d.n_folds {
                    if f == g || [f, g].iter().any(|f| d.count(i, *f) == 0 || d.count(j, *f) == 0) {
                        continue;
                    }
                    let rate = |c, f| prior.map_or(mean(c, f), |p| mean(c, f).mapv(|v| p.apply(v)));
                    let other = |c, g| prior.map_or(mean(c, g), |p| mean(c, g).mapv(|v| p.apply(v).ln()));
                    sum += (rate(i, f) - rate(j, f)).dot(&(other(i, g) - other(j, g)));
                    n += 1.0;
                }
            }
            out.push(sum / n);
        }
    }
    out
}

/// All pairs of rows of different folds, as the loops of rsatoolbox have them.
fn slow_pairs(x: &Array2<f64>, d: &Design, prior: Option<Prior>) -> Vec<f64> {
    let similarity = |a: usize, b: usize| -> f64 {
        let units = x.row(a).into_iter().zip(x.row(b));
        match prior {
            None => units.map(|(a, b)| a * b).sum(),
            Some(p) => {
                units.map(|(a, b)| (p.apply(*b) - p.apply(*a)) * (p.apply(*a).ln() - p.apply(*b).ln()) / 2.0).sum()
            }
        }
    };
    let mean = |i: usize, j: usize| {
        let rows = |c: usize| (0..x.nrows()).filter(move |r| d.condition[*r] == c);
        let all: Vec<f64> = rows(i)
            .flat_map(|a| rows(j).filter(move |b| d.fold[a] != d.fold[*b]).map(move |b| (a, b)))
            .map(|(a, b)| similarity(a, b))
            .collect();
        all.iter().sum::<f64>() / all.len() as f64
    };
    let mut out = Vec::new();
    for i in 0..d.n_conditions {
        out.extend((i + 1..d.n_conditions).map(|j| mean(i, i) + mean(j, j) - 2.0 * mean(i, j)));
    }
    out
}

#[track_caller]
fn same(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (k, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance || (f.is_nan() && e.is_nan()), "pair {k}: {f} {e}");
    }
}

fn rows(d: &Design, units: usize, seed: u64) -> Array2<f64> {
    noise(d.condition.len(), units, seed) * 4.0 + 2.5
}

fn values(x: &Array2<f64>, d: &Design, weights: FoldWeights) -> Vec<f64> {
    crossnobis(&InMemory::new(x.view()), d, weights).unwrap().rdm.into_values()
}

fn rates(x: &Array2<f64>, d: &Design, weights: FoldWeights) -> Vec<f64> {
    poisson_cv(&InMemory::new(x.view()), d, weights, Prior::default()).unwrap().rdm.into_values()
}

#[test]
fn two_conditions_in_two_folds_by_hand() {
    // differences (1, 2) in one fold and (3, -1) in the other: 3 - 2
    let x = array![[1.0, 2.0], [0.0, 0.0], [4.0, 1.0], [1.0, 2.0]];
    let d = design("a0 b0 a1 b1");
    for weights in [FoldWeights::Folds, FoldWeights::Pairs] {
        same(&values(&x, &d, weights), &[1.0], 1e-15);
    }
}

#[test]
fn both_weights_agree_with_their_loops_in_any_design() {
    for (text, seed) in [(BALANCED, 1), (COMPLETE, 2), (HOLES, 3)] {
        let d = design(text);
        let x = rows(&d, 37, seed);
        same(&values(&x, &d, FoldWeights::Folds), &slow_folds(&x, &d, None), 1e-12);
        same(&rates(&x, &d, FoldWeights::Folds), &slow_folds(&x, &d, Some(Prior::default())), 1e-12);
        // conditions in one fold alone are unusable here; rsatoolbox has no similarity with itself for them either
        same(&values(&x, &d, FoldWeights::Pairs), &slow_pairs(&x, &d, None), 1e-10);
        same(&rates(&x, &d, FoldWeights::Pairs), &slow_pairs(&x, &d, Some(Prior::default())), 1e-11);
    }
}

#[test]
fn a_balanced_design_has_one_answer() {
    let d = design(BALANCED);
    assert!(d.is_balanced() && d.is_complete());
    assert!(!design(COMPLETE).is_balanced() && design(COMPLETE).is_complete() && !design(HOLES).is_complete());
    let x = rows(&d, 50, 4);
    same(&values(&x, &d, FoldWeights::Folds), &values(&x, &d, FoldWeights::Pairs), 1e-11);
    // Counts that are the same in every fold do not change it; logarithms of means are not means of logarithms.
    let once = design("a0 b0 c0 a1 b1 c1 a2 b2 c2");
    let x = rows(&once, 50, 5);
    same(&rates(&x, &once, FoldWeights::Folds), &rates(&x, &once, FoldWeights::Pairs), 1e-11);
}

#[test]
fn what_is_common_to_a_fold_cancels_and_units_may_change_places() {
    for text in [BALANCED, COMPLETE, HOLES] {
        let d = design(text);
        let x = rows(&d, 40, 6);
        let mut shifted = x.clone();
        for (mut row, fold) in shifted.rows_mut().into_iter().zip(&d.fold) {
            row += &(noise(1, 40, 50 + *fold as u64).row(0).to_owned() * 100.0);
        }
        same(&values(&shifted, &d, FoldWeights::Folds), &values(&x, &d, FoldWeights::Folds), 1e-10);
        let backwards = x.slice(ndarray::s![.., ..;-1]).to_owned();
        same(&values(&backwards, &d, FoldWeights::Folds), &values(&x, &d, FoldWeights::Folds), 1e-12);
        let doubled = values(&(&x * 2.0), &d, FoldWeights::Folds);
        same(&doubled.iter().map(|v| v / 4.0).collect::<Vec<_>>(), &values(&x, &d, FoldWeights::Folds), 1e-12);
    }
}

#[test]
fn without_noise_it_is_the_squared_distance() {
    let d = design("a0 b0 c0 a1 c1 b1 b2 a2 c2");
    let truth = noise(3, 60, 7);
    let x = truth.select(Axis(0), &d.condition);
    let expected = distances(truth.view(), Distance::Sqeuclidean).unwrap().rdm.into_values();
    same(&values(&x, &d, FoldWeights::Folds), &expected, 1e-13);
    let positive = &truth + 0.6;
    let x = positive.select(Axis(0), &d.condition);
    let with_prior = positive.mapv(|v| Prior::default().apply(v));
    let expected = distances(with_prior.view(), Distance::Poisson).unwrap().rdm.into_values();
    same(&rates(&x, &d, FoldWeights::Folds), &expected, 1e-13);
    let prior = Prior::default();
    let found =
        crate::distances_of(&WithPrior::new(&InMemory::new(positive.view()), prior), Distance::Poisson).unwrap();
    same(found.rdm.values(), &expected, 1e-14);
}

#[test]
fn pure_noise_is_zero_on_average() {
    let text: Vec<String> = (0..4).flat_map(|f| (0..26u8).map(move |c| format!("{}{f}", (b'a' + c) as char))).collect();
    let d = design(&text.join(" "));
    let found = values(&noise(104, 500, 8), &d, FoldWeights::Folds);
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    // one distance has a standard deviation of about 2 / 12 * sqrt(500 / 6) = 1.5; of 325 correlated ones less than 0.3
    assert!(mean.abs() < 0.3, "{mean}");
    assert!(found.iter().any(|v| *v < 0.0) && found.iter().any(|v| *v > 0.0));
}

#[test]
fn conditions_that_cannot_be_used_are_named_and_spoil_no_other() {
    let d = design(HOLES);
    let mut x = rows(&d, 20, 9);
    let clean = crossnobis(&InMemory::new(x.view()), &d, FoldWeights::Folds).unwrap();
    // e is in fold 0 alone; d and b share no two folds
    assert_eq!(clean.unusable, [UnusableRow { row: 4, reason: Reason::TooFewRepeats }]);
    assert!(clean.rdm.get(1, 3).is_nan() && clean.rdm.get(0, 3).is_finite());
    let without_e = clean.rdm.select(&[0, 1, 2, 3]).unwrap();
    assert_eq!(without_e.n_nan(), d.n_pairs_apart());
    x[(0, 3)] = f64::NAN;
    for weights in [FoldWeights::Folds, FoldWeights::Pairs] {
        let found = crossnobis(&InMemory::new(x.view()), &d, weights).unwrap();
        assert_eq!(found.unusable[0], UnusableRow { row: 0, reason: Reason::NanInput });
        assert!((1..5).all(|j| found.rdm.get(0, j).is_nan()));
        let found = poisson_cv(&InMemory::new(x.view()), &d, weights, Prior::default()).unwrap();
        assert!((1..5).all(|j| found.rdm.get(0, j).is_nan()) && found.rdm.get(1, 2).is_finite());
    }
    let found = crossnobis(&InMemory::new(x.view()), &d, FoldWeights::Folds).unwrap();
    assert!((found.rdm.get(1, 2) - clean.rdm.get(1, 2)).abs() < 1e-12);
    x[(0, 3)] = -0.2;
    for weights in [FoldWeights::Folds, FoldWeights::Pairs] {
        let error = poisson_cv(&InMemory::new(x.view()), &d, weights, Prior::default()).unwrap_err();
        assert_eq!(error, RdmError::NotARate { row: 0, value: -0.2 });
    }
    assert_eq!(Design::new(&[0, 1, 2], &[0, 0, 0]), Err(RdmError::TooFewFolds { n_folds: 1 }));
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    let d = design(HOLES);
    let x = rows(&d, 5000, 10);
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    for weights in [FoldWeights::Folds, FoldWeights::Pairs] {
        let both = || {
            let bits = |v: Vec<f64>| v.into_iter().map(f64::to_bits).collect::<Vec<_>>();
            (bits(values(&x, &d, weights)), bits(rates(&x, &d, weights)))
        };
        assert_eq!(pool(1).install(both), pool(4).install(both));
    }
}

#[test]
fn f4_rows_lose_no_more_than_their_digits() {
    let d = design(BALANCED);
    let x = rows(&d, 3000, 11).mapv(|v| v as f32);
    let found = crossnobis(&InMemory::new(x.view()), &d, FoldWeights::Folds).unwrap().rdm.into_values();
    // products of 3000 differences below 4, so lengths of 1e4: 1e-7 of them
    same(&found, &slow_folds(&x.mapv(f64::from), &d, None), 4e-3);
}
