//! Order kept once, compared many times: Kendall's counts and average ranks of weighted values without sorting anew.
//!
//! A weight says how often a value stands in the sample (a bootstrap's multiplicity). Sorting is done once per vector;
//! a resampled vector, a rank and a comparison of two vectors then take one pass over the sorted values.

#[cfg(target_arch = "x86_64")]
mod wide;

use crate::correlation::tau_b;

/// The order of a vector's values.
///
/// ```
/// use statistics::concordance::{Order, concordance};
/// let (x, y) = (Order::of(&[1.0, 2.0, 3.0, 4.0]), Order::of(&[1.0, 3.0, 2.0, 5.0]));
/// let counts = concordance(&x, &y, &[1; 4], &mut Default::default());
/// assert_eq!(counts.tau_a(), 4.0 / 6.0);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Order {
    /// Places of the values from the smallest to the largest.
    sorted: Vec<u32>,
    /// Per place, the number of different smaller values.
    level: Vec<u32>,
    /// Per level, where it starts in `sorted`; and the end.
    starts: Vec<u32>,
    /// Pairs of the sample that are tied.
    tied: i64,
}

impl Order {
    /// Of finite values. 0 and -0 are equal.
    pub fn of(values: &[f64]) -> Order {
        // Bits of f64 that sort as integers.
        let key = |v: f64| {
            let bits = (v + 0.0).to_bits();
            if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
        };
        let mut pairs: Vec<(u64, u32)> = values.iter().map(|v| key(*v)).zip(0..).collect();
        pairs.sort_unstable();
        Order::from_sorted(values.len(), pairs.iter().copied())
    }

    /// Of integers, which sort faster.
    pub fn of_integers(values: &[u32]) -> Order {
        let mut pairs: Vec<u64> = values.iter().zip(0u64..).map(|(v, place)| u64::from(*v) << 32 | place).collect();
        pairs.sort_unstable();
        Order::from_sorted(values.len(), pairs.iter().map(|p| (p >> 32, *p as u32)))
    }

    fn from_sorted(n: usize, keys: impl Iterator<Item = (u64, u32)>) -> Order {
        let mut order =
            Order { sorted: Vec::with_capacity(n), level: vec![0; n], starts: Vec::with_capacity(n + 1), tied: 0 };
        let mut last = None;
        for (position, (key, place)) in keys.enumerate() {
            if last != Some(key) {
                order.starts.push(position as u32);
                last = Some(key);
            }
            order.level[place as usize] = order.starts.len() as u32 - 1;
            order.sorted.push(place);
        }
        order.starts.push(n as u32);
        order.tied = order.starts.windows(2).map(|level| pairs(i64::from(level[1] - level[0]))).sum();
        order
    }

    /// The order of the values that `new_place` keeps (`u32::MAX` leaves one out), which then have these places and
    /// stand in the sample as often as their weights say.
    pub fn select(&self, new_place: &[u32], weights: &[u32]) -> Order {
        let n = weights.len();
        let mut order =
            Order { sorted: Vec::with_capacity(n), level: vec![0; n], starts: Vec::with_capacity(n + 1), tied: 0 };
        for level in self.starts.windows(2) {
            let before = order.sorted.len();
            let mut here = 0;
            for &place in &self.sorted[level[0] as usize..level[1] as usize] {
                let place = new_place[place as usize];
                if place != u32::MAX {
                    order.level[place as usize] = order.starts.len() as u32;
                    order.sorted.push(place);
                    here += i64::from(weights[place as usize]);
                }
            }
            order.tied += pairs(here);
            if order.sorted.len() > before {
                order.starts.push(before as u32);
            }
        }
        order.starts.push(order.sorted.len() as u32);
        order
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The places of a smallest and of a largest value.
    pub fn ends(&self) -> Option<(usize, usize)> {
        Some((*self.sorted.first()? as usize, *self.sorted.last()? as usize))
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Average ranks, from 1, in a sample where each value stands as often as its weight says.
    pub fn average_ranks(&self, weights: &[u32]) -> Vec<f64> {
        let mut ranks = vec![0.0; self.len()];
        let mut below = 0u64;
        for level in self.starts.windows(2) {
            let places = &self.sorted[level[0] as usize..level[1] as usize];
            let here: u64 = places.iter().map(|&p| u64::from(weights[p as usize])).sum();
            let shared = below as f64 + (here as f64 + 1.0) / 2.0;
            places.iter().for_each(|&p| ranks[p as usize] = shared);
            below += here;
        }
        ranks
    }
}

fn pairs(n: i64) -> i64 {
    n * (n - 1) / 2
}

/// Pairs of a sample of two variables, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concordance {
    /// All pairs.
    pub pairs: i64,
    /// Pairs tied in the first variable.
    pub tied_x: i64,
    /// Pairs tied in the second.
    pub tied_y: i64,
    /// Pairs in the same order in both, minus those in opposite order.
    pub concordant_minus_discordant: i64,
}

impl Concordance {
    /// As [`crate::kendall_tau_a`].
    pub fn tau_a(self) -> f64 {
        if self.tied_x == self.pairs || self.tied_y == self.pairs {
            return f64::NAN;
        }
        self.concordant_minus_discordant as f64 / self.pairs as f64
    }

