//! `ann-acts` between picture files and the network's input: the model's own configuration, rotation, bad pictures.
//!
//! The input itself is looked at (`--dump-input`), planes of red, green and blue one behind the other.
#![allow(clippy::unwrap_used)]

use ndarray::Array2;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use support::*;

/// A folder with the tiny network in `net/` and one picture of two pixels, `a.ppm`.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("net")).unwrap();
    fs::copy(root().join("testdata/models/tiny.onnx"), dir.path().join("net/tiny.onnx")).unwrap();
    picture(&dir.path().join("a.ppm"), 2, &[[10, 20, 30], [0, 128, 255]]);
    dir
}

/// A PPM picture of these pixels.
fn picture(path: &Path, width: usize, pixels: &[[u8; 3]]) {
    let mut bytes = format!("P6 {width} {} 255\n", pixels.len() / width).into_bytes();
    bytes.extend(pixels.as_flattened());
    fs::write(path, bytes).unwrap();
}

/// What the network got, and what stderr said.
#[track_caller]
fn input(dir: &Path, options: &str) -> (Array2<f64>, String) {
    let out = run(dir, &format!("ann-acts net/tiny.onnx --layer pool --dump-input d.npy {options}"));
    let stderr = out.stderr.clone();
    out.ok();
    (matrix(&fs::read(dir.join("d.npy")).unwrap()).0, stderr)
}

/// A Hugging Face file that keeps pictures as they are, with these fields besides.
fn vit(more: Value) -> String {
    let mut fields = json!({
        "image_processor_type": "ViTImageProcessor", "do_resize": false, "do_rescale": true, "rescale_factor": 0.5,
        "do_normalize": true, "image_mean": [5.0, 10.0, 0.0], "image_std": [1.0, 2.0, 4.0]
    });
    for (key, value) in more.as_object().unwrap() {
        fields[key] = value.clone();
    }
    fields.to_string()
}

/// (x / 2 - mean) / std of red 10, 0, green 20, 128, blue 30, 255.
const VIT_BY_HAND: [f64; 6] = [0.0, -5.0, 0.0, 27.0, 3.75, 31.875];

#[test]
fn a_configuration_beside_the_model_is_followed_and_said() {
    let dir = folder();
    let path = dir.path().join("net/preprocessor_config.json");
    fs::write(&path, vit(json!({}))).unwrap();
    let (values, stderr) = input(dir.path(), "a.ppm");
    assert_eq!(values.row(0).to_vec(), VIT_BY_HAND);
    assert!(
        stderr.contains("no --preprocess given; taking net/preprocessor_config.json (ViTImageProcessor)"),
        "{stderr}"
    );
    assert!(stderr.contains("no resize, no crop, (x * 0.5 - 5,10,0) / 1,2,4, rgb"), "{stderr}");
    let side: Value = serde_json::from_slice(&fs::read(dir.path().join("d.json")).unwrap()).unwrap();
    let steps = &side["preprocessing"];
    assert_eq!((&steps["preset"], &steps["rescale_factor"]), (&json!("huggingface"), &json!(0.5)));
    assert_eq!(steps["config"], json!({ "file": "net/preprocessor_config.json", "type": "ViTImageProcessor" }));
    let sum = sh(dir.path(), "sha256sum net/preprocessor_config.json").text();
    let sum = sum.split(' ').next().unwrap();
    assert!(side["inputs"].as_array().unwrap().iter().any(|input| input["sha256"] == sum), "{side}");
    // A name on the command line comes first.
    let (values, stderr) = input(dir.path(), "--preprocess raw255 a.ppm");
    assert_eq!(values.row(0).to_vec(), [10.0, 0.0, 20.0, 128.0, 30.0, 255.0]);
    assert!(!stderr.contains("preprocess"), "{stderr}");
}

#[test]
fn a_configuration_is_found_above_a_folder_named_onnx_or_named_itself() {
    let dir = folder();
    fs::rename(dir.path().join("net"), dir.path().join("onnx")).unwrap();
    fs::create_dir(dir.path().join("net")).unwrap();
    fs::write(dir.path().join("preprocessor_config.json"), vit(json!({}))).unwrap();
    let line = "ann-acts onnx/tiny.onnx --layer conv a.ppm";
    let above = run(dir.path(), line);
    assert!(above.stderr.contains("taking preprocessor_config.json"), "{}", above.stderr);
    // R - G and B - 1 of the values above.
    assert_eq!(matrix(&above.ok()).0.row(0).to_vec(), [0.0, -32.0, 2.75, 30.875]);
    fs::copy(dir.path().join("onnx/tiny.onnx"), dir.path().join("net/tiny.onnx")).unwrap();
    let (values, stderr) = input(dir.path(), "--preprocess preprocessor_config.json a.ppm");
    assert_eq!(values.row(0).to_vec(), VIT_BY_HAND);
    assert!(!stderr.contains("no --preprocess"), "{stderr}");
    let imagenet = run(dir.path(), "ann-acts net/tiny.onnx --layer conv a.ppm");
    assert!(imagenet.stderr.contains("taking imagenet"), "{}", imagenet.stderr);
}

