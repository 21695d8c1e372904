//! `npy cols`: some of the columns, by index, by name, as a table of units names them, or at random.

use crate::blocks::{BLOCK_BYTES, dtype_of};
use crate::list::List;
use anyhow::{Context, Result, bail, ensure};
use array_inputs::{Called, Names, Next, each_array, read_table, require_room};
use cli::{Common, Input, Job};
use ndarray::Axis;
use npy_stream::{Block, Labels, RowWriter};
use serde_json::{Value, json};
use statistics::Draws;
use std::collections::HashSet;
use std::str::FromStr;
use stimulus_table::Table;
use unit_tables::{Arrays, SetArgs, Sought, require_same_columns, units_of};

/// Keep columns: by index or range, by name, the `unit` or `voxel` column of a table, or at random
#[derive(Debug, clap::Args)]
#[command(after_help = "\
LIST is indices and half-open ranges from 0: 0,5,10:20 is 0, 5 and 10 to 19. TABLE is what
select-units or fmri-roi define wrote. Of its rows those count whose column `array` names the matrix
(its name, or its file's stem), or what --array says; units of another array are refused. A matrix
from a pipe that has no name takes a table about one array. A pipe brings names last: where they must
be known first (--name, or a table about several arrays) its matrix is held in memory. Of a table
with several contrasts or folds, --contrast and --fold choose one.

--random N keeps N of the columns, drawn without replacement and in ascending order, of every array:
of those of --units, --index or --name, with --without of all others, else of all. The draw depends
on the seed and on which columns there are to draw from, so that two files of one layer keep the same
ones; they stand in the sidecar (`random`). --random matched, with --without, draws as many as are
named.

Examples:
  npy cols --units face_units.csv acts.npy > face_acts.npy
  npy cols --units face_units.csv --without --random matched --seed 1 acts.npy > control.npy
  npy from-csv responses.csv | npy cols --name FFA_beta > one.npy")]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["index", "units", "name", "random"]))]
#[command(group = clap::ArgGroup::new("listed").args(["index", "units", "name"]))]
pub(crate) struct Cols {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    inputs: Vec<Input>,
    /// Columns by index
    #[arg(long, value_name = "LIST", conflicts_with_all = ["array", "contrast", "fold"])]
    index: Option<List>,
    /// Columns by their name (may be given again), in this order
    #[arg(long, value_name = "NAME", conflicts_with_all = ["array", "contrast", "fold"])]
    name: Vec<String>,
    /// Columns by the `unit` (or `voxel`) column of this table
    #[arg(long, value_name = "TABLE")]
    units: Option<Input>,
    /// The `array` of the table whose rows count [default: the name of the matrix]
    #[arg(long, value_name = "NAME", requires = "units")]
    array: Option<String>,
    #[command(flatten)]
    set: SetArgs,
    /// All columns but these
    #[arg(long, requires = "listed")]
    without: bool,
    /// So many of the columns, drawn at random; matched: as many as --units or --index names
    #[arg(long, value_name = "N|matched", requires_ifs = [("matched", "listed"), ("matched", "without")])]
    random: Option<HowMany>,
    /// What --random draws from
    #[arg(long, value_name = "N", default_value_t = 0, requires = "random")]
    seed: u64,
    #[command(flatten)]
    common: Common,
}

/// The name of a piped array stands behind its rows, and was another than the table was read for.
const SEVERAL_NAMES: &str =
    "its name stands behind its rows in a pipe, and the table means other columns by it; give a file";

/// How many columns are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HowMany {
    Number(usize),
    /// As many as are named.
    Matched,
}

impl FromStr for HowMany {
    type Err = String;

    fn from_str(text: &str) -> Result<HowMany, String> {
        let number = || text.parse().ok().filter(|&n| n > 0).map(HowMany::Number);
        match text {
            "matched" => Ok(HowMany::Matched),
            _ => number().ok_or_else(|| "expected a whole number from 1, or matched".into()),
        }
    }
}

