//! RDMs over different stimuli: laid onto other stimuli, merged into one, and pairs of presentations averaged.

use std::collections::HashMap;

use crate::distance::settle;
use crate::matrix::n_pairs;
use crate::{Rdm, RdmError};

impl Rdm {
    /// The same dissimilarities over other stimuli: stimulus `k` of the result is stimulus `places[k]` of this RDM, and
    /// pairs with a stimulus that it lacks ([`None`]) are `NaN`. Labels are left to the caller.
    pub fn onto(&self, places: &[Option<usize>]) -> Result<Rdm, RdmError> {
        let given: Vec<usize> = places.iter().flatten().copied().collect();
        let mut seen = vec![false; self.n_stimuli()];
        for index in given {
            match seen.get_mut(index) {
                None => return Err(RdmError::NoSuchStimulus { index, n_stimuli: self.n_stimuli() }),
                Some(true) => return Err(RdmError::StimulusTwice { index }),
                Some(unseen) => *unseen = true,
            }
        }
        let mut values = Vec::with_capacity(n_pairs(places.len()));
        for (k, i) in places.iter().enumerate() {
            values.extend(places[k + 1..].iter().map(|j| match (i, j) {
                (Some(i), Some(j)) => self.get(*i, *j),
                _ => f64::NAN,
            }));
        }
        Rdm::from_condensed(values, None)
    }
}

/// One RDM over the stimuli of several.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// All stimuli, in the order in which they first occur; a pair that no RDM has is `NaN`.
    pub rdm: Rdm,
    /// Pairs that no RDM has.
    pub n_missing: usize,
    /// Pairs that more than one RDM has.
    pub n_shared: usize,
}

/// The mean, for every pair of stimuli, over the RDMs that have a value for it: rsatoolbox's `from_partials` and
/// `mean`.
///
/// RDMs are joined by their labels; one without is [`RdmError::Unlabelled`].
///
/// ```
/// use rdm::{Rdm, merge};
/// let names = |text: &str| Some(text.split(' ').map(String::from).collect());
/// let one = Rdm::from_condensed(vec![1.0, 2.0, 3.0], names("a b c"))?;
/// let two = Rdm::from_condensed(vec![5.0, 7.0, 9.0], names("c b d"))?;
/// let merged = merge(&[one, two])?;
/// // a-b, a-c, a-d, b-c (3 and 5), b-d, c-d
/// assert_eq!(merged.rdm.values()[..2], [1.0, 2.0]);
/// assert!(merged.rdm.values()[2].is_nan());
/// assert_eq!(merged.rdm.values()[3..], [4.0, 9.0, 7.0]);
/// # Ok::<(), rdm::RdmError>(())
/// ```
pub fn merge(rdms: &[Rdm]) -> Result<Merged, RdmError> {
    LaidOut::of(rdms)?.mean(|_, _| 1.0, &vec![1.0; rdms.len()])
}

/// An RDM among the stimuli of several.
pub(crate) struct Part<'a> {
    rdm: &'a Rdm,
    /// The place of each of its stimuli among those of all.
    rows: Vec<usize>,
    /// Stimuli of all.
    n: usize,
}

impl Part<'_> {
    /// The pairs of all stimuli for which it has a value, by their place in the upper triangle, and the value.
    pub fn values(&self) -> impl Iterator<Item = (usize, f64)> {
        let n = self.n;
        let others = |k: usize| self.rows[k + 1..].iter();
        let pairs = self.rows.iter().enumerate().flat_map(move |(k, &a)| others(k).map(move |&b| (a.min(b), a.max(b))));
        let there = pairs.zip(self.rdm.values()).filter(|(_, value)| value.is_finite());
        there.map(move |((i, j), value)| (i * (2 * n - i - 1) / 2 + (j - i - 1), *value))
    }

    /// How many these are.
    pub fn len(&self) -> usize {
        self.rdm.values().iter().filter(|value| value.is_finite()).count()
    }
}

/// RDMs over the stimuli of all of them.
pub(crate) struct LaidOut<'a> {
    /// All stimuli, in the order in which they first occur.
    names: Vec<String>,
    /// One per RDM.
    pub parts: Vec<Part<'a>>,
}

