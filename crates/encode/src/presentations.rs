//! Features and responses of the same presentations: joined by id, checked for what a model cannot take.

use std::collections::HashSet;

use anyhow::{Result, bail};
use array_inputs::{JoinArgs, NamedMatrix};
use cli::Job;
use linear_algebra::Real;
use ndarray::ArrayView2;
use npy_stream::Block;
use stimulus_table::{Joined, Side, Which};

/// The rows of features and responses that belong together.
pub(crate) struct Presentations {
    /// Rows of the features, one per presentation.
    pub x_rows: Vec<usize>,
    /// Rows of the responses, in their order.
    pub y_rows: Vec<usize>,
    /// `None` when joined by position.
    pub ids: Option<Vec<String>>,
    pub n_stimuli: usize,
}

impl Presentations {
    /// Joins features with responses (their rows, and how many voxels there are); what cannot be fitted is an error.
    pub fn of(job: &Job, join: JoinArgs, x: &NamedMatrix, y: Side, n_voxels: usize) -> Result<Presentations> {
        for (side, n, columns) in [(x.side(), x.matrix.n_columns(), "features"), (y, n_voxels, "voxels")] {
            if n == 0 {
                bail!("{}: 0 {columns} ({} rows); nothing to fit", side.name, side.n_rows);
            }
        }
        // Responses on the left: theirs is the order of rows, and of the predictions.
        let joined = join.join(job, y, x.side())?;
        if joined.len() < 3 {
            bail!("{} and {} have {} rows together; a model needs at least 3", x.source, y.name, joined.len());
        }
        let ids = joined.labels(&y, &x.side());
        let n_stimuli = ids.as_ref().map_or(joined.len(), |ids| ids.iter().collect::<HashSet<_>>().len());
        warn_of_repeats(job, &joined, &x.source, y.name, n_stimuli);
        check_finite(x, &joined.right)?;
        Ok(Presentations { x_rows: joined.right, y_rows: joined.left, ids, n_stimuli })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.y_rows.len()
    }
}

/// Asks whether features and responses were swapped, where features have trials and responses have not.
pub(crate) fn warn_of_repeats(job: &Job, joined: &Joined, x: &str, y: &str, n_stimuli: usize) {
    if joined.repeated == Some(Which::Left) {
        job.warn(format!(
            "--x {x} has repeated trials and --y {y} has not: its {n_stimuli} rows are repeated to {}; are --x and --y \
             swapped?",
            joined.len()
        ));
    }
}

/// One NaN in a feature would make every voxel NaN, so it has to be dealt with by the user.
pub(crate) fn check_finite(x: &NamedMatrix, rows: &[usize]) -> Result<()> {
    fn first<T: Real>(x: ArrayView2<T>, rows: &[usize]) -> Option<(usize, usize, f64)> {
        let in_row = |&row: &usize| {
            let column = x.row(row).iter().position(|v| !v.to_f64().is_finite())?;
            Some((row, column, x[(row, column)].to_f64()))
        };
        rows.iter().find_map(in_row)
    }
    let found = match x.matrix.view() {
        Block::F4(x) => first(x, rows),
        Block::F8(x) => first(x, rows),
    };
    let Some((row, column, value)) = found else { return Ok(()) };
    let id = x.labels.ids.as_ref().map(|labels| format!(" ({:?})", labels[row])).unwrap_or_default();
    bail!(
        "{}: row {row}{id}, column {column} is {value}; a model needs finite features: drop the column or the row \
         with `npy cols` or `npy rows`",
        x.source
    )
}
