//! Regions of `fmri-roi` that are measured where they were not found, that come from another grid, or from FreeSurfer's
//! labels; and warnings about maps that are no t.
#![allow(clippy::unwrap_used)] // this is test code

use brain_formats::Geometry;
use brain_formats::maps::{MapFormat, write_maps};
use brain_formats::space::{Grayordinates, Model, Part, Space, Surface};
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use ndarray::{Array2, Axis};
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use support::*;

const N_VOXELS: usize = 12;
const CATEGORIES: [&str; 3] = ["face", "house", "chair"];

/// Trials of three categories in four runs; voxels 2, 3 and 7 prefer faces. `each` trials of a category in a run.
fn study(dir: &Path, each: usize) -> (Array2<f64>, Vec<(usize, usize)>) {
    let rows: Vec<(usize, usize)> =
        (0..4).flat_map(|run| (0..each).flat_map(move |_| (0..3).map(move |category| (run, category)))).collect();
    let noise = noise(rows.len(), N_VOXELS, 11);
    let betas = Array2::from_shape_fn((rows.len(), N_VOXELS), |(row, voxel)| {
        let effect = if rows[row].1 == 0 && [2, 3, 7].contains(&voxel) { 1.5 } else { 0.0 };
        noise[[row, voxel]] + effect
    });
    save(&dir.join("betas.npy"), &betas, Some(&ids(rows.len())));
    fs::write(dir.join("trials.csv"), table(&rows, &(0..rows.len()).collect::<Vec<_>>())).unwrap();
    (betas, rows)
}

fn table(rows: &[(usize, usize)], kept: &[usize]) -> String {
    let line = |&row: &usize| format!("s{row},{},run-{}\n", CATEGORIES[rows[row].1], rows[row].0);
    format!("stimulus,category,run\n{}", kept.iter().map(line).collect::<String>())
}

const ASKED: &str = "--stimuli trials.csv --by category --contrast 'face > house'";

/// Means of the rows of one category in one run over some voxels, by hand.
fn by_hand(betas: &Array2<f64>, rows: &[(usize, usize)], at: (usize, usize), voxels: &[usize]) -> (usize, f64) {
    let own: Vec<usize> = (0..rows.len()).filter(|&row| rows[row] == at).collect();
    let of_voxel = |&voxel: &usize| mean(&own.iter().map(|&row| betas[[row, voxel]]).collect::<Vec<_>>());
    (own.len(), mean(&voxels.iter().map(of_voxel).collect::<Vec<_>>()))
}

#[test]
fn a_region_is_found_on_all_runs_but_one_and_measured_in_that_one() {
    for each in [3, 1] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let (betas, trials) = study(dir, each);
        let found = run(dir, &format!("fmri-roi localize {ASKED} --top 3 --name FFA betas.npy")).text();
        assert!(found.starts_with("array,roi,fold,n_voxels,category,n,mean,reason\n"), "{found}");
        let table = rows(&found);
        assert_eq!(table.len(), 5 * 3);
        let mut means = [Vec::new(), Vec::new(), Vec::new()];
        for held in 0..4 {
            // The slow way: contrast and define on a matrix without the run.
            let kept: Vec<usize> = (0..trials.len()).filter(|&row| trials[row].0 != held).collect();
            let names: Vec<String> = kept.iter().map(|row| format!("s{row}")).collect();
            save(&dir.join("kept.npy"), &betas.select(Axis(0), &kept), Some(&names));
            fs::write(dir.join("kept.csv"), self::table(&trials, &kept)).unwrap();
            let line = "fmri-roi contrast --stimuli kept.csv --by category --contrast 'face > house' kept.npy -o t.npy";
            run(dir, line).ok();
            let region = rows(&run(dir, "fmri-roi define --stat t.npy --top 3").text());
            let voxels: Vec<usize> = region.iter().map(|row| row["voxel"].parse().unwrap()).collect();
            for category in 0..3 {
                let row = &table[3 * held + category];
                let (n, value) = by_hand(&betas, &trials, (held, category), &voxels);
                assert_eq!(
                    (row["fold"].as_str(), row["category"].as_str()),
                    (format!("run-{held}").as_str(), CATEGORIES[category])
                );
                assert_eq!((number(row, "n"), number(row, "n_voxels")), (n as f64, 3.0));
                // Means of means in another order.
                within(number(row, "mean"), value, 1e-12);
                means[category].push(value);
            }
        }
        for category in 0..3 {
            let row = &table[12 + category];
            assert_eq!((row["fold"].as_str(), row["n_voxels"].as_str(), row["n"].as_str()), ("mean", "", "4"));
            within(number(row, "mean"), mean(&means[category]), 1e-12);
        }
        // The same from an image, and from a pipe.
        image(&dir.join("betas.nii"), &betas);
        let of_image =
            run(dir, &format!("fmri-roi localize {ASKED} --top 3 --name FFA --assume-order betas.nii")).text();
        for (a, b) in rows(&of_image).iter().zip(&table) {
            within(number(a, "mean"), number(b, "mean"), 1e-6);
        }
        let line = format!("fmri-roi localize {ASKED} --top 3 --name FFA -");
        let piped = pipe(dir, &line, &fs::read(dir.join("betas.npy")).unwrap()).text();
        let means = |text: &str| rows(text).iter().map(|row| row["mean"].clone()).collect::<Vec<_>>();
        assert_eq!(means(&piped), means(&found));
    }
}

