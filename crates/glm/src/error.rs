use linear_algebra::LinearAlgebraError;

/// Why a model cannot be made or fitted. Every variant holds the numbers; the caller adds the file name.
#[derive(Debug, thiserror::Error)]
pub enum GlmError {
    /// A run that is too short to be one.
    #[error("{0} volumes; a model of a time series needs at least 3")]
    TooFewVolumes(usize),
    /// Two columns of a design that have one name.
    #[error("two columns of the design are called {0:?}; rename the condition or the confound")]
    RepeatedColumn(String),
    /// Confounds of another length than the run.
    #[error("the confounds have {found} rows, but the run has {n_volumes} volumes; one row per volume")]
    ConfoundRows {
        /// Rows of the confounds.
        found: usize,
        /// Volumes of the run.
        n_volumes: usize,
    },
    /// No degree of freedom is left.
    #[error("{n_volumes} volumes, but the design has {n_columns} columns; more volumes than columns are needed")]
    NoFreedom {
        /// Volumes of the run.
        n_volumes: usize,
        /// Columns of the design.
        n_columns: usize,
    },
    /// A block of voxels of another length than the design.
    #[error("the time series have {found} volumes, the design {n_volumes}")]
    OtherLength {
        /// Rows of the block.
        found: usize,
        /// Rows of the design.
        n_volumes: usize,
    },
    /// A contrast that the design does not determine.
    #[error("contrast {contrast} cannot be estimated: {columns} depend on each other (or are 0 throughout)")]
    NotEstimable {
        /// Its position, from 0.
        contrast: usize,
        /// Names of the columns.
        columns: String,
    },
    /// Rows of an F contrast that say one thing twice.
    #[error("the {n_rows} rows of F contrast {contrast} depend on each other; leave out what follows from the others")]
    DependentRows {
        /// Its position, from 0.
        contrast: usize,
        /// How many rows it has.
        n_rows: usize,
    },
    /// A library without responses, or with too few samples of them.
    #[error("{n_samples} samples of {n_responses} responses; a library has 1 response or more, of 3 samples or more")]
    NoResponses {
        /// Rows.
        n_samples: usize,
        /// Columns.
        n_responses: usize,
    },
    /// A response with a value that is not finite.
    #[error("sample {sample} of response {response} is {value}; a response is finite throughout")]
    ResponseNotFinite {
        /// Its row, from 0.
        sample: usize,
        /// Its column, from 0.
        response: usize,
        /// The value.
        value: f64,
    },
    /// A response that is not above 0 at any volume behind an event.
    #[error("response {0} is not above 0 at any multiple of the TR, so that it has no peak to be scaled to")]
    NoPeak(usize),
    /// Nothing tells one fraction of ridge regression from another.
    #[error("{n_groups} of the things presented are presented in 2 of the {n_runs} runs or more; at least 2 must be")]
    TooFewRepeats {
        /// How many recur over runs.
        n_groups: usize,
        /// Runs.
        n_runs: usize,
    },
    /// The decomposition of a design failed.
    #[error(transparent)]
    LinearAlgebra(#[from] LinearAlgebraError),
}
