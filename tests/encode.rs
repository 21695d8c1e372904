//! `encode`: models of known truth, of scikit-learn's numbers, and what it says when the input is wrong.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

use brain_formats::Geometry;
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use ndarray::{Array1, Array2, Axis, concatenate, s};
use npy_stream::{Dtype, Matrix, write_labels, write_matrix, write_vector};
use serde_json::Value;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Cursor, Read, Write};
use std::path::Path;
use support::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const HEADER: &str = "voxel,r,r2,R2,alpha,alpha_at_edge,n,reason,cv_score";

/// `x.npy` (30 x 6) and `y.npy` (30 x 4), y = x w without noise, plus an offset.
fn linear() -> (tempfile::TempDir, Array2<f64>, Array2<f64>) {
    let dir = tempfile::tempdir().unwrap();
    let x = noise(30, 6, 1);
    let y = x.dot(&noise(6, 4, 2)) + 3.0;
    save(&dir.path().join("x.npy"), &x, Some(&ids(30)));
    save(&dir.path().join("y.npy"), &y, Some(&ids(30)));
    (dir, x, y)
}

/// Features and responses that have nothing to do with each other; more features than stimuli.
fn unrelated() -> (tempfile::TempDir, Array2<f64>, Array2<f64>) {
    let dir = tempfile::tempdir().unwrap();
    let (x, y) = (noise(40, 100, 3), noise(40, 5, 4));
    save(&dir.path().join("x.npy"), &x, Some(&ids(40)));
    save(&dir.path().join("y.npy"), &y, Some(&ids(40)));
    (dir, x, y)
}

fn column(csv: &str, name: &str) -> Vec<f64> {
    rows(csv).iter().map(|row| row[name].parse().unwrap()).collect()
}

#[track_caller]
fn close(got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance * expected.abs().max(1.0), "{got} is not {expected}");
}

/// The `.npy` members of an archive.
fn members(path: &Path) -> HashMap<String, Vec<u8>> {
    let mut archive = ZipArchive::new(File::open(path).unwrap()).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    let read = |name: String| {
        let mut bytes = Vec::new();
        archive.by_name(&name).unwrap().read_to_end(&mut bytes).unwrap();
        (name.trim_end_matches(".npy").to_string(), bytes)
    };
    names.into_iter().map(read).collect()
}

fn vector(bytes: &[u8]) -> Array1<f64> {
    Array1::from(arrays(bytes).remove(0).values.into_f64())
}

