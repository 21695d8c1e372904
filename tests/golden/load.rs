//! Reading the golden files, and comparing with them.

use ndarray::{Array2, ArrayView2, Axis};
use npy_stream::{Array, NpyReader, Values};
use serde_json::Value;
use std::fs::File;
use std::path::PathBuf;

/// `testdata/golden/NAME`.
pub fn path(name: &str) -> PathBuf {
    support::root().join("testdata/golden").join(name)
}

/// A table of numbers.
#[track_caller]
pub fn json(name: &str) -> Value {
    let text = std::fs::read(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    serde_json::from_slice(&text).unwrap()
}

/// Every array in the file.
#[track_caller]
pub fn arrays(name: &str) -> Vec<Array> {
    let file = File::open(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    NpyReader::from_file(file).unwrap().read_all().unwrap()
}

/// The only matrix in the file, in f8, and its labels (none: an empty list).
#[track_caller]
pub fn matrix(name: &str) -> (Array2<f64>, Vec<String>) {
    let (matrix, labels) = arrays(name).remove(0).into_matrix().unwrap();
    (matrix.into_f64(), labels.ids.unwrap_or_default())
}

/// A 3-d array as a list of matrices.
#[track_caller]
pub fn matrices(name: &str) -> Vec<Array2<f64>> {
    let array = arrays(name).remove(0);
    let &[n, rows, columns] = array.shape.as_slice() else { panic!("{name}: shape {:?}", array.shape) };
    let values = match array.values {
        Values::F8(v) => ndarray::Array3::from_shape_vec((n, rows, columns), v).unwrap(),
        Values::F4(_) => panic!("{name}: expected f8"),
    };
    values.axis_iter(Axis(0)).map(|m: ArrayView2<f64>| m.to_owned()).collect()
}

/// One number: `null` is NaN, "inf" and "-inf" are themselves.
#[track_caller]
pub fn number(value: &Value) -> f64 {
    match value {
        Value::Null => f64::NAN,
        Value::String(s) => s.parse().unwrap(),
        other => other.as_f64().unwrap_or_else(|| panic!("not a number: {other}")),
    }
}

/// A list of numbers.
#[track_caller]
pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}")).iter().map(number).collect()
}

/// A list of counts or indices.
#[track_caller]
pub fn counts(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|v| v as usize).collect()
}

/// Equal within `tolerance * max(1, |expected|)`; NaN equals NaN, infinity equals itself.
#[track_caller]
pub fn close(what: &str, got: f64, expected: f64, tolerance: f64) {
    let equal = got == expected
        || (got.is_nan() && expected.is_nan())
        || (got - expected).abs() <= tolerance * expected.abs().max(1.0);
    assert!(equal, "{what}: {got} but the reference says {expected} (tolerance {tolerance})");
}

/// [`close`] for each element.
#[track_caller]
pub fn all_close(what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: another number of values");
    for (i, (&g, &e)) in got.iter().zip(expected).enumerate() {
        close(&format!("{what} [{i}]"), g, e, tolerance);
    }
}
