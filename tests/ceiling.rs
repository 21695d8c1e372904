//! `ceiling` as its users meet it: trials, subjects and RDMs in, tables of bounds out.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

use ndarray::{Array2, Axis, array, concatenate};
use npy_stream::{Dtype, Matrix, write_matrix, write_vector};
use std::fs;
use std::path::Path;
use support::*;
use tempfile::{TempDir, tempdir};

fn names(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

/// `n` showings of one signal, each with its own noise: rows are showing after showing.
fn trials(signal: &Array2<f64>, n: usize, sd: f64, seed: u64) -> Array2<f64> {
    let (rows, columns) = signal.dim();
    let shown: Vec<Array2<f64>> =
        (0..n).map(|k| signal + &(sd * noise(rows, columns, seed + 1000 * k as u64))).collect();
    let views: Vec<_> = shown.iter().map(|s| s.view()).collect();
    concatenate(Axis(0), &views).unwrap()
}

fn repeated(labels: &[String], n: usize) -> Vec<String> {
    std::iter::repeat_n(labels, n).flatten().cloned().collect()
}

/// Four subjects with three trials of twelve stimuli at five voxels, back to back in `subjects.npy`; their trials.
fn study() -> (TempDir, Vec<Array2<f64>>) {
    let dir = tempdir().unwrap();
    let signal = noise(12, 5, 1);
    let subjects: Vec<Array2<f64>> = (0..4).map(|s| trials(&signal, 3, 0.5 + 0.2 * s as f64, 10 + s)).collect();
    let bytes: Vec<u8> = subjects.iter().flat_map(|s| bytes_of(s, Some(&repeated(&ids(12), 3)))).collect();
    fs::write(dir.path().join("subjects.npy"), bytes).unwrap();
    (dir, subjects)
}

/// Mean over the three showings.
fn averages(trials: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((12, trials.ncols()), |(s, v)| {
        (trials[(s, v)] + trials[(12 + s, v)] + trials[(24 + s, v)]) / 3.0
    })
}

/// Three repeats: mean of the three correlations of single showings, stepped up.
fn reliability_of_three(shown: &[Vec<f64>]) -> f64 {
    let r = mean(&[pearson(&shown[0], &shown[1]), pearson(&shown[0], &shown[2]), pearson(&shown[1], &shown[2])]);
    3.0 * r / (1.0 + 2.0 * r)
}

fn showings(trials: &Array2<f64>, value: impl Fn(&[f64]) -> f64) -> Vec<Vec<f64>> {
    let row = |r: usize| value(&trials.row(r).to_vec());
    (0..3).map(|k| (0..12).map(|s| row(12 * k + s)).collect()).collect()
}

/// 1 - Pearson between all rows, in the order of the upper triangle.
fn rdm_of(patterns: &Array2<f64>) -> Vec<f64> {
    let n = patterns.nrows();
    let row = |i: usize| patterns.row(i).to_vec();
    (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).map(|(i, j)| 1.0 - pearson(&row(i), &row(j))).collect()
}

#[test]
fn voxels_have_the_ceilings_of_their_definitions() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let measured = trials(&noise(12, 4, 5), 3, 0.8, 6);
    save(&path.join("trials.npy"), &measured, Some(&repeated(&ids(12), 3)));
    let text = run(path, "ceiling voxel trials.npy").text();
    assert_eq!(
        text.lines().next().unwrap(),
        "array,voxel,n_stimuli,n_trials,ncsnr,noise_ceiling,r_halves,reliability,r_max,ev,ev_corrected,ev_stepped,\
         convention,usable,reason"
    );
    let table = rows(&text);
    assert_eq!(table.len(), 4);
    let for_one = rows(&run(path, "ceiling voxel --trials 1 trials.npy").text());
    for (v, row) in table.iter().enumerate() {
        let values = measured.column(v).to_vec();
        let within: Vec<f64> = (0..12).map(|s| variance(&[values[s], values[12 + s], values[24 + s]])).collect();
        let ncsnr = ((variance(&values) - mean(&within)).max(0.0) / mean(&within)).sqrt();
        support::within(number(row, "ncsnr"), ncsnr, 1e-12);
        support::within(number(row, "noise_ceiling"), ncsnr.powi(2) / (ncsnr.powi(2) + 1.0 / 3.0), 1e-12);
        support::within(number(&for_one[v], "noise_ceiling"), ncsnr.powi(2) / (ncsnr.powi(2) + 1.0), 1e-12);
        let reliability = reliability_of_three(&showings(&measured, |r| r[v]));
        support::within(number(row, "reliability"), reliability, 1e-12);
        support::within(number(row, "r_max"), reliability.sqrt(), 1e-12);
        // back from three trials to one
        support::within(number(&for_one[v], "reliability"), reliability / (3.0 - 2.0 * reliability), 1e-12);
        // Explainable variance: corrected it is the mean correlation of two showings, to be stepped up to three.
        let pairs = reliability / (3.0 - 2.0 * reliability);
        support::within(number(row, "ev_corrected"), pairs, 1e-12);
        support::within(number(row, "ev"), (1.0 + 2.0 * pairs) / 3.0, 1e-12);
        support::within(number(row, "ev_stepped"), reliability, 1e-12);
        support::within(number(&for_one[v], "ev_stepped"), pairs, 1e-12);
        assert_eq!((row["convention"].as_str(), row["usable"].as_str()), ("pooled", "true"));
        assert_eq!((row["array"].as_str(), row["n_stimuli"].as_str()), ("trials", "12"));
        assert_eq!((row["n_trials"].as_str(), for_one[v]["n_trials"].as_str()), ("3", "1"));
    }
    // another scale per voxel and another offset: the same ceilings
    save(&path.join("scaled.npy"), &measured.mapv(|v| 250.0 + 8.0 * v), Some(&repeated(&ids(12), 3)));
    for (row, scaled) in table.iter().zip(rows(&run(path, "ceiling voxel scaled.npy").text())) {
        support::within(number(&scaled, "ncsnr"), number(row, "ncsnr"), 1e-10);
        support::within(number(&scaled, "reliability"), number(row, "reliability"), 1e-10);
    }
}

