//! `encode score`: predictions of any model against responses, voxel by voxel or region by region.

mod by_region;
mod by_voxel;

use anyhow::{Result, bail};
use array_inputs::{JoinArgs, NamedMatrix};
use clap::ValueEnum;
use cli::{Common, Format, Input, Job};
use encoding_models::{HeldOut, ScoreOver, own_means};
use linear_algebra::Real;
use ndarray::{Array2, ArrayView2};
use npy_stream::Block;
use rdm::Comparison;
use statistics::Folds;

use crate::folds::{GivenFolds, Rows, StimuliOfRows};
use crate::responses::{From, ImageArgs};
use crate::scores::{Scorable, ScoreArgs};
use crate::voxel_table::Voxels;

/// Predictions of any model against responses: a table with one row per voxel, or per region
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input:
  PREDICTED and MEASURED have the same columns (voxels) and are joined by id. --folds says in which
  fold each stimulus was predicted, where models of several folds did. Of an image the volumes are rows, named
  by the rows of --stimuli with --assume-order, and the voxels of --mask columns.
Columns of --by voxel (one row per voxel):
  voxel          column of MEASURED, from 0; of an image the number of the voxel, as `fmri-roi` counts
  r, r2          Pearson correlation of prediction and response; its square (hides the sign)
  R2             1 - SS(response - prediction) / SS(response - mean). The mean is that of the other
                 folds (0 for a model that knows that mean only); without --folds of these responses
  n              rows scored
  reason         why numbers are NaN: constant, nan_input, what --ceiling says
  p, q           with --permutations: share of permutations with at least this r; false discovery rate
  r_norm, r2_norm
                 with --ceiling: r / r_max, r2 / reliability; not cut at 1
  voxel_name     only where the columns of MEASURED have names
  With --folds R2, and r with --score-over folds, are those of `encode fit --predictions` with these folds,
  unless it had --sample-weights, whose training means no file of predictions tells (nor those of --test).
  Its r pooled is not to be had from a file of predictions: it is over deviations from the mean of the other
  folds, of responses in units of their root mean square there, of predictions in units of that of what
  the model fits to its training rows. Here the unit of predictions is their own root mean square in their
  fold, so that r is close, not equal (rms difference over voxels .03 with 60 rows in 5 folds, .002 with
  1000). Folds of fewer than 3 rows have no such unit.
Columns of --by region (rows with stat univariate and multivariate; trials of a stimulus are averaged):
  region         level of --regions, or name of the array
  stat           univariate: over stimuli, mean predicted and mean measured response of the region.
                 multivariate: over pairs of stimuli, RDM of predicted and of measured patterns (1 - Pearson
                 over voxels). With --folds pairs of one fold only, which one model has predicted
  compare        correlation of the two
  n_stimuli, n_trials (in the averages: 1 / mean(1 / n)), n_pairs
  n_voxels       voxels in use
  n_left_out     voxels with NaN on either side
  score_over     folds or pooled
  r              the score
  r_halves       the same correlation between halves of the trials of MEASURED, as it is
  reliability    r_halves stepped up to n_trials by Spearman-Brown: bounds the square of r
  r_max          sqrt(reliability): bounds r; the ceiling within the subject
  r_norm         r / r_max; not cut at 1
  reason         constant, too_few_voxels (multivariate needs 3), too_few_repeats (no ceiling),
                 negative_reliability
  r_halves to r_norm are empty where no id of MEASURED occurs twice.

Examples:
  encode score predicted.npy ffa.npy > scores.csv
  encode score held_out.npy ffa.npy --folds @folds.csv --permutations 1000
  encode score held_out.npy sub-01/ffa.npy --folds @folds.csv --by region")]
