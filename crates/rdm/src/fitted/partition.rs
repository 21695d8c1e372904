//! Into which groups subjects and stimuli are split, that are held out in turn.

use statistics::Draws;

use super::Folding;
use super::folds::{FEWEST, Fold};
use crate::RdmError;
use crate::inference::Groups;

/// A split of subjects, or of stimuli, into groups that are held out in turn; a single group is no split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition(Parts);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Parts {
    /// Dealt at random: things that belong together stay together.
    Random { k: usize, together: Groups },
    /// The same in every draw.
    Given { fold_of: Vec<usize>, n_folds: usize },
}

impl Partition {
    /// `k` random groups of `n` things, whose sizes differ by at most 1.
    pub fn random(k: usize, n: usize) -> Partition {
        Partition::random_of(k, Groups::each(n))
    }

    /// `k` random groups of things of which some belong together (runs of a person, stimuli of a category): numbers of
    /// those that belong together differ by at most 1, as in rsatoolbox's `sets_k_fold` with descriptors.
    pub fn random_of(k: usize, together: Groups) -> Partition {
        Partition(Parts::Random { k, together })
    }

    /// One number per thing, from 0: the group that it is held out with.
    pub fn given(fold_of: Vec<usize>) -> Partition {
        let n_folds = fold_of.iter().max().map_or(0, |last| last + 1);
        Partition(Parts::Given { fold_of, n_folds })
    }

    /// How many groups.
    pub fn len(&self) -> usize {
        match &self.0 {
            Parts::Random { k, .. } => *k,
            Parts::Given { n_folds, .. } => *n_folds,
        }
    }

    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the groups differ from draw to draw.
    pub fn is_random(&self) -> bool {
        matches!(self.0, Parts::Random { k, .. } if k > 1)
    }

    /// The fewest things that a group can hold.
    pub fn smallest(&self) -> usize {
        match &self.0 {
            Parts::Random { k, together } => {
                let mut sizes: Vec<usize> = together.members().iter().map(Vec::len).collect();
                sizes.sort_unstable();
                sizes.iter().take(together.len() / (*k).max(1)).sum()
            }
            Parts::Given { fold_of, n_folds } => {
                (0..*n_folds).map(|fold| fold_of.iter().filter(|of| **of == fold).count()).min().unwrap_or(0)
            }
        }
    }

    /// The group of every thing, as they are dealt by this seed.
    pub fn numbers(&self, seed: u64) -> Vec<usize> {
        let n = self.n_things();
        let all: Vec<usize> = (0..n).collect();
        let mut number = vec![0; n];
        for (group, members) in self.groups(&all, &mut Draws::new(seed)).into_iter().enumerate() {
            members.into_iter().for_each(|i| number[i] = group);
        }
        number
    }

    fn n_things(&self) -> usize {
        match &self.0 {
            Parts::Random { together, .. } => together.n_things(),
            Parts::Given { fold_of, .. } => fold_of.len(),
        }
    }

    /// These things in their groups, those of a group rising; a group of which none is there is empty.
    pub(super) fn groups(&self, some: &[usize], draws: &mut Draws) -> Vec<Vec<usize>> {
        match &self.0 {
            Parts::Given { fold_of, n_folds } => {
                (0..*n_folds).map(|fold| some.iter().copied().filter(|&i| fold_of[i] == fold).collect()).collect()
            }
            Parts::Random { k, together } => {
                let number = together.numbers();
                let mut there: Vec<usize> = some.iter().map(|&i| number[i]).collect();
                there.sort_unstable();
                there.dedup();
                let mut groups = vec![Vec::new(); *k];
                let mut dealt = vec![0; together.len()];
                let order = draws.permutation(there.len());
                order.iter().enumerate().for_each(|(place, &one)| dealt[there[one]] = place % k);
                some.iter().for_each(|&i| groups[dealt[number[i]]].push(i));
                groups
            }
        }
    }

    /// An error where this is no split of `n` things into groups of at least `fewest`.
    fn check(&self, n: usize, fewest: usize) -> Result<(), RdmError> {
        if self.n_things() != n {
            return Err(RdmError::DrawLength { given: self.n_things(), needed: n });
        }
        if let Parts::Random { k, together } = &self.0 {
            // Groups of single things can be counted ahead.
            let each = if together.len() == n { fewest } else { 1 };
            if *k == 0 || k * each > together.len() {
                return Err(RdmError::TooManyFolds { folds: *k, needed: k * each, given: together.len() });
            }
        }
        match self.smallest() {
            smallest if smallest < fewest => Err(RdmError::FoldTooSmall { given: smallest, needed: fewest }),
            _ => Ok(()),
        }
    }
}

/// Groups of subjects times groups of stimuli.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splits {
    /// Of the subjects.
    pub subjects: Partition,
    /// Of the stimuli.
    pub stimuli: Partition,
    /// Of the random groups.
    pub seed: u64,
}

impl Splits {
    /// Random groups, so many of so many subjects and stimuli.
    pub fn of(folding: Folding, n_subjects: usize, n_stimuli: usize) -> Splits {
        Splits {
            subjects: Partition::random(folding.subjects, n_subjects),
            stimuli: Partition::random(folding.stimuli, n_stimuli),
            seed: folding.seed,
        }
    }

