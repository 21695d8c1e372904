//! `tuning match`: for every voxel the unit whose tuning follows it best, judged on stimuli that did not choose it.

mod averages;
mod best_unit;
mod parts;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use array_inputs::{Called, JoinArgs, NamedMatrix, Names, Next, each_array, read_matrix, refuse_position_of_trials};
use cli::{Common, Format, Input, Job, Named, Output, OutputPath, TableWriter};
use ndarray::ArrayView2;
use npy_stream::PartBuffer;
use reliability::Repeats;
use statistics::{Correlation, Reason, mean, median};
use stimulus_table::{Condition, Side};
use unit_tables::columns::{ARRAY, CRITERION, FOLD, N_UNITS, UNIT, UNIT_NAME, VOXEL, VOXEL_NAME};

use averages::{Held, averaged};
use best_unit::{Best, Tunings};
use parts::Parts;

/// For every voxel (or for a profile) the unit whose tuning over stimuli follows it best, chosen on one half of the
/// stimuli and judged on the other: a localizer aligned with the brain
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input:
  --model: responses of units, any number of arrays (layers), each matched by itself; a layer in a
  file is read in blocks of units, twice. --brain: one matrix, a column per voxel, or the profile of
  a region (`tuning profile ffa.npy`). Joined by id; presentations of a stimulus are averaged.
Halves:
  The ids of --brain are dealt into two halves by --seed: one chooses, the other judges, and all
  presentations of a stimulus stand in one of them. --train COLUMN=VALUE[,VALUE...] takes those
  stimuli to choose and all others with a value to judge. --cv K makes K parts and holds each out in turn
  (2: both ways round); the rest chooses. The same ids have the same parts for every layer.
Output: a table of units, as select-units writes it (npy cols --units takes it)
  array         the layer
  fold          with --cv: the part that was held out; each has a set of its own
  unit          column of the array, from 0; one row per unit that is the best of some voxel
  n_units       units of the array
  n_voxels      voxels that it is the best unit of
  r_train       correlation where it was chosen, mean over those voxels: the largest of very many, so
                high where there is nothing; not a result
  r             correlation on the stimuli held out, mean over those voxels that have one
  criterion     what was asked of a unit
  reason        why r is NaN: constant or nan_input in the part held out
  unit_name     only where units have names
--voxels FILE: one row per array, voxel (and fold, and one over them, fold `mean`)
  array, fold, voxel
  unit          its best unit; empty where it has none
  r_train, r    correlation where the unit was chosen, and on the stimuli held out
  n_train, n_test
                stimuli of the two parts
  reason        why numbers are NaN: constant, nan_input (the voxel, or the unit on the stimuli held
                out), no_usable_unit
  unit_name, voxel_name
--parts FILE: stimulus and part (train or test; with --cv the fold that holds it out), so that what
  comes next can be done on stimuli that chose nothing (npy rows --stimuli FILE --where part=test).
Units with a NaN in a stimulus, and units constant where they would be chosen, are nobody's best. Of
units whose correlations differ by rounding only (below 1e-12) the lowest is taken. Under --compare
spearman columns are rho_train and rho.

Examples:
  tuning match --model acts.npy --brain ffa.npy > matched.csv
  tuning match --model acts.npy --brain ffa.npy --cv 2 --voxels voxels.csv -o matched.csv
  tuning profile ffa.npy | tuning match --model layer3.npy layer4.npy --brain -")]
