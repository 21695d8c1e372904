//! RDMs of one person and stimuli of one kind, which are drawn, left out, averaged and shuffled together.

use super::args::{Boot, CeilingBy, CompareArgs};
use super::system::{Content, Systems};
use anyhow::{Result, anyhow, bail};
use array_inputs::person_of;
use clap::ValueEnum;
use cli::{Input, Job};
use rdm::ModelKind;
use rdm::inference::{Groups, Shuffle};
use rdm_inputs::{FoldsOf, Levels, SplitBy};

/// What belongs together.
#[derive(Debug, clap::Args)]
pub struct GroupArgs {
    /// RDMs of one person are drawn, left out of folds and pools, and averaged together: `bids` (sub-01 in their names
    /// or paths), or a column of --subjects
    #[arg(long, value_name = "bids|COLUMN")]
    pub group_subjects: Option<String>,
    /// Table with one row per brain RDM: its name in the column subject
    #[arg(long, value_name = "TABLE", requires = "group_subjects")]
    pub subjects: Option<Input>,
    /// Stimuli with the same value in this column of --stimuli are drawn, shuffled, and held out, together
    #[arg(long, value_name = "COLUMN", requires = "stimuli")]
    pub group_stimuli: Option<String>,
    /// Table of stimuli, for --group-stimuli
    #[arg(long, value_name = "TABLE", requires = "group_stimuli")]
    pub stimuli: Option<Input>,
    /// With --perm and --group-stimuli: what is shuffled
    #[arg(long, value_enum, value_name = "WHAT", requires = "group_stimuli", requires = "perm")]
    pub shuffle: Option<Shuffled>,
}

/// What --perm does to groups of stimuli.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shuffled {
    /// Stimuli, within their group
    Within,
    /// Whole groups of the same size
    Whole,
}

/// The groups of a comparison.
pub(super) struct Together {
    /// Of the subjects in use.
    pub subjects: Groups,
    pub stimuli: Groups,
    /// Of the subjects: whom the lower bound of the ceiling leaves out with each.
    pub left_out: Groups,
    shuffled: Option<Shuffled>,
}

/// Refuses groups that nothing would look at.
pub(super) fn check(args: &CompareArgs) -> Result<()> {
    let GroupArgs { group_subjects, subjects, group_stimuli, shuffle, .. } = &args.groups;
    let asked = &args.inference;
    let first = [("--group-subjects", group_subjects.is_some()), ("--group-stimuli", group_stimuli.is_some())];
    let Some((option, _)) = first.into_iter().find(|(_, given)| *given) else { return Ok(()) };
    if !args.is_of_whole_rdms() {
        bail!(
            "{option} is for the scores of model RDMs against brain RDMs, not for --all-pairs, controls, bures or matrices"
        );
    }
    // Folds of fitted models are of groups, too.
    let fitted = args.model != ModelKind::Fixed;
    let tested = asked.test_of_means().is_some() || asked.perm.is_some();
    if group_subjects.is_some() && !args.ceiling && !tested && !fitted {
        bail!(
            "--group-subjects is for --ceiling, --boot, --test, --pairwise, --perm and fitted models, none of which was \
             asked for"
        );
    }
    if let (Some(column), None) = (group_subjects, subjects)
        && column != "bids"
    {
        bail!(
            "--group-subjects {column}: a column of which table? give --subjects TABLE, or say --group-subjects bids"
        );
    }
    if group_stimuli.is_some() {
        let drawn = matches!(asked.boot, Some(Boot::Stimuli | Boot::Both));
        if !drawn && asked.perm.is_none() && !fitted {
            bail!(
                "--group-stimuli is for --boot stimuli and both, for --perm, and for fitted models, none of which was \
                 asked for"
            );
        }
        if asked.perm.is_some() && shuffle.is_none() {
            bail!(
                "--perm with --group-stimuli: say what may change places, --shuffle within (stimuli of one group; does \
                 the model know more than the groups?) or whole (groups of one size; is it right about the groups?)"
            );
        }
    }
    Ok(())
}

