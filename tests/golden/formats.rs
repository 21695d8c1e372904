//! Files of surfaces, grayordinates and FreeSurfer against nibabel: those of nibabel's own tests, and small ones that
//! nibabel wrote.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use brain_formats::cifti::Rows;
use brain_formats::gifti::{Label, ReadSeek};
use brain_formats::volume::{Image, open};
use brain_formats::{Space, Values, VolumeReader, freesurfer, gifti};
use serde_json::Value;

use crate::load::{close, counts, json, number, numbers, path};

/// nibabel's folder: that of the variable NIBABEL, else of the environment of `make golden`.
fn nibabel() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("NIBABEL") {
        return Some(folder.into());
    }
    let pythons = std::fs::read_dir(support::root().join("build/golden-venv/lib")).ok()?;
    let folders = pythons.flatten().map(|python| python.path().join("site-packages/nibabel"));
    folders.into_iter().find(|folder| folder.is_dir())
}

/// Numbers of one map or array against what nibabel says of them.
#[track_caller]
fn same(what: &str, values: &[f64], said: &Value) {
    assert_eq!(values.len(), counts(&said["shape"]).iter().product::<usize>(), "{what}");
    // another order of additions
    let size: f64 = values.iter().map(|v| v.abs()).sum::<f64>().max(1.0);
    close(&format!("{what}: sum"), values.iter().sum::<f64>() / size, number(&said["sum"]) / size, 1e-13);
    let (first, last) = (numbers(&said["first"]), numbers(&said["last"]));
    assert_eq!(values[..first.len()], first, "{what}");
    assert_eq!(values[values.len() - last.len()..], last, "{what}");
    assert_eq!(values[values.len() / 2], number(&said["middle"]), "{what}");
}

fn same_labels(what: &str, labels: &[Label], said: &Value) {
    let said = said.as_object().unwrap();
    assert_eq!(labels.len(), said.len(), "{what}");
    for Label { key, name } in labels {
        assert_eq!(said[&key.to_string()].as_str(), Some(name.as_str()), "{what}: label {key}");
    }
}

