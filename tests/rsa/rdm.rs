//! `rsa rdm` as its users meet it: metrics, noise, folds, subsets, merging and transforms, held against rsatoolbox on
//! the files of `testdata/golden/design`.

use crate::{designs, json, near, numbers, rdm, save_rdm};
use ndarray::{Array2, Axis};
use npy_stream::{Matrix, Values, write_matrix};
use serde_json::Value;
use std::fs;
use std::path::Path;
use support::*;
use tempfile::tempdir;

/// A matrix of `f4` with its ids.
fn save_f4(path: &Path, matrix: &Array2<f64>, labels: &[String]) {
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &Matrix::F4(matrix.mapv(|v| v as f32)), Some(labels)).unwrap();
    fs::write(path, bytes).unwrap();
}

const CV: &str = "--metric crossnobis --per-channel --cv run";

#[test]
fn crossvalidated_distances_are_rsatoolboxs() {
    let dir = designs();
    let path = dir.path();
    let expected = json(path, "rdms.json");
    for (design, key, options) in [
        ("balanced", "crossnobis", CV.to_string()),
        ("balanced", "crossnobis_noise", format!("{CV} --noise residuals.npy")),
        ("once", "crossnobis", CV.to_string()),
        ("once", "crossnobis_noise", format!("{CV} --noise residuals.npy --shrink diag")),
        ("balanced", "pairs_crossnobis", format!("{CV} --cv-weights pairs")),
        ("unbalanced", "pairs_crossnobis", format!("{CV} --cv-weights pairs")),
        ("unbalanced", "pairs_crossnobis_noise", format!("{CV} --cv-weights pairs --noise residuals.npy")),
        ("balanced", "poisson_cv", "--metric poisson_cv --per-channel --cv run".into()),
        ("once", "poisson_cv", "--metric poisson_cv --per-channel --cv run".into()),
        ("balanced", "pairs_poisson_cv", "--metric poisson_cv --per-channel --cv run --cv-weights pairs".into()),
        ("unbalanced", "pairs_poisson_cv", "--metric poisson_cv --per-channel --cv run --cv-weights pairs".into()),
    ] {
        let out = run(path, &format!("rsa rdm -q {options} --stimuli {design}.csv {design}.npy"));
        let (found, ids) = rdm(&out.ok());
        // the precision is inverted there and factored here: 1e-12 of the largest
        near(&format!("{design} {key}"), &found, &numbers(&expected[design][key]), 1e-12);
        let stimuli: Vec<&str> =
            expected[design]["stimuli"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
        assert_eq!(ids, stimuli);
    }
    // without a column the k-th presentation is fold k
    let out = run(path, "rsa rdm --metric crossnobis --per-channel once.npy");
    near("default", &rdm(&out.ok()).0, &numbers(&expected["once"]["default_crossnobis"]), 1e-12);
    // --per-channel divides by 9
    let once = |more: &str| rdm(&run(path, &format!("rsa rdm --metric crossnobis {more} once.npy")).ok()).0;
    near("per channel", &once("").iter().map(|v| v / 9.0).collect::<Vec<_>>(), &once("--per-channel"), 1e-15);
}

#[test]
fn averages_and_pairs_across_runs_are_rsatoolboxs() {
    let dir = designs();
    let path = dir.path();
    let expected = json(path, "rdms.json");
    for design in ["balanced", "unbalanced", "once"] {
        let of =
            |options: &str| rdm(&run(path, &format!("rsa rdm {options} --stimuli {design}.csv {design}.npy")).ok());
        for (key, options) in [
            ("by_category_euclidean", "--metric sqeuclidean --per-channel"),
            ("by_category_correlation", "--metric correlation"),
            ("by_category_poisson", "--metric poisson --per-channel"),
            ("by_category_mahalanobis", "-q --metric sqmahalanobis --per-channel --noise residuals.npy"),
        ] {
            let (found, names) = of(&format!("--by category {options}"));
            near(&format!("{design} {key}"), &found, &numbers(&expected[design][key]), 1e-12);
            let first = fs::read_to_string(path.join(format!("{design}.csv"))).unwrap();
            assert_eq!(names[0], first.lines().nth(1).unwrap().split(',').nth(1).unwrap());
        }
        let (found, _) = of("--exclude-same run");
        near(design, &found, &numbers(&expected[design]["across_runs_correlation"]), 1e-12);
    }
    // the root that SciPy has, and rsatoolbox's square per channel, of one file
    let plain = json(path, "plain.json");
    let whitened = "--noise wide-residuals.npy --shrink none";
    for (key, options) in [
        ("mahalanobis", format!("--metric mahalanobis {whitened}")),
        ("rsatoolbox_mahalanobis", format!("--metric sqmahalanobis --per-channel {whitened}")),
        ("spearman", "--metric spearman".into()),
        ("cityblock", "--metric cityblock".into()),
    ] {
        let (found, _) = rdm(&run(path, &format!("rsa rdm -q {options} patterns.npy")).ok());
        near(key, &found, &numbers(&plain[key]), 1e-12);
    }
}

#[test]
fn transforms_come_last_and_in_their_order() {
    let dir = designs();
    let path = dir.path();
    let expected = json(path, "transforms.json");
    let labels: Vec<String> = (0..12).map(|i| format!("s{i}")).collect();
    save_rdm(&path.join("values.npy"), &numbers(&expected["values"]), &labels.join(" "));
    for how in ["rank", "sqrt", "positive", "minmax", "square"] {
        let out = run(path, &format!("rsa rdm values.npy --transform {how}"));
        let negative = matches!(how, "sqrt" | "positive");
        assert_eq!(out.stderr.contains("2 negative values became 0"), negative, "{how}: {}", out.stderr);
        let (found, ids) = rdm(&out.ok());
        near(how, &found, &numbers(&expected[how]), 1e-15);
        assert_eq!(ids, labels);
    }
    let both = rdm(&run(path, "rsa rdm values.npy --transform square --transform rank").ok()).0;
    let other = rdm(&run(path, "rsa rdm values.npy --transform rank --transform square").ok()).0;
    assert_ne!(both, other);
    assert!(both.iter().copied().fold(0.0, f64::max) <= 66.0 && other.contains(&(66.0 * 66.0)));
    // on patterns it is the same as in two steps
    let one = run(path, "rsa rdm patterns.npy --metric euclidean --transform 'geotopological(0.1,0.9)'").ok();
    let two = sh(path, "rsa rdm patterns.npy --metric euclidean | rsa rdm --transform geotopological:0.1,0.9").ok();
    assert_eq!(one, two);
    run(path, "rsa rdm values.npy --transform log").fails(2, &["log", "rank, sqrt"]);
    run(path, "rsa rdm values.npy --transform geotopological").fails(2, &["LOW < HIGH"]);
    save_rdm(&path.join("flat.npy"), &[0.5; 6], "a b c d");
    let flat = run(path, "rsa rdm flat.npy --transform minmax");
    assert!(
        flat.stderr.contains("flat.npy: --transform minmax: what it stretches is 0.5 everywhere"),
        "{}",
        flat.stderr
    );
    assert!(rdm(&flat.ok()).0.iter().all(|v| v.is_nan()));
}

#[test]
fn shortest_ways_are_rsatoolboxs_but_for_the_closest_pair() {
    let dir = designs();
    let path = dir.path();
    let expected = json(path, "geodesic.json");
    let labels: Vec<String> = (0..12).map(|i| format!("s{i}")).collect();
    save_rdm(&path.join("values.npy"), &numbers(&json(path, "transforms.json")["values"]), &labels.join(" "));
    for (what, options) in [
        ("geodesic", "--transform geodesic"),
        ("geotopological, geodesic", "--transform geotopological(0.2,0.6) --transform geodesic"),
    ] {
        let (found, ids) = rdm(&run(path, &format!("rsa rdm values.npy {options}")).ok());
        // sums of at most 11 numbers below 1
        near(what, &found, &numbers(&expected[what]), 1e-14);
        assert_eq!(ids, labels);
    }
    // d is the farthest from all
    save_rdm(&path.join("apart.npy"), &[0.5, 1.0, 2.0, 1.5, 2.0, 2.0], "a b c d");
    let out = run(path, "rsa rdm apart.npy --transform geodesic");
    assert!(
        out.stderr.contains("apart.npy: --transform geodesic: 3 of 6 pairs are linked by no way"),
        "{}",
        out.stderr
    );
    let (found, _) = rdm(&out.ok());
    near("apart", &found, &[0.0, 1.0 / 3.0, f64::NAN, 1.0 / 3.0, f64::NAN, f64::NAN], 1e-15);
    save_rdm(&path.join("flat.npy"), &[0.5; 6], "a b c d");
    let flat = run(path, "rsa rdm flat.npy --transform geodesic");
    assert!(flat.stderr.contains("what it stretches is 0.5 everywhere"), "{}", flat.stderr);
    assert!(!flat.stderr.contains("linked by no way") && rdm(&flat.ok()).0.iter().all(|v| v.is_nan()));
}

#[test]
fn partial_rdms_merge_over_the_union_of_their_ids() {
    let dir = designs();
    let path = dir.path();
    let expected = json(path, "transforms.json");
    let names = |value: &Value| -> Vec<String> {
        value["stimuli"].as_array().unwrap().iter().map(|s| s.as_str().unwrap().into()).collect()
    };
    for (k, part) in expected["parts"].as_array().unwrap().iter().enumerate() {
        save_rdm(&path.join(format!("p{k}.npy")), &numbers(&part["values"]), &names(part).join(" "));
    }
    let files = "p0.npy p1.npy p2.npy";
    let merged = numbers(&expected["merged"]["values"]);
    let n_nan = merged.iter().filter(|v| v.is_nan()).count();
    run(path, &format!("rsa rdm --merge {files}")).fails(1, &["of 28 pairs have no value", "--allow-nan"]);
    let out = run(path, &format!("rsa rdm --merge --allow-nan {files}"));
    for part in ["merged 3 RDMs: 8 stimuli, 28 pairs", &format!("{n_nan} of 28 pairs have no value")] {
        assert!(out.stderr.contains(part), "{part}: {}", out.stderr);
    }
    let (found, ids) = rdm(&out.ok());
    near("merged", &found, &merged, 1e-15);
    assert_eq!(ids, names(&expected["merged"]));
    // matrices are made RDMs of first; with the same stimuli in another order it is their mean
    let (x, labels) = matrix(&fs::read(path.join("patterns.npy")).unwrap());
    let labels = labels.unwrap();
    let order: Vec<usize> = (0..12).rev().collect();
    let moved: Vec<String> = order.iter().map(|i| labels[*i].clone()).collect();
    save(&path.join("moved.npy"), &x.select(Axis(0), &order), Some(&moved));
    let alone = rdm(&run(path, "rsa rdm patterns.npy").ok()).0;
    let merged = run(path, "rsa rdm --merge patterns.npy moved.npy");
    assert!(merged.stderr.contains("66 in several RDMs and 0 in none"), "{}", merged.stderr);
    near("same", &rdm(&merged.ok()).0, &alone, 1e-14);
    save(&path.join("bare.npy"), &noise(12, 4, 1), None);
    run(path, "rsa rdm --merge patterns.npy bare.npy").fails(1, &["bare.npy: no stimulus ids", "npy label"]);
}

#[test]
fn a_subset_has_the_ids_of_its_table_and_nan_for_those_that_are_missing() {
    let dir = designs();
    let path = dir.path();
    let (all, labels) = rdm(&run(path, "rsa rdm patterns.npy").ok());
    let wanted = [labels[7].as_str(), &labels[0], "other.png", &labels[3]];
    fs::write(path.join("ids.csv"), format!("stimulus\n{}\n", wanted.join("\n"))).unwrap();
    let parts = ["patterns.npy", "3 of 6 pairs", "1 of the 4 stimuli of ids.csv", "--allow-nan"];
    run(path, "rsa rdm --subset ids.csv patterns.npy").fails(1, &parts);
    let out = run(path, "rsa rdm --subset ids.csv --allow-nan patterns.npy");
    assert!(out.stderr.contains("3 of 6 pairs"), "{}", out.stderr);
    let (found, ids) = rdm(&out.ok());
    assert_eq!(ids, wanted);
    let at = |i: usize, j: usize| all[i * (2 * 12 - i - 1) / 2 + (j - i - 1)];
    let nan = f64::NAN;
    near("subset", &found, &[at(0, 7), nan, at(3, 7), nan, at(0, 3), nan], 1e-14);
    // of an RDM, of a merged one, and of presentations averaged by folds the same
    let two = sh(path, "rsa rdm patterns.npy | rsa rdm --subset ids.csv --allow-nan -q").ok();
    near("of an RDM", &rdm(&two).0, &found, 1e-14);
    let merged = run(path, "rsa rdm --merge --subset ids.csv --allow-nan -q patterns.npy patterns.npy").ok();
    near("of a merged one", &rdm(&merged).0, &found, 1e-14);
    fs::write(path.join("two.csv"), "stimulus\nfox\napple\n").unwrap();
    let whole = rdm(&run(path, "rsa rdm --metric crossnobis once.npy").ok());
    let part = rdm(&run(path, "rsa rdm --metric crossnobis once.npy --subset two.csv").ok());
    let place = |id: &str| whole.1.iter().position(|l| l == id).unwrap();
    let (i, j) = (place("apple").min(place("fox")), place("apple").max(place("fox")));
    assert_eq!(part.0, [whole.0[i * (2 * 6 - i - 1) / 2 + (j - i - 1)]]);
    fs::write(path.join("foreign.csv"), "stimulus\nx\ny\n").unwrap();
    run(path, "rsa rdm --subset foreign.csv patterns.npy").fails(1, &["0 of the 2 ids of foreign.csv"]);
    fs::write(path.join("twice.csv"), "stimulus\nx\nx\n").unwrap();
    run(path, "rsa rdm --subset twice.csv patterns.npy").fails(1, &["twice.csv", "\"x\" occurs 2 times"]);
}

#[test]
fn noise_is_described_and_its_faults_are_named() {
    let dir = designs();
    let path = dir.path();
    let out = run(path, "rsa rdm --metric sqmahalanobis --noise wide-residuals.npy patterns.npy -o m.npy");
    for part in ["noise of 30 units from 80 x 30 residuals", "79 degrees of freedom", "--shrink diag 0."] {
        assert!(out.stderr.contains(part), "{}", out.stderr);
    }
    let side = json(path, "m.json");
    assert_eq!((&side["metric"], &side["noise of wide-residuals.npy"]["dof"]), (&"sqmahalanobis".into(), &79.0.into()));
    assert_eq!(side["inputs"].as_array().unwrap().len(), 2);
    let out =
        run(path, "rsa rdm --metric crossnobis --cv run --stimuli once.csv --noise repeats --shrink eye once.npy");
    assert!(out.stderr.contains("from repeats, 18 degrees of freedom, --shrink eye"), "{}", out.stderr);
    let repeats = out.ok();
    // the same with the residuals written out
    let (x, labels) = matrix(&fs::read(path.join("once.npy")).unwrap());
    let labels = labels.unwrap();
    let mut residuals = x.clone();
    for (row, mut out) in residuals.rows_mut().into_iter().enumerate() {
        let same: Vec<usize> = (0..24).filter(|r| labels[*r] == labels[row]).collect();
        out -= &x.select(Axis(0), &same).mean_axis(Axis(0)).unwrap();
    }
    save(&path.join("own.npy"), &residuals, None);
    let line =
        "rsa rdm -q --metric crossnobis --cv run --stimuli once.csv --noise own.npy --dof 18 --shrink eye once.npy";
    near("repeats", &rdm(&run(path, line).ok()).0, &rdm(&repeats).0, 1e-11);
    // one matrix of residuals for all, or one for each
    sh(path, "cat once.npy once.npy > two.npy; cat own.npy residuals.npy > two-res.npy").ok();
    let each = run(path, "rsa rdm -q --metric crossnobis --noise two-res.npy two.npy").ok();
    let first = run(path, "rsa rdm -q --metric crossnobis --noise own.npy once.npy").ok();
    let second = run(path, "rsa rdm -q --metric crossnobis --noise residuals.npy once.npy").ok();
    assert_eq!(each, [first, second].concat());
    let parts = ["2 matrices of residuals for 1 matrices of patterns"];
    run(path, "rsa rdm --metric crossnobis --noise two-res.npy once.npy").fails(1, &parts);
    sh(path, "cat two.npy once.npy > three.npy").ok();
    run(path, "rsa rdm --metric crossnobis --noise two-res.npy three.npy")
        .fails(1, &["is matrix 3", "holds 2 matrices"]);

    run(path, "rsa rdm --metric mahalanobis --noise residuals.npy patterns.npy")
        .fails(1, &["patterns.npy", "30 channels", "the noise 9"]);
    save(&path.join("few.npy"), &noise(5, 30, 1), None);
    run(path, "rsa rdm --metric mahalanobis --noise few.npy --shrink none patterns.npy")
        .fails(1, &["few.npy", "30 channels from 5 residuals has no inverse", "--shrink"]);
    let mut bad = noise(40, 30, 2);
    bad.column_mut(4).fill(1.0);
    save(&path.join("flat.npy"), &bad, None);
    run(path, "rsa rdm --metric mahalanobis --noise flat.npy patterns.npy")
        .fails(1, &["channel 4 of 30 has no variance"]);
    bad[(3, 2)] = f64::NAN;
    save(&path.join("nan.npy"), &bad, None);
    run(path, "rsa rdm --metric mahalanobis --noise nan.npy patterns.npy").fails(1, &["row 3, channel 2 is NaN"]);
    run(path, "rsa rdm --metric mahalanobis --noise repeats patterns.npy").fails(1, &["12 residuals leave 0 degrees"]);
}

#[test]
fn rows_are_joined_with_the_table_by_id_whatever_its_order() {
    let dir = designs();
    let path = dir.path();
    // every stimulus is once in every run: presentations are told apart by their order for each id
    let text = fs::read_to_string(path.join("once.csv")).unwrap();
    let mut lines: Vec<&str> = text.lines().skip(1).collect();
    lines.sort_by_key(|line| line.split(',').next().unwrap());
    fs::write(path.join("sorted.csv"), format!("stimulus,category,run\n{}\n", lines.join("\n"))).unwrap();
    let of = |table: &str| run(path, &format!("rsa rdm --metric crossnobis --cv run --stimuli {table} once.npy"));
    let moved = of("sorted.csv");
    assert!(moved.stderr.contains("paired in the order they come"), "{}", moved.stderr);
    assert_eq!(moved.ok(), of("once.csv").ok());
    // a table of stimuli serves for columns that presentations share
    fs::write(path.join("kinds.csv"), "stimulus,kind\nfox,a\ndog,a\nhouse,b\ncar,b\napple,c\npear,c\n").unwrap();
    let by = rdm(&run(path, "rsa rdm --by kind --stimuli kinds.csv once.npy").ok());
    let category = rdm(&run(path, "rsa rdm --by category --stimuli once.csv once.npy").ok());
    assert_eq!(by.0, category.0);
    assert!(by.1.iter().all(|name| name.len() == 1));
    // by pipe as by file
    let bytes = fs::read(path.join("once.npy")).unwrap();
    assert_eq!(
        pipe(path, "rsa rdm --by kind --stimuli kinds.csv", &bytes).ok(),
        run(path, "rsa rdm --by kind --stimuli kinds.csv once.npy").ok()
    );

    fs::write(path.join("short.csv"), "stimulus,kind\nfox,a\ndog,a\nhouse,b\ncar,b\napple,c\n").unwrap();
    run(path, "rsa rdm --by kind --stimuli short.csv once.npy")
        .fails(1, &["6 distinct ids", "5", "\"pear\"", "--inner"]);
    let inner = run(path, "rsa rdm --by kind --stimuli short.csv --inner once.npy");
    assert!(inner.stderr.contains("left out 4 rows"), "{}", inner.stderr);
    let (x, labels) = matrix(&bytes);
    let keep: Vec<usize> = (0..24).filter(|r| labels.as_ref().unwrap()[*r] != "pear").collect();
    let labels: Vec<String> = keep.iter().map(|r| labels.as_ref().unwrap()[*r].clone()).collect();
    save(&path.join("kept.npy"), &x.select(Axis(0), &keep), Some(&labels));
    assert_eq!(inner.ok(), run(path, "rsa rdm --by kind --stimuli short.csv kept.npy").ok());

    fs::write(path.join("trials.csv"), "stimulus,run\na,1\na,2\nb,1\nb,2\n").unwrap();
    save(&path.join("ab.npy"), &noise(2, 5, 1), Some(&["a".into(), "b".into()]));
    run(path, "rsa rdm --exclude-same run --stimuli trials.csv ab.npy")
        .fails(1, &["ab.npy", "\"a\" is 1 row here and 2 in trials.csv"]);
    run(path, "rsa rdm --by size --stimuli kinds.csv once.npy").fails(1, &["kinds.csv", "no column \"size\"", "kind"]);
    fs::write(path.join("hole.csv"), "stimulus,kind\nfox,a\ndog,\nhouse,b\ncar,b\napple,c\npear,c\n").unwrap();
    run(path, "rsa rdm --by kind --stimuli hole.csv once.npy").fails(1, &["hole.csv", "\"dog\"", "nothing in column"]);
    save(&path.join("bare.npy"), &x, None);
    run(path, "rsa rdm --metric crossnobis --cv run --stimuli once.csv bare.npy")
        .fails(1, &["bare.npy", "--assume-order"]);
    let told = run(path, "rsa rdm --metric crossnobis --cv run --stimuli once.csv --assume-order bare.npy");
    assert!(told.stderr.contains("by position (24 rows)"), "{}", told.stderr);
    assert_eq!(told.ok(), of("once.csv").ok());
    run(path, "rsa rdm --metric crossnobis bare.npy").fails(1, &["24 rows without ids", "npy label"]);
}

#[test]
fn designs_with_holes_say_so_and_keep_nan() {
    let dir = designs();
    let path = dir.path();
    let line = "rsa rdm --metric crossnobis --cv run --stimuli unbalanced.csv unbalanced.npy";
    // car is in runs 2 and 3; fox is not in 2, dog not in 3
    let parts = ["2 of 15 pairs", "2 pairs have fewer than 2 folds in common", "--cv-weights pairs"];
    run(path, line).fails(1, &parts);
    let out = run(path, &format!("{line} --allow-nan"));
    assert!(out.stderr.contains("6 stimuli have 0 to 2 presentations in each of 4 folds"), "{}", out.stderr);
    let folds = rdm(&out.ok()).0;
    let pairs = rdm(&run(
        path,
        "rsa rdm -q --metric crossnobis --cv run --cv-weights pairs --stimuli unbalanced.csv unbalanced.npy",
    )
    .ok())
    .0;
    assert_eq!(folds.iter().filter(|v| v.is_nan()).count(), 2);
    assert!(pairs.iter().all(|v| v.is_finite()) && folds[0] != pairs[0]);
    // a pattern common to a run cancels in one, and not in the other
    let (x, labels) = matrix(&fs::read(path.join("unbalanced.npy")).unwrap());
    let labels = labels.unwrap();
    let table = rows(&fs::read_to_string(path.join("unbalanced.csv")).unwrap());
    let mut shifted = x.clone();
    for (mut row, cells) in shifted.rows_mut().into_iter().zip(&table) {
        let run: u64 = cells["run"][4..].parse().unwrap();
        row += &(noise(1, 9, run + 5).row(0).to_owned() * 10.0);
    }
    save(&path.join("shifted.npy"), &shifted, Some(&labels));
    let of = |weights: &str| {
        let line =
            "rsa rdm -q --metric crossnobis --cv run --stimuli unbalanced.csv shifted.npy --allow-nan --cv-weights";
        rdm(&run(path, &format!("{line} {weights}")).ok()).0
    };
    near("shifted", &of("folds"), &folds, 1e-12);
    assert!(of("pairs").iter().zip(&pairs).any(|(a, b)| (a - b).abs() > 0.1));

    // a stimulus in one run alone has no distance
    let fox: Vec<usize> = (0..x.nrows()).filter(|r| labels[*r] != "fox" || table[*r]["run"] == "run-0").collect();
    save(
        &path.join("holes.npy"),
        &x.select(Axis(0), &fox),
        Some(&fox.iter().map(|r| labels[*r].clone()).collect::<Vec<_>>()),
    );
    let kept: Vec<String> = fox.iter().map(|r| format!("{},{}", labels[*r], table[*r]["run"])).collect();
    fs::write(path.join("holes.csv"), format!("stimulus,run\n{}\n", kept.join("\n"))).unwrap();
    let line = "rsa rdm -q --metric crossnobis --cv run --stimuli holes.csv holes.npy";
    run(path, line).fails(1, &["6 of 15 pairs", "1 of 6 rows unusable (1 too_few_repeats)", "\"fox\""]);
    let (found, ids) = rdm(&run(path, &format!("{line} --allow-nan")).ok());
    assert_eq!(found.iter().filter(|v| v.is_nan()).count(), 6);
    assert!(ids.contains(&"fox".to_string()));
    // NaN in one presentation: its stimulus, and nothing else
    let mut spoilt = x.clone();
    spoilt[(0, 3)] = f64::NAN;
    save(&path.join("spoilt.npy"), &spoilt, Some(&labels));
    for options in ["--metric crossnobis --cv run", "--metric poisson_cv --cv run", "--exclude-same run"] {
        let line = format!("rsa rdm -q {options} --stimuli unbalanced.csv --allow-nan");
        let out = run(path, &format!("{line} spoilt.npy"));
        let (part, id) = ("rows unusable (1 nan_input), the first is row 0", format!("({:?})", labels[0]));
        assert!(out.stderr.contains(part) && out.stderr.contains(&id), "{options}: {}", out.stderr);
        let (found, clean) = (rdm(&out.ok()).0, rdm(&run(path, &format!("{line} unbalanced.npy")).ok()).0);
        // the others differ only by the rounding of another mean
        assert!(found[..5].iter().all(|v| v.is_nan()));
        near(options, &found[5..], &clean[5..], 1e-12);
    }
    fs::write(
        path.join("one-run.csv"),
        fs::read_to_string(path.join("once.csv"))
            .unwrap()
            .replace("run-1", "run-0")
            .replace("run-2", "run-0")
            .replace("run-3", "run-0"),
    )
    .unwrap();
    run(path, "rsa rdm --metric crossnobis --cv run --stimuli one-run.csv once.npy")
        .fails(1, &["once.npy", "1 fold;", "at least 2"]);
    run(path, "rsa rdm --exclude-same run --stimuli one-run.csv once.npy").fails(1, &["15 of 15 pairs"]);
    run(path, "rsa rdm --metric crossnobis unbalanced.npy").fails(1, &["unbalanced.npy", "--cv COLUMN"]);
    run(path, "rsa rdm --metric crossnobis --by category --stimuli once.csv once.npy").fails(1, &["--by", "--cv"]);
    // counts below zero have no rate
    let mut negative = x.clone();
    negative[(4, 1)] = -3.0;
    save(&path.join("negative.npy"), &negative, Some(&labels));
    run(path, "rsa rdm --metric poisson_cv --cv run --cv-weights pairs --stimuli unbalanced.csv negative.npy -q")
        .fails(1, &["negative.npy", "-3", "Poisson rates are positive", &format!("{:?}", labels[4])]);
}

#[test]
fn rows_and_units_may_change_places() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let trials = [ids(7), ids(7), ids(7)].concat();
    let x = noise(21, 40, 3) + 2.0;
    save(&path.join("x.npy"), &x, Some(&trials));
    let order: Vec<usize> = (0..21).map(|i| (i * 8) % 21).collect();
    let units: Vec<usize> = (0..40).map(|j| (j * 7) % 40).collect();
    let moved: Vec<String> = order.iter().map(|r| trials[*r].clone()).collect();
    save(&path.join("moved.npy"), &x.select(Axis(0), &order).select(Axis(1), &units), Some(&moved));
    let table = |name: &str, order: &[usize]| {
        let lines: Vec<String> = order.iter().map(|r| format!("{},r{}", trials[*r], r / 7)).collect();
        fs::write(path.join(name), format!("stimulus,run\n{}\n", lines.join("\n"))).unwrap();
    };
    table("x.csv", &(0..21).collect::<Vec<_>>());
    table("moved.csv", &order);
    fs::write(path.join("ids.csv"), format!("stimulus\n{}\n", ids(7).join("\n"))).unwrap();
    let plain = ["correlation", "euclidean", "sqeuclidean", "cosine", "spearman", "cityblock", "poisson"];
    let mut options: Vec<String> = plain.iter().map(|m| format!("--metric {m} --exclude-same run")).collect();
    options.extend(["crossnobis", "poisson_cv"].map(|m| format!("--metric {m} --cv run")));
    options.extend(["crossnobis", "poisson_cv"].map(|m| format!("--metric {m} --cv run --cv-weights pairs")));
    options.push("--metric mahalanobis --exclude-same run --noise repeats".into());
    options.push("--metric crossnobis --cv run --noise repeats --shrink eye".into());
    for options in &options {
        let of = |name: &str, more: &str| {
            rdm(&run(path, &format!("rsa rdm -q {options} --stimuli {name}.csv --subset ids.csv {name}.npy {more}"))
                .ok())
            .0
        };
        let expected = of("x", "");
        near(options, &of("moved", ""), &expected, 1e-11);
        assert_eq!(of("x", "--threads 1"), of("x", "--threads 2"), "{options}");
    }
    // a correlation does not see the gain and offset of a row, nor a cosine its gain, nor ranks what is monotonic
    let gained = Array2::from_shape_fn(x.dim(), |(i, j)| x[(i, j)] * (1.0 + i as f64) + 3.0 * i as f64);
    save(&path.join("gained.npy"), &gained, Some(&trials));
    let of = |metric: &str, name: &str| {
        rdm(&run(path, &format!("rsa rdm --metric {metric} --exclude-same run --stimuli x.csv {name}.npy")).ok()).0
    };
    near("gain and offset", &of("correlation", "gained"), &of("correlation", "x"), 1e-12);
    save(&path.join("gained.npy"), &gained.mapv(f64::exp), Some(&trials));
    near("monotonic", &of("spearman", "gained"), &of("spearman", "x"), 1e-14);
    save(&path.join("gained.npy"), &(&x + &noise(1, 40, 9)), Some(&trials));
    near("a common pattern", &of("sqeuclidean", "gained"), &of("sqeuclidean", "x"), 1e-12);
}

