//! `encode fit`: methods beside ridge by penalties, and voxels by blocks and shards.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, though clippy cannot know it

use std::fs;
use std::path::Path;

use ndarray::{Array2, Axis, s};
use support::*;

const N: usize = 60;
const P: usize = 8;
const V: usize = 700;

/// Eight features, of which the first two drive even voxels and the others odd ones.
fn place() -> (tempfile::TempDir, Array2<f64>, Array2<f64>) {
    let dir = tempfile::tempdir().unwrap();
    let x = noise(N, P, 1);
    let mut y = 0.2 * noise(N, V, 2);
    for (voxel, mut column) in y.columns_mut().into_iter().enumerate() {
        let own = if voxel % 2 == 0 { s![.., ..2] } else { s![.., 2..] };
        column += &x.slice(own).sum_axis(Axis(1));
    }
    save(&dir.path().join("x.npy"), &x, Some(&ids(N)));
    save(&dir.path().join("y.npy"), &y, Some(&ids(N)));
    save(&dir.path().join("few.npy"), &y.slice(s![.., ..5]).to_owned(), Some(&ids(N)));
    (dir, x, y)
}

/// Held-out predictions of five voxels, and the table.
fn fit(dir: &Path, options: &str) -> (Array2<f64>, Vec<Row>) {
    let line = format!("encode fit -q --x x.npy --y few.npy --predictions p.npy {options}");
    let table = rows(&run(dir, &line).text());
    (matrix(&fs::read(dir.join("p.npy")).unwrap()).0, table)
}

#[track_caller]
fn close(a: &Array2<f64>, b: &Array2<f64>, tolerance: f64) {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b).for_each(|(a, b)| within(*a, *b, tolerance));
}

#[test]
fn methods_meet_where_they_are_the_same() {
    let (dir, ..) = place();
    let (ridge, by_ridge) = fit(dir.path(), "--alphas 0");
    for same in ["--method ols", "--frac 1", "--method pls --n-components 8", "--method lasso-positive --alpha 0"] {
        let (predicted, table) = fit(dir.path(), same);
        match same.contains("lasso") {
            // weights of 0 or above are a bound here
            true => assert!(table[0]["r"].parse::<f64>().unwrap() > 0.9),
            false => {
                close(&predicted, &ridge, 1e-9);
                table.iter().zip(&by_ridge).for_each(|(a, b)| {
                    ["r", "R2"].iter().for_each(|name| within(number(a, name), number(b, name), 1e-9));
                });
            }
        }
    }
    // the alpha of a fraction gives that fraction's predictions
    let (predicted, table) = fit(dir.path(), "--frac 0.5 --cv 3");
    assert_eq!(table[0]["fraction"], "0.5");
    let (one, _) = fit(dir.path(), "--frac 0.25,0.5,0.75 --cv 3");
    assert_ne!(one, predicted);
}

#[test]
fn the_lasso_is_sparse_and_positive_and_says_its_gap() {
    let (dir, ..) = place();
    let line = "encode fit -q --x x.npy --y few.npy --method lasso-positive --alpha 0.02 --save m.npz";
    let table = rows(&run(dir.path(), line).text());
    assert!(number(&table[0], "n_weights") < 8.0 && table[0]["converged"] == "true" && table[0]["alpha"] == "0.02");
    assert!(number(&table[0], "dual_gap") < 1e-2);
    // rows of the identity give weights plus intercept, none below that of no feature
    save(&dir.path().join("eye.npy"), &Array2::eye(P), None);
    save(&dir.path().join("zero.npy"), &Array2::zeros((1, P)), None);
    let (eye, _) = matrix(&run(dir.path(), "encode predict -q m.npz eye.npy").ok());
    let (zero, _) = matrix(&run(dir.path(), "encode predict -q m.npz zero.npy").ok());
    let weights = &eye - &zero;
    assert!(weights.iter().all(|w| *w > -1e-12) && weights.iter().any(|w| w.abs() < 1e-12));
    let table = rows(&run(dir.path(), &line.replace("--alpha 0.02", "--cv 3")).text());
    assert!(number(&table[1], "alpha") > 0.0 && number(&table[1], "cv_score") < 0.0);
    assert!(number(&table[1], "r") > 0.9);
    // nothing at all under a large penalty: the mean of the training rows, which correlates with nothing
    let none = rows(&run(dir.path(), &line.replace("0.02", "50")).text());
    assert_eq!((none[0]["n_weights"].as_str(), none[0]["r"].as_str()), ("0", "NaN"));
}

