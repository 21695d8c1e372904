//! `tuning match`: units that follow voxels, judged on stimuli that did not choose them.

use ndarray::{Array2, Axis, array, concatenate, s};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use support::*;

const N: usize = 24;

fn table(dir: &Path, name: &str) -> Vec<Row> {
    rows(&fs::read_to_string(dir.join(name)).unwrap())
}

fn labelled(dir: &Path, name: &str, matrix: &Array2<f64>, labels: &[String]) {
    save(&dir.join(name), matrix, Some(labels));
}

/// 20 units; voxel k follows unit `followed[k]`, closely.
fn made_up(dir: &Path, followed: &[usize]) -> (Array2<f64>, Array2<f64>) {
    let units = noise(N, 20, 1);
    let voxels = units.select(Axis(1), followed) + 0.05 * noise(N, followed.len(), 2);
    labelled(dir, "acts.npy", &units, &ids(N));
    labelled(dir, "ffa.npy", &voxels, &ids(N));
    (units, voxels)
}

#[test]
fn each_voxel_finds_the_unit_it_follows_and_the_table_is_one_of_units() {
    let dir = tempfile::tempdir().unwrap();
    let (units, _) = made_up(dir.path(), &[7, 3, 7, 11]);
    let line = "tuning match --model acts.npy --brain ffa.npy --voxels v.csv --parts p.csv -o u.csv";
    let said = run(dir.path(), line);
    assert!(said.stderr.contains("4 of 4 voxels have a best unit, 3 of 20 units"), "{}", said.stderr);
    said.ok();
    let chosen = table(dir.path(), "u.csv");
    let cells = |column: &str| chosen.iter().map(|row| row[column].clone()).collect::<Vec<_>>();
    assert_eq!(cells("unit"), ["3", "7", "11"]);
    assert_eq!(cells("n_voxels"), ["1", "2", "1"]);
    assert!(cells("n_units").iter().all(|n| n == "20") && cells("array").iter().all(|a| a == "acts"));
    assert!(cells("criterion").iter().all(|c| c == "best pearson with ffa"));
    let voxels = table(dir.path(), "v.csv");
    assert_eq!(voxels.iter().map(|row| row["unit"].as_str()).collect::<Vec<_>>(), ["7", "3", "7", "11"]);
    assert!(voxels.iter().all(|row| number(row, "r") > 0.95 && row["n_train"] == "12" && row["n_test"] == "12"));
    // The mean over the voxels of a unit.
    near(number(&chosen[1], "r"), (number(&voxels[0], "r") + number(&voxels[2], "r")) / 2.0);
    // Every verb that takes units takes it.
    let cut = matrix(&run(dir.path(), "npy cols -q --units u.csv acts.npy").ok()).0;
    assert_eq!(cut, units.select(Axis(1), &[3, 7, 11]));
    run(dir.path(), "tuning profile -q --weights u.csv --weight-column r_train acts.npy").ok();
    fs::write(
        dir.path().join("t.csv"),
        (0..N).fold("stimulus,domain\n".to_string(), |t, i| t + &format!("s{i},{}\n", ["a", "b"][i % 2])),
    )
    .unwrap();
    let validated = run(dir.path(), "unit-stats validate -q --units u.csv --stimuli t.csv --by domain acts.npy").text();
    assert!(rows(&validated).iter().all(|row| row["n_selected"] == "3"), "{validated}");
    run(dir.path(), "unit-stats overlap -q u.csv u.csv").ok();
    // Another layer is not the one that they were chosen from.
    save(&dir.path().join("acts2.npy"), &units.slice(s![.., ..9]).to_owned(), Some(&ids(N)));
    run(dir.path(), "npy cols --units u.csv --array acts acts2.npy").fails(1, &["20", "9 columns"]);
    // One row per voxel names a unit twice, and is refused as a set.
    run(dir.path(), "npy cols --units v.csv acts.npy").fails(1, &["unit 7", "more than once"]);
    let record: serde_json::Value = serde_json::from_slice(&fs::read(dir.path().join("u.json")).unwrap()).unwrap();
    assert_eq!((record["seed"].as_u64(), record["n_parts"].as_u64()), (Some(0), Some(2)));
}