#[test]
fn unequal_repeats_count_by_their_inverses() {
    let dir = tempdir().unwrap();
    // 6, 3 and 1 stimuli shown 3, 2 and 1 times: (6/3 + 3/2 + 1) / 10 = .45 of the noise is left
    let labels: Vec<String> = [ids(10), ids(9), ids(6)].concat();
    let signal = noise(10, 1, 3);
    let (one, more) = (trials(&signal, 3, 0.3, 4), [(0, 10), (10, 19), (20, 26)]);
    let kept: Vec<usize> = more.iter().flat_map(|&(a, b)| a..b).collect();
    let measured = one.select(Axis(0), &kept);
    save(&dir.path().join("t.npy"), &measured, Some(&labels));
    let out = run(dir.path(), "ceiling voxel t.npy");
    let said = "t.npy: unequal repeats; reliabilities are of the first 3 presentations of 6 of 10 stimuli";
    assert!(out.stderr.contains(said), "{out:?}");
    let row = rows(&out.text()).remove(0);
    let (ncsnr, ceiling) = (number(&row, "ncsnr"), number(&row, "noise_ceiling"));
    support::within(number(&row, "n_trials"), 1.0 / 0.45, 1e-12);
    support::within(ceiling, ncsnr.powi(2) / (ncsnr.powi(2) + 0.45), 1e-12);
    // three showings of six stimuli tell more than two of nine; stepped up from 1 to 1 / .45 trials
    let shown = |from: usize| (0..6).map(|s| measured[(from + s, 0)]).collect::<Vec<f64>>();
    let (first, second, third) = (shown(0), shown(10), shown(19));
    let r = (pearson(&first, &second) + pearson(&first, &third) + pearson(&second, &third)) / 3.0;
    let k = 1.0 / 0.45;
    support::within(number(&row, "reliability"), k * r / (1.0 + (k - 1.0) * r), 1e-12);
    support::within(number(&row, "ev_corrected"), r, 1e-12);
    support::within(number(&row, "ev_stepped"), k * r / (1.0 + (k - 1.0) * r), 1e-12);
}

#[test]
fn a_few_catch_pictures_do_not_stand_for_all() {
    // three pictures shown 40 times, twenty shown 3 times: the halves are of the twenty-three
    let dir = tempdir().unwrap();
    let counts: Vec<usize> = [vec![40; 3], vec![3; 20]].concat();
    let labels: Vec<String> =
        ids(23).into_iter().zip(&counts).flat_map(|(id, n)| std::iter::repeat_n(id, *n)).collect();
    save(&dir.path().join("t.npy"), &noise(180, 1, 3), Some(&labels));
    let out = run(dir.path(), "ceiling within t.npy");
    assert!(out.stderr.contains("the first 3 presentations of 23 of 23 stimuli"), "{}", out.stderr);
    assert_eq!(rows(&out.text())[0]["n_stimuli"], "23");
    // where most stimuli are shown once, a warning says so, which --quiet keeps
    let labels: Vec<String> = [ids(30), ids(4)].concat();
    save(&dir.path().join("once.npy"), &noise(34, 1, 4), Some(&labels));
    let said = "the first 2 presentations of 4 of 30 stimuli";
    for line in
        ["ceiling within once.npy -q", "ceiling voxel once.npy -q", "tuning compare once.npy --brain once.npy -q"]
    {
        let out = run(dir.path(), line);
        assert!(out.stderr.contains(said), "{line}: {}", out.stderr);
    }
}

#[test]
fn options_of_a_join_need_something_to_join() {
    let dir = tempdir().unwrap();
    save(&dir.path().join("t.npy"), &noise(30, 4, 3), Some(&repeated(&ids(10), 3)));
    for (line, needs) in [
        ("ceiling voxel t.npy --inner", "without --session"),
        ("ceiling gsn t.npy --assume-order", "without --session"),
        ("ceiling within t.npy --inner", "without --predicted"),
    ] {
        run(dir.path(), line).fails(1, &["joining two inputs", needs]);
    }
    run(dir.path(), "ceiling between t.npy t.npy --names a,b --allow-nan").fails(1, &["--allow-nan is for RDMs"]);
}

