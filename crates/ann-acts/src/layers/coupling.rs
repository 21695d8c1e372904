//! Operators by which a row depends on other pictures or on chance, as the graph itself shows them.
//!
//! Normalization by the statistics of the batch, dropout that is switched on, and random numbers. Only what stands
//! before an asked layer matters. What the graph does not show is found by [`crate::network::company`].

use crate::graph::onnx::{Node, Tensor, node_text};
use crate::graph::{Graph, read_by};
use crate::layers::Choice;
use crate::network::inputs::Setting;
use anyhow::{Result, bail, ensure};
use cli::Job;
use prost::Message;
use std::collections::HashMap;

/// The choices that no such operator stands before.
///
/// A layer that was named and has one before it is an error; one met by a pattern is left out, which is said.
pub fn without_coupled(job: &Job, graph: &Graph, choices: Vec<Choice>, set: &[Setting]) -> Result<Vec<Choice>> {
    let tainted = tainted(graph, set);
    let n_all = choices.len();
    let mut kept = Vec::new();
    let mut left: Vec<String> = Vec::new();
    for choice in choices {
        match tainted.get(choice.tensor.as_str()) {
            None => kept.push(choice),
            Some(why) if choice.named => bail!("layer \"{}\" depends on {why}", choice.name),
            Some(why) => left.push(format!("\"{}\" depends on {why}", choice.name)),
        }
    }
    if let Some(first) = left.first() {
        ensure!(!kept.is_empty(), "none of {n_all} tensors is left: {first}");
        job.note(format_args!("{} of {n_all} tensors left out: {first}", left.len()));
    }
    Ok(kept)
}

/// What stands before each tensor that depends on such an operator.
pub fn tainted<'a>(graph: &'a Graph, set: &[Setting]) -> HashMap<&'a str, String> {
    let known = Known { graph, set };
    let mut tainted: HashMap<&str, String> = HashMap::new();
    for node in graph.nodes() {
        let own = known.why(node);
        let why = own.or_else(|| {
            let mut reads = Vec::new();
            read_by(node, &mut reads);
            reads.iter().find_map(|name| tainted.get(*name).cloned())
        });
        if let Some(why) = why {
            for output in node.output.iter().filter(|name| !name.is_empty()) {
                tainted.insert(output, why.clone());
            }
        }
    }
    tainted
}

/// What tells whether an operator is switched on.
struct Known<'a> {
    graph: &'a Graph,
    set: &'a [Setting],
}

impl Known<'_> {
    /// Why this node, or one inside its branches and loops, makes rows depend on more than their picture.
    fn why(&self, node: &Node) -> Option<String> {
        let standard = node.domain.is_empty() || node.domain == "ai.onnx";
        let what = match node.op_type.as_str() {
            "BatchNormalization" if standard && self.learns(node) => Some(
                "which normalizes by the pictures that are run together (training mode); export the network \
                 in eval mode (PyTorch: model.eval(), and training=TrainingMode.EVAL)",
            ),
            "Dropout" | "BiasDropout" | "BitmaskDropout" | "BitmaskBiasDropout" if self.drops(node) => Some(
                "which drops values by chance (training mode); export the network in eval mode \
                 (PyTorch: model.eval(), and training=TrainingMode.EVAL)",
            ),
            "RandomNormal" | "RandomNormalLike" if standard && float(node, "scale", 1.0) != 0.0 => Some(RANDOM),
            "RandomUniform" | "RandomUniformLike"
                if standard && float(node, "low", 0.0) != float(node, "high", 1.0) =>
            {
                Some(RANDOM)
            }
            "Bernoulli" | "Multinomial" if standard => Some(RANDOM),
            _ => None,
        };
        match what {
            Some(what) => Some(format!("{}, {what}", node_text(node))),
            None => {
                let graphs = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
                graphs.flat_map(|graph| &graph.node).find_map(|inner| self.why(inner))
            }
        }
    }

    /// Before opset 14 a batch normalization with more than one output is one in training.
    fn learns(&self, node: &Node) -> bool {
        if self.graph.opset() >= 14 {
            return node.int("training_mode", 0) == 1;
        }
        node.output.iter().filter(|name| !name.is_empty()).count() > 1
    }

    fn drops(&self, node: &Node) -> bool {
        let inputs = &node.input;
        // Those of Microsoft's domain end with the same two inputs, and take more before them.
        let (ratio, training) = match (node.op_type.as_str(), inputs.len()) {
            ("Dropout", n) => (1, if n > 2 { 2 } else { return false }),
            (_, n) if n > 2 => (n - 2, n - 1),
            _ => return false,
        };
        let on = self.number(&inputs[training]).is_some_and(|value| value != 0.0);
        on && self.number(&inputs[ratio]) != Some(0.0)
    }

    /// The single number that a name stands for, where the file or the command line says it.
    fn number(&self, name: &str) -> Option<f64> {
        if let Some(setting) = self.set.iter().find(|setting| setting.name == name) {
            return Some(setting.value);
        }
        let headers = self.graph.initializers().ok()?;
        let tensor = match headers.iter().position(|header| header.name == name) {
            Some(position) => self.graph.initializer(position).ok()?,
            None => {
                let node = self.graph.nodes().iter().find(|node| node.output.first().is_some_and(|o| o == name))?;
                match node.op_type.as_str() {
                    "Identity" | "Cast" => return self.number(node.input.first()?),
                    "Constant" => Tensor::decode(node.attribute("value")?.t.clone()?).ok()?,
                    _ => return None,
                }
            }
        };
        tensor.to_f64().and_then(|values| values.first().copied()).or_else(|| {
            let listed = tensor.int32_data.first().map(|&value| f64::from(value));
            listed.or_else(|| tensor.raw_data.first().map(|&byte| f64::from(byte)))
        })
    }
}

const RANDOM: &str = "which draws random numbers at every run; export the network without it (PyTorch: model.eval(), \
                      noise switched off)";

fn float(node: &Node, name: &str, default: f32) -> f32 {
    node.attribute(name).and_then(|attribute| attribute.f).unwrap_or(default)
}
