//! A beta per trial with a response and a penalty of each voxel's own.

use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};
use brain_formats::maps::{MapFormat, write_maps};
use brain_formats::volume_writer::Intent;
use cli::{Format, Input, Job, Named, Output, TableWriter};
use glm::{FittedRun, FittedTrials, GlmError, HrfLibrary, N_FRACTIONS, RESPONSE_STEP};
use ndarray::{Array2, ArrayView2};
use npy_stream::{Dtype, Labels, RowWriter};
use rayon::prelude::*;
use statistics::Reason;
use unit_tables::columns::{VOXEL, VOXEL_NAME};
use voxel_inputs::Inside;

use super::bold::Voxels;
use super::fit::{Odd, Place, named, place_of, prepared, require_one_size};
use super::trials::{Betas, Target, Trials, format_of, write_trials};
use super::{Designed, Plan, Repeats};

/// Voxels that one thread fits at a time: all runs of them are held in f8.
const BLOCK: usize = 512;

/// Seconds that a response needs: the beta of a trial this close to the end rests on a beginning of it.
const RESPONSE_SECONDS: f64 = 8.0;

/// What the sidecar says of betas that have been through one choice.
const NOT_INDEPENDENT: &str =
    "the betas of all runs share a penalty that was chosen by how well runs predict one another";

/// What is chosen for each voxel, where it goes.
pub(super) struct Choices<'a> {
    pub library: Option<&'a Input>,
    pub repeats: Option<Repeats>,
    /// Rows response, fraction and R2.
    pub maps: Option<(Output, &'a Path)>,
    /// A row per voxel.
    pub table: Option<Output>,
}

/// Betas of all runs, one trial after the other.
pub(super) fn run(
    job: &Job,
    plan: &Plan,
    runs: Vec<Designed>,
    inside: Option<&Inside>,
    target: Target,
    choices: Choices,
) -> Result<()> {
    require_one_size(&runs)?;
    let format = target.format(&runs)?;
    let map_format = match &choices.maps {
        Some((_, path)) => format_of(Some(path), &runs)?,
        None => None,
    };
    let library = match choices.library {
        Some(input) => read_library(job, input)?,
        None => HrfLibrary::nsd(),
    };
    let source = named(&runs);
    if runs.len() < 2 {
        bail!("{source}: 1 run; --betas fit chooses by how well runs predict one another, and needs 2 or more");
    }
    let models: Result<Vec<FittedRun>> = runs
        .iter()
        .map(|run| {
            FittedRun::new(&run.design, &run.events.events, run.timing, &library).with_context(|| run.run.name.clone())
        })
        .collect();
    let models = models?;
    let lost: Vec<Vec<usize>> = models.iter().map(FittedRun::not_estimable).collect();
    let trials = Trials::of(job, &runs, &lost);
    warn_of_times(job, &runs);
    let by = choices.repeats.unwrap_or_else(|| Repeats::usual(&runs));
    let (model, by_name) = (FittedTrials::new(models, &groups(by, &runs, &trials.ids)), by.column());
    let model = model.map_err(|error| match error {
        GlmError::TooFewRepeats { n_groups, n_runs } => anyhow::anyhow!(
            "{source}: {n_groups} {by_name} occur in 2 of the {n_runs} runs or more; --betas fit chooses by how well runs \
             predict one another's repeats, and needs 2 or more{}",
            if by == Repeats::Stimulus { " (or --repeats-by trial-type)" } else { "" }
        ),
        other => anyhow::Error::new(other).context(source.clone()),
    })?;
    let (n_groups, n_trials) = model.n_repeats();
    job.note(format!(
        "{source}: {n_groups} {by_name} with {n_trials} of {} trials occur in 2 runs or more; fractions are chosen by \
         them",
        trials.ids.len()
    ));
    if target.path.is_none() {
        job.note(format!("{source}: trials are not independent ({NOT_INDEPENDENT}); behind a pipe no record says so"));
    }
    let table = target.table.map(|table| write_trials(table, &runs, &trials.ids)).transpose()?;
    record(job, &library, choices.library, by);

    let volumes_after: u128 = runs[1..].iter().map(|run| run.run.n_volumes as u128).sum();
    let mut held: Vec<Voxels> = Vec::new();
    let (mut place, mut betas) = (None, None);
    for Designed { run, .. } in runs {
        let (name, space) = (run.name.clone(), run.space().cloned());
        let voxels = run.read(job, inside)?;
        place = Some(place_of(&voxels, &name, space, place)?);
        if betas.is_none() {
            let n = voxels.n_voxels();
            let beside = volumes_after * n as u128 * if voxels.is_f8 { 8 } else { 4 };
            betas = Some(Betas::new(&source, trials.ids.len(), n, target.dtype, voxels.is_f8, beside)?);
        }
        held.push(voxels);
    }
    let (Some(place), Some(mut betas)) = (place, betas) else { bail!("0 runs") };
    let mut chosen = Chosen::new(place.voxels.len());
    let mut odd = Odd::default();
    let n = place.voxels.len();
    let blocks: Vec<Range<usize>> = (0..n).step_by(BLOCK).map(|start| start..(start + BLOCK).min(n)).collect();
    let fit_block = |block: &Range<usize>| {
        let mut why: Vec<Option<Reason>> = vec![None; block.len()];
        let mut y: Vec<Array2<f64>> = Vec::new();
        let mut n_low = 0;
        for voxels in &held {
            let (own, found, low) = prepared(voxels, block, plan.scaling);
            why.iter_mut().zip(found).for_each(|(known, found)| *known = known.or(found));
            n_low += low;
            y.push(own);
        }
        for y in &mut y {
            for (mut column, _) in y.columns_mut().into_iter().zip(&why).filter(|(_, why)| why.is_some()) {
                column.fill(0.0);
            }
        }
        let fit = model.fit(&y)?;
        for (why, response) in why.iter_mut().zip(&fit.responses) {
            if why.is_none() && response.is_none() {
                *why = Some(Reason::ExplainedByControls);
            }
        }
        Ok((fit, why, n_low))
    };
    // As many blocks at a time as keep all threads busy: their betas are held twice.
    for some in blocks.chunks(4 * job.n_threads().max(1)) {
        let fits: Result<Vec<_>, GlmError> = some.par_iter().map(fit_block).collect();
        for (block, (fit, why, n_low)) in some.iter().zip(fits.with_context(|| source.clone())?) {
            odd.note(block.clone(), n, &why, n_low);
            betas.put(0, block.clone(), fit.betas.view());
            chosen.put(block.clone(), &fit.responses, &fit.fractions, &fit.r2, &why);
        }
    }
    drop(held);
    odd.warn(job, &source);
    let table_of_voxels = choices.table.map(|out| chosen.write_table(out, &place)).transpose()?;
    let maps = choices.maps.map(|(out, _)| chosen.write_maps(out, map_format, &place)).transpose()?;
    let out = betas.write(job, target.out, format, &place, trials)?;
    // The smaller files first: betas on stdout cannot be taken back where another does not fit on its disk.
    for smaller in [table, table_of_voxels, maps].into_iter().flatten() {
        smaller.commit(job)?;
    }
    out.commit(job)
}

