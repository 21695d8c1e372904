//! Where the rows of each layer go while several layers come out of one pass.
//!
//! A stream holds its arrays one behind the other, so only the first layer can leave at once; the
//! others wait in unnamed temporary files. Into a folder every layer has its own file.

pub mod input_dump;
pub mod journal;

use crate::sinks::journal::{Done, LayerDone};
use anyhow::{Context, Result, bail};
use cli::{Job, Output, Shard, file_stems};
use npy_stream::{Block, Dtype, LabelsRef, RowWriter, is_name};
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The rows of one layer, of which the width is known with the first.
struct LayerRows {
    layer: String,
    tensor: String,
    shape: String,
    sink: Option<Sink>,
    earlier: Option<Earlier>,
    rows: Option<RowWriter<Sink>>,
    n_units: usize,
    nan: NanCount,
    /// What else the sidecar says of it.
    facts: serde_json::Map<String, serde_json::Value>,
}

/// Rows of a layer that an earlier run has written.
#[derive(Debug, Clone, Copy)]
struct Earlier {
    rows: usize,
    n_units: usize,
}

/// How much NaN a layer gave.
#[derive(Debug, Clone, Copy, Default)]
struct NanCount {
    values: usize,
    rows: usize,
}

enum Sink {
    Output(Output),
    Spool(BufWriter<File>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Output(output) => output.write(bytes),
            Self::Spool(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Output(output) => output.flush(),
            Self::Spool(file) => file.flush(),
        }
    }
}

/// All layers of one run.
pub struct Sinks {
    layers: Vec<LayerRows>,
    n_rows: usize,
    dtype: Option<Dtype>,
    to_folder: bool,
    /// Rows that are NaN because their picture was bad, which is reported once and not for every layer.
    n_bad_rows: usize,
}

/// Name and shape text of a layer that is to be written.
#[derive(Debug, Clone)]
pub struct LayerLabel {
    /// What it is called: as it was asked for.
    pub name: String,
    /// The tensor's name.
    pub tensor: String,
    /// Its shape as the listing shows it.
    pub shape: String,
}

impl Sinks {
    /// One stream to `output`, layers in this order.
    pub fn stream(output: Output, layers: Vec<LayerLabel>, n_rows: usize, dtype: Option<Dtype>) -> Result<Self> {
        let mut output = Some(output);
        let layers = layers
            .into_iter()
            .map(|label| {
                let sink = match output.take() {
                    Some(output) => Sink::Output(output),
                    None => {
                        let file = tempfile::tempfile().context("no temporary file for a second layer")?;
                        Sink::Spool(BufWriter::new(file))
                    }
                };
                Ok(LayerRows::new(label, sink))
            })
            .collect::<Result<_>>()?;
        Ok(Self { layers, n_rows, dtype, to_folder: false, n_bad_rows: 0 })
    }

    /// One file per layer, each of which appears whole.
    pub fn files(
        job: &Job,
        files: &[PathBuf],
        layers: Vec<LayerLabel>,
        n_rows: usize,
        dtype: Option<Dtype>,
    ) -> Result<Self> {
        let layers = layers
            .into_iter()
            .zip(files)
            .map(|(label, file)| Ok(LayerRows::new(label, Sink::Output(job.binary_output(Some(file))?))))
            .collect::<Result<_>>()?;
        Ok(Self { layers, n_rows, dtype, to_folder: true, n_bad_rows: 0 })
    }

    /// One file per layer, going on behind what an earlier run has `done`.
    pub fn resumable(
        job: &Job,
        files: &[PathBuf],
        layers: Vec<LayerLabel>,
        n_rows: usize,
        dtype: Option<Dtype>,
        done: &Done,
    ) -> Result<Self> {
        let layers = layers
            .into_iter()
            .zip(files)
            .enumerate()
            .map(|(i, (label, file))| {
                let so_far = done.layers.get(i).copied().unwrap_or_default();
                let mut layer = LayerRows::new(label, Sink::Output(job.resumable_output(file, so_far.bytes)?));
                if done.rows > 0 {
                    layer.earlier = Some(Earlier { rows: done.rows, n_units: so_far.n_units });
                    layer.n_units = so_far.n_units;
                    layer.nan = NanCount { values: so_far.nan_values, rows: so_far.nan_rows };
                }
                Ok(layer)
            })
            .collect::<Result<_>>()?;
        Ok(Self { layers, n_rows, dtype, to_folder: true, n_bad_rows: 0 })
    }

    /// Writes out all that is buffered and says how far each layer has come; for [`Sinks::resumable`].
    pub fn checkpoint(&mut self) -> Result<Vec<LayerDone>> {
        self.layers.iter_mut().map(LayerRows::checkpoint).collect()
    }

    /// Takes the next rows of a layer.
    pub fn take(&mut self, layer: usize, block: Block<'_>) -> Result<()> {
        self.layers[layer].take(block, self.n_rows, self.dtype)
    }

    /// Says more of a layer for its sidecar.
    pub fn describe(&mut self, layer: usize, facts: serde_json::Map<String, serde_json::Value>) {
        self.layers[layer].facts.extend(facts);
    }

    /// Says that this many rows are NaN for a reason that is reported elsewhere.
    pub fn expect_nan_rows(&mut self, n: usize) {
        self.n_bad_rows = n;
    }

