//! `npy cat`: matrices below each other or side by side.

use crate::blocks::{BLOCK_BYTES, write};
use crate::whole::Whole;
use anyhow::{Context, Result, bail};
use array_inputs::{JoinArgs, Next, Stream, each_array, hold, read_table};
use cli::{Common, Input, Job, Output, Shard, require_memory};
use ndarray::{Array2, s};
use npy_stream::{Block, Dtype, Float, Matrix, NpyError, RowWriter, write_matrix};
use std::collections::{HashMap, HashSet};
use stimulus_table::Side;

/// Join matrices below each other (rows) or side by side (columns, by id); shards must be complete
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Rows are joined in the order given, labels with them; all inputs need the same columns. With
--columns the rows are joined by id. Files that a --shard run wrote say so in their sidecar: then
every shard must be there once, they are put in order, and what is missing is listed as sbatch
--array= takes it. --stimuli proves completeness by id instead: every stimulus exactly once, in the
order of the table. `cat` of the shell puts arrays back to back; --array N takes one out.

Examples:
  npy cat acts-*.npy > acts.npy
  npy cat --columns layer3.npy layer4.npy > both.npy
  cat sub-*/ffa.npy | npy cat --array 1 > second.npy")]
pub(crate) struct Cat {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    inputs: Vec<Input>,
    /// Side by side: the columns of all inputs, rows joined by id
    #[arg(long)]
    columns: bool,
    /// Only array N (from 0) of the stream
    #[arg(long, value_name = "N", conflicts_with = "columns")]
    array: Option<usize>,
    /// Table of all stimuli (or of all presentations, an id as often as it is a row): each must be there exactly once;
    /// rows are put in its order
    #[arg(long, value_name = "TABLE", conflicts_with = "columns")]
    stimuli: Option<Input>,
    #[command(flatten)]
    join: JoinArgs,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(args: &Cat) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    if args.columns { side_by_side(&job, args) } else { below(&job, args) }
}

fn side_by_side(job: &Job, args: &Cat) -> Result<()> {
    let mut out = job.binary_output(args.common.output.as_deref())?;
    let mut parts: Vec<(Whole, Vec<usize>)> = Vec::new();
    // The ids and the number of the rows so far.
    let mut source = String::new();
    let (mut labels, mut n_rows) = (None, 0);
    each_array(job, &args.inputs, |Next { source: name, array, .. }| {
        let (whole, own) = Whole::take(array, &name)?;
        let own_rows = whole.n_rows();
        if parts.is_empty() {
            (source, labels, n_rows) = (name, own, own_rows);
            parts.push((whole, (0..own_rows).collect()));
            return Ok(());
        }
        let left = Side { name: &source, labels: labels.as_deref(), n_rows };
        let right = Side { name: &name, labels: own.as_deref(), n_rows: own_rows };
        let rows = args.join.join(job, left, right)?;
        labels = rows.labels(&left, &right);
        n_rows = rows.left.len();
        parts.iter_mut().for_each(|(_, kept)| *kept = rows.left.iter().map(|&row| kept[row]).collect());
        parts.push((whole, rows.right));
        source = "the columns so far".into();
        Ok(())
    })?;
    match parts.iter().any(|(whole, _)| whole.is_double()) {
        true => write_columns::<f64>(&mut out, &parts, n_rows, labels.as_deref())?,
        false => write_columns::<f32>(&mut out, &parts, n_rows, labels.as_deref())?,
    }
    out.commit(job)
}

/// Some rows at a time: of each matrix those of the join, side by side.
fn write_columns<T: Float>(
    out: &mut Output,
    parts: &[(Whole, Vec<usize>)],
    n_rows: usize,
    labels: Option<&[String]>,
) -> Result<()> {
    let n_columns = parts.iter().map(|(whole, _)| whole.n_columns()).sum();
    let mut writer = RowWriter::new(out, n_rows, n_columns, T::DTYPE)?;
    let together = Whole::rows_together(n_columns);
    for first in (0..n_rows).step_by(together) {
        let end = (first + together).min(n_rows);
        let mut joined = Array2::from_elem((end - first, n_columns), T::from_f64(0.0));
        let mut column = 0;
        for (whole, rows) in parts {
            let own = column..column + whole.n_columns();
            column = own.end;
            whole.rows(&rows[first..end], |at, block| {
                let place = s![at..at + block.n_rows(), own.clone()];
                match block {
                    Block::F4(b) => joined.slice_mut(place).zip_mut_with(&b, |to, v| *to = T::from_f64(f64::from(*v))),
                    Block::F8(b) => joined.slice_mut(place).zip_mut_with(&b, |to, v| *to = T::from_f64(*v)),
                }
                Ok(())
            })?;
        }
        writer.write_rows(joined.view())?;
    }
    writer.finish(labels)?;
    Ok(())
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
    let mut out = job.binary_output(args.common.output.as_deref())?;
    let mut parts = scan(job, args)?;
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
        let table = read_table(job, input)?;
        let ids = table.ids().with_context(|| input.to_string())?.1;
        let order = prove_complete(ids, labels.as_deref(), &input.to_string())?;
        if order.windows(2).any(|w| w[0] > w[1]) {
            return permuted(job, out, &parts, &order, ids);
        }
    }
    let mut writer = RowWriter::new(&mut out, n_rows, n_columns, if double { Dtype::F8 } else { Dtype::F4 })?;
    for part in &parts {
        stream(job, part, |block| write(&mut writer, block)).with_context(|| part.source.clone())?;
    }
    writer.finish(labels.as_deref())?;
    out.commit(job)
}

