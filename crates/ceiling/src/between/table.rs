//! The table of `ceiling between`.

use anyhow::Result;
use cli::{Cell, Named, Output, TableWriter};
use reliability::r_max;
use statistics::{Reason, median};

use super::measured::Estimate;
use super::{Between, Facts};
use crate::voxel::whole;

/// Names of rows over subjects.
pub(super) const SUMMARIES: [&str; 5] = ["median", "min", "max", "ci_lo", "ci_hi"];

const COLUMNS: [&str; 20] = [
    "subject",
    "stat",
    "compare",
    "n_stimuli",
    "n_voxels",
    "n_trials",
    "median_pairwise",
    "leave_one_out",
    "r_halves",
    "reliability",
    "r_max",
    "median_pairwise_norm",
    "leave_one_out_norm",
    "mean_pairwise",
    "mean_pairwise_norm",
    "cronbach_alpha",
    "role",
    "gap",
    "gap_norm",
    "reason",
];

/// One subject.
pub(super) struct Row {
    facts: Facts,
    n_voxels: Option<usize>,
    numbers: Numbers,
    reason: Option<Reason>,
}

/// Columns of numbers, from median_pairwise to mean_pairwise_norm; empty where nothing could be corrected.
type Numbers = [(&'static str, Option<f64>); 9];

/// One model.
pub(super) struct ModelRow {
    pub name: String,
    pub n_stimuli: usize,
    pub n_units: Option<usize>,
    pub median: f64,
    pub mean: f64,
    pub gap: f64,
    /// Median and mean.
    pub corrected: Option<[f64; 2]>,
    pub gap_norm: Option<f64>,
    pub reason: Option<Reason>,
}

impl Row {
    /// `own`: the subject's reliabilities, one per voxel or one.
    pub fn new(facts: Facts, estimate: &Estimate, own: Option<Vec<f64>>) -> Row {
        // Of voxels only those that have a value: stderr counts the rest.
        let over = |values: &[f64]| match values {
            [one] => *one,
            all => median(&all.iter().copied().filter(|v| !v.is_nan()).collect::<Vec<f64>>()),
        };
        let of_voxels = !estimate.of_voxels.is_empty();
        let reliability = own.as_ref().map(|values| over(values));
        let [pairs, others, mean] = estimate.plain;
        let corrected = |k: usize| estimate.corrected.map(|c| c[k]);
        let numbers = [
            ("median_pairwise", Some(pairs)),
            ("leave_one_out", Some(others)),
            ("r_halves", facts.r_halves.as_ref().map(|values| over(values))),
            ("reliability", reliability),
            ("r_max", reliability.map(|value| r_max(value).0)),
            ("median_pairwise_norm", corrected(0)),
            ("leave_one_out_norm", corrected(1)),
            ("mean_pairwise", Some(mean)),
            ("mean_pairwise_norm", corrected(2)),
        ];
        let n_voxels = if of_voxels { Some(estimate.usable) } else { facts.n_voxels };
        Row { facts, n_voxels, numbers, reason: estimate.reason }
    }
}

/// What a line has beside numbers that all have.
struct Line<'a> {
    subject: &'a str,
    role: &'static str,
    n_stimuli: usize,
    n_voxels: Option<usize>,
    n_trials: Cell<'static>,
    numbers: Numbers,
    alpha: Option<f64>,
    gaps: [Option<f64>; 2],
    reason: Option<Reason>,
}

/// `interval` has the two ends of the seven numbers that `super::interval` gives.
pub(super) fn write(
    args: &Between,
    out: Output,
    rows: &[Row],
    n_stimuli: usize,
    alpha: f64,
    interval: Option<[[f64; 7]; 2]>,
    models: &[ModelRow],
) -> Result<Output> {
    let mut table = TableWriter::new(out, args.format, &COLUMNS)?;
    let mut record = |line: Line| {
        let mut cells: Vec<Named> = vec![
            ("subject", line.subject.into()),
            ("stat", args.stat.as_str().into()),
            ("compare", args.compare.correlation().as_str().into()),
            ("n_stimuli", line.n_stimuli.into()),
            ("n_voxels", line.n_voxels.into()),
            ("n_trials", line.n_trials),
        ];
        cells.extend(line.numbers.map(|(name, number)| (name, number.into())));
        cells.extend([
            ("cronbach_alpha", line.alpha.into()),
            ("role", line.role.into()),
            ("gap", line.gaps[0].into()),
            ("gap_norm", line.gaps[1].into()),
            ("reason", line.reason.into()),
        ]);
        table.record(&cells)
    };
    for row in rows {
        record(Line {
            subject: &row.facts.name,
            role: "subject",
            n_stimuli,
            n_voxels: row.n_voxels,
            n_trials: row.facts.n_trials.map_or(Cell::Empty, whole),
            numbers: row.numbers,
            alpha: None,
            gaps: [None; 2],
            reason: row.reason,
        })?;
    }
    // NaN of one subject is NaN here too: a median over those that happened to work would hide it.
    type Summary = fn(&[f64]) -> f64;
    let summaries: [(&str, Summary); 3] =
        [("median", median), ("min", |v| fold(v, f64::min)), ("max", |v| fold(v, f64::max))];
    let reason = rows.iter().find_map(|r| r.reason);
    let summary = |subject, numbers, alpha| Line {
        subject,
        role: "summary",
        n_stimuli,
        n_voxels: None,
        n_trials: Cell::Empty,
        numbers,
        alpha,
        gaps: [None; 2],
        reason,
    };
    for (name, summarize) in summaries {
        let mut numbers = rows[0].numbers;
        for (k, (_, number)) in numbers.iter_mut().enumerate() {
            let values: Option<Vec<f64>> = rows.iter().map(|row| row.numbers[k].1).collect();
            *number = values.map(|values| summarize(&values));
        }
        record(summary(name, numbers, (name == "median").then_some(alpha)))?;
    }
    let empty = rows[0].numbers.map(|(name, _)| (name, None));
    let corrected = rows[0].numbers[5].1.is_some();
    for (name, ends) in ["ci_lo", "ci_hi"].into_iter().zip(interval.into_iter().flatten()) {
        let [pairs, others, mean, pairs_norm, others_norm, mean_norm, alpha] = ends;
        let mut numbers = empty;
        for (k, value) in [(0, pairs), (1, others), (7, mean)] {
            numbers[k].1 = Some(value);
        }
        for (k, value) in [(5, pairs_norm), (6, others_norm), (8, mean_norm)] {
            numbers[k].1 = corrected.then_some(value);
        }
        record(summary(name, numbers, Some(alpha)))?;
    }
    for model in models {
        let mut numbers = empty;
        numbers[0].1 = Some(model.median);
        numbers[7].1 = Some(model.mean);
        numbers[5].1 = model.corrected.map(|[median, _]| median);
        numbers[8].1 = model.corrected.map(|[_, mean]| mean);
        record(Line {
            subject: &model.name,
            role: "model",
            n_stimuli: model.n_stimuli,
            n_voxels: model.n_units,
            n_trials: Cell::Empty,
            numbers,
            alpha: None,
            gaps: [Some(model.gap), model.gap_norm],
            reason: model.reason,
        })?;
    }
    Ok(table.into_inner())
}

fn fold(values: &[f64], pick: fn(f64, f64) -> f64) -> f64 {
    let all = values.iter().copied().reduce(|a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { pick(a, b) });
    all.unwrap_or(f64::NAN)
}
