//! How much two sets of units or voxels have in common, beside what chance would give.

use crate::Hypergeometric;

/// Two sets of the units of one array, or of the voxels of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetOverlap {
    /// Units of the first set.
    pub n_a: usize,
    /// Units of the second.
    pub n_b: usize,
    /// Units in both.
    pub n_intersection: usize,
    /// Units of the array, where that is known.
    pub n_units: Option<usize>,
}

impl SetOverlap {
    /// Counts; both sets ascending and without repeats.
    pub fn of(a: &[usize], b: &[usize], n_units: Option<usize>) -> SetOverlap {
        let (mut i, mut j, mut both) = (0, 0, 0);
        while i < a.len() && j < b.len() {
            match a[i].cmp(&b[j]) {
                std::cmp::Ordering::Less => i += 1,
                std::cmp::Ordering::Greater => j += 1,
                std::cmp::Ordering::Equal => (i, j, both) = (i + 1, j + 1, both + 1),
            }
        }
        SetOverlap { n_a: a.len(), n_b: b.len(), n_intersection: both, n_units }
    }

    /// Units in either.
    pub fn n_union(&self) -> usize {
        self.n_a + self.n_b - self.n_intersection
    }

    /// `2 |A and B| / (|A| + |B|)`; NaN for two empty sets. Dice (1945).
    pub fn dice(&self) -> f64 {
        2.0 * self.n_intersection as f64 / (self.n_a + self.n_b) as f64
    }

    /// `|A and B| / |A or B|`; NaN for two empty sets. Jaccard (1912).
    pub fn jaccard(&self) -> f64 {
        self.n_intersection as f64 / self.n_union() as f64
    }

    /// Units that two unrelated sets of these sizes have in common, `|A| |B| / N`; NaN where N is not known.
    pub fn expected(&self) -> f64 {
        self.n_units.map_or(f64::NAN, |n| self.n_a as f64 * self.n_b as f64 / n as f64)
    }

    /// Observed over expected; NaN where nothing is expected.
    pub fn enrichment(&self) -> f64 {
        let expected = self.expected();
        if expected > 0.0 { self.n_intersection as f64 / expected } else { f64::NAN }
    }

    /// ln of the probability that unrelated sets of these sizes have at least as many units in common
    /// (hypergeometric, one-sided); NaN where N is not known.
    pub fn ln_p(&self) -> f64 {
        let chance = self.n_units.and_then(|n| Hypergeometric::new(n as u64, self.n_a as u64, self.n_b as u64));
        chance.map_or(f64::NAN, |chance| chance.ln_at_least(self.n_intersection as u64))
    }
}

/// How many units are in exactly these sets: element `m` counts those that are in set `k` where bit `k` of `m` is set,
/// and in no other; element 0, those in none, is 0. Of length `2^n_sets`; each set ascending and without repeats.
///
/// ```
/// # use statistics::exact_memberships;
/// // A = {1, 2, 3}, B = {2, 3, 4}: A alone 1, B alone 1, both 2.
/// assert_eq!(exact_memberships(&[vec![1, 2, 3], vec![2, 3, 4]]), [0, 1, 1, 2]);
/// ```
pub fn exact_memberships(sets: &[Vec<usize>]) -> Vec<usize> {
    let mut of_unit = std::collections::BTreeMap::new();
    for (k, set) in sets.iter().enumerate() {
        set.iter().for_each(|&unit| *of_unit.entry(unit).or_insert(0) |= 1 << k);
    }
    let mut counts = vec![0; 1 << sets.len()];
    of_unit.into_values().for_each(|mask: usize| counts[mask] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memberships_add_up_to_the_sets() {
        let sets = [vec![0, 1, 2, 3], vec![2, 3, 4], vec![3, 4, 5, 9]];
        let counts = exact_memberships(&sets);
        // 0 and 1 in A alone, 2 in A and B, 3 in all, 4 in B and C, 5 and 9 in C alone.
        assert_eq!(counts, [0, 2, 0, 1, 2, 0, 1, 1]);
        for (k, set) in sets.iter().enumerate() {
            assert_eq!(
                counts.iter().enumerate().filter(|(m, _)| m >> k & 1 == 1).map(|(_, n)| n).sum::<usize>(),
                set.len()
            );
        }
    }

    #[test]
    fn worked_by_hand() {
        // A = {1, 3, 5, 7}, B = {3, 4, 5} of 10: 2 in common, 5 in either.
        let both = SetOverlap::of(&[1, 3, 5, 7], &[3, 4, 5], Some(10));
        assert_eq!((both.n_a, both.n_b, both.n_intersection, both.n_union()), (4, 3, 2, 5));
        assert_eq!((both.dice(), both.jaccard(), both.expected()), (4.0 / 7.0, 0.4, 1.2));
        assert!((both.enrichment() - 2.0 / 1.2).abs() < 1e-15);
        // (C(4,2) C(6,1) + C(4,3)) / C(10,3) = 40 / 120
        assert!((both.ln_p().exp() - 1.0 / 3.0).abs() < 1e-14);
    }

    #[test]
    fn empty_sets_and_unknown_sizes() {
        let none = SetOverlap::of(&[], &[], Some(10));
        assert!(none.dice().is_nan() && none.jaccard().is_nan() && none.enrichment().is_nan());
        assert_eq!((none.expected(), none.ln_p()), (0.0, 0.0));
        let one = SetOverlap::of(&[2], &[], Some(10));
        assert_eq!((one.dice(), one.jaccard(), one.expected(), one.ln_p()), (0.0, 0.0, 0.0, 0.0));
        let unknown = SetOverlap::of(&[2], &[2], None);
        assert_eq!((unknown.dice(), unknown.jaccard()), (1.0, 1.0));
        assert!(unknown.expected().is_nan() && unknown.enrichment().is_nan() && unknown.ln_p().is_nan());
    }
}
