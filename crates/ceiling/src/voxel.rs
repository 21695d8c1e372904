//! `ceiling voxel`: how much of every voxel's variance is signal.

use crate::sessions::{SessionArgs, Sessions, z_scored};
use crate::trials::{SplitArgs, at_least_one, record_splits, repeats_of, warn_of_dependent_trials};
use anyhow::{Result, anyhow};
use array_inputs::{JoinArgs, NamedArray, Names, read_arrays, tell_apart};
use clap::ValueEnum;
use cli::{Cell, Common, Format, Input, Job, Named, TableWriter};
use ndarray::ArrayView2;
use npy_stream::{Block, Matrix};
use reliability::{
    ExplainableVariance, NoiseCeiling, Repeats, SplitHalf, explainable_variances, noise_ceiling, noise_ceilings,
    nsd_noise_ceilings, presentations_to_split, reliability_of_averages, spearman_brown,
};
use serde_json::json;
use statistics::Reason;
use unit_tables::columns::VOXEL_NAME;

/// Repeats by id to ncsnr, noise ceiling, split-half reliability and explainable variance of every voxel
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns (one row per array and voxel):
  array, voxel
  n_stimuli       distinct ids
  n_trials        trials in the averages that the ceilings are for: --trials, else 1 / mean(1 / n)
                  over stimuli, which is n where all are shown n times
  ncsnr           sqrt(signal variance / noise variance) of single trials; bounds nothing itself.
                  noise: mean over repeated stimuli of the variance within a stimulus (n - 1);
                  signal: total variance minus noise, at least 0 (Allen et al. 2022); --convention
                  says which stimuli are repeated and what the total is
  noise_ceiling   ncsnr^2 / (ncsnr^2 + 1 / n_trials), a fraction: bounds r2
                  (times 100 it is the Natural Scenes Dataset's NC)
  r_halves        mean correlation of the halves of the trials, as it is
  reliability     r_halves stepped up to n_trials by Spearman-Brown: bounds r2. NaN where the formula
                  would give less than -1. Where stimuli are repeated unequally often, as many
                  presentations of each are used as tell most of a trial's reliability
  r_max           sqrt(reliability): bounds r
  ev              explainable variance: of the mean over the R presentations that are split, each
                  z-scored over stimuli; 1 / R without any signal: bounds nothing
  ev_corrected    ev - (1 - ev) / (R - 1), the mean correlation of two presentations: bounds r2 with
                  one trial
  ev_stepped      ev_corrected stepped up to n_trials by Spearman-Brown: bounds r2
  convention      pooled, nsd: of ncsnr and noise_ceiling
  usable          true where a score can be divided by every bound: all are numbers above 0
  reason          why it is not: constant, nan_input, negative_reliability, no_signal (a
                  bound of 0 or less)
  voxel_name      only where the columns of an array have names
Nothing here depends on the scale of a voxel, so z-scoring over all trials changes nothing. Z-scoring
within sessions (--session; sd with n - 1) does: without it, drifts between sessions count as signal
or noise. The Natural Scenes Dataset's convention, --convention nsd, z-scores in any case: all trials
as one session where no --session is given.

Examples:
  ceiling voxel trials.npy > voxels.csv
  ceiling voxel --trials 3 trials.npy -o voxels.csv
  ceiling voxel --convention nsd --stimuli trials.csv --session run trials.npy")]
pub(crate) struct Voxel {
    /// Single-trial responses (rows = trials, columns = voxels) with a stimulus id per row; - is stdin
    #[arg(value_name = "MATRIX", default_value = "-")]
    inputs: Vec<Input>,
    /// Ceilings for averages over N trials [default: the trials that each stimulus has]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    trials: Option<usize>,
    /// Whose noise and signal variance ncsnr and noise_ceiling are from
    #[arg(long, value_enum, default_value_t)]
    convention: Convention,
    #[command(flatten)]
    sessions: SessionArgs,
    #[command(flatten)]
    split: SplitArgs,
    /// Names of the arrays, in order [default: their own, else file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    names: Vec<String>,
    #[command(flatten)]
    join: JoinArgs,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// Noise and signal variance of a voxel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Convention {
    /// Noise of all stimuli shown twice or more; the total is the variance over all trials
    #[default]
    Pooled,
    /// Z-scores within session; noise of the stimuli with all repeats only; the total is 1
    Nsd,
}

impl Convention {
    /// Its name on the command line and in the table.
    fn as_str(self) -> &'static str {
        match self {
            Convention::Pooled => "pooled",
            Convention::Nsd => "nsd",
        }
    }
}

