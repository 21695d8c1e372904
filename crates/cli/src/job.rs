//! One run of a tool: its options, its voice, its inputs and the record of them.

use crate::claims::{is_one_file, of_command_line};
use crate::sidecar::{DEPENDENT_TRIALS, dependent_trials_of, hex, record_of, sha256};
use crate::{Input, Opened, OutputPath, memory, standard_streams, threads};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fs::{File, Metadata};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Options that every verb of every tool has.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Common {
    /// Write to FILE instead of stdout; it appears whole or not at all, and a .json beside it says how it was made
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
    stdout_taken: bool,
    outputs: Vec<PathBuf>,
    inputs: Vec<Record>,
    facts: Map<String, Value>,
    warnings: Vec<String>,
}

struct Record {
    name: String,
    /// Of what cannot be read again (stdin, a pipe with a name); `None` where nobody asked for provenance, so that what
    /// was not hashed has no digest instead of a false one.
    digest: Option<Arc<Mutex<Sha256>>>,
    /// A file is hashed when the sidecar is written, if it is still what it was when it was opened.
    file: Option<(PathBuf, Stamp)>,
    /// A file's digest once it is known: a tool that writes many sidecars reads its inputs once.
    known: OnceLock<String>,
}

/// What changes when a file is written to or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Stamp {
        let changed = (file.mtime(), file.mtime_nsec());
        Stamp { device: file.dev(), inode: file.ino(), size: file.len(), changed }
    }
}

impl Record {
    fn sha256(&self) -> Result<Option<String>> {
        let Some((path, _)) = &self.file else {
            return Ok(self.digest.as_ref().map(|digest| {
                let digest = digest.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                hex(&digest.clone().finalize())
            }));
        };
        if let Some(known) = self.known.get() {
            return Ok(Some(known.clone()));
        }
        self.require_unchanged()?;
        let (digest, _) =
            sha256(File::open(path).with_context(|| self.name.clone())?).with_context(|| self.name.clone())?;
        self.require_unchanged()?;
        Ok(Some(self.known.get_or_init(|| digest).clone()))
    }

    /// An error where the file is not what it was when it was opened: what was computed and what the sidecar would
    /// speak of are two things.
    fn require_unchanged(&self) -> Result<()> {
        let Some((path, stamp)) = &self.file else { return Ok(()) };
        match path.metadata() {
            Ok(now) if Stamp::of(&now) == *stamp => Ok(()),
            Ok(now) => bail!(
                "{}: changed while it was in use ({} bytes when it was opened, {} bytes now); nothing is kept: run again \
                 when it is complete",
                self.name,
                stamp.size,
                now.len()
            ),
            Err(error) => Err(error).with_context(|| format!("{}: was there when it was opened", self.name)),
        }
    }
}

/// Makes the digests of several files known, one thread to a file. What goes wrong with one is said by whoever asks for
/// its digest next.
///
/// With threads of its own: whoever waits in a pool may be given other work there, which may want the state of the job.
fn hash_files(records: &[Record], n_threads: usize) {
    let next = AtomicUsize::new(0);
    let hash_some = || {
        while let Some(record) = records.get(next.fetch_add(1, Ordering::Relaxed)) {
            let _ = record.sha256();
        }
    };
    let n_files = records.iter().filter(|record| record.file.is_some() && record.known.get().is_none()).count();
    if n_files < 2 {
        return;
    }
    std::thread::scope(|scope| {
        for _ in 1..n_threads.min(n_files) {
            // Where there is no thread to be had, those that there are do it.
            if std::thread::Builder::new().spawn_scoped(scope, hash_some).is_err() {
                break;
            }
        }
        hash_some();
    });
}

impl Job {
    /// Starts a run and sets the number of threads.
    pub fn start(tool: &'static str, common: &Common) -> Result<Job> {
        let threads = threads::wanted(common.threads)?;
        threads::start(threads.n)?;
        let (quiet, provenance) = (common.quiet, common.output.is_some() || of_command_line().has_file());
        let job = Job { tool, quiet, provenance, n_threads: threads.n, state: Mutex::default() };
        threads.note.iter().for_each(|note| job.note(note));
        Ok(job)
    }

    /// Number of threads to compute with.
    pub fn n_threads(&self) -> usize {
        self.n_threads
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
    /// Sidecars that are written behind it have it too.
    pub fn warn(&self, text: impl std::fmt::Display) {
        let _ = writeln!(io::stderr(), "{}: warning: {text}", self.tool);
        self.state().warnings.push(text.to_string());
    }

    /// Warns of every one of these files whose record says that its trials are not independent ([`DEPENDENT_TRIALS`]),
    /// and what follows from it; a pipe brings no record.
    pub fn warn_of_dependent_trials<'a>(&self, inputs: impl IntoIterator<Item = &'a Input>, so: &str) {
        for input in inputs {
            if let Some(why) = input.path().and_then(dependent_trials_of) {
                self.warn(format!(
                    "{input}: its trials are not independent ({why}), so that {so}; take betas whose runs were fitted by \
                     themselves (fmri-roi glm --betas lsa or lss)"
                ));
            }
        }
    }

    /// Puts a fact into the sidecar (seed, preprocessing, device ...).
    pub fn record(&self, key: &str, value: impl Into<Value>) {
        self.state().facts.insert(key.into(), value.into());
    }

    /// Takes a fact back: outputs that are committed from here on do not have it.
    pub fn forget(&self, key: &str) {
        self.state().facts.remove(key);
    }

