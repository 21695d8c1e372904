//! Where results go: stdout, or a file that appears whole.

use crate::Job;
use anyhow::{Context, Result, bail};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A sink for the result. Nothing is there before [`Output::commit`]: a file is renamed into place then, and an
/// output that is dropped before leaves nothing behind.
pub struct Output {
    sink: Sink,
}

enum Sink {
    Stdout(BufWriter<io::Stdout>),
    File { temporary: BufWriter<NamedTempFile>, target: PathBuf },
}

const BUFFER: usize = 1 << 18;

impl Output {
    /// Text on stdout, or the file. A folder that does not exist is an error now, not after the work.
    pub fn text(path: Option<&Path>) -> Result<Output> {
        let Some(target) = path else {
            return Ok(Output { sink: Sink::Stdout(BufWriter::with_capacity(BUFFER, io::stdout())) });
        };
        if target.is_dir() {
            bail!("{}: is a folder; expected a file name", target.display());
        }
        let folder = match target.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
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
        let temporary = BufWriter::with_capacity(BUFFER, temporary);
        Ok(Output { sink: Sink::File { temporary, target: target.to_path_buf() } })
    }

    /// Like [`Output::text`] for bytes no terminal should show.
    pub fn binary(path: Option<&Path>) -> Result<Output> {
        if path.is_none() && io::stdout().is_terminal() {
            bail!("stdout: is a terminal and the output is a .npy array; use -o FILE or a pipe");
        }
        Output::text(path)
    }

    /// Flushes; a file gets its name, and beside it the sidecar `stem.json`.
    pub fn commit(self, job: &Job) -> Result<()> {
        match self.sink {
            Sink::Stdout(mut out) => out.flush().context("stdout"),
            Sink::File { temporary, target } => {
                let name = || target.display().to_string();
                let file = temporary.into_inner().map_err(io::IntoInnerError::into_error).with_context(name)?;
                let sidecar_path = sidecar(&target);
                let mut side = Output::text(Some(&sidecar_path))?;
                writeln!(side, "{}", serde_json::to_string_pretty(&job.provenance()?)?).with_context(name)?;
                file.persist(&target).map_err(|e| e.error).with_context(name)?;
                side.persist_plain()
            }
        }
    }

    fn persist_plain(self) -> Result<()> {
        let Sink::File { temporary, target } = self.sink else { return Ok(()) };
        let name = || target.display().to_string();
        let file = temporary.into_inner().map_err(io::IntoInnerError::into_error).with_context(name)?;
        file.persist(&target).map_err(|e| e.error).with_context(name)?;
        Ok(())
    }
}

/// `a/x.npy` and `a/x.nii.gz` have their sidecar in `a/x.json`, as BIDS does.
pub(crate) fn sidecar(target: &Path) -> PathBuf {
    let plain = match target.extension() {
        Some(e) if e == "gz" => target.with_extension(""),
        Some(e) if e == "json" => return target.with_extension("json.json"),
        _ => target.to_path_buf(),
    };
    plain.with_extension("json")
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Stdout(out) => out.write(buf),
            Sink::File { temporary, .. } => temporary.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Stdout(out) => out.flush(),
            Sink::File { temporary, .. } => temporary.flush(),
        }
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
            assert_eq!(sidecar(Path::new(target)), Path::new(side));
        }
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
        let common = Common { output: Some(target.clone()), threads: None, quiet: true };
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
    fn a_missing_folder_is_named_at_once() {
        let error = Output::text(Some(Path::new("/no/such/folder/x.npy"))).err().unwrap();
        assert!(format!("{error:#}").contains("/no/such/folder"));
    }
}
