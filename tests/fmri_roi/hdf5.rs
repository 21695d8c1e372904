//! Betas in HDF5 wherever an image of betas is taken: the same numbers as of a NIfTI image of the same betas, and what
//! is said of files that cannot be read. That every kind of dataset is read as h5py reads it is in
//! tests/golden/hdf5.rs.

use std::fs;
use std::path::Path;

use ndarray::{Array2, Axis, concatenate};
use support::*;

use crate::brain_files::gz;
use crate::verbs::image;

/// The shape of the golden betas along x, y and z, and their trials.
const SHAPE: [usize; 3] = [4, 2, 3];
const N_TRIALS: usize = 6;

/// `nsd.hdf5` (int16) and its twin `twin.nii`, made of what h5py reads; `mask.nii`, a drawing of two regions, and
/// tables of trials.
fn folder(dir: &Path) {
    for file in ["nsd.hdf5", "kinds.hdf5", "glmsingle.hdf5", "odd.hdf5", "latest.hdf5", "matlab.mat"] {
        fs::copy(root().join("testdata/golden/hdf5").join(file), dir.join(file)).unwrap();
    }
    let said: serde_json::Value =
        serde_json::from_slice(&fs::read(root().join("testdata/golden/hdf5/read.json")).unwrap()).unwrap();
    let rows = said["nsd.hdf5"]["/betas"]["rows"].as_array().unwrap();
    let number = |row: usize, voxel: usize| rows[row][voxel].as_f64().unwrap();
    let betas = Array2::from_shape_fn((N_TRIALS, SHAPE.iter().product()), |(row, voxel)| number(row, voxel));
    let [_, ny, nz] = SHAPE;
    image(&dir.join("twin.nii"), SHAPE, N_TRIALS, |volume, i, j, k| betas[(volume, (i * ny + j) * nz + k)]);
    let drawn = |i: usize, j: usize, k: usize| ((i + 2 * j + k) % 4) as f64 - 1.0;
    image(&dir.join("mask.nii"), SHAPE, 1, |_, i, j, k| drawn(i, j, k));
    image(&dir.join("turned.nii"), [3, 2, 4], 1, |_, i, j, k| drawn(i, j, k));
    let ids: Vec<String> = (0..N_TRIALS).map(|row| format!("s{}", row % 3)).collect();
    let lines: String = (0..N_TRIALS).map(|row| format!("{},{}\n", ids[row], ["a", "b"][row % 2])).collect();
    fs::write(dir.join("trials.csv"), format!("stimulus,kind\n{lines}")).unwrap();
    let unique: String = (0..N_TRIALS).map(|row| format!("t{row},{}\n", ["a", "b"][row % 2])).collect();
    fs::write(dir.join("unique.csv"), format!("stimulus,kind\n{unique}")).unwrap();
}

/// All regions of a stream, side by side.
fn columns(stream: &[u8]) -> Array2<f64> {
    let regions: Vec<Array2<f64>> = arrays(stream)
        .into_iter()
        .map(|array| {
            let shape = (array.shape[0], array.shape[1]);
            Array2::from_shape_vec(shape, array.values.into_f64()).unwrap()
        })
        .collect();
    assert_eq!(regions.len(), 2);
    concatenate(Axis(1), &regions.iter().map(|region| region.view()).collect::<Vec<_>>()).unwrap()
}

const EXTRACT: &str = "fmri-roi extract --roi mask.nii --stimuli trials.csv --assume-order";

