//! `encode score`, `predict`, `weights` and `compare`: scores of any predictions, and what models hold.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

use ndarray::{Array1, Array2, Axis, s};
use npy_stream::{Labels, Matrix, write_matrix};
use serde_json::Value;
use std::fs;
use std::path::Path;
use support::*;

fn column(csv: &str, name: &str) -> Vec<f64> {
    rows(csv).iter().map(|row| row[name].parse().unwrap()).collect()
}

fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        xy += (a - mx) * (b - my);
        xx += (a - mx) * (a - mx);
        yy += (b - my) * (b - my);
    }
    xy / (xx * yy).sqrt()
}

/// 1 - Pearson over columns of every two rows.
fn triangle(patterns: &Array2<f64>) -> Vec<f64> {
    let n = patterns.nrows();
    let row = |i: usize| patterns.row(i).to_vec();
    (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).map(|(i, j)| 1.0 - pearson(&row(i), &row(j))).collect()
}

fn row_means(patterns: &Array2<f64>) -> Vec<f64> {
    patterns.rows().into_iter().map(|row| row.sum() / row.len() as f64).collect()
}

fn save_named(path: &Path, matrix: &Array2<f64>, labels: &Labels) {
    write_matrix(fs::File::create(path).unwrap(), &Matrix::F8(matrix.clone()), labels).unwrap();
}

/// Folds of 24 stimuli as `@folds.csv`, 6 in each, and as numbers.
fn folds(dir: &Path) -> Vec<usize> {
    let of = |i: usize| (i * 5) % 4;
    let lines: String = (0..24).map(|i| format!("s{i},run{}\n", of(i))).collect();
    fs::write(dir.join("folds.csv"), format!("stimulus,fold\n{lines}")).unwrap();
    (0..24).map(of).collect()
}

#[test]
fn scores_of_one_block_are_scikit_learns() {
    let golden = root().join("testdata/golden/ridge");
    for name in ["tall", "wide"] {
        let expected: Value = serde_json::from_slice(&fs::read(golden.join(format!("{name}.json"))).unwrap()).unwrap();
        let at = |what: &str| golden.join(format!("{name}-{what}.npy")).display().to_string();
        let dir = tempfile::tempdir().unwrap();
        let line = format!("encode score {} {} --assume-order", at("loo-predictions"), at("y"));
        let table = rows(&run(dir.path(), &line).text());
        for voxel in 0..5 {
            for score in ["r", "R2"] {
                let want = expected["loo_scores"][score][voxel].as_f64().unwrap();
                within(number(&table[voxel], score), want, 1e-12);
            }
            near(number(&table[voxel], "r2"), number(&table[voxel], "r").powi(2));
        }
        assert_eq!((&*table[5]["reason"], &*table[5]["r"]), ("constant", "NaN"));
        assert_eq!((&*table[6]["reason"], &*table[6]["R2"]), ("nan_input", "NaN"));
    }
}

