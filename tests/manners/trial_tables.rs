//! A table with one row per presentation means the same to every verb that takes `--stimuli`: the k-th row of an id
//! there is the k-th row of that id in the matrix, whatever the order of both.

use brain_formats::Geometry;
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use ndarray::{Array2, Axis};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use support::*;

/// Verbs that join rows with the table by id; `TABLE` is one of the tables, `trials.npy` the rows.
const BY_ID: [&str; 19] = [
    "select-units --stimuli TABLE --by task --all --cv run trials.npy",
    "unit-stats layers --stimuli TABLE --by task --contrast 'face > rest' --t 0 trials.npy",
    "unit-stats validate --stimuli TABLE --by task --units units.csv trials.npy",
    "unit-stats probe --stimuli TABLE --by task --units units.csv --table levels --min-count 1 trials.npy",
    "fmri-roi contrast --stimuli TABLE --by task --contrast 'face > rest' trials.npy",
    "tuning diverge --stimuli TABLE --group species --n-boot 100 --brain brain.npy -- trials.npy",
    "tuning match --stimuli TABLE --train species=human --model trials.npy --brain brain.npy",
    "rsa rdm --stimuli TABLE --by task trials.npy",
    "ceiling voxel --stimuli TABLE --session run trials.npy",
    "ceiling gsn --draws 20 --stimuli TABLE --session run trials.npy",
    "npy rows --stimuli TABLE --where run=1 trials.npy",
    "npy scale --stimuli TABLE --by run --zscore columns trials.npy",
    "npy cat --stimuli TABLE trials.npy",
    "encode fit --stimuli TABLE --sample-weights run --cv 3 --x trials.npy --y trials.npy",
    "encode ablate --stimuli TABLE --cv species --draws 2 --units units.csv --x trials.npy --y trials.npy",
    "encode predict --stimuli TABLE --runs run late.npz trials.npy",
    "encode score --stimuli TABLE --folds species trials.npy trials.npy",
    "encode compare --stimuli TABLE --folds species --y trials.npy trials.npy trials.npy",
    "fmri-roi localize --stimuli TABLE --by task --contrast 'face > rest' --cv run --top 2 trials.npy",
];

/// Verbs that take row i of the table for row i of rows without ids, and what says the same with ids.
const BY_PLACE: [(&str, &str); 4] = [
    (
        "fmri-roi extract --roi roi.csv --stimuli own.csv --assume-order bare.npy",
        "fmri-roi extract --roi roi.csv trials.npy",
    ),
    (
        "rsa searchlight --mask mask.nii --radius 1 --models rdm.npy --stimuli own.csv --assume-order -- bare.npy",
        "rsa searchlight --mask mask.nii --radius 1 --models rdm.npy -- trials.npy",
    ),
    ("npy label --stimuli own.csv bare.npy", "npy cat trials.npy"),
    (
        "encode ablate --units units.csv --cv 3 --draws 2 --names v --x trials.npy --stimuli own.csv --assume-order \
         --y bare.nii",
        "encode ablate --units units.csv --cv 3 --draws 2 --names v --x trials.npy --y narrow.npy",
    ),
];

/// Verbs that join the table with no presentations: `rsa model` makes RDMs of it alone, `rsa compare` groups the
/// stimuli of RDMs. Rows of one stimulus that say the same are one for both.
const OF_STIMULI: [&str; 2] = ["rsa model", "rsa compare"];

const N: usize = 14;

/// Presentation `k` of stimulus `s` and what the table says of it: a wrong pairing changes every column but `species`.
fn line(s: usize, k: usize) -> String {
    let task = ["face", "house", "car"][(s * s + k) % 3];
    format!("s{s},{task},{},{}\n", session(s, k), if s < N / 2 { "human" } else { "animal" })
}

/// A third of the stimuli is shown twice in one run: swapped presentations then do more than rename runs.
fn session(s: usize, k: usize) -> usize {
    1 + (s + if s.is_multiple_of(3) { 0 } else { k }) % 2
}

fn table(rows: &[(usize, usize)]) -> String {
    let lines: String = rows.iter().map(|(s, k)| line(*s, *k)).collect();
    format!("stimulus,task,run,species\n{lines}")
}

