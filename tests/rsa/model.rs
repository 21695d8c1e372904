//! `rsa model`: what a table says of stimuli, as RDMs; held against rsatoolbox and SciPy.

use crate::{near, numbers};
use npy_stream::Array;
use serde_json::Value;
use std::fs;
use std::path::Path;
use support::*;
use tempfile::{TempDir, tempdir};

/// A folder with the golden table, and what the peers make of it.
fn golden() -> (TempDir, Value) {
    let from = root().join("testdata/golden/model");
    let dir = tempdir().unwrap();
    fs::copy(from.join("pictures.csv"), dir.path().join("pictures.csv")).unwrap();
    let values = serde_json::from_str(&fs::read_to_string(from.join("values.json")).unwrap()).unwrap();
    (dir, values)
}

fn names_and_values(bytes: &[u8]) -> Vec<(String, Vec<f64>)> {
    let one = |array: Array| (array.labels.name.clone().unwrap(), array.values.into_f64());
    arrays(bytes).into_iter().map(one).collect()
}

fn table(dir: &Path, text: &str) {
    fs::write(dir.join("t.csv"), text).unwrap();
}

#[test]
fn models_are_those_of_rsatoolbox_and_scipy() {
    let (dir, expected) = golden();
    for (key, options, tolerance) in [
        ("category", "--by category", 0.0),
        ("pose", "--by pose", 0.0),
        ("code", "--by code --as category", 0.0),
        ("both", "--by category,pose", 0.0),
        ("both", "--by code,pose --as category", 0.0),
        ("hole", "--by hole", 0.0),
        // Sums of at most two rounded differences, and ties that stay ties: a few units in the last place.
        ("rating", "--by rating", 1e-14),
        ("gap", "--by gap", 1e-14),
        ("rating_sqeuclidean", "--by rating --metric sqeuclidean", 1e-14),
        ("rating", "--by rating --metric cityblock", 1e-14),
        ("plane", "--by x,y", 1e-14),
        ("plane_cityblock", "--by x,y --metric cityblock", 1e-14),
        ("plane_sqeuclidean", "--by x,y --metric sqeuclidean", 1e-14),
        ("plane_zscore", "--by x,y --zscore", 1e-14),
    ] {
        let made = arrays(&run(dir.path(), &format!("rsa model --stimuli pictures.csv {options}")).ok()).remove(0);
        assert_eq!(made.shape, [66]);
        assert_eq!(made.labels.ids.unwrap()[..3], ["p9", "p2", "p1"], "{key}");
        near(options, &made.values.into_f64(), &numbers(&expected[key]), tolerance);
    }
}

#[test]
fn several_are_a_stream_with_names_that_compare_shows() {
    let (dir, expected) = golden();
    let path = dir.path();
    let line = "rsa model --stimuli pictures.csv --by category --by rating --by x,y -q";
    let made = names_and_values(&run(path, line).ok());
    let names: Vec<&str> = made.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["category", "rating", "x+y"]);
    near("rating", &made[1].1, &numbers(&expected["rating"]), 1e-14);
    let named = names_and_values(&run(path, &format!("{line} --names a,b,c")).ok());
    assert_eq!(named[2], ("c".to_string(), made[2].1.clone()));

    sh(path, &format!("{line} > models.npy; rsa model --stimuli pictures.csv --by rating -q > rating.npy")).ok();
    for (ours, theirs) in [
        ("pearson", "corr"),
        ("spearman", "spearman"),
        ("kendall", "kendall"),
        ("tau-a", "tau-a"),
        ("rho-a", "rho-a"),
        ("cosine", "cosine"),
    ] {
        let scores = rows(&run(path, &format!("rsa compare models.npy --brain rating.npy --compare {ours}")).text());
        assert_eq!(scores[0]["model"], "category");
        let column = ["r", "rho", "tau", "cosine"].iter().find(|c| scores[0].contains_key(**c)).unwrap();
        let found: f64 = scores[0][*column].parse().unwrap();
        assert!((found - expected["compare"][theirs].as_f64().unwrap()).abs() < 1e-12, "{ours}: {found}");
        // A model is itself.
        let own: f64 = scores[2][*column].parse().unwrap();
        assert!(["tau-a", "rho-a"].contains(&ours) || own == 1.0, "{ours}: {own}");
    }
    // Any order of rows: joined by id.
    let text = fs::read_to_string(path.join("pictures.csv")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    fs::write(path.join("turned.csv"), lines.join("\n")).unwrap();
    let turned = sh(path, "rsa model --stimuli turned.csv --by rating | rsa compare - --brain rating.npy");
    assert_eq!(rows(&turned.text())[0]["r"], "1");
}

