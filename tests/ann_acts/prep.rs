//! `ann-acts` between picture files and the network's input: the model's own configuration, rotation, bad pictures.
//!
//! The input itself is looked at (`--dump-input`), planes of red, green and blue one behind the other.

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

/// Three pictures of 53x41 pixels; the second loses its end, behind a sound header.
fn with_a_cut_picture(dir: &Path) {
    let whole = fs::read(root().join("testdata/pictures/colour-444.jpg")).unwrap();
    fs::write(dir.join("1.jpg"), &whole).unwrap();
    fs::write(dir.join("2.jpg"), &whole[..whole.len() / 2]).unwrap();
    fs::copy(root().join("testdata/pictures/grey.png"), dir.join("3.png")).unwrap();
    fs::write(dir.join("s.csv"), "path,stimulus\n1.jpg,one\n2.jpg,two\n3.png,three\n").unwrap();
}

#[test]
fn a_picture_damaged_behind_its_header_stops_or_leaves_a_row_of_nan() {
    let dir = folder();
    with_a_cut_picture(dir.path());
    let line = "ann-acts net/tiny.onnx --preprocess raw255 --layer pool --layer conv";
    let stopped = run(dir.path(), &format!("{line} --batch 1 -o out.npy s.csv"));
    stopped.fails(1, &["2.jpg: damaged picture: the file ends too early"]);
    assert!(!dir.path().join("out.npy").exists() && !dir.path().join("out.json").exists());
    let sound = arrays(&run(dir.path(), &format!("{line} -q 1.jpg 3.png")).ok());
    for batch in ["--batch 1", "--batch 3", "--batch 2 --threads 1"] {
        let out = run(dir.path(), &format!("{line} --bad-image nan {batch} -o out.npy --dump-input in.npy s.csv"));
        let expected = "ann-acts: warning: 1 of 3 pictures cannot be decoded; their rows are NaN; \
                        the first is 2.jpg: damaged picture: the file ends too early\n";
        assert_eq!(out.stderr, expected);
        out.ok();
        let layers = arrays(&fs::read(dir.path().join("out.npy")).unwrap());
        for (layer, sound) in layers.into_iter().zip(&sound) {
            let (rows, labels) = layer.into_matrix().unwrap();
            assert_eq!(labels.ids.unwrap(), ["one", "two", "three"]);
            let (rows, sound) = (rows.into_f64(), sound.clone().into_matrix().unwrap().0.into_f64());
            assert!(rows.row(1).iter().all(|v| v.is_nan()));
            assert_eq!((rows.row(0), rows.row(2)), (sound.row(0), sound.row(1)));
        }
        let (input, _) = matrix(&fs::read(dir.path().join("in.npy")).unwrap());
        let nan: Vec<usize> = input.rows().into_iter().map(|row| row.iter().filter(|v| v.is_nan()).count()).collect();
        assert_eq!(nan, [0, 53 * 41 * 3, 0]);
        for side in ["out.json", "in.json"] {
            let side: Value = serde_json::from_slice(&fs::read(dir.path().join(side)).unwrap()).unwrap();
            let expected = json!([{ "stimulus": "two", "path": "2.jpg", "error": "2.jpg: damaged picture: the file ends too early" }]);
            assert_eq!((&side["bad_pictures"], &side["reading"]["bad_image"]), (&expected, &json!("nan")));
            let sums = sh(
                dir.path(),
                "for p in one:1.jpg two:2.jpg three:3.png; do sha256sum ${p#*:} | sed \"s|  .*|  ${p%:*}|\"; done | sha256sum",
            );
            assert_eq!(side["pictures_sha256"].as_str(), sums.text().split(' ').next());
        }
    }
    let none = run(dir.path(), &format!("{line} --bad-image nan -o out.npy 1.jpg"));
    assert!(none.stderr.is_empty(), "{}", none.stderr);
    let side: Value = serde_json::from_slice(&fs::read(dir.path().join("out.json")).unwrap()).unwrap();
    assert_eq!(side["bad_pictures"], json!([]));
}

