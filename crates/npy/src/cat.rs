//! `npy cat`: matrices below each other or side by side, or one array of a stream.

mod tables;

use crate::blocks::{BLOCK_BYTES, write};
use anyhow::{Context, Result, bail};
use array_inputs::{JoinArgs, Next, Stream, Whole, each_array, hold, read_table, require_room};
use cli::{Common, Input, Job, Output, PartOf, Shard, require_memory};
use ndarray::{Array2, s};
use npy_stream::{
    Array, Block, Dtype, Float, Incoming, Labels, Matrix, NpyError, RowWriter, write_array, write_matrix,
};
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use stimulus_table::Side;

/// Join matrices below each other (rows) or side by side (columns, by id); shards must be complete
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Rows are joined in the order given, labels with them; all inputs need the same columns. With
--columns the rows are joined by id. Files that a --shard run wrote say so in their sidecar: then
every shard must be there once, they are put in order, and what is missing is listed as sbatch
--array= takes it. Tables (.csv, .tsv) of such a run are joined row by row; they need the same header. --stimuli proves completeness by id instead: every stimulus exactly once, in the
order of the table. `cat` of the shell puts arrays back to back; --array takes one out, a matrix or
an RDM, by its place in the stream or by its name.

Names of columns are kept where all inputs have the same ones; others are an error. The name of the
arrays is kept where they have one name between them (--columns: a matrix of one column without a
name gives the column its own).

Examples:
  npy cat acts-*.npy > acts.npy
  npy cat --columns layer3.npy layer4.npy > both.npy
  cat sub-*/ffa.npy | npy cat --array 1 > second.npy")]
pub(crate) struct Cat {
    /// .npy streams, or tables; - is stdin
    #[arg(default_value = "-")]
    inputs: Vec<Input>,
    /// Side by side: the columns of all inputs, rows joined by id
    #[arg(long)]
    columns: bool,
    /// Only array N (from 0) of each input, or the one of this name
    #[arg(long, value_name = "N|NAME", conflicts_with = "columns")]
    array: Option<Wanted>,
    /// Make matrices of arrays of three or more axes: the first are the rows, the others (in C order)
    /// the columns
    #[arg(long)]
    reshape: bool,
    /// Table of all stimuli (or of all presentations, an id as often as it is a row): each must be there exactly once;
    /// rows are put in its order
    #[arg(long, value_name = "TABLE", conflicts_with = "columns")]
    stimuli: Option<Input>,
    #[command(flatten)]
    join: JoinArgs,
    #[command(flatten)]
    common: Common,
}

/// Which array of an input.
#[derive(Debug, Clone)]
enum Wanted {
    Place(usize),
    Name(String),
}

impl FromStr for Wanted {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Wanted, Infallible> {
        Ok(text.parse().map_or_else(|_| Wanted::Name(text.to_owned()), Wanted::Place))
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Place(place) => write!(f, "array {place}"),
            Wanted::Name(name) => write!(f, "array called {name:?}"),
        }
    }
}

pub(crate) fn run(args: &Cat) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    match (tables::are_tables(&args.inputs), args.columns) {
        (true, _) => tables::below(&job, args),
        (false, true) => side_by_side(&job, args),
        (false, false) => below(&job, args),
    }
}

fn side_by_side(job: &Job, args: &Cat) -> Result<()> {
    let mut out = job.binary_output(args.common.output.as_deref())?;
    let named: Vec<(String, &Input)> = args.inputs.iter().map(|input| (input.to_string(), input)).collect();
    let files: Vec<(&str, &Input)> = named.iter().map(|(name, input)| (name.as_str(), *input)).collect();
    let inputs: Vec<Input> = match shards(job, &files)? {
        None => args.inputs.clone(),
        Some(Shards { columns: false, .. }) => {
            bail!("these are shards of the rows of a matrix; put them below each other, without --columns")
        }
        Some(Shards { order, .. }) => order.into_iter().map(|i| args.inputs[i].clone()).collect(),
    };
    let mut parts: Vec<(Whole, Vec<usize>)> = Vec::new();
    let mut names: Vec<Labels> = Vec::new();
    // The ids and the number of the rows so far.
    let mut source = String::new();
    let (mut labels, mut n_rows): (Option<Vec<String>>, usize) = (None, 0);
    each_array(job, &inputs, |Next { source: name, mut array, .. }| {
        flatten(args, &mut array, &name)?;
        let (whole, own) = Whole::take(array, &name)?;
        let own_rows = whole.n_rows();
        let ids = own.ids.clone();
        names.push(own);
        if parts.is_empty() {
            (source, labels, n_rows) = (name, ids, own_rows);
            parts.push((whole, (0..own_rows).collect()));
            return Ok(());
        }
        let left = Side { name: &source, labels: labels.as_deref(), n_rows };
        let right = Side { name: &name, labels: ids.as_deref(), n_rows: own_rows };
        let rows = args.join.join(job, left, right)?;
        labels = rows.labels(&left, &right);
        n_rows = rows.left.len();
        parts.iter_mut().for_each(|(_, kept)| *kept = rows.left.iter().map(|&row| kept[row]).collect());
        parts.push((whole, rows.right));
        source = "the columns so far".into();
        Ok(())
    })?;
    let labels = Labels { ids: labels, ..beside(job, &names, &parts) };
    match parts.iter().any(|(whole, _)| whole.is_double()) {
        true => write_columns::<f64>(&mut out, &parts, n_rows, &labels)?,
        false => write_columns::<f32>(&mut out, &parts, n_rows, &labels)?,
    }
    out.commit(job)
}

