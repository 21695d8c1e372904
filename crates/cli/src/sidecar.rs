//! The record of how a file was made: a JSON file beside it, BIDS-style.
//!
//! `acts.npy` has `acts.json`; where that is the record of another file, or no record of ours, it is `acts.npy.json`.

use crate::claims::{folder_of, is_one_file, of_command_line};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The key of the digest of the file that a record is about.
pub(crate) const OUTPUT_SHA256: &str = "output_sha256";

/// The fact that the trials of an array have been through one choice or fit, in words: what compares trials of
/// different runs as if they were independent must know it. It stands in the records of all that is made of the array.
pub const DEPENDENT_TRIALS: &str = "dependent_trials";

/// Why the trials of this file are not independent, where its record, or that of what it was made from, says so.
pub fn dependent_trials_of(target: &Path) -> Option<String> {
    let record = record_of(target)?;
    let why = record[DEPENDENT_TRIALS].as_str()?;
    // The file is read only where there is something to say of it.
    require_own(&record, target).is_ok().then(|| why.to_owned())
}

/// The record of how this very file was made, wherever it stands; `None` also where the file is no longer, byte for
/// byte, what the record was written for.
pub fn sidecar_of(target: &Path) -> Option<Value> {
    record_of(target).filter(|record| require_own(record, target).is_ok())
}

/// The record that names this file, whether or not the file is still the one it was written for.
pub(crate) fn record_of(target: &Path) -> Option<Value> {
    let [beside_stem, beside_name] = places(target);
    let mut records = [beside_name, beside_stem].into_iter().filter_map(|path| read(&path));
    records.find(|record| record["output"] == file_name(target).as_str())
}

/// An error when the bytes of `target` are not those that this record was written for.
pub(crate) fn require_own(record: &Value, target: &Path) -> Result<()> {
    let Some(said) = record[OUTPUT_SHA256].as_str() else { return Ok(()) };
    let name = || target.display().to_string();
    let (found, _) = sha256(File::open(target).with_context(name)?).with_context(name)?;
    if found != said {
        bail!(
            "{}: is not the file that its sidecar was written for (SHA-256 {:.12}... and {said:.12}...): it was copied, \
             renamed or changed since; make it again, or remove the sidecar",
            target.display(),
            found
        );
    }
    Ok(())
}

/// Bytes that are read at once to be hashed: few calls, and a cache still holds them.
const HASHED_AT_ONCE: usize = 1 << 18;

