//! `unit-stats` as its users meet it: overlap, validation and probing of chosen units.
#![allow(clippy::unwrap_used)]

use ndarray::{Array2, Axis};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use support::*;

const HEAD: &str = "array,contrast,unit,n_units,t,dprime,selectivity_index,criterion\n";

/// A table of units: (array, contrast, unit, t), all of 20 units and made by `criterion`.
fn units(dir: &Path, name: &str, criterion: &str, rows: &[(&str, &str, usize, f64)]) {
    let row = |&(array, contrast, unit, t): &(&str, &str, usize, f64)| {
        format!("{array},\"{contrast}\",{unit},20,{t},{},{},\"{criterion}\"\n", t / 4.0, t / 40.0)
    };
    fs::write(dir.join(name), format!("{HEAD}{}", rows.iter().map(row).collect::<String>())).unwrap();
}

const FACES: &str = "faces > bodies,places";

/// Two localizers of one layer: A = {1, 3, 5, 7}, B = {3, 4, 5}.
fn two_tables() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let a = [(1, 8.0), (3, 9.0), (5, 12.0), (7, 7.5)].map(|(unit, t)| ("conv", FACES, unit, t));
    units(dir.path(), "a.csv", "student t > 7", &a);
    let b = [(4, 7.1), (3, 10.0), (5, 8.0)].map(|(unit, t)| ("conv", "faces > objects", unit, t));
    units(dir.path(), "b.csv", "student t > 7", &b);
    dir
}

fn number(row: &HashMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} is {:?}", row[column]))
}

/// Columns of the only row.
#[track_caller]
fn cells(text: &str, columns: &[&str]) -> Vec<String> {
    let rows = rows(text);
    assert_eq!(rows.len(), 1, "{text}");
    columns.iter().map(|column| rows[0][*column].clone()).collect()
}

#[test]
fn overlap_of_two_sets_by_hand() {
    let dir = two_tables();
    let text = run(dir.path(), "unit-stats overlap a.csv b.csv").text();
    let columns =
        ["array", "preferred", "contrast_a", "contrast_b", "threshold", "n_a", "n_b", "n_intersection", "n_union"];
    let expected = ["conv", "faces", FACES, "faces > objects", "", "4", "3", "2", "5"];
    assert_eq!(cells(&text, &columns), expected);
    let row = &rows(&text)[0];
    // 4 * 3 / 20 = .6 expected; p = (C(4,2) C(16,1) + C(4,3)) / C(20,3) = 100 / 1140.
    for (column, expected) in [
        ("dice", 4.0 / 7.0),
        ("jaccard", 0.4),
        ("expected", 0.6),
        ("enrichment", 2.0 / 0.6),
        ("p", 100.0 / 1140.0),
        ("neg_log10_p", (11.4_f64).log10()),
        ("n_units", 20.0),
        ("mean_t_a", 36.5 / 4.0),
        ("mean_dprime_b", 25.1 / 12.0),
    ] {
        assert!((number(row, column) - expected).abs() < 1e-13, "{column}: {}", row[column]);
    }
    assert_eq!(row["reason"], "");
}

#[test]
fn a_threshold_keeps_the_units_above_it_on_both_sides() {
    let dir = two_tables();
    let text = run(dir.path(), "unit-stats overlap a.csv b.csv --thresholds 7,8,9..11:2").text();
    let found: Vec<Vec<String>> = rows(&text)
        .iter()
        .map(|row| ["threshold", "n_a", "n_b", "n_intersection", "reason"].map(|c| row[c].clone()).to_vec())
        .collect();
    // t > 8 leaves {3, 5} and {3}; t > 9 {5} and {3}; t > 11 {5} and nothing.
    assert_eq!(
        found,
        [["7", "4", "3", "2", ""], ["8", "2", "1", "1", ""], ["9", "1", "1", "0", ""], ["11", "1", "0", "0", "empty"]]
    );
    let curve = rows(&run(dir.path(), "unit-stats overlap a.csv --thresholds 7..12:2.5").text());
    let found: Vec<[f64; 4]> =
        curve.iter().map(|row| ["threshold", "n_selected", "proportion", "mean_t"].map(|c| number(row, c))).collect();
    assert_eq!(found[..2], [[7.0, 4.0, 0.2, 36.5 / 4.0], [9.5, 1.0, 0.05, 12.0]]);
    assert!(found[2][3].is_nan() && curve[2]["reason"] == "empty");
    run(dir.path(), "unit-stats overlap a.csv").fails(1, &["one table", "--thresholds"]);
}