fn grid() -> Geometry {
    Geometry::from_sizes([2, 3, 2], [2.0, 2.0, 2.0])
}

fn image(path: &Path, rows: &Array2<f64>) {
    let rows: Vec<Vec<f32>> = rows.rows().into_iter().map(|row| row.iter().map(|&v| v as f32).collect()).collect();
    let maps: Vec<(&str, &[f32])> = rows.iter().map(|row| ("", row.as_slice())).collect();
    write_maps(
        File::create(path).unwrap(),
        MapFormat::Nifti { gzip: false },
        &maps,
        &Space::Grid(grid()),
        Intent::None,
    )
    .unwrap();
}

#[test]
fn the_trials_that_measure_have_no_say_in_the_region() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (mut betas, trials) = study(dir, 3);
    let line = format!("fmri-roi localize {ASKED} --t 2 betas.npy");
    let sizes = |text: &str, fold: &str| -> Vec<String> {
        rows(text).iter().filter(|row| row["fold"] == fold).map(|row| row["n_voxels"].clone()).collect()
    };
    let before = run(dir, &line).text();
    for (row, _) in trials.iter().enumerate().filter(|(_, trial)| trial.0 == 2) {
        betas.row_mut(row).mapv_inplace(|v| 100.0 - 7.0 * v);
    }
    save(&dir.join("betas.npy"), &betas, Some(&ids(trials.len())));
    let after = run(dir, &line).text();
    assert_eq!(sizes(&before, "run-2"), sizes(&after, "run-2"));
    assert_ne!(before, after);
}

