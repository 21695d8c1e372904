//! `encode predict`: features through a saved model.

mod held;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use array_inputs::{JoinArgs, Next, Stream};
use cli::{Common, Input, Job, Opened, Output};
use linear_algebra::product;
use ndarray::ArrayViewMut1;
use npy_stream::{Dtype, Incoming, Labels, RowWriter};
use statistics::Draws;

use crate::fit::data::Band;
use crate::saved_model::SavedModel;

/// Responses that a saved model predicts for features of any stimuli
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input:
  Features with as many columns as the model was fitted to; read in blocks of rows. A model of bands
  takes them one by one (--band NAME=FILE, columns checked per band, rows joined by id), or all columns
  in one matrix. A model with delays takes features as `encode fit` did, before they were delayed, in the
  order of time; --runs says where runs end, which no delay reaches across.
Output:
  One matrix per matrix: the rows of X with their ids, one column per voxel of the model. NaN for
  voxels that could not be fitted and for rows with NaN or infinity; both are counted on stderr, and
  so are stimuli that the model was trained on: they are not held out.
  --split: one matrix per band, with its name, then one called `bias`. A band's part is what it adds when
  its features leave their training means; `bias` is what is predicted at those means. All sum to the
  prediction.
  --noise: predictions with normal noise of the variance that held-out predictions missed, voxel by voxel
  (residual_variance of the model). Predictions have no noise, so that t values of a localizer run on
  them are far above measured ones; with it they are of the size of measured ones for rows like
  those of --y of the fit (averages, or single trials).

Examples:
  encode predict model.npz acts.npy > predicted.npy
  npy rows --index 0:4 acts.npy | encode predict model.npz - -o first.npy
  encode predict model.npz acts.npy --noise 1 | npy info")]
pub(crate) struct Predict {
    /// A model of `encode fit --save`
    #[arg(value_name = "MODEL.npz")]
    model: PathBuf,
    /// Features, possibly a stream of several matrices; - is stdin [default: -]
    #[arg(value_name = "X", conflicts_with = "bands")]
    x: Option<Input>,
    /// Features of one band of the model; once per band
    #[arg(long = "band", value_name = "NAME=FEATURES")]
    bands: Vec<Band>,
    /// Write what every band of the model predicts
    #[arg(long)]
    split: bool,
    /// Add normal noise of the variance that the model missed, drawn by this seed
    #[arg(long, value_name = "SEED", conflicts_with = "split")]
    noise: Option<u64>,
    /// Column of --stimuli with the run of each row, for a model with delays [default: all rows are one run]
    #[arg(long, value_name = "COLUMN", requires = "stimuli")]
    runs: Option<String>,
    /// Table of the rows, for --runs
    #[arg(long, value_name = "TABLE", requires = "runs")]
    stimuli: Option<Input>,
    #[command(flatten)]
    join: JoinArgs,
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
    let model = read_model(&job, &args.model)?;
    let name = args.model.display();
    if args.runs.is_some() && model.delays.is_empty() {
        bail!("--runs: {name} has no delays, so that nothing reaches from row to row");
    }
    if args.split && model.bands.is_empty() {
        bail!("--split: {name} has no bands; fit it with --band");
    }
    if args.bands.is_empty() && (args.join.inner || args.join.assume_order) && args.runs.is_none() {
        bail!("--inner, --assume-order: nothing is joined here; they go with --band and --runs");
    }
    let noise = match (args.noise, &model.residual_variance) {
        (None, _) => None,
        (Some(seed), Some(variance)) => {
            job.record("noise_seed", seed);
            Some(Noise { seed, sd: variance.iter().map(|variance| variance.sqrt()).collect() })
        }
        (Some(_), None) => bail!("--noise: {name} does not say what it missed (residual_variance); fit it anew"),
    };
    let unusable = model.intercept.iter().filter(|b| b.is_nan()).count();
    if unusable > 0 {
        job.note(format!(
            "{unusable} of {} voxels of the model could not be fitted; they are NaN",
            model.intercept.len()
        ));
    }
    let input = args.x.clone().unwrap_or(Input::Stdin);
    if args.split || !args.bands.is_empty() || !model.delays.is_empty() {
        held::predict(&job, args, &input, &model, noise.as_ref(), &mut out)?;
    } else {
        // Rows of one matrix after another, so that no two have the same noise.
        let mut n_rows = 0;
        Stream::open(&job, &input)?.each(|Next { source, array, .. }| {
            let noise = noise.as_ref().map(|noise| (noise, n_rows));
            n_rows += predict(&job, &source, array, &model, noise, &mut out).with_context(|| source.clone())?;
            Ok(())
        })?;
    }
    out.commit(&job)
}

