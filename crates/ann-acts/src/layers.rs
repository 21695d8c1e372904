//! Which tensors of a graph the user means.

use crate::graph::{Graph, GraphTensor, read_by};
use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;
use std::collections::HashSet;

/// A layer that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What it is called in outputs: as it was asked for by a single name, else the tensor's name.
    pub name: String,
    /// The tensor's name.
    pub tensor: String,
    /// It was named itself, rather than met by a pattern: being unusable is then an error.
    pub named: bool,
}

/// The layers that were asked for, and what the user should be told about them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// In the order asked.
    pub choices: Vec<Choice>,
    /// One line each.
    pub notes: Vec<String>,
}

/// Addresses that lead nowhere, or to two places.
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
    /// An index beyond the list.
    #[error("no layer {index}: the network makes {n_tensors} tensors, {} to {}", 0, .n_tensors.saturating_sub(1))]
    Index {
        /// What was asked for.
        index: i64,
        /// How many there are.
        n_tensors: usize,
    },
    /// Two nodes of one name.
    #[error("\"{wanted}\" is the name of {} nodes; name a tensor: \"{}\"", .tensors.len(), .tensors.join("\", \""))]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// What the nodes make.
        tensors: Vec<String>,
    },
    /// Neither a glob nor a regular expression.
    #[error("\"{pattern}\" is not a pattern: {reason}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A list without a line that says something.
    #[error("no layer in the list")]
    EmptyList,
}

fn nearest_text(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [one] => format!("; the nearest is \"{one}\""),
        many => format!("; the nearest are \"{}\"", many.join("\", \"")),
    }
}

/// The addresses in a list: one a line, blank lines and those that start with `#` left out.
pub fn addresses(list: &str) -> Result<Vec<String>, LayerError> {
    let lines = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let addresses: Vec<String> = lines.map(String::from).collect();
    if addresses.is_empty() { Err(LayerError::EmptyList) } else { Ok(addresses) }
}

/// The tensors that `addresses` name, in their order and, within a pattern, in that of the graph.
///
/// An address is, tried in this order: the name of a tensor; the name of a node; a module path
/// (`layer4.1.relu`), which means the tensor that leaves the module; an index into the list of
/// tensors, from the end when negative; `@Op`, all tensors of an operator; `re:PATTERN`, a regular expression
/// found anywhere in a name; a glob over whole names (`*` also crosses `/`). Patterns look at the names of
/// tensors, nodes and modules. A tensor met twice is taken once, at its first place.
pub fn choose(addresses: &[String], graph: &Graph) -> Result<Chosen, LayerError> {
    let tensors = graph.tensors();
    let mut chosen = Chosen::default();
    for address in addresses {
        let found = find(address, graph, &tensors)?;
        if found.is_empty() {
            let nearest = nearest(address, &tensors);
            return Err(LayerError::Unknown { wanted: address.clone(), nearest });
        }
        for Found { choice, note } in found {
            chosen.notes.extend(note);
            match chosen.choices.iter_mut().find(|c| c.tensor == choice.tensor) {
                Some(earlier) => {
                    if choice.named && earlier.name != choice.name {
                        chosen
                            .notes
                            .push(format!("layer \"{}\" is \"{}\" again; given once", choice.name, earlier.name));
                    }
                    earlier.named |= choice.named;
                }
                None => chosen.choices.push(choice),
            }
        }
    }
    Ok(chosen)
}

struct Found {
    choice: Choice,
    note: Option<String>,
}

impl Found {
    /// A tensor named itself, by `address`.
    fn named(address: &str, tensor: &str, note: Option<String>) -> Vec<Self> {
        vec![Self { choice: Choice { name: address.into(), tensor: tensor.into(), named: true }, note }]
    }

    /// A tensor met by a pattern.
    fn met(tensor: &GraphTensor) -> Self {
        Self { choice: Choice { name: tensor.name.clone(), tensor: tensor.name.clone(), named: false }, note: None }
    }
}