#[test]
fn localize_takes_parcels_several_people_and_says_what_it_cannot_measure() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (betas, trials) = study(dir, 3);
    image(&dir.join("betas.nii"), &betas);
    let labels: Vec<u32> = (0..N_VOXELS).map(|v| if v < 5 { 1 } else { 2 * u32::from(v < 9) }).collect();
    write_volume(File::create(dir.join("p.nii")).unwrap(), Voxels::Labels(&labels), &grid(), Intent::Label, false)
        .unwrap();
    // The columns of BIDS' _dseg.tsv.
    fs::write(
        dir.join("p_dseg.tsv"),
        "index\tname\tabbreviation\tcolor\n0\tnone\t-\t#000000\n1\tFFA\tF\t#ff0000\n2\tOFA\tO\t#00ff00\n",
    )
    .unwrap();
    let line = format!("fmri-roi localize {ASKED} --parcels p.nii --labels p_dseg.tsv --assume-order");
    let both = rows(&run(dir, &format!("{line} --top 1 betas.nii")).text());
    assert_eq!(both.len(), 2 * 15);
    assert!(both[..15].iter().all(|row| row["roi"] == "FFA") && both[15..].iter().all(|row| row["roi"] == "OFA"));
    let one = rows(&run(dir, &format!("{line} --top 1 --name OFA betas.nii")).text());
    assert_eq!(
        one.iter().map(|r| r["mean"].clone()).collect::<Vec<_>>(),
        both[15..].iter().map(|r| r["mean"].clone()).collect::<Vec<_>>()
    );
    run(dir, &format!("{line} --top 1 --name V1 betas.nii")).fails(1, &["\"V1\"", "FFA, OFA"]);
    // No voxel of a t so high: said, and no number.
    let none = run(dir, &format!("{line} --t 500 --name FFA betas.nii"));
    assert!(none.stderr.contains("\"FFA\" has 0 voxels of 5"), "{}", none.stderr);
    let none = rows(&none.text());
    assert!(none.iter().all(|row| row["reason"] == "empty" && row["mean"] == "NaN"), "{none:?}");
    assert_eq!(none[14]["n"], "0");
    // Two contrasts, and clusters in the grid of an image.
    let two =
        format!("fmri-roi localize {ASKED} --contrast 'chair > rest' --assume-order --t 0.5 --min-cluster 2 betas.nii");
    let two = run(dir, &two).text();
    assert!(two.starts_with("array,roi,contrast,fold,") && two.contains("chair > rest"), "{two}");
    // A level that a run lacks, and a response that is no number.
    let mut lacking: Vec<(usize, usize)> = trials.clone();
    lacking.iter_mut().filter(|trial| **trial == (1, 2)).for_each(|trial| trial.1 = 1);
    fs::write(dir.join("trials.csv"), table(&lacking, &(0..lacking.len()).collect::<Vec<_>>())).unwrap();
    let lacks = rows(&run(dir, &format!("fmri-roi localize {ASKED} --top 2 betas.npy")).text());
    let row = lacks.iter().find(|row| row["fold"] == "run-1" && row["category"] == "chair").unwrap();
    assert_eq!((row["n"].as_str(), row["mean"].as_str(), row["reason"].as_str()), ("0", "NaN", "no_stimuli"));
    let row = lacks.iter().find(|row| row["fold"] == "mean" && row["category"] == "chair").unwrap();
    assert_eq!((row["n"].as_str(), row["reason"].as_str()), ("3", ""));
    study(dir, 3);
    let mut holed = betas.clone();
    let chair = trials.iter().position(|trial| *trial == (0, 2)).unwrap();
    holed.row_mut(chair).fill(f64::NAN);
    save(&dir.join("holed.npy"), &holed, Some(&ids(trials.len())));
    let holed = rows(&run(dir, &format!("fmri-roi localize {ASKED} --top 2 holed.npy")).text());
    let row = holed.iter().find(|row| row["fold"] == "run-0" && row["category"] == "chair").unwrap();
    assert_eq!((row["mean"].as_str(), row["reason"].as_str()), ("NaN", "nan_input"));
    // Several people.
    fs::copy(dir.join("betas.npy"), dir.join("other.npy")).unwrap();
    let people = rows(&run(dir, &format!("fmri-roi localize {ASKED} --top 2 betas.npy other.npy")).text());
    assert_eq!(people.iter().map(|row| row["array"].as_str()).collect::<std::collections::BTreeSet<_>>().len(), 2);
    save(&dir.join("short.npy"), &betas.select(Axis(1), &[0, 1, 2]), Some(&ids(trials.len())));
    for (line, code, parts) in [
        (format!("{ASKED} --top 2 betas.npy short.npy"), 1, &["short.npy", "3 voxels", "12"][..]),
        (format!("{ASKED} --top 2 --cv nothing betas.npy"), 1, &["\"nothing\""]),
        (format!("{ASKED} --top 2 --min-cluster 2 --t 1 betas.npy"), 1, &["--min-cluster", "--like"]),
        (format!("{ASKED} --top 2 --connectivity 18 betas.npy"), 1, &["--connectivity"]),
        (format!("{ASKED} --top 2 --resample nearest betas.npy"), 1, &["--resample", "--parcels"]),
        (format!("{ASKED} --top 2 betas.nii"), 1, &["--assume-order"]),
        (format!("{ASKED} --top 2 nothing.npy"), 1, &["nothing.npy"]),
        ("--by category betas.npy".to_owned(), 2, &["--stimuli"]),
    ] {
        run(dir, &format!("fmri-roi localize {line} -o no.csv")).fails(code, parts);
        assert!(!dir.join("no.csv").exists());
    }
    let text = fs::read_to_string(dir.join("trials.csv")).unwrap().replace("run-1", "mean");
    fs::write(dir.join("trials.csv"), text).unwrap();
    run(dir, &format!("fmri-roi localize {ASKED} --top 2 betas.npy")).fails(1, &["\"mean\"", "rename"]);
}

