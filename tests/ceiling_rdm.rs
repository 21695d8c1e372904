//! `ceiling rdm` with controls and with the covariance of stimuli: the bounds of what `rsa compare` gives.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

use std::path::Path;

use ndarray::Array2;
use support::*;
use tempfile::{TempDir, tempdir};

const N: usize = 12;

/// RDMs `s0.npy` to `s3.npy` of four people, one of a control, and a covariance of stimuli.
fn place() -> TempDir {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let shared = noise(N, 6, 1);
    for s in 0..4 {
        save(&path.join("x.npy"), &(&shared + &noise(N, 6, 10 + s)), Some(&ids(N)));
        sh(path, &format!("rsa rdm x.npy > s{s}.npy")).ok();
    }
    save(&path.join("x.npy"), &(&shared + &(2.0 * noise(N, 6, 30))), Some(&ids(N)));
    sh(path, "rsa rdm x.npy > control.npy").ok();
    let root = noise(N, 2 * N, 40);
    save(&path.join("sigma.npy"), &root.dot(&root.t()), Some(&ids(N)));
    dir
}

fn bounds(dir: &Path, options: &str) -> [f64; 2] {
    let row = &rows(&sh(dir, &format!("ceiling rdm {options}")).text())[0];
    assert_eq!(row["reason"], "");
    ["lower", "upper"].map(|name| number(row, name))
}

#[test]
fn bounds_with_controls_are_those_of_the_scores_with_them() {
    let dir = place();
    let path = dir.path();
    for compare in ["pearson", "spearman"] {
        for option in ["partial", "semipartial"] {
            let line = format!("--compare {compare} --{option} control.npy");
            // Of two people the pool of the others is the other one.
            let [lower, upper] = bounds(path, &format!("s0.npy s1.npy {line}"));
            let score = |model: &str, brain: &str| {
                let table = rows(&run(path, &format!("rsa compare {model} --brain {brain} {line}")).text());
                let name = if compare == "spearman" { "rho" } else { "r" };
                let column = if table[0].contains_key(name) { name } else { "similarity" };
                number(&table[0], column)
            };
            within(lower, (score("s0.npy", "s1.npy") + score("s1.npy", "s0.npy")) / 2.0, 1e-12);
            assert!(upper > lower);
            let row = &rows(&sh(path, &format!("ceiling rdm s?.npy {line}")).text())[0];
            assert_eq!(row["compare"], format!("{option}-{compare}"));
            assert_eq!((&row["n_subjects"][..], &row["n_pairs"][..]), ("4", "66"));
        }
    }
    // Rows of the control in another order change nothing.
    sh(path, "npy rows --index 11,10,9,8,7,6,5,4,3,2,1,0 x.npy | rsa rdm > reversed.npy").ok();
    let [as_it_is, turned] = ["control", "reversed"].map(|name| bounds(path, &format!("s?.npy --partial {name}.npy")));
    as_it_is.iter().zip(turned).for_each(|(a, b)| within(*a, b, 1e-14));
    // A person who is the control has nothing left, and is named.
    let out = run(path, "ceiling rdm s0.npy s1.npy control.npy --partial control.npy --compare pearson");
    assert!(out.stderr.contains("control.npy: the controls leave nothing of it"), "{}", out.stderr);
    assert_eq!(rows(&out.text())[0]["n_subjects"], "2");
    let none = rows(&run(path, "ceiling rdm s0.npy control.npy --partial control.npy").text());
    assert_eq!((&none[0]["lower"][..], &none[0]["reason"][..]), ("NaN", "explained_by_controls"));
}

#[test]
fn whitened_bounds_are_those_of_rsa_compare() {
    let dir = place();
    let path = dir.path();
    for compare in ["corr_cov", "cosine_cov", "cosine", "rho-a"] {
        let sigmas = if compare.ends_with("cov") { &["", "--sigma-k sigma.npy"][..] } else { &[""] };
        for sigma in sigmas {
            let found = bounds(path, &format!("s?.npy --compare {compare} {sigma}"));
            let line = format!("rsa compare control.npy --brain s?.npy --ceiling --compare {compare} {sigma}");
            let table = rows(&sh(path, &line).text());
            let mean = table.iter().find(|row| row.values().any(|value| value == "mean")).unwrap();
            within(found[0], number(mean, "lower"), 1e-14);
            within(found[1], number(mean, "upper"), 1e-14);
        }
    }
    let whitened: Vec<f64> = ["", "--sigma-k sigma.npy"]
        .iter()
        .map(|s| bounds(path, &format!("s?.npy --compare corr_cov {s}"))[0])
        .collect();
    assert!((whitened[0] - whitened[1]).abs() > 1e-4);
}

