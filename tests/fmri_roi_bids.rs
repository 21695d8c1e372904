//! `fmri-roi glm` on a dataset as fMRIPrep publishes it (`scripts/golden/fmriprep.py`): which files it finds, what
//! their sidecars say, and that its numbers are nilearn's.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

use brain_formats::volume::VolumeReader;
use ndarray::Array2;
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use support::*;

const FMRIPREP: &str = "derivatives/fmriprep";
const FUNC: &str = "derivatives/fmriprep/sub-01/func";
const MNI: &str = "space-MNI152NLin2009cAsym_res-2";
/// What nilearn was asked for.
const MODEL: &str =
    "--hrf spm --contrast 'faces > objects' --contrast 'bodies > objects' --contrast 'places > objects'";
const SIX: &str = "--confound-columns 'trans_?,rot_?'";

fn dataset() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    sh(dir.path(), &format!("cp -r {}/. .", root().join("testdata/golden/fmriprep").display())).ok();
    dir
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn volume(path: &Path) -> Vec<f64> {
    let mut reader = VolumeReader::new(File::open(path).unwrap(), None).unwrap();
    let mut values = Vec::new();
    assert!(reader.next_volume(&mut values).unwrap());
    values
}

/// The subject's localizer, in the space of the volumes.
fn localizer(subject: &str, more: &str) -> String {
    format!("fmri-roi glm --subject-dir {FMRIPREP}/sub-{subject} --task floc --space MNI152NLin2009cAsym {more}")
}

#[test]
fn t_maps_and_regions_of_published_runs_are_nilearns() {
    let dir = dataset();
    let dir = dir.path();
    let golden = json(&root().join("testdata/golden/fmriprep.json"));
    let inside: Vec<usize> = numbers(&golden["inside"]).iter().map(|&voxel| voxel as usize).collect();
    for subject in ["01", "02"] {
        let out = run(dir, &localizer(subject, &format!("{MODEL} {SIX} --out-dir maps")));
        for part in [
            format!("{FMRIPREP}/sub-{subject}: 2 runs"),
            format!(
                "run 2: {FMRIPREP}/sub-{subject}/func/sub-{subject}_task-floc_run-2_{MNI}_desc-preproc_bold.nii.gz"
            ),
            format!("events      sub-{subject}/func/sub-{subject}_task-floc_run-2_events.tsv"),
            format!("sub-{subject}_task-floc_run-1_desc-confounds_timeseries.tsv"),
            "302 voxels are inside all 2 masks".to_owned(),
            "slices are at 0.975 s of a TR of 2 s".to_owned(),
        ] {
            assert!(out.stderr.contains(&part), "{part}: {}", out.stderr);
        }
        out.ok();
        for (region, kind) in [("FFA", "faces"), ("EBA", "bodies"), ("PPA", "places")] {
            let stem = format!("sub-{subject}_task-floc_{MNI}_contrast-{kind}Gtobjects_stat-t_statmap");
            let t = volume(&dir.join(format!("maps/{stem}.nii.gz")));
            let nilearns = numbers(&golden["t"][subject][region]);
            let largest =
                inside.iter().zip(&nilearns).map(|(&voxel, t_of)| (t[voxel] - t_of).abs()).fold(0.0, f64::max);
            // Our map is f4: a t of 10 is off by up to 5e-7.
            println!("sub-{subject} {region}: t differ by {largest:e}");
            assert!(largest < 1e-6, "sub-{subject} {region}: {largest}");
            assert_eq!(t.iter().filter(|t| !t.is_nan()).count(), inside.len());
            let line =
                format!("fmri-roi define --stat maps/{stem}.nii.gz --parcels parcels.nii.gz --labels parcels.tsv");
            let table = run(dir, &format!("{line} --name {region} --t 3")).text();
            let voxels: Vec<f64> = rows(&table).iter().map(|row| number(row, "voxel")).collect();
            assert_eq!(voxels, numbers(&golden["above_3"][subject][region]), "sub-{subject} {region}");
            let sidecar = json(&dir.join(format!("maps/{stem}.json")));
            assert_eq!(sidecar["weights"][1][0], serde_json::json!({kind: 1.0, "objects": -1.0}));
            assert_eq!(numbers(&sidecar["slice_time_ref"]), [golden["slice_time_ref"].as_f64().unwrap(); 2]);
            let confounds =
                format!("{FMRIPREP}/sub-{subject}/func/sub-{subject}_task-floc_run-2_desc-confounds_timeseries.tsv");
            assert_eq!(sidecar["runs"][1]["confounds"], confounds.as_str());
        }
    }
    // The designs of the runs, under names that meet no other space.
    assert!(dir.join(format!("maps/sub-01_task-floc_run-1_{MNI}_design.tsv")).exists());
}

