//! `tuning profile`: one number per presentation.

use crate::responses::{self, Unit, conditions, mean_over_units, median_over_units, precision, z_scale, z_scores};
use anyhow::{Context, Result, bail};
use array_inputs::{NamedMatrix, Names, read_matrices, read_table};
use clap::ValueEnum;
use cli::{Common, Format, Input, Job, TableWriter};
use ndarray::ArrayView2;
use npy_stream::{Block, Dtype, LabelsRef, RowWriter};
use statistics::Reason;
use stimulus_table::Table;
use unit_tables::{SetArgs, Sought, TableUnits, require_same_columns, units_of};

/// One number per row of a matrix: the mean (weighted mean, median) over its units or voxels
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input:
  Matrices (rows = presentations of stimuli, columns = units or voxels), several in a stream.
Output:
  One n x 1 matrix (f8) per input matrix, ids and name kept; or with --format a table.
Columns:
  array, stimulus
  n_units       units that make the profile
  n_constant    units with the same value in every row; with --zscore they are left out
  n_nan         units with a NaN or an infinity in some row; with --drop-nan they are left out
  response      the profile
  z             its z over the rows of the array (n - 1)
  reason        why a number is NaN: nan_input (in any unit), constant (no z)
A NaN in any unit makes the response NaN, unless --drop-nan leaves the unit out of every row.
--zscore takes each unit's mean and standard deviation (n - 1) over all rows; a constant unit has no
z. A profile whose values differ by rounding only, as that of centred rows (LayerNorm), is constant:
all its values are written as the first, and stderr says so, as it does of every unit left out.
Weights:
  --weights TABLE --weight-column t: the weighted mean, sum(w x) / sum(w), over the units that the
  table lists, all others left out; weights are 0 or more. The table's unit (or voxel) is the column
  of the matrix; where the matrix holds only the table's units, in its order (`npy cols --units`),
  say --weights-in-order. Of a table with several contrasts or folds, --contrast and --fold choose
  one.

Examples:
  tuning profile ffa.npy > profile.npy
  tuning profile --zscore --format csv ffa.npy
  tuning profile --weights face_units.csv --weight-column t acts.npy > faces.npy")]
pub(crate) struct Profile {
    /// .npy streams; - is stdin
    #[arg(value_name = "MATRIX", default_value = "-")]
    inputs: Vec<Input>,
    /// Over the units of a row
    #[arg(long, value_enum, default_value_t = Statistic::Mean)]
    statistic: Statistic,
    /// Bring to mean 0 and standard deviation 1 over the rows: every unit first (--zscore), or the
    /// profile (--zscore=profile)
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "units")]
    zscore: Option<ZScore>,
    /// Leave out units that have a NaN (or an infinity) in any row
    #[arg(long)]
    drop_nan: bool,
    /// Table of units and their weights, as select-units writes it; - is stdin
    #[arg(long, value_name = "TABLE", group = "units", conflicts_with_all = ["statistic"])]
    weights: Option<Input>,
    /// Column of the weights
    #[arg(long, value_name = "COLUMN", default_value = "t", requires = "weights")]
    weight_column: String,
    /// Take the table's rows about this array [default: the matrix's name]
    #[arg(long, value_name = "NAME", requires = "weights")]
    array: Option<String>,
    #[command(flatten)]
    set: SetArgs,
    /// Column k of the matrix is row k of the table, whatever unit that is
    #[arg(long, requires = "weights")]
    weights_in_order: bool,
    /// Write a table instead of matrices
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Names of the arrays, in order [default: their own, else file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    names: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// What a profile is of the units' responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Statistic {
    /// Mean over units, weighted with --weights
    Mean,
    /// Median over units
    Median,
}

/// What is brought to mean 0 and standard deviation 1 over the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ZScore {
    /// Every unit, before they are averaged
    Units,
    /// The profile, after it was made
    Profile,
}

/// A profile and what made it.
struct Made {
    n_units: usize,
    n_constant: usize,
    n_nan: usize,
    responses: Vec<f64>,
    /// The same over the rows as z, or why there is none.
    z: Result<Vec<f64>, Reason>,
}

