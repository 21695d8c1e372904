//! `--pairwise`: every model against every other.

use super::{Inference, Tested};
use crate::CompareArgs;
use anyhow::Result;
use cli::{Job, Output, TableWriter};
use statistics::Reason;
use statistics::signed_rank::Tail;

/// Writes the table, if it was asked for. `compare` and `names` are what the table of scores says, `means` its scores.
pub(crate) fn write(
    job: &Job,
    args: &CompareArgs,
    out: Option<Output>,
    inference: &Inference,
    compare: &str,
    names: &[&str],
    means: &[f64],
) -> Result<()> {
    let (Some(out), Some(tests)) = (out, &inference.means) else {
        return Ok(());
    };
    let pairs: Vec<(usize, usize)> = (0..names.len()).flat_map(|a| (a + 1..names.len()).map(move |b| (a, b))).collect();
    let found: Vec<Tested> = pairs
        .iter()
        .map(|&(a, b)| tests.evidence.test(&[(a, 1.0), (b, -1.0)], means[a] - means[b], 0.0, Tail::TwoSided))
        .collect();
    let differences: Vec<f64> = pairs.iter().map(|&(a, b)| means[a] - means[b]).collect();
    super::warn_of_no_spread(job, &found, &differences, tests.over);
    let q = args.inference.correction().adjust(&found.iter().map(|f| f.p).collect::<Vec<f64>>());
    let columns = [
        "model_a",
        "model_b",
        "compare",
        "difference",
        "se",
        "ci_lo",
        "ci_hi",
        "t",
        "df",
        "p",
        "q",
        "test",
        "alternative",
        "correct",
        "generalize_to",
        "n",
        "n_boot",
        "reason",
    ];
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for ((&(a, b), found), q) in pairs.iter().zip(&found).zip(q) {
        let mut row = vec![
            names[a].into(),
            names[b].into(),
            compare.into(),
            (means[a] - means[b]).into(),
            found.se.into(),
            found.ci[0].into(),
            found.ci[1].into(),
            found.t.into(),
            found.df.into(),
            found.p.into(),
            q.into(),
        ];
        row.extend(tests.words.cells("two-sided"));
        let reason = tests.reasons[a].or(tests.reasons[b]).or(found.reason);
        row.push(reason.map(Reason::as_str).into());
        table.row(&row)?;
    }
    table.into_inner().commit(job)
}
