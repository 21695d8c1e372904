//! Reliability from the correlation of two halves of the trials.

use ndarray::{Array2, ArrayView2};
use statistics::{Draws, Reason, bounded, pearson};

use crate::columns::map_columns;
use crate::repeats::{RepeatError, Repeats};
use crate::spearman_brown::{r_max, spearman_brown};

/// Two disjoint sets of occurrences (0 = first presentation) of equal size.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Split {
    /// Occurrences in one part, rising.
    pub a: Vec<usize>,
    /// Occurrences in the other.
    pub b: Vec<usize>,
}

/// Splits are listed in full up to this many; beyond, `max_splits` of them are drawn one by one.
const LISTED: u64 = 20_000;

/// Splits of `n_repeats` occurrences into two parts of `n_repeats / 2` (rounded down) each.
///
/// All of them when there are no more than `max_splits`, else `max_splits` drawn by the seed. With an odd number one
/// occurrence is left out of each split, since parts of unequal size cannot be stepped up: 3 repeats give the three
/// pairs of single trials. Fewer than two repeats give none.
///
/// ```
/// let splits = reliability::balanced_splits(4, 100, 0);
/// let parts: Vec<_> = splits.iter().map(|s| (s.a.clone(), s.b.clone())).collect();
/// assert_eq!(parts, [(vec![0, 1], vec![2, 3]), (vec![0, 2], vec![1, 3]), (vec![0, 3], vec![1, 2])]);
/// assert_eq!(reliability::balanced_splits(3, 100, 0).len(), 3);
/// ```
pub fn balanced_splits(n_repeats: usize, max_splits: usize, seed: u64) -> Vec<Split> {
    let half = n_repeats / 2;
    if half == 0 {
        return Vec::new();
    }
    let mut draws = Draws::new(seed);
    if number_of_splits(n_repeats) > LISTED.max(max_splits as u64) {
        return (0..max_splits)
            .map(|_| {
                let order = draws.permutation(n_repeats);
                ordered(order[..half].to_vec(), order[half..2 * half].to_vec())
            })
            .collect();
    }
    let mut splits = Vec::new();
    let all: Vec<usize> = (0..n_repeats).collect();
    for a in combinations(&all, half) {
        let others: Vec<usize> = all.iter().copied().filter(|i| !a.contains(i)).collect();
        for b in combinations(&others, half) {
            if a[0] < b[0] {
                splits.push(Split { a: a.clone(), b });
            }
        }
    }
    if splits.len() > max_splits {
        draws.shuffle(&mut splits);
        splits.truncate(max_splits);
        splits.sort_unstable();
    }
    splits
}

fn ordered(mut a: Vec<usize>, mut b: Vec<usize>) -> Split {
    a.sort_unstable();
    b.sort_unstable();
    if a < b { Split { a, b } } else { Split { a: b, b: a } }
}

/// `C(n, h) C(n - h, h) / 2` with `h = n / 2`, or the largest u64 when that is not enough.
fn number_of_splits(n: usize) -> u64 {
    let choose =
        |n: u64, k: u64| -> Option<u64> { (0..k).try_fold(1u64, |c, i| Some(c.checked_mul(n - i)? / (i + 1))) };
    let (n, half) = (n as u64, n as u64 / 2);
    let all = choose(n, half).zip(choose(n - half, half)).and_then(|(a, b)| a.checked_mul(b));
    all.map_or(u64::MAX, |all| all / 2)
}

fn combinations(items: &[usize], k: usize) -> Vec<Vec<usize>> {
    if k == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..=items.len().saturating_sub(k) {
        for mut tail in combinations(&items[first + 1..], k - 1) {
            tail.insert(0, items[first]);
            all.push(tail);
        }
    }
    all
}

/// Split-half reliability of one voxel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitHalf {
    /// Stimuli that have all the repeats asked for, over which the halves are correlated.
    pub n_stimuli: usize,
    /// Repeats used of each.
    pub n_repeats: usize,
    /// Splits averaged over.
    pub n_splits: usize,
    /// Mean Pearson correlation of the two halves. Not a bound: halves are noisier than the average.
    pub r: f64,
    /// Spearman-Brown stepped from one part to all `n_repeats`: bounds **r²** for the average over them.
    pub reliability: f64,
    /// Its root: bounds **r**.
    pub r_max: f64,
    /// Why numbers are missing; `negative_reliability` takes `r_max` away only (and `reliability` too where the
    /// formula has no meaning, see [`spearman_brown`]).
    pub reason: Option<Reason>,
}

