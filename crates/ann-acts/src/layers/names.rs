//! Every name under which a tensor of a graph can be asked for: its own, its node's, its module's.

use crate::graph::folding::folded_by_name;
use crate::graph::onnx::is_named;
use crate::graph::{Graph, GraphTensor, read_by};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The names of a graph's tensors. Tensors are counted from 0 in graph order, as the listing counts them.
pub struct Names {
    /// The tensors.
    pub tensors: Vec<GraphTensor>,
    /// What each node name stands for: one tensor, or several where it is ambiguous.
    nodes: BTreeMap<String, Vec<usize>>,
    /// The tensor that leaves each module.
    modules: BTreeMap<String, usize>,
    /// Tensors of convolutions whose weights are not the module's own.
    refolded: HashSet<usize>,
}

impl Names {
    /// Reads the names of `graph`.
    pub fn of(graph: &Graph) -> Self {
        let wiring = Wiring::of(graph);
        let folded = folded_by_name(graph).unwrap_or_default();
        let made = |i: &usize| graph.nodes()[*i].output.first().map(String::as_str);
        let refolded: HashSet<&str> = folded.iter().filter_map(made).collect();
        let refolded =
            (0..wiring.tensors.len()).filter(|&i| refolded.contains(wiring.tensors[i].name.as_str())).collect();
        Self { nodes: wiring.by_node(), modules: wiring.by_module(), tensors: wiring.tensors, refolded }
    }

    /// Whether the tensor comes from a convolution into which its exporter folded the normalization behind it: it is
    /// then what leaves that normalization, and the network no longer makes what the convolution alone gave.
    pub fn is_refolded(&self, tensor: usize) -> bool {
        self.refolded.contains(&tensor)
    }

    /// The tensor of this very name.
    pub fn tensor(&self, name: &str) -> Option<usize> {
        self.tensors.iter().position(|tensor| tensor.name == name)
    }

    /// The tensors that a node of this name makes for others; none where there is no such node.
    pub fn node(&self, name: &str) -> &[usize] {
        self.nodes.get(name).map_or(&[], Vec::as_slice)
    }

    /// The tensor that leaves the module of this path.
    ///
    /// Among the nodes of the module and of those within it, it is what the last one makes that is read outside, or is
    /// an output of the model; sizes and weights computed on the way do not count. A module that is called several
    /// times (the `relu` of a ResNet block) is its first call; the second is the path with `_1` behind it, and so on,
    /// as PyTorch's TorchScript exporter numbers them itself.
    pub fn module(&self, path: &str) -> Option<usize> {
        self.modules.get(path).copied()
    }

    /// The tensors one of whose names fulfils `is_match`, in graph order.
    pub fn matching(&self, is_match: impl Fn(&str) -> bool) -> Vec<usize> {
        let mut found: Vec<usize> = (0..self.tensors.len()).filter(|&i| is_match(&self.tensors[i].name)).collect();
        found.extend(self.nodes.iter().filter(|(name, _)| is_match(name)).flat_map(|(_, tensors)| tensors));
        found.extend(self.modules.iter().filter(|(path, _)| is_match(path)).map(|(_, tensor)| tensor));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// All names: tensors first, then modules, then nodes.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let tensors = self.tensors.iter().map(|tensor| tensor.name.as_str());
        tensors.chain(self.modules.keys().map(String::as_str)).chain(self.nodes.keys().map(String::as_str))
    }
}

/// Who makes and who reads what, by position.
struct Wiring {
    tensors: Vec<GraphTensor>,
    /// Per tensor, the nodes that read it.
    readers: Vec<Vec<usize>>,
    /// Per tensor, whether it is an output of the model.
    is_output: Vec<bool>,
    nodes: Vec<Part>,
}

/// A node in the wiring.
struct Part {
    name: String,
    module: String,
    /// The tensors it makes.
    makes: Vec<usize>,
    /// The nodes whose tensors it reads.
    reads: Vec<usize>,
    /// It computes with sizes or weights alone, or measures a size: nothing of it is an activation.
    aside: bool,
}

