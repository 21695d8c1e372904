//! Distances that are equal in exact arithmetic are equal in what `rsa rdm` writes, so that no rank comparison takes
//! rounding for order.

use ndarray::{Array1, Array2};
use npy_stream::{Dtype, Matrix, write_matrix, write_vector};
use std::collections::BTreeSet;
use std::path::Path;
use support::*;
use tempfile::tempdir;

const METRICS: [&str; 6] = ["correlation", "euclidean", "sqeuclidean", "cosine", "spearman", "cityblock"];

fn bytes(x: &Array2<f64>, dtype: &str) -> Vec<u8> {
    let matrix = match dtype {
        "f4" => Matrix::F4(x.mapv(|v| v as f32)),
        _ => Matrix::F8(x.clone()),
    };
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &matrix, Some(&ids(x.nrows()))).unwrap();
    bytes
}

/// The distances of the rows of `x`, through the binary.
#[track_caller]
fn distances(dir: &Path, x: &Array2<f64>, dtype: &str, options: &str) -> Vec<f64> {
    let out = pipe(dir, &format!("rsa rdm - {options}"), &bytes(x, dtype)).ok();
    arrays(&out).remove(0).values.into_f64()
}

fn distinct(values: &[f64]) -> usize {
    values.iter().map(|v| v.to_bits()).collect::<BTreeSet<u64>>().len()
}

/// `n` rows in `k` categories in turn, one column per category.
fn one_hot(n: usize, k: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, k), |(i, j)| f64::from(i % k == j))
}

/// Whole numbers from 0 to `levels - 1` that do not repeat themselves.
fn levels(n: usize, p: usize, levels: u64, seed: u64) -> Array2<f64> {
    noise(n, p, seed).mapv(|v| ((v + 1.0) / 2.0 * levels as f64).floor())
}

#[test]
fn one_hot_models_have_two_distances_whatever_their_scale_and_offset() {
    let dir = tempdir().unwrap();
    let plain = one_hot(36, 6);
    let voxel = noise(1, 6, 3).row(0).mapv(|v| 12000.0 + 500.0 * v);
    let cases: Vec<(&str, Array2<f64>, &[&str])> = vec![
        ("plain", plain.clone(), &["f8", "f4"]),
        ("x 0.3", &plain * 0.3, &["f8", "f4"]),
        ("x pi", &plain * std::f64::consts::PI, &["f8", "f4"]),
        ("x 1e-15", &plain * 1e-15, &["f8", "f4"]),
        ("x 1e15", &plain * 1e15, &["f8", "f4"]),
        ("+ 12000", &plain + 12000.0, &["f8", "f4"]),
        ("x 0.1 + 12000", &plain * 0.1 + 12000.0, &["f8", "f4"]),
        ("minus its mean", &plain - 1.0 / 6.0, &["f8", "f4"]),
        ("z-scored", (&plain - 1.0 / 6.0) / (5.0f64 / 36.0).sqrt(), &["f8", "f4"]),
    ];
    for (what, x, dtypes) in &cases {
        for dtype in *dtypes {
            for metric in METRICS {
                for out in ["f4", "f8"] {
                    let found = distances(dir.path(), x, dtype, &format!("--metric {metric} --dtype {out}"));
                    let same = (0..36).flat_map(|i| (i + 1..36).map(move |j| i % 6 == j % 6));
                    assert!(same.zip(&found).all(|(same, d)| same == (*d == 0.0)), "{what} {dtype} {metric}");
                    assert_eq!(distinct(&found), 2, "{what} {dtype} {metric} {out}");
                }
            }
        }
    }
    // An offset of its own for every voxel, which no two values keep exactly: distances that do not see it are tied
    // within what f8 can tell.
    let offset = &plain + &voxel;
    for metric in ["euclidean", "sqeuclidean", "cityblock"] {
        let found = distances(dir.path(), &offset, "f8", &format!("--metric {metric}"));
        assert_eq!(distinct(&found), 2, "voxel offsets {metric}");
    }
}