#[test]
fn a_file_a_pipe_any_order_in_memory_and_any_dtype_give_one_answer() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    // several blocks of columns: 2048 is the panel
    let x = (noise(60, 5000, 4) * 100.0).mapv(f64::round);
    save_f4(&path.join("f4.npy"), &x, &ids(60));
    save(&path.join("f8.npy"), &x, Some(&ids(60)));
    for metric in ["correlation", "euclidean", "cosine", "spearman", "cityblock"] {
        let of = |line: &str| sh(path, &format!("rsa rdm --metric {metric} {line}")).ok();
        let file = of("f4.npy");
        assert_eq!(of("< f4.npy"), file);
        assert_eq!(of("- --threads 1 < f4.npy"), file);
        let (single, double) = (rdm(&file).0, rdm(&of("f8.npy")).0);
        // f4 in and out: 1e-6 of the largest
        near(metric, &single, &double, 1e-6);
        assert!(matches!(arrays(&file)[0].values, Values::F4(_)));
    }
    // the second of two matrices in a file, and one whose labels make the first bytes odd
    sh(path, "cat f8.npy f4.npy > both.npy").ok();
    let both = run(path, "rsa rdm both.npy").ok();
    assert_eq!(both, [run(path, "rsa rdm f8.npy").ok(), run(path, "rsa rdm f4.npy").ok()].concat());
    // a square matrix of responses is none the less responses
    save(&path.join("square.npy"), &noise(6, 6, 5), Some(&ids(6)));
    assert_eq!(rdm(&run(path, "rsa rdm square.npy").ok()).0.len(), 15);
}

