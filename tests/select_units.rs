//! `select-units` as its users meet it: activations and a contrast in, a table of units out.
#![allow(clippy::unwrap_used)]

use ndarray::{Array2, Axis, array, concatenate};
use npy_stream::{Dtype, Matrix, RowWriter, write_matrix};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use support::*;

const HEADER: &str = "array,unit,n,mean_preferred,mean_rest,t,df,p,neg_log10_p,q,dprime,selectivity_index,reason";
const CONTRAST: &str = "--by domain --contrast 'faces > rest'";

/// 4 categories x `per` pictures, in rounds (faces, bodies, places, objects, faces, ...).
fn table(dir: &Path, n: usize) -> Vec<String> {
    let domains = ["faces", "bodies", "places", "objects"];
    let rows: String = (0..n).map(|i| format!("s{i},{}\n", domains[i % 4])).collect();
    fs::write(dir.join("t.csv"), format!("stimulus,domain\n{rows}")).unwrap();
    ids(n)
}

fn folder(n: usize, units: usize) -> (tempfile::TempDir, Array2<f64>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let labels = table(dir.path(), n);
    let mut acts = noise(n, units, 7);
    // Units 0, 3, 6, ... prefer faces, less and less.
    for unit in (0..units).step_by(3) {
        for row in (0..n).step_by(4) {
            acts[[row, unit]] += 3.0 / (1.0 + unit as f64);
        }
    }
    save(&dir.path().join("acts.npy"), &acts, Some(&labels));
    (dir, acts, labels)
}

fn number(row: &HashMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} is {:?}", row[column]))
}

/// Student's t of the preferred rows against the others, by its textbook formula.
fn student(acts: &Array2<f64>, unit: usize, preferred: impl Fn(usize) -> bool, rest: impl Fn(usize) -> bool) -> f64 {
    let of = |wanted: &dyn Fn(usize) -> bool| -> (f64, f64, f64) {
        let values: Vec<f64> = (0..acts.nrows()).filter(|r| wanted(*r)).map(|r| acts[[r, unit]]).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (n, mean, values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>())
    };
    let ((na, ma, sa), (nb, mb, sb)) = (of(&preferred), of(&rest));
    (ma - mb) / ((sa + sb) / (na + nb - 2.0) * (1.0 / na + 1.0 / nb)).sqrt()
}

#[test]
fn the_worked_example_of_four_against_five() {
    // A = {5, 6, 7, 8}, B = {1, 2, 2, 3, 4}; scipy.stats.ttest_ind, one-sided.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("t.csv"), "stimulus,domain\ns0,a\ns1,a\ns2,a\ns3,a\ns4,b\ns5,b\ns6,b\ns7,b\ns8,b\n")
        .unwrap();
    let acts = array![[5.], [6.], [7.], [8.], [1.], [2.], [2.], [3.], [4.]];
    save(&dir.path().join("acts.npy"), &acts, Some(&ids(9)));
    let line = "select-units --stimuli t.csv --by domain --contrast 'a > b' --all acts.npy --test";
    let text = run(dir.path(), &format!("{line} student")).text();
    assert_eq!(text.lines().next().unwrap(), HEADER);
    let row = &rows(&text)[0];
    for (column, value, tolerance) in [
        ("n", 9.0, 0.0),
        ("mean_preferred", 6.5, 1e-15),
        ("mean_rest", 2.4, 1e-15),
        ("t", 5.063217, 5e-7),
        ("df", 7.0, 0.0),
        ("p", 0.00145810 / 2.0, 5e-9),
        ("dprime", 3.366390, 5e-7),
        ("selectivity_index", 0.460674, 5e-7),
    ] {
        assert!((number(row, column) - value).abs() <= tolerance, "{column}: {}", row[column]);
    }
    assert!((number(row, "neg_log10_p") + number(row, "p").log10()).abs() < 1e-12);
    assert_eq!((row["q"].as_str(), row["reason"].as_str()), ("", ""));
    let welch = &rows(&run(dir.path(), &format!("{line} welch")).text())[0];
    assert!((number(welch, "t") - 4.984212).abs() < 5e-7 && (number(welch, "df") - 6.123786).abs() < 5e-7);
}

