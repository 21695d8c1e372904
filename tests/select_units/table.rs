//! `select-units` as its users meet it: activations and a contrast in, a table of units out.

use ndarray::{Array2, Axis, array, concatenate};
use npy_stream::{Dtype, Matrix, RowWriter, write_matrix};
use std::fs;
use std::path::Path;
use support::*;

const HEADER: &str = "array,contrast,unit,n_units,n,mean_preferred,mean_rest,t,df,p,neg_log10_p,q,dprime,selectivity_index,ratio,auc,criterion,reason";
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

/// What NumPy writes for `numpy.asfortranarray(acts, dtype='>i2')`, and the labels behind it.
fn big_endian_i2_in_fortran_order(acts: &Array2<f64>, labels: &[String]) -> Vec<u8> {
    let dict = format!("{{'descr': '>i2', 'fortran_order': True, 'shape': {:?}, }}", acts.dim());
    let mut bytes = format!("\u{93}NUMPY\u{1}\0v\0{dict:<117}\n").chars().map(|c| c as u8).collect::<Vec<u8>>();
    assert_eq!(bytes.len(), 128);
    bytes.extend(acts.t().iter().flat_map(|v| (*v as i16).to_be_bytes()));
    npy_stream::write_labels(&mut bytes, labels).unwrap();
    bytes
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
    // The same small integers as f8, f4, f2 and big-endian i2 in Fortran order.
    let whole = acts.mapv(|v| (v * 50.0).round());
    let mut versions = vec![bytes_of(&whole, Some(&labels))];
    let mut single = Vec::new();
    write_matrix(&mut single, &Matrix::F4(whole.mapv(|v| v as f32)), Some(&labels)).unwrap();
    versions.push(single);
    let mut half = RowWriter::new(Vec::new(), 40, 9, Dtype::F2).unwrap();
    half.write_rows(whole.view()).unwrap();
    versions.push(half.finish(Some(&labels)).unwrap());
    versions.push(big_endian_i2_in_fortran_order(&whole, &labels));
    let all: Vec<String> = versions
        .iter()
        .map(|b| pipe(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --all"), b).text())
        .collect();
    assert!(all.iter().all(|t| *t == all[0]));
}

#[test]
fn wide_layers_in_several_blocks_give_the_same_bytes_for_any_threads() {
    // 20000 units are two blocks of rows, 40 tiles of units and two parts of the table.
    let (dir, ..) = folder(40, 20_000);
    let line = format!("select-units -q --stimuli t.csv {CONTRAST} --fdr bh --t -1e9 --alpha 1");
    let bytes = fs::read(dir.path().join("acts.npy")).unwrap();
    let one = pipe(dir.path(), &format!("{line} --names acts --threads 1"), &bytes).ok();
    assert_eq!(one.iter().filter(|b| **b == b'\n').count(), 20_001);
    for threads in [2, 5] {
        assert!(run(dir.path(), &format!("{line} --threads {threads} acts.npy")).ok() == one, "{threads} threads");
    }
    assert_eq!(sh(dir.path(), &format!("{line} acts.npy | head -c 100")).ok(), one[..100]);
    sh(dir.path(), &format!("{line} acts.npy > /dev/full")).fails(1, &["No space left"]);
}

/// Adjusted p by the definitions of Benjamini & Hochberg (1995) and Benjamini & Yekutieli (2001): the smallest over all
/// p at least as large, of m p / rank, and for the latter times 1 + 1/2 + .. + 1/m.
fn adjusted(p: &[f64], any_dependence: bool) -> Vec<f64> {
    let m = p.len();
    let factor = if any_dependence { (1..=m).map(|i| 1.0 / i as f64).sum() } else { 1.0 };
    let at = |own: f64| factor * own * m as f64 / p.iter().filter(|x| **x <= own).count() as f64;
    p.iter().map(|&own| p.iter().filter(|x| **x >= own).map(|&x| at(x)).fold(1.0, f64::min)).collect()
}

#[test]
fn q_is_p_adjusted_over_the_units_of_one_array() {
    let published = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205];
    for (own, known) in adjusted(&published, true).iter().zip([0.021743, 0.086971, 0.18264]) {
        assert!((own - known).abs() < 5e-6, "the twin itself");
    }
    let (dir, acts, labels) = folder(80, 30);
    // Another array in the stream has its own number of units; a dead unit is not one of the tested.
    let mut wide = concatenate(Axis(1), &[acts.view(), noise(80, 10, 5).view()]).unwrap();
    wide.column_mut(35).fill(2.0);
    save(&dir.path().join("wide.npy"), &wide, Some(&labels));
    for (fdr, any_dependence) in [("bh", false), ("by", true)] {
        let line = format!("select-units --stimuli t.csv {CONTRAST} --fdr {fdr} acts.npy wide.npy");
        let all = rows(&run(dir.path(), &format!("{line} --all")).text());
        let (of_acts, of_wide) = all.split_at(30);
        for array in [of_acts, of_wide] {
            let tested: Vec<_> = array.iter().filter(|r| r["reason"].is_empty()).collect();
            let p: Vec<f64> = tested.iter().map(|r| number(r, "p")).collect();
            for (row, q) in tested.iter().zip(adjusted(&p, any_dependence)) {
                assert!((number(row, "q") / q - 1.0).abs() < 1e-12, "{fdr} {}: {} {q}", row["unit"], row["q"]);
            }
        }
        assert_eq!(of_wide[35]["q"], "NaN");
        let named = |r: &Row| (r["array"].clone(), r["unit"].clone());
        let passed: Vec<_> = all.iter().filter(|r| number(r, "q") <= 0.05).map(named).collect();
        assert!(passed.len() > 4 && passed.len() < 60, "{}", passed.len());
        assert_eq!(rows(&run(dir.path(), &line).text()).iter().map(named).collect::<Vec<_>>(), passed);
    }
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
    run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --alpha .05 acts.npy")).fails(2, &["--correct"]);
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
    // Each comparison on its own: the row is that of the smallest t, and p and q are the largest.
    for test in ["student", "welch"] {
        let line = |contrast: &str, versus: &str| {
            let line = "select-units --stimuli t.csv --by domain --all --fdr bh acts.npy";
            rows(&run(dir.path(), &format!("{line} --test {test} --versus {versus} --contrast '{contrast}'")).text())
        };
        let each = line("faces > rest", "each");
        let alone = ["bodies", "places", "objects"].map(|other| line(&format!("faces > {other}"), "pooled"));
        for (unit, row) in each.iter().enumerate() {
            let weakest =
                alone.iter().map(|a| &a[unit]).min_by(|a, b| number(a, "t").total_cmp(&number(b, "t"))).unwrap();
            for column in ["t", "df", "mean_preferred", "mean_rest", "dprime", "selectivity_index"] {
                assert!((number(row, column) - number(weakest, column)).abs() < 1e-12, "{test} {unit} {column}");
            }
            for column in ["p", "q"] {
                let largest = alone.iter().map(|a| number(&a[unit], column)).fold(0.0, f64::max);
                assert!((number(row, column) - largest).abs() < 1e-12, "{test} {unit} {column}");
            }
        }
    }
}

#[test]
fn pictures_outside_the_contrast_are_not_used() {
    let (dir, acts, _) = folder(24, 4);
    let domains = ["faces", "bodies", "n/a", "", "places", "faces"];
    let rows_of_table: String = (0..24).map(|i| format!("s{i},{}\n", domains[i % 6])).collect();
    fs::write(dir.path().join("t.csv"), format!("stimulus,domain\n{rows_of_table}")).unwrap();
    let faces = |r: usize| [0, 5].contains(&(r % 6));
    for (contrast, other) in [("faces > bodies", vec![1]), ("faces > places", vec![4]), ("faces > rest", vec![1, 4])] {
        let line = format!("select-units --stimuli t.csv --by domain --contrast '{contrast}' --all acts.npy");
        for (unit, row) in rows(&run(dir.path(), &line).text()).iter().enumerate() {
            assert_eq!(number(row, "n"), 8.0 + 4.0 * other.len() as f64, "{contrast}");
            let t = student(&acts, unit, faces, |r| other.contains(&(r % 6)));
            assert!((number(row, "t") - t).abs() < 1e-12, "{contrast} {unit}");
        }
    }
    // Two categories are preferred together.
    let line = "select-units --stimuli t.csv --by domain --contrast 'faces,places > bodies' --all acts.npy";
    for (unit, row) in rows(&run(dir.path(), line).text()).iter().enumerate() {
        let t = student(&acts, unit, |r| faces(r) || r % 6 == 4, |r| r % 6 == 1);
        assert!((number(row, "t") - t).abs() < 1e-12);
    }
}

#[test]
fn no_selected_unit_is_a_table_without_rows_and_formats_agree() {
    let (dir, ..) = folder(16, 3);
    let line = format!("select-units --stimuli t.csv {CONTRAST} acts.npy");
    let none = run(dir.path(), &format!("{line} --t 1e6"));
    assert!(none.stderr.contains("acts: 0 of 3 units selected"), "{}", none.stderr);
    assert_eq!(none.text(), format!("{HEADER}\n"));
    assert!(run(dir.path(), &format!("{line} --t 1e6 --quiet")).stderr.is_empty());
    let csv = run(dir.path(), &format!("{line} --all")).text();
    assert_eq!(run(dir.path(), &format!("{line} --all --format tsv")).text(), csv.replace(',', "\t"));
    let json = run(dir.path(), &format!("{line} --all --format jsonl")).text();
    for (line, row) in json.lines().zip(rows(&csv)) {
        let v: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((v["t"].as_f64(), v["unit"].as_u64()), (row["t"].parse().ok(), row["unit"].parse().ok()));
        assert_eq!((&v["q"], &v["reason"]), (&().into(), &().into()));
    }
    assert_eq!(json.lines().count(), 3);
}

#[test]
fn a_unit_without_any_variance_within_groups_has_an_infinite_t() {
    let dir = tempfile::tempdir().unwrap();
    let labels = table(dir.path(), 8);
    let mut acts = noise(8, 2, 1);
    acts.column_mut(1).fill(0.1);
    for face in [0, 4] {
        acts[[face, 1]] = 0.3;
    }
    save(&dir.path().join("acts.npy"), &acts, Some(&labels));
    for test in ["student", "welch"] {
        let all = run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --test {test} --all acts.npy"));
        let row = &rows(&all.text())[1];
        assert_eq!([&row["t"], &row["p"], &row["neg_log10_p"], &row["reason"]], ["inf", "0", "inf", ""], "{test}");
    }
    let chosen = rows(&run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --top 1 acts.npy")).text());
    assert_eq!(chosen[0]["unit"], "1");
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

    // A wrong number of rows or labels, in a file and in a pipe.
    let mut bytes = bytes_of(&acts, None);
    npy_stream::write_labels(&mut bytes, &labels[..15]).unwrap();
    fs::write(dir.path().join("fewer.npy"), &bytes).unwrap();
    run(dir.path(), &format!("{line} fewer.npy")).fails(1, &["fewer.npy", "15 labels behind 16 rows"]);
    pipe(dir.path(), &line, &bytes).fails(1, &["stdin", "15 labels behind 16 rows"]);
    let bytes = save(&dir.path().join("part.npy"), &acts.slice(ndarray::s![..12, ..]).to_owned(), Some(&labels[..12]));
    pipe(dir.path(), &line, &bytes).fails(1, &["stdin: 12 rows", "t.csv has 16", "as a file"]);
    run(dir.path(), &format!("{line} part.npy")).fails(1, &["part.npy", "12", "16", "--inner"]);
    assert!(rows(&run(dir.path(), &format!("{line} --inner part.npy")).text()).iter().all(|r| r["n"] == "12"));

    let twice = concatenate(Axis(0), &[acts.view(), acts.view()]).unwrap();
    let shown: Vec<String> = labels.iter().chain(&labels).cloned().collect();
    save(&dir.path().join("trials.npy"), &twice, Some(&shown));
    for (unit, row) in rows(&run(dir.path(), &format!("{line} trials.npy")).text()).iter().enumerate() {
        assert_eq!(row["n"], "32");
        let t = student(&twice, unit, |r| r % 4 == 0, |r| r % 4 != 0);
        assert!((number(row, "t") - t).abs() < 1e-12);
    }
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
fn bad_bytes_are_named_and_stdin_is_read_once() {
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
    npy_stream::write_vector(&mut flat, &[1.0, 2.0], Dtype::F8, npy_stream::LabelsRef::default()).unwrap();
    pipe(dir.path(), &line, &flat).fails(1, &["shape [2]", "a matrix"]);
    // A later array that is cut leaves no row of the one before it.
    pipe(dir.path(), &line, &[&good[..], &good[..good.len() / 2]].concat()).fails(1, &["stdin (array 1)", "truncated"]);
    pipe(dir.path(), &format!("{line} - -"), &good).fails(1, &["stdin", "twice"]);
    let table = fs::read(dir.path().join("t.csv")).unwrap();
    pipe(dir.path(), &line.replace("t.csv", "-"), &table).fails(1, &["stdin", "twice"]);
    assert!(!pipe(dir.path(), &format!("{} acts.npy", line.replace("t.csv", "-")), &table).ok().is_empty());
    run(dir.path(), &format!("{line} -o no/x.csv acts.npy")).fails(1, &["no/x.csv"]);
}

#[test]
fn the_sidecar_says_contrast_test_and_rules() {
    let (dir, ..) = folder(16, 3);
    run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --test welch --t 2 acts.npy -o units.csv")).ok();
    let side: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("units.json")).unwrap()).unwrap();
    assert_eq!((&side["contrasts"][0], &side["test"]), (&"faces > rest".into(), &"welch".into()));
    assert_eq!(side["inputs"].as_array().unwrap().len(), 2);
    assert_eq!((&side["rules"], &side["versus"]), (&"welch t > 2".into(), &"pooled".into()));
    let stdout = run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --test welch --t 2 acts.npy")).ok();
    assert_eq!(fs::read(dir.path().join("units.csv")).unwrap(), stdout);
    // What fails leaves the file and its sidecar as they were, and nothing half-written beside them.
    let list = || {
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let bytes = fs::read(dir.path().join("acts.npy")).unwrap();
    fs::write(dir.path().join("cut.npy"), &bytes[..bytes.len() - 9]).unwrap();
    let (before, sidecar) = (list(), fs::read(dir.path().join("units.json")).unwrap());
    run(dir.path(), &format!("select-units --stimuli t.csv {CONTRAST} --all acts.npy cut.npy -o units.csv"))
        .fails(1, &["cut.npy", "truncated"]);
    assert_eq!(list(), before);
    assert_eq!(fs::read(dir.path().join("units.csv")).unwrap(), stdout);
    assert_eq!(fs::read(dir.path().join("units.json")).unwrap(), sidecar);
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
        for (d, domain) in DOMAINS.iter().enumerate() {
            let others: Vec<&str> = DOMAINS.into_iter().filter(|o| o != domain).collect();
            let select = format!(
                "select-units -q --stimuli {} --by domain --contrast '{domain} > {}' --test student --all",
                floc.display(),
                others.join(",")
            );
            // Faces in one pipe from the pictures; the others from the activations that it left.
            let line = match d {
                0 => format!(
                    "ann-acts -q {}/{network} --layer pool {} | tee acts.npy | {select}",
                    models.display(),
                    floc.display()
                ),
                _ => format!("{select} acts.npy"),
            };
            let t: Vec<f64> = rows(&sh(dir.path(), &line).text()).iter().map(|r| number(r, "t")).collect();
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

#[test]
fn a_percentage_other_names_and_missing_folders_are_told_apart() {
    let (dir, _, _) = folder(24, 4);
    fs::write(dir.path().join("other.csv"), "stimulus,domain\nx0,faces\nx1,bodies\n").unwrap();
    for (options, wanted) in [
        ("--auc 80", "a ROC area lies between 0 and 1 (80 % is .8)"),
        ("--si 33", "a selectivity index lies between -1 and 1"),
        ("--correct fdr", "is bh here"),
        ("--correct fwe", "is bonferroni here"),
        ("--contrast 'faces - rest'", "as in 'faces > rest'"),
        ("-o none/units.csv", "there is no folder none; make it first"),
        ("--stimuli other.csv", "0 are in common: is this the stimulus table of other pictures?"),
    ] {
        let stimuli = if options.contains("--stimuli") { "" } else { "--stimuli t.csv" };
        let out = sh(dir.path(), &format!("select-units {stimuli} --by domain {options} acts.npy"));
        assert!(out.stderr.contains(wanted), "{options}: {}", out.stderr);
        assert!(!out.stderr.contains("--inner keeps the 0"), "{options}: {}", out.stderr);
    }
}
