//! `--list-layers`: the tensors that a network makes.

use crate::args::Args;
use crate::graph::file::read_model;
use crate::graph::omitted::check_inputs;
use crate::graph::{Graph, GraphTensor, read_by};
use crate::layers::fixed::fixed;
use crate::network::outputs;
use crate::network::runtime::Runtime;
use crate::network::tensor::{TensorInfo, shape_text};
use anyhow::{Context, Result};
use cli::{Cell, Job, TableWriter};
use std::collections::{HashMap, HashSet};
use std::path::Path;

const COLUMNS: [&str; 8] = ["index", "layer", "module", "node", "op", "shape", "n_units", "dtype"];

/// Domains of operators that ONNX Runtime brings along.
const KNOWN_DOMAINS: [&str; 5] = ["", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview.training", "com.microsoft"];

/// Writes one line per tensor, in graph order; without `--all` those that no picture changes are left out.
pub fn run(job: &Job, args: &Args) -> Result<()> {
    let named = || args.model.display().to_string();
    let (graph, folder) = read_model(job, &args.model)?;
    check_inputs(&graph).with_context(named)?;
    let runtime = args.running.runtime()?;
    let output = job.text_output(args.common.output.as_deref())?;
    let tensors = graph.tensors();
    let known = described(job, &graph, &tensors, &runtime, &folder).with_context(named)?;
    runtime.report(job);
    let fixed = if args.all { HashSet::new() } else { fixed(&graph).with_context(named)? };
    let listed: Vec<usize> = (0..tensors.len()).filter(|&index| !fixed.contains(&tensors[index].name)).collect();
    if listed.len() < tensors.len() {
        job.note(format_args!(
            "{} of {} tensors left out, constants and shape arithmetic that no picture changes; --all lists them",
            tensors.len() - listed.len(),
            tensors.len()
        ));
    }
    let mut table = TableWriter::new(output, args.format, &COLUMNS)?;
    table.records(listed.len(), |line| {
        // As an address counts it, whether or not those before it are listed.
        let index = listed[line];
        let GraphTensor { name, node, module, op } = &tensors[index];
        let info = known.get(name);
        let some = |text: &'_ String| Cell::from((!text.is_empty()).then(|| text.clone()));
        vec![
            ("index", index.into()),
            ("layer", name.into()),
            ("module", some(module)),
            ("node", some(node)),
            ("op", op.into()),
            ("shape", info.map(|(info, _)| shape_text(&info.axes)).into()),
            ("n_units", info.and_then(|(_, n_units)| *n_units).into()),
            ("dtype", info.map(|(info, _)| info.element.name()).into()),
        ]
    })?;
    table.into_inner().commit(job)
}

/// What the runtime says of each tensor, and its numbers per picture where that is known.
///
/// Of a network that the runtime cannot open whole, the part without operators of foreign domains is described, and the
/// rest is listed by name.
fn described(
    job: &Job,
    graph: &Graph,
    tensors: &[GraphTensor],
    runtime: &Runtime,
    folder: &Path,
) -> Result<HashMap<String, (TensorInfo, Option<usize>)>> {
    let names: Vec<String> = tensors.iter().map(|tensor| tensor.name.clone()).collect();
    let known = match outputs(runtime, &graph.with_outputs(&names), folder) {
        Ok(known) => known,
        Err(error) => {
            let open = without_foreign(graph);
            let part = (!open.is_empty() && open.len() < names.len()).then(|| graph.cut_to(&open)).transpose()?;
            let Some(Ok(known)) = part.map(|part| outputs(runtime, &part, folder)) else { return Err(error) };
            job.note(format_args!(
                "{} of {} tensors without shapes, the network cannot be opened whole: {error}",
                names.len() - known.len(),
                names.len()
            ));
            known
        }
    };
    Ok(known.into_iter().map(|(info, n_units)| (info.name.clone(), (info, n_units))).collect())
}

/// The tensors that no operator of a foreign domain stands before.
fn without_foreign(graph: &Graph) -> Vec<String> {
    let mut lost: HashSet<&str> = HashSet::new();
    let mut open = Vec::new();
    for node in graph.nodes() {
        let mut reads = Vec::new();
        read_by(node, &mut reads);
        let foreign = !KNOWN_DOMAINS.contains(&node.domain.as_str()) || reads.iter().any(|name| lost.contains(name));
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            if foreign {
                lost.insert(name);
            } else {
                open.push(name.clone());
            }
        }
    }
    open
}
