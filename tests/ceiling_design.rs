//! `ceiling design` as its users meet it: single trials of several people in, ceilings of other studies out.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, though clippy cannot know it

use ndarray::{Array2, Axis, concatenate};
use std::fs;
use std::path::Path;
use support::*;
use tempfile::{TempDir, tempdir};

const N: usize = 40;

fn repeated(n_stimuli: usize, n: usize) -> Vec<String> {
    std::iter::repeat_n(ids(n_stimuli), n).flatten().collect()
}

/// Trials (showing after showing) of `n_voxels` voxels that all carry the profile `shared + own * its own signal`, each
/// voxel of every trial with noise.
fn subject(n_stimuli: usize, n_repeats: usize, own: f64, sd: f64, seed: u64) -> Array2<f64> {
    let profile = noise(n_stimuli, 1, 1) + own * noise(n_stimuli, 1, 100 + seed);
    let shown: Vec<Array2<f64>> = (0..n_repeats as u64)
        .map(|k| {
            5.0 + profile.broadcast((n_stimuli, 1)).unwrap().to_owned()
                + sd * noise(n_stimuli, 3, 1000 * (k + 1) + seed)
        })
        .collect();
    concatenate(Axis(0), &shown.iter().map(|s| s.view()).collect::<Vec<_>>()).unwrap()
}

/// Five people, three trials of 40 stimuli in three voxels: `sub-K.npy`.
fn people() -> (TempDir, Vec<Array2<f64>>) {
    let dir = tempdir().unwrap();
    let all: Vec<Array2<f64>> = (0..5).map(|s| subject(N, 3, 0.7, 1.5, s)).collect();
    for (s, trials) in all.iter().enumerate() {
        save(&dir.path().join(format!("sub-{s}.npy")), trials, Some(&repeated(N, 3)));
    }
    (dir, all)
}

fn table(path: &Path, line: &str) -> Vec<Row> {
    rows(&run(path, line).text())
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn covariance(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| (a - mean(x)) * (b - mean(y))).sum::<f64>() / (x.len() - 1) as f64
}

/// Shared, own and noise variance by their definitions: covariance of two people, variance of one less its noise, and
/// the variance within stimuli.
fn components_of(people: &[Array2<f64>]) -> [f64; 3] {
    let profiles: Vec<Vec<f64>> =
        people.iter().map(|p| p.rows().into_iter().map(|r| mean(&r.to_vec())).collect()).collect();
    let showings = |p: &Vec<f64>, s: usize| [p[s], p[N + s], p[2 * N + s]];
    let averages: Vec<Vec<f64>> =
        profiles.iter().map(|p| (0..N).map(|s| mean(&showings(p, s))).collect::<Vec<f64>>()).collect();
    let within: Vec<f64> =
        profiles.iter().flat_map(|p| (0..N).map(move |s| covariance(&showings(p, s), &showings(p, s)))).collect();
    let noise = mean(&within);
    let pairs: Vec<f64> = (0..people.len())
        .flat_map(|i| (i + 1..people.len()).map(move |j| (i, j)))
        .map(|(i, j)| covariance(&averages[i], &averages[j]))
        .collect();
    let signal = mean(&averages.iter().map(|a| covariance(a, a)).collect::<Vec<_>>()) - noise / 3.0;
    [mean(&pairs), signal - mean(&pairs), noise]
}

