//! Folds of fits: given, of people and categories, in ceilings; and penalties that are chosen by them.

use ndarray::{Array2, Axis};
use std::fs;
use std::path::Path;
use support::*;
use tempfile::{TempDir, tempdir};

const N: usize = 12;

/// near.npy, far.npy and both in models.npy; RDMs of three people, two runs of the first two, one of the third, one
/// file each; t.csv (kinds of stimuli), stimuli.csv and people.csv (folds).
fn study() -> TempDir {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let (a, b) = (noise(N, 4, 1), noise(N, 4, 2));
    let save_all = |name: &str, matrices: &[Array2<f64>]| {
        let bytes: Vec<u8> = matrices.iter().flat_map(|m| bytes_of(m, Some(&ids(N)))).collect();
        fs::write(path.join(format!("{name}.acts")), bytes).unwrap();
        sh(path, &format!("rsa rdm --metric sqeuclidean --dtype f8 {name}.acts > {name}.npy")).ok();
    };
    save_all("near", std::slice::from_ref(&a));
    save_all("far", std::slice::from_ref(&b));
    save_all("models", &[a.clone(), b.clone()]);
    let both = ndarray::concatenate(Axis(1), &[a.view(), (2.0 * &b).view()]).unwrap();
    for (k, (person, run)) in [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)].into_iter().enumerate() {
        let own = &both + &(0.5 * noise(N, 8, 10 + person));
        save_all(&format!("sub-0{person}_run-{run}"), &[&own + &(0.3 * noise(N, 8, 20 + k as u64))]);
    }
    let lines = |of: &dyn Fn(usize) -> &'static str| -> String {
        (0..N).rev().map(|i| format!("{},{}\n", ids(N)[i], of(i))).collect()
    };
    fs::write(path.join("t.csv"), format!("stimulus,kind\n{}", lines(&|i| ["a", "b", "c", "d"][i % 4]))).unwrap();
    fs::write(path.join("stimuli.csv"), format!("stimulus,fold\n{}", lines(&|i| ["x", "y", "z"][i / 4]))).unwrap();
    fs::write(path.join("two.csv"), format!("stimulus,fold\n{}", lines(&|i| ["x", "y"][i / 6]))).unwrap();
    let people = "subject,fold\nsub-01_run-1,1\nsub-01_run-2,1\nsub-02_run-1,2\nsub-02_run-2,2\nsub-03_run-1,2\n";
    fs::write(path.join("people.csv"), people).unwrap();
    dir
}

const RUNS: [&str; 5] = ["sub-01_run-1", "sub-01_run-2", "sub-02_run-1", "sub-02_run-2", "sub-03_run-1"];

fn brains() -> String {
    RUNS.map(|run| format!("{run}.npy")).join(" ")
}

fn compare(dir: &Path, options: &str) -> Outcome {
    run(dir, &format!("rsa compare models.npy --names both --brain {} --model weighted {options}", brains()))
}

fn mean_row(text: &str) -> Row {
    rows(text).into_iter().find(|row| row["subject"] == "mean").unwrap()
}

