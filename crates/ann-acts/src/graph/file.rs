//! A network's file: read, told from what is none, and mended where ONNX Runtime would crash.

use crate::graph::Graph;
use crate::graph::omitted::mended;
use crate::graph::weight_files::{weight_files, with_links_followed};
use anyhow::{Context, Result, bail};
use cli::{Input, Job};
use foreign_formats::{Wanted, refusal};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The network in the file at `path`, and the folder in which weights outside its file lie.
pub fn read_model(job: &Job, path: &Path) -> Result<(Graph, PathBuf)> {
    let mut bytes = Vec::new();
    let name = || path.display().to_string();
    job.open(&Input::File(path.to_path_buf()))?.reader().read_to_end(&mut bytes).with_context(name)?;
    if let Some(refusal) = refusal(&bytes, Wanted::Network) {
        bail!("{}: {refusal}", path.display());
    }
    let graph = Graph::read(bytes).with_context(name)?;
    let beside = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (graph, folder) = with_links_followed(graph, beside).with_context(name)?;
    Ok((mended(job, graph).with_context(name)?, folder))
}

/// Makes the files of weights beside the model inputs of the job. The runtime reads them; here they are only opened.
pub fn record_weights(job: &Job, graph: &Graph, folder: &Path) -> Result<()> {
    weight_files(graph, folder)?.into_iter().try_for_each(|file| job.open(&Input::File(file)).map(drop))
}
