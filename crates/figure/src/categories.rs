//! What kind of picture a stimulus is, by a column of a table of stimuli.

use crate::look::Session;
use anyhow::{Context, Result, bail};
use array_inputs::{read_levels, read_table};
use cli::Input;
use std::collections::HashMap;

/// The options that name categories.
#[derive(Debug, clap::Args)]
pub(crate) struct CategoryArgs {
    /// Table of the stimuli, for --by
    #[arg(long, value_name = "TABLE", requires = "by")]
    stimuli: Option<Input>,
    /// Column of --stimuli with the category of every stimulus
    #[arg(long, value_name = "COLUMN", requires = "stimuli")]
    by: Option<String>,
}

/// The category of every stimulus.
pub(crate) struct Categories {
    of: HashMap<String, usize>,
    /// In order of appearance.
    pub(crate) names: Vec<String>,
    source: String,
}

impl CategoryArgs {
    /// The categories, where they are asked for.
    pub(crate) fn read(&self, session: &Session) -> Result<Option<Categories>> {
        let (Some(input), Some(by)) = (&self.stimuli, &self.by) else { return Ok(None) };
        let source = input.to_string();
        let table = read_table(&session.job, input)?;
        let levels = read_levels(&session.job, &table, &source, by)?;
        let (_, ids) = table.ids().with_context(|| source.clone())?;
        let mut found = Categories { of: HashMap::new(), names: Vec::new(), source };
        for (id, level) in ids.iter().zip(levels) {
            let level = if level.is_empty() { "(none)".to_string() } else { level };
            let place = found.names.iter().position(|name| *name == level).unwrap_or_else(|| {
                found.names.push(level.clone());
                found.names.len() - 1
            });
            if let Some(other) = found.of.insert(id.clone(), place).filter(|&other| other != place) {
                bail!(
                    "{}: stimulus {id:?} is {:?} and {level:?} in column {by:?}; a figure needs one category for each",
                    found.source,
                    found.names[other]
                );
            }
        }
        Ok(Some(found))
    }
}

impl Categories {
    /// The category of each of these stimuli, as a place in `names`; an error where the table lacks one.
    pub(crate) fn of_all<'a>(&self, ids: impl Iterator<Item = &'a str>, source: &str) -> Result<Vec<usize>> {
        let ids: Vec<&str> = ids.collect();
        let lacking: Vec<&&str> = ids.iter().filter(|id| !self.of.contains_key(**id)).collect();
        if let Some(first) = lacking.first() {
            bail!(
                "{}: has no row about {first:?}, which {source} has; {} of its {} rows are about stimuli that are not in \
                 this table",
                self.source,
                lacking.len(),
                ids.len()
            );
        }
        Ok(ids.iter().filter_map(|id| self.of.get(*id).copied()).collect())
    }
}
