//! `fmri-roi glm` as its users meet it: runs and events in; maps, designs and betas per trial out.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

use brain_formats::Geometry;
use brain_formats::volume::VolumeReader;
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use ndarray::{Array2, s};
use std::fs::{self, File};
use std::path::Path;
use support::*;

const N: usize = 80;
const SHAPE: [usize; 3] = [3, 2, 2];

fn events_text() -> String {
    let mut text = "onset\tduration\ttrial_type\tstimulus\n".to_owned();
    for i in 0..15 {
        let kind = ["face", "house", "car"][(i * i + i / 4) % 3];
        text += &format!("{}\t3\t{kind}\t{kind}-{}.png\n", 4 + 10 * i, i % 4);
    }
    text
}

/// 80 volumes x 12 voxels around 500, of which voxel 3 likes faces; voxel 7 is constant, voxel 8 has a NaN.
fn bold(seed: u64) -> Array2<f64> {
    let mut y = 500.0 + 4.0 * noise(N, 12, seed);
    for line in events_text().lines().skip(1).filter(|line| line.contains("face")) {
        let onset: usize = line.split('\t').next().unwrap().parse().unwrap();
        (onset / 2 + 2..(onset / 2 + 5).min(N)).for_each(|t| y[(t, 3)] += 12.0);
    }
    y.column_mut(7).fill(500.0);
    y[(9, 8)] = f64::NAN;
    y.mapv(|v| f64::from(v as f32))
}

/// A 4-d image of these volumes; `step` and `units` are pixdim[4] and xyzt_units.
fn image(path: &Path, volumes: &Array2<f64>, step: f32, units: u8) {
    let values: Vec<f32> = volumes.iter().map(|&v| v as f32).collect();
    let mut bytes = Vec::new();
    let grid = Geometry::from_sizes(SHAPE, [3.0; 3]);
    write_volume(&mut bytes, Voxels::F4(&values), &grid, Intent::None, false).unwrap();
    bytes[92..96].copy_from_slice(&step.to_le_bytes());
    bytes[123] = units;
    fs::write(path, bytes).unwrap();
}

fn volumes(path: &Path) -> (VolumeReader, Vec<Vec<f64>>) {
    let mut reader = VolumeReader::new(File::open(path).unwrap(), None).unwrap();
    let (mut all, mut one) = (Vec::new(), Vec::new());
    while reader.next_volume(&mut one).unwrap() {
        all.push(one.clone());
    }
    (reader, all)
}

fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    image(&at("bold.nii"), &bold(1), 2.0, 10);
    save(&at("bold.npy"), &bold(1), None);
    save(&at("other.npy"), &bold(2), None);
    fs::write(at("events.tsv"), events_text()).unwrap();
    dir
}

const MODEL: &str = "--events events.tsv --hrf spm --contrast 'face > house'";

fn map(dir: &Path, name: &str) -> Vec<f64> {
    matrix(&fs::read(dir.join(format!("{name}_statmap.npy"))).unwrap()).0.row(0).to_vec()
}

fn record(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[track_caller]
fn alike(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (k, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0) || a.is_nan() && b.is_nan(), "{k}: {a} {b}");
    }
}

#[test]
fn an_image_and_a_matrix_give_the_same_maps() {
    let dir = workplace();
    let dir = dir.path();
    let said = run(dir, &format!("fmri-roi glm bold.nii {MODEL} --out-dir a"));
    assert!(said.stderr.contains("2 of 12 voxels have no numbers: 1 constant, 1 nan_input"), "{}", said.stderr);
    said.ok();
    run(dir, &format!("fmri-roi glm bold.npy --tr 2 {MODEL} --out-dir b")).ok();
    for statistic in ["effect", "variance", "t", "z"] {
        let name = format!("contrast-faceGthouse_stat-{statistic}");
        let (reader, maps) = volumes(&dir.join("a").join(format!("{name}_statmap.nii.gz")));
        assert!(reader.geometry().agrees_with(&Geometry::from_sizes(SHAPE, [3.0; 3])));
        let matrix = map(&dir.join("b"), &name);
        alike(&maps[0], &matrix, 1e-6);
        assert!(maps[0][7].is_nan() && maps[0][8].is_nan() && maps[0].iter().filter(|v| v.is_nan()).count() == 2);
        assert_eq!(record(&dir.join("a").join(format!("{name}_statmap.json")))["statistic"], statistic);
    }
    let z = map(&dir.join("b"), "contrast-faceGthouse_stat-z");
    assert!(z[3] > 3.0 && (0..12).filter(|&k| k != 3).all(|k| z[k].is_nan() || z[k].abs() < 3.0), "{z:?}");
    let r2 = map(&dir.join("b"), "stat-rsquared");
    assert!(r2[3] > 0.3 && r2[3] < 1.0);
    // Programs that show it know t and its degrees of freedom.
    let unpacked = sh(dir, "gunzip -c a/contrast-faceGthouse_stat-t_statmap.nii.gz").ok();
    let df = record(&dir.join("a/contrast-faceGthouse_stat-t_statmap.json"))["df"].as_f64().unwrap();
    assert_eq!((unpacked[68], f64::from(f32::from_le_bytes(unpacked[56..60].try_into().unwrap()))), (3, df));
    // conditions, cosines up to floor(2 * 80 * .01 * 2) = 3, constant
    assert_eq!(df, 80.0 - 7.0);
    assert_eq!(fs::read(dir.join("a/bold_design.tsv")).unwrap(), fs::read(dir.join("b/bold_design.tsv")).unwrap());
}

