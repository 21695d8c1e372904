//! `npy stack`: tables of results below each other.

use crate::path_columns::PathColumns;
use anyhow::{Context, Result, anyhow, bail};
use array_inputs::read_table;
use cli::{Cell, Common, Format, Input, Job, Named, TableWriter};
use std::str::FromStr;
use stimulus_table::{Condition, Table, level};

/// Tables below each other, with columns from the names of their files
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For what a Makefile or a job array writes in many files. All tables must have the same columns, in
any order; --columns takes those that are wanted, from each, and --fill leaves the cells empty that
a table has no column for. Cells stay as they are written.

--path says what the names of the files tell: the path has to end in the pattern, in one way, and
each {name} becomes a column, before those of the tables.

Examples:
  npy stack scores/*.csv > scores.csv
  npy stack --path '{region}-t{threshold}.csv' --where role=summary gaps/*.csv > gaps.csv
  npy stack --columns model,region=array,r --path 'scores/{run}.csv' scores/*.csv > short.csv")]
pub(crate) struct Stack {
    /// CSV or TSV tables with a header line; - is stdin
    #[arg(default_value = "-")]
    tables: Vec<Input>,
    /// Columns from the end of each path, names in braces: '{model}/{region}-t{threshold}.csv'
    #[arg(long, value_name = "PATTERN")]
    path: Option<PathColumns>,
    /// COLUMN=VALUE[,VALUE...], a value with a comma alone and in quotes; given again, all must hold
    #[arg(long = "where", id = "conditions", value_name = "COLUMN=VALUES")]
    conditions: Vec<Condition>,
    /// Columns to write, in this order; NEW=OLD also renames [default: all]
    #[arg(long, value_name = "COLUMN,..", value_delimiter = ',')]
    columns: Vec<Renamed>,
    /// Tables may lack columns of the others: their cells are empty there. Columns are in the order in which they
    /// first stand
    #[arg(long)]
    fill: bool,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// A column, and what it is called in the output.
#[derive(Debug, Clone)]
struct Renamed {
    new: String,
    old: String,
}

impl FromStr for Renamed {
    type Err = String;

    fn from_str(text: &str) -> Result<Renamed, String> {
        let (new, old) = text.split_once('=').unwrap_or((text, text));
        match new.is_empty() || old.is_empty() {
            true => Err("expected COLUMN or NEW=OLD".into()),
            false => Ok(Renamed { new: new.into(), old: old.into() }),
        }
    }
}

/// A table, and the cells that its path gives to each of its rows.
struct Part {
    table: Table,
    source: String,
    of_path: Vec<String>,
}

impl Part {
    /// The cell of a row in a column of the path or of the table; with `fill` empty where it has no such column.
    fn cell(&self, path_names: &[&str], column: &str, row: usize, fill: bool) -> Result<&str> {
        if let Some(place) = path_names.iter().position(|name| *name == column) {
            return Ok(&self.of_path[place]);
        }
        if fill && !self.table.has(column) {
            return Ok("");
        }
        let cells = self.table.column(column).with_context(|| self.source.clone())?;
        Ok(&cells[row])
    }
}

pub(crate) fn run(args: &Stack) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let path_names: Vec<&str> = args.path.iter().flat_map(PathColumns::names).collect();
    let mut parts: Vec<Part> = Vec::with_capacity(args.tables.len());
    for input in &args.tables {
        let source = input.to_string();
        let of_path = match &args.path {
            Some(pattern) => pattern.cells(&source).map_err(|why| anyhow!("--path: {why}"))?,
            None => Vec::new(),
        };
        let table = read_table(&job, input)?;
        if let Some(name) = path_names.iter().find(|name| table.has(name)) {
            bail!("{source}: has a column {name:?} already; call it otherwise in --path");
        }
        parts.push(Part { table, source, of_path });
    }
    let columns = columns(args, &path_names, &parts)?;
    let rows = rows(args, &path_names, &parts)?;

    let names: Vec<&str> = columns.iter().map(|column| column.new.as_str()).collect();
    let out = job.text_output(args.common.output.as_deref())?;
    let mut table = TableWriter::new(out, args.format, &names)?;
    for &(part, row) in &rows {
        let mut cells: Vec<Named> = Vec::with_capacity(columns.len());
        for Renamed { new, old } in &columns {
            let text = parts[part].cell(&path_names, old, row, args.fill)?;
            cells.push((new, if args.format == Format::Jsonl { Cell::read(text) } else { text.into() }));
        }
        table.record(&cells)?;
    }
    let n_rows: usize = parts.iter().map(|part| part.table.n_rows()).sum();
    job.note(format!("kept {} of {n_rows} rows of {} tables", rows.len(), parts.len()));
    table.into_inner().commit(&job)
}

/// The columns of the output: those asked for, or those of the path and of the tables, which then have to be the same
/// in all.
fn columns(args: &Stack, path_names: &[&str], parts: &[Part]) -> Result<Vec<Renamed>> {
    let mut columns = args.columns.clone();
    if columns.is_empty() && args.fill {
        for name in
            path_names.iter().copied().chain(parts.iter().flat_map(|part| part.table.names()).map(String::as_str))
        {
            if columns.iter().all(|column| column.old != name) {
                columns.push(Renamed { new: name.into(), old: name.into() });
            }
        }
    } else if columns.is_empty() {
        let first = &parts[0];
        for part in &parts[1..] {
            let missing =
                |has: &Part, lacks: &Part| has.table.names().iter().find(|name| !lacks.table.has(name)).cloned();
            for (has, lacks) in [(first, part), (part, first)] {
                if let Some(name) = missing(has, lacks) {
                    bail!(
                        "{} has a column {name:?} and {} has none ({} and {} columns); --columns takes some of those \
                         that all have, --fill leaves cells empty",
                        has.source,
                        lacks.source,
                        has.table.names().len(),
                        lacks.table.names().len()
                    );
                }
            }
        }
        let all = path_names.iter().map(|name| name.to_string()).chain(first.table.names().iter().cloned());
        columns = all.map(|name| Renamed { new: name.clone(), old: name }).collect();
    }
    if let Some((_, twice)) = columns.iter().enumerate().find(|(k, c)| columns[..*k].iter().any(|b| b.new == c.new)) {
        bail!("--columns has {:?} twice; NEW=OLD gives one of them another name", twice.new);
    }
    let wheres = args.conditions.iter().map(|condition| condition.column.as_str());
    let wanted = columns.iter().map(|column| column.old.as_str()).chain(wheres.filter(|_| args.fill));
    for name in wanted.filter(|name| !path_names.contains(name)) {
        // What no table has is a slip of the pen, not a column to fill.
        let with = parts.iter().find(|part| part.table.has(name)).filter(|_| args.fill);
        for part in parts.iter().filter(|_| with.is_none()) {
            part.table.column(name).with_context(|| part.source.clone())?;
        }
    }
    Ok(columns)
}

/// The rows for which all conditions hold: the number of their table, and theirs in it.
fn rows(args: &Stack, path_names: &[&str], parts: &[Part]) -> Result<Vec<(usize, usize)>> {
    let mut rows: Vec<(usize, usize)> =
        parts.iter().enumerate().flat_map(|(k, part)| (0..part.table.n_rows()).map(move |row| (k, row))).collect();
    for condition in &args.conditions {
        let levels: Vec<String> = rows
            .iter()
            .map(|&(part, row)| Ok(level(parts[part].cell(path_names, &condition.column, row, args.fill)?).to_string()))
            .collect::<Result<_>>()?;
        if let Some(unknown) = condition.unknown_among(&levels) {
            bail!("--where \"{condition}\": {unknown}");
        }
        rows = rows.into_iter().zip(&levels).filter(|(_, level)| condition.holds(level)).map(|(row, _)| row).collect();
    }
    Ok(rows)
}