pub(crate) struct Match {
    /// Responses of units: .npy files, each possibly a stream of several arrays; - is stdin
    #[arg(long, value_name = "ACTS", num_args = 1.., required = true)]
    model: Vec<Input>,
    /// Responses of voxels, or a profile: one matrix; - is stdin
    #[arg(long, value_name = "BRAIN")]
    brain: Input,
    /// pearson or spearman
    #[arg(long, value_parser = crate::compare::comparison, default_value = "pearson")]
    compare: Correlation,
    /// Parts of the stimuli, each held out in turn, instead of one half
    #[arg(long, value_name = "K", conflicts_with = "train")]
    cv: Option<usize>,
    /// Seed of the halves or parts [default: 0]
    #[arg(long, value_name = "N", conflicts_with = "train")]
    seed: Option<u64>,
    /// Stimuli that choose: those with one of these values in --stimuli (a value with a comma alone and in quotes); the
    /// others with a value judge
    #[arg(long, value_name = "COLUMN=VALUES", requires = "stimuli")]
    train: Option<Condition>,
    /// Table of the stimuli, for --train
    #[arg(long, value_name = "TABLE", requires = "train")]
    stimuli: Option<Input>,
    /// Write a table with one row per voxel
    #[arg(long, value_name = "FILE")]
    voxels: Option<OutputPath>,
    /// Write which part each stimulus is in
    #[arg(long, value_name = "FILE")]
    parts: Option<OutputPath>,
    /// Names of the arrays of --model, in order [default: their own, else file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    names: Vec<String>,
    #[command(flatten)]
    join: JoinArgs,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// Responses held at once, of a block of units.
const BLOCK_BYTES: usize = 1 << 25;
/// Units of a block where stimuli are few.
const MAX_UNITS: usize = 4096;
/// A correlation of two values is 1 or -1.
const FEWEST_STIMULI: usize = 3;

pub(crate) fn run(args: &Match) -> Result<()> {
    let job = Job::start("tuning", &args.common)?;
    let outputs = Outputs::create(&job, args)?;
    let brain = Brain::read(&job, args)?;
    brain.record(&job, args);
    let mut names = Names::distinct(&args.names).of_files(&args.model);
    let mut matched = Vec::new();
    each_array(&job, &args.model, |Next { input, position, source, array }| {
        names.require(matched.len(), input)?;
        let (held, labels) = Held::take(array, &source)?;
        let name = names.next(&Called::new(input, position, labels.name.as_deref()))?;
        let model = Model::new(&source, name, held, labels.ids, labels.columns)?;
        matched.push(match_array(&job, args, &brain, model)?);
        Ok(())
    })?;
    names.finish()?;
    outputs.write(&job, args, &brain, &matched)
}

/// The voxels, and which of their stimuli choose.
struct Brain {
    named: NamedMatrix,
    repeats: Repeats,
    /// One per stimulus, in the order of `repeats`.
    ids: Option<Vec<String>>,
    parts: Parts,
}

impl Brain {
    fn read(job: &Job, args: &Match) -> Result<Brain> {
        let named = read_matrix(job, &args.brain)?;
        let (n_rows, n_voxels) = (named.matrix.n_rows(), named.matrix.n_columns());
        if n_voxels == 0 {
            bail!("{}: {n_rows} rows of 0 voxels; nothing to match", named.source);
        }
        let (repeats, ids) = stimuli_of(named.labels.ids.as_deref(), n_rows);
        let parts = match (&args.train, &args.stimuli) {
            (Some(train), Some(table)) => {
                Parts::by_column(job, (&named.source, ids.as_deref()), table, train, args.join)?
            }
            _ => Parts::dealt(ids.as_deref(), repeats.n_stimuli(), args.cv, args.seed.unwrap_or(0))
                .with_context(|| named.source.clone())?,
        };
        if args.parts.is_some() && ids.is_none() {
            bail!("{}: 0 ids, and --parts writes them; label the rows with `npy label`", named.source);
        }
        Ok(Brain { named, repeats, ids, parts })
    }

    fn side(&self) -> Side<'_> {
        Side { name: &self.named.source, labels: self.ids.as_deref(), n_rows: self.repeats.n_stimuli() }
    }

    fn record(&self, job: &Job, args: &Match) {
        job.record("compare", args.compare.as_str());
        match &args.train {
            Some(train) => job.record("train", train.to_string()),
            None => {
                job.record("n_parts", args.cv.unwrap_or(2));
                job.record("seed", args.seed.unwrap_or(0));
            }
        }
        job.record("n_voxels", self.named.matrix.n_columns());
    }
}

/// Which rows are presentations of one stimulus, and the ids of the stimuli.
fn stimuli_of(ids: Option<&[String]>, n_rows: usize) -> (Repeats, Option<Vec<String>>) {
    match ids {
        None => (Repeats::by_id(&(0..n_rows).collect::<Vec<_>>()), None),
        Some(ids) => {
            let repeats = Repeats::by_id(ids);
            let first = (0..repeats.n_stimuli()).map(|s| ids[repeats.rows_of(s)[0]].clone()).collect();
            (repeats, Some(first))
        }
    }
}

