//! Matrices to and from CSV.

use crate::args::{FromCsv, ToCsv};
use crate::whole::Whole;
use anyhow::{Context, Result, bail};
use array_inputs::{hold, open_npy, read_table};
use cli::{Cell, Job, Output, TableWriter};
use ndarray::Array2;
use npy_stream::{Array, Block, Dtype, NpyError, RowWriter, Values};
use stimulus_table::is_missing;

pub(crate) fn to_csv(args: &ToCsv) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let input = &args.input;
    let name = || input.to_string();
    let mut reader = open_npy(&job, input)?;
    let Some(next) = reader.next_array().with_context(name)? else { return Err(NpyError::Empty).with_context(name) };
    // f4 is written with f4's shortest digits: 0.1 and not 0.10000000149011612.
    let single = !next.kind().is_double();
    let shape = next.shape().to_vec();
    let given = match shape.as_slice() {
        [_, _] => Given::Matrix(Whole::take(next, &name())?),
        [_] => Given::Rdm(hold(next, &name())?),
        other => bail!("{input}: shape {other:?}; a table is made of a matrix or of an RDM's upper triangle"),
    };
    // Before anything is written.
    if reader.next_array().with_context(name)?.is_some() {
        bail!("{input}: holds more than 1 array where one is needed; take one out with `npy cat --array N`");
    }
    let out = job.text_output(args.common.output.as_deref())?;
    let table = match given {
        Given::Matrix((whole, labels)) => {
            let mut names = vec!["stimulus".to_string()];
            names.extend((0..whole.n_columns()).map(|c| c.to_string()));
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut table = TableWriter::new(out, args.format, &names)?;
            let rows: Vec<usize> = (0..whole.n_rows()).collect();
            whole.rows(&rows, |at, block| {
                let write = |table: &mut TableWriter<Output>, k: usize, values: &mut dyn Iterator<Item = f64>| {
                    let mut cells = vec![labels.as_ref().map(|l| &l[at + k]).into()];
                    cells.extend(values.map(|v| number(v, single)));
                    table.row(&cells)
                };
                for k in 0..block.n_rows() {
                    match block {
                        Block::F4(b) => write(&mut table, k, &mut b.row(k).iter().map(|&v| f64::from(v)))?,
                        Block::F8(b) => write(&mut table, k, &mut b.row(k).iter().copied())?,
                    }
                }
                Ok(())
            })?;
            table
        }
        Given::Rdm(array) => {
            let n_pairs = array.values.len();
            let labels = array.labels;
            let n = n_stimuli(n_pairs)
                .with_context(|| format!("{input}: {n_pairs} values are no upper triangle of an RDM"))?;
            if let Some(l) = &labels
                && l.len() != n
            {
                bail!("{input}: {n_pairs} values are pairs of {n} stimuli, but {} ids follow", l.len());
            }
            let value = |k: usize| match &array.values {
                Values::F4(v) => f64::from(v[k]),
                Values::F8(v) => v[k],
            };
            let names = ["i", "j", "stimulus_i", "stimulus_j", "dissimilarity"];
            let mut table = TableWriter::new(out, args.format, &names)?;
            let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
            for (k, (i, j)) in pairs.enumerate() {
                let id = |k: usize| Cell::from(labels.as_ref().map(|l| &l[k]));
                table.row(&[i.into(), j.into(), id(i), id(j), number(value(k), single)])?;
            }
            table
        }
    };
    table.into_inner().commit(&job)
}

/// What a table is made of: a matrix and its ids, or an RDM.
enum Given {
    Matrix((Whole, Option<Vec<String>>)),
    Rdm(Array),
}

fn number(v: f64, single: bool) -> Cell<'static> {
    if single && v.is_finite() {
        // The shortest f4 digits, read as f8, print as themselves.
        return Cell::Float((v as f32).to_string().parse().unwrap_or(v));
    }
    Cell::Float(v)
}

/// n where n(n-1)/2 is the number of pairs.
fn n_stimuli(n_pairs: usize) -> Option<usize> {
    let n = (1.0 + (1.0 + 8.0 * n_pairs as f64).sqrt()) as usize / 2;
    (n.saturating_sub(1)..=n + 1).find(|&n| n >= 1 && n * (n - 1) / 2 == n_pairs)
}

pub(crate) fn from_csv(args: &FromCsv) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let table = read_table(&job, &args.input)?;
    let name = || args.input.to_string();
    let id_column = match &args.id_column {
        Some(column) => column.as_str(),
        None => ["stimulus", "stimulus_id", "path"].into_iter().find(|c| table.has(c)).with_context(|| {
            format!(
                "{}: no column stimulus, stimulus_id or path among {}; name the ids with --id-column",
                args.input,
                table.names().join(", ")
            )
        })?,
    };
    let ids = table.column(id_column).with_context(name)?.to_vec();
    if let Some(row) = ids.iter().position(|id| is_missing(id)) {
        bail!("{}: row {row} has no id in column {id_column:?}", args.input);
    }
    let columns: Vec<String> = match args.values.is_empty() {
        false => args.values.clone(),
        true => table.names().iter().filter(|n| n.as_str() != id_column).cloned().collect(),
    };
    if columns.iter().any(String::is_empty) {
        bail!(
            "{}: a column without a name ({}), as pandas writes row numbers; name it, leave it out (index=False), or \
             choose columns with --values",
            args.input,
            table.names().join(", ")
        );
    }
    let mut values = Array2::zeros((ids.len(), columns.len()));
    for (c, column) in columns.iter().enumerate() {
        let numbers = table.numbers(column).with_context(name).map_err(|e| {
            anyhow::anyhow!("{e:#}; leave a missing number empty (or n/a), or choose columns of numbers with --values")
        })?;
        if let Some(row) = numbers.iter().position(|v| *v != 0.0 && v.abs() <= vanishing(args.dtype)) {
            let (value, dtype) = (numbers[row], args.dtype.name());
            bail!(
                "{}: row {row} of column {column:?} is {value:e}, which {dtype} makes 0; write --dtype f8",
                args.input
            );
        }
        values.column_mut(c).assign(&ndarray::ArrayView1::from(&numbers));
    }
    let out = job.binary_output(args.common.output.as_deref())?;
    let mut rows = RowWriter::new(out, ids.len(), columns.len(), args.dtype)?;
    rows.write_rows(values.view())?;
    rows.finish(Some(&ids))?.commit(&job)
}

/// The largest number that a dtype rounds to 0: half its smallest.
fn vanishing(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F2 => 2f64.powi(-25),
        Dtype::F4 => 2f64.powi(-150),
        Dtype::F8 => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triangular_numbers_and_nothing_else() {
        assert_eq!([0, 1, 3, 6, 4186].map(n_stimuli), [Some(1), Some(2), Some(3), Some(4), Some(92)]);
        assert_eq!([2, 4, 11, 4185].map(n_stimuli), [None; 4]);
    }

    #[test]
    fn f4_values_keep_their_short_digits() {
        assert_eq!(number(f64::from(0.1f32), true), Cell::Float(0.1));
        assert_eq!(number(0.1f64, false), Cell::Float(0.1));
    }
}
