//! Help and arguments of `rsa rdm`.

use super::merging::MergeArgs;
use array_inputs::JoinArgs;
use clap::ValueEnum;
use cli::{Common, Input, OutputPath};
use npy_stream::Dtype;
use rdm::{Distance, FoldWeights, Power, Shrinkage, Transform};
use rdm_inputs::Kind as InputKind;
use std::convert::Infallible;
use std::str::FromStr;

const HELP: &str = "\
Output: per matrix one RDM, the upper triangle in the order of SciPy's pdist (--square: the whole), with
the stimulus ids behind it. There are no columns.

A row that is constant (correlation, spearman), all zeros (cosine) or holds a NaN has no distances:
its pairs are NaN, and one line on stderr counts them. An id that occurs twice is refused unless
--by, --cv, --exclude-same or --unbalanced says what becomes of them: average first with `npy average`.

--transform minmax, geodesic and geotopological stretch the values between two of them; where all are equal,
all pairs become NaN, with a line on stderr, and the other RDMs of the stream are written as usual. geodesic
is then the shortest way from stimulus to stimulus without the pairs of the largest value, after
geotopological(LOW,HIGH) those above HIGH (Lin and Kriegeskorte 2023); a pair that no way links is NaN. A
pair of the smallest value is 0 apart, where rsatoolbox's geodesic_transform takes it for no link.

--center subtracts from every unit its mean over the stimuli (one value each, however often a stimulus was
presented), before distances and with any --noise. A pattern that all stimuli share, as the response of a
voxel to any picture, makes all correlations high; centred, a pattern says how it departs from the mean
one. Localizer patterns are compared so (Haxby et al. 2001), and models then have to be centred too. It
changes correlation, cosine and spearman distances and what they say: they depend on which stimuli there
are, and on average patterns are now anticorrelated (Garrido et al. 2013). All other distances are made
of differences of patterns, in which a mean cancels, and refuse it. With --exclude-same the mean is that
of each of its values (of each run). Rows with a NaN are in no mean; a pattern that is the mean one has
no distances (constant). --subset cuts afterwards: `npy rows` first centres over fewer.

Sums over units (sqeuclidean, sqeuclidean_cv, cityblock, sqmahalanobis, crossnobis, poisson, poisson_cv)
grow with the number of units; --per-channel divides by it. --noise whitens for any metric but the
poissons, hamming and jaccard; so do --noise-covariance and --noise-precision, by what was estimated
elsewhere, which is not shrunk and has to be symmetric and positive definite. Distances that look at single
units (correlation, spearman, cityblock, chebyshev, minkowski, correlation_cv) are whitened by the symmetric
root of S^-1, so that the order of the units does not matter; lengths and angles are the same by any root.

