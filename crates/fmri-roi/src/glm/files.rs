//! The files of a model: as options name them, or found in a subject's folder; and what files about runs are called.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use cli::{Input, Job};
use serde_json::json;

use crate::bids::{Choice, Found, Subject};

use super::Glm;

/// Endings that stay when the last one of a file name is taken off.
const INNER_ENDINGS: [&str; 3] = [".nii", ".func", ".dtseries"];

/// The files of all runs.
pub(super) struct Files {
    pub runs: Vec<RunFiles>,
    /// A voxel is fitted that is inside all of them; all voxels without.
    pub masks: Vec<Input>,
    /// What names of outputs begin with: the entities that all runs share, and `_`. Empty where runs were named.
    pub prefix: String,
}

/// The files of one run.
pub(super) struct RunFiles {
    pub bold: Input,
    pub events: Input,
    pub confounds: Option<Input>,
    /// Folders of the raw dataset in which a sidecar of the run may stand.
    pub raw_levels: Vec<PathBuf>,
    /// What a file about the run is called.
    pub stem: String,
}

impl Files {
    /// Those that the options name, or that are in the folder that they name.
    pub fn of(job: &Job, args: &Glm) -> Result<Files> {
        match &args.subject_dir {
            Some(folder) => found(job, args, Subject { folder: folder.clone(), raw: args.bids_dir.clone() }),
            None => named(args),
        }
    }

    pub fn confounds(&self) -> Vec<&Input> {
        self.runs.iter().filter_map(|run| run.confounds.as_ref()).collect()
    }
}

fn named(args: &Glm) -> Result<Files> {
    let n = args.inputs.len();
    if args.events.len() != n {
        bail!("--events: {} tables for {n} runs; one for each", args.events.len());
    }
    if !args.confounds.is_empty() && args.confounds.len() != n {
        bail!("--confounds: {} tables for {n} runs; one for each", args.confounds.len());
    }
    let stems = stems(&args.inputs);
    let runs =
        args.inputs.iter().zip(&args.events).zip(stems).enumerate().map(|(k, ((bold, events), stem))| RunFiles {
            bold: bold.clone(),
            events: events.clone(),
            confounds: args.confounds.get(k).cloned(),
            raw_levels: Vec::new(),
            stem,
        });
    Ok(Files { runs: runs.collect(), masks: args.mask.clone(), prefix: String::new() })
}

fn found(job: &Job, args: &Glm, subject: Subject) -> Result<Files> {
    if let Some(raw) = subject.raw.as_ref().filter(|raw| !raw.is_dir()) {
        bail!("--bids-dir {}: no such folder", raw.display());
    }
    let found = subject.find(&args.choices()?, !args.confound_columns.is_empty(), args.mask.is_empty())?;
    let n_runs = found.len();
    let runs_are = if n_runs == 1 { "1 run".to_owned() } else { format!("{n_runs} runs") };
    job.note(format!("{}: {runs_are}", subject.folder.display()));
    let mut record = Vec::new();
    for (k, Found { bold, name, events, confounds, mask, .. }) in found.iter().enumerate() {
        let shown = |path: &Path| path.display().to_string();
        job.note(format!("run {}: {}", k + 1, shown(bold)));
        job.note(format!("  events      {}", shown(events)));
        let others = [("confounds", confounds), ("mask", mask)];
        for (what, path) in others {
            path.iter().for_each(|path| job.note(format!("  {what:<11} {}", shown(path))));
        }
        if ["desc", "space", "hemi"].into_iter().all(|key| name.label(key).is_none()) {
            job.warn(format!("{}: by its name this run was not preprocessed", bold.display()));
        }
        record.push(json!({
            "bold": shown(bold),
            "events": shown(events),
            "confounds": confounds.as_deref().map(shown),
            "mask": mask.as_deref().map(shown),
        }));
    }
    job.record("runs", record);
    let first = found[0].name.clone();
    let differs = |key: &str| key == "desc" || found.iter().any(|run| run.name.label(key) != first.label(key));
    let prefix = first.without(differs).joined();
    let masks = match args.mask.is_empty() {
        true => found.iter().filter_map(|run| run.mask.clone()).map(Input::File).collect(),
        false => args.mask.clone(),
    };
    let runs = found.into_iter().map(|Found { bold, name, events, confounds, raw_levels, .. }| RunFiles {
        bold: Input::File(bold),
        events: Input::File(events),
        confounds: confounds.map(Input::File),
        raw_levels,
        stem: name.without(|key| key == "desc").joined(),
    });
    let prefix = if prefix.is_empty() { prefix } else { prefix + "_" };
    Ok(Files { runs: runs.collect(), masks, prefix })
}

