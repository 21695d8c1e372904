//! What a unit of `ann-acts` is: pooling, tokens, the unit table, chosen units.
//!
//! `maps.onnx`: maps = (R, G, B, R + G + B), last: the same with channels last, flat: flattened, ratio: maps / maps,
//! means: their means. `vit*.onnx`: patches of 2 x 2 pixels, a 2 x 3 map of them; no prefix (bare), a class token, a
//! class token and two registers; their values were worked out by a second implementation in
//! scripts/make-test-models-units.py.

use ndarray::{Array2, Axis};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use support::*;

#[track_caller]
fn acts(dir: &Path, line: &str) -> Outcome {
    run(dir, &line.replace("MODELS", &root().join("testdata/models").display().to_string()))
}

/// Two pictures of 4 rows and 6 columns, those of scripts/make-test-models-units.py.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("p")).unwrap();
    for i in 0..2 {
        let mut bytes = b"P6 6 4 255\n".to_vec();
        for y in 0..4 {
            for x in 0..6 {
                bytes.extend((0..3).map(|c| (37 * y + 11 * x + 50 * c + 90 * i) as u8));
            }
        }
        fs::write(dir.path().join(format!("p/{i}.ppm")), bytes).unwrap();
    }
    dir
}

/// Level of a colour at a place, without the picture's file.
fn level(i: usize, c: usize, y: usize, x: usize) -> f64 {
    let colour = |c: usize| ((37 * y + 11 * x + 50 * c + 90 * i) % 256) as f64;
    if c < 3 { colour(c) } else { colour(0) + colour(1) + colour(2) }
}

const MAPS: &str = "ann-acts MODELS/maps.onnx --preprocess raw255 p";
const PLACES: usize = 24;

#[test]
fn pooling_gives_each_channels_mean_or_largest_value_whatever_the_layout() {
    let dir = folder();
    let over = |i: usize, c: usize| (0..PLACES).map(move |j| level(i, c, j / 6, j % 6));
    let mean = Array2::from_shape_fn((2, 4), |(i, c)| f64::from((over(i, c).sum::<f64>() / 24.0) as f32));
    let largest = Array2::from_shape_fn((2, 4), |(i, c)| over(i, c).fold(0.0, f64::max));
    for layer in ["maps", "last", "last_relu", "flat"] {
        let pooled = |pool: &str| matrix(&acts(dir.path(), &format!("{MAPS} --layer {layer} --pool {pool}")).ok()).0;
        assert_eq!(pooled("avg"), mean, "{layer}");
        assert_eq!(pooled("max"), largest, "{layer}");
        assert_eq!(pooled("none").ncols(), 4 * PLACES, "{layer}");
    }
    let f8 = acts(dir.path(), &format!("{MAPS} --layer maps --pool avg --dtype f8")).ok();
    assert_eq!(matrix(&f8).0, mean, "the mean of f4 is an f4");
}

