//! `--dump-input`: what the network was given, one row per picture.

use crate::feed::damaged::with_nan_rows;
use crate::network::inputs::Batch;
use crate::pictures::Size;
use anyhow::Result;
use cli::{Job, Output};
use ndarray::ArrayView2;
use npy_stream::{Block, Dtype, RowWriter};

/// The input that the network saw, for `--dump-input`.
pub struct InputDump {
    rows: RowWriter<Output>,
    n_values: usize,
}

impl InputDump {
    /// A matrix of `n_rows` pictures of `size`, so many channels each.
    pub fn new(output: Output, n_rows: usize, size: Size, channels: usize) -> Result<Self> {
        let n_values = size.height * size.width * channels;
        Ok(Self { rows: RowWriter::new(output, n_rows, n_values, Dtype::F4)?, n_values })
    }

    /// Writes the `n` pictures of a batch, those of `bad` as NaN.
    pub fn take(&mut self, batch: &Batch, n: usize, bad: &[usize]) -> Result<()> {
        let values = batch.to_f32();
        let block = Block::F4(ArrayView2::from_shape((n, self.n_values), &values)?);
        with_nan_rows(block, bad, |block| {
            if let Block::F4(block) = block {
                self.rows.write_rows(block)?;
            }
            Ok(())
        })
    }

    /// Ends it with the labels and gives the file its name.
    pub fn finish(self, job: &Job, labels: &[String]) -> Result<()> {
        self.rows.finish(Some(labels))?.commit(job)
    }
}