impl Together {
    /// Reads the tables that name groups; what is not grouped is a group of its own.
    pub fn read(job: &Job, args: &CompareArgs, systems: &Systems, used: &[usize]) -> Result<Together> {
        let GroupArgs { group_subjects, subjects, group_stimuli, stimuli, shuffle } = &args.groups;
        let of_subjects = match (group_subjects, subjects) {
            (None, _) => Groups::each(used.len()),
            (Some(column), Some(input)) => {
                let names: Vec<&str> = used.iter().map(|&s| systems.names[s].as_str()).collect();
                Groups::of(&Levels::read(job, input, column, Some("subject"))?.of(&names, "brain RDM")?)
            }
            (Some(_), None) => {
                let label = |s: &usize| {
                    let (name, source) = (&systems.names[*s], &systems.sources[*s]);
                    person_of(name).or_else(|| person_of(source)).ok_or_else(|| {
                        anyhow!(
                            "{source}: neither {name:?} nor its path has a sub-LABEL, by which --group-subjects bids \
                             knows people; name them (--brain-names), or give a table (--subjects)"
                        )
                    })
                };
                Groups::of(&used.iter().map(label).collect::<Result<Vec<String>>>()?)
            }
        };
        let ids = match &systems.content {
            Content::Whole(whole) => whole.rdms.first().and_then(|rdm| rdm.labels()),
            Content::Other { .. } => None,
        };
        let of_stimuli = match (group_stimuli, stimuli) {
            (Some(column), Some(input)) => {
                let ids = ids.ok_or_else(|| {
                    anyhow!("{}: no stimulus ids, so --group-stimuli finds none in {input}", systems.sources[0])
                })?;
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                Groups::of(&Levels::read(job, input, column, None)?.of(&ids, "stimulus")?)
            }
            _ => Groups::each(systems.n_stimuli),
        };
        let left_out = left_out(job, args, systems, used, &of_subjects)?;
        let found = Together { subjects: of_subjects, stimuli: of_stimuli, left_out, shuffled: *shuffle };
        found.check(job, args, &systems.sources[0])?;
        Ok(found)
    }

    /// What a permutation leaves as it is.
    pub fn shuffle(&self) -> Shuffle<'_> {
        match self.shuffled {
            None => Shuffle::All,
            Some(Shuffled::Within) => Shuffle::Within(&self.stimuli),
            Some(Shuffled::Whole) => Shuffle::Whole(&self.stimuli),
        }
    }

    fn check(&self, job: &Job, args: &CompareArgs, source: &str) -> Result<()> {
        let asked = &args.inference;
        if args.groups.group_subjects.is_some() {
            let (n, n_rdms) = (self.subjects.len(), self.subjects.n_things());
            let drawn = asked.boot.is_some() && asked.boot != Some(Boot::Stimuli);
            let tested = asked.test_of_means().is_some() && asked.boot != Some(Boot::Stimuli);
            let needed = if args.ceiling && drawn { 3 } else { 2 };
            if n < needed && (args.ceiling || tested) {
                bail!(
                    "{source}: {n_rdms} brain RDMs of {n} people (--group-subjects); --ceiling and tests need {needed}"
                );
            }
            job.note(format!("{n_rdms} brain RDMs of {n} people; each person has one vote"));
            job.record("group_subjects", self.subjects.numbers());
        }
        if args.groups.group_stimuli.is_none() {
            return Ok(());
        }
        let n = self.stimuli.len();
        if n < FEWEST_GROUPS && matches!(asked.boot, Some(Boot::Stimuli | Boot::Both)) {
            bail!(
                "{source}: {n} groups of stimuli; draws of them need at least {FEWEST_GROUPS}, as most would hold \
                 fewer than 3 different ones"
            );
        }
        job.note(format!("{} stimuli in {n} groups", self.stimuli.n_things()));
        job.record("group_stimuli", self.stimuli.numbers());
        if let (Some(n_perm), Some(shuffled)) = (asked.perm, self.shuffled) {
            let orders = self.shuffle().n_orders(self.stimuli.n_things());
            if orders <= f64::from(n_perm) {
                let what = match shuffled {
                    Shuffled::Within => "stimuli within their groups",
                    Shuffled::Whole => "whole groups of the same size",
                };
                let advice = match shuffled {
                    Shuffled::Whole if orders <= 1.0 => "no two groups are of one size; take --shuffle within".into(),
                    _ if orders <= 1.0 => "no group has two stimuli; take --shuffle whole".into(),
                    _ => format!("take a --perm below {orders}"),
                };
                bail!("{source}: {what} have {orders} orders, too few for --perm {n_perm}; {advice}");
            }
        }
        Ok(())
    }
}

/// What `--ceiling-k` says of fixed models: whom the lower bound leaves out together; each person alone without it.
fn left_out(job: &Job, args: &CompareArgs, systems: &Systems, used: &[usize], people: &Groups) -> Result<Groups> {
    let Some(CeilingBy::Split(by)) = &args.ceiling_k else { return Ok(people.clone()) };
    let source = &systems.sources[0];
    if let SplitBy::Groups(k) = by
        && *k > people.len()
    {
        bail!("{source}: --ceiling-k {k} makes {k} groups of {0} people; {0} at most", people.len());
    }
    let names: Vec<&str> = used.iter().map(|&s| systems.names[s].as_str()).collect();
    let folds = by.partition(job, FoldsOf::Subjects, source, Some(&names), people)?;
    job.record("ceiling_k", by.to_string());
    job.record("seed", args.inference.seed);
    Ok(Groups::of(&folds.numbers(args.inference.seed)))
}

/// Fewer groups than this: more than half of the draws hold fewer than 3 different ones.
const FEWEST_GROUPS: usize = 4;
