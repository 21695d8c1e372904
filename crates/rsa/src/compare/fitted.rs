//! `--model weighted|select|interpolate`: the RDMs of one file are the components of one model.

use super::args::{Boot, CeilingBy, CompareArgs};
use super::groups::Together;
use super::system::{Content, Systems, WholeRdms};
use anyhow::{Result, anyhow, bail};
use cli::{Job, Named};
use rdm::inference::{FEWEST_STIMULI, Groups};
use rdm::{
    Against, CrossValidated, Folding, ModelKind, Partition, Rdm, Splits, cross_validate_in, default_folding,
    default_folding_of_draws,
};
use rdm_inputs::{FoldsOf, NamedRdm, SplitBy, read_rdms};
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
    pub of_data: Splits,
    /// Of the draws of `--boot`.
    pub of_draws: Option<FoldsOfDraws>,
    /// What the lower bound of the ceiling is against.
    pub against: Against,
}

/// How fitted models are scored in the draws of a bootstrap.
pub(super) struct FoldsOfDraws {
    /// Of one draw.
    pub splits: Splits,
    /// How often the folds of a draw are drawn anew.
    pub n_cv: usize,
    /// As in the data.
    pub against: Against,
}

/// Repetitions of the folds of a draw unless told otherwise: rsatoolbox's, and the fewest that let their noise be told.
const N_CV: u32 = 2;

impl Folds {
    /// As asked for, or rsatoolbox's defaults; none for fixed models.
    pub fn new(
        job: &Job,
        args: &CompareArgs,
        systems: &Systems,
        used: &[usize],
        together: &Together,
    ) -> Result<Option<Folds>> {
        let Content::Whole(whole) = &systems.content else { return Ok(None) };
        if args.model == ModelKind::Fixed {
            return Ok(None);
        }
        let source = &systems.sources[used[0]];
        let (people, kinds) = (&together.subjects, &together.stimuli);
        let seed = args.inference.seed;
        let of = |folding: Folding| [folding.subjects, folding.stimuli].map(SplitBy::Groups);
        let asked = args.cv_k.clone().unwrap_or_else(|| of(default_folding(people.len(), kinds.len(), seed)));
        if let SplitBy::Groups(k) = asked[0]
            && k > people.len()
        {
            bail!("{source}: {k} groups of {0} subjects; --cv-k {0},.. at most", people.len());
        }
        let n_stimuli = systems.n_stimuli;
        match asked[1] {
            SplitBy::Groups(k) if kinds.len() == n_stimuli && FEWEST_STIMULI * k > n_stimuli => bail!(
                "{source}: {k} groups of {n_stimuli} stimuli, but a group needs 3 for pairs to compare; --cv-k ..,{} \
                 at most",
                n_stimuli / FEWEST_STIMULI
            ),
            SplitBy::Groups(k) if k > kinds.len() => {
                bail!("{source}: {k} folds of {0} groups of stimuli; --cv-k ..,{0} at most", kinds.len())
            }
            _ => {}
        }
        let names: Vec<&str> = used.iter().map(|&s| systems.names[s].as_str()).collect();
        let ids = whole.rdms[0].labels().map(|ids| ids.iter().map(String::as_str).collect::<Vec<&str>>());
        let of_data = Splits {
            subjects: asked[0].partition(job, FoldsOf::Subjects, source, Some(&names), people)?,
            stimuli: asked[1].partition(job, FoldsOf::Stimuli, source, ids.as_deref(), kinds)?,
            seed,
        };
        if of_data.stimuli.smallest() < FEWEST_STIMULI {
            bail!(
                "{source}: a fold of --cv-k {} of {n_stimuli} stimuli may hold {}, but needs {FEWEST_STIMULI} for pairs \
                 to compare; take fewer or larger folds",
                asked[1],
                of_data.stimuli.smallest()
            );
        }
        let against = match args.ceiling_k {
            Some(CeilingBy::Folds) => Against::OtherFolds,
            _ => Against::OtherPeople,
        };
        let of_draws = match args.inference.boot {
            None => None,
            Some(boot) => {
                let defaults = of(default_folding_of_draws(people.len(), kinds.len()));
                let of_part = |k: usize, given: &Partition, together: &Groups| match (&args.cv_k, &defaults[k]) {
                    (None, SplitBy::Groups(k)) => Partition::random_of(*k, together.clone()),
                    _ => given.clone(),
                };
                let splits = Splits {
                    subjects: of_part(0, &of_data.subjects, people),
                    stimuli: of_part(1, &of_data.stimuli, kinds),
                    seed: 0,
                };
                check_draws(boot, source, &splits, together)?;
                let is_random = splits.subjects.is_random() || splits.stimuli.is_random();
                let n_cv = if is_random { args.n_cv.unwrap_or(N_CV) as usize } else { 1 };
                Some(FoldsOfDraws { splits, n_cv, against })
            }
        };
        Ok(Some(Folds { of_data, of_draws, against }))
    }

