//! Datasets of HDF5 files that hold a map per trial: single-trial betas as the Natural Scenes Dataset publishes them
//! (`/betas`, h5py's shape (trials, Z, Y, X), int16 of 300 x per cent) and as GLMsingle saves them (`betasmd`, in
//! Python (X, Y, Z, trials)), or betas of a surface, (trials, vertices).
//!
//! HDF5 itself is read by the crate hdf5-pure, which only this module names. Such a file does not say where its voxels
//! are, nor which axis its trials lie along: the shape alone is known, and [`Address`] says the axis where it is not
//! the first. Blocks of rows are read, never the whole file.

mod address;
mod pieces;

use std::io::{Read, Seek};
use std::sync::Arc;

use hdf5_pure::{
    ChunkIndex, Dataset, Datatype, DatatypeByteOrder, Error as Hdf5, File, FileAccessProperties, FixedPointLayout,
    FloatingPointLayout, FormatError, Group, Layout, MetadataCacheConfig, ReadSeekSource,
};
use thiserror::Error;

use crate::space::{Space, Surface};
use crate::values::{NoMemory, Values};
use crate::volume::header::Stored;

use pieces::{Bytes, Pieces, Shared};

pub use address::{Address, TrialAxis};

/// Bytes of a dataset that are read at a time, unless the chunks it is stored in are higher.
const BLOCK_BYTES: u64 = 8 << 20;
/// Chunks that are higher are still read as a whole up to this size, so that each is unpacked once.
const MOST_BLOCK_BYTES: u64 = 72 << 20;
/// Numbers held where trials do not lie one behind the other in the file: it is read once for each of so many.
const MOST_HELD: usize = 16 << 20;
/// The most that deflate makes of a byte, with something to spare.
const MOST_PACKED: u64 = 1100;
/// How deep groups are looked through, how many of them, and how many of a file's datasets are told.
const MOST_DEPTH: usize = 16;
const MOST_GROUPS: usize = 1000;
const MOST_LISTED: usize = 12;
/// Bytes of the file's own tables that are kept.
const METADATA_BYTES: usize = 8 << 20;
/// What stands for no address: that of a soft link in a group of the older kind.
const NO_ADDRESS: u64 = u64::MAX;
/// First bytes of an HDF5 file, and of one of MATLAB from 7.3 on, which has a text of 512 bytes before them.
const MARK: &[u8] = b"\x89HDF\r\n\x1a\n";
const MATLAB_MARK: &[u8] = b"MATLAB 7.3 MAT-file";

