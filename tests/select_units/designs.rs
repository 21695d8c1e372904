//! `select-units` beyond one contrast on all pictures: several contrasts, weights, means of categories, parts held out,
//! untrained twins, ROC areas, ratios.

use ndarray::Array2;
use std::fs;
use support::*;

const DOMAINS: [&str; 4] = ["faces", "bodies", "places", "objects"];
const CATEGORIES: [&str; 8] = ["adult", "body", "house", "car", "child", "limb", "corridor", "instrument"];

/// `n` pictures in rounds of 8 categories, with a column `run`; units 0, 3, 6, ... prefer faces, less and less.
fn folder(n: usize, units: usize) -> (tempfile::TempDir, Array2<f64>) {
    let dir = tempfile::tempdir().unwrap();
    let rows: String =
        (0..n).map(|i| format!("s{i},{},{},run{}\n", DOMAINS[i % 4], CATEGORIES[i % 8], i / 8 % 3)).collect();
    fs::write(dir.path().join("t.csv"), format!("stimulus,domain,category,run\n{rows}")).unwrap();
    let mut acts = noise(n, units, 7);
    for unit in (0..units).step_by(3) {
        for row in (0..n).step_by(4) {
            acts[[row, unit]] += 3.0 / (1.0 + unit as f64);
        }
    }
    save(&dir.path().join("acts.npy"), &acts, Some(&ids(n)));
    (dir, acts)
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-11 * b.abs().max(1e-2) || (a.is_nan() && b.is_nan()), "{a} {b}");
}

/// Textbook two-sample t with pooled variance, by two passes.
fn student(a: &[f64], b: &[f64]) -> f64 {
    let moments = |v: &[f64]| {
        let mean = v.iter().sum::<f64>() / v.len() as f64;
        (v.len() as f64, mean, v.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>())
    };
    let ((na, ma, sa), (nb, mb, sb)) = (moments(a), moments(b));
    (ma - mb) / ((sa + sb) / (na + nb - 2.0) * (1.0 / na + 1.0 / nb)).sqrt()
}

fn values(acts: &Array2<f64>, unit: usize, of: impl Fn(usize) -> bool) -> Vec<f64> {
    (0..acts.nrows()).filter(|r| of(*r)).map(|r| acts[[r, unit]]).collect()
}

const LINE: &str = "select-units --stimuli t.csv --by domain";

#[test]
fn several_contrasts_are_what_each_of_them_is_alone() {
    let (dir, _) = folder(96, 20);
    let contrasts = ["faces > rest", "places > faces,bodies", "2*faces - bodies - places"];
    let all: String = contrasts.iter().map(|c| format!(" --contrast '{c}'")).collect();
    for more in ["", "--test welch --correct by", "--cv odd-even"] {
        let together = rows(&run(dir.path(), &format!("{LINE} --all {more} {all} acts.npy")).text());
        let alone: Vec<_> = contrasts
            .iter()
            .flat_map(|c| rows(&run(dir.path(), &format!("{LINE} --all {more} --contrast '{c}' acts.npy")).text()))
            .collect();
        assert_eq!(together.len(), alone.len());
        for (a, b) in together.iter().zip(&alone) {
            for (column, value) in a {
                // Groups of rows are merged in another order, so the last digits may differ.
                match value.parse::<f64>() {
                    Ok(value) => close(value, number(b, column)),
                    Err(_) => assert_eq!(*value, b[column], "{column}"),
                }
            }
        }
    }
    // Without --contrast: every category against the rest.
    let every = rows(&run(dir.path(), &format!("{LINE} --all acts.npy")).text());
    let named: Vec<&str> = every.iter().step_by(20).map(|r| r["contrast"].as_str()).collect();
    assert_eq!(named, ["faces > rest", "bodies > rest", "places > rest", "objects > rest"]);
    let out = run(dir.path(), &format!("{LINE} --t 2 acts.npy"));
    assert!(out.stderr.contains("acts: contrast \"faces > rest\": "), "{}", out.stderr);
}

