//! `rsa fit` as its users meet it, and the weights of fitted models of `rsa compare`.

use ndarray::{Array2, Axis};
use std::fs;
use std::path::Path;
use support::*;
use tempfile::{TempDir, tempdir};

/// near.npy and far.npy (models; far in another order of stimuli), models.npy (both), sum.npy (what both make), five
/// subjects of twelve stimuli in subjects.npy, of which the first is one.npy, and holes.npy (one.npy with NaN pairs).
fn study() -> TempDir {
    let dir = tempdir().unwrap();
    let (a, b) = (noise(12, 4, 1), noise(12, 4, 2));
    let order = [3, 0, 11, 5, 1, 2, 10, 4, 9, 6, 8, 7];
    let save_all = |name: &str, matrices: &[Array2<f64>]| {
        let bytes: Vec<u8> = matrices.iter().flat_map(|m| bytes_of(m, Some(&ids(12)))).collect();
        fs::write(dir.path().join(format!("{name}.acts")), bytes).unwrap();
        sh(dir.path(), &format!("rsa rdm --metric sqeuclidean {name}.acts > {name}.npy")).ok();
    };
    save_all("near", std::slice::from_ref(&a));
    save_all("models", &[a.clone(), b.clone()]);
    let moved: Vec<String> = order.iter().map(|&i| ids(12)[i].clone()).collect();
    fs::write(dir.path().join("far.acts"), bytes_of(&b.select(Axis(0), &order), Some(&moved))).unwrap();
    sh(dir.path(), "rsa rdm --metric sqeuclidean far.acts > far.npy").ok();
    // squared distances of both spaces side by side are the sum of those of each
    let both = ndarray::concatenate(Axis(1), &[a.view(), (2.0 * &b).view()]).unwrap();
    save_all("sum", std::slice::from_ref(&both));
    let subjects: Vec<Array2<f64>> = (4..9).map(|seed| &both + &(0.4 * noise(12, 8, seed))).collect();
    save_all("subjects", &subjects);
    save_all("one", &subjects[..1]);
    dir
}

fn table(dir: &Path, line: &str) -> Vec<Row> {
    rows(&run(dir, line).text())
}

fn row<'a>(table: &'a [Row], model: &str, subject: &str) -> &'a Row {
    table.iter().find(|row| row["model"] == model && row["subject"] == subject).unwrap()
}

const FIT: &str = "rsa fit near.npy far.npy --brain subjects.npy --brain-names a,b,c,d,e -q";

#[test]
fn folds_are_of_the_set_of_ids_and_an_unknown_brain_is_no_constant_one() {
    let dir = study();
    let path = dir.path();
    sh(path, "npy rows --index 7,3,11,0,5,1,2,10,4,9,6,8 one.acts | rsa rdm --metric sqeuclidean > turned.npy").ok();
    let r2 = |brain: &str| {
        let line = format!("rsa fit near.npy far.npy --brain {brain}.npy --brain-names b --cv-k 4 --seed 3 -q");
        number(row(&table(path, &line), "joint", "b"), "R2_cv")
    };
    within(r2("turned"), r2("one"), 1e-6);
    sh(path, "npy cols --index 0:1 one.acts | rsa rdm --allow-nan > nothing.npy").ok();
    let line = "rsa fit near.npy far.npy --brain one.npy nothing.npy --brain-names a,b --allow-nan -q";
    let found = table(path, line);
    assert_eq!(row(&found, "near", "b")["reason"], "nan_input");
}

#[test]
fn weights_that_made_a_brain_are_found_whatever_the_order_of_stimuli() {
    let dir = study();
    for method in ["ols", "nnls", "ridge --alpha 0", "ridge --alpha 0 --raw"] {
        let found = table(dir.path(), &format!("rsa fit near.npy far.npy --brain sum.npy --method {method} -q"));
        within(number(row(&found, "near", "sum"), "weight"), 1.0, 1e-5);
        within(number(row(&found, "far", "sum"), "weight"), 4.0, 1e-5);
        let joint = row(&found, "joint", "sum");
        within(number(joint, "R2"), 1.0, 1e-6);
        within(number(joint, "R"), 1.0, 1e-6);
        assert_eq!(
            (joint["n_stimuli"].as_str(), joint["n_pairs"].as_str(), joint["weight"].as_str()),
            ("12", "66", "")
        );
    }
    // a stream of models is the same as its files
    let of_files = table(dir.path(), FIT);
    let of_stream =
        table(dir.path(), "rsa fit models.npy --names near,far --brain subjects.npy --brain-names a,b,c,d,e -q");
    assert_eq!(of_files, of_stream);
}

