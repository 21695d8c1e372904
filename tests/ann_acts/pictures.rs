//! `ann-acts` and the files that it is given: pixels equal to Pillow's, what is said of them, and what is no picture.
//!
//! The pictures and what Pillow makes of them are in testdata/golden/odd-pictures.json
//! (scripts/golden/odd_pictures.py).

use ndarray::Array2;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use support::*;

fn model(name: &str) -> String {
    root().join(format!("testdata/models/{name}.onnx")).display().to_string()
}

/// What the network got of one picture, its rows one behind the other, and what stderr said.
#[track_caller]
fn input(dir: &Path, network: &str, options: &str) -> (Vec<f64>, String) {
    let (rows, stderr) = inputs(dir, network, options);
    (rows.row(0).to_vec(), stderr)
}

/// The same of several pictures, one row each.
#[track_caller]
fn inputs(dir: &Path, network: &str, options: &str) -> (Array2<f64>, String) {
    let layer = if network == "tiny" { "pool" } else { "mean" };
    let line = format!("ann-acts {} --preprocess raw255 --layer {layer} --dump-input d.npy {options}", model(network));
    let out = run(dir, &line);
    let stderr = out.stderr.clone();
    out.ok();
    (matrix(&fs::read(dir.join("d.npy")).unwrap()).0, stderr)
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().as_bytes();
    text.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Planes of red, green and blue one behind the other, as the network gets them.
fn planes(rgb: &[u8]) -> Vec<f64> {
    (0..3).flat_map(|colour| rgb.iter().skip(colour).step_by(3).map(|&v| f64::from(v))).collect()
}

fn odd_pictures() -> Vec<Value> {
    let text = fs::read(root().join("testdata/golden/odd-pictures.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn write_picture(dir: &Path, name: &str, width: usize, pixels: &[[u8; 3]]) {
    let mut bytes = format!("P6 {width} {} 255\n", pixels.len() / width).into_bytes();
    bytes.extend(pixels.as_flattened());
    fs::write(dir.join(name), bytes).unwrap();
}

#[test]
fn every_odd_picture_equals_pillows() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = odd_pictures();
    assert!(pictures.len() > 90, "{}", pictures.len());
    // Those of one size in one run.
    let mut sizes: BTreeMap<[u64; 2], Vec<&Value>> = BTreeMap::new();
    for picture in &pictures {
        fs::write(dir.path().join(picture["name"].as_str().unwrap()), hex(&picture["file"])).unwrap();
        sizes.entry(["height", "width"].map(|side| picture[side].as_u64().unwrap())).or_default().push(picture);
    }
    for alike in sizes.values() {
        let names: Vec<&str> = alike.iter().map(|picture| picture["name"].as_str().unwrap()).collect();
        let n = names.len();
        let options = format!("--grey16 clip --bad-image keep {}", names.join(" "));
        let (rows, stderr) = inputs(dir.path(), "tiny", &options);
        for (row, picture) in rows.rows().into_iter().zip(alike) {
            assert_eq!(row.to_vec(), planes(&hex(&picture["rgb"])), "{}", picture["name"]);
        }
        for (field, said) in
            [("transparent", "are transparent in places"), ("corrupt", "which were taken as it left them")]
        {
            let met = alike.iter().filter(|picture| picture[field] == true).count();
            assert_eq!(stderr.contains(said), met > 0, "{stderr}");
            assert!(met == 0 || stderr.contains(&format!("{met} of {n} pictures")), "{met} {field}: {stderr}");
        }
        for network in ["grey", "grey-nhwc"] {
            let (rows, _) = inputs(dir.path(), network, &options);
            for (row, picture) in rows.rows().into_iter().zip(alike) {
                let grey: Vec<f64> = hex(&picture["grey"]).into_iter().map(f64::from).collect();
                assert_eq!(row.to_vec(), grey, "{} as {network}", picture["name"]);
            }
        }
    }
}

#[test]
fn transparent_pixels_show_the_background_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut n = 0;
    for picture in odd_pictures().iter().filter(|picture| picture["transparent"] == true) {
        let name = picture["name"].as_str().unwrap();
        fs::write(dir.path().join(name), hex(&picture["file"])).unwrap();
        let (rgb, stderr) = input(dir.path(), "tiny", &format!("--background 10,128,200 -q {name}"));
        assert_eq!(rgb, planes(&hex(&picture["on"])), "{name}");
        assert!(stderr.contains("they were laid on 10,128,200"), "{stderr}");
        n += 1;
    }
    assert!(n >= 12, "{n}");
    let side: Value = serde_json::from_slice(&fs::read(dir.path().join("d.json")).unwrap()).unwrap();
    assert_eq!(
        (&side["reading"]["background"], &side["pictures"]),
        (&json!([10, 128, 200]), &json!({ "transparent": 1 }))
    );
    let line = format!("ann-acts {} --preprocess raw255 --layer pool x.png --background", model("tiny"));
    for bad in ["300", "1,2", "white"] {
        run(dir.path(), &format!("{line} {bad}")).fails(2, &["red,green,blue from 0 to 255"]);
    }
}

/// Two cut-outs that look alike and have other colours under the transparency: the count is what tells.
#[test]
fn what_lies_under_transparency_is_counted_even_when_quiet() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = root().join("testdata/pictures");
    for name in ["alpha.png", "transparent.gif", "colour.png"] {
        fs::copy(pictures.join(name), dir.path().join(name)).unwrap();
    }
    let line = format!("ann-acts {} --preprocess raw255 --crop 8 --layer pool -q -o o.npy", model("tiny"));
    let out = run(dir.path(), &format!("{line} alpha.png transparent.gif colour.png"));
    assert!(
        out.stderr.contains("warning: 2 of 3 pictures are transparent in places; the colours stored"),
        "{}",
        out.stderr
    );
    out.ok();
    let none = run(dir.path(), &format!("{line} colour.png"));
    assert_eq!(none.stderr, "");
    none.ok();
}