#[test]
fn the_convention_of_the_natural_scenes_dataset_by_name() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    // 6, 3 and 1 pictures shown 3, 2 and 1 times, in two sessions of 13 trials of which the second is louder
    let labels: Vec<String> = [ids(10), ids(9), ids(6), vec!["s9".into()]].concat()[..25].to_vec();
    let kept: Vec<usize> = (0..10).chain(10..19).chain(20..26).collect();
    let mut measured = trials(&noise(10, 2, 3), 3, 0.6, 4).select(Axis(0), &kept);
    measured.slice_mut(ndarray::s![13.., ..]).mapv_inplace(|v| 40.0 + 3.0 * v);
    save(&path.join("t.npy"), &measured, Some(&labels));
    let lines: String = labels.iter().enumerate().map(|(i, id)| format!("{id},{}\n", i / 13)).collect();
    fs::write(path.join("trials.csv"), format!("stimulus,session\n{lines}")).unwrap();
    let line = "ceiling voxel --convention nsd t.npy";
    let out = run(path, &format!("{line} --stimuli trials.csv --session session -o t.csv"));
    let said = "t.npy: the noise variance is of the 6 stimuli shown 3 times; 4 shown less often are left out";
    assert!(out.stderr.contains(said) && !out.stderr.contains("one session"), "{out:?}");
    let record: serde_json::Value = serde_json::from_str(&fs::read_to_string(path.join("t.json")).unwrap()).unwrap();
    assert_eq!(record["nsd noise of t.npy"]["n_left_out"], 4);
    let table = rows(&fs::read_to_string(path.join("t.csv")).unwrap());
    let ncsnr = |values: &[f64], starts: &[usize]| {
        let mut z = [0.0; 25];
        for (k, &start) in starts.iter().enumerate() {
            let session = start..starts.get(k + 1).copied().unwrap_or(25);
            let here = &values[session.clone()];
            session.for_each(|i| z[i] = (values[i] - mean(here)) / variance(here).sqrt());
        }
        let within: Vec<f64> = (0..6).map(|s| variance(&[z[s], z[10 + s], z[19 + s]])).collect();
        ((1.0 - mean(&within)).max(0.0) / mean(&within)).sqrt()
    };
    for (v, row) in table.iter().enumerate() {
        let expected = ncsnr(&measured.column(v).to_vec(), &[0, 13]);
        support::within(number(row, "ncsnr"), expected, 1e-12);
        support::within(number(row, "noise_ceiling"), expected.powi(2) / (expected.powi(2) + 0.45), 1e-12);
        assert_eq!(row["convention"], "nsd");
    }
    // Without sessions all trials are one, and that is said; the pooled convention is another number.
    let out = run(path, line);
    assert!(out.stderr.contains("no --session; all 25 trials are z-scored as one session"), "{out:?}");
    let expected = ncsnr(&measured.column(0).to_vec(), &[0]);
    support::within(number(&rows(&out.text())[0], "ncsnr"), expected, 1e-12);
    let pooled = rows(&run(path, "ceiling voxel t.npy --stimuli trials.csv --session session").text());
    assert!((number(&table[0], "ncsnr") - number(&pooled[0], "ncsnr")).abs() > 1e-3);
    run(path, "ceiling voxel --convention NSD t.npy").fails(2, &["pooled", "nsd"]);
    save(&path.join("once.npy"), &noise(6, 3, 1), Some(&ids(6)));
    run(path, "ceiling voxel --convention nsd once.npy")
        .fails(1, &["once.npy: 6 rows of 6 stimuli", "none shown twice"]);
}

#[test]
fn a_bound_of_nothing_is_not_usable() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let mut measured = trials(&noise(12, 3, 5), 2, 0.4, 6);
    for s in 0..12 {
        // The first showing tells stimuli apart and the second does not: correlation 0.
        measured[(s, 1)] = [1.0, -1.0][s % 2];
        measured[(12 + s, 1)] = [1.0, 1.0, -1.0, -1.0][s % 4];
    }
    save(&path.join("t.npy"), &measured, Some(&repeated(&ids(12), 2)));
    let out = run(path, "ceiling voxel t.npy");
    assert!(out.stderr.contains("t.npy: 1 of 3 voxels have no signal: a bound of 0 or less"), "{out:?}");
    let table = rows(&out.text());
    let of = |column: &str| table.iter().map(|r| r[column].clone()).collect::<Vec<_>>();
    assert_eq!(of("usable"), ["true", "false", "true"]);
    assert_eq!(of("reason"), ["", "no_signal", ""]);
    assert_eq!(table[1]["reliability"], "0");
}

#[test]
fn voxels_without_numbers_keep_their_place_and_say_why() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let mut measured = trials(&noise(12, 4, 5), 2, 0.4, 6);
    measured.column_mut(1).fill(7.0);
    measured[(3, 2)] = f64::NAN;
    for s in 0..12 {
        // deviations -1 0 1 against 1 -1 0: r = -1/2, which would step up to -2
        measured[(s, 3)] = [0.0, 1.0, 2.0][s % 3];
        measured[(12 + s, 3)] = [2.0, 0.0, 1.0][s % 3];
    }
    save(&path.join("t.npy"), &measured, Some(&repeated(&ids(12), 2)));
    let out = run(path, "ceiling voxel t.npy");
    assert_eq!(out.stderr.lines().count(), 1);
    let summary =
        "t.npy: 3 of 4 voxels lack a number (1 constant, 1 nan_input, 1 negative_reliability), the first is voxel 1";
    assert!(out.stderr.contains(summary), "{}", out.stderr);
    let table = rows(&out.text());
    let reasons: Vec<&str> = table.iter().map(|r| r["reason"].as_str()).collect();
    assert_eq!(reasons, ["", "constant", "nan_input", "negative_reliability"]);
    for row in &table[1..3] {
        let columns = ["ncsnr", "noise_ceiling", "reliability", "r_max", "ev", "ev_corrected", "ev_stepped"];
        assert!(columns.iter().all(|c| row[*c] == "NaN"));
    }
    let usable: Vec<&str> = table.iter().map(|r| r["usable"].as_str()).collect();
    assert_eq!(usable, ["true", "false", "false", "false"]);
    // 1 - (1 - ev) 2: the correlation -1/2 itself, which cannot be stepped up
    support::within(number(&table[3], "ev_corrected"), -0.5, 1e-12);
    assert_eq!(table[3]["ev_stepped"], "NaN");
    support::within(number(&table[3], "r_halves"), -0.5, 1e-12);
    assert_eq!((&table[3]["reliability"][..], &table[3]["r_max"][..]), ("NaN", "NaN"));
    assert_eq!(table[3]["ncsnr"], "0");
}

#[test]
fn sessions_are_z_scored_apart_when_asked() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let mut measured = trials(&noise(12, 2, 5), 2, 0.2, 6);
    let plain = measured.clone();
    // the second session has another gain and offset
    measured.slice_mut(ndarray::s![12.., ..]).mapv_inplace(|v| 40.0 + 3.0 * v);
    let labels = repeated(&ids(12), 2);
    save(&path.join("drift.npy"), &measured, Some(&labels));
    save(&path.join("plain.npy"), &plain, Some(&labels));
    let lines: Vec<String> =
        labels.iter().enumerate().map(|(i, id)| format!("{id},{}", if i < 12 { "first" } else { "second" })).collect();
    fs::write(path.join("trials.csv"), format!("stimulus,session\n{}\n", lines.join("\n"))).unwrap();
    let ncsnr = |line: &str| number(&rows(&run(path, line).text())[0], "ncsnr");
    let option = "--stimuli trials.csv --session session";
    let drifting = ncsnr("ceiling voxel drift.npy");
    let scored = ncsnr(&format!("ceiling voxel drift.npy {option}"));
    support::within(scored, ncsnr(&format!("ceiling voxel plain.npy {option}")), 1e-9);
    assert!(drifting < 0.2 && scored > 1.0, "{drifting} {scored}");
    run(path, "ceiling voxel drift.npy --session session").fails(2, &["--stimuli"]);
    run(path, "ceiling voxel drift.npy --stimuli trials.csv --session run").fails(1, &["trials.csv", "run", "session"]);
}

