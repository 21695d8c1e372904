//! Where results go: stdout, or a file that appears whole.

use crate::last_words::Unfinished;
use crate::{Job, standard_streams};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Seek, SeekFrom, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A sink for the result. Nothing is there before [`Output::commit`]: a file is renamed into place then, and an
/// output that is dropped before leaves nothing behind.
///
/// What is still in the buffer of stdout is dropped too: a tool that stops with an error before it has filled the
/// buffer has written nothing.
pub struct Output {
    /// `None` once committed.
    sink: Option<Sink>,
}

enum Sink {
    /// Stdout or a device. Not `io::Stdout`, whose own line buffer would be flushed at exit whatever happened.
    Stream(BufWriter<File>),
    File {
        temporary: BufWriter<NamedTempFile>,
        target: PathBuf,
        /// Removes the temporary file at ends that drop nothing.
        unfinished: Option<Unfinished>,
    },
    /// Has a name while it is written, and stays when the program is stopped.
    Partial { file: BufWriter<File>, partial: PathBuf, target: PathBuf },
}

/// A file argument that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputPath(PathBuf);

impl From<OsString> for OutputPath {
    fn from(name: OsString) -> OutputPath {
        OutputPath(name.into())
    }
}

impl From<PathBuf> for OutputPath {
    fn from(path: PathBuf) -> OutputPath {
        OutputPath(path)
    }
}

impl Deref for OutputPath {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

const BUFFER: usize = 1 << 18;

impl Job {
    /// Text on stdout, or the file. A folder that does not exist is an error now, not after the work.
    pub fn text_output(&self, path: Option<&Path>) -> Result<Output> {
        Output::text(path)
    }

    /// Like [`Job::text_output`] for bytes no terminal should show.
    pub fn binary_output(&self, path: Option<&Path>) -> Result<Output> {
        Output::binary(path)
    }

    /// A file that is written as [`Output::partial_of`] its name and stays there when the program is stopped, so that a
    /// later run can go on behind its first `keep` bytes.
    pub fn resumable_output(&self, target: &Path, keep: u64) -> Result<Output> {
        Output::resumable(target, keep)
    }
}

impl Output {
    /// Text on stdout, or the file. A folder that does not exist is an error now, not after the work.
    pub fn text(path: Option<&Path>) -> Result<Output> {
        let Some(target) = path.filter(|p| *p != Path::new("-")) else {
            let stdout = BufWriter::with_capacity(BUFFER, standard_streams::stdout()?);
            return Ok(Output { sink: Some(Sink::Stream(stdout)) });
        };
        if target.is_dir() {
            bail!("{}: is a folder; expected a file name", target.display());
        }
        // A device or a named pipe is written to, never replaced by a file of its name.
        if target.exists() && !target.is_file() {
            let device = File::options().write(true).open(target).with_context(|| target.display().to_string())?;
            return Ok(Output { sink: Some(Sink::Stream(BufWriter::with_capacity(BUFFER, device))) });
        }
        // What a link points to is replaced, not the link.
        let resolved = target.canonicalize().ok().filter(|_| target.is_symlink());
        let target = resolved.as_deref().unwrap_or(target);
        let folder = match target.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
        if !folder.exists() {
            bail!("{}: there is no folder {}; make it first", target.display(), folder.display());
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".catsel-").suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Readable as any other new file would be (the umask still applies).
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let temporary = builder
            .tempfile_in(folder)
            .with_context(|| format!("{}: cannot be written in folder {}", target.display(), folder.display()))?;
        let unfinished = Unfinished::new(temporary.path());
        let temporary = BufWriter::with_capacity(BUFFER, temporary);
        Ok(Output { sink: Some(Sink::File { temporary, target: target.to_path_buf(), unfinished }) })
    }

    /// Like [`Output::text`] for bytes no terminal should show.
    pub fn binary(path: Option<&Path>) -> Result<Output> {
        if path.is_none() && io::stdout().is_terminal() {
            bail!("stdout: is a terminal and the output is a .npy array; use -o FILE or a pipe");
        }
        Output::text(path)
    }

    /// A file that is written as [`Output::partial_of`] its name and stays there when the program is stopped, so that a
    /// later run can go on behind its first `keep` bytes.
    pub fn resumable(target: &Path, keep: u64) -> Result<Output> {
        let partial = Output::partial_of(target);
        let name = || partial.display().to_string();
        let mut file = File::options().create(true).truncate(false).write(true).open(&partial).with_context(name)?;
        file.set_len(keep).with_context(name)?;
        file.seek(SeekFrom::End(0)).with_context(name)?;
        let file = BufWriter::with_capacity(BUFFER, file);
        Ok(Output { sink: Some(Sink::Partial { file, partial, target: target.to_path_buf() }) })
    }

