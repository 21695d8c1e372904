//! `encode predict`: features through a saved model, in blocks of rows.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use array_inputs::{Next, Stream};
use cli::{Common, Input, Job, Opened, Output};
use linear_algebra::product;
use npy_stream::{Dtype, Incoming, Labels, RowWriter};

use crate::saved_model::SavedModel;

/// Responses that a saved model predicts for features of any stimuli
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input:
  Features with as many columns as the model was fitted to; read in blocks of rows.
Output:
  One matrix per matrix: the rows of X with their ids, one column per voxel of the model. NaN for
  voxels that could not be fitted and for rows with NaN or infinity; both are counted on stderr, and
  so are stimuli that the model was trained on: they are not held out.

Examples:
  encode predict model.npz acts.npy > predicted.npy
  npy rows --index 0:4 acts.npy | encode predict model.npz - -o predicted.npy
  encode predict model.npz acts.npy | npy info")]
pub(crate) struct Predict {
    /// A model of `encode fit --save`
    #[arg(value_name = "MODEL.npz")]
    model: PathBuf,
    /// Features, possibly a stream of several matrices; - is stdin
    #[arg(value_name = "X", default_value = "-")]
    x: Input,
    #[command(flatten)]
    common: Common,
}

/// Feature values held at once as f64, unless one row has more.
const VALUES: usize = 1 << 22;
/// Rows of a block when rows are short.
const MAX_ROWS: usize = 256;

/// Reads the model, then matrix by matrix predicts and writes as the rows come.
pub(crate) fn run(args: &Predict) -> Result<()> {
    let job = Job::start("encode", &args.common)?;
    let mut out = job.binary_output(args.common.output.as_deref())?;
    let model = read_model(&job, args)?;
    let unusable = model.intercept.iter().filter(|b| b.is_nan()).count();
    if unusable > 0 {
        job.note(format!(
            "{unusable} of {} voxels of the model could not be fitted; they are NaN",
            model.intercept.len()
        ));
    }
    Stream::open(&job, &args.x)?.each(|Next { source, array, .. }| {
        predict(&job, &source, array, &model, &mut out).with_context(|| source.clone())
    })?;
    out.commit(&job)
}

fn read_model(job: &Job, args: &Predict) -> Result<SavedModel> {
    let name = || args.model.display().to_string();
    match job.open(&Input::File(args.model.clone()))? {
        Opened::File(file) => SavedModel::read(file).with_context(name),
        Opened::Pipe(_) => bail!("{}: a model is read from a regular file, not from a pipe", name()),
    }
}

fn predict(job: &Job, source: &str, mut x: Incoming, model: &SavedModel, out: &mut Output) -> Result<()> {
    let (n_rows, n_features) = x.matrix_shape()?;
    let (fitted, n_voxels) = model.coef.dim();
    if n_features != fitted {
        bail!("{n_features} features, but the model was fitted to {fitted}; give the features of the same layer");
    }
    let dtype = if x.kind().is_double() { Dtype::F8 } else { Dtype::F4 };
    let mut rows = RowWriter::new(out, n_rows, n_voxels, dtype)?;
    let mut n_not_finite = 0;
    while let Some(block) = x.next_rows((VALUES / n_features.max(1)).clamp(1, MAX_ROWS))? {
        let features = block.to_f64();
        let mut predicted = product(features.view(), model.coef.view());
        for (mut predicted, features) in predicted.rows_mut().into_iter().zip(features.rows()) {
            if features.iter().all(|v| v.is_finite()) {
                predicted.iter_mut().zip(&model.intercept).for_each(|(p, b)| *p += b);
            } else {
                predicted.fill(f64::NAN);
                n_not_finite += 1;
            }
        }
        rows.write_rows(predicted.view())?;
    }
    let labels = x.finish()?;
    if let Some(doubt) = model.check_features(&labels)? {
        job.warn(format!("{source}: {doubt}"));
    }
    if n_not_finite > 0 {
        job.warn(format!("{source}: {n_not_finite} of {n_rows} rows have NaN or infinite features; they are NaN"));
    }
    let trained_on = labels.ids.iter().flatten().filter(|id| model.stimuli.contains(*id)).count();
    if trained_on > 0 {
        job.note(format!("{source}: {trained_on} of {n_rows} rows are stimuli the model was trained on, not held out"));
    }
    // The columns are the model's voxels, whatever those of the features are called.
    rows.finish(&Labels { columns: model.voxel_names.clone(), ..labels })?;
    Ok(())
}