/// Split-half reliability of every column of `trials` (presentations x voxels).
///
/// Uses the stimuli shown at least `n_repeats` times, and their first `n_repeats` presentations, so that every split is
/// the same for all of them. The correlations of all splits (at most `max_splits`, drawn by `seed`) are averaged and
/// then stepped up by `n_repeats / (n_repeats / 2)`: 2 for even numbers, 3 for three repeats.
///
/// ```
/// use ndarray::array;
/// use reliability::{Repeats, split_half_reliability};
/// let trials = array![[1.0], [2.0], [3.0], [1.0], [3.0], [2.0]];
/// let voxel = split_half_reliability(trials.view(), &Repeats::by_id(&[0, 1, 2, 0, 1, 2]), 2, 100, 0).unwrap()[0];
/// // first against second showing: corr({1,2,3}, {1,3,2}) = .5, stepped up 1/1.5
/// assert!((voxel.r - 0.5).abs() < 1e-15 && (voxel.reliability - 2.0 / 3.0).abs() < 1e-15);
/// ```
pub fn split_half_reliability<T>(
    trials: ArrayView2<'_, T>,
    repeats: &Repeats,
    n_repeats: usize,
    max_splits: usize,
    seed: u64,
) -> Result<Vec<SplitHalf>, RepeatError>
where
    T: Copy + Into<f64> + Send + Sync,
{
    let stimuli = repeats.to_split(trials.nrows(), n_repeats)?;
    let splits = balanced_splits(n_repeats, max_splits.max(1), seed);
    Ok(map_columns(&[trials], |_, values| {
        // Occurrence by occurrence, so that a half is a sum of vectors over stimuli.
        let shown: Vec<Vec<f64>> = (0..n_repeats)
            .map(|occurrence| stimuli.iter().map(|&s| values[0][repeats.rows_of(s)[occurrence]]).collect())
            .collect();
        of_voxel(&shown, &splits)
    }))
}

fn of_voxel(shown: &[Vec<f64>], splits: &[Split]) -> SplitHalf {
    let (n_repeats, n_stimuli) = (shown.len(), shown[0].len());
    // Products of all pairs of repeats cost R (R + 1) / 2 passes over the stimuli, a split summed anew about R + 6.
    let products = (n_repeats * (n_repeats + 1) / 2 <= splits.len() * (n_repeats + 6)).then(|| Products::of(shown));
    let of_split = |split: &Split| {
        let known = products.as_ref().and_then(|products| products.correlation(split));
        known.unwrap_or_else(|| correlation_of_sums(shown, split))
    };
    let correlations: Vec<f64> = splits.iter().map(of_split).collect();
    let r = statistics::mean(&correlations);
    let reliability = spearman_brown(r, n_repeats as f64 / splits[0].a.len() as f64);
    let (root, negative) = r_max(reliability);
    let reason = if !shown.iter().flatten().all(|v| v.is_finite()) {
        Some(Reason::NanInput)
    } else if r.is_nan() {
        Some(Reason::Constant)
    } else if reliability.is_nan() {
        Some(Reason::NegativeReliability)
    } else {
        negative
    };
    SplitHalf { n_stimuli, n_repeats, n_splits: splits.len(), r, reliability, r_max: root, reason }
}

/// Correlation of the halves of a split by its definition; `shown` is occurrences x stimuli.
fn correlation_of_sums(shown: &[Vec<f64>], split: &Split) -> f64 {
    let total = |occurrences: &[usize]| -> Vec<f64> {
        // The sum correlates as the mean does.
        (0..shown[0].len()).map(|s| occurrences.iter().map(|&o| shown[o][s]).sum()).collect()
    };
    pearson(&total(&split.a), &total(&split.b))
}

/// Products of every two repeats of a voxel, each around its mean. Variance and covariance of sums over repeats are
/// sums over these, so that a split costs no pass over the stimuli.
struct Products {
    n: usize,
    n_stimuli: f64,
    /// `n` x `n`, row by row.
    products: Vec<f64>,
    /// Largest magnitude of every repeat.
    largest: Vec<f64>,
}

