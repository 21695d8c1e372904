//! `rsa` as its users meet it: matrices and RDMs in, RDMs and tables of scores out.

use ndarray::{Array2, Axis, array};
use npy_stream::{Dtype, Matrix, Values, write_matrix, write_vector};
use rdm::Rdm;
use std::fs;
use std::path::Path;
use support::*;
use tempfile::{TempDir, tempdir};

/// Rows {1,2,3,4}, {2,1,4,3}, {4,3,2,1}, {1,3,2,5} of METHODS.md.
fn worked() -> Array2<f64> {
    array![[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0], [4.0, 3.0, 2.0, 1.0], [1.0, 3.0, 2.0, 5.0]]
}

/// The three RDMs of METHODS.md, four stimuli each.
const THREE: [[f64; 6]; 3] =
    [[0.1, 0.4, 0.5, 0.7, 0.2, 0.9], [0.2, 0.3, 0.6, 0.8, 0.1, 0.7], [0.3, 0.5, 0.4, 0.6, 0.2, 0.8]];

fn names(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

/// Bytes of an RDM as the contract has it.
fn rdm_bytes(values: &[f64], labels: Option<&[String]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_vector(&mut bytes, values, Dtype::F8, labels).unwrap();
    bytes
}

fn save_rdm(path: &Path, values: &[f64], labels: Option<&[String]>) {
    fs::write(path, rdm_bytes(values, labels)).unwrap();
}

/// The values of every RDM in these bytes.
fn triangles(bytes: &[u8]) -> Vec<Vec<f64>> {
    arrays(bytes).into_iter().map(|a| a.values.into_f64()).collect()
}

#[track_caller]
fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() <= tolerance || (f.is_nan() && e.is_nan()), "{found:?} is not {expected:?}");
    }
}

fn numbers(table: &[Row], column: &str) -> Vec<f64> {
    table.iter().map(|row| row[column].parse().unwrap()).collect()
}

/// Model `ann.npy` and brain `ffa.npy` (three subjects back to back) of ten stimuli, and the patterns behind them.
fn study() -> TempDir {
    let dir = tempdir().unwrap();
    let signal = noise(10, 8, 1);
    save(&dir.path().join("acts.npy"), &(&signal + &(0.5 * noise(10, 8, 2))), Some(&ids(10)));
    let subjects: Vec<u8> =
        (3..6).flat_map(|seed| bytes_of(&(&signal + &(0.8 * noise(10, 8, seed))), Some(&ids(10)))).collect();
    fs::write(dir.path().join("subjects.npy"), subjects).unwrap();
    sh(dir.path(), "rsa rdm acts.npy > ann.npy && rsa rdm subjects.npy > ffa.npy").ok();
    dir
}

#[test]
fn distances_are_those_worked_by_hand() {
    let dir = tempdir().unwrap();
    save(&dir.path().join("x.npy"), &worked(), Some(&names("a b c d")));
    let rdm = |options: &str| {
        let mut found = arrays(&run(dir.path(), &format!("rsa rdm {options} x.npy")).ok());
        assert_eq!(found.len(), 1);
        let rdm = found.remove(0);
        assert_eq!(rdm.labels.ids.as_deref(), Some(&names("a b c d")[..]));
        (rdm.shape.clone(), rdm.values.into_f64())
    };
    let correlation = [0.4, 2.0, 0.168478, 1.6, 0.924407, 1.831522];
    near(&rdm("").1, &correlation, 5e-7);
    near(&rdm("--metric correlation").1, &correlation, 5e-7);
    near(&rdm("--metric euclidean").1, &[2.0, 4.472136, 1.732051, 4.0, 3.605551, 5.0], 5e-7);
    let squares = [4.0, 20.0, 3.0, 16.0, 13.0, 25.0];
    near(&rdm("--metric sqeuclidean").1, &squares, 1e-12);
    // four units
    near(&rdm("--metric sqeuclidean --per-channel").1, &squares.map(|d| d / 4.0), 1e-12);
    // 1 - 28/30, 1 - 20/30, 1 - 33/sqrt(30 * 39); 22/30, 28/sqrt(1170); 22/sqrt(1170)
    let root = 1170.0_f64.sqrt();
    let cosine = [2.0 / 30.0, 10.0 / 30.0, 1.0 - 33.0 / root, 8.0 / 30.0, 1.0 - 28.0 / root, 1.0 - 22.0 / root];
    near(&rdm("--metric cosine").1, &cosine, 1e-12);
    let (shape, square) = rdm("--square --metric sqeuclidean");
    assert_eq!(shape, [4, 4]);
    let expected = [0.0, 4.0, 20.0, 3.0, 4.0, 0.0, 16.0, 13.0, 20.0, 16.0, 0.0, 25.0, 3.0, 13.0, 25.0, 0.0];
    near(&square, &expected, 1e-12);
    run(dir.path(), "rsa rdm --per-channel x.npy").fails(1, &["--per-channel", "--metric sqeuclidean"]);
    run(dir.path(), "rsa rdm --metric manhattan x.npy").fails(2, &["manhattan", "correlation"]);
}

