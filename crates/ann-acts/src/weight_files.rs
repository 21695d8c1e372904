//! Weights that lie in files beside the model.

use crate::graph::Graph;
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The files in `folder` that hold weights of the graph, each there and as long as the graph needs it.
///
/// Only files in the model's folder or below are read, as ONNX Runtime has it: a model is data, and must not be able
/// to name any file of the computer.
pub fn weight_files(graph: &Graph, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut needed: BTreeMap<String, u64> = BTreeMap::new();
    for header in graph.initializers()? {
        let Some(location) = header.location() else { continue };
        let number = |key: &str| -> Result<u64> {
            let text = header.external(key).unwrap_or("0");
            text.parse().map_err(|_| anyhow!("weight \"{}\": {key} {text:?} is not a number", header.name))
        };
        // The length may be left out where it follows from the shape.
        let n_bytes = match header.external("length") {
            Some(_) => number("length")?,
            None => header.n_bytes().unwrap_or(0),
        };
        let end = number("offset")?.saturating_add(n_bytes);
        let longest = needed.entry(location.to_string()).or_default();
        *longest = end.max(*longest);
    }
    let mut files = Vec::new();
    for (location, n_bytes) in needed {
        let inside =
            Path::new(&location).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        ensure!(
            inside,
            "keeps weights in {location:?}, outside of its own folder; ONNX Runtime reads none from there: move the file \
             beside the model and save the model anew"
        );
        // The model's own name, and so the folder's, may have no path in front.
        let path = if folder == Path::new(".") { PathBuf::from(&location) } else { folder.join(&location) };
        let size = match fs::metadata(&path) {
            Ok(facts) => facts.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!("keeps weights in {location:?}, but there is no {}; copy it there", path.display())
            }
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        ensure!(
            size >= n_bytes,
            "keeps weights in {location:?}, of which it needs {n_bytes} bytes, but {} has {size}; copy it anew",
            path.display()
        );
        files.push(path);
    }
    Ok(files)
}
