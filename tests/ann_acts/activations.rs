//! `ann-acts` itself, on the tiny networks of testdata/models and pictures made here.
//!
//! `tiny.onnx`: conv = (R - G, B - 1), relu, pool = their means over the picture, logits = (sum, difference) of pool.

use ndarray::{Array2, array};
use serde_json::Value;
use std::fs;
use std::path::Path;
use support::*;

const TINY: &str = "ann-acts MODELS/tiny.onnx --preprocess raw255";

/// A line with the place of the test models in it.
fn with_models(line: &str) -> String {
    line.replace("MODELS", &root().join("testdata/models").display().to_string())
}

#[track_caller]
fn acts(dir: &Path, line: &str) -> Outcome {
    run(dir, &with_models(line))
}

/// A PPM picture of these pixels.
fn picture(path: &Path, width: usize, pixels: &[[u8; 3]]) {
    let mut bytes = format!("P6 {width} {} 255\n", pixels.len() / width).into_bytes();
    bytes.extend(pixels.as_flattened());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Three pictures of two pixels and a table that names them in another order than their files sort in.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    picture(&dir.path().join("p/a.ppm"), 2, &[[10, 4, 3], [20, 30, 0]]);
    picture(&dir.path().join("p/b.ppm"), 2, &[[9, 0, 1], [5, 0, 1]]);
    picture(&dir.path().join("p/sub/c.ppm"), 2, &[[0, 0, 201], [0, 0, 101]]);
    fs::write(dir.path().join("s.csv"), "path,stimulus,kind\np/sub/c.ppm,sea,x\np/a.ppm,apple,y\np/b.ppm,bear,y\n")
        .unwrap();
    dir
}

/// (mean of max(R - G, 0), mean of max(B - 1, 0)) of a, b and c.
fn pool_by_hand() -> Array2<f64> {
    array![[3.0, 1.0], [7.0, 0.0], [0.0, 150.0]]
}

fn labels(text: &str) -> Option<Vec<String>> {
    Some(text.split(' ').map(String::from).collect())
}

#[test]
fn lists_every_tensor_with_shape_units_and_kind() {
    let dir = tempfile::tempdir().unwrap();
    let expected = "index,layer,module,node,op,shape,n_units,dtype\n\
                    0,conv,features.conv,/features/conv/Conv,Conv,Nx2x?x?,,f4\n\
                    1,relu,features.relu,/features/relu/Relu,Relu,Nx2x?x?,,f4\n\
                    2,average,,,GlobalAveragePool,Nx2x1x1,2,f4\n3,pool,,,Flatten,Nx2,2,f4\n\
                    4,logits,,,MatMul,Nx2,2,f4\n";
    assert_eq!(acts(dir.path(), "ann-acts MODELS/tiny.onnx --list-layers").text(), expected);
    assert_eq!(acts(dir.path(), "ann-acts MODELS/tiny.onnx --list-layers").stderr, "");
    let tokens = rows(&acts(dir.path(), "ann-acts MODELS/tokens.onnx --list-layers --all").text());
    assert_eq!((tokens[2]["layer"].as_str(), tokens[2]["dtype"].as_str()), ("shape", "i8"));
    assert_eq!((tokens[0]["n_units"].as_str(), tokens[3]["n_units"].as_str()), ("6", ""));
}

