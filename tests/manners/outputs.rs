//! What a job writes meets no input, no other output and no file that is not catsel's, and its record is true.

use brain_formats::Geometry;
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use ndarray::Array2;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;
use support::*;

const N: usize = 24;

/// A command line of every verb of every tool that runs as it stands in [`workplace`]; its last word is the file of its
/// positional argument, where it has one.
const VERBS: [&str; 73] = [
    "ann-acts net.onnx --preprocess raw255 --resize none --crop none --layer conv p.csv",
    "ann-acts --list-layers net.onnx",
    "select-units --stimuli t.csv --by domain --contrast 'face > rest' --t 2 acts.npy",
    "unit-stats layers --stimuli t.csv --by domain --contrast 'face > rest' acts.npy",
    "unit-stats validate --stimuli t.csv --by domain --units units.csv acts.npy",
    "unit-stats overlap units.csv units2.csv",
    "unit-stats compare maps.csv maps2.csv",
    "unit-stats probe --stimuli t.csv --by domain --table levels --units units.csv acts.npy",
    "fmri-roi glm --tr 2 --hrf spm --betas lsa --events events.tsv -- acts.npy",
    "fmri-roi glm --betas lsa --task main --run 1 --space MNI152NLin2009cAsym --confound-columns 'rot_?' \
     --bids-dir bids --subject-dir bids/derivatives/fmriprep/sub-01",
    "fmri-roi glm --tr 2 --betas fit --events events.tsv events.tsv -- bold.nii bold.nii",
    "fmri-roi contrast --stimuli t.csv --by domain --contrast 'face > rest' acts.npy",
    "fmri-roi contrast --one-sample --permutations 9 acts.npy",
    "fmri-roi define --t 1 --stat tmap.npy",
    "fmri-roi localize --stimuli t.csv --by domain --contrast 'face > rest' --cv odd-even --t 1 acts.npy",
    "fmri-roi gss --t 0 --like mask.nii acts.npy",
    "fmri-roi extract --roi roi.csv acts.npy",
    "fmri-roi overlap --t 1 --names a,b tmap.npy tmap.npy",
    "fmri-roi atlas --parcels mask.nii tmap.npy",
    "tuning profile acts.npy",
    "tuning compare --brain trials.npy -- acts.npy",
    "tuning diverge --brain trials.npy -- acts.npy",
    "tuning match --model acts.npy --brain trials.npy",
    "rsa rdm acts.npy",
    "rsa model --stimuli t.csv --by domain",
    "rsa compare --brain brain.npy -- rdm.npy",
    "rsa fit --brain brain.npy -- rdm.npy",
    "rsa mds rdm.npy",
    "rsa order rdm.npy",
    "rsa searchlight --mask mask.nii --radius 1 --models rdm.npy -- acts.npy",
    "encode fit --cv 3 --n-iter 2 --y trials.npy --band a=acts.npy --band b=acts.npy",
    "encode predict model.npz acts.npy",
    "encode score --by region --region-column roi --regions roi.csv acts.npy trials.npy",
    "encode compare --y trials.npy acts.npy acts.npy",
    "encode weights model.npz",
    "encode ablate --cv 3 --draws 2 --units units.csv --y trials.npy --x acts.npy",
    "ceiling voxel trials.npy",
    "ceiling within trials.npy",
    "ceiling between acts.npy trials.npy",
    "ceiling rdm rdm.npy brain.npy",
    "ceiling design --repeats 2 --n-boot 20 trials2.npy trials.npy",
    "ceiling gsn --draws 20 trials.npy",
    "npy info acts.npy",
    "npy cat acts.npy",
    "npy cat --columns acts.npy trials.npy",
    "npy rows --index 0:3 acts.npy",
    "npy cols --index 0:2 acts.npy",
    "npy label --ids ids.txt acts.npy",
    "npy average trials.npy",
    "npy scale --zscore columns acts.npy",
    "npy to-csv acts.npy",
    "npy from-csv --id-column stimulus --values x t.csv",
    "npy to-csv rdm.npy",
    "npy stack t.csv",
    "figure responses --terminal validated.csv",
    "figure scores --terminal compared.csv",
    "figure rdm --terminal rdm.npy",
    "figure mds --terminal map.csv",
    "figure matrix --terminal pairs.csv",
    "figure layers --terminal layers.csv",
    "figure thresholds --terminal curve.csv",
    "figure tuning --terminal profile.csv",
    "figure scatter --terminal gaps.csv",
    "figure ablation --terminal ablated.csv",
    "figure partition --terminal parts.csv",
    "figure ceiling --terminal design.csv",
    "figure design --terminal columns.tsv",
    "figure overlap --terminal overlaps.csv",
    "figure probe --terminal --images images.csv probed.csv",
    "unit-stats overlap --combinations units.csv units2.csv",
    "fmri-roi overlap --combinations --t 1 --names a,b tmap.npy tmap.npy",
    "figure brain --terminal mask.nii",
    "figure report results",
];

fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut acts = noise(N, 8, 1);
    (0..N).filter(|i| i % 3 == 0).for_each(|i| acts[[i, 0]] += 4.0);
    save(&at("acts.npy"), &acts, Some(&ids(N)));
    let bold: Vec<f32> = noise(N, 8, 3).iter().map(|&value| 100.0 + value as f32).collect();
    let grid = Geometry::from_sizes([2, 2, 2], [2.0; 3]);
    write_volume(File::create(at("bold.nii")).unwrap(), Voxels::F4(&bold), &grid, Intent::None, false).unwrap();
    let trials: Vec<String> = (0..2 * N).map(|i| format!("s{}", i % N)).collect();
    let twice: Vec<usize> = (0..2 * N).map(|i| i % N).collect();
    let values = acts.select(ndarray::Axis(0), &twice) + 0.5 * noise(2 * N, 8, 2);
    save(&at("trials.npy"), &values, Some(&trials));
    fs::write(at("some.csv"), "stimulus\ns0\ns1\ns2\ns3\n").unwrap();
    let mut table = "stimulus,domain,x\n".to_string();
    (0..N).for_each(|i| table += &format!("s{i},{},{i}\n", ["face", "house", "car"][i % 3]));
    fs::write(at("t.csv"), table).unwrap();
    fs::write(at("ids.txt"), (0..N).map(|i| format!("s{i}\n")).collect::<String>()).unwrap();
    fs::write(at("events.tsv"), "onset\tduration\ttrial_type\n4\t3\ta\n20\t3\tb\n35\t3\ta\n").unwrap();
    sh(dir.path(), &format!("cp -r {} bids", root().join("testdata/golden/fmriprep").display())).ok();
    fs::write(at("precious"), "precious").unwrap();
    fs::copy(root().join("testdata/models/tiny.onnx"), at("net.onnx")).unwrap();
    let mut table = "path\n".to_string();
    for i in 0..3u8 {
        fs::write(at(&format!("{i}.ppm")), [b"P6 2 2 255\n".as_slice(), &[10 * i; 12]].concat()).unwrap();
        table += &format!("{i}.ppm\n");
    }
    fs::write(at("p.csv"), table).unwrap();
    let images: String = (0..N).map(|i| format!("s{i},{}.ppm\n", i % 3)).collect();
    fs::write(at("images.csv"), format!("stimulus,path\n{images}")).unwrap();
    fs::write(at("columns.tsv"), "a\tb\n1\t2\n2\t1\n3\t5\n").unwrap();
    let mask = File::create(at("mask.nii")).unwrap();
    write_volume(mask, Voxels::Labels(&[1; 8]), &Geometry::from_sizes([2, 2, 2], [2.0; 3]), Intent::None, false)
        .unwrap();
    for line in [
        "select-units --stimuli t.csv --by domain --contrast 'face > rest' --t 2 acts.npy -o units.csv",
        "select-units --stimuli t.csv --by domain --contrast 'house > rest' --t 0 acts.npy -o units2.csv",
        "select-units --stimuli t.csv --by domain --contrast 'face > rest' --all acts.npy -o maps.csv",
        "select-units --stimuli t.csv --by domain --contrast 'face > rest' --all acts.npy -o maps2.csv",
        "fmri-roi contrast --stimuli t.csv --by domain --contrast 'face > rest' acts.npy -o tmap.npy",
        "fmri-roi define --stat tmap.npy --t 1 -o roi.csv",
        "rsa rdm acts.npy -o rdm.npy",
        "npy average trials.npy -o averaged.npy",
        "npy scale --zscore columns trials.npy -o trials2.npy",
        "rsa rdm averaged.npy -o brain.npy",
        "encode fit --x acts.npy --y trials.npy --cv 3 --save model.npz -o scores.csv",
        "unit-stats validate --stimuli t.csv --by domain --units units.csv acts.npy -o validated.csv",
        "unit-stats layers --stimuli t.csv --by domain --t 1 acts.npy -o layers.csv",
        "unit-stats overlap maps.csv --thresholds 1,2 -o curve.csv",
        "unit-stats overlap maps.csv maps2.csv --thresholds 1 -o overlaps.csv",
        "unit-stats probe --table pictures --k 2 --stimuli t.csv --by domain --units units.csv acts.npy -o probed.csv",
        "rsa compare rdm.npy --brain brain.npy -o compared.csv",
        "rsa compare -o pairs.csv --all-pairs rdm.npy brain.npy",
        "rsa mds rdm.npy -o map.csv",
        "tuning profile --format csv acts.npy -o profile.csv",
        "tuning diverge acts.npy --brain trials.npy -o gaps.csv",
        "encode ablate --cv 3 --draws 2 --units units.csv --y trials.npy --x acts.npy -o ablated.csv",
        "encode fit -o banded.csv --partition parts.csv --n-iter 2 --cv 3 --y trials.npy --band a=acts.npy --band b=acts.npy",
        "ceiling design --repeats 2 --n-boot 20 trials2.npy trials.npy -o design.csv",
    ] {
        run(dir.path(), &format!("{line} --quiet")).ok();
    }
    sh(dir.path(), "cat rdm.npy brain.npy > two.npy").ok();
    fs::create_dir(at("results")).unwrap();
    fs::copy(at("map.csv"), at("results/map.csv")).unwrap();
    dir
}

