//! Weights of components from training data.

use ndarray::ArrayView1;
use statistics::rounding::OF_SCORES;

use super::ModelKind;
use super::products::Products;
use crate::compare::compare_all;
use crate::inference::Groups;
use crate::{Compared, Comparison, Rdm, RdmError};

/// Points between two neighbours that are tried before the best stretch is narrowed.
const GRID: usize = 32;
/// Golden sections of that stretch: 1/16 times 0.618^40 is 3e-10.
const SECTIONS: usize = 40;

/// The weight of every component with which the prediction of this kind does best on these subjects.
///
/// * `select`: the component with the highest mean score over subjects, the first of equal ones.
/// * `weighted`: non-negative least squares of the pooled subjects on the components, in the metric of the comparison:
///   plain for cosine, without means for pearson, whitened for the other two. Rank comparisons have no least squares,
///   and are refused. Weights have length 1 (all 0 where nothing helps).
/// * `interpolate`: the pair of neighbours and the `w` with the highest mean score, to 1e-9.
pub fn fit(components: &[Rdm], subjects: &[Rdm], kind: ModelKind, how: Comparison) -> Result<Vec<f64>, RdmError> {
    fit_of_groups(components, subjects, kind, how, &Groups::each(subjects.len()))
}

/// [`fit`] to people of several RDMs each, who have one vote: the mean score is that over people of the mean over their
/// RDMs.
pub fn fit_of_groups(
    components: &[Rdm],
    subjects: &[Rdm],
    kind: ModelKind,
    how: Comparison,
    people: &Groups,
) -> Result<Vec<f64>, RdmError> {
    let n_stimuli = subjects.first().or(components.first()).map_or(0, Rdm::n_stimuli);
    fit_drawn(components, subjects, &vec![1; n_stimuli], &people.votes(), kind, how)
}

/// [`fit`] to data in which every stimulus stands as often as these multiplicities say (0: not at all), and every
/// subject has this weight. A stimulus has no distance to its own copy.
pub(super) fn fit_drawn(
    components: &[Rdm],
    subjects: &[Rdm],
    often_stimulus: &[u32],
    weight_of_subject: &[f64],
    kind: ModelKind,
    how: Comparison,
) -> Result<Vec<f64>, RdmError> {
    crate::pool::same_sizes(components, often_stimulus.len())?;
    crate::pool::same_sizes(subjects, often_stimulus.len())?;
    if kind == ModelKind::Fixed {
        return Ok(vec![1.0; components.len()]);
    }
    let no_products = matches!(how, Comparison::Spearman | Comparison::Kendall | Comparison::TauA | Comparison::RhoA);
    if no_products && kind == ModelKind::Weighted {
        return Err(RdmError::NoLeastSquares { comparison: how.as_str() });
    }
    // Least squares rest on the pairs that all have; means of scores on those of every single comparison.
    if !no_products && (kind == ModelKind::Weighted || miss_the_same(components, subjects)) {
        return Products::of(components, subjects, often_stimulus, weight_of_subject, how)?.fit(kind);
    }
    let drawn: Vec<usize> = repeated(often_stimulus);
    let components: Vec<Rdm> = components.iter().map(|c| c.drawn(&drawn)).collect::<Result<_, _>>()?;
    let weights: Vec<f64> = weight_of_subject.iter().copied().filter(|weight| *weight > 0.0).collect();
    let there = subjects.iter().zip(weight_of_subject).filter(|(_, weight)| **weight > 0.0);
    let subjects: Vec<Rdm> = there.map(|(subject, _)| subject.drawn(&drawn)).collect::<Result<_, _>>()?;
    // A subject without a score for any component (constant here) has nothing to say; its NaN would make all choices
    // equal and leave the first one. `weighted` leaves it out as well.
    let found = compare_all(&components, &subjects, how)?;
    let heard: Vec<usize> =
        (0..subjects.len()).filter(|s| found.column(*s).iter().any(|f| !f.value.is_nan())).collect();
    let total: f64 = heard.iter().map(|&s| weights[s]).sum();
    match kind {
        ModelKind::Select => {
            let mean =
                |row: ArrayView1<Compared>| heard.iter().map(|&s| weights[s] * row[s].value).sum::<f64>() / total;
            Ok(only(best_of(found.rows().into_iter().map(mean)), components.len()))
        }
        _ => {
            let subjects: Vec<Rdm> = heard.iter().map(|&s| subjects[s].clone()).collect();
            interpolate(components.len(), |candidate| {
                let found = compare_all(&[predict(&components, candidate)?], &subjects, how)?;
                let terms = heard.iter().zip(&found).map(|(&s, f)| weights[s] * f.value);
                Ok(terms.sum::<f64>() / total)
            })
        }
    }
}

/// Every index as often as it stands in the data.
pub(super) fn repeated(often: &[u32]) -> Vec<usize> {
    often.iter().enumerate().flat_map(|(i, times)| std::iter::repeat_n(i, *times as usize)).collect()
}

fn miss_the_same(components: &[Rdm], subjects: &[Rdm]) -> bool {
    let mut all = components.iter().chain(subjects);
    let Some(first) = all.next() else { return true };
    all.all(|rdm| rdm.values().iter().zip(first.values()).all(|(a, b)| a.is_finite() == b.is_finite()))
}

/// The first of the highest; one without a number is none.
pub(super) fn best_of(scores: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (component, score) in scores.enumerate() {
        // Equal components on other scales differ by rounding, and the first of them is the best.
        if score - best.1 > OF_SCORES * score.abs().max(1.0) {
            best = (component, score);
        }
    }
    best.0
}

pub(super) fn only(component: usize, n_components: usize) -> Vec<f64> {
    let mut weights = vec![0.0; n_components];
    weights[component] = 1.0;
    weights
}

/// The best point between any two neighbours.
pub(super) fn interpolate(
    n_components: usize,
    score: impl Fn(&[f64]) -> Result<f64, RdmError>,
) -> Result<Vec<f64>, RdmError> {
    let mut best = (only(0, n_components), score(&only(0, n_components))?);
    for pair in 0..n_components - 1 {
        let at = |w: f64| {
            let mut weights = vec![0.0; n_components];
            weights[pair] = w;
            weights[pair + 1] = 1.0 - w;
            weights
        };
        let w = highest(|w| score(&at(w)))?;
        let found = score(&at(w))?;
        if found - best.1 > OF_SCORES * found.abs().max(1.0) || best.1.is_nan() {
            best = (at(w), found);
        }
    }
    Ok(best.0)
}

/// The weighted sum of components, of which a constant one adds the same to every pair (no weight makes data of its
/// rounding). A pair that any component with a weight misses is missing.
pub fn predict(components: &[Rdm], weights: &[f64]) -> Result<Rdm, RdmError> {
    let Some(first) = components.first() else {
        return Err(RdmError::TooFewRdms { given: 0, needed: 1 });
    };
    let mut values = vec![0.0; first.values().len()];
    for (component, weight) in components.iter().zip(weights).filter(|(_, w)| **w != 0.0) {
        values.iter_mut().zip(component.flattened()).for_each(|(sum, v)| *sum += weight * v);
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