/// One layer.
struct Model {
    source: String,
    name: String,
    held: Held,
    repeats: Repeats,
    ids: Option<Vec<String>>,
    unit_names: Option<Vec<String>>,
}

impl Model {
    fn new(
        source: &str,
        name: String,
        held: Held,
        ids: Option<Vec<String>>,
        unit_names: Option<Vec<String>>,
    ) -> Result<Model> {
        let (n_rows, n_units) = held.shape();
        if n_units == 0 {
            bail!("{source}: {n_rows} rows of 0 units; nothing to match");
        }
        let (repeats, ids) = stimuli_of(ids.as_deref(), n_rows);
        Ok(Model { source: source.to_owned(), name, held, repeats, ids, unit_names })
    }

    fn side(&self) -> Side<'_> {
        Side { name: &self.source, labels: self.ids.as_deref(), n_rows: self.repeats.n_stimuli() }
    }
}

/// The best unit of a voxel, and how well it follows.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Score {
    unit: Option<usize>,
    r_train: f64,
    r: f64,
    reason: Option<Reason>,
}

/// What was found in one layer.
struct Matched {
    array: String,
    n_units: usize,
    unit_names: Option<Vec<String>>,
    folds: Vec<Fold>,
}

/// One part held out.
struct Fold {
    name: String,
    /// Places of the joined stimuli that choose, and that judge.
    train: Vec<usize>,
    test: Vec<usize>,
    /// One per voxel.
    scores: Vec<Score>,
}

fn match_array(job: &Job, args: &Match, brain: &Brain, model: Model) -> Result<Matched> {
    let sides = [brain.side(), model.side()];
    refuse_position_of_trials(&sides, &[brain.named.matrix.n_rows(), model.held.shape().0])?;
    let joined = args.join.join(job, sides[0], sides[1])?;
    let mut folds = Vec::new();
    for &part in &brain.parts.held_out {
        let (train, test) = brain.parts.split(&joined.left, part);
        for (places, does) in [(&train, "choose"), (&test, "judge")] {
            if places.len() < FEWEST_STIMULI {
                bail!(
                    "{} and {}: {} of {} common stimuli {does}; a correlation needs at least {FEWEST_STIMULI}{}",
                    model.source,
                    brain.named.source,
                    places.len(),
                    joined.len(),
                    if args.cv.is_some() { ": ask for fewer parts with --cv" } else { "" }
                );
            }
        }
        folds.push(Fold { name: brain.parts.name(part), train, test, scores: Vec::new() });
    }
    let responses = averaged(brain.named.matrix.view(), &brain.repeats, &joined.left);
    let voxels: Vec<Tunings> =
        folds.iter().map(|fold| Tunings::of(responses.view(), &fold.train, args.compare)).collect();

    let blocks = Blocks { model: &model, stimuli: &joined.right };
    let unusable = choose(job, args, &blocks, &voxels, &mut folds)?;
    judge(args, &blocks, responses.view(), &mut folds)?;
    let unit_names = model.unit_names.clone();
    let matched = Matched { array: model.name, n_units: model.held.shape().1, unit_names, folds };
    matched.sum_up(job, brain, unusable);
    Ok(matched)
}

/// The averaged responses of a layer to the joined stimuli, in blocks of units.
struct Blocks<'a> {
    model: &'a Model,
    stimuli: &'a [usize],
}

impl Blocks<'_> {
    /// Calls `take` with the first unit of each block that is `wanted` and the responses (units x stimuli).
    fn each(&self, wanted: impl Fn(usize, usize) -> bool, mut take: impl FnMut(usize, ArrayView2<f64>)) -> Result<()> {
        let (n_rows, n_units) = self.model.held.shape();
        let width = (BLOCK_BYTES / (8 * n_rows.max(1))).clamp(1, MAX_UNITS);
        let mut buffer = PartBuffer::default();
        for first in (0..n_units).step_by(width) {
            let end = (first + width).min(n_units);
            if wanted(first, end) {
                let held = &self.model.held;
                let block = held.averaged(first..end, &self.model.repeats, self.stimuli, &mut buffer);
                take(first, block.with_context(|| self.model.source.clone())?.view());
            }
        }
        Ok(())
    }
}

