//! The systems of `rsa compare`, whatever they are: names, and a score for any two of them.

use anyhow::Result;
use ndarray::Array2;
use rayon::prelude::*;
use rdm::{Compared, Comparison, Rdm, StimulusCovariance, compare_all_under};
use statistics::Reason;

/// What one pair of systems gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Score {
    pub value: f64,
    /// Pairs of stimuli it rests on; matrices have none.
    pub n_pairs: Option<usize>,
    /// Why it is NaN.
    pub reason: Option<Reason>,
}

impl From<Compared> for Score {
    fn from(found: Compared) -> Score {
        let reason = match (found.value.is_nan(), found.n_pairs) {
            (false, _) => None,
            (true, 0) => Some(Reason::NanInput),
            (true, _) => Some(Reason::Constant),
        };
        Score { value: found.value, n_pairs: Some(found.n_pairs), reason }
    }
}

/// Systems over the same stimuli in the same order, brains first.
pub(super) struct Systems {
    pub names: Vec<String>,
    /// Where each came from, for messages.
    pub sources: Vec<String>,
    pub n_brains: usize,
    pub n_stimuli: usize,
    /// What the column `compare` says.
    pub compare: String,
    /// Which have no score with anything, being constant.
    pub constant: Vec<bool>,
    pub content: Content,
}

/// What the scores are computed from.
pub(super) enum Content {
    /// RDMs as they are: the only systems that have ceilings, are fitted, and are resampled.
    Whole(WholeRdms),
    /// Anything else.
    Other {
        score: Scorer,
        /// Whether scoring many rows together is cheaper than one by one.
        together: bool,
    },
}

/// Scores of the systems of the first list (rows) with those of the second.
pub(super) type Scorer = Box<dyn Fn(&[usize], &[usize]) -> Result<Array2<Score>> + Sync>;

/// One RDM per system.
pub(super) struct WholeRdms {
    pub rdms: Vec<Rdm>,
    pub how: Comparison,
    pub sigma: Option<StimulusCovariance>,
    /// With a fitted `--model` the components of each model, of which `rdms` has the first.
    pub components: Vec<Vec<Rdm>>,
    /// The names that stand behind them.
    pub component_names: Vec<Vec<Option<String>>>,
}

impl WholeRdms {
    /// The RDMs of some of the systems.
    pub fn of(&self, some: &[usize]) -> Vec<Rdm> {
        some.iter().map(|&k| self.rdms[k].clone()).collect()
    }

    pub fn scores(&self, rows: &[usize], columns: &[usize]) -> Result<Array2<Score>> {
        let found = compare_all_under(&self.of(rows), &self.of(columns), self.how, self.sigma.as_ref())?;
        Ok(found.mapv(Score::from))
    }
}

impl Systems {
    pub fn scores(&self, rows: &[usize], columns: &[usize]) -> Result<Array2<Score>> {
        match &self.content {
            Content::Whole(whole) => whole.scores(rows, columns),
            Content::Other { score, .. } => score(rows, columns),
        }
    }

    /// Every system with every other and with itself; exactly symmetric.
    pub fn square(&self) -> Result<Array2<Score>> {
        let all: Vec<usize> = (0..self.names.len()).collect();
        let together = match &self.content {
            // Rank correlations by pairs are no matrix product: half of the square is half of the work.
            Content::Whole(whole) => !matches!(whole.how, Comparison::Kendall | Comparison::TauA),
            Content::Other { together, .. } => *together,
        };
        let mut square = if together {
            self.scores(&all, &all)?
        } else {
            let one = |k: &usize| self.scores(&all[*k..=*k], &all[*k..]);
            let rows: Vec<Array2<Score>> = all.par_iter().map(one).collect::<Result<_>>()?;
            Array2::from_shape_fn((all.len(), all.len()), |(i, j)| rows[i.min(j)][(0, j.abs_diff(i))])
        };
        for i in 0..all.len() {
            for j in 0..i {
                square[(i, j)] = square[(j, i)];
            }
        }
        Ok(square)
    }
}