#[test]
fn bytes_do_not_depend_on_threads_and_a_pipe_is_a_file() {
    let dir = workplace();
    let dir = dir.path();
    run(dir, &format!("fmri-roi glm bold.nii {MODEL} --threads 1 --out-dir a")).ok();
    run(dir, &format!("fmri-roi glm bold.nii {MODEL} --threads 2 --out-dir b")).ok();
    sh(dir, &format!("gzip -c bold.nii | fmri-roi glm - {MODEL} --out-dir c")).ok();
    sh(dir, &format!("cat bold.npy | fmri-roi glm {MODEL} --tr 2 --out-dir d")).ok();
    let name = "contrast-faceGthouse_stat-t_statmap";
    let read = |folder: &str| fs::read(dir.join(folder).join(format!("{name}.nii.gz"))).unwrap();
    assert_eq!((read("a") == read("b"), read("a") == read("c")), (true, true));
    run(dir, &format!("fmri-roi glm bold.npy --tr 2 {MODEL} --out-dir e")).ok();
    let read = |folder: &str| fs::read(dir.join(folder).join(format!("{name}.npy"))).unwrap();
    assert_eq!(read("d"), read("e"));
}

#[test]
fn what_must_not_change_the_numbers_does_not() {
    let dir = workplace();
    let dir = dir.path();
    let t = |line: &str, contrast: &str| -> Vec<f64> {
        let line = line.replace("MODEL", "--events events.tsv --hrf spm --tr 2");
        run(dir, &format!("fmri-roi glm {line} --out-dir out")).ok();
        map(&dir.join("out"), &format!("contrast-{contrast}_stat-t"))
    };
    let once = t("bold.npy MODEL --contrast 'face > house'", "faceGthouse");
    let z = map(&dir.join("out"), "contrast-faceGthouse_stat-z");
    // Turned round.
    let turned = t("bold.npy MODEL --contrast 'house > face'", "houseGtface");
    alike(&turned, &once.iter().map(|t| -t).collect::<Vec<_>>(), 1e-12);
    let back = map(&dir.join("out"), "contrast-houseGtface_stat-z");
    alike(&back, &z.iter().map(|z| -z).collect::<Vec<_>>(), 1e-12);
    // Weights are a matter of scale.
    alike(&t("bold.npy MODEL --contrast '3*face - 3*house'", "3TimesfaceMinus3Timeshouse"), &once, 1e-12);
    // A run twice: root 2, and twice the degrees of freedom.
    let twice =
        t("bold.npy bold.npy --events events.tsv events.tsv --hrf spm --tr 2 --contrast 'face > house'", "faceGthouse");
    alike(&twice, &once.iter().map(|t| t * 2f64.sqrt()).collect::<Vec<_>>(), 1e-12);
    assert_eq!(record(&dir.join("out/contrast-faceGthouse_stat-t_statmap.json"))["df"], 146.0);
    let precise = t(
        "bold.npy bold.npy --events events.tsv events.tsv --hrf spm --tr 2 --contrast 'face > house' \
         --fixed-effects precision",
        "faceGthouse",
    );
    alike(&precise, &twice, 1e-12);
    // The units of the scanner, with and without per cent.
    save(&dir.join("scaled.npy"), &(7.0 * bold(1)), None);
    alike(&t("scaled.npy MODEL --contrast 'face > house'", "faceGthouse"), &once, 1e-9);
    alike(&t("scaled.npy MODEL --scale none --contrast 'face > house'", "faceGthouse"), &once, 1e-9);
    // Voxels in another order.
    save(&dir.join("back.npy"), &bold(1).slice(s![.., ..;-1]).to_owned(), None);
    let mut back = t("back.npy MODEL --contrast 'face > house'", "faceGthouse");
    back.reverse();
    alike(&back, &once, 1e-10);
    // An F of one row is t squared.
    run(dir, "fmri-roi glm bold.npy --events events.tsv --hrf spm --tr 2 --f-contrast 'face > house' --out-dir f").ok();
    let f = map(&dir.join("f"), "contrast-faceGthouse_stat-F");
    alike(&f, &once.iter().map(|t| t * t).collect::<Vec<_>>(), 1e-12);
}