#[test]
fn weights_and_their_limits() {
    let (dir, acts) = folder(48, 6);
    let of = |contrast: &str| {
        rows(
            &run(
                dir.path(),
                &format!("select-units --stimuli t.csv --by category --all --contrast '{contrast}' acts.npy"),
            )
            .text(),
        )
    };
    let weighted = of("2*adult - house - car");
    for (unit, row) in weighted.iter().enumerate() {
        // t of a one-way layout with three levels, by its definition.
        let level = |k: usize| values(&acts, unit, |r| r % 8 == k);
        let levels = [level(0), level(2), level(3)];
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let within: f64 = levels.iter().map(|v| v.iter().map(|x| (x - mean(v)).powi(2)).sum::<f64>()).sum();
        let se = (within / 15.0 * (1.0 + 0.25 + 0.25) / 6.0).sqrt();
        close(number(row, "t"), (mean(&levels[0]) - mean(&levels[1]) / 2.0 - mean(&levels[2]) / 2.0) / se);
        close(number(row, "mean_rest"), mean(&levels[1]) / 2.0 + mean(&levels[2]) / 2.0);
        assert_eq!((number(row, "df"), number(row, "n")), (15.0, 18.0));
    }
    let fails = |options: &str, words: &[&str]| {
        run(dir.path(), &format!("select-units --stimuli t.csv --by category acts.npy {options}")).fails(1, words);
    };
    fails("--contrast 'adult - house' --versus each", &["weighs its levels"]);
    fails("--contrast 'adult - house' --auc .8", &["has weights", "ROC area"]);
    fails("--contrast 'adult - house' --by-category", &["has weights", "--by-category"]);
    let line = "select-units --stimuli t.csv --by category acts.npy --contrast";
    run(dir.path(), &format!("{line} '2*adult - house'")).fails(2, &["sum to 1"]);
    run(dir.path(), &format!("{line} 'adult - 0*house'")).fails(2, &["not 0"]);
}

#[test]
fn means_of_categories_are_the_observations() {
    let (dir, acts) = folder(64, 5);
    let line =
        "select-units --stimuli t.csv --by category --contrast 'adult,child > rest' --by-category --all acts.npy";
    for (unit, row) in rows(&run(dir.path(), line).text()).iter().enumerate() {
        let mean = |k: usize| {
            let v = values(&acts, unit, |r| r % 8 == k);
            v.iter().sum::<f64>() / v.len() as f64
        };
        let (a, b): (Vec<f64>, Vec<f64>) = ([0, 4].map(mean).into(), [1, 2, 3, 5, 6, 7].map(mean).into());
        close(number(row, "t"), student(&a, &b));
        assert_eq!((number(row, "n"), number(row, "df")), (8.0, 6.0));
    }
    let some = rows(&run(dir.path(), &line.replace("--all", "--t -9")).text());
    assert_eq!(some[0]["criterion"], "student t > -9, means of categories");
    // The categories may stand in a finer column than that of the contrast.
    let finer =
        "select-units --stimuli t.csv --by domain --contrast 'faces > rest' --by-category=category --all acts.npy";
    let coarse = rows(&run(dir.path(), line).text());
    for (a, b) in rows(&run(dir.path(), finer).text()).iter().zip(&coarse) {
        close(number(a, "t"), number(b, "t"));
    }
    run(dir.path(), &format!("{LINE} --contrast 'faces > rest' --by-category acts.npy"))
        .fails(1, &["1 preferred", "3 others"]);
    // A category is one observation of a contrast also where another contrast tells its pictures apart: `run` has
    // pictures of all domains.
    let by_run = format!("{LINE} --by-category=run --all acts.npy --contrast 'faces > rest'");
    let alone = rows(&run(dir.path(), &by_run).text());
    let both = rows(&run(dir.path(), &format!("{by_run} --contrast 'bodies > places'")).text());
    for (a, b) in alone.iter().zip(&both) {
        assert_eq!((number(a, "n"), number(b, "n")), (6.0, 6.0), "three runs on either side");
        close(number(a, "t"), number(b, "t"));
    }
    // Pictures without a category are left out; they are no category of their own.
    let table = fs::read_to_string(dir.path().join("t.csv")).unwrap();
    fs::write(dir.path().join("gaps.csv"), table.replace("run1", "NA").replace("run2", "n/a")).unwrap();
    run(dir.path(), &by_run.replace("t.csv", "gaps.csv")).fails(1, &["1 preferred", "1 others"]);
    fs::write(dir.path().join("gaps.csv"), table.replace("run1", "NULL")).unwrap();
    run(dir.path(), &by_run.replace("t.csv", "gaps.csv")).fails(1, &["\"NULL\"", "missing value"]);
    run(dir.path(), &format!("{LINE} --by-category --with-auc acts.npy")).fails(1, &["ROC areas"]);
    run(dir.path(), &format!("{LINE} --by-category=run2 acts.npy")).fails(1, &["run2"]);
}

