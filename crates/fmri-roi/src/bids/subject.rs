//! The runs of a subject in a BIDS derivative, with their masks, confounds and events.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::Name;
use super::inherited::{applying, files_of, folders_of, levels};
use super::name::{by_number, same_label};

/// Files that hold BOLD.
const RUNS: [&str; 4] = [".nii.gz", ".nii", ".func.gii", ".dtseries.nii"];

/// The label that an option gives for files whose names lack the entity.
const ABSENT: &str = "none";

/// Entities in which runs of one model may differ.
const OF_RUNS: [&str; 2] = ["ses", "run"];

/// Which labels of an entity are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    /// `task`
    pub key: String,
    /// Any of these; `none` is the absence of the entity.
    pub labels: Vec<String>,
}

/// A subject's folder, and where the raw data are.
#[derive(Debug)]
pub(crate) struct Subject {
    pub folder: PathBuf,
    pub raw: Option<PathBuf>,
}

/// A run, and the files that hold for it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub bold: PathBuf,
    pub name: Name,
    pub events: PathBuf,
    /// Where asked for.
    pub confounds: Option<PathBuf>,
    /// Of volumes; surfaces have none.
    pub mask: Option<PathBuf>,
    /// Folders of the raw dataset that may hold a sidecar of this run, the nearest first.
    pub raw_levels: Vec<PathBuf>,
}

impl Subject {
    /// The runs that the choices leave, in the order of sessions, tasks and runs. An error where they differ in
    /// anything but session and run that no choice names two labels of, or where a file that belongs to one is
    /// missing.
    pub fn find(&self, choices: &[Choice], wants_confounds: bool, wants_mask: bool) -> Result<Vec<Found>> {
        let runs = self.choose(choices)?;
        runs.into_iter().map(|(bold, name)| self.complete(bold, name, wants_confounds, wants_mask)).collect()
    }

    /// Every run of BOLD in the folder, its `func` and those of its sessions.
    fn all(&self) -> Result<Vec<(PathBuf, Name)>> {
        let here = self.folder.display();
        if !self.folder.is_dir() {
            bail!("--subject-dir {here}: no such folder");
        }
        let is_session =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ses-"));
        let sessions: Vec<PathBuf> = folders_of(&self.folder)?.into_iter().filter(is_session).collect();
        let own = [self.folder.clone(), self.folder.join("func")];
        let folders = own.into_iter().chain(sessions.into_iter().map(|session| session.join("func")));
        let mut runs = Vec::new();
        for folder in folders {
            for path in files_of(&folder)? {
                if let Some(name) = Name::of(&path)
                    && name.suffix == "bold"
                    && RUNS.contains(&name.extension.as_str())
                {
                    runs.push((path, name));
                }
            }
        }
        if runs.is_empty() {
            let is_subject =
                |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sub-"));
            let subjects: Vec<PathBuf> = folders_of(&self.folder)?.into_iter().filter(is_subject).collect();
            match subjects.first() {
                Some(first) => bail!(
                    "--subject-dir {here}: holds {} subjects; give the folder of one of them, such as {}",
                    subjects.len(),
                    first.display()
                ),
                None => bail!(
                    "--subject-dir {here}: no run of BOLD in it, its func or its ses-*/func; looked for \
                     sub-*_task-*_bold with {}",
                    RUNS.join(", ")
                ),
            }
        }
        let file = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        runs.sort_by(|a, b| by_number(&file(&a.0), &file(&b.0)));
        Ok(runs)
    }

    fn choose(&self, choices: &[Choice]) -> Result<Vec<(PathBuf, Name)>> {
        let here = self.folder.display();
        let mut runs = self.all()?;
        for Choice { key, labels } in choices {
            for label in labels {
                if !runs.iter().any(|(_, name)| has(name, key, label)) {
                    bail!(
                        "--subject-dir {here}: {} {label}: none of {} runs; {key} is {}",
                        option(key),
                        runs.len(),
                        either(&labels_of(&runs, key))
                    );
                }
            }
            runs.retain(|(_, name)| labels.iter().any(|label| has(name, key, label)));
        }
        let is_chosen = |key: &str| choices.iter().any(|choice| choice.key == key && choice.labels.len() > 1);
        let differing = |runs: &[(PathBuf, Name)]| -> Vec<(String, Vec<String>)> {
            let all = keys(runs).into_iter().filter(|key| !OF_RUNS.contains(&key.as_str()) && !is_chosen(key));
            all.map(|key| (key.clone(), labels_of(runs, &key))).filter(|(_, labels)| labels.len() > 1).collect()
        };
        let refuse = |runs: &[(PathBuf, Name)], differ: Vec<(String, Vec<String>)>| -> Result<()> {
            let what: Vec<String> =
                differ.iter().map(|(key, labels)| format!("{key} is {} ({})", either(labels), option(key))).collect();
            bail!(
                "--subject-dir {here}: {} files of BOLD differ in more than session and run; choose: {}",
                runs.len(),
                what.join("; ")
            )
        };
        let mut differ = differing(&runs);
        // Beside what fMRIPrep has preprocessed others leave what they made of it. Nobody has to choose what is taken.
        let is_preprocessed =
            |(key, labels): &(String, Vec<String>)| key == "desc" && labels.iter().any(|l| l == "preproc");
        if let [one] = differ.as_slice()
            && is_preprocessed(one)
        {
            runs.retain(|(_, name)| has(name, "desc", "preproc"));
            differ = differing(&runs);
        }
        differ.retain(|one| !is_preprocessed(one));
        if !differ.is_empty() {
            refuse(&runs, differ)?;
        }
        let same = |a: &Name, b: &Name| a.holds_for(b) && b.holds_for(a);
        for (k, (path, name)) in runs.iter().enumerate() {
            if let Some((other, _)) = runs[..k].iter().find(|(_, other)| same(name, other)) {
                bail!("{} and {}: two files of one run; remove one of them", other.display(), path.display());
            }
        }
        Ok(runs)
    }

