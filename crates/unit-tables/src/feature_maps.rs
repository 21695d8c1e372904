//! Which feature map every unit of a layer belongs to.

use anyhow::{Context, Result, bail, ensure};
use cli::{Input, Job};
use std::collections::HashMap;
use stimulus_table::Table;

use crate::arrays::{Arrays, Sought};

/// A table of `ann-acts --unit-table`, taken apart by layer.
pub struct FeatureMaps {
    source: String,
    /// Layers in order; of each, the channel of every column.
    layers: Vec<(String, HashMap<usize, String>)>,
}

impl FeatureMaps {
    /// Reads such a table.
    pub fn read(job: &Job, input: &Input) -> Result<FeatureMaps> {
        let source = input.to_string();
        let table = Table::read(job.open(input)?.reader()).with_context(|| source.clone())?;
        let layers = channels(&table).with_context(|| source.clone())?;
        Ok(FeatureMaps { layers, source })
    }

    /// The map of every unit of an array, counted from 0; `None`, with a note, where the table has no channels for it.
    pub fn of(&self, job: &Job, array: Sought, n_units: usize) -> Result<Option<Vec<usize>>> {
        let names: Vec<&str> = self.layers.iter().map(|(name, _)| name.as_str()).collect();
        let Some(name) = array.among(&names) else {
            bail!(
                "{}: no layer {:?}; it has {}: {}; name the arrays with --names",
                self.source,
                array.name(),
                names.len(),
                names.join(", ")
            );
        };
        let array = array.name();
        if name != array {
            job.note(format!("{}: layer {name:?} is taken for array {array:?}, the only ones", self.source));
        }
        let place = names.iter().position(|known| *known == name).unwrap_or_default();
        let layer = &self.layers[place];
        if layer.1.len() != n_units {
            bail!(
                "{}: layer {:?} has {} units, but array {array:?} has {n_units}; the table must be of the same run",
                self.source,
                layer.0,
                layer.1.len()
            );
        }
        let mut known: HashMap<&str, usize> = HashMap::new();
        let mut maps = Vec::with_capacity(n_units);
        for unit in 0..n_units {
            let Some(channel) = layer.1.get(&unit) else {
                bail!("{}: layer {:?} has no column {unit}", self.source, layer.0);
            };
            if channel.is_empty() {
                job.note(format!("{}: layer {:?} has no channels; no maps for array {array:?}", self.source, layer.0));
                return Ok(None);
            }
            let next = known.len();
            maps.push(*known.entry(channel).or_insert(next));
        }
        Ok(Some(maps))
    }
}

/// Of each layer, the channel of every column.
fn channels(table: &Table) -> Result<Vec<(String, HashMap<usize, String>)>> {
    let columns = table.indices(if table.has("column") { "column" } else { "unit" })?;
    let channels = table.column("channel")?;
    let of_layer = |(name, rows): (&str, &[usize])| {
        let mut known = HashMap::with_capacity(rows.len());
        for &row in rows {
            if known.insert(columns[row], channels[row].trim().to_owned()).is_some() {
                bail!("layer {name:?} names column {} twice", columns[row]);
            }
        }
        Ok((name.to_owned(), known))
    };
    let arrays = Arrays::of(table)?;
    ensure!(arrays.column().is_some(), "has no column layer or array");
    arrays.iter().map(of_layer).collect()
}