/// What `--generate files` says: (option, what it does with its file) of every option of the verb of this line.
fn options_of(dir: &Path, line: &str) -> Vec<(String, String)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let listed = run(dir, &format!("{} --generate files", words[0])).text();
    let verbs: Vec<Vec<&str>> = listed.lines().map(|line| line.split('\t').collect()).collect();
    let verb = if verbs.iter().any(|v| v[0] == words[1]) { words[1] } else { "" };
    let of_verb = verbs.iter().filter(|v| v[0] == verb);
    let options: Vec<(String, String)> = of_verb.map(|v| (v[1].into(), v[2].into())).collect();
    assert!(options.iter().any(|(option, what)| option == "-o" && what == "writes"), "{line}: {listed}");
    options
}

/// The file that this line gives to an option; `precious` where it gives none.
fn file_given<'a>(line: &'a str, option: &str) -> Option<&'a str> {
    let mut words = line.split_whitespace();
    match option.starts_with('-') {
        true => words.find(|word| *word == option).and_then(|_| words.next()),
        false if option == "MODEL" && line.starts_with("ann-acts") => Some("net.onnx"),
        false if option == "MODEL.npz" => Some("model.npz"),
        false => words.last(),
    }
}

/// The line with more options, which stand before a positional argument behind `--`.
fn with(line: &str, options: &str) -> String {
    match line.split_once(" -- ") {
        Some((before, files)) => format!("{before} {options} -- {files}"),
        None => format!("{line} {options}"),
    }
}