#[test]
fn what_is_found_is_what_could_have_been_named() {
    let dir = dataset();
    let dir = dir.path();
    run(dir, &localizer("01", &format!("{MODEL} {SIX} --out-dir found"))).ok();
    let all = |what: &str| [1, 2].map(|run| format!("{FUNC}/sub-01_task-floc_run-{run}_{what}")).join(" ");
    let masks = all(&format!("{MNI}_desc-brain_mask.nii.gz")).replace(' ', " --mask ");
    let events = "sub-01/func/sub-01_task-floc_run-1_events.tsv sub-01/func/sub-01_task-floc_run-2_events.tsv";
    run(
        dir,
        &format!(
            "fmri-roi glm {} --events {events} --confounds {} {SIX} --mask {masks} {MODEL} --out-dir named",
            all(&format!("{MNI}_desc-preproc_bold.nii.gz")),
            all("desc-confounds_timeseries.tsv")
        ),
    )
    .ok();
    for kind in ["faces", "bodies", "places"] {
        let name = format!("contrast-{kind}Gtobjects_stat-t_statmap.nii.gz");
        let found = fs::read(dir.join(format!("found/sub-01_task-floc_{MNI}_{name}"))).unwrap();
        assert!(found == fs::read(dir.join(format!("named/{name}"))).unwrap(), "{kind}");
    }
    // A mask of another grid is refused before a run is read, whichever of them it is.
    run(dir, &localizer("01", "--contrast faces --mask parcels.nii.gz --mask parcels.tsv --out-dir x"))
        .fails(1, &["parcels.tsv"]);
    // Two masks that share no voxel, and one of another number of voxels.
    for (name, inside) in [("even", 0), ("odd", 1)] {
        save(&dir.join(name), &Array2::from_shape_fn((1, 320), |(_, k)| f64::from(u8::from(k % 2 == inside))), None);
    }
    save(&dir.join("short"), &Array2::ones((1, 319)), None);
    run(dir, &localizer("01", "--contrast faces --mask even --mask odd --out-dir x"))
        .fails(1, &["0 voxels are inside all 2 masks, which have 160 to 160", "even and 1 more: 0 of 320 voxels"]);
    run(dir, &localizer("01", "--contrast faces --mask even --mask short --out-dir x"))
        .fails(1, &["even: 320 voxels, but short has 319"]);
    run(dir, &localizer("01", "--contrast faces --mask short --out-dir x")).fails(1, &["short: 319 voxels", "320"]);
    assert!(!dir.join("x").exists());
}

#[test]
fn hemispheres_and_grayordinates_are_fitted_like_voxels() {
    let dir = dataset();
    let dir = dir.path();
    let contrast = format!("{SIX} --hrf spm --contrast 'faces > objects' --out-dir maps");
    run(dir, &localizer("01", &contrast)).ok();
    let name = "contrast-facesGtobjects_stat-t_statmap";
    let t = volume(&dir.join(format!("maps/sub-01_task-floc_{MNI}_{name}.nii.gz")));
    // They hold the series of the first forty voxels of the brain.
    let expected: Vec<f64> = t.into_iter().filter(|t| !t.is_nan()).take(40).collect();
    let line = format!("fmri-roi glm --subject-dir {FMRIPREP}/sub-01 --task floc");
    run(dir, &format!("{line} --space fsaverage5 {contrast}")).fails(1, &["hemi is L or R (--hemi)"]);
    run(dir, &format!("{line} --space fsaverage5 --hemi L {contrast}")).ok();
    let gifti = format!("maps/sub-01_task-floc_hemi-L_space-fsaverage5_{name}.func.gii");
    let of = |map: &str| -> Vec<f64> {
        let table = run(dir, &format!("fmri-roi define --stat {map} --t=-100")).text();
        rows(&table).iter().map(|row| number(row, "t")).collect()
    };
    assert_eq!(of(&gifti), expected);
    // Nothing in GIFTI says its TR: it stands in the root of the raw dataset.
    let sidecar = json(&dir.join(gifti.replace(".gii", ".json")));
    assert_eq!(numbers(&sidecar["tr_seconds"]), [2.0, 2.0]);
    assert!(sidecar["inputs"].as_array().unwrap().iter().any(|input| input["name"] == "task-floc_bold.json"));
    assert!(sidecar["runs"][0]["mask"].is_null());
    run(dir, &format!("{line} --space fsLR {contrast}")).ok();
    let dense = format!("maps/sub-01_task-floc_space-fsLR_den-91k_{name}.dscalar.nii");
    assert_eq!(of(&dense), expected);
}