#[test]
fn units_chosen_on_one_part_are_measured_on_the_other() {
    let (dir, acts) = folder(96, 12);
    /// Option, names of the parts, part of a row.
    type Case = (&'static str, &'static str, fn(usize) -> usize);
    let cases: [Case; 3] = [
        // The i-th picture of each domain is row 4 i + domain.
        ("odd-even", "odd even", |row| row / 4 % 2),
        ("k=4", "1 2 3 4", |row| row / 4 % 4),
        ("run", "run0 run1 run2", |row| row / 8 % 3),
    ];
    for (cv, names, part_of) in cases {
        let line = format!("{LINE} --contrast 'faces > rest' --cv {cv} --with-auc acts.npy");
        let all = rows(&run(dir.path(), &format!("{line} --all")).text());
        let names: Vec<&str> = names.split(' ').collect();
        assert_eq!(all.len(), 12 * names.len());
        for (i, row) in all.iter().enumerate() {
            let (fold, unit) = (i / 12, i % 12);
            assert_eq!((row["fold"].as_str(), number(row, "unit")), (names[fold], unit as f64));
            let side =
                |held: bool, face: bool| values(&acts, unit, |r| (part_of(r) == fold) == held && (r % 4 == 0) == face);
            close(number(row, "t"), student(&side(false, true), &side(false, false)));
            close(number(row, "t_test"), student(&side(true, true), &side(true, false)));
            close(number(row, "auc_test"), all_pairs(&side(true, true), &side(true, false)));
            let mean = |v: Vec<f64>| v.iter().sum::<f64>() / v.len() as f64;
            close(number(row, "mean_preferred_test"), mean(side(true, true)));
            let n = number(row, "n") + number(row, "n_test");
            assert_eq!(n, 96.0);
        }
        // What is selected depends on the parts that were not held out.
        let some = run(dir.path(), &format!("{line} --t 3"));
        let picked: Vec<_> = all.iter().filter(|r| number(r, "t") > 3.0).collect();
        assert!(some.stderr.contains("on the pictures held out"), "{}", some.stderr);
        assert_eq!(rows(&some.text()).len(), picked.len());
    }
    // Presentations of one picture are never on both sides: the part belongs to the picture.
    let trials: Vec<String> = (0..192).map(|i| format!("s{}", i % 96)).collect();
    let twice = ndarray::concatenate(ndarray::Axis(0), &[acts.view(), noise(96, 12, 3).view()]).unwrap();
    save(&dir.path().join("trials.npy"), &twice, Some(&trials));
    let line = format!("{LINE} --contrast 'faces > rest' --cv odd-even --all trials.npy");
    for (i, row) in rows(&run(dir.path(), &line).text()).iter().enumerate() {
        let side = |face: bool| values(&twice, i % 12, |r| (r % 96) / 4 % 2 == i / 12 && (r % 4 == 0) == face);
        close(number(row, "t_test"), student(&side(true), &side(false)));
        assert_eq!(number(row, "n_test"), 96.0);
    }
    run(dir.path(), &format!("{LINE} --cv k=1 acts.npy")).fails(2, &["2 or more"]);
    run(dir.path(), &format!("{LINE} --cv session acts.npy")).fails(1, &["session"]);
    run(dir.path(), &format!("{LINE} --cv k=24 acts.npy")).fails(1, &["held out", "at least 2"]);
    run(dir.path(), &format!("{LINE} --cv domain acts.npy")).fails(1, &["held out", "at least 2"]);
    let empty = fs::read_to_string(dir.path().join("t.csv")).unwrap().replace("s9,bodies,limb,run1", "s9,bodies,limb,");
    fs::write(dir.path().join("t.csv"), empty).unwrap();
    let empty = fs::read_to_string(dir.path().join("t.csv")).unwrap();
    fs::write(dir.path().join("t.csv"), empty.replace("s9,bodies,body,run1", "s9,bodies,body,")).unwrap();
    run(dir.path(), &format!("{LINE} --cv run acts.npy")).fails(1, &["row 10", "s9", "every picture needs a part"]);
}

