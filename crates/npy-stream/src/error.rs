use std::io;

/// What can be wrong with a `.npy` stream. Messages carry both numbers and never a file name.
#[derive(Debug, thiserror::Error)]
pub enum NpyError {
    /// The source or sink failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// No array at all.
    #[error("empty, 0 bytes where a .npy array was expected; the program before this one in the pipe probably failed")]
    Empty,
    /// Something else altogether.
    #[error("not a .npy array{after} but {is}")]
    NotNpy {
        /// What it is instead, with what to do about it.
        is: String,
        /// Where in the stream this was found, empty for the first array.
        after: String,
    },
    /// A header version that NumPy has not defined.
    #[error("not supported: header version {major}.{minor}; versions 1.0, 2.0 and 3.0 are known")]
    Version {
        /// Major version byte.
        major: u8,
        /// Minor version byte.
        minor: u8,
    },
    /// A header larger than any array needs.
    #[error("damaged: header of {found} bytes; at most {limit} are read")]
    HeaderTooLong {
        /// Length the file claims.
        found: u64,
        /// Length that is accepted.
        limit: u64,
    },
    /// A header that is no description of an array.
    #[error("damaged: malformed header: {0}")]
    Header(String),
    /// An element type that is neither a real number nor text.
    #[error("not supported: {}", what_elements(.0))]
    Dtype(String),
    /// The data end before the array does.
    #[error(
        "damaged (truncated): ended after {found} of {expected} bytes of array {array}; the program before this one in the pipe, or the copy of the file, probably failed"
    )]
    Truncated {
        /// Bytes of the array body (or header) that are there.
        found: u64,
        /// Bytes that the header promises.
        expected: u64,
        /// Position of the array in the stream, from 0.
        array: usize,
    },
    /// A shape whose size in bytes no machine can hold.
    #[error("shape {shape:?} of {item_bytes}-byte elements is more bytes than can be addressed")]
    TooLarge {
        /// The shape in the header.
        shape: Vec<usize>,
        /// Bytes per element.
        item_bytes: usize,
    },
    /// Memory for the array could not be had.
    #[error(
        "needs {bytes} bytes of memory, which this machine does not give; read it in row blocks or select columns first"
    )]
    OutOfMemory {
        /// Bytes asked for.
        bytes: u64,
    },
    /// An array of the wrong number of dimensions.
    #[error("array {array} has shape {shape:?}; expected {expected}; {}", reshaped(.shape))]
    Shape {
        /// Shape found.
        shape: Vec<usize>,
        /// What the caller needs, in words.
        expected: &'static str,
        /// Position in the stream, from 0.
        array: usize,
    },
    /// Labels where numbers were expected.
    #[error("array {array} holds text (shape {shape:?}) where a matrix was expected; labels stand behind their matrix")]
    StrayLabels {
        /// Shape of the text array.
        shape: Vec<usize>,
        /// Position in the stream, from 0.
        array: usize,
    },
    /// Something behind a matrix that looks like its ids, but is not text.
    #[error("not supported: the {rows} ids behind array {array} are {dtype}, not text; save them as ids.astype(str)")]
    LabelDtype {
        /// What they are.
        dtype: String,
        /// Rows of the matrix.
        rows: usize,
        /// Position of the matrix in the stream, from 0.
        array: usize,
    },
    /// The number of labels differs from the number of rows.
    #[error("{labels} labels behind {rows} rows; there must be one label per row")]
    LabelCount {
        /// Labels found.
        labels: usize,
        /// Rows (or stimuli of an RDM) they should name.
        rows: usize,
    },
    /// The number of names of columns differs from the number of columns.
    #[error("{names} column names behind {columns} columns; there must be one name per column, or none")]
    NameCount {
        /// Names found.
        names: usize,
        /// Columns they should name.
        columns: usize,
    },
    /// A name of a column that cannot be kept as it is.
    #[error("column name {index} {why}; each column needs a name of its own text, or none of them has one")]
    ColumnName {
        /// Column, from 0.
        index: usize,
        /// What is wrong with its name.
        why: &'static str,
    },
    /// A name of an array that cannot be kept as it is.
    #[error("the name of the array {why}")]
    ArrayName {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A name that is a text.
    #[error("the name of the array has {found} characters; at most {limit} are taken")]
    NameTooLong {
        /// Its length.
        found: usize,
        /// Length that is accepted.
        limit: usize,
    },
    /// Text behind an array whose place says nothing.
    #[error(
        "{lists} lists of text behind array {array} {shape:?}; behind a matrix stand its ids and the names of its \
         columns, behind an RDM its ids alone, and then a 0-d array with its name: numpy.array(\"FFA\")"
    )]
    TooManyLists {
        /// 1-d text arrays found so far.
        lists: usize,
        /// Shape of the array in front of them.
        shape: Vec<usize>,
        /// Its position in the stream, from 0.
        array: usize,
    },
    /// Pickled objects where a name may stand.
    #[error(
        "not supported: behind the ids of array {array} stand pickled objects ({dtype}); names of columns are text \
         (numpy.array(NAMES, dtype=str)), and so is the name of the array (numpy.array(\"FFA\"))"
    )]
    NameDtype {
        /// What they are.
        dtype: String,
        /// Position of the array in the stream, from 0.
        array: usize,
    },
    /// An archive of arrays that cannot be read.
    #[error("{0}")]
    Archive(String),
    /// A label that cannot be kept as it is.
    #[error("label {index} {why}; every row needs an id")]
    Label {
        /// Row of the label, from 0.
        index: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An integer that f8 cannot hold exactly.
    #[error("integer {0} cannot be held exactly in f8 (largest is 9007199254740992)")]
    InexactInteger(i128),
    /// A number that a narrower dtype cannot hold.
    #[error("{value:e} is beyond {dtype}, whose largest number is {largest:e}; write a wider --dtype")]
    Overflow {
        /// The number.
        value: f64,
        /// The dtype asked for.
        dtype: &'static str,
        /// Its largest number.
        largest: f64,
    },
    /// Rows written do not make the promised matrix.
    #[error("{written} rows were written of a matrix of {promised}")]
    RowCount {
        /// Rows written so far.
        written: usize,
        /// Rows the header promises.
        promised: usize,
    },
    /// A row of another width.
    #[error("a block of {found} columns was written to a matrix of {expected}")]
    ColumnCount {
        /// Columns of the block.
        found: usize,
        /// Columns the header promises.
        expected: usize,
    },
}

