//! An ONNX graph: the tensors its nodes make, a model that makes only some of them, and models changed in places.
//!
//! Other models are cut and changed from the file's own bytes: nodes, weights and inputs that the
//! wanted tensors do not depend on are left out (nothing after the last wanted layer is
//! computed), outputs are replaced, and every other byte stays.

pub mod file;
pub mod folding;
pub mod omitted;
pub mod onnx;
pub mod weight_files;

use crate::graph::onnx::{
    Attribute, GraphBody, Model, Named, Node, Tensor, TensorHeader, fields, is_named, put_message, rewritten, tag,
};
use prost::Message;
use prost::bytes::Bytes;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A tensor that a node of the graph makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphTensor {
    /// The tensor's name: the address of a layer.
    pub name: String,
    /// The name of the node that makes it; may be empty.
    pub node: String,
    /// The module that the node belongs to, as the network's author names it (`layer4.1.relu`); may be empty.
    pub module: String,
    /// The node's operator.
    pub op: String,
}

/// What can be wrong with a model file.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// Not protobuf.
    #[error("not an ONNX model ({0})")]
    NotOnnx(#[from] prost::DecodeError),
    /// A weight whose sizes cannot be.
    #[error("weight \"{name}\": {reason}; the file is damaged, export it anew")]
    Weight {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Protobuf, but no graph in it.
    #[error("holds no ONNX graph; is it an ONNX model?")]
    NoGraph,
}

/// An ONNX model as bytes, with its graph's wiring read.
pub struct Graph {
    bytes: Bytes,
    nodes: Vec<Node>,
    initializers: Vec<Bytes>,
    inputs: Vec<String>,
    outputs: Vec<String>,
    opset: i64,
    producer: String,
}

/// Changes to a graph. Nodes are named by their position in [`Graph::nodes`].
#[derive(Debug, Default)]
pub struct Edit {
    /// Initializers that take the place of those of the same name.
    pub initializers: HashMap<String, Tensor>,
    /// Initializers that come in addition.
    pub added: Vec<Tensor>,
    /// Values of `Constant` nodes.
    pub constants: HashMap<usize, Tensor>,
    /// Outputs of a node that get another name: node, old name, new name.
    pub renamed_outputs: Vec<(usize, String, String)>,
    /// Nodes that take the place of a node.
    pub replaced: HashMap<usize, Vec<Node>>,
    /// Nodes that follow a node.
    pub after: BTreeMap<usize, Vec<Node>>,
}

impl Graph {
    /// Reads the wiring of the model in `bytes`, the contents of an `.onnx` file.
    pub fn read(bytes: impl Into<Bytes>) -> Result<Self, GraphError> {
        let bytes = bytes.into();
        let model = Model::decode(bytes.clone())?;
        let graph = model.graph.filter(|graph| !graph.node.is_empty()).ok_or(GraphError::NoGraph)?;
        let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
        let opset = model.opset_import.iter().find(|set| standard(&set.domain)).map_or(1, |set| set.version);
        for bytes in &graph.initializer {
            let header = TensorHeader::decode(bytes.clone())?;
            if let Err(reason) = header.check(bytes) {
                return Err(GraphError::Weight { name: header.name, reason });
            }
        }
        let names = |list: Vec<Named>| list.into_iter().map(|named| named.name).collect();
        Ok(Self {
            bytes,
            nodes: graph.node,
            initializers: graph.initializer,
            inputs: names(graph.input),
            outputs: names(graph.output),
            opset,
            producer: model.producer_name,
        })
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The nodes, each after those it reads.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Version of the standard operators.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// The program that wrote the file; may be empty.
    pub fn producer(&self) -> &str {
        &self.producer
    }

    /// What is known of every initializer without reading its values, in the file's order.
    pub fn initializers(&self) -> Result<Vec<TensorHeader>, GraphError> {
        self.initializers.iter().map(|bytes| Ok(TensorHeader::decode(bytes.clone())?)).collect()
    }

    /// The initializer at this position of [`Graph::initializers`], with its values unless they lie outside the file.
    pub fn initializer(&self, position: usize) -> Result<Tensor, GraphError> {
        Ok(Tensor::decode(self.initializers[position].clone())?)
    }

    /// Every tensor made by a node, in graph order (a node after all it depends on).
    pub fn tensors(&self) -> Vec<GraphTensor> {
        self.nodes
            .iter()
            .flat_map(|node| {
                node.output.iter().filter(|name| is_named(name)).map(|name| GraphTensor {
                    name: name.clone(),
                    node: node.name.clone(),
                    module: module_of(node),
                    op: node.op_type.clone(),
                })
            })
            .collect()
    }

    /// The model's own inputs, as the file lists them.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// The model's own outputs.
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }

    /// Position of the node that makes each tensor.
    pub fn makers(&self) -> HashMap<&str, usize> {
        let made = self.nodes.iter().enumerate().flat_map(|(i, node)| node.output.iter().map(move |name| (name, i)));
        made.filter(|(name, _)| !name.is_empty()).map(|(name, i)| (name.as_str(), i)).collect()
    }

    /// The model with every tensor of `wanted` as an additional output.
    ///
    /// A protobuf message appended to another is merged into it, so the graph gains outputs
    /// without a byte of the file being touched.
    pub fn with_outputs(&self, wanted: &[String]) -> Vec<u8> {
        let graph = GraphBody {
            output: wanted
                .iter()
                .filter(|name| !self.outputs.contains(name))
                .map(|name| Named { name: name.clone() })
                .collect(),
            ..GraphBody::default()
        };
        let mut bytes = self.bytes.to_vec();
        bytes.extend(Model { graph: Some(graph), ..Model::default() }.encode_to_vec());
        bytes
    }

    /// The model that makes the tensors of `wanted`, in that order, and nothing it can do without.
    pub fn cut_to(&self, wanted: &[String]) -> Result<Vec<u8>, GraphError> {
        let needed = self.ancestors(wanted);
        let mut read: HashSet<&str> = wanted.iter().map(String::as_str).collect();
        for (node, _) in self.nodes.iter().zip(&needed).filter(|(_, needed)| **needed) {
            let mut names = Vec::new();
            read_by(node, &mut names);
            read.extend(names);
        }
        self.with_graph(|graph| {
            let mut cut = Vec::with_capacity(graph.len());
            let mut needed = needed.iter();
            for field in fields(graph) {
                let (field, whole, payload) = field?;
                let keep = match field {
                    tag::NODE => needed.next().copied().unwrap_or(true),
                    tag::INITIALIZER => read.contains(TensorHeader::decode(payload)?.name.as_str()),
                    tag::INPUT => read.contains(Named::decode(payload)?.name.as_str()),
                    tag::OUTPUT => false,
                    _ => true,
                };
                if keep {
                    cut.extend_from_slice(whole);
                }
            }
            for name in wanted {
                put_message(&mut cut, tag::OUTPUT, &Named { name: name.clone() }.encode_to_vec());
            }
            Ok(cut)
        })
    }

    /// The graph with these changes.
    pub fn edited(&self, edit: &Edit) -> Result<Self, GraphError> {
        let bytes = self.with_graph(|graph| {
            let mut edited = Vec::with_capacity(graph.len());
            let mut position = 0;
            for field in fields(graph) {
                let (field, whole, payload) = field?;
                match field {
                    tag::NODE => {
                        let mut put = |node: &[u8]| put_message(&mut edited, tag::NODE, node);
                        match edit.replaced.get(&position) {
                            Some(nodes) => nodes.iter().for_each(|node| put(&node.encode_to_vec())),
                            None => put(&edit.node(position, payload)?),
                        }
                        let after = edit.after.get(&position).into_iter().flatten();
                        after.for_each(|node| put(&node.encode_to_vec()));
                        position += 1;
                    }
                    tag::INITIALIZER => match edit.initializers.get(&TensorHeader::decode(payload)?.name) {
                        Some(tensor) => put_message(&mut edited, tag::INITIALIZER, &tensor.encode_to_vec()),
                        None => edited.extend_from_slice(whole),
                    },
                    _ => edited.extend_from_slice(whole),
                }
            }
            for tensor in &edit.added {
                put_message(&mut edited, tag::INITIALIZER, &tensor.encode_to_vec());
            }
            Ok(edited)
        })?;
        Self::read(bytes)
    }

    /// The model with its graph's bytes changed.
    pub fn with_graph_bytes(
        &self,
        mut change: impl FnMut(&[u8]) -> Result<Vec<u8>, prost::DecodeError>,
    ) -> Result<Self, GraphError> {
        Self::read(self.with_graph(|graph| Ok(change(graph)?))?)
    }

    /// The model's bytes with another graph in them.
    fn with_graph(&self, mut change: impl FnMut(&[u8]) -> Result<Vec<u8>, GraphError>) -> Result<Vec<u8>, GraphError> {
        rewritten(&self.bytes, |field, payload| match field {
            tag::GRAPH => change(payload).map(Some),
            _ => Ok(None),
        })
    }

    /// Which nodes the wanted tensors depend on, by position.
    pub fn ancestors(&self, wanted: &[String]) -> Vec<bool> {
        let maker = self.makers();
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

impl Edit {
    /// The node at `position` with its changes, from its bytes.
    fn node(&self, position: usize, bytes: &[u8]) -> Result<Vec<u8>, GraphError> {
        let renamed: Vec<_> = self.renamed_outputs.iter().filter(|(node, ..)| *node == position).collect();
        let constant = self.constants.get(&position);
        if renamed.is_empty() && constant.is_none() {
            return Ok(bytes.to_vec());
        }
        let mut node = Vec::with_capacity(bytes.len());
        for field in fields(bytes) {
            let (field, whole, payload) = field?;
            let new_name = renamed.iter().find(|(_, old, _)| field == tag::NODE_OUTPUT && old.as_bytes() == payload);
            match (new_name, constant) {
                (Some((.., new)), _) => put_message(&mut node, tag::NODE_OUTPUT, new.as_bytes()),
                (None, Some(_)) if field == tag::NODE_ATTRIBUTE => {}
                _ => node.extend_from_slice(whole),
            }
        }
        if let Some(value) = constant {
            put_message(&mut node, tag::NODE_ATTRIBUTE, &Attribute::tensor("value", value).encode_to_vec());
        }
        Ok(node)
    }
}

/// Adds every name that the node reads, also from inside its branches and loops.
pub fn read_by<'a>(node: &'a Node, names: &mut Vec<&'a str>) {
    names.extend(node.input.iter().map(String::as_str));
    for attribute in &node.attribute {
        for graph in attribute.g.iter().chain(&attribute.graphs) {
            for node in &graph.node {
                read_by(node, names);
            }
            names.extend(graph.output.iter().map(|output| output.name.as_str()));
        }
    }
}

/// The module that a node belongs to, as PyTorch's and TensorFlow's exporters leave it in names.
///
/// TorchScript's exporter writes scopes: `/layer4/layer4.1/relu/Relu`, where a scope repeats the one above it when its
/// own name is a number. The newer exporter writes them into the node's metadata.
fn module_of(node: &Node) -> String {
    if let Some(scopes) = node.metadata_props.iter().find(|entry| entry.key == "pkg.torch.onnx.name_scopes") {
        // ['', 'layer4', 'layer4.1', 'layer4.1.relu', 'relu_16']: the last is the operation's own name.
        let quoted: Vec<&str> = scopes.value.split('\'').skip(1).step_by(2).collect();
        let module = quoted.iter().rev().nth(1).map_or("", |module| module);
        // torch.export calls so what it adds outside of every module, the size of the batch for one.
        return if module == "_empty_nn_module_stack_from_metadata_hook" { String::new() } else { module.to_string() };
    }
    let Some((scopes, operation)) = node.name.rsplit_once('/') else { return String::new() };
    // tf2onnx numbers the nodes that it adds (`Conv2D__6`); they borrow the scope of another.
    if operation.rsplit_once("__").is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
        return String::new();
    }
    let mut module: Vec<&str> = Vec::new();
    for scope in scopes.split('/').filter(|scope| !scope.is_empty()) {
        let repeats = |above: &&str| scope.strip_prefix(*above).is_some_and(|rest| rest.starts_with('.'));
        if module.last().is_some_and(repeats) {
            module.pop();
        }
        module.push(scope);
    }
    module.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::onnx::{Entry, FLOAT};

    fn named(name: &str) -> Named {
        Named { name: name.to_string() }
    }

    /// a -> b -> c -> out, and c reads `extra` from inside a branch.
    fn model() -> Vec<u8> {
        let inner = GraphBody { node: vec![Node::new("Add", &["extra", "inner"], "sum")], ..GraphBody::default() };
        let mut branch = Node::new("If", &["b"], "c");
        branch.attribute = vec![Attribute { g: Some(inner), ..Attribute::default() }];
        let weight = |name: &str| Tensor::floats(name, &[1], FLOAT, &[1.0]).encode_to_vec().into();
        let graph = GraphBody {
            node: vec![
                Node::new("Conv", &["input", "weight"], "a"),
                Node::new("Neg", &["other"], "extra"),
                Node::new("Relu", &["a"], "b"),
                branch,
                Node::new("Gemm", &["c", "head"], "out"),
            ],
            initializer: vec![weight("weight"), weight("head"), weight("inner")],
            input: vec![named("input"), named("other")],
            output: vec![named("out")],
        };
        let mut bytes = Model { graph: Some(graph), ..Model::default() }.encode_to_vec();
        // A field that is not read here (producer_name) must survive.
        put_message(&mut bytes, 2, b"somebody");
        bytes
    }

    fn tensors(graph: &Graph) -> Vec<String> {
        graph.tensors().into_iter().map(|tensor| tensor.name).collect()
    }

    fn weights(graph: &Graph) -> Vec<String> {
        graph.initializers().unwrap().into_iter().map(|header| header.name).collect()
    }

    fn cut(wanted: &[&str]) -> (Graph, Vec<u8>) {
        let wanted: Vec<String> = wanted.iter().map(|name| name.to_string()).collect();
        let cut = Graph::read(model()).unwrap().cut_to(&wanted).unwrap();
        (Graph::read(cut.clone()).unwrap(), cut)
    }

    #[test]
    fn a_cut_model_makes_what_is_wanted_and_no_more() {
        let (graph, bytes) = cut(&["b"]);
        assert_eq!((tensors(&graph), graph.outputs().to_vec()), (vec!["a".into(), "b".into()], vec!["b".into()]));
        assert_eq!((weights(&graph), graph.inputs().to_vec()), (vec!["weight".into()], vec!["input".into()]));
        assert!(bytes.windows(8).any(|w| w == b"somebody"));
    }

    #[test]
    fn what_a_branch_reads_is_needed_too() {
        let (graph, _) = cut(&["c", "a"]);
        assert_eq!(tensors(&graph), ["a", "extra", "b", "c"]);
        assert_eq!(graph.outputs(), ["c", "a"]);
        assert_eq!(
            (weights(&graph).join(" "), graph.inputs().join(" ")),
            ("weight inner".into(), "input other".into())
        );
    }

    #[test]
    fn appended_outputs_are_merged_into_the_graph() {
        let graph = Graph::read(model()).unwrap();
        let names = tensors(&graph);
        let more = Graph::read(graph.with_outputs(&names)).unwrap();
        assert_eq!(more.outputs(), ["out", "a", "extra", "b", "c"]);
        assert_eq!(more.tensors(), graph.tensors());
    }

    #[test]
    fn edits_change_what_they_name_and_nothing_else() {
        let graph = Graph::read(model()).unwrap();
        let same = graph.edited(&Edit::default()).unwrap();
        assert_eq!(same.nodes(), graph.nodes());
        let edit = Edit {
            initializers: [("head".into(), Tensor::floats("head", &[2], FLOAT, &[3.0, 4.0]))].into(),
            added: vec![Tensor::floats("mask", &[1], FLOAT, &[0.0])],
            renamed_outputs: vec![(2, "b".into(), "b before".into())],
            after: [(2, vec![Node::new("Mul", &["b before", "mask"], "b")])].into(),
            replaced: [(1, vec![Node::new("Abs", &["other"], "x"), Node::new("Neg", &["x"], "extra")])].into(),
            ..Edit::default()
        };
        let edited = graph.edited(&edit).unwrap();
        assert_eq!(tensors(&edited), ["a", "x", "extra", "b before", "b", "c", "out"]);
        assert_eq!(weights(&edited), ["weight", "head", "inner", "mask"]);
        assert_eq!(edited.initializer(1).unwrap().to_f64().unwrap(), [3.0, 4.0]);
        assert_eq!(edited.nodes()[5], graph.nodes()[3], "the branch is untouched");
    }

    #[test]
    fn modules_are_read_from_names_and_metadata() {
        let module = |name: &str| module_of(&Node { name: name.into(), ..Node::default() });
        assert_eq!(module("/layer4/layer4.1/relu/Relu"), "layer4.1.relu");
        assert_eq!(
            module("/vit/encoder/layer.0/attention/output/dense/MatMul"),
            "vit.encoder.layer.0.attention.output.dense"
        );
        assert_eq!(module("/features/features.0/Conv"), "features.0");
        assert_eq!(module("model/block5_conv3/Conv2D"), "model.block5_conv3");
        assert_eq!(module("model/bn_Conv1/FusedBatchNormV3__12"), "");
        assert_eq!(module("/Flatten"), "");
        assert_eq!(module("Conv_12"), "");
        let scoped = |scopes: &str| {
            let scopes = Entry { key: "pkg.torch.onnx.name_scopes".into(), value: scopes.into() };
            module_of(&Node { name: "node_relu_16".into(), metadata_props: vec![scopes], ..Node::default() })
        };
        assert_eq!(scoped("['', 'layer4', 'layer4.1', 'layer4.1.relu', 'relu_16']"), "layer4.1.relu");
        assert_eq!(scoped("['_empty_nn_module_stack_from_metadata_hook', 'sym_size_int_1']"), "");
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
