//! Weights of components from training data.

use linear_algebra::{Cholesky, product};
use ndarray::{Array1, Array2, s};
use statistics::mean;

use super::ModelKind;
use crate::compare::compare_all;
use crate::pool::scaled;
use crate::whitening::whitened;
use crate::{Comparison, Rdm, RdmError};

/// Points between two neighbours that are tried before the best stretch is narrowed.
const GRID: usize = 32;
/// Golden sections of that stretch: 1/16 times 0.618^40 is 3e-10.
const SECTIONS: usize = 40;

/// The weight of every component with which the prediction of this kind does best on these subjects.
///
/// * `select`: the component with the highest mean score over subjects, the first of equal ones.
/// * `weighted`: non-negative least squares of the pooled subjects on the components, in the metric of the comparison:
///   plain for cosine, without means for pearson, whitened for the other two. Rank comparisons have no least squares, and
///   are refused. Weights have length 1 (all 0 where nothing helps).
/// * `interpolate`: the pair of neighbours and the `w` with the highest mean score, to 1e-9.
pub fn fit(components: &[Rdm], subjects: &[Rdm], kind: ModelKind, how: Comparison) -> Result<Vec<f64>, RdmError> {
    // A subject without a score for any component (constant here) has nothing to say; its NaN would make all choices
    // equal and leave the first one. `weighted` leaves it out as well.
    let heard = match kind {
        ModelKind::Select | ModelKind::Interpolate => {
            let found = compare_all(components, subjects, how)?;
            let heard = |s: &usize| found.column(*s).iter().any(|f| !f.value.is_nan());
            (0..subjects.len()).filter(heard).map(|s| subjects[s].clone()).collect()
        }
        ModelKind::Fixed | ModelKind::Weighted => Vec::new(),
    };
    let score = |weights: &[f64]| -> Result<f64, RdmError> {
        let prediction = predict(components, weights)?;
        let found = compare_all(&[prediction], &heard, how)?;
        Ok(mean(&found.iter().map(|f| f.value).collect::<Vec<f64>>()))
    };
    let only = |component: usize| {
        let mut weights = vec![0.0; components.len()];
        weights[component] = 1.0;
        weights
    };
    match kind {
        ModelKind::Fixed => Ok(vec![1.0; components.len()]),
        ModelKind::Weighted => weighted(components, subjects, how),
        ModelKind::Select => {
            let found = compare_all(components, &heard, how)?;
            let means = found.rows().into_iter().map(|row| row.iter().map(|f| f.value).sum::<f64>());
            let mut best = (0, f64::NEG_INFINITY);
            for (component, mean) in means.enumerate() {
                if mean > best.1 {
                    best = (component, mean);
                }
            }
            Ok(only(best.0))
        }
        ModelKind::Interpolate => {
            let mut best = (only(0), score(&only(0))?);
            for pair in 0..components.len() - 1 {
                let at = |w: f64| {
                    let mut weights = vec![0.0; components.len()];
                    weights[pair] = w;
                    weights[pair + 1] = 1.0 - w;
                    weights
                };
                let w = highest(|w| score(&at(w)))?;
                let found = score(&at(w))?;
                if found > best.1 || best.1.is_nan() {
                    best = (at(w), found);
                }
            }
            Ok(best.0)
        }
    }
}

/// The weighted sum of components. A pair that any component with a weight misses is missing.
pub fn predict(components: &[Rdm], weights: &[f64]) -> Result<Rdm, RdmError> {
    let Some(first) = components.first() else {
        return Err(RdmError::TooFewRdms { given: 0, needed: 1 });
    };
    let mut values = vec![0.0; first.values().len()];
    for (component, weight) in components.iter().zip(weights).filter(|(_, w)| **w != 0.0) {
        values.iter_mut().zip(component.values()).for_each(|(sum, v)| *sum += weight * v);
    }
    Rdm::from_condensed(values, first.labels().map(<[String]>::to_vec))
}

/// Where a function of 0 to 1 is highest: the best of a grid, narrowed between its neighbours.
fn highest(of: impl Fn(f64) -> Result<f64, RdmError>) -> Result<f64, RdmError> {
    let mut best = (0.0, f64::NEG_INFINITY);
    for k in 0..=GRID {
        let w = k as f64 / GRID as f64;
        let value = of(w)?;
        if value > best.1 {
            best = (w, value);
        }
    }
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let step = 1.0 / GRID as f64;
    let (mut low, mut high) = ((best.0 - step).max(0.0), (best.0 + step).min(1.0));
    for _ in 0..SECTIONS {
        let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
        if of(a)? >= of(b)? {
            high = b;
        } else {
            low = a;
        }
    }
    let middle = 0.5 * (low + high);
    Ok(if of(middle)? > best.1 { middle } else { best.0 })
}

