//! `tuning compare`: the univariate similarity of systems.

use crate::args::Compare;
use crate::profile::{differ_by_rounding, mean_over_units};
use anyhow::{Context, Result, bail};
use cli::{Cell, Input, Job, Output, TableWriter};
use labelled_inputs::{Names, read_arrays, refuse_position_of_trials, tell_apart};
use ndarray::ArrayView2;
use npy_stream::Block;
use reliability::{Reason, Repeats, noise_corrected, presentations_to_split, reliability_of_averages};
use statistics::{Correlation, mean};
use stimulus_table::Side;

/// What stands in column `subject` for the mean over subjects.
const MEAN: &str = "mean";

/// The profile of one system, trial by trial.
struct System {
    name: String,
    source: String,
    responses: Vec<f64>,
    repeats: Repeats,
    /// One id per stimulus, in the order of `repeats`.
    ids: Option<Vec<String>>,
}

/// The profile over the joined stimuli, and how reliable it is.
struct Profile {
    responses: Vec<f64>,
    /// `None` without repeated trials.
    reliability: Option<f64>,
}

struct Score {
    r: f64,
    reliability: Option<f64>,
    r_norm: Option<f64>,
    reason: Option<Reason>,
}

pub(crate) fn run(args: &Compare) -> Result<()> {
    let job = Job::start("tuning", &args.common)?;
    let out = Output::text(args.common.output.as_deref())?;
    job.record("seed", args.seed);
    let models = systems(&job, &args.models, &args.names)?;
    let brains = systems(&job, &args.brain, &args.brain_names)?;
    if let Some(brain) = brains.iter().find(|b| b.name == MEAN) {
        bail!(
            "{}: a subject named {MEAN:?} could not be told from the rows of the mean over subjects; name the {} \
             subjects with --brain-names",
            brain.source,
            brains.len()
        );
    }
    let all: Vec<&System> = brains.iter().chain(&models).collect();
    let sides: Vec<Side> =
        all.iter().map(|s| Side { name: &s.source, labels: s.ids.as_deref(), n_rows: s.repeats.n_stimuli() }).collect();
    refuse_position_of_trials(&sides, &all.iter().map(|s| s.responses.len()).collect::<Vec<_>>())?;
    let stimuli = args.join.join_all(&job, &sides)?;
    let n_stimuli = stimuli.first().map_or(0, Vec::len);
    if n_stimuli < 3 {
        bail!(
            "{} and {}: {n_stimuli} stimuli in common; a correlation needs at least 3",
            models[0].source,
            brains[0].source
        );
    }
    let mut profiles = Vec::new();
    for (system, stimuli) in all.iter().zip(&stimuli) {
        profiles.push(profile(system, stimuli, args).with_context(|| system.source.clone())?);
    }
    let (of_brains, of_models) = profiles.split_at(brains.len());
    let statistic = if args.compare == Correlation::Spearman { "rho" } else { "r" };
    let columns = ["model", "subject", "compare", "n_stimuli", statistic, "reliability", "r_norm", "reason"];
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for (model, model_profile) in models.iter().zip(of_models) {
        let scores: Vec<Score> = of_brains.iter().map(|brain| score(model_profile, brain, args.compare)).collect();
        let mut write = |subject: &str, score: &Score| {
            table.row(&[
                (&model.name).into(),
                subject.into(),
                args.compare.as_str().into(),
                n_stimuli.into(),
                score.r.into(),
                score.reliability.into(),
                score.r_norm.into(),
                score.reason.map_or(Cell::Empty, |r| r.as_str().into()),
            ])
        };
        for (brain, score) in brains.iter().zip(&scores) {
            if let Some(reason) = score.reason {
                job.warn(format!("{} and {}: {}", model.name, brain.name, reason.as_str()));
            }
            write(&brain.name, score)?;
        }
        write(MEAN, &over_subjects(&scores))?;
    }
    table.into_inner().commit(&job)
}

