//! `--unit-table`: the place in the network of each column that is written.

use crate::units::LayerUnits;
use anyhow::Result;
use cli::{Format, Job, Output, TableWriter};

const COLUMNS: [&str; 7] = ["layer", "unit", "channel", "y", "x", "token", "column"];

/// Writes what each column of each layer is.
pub fn write_table(job: &Job, output: Output, layers: &[LayerUnits]) -> Result<()> {
    let mut table = TableWriter::new(output, Format::Csv, &COLUMNS)?;
    for LayerUnits { layer, readout, .. } in layers {
        table.records(readout.n_units(), |column| {
            let unit = readout.unit_of(column);
            let place = readout.place_of(unit);
            vec![
                ("layer", layer.into()),
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
