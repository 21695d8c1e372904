//! `npy cat`: matrices below each other or side by side.

use crate::args::Cat;
use crate::pick::write;
use anyhow::{Context, Result, bail};
use cli::{Input, Job, Output, Shard};
use labelled_inputs::{Names, open_npy, read_matrices, read_stimuli};
use ndarray::{Axis, concatenate};
use npy_stream::{Dtype, Matrix, NpyError, RowWriter, write_matrix};
use std::collections::HashMap;

const ROWS_PER_BLOCK: usize = 64;

pub(crate) fn run(args: &Cat) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    if args.columns { side_by_side(&job, args) } else { below(&job, args) }
}

fn side_by_side(job: &Job, args: &Cat) -> Result<()> {
    let mut out = Output::binary(args.common.output.as_deref())?;
    let mut matrices = read_matrices(job, &args.inputs, &mut Names::default())?.into_iter();
    let Some(mut joined) = matrices.next() else { bail!("0 matrices") };
    for next in matrices {
        let rows = args.join.join(job, joined.side(), next.side())?;
        let labels = rows.labels(&joined.side(), &next.side());
        let (left, right) = (joined.matrix.select_rows(&rows.left), next.matrix.select_rows(&rows.right));
        joined.matrix = match (left, right) {
            (Matrix::F4(a), Matrix::F4(b)) => Matrix::F4(concatenate(Axis(1), &[a.view(), b.view()])?),
            (a, b) => Matrix::F8(concatenate(Axis(1), &[a.into_f64().view(), b.into_f64().view()])?),
        };
        joined.labels = labels;
        joined.source = "the columns so far".into();
    }
    write_matrix(&mut out, &joined.matrix, joined.labels.as_deref())?;
    out.commit(job)
}

/// One matrix of the whole: where it is and what its rows are.
struct Part {
    source: String,
    input: Input,
    position: usize,
    /// What came through a pipe has to be held until the total is known.
    held: Option<Matrix>,
    n_rows: usize,
    n_columns: usize,
    double: bool,
    labels: Option<Vec<String>>,
}

fn below(job: &Job, args: &Cat) -> Result<()> {
    let mut out = Output::binary(args.common.output.as_deref())?;
    let mut parts = Vec::new();
    for input in &args.inputs {
        scan(job, input, args.array, &mut parts).with_context(|| input.to_string())?;
    }
    let Some(first) = parts.first() else {
        bail!("array {} of the stream: there are fewer", args.array.unwrap_or(0));
    };
    if let Some(other) = parts.iter().find(|p| p.n_columns != first.n_columns) {
        bail!(
            "{} has {} columns and {} has {}; rows can only be joined at equal width (or --columns)",
            first.source,
            first.n_columns,
            other.source,
            other.n_columns
        );
    }
    if let Some(other) = parts.iter().find(|p| p.labels.is_some() != first.labels.is_some()) {
        let (with, without) = if first.labels.is_some() { (first, other) } else { (other, first) };
        bail!(
            "{} has ids for its {} rows and {} has none for its {}; write them with `npy label`",
            with.source,
            with.n_rows,
            without.source,
            without.n_rows
        );
    }
    order_shards(job, &mut parts)?;
    let n_rows = parts.iter().map(|p| p.n_rows).sum();
    let n_columns = parts[0].n_columns;
    let double = parts.iter().any(|p| p.double);
    let labels: Option<Vec<String>> =
        parts[0].labels.is_some().then(|| parts.iter().flat_map(|p| p.labels.clone().unwrap_or_default()).collect());
    if let Some(input) = &args.stimuli {
        let table = read_stimuli(job, input)?;
        let order = prove_complete(table.ids(), labels.as_deref(), &input.to_string())?;
        if order.windows(2).any(|w| w[0] > w[1]) {
            return permuted(job, out, &parts, &order, table.ids());
        }
    }
    let mut writer = RowWriter::new(&mut out, n_rows, n_columns, if double { Dtype::F8 } else { Dtype::F4 })?;
    for part in &parts {
        stream(job, part, |block| write(&mut writer, block)).with_context(|| part.source.clone())?;
    }
    writer.finish(labels.as_deref())?;
    out.commit(job)
}

fn scan(job: &Job, input: &Input, only: Option<usize>, parts: &mut Vec<Part>) -> Result<()> {
    let mut reader = open_npy(job, input)?;
    let in_file = reader.can_look_ahead();
    let mut position = 0;
    while let Some(incoming) = reader.next_array()? {
        let here = position;
        position += 1;
        if only.is_some_and(|n| n != here) {
            incoming.finish()?;
            continue;
        }
        let (n_rows, n_columns) = incoming.matrix_shape()?;
        let double = incoming.kind().is_double();
        let (held, labels) = if in_file {
            (None, incoming.finish()?)
        } else {
            let (matrix, labels) = incoming.into_array()?.into_matrix()?;
            (Some(matrix), labels)
        };
        let source = if here == 0 { input.to_string() } else { format!("{input} (array {here})") };
        parts.push(Part { source, input: input.clone(), position: here, held, n_rows, n_columns, double, labels });
    }
    if position == 0 {
        bail!(NpyError::Empty);
    }
    Ok(())
}

