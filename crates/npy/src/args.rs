//! What `npy` can be asked.

use array_inputs::JoinArgs;
use cli::{Common, Format, Input, Shard};
use npy_stream::Dtype;

/// Look into, cut, join and label .npy streams: matrices whose rows carry stimulus ids.
#[derive(Debug, clap::Parser)]
#[command(name = "npy", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXAMPLES: &str = "\
INPUT   .npy streams: a 2-d matrix (rows = presentations of stimuli), optionally followed by a 1-d <U array with one
        id per row; several of these back to back; - or nothing is stdin. Rows and columns count from 0.
OUTPUT  the same kind of stream on stdout, or whole with -o FILE (and how it was made in FILE's .json).

EXAMPLES
  npy info acts.npy
  npy cols --units face_units.csv acts.npy > face_acts.npy
  npy rows --stimuli stimuli.csv --where half=odd acts.npy | npy average > odd.npy";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// One line per array: shape, dtype, order, labels, range, NaN and constant columns
    Info(Info),
    /// Join matrices below each other (rows) or side by side (columns, by id); shards must be complete
    Cat(Cat),
    /// Keep rows: by index or range, by id, or by a column of a stimulus table
    Rows(Rows),
    /// Keep columns: by index or range, or the `unit` or `voxel` column of a table
    Cols(Columns),
    /// Put ids behind a matrix or an RDM that has none
    Label(Label),
    /// Average the rows of the same id (trials of one picture), in order of first appearance
    Average(Average),
    /// A matrix as CSV, one row per stimulus; an RDM as one row per pair
    ToCsv(ToCsv),
    /// A CSV or TSV table as a labelled matrix
    FromCsv(FromCsv),
}

/// `array,shape,dtype,order,n_labels,n_stimuli,min,max,n_nan,n_constant`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
COLUMNS  array: name; shape: rows x columns; dtype: as on disk, with byte order; order: C or F; n_labels: ids behind it
         (empty: none); n_stimuli: distinct ids; min, max: over finite values; n_nan: NaN or infinite values; n_constant: columns
         of one value only (2-d).
