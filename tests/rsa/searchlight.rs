//! `rsa searchlight` as its users meet it.

use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use brain_formats::{Geometry, VolumeReader};
use ndarray::{Array2, Axis, concatenate};
use std::fs;
use std::path::Path;
use support::*;

fn golden(name: &str) -> String {
    root().join("testdata/golden/searchlight").join(name).display().to_string()
}

fn table_of(dir: &Path, name: &str) -> Vec<Row> {
    rows(&fs::read_to_string(dir.join(name)).unwrap())
}

/// The values of a NIfTI map, and its geometry.
fn map(path: &Path) -> (Vec<f64>, Geometry) {
    let mut image = VolumeReader::new(fs::File::open(path).unwrap(), None).unwrap();
    let mut values = Vec::new();
    image.next_volume(&mut values).unwrap();
    (values, image.geometry().clone())
}

fn write_mask(path: &Path, inside: &[bool], grid: &Geometry) {
    let labels: Vec<u32> = inside.iter().map(|i| u32::from(*i)).collect();
    write_volume(fs::File::create(path).unwrap(), Voxels::Labels(&labels), grid, Intent::None, false).unwrap();
}

fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(a, b)| f(a - mx, b - my)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}

/// The upper triangle of 1 - r between the rows, over these columns.
fn rdm_over(patterns: &Array2<f64>, columns: &[usize]) -> Vec<f64> {
    let cut = patterns.select(Axis(1), columns);
    let n = cut.nrows();
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    pairs.map(|(i, j)| 1.0 - pearson(&cut.row(i).to_vec(), &cut.row(j).to_vec())).collect()
}

#[test]
fn scores_are_rsatoolboxs() {
    let dir = tempfile::tempdir().unwrap();
    let expected: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(golden("scores.json")).unwrap()).unwrap();
    let integers =
        |name: &str| -> Vec<String> { expected[name].as_array().unwrap().iter().map(ToString::to_string).collect() };
    fs::write(
        dir.path().join("t.csv"),
        "stimulus\n".to_owned() + &(0..10).map(|i| format!("s{i}\n")).collect::<String>(),
    )
    .unwrap();
    let models = matrix(&fs::read(golden("models.npy")).unwrap()).0;
    for (m, name) in ["groups", "line"].into_iter().enumerate() {
        let mut bytes = Vec::new();
        npy_stream::write_vector(&mut bytes, &models.row(m).to_vec(), npy_stream::Dtype::F8, Some(&ids(10))).unwrap();
        fs::write(dir.path().join(format!("{name}.npy")), bytes).unwrap();
    }
    let line = format!(
        "rsa searchlight {} --mask {} --stimuli t.csv --assume-order --radius 2.5 --models groups.npy line.npy",
        golden("betas.nii"),
        golden("mask.nii")
    );
    for (ours, theirs) in [("pearson", "corr"), ("spearman", "spearman")] {
        let outcome = run(dir.path(), &format!("{line} --compare {ours} --table t-{ours}.csv"));
        let (scores, labels) = matrix(&outcome.ok());
        assert_eq!(labels.unwrap(), integers("centers"));
        for (row, reference) in scores.rows().into_iter().zip(expected[theirs].as_array().unwrap()) {
            for (found, reference) in row.iter().zip(reference.as_array().unwrap()) {
                // f4 patterns: distances differ by 1e-7 of 1, and a rank may change places with its neighbour (of 45).
                let tolerance = if ours == "pearson" { 1e-6 } else { 2e-4 };
                assert!((found - reference.as_f64().unwrap()).abs() < tolerance, "{ours}: {found} {reference}");
            }
        }
        let table = table_of(dir.path(), &format!("t-{ours}.csv"));
        let sizes: Vec<String> = table.iter().step_by(2).map(|r| r["n_voxels"].clone()).collect();
        assert_eq!(sizes, integers("n_voxels"));
        assert_eq!((table[1]["model"].as_str(), table[1]["compare"].as_str()), ("line", ours));
        assert!(table.iter().all(|r| r["n_pairs"] == "45" && r["reason"].is_empty()));
        let (r, column) = (scores[[3, 1]], if ours == "pearson" { "r" } else { "rho" });
        assert_eq!(number(&table[7], column), r);
    }
    // The share of the sphere in the mask, as rsatoolbox's threshold.
    let outcome = run(dir.path(), &format!("{line} --min-share 0.7 --table share.csv"));
    assert!(outcome.stderr.contains("too_few_voxels"), "{}", outcome.stderr);
    let (scores, labels) = matrix(&outcome.ok());
    let kept = labels.unwrap().into_iter().zip(scores.rows()).filter(|(_, r)| !r[0].is_nan()).map(|(l, _)| l);
    assert_eq!(kept.collect::<Vec<_>>(), integers("share_70"));
}

