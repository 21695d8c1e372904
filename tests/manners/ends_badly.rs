//! What ends badly ends in one line and with 1: too little memory, closed and full streams, refused threads, files cut
//! short while they are read, names that are not UTF-8, numbers of any size.
#![cfg(target_os = "linux")]

use npy_stream::{Matrix, write_matrix};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{Outcome, bytes_of, ids, noise, run, save, sh, tool};

/// An array of zeros that takes no room on the disk: a header, and a hole of the length of its body.
fn sparse(path: &Path, descr: &str, fortran: bool, shape: &[u64], labels: Option<&[String]>) {
    let order = if fortran { "True" } else { "False" };
    let axes: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({axes}), }}");
    header.push_str(&" ".repeat(64 - (10 + header.len() + 1) % 64));
    header.push('\n');
    let mut file = File::create(path).unwrap();
    file.write_all(b"\x93NUMPY\x01\x00").unwrap();
    file.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    let width: u64 = descr[2..].parse().unwrap();
    let end = 10 + header.len() as u64 + shape.iter().product::<u64>() * width;
    file.set_len(end).unwrap();
    if let Some(labels) = labels {
        use std::io::{Seek, SeekFrom};
        file.seek(SeekFrom::End(0)).unwrap();
        npy_stream::write_labels(file, labels).unwrap();
    }
}

/// A NIfTI image of f4 zeros.
fn sparse_nifti(path: &Path, shape: [u16; 4]) {
    let mut header = [0u8; 352];
    header[..4].copy_from_slice(&348i32.to_le_bytes());
    let dims = [4, shape[0], shape[1], shape[2], shape[3], 1, 1, 1];
    dims.iter().enumerate().for_each(|(i, d)| header[40 + 2 * i..42 + 2 * i].copy_from_slice(&d.to_le_bytes()));
    header[70..72].copy_from_slice(&16u16.to_le_bytes());
    header[72..74].copy_from_slice(&32u16.to_le_bytes());
    (0..8).for_each(|i| header[76 + 4 * i..80 + 4 * i].copy_from_slice(&1f32.to_le_bytes()));
    header[108..112].copy_from_slice(&352f32.to_le_bytes());
    header[112..116].copy_from_slice(&1f32.to_le_bytes());
    header[254..256].copy_from_slice(&1u16.to_le_bytes());
    (0..3).for_each(|i| header[280 + 20 * i..284 + 20 * i].copy_from_slice(&1f32.to_le_bytes()));
    header[344..348].copy_from_slice(b"n+1\0");
    let mut file = File::create(path).unwrap();
    file.write_all(&header).unwrap();
    file.set_len(352 + shape.iter().map(|&n| u64::from(n)).product::<u64>() * 4).unwrap();
}

