//! Which rows of a table of units speak of an array.

use std::collections::BTreeSet;

use anyhow::{Context, Error, Result, anyhow, bail};
use stimulus_table::Table;

use crate::columns::{ARRAY, CONTRAST, FOLD, LAYER, N_UNITS, ROI, UNIT, UNIT_NAME, VOXEL, VOXEL_NAME};

/// An array that is looked for in a table.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    /// What it may be called in a table, what it is called now first: its own name or what `--names` says, and its
    /// place (the file's stem, the position in a pipe), by which it goes where it has no name, or another had the same.
    pub names: &'a [String],
    /// How many arrays came before it.
    pub position: usize,
    /// Whether it is the only array there is.
    pub alone: bool,
}

impl Sought<'_> {
    /// What it is called now.
    pub fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// The one of the table's arrays that it is; `None` where the table does not speak of it.
    ///
    /// That is the array of the first of its names that the table has. Only the first array may go by another one, and
    /// only in a table about one array: where one of the two names is that of the first array in a pipe, `0`, and the
    /// other is no place in a pipe, or where the caller knows that the array is the only one.
    pub fn among<'t>(self, known: &[&'t str]) -> Option<&'t str> {
        let is_position = |name: &str| name.parse::<usize>().is_ok();
        // Cells of tables are trimmed.
        let of = |sought: &str| known.iter().find(|name| **name == sought.trim()).copied();
        match (self.names.iter().find_map(|name| of(name)), known) {
            (Some(own), _) => Some(own),
            (None, [only]) if self.position == 0 => {
                let first_of_pipe = |name: &str, other: &str| name == "0" && !is_position(other);
                let is_it = first_of_pipe(only, self.name()) || first_of_pipe(self.name(), only);
                (self.alone || is_it).then_some(*only)
            }
            _ => None,
        }
    }
}

/// The arrays that a table speaks of, and the rows about each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrays {
    column: Option<&'static str>,
    /// In the order of their first rows.
    rows: Vec<(String, Vec<usize>)>,
}

impl Arrays {
    /// Takes the names in the column `layer`, or else `array`; a table with neither speaks of one array without a name.
    pub fn of(table: &Table) -> Result<Arrays> {
        let column = array_column(table);
        let Some(name) = column else {
            return Ok(Arrays { column, rows: vec![(String::new(), (0..table.n_rows()).collect())] });
        };
        let mut rows: Vec<(String, Vec<usize>)> = Vec::new();
        for (row, name) in table.column(name)?.iter().map(|name| name.trim()).enumerate() {
            // Rows about one array stand together, so the last one is nearly always it.
            match rows.iter_mut().rev().find(|(known, _)| known == name) {
                Some((_, rows)) => rows.push(row),
                None => rows.push((name.to_owned(), vec![row])),
            }
        }
        Ok(Arrays { column, rows })
    }

    /// The column that names the arrays.
    pub fn column(&self) -> Option<&'static str> {
        self.column
    }

    /// Name and rows of every array, in the order of their first rows.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.rows.iter().map(|(name, rows)| (name.as_str(), rows.as_slice()))
    }

    /// The names of the arrays, in the order of their first rows.
    pub fn names(&self) -> Vec<&str> {
        self.rows.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The rows about an array of this name.
    pub fn rows(&self, name: &str) -> &[usize] {
        self.rows.iter().find(|(known, _)| known == name).map_or(&[], |(_, rows)| rows)
    }

    /// Names in alphabetical order, for messages.
    pub fn listed(&self) -> String {
        self.names().into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
    }

    /// The error of a table without rows about this array; `kind` says what the tool calls it (array, layer).
    pub fn says_nothing_of(&self, kind: &str, name: &str) -> Error {
        anyhow!("no rows about {kind} {name:?}; the table speaks of {}", self.listed())
    }
}

/// The column that names the arrays of a table.
pub(crate) fn array_column(table: &Table) -> Option<&'static str> {
    [LAYER, ARRAY].into_iter().find(|column| table.has(column))
}

/// The column of the units' (or voxels') numbers.
pub(crate) fn unit_column(table: &Table) -> Result<&'static str> {
    let column = [UNIT, VOXEL].into_iter().find(|column| table.has(column));
    column.with_context(|| format!("no column unit or voxel; the columns are {}", table.names().join(", ")))
}