/// The order of rows in which a multiple of `step` modulo 2 N says which stimulus comes; k counts up for each.
fn order(step: usize) -> Vec<(usize, usize)> {
    let mut shown = [0; N];
    let next = |i: usize| {
        let s = i * step % (2 * N) % N;
        shown[s] += 1;
        (s, shown[s] - 1)
    };
    (0..2 * N).map(next).collect()
}

fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (rows, others) = (order(5), order(11));
    assert!(rows.iter().map(|r| r.0).ne(others.iter().map(|r| r.0)), "the table stands in the order of the rows");
    let labels: Vec<String> = rows.iter().map(|(s, _)| format!("s{s}")).collect();
    let mut values = noise(2 * N, 8, 3);
    for (mut row, (s, k)) in values.rows_mut().into_iter().zip(&rows) {
        // What was shown, what was asked of it, and when.
        row[0] += [3.0, 0.0, 0.0][(s * s + k) % 3];
        row[1] += 4.0 * session(*s, *k) as f64;
        row += *s as f64 / 5.0;
    }
    save(&at("trials.npy"), &values, Some(&labels));
    save(&at("bare.npy"), &values, None);
    save(&at("brain.npy"), &noise(N, 3, 9), Some(&ids(N)));
    fs::write(at("own.csv"), table(&rows)).unwrap();
    fs::write(at("trials.csv"), table(&others)).unwrap();
    // The annotation of the other presentation of the same stimulus.
    let swapped: Vec<(usize, usize)> = others.iter().map(|(s, k)| (*s, 1 - k)).collect();
    fs::write(at("wrong.csv"), table(&swapped)).unwrap();
    let short: Vec<(usize, usize)> = others.iter().copied().filter(|row| *row != (3, 1)).collect();
    fs::write(at("short.csv"), table(&short)).unwrap();
    fs::write(at("units.csv"), "array,contrast,unit,n_units\ntrials,face > rest,0,8\ntrials,face > rest,2,8\n")
        .unwrap();
    fs::write(at("roi.csv"), "roi,voxel\nFFA,1\nFFA,4\n").unwrap();
    let mask = File::create(at("mask.nii")).unwrap();
    let grid = Geometry::from_sizes([2, 2, 2], [2.0; 3]);
    write_volume(mask, Voxels::Labels(&[1; 8]), &grid, Intent::None, false).unwrap();
    // The rows as volumes, which are f4.
    let volumes = values.rows().into_iter().map(|row| row.mapv(|v| v as f32).to_vec());
    let mut image = File::create(at("bare.nii")).unwrap();
    volumes.for_each(|row| write_volume(&mut image, Voxels::F4(&row), &grid, Intent::None, false).unwrap());
    save(&at("narrow.npy"), &values.mapv(|v| f64::from(v as f32)), Some(&labels));
    sh(dir.path(), "npy average trials.npy | rsa rdm > rdm.npy").ok();
    let fit = "encode fit -q --cv 3 --delays 1 --runs run --stimuli own.csv --x trials.npy --y trials.npy";
    run(dir.path(), &format!("{fit} --save late.npz -o scores.csv")).ok();
    dir
}

/// What the verb makes of this table: the text, or the numbers.
fn made(dir: &Path, line: &str, table: &str) -> Vec<u8> {
    run(dir, &line.replace("TABLE", table)).ok()
}

#[test]
fn every_verb_that_takes_a_table_is_here() {
    let dir = tempfile::tempdir().unwrap();
    let mut take = BTreeSet::new();
    for tool in ["ann-acts", "select-units", "unit-stats", "fmri-roi", "tuning", "rsa", "encode", "ceiling", "npy"] {
        for of_verb in run(dir.path(), &format!("{tool} --generate files")).text().lines() {
            let words: Vec<&str> = of_verb.split('\t').collect();
            if words[1] == "--stimuli" {
                take.insert(format!("{tool} {}", words[0]).trim().to_string());
            }
        }
    }
    let lines = BY_ID.iter().chain(BY_PLACE.iter().map(|(line, _)| line));
    let verb = |line: &&str| line.split_whitespace().take_while(|w| !w.starts_with("--")).collect::<Vec<_>>().join(" ");
    let here: BTreeSet<String> = lines.chain(&OF_STIMULI).map(verb).collect();
    assert_eq!(here, take);
}

