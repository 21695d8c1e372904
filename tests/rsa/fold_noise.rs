//! Noise that differs between folds, and the noise of mean patterns over stimuli (`--save-sigma-k`).

use crate::{designs, json, near, near_each, numbers, rdm, read_f8};
use ndarray::{Array2, s};
use npy_stream::{LabelsRef, Matrix, write_matrix};
use std::fs;
use std::path::Path;
use support::*;
use tempfile::tempdir;

/// One matrix with a name behind it.
fn named(matrix: &Array2<f64>, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let labels = LabelsRef { ids: None, columns: None, name: Some(name) };
    write_matrix(&mut bytes, &Matrix::F8(matrix.clone()), labels).unwrap();
    bytes
}

/// `res.npy`: ten residuals for each of the runs, last run first; `run-0.npy` to `run-3.npy` the same by themselves.
fn residuals_of_runs(path: &Path) {
    let (residuals, _) = read_f8(path, "residuals.npy");
    let mut all = Vec::new();
    for run in [3, 1, 0, 2] {
        let part = residuals.slice(s![10 * run..10 * run + 10, ..]).to_owned();
        all.extend(named(&part, &format!("run-{run}")));
        save(&path.join(format!("run-{run}.npy")), &part, None);
    }
    fs::write(path.join("res.npy"), all).unwrap();
}

#[test]
fn one_noise_per_run_is_rsatoolboxs() {
    let dir = designs();
    let path = dir.path();
    residuals_of_runs(path);
    let expected = json(path, "folds.json");
    for design in ["balanced", "once"] {
        let line = format!(
            "rsa rdm -q --metric crossnobis --per-channel --cv run --stimuli {design}.csv --noise-by-fold {design}.npy"
        );
        let reference = numbers(&expected[design]["crossnobis"]);
        // 9 channels, covariances with conditions below 1e3
        let (found, _) = rdm(&run(path, &format!("{line} --noise res.npy")).ok());
        near(design, &found, &reference, 1e-11);
        let files: Vec<String> = (0..4).rev().map(|run| format!("--noise run-{run}.npy")).collect();
        assert_eq!(rdm(&run(path, &format!("{line} {}", files.join(" "))).ok()).0, found);
        // the order of the rows does not matter
        let text = fs::read_to_string(path.join(format!("{design}.csv"))).unwrap();
        let n = text.lines().count() - 1;
        let order: Vec<String> = (0..n).rev().map(|row| row.to_string()).collect();
        run(path, &format!("npy rows --index {} {design}.npy -o back.npy", order.join(","))).ok();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let back: Vec<&str> = text.lines().take(1).chain(lines.into_iter().rev()).collect();
        fs::write(path.join("back.csv"), back.join("\n") + "\n").unwrap();
        let (turned, ids) = rdm(&run(
            path,
            "rsa rdm -q --metric crossnobis --per-channel --cv run --stimuli back.csv --noise-by-fold --noise res.npy back.npy",
        )
        .ok());
        run(path, &format!("{line} --noise res.npy -o there.npy")).ok();
        fs::write(path.join("ids.csv"), format!("stimulus\n{}\n", ids.join("\n"))).unwrap();
        let (there, _) = rdm(&run(path, "rsa rdm -q --subset ids.csv there.npy").ok());
        near(design, &turned, &there, 1e-12);
    }
    // the same in every run is one noise for all, also where cells are missing
    let (residuals, _) = read_f8(path, "residuals.npy");
    let covariance = residuals.t().dot(&residuals) / 40.0;
    fs::write(path.join("same.npy"), (0..4).flat_map(|k| named(&covariance, &format!("run-{k}"))).collect::<Vec<u8>>())
        .unwrap();
    save(&path.join("one.npy"), &covariance, None);
    let line = "rsa rdm -q --metric crossnobis --cv run --stimuli unbalanced.csv unbalanced.npy --allow-nan";
    let of = |options: &str| rdm(&run(path, &format!("{line} {options}")).ok()).0;
    near("same", &of("--noise-by-fold --noise-covariance same.npy"), &of("--noise-covariance one.npy"), 1e-11);
}

