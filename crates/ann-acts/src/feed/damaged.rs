//! Pictures whose damage shows only when they are decoded, and the rows that they leave.

use crate::feed::PictureFacts;
use crate::pictures::stimuli::Stimulus;
use anyhow::Result;
use cli::Job;
use ndarray::ArrayView2;
use npy_stream::Block;
use serde_json::{Value, json};

/// The pictures of a run that could not be decoded.
#[derive(Debug, Default)]
pub struct BadPictures {
    /// Id, path and what was wrong.
    found: Vec<(String, String, String)>,
}

impl BadPictures {
    /// Takes note of the bad ones of a batch and gives their rows in it.
    pub fn add(&mut self, facts: &[PictureFacts], stimuli: &[Stimulus]) -> Vec<usize> {
        let mut rows = Vec::new();
        for (row, (facts, stimulus)) in facts.iter().zip(stimuli).enumerate() {
            if let Some(error) = &facts.bad {
                self.found.push((stimulus.id.clone(), stimulus.path.display().to_string(), error.clone()));
                rows.push(row);
            }
        }
        rows
    }

    /// Those of an earlier run, from what [`BadPictures::to_json`] gave; anything else is none.
    pub fn from_json(list: &Value) -> Self {
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_string();
        let entries = list.as_array().into_iter().flatten();
        Self { found: entries.map(|e| (text(e, "stimulus"), text(e, "path"), text(e, "error"))).collect() }
    }

    /// The list for the sidecar.
    pub fn to_json(&self) -> Value {
        let entry = |(stimulus, path, error)| json!({ "stimulus": stimulus, "path": path, "error": error });
        self.found.iter().cloned().map(entry).collect()
    }

    /// How many there are so far.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// One line on stderr if there are any, and the list for the sidecar.
    pub fn report(&self, job: &Job, n_stimuli: usize) {
        if let Some((_, _, error)) = self.found.first() {
            job.warn(format_args!(
                "{} of {n_stimuli} pictures cannot be decoded; their rows are NaN; the first is {error}",
                self.found.len()
            ));
        }
        job.record("bad_pictures", self.to_json());
    }
}

/// Hands `take` the block with NaN in the given rows.
///
/// The network was shown black pictures in their place; what it made of them must not pass for an answer.
pub fn with_nan_rows(block: Block<'_>, rows: &[usize], take: impl FnOnce(Block<'_>) -> Result<()>) -> Result<()> {
    if rows.is_empty() {
        return take(block);
    }
    match block {
        Block::F4(block) => take(Block::F4(nan_rows(block, rows, f32::NAN).view())),
        Block::F8(block) => take(Block::F8(nan_rows(block, rows, f64::NAN).view())),
    }
}

fn nan_rows<T: Copy>(block: ArrayView2<'_, T>, rows: &[usize], nan: T) -> ndarray::Array2<T> {
    let mut block = block.to_owned();
    for &row in rows {
        block.row_mut(row).fill(nan);
    }
    block
}