    /// Kind, components, folds over subjects x stimuli, those of draws and how often.
    pub fn cells(&self, args: &CompareArgs, n_components: usize) -> Vec<Named<'static>> {
        let folds = |splits: &Splits| format!("{}x{}", splits.subjects.len(), splits.stimuli.len());
        let mut cells = vec![
            ("model_kind", args.model.as_str().into()),
            ("n_components", n_components.into()),
            ("folds", folds(&self.of_data).into()),
        ];
        if let Some(draws) = &self.of_draws {
            cells.extend([("boot_folds", folds(&draws.splits).into()), ("n_cv", draws.n_cv.into())]);
        }
        cells
    }
}

/// Refuses folds that most draws would not have.
fn check_draws(boot: Boot, source: &str, splits: &Splits, together: &Together) -> Result<()> {
    let Together { subjects, stimuli, .. } = together;
    let each = if stimuli.len() == stimuli.n_things() { FEWEST_STIMULI } else { 1 };
    // n draws with replacement hold about 63 % of n things.
    let share = |n: usize| 1.0 - (1.0 - 1.0 / n as f64).powi(n as i32);
    let checks = [
        (boot != Boot::Stimuli, "subjects", subjects.len(), &splits.subjects, 1),
        (boot != Boot::Subjects, "stimuli", stimuli.len(), &splits.stimuli, each),
    ];
    for (_, what, n, part, each) in checks.into_iter().filter(|check| check.0) {
        let (groups, expected) = (part.len(), n as f64 * share(n));
        // Of given groups of subjects two are enough.
        let needed = if each == 1 && !part.is_random() { groups.min(2) } else { groups * each };
        if needed as f64 > expected + 0.5 {
            bail!(
                "{source}: a draw of {n} {what} holds about {expected:.1} different ones, and {groups} groups need \
                 {needed}; take fewer groups (--cv-k SUBJECTS,STIMULI) or another --boot than {}",
                boot.over().as_str()
            );
        }
    }
    let (n, smallest) = (stimuli.n_things(), splits.stimuli.smallest());
    let expected = smallest as f64 * share(n);
    if boot != Boot::Subjects && splits.stimuli.len() > 1 && !splits.stimuli.is_random() {
        // The spread of what a draw holds of a group leaves too many draws without 3 where the mean is just 3.
        if expected < FEWEST_STIMULI as f64 + 0.5 {
            bail!(
                "{source}: a draw holds about {expected:.1} different ones of the {smallest} stimuli of the smallest fold \
                 given, and needs {FEWEST_STIMULI}; take larger folds or --boot subjects"
            );
        }
    }
    Ok(())
}

/// Scores on held-out subjects and stimuli.
pub(super) fn score(
    args: &CompareArgs,
    whole: &WholeRdms,
    brains: &[Rdm],
    folds: &Folds,
    people: &Groups,
) -> Result<CrossValidated> {
    let against = args.ceiling.then_some(folds.against);
    cross_validate_in(&whole.components, brains, args.model, whole.how, &folds.of_data, people, against)
        .map_err(|error| anyhow!("--model {}: {error}", args.model.as_str()))
}
