//! Which rows of a table of units speak of an array.

use anyhow::{Context, Result, bail};
use stimulus_table::Table;

/// The rows of a unit table that speak of one array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableUnits {
    /// Rows of the table, from 0.
    pub rows: Vec<usize>,
    /// The unit (or voxel) each of them names.
    pub units: Vec<usize>,
    /// What to say on stderr.
    pub note: Option<String>,
}

/// The rows of a unit table that speak of this array, and a line for stderr where that is not plain from the names.
///
/// A unit number means nothing without its layer, so the table's `array` must be the array's name, or `wanted` by the
/// user. Only a name that is a mere position in a pipe, on either side, is let pass, for the first array of an input
/// and a table about one array.
pub fn units_of(table: &Table, array: &str, position: usize, wanted: Option<&str>) -> Result<TableUnits> {
    let column = ["unit", "voxel"].into_iter().find(|c| table.has(c));
    let column =
        column.with_context(|| format!("no column unit or voxel; the columns are {}", table.names().join(", ")))?;
    let units = table.indices(column)?;
    table.require_one_set()?;
    if table.has("roi") {
        let regions: std::collections::BTreeSet<&String> = table.column("roi")?.iter().collect();
        if regions.len() > 1 {
            let regions: Vec<&str> = regions.into_iter().map(String::as_str).collect();
            bail!("{} regions ({}); `fmri-roi extract` gives one matrix per region", regions.len(), regions.join(", "));
        }
    }
    if !table.has("array") || table.n_rows() == 0 {
        return Ok(TableUnits { rows: (0..units.len()).collect(), units, note: None });
    }
    let arrays = table.column("array")?;
    let known: std::collections::BTreeSet<&str> = arrays.iter().map(String::as_str).collect();
    let nameless = |name: &str| name.parse::<usize>().is_ok();
    let (name, note) = match wanted {
        Some(name) => (name, None),
        None if known.contains(array) => (array, None),
        None => match known.first() {
            Some(&only) if known.len() == 1 && position == 0 && (nameless(array) || nameless(only)) => {
                (only, Some(format!("the units of array {only:?} are taken from array {array:?}")))
            }
            _ => (array, None),
        },
    };
    if !known.contains(name) {
        let known: Vec<&str> = known.into_iter().collect();
        bail!("no rows about array {name:?}; the table speaks of {} (--array says which to take)", known.join(", "));
    }
    let rows: Vec<usize> = (0..units.len()).filter(|&row| arrays[row] == name).collect();
    Ok(TableUnits { units: rows.iter().map(|&row| units[row]).collect(), rows, note })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_the_array() {
        let units = |text: &str, array: &str, position, wanted| {
            let table = Table::read(text.as_bytes()).unwrap();
            units_of(&table, array, position, wanted).map(|of| of.units)
        };
        let two = "array,unit\na,3\nb,4\na,1\n";
        assert_eq!(units(two, "a", 0, None).unwrap(), [3, 1]);
        assert_eq!(units(two, "c", 0, Some("b")).unwrap(), [4]);
        assert!(units(two, "c", 0, None).unwrap_err().to_string().contains("a, b"));
        assert!(units(two, "0", 0, None).is_err());
        // Another layer's units must not be cut from this one, even when the table knows no other.
        assert!(units("array,unit\nlayer4,3\n", "layer3", 0, None).is_err());
        // A position in a pipe is no name.
        assert_eq!(units("array,unit\n0,3\n", "acts", 0, None).unwrap(), [3]);
        assert_eq!(units("array,unit\nlayer4,3\n", "0", 0, None).unwrap(), [3]);
        assert!(units("array,unit\nlayer4,3\n", "1", 1, None).is_err());
        assert_eq!(units("roi,voxel\nFFA,7\n", "betas", 0, None).unwrap(), [7]);
        assert!(units("array,unit\n", "acts", 0, None).unwrap().is_empty());
    }
}