impl Wiring {
    fn of(graph: &Graph) -> Self {
        let tensors = graph.tensors();
        let outputs: HashSet<&str> = graph.outputs().iter().map(String::as_str).collect();
        // Before IR version 4 weights stood among the inputs; a header that cannot be read is no weight.
        let weights: HashSet<String> =
            graph.initializers().unwrap_or_default().into_iter().map(|header| header.name).collect();
        let inputs: HashSet<&str> =
            graph.inputs().iter().map(String::as_str).filter(|name| !weights.contains(*name)).collect();
        let mut position: HashMap<&str, usize> = HashMap::new();
        let mut maker: Vec<usize> = Vec::with_capacity(tensors.len());
        let mut readers = vec![Vec::new(); tensors.len()];
        let mut nodes: Vec<Part> = Vec::with_capacity(graph.nodes().len());
        for (i, node) in graph.nodes().iter().enumerate() {
            let mut names = Vec::new();
            read_by(node, &mut names);
            let mut reads = Vec::new();
            let mut aside = true;
            for name in names {
                if let Some(&tensor) = position.get(name) {
                    let made_by = maker[tensor];
                    readers[tensor].push(i);
                    reads.push(made_by);
                    aside &= nodes[made_by].aside;
                } else {
                    aside &= !inputs.contains(name);
                }
            }
            let mut makes = Vec::new();
            for name in node.output.iter().filter(|name| is_named(name)) {
                position.insert(name, maker.len());
                makes.push(maker.len());
                maker.push(i);
            }
            nodes.push(Part {
                name: node.name.clone(),
                module: makes.first().map_or(String::new(), |&tensor| tensors[tensor].module.clone()),
                makes,
                reads,
                aside: aside || matches!(node.op_type.as_str(), "Shape" | "Size"),
            });
        }
        let is_output = tensors.iter().map(|tensor| outputs.contains(tensor.name.as_str())).collect();
        Self { tensors, readers, is_output, nodes }
    }

    fn by_node(&self) -> BTreeMap<String, Vec<usize>> {
        let mut by_node: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for node in self.nodes.iter().filter(|node| !node.name.is_empty()) {
            // A mask that nobody reads is no second meaning.
            let used = |&tensor: &usize| self.is_output[tensor] || !self.readers[tensor].is_empty();
            let mut meant: Vec<usize> = node.makes.iter().copied().filter(used).collect();
            if meant.is_empty() {
                meant.extend(node.makes.first());
            }
            by_node.entry(node.name.clone()).or_default().extend(meant);
        }
        by_node
    }

