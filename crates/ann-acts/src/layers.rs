//! Which tensors of a graph the user means.

use crate::graph::GraphTensor;
use globset::{GlobBuilder, GlobMatcher};

/// A layer that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The tensor's name.
    pub tensor: String,
    /// It was named itself, rather than met by a glob: being unusable is then an error.
    pub named: bool,
}

/// Patterns that lead nowhere.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LayerError {
    /// No such tensor.
    #[error("no layer \"{wanted}\"{}; see --list-layers", nearest_text(.nearest))]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// The names most like it.
        nearest: Vec<String>,
    },
    /// Not a glob.
    #[error("\"{pattern}\" is not a pattern: {reason}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn nearest_text(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [one] => format!("; the nearest is \"{one}\""),
        many => format!("; the nearest are \"{}\"", many.join("\", \"")),
    }
}

/// The tensors that `patterns` name, in the order of the patterns and, within a glob, of the graph.
///
/// A pattern is the name of a tensor, the name of the node that makes it, or a glob over both
/// (`*` also crosses `/`). A tensor met twice is taken once, at its first place.
pub fn choose(patterns: &[String], tensors: &[GraphTensor]) -> Result<Vec<Choice>, LayerError> {
    let mut choices: Vec<Choice> = Vec::new();
    for pattern in patterns {
        let found = find(pattern, tensors)?;
        if found.is_empty() {
            let nearest = nearest(pattern, tensors);
            return Err(LayerError::Unknown { wanted: pattern.clone(), nearest });
        }
        for choice in found {
            match choices.iter_mut().find(|c| c.tensor == choice.tensor) {
                Some(earlier) => earlier.named |= choice.named,
                None => choices.push(choice),
            }
        }
    }
    Ok(choices)
}

fn find(pattern: &str, tensors: &[GraphTensor]) -> Result<Vec<Choice>, LayerError> {
    let exact = tensors
        .iter()
        .find(|tensor| tensor.name == pattern)
        .or_else(|| tensors.iter().find(|tensor| !tensor.node.is_empty() && tensor.node == pattern));
    if let Some(tensor) = exact {
        return Ok(vec![Choice { tensor: tensor.name.clone(), named: true }]);
    }
    if !pattern.contains(['*', '?', '[', '{']) {
        return Ok(Vec::new());
    }
    let matcher = glob(pattern)?;
    let met = |tensor: &&GraphTensor| {
        matcher.is_match(&tensor.name) || (!tensor.node.is_empty() && matcher.is_match(&tensor.node))
    };
    Ok(tensors.iter().filter(met).map(|tensor| Choice { tensor: tensor.name.clone(), named: false }).collect())
}

fn glob(pattern: &str) -> Result<GlobMatcher, LayerError> {
    GlobBuilder::new(pattern)
        .literal_separator(false)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| LayerError::Pattern { pattern: pattern.to_string(), reason: error.kind().to_string() })
}

/// Up to three tensor names most like `wanted`: those that contain it (or are contained) first,
/// then by the number of edits.
fn nearest(wanted: &str, tensors: &[GraphTensor]) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut scored: Vec<(usize, usize, &str)> = tensors
        .iter()
        .map(|tensor| {
            let name = tensor.name.to_lowercase();
            let contains = name.contains(&wanted) || wanted.contains(&name);
            (usize::from(!contains), edits(&wanted, &name), tensor.name.as_str())
        })
        .collect();
    // Stable: among equals the graph's order stays.
    scored.sort_by_key(|&(apart, edits, _)| (apart, edits));
    scored.iter().take(3).map(|&(.., name)| name.to_string()).collect()
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

/// File stems for layers: letters, digits, `.`, `_` and `-` stay, anything else becomes `_`.
///
/// Names that come out alike are told apart by a number.
pub fn file_stems<'a>(layers: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut stems: Vec<String> = Vec::new();
    for layer in layers {
        let safe: String =
            layer.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
        let trimmed = safe.trim_start_matches(['_', '.', '-']);
        let base = if trimmed.is_empty() { "layer" } else { trimmed };
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

    fn tensors() -> Vec<GraphTensor> {
        [
            ("stem", "c1", "Conv"),
            ("block_00", "", "Relu"),
            ("/layer4/relu_out", "/layer4/relu", "Relu"),
            ("pool", "p", "GlobalAveragePool"),
        ]
        .map(|(name, node, op)| GraphTensor {
            name: name.into(),
            node: node.into(),
            module: String::new(),
            op: op.into(),
        })
        .to_vec()
    }

    fn names(patterns: &[&str]) -> Vec<String> {
        let patterns: Vec<String> = patterns.iter().map(|p| p.to_string()).collect();
        choose(&patterns, &tensors()).unwrap().into_iter().map(|c| c.tensor).collect()
    }

    #[test]
    fn tensors_are_found_by_name_node_and_glob_in_the_order_asked() {
        assert_eq!(names(&["pool", "c1"]), ["pool", "stem"]);
        assert_eq!(names(&["*layer4*", "stem"]), ["/layer4/relu_out", "stem"]);
        assert_eq!(names(&["/layer4/relu"]), ["/layer4/relu_out"]);
        assert_eq!(names(&["pool", "*"]), ["pool", "stem", "block_00", "/layer4/relu_out"]);
    }

    #[test]
    fn a_miss_names_what_is_near() {
        let error = choose(&["blok_00".into()], &tensors()).unwrap_err();
        assert!(matches!(&error, LayerError::Unknown { nearest, .. } if nearest[0] == "block_00"), "{error}");
        let error = choose(&["layer4".into()], &tensors()).unwrap_err();
        assert!(error.to_string().starts_with("no layer \"layer4\"; the nearest are \"/layer4/relu_out\""), "{error}");
        assert!(choose(&["nothing*".into()], &tensors()).is_err());
        assert!(choose(&["[".into()], &tensors()).is_err());
    }

    #[test]
    fn edits_count_insertions_deletions_and_substitutions() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", "abc"), 0);
    }

    #[test]
    fn file_stems_are_safe_and_distinct() {
        assert_eq!(file_stems(["/a/b", "a_b", "A_B", "..", "pool"]), ["a_b", "a_b-2", "A_B-3", "layer", "pool"]);
    }
}