/// Under `ulimit -v` of 3 GB, with files of 2 to 40 GB that take no room on the disk.
#[test]
fn what_does_not_fit_is_refused_with_both_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    // 40 rows of 200 MB: 8 GB. 20 000 rows of 200 KB: 4 GB. RDMs of 60 000 stimuli: 7 GB. Tall: rows x rows is 80 GB.
    let few = ids(40);
    sparse(&at("wide.npy"), "<f4", false, &[40, 50_000_000], Some(&few));
    sparse(&at("wide2.npy"), "<f4", false, &[40, 50_000_000], Some(&few));
    sparse(&at("fortran.npy"), "<f4", true, &[40, 50_000_000], Some(&few));
    let trials: Vec<String> = (0..40).map(|i| format!("s{}", i / 2)).collect();
    sparse(&at("trials.npy"), "<f4", false, &[40, 50_000_000], Some(&trials));
    sparse(&at("rdm.npy"), "<f4", false, &[60_000 * 59_999 / 2], None);
    sparse(&at("rdm8.npy"), "<f8", false, &[60_000 * 59_999 / 2], None);
    sparse(&at("square.npy"), "<f4", false, &[40_000, 40_000], None);
    sparse(&at("tall.npy"), "<f4", false, &[200_000, 10], Some(&ids(200_000)));
    sparse_nifti(&at("image.nii"), [1000, 1000, 500, 1]);
    sparse_nifti(&at("tall.nii"), [300, 300, 100, 300]);
    fs::write(at("events.tsv"), "onset\tduration\ttrial_type\n4\t3\ta\n20\t3\tb\n").unwrap();
    let table: String = (0..40).map(|i| format!("s{i},{}\n", ["a", "b"][i % 2])).collect();
    fs::write(at("s.csv"), format!("stimulus,category\n{table}")).unwrap();
    save(&at("small.npy"), &noise(40, 5, 1), Some(&few));
    run(dir.path(), "rsa rdm small.npy -o small_rdm.npy").ok();

    let commands = [
        "npy info fortran.npy",
        "npy info rdm.npy",
        "npy cols --index 0:5 fortran.npy",
        "npy rows --index 0:20 fortran.npy",
        "npy average fortran.npy",
        "npy to-csv fortran.npy",
        "npy to-csv rdm.npy",
        "npy cat --columns fortran.npy small.npy",
        "npy label --ids s.csv rdm.npy",
        "rsa rdm fortran.npy",
        "rsa rdm tall.npy",
        "rsa rdm square.npy --metric sqeuclidean",
        "rsa compare rdm.npy --brain small_rdm.npy",
        "rsa compare rdm8.npy --brain small_rdm.npy",
        "rsa compare small_rdm.npy --brain square.npy",
        "rsa fit rdm.npy --brain small_rdm.npy",
        "rsa mds rdm.npy",
        "rsa order rdm8.npy",
        "rsa compare fortran.npy --brain small.npy --compare cka",
        "encode fit --x wide.npy --y small.npy",
        "encode fit --x small.npy --y wide.npy",
        "ceiling voxel trials.npy",
        "ceiling within trials.npy",
        "ceiling between wide.npy wide2.npy",
        "ceiling rdm rdm.npy rdm8.npy",
        "ceiling gsn --draws 20 trials.npy",
        "tuning profile fortran.npy",
        "tuning compare fortran.npy --brain small.npy",
        "tuning diverge fortran.npy --brain small.npy",
        "select-units --stimuli s.csv --by category --contrast 'a > b' - < fortran.npy",
        "unit-stats probe --stimuli s.csv --by category --table pictures --mem 90G wide.npy",
        "fmri-roi define --stat image.nii --t 2 --name R",
        "fmri-roi gss --t 2 image.nii image.nii",
        "fmri-roi contrast --one-sample --permutations 9 wide.npy",
        "fmri-roi glm --tr 2 --events events.tsv --betas lsa -- fortran.npy",
        "fmri-roi glm --tr 2 --events events.tsv --betas lsa --drift none -- tall.nii",
        "fmri-roi contrast --stimuli s.csv --by category --contrast 'a > b' - < fortran.npy",
    ];
    let mut bad = Vec::new();
    for command in commands {
        let began = Instant::now();
        let outcome = sh(dir.path(), &format!("ulimit -v 3000000; {command}"));
        let took = began.elapsed();
        let last = outcome.stderr.lines().last().unwrap_or_default();
        let tool = command.split(' ').next().unwrap();
        let numbers = last.matches(" GB").count() + last.matches(" MB").count();
        let said = last.starts_with(&format!("{tool}: ")) && numbers == 2 && last.contains(" free under ulimit -v; ");
        if outcome.code != 1 || !said || took > Duration::from_secs(20) {
            bad.push(format!("{command}: {} after {took:?}: {}", outcome.code, outcome.stderr));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Files far larger than what is free pass where one piece after the other is enough.
#[test]
fn what_can_be_read_in_pieces_needs_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let few = ids(40);
    // 40 x 2 M f4 is 320 MB, and 250 MB of addresses are left for everything.
    sparse(&dir.path().join("a.npy"), "<f4", false, &[40, 2_000_000], Some(&few));
    let trials: Vec<String> = (0..40).map(|i| format!("s{}", i / 2)).collect();
    sparse(&dir.path().join("t.npy"), "<f4", false, &[40, 2_000_000], Some(&trials));
    for command in [
        "npy average t.npy > out",
        "npy cat --columns a.npy a.npy > out",
        "npy cat a.npy > out",
        "npy rows --index 3,2,1 a.npy > out",
        "npy info a.npy > out",
        "npy cols --index 0:5 a.npy > out",
    ] {
        let line = format!("ulimit -v 250000; {command}");
        sh(dir.path(), &line).ok();
    }
}

/// The same numbers and bytes whether the matrix lies in a file, comes through a pipe or is turned round.
#[test]
fn pieces_make_the_same_whole() {
    let dir = tempfile::tempdir().unwrap();
    let trials: Vec<String> = [2, 0, 1, 2, 0, 1, 2].iter().map(|i| format!("s{i}")).collect();
    let a = noise(7, 5, 3);
    save(&dir.path().join("t.npy"), &a, Some(&trials));
    let (means, labels) = support::matrix(&run(dir.path(), "npy average t.npy").ok());
    assert_eq!(labels.unwrap(), ["s2", "s0", "s1"]);
    for column in 0..5 {
        assert_eq!(means[[0, column]], (a[[0, column]] + a[[3, column]] + a[[6, column]]) / 3.0);
        assert_eq!(means[[1, column]], (a[[1, column]] + a[[4, column]]) / 2.0);
    }
    for verb in ["average", "to-csv", "rows --index 6,0,1,0", "cat --columns"] {
        let verb = if verb == "cat --columns" { verb.to_string() } else { format!("{verb} -q") };
        let file = run(dir.path(), &format!("npy {verb} t.npy")).ok();
        let pipe = sh(dir.path(), &format!("cat t.npy | npy {verb} -")).ok();
        assert_eq!(file, pipe, "{verb}");
    }
    // Joined by id: the second input in another order, f4 beside f8.
    let (left, right) = (noise(3, 2, 1), noise(3, 4, 2));
    save(&dir.path().join("l.npy"), &left, Some(&ids(3)));
    let order: Vec<String> = ["s2", "s0", "s1"].map(String::from).into();
    let mut single = Vec::new();
    write_matrix(&mut single, &Matrix::F4(right.mapv(|v| v as f32)), Some(&order)).unwrap();
    fs::write(dir.path().join("r.npy"), single).unwrap();
    let (joined, labels) = support::matrix(&run(dir.path(), "npy cat --columns l.npy r.npy -q").ok());
    assert_eq!(labels.unwrap(), ids(3));
    for (row, theirs) in [1, 2, 0].into_iter().enumerate() {
        assert_eq!(joined.row(row).to_vec()[..2], left.row(row).to_vec()[..]);
        let wanted: Vec<f64> = right.row(theirs).iter().map(|&v| f64::from(v as f32)).collect();
        assert_eq!(joined.row(row).to_vec()[2..], wanted[..]);
    }
}

#[test]
fn a_small_mem_is_kept_before_anything_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    // 1 x 500 M: not even the numbers of the units may be written down.
    sparse(&dir.path().join("a.npy"), "<f4", false, &[1, 500_000_000], Some(&ids(1)));
    fs::write(dir.path().join("s.csv"), "stimulus,category\ns0,a\ns1,b\n").unwrap();
    let line =
        "ulimit -v 1000000; unit-stats probe --stimuli s.csv --by category --table pictures --mem 100M --inner a.npy";
    sh(dir.path(), line).fails(1, &["--mem allows 104.9 MB"]);
}

