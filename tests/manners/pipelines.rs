//! The pipelines of the recipes, in a shell, on small made-up files: what has to come out of them, whatever the READMEs
//! show.

use ndarray::Array2;
use std::fs;
use std::path::Path;
use support::*;

const DOMAINS: [&str; 5] = ["faces", "bodies", "places", "objects", "characters"];

/// Pictures as they are, for the tests' network.
const NO_STEPS: &str = "--preprocess raw255 --resize none --crop none";

/// Pictures of 8 x 8 pixels: faces are redder than they are green, with noise, so that red-minus-green units find them.
fn pictures(dir: &Path, table: &str, per_domain: usize, seed: u64) {
    fs::create_dir_all(dir.join("pictures")).unwrap();
    let mut text = String::from("stimulus,path,domain,half\n");
    let values = noise(5 * per_domain, 8 * 8 * 3, seed);
    for (i, row) in values.rows().into_iter().enumerate() {
        let (domain, name) = (DOMAINS[i / per_domain], format!("{table}-{i}"));
        let mut bytes = b"P6 8 8 255\n".to_vec();
        for (k, v) in row.iter().enumerate() {
            let tilt = if domain == "faces" && k % 3 == 0 { 60.0 } else { 0.0 };
            bytes.push((120.0 + 40.0 * v + tilt) as u8);
        }
        fs::write(dir.join(format!("pictures/{name}.ppm")), bytes).unwrap();
        text += &format!("{name},pictures/{name}.ppm,{domain},{}\n", ["odd", "even"][i % 2]);
    }
    fs::write(dir.join(format!("{table}.csv")), text).unwrap();
}

/// A folder with a network, pictures, and three subjects.
fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(root().join("testdata/models/tiny.onnx"), dir.path().join("net.onnx")).unwrap();
    pictures(dir.path(), "floc", 8, 1);
    pictures(dir.path(), "pictures", 4, 2);
    let names: Vec<String> = (0..20).map(|i| format!("pictures-{i}")).collect();
    let shared = noise(20, 30, 3);
    for subject in 0..3u64 {
        // Three trials of every picture, pictures in an order of the subject's own.
        let order: Vec<usize> = (0..60).map(|t| (t * 7 + subject as usize) % 20).collect();
        let trials = shared.select(ndarray::Axis(0), &order) + 0.3 * noise(60, 30, 10 + subject);
        let labels: Vec<String> = order.iter().map(|&i| names[i].clone()).collect();
        fs::create_dir_all(dir.path().join(format!("sub-0{subject}"))).unwrap();
        save(&dir.path().join(format!("sub-0{subject}/ffa.npy")), &trials, Some(&labels));
    }
    dir
}

#[test]
fn units_are_selected_and_compared_with_people() {
    let dir = workplace();
    let lines = "
ann-acts net.onnx --preprocess imagenet --layer conv floc.csv |
  select-units --stimuli floc.csv --by domain --contrast 'faces > bodies,places,objects,characters' --t 7 > face_units.csv
ann-acts net.onnx --preprocess imagenet --layer conv --units face_units.csv pictures.csv | rsa rdm > ann.npy
cat sub-*/ffa.npy | npy average | rsa rdm > ffa.npy
rsa compare ann.npy --brain ffa.npy --compare spearman --ceiling > scores.csv";
    let outcome = sh(dir.path(), lines);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let scores = rows(&fs::read_to_string(dir.path().join("scores.csv")).unwrap());
    let subjects: Vec<&str> = scores.iter().map(|r| r["subject"].as_str()).collect();
    assert_eq!(subjects, ["ffa", "ffa:1", "ffa:2", "mean"]);
    let mean = &scores[3];
    let number = |column: &str| mean[column].parse::<f64>().unwrap();
    assert_eq!(mean["n_stimuli"], "20");
    // The subjects share one pattern per picture, the network sees other pictures' noise.
    assert!(number("lower") > 0.8 && number("upper") >= number("lower") && number("rho").abs() < 0.5, "{mean:?}");
    let units = rows(&fs::read_to_string(dir.path().join("face_units.csv")).unwrap());
    assert!(!units.is_empty());
    // conv's first channel is red minus green, 224 x 224 of its units; blue has no faces in it.
    assert!(
        units.iter().all(|u| u["unit"].parse::<usize>().unwrap() < 224 * 224 && u["t"].parse::<f64>().unwrap() > 7.0)
    );
}

