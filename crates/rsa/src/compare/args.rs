//! Help and arguments of `rsa compare`.

use super::groups::GroupArgs;
use super::measure::Measure;
use array_inputs::JoinArgs;
use clap::ValueEnum;
use cli::{Common, Format, Input, OutputPath};
use rdm::ModelKind;
use rdm::inference::Generalize;
use rdm_inputs::{Kind, SplitBy, two_splits};
use statistics::Correction;
use std::str::FromStr;

const HELP: &str = "\
One row per model and subject, and one per model with subject `mean`, the mean over subjects.
Columns:
  model, subject, compare
  n_stimuli   stimuli, joined by id
  n_pairs     their pairs that are not NaN on either side (not for matrices)
  r | rho | tau | cosine | bures | bures_squared | bures_distance | cka | procrustes | angle | cca | match
              the score, named for --compare: r for pearson and corr_cov, rho for spearman and rho-a,
              tau for kendall (tau-b) and tau-a, cosine for cosine and cosine_cov
  r_norm      with --r-max (pearson; spearman with a table of `ceiling within`): the score over the
              subject's rdm_ceiling, or over the root of its reliability, not cut at 1; on a row
              `mean` the mean of these. Rows of the table are found by name (--brain-names), and must
              be of RDMs of the same distance (1 - Pearson) and of averages over as many trials: an
              RDM does not say what it was made from
  lower       with --ceiling (Nili et al. 2014): a subject against the pool of the others
  upper       with --ceiling: a subject against the pool of all
  lower_folds with --ceiling-k: into how many groups of people
  reason      why a score is NaN: constant, nan_input, not_euclidean, explained_by_controls,
              negative_reliability (no r_norm); on a row `mean` that has a score, why it has no p:
              constant (the scores of its subjects are equal, or differ by rounding alone)
lower and upper are there for RDMs without controls only, and empty without --ceiling.
On the rows `mean`, with --boot, --test or --pairwise:
  se, ci_lo, ci_hi   standard error and 95 % interval of the mean
  t, df, p, q        is the score above 0 (one-sided); q: p adjusted over the models by --correct
  p_ceiling, q_ceiling            with --ceiling: is it other than `lower` (two-sided)
  lower_ci_lo .. upper_p          with --ceiling: intervals of the bounds, and is each above 0 (one-sided)
  test            t (over subjects), signed-rank (over subjects; its interval is that of t),
                  bootstrap-t (variance over draws), bootstrap (percentiles of draws)
  alternative     of the column p: greater (above 0) here, two-sided in --pairwise; p_ceiling is two-sided.
                  An interval is two-sided: it may include 0 although the one-sided p is below .05
  correct         how q was made of p, over the models of this table (the pairs of the other)
  generalize_to   subjects, stimuli or both: the p speaks to new ones of these
  n, n_boot       how many of these (the smaller number for both; df is n - 1); draws that were used
With --perm N (shuffles the stimulus labels of all models alike):
  (rows of subjects have these too: of their own score, by the same shuffles)
  p_perm          (1 + b) / (1 + N), b the shuffles whose (mean) score is as high as the own one or higher
  p_perm_fwer     the same against the largest score of any model: family-wise over models
  n_perm          N, less the shuffles that give the model no score
With --model weighted, select or interpolate:
  model_kind, n_components, folds (groups of subjects x stimuli); with --boot also boot_folds and n_cv
--pairwise FILE: model_a, model_b, compare, difference (a - b), se, ci_lo, ci_hi, t, df,
p (two-sided), q, test, alternative, correct, generalize_to, n, n_boot, reason (why there is no p).
--all-pairs has one row per pair of systems instead (models before brains, each pair once, none with itself):
  a, block_a, b, block_b, compare, n_stimuli, n_pairs, the score, reason

Constant RDMs: one whose distances are all equal, or no more than 8 units in the last place of their own
precision (f4 or f8) apart, has no score but a cosine; rsatoolbox gives tau-a and rho-a of it as 0. A
constant subject is left out of means, bounds and tests, with a line on stderr. Distances of another
tool that are ties but for rounding are counted on stderr where ranks are compared. No score is above 1.