#[test]
fn thresholds_that_a_table_cannot_answer_are_refused() {
    let dir = two_tables();
    let path = dir.path();
    run(path, "unit-stats overlap a.csv b.csv --thresholds 3..9")
        .fails(1, &["a.csv: made with t > 7", "t > 3", "select-units --all"]);
    for criterion in ["student t > 3, q <= 0.05 (by)", "top 4", "welch t > 3, top 5%"] {
        units(path, "c.csv", criterion, &[("conv", FACES, 1, 8.0)]);
        run(path, "unit-stats overlap c.csv --thresholds 9").fails(1, &[criterion, "no threshold of t can undo"]);
    }
    // Without a criterion nothing is known, unless every unit is there.
    fs::write(path.join("bare.csv"), "array,unit,t\nconv,0,3\nconv,1,8\n").unwrap();
    run(path, "unit-stats overlap bare.csv --thresholds 9").fails(1, &["bare.csv: 2 units and no column criterion"]);
    let text = run(path, "unit-stats overlap bare.csv --thresholds 2,5 --n-units 2").text();
    assert_eq!(rows(&text).iter().map(|r| r["n_selected"].clone()).collect::<Vec<_>>(), ["2", "1"]);
    fs::write(path.join("no-t.csv"), "array,unit\nconv,0\n").unwrap();
    run(path, "unit-stats overlap no-t.csv --thresholds 9 --n-units 1").fails(1, &["no column t"]);
    fs::write(path.join("none.csv"), HEAD).unwrap();
    run(path, "unit-stats overlap a.csv none.csv --thresholds 9").fails(1, &["none.csv: 0 units"]);
    run(path, "unit-stats overlap a.csv --thresholds 9,5").fails(2, &["9 stands before 5"]);
}

#[test]
fn all_units_are_no_choice() {
    let dir = two_tables();
    units(dir.path(), "all.csv", "all units", &[("conv", FACES, 1, 8.0), ("conv", FACES, 2, f64::NAN)]);
    run(dir.path(), "unit-stats overlap all.csv b.csv").fails(1, &["all.csv: all 2 units", "--thresholds"]);
    // NaN is above no threshold.
    let text = run(dir.path(), "unit-stats overlap all.csv --thresholds=-100").text();
    assert_eq!(cells(&text, &["n_selected", "threshold"]), ["1", "-100"]);
}