#[test]
fn options_that_would_say_nothing_are_refused() {
    let dir = place();
    let path = dir.path();
    let refused = [
        ("--sigma-k sigma.npy", "--sigma-k is for --compare corr_cov and cosine_cov"),
        ("--partial control.npy --compare tau-a", "--partial is for --compare pearson and spearman"),
        ("--semipartial control.npy --compare cosine", "--semipartial is for --compare pearson and spearman"),
    ];
    for (options, part) in refused {
        run(path, &format!("ceiling rdm s0.npy s1.npy {options}")).fails(1, &[part]);
    }
    save(&path.join("flat.npy"), &Array2::from_shape_fn((N, N), |(i, j)| f64::from(i != j)), Some(&ids(N)));
    run(path, "ceiling rdm s0.npy s1.npy --partial flat.npy").fails(1, &["flat.npy", "constant", "leave it out"]);
    run(path, "ceiling rdm s0.npy s1.npy --partial control.npy --semipartial control.npy")
        .fails(2, &["cannot be used with"]);
    save(&path.join("x.npy"), &noise(N - 2, 4, 3), Some(&ids(N - 2)));
    sh(path, "rsa rdm x.npy > short.npy").ok();
    run(path, "ceiling rdm s0.npy s1.npy --partial short.npy").fails(1, &["--inner"]);
    run(path, "rsa compare s0.npy --brain s1.npy s2.npy --ceiling --partial control.npy")
        .fails(1, &["`ceiling rdm --partial` has theirs"]);
}

#[test]
fn folds_hold_out_people_and_stimuli() {
    let dir = place();
    let path = dir.path();
    let row = |options: &str| {
        rows(&run(path, &format!("ceiling rdm s0.npy s1.npy s2.npy s3.npy {options}")).text()).remove(0)
    };
    let (whole, folds) = (row(""), row("--cv-k 2"));
    assert!(!whole.contains_key("folds") && folds["folds"] == "2x1");
    assert_eq!(folds["upper"], whole["upper"]);
    // Lower on the whole, but not of every four people.
    assert_ne!(folds["lower"], whole["lower"]);
    assert_eq!(row("--cv-k 4 --seed 5")["lower"], whole["lower"]);
    let people = "subject,fold\ns0,a\ns1,a\ns2,b\ns3,b\n";
    std::fs::write(path.join("people.csv"), people).unwrap();
    // One of three ways to make two pairs of four.
    let by_table = |text: &str| {
        std::fs::write(path.join("p.csv"), text).unwrap();
        number(&row("--cv-k @p.csv"), "lower")
    };
    let ways = [
        people.to_owned(),
        people.replace("s1,a", "s1,b").replace("s2,b", "s2,a"),
        people.replace("s1,a", "s1,b").replace("s3,b", "s3,a"),
    ];
    let found = number(&folds, "lower");
    assert_eq!(ways.iter().filter(|way| (by_table(way) - found).abs() < 1e-14).count(), 1);
    for compare in ["cosine", "corr_cov", "tau-a"] {
        row(&format!("--cv-k 2 --compare {compare}"));
    }
    assert!(number(&row("--cv-k 2 --compare corr_cov --sigma-k sigma.npy"), "lower") < 1.0);

    // Over stimuli the bounds are means over their folds; of one RDM's two folds by hand.
    let both = row("--cv-k @people.csv,2 --seed 1");
    assert_eq!((&both["folds"][..], &both["n_pairs"][..]), ("2x2", "30"));
    let stimuli: String = (0..N).map(|i| format!("{},{}\n", ids(N)[i], i % 2)).collect();
    std::fs::write(path.join("stimuli.csv"), format!("stimulus,fold\n{stimuli}")).unwrap();
    let halves = [0, 1].map(|half| {
        let chosen: String = (0..N).filter(|i| i % 2 == half).map(|i| format!("{}\n", ids(N)[i])).collect();
        std::fs::write(path.join("half.csv"), format!("stimulus\n{chosen}")).unwrap();
        sh(path, "for s in 0 1 2 3; do rsa rdm --subset half.csv s$s.npy > h$s.npy || exit 1; done").ok();
        let line = "ceiling rdm h0.npy h1.npy h2.npy h3.npy --names s0,s1,s2,s3 --cv-k @people.csv";
        rows(&run(path, line).text()).remove(0)
    });
    let found = row("--cv-k @people.csv,@stimuli.csv");
    for side in ["lower", "upper"] {
        within(number(&found, side), (number(&halves[0], side) + number(&halves[1], side)) / 2.0, 1e-12);
    }

    let fails = |options: &str, code: i32, parts: &[&str]| {
        run(path, &format!("ceiling rdm s0.npy s1.npy s2.npy s3.npy {options}")).fails(code, parts);
    };
    fails("--cv-k 1", 1, &["--cv-k 1,1", "leaves nobody"]);
    fails("--cv-k 5", 1, &["--cv-k 5 makes 5 groups of 4 subjects; 4 at most"]);
    fails("--cv-k 2,5", 1, &["5 groups of 12 stimuli", "4 at most"]);
    fails("--cv-k x", 2, &["neither a number from 1 nor @FOLDS"]);
    fails("--cv-k 2 --partial control.npy", 1, &["--cv-k with --partial"]);
    fails("--cv-k 2,2 --compare corr_cov --sigma-k sigma.npy", 1, &["--sigma-k", "split subjects alone"]);
    std::fs::write(path.join("few.csv"), "subject,fold\ns0,a\ns1,b\n").unwrap();
    fails("--cv-k @few.csv", 1, &["few.csv: no row for brain RDM \"s2\" and 1 other of the 4 (2 are in it)"]);
    let torn = stimuli.replace("s0,0", "s0,2");
    std::fs::write(path.join("torn.csv"), format!("stimulus,fold\n{torn}")).unwrap();
    fails("--cv-k 2,@torn.csv", 1, &["a fold of --cv-k ..,@torn.csv has 1 stimuli, but needs 3"]);
}

