//! `npy from-csv`: a table of numbers as a labelled matrix.

use anyhow::{Context, Result, anyhow, bail};
use array_inputs::read_table;
use cli::{Common, Input, Job};
use ndarray::{Array2, ArrayView1};
use npy_stream::{Dtype, LabelsRef, RowWriter};

/// A CSV or TSV table as a labelled matrix
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The ids are the column stimulus, stimulus_id or path, or what --id-column says; the other columns'
names stand behind the matrix as the names of its columns. A missing number is
empty, n/a, NA or NaN in any case and becomes NaN; numbers that f8 (or --dtype) does not hold are
errors.

Examples:
  npy from-csv responses.csv > responses.npy
  npy from-csv --values FFA_beta,VWFA_beta responses.csv > responses.npy
  npy from-csv --id-column picture --dtype f4 ratings.tsv > ratings.npy")]
pub(crate) struct FromCsv {
    /// CSV or TSV with a header line; - is stdin
    #[arg(default_value = "-")]
    input: Input,
    /// Column of the ids; they may repeat
    #[arg(long, value_name = "COLUMN")]
    id_column: Option<String>,
    /// Columns of numbers, in this order [default: all but the id column]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    values: Vec<String>,
    /// f2, f4 or f8
    #[arg(long, default_value = "f8")]
    dtype: Dtype,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(args: &FromCsv) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let table = read_table(&job, &args.input)?;
    let name = || args.input.to_string();
    let (id_column, ids) = match &args.id_column {
        Some(column) => (column.as_str(), table.ids_in(column).with_context(name)?),
        None => table.ids().map_err(|e| anyhow!("{}: {e}; --id-column says where the ids are", args.input))?,
    };
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
            anyhow!("{e:#}; leave a missing number empty (or n/a), or choose columns of numbers with --values")
        })?;
        if let Some(row) = numbers.iter().position(|v| *v != 0.0 && v.abs() <= vanishing(args.dtype)) {
            let (value, dtype) = (numbers[row], args.dtype.name());
            bail!(
                "{}: row {row} of column {column:?} is {value:e}, which {dtype} makes 0; write --dtype f8",
                args.input
            );
        }
        values.column_mut(c).assign(&ArrayView1::from(&numbers));
    }
    let out = job.binary_output(args.common.output.as_deref())?;
    let mut rows = RowWriter::new(out, ids.len(), columns.len(), args.dtype)?;
    rows.write_rows(values.view())?;
    // Numbers of columns, as `to-csv` writes them where there are no names, are none.
    let are_numbers = columns.iter().enumerate().all(|(place, name)| *name == place.to_string());
    let names = (!are_numbers).then_some(&columns[..]);
    let labels = LabelsRef { ids: Some(ids), columns: names, name: None };
    rows.finish(labels)?.commit(&job)
}

/// The largest number that a dtype rounds to 0: half its smallest.
fn vanishing(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F2 => 2f64.powi(-25),
        Dtype::F4 => 2f64.powi(-150),
        Dtype::F8 => 0.0,
    }
}