/// Share of pairs in which the first is larger, ties half.
fn all_pairs(a: &[f64], b: &[f64]) -> f64 {
    let won: f64 = a
        .iter()
        .flat_map(|x| {
            b.iter().map(move |y| {
                if x > y {
                    1.0
                } else if x == y {
                    0.5
                } else {
                    0.0
                }
            })
        })
        .sum();
    won / (a.len() * b.len()) as f64
}

#[test]
fn roc_areas_of_files_and_pipes() {
    let (dir, mut acts) = folder(64, 9);
    acts.column_mut(4).mapv_inplace(f64::round); // ties
    acts.column_mut(5).fill(1.0);
    acts[[3, 6]] = f64::NAN;
    save(&dir.path().join("acts.npy"), &acts, Some(&ids(64)));
    for versus in ["pooled", "each"] {
        let line = format!("{LINE} --contrast 'faces > rest' --versus {versus}");
        let file = run(dir.path(), &format!("{line} --all --with-auc acts.npy")).text();
        let pipe = sh(dir.path(), &format!("cat acts.npy | {line} --all --with-auc --names acts -")).text();
        assert_eq!(file, pipe);
        for (unit, row) in rows(&file).iter().enumerate() {
            if row["reason"].is_empty() {
                let of = |other: usize| {
                    all_pairs(&values(&acts, unit, |r| r % 4 == 0), &values(&acts, unit, |r| r % 4 == other))
                };
                let all = all_pairs(&values(&acts, unit, |r| r % 4 == 0), &values(&acts, unit, |r| r % 4 != 0));
                let least = [1, 2, 3].map(of).into_iter().fold(1.0, f64::min);
                close(number(row, "auc"), if versus == "pooled" { all } else { least });
            } else {
                assert_eq!(row["auc"], "NaN");
            }
        }
        let kept = rows(&run(dir.path(), &format!("{line} --auc .7 acts.npy")).text());
        let expected: Vec<_> = rows(&file).into_iter().filter(|r| number(r, "auc") >= 0.7).collect();
        assert!(!kept.is_empty());
        assert_eq!(
            kept.iter().map(|r| &r["unit"]).collect::<Vec<_>>(),
            expected.iter().map(|r| &r["unit"]).collect::<Vec<_>>()
        );
        assert!(kept[0]["criterion"].starts_with("student auc >= 0.7"), "{}", kept[0]["criterion"]);
        let ranked = rows(&run(dir.path(), &format!("{line} --top 2 --rank-by auc acts.npy")).text());
        run(dir.path(), &format!("{line} --t 2 --rank-by auc acts.npy")).fails(2, &["--top"]);
        let mut areas: Vec<f64> = rows(&file).iter().map(|r| number(r, "auc")).filter(|a| !a.is_nan()).collect();
        areas.sort_by(|a, b| b.total_cmp(a));
        let mut found: Vec<f64> = ranked.iter().map(|r| number(r, "auc")).collect();
        found.sort_by(|a, b| b.total_cmp(a));
        assert_eq!(found, areas[..2]);
    }
    sh(dir.path(), &format!("cat acts.npy | {LINE} --with-auc --mem 1K -")).fails(1, &["64 x 9 responses", "--mem"]);
    // Without it the column stays empty.
    assert!(rows(&run(dir.path(), &format!("{LINE} --all acts.npy")).text()).iter().all(|r| r["auc"].is_empty()));
}

