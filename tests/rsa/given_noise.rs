//! Noise that is given, and noise in searchlights, against what `rsa rdm --noise` makes of the same numbers.

use crate::near_each;
use brain_formats::Geometry;
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use ndarray::{Array2, Axis};
use std::fs;
use std::path::Path;
use support::*;
use tempfile::tempdir;

/// Values of the only array that the command writes.
fn values(dir: &Path, line: &str) -> Vec<f64> {
    let mut all = arrays(&run(dir, line).ok());
    assert_eq!(all.len(), 1);
    all.remove(0).values.into_f64()
}

/// Residuals of which neighbours are correlated.
fn correlated(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut x = noise(rows, columns, seed);
    for column in 1..columns {
        let before = x.column(column - 1).to_owned();
        x.column_mut(column).scaled_add(0.6, &before);
    }
    x
}

#[test]
fn a_covariance_or_its_inverse_whitens_as_the_residuals_it_is_of() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let residuals = correlated(60, 7, 3);
    save(&path.join("res.npy"), &residuals, None);
    let centred = &residuals - &residuals.mean_axis(Axis(0)).unwrap();
    let covariance = centred.t().dot(&centred) / 59.0;
    save(&path.join("cov.npy"), &covariance, None);
    // the inverse by elimination, in the test's own way
    let mut rows: Vec<Vec<f64>> = (0..7)
        .map(|i| covariance.row(i).iter().copied().chain((0..7).map(|j| f64::from(u8::from(i == j)))).collect())
        .collect();
    for pivot in 0..7 {
        let by = rows[pivot][pivot];
        rows[pivot].iter_mut().for_each(|v| *v /= by);
        let row = rows[pivot].clone();
        for (other, values) in rows.iter_mut().enumerate().filter(|(other, _)| *other != pivot) {
            let by = values[pivot];
            assert_ne!(other, pivot);
            values.iter_mut().zip(&row).for_each(|(v, p)| *v -= by * p);
        }
    }
    let precision = Array2::from_shape_fn((7, 7), |(i, j)| rows[i][7 + j]);
    save(&path.join("prec.npy"), &precision, None);
    save(&path.join("x.npy"), &noise(5, 7, 4), Some(&ids(5)));
    let twice: Vec<String> = ids(5).into_iter().chain(ids(5)).collect();
    save(&path.join("trials.npy"), &noise(10, 7, 5), Some(&twice));
    for (metric, file) in [("mahalanobis", "x.npy"), ("correlation", "x.npy"), ("crossnobis", "trials.npy")] {
        let of = |options: &str| values(path, &format!("rsa rdm -q --metric {metric} {options} {file}"));
        let expected = of("--noise res.npy --shrink none");
        near_each("", &of("--noise-covariance cov.npy"), &expected, 1e-11);
        near_each("", &of("--noise-precision prec.npy"), &expected, 1e-11);
    }
    // one per matrix, and said on stderr and in the record
    fs::write(
        path.join("two.npy"),
        [fs::read(path.join("cov.npy")).unwrap(), bytes_of(&Array2::eye(7), None)].concat(),
    )
    .unwrap();
    let out = run(path, "rsa rdm --metric mahalanobis --noise-covariance two.npy x.npy x.npy -o both.npy");
    assert!(out.stderr.contains("noise of 7 units as given (covariance)"), "{}", out.stderr);
    out.ok();
    let both = arrays(&fs::read(path.join("both.npy")).unwrap());
    near_each("", &both[1].values.clone().into_f64(), &values(path, "rsa rdm --metric euclidean x.npy"), 1e-12);
    assert!(fs::read_to_string(path.join("both.json")).unwrap().contains("\"from\": \"covariance\""));
}

