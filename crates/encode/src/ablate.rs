//! `encode ablate`: are the chosen units necessary, are they sufficient, and are other units just as good?

mod control;
mod table;

use anyhow::{Context, Result, bail};
use array_inputs::{JoinArgs, NamedMatrix, Names, read_matrix, read_table, tell_names_apart};
use clap::ValueEnum;
use cli::{Common, Format, Input, Job, OutputPath};
use encoding_models::{HeldOut, Inner, Part, PartFit, PartOptions, RidgeError, Score, ScoreOver, cross_validate_parts};
use linear_algebra::Real;
use ndarray::{Array2, ArrayView2, Axis, s};
use npy_stream::Block;
use statistics::{Folds, Reason, mean};
use unit_tables::{SetArgs, Sought, TableUnits, require_same_columns, units_of};

use crate::folds::{CvArgs, Rows};
use crate::model_args::ModelArgs;
use crate::presentations::{Presentations, check_finite};
use crate::responses::{From, ImageArgs, Measured};
use crate::voxel_table::{InImage, Voxels};
use control::Control;
use table::{Region, Tables};

/// Necessity and sufficiency of chosen units: models of all units, without the chosen, of the chosen only, and of as
/// many random others
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input:
  --x are features, --y the responses of one region or of several, one matrix each, and --units a
  table of select-units about the columns of --x. Rows are joined by id. A unit table that was made
  from another array is refused. Of an image as --y the voxels of --mask are one region.
Models, all with the same folds and the same rule for alpha (the grid is relative to the features
that a model is given):
  all             all features
  without         all but the chosen units: as good as all, the chosen are not necessary
  only            the chosen units: as good as all, the chosen are sufficient
  only_random     for each of --draws: as many units that were not chosen
  without_random  for each of --draws: all features but these
  Columns of the features are left out; nothing is set to zero inside the network, whose later layers
  would see it. To compare that, see ann-acts --lesion.
Columns (one row per array and voxel; with --by region one per array and statistic):
  array, voxel    array of --y (its region); its column, from 0 (of an image its number). With --by
                  region: statistic, the mean or median over the usable voxels, taken before anything
                  below, and n_voxels
  score           r or R2 (--score): what all, without, only and so on are, means over the folds, as
                  encode fit --score-over folds --no-extend has them
  all, without, only
  delta_without, delta_only      without - all, only - all
  without_random, without_random_lo, without_random_hi
                  mean over the draws, and the central 95 % of them
  without_percentile             per cent of the draws below `without` (half of those equal): near 0,
                  the chosen units are more necessary than others
  only_random, only_random_lo, only_random_hi, only_percentile
                  the same of `only`: near 100, the chosen units are better than others
  n_draws         draws with a score (where all drawn units are constant there is none)
  n_chosen, n_units, n           chosen units, all units; rows scored
  reason          why numbers are NaN: constant, nan_input (a NaN in --x stops the tool), empty (no unit is
                  chosen: `without` is `all`, and there is no `only`)
  voxel_name      only where the columns of an array have names
--all-draws: a row for each array, voxel and model: model, draw (from 0; empty but for random ones),
n_features, r, r2, R2, alpha (median over the folds), alpha_at_edge, reason.
Arithmetic is f8 whatever the input.

Examples:
  encode ablate --x acts.npy --y ffa.npy --units face_units.csv > voxels.csv
  encode ablate --x acts.npy --y ffa.npy --units face_units.csv --by region --match variance
  cat ffa.npy ofa.npy | encode ablate --x acts.npy --y - --units face_units.csv --by region --draws 20")]
pub(crate) struct Ablate {
    /// Features: labelled matrix, rows = stimuli, columns = units; - is stdin
    #[arg(long, value_name = "FEATURES")]
    x: Input,
    /// Responses: labelled matrices, rows = stimuli or trials, columns = voxels; or NIfTI, volumes = stimuli or trials;
    /// - is stdin
    #[arg(long, value_name = "RESPONSES")]
    y: Input,
    #[command(flatten)]
    image: ImageArgs,
    /// The chosen units: the `unit` column of this table
    #[arg(long, value_name = "TABLE")]
    units: Input,
    /// The `array` of the table whose rows count [default: the name of --x]
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    #[command(flatten)]
    set: SetArgs,
    /// Random sets of units
    #[arg(long, value_name = "N", default_value_t = 100)]
    draws: usize,
    #[command(flatten)]
    folds: CvArgs,
    #[command(flatten)]
    control: control::ControlArgs,
    /// One row per voxel, or per region (array of --y)
    #[arg(long, value_enum, value_name = "WHAT", default_value = "voxel")]
    by: By,
    /// What the columns of the table are
    #[arg(long, value_enum, value_name = "SCORE", default_value = "r")]
    score: Scored,
    /// Also write every model's scores: one row per array, voxel, model and draw
    #[arg(long, value_name = "FILE")]
    all_draws: Option<OutputPath>,
    #[command(flatten)]
    model: ModelArgs,
    /// Names of the arrays of --y, in order [default: their own, else file stems, positions in a pipe]
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

/// What a row of the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// A voxel
    Voxel,
    /// All voxels of an array of --y: their mean, and their median
    Region,
}

