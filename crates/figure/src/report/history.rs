//! How the files of a folder were made: their records, those of one step together, and what came from what.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::folder::Record;

/// Steps, and the arrows between them.
pub(super) struct History<'a> {
    pub(super) steps: Vec<Step<'a>>,
    /// From step to step.
    pub(super) arrows: BTreeSet<(usize, usize)>,
}

/// Files that one command made in one folder, once or many times; or files that none of the records made.
pub(super) struct Step<'a> {
    /// `rsa rdm`; empty of files that were given.
    pub(super) command: String,
    /// Folder of the files, with a / behind it.
    pub(super) folder: String,
    pub(super) files: Vec<String>,
    pub(super) records: Vec<&'a Record>,
    /// Steps that must be before it; 0 of files that were given.
    pub(super) depth: usize,
}

/// More boxes than this cannot be read.
const MOST_STEPS: usize = 40;

/// Tools whose first argument is no verb.
const WITHOUT_VERBS: [&str; 2] = ["ann-acts", "select-units"];

/// `rsa rdm`: the tool, and its verb where it has some.
pub(super) fn command_of(record: &Record) -> String {
    let tool = record.json["tool"].as_str().unwrap_or_default();
    match arguments(record).first() {
        Some(verb) if !WITHOUT_VERBS.contains(&tool) && !verb.starts_with('-') => format!("{tool} {verb}"),
        _ => tool.to_owned(),
    }
}

pub(super) fn arguments(record: &Record) -> Vec<&str> {
    record.json["arguments"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Names of inputs, and their SHA-256 where it is known.
pub(super) fn inputs(record: &Record) -> Vec<(&str, Option<&str>)> {
    let all = record.json["inputs"].as_array().into_iter().flatten();
    all.filter_map(|input| Some((input["name"].as_str()?, input["sha256"].as_str()))).collect()
}

/// The folder of a path, with a / behind it; empty where it has none.
fn folder_of(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..=at])
}

/// The deepest folder that all of these are in, with a / behind it.
fn shared_folder(files: &[String]) -> String {
    let Some(first) = files.first() else { return String::new() };
    let mut folder = folder_of(first);
    while !files.iter().all(|file| file.starts_with(folder)) {
        folder = folder_of(folder.trim_end_matches('/'));
    }
    folder.to_owned()
}

impl<'a> History<'a> {
    pub(super) fn of(records: &'a [Record]) -> History<'a> {
        let by_folder = History::grouped(records, true);
        if by_folder.steps.len() <= MOST_STEPS { by_folder } else { History::grouped(records, false) }
    }

    fn grouped(records: &'a [Record], by_folder: bool) -> History<'a> {
        let place = |path: &str| if by_folder { folder_of(path).to_owned() } else { String::new() };
        let made: HashMap<&str, usize> =
            records.iter().enumerate().filter_map(|(k, r)| Some((r.json["output_sha256"].as_str()?, k))).collect();
        let mut steps: Vec<Step> = Vec::new();
        let mut numbers: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut step_of = |command: String, folder: String, steps: &mut Vec<Step<'a>>| {
            *numbers.entry((command.clone(), folder.clone())).or_insert_with(|| {
                steps.push(Step { command, folder, files: Vec::new(), records: Vec::new(), depth: 0 });
                steps.len() - 1
            })
        };
        let mut step_of_record = Vec::with_capacity(records.len());
        for record in records {
            let step = step_of(command_of(record), place(&record.output), &mut steps);
            steps[step].files.push(record.output.clone());
            steps[step].records.push(record);
            step_of_record.push(step);
        }
        let mut arrows = BTreeSet::new();
        // What none of the records made, by the steps that read it: those of one use are one box.
        let mut given: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for (record, &to) in records.iter().zip(&step_of_record) {
            for (name, digest) in inputs(record) {
                match digest.and_then(|digest| made.get(digest)) {
                    // A file and its copy have one digest: a step is not its own source.
                    Some(&of) if step_of_record[of] == to => {}
                    Some(&of) => drop(arrows.insert((step_of_record[of], to))),
                    // What came through a pipe has no name to show.
                    None if name == "stdin" || name.starts_with("/dev/") => {}
                    None => drop(given.entry(name).or_default().insert(to)),
                }
            }
        }
        let mut by_use: BTreeMap<BTreeSet<usize>, Vec<String>> = BTreeMap::new();
        for (name, readers) in given {
            by_use.entry(readers).or_default().push(name.to_owned());
        }
        for (readers, files) in by_use {
            arrows.extend(readers.into_iter().map(|to| (steps.len(), to)));
            let folder = shared_folder(&files);
            steps.push(Step { command: String::new(), folder, files, records: Vec::new(), depth: 0 });
        }
        // As deep as the longest way to it; grouping can close a ring, which is not followed for ever.
        for _ in 0..steps.len() {
            let mut moved = false;
            for &(from, to) in &arrows {
                let depth = (steps[from].depth + 1).min(steps.len());
                moved |= steps[to].depth < depth && !arrows.contains(&(to, from));
                if !arrows.contains(&(to, from)) {
                    steps[to].depth = steps[to].depth.max(depth);
                }
            }
            if !moved {
                break;
            }
        }
        History { steps, arrows }
    }

    /// What the tools warned of, with the files that it is about; in the order of the files.
    pub(super) fn warnings(&self) -> Vec<(String, Vec<&str>)> {
        let mut found: Vec<(String, Vec<&str>)> = Vec::new();
        for record in self.steps.iter().flat_map(|step| &step.records) {
            for warning in record.json["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let text = format!("{}: {warning}", command_of(record));
                match found.iter_mut().find(|(known, _)| *known == text) {
                    Some((_, files)) => files.push(&record.output),
                    None => found.push((text, vec![&record.output])),
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(output: &str, tool: &str, verb: &str, digest: &str, inputs: &[(&str, &str)]) -> Record {
        let inputs: Vec<Value> = inputs.iter().map(|(name, sha)| json!({ "name": name, "sha256": sha })).collect();
        let json = json!({ "tool": tool, "arguments": [verb], "output_sha256": digest, "inputs": inputs });
        Record { output: output.into(), json }
    }

    #[test]
    fn files_of_one_command_are_one_step_and_arrows_follow_digests() {
        let records = [
            record("rdm/a.npy", "rsa", "rdm", "1", &[("/data/acts.npy", "x")]),
            record("rdm/b.npy", "rsa", "rdm", "2", &[("/data/more.npy", "y")]),
            record("scores.csv", "rsa", "compare", "3", &[("elsewhere/a.npy", "1"), ("stdin", "2")]),
            record("scores.svg", "figure", "scores", "4", &[("scores.csv", "3")]),
        ];
        let history = History::of(&records);
        let step = |command: &str| history.steps.iter().position(|step| step.command == command).unwrap();
        let (rdm, compare, figure, given) = (step("rsa rdm"), step("rsa compare"), step("figure scores"), step(""));
        assert_eq!(history.steps.len(), 4);
        assert_eq!(history.steps[rdm].files, ["rdm/a.npy", "rdm/b.npy"]);
        assert_eq!(history.steps[given].files, ["/data/acts.npy", "/data/more.npy"]);
        assert_eq!(history.arrows, BTreeSet::from([(given, rdm), (rdm, compare), (compare, figure)]));
        let depths = [given, rdm, compare, figure].map(|step| history.steps[step].depth);
        assert_eq!(depths, [0, 1, 2, 3]);
    }
}