#[test]
fn squares_and_f4_are_the_same_model() {
    let (dir, expected) = golden();
    let made = |options: &str| {
        arrays(&run(dir.path(), &format!("rsa model --stimuli pictures.csv --by x,y {options}")).ok()).remove(0)
    };
    let square = made("--square");
    assert_eq!((square.shape.clone(), square.labels.name.as_deref()), (vec![12, 12], Some("x+y")));
    let values = square.values.into_f64();
    let plane = numbers(&expected["plane"]);
    near("square", &[values[1], values[12], values[0]], &[plane[0], plane[0], 0.0], 1e-14);
    near("f4", &made("--dtype f4").values.into_f64(), &plane, 1e-7);
}

#[test]
fn what_a_column_holds_is_said_and_can_be_said() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    table(path, "stimulus,code,name,mixed,comma\na,1,u,1,\"1,5\"\nb,2,v,x,\"2,5\"\nc,4,v,2,\"3\"\n");
    let by = |options: &str| run(path, &format!("rsa model --stimuli t.csv {options}"));
    let numeric = by("--by code");
    assert!(
        numeric.stderr.contains("column \"code\": numbers: |a - b| (--as category takes it otherwise)"),
        "{numeric:?}"
    );
    assert_eq!(names_and_values(&numeric.ok())[0].1, [1.0, 3.0, 2.0]);
    let named = by("--by name");
    assert!(named.stderr.contains("column \"name\": categories: 0 for the same"), "{named:?}");
    assert_eq!(names_and_values(&named.ok())[0].1, [1.0, 1.0, 0.0]);
    // What was said need not be told.
    let told = by("--by code --as category");
    assert!(!told.stderr.contains("takes it otherwise"), "{told:?}");
    // One for each, in their order.
    let both = names_and_values(&by("--by code --by code --as category,rating --names c,r").ok());
    assert_eq!((&both[0].1[..], &both[1].1[..]), (&[1.0; 3][..], &[1.0, 3.0, 2.0][..]));
    assert_eq!(names_and_values(&by("--by mixed --as category").ok())[0].1, [1.0; 3]);

    by("--by mixed")
        .fails(1, &["t.csv: column \"mixed\" holds numbers (row 0: \"1\") and names (row 1: \"x\")", "--as category"]);
    by("--by name --as rating").fails(1, &["t.csv", "row 0 (line 2) of column \"name\" is \"u\"; expected a number"]);
    // A number that cannot be read is no name.
    by("--by comma").fails(1, &["row 0 (line 2) of column \"comma\" is \"1,5\"", "decimal point"]);
    by("--by code,name").fails(1, &["\"code\" holds numbers and column \"name\" names", "--as category"]);
    by("--by code --by name --as rating,category,rating").fails(1, &["--as: 3 kinds for 2 --by"]);
    by("--by code --names a,b").fails(1, &["--names: 2 names for 1 --by"]);
    by("--by code --by code --as rating,category").fails(1, &["two models are called \"code\"", "--names"]);
    by("--by name --zscore").fails(1, &["--zscore is for numbers"]);
    by("--by name --metric cityblock").fails(1, &["--metric is for numbers"]);
    by("--by nothing").fails(1, &["t.csv", "no column \"nothing\"", "code, name, mixed, comma"]);
    by("").fails(2, &["--by"]);
}

