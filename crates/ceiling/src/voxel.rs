//! `ceiling voxel`: how much of every voxel's variance is signal.

use crate::VoxelArgs;
use anyhow::{Context, Result, anyhow, bail};
use array_inputs::{NamedArray, NamedMatrix, Names, read_arrays, read_levels, read_table, tell_apart};
use cli::{Cell, Job, TableWriter};
use ndarray::ArrayView2;
use npy_stream::{Block, Matrix};
use reliability::reliability_of_averages;
use reliability::{NoiseCeiling, Reason, Repeats, SplitHalf, noise_ceilings, z_score_within};
use std::collections::HashMap;
use stimulus_table::{Side, Table};

pub(crate) fn run(args: &VoxelArgs) -> Result<()> {
    let job = Job::start("ceiling", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    job.record("seed", args.split.seed);
    let stimuli = args.stimuli.as_ref().map(|input| read_table(&job, input)).transpose()?;
    let mut arrays = read_arrays(&job, &args.inputs, &mut Names::new(&args.names))?;
    tell_apart(&mut arrays)?;
    let mut done = Vec::new();
    for array in arrays {
        done.push(one(&job, args, stimuli.as_ref(), array)?);
    }

    let columns = [
        "array",
        "voxel",
        "n_stimuli",
        "n_trials",
        "ncsnr",
        "noise_ceiling",
        "r_halves",
        "reliability",
        "r_max",
        "reason",
    ];
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for array in &done {
        for (voxel, ceiling) in array.voxels.iter().enumerate() {
            table.row(&[
                (&array.name).into(),
                voxel.into(),
                array.n_stimuli.into(),
                whole(array.n_trials),
                ceiling.ncsnr.into(),
                ceiling.noise_ceiling.into(),
                ceiling.r_halves.into(),
                ceiling.reliability.into(),
                ceiling.r_max.into(),
                ceiling.reason.map(Reason::as_str).into(),
            ])?;
        }
    }
    table.into_inner().commit(&job)
}

struct Ceilings {
    name: String,
    n_stimuli: usize,
    n_trials: f64,
    voxels: Vec<Voxel>,
}

struct Voxel {
    ncsnr: f64,
    noise_ceiling: f64,
    r_halves: f64,
    reliability: f64,
    r_max: f64,
    reason: Option<Reason>,
}

/// `1 / mean(1 / n)` of equal counts is a whole number but for rounding; it is written as one.
pub(crate) fn whole(n_trials: f64) -> Cell<'static> {
    match (n_trials - n_trials.round()).abs() < 1e-9 {
        true => (n_trials.round() as usize).into(),
        false => n_trials.into(),
    }
}

fn one(job: &Job, args: &VoxelArgs, stimuli: Option<&Table>, array: NamedArray) -> Result<Ceilings> {
    let trials = array.into_matrix()?;
    let source = trials.source.clone();
    let Some(labels) = &trials.labels else {
        bail!(
            "{source}: {} rows without ids; repeats are told by their stimulus id: write ids with `npy label`",
            trials.matrix.n_rows()
        );
    };
    let repeats = Repeats::by_id(labels);
    let name = trials.name.clone();
    let scored = match (stimuli, &args.session) {
        (Some(table), Some(column)) => {
            let sessions = sessions(job, args, table, column, &trials)?;
            Matrix::F8(match trials.matrix.view() {
                Block::F4(rows) => z_score_within(rows, &sessions),
                Block::F8(rows) => z_score_within(rows, &sessions),
            })
        }
        _ => trials.matrix,
    };
    let n_trials = args.trials.map_or(1.0 / repeats.mean_inverse_count(), |n| n as f64);
    let voxels = match scored.view() {
        Block::F4(rows) => of_voxels(rows, &repeats, n_trials, args),
        Block::F8(rows) => of_voxels(rows, &repeats, n_trials, args),
    }
    .map_err(|e| anyhow!("{source}: {e}"))?;
    summarize(job, &source, &voxels);
    Ok(Ceilings { name, n_stimuli: repeats.n_stimuli(), n_trials, voxels })
}

