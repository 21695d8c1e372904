//! What a file is called that is made for a thing with a name: a layer of a network, an array of a stream.

use crate::sidecar::hex;
use sha2::{Digest, Sha256};

/// The longest stem: file systems end at 255 bytes, and the shard, the suffix and the name while writing come behind.
const LONGEST_STEM: usize = 180;

/// Whether a thing's file cannot have its whole name.
pub fn is_too_long(name: &str) -> bool {
    name.chars().count() > LONGEST_STEM
}

/// File stems for things: letters, digits, `.`, `_` and `-` stay, anything else becomes `_`.
///
/// A name that is too long keeps its beginning and its end, and a digest of the whole between them. Names that come out
/// alike are told apart by a number; one of which nothing is left is called `layer` or what [`FileStems::new`] says.
pub fn file_stems<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut stems = FileStems::new("layer");
    names.into_iter().map(|name| stems.next(name)).collect()
}

/// [`file_stems`], one by one.
#[derive(Debug)]
pub struct FileStems {
    nameless: &'static str,
    /// Stems in lower case, because some file systems fold it.
    taken: std::collections::HashSet<String>,
}

impl FileStems {
    /// No stem is taken yet; `nameless` is that of a name of which nothing can stay.
    pub fn new(nameless: &'static str) -> FileStems {
        FileStems { nameless, taken: std::collections::HashSet::new() }
    }

    /// The stem for the next name.
    pub fn next(&mut self, name: &str) -> String {
        let safe: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
        let trimmed = safe.trim_start_matches(['_', '.', '-']);
        let shortened = is_too_long(name).then(|| {
            let digest = hex(&Sha256::digest(name.as_bytes()));
            let (begin, end) = (&safe[..80], &safe[safe.len() - 80..]);
            format!("{}-{}-{end}", begin.trim_start_matches(['_', '.', '-']), &digest[..16])
        });
        let base = shortened.as_deref().unwrap_or(if trimmed.is_empty() { self.nameless } else { trimmed });
        let numbered = (2..).map(|n| format!("{base}-{n}"));
        let mut stems = std::iter::once(base.to_owned()).chain(numbered);
        let free = stems.find(|stem| !self.taken.contains(&stem.to_ascii_lowercase())).unwrap_or_default();
        self.taken.insert(free.to_ascii_lowercase());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_stems_are_safe_and_distinct() {
        assert_eq!(file_stems(["/a/b", "a_b", "A_B", "..", "pool"]), ["a_b", "a_b-2", "A_B-3", "layer", "pool"]);
        let long = "x/".repeat(100);
        let stem = FileStems::new("array").next(&long);
        assert!(stem.starts_with("x_x_") && stem.ends_with("_x_") && stem.len() < LONGEST_STEM, "{stem}");
    }
}
