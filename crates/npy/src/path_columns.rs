//! Columns whose cells are parts of the names of files: `scores/{region}-t{threshold}.csv`.

use std::str::FromStr;

/// A pattern of paths: pieces that stand as they are, and names in braces for what stands between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathColumns {
    pattern: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Fixed(String),
    Column(String),
}

impl PathColumns {
    /// The names, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Column(name) => Some(name.as_str()),
            Piece::Fixed(_) => None,
        })
    }

    /// What the names stand for in a path, whose end, from the start of a folder or file, is the pattern. A name stands
    /// for one character or more, none of them a slash.
    pub(crate) fn cells(&self, path: &str) -> Result<Vec<String>, String> {
        let starts = std::iter::once(0).chain(path.match_indices('/').map(|(at, _)| at + 1));
        let mut found = Vec::new();
        for start in starts {
            fits(&self.pieces, &path[start..], &mut Vec::new(), &mut found);
        }
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(format!("{path} does not end in {}", self.pattern)),
            _ => Err(format!(
                "{path} is {} in more ways than one: {} or {}",
                self.pattern,
                found[0].join(" "),
                found[1].join(" ")
            )),
        }
    }
}

/// Adds every way in which the pieces are the whole text.
fn fits<'a>(pieces: &[Piece], text: &'a str, so_far: &mut Vec<&'a str>, found: &mut Vec<Vec<String>>) {
    match pieces.split_first() {
        None if text.is_empty() => found.push(so_far.iter().map(|s| (*s).to_string()).collect()),
        None => (),
        Some((Piece::Fixed(fixed), rest)) => {
            if let Some(behind) = text.strip_prefix(fixed.as_str()) {
                fits(rest, behind, so_far, found);
            }
        }
        Some((Piece::Column(_), rest)) => {
            let folder = text.find('/').unwrap_or(text.len());
            let ends = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|&end| end <= folder);
            for end in ends {
                so_far.push(&text[..end]);
                fits(rest, &text[end..], so_far, found);
                so_far.pop();
            }
        }
    }
}

impl FromStr for PathColumns {
    type Err = String;

    fn from_str(pattern: &str) -> Result<PathColumns, String> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut rest = pattern;
        while !rest.is_empty() {
            let fixed = &rest[..rest.find('{').unwrap_or(rest.len())];
            rest = &rest[fixed.len()..];
            if !fixed.is_empty() {
                pieces.push(Piece::Fixed(fixed.into()));
            }
            if rest.is_empty() {
                break;
            }
            let (name, behind) = rest[1..].split_once('}').ok_or("a { without its }")?;
            if name.is_empty() || name.contains(['{', '/']) {
                return Err(format!("{{{name}}} is no name of a column"));
            }
            if matches!(pieces.last(), Some(Piece::Column(_))) {
                return Err(format!("nothing stands between {{{name}}} and the name before it"));
            }
            pieces.push(Piece::Column(name.into()));
            rest = behind;
        }
        let columns = PathColumns { pattern: pattern.into(), pieces };
        let names: Vec<&str> = columns.names().collect();
        match names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
            Some((_, twice)) => Err(format!("{{{twice}}} stands in it twice")),
            None if names.is_empty() => Err("expected a name in braces, as in {region}.csv".into()),
            None => Ok(columns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_what_stands_between() {
        let pattern: PathColumns = "{model}/{region}-t{threshold}.csv".parse().unwrap();
        assert_eq!(pattern.names().collect::<Vec<_>>(), ["model", "region", "threshold"]);
        assert_eq!(pattern.cells("out/alex-net/FFA-t3.csv").unwrap(), ["alex-net", "FFA", "3"]);
        assert_eq!(pattern.cells("é/ü-t1.5.csv").unwrap(), ["é", "ü", "1.5"]);
        assert_eq!(
            pattern.cells("alexnet/FFA.csv"),
            Err("alexnet/FFA.csv does not end in {model}/{region}-t{threshold}.csv".into())
        );
        assert!(pattern.cells("m/a-t3-t5.csv").unwrap_err().contains("in more ways than one: m a 3-t5 or m a-t3 5"));
        assert!(pattern.cells("FFA-t3.csv").is_err());
        assert!(pattern.cells("m/-t3.csv").is_err());
        // A fixed beginning is the beginning of a folder or file, not its end.
        let pattern: PathColumns = "roi-{region}.csv".parse().unwrap();
        assert_eq!(pattern.cells("x/roi-FFA.csv").unwrap(), ["FFA"]);
        assert!(pattern.cells("x/my-roi-FFA.csv").is_err());
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for (pattern, part) in [
            ("", "in braces"),
            ("a.csv", "in braces"),
            ("{a", "without its }"),
            ("{}.csv", "no name"),
            ("{a}{b}.csv", "nothing stands between"),
            ("{a}-{a}.csv", "twice"),
            ("{a/b}.csv", "no name"),
        ] {
            let said = pattern.parse::<PathColumns>().unwrap_err();
            assert!(said.contains(part), "{pattern}: {said}");
        }
    }
}
