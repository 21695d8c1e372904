//! Untrained twins as controls: normalizations that exporters folded, the pictures they are measured on, and what is
//! said of a twin that lost the pictures. The networks are those of `scripts/make-test-models-weights.py`.

use ndarray::{Array2, Axis, s};
use serde_json::Value;
use std::fs;
use std::path::Path;
use support::*;

#[track_caller]
fn acts(dir: &Path, line: &str) -> Outcome {
    run(dir, &line.replace("MODELS", &root().join("testdata/models").display().to_string()))
}

/// `pics.csv`: 64 pictures of 8 x 8 in four categories, each a texture of its own under noise; `a.csv` and `b.csv`, its
/// halves.
fn pictures() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut tables = [String::new(), String::new()];
    let mut state = 1u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 90
    };
    for i in 0..64u64 {
        let mut bytes = b"P6 8 8 255\n".to_vec();
        for place in 0..64u64 {
            let (x, y) = (place % 8, place / 8);
            let texture = [x % 2, y % 2, (x + y) % 4 / 2, (x / 4 + y / 4) % 2][i as usize % 4];
            bytes.extend([0, 1, 2].map(|colour| (texture * (120 + 15 * colour) + noise()) as u8));
        }
        fs::write(dir.path().join(format!("{i:02}.ppm")), bytes).unwrap();
        tables[(i / 4 % 2) as usize] +=
            &format!("{i:02}.ppm,{}\n", ["rows", "columns", "steps", "blocks"][i as usize % 4]);
    }
    let head = "path,category\n";
    fs::write(dir.path().join("a.csv"), format!("{head}{}", tables[0])).unwrap();
    fs::write(dir.path().join("b.csv"), format!("{head}{}", tables[1])).unwrap();
    fs::write(dir.path().join("pics.csv"), format!("{head}{}{}", tables[0], tables[1])).unwrap();
    dir
}

const NET: &str = "--preprocess imagenet --resize 8x8 --interpolation nearest";

fn layers(dir: &Path, line: &str) -> Vec<Array2<f64>> {
    let out = acts(dir, line).ok();
    arrays(&out).into_iter().map(|array| array.into_matrix().unwrap().0.into_f64()).collect()
}

fn sidecar(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("x.json")).unwrap()).unwrap()
}

/// Largest difference over the root mean square of `a`.
fn apart(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let rms = (a.mapv(|v| v * v).mean().unwrap()).sqrt();
    (a - b).iter().fold(0.0f64, |most, d| most.max(d.abs())) / rms
}

#[test]
fn a_twin_is_the_same_with_its_normalizations_folded_and_unfolded() {
    let dir = pictures();
    let asked = "--layer conv1 --layer act4 --layer pool --layer fc";
    let line =
        |model: &str, options: &str| format!("ann-acts MODELS/twin-{model}.onnx {NET} {asked} {options} pics.csv");
    // The three files hold one trained network.
    let trained = layers(dir.path(), &line("unfolded", ""));
    for folded in ["names", "scales"] {
        for (a, b) in trained.iter().zip(&layers(dir.path(), &line(folded, ""))) {
            assert!(apart(a, b) < 1e-4, "{folded}: {}", apart(a, b));
        }
    }
    for scheme in ["he", "lecun"] {
        let unfolded = layers(dir.path(), &line("unfolded", &format!("--untrained 5:{scheme}")));
        for (folded, told) in [("names", "the exporter's names"), ("scales", "the scales of kernels and biases")] {
            let out = acts(dir.path(), &line(folded, &format!("--untrained 5:{scheme} -o x.npy")));
            let said = format!(
                "8 of 9 convolutions and matrices are standardized per channel, as the normalizations folded into them did \
                 ({told})"
            );
            assert!(out.stderr.contains(&said), "{}", out.stderr);
            assert!(!out.stderr.contains("warning"), "a healthy twin makes no alarm: {}", out.stderr);
            out.ok();
            let side = sidecar(dir.path());
            let places = side["untrained"]["normalization"]["standardized"].as_array().unwrap().clone();
            let tensors: Vec<&str> = places.iter().map(|place| place["tensor"].as_str().unwrap()).collect();
            assert_eq!(tensors, (0..8).map(|k| format!("conv{k}")).collect::<Vec<_>>());
            assert!(places.iter().all(|place| place["told_by"] == told));
            let checked = side["twin_check"]["layers"].as_array().unwrap();
            assert_eq!(
                checked.iter().map(|l| l["layer"].as_str().unwrap()).collect::<Vec<_>>(),
                ["conv1", "act4", "pool", "fc"]
            );
            assert!(checked.iter().all(|l| l["alarm"].is_null()), "{checked:?}");
            let twin = layers(dir.path(), &line(folded, &format!("--untrained 5:{scheme}")));
            for (a, b) in unfolded.iter().zip(&twin) {
                // One rounding to f4 per layer on either side.
                assert!(apart(a, b) < 1e-4, "{folded} {scheme}: {}", apart(a, b));
            }
        }
        let plain = layers(dir.path(), &line("names", &format!("--untrained 5:{scheme} --normalize none")));
        assert!(apart(&unfolded[1], &plain[1]) > 0.1, "without them it is another network");
    }
}

