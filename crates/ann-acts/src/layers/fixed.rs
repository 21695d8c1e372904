//! Tensors that are the same whatever picture is shown: constants, and arithmetic on the lengths of axes.

use crate::graph::{Graph, GraphError, read_by};
use std::collections::HashSet;

/// The tensors in which nothing of what the inputs hold arrives. The lengths of axes (`Shape`, `Size`) are not what a
/// tensor holds; random numbers are nobody's constant.
pub fn fixed(graph: &Graph) -> Result<HashSet<String>, GraphError> {
    // Files of old lists weights among the inputs, too.
    let weights: HashSet<String> = graph.initializers()?.into_iter().map(|header| header.name).collect();
    let mut fed: HashSet<&str> =
        graph.inputs().iter().map(String::as_str).filter(|&name| !weights.contains(name)).collect();
    let mut fixed = HashSet::new();
    for node in graph.nodes() {
        let standard = node.domain.is_empty() || node.domain == "ai.onnx";
        let op = node.op_type.as_str();
        let mut reads = Vec::new();
        read_by(node, &mut reads);
        let measures = standard && ["Shape", "Size"].contains(&op);
        let arrives = !measures && reads.iter().any(|name| fed.contains(name));
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if arrives || op.starts_with("Random") {
                fed.insert(output);
            } else {
                fixed.insert(output.clone());
            }
        }
    }
    Ok(fixed)
}