#[test]
fn what_is_no_noise_is_refused_with_both_numbers() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    save(&path.join("x.npy"), &noise(5, 4, 4), Some(&ids(5)));
    let mut matrix = Array2::<f64>::eye(4);
    save(&path.join("eye.npy"), &matrix, None);
    save(&path.join("small.npy"), &Array2::eye(3), None);
    save(&path.join("wide.npy"), &noise(4, 3, 1), None);
    save(&path.join("flat.npy"), &Array2::ones((4, 4)), None);
    matrix[(1, 3)] = 0.5;
    save(&path.join("skew.npy"), &matrix, None);
    matrix[(3, 1)] = f64::NAN;
    save(&path.join("nan.npy"), &matrix, None);
    let eye = fs::read(path.join("eye.npy")).unwrap();
    fs::write(path.join("three.npy"), [&eye[..]; 3].concat()).unwrap();
    fs::write(path.join("cut.npy"), &eye[..eye.len() - 9]).unwrap();
    for option in ["--noise-covariance", "--noise-precision"] {
        for (file, parts) in [
            ("small.npy", ["x.npy", "4 channels", "3"]),
            ("wide.npy", ["wide.npy", "4 x 3", "n x n"]),
            ("flat.npy", ["flat.npy", "4 channels", "not positive definite"]),
            ("skew.npy", ["skew.npy", "row 1, column 3 is 0.5", "row 3, column 1 is 0"]),
            ("nan.npy", ["nan.npy", "NaN", "finite"]),
            ("three.npy", ["three.npy", "3 matrices", "for 1 matrices"]),
            ("cut.npy", ["cut.npy", "bytes", "of"]),
            ("gone.npy", ["gone.npy", "", ""]),
        ] {
            run(path, &format!("rsa rdm --metric mahalanobis {option} {file} x.npy")).fails(1, &parts);
        }
        for (options, part) in [
            ("--metric poisson", "rate of a whitened count"),
            ("--metric jaccard", "counts units"),
            ("--metric sqeuclidean_cv", "crossnobis"),
            ("--shrink eye", "is taken as it is"),
            ("--dof 3", "is taken as it is"),
        ] {
            run(path, &format!("rsa rdm {options} {option} eye.npy x.npy")).fails(1, &[option, part]);
        }
    }
    run(path, "rsa rdm --noise eye.npy --noise-covariance eye.npy x.npy").fails(2, &["--noise-covariance"]);
    run(path, "rsa rdm --noise-precision eye.npy --noise-covariance eye.npy x.npy").fails(2, &["--noise-covariance"]);
}

/// A grid of 4 x 3 x 3 voxels with two outside the mask, betas, residuals and a model.
fn study(dir: &Path) -> Vec<usize> {
    let grid = Geometry::from_sizes([4, 3, 3], [2.0, 2.0, 2.0]);
    let labels: Vec<u32> = (0..36).map(|v| u32::from(v != 5 && v != 17)).collect();
    write_volume(fs::File::create(dir.join("mask.nii")).unwrap(), Voxels::Labels(&labels), &grid, Intent::None, false)
        .unwrap();
    save(&dir.join("betas.npy"), &noise(9, 36, 4), Some(&ids(9)));
    save(&dir.join("res.npy"), &correlated(50, 36, 5), None);
    save(&dir.join("acts.npy"), &noise(9, 20, 6), Some(&ids(9)));
    run(dir, "rsa rdm acts.npy -o model.npy").ok();
    (0..36).filter(|v| labels[*v] > 0).collect()
}

/// Numbers of the mask's voxels within 1 voxel of this one.
fn sphere(inside: &[usize], centre: usize) -> Vec<usize> {
    // the last axis is the fastest in the numbers of voxels
    let place = |v: usize| [v / 9, v / 3 % 3, v % 3];
    let near = |v: &&usize| place(**v).iter().zip(place(centre)).map(|(a, b)| a.abs_diff(b)).sum::<usize>() <= 1;
    inside.iter().filter(near).copied().collect()
}

