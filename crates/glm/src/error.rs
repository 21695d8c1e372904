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
    /// The decomposition of a design failed.
    #[error(transparent)]
    LinearAlgebra(#[from] LinearAlgebraError),
}
