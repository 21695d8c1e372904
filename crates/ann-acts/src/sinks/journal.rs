//! Going on with a run that was stopped: a journal beside the outputs.
//!
//! The first line says what decides the numbers (model, weights, pictures, preprocessing, device ...); one line per
//! batch says how far every output had come when the batch was through. Rows behind the last whole line are cut off
//! and made again, so the result has the bytes of a run that was never stopped.

use crate::pictures::stimuli::{Stimulus, digest_text};
use anyhow::{Context, Result, anyhow, bail, ensure};
use rayon::prelude::*;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// How far a run had come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Rows that every output holds.
    pub rows: usize,
    /// Per layer.
    pub layers: Vec<LayerDone>,
    /// What was met in the pictures so far.
    pub seen: Value,
    /// SHA-256 of each picture so far, in hexadecimal.
    pub digests: Vec<String>,
}

/// How far one layer had come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LayerDone {
    /// Bytes of its file.
    pub bytes: u64,
    /// Units per row.
    pub n_units: usize,
    /// Values that were NaN.
    pub nan_values: usize,
    /// Rows that had any.
    pub nan_rows: usize,
}

/// The journal of one run.
pub struct Journal {
    path: PathBuf,
    file: File,
    /// How far the run had come when it was stopped; 0 rows for a new one.
    pub done: Done,
}

impl Journal {
    /// Opens the journal at `path`, or begins one.
    ///
    /// `run` is what decides the numbers: a journal that says otherwise is another run's, and an error. A journal
    /// whose outputs (`partials`) are gone begins again. Outputs without a journal are not ours, and an error.
    pub fn open(path: PathBuf, run: &Map<String, Value>, partials: &[PathBuf]) -> Result<Self> {
        let name = path.display().to_string();
        let is_begun = path.symlink_metadata().is_ok();
        for file in partials.iter().chain([&path]) {
            let Ok(found) = file.symlink_metadata() else { continue };
            ensure!(
                found.is_file() && is_begun,
                "{}: is there, but is not what a stopped run left (no journal {name} beside it, or a link); move it",
                file.display()
            );
        }
        let mut file =
            File::options().create(true).truncate(false).append(true).open(&path).with_context(|| name.clone())?;
        // Two runs would write over one another; a file system without locks lets them.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            bail!("{name}: another run is writing these outputs; let it end, or give this one another place");
        }
        let text = fs::read_to_string(&path).with_context(|| name.clone())?;
        // A line without its end was being written when the run was stopped.
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let mut lines = whole.lines();
        let mut done = Done::default();
        if let Some(first) = lines.next() {
            let earlier: Map<String, Value> =
                serde_json::from_str(first).map_err(|_| anyhow!("{name}: not a journal of ann-acts; remove it"))?;
            let other = difference(&earlier, run);
            let difference = other.clone().filter(|_| lines.clone().next().is_some());
            if let Some(difference) = difference {
                bail!(
                    "{name}: belongs to another run ({difference}); give the same options, \
                     or remove it with its .partial files to begin anew"
                );
            }
            if other.is_none() && partials.iter().all(|partial| partial.is_file()) {
                for line in lines {
                    let line: Value = serde_json::from_str(line).with_context(|| name.clone())?;
                    done.advance(&line).ok_or_else(|| anyhow!("{name}: a damaged journal; remove it"))?;
                }
                ensure!(done.rows == 0 || done.layers.len() == partials.len(), "{name}: a damaged journal; remove it");
            }
        }
        if done.rows == 0 {
            file.set_len(0).with_context(|| name.clone())?;
            writeln!(file, "{}", Value::Object(run.clone())).with_context(|| name.clone())?;
        } else {
            file.set_len(whole.len() as u64).with_context(|| name.clone())?;
        }
        for (partial, layer) in partials.iter().zip(&done.layers) {
            let size = fs::metadata(partial).with_context(|| partial.display().to_string())?.len();
            ensure!(
                size >= layer.bytes,
                "{}: has {size} bytes, the journal speaks of {}; remove both to begin anew",
                partial.display(),
                layer.bytes
            );
        }
        Ok(Self { path, file, done })
    }

    /// Notes that a batch is through: every output holds `rows` rows.
    pub fn push(&mut self, rows: usize, layers: &[LayerDone], seen: Value, digests: Vec<String>) -> Result<()> {
        let layers: Vec<Value> = layers.iter().map(|l| json!([l.bytes, l.n_units, l.nan_values, l.nan_rows])).collect();
        let line = json!({ "rows": rows, "layers": layers, "seen": seen, "sha256": digests });
        // One write, so that a line is there whole or not at all.
        self.file.write_all(format!("{line}\n").as_bytes()).with_context(|| self.path.display().to_string())
    }

    /// Takes the journal away: the outputs are whole.
    pub fn remove(self) -> Result<()> {
        fs::remove_file(&self.path).with_context(|| self.path.display().to_string())
    }
}

impl Done {
    /// Takes in a journal line; `None` where it is not one.
    fn advance(&mut self, line: &Value) -> Option<()> {
        let number = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
        self.rows = number(&line["rows"])?;
        let layer = |l: &Value| {
            Some(LayerDone {
                bytes: l[0].as_u64()?,
                n_units: number(&l[1])?,
                nan_values: number(&l[2])?,
                nan_rows: number(&l[3])?,
            })
        };
        self.layers = line["layers"].as_array()?.iter().map(layer).collect::<Option<_>>()?;
        self.seen = line["seen"].clone();
        for digest in line["sha256"].as_array()? {
            self.digests.push(digest.as_str()?.to_string());
        }
        (self.digests.len() == self.rows).then_some(())
    }
}