/// Why a dataset could not be read. Every variant holds the numbers; the caller adds the file name.
#[derive(Debug, Error)]
pub enum Hdf5Error {
    /// Something in brackets that is no setting.
    #[error(
        "{setting:?} behind the name of the dataset means nothing; expected [/300] (numbers are divided by 300), \
         [trials=first], [trials=last], or both: [/300,trials=last]"
    )]
    Setting {
        /// What stands there.
        setting: String,
    },
    /// No such dataset.
    #[error("no dataset {name:?} in the HDF5 file (links to others are not followed); it holds {found}")]
    NotFound {
        /// The name that was asked for.
        name: String,
        /// What there is.
        found: String,
    },
    /// A file whose datasets cannot be listed.
    #[error(
        "datasets that cannot be listed, since a group holds a soft link; name one: FILE:/NAME (`h5ls -r FILE` lists them)"
    )]
    Unlisted,
    /// Chunks whose index cannot be read.
    #[error(
        "{name}: not supported: chunks of a dataset that can grow along two axes; copy it: f.create_dataset(\"betas\", data=g[\"{name}\"][:])"
    )]
    Index {
        /// The dataset.
        name: String,
    },
    /// Nothing that betas can be.
    #[error("no dataset of numbers with a trial per row in the HDF5 file; it holds {found}")]
    Nothing {
        /// What there is.
        found: String,
    },
    /// Several that betas can be.
    #[error("{n} datasets of numbers in the HDF5 file; name one behind a colon, FILE:/NAME: {found}")]
    Several {
        /// How many.
        n: usize,
        /// Which.
        found: String,
    },
    /// Not numbers.
    #[error("{name}: {kind}, not numbers to compute with; integers of 1 to 8 bytes and floats of 4 and 8 are read")]
    Kind {
        /// The dataset.
        name: String,
        /// What it holds.
        kind: String,
    },
    /// Another number of axes.
    #[error(
        "{name}: a dataset of shape {shape}; expected 2 axes (trials, vertices) or 4 (trials, Z, Y, X), or the other way \
         round with [trials=last]"
    )]
    Rank {
        /// The dataset.
        name: String,
        /// Its shape.
        shape: String,
    },
    /// Nothing in it.
    #[error("{name}: a dataset of shape {shape}, which holds no number")]
    Empty {
        /// The dataset.
        name: String,
        /// Its shape.
        shape: String,
    },
    /// The axis of trials cannot be told.
    #[error(
        "{name}: shape {shape}, and {why}; say which axis the trials lie along: {name}[trials=first] or {name}[trials=last] (in \
         h5py's order of axes; MATLAB shows them the other way round)"
    )]
    Axis {
        /// The dataset.
        name: String,
        /// Its shape.
        shape: String,
        /// Why not.
        why: &'static str,
    },
    /// A compression that is not read.
    #[error("{name}: not supported: compressed with {filter}; repack it: `h5repack -f SHUF -f GZIP=4 in.h5 out.h5`")]
    Filter {
        /// The dataset.
        name: String,
        /// Which.
        filter: String,
    },
    /// The numbers lie in other files.
    #[error(
        "{name}: not supported: its numbers lie in other files ({what}); copy it into one: f.create_dataset(\"betas\", data=g[\"{name}\"][:])"
    )]
    Elsewhere {
        /// The dataset.
        name: String,
        /// How.
        what: &'static str,
    },
    /// Nothing was ever written.
    #[error(
        "{name}: its {bytes} bytes were never written (the program that made the file has ended before); there is nothing to read"
    )]
    NeverWritten {
        /// The dataset.
        name: String,
        /// Bytes that it would have.
        bytes: u64,
    },
    /// More was not written than was.
    #[error(
        "{name}: {missing} of its {all} blocks were never written; the program that made the file has ended before, or has not ended"
    )]
    MostlyMissing {
        /// The dataset.
        name: String,
        /// Chunks that are not there.
        missing: u64,
        /// Chunks of the whole.
        all: u64,
    },
    /// A shape that the file cannot hold.
    #[error("damaged: {name} of shape {shape} needs {wanted} bytes, which a file of {got} bytes cannot hold")]
    Promise {
        /// The dataset.
        name: String,
        /// Its shape.
        shape: String,
        /// Bytes of all its numbers.
        wanted: u64,
        /// Bytes of the file.
        got: u64,
    },
    /// A layout of a newer version.
    #[error(
        "{name}: not supported: stored in a layout that HDF5 2.0 has introduced (version {version}; h5py's libver=\"latest\"); write it \
         as older programs read it: h5py.File(\"x.hdf5\", \"w\", libver=(\"earliest\", \"v114\")), or `h5repack --high=4`"
    )]
    Newer {
        /// The dataset.
        name: String,
        /// Version of the layout.
        version: u8,
    },
    /// The file ends early.
    #[error("the file has {got} bytes, but HDF5 states {wanted}; it is cut off")]
    Truncated {
        /// Bytes of the file.
        got: u64,
        /// Bytes it should have.
        wanted: u64,
    },
    /// A dataset gave another number of bytes.
    #[error("{name}: rows {first} to {last} have {got} bytes, expected {wanted}; the file is damaged")]
    Short {
        /// The dataset.
        name: String,
        /// First row.
        first: u64,
        /// Behind the last row.
        last: u64,
        /// Bytes there.
        got: usize,
        /// Bytes wanted.
        wanted: u64,
    },
    /// A writer has not closed it.
    #[error(
        "marked as open for writing; wait until the program that writes it has closed it, or, if it has crashed: `h5clear -s FILE`"
    )]
    InUse,
    /// Memory could not be had.
    #[error("{0}")]
    NoMemory(#[from] NoMemory),
    /// Bytes could not be read.
    #[error("{0}")]
    Io(#[source] std::io::Error),
    /// Anything else that is wrong with the file.
    #[error("damaged, or not supported: {0}")]
    Damaged(String),
}

impl From<Hdf5> for Hdf5Error {
    fn from(error: Hdf5) -> Self {
        match error {
            Hdf5::Io(error) => Hdf5Error::Io(error),
            Hdf5::FileMarkedInUse(_) => Hdf5Error::InUse,
            Hdf5::Format(error) => Hdf5Error::Damaged(error.to_string()),
            error => Hdf5Error::Damaged(error.to_string()),
        }
    }
}

/// Whether a file with these first bytes is HDF5.
pub fn looks_like_hdf5(start: &[u8]) -> bool {
    start.starts_with(MARK) || start.starts_with(MATLAB_MARK)
}

/// The maps of a dataset, one per trial.
pub struct Hdf5Reader {
    dataset: Dataset,
    name: String,
    stored: Stored,
    big_endian: bool,
    divisor: f64,
    trials: TrialAxis,
    /// Along x, y and z, or the number of vertices.
    shape: Shape,
    n_trials: usize,
    /// Rows of the first axis that are read at a time.
    n_block: u64,
    /// Chunks of the dataset that were never written, of how many; their numbers are the fill value.
    missing: Option<(u64, u64)>,
    bytes: Bytes,
    kept: Option<Vec<usize>>,
    /// Where the numbers of the columns that are kept lie, where they can be read without the others.
    pieces: Option<Pieces>,
    n_given: usize,
    block: Block,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Grid([usize; 3]),
    Vertices(usize),
}

impl Shape {
    fn n_columns(self) -> usize {
        match self {
            Shape::Grid(shape) => shape.iter().product(),
            Shape::Vertices(n) => n,
        }
    }
}

/// What has been read ahead.
enum Block {
    Nothing,
    /// Rows of the file, a trial each.
    Rows {
        first: u64,
        n: u64,
        bytes: Vec<u8>,
    },
    /// Some trials of all columns (or of those that are kept), trial after trial.
    Trials {
        first: usize,
        n: usize,
        values: Values,
    },
}

impl Hdf5Reader {
    /// Opens a file and finds the dataset; its numbers are read later.
    pub fn open(source: impl Read + Seek + Send + 'static, address: &Address) -> Result<Hdf5Reader, Hdf5Error> {
        let source = ReadSeekSource::new(source).map_err(|error| Hdf5Error::Damaged(error.to_string()))?;
        let bytes: Bytes = Arc::new(source);
        let source = Shared(bytes.clone());
        let cache = FileAccessProperties::new().with_metadata_cache(MetadataCacheConfig::new(METADATA_BYTES));
        let file = File::from_source_with_options(source, cache)?;
        let (got, wanted) = (file.file_size(), file.superblock().eof_address);
        if got < wanted {
            return Err(Hdf5Error::Truncated { got, wanted });
        }
        let (name, dataset) = find(&file, address.dataset.as_deref())?;
        Hdf5Reader::of(name, dataset, address, bytes)
    }

    fn of(name: String, dataset: Dataset, address: &Address, bytes: Bytes) -> Result<Hdf5Reader, Hdf5Error> {
        let (stored, big_endian) = match stored(&dataset) {
            Ok(stored) => stored,
            Err(kind) => return Err(Hdf5Error::Kind { name, kind }),
        };
        let dims = dataset.shape()?;
        let said = shape_text(&dims);
        if dims.contains(&0) {
            return Err(Hdf5Error::Empty { name, shape: said });
        }
        if !matches!(dims.len(), 2 | 4) {
            return Err(Hdf5Error::Rank { name, shape: said });
        }
        let trials = match address.trials {
            Some(trials) => trials,
            None => {
                let why = if dims.first() == dims.last() {
                    "its first axis is as long as its last"
                } else if name.ends_with("/betasmd") {
                    "GLMsingle writes betasmd with the trials last in Python and first in MATLAB"
                } else {
                    ""
                };
                if !why.is_empty() {
                    return Err(Hdf5Error::Axis { name, shape: said, why });
                }
                TrialAxis::First
            }
        };
        let too_many = || Hdf5Error::Damaged(format!("{name}: a shape of {said}, more numbers than can be addressed"));
        let all = dims.iter().try_fold(stored.n_bytes() as u64, |all, &n| all.checked_mul(n)).ok_or_else(too_many)?;
        let sizes: Vec<usize> =
            dims.iter().map(|&n| usize::try_from(n)).collect::<Result<_, _>>().map_err(|_| too_many())?;
        let (n_trials, shape) = match (trials, sizes.as_slice()) {
            (TrialAxis::First, &[n, vertices]) | (TrialAxis::Last, &[vertices, n]) => (n, Shape::Vertices(vertices)),
            (TrialAxis::First, &[n, nz, ny, nx]) => (n, Shape::Grid([nx, ny, nz])),
            (TrialAxis::Last, &[nx, ny, nz, n]) => (n, Shape::Grid([nx, ny, nz])),
            _ => return Err(Hdf5Error::Rank { name, shape: said }),
        };
        // GLMsingle keeps four axes where the data have no grid.
        let shape = match shape {
            Shape::Grid([n, 1, 1]) | Shape::Grid([1, 1, n]) => Shape::Vertices(n),
            shape => shape,
        };
        let height = stored_as(&dataset, &name, all)?;
        if all > bytes.len().saturating_mul(MOST_PACKED) {
            let wanted = all;
            return Err(Hdf5Error::Promise { name, shape: said, wanted, got: bytes.len() });
        }
        let row = all / dims[0];
        let at_a_time = (BLOCK_BYTES / row).max(1);
        let n_block = match height {
            Some(height) if height.saturating_mul(row) <= MOST_BLOCK_BYTES => at_a_time.div_ceil(height) * height,
            _ => at_a_time,
        };
        let missing = missing_chunks(&dataset, &dims);
        if let Some((missing, all)) = missing.filter(|(missing, all)| *missing > all / 2) {
            return Err(Hdf5Error::MostlyMissing { name, missing, all });
        }
        Ok(Hdf5Reader {
            dataset,
            name,
            stored,
            big_endian,
            divisor: address.divisor,
            trials,
            shape,
            n_trials,
            n_block: n_block.min(dims[0]),
            missing,
            bytes,
            kept: None,
            pieces: None,
            n_given: 0,
            block: Block::Nothing,
        })
    }

    /// What the columns stand for: voxels of a grid whose place is not known, or vertices.
    pub fn space(&self) -> Space {
        match self.shape {
            Shape::Grid(shape) => Space::Unplaced(shape),
            Shape::Vertices(n_vertices) => Space::Surface(Surface { structure: None, n_vertices }),
        }
    }

    /// Number of maps.
    pub fn n_volumes(&self) -> usize {
        self.n_trials
    }

    /// Whether f4 does not hold every number.
    pub fn is_double(&self) -> bool {
        self.is_scaled() || self.stored.is_wide()
    }

    fn is_scaled(&self) -> bool {
        self.divisor != 1.0
    }

    /// What was understood, for the user to see: `/betas, 750 trials along its first axis, 81x104x83 voxels without an
    /// affine, divided by 300`.
    pub fn understood(&self) -> String {
        let axis = match self.trials {
            TrialAxis::First => "first",
            TrialAxis::Last => "last",
        };
        let scaled = if self.is_scaled() { format!(", divided by {}", self.divisor) } else { String::new() };
        format!("{}, {} trials along its {axis} axis, {}{scaled}", self.name, self.n_trials, self.space())
    }

    /// Chunks of the dataset that were never written, of how many, where there are such: their numbers are the fill
    /// value, mostly 0.
    pub fn missing_chunks(&self) -> Option<(u64, u64)> {
        self.missing
    }

    /// Says which columns will be asked for, each once, before the first map is given; [`Hdf5Reader::next_volume`]
    /// gives NaN for all others, and what holds none of these is not read where the layout of the file allows it.
    ///
    /// # Panics
    /// Then or later, when a column is not below the number of columns.
    pub fn keep(&mut self, columns: Vec<usize>) -> Result<(), Hdf5Error> {
        let places: Vec<usize> = columns.iter().map(|&column| self.place(column)).collect();
        self.pieces = Pieces::new(&self.dataset, self.trials, &places, self.missing.is_none())
            .map_err(|error| of_dataset(&self.name, error))?;
        self.kept = Some(columns);
        self.block = Block::Nothing;
        Ok(())
    }

    /// Place of a column among those of one trial as the file orders them.
    fn place(&self, column: usize) -> usize {
        match (self.trials, self.shape) {
            (TrialAxis::First, Shape::Grid([nx, ny, nz])) => {
                let (i, j, k) = (column / (ny * nz), column / nz % ny, column % nz);
                (k * ny + j) * nx + i
            }
            _ => column,
        }
    }

    /// Puts the next map into `values`, one number per column in the order of [`crate::geometry`]; `false` when there
    /// is none left. After [`Hdf5Reader::keep`] it is to be the same vector every time, or an empty one.
    pub fn next_volume(&mut self, values: &mut Vec<f64>) -> Result<bool, Hdf5Error> {
        if self.n_given == self.n_trials {
            return Ok(false);
        }
        let n = self.shape.n_columns();
        let is_new = values.len() != n;
        if is_new {
            values.clear();
            values.try_reserve_exact(n).map_err(|_| NoMemory { n: n as u128, bytes: 8 * n as u128 })?;
            values.resize(n, 0.0);
        }
        // Later the others still are NaN: filling a brain for every trial costs more than reading a region.
        if self.kept.is_some() && (is_new || self.n_given == 0) {
            values.fill(f64::NAN);
        }
        match (self.trials, &self.pieces) {
            (TrialAxis::First, None) => self.give_row(values)?,
            (TrialAxis::Last, _) | (_, Some(_)) => self.give_trial(values)?,
        }
        match &self.kept {
            _ if !self.is_scaled() => {}
            None => values.iter_mut().for_each(|value| *value /= self.divisor),
            Some(kept) => kept.iter().for_each(|&column| values[column] /= self.divisor),
        }
        self.n_given += 1;
        Ok(true)
    }

    /// Rows of the first axis as the file has them.
    fn rows(&self, first: u64, n: u64, row_bytes: u64) -> Result<Vec<u8>, Hdf5Error> {
        let bytes = self.dataset.read_raw_rows(first, n).map_err(|error| of_dataset(&self.name, error))?;
        let wanted = n * row_bytes;
        if bytes.len() as u64 != wanted {
            let name = self.name.clone();
            return Err(Hdf5Error::Short { name, first, last: first + n, got: bytes.len(), wanted });
        }
        Ok(bytes)
    }

    /// A trial is a row: z, y, x with x fastest.
    fn give_row(&mut self, values: &mut [f64]) -> Result<(), Hdf5Error> {
        let row_bytes = (self.shape.n_columns() * self.stored.n_bytes()) as u64;
        let trial = self.n_given as u64;
        let is_there = matches!(&self.block, Block::Rows { first, n, .. } if (*first..first + n).contains(&trial));
        if !is_there {
            // The old block is given back before the next is read.
            self.block = Block::Nothing;
            let n = self.n_block.min(self.n_trials as u64 - trial);
            self.block = Block::Rows { first: trial, n, bytes: self.rows(trial, n, row_bytes)? };
        }
        let Block::Rows { first, bytes, .. } = &self.block else { return Ok(()) };
        let at = ((trial - first) * row_bytes) as usize;
        let row = &bytes[at..at + row_bytes as usize];
        let (size, stored, big_endian) = (self.stored.n_bytes(), self.stored, self.big_endian);
        let number = |at: usize| stored.number(&row[at * size..(at + 1) * size], big_endian);
        match (self.shape, &self.kept) {
            (Shape::Vertices(_), None) => values.iter_mut().enumerate().for_each(|(at, value)| *value = number(at)),
            (_, Some(kept)) => kept.iter().for_each(|&column| values[column] = number(self.place(column))),
            (Shape::Grid([nx, ny, nz]), None) => {
                for (line, start) in (0..ny * nz).map(|line| (line, line * nx)) {
                    let (j, k) = (line % ny, line / ny);
                    (0..nx).for_each(|i| values[(i * ny + j) * nz + k] = number(start + i));
                }
            }
        }
        Ok(())
    }

    /// Trials that do not lie one behind the other in the file, or of which pieces are read: as many as fit are held.
    fn give_trial(&mut self, values: &mut [f64]) -> Result<(), Hdf5Error> {
        let trial = self.n_given;
        let is_there = matches!(&self.block, Block::Trials { first, n, .. } if (*first..first + n).contains(&trial));
        if !is_there {
            self.block = Block::Nothing;
            self.block = self.read_trials(trial)?;
        }
        let Block::Trials { first, values: held, .. } = &self.block else { return Ok(()) };
        match &self.kept {
            None => {
                let at = (trial - first) * values.len();
                values.iter_mut().enumerate().for_each(|(column, value)| *value = held.get(at + column));
            }
            Some(kept) => {
                let at = (trial - first) * kept.len();
                kept.iter().enumerate().for_each(|(number, &column)| values[column] = held.get(at + number));
            }
        }
        Ok(())
    }

    fn read_trials(&self, first: usize) -> Result<Block, Hdf5Error> {
        let n_columns = self.shape.n_columns();
        let n_held = self.kept.as_ref().map_or(n_columns, Vec::len);
        let n = (MOST_HELD / n_held.max(1)).clamp(1, self.n_trials - first);
        let mut held = Values::zeros(self.stored, self.is_scaled(), n * n_held)?;
        let (size, stored, big_endian) = (self.stored.n_bytes(), self.stored, self.big_endian);
        if let Some(pieces) = &self.pieces {
            let set = |trial: usize, number: usize, bytes: &[u8]| {
                held.set((trial - first) * n_held + number, stored.number(bytes, big_endian));
            };
            pieces.read(&self.bytes, size, first..first + n, set).map_err(|error| match error {
                Hdf5Error::Damaged(what) => Hdf5Error::Damaged(format!("{}: {what}", self.name)),
                error => error,
            })?;
            return Ok(Block::Trials { first, n, values: held });
        }
        // Columns that lie in one row of the first axis: (i, y, z), the order of voxels, or one vertex.
        let n_rows = self.dataset.shape()?[0] as usize;
        let in_row = n_columns / n_rows;
        let row_bytes = (in_row * self.n_trials * size) as u64;
        let mut order: Vec<(usize, usize)> = match &self.kept {
            Some(kept) => kept.iter().copied().enumerate().map(|(number, column)| (column, number)).collect(),
            None => Vec::new(),
        };
        order.sort_unstable();
        let mut next = 0;
        for start in (0..n_rows as u64).step_by(self.n_block as usize) {
            let n_now = self.n_block.min(n_rows as u64 - start);
            let (from, to) = (start as usize * in_row, (start + n_now) as usize * in_row);
            let these = match &self.kept {
                None => None,
                Some(_) => {
                    let end = next + order[next..].partition_point(|(column, _)| *column < to);
                    Some(&order[std::mem::replace(&mut next, end)..end])
                }
            };
            if these.is_some_and(<[_]>::is_empty) {
                continue;
            }
            let bytes = self.rows(start, n_now, row_bytes)?;
            let mut take = |column: usize, number: usize| {
                let line = (column - from) * self.n_trials + first;
                for (trial, at) in (line..line + n).enumerate() {
                    held.set(trial * n_held + number, stored.number(&bytes[at * size..(at + 1) * size], big_endian));
                }
            };
            match these {
                None => (from..to).for_each(|column| take(column, column)),
                Some(these) => these.iter().for_each(|&(column, number)| take(column, number)),
            }
        }
        Ok(Block::Trials { first, n, values: held })
    }
}

/// How a number is stored, and whether its bytes are big-endian; else what the dataset holds.
fn stored(dataset: &Dataset) -> Result<(Stored, bool), String> {
    let datatype = dataset.datatype().map_err(|error| format!("a type that cannot be read ({error})"))?;
    let kind = || dataset.dtype().map_or_else(|error| error.to_string(), |kind| kind.to_string());
    let (stored, order) = match &datatype {
        Datatype::FixedPoint {
            size,
            byte_order,
            layout: FixedPointLayout { signed, bit_offset: 0, bit_precision },
        } if u32::from(*bit_precision) == 8 * size => {
            let stored = match (size, signed) {
                (1, false) => Stored::U1,
                (1, true) => Stored::I1,
                (2, false) => Stored::U2,
                (2, true) => Stored::I2,
                (4, false) => Stored::U4,
                (4, true) => Stored::I4,
                (8, false) => Stored::U8,
                (8, true) => Stored::I8,
                _ => return Err(kind()),
            };
            (stored, byte_order)
        }
        Datatype::FloatingPoint { byte_order, layout: FloatingPointLayout::IEEE754_BINARY32, .. } => {
            (Stored::F4, byte_order)
        }
        Datatype::FloatingPoint { byte_order, layout: FloatingPointLayout::IEEE754_BINARY64, .. } => {
            (Stored::F8, byte_order)
        }
        _ => return Err(kind()),
    };
    match order {
        DatatypeByteOrder::LittleEndian => Ok((stored, false)),
        DatatypeByteOrder::BigEndian => Ok((stored, true)),
        DatatypeByteOrder::Vax => Err(format!("{} in the byte order of a VAX", kind())),
    }
}

/// Refuses storage that cannot be read; the height of the chunks along the first axis, where there are chunks.
fn stored_as(dataset: &Dataset, name: &str, bytes: u64) -> Result<Option<u64>, Hdf5Error> {
    for filter in dataset.filter_pipeline() {
        let known = match filter.id {
            1..=3 | 6 | 32000 => continue,
            4 => "szip",
            5 => "nbit",
            307 => "bzip2",
            32001 => "blosc",
            32004 => "LZ4",
            32008 => "bitshuffle",
            32013 => "ZFP",
            32015 => "Zstandard",
            32026 => "blosc2",
            _ => "a filter without a known name",
        };
        return Err(Hdf5Error::Filter { name: name.to_owned(), filter: format!("{known} (filter {})", filter.id) });
    }
    match dataset.layout().map_err(|error| of_dataset(name, error))? {
        Layout::Virtual => Err(Hdf5Error::Elsewhere { name: name.to_owned(), what: "a virtual dataset" }),
        Layout::Contiguous { address: None, .. } => {
            // Reading one row tells external files from what was never written.
            dataset.read_raw_rows(0, 1).map_err(|error| of_dataset(name, error))?;
            Err(Hdf5Error::NeverWritten { name: name.to_owned(), bytes })
        }
        Layout::Contiguous { size, .. } | Layout::Compact { size } if size != bytes => {
            Err(Hdf5Error::Damaged(format!("{name}: its shape needs {bytes} bytes, but {size} are stored")))
        }
        Layout::Chunked { index: ChunkIndex::BTreeV2, .. } => Err(Hdf5Error::Index { name: name.to_owned() }),
        Layout::Chunked { chunk_shape, .. } => Ok(chunk_shape.first().copied().filter(|height| *height > 0)),
        _ => Ok(None),
    }
}

/// An error of reading one dataset.
fn of_dataset(name: &str, error: Hdf5) -> Hdf5Error {
    match error {
        Hdf5::Format(FormatError::InvalidLayoutVersion(version)) if version > 4 => {
            Hdf5Error::Newer { name: name.to_owned(), version }
        }
        Hdf5::Format(FormatError::UnsupportedExternalStorage) => {
            Hdf5Error::Elsewhere { name: name.to_owned(), what: "external storage" }
        }
        Hdf5::Format(error) => Hdf5Error::Damaged(format!("{name}: {error}")),
        error => error.into(),
    }
}

fn missing_chunks(dataset: &Dataset, dims: &[u64]) -> Option<(u64, u64)> {
    let chunk = dataset.chunk_shape().ok()??;
    let wanted =
        dims.iter().zip(&chunk).try_fold(1u64, |all, (n, chunk)| all.checked_mul(n.div_ceil((*chunk).max(1))))?;
    let there = dataset.chunks().ok()?.len() as u64;
    (there < wanted).then(|| (wanted - there, wanted))
}

fn shape_text(dims: &[u64]) -> String {
    let dims: Vec<String> = dims.iter().map(u64::to_string).collect();
    format!("({})", dims.join(", "))
}

/// A dataset that was met, and whether betas can be in it.
struct Met {
    path: String,
    dataset: Dataset,
    fits: bool,
}

fn find(file: &File, wanted: Option<&str>) -> Result<(String, Dataset), Hdf5Error> {
    if let Some(name) = wanted {
        let path = format!("/{}", name.trim_matches('/'));
        return match file.dataset(&path) {
            Ok(dataset) => Ok((path, dataset)),
            Err(
                Hdf5::NotADataset(_)
                | Hdf5::NotAGroup(_)
                | Hdf5::Format(FormatError::PathNotFound(_) | FormatError::OffsetOverflow { offset: NO_ADDRESS, .. }),
            ) => {
                let found = all(file).map_or_else(|error| error.to_string(), |met| told(&met));
                Err(Hdf5Error::NotFound { name: path, found })
            }
            Err(error) => Err(error.into()),
        };
    }
    let mut met = all(file)?;
    let fitting = met.iter().filter(|met| met.fits).count();
    match fitting {
        0 => Err(Hdf5Error::Nothing { found: told(&met) }),
        1 => {
            met.retain(|met| met.fits);
            let only = met.remove(0);
            Ok((only.path, only.dataset))
        }
        n => {
            met.retain(|met| met.fits);
            Err(Hdf5Error::Several { n, found: told(&met) })
        }
    }
}

/// All datasets of the file, in the order of their paths.
fn all(file: &File) -> Result<Vec<Met>, Hdf5Error> {
    let mut met = Vec::new();
    look_through(&file.root(), "", (0, &mut 0), &mut met).map_err(|error| match error {
        Hdf5::Format(FormatError::OffsetOverflow { offset: NO_ADDRESS, .. }) => Hdf5Error::Unlisted,
        error => error.into(),
    })?;
    met.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(met)
}

/// Groups may be linked in circles, so that depth and number are bounded.
fn look_through(
    group: &Group,
    path: &str,
    (depth, n_groups): (usize, &mut usize),
    met: &mut Vec<Met>,
) -> Result<(), Hdf5> {
    for (name, dataset) in group.iter_datasets()? {
        let n_axes = dataset.shape().map_or(0, |shape| shape.len());
        let fits = matches!(n_axes, 2 | 4) && stored(&dataset).is_ok();
        met.push(Met { path: format!("{path}/{name}"), dataset, fits });
    }
    for (name, child) in group.iter_groups()? {
        // Names with # are MATLAB's own bookkeeping.
        if !name.starts_with('#') && depth < MOST_DEPTH && *n_groups < MOST_GROUPS {
            *n_groups += 1;
            look_through(&child, &format!("{path}/{name}"), (depth + 1, n_groups), met)?;
        }
    }
    Ok(())
}

fn told(met: &[Met]) -> String {
    if met.is_empty() {
        return "0 datasets".into();
    }
    let one = |met: &Met| {
        let shape = met.dataset.shape().map_or_else(|_| "of no known shape".into(), |shape| shape_text(&shape));
        let kind = met.dataset.dtype().map_or_else(|_| "of no known type".into(), |kind| kind.to_string());
        format!("{} {shape} {kind}", met.path)
    };
    let mut told: Vec<String> = met.iter().take(MOST_LISTED).map(one).collect();
    if met.len() > MOST_LISTED {
        told.push(format!("{} more", met.len() - MOST_LISTED));
    }
    told.join(", ")
}