#[test]
fn file_pipe_dash_threads_and_dtypes_give_the_same() {
    let (dir, acts, labels) = folder(40, 9);
    let file = run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --all acts.npy --names x")).text();
    let bytes = fs::read(dir.path().join("acts.npy")).unwrap();
    for end in ["--names x", "--names x -", "--names x - --threads 1", "--names x --threads 2"] {
        let piped = pipe(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --all {end}"), &bytes).text();
        assert_eq!(file, piped, "{end}");
    }
    for (unit, row) in rows(&file).iter().enumerate() {
        let t = student(&acts, unit, |r| r % 4 == 0, |r| r % 4 != 0);
        assert!((number(row, "t") / t - 1.0).abs() < 1e-12, "unit {unit}");
    }
    // The same small integers as f4, f8 and big-endian i2 in Fortran order.
    let whole = acts.mapv(|v| (v * 50.0).round());
    let mut versions = vec![bytes_of(&whole, Some(&labels))];
    let mut single = Vec::new();
    write_matrix(&mut single, &Matrix::F4(whole.mapv(|v| v as f32)), Some(&labels)).unwrap();
    versions.push(single);
    let mut half = RowWriter::new(Vec::new(), 40, 9, Dtype::F2).unwrap();
    half.write_rows(whole.view()).unwrap();
    versions.push(half.finish(Some(&labels)).unwrap());
    let all: Vec<String> = versions
        .iter()
        .map(|b| pipe(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --all"), b).text())
        .collect();
    assert!(all.iter().all(|t| *t == all[0]));
}

#[test]
fn rules_are_thresholds_rates_and_ranks() {
    let (dir, ..) = folder(80, 30);
    let select = |rules: &str| {
        let text = run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} {rules} acts.npy")).text();
        assert_eq!(text.lines().next().unwrap(), HEADER);
        rows(&text).iter().map(|r| r["unit"].parse::<usize>().unwrap()).collect::<Vec<_>>()
    };
    let all = rows(&run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --all acts.npy")).text());
    let t: Vec<f64> = all.iter().map(|r| number(r, "t")).collect();
    let above = |limit: f64| (0..30).filter(|&u| t[u] > limit).collect::<Vec<_>>();
    assert_eq!(select(""), above(7.0), "the default is t > 7");
    assert!(!above(7.0).is_empty() && above(7.0).len() < above(1.0).len());
    assert_eq!(select("--t 1"), above(1.0));
    let mut ranked: Vec<usize> = (0..30).collect();
    ranked.sort_by(|&a, &b| t[b].total_cmp(&t[a]));
    let best = |n: usize| {
        let mut units = ranked[..n].to_vec();
        units.sort_unstable();
        units
    };
    assert_eq!(select("--top 4"), best(4));
    assert_eq!(select("--top 10%"), best(3));
    assert_eq!(select("--top 20 --t 1"), above(1.0), "top is taken among those that pass");
    // Benjamini-Hochberg by its definition: the largest k with p(k) <= k/m alpha.
    let mut p: Vec<(f64, usize)> = all.iter().enumerate().map(|(u, r)| (number(r, "p"), u)).collect();
    p.sort_by(|a, b| a.0.total_cmp(&b.0));
    let k = (1..=30).rev().find(|&k| p[k - 1].0 <= 0.05 * k as f64 / 30.0).unwrap_or(0);
    let mut passed: Vec<usize> = p[..k].iter().map(|x| x.1).collect();
    passed.sort_unstable();
    assert_eq!(select("--fdr bh --alpha .05"), passed);
    assert!(select("--fdr by").len() <= passed.len());
    run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --fdr bh --alpha 5 acts.npy"))
        .fails(2, &["5 % is .05"]);
    run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --t nan acts.npy")).fails(2, &["nan"]);
    run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --alpha .05 acts.npy")).fails(2, &["--fdr"]);
}

#[test]
fn ties_at_the_last_place_go_to_the_lower_index() {
    let dir = tempfile::tempdir().unwrap();
    let labels = table(dir.path(), 8);
    let one = array![[9.], [1.], [2.], [1.], [8.], [0.], [1.], [2.]];
    let same = concatenate(Axis(1), &[one.view(), one.view(), one.view(), one.view()]).unwrap();
    save(&dir.path().join("acts.npy"), &same, Some(&labels));
    let text = run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --top 2 acts.npy")).text();
    assert_eq!(rows(&text).iter().map(|r| r["unit"].clone()).collect::<Vec<_>>(), ["0", "1"]);
}

#[test]
fn each_means_every_other_category_and_reports_the_weakest() {
    let (dir, acts, _) = folder(80, 12);
    let text = run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --versus each --all acts.npy")).text();
    for (unit, row) in rows(&text).iter().enumerate() {
        let weakest =
            (1..4).map(|k| student(&acts, unit, |r| r % 4 == 0, |r| r % 4 == k)).fold(f64::INFINITY, f64::min);
        assert!((number(row, "t") / weakest - 1.0).abs() < 1e-12);
        assert_eq!(number(row, "n"), 40.0, "the pictures of that comparison");
    }
}

#[test]
fn dead_and_nan_units_keep_their_row_and_are_never_selected() {
    let dir = tempfile::tempdir().unwrap();
    let labels = table(dir.path(), 16);
    let mut acts = noise(16, 4, 3);
    acts.column_mut(1).fill(0.25);
    acts[[5, 2]] = f64::NAN;
    (0..16).step_by(4).for_each(|r| acts[[r, 3]] += 50.0);
    save(&dir.path().join("acts.npy"), &acts, Some(&labels));
    let outcome = run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --all acts.npy"));
    assert!(outcome.stderr.contains("1 constant, 1 NaN"), "{}", outcome.stderr);
    let all = rows(&outcome.text());
    assert_eq!(all.iter().map(|r| r["reason"].as_str()).collect::<Vec<_>>(), ["", "constant", "nan_input", ""]);
    assert!(all[1]["t"] == "NaN" && all[2]["t"] == "NaN");
    for rules in ["--top 4", "--t -1e9", "--fdr bh --alpha 1"] {
        let text = run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} {rules} acts.npy")).text();
        assert!(rows(&text).iter().all(|r| r["unit"] != "1" && r["unit"] != "2"), "{rules}");
    }
}

#[test]
fn large_means_and_tiny_variances_keep_their_t() {
    let (dir, acts, labels) = folder(400, 6);
    let shifted = acts.mapv(|v| 1e6 + 1e-2 * v);
    save(&dir.path().join("far.npy"), &shifted, Some(&labels));
    let text = run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --all far.npy")).text();
    for (unit, row) in rows(&text).iter().enumerate() {
        // Taking 1e6 off again is exact, so this is the t of the very numbers in the file. A mean near 1e6 is known to
        // a few units in its last place, 1e-10, and the standard error here is 7e-4.
        let t = student(&(&shifted - 1e6), unit, |r| r % 4 == 0, |r| r % 4 != 0);
        assert!((number(row, "t") - t).abs() < 2e-6, "unit {unit}: {} {t}", row["t"]);
    }
}

#[test]
fn arrays_of_a_stream_and_files_are_named() {
    let (dir, acts, labels) = folder(16, 3);
    save(&dir.path().join("other.npy"), &(2.0 * &acts), Some(&labels));
    let names = |text: &str| rows(text).iter().map(|r| r["array"].clone()).collect::<Vec<_>>();
    let two = run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --all acts.npy other.npy")).text();
    assert_eq!(names(&two), ["acts", "acts", "acts", "other", "other", "other"]);
    let piped =
        sh(dir.path(), &format!("cat acts.npy other.npy | select-units --stimuli t.csv {CONTRAST} --all")).text();
    assert_eq!(names(&piped), ["0", "0", "0", "1", "1", "1"]);
    let given =
        sh(dir.path(), &format!("cat acts.npy other.npy | select-units --stimuli t.csv {CONTRAST} --all --names a,b"));
    assert_eq!(names(&given.text()), ["a", "a", "a", "b", "b", "b"]);
    let line = format!("select-units --stimuli t.csv {CONTRAST} --all acts.npy other.npy --names");
    run(dir.path(), &format!("{line} a")).fails(1, &["other.npy", "--names gives 1"]);
    run(dir.path(), &format!("{line} q,q")).fails(1, &["second called \"q\""]);
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::copy(dir.path().join("acts.npy"), dir.path().join("sub/acts.npy")).unwrap();
    run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} acts.npy sub/acts.npy"))
        .fails(1, &["sub/acts.npy", "\"acts\"", "--names"]);
}

#[test]
fn rows_are_found_by_id_and_a_pipe_in_another_order_asks_for_a_file() {
    let (dir, acts, labels) = folder(24, 5);
    let order: Vec<usize> = (0..24).map(|i| (i * 7 + 3) % 24).collect();
    let moved: Vec<String> = order.iter().map(|&i| labels[i].clone()).collect();
    let bytes = save(&dir.path().join("moved.npy"), &acts.select(Axis(0), &order), Some(&moved));
    let line = |end: &str| format!("select-units --stimuli t.csv {CONTRAST} --all --names x {end}");
    let straight = rows(&run(dir.path(), &line("acts.npy")).text());
    let found = rows(&run(dir.path(), &line("moved.npy")).text());
    for (a, b) in straight.iter().zip(&found) {
        // Rows are summed in another order.
        assert!((number(a, "t") - number(b, "t")).abs() < 1e-12);
    }
    pipe(dir.path(), &line(""), &bytes).fails(1, &["row 0 of stdin is \"s3\"", "t.csv is \"s0\"", "as a file"]);

    let mut foreign = labels.clone();
    foreign[4] = "zebra".into();
    let bytes = save(&dir.path().join("foreign.npy"), &acts, Some(&foreign));
    run(dir.path(), &line("foreign.npy")).fails(1, &["24 distinct ids", "row 4 (\"zebra\")", "--inner"]);
    pipe(dir.path(), &line(""), &bytes).fails(1, &["\"zebra\""]);
    let inner = run(dir.path(), &line("--inner foreign.npy"));
    assert!(inner.stderr.contains("23 common ids"), "{}", inner.stderr);
    assert!(rows(&inner.text()).iter().all(|r| r["n"] == "23"));
}

#[test]
fn rows_without_ids_need_the_users_word_and_trials_count_one_by_one() {
    let (dir, acts, labels) = folder(16, 3);
    let bytes = save(&dir.path().join("bare.npy"), &acts, None);
    let line = format!("select-units --stimuli t.csv {CONTRAST} --all --names x");
    run(dir.path(), &format!("{line} bare.npy")).fails(1, &["16 rows without ids", "npy label", "--assume-order"]);
    pipe(dir.path(), &line, &bytes).fails(1, &["stdin", "--assume-order"]);
    let expected = run(dir.path(), &format!("{line} acts.npy")).text();
    let outcome = run(dir.path(), &format!("{line} --assume-order bare.npy"));
    assert!(outcome.stderr.contains("by position (16 rows)"), "{}", outcome.stderr);
    assert_eq!(outcome.text(), expected);
    assert_eq!(pipe(dir.path(), &format!("{line} --assume-order"), &bytes).text(), expected);
    save(&dir.path().join("short.npy"), &acts.slice(ndarray::s![..15, ..]).to_owned(), None);
    run(dir.path(), &format!("{line} --assume-order short.npy")).fails(1, &["15 rows", "16"]);

    let twice = concatenate(Axis(0), &[acts.view(), acts.view()]).unwrap();
    let shown: Vec<String> = labels.iter().chain(&labels).cloned().collect();
    save(&dir.path().join("trials.npy"), &twice, Some(&shown));
    assert!(rows(&run(dir.path(), &format!("{line} trials.npy")).text()).iter().all(|r| r["n"] == "32"));
}

#[test]
fn what_is_asked_and_not_there_is_named() {
    let (dir, ..) = folder(16, 3);
    let ask = |rest: &str| run(dir.path(), &format!("select-units --stimuli t.csv {rest} acts.npy"));
    ask("--by kind --contrast 'faces > rest'").fails(1, &["t.csv", "no column \"kind\"", "stimulus, domain"]);
    ask("--by domain --contrast 'face > rest'").fails(1, &["\"face\"", "faces", "bodies"]);
    ask("--by domain --contrast 'faces > faces'").fails(2, &["faces"]);
    ask("--by domain --contrast 'faces'").fails(2, &["faces"]);
    run(dir.path(), &format!("select-units {CONTRAST} acts.npy")).fails(2, &["--stimuli"]);
    run(dir.path(), &format!("select-units --stimuli no.csv {CONTRAST} acts.npy")).fails(1, &["no.csv"]);
    run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} no.npy")).fails(1, &["no.npy"]);
    run(dir.path(), &format!("select-units --stimuli acts.npy {CONTRAST} acts.npy"))
        .fails(1, &[".npy array where a CSV"]);
    fs::write(dir.path().join("single.csv"), "stimulus,domain\ns0,faces\ns1,bodies\ns2,bodies\n").unwrap();
    save(&dir.path().join("three.npy"), &noise(3, 2, 1), Some(&ids(3)));
    run(dir.path(), &format!("select-units --stimuli single.csv {CONTRAST} three.npy")).fails(1, &["1", "2"]);
}

