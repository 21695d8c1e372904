//! What happened during a run: BIDS events.tsv, or FSL's three-column files under OpenfMRI's names.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::{Context, Result, bail};
use array_inputs::{read_levels, read_table};
use cli::{Input, Job};
use glm::{EARLIEST_ONSET, Event};
use stimulus_table::{is_missing, number};

/// nilearn's name for the condition of events that have none.
const NAMELESS: &str = "dummy";

/// The events of a run, each once.
pub(super) struct RunEvents {
    name: String,
    pub events: Vec<Event>,
    /// What was shown, where the table says so.
    pub stimuli: Vec<Option<String>>,
}

/// Reads a BIDS table of events.
pub(super) fn read(job: &Job, input: &Input) -> Result<RunEvents> {
    let named = || input.to_string();
    if input.path().is_some_and(|path| path.is_dir()) {
        bail!("{input}: a folder; FSL's three-column files (cond001.txt ...) need --condition-key, which names them");
    }
    let table = read_table(job, input)?;
    let numbers = |column: &str, expected: &str, good: fn(f64) -> bool| -> Result<Vec<f64>> {
        let numbers = table.numbers(column).with_context(named)?;
        if let Some(row) = numbers.iter().position(|&number| !good(number)) {
            let cell = &table.column(column).with_context(named)?[row];
            bail!("{input}: row {row} of column {column:?} is {cell:?}; expected {expected}");
        }
        Ok(numbers)
    };
    let onsets = numbers("onset", "seconds", f64::is_finite)?;
    let durations = numbers("duration", "seconds, 0 or more", |n| n.is_finite() && n >= 0.0)?;
    let modulations = match table.has("modulation") {
        true => numbers("modulation", "a number", f64::is_finite)?,
        false => vec![1.0; table.n_rows()],
    };
    let conditions = match table.has("trial_type") {
        true => read_levels(job, &table, &input.to_string(), "trial_type")?,
        false => {
            job.warn(format!("{input}: no column \"trial_type\"; all {} events are one condition", table.n_rows()));
            vec![NAMELESS.to_owned(); table.n_rows()]
        }
    };
    let column = ["stim_file", "stimulus"].into_iter().find(|column| table.has(column));
    let stimuli = column.map(|column| table.column(column).with_context(named)).transpose()?;
    let mut rows = Vec::new();
    for (row, condition) in conditions.into_iter().enumerate().filter(|(_, condition)| !condition.is_empty()) {
        let (onset, duration, modulation) = (onsets[row], durations[row], modulations[row]);
        let stimulus = stimuli.map(|cells| cells[row].trim()).filter(|cell| !is_missing(cell)).map(str::to_owned);
        rows.push((Event { condition, onset, duration, modulation }, stimulus));
    }
    if rows.len() < table.n_rows() {
        let n = table.n_rows() - rows.len();
        job.note(format!("{input}: {n} of {} rows have no trial_type and are not used", table.n_rows()));
    }
    collect(job, named(), rows)
}

/// One event for all rows of one condition, onset and duration.
fn collect(job: &Job, name: String, rows: Vec<(Event, Option<String>)>) -> Result<RunEvents> {
    if rows.is_empty() {
        bail!("{name}: 0 events");
    }
    let mut found = RunEvents { name, events: Vec::new(), stimuli: Vec::new() };
    let mut places: BTreeMap<(String, u64, u64), usize> = BTreeMap::new();
    let n_rows = rows.len();
    for (event, stimulus) in rows {
        // -0 and 0 are one time.
        let bits = |seconds: f64| (seconds + 0.0).to_bits();
        let key = (event.condition.clone(), bits(event.onset), bits(event.duration));
        match places.get(&key) {
            Some(&place) => found.events[place].modulation += event.modulation,
            None => {
                places.insert(key, found.events.len());
                found.events.push(event);
                found.stimuli.push(stimulus);
            }
        }
    }
    if found.events.len() < n_rows {
        let n = n_rows - found.events.len();
        job.warn(format!("{}: {n} rows repeat condition, onset and duration; their modulations are added", found.name));
    }
    Ok(found)
}