#[test]
fn every_row_follows_from_the_components() {
    let (dir, people) = people();
    let path = dir.path();
    let [shared, own, trial] = components_of(&people);
    let found = table(path, "ceiling design --components sub-0.npy sub-1.npy sub-2.npy sub-3.npy sub-4.npy");
    let of = |name: &str| found.iter().find(|row| row["component"] == name).unwrap();
    for (name, expected) in [("shared", shared), ("own", own), ("noise", trial)] {
        within(number(of(name), "variance"), expected, 1e-12);
        within(number(of(name), "share"), expected / (shared + own + trial), 1e-12);
        assert!(number(of(name), "ci_lo") < expected && expected < number(of(name), "ci_hi"));
    }
    assert_eq!(of("subject")["share"], "");
    let line = "ceiling design sub-0.npy sub-1.npy sub-2.npy sub-3.npy sub-4.npy --repeats 1,3,9 --subjects 2,30 \
                --stimuli 10,160 --want 0.5,0.95";
    let found = table(path, line);
    let vary: Vec<&str> = found.iter().map(|row| row["vary"].as_str()).collect();
    let expected =
        ["observed", "repeats", "repeats", "repeats", "subjects", "subjects", "stimuli", "stimuli", "want", "want"];
    assert_eq!(vary, expected);
    for row in &found {
        let (s, r) = (number(row, "n_subjects"), number(row, "n_repeats"));
        let apart = own + trial / r;
        let reliability = (shared + own) / (shared + apart);
        within(number(row, "reliability"), reliability, 1e-12);
        within(number(row, "r_max"), reliability.sqrt(), 1e-12);
        let alone = shared / ((shared + apart) * (shared + apart / (s - 1.0))).sqrt();
        within(number(row, "leave_one_out"), alone, 1e-12);
        for name in ["reliability", "r_max", "leave_one_out"] {
            let [lo, hi] = ["ci_lo", "ci_hi"].map(|end| number(row, &format!("{name}_{end}")));
            assert!(lo < number(row, name) && number(row, name) < hi, "{row:?}");
        }
        within(number(row, "r_max_ci_hi"), number(row, "reliability_ci_hi").sqrt(), 1e-12);
        assert_eq!(row["reason"], "");
        assert_eq!(row["r_max_se"].is_empty(), r == 1.0, "{row:?}");
    }
    // The study at hand is the one with its own numbers; more of anything measures better.
    let number_of = |row: usize, column: &str| number(&found[row], column);
    assert_eq!((found[0]["n_subjects"].as_str(), found[0]["n_repeats"].as_str()), ("5", "3"));
    assert_eq!(number_of(0, "leave_one_out"), number_of(2, "leave_one_out"));
    assert!(number_of(5, "leave_one_out_se") < number_of(4, "leave_one_out_se"));
    assert!(number_of(7, "leave_one_out_se") < 0.5 * number_of(6, "leave_one_out_se"));
    assert!(number_of(7, "r_max_se") < 0.5 * number_of(6, "r_max_se"));
    assert_eq!(number_of(6, "reliability"), number_of(7, "reliability"));
    // The fewest repeats that reach what is wanted.
    for row in &found[8..] {
        let (want, n) = (number(row, "want"), number(row, "n_repeats"));
        let with = |n: f64| ((shared + own) / (shared + own + trial / n)).sqrt();
        assert!(with(n) >= want && (n == 1.0 || with(n - 1.0) < want), "{row:?}");
        assert!(number(row, "n_repeats_ci_lo") <= n && n <= number(row, "n_repeats_ci_hi"), "{row:?}");
    }
    assert!(number_of(9, "n_repeats_ci_lo") < number_of(9, "n_repeats_ci_hi"));
    assert!(found[..8].iter().all(|row| row["want"].is_empty() && row["n_repeats_ci_lo"].is_empty()));
}

#[test]
fn the_observed_row_is_what_ceiling_between_measures() {
    let (dir, _) = people();
    let files = "sub-0.npy sub-1.npy sub-2.npy sub-3.npy sub-4.npy";
    let found = table(dir.path(), &format!("ceiling design {files}"));
    let measured = table(dir.path(), &format!("ceiling between {files}"));
    let mean_of = |column: &str| mean(&measured[..5].iter().map(|row| number(row, column)).collect::<Vec<_>>());
    // One is of variances pooled over people, the other a mean of five correlations.
    within(number(&found[0], "leave_one_out"), mean_of("leave_one_out"), 0.03);
    within(number(&found[0], "r_max"), mean_of("r_max"), 0.03);
}

#[test]
fn order_of_rows_pipes_and_threads_change_nothing() {
    let (dir, people) = people();
    let path = dir.path();
    let text = run(path, "ceiling design sub-0.npy sub-1.npy sub-2.npy sub-3.npy sub-4.npy").text();
    assert_eq!(sh(path, "cat sub-?.npy | ceiling design --threads 1").text(), text);
    // Stimuli of another order in one file: joined by id.
    let order: Vec<usize> = (0..3).flat_map(|k| (0..N).map(move |s| N * k + (s + 7) % N)).collect();
    let labels: Vec<String> = order.iter().map(|&row| repeated(N, 3)[row].clone()).collect();
    save(&path.join("moved.npy"), &people[3].select(Axis(0), &order), Some(&labels));
    let moved = run(path, "ceiling design sub-0.npy sub-1.npy sub-2.npy moved.npy sub-4.npy");
    assert!(moved.stderr.contains("moved.npy"), "{moved:?}");
    assert_eq!(moved.text(), text);
    assert_ne!(sh(path, "cat sub-?.npy | ceiling design --seed 1").text(), text);
    let jsonl = sh(path, "cat sub-?.npy | ceiling design --format jsonl --repeats 2").text();
    let first: serde_json::Value = serde_json::from_str(jsonl.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&first["vary"], &first["n_repeats"]), (&"repeats".into(), &2.into()));
    run(path, "ceiling design sub-0.npy sub-1.npy sub-2.npy -o d.csv").ok();
    let record: serde_json::Value = serde_json::from_str(&fs::read_to_string(path.join("d.json")).unwrap()).unwrap();
    assert_eq!((&record["boot"], &record["seed"], &record["n_boot"]), (&"both".into(), &0.into(), &1000.into()));
    assert!(record["components"]["shared"].as_f64().unwrap() > 0.0);
}