#[test]
fn ratios_indices_and_dprimes_are_rules_of_their_own() {
    let (dir, mut acts) = folder(64, 6);
    acts += 2.0; // positive means
    acts.column_mut(1).mapv_inplace(|v| -v);
    for row in (0..64).step_by(4) {
        acts[[row, 0]] += 9.0;
        acts[[row, 1]] -= 9.0; // both means negative, and the ratio would be large
    }
    save(&dir.path().join("acts.npy"), &acts, Some(&ids(64)));
    let line = format!("{LINE} --contrast 'faces > rest'");
    let all = rows(&run(dir.path(), &format!("{line} --all acts.npy")).text());
    assert_eq!(all[1]["ratio"], "NaN");
    close(number(&all[0], "ratio"), number(&all[0], "mean_preferred") / number(&all[0], "mean_rest"));
    let units = |options: &str| -> Vec<String> {
        rows(&run(dir.path(), &format!("{line} {options} acts.npy")).text()).iter().map(|r| r["unit"].clone()).collect()
    };
    assert_eq!(units("--ratio 2"), ["0"]);
    assert_eq!(units("--si .3333"), ["0"], "an index of 1/3 is a ratio of 2");
    let by = |column: &str, bound: f64| -> Vec<String> {
        all.iter().filter(|r| number(r, column) >= bound).map(|r| r["unit"].clone()).collect()
    };
    assert_eq!(units("--dprime .2"), by("dprime", 0.2));
    assert_eq!(
        units("--dprime .2 --t 3"),
        by("dprime", 0.2).into_iter().filter(|u| by("t", 3.0).contains(u)).collect::<Vec<_>>()
    );
    // Against each other category the reported measure is the smallest, so that the rule holds against all.
    let each = rows(&run(dir.path(), &format!("{line} --versus each --all acts.npy")).text());
    for (unit, row) in each.iter().enumerate() {
        let alone = ["bodies", "places", "objects"].map(|other| {
            let line = format!("{LINE} --contrast 'faces > {other}' --all acts.npy");
            number(&rows(&run(dir.path(), &line).text())[unit], "dprime")
        });
        close(number(row, "dprime"), alone.into_iter().fold(f64::INFINITY, f64::min));
    }
    assert_eq!(units("--t 0 --min-units 6"), [""; 0]);
    let out = run(dir.path(), &format!("{line} --t 900 acts.npy"));
    let largest = all.iter().map(|r| number(r, "t")).fold(f64::NEG_INFINITY, f64::max);
    assert!(out.stderr.contains(&format!("the largest t is {largest:.2}")), "{}", out.stderr);
    let out = run(dir.path(), &format!("{line} --t 2 --min-units 5 acts.npy"));
    assert!(out.stderr.contains("--min-units 5 keeps none of fewer"), "{}", out.stderr);
    run(dir.path(), &format!("{line} --all --ratio 2 acts.npy")).fails(2, &["--all", "--ratio"]);
}