#[test]
fn features_of_no_use_are_said_and_useless_options_refused() {
    let (dir, x, _) = place();
    let wide = Array2::from_shape_fn((N, 70), |(i, j)| if j < P { x[(i, j)] } else { noise(N, 70, 5)[(i, j)] });
    save(&dir.path().join("wide.npy"), &wide, Some(&ids(N)));
    let out = run(dir.path(), "encode fit --x wide.npy --y few.npy --method ols");
    assert!(out.stderr.contains("70 features (rank 47) fit the training rows"), "{}", out.stderr);
    let mut double = x.clone();
    let copy = double.column(0).to_owned();
    double.column_mut(3).assign(&copy);
    save(&dir.path().join("double.npy"), &double, Some(&ids(N)));
    let out = run(dir.path(), "encode fit --x double.npy --y few.npy --method ols");
    assert!(out.stderr.contains("8 features have rank 7"), "{}", out.stderr);
    for (options, parts) in [
        ("--method pls", ["--n-components K", "above 0"]),
        ("--method pls --n-components 0", ["--n-components", "above 0"]),
        ("--method pls --n-components 9", ["9 components", "at most 8"]),
        ("--method pls --n-components 2 --shard 0/2", ["--shard", "together"]),
        ("--n-components 2", ["--n-components", "only pls"]),
        ("--method ols --alphas 1,2", ["--alphas", "no penalty"]),
        ("--method ols --frac .5", ["--frac", "ridge has fractions"]),
        ("--frac 0", ["--frac: 0", "above 0"]),
        ("--frac 1.5", ["--frac: 1.5", "at most 1"]),
        ("--frac .5 --choose-by r", ["--choose-by", "mse"]),
        ("--frac .5,1 --alpha-cv loo", ["closed form", "--alpha-cv 5"]),
        ("--method lasso-positive --alpha .1 --absolute-alphas", ["--absolute-alphas", "scikit-learn"]),
        ("--method lasso-positive --gram g.npz", ["--gram", "no decomposition"]),
        ("--method ols --mem 10K", ["--mem", "allowed"]),
        ("--mem 1M", ["--mem", "1.0 MB allowed"]),
        ("--alpha-per all --shard 0/2", ["--shard", "share the penalty"]),
        ("--frac .5,.5", ["--frac: 0.5", "twice"]),
        ("--method pls --n-components 2,2", ["--n-components: 2", "twice"]),
        ("--method ols --alpha-cv 3", ["--alpha-cv", "nothing to choose"]),
        ("--shard 0/7", ["5 voxels for 7 shards", "none"]),
    ] {
        let line = format!("encode fit --x x.npy --y few.npy {options}");
        run(dir.path(), &line).fails(1, &parts);
    }
}

