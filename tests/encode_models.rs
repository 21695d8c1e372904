//! Saved models of version 2: `encode predict` by band, with delays, split and with noise; `encode weights`; and
//! `encode compare`, which judges two of them.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, though clippy cannot know it

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use ndarray::{Array1, Array2, Axis, concatenate, s};
use npy_stream::NpyReader;
use support::*;
use zip::ZipArchive;

const N: usize = 36;

/// Ten features in two bands (4 and 6); voxels driven by the first, by the second, by nothing, and a constant one.
fn place() -> (tempfile::TempDir, Array2<f64>, Array2<f64>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let x = noise(N, 10, 1) + 3.0;
    let mut y = 0.5 * noise(N, 4, 2);
    for row in 0..N {
        y[(row, 0)] += x.slice(s![row, ..4]).sum();
        y[(row, 1)] += x.slice(s![row, 4..]).sum();
    }
    y.column_mut(3).fill(5.0);
    save(&path.join("x.npy"), &x, Some(&ids(N)));
    save(&path.join("low.npy"), &x.slice(s![.., ..4]).to_owned(), Some(&ids(N)));
    // in another order of rows
    let turned: Vec<usize> = (0..N).rev().collect();
    let labels: Vec<String> = turned.iter().map(|i| format!("s{i}")).collect();
    save(&path.join("high.npy"), &x.slice(s![.., 4..]).select(Axis(0), &turned), Some(&labels));
    save(&path.join("y.npy"), &y, Some(&ids(N)));
    let runs: String = (0..N).map(|i| format!("s{i},r{}\n", i / 12)).collect();
    fs::write(path.join("runs.csv"), format!("stimulus,run\n{runs}")).unwrap();
    let folds: String = (0..N).map(|i| format!("s{i},{}\n", i % 4)).collect();
    fs::write(path.join("folds.csv"), format!("stimulus,fold\n{folds}")).unwrap();
    (dir, x, y)
}

const BANDS: &str = "--band low=low.npy --band high=high.npy";

/// The numeric members of a model as NumPy has them, and their shapes.
fn members(path: &Path) -> HashMap<String, (Vec<usize>, Vec<f64>)> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(path).unwrap())).unwrap();
    let mut all = HashMap::new();
    for i in 0..archive.len() {
        let mut member = archive.by_index(i).unwrap();
        let name = member.name().unwrap().trim_end_matches(".npy").to_owned();
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).unwrap();
        if !["stimuli", "band_names", "method", "program"].contains(&name.as_str()) {
            let array = NpyReader::from_pipe(Cursor::new(bytes)).read_all().unwrap().remove(0);
            all.insert(name, (array.shape, array.values.into_f64()));
        }
    }
    all
}

/// Coefficients, intercepts.
fn linear(path: &Path) -> (Array2<f64>, Array1<f64>) {
    let m = members(path);
    let (shape, coef) = &m["coef"];
    let coef = Array2::from_shape_vec((shape[0], shape[1]), coef.clone()).unwrap();
    (coef, Array1::from(m["intercept"].1.clone()))
}

/// Every matrix of a stream and its name.
fn stream(bytes: &[u8]) -> Vec<(Array2<f64>, Option<String>)> {
    let as_matrix = |array: npy_stream::Array| {
        let shape = (array.shape[0], array.shape[1]);
        (Array2::from_shape_vec(shape, array.values.into_f64()).unwrap(), array.labels.name)
    };
    arrays(bytes).into_iter().map(as_matrix).collect()
}

#[track_caller]
fn same(found: &Array2<f64>, expected: &Array2<f64>) {
    assert_eq!(found.dim(), expected.dim());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-10 * b.abs().max(1.0) || a.is_nan() && b.is_nan(), "{a} is not {b}");
    }
}

/// Features `by` rows late, within runs of `run` rows.
fn late(x: &Array2<f64>, by: usize, run: usize) -> Array2<f64> {
    Array2::from_shape_fn(x.dim(), |(i, j)| if i % run < by { 0.0 } else { x[(i - by, j)] })
}

