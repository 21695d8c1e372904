//! `tuning diverge`: the stimuli where model and brain part ways, and what those stimuli have in common.

mod gaps;
mod group_rows;
mod group_test;

use crate::annotations::{Annotations, distinct};
use crate::responses::z_scores;
use crate::systems::{Joined, Measure, Sides, System, read_sides};
use anyhow::{Context, Result, bail};
use array_inputs::{JoinArgs, read_table};
use clap::ValueEnum;
use cli::{Common, Format, Input, Job, Output, TableWriter};
use gaps::{Gaps, by_size};
use group_rows::{EffectRow, System as Tested, effect_rows};
use group_test::TwoGroups;
use localizer::{Contrast, Versus};
use statistics::{Correlation, Draws, Reason};
use std::str::FromStr;
use stimulus_table::{Table, TableJoin};

/// Stimuli where model and brain part ways, and tests of what those stimuli have in common
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Profiles are means over columns, trials of a stimulus averaged first, then z-scored (n - 1) over the
common stimuli.

Columns without --group (one row per model, subject and stimulus, the widest gap first):
  model, subject    `mean`: the columns averaged over subjects (or models), where there are several
  rank              from 1, by the size of the gap that --rank-by names
  stimulus
  model_z, brain_z  z of each profile
  difference        model_z - brain_z: above 0, the model responds more than the brain
  residual          brain_z - r model_z: above 0, the brain responds more than the model predicts
  reason            why numbers are NaN: constant, nan_input (the whole profile then has no z)
Columns with --group COLUMN (a column of --stimuli with two levels, or --contrast over its levels;
one row per effect and test):
  part              all; with --hold-out-..: discovery, held_out_models, held_out_subjects,
                    held_out_stimuli, held_out_all
  contrast
  effect            model, brain: mean z of the first group minus that of the second;
                    interaction: model minus brain
  model, subject    `mean`: averaged over them
  estimate          the effect
  reliability       with --noise-corrected: of the profile, whose root divides the effect
  test              bootstrap: percentile interval, and p = twice the smaller share of draws on one
                    side of 0; t: Student's one-sample t over subjects or models, two-sided
  over              what was drawn again, which is what the p generalizes to: stimuli, subjects,
                    models, or several with +
  n_stimuli, n_subjects, n_models
                    how many of each were drawn (stimuli: in the two groups); empty where not
  n_same_sign       in t rows: of how many the effect has the sign of the overall effect (with
                    held-out parts: of the discovery part's)
  se, ci_lo, ci_hi, t, df, p, n_boot
  reason            why a number is NaN
Stimuli are drawn again within their group, and keep their z scores. Draws over several factors draw
each factor again; their interval errs on the wide side. A brain's z holds noise, which shrinks the
difference between its groups by the root of its reliability: --noise-corrected divides each
system's effects by that root (from trials, --ceiling or --brain-reliability), so that noise is not
taken for a missing effect.
Held-out parts:
  --hold-out-models, --hold-out-subjects and --hold-out-stimuli keep a part to test what the rest
  suggested: the list of stimuli shows the discovery part alone, and each test is made in every
  part. z scores are over the part's own stimuli.

Examples:
  tuning diverge faces.npy --brain sub-*/ffa.npy --top 10 > apart.csv
  tuning diverge faces.npy --brain ffa.npy --stimuli pictures.csv --group face_species
  tuning diverge m1.npy m2.npy --brain sub-*/ffa.npy --hold-out-stimuli half")]
pub(crate) struct Diverge {
    #[command(flatten)]
    sides: Sides,
    /// Only the N stimuli with the widest gaps, per model and subject
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "group")]
    top: Option<u32>,
    /// The gap that orders the stimuli
    #[arg(long, value_enum, default_value_t = RankBy::Difference, conflicts_with = "group")]
    rank_by: RankBy,
    /// Stimulus table with the columns of --group and --hold-out-stimuli
    #[arg(long, value_name = "TABLE")]
    stimuli: Option<Input>,
    /// Test whether two groups of stimuli differ more in the model than in the brain
    #[arg(long, value_name = "COLUMN", requires = "stimuli")]
    group: Option<String>,
    /// Levels of the column, 'human > animal' [default: its two levels, in order of appearance]
    #[arg(long, value_name = "A > B", requires = "group")]
    contrast: Option<Contrast>,
    /// Divide effects by the root of each profile's reliability
    #[arg(long, requires = "group")]
    noise_corrected: bool,
    /// Models (names) kept for the test
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    hold_out_models: Vec<String>,
    /// Subjects (names) kept for the test
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    hold_out_subjects: Vec<String>,
    /// Stimuli kept for the test: COLUMN=LEVEL of --stimuli, or half: a half drawn by --seed
    #[arg(long, value_name = "HOW")]
    hold_out_stimuli: Option<HeldOutStimuli>,
    /// Bootstrap draws
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..))]
    n_boot: u32,
    /// Seed of draws and splits
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    join: JoinArgs,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// Which gap orders the stimuli.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RankBy {
    /// Model z minus brain z
    Difference,
    /// Brain z minus what its regression on the model's z says
    Residual,
}