pub(crate) fn run(args: &Voxel) -> Result<()> {
    let job = Job::start("ceiling", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    job.record("seed", args.split.seed);
    let sessions = args.sessions.read(&job)?;
    if sessions.is_none() {
        args.join.refuse_alone("--session")?;
    }
    warn_of_dependent_trials(&job, &args.inputs);
    let mut arrays = read_arrays(&job, &args.inputs, &mut Names::new(&args.names))?;
    tell_apart(&mut arrays)?;
    let mut done = Vec::new();
    for array in arrays {
        done.push(one(&job, args, sessions.as_ref(), array)?);
    }

    let has_names = done.iter().any(|array| array.voxel_names.is_some());
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
        "ev",
        "ev_corrected",
        "ev_stepped",
        "convention",
        "usable",
        "reason",
        VOXEL_NAME,
    ];
    let columns: Vec<&str> = columns.into_iter().filter(|name| has_names || *name != VOXEL_NAME).collect();
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for array in &done {
        for (voxel, ceiling) in array.voxels.iter().enumerate() {
            let name = has_names.then(|| array.voxel_names.as_ref().map(|names| &names[voxel]));
            let mut cells: Vec<Named> = vec![("array", (&array.name).into()), ("voxel", voxel.into())];
            cells.extend([
                ("n_stimuli", array.n_stimuli.into()),
                ("n_trials", whole(array.n_trials)),
                ("ncsnr", ceiling.ncsnr.into()),
                ("noise_ceiling", ceiling.noise_ceiling.into()),
                ("r_halves", ceiling.r_halves.into()),
                ("reliability", ceiling.reliability.into()),
                ("r_max", ceiling.r_max.into()),
                ("ev", ceiling.ev.into()),
                ("ev_corrected", ceiling.ev_corrected.into()),
                ("ev_stepped", ceiling.ev_stepped.into()),
                ("convention", args.convention.as_str().into()),
                ("usable", ceiling.reason.is_none().into()),
                ("reason", ceiling.reason.into()),
            ]);
            cells.extend(name.map(|name| (VOXEL_NAME, name.into())));
            table.record(&cells)?;
        }
    }
    table.into_inner().commit(&job)
}

struct Ceilings {
    name: String,
    voxel_names: Option<Vec<String>>,
    n_stimuli: usize,
    n_trials: f64,
    voxels: Vec<Numbers>,
}

/// Of one voxel.
struct Numbers {
    ncsnr: f64,
    noise_ceiling: f64,
    r_halves: f64,
    reliability: f64,
    r_max: f64,
    ev: f64,
    ev_corrected: f64,
    ev_stepped: f64,
    /// Why it is not usable.
    reason: Option<Reason>,
}

/// `1 / mean(1 / n)` of equal counts is a whole number but for rounding; it is written as one.
pub(crate) fn whole(n_trials: f64) -> Cell<'static> {
    match (n_trials - n_trials.round()).abs() < 1e-9 {
        true => (n_trials.round() as usize).into(),
        false => n_trials.into(),
    }
}

fn one(job: &Job, args: &Voxel, sessions: Option<&Sessions>, array: NamedArray) -> Result<Ceilings> {
    let trials = array.into_matrix()?;
    let source = trials.source.clone();
    let repeats = repeats_of(&trials)?;
    record_splits(job, &source, &repeats, args.split);
    say_which_stimuli(job, args, &source, &repeats);
    let (name, voxel_names) = (trials.name.clone(), trials.labels.columns.clone());
    let finite = match trials.matrix.view() {
        Block::F4(rows) => finite_columns(rows),
        Block::F8(rows) => finite_columns(rows),
    };
    let sessions = match sessions {
        Some(sessions) => Some(sessions.of(job, args.join, &trials)?),
        None if args.convention == Convention::Nsd => {
            let n = trials.matrix.n_rows();
            job.note(format!("{source}: no --session; all {n} trials are z-scored as one session"));
            Some(vec![0; n])
        }
        None => None,
    };
    let n_trials = args.trials.map_or(1.0 / repeats.mean_inverse_count(), |n| n as f64);
    if let (Convention::Nsd, Some(sessions)) = (args.convention, &sessions) {
        warn_of_small_sessions(job, &source, sessions, &repeats, n_trials);
    }
    let scored = match sessions {
        Some(sessions) => Matrix::F8(z_scored(&trials.matrix, &sessions)),
        None => trials.matrix,
    };
    let mut voxels = match scored.view() {
        Block::F4(rows) => of_voxels(rows, &repeats, n_trials, args),
        Block::F8(rows) => of_voxels(rows, &repeats, n_trials, args),
    }
    .map_err(|e| anyhow!("{source}: {e}"))?;
    // A voxel that is constant in a session has no z score there: that NaN is not one of the input.
    for (voxel, finite) in voxels.iter_mut().zip(finite) {
        if finite && voxel.reason == Some(Reason::NanInput) {
            voxel.reason = Some(Reason::Constant);
        }
    }
    // A bound of 0 is a number, though nothing can be divided by it.
    let missing: Vec<Option<Reason>> =
        voxels.iter().map(|v| v.reason.filter(|reason| *reason != Reason::NoSignal)).collect();
    let no_signal = voxels.iter().filter(|v| v.reason == Some(Reason::NoSignal)).count();
    let text = match (count_reasons(&missing), no_signal) {
        (missing, 0) => missing,
        (None, n) => Some(format!("{n} of {} voxels have no signal: a bound of 0 or less", voxels.len())),
        (Some(missing), n) => Some(format!("{missing}; {n} more have no signal: a bound of 0 or less")),
    };
    if let Some(text) = text {
        job.warn(format!("{source}: {text}"));
    }
    Ok(Ceilings { name, voxel_names, n_stimuli: repeats.n_stimuli(), n_trials, voxels })
}