#[test]
fn options_that_would_do_nothing_are_refused() {
    let dir = designs();
    let path = dir.path();
    for (options, parts) in [
        ("--per-channel", &["--per-channel", "correlation is not such a sum", "sqeuclidean"][..]),
        ("--metric euclidean --per-channel", &["euclidean is not such a sum"]),
        ("--shrink eye", &["--shrink", "--noise"]),
        ("--dof 3", &["--dof", "--noise"]),
        ("--cv run --stimuli once.csv", &["--cv", "correlation has none", "crossnobis"]),
        ("--metric euclidean --cv-weights pairs", &["--cv-weights"]),
        ("--prior-rate 2", &["--prior-rate", "poisson"]),
        ("--metric crossnobis --exclude-same run --stimuli once.csv", &["--exclude-same", "--cv"]),
        ("--by category", &["--by", "--stimuli"]),
        ("--stimuli once.csv", &["once.csv", "--by, --cv or --exclude-same"]),
        ("--metric mahalanobis", &["mahalanobis needs --noise"]),
        ("--metric poisson --noise residuals.npy", &["whitened count"]),
        ("--metric poisson --prior-rate 0", &["--prior-rate 0", "above 0"]),
        ("--metric mahalanobis --noise residuals.npy --dof 0", &["--dof 0"]),
    ] {
        run(path, &format!("rsa rdm {options} once.npy")).fails(1, parts);
    }
    run(path, "rsa rdm --metric nonsense once.npy").fails(2, &["nonsense", "poisson_cv"]);
    run(path, "rsa rdm patterns.npy -o made.npy").ok();
    run(path, "rsa rdm made.npy --transform rank --metric cosine").fails(1, &["rsa: made.npy: is an RDM", "--metric"]);
    run(path, "rsa rdm made.npy --metric cosine").fails(1, &["made.npy", "66 values on 1 axis", "rsa compare"]);
    run(path, "rsa rdm once.npy").fails(1, &["once.npy", "occurs 4 times"]);
}

