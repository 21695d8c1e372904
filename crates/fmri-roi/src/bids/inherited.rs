//! The inheritance principle: a table or a `.json` at any level of a dataset holds for the files below it whose names
//! have all its entities; the nearest wins.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::Name;

/// The folders in which a file that holds for `data` may stand, the nearest first: its own, and those above it up to
/// the root of the dataset. The root is the nearest folder with a `dataset_description.json`, else what holds the
/// folder `sub-LABEL`; a file in no dataset has its own folder alone.
pub(crate) fn levels(data: &Path) -> Vec<PathBuf> {
    let own = data.parent().unwrap_or(Path::new(""));
    let Ok(absolute) = std::path::absolute(if own.as_os_str().is_empty() { Path::new(".") } else { own }) else {
        return vec![own.to_path_buf()];
    };
    let is_subject = |folder: &&Path| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sub-"));
    let described = absolute.ancestors().find(|folder| folder.join("dataset_description.json").is_file());
    let root = described.or_else(|| absolute.ancestors().find(is_subject).and_then(Path::parent));
    let Some(root) = root else { return vec![own.to_path_buf()] };
    let here = std::env::current_dir().unwrap_or_default();
    let above = absolute.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
    // As the command line would spell them.
    let above = above.map(|folder| folder.strip_prefix(&here).unwrap_or(folder).to_path_buf());
    std::iter::once(own.to_path_buf()).chain(above).collect()
}

/// Files of these folders that hold for `data`, the nearest first, in one folder the one with most entities.
/// `is_wanted` looks at suffix and extension. An error where two of one folder hold alike, since nothing says which
/// wins.
pub(crate) fn applying(folders: &[PathBuf], data: &Name, is_wanted: impl Fn(&Name) -> bool) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for folder in folders {
        let mut here: Vec<(usize, PathBuf)> = Vec::new();
        for path in files_of(folder)? {
            if let Some(name) = Name::of(&path)
                && is_wanted(&name)
                && name.holds_for(data)
            {
                here.push((name.n_entities(), path));
            }
        }
        here.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        if let Some(two) = here.windows(2).find(|two| two[0].0 == two[1].0) {
            bail!(
                "{} and {} both hold for {}_{}; remove one of them, or name its entities more exactly",
                two[0].1.display(),
                two[1].1.display(),
                data.joined(),
                data.suffix
            );
        }
        all.extend(here.into_iter().map(|(_, path)| path));
    }
    Ok(all)
}

/// Files in a folder, sorted; none where there is no such folder. A link that leads nowhere (of a dataset whose content
/// has not been fetched) is one: a run that was left out because of it would be missed by nobody.
pub(super) fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    entries(folder, |path| !path.is_dir())
}

/// Folders in a folder, sorted.
pub(super) fn folders_of(folder: &Path) -> Result<Vec<PathBuf>> {
    entries(folder, |path| path.is_dir())
}

fn entries(folder: &Path, is_wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let named = || folder.display().to_string();
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(named)? {
        let name = entry.with_context(named)?.file_name();
        // As the folder is spelled: `a/b`, and not `./b`.
        let path = if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) };
        if is_wanted(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("sub-01/ses-1/func")).unwrap();
        let run = at("sub-01/ses-1/func/sub-01_ses-1_task-loc_run-1_bold.nii.gz");
        for file in ["task-loc_bold.json", "task-rest_bold.json", "bold.json", "sub-01/sub-01_task-loc_bold.json"] {
            fs::write(at(file), "{}").unwrap();
        }
        let folders = levels(&run);
        assert_eq!(folders.len(), 4);
        let find = || {
            applying(&levels(&run), &Name::of(&run).unwrap(), |name| name.suffix == "bold" && name.extension == ".json")
        };
        let expected = ["sub-01/sub-01_task-loc_bold.json", "task-loc_bold.json", "bold.json"].map(at);
        assert_eq!(find().unwrap(), expected);
        // Two that hold alike.
        fs::write(at("run-1_bold.json"), "{}").unwrap();
        let error = find().unwrap_err().to_string();
        assert!(error.contains("run-1_bold.json") && error.contains("task-loc_bold.json"), "{error}");
        // A description ends the dataset below its root; without any there is one level.
        fs::write(at("sub-01/dataset_description.json"), "{}").unwrap();
        assert_eq!(levels(&run).last().unwrap(), &at("sub-01"));
        assert_eq!(levels(&at("x/run-1_bold.nii")), [at("x")]);
    }
}
