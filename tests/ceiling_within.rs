//! `ceiling within` as its users meet it: one person's trials in, the ceiling of a measure out.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

use std::path::Path;

use ndarray::{Array2, Axis, concatenate, s};
use support::*;
use tempfile::{TempDir, tempdir};

const N: usize = 16;
const SHOWN: usize = 3;

/// Three showings of 16 stimuli in 6 voxels, showing after showing, and a prediction of the signal.
fn place() -> (TempDir, Array2<f64>, Array2<f64>) {
    let dir = tempdir().unwrap();
    let signal = noise(N, 6, 1);
    let shown: Vec<Array2<f64>> = (0..SHOWN as u64).map(|k| &signal + &(0.6 * noise(N, 6, 10 + k))).collect();
    let trials = concatenate(Axis(0), &shown.iter().map(|s| s.view()).collect::<Vec<_>>()).unwrap();
    let labels: Vec<String> = ids(N);
    let all: Vec<String> = std::iter::repeat_n(labels.clone(), SHOWN).flatten().collect();
    save(&dir.path().join("trials.npy"), &trials, Some(&all));
    // Rows in another order: they are joined by id.
    let predicted = &signal + &(0.2 * noise(N, 6, 5));
    let order: Vec<usize> = (0..N).map(|i| (7 * i + 3) % N).collect();
    let shuffled: Vec<String> = order.iter().map(|&i| labels[i].clone()).collect();
    save(&dir.path().join("predicted.npy"), &predicted.select(Axis(0), &order), Some(&shuffled));
    (dir, trials, predicted)
}

fn profile(patterns: &Array2<f64>) -> Vec<f64> {
    patterns.rows().into_iter().map(|row| mean(&row.to_vec())).collect()
}

fn rdm(patterns: &Array2<f64>) -> Vec<f64> {
    let row = |i: usize| patterns.row(i).to_vec();
    (0..N).flat_map(|i| (i + 1..N).map(move |j| (i, j))).map(|(i, j)| 1.0 - pearson(&row(i), &row(j))).collect()
}

/// By bisection: the reliability of one trial with which one and two others correlate by `r`.
fn single(r: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..200 {
        let p: f64 = (low + high) / 2.0;
        if (p * 2.0 * p / (1.0 + p)).sqrt() < r { low = p } else { high = p }
    }
    low
}

/// r_one_rest, reliability of one and of the mean of three, and the score of the prediction.
fn by_hand(trials: &Array2<f64>, predicted: &Array2<f64>, of: impl Fn(&Array2<f64>) -> Vec<f64>) -> [f64; 4] {
    let shown = |k: usize| trials.slice(s![k * N..(k + 1) * N, ..]).to_owned();
    let one_rest = |k: usize| {
        let rest = (0..SHOWN).filter(|&other| other != k).map(shown).reduce(|a, b| a + b).unwrap() / 2.0;
        pearson(&of(&shown(k)), &of(&rest))
    };
    let r = mean(&(0..SHOWN).map(one_rest).collect::<Vec<f64>>());
    let p = single(r);
    let averages = (shown(0) + shown(1) + shown(2)) / 3.0;
    [r, p, 3.0 * p / (1.0 + 2.0 * p), pearson(&of(predicted), &of(&averages))]
}

fn table(dir: &Path, options: &str) -> Vec<Row> {
    rows(&run(dir, &format!("ceiling within {options} trials.npy")).text())
}

#[test]
fn the_rest_has_less_noise_than_the_one() {
    let (dir, trials, predicted) = place();
    for (stat, of) in [("profile", profile as fn(&Array2<f64>) -> Vec<f64>), ("rdm", rdm)] {
        let [r, one, all, score] = by_hand(&trials, &predicted, of);
        let row = &table(dir.path(), &format!("--stat {stat} --predicted predicted.npy"))[0];
        within(number(row, "r_one_rest"), r, 1e-12);
        within(number(row, "reliability_one"), one, 1e-12);
        within(number(row, "reliability"), all, 1e-12);
        within(number(row, "r_max"), all.sqrt(), 1e-12);
        within(number(row, "r"), score, 1e-12);
        within(number(row, "r_norm"), score / all.sqrt(), 1e-12);
        assert_eq!((&row["n_presentations"][..], &row["n_trials"][..], &row["reason"][..]), ("3", "3", ""));
    }
    // for averages of twelve trials
    let [_, one, ..] = by_hand(&trials, &predicted, profile);
    let row = &table(dir.path(), "--trials 12")[0];
    within(number(row, "reliability"), 12.0 * one / (1.0 + 11.0 * one), 1e-12);
    assert!(!row.contains_key("r_norm"));
}