#[test]
fn bad_bytes_closed_pipes_and_full_disks() {
    let (dir, ..) = folder(80, 400);
    let line = format!("select-units --stimuli t.csv {CONTRAST} --all");
    let good = fs::read(dir.path().join("acts.npy")).unwrap();
    pipe(dir.path(), &line, b"").fails(1, &["select-units: stdin", "0 bytes"]);
    pipe(dir.path(), &line, b"unit,t\n1,2\n").fails(1, &["not a .npy array"]);
    for cut in [7, 90, 140, good.len() / 2, good.len() - 3] {
        pipe(dir.path(), &line, &good[..cut]).fails(1, &["stdin", "truncated"]);
        fs::write(dir.path().join("cut.npy"), &good[..cut]).unwrap();
        run(dir.path(), &format!("{line} cut.npy")).fails(1, &["cut.npy", "truncated"]);
    }
    let mut flat = Vec::new();
    npy_stream::write_vector(&mut flat, &[1.0, 2.0], Dtype::F8, None).unwrap();
    pipe(dir.path(), &line, &flat).fails(1, &["shape [2]", "a matrix"]);
    let cut = sh(dir.path(), &format!("{line} acts.npy | head -c 100 > /dev/null; echo ${{PIPESTATUS[0]}}"));
    assert_eq!(cut.stdout, b"0\n", "{}", cut.stderr);
    sh(dir.path(), &format!("{line} acts.npy > /dev/full")).fails(1, &["No space left"]);
    run(dir.path(), &format!("{line} -o no/x.csv acts.npy")).fails(1, &["no/x.csv"]);
}