#[test]
fn a_closed_or_full_stream_is_said() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("a.npy"), &noise(4, 3, 1), Some(&ids(4)));
    fs::write(dir.path().join("s.csv"), "stimulus,c\ns0,a\ns1,a\ns2,b\ns3,b\n").unwrap();
    let tools =
        ["ann-acts", "ceiling", "encode", "figure", "fmri-roi", "npy", "rsa", "select-units", "tuning", "unit-stats"];
    for tool in tools {
        for words in ["--help", "--version", "--generate man", "--generate bash"] {
            let full = sh(dir.path(), &format!("{tool} {words} > /dev/full"));
            full.fails(1, &[&format!("{tool}: stdout: No space left on device")]);
            let closed = sh(dir.path(), &format!("{tool} {words} >&-"));
            closed.fails(1, &[&format!("{tool}: stdout: is closed")]);
            let read_only = sh(dir.path(), &format!("{tool} {words} 1< a.npy"));
            read_only.fails(1, &[&format!("{tool}: stdout: Bad file descriptor")]);
        }
    }
    for line in [
        "npy cat a.npy",
        "npy info a.npy",
        "rsa rdm a.npy",
        "select-units --stimuli s.csv --by c --contrast 'a > b' a.npy",
        "tuning profile a.npy",
    ] {
        sh(dir.path(), &format!("{line} >&-")).fails(1, &["stdout: is closed", "-o FILE"]);
        sh(dir.path(), &format!("{line} > /dev/full")).fails(1, &["No space left on device"]);
        // What is written to a file needs no stdout.
        sh(dir.path(), &format!("{line} -q -o out >&-")).ok();
        // Messages that nobody can read change nothing.
        for stderr in ["2>&-", "2>/dev/full"] {
            assert_eq!(sh(dir.path(), &format!("{line} {stderr} > /dev/null")).code, 0, "{line} {stderr}");
            assert_eq!(sh(dir.path(), &format!("{line} nowhere.npy {stderr} > /dev/null")).code, 1, "{line} {stderr}");
            assert_eq!(sh(dir.path(), &format!("{line} --no-such-option {stderr}")).code, 2, "{line} {stderr}");
        }
    }
    sh(dir.path(), "npy cat - <&-").fails(1, &["stdin: is closed"]);
    // /dev/null is no closed stream, however it was opened.
    sh(dir.path(), "npy cat a.npy > /dev/null").ok();
    sh(dir.path(), "npy cat a.npy 1<> /dev/null").ok();
    sh(dir.path(), "npy --help | true").ok();
    // A limit on the length of files is an error of the write, not a signal.
    save(&dir.path().join("b.npy"), &noise(40, 300, 1), None);
    let limited = sh(dir.path(), "ulimit -f 8; npy cat b.npy -o out.npy");
    assert_eq!(limited.code, 1, "{limited:?}");
    assert!(limited.stderr.contains("File too large"), "{limited:?}");
    assert!(!dir.path().join("out.npy").exists());
    assert!(temporary_files(dir.path()).is_empty());
}