#[test]
fn presentations_are_paired_in_their_order() {
    let dir = workplace();
    for line in BY_ID {
        let own = made(dir.path(), line, "own.csv");
        let outcome = run(dir.path(), &line.replace("TABLE", "trials.csv"));
        let paired = outcome.stderr.contains("paired in the order they come");
        // Which need not be said where all presentations have one level, or the row goes where the table has it.
        let one_level = ["tuning", "npy rows", "npy cat", "encode score", "encode compare"];
        assert!(paired || one_level.iter().any(|w| line.starts_with(w)), "{line}: {outcome:?}");
        match line.starts_with("npy cat") {
            // Rows stand in the order of the table: those of each stimulus in their own.
            true => {
                let ((own, names), (found, labels)) = (matrix(&own), matrix(&outcome.ok()));
                let (names, labels) = (names.unwrap(), labels.unwrap());
                assert_ne!(names, labels, "{line}");
                for id in ids(N) {
                    let of = |all: &[String]| (0..2 * N).filter(|r| all[*r] == id).collect::<Vec<_>>();
                    let rows = |m: &Array2<f64>, all: &[String]| m.select(Axis(0), &of(all));
                    assert_eq!(rows(&own, &names), rows(&found, &labels), "{line}: {id}");
                }
            }
            // Conditions stand in the order in which they come.
            false if line.starts_with("rsa rdm") => {
                let square = |bytes: &[u8]| {
                    let array = arrays(bytes).remove(0);
                    let (names, values) = (array.labels.ids.unwrap(), array.values.into_f64());
                    let pairs = [(0, 1), (0, 2), (1, 2)].into_iter().zip(values);
                    let named = |((i, j), v): ((usize, usize), f64)| {
                        let (a, b): (&String, &String) = (&names[i], &names[j]);
                        (a.min(b).clone(), a.max(b).clone(), v)
                    };
                    let mut named: Vec<(String, String, f64)> = pairs.map(named).collect();
                    named.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
                    named
                };
                for (a, b) in square(&own).into_iter().zip(square(&outcome.ok())) {
                    assert!((&a.0, &a.1) == (&b.0, &b.1) && (a.2 - b.2).abs() < 1e-12, "{line}: {a:?} {b:?}");
                }
            }
            false => assert!(alike(&own, &outcome.ok()), "{line}"),
        }
    }
}

/// The same numbers: of matrices, or of tables with the same rows in any order (categories come in that of the table,
/// and so do the terms of sums over them).
fn alike(a: &[u8], b: &[u8]) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(1.0) || (a.is_nan() && b.is_nan()) || a == b;
    if a.starts_with(b"\x93NUMPY") {
        let (a, b) = (arrays(a).remove(0), arrays(b).remove(0));
        let same = a.labels == b.labels && a.shape == b.shape;
        return same && a.values.into_f64().into_iter().zip(b.values.into_f64()).all(|(a, b)| near(a, b));
    }
    let lines = |bytes: &[u8]| -> Vec<String> {
        let mut lines: Vec<String> = std::str::from_utf8(bytes).unwrap().lines().map(String::from).collect();
        lines.sort();
        lines
    };
    let cells = |a: &str, b: &str| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => near(a, b),
        _ => a == b,
    };
    let (a, b) = (lines(a), lines(b));
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.split(',').zip(b.split(',')).all(|(a, b)| cells(a, b)))
}

#[test]
fn another_pairing_would_have_changed_the_numbers() {
    let dir = workplace();
    // Presentations of a stimulus are in one group, or one fold; `npy cat` takes no numbers from the table.
    let one_level = ["tuning", "npy cat", "encode ablate", "encode score", "encode compare"];
    for line in BY_ID.iter().filter(|line| !one_level.iter().any(|w| line.starts_with(w))) {
        let (right, wrong) = (made(dir.path(), line, "trials.csv"), made(dir.path(), line, "wrong.csv"));
        assert!(!alike(&right, &wrong), "{line}");
    }
    // Presentations that are averaged have one level.
    run(dir.path(), &BY_ID[5].replace("TABLE", "trials.csv").replace("species", "run"))
        .fails(1, &["trials.csv", "in row", "of column \"run\"", "need one level"]);
    run(dir.path(), &BY_ID[6].replace("TABLE", "trials.csv").replace("species=human", "run=1"))
        .fails(1, &["trials.csv", "in row", "of column \"run\"", "need one level"]);
}