    fn complete(&self, bold: PathBuf, name: Name, wants_confounds: bool, wants_mask: bool) -> Result<Found> {
        let own = bold.parent().unwrap_or(Path::new("")).to_path_buf();
        let is_volume = [".nii", ".nii.gz"].contains(&name.extension.as_str());
        let mask = match wants_mask && is_volume {
            true => Some(one_of(&own, &name, Wanted::Mask)?),
            false => None,
        };
        let confounds = match wants_confounds {
            true => Some(one_of(&own, &name, Wanted::Confounds)?),
            false => None,
        };
        let raw_levels = self.raw_levels(&bold, &name);
        let is_events = |name: &Name| name.suffix == "events" && name.extension == ".tsv";
        let folders: Vec<PathBuf> = match &self.raw {
            Some(_) => raw_levels.clone(),
            None => levels(&bold).into_iter().chain(raw_levels.clone()).collect(),
        };
        let Some(events) = applying(&folders, &name, is_events)?.into_iter().next() else {
            let looked: Vec<String> = folders.iter().map(|folder| shown(folder)).collect();
            bail!(
                "{}: no events; looked for {}_events.tsv, or one with fewer of its entities, in {}; {}",
                bold.display(),
                name.raw().joined(),
                looked.join(", "),
                match &self.raw {
                    Some(_) => "--bids-dir is the folder that holds sub-LABEL",
                    None => "say where the raw BIDS dataset is with --bids-dir",
                }
            )
        };
        Ok(Found { bold, name, events, confounds, mask, raw_levels })
    }

    /// Where files of the raw dataset that hold for a run may stand. Without `--bids-dir` the raw dataset is what has
    /// the folder `derivatives` in which the run lies.
    fn raw_levels(&self, bold: &Path, name: &Name) -> Vec<PathBuf> {
        let guessed = || {
            let absolute = std::path::absolute(bold).ok()?;
            let derivatives =
                absolute.ancestors().find(|folder| folder.file_name().is_some_and(|n| n == "derivatives"))?;
            let raw = derivatives.parent()?.to_path_buf();
            let here = std::env::current_dir().unwrap_or_default();
            Some(raw.strip_prefix(&here).map(Path::to_path_buf).unwrap_or(raw))
        };
        let Some(root) = self.raw.clone().or_else(guessed) else { return Vec::new() };
        let mut folders = vec![root.clone()];
        if let Some(subject) = name.label("sub") {
            folders.push(root.join(format!("sub-{subject}")));
        }
        if let (Some(subject), Some(session)) = (folders.get(1).cloned(), name.label("ses")) {
            folders.push(subject.join(format!("ses-{session}")));
        }
        if let Some(last) = folders.last().cloned() {
            folders.push(last.join("func"));
        }
        folders.retain(|folder| folder.as_os_str().is_empty() || folder.is_dir());
        folders.reverse();
        folders
    }
}

/// A file that stands beside each run.
#[derive(Clone, Copy)]
enum Wanted {
    Mask,
    Confounds,
}