impl Products {
    fn of(shown: &[Vec<f64>]) -> Products {
        let n = shown.len();
        let centred: Vec<Vec<f64>> = shown
            .iter()
            .map(|x| {
                let centre = statistics::mean(x);
                x.iter().map(|v| v - centre).collect()
            })
            .collect();
        let mut products = vec![0.0; n * n];
        for i in 0..n {
            for j in i..n {
                products[i * n + j] = statistics::dot(&centred[i], &centred[j]);
                products[j * n + i] = products[i * n + j];
            }
        }
        let largest = shown.iter().map(|x| x.iter().fold(0.0, |m: f64, v| m.max(v.abs()))).collect();
        Products { n, n_stimuli: shown[0].len() as f64, products, largest }
    }

    /// `None` where the digits of the products do not tell: the sum over a half is all but constant beside its
    /// repeats or its magnitude, or the squares left the range of f64 (and where a value is not finite).
    fn correlation(&self, split: &Split) -> Option<f64> {
        let sum = |a: &[usize], b: &[usize]| -> f64 {
            a.iter().map(|&i| b.iter().map(|&j| self.products[i * self.n + j]).sum::<f64>()).sum()
        };
        let (own_a, own_b) = (sum(&split.a, &split.a), sum(&split.b, &split.b));
        let told = |half: &[usize], own: f64| {
            let of_repeats: f64 = half.iter().map(|&i| self.products[i * self.n + i].sqrt()).sum();
            let largest: f64 = half.iter().map(|&i| self.largest[i]).sum();
            // A range is at least the standard deviation: no rounding of f4 makes one that is 1e-5 of the magnitude.
            (1e-200..1e200).contains(&own)
                && own >= 1e-4 * of_repeats * of_repeats
                && own >= 1e-10 * largest * largest * self.n_stimuli
        };
        if !told(&split.a, own_a) || !told(&split.b, own_b) {
            return None;
        }
        let scale = if own_a == own_b { own_a } else { own_a.sqrt() * own_b.sqrt() };
        Some(bounded(sum(&split.a, &split.b) / scale))
    }
}

/// Mean over some occurrences of every stimulus: `stimuli.len()` x voxels, in f64. One half of a [`Split`], as input
/// to any other measure (a profile, an RDM) whose halves are then correlated and stepped up.
///
/// # Panics
/// When a stimulus has fewer presentations than an occurrence asks for, or `occurrences` is empty.
pub fn average_occurrences<T>(
    trials: ArrayView2<'_, T>,
    repeats: &Repeats,
    stimuli: &[usize],
    occurrences: &[usize],
) -> Array2<f64>
where
    T: Copy + Into<f64>,
{
    assert!(!occurrences.is_empty(), "no occurrences to average");
    let mut means = Array2::zeros((stimuli.len(), trials.ncols()));
    for (mut mean, &stimulus) in means.rows_mut().into_iter().zip(stimuli) {
        for &occurrence in occurrences {
            let row = trials.row(repeats.rows_of(stimulus)[occurrence]);
            mean.zip_mut_with(&row, |sum: &mut f64, value| *sum += (*value).into());
        }
        mean /= occurrences.len() as f64;
    }
    means
}

/// Mean over all presentations of every stimulus: stimuli x voxels, in f64.
pub fn averages<T: Copy + Into<f64>>(trials: ArrayView2<'_, T>, repeats: &Repeats) -> Array2<f64> {
    let mut means = Array2::zeros((repeats.n_stimuli(), trials.ncols()));
    for (stimulus, mut mean) in means.rows_mut().into_iter().enumerate() {
        let shown = repeats.rows_of(stimulus);
        for &row in shown {
            mean.zip_mut_with(&trials.row(row), |sum: &mut f64, value| *sum += (*value).into());
        }
        mean /= shown.len() as f64;
    }
    means
}

