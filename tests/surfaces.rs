//! `fmri-roi` on surfaces, grayordinates and FreeSurfer's volumes: the same numbers as of the matrix they hold, and
//! refusals where two files do not fit.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use brain_formats::maps::{MapFormat, write_maps};
use brain_formats::space::{Grayordinates, Model, Parcel, Parcels, Part, Space, Surface};
use brain_formats::volume::{Image, open};
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use brain_formats::{Geometry, VolumeReader, gifti};
use ndarray::{Array2, ArrayView2};
use support::*;

const N: usize = 12;

fn surface(structure: &str) -> Space {
    Space::Surface(Surface { structure: Some(structure.into()), n_vertices: N })
}

fn grid() -> Geometry {
    Geometry {
        shape: [2, 3, 2],
        affine: [[-2.0, 0.0, 0.0, 10.0], [0.0, 3.0, 0.0, -20.0], [0.0, 0.0, 4.0, 30.0]],
        space: 4,
    }
}

fn grayordinates(vertices: [u32; 8]) -> Space {
    let part = Part::Vertices { n_vertices: 20, vertices: vertices.to_vec() };
    let voxels = Part::Voxels(vec![[0, 0, 0], [1, 0, 0], [1, 2, 0], [1, 2, 1]]);
    let models = vec![
        Model { structure: "CORTEX_LEFT".into(), first: 0, part },
        Model { structure: "THALAMUS_LEFT".into(), first: 8, part: voxels },
    ];
    Space::Grayordinates(Grayordinates { volume: Some(grid()), models })
}

fn parcels() -> Space {
    let parcel = |n: usize| Parcel {
        name: format!("P{n}"),
        vertices: vec![("CORTEX_LEFT".into(), vec![n as u32])],
        voxels: Vec::new(),
    };
    let surfaces = vec![("CORTEX_LEFT".into(), 20)];
    Space::Parcels(Parcels { volume: None, surfaces, parcels: (0..N).map(parcel).collect() })
}

fn save_maps(path: &Path, rows: ArrayView2<f64>, space: &Space) {
    let rows: Vec<Vec<f32>> = rows.rows().into_iter().map(|row| row.iter().map(|&v| v as f32).collect()).collect();
    let maps: Vec<(&str, &[f32])> = rows.iter().map(|row| ("map", row.as_slice())).collect();
    let format = MapFormat::of_name(&path.to_string_lossy()).unwrap();
    write_maps(fs::File::create(path).unwrap(), format, &maps, space, Intent::None).unwrap();
}

/// Eight trials of two categories; voxels 3, 4 and 9 prefer faces.
fn betas() -> Array2<f64> {
    Array2::from_shape_fn((8, N), |(row, voxel)| {
        let noise = ((row * 31 + voxel * 17) % 11) as f64 / 8.0;
        let effect = if row % 2 == 0 && [3, 4, 9].contains(&voxel) { 6.0 } else { 0.0 };
        f64::from((noise + effect) as f32)
    })
}

fn study(dir: &Path) -> Array2<f64> {
    let betas = betas();
    let ids: Vec<String> = (0..8).map(|n| format!("s{n}")).collect();
    save(&dir.join("betas.npy"), &betas, Some(&ids));
    let rows: Vec<String> = (0..8).map(|n| format!("s{n},{}", ["face", "house"][n % 2])).collect();
    fs::write(dir.join("trials.csv"), format!("stimulus,category\n{}\n", rows.join("\n"))).unwrap();
    save_maps(&dir.join("betas.func.gii"), betas.view(), &surface("CORTEX_LEFT"));
    save_maps(&dir.join("betas.dscalar.nii"), betas.view(), &grayordinates([0, 2, 3, 5, 7, 8, 9, 19]));
    save_maps(&dir.join("betas.pscalar.nii"), betas.view(), &parcels());
    save_maps(&dir.join("overlay.mgz"), betas.view(), &surface("CORTEX_LEFT"));
    save_maps(&dir.join("betas.mgh"), betas.view(), &Space::Grid(grid()));
    save_maps(&dir.join("betas.nii"), betas.view(), &Space::Grid(grid()));
    betas
}

const CONTRAST: &str = "fmri-roi contrast --stimuli trials.csv --by category --contrast 'face > house'";