/// The one mask or table of confounds of a run.
fn one_of(folder: &Path, run: &Name, wanted: Wanted) -> Result<PathBuf> {
    let is_it = |name: &Name| match wanted {
        Wanted::Mask => {
            name.suffix == "mask"
                && name.label("desc") == Some("brain")
                && [".nii", ".nii.gz"].contains(&name.extension.as_str())
                && name.is_of(run)
        }
        Wanted::Confounds => {
            // "regressors" until fMRIPrep 20.1.
            ["timeseries", "regressors"].contains(&name.suffix.as_str())
                && name.label("desc") == Some("confounds")
                && name.extension == ".tsv"
                && name.has_raw_entities_of(run)
        }
    };
    let found: Vec<PathBuf> =
        files_of(folder)?.into_iter().filter(|path| Name::of(path).is_some_and(|name| is_it(&name))).collect();
    let (what, file, instead) = match wanted {
        Wanted::Mask => {
            let stem = run.without(|key| key == "desc").joined();
            ("mask", format!("{stem}_desc-brain_mask.nii.gz"), "give one with --mask")
        }
        Wanted::Confounds => {
            let stem = run.raw().joined();
            ("confounds", format!("{stem}_desc-confounds_timeseries.tsv"), "leave out --confound-columns")
        }
    };
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!("{}_{}: no {what}; looked for {file} in {}; {instead}", run.joined(), run.suffix, shown(folder)),
        [one, other, ..] => {
            bail!("{} and {}: two files with {what} of one run; remove one of them", one.display(), other.display())
        }
    }
}

fn shown(folder: &Path) -> String {
    match folder.as_os_str().is_empty() {
        true => ".".to_owned(),
        false => folder.display().to_string(),
    }
}

fn has(name: &Name, key: &str, label: &str) -> bool {
    match name.label(key) {
        Some(own) => same_label(key, own, label),
        None => label == ABSENT,
    }
}

/// Entities that occur, in the order in which names have them.
fn keys(runs: &[(PathBuf, Name)]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for (key, _) in runs.iter().flat_map(|(_, name)| name.entities()) {
        if !keys.iter().any(|known| known == key) {
            keys.push(key.to_owned());
        }
    }
    // Who asks for a space has mostly chosen what else there is of it.
    keys.sort_by_key(|key| ["sub", "task", "space"].iter().position(|first| first == key).unwrap_or(3));
    keys
}

/// Labels of an entity, each once; its absence stands last.
fn labels_of(runs: &[(PathBuf, Name)], key: &str) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for label in runs.iter().filter_map(|(_, name)| name.label(key)) {
        if !labels.iter().any(|known| same_label(key, known, label)) {
            labels.push(label.to_owned());
        }
    }
    labels.sort_by(|a, b| by_number(a, b));
    if runs.iter().any(|(_, name)| name.label(key).is_none()) {
        labels.push(ABSENT.to_owned());
    }
    labels
}

fn either(labels: &[String]) -> String {
    match labels {
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
        [] => ABSENT.to_owned(),
    }
}