    /// Opens an input. Stdin is refused when it is a terminal and when it has been taken already.
    pub fn open(&self, input: &Input) -> Result<Opened> {
        memory::opened(&input.to_string());
        let (mut digest, mut file) = (None, None);
        let mut hashing = |inner: Box<dyn Read + Send>| -> Box<dyn Read + Send> {
            if !self.provenance {
                return inner;
            }
            let digest = digest.insert(Arc::new(Mutex::new(Sha256::new()))).clone();
            Box::new(Hashing { inner, digest })
        };
        let opened = match input {
            Input::Stdin => {
                if std::mem::replace(&mut self.state().stdin_taken, true) {
                    bail!("stdin: asked for twice; at most one input may be -");
                }
                standard_streams::require_stdin()?;
                if io::stdin().is_terminal() {
                    bail!("stdin: is a terminal; give a file, or pipe one in");
                }
                Opened::Pipe(hashing(Box::new(io::stdin())))
            }
            Input::File(path) | Input::Member(path, _) => {
                self.require_unwritten(path)?;
                let opened = File::open(path).with_context(|| path.display().to_string())?;
                let found = opened.metadata().with_context(|| path.display().to_string())?;
                if found.is_dir() {
                    bail!("{}: is a folder; expected a file", path.display());
                }
                match found.is_file() {
                    true => {
                        file = Some((path.clone(), Stamp::of(&found)));
                        Opened::File(opened)
                    }
                    // What a pipe with a name or `<(command)` gives can be read once.
                    false => Opened::Pipe(hashing(Box::new(opened))),
                }
            }
        };
        self.state().inputs.push(Record { name: input.to_string(), digest, file, known: OnceLock::new() });
        Ok(opened)
    }

    /// An error where `path` is a file that this job writes. For files that a tool opens by itself, such as the
    /// pictures of a table; [`Job::open`] asks it for all others.
    pub fn require_unwritten(&self, path: &Path) -> Result<()> {
        let by_option = of_command_line().writer_of(path);
        let written = self.state().outputs.iter().any(|output| is_one_file(output, path));
        if by_option.is_some() || written {
            let option = by_option.map(|option| format!(" ({option})")).unwrap_or_default();
            bail!("{}: is both read and written{option}; write to another file", path.display());
        }
        Ok(())
    }

    /// Takes stdout for an output.
    pub(crate) fn claim_stdout(&self) -> Result<()> {
        if std::mem::replace(&mut self.state().stdout_taken, true) {
            bail!("stdout: two outputs cannot both go there; give one of them a file");
        }
        Ok(())
    }

    /// Takes a file for an output, which is neither read nor written by another part of this job.
    pub(crate) fn claim_output(&self, path: &Path) -> Result<()> {
        let claims = of_command_line();
        claims.refuse_input(path, claims.writer_of(path).unwrap_or("a file of the output folder"))?;
        let mut state = self.state();
        let reads = |record: &Record| record.file.as_ref().is_some_and(|(input, _)| is_one_file(input, path));
        if state.inputs.iter().any(reads) {
            bail!("{}: is both read and written; write to another file", path.display());
        }
        if state.outputs.iter().any(|output| is_one_file(output, path)) {
            bail!("{}: this job writes it already; each output needs a file of its own", path.display());
        }
        state.outputs.push(path.to_path_buf());
        Ok(())
    }

    /// An error where a file that no option names, one of an output folder, would replace one that is not ours.
    pub(crate) fn require_ours_in_folder(&self, path: &Path) -> Result<()> {
        let named = of_command_line().writer_of(path).is_some() || !of_command_line().writes_into_folder();
        if named || path.symlink_metadata().is_err() || record_of(path).is_some() {
            return Ok(());
        }
        bail!(
            "{}: is there already and has no record of catsel's beside it; move it, or take another folder",
            path.display()
        )
    }

    /// An error where an input is not what it was when it was opened.
    pub(crate) fn require_unchanged_inputs(&self) -> Result<()> {
        self.state().inputs.iter().try_for_each(Record::require_unchanged)
    }

    /// The sidecar: what made this output, from what. An error where an input has changed since it was opened.
    pub(crate) fn provenance(&self, output: &str) -> Result<Map<String, Value>> {
        self.require_unchanged_inputs()?;
        let arguments: Vec<String> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
        let mut sidecar = Map::new();
        sidecar.insert("output".into(), output.into());
        sidecar.insert("arguments".into(), arguments.into());
        sidecar.extend(self.identity()?);
        let warnings = self.state().warnings.clone();
        if !warnings.is_empty() {
            sidecar.insert("warnings".into(), warnings.into());
        }
        if !sidecar.contains_key(DEPENDENT_TRIALS) {
            let state = self.state();
            let mut files = state.inputs.iter().filter_map(|record| record.file.as_ref());
            if let Some(why) = files.find_map(|(path, _)| dependent_trials_of(path)) {
                sidecar.insert(DEPENDENT_TRIALS.into(), why.into());
            }
        }
        Ok(sidecar)
    }

    /// The SHA-256 of a file that was opened, as sidecars have it; `None` for stdin, and where no such input was
    /// opened.
    pub fn sha256(&self, input: &Input) -> Result<Option<String>> {
        let (state, path) = (self.state(), input.path());
        let is_it = |record: &&Record| path.is_some() && record.file.as_ref().map(|(file, _)| file.as_path()) == path;
        let record = state.inputs.iter().find(is_it);
        Ok(record.map(Record::sha256).transpose()?.flatten())
    }

    /// What decides the numbers: tool, version, inputs with their SHA-256, and the facts recorded so far.
    pub fn identity(&self) -> Result<Map<String, Value>> {
        let state = self.state();
        hash_files(&state.inputs, self.n_threads);
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