#[test]
fn a_layer_without_rows_and_columns_stays_as_it_is_beside_one_that_has_them() {
    let dir = folder();
    let means = matrix(&acts(dir.path(), &format!("{MAPS} --layer means")).ok()).0;
    for layers in ["--layer 'm*'", "--layer maps --layer means"] {
        let all = acts(dir.path(), &format!("{MAPS} {layers} --pool max"));
        let said =
            "--pool max does not apply to 1 of 2 layers, which stay as they are: layer \"means\" has no rows and";
        assert!(all.stderr.contains(said), "{}", all.stderr);
        let mut both = arrays(&all.ok()).into_iter().map(|array| array.into_matrix().unwrap().0.into_f64());
        let largest = matrix(&acts(dir.path(), &format!("{MAPS} --layer maps --pool max")).ok()).0;
        assert_eq!((both.next().unwrap(), both.next().unwrap()), (largest, means.clone()), "{layers}");
    }
    acts(dir.path(), &format!("{MAPS} --layer maps --layer means --pool avg --out-dir o")).ok();
    let pool = |layer: &str| -> Value {
        let side = fs::read(dir.path().join(format!("o/{layer}.json"))).unwrap();
        serde_json::from_slice::<Value>(&side).unwrap()["layer"]["pool"].clone()
    };
    assert_eq!((pool("maps"), pool("means")), ("avg".into(), "none".into()));
    // An option that does nothing is an error, by name and by pattern.
    acts(dir.path(), &format!("{MAPS} --layer means --pool avg")).fails(
        1,
        &["maps.onnx: --pool avg would do nothing: layer \"means\" has no rows and columns to pool (4 channel)"],
    );
    acts(dir.path(), &format!("{MAPS} --layer 'mean*' --pool avg")).fails(1, &["--pool avg would do nothing"]);
    // A map of one place is a map.
    let one = acts(dir.path(), &format!("{MAPS} --layer average --pool max")).ok();
    assert_eq!(one, acts(dir.path(), &format!("{MAPS} --layer average")).ok());
    acts(dir.path(), &format!("{MAPS} --layer maps --tokens mean"))
        .fails(1, &["--tokens mean would do nothing", "has no tokens (4 channel x 4 y x 6 x)"]);
    // What has no clear meaning may have a map: only a pattern passes it by.
    let vit = "ann-acts MODELS/vit.onnx --preprocess raw01 p --layer patches --pool avg";
    acts(dir.path(), &format!("{vit} --layer block0/attention"))
        .fails(1, &["layer \"block0/attention\" has no rows and columns to pool (its axes have no clear meaning)"]);
    acts(dir.path(), &format!("{vit} --layer '*attention'")).ok();
}

#[test]
fn nan_stays_nan_when_pooled() {
    let dir = folder();
    // ratio = maps / maps: 1, and NaN where a level is 0: red of one pixel in either picture.
    for pool in ["avg", "max"] {
        let out = acts(dir.path(), &format!("{MAPS} --layer ratio --pool {pool}"));
        assert!(out.stderr.contains("layer \"ratio\": 2 values are NaN, in 2 of 2 rows"), "{}", out.stderr);
        let pooled = matrix(&out.ok()).0;
        assert!(pooled.column(0).iter().all(|v| v.is_nan()), "{pool}: {pooled}");
        assert!(pooled.slice(ndarray::s![.., 1..]).iter().all(|&v| v == 1.0), "{pool}: {pooled}");
    }
}

/// (layer, unit) -> (channel, y, x, token, column) of a unit table.
fn table(path: &Path) -> HashMap<(String, usize), [Option<usize>; 5]> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.starts_with("layer,unit,channel,y,x,token,column\n"), "{text}");
    let number = |text: &String| text.parse().ok();
    rows(&text)
        .into_iter()
        .map(|row| {
            let cells = ["channel", "y", "x", "token", "column"].map(|name| number(&row[name]));
            ((row["layer"].clone(), number(&row["unit"]).unwrap()), cells)
        })
        .collect()
}

#[test]
fn every_unit_of_the_table_leads_to_the_pixel_it_was_made_of() {
    let dir = folder();
    let layers = "--layer maps --layer last --layer flat --layer means";
    let bytes = acts(dir.path(), &format!("{MAPS} {layers} --unit-table u.csv")).ok();
    let table = table(&dir.path().join("u.csv"));
    let arrays = arrays(&bytes);
    assert_eq!(table.len(), 3 * 96 + 4);
    for (array, layer) in arrays.into_iter().zip(["maps", "last", "flat"]) {
        let values = array.into_matrix().unwrap().0.into_f64();
        for unit in 0..96 {
            let [Some(channel), Some(y), Some(x), None, column] = table[&(layer.to_string(), unit)] else {
                panic!("{layer} {unit}: {:?}", table[&(layer.to_string(), unit)]);
            };
            assert_eq!(values[[1, unit]], level(1, channel, y, x), "{layer} {unit}");
            assert_eq!(column, Some(unit));
        }
    }
    assert_eq!(table[&("means".to_string(), 2)], [Some(2), None, None, None, Some(2)]);
    let side: Value = serde_json::from_slice(&fs::read(dir.path().join("u.json")).unwrap()).unwrap();
    assert_eq!((side["output"].as_str(), side["n_stimuli"].as_u64()), (Some("u.csv"), Some(2)));
    let lines: Vec<String> = fs::read_to_string(dir.path().join("u.csv")).unwrap().lines().map(String::from).collect();
    assert_eq!((lines[1].as_str(), lines[97].as_str()), ("maps,0,0,0,0,,0", "last,0,0,0,0,,0"));
    assert_eq!((lines[2].as_str(), lines[98].as_str()), ("maps,1,0,0,1,,1", "last,1,1,0,0,,1"));
}