fn sha256(path: &Path) -> String {
    Sha256::digest(fs::read(path).unwrap()).iter().map(|b| format!("{b:02x}")).collect()
}

fn record(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Everything in a folder, with its bytes.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut all: Vec<_> = files.map(|p| (p.display().to_string(), fs::read(&p).unwrap())).collect();
    all.sort();
    all
}

#[test]
fn every_verb_writes_a_file_and_its_true_record() {
    let dir = workplace();
    for (i, line) in VERBS.iter().enumerate() {
        let path = dir.path().join(format!("out-{i}.x"));
        run(dir.path(), &with(line, &format!("--quiet -o {}", path.display()))).ok();
        let record = record(&path.with_extension("json"));
        assert_eq!(record["output_sha256"], sha256(&path).as_str(), "{line}");
        let inputs = record["inputs"].as_array().unwrap();
        assert!(!inputs.is_empty(), "{line}: no input in {record}");
        for input in inputs {
            let name = input["name"].as_str().unwrap();
            assert_eq!(input["sha256"], sha256(&dir.path().join(name)).as_str(), "{line}: {name}");
        }
    }
}

#[test]
fn no_output_of_any_verb_meets_an_input_or_another_output() {
    let dir = workplace();
    let path = dir.path();
    fs::create_dir(path.join("sub")).unwrap();
    for name in ["precious", "acts.npy", "t.csv", "net.onnx", "rdm.npy", "trials.npy", "units.csv"] {
        symlink(name, path.join(format!("{name}.link"))).unwrap();
    }
    let before = contents(path);
    let mut n_tried = 0;
    let mut refused = |line: &str, parts: &[&str]| {
        n_tried += 1;
        let outcome = run(path, line);
        // An option that needs or excludes another is a usage error before anything is read or written.
        let usage = outcome.code == 2 && outcome.stderr.starts_with("error: ");
        let said = outcome.code == 1 && parts.iter().all(|part| outcome.stderr.contains(part));
        assert!(usage || said, "{line}: {outcome:?}");
        assert!(outcome.stdout.is_empty(), "{line}: {outcome:?}");
        usize::from(said)
    };
    let mut n_said = 0;
    for line in VERBS {
        let options = options_of(path, line);
        let of_use = |what: &str| options.iter().filter(|o| o.1 == what).map(|o| o.0.as_str()).collect::<Vec<_>>();
        let (reads, writes) = (of_use("reads"), of_use("writes"));
        for write in &writes {
            for read in &reads {
                let (line, file) = match file_given(line, read) {
                    Some(file) => (line.to_string(), file),
                    None => (with(line, &format!("{read} precious")), "precious"),
                };
                let parts = [file, "is both read", "written"];
                n_said += refused(&with(&line, &format!("{write} {file}")), &parts);
                n_said += refused(&with(&line, &format!("{write} sub/../{file}")), &parts);
                if path.join(format!("{file}.link")).exists() {
                    n_said += refused(&with(&line, &format!("{write} {file}.link")), &parts);
                }
            }
            for other in writes.iter().filter(|other| *other > write) {
                for (a, b) in [("new", "new"), ("new", "./sub/../new"), ("precious", "precious.link")] {
                    let parts = ["is both", "each output needs a file of its own"];
                    n_said += refused(&with(line, &format!("{write} {a} {other} {b}")), &parts);
                }
                n_said += refused(&with(line, &format!("{write} - {other} -")), &["both go to stdout"]);
            }
            if *write != "-o" {
                for stdout in ["-", "/dev/stdout"] {
                    n_said += refused(&with(line, &format!("{write} {stdout}")), &["stdout is for the main output"]);
                }
            }
        }
    }
    assert_eq!(contents(path), before, "something was written");
    // Most options stand alone, so that most are refused for the reason asked about.
    assert!(n_tried > 300 && n_said * 3 > n_tried * 2, "{n_said} of {n_tried}");
}

