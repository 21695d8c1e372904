//! `fmri-roi glm`: runs of BOLD and their events to effect, t, F and z maps, or to betas per trial.

mod bold;
mod confounds;
mod contrasts;
mod events;
mod files;
mod fit;
mod fitted;
mod maps;
mod timing;
mod trials;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use cli::{Common, Input, Job, OutputFolder};
use glm::{Basis, Collinear, Design, Drift, Hrf, Noise, PerTrial, Scaling, Test, Timing, Weighting, collinear};
use npy_stream::Dtype;
use voxel_inputs::Inside;

use bold::Run;
use events::RunEvents;
use files::Files;
use timing::Told;

const HELP: &str = "\
Input:
  Runs of BOLD: NIfTI images (4-d), GIFTI or CIFTI series, or .npy matrices (volumes x voxels), in
  the order of --events.
  --events: BIDS events.tsv, one per run: onset and duration in seconds from the first volume;
  trial_type (without the column all events are one condition, \"dummy\"; rows where it is n/a are
  not used); modulation, the height of an event (1 without). Rows of one condition, onset and
  duration are one event whose modulations add up. With --condition-key, a folder per run of FSL's
  three-column files (cond001.txt: onset, duration, height), named by the key (OpenfMRI).
  --subject-dir: a subject's folder as fMRIPrep publishes it. Of its ..._bold files those are taken
  that --task, --space, --session, --run, --hemi and --entity leave, desc-preproc where there is
  more; where they still differ in anything but session and run, the error lists in what. With each
  come ..._desc-brain_mask (of volumes, without --mask; voxels inside the masks of all runs are
  fitted), ..._desc-confounds_timeseries.tsv (with --confound-columns) and ..._events.tsv of the
  raw dataset. What was taken is said on stderr and in the .json of the outputs (\"runs\").
  Confounds: a table with names of columns, or numbers alone (FSL's .par, SPM's rp_*.txt), whose
  columns are confound_0, confound_1 ... or just 0, 1. A glob need not match in every run.
  TR: --tr, else RepetitionTime in the .json files that hold for the run (beside it, or above it in
  its dataset with fewer entities; the nearest wins), else the image's header. StartTime in them
  says where in a TR the slices are.

Design, as nilearn 0.14 makes it: conditions in the order of their names' bytes, with derivatives
  orthogonal to them (NAME_derivative, NAME_dispersion) or delays (NAME_delay_0), then confounds,
  drift_1 ..., constant. An event of 0 s is an impulse: a fiftieth of an event of one TR.

Contrasts: those of select-units over conditions ('faces > houses', 'faces > rest', '2*a - b - c';
  sides are means, so weights are scaled to 1 and -1; rest is all other conditions, not the
  baseline), or the name of one column of the design: its
  effect against the implicit baseline. With --hrf fir the columns stand for conditions. Several of
  them between ; are the rows of an F contrast.

Output in --out-dir, maps f4 of the runs' grid or surface (.nii.gz, .func.gii, .dscalar.nii; of
  .npy runs a .npy of one row), NaN where there is no number (outside --mask; constant; not finite),
  each with a .json. With --subject-dir names begin with the entities of the runs (sub-01_task- ...):
    contrast-NAME_stat-effect_statmap     in per cent of the voxel's mean (--scale none: as stored)
    contrast-NAME_stat-variance_statmap   its variance
    contrast-NAME_stat-t_statmap          or stat-F; the degrees of freedom are in the .json
    contrast-NAME_stat-z_statmap          the normal deviate with the same upper tail
    stat-residualsd_statmap               sd of the noise; under ar1 of its innovations
    stat-rsquared_statmap                 1 - residual / total sum of squares, least squares
    RUN_design.tsv                        the design of each run; the .json of a contrast has its weights
  Several runs: effects are means over runs (--fixed-effects precision: weighted by 1/variance),
  degrees of freedom are sums.
  With --betas: a matrix of trials x all voxels of the grid (NaN outside --mask), the trials of all
  runs in the order of their files. Its ids are the column stim_file or stimulus of the events, the
  first of these; of an event without one, its trial_type and number over all runs (faces_3), so
  that none recurs. --trial-table has a row per trial: `npy label --force --ids` takes its
  trial_type. An output called .nii or .nii.gz is an image of a volume per trial. lsa is one model with a column per trial; lss
  one per trial, the others of its condition in one column (in closed form, so it costs one model).
  fit is lsa with a response and a ridge penalty of each voxel's own, as GLMsingle makes them
  without its noise regressors (types B and D): of a library the response that explains most, and
  of fractions 1, .95 ... .05 (of the length of the unpenalized betas) the one whose z-scored betas
  are nearest to the unpenalized ones of the same stimulus in other runs; then scaled and shifted to
  the unpenalized betas. A trial's regressor peaks at 1 whatever its duration. It needs 2 runs or
  more with repeats. Trials are then not independent: the sidecar says so, and rsa rdm warns.
  --fit-maps has the rows (or volumes) response (its number, from 0), fraction and R2 (share of
  what confounds and drifts leave that the trials explain unpenalized); --fit-table a row per voxel.

