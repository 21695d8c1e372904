//! `unit-stats compare`: a measured map of t and a predicted one.

use std::fs;
use std::path::Path;
use support::*;

fn map(dir: &Path, name: &str, contrast: &str, t: &[f64]) {
    let n = t.len();
    let row = |(unit, t): (usize, &f64)| format!("ffa,\"{contrast}\",{unit},{n},{t},all units\n");
    let rows: String = t.iter().enumerate().map(row).collect();
    fs::write(dir.join(name), format!("array,contrast,unit,n_units,t,criterion\n{rows}")).unwrap();
}

const MEASURED: [f64; 6] = [2.0, 4.0, 5.0, 0.0, 3.5, -1.0];
const PREDICTED: [f64; 6] = [7.0, 9.0, 1.0, 0.0, 8.0, 2.0];

fn two_maps() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    map(dir.path(), "measured.csv", "faces > bodies,places", &MEASURED);
    map(dir.path(), "predicted.csv", "faces > rest", &PREDICTED);
    dir
}

#[test]
fn two_maps_by_hand_and_the_caveat() {
    let dir = two_maps();
    let out = run(dir.path(), "unit-stats compare measured.csv predicted.csv -o c.csv");
    assert!(out.stderr.contains("sizes of t are not compared"), "{}", out.stderr);
    assert!(out.stderr.contains("times as spread as those of measured.csv"), "{}", out.stderr);
    out.ok();
    let record: serde_json::Value = serde_json::from_slice(&fs::read(dir.path().join("c.json")).unwrap()).unwrap();
    assert!(record["caveat"].as_str().unwrap().contains("not comparable with measured ones"));
    let found = rows(&fs::read_to_string(dir.path().join("c.csv")).unwrap());
    assert_eq!(found.len(), 1);
    let row = &found[0];
    let cells = ["array", "preferred", "contrast_b", "n", "n_nan", "threshold", "n_region", "n_intersection", "reason"]
        .map(|column| row[column].as_str());
    assert_eq!(cells, ["ffa", "faces", "faces > rest", "6", "0", "3", "3", "2", ""]);
    // {1, 2, 4} against the highest three {1, 4, 0}: 2 of 3; pairs in and outside: 3 + 3 + 1 of 9.
    near(number(row, "dice"), 2.0 / 3.0);
    near(number(row, "auc"), 7.0 / 9.0);
    near(number(row, "expected"), 1.5);
    // (C(3,2) C(3,1) + 1) / C(6,3) = 10 / 20
    near(number(row, "p"), 0.5);
    // The size of t is no matter but for its spread.
    let tripled = PREDICTED.map(|t| 3.0 * t + 1.0);
    map(dir.path(), "tripled.csv", "faces > rest", &tripled);
    let other = &rows(&run(dir.path(), "unit-stats compare -q measured.csv tripled.csv").text())[0];
    for column in ["r", "rho", "dice", "auc"] {
        near(number(other, column), number(row, column));
    }
    near(number(other, "sd_ratio"), 3.0 * number(row, "sd_ratio"));
    let curve = rows(&run(dir.path(), "unit-stats compare -q measured.csv predicted.csv --t -2..5").text());
    let sizes: Vec<&str> = curve.iter().map(|row| row["n_region"].as_str()).collect();
    assert_eq!(sizes, ["6", "5", "4", "4", "3", "3", "1", "0"]);
    let reasons: Vec<&str> = curve.iter().map(|row| row["reason"].as_str()).collect();
    assert_eq!(reasons, ["empty", "", "", "", "", "", "", "empty"]);
    assert_eq!((curve[7]["dice"].as_str(), curve[7]["auc"].as_str(), curve[0]["auc"].as_str()), ("NaN", "NaN", "NaN"));
}