Bounds are on the scale of the score (they bound r, not r2). RDMs are pooled as the comparison needs:
z-scored for pearson and corr_cov, divided by their root mean square for cosine and cosine_cov, ranked
for the others. The row `mean` has the two bounds that a plot shows. Scores above a bound are printed as
they are. A score that is not different from `lower` does not show that the model explains all there is:
with few subjects hardly any score differs from it. Where a draw of the bootstrap holds a subject twice its
bounds are too high, so the intervals of the bounds lie above their values.

--ceiling-k K: `lower` is against the pool of the people in other groups. That is of fewer, and mostly
lower: what a model that was fitted to as many people can be held to. It is rsatoolbox's
cv_noise_ceiling, but that every person counts once here, there every fold. Draws keep the groups.

corr_cov and cosine_cov weigh pairs by the covariance that noise gives them (pairs that share a stimulus
vary together): whitened unbiased RDM similarity, Diedrichsen et al. (2020). Pairs that are NaN are left
out exactly, with --sigma-k too.

Inference (Schuett et al. 2023): --boot subjects|stimuli draws N times with replacement; the
variance over draws times n/(n-1) gives se. --boot both corrects the variance of drawing both,
which counts measurement noise three times, by those of drawing one (never below either, never
above both). A stimulus has no distance to its own copy. A draw without a number (fewer than 3
different stimuli, a constant RDM) is left out and counted. p_perm holds for these subjects and
stimuli only, whatever generalize_to says.

--group-subjects: the RDMs of one person (runs, sessions) are no two subjects. They are drawn together,
have one vote together in means, tests, fits and the pools of both bounds, and `lower` is against the
pool of the other people; n is people. rsatoolbox's pool counts a person as often as it has RDMs.
--group-stimuli draws whole groups (categories) of stimuli, so that the inference speaks to new categories;
a draw needs 3 different ones. What --perm may shuffle depends on what is exchangeable if the model knows
nothing: all stimuli, if they are any stimuli; where those of one category are alike in any brain, shuffles
of all reject a model for knowing no more than the categories. --shuffle within then asks whether it knows
more (categories stay), --shuffle whole whether it is right about how they are to one another (stimuli stay
together; only categories of one size change places, each in the order of its stimuli).
--save-draws FILE.npy: numpy.load on the open file gives draws x subjects counts, twice more their ids (none)
and names, then the name of the matrix, and the same of stimuli; only of what --boot draws.

--test t|wilcoxon and --pairwise over subjects work for controls, bures and matrices too, with the
columns above. A test against 0 is made only where noise alone gives 0 (controls, cka-debiased, --held-out); the
other scores are above 0 for noise, or are distances, and --test then chooses the test of --pairwise.

--model weighted, select or interpolate: the RDMs of one file are one model, fitted for --compare to
some subjects and stimuli and scored on others (never on the same). weighted is a sum with weights not
below 0 by least squares (not for ranks), select the best one, interpolate a point between neighbours.
A score is the mean over the folds of stimuli that a subject was held out of, n_pairs their sum. The
ceiling is over the same pairs; its `lower` is against all other people, with --ceiling-k folds against
those that the model was fitted to. Folds hold groups (--group-subjects, --group-stimuli) out whole.
Folds that are given stay in draws; a draw with fewer than 3 stimuli of one, or with people of one fold
only, is left out and counted.
With --boot every draw is cross-validated --n-cv times, with folds of its own (boot_folds: chosen for
the 63 % of subjects and stimuli that a draw holds, or --cv-k); all copies of a subject or stimulus are
in one group. Score and bounds stay those of the data. The variance
that random folds add is taken out of se: with v_r of means of r repetitions and v_1 of single ones it
is (r v_r - v_1) / (r - 1), NaN where that is below 0 (take more draws); percentiles (--test bootstrap)
and --n-cv 1 keep it. Draws without folds, or with a fold in which a prediction is constant (weights
all 0), are left out and counted.

--weights FILE: model, model_kind, compare, component (from 0), component_name, fold, n_subjects, n_stimuli (that
were fitted to), weight. Fold `all` is fitted to all subjects and stimuli, and has sd_folds (over the folds)
and with --boot se (standard deviation over the draws as they are), ci_lo, ci_hi (percentiles), share_draws (with a weight above 0), generalize_to and
n_boot, over draws of which each is fitted as a whole; the scores come from the other folds. Weights of
weighted have length 1 together; their ratios go with the scales of the components.

