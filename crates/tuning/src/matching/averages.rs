//! Responses of some units to stimuli, their presentations averaged, from memory or from a file.

use std::ops::Range;

use anyhow::{Context, Result, anyhow};
use array_inputs::hold;
use linear_algebra::Real;
use ndarray::{Array2, ArrayView2, Axis, s};
use npy_stream::{Block, Incoming, Labels, Matrix, PartBuffer, Parts};
use rayon::prelude::*;
use reliability::Repeats;

/// A matrix whose columns are looked at a block at a time, twice.
pub(super) enum Held {
    InFile(Parts),
    InMemory(Matrix),
}

impl Held {
    /// What lies in a file stays there: a layer of millions of units takes the memory of one block.
    pub(super) fn take(next: Incoming, source: &str) -> Result<(Held, Labels)> {
        next.matrix_shape().with_context(|| source.to_string())?;
        if let Some(place) = next.parts() {
            let labels = next.finish().with_context(|| source.to_string())?;
            return Ok((Held::InFile(place), labels));
        }
        let (matrix, labels) = hold(next, source)?.into_matrix().map_err(|e| anyhow!("{source}: {e}"))?;
        Ok((Held::InMemory(matrix), labels))
    }

    pub(super) fn shape(&self) -> (usize, usize) {
        match self {
            Held::InFile(parts) => parts.shape(),
            Held::InMemory(matrix) => (matrix.n_rows(), matrix.n_columns()),
        }
    }

    /// Mean responses of these columns to these stimuli: columns x stimuli.
    pub(super) fn averaged(
        &self,
        columns: Range<usize>,
        repeats: &Repeats,
        stimuli: &[usize],
        buffer: &mut PartBuffer,
    ) -> Result<Array2<f64>> {
        let block = match self {
            Held::InFile(parts) => parts.read(0..parts.shape().0, columns, buffer)?,
            Held::InMemory(Matrix::F4(values)) => Block::F4(values.slice(s![.., columns])),
            Held::InMemory(Matrix::F8(values)) => Block::F8(values.slice(s![.., columns])),
        };
        Ok(averaged(block, repeats, stimuli))
    }
}

/// Mean over the presentations of each stimulus: columns x stimuli, in f8.
pub(super) fn averaged(block: Block, repeats: &Repeats, stimuli: &[usize]) -> Array2<f64> {
    fn of<T: Real>(rows: ArrayView2<T>, repeats: &Repeats, stimuli: &[usize]) -> Array2<f64> {
        let mut out = Array2::zeros((rows.ncols(), stimuli.len()));
        out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(column, mut out)| {
            for (mean, &stimulus) in out.iter_mut().zip(stimuli) {
                let presentations = repeats.rows_of(stimulus);
                let sum: f64 = presentations.iter().map(|&row| rows[(row, column)].to_f64()).sum();
                *mean = sum / presentations.len() as f64;
            }
        });
        out
    }
    match block {
        Block::F4(rows) => of(rows, repeats, stimuli),
        Block::F8(rows) => of(rows, repeats, stimuli),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn presentations_are_averaged_and_stimuli_put_in_order() {
        let repeats = Repeats::by_id(&["a", "b", "a"]);
        let rows = array![[1.0f32, 10.0], [2.0, f32::NAN], [5.0, 30.0]];
        let found = averaged(Block::F4(rows.view()), &repeats, &[1, 0]);
        assert_eq!(found.row(0).to_vec(), [2.0, 3.0]);
        assert!(found[(1, 0)].is_nan() && found[(1, 1)] == 20.0);
    }
}
