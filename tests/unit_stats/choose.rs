//! `unit-stats layers --choose`: a layer is chosen on pictures that do not report.

use ndarray::{Array2, Axis};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use support::*;

const DOMAINS: [&str; 4] = ["faces", "bodies", "places", "objects"];
const N: usize = 96;
const LINE: &str = "unit-stats layers --stimuli floc.csv --by domain";

/// Noise in which the first `n_face` units prefer faces by so much.
fn layer(units: usize, n_face: usize, by: f64, seed: u64) -> Array2<f64> {
    let mut acts = noise(N, units, seed);
    for row in (0..N).step_by(4) {
        (0..n_face).for_each(|unit| acts[[row, unit]] += by);
    }
    acts
}

/// Pictures whose half is `a`, `b`, or missing (the last four).
fn half(i: usize) -> &'static str {
    if i >= N - 4 { "" } else { ["a", "b"][i / 4 % 2] }
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let rows: String = (0..N).map(|i| format!("s{i},{},{}\n", DOMAINS[i % 4], half(i))).collect();
    fs::write(dir.path().join("floc.csv"), format!("stimulus,domain,half\n{rows}")).unwrap();
    // The second layer has most face units, the third few strong ones; the first and last have none.
    for (name, n_face, by, seed) in [("one", 0, 0.0, 1), ("two", 15, 1.5, 2), ("three", 4, 4.0, 3), ("four", 0, 0.0, 4)]
    {
        save(&dir.path().join(format!("{name}.npy")), &layer(30, n_face, by, seed), Some(&ids(N)));
    }
    dir
}

const FILES: &str = "one.npy two.npy three.npy four.npy";

fn table(dir: &Path, options: &str) -> Vec<Row> {
    rows(&run(dir, &format!("{LINE} {options}")).text())
}

fn written(dir: &Path, name: &str) -> Vec<Row> {
    rows(&fs::read_to_string(dir.join(name)).unwrap())
}

fn chosen_of(table: &[Row]) -> Vec<&str> {
    table.iter().filter(|row| row["chosen"] == "true").map(|row| row["array"].as_str()).collect()
}

fn same(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-11 * b.abs().max(1e-3) || (a.is_nan() && b.is_nan()), "{a} {b}");
}

/// The files of one half alone, in a folder of their own.
fn half_alone(dir: &Path, which: &str) -> std::path::PathBuf {
    let own = dir.join(format!("half_{which}"));
    fs::create_dir(&own).unwrap();
    let kept: Vec<usize> = (0..N).filter(|i| half(*i) == which).collect();
    let lines: String = kept.iter().map(|i| format!("s{i},{}\n", DOMAINS[i % 4])).collect();
    fs::write(own.join("floc.csv"), format!("stimulus,domain\n{lines}")).unwrap();
    let names: Vec<String> = kept.iter().map(|i| format!("s{i}")).collect();
    for name in ["one", "two", "three", "four"] {
        let (acts, _) = matrix(&fs::read(dir.join(format!("{name}.npy"))).unwrap());
        save(&own.join(format!("{name}.npy")), &acts.select(Axis(0), &kept), Some(&names));
    }
    own
}

/// t or d' of every unit of every array and contrast, by `select-units --all`.
fn of_units(dir: &Path, column: &str) -> HashMap<(String, String, usize), f64> {
    let units = rows(&run(dir, &format!("select-units --all --stimuli floc.csv --by domain {FILES}")).text());
    let key = |row: &Row| (row["array"].clone(), row["contrast"].clone(), number(row, "unit") as usize);
    units.iter().map(|row| (key(row), number(row, column))).collect()
}

