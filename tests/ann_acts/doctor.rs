//! `ann-acts --doctor`: one picture in every common preprocessing.

use std::fs;
use std::path::Path;
use support::*;

fn doctor(dir: &Path, options: &str) -> Outcome {
    let models = root().join("testdata/models").display().to_string();
    run(dir, &format!("ann-acts --doctor {}", options.replace("MODELS", &models)))
}

/// A picture of 8 x 4 pixels, more red to the right, all blue 9.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = b"P6 8 4 255\n".to_vec();
    bytes.extend((0..32u8).flat_map(|i| [30 * (i % 8), 10, 9]));
    fs::write(dir.path().join("a.ppm"), bytes).unwrap();
    dir
}

#[test]
fn variants_are_ranked_scored_and_compared_with_the_one_asked_for() {
    let dir = folder();
    fs::write(dir.path().join("labels.txt"), "sum\ndifference\n").unwrap();
    let line = "MODELS/tiny.onnx a.ppm --preprocess raw255 --resize 4x4 --layer pool --labels labels.txt --top 2";
    let out = doctor(dir.path(), line);
    assert!(out.stderr.contains("output \"logits\" (Nx2) is taken for a classifier"), "{}", out.stderr);
    let table = rows(&out.text());
    // 1 + 3 resizes x 2 interpolations x 2 colours x 6 normalizations, two classes each.
    assert_eq!(table.len(), 2 * (1 + 72));
    let first = &table[0];
    assert_eq!((first["variant"].as_str(), first["rank"].as_str(), first["label"].as_str()), ("0", "1", "sum"));
    assert_eq!((number(first, "r"), number(first, "relative_l2")), (1.0, 0.0));
    assert_eq!(first["normalization"], "as asked");
    let best_two: f64 = number(&table[0], "score") + number(&table[1], "score");
    assert!((best_two - 1.0).abs() < 1e-12 && number(&table[0], "score") >= number(&table[1], "score"));
    // Every variant is what a run with these options gives.
    for row in table.iter().filter(|row| row["rank"] == "1").step_by(7).skip(1) {
        let crop = if row["crop"] == "none" { "none" } else { &row["crop"] };
        let line = format!(
            "ann-acts {} --preprocess {} --resize {} --crop {crop} --interpolation {} --color {} --layer pool --layer logits a.ppm",
            root().join("testdata/models/tiny.onnx").display(),
            row["normalization"],
            row["resize"],
            row["interpolation"],
            row["color"]
        );
        let both = arrays(&run(dir.path(), &line).ok());
        let values: Vec<Vec<f64>> =
            both.into_iter().map(|array| array.into_matrix().unwrap().0.into_f64().row(0).to_vec()).collect();
        let label = if values[1][0] >= values[1][1] { "sum" } else { "difference" };
        assert_eq!(row["label"], label, "{row:?}");
        let own = run(dir.path(), &line_of_variant_0()).ok();
        let own = matrix(&own).0.row(0).to_vec();
        let moved = own.iter().zip(&values[0]).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let size = own.iter().map(|v| v * v).sum::<f64>().sqrt();
        assert!((number(row, "relative_l2") - moved / size).abs() < 1e-6, "{row:?}");
    }
}

fn line_of_variant_0() -> String {
    let model = root().join("testdata/models/tiny.onnx");
    format!("ann-acts {} --preprocess raw255 --resize 4x4 --layer pool a.ppm", model.display())
}

#[test]
fn without_a_classifier_the_layer_alone_is_shown() {
    let dir = folder();
    let out =
        doctor(dir.path(), "MODELS/tokens.onnx a.ppm --preprocess raw255 --resize 2x2 --layer tokens --format tsv");
    assert!(out.stderr.contains("no output looks like a classifier's"), "{}", out.stderr);
    let text = out.text();
    assert!(text.starts_with("variant\tresize\tcrop\t"), "{text}");
    assert_eq!(text.lines().count(), 1 + 73);
    // Grey levels as bytes leave no normalization but one: three resizes, two interpolations, two colour orders.
    let bytes = doctor(dir.path(), "MODELS/bytes.onnx a.ppm --preprocess raw255 --resize 2x2 --crop 2x2");
    assert_eq!(rows(&bytes.text()).len(), 1 + 12);
}

#[test]
fn a_size_that_the_network_does_not_take_is_replaced_and_said() {
    let dir = folder();
    let out = doctor(dir.path(), "MODELS/single.onnx a.ppm --preprocess imagenet");
    assert!(out.stderr.contains("the network takes 2x2 pixels, the preprocessing makes 224x224"), "{}", out.stderr);
    out.text();
}

#[test]
fn what_the_doctor_cannot_do_is_said() {
    let dir = folder();
    fs::write(dir.path().join("three.txt"), "a\nb\nc\n").unwrap();
    for (line, said) in [
        ("MODELS/tiny.onnx a.ppm a.ppm --preprocess raw255", "looks at one picture, 2 are given"),
        ("MODELS/tiny.onnx a.ppm --preprocess raw255 --layer '@*' --layer 're:.'", "no layer"),
        ("MODELS/tiny.onnx a.ppm --preprocess raw255 --layer 're:.'", "watches one layer, 5 are asked for"),
        (
            "MODELS/tiny.onnx a.ppm --preprocess raw255 --labels three.txt",
            "--labels has 3 lines, the classifier 2 classes",
        ),
        ("MODELS/tokens.onnx a.ppm --preprocess raw255 --resize 2x2 --layer shape", "not floating-point"),
        ("MODELS/tiny.onnx nothing.ppm --preprocess raw255", "no such picture"),
    ] {
        let out = doctor(dir.path(), line);
        assert!(out.code == 1 && out.stderr.contains(said), "{line}: {}", out.stderr);
    }
    for line in
        ["--list-layers MODELS/tiny.onnx", "MODELS/tiny.onnx a.ppm --out-dir x", "MODELS/tiny.onnx a.ppm --shard 0/2"]
    {
        assert_eq!(doctor(dir.path(), line).code, 2, "{line}");
    }
    let plain = run(dir.path(), &format!("{} --top 3", line_of_variant_0()));
    assert_eq!(plain.code, 2, "--top without --doctor");
}