/// The maps of a file, read without the tool.
fn maps(path: &Path) -> Vec<Vec<f64>> {
    let name = path.to_string_lossy();
    if name.ends_with(".gii") {
        let read = gifti::read(&fs::read(path).unwrap(), gifti::nothing_beside).unwrap();
        return read.into_maps().unwrap().maps.into_iter().map(|(_, values)| values.to_f64()).collect();
    }
    let file = fs::File::open(path).unwrap();
    match open(file, None).unwrap() {
        Image::Cifti(reader) => {
            let (_, space, values) = reader.into_values().unwrap();
            values.to_f64().chunks(space.n_columns()).map(<[f64]>::to_vec).collect()
        }
        Image::Volumes(mut reader) => {
            let (mut all, mut volume) = (Vec::new(), Vec::new());
            while reader.next_volume(&mut volume).unwrap() {
                all.push(volume.clone());
            }
            all
        }
    }
}

#[test]
fn every_format_gives_the_t_of_the_matrix() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    study(dir);
    let expected = matrix(&run(dir, &format!("{CONTRAST} betas.npy --dtype f4")).ok()).0;
    for (betas, out) in [
        ("betas.func.gii", "t.func.gii"),
        ("betas.func.gii", "t.mgh"),
        ("overlay.mgz", "u.mgz"),
        ("overlay.mgz", "u.gii"),
        ("betas.dscalar.nii", "t.dscalar.nii"),
        ("betas.pscalar.nii", "t.pscalar.nii"),
        ("betas.mgh", "v.mgz"),
        ("betas.mgh", "v.nii.gz"),
        ("betas.nii", "w.mgh"),
    ] {
        run(dir, &format!("{CONTRAST} --assume-order {betas} -o {out}")).ok();
        let t = maps(&dir.join(out));
        assert_eq!(t.len(), 1, "{betas} {out}");
        assert_eq!(t[0], expected.row(0).to_vec(), "{betas} {out}");
        // The map that was written is read again, and in a pipe too.
        let regions = run(dir, &format!("fmri-roi define --stat {out} --t 5")).text();
        let voxels: Vec<String> = rows(&regions).iter().map(|row| row["voxel"].clone()).collect();
        assert_eq!(voxels, ["3", "4", "9"], "{out}");
        assert_eq!(pipe(dir, "fmri-roi define --t 5", &fs::read(dir.join(out)).unwrap()).text(), regions, "{out}");
    }
    // Without -o the format is that of the betas.
    let said = run(dir, &format!("{CONTRAST} --assume-order betas.func.gii")).text();
    assert!(said.starts_with("<?xml") && said.contains("NIFTI_INTENT_TTEST") && said.contains("CortexLeft"));
}

#[test]
fn rows_of_a_table_say_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let betas = study(dir);
    for (file, header, first) in [
        ("betas.func.gii", "roi,voxel,structure,vertex,t", "F,3,CORTEX_LEFT,3,"),
        ("overlay.mgz", "roi,voxel,structure,vertex,t", "F,3,,3,"),
        ("betas.dscalar.nii", "roi,voxel,structure,vertex,i,j,k,x,y,z,t", "F,3,CORTEX_LEFT,5,,,,,,,"),
        ("betas.pscalar.nii", "roi,voxel,parcel,t", "F,3,P3,"),
        ("betas.mgh", "roi,voxel,i,j,k,x,y,z,t", "F,3,0,1,1,10,-17,34,"),
    ] {
        let t = if file.contains("pscalar") { "t.pscalar.nii" } else { "t.dscalar.nii" };
        let out = match file {
            "betas.func.gii" | "overlay.mgz" => "t.gii",
            "betas.mgh" => "t.mgh",
            _ => t,
        };
        run(dir, &format!("{CONTRAST} --assume-order {file} -o {out}")).ok();
        let table = run(dir, &format!("fmri-roi define --stat {out} --t 5 --name F")).text();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], header, "{file}");
        assert!(lines[1].starts_with(first), "{file}: {}", lines[1]);
        fs::write(dir.join("roi.csv"), &table).unwrap();
        let cut = run(dir, &format!("fmri-roi extract {file} --roi roi.csv")).ok();
        let cut = arrays(&cut).remove(0).into_matrix().unwrap().0.into_f64();
        for (column, voxel) in [3, 4, 9].into_iter().enumerate() {
            assert_eq!(cut.column(column), betas.column(voxel), "{file}");
        }
        let summary = run(dir, &format!("fmri-roi define --stat {out} --t 5 --summary")).text();
        let size = match file {
            "betas.func.gii" | "overlay.mgz" => "mm2",
            "betas.dscalar.nii" => "mm3,mm2",
            _ => "mm3",
        };
        let place = &header[4..header.len() - 2];
        assert!(summary.starts_with(&format!("roi,n_voxels,{size},n_parcel,t_max,{place}")), "{file}: {summary}");
    }
    let thalamus = run(dir, "fmri-roi define --stat t.dscalar.nii --t 5").text();
    assert!(thalamus.lines().nth(3).unwrap().starts_with("roi,9,THALAMUS_LEFT,,1,0,0,8,-20,30,"), "{thalamus}");
    // Columns of parcels have names.
    fs::write(dir.join("p.csv"), "roi,voxel,parcel\nF,3,P3\n").unwrap();
    let named = run(dir, "fmri-roi extract betas.pscalar.nii --roi p.csv").ok();
    assert_eq!(arrays(&named).remove(0).labels.columns, Some(vec!["P3".to_string()]));
}

