//! `ann-acts --untrained` and `--lesion`, on the tiny networks that `scripts/make-test-models-weights.py` writes.

use ndarray::{Array2, ArrayView1, Axis, array};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use support::*;

/// A line with the place of the test models in it.
#[track_caller]
fn acts(dir: &Path, line: &str) -> Outcome {
    run(dir, &line.replace("MODELS", &root().join("testdata/models").display().to_string()))
}

fn picture(path: &Path, width: usize, pixels: &[[u8; 3]]) {
    let mut bytes = format!("P6 {width} {} 255\n", pixels.len() / width).into_bytes();
    bytes.extend(pixels.as_flattened());
    fs::write(path, bytes).unwrap();
}

/// Red, green, blue and black; and `many`, 40 pictures of 2 x 2 in which no two pixels are alike.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, colour) in [("0red", [255, 0, 0]), ("1green", [0, 255, 0]), ("2blue", [0, 0, 255]), ("3black", [0; 3])] {
        picture(&dir.path().join(format!("{name}.ppm")), 1, &[colour]);
    }
    fs::create_dir(dir.path().join("many")).unwrap();
    for i in 0..40u32 {
        let pixel = |k: u32| [i * 37 + k * 91, i * 53 + k * 17 + 5, i * i + k * 29].map(|v| (v % 256) as u8);
        picture(&dir.path().join(format!("many/{i:02}.ppm")), 2, &[pixel(0), pixel(1), pixel(2), pixel(3)]);
    }
    dir
}

const COLOURS: &str = "0red.ppm 1green.ppm 2blue.ppm 3black.ppm";

fn sidecar(dir: &Path, stem: &str) -> Value {
    serde_json::from_slice(&fs::read(dir.join(stem).with_extension("json")).unwrap()).unwrap()
}

/// The matrix of `weights-linear` (or a twin of it) as pictures of one colour read it out, and the bias as black does.
fn weights(dir: &Path, model: &str, options: &str) -> (Array2<f64>, Array2<f64>) {
    let line = format!("ann-acts MODELS/weights-{model}.onnx --preprocess raw01 {options} --layer wide {COLOURS}");
    let (out, _) = matrix(&acts(dir, &line).ok());
    let bias = out.slice(ndarray::s![3..4, ..]).to_owned();
    (&out.slice(ndarray::s![..3, ..]) - &bias, bias)
}

fn sd(values: &Array2<f64>) -> f64 {
    (values.mapv(|v| v * v).sum() / values.len() as f64).sqrt()
}

#[test]
fn matrices_are_normal_with_the_variance_of_their_scheme_and_biases_zero() {
    let dir = folder();
    assert_eq!(weights(dir.path(), "linear", "").0, Array2::from_elem((3, 500), 7.0));
    // 1500 numbers: the sd of an estimated sd is 1 / sqrt(3000) of it, of a mean 1 / sqrt(1500); five of each.
    for (scheme, expected) in [("", 2.0f64 / 3.0), (":he", 2.0 / 3.0), (":lecun", 1.0 / 3.0)] {
        let (matrix, bias) = weights(dir.path(), "linear", &format!("--untrained 7{scheme}"));
        assert_eq!(bias, Array2::<f64>::zeros((1, 500)), "{scheme}");
        assert!((sd(&matrix) / expected.sqrt() - 1.0).abs() < 0.092, "{scheme}: {}", sd(&matrix));
        assert!(matrix.mean().unwrap().abs() < 0.13 * expected.sqrt(), "{scheme}");
        let within = matrix.iter().filter(|v| v.abs() < expected.sqrt()).count() as f64 / 1500.0;
        assert!((within - 0.6827).abs() < 0.06, "{scheme}: {within} within one sd");
    }
    let (he, lecun) =
        (weights(dir.path(), "linear", "--untrained 7").0, weights(dir.path(), "linear", "--untrained 7:lecun").0);
    assert!((he - lecun * 2f64.sqrt()).iter().all(|d| d.abs() < 1e-6), "the same draws at another scale");
}