#[test]
fn face_units_are_validated_on_the_other_half() {
    let dir = workplace();
    fs::rename(dir.path().join("floc.csv"), dir.path().join("stimuli.csv")).unwrap();
    sh(
        dir.path(),
        "ann-acts net.onnx --preprocess raw255 --resize none --crop none --layer conv stimuli.csv -o acts.npy",
    )
    .ok();
    let lines = "
npy rows --stimuli stimuli.csv --where half=odd acts.npy -o odd.npy
select-units --inner --stimuli stimuli.csv --by domain --contrast 'faces > rest' --t 5 odd.npy > units.csv
npy rows --stimuli stimuli.csv --where half=even acts.npy | npy cols --units units.csv | rsa rdm > rdm.npy";
    let outcome = sh(dir.path(), lines);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let rdm = arrays(&fs::read(dir.path().join("rdm.npy")).unwrap()).remove(0);
    assert_eq!((rdm.shape, rdm.labels.ids.unwrap().len()), (vec![20 * 19 / 2], 20));
}

#[test]
fn the_makefile_recipe_makes_each_file_once() {
    let dir = workplace();
    fs::create_dir_all(dir.path().join("models")).unwrap();
    fs::rename(dir.path().join("net.onnx"), dir.path().join("models/net.onnx")).unwrap();
    let recipe = format!(
        ".SECONDARY:
acts/%.npy: models/%.onnx floc.csv
\tmkdir -p $(@D) && ann-acts $< {NO_STEPS} --layer conv floc.csv -o $@
units/%.csv: acts/%.npy floc.csv
\tmkdir -p $(@D) && select-units --stimuli floc.csv --by domain --contrast 'faces > rest' $< -o $@
"
    );
    fs::write(dir.path().join("Makefile"), recipe).unwrap();
    sh(dir.path(), "make units/net.csv").ok();
    assert!(dir.path().join("acts/net.npy").exists() && dir.path().join("acts/net.json").exists());
    assert!(sh(dir.path(), "make units/net.csv").text().contains("up to date"));
}

#[test]
fn the_slurm_recipe_joins_all_parts_and_lists_missing_ones() {
    let dir = tempfile::tempdir().unwrap();
    let big = noise(50, 4, 5);
    save(&dir.path().join("big.npy"), &big, Some(&ids(50)));
    let task = "npy rows --shard slurm big.npy -o part-$SLURM_ARRAY_TASK_ID.npy";
    let n = 16;
    for id in 0..n {
        let environment = format!("export SLURM_ARRAY_TASK_ID={id} SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT={n};");
        sh(dir.path(), &format!("{environment} {task}")).ok();
    }
    let join = "npy cat part-*.npy -o whole.npy";
    sh(dir.path(), join).ok();
    let (whole, labels) = matrix(&fs::read(dir.path().join("whole.npy")).unwrap());
    assert_eq!((whole, labels.unwrap()), (big, ids(50)));
    fs::remove_file(dir.path().join("part-3.npy")).unwrap();
    sh(dir.path(), join).fails(1, &["1 of 16 shards", "--array=3"]);
}

#[test]
fn the_recipe_for_a_killed_job_array_goes_on_and_joins() {
    let dir = workplace();
    let task = format!(
        "ann-acts net.onnx {NO_STEPS} --layer @Relu --pool avg --shard slurm --resume --out-dir acts pictures.csv"
    );
    // Sent twice, as after a kill: the second time there is nothing to do.
    for _ in 0..2 {
        for id in 0..16 {
            let environment =
                format!("export SLURM_ARRAY_TASK_ID={id} SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=16;");
            sh(dir.path(), &format!("{environment} {task}")).ok();
        }
    }
    sh(dir.path(), "npy cat acts/relu.shard-*.npy -o relu.npy").ok();
    let joined = fs::read(dir.path().join("relu.npy")).unwrap();
    let line = format!("ann-acts net.onnx {NO_STEPS} --layer relu --pool avg pictures.csv");
    assert_eq!(sh(dir.path(), &line).ok(), joined);
}

