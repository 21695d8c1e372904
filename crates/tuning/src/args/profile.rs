//! Arguments of `tuning profile`.

use clap::ValueEnum;
use cli::{Common, Format, Input};

/// What a profile is of the units' responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Statistic {
    /// Mean over units, weighted with --weights
    Mean,
    /// Median over units
    Median,
}

/// What is brought to mean 0 and standard deviation 1 over the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ZScore {
    /// Every unit, before they are averaged
    Units,
    /// The profile, after it was made
    Profile,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
INPUT   Matrices (rows = presentations of stimuli, columns = units or voxels), several in a stream.
OUTPUT  One n x 1 matrix (f8) per input matrix, ids kept; or with --format a table:
  array, stimulus
  n_units       units that make the profile
  n_constant    units with the same value in every row; with --zscore they are left out
  n_nan         units with a NaN or an infinity in some row; with --drop-nan they are left out
  response      the profile
  z             its z over the rows of the array (n - 1)
  reason        why a number is NaN: nan_input (in any unit), constant (no z)
A NaN in any unit makes the response NaN, unless --drop-nan leaves the unit out of every row.
--zscore takes each unit's mean and standard deviation (n - 1) over all rows; a constant unit has no
z. A profile whose values differ by rounding only, as that of centred rows (LayerNorm), is constant:
all its values are written as the first, and stderr says so, as it does of every unit left out.
WEIGHTS --weights TABLE --weight-column t: the weighted mean, sum(w x) / sum(w), over the units that
the table lists, all others left out; weights are 0 or more. The table's unit (or voxel) is the
column of the matrix; where the matrix holds only the table's units, in its order (`npy cols
--units`), say --weights-in-order.
EXAMPLES
  tuning profile ffa.npy > profile.npy
  tuning profile --zscore --format csv ffa.npy
  tuning profile --weights face_units.csv --weight-column t acts.npy > faces.npy")]
pub(crate) struct Profile {
    /// .npy streams; - is stdin
    #[arg(value_name = "MATRIX", default_value = "-")]
    pub inputs: Vec<Input>,
    /// Over the units of a row
    #[arg(long, value_enum, default_value_t = Statistic::Mean)]
    pub statistic: Statistic,
    /// Bring to mean 0 and standard deviation 1 over the rows: every unit first (--zscore), or the
    /// profile (--zscore=profile)
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "units")]
    pub zscore: Option<ZScore>,
    /// Leave out units that have a NaN (or an infinity) in any row
    #[arg(long)]
    pub drop_nan: bool,
    /// Table of units and their weights, as select-units writes it; - is stdin
    #[arg(long, value_name = "TABLE", conflicts_with_all = ["statistic"])]
    pub weights: Option<Input>,
    /// Column of the weights
    #[arg(long, value_name = "COLUMN", default_value = "t", requires = "weights")]
    pub weight_column: String,
    /// Take the table's rows about this array [default: the matrix's name]
    #[arg(long, value_name = "NAME", requires = "weights")]
    pub array: Option<String>,
    /// Column k of the matrix is row k of the table, whatever unit that is
    #[arg(long, requires = "weights")]
    pub weights_in_order: bool,
    /// Write a table instead of matrices
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Names of the arrays, in order [default: file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    #[command(flatten)]
    pub common: Common,
}