/// The slow way: cut the files in two, ask each half by itself, and follow the units of one to the other.
#[test]
fn the_table_is_that_of_the_half_that_reports_and_the_values_those_of_units_followed_there() {
    let dir = folder();
    let (a, b) = (half_alone(dir.path(), "a"), half_alone(dir.path(), "b"));
    for rules in ["--t 2", "--correct bh --alpha .2", "--t 1.5 --versus each", "--auc .8", "--t 2 --min-units 3"] {
        let [train, test] = [&a, &b].map(|half| table(half, &format!("{rules} {FILES}")));
        let line = format!("select-units --stimuli floc.csv --by domain {rules} {FILES}");
        let units = rows(&run(&a, &line).text());
        for rule in ["selected", "t", "dprime"] {
            let found = table(dir.path(), &format!("{rules} --choose {rule} --train half=a {FILES}"));
            assert_eq!((found.len(), train.len()), (16, 16));
            let column = if rule == "dprime" { "dprime" } else { "t" };
            let versus = if rules.contains("each") { "" } else { column };
            let there = of_units(&b, column);
            for (row, (train, test)) in found.iter().zip(train.iter().zip(&test)) {
                for (name, value) in test {
                    assert_eq!(&row[name], value, "{rules} {rule}: {name}");
                }
                let own = match rule {
                    "selected" => "proportion",
                    "t" => "mean_t",
                    _ => "mean_dprime",
                };
                assert_eq!(row["value_train"], train[own], "{rules} {rule}");
                assert_eq!(row["n_selected_train"], train["n_selected"]);
                assert_eq!(row["rule"], rule);
                let kept = units.iter().filter(|u| u["array"] == row["array"] && u["contrast"] == row["contrast"]);
                let kept: Vec<usize> = kept.map(|u| number(u, "unit") as usize).collect();
                let n_kept = if number(train, "n_selected") == 0.0 { 0 } else { kept.len() };
                assert_eq!(row["reason_choice"], if n_kept == 0 { "empty" } else { "" });
                match rule {
                    "selected" => assert_eq!(row["value"], test["proportion"]),
                    // `--all` reports the weakest comparison too, so this holds for --versus each only of its own rows.
                    _ if versus.is_empty() || n_kept == 0 => {}
                    _ => {
                        let of = |u: &usize| there[&(row["array"].clone(), row["contrast"].clone(), *u)];
                        same(number(row, "value"), mean(&kept.iter().map(of).collect::<Vec<_>>()));
                    }
                }
            }
            // One per contrast that has any unit, of the highest value.
            for contrast in DOMAINS {
                let of: Vec<&Row> = found.iter().filter(|r| r["contrast"].starts_with(contrast)).collect();
                let candidates = of.iter().filter(|r| number(r, "n_selected_train") > 0.0);
                let best = candidates.clone().map(|r| number(r, "value_train")).fold(f64::NEG_INFINITY, f64::max);
                let first = candidates.clone().find(|r| number(r, "value_train") == best).map(|r| &r["array"]);
                let chosen: Vec<&String> = of.iter().filter(|r| r["chosen"] == "true").map(|r| &r["array"]).collect();
                assert_eq!(chosen, first.into_iter().collect::<Vec<_>>(), "{rules} {rule} {contrast}");
            }
        }
    }
}

#[test]
fn a_planted_layer_is_chosen_by_what_the_rule_asks() {
    let dir = folder();
    // A region that responds to faces as the third layer's first units do, picture by picture.
    let three = layer(30, 4, 4.0, 3);
    let own = three.slice(ndarray::s![.., ..4]).mean_axis(Axis(1)).unwrap();
    let voxels = Array2::from_shape_fn((N, 5), |(row, _)| own[row]) + 0.3 * noise(N, 5, 9);
    save(&dir.path().join("ffa.npy"), &voxels, Some(&ids(N)));
    let faces = "--contrast 'faces > rest' --t 3";
    for (rule, expected) in
        [("selected", "two"), ("t", "three"), ("dprime", "three"), ("tuning --brain ffa.npy", "three")]
    {
        for halves in ["--train half=a", "--train half=b", "--seed 3", ""] {
            let line = format!("{faces} --choose {rule} {halves} --chosen c.csv {FILES}");
            let found = table(dir.path(), &line);
            assert_eq!(chosen_of(&found), [expected], "{rule} {halves}");
            let chosen = written(dir.path(), "c.csv");
            assert_eq!(chosen.len(), 1);
            assert_eq!((chosen[0]["array"].as_str(), number(&chosen[0], "n_layers")), (expected, 4.0));
            let row = found.iter().find(|row| row["chosen"] == "true").unwrap();
            for column in ["contrast", "rule", "n_tied", "n_selected_train", "value_train", "value"] {
                assert_eq!(chosen[0][column], row[column]);
            }
            assert_eq!((row["rank"].as_str(), row["n_tied"].as_str()), ("1", "0"));
        }
    }
}