/// Units that could not be chosen.
#[derive(Debug, Clone, Copy, Default)]
struct Unusable {
    /// In the training stimuli of the first fold.
    n_constant: usize,
    /// In any stimulus.
    n_nan: usize,
}

/// The best unit of every voxel in every fold.
fn choose(job: &Job, args: &Match, blocks: &Blocks, voxels: &[Tunings], folds: &mut [Fold]) -> Result<Unusable> {
    let n_voxels = voxels.first().map_or(0, |v| v.reasons.len());
    let mut best = vec![Best::of_none(n_voxels); folds.len()];
    let mut unusable = Unusable::default();
    let progress = job.progress(blocks.model.held.shape().1, "units");
    blocks.each(
        |_, _| true,
        |first, responses| {
            let is_nan: Vec<bool> =
                responses.rows().into_iter().map(|unit| unit.iter().any(|v| !v.is_finite())).collect();
            unusable.n_nan += is_nan.iter().filter(|nan| **nan).count();
            for (fold, ((best, voxels), parts)) in best.iter_mut().zip(voxels).zip(&*folds).enumerate() {
                let mut units = Tunings::of(responses, &parts.train, args.compare);
                // A unit that could not be judged is not chosen.
                units.reasons.iter_mut().zip(&is_nan).filter(|(_, nan)| **nan).for_each(|(reason, _)| {
                    *reason = Some(Reason::NanInput);
                });
                if fold == 0 {
                    unusable.n_constant += units.reasons.iter().filter(|r| **r == Some(Reason::Constant)).count();
                }
                best.consider(first, &units, voxels);
            }
            progress.advance(responses.nrows());
        },
    )?;
    for ((fold, best), voxels) in folds.iter_mut().zip(best).zip(voxels) {
        let score = |(found, reason): (Option<(usize, f64)>, &Option<Reason>)| Score {
            unit: found.map(|(unit, _)| unit),
            r_train: f64::NAN,
            r: f64::NAN,
            reason: if found.is_some() { None } else { reason.or(Some(Reason::NoUsableUnit)) },
        };
        fold.scores = best.found.into_iter().zip(&voxels.reasons).map(score).collect();
    }
    Ok(unusable)
}

/// The correlations of every voxel with its unit, on both parts.
fn judge(args: &Match, blocks: &Blocks, voxels: ArrayView2<f64>, folds: &mut [Fold]) -> Result<()> {
    let mut chosen: Vec<usize> = folds.iter().flat_map(|fold| &fold.scores).filter_map(|score| score.unit).collect();
    chosen.sort_unstable();
    let any_in =
        |first: usize, end: usize| chosen.partition_point(|u| *u < first) < chosen.partition_point(|u| *u < end);
    blocks.each(any_in, |first, responses| {
        for Fold { train, test, scores, .. } in folds.iter_mut() {
            for (voxel, score) in scores.iter_mut().enumerate() {
                let place = score.unit.and_then(|unit| unit.checked_sub(first)).filter(|p| *p < responses.nrows());
                let Some(place) = place else { continue };
                let pick = |of: &ArrayView2<f64>, row: usize, places: &[usize]| -> Vec<f64> {
                    places.iter().map(|&stimulus| of[(row, stimulus)]).collect()
                };
                score.r_train = args.compare.of(&pick(&responses, place, train), &pick(&voxels, voxel, train));
                let (unit, measured) = (pick(&responses, place, test), pick(&voxels, voxel, test));
                score.r = args.compare.of(&unit, &measured);
                score.reason = Reason::of(&measured).or_else(|| Reason::of(&unit));
            }
        }
    })
}