#[test]
fn every_number_of_a_configuration_can_be_replaced() {
    let dir = folder();
    fs::write(dir.path().join("net/preprocessor_config.json"), vit(json!({}))).unwrap();
    let (values, _) = input(dir.path(), "--mean 0 --std 0.5 --color bgr -q a.ppm");
    assert_eq!(values.row(0).to_vec(), [30.0, 255.0, 20.0, 128.0, 10.0, 0.0]);
    let (values, _) = input(dir.path(), "--resize 1x1 --interpolation nearest --mean 0 --std 0.5 -q a.ppm");
    assert_eq!(values.row(0).to_vec(), [0.0, 128.0, 255.0]);
    let (values, _) = input(dir.path(), "--crop 1x4 --mean 0 --std 0.5 -q a.ppm");
    assert_eq!(values.row(0).to_vec()[..4], [0.0, 10.0, 0.0, 0.0]);
}

/// timm: floor(2 / .5) = 4 is the scale, 2x2 the crop; `border` pads a 1x2 picture above and below with 255 * mean.
#[test]
fn a_timm_configuration_is_followed_in_all_its_crop_modes() {
    let dir = folder();
    picture(&dir.path().join("even.ppm"), 2, &[[51, 102, 204]; 2]);
    let config = |mode: &str, part: f64| {
        let text = json!({ "architecture": "resnet18", "pretrained_cfg": {
            "input_size": [3, 2, 2], "interpolation": "bilinear", "crop_pct": part, "crop_mode": mode,
            "mean": [0.2, 0.2, 0.2], "std": [0.5, 0.5, 0.5] } });
        fs::write(dir.path().join("net/config.json"), text.to_string()).unwrap();
    };
    let level = |x: f32| f64::from((x / 255.0 - 0.2) / 0.5);
    let plane = |x: f32| [level(x); 4];
    let even = [plane(51.0), plane(102.0), plane(204.0)].concat();
    for (mode, said) in [("center", "resize 4 bilinear"), ("squash", "resize 4x4 bilinear")] {
        config(mode, 0.5);
        let (values, stderr) = input(dir.path(), "even.ppm");
        assert_eq!(values.row(0).to_vec(), even, "{mode}");
        assert!(stderr.contains("net/config.json (timm resnet18)") && stderr.contains(said), "{stderr}");
    }
    config("border", 1.0);
    let (values, stderr) = input(dir.path(), "even.ppm");
    // One row of the picture, then one of round(255 * .2) = 51.
    let border = |x: f32| [level(x), level(x), level(51.0), level(51.0)];
    assert_eq!(values.row(0).to_vec(), [border(51.0), border(102.0), border(204.0)].concat());
    assert!(!stderr.contains("smaller than the crop"), "a border that is meant is no warning: {stderr}");
    // Hugging Face's file comes before timm's.
    fs::write(dir.path().join("net/preprocessor_config.json"), vit(json!({}))).unwrap();
    assert_eq!(input(dir.path(), "-q a.ppm").0.row(0).to_vec(), VIT_BY_HAND);
}

#[test]
fn a_configuration_that_cannot_be_followed_stops_with_the_field() {
    let dir = folder();
    let refused = |text: &str, parts: &[&str]| {
        fs::write(dir.path().join("net/preprocessor_config.json"), text).unwrap();
        let out = run(dir.path(), "ann-acts net/tiny.onnx --layer pool -o x.npy a.ppm");
        out.fails(1, &[&["net/preprocessor_config.json: "], parts].concat());
        assert!(!dir.path().join("x.npy").exists());
        run(dir.path(), "ann-acts net/tiny.onnx --layer pool --preprocess raw255 a.ppm").ok();
    };
    refused(&vit(json!({ "do_pad": true })), &["do_pad is true", "--preprocess NAME"]);
    refused(&vit(json!({ "image_processor_type": "OtherImageProcessor" })), &["OtherImageProcessor is not among"]);
    refused("{}", &["neither a preprocessor_config.json"]);
    refused("size: 3", &["not a JSON object"]);
    refused(&vit(json!({ "image_std": [1.0, 0.0, 1.0] })), &["std 0 cannot be divided by"]);
    let line = |value: &str| format!("ann-acts net/tiny.onnx --layer pool --preprocess {value} a.ppm");
    run(dir.path(), &line("none.json")).fails(1, &["none.json: No such file"]);
    run(dir.path(), &line("imagent")).fails(2, &["expected imagenet, tf, clip", "a file that ends in .json"]);
    fs::write(dir.path().join("net/preprocessor_config.json"), vit(json!({}))).unwrap();
    run(dir.path(), "ann-acts net/tiny.onnx --layer pool --std 0 a.ppm").fails(1, &["std 0 cannot be divided by"]);
}
