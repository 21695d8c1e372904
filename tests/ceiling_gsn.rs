//! `ceiling gsn` as its users meet it.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

use ndarray::{Array2, Axis, concatenate, s};
use npy_stream::{Dtype, RowWriter};
use std::fs;
use std::path::Path;
use support::*;
use tempfile::{TempDir, tempdir};

/// `n` showings of 20 stimuli at 8 voxels, showing after showing; signal along a few patterns.
fn trials(n: usize, sd: f64, seed: u64) -> (Array2<f64>, Vec<String>) {
    let signal = noise(20, 3, seed).dot(&noise(3, 8, seed + 1)) * 4.0;
    let shown: Vec<Array2<f64>> = (0..n).map(|k| &signal + &(sd * noise(20, 8, seed + 10 + k as u64))).collect();
    let views: Vec<_> = shown.iter().map(|s| s.view()).collect();
    (concatenate(Axis(0), &views).unwrap(), std::iter::repeat_n(ids(20), n).flatten().collect())
}

fn study() -> TempDir {
    let dir = tempdir().unwrap();
    let (three, labels) = trials(3, 1.0, 1);
    save(&dir.path().join("trials.npy"), &three, Some(&labels));
    dir
}

/// The only row of the table that a command writes.
#[track_caller]
fn row(dir: &Path, line: &str) -> Row {
    let mut all = rows(&run(dir, line).text());
    assert_eq!(all.len(), 1, "{line}");
    all.remove(0)
}

#[track_caller]
fn load(path: &Path) -> (Array2<f64>, Option<Vec<String>>) {
    matrix(&fs::read(path).unwrap())
}

#[test]
fn golden_trials_give_the_shrinkage_and_covariances_of_numpy() {
    let dir = tempdir().unwrap();
    let golden = root().join("testdata/golden/gsn");
    let text = fs::read_to_string(golden.join("gsn.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    for name in ["two", "three", "five", "ten", "wide", "uneven"] {
        let file = golden.join(format!("{name}.npy"));
        let line = format!(
            "ceiling gsn --draws 20 --signal-covariance signal.npy --noise-covariance noise.npy {}",
            file.display()
        );
        let found = row(dir.path(), &line);
        let expected = &expected[name];
        let of = |key: &str| expected[key].as_f64().unwrap();
        assert!((number(&found, "shrinkage_noise") - of("shrinkage_noise")).abs() < 1e-12, "{name}");
        assert!((number(&found, "shrinkage_signal") - of("shrinkage_data")).abs() < 1e-12, "{name}");
        assert_eq!(number(&found, "n_iterations"), of("n_iterations"), "{name}");
        for which in ["signal", "noise"] {
            let (matrix, _) = load(&dir.path().join(format!("{which}.npy")));
            let rows = expected[which].as_array().unwrap();
            let wanted: Vec<f64> =
                rows.iter().flat_map(|r| r.as_array().unwrap().iter().map(|v| v.as_f64().unwrap())).collect();
            let largest = wanted.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            assert_eq!(matrix.len(), wanted.len());
            assert!(matrix.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-9 * largest), "{name} {which}");
        }
    }
}

#[test]
fn ceilings_lie_where_more_trials_and_less_noise_put_them() {
    let dir = study();
    let path = dir.path();
    let three = row(path, "ceiling gsn trials.npy");
    assert_eq!(three["array"], "trials");
    assert_eq!((&*three["n_voxels"], &*three["n_stimuli"], &*three["n_trials"]), ("8", "20", "3"));
    assert_eq!(three["reason"], "");
    let one = row(path, "ceiling gsn --trials 1 trials.npy");
    let many = row(path, "ceiling gsn --trials 1000000 trials.npy");
    for column in ["rdm_ceiling", "profile_ceiling"] {
        let [one, three, many] = [&one, &three, &many].map(|row| number(row, column));
        assert!(0.0 < one && one < three && three < many && many <= 1.0, "{column}: {one} {three} {many}");
        assert!(many > 0.999, "{column}");
    }
    // What the covariances are does not depend on what the ceilings are for.
    for column in ["ncsnr", "shrinkage_signal", "shrinkage_noise", "profile_signal_scale"] {
        assert_eq!(one[column], many[column], "{column}");
    }
    // The profile's ceiling is what split halves say; `ceiling within` has the same step.
    assert_eq!(three["profile_ceiling_se"], "0");
    assert!(number(&three, "rdm_ceiling_se") > 0.0 && number(&three, "rdm_ceiling_se") < 0.01);
    let (noisy, labels) = trials(3, 4.0, 1);
    save(&path.join("noisy.npy"), &noisy, Some(&labels));
    let noisy = row(path, "ceiling gsn noisy.npy");
    assert!(number(&noisy, "rdm_ceiling") < number(&three, "rdm_ceiling"));
    assert!(number(&noisy, "ncsnr") < number(&three, "ncsnr"));
}

