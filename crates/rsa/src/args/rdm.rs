//! Arguments of `rsa rdm`.

use clap::ValueEnum;
use cli::{Common, Input};
use npy_stream::Dtype;
use rdm::Distance;

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
