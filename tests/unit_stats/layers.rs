//! `unit-stats layers`: every layer summed up, in one pass.

use ndarray::Array2;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use support::*;

const DOMAINS: [&str; 4] = ["faces", "bodies", "places", "objects"];

/// Activations in which units from `first` on prefer the domain `unit % 4`.
fn activations(n: usize, units: usize, first: usize, seed: u64) -> Array2<f64> {
    let mut acts = noise(n, units, seed);
    for unit in first..units {
        for row in (0..n).filter(|row| row % 4 == unit % 4) {
            acts[[row, unit]] += 1.5;
        }
    }
    acts
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let rows: String = (0..64).map(|i| format!("s{i},{}\n", DOMAINS[i % 4])).collect();
    fs::write(dir.path().join("floc.csv"), format!("stimulus,domain\n{rows}")).unwrap();
    for (name, units, first, seed) in [("layer3", 24, 12, 1), ("layer4", 40, 8, 2), ("plain", 24, 24, 3)] {
        save(&dir.path().join(format!("{name}.npy")), &activations(64, units, first, seed), Some(&ids(64)));
    }
    dir
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-11 * b.abs().max(1e-3) || (a.is_nan() && b.is_nan()), "{a} {b}");
}

const LINE: &str = "unit-stats layers --stimuli floc.csv --by domain";

fn table(dir: &Path, options: &str) -> Vec<Row> {
    rows(&run(dir, &format!("{LINE} {options}")).text())
}

#[test]
fn rows_sum_up_what_select_units_selects() {
    let dir = folder();
    for rules in ["--t 2", "--correct by --versus each", "--top 3 --rank-by dprime", "--t 2 --min-units 9", "--auc .8"]
    {
        let layers = table(dir.path(), &format!("{rules} layer3.npy layer4.npy"));
        assert_eq!(layers.len(), 8, "two layers, four categories");
        let line = format!("select-units --stimuli floc.csv --by domain {rules} layer3.npy layer4.npy");
        let units = rows(&run(dir.path(), &line).text());
        let mut seen = 0;
        for row in &layers {
            let of = |other: &&Row| other["array"] == row["array"] && other["contrast"] == row["contrast"];
            let own: Vec<_> = units.iter().filter(of).collect();
            let n = own.len();
            seen += n;
            assert_eq!(number(row, "n_selected"), n as f64, "{rules}");
            close(number(row, "proportion"), n as f64 / number(row, "n_units"));
            assert_eq!(row["reason"], if n == 0 { "empty" } else { "" });
            for (mean, column) in [("mean_t", "t"), ("mean_dprime", "dprime"), ("activation", "mean_preferred")] {
                close(number(row, mean), own.iter().map(|u| number(u, column)).sum::<f64>() / n as f64);
            }
            let others: HashSet<&str> = units
                .iter()
                .filter(|u| u["array"] == row["array"] && u["contrast"] != row["contrast"])
                .map(|u| u["unit"].as_str())
                .collect();
            let exclusive = own.iter().filter(|u| !others.contains(u["unit"].as_str())).count();
            assert_eq!(number(row, "n_exclusive"), exclusive as f64);
            close(number(row, "specificity"), exclusive as f64 / n as f64);
            if let Some(unit) = own.first() {
                assert_eq!(row["criterion"], unit["criterion"]);
            }
        }
        assert!(seen > 0 && seen == units.len(), "{rules}: {seen}");
    }
}

