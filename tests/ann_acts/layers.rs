//! `ann-acts`: asking for layers in every way, and which networks run, on `testdata/models/layers-*.onnx`.

use ndarray::{Array2, array};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use support::*;

#[track_caller]
fn acts(dir: &Path, line: &str) -> Outcome {
    run(dir, &line.replace("MODELS", &root().join("testdata/models").display().to_string()))
}

/// A PPM picture of these pixels.
fn picture(path: &Path, width: usize, pixels: &[[u8; 3]]) {
    let mut bytes = format!("P6 {width} {} 255\n", pixels.len() / width).into_bytes();
    bytes.extend(pixels.as_flattened());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Three pictures of 2x2 pixels, all different.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..3u8 {
        let pixels = [[i + 1, 10, 7], [i + 2, 20 + i, 5], [4 * i, 0, 9], [30, 40, i]];
        picture(&dir.path().join(format!("p/{i}.ppm")), 2, &pixels);
    }
    dir
}

/// One picture of one pixel, red 5.
fn red(dir: &Path) {
    picture(&dir.join("red.ppm"), 1, &[[5, 6, 7]]);
}

fn line(model: &str, rest: &str) -> String {
    format!("ann-acts MODELS/layers-{model}.onnx --preprocess raw255 {rest}")
}

/// Layer, note and values of one address on the picture of one red pixel.
#[track_caller]
fn ask(model: &str, address: &str) -> (Array2<f64>, String) {
    let dir = tempfile::tempdir().unwrap();
    red(dir.path());
    let out = acts(dir.path(), &line(model, &format!("--layer '{address}' red.ppm")));
    let note = out.stderr.clone();
    (matrix(&out.ok()).0, note)
}

#[test]
fn a_module_path_finds_the_tensor_that_leaves_it_whoever_exported() {
    for (model, first, second, block) in [
        (
            "torchscript",
            "/layer1/layer1.0/relu/Relu_output_0",
            "/layer1/layer1.0/relu_1/Relu_output_0",
            "/layer1/layer1.0/relu_1/Relu_output_0",
        ),
        ("dynamo", "relu_2", "relu_5", "relu_5"),
    ] {
        for (address, tensor, values) in [
            ("layer1.0.relu", first, array![[10.0, 0.0]]),
            ("layer1.0.relu_1", second, array![[15.0, 0.0]]),
            // The sizes that the block measures leave it later, and are no activations.
            ("layer1.0", block, array![[15.0, 0.0]]),
            ("layer1", block, array![[15.0, 0.0]]),
        ] {
            let (found, note) = ask(model, address);
            assert_eq!(found, values, "{model} {address}");
            let said = format!("ann-acts: layer \"{address}\" is tensor \"{tensor}\" (module)");
            assert!(note.lines().any(|line| line == said), "{model}: {note}");
        }
        assert_eq!(ask(model, "stem").0, array![[5.0, -5.0]]);
    }
}

#[test]
fn says_where_an_exporter_folded_a_normalization_into_a_convolution() {
    // 5 + 2 * 6 + 3 * 7
    let (values, note) = ask("folded", "conv1");
    assert_eq!(values, array![[38.0]]);
    assert!(note.contains("layer \"conv1\": the exporter folded the normalization behind this convolution"), "{note}");
    assert!(ask("folded", "/conv1/Conv_output_0").1.contains("folded"));
    let (values, note) = ask("folded", "conv2");
    assert_eq!(values, array![[76.0]]);
    assert!(!note.contains("folded the normalization"), "{note}");
}