fn write_members(path: &Path, members: &[(&str, &[u8])], method: CompressionMethod) {
    let mut archive = ZipWriter::new(File::create(path).unwrap());
    for (name, bytes) in members {
        archive.start_file(format!("{name}.npy"), SimpleFileOptions::default().compression_method(method)).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn responses_without_noise_are_predicted() {
    let (dir, ..) = linear();
    let out = run(dir.path(), "encode fit --x x.npy --y y.npy --alphas 1e-12:1:13 --no-extend");
    let note = out.stderr.clone();
    let text = out.text();
    assert_eq!(text.lines().next().unwrap(), HEADER);
    for (voxel, row) in rows(&text).iter().enumerate() {
        assert_eq!(row["voxel"], voxel.to_string());
        let number = |name: &str| row[name].parse::<f64>().unwrap();
        close(number("r"), 1.0, 1e-9);
        close(number("R2"), 1.0, 1e-9);
        // six standardized features: the scale is 6, and nothing is better than the least penalty
        close(number("alpha"), 6e-12, 1e-9);
        assert_eq!((&*row["alpha_at_edge"], &*row["n"], &*row["reason"]), ("true", "30", ""));
    }
    assert!(note.contains("30 stimuli (30 rows), 6 features, 4 voxels; 5 folds, shuffled by seed 0;"), "{note}");
    assert!(note.contains("alpha by leave-one-out; primal"), "{note}");
    assert!(note.contains("encode: warning: the best alpha is the lowest or highest tried in some fold for 4 of 4 voxels: 4 at the lowest, 0 at the highest"), "{note}");
}

#[test]
fn scores_and_predictions_are_scikit_learns() {
    let golden = root().join("testdata/golden/ridge");
    for name in ["tall", "wide"] {
        let expected: Value = serde_json::from_slice(&fs::read(golden.join(format!("{name}.json"))).unwrap()).unwrap();
        for (how, option) in [("loo", "loo"), ("folds", "5")] {
            let dir = tempfile::tempdir().unwrap();
            let at = |what: &str| golden.join(format!("{name}-{what}.npy")).display().to_string();
            let line = format!(
                "encode fit --x {} --y {} --cv 5 --fold-order contiguous --alphas 1e-4:1e2:13 --no-extend --score-over folds --alpha-cv {option} \
                 --predictions p.npy",
                at("x"),
                at("y")
            );
            let text = run(dir.path(), &line).text();
            let (predicted, labels) = matrix(&fs::read(dir.path().join("p.npy")).unwrap());
            let (reference, _) = matrix(&fs::read(at(&format!("{how}-predictions"))).unwrap());
            let (responses, _) = matrix(&fs::read(at("y")).unwrap());
            let folds = expected["fold_of_row"].as_array().unwrap();
            let fold_of_row: Vec<u64> = folds.iter().map(|fold| fold.as_u64().unwrap()).collect();
            assert_eq!(labels, matrix(&fs::read(at("y")).unwrap()).1);
            let table = rows(&text);
            for voxel in 0..5 {
                for (got, want) in predicted.column(voxel).iter().zip(reference.column(voxel)) {
                    // f64, and the penalty keeps the condition of the systems below 1e5
                    close(*got, *want, 1e-9);
                }
                // the reference's predictions, fold by fold, around the mean of the other rows
                let (mut r, mut explained) = (0.0, 0.0);
                for fold in 0..5 {
                    let of = |inside: bool, from: &Array2<f64>| -> Vec<f64> {
                        let rows = (0..from.nrows()).filter(|&row| (fold_of_row[row] == fold) == inside);
                        rows.map(|row| from[(row, voxel)]).collect()
                    };
                    let (p, y) = (of(true, &reference), of(true, &responses));
                    let mean = statistics::mean(&of(false, &responses));
                    r += statistics::pearson(&p, &y) / 5.0;
                    let squares = |of: &dyn Fn(usize) -> f64| (0..y.len()).map(|i| of(i).powi(2)).sum::<f64>();
                    explained += (1.0 - squares(&|i| y[i] - p[i]) / squares(&|i| y[i] - mean)) / 5.0;
                }
                close(table[voxel]["r"].parse().unwrap(), r, 1e-9);
                close(table[voxel]["R2"].parse().unwrap(), explained, 1e-9);
            }
            for (voxel, reason) in [(5, "constant"), (6, "nan_input")] {
                let row = &table[voxel];
                assert!(["r", "r2", "R2", "alpha"].iter().all(|name| row[*name] == "NaN"));
                assert_eq!((&*row["reason"], &*row["alpha_at_edge"]), (reason, ""));
                assert!(predicted.column(voxel).iter().all(|v| v.is_nan()));
            }
        }
    }
}

#[test]
fn rows_in_another_order_change_nothing_but_a_line_on_stderr() {
    let (dir, x, y) = unrelated();
    let order: Vec<usize> = (0..40).map(|i| (i * 7 + 3) % 40).collect();
    let labels: Vec<String> = order.iter().map(|i| format!("s{i}")).collect();
    save(&dir.path().join("x2.npy"), &x.select(Axis(0), &order), Some(&labels));
    save(&dir.path().join("y2.npy"), &y.select(Axis(0), &order), Some(&labels));
    let plain = run(dir.path(), "encode fit --x x.npy --y y.npy");
    assert!(!plain.stderr.contains("joined"), "{}", plain.stderr);
    let plain = plain.text();
    let permuted = run(dir.path(), "encode fit --x x2.npy --y y.npy --predictions p.npy");
    assert!(permuted.stderr.contains("rows of x2.npy brought into the order of y.npy"), "{}", permuted.stderr);
    assert_eq!(permuted.text(), plain);
    assert_eq!(matrix(&fs::read(dir.path().join("p.npy")).unwrap()).1, Some(ids(40)));
    // The folds are those of the ids; only sums run in another order.
    let other = run(dir.path(), "encode fit --x x.npy --y y2.npy --predictions p2.npy").text();
    for name in ["r", "R2", "alpha"] {
        for (got, want) in column(&other, name).into_iter().zip(column(&plain, name)) {
            close(got, want, 1e-10);
        }
    }
    assert_eq!(matrix(&fs::read(dir.path().join("p2.npy")).unwrap()).1.unwrap(), labels);
    let again = run(dir.path(), "encode fit --x x2.npy --y y2.npy").text();
    assert_eq!(again, other);
}

#[test]
fn foreign_and_missing_ids_stop_unless_inner_is_said() {
    let (dir, x, y) = linear();
    let mut labels = ids(30);
    labels[4] = "zebra".into();
    save(&dir.path().join("foreign.npy"), &x, Some(&labels));
    let line = "encode fit --x foreign.npy --y y.npy";
    run(dir.path(), line).fails(1, &["30 distinct ids", "row 4", "\"s4\"", "--inner keeps the 29"]);
    let inner = run(dir.path(), &format!("{line} --inner --predictions p.npy")).text();
    assert_eq!(rows(&inner)[0]["n"], "29");
    assert!(!matrix(&fs::read(dir.path().join("p.npy")).unwrap()).1.unwrap().contains(&"s4".to_string()));
    save(&dir.path().join("bare.npy"), &x, None);
    save(&dir.path().join("bare_y.npy"), &y, None);
    run(dir.path(), "encode fit --x bare.npy --y y.npy").fails(1, &["without", "npy label", "--assume-order"]);
    let by_position = run(dir.path(), "encode fit --x bare.npy --y bare_y.npy --assume-order --save m.npz");
    assert!(by_position.stderr.contains("bare"), "{}", by_position.stderr);
    by_position.ok();
    assert!(!members(&dir.path().join("m.npz")).contains_key("stimuli"));
    save(&dir.path().join("short.npy"), &y.slice(s![..20, ..]).to_owned(), None);
    run(dir.path(), "encode fit --x bare.npy --y short.npy --assume-order").fails(1, &["30", "20"]);
}

#[test]
fn repeats_of_a_stimulus_never_sit_on_both_sides() {
    let (dir, x, y) = unrelated();
    // Every row twice: whoever trains on the twin of a row knows its answer.
    let twice = |m: &Array2<f64>| concatenate![Axis(0), m.view(), m.view()];
    let labels = [ids(40), ids(40)].concat();
    save(&dir.path().join("x2.npy"), &twice(&x), Some(&labels));
    save(&dir.path().join("y2.npy"), &twice(&y), Some(&labels));
    for (features, order) in [("x2", "shuffled"), ("x", "shuffled"), ("x2", "contiguous")] {
        let line = format!("encode fit --x {features}.npy --y y2.npy --fold-order {order} --predictions p.npy");
        let out = run(dir.path(), &line);
        assert!(
            out.stderr.contains("40 stimuli (80 rows)") && out.stderr.contains("alpha by 5 folds"),
            "{}",
            out.stderr
        );
        let text = out.text();
        assert!(column(&text, "r").iter().all(|r| *r < 0.5), "{text}");
        let (p, _) = matrix(&fs::read(dir.path().join("p.npy")).unwrap());
        assert_eq!(p.slice(s![..40, ..]), p.slice(s![40.., ..]));
    }
    // Without ids every row counts as its own stimulus, and the twins do give it away: the test can fail.
    save(&dir.path().join("x3.npy"), &twice(&x), None);
    save(&dir.path().join("y3.npy"), &twice(&y), None);
    let leaking = run(dir.path(), "encode fit --x x3.npy --y y3.npy --assume-order").text();
    assert!(column(&leaking, "r").iter().all(|r| *r > 0.5), "{leaking}");
    run(dir.path(), "encode fit --x x2.npy --y y2.npy --alpha-cv loo")
        .fails(1, &["--alpha-cv loo", "80 rows of 40 stimuli", "a number of folds", "npy average"]);
    run(dir.path(), "encode fit --x x2.npy --y y2.npy --cv 41").fails(1, &["--cv: 41 folds", "40 distinct stimuli"]);
}

#[test]
fn a_response_has_no_part_in_its_own_prediction() {
    let (dir, _, y) = unrelated();
    let mut changed = y.clone();
    changed.row_mut(7).fill(1e3);
    save(&dir.path().join("changed.npy"), &changed, Some(&ids(40)));
    let predicted = |file: &str| {
        run(dir.path(), &format!("encode fit -q --x x.npy --y {file} --cv 8 --predictions p.npy")).ok();
        matrix(&fs::read(dir.path().join("p.npy")).unwrap()).0
    };
    let (before, after) = (predicted("y.npy"), predicted("changed.npy"));
    assert_eq!(before.row(7), after.row(7));
    assert_ne!(before.row(8), after.row(8));
}

#[test]
fn the_saved_model_is_the_ridge_solution_and_predicts() {
    for (name, (dir, x, y)) in [("primal", linear()), ("dual", unrelated())] {
        for scaling in ["", "--no-scale"] {
            let line = format!("encode fit --x x.npy --y y.npy {scaling} --alphas 0.01:10:7 --save model.npz");
            let out = run(dir.path(), &line);
            assert!(out.stderr.contains(name), "{}", out.stderr);
            out.ok();
            let m = members(&dir.path().join("model.npz"));
            let (coef, _) = matrix(&m["coef"]);
            let (intercept, alpha) = (vector(&m["intercept"]), vector(&m["alpha"]));
            let (x_mean, x_scale) = (vector(&m["x_mean"]), vector(&m["x_scale"]));
            assert_eq!(vector(&m["version"]), Array1::from(vec![2.0]));
            assert_eq!(coef.dim(), (x.ncols(), y.ncols()));
            if scaling.is_empty() {
                assert!(x_scale.iter().zip(&x.std_axis(Axis(0), 0.0)).all(|(a, b)| (a - b).abs() < 1e-12));
            } else {
                assert!(x_scale.iter().all(|s| *s == 1.0));
            }
            let by_hand = x.dot(&coef) + &intercept;
            let predicted = run(dir.path(), "encode predict model.npz x.npy");
            assert!(
                predicted.stderr.contains(&format!("{0} of {0} rows are stimuli the model was trained on", x.nrows()))
            );
            let bytes = predicted.ok();
            let (predicted, labels) = matrix(&bytes);
            assert_eq!(labels, Some(ids(x.nrows())));
            assert!(predicted.iter().zip(&by_hand).all(|(a, b)| (a - b).abs() < 1e-12));
            // Normal equations: Z'(y - prediction) = alpha w, with Z the scaled features and w = coef x_scale.
            let z = (&x - &x_mean) / &x_scale;
            let left = z.t().dot(&(&y - &by_hand));
            let right = &(&coef * &x_scale.insert_axis(Axis(1))) * &alpha;
            assert!(left.iter().zip(&right).all(|(a, b)| (a - b).abs() < 1e-9), "{left} {right}");
            assert!((&y - &by_hand).sum_axis(Axis(0)).iter().all(|sum| sum.abs() < 1e-10));
            let piped = pipe(dir.path(), "encode predict model.npz", &fs::read(dir.path().join("x.npy")).unwrap());
            assert_eq!(piped.ok(), bytes);
        }
    }
}

#[test]
fn predict_takes_a_stream_and_counts_what_it_cannot_predict() {
    let (dir, x, mut y) = linear();
    y.column_mut(1).fill(5.0);
    y[(3, 2)] = f64::NAN;
    save(&dir.path().join("y.npy"), &y, Some(&ids(30)));
    run(dir.path(), "encode fit --x x.npy --y y.npy --save model.npz").ok();
    let mut fresh = noise(300, 6, 9);
    fresh[(280, 5)] = f64::NAN;
    let labels: Vec<String> = (0..300).map(|i| format!("new{i}")).collect();
    let mut bytes = bytes_of(&fresh, Some(&labels));
    bytes.extend(bytes_of(&x.slice(s![..2, ..]).to_owned(), None));
    let out = pipe(dir.path(), "encode predict model.npz -", &bytes);
    assert!(out.stderr.contains("2 of 4 voxels of the model could not be fitted"), "{}", out.stderr);
    assert!(out.stderr.contains("warning: stdin: 1 of 300 rows have NaN or infinite features"), "{}", out.stderr);
    assert!(!out.stderr.contains("trained on"), "{}", out.stderr);
    let both = arrays(&out.ok());
    assert_eq!(both.len(), 2);
    assert_eq!((both[0].labels.ids.clone(), &both[1].labels.ids), (Some(labels), &None));
    let (p, _) = both[0].clone().into_matrix().unwrap();
    let p = p.into_f64();
    assert!(p.column(1).iter().chain(p.column(2)).chain(p.row(280)).all(|v| v.is_nan()));
    assert_eq!(p.iter().filter(|v| v.is_nan()).count(), 300 * 2 + 2);
    save(&dir.path().join("narrow.npy"), &noise(3, 5, 1), None);
    run(dir.path(), "encode predict model.npz narrow.npy").fails(1, &["narrow.npy", "5 features", "fitted to 6"]);
}

#[test]
fn hostile_models_are_refused_in_one_line() {
    let (dir, ..) = linear();
    let path = dir.path().join("model.npz");
    run(dir.path(), "encode fit --x x.npy --y y.npy --save model.npz").ok();
    let whole = fs::read(&path).unwrap();
    let cut = dir.path().join("cut.npz");
    let line = "encode predict cut.npz x.npy";
    for length in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        fs::write(&cut, &whole[..length]).unwrap();
        run(dir.path(), line).fails(1, &["encode: cut.npz: "]);
    }
    // One wrong byte anywhere in the numbers is found by the checksum.
    let mut flipped = whole.clone();
    let coef = whole.windows(8).position(|w| w == b"coef.npy").unwrap();
    flipped[coef + 8 + 128 + 40] ^= 1;
    fs::write(&cut, &flipped).unwrap();
    run(dir.path(), line).fails(1, &["cut.npz", "coef"]);
    fs::write(&cut, "voxel,r\n0,1\n").unwrap();
    run(dir.path(), line).fails(1, &["cut.npz: not a whole .npz archive", "encode fit --save"]);
    run(dir.path(), "encode predict nowhere.npz x.npy").fails(1, &["nowhere.npz"]);
    run(dir.path(), "encode predict y.npy x.npy").fails(1, &["y.npy: not a whole .npz archive"]);

    let m = members(&path);
    let parts = |skip: &str, instead: &[u8]| -> Vec<(&'static str, Vec<u8>)> {
        let bytes = |name: &str| if name == skip { instead.to_vec() } else { m[name].clone() };
        ["version", "coef", "intercept", "stimuli"].into_iter().map(|name| (name, bytes(name))).collect()
    };
    let write = |parts: &[(&'static str, Vec<u8>)], method| {
        let borrowed: Vec<(&str, &[u8])> = parts.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        write_members(&cut, &borrowed, method);
    };
    write(&parts("", &[]), CompressionMethod::Stored);
    run(dir.path(), line).ok();
    let vector_of = |values: &[f64]| {
        let mut bytes = Vec::new();
        write_vector(&mut bytes, values, Dtype::F8, npy_stream::LabelsRef::default()).unwrap();
        bytes
    };
    let mut huge = bytes_of(&noise(6, 4, 1), None);
    let at = huge.windows(6).position(|w| w == b"(6, 4)").unwrap();
    let shape = b"(99999999999, 99999), }";
    huge.splice(at..at + shape.len(), shape.iter().copied());
    let mut text = Vec::new();
    write_labels(&mut text, &ids(3)).unwrap();
    for (skip, instead, part) in [
        ("version", vector_of(&[3.0]), "version [3.0]"),
        ("coef", vector_of(&[1.0]), "coef has shape [1]"),
        ("coef", huge, "coef"),
        ("coef", text, "coef"),
        ("coef", b"\x93NUMPY".to_vec(), "coef"),
        ("intercept", vector_of(&[1.0]), "1 intercepts for the 4 voxels"),
        ("intercept", bytes_of(&noise(2, 2, 1), None), "intercept has shape [2, 2]"),
        ("stimuli", vector_of(&[1.0]), "stimuli"),
    ] {
        write(&parts(skip, &instead), CompressionMethod::Stored);
        run(dir.path(), line).fails(1, &["cut.npz", part]);
    }
    let mut without = parts("", &[]);
    without.remove(1);
    write(&without, CompressionMethod::Stored);
    run(dir.path(), line).fails(1, &["cut.npz", "no readable member \"coef\""]);
    sh(dir.path(), "encode predict <(cat model.npz) x.npy").fails(1, &["regular file"]);
}

#[test]
fn unusable_voxels_keep_their_row_and_spoil_no_other() {
    let (dir, _, y) = linear();
    let plain = run(dir.path(), "encode fit --x x.npy --y y.npy").text();
    let mut broken = y.clone();
    broken.column_mut(1).fill(2.0);
    broken[(0, 3)] = f64::INFINITY;
    save(&dir.path().join("broken.npy"), &broken, Some(&ids(30)));
    let out = run(dir.path(), "encode fit --x x.npy --y broken.npy");
    assert!(out.stderr.contains("2 of 4 voxels unusable: 1 constant, 1 nan_input"), "{}", out.stderr);
    let text = out.text();
    let (was, is): (Vec<&str>, Vec<&str>) = (plain.lines().collect(), text.lines().collect());
    assert_eq!((was[1], was[3]), (is[1], is[3]));
    assert_eq!((is[2], is[4]), ("1,NaN,NaN,NaN,NaN,,30,constant,NaN", "3,NaN,NaN,NaN,NaN,,30,nan_input,NaN"));
    let json = run(dir.path(), "encode fit -q --x x.npy --y broken.npy --format jsonl").text();
    let row: Value = serde_json::from_str(json.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&row["voxel"], &row["r"], &row["alpha_at_edge"]), (&1.into(), &"NaN".into(), &Value::Null));
    let tsv = run(dir.path(), "encode fit -q --x x.npy --y broken.npy --format tsv").text();
    assert_eq!(tsv.lines().next().unwrap(), HEADER.replace(',', "\t"));
}

#[test]
fn what_cannot_be_fitted_is_said_before_the_work() {
    let (dir, x, y) = linear();
    let path = dir.path();
    let mut broken = x.clone();
    broken[(4, 2)] = f64::NAN;
    save(&path.join("nan.npy"), &broken, Some(&ids(30)));
    run(path, "encode fit --x nan.npy --y y.npy").fails(1, &["nan.npy: row 4 (\"s4\"), column 2 is NaN", "npy cols"]);
    // the row is named as it stands in the file, however it is joined
    let backwards: Vec<usize> = (0..30).rev().collect();
    let labels: Vec<String> = backwards.iter().map(|i| format!("s{i}")).collect();
    save(&path.join("nan2.npy"), &broken.select(Axis(0), &backwards), Some(&labels));
    run(path, "encode fit --x nan2.npy --y y.npy").fails(1, &["nan2.npy: row 25 (\"s4\"), column 2"]);
    run(path, "encode fit --x x.npy --y y.npy --cv 31").fails(1, &["--cv: 31 folds, but only 30 distinct stimuli"]);
    run(path, "encode fit --x x.npy --y y.npy --cv 1").fails(2, &["1 folds", "at least 2"]);
    run(path, "encode fit --x x.npy --y y.npy --alpha-cv 31").fails(1, &["--alpha-cv: 31 folds", "30"]);
    run(path, "encode fit --x x.npy --y y.npy --alpha-cv 1").fails(2, &["loo or a number of folds"]);
    run(path, "encode fit --x x.npy --y y.npy --alphas 10:1:3").fails(2, &["10", "lower end first"]);
    run(path, "encode fit --x x.npy").fails(2, &["--y"]);
    save(&path.join("two.npy"), &y.slice(s![..2, ..]).to_owned(), Some(&ids(2)));
    run(path, "encode fit --x x.npy --y two.npy --inner --cv 2").fails(1, &["2 rows together", "at least 3"]);
    save(&path.join("none.npy"), &Array2::zeros((30, 0)), Some(&ids(30)));
    run(path, "encode fit --x none.npy --y y.npy").fails(1, &["none.npy: 0 features"]);
    run(path, "encode fit --x x.npy --y none.npy").fails(1, &["none.npy: 0 voxels"]);
    fs::write(path.join("empty.npy"), b"").unwrap();
    fs::write(path.join("text.npy"), "stimulus,beta\na,1\n").unwrap();
    run(path, "encode fit --x empty.npy --y y.npy").fails(1, &["empty.npy"]);
    run(path, "encode fit --x x.npy --y text.npy").fails(1, &["text.npy", "text; `npy from-csv`"]);
    fs::write(path.join("both.npy"), [bytes_of(&y, Some(&ids(30))), bytes_of(&y, Some(&ids(30)))].concat()).unwrap();
    run(path, "encode fit --x x.npy --y both.npy").fails(1, &["both.npy: holds 2 matrices", "npy cat --array"]);
    run(path, "encode fit --x - --y -").fails(1, &["stdin"]);
    run(path, "encode fit --x x.npy --y y.npy --save no/such/m.npz").fails(1, &["no/such"]);
    run(path, "encode fit --x x.npy --y y.npy -o a.csv --save a.csv").fails(1, &["a.csv: is both --save and -o"]);
    run(path, "encode fit --x x.npy --y y.npy --predictions -").fails(1, &["--predictions -", "stdout"]);
    assert!(!path.join("a.csv").exists());
}

#[test]
fn files_and_pipes_and_threads_give_the_same_bytes() {
    let (dir, ..) = unrelated();
    let path = dir.path();
    let line = "encode fit --x x.npy --y y.npy --save m.npz --predictions p.npy --threads";
    let of = |threads: usize| {
        let table = run(path, &format!("{line} {threads}")).ok();
        (table, fs::read(path.join("m.npz")).unwrap(), fs::read(path.join("p.npy")).unwrap())
    };
    let one = of(1);
    assert_eq!(one, of(2));
    assert_eq!(one, of(5));
    let (x, y) = (fs::read(path.join("x.npy")).unwrap(), fs::read(path.join("y.npy")).unwrap());
    assert_eq!(pipe(path, "encode fit --x - --y y.npy", &x).ok(), one.0);
    assert_eq!(pipe(path, "encode fit --x x.npy --y -", &y).ok(), one.0);
    let seeded = run(path, "encode fit --x x.npy --y y.npy --seed 1").ok();
    assert_ne!(seeded, one.0);
}

#[test]
fn f4_in_is_f4_out() {
    let (dir, x, y) = linear();
    for (name, m) in [("x4.npy", &x), ("y4.npy", &y)] {
        let single = Matrix::F4(m.mapv(|v| v as f32));
        write_matrix(File::create(dir.path().join(name)).unwrap(), &single, Some(&ids(30))).unwrap();
    }
    let dtype = |bytes: &[u8]| String::from_utf8_lossy(&bytes[20..25]).into_owned();
    for (features, responses, expected) in [("x4", "y4", "'<f4'"), ("x", "y4", "'<f8'"), ("x4", "y", "'<f8'")] {
        let line = format!("encode fit --x {features}.npy --y {responses}.npy --save m.npz --predictions p.npy");
        assert!(column(&run(dir.path(), &line).text(), "r").iter().all(|r| *r > 0.99999));
        assert_eq!(dtype(&fs::read(dir.path().join("p.npy")).unwrap()), expected);
    }
    assert_eq!(dtype(&run(dir.path(), "encode predict m.npz x4.npy").ok()), "'<f4'");
    assert_eq!(dtype(&run(dir.path(), "encode predict m.npz x.npy").ok()), "'<f8'");
}

#[test]
fn the_sidecar_says_how_it_was_made() {
    let (dir, ..) = linear();
    let line = "encode fit --x x.npy --y y.npy --cv 6 --seed 11 --alphas 1e-3:1e3:7 --alpha-cv 4 --no-scale --save m.npz \
                --predictions p.npy -o scores.csv";
    run(dir.path(), line).ok();
    for side in ["m.json", "p.json", "scores.json"] {
        let side: Value = serde_json::from_slice(&fs::read(dir.path().join(side)).unwrap()).unwrap();
        for (key, value) in [
            ("tool", "encode".into()),
            ("folds", 6.into()),
            ("fold_plan", "6 folds, shuffled by seed 11".into()),
            ("seed", 11.into()),
            ("alphas", "1e-3:1e3:7".into()),
            ("alpha_cv", 4.into()),
            ("scaling", "centre".into()),
            ("solver", "primal".into()),
            ("n_stimuli", 30.into()),
        ] as [(&str, Value); 9]
        {
            assert_eq!(side[key], value, "{key}");
        }
        assert_eq!(side["inputs"].as_array().unwrap().len(), 2);
        assert_eq!(side["inputs"][0]["sha256"].as_str().unwrap().len(), 64);
    }
    // Features as f4 are multiplied so where there are more of them than training rows, and only there.
    for (n_features, dtype, expected) in
        [(40, "f4", "products of features in f4, all else in f8"), (40, "f8", "f8"), (5, "f4", "f8")]
    {
        let folder = tempfile::tempdir().unwrap();
        save(&folder.path().join("f8.npy"), &noise(30, n_features, 3), Some(&ids(30)));
        save(&folder.path().join("y.npy"), &noise(30, 2, 4), Some(&ids(30)));
        sh(folder.path(), "npy to-csv f8.npy | npy from-csv --dtype f4 -o f4.npy").ok();
        run(folder.path(), &format!("encode fit --x {dtype}.npy --y y.npy -o s.csv")).ok();
        let side: Value = serde_json::from_slice(&fs::read(folder.path().join("s.json")).unwrap()).unwrap();
        assert_eq!((&side["arithmetic"], n_features < 24), (&expected.into(), side["solver"] == "primal"));
    }
    // whole or not at all: no temporary file is left
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 8, "{names:?}");
}