#[test]
fn one_hot_models_score_the_same_under_every_metric() {
    let dir = tempdir().unwrap();
    let brain: Vec<f64> = noise(1, 630, 8).into_raw_vec_and_offset().0;
    let mut file = Vec::new();
    write_vector(&mut file, &brain, Dtype::F8, Some(&ids(36))).unwrap();
    std::fs::write(dir.path().join("brain.npy"), file).unwrap();
    // The model has ranks of two values only: rho is the point-biserial correlation of the brain's ranks.
    let same: Vec<f64> = (0..36).flat_map(|i| (i + 1..36).map(move |j| f64::from(i % 6 != j % 6))).collect();
    let ranks = Array1::from_iter(brain.iter().map(|v| brain.iter().filter(|w| *w < v).count() as f64));
    let x = Array1::from(same);
    let (x, y) = (&x - x.mean().unwrap(), &ranks - ranks.mean().unwrap());
    let expected = x.dot(&y) / (x.dot(&x) * y.dot(&y)).sqrt();
    for dtype in ["f8", "f4"] {
        for metric in METRICS {
            std::fs::write(dir.path().join("model.npy"), bytes(&one_hot(36, 6), dtype)).unwrap();
            let line =
                format!("rsa rdm model.npy --metric {metric} | rsa compare - --brain brain.npy --compare spearman");
            let table = sh(dir.path(), &line).text();
            let rho: f64 = rows(&table)[0]["rho"].parse().unwrap();
            assert!((rho - expected).abs() < 1e-12, "{dtype} {metric}: {rho} {expected}");
        }
    }
}

/// What is equal in exact arithmetic, for whole numbers: a key that orders pairs as their distances do.
fn exact_keys(x: &Array2<f64>, metric: &str) -> Vec<(i128, i128)> {
    let whole = |row: usize| x.row(row).iter().map(|v| *v as i128).collect::<Vec<i128>>();
    let ranks = |row: Vec<i128>| -> Vec<i128> {
        let place = |v: &i128| {
            let (below, equal) = (row.iter().filter(|w| *w < v).count(), row.iter().filter(|w| *w == v).count());
            (2 * below + equal) as i128
        };
        row.iter().map(place).collect()
    };
    let n = x.nrows();
    let mut keys = Vec::new();
    for i in 0..n {
        for j in i + 1..n {
            let (mut a, mut b) = (whole(i), whole(j));
            if metric == "spearman" {
                (a, b) = (ranks(a), ranks(b));
            }
            let p = a.len() as i128;
            let dot = |a: &[i128], b: &[i128]| a.iter().zip(b).map(|(a, b)| a * b).sum::<i128>();
            let cov = |a: &[i128], b: &[i128]| p * dot(a, b) - a.iter().sum::<i128>() * b.iter().sum::<i128>();
            keys.push(match metric {
                "cityblock" => (a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum(), 1),
                "euclidean" | "sqeuclidean" => (a.iter().zip(&b).map(|(a, b)| (a - b).pow(2)).sum(), 1),
                // Minus the sign of the product times its square over those of both: as 1 minus the cosine goes.
                "cosine" => fraction(dot(&a, &b), dot(&a, &a) * dot(&b, &b)),
                _ => fraction(cov(&a, &b), cov(&a, &a) * cov(&b, &b)),
            });
        }
    }
    keys
}

fn fraction(product: i128, squares: i128) -> (i128, i128) {
    let (mut a, mut b) = (product * product, squares);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    (-product.signum() * product * product / a, squares / a)
}

/// Pairs are tied exactly where their keys are, and ordered as they are.
#[track_caller]
fn assert_ordered(what: &str, found: &[f64], keys: &[(i128, i128)]) {
    assert_eq!(found.len(), keys.len());
    let mut order: Vec<usize> = (0..keys.len()).collect();
    // a/b < c/d of positive denominators
    order.sort_by(|&i, &j| (keys[i].0 * keys[j].1).cmp(&(keys[j].0 * keys[i].1)));
    for pair in order.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        match keys[a] == keys[b] {
            true => assert_eq!(found[a], found[b], "{what}: pairs {a} and {b} are tied"),
            false => assert!(found[a] < found[b], "{what}: pair {a} is before {b}: {} {}", found[a], found[b]),
        }
    }
}

#[test]
fn whole_numbers_are_tied_and_ordered_as_in_exact_arithmetic() {
    let dir = tempdir().unwrap();
    let cases = [
        ("binary", levels(40, 30, 2, 1)),
        ("ratings", levels(30, 7, 5, 2) + 1.0),
        ("bytes", levels(25, 200, 256, 3)),
        ("counts on an offset", levels(30, 12, 3, 4) + 12000.0),
        ("signed", levels(20, 9, 9, 5) - 4.0),
        ("few units", levels(25, 3, 4, 6)),
    ];
    for (what, mut x) in cases {
        // No row without variance and none of zeros: those have no distances.
        x.column_mut(0).fill(40.0);
        for metric in METRICS {
            let keys = exact_keys(&x, metric);
            for dtype in ["f8", "f4"] {
                let found = distances(dir.path(), &x, dtype, &format!("--metric {metric} --dtype f8"));
                assert_ordered(&format!("{what} {metric} {dtype}"), &found, &keys);
            }
        }
        // Scaled by what binary fractions do not hold, the same pairs are tied, within f8's rounding.
        for metric in METRICS {
            let keys = exact_keys(&x, metric);
            let kinds = keys.iter().collect::<BTreeSet<_>>().len();
            let found = distances(dir.path(), &(&x * 0.1), "f8", &format!("--metric {metric}"));
            assert_eq!(distinct(&found), kinds, "{what} x 0.1 {metric}");
        }
    }
}

