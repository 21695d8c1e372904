//! Distances that are equal but for rounding become equal.
//!
//! Whatever ranks distances takes the last digit for order. Each value here has a bound on its error; values whose
//! intervals (value plus and minus bound) have a point in common cannot be told apart, so they get one value.

use std::ops::Range;

use rayon::prelude::*;

use super::squared::by_row;

/// Pairs up to which all values are looked at; above, a sample tells whether there is anything to look for. Measured
/// distances have no ties but by chance, and sorting millions of them would cost as much as making them.
const ALL: usize = 1 << 16;
/// Values in the sample, and how many of its neighbours have to agree within rounding.
const SAMPLE: usize = 1 << 13;
const ENOUGH: usize = 8;

/// Gives one value to each group of values that agree within their errors.
///
/// `error(i, j, value)` bounds the error of the value of rows `i` and `j` of `n`, the patterns being taken as exact;
/// `with_input` also has the rounding of the patterns themselves. The second, wider one decides only where the values
/// so fall into few groups that lie far apart, as those of a model do whose patterns were rounded: among measured
/// distances it would make ties of what can be told apart.
///
/// Groups are made from the smallest value upwards, each as long as there is a point that lies in all its intervals;
/// they do not chain. The value of a group is the one that most of its members have. Where all intervals of a group
/// hold a limit (0 and, where there is one, `largest`) it becomes that limit. `NaN` stays.
///
/// `bounds` are bounds on both for all pairs together, where the caller has them for less.
pub(crate) fn settle(
    values: &mut [f64],
    n: usize,
    largest: Option<f64>,
    bounds: Option<Bounds>,
    error: impl Fn(usize, usize, f64) -> f64 + Sync,
    with_input: impl Fn(usize, usize, f64) -> f64 + Sync,
) {
    if values.len() > ALL {
        let sample = sampled(values, n, SAMPLE);
        if agreeing(sample.clone(), &error) < ENOUGH && agreeing(sample, &with_input) < SAMPLE / 2 {
            return;
        }
    }
    let limits = [Some(0.0), largest];
    if bounds.is_some_and(|bounds| all_apart(values, &limits, bounds)) {
        return;
    }
    // With its place, so that the error of each is known again after sorting.
    let mut sorted: Vec<Placed> = Vec::with_capacity(values.len());
    for (i, row) in by_row(values, n).into_iter().enumerate() {
        sorted.extend(row.iter().zip(i + 1..).filter(|(v, _)| !v.is_nan()).map(|(v, j)| (*v, i as u32, j as u32)));
    }
    sorted.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let coarse = groups(&sorted, &limits, with_input);
    let found = match are_apart(&coarse, &sorted) {
        true => coarse,
        false => groups(&sorted, &limits, error),
    };
    for Group { members, value } in found {
        for (v, i, j) in &sorted[members] {
            if *v != value {
                let (i, j) = (*i as usize, *j as usize);
                values[i * (2 * n - i - 1) / 2 + (j - i - 1)] = value;
            }
        }
    }
}

/// Bounds on the errors of all values: the patterns being taken as exact, and with their rounding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub exact_input: f64,
    pub with_input: f64,
}

/// Whether plain values, without their places, show already that nothing is to be settled, as is so for measured
/// distances: no two that differ are within the largest error of each other, none is that near to a limit, and too many
/// are apart by the wider bound for few kinds. A searchlight asks this for every sphere.
fn all_apart(values: &[f64], limits: &[Option<f64>], bounds: Bounds) -> bool {
    // Without an early end, so that several values are looked at together.
    let is_at = |limit: &f64| {
        values.iter().fold(false, |any, v| any | (v != limit) & ((v - limit).abs() <= bounds.exact_input))
    };
    if limits.iter().flatten().any(is_at) {
        return false;
    }
    let sorted = in_order(values);
    let mut n_apart = 1;
    for pair in sorted.windows(2) {
        let gap = pair[1] - pair[0];
        if gap != 0.0 && gap <= 2.0 * bounds.exact_input {
            return false;
        }
        n_apart += usize::from(gap > 2.0 * bounds.with_input);
    }
    4 * n_apart > sorted.len()
}

/// The values that are not `NaN`, sorted: put into as many equal bins as there are values first, since distances are
/// spread out and comparing them all costs several times as much.
fn in_order(values: &[f64]) -> Vec<f64> {
    let known: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let (low, high) =
        known.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
    let last = values.len().saturating_sub(1);
    let per_unit = last as f64 / (high - low);
    // Equal values are one bin: 0 / 0 and infinity times 0 are 0 as a place.
    let bins: Vec<usize> = known.iter().map(|value| (((value - low) * per_unit) as usize).min(last)).collect();
    // Where each bin starts, and where it ends after its values were put there.
    let mut ends = vec![0u32; values.len() + 1];
    bins.iter().for_each(|bin| ends[bin + 1] += 1);
    for k in 1..ends.len() {
        ends[k] += ends[k - 1];
    }
    let mut sorted = vec![0.0; known.len()];
    for (value, bin) in known.iter().zip(bins) {
        let place = &mut ends[bin];
        sorted[*place as usize] = *value;
        *place += 1;
    }
    let mut start = 0;
    for end in ends {
        match &mut sorted[start..end as usize] {
            [] | [_] => {}
            [a, b] if *a <= *b => {}
            [a, b] => std::mem::swap(a, b),
            bin => bin.sort_unstable_by(f64::total_cmp),
        }
        start = end as usize;
    }
    sorted
}

