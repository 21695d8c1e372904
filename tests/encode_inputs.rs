//! `encode`: responses from NIfTI images, and what `--mem` holds of inputs.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, though clippy cannot know it

use std::fs;
use std::path::Path;

use brain_formats::Geometry;
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use ndarray::{Array2, Axis, s};
use npy_stream::{Matrix, write_matrix};
use support::*;

const N: usize = 30;
/// 40 voxels.
const SHAPE: [usize; 3] = [5, 4, 2];

fn grid(shape: [usize; 3]) -> Geometry {
    Geometry::from_sizes(shape, [2.0, 2.0, 3.0])
}

fn volume(values: &[f64], shape: [usize; 3], gzip: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
    write_volume(&mut bytes, Voxels::F4(&values), &grid(shape), Intent::None, gzip).unwrap();
    bytes
}

/// Rows as the volumes of one image.
fn image(rows: &Array2<f64>, shape: [usize; 3]) -> Vec<u8> {
    let volumes: Vec<Vec<u8>> = rows.rows().into_iter().map(|row| volume(&row.to_vec(), shape, false)).collect();
    // The 352 bytes of the header, with dim[0] = 4 and dim[4] the number of volumes.
    let mut image = volumes[0][..352].to_vec();
    image[40..42].copy_from_slice(&4i16.to_le_bytes());
    image[48..50].copy_from_slice(&(volumes.len() as i16).to_le_bytes());
    volumes.iter().for_each(|volume| image.extend(&volume[352..]));
    image
}

fn mask(path: &Path, labels: &[u32], shape: [usize; 3]) {
    write_volume(fs::File::create(path).unwrap(), Voxels::Labels(labels), &grid(shape), Intent::None, false).unwrap();
}

/// The same as the image holds it, f4.
fn save_f4(path: &Path, rows: &Array2<f64>, ids: Option<&[String]>) {
    let rows = Matrix::F4(rows.mapv(|v| v as f32));
    write_matrix(fs::File::create(path).unwrap(), &rows, ids).unwrap();
}

/// Voxels of the mask, of two labels.
fn inside() -> Vec<usize> {
    (0..40).filter(|voxel| voxel % 3 == 1).collect()
}

/// Six features of 30 stimuli with ids; responses of 40 voxels as an image and as a matrix, one of them constant; a
/// mask of 13 of them; the ids of the volumes.
fn place() -> (tempfile::TempDir, Array2<f64>) {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let x = noise(N, 6, 1);
    let mut y = x.dot(&noise(6, 40, 2)) + noise(N, 40, 3);
    y.column_mut(7).fill(0.0);
    save(&at("x.npy"), &x, Some(&ids(N)));
    save_f4(&at("y.npy"), &y, Some(&ids(N)));
    save_f4(&at("cut.npy"), &y.select(Axis(1), &inside()), Some(&ids(N)));
    fs::write(at("y.nii"), image(&y, SHAPE)).unwrap();
    let gz: Vec<u8> = y.rows().into_iter().flat_map(|row| volume(&row.to_vec(), SHAPE, true)).collect();
    fs::write(at("y.nii.gz"), gz).unwrap();
    let mut labels = vec![0; 40];
    inside().iter().enumerate().for_each(|(i, &voxel)| labels[voxel] = 1 + i as u32 % 2);
    mask(&at("mask.nii"), &labels, SHAPE);
    let rows: String = (0..N).map(|i| format!("s{i},{}\n", i / 10)).collect();
    fs::write(at("trials.csv"), format!("stimulus,run\n{rows}")).unwrap();
    (dir, y)
}

const NAMED: &str = "--stimuli trials.csv --assume-order";

/// Numbers of a table without the columns that say which voxel it is.
fn without_voxel(text: &str) -> Vec<Vec<(String, String)>> {
    let of_row = |row: Row| {
        let mut cells: Vec<(String, String)> = row.into_iter().filter(|(name, _)| !name.starts_with("voxel")).collect();
        cells.sort();
        cells
    };
    rows(text).into_iter().map(of_row).collect()
}

fn column(text: &str, name: &str) -> Vec<String> {
    rows(text).into_iter().map(|row| row[name].clone()).collect()
}