#[test]
fn given_folds_are_those_of_the_table_and_each_is_fitted_apart() {
    let dir = study();
    let path = dir.path();
    let out = compare(path, "--cv-k @people.csv,@stimuli.csv --ceiling --weights w.csv");
    assert!(out.stderr.contains("12 stimuli in the 3 folds of @stimuli.csv"), "{out:?}");
    let text = out.text();
    assert_eq!(rows(&text)[0]["folds"], "2x3");
    // The seed has no say, nor the order of the rows of the table or of the data.
    assert_eq!(compare(path, "--cv-k @people.csv,@stimuli.csv --ceiling --seed 7").text(), text);
    // By hand: fold 1 of people and x of stimuli. Weights of the others, and the score of what they predict.
    let weights = rows(&fs::read_to_string(path.join("w.csv")).unwrap());
    let of_fold: Vec<f64> = weights.iter().filter(|w| w["fold"] == "0").map(|w| number(w, "weight")).collect();
    sh(path, "for f in near far sub-01_run-1; do npy rows --index 0:4 $f.acts | rsa rdm --metric sqeuclidean --dtype f8 > x_$f.npy; done")
        .ok();
    sh(
        path,
        "for f in near far sub-02_run-1 sub-02_run-2 sub-03_run-1; do npy rows --index 4:12 $f.acts | rsa rdm --metric \
         sqeuclidean --dtype f8 > t_$f.npy; done",
    )
    .ok();
    let values = |name: &str| arrays(&fs::read(path.join(name)).unwrap()).remove(0).values.into_f64();
    let alone = "rsa compare t_both.npy --names both --model weighted --cv-k 1,2 --weights v.csv --brain t_sub-02_run-1.npy \
                 t_sub-02_run-2.npy t_sub-03_run-1.npy -q";
    sh(path, &format!("cat t_near.npy t_far.npy > t_both.npy && {alone}")).ok();
    let all = rows(&fs::read_to_string(path.join("v.csv")).unwrap());
    let expected: Vec<f64> = all.iter().filter(|w| w["fold"] == "all").map(|w| number(w, "weight")).collect();
    for (found, expected) in of_fold.iter().zip(&expected) {
        within(*found, *expected, 1e-9);
    }
    // Of the first RDM over the pairs within a fold of stimuli.
    let score = |fold: usize| {
        let w: Vec<f64> =
            weights.iter().filter(|w| w["fold"] == fold.to_string()).map(|w| number(w, "weight")).collect();
        let stimuli: Vec<usize> = (4 * fold..4 * fold + 4).collect();
        let part = |name: &str| -> Vec<f64> {
            let whole = values(name);
            let at = |i: usize, j: usize| whole[i * N - i * (i + 1) / 2 + j - i - 1];
            let pairs = stimuli.iter().enumerate().flat_map(|(k, &i)| stimuli[k + 1..].iter().map(move |&j| (i, j)));
            pairs.map(|(i, j)| at(i, j)).collect()
        };
        let (near, far) = (part("near.npy"), part("far.npy"));
        let predicted: Vec<f64> = near.iter().zip(&far).map(|(a, b)| w[0] * a + w[1] * b).collect();
        pearson(&predicted, &part("sub-01_run-1.npy"))
    };
    within(number(&rows(&text)[0], "r"), mean(&[score(0), score(1), score(2)]), 1e-9);

    // In draws too: given folds are not dealt anew, so that one repetition is all.
    let drawn = rows(&compare(path, "--cv-k 1,@two.csv --boot subjects --n-boot 60 -q").text());
    assert_eq!((&drawn[0]["boot_folds"][..], &drawn[0]["n_cv"][..]), ("1x2", "1"));
    let stimuli = compare(path, "--cv-k 2,@two.csv --boot stimuli --n-boot 60").text();
    assert!(number(&mean_row(&stimuli), "se") > 0.0 && mean_row(&stimuli)["n_cv"] == "2");
    compare(path, "--cv-k 2,@stimuli.csv --boot stimuli --n-boot 60")
        .fails(1, &["a draw of 12 stimuli holds about 7.8 different ones, and 3 groups need 9"]);
    let uneven: String = (0..N).map(|i| format!("{},{}\n", ids(N)[i], usize::from(i < 4))).collect();
    fs::write(path.join("uneven.csv"), format!("stimulus,fold\n{uneven}")).unwrap();
    compare(path, "--cv-k 2,@uneven.csv --boot stimuli --n-boot 60")
        .fails(1, &["about 2.6 different ones of the 4 stimuli of the smallest fold", "--boot subjects"]);
    compare(path, "--cv-k @people.csv,@two.csv --boot subjects --n-cv 3").fails(1, &["--n-cv 3", "both given"]);
}

#[test]
fn tables_that_say_the_fold_of_some_are_refused() {
    let dir = study();
    let path = dir.path();
    let table = |name: &str, rows: &str| fs::write(path.join(name), format!("stimulus,fold\n{rows}")).unwrap();
    let all =
        |of: &dyn Fn(usize) -> String| -> String { (0..N).map(|i| format!("{},{}\n", ids(N)[i], of(i))).collect() };
    table("some.csv", "s0,a\ns1,b\ns2,a\n");
    table("one.csv", &all(&|_| "a".into()));
    table("empty.csv", "");
    table("hole.csv", &all(&|i| if i == 5 { String::new() } else { (i % 2).to_string() }));
    table("small.csv", &all(&|i| if i < 2 { "a".into() } else { "b".into() }));
    table("twice.csv", &format!("{}s0,9\n", all(&|i| (i % 2).to_string())));
    fs::write(path.join("column.csv"), "stimulus,part\ns0,a\n").unwrap();
    let fit = format!("rsa fit near.npy far.npy --brain {}", brains());
    for line in [fit.clone() + " --cv-k ", format!("{} --cv-k 2,", compare_line())] {
        let fails = |file: &str, parts: &[&str]| {
            run(path, &format!("{line}@{file}")).fails(1, parts);
        };
        fails("some.csv", &["some.csv: no row for stimulus \"s3\" and 8 others of the 12 (3 are in it)"]);
        fails("one.csv", &["@one.csv: all 12 stimuli are in fold \"a\"", "at least 2 folds"]);
        fails("empty.csv", &["empty.csv"]);
        fails("hole.csv", &["hole.csv: stimulus \"s5\" has nothing in column \"fold\""]);
        fails("small.csv", &["small.csv", "2", "12 stimuli", "needs 3"]);
        fails("twice.csv", &["\"s0\" has \"0\" and \"9\""]);
        fails("column.csv", &["column.csv", "fold"]);
        fails("none.csv", &["none.csv"]);
    }
    run(path, &format!("{fit} --cv-k 1")).fails(1, &["--cv-k 1", "2 groups at least"]);
    run(path, &format!("{fit} --cv-k @")).fails(2, &["a number from 1 nor @FOLDS"]);
    compare(path, "--cv-k 3").fails(2, &["\"3\" is not two of a number"]);
    compare(path, "--cv-k 0,2").fails(2, &["\"0\" is neither a number from 1"]);
    compare(path, "--cv-k @stimuli.csv,2").fails(1, &["stimuli.csv", "subject"]);
}

