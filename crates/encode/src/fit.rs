//! `encode fit`: open, join, cross-validate, score, write.

use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use array_inputs::{JoinArgs, NamedMatrix, read_matrix};
use clap::ValueEnum;
use cli::{Common, Format, Input, Job, Named, Output, OutputPath, TableWriter};
use encoding_models::{
    AlphaGrid, ColumnScaling, CrossValidated, Inner, RidgeOptions, Scaling, Score, cross_validate, fit, score,
};
use linear_algebra::Real;
use ndarray::{Array2, ArrayView2};
use npy_stream::{Block, Dtype, Labels, Matrix, RowWriter};
use statistics::{FoldError, FoldOrder, Folds, Reason, k_folds};
use stimulus_table::Which;
use unit_tables::columns::VOXEL_NAME;

use crate::saved_model::ModelToSave;

/// Cross-validated ridge regression: a table with one row per voxel, and a model to keep
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input:
  --x and --y are joined by id: features of unique stimuli are repeated for trials of --y.
Columns (one row per voxel, over the held-out predictions of all folds together):
  voxel          column of --y, from 0
  r, r2          Pearson correlation of prediction and response; its square (hides the sign)
  R2             1 - SS(response - prediction) / SS(response - mean response); may be negative
  alpha          penalty chosen in the training rows (factor x scale), median over the folds
  alpha_at_edge  true when a fold chose the lowest or highest of --alphas
  n              rows scored
  reason         why numbers are NaN: constant, nan_input (a NaN in --x stops the tool)
  voxel_name     name of the column of --y; only where these have names
Arithmetic:
  Means, scaling, eigenvectors, alpha, predictions and scores are f8 whatever the input. Products of
  features with one another are f8, too, where there are fewer features than training rows
  (`solver` primal). Otherwise (dual) features that come as f4 are scaled in f8, rounded to f4 and
  multiplied in f4, 2048 at a time, and these sums are added in f8; give f8 features for f8 products.
  The sidecar says which it was: `solver`, and `arithmetic`.
The models of the folds have different means. Features that predict nothing therefore score an r a
little below 0.
Model:
  --save writes an uncompressed .npz for numpy.load, in f8, fitted to all rows, with alpha chosen once
  more on all of them:
  coef             features x voxels, for features in their own units
  intercept        one per voxel: predictions are X @ coef + intercept
  x_mean, x_scale  what the fit subtracted and divided by; x_scale 0: constant feature, coef 0
  alpha            one per voxel
  stimuli          ids of the training rows, if known
  voxel_names, feature_names, x_name
                   names of the columns of --y, of --x, and of --x itself, if they have some
  version          1

Examples:
  encode fit --x acts.npy --y ffa.npy --cv 5 > scores.csv
  encode fit --x acts.npy --y ffa.npy --cv 10 --alphas 1e-3:1e3:13 --save model.npz -o scores.csv
  npy cols --index 0:2 acts.npy | encode fit --x - --y ffa.npy --predictions held_out.npy")]
pub(crate) struct Fit {
    /// Features: labelled matrix, rows = stimuli, columns = units; - is stdin
    #[arg(long, value_name = "FEATURES")]
    x: Input,
    /// Responses: labelled matrix, rows = stimuli or trials, columns = voxels; - is stdin
    #[arg(long, value_name = "RESPONSES")]
    y: Input,
    /// Folds over distinct stimuli; each is predicted by a model of the others
    #[arg(long, value_name = "K", default_value_t = 5)]
    cv: usize,
    /// How stimuli are dealt into folds
    #[arg(long, value_enum, value_name = "ORDER", default_value = "shuffled")]
    fold_order: FoldOrderArg,
    /// Seed of the shuffle
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How alpha is chosen in the training rows: loo (leave one row out), or folds over their stimuli
    /// [default: loo; where ids repeat, as many folds as --cv]
    #[arg(long, value_name = "loo|K")]
    alpha_cv: Option<AlphaCv>,
    /// Penalties, LO:HI:N evenly spaced in the logarithm, as factors of the mean squared length of the scaled
    /// training rows (with scaling: of the number of features that vary)
    #[arg(long, value_name = "LO:HI:N", default_value_t)]
    alphas: AlphaGrid,
    /// Centre the features but do not divide them by their standard deviation
    #[arg(long)]
    no_scale: bool,
    /// Fit all rows as well and keep that model for `encode predict`
    #[arg(long, value_name = "MODEL.npz")]
    save: Option<OutputPath>,
    /// Write the held-out predictions: labelled matrix, rows as in --y
    #[arg(long, value_name = "P.npy")]
    predictions: Option<OutputPath>,
    #[command(flatten)]
    join: JoinArgs,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// How stimuli are dealt into folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FoldOrderArg {
    /// Shuffled by --seed: depends on the set of ids, not on the order of rows
    Shuffled,
    /// Consecutive blocks, in the order of the rows of --y
    Contiguous,
}