/// The option that chooses by an entity.
fn option(key: &str) -> String {
    match key {
        "task" | "space" | "run" | "hemi" => format!("--{key}"),
        "ses" => "--session".to_owned(),
        other => format!("--entity {other}-LABEL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn chosen(key: &str, labels: &[&str]) -> Choice {
        Choice { key: key.to_owned(), labels: labels.iter().map(|label| (*label).to_owned()).collect() }
    }

    /// As fMRIPrep leaves a subject of two sessions, with volumes in two spaces, two hemispheres and grayordinates.
    fn published() -> (tempfile::TempDir, Subject) {
        let dir = tempfile::tempdir().unwrap();
        for session in ["1", "2"] {
            let func = dir.path().join(format!("derivatives/fmriprep/sub-01/ses-{session}/func"));
            let raw = dir.path().join(format!("sub-01/ses-{session}/func"));
            fs::create_dir_all(&func).unwrap();
            fs::create_dir_all(&raw).unwrap();
            for (task, run) in [("loc", "1"), ("loc", "2"), ("loc", "10"), ("main", "1")] {
                let stem = format!("sub-01_ses-{session}_task-{task}_run-{run}");
                for file in [
                    "space-T1w_desc-preproc_bold.nii.gz",
                    "space-T1w_desc-brain_mask.nii.gz",
                    "space-MNI_res-2_desc-preproc_bold.nii.gz",
                    "space-MNI_res-2_desc-smooth_bold.nii.gz",
                    "space-MNI_res-2_desc-brain_mask.nii.gz",
                    "hemi-L_space-fsaverage5_bold.func.gii",
                    "hemi-R_space-fsaverage5_bold.func.gii",
                    "space-fsLR_den-91k_bold.dtseries.nii",
                    "space-T1w_boldref.nii.gz",
                    "desc-confounds_timeseries.tsv",
                ] {
                    fs::write(func.join(format!("{stem}_{file}")), "").unwrap();
                }
                fs::write(raw.join(format!("sub-01_ses-{session}_task-{task}_run-0{run}_events.tsv")), "").unwrap();
            }
        }
        let folder = dir.path().join("derivatives/fmriprep/sub-01");
        (dir, Subject { folder, raw: None })
    }

    fn names(found: &[Found]) -> Vec<String> {
        found.iter().map(|found| found.name.joined()).collect()
    }

    #[test]
    fn runs_are_chosen_by_their_entities() {
        let (dir, subject) = published();
        let find = |choices: &[Choice]| subject.find(choices, true, true);
        let found = find(&[chosen("task", &["loc"]), chosen("space", &["MNI"])]).unwrap();
        let stems = ["ses-1_task-loc_run-1", "ses-1_task-loc_run-2", "ses-1_task-loc_run-10"];
        let of = |stem: &str| format!("sub-01_{stem}_space-MNI_res-2_desc-preproc");
        assert_eq!(names(&found)[..3], stems.map(of));
        assert_eq!((found.len(), found[5].name.label("ses")), (6, Some("2")));
        // Zeros in front of a number are no other number.
        assert!(found[2].events.ends_with("sub-01/ses-1/func/sub-01_ses-1_task-loc_run-010_events.tsv"));
        assert!(
            found[2]
                .mask
                .as_ref()
                .unwrap()
                .ends_with(format!("sub-01_{}_space-MNI_res-2_desc-brain_mask.nii.gz", stems[2]))
        );
        assert!(
            found[2]
                .confounds
                .as_ref()
                .unwrap()
                .ends_with(format!("sub-01_{}_desc-confounds_timeseries.tsv", stems[2]))
        );
        assert_eq!(found[2].raw_levels.last().unwrap(), dir.path());
        let left = find(&[
            chosen("task", &["loc"]),
            chosen("space", &["fsaverage5"]),
            chosen("hemi", &["L"]),
            chosen("run", &["02"]),
        ]);
        assert_eq!(
            names(&left.unwrap()),
            ["1", "2"].map(|ses| format!("sub-01_ses-{ses}_task-loc_run-2_hemi-L_space-fsaverage5"))
        );
        let smooth = [chosen("desc", &["smooth"]), chosen("ses", &["2"]), chosen("task", &["main", "loc"])];
        assert_eq!(find(&smooth).unwrap().len(), 4);
        let dense = find(&[chosen("space", &["fsLR"]), chosen("task", &["main"])]).unwrap();
        assert_eq!((dense.len(), dense[0].mask.clone()), (2, None));
    }

    #[test]
    fn what_is_ambiguous_or_missing_is_an_error() {
        let (dir, subject) = published();
        let says = |choices: &[Choice], parts: &[&str]| {
            let error = subject.find(choices, true, true).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        };
        says(
            &[],
            &[
                "task is loc or main (--task)",
                "space is MNI, T1w, fsLR or fsaverage5 (--space)",
                "hemi is L, R or none (--hemi)",
            ],
        );
        says(&[chosen("task", &["loc"]), chosen("space", &["fsaverage5"])], &["hemi is L or R (--hemi)"]);
        says(&[chosen("task", &["face"])], &["--task face", "task is loc or main"]);
        says(&[chosen("run", &["2", "7"])], &["--run 7", "run is 1, 2 or 10"]);
        says(&[chosen("res", &["1"])], &["--entity res-LABEL 1", "res is 2 or none"]);
        let one = [chosen("task", &["main"]), chosen("space", &["T1w"])];
        let func = dir.path().join("derivatives/fmriprep/sub-01/ses-1/func");
        let stem = "sub-01_ses-1_task-main_run-1";
        for (file, parts) in [
            (format!("{stem}_space-T1w_desc-brain_mask.nii.gz"), ["no mask", "--mask"]),
            (format!("{stem}_desc-confounds_timeseries.tsv"), ["no confounds", "--confound-columns"]),
        ] {
            fs::remove_file(func.join(&file)).unwrap();
            says(&one, &[&file, parts[0], parts[1]]);
            fs::write(func.join(&file), "").unwrap();
        }
        fs::write(func.join(format!("{stem}_desc-confounds_regressors.tsv")), "").unwrap();
        says(&one, &["two files with confounds"]);
        fs::remove_file(func.join(format!("{stem}_desc-confounds_regressors.tsv"))).unwrap();
        fs::write(func.join(format!("{stem}_space-T1w_desc-preproc_bold.nii")), "").unwrap();
        says(&one, &["two files of one run"]);
        fs::remove_file(func.join(format!("{stem}_space-T1w_desc-preproc_bold.nii"))).unwrap();
        fs::remove_dir_all(dir.path().join("sub-01/ses-1")).unwrap();
        says(&one, &["no events", "sub-01_ses-1_task-main_run-1_events.tsv", "--bids-dir"]);
        let root = Subject { folder: dir.path().join("derivatives/fmriprep"), raw: None };
        let error = root.find(&[], false, false).unwrap_err().to_string();
        assert!(error.contains("holds 1 subjects") && error.contains("sub-01"), "{error}");
    }
}