#[test]
fn nodes_indices_operators_globs_and_regexes_are_addresses_and_are_explained() {
    let (sum, note) = ask("torchscript", "/layer1/layer1.0/Add");
    assert_eq!(sum, array![[15.0, -5.0]]);
    assert!(note.contains("is tensor \"/layer1/layer1.0/Add_output_0\" (node)"), "{note}");
    let (flat, note) = ask("torchscript", "-1");
    assert_eq!(flat, array![[15.0, 0.0]]);
    assert!(note.contains("layer \"-1\" is tensor \"/Reshape_output_0\" (index)"), "{note}");
    assert_eq!(ask("torchscript", "4").0, sum);
    assert_eq!(ask("torchscript", "/stem/Conv_output_0").1, "", "its own name needs no words");
    let dir = tempfile::tempdir().unwrap();
    red(dir.path());
    for (address, n, how) in [
        ("@Relu", 2, "operator"),
        ("*relu*", 2, "glob"),
        ("layer1.0.conv?", 2, "glob"),
        ("re:conv[12]$", 2, "regular expression"),
        ("@Conv", 3, "operator"),
    ] {
        let out = acts(dir.path(), &line("dynamo", &format!("--layer '{address}' red.ppm")));
        assert!(out.stderr.contains(&format!("is {n} tensors ({how}): \"")), "{address}: {}", out.stderr);
        assert_eq!(arrays(&out.ok()).len(), n, "{address}");
    }
    // A tensor called 7 comes before the index 7, and index 0 has no such rival.
    assert_eq!(ask("kinds", "7").0, array![[-5.0, -6.0, 7.0]]);
    assert_eq!(ask("kinds", "0").0, array![[5.0, 6.0, 7.0]]);
}

#[test]
fn a_list_of_layers_comes_from_a_file_or_from_stdin() {
    let dir = tempfile::tempdir().unwrap();
    red(dir.path());
    fs::write(dir.path().join("l.txt"), "# the block\r\nlayer1.0.relu\r\n\r\n  -1\n").unwrap();
    let both = acts(dir.path(), &line("dynamo", "--layer stem --layers-from l.txt red.ppm")).ok();
    let shapes: Vec<f64> = arrays(&both).into_iter().map(|array| array.values.into_f64()[0]).collect();
    assert_eq!(shapes, [5.0, 10.0, 15.0]);
    let here = line("dynamo", "--layers-from - red.ppm")
        .replace("MODELS", &root().join("testdata/models").display().to_string());
    let piped = pipe(dir.path(), &here, b"stem\nlayer1.0.relu\n-1").ok();
    assert_eq!(piped, both);
    fs::write(dir.path().join("empty.txt"), "# nothing\n\n").unwrap();
    acts(dir.path(), &line("dynamo", "--layers-from empty.txt red.ppm")).fails(1, &["empty.txt: names no layer"]);
    acts(dir.path(), &line("dynamo", "--layers-from none.txt red.ppm")).fails(1, &["none.txt: No such file"]);
    let here = here.replace("red.ppm", "-");
    pipe(dir.path(), &here, b"red.ppm\n").fails(1, &["stdin: asked for twice"]);
    acts(dir.path(), &line("dynamo", "--layers-from l.txt --list-layers")).fails(2, &["--list-layers"]);
}

#[test]
fn files_and_sidecars_carry_the_name_asked_for_and_the_tensors() {
    let dir = tempfile::tempdir().unwrap();
    red(dir.path());
    let asked = "--layer layer1.0.relu --layer -1 --layer @Relu --layer node_relu_2 --out-dir out red.ppm";
    let out = acts(dir.path(), &line("dynamo", asked));
    let again = "layer \"node_relu_2\": tensor \"relu_2\" was asked for before; taken once";
    assert!(out.stderr.contains(again), "{}", out.stderr);
    out.ok();
    let mut files: Vec<String> = fs::read_dir(dir.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".npy"))
        .collect();
    files.sort();
    assert_eq!(files, ["layer1.0.relu.npy", "relu_5.npy", "reshape_10.npy"]);
    let side: Value = serde_json::from_slice(&fs::read(dir.path().join("out/layer1.0.relu.json")).unwrap()).unwrap();
    assert_eq!(
        (side["layer"]["name"].as_str(), side["layer"]["tensor"].as_str()),
        (Some("layer1.0.relu"), Some("relu_2"))
    );
}

