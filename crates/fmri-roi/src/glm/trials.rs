//! A beta per trial.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use brain_formats::maps::{MapFormat, write_maps};
use brain_formats::volume_writer::Intent;
use cli::{Format, Job, Output, TableWriter, require_memory};
use glm::{GlmError, PerTrial, TrialModel, trial_columns};
use ndarray::{ArrayView2, s};
use npy_stream::{Dtype, Labels, RowWriter};
use rayon::prelude::*;
use voxel_inputs::{Inside, map_name};

use super::fit::{Odd, Place, blocks, named, place_of, prepared, require_one_size};
use super::{Designed, Plan};

/// Where the betas go.
pub(super) struct Target<'a> {
    pub out: Output,
    pub path: Option<&'a Path>,
    pub dtype: Option<Dtype>,
    /// For a row per trial.
    pub table: Option<Output>,
}

/// Values that are written at a time.
const WRITTEN_AT_ONCE: usize = 1 << 20;

/// Betas of all runs, one trial after the other.
pub(super) fn run(
    job: &Job,
    plan: &Plan,
    how: PerTrial,
    runs: Vec<Designed>,
    inside: Option<&Inside>,
    target: Target,
) -> Result<()> {
    require_one_size(&runs)?;
    let format = target.format(&runs)?;
    let models = runs.iter().map(|run| model(plan, how, run)).collect::<Result<Vec<_>>>()?;
    let lost: Vec<Vec<usize>> = models.iter().map(TrialModel::not_estimable).collect();
    let trials = Trials::of(job, &runs, &lost);
    let table = target.table.map(|table| write_trials(table, &runs, &trials.ids)).transpose()?;
    let source = named(&runs);
    let mut place = None;
    let mut betas: Option<Betas> = None;
    let (mut first, mut odd) = (0, Odd::default());
    for (Designed { run, .. }, model) in runs.into_iter().zip(models) {
        let (name, space) = (run.name.clone(), run.space().cloned());
        let voxels = run.read(job, inside)?;
        let n = voxels.n_voxels();
        place = Some(place_of(&voxels, &name, space, place)?);
        let betas = match &mut betas {
            Some(betas) => betas,
            none => none.insert(Betas::new(&source, trials.ids.len(), n, target.dtype, voxels.is_f8, 0)?),
        };
        let blocks = blocks(n);
        let fit_block = |block: &Range<usize>| {
            let (y, why, n_low) = prepared(&voxels, block, plan.scaling);
            let mut fit = model.fit(y.view())?;
            for (k, _) in why.iter().enumerate().filter(|(_, why)| why.is_some()) {
                fit.slice_mut(s![.., k]).fill(f64::NAN);
            }
            Ok((fit, why, n_low))
        };
        let mut n_own = 0;
        // As many blocks at a time as keep all threads busy: their betas are held twice.
        for some in blocks.chunks(4 * job.n_threads().max(1)) {
            let fits: Result<Vec<_>, GlmError> = some.par_iter().map(fit_block).collect();
            for (block, (fit, why, n_low)) in some.iter().zip(fits.with_context(|| name.clone())?) {
                odd.note(block.clone(), n, &why, n_low);
                n_own = fit.nrows();
                betas.put(first, block.clone(), fit.view());
            }
        }
        first += n_own;
    }
    odd.warn(job, &source);
    let (Some(place), Some(betas)) = (place, betas) else { anyhow::bail!("0 runs") };
    job.record("betas", if how == PerTrial::Lss { "lss" } else { "lsa" });
    let out = betas.write(job, target.out, format, &place, trials)?;
    // The smaller file first: betas on stdout cannot be taken back where the table does not fit on its disk.
    table.map(|table| table.commit(job)).transpose()?;
    out.commit(job)
}

impl Target<'_> {
    /// The format of the image that was asked for; an error where the runs have none such.
    pub fn format(&self, runs: &[Designed]) -> Result<Option<MapFormat>> {
        let format = format_of(self.path, runs)?;
        if format.is_some() && self.dtype.is_some_and(|dtype| dtype != Dtype::F4) {
            anyhow::bail!("--dtype: images are written as f4");
        }
        Ok(format)
    }
}

