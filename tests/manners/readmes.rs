//! Every command block of every README runs, and the output that it shows is compared with what comes out.
//!
//! The convention, for whoever writes a README:
//! - A block of `sh` runs in bash (`-e`, `pipefail`), in a folder with the made-up study of `made_up.rs`; the blocks of
//!   one README run one after the other in the same folder. `python` runs in the Python of `make setup`. `make` becomes
//!   the Makefile there.
//! - A block of `text` straight behind one is what it prints on stdout. A last line `...` says that more lines follow.
//!   Words have to be the same; numbers may differ by what another processor's rounding does to them.
//!   What a block exports holds in the later ones, as in a reader's shell.
//! - `<!-- not run: REASON -->` above a block leaves it out. The test prints these, and there may be few.
//! - The section "A tour" of the main README runs in a folder with `build/` and `scripts/`, once `make setup` made the
//!   demo's data.
//!
//! `README_UPDATE=1 cargo test ... readmes` writes what came out into the READMEs.

use crate::made_up;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::*;

/// Relative difference of a number that is no difference: sums of f4 in another order.
const ROUNDING: f64 = 1e-6;
/// The same where a network computes: ONNX Runtime's kernels are chosen by the processor.
const ROUNDING_OF_A_NETWORK: f64 = 1e-3;
/// Blocks that no test can run: installation, a package that set-up does not bring, minutes of work.
const MOST_NOT_RUN: usize = 16;
/// `head` that reads to the end: under `pipefail` a program that writes into a closed pipe, as `cut`, would fail the
/// block.
const HEAD: &str = "head() { command head \"$@\"; cat > /dev/null; }\n";
const TOUR: &str = "## A tour";

/// One fenced block of a README that is a command, with what it shows of its output.
struct Block {
    language: String,
    text: String,
    /// Index of its first line, counted from 1 as editors do.
    line: usize,
    section: String,
    not_run: Option<String>,
    /// First line (index) and text of the `text` block straight behind it.
    shown: Option<(usize, String)>,
}

