//! Arguments of `rsa order`.

use super::PairArgs;
use clap::ValueEnum;
use cli::{Common, Format, Input};

/// The distance between two clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClusterDistance {
    /// Mean over all pairs (UPGMA)
    Average,
    /// Largest of all pairs
    Complete,
    /// Ward (1963), for Euclidean distances
    Ward,
}

/// Arguments of `rsa order`.
#[derive(Debug, clap::Args)]
#[command(after_help = ORDER_NOTES)]
pub struct OrderArgs {
    /// RDMs, each file possibly a stream of several (with --pairs: tables); - is stdin
    #[arg(value_name = "RDM", default_value = "-")]
    pub inputs: Vec<Input>,
    /// Distance between clusters
    #[arg(long, value_enum, default_value_t = ClusterDistance::Average)]
    pub linkage: ClusterDistance,
    /// Write the merges instead of the order
    #[arg(long)]
    pub tree: bool,
    /// What the inputs hold.
    #[command(flatten)]
    pub pairs: PairArgs,
    /// Names of the RDMs, in order [default: file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Shared options.
    #[command(flatten)]
    pub common: Common,
}

const ORDER_NOTES: &str = "\
One row per RDM and stimulus (or system), from left to right under the dendrogram, as SciPy's
leaves_list(linkage(..)) orders them:
  array, position (from 0), stimulus, row (its row in the RDM)
  reason   no_usable_pair: all pairs of the stimulus are NaN; it stands behind the others, with no
           position. Any other NaN is refused. constant: all distances are equal, or equal but for
           rounding, and the order is that of ties alone
Means of clusters that are equal but for rounding are tied; ties go as in SciPy, where they are exact.
With --tree one row per merge, from the lowest up, SciPy's linkage matrix:
  array, merge (from 0), left, right, height, n_stimuli
  left, right  a row of the RDM, or n + k for the cluster of merge k, n the stimuli of the RDM

Examples:
  rsa order ann.npy > order.csv
  rsa order --linkage ward --tree ann.npy > tree.csv
  rsa order --linkage complete --format tsv ann.npy";
