//! Which rows of a table, by what they say in a column: `--where domain=faces,bodies`.

use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// `COLUMN=VALUE[,VALUE...]`
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) column: String,
    values: Vec<String>,
}

impl Condition {
    /// Whether a level is one of the values.
    pub(crate) fn holds(&self, level: &str) -> bool {
        self.values.iter().any(|value| value == level)
    }

    /// Refuses a value that none of these levels is: a misspelt one would drop its rows in silence.
    pub(crate) fn check(&self, levels: &[String]) -> Result<()> {
        let Some(never) = self.values.iter().find(|value| !levels.contains(value)) else { return Ok(()) };
        let levels: BTreeSet<&String> = levels.iter().collect();
        let shown: Vec<&str> = levels.iter().take(20).map(|s| s.as_str()).collect();
        bail!("--where \"{self}\": column {:?} never is {never:?}; it has {}", self.column, shown.join(", "));
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Condition, String> {
        let (column, values) = text.split_once('=').ok_or("expected COLUMN=VALUE")?;
        // A value with a comma in it stands in quotes, as it does in a table.
        let values = match values.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(quoted) => vec![quoted.replace("\"\"", "\"")],
            None => values.split(',').map(String::from).collect(),
        };
        Ok(Condition { column: column.into(), values })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.column, self.values.join(","))
    }
}