/// How a penalty is judged inside the training rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AlphaCv {
    /// Each training row left out once.
    LeaveOneOut,
    /// So many folds of stimuli.
    Folds(usize),
}

impl FromStr for AlphaCv {
    type Err = String;

    fn from_str(text: &str) -> Result<AlphaCv, String> {
        match (text, text.parse()) {
            ("loo", _) => Ok(AlphaCv::LeaveOneOut),
            (_, Ok(k)) if k >= 2 => Ok(AlphaCv::Folds(k)),
            _ => Err("expected loo or a number of folds, at least 2".into()),
        }
    }
}

/// Share of usable voxels with a penalty at the edge of the grid from which on it is a warning.
const MANY_AT_EDGE: f64 = 0.1;

const COLUMNS: [&str; 9] = ["voxel", "r", "r2", "R2", "alpha", "alpha_at_edge", "n", "reason", VOXEL_NAME];

pub(crate) fn run(args: &Fit) -> Result<()> {
    if args.cv < 2 {
        bail!("--cv: {}", FoldError::TooFew(args.cv));
    }
    let job = Job::start("encode", &args.common)?;
    let outputs = Outputs::create(&job, args)?;
    let data = read(&job, args)?;
    let (outer, options) = plan(args, &data)?;
    record(&job, args, &options, &data);

    let progress = job.progress(outer.n_folds, "folds");
    let fold_done = || progress.advance(1);
    let fitted = match (data.x.view(), data.y.view()) {
        (Block::F4(x), Block::F4(y)) => fit_all(x, y, &outer, &options, args.save.is_some(), fold_done),
        (Block::F4(x), Block::F8(y)) => fit_all(x, y, &outer, &options, args.save.is_some(), fold_done),
        (Block::F8(x), Block::F4(y)) => fit_all(x, y, &outer, &options, args.save.is_some(), fold_done),
        (Block::F8(x), Block::F8(y)) => fit_all(x, y, &outer, &options, args.save.is_some(), fold_done),
    }
    .with_context(|| args.x.to_string())?;
    drop(progress);
    let dual = fitted.held_out.dual;
    job.record("solver", if dual { "dual" } else { "primal" });
    // On the primal side features are widened before they are multiplied.
    let narrow = dual && matches!(data.x.view(), Block::F4(_));
    job.record("arithmetic", if narrow { "products of features in f4, all else in f8" } else { "f8" });

    summarize(&job, args, &data, &fitted, &options);
    outputs.write(&job, args, &data, &fitted)
}

/// Features and responses, row by row of the same presentation.
struct Data {
    x: Matrix,
    y: Matrix,
    /// `None` when joined by position.
    ids: Option<Vec<String>>,
    /// Of the responses: names of the voxels, and what they are together.
    names: Labels,
    /// The same of the features.
    features: Labels,
    n_stimuli: usize,
}

fn read(job: &Job, args: &Fit) -> Result<Data> {
    let x = read_matrix(job, &args.x)?;
    let y = read_matrix(job, &args.y)?;
    for (matrix, columns) in [(&x, "features"), (&y, "voxels")] {
        if matrix.matrix.n_columns() == 0 {
            bail!("{}: 0 {columns} ({} rows); nothing to fit", matrix.source, matrix.matrix.n_rows());
        }
    }
    // Responses on the left: theirs is the order of rows, and of the predictions.
    let joined = args.join.join(job, y.side(), x.side())?;
    if joined.len() < 3 {
        bail!("{} and {} have {} rows together; a model needs at least 3", x.source, y.source, joined.len());
    }
    let ids = joined.labels(&y.side(), &x.side());
    let n_stimuli = ids.as_ref().map_or(joined.len(), |ids| ids.iter().collect::<HashSet<_>>().len());
    if joined.repeated == Some(Which::Left) {
        job.warn(format!(
            "--x {} has repeated trials and --y {} has not: its {n_stimuli} rows are repeated to {}; are --x and --y \
             swapped?",
            x.source,
            y.source,
            joined.len()
        ));
    }
    check_finite(&x, &joined.right)?;
    let (names, features) = (y.labels.with_ids(None), x.labels.with_ids(None));
    Ok(Data { x: pick(x.matrix, &joined.right), y: pick(y.matrix, &joined.left), ids, names, features, n_stimuli })
}