fn golden(name: &str) -> std::path::PathBuf {
    root().join("testdata/golden/resample").join(name)
}

#[test]
fn labels_of_another_grid_are_nilearns_where_nilearn_has_any() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let expected: Value = serde_json::from_slice(&fs::read(golden("nearest.json")).unwrap()).unwrap();
    fs::copy(golden("labels.nii"), dir.join("labels.nii")).unwrap();
    for (name, said) in expected.as_object().unwrap() {
        let map = format!("{name}.nii");
        fs::copy(golden(&map), dir.join(&map)).unwrap();
        let line = format!("fmri-roi define --stat {map} --t -1000 --parcels labels.nii");
        run(dir, &line).fails(1, &[&map, "labels.nii", "9x8x7", "resample"]);
        let out = run(dir, &format!("{line} --resample nearest"));
        let note = out.stderr.lines().find(|line| line.contains("resampled (nearest)")).unwrap_or_default().to_owned();
        let numbers =
            |key: &str| -> Vec<u64> { said[key].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect() };
        let (labels, inside) = (numbers("labels"), numbers("inside"));
        let mut found = vec![0; labels.len()];
        rows(&out.text())
            .iter()
            .for_each(|row| found[row["voxel"].parse::<usize>().unwrap()] = row["roi"].parse().unwrap());
        let mut n_compared = 0;
        for voxel in (0..labels.len()).filter(|&voxel| inside[voxel] == 1) {
            assert_eq!(found[voxel], labels[voxel], "{name} {voxel}");
            n_compared += 1;
        }
        assert!(n_compared >= 18, "{name}");
        // What fell outside is counted.
        let kept = found.iter().filter(|label| **label > 0).count();
        assert!(
            note.contains(&format!("became {kept};"))
                && note.contains(&format!("of its {} voxels outside", labels.len())),
            "{note}"
        );
        // The same in the verbs that take masks and atlases.
        let atlas = run(dir, &format!("fmri-roi atlas {map} --parcels labels.nii --resample nearest")).text();
        for row in rows(&atlas) {
            let label: u64 = row["parcel"].parse().unwrap();
            assert_eq!(number(&row, "n_voxels") as usize, found.iter().filter(|l| **l == label).count());
        }
        let cut = run(dir, &format!("fmri-roi extract {map} --roi labels.nii --name 7 --resample nearest")).ok();
        assert_eq!(matrix(&cut).0.ncols(), found.iter().filter(|label| **label == 7).count());
        let masked = run(dir, &format!("fmri-roi overlap {map} {map} --mask labels.nii --resample nearest")).text();
        assert_eq!(number(&rows(&masked)[0], "n_voxels") as usize, kept);
    }
    // On one grid nothing changes; without grids, and without labels, there is nothing to resample.
    let same = "fmri-roi define --stat labels.nii --t -1000 --parcels labels.nii";
    assert_eq!(run(dir, &format!("{same} --resample nearest")).text(), run(dir, same).text());
    save(&dir.join("m.npy"), &Array2::zeros((1, 504)), None);
    run(dir, "fmri-roi define --stat m.npy --t -1 --parcels labels.nii --resample nearest")
        .fails(1, &["m.npy", "without a grid"]);
    run(dir, "fmri-roi define --stat to-0.nii --t -1 --resample nearest").fails(1, &["--resample", "--parcels"]);
    run(dir, "fmri-roi overlap to-0.nii to-0.nii --resample nearest").fails(1, &["--resample", "--mask"]);
    fs::write(dir.join("roi.csv"), "roi,voxel\nA,1\n").unwrap();
    run(dir, "fmri-roi extract to-0.nii --roi roi.csv --resample nearest").fails(1, &["--resample", "mask"]);
    // A label too small for the other grid is named.
    let mut tiny = vec![0u32; 1000];
    (tiny[0], tiny[555]) = (4, 9);
    let fine = Geometry { shape: [10; 3], affine: [[1., 0., 0., 0.], [0., 1., 0., 0.], [0., 0., 1., 0.]], space: 2 };
    write_volume(File::create(dir.join("tiny.nii")).unwrap(), Voxels::Labels(&tiny), &fine, Intent::Label, false)
        .unwrap();
    let coarse = Geometry { shape: [3; 3], affine: [[4., 0., 0., 0.], [0., 4., 0., 0.], [0., 0., 4., 0.]], space: 2 };
    write_volume(File::create(dir.join("coarse.nii")).unwrap(), Voxels::F4(&[1.0; 27]), &coarse, Intent::None, false)
        .unwrap();
    let out = run(dir, "fmri-roi atlas coarse.nii --parcels tiny.nii --resample nearest");
    assert!(out.stderr.contains("1 labels have no voxel on the grid of coarse.nii: 9"), "{}", out.stderr);
}

