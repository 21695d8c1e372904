//! The list of stimuli: which pictures, in which order, under which ids.

use crate::picture::EXTENSIONS;
use anyhow::{Context, Result, bail, ensure};
use cli::{Input, Job};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use stimulus_table::StimulusTable;

/// One picture to show to the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stimulus {
    /// Its id, the label of its row.
    pub id: String,
    /// Its file.
    pub path: PathBuf,
}

/// The stimuli that the arguments name, in order, every file of them there.
///
/// One argument may be a stimulus table (`.csv`, `.tsv`), a folder or `-` (paths on stdin, one a
/// line, or NUL-separated); several are files. Ids are the table's, the path below the folder, or
/// the path as written.
pub fn list(job: &Job, arguments: &[PathBuf], nul: bool) -> Result<Vec<Stimulus>> {
    let stimuli = match arguments {
        [dash] if dash.as_os_str() == "-" => from_paths(job.open(&Input::Stdin)?.reader(), nul)?,
        [table] if is_table(table) => from_table(job, table)?,
        [folder] if folder.is_dir() => {
            let stimuli = from_folder(folder)?;
            job.note(format_args!("{}: {} pictures, sorted by path", folder.display(), stimuli.len()));
            stimuli
        }
        files => {
            for file in files {
                ensure!(file.as_os_str() != "-", "-: cannot stand among files; give - alone");
                let shown = file.display();
                ensure!(!is_table(file), "{shown}: a stimulus table cannot stand among files; give it alone");
                ensure!(!file.is_dir(), "{shown}: a folder cannot stand among files; give it alone");
            }
            files.iter().map(|file| as_written(file.clone())).collect::<Result<_>>()?
        }
    };
    ensure!(!stimuli.is_empty(), "no pictures given");
    let missing: Vec<&Stimulus> = stimuli.iter().filter(|stimulus| !stimulus.path.is_file()).collect();
    if let Some(first) = missing.first() {
        bail!("{}: no such picture ({} of {} are missing)", first.path.display(), missing.len(), stimuli.len());
    }
    Ok(stimuli)
}

fn is_table(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_ascii_lowercase());
    extension.is_some_and(|e| e == "csv" || e == "tsv")
}

fn from_table(job: &Job, path: &Path) -> Result<Vec<Stimulus>> {
    let name = || path.display().to_string();
    let table = StimulusTable::read(job.open(&Input::File(path.to_path_buf()))?.reader()).with_context(name)?;
    let paths = table.paths(path.parent().unwrap_or(Path::new(""))).with_context(name)?;
    Ok(table.ids().iter().zip(paths).map(|(id, path)| Stimulus { id: id.clone(), path }).collect())
}

fn from_folder(folder: &Path) -> Result<Vec<Stimulus>> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    let mut stimuli = files
        .into_iter()
        .map(|path| Ok(Stimulus { id: id_of(path.strip_prefix(folder)?)?, path }))
        .collect::<Result<Vec<_>>>()?;
    stimuli.sort_by(|a, b| a.id.as_bytes().cmp(b.id.as_bytes()));
    ensure!(
        !stimuli.is_empty(),
        "{}: no picture in this folder (looked for .{})",
        folder.display(),
        EXTENSIONS.join(" .")
    );
    Ok(stimuli)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let name = || folder.display().to_string();
    for entry in fs::read_dir(folder).with_context(name)? {
        let path = entry.with_context(name)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else if is_picture(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

fn from_paths(mut stdin: impl Read, nul: bool) -> Result<Vec<Stimulus>> {
    let mut bytes = Vec::new();
    stdin.read_to_end(&mut bytes).context("stdin")?;
    let separator = if nul { 0 } else { b'\n' };
    bytes
        .split(|&byte| byte == separator)
        .map(|line| if nul { line } else { line.strip_suffix(b"\r").unwrap_or(line) })
        .filter(|line| !line.is_empty())
        .map(|line| as_written(PathBuf::from(OsString::from_vec(line.to_vec()))))
        .collect()
}

fn as_written(path: PathBuf) -> Result<Stimulus> {
    Ok(Stimulus { id: id_of(&path)?, path })
}

fn id_of(path: &Path) -> Result<String> {
    match path.to_str() {
        Some(text) => Ok(text.to_string()),
        None => bail!("{}: this name is not UTF-8 and cannot label a row; rename it", path.display()),
    }
}

/// One SHA-256 over all pictures: of the text that `sha256sum` would print for them with ids as names.
#[derive(Default)]
pub struct PicturesDigest(Sha256);

impl PicturesDigest {
    /// Adds the next picture, whose contents have the digest `contents` (hexadecimal).
    pub fn add(&mut self, contents: &str, id: &str) {
        self.0.update(contents);
        self.0.update(b"  ");
        self.0.update(id.as_bytes());
        self.0.update(b"\n");
    }

    /// The digest in hexadecimal.
    pub fn finish(self) -> String {
        digest_text(&self.0.finalize().into())
    }
}

/// A SHA-256 in hexadecimal.
pub fn digest_text(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
