//! Predictions for which all features are held: of bands in files of their own, with delays, or split by band.

use anyhow::{Context, Result, bail};
use array_inputs::read_matrix;
use cli::{Input, Job, Output};
use linear_algebra::product;
use ndarray::{Array2, Axis, concatenate, s};
use npy_stream::{Dtype, Labels, Matrix, RowWriter};

use super::{Noise, Predict, report};
use crate::fit::data::{delayed, late_names};
use crate::fit::runs_of;
use crate::folds::{Rows, StimuliOfRows};
use crate::saved_model::SavedModel;

/// Features of all bands, row by row of the same stimulus.
struct Features {
    x: Array2<f64>,
    labels: Labels,
    source: String,
    is_double: bool,
}

pub(super) fn predict(
    job: &Job,
    args: &Predict,
    input: &Input,
    model: &SavedModel,
    noise: Option<&Noise>,
    out: &mut Output,
) -> Result<()> {
    let mut features = match args.bands.is_empty() {
        true => one(job, input)?,
        false => banded(job, args, model)?,
    };
    let p = model.coef.nrows();
    let n_features = features.x.ncols();
    if n_features != model.undelayed(p) {
        bail!(
            "{}: {n_features} features, but the model was fitted to {}; give the same features",
            features.source,
            model.undelayed(p)
        );
    }
    if !model.delays.is_empty() {
        features = late(job, args, model, features)?;
    }
    if let Some(doubt) = model.check_features(&features.labels).with_context(|| features.source.clone())? {
        job.warn(format!("{}: {doubt}", features.source));
    }
    let finite: Vec<bool> = features.x.rows().into_iter().map(|row| row.iter().all(|v| v.is_finite())).collect();
    let n_not_finite = finite.iter().filter(|finite| !**finite).count();
    report(job, &features.source, model, &features.labels, finite.len(), n_not_finite);
    if !args.split {
        let mut predicted = product(features.x.view(), model.coef.view());
        predicted += &ndarray::ArrayView1::from(model.intercept.as_slice());
        if let Some(noise) = noise {
            predicted.rows_mut().into_iter().enumerate().for_each(|(row, values)| noise.add(row, values));
        }
        let name = features.labels.name.clone();
        return write(out, predicted, &finite, &features, model, name);
    }
    let mut from = 0;
    for (band, width) in &model.bands {
        let of_band = from..from + width;
        let own = product(features.x.slice(s![.., of_band.clone()]), model.coef.slice(s![of_band.clone(), ..]));
        let means: Vec<f64> = (0..own.ncols()).map(|voxel| model.mean_of(of_band.clone(), voxel)).collect();
        let part = own - ndarray::ArrayView1::from(means.as_slice());
        write(out, part, &finite, &features, model, Some(band.clone()))?;
        from += width;
    }
    let mean = model.predicted_mean();
    let bias = Array2::from_shape_fn((finite.len(), mean.len()), |(_, voxel)| mean[voxel]);
    write(out, bias, &finite, &features, model, Some("bias".into()))
}

fn write(
    out: &mut Output,
    mut predicted: Array2<f64>,
    finite: &[bool],
    features: &Features,
    model: &SavedModel,
    name: Option<String>,
) -> Result<()> {
    for (mut row, _) in predicted.rows_mut().into_iter().zip(finite).filter(|(_, finite)| !**finite) {
        row.fill(f64::NAN);
    }
    let dtype = if features.is_double { Dtype::F8 } else { Dtype::F4 };
    let mut rows = RowWriter::new(out, predicted.nrows(), predicted.ncols(), dtype)?;
    rows.write_rows(predicted.view())?;
    rows.finish(&Labels { ids: features.labels.ids.clone(), columns: model.voxel_names.clone(), name })?;
    Ok(())
}

fn one(job: &Job, input: &Input) -> Result<Features> {
    let x = read_matrix(job, input)?;
    let is_double = matches!(x.matrix, Matrix::F8(_));
    Ok(Features { x: x.matrix.into_f64(), labels: x.labels, source: x.source, is_double })
}

/// The bands in the order of the model, rows in that of the first.
fn banded(job: &Job, args: &Predict, model: &SavedModel) -> Result<Features> {
    let given: Vec<&str> = args.bands.iter().map(|band| band.name.as_str()).collect();
    let wanted: Vec<&str> = model.bands.iter().map(|(name, _)| name.as_str()).collect();
    let mut sorted = (given.clone(), wanted.clone());
    sorted.0.sort_unstable();
    sorted.1.sort_unstable();
    if wanted.is_empty() {
        bail!("--band: the model has no bands; give its features as X");
    }
    if sorted.0 != sorted.1 {
        bail!(
            "--band: the bands {} are given, and the model has {}; give each once",
            given.join(", "),
            wanted.join(", ")
        );
    }
    let mut all: Option<Features> = None;
    for (name, width) in &model.bands {
        let Some(band) = args.bands.iter().find(|band| band.name == *name) else { continue };
        let own = read_matrix(job, &band.input)?;
        let n = own.matrix.n_columns();
        if n != model.undelayed(*width) {
            bail!("{}: {n} features, but band {name:?} of the model has {}", own.source, model.undelayed(*width));
        }
        let is_double = matches!(own.matrix, Matrix::F8(_));
        all = Some(match all {
            None => Features {
                labels: Labels { name: None, ..own.labels },
                source: own.source,
                x: own.matrix.into_f64(),
                is_double,
            },
            Some(so_far) => {
                let left = stimulus_table::Side {
                    name: &so_far.source,
                    labels: so_far.labels.ids.as_deref(),
                    n_rows: so_far.x.nrows(),
                };
                let joined = args.join.join(job, left, own.side())?;
                let ids = joined.labels(&left, &own.side());
                let columns = match (&so_far.labels.columns, &own.labels.columns) {
                    (Some(a), Some(b)) => Some([a.as_slice(), b].concat()),
                    _ => None,
                };
                let rows = own.matrix.into_f64().select(Axis(0), &joined.right);
                let before = so_far.x.select(Axis(0), &joined.left);
                Features {
                    x: concatenate(Axis(1), &[before.view(), rows.view()])?,
                    labels: Labels { ids, columns, name: None },
                    is_double: is_double || so_far.is_double,
                    source: so_far.source,
                }
            }
        });
    }
    all.context("--band: no bands")
}

/// Features with their delays, as the fit had them.
fn late(job: &Job, args: &Predict, model: &SavedModel, features: Features) -> Result<Features> {
    let n = features.x.nrows();
    let runs = match (&args.runs, &args.stimuli) {
        (Some(column), Some(input)) => {
            let table = StimuliOfRows::read(job, input)?;
            let rows = Rows { source: &features.source, ids: features.labels.ids.as_deref(), n };
            runs_of(&table.levels(job, rows, column, args.join)?)
        }
        _ => {
            job.note(format!(
                "{}: {n} rows taken as one run, over which the delays {:?} reach; --runs COLUMN says where runs end",
                features.source, model.delays
            ));
            vec![0; n]
        }
    };
    let bands: Vec<(String, usize)> = match model.bands.is_empty() {
        true => vec![(String::new(), features.x.ncols())],
        false => model.bands.iter().map(|(name, width)| (name.clone(), model.undelayed(*width))).collect(),
    };
    let x = delayed(features.x.view(), &bands, &model.delays, &runs);
    let columns = features.labels.columns.as_ref().map(|names| late_names(names, &bands, &model.delays));
    Ok(Features { x, labels: Labels { columns, ..features.labels }, ..features })
}
