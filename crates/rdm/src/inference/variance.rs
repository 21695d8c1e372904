//! From replicates to the variance of anything linear in the scores.

use ndarray::{Array2, ArrayView1};

use super::Replicates;

/// To what other data a test speaks: what was resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generalize {
    /// New subjects, the same stimuli.
    Subjects,
    /// New stimuli, the same subjects.
    Stimuli,
    /// New subjects and new stimuli.
    Both,
}

impl Generalize {
    /// Its name on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Generalize::Subjects => "subjects",
            Generalize::Stimuli => "stimuli",
            Generalize::Both => "both",
        }
    }

    /// The number that limits the inference: of subjects, of stimuli, or the smaller of the two. Degrees of freedom are
    /// one less (as in rsatoolbox).
    pub fn n(self, n_subjects: usize, n_stimuli: usize) -> usize {
        match self {
            Generalize::Subjects => n_subjects,
            Generalize::Stimuli => n_stimuli,
            Generalize::Both => n_subjects.min(n_stimuli),
        }
    }
}

/// The variance of an estimate from its variances over draws: `[v]` of one factor, or `[both, subjects, stimuli]`.
///
/// Of one factor `v n / (n - 1)`. Of two, with `s = n_subjects / (n_subjects - 1)` and
/// `p = n_stimuli / (n_stimuli - 1)`,
///
/// `s v_subjects + p v_stimuli - s p (v_both - v_subjects - v_stimuli)`,
///
/// not below `s v_subjects` nor `p v_stimuli`, and not above `v_both`: the bootstrap of both counts the noise of a
/// single measurement three times, the bootstraps of one factor once each. Schuett et al. (2023), eq. 12; rsatoolbox's
/// `_dual_bootstrap` and `_correct_1d`.
///
/// ```
/// use rdm::inference::{Generalize, corrected_variance};
/// assert_eq!(corrected_variance(&[0.8], Generalize::Subjects, 5, 92), 1.0);
/// // 5/4 and 5/4: 0.25 + 0.25 - 25/16 * (0.56 - 0.4) = 0.25, the larger of the two, below 0.56
/// assert!((corrected_variance(&[0.56, 0.2, 0.2], Generalize::Both, 5, 5) - 0.25).abs() < 1e-15);
/// ```
pub fn corrected_variance(over_draws: &[f64], over: Generalize, n_subjects: usize, n_stimuli: usize) -> f64 {
    let small = |n: usize| n as f64 / (n as f64 - 1.0);
    match (over, over_draws) {
        (Generalize::Subjects, [v]) => small(n_subjects) * v,
        (Generalize::Stimuli, [v]) => small(n_stimuli) * v,
        (Generalize::Both, [both, subjects, stimuli]) => {
            let (s, p) = (small(n_subjects), small(n_stimuli));
            let found = s * subjects + p * stimuli - s * p * (both - subjects - stimuli);
            // f64::max would let a NaN go.
            if found.is_nan() { f64::NAN } else { found.max(s * subjects).max(p * stimuli).min(*both) }
        }
        _ => f64::NAN,
    }
}

/// The replicates that count, for variances of anything linear in their columns.
#[derive(Debug, Clone)]
pub struct Spread {
    over: Generalize,
    n_subjects: usize,
    n_stimuli: usize,
    /// Per table one row per draw that counts; columns of no interest are `NaN`.
    tables: Vec<Array2<f64>>,
    /// The same per table and repetition of the folds, where models are fitted.
    repeats: Vec<Vec<Array2<f64>>>,
    /// Draws in which every column of interest has a value in every table.
    pub draws: Vec<usize>,
}

impl Spread {
    /// Over the draws in which these columns are finite in all tables; the variance of other columns is `NaN`.
    pub fn new(
        replicates: &Replicates,
        columns: &[usize],
        over: Generalize,
        n_subjects: usize,
        n_stimuli: usize,
    ) -> Spread {
        let n_draws = replicates.tables.first().map_or(0, Array2::nrows);
        let draws: Vec<usize> = (0..n_draws)
            .filter(|&d| replicates.tables.iter().all(|table| columns.iter().all(|&c| table[(d, c)].is_finite())))
            .collect();
        let kept = |table: &Array2<f64>| {
            let mut kept = Array2::from_elem((draws.len(), table.ncols()), f64::NAN);
            for &c in columns {
                draws.iter().enumerate().for_each(|(row, &d)| kept[(row, c)] = table[(d, c)]);
            }
            kept
        };
        let tables = replicates.tables.iter().map(kept).collect();
        let repeats = replicates.repeats.iter().map(|of_table| of_table.iter().map(kept).collect()).collect();
        Spread { over, n_subjects, n_stimuli, tables, repeats, draws }
    }

    /// The variance of `sum weight * column`. The sums are taken draw by draw: from covariances, the variance of a
    /// small difference of two large columns would be what rounding left of them.
    ///
    /// Of fitted models it is what it would be if every draw were scored with infinitely many random folds: with `v_r`
    /// of the means of r repetitions and `v_1` of single ones, `(r v_r - v_1) / (r - 1)`. Schuett et al. (2023),
    /// rsatoolbox's `use_correction`. It can be below 0 where the draws are few and the folds matter more than the
    /// data.
    pub fn variance(&self, terms: &[(usize, f64)]) -> f64 {
        let variance = |table: &Array2<f64>| {
            let sum = |row: ArrayView1<f64>| terms.iter().map(|(c, weight)| weight * row[*c]).sum::<f64>();
            statistics::variance(&table.rows().into_iter().map(sum).collect::<Vec<f64>>())
        };
        let without_folds = |(t, table): (usize, &Array2<f64>)| match self.repeats.get(t) {
            Some(repeats) if repeats.len() > 1 => {
                let r = repeats.len() as f64;
                let of_one = repeats.iter().map(variance).sum::<f64>() / r;
                (r * variance(table) - of_one) / (r - 1.0)
            }
            _ => variance(table),
        };
        let over_draws: Vec<f64> = self.tables.iter().enumerate().map(without_folds).collect();
        corrected_variance(&over_draws, self.over, self.n_subjects, self.n_stimuli)
    }
}