--all-pairs --matrix FILE.npy writes the same numbers as a labelled square with its diagonal, for
`rsa mds` and `rsa order` (--similarity unless the score is a distance: bures_metric, bures-distance,
procrustes-angle). Kept in memory: every RDM, or for matrices min(units, stimuli) x stimuli each.

--partial: every control RDM and a constant are regressed out of model and brain by least squares, and
what is left is correlated; --semipartial: out of the model only. With --compare spearman all RDMs are
ranked first. Column compare says partial-pearson and so on. Pairs that are NaN in a control are left
out too. A model that the controls explain (to a millionth) is NaN, reason explained_by_controls.

--compare bures: with A and B the centred second moments -HDH/2 of the RDMs D, tr sqrt(sqrt(A) B sqrt(A)) /
sqrt(tr A tr B), 0 to 1. bures_metric is tr A + tr B - 2 tr sqrt(sqrt(A) B sqrt(A)), in rsatoolbox's
words; it is the square of the metric, which is bures-distance. RDMs have to be squared distances of
some points (correlation, sqeuclidean, cosine, euclidean are; crossnobis and ranks need not be): others
are NaN, reason not_euclidean.

--compare cka | cka-debiased | procrustes | procrustes-angle take matrices (rows = stimuli joined by id,
columns = units) instead of RDMs, of any widths. With X and Y, their columns centred:
  cka               |X'Y|^2 / (|X'X| |Y'Y|), Frobenius norms (linear CKA, Kornblith et al. 2019); above 0
                    for noise, the more so the more units there are
  cka-debiased      the same with unbiased HSIC (Song et al. 2012, eq. 5): about 0 for noise
  procrustes        sum of the singular values of X'Y / (|X| |Y|): the best any rotation of the units
                    can do, the narrower side padded with zeros; 1 - its square is SciPy's disparity
  procrustes-angle  its arc cosine in radians, a metric (Williams et al. 2021), in column angle
  cka-rbf           cka of the kernels exp(-d^2 / 2s^2) of rows, s = --bandwidth times the root of the
                    median of d^2 over all n x n (Kornblith et al.)
A stimulus with a NaN in any matrix is left out of all of them, with a count. Files are read in blocks
of columns.

--compare cca | svcca | pwcca | permutation | soft-matching fit a map between the units of two matrices:
  cca            mean canonical correlation, over as many as the side with fewer axes has; column cca
  svcca          the same of the fewest singular axes that hold --variance of each side (Raghu et al. 2017)
  pwcca          weighted by what each variate carries of the side with fewer axes, sum |<h, x_j>| over its
                 units (Morcos et al. 2018); with equally many the mean of both weightings
  permutation    units matched one to one by their correlations (Hungarian method): the mean over the
                 matched pairs, as many as the smaller side has units; column match
  soft-matching  every unit spread over units of the other side, all of a side of equal weight: the exact
                 optimum of the transport (no entropy), Khosla & Williams (2024); of equally many units
                 it is permutation
Fitted and scored on the same stimuli all are above 0 for noise. cca of as many axes as stimuli less one
would be 1 for any two matrices, and is an error. --held-out K fits the map to the other groups of
stimuli and correlates variates or matched units over the group: about 0 for noise. Units that are
constant in a fit or a group are not matched, with a count. Matrices are held whole (f8) for this.

Examples:
  rsa compare ann.npy --brain ffa.npy --ceiling > scores.csv
  rsa compare m*.npy --brain sub-*.npy --compare rho-a --boot both --pairwise pairs.csv > scores.csv
  rsa compare acts.npy --brain voxels.npy --compare soft-matching --held-out 3";