#[test]
fn bytes_depend_on_the_seed_and_not_on_threads_or_the_way_in() {
    let dir = study();
    let path = dir.path();
    let of = |line: &str| run(path, line).text();
    let one = of("ceiling gsn --threads 1 --draws 100 trials.npy");
    assert_eq!(of("ceiling gsn --threads 2 --draws 100 trials.npy"), one);
    let bytes = fs::read(path.join("trials.npy")).unwrap();
    let piped = pipe(path, "ceiling gsn --draws 100 --names trials -", &bytes).text();
    assert_eq!(piped, one);
    let other = of("ceiling gsn --draws 100 --seed 1 trials.npy");
    assert_ne!(other, one);
    let [a, b] = [&one, &other].map(|text| rows(text).remove(0));
    assert_eq!(a["shrinkage_noise"], b["shrinkage_noise"]);
    let apart = (number(&a, "rdm_ceiling") - number(&b, "rdm_ceiling")).abs();
    assert!(apart < 4.0 * (number(&a, "rdm_ceiling_se") + number(&b, "rdm_ceiling_se")), "{apart}");
}

#[test]
fn two_to_forty_trials_and_unequal_ones() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    for n in [2, 3, 4, 7, 10, 40] {
        let (many, labels) = trials(n, 2.0, 5);
        save(&path.join("many.npy"), &many, Some(&labels));
        let found = row(path, "ceiling gsn --draws 20 many.npy");
        assert_eq!(found["n_trials"], n.to_string());
        assert!((0.0..1.0).contains(&number(&found, "rdm_ceiling")), "{n}: {found:?}");
    }
    // The third showing of the last ten stimuli is missing: 1 / mean(1 / n) = 2.4.
    let (three, labels) = trials(3, 1.0, 1);
    save(&path.join("unequal.npy"), &three.slice(s![..50, ..]).to_owned(), Some(&labels[..50]));
    let found = row(path, "ceiling gsn unequal.npy");
    within(number(&found, "n_trials"), 2.4, 1e-12);
    assert!(number(&found, "rdm_ceiling") > 0.5);
}

#[test]
fn more_voxels_than_the_most_are_taken_in_subsets() {
    let dir = study();
    let path = dir.path();
    let outcome = run(path, "ceiling gsn --draws 50 --max-voxels 5 --repeats 4 -o out.csv trials.npy");
    assert!(outcome.stderr.contains("8 voxels; means over 4 random subsets of 5"), "{}", outcome.stderr);
    outcome.ok();
    let found = rows(&fs::read_to_string(path.join("out.csv")).unwrap()).remove(0);
    assert_eq!(found["n_voxels"], "8");
    assert!(number(&found, "rdm_ceiling") > 0.3 && number(&found, "profile_ceiling_se") > 0.0);
    let record = fs::read_to_string(path.join("out.json")).unwrap();
    assert!(record.contains("subsets of trials.npy") && record.contains("\"n_subsets\": 4"), "{record}");
    // As many as there are: no subset, whatever --repeats.
    let of = |line: &str| run(path, line).text();
    assert_eq!(
        of("ceiling gsn --draws 50 --max-voxels 8 --repeats 9 trials.npy"),
        of("ceiling gsn --draws 50 trials.npy")
    );
    run(path, "ceiling gsn --max-voxels 5 --noise-covariance noise.npy trials.npy")
        .fails(1, &["trials.npy: 8 voxels and --max-voxels 5", "raise --max-voxels"]);
    assert!(!path.join("noise.npy").exists());
}

#[test]
fn drifts_between_sessions_are_taken_out() {
    let dir = study();
    let path = dir.path();
    let (mut drifting, labels) = trials(3, 1.0, 1);
    for session in 0..3 {
        let mut rows = drifting.slice_mut(s![20 * session..20 * session + 20, ..]);
        rows += 50.0 * session as f64;
    }
    save(&path.join("drifting.npy"), &drifting, Some(&labels));
    let lines: Vec<String> = labels.iter().enumerate().map(|(row, id)| format!("{id},{}", row / 20)).collect();
    fs::write(path.join("t.csv"), format!("stimulus,run\n{}\n", lines.join("\n"))).unwrap();
    let with = row(path, "ceiling gsn --stimuli t.csv --session run drifting.npy");
    let without = row(path, "ceiling gsn drifting.npy");
    assert!(number(&with, "ncsnr") > 5.0 * number(&without, "ncsnr"), "{with:?} {without:?}");
    run(path, "ceiling gsn --session run drifting.npy").fails(2, &["--stimuli"]);
}