/// The rows in this order; no copy where that is how they stand.
fn pick(matrix: Matrix, rows: &[usize]) -> Matrix {
    let as_they_stand = rows.len() == matrix.n_rows() && rows.iter().enumerate().all(|(i, &row)| i == row);
    if as_they_stand { matrix } else { matrix.select_rows(rows) }
}

/// One NaN in a feature would make every voxel NaN, so it has to be dealt with by the user.
fn check_finite(x: &NamedMatrix, rows: &[usize]) -> Result<()> {
    fn first<T: Real>(x: ArrayView2<T>, rows: &[usize]) -> Option<(usize, usize, f64)> {
        let in_row = |&row: &usize| {
            let column = x.row(row).iter().position(|v| !v.to_f64().is_finite())?;
            Some((row, column, x[(row, column)].to_f64()))
        };
        rows.iter().find_map(in_row)
    }
    let found = match x.matrix.view() {
        Block::F4(x) => first(x, rows),
        Block::F8(x) => first(x, rows),
    };
    let Some((row, column, value)) = found else { return Ok(()) };
    let id = x.labels.ids.as_ref().map(|labels| format!(" ({:?})", labels[row])).unwrap_or_default();
    bail!(
        "{}: row {row}{id}, column {column} is {value}; a model needs finite features: drop the column or the row \
         with `npy cols` or `npy rows`",
        x.source
    )
}

/// The outer folds, and how alpha is chosen inside them.
fn plan(args: &Fit, data: &Data) -> Result<(Folds, RidgeOptions)> {
    let n = data.y.n_rows();
    let deal = |k: usize, shift: u64, option: &str| {
        let order = match args.fold_order {
            FoldOrderArg::Shuffled => FoldOrder::Shuffled(args.seed.wrapping_add(shift)),
            FoldOrderArg::Contiguous => FoldOrder::Contiguous,
        };
        deal(data.ids.as_deref(), n, k, order).map_err(|e| anyhow!("{option}: {e}"))
    };
    let outer = deal(args.cv, 0, "--cv")?;
    let repeated = data.n_stimuli < n;
    let inner = match args.alpha_cv {
        Some(AlphaCv::LeaveOneOut) if repeated => bail!(
            "--alpha-cv loo: {n} rows of {} stimuli; repeats of the stimulus left out would stay in the training rows: \
             say --alpha-cv {}, or average the presentations first with `npy average`",
            data.n_stimuli,
            args.cv
        ),
        None if repeated => Inner::Folds(deal(args.cv, 1, "--cv")?),
        None | Some(AlphaCv::LeaveOneOut) => Inner::LeaveOneOut,
        // Another seed than outside: with the same folds there would be one fewer.
        Some(AlphaCv::Folds(k)) => Inner::Folds(deal(k, 1, "--alpha-cv")?),
    };
    let scaling = if args.no_scale { Scaling::Centre } else { Scaling::Standardize };
    Ok((outer, RidgeOptions { scaling, alphas: args.alphas.clone(), inner }))
}

/// Folds over distinct stimuli. A shuffle starts from the sorted ids, so that it depends on their set and the seed
/// only: rows in another order, or another layer's features, meet the same folds.
fn deal(ids: Option<&[String]>, n: usize, k: usize, order: FoldOrder) -> Result<Folds, FoldError> {
    match (ids, order) {
        (None, _) => k_folds(&(0..n).collect::<Vec<usize>>(), k, order),
        (Some(ids), FoldOrder::Contiguous) => k_folds(ids, k, order),
        (Some(ids), FoldOrder::Shuffled(_)) => {
            let mut place: BTreeMap<&str, usize> = ids.iter().map(|id| (id.as_str(), 0)).collect();
            place.values_mut().enumerate().for_each(|(i, place)| *place = i);
            let dealt = k_folds(&(0..place.len()).collect::<Vec<usize>>(), k, order)?;
            let fold_of_row = ids.iter().map(|id| dealt.fold_of_row[place[id.as_str()]]).collect();
            Ok(Folds { n_folds: k, fold_of_row })
        }
    }
}

