//! The files near a model that say how pictures are made ready for it.
//!
//! Near is the folder in which the model lies and, where that folder is really named `onnx`, the one above it: how
//! a path was written, and where one stands, change nothing. A model that is a link lies where the link is: the
//! links of a cache of Hugging Face lead to nameless blobs, and what belongs to the model stands beside the link.
//! Only after that the folder of the file that the link points to is looked at, link by link.

use crate::preprocessing::config::kind_of;
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// Files of more bytes are no preprocessing: vocabularies, tables of weights.
const MOST_BYTES: u64 = 1 << 20;

/// A file near a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearby {
    /// Its path, as short as it can be written.
    pub path: PathBuf,
    /// Where that is, seen from the model.
    pub place: &'static str,
}

/// What was found near a model.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Configurations of a known name and kind; the first one is the model's.
    pub configs: Vec<Nearby>,
    /// Other files that look as if they said how pictures are prepared.
    pub others: Vec<Nearby>,
}

/// Names of configurations, those that count first before the others, and which files of that name are meant.
///
/// transformers takes what is nested in `processor_config.json` before `preprocessor_config.json`, too.
const NAMES: [(&str, Meant); 5] = [
    ("processor_config.json", Meant::IfKnown),
    ("preprocessor_config.json", Meant::Always),
    ("preprocess_cfg.json", Meant::Always),
    ("open_clip_config.json", Meant::IfKnown),
    ("config.json", Meant::IfKnown),
];

/// Whether the name alone makes a file a configuration of pictures.
#[derive(Clone, Copy, PartialEq)]
enum Meant {
    /// It does; one that cannot be followed is an error.
    Always,
    /// Only with contents that are one: such files exist without a word on pictures.
    IfKnown,
}

/// Everything near `model` that concerns its pictures.
pub fn beside(model: &Path) -> Beside {
    let mut found = Beside::default();
    for (folder, place) in places(model) {
        for (name, meant) in NAMES {
            let path = folder.join(name);
            if path.is_file()
                && (meant == Meant::Always || json(&path).is_some_and(|fields| kind_of(&fields).is_some()))
            {
                found.configs.push(Nearby { path, place });
            }
        }
        let is_config = |path: &PathBuf| found.configs.iter().any(|config| config.path == *path);
        let others: Vec<PathBuf> = others(&folder).into_iter().filter(|path| !is_config(path)).collect();
        found.others.extend(others.into_iter().map(|path| Nearby { path, place }));
    }
    found
}