#[test]
fn pictures_of_a_table_are_inputs() {
    let dir = workplace();
    let before = contents(dir.path());
    let line = "ann-acts net.onnx --preprocess raw255 --resize none --crop none --layer conv";
    for (pictures, output) in [("p.csv", "1.ppm"), ("0.ppm 1.ppm", "1.ppm"), (".", "2.ppm")] {
        run(dir.path(), &format!("{line} {pictures} -o {output}")).fails(1, &[output, "is both read"]);
    }
    fs::create_dir(dir.path().join("acts")).unwrap();
    fs::copy(dir.path().join("0.ppm"), dir.path().join("acts/conv.npy")).unwrap();
    run(dir.path(), &format!("{line} acts/conv.npy --out-dir acts")).fails(1, &["conv.npy", "is both read"]);
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn files_that_are_not_ours_stay() {
    let dir = workplace();
    let at = |name: &str| dir.path().join(name);
    let config = r#"{"image_processor_type": "ViTImageProcessor", "do_resize": false, "do_center_crop": false, "do_rescale": false, "do_normalize": false}"#;
    fs::write(at("net.json"), config).unwrap();
    run(dir.path(), "ann-acts net.onnx --preprocess net.json --layer conv p.csv -o net.npy").ok();
    assert_eq!(fs::read_to_string(at("net.json")).unwrap(), config);
    assert_eq!(record(&at("net.npy.json"))["output"], "net.npy");
    let bids = r#"{"RepetitionTime": 1.33}"#;
    fs::write(at("shared.json"), bids).unwrap();
    symlink("shared.json", at("sub-01_bold.json")).unwrap();
    run(dir.path(), "fmri-roi extract --roi roi.csv acts.npy -o sub-01_bold.npy").ok();
    assert!(at("sub-01_bold.json").is_symlink());
    assert_eq!(fs::read_to_string(at("shared.json")).unwrap(), bids);
    assert_eq!(record(&at("sub-01_bold.npy.json"))["output_sha256"], sha256(&at("sub-01_bold.npy")).as_str());
    // An output may not take the place of another's record, nor a record that of an output.
    run(dir.path(), "rsa compare --brain brain.npy --boot stimuli --n-boot 20 --pairwise scores.json --names a,b -o scores.npy -- rdm.npy brain.npy").ok();
    assert!(fs::read_to_string(at("scores.json")).unwrap().contains("model_a"));
    assert_eq!(record(&at("scores.npy.json"))["output"], "scores.npy");
}

/// A line of every verb that writes two files or more, which are {1}, {2}, {3}.
const SEVERAL: [&str; 18] = [
    "ann-acts -o {1} --dump-input {2} --unit-table {3} --resize none --crop none --layer conv net.onnx p.csv",
    "unit-stats layers -o {1} --consistency {2} --stimuli t.csv --by domain --names a,b acts.npy acts.npy",
    "unit-stats layers -o {1} --chosen {2} --parts {3} --choose t --t 1 --stimuli t.csv --by domain acts.npy",
    "tuning match -o {1} --voxels {2} --parts {3} --brain trials.npy --model acts.npy",
    "fmri-roi glm -o one/x.npy --trial-table {1} --tr 2 --hrf spm --betas lsa --events events.tsv -- acts.npy",
    "fmri-roi glm -o one/x.npy --trial-table {1} --fit-maps {2} --fit-table {3} --tr 2 --betas fit --events events.tsv events.tsv -- bold.nii bold.nii",
    "fmri-roi contrast -o one/x.npy --table {1} --stimuli t.csv --by domain --contrast 'face > rest' acts.npy",
    "fmri-roi contrast -o one/x.npy --table {1} --p-map {2} --like mask.nii --one-sample --permutations 9 acts.npy",
    "rsa rdm -o {1} --metric crossnobis --save-sigma-k {2} --subset some.csv trials.npy",
    "rsa compare -o {1} --matrix {2} --all-pairs rdm.npy brain.npy",
    "rsa compare -o {1} --pairwise {2} --save-draws {3} --boot stimuli --n-boot 20 --names a,b --brain brain.npy -- rdm.npy brain.npy",
    "rsa compare -o {1} --weights {2} --model weighted --cv-k 1,2 --names m --brain brain.npy -- two.npy",
    "rsa searchlight -o one/x.nii.gz --table {1} --mask mask.nii --radius 1 --models rdm.npy -- acts.npy",
    "encode fit -o {1} --save {2} --predictions {3} --cv 3 --y trials.npy --x acts.npy",
    "encode fit -o {1} --gram {2} --cv 3 --y trials.npy --x acts.npy",
    "encode fit -o {1} --split {2} --partition {3} --n-iter 2 --cv 3 --y trials.npy --band a=acts.npy --band b=acts.npy",
    "encode ablate -o {1} --all-draws {2} --draws 1 --cv 3 --y trials.npy --x acts.npy --units units.csv",
    "ceiling gsn -o {1} --signal-covariance {2} --noise-covariance {3} --draws 20 trials.npy",
];

/// Whichever is complete first: a name without an ending has one place for its record, a `.json` has another's.
#[test]
fn outputs_of_one_stem_have_a_true_record_each() {
    let dir = workplace();
    let tools =
        ["ann-acts", "select-units", "unit-stats", "fmri-roi", "tuning", "rsa", "encode", "ceiling", "figure", "npy"];
    for tool in tools {
        let listed = run(dir.path(), &format!("{tool} --generate files")).text();
        let verbs: Vec<Vec<&str>> = listed.lines().map(|line| line.split('\t').collect()).collect();
        for verb in verbs.iter().map(|words| words[0]) {
            let writes: Vec<&str> = verbs.iter().filter(|v| v[0] == verb && v[2] == "writes").map(|v| v[1]).collect();
            let lines = SEVERAL.iter().filter(|line| line.starts_with(format!("{tool} {verb}").trim_end()));
            let lines: Vec<&&str> = lines.collect();
            let is_tried = |option: &&str| lines.iter().any(|line| line.contains(&format!(" {option} ")));
            assert!(writes.len() < 2 || writes.iter().all(is_tried), "{tool} {verb}: {writes:?}");
        }
    }
    let stems = [
        ["x.a", "x.b", "x.c"],
        ["x", "x.b", "x.c"],
        ["x.a", "x", "x.c"],
        ["x.a", "x.b", "x"],
        ["x.json", "x.b", "x.c"],
        ["x.a", "x.json", "x.json.c"],
        ["x.nii.gz", "x.nii", "x.gz"],
    ];
    for line in SEVERAL {
        for names in stems {
            let folder = dir.path().join("one");
            let mut written: Vec<&str> =
                (1..=3).filter(|n| line.contains(&format!("{{{n}}}"))).map(|n| names[n - 1]).collect();
            // Maps say by their names what they are.
            let map = line.split(' ').find_map(|word| word.strip_prefix("one/"));
            if map.is_some_and(|map| written.contains(&map)) {
                continue;
            }
            written.extend(map);
            fs::create_dir(&folder).unwrap();
            let fill = |line: String, n: usize| line.replace(&format!("{{{n}}}"), &format!("one/{}", names[n - 1]));
            let filled = (1..=3).fold(line.to_string(), fill);
            run(dir.path(), &filled).ok();
            let records: Vec<Value> = contents(&folder)
                .iter()
                .filter(|(path, _)| {
                    path.ends_with(".json") && !written.iter().any(|name| path.ends_with(&format!("/{name}")))
                })
                .map(|(path, _)| record(Path::new(path)))
                .collect();
            assert_eq!(records.len(), written.len(), "{filled}: {records:?}");
            for name in written {
                let own = records.iter().find(|record| record["output"] == name);
                let own = own.unwrap_or_else(|| panic!("{filled}: {name} has no record"));
                assert_eq!(own["output_sha256"], sha256(&folder.join(name)).as_str(), "{filled}: {name}");
            }
            fs::remove_dir_all(&folder).unwrap();
        }
    }
}

#[test]
fn shards_are_proved_by_their_bytes() {
    let dir = workplace();
    let at = |name: &str| dir.path().join(name);
    for i in 0..3 {
        run(dir.path(), &format!("npy rows --shard {i}/3 acts.npy -o s{i}.npy")).ok();
    }
    run(dir.path(), "npy cat s0.npy s1.npy s2.npy -o whole.npy").ok();
    fs::copy(at("s0.npy"), at("s1.npy")).unwrap();
    for output in ["", "-o again.npy"] {
        let error = run(dir.path(), &format!("npy cat s0.npy s1.npy s2.npy {output}"));
        error.fails(1, &["s1.npy", "sidecar", "copied"]);
    }
    assert!(!at("again.npy").exists());
}

#[test]
fn two_jobs_on_one_file_leave_one_of_them_with_its_record() {
    let dir = workplace();
    let at = |name: &str| dir.path().join(name);
    for round in 0..12 {
        let jobs = ["acts.npy", "trials.npy", "rdm.npy"].map(|input| {
            let verb = if input == "rdm.npy" { "label" } else { "cat" };
            let mut job = tool("npy", dir.path());
            job.args([verb, input, "--quiet", "-o", "out.npy"]);
            if verb == "label" {
                job.args(["--ids", "ids.txt"]);
            }
            job.spawn().unwrap()
        });
        jobs.into_iter().for_each(|mut job| assert!(job.wait().unwrap().success()));
        assert_eq!(record(&at("out.json"))["output_sha256"], sha256(&at("out.npy")).as_str(), "round {round}");
    }
}

#[test]
fn redirected_streams_are_files_too() {
    let dir = workplace();
    let at = |name: &str| dir.path().join(name);
    symlink("acts.npy", at("link.npy")).unwrap();
    let before = contents(dir.path());
    for line in [
        "npy cat < acts.npy -o acts.npy",
        "npy cat - < acts.npy -o ./link.npy",
        "npy cat acts.npy >> acts.npy",
        "npy cat < acts.npy >> acts.npy",
        "select-units --stimuli t.csv --by domain acts.npy >> t.csv",
    ] {
        let outcome = sh(dir.path(), line);
        assert_eq!(outcome.code, 1, "{line}: {outcome:?}");
        assert!(outcome.stderr.contains("is both read"), "{line}: {outcome:?}");
    }
    assert_eq!(contents(dir.path()), before);
    // What stands for an open stream is written to where it stands, and replaces nothing.
    fs::write(at("log"), "KEEP\n").unwrap();
    sh(dir.path(), "npy info acts.npy -o /dev/stdout >> log; npy info rdm.npy -o /dev/fd/1 >> log").ok();
    let log = fs::read_to_string(at("log")).unwrap();
    assert!(log.starts_with("KEEP\n") && log.contains("acts,24x8") && log.contains("rdm,"), "{log}");
}

#[test]
fn an_output_folder_and_a_resumed_run_spare_what_is_not_ours() {
    let dir = workplace();
    let at = |name: &str| dir.path().join(name);
    let line = "ann-acts net.onnx --preprocess raw255 --resize none --crop none --layer conv p.csv";
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("folder/conv.npy"), "mine").unwrap();
    run(dir.path(), &format!("{line} --out-dir folder")).fails(1, &["folder/conv.npy", "no record"]);
    fs::remove_file(at("folder/conv.npy")).unwrap();
    symlink("../precious", at("folder/conv.npy")).unwrap();
    run(dir.path(), &format!("{line} --out-dir folder")).fails(1, &["folder/conv.npy", "no record"]);
    fs::remove_file(at("folder/conv.npy")).unwrap();
    run(dir.path(), &format!("{line} --out-dir folder")).ok();
    run(dir.path(), &format!("{line} --out-dir folder")).ok();
    fs::write(at("x.npy.partial"), "mine").unwrap();
    symlink("precious", at("y.npy.partial")).unwrap();
    symlink("precious", at("z.npy.journal")).unwrap();
    for name in ["x", "y", "z"] {
        run(dir.path(), &format!("{line} --resume -o {name}.npy")).fails(1, &["is there, but is not what"]);
    }
    assert_eq!(fs::read_to_string(at("precious")).unwrap(), "precious");
    assert_eq!(fs::read_to_string(at("x.npy.partial")).unwrap(), "mine");
}