/// Stimuli kept for a test of what the others suggested.
#[derive(Debug, Clone, PartialEq, Eq)]
enum HeldOutStimuli {
    /// A random half of them.
    Half,
    /// Those with this entry in this column.
    Level { column: String, level: String },
}

impl FromStr for HeldOutStimuli {
    type Err = String;
    fn from_str(text: &str) -> Result<HeldOutStimuli, String> {
        match text.split_once('=') {
            _ if text == "half" => Ok(HeldOutStimuli::Half),
            Some((column, level)) if !column.is_empty() && !level.is_empty() => {
                Ok(HeldOutStimuli::Level { column: column.into(), level: level.into() })
            }
            _ => Err(format!("{text:?} is neither half nor COLUMN=LEVEL")),
        }
    }
}

/// What stands for all models, or all subjects.
const MEAN: &str = "mean";

pub(crate) fn run(args: &Diverge) -> Result<()> {
    check(args)?;
    let job = Job::start("tuning", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    job.record("seed", args.seed);
    let table = args.stimuli.as_ref().map(|input| read_table(&job, input)).transpose()?;
    let mut joined = read_sides(&job, &args.sides, Correlation::Pearson, args.join)?;
    joined.refuse_name(MEAN, true)?;
    let rows = match &table {
        Some(table) => Some(keep_listed(&job, args, &mut joined, table)?),
        None => None,
    };
    let annotations = match (&table, &args.stimuli) {
        (Some(table), Some(input)) => {
            Some(Annotations { table, source: input.to_string(), rows: rows.unwrap_or_default() })
        }
        _ => None,
    };
    let parts = parts(&job, args, &joined, annotations.as_ref())?;
    let measure = Measure { how: Correlation::Pearson, max_splits: args.sides.splits as usize, seed: args.seed };
    check_correction(args, &joined, measure)?;
    match (&args.group, &annotations) {
        (Some(column), Some(annotations)) => {
            let (contrast, groups) = annotations.groups(&job, column, args.contrast.as_ref())?;
            job.record("contrast", contrast.to_string());
            job.record("n_boot", args.n_boot);
            let mut table = EffectRow::table(out, args.format)?;
            // The sign that the discovery part gives the overall effect is what the others are held against.
            let mut signs = None;
            for part in &parts {
                let tested = part.systems(&job, &joined, measure, args.noise_corrected);
                let groups = part.groups(&groups, &contrast)?;
                let rows = effect_rows(&tested.0, &tested.1, &groups, args.n_boot as usize, args.seed, &mut signs);
                for row in rows {
                    row.write(&mut table, part.name, &contrast.to_string(), args.n_boot as usize)?;
                }
            }
            table.into_inner().commit(&job)
        }
        _ => {
            let discovery = &parts[0];
            if parts.len() > 1 {
                job.note(format!(
                    "the discovery part: {} models, {} subjects, {} stimuli; what is held out is not shown",
                    discovery.models.len(),
                    discovery.brains.len(),
                    discovery.stimuli.len()
                ));
            }
            list_stimuli(&job, args, &joined, discovery, measure, out)
        }
    }
}

/// What can be said of the options before anything is read.
fn check(args: &Diverge) -> Result<()> {
    let n_given = args.sides.brain_reliability.len();
    if args.sides.ceiling.is_some() && !args.noise_corrected {
        bail!("--ceiling has reliabilities, which only --noise-corrected (with --group) divides by");
    }
    if n_given > 0 && !args.noise_corrected {
        bail!("--brain-reliability gives {n_given} numbers, which only --noise-corrected (with --group) divides by");
    }
    if matches!(args.hold_out_stimuli, Some(HeldOutStimuli::Level { .. })) && args.stimuli.is_none() {
        bail!("--hold-out-stimuli COLUMN=LEVEL needs --stimuli TABLE");
    }
    Ok(())
}

/// A correction needs the reliability of every subject. Models need none: a network answers a picture the same every
/// time.
fn check_correction(args: &Diverge, joined: &Joined, measure: Measure) -> Result<()> {
    if !args.noise_corrected {
        return Ok(());
    }
    for (brain, of) in joined.brains.iter().zip(&joined.of_brains) {
        if brain.averaged(of, measure).reliability.is_none() {
            bail!(
                "{}: no stimulus is there twice, so --noise-corrected has no reliability to divide by; give the trials, \
                 --ceiling or --brain-reliability",
                brain.source
            );
        }
    }
    Ok(())
}

impl Annotations<'_> {
    /// Group 0 or 1 of each common stimulus, and the contrast that says so.
    fn groups(&self, job: &Job, column: &str, contrast: Option<&Contrast>) -> Result<(Contrast, Vec<Option<usize>>)> {
        let cells = self.levels(job, column)?;
        let place = || format!("{}: column {column:?}", self.source);
        let contrast = match contrast {
            Some(contrast) => contrast.clone(),
            None => {
                let mut levels: Vec<&str> = Vec::new();
                for cell in cells.iter().filter(|cell| !cell.is_empty()) {
                    if !levels.contains(&cell.as_str()) {
                        levels.push(cell);
                    }
                }
                let [a, b] = levels.as_slice() else {
                    bail!(
                        "{}: {} levels ({}) where two groups are needed; say which with --contrast 'a > b'",
                        place(),
                        levels.len(),
                        levels.join(", ")
                    )
                };
                let quoted = |level: &str| format!("\"{}\"", level.replace('"', "\"\""));
                format!("{} > {}", quoted(a), quoted(b)).parse().with_context(place)?
            }
        };
        let groups = contrast.resolve(&cells, Versus::Pooled).with_context(place)?;
        Ok((contrast, groups.group_of_row))
    }
}