#[test]
fn a_table_from_elsewhere_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    study(dir);
    let refused = |table: &str, betas: &str, parts: &[&str]| {
        fs::write(dir.join("roi.csv"), table).unwrap();
        run(dir, &format!("fmri-roi extract {betas} --roi roi.csv")).fails(1, parts);
    };
    refused("voxel,structure,vertex\n3,CORTEX_RIGHT,3\n", "betas.func.gii", &["row 0", "CORTEX_RIGHT", "CORTEX_LEFT"]);
    refused("voxel,structure,vertex\n3,CORTEX_LEFT,4\n", "betas.func.gii", &["vertex 4", "vertex 3"]);
    refused("voxel,structure,vertex\n3,CORTEX_LEFT,3\n", "betas.dscalar.nii", &["vertex 3", "vertex 5"]);
    refused("voxel,structure,vertex\n3,CORTEX_LEFT,3\n", "betas.nii", &["vertex 3", "voxel [0, 1, 1]"]);
    refused("voxel,i,j,k,x,y,z\n3,0,1,1,10,-17,34\n", "betas.func.gii", &["voxel [0, 1, 1]", "vertex 3"]);
    refused("voxel,parcel\n3,P4\n", "betas.pscalar.nii", &["P4", "P3"]);
    refused("voxel,vertex\n3,x\n", "betas.func.gii", &["\"x\"", "whole number"]);
    refused("voxel\n12\n", "betas.func.gii", &["voxel 12", "12 voxels"]);
}