#[test]
fn a_seed_gives_the_same_weights_whatever_else_is_asked() {
    let dir = folder();
    let line = |options: &str| {
        acts(dir.path(), &format!("ann-acts MODELS/weights-parts.onnx --preprocess raw255 {options} many")).ok()
    };
    let first = line("--untrained 3 --layer patches");
    for same in ["--threads 1", "--threads 4", "--batch 1 --threads 1"] {
        assert_eq!(line(&format!("--untrained 3 {same} --layer patches")), first, "{same}");
    }
    let both = line("--untrained 3 --layer patches --layer out");
    assert_eq!(both[..first.len()], first, "another layer changes nothing");
    assert_ne!(line("--untrained 4 --layer patches"), first);
    // Pinned: a change here changes published controls and belongs in crates/CHANGELOG.md.
    let (matrix, _) = weights(dir.path(), "linear", "--untrained 1");
    let pinned: ArrayView1<f64> = matrix.slice(ndarray::s![0, ..3]);
    assert!((&pinned - &array![0.725_173_9, 0.400_947_45, 0.210_729_51]).iter().all(|d| d.abs() < 1e-6), "{pinned}");
}

#[test]
fn shuffling_keeps_the_values_of_each_tensor() {
    let dir = folder();
    let (trained, trained_bias) = weights(dir.path(), "gemm", "");
    let (shuffled, bias) = weights(dir.path(), "gemm", "--untrained 5:shuffle");
    let sorted = |values: &Array2<f64>| {
        let mut values: Vec<i64> = values.iter().map(|v| v.round() as i64).collect();
        values.sort_unstable();
        values
    };
    assert_eq!((sorted(&shuffled), sorted(&bias)), (sorted(&trained), sorted(&trained_bias)));
    assert_ne!(shuffled, trained);
    assert_ne!(bias, trained_bias);
    // Stored transposed, its fan-in is still 3.
    let he = weights(dir.path(), "gemm", "--untrained 5").0;
    assert!((sd(&he) / (2.0f64 / 3.0).sqrt() - 1.0).abs() < 0.33, "{}", sd(&he));
}

#[test]
fn half_floats_and_weights_outside_the_file_are_drawn_too() {
    let dir = folder();
    for model in ["half", "external"] {
        let (matrix, bias) = weights(dir.path(), model, "--untrained 2");
        assert!((sd(&matrix) / (2.0f64 / 3.0).sqrt() - 1.0).abs() < 0.12, "{model}: {}", sd(&matrix));
        assert_eq!(bias.sum(), 0.0, "{model}");
        let (shuffled, bias) = weights(dir.path(), model, "--untrained 2:shuffle");
        assert!(shuffled.iter().all(|v| *v == 7.0) && bias.iter().all(|v| *v == 9.0), "{model}");
    }
}

#[test]
fn batch_statistics_are_those_of_32_pictures_of_the_whole_list() {
    let dir = folder();
    for model in ["bn", "bn18"] {
        let line = format!("ann-acts MODELS/weights-{model}.onnx --preprocess raw255 --untrained 4");
        let out = acts(dir.path(), &format!("{line} --layer bn1 --layer bn2 -o x.npy many"));
        assert!(out.stderr.contains("statistics of 2 batch normalizations measured on 32 pictures"), "{}", out.stderr);
        out.ok();
        let side = sidecar(dir.path(), "x.npy");
        let shown: Vec<&str> = side["untrained"]["calibration"]["stimuli"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap())
            .collect();
        let expected: Vec<String> = (0..32).map(|i| format!("{:02}.ppm", i * 40 / 32)).collect();
        assert_eq!(shown, expected);
        // Over these pictures every channel has mean 0 and variance 1, but for the epsilon of the division.
        let layers = arrays(&fs::read(dir.path().join("x.npy")).unwrap());
        for (layer, n_channels) in layers.into_iter().zip([4, 2]) {
            let (rows, labels) = layer.into_matrix().unwrap();
            let labels = labels.ids.unwrap();
            let rows = rows.into_f64();
            for channel in 0..n_channels {
                let values: Vec<f64> = expected
                    .iter()
                    .flat_map(|id| {
                        let row = labels.iter().position(|label| label == id).unwrap();
                        rows.row(row).iter().skip(channel * 4).take(4).copied().collect::<Vec<_>>()
                    })
                    .collect();
                let mean = values.iter().sum::<f64>() / 128.0;
                let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 128.0;
                assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-3, "{model} {channel}: {mean} {variance}");
            }
        }
        // A shard is normalized by the same statistics.
        let whole = acts(dir.path(), &format!("{line} --layer pool many")).ok();
        acts(dir.path(), &format!("{line} --layer pool --shard 0/2 -o a.npy many")).ok();
        acts(dir.path(), &format!("{line} --layer pool --shard 1/2 -o b.npy many")).ok();
        assert_eq!(sh(dir.path(), "npy cat a.npy b.npy").ok(), whole);
        for stale in ["x", "a", "b"] {
            fs::remove_file(dir.path().join(format!("{stale}.npy"))).unwrap();
            fs::remove_file(dir.path().join(format!("{stale}.json"))).unwrap();
        }
    }
    // Pictures of one colour: nothing varies, the variance stays 1 and that is said.
    let line = "ann-acts MODELS/weights-bn.onnx --preprocess raw255 --untrained 4 --layer pool 3black.ppm 3black.ppm";
    let constant = acts(dir.path(), line);
    assert!(constant.stderr.contains("6 channels do not vary over these pictures"), "{}", constant.stderr);
    constant.ok();
}