#[test]
fn a_mask_leaves_nan_outside() {
    let dir = workplace();
    let dir = dir.path();
    let inside: Vec<u32> = (0..12).map(|k| u32::from(k % 2 == 1)).collect();
    let grid = Geometry::from_sizes(SHAPE, [3.0; 3]);
    write_volume(File::create(dir.join("mask.nii")).unwrap(), Voxels::Labels(&inside), &grid, Intent::None, false)
        .unwrap();
    let out = run(dir, &format!("fmri-roi glm bold.nii {MODEL} --mask mask.nii --out-dir a"));
    assert!(out.stderr.contains("1 of 6 voxels have no numbers: 1 constant"), "{}", out.stderr);
    out.ok();
    run(dir, &format!("fmri-roi glm bold.nii {MODEL} --out-dir b")).ok();
    let t = |folder: &str| volumes(&dir.join(folder).join("contrast-faceGthouse_stat-t_statmap.nii.gz")).1.remove(0);
    let (masked, all) = (t("a"), t("b"));
    for k in 0..12 {
        assert!(if k % 2 == 0 || k == 7 { masked[k].is_nan() } else { masked[k] == all[k] }, "{k}");
    }
    run(dir, "fmri-roi glm bold.npy --tr 2 --events events.tsv --contrast face --mask mask.nii --out-dir c").ok();
    assert_eq!(map(&dir.join("c"), "contrast-face_stat-t").iter().filter(|t| t.is_nan()).count(), 7);
    let small = Geometry::from_sizes([2, 2, 2], [3.0; 3]);
    write_volume(File::create(dir.join("small.nii")).unwrap(), Voxels::Labels(&[1; 8]), &small, Intent::None, false)
        .unwrap();
    run(dir, &format!("fmri-roi glm bold.nii {MODEL} --mask small.nii --out-dir d"))
        .fails(1, &["small.nii", "bold.nii"]);
    run(dir, "fmri-roi glm bold.npy --tr 2 --events events.tsv --contrast face --mask small.nii --out-dir d")
        .fails(1, &["8 voxels", "12"]);
}

#[test]
fn a_tr_is_told_beside_or_in_the_header() {
    let dir = workplace();
    let dir = dir.path();
    let tr = |line: &str| -> f64 {
        run(dir, &format!("fmri-roi glm {line} {MODEL} --out-dir out")).ok();
        record(&dir.join("out/stat-rsquared_statmap.json"))["tr_seconds"][0].as_f64().unwrap()
    };
    assert_eq!(tr("bold.nii"), 2.0);
    image(&dir.join("ms.nii"), &bold(1), 800.0, 18);
    assert_eq!(tr("ms.nii"), 0.8);
    image(&dir.join("short.nii"), &bold(1), 0.8, 10);
    assert_eq!(tr("short.nii"), 0.8);
    assert_eq!(tr("short.nii --tr 1.5"), 1.5);
    image(&dir.join("none.nii"), &bold(1), 0.0, 2);
    run(dir, &format!("fmri-roi glm none.nii {MODEL} --out-dir x")).fails(1, &["none.nii", "no TR", "--tr"]);
    run(dir, &format!("fmri-roi glm bold.npy {MODEL} --out-dir x")).fails(1, &["bold.npy", "--tr"]);
    for (name, text) in [("none", "{\"RepetitionTime\": 1.25}"), ("bold", "{\"RepetitionTime\": 1.25}")] {
        fs::write(dir.join(format!("{name}.json")), text).unwrap();
    }
    assert_eq!(tr("none.nii"), 1.25);
    run(dir, &format!("fmri-roi glm bold.nii {MODEL} --out-dir x")).fails(1, &["2 s", "1.25 s", "bold.json", "--tr"]);
    assert_eq!(tr("bold.npy"), 1.25);
    fs::write(dir.join("bold.json"), "{\"RepetitionTime\": \"fast\"}").unwrap();
    run(dir, &format!("fmri-roi glm bold.npy {MODEL} --out-dir x")).fails(1, &["bold.json", "fast"]);
    fs::write(dir.join("bold.json"), "{").unwrap();
    run(dir, &format!("fmri-roi glm bold.npy {MODEL} --out-dir x")).fails(1, &["bold.json"]);
    image(&dir.join("wrong.nii"), &bold(1), 2000.0, 10);
    run(dir, &format!("fmri-roi glm wrong.nii {MODEL} --out-dir x")).fails(1, &["2000 s", "milliseconds", "--tr 2"]);
    assert!(!dir.join("x").exists());
}