/// The format of an image of this name; `None` is a matrix.
pub(super) fn format_of(path: Option<&Path>, runs: &[Designed]) -> Result<Option<MapFormat>> {
    let format = path.and_then(map_name);
    match (format, runs[0].run.space()) {
        (Some(_), None) => anyhow::bail!("{}: a .npy run has no geometry; name a .npy file", named(runs)),
        (Some(format), Some(space)) => {
            if let Some(refusal) = format.refusal(space) {
                anyhow::bail!("{}: {refusal}", named(runs));
            }
        }
        (None, _) => {}
    }
    Ok(format)
}

/// The trials of all runs.
pub(super) struct Trials {
    pub ids: Vec<String>,
    conditions: Vec<String>,
    /// From 1.
    of_run: Vec<usize>,
}

impl Trials {
    /// Names them, and says which of each run have no beta.
    pub fn of(job: &Job, runs: &[Designed], lost: &[Vec<usize>]) -> Trials {
        let mut trials = Trials { ids: Vec::new(), conditions: Vec::new(), of_run: Vec::new() };
        let mut n_of = BTreeMap::new();
        for (k, (run, lost)) in runs.iter().zip(lost).enumerate() {
            let own = run.events.ids(&mut n_of);
            let lost: Vec<String> = lost.iter().map(|trial| format!("{:?}", own[*trial])).collect();
            if !lost.is_empty() {
                job.warn(format!(
                    "{}: {} of {} trials have no beta, since they cannot be told from others: {}",
                    run.run.name,
                    lost.len(),
                    own.len(),
                    lost.join(", ")
                ));
            }
            trials.conditions.extend(run.events.events.iter().map(|event| event.condition.clone()));
            trials.of_run.extend(std::iter::repeat_n(k + 1, own.len()));
            trials.ids.extend(own);
        }
        say_what_ids_are(job, runs);
        trials
    }
}

/// The betas of all trials at the voxels inside the mask, in the width in which they are written.
pub(super) struct Betas {
    source: String,
    n_voxels: usize,
    dtype: Dtype,
    f4: Vec<f32>,
    f8: Vec<f64>,
}

impl Betas {
    /// `beside` bytes are needed beside them.
    pub fn new(
        source: &str,
        n_trials: usize,
        n_voxels: usize,
        dtype: Option<Dtype>,
        is_f8: bool,
        beside: u128,
    ) -> Result<Betas> {
        let dtype = dtype.unwrap_or(if is_f8 { Dtype::F8 } else { Dtype::F4 });
        let (n, is_double) = (n_trials * n_voxels, dtype == Dtype::F8);
        let what = format!("{source}: {n_trials} betas of {n_voxels} voxels");
        let item = if is_double { 8 } else { 4 };
        require_memory(what, item * n as u128 + beside, "take fewer voxels with --mask")?;
        let (f4, f8) = if is_double { (Vec::new(), vec![f64::NAN; n]) } else { (vec![f32::NAN; n], Vec::new()) };
        Ok(Betas { source: source.to_owned(), n_voxels, dtype, f4, f8 })
    }

    /// The betas of some trials, from `first` on, at a block of voxels.
    pub fn put(&mut self, first: usize, block: Range<usize>, betas: ArrayView2<f64>) {
        for (trial, row) in betas.rows().into_iter().enumerate() {
            let to = (first + trial) * self.n_voxels + block.start;
            let to = to..to + block.len();
            if self.dtype == Dtype::F8 {
                self.f8[to].iter_mut().zip(row).for_each(|(to, beta)| *to = *beta);
            } else {
                self.f4[to].iter_mut().zip(row).for_each(|(to, beta)| *to = *beta as f32);
            }
        }
    }