/// Shapes and labels of all matrices; what lies in a file is read when it is written.
fn scan(job: &Job, args: &Cat) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    each_array(job, &args.inputs, |Next { input, position, source, array }| {
        let named = || source.clone();
        if args.array.is_some_and(|n| n != position) {
            array.finish().with_context(named)?;
            return Ok(());
        }
        let (n_rows, n_columns) = array.matrix_shape().with_context(named)?;
        let double = array.kind().is_double();
        let (held, labels) = if array.parts().is_some() {
            (None, array.finish().with_context(named)?)
        } else {
            let (matrix, labels) = hold(array, &source)?.into_matrix().with_context(named)?;
            (Some(matrix), labels)
        };
        parts.push(Part { source, input: input.clone(), position, held, n_rows, n_columns, double, labels });
        Ok(())
    })?;
    Ok(parts)
}

/// Hands the rows of a part on, block by block. Its file is opened anew: a thousand shards need not be open at a time.
fn stream(job: &Job, part: &Part, mut to: impl FnMut(Block) -> Result<(), NpyError>) -> Result<()> {
    if let Some(matrix) = &part.held {
        return Ok(to(matrix.view())?);
    }
    let mut arrays = Stream::open(job, &part.input)?;
    while let Some(Next { position, mut array, .. }) = arrays.next_array()? {
        if position == part.position {
            let block_rows = array.rows_within(BLOCK_BYTES);
            while let Some(block) = array.next_rows(block_rows)? {
                to(block)?;
            }
            return Ok(());
        }
        array.finish()?;
    }
    bail!("changed while it was read: array {} is gone", part.position)
}

/// Where any input is a shard, all must be, each once; they are put in their order.
fn order_shards(job: &Job, parts: &mut Vec<Part>) -> Result<()> {
    let mut shards = Vec::new();
    for part in parts.iter() {
        shards.push(match part.input.path() {
            Some(path) => Shard::of_file(path)?,
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

/// Each row of the table exactly once: the joined row of each, in the order of the table; the k-th of an id there is the
/// k-th of its joined rows.
fn prove_complete(ids: &[String], labels: Option<&[String]>, table: &str) -> Result<Vec<usize>> {
    let Some(labels) = labels else {
        bail!("the rows have no ids; {table} cannot prove them complete");
    };
    let mut listed: HashMap<&str, usize> = HashMap::new();
    ids.iter().for_each(|id| *listed.entry(id).or_default() += 1);
    let mut rows_of: HashMap<&str, Vec<usize>> = HashMap::new();
    for (row, label) in labels.iter().enumerate() {
        let rows = rows_of.entry(label).or_default();
        rows.push(row);
        if let Some(&n) = listed.get(label.as_str()).filter(|n| rows.len() > **n) {
            let times = if n == 1 { "once".to_string() } else { format!("{n} times") };
            bail!("{label:?} is there {} times (joined rows {rows:?}); {table} has it {times}", rows.len());
        }
    }
    let mut taken: HashMap<&str, usize> = HashMap::new();
    let mut order: Vec<Option<usize>> = Vec::with_capacity(ids.len());
    for id in ids {
        let k = taken.entry(id).or_default();
        order.push(rows_of.get(id.as_str()).and_then(|rows| rows.get(*k)).copied());
        *k += 1;
    }
    let missing: Vec<&String> = ids.iter().zip(&order).filter(|(_, row)| row.is_none()).map(|(id, _)| id).collect();
    if let Some(first) = missing.first() {
        bail!("{} of {} stimuli of {table} are missing, the first {first:?}", missing.len(), ids.len());
    }
    if labels.len() > ids.len() {
        let known: HashSet<&String> = ids.iter().collect();
        let foreign = labels.iter().find(|l| !known.contains(l)).cloned().unwrap_or_default();
        bail!("{} rows for {} stimuli of {table}; {foreign:?} is not among them", labels.len(), ids.len());
    }
    Ok(order.into_iter().flatten().collect())
}

fn permuted(job: &Job, mut out: Output, parts: &[Part], order: &[usize], ids: &[String]) -> Result<()> {
    let (n_columns, double) = (parts[0].n_columns, parts.iter().any(|p| p.double));
    let bytes = order.len() as u128 * n_columns as u128 * if double { 8 } else { 4 };
    let what = format!("{} x {n_columns} values in the order of the table", order.len());
    require_memory(what, bytes, "join the shards without --stimuli, which needs no memory")?;
    // Where in the output each joined row stands.
    let mut place = vec![0; order.len()];
    order.iter().enumerate().for_each(|(at, &row)| place[row] = at);
    let whole = match double {
        true => Matrix::F8(placed(job, parts, &place, n_columns)?),
        false => Matrix::F4(placed(job, parts, &place, n_columns)?),
    };
    job.note(format!("{} rows brought into the order of the table", order.len()));
    write_matrix(&mut out, &whole, Some(ids))?;
    out.commit(job)
}

/// The rows of all parts, each at its place.
fn placed<T: Float>(job: &Job, parts: &[Part], place: &[usize], n_columns: usize) -> Result<Array2<T>> {
    let mut whole = Array2::from_elem((place.len(), n_columns), T::from_f64(0.0));
    let mut row = 0;
    for part in parts {
        stream(job, part, |block| {
            for k in 0..block.n_rows() {
                let mut to = whole.row_mut(place[row]);
                match block {
                    Block::F4(b) => to.zip_mut_with(&b.row(k), |to, v| *to = T::from_f64(f64::from(*v))),
                    Block::F8(b) => to.zip_mut_with(&b.row(k), |to, v| *to = T::from_f64(*v)),
                }
                row += 1;
            }
            Ok(())
        })
        .with_context(|| part.source.clone())?;
    }
    Ok(whole)
}