#[test]
fn output_is_f4_unless_the_input_was_f8_or_dtype_says_so() {
    let dir = tempdir().unwrap();
    let mut f4 = Vec::new();
    write_matrix(&mut f4, &Matrix::F4(worked().mapv(|v| v as f32)), Some(&ids(4))).unwrap();
    fs::write(dir.path().join("f4.npy"), &f4).unwrap();
    save(&dir.path().join("f8.npy"), &worked(), Some(&ids(4)));
    let is_f4 = |line: &str| matches!(arrays(&run(dir.path(), line).ok())[0].values, Values::F4(_));
    assert!(is_f4("rsa rdm f4.npy"));
    assert!(!is_f4("rsa rdm f8.npy"));
    assert!(is_f4("rsa rdm f8.npy --dtype f4"));
    assert!(!is_f4("rsa rdm f4.npy --dtype f8"));
    assert!(is_f4("rsa rdm --square f4.npy"));
}

#[test]
fn a_stream_of_matrices_gives_a_stream_of_rdms() {
    let dir = tempdir().unwrap();
    save(&dir.path().join("x.npy"), &worked(), Some(&names("a b c d")));
    save(&dir.path().join("y.npy"), &noise(6, 5, 3), Some(&ids(6)));
    let both = sh(dir.path(), "cat x.npy y.npy | rsa rdm").ok();
    assert_eq!(both, run(dir.path(), "rsa rdm x.npy y.npy").ok());
    let one_by_one = sh(dir.path(), "rsa rdm x.npy; rsa rdm y.npy").ok();
    assert_eq!(both, one_by_one);
    assert_eq!(arrays(&both)[1].labels.ids.as_deref(), Some(&ids(6)[..]));
}

#[test]
fn file_pipe_and_dash_and_any_threads_give_the_same_bytes() {
    let dir = study();
    let path = dir.path();
    let acts = fs::read(path.join("acts.npy")).unwrap();
    let file = run(path, "rsa rdm acts.npy").ok();
    for line in ["rsa rdm", "rsa rdm -", "rsa rdm - --threads 1", "rsa rdm - --threads 2"] {
        assert_eq!(pipe(path, line, &acts).ok(), file, "{line}");
    }
    // large enough for several blocks of the product
    save(&path.join("large.npy"), &noise(150, 700, 7), Some(&ids(150)));
    assert_eq!(run(path, "rsa rdm --threads 1 large.npy").ok(), run(path, "rsa rdm --threads 2 large.npy").ok());
    for how in ["pearson", "spearman", "kendall", "tau-a", "rho-a", "cosine"] {
        let line = |model: &str, threads: u8| {
            format!("rsa compare {model} --brain ffa.npy --compare {how} --ceiling --names m --threads {threads}")
        };
        let one = run(path, &line("ann.npy", 1)).ok();
        assert_eq!(run(path, &line("ann.npy", 2)).ok(), one);
        assert_eq!(pipe(path, &line("-", 2), &fs::read(path.join("ann.npy")).unwrap()).ok(), one);
    }
}

#[test]
fn repeated_presentations_must_be_averaged_first() {
    let dir = tempdir().unwrap();
    save(&dir.path().join("t.npy"), &worked(), Some(&names("a b a c")));
    run(dir.path(), "rsa rdm t.npy").fails(1, &["t.npy", "\"a\" occurs 2 times", "4 rows, 3 ids", "npy average"]);
    save_rdm(&dir.path().join("r.npy"), &[1.0, 2.0, 3.0], Some(&names("a b a")));
    run(dir.path(), "rsa compare r.npy --brain r.npy").fails(1, &["r.npy", "\"a\" occurs 2 times"]);
}

