//! Names that somebody may have meant.

/// Up to three of `names` most like `wanted`: those that contain it or are two edits away first, then those that it
/// contains, each by the number of edits; case does not count. A name that occurs again is given once.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut scored: Vec<(u8, usize, &str)> = Vec::new();
    for original in names {
        let name = original.to_lowercase();
        let n_edits = edits(&wanted, &name);
        let apart = match () {
            () if n_edits <= 2 || name.contains(&wanted) => 0,
            () if !name.is_empty() && wanted.contains(&name) => 1,
            () => 2,
        };
        scored.push((apart, n_edits, original));
    }
    // Stable: among equals the given order stays.
    scored.sort_by_key(|&(apart, edits, _)| (apart, edits));
    let mut found: Vec<String> = Vec::new();
    for (.., name) in scored {
        if found.len() < 3 && !found.iter().any(|other| other == name) {
            found.push(name.to_string());
        }
    }
    found
}

/// `; the nearest are "a", "b"`, or nothing where nothing is near.
pub fn nearest_text(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [one] => format!("; the nearest is \"{one}\""),
        many => format!("; the nearest are \"{}\"", many.join("\", \"")),
    }
}

/// Levenshtein distance in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &b) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_count_insertions_deletions_and_substitutions() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", "abc"), 0);
    }

    #[test]
    fn what_is_spelled_alike_or_contains_the_word_comes_first() {
        let names = ["lay", "encoder/LAYER4/relu", "layer5", "layer5", "x"];
        assert_eq!(nearest("layer4", names), ["layer5", "encoder/LAYER4/relu", "lay"]);
        assert_eq!(nearest_text(&nearest("a", ["b"])), "; the nearest is \"b\"");
        assert_eq!(nearest_text(&[]), "");
    }
}