#[test]
fn a_miss_names_the_nearest_of_all_names_and_ambiguity_lists_what_is_meant() {
    let dir = tempfile::tempdir().unwrap();
    red(dir.path());
    let fails = |model: &str, address: &str, parts: &[&str]| {
        acts(dir.path(), &line(model, &format!("--layer '{address}' red.ppm"))).fails(1, parts);
    };
    fails("dynamo", "layer1.0.rel", &["dynamo.onnx: no layer \"layer1.0.rel\"; the nearest are \"layer1.0.relu\", "]);
    fails("dynamo", "layer1.0.relu_2", &["no layer \"layer1.0.relu_2\"", "\"layer1.0.relu_1\""]);
    fails("torchscript", "/stem/Con", &["the nearest are \"/stem/Conv\", "]);
    fails("dynamo", "@relu", &["no layer \"@relu\"; the nearest are \"@Relu\", "]);
    fails("dynamo", "99", &["no layer 99: the network has 11, from 0 to 10 or from -1 to -11"]);
    fails("dynamo", "-12", &["no layer -12"]);
    fails("dynamo", "re:(", &["\"re:(\" is not a pattern: unclosed group"]);
    fails("dynamo", "[", &["\"[\" is not a pattern"]);
    fails("dynamo", "nothing*", &["no layer \"nothing*\""]);
    fails("kinds", "split", &["\"split\" is 3 tensors: \"red\", \"green\", \"blue\"; name the tensor"]);
    // Not floating point: an error by name or index, one note when a pattern met it.
    fails("dynamo", "shape_6", &["\"shape_6\" holds i8, not floating-point"]);
    fails("dynamo", "6", &["\"shape_6\" holds i8"]);
    let all = acts(dir.path(), &line("dynamo", "--layer '*' red.ppm"));
    assert!(all.stderr.contains("4 of 11 tensors left out: layer \"shape_6\" holds i8"), "{}", all.stderr);
    assert_eq!(arrays(&all.ok()).len(), 7);
}

#[test]
fn dedup_leaves_out_what_has_the_same_rows_and_nothing_else() {
    let dir = folder();
    let at = |rest: &str| acts(dir.path(), &line("renames", &format!("--batch 2 {rest} p")));
    let each = |layer: &str| matrix(&at(&format!("--layer {layer}")).ok()).0;
    let mean = each("mean");
    assert_eq!(mean.row(1).to_vec(), [2.5, 17.0, 15.5, 20.0, 6.0, 5.0], "red, green, blue of both rows of picture 1");
    for same in ["same", "kept", "flat", "longer", "cast", "shorter"] {
        assert_eq!(each(same), mean, "{same}");
    }
    let all = at("--layer '*' --dedup");
    for dropped in ["same", "kept", "flat", "longer", "cast", "shorter"] {
        let said = format!("layer \"{dropped}\" only renames \"mean\"; left out");
        assert!(all.stderr.contains(&said), "{dropped}: {}", all.stderr);
    }
    assert!(all.stderr.contains("layer \"turned_flat\" only renames \"turned\"; left out"), "{}", all.stderr);
    assert!(all.stderr.contains("layer \"by_row\" only renames \"mean\"; left out"), "{}", all.stderr);
    assert_eq!(all.stderr.matches("left out\n").count(), 8, "{}", all.stderr);
    let kept = arrays(&all.ok());
    // mean, half, back, turned, behind: other kinds of number, other orders.
    let expected = ["mean", "half", "back", "turned", "behind"].map(each);
    assert_eq!(kept.len(), expected.len());
    for (kept, expected) in kept.into_iter().zip(expected) {
        assert_eq!(kept.values.into_f64(), expected.into_raw_vec_and_offset().0);
    }
    // A reshaping that puts other pictures into a row.
    at("--layer mixed").fails(1, &["layer \"mixed\": a row depends on more than its picture", "Reshape", "\"behind\""]);
    // The one asked for first stays, also when both are named.
    let two = at("--layer flat --layer drop --dedup");
    assert!(two.stderr.contains("layer \"drop\" only renames \"flat\"; left out"), "{}", two.stderr);
    assert_eq!(arrays(&two.ok()).len(), 1);
    let (none, some) = (at("--layer flat --layer turned --dedup").ok(), at("--layer flat --layer turned").ok());
    assert_eq!(none, some);
    acts(dir.path(), &line("renames", "--list-layers --dedup")).fails(2, &["--dedup"]);
}

