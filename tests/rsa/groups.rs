//! `rsa compare` with runs of people, categories of stimuli, and draws that are written and read.

use ndarray::Array2;
use npy_stream::{LabelsRef, Matrix, write_matrix};
use std::fs;
use std::path::Path;
use support::*;
use tempfile::{TempDir, tempdir};

const N: usize = 12;

/// Two models, and RDMs of three people: two runs of the first two, one of the third.
fn study() -> TempDir {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let signal = noise(N, 8, 1);
    save(&path.join("good.npy"), &(&signal + &(0.5 * noise(N, 8, 2))), Some(&ids(N)));
    save(&path.join("bad.npy"), &noise(N, 8, 3), Some(&ids(N)));
    for (k, (person, run)) in [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)].into_iter().enumerate() {
        let own = &signal + &(0.6 * noise(N, 8, 10 + person));
        let made = &own + &(0.3 * noise(N, 8, 20 + k as u64));
        save(&path.join(format!("sub-0{person}_run-{run}.npy")), &made, Some(&ids(N)));
    }
    let line = "for f in good bad sub-0?_run-?; do rsa rdm ${f%.npy}.npy > r_${f%.npy}.npy; done";
    sh(path, &line.replace("sub-0?_run-?", "sub-0?_run-?.npy")).ok();
    let kinds: String = (0..N).map(|i| format!("s{i},{}\n", ["a", "b", "c", "d"][i % 4])).collect();
    fs::write(path.join("t.csv"), format!("stimulus,kind\n{kinds}")).unwrap();
    let people: String = ["1_run-1,x", "1_run-2,x", "2_run-1,y", "2_run-2,y", "3_run-1,z"]
        .map(|line| format!("r_sub-0{line}\n"))
        .concat();
    fs::write(path.join("people.csv"), format!("subject,person\n{people}")).unwrap();
    dir
}

const COMPARE: &str = "rsa compare r_good.npy r_bad.npy --names good,bad --brain r_sub-01_run-1.npy r_sub-01_run-2.npy \
                       r_sub-02_run-1.npy r_sub-02_run-2.npy r_sub-03_run-1.npy";

fn compare(dir: &Path, options: &str) -> Outcome {
    run(dir, &format!("{COMPARE} {options}"))
}

fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap()
}

fn means(table: &[Row]) -> Vec<&Row> {
    table.iter().filter(|row| row["subject"] == "mean").collect()
}

#[test]
fn draws_that_were_written_give_the_same_table_when_read() {
    let dir = study();
    let path = dir.path();
    for over in ["subjects", "stimuli", "both"] {
        let seeded = compare(path, &format!("--ceiling --boot {over} --n-boot 40 --seed 5 --save-draws d.npy")).text();
        let read = compare(path, &format!("--ceiling --boot {over} --draws d.npy -q")).text();
        assert_eq!(seeded, read, "{over}");
        // Columns are found by their names.
        let mut turned = Vec::new();
        let written = arrays(&fs::read(path.join("d.npy")).unwrap());
        assert_eq!(written.len(), if over == "both" { 2 } else { 1 });
        for array in written {
            let values = Array2::from_shape_vec((array.shape[0], array.shape[1]), array.values.into_f64()).unwrap();
            let back: Vec<usize> = (0..values.ncols()).rev().collect();
            let names: Vec<String> = array.labels.columns.unwrap().into_iter().rev().collect();
            let labels = LabelsRef { ids: None, columns: Some(&names), name: array.labels.name.as_deref() };
            write_matrix(&mut turned, &Matrix::F8(values.select(ndarray::Axis(1), &back)), labels).unwrap();
        }
        fs::write(path.join("turned.npy"), turned).unwrap();
        assert_eq!(compare(path, &format!("--ceiling --boot {over} --draws turned.npy -q")).text(), seeded, "{over}");
    }
}

#[test]
fn an_interval_can_be_made_again_from_the_counts() {
    let dir = study();
    let path = dir.path();
    let table = rows(&compare(path, "--boot subjects --n-boot 300 --save-draws d.npy").text());
    let counts = arrays(&fs::read(path.join("d.npy")).unwrap()).remove(0);
    assert_eq!((counts.shape.as_slice(), counts.labels.name.as_deref()), (&[300, 5][..], Some("subjects")));
    let people = counts.labels.columns.clone().unwrap();
    assert_eq!((people.len(), people[4].as_str()), (5, "r_sub-03_run-1"));
    let scores: Vec<f64> = table[..5].iter().map(|row| number(row, "r")).collect();
    let of_draw = |often: &[f64]| often.iter().zip(&scores).map(|(often, score)| often * score).sum::<f64>() / 5.0;
    let drawn: Vec<f64> = counts.values.into_f64().chunks(5).map(of_draw).collect();
    let mean = drawn.iter().sum::<f64>() / 300.0;
    let variance = drawn.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 299.0;
    let se = number(means(&table)[0], "se");
    assert!(((variance * 5.0 / 4.0).sqrt() - se).abs() < 1e-12, "{se}");
}