#[test]
fn volumes_are_rows_and_voxels_columns() {
    let (dir, _) = place();
    let fit = |y: &str| run(dir.path(), &format!("encode fit -q --x x.npy --y {y}")).text();
    let whole = fit("y.npy");
    assert_eq!(rows(&whole)[7]["reason"], "constant");
    for image in ["y.nii", "y.nii.gz"] {
        assert_eq!(fit(&format!("{image} {NAMED}")), whole, "{image}");
    }
    let stdin = fs::read(dir.path().join("y.nii.gz")).unwrap();
    assert_eq!(pipe(dir.path(), &format!("encode fit -q --x x.npy --y - {NAMED}"), &stdin).text(), whole);
    // without ids rows are joined by position, if that is said
    save(&dir.path().join("bare.npy"), &noise(N, 6, 1), None);
    let bare = run(dir.path(), "encode fit -q --x bare.npy --y y.nii --assume-order --cv 5 --fold-order contiguous");
    let named = fit(&format!("y.nii {NAMED} --cv 5 --fold-order contiguous"));
    assert_eq!(bare.text(), named);
}

#[test]
fn a_mask_takes_voxels_and_keeps_their_numbers() {
    let (dir, _) = place();
    let line = |y: &str, at: &str| format!("encode fit -q --x x.npy --y {y} --predictions {at}.npy --save {at}.npz");
    let cut = run(dir.path(), &line("cut.npy", "cut_p")).text();
    let masked = run(dir.path(), &format!("{} --mask mask.nii {NAMED}", line("y.nii.gz", "p"))).text();
    assert_eq!(without_voxel(&masked), without_voxel(&cut));
    let numbers: Vec<String> = inside().iter().map(ToString::to_string).collect();
    assert_eq!((column(&masked, "voxel"), column(&masked, "voxel_name")), (numbers.clone(), numbers.clone()));

    // files of the same voxels say which they are
    let read = |name: &str| arrays(&fs::read(dir.path().join(name)).unwrap()).remove(0);
    let (p, of_cut) = (read("p.npy"), read("cut_p.npy"));
    // a constant voxel is NaN
    assert!(format!("{:?}", p.values) == format!("{:?}", of_cut.values));
    assert_eq!((p.labels.columns, p.labels.ids), (Some(numbers.clone()), of_cut.labels.ids));
    let weights = run(dir.path(), "encode weights p.npz").ok();
    assert_eq!(arrays(&weights).remove(0).labels.columns, Some(numbers));
    // and the table is one of voxels for fmri-roi
    fs::write(dir.path().join("masked.csv"), &masked).unwrap();
    let (extracted, _) = matrix(&run(dir.path(), "fmri-roi extract y.nii --roi masked.csv").ok());
    assert_eq!(extracted, matrix(&fs::read(dir.path().join("cut.npy")).unwrap()).0);

    // shards of voxels
    for shard in 0..3 {
        let line =
            format!("encode fit -q --x x.npy --y y.nii --mask mask.nii {NAMED} --shard {shard}/3 -o {shard}.csv");
        run(dir.path(), &line).ok();
    }
    assert_eq!(run(dir.path(), "npy cat 0.csv 1.csv 2.csv").text(), masked);
}

#[test]
fn ids_of_volumes_are_those_of_a_table() {
    let (dir, y) = place();
    // 60 trials in another order: each stimulus twice
    let order: Vec<usize> = (0..2 * N).map(|row| (7 * row + row / N) % N).collect();
    let trials = y.select(Axis(0), &order) + 0.1 * noise(2 * N, 40, 9);
    let names: Vec<String> = order.iter().map(|i| format!("s{i}")).collect();
    save_f4(&dir.path().join("trials.npy"), &trials, Some(&names));
    fs::write(dir.path().join("trials.nii"), image(&trials, SHAPE)).unwrap();
    let lines: String = names.iter().map(|name| format!("{name},{}\n", name.len())).collect();
    fs::write(dir.path().join("twice.csv"), format!("stimulus,kind\n{lines}")).unwrap();
    let image = "--y trials.nii --stimuli twice.csv --assume-order";
    for folds in ["", "--cv kind --stimuli twice.csv"] {
        let fit = |y: &str| run(dir.path(), &format!("encode fit --x x.npy {y}"));
        let expected = fit(&format!("--y trials.npy {folds}"));
        let found = fit(&format!("{image} {}", folds.replace("--stimuli twice.csv", "")));
        assert!(found.stderr.contains("30 stimuli (60 rows)"), "{}", found.stderr);
        assert_eq!(found.text(), expected.text());
    }
}