    /// As [`crate::kendall_tau_b`].
    pub fn tau_b(self) -> f64 {
        tau_b(self.concordant_minus_discordant, self.pairs - self.tied_x, self.pairs - self.tied_y)
    }
}

/// Memory that [`concordance`] uses again.
#[derive(Debug, Default)]
pub struct Scratch {
    next: Vec<u32>,
    weighted: (Vec<u64>, Vec<u64>),
    plain: (Vec<u32>, Vec<u32>),
}

/// Counts the pairs of a sample in which value k of both stands `weights[k]` times, the weights that both orders were
/// selected with (1 of an order of all values). O(n log n) without comparing.
///
/// # Panics
/// When the lengths differ.
pub fn concordance(x: &Order, y: &Order, weights: &[u32], scratch: &mut Scratch) -> Concordance {
    let n = x.len();
    assert!(n == y.len() && n == weights.len(), "{n} values against {} with {} weights", y.len(), weights.len());
    let plain = weights.iter().all(|w| *w == 1);
    let untied = x.starts.len() == n + 1 && y.starts.len() == n + 1;
    // Levels of y in the order of x and, within a level of x, of y: every level of x has its places filled by a walk
    // through y.
    scratch.next.clear();
    scratch.next.extend_from_slice(&x.starts);
    let size = i64::from(weights.iter().sum::<u32>());
    let all = pairs(size);
    let mut place_of = |place: u32| {
        let next = &mut scratch.next[x.level[place as usize] as usize];
        *next += 1;
        *next as usize - 1
    };
    let top = 32 - (y.starts.len() as u32).leading_zeros();
    let (discordant, tied_both) = if plain {
        let (values, spare) = &mut scratch.plain;
        values.resize(n, 0);
        for (level, run) in (0u32..).zip(y.starts.windows(2)) {
            for &place in &y.sorted[run[0] as usize..run[1] as usize] {
                // Without ties a level of x is a place of its own.
                let at = if untied { x.level[place as usize] as usize } else { place_of(place) };
                values[at] = level;
            }
        }
        let both = if untied { 0 } else { tied_runs(x, |k| (values[k], 1)) };
        (inversions_of_levels(&mut values[..n], spare, top), both)
    } else {
        let (values, spare) = &mut scratch.weighted;
        values.resize(n, 0);
        spare.resize(n, 0);
        for (level, run) in (0u64..).zip(y.starts.windows(2)) {
            for &place in &y.sorted[run[0] as usize..run[1] as usize] {
                let at = if untied { x.level[place as usize] as usize } else { place_of(place) };
                values[at] = level << 32 | u64::from(weights[place as usize]);
            }
        }
        let both = tied_runs(x, |k| (values[k].level(), values[k].weight() as i64));
        (inversions(&mut values[..n], &mut spare[..n], top), both)
    };
    let (tied_x, tied_y) = (x.tied, y.tied);
    Concordance {
        pairs: all,
        tied_x,
        tied_y,
        concordant_minus_discordant: all - tied_x - tied_y + tied_both - 2 * discordant as i64,
    }
}

/// Pairs within runs of one level of both: within a level of x, the levels of y stand sorted.
fn tied_runs(x: &Order, at: impl Fn(usize) -> (u32, i64)) -> i64 {
    let mut tied = 0;
    for level in x.starts.windows(2) {
        let mut run = (u32::MAX, 0);
        for k in level[0] as usize..level[1] as usize {
            let (here, weight) = at(k);
            if here == run.0 {
                run.1 += weight;
            } else {
                tied += pairs(run.1);
                run = (here, weight);
            }
        }
        tied += pairs(run.1);
    }
    tied
}

trait Item: Copy {
    fn level(self) -> u32;
    fn weight(self) -> u64;
}

impl Item for u32 {
    #[inline(always)]
    fn level(self) -> u32 {
        self
    }
    #[inline(always)]
    fn weight(self) -> u64 {
        1
    }
}

/// Level above, weight below.
impl Item for u64 {
    #[inline(always)]
    fn level(self) -> u32 {
        (self >> 32) as u32
    }
    #[inline(always)]
    fn weight(self) -> u64 {
        self & 0xffff_ffff
    }
}

/// [`inversions`] of values without weights, where the processor can in vectors.
fn inversions_of_levels(values: &mut [u32], spare: &mut Vec<u32>, bits: u32) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("popcnt") {
        spare.resize(values.len() + wide::SLACK, 0);
        // SAFETY: the processor has what the function was compiled for.
        return unsafe { wide::inversions(values, spare, bits) };
    }
    spare.resize(values.len(), 0);
    inversions(values, spare, bits)
}

/// So few are compared with each other one by one.
const FEW: usize = 24;

