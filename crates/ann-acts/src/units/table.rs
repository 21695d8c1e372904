//! `--unit-table`: the place in the network of each column that is written.

use crate::units::LayerReadout;
use anyhow::{Context, Result};
use cli::{Format, Job, Output, TableWriter};

const COLUMNS: [&str; 7] = ["layer", "unit", "channel", "y", "x", "token", "column"];

/// Writes what each column of each layer is.
pub fn write_table(job: &Job, output: Output, layers: &[LayerReadout]) -> Result<()> {
    let mut table = TableWriter::new(output, Format::Csv, &COLUMNS)?;
    for LayerReadout { name, readout, .. } in layers {
        let readout = readout.as_ref().context("not read out")?;
        table.records(readout.n_units(), |column| {
            let unit = readout.unit_of(column);
            let place = readout.place_of(unit);
            vec![
                ("layer", name.into()),
                ("unit", unit.into()),
                ("channel", place.channel.into()),
                ("y", place.y.into()),
                ("x", place.x.into()),
                ("token", place.token.into()),
                ("column", column.into()),
            ]
        })?;
    }
    table.into_inner().commit(job)
}
