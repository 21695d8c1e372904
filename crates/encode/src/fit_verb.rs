//! `encode fit`: open, join, cross-validate, score, write.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail};
use array_inputs::{NamedMatrix, read_matrix};
use cli::{Cell, Job, Output, TableWriter};
use linear_algebra::Real;
use ndarray::{Array2, ArrayView2};
use npy_stream::{Block, Dtype, Matrix, RowWriter};
use statistics::{FoldError, FoldOrder, Folds, Reason, k_folds};

use crate::saved_model::ModelToSave;
use crate::{
    AlphaCv, ColumnScaling, CrossValidated, FitArgs, FoldOrderArg, Inner, RidgeOptions, Scaling, Score,
    cross_validate_watched, fit, score,
};

/// Share of usable voxels with a penalty at the edge of the grid from which on it is a warning.
const MANY_AT_EDGE: f64 = 0.1;

const COLUMNS: [&str; 8] = ["voxel", "r", "r2", "R2", "alpha", "alpha_at_edge", "n", "reason"];

pub(crate) fn run(args: &FitArgs) -> Result<()> {
    let mut job = Job::start("encode", &args.common)?;
    if args.save.is_some() || args.predictions.is_some() {
        job = job.with_provenance();
    }
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
    job.record("solver", if fitted.held_out.dual { "dual" } else { "primal" });

    summarize(&job, args, &data, &fitted, &options);
    outputs.write(&job, args, &data, &fitted)
}

/// Features and responses, row by row of the same presentation.
struct Data {
    x: Matrix,
    y: Matrix,
    /// `None` when joined by position.
    ids: Option<Vec<String>>,
    n_stimuli: usize,
}

fn read(job: &Job, args: &FitArgs) -> Result<Data> {
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
    let distinct = |rows: &[usize]| rows.iter().collect::<std::collections::HashSet<_>>().len();
    if distinct(&joined.left) < joined.len() && distinct(&joined.right) == joined.len() {
        job.warn(format!(
            "--x {} has repeated trials and --y {} has not: its {} rows are repeated to {}; are --x and --y swapped?",
            x.source,
            y.source,
            distinct(&joined.left),
            joined.len()
        ));
    }
    let ids = joined.labels(&y.side(), &x.side());
    check_finite(&x, &joined.right)?;
    let n_stimuli = match &ids {
        Some(ids) => ids.iter().collect::<std::collections::HashSet<_>>().len(),
        None => joined.len(),
    };
    Ok(Data { x: pick(x.matrix, &joined.right), y: pick(y.matrix, &joined.left), ids, n_stimuli })
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
    let id = x.labels.as_ref().map(|labels| format!(" ({:?})", labels[row])).unwrap_or_default();
    bail!(
        "{}: row {row}{id}, column {column} is {value}; a model needs finite features: drop the column or the row \
           with `npy cols` or `npy rows`",
        x.source
    )
}

/// The outer folds, and how alpha is chosen inside them.
fn plan(args: &FitArgs, data: &Data) -> Result<(Folds, RidgeOptions)> {
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
            "--alpha-cv loo: {n} rows of {} stimuli; the repeats of the row left out would give it away: say --alpha-cv {}, \
             or average the presentations first with `npy average`",
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

fn record(job: &Job, args: &FitArgs, options: &RidgeOptions, data: &Data) {
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
    let held_out = cross_validate_watched(x, y, outer, options, fold_done)?;
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
fn summarize(job: &Job, args: &FitArgs, data: &Data, fitted: &Fitted, options: &RidgeOptions) {
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
    fn create(job: &Job, args: &FitArgs) -> Result<Outputs> {
        let binary = |path: &Option<cli::OutputPath>| path.as_deref().map(|p| job.binary_output(Some(p))).transpose();
        Ok(Outputs {
            table: job.text_output(args.common.output.as_deref())?,
            model: binary(&args.save)?,
            predictions: binary(&args.predictions)?,
        })
    }

    /// Writes everything, then gives the files their names.
    fn write(self, job: &Job, args: &FitArgs, data: &Data, fitted: &Fitted) -> Result<()> {
        let mut table = TableWriter::new(self.table, args.format, &COLUMNS)?;
        let alphas = fitted.held_out.median_alpha();
        let at_edge = fitted.held_out.alpha_at_edge();
        for (voxel, score) in fitted.scores.iter().enumerate() {
            table.row(&[
                voxel.into(),
                score.r.into(),
                score.r2.into(),
                score.coefficient_of_determination.into(),
                alphas[voxel].into(),
                if fitted.held_out.reasons[voxel].is_some() { Cell::Empty } else { at_edge[voxel].into() },
                score.n.into(),
                score.reason.map(Reason::as_str).into(),
            ])?;
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
            rows.finish(data.ids.as_deref()).context("--predictions")?;
            finished.push(out);
        }
        for out in finished {
            out.commit(job)?;
        }
        table.into_inner().commit(job)
    }
}