#[test]
fn a_column_may_have_a_comma_in_its_name() {
    let dir = tempdir().unwrap();
    table(dir.path(), "stimulus,\"x,y\",x,y\na,1,5,5\nb,2,9,5\n");
    let made = names_and_values(&run(dir.path(), "rsa model --stimuli t.csv --by x,y").ok());
    assert_eq!(made, [("x,y".to_string(), vec![1.0])]);
}

#[test]
fn missing_cells_are_nan_pairs_and_counted() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    table(path, "stimulus,c,r,s\na,u,1,1\nb,n/a,2,2\nc,v,,3\nd,u,inf,4\ne,,NaN,5\nf,u,3,\n");
    let by = |columns: &str| run(path, &format!("rsa model --stimuli t.csv --by {columns} -q"));
    let category = by("c");
    assert!(category.stderr.contains("column \"c\": 2 of 6 stimuli have nothing there; 9 of 15 pairs are NaN"));
    let values = names_and_values(&category.ok()).remove(0).1;
    assert!(values[0].is_nan() && values[1] == 1.0 && values[2] == 0.0 && values[14].is_nan());
    let rating = by("r");
    assert!(rating.stderr.contains("3 of 6 stimuli have nothing there; 12 of 15 pairs are NaN"), "{}", rating.stderr);
    let values = names_and_values(&rating.ok()).remove(0).1;
    assert_eq!(values.iter().copied().filter(|v| v.is_finite()).collect::<Vec<f64>>(), [1.0, 2.0, 1.0]);
    assert!(by("r,s").stderr.contains("columns \"r\", \"s\": 4 of 6 stimuli have nothing there; 14 of 15 pairs"));
    table(path, "stimulus,none,one\na,,1\nb,n/a,\nc,NA,nan\n");
    by("none").fails(1, &["t.csv: all 3 cells of column \"none\" are missing"]);
    by("one").fails(1, &["column \"one\": 1 of 3 stimuli have a value; a pair needs 2"]);
}

#[test]
fn constant_models_are_said_and_columns_without_spread_have_no_z_scores() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    table(path, "stimulus,same,each,flat,x\na,u,u,2.5,1\nb,u,v,2.5,2\nc,u,w,2.5,4\n");
    for (by, distance) in [("same", 0.0), ("each", 1.0), ("flat", 0.0)] {
        let made = run(path, &format!("rsa model --stimuli t.csv --by {by} -q"));
        let said = format!("model {by:?}: all 3 distances are {distance} (constant); it has no score");
        assert!(made.stderr.contains(&said), "{made:?}");
        assert_eq!(names_and_values(&made.ok())[0].1, [distance; 3]);
    }
    run(path, "rsa model --stimuli t.csv --by flat,x --zscore")
        .fails(1, &["column \"flat\" is constant", "no z-scores"]);
}

#[test]
fn wide_and_narrow_columns_keep_their_numbers() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    table(path, "stimulus,wide,narrow,far\na,1e300,0.001,1e308\nb,-1e300,0.002,-1e308\nc,1e-300,0.004,0\n");
    let one = |options: &str| run(path, &format!("rsa model --stimuli t.csv {options}"));
    assert_eq!(names_and_values(&one("--by wide").ok())[0].1, [2e300, 1e300, 1e300]);
    let both = one("--by wide,narrow");
    assert!(
        both.stderr.contains(
            "\"wide\" varies 7e302 times as much as \"narrow\", and the distances are almost those of \"wide\" alone"
        ),
        "{both:?}"
    );
    near("wide", &names_and_values(&both.ok())[0].1, &[2e300, 1e300, 1e300], 1e-14);
    assert!(!one("--by wide,narrow --zscore").stderr.contains("alone"));
    one("--by far").fails(1, &["column \"far\": numbers up to 1e308", "f8 may not hold", "--zscore"]);
    one("--by wide --metric sqeuclidean").fails(1, &["t.csv: column \"wide\""]);
    one("--by wide --dtype f4").fails(1, &["f4"]);
}