#[test]
fn sets_without_a_partner_are_told_from_empty_ones() {
    let dir = two_tables();
    let path = dir.path();
    let places = "places > faces,bodies";
    let rows_of = |line: &str| {
        let outcome = run(path, line);
        let stderr = outcome.stderr.clone();
        let found: Vec<[String; 5]> = rows(&outcome.text())
            .iter()
            .map(|row| ["array", "preferred", "n_a", "n_b", "reason"].map(|c| row[c].clone()))
            .collect();
        (found, stderr)
    };
    units(
        path,
        "two.csv",
        "student t > 7",
        &[("conv", FACES, 1, 8.0), ("conv", places, 2, 9.0), ("fc", FACES, 0, 9.0)],
    );
    // b knows conv but not fc; nothing in it prefers places.
    let (found, stderr) = rows_of("unit-stats overlap two.csv b.csv");
    let expected = [
        ["conv", "faces", "1", "3", ""],
        ["conv", "places", "1", "0", "empty"],
        ["fc", "faces", "1", "", "no_partner"],
    ];
    assert_eq!(found, expected);
    assert!(stderr.contains("no unit prefers \"places\": counted as 0"), "{stderr}");
    assert!(stderr.contains("b.csv: no rows about array \"fc\" (it has: conv)"), "{stderr}");
    // The other way round the same rows come behind.
    let (turned, _) = rows_of("unit-stats overlap b.csv two.csv");
    assert_eq!(turned[0], ["conv", "faces", "3", "1", ""]);
    assert_eq!(turned[2], ["fc", "faces", "", "1", "no_partner"]);
    // A sidecar knows what was asked.
    fs::write(path.join("b.json"), r#"{"output": "b.csv", "contrast": "faces > objects"}"#).unwrap();
    assert_eq!(rows_of("unit-stats overlap two.csv b.csv").0[1], ["conv", "places", "1", "", "not_asked"]);
    fs::write(path.join("b.json"), r#"{"output": "b.csv", "contrast": ["faces > objects", "places > objects"]}"#)
        .unwrap();
    let (found, stderr) = rows_of("unit-stats overlap two.csv b.csv");
    assert_eq!(found[1], expected[1]);
    assert!(!stderr.contains("counted as 0"), "{stderr}");
    // A table with no unit at all is empty everywhere.
    fs::write(path.join("none.csv"), HEAD).unwrap();
    let (found, stderr) = rows_of("unit-stats overlap two.csv none.csv");
    assert!(found.iter().all(|row| row[3] == "0" && row[4] == "empty"), "{found:?}");
    assert!(stderr.contains("none.csv: 0 units"), "{stderr}");
    run(path, "unit-stats overlap none.csv none.csv").fails(1, &["both have 0 units"]);
}

#[test]
fn arrays_and_sides_are_matched_by_name_where_there_is_a_choice() {
    let dir = two_tables();
    let path = dir.path();
    // One array each: taken for the same, and said.
    units(path, "other.csv", "student t > 7", &[("second", FACES, 1, 8.0)]);
    let outcome = run(path, "unit-stats overlap a.csv other.csv");
    assert!(outcome.stderr.contains("\"conv\" of a.csv and \"second\" of other.csv"), "{}", outcome.stderr);
    assert_eq!(cells(&outcome.text(), &["array", "n_intersection"]), ["conv", "1"]);
    // Several: names must match.
    units(path, "many.csv", "student t > 7", &[("x", FACES, 1, 8.0), ("y", FACES, 1, 8.0)]);
    run(path, "unit-stats overlap a.csv many.csv")
        .fails(1, &["a.csv is about conv and many.csv about x, y", "--names"]);
    // Two contrasts with one preferred side.
    units(path, "twice.csv", "student t > 7", &[("conv", FACES, 1, 8.0), ("conv", "faces > rest", 1, 8.0)]);
    run(path, "unit-stats overlap a.csv twice.csv")
        .fails(1, &["twice.csv", FACES, "faces > rest", "both prefer \"faces\""]);
    // A table without contrasts has the side of the other, where that has one.
    fs::write(path.join("list.csv"), "array,unit\nconv,5\n").unwrap();
    let outcome = run(path, "unit-stats overlap a.csv list.csv");
    assert!(outcome.stderr.contains("list.csv has no column contrast"), "{}", outcome.stderr);
    assert_eq!(cells(&outcome.text(), &["preferred", "n_b", "n_intersection", "n_units"]), ["faces", "1", "1", "20"]);
    units(path, "sides.csv", "student t > 7", &[("conv", FACES, 1, 8.0), ("conv", "places > rest", 1, 8.0)]);
    run(path, "unit-stats overlap list.csv sides.csv")
        .fails(1, &["list.csv has no column contrast", "faces and places"]);
}

#[test]
fn without_the_number_of_units_chance_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    fs::write(path.join("a.csv"), "array,unit\nconv,1\nconv,3\n").unwrap();
    fs::write(path.join("b.csv"), "array,unit\nconv,3\n").unwrap();
    let outcome = run(path, "unit-stats overlap a.csv b.csv");
    assert!(outcome.stderr.contains("--n-units"), "{}", outcome.stderr);
    let columns = ["dice", "expected", "p", "n_units", "reason"];
    assert_eq!(cells(&outcome.text(), &columns), ["0.6666666666666666", "NaN", "NaN", "", "n_units_unknown"]);
    let text = run(path, "unit-stats overlap a.csv b.csv --n-units 8").text();
    assert_eq!(cells(&text, &["expected", "n_units", "reason"]), ["0.25", "8", ""]);
    assert!((number(&rows(&text)[0], "p") - 0.25).abs() < 1e-14);
    run(path, "unit-stats overlap a.csv b.csv --n-units 3").fails(1, &["unit 3 of array \"conv\"", "3"]);
    fs::write(path.join("c.csv"), "array,unit,n_units\nconv,3,9\n").unwrap();
    run(path, "unit-stats overlap c.csv b.csv --n-units 8")
        .fails(1, &["9 units by its column n_units", "--n-units says 8"]);
    fs::write(path.join("d.csv"), "array,unit,n_units\nconv,3,10\n").unwrap();
    run(path, "unit-stats overlap c.csv d.csv").fails(1, &["c.csv says", "9 units", "d.csv says 10"]);
}

#[test]
fn of_cross_validated_tables_one_fold_is_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    fs::write(path.join("a.csv"), "array,unit,n_units,fold\nconv,1,9,0\nconv,2,9,0\nconv,1,9,1\n").unwrap();
    run(path, "unit-stats overlap a.csv a.csv").fails(1, &["a.csv", "cross-validated", "0, 1", "--fold"]);
    let text = run(path, "unit-stats overlap a.csv a.csv --fold 1").text();
    assert_eq!(cells(&text, &["n_a", "n_intersection"]), ["1", "1"]);
    run(path, "unit-stats overlap a.csv a.csv --fold 2").fails(1, &["--fold 2", "0, 1"]);
}

