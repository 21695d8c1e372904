//! `fmri-roi overlap` and `fmri-roi atlas` as their users meet them.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, though clippy cannot know it

use std::fs;
use std::path::Path;

use brain_formats::Geometry;
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use support::*;
use tempfile::{TempDir, tempdir};

/// x = -3, -1, 1, 3 mm; y = 0, 2; z = 0.
const SHAPE: [usize; 3] = [4, 2, 1];

fn grid() -> Geometry {
    let mut grid = Geometry::from_sizes(SHAPE, [2.0; 3]);
    grid.affine = [[2.0, 0.0, 0.0, -3.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]];
    grid
}

fn image(path: &Path, values: &[f64]) {
    let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
    write_volume(fs::File::create(path).unwrap(), Voxels::F4(&values), &grid(), Intent::None, false).unwrap();
}

/// Two maps of eight voxels (the last of `b` is NaN), an atlas with the parcels A (left) and B (right), and names.
fn place() -> TempDir {
    let dir = tempdir().unwrap();
    image(&dir.path().join("a.nii"), &[5.0, 4.0, 3.0, 0.0, 1.0, 0.0, 2.0, 6.0]);
    image(&dir.path().join("b.nii"), &[4.0, 5.0, 0.0, 1.0, 2.0, 0.0, 3.0, f64::NAN]);
    image(&dir.path().join("atlas.nii"), &[1.0, 1.0, 1.0, 0.0, 2.0, 2.0, 2.0, -1.0]);
    fs::write(dir.path().join("names.tsv"), "index\tname\n2\tB\n1\tA\n9\tC\n").unwrap();
    dir
}

#[test]
fn pairs_of_maps_by_hand() {
    let dir = place();
    let path = dir.path();
    let table = rows(&run(path, "fmri-roi overlap a.nii b.nii --t 2,9 --top 2").text());
    assert_eq!(table.len(), 3);
    // the last voxel, which b has not, is in neither
    let (a, b) = ([5.0, 4.0, 3.0, 0.0, 1.0, 0.0, 2.0], [4.0, 5.0, 0.0, 1.0, 2.0, 0.0, 3.0]);
    for row in &table {
        assert_eq!((&row["a"][..], &row["b"][..], &row["n_voxels"][..]), ("a", "b", "7"));
        within(number(row, "r"), pearson(&a, &b), 1e-12);
    }
    // above 2: voxels 0, 1, 2 and 0, 1, 6
    let cells = |row: &Row| ["rule", "n_a", "n_b", "n_intersection", "reason"].map(|c| row[c].clone());
    assert_eq!(cells(&table[0]), ["t > 2", "3", "3", "2", ""]);
    within(number(&table[0], "dice"), 4.0 / 6.0, 1e-15);
    within(number(&table[0], "jaccard"), 0.5, 1e-15);
    within(number(&table[0], "expected"), 9.0 / 7.0, 1e-15);
    assert_eq!(cells(&table[1]), ["t > 9", "0", "0", "0", "empty"]);
    assert_eq!(table[1]["dice"], "NaN");
    assert_eq!(cells(&table[2]), ["top 2", "2", "2", "2", ""]);
    // inside the atlas only, whose voxel 3 is 0 and voxel 7 negative; and without a rule
    let row = &rows(&run(path, "fmri-roi overlap a.nii b.nii --mask atlas.nii -q").text())[0];
    assert_eq!((&row["n_voxels"][..], &row["n_a"][..], &row["rule"][..]), ("6", "", ""));
    let inside = |v: &[f64]| -> Vec<f64> { (0..7).filter(|i| *i != 3).map(|i| v[i]).collect() };
    within(number(row, "r"), pearson(&inside(&a), &inside(&b)), 1e-12);
    let three = rows(&run(path, "fmri-roi overlap a.nii b.nii a.nii --names x,y,z").text());
    let pairs: Vec<String> = three.iter().map(|row| format!("{}{}", row["a"], row["b"])).collect();
    assert_eq!(pairs, ["xy", "xz", "yz"]);
    within(number(&three[1], "r"), 1.0, 1e-15);
}