#[test]
fn broken_input_closed_pipes_and_full_disks_are_met_with_manners() {
    let dir = designs();
    let path = dir.path();
    let whole = fs::read(path.join("once.npy")).unwrap();
    fs::write(path.join("cut.npy"), &whole[..900]).unwrap();
    fs::write(path.join("empty.npy"), b"").unwrap();
    let cv = "--metric crossnobis --cv run --stimuli once.csv";
    run(path, &format!("rsa rdm {cv} cut.npy")).fails(1, &["cut.npy", "772", "1728"]);
    pipe(path, &format!("rsa rdm {cv}"), &whole[..900]).fails(1, &["stdin", "772", "1728"]);
    run(path, &format!("rsa rdm {cv} empty.npy")).fails(1, &["empty.npy"]);
    run(path, &format!("rsa rdm {cv} --noise cut.npy once.npy")).fails(1, &["cut.npy"]);
    run(path, &format!("rsa rdm {cv} --noise gone.npy once.npy")).fails(1, &["gone.npy"]);
    run(path, "rsa rdm --metric crossnobis --cv run --stimuli gone.csv once.npy").fails(1, &["gone.csv"]);
    run(path, "rsa rdm --metric crossnobis --cv run --stimuli once.npy once.npy").fails(1, &["once.npy", "table"]);
    run(path, "rsa rdm --by category --stimuli - -").fails(1, &["stdin"]);
    fs::write(path.join("foreign.csv"), "stimulus,run\nx,1\ny,2\n").unwrap();
    run(path, "rsa rdm --metric crossnobis --cv run --stimuli foreign.csv once.npy")
        .fails(1, &["once.npy", "foreign.csv"]);
    sh(path, &format!("rsa rdm {cv} once.npy > /dev/full")).fails(1, &["No space"]);
    save(&path.join("large.npy"), &noise(700, 5, 6), Some(&ids(700)));
    assert_eq!(sh(path, "rsa rdm large.npy --transform rank | head -c 100").ok().len(), 100);
    // a later matrix that is cut leaves nothing of those before it on stdout
    fs::write(path.join("two.npy"), [&whole[..], &whole[..900]].concat()).unwrap();
    run(path, "rsa rdm --metric crossnobis two.npy").fails(1, &["two.npy"]);
    let constant = Array2::from_elem((4, 6), 2.0);
    save(&path.join("constant.npy"), &constant, Some(&ids(4)));
    run(path, "rsa rdm --metric spearman constant.npy")
        .fails(1, &["6 of 6 pairs", "4 of 4 rows unusable (4 constant)"]);
    assert_eq!(rdm(&run(path, "rsa rdm --metric cityblock constant.npy").ok()).0, [0.0; 6]);
    // the square and the sidecar
    let line = format!("rsa rdm {cv} --square once.npy -o square.npy");
    run(path, &line).ok();
    let side = json(path, "square.json");
    let folds = &side["folds of once.npy"];
    assert_eq!((&side["cv"], &folds["n_folds"], &folds["cv_weights"]), (&"run".into(), &4.into(), &"folds".into()));
    assert_eq!(folds["balanced"], true);
    let (square, labels) = matrix(&fs::read(path.join("square.npy")).unwrap());
    assert_eq!((square.dim(), labels.unwrap().len()), ((6, 6), 6));
    assert_eq!(square, square.t());
}