fn record(job: &Job, args: &Fit, options: &RidgeOptions, data: &Data) {
    job.record("folds", args.cv);
    match args.fold_order {
        FoldOrderArg::Shuffled => {
            job.record("fold_order", "shuffled");
            job.record("seed", args.seed);
        }
        FoldOrderArg::Contiguous => job.record("fold_order", "contiguous"),
    }
    match &options.inner {
        Inner::LeaveOneOut => job.record("alpha_cv", "loo"),
        Inner::Folds(folds) => job.record("alpha_cv", folds.n_folds),
    }
    job.record("alphas", options.alphas.to_string());
    job.record("alpha_scale", "mean squared length of the scaled training rows");
    job.record("scaling", if args.no_scale { "centre" } else { "standardize" });
    job.record("n_stimuli", data.n_stimuli);
    job.record("n_rows", data.y.n_rows());
    job.record("n_features", data.x.n_columns());
    job.record("n_voxels", data.y.n_columns());
}

/// What the fit gives.
struct Fitted {
    held_out: CrossValidated,
    scores: Vec<Score>,
    /// With `--save`.
    model: Option<Model>,
}

struct Model {
    coef: Array2<f64>,
    intercept: Vec<f64>,
    scaling: ColumnScaling,
    alpha: Vec<f64>,
}

fn fit_all<T: Real, U: Real>(
    x: ArrayView2<T>,
    y: ArrayView2<U>,
    outer: &Folds,
    options: &RidgeOptions,
    save: bool,
    fold_done: impl Fn() + Sync,
) -> Result<Fitted> {
    let held_out = cross_validate(x, y, outer, options, fold_done)?;
    let mut scores = score(held_out.predictions.view(), y);
    for (score, reason) in scores.iter_mut().zip(&held_out.reasons) {
        score.reason = reason.or(score.reason);
    }
    let model = match save {
        false => None,
        true => {
            let model = fit(x, y, options)?;
            let rows: Vec<usize> = (0..x.nrows()).collect();
            let alpha = model.chosen.alpha.iter().zip(&model.reasons);
            Some(Model {
                intercept: model.intercept(),
                scaling: ColumnScaling::learn(x, &rows, options.scaling),
                alpha: alpha.map(|(alpha, reason)| if reason.is_some() { f64::NAN } else { *alpha }).collect(),
                coef: model.weights,
            })
        }
    };
    Ok(Fitted { held_out, scores, model })
}

/// What the reader of the table must know, on stderr.
fn summarize(job: &Job, args: &Fit, data: &Data, fitted: &Fitted, options: &RidgeOptions) {
    let (n_features, n_voxels) = (data.x.n_columns(), data.y.n_columns());
    let order = match args.fold_order {
        FoldOrderArg::Shuffled => format!("shuffled by seed {}", args.seed),
        FoldOrderArg::Contiguous => "contiguous".into(),
    };
    let inner = match &options.inner {
        _ if options.alphas.factors().len() == 1 => "fixed".into(),
        Inner::LeaveOneOut => "by leave-one-out".into(),
        Inner::Folds(folds) => format!("by {} folds", folds.n_folds),
    };
    let side = if fitted.held_out.dual { "dual" } else { "primal" };
    job.note(format!(
        "{} stimuli ({} rows), {n_features} features, {n_voxels} voxels; {} folds, {order}; alpha {inner}; {side}",
        data.n_stimuli,
        data.y.n_rows(),
        args.cv,
    ));
    if fitted.held_out.n_constant > 0 {
        let n = fitted.held_out.n_constant;
        job.note(format!(
            "{n} of {n_features} features are constant in the training rows of a fold and have no weight there"
        ));
    }
    let count = |reason| fitted.scores.iter().filter(|s| s.reason == Some(reason)).count();
    let (constant, nan) = (count(Reason::Constant), count(Reason::NanInput));
    if constant + nan > 0 {
        job.note(format!("{} of {n_voxels} voxels unusable: {constant} constant, {nan} nan_input", constant + nan));
    }
    let usable = fitted.held_out.reasons.iter().filter(|reason| reason.is_none()).count();
    let last = options.alphas.factors().len() - 1;
    let chose = |index: usize| {
        let any_fold = |voxel: usize| {
            fitted.held_out.reasons[voxel].is_none() && fitted.held_out.folds.iter().any(|f| f.index[voxel] == index)
        };
        (0..n_voxels).filter(|&voxel| any_fold(voxel)).count()
    };
    let at_edge = fitted.held_out.alpha_at_edge().iter().filter(|edge| **edge).count();
    if at_edge > 0 {
        let text = format!(
            "alpha at the edge of {} in some fold for {at_edge} of {usable} voxels: {} at the lowest, {} at the highest \
             (usual where the features predict nothing); if r changes with wider --alphas, the grid was too narrow",
            options.alphas,
            chose(0),
            chose(last)
        );
        match at_edge as f64 > MANY_AT_EDGE * usable as f64 {
            true => job.warn(text),
            false => job.note(text),
        }
    }
}