fn temporary_files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(".catsel-")).collect()
}

#[test]
fn threads_are_the_cores_of_the_task_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = save(&dir.path().join("a.npy"), &noise(30, 50, 1), Some(&ids(30)));
    assert!(!bytes.is_empty());
    let expected = run(dir.path(), "rsa rdm a.npy").ok();
    let many = run(dir.path(), "rsa rdm a.npy --threads 20000");
    assert_eq!(many.stderr.matches("--threads 20000: the cores that this task may use are ").count(), 1);
    assert_eq!(many.ok(), expected);
    let slurm = |value: &str| sh(dir.path(), &format!("SLURM_CPUS_PER_TASK={value} rsa rdm a.npy"));
    for huge in ["100000000", "99999999999999999999999"] {
        let outcome = slurm(huge);
        assert!(outcome.stderr.contains("SLURM_CPUS_PER_TASK "), "{}", outcome.stderr);
        assert_eq!(outcome.ok(), expected);
    }
    for bad in ["abc", "0", "-3", "2.5"] {
        slurm(bad).fails(1, &[&format!("rsa: SLURM_CPUS_PER_TASK is {bad:?}")]);
        sh(dir.path(), &format!("SLURM_CPUS_PER_TASK={bad} rsa rdm a.npy --threads 1")).ok();
    }
    assert_eq!(slurm("''").ok(), expected);
    assert_eq!(sh(dir.path(), "taskset -c 0 rsa rdm a.npy --threads 2 -q").ok(), expected);
    // Threads whose stacks the system does not give.
    sh(dir.path(), "ulimit -v 4000000; RUST_MIN_STACK=9000000000 npy info a.npy")
        .fails(1, &["npy: the system refuses to start ", "--threads"]);
}

/// A file is cut while the tool waits for its other input.
#[test]
fn a_file_cut_while_it_is_read_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    for (name, line) in [
        ("a.npy", "npy cat --columns a.npy - -o out.npy"),
        ("a.npy", "rsa compare a.npy --brain - --compare cka -o out.csv"),
    ] {
        let path = dir.path().join(name);
        save(&path, &noise(2000, 100, 1), Some(&ids(2000)));
        let words: Vec<&str> = line.split(' ').collect();
        let mut child =
            tool(words[0], dir.path()).args(&words[1..]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // By now the first input is open and its labels are read.
        std::thread::sleep(Duration::from_millis(500));
        File::options().write(true).open(&path).unwrap().set_len(200).unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(&bytes_of(&noise(2000, 3, 2), Some(&ids(2000))));
        drop(stdin);
        let out = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{line}: {stderr}");
        assert!(stderr.contains("truncated"), "{line}: {stderr}");
        assert!(!dir.path().join("out.npy").exists() && temporary_files(dir.path()).is_empty());
    }
}

