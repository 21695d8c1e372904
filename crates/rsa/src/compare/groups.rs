//! RDMs of one person and stimuli of one kind, which are drawn, left out, averaged and shuffled together.

use super::args::{Boot, CompareArgs};
use super::system::{Content, Systems};
use anyhow::{Context, Result, anyhow, bail};
use array_inputs::{person_of, read_levels, read_table};
use clap::ValueEnum;
use cli::{Input, Job};
use rdm::ModelKind;
use rdm::inference::{Groups, Shuffle};
use std::collections::HashMap;
use stimulus_table::Table;

/// What belongs together.
#[derive(Debug, clap::Args)]
pub struct GroupArgs {
    /// RDMs of one person are drawn, left out of pools and averaged together: `bids` (sub-01 in their names or paths),
    /// or a column of --subjects
    #[arg(long, value_name = "bids|COLUMN")]
    pub group_subjects: Option<String>,
    /// Table with one row per brain RDM: its name in the column subject
    #[arg(long, value_name = "TABLE", requires = "group_subjects")]
    pub subjects: Option<Input>,
    /// Stimuli with the same value in this column of --stimuli are drawn, and shuffled, together
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
    if args.model != ModelKind::Fixed {
        bail!(
            "{option} with --model {}: folds of fitted models know no groups; take fixed models",
            args.model.as_str()
        );
    }
    if group_subjects.is_some() && !args.ceiling && asked.test_of_means().is_none() && asked.perm.is_none() {
        bail!("--group-subjects is for --ceiling, --boot, --test, --pairwise and --perm, none of which was asked for");
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
        if !drawn && asked.perm.is_none() {
            bail!("--group-stimuli is for --boot stimuli and both, and for --perm, none of which was asked for");
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
                Groups::of(&Labels::read(job, input, column, Some("subject"))?.of(&names, "brain RDM")?)
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
                Groups::of(&Labels::read(job, input, column, None)?.of(&ids, "stimulus")?)
            }
            _ => Groups::each(systems.n_stimuli),
        };
        let found = Together { subjects: of_subjects, stimuli: of_stimuli, shuffled: *shuffle };
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
            let sizes = || self.subjects.members().iter().map(Vec::len);
            if let (true, Some(few), Some(many)) = (args.ceiling, sizes().min(), sizes().max())
                && few < many
            {
                job.warn(format!(
                    "{source}: people have {few} to {many} RDMs, and the pool of a bound is of RDMs, as rsatoolbox's: \
                     `upper` may lie below what a model can reach; merge those of a person first (rsa rdm --merge)"
                ));
            }
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

/// Fewer groups than this: more than half of the draws hold fewer than 3 different ones.
const FEWEST_GROUPS: usize = 4;

/// What a column says of ids.
struct Labels {
    source: String,
    column: String,
    of: HashMap<String, String>,
}

impl Labels {
    /// Ids stand in the column `ids`, else where a table of stimuli has them; rows of one id say the same.
    fn read(job: &Job, input: &Input, column: &str, ids: Option<&str>) -> Result<Labels> {
        let source = input.to_string();
        let table: Table = read_table(job, input)?;
        let levels = read_levels(job, &table, &source, column)?;
        let ids = match ids {
            Some(named) => table.ids_in(named),
            None => table.ids().map(|(_, ids)| ids),
        };
        let mut of: HashMap<String, String> = HashMap::new();
        for (id, level) in ids.with_context(|| source.clone())?.iter().zip(levels) {
            if let Some(other) = of.insert(id.clone(), level.clone())
                && other != level
            {
                bail!("{source}: {id:?} has {other:?} and {level:?} in column {column:?}; it can be in one group");
            }
        }
        Ok(Labels { source, column: column.to_string(), of })
    }

    fn of(&self, ids: &[&str], what: &str) -> Result<Vec<&str>> {
        let Labels { source, column, of } = self;
        let one = |id: &&str| match of.get(*id) {
            None => bail!("{source}: no row for {what} {id:?} ({} are in it)", of.len()),
            Some(level) if level.is_empty() => bail!("{source}: {what} {id:?} has nothing in column {column:?}"),
            Some(level) => Ok(level.as_str()),
        };
        ids.iter().map(one).collect()
    }
}