/// A grid of 5 x 4 x 3 voxels of 2 x 2 x 5 mm with a hole, patterns of 8 stimuli, and two models.
fn small(dir: &Path) -> (Geometry, Vec<bool>, Array2<f64>) {
    let grid = Geometry::from_sizes([5, 4, 3], [2.0, 2.0, 5.0]);
    let inside: Vec<bool> = (0..60).map(|v| v % 7 != 3 && v > 4).collect();
    write_mask(&dir.join("mask.nii"), &inside, &grid);
    let betas = noise(8, 60, 4);
    save(&dir.join("betas.npy"), &betas, Some(&ids(8)));
    for (seed, name) in [(1, "ann"), (2, "v1")] {
        save(&dir.join("acts.npy"), &noise(8, 20, seed), Some(&ids(8)));
        run(dir, &format!("rsa rdm acts.npy -o {name}.npy")).ok();
    }
    (grid, inside, betas)
}

#[test]
fn every_sphere_is_the_rdm_of_its_voxels() {
    let dir = tempfile::tempdir().unwrap();
    let (grid, inside, betas) = small(dir.path());
    let models: Vec<Vec<f64>> = ["ann", "v1"]
        .map(|name| arrays(&fs::read(dir.path().join(format!("{name}.npy"))).unwrap()).remove(0).values.into_f64())
        .to_vec();
    // Slow: every voxel of the mask with every other, in voxels and in millimetres.
    type Near = fn([f64; 3]) -> bool;
    let near: [(&str, Near); 3] = [
        ("1.5", |d| d.iter().map(|v| v * v).sum::<f64>() <= 2.25),
        ("2", |d| d.iter().map(|v| v * v).sum::<f64>() <= 4.0),
        ("5mm", |d| (4.0 * d[0] * d[0] + 4.0 * d[1] * d[1] + 25.0 * d[2] * d[2]) <= 25.0),
    ];
    for (radius, near) in near {
        let line = format!(
            "rsa searchlight betas.npy --mask mask.nii --radius {radius} --models ann.npy v1.npy --compare pearson"
        );
        let (scores, labels) = matrix(&run(dir.path(), &format!("{line} --min-voxels 3")).ok());
        let visited: Vec<usize> = labels.unwrap().iter().map(|l| l.parse().unwrap()).collect();
        assert_eq!(visited, (0..60).filter(|v| inside[*v]).collect::<Vec<_>>());
        for (row, &centre) in scores.rows().into_iter().zip(&visited) {
            let at = |v: usize| grid.place(v).map(|p| p as f64);
            let sphere: Vec<usize> = visited
                .iter()
                .copied()
                .filter(|&v| near([0, 1, 2].map(|axis| at(v)[axis] - at(centre)[axis])))
                .collect();
            for (m, &found) in row.iter().enumerate() {
                let expected =
                    if sphere.len() < 3 { f64::NAN } else { pearson(&models[m], &rdm_over(&betas, &sphere)) };
                let same = (found.is_nan() && expected.is_nan()) || (found - expected).abs() < 1e-12;
                assert!(same, "{radius}, voxel {centre}: {found} {expected}");
            }
        }
        for same in ["--threads 1", "--threads 2 --quiet"] {
            assert_eq!(
                matrix(&run(dir.path(), &format!("{line} {same}")).ok()).0.mapv(f64::to_bits),
                scores.mapv(f64::to_bits)
            );
        }
    }
    // Columns for the mask's voxels alone, rows in another order, trials: the same scores.
    let line = "rsa searchlight betas.npy --mask mask.nii --radius 2 --models ann.npy v1.npy";
    let scores = matrix(&run(dir.path(), line).ok()).0;
    let kept: Vec<usize> = (0..60).filter(|v| inside[*v]).collect();
    let order: Vec<usize> = (0..8).map(|i| (i * 3 + 1) % 8).collect();
    let moved: Vec<String> = order.iter().map(|i| format!("s{i}")).collect();
    let cut = betas.select(Axis(1), &kept).select(Axis(0), &order);
    let shift = noise(8, kept.len(), 9);
    let trials = concatenate(Axis(0), &[(&cut + &shift).view(), (&cut - &shift).view()]).unwrap();
    save(&dir.path().join("betas.npy"), &trials, Some(&[moved.clone(), moved].concat()));
    let outcome = run(dir.path(), line);
    assert!(outcome.stderr.contains("8 patterns, averaged from 16 of 16 rows"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("into the order of"), "{}", outcome.stderr);
    let again = matrix(&outcome.ok()).0;
    assert!(scores.iter().zip(&again).all(|(a, b)| (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-9));
}

#[test]
fn maps_lie_on_the_grid_of_the_mask() {
    let dir = tempfile::tempdir().unwrap();
    let (grid, inside, _) = small(dir.path());
    let line = "rsa searchlight betas.npy --mask mask.nii --radius 2 --models ann.npy v1.npy";
    let scores = matrix(&run(dir.path(), line).ok()).0;
    let quiet = run(dir.path(), &format!("{line} --out-dir maps"));
    assert!(quiet.stdout.is_empty() && quiet.code == 0, "{}", quiet.stderr);
    for (m, name) in ["ann", "v1"].into_iter().enumerate() {
        let (values, at) = map(&dir.path().join(format!("maps/{name}.nii.gz")));
        assert!(at.agrees_with(&grid));
        let mut row = 0;
        for (v, value) in values.into_iter().enumerate() {
            assert_eq!(value.is_nan(), !inside[v] || scores[[row, m]].is_nan(), "{v}");
            if inside[v] {
                assert!(value.is_nan() || value == f64::from(scores[[row, m]] as f32));
                row += 1;
            }
        }
    }
    let side: serde_json::Value = serde_json::from_str(
        &fs::read_to_string(dir.path().join("maps/v1.nii.json"))
            .or_else(|_| fs::read_to_string(dir.path().join("maps/v1.json")))
            .unwrap(),
    )
    .unwrap();
    assert_eq!(side["models"], serde_json::json!(["ann", "v1"]));
    assert_eq!(side["inputs"].as_array().map(Vec::len), Some(4));
    // Shards, joined by npy cat, are the whole; a shard is missing or a map is of another mask: refused.
    for i in 0..3 {
        run(dir.path(), &format!("{line} --shard {i}/3 -o part-{i}.npy")).ok();
    }
    run(dir.path(), "npy cat part-2.npy part-0.npy").fails(1, &["--array=1"]);
    run(dir.path(), "npy cat part-2.npy part-0.npy part-1.npy -o whole.npy").ok();
    assert_eq!(fs::read(dir.path().join("whole.npy")).unwrap(), run(dir.path(), line).ok());
    run(dir.path(), "rsa searchlight --scores whole.npy --names ann,v1 --mask mask.nii --out-dir again").ok();
    for name in ["ann", "v1"] {
        let bytes = |folder: &str| fs::read(dir.path().join(folder).join(format!("{name}.nii.gz"))).unwrap();
        assert_eq!(bytes("again"), bytes("maps"));
    }
    let part = "rsa searchlight --scores part-0.npy --mask mask.nii --out-dir again";
    run(dir.path(), part).fails(1, &["part-0.npy", "npy cat"]);
    let named = part.replace("part-0", "whole");
    run(dir.path(), &format!("{named} --names a")).fails(1, &["1 names for the 2 columns"]);
    run(dir.path(), &format!("{named} --names a,a")).fails(1, &["two models are called \"a\""]);
    run(dir.path(), &format!("{line} --names a,b/c --out-dir x")).fails(1, &["\"b/c\""]);
    run(dir.path(), &format!("{line} --out-dir x --shard 0/2")).fails(2, &["--shard"]);
    run(dir.path(), "rsa searchlight --mask mask.nii").fails(2, &["--radius"]);
    save(&dir.path().join("acts.npy"), &noise(40, 2, 1), Some(&ids(40)));
    run(dir.path(), &part.replace("part-0", "acts")).fails(1, &["row 0", "\"s0\"", "not a voxel number"]);
}

#[test]
fn nan_and_constant_voxels_have_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (grid, inside, mut betas) = small(dir.path());
    let kept: Vec<usize> = (0..60).filter(|v| inside[*v]).collect();
    let bad = kept[11];
    betas[[2, bad]] = f64::NAN;
    save(&dir.path().join("betas.npy"), &betas, Some(&ids(8)));
    let line = "rsa searchlight betas.npy --mask mask.nii --radius 1 --min-voxels 2 --models ann.npy --compare pearson --table t.csv";
    let outcome = run(dir.path(), line);
    assert!(outcome.stderr.contains("1 of 47 voxels of the mask have a NaN"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("nan_input"), "{}", outcome.stderr);
    outcome.ok();
    let distance = |v: usize| -> usize {
        let (a, b) = (grid.place(v), grid.place(bad));
        (0..3).map(|axis| a[axis].abs_diff(b[axis])).sum()
    };
    for row in table_of(dir.path(), "t.csv") {
        let v: usize = row["voxel"].parse().unwrap();
        assert_eq!(
            (row["reason"] == "nan_input", row["r"] == "NaN"),
            (distance(v) <= 1, !row["reason"].is_empty()),
            "{v}"
        );
    }
    // Left out, its neighbours are as if the mask had not had it.
    run(dir.path(), &format!("{line} --drop-nan")).ok();
    let dropped = table_of(dir.path(), "t.csv");
    let mut smaller = inside.clone();
    smaller[bad] = false;
    write_mask(&dir.path().join("mask.nii"), &smaller, &grid);
    run(dir.path(), line).ok();
    for row in table_of(dir.path(), "t.csv") {
        let same = dropped.iter().find(|r| r["voxel"] == row["voxel"]).unwrap();
        assert_eq!((same["r"].as_str(), same["n_voxels"].as_str()), (row["r"].as_str(), row["n_voxels"].as_str()));
    }
    write_mask(&dir.path().join("mask.nii"), &inside, &grid);
    // A pattern that is flat everywhere misses 7 of 28 pairs, more than 10 %.
    betas[[2, bad]] = 0.5;
    betas.row_mut(5).fill(1.0);
    save(&dir.path().join("betas.npy"), &betas, Some(&ids(8)));
    let outcome = run(dir.path(), line);
    assert!(outcome.stderr.contains("nan_pairs"), "{}", outcome.stderr);
    assert!(table_of(dir.path(), "t.csv").iter().all(|r| r["r"] == "NaN"));
    let allowed = run(dir.path(), &format!("{line} --allow-nan"));
    assert!(allowed.stderr.contains("scored without some pairs"), "{}", allowed.stderr);
    assert!(table_of(dir.path(), "t.csv").iter().any(|r| r["r"] != "NaN" && r["n_pairs"] == "21"));
    betas.fill(2.0);
    save(&dir.path().join("betas.npy"), &betas, Some(&ids(8)));
    let flat = run(dir.path(), line);
    assert!(flat.stderr.contains("constant"), "{}", flat.stderr);
    assert!(
        table_of(dir.path(), "t.csv").iter().all(|r| ["constant", "too_few_voxels"].contains(&r["reason"].as_str()))
    );
}

#[test]
fn betas_find_their_ids_and_their_grid() {
    let dir = tempfile::tempdir().unwrap();
    let (grid, _, betas) = small(dir.path());
    // Two runs as images: 8 volumes in all, named by a table; the second column groups them.
    let mut volumes = Vec::new();
    for row in betas.rows() {
        let mut bytes = Vec::new();
        let values: Vec<f32> = row.iter().map(|v| *v as f32).collect();
        write_volume(&mut bytes, Voxels::F4(&values), &grid, Intent::None, false).unwrap();
        volumes.push(bytes);
    }
    // The 352 bytes of the header, with dim[0] = 4 and dim[4] = 4.
    for (run, volumes) in volumes.chunks(4).enumerate() {
        let mut image = volumes[0][..352].to_vec();
        image[40..42].copy_from_slice(&4i16.to_le_bytes());
        image[48..50].copy_from_slice(&4i16.to_le_bytes());
        volumes.iter().for_each(|v| image.extend(&v[352..]));
        fs::write(dir.path().join(format!("run{run}.nii")), image).unwrap();
    }
    let lines: String = (0..8).map(|i| format!("s{i},{}\n", ["a", "b", "c", "n/a"][i % 4])).collect();
    fs::write(dir.path().join("t.csv"), format!("stimulus,category\n{lines}")).unwrap();
    let scores =
        |line: &str| matrix(&run(dir.path(), &format!("rsa searchlight {line} --mask mask.nii --radius 2")).ok()).0;
    let npy = scores("betas.npy --models ann.npy");
    let images = scores("run0.nii run1.nii --stimuli t.csv --assume-order --models ann.npy");
    // The rows of images are in the order of the table; the stimuli of a model without ids are in no known one.
    let ann = &arrays(&fs::read(dir.path().join("ann.npy")).unwrap())[0];
    let bare = npy_stream::Array { labels: npy_stream::Labels::default(), ..ann.clone() };
    npy_stream::write_array(fs::File::create(dir.path().join("bare.npy")).unwrap(), &bare).unwrap();
    run(
        dir.path(),
        "rsa searchlight run0.nii run1.nii --stimuli t.csv --assume-order --models bare.npy --mask mask.nii --radius 2",
    )
    .fails(1, &["bare.npy", "without ids", "npy label"]);
    // The images are f4: 1e-6 of distances, a rank or two of 28.
    assert!(npy.iter().zip(&images).all(|(a, b)| (a.is_nan() && b.is_nan()) || (a - b).abs() < 5e-3));
    let piped = sh(
        dir.path(),
        "cat run0.nii | rsa searchlight - run1.nii --stimuli t.csv --assume-order --models ann.npy --mask mask.nii --radius 2",
    );
    assert_eq!(matrix(&piped.ok()).0.mapv(f64::to_bits), images.mapv(f64::to_bits));
    // Patterns of categories: three, from six of the eight rows.
    save(&dir.path().join("acts.npy"), &noise(3, 9, 5), Some(&["a", "b", "c"].map(String::from)));
    run(dir.path(), "rsa rdm acts.npy -o three.npy").ok();
    let by = run(
        dir.path(),
        "rsa searchlight run0.nii run1.nii --stimuli t.csv --by category --assume-order --models three.npy --mask mask.nii --radius 2",
    );
    assert!(by.stderr.contains("3 patterns, averaged from 6 of 8 rows"), "{}", by.stderr);
    by.ok();

    let fails = |line: &str, parts: &[&str]| {
        run(dir.path(), &format!("rsa searchlight {line} --mask mask.nii --radius 2")).fails(1, parts);
    };
    fails("run0.nii --models ann.npy", &["run0.nii", "4 rows without ids", "--stimuli"]);
    fails("run0.nii --stimuli t.csv --assume-order --models ann.npy", &["4 rows", "t.csv has 8"]);
    fails("betas.npy --stimuli t.csv --assume-order --models ann.npy", &["carry ids already"]);
    fails("betas.npy --models three.npy", &["3", "8", "0 are in common"]);
    save(&dir.path().join("wide.npy"), &noise(8, 61, 1), Some(&ids(8)));
    fails("wide.npy --models ann.npy", &["61 columns", "60 voxels, 47 of them inside"]);
    let turned = Geometry::from_sizes([4, 5, 3], [2.0, 2.0, 5.0]);
    write_mask(&dir.path().join("turned.nii"), &[true; 60], &turned);
    let line = "rsa searchlight run0.nii run1.nii --stimuli t.csv --assume-order --models ann.npy --radius 2 --mask";
    run(dir.path(), &format!("{line} turned.nii")).fails(1, &["turned.nii", "4x5x3", "5x4x3", "resample"]);
    write_mask(&dir.path().join("empty.nii"), &[false; 60], &grid);
    run(dir.path(), &format!("{line} empty.nii")).fails(1, &["empty.nii", "0 of 60 voxels"]);
    run(dir.path(), &format!("{line} betas.npy")).fails(1, &["betas.npy"]);
    run(dir.path(), &format!("{line} mask.nii --radius 0")).fails(2, &["--radius"]);
    let cut = fs::read(dir.path().join("run1.nii")).unwrap();
    fs::write(dir.path().join("run1.nii"), &cut[..cut.len() - 9]).unwrap();
    run(dir.path(), &format!("{line} mask.nii")).fails(1, &["run1.nii", "cut off"]);
}

#[test]
fn closed_pipes_full_disks_and_nothing_half_written() {
    let dir = tempfile::tempdir().unwrap();
    small(dir.path());
    let line = "rsa searchlight betas.npy --mask mask.nii --radius 2 --models ann.npy";
    let cut = sh(dir.path(), &format!("{line} | head -c 10 > /dev/null; echo ${{PIPESTATUS[0]}}"));
    assert_eq!(cut.stdout, b"0\n", "{}", cut.stderr);
    sh(dir.path(), &format!("{line} > /dev/full")).fails(1, &["No space left"]);
    pipe(dir.path(), &line.replace("betas.npy", "-"), b"").fails(1, &["stdin"]);
    pipe(dir.path(), &line.replace("betas.npy", "-"), b"id,x\n").fails(1, &["stdin"]);
    let good = fs::read(dir.path().join("betas.npy")).unwrap();
    pipe(dir.path(), &line.replace("betas.npy", "-"), &good[..300]).fails(1, &["stdin", "truncated"]);
    assert_eq!(pipe(dir.path(), &line.replace("betas.npy", "-"), &good).ok(), run(dir.path(), line).ok());
    // A model that does not fit leaves no map behind.
    save(&dir.path().join("acts.npy"), &noise(5, 9, 5), Some(&ids(5)));
    run(dir.path(), "rsa rdm acts.npy -o five.npy").ok();
    run(dir.path(), &format!("{line} five.npy --out-dir maps -o s.npy")).fails(1, &["five.npy"]);
    assert_eq!(fs::read_dir(dir.path().join("maps")).unwrap().count(), 0);
    assert!(!dir.path().join("s.npy").exists());
}

#[test]
fn help_examples_run() {
    let dir = tempfile::tempdir().unwrap();
    let (grid, inside, betas) = small(dir.path());
    let labels: Vec<u32> = inside.iter().map(|i| u32::from(*i)).collect();
    let gz = fs::File::create(dir.path().join("mask.nii.gz")).unwrap();
    write_volume(gz, Voxels::Labels(&labels), &grid, Intent::None, true).unwrap();
    fs::write(
        dir.path().join("t.csv"),
        "stimulus\n".to_owned() + &(0..8).map(|i| format!("s{i}\n")).collect::<String>(),
    )
    .unwrap();
    // betas as an image of eight volumes
    let mut image = Vec::new();
    for row in betas.rows() {
        let mut bytes = Vec::new();
        let values: Vec<f32> = row.iter().map(|v| *v as f32).collect();
        write_volume(&mut bytes, Voxels::F4(&values), &grid, Intent::None, false).unwrap();
        image.extend(&bytes[if image.is_empty() { 0 } else { 352 }..]);
    }
    image[40..42].copy_from_slice(&4i16.to_le_bytes());
    image[48..50].copy_from_slice(&8i16.to_le_bytes());
    fs::write(dir.path().join("b.nii"), image).unwrap();
    sh(dir.path(), "gzip b.nii").ok();
    let help = run(dir.path(), "rsa searchlight --help").text().replace("\\\n", " ");
    let mut n = 0;
    for example in help.lines().skip_while(|l| !l.starts_with("Examples")).skip(1).filter(|l| l.contains("rsa ")) {
        sh(dir.path(), example).ok();
        n += 1;
    }
    assert_eq!(n, 3);
    assert!(dir.path().join("maps/ann.nii.gz").exists());
}

#[test]
fn center_is_that_of_the_patterns_compared() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    // Every picture drives every voxel, some more than others.
    let mut betas = noise(8, 27, 3) + &(noise(1, 27, 4) * 20.0);
    betas[[2, 26]] = f64::NAN;
    save(&path.join("b.npy"), &betas, Some(&ids(8)));
    write_mask(&path.join("mask.nii"), &[true; 27], &Geometry::from_sizes([3, 3, 3], [2.0; 3]));
    save(&path.join("m.npy"), &noise(8, 5, 5), Some(&ids(8)));
    sh(path, "rsa rdm m.npy > model.npy").ok();
    run(path, "npy scale --center columns b.npy -o c.npy").ok();
    let line = "rsa searchlight --mask mask.nii --radius 1 --models model.npy --compare pearson";
    let scores = |options: &str| matrix(&run(path, &format!("{line} {options}")).ok()).0;
    let (raw, centred, scaled) = (scores("-- b.npy"), scores("--center -- b.npy"), scores("-- c.npy"));
    let near = |a: &f64, b: &f64| (a - b).abs() < 1e-12 || (a.is_nan() && b.is_nan());
    assert!(centred.iter().zip(&scaled).all(|(a, b)| near(a, b)), "{centred} {scaled}");
    // Voxel 26 is in four spheres, its own among them, and in no others.
    assert_eq!(centred.iter().filter(|v| v.is_nan()).count(), 4);
    assert!(centred.iter().zip(&raw).any(|(a, b)| (a - b).abs() > 0.05));
    run(path, &format!("{line} --center --metric euclidean -- b.npy")).fails(1, &["--center", "(a - m) - (b - m)"]);
}
