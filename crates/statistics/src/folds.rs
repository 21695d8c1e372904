//! Cross-validation folds over stimuli: all presentations of one stimulus stand in the same fold.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use crate::random::Draws;

/// The order in which distinct stimuli are dealt into folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoldOrder {
    /// In order of first appearance: fold 0 has the first stimuli (scikit-learn's unshuffled `KFold`).
    Contiguous,
    /// Shuffled by this seed first.
    Shuffled(u64),
}

/// Why folds cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// Fewer than two folds leave nothing to train on.
    #[error("{0} folds; cross-validation needs at least 2")]
    TooFew(usize),
    /// More folds than distinct stimuli.
    #[error("{folds} folds, but only {stimuli} distinct stimuli; ask for at most {stimuli}")]
    TooMany {
        /// Folds asked for.
        folds: usize,
        /// Distinct stimuli there are.
        stimuli: usize,
    },
}

/// Which fold each row is held out in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folds {
    /// How many folds.
    pub n_folds: usize,
    /// One fold number per row, `0..n_folds`.
    pub fold_of_row: Vec<usize>,
}

impl Folds {
    /// Rows held out in this fold, rising.
    pub fn test_rows(&self, fold: usize) -> Vec<usize> {
        self.rows(|f| f == fold)
    }

    /// All other rows, rising.
    pub fn train_rows(&self, fold: usize) -> Vec<usize> {
        self.rows(|f| f != fold)
    }

    fn rows(&self, keep: impl Fn(usize) -> bool) -> Vec<usize> {
        let rows = self.fold_of_row.iter().enumerate();
        rows.filter(|(_, f)| keep(**f)).map(|(row, _)| row).collect()
    }
}

/// Deals the distinct ids into `k` folds whose numbers of ids differ by at most one (the first folds are the larger).
///
/// `ids` has one entry per row, strings or numbers; an id that occurs again is a repeated presentation and goes with
/// the first. Only the pattern of equal ids matters, so training rows can be split again with the same call.
///
/// ```
/// use statistics::{FoldOrder, k_folds};
/// let folds = k_folds(&["a", "b", "a", "c"], 2, FoldOrder::Contiguous).unwrap();
/// assert_eq!(folds.fold_of_row, [0, 0, 0, 1]);
/// assert_eq!(folds.test_rows(1), [3]);
/// ```
pub fn k_folds<I: Eq + Hash>(ids: &[I], k: usize, order: FoldOrder) -> Result<Folds, FoldError> {
    if k < 2 {
        return Err(FoldError::TooFew(k));
    }
    let mut seen: HashMap<&I, usize> = HashMap::new();
    let stimulus_of_row: Vec<usize> = ids
        .iter()
        .map(|id| {
            let next = seen.len();
            *seen.entry(id).or_insert(next)
        })
        .collect();
    let stimuli = seen.len();
    if k > stimuli {
        return Err(FoldError::TooMany { folds: k, stimuli });
    }
    let dealt = match order {
        FoldOrder::Contiguous => (0..stimuli).collect(),
        FoldOrder::Shuffled(seed) => Draws::new(seed).permutation(stimuli),
    };
    let (size, larger) = (stimuli / k, stimuli % k);
    let mut fold_of_stimulus = vec![0; stimuli];
    let mut place = 0;
    for fold in 0..k {
        for _ in 0..size + usize::from(fold < larger) {
            fold_of_stimulus[dealt[place]] = fold;
            place += 1;
        }
    }
    Ok(Folds { n_folds: k, fold_of_row: stimulus_of_row.iter().map(|&s| fold_of_stimulus[s]).collect() })
}

/// [`k_folds`], shuffled from the sorted ids: the folds depend on the set of ids and the seed only. Rows in another
/// order, or responses of another layer to the same stimuli, meet the same folds.
///
/// ```
/// use statistics::folds::folds_of_set;
/// let [one, other] = [["a", "b", "c"], ["c", "a", "b"]].map(|ids| folds_of_set(&ids, 2, 7).unwrap().fold_of_row);
/// assert_eq!([one[0], one[1], one[2]], [other[1], other[2], other[0]]);
/// ```
pub fn folds_of_set<I: Ord + Eq + Hash>(ids: &[I], k: usize, seed: u64) -> Result<Folds, FoldError> {
    let mut place: BTreeMap<&I, usize> = ids.iter().map(|id| (id, 0)).collect();
    place.values_mut().enumerate().for_each(|(i, place)| *place = i);
    let dealt = k_folds(&(0..place.len()).collect::<Vec<usize>>(), k, FoldOrder::Shuffled(seed))?;
    Ok(Folds { n_folds: k, fold_of_row: ids.iter().map(|id| dealt.fold_of_row[place[id]]).collect() })
}

