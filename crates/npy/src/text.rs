//! Matrices to and from CSV.

use crate::args::{FromCsv, ToCsv};
use anyhow::{Context, Result, bail};
use cli::{Cell, Job, Output, TableWriter};
use labelled_inputs::{Names, read_arrays, read_table};
use ndarray::Array2;
use npy_stream::{Dtype, RowWriter, Values};
use stimulus_table::is_missing;

pub(crate) fn to_csv(args: &ToCsv) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let mut arrays = read_arrays(&job, std::slice::from_ref(&args.input), &mut Names::default())?;
    if arrays.len() > 1 {
        bail!(
            "{}: holds {} arrays where one is needed; take one out with `npy cat --array N`",
            args.input,
            arrays.len()
        );
    }
    let named = arrays.remove(0);
    let out = Output::text(args.common.output.as_deref())?;
    // f4 is written with f4's shortest digits: 0.1 and not 0.10000000149011612.
    let single = matches!(named.array.values, Values::F4(_));
    let shape = named.array.shape.clone();
    let labels = named.array.labels.clone();
    let table = match shape.as_slice() {
        &[n_rows, n_columns] => {
            let named = named.into_matrix()?;
            let values = named.matrix.into_f64();
            let mut names = vec!["stimulus".to_string()];
            names.extend((0..n_columns).map(|c| c.to_string()));
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut table = TableWriter::new(out, args.format, &names)?;
            for row in 0..n_rows {
                let mut cells = vec![labels.as_ref().map(|l| &l[row]).into()];
                cells.extend(values.row(row).iter().map(|&v| number(v, single)));
                table.row(&cells)?;
            }
            table
        }
        &[n_pairs] => {
            let n = n_stimuli(n_pairs)
                .with_context(|| format!("{}: {n_pairs} values are no upper triangle of an RDM", args.input))?;
            if let Some(l) = &labels
                && l.len() != n
            {
                bail!("{}: {n_pairs} values are pairs of {n} stimuli, but {} ids follow", args.input, l.len());
            }
            let values = named.array.values.into_f64();
            let names = ["i", "j", "stimulus_i", "stimulus_j", "dissimilarity"];
            let mut table = TableWriter::new(out, args.format, &names)?;
            let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
            for ((i, j), &v) in pairs.zip(&values) {
                let id = |k: usize| Cell::from(labels.as_ref().map(|l| &l[k]));
                table.row(&[i.into(), j.into(), id(i), id(j), number(v, single)])?;
            }
            table
        }
        other => bail!("{}: shape {other:?}; a table is made of a matrix or of an RDM's upper triangle", args.input),
    };
    table.into_inner().commit(&job)
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
    let out = Output::binary(args.common.output.as_deref())?;
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
