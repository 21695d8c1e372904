//! The list of stimuli: which pictures, in which order, under which ids.

use crate::pictures::EXTENSIONS;
use anyhow::{Context, Result, bail, ensure};
use cli::{Input, Job};
use foreign_formats::Wanted;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use stimulus_table::{StimulusTable, is_missing};

/// One picture to show to the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stimulus {
    /// Its id, the label of its row.
    pub id: String,
    /// Its file.
    pub path: PathBuf,
    /// What the table's column `category` (else `domain`) says of it, or the folder it lies in below the one given.
    pub category: Option<String>,
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
        [folder] if folder.is_dir() => from_folder(job, folder)?,
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
    let not_utf8: Vec<&Stimulus> = stimuli.iter().filter(|stimulus| stimulus.path.to_str().is_none()).collect();
    if let Some(first) = not_utf8.first() {
        job.note(format_args!(
            "{} of {} paths are not UTF-8; such bytes stand as \\xNN in the ids, as in {}",
            not_utf8.len(),
            stimuli.len(),
            first.id
        ));
    }
    let missing: Vec<&Stimulus> = stimuli.iter().filter(|stimulus| !stimulus.path.is_file()).collect();
    if let Some(first) = missing.first() {
        bail!("{}: no such picture ({} of {} are missing)", first.path.display(), missing.len(), stimuli.len());
    }
    stimuli.iter().try_for_each(|stimulus| job.require_unwritten(&stimulus.path))?;
    Ok(stimuli)
}

fn is_table(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_ascii_lowercase());
    extension.is_some_and(|e| e == "csv" || e == "tsv")
}

fn from_table(job: &Job, path: &Path) -> Result<Vec<Stimulus>> {
    let name = || path.display().to_string();
    let mut bytes = Vec::new();
    job.open(&Input::File(path.to_path_buf()))?.reader().read_to_end(&mut bytes).with_context(name)?;
    if let Some(refusal) = foreign_formats::refusal(&bytes, Wanted::Table) {
        bail!("{}: {refusal}", path.display());
    }
    let table = StimulusTable::read(bytes.as_slice()).with_context(name)?;
    let paths = table.paths(path.parent().unwrap_or(Path::new(""))).with_context(name)?;
    let column = ["category", "domain"].into_iter().find_map(|name| table.column(name).ok());
    let category = |row: usize| column.map(|cells| cells[row].clone()).filter(|cell| !is_missing(cell));
    let ids = table.ids().iter().zip(paths).enumerate();
    Ok(ids.map(|(row, (id, path))| Stimulus { id: id.clone(), path, category: category(row) }).collect())
}

/// Every picture below a folder, each real folder looked at once.
fn from_folder(job: &Job, folder: &Path) -> Result<Vec<Stimulus>> {
    let mut search = Search::default();
    search.visit(folder)?;
    search.follow_links()?;
    let mut stimuli = search
        .pictures
        .into_iter()
        .map(|path| {
            let below = path.strip_prefix(folder)?;
            let category = below.parent().filter(|parent| !parent.as_os_str().is_empty()).map(id_of);
            Ok(Stimulus { id: id_of(below), category, path })
        })
        .collect::<Result<Vec<_>>>()?;
    stimuli.sort_by(|a, b| a.id.as_bytes().cmp(b.id.as_bytes()));
    ensure!(
        !stimuli.is_empty(),
        "{}: no picture in this folder (looked for .{})",
        folder.display(),
        EXTENSIONS.join(" .")
    );
    let shown = folder.display();
    job.note(format_args!("{shown}: {} pictures, sorted by path", stimuli.len()));
    search.left_out.sort();
    if let Some(first) = search.left_out.first() {
        job.warn(format_args!(
            "{shown}: {} links lead to folders that were searched already and were not followed again; the first: {}",
            search.left_out.len(),
            first.display()
        ));
    }
    if !search.others.is_empty() {
        let kinds: Vec<String> = search.others.iter().map(|(ending, n)| format!("{ending} {n}")).collect();
        job.note(format_args!("{shown}: other files left out, by their ending: {}", kinds.join(", ")));
    }
    Ok(stimuli)
}

/// A search for pictures through folders.
///
/// Folders that are really there come before those that links lead to, so that a picture that can be reached in
/// several ways has the name of its own place. Links to files are names like any other: the file counts under each.
#[derive(Default)]
struct Search {
    pictures: Vec<PathBuf>,
    /// Folders that were searched, by their real paths.
    visited: HashSet<PathBuf>,
    /// Links to folders that are still to be followed.
    links: Vec<PathBuf>,
    /// Links to folders that had been searched.
    left_out: Vec<PathBuf>,
    /// Files with other endings, counted by these.
    others: BTreeMap<String, usize>,
}

impl Search {
    /// Looks at a folder and those below it that are no links, unless that was done.
    fn visit(&mut self, folder: &Path) -> Result<()> {
        let name = || folder.display().to_string();
        if !self.visited.insert(fs::canonicalize(folder).with_context(name)?) {
            return Ok(());
        }
        for entry in fs::read_dir(folder).with_context(name)? {
            let path = entry.with_context(name)?.path();
            let hidden = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."));
            if hidden {
                continue;
            }
            match (path.is_dir(), path.is_symlink()) {
                (true, true) => self.links.push(path),
                (true, false) => self.visit(&path)?,
                (false, _) if is_picture(&path) => self.pictures.push(path),
                (false, _) => {
                    let ending = path.extension().map_or("none".into(), |e| format!(".{}", e.to_string_lossy()));
                    *self.others.entry(ending.to_lowercase()).or_default() += 1;
                }
            }
        }
        Ok(())
    }

    /// Follows the links in the order of their paths, and those that are found behind them after them.
    fn follow_links(&mut self) -> Result<()> {
        while !self.links.is_empty() {
            let mut links = std::mem::take(&mut self.links);
            links.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
            for link in links {
                let real = fs::canonicalize(&link).with_context(|| link.display().to_string())?;
                match self.visited.contains(&real) {
                    true => self.left_out.push(link),
                    false => self.visit(&link)?,
                }
            }
        }
        Ok(())
    }
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
    Ok(Stimulus { id: id_of(&path), path, category: None })
}

/// A path as text. Bytes that are not UTF-8 are written `\xNN`: a row's label is text, and two files must stay two.
fn id_of(path: &Path) -> String {
    let mut id = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        id.push_str(chunk.valid());
        id.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    id
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
