//! Which feature map every unit of a layer belongs to.

use anyhow::{Context, Result, bail};
use array_inputs::read_table;
use cli::{Input, Job};
use std::collections::HashMap;

/// A table of `ann-acts --unit-table`, taken apart by layer.
pub(crate) struct FeatureMaps {
    source: String,
    /// Layers in order; of each, the channel of every column.
    layers: Vec<(String, HashMap<usize, String>)>,
}

impl FeatureMaps {
    pub fn read(job: &Job, input: &Input) -> Result<FeatureMaps> {
        let source = input.to_string();
        let table = read_table(job, input)?;
        let read = || -> Result<Vec<(String, HashMap<usize, String>)>> {
            let names = table.column(if table.has("layer") { "layer" } else { "array" })?;
            let columns = table.indices(if table.has("column") { "column" } else { "unit" })?;
            let channels = table.column("channel")?;
            let mut layers: Vec<(String, HashMap<usize, String>)> = Vec::new();
            for ((name, &column), channel) in names.iter().zip(&columns).zip(channels) {
                let place = layers.iter().position(|(layer, _)| layer == name).unwrap_or_else(|| {
                    layers.push((name.clone(), HashMap::new()));
                    layers.len() - 1
                });
                if layers[place].1.insert(column, channel.trim().to_owned()).is_some() {
                    bail!("layer {name:?} names column {column} twice");
                }
            }
            Ok(layers)
        };
        Ok(FeatureMaps { layers: read().with_context(|| source.clone())?, source })
    }

    /// The map of every unit of an array, counted from 0; `None`, with a note, where the table has no channels for it.
    pub fn of(&self, job: &Job, array: &str, n_units: usize, one_array: bool) -> Result<Option<Vec<usize>>> {
        let layer = match (self.layers.iter().find(|(name, _)| name == array), self.layers.as_slice()) {
            (Some(layer), _) => layer,
            (None, [only]) if one_array => {
                job.note(format!("{}: layer {:?} is taken for array {array:?}, the only ones", self.source, only.0));
                only
            }
            _ => {
                let names: Vec<&str> = self.layers.iter().map(|(name, _)| name.as_str()).collect();
                bail!(
                    "{}: no layer {array:?}; it has {}: {}; name the arrays with --names",
                    self.source,
                    names.len(),
                    names.join(", ")
                );
            }
        };
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
