//! Weights that lie in files beside the model.

use crate::graph::Graph;
use crate::graph::onnx::{Entry, TensorHeader, rewritten, tag};
use anyhow::{Context, Result, anyhow, bail, ensure};
use prost::Message;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The graph and its folder with links followed: weights that a cache keeps elsewhere and only links to.
///
/// ONNX Runtime reads no file outside the model's folder, and takes a link for what it leads to. So the graph names the
/// files that the links lead to, and the folder is one that holds them all.
pub fn with_links_followed(graph: Graph, folder: &Path) -> Result<(Graph, PathBuf)> {
    let mut real: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut leaves = false;
    let home = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    for header in graph.initializers()? {
        let Some(location) = header.location() else { continue };
        let inside =
            Path::new(location).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        // What is not there, or named where nothing is read, is told with its own name later.
        if let (true, Ok(path)) = (inside, fs::canonicalize(folder.join(location))) {
            leaves |= !path.starts_with(&home);
            real.insert(location.to_string(), path);
        } else {
            return Ok((graph, folder.to_path_buf()));
        }
    }
    if !leaves {
        return Ok((graph, folder.to_path_buf()));
    }
    let mut common: PathBuf = real.values().next().and_then(|path| path.parent()).unwrap_or(&home).to_path_buf();
    while !real.values().all(|path| path.starts_with(&common)) && common.pop() {}
    let graph = graph.with_graph_bytes(|bytes| {
        rewritten(bytes, |field, payload| {
            let location = match field {
                tag::INITIALIZER => TensorHeader::decode(payload)?.location().map(String::from),
                _ => None,
            };
            let new = location.and_then(|location| real.get(&location)?.strip_prefix(&common).ok()?.to_str());
            new.map(|new| moved(payload, new)).transpose()
        })
    })?;
    Ok((graph, common))
}

/// A tensor whose values lie in another file.
fn moved(tensor: &[u8], location: &str) -> Result<Vec<u8>, prost::DecodeError> {
    rewritten(tensor, |field, payload| {
        if field != tag::EXTERNAL_DATA {
            return Ok(None);
        }
        let mut entry = Entry::decode(payload)?;
        if entry.key == "location" {
            entry.value = location.to_string();
        }
        Ok(Some(entry.encode_to_vec()))
    })
}

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
        if let Some(needed) = header.n_bytes().filter(|&needed| needed != n_bytes) {
            bail!(
                "weight \"{}\": its shape {:?} needs {needed} bytes, the model speaks of {n_bytes} in {location:?}; \
                 the file is damaged, export it anew",
                header.name,
                header.dims
            );
        }
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
            "keeps weights in {location:?}, outside of its own folder; ONNX Runtime reads none from there: move the \
             file \
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