/// A value and its two rows.
type Placed = (f64, u32, u32);

struct Group {
    /// Places in the sorted values.
    members: Range<usize>,
    value: f64,
}

fn groups(sorted: &[Placed], limits: &[Option<f64>], error: impl Fn(usize, usize, f64) -> f64) -> Vec<Group> {
    let mut all = Vec::new();
    let mut start = 0;
    while start < sorted.len() {
        let (mut bottom, mut top) = (f64::NEG_INFINITY, f64::INFINITY);
        let mut end = start;
        while let Some(&(v, i, j)) = sorted.get(end) {
            let e = error(i as usize, j as usize, v);
            if end > start && v - e > top {
                break;
            }
            (bottom, top) = (bottom.max(v - e), top.min(v + e));
            end += 1;
        }
        let limit = limits.iter().flatten().find(|limit| bottom <= **limit && **limit <= top);
        let value = limit.copied().unwrap_or_else(|| commonest(&sorted[start..end]));
        all.push(Group { members: start..end, value });
        start = end;
    }
    all
}

/// Whether the values are few kinds, but more than one: on average four or more of each, and every kind further from
/// the next than it is wide, several times.
fn are_apart(groups: &[Group], sorted: &[Placed]) -> bool {
    let ends = |group: &Group| (sorted[group.members.start].0, sorted[group.members.end - 1].0);
    groups.len() > 1
        && 4 * groups.len() <= sorted.len()
        && groups.windows(2).all(|pair| {
            let ((a_low, a_high), (b_low, b_high)) = (ends(&pair[0]), ends(&pair[1]));
            b_low - a_high > 4.0 * (a_high - a_low).max(b_high - b_low)
        })
}

/// The value that occurs most often in a sorted group; of several the one in the middle.
fn commonest(group: &[Placed]) -> f64 {
    let runs = || group.chunk_by(|a, b| a.0 == b.0);
    let most = runs().map(<[_]>::len).max().unwrap_or(0);
    let best: Vec<f64> = runs().filter(|run| run.len() == most).map(|run| run[0].0).collect();
    best[best.len() / 2]
}

/// Every so many-th value with its place.
fn sampled(values: &[f64], n: usize, size: usize) -> Vec<(f64, usize, usize)> {
    // A stride without a common factor with the rows' lengths, as far as one number can be.
    let stride = (values.len() / size).max(1) | 1;
    let mut sample = Vec::with_capacity(size + 1);
    let mut row_start = 0;
    let mut i = 0;
    for at in (0..values.len()).step_by(stride) {
        while at >= row_start + (n - 1 - i) {
            row_start += n - 1 - i;
            i += 1;
        }
        sample.push((values[at], i, i + 1 + at - row_start));
    }
    sample.retain(|(v, ..)| !v.is_nan());
    sample
}

/// How many values agree with the next larger one within their errors.
fn agreeing(mut sample: Vec<(f64, usize, usize)>, error: &impl Fn(usize, usize, f64) -> f64) -> usize {
    sample.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let agree = |pair: &&[(f64, usize, usize)]| {
        let [(a, ai, aj), (b, bi, bj)] = [pair[0], pair[1]];
        b - error(bi, bj, b) <= a + error(ai, aj, a)
    };
    sample.windows(2).filter(agree).count()
}

/// Whether many of the values agree within `error`, more than chance would have it for measured ones: a reason to take
/// the distances again in `f64`.
pub(crate) fn many_agree(values: &[f64], n: usize, error: impl Fn(usize, usize, f64) -> f64) -> bool {
    let sample = sampled(values, n, 512);
    let enough = sample.len().div_ceil(8).max(1);
    agreeing(sample, &error) >= enough
}

#[cfg(test)]
mod tests {
    use super::in_order;

    #[test]
    fn bins_sort() {
        let mut state = 1u64;
        let mut draw = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as f64
        };
        let skewed: Vec<f64> = (0..300).map(|_| (draw() / 1e8).exp2()).collect();
        let few: Vec<f64> = (0..300).map(|_| draw() % 3.0).collect();
        let spread: Vec<f64> = (0..300).map(|_| draw()).chain([f64::MAX / 4.0, -f64::MAX / 4.0, f64::NAN]).collect();
        for values in [skewed, few, spread, vec![2.5; 7], vec![1.0], vec![f64::NAN; 3], Vec::new()] {
            let mut expected: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
            expected.sort_by(f64::total_cmp);
            assert_eq!(in_order(&values), expected);
        }
    }
}
