use linear_algebra::product;
use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use statistics::{Draws, FoldOrder, Folds, k_folds, pearson};

use super::PartOptions;
use super::{Part, PartFit, cross_validate_parts, groups_without, learn_all};
use crate::chance::Chance;
use crate::error::RidgeError;
use crate::features::Features;
use crate::matched_draws::MatchedDraws;
use crate::ridge::{Inner, RidgeOptions, cross_validate};
use crate::scaling::Scaling;

fn normal(n: usize, p: usize, seed: u64) -> Array2<f64> {
    let mut draws = Draws::new(seed);
    Array2::from_shape_simple_fn((n, p), || draws.normal_pair()[0])
}

fn folds(n: usize, k: usize, seed: u64) -> Folds {
    k_folds(&(0..n).collect::<Vec<_>>(), k, FoldOrder::Shuffled(seed)).unwrap()
}

fn options(grid: &str, inner: Inner, scaling: Scaling) -> PartOptions {
    PartOptions { scaling, alphas: grid.parse().unwrap(), inner }
}

/// Held-out predictions of every voxel, as the scores.
fn parts_of(
    x: &Array2<f64>,
    y: &Array2<f64>,
    outer: &Folds,
    options: &PartOptions,
    parts: &[Part],
) -> Vec<PartFit<Vec<f64>>> {
    let columns = |p: ArrayView2<f64>, _: ArrayView2<f64>| p.columns().into_iter().map(|c| c.to_vec()).collect();
    cross_validate_parts(x.view(), y.view(), outer, options, parts, columns, || ()).unwrap()
}

/// All, only and without the first units, and without some random ones.
fn some_parts(p: usize, size: usize) -> Vec<Part> {
    let chosen: Vec<usize> = (0..size).collect();
    let draws = MatchedDraws::new(&chosen, &vec![0; p]).unwrap();
    let mut parts = vec![Part::All, Part::Only(chosen.clone()), Part::Without(chosen)];
    (0..4).for_each(|draw| parts.extend([Part::Without(draws.draw(1, draw)), Part::Only(draws.draw(1, draw))]));
    parts
}

/// How many of the parts are corrections of the model of all.
fn n_corrected(x: &Array2<f64>, outer: &Folds, options: &PartOptions, parts: &[Part]) -> usize {
    let training = learn_all(x.view(), outer, options).unwrap();
    groups_without(&training, parts, x.ncols(), options).iter().map(Vec::len).sum()
}

/// Against the columns taken out and fitted alone.
fn assert_equal_to_the_slow_twin(
    x: &Array2<f64>,
    y: &Array2<f64>,
    outer: &Folds,
    options: &PartOptions,
    parts: &[Part],
) {
    for (part, fit) in parts.iter().zip(parts_of(x, y, outer, options, parts)) {
        let taken = x.select(Axis(1), &part.columns(x.ncols()));
        let features = Features::new(taken.view(), options.scaling).unwrap();
        let slow_options = RidgeOptions::new(options.alphas.clone().closed(), options.inner.clone());
        let slow = cross_validate(&features, y.view(), outer, &slow_options, || ()).unwrap();
        assert_eq!(fit.alpha_at_edge, slow.alpha_at_edge(), "{part:?}");
        for voxel in 0..y.ncols() {
            let (fast, slow_alpha) = (fit.alpha[voxel], slow.median_alpha()[voxel]);
            assert!((fast / slow_alpha - 1.0).abs() < 1e-11 || fast.is_nan() && slow_alpha.is_nan(), "{part:?}");
            for (a, b) in fit.scores[voxel].iter().zip(slow.predictions.column(voxel)) {
                assert!((a - b).abs() < 1e-9 || a.is_nan() && b.is_nan(), "{part:?} voxel {voxel}: {a} {b}");
            }
        }
    }
}

/// Responses of five voxels: of few features, of all, of none, constant, and with a NaN.
fn brain(x: &Array2<f64>, seed: u64) -> Array2<f64> {
    let p = x.ncols();
    let mut weights = normal(p, 5, seed);
    weights.slice_mut(s![4.., 0]).fill(0.0);
    weights.column_mut(2).fill(0.0);
    let mut y = product(x.view(), weights.view()) + normal(x.nrows(), 5, seed + 1);
    y.column_mut(3).fill(2.0);
    y[(1, 4)] = f64::NAN;
    y
}

#[test]
fn corrections_are_the_columns_taken_out_and_fitted_alone() {
    for (n, p, size) in [(60, 24, 4), (40, 90, 5), (30, 29, 3)] {
        let x = normal(n, p, 3);
        let y = brain(&x, 5);
        let outer = folds(n, 4, 2);
        let parts = some_parts(p, size);
        for inner in [Inner::LeaveOneOut, Inner::Folds(folds(n, 3, 9))] {
            for grid in ["1e-3:1e3:13", "1e0:1e0:1"] {
                let options = options(grid, inner.clone(), Scaling::Standardize);
                assert_eq!(n_corrected(&x, &outer, &options, &parts), 5, "{n} {p}");
                assert_equal_to_the_slow_twin(&x, &y, &outer, &options, &parts);
            }
        }
        // Without scaling every set has penalties of its own.
        let options = options("1e-3:1e3:7", Inner::LeaveOneOut, Scaling::Centre);
        assert_eq!(n_corrected(&x, &outer, &options, &parts), 0);
        assert_equal_to_the_slow_twin(&x, &y, &outer, &options, &parts);
    }
}