/// The correlation of the mean over the chosen units, by hand, over pictures that lie in another order.
#[test]
fn tuning_is_the_correlation_of_profiles_on_either_half() {
    let dir = folder();
    let order: Vec<usize> = (0..N).map(|i| (i * 7) % N).collect();
    let two = layer(30, 15, 1.5, 2);
    let voxels = noise(N, 3, 11);
    // Two presentations of each picture, moved.
    let twice: Vec<usize> = order.iter().chain(&order).copied().collect();
    let trials = voxels.select(Axis(0), &twice) + noise(2 * N, 3, 12);
    let labels: Vec<String> = twice.iter().map(|i| format!("s{i}")).collect();
    save(&dir.path().join("ffa.npy"), &trials, Some(&labels));
    save(&dir.path().join("ppa.npy"), &voxels, Some(&ids(N)));
    let line = "--contrast 'faces > rest' --contrast 'places > rest' --t 1 --choose tuning --train half=a --brain ffa.npy \
                --brain ppa.npy two.npy";
    let found = table(dir.path(), line);
    let a = half_alone(dir.path(), "a");
    let profiles = [0, 1].map(|region| -> Vec<f64> {
        (0..N)
            .map(|picture| match region {
                0 => {
                    let rows = twice.iter().enumerate().filter(|(_, p)| **p == picture).map(|(row, _)| row);
                    mean(&rows.map(|row| mean(&trials.row(row).to_vec())).collect::<Vec<_>>())
                }
                _ => mean(&voxels.row(picture).to_vec()),
            })
            .collect()
    });
    for (row, profile) in found.iter().zip(&profiles) {
        let line =
            format!("select-units --stimuli floc.csv --by domain --contrast '{}' --t 1 two.npy", row["contrast"]);
        let units: Vec<usize> = rows(&run(&a, &line).text()).iter().map(|u| number(u, "unit") as usize).collect();
        assert!(units.len() > 1);
        for (which, column) in [("a", "value_train"), ("b", "value")] {
            let pictures = || (0..N).filter(|i| half(*i) == which);
            let model: Vec<f64> =
                pictures().map(|i| mean(&units.iter().map(|u| two[[i, *u]]).collect::<Vec<_>>())).collect();
            let brain: Vec<f64> = pictures().map(|i| profile[i]).collect();
            same(number(row, column), pearson(&model, &brain));
        }
    }
    // A file of columns, and a pipe, are held; the bytes are the same.
    let text = run(dir.path(), &format!("{LINE} {line}")).text();
    let piped = line.replace("two.npy", "--names two -");
    assert_eq!(sh(dir.path(), &format!("cat two.npy | {LINE} {piped}")).text(), text);
    assert_eq!(run(dir.path(), &format!("{LINE} {line} --threads 1")).text(), text);
    sh(dir.path(), &format!("cat two.npy | {LINE} {piped} --mem 1K")).fails(1, &["--mem allows"]);
}