/// `1 - Pearson` of two rows.
fn one_minus_r(a: &[f64], b: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let dot = |x: &[f64], mx: f64, y: &[f64], my: f64| x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>();
    1.0 - dot(a, ma, b, mb) / (dot(a, ma, a, ma) * dot(b, mb, b, mb)).sqrt()
}

#[test]
fn center_takes_the_mean_over_the_stimuli_of_the_rdm() {
    let dir = tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    // Six stimuli, the first two presented three times and the others once, on a pattern that all share.
    let labels: Vec<String> = ["a", "b", "a", "c", "d", "b", "a", "e", "f", "b"].map(String::from).to_vec();
    let values = noise(10, 25, 4) + &(noise(1, 25, 5) * 30.0);
    save(&at("x.npy"), &values, Some(&labels));
    let kinds: String = labels.iter().enumerate().map(|(row, id)| format!("{id},k{id},{}\n", row % 2)).collect();
    fs::write(at("t.csv"), format!("stimulus,kind,run\n{kinds}")).unwrap();
    let names = ["a", "b", "c", "d", "e", "f"];
    let averaged = |name: &&str| -> Vec<f64> {
        let own: Vec<usize> = (0..10).filter(|r| labels[*r] == **name).collect();
        (0..25).map(|j| own.iter().map(|r| values[(*r, j)]).sum::<f64>() / own.len() as f64).collect()
    };
    let mut patterns: Vec<Vec<f64>> = names.iter().map(averaged).collect();
    for j in 0..25 {
        let mean = patterns.iter().map(|p| p[j]).sum::<f64>() / 6.0;
        patterns.iter_mut().for_each(|p| p[j] -= mean);
    }
    let pairs = |n: usize| (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)));
    let expected: Vec<f64> = pairs(6).map(|(i, j)| one_minus_r(&patterns[i], &patterns[j])).collect();
    let line = "rsa rdm --center --by kind --stimuli t.csv --dtype f8";
    run(dir.path(), &format!("{line} x.npy -o r.npy")).ok();
    let found = rdm(&fs::read(at("r.npy")).unwrap());
    near("by", &found.0, &expected, 1e-12);
    assert_eq!(json(dir.path(), "r.json")["center"], true);
    // The same of averages, of a pipe, and of several arrays one after the other.
    run(dir.path(), "npy average x.npy -o m.npy").ok();
    let (means, ids) = matrix(&fs::read(at("m.npy")).unwrap());
    let bytes = bytes_of(&means, ids.as_deref());
    near("pipe", &rdm(&pipe(dir.path(), "rsa rdm --center", &bytes).ok()).0, &expected, 1e-12);
    let both = arrays(&run(dir.path(), "rsa rdm --center m.npy m.npy").ok());
    assert_eq!(both[0].values, both[1].values);
    // `npy scale` and the RDM of what it writes; and rows that --subset leaves out are in the mean.
    run(dir.path(), "npy scale --center columns m.npy -o scaled.npy").ok();
    near("npy scale", &rdm(&run(dir.path(), "rsa rdm scaled.npy").ok()).0, &expected, 1e-12);
    fs::write(at("some.csv"), "stimulus\nc\na\n").unwrap();
    let some = rdm(&run(dir.path(), "rsa rdm --center --subset some.csv m.npy").ok()).0;
    near("subset", &some, &[expected[1]], 1e-12);
    // Whitening is linear: centred before is centred after.
    save(&at("res.npy"), &noise(80, 25, 8), None);
    let white = rdm(&run(dir.path(), "rsa rdm --center --noise res.npy m.npy").ok()).0;
    let after = rdm(&run(dir.path(), "rsa rdm --noise res.npy scaled.npy").ok()).0;
    near("noise", &white, &after, 1e-10);
    assert!(white.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 1e-3));
}

