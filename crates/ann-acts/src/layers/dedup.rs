//! Layers that hold another one's values under another name.

use crate::graph::Graph;
use crate::layers::Choice;
use crate::network::Network;
use crate::network::tensor::Element;
use crate::pictures::Size;
use anyhow::Result;
use cli::Job;
use std::collections::HashMap;

/// A layer as far as its values' place is concerned.
#[derive(Debug, Clone, Copy)]
struct Candidate<'a> {
    /// Its tensor.
    tensor: &'a str,
    /// Its kind of number.
    element: Element,
    /// Numbers per picture.
    n_units: usize,
    /// Whether each picture's values stand together, one picture behind the other.
    pictures_first: bool,
}

/// For each layer, the earlier one (by position) of which it has the values of every picture, in the same order.
///
/// `Identity`, `Dropout` outside of training and a `Cast` to the kind that is there already keep everything. `Reshape`,
/// `Flatten`, `Squeeze` and `Unsqueeze` keep the values in C order, and with them every picture's row where pictures
/// are counted along the first axis before and behind, with as many units.
fn repeated(graph: &Graph, layers: &[Candidate]) -> Vec<Option<usize>> {
    let kinds = layers.iter().filter_map(|layer| Some((layer.tensor, code(layer.element)?)));
    let sources = Sources::of(graph, kinds.collect());
    let same = |a: &Candidate, b: &Candidate| {
        sources.same.root(a.tensor) == sources.same.root(b.tensor)
            || (a.pictures_first
                && b.pictures_first
                && a.n_units == b.n_units
                && sources.in_order.root(a.tensor) == sources.in_order.root(b.tensor))
    };
    (0..layers.len()).map(|i| (0..i).find(|&earlier| same(&layers[earlier], &layers[i]))).collect()
}

/// Leaves out layers that hold the values of an earlier one in the same order.
pub fn without_repeated(
    job: &Job,
    graph: &Graph,
    choices: &[Choice],
    network: &mut Network,
    size: Size,
    kept: Vec<usize>,
) -> Result<Vec<usize>> {
    let n_units = network.n_units(size)?;
    let candidate = |&i: &usize| Candidate {
        tensor: &choices[i].tensor,
        element: network.layers[i].tensor.element,
        n_units: n_units[i],
        pictures_first: network.layers[i].pictures_first(),
    };
    let repeated = repeated(graph, &kept.iter().map(candidate).collect::<Vec<_>>());
    let mut rest = Vec::new();
    for (&i, earlier) in kept.iter().zip(repeated) {
        match earlier {
            Some(earlier) => job.note(format_args!(
                "layer \"{}\" only renames \"{}\"; left out",
                choices[i].name, choices[kept[earlier]].name
            )),
            None => rest.push(i),
        }
    }
    Ok(rest)
}

/// `TensorProto.DataType` of a kind of floating-point number.
fn code(element: Element) -> Option<i64> {
    match element {
        Element::F32 => Some(1),
        Element::F16 => Some(10),
        Element::F64 => Some(11),
        Element::BF16 => Some(16),
        Element::U8 | Element::Other(_) => None,
    }
}

/// The tensor from which others only differ in name (or shape).
#[derive(Default)]
struct Roots<'a>(HashMap<&'a str, &'a str>);

impl<'a> Roots<'a> {
    fn root<'b>(&self, tensor: &'b str) -> &'b str
    where
        'a: 'b,
    {
        self.0.get(tensor).copied().unwrap_or(tensor)
    }
}

struct Sources<'a> {
    /// Tensors that are another in everything.
    same: Roots<'a>,
    /// Tensors with another's values in C order.
    in_order: Roots<'a>,
}

