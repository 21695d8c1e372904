//! `encode fit`: given folds, a held-out set, bands, delays, ceilings, and what is refused.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, though clippy cannot know it

use std::fs;
use std::path::Path;

use ndarray::{Array2, Axis, concatenate, s};
use support::*;

const N: usize = 36;

/// Ten features; voxels driven by the first four, by the others, by nothing, and a constant one; a table of runs.
fn place() -> (tempfile::TempDir, Array2<f64>, Array2<f64>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let x = noise(N, 10, 1);
    let mut y = 0.3 * noise(N, 4, 2);
    for row in 0..N {
        y[(row, 0)] += x.slice(s![row, ..4]).sum();
        y[(row, 1)] += x.slice(s![row, 4..]).sum();
    }
    y.column_mut(3).fill(5.0);
    save(&path.join("x.npy"), &x, Some(&ids(N)));
    save(&path.join("low.npy"), &x.slice(s![.., ..4]).to_owned(), Some(&ids(N)));
    save(&path.join("high.npy"), &x.slice(s![.., 4..]).to_owned(), Some(&ids(N)));
    save(&path.join("y.npy"), &y, Some(&ids(N)));
    let table = |of: &dyn Fn(usize) -> String| -> String { (0..N).map(|i| format!("s{i},{}\n", of(i))).collect() };
    let write = |name: &str, column: &str, text: String| {
        fs::write(path.join(name), format!("stimulus,{column}\n{text}")).unwrap();
    };
    write("runs.csv", "run", table(&|i| format!("r{}", i / 9)));
    write("halves.csv", "run", table(&|i| format!("r{}", i / 18)));
    write("folds.csv", "fold", table(&|i| format!("{}", i / 9)));
    (dir, x, y)
}

fn numbers(text: &str, name: &str) -> Vec<f64> {
    rows(text).iter().map(|row| row[name].parse().unwrap()).collect()
}

#[test]
fn runs_a_table_of_folds_and_contiguous_blocks_are_the_same_folds() {
    let (dir, ..) = place();
    let fit =
        |folds: &str| run(dir.path(), &format!("encode fit -q --x x.npy --y y.npy --alpha-cv loo {folds}")).text();
    let runs = fit("--cv run --stimuli runs.csv");
    assert_eq!(runs, fit("--cv @folds.csv"));
    // the fourth voxel is NaN
    assert_eq!(numbers(&runs, "r")[..3], numbers(&fit("--cv 4 --fold-order contiguous"), "r")[..3]);
    assert_ne!(runs, fit("--cv 4"));
    // with two given folds alpha is chosen by folds inside the one that is trained on
    let note = run(dir.path(), "encode fit --x x.npy --y y.npy --cv run --stimuli halves.csv");
    assert!(note.stderr.contains("2 folds of run; alpha by leave-one-out"), "{}", note.stderr);
    run(dir.path(), "encode fit --x x.npy --y y.npy --cv run").fails(1, &["--cv run", "--stimuli TABLE"]);
    run(dir.path(), "encode fit --x x.npy --y y.npy --stimuli runs.csv")
        .fails(1, &["--stimuli runs.csv", "leave it out"]);
}

#[test]
fn a_stimulus_on_both_sides_of_a_split_is_an_error() {
    let (dir, x, y) = place();
    let twice: Vec<String> = (0..2 * N).map(|row| format!("s{}", row % N)).collect();
    save(&dir.path().join("trials.npy"), &concatenate![Axis(0), y, y], Some(&twice));
    let table: String = (0..2 * N).map(|row| format!("s{},{}\n", row % N, row / N)).collect();
    fs::write(dir.path().join("trials.csv"), format!("stimulus,run\n{table}")).unwrap();
    let line = "encode fit --x x.npy --y trials.npy --stimuli trials.csv";
    for how in ["--cv run", "--test run=1"] {
        run(dir.path(), &format!("{line} {how}")).fails(1, &["36 of 36 stimuli", "both sides of a split", "\"s0\""]);
    }
    // the same picture under another name is only named
    let mut copies = x.clone();
    copies.row_mut(20).assign(&x.row(2));
    save(&dir.path().join("copies.npy"), &copies, Some(&ids(N)));
    let out = run(dir.path(), "encode fit --x copies.npy --y y.npy --cv @folds.csv");
    assert!(out.stderr.contains("1 pairs of rows") && out.stderr.contains("\"s2\" and \"s20\""), "{}", out.stderr);
}