#[test]
fn orientations_that_are_not_applied_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["exif-1.jpg", "exif-6.jpg", "exif-8.png", "exif-3.webp", "exif-6.tif"] {
        fs::copy(root().join("testdata/pictures").join(name), dir.path().join(name)).unwrap();
    }
    let line = format!("ann-acts {} --preprocess raw255 --crop 8 --layer pool -q .", model("tiny"));
    let out = run(dir.path(), &line);
    assert!(out.stderr.contains("warning: 3 of 5 pictures state an EXIF orientation"), "{}", out.stderr);
    out.ok();
    let turned = run(dir.path(), &format!("{line} --exif"));
    assert!(!turned.stderr.contains("EXIF"), "{}", turned.stderr);
    turned.ok();
}

/// Pillow passes these without a word; a file that is cut off it refuses, and so is it here whatever is asked.
#[test]
fn corrupt_jpegs_stop_or_are_nan_or_kept_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = odd_pictures();
    let file = |name: &str| hex(&pictures.iter().find(|picture| picture["name"] == name).unwrap()["file"]);
    let damaged = file("end-420.jpg");
    fs::write(dir.path().join("1.jpg"), &damaged).unwrap();
    fs::write(dir.path().join("2.jpg"), file("stuffed-420.jpg")).unwrap();
    fs::write(dir.path().join("3.jpg"), file("restart.jpg")).unwrap();
    write_picture(dir.path(), "4.ppm", 32, &[[1, 2, 3]; 24 * 32]);
    let line = format!("ann-acts {} --preprocess raw255 --layer pool", model("tiny"));
    let out = run(dir.path(), &format!("{line} -o o.npy 4.ppm 1.jpg"));
    let said = [
        "1.jpg: damaged picture: libjpeg says \"Corrupt JPEG data: premature end of data segment\"",
        "--bad-image keep",
    ];
    out.fails(1, &said);
    assert!(!dir.path().join("o.npy").exists());
    run(dir.path(), &format!("{line} 2.jpg")).fails(1, &["extraneous bytes before marker 0xd9"]);
    run(dir.path(), &format!("{line} 3.jpg")).fails(1, &["found marker 0xd6 instead of RST1"]);
    let nan = run(dir.path(), &format!("{line} --bad-image nan 1.jpg 2.jpg 3.jpg 4.ppm"));
    assert!(nan.stderr.contains("3 of 4 pictures cannot be decoded; their rows are NaN"), "{}", nan.stderr);
    let rows = matrix(&nan.ok()).0;
    assert!(rows.rows().into_iter().take(3).all(|row| row.iter().all(|v| v.is_nan())) && !rows[[3, 0]].is_nan());
    let keep = run(dir.path(), &format!("{line} --bad-image keep -q -o o.npy 1.jpg 2.jpg 3.jpg 4.ppm"));
    assert!(
        keep.stderr.contains("about 3 of 4 pictures, which were taken as it left them; the first: 1.jpg: Corrupt"),
        "{}",
        keep.stderr
    );
    keep.ok();
    let side: Value = serde_json::from_slice(&fs::read(dir.path().join("o.json")).unwrap()).unwrap();
    assert_eq!((&side["pictures"]["jpeg_warnings"], &side["reading"]["bad_image"]), (&json!(3), &json!("keep")));
    // A file that ends early, be it by its end mark alone.
    let whole = fs::read(root().join("testdata/pictures/colour-420.jpg")).unwrap();
    for cut in [2, whole.len() / 3] {
        fs::write(dir.path().join("cut.jpg"), &whole[..whole.len() - cut]).unwrap();
        run(dir.path(), &format!("{line} --bad-image keep cut.jpg"))
            .fails(1, &["cut.jpg: damaged picture: the file ends too early"]);
    }
    // A revision of JFIF that nobody knows: said, no damage.
    let mut revision = whole.clone();
    revision[11] = 7;
    fs::write(dir.path().join("r.jpg"), revision).unwrap();
    let out = run(dir.path(), &format!("{line} r.jpg"));
    assert!(out.stderr.contains("unknown JFIF revision number 7"), "{}", out.stderr);
    out.ok();
}