/// 12 pictures of 3 categories and 10 units; units 0 to 2 like faces, 7 is constant, 8 holds a NaN.
fn pictures() -> (tempfile::TempDir, Array2<f64>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let categories = ["face", "house", "car"];
    let labels = ids(12);
    let table: String = (0..12).map(|i| format!("s{i},{}\n", categories[i % 3])).collect();
    fs::write(dir.path().join("t.csv"), format!("stimulus,category\n{table}")).unwrap();
    let mut acts = noise(12, 10, 5);
    for row in (0..12).step_by(3) {
        for unit in 0..3 {
            acts[[row, unit]] += 2.0;
        }
    }
    acts.column_mut(7).fill(0.5);
    acts[[4, 8]] = f64::NAN;
    save(&dir.path().join("acts.npy"), &acts, Some(&labels));
    let chosen: String = [2, 0, 1, 7, 8].iter().map(|u| format!("acts,faces > rest,{u},10\n")).collect();
    fs::write(dir.path().join("u.csv"), format!("array,contrast,unit,n_units\n{chosen}acts,cars > rest,4,10\n"))
        .unwrap();
    (dir, acts, labels)
}

const VALIDATE: &str = "unit-stats validate acts.npy --units u.csv --stimuli t.csv --by category";

#[test]
fn validation_counts_what_it_leaves_out() {
    let (dir, _, _) = pictures();
    let outcome = run(dir.path(), VALIDATE);
    assert!(outcome.stderr.contains("2 of 5 chosen units left out: 1 constant"), "{}", outcome.stderr);
    let found = rows(&outcome.text());
    let key = |row: &HashMap<String, String>| {
        ["contrast", "category", "n_selected", "n_constant", "n_nan", "n"].map(|c| row[c].clone())
    };
    assert_eq!(key(&found[0]), ["faces > rest", "face", "5", "1", "1", "4"]);
    assert_eq!(key(&found[5]), ["cars > rest", "car", "1", "0", "0", "4"]);
    assert!(number(&found[0], "mean") > 0.8 && number(&found[0], "proportion") == 1.0);
    assert!(found.iter().all(|row| row["reason"].is_empty() && row["threshold"] == "3"));
    // The means of all pictures' z are 0: the categories have 4 pictures each.
    let sum: f64 = found[..3].iter().map(|row| number(row, "mean")).sum();
    assert!(sum.abs() < 1e-14, "{sum}");
}

