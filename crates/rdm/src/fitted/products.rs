//! What fits under comparisons that are cosines need of the training data: inner products, not the RDMs.

use linear_algebra::{Cholesky, product};
use ndarray::{Array1, Array2, s};
use statistics::mean;
use statistics::rounding::is_constant;

use super::ModelKind;
use super::fit::{best_of, interpolate, only, repeated};
use crate::pool::scaled;
use crate::whitening::whitened;
use crate::{Comparison, Rdm, RdmError};

/// With `a_i` the components and `y_s` the subjects, centred and whitened as the comparison needs, and `o_s` how much a
/// subject counts: `gram_ij = a_i a_j`, `right_i = sum_s o_s a_i y_s / |y_s|`. The mean score of the
/// prediction with weights w is `w right / sqrt(w' gram w)` up to one factor.
pub(super) struct Products {
    gram: Array2<f64>,
    right: Vec<f64>,
}

impl Products {
    /// Over the pairs that are finite in all RDMs. The pair of two stimuli that stand in the data `c` and `d` times
    /// counts `c d` times.
    pub fn of(
        components: &[Rdm],
        subjects: &[Rdm],
        often_stimulus: &[u32],
        weight_of_subject: &[f64],
        how: Comparison,
    ) -> Result<Products, RdmError> {
        let people: Vec<usize> = (0..subjects.len()).filter(|&s| weight_of_subject[s] > 0.0).collect();
        let all: Vec<&Rdm> = components.iter().chain(people.iter().map(|&s| &subjects[s])).collect();
        let rows = match how.is_whitened() {
            true => rows_of_copies(&all, components.len(), often_stimulus, how)?,
            false => weighted_rows(&all, components.len(), often_stimulus, how),
        };
        let length = rows.first().map_or(0, Vec::len);
        let rows = Array2::from_shape_fn((rows.len(), length), |(r, k)| rows[r][k]);
        let (a, y) = rows.view().split_at(ndarray::Axis(0), components.len());
        let mut pooled = Array1::<f64>::zeros(length);
        for (subject, &s) in y.rows().into_iter().zip(&people) {
            let own = subject.dot(&subject).sqrt();
            // A subject without spread has nothing to say; rounding leaves it some 1e-16 of its values, which are near
            // 1.
            if own > 1e-12 {
                pooled.scaled_add(weight_of_subject[s] / own, &subject);
            }
        }
        let right = a.rows().into_iter().map(|row| row.dot(&pooled)).collect();
        Ok(Products { gram: product(a, a.t()), right })
    }

    /// See [`super::fit`].
    pub fn fit(&self, kind: ModelKind) -> Result<Vec<f64>, RdmError> {
        let n = self.right.len();
        match kind {
            ModelKind::Fixed => Ok(vec![1.0; n]),
            ModelKind::Select => Ok(only(best_of((0..n).map(|c| self.right[c] / self.gram[(c, c)].sqrt())), n)),
            ModelKind::Interpolate => interpolate(n, |weights| Ok(self.score(weights))),
            ModelKind::Weighted => {
                let mut weights = non_negative(&self.gram, &self.right)?;
                let norm = weights.iter().map(|w| w * w).sum::<f64>().sqrt();
                if norm > 0.0 {
                    weights.iter_mut().for_each(|w| *w /= norm);
                }
                Ok(weights)
            }
        }
    }

    fn score(&self, weights: &[f64]) -> f64 {
        let used: Vec<(usize, f64)> = weights.iter().copied().enumerate().filter(|(_, w)| *w != 0.0).collect();
        let with: f64 = used.iter().map(|(i, w)| w * self.right[*i]).sum();
        let own: f64 =
            used.iter().map(|(i, w)| w * used.iter().map(|(j, v)| v * self.gram[(*i, *j)]).sum::<f64>()).sum();
        with / own.sqrt()
    }
}

/// Rows times the root of how often a pair counts, so that plain products are weighted ones.
fn weighted_rows(all: &[&Rdm], n_components: usize, often: &[u32], how: Comparison) -> Vec<Vec<f64>> {
    let n = often.len();
    let all_pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let pairs: Vec<(usize, f64)> = all_pairs
        .enumerate()
        .map(|(k, (i, j))| (k, f64::from(often[i] * often[j])))
        .filter(|(k, weight)| *weight > 0.0 && all.iter().all(|rdm| rdm.values()[*k].is_finite()))
        .collect();
    let total: f64 = pairs.iter().map(|(_, weight)| weight).sum();
    let row = |(index, rdm): (usize, &&Rdm)| -> Vec<f64> {
        let values: Vec<f64> = pairs.iter().map(|(k, _)| rdm.values()[*k]).collect();
        if how.centres() && is_constant(&values) {
            return vec![0.0; values.len()];
        }
        let values = own_scale(values, index < n_components);
        let centre = match how.centres() {
            true => values.iter().zip(&pairs).map(|(v, (_, w))| w * v).sum::<f64>() / total,
            false => 0.0,
        };
        values.iter().zip(&pairs).map(|(v, (_, w))| w.sqrt() * (v - centre)).collect()
    };
    all.iter().enumerate().map(row).collect()
}