#[test]
fn intervals_of_the_bounds_are_those_beside_scores() {
    let dir = place();
    let path = dir.path();
    let names = ["lower_ci_lo", "lower_ci_hi", "upper_ci_lo", "upper_ci_hi"];
    for compare in ["pearson", "cosine", "spearman", "tau-a"] {
        for unit in ["subjects", "stimuli", "both"] {
            let options = format!("--compare {compare} --boot {unit} --n-boot 200 --seed 3");
            let line = format!("rsa compare control.npy --brain s?.npy --ceiling {options}");
            let beside = rows(&sh(path, &line).text());
            let beside = beside.iter().find(|row| !row["lower_ci_lo"].is_empty()).unwrap();
            let found = &rows(&sh(path, &format!("ceiling rdm s?.npy {options}")).text())[0];
            // The same draws, of which both leave out those of one subject.
            names.iter().for_each(|name| within(number(found, name), number(beside, name), 1e-12));
            assert_eq!(found["generalize_to"], beside["generalize_to"]);
            // Beside scores `n_boot` counts the draws of these, which one subject suffices for.
            assert!((180.0..=200.0).contains(&number(found, "n_boot")));
            let [se, lo, hi] = ["lower_se", "lower_ci_lo", "lower_ci_hi"].map(|name| number(found, name));
            // t of 3 degrees of freedom, and of 11 of the stimuli.
            let t = if unit == "stimuli" { 2.200985 } else { 3.182446 };
            within((hi - lo) / (2.0 * se), t, 1e-6);
        }
    }
    let alone = sh(path, "ceiling rdm s?.npy --boot subjects --seed 4").text();
    // A constant RDM is in no draw, as it is in no pool.
    save(&path.join("flat.npy"), &Array2::from_shape_fn((N, N), |(i, j)| f64::from(u8::from(i != j))), Some(&ids(N)));
    let with_flat = sh(path, "ceiling rdm s?.npy flat.npy --boot subjects --seed 4");
    assert_eq!(with_flat.text(), alone);
    assert!(alone.lines().next().unwrap().ends_with("generalize_to,n_boot,reason"));
    assert_ne!(alone, sh(path, "ceiling rdm s?.npy --boot subjects --seed 5").text());
    run(path, "ceiling rdm s0.npy s1.npy --boot both").fails(1, &["2 subjects", "at least 3", "--boot stimuli"]);
    sh(path, "ceiling rdm s0.npy s1.npy --boot stimuli").ok();
    run(path, "ceiling rdm s0.npy s1.npy --boot stimuli --partial control.npy").fails(2, &["--partial"]);
    run(path, "ceiling rdm s0.npy s1.npy --n-boot 9").fails(2, &["--boot"]);
    run(path, "ceiling rdm s0.npy s1.npy --boot stimuli --cv-k 2").fails(2, &["--cv-k"]);
    run(path, "ceiling rdm s0.npy s1.npy --seed 2").fails(1, &["--seed 2", "--boot or --cv-k"]);
    let line = "ceiling rdm s0.npy s1.npy s2.npy --compare corr_cov --sigma-k sigma.npy --boot";
    sh(path, &format!("{line} subjects")).ok();
    sh(path, &format!("{line} stimuli")).fails(1, &["--boot stimuli"]);
}