/// Stopped by its scheduler: nothing half-written is left, and the signal is the end as ever.
#[test]
fn a_stopped_run_leaves_no_temporary_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut child =
        tool("npy", dir.path()).args(["average", "-", "-o", "out.npy"]).stdin(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while temporary_files(dir.path()).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(20));
    }
    let kill = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), None);
    assert!(temporary_files(dir.path()).is_empty());
}

#[test]
fn a_file_name_is_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"f\xe4\xff.npy");
    save(&dir.path().join(name), &noise(6, 4, 1), Some(&ids(6)));
    let run = |tool_name: &str, words: &[&OsStr]| -> Outcome {
        let out = tool(tool_name, dir.path()).args(words).output().unwrap();
        Outcome {
            code: out.status.code().unwrap_or(-1),
            stdout: out.stdout,
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        }
    };
    let w = OsStr::new;
    for words in [vec![w("info"), name], vec![w("to-csv"), name], vec![w("average"), name]] {
        run("npy", &words).ok();
    }
    run("rsa", &[w("rdm"), name]).ok();
    run("tuning", &[w("profile"), name]).ok();
    let missing = run("npy", &[w("info"), OsStr::from_bytes(b"no\xff.npy")]);
    missing.fails(1, &["npy: no\u{fffd}.npy: No such file"]);
    // Outputs and their sidecars, of two files of one stem.
    let (npy, csv) = (OsStr::from_bytes(b"o\xff.npy"), OsStr::from_bytes(b"o\xff.csv"));
    run("npy", &[w("cat"), name, w("-o"), npy]).ok();
    run("npy", &[w("to-csv"), name, w("-o"), csv]).ok();
    for side in [b"o\xff.json".as_slice(), b"o\xff.csv.json"] {
        assert!(dir.path().join(OsStr::from_bytes(side)).exists(), "{side:?}");
    }
    assert_eq!(fs::read(dir.path().join(npy)).unwrap(), fs::read(dir.path().join(name)).unwrap());
    // A word that is no name of a file is a usage error, not a panic.
    let word = OsStr::from_bytes(b"\xff");
    run("npy", &[word]).fails(2, &[]);
    run("npy", &[w("--generate"), word]).fails(1, &["--generate"]);
    let pages = OsStr::from_bytes(b"p\xff");
    fs::create_dir(dir.path().join(pages)).unwrap();
    run("npy", &[w("--generate"), w("man"), pages]).ok();
    assert!(dir.path().join(pages).join("npy.1").exists());
}

/// A sidecar that says any number of shards.
#[test]
fn a_shard_count_of_any_size_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("a.npy"), &noise(6, 4, 1), Some(&ids(6)));
    run(dir.path(), "npy rows --shard 0/3 a.npy -o p.npy").ok();
    let side = fs::read_to_string(dir.path().join("p.json")).unwrap();
    fs::write(dir.path().join("p.json"), side.replace("\"count\": 3", "\"count\": 18446744073709551615")).unwrap();
    run(dir.path(), "npy cat p.npy")
        .fails(1, &["18446744073709551614 of 18446744073709551615", "1-18446744073709551614"]);
    let last = "18446744073709551614/18446744073709551615";
    let (m, _) = support::matrix(&run(dir.path(), &format!("npy rows --shard {last} a.npy")).ok());
    assert!(m.nrows() <= 1);
    run(dir.path(), "npy rows --shard 18446744073709551615/18446744073709551615 a.npy").fails(2, &["count from 0"]);
}

