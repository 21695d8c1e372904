//! Single trials of one subject: which rows are the same stimulus, their averages, and how they are split.

use std::ops::Range;

use anyhow::{Result, bail};
use array_inputs::{JoinArgs, NamedArray, NamedMatrix, refuse_position_of_trials};
use cli::{Input, Job};
use ndarray::{Array2, ArrayView2, s};
use npy_stream::{Block, Matrix};
use reliability::{Repeats, Splitting, Stepped, averages, reliability_of_measure, what_is_split};
use serde_json::json;
use statistics::mean;
use stimulus_table::Side;

/// How trials are split into halves.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct SplitArgs {
    /// Most splits of the trials that are averaged; all of them where there are fewer: 1 of 2 presentations, 3 of 3 or
    /// 4, 15 of 5, 10 of 6 (the sidecar has the number)
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    pub splits: usize,
    /// Seed of the splits, where there are more than --splits
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".into()),
        Ok(n) => Ok(n),
        Err(_) => Err(format!("{text:?} is no number of at least 1")),
    }
}

/// Trials (rows) x voxels (columns), grouped by stimulus.
pub(crate) struct Trials {
    pub responses: Matrix,
    pub repeats: Repeats,
    /// One id per stimulus, in the order of `repeats`.
    pub ids: Option<Vec<String>>,
}

impl Trials {
    /// Rows with equal labels are one stimulus; without labels every row is its own.
    pub fn new(responses: Matrix, labels: Option<Vec<String>>) -> Trials {
        let repeats = match &labels {
            Some(labels) => Repeats::by_id(labels),
            None => Repeats::by_id(&(0..responses.n_rows()).collect::<Vec<_>>()),
        };
        let ids =
            labels.map(|labels| (0..repeats.n_stimuli()).map(|s| labels[repeats.rows_of(s)[0]].clone()).collect());
        Trials { responses, repeats, ids }
    }

    /// The trials of these stimuli, in this order; each stimulus keeps the order of its presentations.
    pub fn of_stimuli(self, stimuli: &[usize]) -> Trials {
        if stimuli.iter().copied().eq(0..self.repeats.n_stimuli()) {
            return self;
        }
        let rows: Vec<usize> = stimuli.iter().flat_map(|&s| self.repeats.rows_of(s)).copied().collect();
        let stimulus_of_row: Vec<usize> =
            stimuli.iter().flat_map(|&s| std::iter::repeat_n(s, self.repeats.rows_of(s).len())).collect();
        Trials {
            responses: self.responses.select_rows(&rows),
            repeats: Repeats::by_id(&stimulus_of_row),
            ids: self.ids.as_ref().map(|ids| stimuli.iter().map(|&s| ids[s].clone()).collect()),
        }
    }

    pub fn n_voxels(&self) -> usize {
        self.responses.n_columns()
    }

    /// Whether these columns have a number in every trial.
    pub fn are_finite(&self, columns: Range<usize>) -> bool {
        match self.responses.view() {
            Block::F4(rows) => rows.slice(s![.., columns]).iter().all(|v| v.is_finite()),
            Block::F8(rows) => rows.slice(s![.., columns]).iter().all(|v| v.is_finite()),
        }
    }

    /// Trials in the average of a stimulus, as the noise left in it counts them: `1 / mean(1 / n)`.
    pub fn n_trials(&self) -> f64 {
        1.0 / self.repeats.mean_inverse_count()
    }

    /// Mean over the presentations of every stimulus: stimuli x voxels.
    pub fn averages(&self) -> Array2<f64> {
        match self.responses.view() {
            Block::F4(rows) => averages(rows, &self.repeats),
            Block::F8(rows) => averages(rows, &self.repeats),
        }
    }

    /// [`Trials::averages`], in the width of the responses where every stimulus is shown once: they are their averages.
    pub fn into_averages(self) -> Matrix {
        // Stimuli are in the order in which they occur first.
        if self.repeats.n_stimuli() == self.repeats.n_rows() { self.responses } else { Matrix::F8(self.averages()) }
    }
}

/// A subject's trials, in the stimulus order of the first subject.
pub(crate) struct Subject {
    pub name: String,
    pub source: String,
    pub trials: Trials,
}