const N: usize = 10;

fn left() -> Space {
    Space::Surface(Surface { structure: Some("CORTEX_LEFT".into()), n_vertices: N })
}

fn write_map(path: &Path, rows: &[Vec<f32>], space: &Space) {
    let maps: Vec<(&str, &[f32])> = rows.iter().map(|row| ("map", row.as_slice())).collect();
    let format = MapFormat::of_name(&path.to_string_lossy()).unwrap();
    write_maps(File::create(path).unwrap(), format, &maps, space, Intent::None).unwrap();
}

fn both_sides() -> Space {
    let part = |structure: &str, first: usize| Model {
        structure: structure.into(),
        first,
        part: Part::Vertices { n_vertices: 8, vertices: vec![0, 1, 2, 4, 7] },
    };
    Space::Grayordinates(Grayordinates { volume: None, models: vec![part("CORTEX_LEFT", 0), part("CORTEX_RIGHT", 5)] })
}

#[test]
fn a_label_of_freesurfer_is_a_region() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let maps: Vec<Vec<f32>> = (0..3).map(|row| (0..N).map(|v| (row * 100 + v) as f32).collect()).collect();
    write_map(&dir.join("betas.func.gii"), &maps, &left());
    write_map(&dir.join("t.func.gii"), &maps[..1], &left());
    let label = |name: &str, lines: &[&str]| {
        let text =
            format!("#!ascii label  , from subject fsaverage vox2ras=TkReg\n{}\n{}\n", lines.len(), lines.join("\n"));
        fs::write(dir.join(name), text).unwrap();
    };
    label("lh.FFA.label", &["7  1.5 2 3 0.0", "2  0 0 0 0", "5  -1 0 0 0"]);
    let cut = arrays(&run(dir, "fmri-roi extract betas.func.gii --roi lh.FFA.label").ok()).remove(0);
    assert_eq!(cut.labels.name.as_deref(), Some("lh.FFA"));
    // In the order of the file.
    let cut = cut.into_matrix().unwrap().0.into_f64();
    assert_eq!(cut, ndarray::array![[7.0, 2.0, 5.0], [107.0, 102.0, 105.0], [207.0, 202.0, 205.0]]);
    let found = rows(&run(dir, "fmri-roi define --stat t.func.gii --parcels lh.FFA.label --t 3").text());
    assert_eq!(found.iter().map(|row| row["vertex"].as_str()).collect::<Vec<_>>(), ["5", "7"]);
    assert!(found.iter().all(|row| row["roi"] == "lh.FFA"));
    let atlas = rows(&run(dir, "fmri-roi atlas t.func.gii --parcels lh.FFA.label").text());
    assert_eq!((atlas[0]["parcel"].as_str(), number(&atlas[0], "n_voxels")), ("lh.FFA", 3.0));
    let same = rows(&run(dir, "fmri-roi overlap t.func.gii t.func.gii --mask lh.FFA.label").text());
    assert_eq!(number(&same[0], "n_voxels"), 3.0);
    // A matrix has vertices only by their number.
    save(&dir.join("betas.npy"), &Array2::from_shape_fn((2, N), |(i, j)| (i * 10 + j) as f64), Some(&ids(2)));
    assert_eq!(
        matrix(&run(dir, "fmri-roi extract betas.npy --roi lh.FFA.label").ok()).0.row(1).to_vec(),
        [17.0, 12.0, 15.0]
    );
    label("lh.far.label", &["10  0 0 0 0"]);
    label("lh.twice.label", &["1  0 0 0 0", "1  0 0 0 0"]);
    label("lh.volume.label", &["-1  0 0 0 0"]);
    write_map(&dir.join("t.dscalar.nii"), &maps[..1], &both_sides());
    image(&dir.join("t.nii"), &Array2::zeros((1, N_VOXELS)));
    for (map, label, parts) in [
        ("t.func.gii", "lh.far.label", &["voxel 10", "10 voxels"][..]),
        ("t.func.gii", "lh.twice.label", &["vertex 1", "twice"]),
        ("t.func.gii", "lh.volume.label", &["-1", "mri_label2vol"]),
        ("t.dscalar.nii", "lh.FFA.label", &["one surface", "grayordinates"]),
        ("t.nii", "lh.FFA.label", &["one surface", "2x3x2"]),
    ] {
        run(dir, &format!("fmri-roi extract {map} --roi {label}")).fails(1, &[&[label], parts].concat());
        let parts = if label.contains("far") { &["vertex 10", "10 vertices"] } else { parts };
        run(dir, &format!("fmri-roi define --stat {map} --t 1 --parcels {label}"))
            .fails(1, &[&[label], parts].concat());
    }
    let whole = fs::read(dir.join("lh.FFA.label")).unwrap();
    fs::write(dir.join("cut.label"), &whole[..whole.len() - 20]).unwrap();
    run(dir, "fmri-roi extract betas.func.gii --roi cut.label").fails(1, &["cut.label"]);
    run(dir, "fmri-roi extract betas.func.gii --roi lh.FFA.label --labels x.tsv").fails(1, &["--labels"]);
}

