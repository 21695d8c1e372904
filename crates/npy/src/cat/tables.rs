//! Tables below each other: those of the shards of a run, or any with one header.

use super::{Cat, Shards, shards};
use anyhow::{Result, bail};
use array_inputs::read_table;
use cli::{Cell, Format, Input, Job, Named, TableWriter};
use stimulus_table::Table;

/// Whether all inputs are files with the ending of a table.
pub(super) fn are_tables(inputs: &[Input]) -> bool {
    inputs.iter().all(|input| {
        let ending = input.path().and_then(|path| path.extension()).map(|ending| ending.to_ascii_lowercase());
        ending.is_some_and(|ending| ending == "csv" || ending == "tsv")
    })
}

pub(super) fn below(job: &Job, args: &Cat) -> Result<()> {
    for (given, option) in [
        (args.columns, "--columns"),
        (args.array.is_some(), "--array"),
        (args.reshape, "--reshape"),
        (args.stimuli.is_some(), "--stimuli"),
        (args.join.inner, "--inner"),
        (args.join.assume_order, "--assume-order"),
    ] {
        if given {
            bail!("{option}: the {} inputs are tables, which are joined below each other only", args.inputs.len());
        }
    }
    let out = job.text_output(args.common.output.as_deref())?;
    let names: Vec<String> = args.inputs.iter().map(ToString::to_string).collect();
    let files: Vec<(&str, &Input)> = names.iter().map(String::as_str).zip(&args.inputs).collect();
    let order = match shards(job, &files)? {
        Some(Shards { order, .. }) => order,
        None => (0..files.len()).collect(),
    };
    let tables: Vec<Table> = order.iter().map(|&i| read_table(job, &args.inputs[i])).collect::<Result<_>>()?;
    let Some(first) = tables.first() else { bail!("0 tables") };
    let header = first.names();
    if let Some(k) = tables.iter().position(|table| table.names() != header) {
        bail!(
            "{} has the columns {}, and {} has {}; only tables with one header can be joined",
            names[order[0]],
            header.join(","),
            names[order[k]],
            tables[k].names().join(",")
        );
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut writer = TableWriter::new(out, Format::Csv, &header)?;
    for table in &tables {
        let columns: Vec<&[String]> = header.iter().map(|name| table.column(name)).collect::<Result<_, _>>()?;
        for row in 0..table.n_rows() {
            let cells: Vec<Named> = header
                .iter()
                .zip(&columns)
                .map(|(name, column)| (*name, Cell::Text(column[row].as_str().into())))
                .collect();
            writer.record(&cells)?;
        }
    }
    writer.into_inner().commit(job)
}
