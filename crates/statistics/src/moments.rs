//! Sums, means and variances, in one pass or two.

/// Values per block of [`sum`]: block sums are added one after the other, so the rounding error grows with the
/// number of blocks and not with the number of values.
const BLOCK: usize = 1024;
const LANES: usize = 8;

/// Adds `term(i)` for `i` in `0..n`, eight lanes side by side within fixed blocks: fast, and always the same order.
fn lane_sum(n: usize, term: impl Fn(usize) -> f64) -> f64 {
    let mut total = 0.0;
    let mut start = 0;
    while start < n {
        let end = (start + BLOCK).min(n);
        let mut lanes = [0.0_f64; LANES];
        let whole = start + (end - start) / LANES * LANES;
        let mut i = start;
        while i < whole {
            for (lane, sum) in lanes.iter_mut().enumerate() {
                *sum += term(i + lane);
            }
            i += LANES;
        }
        let tail: f64 = (whole..end).map(&term).sum();
        total += lanes.iter().sum::<f64>() + tail;
        start = end;
    }
    total
}

/// Sum of the values, accumulated in blocks so that long vectors lose few digits; 0 for none.
pub fn sum(values: &[f64]) -> f64 {
    lane_sum(values.len(), |i| values[i])
}

/// Sum of products `x[i] * y[i]`.
///
/// # Panics
/// When the lengths differ.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    assert_eq!(x.len(), y.len(), "{} values against {}", x.len(), y.len());
    lane_sum(x.len(), |i| x[i] * y[i])
}

/// Arithmetic mean; `NaN` for no values. A constant vector gives exactly its value.
pub fn mean(values: &[f64]) -> f64 {
    let Some(&first) = values.first() else {
        return f64::NAN;
    };
    if !first.is_finite() {
        return sum(values) / values.len() as f64;
    }
    // Taken around the first value: exact for constant input and safe for large means.
    first + lane_sum(values.len(), |i| values[i] - first) / values.len() as f64
}

/// Variance with `n - 1` in the denominator, by two passes; `NaN` for fewer than two values.
///
/// ```
/// assert_eq!(statistics::variance(&[5.0, 6.0, 7.0, 8.0]), 5.0 / 3.0);
/// ```
pub fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let centre = mean(values);
    lane_sum(values.len(), |i| (values[i] - centre).powi(2)) / (values.len() - 1) as f64
}

/// Count, mean and sum of squared deviations of values that come one at a time (Welford's update).
///
/// ```
/// let mut m = statistics::Moments::default();
/// for x in [5.0, 6.0, 7.0, 8.0] {
///     m.push(x);
/// }
/// assert_eq!((m.n, m.mean, m.variance()), (4, 6.5, 5.0 / 3.0));
/// ```
///
/// Welford (1962); merging: Chan, Golub & LeVeque (1983).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    /// How many values.
    pub n: usize,
    /// Their mean; 0 while there are none.
    pub mean: f64,
    /// Sum of squared deviations from the mean.
    pub m2: f64,
}

impl Moments {
    /// Adds one value.
    pub fn push(&mut self, x: f64) {
        self.n += 1;
        let delta = x - self.mean;
        self.mean += delta / self.n as f64;
        self.m2 += delta * (x - self.mean);
    }

    /// The moments of both sets of values together.
    pub fn merge(self, other: Moments) -> Moments {
        if self.n == 0 {
            return other;
        }
        if other.n == 0 {
            return self;
        }
        let (a, b) = (self.n as f64, other.n as f64);
        let delta = other.mean - self.mean;
        Moments {
            n: self.n + other.n,
            mean: self.mean + delta * (b / (a + b)),
            m2: self.m2 + other.m2 + delta * delta * (a * b / (a + b)),
        }
    }

    /// Variance with `n - 1`; `NaN` for fewer than two values.
    pub fn variance(&self) -> f64 {
        if self.n < 2 { f64::NAN } else { self.m2 / (self.n - 1) as f64 }
    }

    /// Standard deviation with `n - 1`.
    pub fn sd(&self) -> f64 {
        self.variance().sqrt()
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut moments = Moments::default();
        values.into_iter().for_each(|x| moments.push(x));
        moments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_at_the_edges_of_a_block() {
        for n in [0, 1, 7, 8, 9, 1023, 1024, 1025, 5000] {
            let values: Vec<f64> = (0..n).map(|i| i as f64).collect();
            assert_eq!(sum(&values), (n * n.max(1) - n) as f64 / 2.0, "{n}");
        }
    }

    #[test]
    fn mean_of_a_constant_is_that_value() {
        let values = vec![0.1; 12_345];
        assert_eq!(mean(&values), 0.1);
        assert_eq!(variance(&values), 0.0);
        assert!(mean(&[]).is_nan() && variance(&[1.0]).is_nan());
        assert!(mean(&[f64::NAN, 1.0]).is_nan() && mean(&[1.0, f64::NAN]).is_nan());
        assert_eq!(mean(&[f64::INFINITY, 1.0]), f64::INFINITY);
    }

    #[test]
    fn tiny_variance_on_a_large_mean() {
        // 1e6 + {-0.01, 0.01}: variance 1e-4 * n / (n - 1).
        let values: Vec<f64> = (0..1000).map(|i| 1e6 + if i % 2 == 0 { 0.01 } else { -0.01 }).collect();
        let expected = 1e-4 * 1000.0 / 999.0;
        // 1e-7: the inputs themselves are rounded to 1e-10 of 0.01.
        assert!((variance(&values) / expected - 1.0).abs() < 1e-7);
        let running: Moments = values.iter().copied().collect();
        assert!((running.variance() / variance(&values) - 1.0).abs() < 1e-10);
    }

    #[test]
    fn merged_moments_are_those_of_all_values() {
        let values = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0, 2.0];
        let whole: Moments = values.into_iter().collect();
        for cut in 0..=values.len() {
            let left: Moments = values[..cut].iter().copied().collect();
            let right: Moments = values[cut..].iter().copied().collect();
            let both = left.merge(right);
            assert_eq!(both.n, 7);
            assert!((both.mean - whole.mean).abs() < 1e-14);
            assert!((both.m2 - whole.m2).abs() < 1e-12);
        }
    }
}