#[test]
fn what_is_constant_in_a_session_is_constant_and_not_nan_input() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let mut measured = trials(&noise(12, 4, 5), 2, 0.2, 6);
    measured.column_mut(1).fill(7.5);
    (0..12).for_each(|row| measured[[row, 2]] = 3.0);
    measured[[20, 3]] = f64::NAN;
    save(&path.join("t.npy"), &measured, Some(&repeated(&ids(12), 2)));
    let lines: String = (0..24).map(|i| format!("s{},{}\n", i % 12, i / 12)).collect();
    fs::write(path.join("trials.csv"), format!("stimulus,session\n{lines}")).unwrap();
    let out = run(path, "ceiling voxel --stimuli trials.csv --session session t.npy -o t.csv");
    assert!(out.stderr.contains("3 of 4 voxels lack a number (2 constant, 1 nan_input)"), "{out:?}");
    let table = rows(&fs::read_to_string(path.join("t.csv")).unwrap());
    let reasons: Vec<&str> = table.iter().map(|r| r["reason"].as_str()).collect();
    assert_eq!(reasons, ["", "constant", "constant", "nan_input"]);
    // Two presentations have one split, however many are asked for; three have three.
    let record = fs::read_to_string(path.join("t.json")).unwrap();
    let splits = |record: &str| -> serde_json::Value {
        let record: serde_json::Value = serde_json::from_str(record).unwrap();
        record["splits of t.npy"].clone()
    };
    assert_eq!(splits(&record)["n_splits"], 1);
    save(&path.join("t.npy"), &trials(&noise(12, 2, 5), 3, 0.2, 6), Some(&repeated(&ids(12), 3)));
    for (asked, used) in [(100, 3), (2, 2)] {
        run(path, &format!("ceiling voxel --splits {asked} t.npy -o t.csv")).ok();
        let found = splits(&fs::read_to_string(path.join("t.json")).unwrap());
        assert_eq!((&found["n_splits"], &found["n_presentations"]), (&used.into(), &3.into()));
    }
}

#[test]
fn trials_without_repeats_or_ids_have_no_ceiling() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    save(&path.join("once.npy"), &noise(6, 3, 1), Some(&ids(6)));
    save(&path.join("plain.npy"), &noise(6, 3, 1), None);
    save(&path.join("few.npy"), &noise(6, 3, 1), Some(&names("a b c d a b")));
    run(path, "ceiling voxel once.npy").fails(1, &["once.npy: 6 rows of 6 stimuli", "none shown twice", "at least 2"]);
    run(path, "ceiling voxel plain.npy").fails(1, &["plain.npy: 6 rows without ids", "npy label"]);
    run(path, "ceiling voxel few.npy").fails(1, &["few.npy: 2 of 4 stimuli", "at least 3"]);
    run(path, "ceiling voxel --trials 0 once.npy").fails(2, &["at least 1"]);
}

#[test]
fn many_splits_are_drawn_by_the_seed() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    save(&path.join("t.npy"), &trials(&noise(12, 2, 5), 8, 1.5, 6), Some(&repeated(&ids(12), 8)));
    let text = |options: &str| run(path, &format!("ceiling voxel t.npy {options}")).text();
    assert_eq!(text("--splits 5 --seed 1"), text("--splits 5 --seed 1 --threads 2"));
    assert_ne!(text("--splits 5 --seed 1"), text("--splits 5 --seed 2"));
    // 8 showings have 35 splits: all of them whatever the seed
    assert_eq!(text("--seed 1"), text("--seed 2"));
}

#[test]
fn profiles_agree_as_worked_by_hand() {
    let (dir, subjects) = study();
    let text = run(dir.path(), "ceiling between subjects.npy").text();
    let header = "subject,stat,compare,n_stimuli,n_voxels,n_trials,median_pairwise,leave_one_out,r_halves,reliability,r_max,\
                  median_pairwise_norm,leave_one_out_norm,mean_pairwise,mean_pairwise_norm,cronbach_alpha,role,gap,gap_norm,\
                  reason";
    assert_eq!(text.lines().next().unwrap(), header);
    let table = rows(&text);
    let named: Vec<&str> = table.iter().map(|r| r["subject"].as_str()).collect();
    assert_eq!(named, ["subjects", "subjects:1", "subjects:2", "subjects:3", "median", "min", "max"]);
    let profiles: Vec<Vec<f64>> =
        subjects.iter().map(|s| averages(s).rows().into_iter().map(|r| mean(&r.to_vec())).collect()).collect();
    let reliability: Vec<f64> = subjects.iter().map(|s| reliability_of_three(&showings(s, mean))).collect();
    for (i, row) in table[..4].iter().enumerate() {
        let others: Vec<usize> = (0..4).filter(|j| *j != i).collect();
        let r = |j: usize| pearson(&profiles[i], &profiles[j]);
        support::within(number(row, "median_pairwise"), median(others.iter().map(|&j| r(j)).collect()), 1e-12);
        let pool: Vec<f64> = (0..12).map(|s| others.iter().map(|&j| profiles[j][s]).sum::<f64>() / 3.0).collect();
        support::within(number(row, "leave_one_out"), pearson(&profiles[i], &pool), 1e-12);
        support::within(number(row, "reliability"), reliability[i], 1e-12);
        support::within(number(row, "r_max"), reliability[i].sqrt(), 1e-12);
        let corrected = others.iter().map(|&j| r(j) / (reliability[i] * reliability[j]).sqrt()).collect();
        support::within(number(row, "median_pairwise_norm"), median(corrected), 1e-12);
        let cells = ["stat", "compare", "n_stimuli", "n_voxels", "n_trials", "reason"].map(|c| row[c].as_str());
        assert_eq!(cells, ["profile", "pearson", "12", "5", "3", ""]);
    }
    for column in ["median_pairwise", "leave_one_out", "reliability", "median_pairwise_norm", "leave_one_out_norm"] {
        let values: Vec<f64> = table[..4].iter().map(|r| number(r, column)).collect();
        support::within(number(&table[4], column), median(values.clone()), 1e-15);
        support::within(number(&table[5], column), values.iter().copied().fold(f64::INFINITY, f64::min), 0.0);
        support::within(number(&table[6], column), values.iter().copied().fold(f64::NEG_INFINITY, f64::max), 0.0);
    }
    // corrected values are not clipped: some subject is above 1
    assert!(number(&table[6], "median_pairwise_norm") > 1.0);
}