fn weighted(components: &[Rdm], subjects: &[Rdm], how: Comparison) -> Result<Vec<f64>, RdmError> {
    if !matches!(how, Comparison::Pearson | Comparison::Cosine | Comparison::CorrCov | Comparison::CosineCov) {
        return Err(RdmError::NoLeastSquares { comparison: how.as_str() });
    }
    let all: Vec<&Rdm> = components.iter().chain(subjects).collect();
    crate::pool::same_sizes(components, all[0].n_stimuli())?;
    crate::pool::same_sizes(subjects, all[0].n_stimuli())?;
    let n_pairs = all[0].values().len();
    let kept: Vec<bool> = (0..n_pairs).map(|k| all.iter().all(|rdm| rdm.values()[k].is_finite())).collect();
    let vectors: Vec<Vec<f64>> = all
        .iter()
        .enumerate()
        .map(|(index, rdm)| {
            let used: Vec<f64> = rdm.values().iter().zip(&kept).filter(|(_, k)| **k).map(|(v, _)| *v).collect();
            // A subject's scale goes with its length below; components keep theirs, on which their weights depend.
            let used = if index < components.len() { used } else { scaled(&used) };
            let centre = if how.centres() { mean(&used) } else { 0.0 };
            used.iter().map(|v| v - centre).collect()
        })
        .collect();
    let vectors = if how.is_whitened() { whitened(&vectors, &kept, None)? } else { vectors };
    let length = vectors.first().map_or(0, Vec::len);
    let rows = Array2::from_shape_fn((vectors.len(), length), |(r, k)| vectors[r][k]);
    let (a, y) = rows.view().split_at(ndarray::Axis(0), components.len());
    let mut pooled = Array1::<f64>::zeros(length);
    for subject in y.rows() {
        let own = subject.dot(&subject).sqrt();
        // A subject without spread has nothing to say.
        if own > 0.0 {
            pooled.scaled_add(1.0 / own, &subject);
        }
    }
    let gram = product(a, a.t());
    let right: Vec<f64> = a.rows().into_iter().map(|row| row.dot(&pooled)).collect();
    let mut weights = non_negative(&gram, &right)?;
    let norm = weights.iter().map(|w| w * w).sum::<f64>().sqrt();
    if norm > 0.0 {
        weights.iter_mut().for_each(|w| *w /= norm);
    }
    Ok(weights)
}

/// The x >= 0 with the smallest `x' gram x - 2 x' right`: active set (Lawson & Hanson 1974; Bro & de Jong 1997).
fn non_negative(gram: &Array2<f64>, right: &[f64]) -> Result<Vec<f64>, RdmError> {
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

#[cfg(test)]
mod tests {
    use super::{fit, predict};
    use crate::testing::noise;
    use crate::{Comparison, ModelKind, Rdm, RdmError, compare};

    fn rdm(seed: u64) -> Rdm {
        Rdm::from_condensed(noise(1, 45, seed).iter().map(|v| v + 1.0).collect(), None).unwrap()
    }

    #[test]
    fn weights_that_made_the_data_are_found_and_beat_their_neighbours() {
        let components = [rdm(1), rdm(2), rdm(3)];
        let truth = predict(&components, &[0.8, 0.0, 0.6]).unwrap();
        for how in [Comparison::Pearson, Comparison::Cosine, Comparison::CorrCov, Comparison::CosineCov] {
            let found = fit(&components, std::slice::from_ref(&truth), ModelKind::Weighted, how).unwrap();
            assert!((found[0] - 0.8).abs() < 1e-9 && found[1].abs() < 1e-9, "{how} {found:?}");
            // and where nothing fits exactly, no other weights of a grid do better
            let target = [rdm(9)];
            let best = fit(&components, &target, ModelKind::Weighted, how).unwrap();
            let score = |w: &[f64]| compare(&predict(&components, w).unwrap(), &target[0], how).unwrap().value;
            for k in 0..200 {
                let other = [(k % 6) as f64, (k / 6 % 6) as f64, (k / 36) as f64];
                let found = score(&other);
                assert!(found.is_nan() || found <= score(&best) + 1e-9, "{how} {other:?} {best:?}");
            }
        }
        let refused = fit(&components, &[truth], ModelKind::Weighted, Comparison::Spearman);
        assert_eq!(refused, Err(RdmError::NoLeastSquares { comparison: "spearman" }));
    }

    #[test]
    fn a_constant_subject_decides_nothing() {
        let components = [rdm(1), rdm(2), rdm(3)];
        let constant = Rdm::from_condensed(vec![0.5; 45], None).unwrap();
        for how in [Comparison::Pearson, Comparison::Spearman, Comparison::Kendall, Comparison::CorrCov] {
            for kind in [ModelKind::Select, ModelKind::Interpolate] {
                let alone = fit(&components, &[rdm(2)], kind, how).unwrap();
                let beside = fit(&components, &[constant.clone(), rdm(2)], kind, how).unwrap();
                assert_eq!(alone, beside, "{how}");
            }
        }
    }

    #[test]
    fn select_and_interpolate_find_what_made_the_data() {
        let components = [rdm(1), rdm(2), rdm(3)];
        let between = predict(&components, &[0.0, 0.3, 0.7]).unwrap();
        for how in Comparison::ALL {
            let chosen = fit(&components, &[rdm(2)], ModelKind::Select, how).unwrap();
            assert_eq!(chosen, [0.0, 1.0, 0.0], "{how}");
            let found = fit(&components, std::slice::from_ref(&between), ModelKind::Interpolate, how).unwrap();
            // Ranks see no difference between points that order alike.
            let tolerance = if how.correlation().is_some() { 0.01 } else { 1e-4 };
            assert!((found[1] - 0.3).abs() < tolerance, "{how} {found:?}");
        }
    }
}