/// The folders that are looked at, in order, each once.
fn places(model: &Path) -> Vec<(PathBuf, &'static str)> {
    let mut found: Vec<(PathBuf, &'static str)> = Vec::new();
    let mut seen = Vec::new();
    let mut add = |folder: PathBuf, place| {
        let real = fs::canonicalize(or_here(&folder)).unwrap_or_else(|_| folder.clone());
        if !seen.contains(&real) {
            seen.push(real);
            found.push((folder, place));
        }
    };
    let mut file = model.to_path_buf();
    let mut here = ["beside the model", "above its folder onnx"];
    // A chain of links that is longer than this is a circle to the system, too.
    for _ in 0..40 {
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        add(folder.clone(), here[0]);
        if let Some(above) = above_onnx(&folder) {
            add(above, here[1]);
        }
        let Ok(target) = fs::read_link(&file) else { break };
        file = folder.join(target);
        here = ["beside the file that the link to the model leads to", "above the folder onnx that the link leads to"];
    }
    found
}

fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// The folder above one whose real name is `onnx`, written as it would be by hand where that is the same place.
fn above_onnx(folder: &Path) -> Option<PathBuf> {
    let real = fs::canonicalize(or_here(folder)).ok()?;
    if real.file_name()? != "onnx" {
        return None;
    }
    let real_above = real.parent()?;
    let written = folder.parent().filter(|_| folder.file_name().is_some());
    let is_same = |above: &&Path| fs::canonicalize(or_here(above)).is_ok_and(|above| above == real_above);
    Some(written.filter(is_same).map_or_else(|| folder.join(".."), Path::to_path_buf))
}

/// The JSON object in a file that is small enough to be a configuration.
fn json(path: &Path) -> Option<Map<String, Value>> {
    let small = fs::metadata(path).is_ok_and(|facts| facts.is_file() && facts.len() <= MOST_BYTES);
    let text = small.then(|| fs::read_to_string(path).ok()).flatten()?;
    match serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()? {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// Files that look like preprocessing by name or by what stands in them, configurations among them, sorted.
fn others(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(or_here(folder)).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| {
            let name = entry.file_name().to_str()?.to_ascii_lowercase();
            let path = folder.join(entry.file_name());
            let (_, extension) = name.rsplit_once('.')?;
            let looks_like = match extension {
                // A sidecar of ours tells how an output was made, not how pictures are to be.
                "json" => match json(&path) {
                    Some(fields) => !cli::is_sidecar(&fields) && (by_name(&name) || normalizes(&fields, 1)),
                    None => by_name(&name),
                },
                "yaml" | "yml" | "toml" | "pbtxt" => by_name(&name),
                _ => false,
            };
            (looks_like && path.is_file()).then_some(path)
        })
        .collect();
    found.sort();
    found
}

fn by_name(name: &str) -> bool {
    let word = |word: &str| name.contains(word);
    // A transformer is a network, a transform is not.
    let transform = name.match_indices("transform").any(|(at, word)| !name[at + word.len()..].starts_with("er"));
    word("preproc") || word("image_processor") || word("imageprocessor") || transform || word("normaliz")
}

/// Whether an object, or one nested in it, holds a mean and a standard deviation of colours.
fn normalizes(fields: &Map<String, Value>, depth: usize) -> bool {
    const PAIRS: [[&str; 2]; 6] = [
        ["mean", "std"],
        ["image_mean", "image_std"],
        ["pixel_mean", "pixel_std"],
        ["norm_mean", "norm_std"],
        ["input_mean", "input_std"],
        ["img_mean", "img_std"],
    ];
    let is_colours = |value: &Value| match value {
        Value::Array(values) => matches!(values.len(), 1 | 3) && values.iter().all(Value::is_number),
        _ => value.is_number(),
    };
    let has = |key: &&str| fields.get(*key).is_some_and(is_colours);
    let nested = || fields.values().filter_map(Value::as_object).any(|inner| normalizes(inner, depth - 1));
    PAIRS.iter().any(|pair| pair.iter().all(has)) || (depth > 0 && nested())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const TIMM: &str = r#"{"architecture": "a", "pretrained_cfg": {"input_size": [3, 8, 8]}}"#;
    const CLIP: &str = r#"{"size": 8, "mean": [0, 0, 0], "std": [1, 1, 1]}"#;

    fn paths(found: &[Nearby]) -> Vec<&Path> {
        found.iter().map(|nearby| nearby.path.as_path()).collect()
    }

    #[test]
    fn a_file_counts_beside_the_model_or_above_a_folder_named_onnx() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in ["repo/onnx", "weights"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        let model = at("repo/onnx/model.onnx");
        assert_eq!(beside(&model), Beside::default());
        fs::write(at("repo/config.json"), r#"{"model_type": "vit"}"#).unwrap();
        fs::write(at("repo/processor_config.json"), r#"{"processor_class": "CLIPProcessor"}"#).unwrap();
        assert_eq!(beside(&model), Beside::default());
        fs::write(at("repo/config.json"), TIMM).unwrap();
        assert_eq!(paths(&beside(&model).configs), [at("repo/config.json")]);
        assert_eq!(beside(&at("weights/model.onnx")), Beside::default());
        fs::write(at("repo/preprocessor_config.json"), "{}").unwrap();
        fs::write(at("repo/onnx/preprocess_cfg.json"), CLIP).unwrap();
        let found = beside(&model);
        let expected = ["repo/onnx/preprocess_cfg.json", "repo/preprocessor_config.json", "repo/config.json"].map(at);
        assert_eq!(paths(&found.configs), expected);
        assert_eq!(found.configs[1].place, "above its folder onnx");
    }

    /// A cache: the link's folder counts, the blob's is empty; and a link that somebody made to a file in a folder.
    #[test]
    fn links_lie_where_they_are_and_lead_on() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in ["snapshots/x/onnx", "blobs", "repo/onnx", "mine"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::write(at("blobs/1"), "").unwrap();
        fs::write(at("blobs/2"), CLIP).unwrap();
        symlink("../../../blobs/1", at("snapshots/x/onnx/model.onnx")).unwrap();
        symlink("../../blobs/2", at("snapshots/x/preprocess_cfg.json")).unwrap();
        let cached = beside(&at("snapshots/x/onnx/model.onnx"));
        assert_eq!(paths(&cached.configs), [at("snapshots/x/preprocess_cfg.json")]);
        fs::write(at("repo/preprocess_cfg.json"), CLIP).unwrap();
        symlink("../repo/onnx/model.onnx", at("mine/m.onnx")).unwrap();
        let led = beside(&at("mine/m.onnx"));
        assert!(led.configs[0].place.contains("that the link leads to"), "{led:?}");
        assert_eq!(led.configs.len(), 1);
        // The folder of the name onnx is a link to one of another name, and the other way round.
        symlink("mine", at("onnx")).unwrap();
        fs::write(at("preprocess_cfg.json"), CLIP).unwrap();
        assert_eq!(beside(&at("onnx/other.onnx")), Beside::default());
        symlink("repo/onnx", at("away")).unwrap();
        let real = beside(&at("away/model.onnx"));
        assert_eq!(paths(&real.configs), [at("away/../preprocess_cfg.json")]);
        symlink("b.onnx", at("mine/a.onnx")).unwrap();
        symlink("a.onnx", at("mine/b.onnx")).unwrap();
        assert_eq!(beside(&at("mine/a.onnx")), Beside::default());
    }

    #[test]
    fn what_looks_like_preprocessing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("data.json", r#"{"data": {"mean": [0.5, 0.5, 0.5], "std": 0.5}}"#);
        write("Preprocess.yaml", "mean: 3");
        write("val_transforms.json", "[]");
        write("transformer.json", "{}");
        write("tokenizer.json", r#"{"mean": "x", "std": "y"}"#);
        write("config.json", r#"{"mean": [1, 2, 3], "std": [1, 2, 3], "size": 3}"#);
        write("results.json", r#"{"mean": [1, 2], "std": [1, 2]}"#);
        let names =
            ["Preprocess.yaml", "config.json", "data.json", "val_transforms.json"].map(|name| dir.path().join(name));
        assert_eq!(paths(&beside(&dir.path().join("m.onnx")).others), names);
    }
}