/// Of many layers of noise the best looks good where it was chosen; what it reports does not.
#[test]
fn the_best_of_noise_reports_nothing() {
    let dir = folder();
    let files: Vec<String> = (0..12).map(|k| format!("noise{k}.npy")).collect();
    for (k, file) in files.iter().enumerate() {
        save(&dir.path().join(file), &noise(N, 40, 100 + k as u64), Some(&ids(N)));
    }
    save(&dir.path().join("ffa.npy"), &noise(N, 1, 99), Some(&ids(N)));
    let n_seeds = 24;
    for rule in ["selected", "t", "tuning --brain ffa.npy"] {
        let (mut trained, mut reported, mut over_layers) = (Vec::new(), Vec::new(), Vec::new());
        for seed in 0..n_seeds {
            let line = format!("--contrast 'faces > rest' --t 1.3 --choose {rule} --seed {seed} {}", files.join(" "));
            let found = table(dir.path(), &line);
            let chosen = found.iter().find(|row| row["chosen"] == "true").unwrap();
            trained.push(number(chosen, "value_train"));
            reported.push(number(chosen, "value"));
            over_layers.push(mean(&found.iter().map(|row| number(row, "value")).collect::<Vec<_>>()));
        }
        let (trained, reported, over_layers) = (mean(&trained), mean(&reported), mean(&over_layers));
        // What a layer of noise has on the other half by chance: a tenth of its units, a t or an r of 0.
        match rule {
            "selected" => {
                assert!((over_layers - 0.1).abs() < 0.02, "{over_layers}");
                assert!(trained > 1.5 * over_layers, "{trained} {over_layers}");
                assert!(reported < 1.25 * over_layers, "{reported} {over_layers}");
            }
            // Means of about four units: sd .5, over 24 seeds .1. Units were chosen by t > 1.3.
            "t" => assert!(trained > 1.7 && reported.abs() < 0.4, "{trained} {reported}"),
            // r of 48 pictures: sd .14; the best of 12 about .2.
            _ => assert!(trained > 0.15 && reported.abs() < 0.1, "{trained} {reported}"),
        }
    }
}

#[test]
fn halves_are_dealt_within_categories_and_written() {
    let dir = folder();
    let parts = |options: &str| -> Vec<(String, String)> {
        run(dir.path(), &format!("{LINE} --t 2 --choose selected {options} --parts parts.csv one.npy -o x.csv")).ok();
        written(dir.path(), "parts.csv").iter().map(|r| (r["stimulus"].clone(), r["part"].clone())).collect()
    };
    let (seed_0, seed_1) = (parts(""), parts("--seed 1"));
    assert_eq!(seed_0, parts("--seed 0"));
    assert_ne!(seed_0, seed_1);
    for domain in 0..4 {
        let of = (0..N).filter(|i| i % 4 == domain);
        assert_eq!(of.filter(|i| seed_0[*i].1 == "train").count(), N / 8);
    }
    let by_column = parts("--train half=b");
    assert!((0..N).all(|i| by_column[i].1
        == match half(i) {
            "b" => "train",
            "a" => "test",
            _ => "",
        }));
    // The same halves as a column give the same table.
    let dealt = run(dir.path(), &format!("{LINE} --t 2 --choose t --seed 1 {FILES}")).text();
    let lines: String = (0..N).map(|i| format!("s{i},{},{}\n", DOMAINS[i % 4], seed_1[i].1)).collect();
    fs::write(dir.path().join("parts_floc.csv"), format!("stimulus,domain,part\n{lines}")).unwrap();
    let line = LINE.replace("floc.csv", "parts_floc.csv");
    let given = run(dir.path(), &format!("{line} --t 2 --choose t --train part=train {FILES}")).text();
    assert_eq!(dealt, given);
    // Rows of the matrices in another order change nothing.
    let pipe = format!("cat {FILES} | {LINE} --t 2 --choose t --seed 1 --names one,two,three,four -");
    assert_eq!(sh(dir.path(), &pipe).text(), dealt);
}