#[test]
fn a_pipe_at_the_place_of_the_sidecar_is_left_alone() {
    let dir = workplace();
    assert!(std::process::Command::new("mkfifo").arg(dir.path().join("out.json")).status().unwrap().success());
    run(dir.path(), "npy cat acts.npy -o out.npy").ok();
    assert_eq!(record(&dir.path().join("out.npy.json"))["output"], "out.npy");
}

/// Runs `npy cat acts.npy pipe -o out.npy` and does something between the opening of the first input and the end of the
/// second, which is a pipe with a name.
fn meanwhile(dir: &Path, act: impl FnOnce()) -> Outcome {
    let made = std::process::Command::new("mkfifo").arg(dir.join("pipe")).status().unwrap();
    assert!(made.success());
    let mut command = tool("npy", dir);
    command.args(["cat", "acts.npy", "pipe", "-o", "out.npy"]);
    let job = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Opens when the other end does: the first input is open by then.
    let mut pipe = File::options().write(true).open(dir.join("pipe")).unwrap();
    act();
    pipe.write_all(&fs::read(dir.join("more.npy")).unwrap()).unwrap();
    drop(pipe);
    let out = job.wait_with_output().unwrap();
    fs::remove_file(dir.join("pipe")).unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    Outcome { code: out.status.code().unwrap_or(-1), stdout: out.stdout, stderr }
}