/// All READMEs, by their path in the repository.
fn all_readmes() -> Vec<String> {
    let mut found: Vec<String> =
        ["README.md", "scripts/README.md", "crates/README.md", "crates/CHANGELOG.md"].map(Into::into).into();
    for folder in fs::read_dir(root().join("crates")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).into_iter().flatten() {
            let path = file.unwrap().path();
            // What needs torch has a test of its own, tests/ann_acts/from_pytorch.rs.
            if path.ends_with("README.md") || path.ends_with("from-fmriprep.md") {
                found.push(path.strip_prefix(root()).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

fn blocks(text: &str) -> Vec<Block> {
    let lines: Vec<&str> = text.lines().collect();
    let mut blocks: Vec<Block> = Vec::new();
    let (mut section, mut not_run) = (String::new(), None);
    let (mut k, mut last_end) = (0, usize::MAX);
    while k < lines.len() {
        let line = lines[k];
        if line.starts_with("## ") {
            section = line.into();
        } else if let Some(reason) = line.strip_prefix("<!-- not run: ") {
            not_run = Some(reason.trim_end_matches("-->").trim().into());
        } else if let Some(language) = line.strip_prefix("```") {
            let length = lines[k + 1..].iter().position(|l| *l == "```").expect("a fence without an end");
            let inside: String = lines[k + 1..k + 1 + length].iter().map(|l| format!("{l}\n")).collect();
            match language {
                "sh" | "python" | "make" => {
                    let (language, section) = (language.into(), section.clone());
                    let not_run = not_run.take();
                    blocks.push(Block { language, text: inside, line: k + 2, section, not_run, shown: None });
                    last_end = k + length + 1;
                }
                "text" if last_end < k && lines[last_end + 1..k].iter().all(|l| l.is_empty()) => {
                    blocks.last_mut().unwrap().shown = Some((k + 1, inside));
                }
                "text" => {}
                other => panic!("a block in {other:?} on line {}: say sh, python, make or text", k + 1),
            }
            k += length + 1;
        }
        k += 1;
    }
    blocks
}

/// Runs one block, `exports` before it, and gives what it wrote to stdout.
fn outcome(block: &Block, exports: &str, dir: &Path) -> Result<String, String> {
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{}:{path}", dir.join(".bin").display(), bin_dir().display());
    let mut text = block.text.clone();
    let mut command = match block.language.as_str() {
        "make" => {
            fs::write(dir.join("Makefile"), &block.text).unwrap();
            return Ok(String::new());
        }
        "python" => Command::new(root().join("build/venv/bin/python")),
        _ => Command::new("bash"),
    };
    if block.language == "sh" {
        command.args(["-e", "-o", "pipefail"]);
        text = format!("{HEAD}{exports}{text}");
    }
    let out = command
        .args(["-c", &text])
        .current_dir(dir)
        .env("PATH", path)
        .env("ORT_DYLIB_PATH", onnxruntime())
        .env_remove("SLURM_CPUS_PER_TASK")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if out.status.success() {
        Ok(String::from_utf8(out.stdout).unwrap())
    } else {
        Err(format!("{}\n{}", out.status, String::from_utf8_lossy(&out.stderr)))
    }
}

/// Whether two lines have the same words, and numbers that differ by no more than `tolerance` of the larger one.
fn same_line(shown: &str, found: &str, tolerance: f64) -> bool {
    let pieces = |line: &str| -> Vec<String> {
        line.split(|c: char| c.is_whitespace() || ",:=()[]".contains(c)).map(String::from).collect()
    };
    let (shown, found) = (pieces(shown), pieces(found));
    let same = |a: &String, b: &String| match (a.parse::<f64>(), b.parse::<f64>()) {
        _ if a == b => true,
        (Ok(a), Ok(b)) => (a - b).abs() <= tolerance * a.abs().max(b.abs()),
        _ => false,
    };
    shown.len() == found.len() && shown.iter().zip(&found).all(|(a, b)| same(a, b))
}

/// What differs between the output shown and the output found, if anything.
fn difference(shown: &str, found: &str, tolerance: f64) -> Option<String> {
    let (more, shown) = match shown.strip_suffix("...\n") {
        Some(head) => (true, head),
        None => (false, shown),
    };
    let found_lines: Vec<&str> = found.lines().collect();
    let n = shown.lines().count();
    if if more { found_lines.len() <= n } else { found_lines.len() != n } {
        return Some(format!("{n} lines are shown, {} came out:\n{found}", found_lines.len()));
    }
    let mut pairs = shown.lines().zip(found_lines);
    pairs.find(|(a, b)| !same_line(a, b, tolerance)).map(|(a, b)| format!("shown: {a}\nfound: {b}"))
}

/// A folder for the section's commands, or `None` where the demo's data are not there.
fn workplace(section: &str) -> Option<tempfile::TempDir> {
    let dir = tempfile::tempdir().unwrap();
    if section != TOUR {
        made_up::study(dir.path());
    } else if root().join("build/stimuli/emoji/stimuli.csv").exists() {
        for folder in ["build", "scripts"] {
            std::os::unix::fs::symlink(root().join(folder), dir.path().join(folder)).unwrap();
        }
    } else {
        return None;
    }
    Some(dir)
}

fn check(readme: &str) -> Vec<String> {
    let path = root().join(readme);
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let mut wrong = Vec::new();
    let (mut place, mut of_tour, mut exports) = (None, false, String::new());
    // What is put into the file, from its end, so that line numbers stay right.
    let mut updates = Vec::new();
    for block in blocks(&text) {
        let at = format!("{readme}:{}", block.line);
        if let Some(reason) = &block.not_run {
            println!("not run: {at}: {reason}");
            continue;
        }
        let is_tour = block.section == TOUR;
        if place.is_none() || is_tour != of_tour {
            (place, of_tour) = (Some(workplace(&block.section)), is_tour);
            if let Some(None) = &place {
                skipped(&format!("{at}: the demo's data are absent (make setup)"));
            }
        }
        let Some(Some(dir)) = &place else { continue };
        if block.language == "python" && !root().join("build/venv/bin/python").exists() {
            skipped(&format!("{at}: build/venv is absent (make setup)"));
            continue;
        }
        let tolerance = if is_tour { ROUNDING_OF_A_NETWORK } else { ROUNDING };
        match (outcome(&block, &exports, dir.path()), &block.shown) {
            (Err(why), _) => wrong.push(format!("{at}: {why}")),
            (Ok(found), Some((first, shown))) => {
                if let Some(why) = difference(shown, &found, tolerance) {
                    wrong.push(format!("{at}: {why}"));
                }
                let n = shown.lines().count();
                let mut new: Vec<String> = found.lines().map(String::from).collect();
                if shown.ends_with("...\n") && new.len() >= n {
                    new.truncate(n - 1);
                    new.push("...".into());
                }
                updates.push((*first, n, new));
            }
            (Ok(_), None) => {}
        }
        exports.extend(block.text.lines().filter(|l| l.starts_with("export ")).map(|l| format!("{l}\n")));
    }
    if std::env::var_os("README_UPDATE").is_some() {
        for (first, n, new) in updates.into_iter().rev() {
            lines.splice(first..first + n, new);
        }
        fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    wrong
}

#[track_caller]
fn check_all(readmes: &[String]) {
    let wrong: Vec<String> = readmes.iter().flat_map(|readme| check(readme)).collect();
    assert!(wrong.is_empty(), "{} blocks:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn the_main_readme_runs() {
    check_all(&["README.md".into()]);
}

#[test]
fn every_other_readme_runs() {
    let others: Vec<String> = all_readmes().into_iter().filter(|r| r != "README.md").collect();
    check_all(&others);
}

#[test]
fn readmes_are_short_enough_and_leave_out_few_blocks() {
    let mut not_run = 0;
    for readme in all_readmes() {
        let text = fs::read_to_string(root().join(&readme)).unwrap();
        not_run += blocks(&text).iter().filter(|b| b.not_run.is_some()).count();
        for (i, line) in text.lines().enumerate() {
            // The lists of scripts and of times are tables, and Markdown has one line for a row.
            let free = line.starts_with('|') && readme.starts_with("scripts/");
            assert!(free || line.chars().count() <= 120, "{readme}:{}: more than 120 characters", i + 1);
        }
        assert!(readme != "README.md" || text.lines().count() <= 150, "README.md: {} lines", text.lines().count());
    }
    assert!(not_run <= MOST_NOT_RUN, "{not_run} blocks of the READMEs are not run");
}

#[test]
fn links_between_readmes_lead_somewhere() {
    for readme in all_readmes() {
        let text = fs::read_to_string(root().join(&readme)).unwrap();
        let folder: PathBuf = root().join(&readme).parent().unwrap().into();
        for link in text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap()) {
            assert!(link.contains("://") || folder.join(link).exists(), "{readme}: a link to {link}");
        }
    }
}