/// An error where a table of regions has several, whose union is no region.
pub(crate) fn require_one_region(table: &Table) -> Result<()> {
    if table.has(ROI) {
        let regions: BTreeSet<&String> = table.column(ROI)?.iter().collect();
        if regions.len() > 1 {
            let regions: Vec<&str> = regions.into_iter().map(String::as_str).collect();
            bail!("{} regions ({}); `fmri-roi extract` gives one matrix per region", regions.len(), regions.join(", "));
        }
    }
    Ok(())
}

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

/// The rows of a unit table that speak of this array ([`Sought::among`]), or of the one `wanted` by the user, and a
/// line for stderr where that is not plain from the names. One set of units, each unit once: anything else is an error.
pub fn units_of(table: &Table, array: Sought, wanted: Option<&str>) -> Result<TableUnits> {
    let units = table.indices(unit_column(table)?)?;
    require_one_set(table)?;
    require_one_region(table)?;
    let arrays = Arrays::of(table)?;
    let (rows, note) = match (arrays.column(), table.n_rows()) {
        (None, _) | (_, 0) => ((0..units.len()).collect(), None),
        _ => {
            let known = arrays.names();
            let own = || array.among(&known);
            let name = wanted.map_or_else(own, |wanted| known.iter().find(|name| **name == wanted).copied());
            let says_nothing = || arrays.says_nothing_of("array", wanted.unwrap_or(array.name()));
            let name = name.with_context(|| format!("{:#} (--array says which to take)", says_nothing()))?;
            let renamed = wanted.is_none() && name != array.name();
            let note = renamed.then(|| format!("the units of array {name:?} are taken from array {:?}", array.name()));
            (arrays.rows(name).to_vec(), note)
        }
    };
    let units: Vec<usize> = rows.iter().map(|&row| units[row]).collect();
    require_each_once(&units, "")?;
    Ok(TableUnits { rows, units, note })
}

/// An error where the array is not the one that the table's units are columns of: it has another number of columns, or
/// calls them otherwise. A part of a layer keeps the layer's name, so that names of arrays alone do not tell.
pub fn require_same_columns(table: &Table, of: &TableUnits, n_columns: usize, names: Option<&[String]>) -> Result<()> {
    if table.has(N_UNITS) {
        let then = table.column(N_UNITS)?;
        let other = |&&row: &&usize| then[row].trim().parse::<usize>().is_ok_and(|then| then != n_columns);
        if let Some(&row) = of.rows.iter().find(other) {
            bail!(
                "its units were chosen from {}, and the array has {n_columns} columns; give the array that they were chosen \
                 from",
                then[row].trim()
            );
        }
    }
    let column = [UNIT_NAME, VOXEL_NAME].into_iter().find(|column| table.has(column));
    let (Some(column), Some(names)) = (column, names) else { return Ok(()) };
    let then = table.column(column)?;
    for (&row, &unit) in of.rows.iter().zip(&of.units) {
        let called = then[row].trim();
        if let Some(now) = names.get(unit).filter(|now| !called.is_empty() && now.trim() != called) {
            bail!(
                "its unit {unit} is {called:?}, and column {unit} of the array is {now:?}; give the array that they were \
                 chosen from"
            );
        }
    }
    Ok(())
}

/// An error where a unit is listed again; `of` says whose units they are (" of \"conv\"", or nothing).
pub fn require_each_once(units: &[usize], of: &str) -> Result<()> {
    let mut sorted = units.to_vec();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("unit {}{of} stands in it more than once ({} rows); list each unit once", twice[0], units.len());
    }
    Ok(())
}