#[test]
fn closed_pipes_full_disks_and_cut_input() {
    let (dir, ..) = linear();
    let path = dir.path();
    let wide = noise(30, 3000, 5);
    save(&path.join("wide.npy"), &wide, Some(&ids(30)));
    run(path, "encode fit -q --x x.npy --y wide.npy --save m.npz").ok();
    for line in ["encode fit -q --x x.npy --y wide.npy", "encode predict -q m.npz x.npy"] {
        let head = sh(path, &format!("{line} | head -c 100"));
        assert!(!head.stderr.contains("panicked"), "{}", head.stderr);
        assert_eq!(head.ok().len(), 100);
        sh(path, &format!("{line} > /dev/full")).fails(1, &["No space"]);
    }
    sh(path, "encode fit -q --x x.npy --y wide.npy --save /dev/full").fails(1, &["No space"]);
    sh(path, "encode fit -q --x x.npy --y wide.npy --predictions /dev/full").fails(1, &["No space"]);
    run(path, "encode fit -q --x x.npy --y y.npy --save m.npz").ok();
    let x = fs::read(path.join("x.npy")).unwrap();
    for length in [0, 5, 100, 900, 1600] {
        pipe(path, "encode fit --x - --y y.npy", &x[..length]).fails(1, &["stdin"]);
        pipe(path, "encode predict m.npz", &x[..length]).fails(1, &["stdin"]);
    }
    sh(path, "head -c 1000 x.npy | encode predict m.npz -o p.npy").fails(1, &["stdin"]);
    assert!(!path.join("p.npy").exists());
}