#[test]
fn the_order_of_rows_the_pipe_and_the_threads_change_no_byte() {
    let (dir, acts, labels) = pictures();
    let path = dir.path();
    let order = [5, 0, 11, 3, 2, 8, 1, 9, 4, 10, 7, 6];
    let moved: Vec<String> = order.iter().map(|&i| labels[i].clone()).collect();
    let bytes = save(&path.join("moved.npy"), &acts.select(Axis(0), &order), Some(&moved));
    let probe = "unit-stats probe acts.npy --stimuli t.csv --by category --table";
    for line in [
        VALIDATE.to_owned(),
        format!("{VALIDATE} --over images"),
        format!("{probe} pictures --k 3"),
        format!("{probe} enrichment --k 3 --units u.csv"),
        format!("{probe} levels --quantiles 3"),
        format!("{probe} auc --format jsonl"),
    ] {
        let whole = run(path, &line).ok();
        assert!(!whole.is_empty());
        assert_eq!(run(path, &format!("{line} --threads 1")).ok(), whole, "{line}");
        assert_eq!(run(path, &format!("{line} --threads 3")).ok(), whole, "{line}");
        let from_moved = line.replace("acts.npy", "moved.npy --names acts");
        assert_eq!(run(path, &from_moved).ok(), whole, "{line}");
        // The responses of chosen units are held, so a pipe may bring its rows in any order.
        assert_eq!(pipe(path, &line.replace("acts.npy", "- --names acts"), &bytes).ok(), whole, "{line}");
    }
}