#[test]
fn unequal_counts_are_an_error_with_both_numbers() {
    let dir = workplace();
    for line in BY_ID.iter().filter(|line| !line.starts_with("tuning")) {
        let error = run(dir.path(), &line.replace("TABLE", "short.csv"));
        let one = if line.starts_with("npy cat") { "once" } else { "1 times" };
        error.fails(1, &["\"s3\"", "2 times", one]);
    }
    let three: String = fs::read_to_string(dir.path().join("trials.csv")).unwrap() + &line(3, 0);
    fs::write(dir.path().join("three.csv"), three).unwrap();
    run(dir.path(), &BY_ID[9].replace("TABLE", "three.csv")).fails(1, &["\"s3\"", "2 times", "3 times"]);
    // Rows that are shown once, of a table of two presentations.
    run(dir.path(), "select-units --stimuli trials.csv --by task brain.npy")
        .fails(1, &["\"s0\" is 1 row of brain.npy and 2 rows of trials.csv", "one per presentation"]);
}

#[test]
fn rows_in_the_order_of_the_table_need_no_ids_and_may_come_from_a_pipe() {
    let dir = workplace();
    let trials = fs::read(dir.path().join("trials.npy")).unwrap();
    for line in BY_ID {
        let own = made(dir.path(), line, "own.csv");
        let takes_bare =
            !["ceiling", "tuning", "rsa", "npy rows", "npy cat", "encode"].iter().any(|w| line.starts_with(w));
        if takes_bare && !line.contains("units.csv") {
            let bare = line.replace("TABLE", "own.csv").replace("trials.npy", "--assume-order bare.npy");
            let found = run(dir.path(), &bare).ok();
            let values = |bytes: &[u8]| bytes.starts_with(b"\x93NUMPY").then(|| matrix(bytes).0);
            match (values(&own), values(&found)) {
                (Some(own), Some(found)) => assert_eq!(own, found, "{bare}"),
                _ => assert_eq!(
                    String::from_utf8_lossy(&own).replace("trials", "bare"),
                    String::from_utf8_lossy(&found),
                    "{bare}"
                ),
            }
        }
        let one_pass = ["select-units", "unit-stats layers", "fmri-roi contrast", "fmri-roi localize"]
            .iter()
            .any(|w| line.starts_with(w));
        if one_pass {
            let piped = line.replace("trials.npy", "-");
            pipe(dir.path(), &piped.replace("TABLE", "own.csv"), &trials).ok();
            pipe(dir.path(), &piped.replace("TABLE", "trials.csv"), &trials).fails(1, &["trials.csv", "as a file"]);
        }
    }
    for (line, with_ids) in BY_PLACE {
        assert_eq!(run(dir.path(), line).ok(), run(dir.path(), with_ids).ok(), "{line}");
    }
}

#[test]
fn presentations_of_a_picture_stay_in_one_part_unless_a_column_says_otherwise() {
    let dir = workplace();
    let once: String = (0..N).map(|s| line(s, 0)).collect();
    fs::write(dir.path().join("once.csv"), format!("stimulus,task,run,species\n{once}")).unwrap();
    // Two rows of one picture with one level: the parts of a table of pictures.
    let rows: Vec<String> = (0..N).chain(0..N).map(|s| line(s, 0)).collect();
    fs::write(dir.path().join("twice.csv"), format!("stimulus,task,run,species\n{}", rows.concat())).unwrap();
    for cv in ["odd-even", "k=2"] {
        let line = |table: &str| format!("select-units --stimuli {table} --by task --all --cv {cv} trials.npy");
        assert_eq!(run(dir.path(), &line("once.csv")).ok(), run(dir.path(), &line("twice.csv")).ok(), "{cv}");
    }
    run(dir.path(), &format!("select-units --stimuli twice.csv --by task --cv k={} trials.npy", N + 1))
        .fails(1, &["15", "14 stimuli"]);
}
