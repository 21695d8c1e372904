//! What can be asked on the command line.

use array_inputs::JoinArgs;
use clap::{Parser, Subcommand, ValueEnum};
use cli::{Common, Format, Input};
use rdm::Comparison;
use statistics::Correlation;

/// Noise ceilings: how well any model could do on these data, and whether that bounds r or r2
///
/// A ceiling of voxels comes from repeated presentations, which are told by their stimulus id; a ceiling between
/// people from several subjects who saw the same stimuli. Every column says in the help of its verb what it bounds.
#[derive(Debug, Parser)]
#[command(name = "ceiling", version, about, after_help = EXAMPLES, subcommand_required = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  ceiling voxel trials.npy > voxels.csv
  cat sub-*/ffa.npy | ceiling between --stat rdm > humans.csv
  ceiling rdm ffa_rdms.npy --compare spearman";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Repeats by id to ncsnr, noise ceiling and split-half reliability of every voxel
    Voxel(VoxelArgs),
    /// Subjects against each other: median of the pairs, and each against the mean of the others
    Between(BetweenArgs),
    /// RDMs of several subjects to the lower and upper bound for a model's score
    Rdm(RdmArgs),
}

/// How trials are split into halves.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct SplitArgs {
    /// Most splits of the trials that are averaged; fewer when there are no more
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    pub splits: usize,
    /// Seed of the splits, where there are more than --splits
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".into()),
        Ok(n) => Ok(n),
        Err(_) => Err(format!("{text:?} is no number of at least 1")),
    }
}

/// Arguments of `ceiling voxel`.
#[derive(Debug, clap::Args)]
#[command(after_help = VOXEL_NOTES)]
pub struct VoxelArgs {
    /// Single-trial responses (rows = trials, columns = voxels) with a stimulus id per row; - is stdin
    #[arg(value_name = "MATRIX", default_value = "-")]
    pub inputs: Vec<Input>,
    /// Ceilings for averages over N trials [default: the trials that each stimulus has]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub trials: Option<usize>,
    /// Table with one row per trial and its stimulus id, for --session
    #[arg(long, value_name = "TABLE", requires = "session")]
    pub stimuli: Option<Input>,
    /// Z-score every voxel within each level of this column of --stimuli first
    #[arg(long, value_name = "COLUMN", requires = "stimuli")]
    pub session: Option<String>,
    /// How trials are split.
    #[command(flatten)]
    pub split: SplitArgs,
    /// Names of the arrays, in order [default: file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    /// How the table is joined.
    #[command(flatten)]
    pub join: JoinArgs,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Shared options.
    #[command(flatten)]
    pub common: Common,
}

const VOXEL_NOTES: &str = "\
One row per array and voxel. Columns:
  n_stimuli       distinct ids
  n_trials        trials in the averages that the ceilings are for: --trials, else 1 / mean(1 / n)
                  over stimuli, which is n where all are shown n times
  ncsnr           sqrt(signal variance / noise variance) of single trials; bounds nothing itself.
                  noise: mean over repeated stimuli of the variance within one (n - 1);
                  signal: variance over all trials minus noise, at least 0 (Allen et al. 2022)
  noise_ceiling   ncsnr^2 / (ncsnr^2 + 1 / n_trials), a fraction: bounds r2
                  (times 100 it is the Natural Scenes Dataset's NC)
  r_halves        mean correlation of the halves of the trials, as it is
  reliability     r_halves stepped up to n_trials by Spearman-Brown: bounds r2. NaN where the formula
                  ends, which is where it would fall below -1.
                  Of unequal repeats as many presentations are used as keep most trials
  r_max           sqrt(reliability): bounds r
  reason          constant, nan_input, negative_reliability
None of it depends on the scale of a voxel, so z-scoring over all trials changes nothing. Z-scoring
within sessions does: drifts between them count as signal or noise otherwise. See --session.

Examples:
  ceiling voxel trials.npy > voxels.csv
  ceiling voxel --trials 3 trials.npy -o voxels.csv
  ceiling voxel --stimuli trials.csv --session run trials.npy";

/// What of a subject is compared with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stat {
    /// Mean over voxels of every stimulus
    Profile,
    /// 1 - Pearson RDM of the patterns, or RDMs as they are given
    Rdm,
    /// Every voxel by itself (columns correspond across subjects); the median over voxels
    Voxel,
}

impl Stat {
    /// Its name on the command line and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Stat::Profile => "profile",
            Stat::Rdm => "rdm",
            Stat::Voxel => "voxel",
        }
    }
}

/// The correlation between two subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BetweenCompare {
    /// Product-moment correlation
    Pearson,
    /// Rank correlation
    Spearman,
}