crossnobis is the mean over pairs of folds f, g of (a_f - b_f)' S^-1 (a_g - b_g); sqeuclidean_cv is the
same without S. With --noise-by-fold S is the mean of the covariances of f and g (rsatoolbox's noise=[..]);
residuals are shrunk fold by fold. correlation_cv is 1 - c(a,b) / sqrt(c(a,a) c(b,b)), c(a,b) the mean over
pairs of folds of the covariance of a_f and b_g across units (Guggenmos et al. 2018, without their limits on
its parts): the distance of the patterns without noise, where correlation is that with it. It may be below 0
or above 2; a stimulus whose c(a,a) is not above 0 has no distances (no_signal).

--save-sigma-k writes the covariance over stimuli of the noise of their mean patterns, whitened as the
distances are: what each stimulus's patterns of the folds (rows of one fold averaged) depart from their mean,
multiplied fold by fold and averaged over units, unbiased whatever folds a stimulus misses. With all stimuli
in all M folds it is Diedrichsen et al. (2016), eq. 36, over M; its scale does not matter to the comparisons.

--unbalanced is rsatoolbox's calc_rdm_unbalanced: s(a,b) is the mean over all pairs of presentations of
half their correlation, of their product or of minus half their divergence, and the distance is
s(a,a) + s(b,b) - 2 s(a,b). With --cv (correlation only; crossnobis and poisson_cv have --cv-weights pairs)
pairs of one fold are left out. Unlike correlation_cv it is not divided by what noise costs.

hamming is the share of units that differ; jaccard counts what is not 0 as true, and is 0 of two rows of
zeros (as SciPy's since 1.15). A row with a NaN has no distances, where SciPy's hamming counts NaN as other.

A matrix in a file (C order) stays there and is read in blocks of columns, so that memory does not depend
on its width: it holds the RDM and a block. A pipe, spearman and --noise hold all rows (as ranks, or
whitened in f8), --exclude-same the distances of all presentations, and poisson n x n numbers.

--merge --rescale is for RDMs of parts of the stimuli that were measured on scales of their own, as in the
arrangements of different people or sets. Each is multiplied so that its squares sum to those of the present
mean over its pairs, until that stays (rsatoolbox's rescale; Kriegeskorte and Mur 2012). evidence weighs a
value by its square as it was given, 0.04 at least. The mean then has the same weights (rsatoolbox's
mean(\"rescalingWeights\"); --weights equal is its mean()). RDMs that no shared pair links are refused. Pairs
that no RDM has are NaN and counted, or with --require-all an error.

Examples:
  rsa rdm acts.npy -o ann.npy
  rsa rdm --metric crossnobis --cv run --stimuli trials.csv --noise res.npy betas.npy > roi.npy
  npy average trials.npy | rsa rdm --metric euclidean --transform rank > brain.npy";

/// Arguments of `rsa rdm`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct RdmArgs {
    /// Labelled matrices, each possibly a stream of several; - is stdin. With --merge, --subset or --transform also
    /// RDMs
    #[arg(value_name = "MATRIX", default_value = "-")]
    pub inputs: Vec<Input>,
    /// What the inputs hold [default: a square that is symmetric with a zero diagonal is an RDM, any other is patterns]
    #[arg(long, value_enum, value_name = "KIND")]
    pub input_is: Option<InputKind>,
    /// Distance between two rows [default: correlation]
    #[arg(long, value_enum)]
    pub metric: Option<Metric>,
    /// minkowski: the power, above 0; 1 is cityblock, 2 euclidean, inf chebyshev [default: 2]
    #[arg(long, value_name = "P", value_parser = parse_power)]
    pub p: Option<Power>,
    /// Subtract from every unit its mean over the stimuli first (correlation, correlation_cv, cosine, spearman)
    #[arg(long)]
    pub center: bool,
    /// Divide by the number of units, as rsatoolbox does (metrics that are sums over units)
    #[arg(long)]
    pub per_channel: bool,
    /// Table of stimuli, or of presentations in the order of each id's rows, with the columns named below
    #[arg(long, value_name = "TABLE")]
    pub stimuli: Option<Input>,
    /// Average the patterns that have the same value in this column first: one row of the RDM per value
    #[arg(long, value_name = "COLUMN")]
    pub by: Option<String>,
    /// Column whose values are the folds of cross-validated metrics [default: k-th presentation of an id is fold k]
    #[arg(long, value_name = "COLUMN")]
    pub cv: Option<String>,
    /// How folds of different size are put together; the same where every stimulus is in every fold equally often
    #[arg(long, value_enum, value_name = "HOW")]
    pub cv_weights: Option<CvWeights>,
    /// Put presentations together by all pairs of them (correlation, sqeuclidean, sqmahalanobis, poisson)
    #[arg(long)]
    pub unbalanced: bool,
    /// Average the distances of presentations that differ in this column (as of different runs), and no others
    #[arg(long, value_name = "COLUMN")]
    pub exclude_same: Option<String>,
    /// Whiten by the noise first: a matrix of residuals (time points x units; one, or one per input), or `repeats`; may
    /// be given again
    #[arg(long, value_name = "RESIDUALS|repeats")]
    pub noise: Vec<NoiseSource>,
    /// Whiten by this covariance of the units (units x units, as it is; one, or one per input); may be given again
    #[arg(long, value_name = "MATRIX", conflicts_with = "noise")]
    pub noise_covariance: Vec<Input>,
    /// Whiten by the inverse of this precision matrix of the units (rsatoolbox's `noise`; one, or one per input); may
    /// be given again
    #[arg(long, value_name = "MATRIX", conflicts_with_all = ["noise", "noise_covariance"])]
    pub noise_precision: Vec<Input>,
    /// crossnobis: these matrices are one per fold, each called as its fold in the column of --cv
    #[arg(long)]
    pub noise_by_fold: bool,
    /// How the covariance of the noise is shrunk [default: diag]
    #[arg(long, value_enum)]
    pub shrink: Option<Shrink>,
    /// Degrees of freedom of the noise [default: residuals - 1; with repeats, rows - stimuli]
    #[arg(long, value_name = "N")]
    pub dof: Option<f64>,
    /// crossnobis, sqeuclidean_cv: write how the noise of the mean patterns varies together over stimuli (n x n), what
    /// `rsa compare --sigma-k` takes
    #[arg(long, value_name = "FILE", conflicts_with_all = ["noise_by_fold", "merge"])]
    pub save_sigma_k: Option<OutputPath>,
    /// poisson: rate of the prior that every unit gets [default: 1]
    #[arg(long, value_name = "RATE")]
    pub prior_rate: Option<f64>,
    /// poisson: weight of that prior, in presentations [default: 0.1]
    #[arg(long, value_name = "N")]
    pub prior_weight: Option<f64>,
    /// Merge all into one RDM over all ids: the mean of those that have a pair, NaN where none has
    #[arg(long)]
    pub merge: bool,
    /// How.
    #[command(flatten)]
    pub merging: MergeArgs,
    /// Write the RDM over the ids of this table, in its order; pairs with an id that the matrix lacks are NaN
    #[arg(long, value_name = "TABLE")]
    pub subset: Option<Input>,
    /// Change the values at the end, in the order given: rank, sqrt, square, positive, minmax, geodesic,
    /// geotopological(LOW,HIGH)
    #[arg(long, value_name = "TRANSFORM")]
    pub transform: Vec<Transform>,
    /// Write the square symmetric matrix instead of its upper triangle
    #[arg(long)]
    pub square: bool,
    /// Element type of the output: f4 or f8 [default: f4, or f8 when the input was f8]
    #[arg(long, value_name = "DTYPE")]
    pub dtype: Option<Dtype>,
    /// Write RDMs of which more than 10 % of the pairs are NaN
    #[arg(long)]
    pub allow_nan: bool,
    /// How rows are joined with the table.
    #[command(flatten)]
    pub join: JoinArgs,
    /// Shared options.
    #[command(flatten)]
    pub common: Common,
}

impl RdmArgs {
    /// The option that whitens, if there is one.
    pub(crate) fn whitens_by(&self) -> Option<&'static str> {
        let given = [
            ("--noise", !self.noise.is_empty()),
            ("--noise-covariance", !self.noise_covariance.is_empty()),
            ("--noise-precision", !self.noise_precision.is_empty()),
        ];
        given.into_iter().find_map(|(option, given)| given.then_some(option))
    }
}

/// The dissimilarity of two patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// 1 - Pearson correlation across units
    #[value(aliases = ["pearson", "corr"])]
    Correlation,
    /// Root of the sum of squared differences, as SciPy's (rsatoolbox's `euclidean` is sqeuclidean --per-channel)
    Euclidean,
    /// Sum of squared differences
    Sqeuclidean,
    /// 1 - cosine of the angle
    Cosine,
    /// 1 - Spearman correlation across units
    Spearman,
    /// Sum of absolute differences
    Cityblock,
    /// Largest absolute difference
    Chebyshev,
    /// The sum of |a - b|^p, to the power 1/p (--p)
    Minkowski,
    /// Share of units that differ
    Hamming,
    /// Of the units that are not 0 in both rows, the share that is 0 in one
    Jaccard,
    /// Root of d' S^-1 d, S the covariance of the --noise (rsatoolbox's `mahalanobis` is sqmahalanobis --per-channel)
    Mahalanobis,
    /// d' S^-1 d
    Sqmahalanobis,
    /// Cross-validated d' S^-1 d over the folds of --cv: unbiased, so it may be negative; without --noise S is 1
    Crossnobis,
    /// Cross-validated squared Euclidean distance: crossnobis without noise
    #[value(name = "sqeuclidean_cv", alias = "sqeuclidean-cv")]
    SqeuclideanCv,
    /// Cross-validated 1 - Pearson correlation: covariance over the root of both variances, each across folds
    #[value(name = "correlation_cv", alias = "correlation-cv")]
    CorrelationCv,
    /// Sum of (a - b) (ln a - ln b) over units, for counts
    Poisson,
    /// The same, cross-validated over the folds of --cv
    #[value(name = "poisson_cv", alias = "poisson-cv")]
    PoissonCv,
}

/// What a metric is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// A distance of two rows.
    Plain(Distance),
    /// Squared distances over folds.
    Crossnobis,
    /// Correlations over folds.
    CorrelationCv,
    /// Divergences of rates over folds.
    PoissonCv,
}

impl Metric {
    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Metric::Correlation => "correlation",
            Metric::Euclidean => "euclidean",
            Metric::Sqeuclidean => "sqeuclidean",
            Metric::Cosine => "cosine",
            Metric::Spearman => "spearman",
            Metric::Cityblock => "cityblock",
            Metric::Mahalanobis => "mahalanobis",
            Metric::Sqmahalanobis => "sqmahalanobis",
            Metric::Chebyshev => "chebyshev",
            Metric::Minkowski => "minkowski",
            Metric::Hamming => "hamming",
            Metric::Jaccard => "jaccard",
            Metric::Crossnobis => "crossnobis",
            Metric::SqeuclideanCv => "sqeuclidean_cv",
            Metric::CorrelationCv => "correlation_cv",
            Metric::Poisson => "poisson",
            Metric::PoissonCv => "poisson_cv",
        }
    }

    /// What it is made of; the power is that of [`Metric::Minkowski`].
    pub(crate) fn kind(self, power: Option<Power>) -> Kind {
        Kind::Plain(match self {
            Metric::Crossnobis | Metric::SqeuclideanCv => return Kind::Crossnobis,
            Metric::CorrelationCv => return Kind::CorrelationCv,
            Metric::PoissonCv => return Kind::PoissonCv,
            Metric::Correlation => Distance::Correlation,
            Metric::Euclidean | Metric::Mahalanobis => Distance::Euclidean,
            Metric::Sqeuclidean | Metric::Sqmahalanobis => Distance::Sqeuclidean,
            Metric::Cosine => Distance::Cosine,
            Metric::Spearman => Distance::Spearman,
            Metric::Cityblock => Distance::Cityblock,
            Metric::Chebyshev => Distance::Chebyshev,
            Metric::Minkowski => power.map_or(Distance::Euclidean, Distance::Minkowski),
            Metric::Hamming => Distance::Hamming,
            Metric::Jaccard => Distance::Jaccard,
            Metric::Poisson => Distance::Poisson,
        })
    }

    /// Whether it is made of differences of patterns, in which what all patterns share cancels.
    pub(crate) fn is_of_differences(self) -> bool {
        match self.kind(None) {
            Kind::Plain(distance) => distance.is_of_differences(),
            Kind::Crossnobis => true,
            Kind::PoissonCv | Kind::CorrelationCv => false,
        }
    }

    /// Whether it is a sum over units, which can be divided by their number.
    pub(crate) fn is_sum(self) -> bool {
        use Metric::{Cityblock, Crossnobis, Poisson, PoissonCv, Sqeuclidean, SqeuclideanCv, Sqmahalanobis};
        matches!(self, Sqeuclidean | SqeuclideanCv | Cityblock | Sqmahalanobis | Crossnobis | Poisson | PoissonCv)
    }
}

