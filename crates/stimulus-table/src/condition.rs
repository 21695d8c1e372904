//! Rows of a table by what they say: `COLUMN=VALUE[,VALUE...]`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// `COLUMN=VALUE[,VALUE...]`: the rows whose level in that annotation column is one of these values (none: the empty
/// cells). A value with a comma in it stands alone and in quotes, as it does in a table.
///
/// ```
/// use stimulus_table::Condition;
/// let odd: Condition = "half=odd".parse().unwrap();
/// assert!(odd.holds("odd") && !odd.holds("even"));
/// assert!(r#"contrast="faces > bodies,places""#.parse::<Condition>().unwrap().holds("faces > bodies,places"));
/// assert!("half".parse::<Condition>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The annotation column.
    pub column: String,
    values: Vec<String>,
}

/// Levels that a message lists.
const MOST_LISTED: usize = 20;

impl Condition {
    /// Whether a level is one of the values.
    pub fn holds(&self, level: &str) -> bool {
        self.values.iter().any(|value| value == level)
    }

    /// What is wrong where one of the values is none of the column's levels: a misspelt one would drop its rows in
    /// silence.
    pub fn unknown_among(&self, levels: &[String]) -> Option<String> {
        let never = self.values.iter().find(|value| !levels.contains(value))?;
        let levels: BTreeSet<&String> = levels.iter().filter(|level| !level.is_empty()).collect();
        let shown: Vec<&str> = levels.iter().take(MOST_LISTED).map(|level| level.as_str()).collect();
        Some(format!("column {:?} never is {never:?}; it has {}", self.column, shown.join(", ")))
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Condition, String> {
        let Some((column, values)) = text.split_once('=').filter(|(column, _)| !column.is_empty()) else {
            return Err("expected COLUMN=VALUE, as in half=odd".into());
        };
        let values = match values.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(quoted) => vec![quoted.replace("\"\"", "\"")],
            None => values.split(',').map(String::from).collect::<Vec<String>>(),
        };
        if values.len() > 1 && values.iter().any(String::is_empty) {
            return Err(format!("{text:?} has an empty value among others; `{column}=` alone takes the empty cells"));
        }
        Ok(Condition { column: column.into(), values })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.values[..] {
            [value] if value.contains(',') => write!(f, "{}=\"{}\"", self.column, value.replace('"', "\"\"")),
            values => write!(f, "{}={}", self.column, values.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_have_a_column_and_values() {
        let of = |text: &str| text.parse::<Condition>();
        let (one, two) = (of("half=odd=1").unwrap(), of("half=odd,even").unwrap());
        assert!(one.holds("odd=1") && !one.holds("odd"));
        assert!(two.holds("odd") && two.holds("even") && !two.holds("odd,even"));
        let quoted = of("c=\"a \"\"b\"\", c\"").unwrap();
        assert!(quoted.holds("a \"b\", c"));
        for condition in [one, two, quoted] {
            assert_eq!(of(&condition.to_string()).unwrap(), condition);
        }
        let empty = of("half=").unwrap();
        assert!(empty.holds("") && !empty.holds("odd") && empty.to_string() == "half=");
        for bad in ["half", "=odd", "half=odd,,even", "half=,", ""] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_value_that_no_row_has_is_named() {
        let levels = ["odd", "even", ""].map(String::from);
        let of = |text: &str| text.parse::<Condition>().unwrap().unknown_among(&levels);
        assert_eq!(of("half=even,odd"), None);
        assert_eq!(of("half=odd,od").unwrap(), "column \"half\" never is \"od\"; it has even, odd");
    }
}