pub(crate) struct ScoreVerb {
    /// Predicted responses (rows = stimuli, columns = voxels); with --by region perhaps one matrix per region
    #[arg(value_name = "PREDICTED")]
    predicted: Input,
    /// Measured responses: labelled matrix, or NIfTI, volumes = stimuli or trials; - is stdin
    #[arg(value_name = "MEASURED")]
    measured: Input,
    #[command(flatten)]
    image: ImageArgs,
    /// What a row of the table is
    #[arg(long, value_enum, value_name = "WHAT", default_value = "voxel")]
    by: By,
    /// Table of the voxels with a column voxel or voxel_name, and one of --region-column
    #[arg(long, value_name = "TABLE")]
    regions: Option<Input>,
    /// Column of --regions with the region [default: region, else roi]
    #[arg(long, value_name = "COLUMN", requires = "regions")]
    region_column: Option<String>,
    /// How RDMs are compared
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',', default_value = "pearson")]
    compare: Vec<Compare>,
    /// Most splits of the trials for the ceilings of regions
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    splits: u32,
    #[command(flatten)]
    folds: GivenFolds,
    #[command(flatten)]
    scores: ScoreArgs,
    /// Seed of the permutations, and of the splits where there are more than --splits
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    join: JoinArgs,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Every voxel by itself
    Voxel,
    /// All voxels of a region together
    Region,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compare {
    /// Product-moment correlation
    Pearson,
    /// Rank correlation
    Spearman,
}

impl ScoreVerb {
    /// Where the measured responses come from.
    fn measured_from<'a>(&'a self, stimuli: Option<&'a StimuliOfRows>) -> From<'a> {
        From { input: &self.measured, image: &self.image, stimuli, join: self.join }
    }
}

impl Compare {
    fn comparison(self) -> Comparison {
        match self {
            Compare::Pearson => Comparison::Pearson,
            Compare::Spearman => Comparison::Spearman,
        }
    }
}

pub(crate) fn run(args: &ScoreVerb) -> Result<()> {
    let job = Job::start("encode", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    match args.by {
        By::Voxel if args.compare != [Compare::Pearson] => {
            bail!("--compare: goes with --by region; the r of voxels is Pearson's")
        }
        By::Voxel if args.regions.is_some() => bail!("--regions: goes with --by region"),
        By::Voxel => by_voxel::run(&job, args, out),
        By::Region if args.scores.permutations > 0 => bail!("--permutations: voxels are tested, not regions"),
        By::Region if args.scores.ceiling.is_some() => {
            bail!("--ceiling: bounds of voxels; those of regions come from the repeats in {}", args.measured)
        }
        By::Region => by_region::run(&job, args, out),
    }
}

/// Predictions and responses, row by row of the same presentation.
pub(crate) struct Pair {
    pub predicted: Array2<f64>,
    pub measured: Array2<f64>,
    /// `None` when joined by position.
    pub ids: Option<Vec<String>>,
    /// Rows of the measured matrix.
    pub measured_rows: Vec<usize>,
    pub source: String,
}

impl Pair {
    /// Joins them, in the order of the responses.
    pub fn of(job: &Job, join: JoinArgs, predicted: NamedMatrix, measured: NamedMatrix) -> Result<Pair> {
        let (columns, own) = (predicted.matrix.n_columns(), measured.matrix.n_columns());
        if columns != own || own == 0 {
            bail!(
                "{} has {columns} voxels, and {} has {own}; give predictions of the same voxels",
                predicted.source,
                measured.source
            );
        }
        if let (Some(a), Some(b)) = (&predicted.labels.columns, &measured.labels.columns)
            && let Some(i) = (0..a.len()).find(|&i| a[i] != b[i])
        {
            bail!(
                "voxel {i} is {:?} in {} and {:?} in {}; give predictions of the same voxels",
                a[i],
                predicted.source,
                b[i],
                measured.source
            );
        }
        let joined = join.join(job, measured.side(), predicted.side())?;
        if joined.len() < 3 {
            bail!(
                "{} and {} have {} rows together; a score needs at least 3",
                predicted.source,
                measured.source,
                joined.len()
            );
        }
        let rows = |matrix: Block, rows: &[usize]| match matrix {
            Block::F4(m) => Array2::from_shape_fn((rows.len(), m.ncols()), |(i, v)| f64::from(m[(rows[i], v)])),
            Block::F8(m) => Array2::from_shape_fn((rows.len(), m.ncols()), |(i, v)| m[(rows[i], v)]),
        };
        Ok(Pair {
            predicted: rows(predicted.matrix.view(), &joined.right),
            measured: rows(measured.matrix.view(), &joined.left),
            ids: joined.labels(&measured.side(), &predicted.side()),
            measured_rows: joined.left,
            source: measured.source,
        })
    }

    pub fn rows(&self) -> Rows<'_> {
        Rows { source: &self.source, ids: self.ids.as_deref(), n: self.measured.nrows() }
    }
}

