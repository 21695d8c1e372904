//! `unit-stats validate` and `probe` as their users meet them, and the manners of all verbs.

use ndarray::{Array2, Axis};
use std::fs;
use support::*;

const HEAD: &str = "array,contrast,unit,n_units,t,dprime,selectivity_index,criterion\n";

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
    let key = |row: &Row| ["contrast", "category", "n_selected", "n_constant", "n_nan", "n"].map(|c| row[c].clone());
    assert_eq!(key(&found[0]), ["faces > rest", "face", "5", "1", "1", "4"]);
    assert_eq!(key(&found[5]), ["cars > rest", "car", "1", "0", "0", "4"]);
    assert!(number(&found[0], "mean") > 0.8 && number(&found[0], "proportion") == 1.0);
    assert!(found.iter().all(|row| row["reason"].is_empty() && row["threshold"] == "3"));
    // The means of all pictures' z are 0: the categories have 4 pictures each.
    let sum: f64 = found[..3].iter().map(|row| number(row, "mean")).sum();
    assert!(sum.abs() < 1e-14, "{sum}");
}

#[test]
fn units_measured_on_the_pictures_that_chose_them_are_said_to_be_so() {
    let (dir, acts, labels) = pictures();
    let path = dir.path();
    run(path, "select-units --stimuli t.csv --by category --contrast 'face > rest' --t -9 acts.npy -o own.csv").ok();
    let line = "unit-stats validate acts.npy --units own.csv --stimuli t.csv --by category";
    let circular = run(path, line);
    assert!(circular.stderr.contains("acts.npy: these units were selected on it"), "{}", circular.stderr);
    // Other responses to the same table's pictures, as a held-out half has them, are another file.
    save(&path.join("other.npy"), &acts.mapv(|v| v + 1.0), Some(&labels));
    let other = run(path, &line.replace("acts.npy", "other.npy --names acts"));
    assert!(!other.stderr.contains("were selected on it"), "{}", other.stderr);
    let unknown = run(path, VALIDATE);
    assert!(!unknown.stderr.contains("were selected on it"), "{}", unknown.stderr);
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
    // The sidecar knows what nothing was found for.
    fs::write(path.join("none.json"), r#"{"output": "none.csv", "contrasts": ["a > b", "b > a"]}"#).unwrap();
    let text = run(path, "unit-stats validate acts.npy --units none.csv --stimuli t.csv --by category").text();
    let contrasts: Vec<String> = rows(&text).iter().step_by(3).map(|row| row["contrast"].clone()).collect();
    assert_eq!(contrasts, ["a > b", "b > a"]);
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
    run(path, &VALIDATE.replace("u.csv", "wide.csv")).fails(1, &["acts.npy: 10 columns", "chose from the 11 units"]);
    fs::write(path.join("far.csv"), "array,unit\nacts,10\n").unwrap();
    run(path, &VALIDATE.replace("u.csv", "far.csv"))
        .fails(1, &["10 columns (0 to 9)", "unit 10 of \"acts\" is chosen"]);
}

#[test]
fn a_matrix_of_the_chosen_columns_only_gives_the_same_numbers() {
    let (dir, acts, labels) = pictures();
    let path = dir.path();
    // The union of both sets, ascending.
    save(&path.join("few.npy"), &acts.select(Axis(1), &[0, 1, 2, 4, 7, 8]), Some(&labels));
    let few = VALIDATE.replace("acts.npy", "few.npy --names acts");
    run(path, &few).fails(1, &["6 columns", "10 units", "--chosen-only"]);
    assert_eq!(run(path, &format!("{few} --chosen-only")).ok(), run(path, VALIDATE).ok());
    run(path, &format!("{VALIDATE} --chosen-only")).fails(1, &["10 columns", "u.csv chooses 6 units"]);
    let probe = "unit-stats probe acts.npy --units u.csv --stimuli t.csv --by category --table auc";
    let few = format!("{} --chosen-only", probe.replace("acts.npy", "few.npy --names acts"));
    assert_eq!(run(path, &few).ok(), run(path, probe).ok());
    run(path, &few.replace("--units u.csv", "")).fails(1, &["--chosen-only", "--units"]);
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
    table("na.csv", &|i| if i < 6 { "face" } else { "NULL" });
    run(path, &VALIDATE.replace("t.csv", "na.csv")).fails(1, &["\"NULL\"", "looks like a missing value"]);
    table("some.csv", &|i| ["face", "house", "NA", "n/a"][i % 4]);
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
    // 6 chosen units x 12 rows x 8 bytes, and 16 bytes for each unit.
    run(path, &format!("{VALIDATE} --mem 671")).fails(1, &["acts.npy: 6 units x 12 rows", "--mem allows"]);
    run(path, &format!("{VALIDATE} --mem 672")).ok();
    // A pipe that promises 8 TB.
    let head = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.as_bytes());
    let probe = "unit-stats probe - --stimuli t.csv --by category --table auc";
    pipe(path, probe, &bytes).fails(1, &["1000000 units x 1000000 rows", "--mem allows 4.3 GB"]);
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
    for name in ["other.npy", "floc.npy", "conv.npy", "layer3.npy", "layer4.npy"] {
        save(&path.join(name), &acts, Some(&labels));
    }
    let table = fs::read_to_string(path.join("t.csv")).unwrap();
    fs::write(path.join("other.csv"), &table).unwrap();
    fs::write(path.join("floc.csv"), table.replace("category", "domain")).unwrap();
    for (name, criterion, n) in [
        ("floc_units.csv", "student t > 7", 4),
        ("other_units.csv", "student t > 7", 4),
        ("floc_all.csv", "all units", 10),
        ("other_all.csv", "all units", 10),
        ("measured.csv", "all units", 10),
        ("predicted.csv", "all units", 10),
        ("odd_runs.csv", "all units", 10),
        ("even_runs.csv", "all units", 10),
    ] {
        let chosen: String =
            (0..n).map(|u| format!("floc,faces > rest,{u},10,{},.5,.2,{criterion}\n", u as f64 + 7.5)).collect();
        fs::write(path.join(name), format!("{HEAD}{chosen}")).unwrap();
    }
    for help in [
        "unit-stats --help",
        "unit-stats layers --help",
        "unit-stats overlap --help",
        "unit-stats compare --help",
        "unit-stats validate --help",
        "unit-stats probe --help",
    ] {
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