pub(crate) fn run(args: &Cols) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let set = |input: &Input| args.set.of(read_table(&job, input)?).with_context(|| input.to_string());
    let table = args.units.as_ref().map(set).transpose()?;
    if args.random.is_some() {
        job.record("seed", args.seed);
    }
    let mut drawn = Vec::new();
    let mut out = job.binary_output(args.common.output.as_deref())?;
    let mut n_before = 0;
    // As select-units calls them, whose table it may be.
    let mut names = Names::new(&[]).of_files(&args.inputs);
    each_array(&job, &args.inputs, |next| {
        let source = next.source.clone();
        n_before += 1;
        keep(&job, args, table.as_ref(), next, (n_before - 1, &mut names), (&mut out, &mut drawn))
            .with_context(|| source)
    })?;
    if args.random.is_some() {
        job.record("random", drawn);
    }
    out.commit(&job)
}

/// `n_before` arrays came before this one, in all inputs; `drawn` takes what the sidecar says of the draw.
fn keep(
    job: &Job,
    args: &Cols,
    table: Option<&Table>,
    next: Next,
    (n_before, names): (usize, &mut Names),
    (out, drawn): (&mut cli::Output, &mut Vec<Value>),
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
    // What comes last may be another name than was expected, and then another array of the table.
    let of_units = |labels: Option<&Labels>, names: &mut Names| match (table, &args.units) {
        (Some(table), Some(units)) => {
            let called = Called::new(input, position, labels.and_then(|labels| labels.name.as_deref()));
            let shown = names.next(&called)?;
            let sought = Sought { names: &names.in_tables(&shown, &called), position: n_before, alone: false };
            let of_array = units_of(table, sought, args.array.as_deref())
                .and_then(|of| {
                    let columns = labels.and_then(|labels| labels.columns.as_deref());
                    require_same_columns(table, &of, n_columns, columns).map(|()| of)
                })
                .with_context(|| units.to_string())?;
            Ok::<_, anyhow::Error>(Some((of_array.units, of_array.note)))
        }
        _ => Ok(None),
    };
    let known = ahead.as_ref().and_then(|labels| labels.name.as_deref());
    let units = match &ahead {
        Some(labels) => of_units(Some(labels), names)?,
        None => of_units(None, &mut names.clone())?,
    };
    let mut columns = match (&units, &args.index) {
        (Some((columns, _)), _) => columns.clone(),
        (None, Some(list)) => list.of(n_columns),
        (None, None) if args.name.is_empty() => (0..n_columns).collect(),
        (None, None) => of_names(&args.name, ahead.as_ref(), n_columns)?,
    };
    if let Some(&column) = columns.iter().find(|&&c| c >= n_columns) {
        let name = known.map_or_else(|| input.array_name(position), str::to_owned);
        bail!(
            "column {column} is asked for, but array {name:?} has {n_columns} (0 to {})",
            n_columns.saturating_sub(1)
        );
    }
    let n_listed = columns.len();
    if args.without {
        let left_out: HashSet<usize> = columns.into_iter().collect();
        columns = (0..n_columns).filter(|c| !left_out.contains(c)).collect();
    }
    if let Some(asked) = args.random {
        let n = match asked {
            HowMany::Number(n) => n,
            HowMany::Matched => n_listed,
        };
        columns = draw(columns, n, args.seed)?;
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
    let units = match ahead {
        Some(_) => units,
        None => {
            let now = of_units(Some(&labels), names)?;
            let before = units.map(|(columns, _)| columns);
            ensure!(now.as_ref().map(|(columns, _)| columns) == before.as_ref(), "{}", SEVERAL_NAMES);
            now
        }
    };
    units.and_then(|(_, note)| note).into_iter().for_each(|note| job.note(note));
    if args.random.is_some() {
        let name = labels.name.clone().unwrap_or_else(|| input.array_name(position));
        drawn.push(json!({ "array": name, "columns": columns }));
    }
    job.note(format!("{source}: kept {} of {n_columns} columns", columns.len()));
    let names = labels.columns.as_ref().map(|names| columns.iter().map(|&column| names[column].clone()).collect());
    writer.finish(&Labels { columns: names, ..labels })?;
    Ok(())
}

/// `n` of these columns without replacement, ascending.
fn draw(mut columns: Vec<usize>, n: usize, seed: u64) -> Result<Vec<usize>> {
    columns.sort_unstable();
    columns.dedup();
    ensure!(n <= columns.len(), "--random: {n} columns are asked for, and there are {} to draw from", columns.len());
    let mut chosen: Vec<usize> =
        Draws::new(seed).permutation(columns.len()).into_iter().take(n).map(|place| columns[place]).collect();
    chosen.sort_unstable();
    Ok(chosen)
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