/// The number n of presentations to split, of the N stimuli shown n times or more: the one with which the reliability
/// of a trial is known best, by the large-sample variance of an intraclass correlation,
/// `2 (1 - r)² (1 + (n - 1) r)² / (n (n - 1) (N - 1))` (Fisher 1925), taken at r = .3; the smaller of two that are as
/// good. A few stimuli shown very often do not stand for many. `None` when fewer than three stimuli are repeated: two
/// points always correlate perfectly.
pub fn presentations_to_split(repeats: &Repeats) -> Option<usize> {
    const OF_A_TRIAL: f64 = 0.3;
    let variance = |n: usize| {
        let (n, stimuli) = (n as f64, repeats.shown_at_least(n).len() as f64);
        ((1.0 - OF_A_TRIAL) * (1.0 + (n - 1.0) * OF_A_TRIAL)).powi(2) / (n * (n - 1.0) * (stimuli - 1.0))
    };
    (2..=repeats.most())
        .filter(|&n| repeats.shown_at_least(n).len() >= 3)
        .min_by(|&a, &b| variance(a).total_cmp(&variance(b)).then(a.cmp(&b)))
}

/// What to say of trials that are not all in the halves, and whether most stimuli are in none; `None` where all are.
pub fn what_is_split(repeats: &Repeats, presentations: usize) -> Option<(String, bool)> {
    let (used, all) = (repeats.shown_at_least(presentations).len(), repeats.n_stimuli());
    let text = format!(
        "unequal repeats; reliabilities are of the first {presentations} presentations of {used} of {all} stimuli"
    );
    (used < all || repeats.most() > presentations).then_some((text, 2 * used < all))
}

/// Which halves a reliability rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splitting {
    /// Presentations of each stimulus that are split ([`presentations_to_split`]).
    pub presentations: usize,
    /// Stimuli that have as many.
    pub n_stimuli: usize,
    /// Splits averaged over: as many as asked for, or all that differ where those are fewer (1 of 2 presentations, 3 of
    /// 3 and of 4, 15 of 5, 10 of 6).
    pub n_splits: usize,
}

impl Splitting {
    /// That of these repeats; `None` where nothing can be split.
    ///
    /// ```
    /// use reliability::{Repeats, Splitting};
    /// let twice = Repeats::by_id(&["a", "b", "c", "a", "b", "c"]);
    /// assert_eq!(Splitting::of(&twice, 100).unwrap().n_splits, 1);
    /// ```
    pub fn of(repeats: &Repeats, max_splits: usize) -> Option<Splitting> {
        let presentations = presentations_to_split(repeats)?;
        let n_splits = number_of_splits(presentations).min(max_splits.max(1) as u64) as usize;
        Some(Splitting { presentations, n_stimuli: repeats.shown_at_least(presentations).len(), n_splits })
    }
}

/// Split-half reliability of every column of `trials`, for averages over `n_trials` trials: halves of the
/// [`presentations_to_split`], their mean correlation [`stepped_up`].
pub fn reliability_of_averages<T>(
    trials: ArrayView2<T>,
    repeats: &Repeats,
    n_trials: f64,
    max_splits: usize,
    seed: u64,
) -> Result<Vec<SplitHalf>, RepeatError>
where
    T: Copy + Into<f64> + Send + Sync,
{
    // 2 where no number will do: the error that follows says what is lacking.
    let shown = presentations_to_split(repeats).unwrap_or(2);
    let mut halves = split_half_reliability(trials, repeats, shown, max_splits, seed)?;
    for half in &mut halves {
        half.reliability = stepped_up(half.r, shown, n_trials).reliability;
        let (root, negative) = r_max(half.reliability);
        half.r_max = root;
        half.reason = match half.reason {
            Some(Reason::NanInput | Reason::Constant) => half.reason,
            // Below the r where the formula has a meaning.
            _ if half.reliability.is_nan() => Some(Reason::NegativeReliability),
            _ => negative,
        };
    }
    Ok(halves)
}

/// Reliability of any measure of averages (a profile, an RDM): the mean over splits of what `correlate` makes of two
/// halves of the trials, stepped up to averages over `n_trials`; `None` where nothing can be split
/// ([`presentations_to_split`]).
///
/// `correlate` gets the stimuli shown often enough and the occurrences in either half, for [`average_occurrences`].
pub fn reliability_of_measure<E>(
    repeats: &Repeats,
    n_trials: f64,
    max_splits: usize,
    seed: u64,
    mut correlate: impl FnMut(&[usize], &[usize], &[usize]) -> Result<f64, E>,
) -> Result<Option<Stepped>, E> {
    let Some(shown) = presentations_to_split(repeats) else { return Ok(None) };
    let stimuli = repeats.shown_at_least(shown);
    let mut correlations = Vec::new();
    for split in balanced_splits(shown, max_splits, seed) {
        correlations.push(correlate(&stimuli, &split.a, &split.b)?);
    }
    Ok(Some(stepped_up(statistics::mean(&correlations), shown, n_trials)))
}