fn compare_line() -> String {
    format!("rsa compare models.npy --names both --brain {} --model weighted", brains())
}

#[test]
fn people_and_categories_are_held_out_whole() {
    let dir = study();
    let path = dir.path();
    let out = compare(path, "--group-subjects bids --cv-k 3,1 --ceiling --test t --weights w.csv");
    assert!(out.stderr.contains("5 brain RDMs of 3 people"), "{out:?}");
    let table = rows(&out.text());
    // Three people in three folds: with a person both runs are out.
    let weights = rows(&fs::read_to_string(path.join("w.csv")).unwrap());
    let mut left: Vec<&str> =
        weights.iter().filter(|w| w["component"] == "0" && w["fold"] != "all").map(|w| &w["n_subjects"][..]).collect();
    left.sort_unstable();
    assert_eq!(left, ["3", "3", "4"]);
    let score = |k: usize| number(&table[k], "r");
    let people = [(score(0) + score(1)) / 2.0, (score(2) + score(3)) / 2.0, score(4)];
    within(number(&table[5], "r"), mean(&people), 1e-12);
    assert_eq!((&table[5]["n"][..], &table[5]["folds"][..]), ("3", "3x1"));
    // Whoever is left out of the fits is left out of the bound: leave one person out either way.
    let fold = rows(&compare(path, "--group-subjects bids --cv-k 3,1 --ceiling --ceiling-k folds -q").text());
    assert_eq!((&fold[0]["lower"], &fold[0]["lower_folds"][..]), (&table[0]["lower"], "3"));
    compare(path, "--group-subjects bids --cv-k 4,1").fails(1, &["4 groups of 3 subjects", "--cv-k 3,.. at most"]);
    fs::write(
        path.join("torn.csv"),
        "subject,fold\nsub-01_run-1,1\nsub-01_run-2,2\nsub-02_run-1,2\nsub-02_run-2,2\nsub-03_run-1,2\n",
    )
    .unwrap();
    compare(path, "--group-subjects bids --cv-k @torn.csv,2").fails(
        1,
        &["@torn.csv: brain RDM \"sub-01_run-1\" is in fold \"1\" and \"sub-01_run-2\" in fold \"2\"", "of one group"],
    );

    // Four kinds of three stimuli in two folds: six stimuli of two kinds each.
    let kinds = "--group-stimuli kind --stimuli t.csv";
    let out = compare(path, &format!("{kinds} --cv-k 1,2 --weights w.csv"));
    assert!(out.stderr.contains("12 stimuli in 4 groups"), "{out:?}");
    let weights = rows(&fs::read_to_string(path.join("w.csv")).unwrap());
    assert!(weights.iter().filter(|w| w["fold"] != "all").all(|w| w["n_stimuli"] == "6"));
    // Given folds of whole kinds that are what was dealt give what was dealt.
    let text = out.text();
    let pairings = [[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]].map(|of| {
        let rows: String = (0..N).map(|i| format!("{},{}\n", ids(N)[i], of[i % 4])).collect();
        fs::write(path.join("g.csv"), format!("stimulus,fold\n{rows}")).unwrap();
        number(&mean_row(&compare(path, &format!("{kinds} --cv-k 1,@g.csv -q")).text()), "r")
    });
    let found = number(&mean_row(&text), "r");
    assert_eq!(pairings.iter().filter(|r| (**r - found).abs() < 1e-12).count(), 1, "{pairings:?} {found}");
    let drawn = compare(path, &format!("{kinds} --group-subjects bids --cv-k 2,2 --boot both --n-boot 80 --ceiling"));
    let mean = mean_row(&drawn.text());
    assert_eq!((&mean["n"][..], &mean["boot_folds"][..]), ("3", "2x2"));
    assert!(number(&mean, "se") > 0.0 && number(&mean, "lower_ci_hi") > 0.0);
    compare(path, &format!("{kinds} --cv-k 1,5")).fails(1, &["5 folds of 4 groups of stimuli", "--cv-k ..,4 at most"]);
    compare(path, &format!("{kinds} --cv-k 1,@stimuli.csv")).fails(1, &["@stimuli.csv", "of one group"]);
    let mut odd: String = (0..N - 1).map(|i| format!("{},a\n", ids(N)[i])).collect();
    odd.push_str(&format!("{},b\n", ids(N)[N - 1]));
    fs::write(path.join("odd.csv"), format!("stimulus,kind\n{odd}")).unwrap();
    compare(path, "--group-stimuli kind --stimuli odd.csv --cv-k 2,2")
        .fails(1, &["12 stimuli may hold 1, but needs 3"]);
}