#[test]
fn files_that_do_not_fit_are_refused_with_both() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let betas = study(dir);
    save_maps(&dir.join("right.func.gii"), betas.view(), &surface("CORTEX_RIGHT"));
    let short = Space::Surface(Surface { structure: Some("CORTEX_LEFT".into()), n_vertices: 10 });
    save_maps(&dir.join("short.func.gii"), betas.slice(ndarray::s![.., ..10]), &short);
    save_maps(&dir.join("other.dscalar.nii"), betas.view(), &grayordinates([0, 2, 3, 5, 7, 8, 10, 19]));
    let line = "fmri-roi contrast --one-sample";
    for (a, b, parts) in [
        ("betas.func.gii", "right.func.gii", ["CORTEX_LEFT", "CORTEX_RIGHT"]),
        ("betas.func.gii", "short.func.gii", ["12 vertices", "10 vertices"]),
        ("betas.func.gii", "betas.nii", ["12 vertices", "2x3x2"]),
        ("betas.nii", "betas.dscalar.nii", ["2x3x2", "12 grayordinates"]),
        ("betas.dscalar.nii", "other.dscalar.nii", ["column 6", "vertex 10"]),
        ("betas.npy", "betas.func.gii", ["maps of vertices", "one kind"]),
        ("betas.func.gii", "betas.npy", ["vertices", "one kind"]),
    ] {
        run(dir, &format!("{line} {a} {b}")).fails(1, &[&[a, b][..], &parts].concat());
    }
    // An overlay does not say which surface it is, and fits any of as many vertices.
    run(dir, &format!("{line} overlay.mgz right.func.gii -o x.gii")).ok();
    // Names of outputs that ask for what the columns are not.
    for (betas, out, parts) in [
        ("betas.func.gii", "t.nii.gz", ["12 vertices", ".func.gii"]),
        ("betas.func.gii", "t.dscalar.nii", ["12 vertices", ".func.gii"]),
        ("betas.nii", "t.gii", ["12 voxels", ".nii.gz"]),
        ("betas.dscalar.nii", "t.mgz", ["12 grayordinates", ".dscalar.nii"]),
    ] {
        run(dir, &format!("{line} {betas} -o {out}")).fails(1, &[&[betas][..], &parts].concat());
        assert!(!dir.join(out).exists());
    }
    run(dir, &format!("{line} betas.npy --like betas.func.gii -o like.func.gii")).ok();
    run(dir, &format!("{line} betas.npy --like short.func.gii -o like.func.gii"))
        .fails(1, &["12 columns", "10 vertices"]);
    // Neighbours are those of a mesh.
    for option in ["--min-cluster 2", "--peaks"] {
        let word = option.split(' ').next().unwrap();
        run(dir, &format!("fmri-roi define --stat like.func.gii --t 1 {option}"))
            .fails(1, &[word, "12 vertices", "--surface"]);
    }
    run(dir, "fmri-roi define --stat like.func.gii --t 1 -o mask.label.gii").ok();
    run(dir, "rsa searchlight betas.func.gii --mask mask.label.gii --radius 2 --models model.npy").fails(1, &["grid"]);
}

/// FreeSurfer's annotation of twelve vertices: 3 and 4 are of V1, 9 and 10 of fusiform.
fn annotation() -> Vec<u8> {
    let word = |n: i32| n.to_be_bytes();
    let text = |text: &str| [&word(text.len() as i32 + 1)[..], text.as_bytes(), &[0]].concat();
    let mut file = word(N as i32).to_vec();
    for vertex in 0..N as i32 {
        let colour = match vertex {
            3 | 4 => 10,
            9 | 10 => 20,
            _ => 0,
        };
        file.extend([word(vertex), word(colour)].concat());
    }
    file.extend([&word(1)[..], &word(-2), &word(2), &text("x.ctab"), &word(2)].concat());
    for (number, (name, red)) in [("V1", 10), ("fusiform", 20)].into_iter().enumerate() {
        file.extend([&word(number as i32)[..], &text(name), &word(red), &word(0), &word(0), &word(0)].concat());
    }
    file
}