#[test]
fn draws_of_other_data_are_refused() {
    let dir = study();
    let path = dir.path();
    let put = |name: &str, columns: &[&str], values: &[f64]| {
        let names: Vec<String> = columns.iter().map(|c| (*c).to_string()).collect();
        let matrix = Array2::from_shape_vec((values.len() / columns.len(), columns.len()), values.to_vec()).unwrap();
        let labels = LabelsRef { ids: None, columns: Some(&names), name: Some(name) };
        let mut bytes = Vec::new();
        write_matrix(&mut bytes, &Matrix::F8(matrix), labels).unwrap();
        fs::write(path.join("d.npy"), bytes).unwrap();
    };
    let five = ["r_sub-01_run-1", "r_sub-01_run-2", "r_sub-02_run-1", "r_sub-02_run-2", "r_sub-03_run-1"];
    let refused = |parts: &[&str]| {
        compare(path, "--boot subjects --draws d.npy").fails(1, parts);
    };
    put("subjects", &five[..4], &[1.0; 8]);
    refused(&["d.npy: draws of 4 subjects, but the data have 5"]);
    put("subjects", &["a", "b", "c", "d", "e"], &[1.0; 10]);
    refused(&["d.npy: no column \"r_sub-01_run-1\" in the draws of subjects"]);
    put("stimuli", &five, &[1.0; 10]);
    refused(&["d.npy: no matrix is named \"subjects\""]);
    put("subjects", &five, &[1.0; 5]);
    refused(&["d.npy: 1 draws; --boot needs at least 2"]);
    for bad in [-1.0, 0.5, f64::NAN, 1e9] {
        put("subjects", &five, &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, bad, 1.0, 1.0]);
        refused(&["d.npy: draw 1 of subjects has", "in column 2; a count is 0, 1, 2"]);
    }
    put("subjects", &five, &[1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    refused(&["d.npy: draw 1 of subjects holds nothing"]);
    // Without names nothing says whose counts these are.
    let matrix = Matrix::F8(Array2::from_elem((2, 5), 1.0));
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &matrix, LabelsRef { ids: None, columns: None, name: Some("subjects") }).unwrap();
    fs::write(path.join("d.npy"), bytes).unwrap();
    refused(&["5 subjects", "the columns of the draws have no names", "--assume-order"]);
    compare(path, "--boot subjects --draws d.npy --assume-order").text();
    put("subjects", &five, &[1.0; 10]);
    compare(path, "--boot stimuli --draws d.npy").fails(1, &["has draws of subjects", "--boot both"]);
    compare(path, "--draws d.npy").fails(2, &["--boot"]);
    compare(path, "--boot subjects --draws d.npy --n-boot 7").fails(2, &["--n-boot"]);
    compare(path, "--save-draws x.npy").fails(2, &["--boot"]);
    compare(path, "--boot subjects --model select --save-draws x.npy").fails(1, &["--save-draws with --model select"]);
}

#[test]
fn a_person_is_one_subject_however_many_runs() {
    let dir = study();
    let path = dir.path();
    let apart = rows(&compare(path, "--ceiling --test t").text());
    let said = compare(path, "--ceiling --test t --group-subjects bids");
    assert!(said.stderr.contains("5 brain RDMs of 3 people; each person has one vote"), "{said:?}");
    let text = said.text();
    let together = rows(&text);
    assert_eq!(compare(path, "--ceiling --test t --group-subjects person --subjects people.csv -q").text(), text);
    for m in 0..2 {
        let score = |k: usize| number(&apart[6 * m + k], "r");
        let people = [(score(0) + score(1)) / 2.0, (score(2) + score(3)) / 2.0, score(4)];
        let mean = means(&together)[m];
        let expected = people.iter().sum::<f64>() / 3.0;
        assert!((number(mean, "r") - expected).abs() < 1e-12);
        assert_eq!((&mean["n"][..], &mean["df"][..]), ("3", "2"));
        let se = (people.iter().map(|v| (v - expected).powi(2)).sum::<f64>() / 2.0 / 3.0).sqrt();
        assert!((number(mean, "se") - se).abs() < 1e-12);
        // The rows of RDMs are as they were; what they are held against is other people alone.
        for k in 0..5 {
            assert_eq!(apart[6 * m + k]["r"], together[6 * m + k]["r"]);
        }
    }
    // The other run of a person predicts this one best: with it the bound is higher.
    assert!(number(&together[0], "lower") < number(&apart[0], "lower"));
    // Only the third person's bound has nothing to lose.
    assert_eq!(together[4]["lower"], apart[4]["lower"]);
    let booted = rows(&compare(path, "--boot subjects --n-boot 100 --group-subjects bids --save-draws d.npy").text());
    assert_eq!(means(&booted)[0]["n"], "3");
    let counts = arrays(&fs::read(path.join("d.npy")).unwrap()).remove(0).values.into_f64();
    assert!(counts.chunks(5).all(|c| c[0] == c[1] && c[2] == c[3] && c[0] + c[2] + c[4] == 3.0));
}