/// Arguments of `rsa compare`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
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
    /// What the inputs hold [default: RDMs; for a --compare of matrices patterns, where a symmetric square with a zero
    /// diagonal is refused as an RDM]
    #[arg(long, value_enum, value_name = "KIND")]
    pub input_is: Option<Kind>,
    /// With corr_cov or cosine_cov: covariance of the patterns over stimuli, n x n, joined by id [default: identity]
    #[arg(long, value_name = "FILE")]
    pub sigma_k: Option<Input>,
    /// Add the noise ceiling over subjects: columns lower and upper
    #[arg(long)]
    pub ceiling: bool,
    /// With --ceiling: `lower` leaves out a group of people at a time, of K random ones (--seed), of @FOLDS (a table:
    /// subject, fold), or the `folds` of a fitted --model [default: one person]
    #[arg(long, value_name = "K|@FOLDS|folds", requires = "ceiling")]
    pub ceiling_k: Option<CeilingBy>,
    /// What noise leaves to reach of each brain RDM, a table of `ceiling gsn` or `ceiling within --stat rdm`: adds
    /// r_norm
    #[arg(long, value_name = "TABLE")]
    pub r_max: Option<Input>,
    /// What the RDMs of one MODEL file are: models (fixed), or components of one: weighted, select, interpolate
    #[arg(long, value_name = "KIND", default_value = "fixed")]
    pub model: ModelKind,
    /// With a fitted --model: groups of subjects and of stimuli of its folds, a number or @FOLDS, a table with the
    /// columns subject or stimulus, and fold [default: by their numbers, 2 to 5]
    #[arg(long, value_name = "SUBJECTS,STIMULI", value_parser = two_splits)]
    pub cv_k: Option<[SplitBy; 2]>,
    /// With a fitted --model and --boot: how often each draw is cross-validated, with other folds [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub n_cv: Option<u32>,
    /// With a fitted --model: write the weights to this table, of all data and of every fold
    #[arg(long, value_name = "FILE")]
    pub weights: Option<OutputPath>,
    /// Maps of units, and kernels.
    #[command(flatten)]
    pub alignment: AlignmentArgs,
    /// Inference.
    #[command(flatten)]
    pub inference: InferenceArgs,
    /// What belongs together.
    #[command(flatten)]
    pub groups: GroupArgs,
    /// Names of the models, in order [default: their own, else file stems, positions in a pipe]
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

impl CompareArgs {
    /// The models; stdin when nothing else is given.
    pub(super) fn model_inputs(&self) -> &[Input] {
        const STDIN: &[Input] = &[Input::Stdin];
        if self.models.is_empty() && self.brain.is_empty() { STDIN } else { &self.models }
    }

    /// Whether models are RDMs that are compared with brain RDMs as they are: what ceilings, fits and draws are for.
    pub(super) fn is_of_whole_rdms(&self) -> bool {
        !self.systems.all_pairs && self.systems.controls().is_none() && matches!(self.compare, Measure::Rdms(_))
    }
}

/// Whom the lower bound of the ceiling leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CeilingBy {
    /// A group of people.
    Split(SplitBy),
    /// The subjects that a fitted model was not fitted to.
    Folds,
}

impl FromStr for CeilingBy {
    type Err = String;

    fn from_str(text: &str) -> Result<CeilingBy, String> {
        match text {
            "folds" => Ok(CeilingBy::Folds),
            _ => match text.parse() {
                Ok(SplitBy::Groups(1)) => {
                    Err("one group of all people leaves nobody to predict them; take 2 or more".into())
                }
                Ok(by) => Ok(CeilingBy::Split(by)),
                Err(why) => Err(format!("{why}, nor the word folds")),
            },
        }
    }
}

/// Options of the comparisons of matrices.
#[derive(Debug, clap::Args)]
pub struct AlignmentArgs {
    /// With cca, svcca, pwcca, permutation and soft-matching: fit the map without each of K groups of stimuli and score
    /// it on the group; the mean over groups (drawn by --seed)
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..))]
    pub held_out: Option<u32>,
    /// With svcca: share of the variance that the leading axes hold [default: 0.99]
    #[arg(long, value_name = "SHARE")]
    pub variance: Option<f64>,
    /// With cka-rbf: width of the kernel, a multiple of the root of the median squared distance [default: 1]
    #[arg(long, value_name = "X")]
    pub bandwidth: Option<f64>,
}

impl AlignmentArgs {
    /// The share of the variance that svcca keeps.
    pub(super) fn variance(&self) -> f64 {
        self.variance.unwrap_or(0.99)
    }