/// Every kind of input: bytes and half floats hold no black picture's answer either.
#[test]
fn rows_of_bad_pictures_are_nan_for_every_kind_of_network() {
    let dir = folder();
    picture(&dir.path().join("1.ppm"), 2, &[[8, 16, 24]; 4]);
    fs::write(dir.path().join("2.ppm"), "P6 2 2 255\nabc").unwrap();
    for model in ["nhwc", "pairs", "single", "bytes", "half"] {
        let model = root().join(format!("testdata/models/{model}.onnx"));
        let line = format!("ann-acts {} --preprocess raw255 --layer mean --bad-image nan -q", model.display());
        for dtype in ["f2", "f4", "f8"] {
            let (mean, _) = matrix(&run(dir.path(), &format!("{line} --dtype {dtype} 2.ppm 1.ppm 2.ppm")).ok());
            assert_eq!(mean.row(1).to_vec(), [8.0, 16.0, 24.0]);
            assert!([0, 2].iter().all(|&row| mean.row(row).iter().all(|v| v.is_nan())), "{mean}");
        }
    }
}

#[test]
fn broken_headers_stop_before_the_network_is_looked_at() {
    let dir = folder();
    let refused = |pictures: &str, parts: &[&str]| {
        for bad_image in ["stop", "nan"] {
            let line = format!("ann-acts none.onnx --preprocess raw255 --layer x --bad-image {bad_image} {pictures}");
            run(dir.path(), &line).fails(1, parts);
        }
    };
    let jpeg = fs::read(root().join("testdata/pictures/colour-444.jpg")).unwrap();
    fs::write(dir.path().join("cut.jpg"), &jpeg[..100]).unwrap();
    fs::write(dir.path().join("text.jpg"), "hello").unwrap();
    fs::write(dir.path().join("empty.png"), "").unwrap();
    fs::write(dir.path().join("none.ppm"), "P6 0 5 255\n").unwrap();
    fs::write(dir.path().join("bomb.ppm"), "P6 60000 60000 255\n").unwrap();
    refused("a.ppm cut.jpg", &["cut.jpg: damaged picture: the file ends too early"]);
    refused("a.ppm text.jpg cut.jpg empty.png", &["text.jpg: not a picture", "(3 of 4 pictures cannot be used)"]);
    refused("empty.png", &["empty.png: the file is empty"]);
    refused("none.ppm", &["none.ppm: "]);
    refused("bomb.ppm", &["60000x60000 is 3600000000 pixels; at most 178956970"]);
    picture(&dir.path().join("wide.ppm"), 3, &[[1, 2, 3]; 3]);
    refused("a.ppm wide.ppm wide.ppm a.ppm", &["wide.ppm: 1x3 pixels", "has 1x2 (2 of 4 differ from it)", "--resize"]);
    // Where a crop makes them alike, they are.
    run(dir.path(), "ann-acts net/tiny.onnx --preprocess raw255 --crop 1 --layer pool a.ppm wide.ppm").ok();
    run(dir.path(), "ann-acts none.onnx --layer x --bad-image maybe a.ppm").fails(2, &["stop, nan"]);
}

#[test]
fn sixteen_bit_grey_is_clipped_as_pillow_does_on_request() {
    let dir = folder();
    let source = root().join("testdata/pictures/grey16.png");
    let (values, stderr) = input(dir.path(), &format!("--preprocess raw255 --grey16 clip {}", source.display()));
    assert!(stderr.contains("1 of 1 pictures are 16-bit grey; they were clipped at 255"), "{stderr}");
    let golden = arrays(&fs::read(root().join("testdata/golden/pictures/grey16.png.rgb.npy")).unwrap()).remove(0);
    let n_pixels = golden.shape[0] * golden.shape[1];
    let red: Vec<f64> = golden.values.into_f64().into_iter().step_by(3).collect();
    assert!(red.contains(&123.0) && red.contains(&255.0), "the picture has both kinds of level");
    assert_eq!(values.row(0).to_vec()[..n_pixels], red);
    let side: Value = serde_json::from_slice(&fs::read(dir.path().join("d.json")).unwrap()).unwrap();
    assert_eq!(side["reading"], json!({ "exif": false, "grey16": "clip", "bad_image": "stop", "background": null }));
    run(dir.path(), "ann-acts net/tiny.onnx --layer pool --grey16 mean a.ppm").fails(2, &["high, clip"]);
}