/// Hands the rows of a part on, block by block.
fn stream(job: &Job, part: &Part, mut to: impl FnMut(npy_stream::Block) -> Result<(), NpyError>) -> Result<()> {
    if let Some(matrix) = &part.held {
        return Ok(to(matrix.view())?);
    }
    let mut reader = open_npy(job, &part.input)?;
    let mut position = 0;
    while let Some(mut incoming) = reader.next_array()? {
        if position == part.position {
            while let Some(block) = incoming.next_rows(ROWS_PER_BLOCK)? {
                to(block)?;
            }
            return Ok(());
        }
        incoming.finish()?;
        position += 1;
    }
    bail!("changed while it was read: array {} is gone", part.position)
}

/// Where any input is a shard, all must be, each once; they are put in their order.
fn order_shards(job: &Job, parts: &mut Vec<Part>) -> Result<()> {
    let mut shards = Vec::new();
    for part in parts.iter() {
        shards.push(match part.input.path() {
            Some(path) => Shard::of_file(path),
            None => None,
        });
    }
    let known: Vec<Shard> = shards.iter().flatten().map(|(shard, _)| *shard).collect();
    if known.is_empty() {
        return Ok(());
    }
    if let Some(i) = shards.iter().position(Option::is_none) {
        bail!("{} is no shard by its sidecar, but {} of {} inputs are", parts[i].source, known.len(), parts.len());
    }
    let wholes: Vec<(usize, &String)> =
        shards.iter().enumerate().filter_map(|(i, s)| s.as_ref().map(|(_, whole)| (i, whole))).collect();
    if let Some((other, _)) = wholes.iter().find(|(_, whole)| *whole != wholes[0].1) {
        bail!(
            "{} and {} are shards of two different wholes: the inputs in their sidecars differ",
            parts[wholes[0].0].source,
            parts[*other].source
        );
    }
    let order = Shard::complete(&known)?;
    job.note(format!("all {} shards are there", order.len()));
    let mut taken: Vec<Option<Part>> = parts.drain(..).map(Some).collect();
    parts.extend(order.into_iter().filter_map(|i| taken[i].take()));
    Ok(())
}

/// Each stimulus exactly once: the row of each, in the order of the table.
fn prove_complete(ids: &[String], labels: Option<&[String]>, table: &str) -> Result<Vec<usize>> {
    let Some(labels) = labels else {
        bail!("the rows have no ids; {table} cannot prove them complete");
    };
    let mut row_of: HashMap<&str, usize> = HashMap::new();
    for (row, label) in labels.iter().enumerate() {
        if let Some(first) = row_of.insert(label, row) {
            bail!("{label:?} is there twice (joined rows {first} and {row}); {table} has it once");
        }
    }
    let missing: Vec<&String> = ids.iter().filter(|id| !row_of.contains_key(id.as_str())).collect();
    if let Some(first) = missing.first() {
        bail!("{} of {} stimuli of {table} are missing, the first {first:?}", missing.len(), ids.len());
    }
    if labels.len() > ids.len() {
        let known: std::collections::HashSet<&String> = ids.iter().collect();
        let foreign = labels.iter().find(|l| !known.contains(l)).cloned().unwrap_or_default();
        bail!("{} rows for {} stimuli of {table}; {foreign:?} is not among them", labels.len(), ids.len());
    }
    Ok(ids.iter().map(|id| row_of[id.as_str()]).collect())
}

fn permuted(job: &Job, mut out: Output, parts: &[Part], order: &[usize], ids: &[String]) -> Result<()> {
    let mut blocks = Vec::new();
    for part in parts {
        stream(job, part, |block| {
            blocks.push(block.to_matrix());
            Ok(())
        })
        .with_context(|| part.source.clone())?;
    }
    let whole = if blocks.iter().all(|b| matches!(b, Matrix::F4(_))) {
        let all: Vec<_> =
            blocks.iter().filter_map(|b| if let Matrix::F4(a) = b { Some(a.view()) } else { None }).collect();
        Matrix::F4(concatenate(Axis(0), &all)?)
    } else {
        let all: Vec<_> = blocks.into_iter().map(Matrix::into_f64).collect();
        Matrix::F8(concatenate(Axis(0), &all.iter().map(|a| a.view()).collect::<Vec<_>>())?)
    };
    job.note(format!("{} rows brought into the order of the table", order.len()));
    write_matrix(&mut out, &whole.select_rows(order), Some(ids))?;
    out.commit(job)
}