#[test]
fn events_say_what_is_wrong_with_them() {
    let dir = workplace();
    let dir = dir.path();
    let with = |text: &str| {
        fs::write(dir.join("odd.tsv"), text).unwrap();
        run(dir, "fmri-roi glm bold.npy --tr 2 --events odd.tsv --contrast a --out-dir x")
    };
    with("onset\tduration\ttrial_type\nn/a\t1\ta\n").fails(1, &["odd.tsv", "row 0", "onset"]);
    with("onset\tduration\ttrial_type\n3\tn/a\ta\n").fails(1, &["row 0", "duration"]);
    with("onset\tduration\ttrial_type\n3\t-1\ta\n").fails(1, &["row 0", "\"-1\"", "0 or more"]);
    with("onset\tduration\ttrial_type\tmodulation\n3\t1\ta\tn/a\n").fails(1, &["row 0", "modulation"]);
    with("onset\ttrial_type\n3\ta\n").fails(1, &["duration"]);
    with("onset\tduration\ttrial_type\n3\t1\tn/a\n").fails(1, &["0 events"]);
    with("onset\tduration\ttrial_type\n").fails(1, &["odd.tsv"]);
    with("onset\tduration\ttrial_type\n3\t1\tconstant\n").fails(1, &["constant"]);
    with("onset\tduration\ttrial_type\n3\t1\tb\n").fails(1, &["\"a\"", "the conditions are b"]);
    // A condition behind the end is a column of zeros.
    let late = "onset\tduration\ttrial_type\n3\t1\tb\n999\t1\ta\n";
    with(late)
        .fails(1, &["column \"a\" of the design is 0 throughout", "cannot be estimated", "1 events begin behind"]);
    assert!(!dir.join("x").exists());
    let text = "onset\tduration\ttrial_type\n3\t1\ta\n9\t1\tn/a\n30\t1\ta\n50\t1\tb\n-40\t1\tb\n";
    let out = with(text);
    assert!(out.stderr.contains("1 of 5 rows have no trial_type"), "{}", out.stderr);
    assert!(out.stderr.contains("1 events begin before -24 s"), "{}", out.stderr);
    out.ok();
    fs::write(dir.join("bare.tsv"), "onset\tduration\n3\t1\n33\t4\n").unwrap();
    let out = run(dir, "fmri-roi glm bold.npy --tr 2 --events bare.tsv --contrast dummy --out-dir y");
    assert!(out.stderr.contains("all 2 events are one condition"), "{}", out.stderr);
    out.ok();
    run(dir, "fmri-roi glm bold.npy --tr 2 --events odd.tsv bare.tsv --contrast a --out-dir x")
        .fails(1, &["2 tables for 1 runs"]);
    run(dir, "fmri-roi glm bold.npy other.npy --tr 2 --events odd.tsv bare.tsv --contrast a --out-dir z")
        .fails(1, &["\"a\"", "other.npy"]);
}