#[test]
fn folds_take_the_lean_on_training_means_out() {
    let dir = tempfile::tempdir().unwrap();
    let fold = folds(dir.path());
    let y = noise(24, 3, 1) + 10.0;
    // what a model without features predicts: the mean of the other folds
    let others = |f: usize, v: usize| {
        let own: Vec<f64> = (0..24).filter(|i| fold[*i] != f).map(|i| y[(i, v)]).collect();
        own.iter().sum::<f64>() / own.len() as f64
    };
    let means = Array2::from_shape_fn((24, 3), |(i, v)| others(fold[i], v));
    save(&dir.path().join("y.npy"), &y, Some(&ids(24)));
    save(&dir.path().join("means.npy"), &means, Some(&ids(24)));
    let plain = run(dir.path(), "encode score means.npy y.npy").text();
    assert!(column(&plain, "r").iter().all(|r| *r < -0.1), "{plain}");
    let text = run(dir.path(), "encode score means.npy y.npy --folds @folds.csv").text();
    for row in rows(&text) {
        assert_eq!((&*row["r"], &*row["reason"]), ("NaN", "constant"));
        assert!(number(&row, "R2").abs() < 1e-12);
    }
    // and of other predictions by hand: deviations of predictions in units of their root mean square in the fold,
    // of responses in units of that in the other folds
    let p = &means + &noise(24, 3, 2);
    save(&dir.path().join("p.npy"), &p, Some(&ids(24)));
    let pooled = run(dir.path(), "encode score p.npy y.npy --folds @folds.csv").text();
    let by_fold = run(dir.path(), "encode score p.npy y.npy --folds @folds.csv --score-over folds").text();
    for v in 0..3 {
        let deviations = |of: &Array2<f64>, which: &dyn Fn(usize) -> bool, f: usize| -> Vec<f64> {
            (0..24).filter(|i| which(*i)).map(|i| of[(i, v)] - others(f, v)).collect()
        };
        let size = |values: &[f64]| (values.iter().map(|d| d * d).sum::<f64>() / values.len() as f64).sqrt();
        let in_units = |of: &Array2<f64>, unit: &dyn Fn(usize) -> f64| -> Vec<f64> {
            (0..24).map(|i| (of[(i, v)] - means[(i, v)]) / unit(fold[i])).collect()
        };
        let own = |f: usize| size(&deviations(&p, &|i| fold[i] == f, f));
        let trained_on = |f: usize| size(&deviations(&y, &|i| fold[i] != f, f));
        within(column(&pooled, "r")[v], pearson(&in_units(&p, &own), &in_units(&y, &trained_on)), 1e-12);
        let of_fold = |f: usize| {
            let own: Vec<usize> = (0..24).filter(|i| fold[*i] == f).collect();
            let pick = |of: &Array2<f64>| own.iter().map(|i| of[(*i, v)]).collect::<Vec<f64>>();
            pearson(&pick(&p), &pick(&y))
        };
        within(column(&by_fold, "r")[v], (0..4).map(of_fold).sum::<f64>() / 4.0, 1e-12);
    }
    // folds as a column of a table of stimuli are the same
    let table: String = (0..24).rev().map(|i| format!("s{i},{}\n", fold[i])).collect();
    fs::write(dir.path().join("t.csv"), format!("stimulus,run\n{table}")).unwrap();
    assert_eq!(run(dir.path(), "encode score p.npy y.npy --folds run --stimuli t.csv").text(), pooled);
    // rows in another order, with a line on stderr
    let order: Vec<usize> = (0..24).map(|i| (i * 7 + 3) % 24).collect();
    let labels: Vec<String> = order.iter().map(|i| format!("s{i}")).collect();
    save(&dir.path().join("turned.npy"), &p.select(Axis(0), &order), Some(&labels));
    let turned = run(dir.path(), "encode score turned.npy y.npy --folds @folds.csv");
    assert!(turned.stderr.contains("brought into the order of y.npy"), "{}", turned.stderr);
    assert_eq!(turned.text(), pooled);
}

#[test]
fn permutations_and_ceilings_of_scores() {
    let dir = tempfile::tempdir().unwrap();
    let y = noise(24, 4, 3);
    let p = &y + &(noise(24, 4, 4) * Array1::from(vec![0.3, 1.0, 3.0, 0.3]));
    save(&dir.path().join("y.npy"), &y, Some(&ids(24)));
    save(&dir.path().join("p.npy"), &p, Some(&ids(24)));
    let ceiling = "array,voxel,n_trials,reliability,r_max,reason\n\
                   y,0,3,0.25,0.5,\ny,1,3,0.64,0.8,\ny,2,3,-0.1,NaN,negative_reliability\ny,3,3,1,1,\n";
    fs::write(dir.path().join("c.csv"), ceiling).unwrap();
    let line = "encode score p.npy y.npy --permutations 199 --seed 3 --ceiling c.csv";
    let text = run(dir.path(), line).text();
    assert_eq!(text.lines().next().unwrap(), "voxel,r,r2,R2,n,reason,p,q,r_norm,r2_norm");
    let table = rows(&text);
    near(number(&table[0], "r_norm"), number(&table[0], "r") / 0.5);
    near(number(&table[1], "r2_norm"), number(&table[1], "r2") / 0.64);
    assert_eq!((&*table[2]["r_norm"], &*table[2]["reason"]), ("NaN", "negative_reliability"));
    assert_eq!(&*table[0]["p"], "0.005");
    assert!(number(&table[0], "r_norm") > 1.0, "scores above their ceiling are not cut");
    // Rows without repeats may be averages, which the bounds of one trial do not bound.
    let one = (0..4).fold(ceiling.to_owned(), |table, k| table.replace(&format!("y,{k},3,"), &format!("y,{k},1,")));
    fs::write(dir.path().join("one.csv"), one).unwrap();
    let of_one = run(dir.path(), &line.replace("c.csv", "one.csv"));
    assert!(of_one.stderr.contains("one.csv: bounds for one trial"), "{}", of_one.stderr);
    for threads in ["1", "3"] {
        assert_eq!(run(dir.path(), &format!("{line} --threads {threads}")).text(), text);
    }
    assert_ne!(run(dir.path(), &line.replace("--seed 3", "--seed 4")).text(), text);
}