#[test]
fn the_lower_bound_leaves_groups_of_people_out() {
    let dir = study();
    let path = dir.path();
    let line = format!("rsa compare near.npy --brain {} --ceiling", brains());
    let whole = rows(&run(path, &format!("{line} -q")).text());
    let folds = rows(&run(path, &format!("{line} --ceiling-k @people.csv")).text());
    assert_eq!(folds[0]["lower_folds"], "2");
    // Fewer in the pool: lower for the most, and the upper bound is that of all in any case.
    assert!(number(&folds[5], "lower") < number(&whole[5], "lower"));
    for (a, b) in whole.iter().zip(&folds) {
        assert_eq!((&a["upper"], &a["r"]), (&b["upper"], &b["r"]));
    }
    // The same of `ceiling rdm`.
    let found = rows(&run(path, &format!("ceiling rdm {} --cv-k @people.csv", brains())).text());
    within(number(&found[0], "lower"), number(&folds[5], "lower"), 1e-14);
    assert_eq!(found[0]["folds"], "2x1");
    // As many groups as subjects: one at a time, whatever the seed.
    let each = rows(&run(path, &format!("{line} --ceiling-k 5 --seed 3 -q")).text());
    assert_eq!(each[5]["lower"], whole[5]["lower"]);
    // People in two random groups, which --group-subjects keeps whole.
    let grouped = rows(&run(path, &format!("{line} --group-subjects bids --ceiling-k 2 -q")).text());
    assert_eq!(grouped[0]["lower_folds"], "2");
    assert!(number(&grouped[5], "lower") <= number(&folds[5], "upper"));
    let drawn = rows(&run(path, &format!("{line} --ceiling-k 2 --boot subjects --n-boot 100")).text());
    assert!(number(&drawn[5], "lower_ci_lo") < number(&drawn[5], "lower_ci_hi"));

    let fails = |options: &str, code: i32, parts: &[&str]| {
        run(path, &format!("{line} {options}")).fails(code, parts);
    };
    fails("--ceiling-k 6", 1, &["--ceiling-k 6 makes 6 groups of 5 people; 5 at most"]);
    fails("--ceiling-k 4 --group-subjects bids", 1, &["4 groups of 3 people"]);
    fails("--ceiling-k 1", 2, &["leaves nobody"]);
    fails("--ceiling-k some", 2, &["nor the word folds"]);
    fails("--ceiling-k folds", 1, &["--ceiling-k folds", "not fitted"]);
    fails("--ceiling-k @stimuli.csv", 1, &["stimuli.csv", "subject"]);
    run(path, &format!("{} --ceiling-k 2", line.replace(" --ceiling", ""))).fails(2, &["--ceiling"]);
    compare(path, "--ceiling --ceiling-k 2").fails(1, &["--ceiling-k 2 with --model weighted", "--ceiling-k folds"]);
    compare(path, "--ceiling --ceiling-k folds --cv-k 1,2").fails(1, &["--cv-k 1,2", "people are not split"]);
}

