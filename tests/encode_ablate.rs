//! `encode ablate`: brains of known truth, the same numbers as `encode fit` on the same columns, and what it refuses.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

use ndarray::{Array2, Axis, concatenate, s};
use std::fs;
use std::path::Path;
use support::*;

const HEADER: &str = "array,voxel,score,all,without,only,delta_without,delta_only,without_random,without_random_lo,\
                      without_random_hi,without_percentile,only_random,only_random_lo,only_random_hi,only_percentile,\
                      n_draws,n_chosen,n_units,n,reason";

/// 90 stimuli, 40 units of which 3, 8, 11, 30 are chosen; voxels 0 and 1 are driven by these alone, 2 by all others,
/// 3 by nothing, 4 is constant and 5 has a NaN.
const CHOSEN: [usize; 4] = [3, 8, 11, 30];

fn brain(dir: &Path) -> (Array2<f64>, Array2<f64>) {
    let x = noise(90, 40, 1);
    let mut weights = noise(40, 6, 2);
    for unit in 0..40 {
        let chosen = CHOSEN.contains(&unit);
        weights.slice_mut(s![unit, ..2]).mapv_inplace(|w| if chosen { w.signum() } else { 0.0 });
        weights[[unit, 2]] = if chosen { 0.0 } else { weights[[unit, 2]] };
        weights[[unit, 3]] = 0.0;
    }
    let mut y = x.dot(&weights) + 0.2 * noise(90, 6, 3);
    y.column_mut(4).fill(7.0);
    y[[5, 5]] = f64::NAN;
    save(&dir.join("x.npy"), &x, Some(&ids(90)));
    save(&dir.join("y.npy"), &y, Some(&ids(90)));
    units(dir, "units.csv", &CHOSEN);
    (x, y)
}

fn units(dir: &Path, name: &str, units: &[usize]) {
    fs::write(dir.join(name), units.iter().fold("unit\n".to_string(), |text, unit| text + &format!("{unit}\n")))
        .unwrap();
}

#[test]
fn units_that_drive_a_voxel_are_necessary_and_sufficient_for_it() {
    let dir = tempfile::tempdir().unwrap();
    brain(dir.path());
    let out = run(dir.path(), "encode ablate --x x.npy --y y.npy --units units.csv --draws 40");
    let note = out.stderr.clone();
    let text = out.text();
    assert_eq!(text.lines().next().unwrap(), HEADER);
    let table = rows(&text);
    for voxel in [0, 1] {
        let of = |name: &str| number(&table[voxel], name);
        assert!(of("all") > 0.9 && of("only") > 0.95 && of("without") < 0.3, "{:?}", table[voxel]);
        assert!(of("without_random_lo") > 0.85 && of("only_random_hi") < 0.4);
        assert_eq!((of("without_percentile"), of("only_percentile")), (0.0, 100.0));
    }
    // What all others drive does not need the chosen, and has little from them.
    let of = |name: &str| number(&table[2], name);
    assert!(of("all") > 0.9 && of("without") >= of("all") - 0.01 && of("only") < 0.3);
    assert!(of("without_percentile") > 95.0 && of("only_percentile") < 60.0);
    // Noise is noise whatever predicts it.
    assert!(["all", "without", "only", "only_random_hi"].iter().all(|name| number(&table[3], name) < 0.35));
    for row in &table {
        let of = |name: &str| number(row, name);
        assert_eq!([&*row["n_chosen"], &*row["n_units"], &*row["n"], &*row["array"]], ["4", "40", "90", "y"]);
        if row["reason"].is_empty() {
            near(of("delta_without"), of("without") - of("all"));
            near(of("delta_only"), of("only") - of("all"));
            assert!(of("only_random_lo") <= of("only_random") && of("only_random") <= of("only_random_hi"));
            assert_eq!(row["n_draws"], "40");
        }
    }
    for (voxel, reason) in [(4, "constant"), (5, "nan_input")] {
        let row = &table[voxel];
        assert!(["all", "without", "only", "only_random", "without_percentile"].iter().all(|name| row[*name] == "NaN"));
        assert_eq!((&*row["reason"], &*row["n_draws"]), (reason, "0"));
    }
    assert!(
        note.contains("y: 90 stimuli (90 rows), 4 of 40 units chosen, 40 draws (none matched), 6 voxels;"),
        "{note}"
    );
    assert!(note.contains("y: 2 of 6 voxels unusable: 1 constant, 1 nan_input"), "{note}");
}