EXAMPLE  npy info acts.npy")]
pub(crate) struct Info {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    pub inputs: Vec<Input>,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Rows are joined in the order given, labels with them; all inputs need the same columns. With --columns the rows are
joined by id. Files that a --shard run wrote say so in their sidecar: then every shard must be there once, they are put
in order, and what is missing is listed as sbatch --array= takes it. --stimuli proves completeness by id instead: every
stimulus exactly once, in the order of the table. `cat` of the shell puts arrays back to back; --array N takes one out.
EXAMPLE  npy cat acts-*.npy > acts.npy")]
pub(crate) struct Cat {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    pub inputs: Vec<Input>,
    /// Side by side: the columns of all inputs, rows joined by id
    #[arg(long)]
    pub columns: bool,
    /// Only array N (from 0) of the stream
    #[arg(long, value_name = "N", conflicts_with = "columns")]
    pub array: Option<usize>,
    /// Table of all stimuli: each must be there exactly once; rows are put in its order
    #[arg(long, value_name = "TABLE", conflicts_with = "columns")]
    pub stimuli: Option<Input>,
    #[command(flatten)]
    pub join: JoinArgs,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
LIST is indices and half-open ranges from 0: 0,5,10:20 is 0, 5 and 10 to 19. The rows come in the order asked for, with
--where in the order of the matrix. An id picks all its presentations.
EXAMPLES
  npy rows --index 0:10 acts.npy
  npy rows --ids ids.txt acts.npy
  npy rows --stimuli stimuli.csv --where category=face acts.npy")]
#[command(group = clap::ArgGroup::new("which").required(true).args(["index", "ids", "stimuli", "shard"]))]
pub(crate) struct Rows {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    pub inputs: Vec<Input>,
    /// Rows by index
    #[arg(long, value_name = "LIST")]
    pub index: Option<String>,
    /// Rows by id: a text file, one id per line, or a stimulus table (.csv, .tsv)
    #[arg(long, value_name = "FILE")]
    pub ids: Option<Input>,
    /// Rows of the stimuli that --where picks from this table
    #[arg(long, value_name = "TABLE", requires = "conditions")]
    pub stimuli: Option<Input>,
    /// COLUMN=VALUE[,VALUE...]; given again, all must hold
    #[arg(long = "where", id = "conditions", value_name = "COLUMN=VALUES", requires = "stimuli")]
    pub conditions: Vec<String>,
    /// Part I of N (from 0: 0/8 to 7/8), or `slurm` for this task's part of the job array
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
LIST is indices and half-open ranges from 0: 0,5,10:20. TABLE is what select-units or fmri-roi define wrote; of its
column `array` those rows count that are named as the matrix (its file's stem), or as --array says; units of another
array are refused. A matrix from a pipe has no name and takes a table about one array.
EXAMPLES
  npy cols --units face_units.csv acts.npy > face_acts.npy
  npy cols --index 0:100 acts.npy")]
#[command(group = clap::ArgGroup::new("which").required(true).args(["index", "units"]))]
pub(crate) struct Columns {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    pub inputs: Vec<Input>,
    /// Columns by index
    #[arg(long, value_name = "LIST")]
    pub index: Option<String>,
    /// Columns by the `unit` (or `voxel`) column of this table
    #[arg(long, value_name = "TABLE")]
    pub units: Option<Input>,
    /// The `array` of the table whose rows count [default: the name of the matrix]
    #[arg(long, value_name = "NAME", requires = "units")]
    pub array: Option<String>,
    /// All columns but these
    #[arg(long)]
    pub without: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES  npy label --stimuli stimuli.csv betas.npy > labelled.npy
          npy label --stimuli stimuli.csv rdm.npy > labelled_rdm.npy")]
#[command(group = clap::ArgGroup::new("which").required(true).args(["ids", "stimuli"]))]
pub(crate) struct Label {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    pub inputs: Vec<Input>,
    /// A text file, one id per row (of an RDM: one per stimulus)
    #[arg(long, value_name = "FILE")]
    pub ids: Option<Input>,
    /// A table of stimuli or trials (ids may repeat) whose row i is row i of the matrix
    #[arg(long, value_name = "TABLE")]
    pub stimuli: Option<Input>,
    /// Replace ids that are there already
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A NaN in one presentation makes the average NaN. A file may be larger than memory; a pipe brings its ids last, so its
rows are held.
EXAMPLE  npy average betas.npy > responses.npy")]
pub(crate) struct Average {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    pub inputs: Vec<Input>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A matrix has the columns stimulus,0,1,2,...; an RDM i,j,stimulus_i,stimulus_j,dissimilarity.
EXAMPLE  npy to-csv profile.npy")]
pub(crate) struct ToCsv {
    /// One .npy array with its labels; - is stdin
    #[arg(default_value = "-")]
    pub input: Input,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The ids are the column stimulus, stimulus_id or path, or what --id-column says. A missing number is empty, n/a,
NA or NaN in any case and becomes NaN; numbers that f8 (or --dtype) does not hold are errors.
EXAMPLE  npy from-csv --values FFA_beta,VWFA_beta responses.csv > responses.npy")]
pub(crate) struct FromCsv {
    /// CSV or TSV with a header line; - is stdin
    #[arg(default_value = "-")]
    pub input: Input,
    /// Column of the ids; they may repeat
    #[arg(long, value_name = "COLUMN")]
    pub id_column: Option<String>,
    /// Columns of numbers, in this order [default: all but the id column]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub values: Vec<String>,
    /// f2, f4 or f8
    #[arg(long, default_value = "f8")]
    pub dtype: Dtype,
    #[command(flatten)]
    pub common: Common,
}
