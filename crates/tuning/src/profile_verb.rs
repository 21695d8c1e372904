//! `tuning profile`.

use crate::args::{Profile as ProfileArgs, Statistic, ZScore};
use crate::profile::{Profile, Unit, conditions, mean_over_units, median_over_units, precision, z_scale, z_scores};
use anyhow::{Context, Result, bail};
use array_inputs::{NamedMatrix, Names, TableUnits, read_matrices, read_table, units_of};
use cli::{Cell, Input, Job, TableWriter};
use ndarray::ArrayView2;
use npy_stream::{Block, Dtype, RowWriter};
use statistics::Reason;
use std::collections::HashSet;
use stimulus_table::Table;

/// A profile and what made it.
struct Made {
    n_units: usize,
    n_constant: usize,
    n_nan: usize,
    responses: Vec<f64>,
    /// The same over the rows as z, or why there is none.
    z: Result<Vec<f64>, Reason>,
}

pub(crate) fn run(args: &ProfileArgs) -> Result<()> {
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
                    let id = matrix.labels.as_ref().map(|l| &l[row]);
                    let (z, reason) = match &made.z {
                        Ok(z) => (z[row], None),
                        Err(reason) => (f64::NAN, Some(*reason)),
                    };
                    table.row(&[
                        (&matrix.name).into(),
                        id.into(),
                        made.n_units.into(),
                        made.n_constant.into(),
                        made.n_nan.into(),
                        response.into(),
                        z.into(),
                        reason.map_or(Cell::Empty, |r| r.as_str().into()),
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
                rows.finish(matrix.labels.as_deref())?;
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
    fn read(job: &Job, input: &Input, args: &ProfileArgs) -> Result<Weights> {
        let table = read_table(job, input)?;
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
        let TableUnits { rows, units, note } = units_of(&self.table, &matrix.name, position, self.array.as_deref())
            .with_context(|| self.source.clone())?;
        note.into_iter().for_each(|note| job.note(note));
        let mut seen = HashSet::new();
        if let Some(twice) = units.iter().find(|unit| !seen.insert(**unit)) {
            bail!("{}: unit {twice} stands in it more than once ({} rows); list each once", self.source, units.len());
        }
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
    args: &ProfileArgs,
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
    args: &ProfileArgs,
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
    let Profile { responses, flat } = match args.statistic {
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
