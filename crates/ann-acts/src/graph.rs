//! Reading an ONNX graph: the tensors its nodes make, and a model that makes only some of them.
//!
//! Only the fields needed are named; a weight is never decoded. The smaller model is cut from the
//! file's own bytes: nodes that the wanted tensors do not depend on are left out (nothing after
//! the last wanted layer is computed), the graph's outputs are replaced, and every other byte stays.

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use std::collections::{HashMap, HashSet};

/// `ModelProto`, the fields used here.
#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
}

/// `GraphProto`, the fields used here.
#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeProto>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<Named>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<Named>,
}

/// `NodeProto`, the fields used here.
#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<AttributeProto>,
}

/// `AttributeProto`: only the graphs inside control-flow nodes.
#[derive(Clone, PartialEq, Message)]
struct AttributeProto {
    #[prost(message, optional, tag = "6")]
    graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "11")]
    graphs: Vec<GraphProto>,
}

/// `ValueInfoProto` without its type: the runtime infers shapes.
#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

/// A tensor that a node of the graph makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphTensor {
    /// The tensor's name: the address of a layer.
    pub name: String,
    /// The name of the node that makes it; may be empty.
    pub node: String,
    /// The node's operator.
    pub op: String,
}

/// What can be wrong with a model file.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// Not protobuf.
    #[error("not an ONNX model ({0})")]
    NotOnnx(#[from] prost::DecodeError),
    /// Protobuf, but no graph in it.
    #[error("holds no ONNX graph; is it an ONNX model?")]
    NoGraph,
}

/// An ONNX model as bytes, with its graph's wiring read.
pub struct Graph {
    bytes: Vec<u8>,
    nodes: Vec<NodeProto>,
    outputs: Vec<String>,
}

impl Graph {
    /// Reads the wiring of the model in `bytes`, the contents of an `.onnx` file.
    pub fn read(bytes: Vec<u8>) -> Result<Self, GraphError> {
        let graph = ModelProto::decode(bytes.as_slice())?
            .graph
            .filter(|graph| !graph.node.is_empty())
            .ok_or(GraphError::NoGraph)?;
        Ok(Self { bytes, nodes: graph.node, outputs: graph.output.into_iter().map(|output| output.name).collect() })
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Every tensor made by a node, in graph order (a node after all it depends on).
    pub fn tensors(&self) -> Vec<GraphTensor> {
        self.nodes
            .iter()
            .flat_map(|node| {
                node.output.iter().filter(|name| !name.is_empty()).map(|name| GraphTensor {
                    name: name.clone(),
                    node: node.name.clone(),
                    op: node.op_type.clone(),
                })
            })
            .collect()
    }

    /// The model's own outputs.
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }

    /// The model with every tensor of `wanted` as an additional output.
    ///
    /// A protobuf message appended to another is merged into it, so the graph gains outputs
    /// without a byte of the file being touched.
    pub fn with_outputs(&self, wanted: &[String]) -> Vec<u8> {
        let graph = GraphProto {
            output: wanted
                .iter()
                .filter(|name| !self.outputs.contains(name))
                .map(|name| Named { name: name.clone() })
                .collect(),
            ..GraphProto::default()
        };
        let mut bytes = self.bytes.clone();
        bytes.extend(ModelProto { graph: Some(graph) }.encode_to_vec());
        bytes
    }

    /// The model that makes the tensors of `wanted`, in that order, and nothing it can do without.
    pub fn cut_to(&self, wanted: &[String]) -> Result<Vec<u8>, GraphError> {
        let needed = self.ancestors(wanted);
        let mut model = Vec::with_capacity(self.bytes.len());
        for field in fields(&self.bytes) {
            let (tag, whole, payload) = field?;
            match tag {
                GRAPH => {
                    let graph = cut_graph(payload, &needed, wanted)?;
                    put_message(&mut model, GRAPH, &graph);
                }
                _ => model.extend_from_slice(whole),
            }
        }
        Ok(model)
    }

    /// Which nodes the wanted tensors depend on, by position.
    fn ancestors(&self, wanted: &[String]) -> Vec<bool> {
        let maker: HashMap<&str, usize> = self
            .nodes
            .iter()
            .enumerate()
            .flat_map(|(i, node)| node.output.iter().map(move |name| (name.as_str(), i)))
            .filter(|(name, _)| !name.is_empty())
            .collect();
        let mut needed = vec![false; self.nodes.len()];
        let mut open: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let mut seen: HashSet<&str> = HashSet::new();
        while let Some(name) = open.pop() {
            let Some(&i) = maker.get(name) else { continue };
            if !seen.insert(name) || needed[i] {
                continue;
            }
            needed[i] = true;
            read_by(&self.nodes[i], &mut open);
        }
        needed
    }
}

/// Adds every name that the node reads, also from inside its branches and loops.
fn read_by<'a>(node: &'a NodeProto, names: &mut Vec<&'a str>) {
    names.extend(node.input.iter().map(String::as_str));
    for attribute in &node.attribute {
        for graph in attribute.graph.iter().chain(&attribute.graphs) {
            for node in &graph.node {
                read_by(node, names);
            }
            names.extend(graph.output.iter().map(|output| output.name.as_str()));
        }
    }
}