/// Sum of the products of weights over pairs that stand in falling order. Splits by the bits of the levels from the
/// highest: a value without the bit falls behind every value with it that came before. Leaves `values` in disorder.
fn inversions<T: Item>(values: &mut [T], spare: &mut [T], bits: u32) -> u64 {
    if values.len() <= FEW {
        let mut found = 0;
        for (k, later) in values.iter().enumerate() {
            let larger: u64 = values[..k].iter().map(|v| v.weight() * u64::from(v.level() > later.level())).sum();
            found += larger * later.weight();
        }
        return found;
    }
    if bits == 0 {
        return 0;
    }
    let (mut without, mut with, mut weight_with, mut found) = (0, 0, 0, 0);
    for k in 0..values.len() {
        let value = values[k];
        let bit = u64::from(value.level() >> (bits - 1) & 1);
        // Both are written and one cursor moves: no branch to guess. `without` never runs ahead of k.
        values[without] = value;
        spare[with] = value;
        with += bit as usize;
        without += 1 - bit as usize;
        found += (1 - bit) * value.weight() * weight_with;
        weight_with += bit * value.weight();
    }
    values[without..].copy_from_slice(&spare[..with]);
    let (low, high) = values.split_at_mut(without);
    found + inversions(low, spare, bits - 1) + inversions(high, spare, bits - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Draws, average_ranks, kendall_tau_a, kendall_tau_b};

    /// Every value as often as its weight says.
    fn repeated(values: &[f64], weights: &[u32]) -> Vec<f64> {
        values.iter().zip(weights).flat_map(|(v, w)| std::iter::repeat_n(*v, *w as usize)).collect()
    }

    #[test]
    fn weights_are_repetitions() {
        let mut draws = Draws::new(4);
        let mut scratch = Scratch::default();
        for n in [2, 5, 23, 24, 25, 60, 300] {
            for levels in [2, 7, 100_000] {
                let x: Vec<f64> = (0..n).map(|_| draws.below(levels) as f64 - 3.0).collect();
                let y: Vec<f64> = (0..n).map(|_| draws.below(levels) as f64 - 3.0).collect();
                for most in [1, 4] {
                    let weights: Vec<u32> =
                        (0..n).map(|_| if most == 1 { 1 } else { draws.below(most) as u32 }).collect();
                    let mut new_place = vec![u32::MAX; n];
                    let kept: Vec<usize> = (0..n).filter(|&k| weights[k] > 0).collect();
                    kept.iter().zip(0..).for_each(|(&k, place)| new_place[k] = place);
                    let some: Vec<u32> = kept.iter().map(|&k| weights[k]).collect();
                    let order = |v: &[f64]| Order::of(v).select(&new_place, &some);
                    let (a, b) = (repeated(&x, &weights), repeated(&y, &weights));
                    let found = concordance(&order(&x), &order(&y), &some, &mut scratch);
                    let same = |f: f64, g: f64| f == g || (f - g).abs() < 1e-15 || (f.is_nan() && g.is_nan());
                    assert!(same(found.tau_a(), kendall_tau_a(&a, &b)), "{n} {levels} {most}");
                    assert!(same(found.tau_b(), kendall_tau_b(&a, &b)), "{n} {levels} {most}");
                    let ranks: Vec<f64> = order(&x).average_ranks(&some);
                    assert_eq!(repeated(&ranks, &some), average_ranks(&a));
                    if most == 1 {
                        let all = concordance(&Order::of(&x), &Order::of(&y), &weights, &mut scratch);
                        assert_eq!(all, found);
                    }
                }
            }
        }
    }

    #[test]
    fn vectors_find_the_inversions_that_single_values_do() {
        let mut draws = Draws::new(5);
        for n in (0..70).chain([127, 128, 129, 1000, 5003]) {
            for levels in [1, 2, 30, 4096] {
                let values: Vec<u32> = (0..n).map(|_| draws.below(levels) as u32).collect();
                let slow = (0..n).map(|k| values[..k].iter().filter(|v| **v > values[k]).count() as u64).sum::<u64>();
                let bits = 32 - (levels as u32 - 1).leading_zeros();
                let mut spare = vec![0; n];
                assert_eq!(inversions(&mut values.clone(), &mut spare, bits), slow, "{n} {levels}");
                assert_eq!(inversions_of_levels(&mut values.clone(), &mut spare, bits), slow, "{n} {levels}");
            }
        }
    }

    #[test]
    fn integers_and_numbers_sort_alike() {
        let mut draws = Draws::new(8);
        let integers: Vec<u32> = (0..200).map(|_| draws.below(50) as u32).collect();
        let (a, b) = (
            Order::of_integers(&integers),
            Order::of(&integers.iter().map(|v| f64::from(*v) / 4.0 - 5.0).collect::<Vec<_>>()),
        );
        assert_eq!(a.level, b.level);
        assert_eq!(Order::of(&[0.0, -0.0, -1.0, 1.0]).level, [1, 1, 0, 2]);
    }
}