/// The correlation of halves, and what it says of averages over more trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stepped {
    /// Mean correlation of the halves, as it is.
    pub r_halves: f64,
    /// Stepped up by [`spearman_brown`]; `NaN` outside that formula's domain.
    pub reliability: f64,
}

/// From the correlation of halves of `shown` presentations to averages over `n_trials` (Spearman-Brown).
pub fn stepped_up(r: f64, shown: usize, n_trials: f64) -> Stepped {
    Stepped { r_halves: r, reliability: spearman_brown(r, n_trials / (shown / 2) as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn shown(counts: &[usize]) -> Repeats {
        let ids: Vec<usize> = counts.iter().enumerate().flat_map(|(s, &n)| std::iter::repeat_n(s, n)).collect();
        Repeats::by_id(&ids)
    }

    #[test]
    fn the_split_tells_most_of_a_trial() {
        assert_eq!(presentations_to_split(&shown(&[3, 3, 3, 3])), Some(3));
        // variances of r = .3 but for a factor: twice .83 / (2 * 5), three times 1.25 / (6 * 3)
        assert_eq!(presentations_to_split(&shown(&[3, 3, 3, 3, 2, 2])), Some(3));
        // .83 / (2 * 22) against 1.25 / (6 * 2)
        assert_eq!(presentations_to_split(&shown(&[vec![3; 3], vec![2; 20]].concat())), Some(2));
        // three catch pictures have more trials than twenty others, and say less
        assert_eq!(presentations_to_split(&shown(&[vec![40; 3], vec![3; 20]].concat())), Some(3));
        // five presentations would keep one stimulus only
        assert_eq!(presentations_to_split(&shown(&[20, 2, 2])), Some(2));
        assert_eq!(presentations_to_split(&shown(&[2, 2, 1, 1])), None);
        assert_eq!(presentations_to_split(&shown(&[])), None);
    }

    #[test]
    fn numbers_of_splits() {
        for (n, count) in [(0, 0), (1, 0), (2, 1), (3, 3), (4, 3), (5, 15), (6, 10), (7, 70), (8, 35)] {
            let splits = balanced_splits(n, usize::MAX, 0);
            assert_eq!(splits.len(), count, "{n}");
            let half = n / 2;
            assert!(splits.iter().all(|s| s.a.len() == half && s.b.len() == half));
            assert!(splits.iter().all(|s| s.a.iter().all(|i| !s.b.contains(i))));
            let mut distinct = splits.clone();
            distinct.sort();
            distinct.dedup();
            assert_eq!(distinct.len(), count);
        }
    }

    #[test]
    fn many_splits_are_drawn_by_the_seed() {
        for n in [8, 40, 200] {
            let splits = balanced_splits(n, 20, 1);
            assert_eq!(splits.len(), 20);
            assert_eq!(splits, balanced_splits(n, 20, 1));
            assert_ne!(splits, balanced_splits(n, 20, 2));
            assert!(splits.iter().all(|s| s.a.len() == n / 2 && s.a.iter().all(|i| !s.b.contains(i))));
        }
    }

    #[test]
    fn three_repeats_are_three_pairs_of_single_trials() {
        let ids = [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3];
        let shown = [[1.0, 2.0, 3.0, 5.0], [2.0, 1.0, 4.0, 4.0], [1.0, 3.0, 2.0, 6.0]];
        let trials = Array2::from_shape_fn((12, 1), |(row, _)| shown[row / 4][row % 4] as f32);
        let voxel = split_half_reliability(trials.view(), &Repeats::by_id(&ids), 3, 100, 0).unwrap()[0];
        let r = (pearson(&shown[0], &shown[1]) + pearson(&shown[0], &shown[2]) + pearson(&shown[1], &shown[2])) / 3.0;
        assert!((voxel.r - r).abs() < 1e-15);
        assert!((voxel.reliability - 3.0 * r / (1.0 + 2.0 * r)).abs() < 1e-15);
        assert!((voxel.r_max.powi(2) - voxel.reliability).abs() < 1e-15);
        assert_eq!((voxel.n_stimuli, voxel.n_repeats, voxel.n_splits), (4, 3, 3));
    }

    #[test]
    fn products_of_repeats_give_the_correlations_of_sums() {
        let mut draws = Draws::new(3);
        for (n_repeats, noise, offset, told) in
            [(2, 0.0, 0.0, true), (3, 1.0, 1e3, true), (8, 3.0, 0.0, true), (9, 1.0, -50.0, true), (4, 1.0, 1e7, false)]
        {
            let signal: Vec<f64> = (0..30).map(|_| draws.normal_pair()[0]).collect();
            let shown: Vec<Vec<f64>> = (0..n_repeats)
                .map(|_| signal.iter().map(|s| offset + s + noise * draws.normal_pair()[0]).collect())
                .collect();
            let products = Products::of(&shown);
            for split in balanced_splits(n_repeats, 50, 0) {
                let slow = correlation_of_sums(&shown, &split);
                match products.correlation(&split) {
                    Some(r) => assert!(told && (r - slow).abs() < 1e-12, "{n_repeats}: {r} {slow}"),
                    None => assert!(!told),
                }
            }
        }
        // Repeats that vary and whose sum does not; squares beyond f64; values that are not finite.
        let x = vec![1.0, 2.0, 4.0, 3.0];
        let against: Vec<f64> = x.iter().map(|v| 5.0 - v).collect();
        let split = Split { a: vec![0, 1], b: vec![2, 3] };
        for shown in [
            vec![x.clone(), against, x.clone(), x.clone()],
            vec![x.iter().map(|v| v * 1e180).collect(); 4],
            vec![x.iter().map(|v| v * 1e-180).collect(); 4],
            vec![x.iter().map(|v| v / (v - 4.0)).collect(); 4],
        ] {
            assert_eq!(Products::of(&shown).correlation(&split), None, "{shown:?}");
        }
    }

    #[test]
    fn negative_constant_and_nan_voxels_say_so() {
        let ids = [0, 1, 2, 0, 1, 2];
        let trials = array![
            [1.0, 7.0, 1.0],
            [2.0, 7.0, 2.0],
            [3.0, 7.0, 3.0],
            [3.0, 7.0, 1.0],
            [1.0, 7.0, f64::NAN],
            [2.0, 7.0, 3.0]
        ];
        let voxels = split_half_reliability(trials.view(), &Repeats::by_id(&ids), 2, 1, 0).unwrap();
        // corr({1,2,3}, {3,1,2}) = -.5, stepped up -1 / .5: no correlation any more
        assert!((voxels[0].r + 0.5).abs() < 1e-14 && voxels[0].reliability.is_nan() && voxels[0].r_max.is_nan());
        assert_eq!(voxels[0].reason, Some(Reason::NegativeReliability));
        assert_eq!(voxels[1].reason, Some(Reason::Constant));
        assert_eq!(voxels[2].reason, Some(Reason::NanInput));
        assert!(voxels[1].r.is_nan() && voxels[2].r.is_nan());
    }

    #[test]
    fn unusable_designs_say_why() {
        let trials = Array2::<f32>::zeros((4, 1));
        let repeats = Repeats::by_id(&[0, 0, 1, 2]);
        let error = |n| split_half_reliability(trials.view(), &repeats, n, 10, 0).unwrap_err().to_string();
        assert_eq!(error(2), "1 of 3 stimuli have 2 repeats; a split-half correlation needs at least 3 such stimuli");
        assert_eq!(error(1), "1 repeats; a split needs at least 2");
    }

    #[test]
    fn averages_of_occurrences() {
        let trials = array![[1.0_f32, 2.0], [3.0, 4.0], [5.0, 8.0], [0.0, 0.0]];
        let repeats = Repeats::by_id(&["a", "a", "a", "b"]);
        assert_eq!(average_occurrences(trials.view(), &repeats, &[0], &[0, 2]), array![[3.0, 5.0]]);
    }
}