/// Rows of the table for each common stimulus; with --inner, stimuli that the table does not list are left out of both.
fn keep_listed(job: &Job, args: &Diverge, joined: &mut Joined, table: &Table) -> Result<Vec<Vec<usize>>> {
    let source = args.stimuli.as_ref().map(ToString::to_string).unwrap_or_default();
    let name = &joined.brains[0].source;
    let options = args.join.options();
    let n_stimuli = joined.of_brains[0].len();
    let ids = table.ids().with_context(|| source.clone())?.1;
    let (join, rows_of) = match &joined.ids {
        Some(own) => {
            let (listed, rows_of) = distinct(ids);
            (TableJoin::labelled(name, own, (&source, &listed), options)?, rows_of)
        }
        None => {
            let join = TableJoin::by_position(name, n_stimuli, (&source, ids), false, options)?;
            (join, (0..ids.len()).map(|row| vec![row]).collect())
        }
    };
    join.message.iter().for_each(|message| job.note(message));
    let kept: Vec<usize> = (0..n_stimuli).filter(|&k| join.rows[k].is_some()).collect();
    for stimuli in joined.of_models.iter_mut().chain(&mut joined.of_brains) {
        *stimuli = kept.iter().map(|&k| stimuli[k]).collect();
    }
    if let Some(ids) = &mut joined.ids {
        *ids = kept.iter().map(|&k| ids[k].clone()).collect();
    }
    Ok(join.rows.into_iter().flatten().map(|listed| rows_of[listed].clone()).collect())
}

/// Some of the models, subjects and stimuli.
struct Part {
    name: &'static str,
    models: Vec<usize>,
    brains: Vec<usize>,
    /// Places among the common stimuli.
    stimuli: Vec<usize>,
}

/// Everything, or first what is not held out and then, factor by factor, what is.
fn parts(job: &Job, args: &Diverge, joined: &Joined, annotations: Option<&Annotations>) -> Result<Vec<Part>> {
    let split = |systems: &[System], held: &[String], option: &str| -> Result<(Vec<usize>, Vec<usize>)> {
        if let Some(unknown) = held.iter().find(|name| !systems.iter().any(|s| s.name == **name)) {
            let names: Vec<&str> = systems.iter().map(|s| s.name.as_str()).collect();
            bail!("{option} {unknown:?}: there are {}: {}", systems.len(), names.join(", "));
        }
        let (out, kept): (Vec<usize>, Vec<usize>) = (0..systems.len()).partition(|&s| held.contains(&systems[s].name));
        match kept.is_empty() {
            true => bail!("{option}: all {} are held out; keep at least 1 to find something in", systems.len()),
            false => Ok((kept, out)),
        }
    };
    let models = split(&joined.models, &args.hold_out_models, "--hold-out-models")?;
    let brains = split(&joined.brains, &args.hold_out_subjects, "--hold-out-subjects")?;
    let stimuli = split_stimuli(job, args, joined, annotations)?;
    let held = [!models.1.is_empty(), !brains.1.is_empty(), !stimuli.1.is_empty()];
    let part = |name, which: [bool; 3]| {
        let side = |out: bool, of: &(Vec<usize>, Vec<usize>)| if out { of.1.clone() } else { of.0.clone() };
        Part {
            name,
            models: side(which[0], &models),
            brains: side(which[1], &brains),
            stimuli: side(which[2], &stimuli),
        }
    };
    let mut parts = vec![part(if held == [false; 3] { "all" } else { "discovery" }, [false; 3])];
    for (factor, name) in ["held_out_models", "held_out_subjects", "held_out_stimuli"].into_iter().enumerate() {
        if held[factor] {
            parts.push(part(name, [0, 1, 2].map(|f| f == factor)));
        }
    }
    if held.iter().filter(|h| **h).count() > 1 {
        parts.push(part("held_out_all", held));
    }
    Ok(parts)
}