#[test]
fn an_unusable_row_is_nan_with_one_line_that_names_it() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let mut patterns = noise(30, 6, 1);
    patterns.row_mut(4).fill(2.5);
    save(&path.join("x.npy"), &patterns, Some(&ids(30)));
    let out = run(path, "rsa rdm --quiet x.npy");
    assert_eq!(out.stderr.lines().count(), 1);
    for part in ["warning: x.npy: 29 of 435 pairs", "1 of 30 rows unusable (1 constant)", "row 4 (\"s4\")"] {
        assert!(out.stderr.contains(part), "{}", out.stderr);
    }
    let rdm = triangles(&out.ok()).remove(0);
    assert_eq!(rdm.iter().filter(|v| v.is_nan()).count(), 29);
    // the distances of the others are not touched
    let others: Vec<usize> = (0..30).filter(|i| *i != 4).collect();
    save(&path.join("y.npy"), &patterns.select(Axis(0), &others), None);
    let clean = triangles(&run(path, "rsa rdm y.npy").ok()).remove(0);
    let finite: Vec<f64> = rdm.into_iter().filter(|v| !v.is_nan()).collect();
    near(&finite, &clean, 1e-14);
    // a constant row has Euclidean distances
    assert!(run(path, "rsa rdm --metric euclidean x.npy").stderr.is_empty());

    // two rows of 30: 57 of 435 pairs are 13 %
    patterns[[20, 3]] = f64::NAN;
    save(&path.join("x.npy"), &patterns, Some(&ids(30)));
    let parts = ["x.npy: 57 of 435 pairs", "2 of 30 rows unusable (1 constant, 1 nan_input)", "10 %", "--allow-nan"];
    run(path, "rsa rdm x.npy").fails(1, &parts);
    let allowed = run(path, "rsa rdm --allow-nan x.npy");
    assert!(allowed.stderr.contains("57 of 435"));
    fs::write(path.join("allowed.npy"), allowed.ok()).unwrap();

    // compare counts the pairs it leaves out, and refuses as rdm does
    run(path, "rsa compare allowed.npy --brain allowed.npy --names m").fails(1, &["57 of 435", "--allow-nan"]);
    let scores = run(path, "rsa compare allowed.npy --brain allowed.npy --names m --allow-nan").text();
    let table = rows(&scores);
    assert_eq!((table[0]["n_stimuli"].as_str(), table[0]["n_pairs"].as_str()), ("30", "378"));
    near(&numbers(&table, "r"), &[1.0, 1.0], 1e-12);
}

#[test]
fn the_three_worked_rdms_have_their_ceilings() {
    let dir = tempdir().unwrap();
    let labels = names("a b c d");
    let brain: Vec<u8> = THREE.iter().flat_map(|v| rdm_bytes(v, Some(&labels))).collect();
    fs::write(dir.path().join("brain.npy"), &brain).unwrap();
    save_rdm(&dir.path().join("model.npy"), &THREE[0], Some(&labels));
    for (how, column, lower, upper) in [("pearson", "r", 0.907096, 0.958610), ("spearman", "rho", 0.912159, 0.942857)] {
        let text =
            run(dir.path(), &format!("rsa compare model.npy --brain brain.npy --compare {how} --ceiling")).text();
        let table = rows(&text);
        let header = format!("model,subject,compare,n_stimuli,n_pairs,{column},lower,upper,reason");
        assert_eq!(text.lines().next().unwrap(), header);
        let subjects: Vec<&str> = table.iter().map(|r| r["subject"].as_str()).collect();
        assert_eq!(subjects, ["brain", "brain:1", "brain:2", "mean"]);
        assert!(table.iter().all(|r| r["model"] == "model" && r["compare"] == how && r["reason"].is_empty()));
        for (bound, expected) in [("lower", lower), ("upper", upper)] {
            let values = numbers(&table, bound);
            assert!((values[3] - expected).abs() < 5e-7, "{how} {bound} {}", values[3]);
            // the mean row is the mean of the rows above it
            near(&values[3..], &[values[..3].iter().sum::<f64>() / 3.0], 1e-14);
        }
        // the model is the first subject's own RDM, so it scores 1 there: above the ceiling, and not clipped
        let scores = numbers(&table, column);
        near(&scores[..1], &[1.0], 1e-14);
        near(&scores[3..], &[scores[..3].iter().sum::<f64>() / 3.0], 1e-14);
    }
    let rho = rows(&run(dir.path(), "rsa compare model.npy --brain brain.npy --compare spearman").text());
    // ranks 1 3 4 5 2 6 and 2 3 4 6 1 5: d2 = 1 + 1 + 1 + 1; 1 - 6 * 4 / 210
    assert!((numbers(&rho, "rho")[1] - (1.0 - 24.0 / 210.0)).abs() < 1e-14);
    assert!(rho.iter().all(|r| r["lower"].is_empty() && r["upper"].is_empty()));
    let tau = rows(&run(dir.path(), "rsa compare model.npy --brain brain.npy --compare tau-a").text());
    // discordant pairs of those ranks: (1,5) and (4,6)
    assert!((numbers(&tau, "tau")[1] - (15.0 - 4.0) / 15.0).abs() < 1e-14);
    let text = run(dir.path(), "rsa compare model.npy --brain brain.npy --compare corr").text();
    assert!(text.starts_with("model,subject,compare,n_stimuli,n_pairs,r,") && text.contains(",pearson,"));
}