/// Reads a model from a file.
pub(crate) fn read_model(job: &Job, path: &std::path::Path) -> Result<SavedModel> {
    let name = || path.display().to_string();
    match job.open(&Input::File(path.to_path_buf()))? {
        Opened::File(file) => SavedModel::read(file).with_context(name),
        Opened::Pipe(_) => bail!("{}: a model is read from a regular file, not from a pipe", name()),
    }
}

/// What models miss, drawn anew.
struct Noise {
    seed: u64,
    /// One standard deviation per voxel.
    sd: Vec<f64>,
}

impl Noise {
    /// Adds what this row gets, whatever block it stands in.
    fn add(&self, row: usize, mut predicted: ArrayViewMut1<f64>) {
        let mut draws = Draws::stream(self.seed, row as u64);
        let mut pairs = std::iter::repeat_with(|| draws.normal_pair()).flatten();
        for (value, sd) in predicted.iter_mut().zip(&self.sd) {
            *value += sd * pairs.next().unwrap_or(f64::NAN);
        }
    }
}

/// Predictions of one matrix, with noise from a row of its own on; gives the number of rows.
fn predict(
    job: &Job,
    source: &str,
    mut x: Incoming,
    model: &SavedModel,
    noise: Option<(&Noise, usize)>,
    out: &mut Output,
) -> Result<usize> {
    let (n_rows, n_features) = x.matrix_shape()?;
    let (fitted, n_voxels) = model.coef.dim();
    if n_features != fitted {
        bail!("{n_features} features, but the model was fitted to {fitted}; give the features of the same layer");
    }
    let dtype = if x.kind().is_double() { Dtype::F8 } else { Dtype::F4 };
    let mut rows = RowWriter::new(out, n_rows, n_voxels, dtype)?;
    let (mut n_not_finite, mut place) = (0, 0);
    while let Some(block) = x.next_rows((VALUES / n_features.max(1)).clamp(1, MAX_ROWS))? {
        let features = block.to_f64();
        let mut predicted = product(features.view(), model.coef.view());
        for (mut predicted, features) in predicted.rows_mut().into_iter().zip(features.rows()) {
            if features.iter().all(|v| v.is_finite()) {
                predicted.iter_mut().zip(&model.intercept).for_each(|(p, b)| *p += b);
                noise.iter().for_each(|(noise, first)| noise.add(first + place, predicted.view_mut()));
            } else {
                predicted.fill(f64::NAN);
                n_not_finite += 1;
            }
            place += 1;
        }
        rows.write_rows(predicted.view())?;
    }
    let labels = x.finish()?;
    if let Some(doubt) = model.check_features(&labels)? {
        job.warn(format!("{source}: {doubt}"));
    }
    report(job, source, model, &labels, n_rows, n_not_finite);
    // The columns are the model's voxels, whatever those of the features are called.
    rows.finish(&Labels { columns: model.voxel_names.clone(), ..labels })?;
    Ok(n_rows)
}

fn report(job: &Job, source: &str, model: &SavedModel, labels: &Labels, n_rows: usize, n_not_finite: usize) {
    if n_not_finite > 0 {
        job.warn(format!("{source}: {n_not_finite} of {n_rows} rows have NaN or infinite features; they are NaN"));
    }
    let trained_on = labels.ids.iter().flatten().filter(|id| model.stimuli.contains(*id)).count();
    if trained_on > 0 {
        job.note(format!("{source}: {trained_on} of {n_rows} rows are stimuli the model was trained on, not held out"));
    }
}