#[test]
fn an_untrained_twin_stands_beside() {
    let (dir, _) = folder(64, 40);
    let (twin, other) = (noise(64, 40, 21), noise(64, 40, 22));
    save(&dir.path().join("u1.npy"), &twin, Some(&ids(64)));
    // Rows in another order are found by id in the twin too.
    let order: Vec<usize> = (0..64).rev().collect();
    let labels: Vec<String> = order.iter().map(|i| format!("s{i}")).collect();
    save(&dir.path().join("u2.npy"), &other.select(ndarray::Axis(0), &order), Some(&labels));
    let line = format!("{LINE} --contrast 'faces > rest'");
    let t_of = |acts: &Array2<f64>, unit: usize| {
        student(&values(acts, unit, |r| r % 4 == 0), &values(acts, unit, |r| r % 4 != 0))
    };
    let all = rows(&run(dir.path(), &format!("{line} --all --null u1.npy --null u2.npy acts.npy")).text());
    let null: Vec<f64> = (0..40).flat_map(|u| [t_of(&twin, u), t_of(&other, u)]).collect();
    for (unit, row) in all.iter().enumerate() {
        close(number(row, "t_null"), (t_of(&twin, unit) + t_of(&other, unit)) / 2.0);
        let at_least = null.iter().filter(|t| **t >= number(row, "t")).count();
        assert_eq!(number(row, "p_null"), (1 + at_least) as f64 / 81.0);
    }
    let out = run(dir.path(), &format!("{line} --t 1 --null u1.npy --null u2.npy acts.npy -o units.csv"));
    let count = |acts: &Array2<f64>| (0..40).filter(|u| t_of(acts, *u) > 1.0).count();
    let words = format!("untrained {} ({:.1} %), {} (", count(&twin), count(&twin) as f64 / 0.4, count(&other));
    assert!(out.stderr.contains(&words), "{} {words}", out.stderr);
    let side: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("units.json")).unwrap()).unwrap();
    assert_eq!(side["inputs"].as_array().unwrap().len(), 4);
    // Other layers are no twin.
    save(&dir.path().join("narrow.npy"), &noise(64, 39, 1), Some(&ids(64)));
    run(dir.path(), &format!("{line} --null narrow.npy acts.npy")).fails(1, &["39 units", "40"]);
    fs::copy(dir.path().join("u1.npy"), dir.path().join("a2.npy")).unwrap();
    run(dir.path(), &format!("{line} --null u1.npy acts.npy a2.npy")).fails(1, &["1 arrays", "same layers"]);
    sh(dir.path(), &format!("cat u1.npy u1.npy > two.npy; {line} --null two.npy acts.npy"))
        .fails(1, &["more than 1 arrays"]);
}

#[test]
fn wide_files_and_pipes_of_any_dtype_give_the_same_bytes_for_any_threads() {
    let n = 40;
    let (dir, _) = folder(n, 1);
    // Wider than one strip of 8192 units, and not a whole number of tiles.
    let acts = noise(n, 20_000, 9);
    save(&dir.path().join("wide.npy"), &acts, Some(&ids(n)));
    let line = format!("{LINE} --contrast 'faces > rest' --contrast 'places - bodies' --all --correct bh -q");
    let one = run(dir.path(), &format!("{line} --threads 1 wide.npy")).ok();
    for threads in [2, 3, 7] {
        assert!(run(dir.path(), &format!("{line} --threads {threads} wide.npy")).ok() == one, "{threads}");
    }
    assert!(sh(dir.path(), &format!("cat wide.npy | {line} --names wide -")).ok() == one, "pipe");
    // Rows in another order in the file: the same sums up to the order of adding.
    let order: Vec<usize> = (0..n).map(|i| (i * 7) % n).collect();
    let labels: Vec<String> = order.iter().map(|i| format!("s{i}")).collect();
    save(&dir.path().join("wide.npy"), &acts.select(ndarray::Axis(0), &order), Some(&labels));
    let moved = rows(&run(dir.path(), &format!("{line} wide.npy")).text());
    for (a, b) in moved.iter().zip(rows(&String::from_utf8(one).unwrap())) {
        close(number(a, "t"), number(&b, "t"));
    }
    // A row of zeros promised by a header is nothing to allocate for.
    fs::write(dir.path().join("none.npy"), npy_header("<f4", (0, 1 << 50))).unwrap();
    run(dir.path(), &format!("{LINE} none.npy")).fails(1, &[]);
}