#[test]
fn voxels_without_numbers_make_the_row_nan_with_a_reason() {
    let dir = study();
    let path = dir.path();
    let (good, labels) = trials(3, 1.0, 1);
    let of = |change: &dyn Fn(&mut Array2<f64>), line: &str| {
        let mut bad = good.clone();
        change(&mut bad);
        save(&path.join("bad.npy"), &bad, Some(&labels));
        let outcome = run(path, line);
        let stderr = outcome.stderr.clone();
        (rows(&outcome.text()).remove(0), stderr)
    };
    let (nan, stderr) = of(&|m| m[(7, 2)] = f64::NAN, "ceiling gsn bad.npy");
    assert_eq!((&*nan["reason"], &*nan["rdm_ceiling"], &*nan["ncsnr"]), ("nan_input", "NaN", "NaN"));
    assert!(stderr.contains("1 of 8 voxels lack a number (1 nan_input), the first is voxel 2"), "{stderr}");
    assert!(stderr.contains("npy cols"), "{stderr}");
    let (constant, _) = of(&|m| m.column_mut(4).fill(3.0), "ceiling gsn bad.npy");
    assert_eq!((&*constant["reason"], &*constant["rdm_ceiling"]), ("constant", "NaN"));
    // The trials of every stimulus are one.
    let same = |m: &mut Array2<f64>| (20..60).for_each(|row| m[(row, 1)] = m[(row % 20, 1)]);
    let (noiseless, _) = of(&same, "ceiling gsn bad.npy");
    assert_eq!(noiseless["reason"], "constant");
    // The second showing has the other sign: two of the three splits disagree, in profiles though not in RDMs.
    let turned = |m: &mut Array2<f64>| m.slice_mut(s![20..40, ..]).mapv_inplace(|v| -v);
    let (opposed, _) = of(&turned, "ceiling gsn bad.npy");
    assert_eq!((&*opposed["reason"], &*opposed["profile_ceiling"]), ("negative_reliability", "0"));
    let (covariance, _) = of(&|m| m[(7, 2)] = f64::NAN, "ceiling gsn --signal-covariance signal.npy bad.npy");
    assert_eq!(covariance["reason"], "nan_input");
    let (signal, _) = load(&path.join("signal.npy"));
    assert!(signal.dim() == (8, 8) && signal.iter().all(|v| v.is_nan()));
}

#[test]
fn one_voxel_has_a_profile_and_no_rdm() {
    let dir = study();
    let path = dir.path();
    let (all, labels) = trials(3, 1.0, 1);
    save(&path.join("one.npy"), &all.slice(s![.., 1..2]).to_owned(), Some(&labels));
    let one = row(path, "ceiling gsn one.npy");
    assert_eq!((&*one["rdm_ceiling"], &*one["signal_scale"], &*one["reason"]), ("NaN", "NaN", "too_few_voxels"));
    assert!(number(&one, "profile_ceiling") > 0.5);
}

#[test]
fn covariances_are_written_with_the_names_of_voxels() {
    let dir = study();
    let path = dir.path();
    let (all, labels) = trials(3, 1.0, 1);
    let names: Vec<String> = (0..8).map(|v| format!("v{v}")).collect();
    let mut writer = RowWriter::new(fs::File::create(path.join("named.npy")).unwrap(), 60, 8, Dtype::F8).unwrap();
    writer.write_rows(all.view()).unwrap();
    let labels = npy_stream::Labels { ids: Some(labels), columns: Some(names.clone()), name: Some("ffa".into()) };
    writer.finish(&labels).unwrap();
    let found = row(path, "ceiling gsn --draws 20 --noise-covariance noise.npy named.npy");
    assert_eq!(found["array"], "ffa");
    let (matrix, ids) = load(&path.join("noise.npy"));
    assert_eq!((matrix.dim(), ids), ((8, 8), Some(names)));
    assert_eq!(matrix, matrix.t());
    run(path, "ceiling gsn --noise-covariance noise.npy named.npy trials.npy").fails(1, &["2 arrays", "one by one"]);
    run(path, "ceiling gsn --noise-covariance trials.npy trials.npy").fails(1, &["trials.npy"]);
}

#[test]
fn what_cannot_be_estimated_is_refused() {
    let dir = study();
    let path = dir.path();
    let (all, labels) = trials(3, 1.0, 1);
    save(&path.join("bare.npy"), &all, None);
    run(path, "ceiling gsn bare.npy").fails(1, &["bare.npy: 60 rows without ids", "npy label"]);
    save(&path.join("once.npy"), &all.slice(s![..22, ..]).to_owned(), Some(&labels[..22]));
    run(path, "ceiling gsn once.npy").fails(1, &["once.npy: 2 of 20 stimuli have 2 repeats", "at least 3"]);
    save(&path.join("none.npy"), &all.slice(s![..0, ..]).to_owned(), Some(&[]));
    run(path, "ceiling gsn none.npy").fails(1, &["none.npy"]);
    save(&path.join("narrow.npy"), &all.slice(s![.., ..0]).to_owned(), Some(&labels));
    run(path, "ceiling gsn narrow.npy").fails(1, &["narrow.npy", "column"]);
    run(path, "ceiling gsn missing.npy").fails(1, &["missing.npy"]);
    for (option, said) in [("--draws 19", "20"), ("--repeats 0", "1"), ("--max-voxels 0", "at least 1")] {
        run(path, &format!("ceiling gsn {option} trials.npy")).fails(2, &[said]);
    }
}