#[test]
fn every_weight_has_the_role_that_its_use_gives_it() {
    let dir = folder();
    acts(dir.path(), "ann-acts MODELS/weights-parts.onnx --preprocess raw255 --untrained 3 --layer out -o x.npy many")
        .ok();
    let untrained = &sidecar(dir.path(), "x.npy")["untrained"];
    let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_string();
    let drawn: BTreeMap<String, String> =
        untrained["drawn"].as_array().unwrap().iter().map(|w| (text(w, "name"), text(w, "role"))).collect();
    let expected = [
        ("kernel", "weight"),
        ("gain", "scale"),
        ("offset", "bias"),
        ("in_node", "weight"),
        ("projected_bias", "bias"),
        ("slope", "slope"),
        ("turned", "weight"),
    ];
    assert_eq!(drawn, expected.map(|(name, role)| (name.to_string(), role.to_string())).into());
    let fan_in = |name: &str| {
        let all = untrained["drawn"].as_array().unwrap();
        all.iter().find(|w| w["name"] == name).unwrap()["fan_in"].as_u64().unwrap()
    };
    assert_eq!([fan_in("kernel"), fan_in("in_node"), fan_in("turned")], [3, 4, 5]);
    let left: BTreeMap<String, String> =
        untrained["left"].as_array().unwrap().iter().map(|w| (text(w, "name"), text(w, "reason"))).collect();
    assert_eq!(left["positions"], "table of positions");
    assert_eq!((left["two"].as_str(), left["epsilon"].as_str(), left.len()), ("single number", "single number", 3));
    // What is left keeps its values: positions are 0, 1000 .. 15000, far above anything drawn here.
    let line = "ann-acts MODELS/weights-parts.onnx --preprocess raw01 --untrained 3 --layer placed many/00.ppm";
    let (placed, _) = matrix(&acts(dir.path(), line).ok());
    assert!(placed.iter().enumerate().all(|(i, v)| (v - 1000.0 * i as f64).abs() < 20.0), "{placed}");
    // Scale 1 and bias 0: LayerNormalization gives mean 0 and variance 1 per token.
    let line = "ann-acts MODELS/weights-parts.onnx --preprocess raw01 --untrained 3 --layer layernorm many/00.ppm";
    let (normal, _) = matrix(&acts(dir.path(), line).ok());
    for token in normal.row(0).to_vec().chunks(4) {
        let square: f64 = token.iter().map(|v| v * v).sum();
        assert!(token.iter().sum::<f64>().abs() < 1e-3 && (square - 4.0).abs() < 1e-3, "{token:?}");
    }
}

#[test]
fn packed_matrices_are_drawn_through_the_cuts_that_unpack_them() {
    let dir = folder();
    acts(
        dir.path(),
        "ann-acts MODELS/weights-packed.onnx --preprocess raw255 --untrained 3 --layer wide -o x.npy many",
    )
    .ok();
    let untrained = &sidecar(dir.path(), "x.npy")["untrained"];
    let drawn: Vec<(&str, &str, Option<u64>)> = untrained["drawn"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| (w["name"].as_str().unwrap(), w["role"].as_str().unwrap(), w["fan_in"].as_u64()))
        .collect();
    assert_eq!(drawn, [("in_proj", "weight", Some(3)), ("in_proj_bias", "bias", None)]);
    assert_eq!(untrained["left"].as_array().unwrap().len(), 0);
}

