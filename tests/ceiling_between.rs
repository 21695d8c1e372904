//! `ceiling between` with models, people who are one person, and intervals.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

use std::path::Path;

use ndarray::{Array2, Axis, concatenate};
use support::*;
use tempfile::{TempDir, tempdir};

const N: usize = 14;

/// Subjects `a.npy` to `d.npy` of three showings of 14 stimuli in 5 voxels, and two models: the signal, and noise.
fn place() -> (TempDir, Vec<Array2<f64>>, Array2<f64>) {
    let dir = tempdir().unwrap();
    let signal = noise(N, 5, 1);
    let all: Vec<String> = std::iter::repeat_n(ids(N), 3).flatten().collect();
    let mut averages = Vec::new();
    for (k, name) in ["a", "b", "c", "d"].iter().enumerate() {
        let k = k as u64;
        let own = &signal + &(0.4 * noise(N, 5, 50 + k));
        let shown: Vec<Array2<f64>> = (0..3).map(|s| &own + &(0.6 * noise(N, 5, 100 + 10 * k + s))).collect();
        let trials = concatenate(Axis(0), &shown.iter().map(|s| s.view()).collect::<Vec<_>>()).unwrap();
        save(&dir.path().join(format!("{name}.npy")), &trials, Some(&all));
        averages.push((&shown[0] + &shown[1] + &shown[2]) / 3.0);
    }
    let order: Vec<usize> = (0..N).rev().collect();
    let reversed: Vec<String> = ids(N).into_iter().rev().collect();
    save(&dir.path().join("good.npy"), &signal.select(Axis(0), &order), Some(&reversed));
    save(&dir.path().join("bad.npy"), &noise(N, 9, 77), Some(&ids(N)));
    (dir, averages, signal)
}

fn profile(patterns: &Array2<f64>) -> Vec<f64> {
    patterns.rows().into_iter().map(|row| mean(&row.to_vec())).collect()
}

fn rdm(patterns: &Array2<f64>) -> Vec<f64> {
    let row = |i: usize| patterns.row(i).to_vec();
    (0..N).flat_map(|i| (i + 1..N).map(move |j| (i, j))).map(|(i, j)| 1.0 - pearson(&row(i), &row(j))).collect()
}

fn table(dir: &Path, options: &str) -> Vec<Row> {
    rows(&run(dir, &format!("ceiling between {options}")).text())
}

fn row<'a>(table: &'a [Row], name: &str) -> &'a Row {
    table.iter().find(|row| row["subject"] == name).unwrap()
}