/// Refuses to resume a run that has not a file for each array.
pub fn need_files(n_files: usize, n_arrays: usize) -> Result<()> {
    ensure!(
        n_files > 0 && n_files == n_arrays,
        "--resume needs a file for each of {n_arrays} arrays; give --out-dir{}",
        if n_arrays == 1 { " or -o" } else { "" }
    );
    Ok(())
}

/// The first thing that two runs say differently, as text.
fn difference(earlier: &Map<String, Value>, now: &Map<String, Value>) -> Option<String> {
    let other = |key: &&String| earlier.get(*key) != now.get(*key);
    let key = now.keys().find(other).or_else(|| earlier.keys().find(other))?;
    let shown = |value: Option<&Value>| {
        let text = value.map_or("nothing".to_string(), Value::to_string);
        if text.chars().count() <= 80 { text } else { format!("{}...", text.chars().take(77).collect::<String>()) }
    };
    Some(format!("{key}: {} then, {} now", shown(earlier.get(key)), shown(now.get(key))))
}

/// Checks that the pictures of the rows that are there are still those that were shown.
pub fn check_pictures(stimuli: &[Stimulus], digests: &[String]) -> Result<()> {
    let digest = |stimulus: &Stimulus| -> Result<String> {
        let bytes = fs::read(&stimulus.path).with_context(|| stimulus.path.display().to_string())?;
        Ok(digest_text(&Sha256::digest(&bytes).into()))
    };
    let now: Vec<Result<String>> = stimuli[..digests.len()].par_iter().map(digest).collect();
    for ((now, earlier), stimulus) in now.into_iter().zip(digests).zip(stimuli) {
        ensure!(
            now? == *earlier,
            "{}: is another picture than when its row was made; begin anew without the .partial files",
            stimulus.path.display()
        );
    }
    Ok(())
}

/// Whether `target` is there already, made by the same run; an error where it was made otherwise.
pub fn is_complete(target: &Path, run: &Map<String, Value>) -> Result<bool> {
    if !target.exists() {
        return Ok(false);
    }
    let name = target.display();
    let Some(Value::Object(sidecar)) = cli::sidecar_of(target) else {
        bail!(
            "{name}: is there, but without the sidecar that says how it was made; remove it, or run without --resume"
        );
    };
    let said: Map<String, Value> =
        run.keys().filter_map(|key| Some((key.clone(), sidecar.get(key)?.clone()))).collect();
    if let Some(difference) = difference(&said, run) {
        bail!("{name}: is there, but was made otherwise ({difference}); remove it, or run without --resume");
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(batch: usize) -> Map<String, Value> {
        [("batch".to_string(), json!(batch))].into_iter().collect()
    }

    fn layer(bytes: u64) -> LayerDone {
        LayerDone { bytes, n_units: 3, nan_values: 2, nan_rows: 1 }
    }

    #[test]
    fn a_journal_tells_how_far_a_run_came() {
        let dir = tempfile::tempdir().unwrap();
        let (path, partial) = (dir.path().join("j"), dir.path().join("x.partial"));
        let open = |batch| Journal::open(path.clone(), &run(batch), std::slice::from_ref(&partial));
        fs::write(&partial, "not ours").unwrap();
        assert!(open(2).err().unwrap().to_string().contains("not what a stopped run left"));
        fs::remove_file(&partial).unwrap();
        let mut journal = open(2).unwrap();
        fs::write(&partial, [0u8; 300]).unwrap();
        assert_eq!(journal.done, Done::default());
        journal.push(2, &[layer(100)], json!({"padded": 1}), vec!["a".into(), "b".into()]).unwrap();
        journal.push(3, &[layer(150)], json!({"padded": 2}), vec!["c".into()]).unwrap();
        drop(journal);
        // Stopped in the middle of a line.
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{{\"rows\":4,")).unwrap();
        let again = open(2).unwrap();
        assert_eq!((again.done.rows, again.done.layers.as_slice()), (3, &[layer(150)][..]));
        assert_eq!((again.done.digests.join(""), &again.done.seen["padded"]), ("abc".to_string(), &json!(2)));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        let again_locked = open(2).err().map(|error| error.to_string());
        assert!(again_locked.is_some_and(|error| error.contains("another run is writing")));
        drop(again);
        let error = open(3).err().unwrap().to_string();
        assert!(error.contains("batch: 2 then, 3 now"), "{error}");
        fs::write(&partial, [0u8; 20]).unwrap();
        assert!(open(2).err().unwrap().to_string().contains("has 20 bytes, the journal speaks of 150"));
        // Before its first row a run may still be changed.
        fs::write(&path, format!("{}\n", text.lines().next().unwrap())).unwrap();
        assert_eq!(open(3).unwrap().done.rows, 0);
        // The partial file gone, the run begins again.
        fs::write(&path, &text).unwrap();
        fs::remove_file(&partial).unwrap();
        assert_eq!(open(2).unwrap().done.rows, 0);
        fs::write(&path, "not a journal\n").unwrap();
        assert!(open(2).is_err());
    }
}
