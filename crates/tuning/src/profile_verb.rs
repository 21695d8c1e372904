//! `tuning profile`.

use crate::args::{Profile, Statistic};
use crate::profile::{mean_over_units, median_over_units, scales, z_scored};
use anyhow::{Result, bail};
use cli::{Job, Output, TableWriter};
use labelled_inputs::{NamedMatrix, Names, read_matrices};
use ndarray::{Array2, ArrayView2};
use npy_stream::{Block, Dtype, RowWriter};

pub(crate) fn run(args: &Profile) -> Result<()> {
    let job = Job::start("tuning", &args.common)?;
    let path = args.common.output.as_deref();
    let out = if args.format.is_some() { Output::text(path)? } else { Output::binary(path)? };
    let mut names = if args.format.is_some() { Names::distinct(&args.names) } else { Names::new(&args.names) };
    let matrices = read_matrices(&job, &args.inputs, &mut names)?;
    let mut profiles = Vec::new();
    for matrix in &matrices {
        profiles.push(profile(&job, args, matrix)?);
    }
    match args.format {
        Some(format) => {
            let mut table = TableWriter::new(out, format, &["array", "stimulus", "n_units", "response"])?;
            for (matrix, (n_units, responses)) in matrices.iter().zip(&profiles) {
                for (row, &response) in responses.iter().enumerate() {
                    let id = matrix.labels.as_ref().map(|l| &l[row]);
                    table.row(&[(&matrix.name).into(), id.into(), (*n_units).into(), response.into()])?;
                }
            }
            table.into_inner().commit(&job)
        }
        None => {
            let mut out = out;
            for (matrix, (_, responses)) in matrices.iter().zip(&profiles) {
                // f8 whatever the input: a mean over many units is more exact than one of them.
                let column = ArrayView2::from_shape((responses.len(), 1), responses)?;
                let mut rows = RowWriter::new(&mut out, responses.len(), 1, Dtype::F8)?;
                rows.write_rows(column)?;
                rows.finish(matrix.labels.as_deref())?;
            }
            out.commit(&job)
        }
    }
}

/// Number of units that count, and the response of each row.
fn profile(job: &Job, args: &Profile, matrix: &NamedMatrix) -> Result<(usize, Vec<f64>)> {
    let n_units = matrix.matrix.n_columns();
    if n_units == 0 {
        bail!(
            "{}: {} rows of 0 units; a profile needs at least 1 unit or voxel",
            matrix.source,
            matrix.matrix.n_rows()
        );
    }
    let (used, responses) = match matrix.matrix.view() {
        Block::F4(rows) => of_rows(rows, args),
        Block::F8(rows) => of_rows(rows, args),
    };
    if used < n_units {
        job.warn(format!(
            "{}: {} of {n_units} units are constant and left out of the z-scored profile",
            matrix.source,
            n_units - used
        ));
    }
    if used == 0 {
        bail!(
            "{}: all {n_units} units are constant over {} rows; there is no z-score",
            matrix.source,
            matrix.matrix.n_rows()
        );
    }
    let n_nan = responses.iter().filter(|r| r.is_nan()).count();
    if n_nan > 0 {
        job.warn(format!(
            "{}: the response to {n_nan} of {} rows is NaN, because units are",
            matrix.source,
            responses.len()
        ));
    }
    Ok((used, responses))
}

fn of_rows<T: Copy + Into<f64>>(rows: ArrayView2<T>, args: &Profile) -> (usize, Vec<f64>) {
    if args.zscore {
        let z: Array2<f64> = z_scored(rows, &scales(rows));
        return (z.ncols(), summary(z.view(), args.statistic));
    }
    (rows.ncols(), summary(rows, args.statistic))
}

fn summary<T: Copy + Into<f64>>(rows: ArrayView2<T>, statistic: Statistic) -> Vec<f64> {
    match statistic {
        Statistic::Mean => mean_over_units(rows),
        Statistic::Median => median_over_units(rows),
    }
}