/// z-scores of `n` trials have a mean square of 1 with n - 1 in the denominator, 1 - 1 / n around their own mean: the
/// dataset's 1 - noise then calls 1 / n of pure noise signal. The pooled convention takes the total variance as it is.
/// Repeats that share a session share its mean, which is no signal between them.
fn warn_of_small_sessions(job: &Job, source: &str, sessions: &[usize], repeats: &Repeats, n_trials: f64) {
    let across = (0..repeats.n_stimuli()).map(|s| repeats.rows_of(s));
    if !across.into_iter().any(|rows| rows.iter().any(|&row| sessions[row] != sessions[rows[0]])) {
        return;
    }
    const FEW: usize = 100;
    let n = Repeats::by_id(sessions).counts().into_iter().min().unwrap_or(0);
    if !(2..FEW).contains(&n) {
        return;
    }
    let ncsnr = (1.0 / (n as f64 - 1.0)).sqrt();
    job.warn(format!(
        "{source}: sessions of {n} trials (the Natural Scenes Dataset: 750); z-scored within them, 1/{n} of pure noise \
         counts as signal, and its noise_ceiling is {:.3} instead of 0: take --convention pooled",
        noise_ceiling(ncsnr, 1.0 / n_trials)
    ));
}

/// Which stimuli the columns rest on, where that is not all of them.
fn say_which_stimuli(job: &Job, args: &Voxel, source: &str, repeats: &Repeats) {
    let n_stimuli = repeats.n_stimuli();
    if args.convention == Convention::Nsd {
        let (most, complete) = (repeats.most(), repeats.shown_at_least(repeats.most()).len());
        let facts = json!({ "n_presentations": most, "n_stimuli": complete, "n_left_out": n_stimuli - complete });
        job.record(&format!("nsd noise of {source}"), facts);
        if complete < n_stimuli {
            job.note(format!(
                "{source}: the noise variance is of the {complete} stimuli shown {most} times; {} shown less often are \
                 left out",
                n_stimuli - complete
            ));
        }
    }
}

fn finite_columns<T: Copy + Into<f64>>(rows: ArrayView2<T>) -> Vec<bool> {
    rows.columns().into_iter().map(|column| column.iter().all(|v| Into::<f64>::into(*v).is_finite())).collect()
}

fn of_voxels<T>(rows: ArrayView2<T>, repeats: &Repeats, n_trials: f64, args: &Voxel) -> Result<Vec<Numbers>>
where
    T: Copy + Into<f64> + Send + Sync,
{
    let inverse = Some(1.0 / n_trials);
    let ceilings = match args.convention {
        Convention::Pooled => noise_ceilings(rows, repeats, inverse),
        Convention::Nsd => nsd_noise_ceilings(rows, repeats, inverse),
    }?;
    let halves = reliability_of_averages(rows, repeats, n_trials, args.split.splits, args.split.seed)?;
    // Halves could be split, so that there is a number of presentations.
    let explainable = explainable_variances(rows, repeats, presentations_to_split(repeats).unwrap_or(2))?;
    let voxel = |((ceiling, half), ev): ((&NoiseCeiling, &SplitHalf), &ExplainableVariance)| {
        let ev_stepped = spearman_brown(ev.corrected, n_trials);
        let no_signal = ceiling.reliability <= 0.0 || half.reliability <= 0.0 || ev_stepped <= 0.0;
        Numbers {
            ncsnr: ceiling.ncsnr,
            noise_ceiling: ceiling.reliability,
            r_halves: half.r,
            reliability: half.reliability,
            r_max: half.r_max,
            ev: ev.raw,
            ev_corrected: ev.corrected,
            ev_stepped,
            reason: ceiling.reason.or(half.reason).or(ev.reason).or(match ev_stepped.is_nan() {
                true => Some(Reason::NegativeReliability),
                false => no_signal.then_some(Reason::NoSignal),
            }),
        }
    };
    Ok(ceilings.iter().zip(&halves).zip(&explainable).map(voxel).collect())
}

/// `3 of 1000 voxels lack a number (2 constant, 1 nan_input), the first is voxel 4`
pub(crate) fn count_reasons(reasons: &[Option<Reason>]) -> Option<String> {
    let first = reasons.iter().position(Option::is_some)?;
    Some(format!(
        "{} of {} voxels lack a number ({}), the first is voxel {first}",
        reasons.iter().flatten().count(),
        reasons.len(),
        Reason::counted(reasons.iter().flatten().copied())
    ))
}
