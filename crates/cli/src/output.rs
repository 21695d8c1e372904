//! Where results go: stdout, or a file that appears whole.

use crate::claims::{folder_of, place};
use crate::last_words::Unfinished;
use crate::sidecar::{self, OUTPUT_SHA256, file_name, hex, with_ending};
use crate::standard_streams::is_stdout;
use crate::{Job, standard_streams};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, BufWriter, IsTerminal, Seek, SeekFrom, Write};
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
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
        temporary: BufWriter<Hashed>,
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

/// A folder argument in which files are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFolder(PathBuf);

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

impl From<OsString> for OutputFolder {
    fn from(name: OsString) -> OutputFolder {
        OutputFolder(name.into())
    }
}

impl Deref for OutputFolder {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

impl OutputFolder {
    /// Makes the folder, and those that it is in, if it is not there. Errors: a file has that name; no permission.
    pub fn make(&self) -> Result<()> {
        let name = self.display();
        match std::fs::create_dir_all(&**self) {
            Err(_) if self.exists() && !self.is_dir() => {
                bail!("{name}: is a file, where a folder is needed; give the folder another name")
            }
            made => made.with_context(|| format!("{name}: cannot be made")),
        }
    }
}

const BUFFER: usize = 1 << 18;

impl Job {
    /// Text on stdout, or the file. What cannot be is an error now, not after the work: a folder that does not exist, a
    /// file that this job reads or writes already, a second output on stdout, a name whose record has no place.
    pub fn text_output(&self, path: Option<&Path>) -> Result<Output> {
        let path = path.unwrap_or(Path::new("-"));
        if path == Path::new("-") {
            self.claim_stdout()?;
            let stdout = BufWriter::with_capacity(BUFFER, standard_streams::stdout()?);
            return Ok(Output { sink: Some(Sink::Stream(stdout)) });
        }
        if path.is_dir() {
            bail!("{}: is a folder; expected a file name", path.display());
        }
        self.claim_output(path)?;
        if let Some(opened) = standard_streams::descriptor(path) {
            if is_stdout(path) {
                self.claim_stdout()?;
            }
            let opened = opened.with_context(|| path.display().to_string())?;
            return Ok(Output { sink: Some(Sink::Stream(BufWriter::with_capacity(BUFFER, opened))) });
        }
        self.require_ours_in_folder(path)?;
        // A device or a named pipe is written to, never replaced by a file of its name.
        if path.exists() && !path.is_file() {
            if is_stdout(path) {
                self.claim_stdout()?;
            }
            let device = File::options().write(true).open(path).with_context(|| path.display().to_string())?;
            return Ok(Output { sink: Some(Sink::Stream(BufWriter::with_capacity(BUFFER, device))) });
        }
        // What a link points to is replaced, not the link.
        let target = if path.is_symlink() { place(path) } else { path.to_path_buf() };
        if !folder_of(&target).exists() {
            bail!("{}: there is no folder {}; make it first", path.display(), folder_of(&target).display());
        }
        sidecar::place_for(&target)?;
        let (temporary, unfinished) = temporary_beside(&target)?;
        Ok(Output { sink: Some(Sink::File { temporary, target, unfinished }) })
    }

    /// Like [`Job::text_output`] for bytes no terminal should show.
    pub fn binary_output(&self, path: Option<&Path>) -> Result<Output> {
        if path.is_none() && io::stdout().is_terminal() {
            bail!("stdout: is a terminal and the output is a .npy array; use -o FILE or a pipe");
        }
        self.text_output(path)
    }

    /// A file that is written as [`Output::partial_of`] its name and stays there when the program is stopped, so that a
    /// later run can go on behind its first `keep` bytes. An error where another job is writing it.
    pub fn resumable_output(&self, target: &Path, keep: u64) -> Result<Output> {
        self.claim_output(target)?;
        sidecar::place_for(target)?;
        let partial = Output::partial_of(target);
        let name = || partial.display().to_string();
        let mut file = File::options().create(true).truncate(false).write(true).open(&partial).with_context(name)?;
        // Where the file system has no locks there is nothing to be known.
        if let Err(std::fs::TryLockError::WouldBlock) = file.try_lock() {
            bail!("{}: another job is writing it; wait for that one, or choose another name", partial.display());
        }
        file.set_len(keep).with_context(name)?;
        file.seek(SeekFrom::End(0)).with_context(name)?;
        let file = BufWriter::with_capacity(BUFFER, file);
        Ok(Output { sink: Some(Sink::Partial { file, partial, target: target.to_path_buf() }) })
    }
}

impl Output {
    /// Where [`Job::resumable_output`] keeps what it has: `FILE.partial`.
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