/// `batch-vit`: Shape -> Gather -> Concat -> Expand of a class token; `lpconv-unfolded`: 18 tensors of weights;
/// `batch-random`: random numbers, which no picture changes either.
#[test]
fn the_listing_leaves_out_what_no_picture_changes_unless_all_is_asked_for() {
    let dir = folder();
    for (model, left_out) in [
        ("batch-vit", &["s", "n", "to", "classes"][..]),
        ("layers-dynamo", &["shape_6", "gather_7", "unsqueeze_8", "concat_9"]),
        ("layers-renames", &["shape"]),
        ("batch-random", &[]),
    ] {
        let listed = acts(dir.path(), &format!("ann-acts MODELS/{model}.onnx --list-layers"));
        let all = rows(&acts(dir.path(), &format!("ann-acts MODELS/{model}.onnx --list-layers --all")).text());
        let said = format!("{} of {} tensors left out, constants and shape arithmetic", left_out.len(), all.len());
        assert_eq!(listed.stderr.contains(&said), !left_out.is_empty(), "{}", listed.stderr);
        let expected: Vec<&Row> = all.iter().filter(|row| !left_out.contains(&row["layer"].as_str())).collect();
        assert_eq!(expected.len() + left_out.len(), all.len(), "{model}");
        assert_eq!(rows(&listed.text()).iter().collect::<Vec<_>>(), expected, "{model}");
    }
    // The index of what stands behind them is still an address.
    let listed = rows(&acts(dir.path(), "ann-acts MODELS/layers-dynamo.onnx --list-layers").text());
    let last = &listed[listed.len() - 1];
    assert_eq!((listed.len(), last["index"].as_str()), (7, "10"));
    let line = "ann-acts MODELS/layers-dynamo.onnx --preprocess raw255 --resize 4x4 p";
    let by_index = acts(dir.path(), &format!("{line} --layer {}", last["index"])).ok();
    assert_eq!(by_index, acts(dir.path(), &format!("{line} --layer {}", last["layer"])).ok());
    for run in ["--layer pool p", "--layers-from l.txt p", "--doctor p", "p"] {
        acts(dir.path(), &format!("ann-acts MODELS/tiny.onnx --all {run}")).fails(2, &["--all"]);
    }
}

#[test]
fn activations_and_labels_are_those_worked_out_by_hand() {
    let dir = folder();
    let (pool, names) = matrix(&acts(dir.path(), &format!("{TINY} --layer pool p/a.ppm p/b.ppm p/sub/c.ppm")).ok());
    assert_eq!(pool, pool_by_hand());
    assert_eq!(names, labels("p/a.ppm p/b.ppm p/sub/c.ppm"));
    let (logits, _) = matrix(&acts(dir.path(), &format!("{TINY} --layer logits p/a.ppm p/b.ppm p/sub/c.ppm")).ok());
    assert_eq!(logits, array![[4.0, 2.0], [7.0, 7.0], [150.0, -150.0]]);
    // Flattened in C order: channel, row, column.
    let (conv, _) = matrix(&acts(dir.path(), &format!("{TINY} --layer conv p/a.ppm")).ok());
    assert_eq!(conv, array![[6.0, -10.0, 2.0, -1.0]]);
    let (bgr, _) = matrix(&acts(dir.path(), &format!("{TINY} --color bgr --layer conv p/a.ppm")).ok());
    assert_eq!(bgr, array![[-1.0, -30.0, 9.0, 19.0]]);
    let line = "ann-acts MODELS/tiny.onnx --preprocess raw255 --mean 4,2,1 --std 2,1,4 --layer conv p/a.ppm";
    // R: 3, 8; G: 2, 28; B: .5, -.25.
    assert_eq!(matrix(&acts(dir.path(), line).ok()).0, array![[1.0, -20.0, -0.5, -1.25]]);
}

#[test]
fn stimuli_come_in_the_order_of_table_list_or_folder() {
    let dir = folder();
    let select = |rows: &[usize]| pool_by_hand().select(ndarray::Axis(0), rows);
    let table = acts(dir.path(), &format!("{TINY} --layer pool s.csv")).ok();
    assert_eq!(matrix(&table), (select(&[2, 0, 1]), labels("sea apple bear")));
    // From elsewhere: paths are relative to the table.
    let elsewhere = acts(&dir.path().join("p/sub"), &format!("{TINY} --layer pool ../../s.csv")).ok();
    assert_eq!(elsewhere, table);
    let sorted = acts(dir.path(), &format!("{TINY} --layer pool p"));
    assert!(sorted.stderr.contains("p: 3 pictures, sorted by path"), "{}", sorted.stderr);
    assert_eq!(matrix(&sorted.ok()), (select(&[0, 1, 2]), labels("a.ppm b.ppm sub/c.ppm")));
    let line = with_models(&format!("{TINY} --layer pool -"));
    let lines = pipe(dir.path(), &line, b"p/b.ppm\np/a.ppm\r\n\np/b.ppm\n").ok();
    assert_eq!(matrix(&lines), (select(&[1, 0, 1]), labels("p/b.ppm p/a.ppm p/b.ppm")));
    let line = with_models(&format!("{TINY} --layer pool -0 -"));
    assert_eq!(matrix(&pipe(dir.path(), &line, b"p/b.ppm\0p/a.ppm\0").ok()).0, select(&[1, 0]));
}