fn of_voxels<T>(rows: ArrayView2<T>, repeats: &Repeats, n_trials: f64, args: &VoxelArgs) -> Result<Vec<Voxel>>
where
    T: Copy + Into<f64> + Send + Sync,
{
    let ceilings = noise_ceilings(rows, repeats, Some(1.0 / n_trials))?;
    let halves = reliability_of_averages(rows, repeats, n_trials, args.split.splits, args.split.seed)?;
    let voxel = |(ceiling, half): (&NoiseCeiling, &SplitHalf)| Voxel {
        ncsnr: ceiling.ncsnr,
        noise_ceiling: ceiling.reliability,
        r_halves: half.r,
        reliability: half.reliability,
        r_max: half.r_max,
        reason: ceiling.reason.or(half.reason),
    };
    Ok(ceilings.iter().zip(&halves).map(voxel).collect())
}

/// The level of `column` for every trial, as numbers.
fn sessions(job: &Job, args: &VoxelArgs, table: &Table, column: &str, trials: &NamedMatrix) -> Result<Vec<usize>> {
    let name = args.stimuli.as_ref().map(ToString::to_string).unwrap_or_default();
    let levels = read_levels(job, table, &name, column)?;
    if let Some(row) = levels.iter().position(String::is_empty) {
        bail!("{name}: row {row} has no session in column {column:?}; every trial needs one");
    }
    // Unlike a stimulus table this one has a row per trial, so an id may stand in several.
    let (_, ids) = table.ids().with_context(|| name.clone())?;
    // A session is a trial's, not a picture's: ids alone cannot say which presentation a row of another order is.
    if let Some(labels) = &trials.labels
        && labels.as_slice() != ids
    {
        match labels.iter().zip(ids).position(|(a, b)| a != b) {
            Some(row) => bail!(
                "row {row} of {} is {:?}, but of {name} {:?}; --session needs the table of these very trials, row by row",
                trials.source,
                labels[row],
                ids[row]
            ),
            None => bail!(
                "{} has {} trials and {name} {}; --session needs the table of these very trials, row by row",
                trials.source,
                labels.len(),
                ids.len()
            ),
        }
    }
    let joined = args.join.join(job, trials.side(), Side { name: &name, labels: Some(ids), n_rows: ids.len() })?;
    if joined.len() != trials.matrix.n_rows() {
        bail!("{}: {} of its {} trials are in {name}", trials.source, joined.len(), trials.matrix.n_rows());
    }
    let mut number: HashMap<&str, usize> = HashMap::new();
    let mut sessions = vec![0; joined.len()];
    for (&trial, &row) in joined.left.iter().zip(&joined.right) {
        let next = number.len();
        sessions[trial] = *number.entry(levels[row].as_ref()).or_insert(next);
    }
    Ok(sessions)
}

fn summarize(job: &Job, source: &str, voxels: &[Voxel]) {
    let reasons: Vec<Option<Reason>> = voxels.iter().map(|v| v.reason).collect();
    if let Some(text) = count_reasons(&reasons) {
        job.warn(format!("{source}: {text}"));
    }
}

/// `3 of 1000 voxels lack a number (2 constant, 1 nan_input), the first is voxel 4`
pub(crate) fn count_reasons(reasons: &[Option<Reason>]) -> Option<String> {
    let first = reasons.iter().position(Option::is_some)?;
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for reason in reasons.iter().flatten().map(|r| r.as_str()) {
        match counts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => counts.push((reason, 1)),
        }
    }
    let total: usize = counts.iter().map(|(_, count)| count).sum();
    let counts: Vec<String> = counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    Some(format!(
        "{total} of {} voxels lack a number ({}), the first is voxel {first}",
        reasons.len(),
        counts.join(", ")
    ))
}