/// Deals the distinct ids into two halves within every level: 0 and 1, the first with one more where a level has an odd
/// number. As [`folds_of_set`], the halves depend on the set of ids, their levels and the seed, not on the order of the
/// rows; an id has the level of its first row. `ids` and `levels` have one entry per row.
///
/// ```
/// use statistics::folds::halves_within;
/// let halves = halves_within(&["a", "b", "c", "d", "a"], &["x", "x", "y", "y", "x"], 3);
/// assert_eq!((halves[0] + halves[1], halves[2] + halves[3]), (1, 1));
/// assert_eq!(halves[4], halves[0]);
/// ```
///
/// # Panics
/// When the numbers of rows differ.
pub fn halves_within<I: Ord, L: Eq + Hash>(ids: &[I], levels: &[L], seed: u64) -> Vec<usize> {
    assert_eq!(ids.len(), levels.len(), "one level per row");
    let mut first: BTreeMap<&I, usize> = BTreeMap::new();
    ids.iter().enumerate().for_each(|(row, id)| {
        first.entry(id).or_insert(row);
    });
    let rows: Vec<usize> = first.values().copied().collect();
    let mut dealt: HashMap<&L, usize> = HashMap::new();
    let mut half_of_first = vec![0; ids.len()];
    for place in Draws::new(seed).permutation(rows.len()) {
        let dealt = dealt.entry(&levels[rows[place]]).or_default();
        half_of_first[rows[place]] = *dealt % 2;
        *dealt += 1;
    }
    ids.iter().map(|id| half_of_first[first[id]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contiguous_as_scikit_learn() {
        // sklearn.model_selection.KFold(3) on 7 rows: sizes 3, 2, 2.
        let ids: Vec<usize> = (0..7).collect();
        let folds = k_folds(&ids, 3, FoldOrder::Contiguous).unwrap();
        assert_eq!(folds.fold_of_row, [0, 0, 0, 1, 1, 2, 2]);
        assert_eq!(folds.train_rows(1), [0, 1, 2, 5, 6]);
    }

    #[test]
    fn halves_are_balanced_within_levels_and_of_the_set() {
        let ids: Vec<String> = (0..90).map(|row| format!("s{}", row % 45)).collect();
        let levels: Vec<usize> = (0..90).map(|row| (row % 45) % 4).collect();
        let halves = halves_within(&ids, &levels, 5);
        for level in 0..4 {
            let of: Vec<usize> = (0..45).filter(|row| levels[*row] == level).map(|row| halves[row]).collect();
            let n_second = of.iter().sum::<usize>();
            assert_eq!(n_second, of.len() / 2, "12 or 11 ids, the first half has the odd one");
        }
        assert_eq!(halves[..45], halves[45..], "repeats stay together");
        let backwards = |v: &[String]| v.iter().rev().cloned().collect::<Vec<_>>();
        let levels_back: Vec<usize> = levels.iter().rev().copied().collect();
        let back: Vec<usize> = halves_within(&backwards(&ids), &levels_back, 5).into_iter().rev().collect();
        assert_eq!(back, halves);
        assert_ne!(halves_within(&ids, &levels, 6), halves);
        // Each picture is in the first half as often as in the second, over seeds: 200 draws, sd 7.
        let firsts: usize = (0..200).map(|seed| halves_within(&ids, &levels, seed)[1]).sum();
        assert!((70..130).contains(&firsts), "{firsts}");
    }

    #[test]
    fn repeats_never_sit_on_both_sides() {
        let ids: Vec<usize> = (0..300).map(|row| (row * 7) % 60).collect();
        for order in [FoldOrder::Contiguous, FoldOrder::Shuffled(4)] {
            let folds = k_folds(&ids, 7, order).unwrap();
            for fold in 0..7 {
                let (train, test) = (folds.train_rows(fold), folds.test_rows(fold));
                assert_eq!(train.len() + test.len(), 300);
                assert!(test.iter().all(|t| train.iter().all(|r| ids[*r] != ids[*t])));
                // 60 ids in 7 folds: 9 or 8, each shown 5 times.
                assert!(test.len() == 45 || test.len() == 40);
            }
        }
    }

    #[test]
    fn seeds_are_pinned_and_differ() {
        let ids: Vec<usize> = (0..10).collect();
        let of = |seed| k_folds(&ids, 3, FoldOrder::Shuffled(seed)).unwrap().fold_of_row;
        assert_eq!(of(1), PINNED);
        assert_ne!(of(1), of(2));
    }
    const PINNED: [usize; 10] = [2, 1, 0, 1, 2, 0, 1, 0, 0, 2];

    #[test]
    fn folds_of_a_set_do_not_see_the_order_of_rows() {
        // Ten ids that sort as numbers do, backwards and each twice: the pinned folds, backwards.
        let ids: Vec<usize> = (0..20).map(|row| 9 - row % 10).collect();
        let folds = folds_of_set(&ids, 3, 1).unwrap();
        assert_eq!(folds.fold_of_row[..10], folds.fold_of_row[10..]);
        assert!(folds.fold_of_row[..10].iter().rev().eq(&PINNED));
        assert_eq!(folds_of_set(&["a"], 2, 0), Err(FoldError::TooMany { folds: 2, stimuli: 1 }));
    }

    #[test]
    fn impossible_numbers_of_folds() {
        let ids = ["a", "b", "a"];
        let of = |k| k_folds(&ids, k, FoldOrder::Contiguous).unwrap_err().to_string();
        assert_eq!(of(1), "1 folds; cross-validation needs at least 2");
        assert_eq!(of(3), "3 folds, but only 2 distinct stimuli; ask for at most 2");
    }
}
