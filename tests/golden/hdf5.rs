//! Betas per trial in HDF5 against h5py, in every type, byte order, chunking and compression that is read.

use std::fs::{self, File};
use std::io::Cursor;

use brain_formats::hdf5::{Address, Hdf5Error, Hdf5Reader, TrialAxis};
use brain_formats::space::{Space, Surface};

use crate::load::{counts, json, numbers, path};

fn open(file: &str, address: &str) -> Result<Hdf5Reader, Hdf5Error> {
    Hdf5Reader::open(File::open(path(&format!("hdf5/{file}"))).unwrap(), &Address::read(address).unwrap())
}

fn rows_of(reader: &mut Hdf5Reader) -> Result<Vec<Vec<f64>>, Hdf5Error> {
    let (mut all, mut row) = (Vec::new(), Vec::new());
    while reader.next_volume(&mut row)? {
        all.push(row.clone());
    }
    Ok(all)
}

#[test]
fn every_dataset_is_read_as_h5py_reads_it() {
    let said = json("hdf5/read.json");
    let mut n_read = 0;
    for (file, datasets) in said.as_object().unwrap().iter().filter(|(name, _)| *name != "version") {
        for (name, dataset) in datasets.as_object().unwrap() {
            let last = name.ends_with("betasmd") || name.ends_with("last");
            let axis = if last { "[trials=last]" } else { "[trials=first]" };
            let what = format!("{file}:{name}{axis}");
            let mut reader = open(file, &format!("{name}{axis}")).unwrap_or_else(|e| panic!("{what}: {e}"));
            let rows: Vec<Vec<f64>> = dataset["rows"].as_array().unwrap().iter().map(numbers).collect();
            assert_eq!((reader.n_volumes(), reader.space().n_columns()), (rows.len(), rows[0].len()), "{what}");
            let shape = counts(&dataset["shape"]);
            match (reader.space(), shape.as_slice(), last) {
                (Space::Unplaced(got), [_, z, y, x], false) | (Space::Unplaced(got), [x, y, z, _], true) => {
                    assert_eq!(got, [*x, *y, *z], "{what}");
                }
                (Space::Surface(Surface { structure: None, .. }), ..) => {}
                (space, ..) => panic!("{what}: {space}"),
            }
            assert_eq!(rows_of(&mut reader).unwrap(), rows, "{what}");

            // Some columns, in any order: no others are given, and these are the same.
            let mut reader = open(file, &format!("{name}{axis}")).unwrap();
            let columns = [5, 7, 2, rows[0].len() - 1];
            reader.keep(columns.to_vec()).unwrap();
            for (row, whole) in rows_of(&mut reader).unwrap().iter().zip(&rows) {
                for column in 0..whole.len() {
                    match columns.contains(&column) {
                        true => assert_eq!(row[column], whole[column], "{what}"),
                        false => assert!(row[column].is_nan(), "{what}"),
                    }
                }
            }
            n_read += 1;
        }
    }
    assert!(n_read > 35, "{n_read} datasets");
}

#[test]
fn numbers_are_divided() {
    let whole = rows_of(&mut open("nsd.hdf5", "/betas").unwrap()).unwrap();
    let mut scaled = open("nsd.hdf5", "[/300]").unwrap();
    assert!(scaled.is_double() && !open("nsd.hdf5", "").unwrap().is_double());
    let divided: Vec<Vec<f64>> = whole.iter().map(|row| row.iter().map(|v| v / 300.0).collect()).collect();
    assert_eq!(rows_of(&mut scaled).unwrap(), divided);
}

#[test]
fn blocks_that_were_never_written_are_counted() {
    assert_eq!(open("kinds.hdf5", "/part").unwrap().missing_chunks(), Some((1, 6)));
    assert_eq!(open("kinds.hdf5", "/chunks/all").unwrap().missing_chunks(), None);
    assert_eq!(open("nsd.hdf5", "/betas").unwrap().missing_chunks(), None);
}