const GRAPH: u32 = 7;
const NODE: u32 = 1;
const OUTPUT: u32 = 12;

fn cut_graph(graph: &[u8], needed: &[bool], wanted: &[String]) -> Result<Vec<u8>, GraphError> {
    let mut cut = Vec::with_capacity(graph.len());
    let mut needed = needed.iter();
    for field in fields(graph) {
        let (tag, whole, _) = field?;
        let keep = match tag {
            NODE => needed.next().copied().unwrap_or(true),
            OUTPUT => false,
            _ => true,
        };
        if keep {
            cut.extend_from_slice(whole);
        }
    }
    for name in wanted {
        put_message(&mut cut, OUTPUT, &Named { name: name.clone() }.encode_to_vec());
    }
    Ok(cut)
}

fn put_message(out: &mut Vec<u8>, tag: u32, message: &[u8]) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(message.len() as u64, out);
    out.extend_from_slice(message);
}

/// The top-level fields of a protobuf message: tag, the field whole, and its payload.
///
/// The payload of a field that is not length-delimited is empty.
fn fields(message: &[u8]) -> impl Iterator<Item = Result<(u32, &[u8], &[u8]), prost::DecodeError>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = next_field(&mut rest);
        if field.is_err() {
            rest = &[];
        }
        Some(field)
    })
}

fn next_field<'a>(rest: &mut &'a [u8]) -> Result<(u32, &'a [u8], &'a [u8]), prost::DecodeError> {
    let start = *rest;
    let (tag, wire_type) = decode_key(rest)?;
    let n_payload = match wire_type {
        WireType::LengthDelimited => decode_varint(rest)? as usize,
        _ => {
            prost::encoding::skip_field(wire_type, tag, rest, Default::default())?;
            0
        }
    };
    if n_payload > rest.len() {
        // The message was decoded whole before, so its lengths are sound.
        *rest = &[];
    }
    let (payload, after) = rest.split_at(n_payload.min(rest.len()));
    *rest = after;
    Ok((tag, &start[..start.len() - after.len()], payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            input: inputs.iter().map(|name| name.to_string()).collect(),
            output: vec![output.to_string()],
            op_type: op.to_string(),
            ..NodeProto::default()
        }
    }

    fn named(name: &str) -> Named {
        Named { name: name.to_string() }
    }

    /// a -> b -> c -> out, and c reads `extra` from inside a branch.
    fn model() -> Vec<u8> {
        let inner = GraphProto { node: vec![node("Add", &["extra", "inner"], "sum")], ..GraphProto::default() };
        let mut branch = node("If", &["b"], "c");
        branch.attribute = vec![AttributeProto { graph: Some(inner), graphs: vec![] }];
        let graph = GraphProto {
            node: vec![
                node("Conv", &["input", "weight"], "a"),
                node("Neg", &["input"], "extra"),
                node("Relu", &["a"], "b"),
                branch,
                node("Gemm", &["c"], "out"),
            ],
            input: vec![named("input")],
            output: vec![named("out")],
        };
        let mut bytes = ModelProto { graph: Some(graph) }.encode_to_vec();
        // A field that is not read here (producer_name) must survive.
        put_message(&mut bytes, 2, b"somebody");
        bytes
    }

    fn kept(wanted: &[&str]) -> (Vec<String>, Vec<String>, Vec<u8>) {
        let wanted: Vec<String> = wanted.iter().map(|name| name.to_string()).collect();
        let cut = Graph::read(model()).unwrap().cut_to(&wanted).unwrap();
        let graph = Graph::read(cut.clone()).unwrap();
        (graph.tensors().into_iter().map(|t| t.name).collect(), graph.outputs().to_vec(), cut)
    }

    #[test]
    fn a_cut_model_makes_what_is_wanted_and_no_more() {
        let (tensors, outputs, bytes) = kept(&["b"]);
        assert_eq!((tensors, outputs), (vec!["a".to_string(), "b".into()], vec!["b".to_string()]));
        assert!(bytes.windows(8).any(|w| w == b"somebody"));
    }

    #[test]
    fn what_a_branch_reads_is_needed_too() {
        let (tensors, outputs, _) = kept(&["c", "a"]);
        assert_eq!(tensors, ["a", "extra", "b", "c"]);
        assert_eq!(outputs, ["c", "a"]);
    }

    #[test]
    fn appended_outputs_are_merged_into_the_graph() {
        let graph = Graph::read(model()).unwrap();
        let names: Vec<String> = graph.tensors().into_iter().map(|tensor| tensor.name).collect();
        let more = Graph::read(graph.with_outputs(&names)).unwrap();
        assert_eq!(more.outputs(), ["out", "a", "extra", "b", "c"]);
        assert_eq!(more.tensors(), graph.tensors());
    }

    #[test]
    fn other_files_are_refused() {
        for bytes in [b"".to_vec(), b"\x93NUMPY\x01\x00v\x00{'descr'".to_vec(), b"path,category\na,b\n".to_vec()] {
            assert!(Graph::read(bytes).is_err());
        }
        let whole = model();
        assert!(Graph::read(whole[..whole.len() / 2].to_vec()).is_err());
    }
}
