//! Features and responses of the same presentations: joined by id, checked for what a model cannot take.

use std::collections::HashSet;

use anyhow::{Result, bail};
use array_inputs::JoinArgs;
use cli::Job;
use linear_algebra::Real;
use ndarray::ArrayView2;
use npy_stream::{Block, Labels};
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
    /// Joins features with responses (their rows, and how many columns each has); what cannot be fitted is an error.
    /// Values of features are not looked at: [`check_finite`] does.
    pub fn of(
        job: &Job,
        join: JoinArgs,
        x: Side,
        n_features: usize,
        y: Side,
        n_voxels: usize,
    ) -> Result<Presentations> {
        for (side, n, columns) in [(x, n_features, "features"), (y, n_voxels, "voxels")] {
            if n == 0 {
                bail!("{}: 0 {columns} ({} rows); nothing to fit", side.name, side.n_rows);
            }
        }
        // Responses on the left: theirs is the order of rows, and of the predictions.
        let joined = join.join(job, y, x)?;
        if joined.len() < 3 {
            bail!("{} and {} have {} rows together; a model needs at least 3", x.name, y.name, joined.len());
        }
        let ids = joined.labels(&y, &x);
        let n_stimuli = ids.as_ref().map_or(joined.len(), |ids| ids.iter().collect::<HashSet<_>>().len());
        warn_of_repeats(job, &joined, x.name, y.name, n_stimuli);
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

/// One NaN in a feature would make every voxel NaN, so it has to be dealt with by the user. `x`: what these rows hold,
/// as blocks with the place of the first row in `rows`.
pub(crate) fn check_finite(
    source: &str,
    labels: &Labels,
    rows: &[usize],
    x: impl FnOnce(&mut dyn FnMut(usize, Block) -> Result<()>) -> Result<()>,
) -> Result<()> {
    fn first<T: Real>(x: ArrayView2<T>) -> Option<(usize, usize, f64)> {
        let found = x.indexed_iter().find(|(_, value)| !value.to_f64().is_finite());
        found.map(|((row, column), value)| (row, column, value.to_f64()))
    }
    x(&mut |at, block| {
        let found = match block {
            Block::F4(x) => first(x),
            Block::F8(x) => first(x),
        };
        let Some((row, column, value)) = found else { return Ok(()) };
        let row = rows[at + row];
        let id = labels.ids.as_ref().map(|labels| format!(" ({:?})", labels[row])).unwrap_or_default();
        bail!(
            "{source}: row {row}{id}, column {column} is {value}; a model needs finite features: drop the column or the \
             row with `npy cols` or `npy rows`"
        )
    })
}