#[test]
fn activation_is_also_z_scored_and_relative() {
    let dir = folder();
    let acts = activations(64, 40, 8, 2);
    let row = &table(dir.path(), "--t 2 --contrast 'faces > bodies,places' layer4.npy")[0];
    let line = "select-units --stimuli floc.csv --by domain --t 2 --contrast 'faces > bodies,places' layer4.npy";
    let units: Vec<usize> = rows(&run(dir.path(), line).text()).iter().map(|r| number(r, "unit") as usize).collect();
    // Pictures outside the contrast are not looked at: mean and deviation are over three domains.
    let used: Vec<usize> = (0..64).filter(|r| r % 4 != 3).collect();
    let z: Vec<f64> = units
        .iter()
        .map(|&unit| {
            let values: Vec<f64> = used.iter().map(|&r| acts[[r, unit]]).collect();
            let mean = values.iter().sum::<f64>() / 48.0;
            let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 48.0).sqrt();
            let faces = used.iter().filter(|r| *r % 4 == 0).map(|&r| acts[[r, unit]]).sum::<f64>() / 16.0;
            (faces - mean) / sd
        })
        .collect();
    close(number(row, "activation_z"), z.iter().sum::<f64>() / z.len() as f64);
    let group = |unit: usize, of: fn(usize) -> bool| {
        let values: Vec<f64> = used.iter().filter(|r| of(**r % 4)).map(|&r| acts[[r, unit]]).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let largest =
        (0..40).flat_map(|unit| [group(unit, |d| d == 0), group(unit, |d| d > 0)]).fold(f64::NEG_INFINITY, f64::max);
    close(number(row, "activation_relative"), number(row, "activation") / largest);
}

#[test]
fn feature_maps_come_from_the_unit_table() {
    let dir = folder();
    // Layer 4: 10 maps of 4 positions; layer 3: 6 maps of 4.
    let mut text = "layer,unit,channel,y,x,token,column\n".to_owned();
    for (layer, units) in [("layer3", 24), ("layer4", 40)] {
        (0..units).for_each(|u| text += &format!("{layer},{u},{},{},{},,{u}\n", u / 4, u / 2 % 2, u % 2));
    }
    fs::write(dir.path().join("units.csv"), &text).unwrap();
    let layers = table(dir.path(), "--t 2 --unit-table units.csv layer3.npy layer4.npy");
    let units =
        rows(&run(dir.path(), "select-units --stimuli floc.csv --by domain --t 2 layer3.npy layer4.npy").text());
    for row in &layers {
        let n_maps = if row["array"] == "layer3" { 6 } else { 10 };
        let mut counts = vec![0.0; n_maps];
        for unit in units.iter().filter(|u| u["array"] == row["array"] && u["contrast"] == row["contrast"]) {
            counts[number(unit, "unit") as usize / 4] += 1.0;
        }
        let total: f64 = counts.iter().sum();
        let n = n_maps as f64;
        assert_eq!(number(row, "n_maps"), n);
        close(number(row, "share_of_maps"), counts.iter().filter(|c| **c > 0.0).count() as f64 / n);
        // Gini as the mean absolute difference over twice the mean; entropy by its definition.
        let differences: f64 = counts.iter().flat_map(|a| counts.iter().map(move |b| (a - b).abs())).sum();
        close(number(row, "gini"), differences / (2.0 * n * total));
        let entropy: f64 = counts.iter().filter(|c| **c > 0.0).map(|c| -c / total * (c / total).ln()).sum();
        close(number(row, "entropy"), entropy / n.ln());
        let full: Vec<f64> = counts.iter().filter(|c| **c > 0.0).map(|c| c / 4.0).collect();
        close(number(row, "within_map"), full.iter().sum::<f64>() / full.len() as f64);
    }
    let fails = |text: &str, line: &str, words: &[&str]| {
        fs::write(dir.path().join("wrong.csv"), text).unwrap();
        run(dir.path(), &format!("{LINE} --t 2 --unit-table wrong.csv {line}")).fails(1, words);
    };
    fails(&text.replace("layer4", "layer5"), "layer3.npy layer4.npy", &["no layer \"layer4\"", "layer3, layer5"]);
    fails(&text.replace("layer4,39,9,1,1,,39\n", ""), "layer4.npy", &["39 units", "40"]);
    fails(&text.replace("1,1,,39", "1,1,,38"), "layer4.npy", &["column 38 twice"]);
    // One array and one layer belong together whatever they are called; tokens without channels have no maps.
    let only: String = text.lines().filter(|l| !l.starts_with("layer3")).map(|l| format!("{l}\n")).collect();
    fs::write(dir.path().join("only.csv"), only.replace("layer4", "/4/relu")).unwrap();
    let out = run(dir.path(), &format!("{LINE} --t 2 --unit-table only.csv layer4.npy"));
    assert!(out.stderr.contains("is taken for array \"layer4\""), "{}", out.stderr);
    let tokens: String = (0..40).map(|u| format!("layer4,{u},,,,{u},{u}\n")).collect();
    fs::write(dir.path().join("tokens.csv"), format!("layer,unit,channel,y,x,token,column\n{tokens}")).unwrap();
    let out = run(dir.path(), &format!("{LINE} --t 2 --unit-table tokens.csv layer4.npy"));
    assert!(out.stderr.contains("no channels"), "{}", out.stderr);
    assert!(rows(&out.text()).iter().all(|r| r["gini"].is_empty()));
}