#[test]
fn masks_of_lp_convolutions_are_left_alone() {
    let dir = folder();
    let line = "ann-acts MODELS/layers-lpconv-unfolded.onnx --preprocess raw255 --resize 8x8 --untrained 3 --layer -1 -o x.npy many";
    acts(dir.path(), line).ok();
    let untrained = &sidecar(dir.path(), "x.npy")["untrained"];
    let drawn = untrained["drawn"].as_array().unwrap();
    let left = untrained["left"].as_array().unwrap();
    assert!(left.iter().any(|w| w["reason"] == "folded into another constant"), "{left:?}");
    let kernels = drawn.iter().filter(|w| w["role"] == "weight").count();
    assert!(
        kernels >= 1 && drawn.iter().all(|w| w["shape"].as_array().unwrap().len() == 4 || w["role"] == "bias"),
        "{drawn:?}"
    );
}

#[test]
fn networks_that_no_rule_covers_are_refused_before_anything_is_written() {
    let dir = folder();
    for (model, said) in [
        ("weights-quantized", "node \"unpack\" (DequantizeLinear) computes with quantized weights"),
        ("weights-recurrent", "node \"cell\" (LSTM) holds weights (\"w\")"),
        ("weights-dynamic", "node \"moving\" (Conv): its weight \"kernel\" is not made of constants"),
        ("nhwc", "nothing would be drawn anew"),
    ] {
        let line = format!("ann-acts MODELS/{model}.onnx --preprocess raw255 --untrained 1 --layer -1 -o x.npy many");
        let out = acts(dir.path(), &line);
        assert!(out.code == 1 && out.stderr.contains(said), "{model}: {}", out.stderr);
        assert!(!dir.path().join("x.npy").exists());
    }
    for bad in ["x", "-1", "1:xavier", "1:", ":he", "1.5"] {
        let line = format!("ann-acts MODELS/tiny.onnx --preprocess raw255 --untrained {bad} --layer conv many");
        assert_eq!(acts(dir.path(), &line).code, 2, "{bad}");
    }
    assert_eq!(acts(dir.path(), "ann-acts MODELS/tiny.onnx --untrained 1 --list-layers").code, 2);
}

// ------------------------------------------------------------------------------------------------------------- lesions

/// `tiny.onnx`: conv = (R - G, B - 1), relu, pool = their means over the picture, logits = (sum, difference) of pool.
const TINY: &str = "ann-acts MODELS/tiny.onnx --preprocess raw255";

/// Two pictures of 2 x 1. conv: (6, -10 | 2, -1) and (9, 5 | 0, 0); pool (3, 1) and (7, 0).
fn two() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    picture(&dir.path().join("a.ppm"), 2, &[[10, 4, 3], [20, 30, 0]]);
    picture(&dir.path().join("b.ppm"), 2, &[[9, 0, 1], [5, 0, 1]]);
    fs::write(dir.path().join("s.csv"), "path,kind\na.ppm,x\nb.ppm,y\n").unwrap();
    dir
}

fn lesioned(dir: &Path, table: &str, options: &str) -> Outcome {
    fs::write(dir.join("u.csv"), table).unwrap();
    acts(dir, &format!("{TINY} --lesion u.csv {options} s.csv"))
}

#[test]
fn lesioned_units_are_held_and_what_is_behind_feels_it() {
    let dir = two();
    let logits =
        |table: &str, options: &str| matrix(&lesioned(dir.path(), table, &format!("{options} --layer logits")).ok()).0;
    assert_eq!(
        matrix(&acts(dir.path(), &format!("{TINY} --layer logits s.csv")).ok()).0,
        array![[4.0, 2.0], [7.0, 7.0]]
    );
    assert_eq!(logits("layer,unit\npool,0\n", ""), array![[1.0, -1.0], [0.0, 0.0]]);
    assert_eq!(logits("layer,unit\npool,1\n", "--to 2.5"), array![[5.5, 0.5], [9.5, 4.5]]);
    assert_eq!(logits("layer,unit\npool,0\n", "--to -1"), array![[0.0, -2.0], [-1.0, -1.0]]);
    // The mean of unit 0 over both pictures is 5.
    assert_eq!(logits("layer,unit\npool,0\n", "--to mean"), array![[6.0, 4.0], [5.0, 5.0]]);
    // Unit 0 of conv is the first pixel of R - G; channel 0 both pixels.
    assert_eq!(logits("layer,unit\nconv,0\n", "--lesion-by unit"), array![[1.0, -1.0], [2.5, 2.5]]);
    assert_eq!(logits("layer,unit\nconv,0\n", "--lesion-by channel"), array![[1.0, -1.0], [0.0, 0.0]]);
    assert_eq!(logits("layer,unit\nconv,1\n", "--lesion-by channel --to 4"), array![[7.0, -1.0], [11.0, 3.0]]);
    // By module and by node, in two layers at once.
    let two = "layer,unit\nfeatures.conv,0\npool,1\n/features/conv/Conv,1\n";
    assert_eq!(logits(two, "--lesion-by unit --to 3"), array![[6.0, 0.0], [6.0, 0.0]]);
}

