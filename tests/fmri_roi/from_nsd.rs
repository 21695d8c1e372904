//! The page crates/fmri-roi/from-nsd.md on a folder as NSD publishes it: its recipe against numpy's matrices.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use support::*;

/// Additions in another order than numpy's, on z scores of a few standard deviations.
const ROUNDING: f64 = 1e-12;

const PAGE: &str = "crates/fmri-roi/from-nsd.md";

/// What `sbatch` of Slurm is asked to do here: the tasks of an array, one after the other.
const SBATCH: &str = r#"#!/bin/bash
range=${1#--array=}
for SLURM_ARRAY_TASK_ID in $(seq "${range%-*}" "${range#*-}"); do
    export SLURM_ARRAY_TASK_ID
    bash -c "$3" || exit 1
done
"#;

fn same_as_numpy(dir: &Path) {
    for subject in ["subj01", "subj02"] {
        for region in ["FFA", "EBA", "PPA"] {
            let what = format!("{subject}/{region}");
            let read = |path: &Path| matrix(&fs::read(path).unwrap());
            let (found, ids) = read(&dir.join(format!("{what}.npy")));
            let golden = root().join(format!("testdata/golden/nsd/{subject}-{region}.npy"));
            let (expected, expected_ids) = read(&golden);
            assert!(ids.is_some() && ids == expected_ids, "{what}");
            assert_eq!(found.dim(), expected.dim(), "{what}");
            let mut n_nan = 0;
            for (at, (a, b)) in found.iter().zip(&expected).enumerate() {
                n_nan += usize::from(b.is_nan());
                let same = (a.is_nan() && b.is_nan()) || (a - b).abs() <= ROUNDING;
                assert!(same, "{what}: value {at} is {a}, numpy has {b}");
            }
            // The voxel that the last session did not cover: NaN for every picture that was shown in it.
            assert!(n_nan > 0 || region != "EBA", "{what}");
        }
    }
}

/// Language and text, with the output that stands behind them: its line and text.
type Block = (String, String, Option<(usize, String)>);

/// Blocks of the page in their order.
fn blocks(text: &str) -> Vec<Block> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found: Vec<Block> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if let Some(language) = lines[at].strip_prefix("```") {
            let n = lines[at + 1..].iter().position(|line| *line == "```").unwrap();
            let inside: String = lines[at + 1..at + 1 + n].iter().map(|line| format!("{line}\n")).collect();
            match (language, at > 0 && lines[at - 1] == "```") {
                ("text", true) => found.last_mut().unwrap().2 = Some((at + 1, inside)),
                ("text", false) => {}
                _ => found.push((language.to_owned(), inside, None)),
            }
            at += n + 1;
        }
        at += 1;
    }
    found
}

#[test]
fn the_page_makes_the_matrices_that_numpy_makes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    symlink(root().join("testdata/golden/nsd/folder"), dir.join("nsd")).unwrap();
    fs::create_dir(dir.join(".bin")).unwrap();
    fs::write(dir.join(".bin/sbatch"), SBATCH).unwrap();
    fs::set_permissions(dir.join(".bin/sbatch"), fs::Permissions::from_mode(0o755)).unwrap();

    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let mut lines: Vec<String> = page.lines().map(str::to_owned).collect();
    let mut updates = Vec::new();
    let mut n_runs = 0;
    for (language, text, shown) in blocks(&page) {
        if language == "make" {
            fs::write(dir.join("Makefile"), text).unwrap();
            continue;
        }
        assert_eq!(language, "sh");
        let found = sh(dir, &format!("set -e\nPATH=$PWD/.bin:$PATH\n{text}")).text();
        if text.contains("make") {
            same_as_numpy(dir);
            n_runs += 1;
        }
        if let Some((line, shown)) = shown {
            if std::env::var_os("README_UPDATE").is_some() {
                updates.push((line, shown.lines().count(), found));
            } else {
                assert_eq!(found, shown, "{PAGE}:{line}");
            }
        }
    }
    assert_eq!(n_runs, 2, "make -j and the Slurm array");
    for (line, n, found) in updates.into_iter().rev() {
        lines.splice(line..line + n, found.lines().map(str::to_owned));
    }
    if std::env::var_os("README_UPDATE").is_some() {
        fs::write(root().join(PAGE), lines.join("\n") + "\n").unwrap();
    }
    assert!(page.lines().all(|line| line.chars().count() <= 120), "{PAGE}: more than 120 characters");
}

/// What a colour table calls regions, with and without colours; what stands below 1 is none.
#[test]
fn colour_tables_name_regions() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    symlink(root().join("testdata/golden/nsd/folder"), dir.join("nsd")).unwrap();
    let label = "nsd/nsddata/freesurfer/subj01/label/floc-faces.mgz.ctab";
    let plain = fs::read_to_string(dir.join(label)).unwrap();
    let coloured: String = plain.lines().map(|line| format!("{line} 255 0 0 0\n")).collect();
    fs::write(dir.join("plain.ctab"), format!("-1 outside\n{plain}")).unwrap();
    fs::write(dir.join("coloured.ctab"), format!("#No. Label Name: R G B A\n-1 outside 0 0 0 0\n{coloured}")).unwrap();
    let line = "fmri-roi extract nsd/nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR/betas_session01.hdf5 \
                --roi nsd/nsddata/ppdata/subj01/func1pt8mm/roi/floc-faces.nii.gz --labels";
    let regions = |table: &str| {
        let out = run(dir, &format!("{line} {table}"));
        assert!(out.stderr.contains("negative; they are outside"), "{}", out.stderr);
        let streams = out.ok();
        let names = pipe(dir, "npy info", &streams).text();
        (names.lines().skip(1).map(|row| row.split(',').next().unwrap().to_owned()).collect::<Vec<_>>(), streams)
    };
    let plain = regions("plain.ctab");
    assert_eq!(plain.0, ["OFA", "FFA-1", "FFA-2", "mTL-faces", "aTL-faces"]);
    assert_eq!(regions("coloured.ctab"), plain);
    run(dir, &format!("{line} plain.ctab --name outside")).fails(1, &["outside", "OFA"]);
}

/// Trials and their table must be as many, and of a grid that the drawing has.
#[test]
fn what_does_not_fit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    symlink(root().join("testdata/golden/nsd/folder"), dir.join("nsd")).unwrap();
    let betas = |subject: &str, session: usize| {
        format!("nsd/nsddata_betas/ppdata/{subject}/func1pt8mm/betas_fithrf_GLMdenoise_RR/betas_session0{session}.hdf5")
    };
    let roi = |subject: &str| format!("nsd/nsddata/ppdata/{subject}/func1pt8mm/roi/floc-faces.nii.gz");
    fs::write(dir.join("trials.csv"), "stimulus\na\nb\n").unwrap();
    let line = format!("fmri-roi extract {} --roi {}", betas("subj01", 1), roi("subj02"));
    run(dir, &line).fails(1, &["7x6x5", "6x5x7"]);
    let two = format!("{} {}", betas("subj01", 1), betas("subj02", 1));
    run(dir, &format!("fmri-roi extract {two} --roi {}", roi("subj01"))).fails(1, &["subj02", "7x6x5", "6x5x7"]);
    let line = format!("fmri-roi extract {} --roi {}", betas("subj01", 1), roi("subj01"));
    run(dir, &format!("{line} --stimuli trials.csv --assume-order")).fails(1, &["24 volumes", "2 rows"]);
}
