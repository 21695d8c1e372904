//! Arguments of `rsa compare`.

use cli::{Common, Format, Input};
use labelled_inputs::JoinArgs;

use super::{Measure, SystemArgs};

/// Arguments of `rsa compare`.
#[derive(Debug, clap::Args)]
#[command(after_help = COMPARE_NOTES)]
pub struct CompareArgs {
    /// Model RDMs (or matrices), each file possibly a stream of several; - is stdin
    #[arg(value_name = "MODEL", required_unless_present = "all_pairs")]
    pub models: Vec<Input>,
    /// Brain RDMs, one per subject: several files, or one file that holds them back to back
    #[arg(long, value_name = "BRAIN", num_args = 1.., required_unless_present = "all_pairs")]
    pub brain: Vec<Input>,
    /// Similarity of two RDMs over their pairs of stimuli (kendall is tau-b), or of two matrices
    #[arg(long, value_parser = Measure::parser(), default_value = "pearson")]
    pub compare: Measure,
    /// With corr_cov or cosine_cov: covariance of the patterns over stimuli, n x n, joined by id [default: identity]
    #[arg(long, value_name = "FILE")]
    pub sigma_k: Option<Input>,
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
    /// All pairs and controls.
    #[command(flatten)]
    pub systems: SystemArgs,
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
              tau for kendall (tau-b) and tau-a; corr_cov gives r, cosine_cov cosine
  lower       with --ceiling (Nili et al. 2014): a subject against the pool of the others
  upper       with --ceiling: a subject against the pool of all
  reason      why a score is NaN: constant, nan_input
The bounds are on the scale of the score (they bound r, not r2). RDMs are pooled as the comparison
needs: z-scored for pearson and corr_cov, divided by their root mean square for cosine and cosine_cov,
ranked for the others.
corr_cov and cosine_cov weigh pairs by the covariance that noise gives them (pairs that share a stimulus
vary together): whitened unbiased RDM similarity, Diedrichsen et al. (2020). Pairs that are NaN are left
out exactly; with --sigma-k they are an error.
The row `mean` has the two bounds that a plot shows. Scores above a bound are printed as they are.

Examples:
  rsa compare ann.npy --brain ffa.npy --ceiling > scores.csv
  rsa compare m1.npy m2.npy --brain sub-*.npy --compare spearman
  rsa rdm acts.npy | rsa compare - --brain ffa.npy --names resnet50";