/// The names of all inputs that get one number per picture.
const NUMBERS: [&str; 13] = [
    "float", "double", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "bool",
];

#[test]
fn only_inputs_that_the_layers_depend_on_are_needed() {
    let dir = folder();
    let means = matrix(&acts(dir.path(), &line("inputs", "--layer mean p")).ok()).0;
    assert_eq!(means.row(0).to_vec(), [8.25, 17.5, 5.25]);
    let both = |set: &str| acts(dir.path(), &line("inputs", &format!("--layer both {set} --batch 2 p")));
    both("").fails(1, &["depend on 2 inputs; pictures go into \"pictures\", set the other with --set NAME=VALUE: tokens (Nxlength i8)"]);
    assert_eq!(matrix(&both("--set tokens=-2").ok()).0, &means - 2.0);
    let either = |switch: &str| {
        let set = format!("--layer either --set tokens=-2 --set switch={switch} --batch 2 p");
        matrix(&acts(dir.path(), &line("inputs", &set)).ok()).0
    };
    assert_eq!(either("true"), means);
    assert_eq!(either("0"), Array2::from_elem((3, 3), -2.0));
    let set = NUMBERS.map(|name| format!("--set in_{name}=1")).join(" ");
    let all = acts(dir.path(), &line("inputs", &format!("--layer all {set} p"))).ok();
    assert_eq!(matrix(&all).0, &means + 13.0);
    // Neither input of this one is told from the other but by name.
    let two = |rest: &str| {
        acts(dir.path(), &format!("ann-acts MODELS/two-inputs.onnx --preprocess raw255 --layer sum {rest} p/0.ppm"))
    };
    let sum = matrix(&two("--input other --set pictures=1").ok()).0;
    assert_eq!(sum.row(0).to_vec(), [2.0, 3.0, 1.0, 31.0, 11.0, 21.0, 1.0, 41.0, 8.0, 6.0, 10.0, 1.0]);
    assert_eq!(matrix(&two("--set pictures=1").ok()).0, sum, "the only one left");
    two("").fails(1, &["several inputs could take the pictures", "name one with --input"]);
    two("--input other").fails(1, &["set the other with --set NAME=VALUE: pictures (Nx3x2x2 f4)"]);
    two("--input other --set other=1 --set pictures=1").fails(1, &["--set other: takes the pictures"]);
}