#[test]
fn standardized_outputs_have_mean_zero_and_variance_one_on_the_pictures_they_are_measured_on() {
    let dir = pictures();
    for scheme in ["he", "lecun", "shuffle"] {
        let line =
            format!("ann-acts MODELS/twin-names.onnx {NET} --untrained 2:{scheme} --layer conv0 --layer conv7 a.csv");
        for layer in layers(dir.path(), &line) {
            for channel in 0..8 {
                let values = layer.slice(s![.., channel * 64..(channel + 1) * 64]);
                let mean = values.mean().unwrap();
                let variance = values.mapv(|v| (v - mean).powi(2)).mean().unwrap();
                assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-3, "{scheme} {channel}: {mean} {variance}");
            }
        }
    }
    // Every matrix too, over all tokens.
    for (model, layer, n_channels, least) in [
        ("twin-scales", "fc", 12, 0.99),
        ("weights-linear", "product", 500, 0.5),
        ("vit-bare", "block0/fc1/product", 12, 0.99),
    ] {
        let line = format!("ann-acts MODELS/{model}.onnx {NET} --untrained 2 --normalize all --layer {layer}");
        let line = if model == "vit-bare" { line.replace("8x8", "4x6") } else { line };
        let found = layers(dir.path(), &format!("{line} a.csv")).remove(0);
        for channel in 0..n_channels {
            let of: Vec<usize> = (channel..found.ncols()).step_by(n_channels).collect();
            let values = found.select(Axis(1), &of);
            let mean = values.mean().unwrap();
            let variance = values.mapv(|v| (v - mean).powi(2)).mean().unwrap();
            // Below 1 by what the epsilon is to a small variance.
            assert!(mean.abs() < 1e-4 && (least..1.0001).contains(&variance), "{model} {channel}: {mean} {variance}");
        }
    }
}

#[test]
fn a_twin_that_is_calibrated_on_one_set_is_one_network_for_all_sets() {
    let dir = pictures();
    let line = |rest: &str| format!("ann-acts MODELS/twin-names.onnx {NET} --untrained 3 --layer pool {rest}");
    let both = layers(dir.path(), &line("--calibrate-on a.csv pics.csv")).remove(0);
    let own = layers(dir.path(), &line("a.csv")).remove(0);
    let other = layers(dir.path(), &line("--calibrate-on a.csv b.csv")).remove(0);
    assert_eq!(both.slice(s![..32, ..]), own, "those shown are what it is measured on where nothing is said");
    assert_eq!(both.slice(s![32.., ..]), other);
    assert!(apart(&layers(dir.path(), &line("b.csv")).remove(0), &other) > 1e-3, "another network otherwise");
    acts(dir.path(), &line("--calibrate-on a.csv b.csv -o x.npy")).ok();
    let measured = sidecar(dir.path())["untrained"]["calibration"]["stimuli"].as_array().unwrap().clone();
    assert_eq!((measured.len(), measured[1].as_str()), (32, Some("01.ppm")));
    let few = acts(dir.path(), &line("--calibrate-on 00.ppm -q b.csv"));
    assert!(few.stderr.contains("warning: --untrained: statistics of 1 pictures"), "{}", few.stderr);
    // Nothing to measure, no twin, no such pictures.
    let plain =
        format!("ann-acts MODELS/weights-linear.onnx {NET} --untrained 3 --layer wide --calibrate-on a.csv b.csv");
    let refused = acts(dir.path(), &plain);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("this twin has no normalization to measure"), "{}", refused.stderr);
    assert_eq!(acts(dir.path(), &line("--calibrate-on a.csv b.csv").replace("--untrained 3", "")).code, 2);
    let missing = acts(dir.path(), &line("--calibrate-on none.csv b.csv"));
    assert!(missing.code == 1 && missing.stderr.contains("--calibrate-on"), "{}", missing.stderr);
}

#[test]
fn a_network_that_takes_one_picture_is_measured_layer_by_layer() {
    let dir = pictures();
    let line = |model: &str| format!("ann-acts MODELS/{model}.onnx {NET} --untrained 4 --layer pool a.csv");
    let open = layers(dir.path(), &line("weights-bn")).remove(0);
    let out = acts(dir.path(), &line("weights-bn-single"));
    assert!(out.stderr.contains("measured on 32 pictures, layer by layer"), "{}", out.stderr);
    let single = arrays(&out.ok()).remove(0).into_matrix().unwrap().0.into_f64();
    assert!(apart(&open, &single) < 1e-5, "{}", apart(&open, &single));
}