/// What the sidecars say of the choice.
fn record(job: &Job, library: &HrfLibrary, given: Option<&Input>, by: Repeats) {
    job.record("betas", "fit");
    let name = given.map_or_else(|| "nsd".to_owned(), |input| input.to_string());
    job.record("hrf", name);
    job.record("n_responses", library.n_responses());
    job.record(
        "fractions",
        (0..N_FRACTIONS).map(|k| (N_FRACTIONS - k) as f64 / N_FRACTIONS as f64).collect::<Vec<_>>(),
    );
    job.record("repeats_by", by.column());
    job.record("autoscale", true);
    job.record(cli::DEPENDENT_TRIALS, NOT_INDEPENDENT);
}

impl Repeats {
    /// What ids say, where events name stimuli.
    fn usual(runs: &[Designed]) -> Repeats {
        let named = runs.iter().flat_map(|run| &run.events.stimuli).any(Option::is_some);
        if named { Repeats::Stimulus } else { Repeats::TrialType }
    }

    fn column(self) -> &'static str {
        match self {
            Repeats::Stimulus => "stimuli",
            Repeats::TrialType => "trial types",
        }
    }
}

/// What each trial is a presentation of.
fn groups(by: Repeats, runs: &[Designed], ids: &[String]) -> Vec<usize> {
    let conditions = runs.iter().flat_map(|run| &run.events.events).map(|event| event.condition.as_str());
    let names: Vec<&str> = match by {
        Repeats::Stimulus => ids.iter().map(String::as_str).collect(),
        Repeats::TrialType => conditions.collect(),
    };
    let mut numbers = HashMap::new();
    names
        .into_iter()
        .map(|name| {
            let next = numbers.len();
            *numbers.entry(name).or_insert(next)
        })
        .collect()
}

fn warn_of_times(job: &Job, runs: &[Designed]) {
    for Designed { run, timing, events, .. } in runs {
        let end = timing.n_volumes as f64 * timing.tr;
        let n_late = events.events.iter().filter(|event| end - event.onset < RESPONSE_SECONDS).count();
        if n_late > 0 {
            job.warn(format!(
                "{}: {n_late} trials begin less than {RESPONSE_SECONDS} s before the end at {end} s; their betas rest on \
                 a part of the response, and weigh on the fraction of every voxel: leave them out of the events",
                run.name
            ));
        }
        let n_impulses = events.events.iter().filter(|event| event.duration < RESPONSE_STEP / 2.0).count();
        if n_impulses > 0 {
            job.note(format!("{}: {n_impulses} events are shorter than {RESPONSE_STEP} s; taken as that", run.name));
        }
    }
}