fn split_stimuli(
    job: &Job,
    args: &Diverge,
    joined: &Joined,
    annotations: Option<&Annotations>,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let n = joined.of_brains[0].len();
    let (mut kept, mut out): (Vec<usize>, Vec<usize>) = match (&args.hold_out_stimuli, annotations) {
        (None, _) | (Some(HeldOutStimuli::Level { .. }), None) => return Ok(((0..n).collect(), Vec::new())),
        (Some(HeldOutStimuli::Half), _) => {
            // Drawn from the ids in sorted order, so that the order of the rows does not decide.
            let mut order: Vec<usize> = (0..n).collect();
            if let Some(ids) = &joined.ids {
                order.sort_by(|&a, &b| ids[a].cmp(&ids[b]));
            }
            // Stream u64::MAX is no bootstrap draw's.
            Draws::stream(args.seed, u64::MAX).shuffle(&mut order);
            let out = order.split_off(n.div_ceil(2));
            (order, out)
        }
        (Some(HeldOutStimuli::Level { column, level }), Some(annotations)) => {
            let cells = annotations.levels(job, column)?;
            let (out, kept): (Vec<usize>, Vec<usize>) = (0..n).partition(|&k| cells[k] == *level);
            if out.is_empty() || kept.is_empty() {
                bail!(
                    "{}: {} of {n} stimuli have {level:?} in column {column:?}; both parts need some",
                    annotations.source,
                    out.len()
                );
            }
            (kept, out)
        }
    };
    kept.sort_unstable();
    out.sort_unstable();
    match kept.len().min(out.len()) < 3 {
        true => bail!("--hold-out-stimuli leaves {} and {} stimuli; both parts need 3", kept.len(), out.len()),
        false => Ok((kept, out)),
    }
}

impl Part {
    /// The profile of every system over the part's stimuli, as z.
    fn z(&self, systems: &[System], of: &[Vec<usize>], which: &[usize], measure: Measure) -> Vec<(Zed, Option<f64>)> {
        let one = |&s: &usize| {
            let stimuli: Vec<usize> = self.stimuli.iter().map(|&k| of[s][k]).collect();
            let averaged = systems[s].averaged(&stimuli, measure);
            (z_scores(&averaged.responses), averaged.reliability)
        };
        which.iter().map(one).collect()
    }

    fn systems(&self, job: &Job, joined: &Joined, measure: Measure, corrected: bool) -> (Vec<Tested>, Vec<Tested>) {
        let side = |systems: &[System], of: &[Vec<usize>], which: &[usize]| -> Vec<Tested> {
            let n = self.stimuli.len();
            let z = self.z(systems, of, which, measure);
            let one = |(&s, (z, reliability)): (&usize, (Zed, Option<f64>))| {
                let reliability = reliability.filter(|_| corrected);
                // The root of a negative reliability is NaN, and so is everything divided by it.
                let root = reliability.map_or(1.0, |r| if r > 0.0 { r.sqrt() } else { f64::NAN });
                let reason = z.as_ref().err().copied().or(root.is_nan().then_some(Reason::NegativeReliability));
                if let Some(reason) = reason {
                    job.warn(format!("{} ({}): {reason}", systems[s].source, self.name));
                }
                let z = z.map_or(vec![f64::NAN; n], |z| z.iter().map(|z| z / root).collect());
                Tested { name: systems[s].name.clone(), z, reliability, reason }
            };
            which.iter().zip(z).map(one).collect()
        };
        (side(&joined.models, &joined.of_models, &self.models), side(&joined.brains, &joined.of_brains, &self.brains))
    }