#[test]
fn the_table_follows_pooling_and_chosen_units() {
    let dir = folder();
    acts(dir.path(), &format!("{MAPS} --layer last --pool avg --unit-table pooled.csv")).ok();
    let pooled = table(&dir.path().join("pooled.csv"));
    assert_eq!(pooled.len(), 4);
    assert_eq!(pooled[&("last".to_string(), 3)], [Some(3), None, None, None, Some(3)]);
    fs::write(dir.path().join("chosen.csv"), "array,unit\n0,90\n0,5\n").unwrap();
    let full = matrix(&acts(dir.path(), &format!("{MAPS} --layer maps")).ok()).0;
    let out = acts(dir.path(), &format!("{MAPS} --layer maps --units chosen.csv --unit-table u.csv -o m.npy"));
    out.ok();
    let kept = matrix(&fs::read(dir.path().join("m.npy")).unwrap()).0;
    assert_eq!(kept, full.select(Axis(1), &[5, 90]), "ascending");
    let table = table(&dir.path().join("u.csv"));
    // 90 = channel 3, row 3, column 0.
    assert_eq!(table[&("maps".to_string(), 90)], [Some(3), Some(3), Some(0), None, Some(1)]);
    assert_eq!(table[&("maps".to_string(), 5)], [Some(0), Some(0), Some(5), None, Some(0)]);
    let side: Value = serde_json::from_slice(&fs::read(dir.path().join("m.json")).unwrap()).unwrap();
    let layer = &side["layers"][0];
    assert_eq!((layer["n_units"].as_u64(), layer["n_units_before_selection"].as_u64()), (Some(2), Some(96)));
    assert_eq!(layer["axes"][1]["counts"].as_str(), Some("y"));
    assert_eq!(side["units"]["units"].as_str(), Some("chosen.csv"));
    assert!(side["inputs"].as_array().unwrap().iter().any(|input| input["name"] == "chosen.csv"), "{side}");
}

#[test]
fn the_channels_option_overrides_what_four_axes_mean() {
    let dir = folder();
    let pooled = |options: &str| matrix(&acts(dir.path(), &format!("{MAPS} --layer maps --pool max {options}")).ok()).0;
    assert_eq!(pooled("--channels first"), pooled(""));
    // Taken for 4 rows of 4 columns of 6 channels.
    let wrong = pooled("--channels last");
    assert_eq!(wrong.dim(), (2, 6));
    let column = |x: usize| (0..16).map(|j| level(0, j / 4, j % 4, x)).fold(0.0, f64::max);
    assert_eq!(wrong.row(0).to_vec(), (0..6).map(column).collect::<Vec<_>>());
}

/// Values of the second implementation: network, layer -> pictures x (tokens x channels).
fn golden(network: &str, layer: &str) -> Array2<f64> {
    let text = fs::read(root().join("testdata/models/vit-activations.json")).unwrap();
    let all: Value = serde_json::from_slice(&text).unwrap();
    let rows: Vec<Vec<f64>> = serde_json::from_value(all[network][layer].clone()).unwrap();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

/// f4 against f8: values below 5 through some fifty products.
#[track_caller]
fn close(a: &Array2<f64>, b: &Array2<f64>, what: &str) {
    assert_eq!(a.dim(), b.dim(), "{what}");
    a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 2e-5, "{what}: {a} {b}"));
}