    /// The width of the kernel of cka-rbf.
    pub(super) fn bandwidth(&self) -> f64 {
        self.bandwidth.unwrap_or(1.0)
    }
}

/// What a bootstrap draws with replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Boot {
    /// Subjects: the test generalizes to new subjects who see these stimuli
    Subjects,
    /// Stimuli: to new stimuli seen by these subjects
    Stimuli,
    /// Both, with the two-factor correction: to new subjects and new stimuli
    Both,
}

impl Boot {
    /// As the crate of the maths has it.
    pub fn over(self) -> Generalize {
        match self {
            Boot::Subjects => Generalize::Subjects,
            Boot::Stimuli => Generalize::Stimuli,
            Boot::Both => Generalize::Both,
        }
    }
}

/// What turns scores into p values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Test {
    /// t: over subjects, or with the variance that --boot gives
    T,
    /// Signed ranks of subjects (without --boot)
    Wilcoxon,
    /// Share of the draws of --boot that lie on the other side of 0
    Bootstrap,
}

/// Options of the inference.
#[derive(Debug, clap::Args)]
pub struct InferenceArgs {
    /// Draw these with replacement: se, interval and tests of every model's mean, which then speak to new ones of them
    #[arg(long, value_enum, value_name = "UNIT")]
    pub boot: Option<Boot>,
    /// Draws of --boot
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "boot")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..))]
    pub n_boot: u32,
    /// Draws that are given, as --save-draws writes them, instead of those of --n-boot and --seed
    #[arg(long, value_name = "FILE", requires = "boot", conflicts_with = "n_boot")]
    pub draws: Option<Input>,
    /// Write how often each subject and stimulus stands in each draw: matrices named subjects and stimuli
    #[arg(long, value_name = "FILE", requires = "boot")]
    pub save_draws: Option<OutputPath>,
    /// Tests of the means: t (default with --boot), wilcoxon, or bootstrap
    #[arg(long, value_enum)]
    pub test: Option<Test>,
    /// Permute the stimulus labels N times: columns p_perm and p_perm_fwer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub perm: Option<u32>,
    /// Adjust p over models (q): bh, by (false discovery rate), bonferroni (family-wise error), none [default: bh]
    #[arg(long, value_name = "METHOD")]
    pub correct: Option<Correction>,
    /// Write the tests of every model against every other to this table
    #[arg(long, value_name = "FILE")]
    pub pairwise: Option<OutputPath>,
    /// Seed of --boot, --perm and the folds of --model
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl InferenceArgs {
    /// How p is adjusted over models.
    pub fn correction(&self) -> Correction {
        self.correct.unwrap_or(Correction::BenjaminiHochberg)
    }

    /// The test of the means, if any is asked for.
    pub fn test_of_means(&self) -> Option<Test> {
        let implied = self.boot.is_some() || self.pairwise.is_some();
        self.test.or(implied.then_some(Test::T))
    }
}

/// All pairs of systems, and controls.
#[derive(Debug, clap::Args)]
pub struct SystemArgs {
    /// Every system with every other, models and brains alike: one row per pair
    #[arg(long)]
    pub all_pairs: bool,
    /// With --all-pairs: also write the square matrix, its rows labelled, diagonal and all
    #[arg(long, value_name = "FILE", requires = "all_pairs")]
    pub matrix: Option<OutputPath>,
    /// With --all-pairs: which group each system is of, columns system and block [default: model, brain]
    #[arg(long, value_name = "TABLE", requires = "all_pairs")]
    pub blocks: Option<Input>,
    /// RDMs that are regressed out of models and brains first (pearson or spearman)
    #[arg(long, value_name = "CONTROL", num_args = 1.., conflicts_with = "semipartial")]
    pub partial: Vec<Input>,
    /// RDMs that are regressed out of the models only
    #[arg(long, value_name = "CONTROL", num_args = 1..)]
    pub semipartial: Vec<Input>,
}

impl SystemArgs {
    /// The control RDMs and the option that gave them.
    pub fn controls(&self) -> Option<(&'static str, &[Input])> {
        match (&self.partial[..], &self.semipartial[..]) {
            ([], []) => None,
            ([], controls) => Some(("semipartial", controls)),
            (controls, _) => Some(("partial", controls)),
        }
    }
}