/// The names of columns that stand side by side: where all have one. The column of a matrix of one column is called as
/// the matrix is, if it has no name of its own; the whole is called as all its parts are.
fn beside(job: &Job, labels: &[Labels], parts: &[(Whole, Vec<usize>)]) -> Labels {
    let of_part = |(labels, (whole, _)): (&Labels, &(Whole, Vec<usize>))| match (&labels.columns, whole.n_columns()) {
        (Some(names), _) => Some(names.clone()),
        (None, 1) => labels.name.clone().map(|name| vec![name]),
        (None, 0) => Some(Vec::new()),
        _ => None,
    };
    let named: Vec<Option<Vec<String>>> = labels.iter().zip(parts).map(of_part).collect();
    let n_without = named.iter().filter(|names| names.is_none()).count();
    if n_without > 0 && labels.iter().any(|labels| labels.columns.is_some()) {
        job.note(format!("{n_without} of {} matrices have no names of columns, so the whole has none", named.len()));
    }
    let columns = named.into_iter().collect::<Option<Vec<_>>>().map(|names| names.concat());
    let name = labels[0].name.clone().filter(|name| labels.iter().all(|other| other.name.as_ref() == Some(name)));
    Labels { ids: None, columns: columns.filter(|names| !names.is_empty()), name }
}

/// Makes a matrix of an array of more axes, where that was asked for.
fn flatten(args: &Cat, array: &mut Incoming, source: &str) -> Result<()> {
    if args.reshape && array.shape().len() > 2 {
        // In Fortran order it is read for that.
        if array.is_fortran() {
            require_room(array, source, 0)?;
        }
        array.flatten().with_context(|| source.to_string())?;
    }
    Ok(())
}

/// Some rows at a time: of each matrix those of the join, side by side.
fn write_columns<T: Float>(
    out: &mut Output,
    parts: &[(Whole, Vec<usize>)],
    n_rows: usize,
    labels: &Labels,
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
    labels: Labels,
}

fn below(job: &Job, args: &Cat) -> Result<()> {
    let mut out = job.binary_output(args.common.output.as_deref())?;
    let Scanned { mut parts, others, seen } = scan(job, args)?;
    let picked =
        |input: &Input| parts.iter().any(|part| part.input == *input) || others.iter().any(|(other, _)| other == input);
    if let (Some(wanted), Some(input)) = (&args.array, args.inputs.iter().find(|input| !picked(input))) {
        let of_it: Vec<&str> = seen.iter().filter(|(other, _)| other == input).map(|(_, name)| name.as_str()).collect();
        bail!("{input}: there is no {wanted} in it; its {} arrays are {}", of_it.len(), of_it.join(", "));
    }
    match (&others[..], &parts[..]) {
        ([(_, array)], []) => {
            write_array(&mut out, array)?;
            return out.commit(job);
        }
        ([], _) => {}
        ([(input, array), ..], _) => bail!(
            "{} arrays are taken, that of {input} of shape {:?}; only matrices can be joined: give one input",
            others.len() + parts.len(),
            array.shape
        ),
    }
    let Some(first) = parts.first() else { bail!("0 matrices") };
    if let Some(other) = parts.iter().find(|p| p.n_columns != first.n_columns) {
        bail!(
            "{} has {} columns and {} has {}; rows can only be joined at equal width (or --columns)",
            first.source,
            first.n_columns,
            other.source,
            other.n_columns
        );
    }
    if let Some(other) = parts.iter().find(|p| p.labels.ids.is_some() != first.labels.ids.is_some()) {
        let (with, without) = if first.labels.ids.is_some() { (first, other) } else { (other, first) };
        bail!(
            "{} has ids for its {} rows and {} has none for its {}; write them with `npy label`",
            with.source,
            with.n_rows,
            without.source,
            without.n_rows
        );
    }
    let are_shards = order_shards(job, &mut parts)?;
    let names = names_below(job, &parts, are_shards)?;
    let n_rows = parts.iter().map(|p| p.n_rows).sum();
    let n_columns = parts[0].n_columns;
    let double = parts.iter().any(|p| p.double);
    let all_ids = || parts.iter().flat_map(|part| part.labels.ids.iter().flatten().cloned()).collect();
    let labels = Labels { ids: parts[0].labels.ids.is_some().then(all_ids), ..names };
    if let Some(input) = &args.stimuli {
        let table = read_table(job, input)?;
        let ids = table.ids().with_context(|| input.to_string())?.1;
        let order = prove_complete(ids, labels.ids.as_deref(), &input.to_string())?;
        if order.windows(2).any(|w| w[0] > w[1]) {
            return permuted(job, args, out, &parts, &order, &labels.with_ids(Some(ids)));
        }
    }
    let mut writer = RowWriter::new(&mut out, n_rows, n_columns, if double { Dtype::F8 } else { Dtype::F4 })?;
    for part in &parts {
        stream(job, args, part, |block| write(&mut writer, block)).with_context(|| part.source.clone())?;
    }
    writer.finish(&labels)?;
    out.commit(job)
}

