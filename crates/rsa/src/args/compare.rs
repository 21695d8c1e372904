//! Arguments of `rsa compare`.

use cli::{Common, Format, Input};
use labelled_inputs::JoinArgs;
use rdm::{Comparison, ModelKind};

use super::InferenceArgs;

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
    /// With corr_cov or cosine_cov: covariance of the patterns over stimuli, n x n, joined by id [default: identity]
    #[arg(long, value_name = "FILE")]
    pub sigma_k: Option<Input>,
    /// Add the noise ceiling over subjects: columns lower and upper
    #[arg(long)]
    pub ceiling: bool,
    /// What the RDMs of one MODEL file are: models (fixed), or components of one: weighted, select, interpolate
    #[arg(long, value_name = "KIND", default_value = "fixed")]
    pub model: ModelKind,
    /// With a fitted --model: groups of subjects and of stimuli of its folds [default: by their numbers, 2 to 5]
    #[arg(long, value_name = "SUBJECTS,STIMULI", value_parser = folds)]
    pub cv_k: Option<[usize; 2]>,
    /// How sure the means are.
    #[command(flatten)]
    pub inference: InferenceArgs,
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

fn folds(text: &str) -> Result<[usize; 2], String> {
    let parsed: Option<Vec<usize>> = text.split(',').map(|k| k.trim().parse().ok().filter(|k| *k > 0)).collect();
    match parsed.as_deref() {
        Some(&[subjects, stimuli]) => Ok([subjects, stimuli]),
        _ => Err(format!("\"{text}\" is not two numbers from 1, as in 3,5 (groups of subjects, groups of stimuli)")),
    }
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
On the rows `mean`, with --boot, --test or --pairwise:
  se, ci_lo, ci_hi   standard error and 95 % interval of the mean
  t, df, p, q        is the score above 0 (one-sided); q: p adjusted over the models by --correct
  p_ceiling, q_ceiling            with --ceiling: is it other than `lower` (two-sided)
  lower_ci_lo .. upper_p          with --ceiling: intervals of the bounds, and is each above 0 (one-sided)
  test            t (over subjects), signed-rank (over subjects; its interval is that of t),
                  bootstrap-t (variance over draws), bootstrap (percentiles of draws)
  generalize_to   subjects, stimuli or both: new ones of what the p speaks to
  n, n_boot       how many of these (the smaller number for both; df is n - 1); draws that were used
With --perm N (shuffles the stimulus labels of all models alike):
  p_perm          (1 + b) / (1 + N), b the shuffles whose mean score reaches the own one
  p_perm_fwer     the same against the largest score of any model: family-wise over models
  n_perm          N
--pairwise FILE: model_a, model_b, compare, difference (a - b), se, ci_lo, ci_hi, t, df,
p (two-sided), q, test, generalize_to, n, n_boot.

With --model weighted, select or interpolate the RDMs of one file are one model, fitted for
--compare to some subjects and stimuli and scored on others (never on the same): weighted is a sum
with weights not below 0 by least squares (not for ranks), select the best one, interpolate a point
between neighbours. A score is the mean over the folds of stimuli that a subject was held out of,
n_pairs their sum; the ceiling is over the same pairs. Further columns: model_kind, n_components,
folds (groups of subjects x stimuli).

Inference (Schuett et al. 2023): --boot subjects|stimuli draws N times with replacement; the
variance over draws times n/(n-1) gives se. --boot both corrects the variance of drawing both,
which counts measurement noise three times, by those of drawing one (never below either, never
above both). A stimulus has no distance to its own copy. A draw without a number (fewer than 3
different stimuli, a constant RDM) is left out and counted.

Examples:
  rsa compare ann.npy --brain ffa.npy --ceiling > scores.csv
  rsa compare m1.npy m2.npy --brain sub-*.npy --compare spearman
  rsa rdm acts.npy | rsa compare - --brain ffa.npy --names resnet50
  rsa compare m1.npy m2.npy --brain sub-*.npy --boot both --pairwise pairs.csv > scores.csv
  rsa compare m1.npy m2.npy --brain sub-*.npy --compare rho-a --test wilcoxon --perm 1000
  cat layer*.npy | rsa compare - --brain sub-*.npy --model weighted --names resnet50 --test t";
