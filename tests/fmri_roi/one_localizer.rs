//! `fmri-roi contrast` and `select-units --all` are one localizer: equal numbers for every option that they share, from
//! `.npy` and from NIfTI, with constant voxels and NaN among them.

use crate::verbs::image;
use ndarray::Array2;
use std::fs;
use std::path::Path;
use support::*;

const SHAPE: [usize; 3] = [4, 3, 5];
const N_ROWS: usize = 72;
const N_VOXELS: usize = 60;

/// Betas as a labelled matrix and as the volumes of an image, and their table with six subordinate categories.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    // Numbers that f4 holds, as the image stores them.
    let mut betas: Array2<f64> = noise(N_ROWS, N_VOXELS, 4).mapv(|v| f64::from(v as f32));
    betas.column_mut(7).fill(1.5);
    betas[(5, 9)] = f64::NAN;
    betas[(6, 10)] = f64::INFINITY;
    // Constant for the contrasts of a and b alone.
    (0..N_ROWS).filter(|row| row % 3 < 2).for_each(|row| betas[(row, 20)] = 0.25);
    save(&dir.path().join("x.npy"), &betas, Some(&ids(N_ROWS)));
    image(&dir.path().join("x.nii"), SHAPE, N_ROWS, |row, i, j, k| betas[(row, (i * SHAPE[1] + j) * SHAPE[2] + k)]);
    let lines: String = (0..N_ROWS)
        .map(|row| format!("s{row},{},{},run{}\n", ["a", "b", "c"][row % 3], row % 12, row / 12 % 2))
        .collect();
    fs::write(dir.path().join("x.csv"), format!("stimulus,kind,sub,run\n{lines}")).unwrap();
    dir
}

/// The voxels of every volume of an f4 image, in voxel order, read without the tool.
fn volumes(path: &Path) -> Vec<Vec<f64>> {
    let bytes = fs::read(path).unwrap();
    let n_volumes = i16::from_le_bytes([bytes[48], bytes[49]]) as usize;
    assert_eq!(i16::from_le_bytes([bytes[40], bytes[41]]), if n_volumes > 1 { 4 } else { 3 });
    assert_eq!(bytes.len(), 352 + 4 * n_volumes * N_VOXELS);
    let [nx, ny, nz] = SHAPE;
    let value = |volume: usize, (i, j, k): (usize, usize, usize)| {
        let at = 352 + 4 * (volume * N_VOXELS + (k * ny + j) * nx + i);
        f64::from(f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()))
    };
    let places = || (0..nx).flat_map(move |i| (0..ny).flat_map(move |j| (0..nz).map(move |k| (i, j, k))));
    (0..n_volumes).map(|volume| places().map(|place| value(volume, place)).collect()).collect()
}

fn same(found: f64, expected: f64) -> bool {
    found == expected || found.is_nan() && expected.is_nan()
}

