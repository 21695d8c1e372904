//! From file arguments to named, labelled arrays: where opening, reading and joining meet, once for all tools.
//!
//! What arrays are called is decided here ([`Names`]). Every command with two inputs brings their rows together through
//! [`JoinArgs::join`], which says on stderr what it moved.
#![warn(missing_docs)]

mod many;
mod names;
mod streams;
mod whole;

pub use many::{refuse_position_of_trials, require_unique, tell_apart, tell_names_apart};
pub use names::{Called, Names, called_apart, person_of};
pub use streams::{Next, Stream, each_array, is_archive, is_hdf5, reader_of};
pub use whole::Whole;

use anyhow::{Context, Result, anyhow, bail};
use cli::{Input, Job, require_memory};
use npy_stream::{Array, Incoming, Labels, Matrix};
use std::path::Path;
use stimulus_table::{JoinOptions, Joined, Side, Table, join};

/// How two inputs may be joined.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct JoinArgs {
    /// Join inputs without ids by position: row i of both is the same stimulus
    #[arg(long)]
    pub assume_order: bool,
    /// Keep the ids that both inputs have, instead of stopping where they differ
    #[arg(long)]
    pub inner: bool,
}

impl JoinArgs {
    /// As the join's own options.
    pub fn options(self) -> JoinOptions {
        JoinOptions { assume_order: self.assume_order, inner: self.inner }
    }

    /// Refuses options that would change nothing, as there is no second input; `needs` is the option that brings one.
    pub fn refuse_alone(self, needs: &str) -> Result<()> {
        let given = [("--assume-order", self.assume_order), ("--inner", self.inner)];
        match given.iter().find(|(_, given)| *given) {
            Some((option, _)) => bail!("{option} is for joining two inputs, and without {needs} there is one"),
            None => Ok(()),
        }
    }

    /// Joins by id and says on stderr what was permuted, repeated or left out.
    pub fn join(self, job: &Job, left: Side, right: Side) -> Result<Joined> {
        let joined = join(left, right, self.options())?;
        joined.message(left.name, right.name).into_iter().for_each(|message| job.note(message));
        Ok(joined)
    }
}

/// A matrix with its name and the ids of its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedMatrix {
    /// What it is called ([`Names`]).
    pub name: String,
    /// What tables of units may call it ([`Names::in_tables`]).
    pub names_in_tables: Vec<String>,
    /// Where it came from, for messages.
    pub source: String,
    /// Rows = presentations of stimuli.
    pub matrix: Matrix,
    /// One id per row, names of the columns, its own name.
    pub labels: Labels,
}

impl NamedMatrix {
    /// This matrix as one side of a join.
    pub fn side(&self) -> Side<'_> {
        Side { name: &self.source, labels: self.labels.ids.as_deref(), n_rows: self.matrix.n_rows() }
    }
}

/// An array of any shape with its name.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedArray {
    /// What it is called ([`Names`]).
    pub name: String,
    /// What tables of units may call it ([`Names::in_tables`]).
    pub names_in_tables: Vec<String>,
    /// Where it came from, for messages.
    pub source: String,
    /// The array and the labels behind it.
    pub array: Array,
}

impl NamedArray {
    /// As a matrix; an error names the source and the shape.
    pub fn into_matrix(self) -> Result<NamedMatrix> {
        let (matrix, labels) = self.array.into_matrix().map_err(|e| anyhow!("{}: {e}", self.source))?;
        let NamedArray { name, names_in_tables, source, .. } = self;
        Ok(NamedMatrix { name, names_in_tables, source, matrix, labels })
    }
}

/// Reads a whole array, where its header says that it fits into the memory that is free.
pub fn hold(incoming: Incoming, source: &str) -> Result<Array> {
    require_room(&incoming, source, 0)?;
    incoming.into_array().with_context(|| source.to_string())
}

/// An error where the whole array, and `more` bytes that will be made of it, do not fit into the memory that is free.
pub fn require_room(incoming: &Incoming, source: &str, more: u128) -> Result<()> {
    let shape: Vec<String> = incoming.shape().iter().map(usize::to_string).collect();
    let what = format!("{source}: {} {} values", shape.join(" x "), incoming.kind().name());
    let bytes = incoming.bytes_held() + more;
    require_memory(what, bytes, "take fewer rows or columns (`npy rows`, `npy cols`)")
}