/// One network, one picture, one answer: from the folder, from above it, from elsewhere, through links.
#[test]
fn where_one_stands_and_how_a_path_is_written_change_nothing() {
    let dir = folder();
    fs::create_dir_all(dir.path().join("repo/onnx")).unwrap();
    fs::copy(root().join("testdata/models/tiny.onnx"), dir.path().join("repo/onnx/model.onnx")).unwrap();
    fs::write(dir.path().join("repo/preprocessor_config.json"), vit(json!({}))).unwrap();
    let values = |place: &str, model: &str| {
        let line = format!("ann-acts {model} --layer conv -q {}", dir.path().join("a.ppm").display());
        let out = run(&dir.path().join(place), &line);
        assert!(out.stderr.contains("no --preprocess given; taking "), "{place} {model}: {}", out.stderr);
        assert!(out.stderr.contains("(ViTImageProcessor), which lies "), "{place} {model}: {}", out.stderr);
        matrix(&out.ok()).0.row(0).to_vec()
    };
    let expected = [0.0, -32.0, 2.75, 30.875];
    std::os::unix::fs::symlink("repo/onnx", dir.path().join("away")).unwrap();
    std::os::unix::fs::symlink("repo/onnx/model.onnx", dir.path().join("linked.onnx")).unwrap();
    let absolute = dir.path().join("repo/onnx/model.onnx").display().to_string();
    for (place, model) in [
        ("repo/onnx", "model.onnx"),
        ("repo/onnx", "./model.onnx"),
        ("repo", "onnx/model.onnx"),
        ("repo", "onnx/../onnx/model.onnx"),
        (".", "repo/onnx/model.onnx"),
        ("net", "../repo/onnx/model.onnx"),
        ("net", absolute.as_str()),
        ("away", "model.onnx"),
        (".", "away/model.onnx"),
        (".", "linked.onnx"),
    ] {
        assert_eq!(values(place, model), expected, "{model} in {place}");
    }
}