/// The stimuli in three runs, as a column of a table of stimuli, and as a table of folds.
fn runs(dir: &Path, n: usize) {
    for (name, header) in [("runs.csv", "stimulus,run"), ("folds.csv", "stimulus,fold")] {
        let rows = ids(n).iter().enumerate().map(|(i, id)| format!("{id},r{}\n", i % 7 % 3)).collect::<String>();
        fs::write(dir.join(name), format!("{header}\n{rows}")).unwrap();
    }
}

#[test]
fn folds_are_given_as_encode_fit_takes_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    brain(path);
    runs(path, 90);
    let line = "encode ablate --x x.npy --y y.npy --units units.csv --draws 3";
    let out = run(path, &format!("{line} --cv run --stimuli runs.csv -o runs-of.csv"));
    assert!(out.stderr.contains("3 folds of run; alpha by 3 folds"), "{}", out.stderr);
    let given = run(path, &format!("{line} --cv @folds.csv")).text();
    assert_eq!(fs::read_to_string(path.join("runs-of.csv")).unwrap(), given);
    assert_ne!(given, run(path, &format!("{line} --cv 3")).text());
    let record: serde_json::Value = serde_json::from_slice(&fs::read(path.join("runs-of.json")).unwrap()).unwrap();
    assert_eq!((&record["folds"][0], &record["fold_plan"][0]), (&3.into(), &"3 folds of run".into()));
    assert_eq!((&record["alpha_cv"], &record["seed"]), (&3.into(), &0.into()));
    let fails = |options: &str, parts: &[&str]| {
        run(path, &format!("{line} {options}")).fails(1, parts);
    };
    fails("--cv run", &["--cv run", "--stimuli TABLE"]);
    fails("--stimuli runs.csv", &["--stimuli runs.csv: no option reads a column of it; say --cv COLUMN"]);
    fails("--cv ran --stimuli runs.csv", &["runs.csv", "ran"]);
    fails("--cv @absent.csv", &["absent.csv"]);
    fails("--cv loo", &["y.npy: a fold of --cv loo has 1 rows", "fewer than 3"]);
    run(path, &format!("{line} --test run=r1")).fails(2, &["--test"]);
}

#[test]
fn every_model_is_encode_fits_of_the_same_columns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let (x, y) = brain(path);
    // More stimuli than units and fewer; leave-one-out and inner folds; scaled and not.
    save(&path.join("few.npy"), &x.slice(s![..30, ..]).to_owned(), Some(&ids(30)));
    save(&path.join("few_y.npy"), &y.slice(s![..30, ..]).to_owned(), Some(&ids(30)));
    for (x, y, n) in [("x.npy", "y.npy", 90), ("few.npy", "few_y.npy", 30)] {
        runs(path, n);
        for options in [
            "--cv 4",
            "--cv 3 --alpha-cv 4 --seed 5",
            "--no-scale --fold-order contiguous --alphas 1e-2:1e2:5",
            "--cv run --stimuli runs.csv",
            "--cv @folds.csv --alpha-cv loo",
        ] {
            let line = format!("encode ablate --x {x} --y {y} --units units.csv --draws 2 --all-draws d.csv {options}");
            run(path, &line).ok();
            let table = rows(&fs::read_to_string(path.join("d.csv")).unwrap());
            let of_model = |model: &str| table.iter().filter(|row| row["model"] == model).cloned().collect::<Vec<_>>();
            for (model, columns) in
                [("all", "--index 0:40"), ("without", "--units units.csv --without"), ("only", "--units units.csv")]
            {
                run(path, &format!("npy cols {columns} {x} -o part.npy")).ok();
                let fit = format!("encode fit --x part.npy --y {y} --no-extend --score-over folds {options}");
                let fitted = rows(&run(path, &fit).text());
                for (ours, theirs) in of_model(model).iter().zip(&fitted) {
                    assert_eq!((&ours["voxel"], &ours["reason"]), (&theirs["voxel"], &theirs["reason"]));
                    assert_eq!(ours["alpha_at_edge"], theirs["alpha_at_edge"], "{model} {options}");
                    assert_eq!(
                        ours["n_features"],
                        match model {
                            "all" => "40",
                            "without" => "36",
                            _ => "4",
                        }
                    );
                    for name in ["r", "r2", "R2", "alpha"] {
                        if ours["reason"].is_empty() {
                            within(number(ours, name) / number(theirs, name), 1.0, 1e-8);
                        } else {
                            assert_eq!(ours[name], "NaN");
                        }
                    }
                }
                assert_eq!(fitted.len(), 6);
            }
            for model in ["without_random", "only_random"] {
                let rows = of_model(model);
                assert_eq!(rows.len(), 12);
                assert!(rows.iter().all(|row| ["0", "1"].contains(&&*row["draw"])));
            }
        }
    }
}