#[test]
fn one_channel_takes_one_mean() {
    let dir = tempfile::tempdir().unwrap();
    write_picture(dir.path(), "a.ppm", 2, &[[255, 0, 0], [10, 10, 10]]);
    let line = |rest: &str| format!("ann-acts {} --layer mean --dump-input d.npy {rest} a.ppm", model("grey"));
    run(dir.path(), &line("--preprocess raw01 --mean 0.25 --std 0.5")).ok();
    let (values, _) = matrix(&fs::read(dir.path().join("d.npy")).unwrap());
    let level = |x: f32| f64::from((x / 255.0 - 0.25) / 0.5);
    assert_eq!(values.row(0).to_vec(), [level(76.0), level(10.0)]);
    for rest in ["", "--preprocess clip", "--preprocess raw01 --mean 0.1,0.2,0.3", "--preprocess raw01 --std 1,1,2"] {
        run(dir.path(), &line(rest)).fails(1, &["grey.onnx: the network takes 1 channel (grey)", "--mean M --std S"]);
    }
    run(dir.path(), &line("--preprocess raw01 --color bgr")).fails(1, &["no order of colours"]);
    // A configuration for one channel is followed for such a network alone.
    let config = json!({ "image_processor_type": "ViTImageProcessor", "do_resize": false, "image_mean": [0.5],
        "image_std": [0.25] });
    fs::write(dir.path().join("c.json"), config.to_string()).unwrap();
    run(dir.path(), &line("--preprocess c.json")).ok();
    let (values, _) = matrix(&fs::read(dir.path().join("d.npy")).unwrap());
    let level = |x: f64| f64::from(((x * (1.0 / 255.0)) as f32 - 0.5) / 0.25);
    assert_eq!(values.row(0).to_vec(), [level(76.0), level(10.0)]);
    let colour = format!("ann-acts {} --layer pool --preprocess c.json a.ppm", model("tiny"));
    run(dir.path(), &colour).fails(1, &["for pictures of 1 channel (grey), the network takes 3"]);
    // --doctor leaves out what has a mean for each colour.
    let doctor = format!("ann-acts {} --doctor --preprocess raw01 --resize 4x4 a.ppm", model("grey"));
    let table = rows(&run(dir.path(), &doctor).text());
    assert!(table.len() > 12 && table.iter().all(|row| row["normalization"] != "imagenet" && row["color"] == "rgb"));
}