/// Reads all arrays of all inputs, in order.
pub fn read_arrays(job: &Job, inputs: &[Input], names: &mut Names) -> Result<Vec<NamedArray>> {
    read_arrays_to_make(job, inputs, names, |_| 0)
}

/// [`read_arrays`] for a caller who will make `more` bytes of each array while it is held: what does not fit is refused
/// before it is read.
pub fn read_arrays_to_make(
    job: &Job,
    inputs: &[Input],
    names: &mut Names,
    more: impl Fn(&Incoming) -> u128,
) -> Result<Vec<NamedArray>> {
    let streams = inputs.iter().map(|input| Stream::open(job, input));
    arrays_of(streams, names, more)
}

/// All matrices of a stream that is open already.
pub fn matrices_of(stream: Stream, names: &mut Names) -> Result<Vec<NamedMatrix>> {
    arrays_of(std::iter::once(Ok(stream)), names, |_| 0)?.into_iter().map(NamedArray::into_matrix).collect()
}

fn arrays_of<'a>(
    streams: impl Iterator<Item = Result<Stream<'a>>>,
    names: &mut Names,
    more: impl Fn(&Incoming) -> u128,
) -> Result<Vec<NamedArray>> {
    let mut arrays = Vec::new();
    let mut called = Vec::new();
    for stream in streams {
        stream?.each(|Next { input, position, source, array }| {
            names.require(called.len(), input)?;
            require_room(&array, &source, more(&array))?;
            let array = array.into_array().with_context(|| source.clone())?;
            called.push(Called::new(input, position, array.labels.name.as_deref()));
            arrays.push((source, array));
            Ok(())
        })?;
    }
    let named = names.all(&called)?.into_iter().zip(&called);
    let named = named.map(|(name, called)| (names.in_tables(&name, called), name));
    Ok(arrays
        .into_iter()
        .zip(named)
        .map(|((source, array), (names_in_tables, name))| NamedArray { name, names_in_tables, source, array })
        .collect())
}

/// Reads all matrices of all inputs, in order.
pub fn read_matrices(job: &Job, inputs: &[Input], names: &mut Names) -> Result<Vec<NamedMatrix>> {
    read_arrays(job, inputs, names)?.into_iter().map(NamedArray::into_matrix).collect()
}

/// Reads the one matrix of an input; a second array in it is an error.
pub fn read_matrix(job: &Job, input: &Input) -> Result<NamedMatrix> {
    let mut all = read_matrices(job, std::slice::from_ref(input), &mut Names::default())?;
    if all.len() > 1 {
        bail!("{input}: holds {} matrices where one is needed; split them with `npy cat --array N`", all.len());
    }
    Ok(all.remove(0))
}

/// Opens the one matrix of an input, whose values stay in their file where that is possible; its labels, and where it
/// comes from. A second array is an error.
pub fn open_matrix(job: &Job, input: &Input) -> Result<(Whole, Labels, String)> {
    matrix_of(Stream::open(job, input)?)
}

/// [`open_matrix`] of a stream that is open already.
pub fn matrix_of(stream: Stream) -> Result<(Whole, Labels, String)> {
    let (input, mut found, mut n) = (stream.input(), None, 0);
    stream.each(|Next { source, array, .. }| {
        n += 1;
        match found {
            None => {
                let (whole, labels) = Whole::take(array, &source)?;
                found = Some((whole, labels, source));
            }
            Some(_) => array.finish().map(drop).with_context(|| source.clone())?,
        }
        Ok(())
    })?;
    match found {
        Some(found) if n == 1 => Ok(found),
        _ => bail!("{input}: holds {n} matrices where one is needed; split them with `npy cat --array N`"),
    }
}

/// Reads any table (stimuli, trials, units, regions).
pub fn read_table(job: &Job, input: &Input) -> Result<Table> {
    Table::read(job.open(input)?.reader()).with_context(|| input.to_string())
}

/// The level of every row in an annotation column, empty where there is none ([`Table::levels`]), with a warning about
/// levels that look alike.
pub fn read_levels(job: &Job, table: &Table, source: &str, column: &str) -> Result<Vec<String>> {
    let levels = table.levels(column).with_context(|| source.to_string())?;
    if let Some(text) = table.alike_levels(column).with_context(|| source.to_string())? {
        job.warn(format!("{source}: {text}"));
    }
    Ok(levels)
}

/// The folder that relative paths of a table are against.
pub fn folder_of(input: &Input) -> &Path {
    input.path().and_then(Path::parent).unwrap_or(Path::new(""))
}
