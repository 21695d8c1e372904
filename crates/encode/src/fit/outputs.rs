//! What `encode fit` writes.

use anyhow::{Context, Result};
use cli::{Job, Named, Output, OutputPath, TableWriter};
use ndarray::Array2;
use npy_stream::{Dtype, Matrix, RowWriter};
use unit_tables::columns::VOXEL_NAME;

use super::{Data, Fit, Fitted, partition};
use crate::saved_model::{BandsToSave, ModelToSave};
use crate::scores::Scorer;

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
    pub fn write(self, job: &Job, args: &Fit, data: &Data, fitted: &Fitted, scorer: &Scorer) -> Result<()> {
        let names = data.names.columns.as_deref();
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
                method: Some(if args.bands.is_empty() { "ridge" } else { "banded ridge" }),
            };
            to_save.write(&mut out).context("--save")?;
            finished.push(out);
        }
        if let Some(mut out) = self.predictions {
            let dtype = match (&data.x, &data.y) {
                (Matrix::F4(_), Matrix::F4(_)) => Dtype::F4,
                _ => Dtype::F8,
            };
            let (predictions, own) = (&fitted.held_out.predictions, &fitted.held_out.rows);
            let ids = data.ids.as_ref().map(|ids| own.iter().map(|&row| ids[row].clone()).collect::<Vec<_>>());
            let mut rows = RowWriter::new(&mut out, predictions.nrows(), predictions.ncols(), dtype)?;
            rows.write_rows(predictions.view())?;
            rows.finish(&data.names.with_ids(ids.as_deref())).context("--predictions")?;
            finished.push(out);
        }
        if let Some(out) = self.split {
            finished.push(write_split(out, args, data, fitted)?);
        }
        if let Some(out) = self.partition {
            finished.push(write_partition(out, args, data, fitted)?);
        }
        let weights: Vec<String> = args.bands.iter().map(|band| format!("weight_{}", band.name)).collect();
        let mut columns: Vec<&str> = COLUMNS.to_vec();
        columns.extend(weights.iter().map(String::as_str));
        columns.extend(scorer.columns());
        columns.extend(names.map(|_| VOXEL_NAME));
        let mut table = TableWriter::new(self.table, args.format, &columns)?;
        let alphas = fitted.held_out.median_alpha();
        let at_edge = fitted.held_out.alpha_at_edge();
        for (voxel, score) in fitted.scored.scores.iter().enumerate() {
            let usable = fitted.held_out.reasons[voxel].is_none();
            let mean = |of: &dyn Fn(&super::Choice) -> f64| {
                let folds = &fitted.held_out.folds;
                let sum: f64 = folds.iter().map(|fold| of(&fold[voxel])).sum();
                if usable { sum / folds.len() as f64 } else { f64::NAN }
            };
            let mut cells: Vec<Named> = vec![
                ("voxel", voxel.into()),
                ("r", score.r.into()),
                ("r2", score.r2.into()),
                ("R2", score.coefficient_of_determination.into()),
                ("alpha", alphas[voxel].into()),
                ("alpha_at_edge", usable.then_some(at_edge[voxel]).into()),
                ("n", score.n.into()),
                ("reason", scorer.reason(&fitted.scored, voxel).into()),
                ("cv_score", mean(&|choice| choice.score).into()),
            ];
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

/// One row per voxel and band, and one for what is left over.
fn write_split(out: Output, args: &Fit, data: &Data, fitted: &Fitted) -> Result<Output> {
    let names = data.names.columns.as_deref();
    let mut columns = vec!["voxel", "band", "r", "R2", "reason"];
    columns.extend(names.map(|_| VOXEL_NAME));
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for (voxel, score) in fitted.scored.scores.iter().enumerate() {
        let bands = args.bands.iter().map(|band| band.name.as_str()).chain(["bias"]);
        for (band, rows) in bands.zip(&fitted.split) {
            let [r, explained] = rows[voxel];
            let mut cells: Vec<Named> = vec![
                ("voxel", voxel.into()),
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
fn write_partition(out: Output, args: &Fit, data: &Data, fitted: &Fitted) -> Result<Output> {
    let names = data.names.columns.as_deref();
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
                ("voxel", voxel.into()),
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