/// What is known of the models of predictions, from the predictions and responses alone.
pub(crate) struct Models {
    /// Means of the responses in the rows that a model was trained on, `n_folds x v`.
    pub means: Array2<f64>,
    /// Root mean squares as deviations from those means, `n_folds x v` each: of predictions in their own fold, since
    /// what a model fits to its training rows is not known, and of responses in the training rows.
    pub spreads: Option<[Array2<f64>; 2]>,
}

impl Models {
    /// One model where there are no folds, else one per fold, trained on the rows of the others.
    pub fn of<T: Real>(folds: Option<&Folds>, predicted: ArrayView2<f64>, measured: ArrayView2<T>) -> Models {
        let Some(folds) = folds else { return Models { means: own_means(measured), spreads: None } };
        let shape = (folds.n_folds, measured.ncols());
        let (mut means, mut spreads) = (Array2::zeros(shape), [Array2::zeros(shape), Array2::zeros(shape)]);
        for fold in 0..folds.n_folds {
            let (test, train) = (folds.test_rows(fold), folds.train_rows(fold));
            for voxel in 0..shape.1 {
                let trained_on: Vec<f64> = train.iter().map(|&row| measured[(row, voxel)].to_f64()).collect();
                let mean = statistics::mean(&trained_on);
                let squares = |rows: &[f64]| rows.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
                let own: Vec<f64> = test.iter().map(|&row| predicted[(row, voxel)]).collect();
                means[(fold, voxel)] = mean;
                spreads[0][(fold, voxel)] = (squares(&own) / own.len() as f64).sqrt();
                spreads[1][(fold, voxel)] = (squares(&trained_on) / trained_on.len() as f64).sqrt();
            }
        }
        Models { means, spreads: Some(spreads) }
    }

    /// The rows as the maths takes them.
    pub fn held_out<'a>(&'a self, fold_of_row: &'a [usize], over: ScoreOver) -> HeldOut<'a> {
        HeldOut { fold_of_row, train_means: self.means.view(), train_sds: self.sds(), over }
    }

    pub fn sds(&self) -> Option<[ArrayView2<'_, f64>; 2]> {
        self.spreads.as_ref().map(|[predicted, measured]| [predicted.view(), measured.view()])
    }
}

/// The rows of one fold, where there are no folds.
fn scorable<'a>(
    folds: Option<&'a Folds>,
    one_fold: &'a [usize],
    stimulus_of_row: &'a [usize],
    voxels: Voxels<'a>,
) -> Scorable<'a> {
    Scorable {
        n_folds: folds.map_or(1, |folds| folds.n_folds),
        fold_of_row: folds.map_or(one_fold, |folds| &folds.fold_of_row),
        stimulus_of_row,
        voxels,
    }
}

/// Fewer rows in a fold than tell how large its predictions are.
const FEWEST_ROWS: usize = 3;

/// An error for folds that are too small; `what` is in them.
pub(crate) fn require_large_folds(folds: Option<&Folds>, what: &str) -> Result<()> {
    let Some(folds) = folds else { return Ok(()) };
    let mut counts = vec![0usize; folds.n_folds];
    folds.fold_of_row.iter().for_each(|&fold| counts[fold] += 1);
    match counts.iter().min() {
        Some(&fewest) if fewest < FEWEST_ROWS => bail!(
            "--folds: a fold of {} has {fewest} {what}, and needs {FEWEST_ROWS}: from fewer predictions the spread of a \
             model cannot be told, and noise would score below 0; `encode fit`, which knows the models, scores them",
            folds.n_folds
        ),
        _ => Ok(()),
    }
}
