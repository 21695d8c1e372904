//! `npy cols`: some of the columns, by index or as a table of units names them.

use crate::blocks::{BLOCK_BYTES, dtype_of};
use crate::list::List;
use anyhow::{Context, Result, bail};
use array_inputs::{Next, each_array, read_table};
use cli::{Common, Input, Job};
use ndarray::Axis;
use npy_stream::{Block, RowWriter};
use std::collections::HashSet;
use stimulus_table::Table;
use unit_tables::{Sought, units_of};

/// Keep columns: by index or range, or the `unit` or `voxel` column of a table
#[derive(Debug, clap::Args)]
#[command(after_help = "\
LIST is indices and half-open ranges from 0: 0,5,10:20 is 0, 5 and 10 to 19. TABLE is what
select-units or fmri-roi define wrote. Of its rows those count whose column `array` names the matrix
(its file's stem), or what --array says; units of another array are refused. A matrix from a pipe
has no name and takes a table about one array.

Examples:
  npy cols --units face_units.csv acts.npy > face_acts.npy
  npy cols --units face_units.csv --without acts.npy > other_acts.npy
  npy cols --index 0:3 acts.npy > first.npy")]
#[command(group = clap::ArgGroup::new("which").required(true).args(["index", "units"]))]
pub(crate) struct Cols {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    inputs: Vec<Input>,
    /// Columns by index
    #[arg(long, value_name = "LIST")]
    index: Option<List>,
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
    let name = input.array_name(position);
    let mut columns = match (table, &args.index, &args.units) {
        (Some(table), _, Some(units)) => of_table(job, args, table, units, &name, n_before)?,
        (_, Some(list), _) => list.of(n_columns),
        _ => bail!("one of --index and --units is needed"),
    };
    if let Some(&column) = columns.iter().find(|&&c| c >= n_columns) {
        bail!(
            "column {column} is asked for, but array {name:?} has {n_columns} (0 to {})",
            n_columns.saturating_sub(1)
        );
    }
    if args.without {
        let left_out: HashSet<usize> = columns.into_iter().collect();
        columns = (0..n_columns).filter(|c| !left_out.contains(c)).collect();
    }
    job.note(format!("{source}: kept {} of {n_columns} columns", columns.len()));
    let mut writer = RowWriter::new(out, n_rows, columns.len(), dtype_of(&array))?;
    let block_rows = array.rows_within(BLOCK_BYTES);
    while let Some(block) = array.next_rows(block_rows)? {
        match block {
            Block::F4(rows) => writer.write_rows(rows.select(Axis(1), &columns).view())?,
            Block::F8(rows) => writer.write_rows(rows.select(Axis(1), &columns).view())?,
        }
    }
    writer.finish(array.finish()?.as_deref())?;
    Ok(())
}

/// The units that the table names for this array, each once.
fn of_table(job: &Job, args: &Cols, table: &Table, source: &Input, name: &str, position: usize) -> Result<Vec<usize>> {
    let array = Sought { name, position, alone: false };
    let of_array = units_of(table, array, args.array.as_deref()).with_context(|| source.to_string())?;
    of_array.note.into_iter().for_each(|note| job.note(note));
    Ok(of_array.units)
}