impl BetweenCompare {
    /// As the shared type.
    pub fn correlation(self) -> Correlation {
        match self {
            BetweenCompare::Pearson => Correlation::Pearson,
            BetweenCompare::Spearman => Correlation::Spearman,
        }
    }
}

/// Arguments of `ceiling between`.
#[derive(Debug, clap::Args)]
#[command(after_help = BETWEEN_NOTES)]
pub struct BetweenArgs {
    /// One labelled matrix per subject, in files or back to back in a stream; - is stdin
    #[arg(value_name = "SUBJECT", default_value = "-")]
    pub inputs: Vec<Input>,
    /// What is compared
    #[arg(long, value_enum, default_value_t = Stat::Profile)]
    pub stat: Stat,
    /// Correlation of two subjects
    #[arg(long, value_enum, default_value_t = BetweenCompare::Pearson)]
    pub compare: BetweenCompare,
    /// How trials are split.
    #[command(flatten)]
    pub split: SplitArgs,
    /// Names of the subjects, in order [default: file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Use RDMs of which more than 10 % of the pairs are NaN
    #[arg(long)]
    pub allow_nan: bool,
    /// How the subjects are joined.
    #[command(flatten)]
    pub join: JoinArgs,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Shared options.
    #[command(flatten)]
    pub common: Common,
}

const BETWEEN_NOTES: &str = "\
One row per subject, then rows `median`, `min` and `max` over subjects. Trials of a stimulus (equal
ids) are averaged first. Columns:
  stat, compare
  n_stimuli             stimuli, joined by id
  n_voxels              the subject's columns; with --stat voxel those that the medians are over
  n_trials              trials in the averages: 1 / mean(1 / n) over stimuli
  median_pairwise       median of the correlations with each other subject: compare with a model's r
  leave_one_out         correlation with the mean of the other subjects: compare with a model's r.
                        Profiles and voxels are averaged as they are, RDMs as `ceiling rdm` pools
                        them (z-scored for pearson, ranked for spearman)
  r_halves              split-half Pearson of the subject's own trials, as it is
  reliability           of the subject's own averages: r_halves stepped up to n_trials by
                        Spearman-Brown: bounds r2. NaN where that would fall below -1
  r_max                 sqrt(reliability): bounds r
  median_pairwise_norm  as median_pairwise, of r / sqrt(reliability_i * reliability_j)
  leave_one_out_norm    r / sqrt(reliability_i * reliability of the mean of the others)
  reason                constant, nan_input, negative_reliability, no_usable_pair
r_halves, reliability, r_max and the _norm columns need repeated trials in all subjects, else they are empty.
Voxels without a value (constant, reliability below 0) are counted on stderr. Corrected values are
not clipped and may exceed 1. The correction takes noise to be independent between subjects: never
give two regions of one brain. A 1-d array is an RDM and goes with --stat rdm.

Examples:
  cat sub-*/ffa.npy | ceiling between > humans.csv
  ceiling between --stat rdm --compare spearman sub-*/ffa.npy
  ceiling between --stat voxel sub-*/common_space.npy";

/// Arguments of `ceiling rdm`.
#[derive(Debug, clap::Args)]
#[command(after_help = RDM_NOTES)]
pub struct RdmArgs {
    /// One RDM per subject, in files or back to back in a stream; - is stdin
    #[arg(value_name = "RDM", default_value = "-")]
    pub inputs: Vec<Input>,
    /// The comparison whose ceiling it is (kendall is tau-b)
    #[arg(long, value_parser = rdm_inputs::comparison_parser(), default_value = "pearson")]
    pub compare: Comparison,
    /// Use RDMs of which more than 10 % of the pairs are NaN
    #[arg(long)]
    pub allow_nan: bool,
    /// How the subjects are joined.
    #[command(flatten)]
    pub join: JoinArgs,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Shared options.
    #[command(flatten)]
    pub common: Common,
}

const RDM_NOTES: &str = "\
One row: compare, n_subjects, n_stimuli, n_pairs (that are not NaN in any subject), lower, upper.
  lower   mean over subjects of the comparison with the pool of the others: bounds r
  upper   mean over subjects of the comparison with the pool of all: bounds r
  reason  constant: fewer than 2 subjects are left; constant RDMs are in no pool, and named on stderr
Nili et al. (2014). RDMs are pooled as the comparison needs: z-scored for pearson, divided by their
root mean square for cosine, ranked for the others; then averaged. `rsa compare --ceiling` gives the
same numbers beside the scores of models.

Examples:
  ceiling rdm ffa_rdms.npy --compare spearman
  cat sub-*/ffa.npy | rsa rdm | ceiling rdm
  ceiling rdm sub-*/rdm.npy --compare tau-a --format jsonl";