#[test]
fn several_layers_leave_one_pass_as_a_stream_or_as_files() {
    let dir = folder();
    let stream =
        acts(dir.path(), &format!("{TINY} --layer pool --layer /features/*/Conv --layer conv --layer re?u s.csv"));
    let stream = stream.ok();
    let shapes: Vec<Vec<usize>> = arrays(&stream).into_iter().map(|a| a.shape).collect();
    assert_eq!(shapes, [[3, 2], [3, 4], [3, 4]], "pool, conv (met twice, given once), relu");
    assert!(arrays(&stream).iter().all(|a| a.labels.ids == labels("sea apple bear")));
    let one_by_one: Vec<u8> = ["pool", "conv", "relu"]
        .iter()
        .flat_map(|layer| acts(dir.path(), &format!("{TINY} --layer {layer} s.csv")).ok())
        .collect();
    assert_eq!(stream, one_by_one);
    acts(dir.path(), &format!("{TINY} --layer pool --layer conv --layer relu --out-dir deep/acts s.csv")).ok();
    let file = |name: &str| fs::read(dir.path().join("deep/acts").join(name)).unwrap();
    assert_eq!([file("pool.npy"), file("conv.npy"), file("relu.npy")].concat(), stream);
    let side: Value = serde_json::from_slice(&file("conv.json")).unwrap();
    assert_eq!((side["layer"]["name"].as_str(), side["layer"]["n_units"].as_u64()), (Some("conv"), Some(4)));
    assert_eq!(fs::read_dir(dir.path().join("deep/acts")).unwrap().count(), 6);
}

#[test]
fn batch_size_and_threads_do_not_change_a_byte() {
    let dir = folder();
    let expected = acts(dir.path(), &format!("{TINY} --layer relu s.csv")).ok();
    for options in ["--batch 1", "--batch 2", "--batch 3 --threads 1", "--threads 4", "--batch 1 --threads 3"] {
        assert_eq!(acts(dir.path(), &format!("{TINY} {options} --layer relu s.csv")).ok(), expected, "{options}");
    }
    acts(dir.path(), &format!("{TINY} --layer relu -o out.npy s.csv")).ok();
    assert_eq!(fs::read(dir.path().join("out.npy")).unwrap(), expected);
}

/// Mean colours, exact in every number format: networks differ in layout, batch and kind of number.
#[test]
fn layouts_fixed_batches_bytes_and_half_floats_give_the_same_means() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..5u8 {
        picture(&dir.path().join(format!("p/{i}.ppm")), 2, &[[i, 0, 8], [i, 16, 8], [i, 32, 8], [i, 16, 4]]);
    }
    let expected = Array2::from_shape_fn((5, 3), |(i, c)| [i as f64, 16.0, 7.0][c]);
    for (model, note) in [
        ("nhwc", ""),
        ("pairs", "takes batches of 2; --batch 3 not used"),
        ("single", "takes batches of 1; --batch 3 not used"),
        ("bytes", ""),
        ("half", ""),
    ] {
        let line = format!("ann-acts MODELS/{model}.onnx --preprocess raw255 --layer mean --batch 3 p");
        let out = acts(dir.path(), &line);
        assert!(out.stderr.contains(note), "{model}: {}", out.stderr);
        let dump = acts(dir.path(), &format!("{line} --dump-input d.npy -q"));
        assert_eq!(dump.ok(), out.stdout);
        assert_eq!(matrix(&out.ok()).0, expected, "{model}");
        let (input, _) = matrix(&fs::read(dir.path().join("d.npy")).unwrap());
        assert_eq!(input.dim(), (5, 12));
        assert_eq!(input[[3, if model == "nhwc" { 4 } else { 5 }]], 16.0, "{model}: green of the second pixel");
    }
}

#[test]
fn the_axis_that_counts_pictures_is_found_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..3u8 {
        picture(&dir.path().join(format!("p/{i}.ppm")), 2, &[[i, 1, 2], [i, 3, 4], [10, 20, 30], [12, 24, 36]]);
    }
    // Per colour, the means of both rows; tokens holds them colour by colour, pictures in between.
    let expected = Array2::from_shape_fn((3, 6), |(i, j)| [i as f64, 11.0, 2.0, 22.0, 3.0, 33.0][j]);
    let line = "ann-acts MODELS/tokens.onnx --preprocess raw255";
    assert_eq!(matrix(&acts(dir.path(), &format!("{line} --layer tokens p")).ok()).0, expected);
    let all = acts(dir.path(), &format!("{line} --layer * p"));
    assert!(all.stderr.contains("2 of 4 tensors left out: layer \"shape\" holds i8"), "{}", all.stderr);
    assert_eq!(arrays(&all.ok()).len(), 2);
    acts(dir.path(), &format!("{line} --layer over_pictures p")).fails(1, &["\"over_pictures\" (3x2) has no axis"]);
    acts(dir.path(), &format!("{line} --layer shape p")).fails(1, &["\"shape\" holds i8"]);
}