    fn by_module(&self) -> BTreeMap<String, usize> {
        let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, node) in self.nodes.iter().enumerate().filter(|(_, node)| !node.module.is_empty()) {
            let ends = node.module.match_indices('.').map(|(end, _)| end);
            for end in ends.chain([node.module.len()]) {
                members.entry(&node.module[..end]).or_default().push(i);
            }
        }
        let mut by_module = BTreeMap::new();
        let mut numbered = Vec::new();
        for (&path, nodes) in &members {
            for (call, nodes) in self.calls(path, nodes).into_iter().enumerate() {
                let Some(tensor) = self.leaving(path, &nodes) else { continue };
                match call {
                    0 => drop(by_module.insert(path.to_string(), tensor)),
                    _ => numbered.push((format!("{path}_{call}"), tensor)),
                }
            }
        }
        for (name, tensor) in numbered {
            by_module.entry(name).or_insert(tensor);
        }
        by_module
    }

    fn is_within(&self, node: usize, path: &str) -> bool {
        let rest = self.nodes[node].module.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// The nodes of a module by the call they belong to: what depends, through another module, on an earlier call is a
    /// later one. A path that holds no node itself is a container (a `Sequential`), which others may walk through.
    fn calls(&self, path: &str, members: &[usize]) -> Vec<Vec<usize>> {
        let is_own = |&&node: &&usize| self.nodes[node].module == path && !self.nodes[node].aside;
        let (Some(&first), Some(&last)) = (members.first(), members.last()) else { return Vec::new() };
        // Nodes of no module are the network's own, or were put in by an optimizer that forgets where.
        let foreign = |node: usize| !self.nodes[node].module.is_empty() && !self.is_within(node, path);
        if members.iter().find(is_own).is_none() || !(first..=last).any(foreign) {
            return vec![members.to_vec()];
        }
        // Per node from `first` on: calls begun before it, and whether another module stands in between.
        let mut depth: Vec<Option<(usize, bool)>> = vec![None; last + 1 - first];
        let mut calls: Vec<Vec<usize>> = Vec::new();
        for node in first..=last {
            let earlier = |&maker: &usize| maker.checked_sub(first).and_then(|i| depth[i]);
            let before = self.nodes[node].reads.iter().filter_map(earlier).max();
            let here = if self.is_within(node, path) {
                let call = before.map_or(0, |(call, left)| call + usize::from(left));
                if calls.len() <= call {
                    calls.resize(call + 1, Vec::new());
                }
                calls[call].push(node);
                Some((call, false))
            } else {
                before.map(|(call, left)| (call, left || foreign(node)))
            };
            depth[node - first] = here;
        }
        calls
    }

    /// What the last of these nodes makes that is read outside of the module or is an output of the model.
    fn leaving(&self, path: &str, nodes: &[usize]) -> Option<usize> {
        let activations: Vec<usize> = nodes.iter().copied().filter(|&node| !self.nodes[node].aside).collect();
        let nodes = if activations.is_empty() { nodes } else { &activations };
        let leaves = |&tensor: &usize| {
            self.is_output[tensor] || self.readers[tensor].iter().any(|&reader| !self.is_within(reader, path))
        };
        let of_node = |&node: &usize| self.nodes[node].makes.iter().copied().find(leaves);
        let last_made = || nodes.last().and_then(|&node| self.nodes[node].makes.first().copied());
        nodes.iter().rev().find_map(of_node).or_else(last_made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::onnx::{Entry, FLOAT, GraphBody, Model, Named, Node, Tensor};
    use prost::Message;

    fn graph(nodes: Vec<Node>, outputs: &[&str]) -> Graph {
        let named = |name: &str| Named { name: name.to_string() };
        let graph = GraphBody {
            node: nodes,
            initializer: vec![Tensor::floats("w", &[1], FLOAT, &[1.0]).encode_to_vec().into()],
            input: vec![named("x"), named("w")],
            output: outputs.iter().map(|name| named(name)).collect(),
        };
        Graph::read(Model { graph: Some(graph), ..Model::default() }.encode_to_vec()).unwrap()
    }

    /// A node named as TorchScript's exporter does.
    fn scoped(name: &str, inputs: &[&str], output: &str) -> Node {
        let op = name.rsplit_once('/').unwrap().1;
        Node { name: name.into(), ..Node::new(op, inputs, output) }
    }

    /// A node with the scopes that the newer exporter writes.
    fn with_scopes(module: &str, op: &str, inputs: &[&str], output: &str) -> Node {
        let value = format!("['', '{module}', 'own']");
        let scopes = Entry { key: "pkg.torch.onnx.name_scopes".into(), value };
        Node { metadata_props: vec![scopes], name: format!("node_{output}"), ..Node::new(op, inputs, output) }
    }

    fn module<'a>(names: &'a Names, path: &str) -> Option<&'a str> {
        names.module(path).map(|i| names.tensors[i].name.as_str())
    }

    #[test]
    fn a_module_gives_what_leaves_it_and_not_its_sizes() {
        let graph = graph(
            vec![
                scoped("/stem/Conv", &["x", "w"], "a"),
                scoped("/block/block.0/Conv", &["a", "w"], "b"),
                scoped("/block/block.0/act/Relu", &["b"], "c"),
                scoped("/block/block.0/Shape", &["c"], "size"),
                scoped("/block/block.0/Gather", &["size", "w"], "rows"),
                scoped("/Reshape", &["c", "rows"], "d"),
                scoped("/head/MatMul", &["d", "w"], "e"),
                scoped("/head/Relu", &["e"], "unused"),
            ],
            &["e"],
        );
        let names = Names::of(&graph);
        assert_eq!(module(&names, "block.0"), Some("c"), "the sizes leave it too, and later");
        assert_eq!(module(&names, "block"), Some("c"));
        assert_eq!(module(&names, "block.0.act"), Some("c"));
        assert_eq!(module(&names, "head"), Some("e"), "the last is read by nobody");
        assert_eq!(module(&names, "nothing"), None);
        assert_eq!(names.node("/stem/Conv"), [0]);
    }

    #[test]
    fn the_second_call_of_a_module_has_a_number() {
        let graph = graph(
            vec![
                with_scopes("b.conv1", "Conv", &["x", "w"], "a"),
                with_scopes("b.relu", "Relu", &["a"], "first"),
                with_scopes("b.conv2", "Conv", &["first", "w"], "c"),
                with_scopes("b", "Add", &["c", "x"], "d"),
                with_scopes("b.relu", "Relu", &["d"], "second"),
                Node::new("Flatten", &["second"], "e"),
            ],
            &["e"],
        );
        let names = Names::of(&graph);
        assert_eq!(module(&names, "b.relu"), Some("first"));
        assert_eq!(module(&names, "b.relu_1"), Some("second"));
        assert_eq!(module(&names, "b.relu_2"), None);
        assert_eq!(module(&names, "b"), Some("second"));
        assert_eq!(names.matching(|name| name.starts_with("b.relu")), [1, 4]);
    }

    #[test]
    fn a_container_that_others_walk_through_is_one_module() {
        let graph = graph(
            vec![
                scoped("/steps.0/Conv", &["x", "w"], "a"),
                scoped("/act/Relu", &["a"], "b"),
                scoped("/steps.1/Conv", &["b", "w"], "c"),
                scoped("/act_1/Relu", &["c"], "d"),
            ],
            &["d"],
        );
        let names = Names::of(&graph);
        assert_eq!(module(&names, "steps"), Some("c"));
        assert_eq!((module(&names, "act"), module(&names, "act_1")), (Some("b"), Some("d")));
    }

    #[test]
    fn a_node_of_several_tensors_stands_for_those_that_are_used() {
        let mut dropout = Node { name: "drop".into(), ..Node::new("Dropout", &["x"], "a") };
        dropout.output.push("mask".into());
        let mut split = Node { name: "split".into(), ..Node::new("Split", &["a"], "left") };
        split.output.push("right".into());
        let graph = graph(vec![dropout, split, Node::new("Add", &["left", "right"], "sum")], &["sum"]);
        let names = Names::of(&graph);
        assert_eq!(names.node("drop"), [0]);
        assert_eq!(names.node("split"), [2, 3]);
        assert!(names.node("").is_empty());
    }
}