#[test]
fn the_recipe_for_lesions_and_untrained_twins_runs() {
    let dir = workplace();
    let select = "select-units --stimuli floc.csv --by domain --contrast 'faces > rest' --t 5";
    let recipe = format!(
        "
ann-acts net.onnx {NO_STEPS} --layer conv --pool avg floc.csv | {select} |
  ann-acts net.onnx {NO_STEPS} --lesion - --lesion-layer conv --lesion-by channel --layer logits pictures.csv > lesioned.npy
for seed in 1 2 3 4 5; do
  ann-acts net.onnx {NO_STEPS} --untrained $seed --layer conv floc.csv | {select} > twin-$seed.csv
done"
    );
    let out = sh(dir.path(), &recipe);
    assert_eq!(out.code, 0, "{}", out.stderr);
    // Channel 0 of conv, red minus green, is what finds faces here: without it the logits are blue's mean and its
    // negative.
    let (lesioned, _) = matrix(&fs::read(dir.path().join("lesioned.npy")).unwrap());
    assert!(lesioned.rows().into_iter().all(|row| row[0] == -row[1]), "{lesioned}");
    for seed in 1..=5 {
        assert!(
            fs::read_to_string(dir.path().join(format!("twin-{seed}.csv")))
                .unwrap()
                .starts_with("array,contrast,unit,")
        );
    }
}

#[test]
fn the_recipe_of_two_localizers_runs() {
    let dir = workplace();
    pictures(dir.path(), "other", 6, 9);
    for (options, table, file) in [("", "floc", "layer4"), ("--untrained 1", "floc", "twin"), ("", "other", "other")] {
        let line = format!("ann-acts net.onnx {NO_STEPS} {options} --layer conv {table}.csv -o {file}.npy");
        sh(dir.path(), &line).ok();
    }
    let recipe = "
select-units --stimuli floc.csv --by domain --t 3 --cv odd-even --null twin.npy layer4.npy > halves.csv
select-units --stimuli floc.csv --by domain --t 3 layer4.npy > units.csv
select-units --stimuli other.csv --by domain --t 3 --names layer4 other.npy > other_units.csv
unit-stats overlap units.csv other_units.csv --thresholds 3..11:2 > overlap.csv
unit-stats validate --names layer4 --units units.csv --stimuli other.csv --by domain other.npy > validated.csv";
    let out = sh(dir.path(), recipe);
    assert_eq!(out.code, 0, "{}", out.stderr);
    let table = |name: &str| rows(&fs::read_to_string(dir.path().join(name)).unwrap());
    let halves = table("halves.csv");
    assert!(halves.iter().any(|r| r["fold"] == "even") && halves[0].contains_key("p_null"));
    // Red-minus-green units prefer faces in both sets of pictures.
    let faces = table("overlap.csv").into_iter().find(|r| r["preferred"] == "faces" && r["threshold"] == "3").unwrap();
    assert!(faces["dice"].parse::<f64>().unwrap() > 0.3, "{faces:?}");
    let validated = table("validated.csv");
    let mean = |category: &str| -> f64 {
        let of = |r: &&Row| r["contrast"] == "faces > rest" && r["category"] == category;
        validated.iter().find(of).unwrap()["mean"].parse().unwrap()
    };
    assert!(mean("faces") > 0.5 && mean("places") < 0.0);
}

#[test]
fn numpy_reads_what_the_tools_write() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("m.npy"), &Array2::from_shape_fn((3, 2), |(i, j)| (i * 2 + j) as f64), Some(&ids(3)));
    let code = "import numpy, sys\nf = open('out.npy', 'rb')\nm, l = numpy.load(f), numpy.load(f)\n\
                assert m.tolist() == [[1.0], [3.0], [5.0]] and l.tolist() == ['s0', 's1', 's2'], (m, l)\nprint('read')";
    fs::write(dir.path().join("read.py"), code).unwrap();
    sh(dir.path(), "npy cols --index 1 m.npy > out.npy").ok();
    let python = root().join("build/venv/bin/python");
    if !python.exists() {
        skipped(&format!("{} is absent (make setup)", python.display()));
        return;
    }
    assert_eq!(sh(dir.path(), &format!("{} read.py", python.display())).text(), "read\n");
}