#[test]
fn refuses_inputs_that_cannot_be_set_so() {
    let dir = folder();
    let fails = |layer: &str, options: &str, part: &str| {
        let code = if part.contains("expected NAME=VALUE") { 2 } else { 1 };
        acts(dir.path(), &line("inputs", &format!("--layer {layer} {options} p"))).fails(code, &[part]);
    };
    fails(
        "mean",
        "--set tokens=1",
        "--set tokens: the layers asked for depend on no such input; they depend on pictures",
    );
    fails("mean", "--input tokens", "--input tokens: the layers asked for depend on no such input");
    fails("both", "--set tokens=1.5", "--set tokens=1.5: the input holds i8, which cannot be 1.5");
    fails("both", "--set tokens=1 --set tokens=2", "--set tokens: given twice");
    fails("both", "--set tokens", "expected NAME=VALUE");
    fails("both", "--set tokens=x", "expected NAME=VALUE");
    fails("both", "--input tokens --set pictures=0", "input \"tokens\" has 2 axes (Nxlength), expected 4");
    fails("text", "", "input \"tokens\" has 2 axes");
    fails("text", "--set tokens=1", "depend on no input that takes pictures");
    fails("said", "", "input \"words\" has 1 axes");
    let rest = |bad: &str| {
        let bad_name = bad.split('=').next().unwrap();
        let others = NUMBERS.iter().map(|name| format!("in_{name}")).filter(|name| name != bad_name);
        format!("{} --set {bad}", others.map(|name| format!("--set {name}=1")).collect::<Vec<_>>().join(" "))
    };
    for bad in [
        "in_uint8=256",
        "in_uint8=-1",
        "in_int8=128",
        "in_int16=32768",
        "in_int32=2147483648",
        "in_uint16=-1",
        "in_uint32=4294967296",
        "in_uint64=-1",
        "in_int64=1e16",
        "in_bool=2",
        "in_float16=1e6",
        "in_float=1e39",
    ] {
        fails("all", &rest(bad), "which cannot be");
    }
    // Edges that do fit.
    let ok = rest("in_uint8=255").replace("in_int8=1", "in_int8=-128");
    acts(dir.path(), &line("inputs", &format!("--layer all {ok} p"))).ok();
}

#[test]
fn lists_what_can_be_told_of_a_network_that_cannot_be_opened_whole() {
    let dir = folder();
    let out = acts(dir.path(), &line("foreign", "--list-layers"));
    assert!(
        out.stderr.contains("2 of 3 tensors without shapes") && out.stderr.contains("nobody.knows:Mystery"),
        "{}",
        out.stderr
    );
    let expected = "index,layer,module,node,op,shape,n_units,dtype\n0,mean,,,ReduceMean,Nx3,3,f4\n1,strange,,,Mystery,,,\n2,after,,,Relu,,,\n";
    assert_eq!(out.text(), expected);
    assert_eq!(matrix(&acts(dir.path(), &line("foreign", "--layer mean p")).ok()).0.ncols(), 3);
    acts(dir.path(), &line("foreign", "--layer after p")).fails(1, &["foreign.onnx", "nobody.knows:Mystery"]);
    let kinds = rows(&acts(dir.path(), &line("kinds", "--list-layers")).text());
    let of = |layer: &str| kinds.iter().find(|row| row["layer"] == layer).unwrap().clone();
    assert_eq!((of("bf")["dtype"].as_str(), of("bf")["n_units"].as_str()), ("bf2", "3"));
    assert_eq!((of("green")["node"].as_str(), of("green")["shape"].as_str()), ("split", "Nx1"));
    assert_eq!(of("sequence")["op"].as_str(), "SequenceConstruct");
    // The first axis of the first input counts no pictures where that input takes none.
    let inputs = rows(&acts(dir.path(), &line("inputs", "--list-layers")).text());
    assert_eq!((inputs[4]["layer"].as_str(), inputs[4]["n_units"].as_str()), ("both", "3"));
}

#[test]
fn bfloat16_layers_run_and_sequences_are_refused() {
    // 5 6 7 are whole in bf16; 1.001 is not, its next is 1.
    assert_eq!(ask("kinds", "bf").0, array![[5.0, 6.0, 7.0]]);
    let dir = tempfile::tempdir().unwrap();
    red(dir.path());
    let scaled = "--std 4.995 --layer bf --layer mean red.ppm";
    let both = arrays(&acts(dir.path(), &line("kinds", scaled)).ok());
    let values: Vec<f64> = both.into_iter().map(|array| array.values.into_f64()[0]).collect();
    assert_eq!(values[0], 1.0);
    assert!((values[1] - 5.0 / 4.995).abs() < 1e-6);
    acts(dir.path(), &line("kinds", "--layer sequence red.ppm")).fails(1, &["\"sequence\" holds"]);
}