impl<'a> LaidOut<'a> {
    pub fn of(rdms: &'a [Rdm]) -> Result<LaidOut<'a>, RdmError> {
        let mut place: HashMap<&str, usize> = HashMap::new();
        let mut names: Vec<String> = Vec::new();
        let mut rows = Vec::with_capacity(rdms.len());
        for (index, rdm) in rdms.iter().enumerate() {
            let labels = rdm.labels().ok_or(RdmError::Unlabelled { index })?;
            let mut of_rdm = Vec::with_capacity(labels.len());
            for (k, label) in labels.iter().enumerate() {
                let next = names.len();
                let at = *place.entry(label).or_insert(next);
                if at == next {
                    names.push(label.clone());
                }
                if of_rdm.contains(&at) {
                    return Err(RdmError::StimulusTwice { index: k });
                }
                of_rdm.push(at);
            }
            rows.push(of_rdm);
        }
        let n = names.len();
        if n < 2 {
            return Err(RdmError::TooFewStimuli { n_stimuli: n });
        }
        let parts = rdms.iter().zip(rows).map(|(rdm, rows)| Part { rdm, rows, n }).collect();
        Ok(LaidOut { names, parts })
    }

    pub fn n_pairs(&self) -> usize {
        n_pairs(self.names.len())
    }

    /// The mean over the RDMs, each multiplied by its factor, in which a value (of which RDM, before it is multiplied)
    /// has the weight that the function says. Pairs without a weight are `NaN`.
    pub fn mean(self, weight: impl Fn(usize, f64) -> f64, factors: &[f64]) -> Result<Merged, RdmError> {
        let (n, n_rdms) = (self.names.len(), self.parts.len());
        let (mut sums, mut totals, mut counts) =
            (vec![0.0; self.n_pairs()], vec![0.0; self.n_pairs()], vec![0u32; self.n_pairs()]);
        for (r, part) in self.parts.iter().enumerate() {
            for (at, value) in part.values() {
                let weight = weight(r, value);
                if weight > 0.0 {
                    sums[at] += weight * (factors[r] * value);
                    totals[at] += weight;
                    counts[at] += 1;
                }
            }
        }
        // Without a weight 0 / 0 is NaN, which is what there is to say.
        sums.iter_mut().zip(&totals).for_each(|(sum, total)| *sum /= total);
        // A mean of equal distances is that distance, whatever their number; each is two products and two sums.
        let rounding = (2 * n_rdms + 1) as f64 * f64::EPSILON / 2.0;
        let bound = |_, _, value: f64| rounding * value.abs();
        settle(&mut sums, n, None, None, bound, bound);
        let n_missing = counts.iter().filter(|n| **n == 0).count();
        let n_shared = counts.iter().filter(|n| **n > 1).count();
        Ok(Merged { rdm: Rdm::from_condensed(sums, Some(self.names))?, n_missing, n_shared })
    }
}

/// The mean dissimilarity of two conditions over the pairs of presentations that are not of the same group (run,
/// session), `presentations` being the RDM of all presentations. A pair of conditions without such presentations is
/// `NaN`, and so is one with a presentation that has no distance.
///
/// # Panics
/// When `condition` or `group` has not one entry per presentation.
pub fn across_groups(presentations: &Rdm, condition: &[usize], group: &[usize]) -> Result<Rdm, RdmError> {
    let n_rows = presentations.n_stimuli();
    assert!(condition.len() == n_rows && group.len() == n_rows, "a condition and a group for every presentation");
    let n = condition.iter().max().map_or(0, |c| c + 1);
    if n < 2 {
        return Err(RdmError::TooFewStimuli { n_stimuli: n });
    }
    let (mut sums, mut counts) = (vec![0.0; n_pairs(n)], vec![0u64; n_pairs(n)]);
    let mut values = presentations.values().iter();
    for a in 0..n_rows {
        for (b, value) in (a + 1..n_rows).zip(&mut values) {
            let (i, j) = (condition[a].min(condition[b]), condition[a].max(condition[b]));
            if i != j && group[a] != group[b] {
                let at = i * (2 * n - i - 1) / 2 + (j - i - 1);
                sums[at] += value;
                counts[at] += 1;
            }
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    // Without a pair 0 / 0 is NaN, which is what there is to say.
    let mut means: Vec<f64> = sums.into_iter().zip(counts).map(|(sum, n)| sum / n as f64).collect();
    // A mean of equal distances is that distance, whatever their number.
    let rounding = (most + 1) as f64 * f64::EPSILON / 2.0;
    let bound = |_, _, value: f64| rounding * value.abs();
    settle(&mut means, n, None, None, bound, bound);
    Rdm::from_condensed(means, None)
}

#[cfg(test)]
mod tests {
    use ndarray::Axis;

    use super::{across_groups, merge};
    use crate::testing::noise;
    use crate::{Distance, Rdm, RdmError, distances};

    fn names(text: &str) -> Option<Vec<String>> {
        Some(text.split(' ').map(String::from).collect())
    }

    #[test]
    fn parts_of_one_rdm_merge_into_it_again() {
        let x = noise(8, 5, 1);
        let labels: Vec<String> = (0..8).map(|i| format!("s{i}")).collect();
        let whole = distances(x.view(), Distance::Euclidean).unwrap().rdm.with_labels(Some(labels)).unwrap();
        let parts = [&[3, 1, 0, 2][..], &[7, 3, 4, 5, 6], &[0, 7, 1]].map(|rows| whole.select(rows).unwrap());
        let merged = merge(&parts).unwrap();
        let order: Vec<usize> = merged.rdm.labels().unwrap().iter().map(|l| l[1..].parse().unwrap()).collect();
        assert_eq!(order, [3, 1, 0, 2, 7, 4, 5, 6]);
        let expected = whole.select(&order).unwrap();
        let mut missing = 0;
        for (found, expected) in merged.rdm.values().iter().zip(expected.values()) {
            missing += usize::from(found.is_nan());
            assert!(found.is_nan() || (found - expected).abs() < 1e-15);
        }
        // 28 pairs; 6 + 10 + 3 of the parts, 0-1 twice
        assert_eq!((missing, merged.n_missing, merged.n_shared), (10, 10, 1));
        assert_eq!(merge(&parts[..1]).unwrap().rdm, parts[0]);
    }

    #[test]
    fn nan_in_one_rdm_leaves_the_value_of_another() {
        let one = Rdm::from_condensed(vec![f64::NAN, 2.0, f64::NAN], names("a b c")).unwrap();
        let two = Rdm::from_condensed(vec![6.0, 8.0, f64::NAN], names("c a b")).unwrap();
        let merged = merge(&[one, two]).unwrap();
        assert!(merged.rdm.get(1, 0).is_nan());
        assert_eq!((merged.rdm.get(0, 2), merged.rdm.get(1, 2), merged.n_missing), (4.0, 8.0, 1));
    }

    #[test]
    fn what_cannot_be_joined_is_refused() {
        let plain = Rdm::from_condensed(vec![1.0], None).unwrap();
        let named = Rdm::from_condensed(vec![1.0], names("a b")).unwrap();
        assert_eq!(merge(&[named, plain]).unwrap_err(), RdmError::Unlabelled { index: 1 });
        let twice = Rdm::from_condensed(vec![1.0, 2.0, 3.0], names("a b a")).unwrap();
        assert_eq!(merge(&[twice]).unwrap_err(), RdmError::StimulusTwice { index: 2 });
        assert_eq!(merge(&[]).unwrap_err(), RdmError::TooFewStimuli { n_stimuli: 0 });
    }

    #[test]
    fn onto_other_stimuli_leaves_holes() {
        let rdm = Rdm::from_condensed(vec![1.0, 2.0, 3.0], names("a b c")).unwrap();
        let found = rdm.onto(&[Some(2), None, Some(0)]).unwrap();
        assert!(found.values()[0].is_nan() && found.values()[2].is_nan());
        assert_eq!(found.values()[1], 2.0);
        assert_eq!(rdm.onto(&[Some(0), Some(0)]), Err(RdmError::StimulusTwice { index: 0 }));
        assert_eq!(rdm.onto(&[Some(0), Some(3)]), Err(RdmError::NoSuchStimulus { index: 3, n_stimuli: 3 }));
    }

    #[test]
    fn only_pairs_of_different_groups_count() {
        let x = noise(6, 9, 2);
        let all = distances(x.view(), Distance::Correlation).unwrap().rdm;
        // conditions a b a c c b in runs 0 0 1 1 0 1
        let (condition, run) = ([0, 1, 0, 2, 2, 1], [0, 0, 1, 1, 0, 1]);
        let found = across_groups(&all, &condition, &run).unwrap();
        let mean = |pairs: [(usize, usize); 2]| pairs.iter().map(|(a, b)| all.get(*a, *b)).sum::<f64>() / 2.0;
        let expected = [mean([(0, 5), (2, 1)]), mean([(0, 3), (2, 4)]), mean([(1, 3), (5, 4)])];
        assert!(found.values().iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-15));
        // the order of presentations does not matter
        let order = [5, 3, 0, 4, 1, 2];
        let moved = distances(x.select(Axis(0), &order).view(), Distance::Correlation).unwrap().rdm;
        let again = across_groups(&moved, &order.map(|r| condition[r]), &order.map(|r| run[r])).unwrap();
        assert!(found.values().iter().zip(again.values()).all(|(f, e)| (f - e).abs() < 1e-15));
        // one run alone has no pair across runs
        assert!(across_groups(&all, &condition, &[0; 6]).unwrap().values().iter().all(|v| v.is_nan()));
    }
}