#[test]
fn each_folder_is_searched_once_whatever_links_there_are() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["p/sub/deep", "p/zoo", "pool/inner"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    for name in ["p/a.ppm", "p/sub/b.ppm", "p/sub/deep/c.ppm", "p/zoo/z.ppm", "pool/x.ppm", "pool/inner/y.ppm"] {
        write_picture(dir.path(), name, 1, &[[1, 2, 3]]);
    }
    let link = |to: &str, from: &str| symlink(to, dir.path().join(from)).unwrap();
    link(".", "p/self");
    link("..", "p/sub/parent");
    link("sub", "p/again");
    link("../pool", "p/one");
    link("../pool", "p/two");
    link("../pool/inner", "p/early");
    link("a.ppm", "p/same.ppm");
    let out = run(dir.path(), &format!("ann-acts {} --preprocess raw255 --layer pool p", model("tiny")));
    assert!(out.stderr.contains("p: 7 pictures"), "{}", out.stderr);
    assert!(out.stderr.contains("warning: p: 4 links lead to folders that were searched already"), "{}", out.stderr);
    let labels = matrix(&out.ok()).1.unwrap();
    // A link that comes first finds the inner folder; the pool's own name for it is a real folder met later.
    assert_eq!(labels, ["a.ppm", "early/y.ppm", "one/x.ppm", "same.ppm", "sub/b.ppm", "sub/deep/c.ppm", "zoo/z.ppm"]);
    fs::write(dir.path().join("p/notes.txt"), "").unwrap();
    fs::write(dir.path().join("p/x.AVIF"), "").unwrap();
    let out = run(dir.path(), &format!("ann-acts {} --preprocess raw255 --layer pool p", model("tiny")));
    assert!(out.stderr.contains("other files left out, by their ending: .avif 1, .txt 1"), "{}", out.stderr);
}

#[test]
fn names_in_any_script_are_ids_and_other_bytes_are_spelt() {
    let dir = tempfile::tempdir().unwrap();
    let p = dir.path().join("p");
    fs::create_dir(&p).unwrap();
    // A composed and a decomposed e with an acute accent are two names.
    let names = ["顔 1.ppm", "\u{e9}.ppm", "e\u{301}.ppm", "бук.ppm", "😀.ppm", "صورة.ppm"];
    for name in names {
        write_picture(&p, name, 1, &[[1, 2, 3]]);
    }
    let line = format!("ann-acts {} --preprocess raw255 --layer pool", model("tiny"));
    let mut sorted = names.map(String::from).to_vec();
    sorted.sort();
    assert_eq!(matrix(&run(dir.path(), &format!("{line} p")).ok()).1.unwrap(), sorted);
    let table = format!("stimulus,path\n{}", names.map(|name| format!("{name}の,p/{name}\n")).concat());
    fs::write(dir.path().join("t.csv"), table).unwrap();
    let ids = matrix(&run(dir.path(), &format!("{line} t.csv")).ok()).1.unwrap();
    assert_eq!(ids, names.map(|name| format!("{name}の")));
    let latin = std::ffi::OsStr::from_bytes(b"caf\xe9.ppm");
    if fs::copy(p.join(names[0]), p.join(latin)).is_ok() {
        let out = run(dir.path(), &format!("{line} p"));
        assert!(
            out.stderr.contains("1 of 7 paths are not UTF-8") && out.stderr.contains("caf\\xE9.ppm"),
            "{}",
            out.stderr
        );
        assert!(matrix(&out.ok()).1.unwrap().contains(&"caf\\xE9.ppm".to_string()));
    }
}

