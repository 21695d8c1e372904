//! What can be asked on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use array_inputs::JoinArgs;
use clap::{Parser, Subcommand, ValueEnum};
use cli::{Common, Format, Input};

use crate::AlphaGrid;

/// Voxelwise encoding models: predict the responses of voxels from the features of a network, on held-out stimuli
///
/// Ridge regression with one penalty per voxel. Rows of features and responses are joined by stimulus id; scaling and
/// penalty are learned on training rows only; all presentations of one stimulus stand in the same fold.
#[derive(Debug, Parser)]
#[command(name = "encode", version, about, after_help = EXAMPLES, subcommand_required = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  encode fit --x acts.npy --y ffa.npy --cv 5 > scores.csv
  encode fit --x acts.npy --y ffa.npy --save model.npz --predictions held_out.npy -o scores.csv
  encode predict model.npz acts.npy > predicted.npy";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Cross-validated ridge regression: a table with one row per voxel, and a model to keep
    Fit(FitArgs),
    /// Responses that a saved model predicts for features of any stimuli
    Predict(PredictArgs),
}

/// How stimuli are dealt into folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FoldOrderArg {
    /// Shuffled by --seed: depends on the set of ids, not on the order of rows
    Shuffled,
    /// Consecutive blocks, in the order of the rows of --y
    Contiguous,
}

/// How a penalty is judged inside the training rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlphaCv {
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

/// Arguments of `encode fit`.
#[derive(Debug, clap::Args)]
#[command(after_help = FIT_NOTES)]
pub struct FitArgs {
    /// Features: labelled matrix, rows = stimuli, columns = units; - is stdin
    #[arg(long, value_name = "FEATURES")]
    pub x: Input,
    /// Responses: labelled matrix, rows = stimuli or trials, columns = voxels; - is stdin
    #[arg(long, value_name = "RESPONSES")]
    pub y: Input,
    /// Folds over distinct stimuli; each is predicted by a model of the others
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub cv: usize,
    /// How stimuli are dealt into folds
    #[arg(long, value_enum, value_name = "ORDER", default_value = "shuffled")]
    pub fold_order: FoldOrderArg,
    /// Seed of the shuffle
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How alpha is chosen in the training rows: loo (leave one row out), or folds over their stimuli
    /// [default: loo; where ids repeat, as many folds as --cv]
    #[arg(long, value_name = "loo|K")]
    pub alpha_cv: Option<AlphaCv>,
    /// Penalties, LO:HI:N evenly spaced in the logarithm, as factors of the mean squared length of the scaled
    /// training rows (with scaling: of the number of features that vary)
    #[arg(long, value_name = "LO:HI:N", default_value_t)]
    pub alphas: AlphaGrid,
    /// Centre the features but do not divide them by their standard deviation
    #[arg(long)]
    pub no_scale: bool,
    /// Fit all rows as well and keep that model for `encode predict`
    #[arg(long, value_name = "MODEL.npz")]
    pub save: Option<cli::OutputPath>,
    /// Write the held-out predictions: labelled matrix, rows as in --y
    #[arg(long, value_name = "P.npy")]
    pub predictions: Option<cli::OutputPath>,
    /// How the inputs are joined.
    #[command(flatten)]
    pub join: JoinArgs,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Shared options.
    #[command(flatten)]
    pub common: Common,
}

const FIT_NOTES: &str = "\
INPUT   --x and --y are joined by id: features of unique stimuli are repeated for trials of --y.
OUTPUT  one row per voxel, over the held-out predictions of all folds together:
  voxel          column of --y, from 0
  r, r2          Pearson correlation of prediction and response; its square (hides the sign)
  R2             1 - SS(response - prediction) / SS(response - mean response); may be negative
  alpha          penalty chosen in the training rows (factor x scale), median over the folds
  alpha_at_edge  true when a fold chose the lowest or highest of --alphas
  n              rows scored
  reason         why numbers are NaN: constant, nan_input (a NaN in --x stops the tool)
The models of the folds have different means, so without any relation r lies a little below 0.

MODEL   --save writes an uncompressed .npz for numpy.load, in f8, fitted to all rows, with alpha
        chosen once more on all of them:
  coef             features x voxels, for features in their own units
  intercept        one per voxel: predictions are X @ coef + intercept
  x_mean, x_scale  what the fit subtracted and divided by; x_scale 0: constant feature, coef 0
  alpha            one per voxel
  stimuli          ids of the training rows, if known
  version          1

Examples:
  encode fit --x acts.npy --y ffa.npy --cv 5 > scores.csv
  encode fit --x acts.npy --y ffa.npy --cv 10 --alphas 1e-3:1e3:13 --save model.npz -o scores.csv
  npy cols --index 0:2 acts.npy | encode fit --x - --y ffa.npy --predictions held_out.npy";

/// Arguments of `encode predict`.
#[derive(Debug, clap::Args)]
#[command(after_help = PREDICT_NOTES)]
pub struct PredictArgs {
    /// A model of `encode fit --save`
    #[arg(value_name = "MODEL.npz")]
    pub model: PathBuf,
    /// Features, possibly a stream of several matrices; - is stdin
    #[arg(value_name = "X", default_value = "-")]
    pub x: Input,
    /// Shared options.
    #[command(flatten)]
    pub common: Common,
}

const PREDICT_NOTES: &str = "\
INPUT   features with as many columns as the model was fitted to; read in blocks of rows.
OUTPUT  one matrix per matrix: the rows of X with their ids, one column per voxel of the model. NaN
        for voxels that could not be fitted and for rows with NaN or infinity; both are counted on
        stderr, and so are stimuli that the model was trained on: they are not held out.

Examples:
  encode predict model.npz acts.npy > predicted.npy
  npy rows --index 0:4 acts.npy | encode predict model.npz - -o predicted.npy
  encode predict model.npz acts.npy | npy info";