#[test]
fn the_table_sums_up_all_draws() {
    let dir = tempfile::tempdir().unwrap();
    brain(dir.path());
    let line = "encode ablate --x x.npy --y y.npy --units units.csv --draws 15 --all-draws d.csv";
    let table = rows(&run(dir.path(), line).text());
    let all = rows(&fs::read_to_string(dir.path().join("d.csv")).unwrap());
    assert_eq!(all.len(), 6 * 33);
    let r_of = |voxel: usize, model: &str| -> Vec<f64> {
        let of = all.iter().filter(|row| row["voxel"] == voxel.to_string() && row["model"] == model);
        of.map(|row| number(row, "r")).collect()
    };
    for (voxel, row) in table.iter().enumerate().take(4) {
        for (model, drawn) in [("without", "without_random"), ("only", "only_random")] {
            let mut draws = r_of(voxel, drawn);
            assert_eq!(draws.len(), 15);
            let r = r_of(voxel, model)[0];
            near(number(row, model), r);
            near(number(row, drawn), draws.iter().sum::<f64>() / 15.0);
            let below = draws.iter().filter(|draw| **draw < r).count() as f64;
            near(number(row, &format!("{model}_percentile")), 100.0 * below / 15.0);
            draws.sort_by(f64::total_cmp);
            // Quantile .025 of 15 values lies .35 of the way from the first to the second.
            near(number(row, &format!("{drawn}_lo")), draws[0] + 0.35 * (draws[1] - draws[0]));
        }
    }
    // Regions: the statistic over voxels first, of every draw.
    let by_region = run(dir.path(), &format!("{line} --by region")).text();
    let regions = rows(&by_region);
    assert_eq!(regions.iter().map(|row| &*row["statistic"]).collect::<Vec<_>>(), ["mean", "median"]);
    assert!(regions.iter().all(|row| row["n_voxels"] == "4" && row["n_chosen"] == "4" && row["reason"].is_empty()));
    let mean_of = |model: &str, draw: usize| (0..4).map(|voxel| r_of(voxel, model)[draw]).sum::<f64>() / 4.0;
    near(number(&regions[0], "without"), mean_of("without", 0));
    let draws: Vec<f64> = (0..15).map(|draw| mean_of("without_random", draw)).collect();
    let below = draws.iter().filter(|draw| **draw < mean_of("without", 0)).count() as f64;
    near(number(&regions[0], "without_percentile"), 100.0 * below / 15.0);
    near(number(&regions[0], "without_random"), draws.iter().sum::<f64>() / 15.0);
    let mut only: Vec<f64> = (0..4).map(|voxel| r_of(voxel, "only")[0]).collect();
    only.sort_by(f64::total_cmp);
    near(number(&regions[1], "only"), (only[1] + only[2]) / 2.0);
    // The other score.
    let table = rows(&run(dir.path(), &format!("{line} --score R2")).text());
    let row = all.iter().find(|row| row["voxel"] == "1" && row["model"] == "only").unwrap();
    near(number(&table[1], "only"), number(row, "R2"));
    assert_eq!(table[1]["score"], "R2");
}