#[test]
fn label_files_name_their_regions() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let betas = study(dir);
    fs::write(dir.join("lh.aparc.annot"), annotation()).unwrap();
    let Space::Surface(left) = surface("CORTEX_LEFT") else { unreachable!() };
    let labels: Vec<u32> =
        (0..N).map(|v| if [3, 4].contains(&v) { 7 } else { u32::from([9, 10].contains(&v)) * 2 }).collect();
    let names = [(2, "fusiform"), (5, "nowhere"), (7, "V1")];
    gifti::write_labels(fs::File::create(dir.join("l.label.gii")).unwrap(), &left, &labels, &names).unwrap();
    run(dir, &format!("{CONTRAST} --assume-order betas.func.gii -o t.func.gii")).ok();
    for file in ["lh.aparc.annot", "l.label.gii"] {
        let table = run(dir, &format!("fmri-roi define --stat t.func.gii --parcels {file} --t 5 --summary")).text();
        let found: Vec<(String, String)> =
            rows(&table).iter().map(|row| (row["roi"].clone(), row["n_voxels"].clone())).collect();
        let of = |name: &str, n: &str| (name.to_string(), n.to_string());
        let mut expected = vec![of("V1", "2"), of("fusiform", "1")];
        if file.ends_with("gii") {
            expected.reverse();
        }
        assert_eq!(found, expected, "{file}");
        let cut = run(dir, &format!("fmri-roi extract betas.func.gii --roi {file} --name fusiform")).ok();
        let cut = arrays(&cut).remove(0).into_matrix().unwrap().0.into_f64();
        assert_eq!(cut, betas.select(ndarray::Axis(1), &[9, 10]), "{file}");
        // A table of names has the last word.
        fs::write(dir.join("names.tsv"), "index\tname\n2\tFFA\n").unwrap();
        let line = format!("fmri-roi define --stat t.func.gii --parcels {file} --labels names.tsv --t 5 --summary");
        assert_eq!(rows(&run(dir, &line).text())[0]["roi"], "FFA");
        // Labels are no betas and no t.
        for line in [format!("fmri-roi define --stat {file}"), format!("fmri-roi contrast --one-sample {file} {file}")]
        {
            run(dir, &line).fails(1, &[file, "labels", "not numbers"]);
        }
    }
    // A mask that define writes names its regions too.
    run(dir, "fmri-roi define --stat t.func.gii --parcels l.label.gii --t 5 -o found.label.gii").ok();
    let cut = run(dir, "fmri-roi extract betas.func.gii --roi found.label.gii --name V1").ok();
    let cut = arrays(&cut).remove(0).into_matrix().unwrap().0.into_f64();
    assert_eq!(cut, betas.select(ndarray::Axis(1), &[3, 4]));
    // Masks of the other formats have numbers.
    run(dir, &format!("{CONTRAST} --assume-order betas.dscalar.nii -o t.dscalar.nii")).ok();
    run(dir, "fmri-roi define --stat t.dscalar.nii --t 5 -o mask.dscalar.nii").ok();
    let mask = maps(&dir.join("mask.dscalar.nii"));
    assert_eq!(mask, [[0., 0., 0., 1., 1., 0., 0., 0., 0., 1., 0., 0.]]);
    run(dir, "fmri-roi extract betas.dscalar.nii --roi mask.dscalar.nii").ok();
    run(dir, "fmri-roi extract betas.func.gii --roi mask.dscalar.nii").fails(1, &["12 grayordinates", "12 vertices"]);
}

#[test]
fn numbers_beside_a_file_and_inside_gzip() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let raw: Vec<u8> = (0..N).flat_map(|v| (v as f32).to_be_bytes()).collect();
    fs::write(dir.join("x.dat"), [vec![7; 6], raw].concat()).unwrap();
    let file = |name: &str| {
        format!(
            "<?xml version=\"1.0\"?><GIFTI Version=\"1.0\" NumberOfDataArrays=\"1\"><DataArray Intent=\"NIFTI_INTENT_NONE\" \
             DataType=\"NIFTI_TYPE_FLOAT32\" Encoding=\"ExternalFileBinary\" Endian=\"BigEndian\" Dimensionality=\"1\" \
             Dim0=\"12\" ExternalFileName=\"{name}\" ExternalFileOffset=\"6\"><Data/></DataArray></GIFTI>"
        )
    };
    fs::write(dir.join("x.gii"), file("x.dat")).unwrap();
    let line = "fmri-roi define --stat x.gii --t 9 -o roi.csv";
    run(dir, line).ok();
    let table = fs::read_to_string(dir.join("roi.csv")).unwrap();
    assert_eq!(table, "roi,voxel,structure,vertex,t\nroi,10,,10,10\nroi,11,,11,11\n");
    // The record has both files.
    let record = fs::read_to_string(dir.join("roi.json")).unwrap();
    assert!(record.contains("x.dat") && record.contains("x.gii"), "{record}");
    pipe(dir, "fmri-roi define", file("x.dat").as_bytes()).fails(1, &["stdin", "x.dat", "a pipe has no files"]);
    for name in ["/etc/passwd", "../x.dat"] {
        fs::write(dir.join("x.gii"), file(name)).unwrap();
        run(dir, line).fails(1, &["x.gii", name, "in the folder"]);
    }
    fs::write(dir.join("x.gii"), file("none.dat")).unwrap();
    run(dir, line).fails(1, &["x.gii", "none.dat"]);
    fs::write(dir.join("x.gii"), file("x.dat").replace("\"12\"", "\"1200\"")).unwrap();
    run(dir, line).fails(1, &["x.gii", "4806 bytes", "54"]);

    study(dir);
    let plain = run(dir, "fmri-roi contrast --one-sample betas.func.gii -o a.func.gii");
    plain.ok();
    sh(dir, "gzip -k betas.func.gii betas.dscalar.nii && cp betas.dscalar.nii.gz c.nii.gz").ok();
    run(dir, "fmri-roi contrast --one-sample betas.func.gii.gz -o b.func.gii").ok();
    assert_eq!(fs::read(dir.join("a.func.gii")).unwrap(), fs::read(dir.join("b.func.gii")).unwrap());
    run(dir, "fmri-roi contrast --one-sample c.nii.gz -o c.dscalar.nii").ok();
    assert_eq!(maps(&dir.join("a.func.gii")), maps(&dir.join("c.dscalar.nii")));
}

