//! `ceiling between`: how well people predict each other.

use crate::rdm_bounds::say_left_out;
use crate::trials::{SplitArgs, Subject, record_splits, reliability_of, subjects_by_id, trial_means};
use crate::voxel::{count_reasons, whole};
use anyhow::{Result, anyhow, bail};
use array_inputs::{JoinArgs, NamedArray, Names, read_arrays, tell_apart};
use clap::ValueEnum;
use cli::{Cell, Common, Format, Input, Job, Named, Output, TableWriter};
use ndarray::{Array2, ArrayView2};
use npy_stream::{Block, Matrix};
use rdm::{Distance, Rdm, distances, noise_ceiling, to_be_pooled};
use rdm_inputs::{NamedRdm, check_nan, from_array, into_one_order, is_rdm};
use reliability::{
    Agreement, Stepped, average_occurrences, between_subjects, between_subjects_by_voxel, presentations_to_split,
    r_max, reliability_of_averages,
};
use statistics::{Correlation, Reason, mean, median, pearson};

/// Subjects against each other: median of the pairs, and each against the mean of the others
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns (one row per subject, then rows `median`, `min` and `max` over subjects; trials of a
stimulus, which have equal ids, are averaged first):
  subject
  stat, compare
  n_stimuli             stimuli, joined by id
  n_voxels              the subject's columns; with --stat voxel those that the medians are over
  n_trials              trials in the averages: 1 / mean(1 / n) over stimuli
  median_pairwise       median of the correlations with each other subject: compare with a model's r
  leave_one_out         correlation with the mean of the other subjects: compare with a model's r.
                        Profiles and voxels are averaged as they are, RDMs as `ceiling rdm` pools
                        them (z-scored for pearson, ranked for spearman)
  r_halves              split-half Pearson of the subject's own trials, as it is
  reliability           of the subject's own averages: r_halves stepped up to n_trials by
                        Spearman-Brown: bounds r2. NaN where that would fall below -1
  r_max                 sqrt(reliability): bounds r
  median_pairwise_norm  as median_pairwise, of r / sqrt(reliability_i * reliability_j)
  leave_one_out_norm    r / sqrt(reliability_i * reliability of the mean of the others)
  reason                constant, nan_input, negative_reliability, no_usable_pair
r_halves, reliability, r_max and the _norm columns need repeated trials in all subjects, else they
are empty. Voxels without a value (constant, reliability below 0) are counted on stderr.
Corrected values are not clipped and may exceed 1. The correction takes noise to be independent
between subjects: do not give two regions of one person. A 1-d array is an RDM and goes with --stat
rdm.

Examples:
  cat sub-*/ffa.npy | ceiling between > humans.csv
  ceiling between --stat rdm --compare spearman sub-*/ffa.npy
  ceiling between --stat voxel sub-*/common_space.npy")]
pub(crate) struct Between {
    /// One labelled matrix per subject, in files or back to back in a stream; - is stdin
    #[arg(value_name = "SUBJECT", default_value = "-")]
    inputs: Vec<Input>,
    /// What is compared
    #[arg(long, value_enum, default_value_t = Stat::Profile)]
    stat: Stat,
    /// Correlation of two subjects
    #[arg(long, value_enum, default_value_t = Compare::Pearson)]
    compare: Compare,
    #[command(flatten)]
    split: SplitArgs,
    /// Names of the subjects, in order [default: their own, else file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    names: Vec<String>,
    /// Use RDMs of which more than 10 % of the pairs are NaN
    #[arg(long)]
    allow_nan: bool,
    #[command(flatten)]
    join: JoinArgs,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// What of a subject is compared with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stat {
    /// Mean over voxels of every stimulus
    Profile,
    /// 1 - Pearson RDM of the patterns, or RDMs as they are given
    Rdm,
    /// Every voxel by itself (columns correspond across subjects); the median over voxels
    Voxel,
}

impl Stat {
    /// Its name on the command line and in the table.
    fn as_str(self) -> &'static str {
        match self {
            Stat::Profile => "profile",
            Stat::Rdm => "rdm",
            Stat::Voxel => "voxel",
        }
    }
}