#[test]
fn noise_of_folds_that_does_not_fit_is_refused() {
    let dir = designs();
    let path = dir.path();
    residuals_of_runs(path);
    let line = "rsa rdm --metric crossnobis --cv run --stimuli once.csv --noise-by-fold once.npy";
    for (options, parts) in [
        ("--noise run-0.npy --noise run-1.npy", ["fold \"run-3\" has no noise", "2 matrices", "4 folds"]),
        ("--noise res.npy --noise residuals.npy", ["\"residuals\" is no fold", "4 folds", "run-0"]),
        ("--noise residuals.npy", ["has no noise", "1 matrices", "\"residuals\""]),
        ("--noise repeats", ["--noise repeats", "one noise over all folds", "one matrix per fold"]),
        ("--noise repeats --noise res.npy", ["--noise repeats", "", ""]),
        ("--cv-weights pairs --noise res.npy", ["--cv-weights pairs", "", ""]),
        ("", ["--noise-by-fold", "--noise-covariance", ""]),
    ] {
        run(path, &format!("{line} {options}")).fails(1, &parts);
    }
    run(path, "rsa rdm --metric sqmahalanobis --noise-by-fold --noise res.npy once.npy").fails(1, &["crossnobis"]);
    run(path, "rsa rdm --metric crossnobis --noise-by-fold --noise res.npy once.npy").fails(1, &["--cv"]);
    // without the option four matrices are for four inputs
    run(path, &line.replace("--noise-by-fold", "--noise res.npy")).fails(1, &["4 matrices", "--noise-by-fold"]);
    // two of one name, one of other channels, one that is no covariance
    let eye = Array2::<f64>::eye(9);
    let of = |file: &str, names: [&str; 4], last: &Array2<f64>| {
        let parts = names.iter().enumerate().flat_map(|(k, name)| named(if k == 3 { last } else { &eye }, name));
        fs::write(path.join(file), parts.collect::<Vec<u8>>()).unwrap();
    };
    let names = ["run-0", "run-1", "run-2", "run-3"];
    of("twice.npy", ["run-0", "run-1", "run-2", "run-2"], &eye);
    of("small.npy", names, &Array2::eye(8));
    of("flat.npy", names, &Array2::ones((9, 9)));
    for (file, parts) in [
        ("twice.npy", ["twice.npy", "", ""]),
        ("small.npy", ["once.npy", "9 channels", "the noise 8"]),
        ("flat.npy", ["flat.npy", "9 channels", "not positive definite"]),
    ] {
        run(path, &format!("{line} --noise-covariance {file}")).fails(1, &parts);
    }
}