#[test]
fn models_stand_beside_each_other() {
    let dir = folder();
    sh(dir.path(), "cat layer3.npy layer4.npy > trained.npy; cat plain.npy layer3.npy > untrained.npy").ok();
    let fails = |options: &str, words: &[&str]| {
        run(dir.path(), &format!("{LINE} {options}")).fails(1, words);
    };
    // Layers of the same name must be there to be compared; widths may differ.
    let line = "--t 2 --models trained,untrained --against untrained --names conv3,conv4 trained.npy untrained.npy";
    let both = table(dir.path(), line);
    assert_eq!(both.len(), 16);
    for (i, row) in both.iter().enumerate() {
        assert_eq!(
            (row["model"].as_str(), row["array"].as_str()),
            [("trained", "conv3"), ("trained", "conv4"), ("untrained", "conv3"), ("untrained", "conv4"),][i / 4]
        );
        let base = &both[8 + i % 8];
        close(number(row, "proportion_difference"), number(row, "proportion") - number(base, "proportion"));
        close(number(row, "mean_dprime_difference"), number(row, "mean_dprime") - number(base, "mean_dprime"));
    }
    fails("--models one layer3.npy layer4.npy", &["1 models for 2 inputs"]);
    fails("--models one,one layer3.npy layer4.npy", &["\"one\""]);
    fails("--models a,b --against c layer3.npy layer4.npy", &["\"c\"", "a, b"]);
}

#[test]
fn consistency_is_the_correlation_of_rdms_of_selected_units() {
    let dir = folder();
    run(dir.path(), &format!("{LINE} --t 2 layer3.npy layer4.npy plain.npy --consistency c.csv -o layers.csv")).ok();
    let table = rows(&fs::read_to_string(dir.path().join("c.csv")).unwrap());
    assert_eq!(table.len(), 12, "three pairs of layers, four categories");
    let mut compared = 0;
    for row in &table {
        if row["r"] == "NaN" {
            assert_eq!(row["reason"], "too_few_units");
            continue;
        }
        compared += 1;
        // The same by the tools one after the other.
        let rdm = |array: &str| {
            format!(
                "select-units -q --stimuli floc.csv --by domain --t 2 --contrast '{}' {array}.npy > u.csv; \
                 npy cols --units u.csv {array}.npy | rsa rdm --dtype f8 - > {array}.rdm.npy",
                row["contrast"]
            )
        };
        let (a, b) = (&row["array_a"], &row["array_b"]);
        sh(dir.path(), &format!("{}; {}", rdm(a), rdm(b))).ok();
        let line = format!("rsa compare {a}.rdm.npy --brain {b}.rdm.npy --compare pearson");
        let r = number(&rows(&run(dir.path(), &line).text())[0], "r");
        assert!((number(row, "r") - r).abs() < 1e-12, "{} {r}", row["r"]);
        assert_eq!(number(row, "n_pairs"), 64.0 * 63.0 / 2.0);
    }
    assert!(compared >= 4, "{compared}");
    // Rows are brought into the order of the table, whatever theirs is.
    let order: Vec<usize> = (0..64).rev().collect();
    let labels: Vec<String> = order.iter().map(|i| format!("s{i}")).collect();
    let acts = activations(64, 40, 8, 2).select(ndarray::Axis(0), &order);
    fs::create_dir(dir.path().join("moved")).unwrap();
    save(&dir.path().join("moved/layer4.npy"), &acts, Some(&labels));
    run(dir.path(), &format!("{LINE} --t 2 layer3.npy moved/layer4.npy plain.npy --consistency m.csv -o m2.csv")).ok();
    for (a, b) in rows(&fs::read_to_string(dir.path().join("m.csv")).unwrap()).iter().zip(&table) {
        assert!((number(a, "r") - number(b, "r")).abs() < 1e-12 || a["r"] == b["r"]);
    }
    sh(dir.path(), &format!("cat layer3.npy layer4.npy | {LINE} --t 2 --consistency x.csv -"))
        .fails(1, &["a second time"]);
    let twice = ndarray::concatenate(ndarray::Axis(0), &[acts.view(), acts.view()]).unwrap();
    let labels: Vec<String> = labels.iter().chain(&labels).cloned().collect();
    save(&dir.path().join("twice.npy"), &twice, Some(&labels));
    run(dir.path(), &format!("{LINE} --t 2 twice.npy layer4.npy --consistency x.csv -o y.csv"))
        .fails(1, &["several presentations"]);
    assert!(!dir.path().join("y.csv").exists() && !dir.path().join("x.csv").exists());
}