#[test]
fn an_input_that_changes_while_it_is_read_stops_the_job() {
    let dir = workplace();
    let at = |name: &str| dir.path().join(name);
    let more = save(&at("more.npy"), &Array2::ones((2, 8)), Some(&["x".into(), "y".into()]));
    let acts = fs::read(at("acts.npy")).unwrap();
    assert_eq!(meanwhile(dir.path(), || {}).code, 0);
    let inputs = record(&at("out.json"))["inputs"].clone();
    // A pipe is hashed as it is read, for it cannot be read again.
    let digest = Sha256::digest(&more).iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!((&inputs[0]["sha256"], &inputs[1]["sha256"]), (&sha256(&at("acts.npy")).into(), &digest.into()));
    let written = contents(dir.path());
    let replace = || {
        save(&at("new.npy"), &Array2::zeros((N, 8)), Some(&ids(N)));
        fs::rename(at("new.npy"), at("acts.npy")).unwrap();
    };
    let append = || File::options().append(true).open(at("acts.npy")).unwrap().write_all(b"more").unwrap();
    let remove = || fs::remove_file(at("acts.npy")).unwrap();
    for act in [&replace as &dyn Fn(), &append, &remove] {
        fs::write(at("acts.npy"), &acts).unwrap();
        meanwhile(dir.path(), act).fails(1, &["acts.npy"]);
    }
    fs::write(at("acts.npy"), &acts).unwrap();
    assert_eq!(contents(dir.path()), written, "the earlier output and its record stay as they were");
}

#[test]
fn a_replaced_file_keeps_its_mode() {
    let dir = workplace();
    let at = |name: &str| dir.path().join(name);
    let mode = |name: &str| at(name).metadata().unwrap().permissions().mode() & 0o777;
    run(dir.path(), "npy cat acts.npy -o out.npy").ok();
    let usual = mode("out.npy");
    fs::set_permissions(at("out.npy"), Permissions::from_mode(0o660)).unwrap();
    run(dir.path(), "npy cat trials.npy -o out.npy").ok();
    assert_eq!((mode("out.npy"), mode("out.json")), (0o660, usual));
}