/// What elements of this dtype are, and how NumPy turns them into numbers.
fn what_elements(dtype: &str) -> String {
    let code = dtype.trim_start_matches(['<', '>', '=', '|']);
    let (what, remedy) = match code.as_bytes() {
        [b'O', ..] => (
            "a pickled object array (a list, a dict or rows of unequal length)",
            "load it with numpy.load(..., allow_pickle=True) and save the numbers alone: \
             numpy.save(\"x.npy\", numpy.asarray(VALUES, dtype=float), allow_pickle=False)",
        ),
        [b'[', ..] => ("a structured array, with fields", "save one field: numpy.save(\"x.npy\", x[\"FIELD\"])"),
        [b'c', ..] => ("complex numbers", "save numpy.abs(x), or x.real"),
        [b'f', ..] => ("numbers of more than 64 bits", "save x.astype(\"f8\")"),
        [b'M' | b'm', ..] => ("dates or times", "save x.astype(\"f8\")"),
        [b'S' | b'a', ..] => ("byte strings", "save x.astype(str)"),
        [b'V', ..] => ("raw bytes (bfloat16 is written so)", "save x.astype(\"f4\")"),
        _ => ("no numbers", "use f2 f4 f8, an integer type or bool"),
    };
    format!("dtype {dtype:?} is {what}; {remedy}")
}

/// How to make a matrix of an array of this shape.
fn reshaped(shape: &[usize]) -> &'static str {
    match shape.len() {
        0 => {
            "a single number; reshape it with NumPy: x.reshape(1, 1) (the name of an array is text: numpy.array(\"FFA\"))"
        }
        1 => "reshape it with NumPy: x[:, None] is one column, x[None] one row",
        2 => "reshape it with NumPy",
        _ => {
            "`npy cat --reshape` keeps the first axis as rows and makes the others columns (volumes along the last axis: \
             numpy.save(\"x.npy\", x.reshape(-1, x.shape[-1]).T))"
        }
    }
}

impl NpyError {
    /// True when the reader at the other end of a pipe has gone away.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, NpyError::Io(e) if e.kind() == io::ErrorKind::BrokenPipe)
    }
}
