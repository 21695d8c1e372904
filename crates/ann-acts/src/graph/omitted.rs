//! Outputs and inputs that a node leaves out although its operator has no such thing.
//!
//! An empty name stands for an optional output that is not wanted. Exporters also leave out outputs that are not
//! optional (one part of a `Split`), at which ONNX Runtime
//! reads memory that is not its own and crashes. Such an output is
//! given a name: the numbers stay, and nothing reads it. An input that is left out of a sum cannot be mended.

use crate::graph::Graph;
use crate::graph::onnx::{GIVEN, Node, fields, node_text, put_message, rewritten, tag};
use anyhow::{Result, bail};
use cli::Job;
use prost::DecodeError;

/// Operators of which every output must be there, besides the first of any.
const NEEDED: [&str; 6] = ["Split", "If", "Loop", "Scan", "TopK", "DynamicQuantizeLinear"];

/// Operators of which every input must be there.
const ALL_INPUTS: [&str; 6] = ["Sum", "Max", "Min", "Mean", "Concat", "SequenceConstruct"];

/// The graph with a name for every output that may not be left out, and without empty names behind the last output.
pub fn mended(job: &Job, graph: Graph) -> Result<Graph> {
    let found: Vec<&Node> = graph.nodes().iter().filter(|node| needs_mending(node)).collect();
    let Some(first) = found.first() else { return Ok(graph) };
    job.note(format_args!(
        "{} leaves out an output{}, with which ONNX Runtime would crash; read as if it had a name",
        node_text(first),
        if found.len() > 1 { format!(", as do {} more nodes", found.len() - 1) } else { String::new() }
    ));
    let mut n_given = 0;
    Ok(graph.with_graph_bytes(|bytes| in_graph(bytes, &mut n_given))?)
}

/// Refuses inputs that are left out where none may be.
pub fn check_inputs(graph: &Graph) -> Result<()> {
    match graph.nodes().iter().find(|node| lacks_input(node)) {
        Some(node) => bail!(
            "{} leaves out one of its inputs, all of which it needs; ONNX Runtime cannot run it: export the network \
             anew",
            node_text(node)
        ),
        None => Ok(()),
    }
}

fn inner(node: &Node) -> impl Iterator<Item = &Node> {
    let graphs = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
    graphs.flat_map(|graph| &graph.node)
}

fn lacks_input(node: &Node) -> bool {
    ALL_INPUTS.contains(&node.op_type.as_str()) && node.input.iter().any(String::is_empty)
        || inner(node).any(lacks_input)
}

fn needs_mending(node: &Node) -> bool {
    let n = n_outputs(&node.op_type, &node.output);
    let unnamed = (0..n).any(|i| node.output[i].is_empty() && is_needed(&node.op_type, i));
    unnamed || n < node.output.len() || inner(node).any(needs_mending)
}

fn is_needed(op: &str, output: usize) -> bool {
    // Recurrent operators have no output that must be there.
    (output == 0 && !matches!(op, "LSTM" | "GRU" | "RNN")) || NEEDED.contains(&op)
}

/// Outputs without the empty names behind the last one, where ONNX Runtime takes these for outputs.
fn n_outputs<S: AsRef<str>>(op: &str, names: &[S]) -> usize {
    match op == "BatchNormalization" {
        false => names.len(),
        true => names.iter().rposition(|name| !name.as_ref().is_empty()).map_or(names.len().min(1), |last| last + 1),
    }
}

fn in_graph(graph: &[u8], n_given: &mut usize) -> Result<Vec<u8>, DecodeError> {
    rewritten(graph, |field, payload| match field {
        tag::NODE => in_node(payload, n_given).map(Some),
        _ => Ok(None),
    })
}

fn in_node(node: &[u8], n_given: &mut usize) -> Result<Vec<u8>, DecodeError> {
    let mut op = String::new();
    let mut outputs: Vec<String> = Vec::new();
    for field in fields(node) {
        match field? {
            (tag::NODE_OP, _, payload) => op = String::from_utf8_lossy(payload).into_owned(),
            (tag::NODE_OUTPUT, _, payload) => outputs.push(String::from_utf8_lossy(payload).into_owned()),
            _ => {}
        }
    }
    let n = n_outputs(&op, &outputs);
    let mut changed = Vec::with_capacity(node.len());
    let mut output = 0;
    for field in fields(node) {
        let (field, whole, payload) = field?;
        match field {
            tag::NODE_OUTPUT => {
                if output < n && payload.is_empty() && is_needed(&op, output) {
                    put_message(&mut changed, tag::NODE_OUTPUT, format!("{GIVEN}{n_given}").as_bytes());
                    *n_given += 1;
                } else if output < n {
                    changed.extend_from_slice(whole);
                }
                output += 1;
            }
            tag::NODE_ATTRIBUTE => {
                let attribute = rewritten(payload, |field, payload| match field {
                    tag::ATTRIBUTE_GRAPH | tag::ATTRIBUTE_GRAPHS => in_graph(payload, n_given).map(Some),
                    _ => Ok(None),
                })?;
                put_message(&mut changed, tag::NODE_ATTRIBUTE, &attribute);
            }
            _ => changed.extend_from_slice(whole),
        }
    }
    Ok(changed)
}
