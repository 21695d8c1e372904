/// What can be wrong with an RDM, or with patterns that should become one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RdmError {
    /// The number of values is not n(n-1)/2 for any n.
    #[error(
        "{length} values is not an upper triangle ({lower_length} is {lower_n} stimuli, {upper_length} is {upper_n})"
    )]
    NotTriangular {
        /// Number of values given.
        length: usize,
        /// The largest number of stimuli with fewer values.
        lower_n: usize,
        /// Its number of values.
        lower_length: usize,
        /// The smallest number of stimuli with more values.
        upper_n: usize,
        /// Its number of values.
        upper_length: usize,
    },
    /// The square of a distance is too large or too small for `f64`.
    #[error(
        "two rows are {distance:e} apart, and f8 cannot hold the square of that; take --metric euclidean, or rescale \
         the patterns"
    )]
    SquareOutOfRange {
        /// The distance itself.
        distance: f64,
    },
    /// No pair of stimuli.
    #[error("{n_stimuli} stimuli make no pair; an RDM needs at least 2")]
    TooFewStimuli {
        /// Number of stimuli given.
        n_stimuli: usize,
    },
    /// The matrix given as a square RDM is not square.
    #[error("{rows} x {columns} is not a square RDM")]
    NotSquare {
        /// Its number of rows.
        rows: usize,
        /// Its number of columns.
        columns: usize,
    },
    /// The two triangles of a square RDM differ.
    #[error("row {row}, column {column} is {upper}, but row {column}, column {row} is {lower}; an RDM is symmetric")]
    NotSymmetric {
        /// Row of the first such entry above the diagonal, from 0.
        row: usize,
        /// Its column, from 0.
        column: usize,
        /// The entry above the diagonal.
        upper: f64,
        /// The entry below it.
        lower: f64,
    },
    /// A stimulus has a distance to itself.
    #[error("row {row}, column {row} is {value}; the diagonal of an RDM is 0 (of similarities give 1 minus them)")]
    DiagonalNotZero {
        /// The row, from 0.
        row: usize,
        /// What stands there.
        value: f64,
    },
    /// Not one label per stimulus.
    #[error("{labels} labels for {n_stimuli} stimuli")]
    LabelCount {
        /// Number of labels given.
        labels: usize,
        /// Number of stimuli.
        n_stimuli: usize,
    },
    /// A stimulus was asked for that is not there.
    #[error("stimulus {index} was asked for, but the RDM has {n_stimuli} (0 to {})", n_stimuli - 1)]
    NoSuchStimulus {
        /// The index asked for, from 0.
        index: usize,
        /// Number of stimuli.
        n_stimuli: usize,
    },
    /// A stimulus was asked for twice.
    #[error("stimulus {index} was asked for twice; it has no distance to itself")]
    StimulusTwice {
        /// The index, from 0.
        index: usize,
    },
    /// Two RDMs of different sizes.
    #[error("RDM {index} has {n_stimuli} stimuli, but {expected} are expected; join them by id first")]
    SizesDiffer {
        /// Which RDM of the list, from 0.
        index: usize,
        /// Its number of stimuli.
        n_stimuli: usize,
        /// Number of stimuli of the first RDM.
        expected: usize,
    },
    /// Patterns without a single unit.
    #[error("{n_stimuli} patterns over 0 units have no distances")]
    NoUnits {
        /// Number of patterns.
        n_stimuli: usize,
    },
    /// A draw, or a list of groups, of other data.
    #[error("{given} counts for {needed} things; a draw has one for each")]
    DrawLength {
        /// Counts given.
        given: usize,
        /// Subjects or stimuli.
        needed: usize,
    },
    /// Too few RDMs to pool or for a ceiling.
    #[error("{given} RDMs, but at least {needed} are needed")]
    TooFewRdms {
        /// Number of RDMs given.
        given: usize,
        /// Number of RDMs needed.
        needed: usize,
    },
    /// An RDM that cannot be normalised.
    #[error("RDM {index} is constant over the {n_pairs} pairs in use; it cannot be normalised (leave it out)")]
    Constant {
        /// Which RDM of the list, from 0.
        index: usize,
        /// Number of pairs that are finite in all RDMs.
        n_pairs: usize,
    },
    /// Too few rows for a comparison of matrices.
    #[error("{n_stimuli} stimuli in common, but this comparison needs at least {needed}")]
    TooFewRows {
        /// Number of stimuli given.
        n_stimuli: usize,
        /// Number of stimuli needed.
        needed: usize,
    },
    /// A name that is no distance.
    #[error("\"{0}\" is not a distance ({known})", known = crate::Distance::NAMED.map(crate::Distance::as_str).join(", "))]
    UnknownDistance(String),
    /// The patterns could not be read.
    #[error("{0}")]
    Unreadable(String),
    /// A number that is no rate of a Poisson distribution.
    #[error("row {row} holds {value}; Poisson rates are positive (counts with a prior, not activations or z scores)")]
    NotARate {
        /// The row, from 0.
        row: usize,
        /// What it holds.
        value: f64,
    },
    /// Nothing to cross-validate over.
    #[error("{n_folds} fold; cross-validation multiplies different folds and needs at least 2")]
    TooFewFolds {
        /// Number of folds given.
        n_folds: usize,
    },
    /// More groups than there are things to group.
    #[error("{folds} folds need at least {needed}, but there are {given}")]
    TooManyFolds {
        /// Number of groups.
        folds: usize,
        /// Subjects or stimuli that so many groups need.
        needed: usize,
        /// How many there are.
        given: usize,
    },
    /// A group of stimuli in which there is nothing to compare.
    #[error("a group that is held out would hold {given} stimuli, but needs {needed} for pairs to compare")]
    FoldTooSmall {
        /// The fewest stimuli that a group would hold.
        given: usize,
        /// How many it needs.
        needed: usize,
    },
    /// A weighted model under a comparison of ranks.
    #[error(
        "weights are fitted by least squares, which {comparison} does not allow; take pearson, cosine, corr_cov or \
         cosine_cov (or the kinds select and interpolate)"
    )]
    NoLeastSquares {
        /// Name of the comparison.
        comparison: &'static str,
    },
    /// A name that is no transform.
    #[error(
        "\"{0}\" is not a transform (rank, sqrt, square, positive, minmax, geodesic, geotopological(LOW,HIGH) with \
         0 <= LOW < HIGH <= 1)"
    )]
    UnknownTransform(String),
    /// A covariance of stimuli with an entry that is no number.
    #[error("row {row}, column {column} of the covariance of stimuli is not finite")]
    CovarianceNotFinite {
        /// Its row, from 0.
        row: usize,
        /// Its column, from 0.
        column: usize,
    },
    /// The two triangles of a covariance differ.
    #[error(
        "row {row}, column {column} is {upper}, but row {column}, column {row} is {lower}; a covariance is symmetric"
    )]
    CovarianceNotSymmetric {
        /// Row of the first such entry above the diagonal, from 0.
        row: usize,
        /// Its column, from 0.
        column: usize,
        /// The entry above the diagonal.
        upper: f64,
        /// The entry below it.
        lower: f64,
    },
    /// A covariance under which some contrast of stimuli has no variance.
    #[error(
        "the covariance of {n} stimuli is not positive definite: some contrast of stimuli has no variance and would \
         get an infinite weight (it needs more repeats than stimuli, or shrinkage)"
    )]
    CovarianceNotPositive {
        /// Its number of stimuli.
        n: usize,
    },
    /// A covariance of stimuli that are resampled.
    #[error(
        "with a covariance of stimuli, stimuli cannot be resampled: a stimulus drawn twice has its noise twice, and no \
         covariance says what is then independent (resample subjects)"
    )]
    CovarianceResampled,
    /// A covariance of other stimuli.
    #[error("the covariance is of {n} stimuli, the RDMs are of {n_stimuli}")]
    CovarianceSize {
        /// Stimuli of the covariance.
        n: usize,
        /// Stimuli of the RDMs.
        n_stimuli: usize,
    },
    /// A covariance of stimuli with RDMs that miss very many pairs.
    #[error(
        "{n_nan} of {n_pairs} pairs have no value (NaN) between stimuli that have others; with a covariance of stimuli \
         up to {largest} are put in (leave stimuli out, or leave the covariance out)"
    )]
    CovarianceWithMissingPairs {
        /// Pairs without a value, of stimuli that have others.
        n_nan: usize,
        /// All pairs.
        n_pairs: usize,
        /// How many may be missing.
        largest: usize,
    },
    /// Noise that whitens nothing.
    #[error("{0}")]
    Noise(crate::NoiseError),
    /// An RDM that has to be joined by its labels and has none.
    #[error("RDM {index} has no stimulus ids")]
    Unlabelled {
        /// Which RDM of the list, from 0.
        index: usize,
    },
}