#[test]
fn halves_and_quarters_are_whole_numbers_too() {
    let dir = tempdir().unwrap();
    let x = levels(20, 1, 9, 7);
    // One rating per stimulus: |a - b| itself.
    for (scale, dtype) in [(1.0, "f4"), (0.5, "f4"), (0.25, "f8"), (1.0, "f8")] {
        let found = distances(dir.path(), &(&x * scale), dtype, "--metric euclidean");
        let expected: Vec<f64> = (0..20)
            .flat_map(|i| (i + 1..20).map(move |j| (i, j)))
            .map(|(i, j)| (x[(i, 0)] - x[(j, 0)]).abs() * scale)
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn f8_on_request_is_computed_in_f8() {
    let dir = tempdir().unwrap();
    // Wide enough to be multiplied in f4 otherwise, and not whole.
    let x = levels(300, 3000, 2, 9) * 0.7;
    let found = distances(dir.path(), &x, "f4", "--metric sqeuclidean --dtype f8");
    let hamming: BTreeSet<usize> = (0..300)
        .flat_map(|i| (i + 1..300).map(move |j| (i, j)))
        .map(|(i, j)| x.row(i).iter().zip(x.row(j)).filter(|(a, b)| a != b).count())
        .collect();
    assert_eq!(distinct(&found), hamming.len());
    // In f4 too: that many of the distances are tied shows in a sample of them.
    let found = distances(dir.path(), &x, "f4", "--metric sqeuclidean");
    assert_eq!(distinct(&found), hamming.len());
}

#[test]
fn two_voxels_know_two_correlations() {
    let dir = tempdir().unwrap();
    for dtype in ["f8", "f4"] {
        for x in [noise(30, 2, 10), noise(30, 2, 11) + 12000.0, noise(30, 2, 12) * 1e-15] {
            for metric in ["correlation", "spearman"] {
                let found = distances(dir.path(), &x, dtype, &format!("--metric {metric}"));
                assert!(found.iter().all(|d| *d == 0.0 || *d == 2.0), "{dtype} {metric} {found:?}");
                assert_eq!(distinct(&found), 2);
            }
        }
    }
}

#[test]
fn collinear_patterns_are_constant_and_have_no_score() {
    let dir = tempdir().unwrap();
    let brain = noise(15, 40, 13);
    save(&dir.path().join("brain.npy"), &brain, Some(&ids(15)));
    run(dir.path(), "rsa rdm brain.npy -o brain_rdm.npy").ok();
    let direction = noise(1, 40, 14);
    for dtype in ["f8", "f4"] {
        let x = Array2::from_shape_fn((15, 40), |(i, j)| direction[(0, j)] * (i as f64 + 1.0) * 0.37 + i as f64 * 0.11);
        // f4 rounds the patterns themselves, which then are collinear no more.
        let x = if dtype == "f4" { x.mapv(|v| (v * 64.0).round()) } else { x };
        let x = match dtype {
            "f4" => Array2::from_shape_fn((15, 40), |(i, j)| x[(0, j)] * (i as f64 + 1.0) + i as f64),
            _ => x,
        };
        for metric in ["correlation", "spearman"] {
            let found = distances(dir.path(), &x, dtype, &format!("--metric {metric}"));
            assert!(found.iter().all(|d| *d == 0.0), "{dtype} {metric}: {found:?}");
        }
        std::fs::write(dir.path().join("x.npy"), bytes(&x, dtype)).unwrap();
        let line = "rsa rdm x.npy | rsa compare - --brain brain_rdm.npy --compare spearman";
        let row = rows(&sh(dir.path(), line).text()).remove(0);
        assert_eq!((&row["rho"][..], &row["reason"][..]), ("NaN", "constant"));
    }
    // Steps of equal size along any direction: as many distances as there are numbers of steps.
    let steps = Array2::from_shape_fn((15, 40), |(i, j)| direction[(0, j)] * i as f64);
    for metric in ["euclidean", "sqeuclidean", "cityblock"] {
        assert_eq!(distinct(&distances(dir.path(), &steps, "f8", &format!("--metric {metric}"))), 14, "{metric}");
    }
}

#[test]
fn repeated_rows_share_their_distances() {
    let dir = tempdir().unwrap();
    let few = noise(12, 100, 15) + 1.1;
    let x = few.select(ndarray::Axis(0), &(0..48).map(|i| (i * 7) % 12).collect::<Vec<_>>());
    for dtype in ["f8", "f4"] {
        for metric in METRICS.into_iter().chain(["poisson"]) {
            let found = distances(dir.path(), &x, dtype, &format!("--metric {metric} --dtype f8"));
            assert_eq!(distinct(&found), 12 * 11 / 2 + 1, "{dtype} {metric}");
            let alone = distances(dir.path(), &few, dtype, &format!("--metric {metric} --dtype f8"));
            for (k, (i, j)) in (0..48).flat_map(|i| (i + 1..48).map(move |j| (i, j))).enumerate() {
                let (a, b) = ((i * 7) % 12, (j * 7) % 12);
                let (a, b) = (a.min(b), a.max(b));
                let expected = if a == b { 0.0 } else { alone[a * (23 - a) / 2 + b - a - 1] };
                // In another order means over rows round otherwise.
                assert!((found[k] - expected).abs() <= 1e-13 * expected, "{dtype} {metric} {i} {j}");
            }
        }
    }
}

#[test]
fn measured_distances_are_left_as_they_are() {
    let dir = tempdir().unwrap();
    let x = noise(60, 500, 16);
    for metric in METRICS {
        let found = distances(dir.path(), &x, "f8", &format!("--metric {metric}"));
        // Ranks of 500 units may tie by chance; nothing else does.
        let least = if metric == "spearman" { 1700 } else { 1770 };
        assert!(distinct(&found) >= least, "{metric}: {}", distinct(&found));
    }
}

#[test]
fn means_of_equal_distances_are_tied() {
    let dir = tempdir().unwrap();
    // 8 stimuli in 4 categories, presented 2 to 4 times, in 2 runs.
    let (mut names, mut runs, mut lines) = (Vec::new(), Vec::new(), String::from("stimulus,run\n"));
    for i in 0..8 {
        for k in 0..2 + i % 3 {
            names.push(format!("s{i}"));
            runs.push(k % 2);
            lines.push_str(&format!("s{i},{}\n", k % 2));
        }
    }
    std::fs::write(dir.path().join("trials.csv"), lines).unwrap();
    let x = Array2::from_shape_fn((names.len(), 4), |(r, j)| {
        let i: usize = names[r][1..].parse().unwrap();
        0.1 * f64::from(i % 4 == j)
    });
    save(&dir.path().join("trials.npy"), &x, Some(&names));
    for options in [
        "--exclude-same run --metric correlation",
        "--exclude-same run --metric euclidean",
        "--by stimulus --metric sqeuclidean",
        "--by stimulus --metric cosine",
        "--metric crossnobis --cv run",
        "--metric crossnobis --cv run --cv-weights pairs",
        "--metric poisson_cv --cv run",
    ] {
        let out = run(dir.path(), &format!("rsa rdm trials.npy --stimuli trials.csv {options}")).ok();
        let found = arrays(&out).remove(0).values.into_f64();
        assert_eq!(distinct(&found), 2, "{options}: {found:?}");
    }
    let (a, b) = (one_hot(6, 3) * 0.1, one_hot(6, 3) * 0.7);
    std::fs::write(dir.path().join("ab.npy"), [bytes(&a, "f8"), bytes(&b, "f8"), bytes(&a, "f8")].concat()).unwrap();
    let out = run(dir.path(), "rsa rdm ab.npy --metric euclidean --merge").ok();
    assert_eq!(distinct(&arrays(&out).remove(0).values.into_f64()), 2);
}

#[test]
fn whitened_one_hot_patterns_keep_what_the_noise_leaves_equal() {
    let dir = tempdir().unwrap();
    // Noise of one size in every unit, within the precision of the estimate.
    let residuals = Array2::from_shape_fn((8, 4), |(i, j)| if i / 2 == j { [3.0, -3.0][i % 2] } else { 0.0 });
    save(&dir.path().join("res.npy"), &residuals, None);
    let x = one_hot(12, 4) * 0.3;
    for metric in ["mahalanobis", "sqmahalanobis"] {
        let found = distances(dir.path(), &x, "f8", &format!("--metric {metric} --noise res.npy --shrink univariate"));
        assert_eq!(distinct(&found), 2, "{metric}");
    }
}

#[test]
fn distances_near_the_ends_of_the_range_are_right_or_refused() {
    let dir = tempdir().unwrap();
    let x = noise(6, 9, 17);
    let plain = distances(dir.path(), &x, "f8", "--metric euclidean");
    for scale in [1e200, 1e-200] {
        let found = distances(dir.path(), &(&x * scale), "f8", "--metric euclidean");
        for (f, e) in found.iter().zip(&plain) {
            assert!((f / scale / e - 1.0).abs() < 1e-14, "{scale:e}: {f} {e}");
        }
        let refused = pipe(dir.path(), "rsa rdm - --metric sqeuclidean", &bytes(&(&x * scale), "f8"));
        refused.fails(1, &["two rows are", "f8 cannot hold", "--metric euclidean"]);
    }
}