#[test]
fn the_sidecar_says_contrast_test_and_rules() {
    let (dir, ..) = folder(16, 3);
    run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --test welch --t 2 acts.npy -o units.csv")).ok();
    let side: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("units.json")).unwrap()).unwrap();
    assert_eq!((&side["contrast"], &side["test"]), (&"faces > rest".into(), &"welch".into()));
    assert_eq!(side["inputs"].as_array().unwrap().len(), 2);
    assert!(side["rules"].to_string().contains('2'));
}

#[test]
fn help_examples_run() {
    let (dir, acts, labels) = folder(40, 6);
    let domains = ["faces", "bodies", "places", "objects", "characters"];
    let table: String = (0..40).map(|i| format!("s{i},{}\n", domains[i % 5])).collect();
    fs::write(dir.path().join("floc.csv"), format!("stimulus,domain\n{table}")).unwrap();
    let help = run(dir.path(), "select-units --help").text().replace("\\\n", " ");
    let examples: Vec<&str> = help.lines().map(str::trim).filter(|l| l.contains("--stimuli floc.csv")).collect();
    assert!(examples.len() >= 3, "{help}");
    for example in examples {
        for name in ["acts.npy", "layer3.npy", "layer4.npy"] {
            save(&dir.path().join(name), &acts, Some(&labels));
        }
        let outcome = sh(dir.path(), example);
        assert_eq!(outcome.code, 0, "{example}: {}", outcome.stderr);
    }
}

