//! `fmri-roi glm --betas fit`: against GLMsingle, and what users of its betas meet behind it.
#![allow(clippy::unwrap_used)] // helpers of tests are tests, though clippy cannot know it

use brain_formats::Geometry;
use brain_formats::volume::VolumeReader;
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use ndarray::{Array2, s};
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use support::*;

/// Three runs of 110 volumes x 24 voxels, 16 trials of 12 pictures each (`scripts/golden-glmsingle.py`).
const RUNS: &str = "run-1.npy run-2.npy run-3.npy --tr 1.5 --events run-1_events.tsv run-2_events.tsv run-3_events.tsv";

/// GLMsingle takes polynomials of round(minutes / 2), here 1.
const AS_GLMSINGLE: &str = "--betas fit --drift polynomial --scale none";

fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(root().join("testdata/glmsingle")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    for run in 1..=3 {
        let file = dir.path().join(format!("run-{run}_events.tsv"));
        let text = fs::read_to_string(&file).unwrap();
        let named: String = text
            .lines()
            .map(|line| match line.rsplit_once('\t').unwrap().1 {
                "trial_type" => format!("{line}\tstimulus\n"),
                picture => line.replace(picture, "picture") + "\t" + picture + "\n",
            })
            .collect();
        fs::write(dir.path().join(format!("run-{run}_pictures.tsv")), named).unwrap();
    }
    dir
}