#[test]
fn means_are_those_of_all_pictures_in_every_shard() {
    let dir = two();
    let whole = matrix(&lesioned(dir.path(), "layer,unit\npool,0\n", "--to mean --layer logits").ok()).0;
    for shard in 0..2 {
        let options = format!("--to mean --layer logits --shard {shard}/2 --batch 1");
        let part = matrix(&lesioned(dir.path(), "layer,unit\npool,0\n", &options).ok()).0;
        assert_eq!(part.row(0), whole.row(shard));
    }
    // Layers that do not feel the lesion, and the lesioned one itself.
    let out = lesioned(dir.path(), "layer,unit\npool,0\n", "--to 8 --layer relu --layer pool -o x.npy");
    assert!(out.stderr.contains("1 of 2 layers do not depend on the lesion, such as \"relu\""), "{}", out.stderr);
    assert!(out.stderr.contains("lesion: 1 of 2 units of \"pool\" held at 8"), "{}", out.stderr);
    out.ok();
    let arrays = arrays(&fs::read(dir.path().join("x.npy")).unwrap());
    let pool = arrays.into_iter().nth(1).unwrap().into_matrix().unwrap().0.into_f64();
    assert_eq!(pool, array![[8.0, 1.0], [8.0, 0.0]]);
    let side = sidecar(dir.path(), "x.npy");
    assert_eq!(side["lesion"][0]["layer"], "pool");
    assert_eq!((side["lesion"][0]["n_lesioned"].as_u64(), side["lesion"][0]["n_units"].as_u64()), (Some(1), Some(2)));
    assert!(side["inputs"].as_array().unwrap().iter().any(|input| input["name"] == "u.csv"));
}

#[test]
fn a_pipe_from_select_units_is_a_causal_experiment() {
    let dir = two();
    fs::write(dir.path().join("s.csv"), "path,stimulus,kind\na.ppm,p,x\na.ppm,q,x\nb.ppm,r,y\nb.ppm,s,y\n").unwrap();
    let net = TINY.replace("MODELS", &root().join("testdata/models").display().to_string());
    let select = "select-units --stimuli s.csv --by kind --contrast 'y > x' --top 1";
    let line =
        format!("{net} --layer pool s.csv | {select} | {net} --lesion - --lesion-layer pool --layer logits s.csv");
    let (logits, _) = matrix(&sh(dir.path(), &line).ok());
    assert_eq!(logits, array![[1.0, -1.0], [1.0, -1.0], [0.0, 0.0], [0.0, 0.0]]);
    // The layer's name came through the pipe; one that is none is refused.
    let unnamed = line.replace("--lesion-layer pool ", "");
    assert_eq!(matrix(&sh(dir.path(), &unnamed).ok()).0, logits);
    let out = sh(dir.path(), &unnamed.replace("--top 1", "--top 1 --names 0"));
    assert!(
        out.code == 1 && out.stderr.contains("is no layer of the network; name the layer with --lesion-layer"),
        "{}",
        out.stderr
    );
}