#[test]
fn tables_of_voxels_are_read_by_their_numbers() {
    let (dir, _) = place();
    let at = |name: &str| dir.path().join(name);
    // as `fmri-roi define` writes it; voxel 0 is outside the mask
    let of_mask: String = inside().iter().enumerate().map(|(i, voxel)| format!("r{},{voxel}\n", i % 2)).collect();
    fs::write(at("by_number.csv"), format!("roi,voxel\n{of_mask}r0,0\n")).unwrap();
    let rows_of_cut: String = (0..13).map(|i| format!("r{},{i}\n", i % 2)).collect();
    fs::write(at("by_column.csv"), format!("roi,voxel\n{rows_of_cut}")).unwrap();
    let shared = |y: &str, table: &str| {
        run(
            dir.path(),
            &format!("encode fit -q --x x.npy --y {y} --alpha-per roi --regions {table} --predictions p.npy"),
        )
    };
    let masked = format!("y.nii --mask mask.nii {NAMED}");
    let expected = shared("cut.npy", "by_column.csv").text();
    assert_eq!(without_voxel(&shared(&masked, "by_number.csv").text()), without_voxel(&expected));
    fs::write(at("beyond.csv"), "roi,voxel\nr0,40\n").unwrap();
    shared(&masked, "beyond.csv").fails(1, &["beyond.csv", "voxel 40", "have 40"]);
    shared(&masked, "by_column.csv").fails(1, &["by_column.csv", "9 of 13 voxels have no roi"]);

    // predictions of the voxels of the mask against the image
    shared(&masked, "by_number.csv").ok();
    fs::write(
        at("folds.csv"),
        "stimulus,fold\n".to_owned() + &(0..N).map(|i| format!("s{i},{}\n", i % 3)).collect::<String>(),
    )
    .unwrap();
    let measured = format!("y.nii.gz --mask mask.nii {NAMED}");
    for folds in ["", "--folds @folds.csv"] {
        let by_voxel = run(dir.path(), &format!("encode score p.npy {measured} {folds}")).text();
        let bare = run(dir.path(), &format!("encode score p.npy cut.npy {folds}")).text();
        assert_eq!(without_voxel(&by_voxel), without_voxel(&bare));
        assert_eq!(column(&by_voxel, "voxel"), inside().iter().map(ToString::to_string).collect::<Vec<_>>());
        let region = |y: &str, table: &str| {
            run(dir.path(), &format!("encode score --by region p.npy {y} --regions {table} {folds}")).text()
        };
        assert_eq!(region(&measured, "by_number.csv"), region("cut.npy", "by_column.csv"));
    }
    // a fold may be a column of the table that names the volumes
    run(dir.path(), &format!("encode score p.npy {measured} --folds run")).ok();
    let compared = run(dir.path(), &format!("encode compare p.npy p.npy --y {measured}")).text();
    assert_eq!(column(&compared, "voxel")[1], "4");
    // other voxels are refused
    let mut labels = vec![0; 40];
    (0..13).for_each(|voxel| labels[voxel] = 1);
    mask(&at("other.nii"), &labels, SHAPE);
    run(dir.path(), &format!("encode score p.npy y.nii --mask other.nii {NAMED}"))
        .fails(1, &["voxel 0 is \"1\" in p.npy", "\"0\" in y.nii"]);
}

#[test]
fn ablations_of_an_image_are_those_of_its_matrix() {
    let (dir, _) = place();
    fs::write(dir.path().join("units.csv"), "array,unit,n_units\nx,1,6\nx,2,6\n").unwrap();
    let ablate = |y: &str| {
        run(dir.path(), &format!("encode ablate -q --x x.npy --units units.csv --draws 3 --names ffa --y {y}")).text()
    };
    let (masked, cut) = (ablate(&format!("y.nii --mask mask.nii {NAMED}")), ablate("cut.npy"));
    assert_eq!(without_voxel(&masked), without_voxel(&cut));
    assert_eq!(column(&masked, "voxel")[..3], ["1", "4", "7"]);
    run(dir.path(), "encode ablate --x x.npy --units units.csv --y cut.npy --stimuli trials.csv")
        .fails(1, &["--stimuli trials.csv", "give an image as --y", "leave it out"]);
}

