//! `--pairwise`: every model against every other.

use super::args::CompareArgs;
use super::evidence::Tested;
use super::inference::{Inference, warn_of_no_spread};
use anyhow::Result;
use cli::{Job, Named, Output, TableWriter};
use statistics::Reason;
use statistics::signed_rank::Tail;

const COLUMNS: [&str; 18] = [
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

/// Writes the table. `compare` and `names` are what the table of scores says, `means` its scores.
pub(super) fn write(
    job: &Job,
    args: &CompareArgs,
    out: Output,
    inference: &Inference,
    compare: &str,
    names: &[String],
    means: &[f64],
) -> Result<()> {
    let Some(tests) = &inference.means else { return Ok(()) };
    let pairs: Vec<(usize, usize)> = (0..names.len()).flat_map(|a| (a + 1..names.len()).map(move |b| (a, b))).collect();
    let found: Vec<Tested> = pairs
        .iter()
        .map(|&(a, b)| tests.evidence.test(&[(a, 1.0), (b, -1.0)], means[a] - means[b], 0.0, Tail::TwoSided))
        .collect();
    let differences: Vec<f64> = pairs.iter().map(|&(a, b)| means[a] - means[b]).collect();
    warn_of_no_spread(job, &found, &differences, tests.over);
    let q = args.inference.correction().adjust(&found.iter().map(|f| f.p).collect::<Vec<f64>>());
    let mut table = TableWriter::new(out, args.format, &COLUMNS)?;
    for (k, &(a, b)) in pairs.iter().enumerate() {
        let mut row: Vec<Named> = vec![
            ("model_a", (&names[a]).into()),
            ("model_b", (&names[b]).into()),
            ("compare", compare.into()),
            ("difference", differences[k].into()),
        ];
        row.extend(found[k].cells(q[k]));
        row.extend(tests.words.cells("two-sided"));
        let reason = tests.reasons[a].or(tests.reasons[b]).or(found[k].reason);
        row.push(("reason", reason.map(Reason::as_str).into()));
        table.record(&row)?;
    }
    table.into_inner().commit(job)
}