#[test]
fn order_of_rows_changes_nothing_but_a_line_on_stderr() {
    let dir = study();
    let path = dir.path();
    let expected = run(path, "rsa compare ann.npy --brain ffa.npy --ceiling");
    assert!(expected.stderr.is_empty(), "{}", expected.stderr);
    let expected = expected.ok();
    // the model's stimuli in another order
    let order = [3, 9, 0, 7, 1, 8, 2, 6, 5, 4];
    let ann = arrays(&fs::read(path.join("ann.npy")).unwrap()).remove(0);
    let moved = Rdm::from_condensed(ann.values.into_f64(), ann.labels.ids).unwrap().select(&order).unwrap();
    save_rdm(&path.join("moved.npy"), moved.values(), moved.labels());
    let out = sh(path, "rsa compare - --brain ffa.npy --ceiling --names ann < moved.npy");
    assert_eq!(out.stderr.lines().count(), 1, "{}", out.stderr);
    assert!(out.stderr.contains("rows of stdin brought into the order of ffa.npy"), "{}", out.stderr);
    assert_eq!(out.ok(), expected);
    // and the same square
    save(&path.join("square.npy"), &moved.to_square(), moved.labels());
    let square = run(path, "rsa compare square.npy --brain ffa.npy --ceiling --names ann -q");
    assert!(square.stderr.is_empty());
    assert_eq!(square.ok(), expected);
    // patterns in another order: the distances are the same up to rounding
    let (acts, labels) = matrix(&fs::read(path.join("acts.npy")).unwrap());
    let labels: Vec<String> = order.iter().map(|&i| labels.as_ref().unwrap()[i].clone()).collect();
    save(&path.join("acts2.npy"), &acts.select(Axis(0), &order), Some(&labels));
    near(&triangles(&run(path, "rsa rdm acts2.npy").ok())[0], moved.values(), 1e-14);
}

#[test]
fn other_stimuli_stop_the_comparison_and_inner_keeps_the_common_ones() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let values: Vec<f64> = (0..10).map(|i| f64::from((i * 7) % 10)).collect();
    save_rdm(&path.join("brain.npy"), &values, Some(&names("a b c d e")));
    save_rdm(&path.join("model.npy"), &values[..6], Some(&names("a b z d")));
    let parts = ["brain.npy has 5 distinct ids", "model.npy 4", "row 2 (\"c\")", "--inner keeps the 3"];
    run(path, "rsa compare model.npy --brain brain.npy").fails(1, &parts);
    let out = run(path, "rsa compare model.npy --brain brain.npy --inner");
    assert!(out.stderr.contains("kept 3 common ids"), "{}", out.stderr);
    let table = rows(&out.text());
    assert_eq!((table[0]["n_stimuli"].as_str(), table[0]["n_pairs"].as_str()), ("3", "3"));
    // a-b, a-d and b-d: places 0, 2, 5 of five stimuli and 0, 2, 4 of four
    let brain = [values[0], values[2], values[5]];
    let model = [values[0], values[2], values[4]];
    let mean = |v: [f64; 3]| v.iter().sum::<f64>() / 3.0;
    let dot = |x: [f64; 3], y: [f64; 3]| (0..3).map(|i| (x[i] - mean(x)) * (y[i] - mean(y))).sum::<f64>();
    let r = dot(brain, model) / (dot(brain, brain) * dot(model, model)).sqrt();
    assert!((numbers(&table, "r")[0] - r).abs() < 1e-14);
}

#[test]
fn rdms_without_ids_are_compared_only_when_told_to() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    save_rdm(&path.join("plain.npy"), &THREE[0], None);
    save_rdm(&path.join("labelled.npy"), &THREE[1], Some(&names("a b c d")));
    save_rdm(&path.join("longer.npy"), &[1.0; 10], None);
    let parts = ["labelled.npy has 4 rows with ids", "plain.npy has 4 without", "--assume-order"];
    run(path, "rsa compare labelled.npy --brain plain.npy").fails(1, &parts);
    let out = run(path, "rsa compare labelled.npy --brain plain.npy --assume-order");
    assert!(out.stderr.contains("by position (4 rows)"), "{}", out.stderr);
    let text = out.text();
    let again = run(path, "rsa compare plain.npy --brain plain.npy --assume-order --names labelled").text();
    assert!(text != again && rows(&text).len() == 2);
    run(path, "rsa compare longer.npy --brain plain.npy --assume-order").fails(1, &["4 rows", "5"]);
    // patterns without ids: an RDM without ids, said on stderr
    save(&path.join("x.npy"), &worked(), None);
    let out = run(path, "rsa rdm x.npy");
    assert!(out.stderr.contains("x.npy: no stimulus ids") && out.stderr.contains("npy label"), "{}", out.stderr);
    assert!(arrays(&out.ok())[0].labels.ids.is_none());
}