#[test]
fn laterality_of_grayordinates_and_of_one_surface() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let t: Vec<f32> = vec![5.0, 4.0, 3.0, 0.0, 1.0, 3.5, 0.0, 0.0, 2.0, 6.0];
    write_map(&dir.join("t.dscalar.nii"), std::slice::from_ref(&t), &both_sides());
    let found = rows(&run(dir, "fmri-roi overlap t.dscalar.nii --laterality --t 2,10").text());
    let row = &found[0];
    assert_eq!((number(row, "n_left"), number(row, "n_right")), (3.0, 2.0));
    within(number(row, "laterality"), 0.2, 1e-15);
    assert_eq!((number(row, "t_left"), number(row, "t_right")), (12.0, 9.5));
    assert_eq!((found[1]["laterality"].as_str(), found[1]["reason"].as_str()), ("NaN", "empty"));
    // A surface is one side; one that does not say which is none.
    write_map(&dir.join("t.func.gii"), std::slice::from_ref(&t), &left());
    let one = rows(&run(dir, "fmri-roi overlap t.func.gii --laterality --t 2").text());
    assert_eq!((number(&one[0], "n_left"), number(&one[0], "n_right"), number(&one[0], "laterality")), (5.0, 0.0, 1.0));
    write_map(&dir.join("t.mgz"), &[t], &left());
    run(dir, "fmri-roi overlap t.mgz --laterality --t 2").fails(1, &["t.mgz", "hemisphere"]);
}

