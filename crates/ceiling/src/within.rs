//! `ceiling within`: how well one person's averages could be predicted, from single trials against the rest.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, anyhow, bail};
use array_inputs::{JoinArgs, NamedArray, NamedMatrix, Names, read_arrays, read_matrix, tell_apart};
use cli::{Common, Format, Input, Job, Named, TableWriter};
use ndarray::{Array2, ArrayView2, s};
use npy_stream::Block;
use rayon::prelude::*;
use rdm::{Distance, distances};
use reliability::{
    OneAgainstRest, average_occurrences, one_against_rest, presentations_to_split, r_max, spearman_brown,
};
use statistics::{Correlation, Reason, median};
use stimulus_table::Side;

use crate::between::{Compare, Stat, row_means};
use crate::trials::{Trials, at_least_one, repeats_of, say_what_is_split, warn_of_dependent_trials, warn_of_rdms};
use crate::voxel::{count_reasons, whole};

/// One person's single trials against the rest: the ceiling of a profile, an RDM or predictions of voxels
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns (one row per array):
  array, stat, compare
  n_stimuli         stimuli shown often enough, which r_one_rest is over
  n_presentations   presentations of each that are used: as many as tell most of a trial's reliability
  n_voxels          columns; with --stat voxel those that have an r_one_rest, which the medians are over:
                    one below 0 counts as the lowest reliability
  n_trials          trials in the averages that the ceiling is for: --trials, else 1 / mean(1 / n)
  r_one_rest        correlation of one presentation with the mean of the others, averaged over which
  reliability_one   of a single trial: solves r_one_rest = sqrt(R(1) R(n - 1)) with Spearman-Brown's
                    R(k), since the rest has less noise than the one: bounds r2 with single trials
  reliability       stepped up to n_trials: bounds r2 with averages
  r_max             sqrt(reliability): bounds r with averages
  r                 with --predicted: of the prediction and the averages of all trials
  r_norm            r / r_max, not clipped
  reason            constant, nan_input, negative_reliability (r_one_rest below 0); of a row with a
                    ceiling, why it has no r: a prediction that is constant or has a NaN
The ceiling is for the measure that is asked for: averaging over voxels (profile), or over pairs of
patterns (rdm), takes out noise that every voxel has. Noise in an RDM of correlation distances is not
additive, as Spearman-Brown has it: with noise of 1, 1.5 and 2 times the signal (40 stimuli, 3 trials)
scores over r_max were 1.1, 1.4 and 1.6 times too high. Divide those by the rdm_ceiling of `ceiling gsn`.

Examples:
  ceiling within ffa.npy
  ceiling within --stat rdm --compare spearman ffa.npy
  ceiling within --stat voxel --predicted predicted.npy ffa.npy")]
pub(crate) struct Within {
    /// Single-trial responses (rows = trials, columns = voxels) with a stimulus id per row; - is stdin
    #[arg(value_name = "MATRIX", default_value = "-")]
    inputs: Vec<Input>,
    /// What the ceiling is for
    #[arg(long, value_enum, default_value_t = Stat::Profile)]
    stat: Stat,
    /// Correlation
    #[arg(long, value_enum, default_value_t = Compare::Pearson)]
    compare: Compare,
    /// Ceiling for averages over N trials [default: the trials that each stimulus has]
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "predicted")]
    trials: Option<usize>,
    /// Predicted responses of the same stimuli (one row each, the same voxels), for the score beside its ceiling; of
    /// one array
    #[arg(long, value_name = "MATRIX")]
    predicted: Option<Input>,
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