#[test]
fn models_stand_beside_people_with_their_gap() {
    let (dir, averages, signal) = place();
    for (stat, of) in [("profile", profile as fn(&Array2<f64>) -> Vec<f64>), ("rdm", rdm)] {
        let table = table(dir.path(), &format!("--stat {stat} a.npy b.npy c.npy d.npy --models good.npy bad.npy"));
        let people: Vec<Vec<f64>> = averages.iter().map(of).collect();
        let human = row(&table, "median");
        for (name, patterns) in [("good", &signal), ("bad", &noise(N, 9, 77))] {
            let r: Vec<f64> = people.iter().map(|person| pearson(&of(patterns), person)).collect();
            let model = row(&table, name);
            within(number(model, "median_pairwise"), median(r.clone()), 1e-12);
            within(number(model, "mean_pairwise"), mean(&r), 1e-12);
            within(number(model, "gap"), number(human, "median_pairwise") - median(r.clone()), 1e-12);
            // a model has no noise: the subject's alone is taken out
            let normed: Vec<f64> = ["a", "b", "c", "d"]
                .iter()
                .zip(&r)
                .map(|(subject, r)| r / number(row(&table, subject), "reliability").sqrt())
                .collect();
            within(number(model, "median_pairwise_norm"), median(normed.clone()), 1e-12);
            let gap = number(human, "median_pairwise_norm") - median(normed);
            within(number(model, "gap_norm"), gap, 1e-12);
            assert_eq!((&model["role"][..], &model["leave_one_out"][..]), ("model", ""));
        }
        assert!(number(row(&table, "good"), "gap") < number(row(&table, "bad"), "gap"));
        // means beside medians, and the reliability of the group's mean
        let others: Vec<f64> = (1..4).map(|other| pearson(&people[0], &people[other])).collect();
        within(number(row(&table, "a"), "mean_pairwise"), mean(&others), 1e-12);
        let scored = |v: &Vec<f64>| -> Vec<f64> {
            // RDMs are averaged as z-scores
            let (m, sd) = if stat == "rdm" { (mean(v), variance(v).sqrt()) } else { (0.0, 1.0) };
            v.iter().map(|v| (v - m) / sd).collect()
        };
        let scored: Vec<Vec<f64>> = people.iter().map(scored).collect();
        let sums: Vec<f64> = (0..scored[0].len()).map(|k| scored.iter().map(|s| s[k]).sum()).collect();
        let within_all: f64 = scored.iter().map(|s| variance(s)).sum();
        let alpha = 4.0 / 3.0 * (1.0 - within_all / variance(&sums));
        within(number(human, "cronbach_alpha"), alpha, 1e-12);
        assert_eq!((&row(&table, "a")["role"][..], &human["role"][..]), ("subject", "summary"));
    }
    let line = "--stat voxel a.npy b.npy --models good.npy";
    run(dir.path(), &format!("ceiling between {line}")).fails(1, &["units of a model are no voxels", "--stat profile"]);
    let line = "ceiling between a.npy b.npy --names median,b";
    run(dir.path(), line).fails(1, &["\"median\"", "a row of the table", "--names"]);
}

#[test]
fn copies_in_a_draw_do_not_make_noise_reliable() {
    // eight people of pure noise: an interval of alpha that copies have pulled up lies above 0
    let dir = tempdir().unwrap();
    let mut above = 0;
    for study in 0..6 {
        for k in 0..8 {
            save(&dir.path().join(format!("n{k}.npy")), &noise(60, 1, 1000 + 8 * study + k), Some(&ids(60)));
        }
        let found =
            table(dir.path(), "n0.npy n1.npy n2.npy n3.npy n4.npy n5.npy n6.npy n7.npy --boot subjects --n-boot 300");
        let of = |name: &str| number(row(&found, name), "cronbach_alpha");
        assert!(of("ci_lo") < of("median") && of("median") < of("ci_hi"));
        above += usize::from(of("ci_lo") > 0.0);
    }
    assert!(above <= 2, "{above} of 6");
}

#[test]
fn rdms_of_models_stand_beside_rdms() {
    let (dir, ..) = place();
    let path = dir.path();
    for name in ["a", "b", "c", "d", "good", "bad"] {
        sh(path, &format!("npy average {name}.npy | rsa rdm > {name}_rdm.npy")).ok();
    }
    let from_patterns = table(path, "--stat rdm a.npy b.npy c.npy d.npy --models good.npy bad.npy");
    let files = "a_rdm.npy b_rdm.npy c_rdm.npy d_rdm.npy --models good_rdm.npy bad_rdm.npy";
    let from_rdms = table(path, &format!("--stat rdm {files}"));
    for (a, b) in from_patterns.iter().zip(&from_rdms) {
        for column in ["median_pairwise", "leave_one_out", "mean_pairwise"] {
            assert_eq!(a[column].is_empty(), b[column].is_empty());
            if !a[column].is_empty() {
                within(number(a, column), number(b, column), 1e-12);
            }
        }
    }
    run(path, "ceiling between --stat rdm a.npy b.npy --models good_rdm.npy")
        .fails(1, &["1 of 3 subjects and models are RDMs", "give one kind"]);
}