#[test]
fn equal_differences_are_equal() {
    let dir = tempdir().unwrap();
    // 1.3 - 1.2, 1.4 - 1.3 and 0.3 - 0.2 differ in their last bits.
    let cells: String = (0..20).map(|i| format!("s{i},{}\n", f64::from(i) / 10.0)).collect();
    table(dir.path(), &format!("stimulus,rating\n{cells}"));
    let mut values = names_and_values(&run(dir.path(), "rsa model --stimuli t.csv --by rating").ok()).remove(0).1;
    values.sort_by(f64::total_cmp);
    values.dedup();
    assert_eq!(values.len(), 19, "{values:?}");
}

#[test]
fn rows_of_one_stimulus_say_the_same() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    table(path, "stimulus,c,r,run\na,u,1,1\nb,v,,1\na,u,1,2\nb,v,,2\nc,u,3,1\n");
    let by = |columns: &str| run(path, &format!("rsa model --stimuli t.csv --by {columns}"));
    let made = by("c");
    assert!(made.stderr.contains("t.csv: 5 rows are 3 stimuli"), "{made:?}");
    let array = arrays(&made.ok()).remove(0);
    assert_eq!(array.labels.ids.unwrap(), ["a", "b", "c"]);
    assert_eq!(array.values.into_f64(), [1.0, 0.0, 1.0]);
    let missing = names_and_values(&by("r").ok()).remove(0).1;
    assert!(missing[0].is_nan() && missing[1] == 2.0 && missing[2].is_nan());
    by("run").fails(1, &["column \"run\" is 1.0 in row 0 and 2.0 in row 2, of the same stimulus"]);
    by("run --as category").fails(1, &["column \"run\" is \"1\" in row 0 and \"2\" in row 2"]);
}

#[test]
fn tables_that_are_none_are_named() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    for (text, part) in [
        ("", "0 bytes"),
        ("stimulus,c\n", "0 stimuli"),
        ("stimulus,c\na,u\n", "1 stimulus; an RDM needs at least 2"),
        ("name,c\na,u\n", "no column stimulus, stimulus_id or path"),
        ("stimulus,c\na,u\n,v\n", "row 1 has no id"),
        ("stimulus,c\na,u\nb\n", "fields"),
    ] {
        table(path, text);
        run(path, "rsa model --stimuli t.csv --by c").fails(1, &["t.csv", part]);
    }
    save(&path.join("t.csv"), &noise(3, 2, 1), None);
    run(path, "rsa model --stimuli t.csv --by c").fails(1, &["t.csv", ".npy array"]);
    run(path, "rsa model --stimuli nowhere.csv --by c").fails(1, &["nowhere.csv"]);
}

#[test]
fn help_examples_run() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let cells = |i: usize| format!("s{i},{},{},{},{},{}\n", ["u", "v"][i % 2], i * i, i % 3, i % 5, i % 4);
    let text: String = (0..10).map(cells).collect();
    fs::write(path.join("pictures.csv"), format!("stimulus,category,size,x,y,run\n{text}")).unwrap();
    save(&path.join("acts.npy"), &noise(10, 6, 1), Some(&ids(10)));
    sh(path, "rsa rdm acts.npy > ffa.npy").ok();
    let help = run(path, "rsa model --help").text();
    let lines: Vec<&str> = help.split("Examples:").nth(1).unwrap().lines().map(str::trim).collect();
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 3);
    for line in lines {
        sh(path, line).ok();
    }
    let record: Value = serde_json::from_str(&fs::read_to_string(path.join("models.json")).unwrap()).unwrap();
    let models = record["models"].as_array().unwrap();
    assert_eq!(models[0], serde_json::json!({"name": "category", "by": ["category"], "as": "category"}));
    assert_eq!(models[2]["metric"], "euclidean");
}