pub(crate) fn run(args: &Within) -> Result<()> {
    let job = Job::start("ceiling", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    warn_of_dependent_trials(&job, &args.inputs);
    let mut arrays = read_arrays(&job, &args.inputs, &mut Names::new(&args.names))?;
    tell_apart(&mut arrays)?;
    if args.predicted.is_some() && arrays.len() > 1 {
        bail!("--predicted is of one array, and {} are given; run `ceiling within` once for each", arrays.len());
    }
    let predicted = args.predicted.as_ref().map(|input| read_matrix(&job, input)).transpose()?;
    if predicted.is_none() {
        args.join.refuse_alone("--predicted")?;
    }
    let mut rows = Vec::new();
    for array in arrays {
        rows.push(one(&job, args, array, predicted.as_ref())?);
    }

    let columns = [
        "array",
        "stat",
        "compare",
        "n_stimuli",
        "n_presentations",
        "n_voxels",
        "n_trials",
        "r_one_rest",
        "reliability_one",
        "reliability",
        "r_max",
        "r",
        "r_norm",
        "reason",
    ];
    let scored = |name: &&str| predicted.is_some() || !["r", "r_norm"].contains(name);
    let columns: Vec<&str> = columns.into_iter().filter(scored).collect();
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for row in &rows {
        let ceiling = row.ceiling;
        let mut cells: Vec<Named> = vec![
            ("array", (&row.name).into()),
            ("stat", args.stat.as_str().into()),
            ("compare", args.compare.correlation().as_str().into()),
            ("n_stimuli", row.n_stimuli.into()),
            ("n_presentations", row.n_presentations.into()),
            ("n_voxels", row.n_voxels.into()),
            ("n_trials", whole(row.n_trials)),
            ("r_one_rest", ceiling.r_one_rest.into()),
            ("reliability_one", ceiling.reliability_one.into()),
            ("reliability", ceiling.reliability.into()),
            ("r_max", ceiling.r_max.into()),
        ];
        if predicted.is_some() {
            cells.extend([("r", ceiling.r.into()), ("r_norm", ceiling.r_norm.into())]);
        }
        cells.push(("reason", row.reason.into()));
        table.record(&cells)?;
        if let Some(reason) = row.reason {
            let what = if ceiling.r_max.is_nan() { "ceiling" } else { "prediction has no r, which" };
            job.warn(format!("array {}: {reason}; its {what} is NaN", row.name));
        }
    }
    table.into_inner().commit(&job)
}

struct Row {
    name: String,
    n_stimuli: usize,
    n_presentations: usize,
    n_voxels: usize,
    n_trials: f64,
    ceiling: Ceiling,
    reason: Option<Reason>,
}

/// Of one measure, or of one voxel.
#[derive(Clone, Copy)]
struct Ceiling {
    r_one_rest: f64,
    reliability_one: f64,
    reliability: f64,
    r_max: f64,
    r: f64,
    r_norm: f64,
}

impl Ceiling {
    fn none() -> Ceiling {
        let nan = f64::NAN;
        Ceiling { r_one_rest: nan, reliability_one: nan, reliability: nan, r_max: nan, r: nan, r_norm: nan }
    }

    /// Number by number. A voxel whose trials run against each other has no reliability, but one below that of all
    /// others: left out, it would leave those that noise has made look good.
    fn median(of: &[Ceiling]) -> Ceiling {
        let lowest = |v: f64| if v.is_nan() { f64::NEG_INFINITY } else { v };
        let over = |number: fn(&Ceiling) -> f64| {
            let median = median(&of.iter().map(number).map(lowest).collect::<Vec<f64>>());
            if median.is_finite() { median } else { f64::NAN }
        };
        let over_scored =
            |number: fn(&Ceiling) -> f64| median(&of.iter().map(number).filter(|v| !v.is_nan()).collect::<Vec<f64>>());
        Ceiling {
            r_one_rest: over(|c| c.r_one_rest),
            reliability_one: over(|c| c.reliability_one),
            reliability: over(|c| c.reliability),
            r_max: over(|c| c.r_max),
            r: over_scored(|c| c.r),
            r_norm: over_scored(|c| c.r_norm),
        }
    }

    fn new(found: OneAgainstRest, n_trials: f64, r: f64) -> Ceiling {
        let reliability = spearman_brown(found.reliability, n_trials);
        let (bound, _) = r_max(reliability);
        Ceiling {
            r_one_rest: found.r,
            reliability_one: found.reliability,
            reliability,
            r_max: bound,
            r,
            r_norm: r / bound,
        }
    }

    /// Why there is no ceiling, where the values themselves are in order.
    fn reason(&self) -> Option<Reason> {
        match self {
            _ if self.r_one_rest.is_nan() => Some(Reason::Constant),
            _ if self.r_max.is_nan() => Some(Reason::NegativeReliability),
            _ => None,
        }
    }
}

fn one(job: &Job, args: &Within, array: NamedArray, predicted: Option<&NamedMatrix>) -> Result<Row> {
    let named = array.into_matrix()?;
    repeats_of(&named)?;
    let (name, source) = (named.name, named.source);
    let trials = Trials::new(named.matrix, named.labels.ids);
    let (trials, predicted) = match predicted {
        None => (trials, None),
        Some(predicted) => {
            let (trials, predicted) = pair(job, args, trials, &source, predicted)?;
            (trials, Some(predicted))
        }
    };
    let n_trials = args.trials.map_or(trials.n_trials(), |n| n as f64);
    let Some(presentations) = presentations_to_split(&trials.repeats) else {
        bail!(
            "{source}: {} of {} stimuli are shown twice; a ceiling within a person needs at least 3",
            trials.repeats.shown_at_least(2).len(),
            trials.repeats.n_stimuli()
        );
    };
    say_what_is_split(job, &source, &trials.repeats, presentations);
    if args.stat == Stat::Rdm {
        warn_of_rdms(job, &source);
    }
    let averages = predicted.as_ref().map(|_| trials.averages());
    let both = predicted.as_ref().zip(averages.as_ref());
    let without_distance = AtomicUsize::new(0);
    let of = |stat: Stat, columns: Range<usize>| -> Result<(Ceiling, Option<Reason>)> {
        let some = s![.., columns.clone()];
        if !trials.are_finite(columns) {
            return Ok((Ceiling::none(), Some(Reason::NanInput)));
        }
        let how = args.compare.correlation();
        let found = one_against_rest(&trials.repeats, |stimuli, one, rest| {
            let part = |shown: &[usize]| {
                let means = match trials.responses.view() {
                    Block::F4(rows) => average_occurrences(rows.slice(some), &trials.repeats, stimuli, shown),
                    Block::F8(rows) => average_occurrences(rows.slice(some), &trials.repeats, stimuli, shown),
                };
                measure(stat, means.view())
            };
            let (one, rest) = (part(one)?, part(rest)?);
            let lost = one.iter().zip(&rest).filter(|(a, b)| !(a.is_finite() && b.is_finite())).count();
            without_distance.fetch_max(lost, Ordering::Relaxed);
            Ok::<f64, anyhow::Error>(correlate(how, &one, &rest))
        })?;
        let r = match both {
            None => f64::NAN,
            Some((predicted, averages)) => {
                correlate(how, &measure(stat, predicted.slice(some))?, &measure(stat, averages.slice(some))?)
            }
        };
        let ceiling = found.map_or(Ceiling::none(), |found| Ceiling::new(found, n_trials, r));
        Ok((ceiling, ceiling.reason()))
    };
    let unscored = |ceiling: &&Ceiling| both.is_some() && ceiling.r.is_nan() && !ceiling.r_one_rest.is_nan();
    let all = 0..trials.n_voxels();
    let (ceiling, n_voxels, reason) = match args.stat {
        Stat::Profile | Stat::Rdm => {
            let (ceiling, reason) = of(args.stat, all.clone()).map_err(|e| anyhow!("{source}: {e}"))?;
            (ceiling, all.len(), reason)
        }
        Stat::Voxel => {
            // A profile of one voxel is that voxel.
            let voxels = all.into_par_iter().map(|voxel| of(Stat::Profile, voxel..voxel + 1));
            let voxels: Vec<(Ceiling, Option<Reason>)> = voxels.collect::<Result<_>>()?;
            let reasons: Vec<Option<Reason>> = voxels.iter().map(|(_, reason)| *reason).collect();
            if let Some(text) = count_reasons(&reasons) {
                job.warn(format!(
                    "{source}: {text}; medians are over those with an r_one_rest, one below 0 being the lowest reliability"
                ));
            }
            let usable: Vec<Ceiling> = voxels.iter().map(|(c, _)| *c).filter(|c| !c.r_one_rest.is_nan()).collect();
            match usable.iter().filter(unscored).count() {
                0 => {}
                n => job.warn(format!(
                    "{source}: {n} of {} voxels have no r: their prediction is constant or has a NaN; r and r_norm are \
                     over the others",
                    voxels.len()
                )),
            }
            let ceiling = Ceiling::median(&usable);
            let reason = if usable.is_empty() { reasons.into_iter().flatten().next() } else { ceiling.reason() };
            (ceiling, usable.len(), reason)
        }
    };
    let n_stimuli = trials.repeats.shown_at_least(presentations).len();
    let lost = without_distance.into_inner();
    if lost > 0 && args.stat == Stat::Rdm {
        job.warn(format!(
            "{source}: up to {lost} of {} pairs have no distance in a presentation (a pattern that is constant over \
             voxels), and are left out of its correlation",
            n_stimuli * (n_stimuli - 1) / 2
        ));
    }
    let unscored = unscored(&&ceiling).then_some(match predicted.iter().flatten().all(|v| v.is_finite()) {
        true => Reason::Constant,
        false => Reason::NanInput,
    });
    let reason = reason.or(unscored);
    Ok(Row { name, n_stimuli, n_presentations: presentations, n_voxels, n_trials, ceiling, reason })
}

/// The trials, without those of other stimuli where only common ones are asked for, and the predicted responses of
/// their stimuli in the same order.
fn pair(
    job: &Job,
    args: &Within,
    trials: Trials,
    source: &str,
    predicted: &NamedMatrix,
) -> Result<(Trials, Array2<f64>)> {
    if predicted.matrix.n_columns() != trials.n_voxels() {
        bail!(
            "{}: {} columns, but {source} has {} voxels; a prediction has the same voxels",
            predicted.source,
            predicted.matrix.n_columns(),
            trials.n_voxels()
        );
    }
    let side = Side { name: source, labels: trials.ids.as_deref(), n_rows: trials.repeats.n_stimuli() };
    let joined = args.join.join(job, side, predicted.side())?;
    if joined.repeated.is_some() {
        bail!(
            "{}: {} rows of {} stimuli; a prediction has one row per stimulus",
            predicted.source,
            predicted.matrix.n_rows(),
            joined.len()
        );
    }
    Ok((trials.of_stimuli(&joined.left), predicted.matrix.select_rows(&joined.right).into_f64()))
}

/// Stimuli x voxels to what is correlated.
fn measure(stat: Stat, means: ArrayView2<f64>) -> Result<Vec<f64>> {
    match stat {
        Stat::Profile | Stat::Voxel => Ok(row_means(means)),
        Stat::Rdm => Ok(distances(means, Distance::Correlation)?.rdm.values().to_vec()),
    }
}

/// Over pairs that both have.
fn correlate(how: Correlation, a: &[f64], b: &[f64]) -> f64 {
    let both = |(x, y): &(&f64, &f64)| x.is_finite() && y.is_finite();
    let (x, y): (Vec<f64>, Vec<f64>) = a.iter().zip(b).filter(both).unzip();
    how.of(&x, &y)
}