    /// Flushes; a file gets its name, and beside it its sidecar. An error where an input has changed since it was
    /// opened.
    pub fn commit(mut self, job: &Job) -> Result<()> {
        match self.sink.take() {
            None => Ok(()),
            Some(Sink::Stream(mut out)) => {
                let flushed = out.flush();
                let _ = out.into_parts();
                flushed.context("output")?;
                job.require_unchanged_inputs()
            }
            Some(Sink::File { temporary, target, unfinished }) => {
                let name = || target.display().to_string();
                let hashed = temporary.into_inner().map_err(io::IntoInnerError::into_error).with_context(name)?;
                hashed.file.as_file().sync_data().with_context(name)?;
                let digest = hex(&hashed.digest.finalize());
                publish(job, &target, &digest, || hashed.file.persist(&target).map(drop).map_err(|error| error.error))?;
                drop(unfinished);
                Ok(())
            }
            Some(Sink::Partial { mut file, partial, target }) => {
                let name = || partial.display().to_string();
                file.flush().with_context(name)?;
                file.get_ref().sync_data().with_context(name)?;
                let (digest, _) = sidecar::sha256(File::open(&partial).with_context(name)?).with_context(name)?;
                publish(job, &target, &digest, || std::fs::rename(&partial, &target))
            }
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

/// Gives a file that is complete under another name its own by `rename`, and its record.
///
/// The record is complete before. A job that is killed at any moment leaves the old file with the old record, a file
/// without a record, or the new file with the new one; two jobs that write one file do so one after the other.
fn publish(job: &Job, target: &Path, digest: &str, rename: impl FnOnce() -> io::Result<()>) -> Result<()> {
    let name = || target.display().to_string();
    let mut record = job.provenance(&file_name(target))?;
    record.insert(OUTPUT_SHA256.into(), digest.into());
    let folder = File::open(folder_of(target)).with_context(name)?;
    // Not every file system has locks; without them each rename is still whole.
    let _ = folder.lock();
    let beside = sidecar::place_for(target)?;
    let (mut temporary, unfinished) = temporary_beside(&beside)?;
    let text = serde_json::to_string_pretty(&record)?;
    let beside_name = || beside.display().to_string();
    writeln!(temporary, "{text}").with_context(beside_name)?;
    let hashed = temporary.into_inner().map_err(io::IntoInnerError::into_error).with_context(beside_name)?;
    hashed.file.as_file().sync_data().with_context(beside_name)?;
    sidecar::remove_records(target).with_context(name)?;
    rename().with_context(name)?;
    hashed.file.persist(&beside).map_err(|error| error.error).with_context(beside_name)?;
    drop(unfinished);
    Ok(())
}

/// A file without a name of its own yet, in the folder of `target`, with the mode that `target` has or would have.
fn temporary_beside(target: &Path) -> Result<(BufWriter<Hashed>, Option<Unfinished>)> {
    let folder = folder_of(target);
    let context = || format!("{}: cannot be written in folder {}", target.display(), folder.display());
    let mut builder = tempfile::Builder::new();
    // Readable as any other new file would be (the umask still applies).
    builder.prefix(".catsel-").suffix(".tmp").permissions(Permissions::from_mode(0o666));
    let file = builder.tempfile_in(folder).with_context(context)?;
    let unfinished = Unfinished::new(file.path());
    if let Ok(old) = target.metadata() {
        let mode = Permissions::from_mode(old.permissions().mode() & 0o777);
        file.as_file().set_permissions(mode).with_context(context)?;
    }
    Ok((BufWriter::with_capacity(BUFFER, Hashed { file, digest: Sha256::new() }), unfinished))
}

/// A temporary file and the digest of what was written to it.
struct Hashed {
    file: NamedTempFile,
    digest: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.digest.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
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
    use crate::{Common, Job, sidecar_of};

    fn job_to(target: &Path) -> Job {
        let output = Some(target.to_path_buf().into());
        Job::start("test", &Common { output, threads: None, quiet: true }).unwrap()
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("t.csv");
        let names = || std::fs::read_dir(dir.path()).unwrap().count();
        let mut dropped = job_to(&target).text_output(Some(&target)).unwrap();
        dropped.write_all(b"half").unwrap();
        drop(dropped);
        assert_eq!(names(), 0);
        let job = job_to(&target);
        job.record("seed", 3);
        let mut out = job.text_output(Some(&target)).unwrap();
        out.write_all(b"whole\n").unwrap();
        assert!(!target.exists());
        out.commit(&job).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "whole\n");
        let side: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(dir.path().join("t.json")).unwrap()).unwrap();
        assert_eq!((&side["tool"], &side["seed"]), (&"test".into(), &3.into()));
        // printf 'whole\n' | sha256sum
        assert_eq!(side[OUTPUT_SHA256], "3661291e28107bb940142d346bdb3a86da68415ae7fe451374d403c6037b9fa5");
        assert!(sidecar_of(&target).is_some());
        assert_eq!(names(), 2);
    }

    #[test]
    fn the_mode_of_the_old_file_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("t.csv");
        std::fs::write(&target, "old").unwrap();
        for mode in [0o640, 0o600, 0o664] {
            std::fs::set_permissions(&target, Permissions::from_mode(mode)).unwrap();
            let job = job_to(&target);
            job.text_output(Some(&target)).unwrap().commit(&job).unwrap();
            assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, mode);
        }
    }

