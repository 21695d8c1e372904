//! The units that `--units` keeps, from a table as select-units writes it.

use anyhow::{Context, Result, bail, ensure};
use cli::file_stems;
use std::collections::BTreeSet;
use stimulus_table::Table;
use unit_tables::columns::UNIT;
use unit_tables::{Arrays, Sought, require_each_once};

/// Rows of the table by the layer that they name.
pub struct ChosenUnits {
    arrays: Arrays,
    /// The unit of every row.
    units: Vec<usize>,
}

impl ChosenUnits {
    /// Takes the `unit` column and, if there is one, `layer` (else `array`) of a table with one set of units for each.
    pub fn from_table(table: &Table) -> Result<Self> {
        let units = table.indices(UNIT)?;
        ensure!(!units.is_empty(), "0 units; nothing was selected, so there is nothing to keep");
        let chosen = Self { arrays: Arrays::of(table)?, units };
        for (name, rows) in chosen.arrays.iter() {
            let of = if name.is_empty() { String::new() } else { format!(" of {name:?}") };
            require_each_once(&chosen.at(rows), &of)?;
        }
        Ok(chosen)
    }

    /// The units in these rows, ascending.
    fn at(&self, rows: &[usize]) -> Vec<usize> {
        let mut units: Vec<usize> = rows.iter().map(|&row| self.units[row]).collect();
        units.sort_unstable();
        units
    }

    /// Whether the table speaks of this layer, by its name or the stem of its file.
    pub fn names(&self, layer: &str) -> bool {
        let stem = file_stems([layer]).pop();
        self.arrays.names().iter().any(|name| *name == layer || stem.as_deref() == Some(without_shard(name)))
    }

    /// The units of each layer, and what the reader should know of it.
    ///
    /// A layer is named by its tensor, by its file's stem, or by its position in a stream. A table about one array is
    /// taken for the one layer asked for whatever its name, unless that is another layer's (`known` are all of the
    /// network's).
    pub fn for_layers(&self, layers: &[&str], known: &[String]) -> Result<(Vec<Vec<usize>>, Vec<String>)> {
        let mut notes = Vec::new();
        let Some(column) = self.arrays.column() else {
            ensure!(
                layers.len() == 1,
                "names no layer (no column layer or array), but {} layers are asked for; unit numbers are one layer's",
                layers.len()
            );
            return Ok((vec![self.at(self.arrays.rows(""))], notes));
        };
        let mut names = self.arrays.names();
        names.sort_unstable();
        let stems = file_stems(layers.iter().copied());
        let mut taken: BTreeSet<&str> = BTreeSet::new();
        let mut chosen = Vec::new();
        for (position, (&layer, stem)) in layers.iter().zip(&stems).enumerate() {
            let own = |name: &&&str| **name == layer || without_shard(name) == stem;
            // Streams are named by position, from 0; of a longer stream nobody knows which layers these are.
            let placed = |name: &&&str| names.len() <= layers.len() && name.parse() == Ok(position);
            let name = match names.iter().find(own).or_else(|| names.iter().find(placed)) {
                Some(name) => name,
                None => {
                    let sought = Sought { names: &[layer.to_owned()], position, alone: layers.len() == 1 };
                    let only = sought
                        .among(&names)
                        .with_context(|| self.arrays.says_nothing_of("layer", layer).to_string())?;
                    if let Some(other) = other_layer(only, layer, known) {
                        bail!("the units are of layer {other:?}, not of {layer:?}; unit numbers are one layer's");
                    }
                    notes.push(format!("{column} {only:?} is taken for layer {layer:?}"));
                    only
                }
            };
            taken.insert(name);
            chosen.push(self.at(self.arrays.rows(name)));
        }
        let unused: Vec<&str> = names.iter().copied().filter(|name| !taken.contains(name)).collect();
        if !unused.is_empty() {
            notes.push(format!("rows about {} are not used", unused.join(", ")));
        }
        Ok((chosen, notes))
    }
}

/// The network's layer of this name, if it is another one than `layer`.
fn other_layer<'a>(name: &str, layer: &str, known: &'a [String]) -> Option<&'a str> {
    let named = |other: &&String| {
        let stem = file_stems([other.as_str()]).pop();
        other.as_str() == name || stem.as_deref() == Some(without_shard(name))
    };
    known.iter().filter(|other| *other != layer).find(named).map(String::as_str)
}

/// The stem of a layer's file without its `.shard-3-of-8`.
fn without_shard(stem: &str) -> &str {
    match stem.rsplit_once(".shard-") {
        Some((layer, part)) if part.split("-of-").all(|n| n.parse::<usize>().is_ok()) => layer,
        _ => stem,
    }
}

/// Checks that all units are there, in a layer of `n_units`.
pub fn check(units: &[usize], n_units: usize, layer: &str) -> Result<()> {
    let last = units.last().copied().context("no units")?;
    ensure!(
        last < n_units,
        "unit {last} is asked for, but layer {layer:?} has {n_units} (0 to {}); was it selected with the same --pool \
         and --tokens?",
        n_units.saturating_sub(1)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str, layers: &[&str]) -> Result<Vec<Vec<usize>>> {
        let known: Vec<String> = ["conv", "relu", "/a/pool"].map(String::from).to_vec();
        ChosenUnits::from_table(&Table::read(text.as_bytes())?)?.for_layers(layers, &known).map(|(units, _)| units)
    }

    fn error(text: &str, layers: &[&str]) -> String {
        chosen(text, layers).unwrap_err().to_string()
    }

    #[test]
    fn rows_are_taken_by_layer_stem_or_position() {
        assert_eq!(chosen("unit\n7\n3\n", &["conv"]).unwrap(), [[3, 7]]);
        let two = "layer,unit\nrelu,4\n/a/pool,2\nrelu,1\n";
        assert_eq!(chosen(two, &["/a/pool", "relu"]).unwrap(), [vec![2], vec![1, 4]]);
        assert_eq!(chosen("array,unit\na_pool,2\nrelu,1\n", &["/a/pool"]).unwrap(), [[2]]);
        assert_eq!(chosen("array,unit\na_pool.shard-0-of-2,2\nrelu,1\n", &["/a/pool"]).unwrap(), [[2]]);
        assert_eq!(chosen("array,unit\n1,2\n0,5\n", &["conv", "relu"]).unwrap(), [[5], [2]]);
        assert_eq!(chosen("array,unit\nsession1,2\n", &["conv"]).unwrap(), [[2]]);
    }

    #[test]
    fn another_layers_units_are_refused() {
        assert!(error("array,unit\nrelu,2\n", &["conv"]).contains("of layer \"relu\", not of \"conv\""));
        assert!(error("layer,unit\na_pool,2\n", &["conv"]).contains("of layer \"/a/pool\""));
        assert!(error("layer,unit\na,2\nb,1\n", &["conv"]).contains("speaks of a, b"));
        assert!(error("layer,unit\nconv,2\n", &["conv", "relu"]).contains("no rows about layer \"relu\""));
        assert!(error("unit\n2\n", &["conv", "relu"]).contains("2 layers are asked for"));
        assert!(error("layer,unit\n", &["conv"]).contains("0 units"));
        assert!(error("unit\n2\n5\n2\n", &["conv"]).contains("unit 2 stands in it more than once (3 rows)"));
        assert!(check(&[3, 9], 9, "conv").unwrap_err().to_string().contains("has 9 (0 to 8)"));
    }
}