/// Every picture of testdata/golden/pictures, through the tool, against Pillow.
#[test]
fn pictures_are_decoded_resized_and_cropped_as_pillow_does() {
    let dir = tempfile::tempdir().unwrap();
    let mut n_equal = 0;
    for entry in fs::read_dir(root().join("testdata/golden/pictures")).unwrap() {
        let golden = entry.unwrap().path();
        let stem = golden.file_stem().unwrap().to_str().unwrap().to_string();
        let (name, what) = stem.rsplit_once('.').unwrap();
        let steps = match what.split('-').collect::<Vec<_>>()[..] {
            ["rgb"] => String::new(),
            [kernel, size] => {
                let (width, height) = size.split_once('x').unwrap();
                format!("--interpolation {kernel} --resize {height}x{width}")
            }
            [kernel, short, crop] => {
                format!(
                    "--interpolation {kernel} --resize {} --crop {}",
                    &short["short".len()..],
                    &crop["crop".len()..]
                )
            }
            _ => continue, // the 16-bit values of grey16.png, below
        };
        if name == "grey16.png" {
            continue;
        }
        let source = root().join("testdata/pictures").join(name);
        acts(dir.path(), &format!("{TINY} {steps} --layer pool --dump-input d.npy -q {}", source.display())).ok();
        let (input, _) = matrix(&fs::read(dir.path().join("d.npy")).unwrap());
        let expected = arrays(&fs::read(&golden).unwrap()).remove(0);
        let [height, width, 3] = expected.shape[..] else { panic!("{stem}: {:?}", expected.shape) };
        let expected = ndarray::Array3::from_shape_vec((height, width, 3), expected.values.into_f64()).unwrap();
        let planes: Vec<f64> = expected.permuted_axes([2, 0, 1]).iter().copied().collect();
        assert_eq!(input.row(0).to_vec(), planes, "{stem}");
        n_equal += 1;
    }
    assert!(n_equal >= 60, "only {n_equal} golden pictures compared");
}

#[test]
fn sixteen_bit_grey_keeps_its_high_byte_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let source = root().join("testdata/pictures/grey16.png");
    let out = acts(dir.path(), &format!("{TINY} --layer pool --dump-input d.npy -q {}", source.display()));
    assert!(out.stderr.contains("1 of 1 pictures are 16-bit grey"), "{}", out.stderr);
    out.ok();
    let (input, _) = matrix(&fs::read(dir.path().join("d.npy")).unwrap());
    let deep = arrays(&fs::read(root().join("testdata/golden/pictures/grey16.png.u16.npy")).unwrap()).remove(0);
    let high: Vec<f64> = deep.values.into_f64().into_iter().map(|v| (v / 256.0).floor()).collect();
    assert_eq!(input.row(0).to_vec(), [high.clone(), high.clone(), high].concat());
}

#[test]
fn a_nan_stays_in_its_place_and_is_reported() {
    let dir = folder();
    let out = acts(dir.path(), "ann-acts MODELS/nan.onnx --preprocess raw255 --layer ratio -q p");
    assert!(out.stderr.contains("layer \"ratio\": 3 values are NaN, in 2 of 3 rows"), "{}", out.stderr);
    let (ratio, _) = matrix(&out.ok());
    let nan: Vec<bool> = ratio.iter().map(|v| v.is_nan()).collect();
    // b has no green; c has neither red nor green.
    assert_eq!(nan, [false, false, false, false, true, false, true, true, false]);
    assert!(ratio.iter().all(|v| v.is_nan() || *v == 1.0));
}

#[test]
fn weights_outside_the_file_are_found_beside_it() {
    let dir = folder();
    let (scaled, _) =
        matrix(&acts(dir.path(), "ann-acts MODELS/external.onnx --preprocess raw255 --layer scaled p/a.ppm").ok());
    assert_eq!(scaled, array![[20.0, 40.0, 12.0, 90.0, 12.0, 0.0]]);
}