/// Created before the work, so that a missing folder stops it at once.
struct Outputs {
    table: Output,
    model: Option<Output>,
    predictions: Option<Output>,
}

impl Outputs {
    fn create(job: &Job, args: &Fit) -> Result<Outputs> {
        let binary = |path: &Option<OutputPath>| path.as_deref().map(|p| job.binary_output(Some(p))).transpose();
        Ok(Outputs {
            table: job.text_output(args.common.output.as_deref())?,
            model: binary(&args.save)?,
            predictions: binary(&args.predictions)?,
        })
    }

    /// Writes everything, then gives the files their names.
    fn write(self, job: &Job, args: &Fit, data: &Data, fitted: &Fitted) -> Result<()> {
        let names = data.names.columns.as_deref();
        let columns: Vec<&str> = COLUMNS.into_iter().filter(|name| names.is_some() || *name != VOXEL_NAME).collect();
        let mut table = TableWriter::new(self.table, args.format, &columns)?;
        let alphas = fitted.held_out.median_alpha();
        let at_edge = fitted.held_out.alpha_at_edge();
        for (voxel, score) in fitted.scores.iter().enumerate() {
            let mut cells: Vec<Named> = vec![("voxel", voxel.into())];
            cells.extend([
                ("r", score.r.into()),
                ("r2", score.r2.into()),
                ("R2", score.coefficient_of_determination.into()),
                ("alpha", alphas[voxel].into()),
                ("alpha_at_edge", fitted.held_out.reasons[voxel].is_none().then_some(at_edge[voxel]).into()),
                ("n", score.n.into()),
                ("reason", score.reason.into()),
            ]);
            cells.extend(names.map(|names| (VOXEL_NAME, (&names[voxel]).into())));
            table.record(&cells)?;
        }
        let mut finished = Vec::new();
        if let (Some(mut out), Some(model)) = (self.model, &fitted.model) {
            let to_save = ModelToSave {
                coef: model.coef.view(),
                intercept: &model.intercept,
                x_mean: &model.scaling.mean,
                x_scale: &model.scaling.divisor,
                alpha: &model.alpha,
                stimuli: data.ids.as_deref(),
                voxel_names: data.names.columns.as_deref(),
                feature_names: data.features.columns.as_deref(),
                x_name: data.features.name.as_deref(),
            };
            to_save.write(&mut out).context("--save")?;
            finished.push(out);
        }
        if let Some(mut out) = self.predictions {
            let dtype = match (&data.x, &data.y) {
                (Matrix::F4(_), Matrix::F4(_)) => Dtype::F4,
                _ => Dtype::F8,
            };
            let predictions = fitted.held_out.predictions.view();
            let mut rows = RowWriter::new(&mut out, predictions.nrows(), predictions.ncols(), dtype)?;
            rows.write_rows(predictions)?;
            rows.finish(&data.names.with_ids(data.ids.as_deref())).context("--predictions")?;
            finished.push(out);
        }
        for out in finished {
            out.commit(job)?;
        }
        table.into_inner().commit(job)
    }
}
