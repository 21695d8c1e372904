//! From replicates to the variance of anything linear in the scores.

use ndarray::Array2;

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
/// Of one factor `v n / (n - 1)`. Of two, with `s = n_subjects / (n_subjects - 1)` and `p = n_stimuli / (n_stimuli - 1)`,
///
/// `s v_subjects + p v_stimuli - s p (v_both - v_subjects - v_stimuli)`,
///
/// not below `s v_subjects` nor `p v_stimuli`, and not above `v_both`: the bootstrap of both counts the noise of a single
/// measurement three times, the bootstraps of one factor once each. Schuett et al. (2023), eq. 12; rsatoolbox's
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

/// Covariances of the columns of replicates over the draws that count.
#[derive(Debug, Clone)]
pub struct Spread {
    over: Generalize,
    n_subjects: usize,
    n_stimuli: usize,
    covariances: Vec<Array2<f64>>,
    /// Draws in which every column of interest has a value in every table.
    pub draws: Vec<usize>,
}

impl Spread {
    /// Over the draws in which these columns are finite in all tables; entries of other columns are `NaN`.
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
        let covariances = (0..replicates.tables.len())
            .map(|t| {
                let of_means = covariance(&replicates.tables[t], columns, &draws);
                match replicates.repeats.get(t) {
                    Some(repeats) if repeats.len() > 1 => without_folds(of_means, repeats, columns, &draws),
                    _ => of_means,
                }
            })
            .collect();
        Spread { over, n_subjects, n_stimuli, covariances, draws }
    }

    /// The variance of `sum weight * column`.
    pub fn variance(&self, terms: &[(usize, f64)]) -> f64 {
        let over_draws: Vec<f64> = self
            .covariances
            .iter()
            .map(|cov| {
                let rows = terms.iter().map(|(i, a)| a * terms.iter().map(|(j, b)| b * cov[(*i, *j)]).sum::<f64>());
                rows.sum()
            })
            .collect();
        corrected_variance(&over_draws, self.over, self.n_subjects, self.n_stimuli)
    }
}

/// What the covariance would be if every draw were scored with infinitely many random folds: with `v_r` of the means of r
/// repetitions and `v_1` of single ones, `(r v_r - v_1) / (r - 1)`. Schuett et al. (2023), rsatoolbox's `use_correction`.
/// It can be below 0 where the draws are few and the folds matter more than the data.
fn without_folds(of_means: Array2<f64>, repeats: &[Array2<f64>], columns: &[usize], draws: &[usize]) -> Array2<f64> {
    let r = repeats.len() as f64;
    let mut of_one = Array2::<f64>::zeros(of_means.raw_dim());
    for repeat in repeats {
        of_one += &covariance(repeat, columns, draws);
    }
    (of_means * r - of_one / r) / (r - 1.0)
}

fn covariance(table: &Array2<f64>, columns: &[usize], draws: &[usize]) -> Array2<f64> {
    let n = draws.len() as f64;
    let mut covariance = Array2::from_elem((table.ncols(), table.ncols()), f64::NAN);
    let centred = |c: usize| -> Vec<f64> {
        let mean = draws.iter().map(|&d| table[(d, c)]).sum::<f64>() / n;
        draws.iter().map(|&d| table[(d, c)] - mean).collect()
    };
    let all: Vec<Vec<f64>> = columns.iter().map(|&c| centred(c)).collect();
    for (x, &i) in columns.iter().enumerate() {
        for (y, &j) in columns.iter().enumerate() {
            covariance[(i, j)] = all[x].iter().zip(&all[y]).map(|(a, b)| a * b).sum::<f64>() / (n - 1.0);
        }
    }
    covariance
}
