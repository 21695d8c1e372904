//! `--model weighted|select|interpolate`: the RDMs of one file are the components of one model.

use super::args::{Boot, CompareArgs};
use super::system::{Content, Systems, WholeRdms};
use anyhow::{Result, anyhow, bail};
use cli::{Job, Named};
use rdm::inference::FEWEST_STIMULI;
use rdm::{CrossValidated, Folding, ModelKind, Rdm, cross_validate, default_folding, default_folding_of_draws};
use rdm_inputs::{NamedRdm, read_rdms};
use std::collections::HashMap;

/// The components of all models in a row, the first of each under the name of its model, and how many each has.
pub(super) fn read_components(job: &Job, args: &CompareArgs) -> Result<(Vec<NamedRdm>, Vec<usize>)> {
    let kind = args.model.as_str();
    let (mut rdms, mut counts) = (Vec::new(), Vec::new());
    let mut seen: HashMap<String, String> = HashMap::new();
    for (place, input) in args.models.iter().enumerate() {
        let mut components = read_rdms(job, std::slice::from_ref(input), &[])?;
        let name = args.names.get(place).cloned().or(components.first().map(|c| c.name.clone())).unwrap_or_default();
        if let Some(other) = seen.insert(name.clone(), input.to_string()) {
            bail!("{input} and {other} are both named \"{name}\"; tell the models apart with --names");
        }
        counts.push(components.len());
        if let Some(first) = components.first_mut() {
            first.name = name;
        }
        rdms.extend(components);
    }
    // One with a single component is fitted to nothing, but can be scored on the same folds beside others.
    if counts.iter().all(|count| *count < 2) {
        bail!(
            "{}: 1 RDM; --model {kind} needs at least 2 components in a file (`cat a.npy b.npy > both.npy`)",
            args.models[0]
        );
    }
    Ok((rdms, counts))
}

/// The folds of fitted models.
pub(super) struct Folds {
    /// Of the data.
    pub of_data: Folding,
    /// Of the draws of `--boot`.
    pub of_draws: Option<FoldsOfDraws>,
}

/// How fitted models are scored in the draws of a bootstrap.
pub(super) struct FoldsOfDraws {
    /// Of one draw.
    pub folding: Folding,
    /// How often the folds of a draw are drawn anew.
    pub n_cv: usize,
}

/// Repetitions of the folds of a draw unless told otherwise: rsatoolbox's, and the fewest that let their noise be told.
const N_CV: u32 = 2;

impl Folds {
    /// As asked for, or rsatoolbox's defaults; none for fixed models.
    pub fn new(args: &CompareArgs, systems: &Systems, used: &[usize]) -> Result<Option<Folds>> {
        if args.model == ModelKind::Fixed || !matches!(systems.content, Content::Whole(_)) {
            return Ok(None);
        }
        let source = &systems.sources[used[0]];
        let (n_subjects, n_stimuli) = (used.len(), systems.n_stimuli);
        let mut folding = default_folding(n_subjects, n_stimuli, args.inference.seed);
        if let Some(given) = &args.cv_k {
            (folding.subjects, folding.stimuli) = (given[0], given[1]);
        }
        if folding.subjects > n_subjects {
            bail!("{source}: {} groups of {n_subjects} subjects; --cv-k {n_subjects},.. at most", folding.subjects);
        }
        if 3 * folding.stimuli > n_stimuli {
            bail!(
                "{source}: {} groups of {n_stimuli} stimuli, but a group needs 3 for pairs to compare; --cv-k ..,{} \
                 at most",
                folding.stimuli,
                n_stimuli / 3
            );
        }
        let of_draws =
            args.inference.boot.map(|boot| of_draws(args, boot, source, n_subjects, n_stimuli)).transpose()?;
        Ok(Some(Folds { of_data: folding, of_draws }))
    }

    /// Kind, components, folds over subjects x stimuli, those of draws and how often.
    pub fn cells(&self, args: &CompareArgs, n_components: usize) -> Vec<Named<'static>> {
        let folds = |folding: Folding| format!("{}x{}", folding.subjects, folding.stimuli);
        let mut cells = vec![
            ("model_kind", args.model.as_str().into()),
            ("n_components", n_components.into()),
            ("folds", folds(self.of_data).into()),
        ];
        if let Some(draws) = &self.of_draws {
            cells.extend([("boot_folds", folds(draws.folding).into()), ("n_cv", draws.n_cv.into())]);
        }
        cells
    }
}

/// The folds of draws: as asked for, or rsatoolbox's defaults for the smaller number of different subjects and stimuli
/// that a draw holds. Refuses those that most draws would not have.
fn of_draws(args: &CompareArgs, boot: Boot, source: &str, n_subjects: usize, n_stimuli: usize) -> Result<FoldsOfDraws> {
    let mut folding = default_folding_of_draws(n_subjects, n_stimuli);
    if let Some(given) = &args.cv_k {
        (folding.subjects, folding.stimuli) = (given[0], given[1]);
    }
    let checks = [
        (boot != Boot::Stimuli, "subjects", n_subjects, folding.subjects, 1),
        (boot != Boot::Subjects, "stimuli", n_stimuli, folding.stimuli, FEWEST_STIMULI),
    ];
    for (_, what, n, groups, each) in checks.into_iter().filter(|check| check.0) {
        // n draws with replacement hold about 63 % of n things.
        let expected = n as f64 * (1.0 - (1.0 - 1.0 / n as f64).powi(n as i32));
        if (groups * each) as f64 > expected + 0.5 {
            bail!(
                "{source}: a draw of {n} {what} holds about {expected:.1} different ones, and {groups} groups need \
                 {}; take fewer groups (--cv-k SUBJECTS,STIMULI) or another --boot than {}",
                groups * each,
                boot.over().as_str()
            );
        }
    }
    Ok(FoldsOfDraws { folding, n_cv: args.n_cv.unwrap_or(N_CV) as usize })
}

/// Scores on held-out subjects and stimuli.
pub(super) fn score(args: &CompareArgs, whole: &WholeRdms, brains: &[Rdm], folding: Folding) -> Result<CrossValidated> {
    cross_validate(&whole.components, brains, args.model, whole.how, folding, args.ceiling)
        .map_err(|error| anyhow!("--model {}: {error}", args.model.as_str()))
}
