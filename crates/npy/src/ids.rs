//! Lists of stimulus ids in files.

use anyhow::{Context, Result, bail};
use array_inputs::read_table;
use cli::{Input, Job};
use std::io::Read;

/// The ids of a table of stimuli or of trials.
pub(crate) fn of_table(job: &Job, input: &Input) -> Result<Vec<String>> {
    Ok(read_table(job, input)?.ids().with_context(|| input.to_string())?.1.to_vec())
}

/// Ids from a table (.csv, .tsv) or from a text file with one id per line.
pub(crate) fn of_file(job: &Job, input: &Input) -> Result<Vec<String>> {
    if input.path().and_then(|p| p.extension()).is_some_and(|e| e == "csv" || e == "tsv") {
        return of_table(job, input);
    }
    let mut text = String::new();
    job.open(input)?.reader().read_to_string(&mut text).with_context(|| format!("{input}: not a text file of ids"))?;
    let ids: Vec<String> = text.lines().map(String::from).collect();
    match ids.iter().position(String::is_empty) {
        Some(line) => bail!("{input}: line {line} is empty; one id per line"),
        None if ids.is_empty() => bail!("{input}: 0 ids; one per line"),
        None => Ok(ids),
    }
}
