//! `npy average`: one row per id, the mean of its presentations.

use anyhow::{Context, Result, bail};
use array_inputs::{Next, Whole, each_array};
use cli::{Common, Input, Job, Output};
use ndarray::{Array2, ArrayView2, Zip};
use npy_stream::{Block, Dtype, Float, Labels, RowWriter};
use std::collections::HashMap;

/// Average the rows of the same id (trials of one picture), in order of first appearance
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A NaN in one presentation makes the average NaN. A file may be larger than memory; a pipe brings its
ids last, so all its rows are held in memory.

Examples:
  npy average betas.npy > responses.npy
  cat sub-*/ffa.npy | npy average > responses.npy
  npy rows --stimuli trials.csv --where half=odd betas.npy | npy average > odd.npy")]
pub(crate) struct Average {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    inputs: Vec<Input>,
    #[command(flatten)]
    common: Common,
}

/// Bytes of sums at a time: of a file no more than these are held, however many ids it has.
const SUM_BYTES: usize = 64 << 20;

pub(crate) fn run(args: &Average) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let mut out = job.binary_output(args.common.output.as_deref())?;
    each_array(&job, &args.inputs, |Next { source, array, .. }| {
        let (whole, labels) = Whole::take(array, &source)?;
        let n_rows = whole.n_rows();
        let Some(ids) = &labels.ids else {
            bail!("{source}: {n_rows} rows and 0 ids; averaging needs one id per row (write them with `npy label`)")
        };
        let groups = Groups::of(ids);
        let (least, most) = (groups.counts.iter().min().unwrap_or(&0), groups.counts.iter().max().unwrap_or(&0));
        let each = if least == most { format!("{least}") } else { format!("{least} to {most}") };
        let n_stimuli = groups.ids.len();
        job.note(format!("{source}: {n_rows} rows averaged to {n_stimuli} stimuli, {each} presentations each"));
        write_means(&mut out, &whole, &groups, &labels).with_context(|| source)
    })?;
    out.commit(&job)
}

/// Writes the means of some ids at a time, each from the rows that are its own.
fn write_means(out: &mut Output, whole: &Whole, groups: &Groups, labels: &Labels) -> Result<()> {
    let n_columns = whole.n_columns();
    let dtype = if whole.is_double() { Dtype::F8 } else { Dtype::F4 };
    let mut writer = RowWriter::new(out, groups.ids.len(), n_columns, dtype)?;
    let at_once = (SUM_BYTES / n_columns.saturating_mul(8).max(1)).max(1);
    let rows_of = groups.rows();
    for first in (0..groups.ids.len()).step_by(at_once) {
        let end = (first + at_once).min(groups.ids.len());
        // In the order of the matrix, so that the sums are added up as they stand there.
        let mut rows: Vec<usize> = rows_of[first..end].iter().flatten().copied().collect();
        rows.sort_unstable();
        let mut sums = Array2::zeros((end - first, n_columns));
        whole.rows(&rows, |at, block| {
            let of_row: Vec<usize> =
                rows[at..at + block.n_rows()].iter().map(|&row| groups.of_row[row] - first).collect();
            match block {
                Block::F4(rows) => add(&mut sums, rows, &of_row),
                Block::F8(rows) => add(&mut sums, rows, &of_row),
            }
            Ok(())
        })?;
        for (mut row, &count) in sums.rows_mut().into_iter().zip(&groups.counts[first..end]) {
            row /= count as f64;
        }
        writer.write_rows(sums.view())?;
    }
    writer.finish(&labels.with_ids(Some(&groups.ids)))?;
    Ok(())
}

/// Rows of the same id, in order of first appearance.
struct Groups {
    ids: Vec<String>,
    of_row: Vec<usize>,
    counts: Vec<usize>,
}

impl Groups {
    fn of(labels: &[String]) -> Groups {
        let mut groups = Groups { ids: Vec::new(), of_row: Vec::with_capacity(labels.len()), counts: Vec::new() };
        let mut known: HashMap<&str, usize> = HashMap::new();
        for label in labels {
            let group = *known.entry(label).or_insert_with(|| {
                groups.ids.push(label.clone());
                groups.counts.push(0);
                groups.ids.len() - 1
            });
            groups.of_row.push(group);
            groups.counts[group] += 1;
        }
        groups
    }

    /// The rows of each id.
    fn rows(&self) -> Vec<Vec<usize>> {
        let mut rows: Vec<Vec<usize>> = self.counts.iter().map(|&count| Vec::with_capacity(count)).collect();
        self.of_row.iter().enumerate().for_each(|(row, &group)| rows[group].push(row));
        rows
    }
}

/// Adds each row to the sum of its id, in f64 and in the order of the rows.
fn add<T: Float>(sums: &mut Array2<f64>, rows: ArrayView2<'_, T>, of_row: &[usize]) {
    for (row, &group) in rows.rows().into_iter().zip(of_row) {
        Zip::from(sums.row_mut(group)).and(row).for_each(|sum, &v| *sum += v.to_f64());
    }
}