#[test]
fn two_people_are_drawn_by_stimuli_and_noise_has_no_number() {
    let (dir, _) = people();
    let path = dir.path();
    let two = run(path, "ceiling design sub-0.npy sub-1.npy");
    assert!(two.stderr.contains("the intervals are over stimuli alone"), "{two:?}");
    assert_eq!(two.text(), run(path, "ceiling design --boot stimuli sub-0.npy sub-1.npy").text());
    // Nothing but noise, whose showings differ more than its stimuli do: the second is the first turned over.
    for s in 0..3 {
        let first = noise(N, 3, 50 + s);
        let both = concatenate(Axis(0), &[first.view(), first.mapv(|v| -v).view()]).unwrap();
        save(&path.join(format!("none-{s}.npy")), &both, Some(&repeated(N, 2)));
    }
    let out = run(path, "ceiling design none-0.npy none-1.npy none-2.npy --want 0.5");
    for row in rows(&out.text()) {
        assert_eq!(row["r_max"], "NaN");
        let wanted = row["vary"] == "want";
        assert_eq!(row["reason"], if wanted { "no_signal" } else { "negative_reliability" });
        assert_eq!(row["n_repeats"] == "NaN", wanted, "{row:?}");
    }
    // Unequal repeats count by their inverses: 40 of 2, 20 of which once more.
    let labels: Vec<String> = [repeated(N, 2), ids(20)].concat();
    for s in 0..3 {
        let trials = subject(N, 3, 0.7, 1.5, s);
        save(
            &path.join(format!("mixed-{s}.npy")),
            &trials.select(Axis(0), &(0..100).collect::<Vec<_>>()),
            Some(&labels),
        );
    }
    let mixed = table(path, "ceiling design mixed-0.npy mixed-1.npy mixed-2.npy");
    within(number(&mixed[0], "n_repeats"), 1.0 / ((1.0 / 2.0 + 1.0 / 3.0) / 2.0), 1e-12);
}

#[test]
fn what_cannot_be_told_is_refused() {
    let (dir, people) = people();
    let path = dir.path();
    let refused = |line: &str, parts: &[&str]| {
        run(path, line).fails(1, parts);
    };
    refused("ceiling design sub-0.npy", &["sub-0.npy: 1 subject", "at least 2"]);
    let averages = Array2::from_shape_fn((N, 3), |(s, v)| people[1][(s, v)]);
    save(&path.join("once.npy"), &averages, Some(&ids(N)));
    refused("ceiling design sub-0.npy once.npy", &["once.npy: none of 40 stimuli is shown twice", "single trials"]);
    save(&path.join("bare.npy"), &people[1], None);
    refused("ceiling design sub-0.npy bare.npy", &["bare.npy", "without ids", "npy label"]);
    let mut with_nan = people[1].clone();
    with_nan[(4, 2)] = f64::NAN;
    save(&path.join("nan.npy"), &with_nan, Some(&repeated(N, 3)));
    refused("ceiling design sub-0.npy nan.npy", &["nan.npy: trial", "NaN in its 3 columns", "npy cols"]);
    save(&path.join("flat.npy"), &Array2::from_elem((3 * N, 3), 2.5), Some(&repeated(N, 3)));
    refused("ceiling design sub-0.npy flat.npy", &["flat.npy", "constant", "leave this subject out"]);
    save(&path.join("few.npy"), &noise(4, 3, 1), Some(&repeated(2, 2)));
    save(&path.join("few2.npy"), &noise(4, 3, 2), Some(&repeated(2, 2)));
    refused("ceiling design few.npy few2.npy", &["2 stimuli", "at least 3"]);
    save(&path.join("others.npy"), &noise(6, 3, 1), Some(&["x", "y", "z", "x", "y", "z"].map(String::from)));
    refused("ceiling design sub-0.npy others.npy", &["others.npy"]);
    // One person twice shares everything with himself.
    refused("ceiling design sub-0.npy sub-0.npy", &["sub-0"]);
    refused("ceiling design sub-0.npy missing.npy", &["missing.npy"]);
    refused("ceiling design sub-0.npy sub-1.npy --subjects 1000000", &["1000000 subjects and 40 stimuli", "at most"]);
    for (option, parts) in [
        ("--repeats 0", "0 is not in 1..=1000000"),
        ("--subjects 1", "1 is not in 2..=1000000"),
        ("--stimuli 2", "2 is not in 3..=1000000"),
        ("--want 1", "1 is not between 0 and 1"),
        ("--want much", "no number between 0 and 1"),
        ("--components --want 0.5", "cannot be used with"),
        ("--n-boot 1", "1 is not in 2.."),
    ] {
        run(path, &format!("ceiling design sub-0.npy sub-1.npy {option}")).fails(2, &[parts]);
    }
}

#[test]
fn the_examples_of_the_help_run() {
    let (dir, people) = people();
    let path = dir.path();
    for (s, trials) in people.iter().enumerate() {
        fs::create_dir(path.join(format!("sub-{s}"))).unwrap();
        save(&path.join(format!("sub-{s}/ffa.npy")), trials, Some(&repeated(N, 3)));
    }
    let text = run(path, "ceiling design --help").text();
    let lines: Vec<&str> =
        text.split("Examples:").nth(1).unwrap().lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    assert_eq!(lines.len(), 3, "{text}");
    for line in lines {
        sh(path, line).ok();
    }
}
