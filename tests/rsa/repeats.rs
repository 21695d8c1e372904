//! `rsa rdm` with metrics that count or take powers, and of repeated presentations, held against SciPy and rsatoolbox.

use crate::{designs, json, near_each, numbers, rdm, read_f8};
use ndarray::Array2;
use npy_stream::{Matrix, write_matrix};
use std::fs;
use std::path::Path;
use support::*;
use tempfile::tempdir;

fn save(path: &Path, matrix: Matrix, ids: &[&str]) {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &matrix, Some(&ids)).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn counts_maxima_and_powers_are_scipys() {
    let dir = designs();
    let path = dir.path();
    let expected = json(path, "pairwise.json");
    // as far as 30 powers of numbers of size 1 round
    let same = |what: &str, options: &str, file: &str| {
        let (found, _) = rdm(&run(path, &format!("rsa rdm -q --metric {options} {file}")).ok());
        near_each(what, &found, &numbers(&expected[what]), 1e-13);
    };
    same("chebyshev", "chebyshev", "patterns.npy");
    for p in ["0.5", "1", "1.5", "2", "2.7", "3", "inf"] {
        same(&format!("minkowski {p}"), &format!("minkowski --p {p}"), "patterns.npy");
    }
    same("minkowski 2", "minkowski", "patterns.npy");
    for metric in ["hamming", "jaccard"] {
        same(metric, metric, "rounded.npy");
    }
    // whole numbers are the same in f4, where counts are the same as well
    let (x, _) = read_f8(path, "rounded.npy");
    let names: Vec<String> = (0..12).map(|row| format!("s{row}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    save(&path.join("small.npy"), Matrix::F4(x.mapv(|v| v as f32)), &names);
    let (found, _) = rdm(&run(path, "rsa rdm -q --metric jaccard --dtype f8 small.npy").ok());
    assert_eq!(found, numbers(&expected["jaccard"]));
    run(path, "rsa rdm -q --metric minkowski --p inf patterns.npy -o inf.npy").ok();
    assert_eq!(json(path, "inf.json")["p"], "inf");
}

#[test]
fn repeated_presentations_are_rsatoolboxs_unbalanced_ones() {
    let dir = designs();
    let path = dir.path();
    let expected = json(path, "repeats.json");
    let stimuli = json(path, "rdms.json");
    for design in ["balanced", "unbalanced", "once"] {
        for (key, options) in [
            ("unbalanced_correlation", "--unbalanced"),
            ("unbalanced_correlation_cv", "--unbalanced --cv run --stimuli D.csv"),
            ("unbalanced_euclidean", "--unbalanced --metric sqeuclidean --per-channel"),
            ("unbalanced_mahalanobis", "--unbalanced --metric sqmahalanobis --per-channel --noise residuals.npy"),
            ("unbalanced_poisson", "--unbalanced --metric poisson --per-channel"),
            (
                "unbalanced_poisson_prior",
                "--unbalanced --metric poisson --per-channel --prior-rate 2.5 --prior-weight 0.4",
            ),
            ("correlation_cv_folds", "--metric correlation_cv --cv run --stimuli D.csv"),
            ("correlation_cv_pairs", "--metric correlation_cv --cv run --cv-weights pairs --stimuli D.csv"),
        ] {
            let options = options.replace('D', design);
            let (found, ids) = rdm(&run(path, &format!("rsa rdm -q {options} {design}.npy")).ok());
            near_each(&format!("{design} {key}"), &found, &numbers(&expected[design][key]), 1e-11);
            let names: Vec<&str> =
                stimuli[design]["stimuli"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
            assert_eq!(ids, names);
        }
        // one thing under two names
        let of = |metric: &str| {
            rdm(&run(
                path,
                &format!("rsa rdm -q --allow-nan --metric {metric} --cv run --stimuli {design}.csv {design}.npy"),
            )
            .ok())
            .0
        };
        near_each(design, &of("sqeuclidean_cv"), &of("crossnobis"), 0.0);
    }
}

#[test]
fn centring_and_whitening_go_with_correlations_of_repeats() {
    let dir = designs();
    let path = dir.path();
    // In a balanced design the mean over all stimuli of a run is the same for every stimulus: centring by hand first.
    let (x, ids) = read_f8(path, "balanced.npy");
    let runs: Vec<String> = fs::read_to_string(path.join("balanced.csv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|l| l.split(',').nth(2).unwrap().into())
        .collect();
    let mut centred = x.clone();
    for row in 0..x.nrows() {
        for column in 0..x.ncols() {
            let same: Vec<f64> = (0..x.nrows()).filter(|r| runs[*r] == runs[row]).map(|r| x[(r, column)]).collect();
            centred[(row, column)] -= same.iter().sum::<f64>() / same.len() as f64;
        }
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    save(&path.join("centred.npy"), Matrix::F8(centred), &ids);
    for options in ["--metric correlation_cv", "--unbalanced"] {
        let of = |more: &str| {
            rdm(&run(path, &format!("rsa rdm -q {options} --cv run --stimuli balanced.csv {more}")).ok()).0
        };
        let (found, by_hand, raw) = (of("--center balanced.npy"), of("centred.npy"), of("balanced.npy"));
        near_each(options, &found, &by_hand, 1e-11);
        assert!(found.iter().zip(&raw).any(|(a, b)| (a - b).abs() > 0.1), "{options}");
        let white = of("--noise residuals.npy balanced.npy");
        assert!(white.iter().zip(&raw).any(|(a, b)| (a - b).abs() > 1e-3), "{options}");
    }
}

#[test]
fn stimuli_without_a_reliable_pattern_are_counted() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let a = [0.3, 1.0, -2.0, 0.7];
    let x = Array2::from_shape_fn((6, 4), |(row, unit)| match row {
        0 | 3 => a[unit],
        1 => a[(unit + 1) % 4],
        4 => -a[(unit + 1) % 4],
        row => a[(unit + 2) % 4] + 0.1 * (row * unit) as f64,
    });
    save(&path.join("x.npy"), Matrix::F8(x.clone()), &["a", "b", "c", "a", "b", "c"]);
    let out = run(path, "rsa rdm --metric correlation_cv --allow-nan x.npy");
    assert!(out.stderr.contains("1 of 3 rows unusable (1 no_signal), the first is row 1 (\"b\")"), "{}", out.stderr);
    out.ok();
    let mut flat = x;
    flat.row_mut(2).fill(1.0);
    flat[(4, 1)] = f64::NAN;
    save(&path.join("flat.npy"), Matrix::F8(flat), &["a", "b", "c", "a", "b", "c"]);
    let out = run(path, "rsa rdm --unbalanced --allow-nan flat.npy");
    assert!(out.stderr.contains("2 of 3 rows unusable"), "{}", out.stderr);
    assert!(out.stderr.contains("1 constant") && out.stderr.contains("1 nan_input"), "{}", out.stderr);
    for metric in ["hamming", "jaccard", "chebyshev", "minkowski --p 3"] {
        let out = run(path, &format!("rsa rdm --by s --stimuli s.csv --allow-nan --metric {metric} flat.npy"));
        assert!(out.stderr.contains("s.csv"), "{}", out.stderr);
    }
}

#[test]
fn options_that_do_not_go_together_say_what_does() {
    let dir = designs();
    for (options, message) in [
        ("--p 3", "--p 3 is the power of --metric minkowski"),
        ("--metric minkowski --p 0", "a power is above 0"),
        ("--metric minkowski --p=-inf", "a power is above 0"),
        ("--metric minkowski --p two", "is not a number"),
        ("--metric jaccard --center", "--center with --metric jaccard"),
        ("--metric hamming --center", "made of differences"),
        ("--metric hamming --noise repeats", "whitened, none is"),
        ("--metric chebyshev --per-channel", "is not such a sum"),
        ("--metric correlation_cv --per-channel --cv run --stimuli once.csv", "is not such a sum"),
        ("--metric sqeuclidean_cv --noise residuals.npy", "say --metric crossnobis"),
        ("--metric cosine --unbalanced", "it is for correlation, sqeuclidean, sqmahalanobis and poisson"),
        ("--unbalanced --cv-weights pairs", "--cv-weights with --unbalanced"),
        ("--unbalanced --exclude-same run --stimuli once.csv", "--exclude-same with --unbalanced"),
        (
            "--unbalanced --metric sqeuclidean --cv run --stimuli once.csv",
            "is --metric sqeuclidean_cv --cv-weights pairs",
        ),
        ("--unbalanced --metric poisson --cv run --stimuli once.csv", "is --metric poisson_cv --cv-weights pairs"),
        ("--metric hamming --cv run --stimuli once.csv", "has none; it goes with crossnobis"),
        ("--metric correlation_cv patterns.npy", "1 fold; cross-validation multiplies different folds"),
    ] {
        let out = run(dir.path(), &format!("rsa rdm {options} once.npy"));
        assert!(out.code != 0 && out.stderr.contains(message), "{options}: {}", out.stderr);
    }
}