#[test]
fn empty_sets_keep_their_rows() {
    let (dir, acts, labels) = pictures();
    let path = dir.path();
    // conv has no unit for cars, fc none at all.
    save(&path.join("fc.npy"), &acts, Some(&labels));
    save(&path.join("conv.npy"), &acts, Some(&labels));
    fs::write(
        path.join("two.csv"),
        "array,contrast,unit\nacts,faces > rest,1\nacts,cars > rest,4\nconv,faces > rest,2\n",
    )
    .unwrap();
    let line = "unit-stats validate acts.npy conv.npy fc.npy --units two.csv --stimuli t.csv --by category";
    let outcome = run(path, line);
    assert!(outcome.stderr.contains("two.csv: is about acts, conv; no units of fc"), "{}", outcome.stderr);
    let found = rows(&outcome.text());
    assert_eq!(found.len(), 3 * 2 * 3);
    let of = |array: &str, contrast: &str| {
        let row = found.iter().find(|r| r["array"] == array && r["contrast"] == contrast).unwrap();
        [row["n_selected"].clone(), row["mean"].replace(|c: char| c.is_ascii_digit(), ""), row["reason"].clone()]
    };
    assert_eq!(of("conv", "cars > rest"), ["0", "NaN", "empty"]);
    assert_eq!(of("fc", "faces > rest"), ["0", "NaN", "not_in_table"]);
    assert_eq!(of("acts", "cars > rest")[2], "");
    // Nothing selected anywhere is no error: an untrained network is a result.
    fs::write(path.join("none.csv"), "array,contrast,unit\n").unwrap();
    let text = run(path, "unit-stats validate acts.npy --units none.csv --stimuli t.csv --by category").text();
    let found = rows(&text);
    assert!(found.len() == 3 && found.iter().all(|r| r["reason"] == "empty" && r["n_selected"] == "0"), "{text}");
    let text = run(path, "unit-stats probe acts.npy --units none.csv --stimuli t.csv --by category --table auc").text();
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn arrays_are_matched_with_the_table_or_refused() {
    let (dir, acts, labels) = pictures();
    let path = dir.path();
    save(&path.join("b.npy"), &acts, Some(&labels));
    let outcome = run(path, &VALIDATE.replace("acts.npy", "b.npy"));
    assert!(outcome.stderr.contains("array \"acts\" are taken from array \"b\""), "{}", outcome.stderr);
    assert_eq!(rows(&outcome.text())[0]["array"], "b");
    // Two arrays: the table's must be among them, and a lone match is taken back.
    run(path, &VALIDATE.replace("acts.npy", "b.npy b.npy --names x,y"))
        .fails(1, &["is about acts", "arrays are x, y", "--names"]);
    let stream = sh(path, "cat b.npy acts.npy | unit-stats validate --units u.csv --stimuli t.csv --by category");
    stream.fails(1, &["is about acts", "2 arrays are 0, 1"]);
    let both = VALIDATE.replace("acts.npy", "b.npy acts.npy");
    assert_eq!(rows(&run(path, &both).text()).iter().filter(|row| row["reason"] == "not_in_table").count(), 6);
    // Units of another layer.
    fs::write(path.join("wide.csv"), "array,unit,n_units\nacts,3,11\n").unwrap();
    run(path, &VALIDATE.replace("u.csv", "wide.csv")).fails(1, &["acts.npy: 10 units", "made from 11 units"]);
    fs::write(path.join("far.csv"), "array,unit\nacts,10\n").unwrap();
    run(path, &VALIDATE.replace("u.csv", "far.csv"))
        .fails(1, &["unit 10 is chosen, but array \"acts\" has 10 (0 to 9)"]);
}

#[test]
fn pictures_are_joined_by_id() {
    let (dir, acts, labels) = pictures();
    let path = dir.path();
    let mut foreign = labels.clone();
    foreign[3] = "other".into();
    save(&path.join("foreign.npy"), &acts, Some(&foreign));
    run(path, &VALIDATE.replace("acts.npy", "foreign.npy --names acts")).fails(1, &["\"other\"", "--inner"]);
    let inner = run(path, &VALIDATE.replace("acts.npy", "foreign.npy --names acts --inner"));
    assert!(inner.stderr.contains("left out"), "{}", inner.stderr);
    assert_eq!(rows(&inner.text())[0]["n"], "3");
    save(&path.join("bare.npy"), &acts, None);
    let bare = VALIDATE.replace("acts.npy", "bare.npy --names acts");
    run(path, &bare).fails(1, &["bare.npy", "npy label"]);
    assert_eq!(run(path, &format!("{bare} --assume-order")).ok(), run(path, VALIDATE).ok());
    // A picture shown twice is two rows.
    let twice: Vec<usize> = (0..12).chain([0]).collect();
    let shown: Vec<String> = twice.iter().map(|&i| labels[i].clone()).collect();
    save(&path.join("twice.npy"), &acts.select(Axis(0), &twice), Some(&shown));
    assert_eq!(rows(&run(path, &VALIDATE.replace("acts.npy", "twice.npy --names acts")).text())[0]["n"], "5");
}

#[test]
fn categories_that_cannot_be_compared_are_refused() {
    let (dir, _, _) = pictures();
    let path = dir.path();
    let table = |name: &str, category: &dyn Fn(usize) -> &'static str| {
        let rows: String = (0..12).map(|i| format!("s{i},{}\n", category(i))).collect();
        fs::write(path.join(name), format!("stimulus,category\n{rows}")).unwrap();
    };
    table("one.csv", &|_| "face");
    run(path, &VALIDATE.replace("t.csv", "one.csv")).fails(1, &["1 categories (face)", "at least 2"]);
    table("na.csv", &|i| if i < 6 { "face" } else { "NA" });
    run(path, &VALIDATE.replace("t.csv", "na.csv")).fails(1, &["\"NA\"", "looks like a missing value"]);
    table("some.csv", &|i| ["face", "house", "", "n/a"][i % 4]);
    let found = rows(&run(path, &VALIDATE.replace("t.csv", "some.csv")).text());
    assert_eq!(found.iter().map(|row| row["n"].as_str()).collect::<Vec<_>>(), ["3"; 4]);
    table("single.csv", &|i| if i == 0 { "face" } else { "house" });
    let found = rows(&run(path, &VALIDATE.replace("t.csv", "single.csv")).text());
    assert_eq!((found[0]["mean_t"].as_str(), found[0]["reason"].as_str()), ("NaN", "too_few_stimuli"));
    assert!(!number(&found[0], "mean").is_nan());
    table("none.csv", &|_| "");
    run(path, &VALIDATE.replace("t.csv", "none.csv")).fails(1, &["0 categories"]);
    run(path, &VALIDATE.replace("category", "kind")).fails(1, &["t.csv", "kind", "category"]);
}

