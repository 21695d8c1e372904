//! Responses, held or in their file, of which any voxels can be had.

use std::ops::Range;

use anyhow::Result;
use array_inputs::{Whole, open_matrix};
use cli::{Input, Job};
use npy_stream::{Labels, Matrix};
use stimulus_table::Side;

/// A matrix of responses, its rows in some order.
pub(crate) struct Responses {
    /// Where it comes from, for messages.
    pub source: String,
    /// Names of the voxels, and what they are together; ids of the rows as they stand in the file.
    pub labels: Labels,
    whole: Whole,
    rows: Vec<usize>,
}

impl Responses {
    /// Reads what the header says; values stay in the file where that is possible.
    pub fn open(job: &Job, input: &Input) -> Result<Responses> {
        let (whole, labels, source) = open_matrix(job, input)?;
        let rows = (0..whole.n_rows()).collect();
        Ok(Responses { source, labels, whole, rows })
    }

    /// As one side of a join.
    pub fn side(&self) -> Side<'_> {
        Side { name: &self.source, labels: self.labels.ids.as_deref(), n_rows: self.rows.len() }
    }

    /// Takes these of the rows, in this order.
    pub fn select(&mut self, rows: &[usize]) {
        self.rows = rows.iter().map(|&row| self.rows[row]).collect();
    }

    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }

    pub fn n_columns(&self) -> usize {
        self.whole.n_columns()
    }

    pub fn is_double(&self) -> bool {
        self.whole.is_double()
    }

    /// All rows of some voxels.
    pub fn voxels(&self, voxels: Range<usize>) -> Result<Matrix> {
        self.whole.matrix(&self.rows, voxels)
    }
}
