//! Which rows are presentations of the same stimulus.

use std::collections::HashMap;
use std::hash::Hash;

/// The rows of a matrix grouped by stimulus, in order of first appearance; within a stimulus in the order shown.
///
/// ```
/// use reliability::Repeats;
/// let repeats = Repeats::by_id(&["a", "b", "a", "c", "a"]);
/// assert_eq!(repeats.rows_of(0), [0, 2, 4]);
/// assert_eq!(repeats.counts(), [3, 1, 1]);
/// assert_eq!(repeats.n_rows(), 5);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeats {
    rows: Vec<Vec<usize>>,
    n_rows: usize,
}

/// Why repeats do not allow what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RepeatError {
    /// The matrix and the ids differ in number.
    #[error("{rows} rows, but {ids} stimulus ids; both need one per presentation")]
    Rows {
        /// Rows of the matrix.
        rows: usize,
        /// Ids given.
        ids: usize,
    },
    /// No stimulus was repeated.
    #[error(
        "{rows} rows of {stimuli} stimuli, none shown twice; a ceiling from repeats needs at least 2 of one stimulus"
    )]
    NoRepeats {
        /// Rows.
        rows: usize,
        /// Distinct stimuli.
        stimuli: usize,
    },
    /// Too few stimuli have as many repeats as a split needs.
    #[error(
        "{found} of {stimuli} stimuli have {repeats} repeats; a split-half correlation needs at least 3 such stimuli"
    )]
    TooFewStimuli {
        /// Stimuli with that many repeats.
        found: usize,
        /// Distinct stimuli.
        stimuli: usize,
        /// Repeats asked for.
        repeats: usize,
    },
    /// Fewer than two repeats cannot be split.
    #[error("{0} repeats; a split needs at least 2")]
    TooFewRepeats(usize),
}

impl Repeats {
    /// Groups rows whose ids are equal.
    pub fn by_id<I: Eq + Hash>(ids: &[I]) -> Repeats {
        let mut seen: HashMap<&I, usize> = HashMap::new();
        let mut rows: Vec<Vec<usize>> = Vec::new();
        for (row, id) in ids.iter().enumerate() {
            let stimulus = *seen.entry(id).or_insert(rows.len());
            if stimulus == rows.len() {
                rows.push(Vec::new());
            }
            rows[stimulus].push(row);
        }
        Repeats { rows, n_rows: ids.len() }
    }

    /// Distinct stimuli.
    pub fn n_stimuli(&self) -> usize {
        self.rows.len()
    }

    /// Presentations in all.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Rows of one stimulus, in the order shown.
    pub fn rows_of(&self, stimulus: usize) -> &[usize] {
        &self.rows[stimulus]
    }

    /// Presentations of every stimulus.
    pub fn counts(&self) -> Vec<usize> {
        self.rows.iter().map(Vec::len).collect()
    }

    /// Stimuli shown at least `n_repeats` times.
    pub fn shown_at_least(&self, n_repeats: usize) -> Vec<usize> {
        (0..self.n_stimuli()).filter(|&s| self.rows[s].len() >= n_repeats).collect()
    }

    /// Mean over stimuli of `1 / n`, the share of noise variance left in their averages.
    ///
    /// With A, B and C stimuli shown 3, 2 and 1 times it is `(A/3 + B/2 + C) / (A + B + C)`; with n times each, `1/n`.
    pub fn mean_inverse_count(&self) -> f64 {
        let inverse: Vec<f64> = self.rows.iter().map(|rows| 1.0 / rows.len() as f64).collect();
        statistics::mean(&inverse)
    }

    /// The presentations of the stimulus shown most often; 0 of no stimulus.
    pub fn most(&self) -> usize {
        self.rows.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The stimuli shown `n_repeats` times or more, of a matrix of so many rows; an error where they cannot be split:
    /// two points always correlate perfectly.
    pub(crate) fn to_split(&self, rows: usize, n_repeats: usize) -> Result<Vec<usize>, RepeatError> {
        self.check_rows(rows)?;
        if n_repeats < 2 {
            return Err(RepeatError::TooFewRepeats(n_repeats));
        }
        let stimuli = self.shown_at_least(n_repeats);
        match stimuli.len() {
            found @ 0..3 => Err(RepeatError::TooFewStimuli { found, stimuli: self.n_stimuli(), repeats: n_repeats }),
            _ => Ok(stimuli),
        }
    }

    pub(crate) fn check_rows(&self, rows: usize) -> Result<(), RepeatError> {
        if rows == self.n_rows { Ok(()) } else { Err(RepeatError::Rows { rows, ids: self.n_rows }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unequal_repeats_average_their_inverses() {
        let mut ids = Vec::new();
        for stimulus in 0..500 {
            let shown = if stimulus < 300 {
                3
            } else if stimulus < 450 {
                2
            } else {
                1
            };
            ids.extend(std::iter::repeat_n(stimulus, shown));
        }
        let repeats = Repeats::by_id(&ids);
        // (100 + 75 + 50) / 500
        assert!((repeats.mean_inverse_count() - 0.45).abs() < 1e-15);
        assert_eq!(repeats.shown_at_least(2).len(), 450);
        assert!(Repeats::by_id::<u8>(&[]).mean_inverse_count().is_nan());
    }
}
