//! `--model weighted|select|interpolate`: the RDMs of one file are the components of one model.

use crate::CompareArgs;
use crate::args::Boot;
use anyhow::{Result, anyhow, bail};
use cli::{Cell, Job};
use rdm::inference::FEWEST_STIMULI;
use rdm::{
    Comparison, CrossValidated, Folding, ModelKind, Rdm, cross_validate, default_folding, default_folding_of_draws,
};
use rdm_inputs::{NamedRdm, read_rdms};
use std::collections::HashMap;

/// Models as they were read: all components in a row, and how many each model has.
pub(crate) struct Components {
    pub rdms: Vec<NamedRdm>,
    counts: Vec<usize>,
}

/// Every RDM a model of its own, or every file a model of its RDMs.
pub(crate) fn read(job: &Job, args: &CompareArgs) -> Result<Components> {
    if let (Some(n), true) = (args.n_cv, args.model == ModelKind::Fixed || args.inference.boot.is_none()) {
        bail!(
            "--n-cv {n} is for draws of --boot with --model weighted, select or interpolate; the score of the data has one set of folds"
        );
    }
    if args.model == ModelKind::Fixed {
        if let Some(folds) = &args.cv_k {
            bail!(
                "--cv-k {},{} is for --model weighted, select or interpolate; fixed models are fitted to nothing",
                folds[0],
                folds[1]
            );
        }
        let rdms = read_rdms(job, &args.models, &args.names)?;
        let counts = vec![1; rdms.len()];
        return Ok(Components { rdms, counts });
    }
    let kind = args.model.as_str();
    if let Some(n) = args.inference.perm {
        bail!(
            "--model {kind} with --perm {n}: fitted models are not permuted; take --boot, or --test t or wilcoxon over subjects"
        );
    }
    if args.sigma_k.is_some() {
        bail!("--model {kind} with --sigma-k: a covariance of all stimuli is none of the folds; leave --sigma-k out");
    }
    if !args.names.is_empty() && args.names.len() != args.models.len() {
        bail!(
            "--names: {} names for {} files; with --model {kind} every file is one model",
            args.names.len(),
            args.models.len()
        );
    }
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
    Ok(Components { rdms, counts })
}

/// What rows are written of: a model by its first component, which bears its name.
pub(crate) struct Models {
    pub shown: Vec<NamedRdm>,
    pub groups: Vec<Vec<Rdm>>,
}

/// `components` in the order of [`read`], after they were joined.
pub(crate) fn group(components: &[NamedRdm], counts: &Counts) -> Models {
    let (mut shown, mut groups) = (Vec::new(), Vec::new());
    let mut rest = components;
    for &count in &counts.0 {
        let (here, after) = rest.split_at(count);
        shown.push(here[0].clone());
        groups.push(here.iter().map(|c| c.rdm.clone()).collect());
        rest = after;
    }
    Models { shown, groups }
}

/// How many components each model has.
pub(crate) struct Counts(Vec<usize>);

impl Components {
    pub fn split(self) -> (Vec<NamedRdm>, Counts) {
        (self.rdms, Counts(self.counts))
    }
}

/// The folds: as asked for, or rsatoolbox's defaults.
pub(crate) fn folding(args: &CompareArgs, brains: &[NamedRdm]) -> Result<Folding> {
    let (n_subjects, n_stimuli) = (brains.len(), brains[0].rdm.n_stimuli());
    let mut folding = default_folding(n_subjects, n_stimuli, args.inference.seed);
    if let Some(given) = &args.cv_k {
        (folding.subjects, folding.stimuli) = (given[0], given[1]);
    }
    if folding.subjects == 1 && folding.stimuli == 1 {
        bail!("--cv-k 1,1 would fit and score on the same data; split subjects (2,1), stimuli (1,2) or both (2,2)");
    }
    if folding.subjects > n_subjects {
        bail!(
            "{}: {} groups of {n_subjects} subjects; --cv-k {n_subjects},.. at most",
            brains[0].source,
            folding.subjects
        );
    }
    if 3 * folding.stimuli > n_stimuli {
        bail!(
            "{}: {} groups of {n_stimuli} stimuli, but a group needs 3 for pairs to compare; --cv-k ..,{} at most",
            brains[0].source,
            folding.stimuli,
            n_stimuli / 3
        );
    }
    Ok(folding)
}

/// Scores on held-out subjects and stimuli.
pub(crate) fn score(
    args: &CompareArgs,
    how: Comparison,
    models: &Models,
    brains: &[Rdm],
    folding: Folding,
) -> Result<CrossValidated> {
    cross_validate(&models.groups, brains, args.model, how, folding, args.ceiling)
        .map_err(|error| anyhow!("--model {}: {error}", args.model.as_str()))
}

/// How fitted models are scored in the draws of a bootstrap.
pub(crate) struct Resampling {
    pub groups: Vec<Vec<Rdm>>,
    /// Of a draw.
    pub folding: Folding,
    /// How often the folds of a draw are drawn anew.
    pub n_cv: usize,
}

/// Repetitions of the folds of a draw unless told otherwise: rsatoolbox's, and the fewest that let their noise be told.
const N_CV: u32 = 2;

/// The folds of draws, if there are draws: as asked for, or rsatoolbox's defaults for the smaller number of different
/// subjects and stimuli that a draw holds. Refuses those that most draws would not have.
pub(crate) fn resampling(args: &CompareArgs, brains: &[NamedRdm], models: &Models) -> Result<Option<Resampling>> {
    let Some(boot) = args.inference.boot else { return Ok(None) };
    let (n_subjects, n_stimuli) = (brains.len(), brains[0].rdm.n_stimuli());
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
                "{}: a draw of {n} {what} holds about {expected:.1} different ones, and {groups} groups need {}; take fewer \
                 groups (--cv-k SUBJECTS,STIMULI) or another --boot than {}",
                brains[0].source,
                groups * each,
                boot.over().as_str()
            );
        }
    }
    let n_cv = args.n_cv.unwrap_or(N_CV) as usize;
    Ok(Some(Resampling { groups: models.groups.clone(), folding, n_cv }))
}

/// The columns of fitted models.
pub(crate) fn columns(resampling: Option<&Resampling>) -> Vec<&'static str> {
    let mut columns = vec!["model_kind", "n_components", "folds"];
    columns.extend(resampling.iter().flat_map(|_| ["boot_folds", "n_cv"]));
    columns
}

/// Their cells: kind, components, folds over subjects x stimuli, those of draws and how often.
pub(crate) fn cells(
    args: &CompareArgs,
    n_components: usize,
    folding: Folding,
    resampling: Option<&Resampling>,
) -> Vec<Cell<'static>> {
    let folds = |folding: Folding| format!("{}x{}", folding.subjects, folding.stimuli);
    let mut cells: Vec<Cell> = vec![args.model.as_str().into(), n_components.into(), folds(folding).into()];
    cells.extend(resampling.iter().flat_map(|r| [folds(r.folding).into(), r.n_cv.into()]));
    cells
}