#[test]
fn parts_add_up_and_means_are_tested_over_subjects() {
    let dir = study();
    let found = table(dir.path(), FIT);
    assert_eq!(found.len(), 3 * 6);
    for subject in ["a", "b", "c", "d", "e", "mean"] {
        let joint = row(&found, "joint", subject);
        let unique: f64 = ["near", "far"].iter().map(|m| number(row(&found, m, subject), "unique")).sum();
        within(number(joint, "shared") + unique, number(joint, "R2"), 1e-12);
    }
    let weights: Vec<f64> =
        ["a", "b", "c", "d", "e"].iter().map(|s| number(row(&found, "near", s), "weight_std")).collect();
    let tested = row(&found, "near", "mean");
    within(number(tested, "weight_std"), mean(&weights), 1e-14);
    let se = (variance(&weights) / 5.0).sqrt();
    within(number(tested, "se"), se, 1e-14);
    within(number(tested, "t"), mean(&weights) / se, 1e-10);
    // Student's t with 4 degrees of freedom
    within(number(tested, "ci_hi"), mean(&weights) + 2.776445105197793 * se, 1e-12);
    assert!(number(tested, "p") < 0.01 && number(tested, "q") >= number(tested, "p"));
    let words: Vec<&str> = ["test", "alternative", "correct", "generalize_to", "n", "n_boot"]
        .iter()
        .map(|c| tested[*c].as_str())
        .collect();
    assert_eq!(words, ["t", "two-sided", "bh", "subjects", "5", ""]);
    assert!(number(tested, "unique_ci_lo") < number(tested, "unique"));
    let joint = row(&found, "joint", "mean");
    assert!(number(joint, "shared_ci_lo") < number(joint, "shared") && number(joint, "R2_ci_hi") > number(joint, "R2"));
    assert!(joint["p"].is_empty() && row(&found, "near", "a")["se"].is_empty());
    // one subject has no test
    let one = table(dir.path(), "rsa fit near.npy far.npy --brain one.npy -q");
    let alone = row(&one, "near", "mean");
    assert!(alone["p"].is_empty() && alone["test"].is_empty() && alone["n"] == "1");
    // weights without a sign have no p
    let out = run(dir.path(), &FIT.replace(" -q", " --method nnls"));
    assert!(out.stderr.contains("weights are never below 0"), "{}", out.stderr);
    let nnls = rows(&out.text());
    assert!(row(&nnls, "near", "mean")["p"].is_empty() && number(row(&nnls, "near", "mean"), "se") > 0.0);
}

#[test]
fn draws_give_intervals_for_new_subjects_and_stimuli() {
    let dir = study();
    let over = |unit: &str, more: &str| table(dir.path(), &format!("{FIT} --boot {unit} --n-boot 200 {more}"));
    let [subjects, stimuli, both] = ["subjects", "stimuli", "both"].map(|unit| over(unit, ""));
    for (found, unit, n) in [(&subjects, "subjects", "5"), (&stimuli, "stimuli", "12"), (&both, "both", "5")] {
        let tested = row(found, "far", "mean");
        let words: Vec<&str> = ["test", "generalize_to", "n", "n_boot"].iter().map(|c| tested[*c].as_str()).collect();
        assert_eq!(words, ["bootstrap-t", unit, n, "200"]);
        assert_eq!(number(tested, "weight_std"), number(row(&table(dir.path(), FIT), "far", "mean"), "weight_std"));
    }
    let se = |found: &[Row]| number(row(found, "far", "mean"), "se");
    // the variance of both is that of one at least, but where it is cut at what both draws together give (200 of them:
    // 5 % off); that over subjects is the one of t but for the draws
    assert!(se(&both) >= se(&subjects).max(se(&stimuli)) * 0.85, "{} {} {}", se(&both), se(&subjects), se(&stimuli));
    within(se(&subjects) / se(&table(dir.path(), FIT)), 1.0, 0.2);
    assert_eq!(stimuli, over("stimuli", "--threads 1"));
    assert_ne!(se(&stimuli), se(&over("stimuli", "--seed 1")));
}

