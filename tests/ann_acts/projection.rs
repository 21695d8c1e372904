//! `ann-acts --srp` and `--pca`: layers too wide to keep.
//!
//! The layer is `conv` of `tiny.onnx` on pictures of 40 x 50 pixels: 4000 units.

use linear_algebra::{Pca, SparseProjection};
use ndarray::{Array2, s};
use serde_json::Value;
use statistics::Draws;
use std::fs;
use std::path::Path;
use support::*;

const WIDTH: usize = 4000;
const N: usize = 9;

fn line(options: &str) -> String {
    let model = root().join("testdata/models/tiny.onnx");
    format!("ann-acts {} --preprocess raw255 --layer conv {options}", model.display())
}

/// Pictures of pseudo-random colours, `fit` of which the names start with `f`.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut draws = Draws::new(11);
    for (folder, n) in [("p", N), ("f", 7)] {
        fs::create_dir(dir.path().join(folder)).unwrap();
        for i in 0..n {
            let mut bytes = b"P6 50 40 255\n".to_vec();
            bytes.extend((0..6000).map(|_| draws.below(256) as u8));
            fs::write(dir.path().join(format!("{folder}/{i}.ppm")), bytes).unwrap();
        }
    }
    dir
}

fn whole(dir: &Path, pictures: &str) -> Array2<f32> {
    matrix(&run(dir, &line(pictures)).ok()).0.mapv(|v| v as f32)
}

fn random(n: usize, seed: u64) -> SparseProjection {
    SparseProjection::new(WIDTH, n, |stream| {
        let mut draws = Draws::stream(seed, (1 << 32) + stream);
        move || draws.uniform()
    })
}

