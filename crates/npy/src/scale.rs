//! `npy scale`: columns or rows minus their mean, or as z scores.

use crate::blocks::dtype_of;
use anyhow::{Context, Result, bail, ensure};
use array_inputs::{JoinArgs, Next, Whole, each_array, read_levels, read_table};
use clap::ValueEnum;
use cli::{Common, Input, Job, Output};
use ndarray::Array2;
use npy_stream::{Dtype, Labels, RowWriter};
use statistics::Centre;
use std::collections::HashMap;
use std::io::Write;
use stimulus_table::TableJoin;

/// Subtract the mean from columns or rows, or bring them to mean 0 and standard deviation 1
#[derive(Debug, clap::Args)]
#[command(after_help = "\
columns: every unit or voxel over the rows (with --by, over the rows of each level: of each session).
rows: every picture's pattern over the units. Means are made in f64 by two passes; a value that differs
from its mean by rounding alone becomes 0.

--zscore divides by the standard deviation with n in the denominator, as scipy.stats.zscore and
numpy.std do (n - 1 would make the values smaller by a factor that is the same everywhere only where
all groups are of one size). A column (or row) that is constant, but for rounding, or holds a NaN has
no z score: it becomes NaN, and one line on stderr counts them. --center makes a constant 0.

With --by rows are joined with --stimuli by id; a table with one row per presentation is paired in the
order of each id's rows. A row without a level is an error.

A pipe, which brings its ids last, and a Fortran file are held in memory; of a file a block of columns
and the means.

Examples:
  npy scale --center columns acts.npy > centred.npy
  npy scale --zscore columns --by run --stimuli trials.csv betas.npy -o z.npy
  cat layer3.npy layer4.npy | npy scale --zscore rows > patterns.npy")]
#[command(group = clap::ArgGroup::new("how").required(true).args(["center", "zscore"]))]
pub(crate) struct Scale {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    inputs: Vec<Input>,
    /// Subtract the mean
    #[arg(long, value_enum, value_name = "AXIS")]
    center: Option<Axis>,
    /// Subtract the mean and divide by the standard deviation
    #[arg(long, value_enum, value_name = "AXIS")]
    zscore: Option<Axis>,
    /// Within each level of this column of --stimuli (columns only)
    #[arg(long, value_name = "COLUMN", requires = "stimuli")]
    by: Option<String>,
    /// Table of stimuli, or of presentations in the order of each id's rows, with the column of --by
    #[arg(long, value_name = "TABLE", requires = "by")]
    stimuli: Option<Input>,
    #[command(flatten)]
    join: JoinArgs,
    #[command(flatten)]
    common: Common,
}

/// What is scaled as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Axis {
    /// Every column over its rows
    Columns,
    /// Every row over its columns
    Rows,
}

/// Bytes of a block of columns, with all their rows in f64.
const COLUMN_BYTES: usize = 64 << 20;

pub(crate) fn run(args: &Scale) -> Result<()> {
    let how = match (args.center, args.zscore) {
        (Some(axis), _) => How { axis, zscore: false },
        (None, Some(axis)) => How { axis, zscore: true },
        (None, None) => bail!("one of --center and --zscore is needed"),
    };
    if let (Some(column), Axis::Rows) = (&args.by, how.axis) {
        bail!("--by {column} groups rows, over which columns are scaled; a row of `rows` stands for itself");
    }
    if args.by.is_none() && (args.join.assume_order || args.join.inner) {
        let option = if args.join.inner { "--inner" } else { "--assume-order" };
        bail!("{option} says how rows are joined with --stimuli, which is not given");
    }
    let job = Job::start("npy", &args.common)?;
    job.record(how.word(), how.axis.word());
    let levels = args.stimuli.as_ref().zip(args.by.as_ref());
    let levels = levels.map(|(input, column)| Levels::read(&job, input, column)).transpose()?;
    let mut out = job.binary_output(args.common.output.as_deref())?;
    each_array(&job, &args.inputs, |Next { source, array, .. }| {
        let dtype = dtype_of(&array);
        let (whole, labels) = Whole::take(array, &source)?;
        let n_rows = whole.n_rows();
        let group = match &levels {
            None => vec![Some(0); n_rows],
            Some(levels) => levels.of_rows(&job, &source, n_rows, labels.ids.as_deref(), args.join)?,
        };
        let rows: Vec<usize> = (0..n_rows).filter(|row| group[*row].is_some()).collect();
        let group: Vec<usize> = group.into_iter().flatten().collect();
        let ids = labels.ids.as_ref().map(|ids| rows.iter().map(|&row| ids[row].clone()).collect());
        let labels = Labels { ids, ..labels };
        let made = match how.axis {
            Axis::Columns => columns(&mut out, &whole, &rows, &group, dtype, how, &labels),
            Axis::Rows => each_row(&mut out, &whole, &rows, dtype, how, &labels),
        };
        made.with_context(|| source.clone())?.say(&job, &source, how, levels.as_ref());
        Ok(())
    })?;
    out.commit(&job)
}

#[derive(Clone, Copy)]
struct How {
    axis: Axis,
    zscore: bool,
}

impl How {
    fn word(self) -> &'static str {
        if self.zscore { "zscore" } else { "center" }
    }

    fn of(self, centre: &Centre, value: f64) -> f64 {
        if self.zscore { centre.zscore(value) } else { centre.centred(value) }
    }
}

impl Axis {
    fn word(self) -> &'static str {
        match self {
            Axis::Columns => "columns",
            Axis::Rows => "rows",
        }
    }
}

/// What has no mean, or no standard deviation.
#[derive(Default)]
struct Unusable {
    constant: usize,
    nan_input: usize,
    /// Of so many columns (of each group) or rows.
    of: usize,
}