#[test]
fn regions_are_those_of_an_image_of_the_same_betas() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    folder(dir);
    let expected = run(dir, &format!("{EXTRACT} twin.nii")).ok();
    assert_eq!(arrays(&expected).len(), 2);
    let said = run(dir, &format!("{EXTRACT} nsd.hdf5"));
    for part in ["nsd.hdf5: /betas, 6 trials along its first axis", "4x2x3 voxels without an affine"] {
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    assert_eq!(said.ok(), expected);
    assert_eq!(run(dir, &format!("{EXTRACT} nsd.hdf5:/betas")).ok(), expected);
    assert_eq!(run(dir, &format!("{EXTRACT} nsd.hdf5:betas[trials=first]")).ok(), expected);
    // Two sessions are one sequence.
    let two = run(dir, "fmri-roi extract --quiet --roi mask.nii nsd.hdf5 nsd.hdf5:/betas");
    assert_eq!(two.stderr, "");
    let (twice, once) = (columns(&two.ok()), columns(&expected));
    assert_eq!(twice.nrows(), 2 * N_TRIALS);
    assert_eq!(twice.row(N_TRIALS), once.row(0));

    // The record has the file's hash, and the file is not written to.
    run(dir, &format!("{EXTRACT} nsd.hdf5:/betas -o out.npy")).ok();
    let record: serde_json::Value = serde_json::from_slice(&fs::read(dir.join("out.json")).unwrap()).unwrap();
    let inputs = record["inputs"].as_array().unwrap();
    let input = inputs.iter().find(|input| input["name"] == "nsd.hdf5:/betas").expect("the dataset");
    let sum = sh(dir, "sha256sum nsd.hdf5 | cut -d' ' -f1").text();
    assert_eq!(input["sha256"], sum.trim());
    run(dir, &format!("{EXTRACT} nsd.hdf5:/betas -o nsd.hdf5")).fails(1, &["nsd.hdf5", "is both read", "written"]);

    // f8 where the numbers are divided, and where the file has f8.
    let scaled = run(dir, "fmri-roi extract --roi mask.nii nsd.hdf5:/betas[/300]").ok();
    let (scaled, exact) = (columns(&scaled), columns(&expected).mapv(|value| value / 300.0));
    assert_eq!(scaled, exact);
    let matlab = run(dir, "fmri-roi extract --roi mask.nii matlab.mat:/modelmd").ok();
    assert_eq!(columns(&matlab), exact);
    // GLMsingle in Python has the trials last; f4 of the same.
    let typed = run(dir, "fmri-roi extract --roi mask.nii glmsingle.hdf5:/betasmd[trials=last]");
    assert!(typed.stderr.contains("along its last axis"), "{}", typed.stderr);
    assert_eq!(columns(&typed.ok()), exact.mapv(|value| f64::from(value as f32)));
}

#[test]
fn a_table_of_regions_is_checked_by_its_places() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    folder(dir);
    run(dir, "fmri-roi define --stat mask.nii --parcels mask.nii --t 0.5 -o regions.csv").ok();
    let expected = run(dir, "fmri-roi extract --roi regions.csv twin.nii").ok();
    assert_eq!(run(dir, "fmri-roi extract --roi regions.csv nsd.hdf5").ok(), expected);
    let table = fs::read_to_string(dir.join("regions.csv")).unwrap();
    // Voxels of another grid have other i, j, k.
    run(dir, "fmri-roi define --stat turned.nii --parcels turned.nii --t 0.5 -o turned.csv").ok();
    run(dir, "fmri-roi extract --roi turned.csv nsd.hdf5").fails(1, &["turned.csv", "another grid"]);
    // Millimetres alone cannot be compared with what has none.
    let columns: Vec<usize> = {
        let header: Vec<&str> = table.lines().next().unwrap().split(',').collect();
        (0..header.len()).filter(|at| !["i", "j", "k"].contains(&header[*at])).collect()
    };
    let cut: String = table
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            columns.iter().map(|&at| cells[at]).collect::<Vec<_>>().join(",") + "\n"
        })
        .collect();
    fs::write(dir.join("mm.csv"), cut).unwrap();
    run(dir, "fmri-roi extract --roi mm.csv nsd.hdf5").fails(1, &["without an affine", "i, j, k"]);
}

#[test]
fn contrasts_searchlights_and_encoding_models_take_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    folder(dir);
    let contrast = "fmri-roi contrast --stimuli trials.csv --by kind --contrast 'a > b' --assume-order";
    let expected = run(dir, &format!("{contrast} twin.nii")).ok();
    run(dir, &format!("{contrast} nsd.hdf5 --like mask.nii -o t.nii")).ok();
    assert_eq!(fs::read(dir.join("t.nii")).unwrap(), expected);
    // Without an image there is no place, but there are numbers.
    let bare = arrays(&run(dir, &format!("{contrast} nsd.hdf5")).ok());
    assert_eq!(bare[0].shape, [1, 24]);
    run(dir, &format!("{contrast} nsd.hdf5 -o t2.nii")).fails(1, &["without an affine", "--like"]);
    run(dir, &format!("{contrast} nsd.hdf5 --like turned.nii -o t2.nii")).fails(1, &["4x2x3", "3x2x4", "turned.nii"]);
    assert!(!dir.join("t2.nii").exists());
    let group = "fmri-roi contrast --one-sample";
    let expected = run(dir, &format!("{group} twin.nii")).ok();
    run(dir, &format!("{group} nsd.hdf5 --like mask.nii -o g.nii")).ok();
    assert_eq!(fs::read(dir.join("g.nii")).unwrap(), expected);
    run(dir, &format!("{group} nsd.hdf5 --like turned.nii -o g2.nii")).fails(1, &["4x2x3", "3x2x4"]);

    save(&dir.join("acts.npy"), &noise(N_TRIALS, 9, 5), Some(&(0..6).map(|k| format!("t{k}")).collect::<Vec<_>>()));
    run(dir, "rsa rdm acts.npy -o model.npy").ok();
    let light = "rsa searchlight --models model.npy --mask mask.nii --radius 5 --min-voxels 2 --stimuli unique.csv \
                 --assume-order";
    let expected = run(dir, &format!("{light} twin.nii")).ok();
    assert_eq!(run(dir, &format!("{light} nsd.hdf5:/betas")).ok(), expected);
    let other = light.replace("mask.nii", "turned.nii");
    run(dir, &format!("{other} nsd.hdf5")).fails(1, &["4x2x3", "3x2x4"]);

    let encode = "encode fit --x acts.npy --cv 3 --mask mask.nii --stimuli unique.csv --assume-order --y";
    let expected = run(dir, &format!("{encode} twin.nii")).text().replace("twin", "nsd");
    assert_eq!(run(dir, &format!("{encode} nsd.hdf5:/betas")).text(), expected);
}