/// Which score the columns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scored {
    /// Correlation of prediction and response
    #[value(name = "r")]
    R,
    /// Coefficient of determination
    #[value(name = "R2")]
    R2,
}

impl Scored {
    fn of(self, score: &Score) -> f64 {
        match self {
            Scored::R => score.r,
            Scored::R2 => score.coefficient_of_determination,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Scored::R => "r",
            Scored::R2 => "R2",
        }
    }
}

/// Rows of a fold that has a score.
const FEWEST_IN_FOLD: usize = 3;

pub(crate) fn run(args: &Ablate) -> Result<()> {
    let job = Job::start("encode", &args.common)?;
    let tables = Tables::create(&job, args)?;
    let x = read_matrix(&job, &args.x)?;
    let chosen = chosen_units(&job, args, &x)?;
    let control = Control::read(&job, &args.control, &x)?;
    let stimuli = args.folds.stimuli(&job)?;
    let from = From { input: &args.y, image: &args.image, stimuli: stimuli.as_ref(), join: args.join };
    let measured = Measured::read(&job, from, &mut Names::new(&args.names))?;
    if !measured.is_image && !args.folds.reads_stimuli() {
        args.folds.refuse_stimuli("--cv COLUMN, or give an image as --y")?;
    }
    let Measured { matrices: mut regions, in_image, .. } = measured;
    let mut names: Vec<String> = regions.iter().map(|region| region.name.clone()).collect();
    tell_names_apart(&mut names, &regions.iter().map(|region| region.source.as_str()).collect::<Vec<_>>())?;
    regions.iter_mut().zip(names).for_each(|(region, name)| region.name = name);

    // Every region is joined and planned before the first is fitted.
    let mut plans = Vec::new();
    for y in &regions {
        let (n_features, n_voxels) = (x.matrix.n_columns(), y.matrix.n_columns());
        let rows = Presentations::of(&job, args.join, x.side(), n_features, y.side(), n_voxels)?;
        check_finite(&x.source, &x.labels, &rows.x_rows, |look| {
            rows.x_rows.iter().enumerate().try_for_each(|(at, &row)| match x.matrix.view() {
                Block::F4(x) => look(at, Block::F4(x.slice(s![row..row + 1, ..]))),
                Block::F8(x) => look(at, Block::F8(x.slice(s![row..row + 1, ..]))),
            })
        })?;
        let of_y = Rows { source: &y.source, ids: rows.ids.as_deref(), n: rows.len() };
        let folds = args.folds.folds(&job, of_y, stimuli.as_ref(), args.join);
        let (outer, inner, fold_plan) = folds.with_context(|| y.source.clone())?;
        let options = args.model.options(inner);
        let smallest = (0..outer.n_folds).map(|fold| outer.test_rows(fold).len()).min().unwrap_or(0);
        if smallest < FEWEST_IN_FOLD {
            bail!(
                "{}: a fold of --cv {} has {smallest} rows; a fold of fewer than {FEWEST_IN_FOLD} has no score; ask for fewer",
                y.source,
                args.folds.cv()
            );
        }
        let parts = parts(args, &control, &chosen, &x, &rows)?;
        plans.push(Planned { rows, outer, options, parts, fold_plan });
    }
    record(&job, args, &plans, &chosen, &x);
    let n_models = plans.iter().map(|plan| plan.parts.len()).sum();
    let progress = job.progress(n_models, "models");
    let mut done = Vec::new();
    for (y, plan) in regions.iter().zip(plans) {
        let Planned { rows, outer, options, mut parts, fold_plan } = plan;
        let features = match x.matrix.view() {
            Block::F4(x) => x.select(Axis(0), &rows.x_rows).mapv(f64::from),
            Block::F8(x) => x.select(Axis(0), &rows.x_rows),
        };
        let part_done = || progress.advance(1);
        let mut fits = match y.matrix.view() {
            Block::F4(y) => {
                fit(features.view(), y.select(Axis(0), &rows.y_rows).view(), &outer, &options, &parts, part_done)
            }
            Block::F8(y) => {
                fit(features.view(), y.select(Axis(0), &rows.y_rows).view(), &outer, &options, &parts, part_done)
            }
        }
        .with_context(|| format!("{} and {}", args.x, y.source))?;
        if chosen.is_empty() {
            let (of, made): (Vec<_>, Vec<_>) = without_chosen(&fits[0]).into_iter().unzip();
            parts.extend(of);
            fits.extend(made);
        }
        let region = Region { name: &y.name, voxels: called(y, in_image.as_ref()), n_rows: rows.len(), parts, fits };
        summarize(&job, args, &region, &rows, (&options, &fold_plan), chosen.len(), x.matrix.n_columns());
        done.push(region);
    }
    drop(progress);
    tables.write(&job, args, &done, chosen.len(), x.matrix.n_columns())
}