impl Matched {
    /// What the reader of the tables must know, on stderr.
    fn sum_up(&self, job: &Job, brain: &Brain, unusable: Unusable) {
        for fold in &self.folds {
            let found = |of: fn(&Score) -> f64| {
                median(&fold.scores.iter().map(of).filter(|v| !v.is_nan()).collect::<Vec<f64>>())
            };
            let n_matched = fold.scores.iter().filter(|score| score.unit.is_some()).count();
            let part = if brain.parts.is_cross_validated { format!("fold {}: ", fold.name) } else { String::new() };
            job.note(format!(
                "{}: {part}{n_matched} of {} voxels have a best unit, {} of {} units; median correlation {:.3} where they \
                 were chosen ({} stimuli), {:.3} on the stimuli held out ({})",
                self.array,
                fold.scores.len(),
                self.units_of(fold).len(),
                self.n_units,
                found(|s| s.r_train),
                fold.train.len(),
                found(|s| s.r),
                fold.test.len()
            ));
            let reasons: Vec<Reason> = fold.scores.iter().filter_map(|score| score.reason).collect();
            if !reasons.is_empty() {
                job.warn(format!(
                    "{}: {part}{} of {} voxels have no held-out correlation: {}",
                    self.array,
                    reasons.len(),
                    fold.scores.len(),
                    Reason::counted(reasons.iter().copied())
                ));
            }
        }
        let Unusable { n_constant, n_nan } = unusable;
        if n_constant + n_nan > 0 {
            let text = format!(
                "{}: {} of {} units cannot be chosen: {n_constant} constant, {n_nan} nan_input",
                self.array,
                n_constant + n_nan,
                self.n_units
            );
            if n_nan > 0 { job.warn(text) } else { job.note(text) }
        }
    }

    /// The units that were chosen, rising, and the voxels of each.
    fn units_of(&self, fold: &Fold) -> BTreeMap<usize, Vec<usize>> {
        let mut units: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (voxel, score) in fold.scores.iter().enumerate() {
            if let Some(unit) = score.unit {
                units.entry(unit).or_default().push(voxel);
            }
        }
        units
    }
}

/// Created before the work, so that a missing folder stops it at once.
struct Outputs {
    units: Output,
    voxels: Option<Output>,
    parts: Option<Output>,
}

impl Outputs {
    fn create(job: &Job, args: &Match) -> Result<Outputs> {
        let text = |path: &Option<OutputPath>| path.as_deref().map(|p| job.text_output(Some(p))).transpose();
        Ok(Outputs {
            units: job.text_output(args.common.output.as_deref())?,
            voxels: text(&args.voxels)?,
            parts: text(&args.parts)?,
        })
    }

    /// Writes everything, then gives the files their names.
    fn write(self, job: &Job, args: &Match, brain: &Brain, matched: &[Matched]) -> Result<()> {
        let units = write_units(self.units, args, brain, matched)?;
        let voxels = self.voxels.map(|out| write_voxels(out, args, brain, matched)).transpose()?;
        let parts = self.parts.map(|out| write_parts(out, args, brain)).transpose()?;
        for out in [voxels, parts].into_iter().flatten() {
            out.commit(job)?;
        }
        units.commit(job)
    }
}

/// What the two correlations are called.
fn statistics_of(args: &Match) -> [&'static str; 2] {
    if args.compare == Correlation::Spearman { ["rho_train", "rho"] } else { ["r_train", "r"] }
}

fn have_unit_names(matched: &[Matched]) -> bool {
    matched.iter().any(|layer| layer.unit_names.is_some())
}