#[test]
fn an_image_larger_than_its_share_of_memory_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    // 3072 voxels of 30 rows: 369 kB in f4
    let shape = [16, 16, 12];
    let y = noise(N, 3072, 3);
    save(&at("x.npy"), &noise(N, 3, 1), Some(&ids(N)));
    fs::write(at("y.nii"), image(&y, shape)).unwrap();
    let labels: Vec<u32> = (0..3072).map(|voxel| u32::from(voxel % 50 > 0)).collect();
    mask(&at("mask.nii"), &labels, shape);
    fs::write(at("t.csv"), "stimulus\n".to_owned() + &ids(N).join("\n")).unwrap();
    let line = "encode fit --threads 1 --cv 2 --alpha-cv 2 --x x.npy --stimuli t.csv --assume-order --mask mask.nii";
    let whole = run(dir.path(), &format!("{line} --y y.nii -q --save all.npz")).text();
    // x is f8 and y f4, so that arithmetic is the same however the responses are read
    let small = run(dir.path(), &format!("{line} --y y.nii --mem 1400k --save small.npz"));
    assert!(small.stderr.contains("blocks of up to"), "{}", small.stderr);
    assert_eq!(small.text(), whole);
    let bytes = |name: &str| fs::read(at(name)).unwrap();
    assert!(bytes("all.npz") == bytes("small.npz"));
    let stdin = bytes("y.nii");
    pipe(dir.path(), &format!("{line} --y - --mem 1400k"), &stdin)
        .fails(1, &["stdin", "30 volumes of 3010 voxels", "361200 bytes", "358400 bytes", "as a file"]);
    // rows in another order, and some of them, are found again
    let order: Vec<usize> = (0..N).rev().filter(|i| i % 4 > 0).collect();
    let names: Vec<String> = order.iter().map(|i| format!("s{i}")).collect();
    let x = noise(N, 3, 1);
    save(&at("some.npy"), &x.select(Axis(0), &order), Some(&names));
    let some = line.replace("x.npy", "some.npy") + " --inner --y y.nii";
    let expected = run(dir.path(), &some).text();
    assert_eq!(rows(&expected)[0]["n"], order.len().to_string());
    assert_eq!(run(dir.path(), &format!("{some} --mem 1400k")).text(), expected);
}

/// 600 voxels, so that there are blocks; features in another order than the responses, which have trials.
fn many() -> (tempfile::TempDir, Array2<f64>) {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let x = noise(40, 12, 1);
    let order: Vec<usize> = (0..60).map(|row| (7 * row + row / 40) % 40).collect();
    let y = x.select(Axis(0), &order).dot(&noise(12, 600, 2)) + noise(60, 600, 3);
    let names: Vec<String> = order.iter().map(|i| format!("s{i}")).collect();
    save(&at("x.npy"), &x, Some(&ids(40)));
    save_f4(&at("low.npy"), &x.slice(s![.., ..5]).to_owned(), Some(&ids(40)));
    // the same stimuli, backwards
    let back: Vec<usize> = (0..40).rev().collect();
    let names_back: Vec<String> = back.iter().map(|i| format!("s{i}")).collect();
    save(&at("high.npy"), &x.slice(s![.., 5..]).select(Axis(0), &back), Some(&names_back));
    save_f4(&at("y.npy"), &y, Some(&names));
    save(&at("wide.npy"), &noise(40, 70, 4), Some(&ids(40)));
    (dir, x)
}

/// Table, model and predictions of a fit.
fn all_of(dir: &Path, line: &str) -> (Vec<Vec<u8>>, String) {
    let out = run(dir, &format!("encode fit {line} --threads 1 -o o.csv --save o.npz --predictions p.npy"));
    let notes = out.stderr.clone();
    out.ok();
    (["o.csv", "o.npz", "p.npy"].map(|name| fs::read(dir.join(name)).unwrap()).into(), notes)
}

#[test]
fn features_that_stay_in_their_files_give_the_bytes_of_those_held() {
    let (dir, x) = many();
    let bands = "--band low=low.npy --band high=high.npy --n-iter 3 --split split.csv --partition parts.csv";
    for line in ["--x x.npy", "--x low.npy", "--x wide.npy", "--x wide.npy --no-scale", bands] {
        let line = format!("{line} --y y.npy --cv 3");
        let (held, _) = all_of(dir.path(), &line);
        let others = || ["split.csv", "parts.csv"].map(|name| fs::read(dir.path().join(name)).ok());
        let held_others = others();
        let (read, notes) = all_of(dir.path(), &format!("{line} --mem 64M"));
        assert!(notes.contains("of memory"), "{notes}");
        assert!(held == read && held_others == others(), "{line}");
    }
    // decompositions that a run with features in memory has kept
    let gram = "--x x.npy --y y.npy --cv 3 --gram g.npz";
    let (kept, _) = all_of(dir.path(), gram);
    let (read, notes) = all_of(dir.path(), &format!("{gram} --mem 64M"));
    assert!(notes.contains("are read from it"), "{notes}");
    assert!(kept == read);
    // copies and values that are not finite are found in files, too
    let mut copies = x.clone();
    copies.row_mut(9).assign(&x.row(2));
    save(&dir.path().join("x.npy"), &copies, Some(&ids(40)));
    let named = run(dir.path(), "encode fit --x x.npy --y y.npy --mem 64M --cv 40");
    assert!(named.stderr.contains("\"s2\"") && named.stderr.contains("\"s9\""), "{}", named.stderr);
    copies[(5, 3)] = f64::INFINITY;
    save(&dir.path().join("x.npy"), &copies, Some(&ids(40)));
    run(dir.path(), "encode fit --x x.npy --y y.npy --mem 64M")
        .fails(1, &["x.npy: row 5 (\"s5\"), column 3 is inf", "npy cols"]);
}