#[test]
fn geometry_agrees_as_worked_by_hand_and_as_rdms_do() {
    let (dir, subjects) = study();
    let path = dir.path();
    let table = rows(&run(path, "ceiling between --stat rdm subjects.npy").text());
    let rdms: Vec<Vec<f64>> = subjects.iter().map(|s| rdm_of(&averages(s))).collect();
    for (i, row) in table[..4].iter().enumerate() {
        let others: Vec<usize> = (0..4).filter(|j| *j != i).collect();
        let pairs = others.iter().map(|&j| pearson(&rdms[i], &rdms[j])).collect();
        support::within(number(row, "median_pairwise"), median(pairs), 1e-12);
        let shown: Vec<Vec<f64>> =
            (0..3).map(|k| rdm_of(&subjects[i].slice(ndarray::s![12 * k..12 * (k + 1), ..]).to_owned())).collect();
        support::within(number(row, "reliability"), reliability_of_three(&shown), 1e-10);
    }
    // RDMs made first give the same; their mean leave-one-out value is the lower bound
    sh(path, "npy average subjects.npy | rsa rdm > rdms.npy").ok();
    let made = rows(&run(path, "ceiling between --stat rdm rdms.npy").text());
    let bounds = rows(&run(path, "ceiling rdm rdms.npy").text()).remove(0);
    let leave_one_out: Vec<f64> = made[..4].iter().map(|r| number(r, "leave_one_out")).collect();
    support::within(mean(&leave_one_out), number(&bounds, "lower"), 1e-12);
    for (made, own) in made.iter().zip(&table) {
        support::within(number(made, "median_pairwise"), number(own, "median_pairwise"), 1e-12);
        support::within(number(made, "leave_one_out"), number(own, "leave_one_out"), 1e-12);
        assert!(made["reliability"].is_empty() && made["median_pairwise_norm"].is_empty());
    }
    let spearman = rows(&run(path, "ceiling between --stat rdm --compare spearman rdms.npy").text());
    let bounds = rows(&run(path, "ceiling rdm rdms.npy --compare spearman").text()).remove(0);
    let leave_one_out: Vec<f64> = spearman[..4].iter().map(|r| number(r, "leave_one_out")).collect();
    support::within(mean(&leave_one_out), number(&bounds, "lower"), 1e-12);
    // and rsa compare has the same bounds
    let scores = rows(&run(path, "rsa compare rdms.npy --brain rdms.npy --compare spearman --ceiling").text());
    assert_eq!((&scores[4]["lower"], &scores[4]["upper"]), (&bounds["lower"], &bounds["upper"]));
    run(path, "ceiling between rdms.npy").fails(1, &["4 of 4 subjects are RDMs", "--stat rdm"]);
    run(path, "ceiling between --stat rdm rdms.npy subjects.npy").fails(1, &["4 of 8 subjects are RDMs"]);
}

#[test]
fn voxels_of_a_common_space_agree_as_worked_by_hand() {
    let (dir, subjects) = study();
    let path = dir.path();
    let table = rows(&run(path, "ceiling between --stat voxel subjects.npy").text());
    let means: Vec<Array2<f64>> = subjects.iter().map(averages).collect();
    let column = |s: usize, v: usize| means[s].column(v).to_vec();
    for (i, row) in table[..4].iter().enumerate() {
        let others: Vec<usize> = (0..4).filter(|j| *j != i).collect();
        let of_voxel = |v: usize| median(others.iter().map(|&j| pearson(&column(i, v), &column(j, v))).collect());
        support::within(number(row, "median_pairwise"), median((0..5).map(of_voxel).collect()), 1e-12);
        let alone = |v: usize| {
            let pool: Vec<f64> = (0..12).map(|s| others.iter().map(|&j| means[j][(s, v)]).sum::<f64>()).collect();
            pearson(&column(i, v), &pool)
        };
        support::within(number(row, "leave_one_out"), median((0..5).map(alone).collect()), 1e-12);
        let own = |v: usize| reliability_of_three(&showings(&subjects[i], |r| r[v]));
        support::within(number(row, "reliability"), median((0..5).map(own).collect()), 1e-12);
        assert_eq!(row["n_voxels"], "5");
    }
    // a constant voxel has no correlation: said, counted, and not in the medians
    let mut changed = subjects.clone();
    changed[1].column_mut(2).fill(1.0);
    let bytes: Vec<u8> = changed.iter().flat_map(|s| bytes_of(s, Some(&repeated(&ids(12), 3)))).collect();
    let out = pipe(path, "ceiling between --stat voxel", &bytes);
    let line =
        "stdin (array 1): 1 of 5 voxels lack a number (1 constant), the first is voxel 2; medians are over the others";
    assert!(out.stderr.contains(line), "{}", out.stderr);
    let table = rows(&out.text());
    assert_eq!((table[1]["n_voxels"].as_str(), table[0]["n_voxels"].as_str()), ("4", "5"));
    save(&path.join("a.npy"), &noise(12, 5, 1), Some(&ids(12)));
    save(&path.join("b.npy"), &noise(12, 7, 2), Some(&ids(12)));
    run(path, "ceiling between --stat voxel a.npy b.npy").fails(1, &["b.npy: 7 voxels", "a.npy has 5", "common space"]);
    // regions of different size have profiles and geometries
    run(path, "ceiling between a.npy b.npy").ok();
    run(path, "ceiling between --stat rdm a.npy b.npy").ok();
}