#[test]
fn networks_of_opset_7_to_the_runtimes_newest_run() {
    let dir = tempfile::tempdir().unwrap();
    red(dir.path());
    let tiny = fs::read(root().join("testdata/models/tiny.onnx")).unwrap();
    // ModelProto.opset_import: domain "", version 13.
    let stamp = [0x42, 4, 0x0A, 0, 0x10, 13];
    let place = tiny.windows(stamp.len()).position(|bytes| bytes == stamp).unwrap() + 5;
    for opset in [7, 8, 9, 10, 11, 12, 14, 17, 18, 20, 21, 22, 23, 24] {
        let mut bytes = tiny.clone();
        bytes[place] = opset;
        fs::write(dir.path().join("m.onnx"), bytes).unwrap();
        let out = acts(dir.path(), "ann-acts m.onnx --preprocess raw255 --layer logits red.ppm");
        // pool: max(5 - 6, 0) and 7 - 1.
        assert_eq!(matrix(&out.ok()).0, array![[6.0, -6.0]], "opset {opset}");
    }
    let mut bytes = tiny;
    bytes[place] = 99;
    fs::write(dir.path().join("m.onnx"), bytes).unwrap();
    acts(dir.path(), "ann-acts m.onnx --preprocess raw255 --layer logits red.ppm").fails(1, &["m.onnx", "opset"]);
    // Of before IR version 4, where weights are inputs as well.
    assert_eq!(ask("old", "conv1").0, array![[-1.0, 7.0]]);
    assert_eq!(ask("old", "-1").0, array![[0.0, 7.0]]);
}

/// The model with weights outside, in a folder of its own, its weights' place changed to one of as many letters.
fn external(dir: &Path, place: &str) {
    let mut bytes = fs::read(root().join("testdata/models/external.onnx")).unwrap();
    let name = b"external.weights";
    assert_eq!(place.len(), name.len());
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    bytes[at..at + name.len()].copy_from_slice(place.as_bytes());
    fs::create_dir_all(dir.join("net")).unwrap();
    fs::write(dir.join("net/m.onnx"), bytes).unwrap();
}

#[test]
fn weight_files_are_checked_before_the_run_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    red(dir.path());
    external(dir.path(), "external.weights");
    let run = || acts(dir.path(), "ann-acts net/m.onnx --preprocess raw255 --layer scaled -o out.npy red.ppm");
    run().fails(1, &["net/m.onnx: keeps weights in \"external.weights\", but there is no net/external.weights"]);
    let file = dir.path().join("net/external.weights");
    let whole = fs::read(root().join("testdata/models/external.weights")).unwrap();
    fs::write(&file, &whole[..8]).unwrap();
    run().fails(1, &["of which it needs 12 bytes, but net/external.weights has 8"]);
    fs::write(&file, &whole).unwrap();
    run().ok();
    assert_eq!(matrix(&fs::read(dir.path().join("out.npy")).unwrap()).0, array![[10.0, 18.0, 28.0]]);
    let side: Value = serde_json::from_slice(&fs::read(dir.path().join("out.json")).unwrap()).unwrap();
    let sum = sh(dir.path(), "sha256sum net/external.weights").text();
    let recorded = side["inputs"].as_array().unwrap().iter().find(|input| input["name"] == "net/external.weights");
    assert_eq!(recorded.unwrap()["sha256"].as_str(), sum.split_whitespace().next());
    // A folder below is inside; the one above and the root are not.
    fs::create_dir(dir.path().join("net/deeper")).unwrap();
    fs::rename(&file, dir.path().join("net/deeper/a.weight")).unwrap();
    external(dir.path(), "deeper//a.weight");
    run().ok();
    for outside in ["../ernal.weights", "a/../../.weights", "/xternal.weights"] {
        external(dir.path(), outside);
        run().fails(1, &["keeps weights in", "outside of its own folder", "ONNX Runtime reads none from there"]);
    }
}