#[test]
fn every_sphere_is_whitened_as_rsa_rdm_whitens_it_alone() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let inside = study(path);
    let line = "rsa searchlight betas.npy --mask mask.nii --radius 1 --models model.npy --compare pearson";
    let plain = values(path, line);
    for (shrink, metric, alone) in [
        ("", "correlation", "correlation"),
        ("--shrink eye --dof 40", "correlation", "correlation"),
        ("--shrink none", "mahalanobis", "mahalanobis"),
        ("--shrink univariate", "sqmahalanobis", "sqmahalanobis"),
        ("", "cosine --center", "cosine --center"),
    ] {
        let found = values(path, &format!("{line} -q --metric {metric} --noise res.npy {shrink}"));
        assert_eq!(found.len(), inside.len());
        assert!(found.iter().zip(&plain).any(|(a, b)| (a - b).abs() > 1e-3));
        for (k, centre) in inside.iter().enumerate().step_by(5).filter(|(_, v)| sphere(&inside, **v).len() > 2) {
            let columns: Vec<String> = sphere(&inside, *centre).iter().map(ToString::to_string).collect();
            let columns = columns.join(",");
            run(path, &format!("npy cols --index {columns} betas.npy -o b.npy")).ok();
            run(path, &format!("npy cols --index {columns} res.npy -o r.npy")).ok();
            run(path, &format!("rsa rdm -q --metric {alone} --noise r.npy {shrink} b.npy -o one.npy")).ok();
            let table = rows(&run(path, "rsa compare model.npy --brain one.npy --compare pearson").text());
            let score = number(&table[0], "r");
            // f8 throughout; sums in another order
            assert!((found[k] - score).abs() < 1e-10, "{shrink} {metric} voxel {centre}: {} {score}", found[k]);
        }
    }
    // shards, the columns of the mask alone and f4 residuals are the same
    let whole = values(path, &format!("{line} -q --noise res.npy"));
    for shard in 0..3 {
        run(path, &format!("{line} -q --noise res.npy --shard {shard}/3 -o part{shard}.npy")).ok();
    }
    near_each("", &values(path, "npy cat part0.npy part1.npy part2.npy"), &whole, 0.0);
    let columns: Vec<String> = inside.iter().map(ToString::to_string).collect();
    run(path, &format!("npy cols --index {} res.npy -o inside.npy", columns.join(","))).ok();
    near_each("", &values(path, &format!("{line} -q --noise inside.npy")), &whole, 0.0);
    let single = npy_stream::Matrix::F4(correlated(50, 36, 5).mapv(|v| v as f32));
    let mut bytes = Vec::new();
    npy_stream::write_matrix(&mut bytes, &single, None::<&[String]>).unwrap();
    fs::write(path.join("single.npy"), bytes).unwrap();
    near_each("", &values(path, &format!("{line} -q --noise single.npy")), &whole, 1e-4);
}

#[test]
fn voxels_without_noise_spoil_their_spheres_or_are_left_out() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let inside = study(path);
    let mut residuals = correlated(50, 36, 5);
    residuals.column_mut(0).fill(3.0);
    residuals[(7, 35)] = f64::NAN;
    save(&path.join("res.npy"), &residuals, None);
    let line = "rsa searchlight betas.npy --mask mask.nii --radius 1 --models model.npy --noise res.npy --table t.csv";
    let out = run(path, line);
    assert!(out.stderr.contains("2 of 34 voxels of the mask have no noise to divide by"), "{}", out.stderr);
    out.ok();
    let table = rows(&fs::read_to_string(path.join("t.csv")).unwrap());
    for (row, centre) in table.iter().zip(&inside) {
        let sphere = sphere(&inside, *centre);
        let reason = match (sphere.contains(&0), sphere.contains(&35)) {
            _ if sphere.len() < 3 => "too_few_voxels", // --min-voxels
            (true, _) => "constant",
            (_, true) => "nan_input",
            _ => "",
        };
        assert_eq!(row["reason"], reason, "{centre}");
    }
    run(path, &format!("{line} --drop-nan -q")).ok();
    let table = rows(&fs::read_to_string(path.join("t.csv")).unwrap());
    assert!(table.iter().all(|row| row["reason"].is_empty() || row["reason"] == "too_few_voxels"));

    let line = "rsa searchlight betas.npy --mask mask.nii --radius 1 --models model.npy";
    save(&path.join("wide.npy"), &noise(50, 20, 1), None);
    save(&path.join("one.npy"), &noise(1, 36, 1), None);
    save(&path.join("few.npy"), &noise(4, 36, 1), None);
    run(path, &format!("{line} --noise wide.npy")).fails(1, &["wide.npy", "20 columns", "36 voxels"]);
    run(path, &format!("{line} --noise one.npy")).fails(1, &["one.npy", "1 residuals", "at least 2"]);
    run(path, &format!("{line} --noise few.npy --shrink none")).fails(1, &["no inverse", "4 residuals", "--shrink"]);
    run(path, &format!("{line} --metric mahalanobis")).fails(1, &["--metric mahalanobis", "--noise"]);
    run(path, &format!("{line} --noise res.npy --dof 0")).fails(1, &["--dof 0", "above 0"]);
    run(path, &format!("{line} --shrink eye")).fails(2, &["--noise"]);
}