    /// The groups among the part's stimuli; at least two in each.
    fn groups(&self, group_of: &[Option<usize>], contrast: &Contrast) -> Result<TwoGroups> {
        let members = |group| (0..self.stimuli.len()).filter(|&k| group_of[self.stimuli[k]] == Some(group)).collect();
        let groups = TwoGroups { a: members(0), b: members(1) };
        if groups.a.len().min(groups.b.len()) < 2 {
            bail!(
                "contrast '{contrast}', part {}: {} and {} stimuli in the groups; each needs at least 2",
                self.name,
                groups.a.len(),
                groups.b.len()
            );
        }
        Ok(groups)
    }
}

type Zed = Result<Vec<f64>, Reason>;

fn list_stimuli(job: &Job, args: &Diverge, joined: &Joined, part: &Part, measure: Measure, out: Output) -> Result<()> {
    let columns = ["model", "subject", "rank", "stimulus", "model_z", "brain_z", "difference", "residual", "reason"];
    let mut table = TableWriter::new(out, args.format, &columns)?;
    let models = part.z(&joined.models, &joined.of_models, &part.models, measure);
    let brains = part.z(&joined.brains, &joined.of_brains, &part.brains, measure);
    let nan = || vec![f64::NAN; part.stimuli.len()];
    let mut reason_of: Vec<Vec<Option<Reason>>> = Vec::new();
    let mut gaps: Vec<Vec<Gaps>> = Vec::new();
    for ((model, _), &m) in models.iter().zip(&part.models) {
        let pair = |(brain, _): &(Zed, Option<f64>)| {
            let reason = model.as_ref().err().or(brain.as_ref().err()).copied();
            let z = |side: &Zed| side.clone().unwrap_or_else(|_| nan());
            (Gaps::of(&z(model), &z(brain)), reason)
        };
        let (row, reasons): (Vec<Gaps>, Vec<Option<Reason>>) = brains.iter().map(pair).unzip();
        for (reason, &b) in reasons.iter().zip(&part.brains) {
            if let Some(reason) = reason {
                job.warn(format!("{} and {}: {reason}", joined.models[m].name, joined.brains[b].name));
            }
        }
        gaps.push(row);
        reason_of.push(reasons);
    }
    let mut write = |model: &str, subject: &str, gaps: &Gaps, reason: Option<Reason>| -> Result<()> {
        let values = match args.rank_by {
            RankBy::Difference => &gaps.difference,
            RankBy::Residual => &gaps.residual,
        };
        let n = args.top.map_or(values.len(), |top| (top as usize).min(values.len()));
        for (rank, k) in by_size(values).into_iter().take(n).enumerate() {
            let stimulus = match &joined.ids {
                Some(ids) => ids[part.stimuli[k]].clone(),
                // Joined by position: the row is all the name there is.
                None => part.stimuli[k].to_string(),
            };
            table.record(&[
                ("model", model.into()),
                ("subject", subject.into()),
                ("rank", (rank + 1).into()),
                ("stimulus", stimulus.into()),
                ("model_z", gaps.model_z[k].into()),
                ("brain_z", gaps.brain_z[k].into()),
                ("difference", gaps.difference[k].into()),
                ("residual", gaps.residual[k].into()),
                ("reason", reason.into()),
            ])?;
        }
        Ok(())
    };
    let several = |n: usize| n > 1;
    for ((row, reasons), &m) in gaps.iter().zip(&reason_of).zip(&part.models) {
        let model = &joined.models[m].name;
        for ((gaps, reason), &b) in row.iter().zip(reasons).zip(&part.brains) {
            write(model, &joined.brains[b].name, gaps, *reason)?;
        }
        if several(row.len()) {
            let first = reasons.iter().find_map(|r| *r);
            write(model, MEAN, &Gaps::average(&row.iter().collect::<Vec<_>>()), first)?;
        }
    }
    if several(gaps.len()) {
        for (b, &brain) in part.brains.iter().enumerate() {
            let over: Vec<&Gaps> = gaps.iter().map(|row| &row[b]).collect();
            let first = reason_of.iter().find_map(|row| row[b]);
            write(MEAN, &joined.brains[brain].name, &Gaps::average(&over), first)?;
        }
        if several(part.brains.len()) {
            let first = reason_of.iter().flatten().find_map(|r| *r);
            write(MEAN, MEAN, &Gaps::average(&gaps.iter().flatten().collect::<Vec<_>>()), first)?;
        }
    }
    table.into_inner().commit(job)
}
