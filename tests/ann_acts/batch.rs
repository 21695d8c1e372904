//! `ann-acts`: a row is one picture's, whatever stands beside it, on `testdata/models/batch-*.onnx`.

use ndarray::Array2;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use support::*;

const N: usize = 5;

/// Levels of picture `i`: 4x4 pixels without a pattern.
fn levels(i: usize) -> Vec<u8> {
    let mut state = 77 + i as u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..48).map(|_| next()).collect()
}

fn write(path: &Path, levels: &[u8]) {
    let mut bytes = b"P6 4 4 255\n".to_vec();
    bytes.extend(levels);
    fs::write(path, bytes).unwrap();
}

/// Five pictures `0.ppm` to `4.ppm` in `p`.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("p")).unwrap();
    (0..N).for_each(|i| write(&dir.path().join(format!("p/{i}.ppm")), &levels(i)));
    dir
}

/// Runs `ann-acts` on a network of this folder's kind; nothing of ONNX Runtime's own may be on stderr.
#[track_caller]
fn acts(dir: &Path, model: &str, rest: &str) -> Outcome {
    let model = root().join(format!("testdata/models/batch-{model}.onnx"));
    let out = run(dir, &format!("ann-acts {} --preprocess raw01 {rest}", model.display()));
    for foreign in ["\u{1b}", "onnxruntime_src", "[E:onnx", "panicked"] {
        assert!(!out.stderr.contains(foreign), "{}", out.stderr);
    }
    assert!(out.stderr.lines().all(|line| line.starts_with("ann-acts: ")), "{}", out.stderr);
    out
}

#[track_caller]
fn rows_of(dir: &Path, model: &str, rest: &str) -> Array2<f64> {
    matrix(&acts(dir, model, rest).ok()).0
}

#[track_caller]
fn close(a: &Array2<f64>, b: &Array2<f64>, of_largest: f64) {
    assert_eq!(a.dim(), b.dim());
    let largest = a.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    assert!(largest > 0.0);
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= of_largest * largest, "{a} {b}");
    }
}

const BY_GRAPH: [&str; 6] = ["dropout", "norm9", "norm15", "random", "bernoulli", "branch"];
const BY_RUNNING: [&str; 13] = [
    "softmax",
    "mean",
    "layernorm",
    "gru",
    "cumsum",
    "cumsum-back",
    "topk",
    "count",
    "flip",
    "weak",
    "quantized",
    "small",
    "fixed-mean",
];

#[test]
fn rows_that_depend_on_other_pictures_or_on_chance_are_refused_by_the_node() {
    let dir = folder();
    for model in BY_GRAPH.into_iter().chain(BY_RUNNING).chain(["fixed-place"]) {
        let guilty = match model {
            "branch" => "\"inside\"",
            _ => "\"guilty\"",
        };
        let said = acts(dir.path(), model, "--layer y -o y.npy p").fails(1, &["layer \"y\"", guilty]);
        assert!(!dir.path().join("y.npy").exists() && !dir.path().join("y.json").exists());
        if !BY_GRAPH.contains(&model) {
            assert!(said.contains("unit ") && said.contains("nearest layer that works"), "{said}");
        }
        // What does not depend on that node is not concerned.
        let x = rows_of(dir.path(), model, "--layer x p");
        let alone = rows_of(dir.path(), model, "--layer x --batch 1 p");
        close(&x, &alone, 1e-6);
    }
    for model in ["dropout-off", "norm9-eval"] {
        let (y, x) = (rows_of(dir.path(), model, "--layer y p"), rows_of(dir.path(), model, "--layer x p"));
        close(&y, &x, 1e-4);
    }
}

#[test]
fn a_pattern_leaves_such_layers_out_and_says_so() {
    let dir = folder();
    for model in ["norm15", "mean", "similarity"] {
        let out = acts(dir.path(), model, &format!("--layer '*' --out-dir {model} p"));
        assert!(out.stderr.contains("left out: "), "{}", out.stderr);
        out.ok();
        assert!(dir.path().join(model).join("x.npy").exists() && !dir.path().join(model).join("y.npy").exists());
    }
}

#[test]
fn the_check_does_not_depend_on_which_pictures_come() {
    let dir = folder();
    fs::create_dir(dir.path().join("same")).unwrap();
    (0..3).for_each(|i| write(&dir.path().join(format!("same/{i}.ppm")), &levels(0)));
    write(&dir.path().join("black.ppm"), &[0; 48]);
    for pictures in ["same", "p/1.ppm", "black.ppm", "--shard 4/5 p", "--batch 2 p", "--batch auto p"] {
        for model in ["softmax", "random", "flip", "cumsum"] {
            acts(dir.path(), model, &format!("--layer y {pictures}")).fails(1, &["\"guilty\""]);
        }
        acts(dir.path(), "similarity", &format!("--layer y {pictures}")).fails(1, &["several axes", "\"x\""]);
    }
    acts(dir.path(), "mean", "--layer y --resume -o y.npy p").fails(1, &["\"guilty\""]);
    // Alone no picture meets another; chance and training are still there.
    let out = acts(dir.path(), "softmax", "--layer y --batch 1 p");
    assert!(out.stderr.contains("each is run alone"), "{}", out.stderr);
    assert!(matrix(&out.ok()).0.iter().all(|&v| v == 1.0));
    for model in BY_GRAPH {
        acts(dir.path(), model, "--layer y --batch 1 p").fails(1, &["node \""]);
    }
    for batch in [1, 5] {
        acts(dir.path(), "similarity", &format!("--layer y --batch {batch} p")).fails(1, &["several axes"]);
    }
}