    /// Writes a row per trial over the whole grid; the caller commits.
    pub fn write(
        &self,
        job: &Job,
        mut out: Output,
        format: Option<MapFormat>,
        place: &Place,
        trials: Trials,
    ) -> Result<Output> {
        job.record("trial_type", trials.conditions);
        job.record("run", trials.of_run);
        let (ids, n_trials) = (trials.ids, self.f4.len().max(self.f8.len()) / self.n_voxels);
        let spread = |row: usize| {
            let mut all = vec![f64::NAN; place.n_grid];
            for (k, &voxel) in place.voxels.iter().enumerate() {
                let at = row * self.n_voxels + k;
                all[voxel] = if self.f8.is_empty() { f64::from(self.f4[at]) } else { self.f8[at] };
            }
            all
        };
        match (format, &place.space) {
            (Some(format), Some(space)) => {
                job.record("trials", ids.as_slice());
                let what = format!("{}: {n_trials} volumes of {} voxels", self.source, place.n_grid);
                require_memory(what, 4 * n_trials as u128 * place.n_grid as u128, "write a .npy file")?;
                let narrow = |row: usize| spread(row).into_iter().map(|beta| beta as f32).collect::<Vec<f32>>();
                let all: Vec<Vec<f32>> = (0..n_trials).map(narrow).collect();
                let maps: Vec<(&str, &[f32])> =
                    ids.iter().zip(&all).map(|(id, map)| (id.as_str(), map.as_slice())).collect();
                write_maps(&mut out, format, &maps, space, Intent::None)?;
            }
            _ => {
                let mut rows = RowWriter::new(&mut out, n_trials, place.n_grid, self.dtype)?;
                let together = (WRITTEN_AT_ONCE / place.n_grid.max(1)).max(1);
                for start in (0..n_trials).step_by(together) {
                    let end = (start + together).min(n_trials);
                    let some: Vec<f64> = (start..end).flat_map(spread).collect();
                    rows.write_rows(ArrayView2::from_shape((end - start, place.n_grid), &some)?)?;
                }
                rows.finish(&Labels { ids: Some(ids), columns: place.names.clone(), name: None })?;
            }
        }
        Ok(out)
    }
}

fn model(plan: &Plan, how: PerTrial, run: &Designed) -> Result<TrialModel> {
    let named = || run.run.name.clone();
    let events = &run.events.events;
    let trials = trial_columns(events, &plan.basis, run.timing).with_context(named)?;
    let conditions = &run.design.conditions;
    let place = |name: &str| conditions.iter().position(|(condition, _)| condition == name);
    let condition_of: Vec<usize> = events.iter().filter_map(|event| place(&event.condition)).collect();
    TrialModel::new(&run.design, trials, &condition_of, how, plan.noise).with_context(named)
}

/// One row per trial, in the order of the betas.
pub(super) fn write_trials(out: Output, runs: &[Designed], ids: &[String]) -> Result<Output> {
    let mut table = TableWriter::new(out, Format::Csv, &["stimulus", "trial_type", "run", "onset", "duration"])?;
    let events = runs.iter().enumerate().flat_map(|(k, run)| run.events.events.iter().map(move |event| (k + 1, event)));
    for (id, (run, event)) in ids.iter().zip(events) {
        table.record(&[
            ("stimulus", id.into()),
            ("trial_type", event.condition.as_str().into()),
            ("run", run.into()),
            ("onset", event.onset.into()),
            ("duration", event.duration.into()),
        ])?;
    }
    Ok(table.into_inner())
}

fn say_what_ids_are(job: &Job, runs: &[Designed]) {
    let all = || runs.iter().flat_map(|run| &run.events.stimuli);
    let (n, n_named) = (all().count(), all().flatten().count());
    match n_named {
        0 => job.note(format!(
            "ids of the {n} trials are trial_type and number, so that none recurs; a column stimulus \
             would name them"
        )),
        named if named < n => job.note(format!(
            "ids of {named} of {n} trials are their stimuli, of the other {} trial_type and number",
            n - named
        )),
        _ => job.note(format!("ids of the {n} trials are their stimuli")),
    }
}
