//! `ceiling gsn`: ceilings of a region's RDM and mean response from the covariances of its signal and noise.

use crate::sessions::{SessionArgs, Sessions, z_scored};
use crate::trials::{SplitArgs, at_least_one, record_splits, repeats_of, warn_of_dependent_trials};
use crate::voxel::{count_reasons, whole};
use anyhow::{Context, Result, anyhow, bail};
use array_inputs::{JoinArgs, NamedArray, Names, read_arrays, tell_apart};
use cli::{Common, Format, Input, Job, Output, OutputPath, TableWriter, require_memory};
use ndarray::{Array2, ArrayView2, Axis};
use npy_stream::{Block, Dtype, Labels, RowWriter};
use reliability::Repeats;
use reliability::gsn::{
    Gsn, GsnError, Simulation, check_repeats, halves, profile_ceiling, rdm_ceiling, unusable_voxels,
};
use serde_json::json;
use statistics::{Draws, Reason, median};

/// Repeats by id to the ceilings of an RDM and of the mean response (generative modelling of signal and noise)
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns (one row per array):
  array, n_voxels, n_stimuli
  n_trials            trials in the averages that the ceilings are for: --trials, else 1 / mean(1 / n)
                      over stimuli, which is n where all are shown n times
  shrinkage_signal    share of the covariances between voxels that was kept in the covariance of the
                      stimuli's averages: 0 none, 1 all
  shrinkage_noise     the same in the covariance of the trials of a stimulus
  n_iterations        rounds until signal and noise were semidefinite and agreed; 0: at once
  ncsnr               median over voxels of sqrt(signal variance / noise variance) of single trials;
                      bounds nothing itself
  rdm_ceiling         correlation (Pearson) of the noiseless RDM (1 - Pearson) with the measured one:
                      bounds r of an RDM comparison by Pearson, for averages of n_trials
  rdm_ceiling_se      standard error of the simulation (Monte Carlo), and of the choice of subsets
  profile_ceiling     correlation of the noiseless mean response over voxels with the measured one:
                      bounds r of a comparison of response profiles, for averages of n_trials
  profile_ceiling_se  0 (nothing is simulated: normal means have a formula), or that of subsets
  signal_scale        what the signal covariance was multiplied by (0 to 2) so that RDMs of simulated
                      halves of the trials agree as well as those of the data
  profile_signal_scale
                      the same for mean responses; far from 1 the covariances between voxels are not
                      well known. The ceiling does not depend on it: it is what Spearman-Brown gives
  reason              constant, nan_input (of a voxel: the row is NaN), too_few_voxels (one voxel has
                      no RDM), negative_reliability (a scale, and so a ceiling, is 0: the halves agree
                      no better than noise)
No column bounds r2; the square of a ceiling does.
Kay et al. (2025): responses are a multivariate normal signal plus a multivariate normal noise, both
estimated from all trials. The steps up to the two covariances are those of their NumPy code.
The standard errors say how well the model was simulated, not how well its covariances are known.

Examples:
  ceiling gsn trials.npy > ceilings.csv
  ceiling gsn --trials 1 --draws 5000 trials.npy -o ceilings.csv
  ceiling gsn --stimuli trials.csv --session run --noise-covariance noise.npy trials.npy")]