#[test]
fn what_is_no_rdm_is_refused_with_the_reason() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    save_rdm(&path.join("ok.npy"), &THREE[0], Some(&names("a b c d")));
    save_rdm(&path.join("seven.npy"), &[1.0; 7], None);
    run(path, "rsa compare seven.npy --brain ok.npy").fails(1, &["seven.npy: 7 values", "6 is 4 stimuli, 10 is 5"]);
    save(&path.join("skew.npy"), &array![[0.0, 1.0], [2.0, 0.0]], None);
    run(path, "rsa compare skew.npy --brain ok.npy")
        .fails(1, &["skew.npy: row 0, column 1 is 1", "row 1, column 0 is 2", "symmetric"]);
    save(&path.join("acts.npy"), &noise(4, 9, 1), Some(&ids(4)));
    run(path, "rsa compare acts.npy --brain ok.npy").fails(1, &["acts.npy: 4 x 9 is not a square RDM", "rsa rdm"]);
    save(&path.join("similar.npy"), &array![[1.0, 0.5], [0.5, 1.0]], None);
    run(path, "rsa compare similar.npy --brain ok.npy").fails(1, &["similar.npy: row 0, column 0 is 1"]);
    run(path, "rsa compare ok.npy --brain ok.npy ok.npy").fails(1, &["both named \"ok\"", "--names"]);
    run(path, "rsa compare ok.npy --brain ok.npy --ceiling").fails(1, &["ok.npy: 1 brain RDM", "at least 2"]);
    run(path, "rsa compare ok.npy --brain ok.npy --names a,b").fails(1, &["2 names for 1"]);
    run(path, "rsa compare - --brain -").fails(1, &["stdin"]);
    run(path, "rsa compare ok.npy").fails(2, &["--brain"]);
    run(path, "rsa compare --brain ok.npy").fails(2, &["MODEL"]);
    run(path, "rsa").fails(2, &["Usage"]);
}

#[test]
fn constant_rdms_have_no_score_and_do_not_stop_the_ceiling_of_others() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let labels = names("a b c d");
    save_rdm(&path.join("flat.npy"), &[0.5; 6], Some(&labels));
    save_rdm(&path.join("b1.npy"), &THREE[0], Some(&labels));
    save_rdm(&path.join("b2.npy"), &THREE[1], Some(&labels));
    let table = rows(&run(path, "rsa compare flat.npy b1.npy --brain b1.npy b2.npy --brain-names s1,s2").text());
    let flat: Vec<(&str, &str)> = table.iter().map(|r| (r["r"].as_str(), r["reason"].as_str())).collect();
    assert_eq!(flat[..3], [("NaN", "constant"); 3]);
    assert_eq!(flat[3].1, "");
    assert_eq!(table[1]["subject"], "s2");
    for how in ["tau-a", "rho-a"] {
        let line = format!("rsa compare flat.npy --brain b1.npy --compare {how}");
        let found = rows(&run(path, &line).text());
        let column = if how == "tau-a" { "tau" } else { "rho" };
        assert_eq!((found[0][column].as_str(), found[0]["reason"].as_str()), ("NaN", "constant"));
    }
    let ceiling = run(path, "rsa compare b1.npy --brain b2.npy flat.npy --ceiling");
    assert!(ceiling.stderr.contains("flat.npy: all 6 distances are 0.5 (constant)"), "{}", ceiling.stderr);
    let table = rows(&ceiling.text());
    assert_eq!((table[1]["r"].as_str(), table[1]["reason"].as_str()), ("NaN", "constant"));
    assert_eq!(table[2]["r"], table[0]["r"], "the mean is over the other subject");
    assert_eq!((table[2]["lower"].as_str(), table[2]["upper"].as_str()), ("NaN", "NaN"), "one subject has no ceiling");
}

#[test]
fn broken_input_is_an_error_that_names_it() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let whole = save(&path.join("x.npy"), &noise(6, 40, 2), Some(&ids(6)));
    fs::write(path.join("empty.npy"), b"").unwrap();
    fs::write(path.join("cut.npy"), &whole[..900]).unwrap();
    fs::write(path.join("table.csv"), b"stimulus,category\na,b\n").unwrap();
    save(&path.join("one.npy"), &noise(1, 5, 1), Some(&ids(1)));
    run(path, "rsa rdm empty.npy").fails(1, &["empty.npy"]);
    run(path, "rsa compare empty.npy --brain x.npy").fails(1, &["x.npy: 6 x 40 is not a square RDM"]);
    run(path, "rsa compare x.npy --brain empty.npy").fails(1, &["empty.npy"]);
    run(path, "rsa rdm cut.npy").fails(1, &["cut.npy", "772", "1920"]);
    run(path, "rsa rdm table.csv").fails(1, &["table.csv", "stimulus"]);
    run(path, "rsa rdm gone.npy").fails(1, &["gone.npy"]);
    run(path, "rsa rdm one.npy").fails(1, &["one.npy", "1 stimuli", "at least 2"]);
    pipe(path, "rsa rdm", &whole[..900]).fails(1, &["stdin", "772", "1920"]);
    pipe(path, "rsa rdm", b"").fails(1, &["stdin"]);
    // a later array that is cut leaves no RDM of the ones before it on stdout
    let two = [&whole[..], &whole[..900]].concat();
    pipe(path, "rsa rdm", &two).fails(1, &["stdin"]);
    save_rdm(&path.join("v.npy"), &[1.0, 2.0, 3.0], None);
    run(path, "rsa rdm v.npy").fails(1, &["v.npy", "3 values on 1 axis", "2 axes"]);
}