#[test]
fn voxels_are_medians_over_those_that_have_a_number() {
    let (dir, trials, predicted) = place();
    let mut each: Vec<[f64; 4]> = (0..6)
        .map(|v| {
            let column = |m: &Array2<f64>| m.slice(s![.., v..=v]).to_owned();
            by_hand(&column(&trials), &column(&predicted), profile)
        })
        .collect();
    let row = &table(dir.path(), "--stat voxel --predicted predicted.npy")[0];
    for (k, name) in ["r_one_rest", "reliability_one", "reliability", "r"].iter().enumerate() {
        each.sort_by(|a, b| a[k].total_cmp(&b[k]));
        within(number(row, name), (each[2][k] + each[3][k]) / 2.0, 1e-12);
    }
    let mut spoiled = trials.clone();
    spoiled[(4, 0)] = f64::NAN;
    spoiled.column_mut(1).fill(3.0);
    let all: Vec<String> = std::iter::repeat_n(ids(N), SHOWN).flatten().collect();
    save(&dir.path().join("spoiled.npy"), &spoiled, Some(&all));
    let out = run(dir.path(), "ceiling within --stat voxel spoiled.npy");
    assert!(out.stderr.contains("2 of 6 voxels lack a number (1 nan_input, 1 constant)"), "{}", out.stderr);
    let row = &rows(&out.text())[0];
    assert_eq!((&row["n_voxels"][..], &row["reason"][..]), ("4", ""));
    assert!(number(row, "r_max") > 0.0);
    // a profile has no number where one of its voxels has none
    let row = &rows(&run(dir.path(), "ceiling within spoiled.npy").text())[0];
    assert_eq!((&row["r_max"][..], &row["reason"][..]), ("NaN", "nan_input"));
}

#[test]
fn noise_alone_has_no_ceiling_and_says_so() {
    let dir = tempdir().unwrap();
    // Every showing runs against the others.
    let signal = noise(8, 1, 3);
    let trials = concatenate![Axis(0), signal, -&signal, signal, -&signal];
    let all: Vec<String> = std::iter::repeat_n(ids(8), 4).flatten().collect();
    save(&dir.path().join("trials.npy"), &trials, Some(&all));
    let row = &table(dir.path(), "")[0];
    within(number(row, "r_one_rest"), -1.0, 1e-12);
    assert_eq!((&row["reliability_one"][..], &row["r_max"][..]), ("NaN", "NaN"));
    assert_eq!(row["reason"], "negative_reliability");
}

#[test]
fn what_has_no_repeats_or_other_voxels_is_refused() {
    let (dir, trials, predicted) = place();
    let path = dir.path();
    run(path, "ceiling within predicted.npy").fails(1, &["0 of 16 stimuli are shown twice", "at least 3"]);
    save(&path.join("plain.npy"), &trials, None);
    run(path, "ceiling within plain.npy").fails(1, &["48 rows without ids", "npy label"]);
    save(&path.join("narrow.npy"), &predicted.slice(s![.., ..4]).to_owned(), Some(&ids(N)));
    let line = "ceiling within --predicted narrow.npy trials.npy";
    run(path, line).fails(1, &["4 columns", "6 voxels", "the same voxels"]);
    run(path, "ceiling within --predicted trials.npy trials.npy").fails(1, &["one row per stimulus", "48 rows"]);
    let line = "ceiling within --predicted predicted.npy trials.npy trials.npy --names a,b";
    run(path, line).fails(1, &["one array", "2 are given"]);
    run(path, "ceiling within --trials 5 --predicted predicted.npy trials.npy").fails(2, &["cannot be used with"]);
    save(&path.join("few.npy"), &predicted.slice(s![..10, ..]).to_owned(), Some(&ids(10)));
    run(path, "ceiling within --predicted few.npy trials.npy").fails(1, &["--inner"]);
    let row = &rows(&run(path, "ceiling within --inner --predicted few.npy trials.npy").text())[0];
    assert_eq!(row["n_stimuli"], "10");
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let (dir, ..) = place();
    let line = "ceiling within --stat voxel trials.npy";
    assert_eq!(run(dir.path(), line).text(), run(dir.path(), &format!("{line} --threads 1")).text());
}