#[test]
fn the_held_out_half_does_not_choose() {
    let dir = tempfile::tempdir().unwrap();
    let (units, _) = made_up(dir.path(), &[7, 3, 7, 11]);
    run(dir.path(), "tuning match -q --model acts.npy --brain ffa.npy --voxels v.csv --parts p.csv -o u.csv").ok();
    let held_out: BTreeSet<String> =
        table(dir.path(), "p.csv").into_iter().filter(|r| r["part"] == "test").map(|r| r["stimulus"].clone()).collect();
    assert_eq!(held_out.len(), 12);
    // Scrambled test rows: other r, the same units and r_train.
    let mut scrambled = units;
    for (row, id) in ids(N).iter().enumerate() {
        if held_out.contains(id) {
            scrambled.row_mut(row).assign(&noise(1, 20, 50 + row as u64).row(0));
        }
    }
    labelled(dir.path(), "scrambled.npy", &scrambled, &ids(N));
    let line = "tuning match -q --model scrambled.npy --names acts --brain ffa.npy --voxels w.csv -o x.csv";
    run(dir.path(), line).ok();
    let (before, after) = (table(dir.path(), "v.csv"), table(dir.path(), "w.csv"));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((&before["unit"], &before["r_train"]), (&after["unit"], &after["r_train"]));
        assert!(number(before, "r") > 0.9 && number(after, "r").abs() < 0.8);
    }
    // What comes next can be done on them.
    let rest = matrix(&run(dir.path(), "npy rows -q --stimuli p.csv --where part=test acts.npy").ok());
    assert_eq!(rest.1.unwrap().into_iter().collect::<BTreeSet<_>>(), held_out);
    // The order of rows is no matter, and neither are threads.
    let backwards: Vec<usize> = (0..N).rev().collect();
    let (acts, labels) = matrix(&fs::read(dir.path().join("acts.npy")).unwrap());
    let labels = labels.unwrap();
    let turned: Vec<String> = backwards.iter().map(|&i| labels[i].clone()).collect();
    labelled(dir.path(), "turned.npy", &acts.select(Axis(0), &backwards), &turned);
    let first = fs::read(dir.path().join("u.csv")).unwrap();
    for more in ["--model acts.npy --threads 1", "--model acts.npy --threads 2", "--model turned.npy --names acts"] {
        assert_eq!(run(dir.path(), &format!("tuning match -q --brain ffa.npy {more}")).ok(), first, "{more}");
    }
    let piped = sh(dir.path(), "cat acts.npy | tuning match -q --model - --names acts --brain ffa.npy").ok();
    assert_eq!(piped, first);
    let other = run(dir.path(), "tuning match -q --brain ffa.npy --model acts.npy --seed 1").ok();
    assert_ne!(other, first);
}

/// The verb's reason: the best of many is high where there is nothing.
#[test]
fn noise_has_a_large_training_correlation_and_a_held_out_one_around_0() {
    let dir = tempfile::tempdir().unwrap();
    labelled(dir.path(), "acts.npy", &noise(40, 1000, 3), &ids(40));
    labelled(dir.path(), "v1.npy", &noise(40, 200, 4), &ids(40));
    run(dir.path(), "tuning match -q --model acts.npy --brain v1.npy --cv 2 --voxels v.csv -o u.csv").ok();
    let mean = |column: &str| {
        let values: Vec<f64> = table(dir.path(), "v.csv")
            .iter()
            .filter(|row| row["fold"] == "mean")
            .map(|row| number(row, column))
            .collect();
        assert_eq!(values.len(), 200);
        values.iter().sum::<f64>() / 200.0
    };
    // 20 stimuli: sd of r 1 / sqrt(19) = .23, of the mean over 200 voxels and 2 folds .0115.
    assert!(mean("r_train") > 0.6, "{}", mean("r_train"));
    assert!(mean("r").abs() < 0.035, "{}", mean("r"));
}

#[test]
fn parts_held_out_in_turn_have_a_set_each() {
    let dir = tempfile::tempdir().unwrap();
    made_up(dir.path(), &[7, 3]);
    run(dir.path(), "tuning match -q --model acts.npy --brain ffa.npy --cv 2 --voxels v.csv --parts p.csv -o u.csv")
        .ok();
    let voxels = table(dir.path(), "v.csv");
    let folds: Vec<&str> = voxels.iter().map(|row| row["fold"].as_str()).collect();
    assert_eq!(folds, ["1", "1", "2", "2", "mean", "mean"]);
    for voxel in 0..2 {
        near(number(&voxels[4 + voxel], "r"), (number(&voxels[voxel], "r") + number(&voxels[2 + voxel], "r")) / 2.0);
        assert_eq!(voxels[4 + voxel]["unit"], "");
    }
    assert_eq!(table(dir.path(), "p.csv").iter().filter(|row| row["part"] == "1").count(), 12);
    // Without --cv it is the fold that holds out the second part.
    run(dir.path(), "tuning match -q --model acts.npy --brain ffa.npy --voxels one.csv -o one_units.csv").ok();
    assert_eq!(table(dir.path(), "one.csv")[0]["r"], voxels[2]["r"]);
    run(dir.path(), "npy cols -q --units u.csv acts.npy").fails(1, &["folds (1; 2)", "--fold"]);
    let cut = matrix(&run(dir.path(), "npy cols -q --units u.csv --fold 1 acts.npy").ok()).0;
    assert_eq!(cut.ncols(), 2);
    run(dir.path(), "tuning match --model acts.npy --brain ffa.npy --cv 1").fails(1, &["--cv", "at least 2"]);
    run(dir.path(), "tuning match --model acts.npy --brain ffa.npy --cv 25").fails(1, &["25 folds", "24"]);
    let few = run(dir.path(), "tuning match --model acts.npy --brain ffa.npy --cv 12");
    few.fails(1, &["2 of 24", "judge", "at least 3", "fewer parts"]);
}