#[test]
fn pipes_close_disks_fill_and_files_come_whole() {
    let dir = study();
    let path = dir.path();
    save(&path.join("large.npy"), &noise(400, 10, 1), Some(&ids(400)));
    assert_eq!(sh(path, "rsa rdm large.npy | head -c 100").ok().len(), 100);
    assert_eq!(sh(path, "rsa compare ann.npy --brain ffa.npy | head -c 10").ok().len(), 10);
    for line in ["rsa rdm acts.npy > /dev/full", "rsa compare ann.npy --brain ffa.npy > /dev/full"] {
        sh(path, line).fails(1, &["No space"]);
    }
    let stdout = run(path, "rsa rdm acts.npy --metric cosine").ok();
    assert!(run(path, "rsa rdm acts.npy --metric cosine -o made.npy").ok().is_empty());
    assert_eq!(fs::read(path.join("made.npy")).unwrap(), stdout);
    let side: serde_json::Value = serde_json::from_slice(&fs::read(path.join("made.json")).unwrap()).unwrap();
    assert_eq!((side["tool"].as_str(), side["metric"].as_str()), (Some("rsa"), Some("cosine")));
    assert_eq!(side["inputs"][0]["name"], "acts.npy");
    run(path, "rsa rdm acts.npy -o no/such/folder.npy").fails(1, &["no/such"]);
    run(path, "rsa compare ann.npy --brain ffa.npy -o scores.csv").ok();
    let side: serde_json::Value = serde_json::from_slice(&fs::read(path.join("scores.json")).unwrap()).unwrap();
    assert_eq!(side["compare"], "pearson");
    assert_eq!(side["inputs"].as_array().unwrap().len(), 2);
    let json = run(path, "rsa compare ann.npy --brain ffa.npy --format jsonl").text();
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&first["model"], &first["n_stimuli"], &first["lower"]), (&"ann".into(), &10.into(), &().into()));
}

#[test]
fn files_of_one_stem_are_told_apart_by_their_folder() {
    let dir = study();
    let path = dir.path();
    for (k, rdm) in triangles(&fs::read(path.join("ffa.npy")).unwrap()).into_iter().enumerate() {
        fs::create_dir(path.join(format!("sub-{k}"))).unwrap();
        save_rdm(&path.join(format!("sub-{k}/ffa.npy")), &rdm, Some(&ids(10)));
    }
    let table = rows(&sh(path, "rsa compare ann.npy --brain sub-*/ffa.npy --ceiling").text());
    let subjects: Vec<&str> = table.iter().map(|r| r["subject"].as_str()).collect();
    assert_eq!(subjects, ["sub-0/ffa", "sub-1/ffa", "sub-2/ffa", "mean"]);
    let stream = rows(&run(path, "rsa compare ann.npy --brain ffa.npy --ceiling").text());
    assert_eq!(numbers(&table, "upper"), numbers(&stream, "upper"));
    // several models, several brains, an option between
    let line = "rsa compare ann.npy sub-0/ffa.npy --brain sub-1/ffa.npy sub-2/ffa.npy --compare spearman";
    assert_eq!(rows(&run(path, line).text()).len(), 6);
}