#[test]
fn memory_is_counted_before_rows_are_read() {
    let (dir, _, _) = pictures();
    let path = dir.path();
    // 6 chosen units x 12 rows x 8 bytes.
    run(path, &format!("{VALIDATE} --mem 575")).fails(1, &["acts.npy: 6 units x 12 rows", "--mem allows"]);
    run(path, &format!("{VALIDATE} --mem 576")).ok();
    // A pipe that promises 8 TB.
    let head = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.as_bytes());
    let probe = "unit-stats probe - --stimuli t.csv --by category --table auc";
    pipe(path, probe, &bytes).fails(1, &["1000000 units x 1000000 rows", "--mem allows 4096.0 MB"]);
    run(path, &format!("{VALIDATE} --mem lots")).fails(2, &["500M"]);
}

#[test]
fn options_of_another_table_are_refused() {
    let (dir, _, _) = pictures();
    let line = |rest: &str| {
        run(dir.path(), &format!("unit-stats probe acts.npy --stimuli t.csv --by category --table {rest}"))
    };
    line("auc --k 3").fails(1, &["--k is for"]);
    line("pictures --edges=1,2").fails(1, &["--table levels"]);
    line("pictures --k 0").fails(1, &["--k 0"]);
    line("pictures --k 13").fails(1, &["--k 13", "12 pictures"]);
    line("levels --edges=2,1").fails(1, &["each above the one before"]);
    line("levels --quantiles 1").fails(1, &["--quantiles 1"]);
    line("levels --quantiles 2 --edges=1").fails(2, &["cannot be used with"]);
    line("auc --fold 1").fails(1, &["--fold", "--units"]);
    line("nothing").fails(2, &["pictures"]);
}

#[test]
fn ties_at_the_edge_are_not_decided_by_the_order_of_the_table() {
    let (dir, _, labels) = pictures();
    // A rectified unit: faces 3 2 1 0, everything else 0.
    let mut acts = Array2::zeros((12, 1));
    (acts[[0, 0]], acts[[3, 0]], acts[[6, 0]]) = (3.0, 2.0, 1.0);
    save(&dir.path().join("relu.npy"), &acts, Some(&labels));
    let text =
        run(dir.path(), "unit-stats probe relu.npy --stimuli t.csv --by category --table enrichment --k 3").text();
    let found = rows(&text);
    assert_eq!((found[0]["n_hits"].as_str(), found[0]["enrichment"].as_str()), ("3", "3"));
    // C(4,3) / C(12,3) = 4 / 220
    assert!((number(&found[0], "p") - 4.0 / 220.0).abs() < 1e-15);
    assert!(
        found[3..].iter().all(|row| row["end"] == "bottom" && row["reason"] == "ties_at_edge" && row["p"] == "NaN")
    );
    let text = run(dir.path(), "unit-stats probe relu.npy --stimuli t.csv --by category --table pictures --k 3").text();
    let bottom: Vec<[String; 3]> =
        rows(&text)[3..].iter().map(|row| ["stimulus", "rank", "n_tied"].map(|c| row[c].clone())).collect();
    assert_eq!(bottom, [["s1", "1", "6"], ["s2", "2", "6"], ["s4", "3", "6"]]);
}