#[test]
fn contrasts_are_in_the_grammar_of_select_units() {
    let dir = workplace();
    let dir = dir.path();
    let line = "fmri-roi glm bold.npy --tr 2 --events events.tsv --hrf spm";
    run(
        dir,
        &format!("{line} --contrast 'face > rest' --contrast '2*face - house - car' --contrast drift_1 --out-dir out"),
    )
    .ok();
    let of = |name: &str| map(&dir.join("out"), name);
    alike(&of("contrast-faceGtrest_stat-effect"), &of("contrast-2TimesfaceMinushouseMinuscar_stat-effect"), 1e-12);
    assert!(of("contrast-drift1_stat-t")[0].is_finite());
    run(dir, &format!("{line} --contrast 'face > cat' --out-dir x"))
        .fails(1, &["no level \"cat\"", "nearest is \"car\""]);
    run(dir, &format!("{line} --contrast 'face - house - car' --out-dir x")).fails(1, &["sum to"]);
    run(dir, &format!("{line} --contrast cat --out-dir x")).fails(1, &["\"cat\"", "car, face, house"]);
    run(dir, &format!("{line} --f-contrast 'face; face > house; house' --out-dir x")).fails(1, &["3 rows", "depend"]);
    run(dir, &format!("{line} --f-contrast 'face;' --out-dir x")).fails(1, &["empty"]);
    run(dir, &format!("{line} --out-dir x")).fails(1, &["0 contrasts"]);
    // Two conditions that are always together.
    let mut text = "onset\tduration\ttrial_type\n".to_owned();
    (0..6).for_each(|i| text += &format!("{0}\t3\ta\n{0}\t3\tb\n{1}\t3\tc\n", 4 + 20 * i, 12 + 20 * i));
    fs::write(dir.join("tied.tsv"), text).unwrap();
    let line = "fmri-roi glm bold.npy --tr 2 --events tied.tsv --hrf spm";
    let said = run(dir, &format!("{line} --contrast 'a > b' --out-dir x"))
        .fails(1, &["columns a, b of the design depend on each other", "\"a > b\" cannot be estimated"]);
    assert!(!said.contains("c of the design depend"));
    run(dir, &format!("{line} --contrast 'a,b > c' --out-dir y")).ok();
    assert_eq!(record(&dir.join("y/stat-rsquared_statmap.json"))["df"], 80.0 - 6.0);
    assert!(!dir.join("x").exists());
    // With an FIR the delays are what contrasts are about.
    run(
        dir,
        "fmri-roi glm bold.npy --tr 2 --events events.tsv --hrf fir --fir-delays 2,3 \
         --contrast 'face_delay_2,face_delay_3 > house_delay_2,house_delay_3' --out-dir fir",
    )
    .ok();
}

#[test]
fn confounds_are_found_by_name_or_glob() {
    let dir = workplace();
    let dir = dir.path();
    let table = |n: usize, hole: Option<usize>| {
        let mut text = "rot_x\trot_y\tdvars\n".to_owned();
        for t in 0..n {
            let dvars = if t == 0 || Some(t) == hole { "n/a".into() } else { (30 + t * t % 7).to_string() };
            text += &format!("{}\t{}\t{dvars}\n", t % 5, (t * t) % 11);
        }
        text
    };
    let line = format!("fmri-roi glm bold.npy --tr 2 {MODEL} --confounds conf.tsv");
    fs::write(dir.join("conf.tsv"), table(N, None)).unwrap();
    let out = run(dir, &format!("{line} --confound-columns 'rot_*,dvars' --out-dir out"));
    assert!(out.stderr.contains("\"dvars\" is n/a in row 0"), "{}", out.stderr);
    out.ok();
    let design = fs::read_to_string(dir.join("out/bold_design.tsv")).unwrap();
    assert!(design.starts_with("car\tface\thouse\trot_x\trot_y\tdvars\tdrift_1"), "{design}");
    run(dir, &format!("{line} --confound-columns 'trans_*' --out-dir x"))
        .fails(1, &["conf.tsv", "trans_*", "rot_x, rot_y, dvars"]);
    run(dir, &format!("{line} --out-dir x")).fails(2, &["--confound-columns"]);
    fs::write(dir.join("conf.tsv"), table(N, Some(5))).unwrap();
    run(dir, &format!("{line} --confound-columns dvars --out-dir x")).fails(1, &["row 5", "dvars"]);
    fs::write(dir.join("conf.tsv"), table(N - 1, None)).unwrap();
    run(dir, &format!("{line} --confound-columns rot_x --out-dir x")).fails(1, &["79 rows", "80 volumes"]);
    fs::write(dir.join("conf.tsv"), table(N, None)).unwrap();
    run(dir, &format!("{line} conf.tsv --confound-columns rot_x --out-dir x")).fails(1, &["2 tables for 1 runs"]);
}

