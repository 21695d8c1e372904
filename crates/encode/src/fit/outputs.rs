//! What `encode fit` writes.

use anyhow::{Context, Result};
use cli::{Cell, Job, Named, Output, OutputPath, TableWriter};
use encoding_models::{Choice, Fitted as Detail, Method, partition};
use ndarray::Array2;
use npy_stream::{Labels, write_matrix};
use statistics::median;
use unit_tables::columns::VOXEL_NAME;

use super::Fit;
use super::task::{Fitted, Task};
use crate::saved_model::{BandsToSave, ModelToSave};

const COLUMNS: [&str; 9] = ["voxel", "r", "r2", "R2", "alpha", "alpha_at_edge", "n", "reason", "cv_score"];

/// Created before the work, so that a missing folder stops it at once.
pub(super) struct Outputs {
    table: Output,
    model: Option<Output>,
    predictions: Option<Output>,
    split: Option<Output>,
    partition: Option<Output>,
}

impl Outputs {
    pub fn create(job: &Job, args: &Fit) -> Result<Outputs> {
        let binary = |path: &Option<OutputPath>| path.as_deref().map(|p| job.binary_output(Some(p))).transpose();
        let text = |path: &Option<OutputPath>| path.as_deref().map(|p| job.text_output(Some(p))).transpose();
        Ok(Outputs {
            table: job.text_output(args.common.output.as_deref())?,
            model: binary(&args.save)?,
            predictions: binary(&args.predictions)?,
            split: text(&args.split)?,
            partition: text(&args.partition)?,
        })
    }

    /// Writes everything, then gives the files their names.
    pub fn write(self, job: &Job, task: &Task, fitted: &Fitted) -> Result<()> {
        let Task { args, data, scorer, .. } = task;
        let names = task.voxel_names();
        // The table last: on stdout it cannot be taken back where another file does not fit on its disk.
        let mut finished = Vec::new();
        if let (Some(mut out), Some(model)) = (self.model, &fitted.model) {
            let alpha = model.choices.iter().zip(&model.reasons);
            let alpha: Vec<f64> = alpha.map(|(c, reason)| if reason.is_some() { f64::NAN } else { c.alpha }).collect();
            let (band_names, widths): (Vec<String>, Vec<usize>) = data.bands.iter().cloned().unzip();
            let gammas = Array2::from_shape_fn((widths.len(), alpha.len()), |(band, voxel)| {
                let usable = model.reasons[voxel].is_none() && !args.bands.is_empty();
                if usable { fitted.gammas[(model.choices[voxel].gamma, band)] } else { f64::NAN }
            });
            let to_save = ModelToSave {
                coef: model.weights.view(),
                intercept: &model.intercept(),
                x_mean: &model.scaling.mean,
                x_scale: &model.scaling.divisor,
                alpha: &alpha,
                stimuli: fitted.trained_on.as_deref(),
                voxel_names: names,
                feature_names: data.features.columns.as_deref(),
                x_name: data.features.name.as_deref(),
                residual_variance: Some(&fitted.residual_variance),
                train_mean: Some(&model.response_mean),
                bands: (!args.bands.is_empty()).then(|| BandsToSave {
                    names: &band_names,
                    widths: &widths,
                    gammas: gammas.view(),
                }),
                delays: (!args.delays.is_empty()).then_some(args.delays.as_slice()),
                method: Some(super::method::name(args)),
            };
            to_save.write(&mut out).context("--save")?;
            finished.push(out);
        }
        if let Some(mut out) = self.predictions {
            let ids = data.ids.as_ref().map(|ids| fitted.rows.iter().map(|&row| ids[row].clone()).collect::<Vec<_>>());
            let labels = Labels { ids, columns: names.map(<[String]>::to_vec), name: data.names.name.clone() };
            if let Some(predictions) = &fitted.predictions {
                write_matrix(&mut out, predictions, &labels).context("--predictions")?;
            }
            finished.push(out);
        }
        if let Some(out) = self.split {
            finished.push(write_split(out, task, fitted)?);
        }
        if let Some(out) = self.partition {
            finished.push(write_partition(out, task, fitted)?);
        }
        let weights: Vec<String> = args.bands.iter().map(|band| format!("weight_{}", band.name)).collect();
        let mut columns: Vec<&str> = COLUMNS.to_vec();
        let of_method = task.method.as_ref().map_or(&[][..], columns_of);
        columns.extend(of_method);
        columns.extend(weights.iter().map(String::as_str));
        columns.extend(scorer.columns());
        columns.extend(names.map(|_| VOXEL_NAME));
        let mut table = TableWriter::new(self.table, args.format, &columns)?;
        let folds = &fitted.folds;
        for (voxel, score) in fitted.scored.scores.iter().enumerate() {
            let usable = fitted.reasons[voxel].is_none();
            let mean = |of: &dyn Fn(&Choice) -> f64| {
                let sum: f64 = folds.iter().map(|fold| of(&fold[voxel])).sum();
                if usable { sum / folds.len() as f64 } else { f64::NAN }
            };
            let penalties: Vec<f64> = folds.iter().map(|fold| fold[voxel].alpha).filter(|a| !a.is_nan()).collect();
            let at_edge = folds.iter().any(|fold| fold[voxel].edge.is_some());
            let mut cells: Vec<Named> = vec![
                ("voxel", task.voxel_number(voxel).into()),
                ("r", score.r.into()),
                ("r2", score.r2.into()),
                ("R2", score.coefficient_of_determination.into()),
                ("alpha", if usable { median(&penalties) } else { f64::NAN }.into()),
                ("alpha_at_edge", usable.then_some(at_edge).into()),
                ("n", score.n.into()),
                ("reason", scorer.reason(&fitted.scored, voxel).into()),
                ("cv_score", mean(&|choice| choice.score).into()),
            ];
            cells.extend(of_method.iter().map(|column| (*column, detail(column, fitted, voxel))));
            for (k, name) in weights.iter().enumerate() {
                cells.push((name, mean(&|choice| fitted.gammas[(choice.gamma, k)]).into()));
            }
            cells.extend(scorer.cells(&fitted.scored, voxel));
            cells.extend(names.map(|names| (VOXEL_NAME, (&names[voxel]).into())));
            table.record(&cells)?;
        }
        for out in finished {
            out.commit(job)?;
        }
        table.into_inner().commit(job)
    }
}

