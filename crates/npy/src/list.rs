//! Which rows or columns, by index: `0,5,10:20`.

use std::ops::Range;
use std::str::FromStr;

/// Indices and half-open ranges from 0; an open end is the end of the matrix.
#[derive(Debug, Clone)]
pub(crate) struct List(Vec<Range<usize>>);

impl List {
    /// The indices, in the order asked for, of a matrix with `n` rows (or columns); they may lie behind its end.
    pub fn of(&self, n: usize) -> Vec<usize> {
        self.0.iter().flat_map(|r| r.start..if r.end == usize::MAX { n.max(r.start) } else { r.end }).collect()
    }
}

impl FromStr for List {
    type Err = String;

    fn from_str(list: &str) -> Result<List, String> {
        let number = |text: &str, open: usize| match text {
            "" => Ok(open),
            text => text.parse().map_err(|_| format!("{text:?} is no whole number from 0")),
        };
        let part = |part: &str| match part.split_once(':') {
            Some((from, to)) => {
                let range = number(from, 0)?..number(to, usize::MAX)?;
                if range.start > range.end { Err(format!("{part} runs backwards")) } else { Ok(range) }
            }
            None if part.is_empty() => Err("an empty place; expected indices and ranges as 0,5,10:20".into()),
            None => number(part, 0).map(|i| i..i + 1),
        };
        list.split(',').map(part).collect::<Result<_, _>>().map(List)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_indices_and_half_open_ranges() {
        let rows = |text: &str| text.parse::<List>().map(|l| l.of(6));
        assert_eq!(rows("0,5,1:3").unwrap(), [0, 5, 1, 2]);
        assert_eq!(rows("4:").unwrap(), [4, 5]);
        assert_eq!(rows(":2,2,2").unwrap(), [0, 1, 2, 2]);
        assert!(rows("3:1").is_err() && rows("a").is_err() && rows("1,,2").is_err() && rows("-1").is_err());
    }
}