#[test]
fn the_sidecar_says_what_made_the_numbers() {
    let dir = folder();
    acts(dir.path(), "ann-acts MODELS/tiny.onnx --preprocess imagenet --resize 2x2 --layer pool -o x.npy s.csv").ok();
    let side: Value = serde_json::from_slice(&fs::read(dir.path().join("x.json")).unwrap()).unwrap();
    let steps = &side["preprocessing"];
    assert_eq!((steps["preset"].as_str(), steps["resize"].as_str()), (Some("imagenet"), Some("2x2")));
    assert_eq!((steps["crop"].as_str(), steps["mean"][0].as_f64()), (Some("none"), Some(0.485)));
    assert_eq!((side["device"].as_str(), side["layers"][0]["name"].as_str()), (Some("cpu"), Some("pool")));
    assert!(side["onnxruntime"].as_str().unwrap().starts_with("1."));
    let sum = |line: &str| sh(dir.path(), line).text().split_whitespace().next().unwrap().to_string();
    let model = sum(&with_models("sha256sum MODELS/tiny.onnx"));
    assert!(side["inputs"].as_array().unwrap().iter().any(|input| input["sha256"] == model.as_str()));
    let pictures = sum(
        "for p in sea:p/sub/c apple:p/a bear:p/b; do sha256sum ${p#*:}.ppm | sed \"s|  .*|  ${p%:*}|\"; done | sha256sum",
    );
    assert_eq!(side["pictures_sha256"], pictures.as_str());
}

#[test]
fn dtype_says_how_wide_the_numbers_are() {
    let dir = folder();
    let sizes = ["f2", "f4", "f8"]
        .map(|dtype| acts(dir.path(), &format!("{TINY} --dtype {dtype} --layer pool s.csv")).ok())
        .map(|bytes| (matrix(&bytes).0, bytes.len()));
    assert!(sizes.iter().all(|(pool, _)| *pool == pool_by_hand().select(ndarray::Axis(0), &[2, 0, 1])));
    assert_eq!((sizes[1].1 - sizes[0].1, sizes[2].1 - sizes[1].1), (12, 24));
}

#[test]
fn a_missing_layer_is_answered_with_its_neighbours_before_any_work() {
    let dir = folder();
    acts(dir.path(), &format!("{TINY} --layer poool s.csv"))
        .fails(1, &["tiny.onnx: no layer \"poool\"; the nearest are \"pool\""]);
    acts(dir.path(), &format!("{TINY} --layer logit* --layer x* s.csv")).fails(1, &["no layer \"x*\""]);
    acts(dir.path(), "ann-acts MODELS/tiny.onnx s.csv").fails(2, &["--layer"]);
    acts(dir.path(), &format!("{TINY} --layer pool")).fails(2, &["IMAGES"]);
    acts(dir.path(), &format!("{TINY} --layer pool --batch 0 s.csv")).fails(2, &["from 1"]);
}

#[test]
fn refuses_pictures_that_are_missing_broken_or_of_different_sizes() {
    let dir = folder();
    fs::write(dir.path().join("gone.csv"), "path\np/a.ppm\np/x.ppm\np/y.ppm\n").unwrap();
    acts(dir.path(), &format!("{TINY} --layer pool gone.csv"))
        .fails(1, &["p/x.ppm: no such picture (2 of 3 are missing)"]);
    fs::write(dir.path().join("cut.ppm"), "P6 2 1 255\nabc").unwrap();
    let line = format!("{TINY} --layer pool --batch 1 -o out.npy p/a.ppm cut.ppm p/b.ppm");
    acts(dir.path(), &line).fails(1, &["cut.ppm: damaged picture"]);
    assert!(!dir.path().join("out.npy").exists() && !dir.path().join("out.json").exists());
    fs::write(dir.path().join("text.jpg"), "hello").unwrap();
    acts(dir.path(), &format!("{TINY} --layer pool text.jpg")).fails(1, &["text.jpg: not a picture: a text file"]);
    picture(&dir.path().join("wide.ppm"), 3, &[[1, 2, 3]; 3]);
    acts(dir.path(), &format!("{TINY} --layer pool p/a.ppm wide.ppm"))
        .fails(1, &["wide.ppm: 1x3 pixels", "1x2", "--resize"]);
    acts(dir.path(), &format!("{TINY} --layer pool p s.csv")).fails(1, &["p: a folder cannot stand among files"]);
    fs::create_dir(dir.path().join("empty")).unwrap();
    acts(dir.path(), &format!("{TINY} --layer pool empty")).fails(1, &["empty: no picture in this folder"]);
    pipe(dir.path(), &with_models(&format!("{TINY} --layer pool -")), b"").fails(1, &["no pictures given"]);
}