    #[test]
    fn a_job_writes_each_file_once() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("t.csv");
        let job = job_to(&target);
        let _first = job.text_output(Some(&target)).unwrap();
        let around = dir.path().join("../").join(dir.path().file_name().unwrap()).join("t.csv");
        let error = job.text_output(Some(&around)).err().unwrap().to_string();
        assert!(error.contains("already"), "{error}");
        let _stdout = job.text_output(None).unwrap();
        assert!(job.text_output(Some(Path::new("-"))).is_err());
    }

    #[test]
    fn a_resumable_file_goes_on_where_it_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x.npy");
        let mut first = job_to(&target).resumable_output(&target, 0).unwrap();
        first.write_all(b"0123").unwrap();
        assert_eq!(first.settled().unwrap(), 4);
        let error = job_to(&target).resumable_output(&target, 0).err().unwrap().to_string();
        assert!(error.contains("another job"), "{error}");
        first.write_all(b"half a row").unwrap();
        drop(first);
        assert!(!target.exists() && Output::partial_of(&target).exists());
        let job = job_to(&target);
        let mut second = job.resumable_output(&target, 4).unwrap();
        second.write_all(b"45").unwrap();
        second.commit(&job).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"012345");
        assert!(!Output::partial_of(&target).exists() && sidecar_of(&target).is_some());
    }

    #[test]
    fn a_device_is_written_to_and_a_link_is_kept() {
        let job = job_to(Path::new("x"));
        let mut null = job.text_output(Some(Path::new("/dev/null"))).unwrap();
        null.write_all(b"x").unwrap();
        null.commit(&job).unwrap();
        assert!(!Path::new("/dev/null").is_file());
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.csv"), dir.path().join("link.csv"));
        std::os::unix::fs::symlink("real.csv", &link).unwrap();
        for text in ["new", "newer"] {
            let job = job_to(&link);
            let mut out = job.text_output(Some(&link)).unwrap();
            out.write_all(text.as_bytes()).unwrap();
            out.commit(&job).unwrap();
            assert!(link.is_symlink());
            assert_eq!(std::fs::read_to_string(&real).unwrap(), text);
        }
    }

    #[test]
    fn a_missing_folder_is_named_at_once() {
        let target = Path::new("/no/such/folder/x.npy");
        let error = job_to(target).text_output(Some(target)).err().unwrap();
        assert!(format!("{error:#}").contains("/no/such/folder"));
    }
}