#[test]
fn categories_are_drawn_and_shuffled_together() {
    let dir = study();
    let path = dir.path();
    let options = "--group-stimuli kind --stimuli t.csv";
    let booted = compare(path, &format!("--boot stimuli --n-boot 300 {options} --save-draws d.npy"));
    assert!(booted.stderr.contains("12 stimuli in 4 groups"), "{booted:?}");
    assert!(booted.stderr.contains("draws give no score"), "{booted:?}");
    assert_eq!(means(&rows(&booted.text()))[0]["n"], "4");
    let counts = arrays(&fs::read(path.join("d.npy")).unwrap()).remove(0);
    assert_eq!(counts.labels.columns.unwrap()[..2], ["s0", "s1"]);
    assert!(counts.values.into_f64().chunks(N).all(|c| (0..N).all(|i| c[i] == c[i % 4])));

    let p = |options: &str| {
        let table = rows(&compare(path, options).text());
        (number(means(&table)[0], "p_perm"), number(&table[0], "p_perm"))
    };
    let within = p(&format!("--perm 99 --shuffle within {options}"));
    assert!(within.0 <= 0.05 && within.1 <= 0.1, "{within:?}");
    // 24 orders of four kinds: none of 23 shuffles is far below.
    assert!(p(&format!("--perm 23 --shuffle whole {options}")).0 >= 1.0 / 24.0);
    compare(path, &format!("--perm 24 --shuffle whole {options}"))
        .fails(1, &["whole groups", "24 orders", "--perm 24"]);
    compare(path, &format!("--perm 99 {options}")).fails(1, &["--shuffle within", "whole"]);
    compare(path, options).fails(1, &["--group-stimuli is for --boot stimuli and both, for --perm"]);
    compare(path, "--boot stimuli --group-stimuli kind").fails(2, &["--stimuli"]);
    compare(path, &format!("--boot stimuli --group-stimuli half {}", "--stimuli t.csv"))
        .fails(1, &["t.csv", "\"half\""]);
    let one_kind: String = ids(N).iter().map(|id| format!("{id},a\n")).collect();
    fs::write(path.join("one.csv"), format!("stimulus,kind\n{one_kind}")).unwrap();
    compare(path, "--boot stimuli --group-stimuli kind --stimuli one.csv")
        .fails(1, &["1 groups of stimuli", "at least 4"]);
    fs::write(path.join("short.csv"), "stimulus,kind\ns0,a\ns1,\n").unwrap();
    compare(path, "--boot stimuli --group-stimuli kind --stimuli short.csv")
        .fails(1, &["short.csv: no row for stimulus \"s2\" and 9 others of the 12 (2 are in it)"]);
}

#[test]
fn groups_that_nothing_looks_at_or_that_are_not_there_are_refused() {
    let dir = study();
    let path = dir.path();
    compare(path, "--group-subjects bids").fails(1, &["--group-subjects is for --ceiling"]);
    compare(path, "--ceiling --group-subjects person").fails(1, &["a column of which table? give --subjects"]);
    compare(path, "--ceiling --subjects people.csv").fails(2, &["--group-subjects"]);
    compare(path, "--ceiling --group-subjects bids --brain-names a,b,c,d,e").text();
    sh(path, "cp r_sub-03_run-1.npy other.npy").ok();
    run(path, &format!("{COMPARE} other.npy --ceiling --group-subjects bids"))
        .fails(1, &["other.npy: neither \"other\" nor its path has a sub-LABEL", "--brain-names"]);
    run(path, &format!("{COMPARE} other.npy --ceiling --group-subjects person --subjects people.csv"))
        .fails(1, &["people.csv: no row for brain RDM \"other\" (5 are in it)"]);
    fs::write(path.join("odd.csv"), "subject,person\nr_sub-01_run-1,x\nr_sub-01_run-1,y\n").unwrap();
    compare(path, "--ceiling --group-subjects person --subjects odd.csv").fails(1, &["\"x\" and \"y\"", "one group"]);
    let two = "rsa compare r_good.npy --brain r_sub-01_run-1.npy r_sub-01_run-2.npy --group-subjects bids";
    run(path, &format!("{two} --ceiling")).fails(1, &["2 brain RDMs of 1 people", "need 2"]);
    compare(path, "--all-pairs --group-subjects bids").fails(1, &["--group-subjects is for the scores of model RDMs"]);
}