#[test]
fn the_noise_over_stimuli_is_that_of_the_definition_and_whitens_as_rsatoolbox_does() {
    let dir = designs();
    let path = dir.path();
    let expected = json(path, "folds.json");
    let stimuli = json(path, "rdms.json");
    for design in ["balanced", "unbalanced", "once"] {
        run(
            path,
            &format!(
                "rsa rdm -q --metric crossnobis --cv run --cv-weights folds --stimuli {design}.csv {design}.npy --allow-nan \
                 --save-sigma-k s.npy -o folds.npy"
            ),
        )
        .ok();
        let (sigma, ids) = read_f8(path, "s.npy");
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let names: Vec<&str> =
            stimuli[design]["stimuli"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        assert_eq!(ids, names);
        let reference: Vec<f64> = expected[design]["sigma_k"].as_array().unwrap().iter().flat_map(numbers).collect();
        // sums of 36 products of numbers around 3
        near_each(design, &sigma.iter().copied().collect::<Vec<f64>>(), &reference, 1e-13);
        run(
            path,
            &format!(
                "rsa rdm -q --metric crossnobis --cv run --cv-weights pairs --stimuli {design}.csv {design}.npy -o a.npy"
            ),
        )
        .ok();
        run(path, &format!("npy average {design}.npy -o mean.npy")).ok();
        run(path, "rsa rdm -q mean.npy -o b.npy").ok();
        for how in ["corr_cov", "cosine_cov"] {
            let table =
                rows(&run(path, &format!("rsa compare a.npy --brain b.npy --compare {how} --sigma-k s.npy")).text());
            let score = number(&table[0], if how == "corr_cov" { "r" } else { "cosine" });
            let reference = expected[design][how].as_f64().unwrap();
            assert!((score - reference).abs() < 1e-11, "{design} {how}: {score} {reference}");
        }
    }
    // the same from a pipe, of the metric without noise; a scale of the patterns squared
    let line = "--cv run --stimuli once.csv --save-sigma-k";
    let whole = |file: &str| read_f8(path, file).0;
    let bytes = fs::read(path.join("once.npy")).unwrap();
    pipe(path, &format!("rsa rdm -q --metric sqeuclidean_cv {line} p.npy - -o x.npy"), &bytes).ok();
    assert_eq!(whole("p.npy"), whole("s.npy"));
    // --subset takes its stimuli in its order, and noise whitens first
    fs::write(path.join("some.csv"), "stimulus\ncar\npear\nnone\nfox\n").unwrap();
    run(
        path,
        &format!("rsa rdm -q --allow-nan --metric crossnobis --subset some.csv {line} some.npy once.npy -o x.npy"),
    )
    .ok();
    let (some, ids) = read_f8(path, "some.npy");
    assert_eq!(ids, ["car", "pear", "fox"]);
    let all = whole("s.npy");
    let place = |id: &str| read_f8(path, "s.npy").1.iter().position(|name| name == id).unwrap();
    assert_eq!(some[(0, 2)], all[(place("car"), place("fox"))]);
    save(&path.join("four.npy"), &(Array2::<f64>::eye(9) * 4.0), None);
    run(
        path,
        &format!("rsa rdm -q --metric crossnobis --noise-covariance four.npy {line} white.npy once.npy -o x.npy"),
    )
    .ok();
    let quarter: Vec<f64> = all.iter().map(|v| v / 4.0).collect();
    near_each("", &whole("white.npy").iter().copied().collect::<Vec<f64>>(), &quarter, 1e-13);
}

#[test]
fn stimuli_without_distances_are_left_out_of_the_noise_and_joined_by_inner() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let names: Vec<String> = (0..18).map(|row| format!("s{}", row % 6)).collect();
    let mut x = noise(18, 12, 3);
    x[(8, 1)] = f64::NAN; // s2
    save(&path.join("x.npy"), &x, Some(&names));
    let out = run(path, "rsa rdm --allow-nan --metric crossnobis --save-sigma-k s.npy x.npy -o a.npy");
    assert!(
        out.stderr.contains("1 of 6 stimuli have no covariance") && out.stderr.contains("\"s2\""),
        "{}",
        out.stderr
    );
    out.ok();
    assert_eq!(read_f8(path, "s.npy").1, ["s0", "s1", "s3", "s4", "s5"]);
    save(&path.join("y.npy"), &noise(6, 9, 4), Some(&names[..6]));
    run(path, "rsa rdm y.npy -o b.npy").ok();
    let line = "rsa compare a.npy --brain b.npy --compare corr_cov --sigma-k s.npy";
    run(path, line).fails(1, &["s.npy", "6", "5"]);
    let found = number(&rows(&run(path, &format!("{line} --inner")).text())[0], "r");
    assert!(found.is_finite());

    // two folds of 3 units cannot say how 6 stimuli vary
    save(&path.join("few.npy"), &noise(12, 3, 5), Some(&names[..12]));
    run(path, "rsa rdm --metric crossnobis --save-sigma-k t.npy few.npy -o c.npy")
        .fails(1, &["few.npy", "2 folds of 3 units", "6 stimuli"]);
    assert!(!path.join("t.npy").exists() && !path.join("c.npy").exists());
    for (options, part) in [
        ("--metric correlation", "crossnobis, sqeuclidean_cv"),
        ("--metric correlation_cv", "crossnobis, sqeuclidean_cv"),
        ("--metric crossnobis --cv-weights pairs", "--cv-weights pairs"),
    ] {
        run(path, &format!("rsa rdm {options} --save-sigma-k t.npy y.npy -o c.npy"))
            .fails(1, &["--save-sigma-k", part]);
    }
    run(path, "rsa rdm --metric crossnobis --save-sigma-k t.npy --merge x.npy").fails(2, &["--merge"]);
    run(path, "rsa rdm --allow-nan --metric crossnobis --save-sigma-k t.npy x.npy x.npy -o c.npy")
        .fails(1, &["matrix 2", "one by one"]);
    run(path, "rsa rdm --metric crossnobis --save-sigma-k c.npy x.npy -o c.npy").fails(1, &["c.npy", "", ""]);
}