/// A response per column, a line per tenth of a second, no names: GLMsingle's `getcanonicalhrflibrary.tsv` is one.
fn read_library(job: &Job, input: &Input) -> Result<HrfLibrary> {
    let mut text = String::new();
    job.open(input)?.reader().read_to_string(&mut text).with_context(|| input.to_string())?;
    let (mut values, mut n_columns, mut n_lines) = (Vec::new(), 0, 0);
    for (line, content) in text.lines().enumerate().filter(|(_, content)| !content.trim().is_empty()) {
        let before = values.len();
        for cell in content.split(['\t', ',', ' ']).filter(|cell| !cell.is_empty()) {
            let number: Option<f64> = stimulus_table::number(cell).ok().filter(|value| value.is_finite());
            let Some(number) = number else {
                bail!(
                    "{input}: line {} has {cell:?}; expected numbers alone: a column per response, a line per \
                     {RESPONSE_STEP} s",
                    line + 1
                );
            };
            values.push(number);
        }
        let found = values.len() - before;
        if n_lines > 0 && found != n_columns {
            bail!("{input}: line {} has {found} numbers, the first {n_columns}; a column per response", line + 1);
        }
        (n_columns, n_lines) = (found, n_lines + 1);
    }
    let responses = ArrayView2::from_shape((n_lines, n_columns), &values)?;
    HrfLibrary::new(responses).with_context(|| input.to_string())
}

/// What was chosen for the voxels inside the mask.
struct Chosen {
    responses: Vec<Option<usize>>,
    fractions: Vec<f64>,
    r2: Vec<f64>,
    reasons: Vec<Option<Reason>>,
}

/// The rows of the maps.
const MAPS: [&str; 3] = ["response", "fraction", "R2"];

impl Chosen {
    fn new(n: usize) -> Chosen {
        Chosen { responses: vec![None; n], fractions: vec![f64::NAN; n], r2: vec![f64::NAN; n], reasons: vec![None; n] }
    }

    fn put(
        &mut self,
        block: Range<usize>,
        responses: &[Option<usize>],
        fractions: &[f64],
        r2: &[f64],
        why: &[Option<Reason>],
    ) {
        self.responses[block.clone()].copy_from_slice(responses);
        self.fractions[block.clone()].copy_from_slice(fractions);
        self.r2[block.clone()].copy_from_slice(r2);
        self.reasons[block].copy_from_slice(why);
    }

    fn write_table(&self, out: Output, place: &Place) -> Result<Output> {
        let mut columns = vec![VOXEL, "response", "fraction", "R2", "reason"];
        columns.extend(place.names.is_some().then_some(VOXEL_NAME));
        let mut table = TableWriter::new(out, Format::Csv, &columns)?;
        for (k, &voxel) in place.voxels.iter().enumerate() {
            let mut cells: Vec<Named> = vec![
                (VOXEL, voxel.into()),
                ("response", self.responses[k].into()),
                ("fraction", self.fractions[k].into()),
                ("R2", self.r2[k].into()),
                ("reason", self.reasons[k].into()),
            ];
            cells.extend(place.names.as_ref().map(|names| (VOXEL_NAME, (&names[voxel]).into())));
            table.record(&cells)?;
        }
        Ok(table.into_inner())
    }

    fn write_maps(&self, mut out: Output, format: Option<MapFormat>, place: &Place) -> Result<Output> {
        let number = |response: &Option<usize>| response.map_or(f64::NAN, |response| response as f64);
        let values = [self.responses.iter().map(number).collect(), self.fractions.clone(), self.r2.clone()];
        let spread = |values: &Vec<f64>| {
            let mut all = vec![f64::NAN; place.n_grid];
            place.voxels.iter().zip(values).for_each(|(&voxel, value)| all[voxel] = *value);
            all
        };
        match (format, &place.space) {
            (Some(format), Some(space)) => {
                let narrow = |values| spread(values).into_iter().map(|value| value as f32).collect();
                let all: Vec<Vec<f32>> = values.iter().map(narrow).collect();
                let maps: Vec<(&str, &[f32])> =
                    MAPS.into_iter().zip(&all).map(|(name, map)| (name, &map[..])).collect();
                write_maps(&mut out, format, &maps, space, Intent::None)?;
            }
            _ => {
                let mut rows = RowWriter::new(&mut out, MAPS.len(), place.n_grid, Dtype::F8)?;
                let all: Vec<f64> = values.iter().flat_map(spread).collect();
                rows.write_rows(ArrayView2::from_shape((MAPS.len(), place.n_grid), &all)?)?;
                let ids = Some(MAPS.map(str::to_owned).to_vec());
                rows.finish(&Labels { ids, columns: place.names.clone(), name: None })?;
            }
        }
        Ok(out)
    }
}