#[test]
fn halves_of_a_table() {
    let dir = tempfile::tempdir().unwrap();
    made_up(dir.path(), &[7, 3]);
    let half = |i: usize| ["odd", "even", "n/a"][if i < 4 { 2 } else { i % 2 }];
    let write = |name: &str, n: usize| {
        let text = (0..n).fold("stimulus,half\n".to_string(), |t, i| t + &format!("s{i},{}\n", half(i)));
        fs::write(dir.path().join(name), text).unwrap();
    };
    write("t.csv", N);
    let line = "tuning match --model acts.npy --brain ffa.npy --stimuli t.csv --train half=odd --parts p.csv";
    let said = run(dir.path(), &format!("{line} --voxels v.csv"));
    assert!(said.stderr.contains("4 of 24 stimuli have no half"), "{}", said.stderr);
    said.ok();
    let voxels = table(dir.path(), "v.csv");
    assert_eq!((voxels[0]["n_train"].as_str(), voxels[0]["n_test"].as_str()), ("10", "10"));
    let parts: Vec<String> = table(dir.path(), "p.csv").iter().map(|row| row["part"].clone()).collect();
    assert_eq!(parts[..6], ["", "", "", "", "train", "test"]);
    let with = |more: &str| run(dir.path(), &format!("tuning match --model acts.npy --brain ffa.npy {more}"));
    with("--stimuli t.csv --train half=left").fails(1, &["never is \"left\"", "even, odd"]);
    with("--stimuli t.csv --train part=odd").fails(1, &["part", "half"]);
    with("--stimuli t.csv --train half").fails(2, &["COLUMN=VALUE"]);
    with("--train half=odd").fails(2, &["--stimuli"]);
    with("--stimuli t.csv").fails(2, &["--train"]);
    with("--stimuli t.csv --train half=odd --seed 1").fails(2, &["--seed"]);
    with("--stimuli t.csv --train half=odd --cv 2").fails(2, &["--cv"]);
    write("few.csv", 20);
    with("--stimuli few.csv --train half=odd").fails(1, &["few.csv", "24", "20"]);
}

#[test]
fn presentations_are_averaged_and_stand_on_one_side() {
    let dir = tempfile::tempdir().unwrap();
    let (units, voxels) = made_up(dir.path(), &[7, 3, 5]);
    // Two trials of each stimulus, noise that cancels; two of each of the model's rows too.
    let jitter = noise(N, 3, 9);
    let trials = concatenate![Axis(0), &voxels + &jitter, &voxels - &jitter];
    let twice: Vec<String> = (0..2 * N).map(|i| format!("s{}", i % N)).collect();
    labelled(dir.path(), "ffa.npy", &voxels, &ids(N));
    labelled(dir.path(), "trials.npy", &trials, &twice);
    labelled(dir.path(), "acts2.npy", &concatenate![Axis(0), &units - 1.0, &units + 1.0], &twice);
    let of = |line: &str| {
        run(dir.path(), &format!("tuning match -q {line} --names acts --voxels v.csv -o u.csv")).ok();
        table(dir.path(), "v.csv")
    };
    let once = of("--model acts.npy --brain ffa.npy");
    for line in ["--model acts.npy --brain trials.npy", "--model acts2.npy --brain trials.npy"] {
        for (a, b) in once.iter().zip(of(line)) {
            assert_eq!(a["unit"], b["unit"], "{line}");
            assert!((number(a, "r") - number(&b, "r")).abs() < 1e-13, "{line}");
            assert_eq!(b["n_test"], "12");
        }
    }
    // Positions of trials say nothing.
    save(&dir.path().join("bare.npy"), &units, None);
    let bare = run(dir.path(), "tuning match --model bare.npy --brain trials.npy --assume-order");
    bare.fails(1, &["bare.npy", "without ids", "48 trials"]);
    run(dir.path(), "tuning match --model bare.npy --brain ffa.npy").fails(1, &["bare.npy", "npy label"]);
    run(dir.path(), "tuning match -q --model bare.npy --brain ffa.npy --assume-order").ok();
    // Fewer stimuli only on request, and in the same halves.
    labelled(dir.path(), "some.npy", &units.slice(s![..16, ..]).to_owned(), &ids(16));
    run(dir.path(), "tuning match --model some.npy --brain ffa.npy").fails(1, &["24", "16", "--inner"]);
    let some = of("--model some.npy --brain ffa.npy --inner");
    let counts = ["n_train", "n_test"].map(|c| some[0][c].parse::<usize>().unwrap());
    run(dir.path(), "tuning match -q --model acts.npy --brain ffa.npy --parts p.csv").ok();
    let parts = table(dir.path(), "p.csv");
    let train = parts.iter().filter(|r| r["part"] == "train" && r["stimulus"][1..].parse::<usize>().unwrap() < 16);
    assert_eq!(counts, [train.clone().count(), 16 - train.count()]);
}