#[test]
fn blocks_shards_and_stored_decompositions_give_the_same_bytes() {
    let (dir, ..) = place();
    let path = dir.path();
    let line = "encode fit -q --x x.npy --y y.npy --cv 4 --alpha-cv 3 --permutations 20";
    run(path, &format!("{line} -o all.csv --predictions all.npy --save all.npz")).ok();
    let whole = fs::read_to_string(path.join("all.csv")).unwrap();
    let out = run(
        path,
        &format!("{} --threads 2 --mem 3700K -o o.csv --predictions o.npy --save o.npz", line.replace(" -q", "")),
    );
    assert!(out.stderr.contains("voxels in 3 blocks of up to 256"), "{}", out.stderr);
    for (one, other) in [("all.csv", "o.csv"), ("all.npy", "o.npy"), ("all.npz", "o.npz")] {
        assert!(fs::read(path.join(one)).unwrap() == fs::read(path.join(other)).unwrap(), "{one}");
    }
    for shard in [1, 0, 2] {
        let made = format!("{} --gram g.npz --shard {shard}/3", line.replace(" -q", ""));
        let out = run(path, &format!("{made} -o s{shard}.csv --predictions s{shard}.npy"));
        assert_eq!(out.stderr.contains("are read from it"), shard != 1, "{}", out.stderr);
    }
    // q is over all voxels, which a shard does not have
    let table = run(path, "npy cat -q s2.csv s0.csv s1.csv").text();
    let without_q: String = whole.lines().map(|row| format!("{}\n", row.rsplit_once(',').unwrap().0)).collect();
    assert_eq!(table, without_q);
    assert!(run(path, "npy cat -q --columns s2.npy s0.npy s1.npy").ok() == fs::read(path.join("all.npy")).unwrap());
    run(path, "npy cat s0.csv s2.csv").fails(1, &["1 of 3 shards", "--array=1"]);
    run(path, "npy cat --columns s0.npy s2.npy").fails(1, &["1 of 3 shards", "--array=1"]);
    run(path, "npy cat s0.csv all.csv").fails(1, &["all.csv is no shard"]);
    run(path, "npy cat --columns s0.csv s1.csv").fails(1, &["--columns", "2 inputs are tables"]);
    run(path, &format!("{line} --no-scale --shard 1/3 -o t1.csv --predictions t1.npy")).ok();
    run(path, "npy cat s0.csv t1.csv s2.csv").fails(1, &["two different wholes", "options"]);
    run(path, "npy cat --columns s0.npy t1.npy s2.npy").fails(1, &["two different wholes", "options"]);
    fs::write(path.join("other.csv"), "voxel,r\n1,2\n").unwrap();
    fs::copy(path.join("other.csv"), path.join("third.tsv")).unwrap();
    assert_eq!(run(path, "npy cat -q other.csv other.csv").text(), "voxel,r\n1,2\n1,2\n");
    fs::copy(path.join("all.csv"), path.join("plain.csv")).unwrap();
    run(path, "npy cat other.csv plain.csv").fails(1, &["voxel,r, and plain.csv", "one header"]);

    // other responses, or other penalties, go with the same decompositions; other features and folds do not
    let stored =
        run(path, "encode fit -q --x x.npy --y few.npy --cv 4 --alpha-cv 3 --gram g.npz --alphas 1,10,100").text();
    assert_eq!(stored, run(path, "encode fit -q --x x.npy --y few.npy --cv 4 --alpha-cv 3 --alphas 1,10,100").text());
    for other in ["--cv 5 --alpha-cv 3", "--cv 4 --alpha-cv 3 --no-scale", "--cv 4"] {
        run(path, &format!("encode fit --x x.npy --y few.npy --gram g.npz {other}"))
            .fails(1, &["g.npz: made for other"]);
    }
    let bytes = fs::read(path.join("g.npz")).unwrap();
    fs::write(path.join("cut.npz"), &bytes[..bytes.len() / 2]).unwrap();
    let mut damaged = bytes.clone();
    let middle = bytes.len() / 2;
    damaged[middle] ^= 0x40;
    fs::write(path.join("damaged.npz"), damaged).unwrap();
    for (file, part) in [("cut.npz", "not a whole .npz"), ("damaged.npz", "member"), ("other.csv", "not a whole .npz")]
    {
        let line = format!("encode fit --x x.npy --y few.npy --cv 4 --alpha-cv 3 --gram {file}");
        run(path, &line).fails(1, &[file, part]);
    }
}

#[test]
fn weights_of_unscaled_features_are_not_standardized() {
    let (dir, ..) = place();
    run(dir.path(), "encode fit -q --x x.npy --y few.npy --no-scale --save w.npz -o o.csv").ok();
    run(dir.path(), "encode weights --standardized w.npz").fails(1, &["--standardized", "--no-scale", "8 features"]);
}