#[test]
fn several_regions_have_the_numbers_they_have_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let (_, y) = brain(path);
    // Another region, of other stimuli in another order, shown twice.
    let order: Vec<usize> = (0..60).map(|i| (7 * i + 3) % 60).chain(0..60).collect();
    let labels: Vec<String> = order.iter().map(|i| format!("s{i}")).collect();
    let trials = y.select(Axis(0), &order).slice(s![.., ..4]).to_owned() + 0.1 * noise(120, 4, 9);
    save(&path.join("z.npy"), &trials, Some(&labels));
    let line = "encode ablate --x x.npy --units units.csv --draws 3 --inner -q";
    let alone: Vec<String> =
        ["y", "z"].iter().map(|name| run(path, &format!("{line} --y {name}.npy")).text()).collect();
    let together = sh(path, &format!("cat y.npy z.npy | {line} --y - --names y,z")).text();
    let body = |text: &str| text.lines().skip(1).map(String::from).collect::<Vec<_>>();
    assert_eq!(body(&together), [body(&alone[0]), body(&alone[1])].concat());
    let text = run(path, &format!("{line} --y z.npy --by region --format jsonl")).text();
    assert!(text.starts_with("{\"array\":\"z\",\"statistic\":\"mean\",\"score\":\"r\",\"all\":"), "{text}");
    assert!(text.contains("\"n_voxels\":4,\"n\":120,\"reason\":null}"), "{text}");
}

#[test]
fn bytes_depend_on_the_seed_and_not_on_threads_or_the_number_of_draws() {
    let dir = tempfile::tempdir().unwrap();
    brain(dir.path());
    let of = |options: &str| {
        let line = format!("encode ablate -q --x x.npy --y y.npy --units units.csv --all-draws d.csv {options}");
        run(dir.path(), &line).ok();
        fs::read_to_string(dir.path().join("d.csv")).unwrap()
    };
    let one = of("--threads 1 --draws 4");
    assert_eq!(of("--threads 3 --draws 4"), one);
    assert_ne!(of("--threads 1 --draws 4 --seed 1"), one);
    let more = of("--draws 6");
    assert!(one.lines().all(|line| more.lines().any(|other| other == line)), "draw 3 of 4 is draw 3 of 6");
    let none = run(dir.path(), "encode ablate --x x.npy --y y.npy --units units.csv --draws 0").text();
    assert!(rows(&none).iter().all(|row| row["only_random"] == "NaN" && row["n_draws"] == "0"));
}

#[test]
fn constant_units_cost_nothing_and_predict_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let (mut x, _) = brain(path);
    x.column_mut(3).fill(2.0);
    x.column_mut(20).fill(-1.0);
    save(&path.join("x.npy"), &x, Some(&ids(90)));
    units(path, "one.csv", &[3]);
    let out = run(path, "encode ablate --x x.npy --y y.npy --units one.csv --draws 60 --all-draws d.csv");
    let note = out.stderr.clone();
    let table = rows(&out.text());
    for row in &table[..4] {
        within(number(row, "without"), number(row, "all"), 1e-9);
        assert_eq!((&*row["only"], &*row["reason"]), ("NaN", "constant"));
        // Of 60 draws of one unit some are the other constant one, and have no score.
        let n: usize = row["n_draws"].parse().unwrap();
        assert!((45..60).contains(&n), "{n}");
        assert!(number(row, "only_random") < 0.5 && row["only_percentile"] == "NaN");
    }
    assert!(note.contains("warning: y: ") && note.contains("predict the same for every stimulus"), "{note}");
    // A constant unit among others changes nothing.
    units(path, "three.csv", &[8, 11, 30]);
    let with = rows(&run(path, "encode ablate --x x.npy --y y.npy --units units.csv --draws 0").text());
    let short = rows(&run(path, "encode ablate --x x.npy --y y.npy --units three.csv --draws 0").text());
    for (a, b) in with.iter().zip(&short).take(4) {
        ["all", "without", "only"].iter().for_each(|name| within(number(a, name), number(b, name), 1e-9));
    }
}

