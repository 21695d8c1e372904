//! Two halves of the pictures, each asked by itself: one chooses, the other reports.

use std::collections::HashMap;

use anyhow::{Result, bail};
use stimulus_table::{Condition, Table};

/// Which pictures choose, and which report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halves {
    /// Dealt by this seed within every level of the column of categories.
    Dealt(u64),
    /// Pictures of this value choose, those of any other value report, those without one do neither.
    Column(Condition),
}

/// What the halves are called.
pub const HALVES: [&str; 2] = ["train", "test"];
/// The part of rows that are in neither half.
const NEITHER: usize = 2;

impl Halves {
    /// The part of every row of the table: 0 chooses, 1 reports, 2 does neither. `by` has the category of every row.
    /// Presentations of one picture are in one half.
    pub(crate) fn parts(&self, table: &Table, by: &[String]) -> Result<Vec<usize>> {
        // A table of trials may have no ids; then every row is a picture of its own.
        let ids = table.ids().ok().map(|(_, ids)| ids);
        let Condition { column, value } = match self {
            Halves::Dealt(seed) => {
                return Ok(match ids {
                    Some(ids) => statistics::halves_within(ids, by, *seed),
                    None => statistics::halves_within(&(0..by.len()).collect::<Vec<_>>(), by, *seed),
                });
            }
            Halves::Column(condition) => condition,
        };
        let levels = table.levels(column)?;
        let part = |level: &String| match level.as_str() {
            "" => NEITHER,
            level => usize::from(level != value),
        };
        let parts: Vec<usize> = levels.iter().map(part).collect();
        let mut there: Vec<&str> = levels.iter().map(String::as_str).filter(|level| !level.is_empty()).collect();
        there.sort_unstable();
        there.dedup();
        if !there.contains(&value.as_str()) {
            there.truncate(20);
            bail!("--train {column}={value}: column {column:?} never is {value:?}; it has {}", there.join(", "));
        }
        if there.len() < 2 {
            bail!("--train {column}={value}: column {column:?} has no other value, so no picture is left to report");
        }
        let mut part_of: HashMap<&str, usize> = HashMap::new();
        for (row, id) in ids.into_iter().flatten().enumerate() {
            if *part_of.entry(id).or_insert(parts[row]) != parts[row] {
                bail!(
                    "--train {column}={value}: stimulus {id:?} has rows of more than one part; what a picture reports \
                     must not have chosen"
                );
            }
        }
        Ok(parts)
    }
}
