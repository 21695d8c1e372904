//! A small made-up study for the examples of the READMEs: a network, pictures, activations, and subjects of a scanner.

use brain_formats::geometry::Geometry;
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use ndarray::{Array2, Axis, concatenate};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::*;

const DOMAINS: [&str; 5] = ["faces", "bodies", "places", "objects", "characters"];

/// A job array on this machine: each task of `sbatch --array=A-B --wrap COMMAND`, one after the other.
const SBATCH: &str = r#"#!/usr/bin/env bash
set -e -o pipefail
range=${1#--array=}
export SLURM_ARRAY_TASK_MIN=${range%-*} SLURM_ARRAY_TASK_COUNT=$((${range#*-} - ${range%-*} + 1))
for SLURM_ARRAY_TASK_ID in $(seq "${range%-*}" "${range#*-}"); do export SLURM_ARRAY_TASK_ID; bash -e -c "$3"; done
"#;

/// Which of 5 domains each of `n` pictures shows, domains in turn blocks.
fn domain_of(i: usize, n: usize) -> usize {
    i * DOMAINS.len() / n
}

/// Ids of `n` pictures: `faces-1`, `faces-2`, ..., `bodies-1`, ...
fn names(prefix: &str, n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{prefix}{}-{}", DOMAINS[domain_of(i, n)], i % (n / DOMAINS.len()) + 1)).collect()
}

/// A table of `n` pictures, and the pictures: each domain has a colour of its own, and noise.
fn pictures(dir: &Path, table: &str, prefix: &str, n: usize, seed: u64) {
    const COLOURS: [[f64; 3]; 5] =
        [[190.0, 120.0, 90.0], [150.0, 120.0, 130.0], [90.0, 160.0, 90.0], [90.0, 110.0, 180.0], [70.0, 70.0, 70.0]];
    let values = noise(n, 8 * 8 * 3, seed);
    let mut text = String::from("stimulus,path,domain,face_species,half,run\n");
    for (i, (row, name)) in values.rows().into_iter().zip(names(prefix, n)).enumerate() {
        let mut bytes = b"P6 8 8 255\n".to_vec();
        bytes.extend(row.iter().enumerate().map(|(k, v)| (COLOURS[domain_of(i, n)][k % 3] + 40.0 * v) as u8));
        fs::write(dir.join(format!("pictures/{name}.ppm")), bytes).unwrap();
        let species = if domain_of(i, n) > 0 { "n/a" } else { ["human", "animal"][i / 2 % 2] };
        let domain = DOMAINS[domain_of(i, n)];
        text += &format!("{name},pictures/{name}.ppm,{domain},{species},{},{}\n", ["odd", "even"][i % 2], i % 4 + 1);
    }
    fs::write(dir.join(format!("{table}.csv")), text).unwrap();
}

/// Responses of 60 units: the first 40 prefer a domain each, in turn and less and less; the last one is constant.
fn activations(n: usize, selectivity: f64, seed: u64) -> Array2<f64> {
    let mut acts = 0.4 * noise(n, 60, seed) + 1.0;
    for ((i, u), value) in acts.indexed_iter_mut() {
        if u < 40 && u % 5 == domain_of(i, n) {
            *value += selectivity * (1.0 - u as f64 / 50.0);
        }
        if u == 59 {
            *value = 0.5;
        }
    }
    acts
}

/// Writes one file that a user's own pipeline would have made.
fn put(dir: &Path, name: &str, matrix: &Array2<f64>, labels: &[String]) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    save(&path, matrix, Some(labels));
}

/// Ids and rows `k` times over, as presentations are.
fn repeated(names: &[String], rows: &Array2<f64>, k: usize) -> (Vec<String>, Array2<f64>) {
    ((0..k).flat_map(|_| names.to_vec()).collect(), concatenate(Axis(0), &vec![rows.view(); k]).unwrap())
}

fn image(path: &Path, geometry: &Geometry, voxels: Voxels<'_>) {
    write_volume(fs::File::create(path).unwrap(), voxels, geometry, Intent::None, false).unwrap();
}

/// One image of many volumes, as scanners' software writes betas: `write_volume` makes one, so the header is told how
/// many.
fn image_4d(path: &Path, geometry: &Geometry, volumes: &Array2<f64>) {
    let mut bytes = Vec::new();
    for (t, row) in volumes.rows().into_iter().enumerate() {
        let mut one = Vec::new();
        let values: Vec<f32> = row.iter().map(|&v| v as f32).collect();
        write_volume(&mut one, Voxels::F4(&values), geometry, Intent::None, false).unwrap();
        if t == 0 {
            one[40..42].copy_from_slice(&4i16.to_le_bytes());
            one[48..50].copy_from_slice(&(volumes.nrows() as i16).to_le_bytes());
            bytes = one;
        } else {
            bytes.extend(&one[352..]);
        }
    }
    fs::write(path, bytes).unwrap();
}

/// The brains: a grid of 10 x 6 x 6 voxels of 3 mm in which voxels with i below 4 and j below 3 prefer faces.
fn brains(dir: &Path) {
    let geometry = Geometry {
        shape: [10, 6, 6],
        affine: [[3.0, 0.0, 0.0, 30.0], [0.0, 3.0, 0.0, -60.0], [0.0, 0.0, 3.0, -20.0]],
        space: 4,
    };
    let n_voxels = geometry.n_voxels();
    let place = |v: usize| (v / 36, v / 6 % 6);
    let in_ffa = |v: usize| place(v).0 < 4 && place(v).1 < 3;
    let in_ppa = |v: usize| place(v).0 > 5 && place(v).1 > 2;
    let response = |i: usize, n: usize, v: usize| match domain_of(i, n) {
        0 if in_ffa(v) => 1.0,
        2 if in_ppa(v) => 1.0,
        _ => 0.0,
    };
    let labels: Vec<u32> = (0..n_voxels)
        .map(|v| {
            if in_ffa(v) {
                1
            } else if in_ppa(v) {
                2
            } else {
                0
            }
        })
        .collect();
    image(&dir.join("parcels.nii"), &geometry, Voxels::Labels(&labels));
    image(&dir.join("mask.nii"), &geometry, Voxels::Labels(&vec![1; n_voxels]));
    fs::write(dir.join("parcels.tsv"), "index\tname\n1\tFFA\n2\tPPA\n").unwrap();

    // Localizer: the pictures of floc.csv, each shown twice.
    let floc = names("", 40);
    let (ids, _) = repeated(&floc, &Array2::zeros((40, 1)), 2);
    let mut betas = 0.6 * noise(80, n_voxels, 31);
    for ((t, v), value) in betas.indexed_iter_mut() {
        *value += response(t % 40, 40, v);
    }
    put(dir, "sub-01/betas.npy", &betas, &ids);
    image_4d(&dir.join("sub-01/betas.nii"), &geometry, &betas);
    let rows =
        ids.iter().enumerate().map(|(t, id)| format!("{id},{},{}\n", DOMAINS[domain_of(t % 40, 40)], t / 20 + 1));
    fs::write(dir.join("trials.csv"), String::from("stimulus,domain,run\n") + &rows.collect::<String>()).unwrap();
    for subject in 1..=6u64 {
        let map = noise(1, n_voxels, 40 + subject);
        let map: Vec<f32> = map.iter().enumerate().map(|(v, x)| (response(0, 5, v) + x) as f32).collect();
        image(&dir.join(format!("sub-0{subject}_face_con.nii")), &geometry, Voxels::F4(&map));
    }

    // Two regions of four people, three trials of each of the 30 pictures of pictures.csv. What their voxels share with
    // the network's units is a mixture of these; the other half of a pattern is common to people. Faces drive both
    // regions.
    let pictures = names("p-", 30);
    let acts = activations(30, 1.0, 7);
    let common = noise(30, 25, 50);
    for subject in 1..=4u64 {
        for (region, seed) in [("ffa", 60), ("ofa", 70)] {
            let mixing = noise(60, 25, 55) + 0.5 * noise(60, 25, seed + subject);
            let mut pattern = 0.5 * acts.dot(&mixing) + &common + 0.3 * noise(30, 25, 80 + subject);
            for i in (0..30).filter(|&i| domain_of(i, 30) == 0) {
                pattern.row_mut(i).mapv_inplace(|v| v + 0.4);
            }
            let (ids, trials) = repeated(&pictures, &pattern, 3);
            let trials = trials + 1.2 * noise(90, 25, seed + 20 + subject);
            put(dir, &format!("sub-0{subject}/{region}.npy"), &trials, &ids);
        }
    }
}

/// Volumes of a run, and the seconds between them.
const N_VOLUMES: usize = 120;
const TR: f32 = 2.0;

/// Two runs of BOLD on the grid of the betas, with their events: blocks of 6 s of faces, places and objects, each of
/// one picture. Voxels that prefer faces or places answer with 2 % of their mean, two volumes later.
fn runs(dir: &Path) {
    let geometry = Geometry {
        shape: [10, 6, 6],
        affine: [[3.0, 0.0, 0.0, 30.0], [0.0, 3.0, 0.0, -60.0], [0.0, 0.0, 3.0, -20.0]],
        space: 4,
    };
    let n_voxels = geometry.n_voxels();
    for run in 1..=2usize {
        let mut bold = 1000.0 + 8.0 * noise(N_VOLUMES, n_voxels, 90 + run as u64);
        let mut events = "onset\tduration\ttrial_type\tstimulus\n".to_owned();
        for block in 0..15 {
            let kind = (block * block + block / 4 + run) % 3;
            let (name, onset) = (["faces", "places", "objects"][kind], 8 + 15 * block);
            events += &format!("{onset}\t6\t{name}\t{name}-{}\n", block / 3 + 5 * (run - 1) + 1);
            for v in 0..n_voxels {
                let (i, j) = (v / 36, v / 6 % 6);
                let prefers = [i < 4 && j < 3, i > 5 && j > 2, false][kind];
                let from = onset / TR as usize + 2;
                (from..(from + 3).min(N_VOLUMES)).filter(|_| prefers).for_each(|t| bold[(t, v)] += 20.0);
            }
        }
        let path = dir.join(format!("run-{run}_bold.nii"));
        image_4d(&path, &geometry, &bold);
        let mut bytes = fs::read(&path).unwrap();
        bytes[92..96].copy_from_slice(&TR.to_le_bytes());
        // Millimetres and seconds.
        bytes[123] = 10;
        fs::write(&path, bytes).unwrap();
        fs::write(dir.join(format!("run-{run}_events.tsv")), events).unwrap();
        let motion = noise(N_VOLUMES, 3, 95 + run as u64);
        let mut table = "rot_x\trot_y\tframewise_displacement\n".to_owned();
        for (t, row) in motion.rows().into_iter().enumerate() {
            let moved = if t == 0 { "n/a".to_owned() } else { format!("{:.4}", row[2].abs()) };
            table += &format!("{:.4}\t{:.4}\t{moved}\n", row[0], row[1]);
        }
        fs::write(dir.join(format!("run-{run}_confounds.tsv")), table).unwrap();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Fills a folder with what the commands of the READMEs take. crates/README.md says what each file is.
pub fn study(dir: &Path) {
    for folder in ["pictures", "models", ".bin", "sub-01"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    let sbatch = dir.join(".bin/sbatch");
    fs::write(&sbatch, SBATCH).unwrap();
    fs::set_permissions(&sbatch, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["net.onnx", "models/net.onnx"] {
        fs::copy(root().join("testdata/models/small.onnx"), dir.join(name)).unwrap();
    }
    pictures(dir, "floc", "", 40, 1);
    pictures(dir, "other", "o-", 30, 2);
    pictures(dir, "pictures", "p-", 30, 3);
    let floc = names("", 40);
    put(dir, "layer3.npy", &activations(40, 0.5, 4), &floc);
    put(dir, "layer4.npy", &activations(40, 1.0, 5), &floc);
    put(dir, "twin.npy", &activations(40, 0.05, 6), &floc);
    put(dir, "other.npy", &activations(30, 0.8, 8), &names("o-", 30));
    put(dir, "acts.npy", &activations(30, 1.0, 7), &names("p-", 30));
    brains(dir);
    runs(dir);
    copy_folder(&root().join("testdata/golden/fmriprep"), &dir.join("bids"));
}