#[test]
fn sides_are_those_of_the_millimetres() {
    let dir = place();
    let path = dir.path();
    // voxels are numbered with y inside x: 0 to 3 lie at x = -3 and -1
    let table = rows(&run(path, "fmri-roi overlap a.nii --laterality --t 2,4.5,8").text());
    let cells = |row: &Row| ["n_left", "n_right", "reason"].map(|c| row[c].clone());
    assert_eq!(cells(&table[0]), ["3", "1", ""]);
    within(number(&table[0], "laterality"), 0.5, 1e-15);
    assert_eq!((number(&table[0], "t_left"), number(&table[0], "t_right")), (12.0, 6.0));
    assert_eq!((cells(&table[1]), number(&table[1], "laterality")), (["1", "1", ""].map(String::from), 0.0));
    assert_eq!((cells(&table[2]), &table[2]["laterality"][..]), (["0", "0", "empty"].map(String::from), "NaN"));
    save(&path.join("a.npy"), &ndarray::Array2::from_elem((1, 8), 3.0), None);
    run(path, "fmri-roi overlap a.npy --laterality --t 1").fails(1, &["does not say where its voxels are", "--like"]);
    let row = &rows(&run(path, "fmri-roi overlap a.npy --laterality --t 1 --like a.nii").text())[0];
    assert_eq!((&row["n_left"][..], &row["n_right"][..]), ("4", "4"));
}

#[test]
fn parcels_and_clusters_by_hand() {
    let dir = place();
    let path = dir.path();
    let table = rows(&run(path, "fmri-roi atlas b.nii --parcels atlas.nii --labels names.tsv -q").text());
    let names: Vec<&str> = table.iter().map(|row| row["parcel"].as_str()).collect();
    assert_eq!(names, ["B", "A", "C"]);
    let b = &table[0];
    assert_eq!((&b["n_voxels"][..], &b["n_nan"][..], &b["voxel"][..], &b["x"][..]), ("3", "0", "6", "3"));
    within(number(b, "mean"), 5.0 / 3.0, 1e-15);
    within(number(b, "sd"), variance(&[2.0, 0.0, 3.0]).sqrt(), 1e-15);
    assert_eq!((number(b, "min"), number(b, "max")), (0.0, 3.0));
    let c = &table[2];
    assert_eq!((&c["n_voxels"][..], &c["mean"][..], &c["voxel"][..], &c["reason"][..]), ("0", "NaN", "", "empty"));
    // a above 2: voxels 0, 1, 2 (one cluster over A), and 7, which lies in no parcel
    let line = "fmri-roi atlas a.nii --parcels atlas.nii --labels names.tsv --t 2 -q";
    let table = rows(&run(path, line).text());
    assert_eq!(table.len(), 2);
    let cells = |row: &Row| {
        ["cluster", "connectivity", "n_voxels", "mm3", "t", "voxel", "parcel_of_peak", "share", "parcels"]
            .map(|c| row[c].clone())
    };
    assert_eq!(cells(&table[0]), ["1", "6", "1", "8", "6", "7", "", "1", ""]);
    assert_eq!(cells(&table[1]), ["2", "6", "3", "24", "5", "0", "A", "1", "A:1.000"]);
    // above 0 all of a is one cluster; its peak is outside
    let table = rows(
        &run(path, "fmri-roi atlas a.nii --parcels atlas.nii --labels names.tsv --t 0.5 --connectivity 26 -q").text(),
    );
    assert_eq!(cells(&table[0]), ["1", "26", "6", "48", "6", "7", "", "0.16666666666666666", "A:0.500;B:0.333"]);
    let few = run(path, &format!("{line} --min-cluster 4"));
    assert!(few.stderr.contains("no cluster above 2"), "{}", few.stderr);
    assert_eq!(rows(&few.text()).len(), 0);
}