#[test]
fn tokens_of_transformers_are_those_of_a_second_implementation() {
    let dir = folder();
    for (network, layer, n_prefix) in [
        ("vit", "block0", 1),
        ("vit", "block1/joined", 1),
        ("vit", "norm", 1),
        ("vit-parts", "norm", 1),
        ("vit-registers", "block0", 3),
        ("vit-registers", "norm", 3),
        ("vit-bare", "norm", 0),
    ] {
        let line = format!("ann-acts MODELS/{network}.onnx --preprocess raw01 --layer {layer} p");
        let tokens = |kind: &str| matrix(&acts(dir.path(), &format!("{line} --tokens {kind}")).ok()).0;
        let all = golden(network, layer);
        let what = format!("{network} {layer}");
        close(&tokens("all"), &all, &what);
        let patches = all.slice(ndarray::s![.., 6 * n_prefix..]).to_owned();
        assert_eq!(patches.ncols(), 36, "6 patches of 6 channels");
        close(&tokens("patches"), &patches, &what);
        let mean = Array2::from_shape_fn((2, 6), |(i, c)| (0..6).map(|t| patches[[i, t * 6 + c]]).sum::<f64>() / 6.0);
        close(&tokens("mean"), &mean, &what);
        if n_prefix > 0 {
            close(&tokens("cls"), &all.slice(ndarray::s![.., ..6]).to_owned(), &what);
        } else {
            acts(dir.path(), &format!("{line} --tokens cls"))
                .fails(1, &["layer \"norm\" has no class token: 6 tokens for 2x3 patches", "--prefix-tokens"]);
        }
    }
}

#[test]
fn units_of_tokens_lead_to_token_channel_and_patch() {
    let dir = folder();
    let line = "ann-acts MODELS/vit-registers.onnx --preprocess raw01 p";
    acts(dir.path(), &format!("{line} --layer norm --layer block0/value --layer block0/attention --unit-table u.csv"))
        .ok();
    let places = table(&dir.path().join("u.csv"));
    let of = |layer: &str, unit: usize| places[&(layer.to_string(), unit)];
    assert_eq!(of("norm", 7), [Some(1), None, None, Some(1), Some(7)], "a register");
    assert_eq!(of("norm", 8 * 6 + 4), [Some(4), Some(1), Some(2), Some(8), Some(52)], "the last patch");
    // Heads x tokens x channels of a head: unit 27 + 10 is head 1, token 3, channel 1 of 3.
    assert_eq!(of("block0/value", 37), [Some(4), Some(0), Some(0), Some(3), Some(37)]);
    assert_eq!(of("block0/attention", 100), [None, None, None, None, Some(100)], "heads x query x key");
    acts(dir.path(), &format!("{line} --layer norm --tokens patches --unit-table p.csv")).ok();
    assert_eq!(
        table(&dir.path().join("p.csv"))[&("norm".to_string(), 1)],
        [Some(1), Some(0), Some(0), Some(3), Some(1)]
    );
    acts(dir.path(), &format!("{line} --layer norm --tokens mean --unit-table m.csv")).ok();
    assert_eq!(table(&dir.path().join("m.csv"))[&("norm".to_string(), 5)], [Some(5), None, None, None, Some(5)]);
    acts(dir.path(), &format!("{line} --layer norm --tokens cls --unit-table c.csv")).ok();
    assert_eq!(table(&dir.path().join("c.csv"))[&("norm".to_string(), 5)], [Some(5), None, None, Some(0), Some(5)]);
    acts(dir.path(), &format!("{line} --layer block0/attention --tokens mean"))
        .fails(1, &["\"block0/attention\" has no tokens", "no clear meaning"]);
    acts(dir.path(), &format!("{line} --layer norm --pool avg"))
        .fails(1, &["no rows and columns", "9 token x 6 channel"]);
}