/// A cache of Hugging Face: what belongs to the model lies beside its link, not beside the blob.
#[test]
fn a_model_in_a_cache_is_followed_by_its_link() {
    let dir = folder();
    for folder in ["cache/blobs", "cache/snapshots/abc/onnx"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    let at = |path: &str| dir.path().join("cache").join(path);
    fs::copy(root().join("testdata/models/tiny.onnx"), at("blobs/1111")).unwrap();
    fs::write(at("blobs/2222"), vit(json!({}))).unwrap();
    std::os::unix::fs::symlink("../../../blobs/1111", at("snapshots/abc/onnx/model.onnx")).unwrap();
    std::os::unix::fs::symlink("../../blobs/2222", at("snapshots/abc/preprocessor_config.json")).unwrap();
    let out = run(dir.path(), "ann-acts cache/snapshots/abc/onnx/model.onnx --layer conv a.ppm");
    let said =
        "taking cache/snapshots/abc/preprocessor_config.json (ViTImageProcessor), which lies above its folder onnx";
    assert!(out.stderr.contains(said), "{}", out.stderr);
    assert_eq!(matrix(&out.ok()).0.row(0).to_vec(), [0.0, -32.0, 2.75, 30.875]);
}

#[test]
fn what_is_taken_without_being_asked_for_is_said_even_when_quiet() {
    let dir = folder();
    let out = run(dir.path(), "ann-acts net/tiny.onnx --layer conv -q a.ppm");
    assert!(out.stderr.contains("warning: no --preprocess given; taking imagenet"), "{}", out.stderr);
    let out = run(dir.path(), "ann-acts net/tiny.onnx --layer conv --preprocess raw255 -q a.ppm");
    assert_eq!(out.stderr, "");
}

/// open_clip's fields: squash to 1 row and 2 columns, which the picture has, then (x / 255 - mean) / std.
#[test]
fn the_files_of_open_clip_and_of_whole_processors_are_followed() {
    let dir = folder();
    let steps = json!({ "size": [1, 2], "mode": "RGB", "mean": [0.5, 0.25, 0.0], "std": [0.5, 0.25, 1.0],
        "interpolation": "bicubic", "resize_mode": "squash", "fill_color": 0 });
    let level = |x: f32, mean: f32, std: f32| f64::from((x / 255.0 - mean) / std);
    let expected = [
        level(10.0, 0.5, 0.5),
        level(0.0, 0.5, 0.5),
        level(20.0, 0.25, 0.25),
        level(128.0, 0.25, 0.25),
        level(30.0, 0.0, 1.0),
        level(255.0, 0.0, 1.0),
    ];
    let file = |name: &str| dir.path().join("net").join(name);
    fs::write(file("preprocess_cfg.json"), steps.to_string()).unwrap();
    let (values, stderr) = input(dir.path(), "-q a.ppm");
    assert_eq!(values.row(0).to_vec(), expected);
    assert!(
        stderr.contains("taking net/preprocess_cfg.json (open_clip), which lies beside the model: resize 1x2 bicubic"),
        "{stderr}"
    );
    let side: Value = serde_json::from_slice(&fs::read(dir.path().join("d.json")).unwrap()).unwrap();
    assert_eq!(
        (&side["preprocessing"]["preset"], &side["preprocessing"]["border"]),
        (&json!("open_clip"), &json!([0, 0, 0]))
    );
    fs::remove_file(file("preprocess_cfg.json")).unwrap();
    let whole = json!({ "model_cfg": { "vision_cfg": { "image_size": [1, 2] } }, "preprocess_cfg": {
        "mean": [0.5, 0.25, 0.0], "std": [0.5, 0.25, 1.0], "resize_mode": "squash" } });
    fs::write(file("open_clip_config.json"), whole.to_string()).unwrap();
    assert_eq!(input(dir.path(), "-q a.ppm").0.row(0).to_vec(), expected);
    // What transformers nests comes first; a processor file without pictures is none.
    fs::write(file("processor_config.json"), r#"{"processor_class": "CLIPProcessor"}"#).unwrap();
    assert_eq!(input(dir.path(), "-q a.ppm").0.row(0).to_vec(), expected);
    let inner: Value = serde_json::from_str(&vit(json!({}))).unwrap();
    fs::write(file("processor_config.json"), json!({ "image_processor": inner, "processor_class": "x" }).to_string())
        .unwrap();
    let (values, stderr) = input(dir.path(), "-q a.ppm");
    assert_eq!(values.row(0).to_vec(), VIT_BY_HAND);
    assert!(
        stderr.contains("net/open_clip_config.json, beside the model, is not followed: resize 1x2 bicubic"),
        "{stderr}"
    );
    assert!(stderr.contains("--preprocess net/open_clip_config.json takes it"), "{stderr}");
    // The same steps in a second file are nothing to say.
    fs::remove_file(file("open_clip_config.json")).unwrap();
    fs::write(file("preprocessor_config.json"), vit(json!({}))).unwrap();
    assert!(!input(dir.path(), "-q a.ppm").1.contains("not followed"));
}

#[test]
fn files_that_look_like_preprocessing_and_are_not_followed_are_named() {
    let dir = folder();
    fs::write(dir.path().join("net/data.json"), r#"{"pixel_mean": [1, 2, 3], "pixel_std": [1, 2, 3]}"#).unwrap();
    fs::write(dir.path().join("net/transforms.yaml"), "mean: 1").unwrap();
    let timm = json!({ "input_size": [3, 2, 2], "interpolation": "bilinear", "crop_pct": 1.0, "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5] });
    fs::write(dir.path().join("net/eval.json"), timm.to_string()).unwrap();
    fs::write(dir.path().join("net/tokenizer.json"), r#"{"model": {}}"#).unwrap();
    let out = run(dir.path(), "ann-acts net/tiny.onnx --layer pool -q a.ppm");
    let lines: Vec<&str> = out.stderr.lines().filter(|line| line.contains("not followed")).collect();
    assert_eq!(lines.len(), 3, "{}", out.stderr);
    assert!(
        lines[0].contains("net/data.json, beside the model, looks like preprocessing and is not followed: neither")
    );
    assert!(lines[1].contains("net/eval.json, beside the model, is not followed: resize 2 bilinear"), "{}", lines[1]);
    assert!(lines[2].contains("net/transforms.yaml") && lines[2].contains("it is not JSON"));
    // Who names the steps is not told of files.
    assert_eq!(run(dir.path(), "ann-acts net/tiny.onnx --layer pool --preprocess raw255 -q a.ppm").stderr, "");
    // A sidecar of ours holds a mean and a std too, and says nothing of the pictures to come.
    run(dir.path(), "ann-acts net/tiny.onnx --layer pool --preprocess imagenet -q a.ppm -o net/acts.npy").ok();
    assert!(fs::read_to_string(dir.path().join("net/acts.json")).unwrap().contains("\"std\""));
    assert!(!run(dir.path(), "ann-acts net/tiny.onnx --layer pool -q a.ppm").stderr.contains("acts.json"));
    run(dir.path(), "ann-acts net/tiny.onnx --layer pool --preprocess net/eval.json a.ppm").ok();
}