#[test]
fn betas_are_named_by_their_stimuli() {
    let dir = workplace();
    let dir = dir.path();
    let line = "--events events.tsv --hrf spm --noise ols";
    for how in ["lsa", "lss"] {
        let out = run(dir, &format!("fmri-roi glm bold.npy --tr 2 {line} --betas {how} -o betas.npy"));
        assert!(out.stderr.contains("ids of the 15 trials are their stimuli"), "{}", out.stderr);
        out.ok();
        let (betas, ids) = matrix(&fs::read(dir.join("betas.npy")).unwrap());
        let ids = ids.unwrap();
        assert_eq!((betas.dim(), ids[0].as_str()), ((15, 12), "face-0.png"));
        // The voxel that likes faces.
        let of = |face: bool| -> Vec<f64> {
            (0..15).filter(|&i| ids[i].starts_with("face") == face).map(|i| betas[(i, 3)]).collect()
        };
        assert!(mean(&of(true)) > mean(&of(false)) + 1.0, "{how}");
        assert!(betas.column(7).iter().chain(betas.column(8)).all(|beta| beta.is_nan()));
        let sidecar = record(&dir.join("betas.json"));
        assert_eq!((sidecar["betas"].as_str(), sidecar["trial_type"][0].as_str()), (Some(how), Some("face")));
        // To stdout, of an image, and as an image.
        let piped = run(dir, &format!("fmri-roi glm bold.nii {line} --betas {how}")).ok();
        let (f4, _) = matrix(&piped);
        alike(f4.as_slice().unwrap(), betas.as_slice().unwrap(), 1e-5);
        run(dir, &format!("fmri-roi glm bold.nii {line} --betas {how} -o betas.nii.gz")).ok();
        let (_, all) = volumes(&dir.join("betas.nii.gz"));
        assert_eq!(all.len(), 15);
        alike(&all[4], &f4.row(4).to_vec(), 0.0);
        assert_eq!(record(&dir.join("betas.nii.gz.json"))["trials"][0], "face-0.png");
        fs::remove_file(dir.join("betas.nii.gz")).unwrap();
    }
    // Two runs: the trials of the second behind those of the first, under the same ids.
    run(dir, "fmri-roi glm bold.npy other.npy --tr 2 --events events.tsv events.tsv --betas lss -o two.npy").ok();
    let (two, ids) = matrix(&fs::read(dir.join("two.npy")).unwrap());
    assert_eq!(
        (two.nrows(), ids.unwrap()[..15] == matrix(&fs::read(dir.join("betas.npy")).unwrap()).1.unwrap()[..]),
        (30, true)
    );
    // Without stimuli: trial_type and number.
    let text: String = events_text().lines().map(|line| line.rsplit_once('\t').unwrap().0.to_owned() + "\n").collect();
    fs::write(dir.join("bare.tsv"), text).unwrap();
    let out = run(dir, "fmri-roi glm bold.npy --tr 2 --events bare.tsv --betas lsa -o bare.npy");
    assert!(out.stderr.contains("trial_type and number"), "{}", out.stderr);
    out.ok();
    assert_eq!(matrix(&fs::read(dir.join("bare.npy")).unwrap()).1.unwrap()[..2], ["face_1", "house_1"]);
    let line = "fmri-roi glm bold.npy --tr 2 --events bare.tsv --betas lsa";
    run(dir, &format!("{line} --derivatives time -o x.npy")).fails(1, &["--derivatives"]);
    run(dir, &format!("{line} -o x.nii")).fails(1, &["no geometry"]);
    run(dir, &format!("{line} --contrast face -o x.npy")).fails(2, &["--contrast"]);
    run(dir, &format!("{line} --out-dir x")).fails(2, &["--out-dir"]);
    assert!(!dir.join("x.npy").exists());
}