#[test]
fn a_model_of_bands_predicts_from_bands_or_one_matrix_and_says_what_each_adds() {
    let (dir, x, y) = place();
    let path = dir.path();
    let fit = format!("encode fit -q {BANDS} --y y.npy --n-iter 6 --cv 4 --save m.npz --predictions p.npy -o s.csv");
    run(path, &fit).ok();
    let (coef, intercept) = linear(&path.join("m.npz"));
    let by_hand = x.dot(&coef) + &intercept;
    assert!(by_hand.column(3).iter().all(|p| p.is_nan()) && by_hand[(0, 0)].is_finite());
    let whole = stream(&run(path, "encode predict m.npz x.npy").ok()).remove(0);
    same(&whole.0, &by_hand);
    for bands in [BANDS, "--band high=high.npy --band low=low.npy"] {
        let out = run(path, &format!("encode predict m.npz {bands}"));
        assert!(out.stderr.contains("36 of 36 rows are stimuli the model was trained on"), "{}", out.stderr);
        assert_eq!(matrix(&out.stdout).1, Some(ids(N)), "rows in the order of the first band of the model");
        same(&stream(&out.ok()).remove(0).0, &by_hand);
    }

    // the parts are deviations from the training means, and with what is predicted there they sum to all
    let parts = stream(&run(path, &format!("encode predict -q m.npz --split {BANDS}")).ok());
    let names: Vec<&str> = parts.iter().filter_map(|(_, name)| name.as_deref()).collect();
    assert_eq!(names, ["low", "high", "bias"]);
    let centred = &x - &x.mean_axis(Axis(0)).unwrap();
    same(&parts[0].0, &centred.slice(s![.., ..4]).dot(&coef.slice(s![..4, ..])));
    same(&parts[1].0, &centred.slice(s![.., 4..]).dot(&coef.slice(s![4.., ..])));
    same(&(&parts[0].0 + &parts[1].0 + &parts[2].0), &by_hand);
    for voxel in 0..3 {
        assert!((parts[2].0[(5, voxel)] - y.column(voxel).mean().unwrap()).abs() < 1e-9, "an intercept is the mean");
    }

    // what the file says
    let m = members(&path.join("m.npz"));
    assert_eq!(m["version"].1, [2.0]);
    assert_eq!(m["band_of_feature"].1, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    let held_out = matrix(&fs::read(path.join("p.npy")).unwrap()).0;
    for voxel in 0..3 {
        let (gammas, alpha) = (&m["gammas"].1, m["alpha"].1[voxel]);
        assert!((gammas[voxel] + gammas[4 + voxel] - 1.0).abs() < 1e-12, "weights of a row sum to 1");
        for band in [0, 4] {
            assert!((m["deltas"].1[band + voxel] - (gammas[band + voxel] / alpha).ln()).abs() < 1e-12);
        }
        let missed: Vec<f64> = (0..N).map(|i| (y[(i, voxel)] - held_out[(i, voxel)]).powi(2)).collect();
        assert!((m["residual_variance"].1[voxel] - missed.iter().sum::<f64>() / N as f64).abs() < 1e-10);
        assert!((m["train_mean"].1[voxel] - y.column(voxel).mean().unwrap()).abs() < 1e-12);
    }
    assert!(m["gammas"].1[3].is_nan() && m["residual_variance"].1[3].is_nan());

    for (rest, parts) in [
        ("--band low=low.npy", ["low", "low, high"].as_slice()),
        ("--band low=low.npy --band high=high.npy --band low=low.npy", &["give each once"]),
        ("--band low=high.npy --band high=low.npy", &["high.npy", "6 features", "\"low\"", "has 4"]),
        ("low.npy", &["low.npy", "4 features", "10"]),
        ("x.npy --runs run --stimuli runs.csv", &["--runs", "no delays"]),
        ("x.npy --inner", &["--inner", "nothing is joined"]),
    ] {
        run(path, &format!("encode predict m.npz {rest}")).fails(1, parts);
    }
    run(path, &format!("encode predict m.npz x.npy {BANDS}")).fails(2, &["cannot be used with"]);
    run(path, "encode fit -q --x x.npy --y y.npy --save plain.npz -o s.csv").ok();
    run(path, "encode predict plain.npz x.npy --split").fails(1, &["--split", "no bands"]);
    run(path, &format!("encode predict plain.npz {BANDS}")).fails(1, &["--band", "no bands"]);
}

#[test]
fn delays_are_those_of_the_fit_and_stop_where_runs_end() {
    let (dir, x, _) = place();
    let path = dir.path();
    let fit = "encode fit -q --y y.npy --delays 1,0 --cv run --runs run --stimuli runs.csv -o s.csv";
    run(path, &format!("{fit} --x x.npy --save plain.npz")).ok();
    run(path, &format!("{fit} {BANDS} --n-iter 3 --save bands.npz")).ok();
    let (coef, intercept) = linear(&path.join("plain.npz"));
    let delayed = |x: &Array2<f64>, run| concatenate(Axis(1), &[late(x, 1, run).view(), x.view()]).unwrap();
    let out = run(path, "encode predict -q plain.npz x.npy --runs run --stimuli runs.csv").ok();
    same(&stream(&out).remove(0).0, &(delayed(&x, 12).dot(&coef) + &intercept));
    let out = run(path, "encode predict plain.npz x.npy");
    assert!(out.stderr.contains("36 rows taken as one run"), "{}", out.stderr);
    same(&stream(&out.ok()).remove(0).0, &(delayed(&x, N).dot(&coef) + &intercept));

    let (coef, intercept) = linear(&path.join("bands.npz"));
    let part = |from, to| delayed(&x.slice(s![.., from..to]).to_owned(), 12);
    let banded = concatenate(Axis(1), &[part(0, 4).view(), part(4, 10).view()]).unwrap();
    let by_hand = banded.dot(&coef) + &intercept;
    for features in ["x.npy", BANDS] {
        let line = format!("encode predict -q bands.npz {features} --runs run --stimuli runs.csv");
        same(&stream(&run(path, &line).ok()).remove(0).0, &by_hand);
    }
    // a row that another one is late by has no prediction either
    let mut broken = x.clone();
    broken[(4, 2)] = f64::NAN;
    save(&path.join("broken.npy"), &broken, Some(&ids(N)));
    let out = run(path, "encode predict plain.npz broken.npy --runs run --stimuli runs.csv");
    assert!(out.stderr.contains("2 of 36 rows have NaN"), "{}", out.stderr);
    let found = stream(&out.ok()).remove(0).0;
    let lost: Vec<usize> = (0..N).filter(|i| found[(*i, 0)].is_nan()).collect();
    assert_eq!(lost, [4, 5]);

    // the table of weights knows which delay a row is
    let table = run(path, "encode weights bands.npz --table --delay 0 --band high --unit 3").text();
    let row = &rows(&table)[0];
    assert_eq!((&*row["array"], &*row["unit"], &*row["delay"], &*row["n_units"]), ("high", "3", "0", "6"));
    let weights = coef.row(8 + 6 + 3);
    let mean = (0..3).map(|v| weights[v]).sum::<f64>() / 3.0;
    assert!((row["mean"].parse::<f64>().unwrap() - mean).abs() < 1e-12);
    run(path, "encode weights bands.npz --delay 2").fails(1, &["--delay 2", "[1, 0]"]);
}

#[test]
fn noise_has_the_variance_that_the_model_missed() {
    let (dir, ..) = place();
    let path = dir.path();
    run(path, "encode fit -q --x x.npy --y y.npy --save m.npz -o s.csv").ok();
    let variance = members(&path.join("m.npz"))["residual_variance"].1.clone();
    let n = 4000;
    let labels: Vec<String> = (0..n).map(|i| format!("t{i}")).collect();
    let x = noise(n, 10, 7);
    save(&path.join("big.npy"), &x, Some(&labels));
    save(&path.join("first.npy"), &x.slice(s![..5, ..]).to_owned(), Some(&labels[..5]));
    let predicted = |rest: &str| stream(&run(path, &format!("encode predict -q m.npz {rest}")).ok()).remove(0).0;
    let clean = predicted("big.npy");
    let added = predicted("big.npy --noise 1") - &clean;
    for (voxel, missed) in variance.iter().enumerate().take(3) {
        let values = added.column(voxel);
        let squares = values.iter().map(|d| d * d).sum::<f64>() / n as f64;
        // the variance of n squares of normal numbers around 1 is 2 / n: 4.5 standard deviations
        assert!((squares / missed - 1.0).abs() < 0.1, "{squares} {missed}");
        assert!(values.mean().unwrap().abs() < 4.5 * (missed / n as f64).sqrt());
        let fourth = values.iter().map(|d| d.powi(4)).sum::<f64>() / n as f64 / squares.powi(2);
        assert!((fourth - 3.0).abs() < 0.7, "no normal noise: {fourth}");
    }
    let shared = (0..n).map(|i| added[(i, 0)] * added[(i, 1)]).sum::<f64>() / n as f64;
    assert!(shared.abs() < 4.5 * (variance[0] * variance[1] / n as f64).sqrt(), "voxels have noise of their own");
    assert!(added.column(3).iter().all(|d| d.is_nan()));
    // the same seed, the same noise, whatever comes behind; another matrix of the stream, other noise
    same(&predicted("first.npy --noise 1"), &predicted("big.npy --noise 1").slice(s![..5, ..]).to_owned());
    assert_ne!(predicted("first.npy --noise 1")[(0, 0)], predicted("first.npy --noise 2")[(0, 0)]);
    let both = sh(path, "cat first.npy first.npy | encode predict -q m.npz --noise 1").ok();
    let both = stream(&both);
    assert!(both[0].0[(0, 0)] != both[1].0[(0, 0)]);
    run(path, "encode predict m.npz x.npy --split --noise 1").fails(2, &["cannot be used with"]);
}

#[test]
fn weights_are_the_coefficients_of_the_units_asked_for() {
    let (dir, x, _) = place();
    let path = dir.path();
    run(path, &format!("encode fit -q {BANDS} --y y.npy --n-iter 3 --save m.npz -o s.csv")).ok();
    let (coef, _) = linear(&path.join("m.npz"));
    let out = run(path, "encode weights m.npz").ok();
    same(&stream(&out).remove(0).0, &coef);
    assert_eq!(matrix(&out).1.unwrap()[3..5], ["low:3", "high:0"]);
    let some =
        stream(&run(path, "encode weights m.npz --band high --unit 5,0 --voxels 1,0 --transpose").ok()).remove(0);
    same(&some.0, &coef.select(Axis(0), &[9, 4]).select(Axis(1), &[1, 0]).reversed_axes());
    let table = rows(&run(path, "encode weights m.npz --standardized --table").text());
    assert_eq!(table.len(), 10);
    for (row, feature) in table.iter().zip(0..10) {
        let of = |name: &str| row[name].parse::<f64>().unwrap();
        let weights: Vec<f64> = (0..3).map(|v| coef[(feature, v)] * x.column(feature).std(0.0)).collect();
        let mean = |f: &dyn Fn(f64) -> f64| weights.iter().map(|w| f(*w)).sum::<f64>() / 3.0;
        assert!((of("mean") - mean(&|w| w)).abs() < 1e-10 && (of("mean_abs") - mean(&f64::abs)).abs() < 1e-10);
        assert!((of("rms") - mean(&|w| w * w).sqrt()).abs() < 1e-10);
        let largest = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert!((of("max") - largest).abs() < 1e-10 && weights[of("voxel_max") as usize] == largest);
        assert_eq!((of("n_voxels"), of("n_units")), (3.0, if feature < 4 { 4.0 } else { 6.0 }));
    }
    // the table is one of units: what is kept of its rows can be cut out of the features of the band
    let cut = "encode weights m.npz --band low --table -o units.csv -q && npy cols --units units.csv low.npy";
    same(&stream(&sh(path, cut).ok()).remove(0).0, &x.slice(s![.., ..4]).to_owned());
    for (rest, parts) in [
        ("--band middle", ["--band middle", "low, high"].as_slice()),
        ("--delay 1", &["--delay 1", "no delays"]),
        ("--unit 0", &["--unit 0", "several bands", "--band"]),
        ("--band low --unit 4", &["--unit 4", "no such unit", "4 features"]),
        ("--voxels 4", &["--voxels 4", "has 4"]),
        ("--voxels FFA", &["--voxels FFA", "no voxel"]),
    ] {
        run(path, &format!("encode weights m.npz {rest}")).fails(1, parts);
    }
    run(path, "encode weights x.npy").fails(1, &["x.npy", "not a whole .npz archive"]);
    run(path, "encode weights m.npz --table --transpose").fails(2, &["cannot be used with"]);
    run(path, "encode weights m.npz --format tsv").fails(2, &["--table"]);
}

/// The share of all signs of `shares` whose sum is as large as theirs; two-sided.
fn exact_p(shares: &[f64], spread: f64) -> f64 {
    let plain = shares.iter().sum::<f64>().abs();
    let n = 1u32 << shares.len();
    let sum = |signs: u32| -> f64 {
        shares.iter().enumerate().map(|(i, share)| if signs >> i & 1 == 1 { *share } else { -share }).sum()
    };
    (0..n).filter(|signs| spread * sum(*signs).abs() >= plain - 1e-9).count() as f64 / f64::from(n)
}

#[test]
fn two_models_are_compared_by_what_each_stimulus_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let n = 12;
    let y = noise(n, 3, 1);
    let a = &y + &(0.6 * noise(n, 3, 2));
    let b = &y + &(0.9 * noise(n, 3, 3));
    let folds: String = (0..n).map(|i| format!("s{i},{}\n", i % 3)).collect();
    fs::write(path.join("f.csv"), format!("stimulus,fold\n{folds}")).unwrap();
    save(&path.join("y.npy"), &y, Some(&ids(n)));
    save(&path.join("a.npy"), &a, Some(&ids(n)));
    save(&path.join("b.npy"), &b, Some(&ids(n)));
    let mean = |rows: &dyn Fn(usize) -> bool, v: usize| {
        let own: Vec<f64> = (0..n).filter(|i| rows(*i)).map(|i| y[(i, v)]).collect();
        own.iter().sum::<f64>() / own.len() as f64
    };
    for (options, in_folds) in [("", false), (" --folds @f.csv", true)] {
        let line = format!("encode compare a.npy b.npy --y y.npy --draws 20000{options}");
        let table = rows(&run(path, &line).text());
        let scores = |of: &str| rows(&run(path, &format!("encode score {of}.npy y.npy{options}")).text());
        let (of_a, of_b) = (scores("a"), scores("b"));
        for v in 0..3 {
            let means = |i: usize| mean(&|other| !in_folds || other % 3 != i % 3, v);
            let total: f64 = (0..n).map(|i| (y[(i, v)] - means(i)).powi(2)).sum();
            let missed = |model: &Array2<f64>, i: usize| (y[(i, v)] - model[(i, v)]).powi(2);
            let shares: Vec<f64> = (0..n).map(|i| (missed(&b, i) - missed(&a, i)) / total).collect();
            let of = |name: &str| table[v][name].parse::<f64>().unwrap();
            assert!((of("R2_difference") - shares.iter().sum::<f64>()).abs() < 1e-12);
            // of 20000 draws the share has a standard deviation of at most .0036
            let p = exact_p(&shares, if in_folds { 2f64.sqrt() } else { 1.0 });
            assert!((of("p") - p).abs() < 0.015, "{} {p}", of("p"));
            for (one, other) in [("r_a", "r"), ("R2_a", "R2"), ("n", "n")] {
                assert_eq!(table[v][one], of_a[v][other], "as `encode score` has it");
            }
            assert_eq!((&table[v]["r_b"], &table[v]["R2_b"]), (&of_b[v]["r"], &of_b[v]["R2"]));
            let difference = of_a[v]["r"].parse::<f64>().unwrap() - of_b[v]["r"].parse::<f64>().unwrap();
            assert!((of("r_difference") - difference).abs() < 1e-12);
        }
    }
    // turned round, with rows in another order, by other threads: the same
    let first = rows(&run(path, "encode compare a.npy b.npy --y y.npy").text());
    let turned: Vec<usize> = (0..n).rev().collect();
    let labels: Vec<String> = turned.iter().map(|i| format!("s{i}")).collect();
    save(&path.join("b2.npy"), &b.select(Axis(0), &turned), Some(&labels));
    let other = rows(&run(path, "encode compare b2.npy a.npy --y y.npy --threads 1").text());
    for (one, two) in first.iter().zip(&other) {
        assert_eq!((&one["p"], &one["q"], &one["R2_a"]), (&two["p"], &two["q"], &two["R2_b"]));
    }
    // all presentations of a stimulus change signs together
    let shown: Vec<String> = (0..n).map(|i| format!("s{}", i % 6)).collect();
    for (name, values) in [("ta", &a), ("tb", &b), ("ty", &y)] {
        save(&path.join(format!("{name}.npy")), values, Some(&shown));
    }
    let table = rows(&run(path, "encode compare ta.npy tb.npy --y ty.npy --draws 20000").text());
    for v in 0..3 {
        let missed = |model: &Array2<f64>, i: usize| (y[(i, v)] - model[(i, v)]).powi(2);
        let share = |i: usize| missed(&b, i) - missed(&a, i);
        let shares: Vec<f64> = (0..6).map(|i| share(i) + share(i + 6)).collect();
        let p = table[v]["p"].parse::<f64>().unwrap();
        assert!((p - exact_p(&shares, 1.0)).abs() < 0.015, "{p}");
    }
}