fn find(address: &str, graph: &Graph, tensors: &[GraphTensor]) -> Result<Vec<Found>, LayerError> {
    if tensors.iter().any(|tensor| tensor.name == address) {
        return Ok(Found::named(address, address, None));
    }
    if let Some(tensor) = node_tensor(address, graph)? {
        let note = format!("layer \"{address}\" is tensor \"{tensor}\", which the node of that name makes");
        return Ok(Found::named(address, tensor, Some(note)));
    }
    if let Some(tensor) = module_tensor(address, graph) {
        let calls = match tensor.n_calls {
            1 => String::new(),
            n => format!(" at the first of {n} calls; name a tensor for another"),
        };
        let note = format!("layer \"{address}\" is tensor \"{}\", which leaves that module{calls}", tensor.name);
        return Ok(Found::named(address, tensor.name, Some(note)));
    }
    if let Ok(index) = address.parse::<i64>() {
        let tensor = by_index(index, tensors)?;
        let note = format!("layer {index} is tensor \"{}\"", tensor.name);
        return Ok(Found::named(&tensor.name, &tensor.name, Some(note)));
    }
    if let Some(op) = address.strip_prefix('@') {
        return Ok(tensors.iter().filter(|tensor| tensor.op == op).map(Found::met).collect());
    }
    let names = |tensor: &GraphTensor| [tensor.name.clone(), tensor.node.clone(), tensor.module.clone()];
    if let Some(pattern) = address.strip_prefix("re:") {
        let regex = Regex::new(pattern).map_err(|error| bad_pattern(address, &error))?;
        let met = |tensor: &&GraphTensor| names(tensor).iter().any(|name| !name.is_empty() && regex.is_match(name));
        return Ok(tensors.iter().filter(met).map(Found::met).collect());
    }
    if !address.contains(['*', '?', '[', '{']) {
        return Ok(Vec::new());
    }
    let matcher = glob(address)?;
    let met = |tensor: &&GraphTensor| names(tensor).iter().any(|name| !name.is_empty() && matcher.is_match(name));
    Ok(tensors.iter().filter(met).map(Found::met).collect())
}

/// What the one node of this name makes first.
fn node_tensor<'a>(name: &str, graph: &'a Graph) -> Result<Option<&'a str>, LayerError> {
    let named: Vec<&str> = graph
        .nodes()
        .iter()
        .filter(|node| !node.name.is_empty() && node.name == name)
        .filter_map(|node| node.output.iter().find(|output| !output.is_empty()).map(String::as_str))
        .collect();
    match named.as_slice() {
        [] => Ok(None),
        [tensor] => Ok(Some(tensor)),
        _ => Err(LayerError::Ambiguous { wanted: name.into(), tensors: named.into_iter().map(String::from).collect() }),
    }
}

/// The tensor that leaves a module, and how often the network calls the module.
struct ModuleTensor<'a> {
    name: &'a str,
    n_calls: usize,
}

/// The tensor that leaves the module at `path` on its first call: of what the call makes and others
/// read (or the model gives), the last in the graph.
///
/// Nodes of one call hang together; a module that is called twice, such as the one ReLU of a
/// residual block, leaves two groups of nodes.
fn module_tensor<'a>(path: &str, graph: &'a Graph) -> Option<ModuleTensor<'a>> {
    let below = format!("{path}.");
    let modules = graph.modules();
    let nodes = graph.nodes();
    let inside: Vec<usize> =
        (0..nodes.len()).filter(|&i| modules[i] == path || modules[i].starts_with(&below)).collect();
    if path.is_empty() || inside.is_empty() {
        return None;
    }
    let is_inside: HashSet<usize> = inside.iter().copied().collect();
    let mut read_outside: HashSet<&str> = graph.outputs().iter().map(String::as_str).collect();
    for (i, node) in nodes.iter().enumerate() {
        if !is_inside.contains(&i) {
            let mut names = Vec::new();
            read_by(node, &mut names);
            read_outside.extend(names);
        }
    }
    // Groups of nodes that hang together, each known by its first node.
    let makers = graph.makers();
    let mut group: Vec<usize> = (0..nodes.len()).collect();
    let find = |group: &[usize], mut i: usize| {
        while group[i] != i {
            i = group[i];
        }
        i
    };
    for &i in &inside {
        let mut names = Vec::new();
        read_by(&nodes[i], &mut names);
        for j in names.into_iter().filter_map(|name| makers.get(name).copied()).filter(|j| is_inside.contains(j)) {
            let (a, b) = (find(&group, i), find(&group, j));
            group[a.max(b)] = a.min(b);
        }
    }
    let mut leaving: Vec<(usize, &str)> = Vec::new();
    for &i in &inside {
        for output in nodes[i].output.iter().filter(|output| read_outside.contains(output.as_str())) {
            leaving.push((find(&group, i), output));
        }
    }
    let first = leaving.iter().map(|(group, _)| *group).min()?;
    let n_calls = leaving.iter().map(|(group, _)| *group).collect::<HashSet<_>>().len();
    let (_, name) = leaving.into_iter().rfind(|(group, _)| *group == first)?;
    Some(ModuleTensor { name, n_calls })
}