#[test]
fn streams_that_break_write_nothing() {
    let (dir, acts, labels) = pictures();
    let path = dir.path();
    let bytes = bytes_of(&acts, Some(&labels));
    let piped = VALIDATE.replace("acts.npy", "- --names acts");
    pipe(path, &piped, &bytes[..bytes.len() / 2]).fails(1, &["stdin", "ended after"]);
    pipe(path, &piped, b"").fails(1, &["stdin"]);
    pipe(path, &piped, b"stimulus,category\n").fails(1, &["stdin", "not a .npy"]);
    // The second array is broken: the first one's rows must not stand there.
    let mut two = bytes.clone();
    two.extend(&bytes[..100]);
    let probe = "unit-stats probe - --stimuli t.csv --by category --table auc";
    pipe(path, probe, &two).fails(1, &["stdin"]);
    run(path, "unit-stats overlap acts.npy u.csv").fails(1, &["acts.npy", ".npy array where a CSV"]);
    run(path, "unit-stats overlap - -").fails(1, &["stdin"]);
}

#[test]
fn a_closed_pipe_is_fine_and_a_full_disk_is_not() {
    let (dir, _, _) = pictures();
    let probe = "unit-stats probe acts.npy --stimuli t.csv --by category --table levels";
    for line in [VALIDATE, probe, "unit-stats overlap u.csv u.csv"] {
        assert_eq!(sh(dir.path(), &format!("{line} --quiet | true")).code, 0, "{line}");
        let full = sh(dir.path(), &format!("{line} > /dev/full"));
        assert_eq!(full.code, 1, "{line}: {}", full.stderr);
        assert!(full.stderr.contains("No space left"), "{}", full.stderr);
    }
}

#[test]
fn output_appears_whole_with_its_sidecar() {
    let (dir, _, _) = pictures();
    let path = dir.path();
    let whole = run(path, VALIDATE).ok();
    run(path, &format!("{VALIDATE} -o v.csv")).ok();
    assert_eq!(fs::read(path.join("v.csv")).unwrap(), whole);
    let side: serde_json::Value = serde_json::from_slice(&fs::read(path.join("v.json")).unwrap()).unwrap();
    assert_eq!((&side["tool"], side["inputs"].as_array().unwrap().len()), (&"unit-stats".into(), 3));
    run(path, &format!("{VALIDATE} --stimuli missing.csv -o w.csv")).fails(2, &["--stimuli"]);
    run(path, &VALIDATE.replace("t.csv", "missing.csv -o w.csv")).fails(1, &["missing.csv"]);
    assert!(!path.join("w.csv").exists());
}

#[test]
fn the_examples_of_the_help_run() {
    let (dir, acts, labels) = pictures();
    let path = dir.path();
    for name in ["other.npy", "floc.npy", "conv.npy"] {
        save(&path.join(name), &acts, Some(&labels));
    }
    let table = fs::read_to_string(path.join("t.csv")).unwrap();
    fs::write(path.join("other.csv"), &table).unwrap();
    fs::write(path.join("floc.csv"), table.replace("category", "domain")).unwrap();
    for (name, criterion) in [
        ("floc_units.csv", "student t > 7"),
        ("other_units.csv", "student t > 7"),
        ("floc_all.csv", "all units"),
        ("other_all.csv", "all units"),
    ] {
        let chosen: String =
            (0..4).map(|u| format!("floc,faces > rest,{u},10,{},.5,.2,{criterion}\n", u as f64 + 7.5)).collect();
        fs::write(path.join(name), format!("{HEAD}{chosen}")).unwrap();
    }
    for help in
        ["unit-stats --help", "unit-stats overlap --help", "unit-stats validate --help", "unit-stats probe --help"]
    {
        let text = run(path, help).text();
        assert!(text.lines().all(|line| line.len() <= 100), "a line of `{help}` is wrapped");
        let examples = text.split("Examples:\n").nth(1).unwrap().replace("\\\n", "");
        assert_eq!(examples.lines().count(), 3, "{examples}");
        for line in examples.lines() {
            let outcome = sh(path, line);
            assert_eq!(outcome.code, 0, "{line}: {}", outcome.stderr);
        }
    }
}