#[test]
fn the_examples_of_the_help_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let acts = noise(30, 8, 1);
    let trials: Vec<String> = ids(30).into_iter().chain(ids(30)).collect();
    let folds: String = (0..30).map(|i| format!("s{i},{}\n", i % 5)).collect();
    fs::create_dir(path.join("sub-01")).unwrap();
    save(&path.join("acts.npy"), &acts, Some(&ids(30)));
    save(&path.join("ffa.npy"), &noise(30, 3, 2), Some(&ids(30)));
    save(&path.join("sub-01/ffa.npy"), &noise(60, 3, 3), Some(&trials));
    fs::write(path.join("face_units.csv"), "array,unit,n_units\nacts,1,8\nacts,4,8\n").unwrap();
    fs::write(path.join("folds.csv"), format!("stimulus,fold\n{folds}")).unwrap();
    fs::write(path.join("trials.csv"), format!("stimulus,fold\n{folds}")).unwrap();
    let grid = Geometry::from_sizes([3, 1, 1], [2.0; 3]);
    let volumes: Vec<Vec<f32>> =
        noise(30, 3, 5).rows().into_iter().map(|row| row.mapv(|v| v as f32).to_vec()).collect();
    let mut bold = Vec::new();
    for volume in &volumes {
        write_volume(&mut bold, Voxels::F4(volume), &grid, Intent::None, true).unwrap();
    }
    fs::write(path.join("bold.nii.gz"), bold).unwrap();
    let mask = fs::File::create(path.join("brain.nii.gz")).unwrap();
    write_volume(mask, Voxels::Labels(&[1, 1, 1]), &grid, Intent::None, true).unwrap();
    for band in ["early", "late"] {
        save(&path.join(format!("{band}.npy")), &noise(30, 3, 4), Some(&ids(30)));
    }
    for verb in ["", "fit", "predict", "score", "compare", "weights"] {
        let text = run(path, &format!("encode {verb} --help")).text();
        let examples: Vec<&str> = text.split("Examples:").nth(1).unwrap().lines().filter(|l| !l.is_empty()).collect();
        let continued = examples.iter().filter(|line| line.ends_with('\\')).count();
        assert_eq!(examples.len() - continued, 3, "{text}");
        sh(path, &format!("set -e\n{}", examples.join("\n"))).ok();
    }
    assert!(path.join("model.npz").exists() && path.join("held_out.json").exists());
}

