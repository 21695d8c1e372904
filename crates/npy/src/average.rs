//! `npy average`: one row per id, the mean of its presentations.

use crate::args::Average;
use anyhow::{Context, Result, bail};
use cli::{Job, Output};
use labelled_inputs::open_npy;
use ndarray::{Array2, Zip};
use npy_stream::{Block, Float, Matrix, NpyError, write_matrix};
use std::collections::HashMap;

const ROWS_PER_BLOCK: usize = 64;

pub(crate) fn run(args: &Average) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let mut out = Output::binary(args.common.output.as_deref())?;
    for input in &args.inputs {
        let mut reader = open_npy(&job, input)?;
        let mut any = false;
        while let Some(mut incoming) = reader.next_array().with_context(|| input.to_string())? {
            any = true;
            let name = || input.to_string();
            let (n_rows, n_columns) = incoming.matrix_shape().with_context(name)?;
            let double = incoming.kind().is_double();
            let unlabelled = || {
                format!(
                    "{input}: {n_rows} rows and 0 ids; averaging needs one id per row (write them with `npy label`)"
                )
            };
            let (groups, mut means) = match incoming.labels_ahead().with_context(name)? {
                Some(None) => bail!(unlabelled()),
                // A file says which rows belong together before they come: one accumulator per id.
                Some(Some(labels)) => {
                    let groups = Groups::of(&labels);
                    let mut sums = Array2::zeros((groups.ids.len(), n_columns));
                    let mut at = 0;
                    while let Some(block) = incoming.next_rows(ROWS_PER_BLOCK).with_context(name)? {
                        let of_row = &groups.of_row[at..at + block.n_rows()];
                        at += of_row.len();
                        add_block(&mut sums, block, of_row);
                    }
                    incoming.finish().with_context(name)?;
                    (groups, sums)
                }
                // A pipe brings its labels last, so the rows have to wait for them.
                None => {
                    let (matrix, labels) = incoming.into_array().and_then(|a| a.into_matrix()).with_context(name)?;
                    let Some(labels) = labels else { bail!(unlabelled()) };
                    let groups = Groups::of(&labels);
                    let mut sums = Array2::zeros((groups.ids.len(), n_columns));
                    add_block(&mut sums, matrix.view(), &groups.of_row);
                    (groups, sums)
                }
            };
            for (mut row, &count) in means.rows_mut().into_iter().zip(&groups.counts) {
                row /= count as f64;
            }
            let (least, most) = (groups.counts.iter().min().unwrap_or(&0), groups.counts.iter().max().unwrap_or(&0));
            let each = if least == most { format!("{least}") } else { format!("{least} to {most}") };
            job.note(format!(
                "{input}: {n_rows} rows averaged to {} stimuli, {each} presentations each",
                groups.ids.len()
            ));
            let matrix = if double { Matrix::F8(means) } else { Matrix::F4(means.mapv(|v| v as f32)) };
            write_matrix(&mut out, &matrix, Some(&groups.ids))?;
        }
        if !any {
            bail!("{input}: {}", NpyError::Empty);
        }
    }
    out.commit(&job)
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
}

fn add_block(sums: &mut Array2<f64>, block: Block, of_row: &[usize]) {
    match block {
        Block::F4(rows) => add(sums, rows, of_row),
        Block::F8(rows) => add(sums, rows, of_row),
    }
}

/// Adds each row to the sum of its id, in f64 and in the order of the rows.
fn add<T: Float>(sums: &mut Array2<f64>, rows: ndarray::ArrayView2<'_, T>, of_row: &[usize]) {
    for (row, &group) in rows.rows().into_iter().zip(of_row) {
        Zip::from(sums.row_mut(group)).and(row).for_each(|sum, &v| *sum += v.to_f64());
    }
}