#[test]
fn collinear_units_are_not_necessary() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let (x, y) = brain(path);
    // Every unit has a twin: whatever is left out, its twin remains.
    let twins = concatenate(Axis(1), &[x.view(), x.view()]).unwrap();
    save(&path.join("twins.npy"), &twins, Some(&ids(90)));
    save(&path.join("one.npy"), &y.slice(s![.., ..1]).to_owned(), Some(&ids(90)));
    let text = run(path, "encode ablate --x twins.npy --y one.npy --units units.csv --draws 10").text();
    let table = rows(&text);
    assert_eq!(table.len(), 1);
    let row = &table[0];
    assert!(number(row, "without") > 0.9 && number(row, "only") > 0.95, "{row:?}");
}

#[test]
fn random_units_are_matched_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let (mut x, _) = brain(path);
    // Units 0 to 19 vary ten times as much; channels of four units.
    x.slice_mut(s![.., ..20]).mapv_inplace(|v| 10.0 * v);
    save(&path.join("x.npy"), &x, Some(&ids(90)));
    let mut maps = "layer,unit,channel,y,x,token,column\n".to_string();
    (0..40).for_each(|unit| maps += &format!("x,{unit},{},{},0,,{unit}\n", unit / 4, unit % 4));
    fs::write(path.join("maps.csv"), maps).unwrap();
    let line = "encode ablate --x x.npy --y y.npy --units units.csv --draws 5";
    let out = run(path, &format!("{line} --match variance --bins 2 -o v.csv"));
    assert!(out.stderr.contains("5 draws (matched in 2 bins of variance)"), "{}", out.stderr);
    let record: serde_json::Value = serde_json::from_slice(&fs::read(path.join("v.json")).unwrap()).unwrap();
    assert_eq!(record["match"], "matched in 2 bins of variance");
    assert_eq!((&record["n_chosen"], &record["n_features"], &record["seed"]), (&4.into(), &40.into(), &0.into()));
    let plain = run(path, line).text();
    let channel = run(path, &format!("{line} --match channel --unit-table maps.csv")).text();
    let columns = |text: &str, name: &str| rows(text).iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(columns(&plain, "without"), columns(&channel, "without"), "the chosen are the chosen");
    assert_ne!(columns(&plain, "only_random"), columns(&channel, "only_random"));
    assert_ne!(
        columns(&plain, "only_random"),
        columns(&fs::read_to_string(path.join("v.csv")).unwrap(), "only_random")
    );

    let fails = |options: &str, parts: &[&str]| {
        run(path, &format!("{line} {options}")).fails(1, parts);
    };
    fails("--match channel", &["--match channel: --unit-table says which channel"]);
    fails("--unit-table maps.csv", &["--unit-table maps.csv: only --match channel takes one"]);
    fails("--match variance --bins 0", &["--bins 0"]);
    units(path, "map0.csv", &[0, 1, 2]);
    let line = "encode ablate --x x.npy --y y.npy --units map0.csv --draws 5";
    let error = "--match channel: in the channel of unit 0 3 units are chosen, and only 1 others are there";
    run(path, &format!("{line} --match channel --unit-table maps.csv")).fails(1, &[error]);
    let error = "--match variance: in bin ";
    run(path, &format!("{line} --match variance --bins 40"))
        .fails(1, &[error, "1 units are chosen, and only 0 others"]);
}

#[test]
fn where_no_unit_is_chosen_all_units_still_have_their_score() {
    let dir = tempfile::tempdir().unwrap();
    brain(dir.path());
    units(dir.path(), "none.csv", &[]);
    for by in ["voxel", "region"] {
        let of = |table: &str| {
            let out =
                run(dir.path(), &format!("encode ablate --x x.npy --y y.npy --units {table} --draws 2 --by {by}"));
            assert_eq!(out.code, 0, "{}", out.stderr);
            assert_eq!(out.stderr.contains("0 of 40 units"), table == "none.csv", "{}", out.stderr);
            rows(&out.text())
        };
        for (none, some) in of("none.csv").iter().zip(of("units.csv")) {
            assert_eq!([&none["all"], &none["without"]], [&some["all"], &some["all"]]);
            let cells = ["only", "delta_only", "only_random", "n_draws", "n_chosen", "reason"].map(|c| &none[c][..]);
            let reason = if some["reason"].is_empty() { "empty" } else { &some["reason"] };
            assert_eq!(cells, ["NaN", "NaN", "NaN", "0", "0", reason]);
        }
    }
}

