//! What a table says of stimuli whose presentations are averaged.

use std::collections::HashMap;

use anyhow::{Result, bail};
use array_inputs::read_levels;
use cli::Job;
use stimulus_table::Table;

/// The stimulus table beside the common stimuli.
pub(crate) struct Annotations<'a> {
    pub table: &'a Table,
    pub source: String,
    /// Rows of the table for each common stimulus: one, or one per presentation.
    pub rows: Vec<Vec<usize>>,
}

impl Annotations<'_> {
    /// The level of each common stimulus in a column, empty where it has none. A profile is a mean over presentations,
    /// so all of a stimulus have one level.
    pub(crate) fn levels(&self, job: &Job, name: &str) -> Result<Vec<String>> {
        let levels = read_levels(job, self.table, &self.source, name)?;
        let one = |rows: &Vec<usize>| {
            let first = rows[0];
            match rows.iter().find(|row| levels[**row] != levels[first]) {
                None => Ok(levels[first].clone()),
                Some(other) => bail!(
                    "{}: stimulus {:?} is {:?} in row {first} of column {name:?} and {:?} in row {other}; its \
                     presentations are averaged, so they need one level",
                    self.source,
                    self.table.ids()?.1[first],
                    levels[first],
                    levels[*other]
                ),
            }
        };
        self.rows.iter().map(one).collect()
    }
}

/// Every id once, in the order of its first row, and the rows of each.
pub(crate) fn distinct(ids: &[String]) -> (Vec<String>, Vec<Vec<usize>>) {
    let mut place: HashMap<&str, usize> = HashMap::new();
    let (mut listed, mut rows_of) = (Vec::new(), Vec::new());
    for (row, id) in ids.iter().enumerate() {
        let place = *place.entry(id).or_insert_with(|| {
            listed.push(id.clone());
            rows_of.push(Vec::new());
            listed.len() - 1
        });
        rows_of[place].push(row);
    }
    (listed, rows_of)
}
