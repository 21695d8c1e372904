//! What a folder of results holds.

use anyhow::{Context, Result, bail};
use cli::{Input, Job};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use stimulus_table::Table;

/// Figures, tables and records, each in the order of their paths.
pub(super) struct Folder {
    root: PathBuf,
    pub(super) figures: Vec<Figure>,
    pub(super) tables: Vec<NamedTable>,
    /// Tables of subfolders, and those that could not be read, with the reason.
    pub(super) linked: Vec<(Place, String)>,
    pub(super) records: Vec<Record>,
    /// What the reader must know of the folder itself.
    pub(super) warnings: Vec<String>,
}

/// A file: its path within the folder, and as a link from the page.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) link: String,
}

pub(super) struct Figure {
    pub(super) place: Place,
    pub(super) bytes: Vec<u8>,
    /// Drawn by this tool: text that may stand within the page.
    pub(super) ours: bool,
}

pub(super) struct NamedTable {
    pub(super) place: Place,
    pub(super) table: Table,
}

/// How a file was made.
pub(super) struct Record {
    /// The file, within the folder.
    pub(super) output: String,
    pub(super) json: Value,
}

/// Deeper folders are not looked into.
const DEEPEST: usize = 8;

impl Folder {
    /// Reads the folder; links are from the folder of `page`, which is not itself among the results.
    pub(super) fn read(job: &Job, folder: &Path, page: Option<&Path>) -> Result<Folder> {
        let mut paths = Vec::new();
        list(folder, 0, &mut paths)?;
        paths.sort();
        let from = page.filter(|page| *page != Path::new("-")).and_then(Path::parent).unwrap_or(Path::new(""));
        let way = way_between(from, folder);
        let place = |path: &Path| {
            let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
            Place { link: as_link(&format!("{way}{name}")), name }
        };
        let mut found = Folder {
            root: folder.to_path_buf(),
            figures: Vec::new(),
            tables: Vec::new(),
            linked: Vec::new(),
            records: Vec::new(),
            warnings: Vec::new(),
        };
        for path in paths.iter().filter(|path| ending(path) == "json" && Some(path.as_path()) != page) {
            let Ok(json) = serde_json::from_slice::<Value>(&read(job, path)?) else {
                found
                    .warnings
                    .push(format!("{} is no JSON: if it is a record, nothing is known of its file", place(path).name));
                continue;
            };
            let output = json["output"].as_str().map(|name| path.with_file_name(name));
            let Some(output) = output.filter(|output| json["tool"].is_string() && Some(output.as_path()) != page)
            else {
                continue;
            };
            found.records.push(Record { output: place(&output).name, json });
        }
        for path in &paths {
            match ending(path).as_str() {
                "png" if paths.binary_search(&path.with_extension("svg")).is_ok() => {}
                "svg" | "png" => {
                    let place = place(path);
                    let by_figure = |record: &&Record| record.output == place.name && record.json["tool"] == "figure";
                    let ours = ending(path) == "svg" && found.records.iter().any(|record| by_figure(&record));
                    found.figures.push(Figure { bytes: read(job, path)?, place, ours });
                }
                "csv" | "tsv" => {
                    let place = place(path);
                    if place.name.contains('/') {
                        let size = fs::metadata(path).map_or(0, |facts| facts.len());
                        found.linked.push((place, format!("{:.1} kB", size as f64 / 1000.0)));
                        continue;
                    }
                    match Table::read(read(job, path)?.as_slice()) {
                        Ok(table) => found.tables.push(NamedTable { place, table }),
                        Err(error) => found.linked.push((place, format!("is no table: {error}"))),
                    }
                }
                _ => {}
            }
        }
        found.require_own(job);
        found.warnings.iter().for_each(|warning| job.warn(format!("{}: {warning}", folder.display())));
        Ok(found)
    }

    /// Warns of figures and tables that are not, byte for byte, what their records were written for.
    fn require_own(&mut self, job: &Job) {
        let shown = self.figures.iter().map(|f| &f.place.name).chain(self.tables.iter().map(|t| &t.place.name));
        for name in shown {
            let Some(record) = self.records.iter().find(|record| record.output == *name) else { continue };
            let found = job.sha256(&Input::File(self.root.join(name))).ok().flatten();
            if let (Some(said), Some(found)) = (record.json["output_sha256"].as_str(), found)
                && said != found
            {
                self.warnings.push(format!("{name} was changed after it was made: its record speaks of another file"));
            }
        }
    }

    /// A table of the folder or of one of its subfolders.
    pub(super) fn table(&self, job: &Job, name: &str) -> Result<Table> {
        let known = self.tables.iter().map(|table| &table.place).chain(self.linked.iter().map(|(place, _)| place));
        let names: Vec<&str> = known.map(|place| place.name.as_str()).collect();
        if !names.contains(&name) {
            bail!("the folder has no table {name}; it has {}", names.join(", "));
        }
        Table::read(read(job, &self.root.join(name))?.as_slice()).with_context(|| name.to_owned())
    }
}

fn list(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<()> {
    let name = || folder.display().to_string();
    for entry in fs::read_dir(folder).with_context(name)? {
        let entry = entry.with_context(name)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Links are not followed: two that point to each other have no end.
        let kind = entry.file_type().with_context(name)?;
        if kind.is_dir() && depth < DEEPEST {
            list(&entry.path(), depth + 1, paths)?;
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
    Ok(())
}

fn read(job: &Job, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let name = || path.display().to_string();
    job.open(&Input::File(path.to_path_buf()))?.reader().read_to_end(&mut bytes).with_context(name)?;
    Ok(bytes)
}

fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// The way from the folder of the page to the folder of results, empty or with a / behind it.
fn way_between(from: &Path, to: &Path) -> String {
    let whole = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
    };
    let (from, to) = (whole(from), whole(to));
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[shared..].iter().map(|_| "..".to_owned());
    let down = to[shared..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).map(|part| part + "/").collect()
}

/// A path as a link spells it.
fn as_link(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-~+,=@".contains(c);
    let mut link = String::new();
    for c in path.chars() {
        match plain(c) {
            true => link.push(c),
            false => c.to_string().bytes().for_each(|byte| link += &format!("%{byte:02X}")),
        }
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_spelled_and_lead_from_the_page_to_the_folder() {
        assert_eq!(as_link("a b/c#1?.csv"), "a%20b/c%231%3F.csv");
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("study/out")).unwrap();
        let at = |name: &str| dir.path().join(name);
        assert_eq!(way_between(&at("study"), &at("study/out")), "out/");
        assert_eq!(way_between(&at("study/out"), &at("study")), "../");
        assert_eq!(way_between(&at("study"), &at("study")), "");
    }
}