/// The correlation between two subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compare {
    /// Product-moment correlation
    Pearson,
    /// Rank correlation
    Spearman,
}

impl Compare {
    /// As the shared type.
    fn correlation(self) -> Correlation {
        match self {
            Compare::Pearson => Correlation::Pearson,
            Compare::Spearman => Correlation::Spearman,
        }
    }
}

pub(crate) fn run(args: &Between) -> Result<()> {
    let job = Job::start("ceiling", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    job.record("seed", args.split.seed);
    let mut arrays = read_arrays(&job, &args.inputs, &mut Names::new(&args.names))?;
    tell_apart(&mut arrays)?;
    if arrays.len() < 2 {
        bail!("{}: 1 subject; a ceiling between subjects needs at least 2", arrays[0].source);
    }
    let n_rdms = arrays.iter().filter(|a| is_rdm(&a.array)).count();
    let rows = match (args.stat, n_rdms) {
        (_, 0) => of_patterns(&job, args, subjects_by_id(&job, args.join, arrays)?)?,
        (Stat::Rdm, n) if n == arrays.len() => of_rdms(&job, args, arrays)?,
        (Stat::Rdm, n) => bail!(
            "{n} of {} subjects are RDMs (1-d, or square and symmetric with a zero diagonal), the others matrices; give one kind",
            arrays.len()
        ),
        (stat, n) => bail!(
            "{n} of {} subjects are RDMs (1-d, or square and symmetric with a zero diagonal); --stat {} needs matrices, RDMs go with --stat rdm",
            arrays.len(),
            stat.as_str()
        ),
    };
    for row in &rows {
        if let Some(reason) = row.reason {
            let effect = match reason {
                Reason::NegativeReliability => "corrected values with it are NaN",
                _ => "the values of the others are without it",
            };
            job.warn(format!("subject {}: {reason}; {effect}", row.subject));
        }
    }
    write(args, out, &rows)?.commit(&job)
}

/// One line of the table.
struct Row {
    subject: String,
    n_stimuli: usize,
    n_voxels: Option<usize>,
    n_trials: Option<f64>,
    median_pairwise: f64,
    leave_one_out: f64,
    /// Empty without repeats.
    corrected: Option<Corrected>,
    reason: Option<Reason>,
}

#[derive(Clone, Copy)]
struct Corrected {
    r_halves: f64,
    reliability: f64,
    median_pairwise: f64,
    leave_one_out: f64,
}

fn of_patterns(job: &Job, args: &Between, subjects: Vec<Subject>) -> Result<Vec<Row>> {
    subjects.iter().for_each(|s| record_splits(job, &s.source, &s.trials.repeats, args.split));
    let without = subjects.iter().filter(|s| presentations_to_split(&s.trials.repeats).is_none());
    let corrected = match without.clone().count() {
        0 => true,
        n => {
            let repeated = n < subjects.len() || subjects.iter().any(|s| s.trials.n_trials() > 1.0);
            if let (true, Some(first)) = (repeated, without.clone().next()) {
                job.note(format!(
                    "{}: fewer than 3 stimuli shown twice, as in {n} of {} subjects: no reliability, nothing corrected",
                    first.source,
                    subjects.len()
                ));
            }
            false
        }
    };
    let how = args.compare.correlation();
    match args.stat {
        Stat::Voxel => of_voxels(job, args, &subjects, corrected),
        Stat::Profile => {
            let vectors: Vec<Vec<f64>> = subjects.iter().map(|s| row_means(s.trials.averages().view())).collect();
            let own = |s: &Subject| -> Result<Option<Stepped>> {
                let by_trial = Array2::from_shape_vec((s.trials.responses.n_rows(), 1), trial_means(&s.trials))?;
                let found = reliability_of_averages(
                    by_trial.view(),
                    &s.trials.repeats,
                    s.trials.n_trials(),
                    args.split.splits,
                    args.split.seed,
                );
                let half = found.map_err(|e| anyhow!("{}: {e}", s.source))?[0];
                Ok(Some(Stepped { r_halves: half.r, reliability: half.reliability }))
            };
            of_vectors(&subjects, vectors, how, corrected, own)
        }
        Stat::Rdm => {
            let mut rdms = Vec::new();
            for s in &subjects {
                let made = distances(s.trials.averages().view(), Distance::Correlation);
                rdms.push(NamedRdm {
                    name: s.name.clone(),
                    own: None,
                    source: s.source.clone(),
                    rdm: made.map_err(|e| anyhow!("{}: {e}", s.source))?.rdm,
                });
            }
            let vectors = pooled_alike(job, args, &rdms, how)?;
            of_vectors(&subjects, vectors, how, corrected, |s| {
                rdm_reliability(s, args).map_err(|e| anyhow!("{}: {e}", s.source))
            })
        }
    }
}

fn row_means(rows: ArrayView2<f64>) -> Vec<f64> {
    rows.rows().into_iter().map(|row| mean(&row.to_vec())).collect()
}

/// One vector per subject, all over the same stimuli or pairs.
fn of_vectors(
    subjects: &[Subject],
    vectors: Vec<Vec<f64>>,
    how: Correlation,
    corrected: bool,
    reliability: impl Fn(&Subject) -> Result<Option<Stepped>>,
) -> Result<Vec<Row>> {
    let views: Vec<&[f64]> = vectors.iter().map(Vec::as_slice).collect();
    let raw = between_subjects(&views, how, None)?;
    let mut stepped = Vec::new();
    if corrected {
        for subject in subjects {
            stepped.push(reliability(subject)?.unwrap_or(Stepped { r_halves: f64::NAN, reliability: f64::NAN }));
        }
    }
    let reliabilities: Vec<f64> = stepped.iter().map(|s| s.reliability).collect();
    let normed = match corrected {
        true => Some(between_subjects(&views, how, Some(&reliabilities))?),
        false => None,
    };
    let row = |(i, subject): (usize, &Subject)| {
        let norm = normed.as_ref().map(|n| n[i]);
        Row {
            subject: subject.name.clone(),
            n_stimuli: subject.trials.repeats.n_stimuli(),
            n_voxels: Some(subject.trials.n_voxels()),
            n_trials: Some(subject.trials.n_trials()),
            median_pairwise: raw[i].median_of_pairs,
            leave_one_out: raw[i].leave_one_out,
            corrected: norm.map(|n| Corrected {
                r_halves: stepped[i].r_halves,
                reliability: reliabilities[i],
                median_pairwise: n.median_of_pairs,
                leave_one_out: n.leave_one_out,
            }),
            reason: raw[i].reason.or(norm.and_then(|n| n.reason)),
        }
    };
    Ok(subjects.iter().enumerate().map(row).collect())
}

/// The pairs that are finite in all RDMs, normalised so that their plain mean is the pool that the comparison needs.
/// The leave-one-out values are then the terms of the lower bound of `ceiling rdm`.
fn pooled_alike(job: &Job, args: &Between, rdms: &[NamedRdm], how: Correlation) -> Result<Vec<Vec<f64>>> {
    for named in rdms {
        check_nan(job, &named.source, &named.rdm, "; left out for all subjects", args.allow_nan)?;
    }
    let plain: Vec<Rdm> = rdms.iter().map(|named| named.rdm.clone()).collect();
    Ok(to_be_pooled(&plain, how.into())?)
}

fn rdm_reliability(subject: &Subject, args: &Between) -> Result<Option<Stepped>> {
    let trials = &subject.trials;
    reliability_of(trials, args.split, |stimuli, a, b| {
        let half = |shown: &[usize]| -> Result<Rdm> {
            let means = match trials.responses.view() {
                Block::F4(rows) => average_occurrences(rows, &trials.repeats, stimuli, shown),
                Block::F8(rows) => average_occurrences(rows, &trials.repeats, stimuli, shown),
            };
            Ok(distances(means.view(), Distance::Correlation)?.rdm)
        };
        let (a, b) = (half(a)?, half(b)?);
        let finite = |(x, y): &(&f64, &f64)| x.is_finite() && y.is_finite();
        let (x, y): (Vec<f64>, Vec<f64>) = a.values().iter().zip(b.values()).filter(finite).unzip();
        Ok(pearson(&x, &y))
    })
}

fn of_rdms(job: &Job, args: &Between, arrays: Vec<NamedArray>) -> Result<Vec<Row>> {
    let mut rdms = arrays.into_iter().map(from_array).collect::<Result<Vec<NamedRdm>>>()?;
    into_one_order(job, args.join, &mut rdms)?;
    let how = args.compare.correlation();
    let vectors = pooled_alike(job, args, &rdms, how)?;
    let views: Vec<&[f64]> = vectors.iter().map(Vec::as_slice).collect();
    let found = between_subjects(&views, how, None)?;
    let plain: Vec<Rdm> = rdms.iter().map(|r| r.rdm.clone()).collect();
    // A constant adds nothing to the others' pools, and its own row is NaN.
    say_left_out(job, &noise_ceiling(&plain, how.into())?, &rdms);
    let row = |(named, found): (&NamedRdm, &Agreement)| Row {
        subject: named.name.clone(),
        n_stimuli: named.rdm.n_stimuli(),
        n_voxels: None,
        n_trials: None,
        median_pairwise: found.median_of_pairs,
        leave_one_out: found.leave_one_out,
        corrected: None,
        reason: found.reason,
    };
    Ok(rdms.iter().zip(&found).map(row).collect())
}

fn of_voxels(job: &Job, args: &Between, subjects: &[Subject], corrected: bool) -> Result<Vec<Row>> {
    let n_voxels = subjects[0].trials.n_voxels();
    if let Some(other) = subjects.iter().find(|s| s.trials.n_voxels() != n_voxels) {
        bail!(
            "{}: {} voxels, but {} has {n_voxels}; --stat voxel needs a common space, where columns correspond \
             (--stat profile and rdm do not)",
            other.source,
            other.trials.n_voxels(),
            subjects[0].source
        );
    }
    let how = args.compare.correlation();
    let averages: Vec<Matrix> = subjects.iter().map(|s| Matrix::F8(s.trials.averages())).collect();
    let views: Vec<ArrayView2<f64>> = averages
        .iter()
        .filter_map(|m| match m.view() {
            Block::F8(rows) => Some(rows),
            Block::F4(_) => None,
        })
        .collect();
    let raw = between_subjects_by_voxel(&views, how, None)?;
    let mut own = Array2::from_elem((subjects.len(), n_voxels), f64::NAN);
    let mut halves = own.clone();
    if corrected {
        for (i, subject) in subjects.iter().enumerate() {
            let t = &subject.trials;
            let found = match t.responses.view() {
                Block::F4(rows) => {
                    reliability_of_averages(rows, &t.repeats, t.n_trials(), args.split.splits, args.split.seed)
                }
                Block::F8(rows) => {
                    reliability_of_averages(rows, &t.repeats, t.n_trials(), args.split.splits, args.split.seed)
                }
            };
            let found = found.map_err(|e| anyhow!("{}: {e}", subject.source))?;
            for (v, half) in found.iter().enumerate() {
                (own[(i, v)], halves[(i, v)]) = (half.reliability, half.r);
            }
        }
    }
    let normed = match corrected {
        true => Some(between_subjects_by_voxel(&views, how, Some(own.view()))?),
        false => None,
    };
    let mut rows = Vec::new();
    for (i, subject) in subjects.iter().enumerate() {
        let reasons: Vec<Option<Reason>> =
            (0..n_voxels).map(|v| raw[v][i].reason.or(normed.as_ref().and_then(|n| n[v][i].reason))).collect();
        if let Some(text) = count_reasons(&reasons) {
            job.warn(format!("{}: {text}; medians are over the others", subject.source));
        }
        // Only voxels that have a value: the line above counts the rest.
        let over_voxels = |value: &dyn Fn(usize) -> f64| -> f64 {
            let values: Vec<f64> = (0..n_voxels).map(value).filter(|v| !v.is_nan()).collect();
            median(&values)
        };
        let usable = (0..n_voxels).filter(|&v| !raw[v][i].median_of_pairs.is_nan()).count();
        rows.push(Row {
            subject: subject.name.clone(),
            n_stimuli: subject.trials.repeats.n_stimuli(),
            n_voxels: Some(usable),
            n_trials: Some(subject.trials.n_trials()),
            median_pairwise: over_voxels(&|v| raw[v][i].median_of_pairs),
            leave_one_out: over_voxels(&|v| raw[v][i].leave_one_out),
            corrected: normed.as_ref().map(|n| Corrected {
                r_halves: over_voxels(&|v| halves[(i, v)]),
                reliability: over_voxels(&|v| own[(i, v)]),
                median_pairwise: over_voxels(&|v| n[v][i].median_of_pairs),
                leave_one_out: over_voxels(&|v| n[v][i].leave_one_out),
            }),
            reason: if usable == 0 { reasons.iter().flatten().copied().next() } else { None },
        });
    }
    Ok(rows)
}

const COLUMNS: [&str; 14] = [
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
    "reason",
];

impl Row {
    /// The columns that are summarized over subjects, with their names; `None` where nothing could be corrected.
    fn numbers(&self) -> [(&'static str, Option<f64>); 7] {
        let c = self.corrected;
        [
            ("median_pairwise", Some(self.median_pairwise)),
            ("leave_one_out", Some(self.leave_one_out)),
            ("r_halves", c.map(|c| c.r_halves)),
            ("reliability", c.map(|c| c.reliability)),
            ("r_max", c.map(|c| r_max(c.reliability).0)),
            ("median_pairwise_norm", c.map(|c| c.median_pairwise)),
            ("leave_one_out_norm", c.map(|c| c.leave_one_out)),
        ]
    }
}

fn write(args: &Between, out: Output, rows: &[Row]) -> Result<Output> {
    let mut table = TableWriter::new(out, args.format, &COLUMNS)?;
    let mut write = |subject: &str, counts: [Named; 3], numbers: [(&str, Option<f64>); 7], reason: Option<Reason>| {
        let mut cells: Vec<Named> = vec![
            ("subject", subject.into()),
            ("stat", args.stat.as_str().into()),
            ("compare", args.compare.correlation().as_str().into()),
        ];
        cells.extend(counts);
        cells.extend(numbers.map(|(name, number)| (name, number.into())));
        cells.push(("reason", reason.into()));
        table.record(&cells)
    };
    for row in rows {
        let counts = [
            ("n_stimuli", row.n_stimuli.into()),
            ("n_voxels", row.n_voxels.into()),
            ("n_trials", row.n_trials.map_or(Cell::Empty, whole)),
        ];
        write(&row.subject, counts, row.numbers(), row.reason)?;
    }
    // NaN of one subject is NaN here too: a median over those that happened to work would hide it.
    type Summary = fn(&[f64]) -> f64;
    let summaries: [(&str, Summary); 3] =
        [("median", median), ("min", |v| fold(v, f64::min)), ("max", |v| fold(v, f64::max))];
    let reason = rows.iter().find_map(|r| r.reason);
    for (name, summary) in summaries {
        let mut numbers = rows[0].numbers();
        for (k, (_, number)) in numbers.iter_mut().enumerate() {
            let values: Option<Vec<f64>> = rows.iter().map(|row| row.numbers()[k].1).collect();
            *number = values.map(|values| summary(&values));
        }
        let counts = [("n_stimuli", rows[0].n_stimuli.into()), ("n_voxels", Cell::Empty), ("n_trials", Cell::Empty)];
        write(name, counts, numbers, reason)?;
    }
    Ok(table.into_inner())
}

fn fold(values: &[f64], pick: fn(f64, f64) -> f64) -> f64 {
    let all = values.iter().copied().reduce(|a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { pick(a, b) });
    all.unwrap_or(f64::NAN)
}