#[test]
fn models_choose_by_themselves_and_ties_and_empty_layers_are_named() {
    let dir = folder();
    sh(dir.path(), "cat one.npy two.npy two.npy > a.npy; cat three.npy one.npy one.npy > b.npy").ok();
    let line = format!(
        "{LINE} --contrast 'faces > rest' --t 4 --models a,b --names x,y,z --choose selected --train half=a --chosen \
         c.csv a.npy b.npy"
    );
    let out = run(dir.path(), &line);
    assert!(
        out.stderr.contains("a: contrast \"faces > rest\": 2 layers are equally good by selected"),
        "{}",
        out.stderr
    );
    assert!(out.stderr.contains("y is chosen as the first of them, before z"), "{}", out.stderr);
    let found = rows(&out.text());
    let chosen: Vec<(&str, &str)> =
        found.iter().filter(|r| r["chosen"] == "true").map(|r| (r["model"].as_str(), r["array"].as_str())).collect();
    assert_eq!(chosen, [("a", "y"), ("b", "x")]);
    assert_eq!(found.iter().map(|r| r["rank"].as_str()).collect::<Vec<_>>(), ["", "1", "1", "1", "", ""]);
    assert_eq!(found.iter().map(|r| r["n_tied"].as_str()).collect::<Vec<_>>(), ["", "1", "1", "0", "", ""]);
    let table = written(dir.path(), "c.csv");
    assert_eq!((table[0]["model"].as_str(), table[0]["array"].as_str(), table[0]["n_tied"].as_str()), ("a", "y", "1"));
    // No layer has a unit: a row that says so, and no first layer.
    for rule in ["selected", "t"] {
        let out = run(dir.path(), &format!("{LINE} --t 90 --choose {rule} --chosen c.csv {FILES}"));
        assert!(out.stderr.contains("no layer is chosen, as 0 of 4"), "{}", out.stderr);
        let found = rows(&out.text());
        assert!(found.iter().all(|r| r["chosen"] == "false" && r["reason_choice"] == "empty" && r["rank"].is_empty()));
        let table = written(dir.path(), "c.csv");
        assert_eq!(table.len(), 4);
        assert!(table.iter().all(|r| r["array"].is_empty() && r["reason"] == "empty" && r["value"] == "NaN"));
    }
}

#[test]
fn consistency_of_a_choice_is_that_of_the_half_that_reports() {
    let dir = folder();
    let b = half_alone(dir.path(), "b");
    let line = |more: &str| format!("{LINE} --t 1 {more} --consistency r.csv -o x.csv {FILES}");
    run(dir.path(), &line("--choose selected --train half=a")).ok();
    run(&b, &line("")).ok();
    let read = |dir: &Path| fs::read_to_string(dir.join("r.csv")).unwrap();
    assert_eq!(read(dir.path()), read(&b));
}

#[test]
fn units_that_are_silent_where_they_report_are_counted() {
    let dir = folder();
    let mut acts = layer(30, 15, 1.5, 2);
    (0..N).filter(|i| half(*i) == "b").for_each(|i| (0..2).for_each(|unit| acts[[i, unit]] = 0.5));
    save(&dir.path().join("two.npy"), &acts, Some(&ids(N)));
    let line = format!("{LINE} --contrast 'faces > rest' --t 2 --choose t --train half=a two.npy");
    let out = run(dir.path(), &line);
    assert!(out.stderr.contains("2 of ") && out.stderr.contains("have no t on those of test"), "{}", out.stderr);
    let found = rows(&out.text());
    assert!(number(&found[0], "value").is_finite());
    // All of them: no value, and a reason.
    (0..N).filter(|i| half(*i) == "b").for_each(|i| (0..30).for_each(|unit| acts[[i, unit]] = 0.5));
    save(&dir.path().join("two.npy"), &acts, Some(&ids(N)));
    save(&dir.path().join("ffa.npy"), &noise(N, 2, 3), Some(&ids(N)));
    let found = rows(&run(dir.path(), &line).text());
    assert_eq!((found[0]["value"].as_str(), found[0]["reason_choice"].as_str()), ("NaN", "no_usable_unit"));
    let found = rows(&run(dir.path(), &line.replace("--choose t", "--choose tuning --brain ffa.npy")).text());
    assert_eq!((found[0]["value"].as_str(), found[0]["reason_choice"].as_str()), ("NaN", "constant"));
    assert_eq!(found[0]["chosen"], "true", "it was chosen by pictures on which it does respond");
}