#[test]
fn tables_of_voxels_say_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (betas, _) = study(dir, 3);
    image(&dir.join("betas.nii"), &betas);
    let surface = Space::Surface(Surface { structure: Some("CORTEX_RIGHT".into()), n_vertices: N_VOXELS });
    let maps: Vec<Vec<f32>> = betas.rows().into_iter().map(|row| row.iter().map(|&v| v as f32).collect()).collect();
    write_map(&dir.join("betas.func.gii"), &maps, &surface);
    for (input, out, header) in [
        ("betas.nii", "t.nii", "array,voxel,i,j,k,x,y,z,n,"),
        ("betas.func.gii", "t.gii", "array,voxel,structure,vertex,n,"),
    ] {
        for asked in [format!("{ASKED} --assume-order"), "--one-sample".to_owned()] {
            run(dir, &format!("fmri-roi contrast {asked} {input} --table v.csv -o {out}")).ok();
            let text = fs::read_to_string(dir.join("v.csv")).unwrap();
            assert!(text.starts_with(header), "{text}");
            let row = &rows(&text)[7];
            if input == "betas.nii" {
                let place = ["i", "j", "k", "x", "y", "z"].map(|column| number(row, column));
                assert_eq!(place, [1.0, 0.0, 1.0, -1.0, -2.0, 1.0]);
            } else {
                assert_eq!((row["structure"].as_str(), row["vertex"].as_str()), ("CORTEX_RIGHT", "7"));
            }
        }
    }
    // A matrix does not know.
    run(dir, &format!("fmri-roi contrast {ASKED} betas.npy --table v.csv -o t.npy")).ok();
    assert!(fs::read_to_string(dir.join("v.csv")).unwrap().starts_with("array,voxel,n,"));
}

#[test]
fn a_map_that_says_it_is_no_t_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let map = Array2::from_shape_fn((1, N_VOXELS), |(_, v)| v as f64);
    image(&dir.join("t.nii"), &map);
    let whole = fs::read(dir.join("t.nii")).unwrap();
    for (name, code, said) in [
        ("t.nii", 0i16, None),
        ("t.nii", 3, None),
        ("sub-01_stat-t_statmap.nii", 0, None),
        ("sub-01_stat-effect_statmap.nii", 0, Some("stat-effect")),
        ("sub-01_contrast-x_stat-variance_statmap.nii", 0, Some("stat-variance")),
        ("renamed.nii", 1001, Some("estimates")),
        ("renamed.nii", 22, Some("p values")),
    ] {
        let mut bytes = whole.clone();
        // intent_code of NIfTI-1
        bytes[68..70].copy_from_slice(&code.to_le_bytes());
        fs::write(dir.join(name), bytes).unwrap();
        for line in [format!("--stat {name}"), format!("--stat t.nii --and {name}")] {
            let out = run(dir, &format!("fmri-roi define {line} --t 5"));
            let warned = out.stderr.contains("which is no t");
            assert_eq!(warned, said.is_some(), "{name} {code}: {}", out.stderr);
            assert!(said.is_none_or(|said| out.stderr.contains(&format!("{name}: ")) && out.stderr.contains(said)));
            assert_eq!(rows(&out.text()).len(), 6);
        }
    }
    // An empty region has no largest t of its own.
    let out = run(dir, "fmri-roi define --stat sub-01_stat-t_statmap.nii --t 50 --summary");
    assert!(out.stderr.contains("has 0 voxels of 12 (0 NaN), largest t 11.000 of those searched"), "{}", out.stderr);
}