/// The SHA-256 of all that is in a file, and its length.
pub(crate) fn sha256(mut file: File) -> io::Result<(String, u64)> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; HASHED_AT_ONCE];
    let mut length = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hex(&digest.finalize()), length)),
            Ok(n) => {
                digest.update(&buffer[..n]);
                length += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Where a record of `target` may stand: `a/x.json` for `a/x.npy` and `a/x.nii.gz`, else `a/x.npy.json`. An output that
/// is itself JSON is not its own sidecar.
fn places(target: &Path) -> [PathBuf; 2] {
    let beside_name = with_ending(target, ".json");
    let beside_stem = match target.extension() {
        Some(ending) if ending == "gz" => target.with_extension("").with_extension("json"),
        Some(ending) if ending == "json" => beside_name.clone(),
        _ => target.with_extension("json"),
    };
    [beside_stem, beside_name]
}

/// Where the record of `target` goes. A file that is not ours, that another output or an input of this job is, or that
/// is the record of another file that is still there, stays as it is; an error where both places are taken by such.
///
/// Beside `x` and `x.npy` of one job only `x.json` can be the record of `x`, so that of `x.npy` is `x.npy.json`,
/// whichever is complete first.
pub(crate) fn place_for(target: &Path) -> Result<PathBuf> {
    let [beside_stem, beside_name] = places(target);
    let is_needed = |place: &Path| {
        let others = of_command_line().outputs().filter(|other| !is_one_file(other, target));
        others.map(places).any(|[first, second]| first == second && is_one_file(&first, place))
    };
    let is_free = |place: &Path| {
        if of_command_line().names(place) || is_needed(place) {
            return false;
        }
        // Also a link that leads nowhere is somebody's.
        if place.symlink_metadata().is_err() {
            return true;
        }
        let ours = read(place).filter(is_ours);
        ours.and_then(|record| record["output"].as_str().map(str::to_owned))
            .is_some_and(|output| output == file_name(target) || !is_there(target, &output))
    };
    if is_free(&beside_stem) {
        return Ok(beside_stem);
    }
    if !is_free(&beside_name) {
        bail!(
            "{}: the record of how it is made would replace {}, which is no record of this file; move that, or choose \
             another name",
            target.display(),
            beside_name.display()
        );
    }
    Ok(beside_name)
}

/// Removes the records that speak of `target`: it is about to be replaced.
pub(crate) fn remove_records(target: &Path) -> io::Result<()> {
    for place in places(target) {
        if read(&place).is_some_and(|record| is_ours(&record) && record["output"] == file_name(target).as_str()) {
            std::fs::remove_file(place)?;
        }
    }
    Ok(())
}

fn read(place: &Path) -> Option<Value> {
    // What is no file, such as a pipe with a name, would keep us waiting.
    place.is_file().then_some(())?;
    serde_json::from_str(&std::fs::read_to_string(place).ok()?).ok()
}

/// Whether a record was written here, and may be replaced.
fn is_ours(record: &Value) -> bool {
    record.as_object().is_some_and(is_sidecar)
}

/// Whether these are the fields of a sidecar.
pub fn is_sidecar(fields: &Map<String, Value>) -> bool {
    let text = |key: &str| fields.get(key).is_some_and(Value::is_string);
    ["tool", "version", "output"].into_iter().all(text) && fields.get("inputs").is_some_and(Value::is_array)
}

/// As a record spells it.
pub(crate) fn file_name(target: &Path) -> String {
    target.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether a file stands beside `target` that a record would call `name`.
fn is_there(target: &Path, name: &str) -> bool {
    if !name.contains(char::REPLACEMENT_CHARACTER) {
        return target.with_file_name(name).exists();
    }
    // Perhaps a name that is not UTF-8, which JSON cannot hold as it is.
    let spelled = |entry: &OsString| entry.to_string_lossy() == name;
    std::fs::read_dir(folder_of(target)).is_ok_and(|entries| entries.flatten().any(|entry| spelled(&entry.file_name())))
}

/// Byte for byte: a file name need not be UTF-8.
pub(crate) fn with_ending(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.as_os_str().to_os_string();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Common, Job};
    use std::io::Write;

    /// Writes `text` to a file of this name, as a job whose record has this fact.
    fn write(folder: &Path, name: &str, fact: i32, text: &str) -> PathBuf {
        let path = folder.join(name);
        let common = Common { output: Some(path.clone().into()), threads: None, quiet: true };
        let job = Job::start("test", &common).unwrap();
        job.record("fact", fact);
        let mut out = job.text_output(Some(&path)).unwrap();
        out.write_all(text.as_bytes()).unwrap();
        out.commit(&job).unwrap();
        path
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn sidecars_share_the_stem() {
        for (target, side) in
            [("a/x.npy", "a/x.json"), ("x.nii.gz", "x.json"), ("x", "x.json"), ("x.json", "x.json.json")]
        {
            assert_eq!(places(Path::new(target))[0], Path::new(side));
        }
    }

    #[test]
    fn two_outputs_of_one_stem_keep_both_records() {
        let dir = tempfile::tempdir().unwrap();
        let (npy, csv) = (write(dir.path(), "net.npy", 1, "a"), write(dir.path(), "net.csv", 2, "b"));
        for (path, fact) in [(&npy, 1), (&csv, 2)] {
            assert_eq!(sidecar_of(path).unwrap()["fact"], fact);
        }
        assert_eq!(names(dir.path()), ["net.csv", "net.csv.json", "net.json", "net.npy"]);
        // Made again, each replaces its own.
        write(dir.path(), "net.npy", 3, "a");
        write(dir.path(), "net.csv", 4, "b");
        assert_eq!((&sidecar_of(&npy).unwrap()["fact"], &sidecar_of(&csv).unwrap()["fact"]), (&3.into(), &4.into()));
        // The first gone, its stem is free, and the older record of the second does not stay behind.
        std::fs::remove_file(&npy).unwrap();
        write(dir.path(), "net.csv", 5, "b");
        assert_eq!(names(dir.path()), ["net.csv", "net.json"]);
        assert_eq!(sidecar_of(&csv).unwrap()["fact"], 5);
    }

    #[test]
    fn a_file_that_is_not_ours_stays() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for theirs in [r#"{"mean": [0.5]}"#, "not json", r#"{"output": "sub.npy", "tool": 3}"#] {
            std::fs::write(at("sub.json"), theirs).unwrap();
            let path = write(dir.path(), "sub.npy", 1, "x");
            assert_eq!(std::fs::read_to_string(at("sub.json")).unwrap(), theirs);
            assert_eq!(sidecar_of(&path).unwrap()["fact"], 1);
        }
        // Through a link, too, and a link that leads nowhere is left alone.
        std::fs::rename(at("sub.json"), at("kept.json")).unwrap();
        for target in ["kept.json", "nothing.json"] {
            std::os::unix::fs::symlink(target, at("sub.json")).unwrap();
            write(dir.path(), "sub.npy", 2, "x");
            assert!(at("sub.json").is_symlink() && !at("nothing.json").exists());
            std::fs::remove_file(at("sub.json")).unwrap();
        }
        // Both places taken: said before anything is written.
        std::fs::write(at("sub.json"), "{}").unwrap();
        std::fs::write(at("sub.npy.json"), "{}").unwrap();
        let job = Job::start("test", &Common { quiet: true, ..Common::default() }).unwrap();
        let error = job.text_output(Some(&at("sub.npy"))).err().unwrap().to_string();
        assert!(error.contains("sub.npy.json"), "{error}");
    }

    #[test]
    fn what_is_made_of_dependent_trials_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let betas = write(dir.path(), "betas.npy", 1, "x");
        assert_eq!(dependent_trials_of(&betas), None);
        let made = |name: &str, from: &[&PathBuf], why: Option<&str>| {
            let path = dir.path().join(name);
            let job =
                Job::start("test", &Common { output: Some(path.clone().into()), threads: None, quiet: true }).unwrap();
            from.iter().for_each(|from| drop(job.open(&crate::Input::File(from.to_path_buf())).unwrap()));
            why.into_iter().for_each(|why| job.record(DEPENDENT_TRIALS, why));
            job.text_output(Some(&path)).unwrap().commit(&job).unwrap();
            path
        };
        let fitted = made("fitted.npy", &[&betas], Some("one choice"));
        let region = made("region.npy", &[&betas, &fitted], None);
        let rows = made("rows.npy", &[&region], None);
        assert_eq!(dependent_trials_of(&rows).as_deref(), Some("one choice"));
        assert_eq!(dependent_trials_of(&made("other.npy", &[&betas], None)), None);
    }

    #[test]
    fn every_input_has_its_own_digest_for_any_number_of_threads() {
        let dir = tempfile::tempdir().unwrap();
        // Empty, shorter and longer than what is read at once, and no multiple of it.
        let lengths = [0, 1, HASHED_AT_ONCE, 2 * HASHED_AT_ONCE + 5, 1000];
        let files = lengths.map(|length| dir.path().join(length.to_string()));
        for (file, length) in files.iter().zip(lengths) {
            std::fs::write(file, vec![length as u8; length]).unwrap();
        }
        for n_threads in [1, 3] {
            let out = dir.path().join("out").into();
            let job = Job::start("test", &Common { output: Some(out), threads: Some(n_threads), quiet: true }).unwrap();
            files.iter().for_each(|file| drop(job.open(&crate::Input::File(file.clone())).unwrap()));
            let found = job.identity().unwrap()["inputs"].clone();
            for (k, length) in lengths.into_iter().enumerate() {
                assert_eq!(
                    found[k]["sha256"],
                    hex(&Sha256::digest(vec![length as u8; length])).as_str(),
                    "{length} bytes"
                );
            }
        }
        // One that was written to since it was opened is named.
        let job = Job::start("test", &Common { quiet: true, ..Common::default() }).unwrap();
        files.iter().for_each(|file| drop(job.open(&crate::Input::File(file.clone())).unwrap()));
        std::fs::write(&files[3], "shorter").unwrap();
        let error = job.identity().unwrap_err().to_string();
        assert!(error.contains(files[3].to_str().unwrap()) && error.contains("7 bytes now"), "{error}");
    }

    #[test]
    fn a_record_is_about_one_content() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (write(dir.path(), "a.npy", 1, "first"), write(dir.path(), "b.npy", 2, "second"));
        std::fs::copy(&a, &b).unwrap();
        assert!(sidecar_of(&a).is_some() && sidecar_of(&b).is_none());
        let error = require_own(&record_of(&b).unwrap(), &b).unwrap_err().to_string();
        assert!(error.contains("b.npy") && error.contains("copied"), "{error}");
    }
}
