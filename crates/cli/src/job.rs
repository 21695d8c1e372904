//! One run of a tool: its options, its voice, its inputs and the record of them.

use crate::{Input, Opened, OutputPath, memory, standard_streams, threads};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

/// Options that every verb of every tool has.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Common {
    /// Write here instead of stdout: whole or not at all, with a JSON sidecar (same stem) of how it was made
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<OutputPath>,
    /// Threads to compute with, at most the cores this task may use [default: SLURM_CPUS_PER_TASK, else all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// No notes and no progress on stderr; errors and warnings still come
    #[arg(short, long)]
    pub quiet: bool,
}

/// One run: opens inputs, speaks, and keeps the provenance for the sidecar.
pub struct Job {
    tool: &'static str,
    quiet: bool,
    provenance: bool,
    n_threads: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stdin_taken: bool,
    inputs: Vec<Record>,
    facts: Map<String, Value>,
}

struct Record {
    name: String,
    /// Of stdin; `None` where nobody asked for provenance, so that what was not hashed has no digest instead of a false one.
    digest: Option<Arc<Mutex<Sha256>>>,
    /// Files are hashed when the sidecar is written; stdin as it streams past.
    path: Option<PathBuf>,
    /// A file's digest once it is known: a tool that writes many sidecars reads its inputs once.
    known: OnceLock<String>,
}

impl Record {
    fn sha256(&self) -> Result<Option<String>> {
        let Some(path) = &self.path else {
            return Ok(self.digest.as_ref().map(|digest| {
                let digest = digest.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                hex(&digest.clone().finalize())
            }));
        };
        if let Some(known) = self.known.get() {
            return Ok(Some(known.clone()));
        }
        let mut file = File::open(path).with_context(|| path.display().to_string())?;
        let mut digest = Sha256::new();
        io::copy(&mut file, &mut digest).with_context(|| path.display().to_string())?;
        Ok(Some(self.known.get_or_init(|| hex(&digest.finalize())).clone()))
    }
}

impl Job {
    /// Starts a run and sets the number of threads.
    pub fn start(tool: &'static str, common: &Common) -> Result<Job> {
        let threads = threads::wanted(common.threads)?;
        threads::start(threads.n)?;
        let (quiet, provenance) = (common.quiet, common.output.is_some());
        let job = Job { tool, quiet, provenance, n_threads: threads.n, state: Mutex::default() };
        threads.note.iter().for_each(|note| job.note(note));
        Ok(job)
    }

    /// Number of threads to compute with.
    pub fn n_threads(&self) -> usize {
        self.n_threads
    }

    /// Hash inputs although there is no `-o` (tools with several output files).
    pub fn with_provenance(mut self) -> Job {
        self.provenance = true;
        self
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic elsewhere does not make the record wrong.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A line on stderr, `tool: text`; silent under `--quiet`.
    pub fn note(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{}: {text}", self.tool);
        }
    }

    /// A line on stderr that `--quiet` does not silence: a number that the reader must know of.
    pub fn warn(&self, text: impl std::fmt::Display) {
        let _ = writeln!(io::stderr(), "{}: warning: {text}", self.tool);
    }

    /// Puts a fact into the sidecar (seed, preprocessing, device ...).
    pub fn record(&self, key: &str, value: impl Into<Value>) {
        self.state().facts.insert(key.into(), value.into());
    }

    /// Opens an input. Stdin is refused when it is a terminal and when it has been taken already.
    pub fn open(&self, input: &Input) -> Result<Opened> {
        memory::opened(&input.to_string());
        let mut digest = None;
        let opened = match input {
            Input::Stdin => {
                if std::mem::replace(&mut self.state().stdin_taken, true) {
                    bail!("stdin: asked for twice; at most one input may be -");
                }
                standard_streams::require_stdin()?;
                if io::stdin().is_terminal() {
                    bail!("stdin: is a terminal; give a file, or pipe one in");
                }
                let stdin = io::stdin();
                Opened::Pipe(match self.provenance {
                    true => {
                        let hashed = digest.insert(Arc::new(Mutex::new(Sha256::new()))).clone();
                        Box::new(Hashing { inner: stdin, digest: hashed })
                    }
                    false => Box::new(stdin),
                })
            }
            Input::File(path) => {
                let file = File::open(path).with_context(|| path.display().to_string())?;
                if file.metadata().is_ok_and(|m| m.is_dir()) {
                    bail!("{}: is a folder; expected a file", path.display());
                }
                Opened::File(file)
            }
        };
        let path = input.path().map(Path::to_path_buf);
        self.state().inputs.push(Record { name: input.to_string(), digest, path, known: OnceLock::new() });
        Ok(opened)
    }

    /// The sidecar: what made this output, from what.
    pub(crate) fn provenance(&self, output: &str) -> Result<Value> {
        let arguments: Vec<String> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
        let mut sidecar = Map::new();
        sidecar.insert("output".into(), output.into());
        sidecar.insert("arguments".into(), arguments.into());
        sidecar.extend(self.identity()?);
        Ok(Value::Object(sidecar))
    }

    /// The SHA-256 of a file that was opened, as sidecars have it; `None` for stdin, and where no such input was opened.
    pub fn sha256(&self, input: &Input) -> Result<Option<String>> {
        let (state, path) = (self.state(), input.path());
        let record = state.inputs.iter().find(|record| path.is_some() && record.path.as_deref() == path);
        Ok(record.map(Record::sha256).transpose()?.flatten())
    }

    /// What decides the numbers: tool, version, inputs with their SHA-256, and the facts recorded so far.
    pub fn identity(&self) -> Result<Map<String, Value>> {
        let state = self.state();
        let mut inputs: Vec<Value> = Vec::new();
        for record in &state.inputs {
            let sha256 = record.sha256()?;
            let entry = json!({ "name": record.name, "sha256": sha256 });
            if !inputs.contains(&entry) {
                inputs.push(entry);
            }
        }
        let mut identity = Map::new();
        identity.insert("tool".into(), self.tool.into());
        identity.insert("version".into(), env!("CARGO_PKG_VERSION").into());
        identity.insert("inputs".into(), inputs.into());
        identity.extend(state.facts.clone());
        Ok(identity)
    }

    /// A progress bar on stderr when that is a terminal and `--quiet` is not given; otherwise nothing.
    pub fn progress(&self, total: usize, unit: &str) -> Progress {
        if self.quiet || !io::stderr().is_terminal() {
            return Progress(indicatif::ProgressBar::hidden());
        }
        let bar = indicatif::ProgressBar::new(total as u64);
        let template = format!("{}: {{pos}}/{{len}} {unit} [{{bar:30}}] {{per_sec}} eta {{eta}}", self.tool);
        if let Ok(style) = indicatif::ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Progress(bar)
    }
}

/// Long work on its way; disappears when dropped.
pub struct Progress(indicatif::ProgressBar);

impl Progress {
    /// So much more is done.
    pub fn advance(&self, by: usize) {
        self.0.inc(by as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

struct Hashing<R> {
    inner: R,
    digest: Arc<Mutex<Sha256>>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.digest.lock().unwrap_or_else(std::sync::PoisonError::into_inner).update(&buf[..n]);
        Ok(n)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