#[test]
fn several_kinds_of_tokens_come_from_one_pass() {
    let dir = folder();
    let path = |name: &str| dir.path().join(name);
    let line = "ann-acts MODELS/vit-registers.onnx --preprocess raw01 --layer norm --layer block0 p";
    let kinds = ["cls", "mean", "patches", "all"];
    let alone: Vec<Vec<Array2<f64>>> = kinds
        .iter()
        .map(|kind| arrays(&acts(dir.path(), &format!("{line} --tokens {kind}")).ok()))
        .map(|both| both.into_iter().map(|array| array.into_matrix().unwrap().0.into_f64()).collect())
        .collect();
    // In a stream: the kinds of the first layer, then those of the second.
    let stream = acts(dir.path(), &format!("{line} --tokens cls,mean,patches,all -o s.npy"));
    stream.ok();
    let stream = fs::read(path("s.npy")).unwrap();
    let found: Vec<Array2<f64>> =
        arrays(&stream).into_iter().map(|array| array.into_matrix().unwrap().0.into_f64()).collect();
    let expected: Vec<Array2<f64>> = (0..8).map(|i| alone[i % 4][i / 4].clone()).collect();
    assert_eq!(found, expected);
    let side: Value = serde_json::from_slice(&fs::read(path("s.json")).unwrap()).unwrap();
    let said: Vec<(&str, &str)> = side["layers"].as_array().unwrap()[..2]
        .iter()
        .map(|layer| (layer["name"].as_str().unwrap(), layer["tokens"].as_str().unwrap()))
        .collect();
    assert_eq!(said, [("norm.cls", "cls"), ("norm.mean", "mean")]);
    assert_eq!(side["units"]["tokens"], "cls,mean,patches,all");
    // Into a folder, whole, in parts, and gone on with: the rows of separate runs.
    let files = |folder: &str, part: &str| -> Vec<Vec<u8>> {
        ["norm.cls", "norm.mean", "block0.cls", "block0.mean"]
            .iter()
            .map(|stem| fs::read(path(folder).join(format!("{stem}{part}.npy"))).unwrap())
            .collect()
    };
    acts(dir.path(), &format!("{line} --tokens cls,mean --out-dir o")).ok();
    acts(dir.path(), &format!("{line} --tokens cls --out-dir cls")).ok();
    acts(dir.path(), &format!("{line} --tokens mean --out-dir mean")).ok();
    let whole = files("o", "");
    let separate = ["cls/norm", "mean/norm", "cls/block0", "mean/block0"];
    let separate = separate.map(|stem| fs::read(path(&format!("{stem}.npy"))).unwrap());
    for (together, alone) in whole.iter().zip(&separate) {
        // The ids and the numbers; the names of the arrays say which kind they are.
        assert_eq!(matrix(together), matrix(alone));
    }
    acts(dir.path(), &format!("{line} --tokens cls,mean --out-dir r --resume --batch 1")).ok();
    let again = acts(dir.path(), &format!("{line} --tokens cls,mean --out-dir r --resume --batch 1"));
    assert!(again.stderr.contains("all 2 rows of r/norm.cls.npy are there already"), "{}", again.stderr);
    acts(dir.path(), &format!("{line} --tokens cls,mean --out-dir b --batch 1")).ok();
    assert_eq!(files("r", ""), files("b", ""));
    for i in 0..2 {
        acts(dir.path(), &format!("{line} --tokens cls,mean --out-dir o --shard {i}/2")).ok();
        for (part, all) in files("o", &format!(".shard-{i}-of-2")).iter().zip(&whole) {
            assert_eq!(matrix(part).0, matrix(all).0.slice(ndarray::s![i..i + 1, ..]));
        }
    }
    // Projections have one component basis for each.
    let pca = "--pca 1 --pca-fit p";
    let two = acts(dir.path(), &format!("{line} --tokens cls,mean {pca}")).ok();
    let one = acts(dir.path(), &format!("{line} --tokens mean {pca}")).ok();
    assert_eq!(arrays(&two)[1].values, arrays(&one)[0].values);
    acts(dir.path(), &format!("{line} --tokens cls,mean --resume -o n.npy"))
        .fails(1, &["--resume needs a file for each of 4 arrays; give --out-dir"]);
    acts(dir.path(), &format!("{line} --tokens cls,mean,cls"))
        .fails(1, &["--tokens: cls is asked for twice; name each kind once"]);
    acts(dir.path(), &format!("{line} --tokens cls,token")).fails(2, &["'token'", "cls"]);
}