#[test]
fn what_is_ambiguous_or_missing_is_said_with_what_there_is() {
    let dir = dataset();
    let dir = dir.path();
    let line = format!("fmri-roi glm --subject-dir {FMRIPREP}/sub-01 --contrast faces --out-dir x");
    run(dir, &line).fails(
        1,
        &[
            "task is floc or main (--task)",
            "space is MNI152NLin2009cAsym, fsLR or fsaverage5 (--space)",
            "hemi is L, R or none",
        ],
    );
    run(dir, &format!("{line} --task face")).fails(1, &["--task face: none of 9 runs; task is floc or main"]);
    run(dir, &format!("{line} --task main --run 2")).fails(1, &["--run 2", "run is 1"]);
    run(dir, &format!("{line} --task main --entity res")).fails(1, &["--entity \"res\"", "res-2"]);
    run(dir, &format!("{line} --task main --entity res-1")).fails(1, &["--entity res-LABEL 1", "res is 2"]);
    run(dir, &format!("fmri-roi glm --subject-dir {FMRIPREP} --contrast faces --out-dir x"))
        .fails(1, &["holds 2 subjects", "sub-01"]);
    run(dir, "fmri-roi glm --subject-dir nowhere --contrast faces --out-dir x").fails(1, &["nowhere: no such folder"]);
    run(dir, "fmri-roi glm --subject-dir sub-01 --contrast faces --out-dir x").fails(1, &["no run of BOLD"]);
    run(dir, &format!("{line} --task main --bids-dir nowhere")).fails(1, &["--bids-dir nowhere"]);
    run(dir, &format!("{line} --events e.tsv")).fails(2, &["--subject-dir", "--events"]);
    run(dir, "fmri-roi glm --task floc --contrast faces --out-dir x").fails(2, &["--subject-dir"]);
    run(dir, "fmri-roi glm a.nii --events e.tsv --confound-columns a --contrast faces --out-dir x")
        .fails(2, &["--confounds"]);
    let main = format!("{FUNC}/sub-01_task-main_run-1");
    for (file, parts) in [
        (format!("{main}_{MNI}_desc-brain_mask.nii.gz"), ["no mask", "desc-brain_mask.nii.gz", "--mask"]),
        (
            format!("{main}_desc-confounds_timeseries.tsv"),
            ["no confounds", "desc-confounds_timeseries.tsv", "--confound-columns"],
        ),
        (
            "sub-01/func/sub-01_task-main_run-1_events.tsv".into(),
            ["no events", "sub-01_task-main_run-1_events.tsv", "--bids-dir"],
        ),
    ] {
        fs::rename(dir.join(&file), dir.join("kept")).unwrap();
        run(dir, &format!("{line} --task main {SIX}")).fails(1, &parts);
        fs::rename(dir.join("kept"), dir.join(&file)).unwrap();
    }
    // Without confounds nobody misses their table, and with a mask of one's own no other.
    fs::remove_file(dir.join(format!("{main}_desc-confounds_timeseries.tsv"))).unwrap();
    fs::remove_file(dir.join(format!("{main}_{MNI}_desc-brain_mask.nii.gz"))).unwrap();
    run(dir, &format!("{} --mask parcels.nii.gz --task main", line.replace("--out-dir x", "--out-dir y"))).ok();
    // A run whose content was not fetched is a link that leads nowhere, and not one run less.
    let bold = dir.join(format!("{FUNC}/sub-01_task-floc_run-2_{MNI}_desc-preproc_bold.nii.gz"));
    fs::remove_file(&bold).unwrap();
    std::os::unix::fs::symlink("../../.git/annex/x", &bold).unwrap();
    run(dir, &localizer("01", "--contrast faces --out-dir x")).fails(1, &["run-2", "No such file"]);
    assert!(!dir.join("x").exists());
    // The raw dataset elsewhere; a table of events for all runs in its root.
    fs::create_dir(dir.join("raw")).unwrap();
    fs::copy(dir.join("sub-02/func/sub-02_task-floc_run-1_events.tsv"), dir.join("raw/task-floc_events.tsv")).unwrap();
    let out = run(dir, &localizer("02", "--contrast faces --bids-dir raw --out-dir z"));
    assert_eq!(out.stderr.matches("events      raw/task-floc_events.tsv").count(), 2, "{}", out.stderr);
    out.ok();
}

