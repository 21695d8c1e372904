//! `unit-stats overlap` as its users meet it: the units that two localizers chose.

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
    let all: Vec<(&str, &str, usize, f64)> =
        (0..20).map(|unit| ("conv", FACES, unit, if unit == 2 { f64::NAN } else { unit as f64 })).collect();
    units(dir.path(), "all.csv", "all units", &all);
    run(dir.path(), "unit-stats overlap all.csv b.csv").fails(1, &["all.csv: all 20 units", "--thresholds"]);
    // NaN is above no threshold.
    let text = run(dir.path(), "unit-stats overlap all.csv --thresholds=-100").text();
    assert_eq!(cells(&text, &["n_selected", "threshold"]), ["19", "-100"]);
    // Rows left out by hand are a choice, and nothing that another threshold can be asked of.
    units(dir.path(), "cut.csv", "all units", &all[3..8]);
    run(dir.path(), "unit-stats overlap cut.csv --thresholds 3").fails(1, &["5 of the 20 units", "rows were left out"]);
    run(dir.path(), "unit-stats overlap b.csv cut.csv --thresholds 8").fails(1, &["cut.csv: 5 of the 20 units"]);
    let text = run(dir.path(), "unit-stats overlap cut.csv b.csv").text();
    assert_eq!(cells(&text, &["n_a", "n_b", "n_intersection"]), ["5", "3", "3"]);
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
    // An untrained network is a result, not a failure.
    let (found, stderr) = rows_of("unit-stats overlap none.csv none.csv");
    assert_eq!(found, [["", "", "0", "0", "empty"]]);
    assert!(stderr.contains("0 units in both"), "{stderr}");
    fs::write(path.join("none.json"), r#"{"output": "none.csv", "contrasts": ["faces > rest", "places > rest"]}"#)
        .unwrap();
    let (found, _) = rows_of("unit-stats overlap none.csv none.csv");
    assert_eq!(found, [["", "faces", "0", "0", "empty"], ["", "places", "0", "0", "empty"]]);
    // Both looked for places in fc as well.
    fs::write(
        path.join("two.json"),
        r#"{"output": "two.csv", "contrasts": ["faces > rest", "places > faces,bodies"]}"#,
    )
    .unwrap();
    let (found, _) = rows_of("unit-stats overlap two.csv two.csv");
    assert_eq!(found[3], ["fc", "places", "0", "0", "empty"]);
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

#[test]
fn the_tables_of_select_units_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let table: String = (0..24).map(|i| format!("s{i},{}\n", ["faces", "places", "cars"][i % 3])).collect();
    fs::write(path.join("t.csv"), format!("stimulus,domain\n{table}")).unwrap();
    let mut acts = noise(24, 8, 3);
    for row in (0..24).step_by(3) {
        acts[[row, 1]] += 2.0;
        acts[[row, 6]] += 3.0;
        acts[[row + 1, 4]] += 2.0;
    }
    save(&path.join("acts.npy"), &acts, Some(&ids(24)));
    let select = "select-units -q --stimuli t.csv --by domain";
    // Every category against the rest; and faces against places alone.
    sh(path, &format!("{select} --t 3 acts.npy -o a.csv")).ok();
    sh(path, &format!("{select} --t 3 --contrast 'faces > places' acts.npy -o b.csv")).ok();
    let found = rows(&run(path, "unit-stats overlap a.csv b.csv").text());
    let of = |preferred: &str| {
        let row = found.iter().find(|row| row["preferred"] == preferred).unwrap();
        ["n_a", "n_b", "n_intersection", "n_units", "reason"].map(|c| row[c].clone())
    };
    assert_eq!(of("faces"), ["2", "2", "2", "8", ""]);
    // The sidecar of b says that it was asked for faces only.
    assert_eq!(of("places"), ["1", "", "", "8", "not_asked"]);
    // The criterion that the curve reads is the one that select-units writes.
    run(path, "unit-stats overlap b.csv --thresholds 2").fails(1, &["made with t > 3", "t > 2"]);
    let each = format!("{select} --t 3 --versus each --contrast 'faces > rest' acts.npy");
    let curve = sh(path, &format!("{each} | unit-stats overlap - --thresholds 3,100")).text();
    let counts: Vec<String> = rows(&curve).iter().map(|row| row["n_selected"].clone()).collect();
    assert_eq!(counts, ["2", "0"]);
    sh(path, &format!("{select} --t 1 --correct bh acts.npy -o q.csv")).ok();
    run(path, "unit-stats overlap q.csv --thresholds 9").fails(1, &["q <= 0.05", "no threshold of t can undo"]);
    let all =
        sh(path, &format!("{select} --all --contrast 'faces > rest' acts.npy | unit-stats overlap - --thresholds=-9"));
    assert_eq!(cells(&all.text(), &["n_selected", "proportion"]), ["8", "1"]);
    // Two halves: each has units of its own.
    sh(path, &format!("{select} --t 2 --cv odd-even --contrast 'faces > rest' acts.npy -o cv.csv")).ok();
    run(path, "unit-stats overlap cv.csv cv.csv").fails(1, &["cross-validated", "--fold"]);
    let folds: Vec<String> =
        rows(&fs::read_to_string(path.join("cv.csv")).unwrap()).iter().map(|r| r["fold"].clone()).collect();
    let text = run(path, &format!("unit-stats overlap cv.csv cv.csv --fold {}", folds[0])).text();
    assert_eq!(cells(&text, &["dice", "reason"]), ["1", ""]);
}