#[test]
fn without_repeats_nothing_is_corrected() {
    let (dir, subjects) = study();
    let path = dir.path();
    let bytes: Vec<u8> = subjects.iter().flat_map(|s| bytes_of(&averages(s), Some(&ids(12)))).collect();
    fs::write(path.join("means.npy"), bytes).unwrap();
    let trials = rows(&run(path, "ceiling between subjects.npy").text());
    let out = run(path, "ceiling between means.npy");
    assert!(out.stderr.is_empty(), "{}", out.stderr);
    for (means, trials) in rows(&out.text()).iter().zip(&trials) {
        support::within(number(means, "median_pairwise"), number(trials, "median_pairwise"), 1e-12);
        support::within(number(means, "leave_one_out"), number(trials, "leave_one_out"), 1e-12);
        for column in ["reliability", "r_max", "median_pairwise_norm", "leave_one_out_norm"] {
            assert!(means[column].is_empty());
        }
    }
    // repeats in some subjects only: said
    let mixed = sh(path, "cat subjects.npy means.npy | ceiling between");
    assert!(mixed.stderr.contains("in 4 of 8 subjects: no reliability, nothing corrected"), "{}", mixed.stderr);
    assert!(rows(&mixed.text())[0]["reliability"].is_empty());
}

#[test]
fn subjects_are_joined_by_id() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let (a, b) = (noise(6, 3, 1), noise(6, 4, 2));
    save(&path.join("a.npy"), &a, Some(&ids(6)));
    save(&path.join("b.npy"), &b, Some(&ids(6)));
    let order = [5, 0, 3, 1, 4, 2];
    let moved: Vec<String> = order.iter().map(|i| format!("s{i}")).collect();
    save(&path.join("moved.npy"), &b.select(Axis(0), &order), Some(&moved));
    for stat in ["profile", "rdm"] {
        let line = |b: &str| format!("ceiling between --stat {stat} a.npy {b} --names x,y");
        let expected = run(path, &line("b.npy"));
        assert!(expected.stderr.is_empty());
        let out = run(path, &line("moved.npy"));
        assert_eq!(out.stderr.lines().count(), 1, "{}", out.stderr);
        assert!(out.stderr.contains("rows of moved.npy brought into the order of a.npy"));
        assert_eq!(out.ok(), expected.ok());
    }
    save(&path.join("other.npy"), &b, Some(&names("s0 s1 s2 s3 s4 zebra")));
    run(path, "ceiling between a.npy other.npy")
        .fails(1, &["a.npy has 6 distinct ids", "other.npy 6", "\"s5\"", "--inner keeps the 5"]);
    let inner = run(path, "ceiling between --inner a.npy other.npy");
    assert!(inner.stderr.contains("kept 5 common ids"));
    assert_eq!(rows(&inner.text())[0]["n_stimuli"], "5");
    save(&path.join("plain.npy"), &b, None);
    run(path, "ceiling between a.npy plain.npy").fails(1, &["plain.npy has 6 without", "--assume-order"]);
    let line = "ceiling between --assume-order a.npy plain.npy --names a,b";
    assert_eq!(run(path, line).text(), run(path, "ceiling between a.npy b.npy").text());
    run(path, "ceiling between a.npy").fails(1, &["a.npy: 1 subject", "at least 2"]);
    run(path, "ceiling between a.npy a.npy").fails(1, &["both named \"a\"", "--names"]);
}

#[test]
fn subjects_without_numbers_are_nan_and_named() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    save(&path.join("a.npy"), &noise(6, 3, 1), Some(&ids(6)));
    save(&path.join("b.npy"), &noise(6, 3, 2), Some(&ids(6)));
    let mut broken = noise(6, 3, 3);
    broken[(2, 1)] = f64::NAN;
    save(&path.join("c.npy"), &broken, Some(&ids(6)));
    let out = run(path, "ceiling between a.npy b.npy c.npy");
    assert!(out.stderr.contains("warning: subject c: nan_input"), "{}", out.stderr);
    let table = rows(&out.text());
    let pair = rows(&run(path, "ceiling between a.npy b.npy").text());
    assert_eq!(table[0]["median_pairwise"], pair[0]["median_pairwise"]);
    assert_eq!((table[2]["median_pairwise"].as_str(), table[2]["reason"].as_str()), ("NaN", "nan_input"));
    // the summary does not hide it
    assert_eq!((table[3]["median_pairwise"].as_str(), table[3]["reason"].as_str()), ("NaN", "nan_input"));
    // 5 of 15 pairs of the RDM
    run(path, "ceiling between --stat rdm a.npy b.npy c.npy").fails(1, &["c.npy: 5 of 15 pairs", "--allow-nan"]);
    let out = run(path, "ceiling between --stat rdm --allow-nan a.npy b.npy c.npy");
    assert!(out.stderr.contains("5 of 15 pairs"));
    assert!(rows(&out.text()).iter().all(|r| r["reason"].is_empty()));
}