#[test]
fn openfmris_three_column_files_are_events_too() {
    let dir = workplace();
    let dir = dir.path();
    fs::create_dir(dir.join("run001")).unwrap();
    for (file, kind) in [("cond001", "face"), ("cond002", "house"), ("cond003", "car")] {
        let mut text = String::new();
        for line in events_text().lines().skip(1).filter(|line| line.contains(kind)) {
            let cells: Vec<&str> = line.split('\t').collect();
            text += &format!("{} {}\t1\n", cells[0], cells[1]);
        }
        fs::write(dir.join(format!("run001/{file}.txt")), text).unwrap();
    }
    fs::write(dir.join("key.txt"), "task001 cond001 face\ntask001 cond002 house\ntask001 cond003 car\n").unwrap();
    run(dir, &format!("fmri-roi glm bold.npy --tr 2 {MODEL} --out-dir a")).ok();
    let fsl = "--condition-key key.txt --events run001 --hrf spm --contrast 'face > house'";
    run(dir, &format!("fmri-roi glm bold.npy --tr 2 {fsl} --out-dir b")).ok();
    alike(
        &map(&dir.join("b"), "contrast-faceGthouse_stat-t"),
        &map(&dir.join("a"), "contrast-faceGthouse_stat-t"),
        0.0,
    );
    run(dir, &format!("fmri-roi glm bold.npy --tr 2 {MODEL} --condition-key key.txt --out-dir x"))
        .fails(1, &["events.tsv", "not a folder"]);
    fs::write(dir.join("run001/cond002.txt"), "3 1\n").unwrap();
    run(dir, &format!("fmri-roi glm bold.npy --tr 2 {fsl} --out-dir x")).fails(1, &["cond002.txt", "line 1"]);
    fs::write(dir.join("key.txt"), "\n").unwrap();
    run(dir, &format!("fmri-roi glm bold.npy --tr 2 {fsl} --out-dir x")).fails(1, &["key.txt", "0 conditions"]);
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_nothing() {
    let dir = workplace();
    let dir = dir.path();
    let line = format!("fmri-roi glm bold.npy --tr 2 {MODEL} --out-dir x");
    for (option, part) in [
        ("--fir-delays 0,1", "--hrf fir"),
        ("--drift-order 2", "--drift polynomial"),
        ("--drift polynomial --high-pass 0.01", "--drift cosine"),
        ("--derivatives dispersion", "time,dispersion"),
        ("--slice-time-ref 2", "0 to 1"),
        ("--high-pass -1", "--high-pass"),
        ("--fixed-effects precision", "there is 1"),
        ("--high-pass 0.3", "more volumes than columns"),
    ] {
        run(dir, &format!("{line} {}", option.replace("--high-pass -1", "--high-pass=-1"))).fails(1, &[part]);
    }
    let no_spm = line.replace("--hrf spm", "");
    run(dir, &format!("{no_spm} --hrf fir")).fails(1, &["--fir-delays"]);
    run(dir, &format!("{no_spm} --hrf none --derivatives time")).fails(1, &["--derivatives"]);
    run(dir, &line.replace("--tr 2", "--tr 0")).fails(1, &["--tr 0"]);
    run(dir, &format!("{line} -o y.npy")).fails(2, &["--out-dir"]);
    run(dir, &line.replace("bold.npy", "events.tsv")).fails(1, &["events.tsv"]);
    run(dir, &line.replace("bold.npy", "absent.nii")).fails(1, &["absent.nii"]);
    run(dir, &line.replace("bold.npy", "bold.npy bold.nii").replace("events.tsv", "events.tsv events.tsv"))
        .fails(1, &["runs of one kind"]);
    save(&dir.join("short.npy"), &bold(1).slice(s![..2, ..]).to_owned(), None);
    run(dir, &line.replace("bold.npy", "short.npy")).fails(1, &["2 volumes", "at least 3"]);
    save(&dir.join("narrow.npy"), &bold(1).slice(s![.., ..5]).to_owned(), None);
    run(dir, &line.replace("bold.npy", "bold.npy narrow.npy").replace("events.tsv", "events.tsv events.tsv"))
        .fails(1, &["5 voxels", "12"]);
    assert!(!dir.join("x").exists());
    // An image that ends early, and one of which another follows: nothing in the folder.
    sh(dir, "gzip -c bold.nii | head -c 2000 > cut.nii.gz; cat bold.nii bold.nii > two.nii").ok();
    run(dir, &line.replace("bold.npy", "cut.nii.gz")).fails(1, &["cut.nii.gz", "cut off"]);
    run(dir, &line.replace("bold.npy", "two.nii")).fails(1, &["two.nii"]);
    assert_eq!(fs::read_dir(dir.join("x")).unwrap().count(), 0);
}

#[test]
fn examples_of_the_help_run() {
    let dir = workplace();
    let dir = dir.path();
    let text = events_text().replace("face", "faces").replace("house", "places");
    for run in 1..=2 {
        fs::copy(dir.join("bold.nii"), dir.join(format!("run-{run}_bold.nii"))).unwrap();
        fs::write(dir.join(format!("run-{run}_events.tsv")), &text).unwrap();
    }
    sh(dir, &format!("cp -r {}/. .", root().join("testdata/golden/fmriprep").display())).ok();
    let grid = Geometry::from_sizes(SHAPE, [3.0; 3]);
    write_volume(File::create(dir.join("mask.nii")).unwrap(), Voxels::Labels(&[1; 12]), &grid, Intent::None, false)
        .unwrap();
    let help = run(dir, "fmri-roi glm --help").text();
    assert!(help.lines().all(|line| line.chars().count() <= 100), "a line of the help is wrapped");
    let examples = help.split_once("Examples:\n").unwrap().1.replace("\\\n", "");
    assert_eq!(examples.lines().count(), 3);
    for line in examples.lines() {
        sh(dir, line).ok();
    }
    assert!(dir.join("maps/contrast-facesGtrest_stat-z_statmap.nii.gz").exists());
    let prefix = "sub-01_task-floc_space-MNI152NLin2009cAsym_res-2_contrast";
    assert!(dir.join(format!("maps/{prefix}-facesAndplaces_stat-F_statmap.json")).exists());
    assert_eq!(matrix(&fs::read(dir.join("betas.npy")).unwrap()).0.dim(), (15, 12));
}

#[test]
fn trials_are_told_apart_over_runs_and_stand_in_a_table() {
    let dir = workplace();
    let dir = dir.path();
    // as events.tsv, without the column that names what was shown
    let text = fs::read_to_string(dir.join("events.tsv")).unwrap();
    let plain: String =
        text.lines().map(|line| line.split('\t').take(3).collect::<Vec<_>>().join("\t") + "\n").collect();
    fs::write(dir.join("plain.tsv"), plain).unwrap();
    let line = "fmri-roi glm bold.npy bold.npy --tr 2 --events plain.tsv plain.tsv --betas lsa";
    run(dir, &format!("{line} --trial-table trials.csv -o betas.npy")).ok();
    let (betas, ids) = matrix(&fs::read(dir.join("betas.npy")).unwrap());
    let ids = ids.unwrap();
    let table = rows(&fs::read_to_string(dir.join("trials.csv")).unwrap());
    assert_eq!((betas.nrows(), table.len()), (ids.len(), ids.len()));
    let half = ids.len() / 2;
    for (k, (row, id)) in table.iter().zip(&ids).enumerate() {
        assert_eq!((&row["stimulus"], &row["run"][..]), (id, if k < half { "1" } else { "2" }));
        assert_eq!(row["onset"], table[k % half]["onset"]);
        // made-up ids count on in the second run: no two trials pass for one stimulus
        assert_eq!(ids.iter().filter(|other| *other == id).count(), 1, "{id}");
    }
    run(dir, "fmri-roi glm bold.npy --tr 2 --events events.tsv --contrast face --trial-table t.csv --out-dir x")
        .fails(2, &["--trial-table", "--out-dir"]);
    run(dir, "fmri-roi glm bold.npy --tr 2 --events events.tsv --contrast face --dtype f8 --out-dir x")
        .fails(2, &["--dtype", "--out-dir"]);
    fs::create_dir(dir.join("folder")).unwrap();
    run(dir, "fmri-roi glm bold.npy --tr 2 --events folder --contrast face --out-dir x").fails(1, &["--condition-key"]);
}

/// Haxby and others (2001): nilearn 0.14.1 on the same files says max z 7.40 and 37 voxels.
#[test]
fn houses_against_faces_in_a_real_brain() {
    let Some(data) = data("haxby2001_sub001") else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let runs: Vec<_> = (1..=12).map(|k| data.join(format!("sub001/BOLD/task001_run{k:03}"))).collect();
    let mut means = vec![0.0; 800];
    let mut grid = None;
    for run in &runs {
        let (reader, all) = volumes(&run.join("bold_1slice.nii.gz"));
        all.iter().for_each(|volume| means.iter_mut().zip(volume).for_each(|(mean, v)| *mean += v));
        grid = Some(reader.geometry().clone());
    }
    let most = means.iter().copied().fold(0.0, f64::max);
    let inside: Vec<u32> = means.iter().map(|mean| u32::from(*mean > 0.2 * most)).collect();
    assert_eq!(inside.iter().sum::<u32>(), 483);
    write_volume(
        File::create(dir.join("mask.nii")).unwrap(),
        Voxels::Labels(&inside),
        &grid.unwrap(),
        Intent::None,
        false,
    )
    .unwrap();
    let list = |name: &str| runs.iter().map(|run| run.join(name).display().to_string()).collect::<Vec<_>>().join(" ");
    let model = "--hrf spm --high-pass 0.0078125 --mask mask.nii --contrast 'house > face'";
    let line = format!("{} --events {} {model}", list("bold_1slice.nii.gz"), list("bold_events.tsv"));
    run(dir, &format!("fmri-roi glm {line} --out-dir out")).ok();
    let z = volumes(&dir.join("out/contrast-houseGtface_stat-z_statmap.nii.gz")).1.remove(0);
    let most = z.iter().copied().filter(|z| z.is_finite()).fold(0.0, f64::max);
    within(most, 7.40, 0.005);
    assert_eq!(z.iter().filter(|z| **z > 3.1).count(), 37);
}
