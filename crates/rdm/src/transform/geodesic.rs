//! Shortest ways from stimulus to stimulus, over pairs that are not among the farthest.

use rayon::prelude::*;

use crate::matrix::n_stimuli_of;

/// The length of the shortest way between every two stimuli, upper triangle, over the pairs that `lengths` has a number
/// for: `NaN` is a pair without a direct way, and what no way links is `NaN` in the result. A length of 0 links.
///
/// Floyd (1962): n^3 steps.
pub(super) fn shortest_ways(lengths: &[f64]) -> Vec<f64> {
    let n = n_stimuli_of(lengths.len());
    let mut ways = vec![f64::INFINITY; n * n];
    let mut left = lengths.iter();
    for i in 0..n {
        ways[i * n + i] = 0.0;
        for (j, length) in (i + 1..n).zip(&mut left) {
            if !length.is_nan() {
                (ways[i * n + j], ways[j * n + i]) = (*length, *length);
            }
        }
    }
    for through in 0..n {
        let from_there = ways[through * n..(through + 1) * n].to_vec();
        // Every row is changed by itself, so that threads change nothing.
        ways.par_chunks_mut(n).with_min_len(64).for_each(|row| {
            let to_there = row[through];
            if to_there.is_finite() {
                row.iter_mut().zip(&from_there).for_each(|(way, rest)| *way = way.min(to_there + rest));
            }
        });
    }
    let pair = |i: usize, j: usize| match ways[i * n + j] {
        way if way.is_finite() => way,
        _ => f64::NAN,
    };
    (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).map(|(i, j)| pair(i, j)).collect()
}

#[cfg(test)]
mod tests {
    use super::shortest_ways;
    use crate::testing::noise;

    #[test]
    fn ways_by_hand() {
        const NAN: f64 = f64::NAN;
        // a-b 1, b-c 2, a-c 5; d is alone; e stands where c does
        let pairs = [1.0, 5.0, NAN, NAN, 2.0, NAN, NAN, NAN, 0.0, NAN];
        let found = shortest_ways(&pairs);
        let expected = [1.0, 3.0, NAN, 3.0, 2.0, NAN, 2.0, NAN, 0.0, NAN];
        assert!(found.iter().zip(expected).all(|(f, e)| *f == e || (f.is_nan() && e.is_nan())), "{found:?}");
    }

    /// All ways of at most n - 1 pairs, one pair more at a time (Bellman and Ford).
    fn slow(lengths: &[f64], n: usize) -> Vec<f64> {
        let pairs: Vec<(usize, usize)> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect();
        let mut out = Vec::new();
        for &(start, end) in &pairs {
            let mut way = vec![f64::INFINITY; n];
            way[start] = 0.0;
            for _ in 0..n {
                for (&(i, j), length) in pairs.iter().zip(lengths).filter(|(_, length)| !length.is_nan()) {
                    way[j] = way[j].min(way[i] + length);
                    way[i] = way[i].min(way[j] + length);
                }
            }
            out.push(if way[end].is_finite() { way[end] } else { f64::NAN });
        }
        out
    }

    #[test]
    fn ways_are_those_that_are_found_pair_by_pair() {
        for n in [2, 3, 9, 70] {
            let mut lengths: Vec<f64> = noise(n * (n - 1) / 2, 1, n as u64).iter().map(|v| (v + 0.5).powi(4)).collect();
            let cut = lengths.len().min(20);
            lengths.iter_mut().skip(cut).filter(|v| **v > 0.2).for_each(|v| *v = f64::NAN);
            let (found, expected) = (shortest_ways(&lengths), slow(&lengths, n));
            for (f, e) in found.iter().zip(&expected) {
                assert!((f - e).abs() < 1e-14 || (f.is_nan() && e.is_nan()), "{n}: {f} {e}");
            }
        }
    }
}
