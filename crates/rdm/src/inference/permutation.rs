//! Permutation of stimulus labels: what would the scores be if the model's stimuli had nothing to do with the brain's?

use linear_algebra::product;
use ndarray::Array2;
use rayon::prelude::*;
use statistics::Draws;
use statistics::rounding::OF_SCORES;

use crate::compare::{compare_all_under, prepared};
use crate::{Comparison, Rdm, RdmError, StimulusCovariance};

/// Shuffles that one thread scores at a time.
const AT_ONCE: usize = 16;

/// p values of a permutation of stimulus labels, one per model.
#[derive(Debug, Clone, PartialEq)]
pub struct Permuted {
    /// `(1 + b) / (1 + N)`, b the permutations whose mean score over subjects reaches the model's own.
    pub p: Vec<f64>,
    /// N of each model: a permutation that gives no score (a model of few values whose pairs come to lie on missing
    /// ones) is left out; as one that falls short it would make p too small.
    pub n: Vec<usize>,
    /// The same against the largest score of any model in each permutation: controls the family-wise error over models.
    pub p_max: Vec<f64>,
}

/// One-sided permutation tests of the mean scores over subjects. The stimuli of all models are shuffled alike and the
/// subjects stay as they are, so that dependence between models and between subjects is kept. `NaN` for a model whose
/// own score is `NaN`; such models do not enter the largest.
///
/// Nichols & Holmes (2002) for the largest statistic.
pub fn permute_stimuli(
    models: &[Rdm],
    subjects: &[Rdm],
    how: Comparison,
    sigma: Option<&StimulusCovariance>,
    n_perm: usize,
    seed: u64,
) -> Result<Permuted, RdmError> {
    let n = subjects.first().map_or(0, Rdm::n_stimuli);
    let fast = sigma.is_none()
        && !matches!(how, Comparison::Kendall | Comparison::TauA)
        && models.iter().chain(subjects).all(|rdm| rdm.n_nan() == 0);
    let kept = vec![true; subjects.first().map_or(0, |s| s.values().len())];
    let as_vectors = |rdms: &[Rdm]| -> Vec<Vec<f64>> { rdms.iter().map(|r| r.values().to_vec()).collect() };
    let (rows, target) = match fast {
        true => {
            let brains = prepared(&as_vectors(subjects), how, &kept, None)?;
            let target: Vec<f64> =
                brains.columns().into_iter().map(|column| column.sum() / subjects.len() as f64).collect();
            (prepared(&as_vectors(models), how, &kept, None)?, target)
        }
        false => (Array2::zeros((0, 0)), Vec::new()),
    };
    let scores = |orders: &[Vec<usize>]| -> Result<Vec<Vec<f64>>, RdmError> {
        if fast {
            // The mean score is one product with the mean of the subjects' unit vectors: that one is shuffled.
            let mut shuffled = Array2::zeros((orders.len(), target.len()));
            for (mut row, order) in shuffled.rows_mut().into_iter().zip(orders) {
                let mut cells = row.iter_mut();
                for i in 0..n {
                    for (j, cell) in (i + 1..n).zip(&mut cells) {
                        let (a, b) = (order[i].min(order[j]), order[i].max(order[j]));
                        *cell = target[a * (2 * n - a - 1) / 2 + (b - a - 1)];
                    }
                }
                // The diagonal that whitening appends.
                cells.enumerate().for_each(|(i, cell)| *cell = target[kept.len() + order[i]]);
            }
            let found = product(rows.view(), shuffled.t());
            return Ok(found.columns().into_iter().map(|column| column.to_vec()).collect());
        }
        orders
            .iter()
            .map(|order| {
                let shuffled = models.iter().map(|m| m.select(order)).collect::<Result<Vec<Rdm>, RdmError>>()?;
                let found = compare_all_under(&shuffled, subjects, how, sigma)?;
                let mean = |row: ndarray::ArrayView1<crate::Compared>| {
                    row.iter().map(|c| c.value).sum::<f64>() / row.len() as f64
                };
                Ok(found.rows().into_iter().map(mean).collect())
            })
            .collect()
    };
    let own = scores(&[(0..n).collect()])?.remove(0);
    let blocks: Vec<usize> = (0..n_perm).step_by(AT_ONCE).collect();
    let all: Vec<Vec<Vec<f64>>> = blocks
        .into_par_iter()
        .map(|start| {
            let orders: Vec<Vec<usize>> =
                (start..(start + AT_ONCE).min(n_perm)).map(|i| Draws::stream(seed, i as u64).permutation(n)).collect();
            scores(&orders)
        })
        .collect::<Result<_, RdmError>>()?;
    // A score that is equal in exact arithmetic is reached too, whatever rounding made of it. A mean score is a sum of
    // products of unit vectors in some order, off by at most one unit in the last place of 1 per pair.
    let slack = (kept.len() as f64 * f64::EPSILON).max(OF_SCORES);
    let with_score: Vec<usize> = (0..models.len()).filter(|&m| !own[m].is_nan()).collect();
    let (mut reached, mut reached_by_any) = (vec![1.0; models.len()], vec![1.0; models.len()]);
    let (mut n, mut n_of_all) = (vec![0; models.len()], 0);
    for drawn in all.iter().flatten() {
        let complete = with_score.iter().all(|&m| !drawn[m].is_nan());
        let largest = with_score.iter().fold(f64::NEG_INFINITY, |largest, &m| largest.max(drawn[m]));
        n_of_all += usize::from(complete);
        for m in 0..models.len() {
            n[m] += usize::from(!drawn[m].is_nan());
            reached[m] += f64::from(u8::from(drawn[m] >= own[m] - slack));
            reached_by_any[m] += f64::from(u8::from(complete && largest >= own[m] - slack));
        }
    }
    let share = |b: f64, n: usize, m: usize| if own[m].is_nan() { f64::NAN } else { b / (1.0 + n as f64) };
    let p: Vec<f64> = (0..models.len()).map(|m| share(reached[m], n[m], m)).collect();
    // Never surer than the model alone, though other models may leave out permutations.
    let p_max = (0..models.len()).map(|m| share(reached_by_any[m], n_of_all, m).max(p[m])).collect();
    Ok(Permuted { p, n, p_max })
}