/// Percentages of `pool` units with t > 5 and t > 7, each domain against the four others, in the order of `DOMAINS`;
/// and the largest t for faces. Worked out with SciPy on activations from Python.
#[test]
fn floc_gives_the_known_shares_of_selective_units_in_three_networks() {
    const DOMAINS: [&str; 5] = ["faces", "bodies", "places", "characters", "objects"];
    let Some(floc) = data("floc/stimuli.csv") else { return };
    let Some(models) = data("models") else { return };
    let dir = tempfile::tempdir().unwrap();
    let networks = [
        (
            "efficientnet-lite0.onnx --preprocess efficientnet-lite --resize 224 --crop 224",
            [17.19, 13.83, 21.80, 16.33, 29.22, 23.12, 19.77, 16.80, 26.02, 20.00],
        ),
        (
            "mobilenetv2-bottleneck.onnx --preprocess imagenet --resize 224 --crop 224",
            [22.97, 18.75, 21.80, 16.95, 32.34, 25.39, 20.39, 15.31, 30.31, 24.14],
        ),
        (
            "dlib-face-resnet.onnx --preprocess raw255 --resize 150x150 --interpolation bilinear",
            [19.92, 15.23, 9.77, 1.95, 12.50, 3.91, 18.36, 8.20, 13.67, 6.25],
        ),
    ];
    for (network, shares) in networks {
        let acts = format!("ann-acts -q {}/{network} --layer pool {} > acts.npy", models.display(), floc.display());
        sh(dir.path(), &acts).ok();
        for (d, domain) in DOMAINS.iter().enumerate() {
            let others: Vec<&str> = DOMAINS.into_iter().filter(|o| o != domain).collect();
            let line = format!(
                "select-units -q --stimuli {} --by domain --contrast '{domain} > {}' --test student --all acts.npy",
                floc.display(),
                others.join(",")
            );
            let t: Vec<f64> = rows(&run(dir.path(), &line).text()).iter().map(|r| number(r, "t")).collect();
            for (k, limit) in [5.0, 7.0].into_iter().enumerate() {
                let share = 100.0 * t.iter().filter(|t| **t > limit).count() as f64 / t.len() as f64;
                assert!((share - shares[2 * d + k]).abs() < 0.3, "{network} {domain} t > {limit}: {share}");
            }
            if *domain == "faces" && network.starts_with("efficientnet") {
                let largest = t.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                assert!((largest / 73.682 - 1.0).abs() < 0.005, "{largest}");
            }
        }
    }
}