#[test]
fn refuses_networks_that_it_cannot_feed_rightly() {
    let dir = folder();
    let with = |model: &str, rest: &str| acts(dir.path(), &format!("ann-acts MODELS/{model}.onnx {rest} s.csv"));
    with("two-inputs", "--preprocess raw255 --layer sum").fails(
        1,
        &["several inputs could take the pictures: pictures (Nx3x2x2 f4), other (Nx3x2x2 f4); name one with --input"],
    );
    with("pairs", "--preprocess raw255 --layer mean").fails(1, &["takes 2x2 pixels, preprocessing makes 1x2"]);
    with("bytes", "--preprocess raw01 --resize 2x2 --layer mean").fails(1, &["use --preprocess raw255"]);
    with("tiny", "--preprocess imagenet --resize 100 --layer pool").fails(1, &["fewer pixels than the 224x224 crop"]);
    with("tiny", "--mean 124,116,104 --layer pool").fails(1, &["mean 124", "raw255"]);
    acts(dir.path(), "ann-acts s.csv --layer pool s.csv").fails(1, &["s.csv: not a network: a text file"]);
    acts(dir.path(), "ann-acts none.onnx --layer pool s.csv").fails(1, &["none.onnx: No such file"]);
}

#[test]
fn says_where_onnx_runtime_is_missing() {
    let dir = folder();
    acts(dir.path(), &format!("{TINY} --layer pool --onnxruntime nowhere.so s.csv"))
        .fails(1, &["nowhere.so: no such file"]);
    let line = format!("{TINY} --layer pool --onnxruntime s.csv s.csv");
    acts(dir.path(), &line).fails(1, &["s.csv: not an ONNX Runtime library", "make setup"]);
    // Alone in a folder, with nothing beside it.
    fs::copy(bin_dir().join("ann-acts"), dir.path().join("alone")).unwrap();
    let alone = sh(dir.path(), &with_models("unset ORT_DYLIB_PATH; ./alone MODELS/tiny.onnx --list-layers"));
    assert_eq!(alone.code, 1);
    assert!(
        alone.stderr.contains("ONNX Runtime is not beside") && alone.stderr.contains("make setup"),
        "{}",
        alone.stderr
    );
    let library = onnxruntime();
    std::os::unix::fs::symlink(&library, dir.path().join("libonnxruntime.so")).unwrap();
    let beside = sh(dir.path(), &with_models("unset ORT_DYLIB_PATH; ./alone MODELS/tiny.onnx --list-layers"));
    assert!(beside.text().starts_with("index,layer"));
}

#[test]
fn a_closed_pipe_is_no_failure_and_a_full_disk_is_one() {
    let dir = folder();
    let line = with_models(&format!("{TINY} --layer relu --layer conv s.csv"));
    assert_eq!(sh(dir.path(), &format!("{line} | head -c 100 | wc -c")).text().trim(), "100");
    let full = sh(dir.path(), &format!("{line} > /dev/full"));
    assert_eq!(full.code, 1);
    assert!(full.stderr.contains("No space left") && !full.stderr.contains("panicked"), "{}", full.stderr);
}

#[test]
fn the_examples_of_the_help_run() {
    let dir = folder();
    fs::copy(root().join("testdata/models/tiny.onnx"), dir.path().join("lite0.onnx")).unwrap();
    fs::copy(dir.path().join("s.csv"), dir.path().join("floc.csv")).unwrap();
    let help = run(dir.path(), "ann-acts --help").text();
    let examples: Vec<&str> =
        help.lines().map(str::trim).filter(|line| line.starts_with("ann-acts lite0.onnx")).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        // The tiny network has other names for its blocks.
        sh(dir.path(), &example.replace("'block_*'", "'re*'")).ok();
    }
    assert!(dir.path().join("pool.npy").exists() && dir.path().join("acts/relu.npy").exists());
}