#[test]
fn what_does_not_fit_is_refused() {
    let dir = place();
    let path = dir.path();
    run(path, "fmri-roi overlap a.nii").fails(1, &["1 map"]);
    run(path, "fmri-roi overlap a.nii --laterality").fails(2, &["--t"]);
    save(&path.join("six.npy"), &ndarray::Array2::zeros((1, 6)), None);
    run(path, "fmri-roi overlap a.nii six.npy").fails(1, &["six.npy: 6 voxels", "has 8"]);
    run(path, "fmri-roi atlas six.npy --parcels atlas.nii -q").fails(1, &["6 voxels", "8"]);
    run(path, "fmri-roi overlap a.nii b.nii --mask six.npy").fails(1, &["six.npy: 6 voxels", "8"]);
    let other = Geometry::from_sizes(SHAPE, [3.0; 3]);
    let file = fs::File::create(path.join("other.nii")).unwrap();
    write_volume(file, Voxels::F4(&[0.0; 8]), &other, Intent::None, false).unwrap();
    run(path, "fmri-roi overlap a.nii other.nii").fails(1, &["other.nii", "a.nii", "resample"]);
    run(path, "fmri-roi atlas other.nii --parcels atlas.nii -q").fails(1, &["other.nii", "atlas.nii", "resample"]);
    run(path, "fmri-roi atlas a.nii --parcels a.nii --min-cluster 3").fails(2, &["--t"]);
    image(&path.join("flat.nii"), &[1.0; 8]);
    let row = &rows(&run(path, "fmri-roi overlap a.nii flat.nii").text())[0];
    assert_eq!((&row["r"][..], &row["reason"][..]), ("NaN", "constant"));
    image(&path.join("nan.nii"), &[f64::NAN; 8]);
    let row = &rows(&run(path, "fmri-roi overlap a.nii nan.nii --t 1").text())[0];
    assert_eq!((&row["n_voxels"][..], &row["reason"][..]), ("0", "too_few_voxels"));
    let row = &rows(&run(path, "fmri-roi atlas nan.nii --parcels atlas.nii -q").text())[0];
    assert_eq!((&row["mean"][..], &row["reason"][..]), ("NaN", "nan_input"));
}

#[test]
fn regions_are_searched_in_spheres_hemispheres_and_reliable_voxels() {
    let dir = place();
    let path = dir.path();
    let voxels = |options: &str| -> Vec<String> {
        let out = run(path, &format!("fmri-roi define --stat a.nii --t 0.5 -q {options}"));
        rows(&out.text()).into_iter().map(|row| row["voxel"].clone()).collect()
    };
    assert_eq!(voxels(""), ["0", "1", "2", "4", "6", "7"]);
    assert_eq!(voxels("--hemisphere left"), ["0", "1", "2"]);
    assert_eq!(voxels("--hemisphere right"), ["4", "6", "7"]);
    // 2 mm around (-3, 0, 0): that voxel and its neighbours in y and x, the edge included
    assert_eq!(voxels("--sphere -3,0,0,2"), ["0", "1", "2"]);
    assert_eq!(voxels("--sphere -3,0,0,1.9"), ["0"]);
    assert_eq!(voxels("--sphere -3,0,0,2 --parcels atlas.nii --name 2"), Vec::<String>::new());
    // b as a map of ncsnr; its last voxel is NaN
    assert_eq!(voxels("--ncsnr b.nii --min-ncsnr 2.5"), ["0", "1", "6"]);
    fs::write(path.join("ceilings.csv"), "array,voxel,ncsnr\nx,6,0.5\nx,1,0.1\nx,0,NaN\n").unwrap();
    assert_eq!(voxels("--ncsnr ceilings.csv --min-ncsnr 0.2"), ["6"]);
    let refused = |options: &str, code: i32, parts: &[&str]| {
        run(path, &format!("fmri-roi define --stat a.nii --t 0.5 {options}")).fails(code, parts);
    };
    refused("--sphere 1,2,3", 2, &["no place and radius", "42,-52,-18,10"]);
    refused("--ncsnr b.nii", 2, &["--min-ncsnr"]);
    fs::write(path.join("twice.csv"), "voxel,ncsnr\n1,0.5\n1,0.1\n").unwrap();
    refused("--ncsnr twice.csv --min-ncsnr 0", 1, &["voxel 1 again"]);
    fs::write(path.join("far.csv"), "voxel,ncsnr\n8,0.5\n").unwrap();
    refused("--ncsnr far.csv --min-ncsnr 0", 1, &["voxel 8", "8 voxels"]);
    save(&path.join("map.npy"), &ndarray::Array2::ones((1, 8)), None);
    run(path, "fmri-roi define --stat map.npy --t 0 --hemisphere left").fails(1, &["--like"]);
}