#[test]
fn regions_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let y = noise(12, 9, 5);
    let p = &y + &noise(12, 9, 6);
    let mut with_nan = y.clone();
    with_nan[(3, 8)] = f64::NAN;
    save(&at("y.npy"), &with_nan, Some(&ids(12)));
    save(&at("p.npy"), &p, Some(&ids(12)));
    fs::write(at("regions.csv"), "roi,voxel\nB,4\nB,5\nB,6\nB,7\nB,8\nA,0\nA,1\nA,2\nC,3\n").unwrap();
    let out = run(dir.path(), "encode score p.npy y.npy --by region --regions regions.csv --compare pearson,spearman");
    assert!(out.stderr.contains("region \"B\": 1 of 5 voxels have NaN; left out"), "{}", out.stderr);
    let table = rows(&out.text());
    assert_eq!(table.len(), 9);
    let find = |region: &str, stat: &str, compare: &str| {
        let is = |row: &&Row| row["region"] == region && row["stat"] == stat && row["compare"] == compare;
        table.iter().find(is).unwrap().clone()
    };
    assert_eq!(table[0]["region"], "B", "in the order of the table");
    for (region, voxels) in [("A", [0, 1, 2].as_slice()), ("B", &[4, 5, 6, 7])] {
        let part = |of: &Array2<f64>| of.select(Axis(1), voxels);
        let row = find(region, "univariate", "pearson");
        within(number(&row, "r"), pearson(&row_means(&part(&p)), &row_means(&part(&y))), 1e-12);
        let row = find(region, "multivariate", "pearson");
        within(number(&row, "r"), pearson(&triangle(&part(&p)), &triangle(&part(&y))), 1e-12);
        assert_eq!((&*row["n_pairs"], &*row["n_stimuli"], &*row["r_max"]), ("66", "12", ""));
        assert_ne!(find(region, "multivariate", "spearman")["r"], row["r"]);
    }
    assert_eq!(find("B", "univariate", "pearson")["n_left_out"], "1");
    let row = find("C", "multivariate", "pearson");
    assert_eq!((&*row["r"], &*row["reason"]), ("NaN", "too_few_voxels"));
    assert_eq!(find("C", "univariate", "pearson")["reason"], "");

    // with folds only pairs of one fold, all together or fold by fold
    let fold: Vec<usize> = (0..12).map(|i| i % 3).collect();
    let lines: String = (0..12).map(|i| format!("s{i},{}\n", fold[i])).collect();
    fs::write(at("f.csv"), format!("stimulus,fold\n{lines}")).unwrap();
    let line = "encode score p.npy y.npy --by region --regions regions.csv --folds @f.csv";
    let pairs: Vec<(usize, usize)> = (0..12).flat_map(|i| (i + 1..12).map(move |j| (i, j))).collect();
    let inside = |of: &Array2<f64>, which: &dyn Fn(usize) -> bool| -> Vec<f64> {
        let all = triangle(&of.select(Axis(1), &[0, 1, 2]));
        let keep = |(i, j): (usize, usize)| fold[i] == fold[j] && which(fold[i]);
        all.into_iter().zip(&pairs).filter(|(_, pair)| keep(**pair)).map(|(d, _)| d).collect()
    };
    let of = |text: String| {
        let is = |row: &Row| row["region"] == "A" && row["stat"] == "multivariate";
        rows(&text).into_iter().find(is).unwrap()
    };
    let pooled = of(run(dir.path(), line).text());
    within(number(&pooled, "r"), pearson(&inside(&p, &|_| true), &inside(&y, &|_| true)), 1e-12);
    assert_eq!((&*pooled["n_pairs"], &*pooled["score_over"]), ("18", "pooled"));
    let each = of(run(dir.path(), &format!("{line} --score-over folds")).text());
    let mean = (0..3).map(|f| pearson(&inside(&p, &|g| g == f), &inside(&y, &|g| g == f))).sum::<f64>() / 3.0;
    within(number(&each, "r"), mean, 1e-12);
}