pub(crate) fn run(args: &Profile) -> Result<()> {
    let job = Job::start("tuning", &args.common)?;
    let path = args.common.output.as_deref();
    let out = if args.format.is_some() { job.text_output(path)? } else { job.binary_output(path)? };
    let weights = args.weights.as_ref().map(|input| Weights::read(&job, input, args)).transpose()?;
    let mut names = if args.format.is_some() { Names::distinct(&args.names) } else { Names::new(&args.names) };
    let matrices = read_matrices(&job, &args.inputs, &mut names)?;
    let mut profiles = Vec::new();
    for (position, matrix) in matrices.iter().enumerate() {
        profiles.push(profile(&job, args, matrix, position, weights.as_ref())?);
    }
    match args.format {
        Some(format) => {
            let columns = ["array", "stimulus", "n_units", "n_constant", "n_nan", "response", "z", "reason"];
            let mut table = TableWriter::new(out, format, &columns)?;
            for (matrix, made) in matrices.iter().zip(&profiles) {
                for (row, &response) in made.responses.iter().enumerate() {
                    let id = matrix.labels.ids.as_ref().map(|l| &l[row]);
                    let (z, reason) = match &made.z {
                        Ok(z) => (z[row], None),
                        Err(reason) => (f64::NAN, Some(*reason)),
                    };
                    table.record(&[
                        ("array", (&matrix.name).into()),
                        ("stimulus", id.into()),
                        ("n_units", made.n_units.into()),
                        ("n_constant", made.n_constant.into()),
                        ("n_nan", made.n_nan.into()),
                        ("response", response.into()),
                        ("z", z.into()),
                        ("reason", reason.into()),
                    ])?;
                }
            }
            table.into_inner().commit(&job)
        }
        None => {
            let mut out = out;
            for (matrix, made) in matrices.iter().zip(&profiles) {
                // f8 whatever the input: a mean over many units is more exact than one of them.
                let column = ArrayView2::from_shape((made.responses.len(), 1), &made.responses)?;
                let mut rows = RowWriter::new(&mut out, made.responses.len(), 1, Dtype::F8)?;
                rows.write_rows(column)?;
                let named = (!args.names.is_empty()).then_some(&matrix.name);
                let name = named.or(matrix.labels.name.as_ref()).map(String::as_str);
                rows.finish(LabelsRef { ids: matrix.labels.ids.as_deref(), columns: None, name })?;
            }
            out.commit(&job)
        }
    }
}

/// The units a table lists, and the weight of each.
struct Weights {
    table: Table,
    source: String,
    weights: Vec<f64>,
    array: Option<String>,
    in_order: bool,
}

impl Weights {
    fn read(job: &Job, input: &Input, args: &Profile) -> Result<Weights> {
        let table = args.set.of(read_table(job, input)?).with_context(|| input.to_string())?;
        let weights = table.numbers(&args.weight_column).with_context(|| input.to_string())?;
        job.record("weight_column", args.weight_column.as_str());
        if let Some(row) = weights.iter().position(|w| *w < 0.0 || w.is_infinite()) {
            bail!(
                "{input}: row {row} of {} has {} {}; weights are 0 or more: select units first (select-units --t)",
                weights.len(),
                args.weight_column,
                weights[row]
            );
        }
        let (array, in_order) = (args.array.clone(), args.weights_in_order);
        Ok(Weights { table, source: input.to_string(), weights, array, in_order })
    }

    /// The columns of this matrix that have a weight above 0, and their weights.
    fn units(&self, job: &Job, matrix: &NamedMatrix, position: usize) -> Result<Vec<Unit>> {
        let n_units = matrix.matrix.n_columns();
        let array = Sought { names: &matrix.names_in_tables, position, alone: false };
        let of = units_of(&self.table, array, self.array.as_deref()).with_context(|| self.source.clone())?;
        if !self.in_order {
            let names = matrix.labels.columns.as_deref();
            require_same_columns(&self.table, &of, n_units, names).with_context(|| self.source.clone())?;
        }
        let TableUnits { rows, units, note } = of;
        note.into_iter().for_each(|note| job.note(note));
        let columns: Vec<usize> = if self.in_order {
            if rows.len() != n_units {
                bail!(
                    "{}: {} units, but {} has {n_units} columns; --weights-in-order takes one row per column",
                    self.source,
                    rows.len(),
                    matrix.source
                );
            }
            (0..n_units).collect()
        } else {
            if let Some(unit) = units.iter().find(|&&unit| unit >= n_units) {
                bail!(
                    "{}: unit {unit}, but {} has {n_units} columns; where it holds only the table's units, in its order, \
                     say --weights-in-order",
                    self.source,
                    matrix.source
                );
            }
            units
        };
        let n_without = rows.iter().filter(|&&row| self.weights[row].is_nan()).count();
        if n_without > 0 {
            job.warn(format!(
                "{}: {n_without} of {} units have no weight (NaN) and are left out",
                self.source,
                rows.len()
            ));
        }
        let weighted = columns.iter().zip(&rows).map(|(&column, &row)| (column, self.weights[row]));
        let kept: Vec<Unit> =
            weighted.filter(|(_, w)| *w > 0.0).map(|(column, weight)| Unit { weight, ..Unit::plain(column) }).collect();
        if kept.is_empty() {
            bail!("{}: 0 of {} units have a weight above 0; there is nothing to average", self.source, rows.len());
        }
        Ok(kept)
    }
}