#[test]
fn weights_of_more_than_two_gigabytes_are_read_from_beside_the_model() {
    let dir = tempfile::tempdir().unwrap();
    red(dir.path());
    fs::copy(root().join("testdata/models/layers-large.onnx"), dir.path().join("large.onnx")).unwrap();
    const N_BYTES: u64 = 184_000_000 * 12;
    let file = fs::File::create(dir.path().join("large.weights")).unwrap();
    file.set_len(N_BYTES - 12).unwrap();
    let run = |rest: &str| {
        acts(dir.path(), &format!("ann-acts large.onnx --preprocess raw255 --layer shifted {rest} red.ppm"))
    };
    run("").fails(1, &["of which it needs 2208000000 bytes, but", "large.weights has 2207999988"]);
    // A hole but for the last row: 1, 2, 3.
    file.write_all_at([1.0f32, 2.0, 3.0].map(f32::to_le_bytes).as_flattened(), N_BYTES - 12).unwrap();
    assert_eq!(matrix(&run("").ok()).0, array![[6.0, 8.0, 10.0]]);
    run("-o out.npy").ok();
    let side: Value = serde_json::from_slice(&fs::read(dir.path().join("out.json")).unwrap()).unwrap();
    let recorded = side["inputs"].as_array().unwrap().iter().find(|input| input["name"] == "large.weights").unwrap();
    assert_eq!(recorded["sha256"], LARGE_SHA256);
    let listed = rows(&acts(dir.path(), "ann-acts large.onnx --list-layers --all").text());
    assert_eq!((listed[1]["layer"].as_str(), listed[1]["shape"].as_str()), ("row", "1x3"));
}

/// `sha256sum` of that file.
const LARGE_SHA256: &str = "80c41ef2c12789276e79cbd287f488c6cc7574d34a89c8c9d3f24db483083ce6";

/// Of Lp-convolution (Kwon, Lim, Song & Lee, 2025): exp(-(|C d|_0^p + |C d|_1^p)) at row `i`, column `j` of a 7x7
/// kernel.
fn lp_mask(c: [[f64; 2]; 2], p: f64, i: usize, j: usize) -> f64 {
    let d = [i as f64 - 3.0, j as f64 - 3.0];
    (-c.iter().map(|row| (row[0] * d[0] + row[1] * d[1]).abs().powf(p)).sum::<f64>()).exp()
}

/// Convolution by its definition: `weight` gives channel, colour, row, column; `pads` are rows above, columns before.
fn convolution(
    picture: &[[u8; 3]],
    (height, width): (usize, usize),
    kernel: (usize, usize),
    pads: (usize, usize),
    out: (usize, usize, usize),
    weight: impl Fn(usize, usize, usize, usize) -> f64,
) -> Vec<f64> {
    let mut values = Vec::new();
    for channel in 0..out.0 {
        for y in 0..out.1 {
            for x in 0..out.2 {
                let mut sum = 0.0;
                for i in 0..kernel.0 {
                    for j in 0..kernel.1 {
                        let (row, column) = ((y + i).wrapping_sub(pads.0), (x + j).wrapping_sub(pads.1));
                        if row < height && column < width {
                            for (colour, &level) in picture[row * width + column].iter().enumerate() {
                                sum += weight(channel, colour, i, j) * f64::from(level);
                            }
                        }
                    }
                }
                values.push(sum);
            }
        }
    }
    values
}