#[test]
fn other_methods_go_by_blocks_of_voxels() {
    let (dir, _) = many();
    for method in ["ols", "lasso-positive --alpha .1,.3", "ridge --frac .3,.6"] {
        let line = format!("--x x.npy --y y.npy --cv 3 --method {method}");
        let (whole, _) = all_of(dir.path(), &line);
        let (blocks, notes) = all_of(dir.path(), &format!("{line} --mem 1300k"));
        assert!(notes.contains("voxels in 3 blocks of up to 256"), "{notes}");
        assert!(whole == blocks, "{method}");
    }
    let pls = "encode fit --x x.npy --y y.npy --method pls --n-components 2";
    run(dir.path(), &format!("{pls} --mem 1M")).fails(1, &["600 voxels, which pls fits together", "1.0 MB allowed"]);
    run(dir.path(), &format!("{pls} --mem 8M")).ok();
    run(dir.path(), "encode fit --x x.npy --y y.npy --method ols --mem 200k")
        .fails(1, &["256 voxels at a time", "204800 bytes allowed"]);
    run(dir.path(), "encode fit --band a=low.npy --band b=high.npy --y y.npy --gram g.npz")
        .fails(1, &["--gram", "2 bands", "leave it out"]);
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let (dir, y) = place();
    let at = |name: &str| dir.path().join(name);
    let fit = |line: &str| run(dir.path(), &format!("encode fit --x x.npy {line}"));
    fit("--y y.nii").fails(1, &["y.nii", "carry no ids", "--stimuli TABLE --assume-order"]);
    fit("--y y.nii --stimuli trials.csv").fails(1, &["y.nii", "--assume-order", "trials.csv is volume i"]);
    let score = |line: &str| run(dir.path(), &format!("encode score y.npy {line}"));
    score("y.nii").fails(1, &["y.nii", "carry no ids"]);
    score("y.npy --stimuli trials.csv").fails(1, &["--stimuli trials.csv", "leave it out"]);
    fs::write(at("short.csv"), "stimulus\ns0\ns1\n").unwrap();
    fit("--y y.nii --stimuli short.csv --assume-order").fails(1, &["y.nii", "30 volumes", "short.csv has 2 rows"]);

    let masked = |mask: &str| fit(&format!("--y y.nii {NAMED} --mask {mask}"));
    mask(&at("shape.nii"), &[1; 60], [5, 4, 3]);
    masked("shape.nii").fails(1, &["shape.nii", "y.nii", "5x4x3", "5x4x2", "resample"]);
    let moved = Geometry::from_sizes(SHAPE, [2.0, 2.0, 3.5]);
    let file = fs::File::create(at("moved.nii")).unwrap();
    write_volume(file, Voxels::Labels(&[1; 40]), &moved, Intent::None, false).unwrap();
    masked("moved.nii").fails(1, &["moved.nii", "y.nii", "resample"]);
    mask(&at("empty.nii"), &[0; 40], SHAPE);
    masked("empty.nii").fails(1, &["empty.nii", "0 of 40 voxels are inside"]);
    fs::write(at("half.nii"), volume(&[0.5; 40], SHAPE, false)).unwrap();
    masked("half.nii").fails(1, &["half.nii", "0.5", "no label"]);
    masked("y.nii").fails(1, &["y.nii", "30 volumes where one map"]);
    masked("trials.csv").fails(1, &["trials.csv"]);
    masked("none.nii").fails(1, &["none.nii"]);
    fit("--y y.npy --mask mask.nii").fails(1, &["--mask mask.nii", "y.npy is a .npy stream", "npy cols"]);
    fit("--y trials.csv --assume-order").fails(1, &["trials.csv", "a table"]);

    let bytes = image(&y, SHAPE);
    fs::write(at("cut.nii"), &bytes[..bytes.len() - 9]).unwrap();
    fit(&format!("--y cut.nii {NAMED}")).fails(1, &["cut.nii", "cut off"]);
    run(dir.path(), "encode fit --x y.nii --y y.npy").fails(1, &["y.nii", "NIfTI"]);
}