#[test]
fn center_within_the_runs_that_are_not_compared() {
    let dir = tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let labels: Vec<String> = ["a", "b", "c", "c", "b", "a"].map(String::from).to_vec();
    let mut values = noise(6, 20, 14);
    // The second run has another baseline in every voxel.
    let drift = noise(1, 20, 15) * 20.0;
    (3..6).for_each(|row| (0..20).for_each(|j| values[(row, j)] += drift[(0, j)]));
    save(&at("x.npy"), &values, Some(&labels));
    fs::write(at("t.csv"), "stimulus,run\na,1\nb,1\nc,1\nc,2\nb,2\na,2\n").unwrap();
    let found = rdm(&run(dir.path(), "rsa rdm --center --exclude-same run --stimuli t.csv x.npy").ok()).0;
    let mut centred = values.clone();
    for run in [0..3, 3..6] {
        for j in 0..20 {
            let mean = run.clone().map(|r| values[(r, j)]).sum::<f64>() / 3.0;
            run.clone().for_each(|r| centred[(r, j)] -= mean);
        }
    }
    let between = |a: usize, b: usize| one_minus_r(&centred.row(a).to_vec(), &centred.row(b).to_vec());
    // a is rows 0 and 5, b 1 and 4, c 2 and 3: each pair twice, once from every run.
    let expected = [
        (between(0, 4) + between(5, 1)) / 2.0,
        (between(0, 3) + between(5, 2)) / 2.0,
        (between(1, 3) + between(4, 2)) / 2.0,
    ];
    near("within runs", &found, &expected, 1e-12);
    // A run that lacks a stimulus has a mean over others, which is said.
    save(&at("five.npy"), &values.slice(ndarray::s![..5, ..]).to_owned(), Some(&labels[..5]));
    fs::write(at("five.csv"), "stimulus,run\na,1\nb,1\nc,1\nc,2\nb,2\n").unwrap();
    let outcome = run(dir.path(), "rsa rdm --center --exclude-same run --stimuli five.csv five.npy --allow-nan");
    assert!(outcome.stderr.contains("2 to 3 of 3 stimuli, not the same ones"), "{outcome:?}");
}

