use linear_algebra::LinearAlgebraError;

/// Why a ridge model cannot be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RidgeError {
    /// Features and responses are not of the same stimuli.
    #[error(
        "{features} rows of features, but {responses} of responses; both need one row per stimulus, in the same order"
    )]
    RowsDiffer {
        /// Rows of the features.
        features: usize,
        /// Rows of the responses.
        responses: usize,
    },
    /// A feature is NaN or infinite.
    #[error(
        "the features have {value} in row {row}, column {column}; a model needs finite features (drop the column or the row)"
    )]
    FeatureNotFinite {
        /// Row of the first such value, from 0.
        row: usize,
        /// Its column, from 0.
        column: usize,
        /// The value.
        value: f64,
    },
    /// Not one fold number per row.
    #[error("{folds} fold numbers for {rows} rows")]
    FoldCount {
        /// Fold numbers given.
        folds: usize,
        /// Rows of the features.
        rows: usize,
    },
    /// Too few rows to train on, where there is one penalty.
    #[error("{rows} training rows{}; a model needs at least 2", in_fold(.fold))]
    TooFewRowsToFit {
        /// The outer fold, from 0, unless all rows are trained on.
        fold: Option<usize>,
        /// Rows there are.
        rows: usize,
    },
    /// Too few rows to train on and to choose from.
    #[error("{rows} training rows{}; a penalty can be chosen from at least {needed}", in_fold(.fold))]
    TooFewRows {
        /// The outer fold, from 0, unless all rows are trained on.
        fold: Option<usize>,
        /// Rows there are.
        rows: usize,
        /// Rows needed.
        needed: usize,
    },
    /// The training rows lie in fewer than two inner folds.
    #[error("the training rows{} lie in {n_folds} inner fold; choosing a penalty needs at least 2", in_fold(.fold))]
    TooFewInnerFolds {
        /// The outer fold, from 0, unless all rows are trained on.
        fold: Option<usize>,
        /// Inner folds with training rows.
        n_folds: usize,
    },
    /// A criterion that leave-one-out does not have.
    #[error("the correlation of one left-out row is not defined; choose alpha by inner folds, or by mse")]
    CriterionNeedsFolds,
    /// Not one group per voxel.
    #[error("{groups} groups of voxels for {voxels} voxels")]
    GroupCount {
        /// Groups given.
        groups: usize,
        /// Voxels of the responses.
        voxels: usize,
    },
    /// Weights of another number of bands.
    #[error("weights of {given} bands for features in {bands} bands")]
    BandCount {
        /// Columns of the weights.
        given: usize,
        /// Bands of the features.
        bands: usize,
    },
    /// Weights of bands that are no weights.
    #[error("row {row} of the weights of bands has {value}; weights are finite, 0 or above, and not all 0")]
    NoBandWeight {
        /// The row, from 0.
        row: usize,
        /// The value, or 0 where all are.
        value: f64,
    },
    /// A decomposition that was to be read is not there.
    #[error("no array {name}; the decompositions are of other folds, or not whole")]
    NothingStored {
        /// What it would be called.
        name: String,
    },
    /// A decomposition that was read is of something else.
    #[error("array {name} is {} x {}, not {} x {}; the decompositions are of other features or folds", .shape.0, .shape.1, .expected.0, .expected.1)]
    StoredShape {
        /// What it is called.
        name: String,
        /// What it has.
        shape: (usize, usize),
        /// What it should have.
        expected: (usize, usize),
    },
    /// Decompositions are kept for one row of weights of bands only.
    #[error(
        "decompositions can be stored for features in 1 band with 1 row of weights; there are {bands} bands, {weights} rows"
    )]
    ManyToStore {
        /// Bands of the features.
        bands: usize,
        /// Rows of weights.
        weights: usize,
    },
    /// The features could not be decomposed.
    #[error(transparent)]
    LinearAlgebra(#[from] LinearAlgebraError),
}

fn in_fold(fold: &Option<usize>) -> String {
    fold.map_or_else(String::new, |fold| format!(" of fold {fold}"))
}