    /// Ends every layer with the labels and its name, and gives files their names.
    pub fn finish(self, job: &Job, labels: &[String]) -> Result<()> {
        let facts: Vec<serde_json::Value> = self.layers.iter().map(LayerRows::facts).collect();
        let mut sinks = Vec::with_capacity(self.layers.len());
        for layer in self.layers {
            layer.report(job, self.n_rows, self.n_bad_rows);
            // A name that no array can have is not worth the rows.
            let name = Some(layer.layer.clone()).filter(|name| is_name(name));
            let Some(rows) = layer.into_rows(self.n_rows) else { continue };
            sinks.push(rows.finish(LabelsRef { ids: Some(labels), columns: None, name: name.as_deref() })?);
        }
        if self.to_folder {
            for (sink, facts) in sinks.into_iter().zip(facts) {
                if let Sink::Output(output) = sink {
                    job.record("layer", facts);
                    output.commit(job)?;
                }
            }
            return Ok(());
        }
        job.record("layers", facts);
        let mut sinks = sinks.into_iter();
        let Some(Sink::Output(mut output)) = sinks.next() else { return Ok(()) };
        for sink in sinks {
            if let Sink::Spool(spool) = sink {
                let mut spool = spool.into_inner().map_err(io::IntoInnerError::into_error)?;
                spool.seek(SeekFrom::Start(0))?;
                io::copy(&mut spool, &mut output)?;
            }
        }
        output.commit(job)
    }
}

/// The files of these layers in `folder`: `pool.npy`, or `pool.shard-3-of-8.npy`.
pub fn files_in<'a>(folder: &Path, layers: impl IntoIterator<Item = &'a str>, shard: Option<Shard>) -> Vec<PathBuf> {
    let part = shard.map_or(String::new(), |Shard { index, count }| format!(".shard-{index}-of-{count}"));
    file_stems(layers).into_iter().map(|stem| folder.join(format!("{stem}{part}.npy"))).collect()
}

impl LayerRows {
    fn new(label: LayerLabel, sink: Sink) -> Self {
        Self {
            layer: label.name,
            tensor: label.tensor,
            shape: label.shape,
            sink: Some(sink),
            earlier: None,
            rows: None,
            n_units: 0,
            nan: NanCount::default(),
            facts: serde_json::Map::new(),
        }
    }

    fn take(&mut self, block: Block<'_>, n_rows: usize, dtype: Option<Dtype>) -> Result<()> {
        if let Some(sink) = self.sink.take() {
            let own = if matches!(block, Block::F8(_)) { Dtype::F8 } else { Dtype::F4 };
            let dtype = dtype.unwrap_or(own);
            self.n_units = block.n_columns();
            self.rows = Some(match self.earlier {
                Some(Earlier { rows, n_units }) => RowWriter::resume(sink, n_rows, n_units, dtype, rows),
                None => RowWriter::new(sink, n_rows, self.n_units, dtype)?,
            });
        }
        let Some(rows) = &mut self.rows else { return Ok(()) };
        let written = match block {
            Block::F4(block) => {
                self.nan.count(block.rows().into_iter().map(|row| row.iter().filter(|v| v.is_nan()).count()));
                rows.write_rows(block)
            }
            Block::F8(block) => {
                self.nan.count(block.rows().into_iter().map(|row| row.iter().filter(|v| v.is_nan()).count()));
                rows.write_rows(block)
            }
        };
        written.with_context(|| format!("layer \"{}\"", self.layer))
    }

    fn checkpoint(&mut self) -> Result<LayerDone> {
        let sink = self.rows.as_mut().map(RowWriter::sink_mut).or(self.sink.as_mut());
        let bytes = match sink {
            Some(Sink::Output(output)) => output.settled()?,
            _ => bail!("layer \"{}\" is not written to a file", self.layer),
        };
        Ok(LayerDone { bytes, n_units: self.n_units, nan_values: self.nan.values, nan_rows: self.nan.rows })
    }

    /// The writer of the rows; `None` where none ever came.
    fn into_rows(self, n_rows: usize) -> Option<RowWriter<Sink>> {
        match (self.rows, self.sink, self.earlier) {
            (Some(rows), ..) => Some(rows),
            // The earlier run stopped between its last row and the labels.
            (None, Some(sink), Some(Earlier { rows, n_units })) => {
                Some(RowWriter::resume(sink, n_rows, n_units, Dtype::F4, rows))
            }
            _ => None,
        }
    }

    fn facts(&self) -> serde_json::Value {
        let mut facts = self.facts.clone();
        facts.insert("name".into(), self.layer.clone().into());
        facts.insert("tensor".into(), self.tensor.clone().into());
        facts.insert("shape".into(), self.shape.clone().into());
        facts.insert("n_units".into(), self.n_units.into());
        facts.into()
    }

    fn report(&self, job: &Job, n_rows: usize, n_bad: usize) {
        let NanCount { values, rows } = self.nan;
        let (values, rows) = (values.saturating_sub(n_bad * self.n_units), rows.saturating_sub(n_bad));
        if values > 0 {
            job.warn(format_args!(
                "layer \"{}\": {values} values are NaN, in {rows} of {n_rows} rows; they are kept",
                self.layer
            ));
        }
    }
}

impl NanCount {
    fn count(&mut self, per_row: impl Iterator<Item = usize>) {
        for n in per_row {
            self.values += n;
            self.rows += usize::from(n > 0);
        }
    }
}
