//! One array: rows past the moments, labels against the table, tests of every unit.

use anyhow::{Context, Result, bail};
use cli::{Input, Job};
use localizer::{CategoryMoments, Correction, Groups, TTest, UnitTests};
use npy_stream::{Block, Incoming, NpyError};
use stimulus_table::{JoinOptions, StimulusTable, TableJoin};

/// Bytes of rows taken at a time: large enough to share out among threads, small enough to stay in the cache.
const BLOCK_BYTES: usize = 4 << 20;
/// Fewer rows than this would make the moments travel through memory as often as the rows themselves.
const MIN_ROWS: usize = 8;

/// What is asked of every array.
pub(crate) struct Localizer<'a> {
    pub stimuli: &'a StimulusTable,
    pub table: &'a Input,
    /// Group of every row of the table.
    pub groups: &'a Groups,
    pub test: TTest,
    pub correction: Option<Correction>,
    pub options: JoinOptions,
}

impl Localizer<'_> {
    /// Tests every unit of one array. Nothing may be written before this has returned: the labels of a pipe are
    /// checked at its end.
    pub fn tests(&self, job: &Job, source: &str, mut acts: Incoming) -> Result<UnitTests> {
        let (n_rows, n_units) = acts.matrix_shape().with_context(|| source.to_string())?;
        let labels = acts.labels_ahead().with_context(|| source.to_string())?;
        let mut join = self.join(source, n_rows, labels)?;
        let group_of_row: Vec<Option<usize>> =
            join.rows.iter().map(|row| row.and_then(|r| self.groups.group_of_row[r])).collect();

        let value_bytes = if acts.kind().is_double() { 8 } else { 4 };
        let block_rows = (BLOCK_BYTES / (n_units * value_bytes).max(1)).max(MIN_ROWS);
        let mut moments = CategoryMoments::new(self.groups.names.len(), n_units);
        let progress = job.progress(n_rows, "pictures");
        let mut first = 0;
        while let Some(block) = acts.next_rows(block_rows).with_context(|| source.to_string())? {
            let groups = &group_of_row[first..first + block.n_rows()];
            match block {
                Block::F4(rows) => moments.add_rows(rows, groups)?,
                Block::F8(rows) => moments.add_rows(rows, groups)?,
            }
            first += groups.len();
            progress.advance(groups.len());
        }
        let labels = acts.finish().with_context(|| source.to_string())?;
        join.check(source, labels.as_deref(), (&self.table.to_string(), self.stimuli), self.options)?;
        if let Some(message) = &join.message {
            job.note(message);
        }
        UnitTests::compute(moments, self.test, self.correction).with_context(|| source.to_string())
    }

    /// Which row of the table each row of the matrix is; `labels` as [`Incoming::labels_ahead`] gives them.
    fn join(&self, source: &str, n_rows: usize, labels: Option<Option<Vec<String>>>) -> Result<TableJoin> {
        let name = self.table.to_string();
        let table = (name.as_str(), self.stimuli);
        match labels {
            Some(Some(labels)) if labels.len() != n_rows => {
                Err(NpyError::LabelCount { labels: labels.len(), rows: n_rows }).with_context(|| source.to_string())
            }
            Some(Some(labels)) => Ok(TableJoin::labelled(source, &labels, table, self.options)?),
            Some(None) => Ok(TableJoin::by_position(source, n_rows, table, false, self.options)?),
            None if n_rows != self.stimuli.len() => bail!(
                "{source}: {n_rows} rows, but {name} names {} stimuli; a pipe brings its labels after its rows, so it \
                 must have one row per stimulus in the order of the table; give it as a file, where labels are read first",
                self.stimuli.len()
            ),
            None => Ok(TableJoin::by_position(source, n_rows, table, true, self.options)?),
        }
    }
}