#[test]
fn what_the_test_rows_hold_changes_no_penalty_and_no_weight() {
    let (dir, x, y) = place();
    let fit = |x: &Array2<f64>, y: &Array2<f64>| {
        save(&dir.path().join("x2.npy"), x, Some(&ids(N)));
        save(&dir.path().join("y2.npy"), y, Some(&ids(N)));
        let line = "encode fit -q --x x2.npy --y y2.npy --test run=r3 --stimuli runs.csv --cv 3 --save m.npz \
                    --predictions p.npy";
        let table = run(dir.path(), line).text();
        let (p, labels) = matrix(&fs::read(dir.path().join("p.npy")).unwrap());
        let predicted = run(dir.path(), "encode predict -q m.npz x.npy").ok();
        (rows(&table), p, labels, matrix(&predicted).0)
    };
    let (table, p, labels, model) = fit(&x, &y);
    assert_eq!(p.nrows(), 9);
    assert_eq!(labels.unwrap(), (27..36).map(|i| format!("s{i}")).collect::<Vec<_>>());
    assert!(table[0]["r"].parse::<f64>().unwrap() > 0.8 && table[3]["reason"] == "constant");
    assert_eq!(table[0]["n"], "9");
    let (mut other_x, mut other_y) = (x.clone(), y.clone());
    other_x.slice_mut(s![27.., ..]).mapv_inplace(|v| 40.0 * v * v);
    other_y.slice_mut(s![27.., ..3]).mapv_inplace(|v| 1e3 - 70.0 * v);
    let (scrambled, _, _, again) = fit(&other_x, &other_y);
    for (a, b) in table.iter().zip(&scrambled) {
        assert_eq!(a["alpha"], b["alpha"]);
    }
    for (a, b) in model.iter().zip(&again) {
        // sums over all rows held the others before they were taken out
        assert!((a - b).abs() < 1e-9 || a.is_nan() && b.is_nan(), "{a} {b}");
    }
    assert_ne!(table[0]["r"], scrambled[0]["r"]);
    run(dir.path(), "encode fit --x x.npy --y y.npy --test run=r9 --stimuli runs.csv")
        .fails(1, &["never is \"r9\"", "r0"]);
    fs::write(dir.path().join("test.csv"), "stimulus\ns1\ns2\nsx\n").unwrap();
    run(dir.path(), "encode fit --x x.npy --y y.npy --test @test.csv").fails(1, &["1 of 3 ids", "\"sx\"", "--inner"]);
}

#[test]
fn bands_find_what_drives_a_voxel_and_their_parts_sum() {
    let (dir, ..) = place();
    let path = dir.path();
    let line = "encode fit -q --band low=low.npy --band high=high.npy --y y.npy --n-iter 30 --split s.csv \
                --partition p.csv -o t.csv";
    run(path, line).ok();
    let read = |name: &str| rows(&fs::read_to_string(path.join(name)).unwrap());
    let (table, split, parts) = (read("t.csv"), read("s.csv"), read("p.csv"));
    let number = |row: &std::collections::HashMap<String, String>, name: &str| row[name].parse::<f64>().unwrap();
    assert!(number(&table[0], "weight_low") > 0.8 && number(&table[1], "weight_high") > 0.7);
    for (voxel, row) in table.iter().enumerate().take(3) {
        let of = |rows: &[std::collections::HashMap<String, String>], name: &str| -> f64 {
            rows.iter().filter(|part| part["voxel"] == voxel.to_string()).map(|part| number(part, name)).sum()
        };
        for name in ["r", "R2"] {
            within(of(&split, name), number(row, name), 1e-12);
        }
        let own: Vec<_> = parts.iter().filter(|part| part["voxel"] == voxel.to_string()).cloned().collect();
        let kinds: Vec<(&str, &str)> = own.iter().map(|row| (&*row["part"], &*row["bands"])).collect();
        let expected = [
            ("unique", "low"),
            ("unique", "high"),
            ("shared", "low+high"),
            ("total", "low+high"),
            ("model", "low"),
            ("model", "high"),
        ];
        assert_eq!(kinds, expected);
        let value = |k: usize| number(&own[k], "R2");
        within(value(0) + value(1) + value(2), value(3), 1e-12);
        within(value(3), number(row, "R2"), 1e-12);
        within(value(0), value(3) - value(5), 1e-12);
    }
    // driven by one band, a voxel loses all without it and nothing without the other
    let unique = |voxel: usize, k: usize| number(&parts[6 * voxel + k], "R2");
    assert!(unique(0, 0) > 0.6 && unique(0, 1) < 0.1 && unique(1, 1) > 0.6 && unique(1, 0) < 0.1);
    assert!(
        split.iter().filter(|row| row["voxel"] == "3").all(|row| row["R2"] == "NaN" && row["reason"] == "constant")
    );
    // one of two bands, with a weight of exactly 0 for the other, is that band alone
    save(&path.join("g.npy"), &ndarray::array![[1.0, 0.0]], None);
    let alone =
        run(path, "encode fit -q --x low.npy --y y.npy --absolute-alphas --alphas 0.1,1,10 --alpha-cv 4").text();
    let line = "encode fit -q --band low=low.npy --band high=high.npy --y y.npy --gammas g.npy --absolute-alphas \
                --alphas 0.1,1,10 --alpha-cv 4";
    let zero = run(path, line).text();
    for name in ["r", "R2", "alpha"] {
        for (a, b) in numbers(&alone, name).iter().zip(&numbers(&zero, name)) {
            assert!((a - b).abs() < 1e-9 || a.is_nan() && b.is_nan(), "{name}: {a} {b}");
        }
    }
}