fn write_units(out: Output, args: &Match, brain: &Brain, matched: &[Matched]) -> Result<Output> {
    let [r_train, r] = statistics_of(args);
    let has_names = have_unit_names(matched);
    let is_folded = brain.parts.is_cross_validated;
    let criterion = format!("best {} with {}", args.compare, brain.named.name);
    let mut columns = vec![ARRAY];
    columns.extend(is_folded.then_some(FOLD));
    columns.extend([UNIT, N_UNITS, "n_voxels", r_train, r, CRITERION, "reason"]);
    columns.extend(has_names.then_some(UNIT_NAME));
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for layer in matched {
        for fold in &layer.folds {
            for (unit, voxels) in layer.units_of(fold) {
                let over = |of: fn(&Score) -> f64| {
                    let values = voxels.iter().map(|&voxel| of(&fold.scores[voxel])).filter(|v| !v.is_nan());
                    mean(&values.collect::<Vec<f64>>())
                };
                let held_out = over(|score| score.r);
                let reason = voxels.iter().find_map(|&voxel| fold.scores[voxel].reason).filter(|_| held_out.is_nan());
                let mut cells: Vec<Named> = vec![(ARRAY, (&layer.array).into())];
                cells.extend(is_folded.then_some((FOLD, (&fold.name).into())));
                cells.extend([
                    (UNIT, unit.into()),
                    (N_UNITS, layer.n_units.into()),
                    ("n_voxels", voxels.len().into()),
                    (r_train, over(|score| score.r_train).into()),
                    (r, held_out.into()),
                    (CRITERION, (&criterion).into()),
                    ("reason", reason.into()),
                ]);
                let name = layer.unit_names.as_ref().map(|names| &names[unit]);
                cells.extend(has_names.then(|| (UNIT_NAME, name.into())));
                table.record(&cells)?;
            }
        }
    }
    Ok(table.into_inner())
}

fn write_voxels(out: Output, args: &Match, brain: &Brain, matched: &[Matched]) -> Result<Output> {
    let [r_train, r] = statistics_of(args);
    let has_unit_names = have_unit_names(matched);
    let voxel_names = brain.named.labels.columns.as_ref();
    let is_folded = brain.parts.is_cross_validated;
    let mut columns = vec![ARRAY];
    columns.extend(is_folded.then_some(FOLD));
    columns.extend([VOXEL, UNIT, r_train, r, "n_train", "n_test", "reason"]);
    columns.extend(has_unit_names.then_some(UNIT_NAME));
    columns.extend(voxel_names.map(|_| VOXEL_NAME));
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for layer in matched {
        let n_voxels = layer.folds.first().map_or(0, |fold| fold.scores.len());
        let mut write = |name: &str, scores: &[Score], counts: Option<[usize; 2]>| {
            table.records(n_voxels, |voxel| {
                let score = scores[voxel];
                let mut cells: Vec<Named> = vec![(ARRAY, (&layer.array).into())];
                cells.extend(is_folded.then(|| (FOLD, name.to_owned().into())));
                cells.extend([
                    (VOXEL, voxel.into()),
                    (UNIT, score.unit.into()),
                    (r_train, score.r_train.into()),
                    (r, score.r.into()),
                    ("n_train", counts.map(|[train, _]| train).into()),
                    ("n_test", counts.map(|[_, test]| test).into()),
                    ("reason", score.reason.into()),
                ]);
                let unit_name = score.unit.and_then(|unit| layer.unit_names.as_ref().map(|names| &names[unit]));
                cells.extend(has_unit_names.then(|| (UNIT_NAME, unit_name.into())));
                cells.extend(voxel_names.map(|names| (VOXEL_NAME, (&names[voxel]).into())));
                cells
            })
        };
        for fold in &layer.folds {
            write(&fold.name, &fold.scores, Some([fold.train.len(), fold.test.len()]))?;
        }
        if is_folded {
            let over: Vec<Score> = (0..n_voxels).map(|voxel| over_folds(&layer.folds, voxel)).collect();
            write("mean", &over, None)?;
        }
    }
    Ok(table.into_inner())
}

/// The mean over the folds; NaN where it is in one of them, with its reason.
fn over_folds(folds: &[Fold], voxel: usize) -> Score {
    let over = |of: fn(&Score) -> f64| mean(&folds.iter().map(|fold| of(&fold.scores[voxel])).collect::<Vec<f64>>());
    Score {
        unit: None,
        r_train: over(|score| score.r_train),
        r: over(|score| score.r),
        reason: folds.iter().find_map(|fold| fold.scores[voxel].reason),
    }
}

fn write_parts(out: Output, args: &Match, brain: &Brain) -> Result<Output> {
    let mut table = TableWriter::new(out, args.format, &["stimulus", "part"])?;
    for (id, part) in brain.ids.iter().flatten().zip(&brain.parts.of_stimulus) {
        table.record(&[("stimulus", id.into()), ("part", part.map(|part| brain.parts.name(part)).into())])?;
    }
    Ok(table.into_inner())
}
