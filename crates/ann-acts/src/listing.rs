//! `--list-layers`: every tensor that a network makes.

use crate::graph::{Graph, GraphTensor, read_by};
use crate::network::{TensorInfo, outputs, shape_text};
use crate::runtime::Runtime;
use anyhow::Result;
use cli::{Cell, Job, TableWriter};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// The columns of the listing.
pub const COLUMNS: [&str; 8] = ["index", "layer", "module", "node", "op", "shape", "n_units", "dtype"];

/// Domains of operators that ONNX Runtime brings along.
const KNOWN_DOMAINS: [&str; 5] = ["", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview.training", "com.microsoft"];

/// Writes one line per tensor, in graph order; `folder` is where weights outside the file lie.
///
/// Of a network that the runtime cannot open whole, the part without operators of foreign domains is described, and the
/// rest is listed by name.
pub fn list_layers<W: std::io::Write>(
    job: &Job,
    graph: &Graph,
    runtime: &Runtime,
    folder: &Path,
    mut table: TableWriter<W>,
) -> Result<TableWriter<W>> {
    let tensors = graph.tensors();
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
    let known: HashMap<String, (TensorInfo, Option<usize>)> =
        known.into_iter().map(|(info, n_units)| (info.name.clone(), (info, n_units))).collect();
    for (index, GraphTensor { name, node, module, op }) in tensors.iter().enumerate() {
        let info = known.get(name);
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let row: [Cell; 8] = [
            index.into(),
            name.into(),
            some(module).into(),
            some(node).into(),
            op.into(),
            info.map(|(info, _)| shape_text(&info.axes)).into(),
            info.and_then(|(_, n_units)| *n_units).into(),
            info.map(|(info, _)| info.element.name()).into(),
        ];
        table.row(&row)?;
    }
    Ok(table)
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