#[test]
fn a_kind_of_tokens_that_a_layer_has_not_makes_no_array() {
    let dir = folder();
    let line = "ann-acts MODELS/vit-bare.onnx --preprocess raw01 p --tokens cls,mean";
    acts(dir.path(), &format!("{line} --layer norm")).fails(1, &["layer \"norm\" has no class token"]);
    acts(dir.path(), &format!("{line} --layer 'norm*'")).fails(1, &["--tokens cls would do nothing", "no class token"]);
    let vit = "ann-acts MODELS/vit.onnx --preprocess raw01 p --tokens cls,mean";
    let out = acts(dir.path(), &format!("{vit} --layer patches --layer norm --out-dir o"));
    for kind in ["cls", "mean"] {
        let said =
            format!("--tokens {kind} does not apply to 1 of 2 layers, which give no LAYER.{kind}: layer \"patches");
        assert!(out.stderr.contains(&said), "{}", out.stderr);
    }
    out.ok();
    let mut names: Vec<String> = fs::read_dir(dir.path().join("o"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".npy"))
        .collect();
    names.sort();
    assert_eq!(names, ["norm.cls.npy", "norm.mean.npy", "patches.npy"]);
    let map = acts(dir.path(), "ann-acts MODELS/vit.onnx --preprocess raw01 p --layer patches").ok();
    assert_eq!(matrix(&fs::read(dir.path().join("o/patches.npy")).unwrap()), matrix(&map));
}

#[test]
fn units_of_one_kind_of_tokens_are_not_those_of_another() {
    let dir = folder();
    let write = |text: &str| fs::write(dir.path().join("u.csv"), text).unwrap();
    let line = "ann-acts MODELS/vit-registers.onnx --preprocess raw01 --layer norm p";
    let of = |rest: &str| acts(dir.path(), &format!("{line} --units u.csv {rest}"));
    let all = |kind: &str| matrix(&acts(dir.path(), &format!("{line} --tokens {kind}")).ok()).0;
    write("array,unit\nnorm.cls,2\nnorm.mean,5\nnorm.cls,0\n");
    let both = arrays(&of("--tokens cls,mean --unit-table t.csv").ok());
    let both: Vec<Array2<f64>> = both.into_iter().map(|array| array.into_matrix().unwrap().0.into_f64()).collect();
    assert_eq!(both, [all("cls").select(Axis(1), &[0, 2]), all("mean").select(Axis(1), &[5])]);
    let places = table(&dir.path().join("t.csv"));
    assert_eq!(places[&("norm.cls".to_string(), 2)], [Some(2), None, None, Some(0), Some(1)]);
    assert_eq!(places[&("norm.mean".to_string(), 5)], [Some(5), None, None, None, Some(0)]);
    // One kind of the same table.
    assert_eq!(matrix(&of("--tokens mean").ok()).0, all("mean").select(Axis(1), &[5]));
    write("array,unit\nnorm.cls,2\n");
    assert_eq!(matrix(&of("--tokens cls").ok()).0, all("cls").select(Axis(1), &[2]));
    for kinds in ["--tokens mean", "--tokens patches", ""] {
        of(kinds).fails(1, &["the units are of layer \"norm.cls\", not of \"norm\"; unit numbers are one layer's"]);
    }
    write("array,unit\nnorm,2\n");
    of("--tokens cls,mean").fails(1, &["no rows about layer \"norm.cls\"; the table speaks of norm"]);
}

#[test]
fn the_number_of_prefix_tokens_can_be_said() {
    let dir = folder();
    let line = "ann-acts MODELS/vit-registers.onnx --preprocess raw01 --layer norm p";
    let all = golden("vit-registers", "norm");
    let five = matrix(&acts(dir.path(), &format!("{line} --tokens patches --prefix-tokens 5")).ok()).0;
    close(&five, &all.slice(ndarray::s![.., 30..]).to_owned(), "prefix of 5");
    acts(dir.path(), &format!("{line} --tokens mean --prefix-tokens 9"))
        .fails(1, &["layer \"norm\" has 9 tokens, --prefix-tokens 9 leaves none"]);
    acts(dir.path(), &format!("{line} --tokens cls --prefix-tokens 0"))
        .fails(1, &["--prefix-tokens 0 leaves no class token"]);
    // Without a map of patches nothing is guessed: here the tokens are colours by rows.
    let tokens = "ann-acts MODELS/tokens.onnx --preprocess raw255 --resize 2x2 --layer tokens --tokens mean p";
    acts(dir.path(), tokens).fails(1, &["layer \"tokens\""]);
}

