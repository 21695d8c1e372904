//! New ids for old ones, from a table that bridges two studies.

use anyhow::{Context, Result, anyhow, bail, ensure};
use array_inputs::{read_table, require_unique};
use cli::{Input, Job};
use npy_stream::{Array, Values};
use serde_json::json;
use std::collections::HashMap;
use stimulus_table::{Side, is_missing};

/// The new id of each old one.
pub(crate) struct Renames<'a> {
    new: HashMap<String, String>,
    /// The table's columns, for messages.
    old_column: String,
    source: &'a Input,
    /// Rows without a new id are left out.
    inner: bool,
}

/// Rows that have a new id, ascending, and those ids.
struct Renamed {
    rows: Vec<usize>,
    ids: Vec<String>,
}

impl<'a> Renames<'a> {
    /// Reads columns `old` and `new` of the table, or the two that there are, or those that are named. A row in which
    /// either is missing says nothing; an old id twice is an error.
    pub fn read(job: &Job, source: &'a Input, named: [Option<&str>; 2], inner: bool) -> Result<Renames<'a>> {
        let table = read_table(job, source)?;
        let is_usual = |name: &String| ["old", "new"].contains(&name.as_str());
        let [old, new] = match (named, table.names()) {
            ([None, None], two @ [first, second]) if !two.iter().any(is_usual) => [first.as_str(), second.as_str()],
            ([old, new], _) => [old.unwrap_or("old"), new.unwrap_or("new")],
        };
        ensure!(old != new, "{source}: column {old:?} is both --old and --new; name two columns");
        let cells = |name: &str| {
            table.column(name).map_err(|error| anyhow!("{source}: {error} (--old and --new say which to take)"))
        };
        let mut first_row: HashMap<&str, usize> = HashMap::new();
        let mut renames = HashMap::new();
        for (row, (from, to)) in cells(old)?.iter().zip(cells(new)?).enumerate() {
            if is_missing(from) {
                continue;
            }
            if let Some(first) = first_row.insert(from, row) {
                bail!("{source}: {old} {from:?} stands in rows {first} and {row}; an old id has one new one");
            }
            if !is_missing(to) {
                renames.insert(from.clone(), to.clone());
            }
        }
        ensure!(!renames.is_empty(), "{source}: 0 of {} rows have both {old:?} and {new:?}", table.n_rows());
        job.record("rename", json!({ "old": old, "new": new }));
        Ok(Renames { new: renames, old_column: old.into(), source, inner })
    }

    /// The rows that are kept of those with these ids, with their new ids.
    pub fn rows(&self, job: &Job, name: &str, labels: Option<&[String]>) -> Result<(Vec<usize>, Vec<String>)> {
        let labels = labels.context("has no ids to rename; write them with `npy label --ids` or --stimuli")?;
        let Renamed { rows, ids } = self.renamed(labels)?;
        job.note(format!("{name}: {}", said(labels, &rows, &ids, "rows")));
        Ok((rows, ids))
    }

    /// An RDM with new ids, of the stimuli that are kept: the pairs of the upper triangle in the order of SciPy's
    /// `pdist`.
    pub fn rdm(&self, job: &Job, name: &str, mut rdm: Array) -> Result<Array> {
        let labels = rdm.labels.ids.take().context("has no ids to rename; write them with `npy label`")?;
        let n = labels.len();
        let (n_pairs, n_values) = (n * n.saturating_sub(1) / 2, rdm.values.len());
        ensure!(
            n_values == n_pairs,
            "{n_values} values, but {n} ids have {n_pairs} pairs; an RDM has one value per pair"
        );
        let Renamed { rows, ids } = self.renamed(&labels)?;
        require_unique(Side { name: &format!("{} for {name}", self.source), labels: Some(&ids), n_rows: ids.len() })
            .context("two stimuli of an RDM would have one id")?;
        job.note(format!("{name}: {}", said(&labels, &rows, &ids, "stimuli")));
        // The pair (i, j) stands behind those of all rows before i, and those of i before j.
        let place = |i: usize, j: usize| i * (2 * n - i - 1) / 2 + (j - i - 1);
        let pairs = rows.iter().enumerate().flat_map(|(k, &i)| rows[k + 1..].iter().map(move |&j| place(i, j)));
        rdm.values = match rdm.values {
            Values::F4(values) => Values::F4(pairs.map(|pair| values[pair]).collect()),
            Values::F8(values) => Values::F8(pairs.map(|pair| values[pair]).collect()),
        };
        rdm.shape = vec![rdm.values.len()];
        rdm.labels.ids = Some(ids);
        Ok(rdm)
    }

    fn renamed(&self, labels: &[String]) -> Result<Renamed> {
        let Renames { new, old_column, source, inner } = self;
        let found = |row: &usize| new.contains_key(&labels[*row]);
        let (rows, lost): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(found);
        if let Some(&first) = lost.first() {
            let id = &labels[first];
            ensure!(
                !rows.is_empty(),
                "none of {} ids has a new one in {source}: {id:?} is no {old_column}",
                labels.len()
            );
            ensure!(
                *inner,
                "{} of {} ids have no new one in {source}, the first in row {first}: {id:?} is no {old_column}; \
                 --inner keeps the others",
                lost.len(),
                labels.len()
            );
        }
        let ids = rows.iter().map(|&row| new[&labels[row]].clone()).collect();
        Ok(Renamed { rows, ids })
    }
}

/// What came of it: how many are kept, and which new ids several old ones share.
fn said(labels: &[String], rows: &[usize], ids: &[String], what: &str) -> String {
    let mut said = match rows.len() == labels.len() {
        true => format!("{} {what} have new ids", rows.len()),
        false => format!("kept the {} of {} {what} that have a new id", rows.len(), labels.len()),
    };
    let mut olds: HashMap<&str, Vec<&str>> = HashMap::new();
    for (&row, id) in rows.iter().zip(ids) {
        let olds = olds.entry(id).or_default();
        if !olds.contains(&labels[row].as_str()) {
            olds.push(&labels[row]);
        }
    }
    let shared = ids.iter().filter(|id| olds[id.as_str()].len() > 1);
    if let Some(first) = shared.clone().next() {
        let n = olds.values().filter(|olds| olds.len() > 1).count();
        let of_first = olds[first.as_str()].join("\", \"");
        said += &format!(
            "; {n} of them stand for several old ones, whose rows are repeats now: {first:?} for \"{of_first}\""
        );
    }
    said
}