fn by_index(index: i64, tensors: &[GraphTensor]) -> Result<&GraphTensor, LayerError> {
    let n_tensors = tensors.len();
    let from_start = if index < 0 { index + n_tensors as i64 } else { index };
    usize::try_from(from_start).ok().and_then(|i| tensors.get(i)).ok_or(LayerError::Index { index, n_tensors })
}

fn bad_pattern(pattern: &str, error: &dyn std::fmt::Display) -> LayerError {
    let reason = error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_string();
    LayerError::Pattern { pattern: pattern.to_string(), reason }
}

fn glob(pattern: &str) -> Result<GlobMatcher, LayerError> {
    GlobBuilder::new(pattern)
        .literal_separator(false)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| bad_pattern(pattern, error.kind()))
}

/// Up to three names of tensors, modules and nodes most like `wanted`: those that contain it (or are contained)
/// first, then by the number of edits.
fn nearest(wanted: &str, tensors: &[GraphTensor]) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut seen = HashSet::new();
    let names = tensors.iter().flat_map(|tensor| [&tensor.name, &tensor.module, &tensor.node]);
    let mut scored: Vec<(usize, usize, &str)> = names
        .filter(|name| !name.is_empty() && seen.insert(name.as_str()))
        .map(|original| {
            let name = original.to_lowercase();
            let contains = name.contains(&wanted) || wanted.contains(&name);
            (usize::from(!contains), edits(&wanted, &name), original.as_str())
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
    use crate::onnx::{GraphBody, Model, Named, Node};
    use prost::Message;

    /// A residual block as PyTorch's exporter names it, behind a stem and before a head:
    /// stem -> conv1 -> relu -> conv2 -> (+ stem) -> relu_1 -> pool, 12.
    fn graph() -> Graph {
        let node = |name: &str, op: &str, inputs: &[&str], output: &str| Node {
            name: name.into(),
            ..Node::new(op, inputs, output)
        };
        let body = GraphBody {
            node: vec![
                node("c1", "Conv", &["x"], "stem"),
                node("/layer4/layer4.1/conv1/Conv", "Conv", &["stem"], "/layer4/layer4.1/conv1/Conv_output_0"),
                node(
                    "/layer4/layer4.1/relu/Relu",
                    "Relu",
                    &["/layer4/layer4.1/conv1/Conv_output_0"],
                    "/layer4/layer4.1/relu/Relu_output_0",
                ),
                node(
                    "/layer4/layer4.1/conv2/Conv",
                    "Conv",
                    &["/layer4/layer4.1/relu/Relu_output_0"],
                    "/layer4/layer4.1/conv2/Conv_output_0",
                ),
                node(
                    "/layer4/layer4.1/Add",
                    "Add",
                    &["/layer4/layer4.1/conv2/Conv_output_0", "stem"],
                    "/layer4/layer4.1/Add_output_0",
                ),
                node(
                    "/layer4/layer4.1/relu_1/Relu",
                    "Relu",
                    &["/layer4/layer4.1/Add_output_0"],
                    "/layer4/layer4.1/relu_1/Relu_output_0",
                ),
                node("", "GlobalAveragePool", &["/layer4/layer4.1/relu_1/Relu_output_0"], "pool"),
                node("twice", "Neg", &["pool"], "12"),
                node("twice", "Abs", &["12"], "out"),
            ],
            output: vec![Named { name: "out".into() }],
            ..GraphBody::default()
        };
        Graph::read(Model { graph: Some(body), opset_import: vec![] }.encode_to_vec()).unwrap()
    }

    fn chosen(addresses: &[&str]) -> Result<Chosen, LayerError> {
        let addresses: Vec<String> = addresses.iter().map(|p| p.to_string()).collect();
        choose(&addresses, &graph())
    }

    /// The tensors, without what their names have in common.
    fn tensors(addresses: &[&str]) -> Vec<String> {
        let choices = chosen(addresses).unwrap().choices;
        choices.into_iter().map(|c| c.tensor.replace("/layer4/layer4.1/", "").replace("_output_0", "")).collect()
    }

    #[test]
    fn tensors_are_found_by_every_kind_of_address() {
        assert_eq!(tensors(&["pool", "c1"]), ["pool", "stem"]);
        assert_eq!(tensors(&["/layer4/layer4.1/relu/Relu"]), ["relu/Relu"]);
        assert_eq!(tensors(&["layer4.1.relu", "layer4.1.relu_1"]), ["relu/Relu", "relu_1/Relu"]);
        assert_eq!(tensors(&["layer4.1", "layer4"]), ["relu_1/Relu"]);
        assert_eq!(tensors(&["0", "-1", "-3"]), ["stem", "out", "pool"]);
        assert_eq!(tensors(&["@Relu"]), ["relu/Relu", "relu_1/Relu"]);
        assert_eq!(tensors(&["re:relu_?[0-9]*$"]), ["relu/Relu", "relu_1/Relu"]);
        assert_eq!(tensors(&["*relu_*", "layer4.1.conv?"]), ["relu_1/Relu", "conv1/Conv", "conv2/Conv"]);
        // A name made of digits is a name before it is an index.
        assert_eq!(tensors(&["12"]), ["12"]);
    }

    #[test]
    fn a_layer_is_called_what_it_was_asked_for_as() {
        let both = chosen(&["layer4.1", "/layer4/layer4.1/relu_1/Relu_output_0", "@Neg"]).unwrap();
        let names: Vec<(&str, bool)> = both.choices.iter().map(|c| (c.name.as_str(), c.named)).collect();
        assert_eq!(names, [("layer4.1", true), ("12", false)]);
        assert!(both.notes[0].contains("\"layer4.1\" is tensor \"/layer4/layer4.1/relu_1/Relu_output_0\""), "{both:?}");
        assert!(both.notes[1].contains("again; given once"), "{both:?}");
        assert!(chosen(&["pool"]).unwrap().notes.is_empty());
    }

    #[test]
    fn a_module_called_twice_under_one_name_gives_its_first_call() {
        let node = |output: &str, input: &str, module: &str| Node {
            name: format!("m/{module}/op"),
            ..Node::new("Relu", &[input], output)
        };
        let body = GraphBody {
            node: vec![node("a", "x", "relu"), node("b", "a", "conv"), node("c", "b", "relu"), node("d", "c", "head")],
            output: vec![Named { name: "d".into() }],
            ..GraphBody::default()
        };
        let graph = Graph::read(Model { graph: Some(body), opset_import: vec![] }.encode_to_vec()).unwrap();
        let chosen = choose(&["m.relu".into()], &graph).unwrap();
        assert_eq!(chosen.choices[0].tensor, "a");
        assert!(chosen.notes[0].contains("the first of 2 calls"), "{chosen:?}");
    }

    #[test]
    fn a_miss_names_what_is_near() {
        let error = chosen(&["layer4.1.rellu"]).unwrap_err();
        assert!(matches!(&error, LayerError::Unknown { nearest, .. } if nearest[1] == "layer4.1.relu"), "{error}");
        assert_eq!(chosen(&["9"]).unwrap_err(), LayerError::Index { index: 9, n_tensors: 9 });
        assert_eq!(chosen(&["-10"]).unwrap_err(), LayerError::Index { index: -10, n_tensors: 9 });
        for missing in ["nothing*", "@Softmax", "re:zzz", "layer5", ""] {
            assert!(matches!(chosen(&[missing]), Err(LayerError::Unknown { .. })), "{missing}");
        }
        for bad in ["[", "re:("] {
            assert!(matches!(chosen(&[bad]), Err(LayerError::Pattern { .. })), "{bad}");
        }
        assert!(matches!(chosen(&["twice"]), Err(LayerError::Ambiguous { tensors, .. }) if tensors == ["12", "out"]));
    }

    #[test]
    fn lists_have_comments() {
        assert_eq!(addresses("# layers\r\npool\r\n\n  -1 \n").unwrap(), ["pool", "-1"]);
        assert_eq!(addresses("# nothing\n"), Err(LayerError::EmptyList));
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