impl<'a> Sources<'a> {
    /// `kinds` are the kinds of number that are known, by tensor.
    fn of(graph: &'a Graph, kinds: HashMap<&str, i64>) -> Self {
        let mut sources = Self { same: Roots::default(), in_order: Roots::default() };
        // What is known of one tensor is known of those with its values.
        let mut kind_of_root: HashMap<&str, i64> = HashMap::new();
        for pass in 0..2 {
            sources = Self { same: Roots::default(), in_order: Roots::default() };
            for node in graph.nodes() {
                let ([input, ..], [output, ..]) = (&*node.input, &*node.output) else { continue };
                if output.is_empty() {
                    continue;
                }
                let standard = matches!(node.domain.as_str(), "" | "ai.onnx");
                let from = sources.in_order.root(input);
                let to = node.int("to", 0);
                let (same, in_order) = match node.op_type.as_str() {
                    "Identity" => (true, true),
                    // A third input may switch training on.
                    "Dropout" => {
                        [(false, false), (true, true)][usize::from(node.input.get(2).is_none_or(String::is_empty))]
                    }
                    "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => (false, true),
                    "Cast" if pass == 1 && kind_of_root.get(from) == Some(&to) => (true, true),
                    _ => (false, false),
                };
                if standard && in_order {
                    sources.in_order.0.insert(output, from);
                }
                if standard && same {
                    sources.same.0.insert(output, sources.same.root(input));
                }
                let root = sources.in_order.root(output);
                if let Some(&kind) = kinds.get(output.as_str()) {
                    kind_of_root.insert(root, kind);
                }
                if node.op_type == "Cast" && root == output {
                    kind_of_root.insert(root, to);
                }
            }
        }
        sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::onnx::{Attribute, GraphBody, Model, Named, Node};
    use prost::Message;

    fn graph() -> Graph {
        let mut training = Node::new("Dropout", &["a", "ratio", "on"], "noisy");
        training.output.push("mask".into());
        let node = vec![
            Node::new("Relu", &["x"], "a"),
            Node::new("Identity", &["a"], "b"),
            Node::new("Dropout", &["b"], "c"),
            Node::new("Flatten", &["c"], "d"),
            Node::new("Cast", &["d"], "e").with(Attribute::int("to", 1)),
            Node::new("Cast", &["e"], "half").with(Attribute::int("to", 10)),
            Node::new("Cast", &["half"], "back").with(Attribute::int("to", 1)),
            Node::new("Transpose", &["a"], "turned"),
            Node { domain: "other".into(), ..Node::new("Identity", &["a"], "foreign") },
            training,
        ];
        let output = vec![Named { name: "back".into() }];
        let graph = GraphBody { node, input: vec![Named { name: "x".into() }], output, ..GraphBody::default() };
        Graph::read(Model { graph: Some(graph), ..Model::default() }.encode_to_vec()).unwrap()
    }

    fn found(tensors: &[(&'static str, bool)]) -> Vec<Option<usize>> {
        let element = |tensor| if tensor == "half" { Element::F16 } else { Element::F32 };
        let layers: Vec<Candidate> = tensors
            .iter()
            .map(|&(tensor, pictures_first)| Candidate { tensor, element: element(tensor), n_units: 4, pictures_first })
            .collect();
        repeated(&graph(), &layers)
    }

    #[test]
    fn chains_of_renamings_are_followed() {
        let layers = ["d", "a", "b", "c", "e"].map(|tensor| (tensor, true));
        assert_eq!(found(&layers), [None, Some(0), Some(0), Some(0), Some(0)]);
        // e is a Cast of what is f4 already, known from d, or from its root alone.
        assert_eq!(found(&[("e", true), ("a", true)]), [None, Some(0)]);
    }

    #[test]
    fn what_changes_a_number_or_its_place_is_no_renaming() {
        let layers = ["a", "half", "back", "turned", "foreign", "noisy"].map(|tensor| (tensor, true));
        assert_eq!(found(&layers), [None; 6]);
    }

    #[test]
    fn a_reshaping_needs_the_pictures_in_front() {
        assert_eq!(found(&[("a", false), ("d", true)]), [None, None]);
        assert_eq!(found(&[("a", false), ("c", false)]), [None, Some(0)]);
    }
}