impl Glm {
    /// The runs that are wanted of a subject, by entities.
    fn choices(&self) -> Result<Vec<Choice>> {
        let one = |label: &Option<String>| label.iter().cloned().collect::<Vec<String>>();
        let mut choices: Vec<Choice> = Vec::new();
        for (key, labels) in [
            ("task", self.task.clone()),
            ("space", one(&self.space)),
            ("ses", self.session.clone()),
            ("run", self.run.clone()),
            ("hemi", one(&self.hemi)),
        ] {
            // As names spell them: --run run-1 is --run 1.
            let strip = |label: String| label.strip_prefix(&format!("{key}-")).map(str::to_owned).unwrap_or(label);
            let labels: Vec<String> = labels.into_iter().map(strip).collect();
            if !labels.is_empty() {
                choices.push(Choice { key: key.to_owned(), labels });
            }
        }
        for entity in &self.entity {
            let Some((key, label)) = entity.split_once('-').filter(|(key, label)| !key.is_empty() && !label.is_empty())
            else {
                bail!(
                    "--entity {entity:?}: expected an entity and its label as in names of files: res-2, desc-preproc"
                );
            };
            match choices.iter_mut().find(|choice| choice.key == key) {
                Some(choice) => choice.labels.push(label.to_owned()),
                None => choices.push(Choice { key: key.to_owned(), labels: vec![label.to_owned()] }),
            }
        }
        Ok(choices)
    }
}

/// What files about these runs are called: the stems without `_bold`, and where several runs have one stem, in front of
/// it the folders in which they differ (`ses-1_bold`).
fn stems(inputs: &[Input]) -> Vec<String> {
    let own: Vec<String> = inputs.iter().map(stem).collect();
    let folders: Vec<Vec<String>> = inputs.iter().map(folders).collect();
    let mut stems = own.clone();
    for k in 0..inputs.len() {
        let alike: Vec<usize> = (0..inputs.len()).filter(|&other| own[other] == own[k]).collect();
        let mut taken: Vec<usize> = Vec::new();
        let name = |run: usize, levels: &[usize]| -> Vec<String> {
            levels.iter().map(|&level| folders[run].get(level).cloned().unwrap_or_default()).collect()
        };
        let n_apart = |levels: &[usize]| {
            let mut names: Vec<Vec<String>> = alike.iter().map(|&run| name(run, levels)).collect();
            names.sort();
            names.dedup();
            names.len()
        };
        let deepest = alike.iter().map(|&run| folders[run].len()).max().unwrap_or(0);
        for level in 0..deepest {
            let more: Vec<usize> = taken.iter().copied().chain([level]).collect();
            if n_apart(&more) > n_apart(&taken) {
                taken = more;
            }
        }
        let mut parts = name(k, &taken);
        parts.reverse();
        parts.push(own[k].clone());
        parts.retain(|part| !part.is_empty());
        stems[k] = parts.join("_");
    }
    stems
}

fn stem(input: &Input) -> String {
    let stem = match input {
        Input::Stdin => "run".to_owned(),
        input => input.array_name(0),
    };
    let stem = INNER_ENDINGS.iter().find_map(|ending| stem.strip_suffix(ending)).unwrap_or(&stem);
    stem.strip_suffix("_bold").unwrap_or(stem).to_owned()
}

/// Names of the folders above a file, the nearest first.
fn folders(input: &Input) -> Vec<String> {
    let Some(parent) = input.path().and_then(Path::parent) else { return Vec::new() };
    let absolute = std::path::absolute(parent).unwrap_or_else(|_| parent.to_path_buf());
    absolute.ancestors().filter_map(|folder| Some(folder.file_name()?.to_string_lossy().into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_name_are_called_by_their_folders() {
        let of = |paths: &[&str]| stems(&paths.iter().map(|path| path.parse().unwrap()).collect::<Vec<Input>>());
        assert_eq!(of(&["a/run-1_bold.nii.gz", "a/run-2_bold.func.gii", "-"]), ["run-1", "run-2", "run"]);
        assert_eq!(of(&["s/ses-1/f/x_bold.nii", "s/ses-2/f/x_bold.nii", "y.npy"]), ["ses-1_x", "ses-2_x", "y"]);
        let four =
            ["s/ses-1/run-1/bold.nii", "s/ses-1/run-2/bold.nii", "s/ses-2/run-1/bold.nii", "s/ses-2/run-2/bold.nii"];
        assert_eq!(of(&four), ["ses-1_run-1_bold", "ses-1_run-2_bold", "ses-2_run-1_bold", "ses-2_run-2_bold"]);
        // One file twice: told apart by a number when files get their names.
        assert_eq!(of(&["x.npy", "x.npy"]), ["x", "x"]);
    }
}