#[test]
fn constant_and_collinear_features_are_corrected_too() {
    for (n, p) in [(60, 20), (30, 60)] {
        let mut x = normal(n, p, 7);
        x.column_mut(1).fill(3.0);
        x.column_mut(9).fill(0.0);
        // Unit 2 is twice unit 12, unit 3 the sum of two; constant but for row 0.
        let twin = 2.0 * &x.column(12);
        x.column_mut(2).assign(&twin);
        let sum = &x.column(13) + &x.column(14);
        x.column_mut(3).assign(&sum);
        x.column_mut(10).fill(1.0);
        x[(0, 10)] = 2.0;
        let y = brain(&x, 8);
        let outer = folds(n, 3, 1);
        let without = |units: &[usize]| Part::Without(units.to_vec());
        // Sets that share their penalties: with one constant unit each, and with another constant in one fold.
        let parts = [
            without(&[1, 2, 3]),
            without(&[1, 12, 13]),
            without(&[9, 3, 4]),
            without(&[2, 12, 1]),
            without(&[1, 5, 10]),
            without(&[9, 6, 10]),
            without(&[1, 10, 13]),
            without(&[5, 6, 7]),
        ];
        let options = options("1e-4:1e2:7", Inner::LeaveOneOut, Scaling::Standardize);
        assert_eq!(n_corrected(&x, &outer, &options, &parts), 7);
        assert_equal_to_the_slow_twin(&x, &y, &outer, &options, &parts);
    }
    // The same features twice.
    let x = normal(40, 12, 4);
    let x = concatenate(Axis(1), &[x.view(), x.view()]).unwrap();
    let options = options("1e-5:1e5:21", Inner::LeaveOneOut, Scaling::Standardize);
    let parts = some_parts(24, 3);
    assert_eq!(n_corrected(&x, &folds(40, 4, 0), &options, &parts), 5);
    assert_equal_to_the_slow_twin(&x, &brain(&x, 2), &folds(40, 4, 0), &options, &parts);
}

#[test]
fn sets_that_are_large_or_penalties_that_are_tiny_are_fitted_alone() {
    let x = normal(40, 24, 3);
    let (y, outer) = (brain(&x, 5), folds(40, 4, 2));
    let large = some_parts(24, 10);
    let usual = options("1e-3:1e3:7", Inner::LeaveOneOut, Scaling::Standardize);
    assert_eq!(n_corrected(&x, &outer, &usual, &large), 0);
    assert_equal_to_the_slow_twin(&x, &y, &outer, &usual, &large);
    let tiny = options("1e-13:1e0:7", Inner::LeaveOneOut, Scaling::Standardize);
    assert_eq!(n_corrected(&x, &outer, &tiny, &some_parts(24, 3)), 0);
}

#[test]
fn blocks_of_voxels_and_threads_change_nothing() {
    let x = normal(50, 20, 3);
    let y = product(x.view(), normal(20, 600, 4).view()) + 3.0 * normal(50, 600, 5);
    let options = options("1e-2:1e2:5", Inner::LeaveOneOut, Scaling::Standardize);
    let (outer, parts) = (folds(50, 3, 2), some_parts(20, 3));
    let in_pool = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| parts_of(&x, &y, &outer, &options, &parts))
    };
    let all = in_pool(1);
    assert!(all == in_pool(3));
    // Voxel 555 lies in the second block, and is what it is alone.
    let alone = parts_of(&x, &y.slice(s![.., 555..556]).to_owned(), &outer, &options, &parts);
    for (all, alone) in all.iter().zip(&alone) {
        assert!((all.alpha[555] / alone.alpha[0] - 1.0).abs() < 1e-12);
        assert!(all.scores[555].iter().zip(&alone.scores[0]).all(|(a, b)| (a - b).abs() < 1e-12));
    }
    assert!(all[0].scores.len() == 600 && all[2].alpha_at_edge.len() == 600);
}

#[test]
fn held_out_responses_change_no_penalty() {
    let x = normal(48, 20, 3);
    let mut y = brain(&x, 5);
    let options = options("1e-2:1e2:9", Inner::LeaveOneOut, Scaling::Standardize);
    let (outer, parts) = (folds(48, 4, 2), some_parts(20, 3));
    let before = parts_of(&x, &y, &outer, &options, &parts);
    let test = outer.test_rows(1);
    test.iter().for_each(|&row| y[(row, 0)] = 100.0 - y[(row, 0)]);
    let after = parts_of(&x, &y, &outer, &options, &parts);
    for (before, after) in before.iter().zip(&after) {
        for &row in &test {
            assert_eq!(before.scores[0][row], after.scores[0][row], "leaked into row {row}");
        }
    }
    assert!((0..48).any(|row| before[0].scores[0][row] != after[0].scores[0][row]));
}