#[test]
fn a_sidecar_holds_for_what_is_below_it() {
    let dir = dataset();
    let dir = dir.path();
    let run_1 = format!("sub-01_task-floc_run-1_{MNI}_desc-preproc_bold");
    let beside = dir.join(format!("{FUNC}/{run_1}.json"));
    let line = format!(
        "fmri-roi glm {FUNC}/{run_1}.nii.gz --events sub-01/func/sub-01_task-floc_run-1_events.tsv --contrast faces"
    );
    let told = |line: &str| -> (f64, f64, String) {
        let out = run(dir, &format!("{line} --out-dir out"));
        let said = out.stderr.clone();
        out.ok();
        let sidecar = json(&dir.join("out/stat-rsquared_statmap.json"));
        (numbers(&sidecar["tr_seconds"])[0], numbers(&sidecar["slice_time_ref"])[0], said)
    };
    assert_eq!((told(&line).0, told(&line).1), (2.0, 0.4875));
    let (_, part, said) = told(&format!("{line} --slice-time-ref 0"));
    assert!(part == 0.0 && said.contains("0.4875 of a TR; --slice-time-ref 0 is taken"), "{said}");
    let (tr, _, said) = told(&format!("{line} --tr 2.5"));
    assert!(
        tr == 2.5 && said.contains("its header says a TR of 2 s") && said.contains("_bold.json says a TR of 2 s"),
        "{said}"
    );
    // Above it, with fewer entities, the nearer first; what is about another task is not.
    fs::write(&beside, "{\"SliceTimingCorrected\": true}").unwrap();
    let (_, part, said) = told(&line);
    assert!(part == 0.0 && said.contains("no StartTime") && said.contains("--slice-time-ref 0.5"), "{said}");
    let above = |name: &str, text: &str| fs::write(dir.join(FMRIPREP).join(name), text).unwrap();
    above("sub-01/sub-01_task-floc_bold.json", "{\"StartTime\": 0.5}");
    above("task-floc_bold.json", "{\"StartTime\": 1, \"RepetitionTime\": 3}");
    above("task-main_bold.json", "{\"RepetitionTime\": 7}");
    run(dir, &format!("{line} --out-dir x")).fails(1, &["TR of 2 s", "task-floc_bold.json 3 s", "--tr"]);
    above("task-floc_bold.json", "{\"StartTime\": 1, \"RepetitionTime\": 2.0}");
    assert_eq!(told(&line).1, 0.25);
    above("sub-01/sub-01_task-floc_bold.json", "{\"StartTime\": 2.5}");
    run(dir, &format!("{line} --out-dir x")).fails(1, &["2.5 s (StartTime)", "TR of 2 s", "--slice-time-ref"]);
    above("sub-01/sub-01_task-floc_bold.json", "{\"StartTime\": \"late\"}");
    run(dir, &format!("{line} --out-dir x")).fails(1, &["StartTime is \"late\""]);
    above("sub-01/sub-01_task-floc_bold.json", "[");
    run(dir, &format!("{line} --out-dir x")).fails(1, &["sub-01_task-floc_bold.json"]);
    above("sub-01/sub-01_task-floc_bold.json", "{}");
    above("sub-01/sub-01_run-1_bold.json", "{}");
    run(dir, &format!("{line} --out-dir x")).fails(1, &["sub-01_run-1_bold.json", "both hold"]);
    fs::remove_file(dir.join(FMRIPREP).join("sub-01/sub-01_run-1_bold.json")).unwrap();
    above("task-floc_bold.json", "{\"VolumeTiming\": [0, 4, 9]}");
    run(dir, &format!("{line} --out-dir x")).fails(1, &["VolumeTiming", "--tr"]);
    assert_eq!(told(&format!("{line} --tr 2")).0, 2.0);
    assert!(!dir.join("x").exists());
}