    /// Where [`Output::resumable`] keeps what it has: `FILE.partial`.
    pub fn partial_of(target: &Path) -> PathBuf {
        with_ending(target, ".partial")
    }

    /// Writes out what is in the buffer and gives the number of bytes that a resumable file then has.
    pub fn settled(&mut self) -> Result<u64> {
        self.flush()?;
        match &self.sink {
            Some(Sink::Partial { file, partial, .. }) => {
                Ok(file.get_ref().metadata().with_context(|| partial.display().to_string())?.len())
            }
            _ => bail!("only a resumable output has a place to go on from"),
        }
    }

    /// Flushes; a file gets its name, and beside it the sidecar `stem.json`.
    pub fn commit(mut self, job: &Job) -> Result<()> {
        match self.sink.take() {
            None => Ok(()),
            Some(Sink::Stream(mut out)) => {
                let flushed = out.flush();
                let _ = out.into_parts();
                flushed.context("output")
            }
            Some(Sink::File { temporary, target, unfinished }) => {
                with_sidecar(job, &target, || persist(temporary, &target, unfinished))
            }
            Some(Sink::Partial { mut file, partial, target }) => with_sidecar(job, &target, || {
                let name = || target.display().to_string();
                file.flush().with_context(name)?;
                std::fs::rename(&partial, &target).with_context(name)
            }),
        }
    }

    fn sink(&mut self) -> io::Result<&mut dyn Write> {
        match &mut self.sink {
            Some(Sink::Stream(out)) => Ok(out),
            Some(Sink::File { temporary, .. }) => Ok(temporary),
            Some(Sink::Partial { file, .. }) => Ok(file),
            None => Err(io::Error::other("written to after it was committed")),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(Sink::Stream(out)) = self.sink.take() {
            let _ = out.into_parts();
        }
    }
}

/// Gives `target` its name by `persist`, and its sidecar.
fn with_sidecar(job: &Job, target: &Path, persist_target: impl FnOnce() -> Result<()>) -> Result<()> {
    let sidecar_path = sidecar_to_write(target);
    let mut side = Output::text(Some(&sidecar_path))?;
    let record = job.provenance(&file_name(target))?;
    writeln!(side, "{}", serde_json::to_string_pretty(&record)?).with_context(|| sidecar_path.display().to_string())?;
    persist_target()?;
    match side.sink.take() {
        Some(Sink::File { temporary, target, unfinished }) => persist(temporary, &target, unfinished),
        _ => Ok(()),
    }
}

fn persist(temporary: BufWriter<NamedTempFile>, target: &Path, unfinished: Option<Unfinished>) -> Result<()> {
    let name = || target.display().to_string();
    let file = temporary.into_inner().map_err(io::IntoInnerError::into_error).with_context(name)?;
    file.persist(target).map_err(|e| e.error).with_context(name)?;
    drop(unfinished);
    Ok(())
}

/// `a/x.npy` and `a/x.nii.gz` have their sidecar in `a/x.json`, as BIDS does.
fn stem_sidecar(target: &Path) -> PathBuf {
    match target.extension() {
        Some(e) if e == "gz" => target.with_extension("").with_extension("json"),
        // An output that is itself JSON must not be its own sidecar.
        Some(e) if e == "json" => full_sidecar(target),
        _ => target.with_extension("json"),
    }
}

/// `a/x.csv` has it in `a/x.csv.json` where `a/x.json` speaks of another file of the same stem.
fn full_sidecar(target: &Path) -> PathBuf {
    with_ending(target, ".json")
}

/// Byte for byte: a file name need not be UTF-8.
fn with_ending(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.as_os_str().to_os_string();
    name.push(ending);
    PathBuf::from(name)
}

/// As a sidecar spells it.
fn file_name(target: &Path) -> String {
    target.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a sidecar says, if there is one and it is ours.
fn read_sidecar(path: &Path) -> Option<serde_json::Value> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

fn sidecar_to_write(target: &Path) -> PathBuf {
    let stem = stem_sidecar(target);
    // The record of another file that is still there must survive: shards are proved complete by it.
    let other = read_sidecar(&stem).and_then(|side| side["output"].as_str().map(String::from));
    let taken = other.is_some_and(|name| name != file_name(target) && is_there(target, &name));
    if taken { full_sidecar(target) } else { stem }
}

/// Whether a file stands beside `target` that a sidecar would call `name`.
fn is_there(target: &Path, name: &str) -> bool {
    if !name.contains(char::REPLACEMENT_CHARACTER) {
        return target.with_file_name(name).exists();
    }
    // Perhaps a name that is not UTF-8, which JSON cannot hold as it is.
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let spelled = |entry: &OsString| entry.to_string_lossy() == name;
    std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(|entry| spelled(&entry.file_name())))
}

/// The record of how this file was made, wherever it stands.
pub fn sidecar_of(target: &Path) -> Option<serde_json::Value> {
    [full_sidecar(target), stem_sidecar(target)]
        .iter()
        .filter_map(|path| read_sidecar(path))
        .find(|side| side["output"] == file_name(target).as_str())
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.sink()?.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink()?.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Common, Job};