#[test]
fn a_twin_that_lost_the_pictures_is_a_warning_that_quiet_does_not_hide() {
    let dir = pictures();
    // Skip connections without a normalization: every block doubles what it gets.
    let line = "ann-acts MODELS/twin-exploding.onnx --preprocess imagenet --resize 8x8 --untrained 1 --layer sum39 -q -o x.npy \
                pics.csv";
    let out = acts(dir.path(), line);
    assert!(out.stderr.starts_with("ann-acts: warning: --untrained: layer \"sum39\" of the twin has activations of "));
    assert!(out.stderr.ends_with(". It is no control for what training adds\n"), "{}", out.stderr);
    assert_eq!(out.stderr.lines().count(), 1, "{}", out.stderr);
    out.ok();
    let layer = &sidecar(dir.path())["twin_check"]["layers"][0];
    let rms = |of: &str| layer[of]["rms"].as_f64().unwrap();
    assert!(rms("twin") > 1000.0 * rms("trained"), "{layer}");
    assert!(layer["alarm"].as_str().unwrap().contains("activations of"));
    // With normalizations nothing is wrong, and --quiet is quiet.
    let line = format!("ann-acts MODELS/twin-names.onnx {NET} --untrained 1 --layer act4 pics.csv");
    assert_eq!(acts(dir.path(), &format!("{line} -q")).stderr, "");
    // Figures of a healthy one, on a line of its own.
    let healthy = acts(dir.path(), &line);
    let said =
        healthy.stderr.lines().find(|l| l.contains("layer \"act4\": twin (trained): dead ")).unwrap().to_string();
    for figure in ["saturated ", "rms ", "1 - r within categories ", "between ", "gap in sd ", "dimensions "] {
        assert!(said.contains(figure), "{figure}: {said}");
    }
}

#[test]
fn a_damaged_picture_is_for_the_run_to_judge_and_not_for_the_check() {
    let dir = pictures();
    fs::write(dir.path().join("cut.ppm"), b"P6 8 8 255\nnot all").unwrap();
    let table = fs::read_to_string(dir.path().join("pics.csv")).unwrap();
    fs::write(dir.path().join("cut.csv"), format!("{table}cut.ppm,rows\n")).unwrap();
    let line = |table: &str, options: &str| {
        format!(
            "ann-acts MODELS/twin-names.onnx {NET} --untrained 1 --calibrate-on pics.csv --layer fc {options} {table}"
        )
    };
    let written = |table: &str, options: &str| {
        acts(dir.path(), &line(table, &format!("{options} -o x.npy"))).ok();
        let rows = arrays(&fs::read(dir.path().join("x.npy")).unwrap()).remove(0).into_matrix().unwrap().0.into_f64();
        (rows, sidecar(dir.path())["twin_check"].clone())
    };
    let (sound, of_sound) = written("pics.csv", "");
    let (found, of_found) = written("cut.csv", "--bad-image nan");
    assert_eq!(found.slice(s![..64, ..]), sound);
    assert!(found.row(64).iter().all(|v| v.is_nan()));
    assert_eq!((&of_sound["n_pictures"], of_found), (&64.into(), of_sound.clone()));
    let stops = acts(dir.path(), &line("cut.csv", ""));
    assert!(stops.code == 1 && stops.stderr.contains("cut.ppm: damaged picture"), "{}", stops.stderr);
}

#[test]
fn a_layer_that_never_saw_the_pictures_makes_no_alarm() {
    let dir = pictures();
    // Constants of the graph are the same in both networks; tables of positions stay without a word.
    let line =
        "ann-acts MODELS/weights-parts.onnx --preprocess raw255 --resize 2x2 --untrained 3 --layer placed -q pics.csv";
    assert_eq!(acts(dir.path(), line).stderr, "");
}

#[test]
fn what_normalize_means_without_a_twin_or_without_anything_to_standardize() {
    let dir = pictures();
    assert_eq!(
        acts(dir.path(), &format!("ann-acts MODELS/twin-names.onnx {NET} --normalize all --layer fc pics.csv")).code,
        2
    );
    let out =
        acts(dir.path(), &format!("ann-acts MODELS/weights-linear.onnx {NET} --untrained 1 --layer wide pics.csv"));
    assert!(out.stderr.contains("none seems folded into its weights"), "{}", out.stderr);
    let none = acts(
        dir.path(),
        &format!("ann-acts MODELS/twin-names.onnx {NET} --untrained 1 --normalize none --layer fc pics.csv"),
    );
    assert!(none.stderr.contains("(--normalize none)"), "{}", none.stderr);
    // What is in the graph is measured all the same.
    let bn = format!("ann-acts MODELS/weights-bn.onnx {NET} --untrained 1 --normalize none --layer pool pics.csv");
    assert!(acts(dir.path(), &bn).stderr.contains("statistics of 2 batch normalizations measured"));
}
