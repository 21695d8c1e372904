//! `rsa` through its binary: RDMs, comparisons, systems, inference, searchlights, ties.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

mod compare;
mod equal;
mod fit;
mod fold_noise;
mod folds;
mod given_noise;
mod groups;
mod inference;
mod mds;
mod merging;
mod model;
mod rdm;
mod repeats;
mod searchlight;
mod systems;
mod ties;

use ndarray::Array2;
use npy_stream::{Dtype, write_vector};
use serde_json::Value;
use std::fs;
use std::path::Path;
use support::*;
use tempfile::{TempDir, tempdir};

/// A folder with the golden files of the designs.
fn designs() -> TempDir {
    let dir = tempdir().unwrap();
    for folder in ["design", "rdm"] {
        for entry in fs::read_dir(root().join("testdata/golden").join(folder)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
    }
    dir
}

fn json(dir: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(dir.join(name)).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

/// The only RDM in these bytes.
#[track_caller]
fn rdm(bytes: &[u8]) -> (Vec<f64>, Vec<String>) {
    let mut all = arrays(bytes);
    assert_eq!(all.len(), 1);
    let array = all.remove(0);
    (array.values.into_f64(), array.labels.ids.unwrap_or_default())
}

/// The first matrix in a file, in f8, and its ids.
fn read_f8(dir: &Path, name: &str) -> (Array2<f64>, Vec<String>) {
    let array = arrays(&fs::read(dir.join(name)).unwrap()).remove(0);
    let shape = (array.shape[0], array.shape[1]);
    (Array2::from_shape_vec(shape, array.values.into_f64()).unwrap(), array.labels.ids.unwrap_or_default())
}

/// Within `tolerance` of the largest value.
#[track_caller]
fn near(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().filter(|v| v.is_finite()).fold(0.0f64, |m, v| m.max(v.abs()));
    for (k, (f, e)) in found.iter().zip(expected).enumerate() {
        let same = (f - e).abs() <= tolerance * largest || (f.is_nan() && e.is_nan());
        assert!(same, "{what}, pair {k}: {f} for {e}");
    }
}

/// Within `tolerance` of each value, or of 1 where that is smaller.
#[track_caller]
fn near_each(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (k, (f, e)) in found.iter().zip(expected).enumerate() {
        let same = (f - e).abs() <= tolerance * e.abs().max(1.0) || (f.is_nan() && e.is_nan());
        assert!(same, "{what}, pair {k}: {f} for {e}");
    }
}

fn save_rdm(path: &Path, values: &[f64], labels: &str) {
    let labels: Vec<String> = labels.split(' ').map(String::from).collect();
    let mut bytes = Vec::new();
    write_vector(&mut bytes, values, Dtype::F8, Some(&labels)).unwrap();
    fs::write(path, bytes).unwrap();
}
