//! Tables of `rsa compare`: rows of cells by name, whose names are the header.

use super::system::{Score, Systems};
use anyhow::Result;
use cli::{Format, Job, Named, Output, TableWriter};
use statistics::Reason;

/// Writes rows under the names of the first one's cells, which all rows have.
pub(super) fn write<'a>(
    job: &Job,
    format: Format,
    out: Output,
    rows: impl IntoIterator<Item = Vec<Named<'a>>>,
) -> Result<()> {
    let mut rows = rows.into_iter().peekable();
    let columns: Vec<&str> = rows.peek().into_iter().flatten().map(|(name, _)| *name).collect();
    let mut table = TableWriter::new(out, format, &columns)?;
    for row in rows {
        table.record(&row)?;
    }
    table.into_inner().commit(job)
}

/// What is said of every pair of systems: the comparison, what it rests on, and the score in the column `named`.
pub(super) fn cells<'a>(systems: &'a Systems, named: &'static str, score: Score) -> Vec<Named<'a>> {
    let mut cells = vec![("compare", (&systems.compare).into()), ("n_stimuli", systems.n_stimuli.into())];
    cells.extend(score.n_pairs.map(|n| ("n_pairs", n.into())));
    cells.push((named, score.value.into()));
    cells
}

/// The last cell of a row.
pub(super) fn reason(why: Option<Reason>) -> Named<'static> {
    ("reason", why.map(Reason::as_str).into())
}
