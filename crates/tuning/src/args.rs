//! What `tuning` can be asked.

use clap::ValueEnum;
use cli::{Common, Format, Input};
use labelled_inputs::JoinArgs;
use statistics::Correlation;

/// Response profiles: the mean response of a region, or of selected units, to each stimulus; and their similarity
/// between systems
#[derive(Debug, clap::Parser)]
#[command(name = "tuning", version, about, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXAMPLES: &str = "\
EXAMPLES
  npy cols --units face_units.csv acts.npy | tuning profile > faces.npy
  tuning profile --format csv ffa.npy
  tuning compare faces.npy --brain sub-*/ffa.npy > scores.csv";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// One number per row of a matrix: the mean (or median) over its units or voxels
    Profile(Profile),
    /// Correlation of profiles, every model with every subject, corrected for the subject's noise
    Compare(Compare),
}

/// What a profile is of the units' responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Statistic {
    /// Mean over units
    Mean,
    /// Median over units
    Median,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
INPUT   Matrices (rows = presentations of stimuli, columns = units or voxels), several in a stream.
OUTPUT  One n x 1 matrix (f8) per input matrix, ids kept; or with --format a table array,stimulus,n_units,response.
        A NaN in any unit makes the response NaN. --zscore takes each unit's mean and standard deviation (n - 1) over
        all rows; a constant unit has no z, is left out of the mean and is counted on stderr and in n_units.
EXAMPLES
  tuning profile ffa.npy > profile.npy
  tuning profile --zscore --format csv ffa.npy")]
pub(crate) struct Profile {
    /// .npy streams; - is stdin
    #[arg(value_name = "MATRIX", default_value = "-")]
    pub inputs: Vec<Input>,
    /// Over the units of a row
    #[arg(long, value_enum, default_value_t = Statistic::Mean)]
    pub statistic: Statistic,
    /// Bring every unit to mean 0 and standard deviation 1 over the rows first
    #[arg(long)]
    pub zscore: bool,
    /// Write a table instead of matrices
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Names of the arrays, in order [default: file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
One row per model and subject, and one per model with subject `mean`, the mean over subjects. Inputs are matrices; the
profile of each is its mean over columns, trials of a stimulus (equal ids) averaged first.
Columns:
  model, subject, compare
  n_stimuli     stimuli, joined by id
  r | rho       Pearson (r) or Spearman (rho) correlation of the two profiles
  reliability   of the subject's profile: split halves of its trials (Pearson), stepped up to all of them by
                Spearman-Brown; bounds r2. Empty without repeated trials
  r_norm        the correlation divided by sqrt(reliability of the subject x reliability of the model); a model without
                repeated rows is noiseless (reliability 1). Never clipped: it may exceed 1
  reason        why a number is NaN: constant, nan_input, negative_reliability
EXAMPLES
  tuning compare faces.npy --brain sub-*/ffa.npy > scores.csv
  tuning compare trained.npy untrained.npy --brain ffa.npy --compare spearman")]
pub(crate) struct Compare {
    /// Models: matrices or profiles, each file possibly a stream of several; - is stdin
    #[arg(value_name = "MODEL", required = true)]
    pub models: Vec<Input>,
    /// Subjects: one region's voxels (or profile) each, several files or one stream
    #[arg(long, value_name = "BRAIN", num_args = 1.., required = true)]
    pub brain: Vec<Input>,
    /// pearson or spearman
    #[arg(long, value_parser = comparison, default_value = "pearson")]
    pub compare: Correlation,
    /// Most splits of the trials that are averaged; fewer when there are no more
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub splits: u32,
    /// Seed of the splits, where there are more than --splits
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Names of the models, in order [default: file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Names of the subjects, in order
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub brain_names: Vec<String>,
    #[command(flatten)]
    pub join: JoinArgs,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub common: Common,
}

fn comparison(text: &str) -> Result<Correlation, String> {
    match text {
        "pearson" | "corr" => Ok(Correlation::Pearson),
        "spearman" => Ok(Correlation::Spearman),
        other => Err(format!("{other:?} is none of pearson, spearman")),
    }
}