#[test]
fn pictures_behind_one_another_are_told_apart() {
    let dir = folder();
    for (model, layers) in [
        ("vit", "y flat mixed joined"),
        ("sequence-first", "y tnc tnh q scores attention heads_out back token_picture mlp"),
        ("windows", "y w mixed cut uncut"),
        ("laid-out", "y"),
        ("half", "y"),
        ("range", "y difference"),
    ] {
        for layer in layers.split(' ') {
            let line = |rest: &str| format!("--layer {layer} {rest} p");
            let together = rows_of(dir.path(), model, &line(""));
            let alone = rows_of(dir.path(), model, &line("--batch 1"));
            // Half precision and differences of large numbers round visibly.
            close(&together, &alone, if layer == "difference" { 0.5 } else { 1e-3 });
            let three = rows_of(dir.path(), model, &line("--batch 3"));
            close(&three, &alone, if layer == "difference" { 0.5 } else { 1e-3 });
        }
    }
    // The units of a picture stand as they do for the picture alone: window, pixel in the window, channel.
    let windows = rows_of(dir.path(), "windows", "--layer w p");
    for i in 0..N {
        let levels = levels(i);
        for unit in 0..48 {
            let (window, pixel, channel) = (unit / 12, unit / 3 % 4, unit % 3);
            let (row, column) = (window / 2 * 2 + pixel / 2, window % 2 * 2 + pixel % 2);
            let value = f64::from(levels[(row * 4 + column) * 3 + channel]) / 255.0;
            assert!((windows[[i, unit]] - value).abs() < 1e-6);
        }
    }
    // Token, then picture: the rows of a picture are gathered from between those of others.
    let mlp = rows_of(dir.path(), "sequence-first", "--layer mlp p");
    close(&mlp, &rows_of(dir.path(), "sequence-first", "--layer y p"), 1e-6);
    assert_eq!(mlp.dim(), (N, 16));
    for i in 0..2 {
        acts(dir.path(), "sequence-first", &format!("--layer mlp --shard {i}/2 -o {i}.npy p")).ok();
    }
    let whole = matrix(&sh(dir.path(), "npy cat 0.npy 1.npy").ok()).0;
    assert_eq!(whole, mlp);
}

#[test]
fn a_batch_that_is_fixed_in_the_graph_is_taken() {
    let dir = folder();
    let alone = rows_of(dir.path(), "baked", "--layer y --batch 1 p");
    let out = acts(dir.path(), "baked", "--layer y p");
    assert!(out.stderr.contains("only run one picture at a time") && out.stderr.contains("baked"), "{}", out.stderr);
    assert_eq!(matrix(&out.ok()).0, alone);
    let quiet = acts(dir.path(), "baked", "--layer y --quiet p");
    assert_eq!(quiet.stderr, "");
    assert_eq!(rows_of(dir.path(), "baked", "--layer x p").dim(), (N, 8));
    acts(dir.path(), "baked", "--layer y --resume -o y.npy p").ok();
    assert_eq!(matrix(&fs::read(dir.path().join("y.npy")).unwrap()).0, alone);
    let side: Value = serde_json::from_slice(&fs::read(dir.path().join("y.json")).unwrap()).unwrap();
    assert_eq!(side["batch"], 1);
    // A fixed number of pictures, of which the last batch has fewer; also merged with rows of its own.
    let x = rows_of(dir.path(), "fixed", "--layer x p");
    for layer in ["y", "m", "merged"] {
        let rows = rows_of(dir.path(), "fixed", &format!("--layer {layer} p"));
        close(&x, &if layer == "merged" { rows } else { -rows }, 1e-6);
    }
    close(&x, &rows_of(dir.path(), "baked-four", "--layer y --batch 4 p"), 1e-6);
    acts(dir.path(), "baked-four", "--layer y --batch 3 p").fails(1, &["--batch"]);
}