    #[test]
    fn sidecars_share_the_stem() {
        for (target, side) in
            [("a/x.npy", "a/x.json"), ("x.nii.gz", "x.json"), ("x", "x.json"), ("x.json", "x.json.json")]
        {
            assert_eq!(stem_sidecar(Path::new(target)), Path::new(side));
        }
    }

    #[test]
    fn two_outputs_of_one_stem_keep_both_records() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, fact: i32| {
            let path = dir.path().join(name);
            let job =
                Job::start("test", &Common { output: Some(path.clone().into()), threads: None, quiet: true }).unwrap();
            job.record("fact", fact);
            Output::text(Some(&path)).unwrap().commit(&job).unwrap();
            path
        };
        let (npy, csv) = (write("net.npy", 1), write("net.csv", 2));
        for (path, fact) in [(&npy, 1), (&csv, 2)] {
            assert_eq!(sidecar_of(path).unwrap()["fact"], fact);
        }
        assert!(dir.path().join("net.json").exists() && dir.path().join("net.csv.json").exists());
        // Made again, each replaces its own.
        write("net.npy", 3);
        write("net.csv", 4);
        assert_eq!((&sidecar_of(&npy).unwrap()["fact"], &sidecar_of(&csv).unwrap()["fact"]), (&3.into(), &4.into()));
        // The first gone, its stem is free.
        std::fs::remove_file(&npy).unwrap();
        write("net.csv", 5);
        assert!(read_sidecar(&dir.path().join("net.json")).unwrap()["fact"] == 5);
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("t.csv");
        let names = || std::fs::read_dir(dir.path()).unwrap().count();
        let mut dropped = Output::text(Some(&target)).unwrap();
        dropped.write_all(b"half").unwrap();
        drop(dropped);
        assert_eq!(names(), 0);
        let common = Common { output: Some(target.clone().into()), threads: None, quiet: true };
        let job = Job::start("test", &common).unwrap();
        job.record("seed", 3);
        let mut out = Output::text(Some(&target)).unwrap();
        out.write_all(b"whole\n").unwrap();
        assert!(!target.exists());
        out.commit(&job).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "whole\n");
        let side: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(dir.path().join("t.json")).unwrap()).unwrap();
        assert_eq!((&side["tool"], &side["seed"]), (&"test".into(), &3.into()));
        assert_eq!(names(), 2);
    }

    #[test]
    fn a_resumable_file_goes_on_where_it_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x.npy");
        let mut first = Output::resumable(&target, 0).unwrap();
        first.write_all(b"0123").unwrap();
        assert_eq!(first.settled().unwrap(), 4);
        first.write_all(b"half a row").unwrap();
        drop(first);
        assert!(!target.exists() && Output::partial_of(&target).exists());
        let mut second = Output::resumable(&target, 4).unwrap();
        second.write_all(b"45").unwrap();
        let common = Common { output: Some(target.clone().into()), threads: None, quiet: true };
        second.commit(&Job::start("test", &common).unwrap()).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"012345");
        assert!(!Output::partial_of(&target).exists() && sidecar_of(&target).is_some());
    }

    #[test]
    fn a_device_is_written_to_and_a_link_is_kept() {
        let job = Job::start("test", &Common { output: Some(PathBuf::from("x").into()), threads: None, quiet: true })
            .unwrap();
        let mut null = Output::text(Some(Path::new("/dev/null"))).unwrap();
        null.write_all(b"x").unwrap();
        null.commit(&job).unwrap();
        assert!(!Path::new("/dev/null").is_file());
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.csv"), dir.path().join("link.csv"));
        std::fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut out = Output::text(Some(&link)).unwrap();
        out.write_all(b"new").unwrap();
        out.commit(&job).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
    }

    #[test]
    fn a_missing_folder_is_named_at_once() {
        let error = Output::text(Some(Path::new("/no/such/folder/x.npy"))).err().unwrap();
        assert!(format!("{error:#}").contains("/no/such/folder"));
    }
}
