//! One set of units out of a table that holds those of several contrasts or folds.

use anyhow::{Result, bail};
use localizer::Contrast;
use stimulus_table::Table;

use crate::columns::{CONTRAST, FOLD};

/// Which set of a table is meant. The tool that takes these options calls its table, or a group around it, `units`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SetArgs {
    /// Of a table with several contrasts, the rows of this one, as in 'faces > rest'
    #[arg(long, value_name = "CONTRAST", requires = "units")]
    pub contrast: Option<String>,
    /// Of a cross-validated table, the rows of this fold
    #[arg(long, value_name = "FOLD", requires = "units")]
    pub fold: Option<String>,
}

impl SetArgs {
    /// The rows of the set that is asked for. A table that still holds several contrasts or folds is an error: their
    /// union is no set that anybody selected.
    pub fn of(&self, table: Table) -> Result<Table> {
        let table = only(table, CONTRAST, self.contrast.as_deref(), &is_one_contrast)?;
        let table = only(table, FOLD, self.fold.as_deref(), &|a, b| a.trim() == b.trim())?;
        for column in [CONTRAST, FOLD] {
            let there = values(&table, column)?;
            if there.len() > 1 {
                let listed = there.join("; ");
                bail!(
                    "rows of {} {column}s ({listed}); a set of units has one: choose it with --{column}",
                    there.len()
                );
            }
        }
        Ok(table)
    }
}

/// The rows with this value in the column, where one is asked for; an error lists the values there are.
fn only(table: Table, column: &str, wanted: Option<&str>, same: &dyn Fn(&str, &str) -> bool) -> Result<Table> {
    let Some(wanted) = wanted else { return Ok(table) };
    if !table.has(column) {
        bail!("--{column} {wanted:?}, but there is no column {column}; the columns are {}", table.names().join(", "));
    }
    let there = values(&table, column)?;
    if !there.iter().any(|value| same(value, wanted)) {
        bail!(
            "no rows of {column} {wanted:?}; the table has {} (what chose no unit has no rows)",
            if there.is_empty() { "none".into() } else { there.join("; ") }
        );
    }
    let keep: Vec<bool> = table.column(column)?.iter().map(|value| same(value, wanted)).collect();
    Ok(table.rows_where(|row| keep[row]))
}

/// The distinct values of a column in the order of their first rows; none where there is no such column.
fn values<'t>(table: &'t Table, column: &str) -> Result<Vec<&'t str>> {
    let mut distinct: Vec<&str> = Vec::new();
    if table.has(column) {
        for value in table.column(column)? {
            if !distinct.contains(&value.as_str()) {
                distinct.push(value);
            }
        }
    }
    Ok(distinct)
}

/// Whether two spellings are one contrast: `faces>rest` is `faces > rest`.
fn is_one_contrast(a: &str, b: &str) -> bool {
    let parsed = |text: &str| text.parse::<Contrast>().ok().map(|contrast| contrast.to_string());
    a.trim() == b.trim() || parsed(a).is_some_and(|a| parsed(b) == Some(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "unit,contrast,fold\n1,a > rest,0\n2,b > a,0\n3,a > rest,1\n4,b > a,1\n";

    fn units(text: &str, contrast: Option<&str>, fold: Option<&str>) -> Result<Vec<usize>> {
        let wanted = SetArgs { contrast: contrast.map(String::from), fold: fold.map(String::from) };
        Ok(wanted.of(Table::read(text.as_bytes())?)?.indices("unit")?)
    }

    #[test]
    fn one_set_is_taken() {
        assert_eq!(units(TABLE, Some("a > rest"), Some("1")).unwrap(), [3]);
        assert_eq!(units(TABLE, Some(" b>a "), Some("0")).unwrap(), [2]);
        assert_eq!(units("unit,contrast\n1,a > b\n2,b > a\n", Some("b > a"), None).unwrap(), [2]);
        assert_eq!(units("unit\n5\n", None, None).unwrap(), [5]);
    }

    #[test]
    fn what_is_not_one_set_says_what_there_is() {
        let error = |contrast, fold| units(TABLE, contrast, fold).unwrap_err().to_string();
        assert!(error(None, None).contains("rows of 2 contrasts (a > rest; b > a)"));
        assert!(error(None, None).ends_with("choose it with --contrast"));
        assert!(error(Some("a > rest"), None).contains("rows of 2 folds (0; 1)"));
        assert!(error(Some("a > b"), None).contains("no rows of contrast \"a > b\"; the table has a > rest; b > a"));
        assert!(error(Some("a > rest"), Some("2")).contains("no rows of fold \"2\"; the table has 0; 1"));
        let error = units("unit,t\n1,2\n", Some("a > b"), None).unwrap_err().to_string();
        assert!(error.contains("no column contrast; the columns are unit, t"), "{error}");
    }
}