fn parse_power(text: &str) -> Result<Power, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    Power::new(number).ok_or_else(|| format!("{text}; a power is above 0"))
}

/// Where the noise is estimated from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoiseSource {
    /// The presentations of a stimulus around their mean.
    Repeats,
    /// A matrix of residuals.
    Residuals(Input),
}

impl FromStr for NoiseSource {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<NoiseSource, Infallible> {
        Ok(match text {
            "repeats" => NoiseSource::Repeats,
            other => NoiseSource::Residuals(other.parse()?),
        })
    }
}

/// How the covariance of the noise is shrunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shrink {
    /// Towards its diagonal (Schaefer and Strimmer 2005)
    Diag,
    /// Towards a multiple of the identity (Ledoit and Wolf 2004)
    Eye,
    /// Not at all; needs more residuals than units
    None,
    /// Variances only: every unit is divided by its standard deviation
    Univariate,
}

impl Shrink {
    pub(crate) fn estimator(self) -> Shrinkage {
        match self {
            Shrink::Diag => Shrinkage::Diag,
            Shrink::Eye => Shrinkage::Eye,
            Shrink::None => Shrinkage::None,
            Shrink::Univariate => Shrinkage::Univariate,
        }
    }
}

/// How folds of different size are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CvWeights {
    /// Averages within folds, then the mean over pairs of folds that have both stimuli
    Folds,
    /// All pairs of presentations of different folds alike, as rsatoolbox's calc_rdm_unbalanced
    Pairs,
}

impl CvWeights {
    pub(crate) fn weights(self) -> FoldWeights {
        match self {
            CvWeights::Folds => FoldWeights::Folds,
            CvWeights::Pairs => FoldWeights::Pairs,
        }
    }
}