#[test]
fn what_cannot_be_read_is_said() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("kinds.hdf5", "", &["datasets of numbers", "FILE:/NAME", "/chunks/all (6, 3, 2, 4) f32", "more"]),
        ("nsd.hdf5", "/beta", &["no dataset \"/beta\"", "/betas (6, 3, 2, 4) i16"]),
        ("nsd.hdf5", "/betas/x", &["no dataset \"/betas/x\"", "/betas (6, 3, 2, 4) i16"]),
        ("glmsingle.hdf5", "", &["/betasmd (4, 2, 3, 6) f32", "/R2run"]),
        ("glmsingle.hdf5", "betasmd", &["(4, 2, 3, 6)", "GLMsingle", "/betasmd[trials=last]"]),
        ("latest.hdf5", "betas", &["HDF5 2.0", "version 5", "libver"]),
        ("odd.hdf5", "text", &["/text", "string", "not numbers"]),
        ("odd.hdf5", "texts", &["vlen_string"]),
        ("odd.hdf5", "compound", &["compound{a: i32, b: f32}"]),
        ("odd.hdf5", "complex", &["compound{r: f32, i: f32}"]),
        ("odd.hdf5", "bool", &["enum[FALSE, TRUE]"]),
        ("odd.hdf5", "half", &["f16", "floats of 4 and 8"]),
        ("odd.hdf5", "one_axis", &["(3)", "2 axes"]),
        ("odd.hdf5", "three_axes", &["(3, 4, 5)", "4 (trials, Z, Y, X)"]),
        ("odd.hdf5", "scalar", &["()", "2 axes"]),
        ("odd.hdf5", "square", &["(4, 4)", "first axis is as long as its last", "[trials=first]"]),
        ("odd.hdf5", "cube", &["(3, 4, 5, 3)", "[trials=last]"]),
        ("odd.hdf5", "group", &["no dataset \"/group\"", "soft link", "h5ls"]),
        ("odd.hdf5", "", &["soft link", "FILE:/NAME"]),
        ("v110.hdf5", "/grows-twice", &["/grows-twice", "two axes", "create_dataset"]),
        ("odd.hdf5", "link", &["links to others are not followed"]),
        ("odd.hdf5", "never", &["40 bytes were never written"]),
        ("odd.hdf5", "nothing", &["(0, 5)", "no number"]),
        ("odd.hdf5", "external", &["other files", "external storage"]),
    ];
    for (file, address, parts) in cases {
        let Err(error) = open(file, address) else { panic!("{file}:{address} was read") };
        let message = error.to_string();
        for part in *parts {
            assert!(message.contains(part), "{file}:{address}: {part:?} is not in {message:?}");
        }
    }
    // Said outright, a square is read.
    let square = open("odd.hdf5", "square[trials=last]").unwrap();
    assert!(square.understood().contains("4 trials along its last axis"), "{}", square.understood());
    assert_eq!(Address::read("x[trials=last]").unwrap().trials, Some(TrialAxis::Last));
}

/// Whatever is cut or turned, there is an error or numbers of the right shape, never a panic.
#[test]
fn cut_and_damaged_files_do_not_crash() {
    let datasets = [("nsd.hdf5", "/betas"), ("kinds.hdf5", "/chunks/all"), ("v110.hdf5", "/fixed"), ("matlab.mat", "")];
    for (file, address) in datasets {
        let whole = fs::read(path(&format!("hdf5/{file}"))).unwrap();
        let address = Address::read(address).unwrap();
        let read = |bytes: Vec<u8>| {
            Hdf5Reader::open(Cursor::new(bytes), &address).and_then(|mut reader| {
                let n = reader.space().n_columns();
                let rows = rows_of(&mut reader)?;
                assert!(rows.iter().all(|row| row.len() == n), "{file}");
                Ok(())
            })
        };
        for n in (0..whole.len()).step_by(whole.len() / 97 + 1) {
            let Err(error) = read(whole[..n].to_vec()) else {
                panic!("{file}: {n} of {} bytes were read", whole.len())
            };
            assert!(!error.to_string().is_empty());
        }
        let error = read(whole[..whole.len() - 1].to_vec()).unwrap_err().to_string();
        let (got, wanted) = ((whole.len() - 1).to_string(), whole.len().to_string());
        assert!(error.contains(&got) && error.contains(&wanted) && error.contains("cut off"), "{file}: {error}");
        // A flipped bit may be a number; it may not crash.
        for at in (0..whole.len().min(4000)).step_by(3) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            let _ = read(damaged);
        }
    }
}