fn systems(job: &Job, inputs: &[Input], names: &[String]) -> Result<Vec<System>> {
    let mut arrays = read_arrays(job, inputs, &mut Names::new(names))?;
    tell_apart(&mut arrays)?;
    let mut systems = Vec::new();
    for array in arrays {
        let named = array.into_matrix()?;
        if named.matrix.n_columns() == 0 {
            bail!(
                "{}: {} rows of 0 units; a profile needs at least 1 unit or voxel",
                named.source,
                named.matrix.n_rows()
            );
        }
        let (mut responses, flat) = match named.matrix.view() {
            Block::F4(rows) => {
                let means = mean_over_units(rows);
                let flat = differ_by_rounding(rows, &means, f32::EPSILON.into());
                (means, flat)
            }
            Block::F8(rows) => {
                let means = mean_over_units(rows);
                let flat = differ_by_rounding(rows, &means, f64::EPSILON);
                (means, flat)
            }
        };
        if let (true, Some(&first)) = (flat, responses.first()) {
            // Made exactly constant, so that every statistic below says so.
            responses.fill(first);
        }
        let repeats = match &named.labels {
            Some(labels) => Repeats::by_id(labels),
            None => Repeats::by_id(&(0..responses.len()).collect::<Vec<_>>()),
        };
        let first = |labels: &Vec<String>| {
            (0..repeats.n_stimuli()).map(|s| labels[repeats.rows_of(s)[0]].clone()).collect::<Vec<_>>()
        };
        let ids = named.labels.as_ref().map(first);
        systems.push(System { name: named.name, source: named.source, responses, repeats, ids });
    }
    Ok(systems)
}

/// Trials of each joined stimulus averaged; reliability of those averages where at least three stimuli are repeated.
fn profile(system: &System, stimuli: &[usize], args: &Compare) -> Result<Profile> {
    let trials: Vec<f64> =
        stimuli.iter().flat_map(|&s| system.repeats.rows_of(s)).map(|&row| system.responses[row]).collect();
    let stimulus_of_trial: Vec<usize> =
        stimuli.iter().flat_map(|&s| std::iter::repeat_n(s, system.repeats.rows_of(s).len())).collect();
    let repeats = Repeats::by_id(&stimulus_of_trial);
    let average = |s: usize| mean(&repeats.rows_of(s).iter().map(|&row| trials[row]).collect::<Vec<_>>());
    let responses = (0..repeats.n_stimuli()).map(average).collect();
    let reliability = match presentations_to_split(&repeats) {
        None => None,
        Some(_) => {
            let column = ArrayView2::from_shape((trials.len(), 1), &trials)?;
            let n_trials = 1.0 / repeats.mean_inverse_count();
            let halves = reliability_of_averages(column, &repeats, n_trials, args.splits as usize, args.seed)?;
            halves.first().map(|h| h.reliability)
        }
    };
    Ok(Profile { responses, reliability })
}

fn score(model: &Profile, brain: &Profile, how: Correlation) -> Score {
    let r = how.of(&model.responses, &brain.responses);
    let r_norm = match (model.reliability, brain.reliability) {
        (None, None) => None,
        (of_model, of_brain) => Some(noise_corrected(r, of_model.unwrap_or(1.0), of_brain.unwrap_or(1.0))),
    };
    let reason = Reason::of(&model.responses)
        .or_else(|| Reason::of(&brain.responses))
        .or_else(|| r_norm.filter(|v| v.is_nan()).map(|_| Reason::NegativeReliability));
    Score { r, reliability: brain.reliability, r_norm, reason }
}

/// Means over subjects; a NaN subject makes them NaN, with its reason.
fn over_subjects(scores: &[Score]) -> Score {
    let over = |value: fn(&Score) -> Option<f64>| -> Option<f64> {
        scores.iter().map(value).collect::<Option<Vec<f64>>>().map(|v| mean(&v))
    };
    Score {
        r: mean(&scores.iter().map(|s| s.r).collect::<Vec<_>>()),
        reliability: over(|s| s.reliability),
        r_norm: over(|s| s.r_norm),
        reason: scores.iter().find_map(|s| s.reason),
    }
}
