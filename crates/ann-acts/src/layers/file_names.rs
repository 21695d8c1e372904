//! What the file of a layer is called.

use crate::pictures::stimuli::digest_text;
use sha2::{Digest, Sha256};

/// The longest stem: file systems end at 255 bytes, and the shard, the suffix and the name while writing come behind.
const LONGEST_STEM: usize = 180;

/// Whether a layer's file cannot have its whole name.
pub fn is_too_long(layer: &str) -> bool {
    layer.chars().count() > LONGEST_STEM
}

/// File stems for layers: letters, digits, `.`, `_` and `-` stay, anything else becomes `_`.
///
/// A name that is too long keeps its beginning and its end, and a digest of the whole between them. Names that come out
/// alike are told apart by a number.
pub fn file_stems<'a>(layers: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut stems: Vec<String> = Vec::new();
    for layer in layers {
        let safe: String =
            layer.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
        let trimmed = safe.trim_start_matches(['_', '.', '-']);
        let shortened = is_too_long(layer).then(|| {
            let digest = digest_text(&Sha256::digest(layer.as_bytes()).into());
            let (begin, end) = (&safe[..80], &safe[safe.len() - 80..]);
            format!("{}-{}-{end}", begin.trim_start_matches(['_', '.', '-']), &digest[..16])
        });
        let base = shortened.as_deref().unwrap_or(if trimmed.is_empty() { "layer" } else { trimmed });
        // Case is folded because some file systems fold it.
        let taken = |stem: &str| stems.iter().any(|other| other.eq_ignore_ascii_case(stem));
        let stem = if taken(base) {
            (2..).map(|n| format!("{base}-{n}")).find(|stem| !taken(stem)).unwrap_or_default()
        } else {
            base.to_string()
        };
        stems.push(stem);
    }
    stems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_stems_are_safe_and_distinct() {
        assert_eq!(file_stems(["/a/b", "a_b", "A_B", "..", "pool"]), ["a_b", "a_b-2", "A_B-3", "layer", "pool"]);
    }
}
