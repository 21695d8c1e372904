//! Sessions of trials, within which voxels are z-scored.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use array_inputs::{JoinArgs, NamedMatrix, read_levels, read_table};
use cli::{Input, Job};
use ndarray::Array2;
use npy_stream::{Block, Matrix};
use reliability::z_score_within;
use stimulus_table::{Side, Table};

/// Where the sessions of trials are said.
#[derive(Debug, clap::Args)]
pub(crate) struct SessionArgs {
    /// Table with one row per trial and its stimulus id, for --session
    #[arg(long, value_name = "TABLE", requires = "session")]
    stimuli: Option<Input>,
    /// Z-score every voxel within each level of this column of --stimuli first
    #[arg(long, value_name = "COLUMN", requires = "stimuli")]
    session: Option<String>,
}

/// A column of a table with one row per trial.
pub(crate) struct Sessions<'a> {
    name: String,
    table: Table,
    column: &'a str,
}

impl SessionArgs {
    /// Reads the table; `None` without a column.
    pub fn read(&self, job: &Job) -> Result<Option<Sessions<'_>>> {
        let (Some(input), Some(column)) = (&self.stimuli, &self.session) else { return Ok(None) };
        Ok(Some(Sessions { name: input.to_string(), table: read_table(job, input)?, column }))
    }
}

impl Sessions<'_> {
    /// The level of every trial, as numbers.
    pub fn of(&self, job: &Job, join: JoinArgs, trials: &NamedMatrix) -> Result<Vec<usize>> {
        let Sessions { name, table, column } = self;
        let levels = read_levels(job, table, name, column)?;
        if let Some(row) = levels.iter().position(String::is_empty) {
            bail!("{name}: row {row} has no session in column {column:?}; every trial needs one");
        }
        // Unlike a stimulus table this one has a row per trial, so an id may stand in several.
        let (_, ids) = table.ids().with_context(|| name.to_string())?;
        let joined = join.join(job, trials.side(), Side { name, labels: Some(ids), n_rows: ids.len() })?;
        if joined.len() != trials.matrix.n_rows() {
            bail!("{}: {} of its {} trials are in {name}", trials.source, joined.len(), trials.matrix.n_rows());
        }
        // A session is a trial's, not a picture's.
        if joined.repeated.is_some() {
            bail!(
                "{} has {} trials and {name} {} rows; --session needs a table with one row per trial",
                trials.source,
                trials.matrix.n_rows(),
                ids.len()
            );
        }
        let mut number: HashMap<&str, usize> = HashMap::new();
        let mut sessions = vec![0; joined.len()];
        for (&trial, &row) in joined.left.iter().zip(&joined.right) {
            let next = number.len();
            sessions[trial] = *number.entry(levels[row].as_ref()).or_insert(next);
        }
        Ok(sessions)
    }
}

/// In f8.
pub(crate) fn z_scored(trials: &Matrix, sessions: &[usize]) -> Array2<f64> {
    match trials.view() {
        Block::F4(rows) => z_score_within(rows, sessions),
        Block::F8(rows) => z_score_within(rows, sessions),
    }
}
