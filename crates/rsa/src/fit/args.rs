//! Help and arguments of `rsa fit`.

use crate::compare::Boot;
use array_inputs::JoinArgs;
use clap::ValueEnum;
use cli::{Common, Format, Input};
use encoding_models::AlphaGrid;
use rdm_inputs::SplitBy;
use statistics::Correction;

const HELP: &str = "\
Every subject's RDM is regressed on all models at once, with an intercept, over the pairs of stimuli
that are not NaN in any of them. One row per model and subject, one per subject with model `joint` (all
models together), and of each one with subject `mean`, the mean over subjects.
Columns:
  model, subject, method (ols, nnls, ridge), scale (values, ranks), n_stimuli, n_pairs
  alpha, alpha_at_edge   with --alphas: the penalty of the subject, and was it the lowest or highest tried
  weight       on the scale of the RDMs (or ranks)
  weight_std   of RDMs whose standard deviation is 1: weight sd(model) / sd(brain)
  unique       R2 of all models minus R2 of all others, fitted anew by the same method (ols: the squared
               semipartial correlation)
  vif          1 / (1 - R2) of the model on the other models; above 10 is said on stderr
  R2, R        (rows `joint`) 1 - squared error / squares around the mean; correlation of the weighted sum
               with the brain, NaN where all weights are 0
  shared       (rows `joint`) R2 minus the sum of unique: what models explain together. Below 0 where
               one model takes out of another what does not fit the brain (suppression)
  R2_cv, unique_cv, shared_cv   with --cv-k: the same for pairs of held-out stimuli. Weights come from
               the pairs of all other stimuli, and the errors of the mean of these are the whole: 0 for
               models of no use, below 0 for weights that do worse than none
  reason       why there are no weights: constant, nan_input, nan_pairs (fewer pairs than weights and
               2), collinear (pairs without a value or folds make models depend on each other); on a
               row `mean`, why there is no p: constant
On the rows `mean`, over subjects or with --boot:
  se, ci_lo, ci_hi, t, df, p, q   of weight_std: is it other than 0 (two-sided); q: p adjusted over the
               models. nnls has no t and p, as its weights are never below 0 for noise either
  unique_ci_lo .. shared_ci_hi    95 % intervals of unique, R2 and shared. unique (ols, nnls) and R2 are
               above 0 for noise, too, so there is no p; they are less so the more pairs there are
  unique_cv_ci_lo .. R2_cv_p      with --cv-k: intervals, and is it above 0 (one-sided)
  test         t (over subjects), bootstrap-t (variance over draws)
  alternative, correct, generalize_to, n, n_boot   as in `rsa compare`

--alphas: the penalty of a subject is the one with the smallest squared error over pairs within held-out
groups of stimuli, its weights from the pairs of all other stimuli. A factor times the mean eigenvalue of X'X
of the pairs at hand (their number, without --raw) is the penalty, so that folds of fewer pairs have as much
of it. R2_cv then chooses inside every fold of --cv-k anew, by the others alone. Draws of --boot keep what was
chosen of the data. A factor that is the lowest or highest is said.

ridge has the smallest |y - Xw|^2 + A |w|^2, in which models have a standard deviation of 1 (of n, not
n - 1): scikit-learn's Ridge behind a StandardScaler. With --raw they are as they are: Ridge alone.
nnls is SciPy's, of RDMs without their means. rsatoolbox's fit_regress and fit_regress_nn have the same
weights for method \"corr\" and one subject, but for their length, which is 1 there; its \"cosine\" has no
intercept, and several subjects are pooled.

Models that depend on each other exactly are an error, but for ridge. Pairs are not independent of each
other, so no single subject is tested; --cv-k says how much of R2 is fit to noise.

--rank ranks every RDM first, over the pairs in use of a subject; draws and folds keep these ranks.

--boot stimuli: a stimulus drawn twice has no distance to its own copy. A draw in which a subject has no
weights is left out and counted. --boot both corrects the variance as `rsa compare` does.

Examples:
  rsa fit ann.npy v1.npy semantic.npy --brain ffa.npy > weights.csv
  rsa fit ann.npy v1.npy --brain ffa.npy --method nnls --boot both > weights.csv
  rsa fit ann.npy v1.npy --brain sub-*.npy --method ridge --alphas 1e-3:1e3:13 --rank --cv-k 5";

/// Arguments of `rsa fit`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct FitArgs {
    /// Model RDMs, the predictors, each file possibly a stream of several; - is stdin
    #[arg(value_name = "MODEL", default_value = "-")]
    pub models: Vec<Input>,
    /// Brain RDMs, one per subject: several files, or one file that holds them back to back
    #[arg(long, value_name = "BRAIN", num_args = 1.., required = true)]
    pub brain: Vec<Input>,
    /// How the weights are chosen
    #[arg(long, value_enum, default_value_t = Method::Ols)]
    pub method: Method,
    /// With --method ridge: its penalty
    #[arg(long, value_name = "A", conflicts_with = "alphas")]
    pub alpha: Option<f64>,
    /// With --method ridge: penalties of which every subject gets the one that best predicts held-out stimuli, LO:HI:N
    /// or a list, each times the mean eigenvalue of X'X
    #[arg(long, value_name = "GRID")]
    pub alphas: Option<AlphaGrid>,
    /// With --alphas: by how many random groups of stimuli it is chosen [default: 5, or as many as have 3 stimuli; with
    /// three given folds or more: these]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..))]
    pub alpha_cv: Option<u32>,
    /// With --method ridge: do not divide models by their standard deviation before they are penalized
    #[arg(long)]
    pub raw: bool,
    /// Rank every RDM first
    #[arg(long)]
    pub rank: bool,
    /// Predict the pairs of held-out stimuli, too, of which there are K random groups, or those of @FOLDS, a table with
    /// the columns stimulus and fold
    #[arg(long, value_name = "K|@FOLDS")]
    pub cv_k: Option<SplitBy>,
    /// Draw these with replacement: intervals and tests of the means, which then speak to new ones of them
    #[arg(long, value_enum, value_name = "UNIT")]
    pub boot: Option<Boot>,
    /// Draws of --boot
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "boot")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..))]
    pub n_boot: u32,
    /// Adjust p over models (q): bh, by (false discovery rate), bonferroni (family-wise error), none
    #[arg(long, value_name = "METHOD", default_value = "bh")]
    pub correct: Correction,
    /// Seed of --boot and the groups of --cv-k and --alphas
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Names of the models, in order [default: their own, else file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Names of the subjects, in order
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub brain_names: Vec<String>,
    /// Take RDMs of which more than 10 % of the pairs are NaN
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

/// How weights are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Least squares
    Ols,
    /// Least squares with no weight below 0
    Nnls,
    /// Least squares with a penalty on the weights (--alpha, --alphas)
    Ridge,
}