#[test]
fn weights_behind_links_are_found() {
    let dir = folder();
    let models = root().join("testdata/models");
    let cache = dir.path().join("snapshots/abc/onnx");
    fs::create_dir_all(&cache).unwrap();
    fs::create_dir(dir.path().join("blobs")).unwrap();
    fs::copy(models.join("external.onnx"), dir.path().join("blobs/1111")).unwrap();
    fs::copy(models.join("external.weights"), dir.path().join("blobs/2222")).unwrap();
    symlink("../../../blobs/1111", cache.join("model.onnx")).unwrap();
    symlink("../../../blobs/2222", cache.join("external.weights")).unwrap();
    let there = run(dir.path(), &format!("ann-acts {} --list-layers", models.join("external.onnx").display())).text();
    let layer = there.lines().last().unwrap().split(',').nth(1).unwrap().to_string();
    let rest = format!("--preprocess raw01 --layer {layer} p");
    let plain = run(dir.path(), &format!("ann-acts {} {rest}", models.join("external.onnx").display())).ok();
    for (from, model) in [(dir.path(), "snapshots/abc/onnx/model.onnx"), (cache.as_path(), "model.onnx")] {
        let rest = rest.replace(" p", &format!(" {}", dir.path().join("p").display()));
        assert_eq!(matrix(&run(from, &format!("ann-acts {model} {rest}")).ok()).0, matrix(&plain).0);
        run(from, &format!("ann-acts {model} --list-layers")).ok();
    }
    // A link that leads nowhere is named as the model names it.
    fs::remove_file(dir.path().join("blobs/2222")).unwrap();
    run(dir.path(), &format!("ann-acts snapshots/abc/onnx/model.onnx {rest}")).fails(1, &["external.weights"]);
}

#[test]
fn outputs_that_are_left_out_crash_nothing() {
    let dir = folder();
    let x = rows_of(dir.path(), "split", "--layer x p");
    let close = |a: &Array2<f64>, b: Array2<f64>| assert!(a.dim() == b.dim() && a.iter().zip(&b).all(|(a, b)| a == b));
    close(&rows_of(dir.path(), "split", "--layer y p"), x.slice(ndarray::s![.., 3..]).to_owned());
    close(&rows_of(dir.path(), "split-branch", "--layer y p"), x.slice(ndarray::s![.., ..3]).to_owned());
    let looped = rows_of(dir.path(), "loop", "--layer y p");
    close(&looped, -rows_of(dir.path(), "loop", "--layer x p"));
    let said = acts(dir.path(), "split", "--layer y p").stderr;
    assert!(said.contains("node \"cut\" (Split) leaves out an output"), "{said}");
    for model in ["split", "split-branch", "loop"] {
        let listed = acts(dir.path(), model, "--list-layers").text();
        assert!(!listed.contains("omitted"), "{listed}");
        acts(dir.path(), model, "--layer '*' --out-dir all p").ok();
    }
    acts(dir.path(), "sum", "--layer y p").fails(1, &["node \"adds\" (Sum)"]);
    acts(dir.path(), "sum", "--list-layers").fails(1, &["node \"adds\" (Sum)"]);
    rows_of(dir.path(), "sum", "--layer x p");
}

#[test]
fn values_that_are_no_tensors_are_left_out() {
    let dir = folder();
    let out = acts(dir.path(), "sequences", "--layer '*' --out-dir all p");
    assert!(
        out.stderr.contains("3 of 7 tensors left out: layer \"sequence\" holds no tensor (sequence)"),
        "{}",
        out.stderr
    );
    out.ok();
    acts(dir.path(), "sequences", "--layer perhaps p").fails(1, &["\"perhaps\" holds no tensor (optional)"]);
    acts(dir.path(), "sequences", "--layer parts p").fails(1, &["\"parts\" holds no tensor (sequence)"]);
    acts(dir.path(), "sequences", "--list-layers").ok();
}

#[test]
fn layer_names_too_long_for_a_file_are_shortened() {
    let dir = folder();
    let out = acts(dir.path(), "long", "--layer 'module.*' --out-dir all p");
    assert!(out.stderr.contains("2 layer names are too long"), "{}", out.stderr);
    out.ok();
    let names = |folder: &str| {
        let mut names: Vec<String> = fs::read_dir(dir.path().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".json"))
            .collect();
        names.sort();
        names
    };
    let first = names("all");
    assert_eq!(first.len(), 2);
    for name in &first {
        let side: Value = serde_json::from_slice(&fs::read(dir.path().join("all").join(name)).unwrap()).unwrap();
        let layer = side["layer"]["name"].as_str().unwrap();
        assert_eq!(layer.len(), 281);
        assert!(name.ends_with(&format!("{}.json", &layer[layer.len() - 20..])), "{name}");
    }
    // The same whatever else is asked for, with shards and in a run that is gone on with.
    acts(dir.path(), "long", "--layer 're:b$' --resume --out-dir one p").ok();
    assert_eq!(names("one"), [first[1].clone()]);
    acts(dir.path(), "long", "--layer 're:b$' --shard 1/2 --out-dir part p").ok();
}

#[test]
fn weights_that_are_not_as_large_as_they_say_are_errors() {
    let dir = folder();
    for (model, what) in [
        ("huge", "2147483648x2147483648"),
        ("overflow", "1099511627776x1099511627776"),
        ("negative", "8x-5"),
        ("short", "needs 224 bytes, it holds 160"),
    ] {
        for rest in ["--layer y p", "--layer y --untrained 1 p", "--layer y --untrained 1:shuffle p", "--list-layers"] {
            acts(dir.path(), model, rest).fails(1, &["weight \"W\"", what]);
        }
    }
}
