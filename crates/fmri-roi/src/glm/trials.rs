//! A beta per trial.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use brain_formats::maps::write_maps;
use brain_formats::volume_writer::Intent;
use cli::{Format, Job, Output, TableWriter, require_memory};
use glm::{GlmError, PerTrial, TrialModel, trial_columns};
use ndarray::{ArrayView2, s};
use npy_stream::{Dtype, Labels, RowWriter};
use rayon::prelude::*;
use voxel_inputs::{Inside, map_name};

use super::fit::{Odd, blocks, named, place_of, prepared, require_one_size};
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
    let format = target.path.and_then(map_name);
    match (format, runs[0].run.space()) {
        (Some(_), None) => anyhow::bail!("{}: a .npy run has no geometry; name a .npy file", named(&runs)),
        (Some(format), Some(space)) => {
            if let Some(refusal) = format.refusal(space) {
                anyhow::bail!("{}: {refusal}", named(&runs));
            }
        }
        (None, _) => {}
    }
    if format.is_some() && target.dtype.is_some_and(|dtype| dtype != Dtype::F4) {
        anyhow::bail!("--dtype: images are written as f4");
    }
    let models = runs.iter().map(|run| model(plan, how, run)).collect::<Result<Vec<_>>>()?;
    let (mut ids, mut conditions, mut of_run) = (Vec::new(), Vec::new(), Vec::new());
    let mut n_of = BTreeMap::new();
    for (k, (run, model)) in runs.iter().zip(&models).enumerate() {
        let own = run.events.ids(&mut n_of);
        let lost: Vec<String> = model.not_estimable().into_iter().map(|trial| format!("{:?}", own[trial])).collect();
        if !lost.is_empty() {
            job.warn(format!(
                "{}: {} of {} trials have no beta, since they cannot be told from others: {}",
                run.run.name,
                lost.len(),
                own.len(),
                lost.join(", ")
            ));
        }
        conditions.extend(run.events.events.iter().map(|event| event.condition.clone()));
        of_run.extend(std::iter::repeat_n(k + 1, own.len()));
        ids.extend(own);
    }
    say_what_ids_are(job, &runs);
    let table = target.table.map(|table| write_trials(table, &runs, &ids)).transpose()?;
    let source = named(&runs);
    let mut place = None;
    let mut betas: Vec<f32> = Vec::new();
    let mut doubles: Vec<f64> = Vec::new();
    let (mut first, mut odd) = (0, Odd::default());
    let n_trials = ids.len();
    let mut dtype = target.dtype;
    for (Designed { run, .. }, model) in runs.into_iter().zip(models) {
        let (name, space) = (run.name.clone(), run.space().cloned());
        let voxels = run.read(job, inside)?;
        let n = voxels.n_voxels();
        place = Some(place_of(&voxels, &name, space, place)?);
        let is_double = *dtype.get_or_insert(if voxels.is_f8 { Dtype::F8 } else { Dtype::F4 }) == Dtype::F8;
        if first == 0 {
            let item = if is_double { 8 } else { 4 };
            let what = format!("{source}: {n_trials} betas of {n} voxels");
            require_memory(what, item * n_trials as u128 * n as u128, "take fewer voxels with --mask")?;
            if is_double {
                doubles = vec![f64::NAN; n_trials * n];
            } else {
                betas = vec![f32::NAN; n_trials * n];
            }
        }
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
                for (trial, row) in fit.rows().into_iter().enumerate() {
                    let to = (first + trial) * n + block.start;
                    if is_double {
                        doubles[to..to + block.len()].iter_mut().zip(row).for_each(|(to, beta)| *to = *beta);
                    } else {
                        betas[to..to + block.len()].iter_mut().zip(row).for_each(|(to, beta)| *to = *beta as f32);
                    }
                }
            }
        }
        first += n_own;
    }
    odd.warn(job, &source);
    let Some(place) = place else { anyhow::bail!("0 runs") };
    job.record("betas", if how == PerTrial::Lss { "lss" } else { "lsa" });
    job.record("trial_type", conditions);
    job.record("run", of_run);
    let n = place.voxels.len();
    let mut out = target.out;
    let spread = |row: usize| {
        let mut all = vec![f64::NAN; place.n_grid];
        for (k, &voxel) in place.voxels.iter().enumerate() {
            all[voxel] = if doubles.is_empty() { f64::from(betas[row * n + k]) } else { doubles[row * n + k] };
        }
        all
    };
    match (format, &place.space) {
        (Some(format), Some(space)) => {
            job.record("trials", ids.as_slice());
            let what = format!("{source}: {n_trials} volumes of {} voxels", place.n_grid);
            require_memory(what, 4 * n_trials as u128 * place.n_grid as u128, "write a .npy file")?;
            let narrow = |row: usize| spread(row).into_iter().map(|beta| beta as f32).collect::<Vec<f32>>();
            let all: Vec<Vec<f32>> = (0..n_trials).map(narrow).collect();
            let maps: Vec<(&str, &[f32])> =
                ids.iter().zip(&all).map(|(id, map)| (id.as_str(), map.as_slice())).collect();
            write_maps(&mut out, format, &maps, space, Intent::None)?;
        }
        _ => {
            let mut rows = RowWriter::new(&mut out, n_trials, place.n_grid, dtype.unwrap_or(Dtype::F4))?;
            let together = (WRITTEN_AT_ONCE / place.n_grid.max(1)).max(1);
            for start in (0..n_trials).step_by(together) {
                let end = (start + together).min(n_trials);
                let some: Vec<f64> = (start..end).flat_map(spread).collect();
                rows.write_rows(ArrayView2::from_shape((end - start, place.n_grid), &some)?)?;
            }
            rows.finish(&Labels { ids: Some(ids), columns: place.names.clone(), name: None })?;
        }
    }
    // The smaller file first: betas on stdout cannot be taken back where the table does not fit on its disk.
    table.map(|table| table.commit(job)).transpose()?;
    out.commit(job)
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
fn write_trials(out: Output, runs: &[Designed], ids: &[String]) -> Result<Output> {
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
