//! Parts of the pictures: units are chosen on all but one of them and measured on that one.

use std::collections::HashMap;
use std::str::FromStr;

use anyhow::{Result, bail};
use stimulus_table::Table;

/// How pictures are divided for cross-validated selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrossValidation {
    /// Every other picture of each category.
    OddEven,
    /// The i-th picture of each category is in part i modulo k.
    K(usize),
    /// The levels of an annotation column.
    Column(String),
}

impl FromStr for CrossValidation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("k=") {
            None if text == "odd-even" => Ok(CrossValidation::OddEven),
            None if text.is_empty() => Err("is empty; write odd-even, k=5, or a column of the table".into()),
            None => Ok(CrossValidation::Column(text.into())),
            Some(k) => match k.parse() {
                Ok(k) if k >= 2 => Ok(CrossValidation::K(k)),
                _ => Err(format!("\"{text}\" has no number of parts of 2 or more")),
            },
        }
    }
}

impl CrossValidation {
    /// The part of every row of the table, and the names of the parts. Every presentation of a picture has the same
    /// part, be it one row of the table or several, unless a column says otherwise (as that of runs does). `used` says
    /// which rows a contrast looks at; the others get part 0.
    pub fn parts(&self, table: &Table, by: &[String], used: &[bool]) -> Result<(Vec<usize>, Vec<String>)> {
        let k = match self {
            CrossValidation::OddEven => 2,
            CrossValidation::K(k) => *k,
            CrossValidation::Column(column) => return by_column(table, column, used),
        };
        // A table of trials may have no ids; then every row is a picture of its own.
        let ids = table.ids().ok().map(|(_, ids)| ids);
        let mut part_of: HashMap<(&str, &str), usize> = HashMap::new();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut n_pictures = 0;
        let mut next = |level| {
            let count = seen.entry(level).or_default();
            *count += 1;
            n_pictures += 1;
            (*count - 1) % k
        };
        let parts: Vec<usize> = by
            .iter()
            .enumerate()
            .map(|(row, level)| match ids {
                Some(ids) => *part_of.entry((&ids[row], level)).or_insert_with(|| next(level.as_str())),
                None => next(level.as_str()),
            })
            .collect();
        if k > n_pictures {
            bail!("--cv k={k}: {n_pictures} stimuli cannot make so many parts; at most one part per stimulus");
        }
        let name = |part: usize| match self {
            CrossValidation::OddEven => ["odd", "even"][part].to_owned(),
            _ => (part + 1).to_string(),
        };
        Ok((parts, (0..k).map(name).collect()))
    }
}

fn by_column(table: &Table, column: &str, used: &[bool]) -> Result<(Vec<usize>, Vec<String>)> {
    let mut names: Vec<String> = Vec::new();
    let mut parts = Vec::with_capacity(used.len());
    for (row, level) in table.levels(column)?.into_iter().enumerate() {
        if !used[row] {
            parts.push(0);
            continue;
        }
        if level.is_empty() {
            // A table of trials may have no ids.
            let id = table.ids().map_or(String::new(), |(_, ids)| format!(" ({})", ids[row]));
            bail!(
                "column {column:?} is empty in row {}{id}, which the contrast uses; every picture needs a part",
                row + 1
            );
        }
        parts.push(names.iter().position(|name| *name == level).unwrap_or_else(|| {
            names.push(level);
            names.len() - 1
        }));
    }
    if names.len() < 2 {
        bail!("column {column:?} has {} level in the rows of the contrast; cross-validation needs 2", names.len());
    }
    Ok((parts, names))
}