#[test]
fn every_subject_has_the_penalty_that_predicts_its_held_out_pairs_best() {
    let dir = study();
    let path = dir.path();
    let line = format!("rsa fit near.npy far.npy --brain {} --method ridge", brains());
    let factors = [0.001, 0.01, 0.1, 1.0, 10.0];
    let out = run(path, &format!("{line} --alphas 0.001:10:5 --cv-k @stimuli.csv -o out.csv"));
    out.ok();
    let table = rows(&fs::read_to_string(path.join("out.csv")).unwrap());
    let joint = |table: &[Row], subject: &str| -> Row {
        table.iter().find(|row| row["model"] == "joint" && row["subject"] == subject).unwrap().clone()
    };
    // Given folds choose as well: one penalty at a time, factor times the 66 pairs, judged on pairs of these folds. A
    // fold has 28 training pairs, which scale the factor in the choice; so does --alpha for them alone.
    let r2: Vec<Vec<Row>> = factors
        .iter()
        .map(|factor| rows(&run(path, &format!("{line} --alpha {} --cv-k @stimuli.csv -q", 28.0 * factor)).text()))
        .collect();
    for subject in RUNS {
        let scores: Vec<f64> = r2.iter().map(|table| number(&joint(table, subject), "R2_cv")).collect();
        let best = (0..5).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
        let row = joint(&table, subject);
        within(number(&row, "alpha"), 66.0 * factors[best], 1e-12);
        assert_eq!(row["alpha_at_edge"], (best == 0 || best == 4).to_string(), "{subject}");
        // The weights are those of that penalty.
        let alone = rows(&run(path, &format!("{line} --alpha {} -q", number(&row, "alpha"))).text());
        within(number(&row, "R2"), number(&joint(&alone, subject), "R2"), 1e-12);
    }
    let sidecar: serde_json::Value = serde_json::from_slice(&fs::read(path.join("out.json")).unwrap()).unwrap();
    assert_eq!(sidecar["alpha"].as_array().unwrap().len(), 5, "{sidecar}");
    assert!(joint(&table, "mean")["alpha"].is_empty());
    // Random groups: of the set of ids and the seed.
    let random = format!("{line} --alphas 0.001:10:5");
    let one = run(path, &random).text();
    assert_eq!(run(path, &format!("{random} --threads 1")).text(), one);
    let raw = run(path, &format!("{random} --raw --alpha-cv 3 --rank")).text();
    assert!(rows(&raw).iter().all(|row| row["reason"].is_empty()));
    assert!(
        number(&joint(&rows(&run(path, &format!("{random} --boot stimuli --n-boot 50")).text()), "mean"), "R2_ci_lo")
            > 0.0
    );
    // Models of no use: the largest penalty, which is said.
    save(&path.join("useless.acts"), &noise(N, 4, 99), Some(&ids(N)));
    sh(path, "rsa rdm useless.acts > useless.npy").ok();
    let useless = run(path, &format!("rsa fit useless.npy --brain {} --method ridge --alphas 0.01,1e6", brains()));
    assert!(
        useless.stderr.contains("the best alpha is the lowest or highest tried for 5 of 5 subjects"),
        "{useless:?}"
    );
    // A factor of 0 among models that depend on each other has no weights; the others do.
    sh(path, "cp near.npy again.npy").ok();
    let dependent = format!("rsa fit near.npy again.npy --brain {} --method ridge --alphas 0,0.1", brains());
    let found = rows(&run(path, &dependent).text());
    assert!(found.iter().filter(|r| r["subject"] != "mean").all(|row| number(row, "alpha") > 0.0), "{found:?}");
}

#[test]
fn penalties_that_cannot_be_chosen_are_refused() {
    let dir = study();
    let path = dir.path();
    let line = format!("rsa fit near.npy far.npy --brain {}", brains());
    let fails = |options: &str, code: i32, parts: &[&str]| {
        run(path, &format!("{line} {options}")).fails(code, parts);
    };
    fails("--alphas 1,2", 1, &["--alphas 1,2", "ols and nnls have none"]);
    fails("--method ridge --alphas 1,2 --alpha 3", 2, &["cannot be used with"]);
    fails("--method ridge --alphas 1,-2", 2, &["-2 is no ridge penalty"]);
    fails("--method ridge --alphas ten", 2, &["\"ten\" is neither LO:HI:N"]);
    fails("--method ridge --alpha 1 --alpha-cv 3", 1, &["--alpha-cv 3", "leave it out"]);
    fails("--method ridge --alphas 1,2 --alpha-cv 5", 1, &["5 groups of 12 stimuli", "--alpha-cv 4 at most"]);
    fails("--method ridge --alphas 1,2 --cv-k 3 --alpha-cv 3", 1, &["3 groups of 8 stimuli", "--alpha-cv 2 at most"]);
    for (name, seed) in [("x", 1), ("y", 2)] {
        save(&path.join(format!("{name}.acts")), &noise(5, 4, seed), Some(&ids(5)));
        sh(path, &format!("rsa rdm {name}.acts > {name}.npy")).ok();
    }
    run(path, "rsa fit x.npy --brain y.npy --method ridge --alphas 1,2")
        .fails(1, &["2 groups of 5 stimuli", "one penalty (--alpha A)"]);
}