#[test]
fn held_out_parts_are_below_fitted_ones() {
    let dir = study();
    let found = table(dir.path(), &format!("{FIT} --cv-k 3"));
    let joint = row(&found, "joint", "mean");
    assert!(number(joint, "R2_cv") < number(joint, "R2") && number(joint, "R2_cv") > 0.2, "{joint:?}");
    assert!(number(joint, "R2_cv_p") < 0.01 && number(joint, "R2_cv_ci_lo") < number(joint, "R2_cv"));
    let unique: f64 = ["near", "far"].iter().map(|m| number(row(&found, m, "mean"), "unique_cv")).sum();
    within(number(joint, "shared_cv") + unique, number(joint, "R2_cv"), 1e-12);
    assert!(number(row(&found, "far", "mean"), "unique_cv_p") < 0.05);
    assert_ne!(found, table(dir.path(), &format!("{FIT} --cv-k 3 --seed 1")));
    assert_eq!(found, table(dir.path(), &format!("{FIT} --cv-k 3 --threads 1")));
}

#[test]
fn ranks_are_those_of_the_rdms() {
    let dir = study();
    sh(dir.path(), "for x in near far subjects; do rsa rdm --transform rank $x.npy > rank-$x.npy || exit 1; done").ok();
    let found = table(dir.path(), &format!("{FIT} --rank"));
    let of_ranks = table(
        dir.path(),
        "rsa fit rank-near.npy rank-far.npy --names near,far --brain rank-subjects.npy --brain-names a,b,c,d,e -q",
    );
    for (a, b) in found.iter().zip(&of_ranks) {
        for column in ["weight", "weight_std", "unique", "R2"] {
            assert!(a[column] == b[column] || (number(a, column) - number(b, column)).abs() < 1e-11, "{a:?} {b:?}");
        }
        assert_eq!((a["scale"].as_str(), b["scale"].as_str()), ("ranks", "values"));
    }
}

#[test]
fn collinear_constant_and_missing_are_named() {
    let dir = study();
    let path = dir.path();
    let line = "rsa fit near.npy far.npy sum.npy --brain subjects.npy";
    // near + 4 far, exact but for rounding of f4 or f8 files
    run(path, line).fails(1, &["3 of 3 models depend on each other (near, far, sum)", "--method ridge"]);
    run(path, &format!("{line} --method nnls")).fails(1, &["depend on each other"]);
    let ridge = run(path, &format!("{line} --method ridge --alpha 1"));
    assert!(ridge.stderr.contains("sum: the other models explain all of it"), "{}", ridge.stderr);
    assert!(rows(&ridge.text()).iter().all(|row| row["reason"].is_empty()));

    let edit = |from: &str, to: &str, change: &dyn Fn(&mut Vec<f64>)| {
        let array = arrays(&fs::read(path.join(from)).unwrap()).remove(0);
        let mut values = array.values.into_f64();
        change(&mut values);
        let mut bytes = Vec::new();
        npy_stream::write_vector(&mut bytes, &values, npy_stream::Dtype::F8, array.labels.ids.as_deref()).unwrap();
        fs::write(path.join(to), bytes).unwrap();
    };
    edit("near.npy", "alike.npy", &|v| v.iter_mut().enumerate().for_each(|(k, v)| *v += 0.02 * (k % 3) as f64));
    let alike = run(path, "rsa fit near.npy alike.npy --brain subjects.npy");
    assert!(alike.stderr.contains("near: the other models explain 99."), "{}", alike.stderr);
    edit("near.npy", "flat.npy", &|v| v.fill(0.5));
    run(path, "rsa fit near.npy flat.npy --brain subjects.npy").fails(1, &["flat.npy: this model is constant"]);
    let out = run(path, "rsa fit near.npy far.npy --brain one.npy flat.npy");
    assert!(out.stderr.contains("1 of 2 subjects have no weights (1 constant)"), "{}", out.stderr);
    let found = rows(&out.text());
    assert_eq!(
        (row(&found, "near", "flat")["reason"].as_str(), row(&found, "near", "mean")["n"].as_str()),
        ("constant", "1")
    );
    assert!(number(row(&found, "near", "flat"), "weight").is_nan());
    within(number(row(&found, "near", "mean"), "weight"), number(row(&found, "near", "one"), "weight"), 1e-15);
    edit("one.npy", "holes.npy", &|v| v[..5].fill(f64::NAN));
    let out = run(path, "rsa fit near.npy far.npy --brain holes.npy one.npy");
    assert!(out.stderr.contains("holes.npy: 5 of 66 pairs have no value"), "{}", out.stderr);
    let found = rows(&out.text());
    assert_eq!(
        (row(&found, "near", "holes")["n_pairs"].as_str(), row(&found, "near", "one")["n_pairs"].as_str()),
        ("61", "66")
    );
    edit("one.npy", "many.npy", &|v| v[..30].fill(f64::NAN));
    run(path, "rsa fit near.npy --brain many.npy").fails(1, &["more than 10 %", "--allow-nan"]);
    run(path, "rsa fit near.npy --brain many.npy --allow-nan -q").ok();
}

