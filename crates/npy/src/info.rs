//! `npy info`: what is in a stream, in one pass.

use crate::blocks::BLOCK_BYTES;
use anyhow::{Context, Result};
use array_inputs::{Called, Next, called_apart, each_array, hold};
use cli::{Cell, Common, Format, Input, Job, Named, TableWriter};
use ndarray::{ArrayView1, ArrayView2};
use npy_stream::{Block, Float, Incoming, Values};
use std::collections::HashSet;

/// One line per array: shape, dtype, order, labels, range, NaN and constant columns
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns:
  array       what tables call it: its name, else the stem of the file, in a pipe its position
  shape       rows x columns
  dtype       as on disk, with byte order
  order       C or F
  n_labels    ids behind it; empty where there are none
  n_stimuli   distinct ids
  min, max    over finite values
  n_nan       values that are NaN or infinite
  n_constant  columns of one value only (2-d arrays)
  name        its own name, which stands behind it; empty where it has none
  n_names     names of its columns; empty where they have none

Examples:
  npy info acts.npy
  cat sub-*/ffa.npy | npy info
  npy info --format jsonl acts.npy betas.npy")]
pub(crate) struct Info {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    inputs: Vec<Input>,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(args: &Info) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    let mut rows = Vec::new();
    let mut called = Vec::new();
    each_array(&job, &args.inputs, |Next { input, position, source, array }| {
        let (row, own) = describe(array).with_context(|| source)?;
        rows.push(row);
        called.push(Called::new(input, position, own.as_deref()));
        Ok(())
    })?;
    rows.iter_mut().zip(called_apart(&called)).for_each(|(row, name)| row[0].1 = name.into());
    // Only now: an input that fails leaves no half table behind.
    let columns = rows[0].each_ref().map(|(name, _)| *name);
    let mut table = TableWriter::new(out, args.format, &columns)?;
    rows.iter().try_for_each(|row| table.record(row))?;
    table.into_inner().commit(&job)
}

/// The row of an array, in which it has no name yet, and its own name.
fn describe(mut array: Incoming) -> Result<([Named<'static>; 12], Option<String>)> {
    let shape: Vec<String> = array.shape().iter().map(usize::to_string).collect();
    let order = match (array.is_big_endian(), array.kind().item_bytes()) {
        (_, Some(1)) => "|",
        (true, _) => ">",
        (false, _) => "<",
    };
    let dtype = format!("{order}{}", array.kind().name());
    let layout = if array.is_fortran() { "F" } else { "C" };
    let mut seen = Seen::default();
    let mut n_constant = Cell::Empty;
    let labels = if array.shape().len() == 2 {
        let block_rows = array.rows_within(BLOCK_BYTES);
        while let Some(block) = array.next_rows(block_rows)? {
            match block {
                Block::F4(rows) => seen.add(rows),
                Block::F8(rows) => seen.add(rows),
            }
        }
        n_constant = seen.n_constant().into();
        array.finish()?
    } else {
        // One row of values, whatever its shape.
        let array = hold(array, "the array")?;
        match &array.values {
            Values::F4(values) => seen.add_row(ArrayView1::from(values)),
            Values::F8(values) => seen.add_row(ArrayView1::from(values)),
        }
        array.labels
    };
    let n_stimuli = labels.ids.as_ref().map(|l| l.iter().collect::<HashSet<_>>().len());
    let row = [
        ("array", Cell::Empty),
        ("shape", shape.join("x").into()),
        ("dtype", dtype.into()),
        ("order", layout.into()),
        ("n_labels", labels.ids.map(|l| l.len()).into()),
        ("n_stimuli", n_stimuli.into()),
        ("min", seen.min.into()),
        ("max", seen.max.into()),
        ("n_nan", seen.n_nan.into()),
        ("n_constant", n_constant),
        ("name", labels.name.clone().into()),
        ("n_names", labels.columns.map(|names| names.len()).into()),
    ];
    Ok((row, labels.name))
}

/// Range and counts so far.
#[derive(Default)]
struct Seen {
    min: Option<f64>,
    max: Option<f64>,
    n_nan: usize,
    /// First value of each column; `None` once another was seen.
    first: Vec<Option<f64>>,
    started: bool,
}

impl Seen {
    fn add<T: Float>(&mut self, rows: ArrayView2<'_, T>) {
        for row in rows.rows() {
            if !self.started {
                self.first = row.iter().map(|v| Some(v.to_f64())).collect();
                self.started = true;
            }
            for (value, first) in row.iter().zip(&mut self.first) {
                if *first != Some(value.to_f64()) {
                    *first = None;
                }
            }
            self.add_row(row);
        }
    }

    /// Values that stand in no columns.
    fn add_row<T: Float>(&mut self, row: ArrayView1<'_, T>) {
        for v in row.iter().map(|v| v.to_f64()) {
            if v.is_finite() {
                self.min = Some(self.min.map_or(v, |m| m.min(v)));
                self.max = Some(self.max.map_or(v, |m| m.max(v)));
            } else {
                self.n_nan += 1;
            }
        }
    }

    fn n_constant(&self) -> usize {
        self.first.iter().flatten().count()
    }
}