#[test]
fn chosen_units_are_matched_by_layer_and_their_faults_are_named() {
    let dir = folder();
    let write = |text: &str| fs::write(dir.path().join("u.csv"), text).unwrap();
    let kept = |line: &str| acts(dir.path(), &format!("{MAPS} {line} --units u.csv"));
    write("layer,unit,t\nmeans,3,9.5\nmaps,1,8\nmeans,0,7.5\nlast,2,7\n");
    let out = kept("--layer maps --layer means");
    assert!(out.stderr.contains("u.csv: rows about last are not used"), "{}", out.stderr);
    let shapes: Vec<Vec<usize>> = arrays(&out.ok()).into_iter().map(|array| array.shape).collect();
    assert_eq!(shapes, [[2, 1], [2, 2]]);
    kept("--layer flat").fails(1, &["maps.onnx: u.csv: no rows about layer \"flat\"", "last, maps, means"]);
    write("array,unit\nsomething,3\n");
    let out = kept("--layer means");
    assert!(out.stderr.contains("u.csv: array \"something\" is taken for layer \"means\""), "{}", out.stderr);
    assert_eq!(
        matrix(&out.ok()).0,
        matrix(&acts(dir.path(), &format!("{MAPS} --layer means")).ok()).0.select(Axis(1), &[3])
    );
    write("array,unit\nmaps,3\n");
    kept("--layer flat").fails(1, &["the units are of layer \"maps\", not of \"flat\""]);
    // A module's or a node's name is a layer's as well, and a place in a longer pipe is nobody's.
    let torch = "ann-acts MODELS/layers-torchscript.onnx --preprocess raw255 p --units u.csv";
    let of = |line: &str| acts(dir.path(), &format!("{torch} {line}"));
    for name in ["layer1.0.conv1", "/layer1/layer1.0/conv1/Conv", "layer1_layer1.0_conv1_Conv_output_0"] {
        write(&format!("array,unit\n{name},5\n"));
        of("--layer stem").fails(1, &["the units are of layer", "not of \"stem\"; unit numbers are one layer's"]);
        assert_eq!(matrix(&of("--layer layer1.0.conv1").ok()).0.ncols(), 1, "{name}");
    }
    write("array,unit\n0,5\n1,7\n");
    of("--layer layer1.0.conv1").fails(1, &["no rows about layer \"layer1.0.conv1\"", "0, 1"]);
    of("--layer stem --layer layer1.0.conv1").ok();
    write("array,unit\n1,5\n");
    of("--layer stem --layer layer1.0.conv1").fails(1, &["no rows about layer \"stem\""]);
    // Of several contrasts one is chosen.
    write("layer,unit,contrast\nmeans,3,faces > rest\nmeans,0,places > rest\nmeans,1,faces > rest\n");
    kept("--layer means").fails(1, &["u.csv: rows of 2 contrasts (faces > rest; places > rest)", "with --contrast"]);
    kept("--layer means --contrast 'cars > rest'")
        .fails(1, &["u.csv: no rows of contrast \"cars > rest\"", "faces > rest;"]);
    assert_eq!(
        matrix(&kept("--layer means --contrast 'faces > rest'").ok()).0,
        matrix(&acts(dir.path(), &format!("{MAPS} --layer means")).ok()).0.select(Axis(1), &[1, 3])
    );
    for wrong in ["--layer means --contrast 'a > b' p", "--list-layers --contrast 'a > b'", "--doctor --fold 1 p"] {
        acts(dir.path(), &format!("ann-acts MODELS/maps.onnx {wrong}")).fails(2, &["--"]);
    }
    write("unit\n4\n1\n");
    kept("--layer means").fails(1, &["unit 4 is asked for, but layer \"means\" has 4 (0 to 3)", "--pool"]);
    kept("--layer means --layer maps").fails(1, &["names no layer", "2 layers are asked for"]);
    write("unit\n1\n1\n");
    kept("--layer means").fails(1, &["unit 1 stands in it more than once (2 rows)"]);
    write("array,unit\n");
    kept("--layer means").fails(1, &["u.csv: 0 units; nothing was selected"]);
    write("voxel\n1\n");
    kept("--layer means").fails(1, &["u.csv: no column \"unit\"", "voxel"]);
    write("unit\n-1\n");
    kept("--layer means").fails(1, &["u.csv: row 0 (line 2) of column \"unit\" is \"-1\""]);
}