#[test]
fn regions_stand_beside_the_ceiling_of_their_own_trials() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let signal = noise(20, 6, 7);
    let trial = |seed: u64| &signal + &(noise(20, 6, seed) * 0.5);
    let (first, second) = (trial(8), trial(9));
    let trials = ndarray::concatenate(Axis(0), &[first.view(), second.view()]).unwrap();
    let labels: Vec<String> = ids(20).into_iter().chain(ids(20)).collect();
    let name = |name: &str, ids: Vec<String>| Labels { ids: Some(ids), columns: None, name: Some(name.into()) };
    // two regions in a stream, predictions in the other order
    save_named(&at("a.npy"), &trials, &name("FFA", labels.clone()));
    save_named(&at("b.npy"), &trials.slice(s![.., ..5]).to_owned(), &name("OFA", labels));
    save_named(&at("pa.npy"), &signal, &name("FFA", ids(20)));
    save_named(&at("pb.npy"), &signal.slice(s![.., ..5]).to_owned(), &name("OFA", ids(20)));
    let text =
        sh(dir.path(), "cat a.npy b.npy > y.npy; cat pb.npy pa.npy > p.npy; encode score p.npy y.npy --by region")
            .text();
    let table = rows(&text);
    assert_eq!(table.iter().map(|row| row["region"].as_str()).collect::<Vec<_>>(), ["FFA", "FFA", "OFA", "OFA"]);
    let average = (&first + &second) / 2.0;
    let (univariate, multivariate) = (&table[0], &table[1]);
    within(number(univariate, "r"), pearson(&row_means(&signal), &row_means(&average)), 1e-12);
    let halves = pearson(&row_means(&first), &row_means(&second));
    within(number(univariate, "r_halves"), halves, 1e-12);
    within(number(univariate, "r_max"), (2.0 * halves / (1.0 + halves)).sqrt(), 1e-12);
    within(number(univariate, "r_norm"), number(univariate, "r") / number(univariate, "r_max"), 1e-12);
    let halves = pearson(&triangle(&first), &triangle(&second));
    within(number(multivariate, "r_halves"), halves, 1e-12);
    within(number(multivariate, "reliability"), 2.0 * halves / (1.0 + halves), 1e-12);
    within(number(multivariate, "r"), pearson(&triangle(&signal), &triangle(&average)), 1e-12);
    assert_eq!(&*multivariate["n_trials"], "2");
}

#[test]
fn score_refuses_what_has_no_score() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    folds(dir.path());
    save(&at("y.npy"), &noise(24, 4, 1), Some(&ids(24)));
    save(&at("p.npy"), &noise(24, 4, 2), Some(&ids(24)));
    save(&at("narrow.npy"), &noise(24, 3, 2), Some(&ids(24)));
    save(&at("bare.npy"), &noise(24, 4, 2), None);
    save(&at("two.npy"), &noise(2, 4, 2), Some(&ids(2)));
    save(&at("empty.npy"), &noise(24, 0, 2), Some(&ids(24)));
    let lines: String = (0..24).map(|i| format!("s{i},{i}\n")).collect();
    fs::write(at("loo.csv"), format!("stimulus,fold\n{lines}")).unwrap();
    fs::write(at("between.csv"), "subject,stat,compare,reliability,r_max\nsub-01,profile,pearson,.5,.7\n").unwrap();
    fs::write(at("regions.csv"), "voxel,area\n0,A\n").unwrap();
    fs::write(at("beyond.csv"), "voxel,roi\n4,A\n").unwrap();
    for (rest, parts) in [
        ("narrow.npy y.npy", ["narrow.npy has 3 voxels", "y.npy has 4"].as_slice()),
        ("bare.npy y.npy", &["24 rows with ids", "24 without", "npy label"]),
        ("two.npy y.npy --inner", &["2 rows together", "at least 3"]),
        ("empty.npy empty.npy", &["0 voxels"]),
        ("p.npy y.npy --folds @loo.csv", &["a fold of 24 has 1 rows", "encode fit"]),
        ("p.npy y.npy --folds run", &["--stimuli TABLE"]),
        ("p.npy y.npy --folds @folds.csv --stimuli folds.csv", &["give one of the two"]),
        ("p.npy y.npy --ceiling between.csv", &["between.csv", "voxel"]),
        ("p.npy y.npy --regions regions.csv", &["goes with --by region"]),
        ("p.npy y.npy --compare spearman", &["goes with --by region"]),
        ("p.npy y.npy --by region --permutations 9", &["--permutations: voxels are tested"]),
        ("p.npy y.npy --by region --ceiling between.csv", &["bounds of voxels"]),
        ("p.npy y.npy --by region --regions regions.csv", &["no column region or roi", "voxel, area"]),
        ("p.npy y.npy --by region --regions beyond.csv", &["voxel 4", "have 4"]),
        ("p.npy missing.npy", &["missing.npy"]),
    ] {
        run(dir.path(), &format!("encode score {rest}")).fails(1, parts);
    }
    let both = [fs::read(at("p.npy")).unwrap(), fs::read(at("p.npy")).unwrap()].concat();
    fs::write(at("both.npy"), both).unwrap();
    run(dir.path(), "encode score both.npy y.npy --by region").fails(1, &["has 2 matrices", "has 1"]);
    run(dir.path(), "encode score both.npy y.npy").fails(1, &["holds 2 matrices"]);
    run(dir.path(), "encode score p.npy").fails(2, &["MEASURED"]);
}