/// Every option of every verb that takes a word gets numbers of any size: an answer or an error, never a panic, a
/// signal or a hang.
#[test]
fn numbers_of_any_size_are_answers_or_errors() {
    let dir = tempfile::tempdir().unwrap();
    let n = 12;
    let table: String = (0..n).map(|i| format!("s{i},{},{}\n", ["a", "b", "c"][i % 3], i % 2)).collect();
    fs::write(dir.path().join("s.csv"), format!("stimulus,category,half\n{table}")).unwrap();
    for (name, seed) in [("a", 1), ("b", 2), ("c", 3)] {
        save(&dir.path().join(format!("{name}.npy")), &noise(n, 9, seed), Some(&ids(n)));
        run(dir.path(), &format!("rsa rdm {name}.npy -q -o r{name}.npy")).ok();
    }
    let trials: Vec<String> = (0..3 * n).map(|i| format!("s{}", i / 3)).collect();
    save(&dir.path().join("t.npy"), &noise(3 * n, 9, 4), Some(&trials));
    save(&dir.path().join("t2.npy"), &noise(3 * n, 9, 5), Some(&trials));
    run(dir.path(), "npy rows --index 0:1 a.npy -q -o map.npy").ok();
    run(dir.path(), "select-units --stimuli s.csv --by category --contrast 'a > b,c' --top 3 a.npy -o u.csv").ok();
    let commands = [
        ("npy rows --index 0:3 a.npy", "--index --shard"),
        ("npy cat a.npy", "--array --threads"),
        ("npy cols --index 0:3 a.npy", "--index"),
        (
            "select-units --stimuli s.csv --by category --contrast 'a > b,c' a.npy",
            "--top --t --dprime --si --ratio --auc --alpha --min-units --mem --cv --threads",
        ),
        ("unit-stats probe --stimuli s.csv --by category --table pictures a.npy", "--k --mem"),
        ("unit-stats probe --stimuli s.csv --by category --table levels a.npy", "--quantiles --edges --min-count"),
        ("unit-stats validate --stimuli s.csv --by category --units u.csv a.npy", "--t"),
        ("unit-stats overlap u.csv u.csv", "--n-units --thresholds"),
        ("fmri-roi define --stat map.npy --name R", "--t --top --min-cluster"),
        ("fmri-roi contrast --one-sample a.npy", "--permutations"),
        ("fmri-roi contrast --one-sample --permutations 99 a.npy", "--seed"),
        ("tuning diverge a.npy --brain b.npy c.npy", "--top --n-boot --seed --splits --brain-reliability"),
        ("tuning compare a.npy --brain b.npy c.npy", "--splits --seed"),
        ("rsa rdm a.npy --metric poisson", "--prior-rate --prior-weight"),
        ("rsa compare ra.npy --brain rb.npy rc.npy --boot stimuli", "--n-boot --seed --threads"),
        ("rsa compare ra.npy --brain rb.npy rc.npy --model ridge", "--cv-k --n-cv"),
        ("rsa fit ra.npy --brain rb.npy rc.npy --method ridge --alpha 1", "--cv-k --seed --threads"),
        ("rsa fit ra.npy --brain rb.npy rc.npy --method ridge", "--alpha"),
        ("rsa fit ra.npy --brain rb.npy rc.npy --boot both", "--n-boot --seed --threads"),
        ("rsa mds ra.npy", "--dims --n-init --max-iter --eps --seed"),
        ("encode fit --x a.npy --y b.npy", "--cv --seed --alpha-cv --alphas"),
        ("ceiling voxel t.npy", "--splits --seed --trials"),
        ("ceiling between a.npy b.npy c.npy", "--splits --seed"),
        ("ceiling design t.npy t2.npy", "--repeats --subjects --stimuli --want --n-boot --seed"),
        ("ceiling gsn t.npy", "--splits --seed --trials --draws --max-voxels --repeats"),
    ];
    let values = [
        "0",
        "1",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "nan",
        "1e400",
        "99999999T",
        "18446744073709551614/18446744073709551615",
        "18446744073709551614:18446744073709551615",
        "0:18446744073709551615",
        "18446744073709551615,18446744073709551615",
        "1e300%",
        "k=18446744073709551615",
    ];
    let mut bad = Vec::new();
    for (command, options) in commands {
        for option in options.split(' ') {
            for value in values {
                // An option given again would be refused before it is read.
                let base = command.replace(&format!("{option} 0:3 "), "");
                let line = format!("ulimit -v 4000000; timeout 20 {base} {option}={value}");
                let outcome = sh(dir.path(), &line);
                if ![0, 1, 2].contains(&outcome.code) || outcome.stderr.contains("panicked") {
                    bad.push(format!("{line}: {} {}", outcome.code, outcome.stderr));
                }
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