#[test]
fn a_system_without_patterns_takes_nothing_from_the_others() {
    // One unit has no pattern, so no RDM, and none has not even a profile: they say so, and the others stay as they
    // are.
    let (dir, ..) = place();
    let path = dir.path();
    sh(path, "npy cols -q --index 0 good.npy -o one.npy && npy cols -q --index 0:0 good.npy -o none.npy").ok();
    sh(path, "npy cols -q --index 0:0 d.npy -o sub.npy").ok();
    let people = "a.npy b.npy c.npy";
    for stat in ["profile", "rdm"] {
        let alone = table(path, &format!("--stat {stat} {people} --models good.npy"));
        let allow = if stat == "rdm" { "--allow-nan" } else { "" };
        let all = format!("--stat {stat} {allow} {people} sub.npy --models good.npy one.npy none.npy");
        let said = run(path, &format!("ceiling between {all}"));
        let text = said.stderr.clone();
        let found = rows(&said.text());
        if stat == "rdm" {
            // Neither are its pairs left out for the others, nor do rows over all people go without it.
            assert!(!text.contains("left out for all"), "{text}");
            assert!(text.contains("subject sub: nan_input") && text.contains("rows over subjects"), "{text}");
            assert_eq!(
                (&row(&found, "median")["leave_one_out"][..], &row(&found, "median")["reason"][..]),
                ("NaN", "nan_input")
            );
        }
        for name in ["a", "b", "c"] {
            for column in ["median_pairwise", "leave_one_out", "median_pairwise_norm"] {
                assert_eq!(row(&alone, name)[column], row(&found, name)[column], "{stat} {name} {column}");
            }
        }
        // A row over all people is NaN, and says so, where one of them is.
        assert_eq!((&row(&found, "good")["gap"][..], &row(&found, "good")["reason"][..]), ("NaN", "nan_input"));
        let found = rows(&run(path, &format!("ceiling between {}", all.replace(" sub.npy", ""))).text());
        for column in ["median_pairwise", "median_pairwise_norm", "gap"] {
            assert_eq!(row(&alone, "good")[column], row(&found, "good")[column], "{stat} {column}");
        }
        for (name, is_nan) in [("one", stat == "rdm"), ("none", true)] {
            let row = row(&found, name);
            assert_eq!(
                (row["median_pairwise"] == "NaN", row["reason"] == "nan_input"),
                (is_nan, is_nan),
                "{stat} {name}"
            );
        }
    }
    let nobody = table(path, "--stat rdm --allow-nan one.npy none.npy --names x,y");
    assert!(
        nobody.len() == 5 && nobody.iter().all(|row| row["median_pairwise"] == "NaN" && row["reason"] == "nan_input")
    );
    run(path, &format!("ceiling between --stat rdm {people} --models one.npy")).fails(1, &["one.npy", "--allow-nan"]);
    // The same of RDMs that come as RDMs; the pool of the others knows nothing of the one without a value.
    sh(path, "for s in a b c; do npy average -q $s.npy | rsa rdm -q - -o $s-rdm.npy; done").ok();
    save(
        &path.join("empty-rdm.npy"),
        &Array2::from_shape_fn((N, N), |(i, j)| if i == j { 0.0 } else { f64::NAN }),
        Some(&ids(N)),
    );
    let alone = table(path, "--stat rdm a-rdm.npy b-rdm.npy c-rdm.npy --names a,b,c");
    let line = "ceiling between --stat rdm a-rdm.npy b-rdm.npy c-rdm.npy empty-rdm.npy --names a,b,c,e";
    run(path, line).fails(1, &["empty-rdm.npy", "no pair of stimuli has a value", "leave it out"]);
    let said = run(path, &format!("{line} --allow-nan"));
    assert!(!said.stderr.contains("left out") && !said.stderr.contains("constant"), "{}", said.stderr);
    let found = rows(&said.text());
    for name in ["a", "b", "c"] {
        assert_eq!(row(&alone, name)["leave_one_out"], row(&found, name)["leave_one_out"]);
    }
    assert_eq!(row(&found, "e")["reason"], "nan_input");
}