/// How tables call the voxels of an array.
fn called<'a>(y: &'a NamedMatrix, in_image: Option<&'a InImage>) -> Voxels<'a> {
    Voxels { n: y.matrix.n_columns(), names: y.labels.columns.as_deref(), in_image }
}

/// How a region is fitted.
struct Planned {
    rows: Presentations,
    outer: Folds,
    options: PartOptions,
    parts: Vec<Part>,
    /// For messages: `5 folds, shuffled by seed 0`.
    fold_plan: String,
}

/// The columns of `x` that the table names, ascending: some of them, not all.
fn chosen_units(job: &Job, args: &Ablate, x: &NamedMatrix) -> Result<Vec<usize>> {
    let named = || args.units.to_string();
    let table = args.set.of(read_table(job, &args.units)?).with_context(named)?;
    let sought = Sought { names: &x.names_in_tables, position: 0, alone: false };
    let n_units = x.matrix.n_columns();
    let of = units_of(&table, sought, args.array.as_deref())
        .and_then(|of| require_same_columns(&table, &of, n_units, x.labels.columns.as_deref()).map(|()| of))
        .with_context(named)?;
    let TableUnits { units: mut chosen, note, .. } = of;
    note.into_iter().for_each(|note| job.note(note));
    chosen.sort_unstable();
    if let Some(&unit) = chosen.last().filter(|&&unit| unit >= n_units) {
        bail!(
            "{}: unit {unit}, but {} has {n_units} columns (0 to {})",
            args.units,
            x.source,
            n_units.saturating_sub(1)
        );
    }
    match chosen.len() {
        0 => {
            job.warn(format!(
                "{}: 0 of {n_units} units of {} are chosen; without them is with all, and there is no model of them alone",
                args.units, x.source
            ));
            Ok(chosen)
        }
        n if n == n_units => {
            bail!("{}: all {n_units} units of {} are chosen; nothing is left without them", args.units, x.source)
        }
        n if args.draws > 0 && n > n_units - n => bail!(
            "{}: {n} of {n_units} units of {} are chosen, and only {} others are there to draw as many from; choose fewer \
             units, or say --draws 0",
            args.units,
            x.source,
            n_units - n
        ),
        _ => Ok(chosen),
    }
}

/// All, without, only; then the two of every draw. Of no chosen units all alone: [`without_chosen`] has the rest.
fn parts(
    args: &Ablate,
    control: &Control,
    chosen: &[usize],
    x: &NamedMatrix,
    rows: &Presentations,
) -> Result<Vec<Part>> {
    if chosen.is_empty() {
        return Ok(vec![Part::All]);
    }
    let mut parts = vec![Part::All, Part::Without(chosen.to_vec()), Part::Only(chosen.to_vec())];
    if args.draws > 0 {
        let draws = control.draws(chosen, x, rows)?;
        for draw in 0..args.draws {
            let units = draws.draw(args.folds.seed, draw);
            parts.extend([Part::Without(units.clone()), Part::Only(units)]);
        }
    }
    Ok(parts)
}

/// What stands in the place of the models without and of the chosen units where none is chosen: all units, and nothing.
fn without_chosen(all: &PartFit<Score>) -> [(Part, PartFit<Score>); 2] {
    let nothing = |score: &Score| Score {
        r: f64::NAN,
        r2: f64::NAN,
        coefficient_of_determination: f64::NAN,
        reason: score.reason.or(Some(Reason::Empty)),
        ..*score
    };
    let n_voxels = all.scores.len();
    let only = PartFit {
        scores: all.scores.iter().map(nothing).collect(),
        alpha: vec![f64::NAN; n_voxels],
        alpha_at_edge: vec![false; n_voxels],
    };
    [(Part::Without(Vec::new()), all.clone()), (Part::Only(Vec::new()), only)]
}