#[test]
fn confounds_without_a_header_line_are_columns_by_number() {
    let dir = dataset();
    let dir = dir.path();
    let table =
        fs::read_to_string(dir.join(format!("{FUNC}/sub-01_task-floc_run-1_desc-confounds_timeseries.tsv"))).unwrap();
    let six = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"];
    let names: Vec<&str> = table.lines().next().unwrap().split('\t').collect();
    let places: Vec<usize> = six.iter().map(|name| names.iter().position(|n| n == name).unwrap()).collect();
    let mut bare = String::new();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        bare += &(places.iter().map(|&k| cells[k]).collect::<Vec<_>>().join("  ") + "  \n");
    }
    fs::write(dir.join("motion.par"), &bare).unwrap();
    fs::write(dir.join("named.tsv"), format!("{}\n{}", six.join("\t"), bare.replace("  \n", "\n").replace("  ", "\t")))
        .unwrap();
    let line = |confounds: &str, columns: &str, out: &str| {
        let bold = format!("{FUNC}/sub-01_task-floc_run-1_{MNI}_desc-preproc_bold.nii.gz");
        run(
            dir,
            &format!(
                "fmri-roi glm {bold} --events sub-01/func/sub-01_task-floc_run-1_events.tsv --confounds {confounds} \
                 --confound-columns '{columns}' --contrast 'faces > objects' --out-dir {out}"
            ),
        )
    };
    let t = |out: &str| fs::read(dir.join(out).join("contrast-facesGtobjects_stat-t_statmap.nii.gz")).unwrap();
    line("named.tsv", "*", "a").ok();
    let out = line("motion.par", "*", "b");
    assert!(
        out.stderr.contains("motion.par: no header line; its columns are called confound_0 to confound_5"),
        "{}",
        out.stderr
    );
    out.ok();
    assert!(t("a") == t("b"));
    line("named.tsv", "trans_y,rot_z", "a").ok();
    line("motion.par", "1,confound_5", "b").ok();
    assert!(t("a") == t("b"));
    let design =
        fs::read_to_string(dir.join(format!("b/sub-01_task-floc_run-1_{MNI}_desc-preproc_design.tsv"))).unwrap();
    assert!(design.starts_with("bodies\tfaces\tobjects\tplaces\tconfound_1\tconfound_5\tdrift_1"), "{design}");
    line("motion.par", "6", "x").fails(1, &["motion.par", "no column \"6\"", "confound_0"]);
    fs::write(dir.join("odd.par"), bare.replacen("  \n", "  1\n", 1)).unwrap();
    line("odd.par", "*", "x").fails(1, &["odd.par", "line 2 has 6 numbers, the first 7"]);
    fs::write(dir.join("odd.par"), bare.clone() + "1 2 3 4 5 nan\n").unwrap();
    line("odd.par", "*", "x").fails(1, &["odd.par", "line 81", "\"nan\""]);
    fs::write(dir.join("odd.par"), bare.clone() + "1 2 3 4 5 6\n").unwrap();
    line("odd.par", "*", "x").fails(1, &["81 rows", "80 volumes"]);
    fs::write(dir.join("odd.par"), "").unwrap();
    line("odd.par", "*", "x").fails(1, &["odd.par"]);
    assert!(!dir.join("x").exists());
}

#[test]
fn outliers_of_one_run_alone_are_confounds_of_that_run() {
    let dir = dataset();
    let dir = dir.path();
    let out = run(dir, &localizer("01", "--confound-columns 'motion_outlier*' --contrast faces --out-dir a"));
    assert!(
        out.stderr.contains("run-1_desc-confounds_timeseries.tsv: no column \"motion_outlier*\""),
        "{}",
        out.stderr
    );
    out.ok();
    let design =
        |run: usize| fs::read_to_string(dir.join(format!("a/sub-01_task-floc_run-{run}_{MNI}_design.tsv"))).unwrap();
    assert!(!design(1).contains("motion_outlier") && design(2).contains("\tmotion_outlier00\t"));
    run(dir, &localizer("01", "--confound-columns motion_outlier00 --contrast faces --out-dir x"))
        .fails(1, &["run-1_desc-confounds", "no column \"motion_outlier00\""]);
    run(dir, &localizer("01", "--confound-columns 'aroma*' --contrast faces --out-dir x"))
        .fails(1, &["aroma*", "trans_x"]);
    assert!(!dir.join("x").exists());
}

#[test]
fn designs_of_runs_of_one_name_are_called_by_their_folders() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("events.tsv"), "onset\tduration\ttrial_type\n4\t3\ta\n30\t3\ta\n").unwrap();
    for (k, session) in ["ses-1", "ses-2"].into_iter().enumerate() {
        fs::create_dir_all(dir.join(session).join("func")).unwrap();
        save(&dir.join(session).join("func/x_bold.npy"), &(100.0 + noise(40, 3, k as u64)), None);
    }
    let line =
        "fmri-roi glm ses-1/func/x_bold.npy ses-2/func/x_bold.npy --events events.tsv events.tsv --tr 2 --contrast a";
    run(dir, &format!("{line} --out-dir out")).ok();
    assert!(dir.join("out/ses-1_x_design.tsv").exists() && dir.join("out/ses-2_x_design.tsv").exists());
}