#[test]
fn center_where_it_would_do_nothing_or_nothing_is_left() {
    let dir = tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut values = noise(4, 12, 3);
    save(&at("x.npy"), &values, Some(&ids(4)));
    for metric in ["euclidean", "sqeuclidean", "cityblock", "mahalanobis --noise x.npy", "crossnobis"] {
        let line = format!("rsa rdm --center --metric {metric} x.npy");
        run(dir.path(), &line).fails(1, &["--center", "(a - m) - (b - m) is a - b", "correlation_cv, cosine"]);
    }
    run(dir.path(), "rsa rdm --center --metric poisson x.npy").fails(1, &["--center", "counts"]);
    save(&at("same.npy"), &Array2::from_elem((4, 12), 0.1), Some(&ids(4)));
    let outcome = run(dir.path(), "rsa rdm --center --allow-nan same.npy");
    assert!(outcome.stderr.contains("4 of 4 rows unusable (4 constant)"), "{outcome:?}");
    // A row with a NaN has no distances and is in no mean.
    let without = rdm(&{
        save(&at("three.npy"), &values.slice(ndarray::s![1.., ..]).to_owned(), Some(&ids(4)[1..]));
        run(dir.path(), "rsa rdm --center --metric cosine three.npy").ok()
    });
    values[(0, 5)] = f64::NAN;
    save(&at("x.npy"), &values, Some(&ids(4)));
    let found = rdm(&run(dir.path(), "rsa rdm --center --metric cosine --allow-nan x.npy").ok()).0;
    assert!(found[..3].iter().all(|v| v.is_nan()));
    near("without the NaN", &found[3..], &without.0, 1e-15);
}