/// The models of one region.
fn fit<U: Real>(
    x: ArrayView2<f64>,
    y: ArrayView2<U>,
    outer: &Folds,
    options: &PartOptions,
    parts: &[Part],
    part_done: impl Fn() + Sync,
) -> Result<Vec<PartFit<Score>>, RidgeError> {
    cross_validate_parts(x, y, outer, options, parts, |predictions, y| score_held_out(predictions, y, outer), part_done)
}

/// The score of held-out predictions, as `encode fit --score-over folds` has it: noise scores 0, and nothing has to be
/// known of the training rows but their means.
fn score_held_out<U: Real>(predictions: ArrayView2<f64>, y: ArrayView2<U>, outer: &Folds) -> Vec<Score> {
    let mut train_means = Array2::zeros((outer.n_folds, y.ncols()));
    for (fold, mut means) in train_means.rows_mut().into_iter().enumerate() {
        let train = outer.train_rows(fold);
        for (voxel, to) in means.iter_mut().enumerate() {
            *to = mean(&train.iter().map(|&row| y[(row, voxel)].to_f64()).collect::<Vec<f64>>());
        }
    }
    let held_out = HeldOut {
        fold_of_row: &outer.fold_of_row,
        train_means: train_means.view(),
        train_sds: None,
        over: ScoreOver::Folds,
    };
    held_out.score(predictions, y)
}

fn record(job: &Job, args: &Ablate, plans: &[Planned], chosen: &[usize], x: &NamedMatrix) {
    if let Some(plan) = plans.first() {
        args.model.record(job, &plan.options);
    }
    job.record("folds", plans.iter().map(|plan| plan.outer.n_folds).collect::<Vec<_>>());
    job.record("fold_plan", plans.iter().map(|plan| plan.fold_plan.as_str()).collect::<Vec<_>>());
    job.record("score_over", "folds");
    job.record("seed", args.folds.seed);
    job.record("draws", n_draws(args, chosen.len()));
    job.record("match", args.control.to_string());
    job.record("n_chosen", chosen.len());
    job.record("n_features", x.matrix.n_columns());
    job.record("n_rows", plans.iter().map(|plan| plan.rows.len()).collect::<Vec<_>>());
    job.record("n_stimuli", plans.iter().map(|plan| plan.rows.n_stimuli).collect::<Vec<_>>());
}

/// Draws that are made: none beside no units.
fn n_draws(args: &Ablate, n_chosen: usize) -> usize {
    if n_chosen == 0 { 0 } else { args.draws }
}

/// What the reader of the table must know, on stderr.
fn summarize(
    job: &Job,
    args: &Ablate,
    region: &Region,
    rows: &Presentations,
    (options, fold_plan): (&PartOptions, &str),
    n_chosen: usize,
    n_units: usize,
) {
    let draws = n_draws(args, n_chosen);
    let inner = match &options.inner {
        _ if options.alphas.factors().len() == 1 => "fixed".into(),
        Inner::LeaveOneOut => "by leave-one-out".into(),
        Inner::Folds(folds) => format!("by {} folds", folds.n_folds),
    };
    let all = &region.fits[0];
    job.note(format!(
        "{}: {} stimuli ({} rows), {n_chosen} of {n_units} units chosen, {draws} draws ({}), {} voxels; {fold_plan}; alpha {inner}",
        region.name,
        rows.n_stimuli,
        rows.len(),
        args.control,
        all.scores.len(),
    ));
    let reasons: Vec<Reason> = all.scores.iter().filter_map(|score| score.reason).collect();
    if !reasons.is_empty() {
        let (n, of) = (reasons.len(), all.scores.len());
        job.note(format!("{}: {n} of {of} voxels unusable: {}", region.name, Reason::counted(reasons)));
    }
    let without_score = region.fits.iter().skip(1).filter(|_| n_chosen > 0).filter(|fit| {
        all.scores.iter().zip(&fit.scores).any(|(all, part)| all.reason.is_none() && part.reason.is_some())
    });
    let n = without_score.count();
    if n > 0 {
        job.warn(format!(
            "{}: {n} of {} models without or of some units predict the same for every stimulus of some voxel, and have no \
             r there: their units are constant",
            region.name,
            region.fits.len()
        ));
    }
    let at_edge = all.alpha_at_edge.iter().filter(|edge| **edge).count();
    if at_edge > 0 {
        job.note(format!(
            "{}: with all units alpha is at the edge of {} in some fold for {at_edge} of {} voxels (usual where the \
             features predict nothing)",
            region.name,
            options.alphas,
            all.scores.len()
        ));
    }
}