fn profile(
    job: &Job,
    args: &Profile,
    matrix: &NamedMatrix,
    position: usize,
    weights: Option<&Weights>,
) -> Result<Made> {
    let (n_rows, n_units) = (matrix.matrix.n_rows(), matrix.matrix.n_columns());
    if n_units == 0 {
        bail!("{}: {n_rows} rows of 0 units; a profile needs at least 1 unit or voxel", matrix.source);
    }
    let units = match weights {
        Some(weights) => weights.units(job, matrix, position)?,
        None => (0..n_units).map(Unit::plain).collect(),
    };
    let epsilon = match matrix.matrix.view() {
        Block::F4(_) => f64::from(f32::EPSILON),
        Block::F8(rows) => precision(rows),
    };
    match matrix.matrix.view() {
        Block::F4(rows) => of_rows(job, args, &matrix.source, rows, units, epsilon),
        Block::F8(rows) => of_rows(job, args, &matrix.source, rows, units, epsilon),
    }
}

fn of_rows<T: Copy + Into<f64> + Sync>(
    job: &Job,
    args: &Profile,
    source: &str,
    rows: ArrayView2<T>,
    mut units: Vec<Unit>,
    epsilon: f64,
) -> Result<Made> {
    let n_units = units.len();
    let conditions = conditions(rows);
    let count = |units: &[Unit], reason| units.iter().filter(|unit| conditions[unit.column] == Some(reason)).count();
    let (n_constant, n_nan) = (count(&units, Reason::Constant), count(&units, Reason::NanInput));
    if args.drop_nan && n_nan > 0 {
        job.warn(format!("{source}: {n_nan} of {n_units} units have a NaN in some row and are left out"));
        units.retain(|unit| conditions[unit.column] != Some(Reason::NanInput));
    }
    if args.zscore == Some(ZScore::Units) {
        if n_constant > 0 {
            job.warn(format!(
                "{source}: {n_constant} of {n_units} units are constant and left out of the z-scored profile"
            ));
        }
        units.retain(|unit| conditions[unit.column] != Some(Reason::Constant));
        for unit in &mut units {
            (unit.centre, unit.per_sd) = z_scale(rows, unit.column);
        }
    }
    if units.is_empty() && n_constant == n_units {
        bail!("{source}: all {n_units} units are constant over {} rows; there is no z-score", rows.nrows());
    }
    if units.is_empty() {
        bail!(
            "{source}: 0 of {n_units} units are left ({n_constant} constant, {n_nan} with a NaN); keep NaN ones without --drop-nan"
        );
    }
    let responses::Profile { responses, flat } = match args.statistic {
        Statistic::Mean => mean_over_units(rows, &units, epsilon),
        Statistic::Median => median_over_units(rows, &units),
    };
    let n_without = responses.iter().filter(|r| !r.is_finite()).count();
    if n_without > 0 {
        job.warn(format!(
            "{source}: the response to {n_without} of {} rows is NaN, because units are ({n_nan} of {n_units})",
            responses.len()
        ));
    }
    let z = z_scores(&responses);
    if flat {
        job.warn(format!(
            "{source}: the {} responses differ by rounding only (centred rows?); the profile is constant",
            responses.len()
        ));
    } else if z == Err(Reason::Constant) && responses.len() > 1 {
        job.warn(format!("{source}: the profile is constant over {} rows", responses.len()));
    }
    let responses = match (args.zscore, &z) {
        (Some(ZScore::Profile), Ok(z)) => z.clone(),
        (Some(ZScore::Profile), Err(_)) => vec![f64::NAN; responses.len()],
        _ => responses,
    };
    Ok(Made { n_units: units.len(), n_constant, n_nan, responses, z })
}