#[test]
fn a_held_out_set_needs_one_model_only() {
    let (dir, ..) = place();
    let path = dir.path();
    let table: String = (0..N).map(|i| format!("s{i},{}\n", i / 40)).collect();
    fs::write(path.join("sets.csv"), format!("stimulus,set\n{table}")).unwrap();
    let line =
        "encode fit -q --x x.npy --y few.npy --test set=1 --stimuli sets.csv --cv 4 --save m.npz --predictions p.npy";
    run(path, line).ok();
    let (held, labels) = matrix(&fs::read(path.join("p.npy")).unwrap());
    assert_eq!(labels.unwrap()[0], "s40");
    let (predicted, _) = matrix(&run(path, "encode predict -q m.npz x.npy").ok());
    close(&held, &predicted.slice(s![40.., ..]).to_owned(), 1e-12);
}

#[test]
fn the_lasso_goes_on_until_the_gap_is_the_tolerance() {
    let (dir, _, y) = place();
    let gap = |tolerance: &str| {
        let line =
            format!("encode fit -q --x x.npy --y few.npy --method lasso-positive --alpha 0.02 {tolerance} -o t.csv");
        run(dir.path(), &line).ok();
        let table = rows(&fs::read_to_string(dir.path().join("t.csv")).unwrap());
        assert_eq!(table[0]["converged"], "true");
        (
            number(&table[0], "dual_gap"),
            serde_json::from_str::<serde_json::Value>(&fs::read_to_string(dir.path().join("t.json")).unwrap()).unwrap()
                ["tolerance"]
                .as_f64()
                .unwrap(),
        )
    };
    let column = y.column(0);
    let squares: f64 = column.iter().map(|v| (v - column.sum() / N as f64).powi(2)).sum();
    let (usual, said) = gap("");
    assert_eq!(said, 1e-4);
    let (narrow, said) = gap("--tolerance 1e-12");
    assert_eq!(said, 1e-12);
    // Of the training rows' squares, which are fewer.
    assert!(narrow <= 1e-12 * squares && narrow < usual, "{narrow} {usual} of {squares}");
    let line = "encode fit --x x.npy --y few.npy";
    for wrong in ["0", "1", "-1", "nan"] {
        run(dir.path(), &format!("{line} --method lasso-positive --tolerance={wrong}"))
            .fails(1, &["--tolerance", "between 0 and 1"]);
    }
    run(dir.path(), &format!("{line} --tolerance 0.1")).fails(1, &["--tolerance", "lasso-positive"]);
    run(dir.path(), &format!("{line} --method ols --tolerance 0.1")).fails(1, &["--tolerance", "lasso-positive"]);
}

#[test]
fn one_penalty_needs_two_training_rows_and_a_choice_three() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let (x, y) = (ndarray::array![[0.0], [1.0], [3.0]], ndarray::array![[1.0], [2.0], [0.0]]);
    save(&path.join("x.npy"), &x, Some(&ids(3)));
    save(&path.join("y.npy"), &y, Some(&ids(3)));
    let line = "encode fit -q --x x.npy --y y.npy --cv 3 --predictions p.npy -o t.csv --no-scale --absolute-alphas";
    let predicted = |alpha: &str| {
        run(path, &format!("{line} --alpha {alpha}")).ok();
        matrix(&fs::read(path.join("p.npy")).unwrap()).0
    };
    // The line through the two others.
    close(&predicted("0"), &ndarray::array![[3.0], [2.0 / 3.0], [4.0]], 1e-12);
    // Of 1, 2 at 0, 1: slope .5 / (.5 + 2) around their mean 1.5 at .5.
    within(predicted("2")[(2, 0)], 1.5 + 0.2 * 2.5, 1e-12);
    run(path, &format!("{line} --alphas 1,2"))
        .fails(1, &["2 training rows", "a penalty can be chosen from at least 3"]);
    run(path, &format!("{} --alpha 1", line.replace("--cv 3", "--cv 2")))
        .fails(1, &["1 training rows", "a model needs at least 2"]);
}

#[test]
fn a_model_of_a_shard_says_what_to_do_instead() {
    let (dir, ..) = place();
    let line = "encode fit -q --x x.npy --y few.npy --shard 0/2 --save m.npz -o t.csv";
    run(dir.path(), line).fails(1, &["--save with --shard", "without --shard", "npy cat --columns"]);
    assert!(!dir.path().join("m.npz").exists() && !dir.path().join("t.csv").exists());
}