#[test]
fn voxels_that_noise_made_look_good_do_not_make_the_median() {
    let dir = tempdir().unwrap();
    let all: Vec<String> = std::iter::repeat_n(ids(40), 3).flatten().collect();
    save(&dir.path().join("noise.npy"), &noise(120, 201, 5), Some(&all));
    let out = run(dir.path(), "ceiling within --stat voxel noise.npy");
    assert!(out.stderr.contains("below 0 being the lowest reliability"), "{}", out.stderr);
    let row = &rows(&out.text())[0];
    // about half of the voxels are below 0; those above would have an r_max near .4
    assert_eq!(row["n_voxels"], "201");
    let r = number(row, "r_one_rest");
    assert!(r.abs() < 0.03, "{r}");
    if r < 0.0 {
        assert_eq!((&row["r_max"][..], &row["reason"][..]), ("NaN", "negative_reliability"));
    } else {
        within(number(row, "reliability_one"), single(r), 1e-12);
    }
}

#[test]
fn a_prediction_without_a_score_says_why() {
    let (dir, _, predicted) = place();
    let mut flat = predicted.clone();
    flat.column_mut(2).fill(1.0);
    save(&dir.path().join("flat.npy"), &flat, Some(&ids(N)));
    let out = run(dir.path(), "ceiling within --stat voxel --predicted flat.npy trials.npy");
    assert!(out.stderr.contains("1 of 6 voxels have no r"), "{}", out.stderr);
    let row = &rows(&out.text())[0];
    assert!(number(row, "r").is_finite() && number(row, "r_norm").is_finite() && row["reason"].is_empty());
    for (value, reason) in [(1.0, "constant"), (f64::NAN, "nan_input")] {
        save(&dir.path().join("flat.npy"), &Array2::from_elem(predicted.dim(), value), Some(&ids(N)));
        let out = run(dir.path(), "ceiling within --predicted flat.npy trials.npy");
        assert!(out.stderr.contains(reason), "{}", out.stderr);
        let row = &rows(&out.text())[0];
        assert_eq!((&row["r"][..], &row["reason"][..]), ("NaN", reason));
        assert!(number(row, "r_max") > 0.0);
    }
}

#[test]
fn small_sessions_of_the_datasets_convention_are_warned_of() {
    // Noise alone: 8 stimuli in each of 12 sessions, 300 voxels.
    let dir = tempdir().unwrap();
    let path = dir.path();
    let labels: Vec<String> = std::iter::repeat_n(ids(8), 12).flatten().collect();
    save(&path.join("t.npy"), &noise(96, 300, 9), Some(&labels));
    let lines: Vec<String> = labels.iter().enumerate().map(|(i, id)| format!("{id},{}", i / 8)).collect();
    std::fs::write(path.join("t.csv"), format!("stimulus,run\n{}\n", lines.join("\n"))).unwrap();
    let line = "ceiling voxel --stimuli t.csv --session run t.npy";
    let mean_of = |text: &str| {
        mean(
            &rows(text)
                .iter()
                .filter(|row| !row["ncsnr"].is_empty())
                .map(|row| number(row, "ncsnr").powi(2))
                .collect::<Vec<f64>>(),
        )
    };
    let out = run(path, &format!("{line} --convention nsd"));
    assert!(out.stderr.contains("sessions of 8 trials") && out.stderr.contains("0.632 instead of 0"), "{}", out.stderr);
    // 1 / 8 of signal to 7 / 8 of noise
    within(mean_of(&out.text()), 1.0 / 7.0, 0.02);
    let out = run(path, line);
    assert!(!out.stderr.contains("sessions of 8 trials"), "{}", out.stderr);
    // nor where all repeats share a session, or no session is given: the advice would change nothing
    let out = run(path, "ceiling voxel --convention nsd t.npy");
    assert!(!out.stderr.contains("counts as signal"), "{}", out.stderr);
    let out = run(path, "ceiling voxel --convention nsd --stimuli t.csv --session stimulus t.npy");
    assert!(!out.stderr.contains("counts as signal"), "{}", out.stderr);
    let out = run(path, line);
    // half of the voxels have a signal below 0, which is set to 0
    let left = mean_of(&out.text());
    assert!(left < 0.04, "{left}");
}