#[test]
fn what_cannot_be_taken_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    folder(dir);
    let whole = fs::read(dir.join("nsd.hdf5")).unwrap();
    fs::write(dir.join("empty.hdf5"), b"").unwrap();
    fs::write(dir.join("cut.hdf5"), &whole[..1600]).unwrap();
    fs::write(dir.join("text.hdf5"), "stimulus,kind\n").unwrap();
    fs::write(dir.join("packed.hdf5.gz"), gz(&whole, 0)).unwrap();
    fs::write(dir.join("zeros.h5"), [b"\x89HDF\r\n\x1a\n", &[0; 600][..]].concat()).unwrap();
    fs::write(dir.join("zeros.mat"), [b"MATLAB 7.3 MAT-file, Platform: GLNXA64", &[0; 600][..]].concat()).unwrap();
    let cases: &[(&str, &[&str])] = &[
        ("zeros.h5", &["zeros.h5", "damaged, or not supported"]),
        ("zeros.mat", &["zeros.mat", "damaged, or not supported", "signature"]),
        ("absent.hdf5:/betas", &["absent.hdf5", "No such file"]),
        ("nsd.hdf5:/beta", &["nsd.hdf5:/beta", "/betas (6, 3, 2, 4) i16"]),
        ("nsd.hdf5:/betas[/0]", &["\"/0\"", "[/300]"]),
        ("nsd.hdf5:/betas[trials=3]", &["\"trials=3\"", "[trials=last]"]),
        ("nsd.hdf5:/betas[trials=last]", &["6x3x2 voxels", "4x2x3"]),
        ("kinds.hdf5", &["datasets of numbers", "/chunks/all"]),
        ("glmsingle.hdf5:/betasmd", &["[trials=first]", "[trials=last]"]),
        ("odd.hdf5:/text", &["string", "not numbers"]),
        ("odd.hdf5:/one_axis", &["(3)", "2 axes"]),
        ("odd.hdf5:/compound", &["compound"]),
        ("latest.hdf5", &["HDF5 2.0", "libver"]),
        ("cut.hdf5", &["1600 bytes", "1688", "cut off"]),
        ("empty.hdf5", &["empty.hdf5"]),
        ("empty.hdf5:/betas", &["empty.hdf5", "/betas"]),
        ("text.hdf5", &["text"]),
        ("text.hdf5:/betas", &["text.hdf5", "no HDF5"]),
        ("packed.hdf5.gz", &["HDF5", "gzip", "as a file"]),
    ];
    for (input, parts) in cases {
        run(dir, &format!("fmri-roi extract --roi mask.nii {input} -o x.npy")).fails(1, parts);
        assert!(!dir.join("x.npy").exists() && !dir.join("x.json").exists(), "{input}");
    }
    pipe(dir, "fmri-roi extract --roi mask.nii -", &whole).fails(1, &["stdin", "HDF5", "as a file"]);
    run(dir, "fmri-roi glm nsd.hdf5 --tr 2 --events trials.csv --betas lsa")
        .fails(1, &["nsd.hdf5", "without an affine"]);
    run(dir, "npy info nsd.hdf5:/betas").fails(1, &["HDF5", "fmri-roi extract"]);
    run(dir, "npy info nsd.hdf5").fails(1, &["HDF5", "fmri-roi extract"]);
    // Blocks that nobody wrote are in sight.
    let part = run(dir, "fmri-roi extract --quiet --roi mask.nii kinds.hdf5:/part");
    assert!(part.stderr.contains("warning") && part.stderr.contains("1 of 6 blocks"), "{}", part.stderr);
    let last = columns(&part.ok()).row(N_TRIALS - 1).to_vec();
    assert!(last.iter().all(|value| *value == -1.0), "the fill value: {last:?}");
}