/// Correlation over held-out rows of every fold, averaged.
fn mean_r(predictions: ArrayView2<f64>, y: ArrayView2<f64>, outer: &Folds) -> Vec<f64> {
    let of_fold = |fold: usize, voxel: usize| {
        let take = |m: ArrayView2<f64>| outer.test_rows(fold).iter().map(|&row| m[(row, voxel)]).collect::<Vec<f64>>();
        pearson(&take(predictions), &take(y))
    };
    let of_voxel = |voxel| (0..outer.n_folds).map(|fold| of_fold(fold, voxel)).sum::<f64>() / outer.n_folds as f64;
    (0..y.ncols()).map(of_voxel).collect()
}

#[test]
fn a_random_set_has_a_uniform_percentile() {
    let (n, p, size, n_draws, n_brains) = (48, 16, 3, 19, 120);
    let options = options("1e-2:1e2:5", Inner::LeaveOneOut, Scaling::Standardize);
    let mut percentiles = [Vec::new(), Vec::new()];
    for brain in 0..n_brains {
        let x = normal(n, p, 10 * brain);
        // A voxel of features that all count alike on average; the chosen are a draw as any other.
        let y = product(x.view(), normal(p, 1, 10 * brain + 1).view()) + 2.0 * normal(n, 1, 10 * brain + 2);
        let outer = folds(n, 4, brain);
        let mut order = Draws::new(brain + 7).permutation(p);
        order.truncate(size);
        let draws = MatchedDraws::new(&order, &vec![0; p]).unwrap();
        let sets = std::iter::once(order.clone()).chain((0..n_draws).map(|draw| draws.draw(brain, draw)));
        let parts: Vec<Part> = sets.flat_map(|set| [Part::Without(set.clone()), Part::Only(set)]).collect();
        let judge = |predictions: ArrayView2<f64>, y: ArrayView2<f64>| mean_r(predictions, y, &outer);
        let fits = cross_validate_parts(x.view(), y.view(), &outer, &options, &parts, judge, || ()).unwrap();
        for (which, percentiles) in percentiles.iter_mut().enumerate() {
            let r: Vec<f64> = fits.iter().skip(which).step_by(2).map(|fit| fit.scores[0]).collect();
            percentiles.push(Chance::of(r[0], &r[1..]).percentile);
        }
    }
    for percentiles in percentiles {
        // Uniform over 0 to 100: sd of the mean 2.6, of a quarter's count 4.7; four of them.
        let mean = percentiles.iter().sum::<f64>() / n_brains as f64;
        assert!((mean - 50.0).abs() < 10.5, "{mean}");
        for quarter in 0..4 {
            let (low, high) = (25.0 * f64::from(quarter), 25.0 * f64::from(quarter + 1));
            let count = percentiles.iter().filter(|p| **p >= low && (**p < high || high == 100.0)).count();
            assert!(count.abs_diff(30) < 19, "{quarter}: {count} of 30");
        }
    }
}

#[test]
fn what_cannot_be_fitted_is_said() {
    let (x, y) = (normal(12, 5, 1), normal(12, 2, 2));
    let options = options("1e0:1e1:2", Inner::LeaveOneOut, Scaling::Standardize);
    let of = |x: ArrayView2<f64>, y: ArrayView2<f64>, outer: &Folds| {
        let judge = |p: ArrayView2<f64>, _: ArrayView2<f64>| vec![0.0; p.ncols()];
        cross_validate_parts(x, y, outer, &options, &[Part::All], judge, || ()).unwrap_err()
    };
    let outer = folds(12, 3, 0);
    let error = of(x.view(), y.slice(s![..11, ..]), &outer);
    assert_eq!(error, RidgeError::RowsDiffer { features: 12, responses: 11 });
    assert_eq!(of(x.view(), y.view(), &folds(11, 3, 0)), RidgeError::FoldCount { folds: 11, rows: 12 });
    let mut bad = x.clone();
    bad[(3, 1)] = f64::INFINITY;
    let error = of(bad.view(), y.view(), &outer);
    assert_eq!(error, RidgeError::FeatureNotFinite { row: 3, column: 1, value: f64::INFINITY });
    let few = k_folds(&[0, 1, 2, 3], 2, FoldOrder::Contiguous).unwrap();
    let error = of(x.slice(s![..4, ..]), y.slice(s![..4, ..]), &few);
    assert_eq!(error, RidgeError::TooFewRows { fold: Some(0), rows: 2, needed: 3 });
    assert_eq!(Part::Without(vec![3, 0]).columns(5), [1, 2, 4]);
    assert_eq!(Part::Only(vec![3, 0]).columns(5), [0, 3]);
}