#[test]
fn the_92_pictures_have_the_ceilings_of_rsatoolbox() {
    let Some(folder) = data("kriegeskorte92") else { return };
    let raw = arrays(&fs::read(folder.join("hIT_rdms_subj4_sess2.npy")).unwrap()).remove(0);
    assert_eq!(raw.shape, [4, 2, 92, 92]);
    let values = raw.values.into_f64();
    let dir = tempdir().unwrap();
    // per subject the mean of the two sessions, as a square
    let subjects: Vec<u8> = values
        .chunks_exact(2 * 92 * 92)
        .flat_map(|sessions| {
            let (one, two) = sessions.split_at(92 * 92);
            let mean: Vec<f64> = one.iter().zip(two).map(|(a, b)| (a + b) / 2.0).collect();
            bytes_of(&Array2::from_shape_vec((92, 92), mean).unwrap(), Some(&ids(92)))
        })
        .collect();
    fs::write(dir.path().join("hit.npy"), subjects).unwrap();
    // boot_noise_ceiling of rsatoolbox 0.3.2 on the same session means
    for (how, lower, upper) in [
        ("spearman", 0.3723132509024721, 0.6657209044705086),
        ("pearson", 0.3944099370598255, 0.6804132264274559),
        ("cosine", 0.9881429498310618, 0.9933374448078394),
        ("tau-a", 0.25394387961007875, 0.4766544166964924),
        ("rho-a", 0.37231323488728446, 0.6657208819195045),
        ("kendall", 0.25395711310854996, 0.4766742320122325),
    ] {
        let line = format!("rsa compare hit.npy --brain hit.npy --compare {how} --ceiling");
        let table = rows(&run(dir.path(), &line).text());
        assert_eq!(table.len(), 4 * 5);
        let mean = &table[4];
        assert_eq!((mean["subject"].as_str(), mean["n_pairs"].as_str()), ("mean", "4186"));
        let [found_lower, found_upper]: [f64; 2] = ["lower", "upper"].map(|c| mean[c].parse().unwrap());
        assert!((found_lower - lower).abs() < 1e-9, "{how}: {found_lower} for {lower}");
        assert!((found_upper - upper).abs() < 1e-9, "{how}: {found_upper} for {upper}");
    }
}

/// The commands under `Examples:` in a help text.
fn examples(help: &str) -> Vec<String> {
    let after = help.split("Examples:").nth(1).unwrap();
    after.lines().map(str::trim).filter(|l| !l.is_empty()).map(String::from).collect()
}

#[test]
fn the_examples_of_the_help_run() {
    let dir = study();
    let path = dir.path();
    for k in 1..4 {
        fs::create_dir(path.join(format!("sub-{k}"))).unwrap();
        // People who share something, as fitted models need.
        let ffa = noise(10, 6, 20) + 0.4 * noise(10, 6, k);
        save(&path.join(format!("sub-{k}/ffa.npy")), &ffa, Some(&ids(10)));
        sh(
            path,
            &format!("rsa rdm sub-{k}/ffa.npy > sub-{k}.npy; cp sub-{k}.npy m{k}.npy; cp sub-{k}.npy layer{k}.npy"),
        )
        .ok();
    }
    let trials = [ids(10), ids(10)].concat();
    save(&path.join("trials.npy"), &noise(20, 6, 9), Some(&trials));
    save(&path.join("betas.npy"), &noise(20, 6, 9), Some(&trials));
    save(&path.join("res.npy"), &noise(50, 6, 10), None);
    save(&path.join("voxels.npy"), &noise(10, 6, 11), Some(&ids(10)));
    sh(path, "rsa rdm voxels.npy > pixels.npy; cp m1.npy layer1.npy; cp ann.npy layer2.npy").ok();
    let runs: String = trials.iter().enumerate().map(|(row, id)| format!("{id},{}\n", row / 10)).collect();
    fs::write(path.join("trials.csv"), format!("stimulus,run\n{runs}")).unwrap();
    for help in ["rsa --help", "rsa rdm --help", "rsa compare --help"] {
        let text = run(path, help).text();
        let lines = examples(&text);
        assert!(lines.len() >= 3, "{text}");
        for line in lines {
            sh(path, &line).ok();
        }
    }
    assert!(path.join("scores.csv").exists() && path.join("ann.json").exists());
}

#[test]
fn an_rdm_of_an_rdm_is_refused() {
    let dir = tempdir().unwrap();
    save(&dir.path().join("acts.npy"), &noise(6, 4, 1), Some(&ids(6)));
    run(dir.path(), "rsa rdm --square acts.npy -o square.npy").ok();
    run(dir.path(), "rsa rdm square.npy").fails(1, &["square.npy", "6 x 6", "an RDM already", "rsa compare"]);
}

#[test]
fn a_subject_may_not_be_named_as_the_mean_row() {
    let dir = tempdir().unwrap();
    save(&dir.path().join("acts.npy"), &noise(6, 4, 1), Some(&ids(6)));
    run(dir.path(), "rsa rdm acts.npy -o mean.npy").ok();
    run(dir.path(), "rsa compare mean.npy --brain mean.npy").fails(1, &["mean.npy", "--brain-names"]);
    run(dir.path(), "rsa compare mean.npy --brain mean.npy --brain-names one").ok();
}