#[test]
fn refuses_units_that_leave_nothing_to_compare() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    brain(path);
    let fails = |table: &str, options: &str, parts: &[&str]| {
        fs::write(path.join("t.csv"), table).unwrap();
        run(path, &format!("encode ablate --x x.npy --y y.npy --units t.csv {options}")).fails(1, parts);
    };
    let list = |n: usize| (0..n).fold("unit\n".to_string(), |text, unit| text + &format!("{unit}\n"));
    fails(&list(40), "", &["t.csv: all 40 units of x.npy are chosen"]);
    fails(&list(21), "", &["21 of 40 units of x.npy are chosen, and only 19 others", "--draws 0"]);
    fails("unit\n40\n", "", &["t.csv: unit 40, but x.npy has 40 columns (0 to 39)"]);
    fails("unit\n1\n1\n", "", &["unit 1 stands in it more than once"]);
    fails("unit\n1.5\n", "", &["t.csv", "1.5"]);
    fails("voxel_name\na\n", "", &["no column unit or voxel"]);
    fails("array,unit\nlayer3,1\n", "", &["no rows about array \"x\"; the table speaks of layer3"]);
    fails("array,unit,n_units\nx,1,64\n", "", &["its units were chosen from 64, and the array has 40 columns"]);
    fails("unit,contrast\n1,a > b\n2,b > a\n", "", &["rows of 2 contrasts", "choose it with --contrast"]);
    fails("unit,contrast\n1,a > b\n2,b > a\n", "--contrast 'a > c'", &["no rows of contrast \"a > c\""]);
    fs::write(path.join("t.csv"), list(21)).unwrap();
    run(path, "encode ablate --x x.npy --y y.npy --units t.csv --draws 0").ok();
    fs::write(path.join("t.csv"), "array,unit,contrast\nlayer3,3,a > b\nlayer3,8,b > a\n").unwrap();
    let line = "encode ablate --x x.npy --y y.npy --units t.csv --array layer3 --contrast 'b>a' --draws 2";
    assert!(run(path, line).text().contains(",1,40,90,"));
}

#[test]
fn refuses_what_encode_fit_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let (mut x, y) = brain(path);
    let fails = |line: &str, parts: &[&str]| {
        run(path, &format!("encode ablate --units units.csv {line}")).fails(1, parts);
    };
    fails("--x x.npy --y absent.npy", &["absent.npy"]);
    run(path, "encode ablate --x x.npy --y y.npy --units units.csv --cv 1").fails(2, &["--cv", "1 folds"]);
    fails("--x x.npy --y y.npy --cv 91", &["y.npy: --cv: 91 folds, but only 90"]);
    save(&path.join("short.npy"), &y.slice(s![..80, ..]).to_owned(), Some(&ids(80)));
    fails("--x x.npy --y short.npy", &["90", "80", "--inner"]);
    save(&path.join("none.npy"), &Array2::zeros((90, 0)), Some(&ids(90)));
    fails("--x x.npy --y none.npy", &["none.npy: 0 voxels"]);
    let twice: Vec<String> = (0..90).map(|i| format!("s{}", i % 45)).collect();
    save(&path.join("x45.npy"), &x.slice(s![..45, ..]).to_owned(), Some(&ids(45)));
    save(&path.join("twice.npy"), &y, Some(&twice));
    fails("--x x45.npy --array x45 --y twice.npy --alpha-cv loo", &["90 rows of 45 stimuli"]);
    x[[3, 7]] = f64::INFINITY;
    save(&path.join("bad.npy"), &x, Some(&ids(90)));
    fails("--x bad.npy --y y.npy", &["bad.npy: row 3 (\"s3\"), column 7 is inf"]);
    fails("--x x.npy --y y.npy --threads 0", &["--threads"]);
    run(path, "encode ablate --x x.npy --y y.npy").fails(2, &["--units"]);
    run(path, "encode ablate --x x.npy --y y.npy --units units.csv --by brain").fails(2, &["--by"]);
    run(path, "encode ablate --x - --y - --units units.csv").fails(1, &["stdin"]);
}