#[test]
fn what_cannot_be_matched_has_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (mut units, mut voxels) = made_up(dir.path(), &[7, 3, 7, 11, 2]);
    let half = |i: usize| ["odd", "even"][i % 2];
    let text = (0..N).fold("stimulus,half\n".to_string(), |t, i| t + &format!("s{i},{}\n", half(i)));
    fs::write(dir.path().join("t.csv"), text).unwrap();
    // Odd chooses: voxel 0 is constant there, voxel 1 constant where it is judged; voxel 2 is NaN there, voxel 3 NaN
    // where units are chosen.
    for i in 0..N {
        match half(i) {
            "odd" => voxels[[i, 0]] = 0.1,
            _ => voxels[[i, 1]] = 0.1,
        }
    }
    voxels[[1, 2]] = f64::NAN;
    voxels[[0, 3]] = f64::NAN;
    // The unit that voxel 4 follows has an infinity where it would be judged; its copy, further on, has not.
    let followed = units.column(2).to_owned();
    units.column_mut(15).assign(&followed);
    units[[1, 2]] = f64::INFINITY;
    units.column_mut(0).fill(0.3);
    labelled(dir.path(), "acts.npy", &units, &ids(N));
    labelled(dir.path(), "ffa.npy", &voxels, &ids(N));
    let line = "tuning match --model acts.npy --brain ffa.npy --stimuli t.csv --train half=odd --voxels v.csv -o u.csv";
    let said = run(dir.path(), line);
    assert!(
        said.stderr.contains("4 of 5 voxels have no held-out correlation: 2 constant, 2 nan_input"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("2 of 20 units cannot be chosen: 1 constant, 1 nan_input"), "{}", said.stderr);
    said.ok();
    let found = table(dir.path(), "v.csv");
    let cells = |row: &Row| [row["unit"].clone(), row["r"].clone(), row["reason"].clone()];
    assert_eq!(cells(&found[0]), ["", "NaN", "constant"].map(String::from));
    assert_eq!(cells(&found[1]), ["3", "NaN", "constant"].map(String::from));
    assert_eq!(cells(&found[2]), ["7", "NaN", "nan_input"].map(String::from));
    assert_eq!(cells(&found[3]), ["", "NaN", "nan_input"].map(String::from));
    assert_eq!((found[4]["unit"].as_str(), found[4]["reason"].as_str()), ("15", ""));
    let units_found = table(dir.path(), "u.csv");
    assert_eq!((units_found[0]["unit"].as_str(), units_found[0]["r"].as_str()), ("3", "NaN"));
    assert_eq!(units_found[0]["reason"], "constant");

    // No usable unit at all: an empty set, said.
    labelled(dir.path(), "dead.npy", &Array2::from_elem((N, 3), 0.5), &ids(N));
    run(dir.path(), "tuning match --model dead.npy --brain acts.npy --voxels v.csv -o u.csv").ok();
    assert!(table(dir.path(), "u.csv").is_empty());
    assert_eq!(table(dir.path(), "v.csv")[5]["reason"], "no_usable_unit");
}