#[test]
fn select_units_feeds_units_in_a_pipe() {
    let dir = folder();
    fs::write(dir.path().join("s.csv"), "path,kind\np/0.ppm,a\np/1.ppm,b\np/0.ppm,a\n").unwrap();
    fs::write(dir.path().join("s4.csv"), "path,stimulus,kind\np/0.ppm,q,a\np/0.ppm,r,a\np/1.ppm,s,b\np/1.ppm,t,b\n")
        .unwrap();
    let models = root().join("testdata/models");
    let net = format!("ann-acts {}/maps.onnx --preprocess raw255 -q --layer maps", models.display());
    let select = "select-units -q --stimuli s4.csv --by kind --contrast 'b > a' --top 5";
    let line = format!("{net} s4.csv | {select} > u.csv && {net} --units u.csv s4.csv > file.npy");
    sh(dir.path(), &line).ok();
    sh(dir.path(), &format!("{net} s4.csv | {select} | {net} --units - s4.csv > pipe.npy")).ok();
    let file = fs::read(dir.path().join("file.npy")).unwrap();
    assert_eq!(file, fs::read(dir.path().join("pipe.npy")).unwrap());
    sh(dir.path(), &format!("{net} s4.csv | npy cols -q --units u.csv > cols.npy")).ok();
    let (by_cols, _) = matrix(&fs::read(dir.path().join("cols.npy")).unwrap());
    let chosen: Vec<usize> = rows(&fs::read_to_string(dir.path().join("u.csv")).unwrap())
        .iter()
        .map(|r| r["unit"].parse().unwrap())
        .collect();
    let mut ascending: Vec<usize> = (0..chosen.len()).collect();
    ascending.sort_by_key(|&i| chosen[i]);
    assert_eq!(matrix(&file).0, by_cols.select(Axis(1), &ascending));
    let out = sh(dir.path(), &format!("printf 'unit\\n0\\n' | {net} --units - -"));
    assert_eq!(out.code, 1);
    assert!(out.stderr.contains("at most one input may be -"), "{}", out.stderr);
}

#[test]
fn threads_batches_and_shards_do_not_change_what_is_read_out() {
    let dir = folder();
    fs::write(dir.path().join("u.csv"), "unit\n3\n0\n").unwrap();
    for options in ["--layer maps --pool avg", "--layer maps --pool max --units u.csv", "--layer last --units u.csv"] {
        let line = format!("{MAPS} {options}");
        let expected = acts(dir.path(), &line).ok();
        for more in ["--threads 1", "--threads 3 --batch 1", "--batch 2"] {
            assert_eq!(acts(dir.path(), &format!("{line} {more}")).ok(), expected, "{options} {more}");
        }
        let shard = |i: usize| matrix(&acts(dir.path(), &format!("{line} --shard {i}/2")).ok()).0;
        assert_eq!(ndarray::concatenate![Axis(0), shard(0), shard(1)], matrix(&expected).0);
    }
}

#[test]
fn a_run_that_fails_leaves_no_unit_table() {
    let dir = folder();
    acts(dir.path(), &format!("{MAPS} --layer means --pool avg --unit-table u.csv")).fails(1, &["no rows and columns"]);
    acts(dir.path(), &format!("{MAPS} --layer means --unit-table no/u.csv")).fails(1, &["no/u.csv"]);
    acts(dir.path(), &format!("{MAPS} --layer means --unit-table -"))
        .fails(1, &["--unit-table -: stdout is for the main output"]);
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["p"]);
}