/// Rows of RDMs in which copies of stimuli stand side by side: the whitening looks at every pair.
fn rows_of_copies(
    all: &[&Rdm],
    n_components: usize,
    often: &[u32],
    how: Comparison,
) -> Result<Vec<Vec<f64>>, RdmError> {
    let drawn = repeated(often);
    let all: Vec<Rdm> = all.iter().map(|rdm| rdm.drawn(&drawn)).collect::<Result<_, _>>()?;
    let n_pairs = all.first().map_or(0, |rdm| rdm.values().len());
    let kept: Vec<bool> = (0..n_pairs).map(|k| all.iter().all(|rdm| rdm.values()[k].is_finite())).collect();
    let row = |(index, rdm): (usize, &Rdm)| -> Vec<f64> {
        let used: Vec<f64> = rdm.values().iter().zip(&kept).filter(|(_, kept)| **kept).map(|(v, _)| *v).collect();
        if how.centres() && is_constant(&used) {
            return vec![0.0; used.len()];
        }
        let used = own_scale(used, index < n_components);
        let centre = if how.centres() { mean(&used) } else { 0.0 };
        used.iter().map(|v| v - centre).collect()
    };
    let rows: Vec<Vec<f64>> = all.iter().enumerate().map(row).collect();
    whitened(&rows, &kept, None)
}

/// A subject's scale goes with its length later; components keep theirs, on which their weights depend.
fn own_scale(values: Vec<f64>, is_component: bool) -> Vec<f64> {
    if is_component { values } else { scaled(&values) }
}

/// The x >= 0 with the smallest `x' gram x - 2 x' right`: active set (Lawson & Hanson 1974; Bro & de Jong 1997).
pub(crate) fn non_negative(gram: &Array2<f64>, right: &[f64]) -> Result<Vec<f64>, RdmError> {
    let n = right.len();
    let mut x = vec![0.0; n];
    let mut free = vec![false; n];
    let largest = right.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let solve = |free: &[bool]| -> Option<Vec<f64>> {
        let chosen: Vec<usize> = (0..n).filter(|&i| free[i]).collect();
        let part = Array2::from_shape_fn((chosen.len(), chosen.len()), |(i, j)| gram[(chosen[i], chosen[j])]);
        let b = Array2::from_shape_fn((chosen.len(), 1), |(i, _)| right[chosen[i]]);
        let found = Cholesky::new(part.view()).ok()?.solve(b.view()).ok()?;
        let mut all = vec![0.0; n];
        chosen.iter().zip(found.slice(s![.., 0])).for_each(|(&i, v)| all[i] = *v);
        Some(all)
    };
    // A component that is a sum of those in use cannot come in as well.
    let mut barred = vec![false; n];
    for _ in 0..10 * n + 10 {
        let slope = |i: usize| right[i] - (0..n).map(|j| gram[(i, j)] * x[j]).sum::<f64>();
        let candidates = (0..n).filter(|&i| !free[i] && !barred[i]).map(|i| (i, slope(i)));
        let Some((enter, steepest)) = candidates.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))) else { break };
        if steepest <= 1e-13 * largest {
            break;
        }
        free[enter] = true;
        let Some(mut found) = solve(&free) else {
            free[enter] = false;
            barred[enter] = true;
            continue;
        };
        while let Some(step) =
            (0..n).filter(|&i| free[i] && found[i] < 0.0).map(|i| x[i] / (x[i] - found[i])).min_by(f64::total_cmp)
        {
            for i in 0..n {
                x[i] += step * (found[i] - x[i]);
            }
            for i in 0..n {
                if free[i] && found[i] < 0.0 && x[i] <= 1e-15 * found[i].abs().max(f64::MIN_POSITIVE) {
                    (free[i], x[i]) = (false, 0.0);
                }
            }
            match solve(&free) {
                Some(next) => found = next,
                None => return Err(RdmError::TooFewRdms { given: 0, needed: 1 }),
            }
        }
        x = found;
    }
    Ok(x)
}
