//! `npy cols`: some of the columns, by index, by name, or as a table of units names them.

use crate::blocks::{BLOCK_BYTES, dtype_of};
use crate::list::List;
use anyhow::{Context, Result, bail};
use array_inputs::{Called, Next, each_array, read_table, require_room};
use cli::{Common, Input, Job};
use ndarray::Axis;
use npy_stream::{Block, Labels, RowWriter};
use std::collections::HashSet;
use stimulus_table::Table;
use unit_tables::{Arrays, Sought, units_of};

/// Keep columns: by index or range, by name, or the `unit` or `voxel` column of a table
#[derive(Debug, clap::Args)]
#[command(after_help = "\
LIST is indices and half-open ranges from 0: 0,5,10:20 is 0, 5 and 10 to 19. TABLE is what
select-units or fmri-roi define wrote. Of its rows those count whose column `array` names the matrix
(its name, or its file's stem), or what --array says; units of another array are refused. A matrix
from a pipe that has no name takes a table about one array. A pipe brings names last: where they must
be known first (--name, or a table about several arrays) its matrix is held in memory.

Examples:
  npy cols --units face_units.csv acts.npy > face_acts.npy
  npy cols --units face_units.csv --without acts.npy > other_acts.npy
  npy from-csv responses.csv | npy cols --name FFA_beta > one.npy")]
#[command(group = clap::ArgGroup::new("which").required(true).args(["index", "units", "name"]))]
pub(crate) struct Cols {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    inputs: Vec<Input>,
    /// Columns by index
    #[arg(long, value_name = "LIST")]
    index: Option<List>,
    /// Columns by their name (may be given again), in this order
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// Columns by the `unit` (or `voxel`) column of this table
    #[arg(long, value_name = "TABLE")]
    units: Option<Input>,
    /// The `array` of the table whose rows count [default: the name of the matrix]
    #[arg(long, value_name = "NAME", requires = "units")]
    array: Option<String>,
    /// All columns but these
    #[arg(long)]
    without: bool,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(args: &Cols) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let table = args.units.as_ref().map(|input| read_table(&job, input)).transpose()?;
    let mut out = job.binary_output(args.common.output.as_deref())?;
    let mut n_before = 0;
    each_array(&job, &args.inputs, |next| {
        let source = next.source.clone();
        n_before += 1;
        keep(&job, args, table.as_ref(), next, n_before - 1, &mut out).with_context(|| source)
    })?;
    out.commit(&job)
}

/// `n_before` arrays came before this one, in all inputs.
fn keep(
    job: &Job,
    args: &Cols,
    table: Option<&Table>,
    next: Next,
    n_before: usize,
    out: &mut cli::Output,
) -> Result<()> {
    let Next { input, position, source, mut array } = next;
    let (n_rows, n_columns) = array.matrix_shape()?;
    // One array's rows can be taken now, and looked at again when the name has come.
    let of_several = |table| Ok::<bool, anyhow::Error>(args.array.is_none() && Arrays::of(table)?.names().len() > 1);
    if !args.name.is_empty() || table.map_or(Ok(false), of_several)? {
        require_room(&array, &source, 0)?;
        array.hold()?;
    }
    let ahead = array.labels_ahead()?;
    let of_units = |own: Option<&str>| match (table, &args.units) {
        (Some(table), Some(units)) => {
            let called = Called::new(input, position, own);
            of_table(args, table, units, &called, n_before).map(Some)
        }
        _ => Ok(None),
    };
    let known = ahead.as_ref().and_then(|labels| labels.name.as_deref());
    let units = of_units(known)?;
    let mut columns = match (&units, &args.index) {
        (Some((columns, _)), _) => columns.clone(),
        (None, Some(list)) => list.of(n_columns),
        (None, None) => of_names(&args.name, ahead.as_ref(), n_columns)?,
    };
    if let Some(&column) = columns.iter().find(|&&c| c >= n_columns) {
        let name = known.map_or_else(|| input.array_name(position), str::to_owned);
        bail!(
            "column {column} is asked for, but array {name:?} has {n_columns} (0 to {})",
            n_columns.saturating_sub(1)
        );
    }
    if args.without {
        let left_out: HashSet<usize> = columns.into_iter().collect();
        columns = (0..n_columns).filter(|c| !left_out.contains(c)).collect();
    }
    let mut writer = RowWriter::new(out, n_rows, columns.len(), dtype_of(&array))?;
    let block_rows = array.rows_within(BLOCK_BYTES);
    while let Some(block) = array.next_rows(block_rows)? {
        match block {
            Block::F4(rows) => writer.write_rows(rows.select(Axis(1), &columns).view())?,
            Block::F8(rows) => writer.write_rows(rows.select(Axis(1), &columns).view())?,
        }
    }
    let labels = array.finish()?;
    // What a pipe brings last may be the name of another array than the table is about.
    let units = if ahead.is_none() { of_units(labels.name.as_deref())? } else { units };
    units.and_then(|(_, note)| note).into_iter().for_each(|note| job.note(note));
    job.note(format!("{source}: kept {} of {n_columns} columns", columns.len()));
    let names = labels.columns.as_ref().map(|names| columns.iter().map(|&column| names[column].clone()).collect());
    writer.finish(&Labels { columns: names, ..labels })?;
    Ok(())
}

/// The units that the table names for this array, each once, and what to say of them.
fn of_table(
    args: &Cols,
    table: &Table,
    source: &Input,
    called: &Called,
    position: usize,
) -> Result<(Vec<usize>, Option<String>)> {
    let shown = called.own.clone().unwrap_or_else(|| called.input.array_name(called.position));
    let array = Sought { names: &called.in_tables(&shown), position, alone: false };
    let of_array = units_of(table, array, args.array.as_deref()).with_context(|| source.to_string())?;
    Ok((of_array.units, of_array.note))
}

/// The columns of these names.
fn of_names(wanted: &[String], labels: Option<&Labels>, n_columns: usize) -> Result<Vec<usize>> {
    let Some(names) = labels.and_then(|labels| labels.columns.as_ref()) else {
        bail!("its {n_columns} columns have no names; take them by number, with --index");
    };
    let one = |wanted: &String| {
        let mut places = (0..names.len()).filter(|&column| names[column] == *wanted);
        match (places.next(), places.next()) {
            (Some(column), None) => Ok(column),
            (Some(column), Some(other)) => {
                bail!("columns {column} and {other} are both called {wanted:?}; take one by its number, with --index")
            }
            (None, _) => {
                let shown: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
                let more = if names.len() > shown.len() { ", ..." } else { "" };
                bail!("no column is called {wanted:?}; its {n_columns} are {}{more}", shown.join(", "))
            }
        }
    };
    wanted.iter().map(one).collect()
}