fn json(dir: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(dir.join(name)).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn read(dir: &Path, name: &str) -> (Array2<f64>, Vec<String>) {
    let (values, ids) = matrix(&fs::read(dir.join(name)).unwrap());
    (values, ids.unwrap())
}

#[test]
fn betas_are_those_of_glmsingle() {
    let dir = workplace();
    let dir = dir.path();
    for (library, expected) in [("", "expected.json"), ("--hrf-library library.tsv", "expected-library.json")] {
        let line = format!("fmri-roi glm {RUNS} {AS_GLMSINGLE} {library} --dtype f8 --fit-maps maps.npy -o betas.npy");
        let said = run(dir, &line);
        assert!(said.stderr.contains("12 trial types with 48 of 48 trials occur in 2 runs"), "{}", said.stderr);
        said.ok();
        let expected = json(dir, expected);
        let (maps, rows) = read(dir, "maps.npy");
        assert_eq!(rows, ["response", "fraction", "R2"]);
        // GLMsingle's own choices, of voxels without any signal too.
        assert_eq!(maps.row(0).to_vec(), numbers(&expected["response"]));
        for (row, key, tolerance) in [(1, "fraction", 1e-12), (2, "R2", 1e-9)] {
            for (k, (got, expected)) in maps.row(row).iter().zip(numbers(&expected[key])).enumerate() {
                assert!((got - expected).abs() < tolerance, "{key} of voxel {k}: {got} {expected}");
            }
        }
        let (betas, _) = read(dir, "betas.npy");
        assert_eq!(betas.dim(), (48, 24));
        for (trial, row) in expected["betas"].as_array().unwrap().iter().enumerate() {
            for (voxel, expected) in numbers(row).into_iter().enumerate() {
                let got = betas[(trial, voxel)];
                // Both in f64; GLMsingle solves normal equations of a design of condition 1e3.
                assert!((got - expected).abs() < 1e-8 * expected.abs().max(1.0), "{trial} {voxel}: {got} {expected}");
            }
        }
    }
    let sidecar = json(dir, "betas.json");
    assert_eq!(
        (&sidecar["betas"], &sidecar["noise"], &sidecar["fractions"][19]),
        (&"fit".into(), &"ols".into(), &0.05.into())
    );
    assert!(sidecar["hrf"].as_str().unwrap().ends_with("library.tsv") && sidecar["n_responses"] == 10);
}

#[test]
fn threads_pipes_and_images_change_nothing() {
    let dir = workplace();
    let dir = dir.path();
    let line = format!("fmri-roi glm {RUNS} --betas fit");
    run(dir, &format!("{line} --threads 1 -o a.npy")).ok();
    run(dir, &format!("{line} --threads 2 -o b.npy")).ok();
    assert_eq!(fs::read(dir.join("a.npy")).unwrap(), fs::read(dir.join("b.npy")).unwrap());
    let piped = sh(dir, &format!("cat run-1.npy | {}", line.replace("run-1.npy", "-"))).ok();
    assert_eq!(piped, fs::read(dir.join("a.npy")).unwrap());
    for run in 1..=3 {
        let (y, _) = matrix(&fs::read(dir.join(format!("run-{run}.npy"))).unwrap());
        let values: Vec<f32> = y.iter().map(|&value| value as f32).collect();
        let grid = Geometry::from_sizes([4, 3, 2], [2.0; 3]);
        let file = File::create(dir.join(format!("run-{run}.nii"))).unwrap();
        write_volume(file, Voxels::F4(&values), &grid, Intent::None, false).unwrap();
    }
    let images = line.replace(".npy", ".nii");
    assert_eq!(sh(dir, &images).ok(), piped);
    run(dir, &format!("{images} --fit-maps chosen.nii.gz -o betas.nii.gz")).ok();
    run(dir, &format!("{line} --fit-maps chosen.npy -o again.npy")).ok();
    let (chosen, _) = read(dir, "chosen.npy");
    let mut reader = VolumeReader::new(File::open(dir.join("chosen.nii.gz")).unwrap(), None).unwrap();
    let (mut n, mut one) = (0, Vec::new());
    while reader.next_volume(&mut one).unwrap() {
        for (got, expected) in one.iter().zip(chosen.row(n)) {
            assert_eq!(*got as f32, *expected as f32);
        }
        n += 1;
    }
    assert_eq!(n, 3);
    assert_eq!(json(dir, "betas.json")["dependent_trials"], json(dir, "a.json")["dependent_trials"]);
    // Per cent of a mean of 500: a fifth of the raw betas, but for the means of the runs.
    let (percent, _) = read(dir, "a.npy");
    run(dir, &format!("{line} --scale none -o raw.npy")).ok();
    let (raw, _) = read(dir, "raw.npy");
    assert!((pearson(&percent.row(3).to_vec(), &raw.row(3).to_vec()) - 1.0).abs() < 1e-3);
    assert!((mean(&raw.column(2).to_vec()) / mean(&percent.column(2).to_vec()) - 5.0).abs() < 0.2);
}

#[test]
fn voxels_without_numbers_have_a_reason() {
    let dir = workplace();
    let dir = dir.path();
    let (mut second, _) = matrix(&fs::read(dir.join("run-2.npy")).unwrap());
    second.column_mut(4).fill(7.0);
    second[(9, 5)] = f64::NAN;
    for run in 1..=3 {
        let name = format!("run-{run}.npy");
        let (mut y, _) = matrix(&fs::read(dir.join(&name)).unwrap());
        if run == 2 {
            y.assign(&second);
        }
        // A line, which is drift.
        (0..110).for_each(|t| y[(t, 6)] = 100.0 + t as f64);
        save(&dir.join(&name), &y, None);
    }
    let line = format!("fmri-roi glm {RUNS} {AS_GLMSINGLE} --fit-table chosen.csv --trial-table trials.csv -o b.npy");
    let said = run(dir, &line);
    assert!(said.stderr.contains("3 of 24 voxels have no numbers"), "{}", said.stderr);
    said.ok();
    let (betas, ids) = read(dir, "b.npy");
    let table = rows(&fs::read_to_string(dir.join("chosen.csv")).unwrap());
    for (voxel, row) in table.iter().enumerate() {
        let reason = ["constant", "nan_input", "explained_by_controls"].get(voxel.wrapping_sub(4)).copied();
        assert_eq!((row["reason"].as_str(), row["response"].is_empty()), (reason.unwrap_or(""), reason.is_some()));
        assert!(betas.column(voxel).iter().all(|beta| beta.is_nan() == reason.is_some()), "{voxel}");
    }
    let trials = rows(&fs::read_to_string(dir.join("trials.csv")).unwrap());
    assert_eq!((trials.len(), &trials[47]["stimulus"]), (48, &ids[47]));
    // The other voxels are what they were.
    let alone = dir.join("alone");
    fs::create_dir(&alone).unwrap();
    for run in 1..=3 {
        let name = format!("run-{run}.npy");
        let (y, _) = matrix(&fs::read(dir.join(&name)).unwrap());
        save(&alone.join(&name), &y.slice(s![.., 10..]).to_owned(), None);
        fs::copy(dir.join(format!("run-{run}_events.tsv")), alone.join(format!("run-{run}_events.tsv"))).unwrap();
    }
    run(&alone, &format!("fmri-roi glm {RUNS} {AS_GLMSINGLE} -o b.npy")).ok();
    let (part, _) = read(&alone, "b.npy");
    for (got, expected) in part.iter().zip(betas.slice(s![.., 10..])) {
        assert!((got - expected).abs() <= 1e-9 * expected.abs().max(1.0));
    }
}

#[test]
fn what_cannot_be_fitted_is_refused_and_leaves_nothing() {
    let dir = workplace();
    let dir = dir.path();
    let before = fs::read_dir(dir).unwrap().count();
    let line = format!("fmri-roi glm {RUNS} --betas fit -o x.npy");
    for (option, part) in [
        ("--hrf spm", "--hrf-library"),
        ("--noise ar1", "--noise ar1"),
        ("--drift polynomial --drift-order 94", "more volumes than columns"),
        ("--hrf-library run-1_events.tsv", "\"onset\""),
        ("--hrf-library absent.tsv", "absent.tsv"),
        ("--repeats-by stimulus", "--repeats-by trial-type"),
        ("--fit-maps maps.nii", "no geometry"),
    ] {
        run(dir, &format!("{line} {option}")).fails(1, &[part]);
    }
    run(dir, "fmri-roi glm run-1.npy --tr 1.5 --events run-1_events.tsv --betas fit -o x.npy").fails(1, &["1 run;"]);
    for (text, part) in
        [("", "0 samples"), ("0\t1\n2\n", "line 2 has 1"), ("0\n-1\n0\n", "response 0"), ("0\n1\n", "2 samples")]
    {
        fs::write(dir.join("own.tsv"), text).unwrap();
        run(dir, &format!("{line} --hrf-library own.tsv")).fails(1, &[part]);
    }
    fs::remove_file(dir.join("own.tsv")).unwrap();
    for option in ["--hrf-library library.tsv", "--repeats-by stimulus", "--fit-maps m.npy", "--fit-table t.csv"] {
        run(dir, &format!("{} {option}", line.replace("fit", "lsa"))).fails(1, &["is that of --betas fit"]);
        run(dir, &format!("{} {option}", line.replace("--betas fit", ""))).fails(2, &["--betas"]);
    }
    // One picture alone recurs.
    for run in 1..=2 {
        let text = fs::read_to_string(dir.join(format!("run-{run}_events.tsv"))).unwrap();
        let only: String = text
            .lines()
            .enumerate()
            .map(|(k, line)| match k {
                0 => line.to_owned() + "\n",
                1 => line.rsplit_once('\t').unwrap().0.to_owned() + "\tsame\n",
                _ => line.rsplit_once('\t').unwrap().0.to_owned() + &format!("\town-{run}-{k}\n"),
            })
            .collect();
        fs::write(dir.join(format!("only-{run}.tsv")), only).unwrap();
    }
    let two = "fmri-roi glm run-1.npy run-2.npy --tr 1.5 --events only-1.tsv only-2.tsv --betas fit -o x.npy";
    run(dir, two).fails(1, &["1 trial types occur in 2 of the 2 runs", "needs 2 or more"]);
    fs::remove_file(dir.join("only-1.tsv")).unwrap();
    fs::remove_file(dir.join("only-2.tsv")).unwrap();
    let (short, _) = matrix(&fs::read(dir.join("run-3.npy")).unwrap());
    save(&dir.join("run-3.npy"), &short.slice(s![..16, ..]).to_owned(), None);
    run(dir, &line).fails(1, &["run-3", "16 volumes"]);
    assert_eq!(fs::read_dir(dir).unwrap().count(), before);
}

#[test]
fn crossnobis_of_dependent_trials_warns_through_tools_and_pipes_cannot() {
    let dir = workplace();
    let dir = dir.path();
    let line = format!("fmri-roi glm {}", RUNS.replace("events.tsv", "pictures.tsv"));
    let said = run(dir, &format!("{line} --betas fit -o fitted.npy"));
    assert!(said.stderr.contains("12 stimuli with 48 of 48 trials"), "{}", said.stderr);
    said.ok();
    run(dir, &format!("{line} --betas lsa --trial-table trials.csv -o lsa.npy")).ok();
    let warns = |command: &str| {
        let said = sh(dir, &command.replace("crossnobis", "crossnobis --cv run --stimuli trials.csv"));
        let warns = said.stderr.contains("are not independent");
        said.ok();
        warns
    };
    assert!(warns("rsa rdm --metric crossnobis fitted.npy -o rdm.npy"));
    assert!(!warns("rsa rdm --metric crossnobis lsa.npy -o other.npy"));
    // Distances of means know no folds.
    run(dir, "npy average fitted.npy -o means.npy").ok();
    assert!(!warns("rsa rdm --metric euclidean means.npy -o other.npy"));
    // What is made of them is of the same trials.
    run(dir, "npy cols --index 0:9 fitted.npy -o nine.npy").ok();
    run(dir, "npy cat nine.npy -o again.npy").ok();
    assert!(json(dir, "again.json")["dependent_trials"].as_str().unwrap().contains("penalty"));
    assert!(warns("rsa rdm --metric crossnobis again.npy -o other.npy"));
    assert!(json(dir, "lsa.json")["dependent_trials"].is_null());
    // Reliabilities and held-out scores rest on independent trials, too; means of all trials have neither.
    for verb in
        ["ceiling voxel", "ceiling within", "ceiling within --stat voxel", "encode fit --x means.npy --cv 3 --y"]
    {
        assert!(warns(&format!("{verb} fitted.npy -o of-fitted.csv")), "{verb}");
        assert!(!warns(&format!("{verb} lsa.npy -o of-lsa.csv")), "{verb}");
    }
    run(dir, "npy cols --index 0:8 fitted.npy -o other-fitted.npy").ok();
    assert!(warns("ceiling between lsa.npy other-fitted.npy -o between.csv"));
    assert!(!warns("ceiling between means.npy means.npy --names a,b -o between.csv"));
    // A pipe has no record.
    assert!(!warns("cat fitted.npy | rsa rdm --metric crossnobis - -o other.npy"));
}
