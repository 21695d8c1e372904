//! The tensors that torchvision, timm and transformers make of pictures of every kind, through the real binary.
//!
//! `testdata/golden/tensors/tensors.json` holds the SHA-256 of each (`scripts/golden/input_tensors.py`). Equality is
//! exact: the same bytes of pixels, then the same few operations on `f32` in the same order.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use support::*;

fn golden() -> Map<String, Value> {
    let text = fs::read(root().join("testdata/golden/tensors/tensors.json")).unwrap();
    match serde_json::from_slice(&text).unwrap() {
        Value::Object(transforms) => transforms,
        other => panic!("not an object: {other}"),
    }
}

/// A folder with the tiny network and, if the transform has one, its configuration.
fn folder(transform: &Value) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(root().join("testdata/models/tiny.onnx"), dir.path().join("tiny.onnx")).unwrap();
    let config = &transform["config"];
    if config.is_object() {
        let name = if config["pretrained_cfg"].is_object() { "config.json" } else { "preprocessor_config.json" };
        fs::write(dir.path().join(name), config.to_string()).unwrap();
    }
    dir
}

/// The inputs that the network got for these pictures, in f4, one row each.
#[track_caller]
fn inputs(dir: &Path, options: &str, pictures: &[String]) -> Vec<Vec<f32>> {
    let line = format!("ann-acts tiny.onnx --layer pool -q --dump-input d.npy {options} {}", pictures.join(" "));
    run(dir, &line).ok();
    let (values, _) = matrix(&fs::read(dir.join("d.npy")).unwrap());
    values.rows().into_iter().map(|row| row.iter().map(|&v| v as f32).collect()).collect()
}

/// `None` where they are the same, else what differs.
fn difference(input: &[f32], golden: &Value) -> Option<String> {
    let shape: Vec<usize> = golden["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    if input.len() != shape.iter().product::<usize>() {
        return Some(format!("{} values for {shape:?}", input.len()));
    }
    // The four values say more than a digest can.
    for sample in golden["samples"].as_array().unwrap() {
        let (at, value) = (sample[0].as_u64().unwrap() as usize, sample[1].as_f64().unwrap());
        if f64::from(input[at]) != value {
            return Some(format!("value {at} is {}, expected {value}", input[at]));
        }
    }
    let bytes: Vec<u8> = input.iter().flat_map(|value| value.to_le_bytes()).collect();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    (golden["sha256"] != digest.as_str()).then(|| "another SHA-256".to_string())
}

/// Asserts every picture of the transform, and gives their number.
#[track_caller]
fn compare(name: &str, transform: &Value) -> usize {
    let dir = folder(transform);
    let options = transform["options"].as_str().unwrap();
    let pictures: Vec<(&String, &Value)> = transform["pictures"].as_object().unwrap().iter().collect();
    let path = |name: &str| root().join("testdata/pictures").join(name).display().to_string();
    let alike = pictures.iter().all(|(_, golden)| golden["shape"] == pictures[0].1["shape"]);
    let per_run = if alike { pictures.len() } else { 1 };
    let mut wrong = Vec::new();
    for group in pictures.chunks(per_run) {
        let paths: Vec<String> = group.iter().map(|(name, _)| path(name)).collect();
        for (input, (picture, golden)) in inputs(dir.path(), options, &paths).iter().zip(group) {
            wrong.extend(difference(input, golden).map(|what| format!("{picture}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "{name}: {} of {} differ\n{}", wrong.len(), pictures.len(), wrong.join("\n"));
    pictures.len()
}

fn compare_all(chosen: impl Fn(&str) -> bool) -> usize {
    golden().iter().filter(|(name, _)| chosen(name)).map(|(name, transform)| compare(name, transform)).sum()
}

#[test]
fn pictures_of_every_kind_are_those_of_pillow_as_they_are() {
    assert_eq!(compare_all(|name| name == "as it is"), 67);
}

#[test]
fn pictures_turned_by_exif_are_those_of_pillow() {
    assert_eq!(compare_all(|name| name.starts_with("turned")), 67 + 32);
    // All eight orientations of a picture without symmetry are eight different pictures.
    let turned = &golden()["turned"]["pictures"];
    let mut digests: Vec<&str> =
        (1..=8).map(|n| turned[&format!("exif-{n}.png")]["sha256"].as_str().unwrap()).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 8);
}

#[test]
fn presets_give_the_tensors_of_torchvision() {
    assert_eq!(compare_all(|name| ["imagenet", "clip"].contains(&name)), 2 * 39);
    assert_eq!(compare_all(|name| ["short odd", "exact", "padded"].contains(&name)), 3 * 7);
}

#[test]
fn configurations_give_the_tensors_of_timm_and_of_transformers() {
    assert_eq!(compare_all(|name| name.starts_with("timm")), 4 * 7);
    assert_eq!(compare_all(|name| name.starts_with("hugging face")), 5 * 7);
}

/// 6000 x 4000 pixels by the rule that the golden script has, too.
#[test]
fn a_huge_picture_is_no_exception() {
    let (width, height) = (6000u64, 4000u64);
    let mut bytes = format!("P6 {width} {height} 255\n").into_bytes();
    for y in 0..height {
        for x in 0..width {
            bytes.extend([(3 * x + 5 * y + ((x * y) >> 6)) as u8, (x ^ y) as u8, ((x * x + 7 * y) >> 5) as u8]);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    fs::copy(root().join("testdata/models/tiny.onnx"), dir.path().join("tiny.onnx")).unwrap();
    fs::write(dir.path().join("huge.ppm"), bytes).unwrap();
    let golden = golden();
    for name in ["huge imagenet", "huge clip"] {
        let transform = &golden[name];
        let input = inputs(dir.path(), transform["options"].as_str().unwrap(), &["huge.ppm".to_string()]).remove(0);
        assert_eq!(difference(&input, &transform["pictures"]["huge.ppm"]), None, "{name}");
    }
}