impl RunEvents {
    /// Says of events that the run does not hold, and where they are made into boxes of nilearn's of those that begin
    /// too early for that, and of impulses.
    pub fn warn_of_times(&self, job: &Job, frame_times: &[f64], tr: f64, are_boxes: bool) {
        let name = &self.name;
        let count = |which: &dyn Fn(&Event) -> bool| self.events.iter().filter(|event| which(event)).count();
        let (earliest, end) = (frame_times[0] + EARLIEST_ONSET, frame_times[frame_times.len() - 1] + tr);
        let n_early = count(&|event| event.onset < earliest);
        if are_boxes && n_early > 0 {
            job.warn(format!("{name}: {n_early} events begin before {earliest} s and are taken to begin then"));
        }
        let n_late = count(&|event| event.onset >= end);
        if n_late > 0 {
            job.warn(format!("{name}: {n_late} events begin behind the end of the run at {end} s"));
        }
        let n_impulses = count(&|event| event.duration == 0.0);
        if are_boxes && n_impulses > 0 {
            job.note(format!("{name}: {n_impulses} events last 0 s: impulses of a fiftieth of a TR"));
        }
    }

    /// An id for each trial: its stimulus, else its condition and its number there, from 1; `n_of` counts over all
    /// runs, so that no two trials pass for one stimulus.
    pub fn ids(&self, n_of: &mut BTreeMap<String, usize>) -> Vec<String> {
        let both = self.events.iter().zip(&self.stimuli);
        both.map(|(event, stimulus)| {
            let n = n_of.entry(event.condition.clone()).or_insert(0);
            *n += 1;
            stimulus.clone().unwrap_or_else(|| format!("{}_{n}", event.condition))
        })
        .collect()
    }
}

/// Names of conditions by the stem of their files.
pub(super) struct ConditionKey(Vec<(String, String)>);

fn text(job: &Job, input: &Input) -> Result<String> {
    let mut bytes = Vec::new();
    job.open(input)?.reader().read_to_end(&mut bytes).with_context(|| input.to_string())?;
    String::from_utf8(bytes).with_context(|| input.to_string())
}

/// Reads OpenfMRI's `condition_key.txt`: lines of task, condition, name.
pub(super) fn read_key(job: &Job, input: &Input) -> Result<ConditionKey> {
    let mut key = Vec::new();
    for (line, content) in text(job, input)?.lines().enumerate().filter(|(_, content)| !content.trim().is_empty()) {
        let mut words = content.split_whitespace();
        let (Some(_task), Some(condition), Some(first)) = (words.next(), words.next(), words.next()) else {
            bail!(
                "{input}: line {} is {content:?}; expected task, condition and name: task001 cond001 house",
                line + 1
            );
        };
        let name = words.fold(first.to_owned(), |name, word| name + " " + word);
        key.push((condition.to_owned(), name));
    }
    match key.is_empty() {
        true => bail!("{input}: 0 conditions"),
        false => Ok(ConditionKey(key)),
    }
}

/// Reads the three-column files of a folder: each that the key names and that is there.
pub(super) fn read_folder(job: &Job, folder: &Input, key: &ConditionKey) -> Result<RunEvents> {
    let Some(path) = folder.path().filter(|path| path.is_dir()) else {
        bail!("{folder}: not a folder; with --condition-key the events of a run are a folder of cond001.txt ...");
    };
    let mut rows = Vec::new();
    for (condition, name) in &key.0 {
        let file = path.join(format!("{condition}.txt"));
        if !file.is_file() {
            continue;
        }
        let file = Input::File(file);
        for (line, content) in text(job, &file)?.lines().enumerate() {
            let cells: Vec<&str> = content.split_whitespace().collect();
            if cells.is_empty() {
                continue;
            }
            let numbers: Option<Vec<f64>> =
                cells.iter().map(|cell| number(cell).ok().filter(|value| value.is_finite())).collect();
            let Some(&[onset, duration, modulation]) = numbers.as_deref() else {
                let line = line + 1;
                bail!("{file}: line {line} is {content:?}; expected onset, duration (seconds) and height");
            };
            if duration < 0.0 {
                bail!("{file}: line {} has a duration of {duration} s; expected 0 or more", line + 1);
            }
            rows.push((Event { condition: name.clone(), onset, duration, modulation }, None));
        }
    }
    collect(job, folder.to_string(), rows)
}
