//! Files that NumPy wrote, and what it says they hold.

use crate::load::{arrays, json, number, path};
use npy_stream::{Array, NpyReader, Values};
use serde_json::Value;
use std::fs::File;

/// One array as NumPy describes it; a text array behind it is its labels.
struct Expected {
    shape: Vec<u64>,
    dtype: String,
    values: Vec<f64>,
    labels: Option<Vec<String>>,
}

fn expected(list: &Value) -> Vec<Expected> {
    let mut out: Vec<Expected> = Vec::new();
    for item in list.as_array().unwrap() {
        if let Some(labels) = item.get("labels") {
            let labels = labels.as_array().unwrap().iter().map(|l| l.as_str().unwrap().to_owned()).collect();
            out.last_mut().unwrap().labels = Some(labels);
            continue;
        }
        out.push(Expected {
            shape: item["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect(),
            dtype: item["dtype"].as_str().unwrap().to_owned(),
            values: item["values"].as_array().unwrap().iter().map(number).collect(),
            labels: None,
        });
    }
    out
}

#[track_caller]
fn same(file: &str, got: Vec<Array>, list: &Value) {
    let expected = expected(list);
    assert_eq!(got.len(), expected.len(), "{file}: number of arrays");
    for (array, Expected { shape, dtype, values, labels }) in got.into_iter().zip(expected) {
        let got_shape: Vec<u64> = array.shape.iter().map(|&n| n as u64).collect();
        assert_eq!(got_shape, shape, "{file}");
        assert_eq!(array.labels.ids, labels, "{file}");
        let held_in_f4 = matches!(array.values, Values::F4(_));
        let fits_f4 = ["f2", "f4", "i1", "u1", "b1", "i2", "u2"].contains(&&dtype[1..]);
        assert_eq!(held_in_f4, fits_f4, "{file}: {dtype} held in the wrong precision");
        // bits, not values: -0.0 and every subnormal must arrive as they are
        let bits = |v: &f64| if v.is_nan() { f64::NAN.to_bits() } else { v.to_bits() };
        let got: Vec<u64> = array.values.into_f64().iter().map(bits).collect();
        let want: Vec<u64> = values.iter().map(bits).collect();
        assert_eq!(got, want, "{file}: {values:?}");
    }
}

#[test]
fn every_file_that_numpy_wrote_is_read_from_a_file_as_numpy_reads_it() {
    let table = json("npy/expected.json");
    let table = table.as_object().unwrap();
    assert!(table.len() > 40, "only {} files", table.len());
    for (file, list) in table {
        same(file, arrays(&format!("npy/{file}")), list);
    }
}

#[test]
fn every_file_that_numpy_wrote_is_read_from_a_pipe_as_numpy_reads_it() {
    for (file, list) in json("npy/expected.json").as_object().unwrap() {
        let file_handle = File::open(path(&format!("npy/{file}"))).unwrap();
        same(file, NpyReader::from_pipe(file_handle).read_all().unwrap(), list);
    }
}

#[test]
fn what_numpy_wrote_as_we_would_is_written_again_byte_for_byte() {
    for file in ["f4-le-c.npy", "f8-le-c.npy", "header-1.npy", "no-rows.npy", "no-columns.npy"] {
        let mut bytes = Vec::new();
        for array in arrays(&format!("npy/{file}")) {
            npy_stream::write_array(&mut bytes, &array).unwrap();
        }
        assert_eq!(bytes, std::fs::read(path(&format!("npy/{file}"))).unwrap(), "{file}");
    }
}