#[test]
fn tuning_divides_by_the_reliability_of_the_table_of_the_right_kind() {
    let (dir, trials, predicted) = place();
    let path = dir.path();
    run(path, "ceiling within trials.npy -o within.csv").ok();
    run(path, "npy average trials.npy -o averages.npy").ok();
    let reliability = by_hand(&trials, &predicted, profile)[2];
    let score = |line: &str| rows(&run(path, &format!("tuning compare predicted.npy {line}")).text())[0].clone();
    // of the trials, and of their averages, whose reliability nothing else tells
    for brain in ["trials.npy", "averages.npy --brain-names trials"] {
        let row = score(&format!("--brain {brain} --ceiling within.csv"));
        within(number(&row, "reliability"), reliability, 1e-12);
        within(number(&row, "r_norm"), number(&row, "r") / reliability.sqrt(), 1e-12);
        assert_eq!(row["r_halves"], "");
    }
    assert_eq!(score("--brain averages.npy")["r_norm"], "");
    let refused = |options: &str, table: &str, parts: &[&str]| {
        run(path, &format!("ceiling within {options} trials.npy -o other.csv")).ok();
        run(path, &format!("tuning compare predicted.npy --brain trials.npy --ceiling {table}")).fails(1, parts);
    };
    refused("--stat rdm", "other.csv", &["that of its rdm", "--stat profile"]);
    refused("--compare spearman", "other.csv", &["spearman correlations", "--compare is pearson"]);
    refused("--trials 1", "other.csv", &["averages over 1 trials", "trials.npy has 3"]);
    refused("--names other", "other.csv", &["0 rows are called \"trials\""]);
    // a reliability of more stimuli than are compared, and one that is none
    save(&path.join("few.npy"), &predicted.slice(s![..5, ..]).to_owned(), Some(&ids(5)));
    run(path, "tuning compare few.npy --brain trials.npy --ceiling within.csv --inner")
        .fails(1, &["stimuli, and 5 are compared"]);
    sh(path, "ceiling within trials.npy | sed 's/pearson,\\(.*\\),[^,]*,[^,]*,$/pearson,\\1,1.5,1.2,/' > above.csv")
        .ok();
    run(path, "tuning compare predicted.npy --brain trials.npy --ceiling above.csv")
        .fails(1, &["1.5 of \"trials\" is above 1"]);
    run(path, "ceiling voxel trials.npy -o voxels.csv").ok();
    refused("", "voxels.csv", &["voxels.csv: no column stat", "ceiling within --stat profile"]);
    run(path, "tuning compare predicted.npy --brain trials.npy --ceiling within.csv --brain-reliability 0.5")
        .fails(2, &["cannot be used with"]);
    run(path, "tuning diverge predicted.npy --brain trials.npy --ceiling within.csv").fails(1, &["--noise-corrected"]);
}

#[test]
fn pairs_without_a_distance_are_counted() {
    let (dir, mut trials, _) = place();
    let path = dir.path();
    // Stimulus 2 of the second showing: the same response in all voxels has no correlation with any other.
    trials.row_mut(N + 2).fill(0.5);
    let all: Vec<String> = std::iter::repeat_n(ids(N), SHOWN).flatten().collect();
    save(&path.join("flat.npy"), &trials, Some(&all));
    let out = run(path, "ceiling within --stat rdm flat.npy");
    let expected = format!("up to {} of {} pairs have no distance", N - 1, N * (N - 1) / 2);
    assert!(out.stderr.contains(&expected), "{}", out.stderr);
    assert!(number(&rows(&out.text())[0], "r_max") > 0.0);
    assert!(!run(path, "ceiling within --stat rdm trials.npy").stderr.contains("no distance"));
}