pub(crate) struct GsnArgs {
    /// Single-trial responses (rows = trials, columns = voxels) with a stimulus id per row; - is stdin
    #[arg(value_name = "MATRIX", default_value = "-")]
    inputs: Vec<Input>,
    /// Ceilings for averages over N trials [default: the trials that each stimulus has]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    trials: Option<usize>,
    #[command(flatten)]
    sessions: SessionArgs,
    /// Simulated draws, of 50 stimuli each
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    draws: u32,
    /// Of arrays with more voxels, random subsets of N voxels are taken, and what they give is averaged
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    max_voxels: usize,
    /// Subsets of --max-voxels
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: u32,
    /// Write the signal covariance (voxels x voxels, before --signal_scale) of the only array
    #[arg(long, value_name = "FILE")]
    signal_covariance: Option<OutputPath>,
    /// Write the noise covariance (voxels x voxels) of single trials of the only array
    #[arg(long, value_name = "FILE")]
    noise_covariance: Option<OutputPath>,
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

/// What is in a row, in this order, behind array and numbers of voxels, stimuli and trials.
const NUMBERS: [&str; 10] = [
    "shrinkage_signal",
    "shrinkage_noise",
    "n_iterations",
    "ncsnr",
    "rdm_ceiling",
    "rdm_ceiling_se",
    "profile_ceiling",
    "profile_ceiling_se",
    "signal_scale",
    "profile_signal_scale",
];
const CEILINGS: [usize; 2] = [4, 6];
const STANDARD_ERRORS: [usize; 2] = [5, 7];

pub(crate) fn run(args: &GsnArgs) -> Result<()> {
    let job = Job::start("ceiling", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    let binary = |path: &Option<OutputPath>| path.as_deref().map(|path| job.binary_output(Some(path))).transpose();
    let (signal_out, noise_out) = (binary(&args.signal_covariance)?, binary(&args.noise_covariance)?);
    job.record("seed", args.split.seed);
    job.record("draws", args.draws);
    let sessions = args.sessions.read(&job)?;
    if sessions.is_none() {
        args.join.refuse_alone("--session")?;
    }
    warn_of_dependent_trials(&job, &args.inputs);
    let mut arrays = read_arrays(&job, &args.inputs, &mut Names::new(&args.names))?;
    tell_apart(&mut arrays)?;
    if arrays.len() > 1 && (signal_out.is_some() || noise_out.is_some()) {
        bail!(
            "--signal-covariance, --noise-covariance: {} arrays, and a file holds the covariance of one; give them one \
             by one",
            arrays.len()
        );
    }
    let mut done = Vec::new();
    for array in arrays {
        done.push(one(&job, args, sessions.as_ref(), array)?);
    }
    // The table last: on stdout it cannot be taken back where another file does not fit on its disk.
    let mut finished = Vec::new();
    for (output, of) in [(signal_out, (|gsn| &gsn.signal) as fn(&Gsn) -> &Array2<f64>), (noise_out, |gsn| &gsn.noise)] {
        if let Some(output) = output {
            finished.push(write_covariance(output, &done[0], of)?);
        }
    }
    let mut columns = vec!["array", "n_voxels", "n_stimuli", "n_trials"];
    columns.extend(NUMBERS);
    columns.push("reason");
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for row in &done {
        let mut cells = vec![
            ("array", (&row.name).into()),
            ("n_voxels", row.n_voxels.into()),
            ("n_stimuli", row.n_stimuli.into()),
            ("n_trials", whole(row.n_trials)),
        ];
        cells.extend(NUMBERS.into_iter().zip(row.numbers).map(|(name, number)| (name, number.into())));
        cells.push(("reason", row.reason.into()));
        table.record(&cells)?;
    }
    finished.into_iter().try_for_each(|output| output.commit(&job))?;
    table.into_inner().commit(&job)
}

/// A row of the table.
struct Row {
    name: String,
    labels: Labels,
    n_voxels: usize,
    n_stimuli: usize,
    n_trials: f64,
    numbers: [f64; NUMBERS.len()],
    reason: Option<Reason>,
    /// Only where one covariance of all voxels was estimated.
    gsn: Option<Gsn>,
}

fn write_covariance(mut output: Output, row: &Row, of: fn(&Gsn) -> &Array2<f64>) -> Result<Output> {
    let unusable = Array2::from_elem((row.n_voxels, row.n_voxels), f64::NAN);
    let values = row.gsn.as_ref().map_or(&unusable, of);
    let names = row.labels.columns.clone();
    let labels = Labels { ids: names.clone(), columns: names, name: row.labels.name.clone() };
    let mut rows = RowWriter::new(&mut output, row.n_voxels, row.n_voxels, Dtype::F8)?;
    rows.write_rows(values.view())?;
    rows.finish(&labels)?;
    Ok(output)
}

fn one(job: &Job, args: &GsnArgs, sessions: Option<&Sessions>, array: NamedArray) -> Result<Row> {
    let trials = array.into_matrix()?;
    let source = trials.source.clone();
    let repeats = repeats_of(&trials)?;
    check_repeats(&repeats).map_err(|e| anyhow!("{source}: {e}"))?;
    let n_voxels = trials.matrix.n_columns();
    if n_voxels == 0 {
        bail!("{source}: no column; a region needs at least one voxel");
    }
    let in_subsets = n_voxels > args.max_voxels;
    if in_subsets && (args.signal_covariance.is_some() || args.noise_covariance.is_some()) {
        bail!(
            "{source}: {n_voxels} voxels and --max-voxels {}; subsets have no covariance of all voxels: raise \
             --max-voxels",
            args.max_voxels
        );
    }
    require_room(job, &source, n_voxels.min(args.max_voxels))?;
    record_splits(job, &source, &repeats, args.split);
    let mut unusable = match trials.matrix.view() {
        Block::F4(rows) => unusable_voxels(rows, &repeats),
        Block::F8(rows) => unusable_voxels(rows, &repeats),
    };
    let mut row = Row {
        name: trials.name.clone(),
        labels: trials.labels.clone(),
        n_voxels,
        n_stimuli: repeats.n_stimuli(),
        n_trials: args.trials.map_or(1.0 / repeats.mean_inverse_count(), |n| n as f64),
        numbers: [f64::NAN; NUMBERS.len()],
        reason: None,
        gsn: None,
    };
    let scored = match sessions {
        Some(sessions) => z_scored(&trials.matrix, &sessions.of(job, args.join, &trials)?),
        None => trials.matrix.into_f64(),
    };
    // What was usable and is NaN now does not vary in a session.
    for (reason, column) in unusable.iter_mut().zip(scored.columns()) {
        if reason.is_none() && column.iter().any(|v| v.is_nan()) {
            *reason = Some(Reason::Constant);
        }
    }
    row.reason = [Reason::NanInput, Reason::Constant].into_iter().find(|reason| unusable.contains(&Some(*reason)));
    if let Some(text) = count_reasons(&unusable) {
        job.warn(format!("{source}: {text}; the covariances are of all voxels: leave these out with `npy cols`"));
        return Ok(row);
    }
    let subsets = subsets(job, args, &source, n_voxels);
    let mut of_subsets = Vec::new();
    for (repeat, voxels) in subsets.iter().enumerate() {
        let some = voxels.as_ref().map(|voxels| scored.select(Axis(1), voxels));
        let some = some.as_ref().unwrap_or(&scored);
        match region(job, args, &source, some.view(), &repeats, row.n_trials, repeat)? {
            Ok(found) => of_subsets.push(found),
            Err(reason) => {
                row.reason = Some(reason);
                return Ok(row);
            }
        }
    }
    row.numbers = averaged(&of_subsets);
    row.reason = of_subsets.iter().find_map(|found| found.reason);
    match row.reason {
        Some(Reason::NegativeReliability) => {
            let of: Vec<&str> = CEILINGS.into_iter().filter(|&k| row.numbers[k] == 0.0).map(|k| NUMBERS[k]).collect();
            job.warn(format!("{source}: halves agree no better than noise, so that {} is 0", of.join(" and ")))
        }
        Some(reason) => job.warn(format!("{source}: {reason}; a ceiling is NaN")),
        None => {}
    }
    row.gsn = if in_subsets { None } else { of_subsets.pop().map(|found| found.gsn) };
    Ok(row)
}

/// Copies of the covariance that are held at once: one for every thread that judges a shrinkage, twice, and a dozen.
fn require_room(job: &Job, source: &str, n_voxels: usize) -> Result<()> {
    let copies = 2 * job.n_threads() as u128 + 12;
    let bytes = copies * 8 * (n_voxels as u128).pow(2);
    require_memory(format!("{source}: covariances of {n_voxels} voxels"), bytes, "lower --max-voxels")
}

/// Columns of every subset; `None` is all of them.
fn subsets(job: &Job, args: &GsnArgs, source: &str, n_voxels: usize) -> Vec<Option<Vec<usize>>> {
    if n_voxels <= args.max_voxels {
        return vec![None];
    }
    job.note(format!(
        "{source}: {n_voxels} voxels; means over {} random subsets of {} (--max-voxels, --repeats)",
        args.repeats, args.max_voxels
    ));
    let facts = json!({ "n_voxels": args.max_voxels, "n_subsets": args.repeats });
    job.record(&format!("subsets of {source}"), facts);
    // From the last stream down: the simulation takes the first ones.
    let draw = |repeat: u64| {
        let mut voxels = Draws::stream(args.split.seed, u64::MAX - repeat).permutation(n_voxels);
        voxels.truncate(args.max_voxels);
        voxels.sort_unstable();
        voxels
    };
    (0..u64::from(args.repeats)).map(|repeat| Some(draw(repeat))).collect()
}

/// Of all voxels, or of a subset.
struct Found {
    gsn: Gsn,
    numbers: [f64; NUMBERS.len()],
    reason: Option<Reason>,
}

fn region(
    job: &Job,
    args: &GsnArgs,
    source: &str,
    trials: ArrayView2<f64>,
    repeats: &Repeats,
    n_trials: f64,
    repeat: usize,
) -> Result<std::result::Result<Found, Reason>> {
    let gsn = match Gsn::estimate(trials, repeats) {
        Ok(gsn) => gsn,
        Err(error @ GsnError::NoVariance { .. }) => {
            job.warn(format!("{source}: {error}"));
            return Ok(Err(Reason::Constant));
        }
        Err(error) => bail!("{source}: {error}"),
    };
    if !gsn.converged {
        job.warn(format!(
            "{source}: signal and noise still change after {} rounds; the last ones are used",
            gsn.n_iterations
        ));
    }
    let halves = halves(trials, repeats, args.split.splits, args.split.seed)
        .with_context(|| format!("{source}: no trials to split"))?;
    let how = Simulation { n_trials, draws: args.draws as usize, seed: args.split.seed, repeat };
    let rdm = rdm_ceiling(&gsn, halves, how).map_err(|e| anyhow!("{source}: {e}"))?;
    let profile = profile_ceiling(&gsn, halves, n_trials);
    if rdm.out_of_reach {
        job.warn(format!(
            "{source}: RDMs of halves of the data agree better (r = {:.3}) than simulated ones do under any signal \
             scale up to {}; rdm_ceiling is too low",
            halves.rdm, rdm.scale
        ));
    }
    let reason = if trials.ncols() < 2 {
        Some(Reason::TooFewVoxels)
    } else if [halves.rdm, halves.profile].iter().any(|r| r.is_nan()) {
        Some(Reason::Constant)
    } else {
        [rdm, profile].iter().any(|measure| measure.scale == 0.0).then_some(Reason::NegativeReliability)
    };
    let numbers = [
        gsn.shrinkage_signal,
        gsn.shrinkage_noise,
        gsn.n_iterations as f64,
        median(&gsn.ncsnr),
        rdm.ceiling,
        rdm.error,
        profile.ceiling,
        profile.error,
        rdm.scale,
        profile.scale,
    ];
    Ok(Ok(Found { gsn, numbers, reason }))
}

/// Means over subsets. Their standard errors come from their simulations or from how much the subsets differ: the
/// larger of the two, as a few subsets may be alike by chance.
fn averaged(of_subsets: &[Found]) -> [f64; NUMBERS.len()] {
    let n = of_subsets.len() as f64;
    let of = |index: usize| of_subsets.iter().map(|found| found.numbers[index]).collect::<Vec<f64>>();
    std::array::from_fn(|index| {
        if !STANDARD_ERRORS.contains(&index) || of_subsets.len() == 1 {
            return statistics::mean(&of(index));
        }
        let simulated = of(index).iter().map(|se| se * se).sum::<f64>().sqrt() / n;
        let between = (statistics::variance(&of(index - 1)) / n).sqrt();
        if simulated.is_nan() || between.is_nan() { f64::NAN } else { simulated.max(between) }
    })
}