#[test]
fn three_worked_rdms_have_their_bounds() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let three = [[0.1, 0.4, 0.5, 0.7, 0.2, 0.9], [0.2, 0.3, 0.6, 0.8, 0.1, 0.7], [0.3, 0.5, 0.4, 0.6, 0.2, 0.8]];
    let mut bytes = Vec::new();
    for values in three {
        write_vector(&mut bytes, &values, Dtype::F8, Some(&names("a b c d"))).unwrap();
    }
    for (how, lower, upper) in [("pearson", 0.907096, 0.958610), ("spearman", 0.912159, 0.942857)] {
        let text = pipe(path, &format!("ceiling rdm --compare {how}"), &bytes).text();
        assert_eq!(text.lines().next().unwrap(), "compare,n_subjects,n_stimuli,n_pairs,lower,upper,reason");
        let row = rows(&text).remove(0);
        support::within(number(&row, "lower"), lower, 5e-7);
        support::within(number(&row, "upper"), upper, 5e-7);
        let counts = ["compare", "n_subjects", "n_stimuli", "n_pairs"].map(|c| row[c].as_str());
        assert_eq!(counts, [how, "3", "4", "6"]);
    }
    let one = path.join("one.npy");
    fs::write(&one, &bytes[..bytes.len() / 3]).unwrap();
    run(path, "ceiling rdm one.npy").fails(1, &["one.npy: 1 RDM", "at least 2"]);
    let mut flat = bytes.clone();
    write_vector(&mut flat, &[0.5; 6], Dtype::F8, Some(&names("a b c d"))).unwrap();
    let with_flat = pipe(path, "ceiling rdm", &flat);
    assert!(with_flat.stderr.contains("stdin (array 3): is constant over the 6 pairs"), "{}", with_flat.stderr);
    assert_eq!(with_flat.text(), pipe(path, "ceiling rdm", &bytes).text());
}

/// Writes f4, the width that real data have.
fn save_f4(path: &Path, matrix: &Array2<f64>, labels: &[String]) {
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &Matrix::F4(matrix.mapv(|v| v as f32)), Some(labels)).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn file_pipe_and_dash_and_any_threads_give_the_same_bytes() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let labels = repeated(&ids(20), 3);
    for k in 0..3 {
        save_f4(&path.join(format!("s{k}.npy")), &trials(&noise(20, 70, 1), 3, 1.0, 20 + k), &labels);
    }
    sh(path, "cat s0.npy s1.npy s2.npy > all.npy && npy average all.npy | rsa rdm > rdms.npy").ok();
    let all = fs::read(path.join("all.npy")).unwrap();
    for verb in ["voxel", "between", "between --stat rdm", "between --stat voxel --compare spearman"] {
        let name = if verb == "voxel" { "0,1,2" } else { "a,b,c" };
        let file = run(path, &format!("ceiling {verb} --names {name} all.npy --threads 1")).ok();
        for rest in ["all.npy --threads 2", "s0.npy s1.npy s2.npy"] {
            assert_eq!(run(path, &format!("ceiling {verb} --names {name} {rest}")).ok(), file, "{verb} {rest}");
        }
        for rest in ["", "-"] {
            assert_eq!(pipe(path, &format!("ceiling {verb} --names {name} {rest}"), &all).ok(), file, "{verb} {rest}");
        }
    }
    let rdms = fs::read(path.join("rdms.npy")).unwrap();
    let file = run(path, "ceiling rdm rdms.npy --threads 1").ok();
    assert_eq!(pipe(path, "ceiling rdm --threads 2", &rdms).ok(), file);
}

#[test]
fn broken_input_is_an_error_that_names_it() {
    let (dir, _) = study();
    let path = dir.path();
    let whole = save(&path.join("x.npy"), &noise(6, 40, 2), Some(&ids(6)));
    fs::write(path.join("empty.npy"), b"").unwrap();
    fs::write(path.join("cut.npy"), &whole[..900]).unwrap();
    fs::write(path.join("table.csv"), b"stimulus,category\na,b\n").unwrap();
    for verb in ["voxel", "between", "rdm"] {
        run(path, &format!("ceiling {verb} empty.npy")).fails(1, &["empty.npy"]);
        run(path, &format!("ceiling {verb} cut.npy")).fails(1, &["cut.npy", "772", "1920"]);
        run(path, &format!("ceiling {verb} table.csv")).fails(1, &["table.csv"]);
        run(path, &format!("ceiling {verb} gone.npy")).fails(1, &["gone.npy"]);
        pipe(path, &format!("ceiling {verb}"), &whole[..900]).fails(1, &["stdin", "772", "1920"]);
        pipe(path, &format!("ceiling {verb}"), b"").fails(1, &["stdin"]);
    }
    run(path, "ceiling rdm x.npy").fails(1, &["x.npy: 6 x 40 is not a square RDM"]);
    save(&path.join("wide.npy"), &array![[1.0, 2.0], [3.0, 4.0]], Some(&names("a b")));
    run(path, "ceiling").fails(2, &["Usage"]);
}

#[test]
fn pipes_close_disks_fill_and_files_come_whole() {
    let (dir, _) = study();
    let path = dir.path();
    save(&path.join("large.npy"), &trials(&noise(9, 3000, 1), 2, 1.0, 3), Some(&repeated(&ids(9), 2)));
    assert_eq!(sh(path, "ceiling voxel large.npy | head -c 100").ok().len(), 100);
    assert_eq!(sh(path, "ceiling between subjects.npy | head -c 100").ok().len(), 100);
    for verb in ["voxel", "between"] {
        sh(path, &format!("ceiling {verb} subjects.npy > /dev/full")).fails(1, &["No space"]);
    }
    let stdout = run(path, "ceiling between subjects.npy").ok();
    assert!(run(path, "ceiling between subjects.npy --seed 4 -o humans.csv").ok().is_empty());
    assert_eq!(fs::read(path.join("humans.csv")).unwrap(), stdout);
    let side: serde_json::Value = serde_json::from_slice(&fs::read(path.join("humans.json")).unwrap()).unwrap();
    assert_eq!((side["tool"].as_str(), side["seed"].as_u64()), (Some("ceiling"), Some(4)));
    assert_eq!(side["inputs"][0]["name"], "subjects.npy");
    let json = run(path, "ceiling between subjects.npy --format jsonl").text();
    let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!((&last["subject"], &last["n_voxels"]), (&"max".into(), &().into()));
}