#[test]
fn a_convolution_whose_weights_the_graph_computes_is_the_folded_one() {
    let dir = tempfile::tempdir().unwrap();
    // One red pixel of level 1 in the middle: the masks themselves.
    let mut dot = [[0; 3]; 49];
    dot[24] = [1, 0, 0];
    picture(&dir.path().join("dot.ppm"), 7, &dot);
    let of = |model: &str, layer: &str, file: &str| {
        matrix(&acts(dir.path(), &line(model, &format!("--layer {layer} {file}"))).ok()).0.row(0).to_vec()
    };
    let masks = of("lpconv-unfolded", "net.conv", "dot.ppm");
    let near = |found: f64, expected: f64| (found - expected).abs() < 1e-6;
    // METHODS' numbers, from SciPy: a 3x3 kernel grown to 7x7, C = diag(1 / 1.5001).
    let gaussian = [0.018325, 0.169053, 0.641218, 1.0, 0.641218, 0.169053, 0.018325];
    assert!(masks[21..28].iter().zip(gaussian).all(|(&found, expected)| near(found, expected)), "{masks:?}");
    assert!(near(masks[0], 0.000335821), "{}", masks[0]);
    let flat = [0.0, 0.0, 0.998480, 1.0, 0.998480, 0.0, 0.0];
    assert!(masks[49 + 21..49 + 28].iter().zip(flat).all(|(&found, expected)| near(found, expected)));

    // Any picture: folded, unfolded, and by the definition.
    let pixels: Vec<[u8; 3]> =
        (0..9 * 8).map(|i| [i * 37, i * 101, i * 73].map(|level: usize| (level % 251) as u8)).collect();
    picture(&dir.path().join("any.ppm"), 8, &pixels);
    let diagonal = [[1.0 / 1.5001, 0.0], [0.0, 1.0 / 1.5001]];
    let weight = |channel: usize, colour: usize, i: usize, j: usize| match channel {
        0 => lp_mask(diagonal, 2.0, i, j),
        1 => lp_mask(diagonal, 16.0, i, j),
        _ => {
            ((colour * 49 + i * 7 + j) % 5) as f64 * lp_mask([[0.5, 0.25], [-0.125, 0.75]], 3.0, i, j)
                - 2.0 * lp_mask([[0.5, 0.25], [-0.125, 0.75]], 3.0, i, j)
        }
    };
    let expected = convolution(&pixels, (9, 8), (7, 7), (3, 3), (3, 9, 8), weight);
    // f4 sums of 147 terms up to 250 each.
    let close = |a: &[f64], b: &[f64], what: &str| {
        assert_eq!(a.len(), b.len(), "{what}");
        let furthest = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(furthest < 0.01, "{what}: {furthest}");
    };
    let unfolded = of("lpconv-unfolded", "net.conv", "any.ppm");
    let folded = of("lpconv-folded", "net.conv", "any.ppm");
    close(&unfolded, &expected, "unfolded, definition");
    close(&folded, &expected, "folded, definition");
    let scale = expected.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    assert!(unfolded.iter().zip(&folded).all(|(a, b)| (a - b).abs() <= 2e-6 * scale), "to float rounding");

    // An even kernel, padded unequally: above 0, before 1, below 1, behind 2. Whole numbers, so exact.
    let even =
        |channel: usize, colour: usize, i: usize, j: usize| ((channel * 24 + colour * 8 + i * 4 + j) % 7) as f64 - 3.0;
    let expected = convolution(&pixels, (9, 8), (2, 4), (0, 1), (2, 9, 8), even);
    assert_eq!(of("lpconv-folded", "net.even", "any.ppm"), expected);
    assert_eq!(of("lpconv-unfolded", "even", "any.ppm"), expected);

    // The weights are no layer, and say so; the listing knows what the convolution makes.
    acts(dir.path(), &line("lpconv-unfolded", "--layer mask dot.ppm")).fails(1, &["depend on no input"]);
    let all = acts(dir.path(), &line("lpconv-unfolded", "--layer * dot.ppm"));
    assert!(all.stderr.contains("18 of 21 tensors left out"), "{}", all.stderr);
    assert_eq!(arrays(&all.ok()).len(), 3);
    for model in ["lpconv-folded", "lpconv-unfolded"] {
        let listed = rows(&acts(dir.path(), &line(model, "--list-layers")).text());
        let conv = listed.iter().find(|row| row["layer"] == "conv").unwrap();
        assert_eq!((conv["shape"].as_str(), conv["module"].as_str()), ("Nx3x?x?", "net.conv"), "{model}");
    }
}