/// What a method's table has beside that of ridge.
fn columns_of(method: &Method) -> &'static [&'static str] {
    match method {
        Method::Ols => &[],
        Method::Lasso { .. } => &["n_weights", "dual_gap", "converged"],
        Method::Pls { .. } => &["n_components"],
        Method::Fractions(_) => &["fraction"],
    }
}

/// One of them over the folds: medians, and the worst of descents.
fn detail(column: &str, fitted: &Fitted, voxel: usize) -> Cell<'static> {
    if fitted.reasons[voxel].is_some() {
        return if column == "converged" { None::<bool>.into() } else { f64::NAN.into() };
    }
    let folds = || fitted.details.iter().map(|fold| fold[voxel]);
    // A voxel that is constant in a training set has none there.
    let known = |of: fn(Detail) -> f64| folds().map(of).filter(|v| !v.is_nan()).collect::<Vec<f64>>();
    let median_of = |of: fn(Detail) -> f64| median(&known(of));
    match column {
        "converged" => folds().all(|detail| !matches!(detail, Detail::Lasso { converged: false, .. })).into(),
        "dual_gap" => folds()
            .map(|detail| if let Detail::Lasso { dual_gap, .. } = detail { dual_gap } else { f64::NAN })
            .fold(0.0, f64::max)
            .into(),
        _ => median_of(|detail| match detail {
            Detail::Ols { rank, .. } => rank as f64,
            Detail::Lasso { n_weights, .. } => n_weights as f64,
            Detail::Pls(n_components) => n_components as f64,
            Detail::Fraction(fraction) => fraction,
        })
        .into(),
    }
}

/// One row per voxel and band, and one for what is left over.
fn write_split(out: Output, task: &Task, fitted: &Fitted) -> Result<Output> {
    let args = task.args;
    let names = task.voxel_names();
    let mut columns = vec!["voxel", "band", "r", "R2", "reason"];
    columns.extend(names.map(|_| VOXEL_NAME));
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for (voxel, score) in fitted.scored.scores.iter().enumerate() {
        let bands = args.bands.iter().map(|band| band.name.as_str()).chain(["bias"]);
        for (band, rows) in bands.zip(&fitted.split) {
            let [r, explained] = rows[voxel];
            let mut cells: Vec<Named> = vec![
                ("voxel", task.voxel_number(voxel).into()),
                ("band", band.into()),
                ("r", r.into()),
                ("R2", explained.into()),
                ("reason", score.reason.into()),
            ];
            cells.extend(names.map(|names| (VOXEL_NAME, (&names[voxel]).into())));
            table.record(&cells)?;
        }
    }
    Ok(table.into_inner())
}

/// One row per voxel and set of bands.
fn write_partition(out: Output, task: &Task, fitted: &Fitted) -> Result<Output> {
    let args = task.args;
    let names = task.voxel_names();
    let mut columns = vec!["voxel", "part", "bands", "R2", "reason"];
    columns.extend(names.map(|_| VOXEL_NAME));
    let mut table = TableWriter::new(out, args.format, &columns)?;
    let n_sets = 1usize << args.bands.len();
    let bands_of = |set: usize| -> String {
        let of_set = args.bands.iter().enumerate().filter(|(k, _)| set >> k & 1 == 1);
        of_set.map(|(_, band)| band.name.as_str()).collect::<Vec<_>>().join("+")
    };
    for (voxel, score) in fitted.scored.scores.iter().enumerate() {
        let explained: Vec<f64> = fitted.sets.iter().map(|set| set[voxel]).collect();
        let parts = partition(&explained);
        let mut rows: Vec<(&str, String, f64)> = Vec::new();
        for (set, part) in parts.iter().enumerate().skip(1) {
            let kind = if set.count_ones() == 1 { "unique" } else { "shared" };
            rows.push((kind, bands_of(set), *part));
        }
        rows.push(("total", bands_of(n_sets - 1), explained[n_sets - 1]));
        for (set, value) in explained.iter().enumerate().take(n_sets - 1).skip(1) {
            rows.push(("model", bands_of(set), *value));
        }
        for (part, bands, value) in &rows {
            let mut cells: Vec<Named> = vec![
                ("voxel", task.voxel_number(voxel).into()),
                ("part", (*part).into()),
                ("bands", bands.into()),
                ("R2", (*value).into()),
                ("reason", score.reason.into()),
            ];
            cells.extend(names.map(|names| (VOXEL_NAME, (&names[voxel]).into())));
            table.record(&cells)?;
        }
    }
    Ok(table.into_inner())
}
