//! How `ann-acts` runs: devices, parts of a job array, going on after a stop, batches.

use serde_json::Value;
use std::fs;
use std::path::Path;
use support::*;

const N: usize = 11;

fn tiny() -> String {
    format!("ann-acts {} --preprocess raw255", root().join("testdata/models/tiny.onnx").display())
}

/// A PPM picture of two pixels that no two indices share.
fn picture(index: usize) -> Vec<u8> {
    let mut bytes = b"P6 2 1 255\n".to_vec();
    bytes.extend([index as u8 * 7, 3, 200 - index as u8, 40, index as u8, 9]);
    bytes
}

/// `N` pictures and their table.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut table = "path,stimulus\n".to_string();
    for i in 0..N {
        fs::write(dir.path().join(format!("{i}.ppm")), picture(i)).unwrap();
        table += &format!("{i}.ppm,s{i:02}\n");
    }
    fs::write(dir.path().join("s.csv"), table).unwrap();
    dir
}

fn sidecar(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_card_that_cannot_be_used_is_an_error_and_auto_says_what_it_took() {
    let dir = folder();
    let tiny = tiny();
    for device in ["cuda", "cuda:1"] {
        let out = run(dir.path(), &format!("{tiny} --layer pool --device {device} -o x.npy s.csv"));
        if out.code == 0 {
            skipped("this machine has a card that --device cuda can use");
            return;
        }
        assert_eq!(out.code, 1);
        assert!(
            out.stderr.contains(&format!("--device {device}").replace("cuda ", "cuda:0 "))
                || out.stderr.contains("--device cuda:"),
            "{}",
            out.stderr
        );
        assert!(out.stderr.contains("libonnxruntime.so") && out.stderr.contains("CUDA"), "{}", out.stderr);
        assert!(!dir.path().join("x.npy").exists());
    }
    let auto = run(dir.path(), &format!("{tiny} --layer pool --device auto -o auto.npy s.csv"));
    assert!(auto.stderr.contains("running on cpu ("), "{}", auto.stderr);
    auto.ok();
    let cpu = run(dir.path(), &format!("{tiny} --layer pool --device cpu -o cpu.npy s.csv"));
    assert!(!cpu.stderr.contains("running on"), "{}", cpu.stderr);
    cpu.ok();
    let read = |name: &str| fs::read(dir.path().join(name)).unwrap();
    assert_eq!(read("auto.npy"), read("cpu.npy"));
    assert_eq!(sidecar(&dir.path().join("auto.json"))["device"], "cpu");
    for bad in ["gpu", "cuda:x", "CUDA"] {
        let out = run(dir.path(), &format!("{tiny} --layer pool --device {bad} s.csv"));
        assert_eq!(out.code, 2, "{bad}: {}", out.stderr);
    }
}

#[test]
fn shards_joined_are_the_whole() {
    let dir = folder();
    let tiny = tiny();
    let whole = run(dir.path(), &format!("{tiny} --batch 4 --layer relu s.csv")).ok();
    for count in [1, 2, 3, N] {
        for index in (0..count).rev() {
            run(
                dir.path(),
                &format!("{tiny} --batch 4 --layer relu --shard {index}/{count} -o part-{count}-{index:02}.npy s.csv"),
            )
            .ok();
        }
        let joined = sh(dir.path(), &format!("npy cat part-{count}-*.npy")).ok();
        assert_eq!(joined, whole, "{count} shards");
    }
    let side = sidecar(&dir.path().join("part-3-01.json"));
    assert_eq!((side["shard"]["first"].as_u64(), side["shard"]["of"].as_u64()), (Some(3), Some(N as u64)));
    let missing = sh(dir.path(), "npy cat part-3-00.npy part-3-02.npy");
    assert!(missing.code == 1 && missing.stderr.contains("--array=1"), "{}", missing.stderr);
    // Into a folder every shard has files of its own.
    for index in 0..2 {
        run(dir.path(), &format!("{tiny} --batch 4 --layer relu --layer pool --shard {index}/2 --out-dir acts s.csv"))
            .ok();
    }
    let joined = sh(dir.path(), "npy cat acts/relu.shard-*-of-2.npy").ok();
    assert_eq!(joined, whole);
    let slurm = "SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=6 SLURM_ARRAY_TASK_COUNT=2";
    let task = sh(dir.path(), &format!("{slurm} {tiny} --batch 4 --layer relu --shard slurm s.csv")).ok();
    assert_eq!(task, fs::read(dir.path().join("part-2-01.npy")).unwrap());
}

#[test]
fn a_shard_of_nothing_is_an_error() {
    let dir = folder();
    // 12 shards of 11 pictures: one of them has none.
    let empty: Vec<i32> =
        (0..12).map(|i| run(dir.path(), &format!("{} --layer pool --shard {i}/12 s.csv", tiny())).code).collect();
    assert_eq!(empty.iter().filter(|&&code| code == 1).count(), 1, "{empty:?}");
    assert_eq!(run(dir.path(), &format!("{} --layer pool --shard 3/3 s.csv", tiny())).code, 2);
}

/// A picture in the middle is cut off: the run stops there. Mended, the same command goes on and gives the same bytes.
#[test]
fn a_stopped_run_goes_on_to_the_same_bytes() {
    for target in ["--out-dir acts --layer relu --layer pool", "-o relu.npy --layer relu"] {
        let dir = folder();
        let line = format!("{} --batch 2 --resume {target} s.csv", tiny());
        let whole = run(
            dir.path(),
            &line.replace("--resume ", "").replace("-dir acts", "-dir whole").replace("relu.npy", "whole.npy"),
        );
        whole.ok();
        fs::write(dir.path().join("7.ppm"), &picture(7)[..14]).unwrap();
        let stopped = run(dir.path(), &line);
        assert!(stopped.code == 1 && stopped.stderr.contains("7.ppm"), "{}", stopped.stderr);
        let place = if target.starts_with("-o") { dir.path().to_path_buf() } else { dir.path().join("acts") };
        assert!(names(&place).contains(&"relu.npy.partial".to_string()) && !place.join("relu.npy").exists());
        // What a kill in the middle of writing leaves: half a row, half a journal line.
        let append = |name: &str, text: &str| {
            let path = place.join(name);
            let old = fs::read(&path).unwrap();
            fs::write(path, [&old, text.as_bytes()].concat()).unwrap();
        };
        append("relu.npy.partial", "half");
        append(if target.starts_with("-o") { "relu.npy.journal" } else { "ann-acts.journal" }, "{\"rows\": 8");
        fs::write(dir.path().join("7.ppm"), picture(7)).unwrap();
        let resumed = run(dir.path(), &line);
        assert!(resumed.stderr.contains("6 of 11 rows are there already"), "{}", resumed.stderr);
        resumed.ok();
        let (whole, whole_side) = match target.starts_with("-o") {
            true => (dir.path().join("whole.npy"), dir.path().join("whole.json")),
            false => (dir.path().join("whole/relu.npy"), dir.path().join("whole/relu.json")),
        };
        assert_eq!(fs::read(place.join("relu.npy")).unwrap(), fs::read(whole).unwrap());
        let (side, whole_side) = (sidecar(&place.join("relu.json")), sidecar(&whole_side));
        assert_eq!(side["pictures_sha256"], whole_side["pictures_sha256"]);
        assert_eq!(side["n_stimuli"], N);
        assert!(!names(&place).iter().any(|name| name.contains("partial") || name.contains("journal")));
        // Once more: nothing to do, and nothing is touched.
        let before = fs::metadata(place.join("relu.npy")).unwrap().modified().unwrap();
        let again = run(dir.path(), &line);
        assert!(again.stderr.contains("all 11 rows") && again.code == 0, "{}", again.stderr);
        assert_eq!(fs::metadata(place.join("relu.npy")).unwrap().modified().unwrap(), before);
    }
}

#[test]
fn another_run_is_not_gone_on_with() {
    let dir = folder();
    let line = format!("{} --batch 2 --resume -o x.npy --layer relu s.csv", tiny());
    fs::write(dir.path().join("9.ppm"), &picture(9)[..14]).unwrap();
    assert_eq!(run(dir.path(), &line).code, 1);
    fs::write(dir.path().join("9.ppm"), picture(9)).unwrap();
    let other = |old: &str, new: &str| run(dir.path(), &line.replace(old, new));
    for (old, new, what) in [
        ("--batch 2", "--batch 3", "batch: 2 then, 3 now"),
        ("raw255", "raw01", "preprocessing"),
        ("--layer relu", "--layer conv", "layers"),
        ("--layer relu", "--dtype f8 --layer relu", "dtype"),
    ] {
        let out = other(old, new);
        assert!(out.code == 1 && out.stderr.contains(what), "{what}: {}", out.stderr);
    }
    // A picture whose row is there is another one now.
    fs::write(dir.path().join("1.ppm"), picture(50)).unwrap();
    let out = run(dir.path(), &line);
    assert!(out.code == 1 && out.stderr.contains("1.ppm: is another picture"), "{}", out.stderr);
    fs::write(dir.path().join("1.ppm"), picture(1)).unwrap();
    run(dir.path(), &line).ok();
    // Complete, but asked for otherwise.
    let out = other("--batch 2", "--batch 3");
    assert!(out.code == 1 && out.stderr.contains("was made otherwise (batch: 2 then, 3 now)"), "{}", out.stderr);
    fs::remove_file(dir.path().join("x.json")).unwrap();
    let out = run(dir.path(), &line);
    assert!(out.code == 1 && out.stderr.contains("without the sidecar"), "{}", out.stderr);
}

#[test]
fn resume_needs_files() {
    let dir = folder();
    for line in ["--layer relu", "--layer relu --layer pool -o x.npy"] {
        let out = run(dir.path(), &format!("{} --resume {line} s.csv", tiny()));
        assert!(out.code == 1 && out.stderr.contains("--out-dir"), "{line}: {}", out.stderr);
    }
    assert_eq!(names(dir.path()).len(), N + 1, "nothing was written");
    let out = run(dir.path(), &format!("{} --resume --layer relu -o x.npy --dump-input d.npy s.csv", tiny()));
    assert_eq!(out.code, 2);
}

#[test]
fn auto_batch_is_a_power_of_two_that_fits() {
    let dir = folder();
    let out = run(dir.path(), &format!("{} --batch auto --layer relu -o x.npy s.csv", tiny()));
    assert!(out.stderr.contains("--batch auto: 32 pictures"), "{}", out.stderr);
    assert_eq!(sidecar(&dir.path().join("x.json"))["batch"], 32);
    // 4096 x 4096 pictures of 3 + 2 f4 values: 320 MiB, more than a quarter gigabyte each.
    let large = run(dir.path(), &format!("{} --resize 4096x4096 --batch auto --layer conv 1.ppm", tiny()));
    assert!(large.stderr.contains("--batch auto: 1 pictures"), "{}", large.stderr);
    for bad in ["0", "-1", "many", "1.5"] {
        assert_eq!(run(dir.path(), &format!("{} --batch {bad} --layer relu s.csv", tiny())).code, 2, "{bad}");
    }
}