#[test]
fn delays_stop_at_the_borders_of_runs() {
    let (dir, x, y) = place();
    let path = dir.path();
    let mut by_hand = Array2::zeros((N, 30));
    for row in 0..N {
        for (k, delay) in [1, 2, 4].into_iter().enumerate() {
            if row % 9 >= delay {
                by_hand.slice_mut(s![row, 10 * k..10 * k + 10]).assign(&x.row(row - delay));
            }
        }
    }
    let late = Array2::from_shape_fn((N, 1), |(row, _)| if row % 9 >= 2 { x[(row - 2, 3)] } else { 0.0 });
    save(&path.join("late.npy"), &concatenate![Axis(1), y.slice(s![.., ..2]), late], Some(&ids(N)));
    save(&path.join("hand.npy"), &by_hand, Some(&ids(N)));
    let folds = "--cv run --stimuli runs.csv";
    let found = run(path, &format!("encode fit -q --x x.npy --y late.npy --delays 1,2,4 --runs run {folds}")).text();
    assert_eq!(found, run(path, &format!("encode fit -q --x hand.npy --y late.npy {folds}")).text());
    assert!(numbers(&found, "r")[2] > 0.5);
    let line = format!("encode fit --x x.npy --y y.npy --runs run {folds}");
    run(path, &format!("{line} --delays 1,1")).fails(1, &["1 occurs twice"]);
    run(path, &format!("{line} --delays 9")).fails(1, &["9 rows", "longest run has 9"]);
}

#[test]
fn ceilings_of_the_right_kind_normalize_and_others_are_refused() {
    let (dir, _, y) = place();
    let path = dir.path();
    let trials = concatenate![Axis(0), &y + &(0.2 * noise(N, 4, 5)), &y + &(0.2 * noise(N, 4, 6))];
    let twice: Vec<String> = (0..2 * N).map(|row| format!("s{}", row % N)).collect();
    save(&path.join("trials.npy"), &trials, Some(&twice));
    run(path, "npy average trials.npy -o means.npy").ok();
    run(path, "ceiling voxel trials.npy -o two.csv").ok();
    run(path, "ceiling voxel trials.npy --trials 1 -o one.csv").ok();
    let table = run(path, "encode fit -q --x x.npy --y means.npy --ceiling two.csv").text();
    let bounds = fs::read_to_string(path.join("two.csv")).unwrap();
    for voxel in 0..2 {
        let of = |text: &str, name: &str| numbers(text, name)[voxel];
        within(of(&table, "r_norm"), of(&table, "r") / of(&bounds, "r_max"), 1e-12);
        within(of(&table, "r2_norm"), of(&table, "r2") / of(&bounds, "reliability"), 1e-12);
    }
    run(path, "encode fit -q --x x.npy --y trials.npy --ceiling one.csv").ok();
    run(path, "encode fit --x x.npy --y trials.npy --ceiling two.csv")
        .fails(1, &["averages over 2 trials", "72 rows", "36 stimuli", "--trials 1"]);
    run(path, "encode fit --x x.npy --y means.npy --ceiling runs.csv").fails(1, &["runs.csv", "voxel"]);
    run(path, "npy cols --index 0:2 means.npy -o two.npy").ok();
    run(path, "encode fit --x x.npy --y two.npy --ceiling two.csv").fails(1, &["voxel 2", "have 2"]);
}

#[test]
fn options_that_would_be_ignored_are_refused() {
    let (dir, ..) = place();
    save(&dir.path().join("g.npy"), &ndarray::array![[1.0]], None);
    for option in ["--n-iter 5", "--concentration 1", "--gammas g.npy", "--split s.csv", "--partition p.csv"] {
        run(dir.path(), &format!("encode fit --x x.npy --y y.npy {option}")).fails(2, &["--x", "cannot be used"]);
    }
    let refused = |options: &str, words: &[&str]| {
        run(dir.path(), &format!("encode fit --x x.npy --y y.npy {options}")).fails(1, words);
    };
    refused("--choose-by r", &["--choose-by r", "--alpha-cv 5"]);
    refused("--alpha-per area", &["--alpha-per area", "--regions TABLE"]);
    refused("--regions runs.csv", &["--regions", "--alpha-per is voxel"]);
    refused("--cv loo --score-over folds", &["1 rows", "fewer than 3", "--score-over pooled"]);
    refused("--test run=r1 --stimuli runs.csv --cv 3 --alpha-cv 4", &["--cv 3", "--alpha-cv", "one of the two"]);
    let bands = |options: &str, words: &[&str]| {
        run(dir.path(), &format!("encode fit --y y.npy {options}")).fails(1, words);
    };
    bands("--band a=low.npy --band a=high.npy", &["1 names for 2 bands"]);
    bands("--band a=low.npy --band b=high.npy --gammas g.npy", &["1 columns for 2 bands"]);
    bands("--band a=low.npy --partition p.csv", &["--partition", "1 bands", "2 to 6"]);
    assert!(!Path::new("s.csv").exists());
}