#[test]
fn maps_of_voxels_and_of_units() {
    let dir = tempfile::tempdir().unwrap();
    let mut betas = noise(24, 8, 1);
    (0..24).filter(|i| i % 3 == 0).for_each(|i| betas[[i, 2]] += 3.0);
    save(&dir.path().join("betas.npy"), &betas, Some(&ids(24)));
    let text = (0..24).fold("stimulus,domain\n".to_string(), |t, i| t + &format!("s{i},{}\n", ["a", "b", "c"][i % 3]));
    fs::write(dir.path().join("t.csv"), text).unwrap();
    let contrast = "--stimuli t.csv --by domain --contrast 'a > rest'";
    run(dir.path(), &format!("select-units -q --all {contrast} betas.npy -o units.csv")).ok();
    run(dir.path(), &format!("fmri-roi contrast -q {contrast} betas.npy --table voxels.csv -o t.npy")).ok();
    let out = run(dir.path(), "unit-stats compare voxels.csv units.csv");
    assert!(out.stderr.contains("voxels.csv has no column contrast"), "{}", out.stderr);
    let found = rows(&out.text());
    assert_eq!((found[0]["n"].as_str(), found[0]["r"].as_str(), found[0]["dice"].as_str()), ("8", "1", "1"));
    near(number(&found[0], "sd_ratio"), 1.0);
    // Several contrasts have a row each.
    run(dir.path(), "select-units -q --all --stimuli t.csv --by domain betas.npy -o all.csv").ok();
    let found = rows(&run(dir.path(), "unit-stats compare -q all.csv all.csv --t 1").text());
    assert_eq!(found.iter().map(|row| row["preferred"].as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn units_without_t_are_left_out_and_counted() {
    let dir = two_maps();
    let mut t = PREDICTED;
    t[0] = f64::NAN;
    t[3] = f64::INFINITY;
    map(dir.path(), "some.csv", "faces > rest", &t);
    let out = run(dir.path(), "unit-stats compare measured.csv some.csv");
    assert!(out.stderr.contains("2 of 6 units have no t in one of the maps"), "{}", out.stderr);
    let row = &rows(&out.text())[0];
    assert_eq!((row["n"].as_str(), row["n_nan"].as_str(), row["n_region"].as_str()), ("4", "2", "3"));
    map(dir.path(), "flat.csv", "faces > rest", &[1.0; 6]);
    let row = &rows(&run(dir.path(), "unit-stats compare -q measured.csv flat.csv").text())[0];
    assert_eq!((row["r"].as_str(), row["reason"].as_str(), row["auc"].as_str()), ("NaN", "constant", "0.5"));
    map(dir.path(), "nan.csv", "faces > rest", &[f64::NAN; 6]);
    let row = &rows(&run(dir.path(), "unit-stats compare -q measured.csv nan.csv").text())[0];
    assert_eq!((row["n"].as_str(), row["reason"].as_str(), row["dice"].as_str()), ("0", "nan_input", "NaN"));
}

#[test]
fn refuses_maps_with_holes_and_maps_of_other_units() {
    let dir = two_maps();
    let with = |line: &str| run(dir.path(), &format!("unit-stats compare {line}"));
    let measured = fs::read_to_string(dir.path().join("measured.csv")).unwrap();
    let without_last: String = measured.lines().take(6).map(|line| format!("{line}\n")).collect();
    fs::write(dir.path().join("holes.csv"), without_last).unwrap();
    with("holes.csv predicted.csv").fails(1, &["holes.csv", "5 of the 6 units", "--all"]);
    with("measured.csv holes.csv").fails(1, &["holes.csv", "5 of the 6 units", "--all"]);
    map(dir.path(), "more.csv", "faces > rest", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    with("measured.csv more.csv").fails(1, &["6 units", "7"]);
    // Without a column n_units the numbers themselves have to be the same.
    fs::write(dir.path().join("a.csv"), "voxel,t\n0,1\n1,2\n2,0\n").unwrap();
    fs::write(dir.path().join("b.csv"), "voxel,t\n0,1\n1,2\n3,0\n").unwrap();
    with("a.csv b.csv").fails(1, &["a.csv has 3 units", "b.csv has 3", "2 and 3", "the same units"]);
    map(dir.path(), "places.csv", "places > rest", &PREDICTED);
    let row = rows(&with("-q measured.csv places.csv").text());
    assert_eq!(row.iter().map(|r| r["reason"].as_str()).collect::<Vec<_>>(), ["not_asked", "not_asked"]);
    fs::write(dir.path().join("bare.csv"), "unit\n0\n1\n").unwrap();
    with("measured.csv bare.csv").fails(1, &["bare.csv", "no column t"]);
    fs::write(dir.path().join("empty.csv"), "").unwrap();
    with("measured.csv empty.csv").fails(1, &["empty.csv"]);
    with("measured.csv missing.csv").fails(1, &["missing.csv"]);
    with("measured.csv").fails(2, &["PREDICTED"]);
    with("measured.csv predicted.csv --t 5,3").fails(2, &["must rise"]);
    with("- -").fails(1, &["stdin"]);
}