/// The names of columns of all parts, which have to be the same; the name of all arrays, if that is one.
fn names_below(job: &Job, parts: &[Part], are_shards: bool) -> Result<Labels> {
    let named: Vec<(&Part, &Vec<String>)> =
        parts.iter().filter_map(|part| part.labels.columns.as_ref().map(|names| (part, names))).collect();
    if let Some((first, names)) = named.first()
        && let Some((other, theirs)) = named.iter().find(|(_, theirs)| theirs != names)
    {
        let column = names.iter().zip(*theirs).position(|(a, b)| a != b).unwrap_or(0);
        bail!(
            "column {column} is {:?} in {} and {:?} in {}; rows can only be joined under the same names (choose the \
             columns with `npy cols --name`)",
            names[column],
            first.source,
            theirs[column],
            other.source
        );
    }
    let n_named = named.len();
    if (1..parts.len()).contains(&n_named) {
        job.note(format!("{n_named} of {} matrices have names of columns; the whole has none", parts.len()));
    }
    let columns = named.first().filter(|_| n_named == parts.len()).map(|(_, names)| (*names).clone());
    let own = |part: &Part| part.labels.name.clone();
    let name = own(&parts[0]);
    // Rows of two arrays below each other are neither of them; but shards are of one.
    let other = parts.iter().find(|part| own(part) != name);
    if let (Some(mine), Some(other)) = (&name, other)
        && let Some(theirs) = own(other)
    {
        let (first, second) = (&parts[0].source, &other.source);
        if are_shards {
            bail!("{first} is a shard of {mine:?} and {second} of {theirs:?}; join the shards of one array");
        }
        job.note(format!("{first} is called {mine:?} and {second} {theirs:?}; the whole has no name"));
    }
    Ok(Labels { ids: None, columns, name: name.filter(|_| other.is_none()) })
}

/// What there is to join.
struct Scanned {
    parts: Vec<Part>,
    /// What was picked and is no matrix.
    others: Vec<(Input, Array)>,
    /// What all arrays are called, for the message that there is no such.
    seen: Vec<(Input, String)>,
}