fn read_gifti(file: &Path) -> gifti::Gifti {
    let beside = |name: &str| -> io::Result<Box<dyn ReadSeek>> { Ok(Box::new(File::open(file.with_file_name(name))?)) };
    gifti::read(&std::fs::read(file).unwrap(), beside).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn gifti_is_nibabels(file: &Path, said: &Value) {
    let what = file.display().to_string();
    let gifti = read_gifti(file);
    let structure = said["structure"].as_str().map(brain_formats::space::structure_name);
    assert_eq!(gifti.structure(), structure.filter(|name| !name.is_empty()), "{what}");
    // Files from before the standard number their labels otherwise, and nibabel then reads none.
    if gifti.labels.len() == said["labels"].as_object().unwrap().len() {
        same_labels(&what, &gifti.labels, &said["labels"]);
    } else {
        assert!(what.ends_with("label.gii"), "{what}: {:?}", gifti.labels);
    }
    let arrays = said["arrays"].as_array().unwrap();
    assert_eq!(gifti.arrays.len(), arrays.len(), "{what}");
    for (array, said) in gifti.arrays.iter().zip(arrays) {
        assert_eq!(array.shape, counts(&said["shape"]), "{what}");
        assert_eq!(Some(array.intent.as_str()), said["intent"].as_str(), "{what}");
        same(&what, &array.values.to_f64(), said);
    }
    if gifti.arrays[0].intent == "NIFTI_INTENT_POINTSET" {
        let n = gifti.arrays[0].shape[0];
        match gifti.into_mesh() {
            Ok(mesh) => assert_eq!(mesh.coordinates.len(), n, "{what}"),
            // One of the files is the start of a larger surface.
            Err(error) => assert!(error.to_string().contains(&format!("{n} vertices")), "{what}: {error}"),
        }
    } else {
        assert!(gifti.into_maps().is_ok(), "{what}");
    }
}

fn mgh_is_nibabels(file: &Path, said: &Value) {
    let what = file.display().to_string();
    let length = std::fs::metadata(file).unwrap().len();
    let mut image = VolumeReader::new(File::open(file).unwrap(), Some(length)).unwrap();
    for (mine, theirs) in image.geometry().affine.iter().zip(said["affine"].as_array().unwrap()) {
        for (mine, theirs) in mine.iter().zip(numbers(theirs)) {
            // directions and centre are stored in f4
            close(&what, *mine, theirs, 1e-6);
        }
    }
    let frames = said["frames"].as_array().unwrap();
    assert_eq!(image.n_volumes(), frames.len(), "{what}");
    let mut voxels = Vec::new();
    for said in frames {
        assert!(image.next_volume(&mut voxels).unwrap());
        same(&what, &voxels, said);
        let n_overlay = counts(&said["shape"]);
        assert_eq!(image.is_overlay(), n_overlay[1..] == [1, 1], "{what}");
    }
    assert!(!image.next_volume(&mut voxels).unwrap());
}

#[test]
fn nibabels_own_files_are_read_as_nibabel_reads_them() {
    let Some(folder) = nibabel() else {
        println!("skipped: nibabel is absent (make golden brings it, or NIBABEL names its folder)");
        return;
    };
    let said = json("formats/nibabel.json");
    let version = std::fs::read_to_string(folder.join("_version.py")).unwrap_or_default();
    let mut n = 0;
    for (name, said) in said["files"].as_object().unwrap() {
        let file = folder.join(name);
        if !file.is_file() {
            println!("skipped: {} is absent", file.display());
            continue;
        }
        n += 1;
        match name.ends_with(".gii") {
            true => gifti_is_nibabels(&file, said),
            false => mgh_is_nibabels(&file, said),
        }
    }
    assert!(n >= 8 || !version.contains("5.4"), "{n} files of nibabel's tests in {}", folder.display());
    // A matrix between grayordinates is named, not read.
    let file = folder.join("tests/data/row_major.dconn.nii");
    if let Ok(connectivity) = File::open(&file) {
        let length = connectivity.metadata().unwrap().len();
        let message = open(connectivity, Some(length)).err().unwrap().to_string();
        assert!(message.contains("not supported") && message.contains("dconn"), "{message}");
    }
}

fn read_cifti(name: &str) -> (Rows, Space, Values) {
    let file = path(&format!("formats/{name}"));
    let length = std::fs::metadata(&file).unwrap().len();
    match open(File::open(&file).unwrap(), Some(length)).unwrap() {
        Image::Cifti(reader) => reader.into_values().unwrap(),
        Image::Volumes(_) => panic!("{name}: volumes"),
    }
}

#[test]
fn cifti_files_are_read_as_nibabel_reads_them() {
    let said = json("formats/made.json");
    for name in ["maps.dscalar.nii", "run.dtseries.nii", "areas.dlabel.nii", "run.ptseries.nii"] {
        let said = &said[name];
        let (rows, space, values) = read_cifti(name);
        let values = values.to_f64();
        let maps = said["maps"].as_array().unwrap();
        assert_eq!(rows.len(), maps.len(), "{name}");
        for (map, said) in values.chunks(space.n_columns()).zip(maps) {
            same(name, map, said);
        }
        match rows {
            Rows::Maps(maps) => {
                for (map, (named, n)) in maps.iter().zip(said["names"].as_array().unwrap().iter().zip(0..)) {
                    assert_eq!(Some(map.name.as_str()), named.as_str());
                    match said.get("labels") {
                        Some(labels) => same_labels(name, &map.labels, &labels[n]),
                        None => assert!(map.labels.is_empty()),
                    }
                }
            }
            Rows::Series { n, start, step, unit } => {
                let said = &said["series"];
                assert_eq!((n as f64, Some(unit.as_str())), (number(&said["n"]), said["unit"].as_str()));
                close("start", start, number(&said["start"]), 1e-12);
                close("step", step, number(&said["step"]), 1e-12);
            }
        }
        if let Some(parcels) = said.get("parcels") {
            let names: Vec<&str> = parcels.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            let mine: Vec<_> = (0..space.n_columns()).map(|column| space.place(column).parcel.unwrap()).collect();
            assert_eq!(mine, names);
            continue;
        }
        for column in 0..space.n_columns() {
            let place = space.place(column);
            let structure = said["structure"][column].as_str().unwrap();
            assert_eq!(place.structure.unwrap(), brain_formats::space::structure_name(structure));
            let vertex = number(&said["vertex"][column]);
            assert_eq!(place.vertex.map_or(-1.0, |vertex| vertex as f64), vertex, "{name} {column}");
            let voxel = numbers(&said["voxel"][column]);
            assert_eq!(
                place.grid.map_or(vec![-1.0; 3], |ijk| ijk.map(|i| i as f64).to_vec()),
                voxel,
                "{name} {column}"
            );
        }
    }
    let (_, space, _) = read_cifti("maps.dscalar.nii");
    // voxel (1, 2, 3) of the affine of the script: the second in the order of the mask
    assert_eq!(space.place(7).millimetres, Some([88.0, -122.0, -66.0]));
}

#[test]
fn what_nibabels_wheel_lacks_is_read_as_nibabel_reads_it() {
    let said = json("formats/made.json");
    for name in ["columns", "big", "bytes"] {
        let name = format!("{name}.func.gii");
        gifti_is_nibabels(&path("formats").join(&name), &said[&name]);
    }
    for name in ["volume-u1", "volume-i2", "volume-i4", "volume-f4", "overlay"] {
        let name = format!("{name}.mgh");
        mgh_is_nibabels(&path("formats").join(&name), &said[&name]);
    }
    for name in ["new.annot", "old.annot"] {
        let read = freesurfer::read_annotation(&std::fs::read(path("formats").join(name)).unwrap()).unwrap();
        let parcels: Vec<f64> = read.parcels.iter().map(|parcel| parcel.map_or(-1.0, |n| n as f64)).collect();
        assert_eq!(parcels, numbers(&said[name]["parcels"]), "{name}");
        let names: Vec<&str> = read.entries.iter().map(|entry| entry.name.as_str()).collect();
        let theirs: Vec<&str> = said[name]["names"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
        assert_eq!((names, read.n_unknown), (theirs, 0));
    }
}
