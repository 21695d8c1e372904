//! Rows of a table by what they say: `COLUMN=VALUE`.

use std::fmt;
use std::str::FromStr;

/// `COLUMN=VALUE`: the rows whose level in that annotation column is this value.
///
/// ```
/// use stimulus_table::Condition;
/// let odd: Condition = "half=odd".parse().unwrap();
/// assert_eq!((odd.column.as_str(), odd.value.as_str()), ("half", "odd"));
/// assert!("half".parse::<Condition>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The annotation column.
    pub column: String,
    /// Its level.
    pub value: String,
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Condition, String> {
        match text.split_once('=') {
            Some((column, value)) if !column.is_empty() && !value.is_empty() => {
                Ok(Condition { column: column.into(), value: value.into() })
            }
            _ => Err("expected COLUMN=VALUE, as in half=odd".into()),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.column, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_have_a_column_and_a_value() {
        let of = |text: &str| text.parse::<Condition>();
        assert_eq!(of("half=odd=1").unwrap(), Condition { column: "half".into(), value: "odd=1".into() });
        assert_eq!(of("half=odd").unwrap().to_string(), "half=odd");
        for bad in ["half", "=odd", "half=", ""] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
