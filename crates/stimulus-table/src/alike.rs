//! Names that a reader takes for one and a computer for several.

use unicode_normalization::UnicodeNormalization;

/// A name as a reader sees it: without case, blanks around it, characters of no width, or a choice between composed and
/// decomposed letters (`é` is one character on Linux and two in file names of a Mac).
fn as_seen(name: &str) -> String {
    // Zero-width space, byte order mark, soft hyphen. Joiners are part of the spelling of emoji and of some scripts.
    let shown =
        name.nfkc().filter(|c| !matches!(c, '\u{200b}' | '\u{feff}' | '\u{ad}')).collect::<String>().to_lowercase();
    shown.nfkc().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether two different names look the same to a reader.
///
/// ```
/// assert!(stimulus_table::look_alike("Face", "face "));
/// assert!(stimulus_table::look_alike("\u{e9}glise", "e\u{301}glise"));
/// assert!(!stimulus_table::look_alike("face", "faces") && !stimulus_table::look_alike("face", "face"));
/// ```
pub fn look_alike(a: &str, b: &str) -> bool {
    a != b && as_seen(a) == as_seen(b)
}

/// A sentence about the cells of a column that look alike and are not equal, with how often each occurs; `None` where
/// there are none.
pub(crate) fn alike(column: &str, cells: &[String]) -> Option<String> {
    let mut spellings: Vec<(&str, usize)> = Vec::new();
    for cell in cells {
        match spellings.iter_mut().find(|(known, _)| known == cell) {
            Some((_, count)) => *count += 1,
            None => spellings.push((cell, 1)),
        }
    }
    let seen: Vec<String> = spellings.iter().map(|(name, _)| as_seen(name)).collect();
    let mut groups: Vec<String> = Vec::new();
    for (i, name) in seen.iter().enumerate() {
        let same = |j: &usize| seen[*j] == *name;
        if name.is_empty() || (0..i).any(|j| same(&j)) || (i + 1..seen.len()).all(|j| !same(&j)) {
            continue;
        }
        let spelled = |j: usize| format!("{:?} ({} rows)", spellings[j].0, spellings[j].1);
        groups.push((i..seen.len()).filter(same).map(spelled).collect::<Vec<_>>().join(" and "));
    }
    (!groups.is_empty()).then(|| {
        format!(
            "column {column:?} has {} that differ only in case, blanks or Unicode spelling; blanks around a name are \
             dropped, other spellings stay different: make them equal if they are meant to be",
            groups.join("; ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_alike_is_listed() {
        let cells: Vec<String> =
            ["Face", "face ", "face", "house", "face", "e\u{301}", "\u{e9}", "faces"].map(String::from).to_vec();
        let text = alike("category", &cells).unwrap();
        assert!(text.contains("\"Face\" (1 rows) and \"face \" (1 rows) and \"face\" (2 rows); "), "{text}");
        assert!(text.contains("\"e\\u{301}\" (1 rows) and \"\u{e9}\" (1 rows)") && !text.contains("house"), "{text}");
        assert_eq!(alike("category", &cells[3..5]), None);
    }
}
