//! `--list-layers`: every tensor that a network makes.

use crate::graph::{Graph, GraphTensor};
use crate::network::{TensorInfo, outputs, shape_text};
use crate::runtime::Runtime;
use anyhow::Result;
use cli::{Cell, TableWriter};
use std::collections::HashMap;
use std::path::Path;

/// The columns of the listing.
pub const COLUMNS: [&str; 8] = ["index", "layer", "module", "node", "op", "shape", "n_units", "dtype"];

/// Writes one line per tensor, in graph order; `folder` is where weights outside the file lie.
pub fn list_layers<W: std::io::Write>(
    graph: &Graph,
    runtime: &Runtime,
    folder: &Path,
    mut table: TableWriter<W>,
) -> Result<TableWriter<W>> {
    let tensors = graph.tensors();
    let names: Vec<String> = tensors.iter().map(|tensor| tensor.name.clone()).collect();
    let known: HashMap<String, (TensorInfo, Option<usize>)> = outputs(runtime, &graph.with_outputs(&names), folder)?
        .into_iter()
        .map(|(info, n_units)| (info.name.clone(), (info, n_units)))
        .collect();
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