/// One matrix per subject, their stimuli joined by id.
pub(crate) fn subjects_by_id(job: &Job, join: JoinArgs, arrays: Vec<NamedArray>) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for array in arrays {
        let named = array.into_matrix()?;
        subjects.push(Subject {
            name: named.name,
            source: named.source,
            trials: Trials::new(named.matrix, named.labels.ids),
        });
    }
    let sides: Vec<Side> = subjects
        .iter()
        .map(|s| Side { name: &s.source, labels: s.trials.ids.as_deref(), n_rows: s.trials.repeats.n_stimuli() })
        .collect();
    let n_rows: Vec<usize> = subjects.iter().map(|s| s.trials.responses.n_rows()).collect();
    refuse_position_of_trials(&sides, &n_rows)?;
    let stimuli = join.join_all(job, &sides)?;
    let in_order =
        |(subject, stimuli): (Subject, Vec<usize>)| Subject { trials: subject.trials.of_stimuli(&stimuli), ..subject };
    Ok(subjects.into_iter().zip(stimuli).map(in_order).collect())
}

/// Mean over voxels of every trial.
pub(crate) fn trial_means(trials: &Trials) -> Vec<f64> {
    fn all<T: Copy + Into<f64>>(rows: ArrayView2<T>) -> Vec<f64> {
        rows.rows().into_iter().map(|row| mean(&row.iter().map(|v| (*v).into()).collect::<Vec<f64>>())).collect()
    }
    match trials.responses.view() {
        Block::F4(rows) => all(rows),
        Block::F8(rows) => all(rows),
    }
}

/// Warns of arrays whose trials have been through one choice or fit, as far as their records tell.
pub(crate) fn warn_of_dependent_trials(job: &Job, inputs: &[Input]) {
    job.warn_of_dependent_trials(inputs, "reliabilities, and all that is divided by them, are not without bias");
}

/// Which trials are of one stimulus; an error without ids.
pub(crate) fn repeats_of(trials: &NamedMatrix) -> Result<Repeats> {
    match &trials.labels.ids {
        Some(ids) => Ok(Repeats::by_id(ids)),
        None => bail!(
            "{}: {} rows without ids; repeats are told by their stimulus id: write ids with `npy label`",
            trials.source,
            trials.matrix.n_rows()
        ),
    }
}

/// The halves that the reliability of these trials rests on, for the sidecar, and on stderr where they are not of all.
pub(crate) fn record_splits(job: &Job, source: &str, repeats: &Repeats, how: SplitArgs) {
    if let Some(Splitting { presentations, n_stimuli, n_splits }) = Splitting::of(repeats, how.splits) {
        let facts = json!({ "n_splits": n_splits, "n_presentations": presentations, "n_stimuli": n_stimuli });
        job.record(&format!("splits of {source}"), facts);
        say_what_is_split(job, source, repeats, presentations);
    }
}

/// Which trials a reliability is of, where that is not all of them; a warning where it is of few of the stimuli.
pub(crate) fn say_what_is_split(job: &Job, source: &str, repeats: &Repeats, presentations: usize) {
    match what_is_split(repeats, presentations) {
        Some((text, true)) => job.warn(format!("{source}: {text}")),
        Some((text, false)) => job.note(format!("{source}: {text}")),
        None => {}
    }
}

/// Where a reliability of RDMs is stepped up.
pub(crate) fn warn_of_rdms(job: &Job, source: &str) {
    job.warn(format!(
        "{source}: the reliability of an RDM is stepped up as if its noise were additive; it is too low, and scores over \
         its root too high, where noise is strong: `ceiling gsn` models that"
    ));
}

/// Mean correlation over splits of any measure of the two halves, stepped up; `None` where nothing can be split.
/// `correlate` gets the stimuli shown often enough and the presentations of the two halves.
pub(crate) fn reliability_of(
    trials: &Trials,
    how: SplitArgs,
    correlate: impl FnMut(&[usize], &[usize], &[usize]) -> Result<f64>,
) -> Result<Option<Stepped>> {
    reliability_of_measure(&trials.repeats, trials.n_trials(), how.splits, how.seed, correlate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn trials_are_averaged_and_picked_by_stimulus() {
        let labels: Vec<String> = ["a", "b", "a", "c", "b", "a"].map(String::from).to_vec();
        let responses = Matrix::F4(array![[1.0, 0.0], [5.0, 1.0], [2.0, 0.0], [7.0, 2.0], [7.0, 1.0], [6.0, 3.0]]);
        let trials = Trials::new(responses, Some(labels));
        assert_eq!(trials.averages(), array![[3.0, 1.0], [6.0, 1.0], [7.0, 2.0]]);
        assert!((trials.n_trials() - 3.0 / (1.0 / 3.0 + 0.5 + 1.0)).abs() < 1e-15);
        let some = trials.of_stimuli(&[2, 0]);
        assert_eq!(some.averages(), array![[7.0, 2.0], [3.0, 1.0]]);
        assert_eq!(some.ids.unwrap(), ["c", "a"]);
    }
}