#[test]
fn consistency_compares_pictures_that_both_layers_have() {
    let dir = folder();
    // One layer lacks the first picture, the other the last: as many pictures, but not the same ones.
    let all = activations(64, 24, 12, 1);
    let ids = ids(64);
    fs::create_dir(dir.path().join("in")).unwrap();
    for (name, first, end) in [("one", 0, 63), ("other", 1, 64), ("in/one", 1, 63), ("in/other", 1, 63)] {
        let part = all.slice(ndarray::s![first..end, ..]).to_owned();
        save(&dir.path().join(format!("{name}.npy")), &part, Some(&ids[first..end]));
    }
    // --t -99 takes every unit: one RDM twice.
    let consistency = |one: &str, other: &str| {
        let out = run(dir.path(), &format!("{LINE} --inner --t -99 {one} {other} --consistency c.csv -o layers.csv"));
        let said = out.stderr.clone();
        out.ok();
        (rows(&fs::read_to_string(dir.path().join("c.csv")).unwrap()), said)
    };
    let (table, said) = consistency("one.npy", "other.npy");
    for row in &table {
        assert_eq!(number(row, "n_pairs"), 62.0 * 61.0 / 2.0);
        assert!((number(row, "r") - 1.0).abs() < 1e-12, "{}", row["r"]);
    }
    assert!(said.contains("takes 62 of its 63 pictures"), "{said}");
    let (table, said) = consistency("in/one.npy", "in/other.npy");
    assert!(number(&table[0], "n_pairs") == 62.0 * 61.0 / 2.0 && !said.contains("of its"), "{said}");
}

#[test]
fn hard_units_and_manners() {
    let dir = folder();
    let mut acts = activations(64, 24, 12, 1);
    acts.column_mut(13).fill(3.0);
    acts[[5, 14]] = f64::NAN;
    save(&dir.path().join("layer3.npy"), &acts, Some(&ids(64)));
    let out = run(dir.path(), &format!("{LINE} --t 2 layer3.npy layer4.npy"));
    assert!(out.stderr.contains("1 of 24 units hold NaN"), "{}", out.stderr);
    let text = out.text();
    let row = &rows(&text)[0];
    assert_eq!((number(row, "n_constant"), number(row, "n_nan")), (1.0, 1.0));
    assert!(number(row, "activation_relative").is_finite());
    for threads in [1, 3] {
        assert_eq!(run(dir.path(), &format!("{LINE} --t 2 layer3.npy layer4.npy --threads {threads}")).text(), text);
    }
    let pipe = format!("cat layer3.npy layer4.npy | {LINE} --t 2 --names layer3,layer4 -");
    assert_eq!(sh(dir.path(), &pipe).text(), text);
    assert_eq!(sh(dir.path(), &format!("{LINE} --t 2 layer3.npy | head -c 20")).text().len(), 20);
    sh(dir.path(), &format!("{LINE} --t 2 layer3.npy > /dev/full")).fails(1, &["No space left"]);
    sh(dir.path(), &format!("head -c 3000 layer3.npy | {LINE} -")).fails(1, &["truncated"]);
    sh(dir.path(), &format!("true | {LINE} -")).fails(1, &["stdin"]);
    run(dir.path(), &format!("{LINE} layer3.npy layer3.npy")).fails(1, &["layer3"]);
    save(&dir.path().join("foreign.npy"), &acts, Some(&(1..65).map(|i| format!("s{i}")).collect::<Vec<_>>()));
    run(dir.path(), &format!("{LINE} foreign.npy")).fails(1, &["64", "s64"]);
}