#[test]
fn what_is_no_picture_is_named_with_what_helps() {
    let dir = tempfile::tempdir().unwrap();
    let line = format!("ann-acts {} --preprocess raw255 --layer pool", model("tiny"));
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 1234\n";
    let palette_tiff = {
        // One pixel of index 0: width, height, 8 bits, no compression, palette, strip, 1 row, 1 byte, colours.
        let entries: [[u32; 4]; 9] = [
            [256, 3, 1, 1],
            [257, 3, 1, 1],
            [258, 3, 1, 8],
            [259, 3, 1, 1],
            [262, 3, 1, 3],
            [273, 4, 1, 130],
            [278, 3, 1, 1],
            [279, 4, 1, 1],
            [320, 3, 768, 132],
        ];
        let mut bytes = b"II*\0\x08\0\0\0\x09\0".to_vec();
        for [tag, kind, n, value] in entries {
            bytes.extend((tag as u16).to_le_bytes());
            bytes.extend((kind as u16).to_le_bytes());
            bytes.extend(n.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        bytes.resize(132 + 768 * 2, 0);
        bytes
    };
    let png = fs::read(root().join("testdata/pictures/colour.png")).unwrap();
    for (bytes, said) in [
        (lfs.as_bytes(), "x.png: not a picture: a Git LFS pointer, not the data; fetch the data with `git lfs pull`"),
        (b"<!DOCTYPE html>\n<html>", "x.png: not a picture: a web page (HTML), not the data; it is what a server sent"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "x.png: not supported: an AVIF picture; convert it to PNG: avifdec"),
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "x.png: not supported: a HEIC picture; convert it to PNG: heif-convert",
        ),
        (b"%PDF-1.7", "x.png: not a picture: a PDF document; take its pictures out with pdfimages"),
        (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "x.png: not supported: an SVG drawing; draw it as PNG"),
        (b"\x93NUMPY\x01\0", "x.png: not a picture: a NumPy array"),
        (b"hello", "x.png: not a picture: a text file"),
        (b"", "x.png: the file is empty"),
        (&palette_tiff, "x.png: not supported: "),
        (b"P9\x00\x01\x02", "x.png: not a picture that can be read (it starts 50 39"),
        (&png[..40], "x.png: damaged picture: "),
        (&png[..png.len() / 2], "x.png: damaged picture: "),
    ] {
        fs::write(dir.path().join("x.png"), bytes).unwrap();
        run(dir.path(), &format!("{line} x.png")).fails(1, &[said]);
    }
}

/// Cut off at every place, a picture of any format is damaged, by whatever name.
#[test]
fn cut_pictures_are_damaged_wherever_the_cut_is() {
    let dir = tempfile::tempdir().unwrap();
    let line = format!("ann-acts {} --preprocess raw255 --layer pool", model("tiny"));
    for name in [
        "colour-444.jpg",
        "colour.png",
        "colour.gif",
        "colour.bmp",
        "lossy.webp",
        "lossless.webp",
        "lzw.tif",
        "colour.ppm",
    ] {
        let whole = fs::read(root().join("testdata/pictures").join(name)).unwrap();
        for part in [16, 40, whole.len() / 4, whole.len() / 2, whole.len() * 9 / 10] {
            fs::write(dir.path().join("cut"), &whole[..part]).unwrap();
            let out = run(dir.path(), &format!("{line} cut"));
            assert!(out.stderr.contains("cut: damaged picture: "), "{name} cut to {part}: {}", out.stderr);
            out.fails(1, &[]);
        }
    }
}

#[test]
fn what_is_no_network_or_table_is_named() {
    let dir = tempfile::tempdir().unwrap();
    write_picture(dir.path(), "a.ppm", 1, &[[1, 2, 3]]);
    for (bytes, said) in [
        (
            b"version https://git-lfs.github.com/spec/v1\n".as_slice(),
            "not a network: a Git LFS pointer, not the data; fetch the data with `git lfs pull`",
        ),
        (b"PK\x03\x04\0\0\0\0model/data.pkl", "not a network: a PyTorch file (.pt, .pth); export the network to ONNX"),
        (b"\x80\x02}q\0", "not a network: a Python pickle; export"),
        (b"\x10\0\0\0\0\0\0\0{\"w\":{\"dtype\":", "not a network: a safetensors file of weights; export"),
        (b"<html>", "not a network: a web page (HTML)"),
        (b"\x89HDF\r\n\x1a\n", "not a network: an HDF5 file"),
        (b"\x20\0\0\0TFL3", "not supported: a TensorFlow Lite network; make ONNX of it"),
        (b"\xff\xd8\xff\xe0", "not a network: a picture; the network comes first"),
        (b"", "the file is empty"),
    ] {
        fs::write(dir.path().join("m.onnx"), bytes).unwrap();
        for line in ["ann-acts m.onnx --layer x --preprocess raw255 a.ppm", "ann-acts m.onnx --list-layers"] {
            run(dir.path(), line).fails(1, &[&format!("m.onnx: {said}")]);
        }
    }
    let line = format!("ann-acts {} --layer pool --preprocess raw255 t.csv", model("tiny"));
    for (bytes, said) in [
        (b"version https://git-lfs.github.com/spec/v1\n".as_slice(), "t.csv: not a table: a Git LFS pointer"),
        (b"PK\x03\x04\0\0\0\0[Content_Types].xml", "t.csv: not a table: an Excel workbook (.xlsx); save it as CSV"),
        (b"<!doctype html>", "t.csv: not a table: a web page (HTML)"),
        (b"", "t.csv: the file is empty"),
    ] {
        fs::write(dir.path().join("t.csv"), bytes).unwrap();
        run(dir.path(), &line).fails(1, &[said]);
    }
}
