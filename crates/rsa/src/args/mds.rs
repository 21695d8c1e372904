//! Arguments of `rsa mds`, and those of every verb that takes any dissimilarities.

use clap::ValueEnum;
use cli::{Common, Format, Input};

/// What makes the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Classical scaling (Torgerson 1952): eigenvectors, no seed
    Classical,
    /// SMACOF on the dissimilarities themselves
    Metric,
    /// SMACOF on their order alone (Kruskal 1964)
    Nonmetric,
}

/// Dissimilarities that are not RDMs of `rsa rdm`: similarities, or tables of pairs.
#[derive(Debug, clap::Args)]
pub struct PairArgs {
    /// The numbers are similarities (correlations): 1 minus each; a diagonal is not looked at
    #[arg(long)]
    pub similarity: bool,
    /// The inputs are tables, one row per pair, whose members stand in these two columns
    #[arg(long, value_name = "A,B", value_delimiter = ',', num_args = 1, requires = "value")]
    pub pairs: Vec<String>,
    /// Column of the numbers, with --pairs
    #[arg(long, value_name = "COLUMN", requires = "pairs")]
    pub value: Option<String>,
    /// Take what is below 0 (a corrected r above 1, a crossnobis distance) for 0, and count it on stderr
    #[arg(long)]
    pub clip: bool,
}

/// Arguments of `rsa mds`.
#[derive(Debug, clap::Args)]
#[command(after_help = MDS_NOTES)]
pub struct MdsArgs {
    /// RDMs, each file possibly a stream of several (with --pairs: tables); - is stdin
    #[arg(value_name = "RDM", default_value = "-")]
    pub inputs: Vec<Input>,
    /// How the map is made
    #[arg(long, value_enum, default_value_t = Method::Classical)]
    pub method: Method,
    /// Dimensions of the map
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub dims: u32,
    /// Starts of SMACOF: classical scaling, then random ones
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub n_init: u32,
    /// Seed of the random starts
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Most iterations of one start
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_iter: u32,
    /// SMACOF stops when an iteration takes less than this part of the squared distances off the stress
    #[arg(long, value_name = "X", default_value_t = 1e-6)]
    pub eps: f64,
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

const MDS_NOTES: &str = "\
One row per RDM and stimulus (or system):
  array, stimulus
  x, y, z, d4, ..  its place on the map: centred, the widest dimension first, the largest
                   coordinate of each dimension positive
  method
  stress           Stress-1 (Kruskal 1964): sqrt(sum (d - dhat)^2 / sum d^2) over pairs, d the
                   distances on the map, dhat the dissimilarities (classical, metric) or the numbers
                   fitted to their order (nonmetric). scikit-learn's normalized_stress=True.
                   0 is perfect, .05 good, .1 fair, .2 poor
  start, n_iter    SMACOF: which start won (0 is classical scaling, k is random start k) and its
                   iterations
  reason           why a stimulus has no place: no_usable_pair (all its pairs are NaN), constant (all
                   distances of the RDM are equal, which fewer than n - 1 dimensions cannot show)
Start k is drawn from stream k of --seed. A map needs every pair: other NaN are refused. stderr says
how much of the RDM classical scaling can show, and when SMACOF ran out of iterations.

Examples:
  rsa mds ann.npy > map.csv
  rsa mds --method nonmetric --n-init 16 --seed 1 ann.npy > map.csv
  rsa mds --pairs model,subject --value r --similarity --clip scores.csv > systems.csv";