#[test]
fn damaged_files_are_errors_of_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    study(dir);
    for name in ["betas.func.gii", "betas.dscalar.nii", "overlay.mgz", "betas.mgh"] {
        let whole = fs::read(dir.join(name)).unwrap();
        for part in [1, 5, 10, 19] {
            let cut = format!("cut-{name}");
            fs::write(dir.join(&cut), &whole[..whole.len() * part / 20]).unwrap();
            run(dir, &format!("fmri-roi contrast --one-sample {cut}")).fails(1, &[&cut]);
            run(dir, &format!("fmri-roi define --stat betas.nii --parcels {cut}")).fails(1, &[]);
        }
    }
    let mut greedy = fs::read(dir.join("betas.mgh")).unwrap();
    greedy[4..8].copy_from_slice(&i32::MAX.to_be_bytes());
    fs::write(dir.join("greedy.mgh"), &greedy).unwrap();
    run(dir, "fmri-roi contrast --one-sample greedy.mgh").fails(1, &["greedy.mgh", &greedy.len().to_string()]);
}

#[test]
fn a_volume_of_freesurfer_is_a_volume_of_nifti() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    study(dir);
    let mask: Vec<u32> = (0..N as u32).map(|v| v % 2).collect();
    write_volume(fs::File::create(dir.join("mask.nii")).unwrap(), Voxels::Labels(&mask), &grid(), Intent::Label, false)
        .unwrap();
    let a = run(dir, "fmri-roi extract betas.mgh --roi mask.nii").ok();
    assert_eq!(a, run(dir, "fmri-roi extract betas.nii --roi mask.nii").ok());
    // Both in one command are one run of eight volumes each.
    let both = matrix(&run(dir, "fmri-roi extract betas.mgh betas.nii --roi mask.nii").ok()).0;
    assert_eq!(both.dim(), (16, 6));
    run(dir, "fmri-roi contrast --one-sample betas.nii -o t.mgz").ok();
    let length = fs::metadata(dir.join("t.mgz")).unwrap().len();
    let back = VolumeReader::new(fs::File::open(dir.join("t.mgz")).unwrap(), Some(length)).unwrap();
    assert!(back.geometry().agrees_with(&grid()));
    let peaks = run(dir, "fmri-roi define --stat t.mgz --t 1 --peaks").text();
    run(dir, "fmri-roi contrast --one-sample betas.nii -o t.nii").ok();
    assert_eq!(peaks, run(dir, "fmri-roi define --stat t.nii --t 1 --peaks").text());
}

#[test]
fn encode_takes_its_responses_from_these_formats_too() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    study(dir);
    let ids: Vec<String> = (0..8).map(|n| format!("s{n}")).collect();
    save(&dir.join("x.npy"), &Array2::from_shape_fn((8, 3), |(i, j)| ((i * 7 + j * 5) % 6) as f64), Some(&ids));
    let line = "encode fit --x x.npy --cv 4 --alphas 0.1,1";
    let scores = |table: String| -> Vec<(String, f64)> {
        rows(&table).iter().map(|row| (row["voxel"].clone(), row["r"].parse().unwrap_or(f64::NAN))).collect()
    };
    let expected = scores(run(dir, &format!("{line} --y betas.npy")).text());
    for file in ["betas.nii", "betas.func.gii", "betas.dscalar.nii", "overlay.mgz"] {
        let got = scores(run(dir, &format!("{line} --y {file} --stimuli trials.csv --assume-order")).text());
        assert_eq!(got.len(), N, "{file}");
        for ((voxel, r), (other, expected)) in got.iter().zip(&expected) {
            // the images hold f4
            assert!(voxel == other && (r - expected).abs() < 1e-4, "{file} {voxel}: {r} {expected}");
        }
    }
}