#[test]
fn several_layers_names_and_ties() {
    let dir = tempfile::tempdir().unwrap();
    let (units, voxels) = made_up(dir.path(), &[7, 3]);
    // A layer in which the followed unit stands twice, the first time tripled.
    let doubled = concatenate![Axis(1), units.slice(s![.., 7..8]).mapv(|v| 3.0 * v - 2.0), units];
    labelled(dir.path(), "layer2.npy", &doubled, &ids(N));
    run(dir.path(), "tuning match -q --model acts.npy layer2.npy --brain ffa.npy --voxels v.csv -o u.csv").ok();
    let found = table(dir.path(), "v.csv");
    let of: Vec<(&str, &str)> = found.iter().map(|row| (row["array"].as_str(), row["unit"].as_str())).collect();
    assert_eq!(of, [("acts", "7"), ("acts", "3"), ("layer2", "0"), ("layer2", "4")]);
    let cut = matrix(&run(dir.path(), "npy cols -q --units u.csv layer2.npy").ok()).0;
    assert_eq!(cut.ncols(), 2);
    run(dir.path(), "tuning match --model acts.npy layer2.npy --names a --brain ffa.npy").fails(1, &["--names"]);
    // A profile is one voxel; a column of the matrix is its name.
    let profile = sh(dir.path(), "tuning profile -q ffa.npy | tuning match -q --model acts.npy --brain -").text();
    assert_eq!(rows(&profile).len(), 1);
    let mut text = "stimulus,FFA,OFA\n".to_string();
    (0..N).for_each(|i| text += &format!("s{i},{},{}\n", voxels[[i, 0]], voxels[[i, 1]]));
    fs::write(dir.path().join("b.csv"), text).unwrap();
    let line = "npy from-csv -q --values FFA,OFA b.csv | tuning match -q --model acts.npy --brain - --voxels v.csv";
    sh(dir.path(), line).ok();
    assert_eq!(table(dir.path(), "v.csv")[1]["voxel_name"], "OFA");
    // Names of units go into both tables.
    let line = "npy from-csv -q --values FFA,OFA b.csv | tuning match -q --model - --brain ffa.npy --voxels v.csv";
    assert_eq!(rows(&sh(dir.path(), line).text())[0]["unit_name"], "FFA");
    assert_eq!(table(dir.path(), "v.csv")[1]["unit_name"], "OFA");
}

#[test]
fn refuses_what_is_no_pair_of_matrices() {
    let dir = tempfile::tempdir().unwrap();
    made_up(dir.path(), &[7, 3]);
    let with = |line: &str| run(dir.path(), &format!("tuning match {line}"));
    with("--model acts.npy").fails(2, &["--brain"]);
    with("--brain ffa.npy").fails(2, &["--model"]);
    with("--model acts.npy --brain ffa.npy --compare kendall").fails(2, &["pearson, spearman"]);
    with("--model missing.npy --brain ffa.npy").fails(1, &["missing.npy"]);
    labelled(dir.path(), "none.npy", &Array2::zeros((N, 0)), &ids(N));
    with("--model none.npy --brain ffa.npy").fails(1, &["none.npy", "0 units"]);
    with("--model acts.npy --brain none.npy").fails(1, &["none.npy", "0 voxels"]);
    labelled(dir.path(), "five.npy", &noise(5, 3, 1), &ids(5));
    with("--model five.npy --brain five.npy").fails(1, &["2 of 5", "judge", "at least 3"]);
    labelled(dir.path(), "empty.npy", &Array2::zeros((0, 3)), &[]);
    with("--model empty.npy --brain ffa.npy").fails(1, &["empty.npy"]);
    with("--model acts.npy --brain empty.npy").fails(1, &["empty.npy"]);
    save(&dir.path().join("bare.npy"), &array![[1.0], [2.0], [4.0], [3.0], [7.0], [5.0]], None);
    with("--model bare.npy --brain bare.npy --assume-order --parts p.csv").fails(1, &["--parts", "npy label"]);
    sh(dir.path(), "cat ffa.npy ffa.npy > two.npy").ok();
    with("--model acts.npy --brain two.npy").fails(1, &["2 matrices"]);
    let rdm = npy_stream_vector(6);
    fs::write(dir.path().join("rdm.npy"), rdm).unwrap();
    with("--model rdm.npy --brain ffa.npy").fails(1, &["rdm.npy"]);
}

/// A 1-d array, as an RDM is.
fn npy_stream_vector(n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let values: Vec<f64> = (0..n).map(|i| i as f64).collect();
    npy_stream::write_vector(&mut bytes, &values, npy_stream::Dtype::F8, &npy_stream::Labels::default()).unwrap();
    bytes
}