/// The commands under `Examples:` in a help text.
fn examples(help: &str) -> Vec<String> {
    let after = help.split("Examples:").nth(1).unwrap();
    after.lines().map(str::trim).filter(|l| !l.is_empty()).map(String::from).collect()
}

#[test]
fn the_examples_of_the_help_run() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let labels = repeated(&ids(8), 3);
    save(&path.join("trials.npy"), &trials(&noise(8, 4, 1), 3, 0.5, 2), Some(&labels));
    let lines: Vec<String> = labels.iter().enumerate().map(|(i, id)| format!("{id},{}", 1 + i / 8)).collect();
    fs::write(path.join("trials.csv"), format!("stimulus,run\n{}\n", lines.join("\n"))).unwrap();
    for k in 1..4 {
        fs::create_dir(path.join(format!("sub-{k}"))).unwrap();
        save(&path.join(format!("sub-{k}/ffa.npy")), &noise(8, 6, k), Some(&ids(8)));
        sh(path, "cp trials.npy ffa.npy; npy average trials.npy > predicted.npy").ok();
        sh(path, &format!("cp sub-{k}/ffa.npy sub-{k}/common_space.npy; rsa rdm sub-{k}/ffa.npy > sub-{k}/rdm.npy"))
            .ok();
    }
    sh(path, "cat sub-*/rdm.npy > ffa_rdms.npy").ok();
    save(&path.join("pixels.npy"), &noise(8, 6, 40), Some(&ids(8)));
    sh(path, "rsa rdm pixels.npy > pixels_rdm.npy").ok();
    fs::create_dir(path.join("alexnet")).unwrap();
    for threshold in [2, 5] {
        save(&path.join(format!("alexnet/t{threshold}.npy")), &noise(8, 10 - threshold, 30), Some(&ids(8)));
    }
    for verb in ["", "voxel", "within", "between", "rdm", "gsn"] {
        let help = format!("ceiling {verb} --help");
        let text = run(path, &help).text();
        let lines = examples(&text);
        assert_eq!(lines.len(), 3, "{text}");
        for line in lines {
            sh(path, &line).ok();
        }
    }
    let named = run(path, "ceiling between sub-1/ffa.npy sub-2/ffa.npy").text();
    assert!(named.contains("\nsub-1/ffa,") && named.contains("\nsub-2/ffa,"));
}

#[test]
fn square_rdms_are_rdms_and_not_patterns() {
    let dir = tempfile::tempdir().unwrap();
    for subject in 0..3 {
        save(&dir.path().join(format!("s{subject}.npy")), &noise(8, 6, subject + 1), Some(&ids(8)));
        for (kind, flag) in [("square", "--square"), ("flat", "")] {
            run(dir.path(), &format!("rsa rdm {flag} s{subject}.npy -o {kind}{subject}.npy")).ok();
        }
    }
    let between = |kind: &str| {
        let line = format!("ceiling between --stat rdm {kind}0.npy {kind}1.npy {kind}2.npy --names a,b,c");
        run(dir.path(), &line).text()
    };
    assert_eq!(between("square"), between("flat"));
    let mixed = run(dir.path(), "ceiling between --stat profile square0.npy square1.npy");
    mixed.fails(1, &["2 of 2 subjects are RDMs"]);
}

#[test]
fn position_says_nothing_about_trials_or_where_ids_disagree() {
    let dir = tempfile::tempdir().unwrap();
    let (m, names) = (noise(6, 4, 1), ids(6));
    save(&dir.path().join("bare.npy"), &m, None);
    save(&dir.path().join("named.npy"), &m, Some(&names));
    let order = [5, 3, 1, 0, 2, 4];
    let moved: Vec<String> = order.iter().map(|&i| names[i].clone()).collect();
    save(&dir.path().join("moved.npy"), &m.select(ndarray::Axis(0), &order), Some(&moved));
    let twice: Vec<String> = moved.iter().chain(&names).cloned().collect();
    save(&dir.path().join("trials.npy"), &noise(12, 4, 2), Some(&twice));
    run(dir.path(), "ceiling between --assume-order bare.npy named.npy moved.npy")
        .fails(1, &["bare.npy has 6 rows without ids", "npy label"]);
    run(dir.path(), "ceiling between --assume-order bare.npy trials.npy").fails(1, &["12 trials of 6 stimuli"]);
    run(dir.path(), "ceiling between --assume-order bare.npy named.npy").ok();
}

#[test]
fn sessions_belong_to_trials_and_not_to_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let shown: Vec<String> = ids(6).into_iter().chain(ids(6)).collect();
    save(&dir.path().join("trials.npy"), &noise(12, 3, 1), Some(&shown));
    let table = |order: &dyn Fn(usize) -> usize| -> String {
        let row = |k: usize| format!("{},{}\n", shown[order(k)], order(k) / 6);
        format!("stimulus,run\n{}", (0..12).map(row).collect::<String>())
    };
    fs::write(dir.path().join("own.csv"), table(&|k| k)).unwrap();
    let line = "ceiling voxel trials.npy --session run --stimuli";
    run(dir.path(), &format!("{line} own.csv")).ok();
    // Another order of the ids: the k-th trial of an id is its k-th row, which is said.
    fs::write(dir.path().join("other.csv"), table(&|k| (k + 6 - 2 * (k % 6)) % 6 + k / 6 * 6)).unwrap();
    let other = run(dir.path(), &format!("{line} other.csv"));
    assert!(other.stderr.contains("paired in the order they come"), "{other:?}");
    assert_eq!(other.ok(), run(dir.path(), &format!("{line} own.csv")).ok());
    let once: String = (0..6).map(|k| format!("s{k},0\n")).collect();
    fs::write(dir.path().join("once.csv"), format!("stimulus,run\n{once}")).unwrap();
    run(dir.path(), &format!("{line} once.csv"))
        .fails(1, &["trials.npy has 12 trials and once.csv 6 rows", "one row per trial"]);
}