/// Kay and Yeatman (2017), FFA of one person, from EfficientNet-lite0 `pool`: r between .87 and .92.
#[test]
fn ffa_of_kay_and_yeatman_is_predicted_from_a_network() {
    let Some(kay) = data("kayyeatman2017") else { return };
    let Some(pictures) = data("kriegeskorte92/stimuli.csv") else { return };
    let Some(model) = data("models/efficientnet-lite0.onnx") else { return };
    if !onnxruntime().exists() {
        skipped(&format!("{} is absent (make setup)", onnxruntime().display()));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // Both studies number the pictures; the bridge gives the row of each in the other's table.
    let read = |path: &Path| rows(&fs::read_to_string(path).unwrap());
    let path_of: Vec<String> = read(&pictures).iter().map(|row| row["path"].clone()).collect();
    let beta: Row = read(&kay.join("responses.csv"))
        .into_iter()
        .map(|mut row| (row["path"].clone(), row.remove("FFA_beta").unwrap()))
        .collect();
    let mut table = String::from("stimulus,FFA\n");
    for row in read(&kay.join("niko_to_kriegeskorte92.csv")) {
        let picture = &path_of[row["kriegeskorte92_row"].parse::<usize>().unwrap()];
        table += &format!("{picture},{}\n", beta[&row["kay_path"]]);
    }
    fs::write(dir.path().join("ffa.csv"), table).unwrap();
    run(dir.path(), "npy from-csv ffa.csv -o ffa.npy").ok();
    let acts = format!(
        "ann-acts {} --preprocess efficientnet-lite --resize 224x224 --layer pool {} -o pool.npy",
        model.display(),
        pictures.display()
    );
    run(dir.path(), &acts).ok();
    for seed in 0..5 {
        let line = format!("encode fit -q --x pool.npy --y ffa.npy --cv 10 --seed {seed}");
        let r = column(&run(dir.path(), &line).text(), "r")[0];
        assert!((0.87..0.92).contains(&r), "seed {seed}: r = {r}");
    }
}

#[test]
fn the_archive_is_plain_and_its_arrays_are_whole() {
    let (dir, ..) = linear();
    run(dir.path(), "encode fit --x x.npy --y y.npy --save m.npz").ok();
    let bytes = fs::read(dir.path().join("m.npz")).unwrap();
    let mut archive = ZipArchive::new(Cursor::new(&bytes)).unwrap();
    for i in 0..archive.len() {
        let member = archive.by_index(i).unwrap();
        assert_eq!(member.compression(), CompressionMethod::Stored);
        assert_eq!(member.size(), member.compressed_size());
    }
    let mut names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "alpha.npy",
            "coef.npy",
            "intercept.npy",
            "method.npy",
            "program.npy",
            "residual_variance.npy",
            "stimuli.npy",
            "train_mean.npy",
            "version.npy",
            "x_mean.npy",
            "x_scale.npy"
        ]
    );
}

#[test]
fn swapped_features_and_responses_are_asked_about() {
    let dir = tempfile::tempdir().unwrap();
    let shown: Vec<String> = ids(12).into_iter().chain(ids(12)).collect();
    save(&dir.path().join("trials.npy"), &noise(24, 3, 1), Some(&shown));
    save(&dir.path().join("acts.npy"), &noise(12, 5, 2), Some(&ids(12)));
    let right = run(dir.path(), "encode fit --x acts.npy --y trials.npy --cv 3");
    assert!(!right.stderr.contains("swapped"), "{}", right.stderr);
    let swapped = run(dir.path(), "encode fit --x trials.npy --y acts.npy --cv 3");
    assert!(swapped.stderr.contains("12 rows are repeated to 24; are --x and --y swapped?"), "{}", swapped.stderr);
}