#[test]
fn bad_choices_are_refused_before_any_layer_is_read() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    save(&at("ffa.npy"), &noise(N, 2, 3), Some(&ids(N)));
    let mut hole = noise(N, 2, 3);
    hole[[5, 1]] = f64::NAN;
    save(&at("hole.npy"), &hole, Some(&ids(N)));
    save(&at("short.npy"), &noise(6, 2, 3), Some(&ids(6)));
    save(&at("bare.npy"), &noise(N, 2, 3), None);
    save(&at("empty.npy"), &Array2::zeros((N, 0)), Some(&ids(N)));
    let fails = |options: &str, code: i32, words: &[&str]| {
        run(dir.path(), &format!("{LINE} {options} two.npy")).fails(code, words);
    };
    fails("--choose best", 2, &["best"]);
    fails("--train half=a", 2, &["--choose"]);
    fails("--choose t --train half", 2, &["COLUMN=VALUE"]);
    fails("--choose t --train half=a --seed 1", 2, &["--seed"]);
    fails("--choose t --train half=c", 1, &["never is \"c\"", "a, b"]);
    fails("--choose t --train thalf=a", 1, &["thalf"]);
    fails("--choose selected --top 5", 1, &["--top", "size of the layers"]);
    fails("--choose tuning", 1, &["0 are given"]);
    fails("--choose t --brain ffa.npy", 1, &["looks at no brain"]);
    fails("--choose tuning --brain ffa.npy", 1, &["1 --brain for 4 contrasts", "faces > rest"]);
    let faces = "--contrast 'faces > rest' --choose tuning --brain";
    fails(&format!("{faces} hole.npy"), 1, &["hole.npy", "row 5 of 96", "NaN"]);
    fails(&format!("{faces} empty.npy"), 1, &["0 voxels"]);
    fails(&format!("{faces} short.npy"), 1, &["short.npy"]);
    fails(&format!("{faces} bare.npy"), 1, &["bare.npy", "ids"]);
    fails(&format!("--inner {faces} short.npy --train half=b"), 1, &["pictures are in the half of"]);
    // One half has too few pictures of a category.
    let lines: String =
        (0..N).map(|i| format!("s{i},{},{}\n", DOMAINS[i % 4], if i == 0 { "a" } else { "b" })).collect();
    fs::write(at("lame.csv"), format!("stimulus,domain,half\n{lines}")).unwrap();
    let lame = LINE.replace("floc.csv", "lame.csv");
    run(dir.path(), &format!("{lame} --choose t --train half=a two.npy")).fails(1, &["pictures of train"]);
    // One picture on both sides.
    let lines: String = (0..N).map(|i| format!("s{},{},{}\n", i / 2, DOMAINS[i / 2 % 4], ["a", "b"][i % 2])).collect();
    fs::write(at("trials.csv"), format!("stimulus,domain,half\n{lines}")).unwrap();
    let trials: Vec<String> = (0..N).map(|i| format!("s{}", i / 2)).collect();
    save(&at("trials.npy"), &noise(N, 8, 3), Some(&trials));
    let of_trials = LINE.replace("floc.csv", "trials.csv");
    run(dir.path(), &format!("{of_trials} --choose t --train half=a trials.npy"))
        .fails(1, &["\"s0\"", "more than one part"]);
    // Dealt halves keep the presentations of a picture together.
    run(dir.path(), &format!("{of_trials} --t 2 --choose t --parts p.csv -o x.csv trials.npy")).ok();
    assert_eq!(written(dir.path(), "p.csv").len(), N / 2);
}