Examples:
  fmri-roi glm run-1_bold.nii run-2_bold.nii --events run-1_events.tsv run-2_events.tsv \\
      --hrf spm --high-pass 0.0078 --mask mask.nii --contrast 'faces > rest' --out-dir maps
  fmri-roi glm --subject-dir derivatives/fmriprep/sub-01 --task floc --space MNI152NLin2009cAsym \\
      --confound-columns 'rot_?' --contrast faces --f-contrast 'faces; places' --out-dir maps
  fmri-roi glm run-1_bold.nii --events run-1_events.tsv --hrf spm --betas lss -o betas.npy";

/// Options of `glm`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Glm {
    /// Runs of BOLD: NIfTI, or .npy of volumes x voxels (- is stdin)
    #[arg(value_name = "BOLD", default_value = "-")]
    inputs: Vec<Input>,
    /// Events of each run, in the order of the runs
    #[arg(long, value_name = "TABLE", num_args = 1.., required_unless_present = "subject_dir")]
    events: Vec<Input>,
    /// A subject's folder in a BIDS derivative (fMRIPrep's sub-01), in which runs, masks and confounds are found
    #[arg(long, value_name = "DIR", group = "with_confounds")]
    #[arg(conflicts_with_all = ["inputs", "events", "confounds", "condition_key"])]
    subject_dir: Option<PathBuf>,
    /// The raw BIDS dataset, which has the events [default: what has the folder derivatives]
    #[arg(long, value_name = "DIR", requires = "subject_dir")]
    bids_dir: Option<PathBuf>,
    /// Runs of this task (may be given again)
    #[arg(long, value_name = "LABEL", requires = "subject_dir")]
    task: Vec<String>,
    /// Runs in this space; none: those whose names say no space
    #[arg(long, value_name = "LABEL", requires = "subject_dir")]
    space: Option<String>,
    /// Runs of this session (may be given again) [default: all]
    #[arg(long, value_name = "LABEL", requires = "subject_dir")]
    session: Vec<String>,
    /// Runs of this number (may be given again) [default: all]
    #[arg(long, value_name = "LABEL", requires = "subject_dir")]
    run: Vec<String>,
    /// Runs of this hemisphere: L or R
    #[arg(long, value_name = "LABEL", requires = "subject_dir")]
    hemi: Option<String>,
    /// Runs of this entity, as names of files have it: res-2, dir-none (may be given again)
    #[arg(long, value_name = "KEY-LABEL", requires = "subject_dir")]
    entity: Vec<String>,
    /// Names of FSL's three-column files: lines like "task001 cond001 house"; --events are then folders
    #[arg(long, value_name = "FILE")]
    condition_key: Option<Input>,
    /// Seconds from one volume to the next
    #[arg(long, value_name = "SECONDS")]
    tr: Option<f64>,
    /// Where in a TR the slices were taken, or shifted to: 0.5 is its middle [default: StartTime of a sidecar, else 0]
    #[arg(long, value_name = "PART")]
    slice_time_ref: Option<f64>,
    /// Haemodynamic response: spm, glover (the default), fir (with --fir-delays) or none; not with --betas fit
    #[arg(long, value_enum)]
    hrf: Option<Shape>,
    /// Delays of a finite impulse response in TRs: 0,1,2,3
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    fir_delays: Vec<usize>,
    /// Derivatives of the response beside it: time, or time,dispersion
    #[arg(long, value_enum, value_delimiter = ',')]
    derivatives: Vec<Derivative>,
    /// Slow drifts: cosine (--high-pass), polynomial (--drift-order), none (the constant alone)
    #[arg(long, value_enum, default_value_t = DriftKind::Cosine)]
    drift: DriftKind,
    /// Cosines up to this frequency are drift [default: 0.01]
    #[arg(long, value_name = "HZ")]
    high_pass: Option<f64>,
    /// Order of polynomial drifts [default: 1]
    #[arg(long, value_name = "N")]
    drift_order: Option<usize>,
    /// Tables of confounds, one per run, a row per volume
    #[arg(long, value_name = "TABLE", num_args = 1.., requires = "confound_columns", group = "with_confounds")]
    confounds: Vec<Input>,
    /// Columns of them, by name or with * and ? (may be given again); n/a in the first row is the mean of the others
    #[arg(long, value_name = "NAME|GLOB", value_delimiter = ',', requires = "with_confounds")]
    confound_columns: Vec<String>,
    /// Units: percent of each voxel's mean in each run, or none (as stored)
    #[arg(long, value_enum, default_value_t = Units::Percent)]
    scale: Units,
    /// Noise: ols (independent; so is --betas fit), or ar1 (the default: autocorrelation of each voxel, in hundredths)
    #[arg(long, value_enum)]
    noise: Option<NoiseKind>,
    /// Voxels to fit: those above 0; of several masks (may be given again) those above 0 in all
    #[arg(long, value_name = "MASK")]
    mask: Vec<Input>,
    /// t contrast (may be given again)
    #[arg(long, value_name = "CONTRAST")]
    contrast: Vec<String>,
    /// F contrast: several contrasts between ; (may be given again)
    #[arg(long, value_name = "ROWS")]
    f_contrast: Vec<String>,
    /// Weights of runs: equal, or precision (1 / variance)
    #[arg(long, value_enum, value_name = "WEIGHTS")]
    fixed_effects: Option<RunWeights>,
    /// Folder for maps and designs, made if needed
    #[arg(long, value_name = "DIR", conflicts_with_all = ["output", "betas"], required_unless_present = "betas")]
    out_dir: Option<OutputFolder>,
    /// A beta per trial instead of maps: lsa (least squares, all), lss (separate), fit (response and penalty per voxel)
    #[arg(long, value_enum, conflicts_with_all = ["contrast", "f_contrast", "fixed_effects"])]
    betas: Option<Trials>,
    /// Responses that --betas fit chooses from: a column each, a line per 0.1 s, no names [default: NSD's 20]
    #[arg(long, value_name = "FILE", requires = "betas")]
    hrf_library: Option<Input>,
    /// What a trial of --betas fit is a repeat of: its stimulus (the default where events name any) or its trial_type
    #[arg(long, value_enum, value_name = "COLUMN", requires = "betas")]
    repeats_by: Option<Repeats>,
    /// Also write what --betas fit chose for each voxel: response, fraction, R2, as an image or a .npy of three rows
    #[arg(long, value_name = "FILE", requires = "betas")]
    fit_maps: Option<cli::OutputPath>,
    /// Also write a table of it: voxel, response, fraction, R2, reason
    #[arg(long, value_name = "FILE", requires = "betas")]
    fit_table: Option<cli::OutputPath>,
    /// Also write a table of the trials, in the order of their betas: stimulus, trial_type, run, onset, duration
    #[arg(long, value_name = "FILE", conflicts_with = "out_dir")]
    trial_table: Option<cli::OutputPath>,
    /// Element type of betas: f4, or f8 (default: f8 when .npy runs are)
    #[arg(long, conflicts_with = "out_dir")]
    dtype: Option<Dtype>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    Spm,
    Glover,
    Fir,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Derivative {
    Time,
    Dispersion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DriftKind {
    Cosine,
    Polynomial,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Units {
    Percent,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum NoiseKind {
    Ols,
    Ar1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RunWeights {
    Equal,
    Precision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Trials {
    Lsa,
    Lss,
    Fit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Repeats {
    Stimulus,
    TrialType,
}

/// What is asked of every run, checked.
struct Plan {
    basis: Basis,
    drift: Drift,
    noise: Noise,
    scaling: Scaling,
    weighting: Weighting,
}

/// A run whose design is made and whose voxels have not been read.
struct Designed<'a> {
    run: Run<'a>,
    timing: Timing,
    events: RunEvents,
    design: Design,
}

/// Runs the verb.
pub(crate) fn run(args: Glm) -> Result<()> {
    let job = Job::start("fmri-roi", &args.common)?;
    let files = Files::of(&job, &args)?;
    let plan = args.plan(files.runs.len())?;
    let betas = args.betas.map(|how| (how, args.common.output.as_deref()));
    let out = betas.map(|(_, path)| job.binary_output(path)).transpose()?;
    let table = args.trial_table.as_deref().map(|path| job.text_output(Some(path))).transpose()?;
    let maps = args.fit_maps.as_deref().map(|path| job.binary_output(Some(path))).transpose()?;
    let table_of_voxels = args.fit_table.as_deref().map(|path| job.text_output(Some(path))).transpose()?;
    let (runs, inside) = design(&job, &args, &plan, &files)?;
    if args.betas != Some(Trials::Fit) {
        // Of betas that are fitted, the conditions are no columns.
        warn_collinear(&job, &runs)?;
    }
    args.record(&job, &plan, &runs);
    let inside = inside.as_ref();
    match (args.betas, out, &args.out_dir) {
        (Some(how), Some(out), _) => {
            let target = trials::Target { out, path: args.common.output.as_deref(), dtype: args.dtype, table };
            let how = match how {
                Trials::Lsa => PerTrial::Lsa,
                Trials::Lss => PerTrial::Lss,
                Trials::Fit => {
                    let choices = fitted::Choices {
                        library: args.hrf_library.as_ref(),
                        repeats: args.repeats_by,
                        maps: maps.zip(args.fit_maps.as_deref()),
                        table: table_of_voxels,
                    };
                    return fitted::run(&job, &plan, runs, inside, target, choices);
                }
            };
            trials::run(&job, &plan, how, runs, inside, target)
        }
        (_, _, Some(folder)) => {
            let asked = contrasts::asked(&args.contrast, &args.f_contrast, &runs)?;
            let tests: Vec<Test> = asked.iter().map(|asked| asked.test).collect();
            let models = fit::models(&plan, &asked, &runs)?;
            folder.make()?;
            let outputs = maps::Outputs::claim(&job, folder, &asked, &runs, &files)?;
            let fitted = fit::fit(&job, &plan, runs, models, &tests, inside)?;
            outputs.write(&job, fitted)
        }
        _ => bail!("--out-dir is missing"),
    }
}

impl Glm {
    fn plan(&self, n_runs: usize) -> Result<Plan> {
        if self.contrast.is_empty() && self.f_contrast.is_empty() && self.betas.is_none() {
            bail!("0 contrasts; name one with --contrast 'faces > rest' (or --f-contrast), or ask for --betas");
        }
        if let Some(tr) = self.tr.filter(|tr| !(tr.is_finite() && *tr > 0.0)) {
            bail!("--tr {tr}: expected seconds above 0");
        }
        if let Some(part) = self.slice_time_ref.filter(|part| !(0.0..=1.0).contains(part)) {
            bail!("--slice-time-ref {part}: expected a part of a TR, from 0 to 1");
        }
        let is_fit = self.betas == Some(Trials::Fit);
        if is_fit && self.hrf.is_some() {
            bail!("--hrf: --betas fit chooses a response for each voxel; leave it out, or give --hrf-library");
        }
        if is_fit && self.noise == Some(NoiseKind::Ar1) {
            bail!("--noise ar1: --betas fit is ridge regression with independent noise; leave it out");
        }
        let own = [
            ("--hrf-library", self.hrf_library.is_some()),
            ("--repeats-by", self.repeats_by.is_some()),
            ("--fit-maps", self.fit_maps.is_some()),
            ("--fit-table", self.fit_table.is_some()),
        ];
        if let (false, Some((option, _))) = (is_fit, own.iter().find(|(_, given)| *given)) {
            bail!("{option} is that of --betas fit");
        }
        let shape = self.hrf.unwrap_or(Shape::Glover);
        if shape != Shape::Fir && !self.fir_delays.is_empty() {
            bail!("--fir-delays are those of --hrf fir");
        }
        let hrf = match shape {
            Shape::Spm => Hrf::Spm,
            Shape::Glover => Hrf::Glover,
            Shape::None => Hrf::None,
            Shape::Fir => {
                let mut seen = self.fir_delays.clone();
                seen.sort_unstable();
                seen.dedup();
                if seen.len() != self.fir_delays.len() || seen.is_empty() {
                    bail!("--hrf fir needs --fir-delays, each once: 0,1,2,3 are four columns per condition");
                }
                Hrf::Fir(self.fir_delays.clone())
            }
        };
        let has = |derivative| self.derivatives.contains(&derivative);
        if !self.derivatives.is_empty() && !matches!(shape, Shape::Spm | Shape::Glover) {
            bail!("--derivatives are those of --hrf spm or glover");
        }
        if has(Derivative::Dispersion) && !has(Derivative::Time) {
            bail!("--derivatives dispersion stands beside that of time: time,dispersion");
        }
        if self.betas.is_some() && (!self.derivatives.is_empty() || shape == Shape::Fir) {
            bail!("--betas give one number per trial; leave out --derivatives and --hrf fir");
        }
        let drift = match (self.drift, self.high_pass, self.drift_order) {
            (DriftKind::Cosine, high_pass, None) => {
                let high_pass = high_pass.unwrap_or(0.01);
                if !(high_pass.is_finite() && high_pass >= 0.0) {
                    bail!("--high-pass {high_pass}: expected a frequency in Hz (128 s are 0.0078125)");
                }
                Drift::Cosine { high_pass }
            }
            (DriftKind::Polynomial, None, order) => Drift::Polynomial { order: order.unwrap_or(1) },
            (DriftKind::None, None, None) => Drift::None,
            (_, Some(_), _) => bail!("--high-pass is that of --drift cosine"),
            (_, _, Some(_)) => bail!("--drift-order is that of --drift polynomial"),
        };
        if self.fixed_effects.is_some() && n_runs == 1 {
            bail!("--fixed-effects weighs runs, and there is 1");
        }
        Ok(Plan {
            basis: Basis {
                hrf,
                time_derivative: has(Derivative::Time),
                dispersion_derivative: has(Derivative::Dispersion),
            },
            drift,
            noise: if is_fit || self.noise == Some(NoiseKind::Ols) { Noise::Ols } else { Noise::Ar1 },
            scaling: if self.scale == Units::Percent { Scaling::Percent } else { Scaling::Raw },
            weighting: match self.fixed_effects {
                Some(RunWeights::Precision) => Weighting::Precision,
                _ => Weighting::Equal,
            },
        })
    }

    /// What the sidecars say of the model.
    fn record(&self, job: &Job, plan: &Plan, runs: &[Designed]) {
        let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
        job.record("hrf", text(&plan.basis.hrf).to_lowercase());
        let derivatives: Vec<String> = self.derivatives.iter().map(|d| text(d).to_lowercase()).collect();
        job.record("derivatives", derivatives);
        match plan.drift {
            Drift::Cosine { high_pass } => job.record("high_pass", high_pass),
            Drift::Polynomial { order } => job.record("drift_order", order),
            Drift::None => job.record("drift", "none"),
        }
        job.record("noise", text(&plan.noise).to_lowercase());
        job.record("scale", text(&self.scale).to_lowercase());
        job.record("tr_seconds", runs.iter().map(|run| run.timing.tr).collect::<Vec<f64>>());
        job.record("slice_time_ref", runs.iter().map(|run| run.timing.slice_time_ref).collect::<Vec<f64>>());
    }
}

/// Opens every run and makes its design, and reads the masks, before any voxel of a run is read.
fn design<'a>(job: &'a Job, args: &Glm, plan: &Plan, files: &'a Files) -> Result<(Vec<Designed<'a>>, Option<Inside>)> {
    let key = args.condition_key.as_ref().map(|key| events::read_key(job, key)).transpose()?;
    let told = Told { tr: args.tr, slice_time_ref: args.slice_time_ref };
    let confounds = confounds::read(job, &files.confounds(), &args.confound_columns)?;
    let mut runs: Vec<Designed> = Vec::new();
    for (place, file) in files.runs.iter().enumerate() {
        let input = &file.bold;
        let run = Run::open(job, input)?;
        if let (Some(first), Some(space)) = (runs.first().and_then(|first| first.run.space()), run.space()) {
            voxel_inputs::require_same_space((&run.name, space), (&runs[0].run.name, first))?;
        }
        let times = timing::times(job, input, run.header_seconds(), told, &file.raw_levels)?;
        if args.subject_dir.is_some() {
            job.note(format!("run {}: TR {} s ({})", place + 1, times.tr, times.tr_from));
        }
        let timing = Timing { n_volumes: run.n_volumes, tr: times.tr, slice_time_ref: times.slice_time_ref };
        let frame_times = timing.frame_times().with_context(|| run.name.clone())?;
        let events = match &key {
            Some(key) => events::read_folder(job, &file.events, key)?,
            None => events::read(job, &file.events)?,
        };
        events.warn_of_times(job, &frame_times, times.tr, args.betas != Some(Trials::Fit));
        let design = Design::new(&events.events, confounds.get(place), &plan.basis, plan.drift, timing)
            .with_context(|| run.name.clone())?;
        runs.push(Designed { run, timing, events, design });
    }
    let inside = Inside::read(job, &files.masks)?;
    for (inside, Designed { run, .. }) in inside.iter().flat_map(|inside| runs.iter().map(move |run| (inside, run))) {
        inside.require(&run.name, run.space(), run.n_grid())?;
    }
    Ok((runs, inside))
}

fn warn_collinear(job: &Job, runs: &[Designed]) -> Result<()> {
    for Designed { run, design, .. } in runs {
        for found in collinear(design).with_context(|| run.name.clone())? {
            let name = &run.name;
            match found {
                Collinear::Zero(column) => job.warn(format!("{name}: column {column:?} of the design is 0 throughout")),
                Collinear::Exactly(columns) => job.warn(format!(
                    "{name}: columns {} of the design depend on each other; none has an effect of its own",
                    columns.join(", ")
                )),
                Collinear::Nearly { column, r2, others } => job.warn(format!(
                    "{name}: {:.1} % of column {column:?} of the design is explained by the others, most by {}",
                    100.0 * r2,
                    others.join(", ")
                )),
            }
        }
    }
    Ok(())
}