fn npy_header(dtype: &str, shape: (usize, usize)) -> Vec<u8> {
    let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({}, {}), }}", shape.0, shape.1);
    header.push_str(&" ".repeat((64 - (10 + header.len() + 1) % 64) % 64));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes
}

#[test]
fn a_table_of_several_contrasts_or_folds_is_no_set_of_units() {
    let (dir, _) = folder(96, 12);
    let model = root().join("testdata/models/tiny.onnx");
    let picture = root().join("testdata/pictures/alpha.png");
    for (options, word) in [("", "contrast"), ("--contrast 'faces > rest' --cv odd-even", "fold")] {
        run(dir.path(), &format!("{LINE} --t 1 {options} acts.npy -o u.csv")).ok();
        run(dir.path(), "npy cols --units u.csv acts.npy")
            .fails(1, &["u.csv: rows of", &format!("{word}s ("), &format!("choose it with --{word}")]);
        for use_of_it in ["--units u.csv --layer conv", "--lesion u.csv --lesion-layer conv --layer logits"] {
            let line = format!("ann-acts {} {use_of_it} {}", model.display(), picture.display());
            run(dir.path(), &line).fails(1, &[&format!("{word}s (")]);
        }
    }
    // What the message says helps.
    run(dir.path(), &format!("{LINE} --t 1 acts.npy -o u.csv")).ok();
    let faces = run(dir.path(), &format!("{LINE} --t 1 --contrast 'faces > rest' acts.npy")).ok();
    fs::write(dir.path().join("faces.csv"), faces).unwrap();
    let alone = run(dir.path(), "npy cols --units faces.csv acts.npy").ok();
    assert!(matrix(&alone).0.ncols() > 0);
    let of_all = [
        "npy cols --units u.csv --contrast 'faces > rest' acts.npy",
        "npy cols --units - --contrast 'faces>rest' acts.npy",
    ];
    let all = fs::read(dir.path().join("u.csv")).unwrap();
    for line in of_all {
        assert_eq!(pipe(dir.path(), line, &all).ok(), alone, "{line}");
    }
    run(dir.path(), "npy cols --units u.csv --contrast 'faces > hands' acts.npy")
        .fails(1, &["u.csv: no rows of contrast \"faces > hands\"; the table has faces > ", "; "]);
    run(dir.path(), "npy cols --units u.csv --fold 0 acts.npy").fails(1, &["there is no column fold"]);
    run(dir.path(), "npy cols --index 0 --contrast 'faces > rest' acts.npy").fails(2, &["--units"]);
    let (weighted, profile) = ("tuning profile --weights", "acts.npy");
    run(dir.path(), &format!("{weighted} u.csv {profile}")).fails(1, &["choose it with --contrast"]);
    assert_eq!(
        run(dir.path(), &format!("{weighted} u.csv --contrast 'faces > rest' {profile}")).ok(),
        sh(dir.path(), &format!("grep -e '^array' -e ',faces > rest,' u.csv | {weighted} - {profile}")).ok()
    );
    run(dir.path(), &format!("tuning profile --contrast 'faces > rest' {profile}")).fails(2, &["--weights"]);
    run(dir.path(), &format!("{LINE} --t 1 --contrast 'faces > rest' --cv odd-even acts.npy -o folds.csv")).ok();
    let folds = rows(&fs::read_to_string(dir.path().join("folds.csv")).unwrap());
    let of_fold = run(dir.path(), &format!("npy cols --units folds.csv --fold {} acts.npy", folds[0]["fold"])).ok();
    let n = folds.iter().filter(|row| row["fold"] == folds[0]["fold"]).count();
    assert!(matrix(&of_fold).0.ncols() == n && n < folds.len());
}
