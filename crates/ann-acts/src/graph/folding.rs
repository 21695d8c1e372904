//! What names tell of normalizations that an exporter folded into the convolution or matrix before them.
//!
//! PyTorch's TorchScript exporter names what it computed itself (`onnx::Conv_535`; a bare number before PyTorch 1.12)
//! and keeps the names of what it did not (`features.0.weight`). Its newer exporter writes down the rule that it
//! applied, and leaves the name of the normalization's output (`getitem_3`) on the convolution. tf2onnx writes
//! `_fused_bn` behind a weight, ONNX Runtime's optimizer `ConvBnFusion` before it.

use crate::graph::onnx::{Node, is_float};
use crate::graph::{Graph, GraphError};
use std::collections::HashSet;

const MARKS: [&str; 4] = ["fused_bn", "BnFusion", "BatchNormFusion", "FusedBatchNorm"];

/// Positions of the nodes into whose weights a normalization was folded, by what names tell.
pub fn folded_by_name(graph: &Graph) -> Result<HashSet<usize>, GraphError> {
    let weights = graph.initializers()?.into_iter().filter(|w| is_float(w.data_type) && w.dims.len() > 1);
    // Where every name is a number, numbers tell nothing.
    let any_own = weights.into_iter().any(|weight| made_up(&weight.name).is_none());
    let is_folded = |node: &Node| {
        let product = matches!(node.op_type.as_str(), "Conv" | "FusedConv" | "ConvTranspose" | "Gemm");
        product && (by_weights(node, any_own) || graph.producer() == "pytorch" && by_export(node))
    };
    Ok(graph.nodes().iter().enumerate().filter(|(_, node)| is_folded(node)).map(|(i, _)| i).collect())
}

fn by_weights(node: &Node, any_own: bool) -> bool {
    let [Some(kernel), bias] = [node.input.get(1), node.input.get(2)] else { return false };
    let bias = bias.map_or("", String::as_str);
    let said = |name: &str| made_up(name).is_some_and(|says_what_for| says_what_for || any_own);
    // A kernel alone may have been masked, or have had its own norm divided out: the bias then keeps its name.
    MARKS.iter().any(|mark| kernel.contains(mark) || bias.contains(mark)) || said(kernel) && said(bias)
}

fn by_export(node: &Node) -> bool {
    let rules = node.metadata_props.iter().filter(|entry| entry.key == "pkg.onnxscript.rewriter.rule_name");
    let by_rule = rules.into_iter().any(|entry| entry.value.contains("FuseBatchNorm"));
    // torch.export: batch normalization gives a tuple, whose first item this was.
    let number = node.output[0].strip_prefix("getitem").map(|rest| rest.strip_prefix('_').unwrap_or(rest));
    by_rule || number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a name is a number that an exporter gave, and if so whether it says what for (`onnx::Conv_535`).
fn made_up(name: &str) -> Option<bool> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if is_number(name) {
        return Some(false);
    }
    let (op, number) = name.strip_prefix("onnx::")?.rsplit_once('_')?;
    (is_number(number) && matches!(op, "Conv" | "ConvTranspose" | "Gemm")).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::onnx::{Entry, FLOAT, GraphBody, Model, Tensor};
    use prost::Message;

    #[test]
    fn names_that_exporters_make_up() {
        assert_eq!(made_up("onnx::Conv_535"), Some(true));
        assert_eq!(made_up("497"), Some(false));
        for own in ["features.0.weight", "onnx::MatMul_12", "onnx::Conv_", "w", "", "onnx::Conv_1a"] {
            assert_eq!(made_up(own), None, "{own}");
        }
    }

    fn folded(producer: &str, weights: &[&str], nodes: Vec<Node>) -> Vec<usize> {
        let weight = |name: &&str| Tensor::floats(name, &[1, 1], FLOAT, &[1.0]).encode_to_vec().into();
        let body = GraphBody { node: nodes, initializer: weights.iter().map(weight).collect(), ..GraphBody::default() };
        let model = Model { graph: Some(body), producer_name: producer.into(), ..Model::default() };
        let graph = Graph::read(model.encode_to_vec()).unwrap();
        let mut found: Vec<usize> = folded_by_name(&graph).unwrap().into_iter().collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn each_exporter_leaves_its_traces() {
        let conv = |w: &str, b: &str, y: &str| Node::new("Conv", &["x", w, b], y);
        // TorchScript: both computed; then a masked kernel, a module of its own with a bias, and a classifier.
        let nodes = vec![
            conv("onnx::Conv_5", "onnx::Conv_6", "a"),
            conv("onnx::Conv_8", "lp.bias", "b"),
            conv("se.fc1.weight", "se.fc1.bias", "c"),
            Node::new("Gemm", &["c", "fc.weight", "fc.bias"], "d"),
        ];
        assert_eq!(folded("pytorch", &["onnx::Conv_5", "fc.weight"], nodes), [0]);
        // Bare numbers tell something only beside names.
        let bare = || vec![conv("497", "498", "a")];
        assert_eq!(folded("pytorch", &["497", "fc.weight"], bare()), [0]);
        assert_eq!(folded("pytorch", &["497", "499"], bare()), [0usize; 0]);
        // torch.export, tf2onnx, ONNX Runtime.
        let rule = Entry { key: "pkg.onnxscript.rewriter.rule_name".into(), value: "FuseBatchNormIntoConv".into() };
        let ruled = Node { metadata_props: vec![rule], ..conv("c.weight", "c.bias", "y") };
        assert_eq!(folded("pytorch", &[], vec![ruled.clone(), conv("d.weight", "", "conv2d")]), [0]);
        assert_eq!(
            folded("pytorch", &[], vec![conv("c.weight", "", "getitem_3"), conv("c.weight", "", "getitems")]),
            [0]
        );
        assert_eq!(folded("other", &[], vec![conv("c.weight", "", "getitem_3")]), [0usize; 0]);
        assert_eq!(folded("tf2onnx", &[], vec![conv("m/Conv2D_weights_fused_bn", "m/Conv2D_bias_fused_bn", "y")]), [0]);
        assert_eq!(folded("", &[], vec![conv("ConvBnFusion_W_c.weight", "ConvBnFusion_BN_B_bn.bias", "y")]), [0]);
    }
}