#[test]
fn two_regions_of_one_person_are_no_pair() {
    let (dir, averages, _) = place();
    let path = dir.path();
    sh(path, "cp a.npy sub-01_ffa.npy; cp b.npy sub-01_ofa.npy; cp c.npy sub-02_ffa.npy").ok();
    let line = "ceiling between sub-01_ffa.npy sub-01_ofa.npy sub-02_ffa.npy";
    let out = run(path, line);
    assert!(out.stderr.contains("sub-01_ffa.npy and sub-01_ofa.npy: both are of sub-01"), "{}", out.stderr);
    let flagged = rows(&out.text());
    let people: Vec<Vec<f64>> = averages.iter().map(profile).collect();
    let r = |i: usize, j: usize| pearson(&people[i], &people[j]);
    within(number(&flagged[0], "median_pairwise"), r(0, 2), 1e-12);
    within(number(&flagged[0], "leave_one_out"), r(0, 2), 1e-12);
    within(number(&flagged[2], "mean_pairwise"), (r(0, 2) + r(1, 2)) / 2.0, 1e-12);
    let apart = rows(&run(path, &format!("{line} --same-subject independent")).text());
    within(number(&apart[0], "mean_pairwise"), (r(0, 1) + r(0, 2)) / 2.0, 1e-12);
    run(path, &format!("{line} --same-subject refuse"))
        .fails(1, &["sub-01", "the noise of every trial", "leave one out"]);
    // nor do they make the group reliable: of three, the two pairs of different people count
    let covariance = |i: usize, j: usize| r(i, j) * (variance(&people[i]) * variance(&people[j])).sqrt();
    let own = (0..3).map(|i| variance(&people[i])).sum::<f64>() / 3.0;
    let shared = (covariance(0, 2) + covariance(1, 2)) / 2.0;
    within(number(row(&flagged, "median"), "cronbach_alpha"), 3.0 * shared / (own + 2.0 * shared), 1e-12);
    let alone = rows(&run(path, "ceiling between sub-01_ffa.npy sub-01_ofa.npy").text());
    assert_eq!(row(&alone, "median")["cronbach_alpha"], "NaN");
    run(path, "ceiling design sub-01_ffa.npy sub-01_ofa.npy").fails(1, &["both are of sub-01", "one array a person"]);
    run(path, "ceiling between a.npy b.npy --boot subjects").fails(1, &["2 subjects", "at least 3"]);
    assert_eq!((&alone[0]["median_pairwise"][..], &alone[0]["reason"][..]), ("NaN", "same_subject"));
}

#[test]
fn intervals_are_percentiles_of_what_draws_give() {
    let (dir, ..) = place();
    let path = dir.path();
    for stat in ["profile", "rdm", "voxel"] {
        for unit in ["subjects", "stimuli", "both"] {
            let line = format!("--stat {stat} --boot {unit} --n-boot 200 a.npy b.npy c.npy d.npy");
            let table = table(path, &line);
            let names: Vec<&str> = table.iter().map(|row| row["subject"].as_str()).collect();
            assert_eq!(names, ["a", "b", "c", "d", "median", "min", "max", "ci_lo", "ci_hi"]);
            for column in ["median_pairwise", "leave_one_out", "median_pairwise_norm", "mean_pairwise_norm"] {
                let [lo, middle, hi] = ["ci_lo", "median", "ci_hi"].map(|name| number(row(&table, name), column));
                assert!(lo < hi, "{line}: {column} {lo} {hi}");
                // Copies of a stimulus in a draw make no perfect pair: the interval is near the value.
                assert!(lo - 0.1 < middle && middle < hi + 0.1 && hi < 2.5, "{line}: {column} {lo} {middle} {hi}");
            }
            assert_eq!(row(&table, "ci_lo")["r_max"], "");
        }
    }
    let line = "ceiling between --boot subjects --n-boot 50 a.npy b.npy c.npy d.npy";
    assert_eq!(run(path, line).text(), run(path, &format!("{line} --threads 1")).text());
    assert_ne!(run(path, line).text(), run(path, &format!("{line} --seed 1")).text());
    // one in nine draws of three subjects is one of them three times
    let out = run(path, "ceiling between --boot subjects --n-boot 100 a.npy b.npy c.npy");
    assert!(out.stderr.contains("of 100 draws have no number"), "{}", out.stderr);
    run(path, "ceiling between --n-boot 50 a.npy b.npy").fails(2, &["--boot"]);
}