#[test]
fn voxels_and_units_have_the_same_numbers() {
    let dir = folder();
    let dir = dir.path();
    let one = "--contrast 'a > b,c'";
    let several = "--contrast 'a > b' --contrast 'b > rest' --contrast '2*a - b - c'";
    for (contrasts, n_contrasts) in [(one, 1), ("--contrast 'a - b'", 1), (several, 3), ("", 3)] {
        for how in [
            "--versus pooled --fdr bh",
            "--test welch --correct by",
            "--correct bonferroni --cv odd-even",
            "--cv run --test welch",
            "--versus each --fdr by --test welch",
            "--versus each --cv k=3",
            "--by-category=sub",
            "--by-category=sub --versus each --test welch --correct bh",
        ] {
            let weighted = contrasts.contains(" - ");
            if weighted && (how.contains("each") || how.contains("by-category")) {
                continue;
            }
            let line = format!("--stimuli x.csv --by kind {contrasts} {how}");
            let units = rows(&run(dir, &format!("select-units --all {line} x.npy")).text());
            let n_maps = units.len() / N_VOXELS;
            for source in ["x.npy", "x.nii --assume-order"] {
                let map = source.replace("x.", "t.").replace(" --assume-order", "");
                run(dir, &format!("fmri-roi contrast {line} {source} --table v.csv -o {map}")).ok();
                let text = fs::read_to_string(dir.join("v.csv")).unwrap();
                let voxels = rows(&text);
                assert_eq!(voxels.len(), units.len(), "{line}");
                for (voxel, unit) in voxels.iter().zip(&units) {
                    assert_eq!(voxel["voxel"], unit["unit"]);
                    // An image says where its voxels are; units are nowhere.
                    let own = ["array", "voxel", "i", "j", "k", "x", "y", "z"];
                    for (column, value) in voxel.iter().filter(|(c, _)| !own.contains(&c.as_str())) {
                        assert_eq!(*value, unit[column], "{line} {source}: {column} of voxel {}", voxel["voxel"]);
                    }
                }
                let header = text.lines().next().unwrap();
                assert_eq!(header.contains(",contrast,"), n_contrasts > 1, "{header}");
                for column in [",fold,", ",t_test,", ",n_test,", ",reason_test"] {
                    assert_eq!(header.contains(column), how.contains("--cv"), "{header}");
                }
                // The map holds the t of the table, a row or a volume for each contrast and part.
                let t = |map: usize, voxel: usize| number(&units[map * N_VOXELS + voxel], "t");
                if map == "t.nii" {
                    let found = volumes(&dir.join(&map));
                    assert_eq!(found.len(), n_maps);
                    for (m, values) in found.iter().enumerate() {
                        assert!((0..N_VOXELS).all(|v| same(values[v], f64::from(t(m, v) as f32))), "{line}");
                    }
                } else {
                    let (found, labels) = matrix(&fs::read(dir.join(&map)).unwrap());
                    assert_eq!(found.dim(), (n_maps, N_VOXELS));
                    assert!(found.indexed_iter().all(|((m, v), value)| same(*value, t(m, v))), "{line}");
                    let labels = labels.unwrap();
                    for (m, label) in labels.iter().enumerate() {
                        let row = &units[m * N_VOXELS];
                        let name = if n_contrasts == 1 { "t" } else { row["contrast"].as_str() };
                        let fold = row.get("fold").map_or(String::new(), |fold| format!(", {fold} held out"));
                        assert_eq!(*label, format!("{name}{fold}"));
                    }
                }
            }
        }
    }
}

#[test]
fn a_table_of_trials_may_repeat_its_ids_where_order_is_assumed() {
    let dir = folder();
    let dir = dir.path();
    let line = "--stimuli x.csv --by kind --contrast 'a > b'";
    let expected = run(dir, &format!("fmri-roi contrast {line} x.npy")).ok();
    let betas = matrix(&fs::read(dir.join("x.npy")).unwrap()).0;
    save(&dir.join("x.npy"), &betas, None);
    let repeated = fs::read_to_string(dir.join("x.csv")).unwrap().replace("s1,", "s0,");
    fs::write(dir.join("x.csv"), repeated).unwrap();
    for source in ["x.npy", "x.nii"] {
        let found = run(dir, &format!("fmri-roi contrast {line} --assume-order {source} -o t.npy"));
        found.ok();
        let found = matrix(&fs::read(dir.join("t.npy")).unwrap()).0;
        let t = matrix(&expected).0;
        assert!(found.iter().zip(&t).all(|(a, b)| same(*a, *b) || *a == f64::from(*b as f32)), "{source}");
        run(dir, &format!("fmri-roi contrast {line} {source}")).fails(1, &["--assume-order"]);
    }
    let units = run(dir, &format!("select-units --all {line} --assume-order x.npy")).text();
    assert_eq!(rows(&units).len(), N_VOXELS);
}

#[test]
fn a_table_tells_people_with_files_of_one_name_apart() {
    let dir = folder();
    for person in ["sub-01", "sub-02"] {
        fs::create_dir(dir.path().join(person)).unwrap();
        fs::copy(dir.path().join("x.npy"), dir.path().join(person).join("betas.npy")).unwrap();
    }
    let line = "fmri-roi contrast --stimuli x.csv --by kind --contrast 'a > b'";
    run(dir.path(), &format!("{line} sub-01/betas.npy sub-02/betas.npy --table t.csv -o t.npy")).ok();
    let arrays: Vec<String> =
        rows(&fs::read_to_string(dir.path().join("t.csv")).unwrap()).iter().map(|row| row["array"].clone()).collect();
    assert_eq!((arrays.len(), arrays[0].as_str()), (2 * N_VOXELS, "sub-01/betas"));
    assert_eq!(arrays[N_VOXELS], "sub-02/betas");
    run(dir.path(), &format!("{line} x.npy x.npy --table u.csv -o u.npy")).fails(1, &["--table", "one name"]);
}