    /// All folds of these subjects and stimuli; none where a group of stimuli has fewer than 3 or a random group of
    /// subjects is empty (of given ones two have to be there). Random stimuli are grouped anew for every group of
    /// subjects, as rsatoolbox does.
    pub(super) fn folds(&self, subjects: &[usize], stimuli: &[usize], draws: &mut Draws) -> Option<Vec<Fold>> {
        let of_subjects = self.subjects.groups(subjects, draws);
        let needed = if self.subjects.is_random() { self.subjects.len() } else { self.subjects.len().min(2) };
        let there: Vec<Vec<usize>> = of_subjects.into_iter().filter(|people| !people.is_empty()).collect();
        if there.len() < needed.max(1) {
            return None;
        }
        let mut folds = Vec::new();
        for people in there {
            for stimuli in self.stimuli.groups(stimuli, draws) {
                if stimuli.len() < FEWEST {
                    return None;
                }
                folds.push(Fold { subjects: people.clone(), stimuli });
            }
        }
        Some(folds)
    }

    /// Whether this splits so many subjects and stimuli into groups that can be scored.
    ///
    /// # Errors
    /// [`RdmError::DrawLength`], [`RdmError::TooManyFolds`], [`RdmError::FoldTooSmall`] (a group of stimuli with fewer
    /// than 3), [`RdmError::TooFewFolds`] (neither is split).
    pub fn check(&self, n_subjects: usize, n_stimuli: usize) -> Result<(), RdmError> {
        self.subjects.check(n_subjects, 1)?;
        self.stimuli.check(n_stimuli, FEWEST)?;
        if self.subjects.len() == 1 && self.stimuli.len() == 1 {
            return Err(RdmError::TooFewFolds { n_folds: 1 });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Partition, Splits};
    use crate::RdmError;
    use crate::inference::Groups;
    use statistics::Draws;

    #[test]
    fn things_that_belong_together_are_held_out_together() {
        let kinds = [0, 1, 2, 3, 0, 1, 2, 3, 4, 4, 5, 5, 5];
        let partition = Partition::random_of(3, Groups::of(&kinds));
        let number = partition.numbers(4);
        assert!((0..13).all(|i| number[i] == number[kinds.iter().position(|kind| *kind == kinds[i]).unwrap()]));
        let all: Vec<usize> = (0..kinds.len()).collect();
        for seed in 0..20 {
            let groups = partition.groups(&all, &mut Draws::new(seed));
            let mut dealt = groups.concat();
            dealt.sort_unstable();
            assert_eq!(dealt, all);
            for group in &groups {
                let mut of: Vec<usize> = group.iter().map(|&i| kinds[i]).collect();
                of.dedup();
                of.sort_unstable();
                of.dedup();
                assert_eq!(of.len(), 2, "6 kinds in 3 groups");
                let whole = all.iter().filter(|&&i| of.contains(&kinds[i])).count();
                assert_eq!(group.len(), whole);
            }
        }
        assert_eq!(partition.smallest(), 4);
        // What was not drawn is in no group.
        let some: Vec<usize> = partition.groups(&[0, 1, 4, 12], &mut Draws::new(1)).concat();
        assert_eq!(some.len(), 4);
    }

    #[test]
    fn given_groups_are_those_that_were_given_and_are_checked() {
        let given = |of: &[usize]| Partition::given(of.to_vec());
        let splits = Splits { subjects: given(&[0, 1, 1]), stimuli: given(&[1, 0, 1, 0, 1, 0, 0]), seed: 0 };
        splits.check(3, 7).unwrap();
        assert!(!splits.stimuli.is_random() && splits.stimuli.smallest() == 3);
        let folds = splits.folds(&[0, 1, 2], &[0, 1, 2, 3, 4, 5, 6], &mut Draws::new(3)).unwrap();
        let of: Vec<_> = folds.iter().map(|f| (f.subjects.clone(), f.stimuli.clone())).collect();
        let (even, odd) = (vec![1, 3, 5, 6], vec![0, 2, 4]);
        let (one, two) = (vec![0], vec![1, 2]);
        let expected = [(&one, &even), (&one, &odd), (&two, &even), (&two, &odd)].map(|(s, t)| (s.clone(), t.clone()));
        assert_eq!(of, expected);
        // A draw that misses a subject's group, or has two stimuli of a group, has no folds.
        assert_eq!(splits.folds(&[1, 2], &[0, 1, 2, 3, 4, 5, 6], &mut Draws::new(3)), None);
        assert_eq!(splits.folds(&[0, 1], &[0, 1, 2, 3, 5, 6], &mut Draws::new(3)), None);
        let wrong =
            |subjects: Partition, stimuli: Partition| Splits { subjects, stimuli, seed: 0 }.check(3, 7).unwrap_err();
        let split = || given(&[0, 1, 1]);
        assert_eq!(wrong(split(), given(&[0, 1])), RdmError::DrawLength { given: 2, needed: 7 });
        let torn = wrong(split(), given(&[0, 0, 0, 0, 0, 1, 1]));
        assert_eq!(torn, RdmError::FoldTooSmall { given: 2, needed: 3 });
        // Two categories of 6 and 1: random groups of whole categories would hold one stimulus.
        let kinds = Partition::random_of(2, Groups::of(&[0, 0, 0, 0, 0, 0, 1]));
        assert_eq!(wrong(split(), kinds), RdmError::FoldTooSmall { given: 1, needed: 3 });
        let kinds = Partition::random_of(3, Groups::of(&[0, 0, 0, 0, 1, 1, 1]));
        assert_eq!(wrong(split(), kinds), RdmError::TooManyFolds { folds: 3, needed: 3, given: 2 });
        assert_eq!(wrong(given(&[0; 3]), given(&[0; 7])), RdmError::TooFewFolds { n_folds: 1 });
    }
}