#[test]
fn options_that_would_do_nothing_are_refused() {
    let dir = study();
    let fails = |more: &str, parts: &[&str]| {
        run(dir.path(), &format!("{FIT} {more}")).fails(1, parts);
    };
    fails("--method ridge", &["--alpha"]);
    fails("--method ridge --alpha=-1", &["--alpha -1"]);
    fails("--method ridge --alpha nan", &["--alpha NaN"]);
    fails("--alpha 3", &["--alpha 3", "ols and nnls have none"]);
    fails("--raw", &["--raw", "ridge"]);
    fails("--cv-k 2 --boot stimuli", &["--cv-k 2", "--boot stimuli"]);
    fails("--cv-k 5", &["5 groups of 12 stimuli", "--cv-k 4 at most"]);
    run(dir.path(), "rsa fit near.npy --brain one.npy --boot both").fails(1, &["1 brain RDM", "--boot stimuli"]);
    run(dir.path(), &FIT.replace("a,b,c,d,e", "mean,b,c,d,e")).fails(1, &["\"mean\"", "--brain-names"]);
    run(dir.path(), &format!("{FIT} --names joint,far")).fails(1, &["\"joint\"", "--names"]);
    run(dir.path(), "rsa fit near.npy").fails(2, &["--brain"]);
    run(dir.path(), &format!("{FIT} --n-boot 10")).fails(2, &["--boot"]);
    let small = noise(3, 4, 1);
    for (name, matrix) in [("x", &small), ("y", &noise(3, 4, 2)), ("z", &noise(3, 4, 3))] {
        save(&dir.path().join(format!("{name}.acts")), matrix, Some(&ids(3)));
        sh(dir.path(), &format!("rsa rdm {name}.acts > {name}.npy")).ok();
    }
    run(dir.path(), "rsa fit x.npy y.npy --brain z.npy").fails(1, &["3 stimuli make 3 pairs", "at least 4"]);
    run(dir.path(), "rsa fit x.npy --brain subjects.npy").fails(1, &["12", "3"]);
    run(dir.path(), "rsa fit x.acts --brain subjects.npy").fails(1, &["x.acts"]);
}

#[test]
fn weights_of_fitted_models_are_written_fold_by_fold() {
    let dir = study();
    let path = dir.path();
    let line = "rsa compare models.npy --brain subjects.npy --names both -q";
    let scores = run(path, &format!("{line} --model weighted --cv-k 2,3")).text();
    let with = run(path, &format!("{line} --model weighted --cv-k 2,3 --weights w.csv")).text();
    assert_eq!(with, scores);
    let weights = rows(&fs::read_to_string(path.join("w.csv")).unwrap());
    // two components, each of all data and of 2 x 3 folds
    assert_eq!(weights.len(), 2 * 7);
    let all: Vec<&Row> = weights.iter().filter(|row| row["fold"] == "all").collect();
    // what made the subjects is near + 4 far
    within(number(all[1], "weight") / number(all[0], "weight"), 4.0, 1.0);
    within(number(all[0], "weight").powi(2) + number(all[1], "weight").powi(2), 1.0, 1e-12);
    let of_folds: Vec<f64> =
        weights.iter().filter(|r| r["component"] == "0" && r["fold"] != "all").map(|r| number(r, "weight")).collect();
    within(number(all[0], "sd_folds"), variance(&of_folds).sqrt(), 1e-14);
    assert!(all[0]["se"].is_empty() && all[0]["n_boot"].is_empty());
    let fold = weights.iter().find(|row| row["fold"] == "0").unwrap();
    assert!(["2", "3"].contains(&fold["n_subjects"].as_str()) && fold["n_stimuli"] == "8", "{fold:?}");
    run(path, &format!("{line} --model select --boot both --n-boot 50 --weights w.csv")).ok();
    let weights = rows(&fs::read_to_string(path.join("w.csv")).unwrap());
    let all: Vec<&Row> = weights.iter().filter(|row| row["fold"] == "all").collect();
    within(all.iter().map(|row| number(row, "share_draws")).sum(), 1.0, 1e-12);
    assert_eq!((all[0]["n_boot"].as_str(), all[0]["generalize_to"].as_str()), ("50", "both"));
    assert!(number(all[1], "ci_lo") <= number(all[1], "weight") && number(all[1], "weight") <= number(all[1], "ci_hi"));
    run(path, "rsa compare models.npy --brain subjects.npy --weights w.csv").fails(1, &["--weights w.csv", "rsa fit"]);
    run(path, "rsa compare --all-pairs models.npy subjects.npy --weights w.csv").fails(1, &["--weights"]);
}
