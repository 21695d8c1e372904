//! What can be asked on the command line.

use clap::{Parser, Subcommand, ValueEnum};
use cli::{Common, Format, Input};
use labelled_inputs::JoinArgs;
use npy_stream::Dtype;
use rdm::{Comparison, Distance};

/// Compare the geometry of representations: RDMs from activations or voxels, scores of models against brains
///
/// An RDM (representational dissimilarity matrix) holds one distance per pair of stimuli. It is written as a 1-d
/// .npy, the strict upper triangle in the order of SciPy's pdist, with the n stimulus ids behind it; RDMs of several
/// systems stand back to back. Two RDMs are only ever compared after they were joined by those ids.
#[derive(Debug, Parser)]
#[command(name = "rsa", version, about, after_help = EXAMPLES, subcommand_required = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  rsa rdm acts.npy > ann.npy
  cat sub-*/ffa.npy | npy average | rsa rdm > ffa.npy
  rsa compare ann.npy --brain ffa.npy --compare spearman --ceiling > scores.csv";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Matrices (rows = stimuli, columns = units or voxels) to RDMs, one per matrix
    Rdm(RdmArgs),
    /// Model RDMs against brain RDMs: a table of scores, with the noise ceiling
    Compare(CompareArgs),
}

/// The dissimilarity of two patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// 1 - Pearson correlation across units
    Correlation,
    /// Root of the sum of squared differences, as SciPy's (rsatoolbox's `euclidean` is sqeuclidean --per-channel)
    Euclidean,
    /// Sum of squared differences
    Sqeuclidean,
    /// 1 - cosine of the angle
    Cosine,
}

impl Metric {
    /// The distance, divided by the number of units where that is asked for; `None` where it would change nothing or
    /// has no name in the field.
    pub fn distance(self, per_channel: bool) -> Option<Distance> {
        match (self, per_channel) {
            (Metric::Sqeuclidean, true) => Some(Distance::SqeuclideanPerChannel),
            (_, true) => None,
            (Metric::Correlation, _) => Some(Distance::Correlation),
            (Metric::Euclidean, _) => Some(Distance::Euclidean),
            (Metric::Sqeuclidean, _) => Some(Distance::Sqeuclidean),
            (Metric::Cosine, _) => Some(Distance::Cosine),
        }
    }
}

/// Arguments of `rsa rdm`.
#[derive(Debug, clap::Args)]
#[command(after_help = RDM_NOTES)]
pub struct RdmArgs {
    /// Labelled matrices, each possibly a stream of several; - is stdin
    #[arg(value_name = "MATRIX", default_value = "-")]
    pub inputs: Vec<Input>,
    /// Distance between two rows
    #[arg(long, value_enum, default_value_t = Metric::Correlation)]
    pub metric: Metric,
    /// Divide squared distances by the number of units (with --metric sqeuclidean)
    #[arg(long)]
    pub per_channel: bool,
    /// Write the square symmetric matrix instead of its upper triangle
    #[arg(long)]
    pub square: bool,
    /// Element type of the output: f4 or f8 [default: f4, or f8 when the input was f8]
    #[arg(long, value_name = "DTYPE")]
    pub dtype: Option<Dtype>,
    /// Write RDMs of which more than 10 % of the pairs are NaN
    #[arg(long)]
    pub allow_nan: bool,
    /// Shared options.
    #[command(flatten)]
    pub common: Common,
}

const RDM_NOTES: &str = "\
A row that is constant (correlation), all zeros (cosine) or holds a NaN has no distances: its pairs
are NaN, and one line on stderr counts them. An id that occurs twice is refused: average its
presentations first with `npy average`.

Examples:
  rsa rdm acts.npy > ann.npy
  rsa rdm --metric euclidean --square acts.npy -o ann.npy
  npy average trials.npy | rsa rdm > brain.npy";

/// Arguments of `rsa compare`.
#[derive(Debug, clap::Args)]
#[command(after_help = COMPARE_NOTES)]
pub struct CompareArgs {
    /// Model RDMs, each file possibly a stream of several; - is stdin
    #[arg(value_name = "MODEL", required = true)]
    pub models: Vec<Input>,
    /// Brain RDMs, one per subject: several files, or one file that holds them back to back
    #[arg(long, value_name = "BRAIN", num_args = 1.., required = true)]
    pub brain: Vec<Input>,
    /// Similarity of two RDMs over their pairs of stimuli (kendall is tau-b)
    #[arg(long, value_parser = labelled_rdms::comparison_parser(), default_value = "pearson")]
    pub compare: Comparison,
    /// Add the noise ceiling over subjects: columns lower and upper
    #[arg(long)]
    pub ceiling: bool,
    /// Names of the models, in order [default: file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Names of the subjects, in order
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub brain_names: Vec<String>,
    /// Compare RDMs of which more than 10 % of the pairs are NaN
    #[arg(long)]
    pub allow_nan: bool,
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

const COMPARE_NOTES: &str = "\
One row per model and subject, and one per model with subject `mean`, the mean over subjects.
Columns:
  model, subject, compare
  n_stimuli   stimuli, joined by id
  n_pairs     their pairs that are not NaN on either side
  r | rho | tau | cosine
              the score, named for --compare: r for pearson, rho for spearman and rho-a,
              tau for kendall (tau-b) and tau-a
  lower       with --ceiling (Nili et al. 2014): a subject against the pool of the others
  upper       with --ceiling: a subject against the pool of all
  reason      why a score is NaN: constant, nan_input
The bounds are on the scale of the score (they bound r, not r2). RDMs are pooled as the comparison
needs: z-scored for pearson, divided by their root mean square for cosine, ranked for the others.
The row `mean` has the two bounds that a plot shows. Scores above a bound are printed as they are.

Examples:
  rsa compare ann.npy --brain ffa.npy --ceiling > scores.csv
  rsa compare m1.npy m2.npy --brain sub-*.npy --compare spearman
  rsa rdm acts.npy | rsa compare - --brain ffa.npy --names resnet50";
