//! Which rows are multiplied with which.

use crate::RdmError;

/// Which condition and which fold (run, session) every row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Design {
    pub(super) condition: Vec<usize>,
    pub(super) fold: Vec<usize>,
    pub(super) n_conditions: usize,
    pub(super) n_folds: usize,
    /// Rows of condition `c` in fold `f` at `f * n_conditions + c`.
    pub(super) counts: Vec<usize>,
}

impl Design {
    /// One condition and one fold per row, both counted from 0 without gaps.
    ///
    /// # Panics
    /// When the two lists are not of the same length.
    pub fn new(condition: &[usize], fold: &[usize]) -> Result<Design, RdmError> {
        assert_eq!(condition.len(), fold.len(), "one condition and one fold per row");
        let most = |of: &[usize]| of.iter().max().map_or(0, |largest| largest + 1);
        let (n_conditions, n_folds) = (most(condition), most(fold));
        if n_folds < 2 {
            return Err(RdmError::TooFewFolds { n_folds });
        }
        let mut counts = vec![0; n_conditions * n_folds];
        condition.iter().zip(fold).for_each(|(c, f)| counts[f * n_conditions + c] += 1);
        Ok(Design { condition: condition.to_vec(), fold: fold.to_vec(), n_conditions, n_folds, counts })
    }

    /// Number of conditions: the stimuli of the RDM.
    pub fn n_conditions(&self) -> usize {
        self.n_conditions
    }

    /// Number of folds.
    pub fn n_folds(&self) -> usize {
        self.n_folds
    }

    /// Rows of a condition in a fold.
    pub fn count(&self, condition: usize, fold: usize) -> usize {
        self.counts[fold * self.n_conditions + condition]
    }

    /// The rows of a condition.
    pub fn rows_of(&self, condition: usize) -> impl Iterator<Item = usize> {
        self.condition.iter().enumerate().filter(move |(_, c)| **c == condition).map(|(row, _)| row)
    }

    /// Whether every condition is in every fold, however often.
    pub fn is_complete(&self) -> bool {
        self.counts.iter().all(|n| *n > 0)
    }

    /// Whether every condition is in every fold equally often.
    pub fn is_balanced(&self) -> bool {
        (0..self.n_conditions).all(|c| {
            let first = self.count(c, 0);
            first > 0 && (1..self.n_folds).all(|f| self.count(c, f) == first)
        })
    }

    /// Pairs of conditions that are each in two folds or more, but in fewer than two of the same: they have no distance
    /// by [`FoldWeights::Folds`].
    pub fn n_pairs_apart(&self) -> usize {
        let enough = |c: usize| self.n_folds_of(c) > 1;
        let common =
            |i: usize, j: usize| (0..self.n_folds).filter(|f| self.count(i, *f) * self.count(j, *f) > 0).count();
        let pairs = (0..self.n_conditions).flat_map(|i| (0..i).map(move |j| (i, j)));
        pairs.filter(|(i, j)| enough(*i) && enough(*j) && common(*i, *j) < 2).count()
    }

    /// The folds in which a condition occurs.
    pub(super) fn n_folds_of(&self, condition: usize) -> usize {
        (0..self.n_folds).filter(|f| self.count(condition, *f) > 0).count()
    }
}

/// How folds of different size are put together. Where every condition is in every fold equally often, both are the
/// same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FoldWeights {
    /// Patterns are averaged within folds, and the differences of two conditions within one fold are multiplied with
    /// those within another; the mean over pairs of folds that have both conditions. What is common to a fold cancels.
    Folds,
    /// All pairs of rows of different folds weigh the same, in each of the three products that make a distance: what
    /// rsatoolbox's `calc_rdm_unbalanced` does. What is common to all patterns cancels only in a balanced design.
    Pairs,
}

impl FoldWeights {
    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            FoldWeights::Folds => "folds",
            FoldWeights::Pairs => "pairs",
        }
    }
}