impl Unusable {
    fn count(&mut self, centre: &Centre) {
        self.of += 1;
        self.nan_input += usize::from(centre.mean.is_nan());
        self.constant += usize::from(centre.is_constant());
    }

    fn say(&self, job: &Job, source: &str, how: How, levels: Option<&Levels>) {
        let constant = if how.zscore { self.constant } else { 0 };
        if constant + self.nan_input == 0 {
            return;
        }
        let each = levels.map_or(String::new(), |levels| format!(" of the levels of {:?}", levels.column));
        job.warn(format!(
            "{source}: {} of {} {}{each} become NaN ({constant} constant, {} nan_input)",
            constant + self.nan_input,
            self.of,
            how.axis.word(),
            self.nan_input
        ));
    }
}

/// The levels of `--by`, as numbers, for every row of the table.
struct Levels {
    source: String,
    column: String,
    ids: Vec<String>,
    /// `None` where the cell is missing.
    level: Vec<Option<usize>>,
}

impl Levels {
    fn read(job: &Job, input: &Input, column: &str) -> Result<Levels> {
        let (table, source) = (read_table(job, input)?, input.to_string());
        let ids = table.ids().with_context(|| source.clone())?.1.to_vec();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let cells = read_levels(job, &table, &source, column)?;
        let number = |cell: String| -> Option<usize> {
            let next = numbers.len();
            (!cell.is_empty()).then(|| *numbers.entry(cell).or_insert(next))
        };
        let level = cells.into_iter().map(number).collect();
        Ok(Levels { source, column: column.to_string(), ids, level })
    }

    /// The level of every row of a matrix; `None` of one that `--inner` leaves out.
    fn of_rows(
        &self,
        job: &Job,
        source: &str,
        n_rows: usize,
        labels: Option<&[String]>,
        join: JoinArgs,
    ) -> Result<Vec<Option<usize>>> {
        let table = (self.source.as_str(), self.ids.as_slice());
        let joined = match labels {
            Some(labels) => TableJoin::labelled(source, labels, table, join.options())?,
            None => TableJoin::by_position(source, n_rows, table, false, join.options())?,
        };
        joined.message.iter().for_each(|message| job.note(message));
        let level = |row: usize| {
            let level = self.level[row];
            ensure!(
                level.is_some(),
                "{}: row {row} ({:?}) has nothing in column {:?}; every row of {source} needs a level",
                self.source,
                self.ids[row],
                self.column
            );
            Ok(level)
        };
        joined.rows.iter().map(|row| row.map_or(Ok(None), level)).collect()
    }
}

/// Two passes over the rows that are used: mean and deviation of every column in every group, then the values.
fn columns(
    out: &mut Output,
    whole: &Whole,
    rows: &[usize],
    group: &[usize],
    dtype: Dtype,
    how: How,
    labels: &Labels,
) -> Result<Unusable> {
    let n_columns = whole.n_columns();
    let n_groups = group.iter().max().map_or(0, |last| last + 1);
    let mut members = vec![Vec::new(); n_groups];
    group.iter().enumerate().for_each(|(place, &group)| members[group].push(place));
    let mut unusable = Unusable::default();
    let mut centres: Vec<Vec<Centre>> = vec![Vec::with_capacity(n_columns); n_groups];
    let width = (COLUMN_BYTES / (rows.len() * 8).max(1)).clamp(1, n_columns.max(1));
    for from in (0..n_columns).step_by(width) {
        let block = whole.columns(rows, from..(from + width).min(n_columns))?;
        for column in block.columns() {
            for (centres, members) in centres.iter_mut().zip(&members).filter(|(_, members)| !members.is_empty()) {
                let values: Vec<f64> = members.iter().map(|&place| column[place]).collect();
                let centre = Centre::of(&values);
                unusable.count(&centre);
                centres.push(centre);
            }
        }
    }
    let mut writer = RowWriter::new(out, rows.len(), n_columns, dtype)?;
    whole.rows(rows, |at, block| {
        write(&mut writer, &block.to_f64(), |row, column, value| how.of(&centres[group[at + row]][column], value))
    })?;
    writer.finish(labels)?;
    Ok(unusable)
}

fn each_row(
    out: &mut Output,
    whole: &Whole,
    rows: &[usize],
    dtype: Dtype,
    how: How,
    labels: &Labels,
) -> Result<Unusable> {
    let mut unusable = Unusable::default();
    let mut writer = RowWriter::new(out, rows.len(), whole.n_columns(), dtype)?;
    whole.rows(rows, |_, block| {
        let values = block.to_f64();
        let centres: Vec<Centre> = values.rows().into_iter().map(|row| Centre::of(&row.to_vec())).collect();
        centres.iter().for_each(|centre| unusable.count(centre));
        write(&mut writer, &values, |row, _, value| how.of(&centres[row], value))
    })?;
    writer.finish(labels)?;
    Ok(unusable)
}

/// Writes what `scaled` makes of every value, by its row and column. Two numbers near the ends of f8 may be farther
/// apart than it holds.
fn write<W: Write>(
    writer: &mut RowWriter<W>,
    values: &Array2<f64>,
    scaled: impl Fn(usize, usize, f64) -> f64,
) -> Result<()> {
    let scaled = Array2::from_shape_fn(values.dim(), |(row, column)| scaled(row, column, values[(row, column)]));
    let beyond = scaled.iter().filter(|v| v.is_infinite()).count();
    ensure!(beyond == 0, "{beyond} values minus their mean are beyond f8 (about 1.8e308); scale them down first");
    writer.write_rows(scaled.view())?;
    Ok(())
}
