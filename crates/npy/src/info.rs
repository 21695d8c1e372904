//! `npy info`: what is in a stream, in one pass.

use crate::args::Info;
use anyhow::{Context, Result, bail};
use array_inputs::{hold, open_npy};
use cli::{Cell, Job, TableWriter};
use ndarray::ArrayView1;
use npy_stream::{Block, Float, Incoming, NpyError, Values};
use std::collections::HashSet;

/// Bytes of rows looked at together.
const BLOCK_BYTES: usize = 8 << 20;

pub(crate) fn run(args: &Info) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    let columns = ["array", "shape", "dtype", "order", "n_labels", "n_stimuli", "min", "max", "n_nan", "n_constant"];
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for input in &args.inputs {
        let mut reader = open_npy(&job, input)?;
        let mut position = 0;
        while let Some(incoming) = reader.next_array().with_context(|| input.to_string())? {
            let mut row = vec![Cell::from(input.array_name(position))];
            row.extend(describe(incoming).with_context(|| input.to_string())?);
            rows.push(row);
            position += 1;
        }
        if position == 0 {
            bail!("{input}: {}", NpyError::Empty);
        }
    }
    // Only now: an input that fails leaves no half table behind.
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for row in &rows {
        table.row(row)?;
    }
    table.into_inner().commit(&job)
}

fn describe(mut incoming: Incoming) -> Result<Vec<Cell<'static>>> {
    let shape: Vec<String> = incoming.shape().iter().map(usize::to_string).collect();
    let order = match (incoming.is_big_endian(), incoming.kind().item_bytes()) {
        (_, Some(1)) => "|",
        (true, _) => ">",
        (false, _) => "<",
    };
    let dtype = format!("{order}{}", incoming.kind().name());
    let layout = if incoming.is_fortran() { "F" } else { "C" };
    let mut seen = Seen::default();
    let mut n_constant = Cell::Empty;
    let labels = if incoming.shape().len() == 2 {
        let block_rows = incoming.rows_within(BLOCK_BYTES);
        while let Some(block) = incoming.next_rows(block_rows)? {
            match block {
                Block::F4(rows) => seen.add(rows),
                Block::F8(rows) => seen.add(rows),
            }
        }
        n_constant = seen.n_constant().into();
        incoming.finish()?
    } else {
        // One row of values, whatever its shape.
        let array = hold(incoming, "the array")?;
        match &array.values {
            Values::F4(values) => seen.add_row(ArrayView1::from(values)),
            Values::F8(values) => seen.add_row(ArrayView1::from(values)),
        }
        array.labels
    };
    let n_stimuli = labels.as_ref().map(|l| l.iter().collect::<HashSet<_>>().len());
    Ok(vec![
        shape.join("x").into(),
        dtype.into(),
        layout.into(),
        labels.map(|l| l.len()).into(),
        n_stimuli.into(),
        seen.min.into(),
        seen.max.into(),
        seen.n_nan.into(),
        n_constant,
    ])
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
    fn add<T: Float>(&mut self, rows: ndarray::ArrayView2<'_, T>) {
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