#[test]
fn scores_are_divided_by_what_noise_leaves_to_reach() {
    let dir = study();
    let path = dir.path();
    let signal = noise(10, 8, 1);
    let shown: Vec<Array2<f64>> = (0..3).map(|k| &signal + &(0.5 * noise(10, 8, 40 + k))).collect();
    let trials = ndarray::concatenate(Axis(0), &shown.iter().map(|s| s.view()).collect::<Vec<_>>()).unwrap();
    let all: Vec<String> = std::iter::repeat_n(ids(10), 3).flatten().collect();
    for name in ["one", "two"] {
        save(&path.join(format!("{name}.npy")), &trials, Some(&all));
        sh(path, &format!("npy average {name}.npy | rsa rdm > {name}_rdm.npy")).ok();
    }
    sh(path, "ceiling gsn one.npy two.npy --draws 50 -q > gsn.csv").ok();
    let line = "rsa compare ann.npy --brain one_rdm.npy two_rdm.npy --brain-names one,two";
    let bounds = rows(&fs::read_to_string(path.join("gsn.csv")).unwrap());
    let table = rows(&run(path, &format!("{line} --r-max gsn.csv")).text());
    for (row, bound) in table.iter().zip(&bounds) {
        near(&[number(row, "r_norm")], &[number(row, "r") / number(bound, "rdm_ceiling")], 1e-12);
    }
    near(&[number(&table[2], "r_norm")], &[(number(&table[0], "r_norm") + number(&table[1], "r_norm")) / 2.0], 1e-12);
    assert!(!rows(&run(path, line).text())[0].contains_key("r_norm"));
    // the reliabilities of `ceiling within` go for ranks too, with a warning
    run(path, "ceiling within --stat rdm --compare spearman one.npy two.npy -q -o within.csv").ok();
    let bounds = rows(&fs::read_to_string(path.join("within.csv")).unwrap());
    let out = run(path, &format!("{line} --compare spearman --r-max within.csv"));
    assert!(out.stderr.contains("takes their noise for additive"), "{}", out.stderr);
    let row = &rows(&out.text())[0];
    near(&[number(row, "r_norm")], &[number(row, "rho") / number(&bounds[0], "r_max")], 1e-12);
    // one without a bound has no r_norm, and says so
    fs::write(path.join("zero.csv"), "array,n_stimuli,rdm_ceiling\none,10,0\ntwo,10,0.5\n").unwrap();
    let out = run(path, &format!("{line} --r-max zero.csv"));
    assert!(out.stderr.contains("1 of 2 subjects have no bound above 0"), "{}", out.stderr);
    let table = rows(&out.text());
    assert_eq!((&table[0]["r_norm"][..], &table[0]["reason"][..]), ("NaN", "negative_reliability"));
    near(&[number(&table[2], "r_norm")], &[number(&table[1], "r") / 0.5], 1e-12);
    for (options, parts) in [
        ("--compare kendall --r-max gsn.csv", &["--r-max with --compare kendall"][..]),
        ("--compare spearman --r-max gsn.csv", &["pearson correlations", "--compare is spearman"]),
        ("--compare pearson --r-max within.csv", &["spearman correlations", "--compare is pearson"]),
        ("--partial one_rdm.npy --r-max gsn.csv", &["--r-max bounds whole RDMs", "`ceiling rdm --partial`"]),
    ] {
        run(path, &format!("{line} {options}")).fails(1, parts);
    }
    fs::write(path.join("more.csv"), "array,n_stimuli,rdm_ceiling\none,12,.9\ntwo,12,0.9\n").unwrap();
    run(path, &format!("{line} --r-max more.csv")).fails(1, &["over 12 stimuli, and 10 are compared"]);
    run(path, "rsa compare ann.npy --brain one_rdm.npy --r-max gsn.csv").fails(1, &["0 rows are called \"one_rdm\""]);
}

#[test]
fn the_ceiling_of_one_person_is_not_anothers() {
    let dir = study();
    let path = dir.path();
    for (person, seed) in [("sub-01", 50), ("sub-02", 60)] {
        fs::create_dir(path.join(person)).unwrap();
        let shown: Vec<Array2<f64>> = (0..3).map(|k| &noise(10, 8, 1) + &(0.5 * noise(10, 8, seed + k))).collect();
        let trials = ndarray::concatenate(Axis(0), &shown.iter().map(|s| s.view()).collect::<Vec<_>>()).unwrap();
        let all: Vec<String> = std::iter::repeat_n(ids(10), 3).flatten().collect();
        save(&path.join(person).join("ffa.npy"), &trials, Some(&all));
        sh(path, &format!("npy average {person}/ffa.npy | rsa rdm > {person}/rdm.npy")).ok();
    }
    run(path, "ceiling gsn sub-01/ffa.npy --draws 50 -q -o ffa.csv").ok();
    let line = |person: &str| format!("rsa compare ann.npy --brain {person}/rdm.npy --brain-names ffa --r-max ffa.csv");
    run(path, &line("sub-01")).ok();
    run(path, &line("sub-02")).fails(1, &["ffa.csv", "was made from sub-01", "sub-02/rdm.npy is of sub-02"]);
    // Without its record a table is taken at its word.
    fs::remove_file(path.join("ffa.json")).unwrap();
    run(path, &line("sub-02")).ok();
}
