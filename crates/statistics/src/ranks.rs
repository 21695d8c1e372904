//! Ranks with ties.

/// Ranks from 1, equal values sharing the average of their places; all `NaN` when any value is `NaN`.
///
/// ```
/// assert_eq!(statistics::average_ranks(&[10.0, 20.0, 10.0, 5.0]), [2.5, 4.0, 2.5, 1.0]);
/// ```
pub fn average_ranks(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    if values.iter().any(|v| v.is_nan()) {
        return vec![f64::NAN; n];
    }
    let mut sorted: Vec<(f64, u32)> = values.iter().copied().zip(0..).collect();
    sorted.sort_unstable_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal));
    let mut ranks = vec![0.0; n];
    let mut start = 0;
    while start < n {
        let mut end = start + 1;
        while end < n && sorted[end].0 == sorted[start].0 {
            end += 1;
        }
        // Places start + 1 ..= end share their average.
        let shared = (start + 1 + end) as f64 / 2.0;
        for &(_, index) in &sorted[start..end] {
            ranks[index as usize] = shared;
        }
        start = end;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Draws;

    /// Rank = 1 + number smaller + half the number of other equal ones.
    fn slow_ranks(values: &[f64]) -> Vec<f64> {
        values
            .iter()
            .map(|v| {
                let smaller = values.iter().filter(|w| *w < v).count();
                let equal = values.iter().filter(|w| *w == v).count();
                smaller as f64 + (equal as f64 + 1.0) / 2.0
            })
            .collect()
    }

    #[test]
    fn agrees_with_counting() {
        let mut draws = Draws::new(1);
        for n in [0, 1, 2, 17, 200] {
            let values: Vec<f64> = (0..n).map(|_| draws.below(20) as f64 - 10.0).collect();
            assert_eq!(average_ranks(&values), slow_ranks(&values));
        }
    }

    #[test]
    fn signed_zeros_are_equal_and_nan_spoils_all() {
        assert_eq!(average_ranks(&[0.0, -0.0, 1.0]), [1.5, 1.5, 3.0]);
        assert_eq!(average_ranks(&[f64::INFINITY, 1.0]), [2.0, 1.0]);
        assert!(average_ranks(&[1.0, f64::NAN]).iter().all(|r| r.is_nan()));
    }
}