#[test]
fn lesions_reach_every_kind_of_tensor() {
    let dir = tempfile::tempdir().unwrap();
    picture(&dir.path().join("a.ppm"), 2, &[[8, 0, 8], [8, 16, 8], [8, 32, 8], [8, 16, 4]]);
    picture(&dir.path().join("b.ppm"), 2, &[[9, 0, 8], [9, 16, 8], [9, 32, 8], [9, 16, 4]]);
    fs::write(dir.path().join("u.csv"), "unit\n1\n").unwrap();
    for model in ["nhwc", "half", "bytes", "pairs", "single"] {
        let line = format!(
            "ann-acts MODELS/{model}.onnx --preprocess raw255 --lesion u.csv --lesion-layer mean --to 0.5 --layer mean a.ppm b.ppm"
        );
        let (mean, _) = matrix(&acts(dir.path(), &line).ok());
        assert_eq!(mean, array![[8.0, 0.5, 7.0], [9.0, 0.5, 7.0]], "{model}");
    }
    // Pictures second: tokens.onnx.
    let tokens = |options: &str| {
        let line = format!("ann-acts MODELS/tokens.onnx --preprocess raw255 {options} --layer tokens a.ppm b.ppm");
        matrix(&acts(dir.path(), &line).ok()).0
    };
    let intact = tokens("");
    let mut expected = intact.clone();
    expected.column_mut(1).fill(-3.0);
    assert_eq!(tokens("--lesion u.csv --lesion-layer tokens --lesion-by unit --to -3"), expected);
    // NaN in a lesioned unit becomes the value, elsewhere it stays.
    picture(&dir.path().join("a.ppm"), 1, &[[8, 0, 8]]);
    picture(&dir.path().join("b.ppm"), 1, &[[0, 0, 8]]);
    let nan = |options: &str| {
        let line = format!("ann-acts MODELS/nan.onnx --preprocess raw255 {options} --layer ratio a.ppm b.ppm");
        matrix(&acts(dir.path(), &line).ok()).0
    };
    let intact = nan("");
    let (row, column) = intact.indexed_iter().find(|(_, v)| v.is_nan()).map(|(at, _)| at).unwrap();
    fs::write(dir.path().join("u.csv"), format!("unit\n{column}\n")).unwrap();
    let held = nan("--lesion u.csv --lesion-by unit --lesion-layer ratio --to 6");
    assert_eq!(held[(row, column)], 6.0);
    let others = |a: &Array2<f64>| -> Vec<u64> {
        let rest = a.axis_iter(Axis(1)).enumerate().filter(|(i, _)| *i != column);
        rest.flat_map(|(_, values)| values.to_vec()).map(f64::to_bits).collect()
    };
    assert_eq!(others(&held), others(&intact));
}

#[test]
fn a_lesion_of_the_untrained_twin() {
    let dir = folder();
    fs::write(dir.path().join("u.csv"), "layer,unit\nproduct,0\nproduct,499\n").unwrap();
    let line = format!(
        "ann-acts MODELS/weights-linear.onnx --preprocess raw01 --untrained 7 --lesion u.csv --layer wide {COLOURS}"
    );
    let (out, _) = matrix(&acts(dir.path(), &line).ok());
    let (intact, _) = weights(dir.path(), "linear", "--untrained 7");
    assert!(out.column(0).iter().chain(out.column(499)).all(|v| *v == 0.0));
    assert_eq!(out.slice(ndarray::s![..3, 1..499]), intact.slice(ndarray::s![.., 1..499]));
}

#[test]
fn what_cannot_be_lesioned_is_refused() {
    let dir = two();
    for (table, options, said) in [
        ("layer,unit\npool,2\n", "--layer logits", "has 2 units (2), the table speaks of unit 2"),
        ("layer,unit\nconv,4\n", "--lesion-by unit --layer logits", "has 4 units (2x1x2), the table speaks of unit 4"),
        (
            "layer,unit\nconv,2\n",
            "--lesion-by channel --layer logits",
            "has 2 channels (2x1x2), the table speaks of channel 2",
        ),
        ("layer,unit\nconv,0\n", "--layer logits", "say what the numbers of the table count: --lesion-by unit"),
        ("layer,unit\nhead,0\n", "--layer logits", "is no layer of the network; name the layer with --lesion-layer"),
        ("array,unit\n3,0\n", "--layer logits", "\"3\" in column \"array\" is no layer"),
        ("unit\n0\n", "--layer logits", "no column layer or array"),
        ("layer,unit\n", "--layer logits", "nothing to lesion"),
        ("layer\npool\n", "--layer logits", "no column \"unit\""),
        ("layer,unit\npool,x\n", "--layer logits", "x"),
        ("layer,unit\npool,0\n", "--layer relu", "does not depend on the lesioned one"),
        (
            "layer,unit\npool,0\n",
            "--lesion-layer conv --lesion-by unit --layer logits",
            "holds units of \"pool\", --lesion-layer says \"conv\"",
        ),
        ("layer,unit\npool,0\n", "--lesion-layer 3 --layer logits", "--lesion-layer 3: no layer of that name"),
    ] {
        let out = lesioned(dir.path(), table, &format!("{options} -o x.npy"));
        assert!(out.code == 1 && out.stderr.contains(said), "{table:?} {options}: {}", out.stderr);
        assert!(!dir.path().join("x.npy").exists());
    }
    for options in
        ["--to 0 --layer logits", "--lesion-layer pool --layer logits", "--lesion u.csv --to nan --layer logits"]
    {
        assert_eq!(acts(dir.path(), &format!("{TINY} {options} s.csv")).code, 2, "{options}");
    }
}