fn sidecar(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_random_projection_is_that_of_its_seed_whatever_batch_threads_and_shards() {
    let dir = folder();
    let expected = random(60, 5).project(whole(dir.path(), "p").view()).unwrap().mapv(|v| f64::from(v as f32));
    let bytes = run(dir.path(), &line("--srp 60 --seed 5 p")).ok();
    let (projected, labels) = matrix(&bytes);
    assert_eq!(projected, expected);
    assert_eq!(labels.unwrap().len(), N);
    for more in ["--threads 1", "--threads 4 --batch 1", "--batch 5"] {
        assert_eq!(run(dir.path(), &line(&format!("--srp 60 --seed 5 {more} p"))).ok(), bytes, "{more}");
    }
    let part = matrix(&run(dir.path(), &line("--srp 60 --seed 5 --shard 1/2 p")).ok()).0;
    assert_eq!(part, expected.slice(s![N / 2.., ..]));
    assert_ne!(run(dir.path(), &line("--srp 60 --seed 6 p")).ok(), bytes);
    run(dir.path(), &line("--srp 60 --seed 5 -o x.npy p")).ok();
    let srp = &sidecar(&dir.path().join("x.json"))["layers"][0]["projection"]["srp"];
    assert_eq!(
        (srp["n_components"].as_u64(), srp["n_features"].as_u64(), srp["seed"].as_u64()),
        (Some(60), Some(4000), Some(5))
    );
    assert_eq!(srp["density"].as_f64(), Some(1.0 / 4000f64.sqrt()));
}

#[test]
fn auto_takes_the_johnson_lindenstrauss_size_of_the_whole_list() {
    let dir = folder();
    // 4 ln 9 / (.3^2 / 2 - .3^3 / 3) = 244.1 of 9 pictures, also when a shard has fewer.
    for more in ["", "--shard 0/3"] {
        let (projected, _) = matrix(&run(dir.path(), &line(&format!("--srp auto --eps 0.3 {more} p"))).ok());
        assert_eq!(projected.ncols(), 244, "{more}");
    }
    // Squared distances are kept within eps.
    let (projected, full) = (matrix(&run(dir.path(), &line("--srp auto --eps 0.3 p")).ok()).0, whole(dir.path(), "p"));
    for i in 0..N {
        for j in 0..i {
            let near = (&projected.row(i) - &projected.row(j)).mapv(|d| d * d).sum();
            let far = (&full.row(i) - &full.row(j)).mapv(|d| f64::from(d * d)).sum();
            assert!((0.7..1.3).contains(&(near / far)), "{i} {j}: {}", near / far);
        }
    }
    let kept = run(dir.path(), &line("--srp auto --eps 0.01 p"));
    assert!(kept.stderr.contains("keeps its 4000 units; --srp would make"), "{}", kept.stderr);
    assert_eq!(matrix(&kept.ok()).0.ncols(), WIDTH);
}

#[test]
fn principal_components_are_those_of_the_fitted_pictures() {
    let dir = folder();
    let pca = Pca::fit(whole(dir.path(), "f").mapv(f64::from).view(), 3).unwrap();
    let expected = pca.transform(whole(dir.path(), "p").view()).unwrap();
    let out = run(dir.path(), &line("--pca 3 --pca-fit f -o x.npy p"));
    assert!(!out.stderr.contains("not independent"), "{}", out.stderr);
    out.ok();
    let (found, _) = matrix(&fs::read(dir.path().join("x.npy")).unwrap());
    let largest = expected.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    // Written as f4: half a unit of the 24th bit.
    assert!((&found - &expected).iter().all(|d| d.abs() <= 1e-7 * largest), "{found} {expected}");
    let side = sidecar(&dir.path().join("x.json"));
    let ratios = side["layers"][0]["projection"]["pca"]["explained_variance_ratio"].as_array().unwrap();
    assert_eq!(ratios.len(), 3);
    assert_eq!(side["projection"]["pca_fit"]["n_stimuli"], 7);
    // After a random projection.
    let both = matrix(&run(dir.path(), &line("--srp 50 --pca 2 --pca-fit f p")).ok()).0;
    let pca =
        Pca::fit(random(50, 0).project(whole(dir.path(), "f").view()).unwrap().mapv(|v| f64::from(v as f32)).view(), 2);
    let shrunk = random(50, 0).project(whole(dir.path(), "p").view()).unwrap();
    let expected = pca.unwrap().transform(shrunk.view()).unwrap();
    assert!((&both - &expected).iter().all(|d| d.abs() <= 1e-5 * expected[(0, 0)].abs()), "{both} {expected}");
    let same = run(dir.path(), &line("--pca 2 --pca-fit p p"));
    assert!(same.stderr.contains("9 of 9 pictures of --pca-fit are also measured"), "{}", same.stderr);
    same.ok();
}

#[test]
fn what_cannot_be_projected_is_said_before_the_run() {
    let dir = folder();
    fs::write(dir.path().join("small.ppm"), b"P6 1 1 255\n\x01\x02\x03").unwrap();
    for (options, said) in [
        ("--srp 4000 -o x.npy p", "has 4000 units, which --srp 4000 would not make fewer"),
        ("--pca 7 --pca-fit f -o x.npy p", "7 pictures span at most 6 components"),
        ("--srp 5 --pca 6 --pca-fit f -o x.npy p", "has 5 columns, --pca asks for 6"),
        ("--pca 2 --pca-fit f --mem 100k -o x.npy p", "--mem allows 1"),
        (
            "--pca 2 --pca-fit small.ppm --pca-fit small.ppm --pca-fit small.ppm -o x.npy p",
            "end with 1x1 pixels, the others with 40x50",
        ),
        ("--pca 2 --pca-fit nowhere -o x.npy p", "--pca-fit"),
        ("--srp 3000 --mem 1k -o x.npy p", "the random projection of layer \"conv\" needs"),
    ] {
        let out = run(dir.path(), &line(options));
        assert!(out.code == 1 && out.stderr.contains(said), "{options}: {}", out.stderr);
        assert!(!dir.path().join("x.npy").exists());
    }
    // The same picture over and over spans nothing.
    fs::create_dir(dir.path().join("same")).unwrap();
    for i in 0..4 {
        fs::copy(dir.path().join("p/0.ppm"), dir.path().join(format!("same/{i}.ppm"))).unwrap();
    }
    let out = run(dir.path(), &line("--pca 2 --pca-fit same p"));
    assert!(out.code == 1 && out.stderr.contains("2 components asked for, the rows span 0"), "{}", out.stderr);
    for options in [
        "--srp 0 p",
        "--srp many p",
        "--eps 0.1 p",
        "--srp auto --eps 2 p",
        "--pca 2 p",
        "--pca-fit f p",
        "--srp 9 --unit-table u.csv p",
        "--pca 2 --pca-fit f --unit-table u.csv p",
        "--srp 9 --mem lots p",
    ] {
        assert_eq!(run(dir.path(), &line(options)).code, 2, "{options}");
    }
}