/// An error where a table holds the rows of several contrasts or folds, whose union is no set that anybody selected.
pub fn require_one_set(table: &Table) -> Result<()> {
    for column in [CONTRAST, FOLD] {
        if !table.has(column) {
            continue;
        }
        let mut values: Vec<&str> = Vec::new();
        for value in table.column(column)? {
            if !values.contains(&value.as_str()) {
                values.push(value);
            }
        }
        if let [first, _, ..] = *values {
            bail!(
                "rows of {} {column}s ({}); a set of units has one: keep the rows of one, as with grep -e '^array' -e \
                 '{first}'",
                values.len(),
                values.join("; ")
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str, name: &str, position: usize, wanted: Option<&str>) -> Result<Vec<usize>> {
        let table = Table::read(text.as_bytes()).unwrap();
        units_of(&table, Sought { names: &[name.to_owned()], position, alone: false }, wanted).map(|of| of.units)
    }

    #[test]
    fn units_are_those_of_the_array() {
        let two = "array,unit\na,3\nb,4\na,1\n";
        assert_eq!(units(two, "a", 0, None).unwrap(), [3, 1]);
        assert_eq!(units(two, "c", 0, Some("b")).unwrap(), [4]);
        assert!(units(two, "c", 0, None).unwrap_err().to_string().contains("a, b"));
        assert!(units(two, "0", 0, None).is_err());
        // Another layer's units must not be cut from this one, even when the table knows no other.
        assert!(units("array,unit\nlayer4,3\n", "layer3", 0, None).is_err());
        assert!(units("layer,unit\nlayer4,3\n", "layer3", 0, None).is_err());
        // A position in a pipe is no name.
        assert_eq!(units("array,unit\n0,3\n", "acts", 0, None).unwrap(), [3]);
        assert_eq!(units("array,unit\nlayer4,3\n", "0", 0, None).unwrap(), [3]);
        assert!(units("array,unit\nlayer4,3\n", "1", 1, None).is_err());
        // Another place in a pipe is another array, and so is a file whose name is another number.
        for (table, name) in [("1", "0"), ("1", "acts"), ("4", "3"), ("layer4", "3")] {
            assert!(units(&format!("array,unit\n{table},3\n"), name, 0, None).is_err(), "{table} for {name}");
        }
        assert_eq!(units("roi,voxel\nFFA,7\n", "betas", 0, None).unwrap(), [7]);
        assert!(units("array,unit\n", "acts", 0, None).unwrap().is_empty());
    }

    #[test]
    fn the_only_array_may_have_another_name() {
        let names = ["b".to_string()];
        let sought = Sought { names: &names, position: 0, alone: true };
        assert_eq!(sought.among(&["a"]), Some("a"));
        assert_eq!(sought.among(&["a", "b"]), Some("b"));
        assert_eq!(sought.among(&["a", "c"]), None);
        assert_eq!(Sought { alone: false, ..sought }.among(&["a"]), None);
        assert_eq!(Sought { position: 1, ..sought }.among(&["a"]), None);
    }

    #[test]
    fn an_array_with_a_name_is_found_by_its_place_too() {
        let table = |text: &str| Table::read(text.as_bytes()).unwrap();
        let names = ["conv".to_string(), "acts".to_string(), "acts:conv".to_string()];
        let of = |text, position| {
            units_of(&table(text), Sought { names: &names, position, alone: false }, None).map(|of| of.units)
        };
        assert_eq!(of("array,unit\nacts,1\nconv,2\n", 0).unwrap(), [2]);
        assert_eq!(of("array,unit\nacts,1\nfc,2\n", 0).unwrap(), [1]);
        assert_eq!(of("array,unit\nacts:conv,1\nfc,2\n", 3).unwrap(), [1]);
        // Of another array alone, whatever the place of this one.
        let error = of("array,unit\nfc,2\n", 0).unwrap_err().to_string();
        assert!(error.contains("no rows about array \"conv\"; the table speaks of fc"), "{error}");
        assert_eq!(of("array,unit\n0,2\n", 0).unwrap(), [2]);
    }

    #[test]
    fn one_set_of_units_each_once() {
        let error = |text: &str| units(text, "a", 0, None).unwrap_err().to_string();
        assert!(error("unit\n2\n5\n2\n").contains("unit 2 stands in it more than once (3 rows)"));
        assert!(error("unit,contrast\n1,a > b\n2,b > a\n").contains("rows of 2 contrasts (a > b; b > a)"));
        assert!(error("unit,fold\n1,odd\n1,even\n").contains("rows of 2 folds (odd; even)"));
        assert!(error("t\n1\n").contains("no column unit or voxel; the columns are t"));
        // A unit of another array is another unit.
        assert_eq!(units("array,unit\na,3\nb,3\n", "b", 0, None).unwrap(), [3]);
    }
}
