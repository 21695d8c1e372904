//! From file arguments to named, labelled arrays: where opening, reading and joining meet, once for all tools.
//!
//! Arrays are named by the stem of their file, in a pipe by their position; `--names` overrides. Every command with
//! two inputs brings their rows together through [`JoinArgs::join`], which says on stderr what it moved.
#![warn(missing_docs)]

mod many;
mod streams;

pub use many::{refuse_position_of_trials, require_unique, tell_apart, tell_names_apart};
pub use streams::{Next, Stream, each_array};

use anyhow::{Context, Result, anyhow, bail};
use cli::{Input, Job, require_memory};
use npy_stream::{Array, Incoming, Matrix};
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
    /// File stem, position in the pipe, or what `--names` says.
    pub name: String,
    /// Where it came from, for messages.
    pub source: String,
    /// Rows = presentations of stimuli.
    pub matrix: Matrix,
    /// One id per row.
    pub labels: Option<Vec<String>>,
}

impl NamedMatrix {
    /// This matrix as one side of a join.
    pub fn side(&self) -> Side<'_> {
        Side { name: &self.source, labels: self.labels.as_deref(), n_rows: self.matrix.n_rows() }
    }
}

/// An array of any shape with its name.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedArray {
    /// File stem, position in the pipe, or what `--names` says.
    pub name: String,
    /// Where it came from, for messages.
    pub source: String,
    /// The array and the labels behind it.
    pub array: Array,
}

impl NamedArray {
    /// As a matrix; an error names the source and the shape.
    pub fn into_matrix(self) -> Result<NamedMatrix> {
        let (matrix, labels) = self.array.into_matrix().map_err(|e| anyhow!("{}: {e}", self.source))?;
        Ok(NamedMatrix { name: self.name, source: self.source, matrix, labels })
    }
}

/// Hands out array names: those of `--names` in order, else the input's own.
#[derive(Debug, Clone, Default)]
pub struct Names {
    given: Vec<String>,
    used: usize,
    /// Names handed out, where they have to differ.
    taken: Option<std::collections::HashSet<String>>,
}

impl Names {
    /// The names of `--names`, possibly none.
    pub fn new(given: &[String]) -> Names {
        Names { given: given.to_vec(), used: 0, taken: None }
    }

    /// The same, but a name that comes twice is an error: for tables in which nothing else tells arrays apart.
    pub fn distinct(given: &[String]) -> Names {
        Names { taken: Some(std::collections::HashSet::new()), ..Names::new(given) }
    }

    /// The name of the next array, which is number `position` of `input`.
    pub fn next(&mut self, input: &Input, position: usize) -> Result<String> {
        self.used += 1;
        let name = match self.given.get(self.used - 1) {
            Some(name) => name.clone(),
            None if self.given.is_empty() => input.array_name(position),
            None => bail!("{input}: array {} has no name; --names gives {}", self.used - 1, self.given.len()),
        };
        if let Some(taken) = &mut self.taken
            && !taken.insert(name.clone())
        {
            bail!("{input}: array {} is the second called {name:?}; give different names with --names", self.used - 1);
        }
        Ok(name)
    }

    /// Every name must have been used.
    pub fn finish(&self) -> Result<()> {
        if self.given.len() > self.used {
            bail!("--names gives {} names for {} arrays", self.given.len(), self.used);
        }
        Ok(())
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
    let mut arrays = Vec::new();
    each_array(job, inputs, |Next { input, position, source, array }| {
        let name = names.next(input, position)?;
        require_room(&array, &source, more(&array))?;
        let array = array.into_array().with_context(|| source.clone())?;
        arrays.push(NamedArray { name, source, array });
        Ok(())
    })?;
    names.finish()?;
    Ok(arrays)
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