#[test]
fn a_comparison_has_a_row_for_every_voxel_or_one_for_all() {
    let (dir, _, y) = place();
    let path = dir.path();
    save(&path.join("good.npy"), &(&y + &(0.1 * noise(N, 4, 5))), Some(&ids(N)));
    save(&path.join("poor.npy"), &noise(N, 4, 6), Some(&ids(N)));
    let text = run(path, "encode compare good.npy poor.npy --y y.npy").text();
    let table = rows(&text);
    assert_eq!((&*table[3]["reason"], &*table[3]["p"]), ("constant", "NaN"));
    let summary = &rows(&run(path, "encode compare good.npy poor.npy --y y.npy --summary").text())[0];
    assert_eq!((&*summary["n_voxels"], &*summary["n_a_better"], &*summary["n_b_better"]), ("3", "3", "0"));
    let mut differences: Vec<f64> = table[..3].iter().map(|row| row["R2_difference"].parse().unwrap()).collect();
    differences.sort_by(f64::total_cmp);
    assert!((summary["median_R2_difference"].parse::<f64>().unwrap() - differences[1]).abs() < 1e-12);
    let same = rows(&run(path, "encode compare good.npy good.npy --y y.npy").text());
    assert_eq!((&*same[0]["R2_difference"], &*same[0]["p"]), ("0", "1"));
    // rows that all three have
    save(&path.join("less.npy"), &noise(30, 4, 6), Some(&ids(30)));
    run(path, "encode compare good.npy less.npy --y y.npy").fails(1, &["less.npy", "30", "--inner"]);
    let fewer = rows(&run(path, "encode compare good.npy less.npy --y y.npy --inner").text());
    assert_eq!(&*fewer[0]["n"], "30");
    let cut = "npy rows --index 0:30 y.npy | encode compare good.npy less.npy --inner --y -";
    assert_eq!(rows(&sh(path, cut).text()), fewer);
    for (line, parts) in [
        ("good.npy x.npy --y y.npy", ["x.npy has 10 voxels", "y.npy has 4"].as_slice()),
        ("good.npy missing.npy --y y.npy", &["missing.npy"]),
        ("good.npy poor.npy --y y.npy --folds run", &["--stimuli TABLE"]),
    ] {
        run(path, &format!("encode compare {line}")).fails(1, parts);
    }
    run(path, "encode compare good.npy --y y.npy").fails(2, &["B"]);
}