/// Shapes and labels of all matrices; what lies in a file is read when it is written.
fn scan(job: &Job, args: &Cat) -> Result<Scanned> {
    let Scanned { mut parts, mut others, mut seen } = Scanned { parts: vec![], others: vec![], seen: vec![] };
    let mut first_of_name: Option<(Input, usize)> = None;
    each_array(job, &args.inputs, |Next { input, position, source, mut array }| {
        let named = || source.clone();
        flatten(args, &mut array, &source)?;
        let is_wanted = match &args.array {
            None => true,
            Some(Wanted::Place(place)) => *place == position,
            Some(Wanted::Name(wanted)) => {
                // A pipe brings its name last.
                if array.parts().is_none() {
                    require_room(&array, &source, 0)?;
                }
                array.hold().with_context(named)?;
                let own = array.labels_ahead().with_context(named)?.and_then(|labels| labels.name);
                let name = own.unwrap_or_else(|| input.array_name(position));
                let is_it = name == *wanted;
                seen.push((input.clone(), format!("{name:?}")));
                if is_it && let Some((_, first)) = first_of_name.as_ref().filter(|(other, _)| other == input) {
                    bail!("{input}: arrays {first} and {position} are both called {wanted:?}; take one by its number");
                }
                if is_it {
                    first_of_name = Some((input.clone(), position));
                }
                is_it
            }
        };
        if let Some(Wanted::Place(_)) = args.array {
            seen.push((input.clone(), position.to_string()));
        }
        if !is_wanted {
            array.finish().with_context(named)?;
            return Ok(());
        }
        if args.array.is_some() && array.shape().len() != 2 {
            others.push((input.clone(), hold(array, &source)?));
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
    Ok(Scanned { parts, others, seen })
}

/// Hands the rows of a part on, block by block. Its file is opened anew: a thousand shards need not be open at a time.
fn stream(job: &Job, args: &Cat, part: &Part, mut to: impl FnMut(Block) -> Result<(), NpyError>) -> Result<()> {
    if let Some(matrix) = &part.held {
        return Ok(to(matrix.view())?);
    }
    let mut arrays = Stream::open(job, &part.input)?;
    while let Some(Next { position, mut array, .. }) = arrays.next_array()? {
        if position == part.position {
            flatten(args, &mut array, &part.source)?;
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

/// Where any input is a shard, all must be, each once; they are put in their order. Says whether they are.
fn order_shards(job: &Job, parts: &mut Vec<Part>) -> Result<bool> {
    let files: Vec<(&str, &Input)> = parts.iter().map(|part| (part.source.as_str(), &part.input)).collect();
    let Some(Shards { order, columns }) = shards(job, &files)? else { return Ok(false) };
    if columns {
        bail!("these are shards of the columns of a matrix; put them side by side, with --columns");
    }
    let mut taken: Vec<Option<Part>> = parts.drain(..).map(Some).collect();
    parts.extend(order.into_iter().filter_map(|i| taken[i].take()));
    Ok(true)
}

/// All shards of a whole.
struct Shards {
    /// The place of each among the files.
    order: Vec<usize>,
    /// Whether columns, not rows, were cut.
    columns: bool,
}

/// Where any file is a shard, all must be, each once.
fn shards(job: &Job, files: &[(&str, &Input)]) -> Result<Option<Shards>> {
    let mut found = Vec::new();
    for (_, input) in files {
        found.push(match input.path() {
            Some(path) => Shard::of_file(path)?,
            None => None,
        });
    }
    let known: Vec<(usize, &PartOf)> =
        found.iter().enumerate().filter_map(|(i, part)| Some((i, part.as_ref()?))).collect();
    let Some((first, one)) = known.first() else { return Ok(None) };
    if let Some(i) = found.iter().position(Option::is_none) {
        bail!("{} is no shard by its sidecar, but {} of {} inputs are", files[i].0, known.len(), files.len());
    }
    if let Some((other, _)) = known.iter().find(|(_, part)| part.whole != one.whole) {
        bail!(
            "{} and {} are shards of two different wholes: the inputs or options in their sidecars differ",
            files[*first].0,
            files[*other].0
        );
    }
    let order = Shard::complete(&known.iter().map(|(_, part)| part.shard).collect::<Vec<Shard>>())?;
    job.note(format!("all {} shards are there", order.len()));
    Ok(Some(Shards { order, columns: one.columns }))
}

/// Each row of the table exactly once: the joined row of each, in the order of the table; the k-th of an id is the
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

fn permuted(job: &Job, args: &Cat, mut out: Output, parts: &[Part], order: &[usize], labels: &Labels) -> Result<()> {
    let (n_columns, double) = (parts[0].n_columns, parts.iter().any(|p| p.double));
    let bytes = order.len() as u128 * n_columns as u128 * if double { 8 } else { 4 };
    let what = format!("{} x {n_columns} values in the order of the table", order.len());
    require_memory(what, bytes, "join the shards without --stimuli, which needs no memory")?;
    // Where in the output each joined row stands.
    let mut place = vec![0; order.len()];
    order.iter().enumerate().for_each(|(at, &row)| place[row] = at);
    let whole = match double {
        true => Matrix::F8(placed(job, args, parts, &place, n_columns)?),
        false => Matrix::F4(placed(job, args, parts, &place, n_columns)?),
    };
    job.note(format!("{} rows brought into the order of the table", order.len()));
    write_matrix(&mut out, &whole, labels)?;
    out.commit(job)
}

/// The rows of all parts, each at its place.
fn placed<T: Float>(job: &Job, args: &Cat, parts: &[Part], place: &[usize], n_columns: usize) -> Result<Array2<T>> {
    let mut whole = Array2::from_elem((place.len(), n_columns), T::from_f64(0.0));
    let mut row = 0;
    for part in parts {
        stream(job, args, part, |block| {
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
