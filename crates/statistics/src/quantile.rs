//! Quantiles by linear interpolation, NumPy's default.

/// Quantile `q` in 0..=1 with linear interpolation between order statistics (NumPy's `linear`, type 7).
/// `NaN` for no values, for any `NaN` among them, and for a `q` outside 0..=1.
///
/// ```
/// assert_eq!(statistics::quantile(&[4.0, 1.0, 3.0, 2.0], 0.25), 1.75);
/// ```
pub fn quantile(values: &[f64], q: f64) -> f64 {
    if values.is_empty() || values.iter().any(|v| v.is_nan()) || !(0.0..=1.0).contains(&q) {
        return f64::NAN;
    }
    let mut work = values.to_vec();
    let place = q * (work.len() - 1) as f64;
    let below = place.floor() as usize;
    let (_, &mut low, above) = work.select_nth_unstable_by(below, f64::total_cmp);
    let weight = place - below as f64;
    if weight == 0.0 {
        return low;
    }
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    low + weight * (high - low)
}

/// Median: the middle value, or the mean of the two middle ones. `NaN` as for [`quantile`].
///
/// ```
/// assert_eq!(statistics::median(&[3.0, 1.0, 2.0]), 2.0);
/// ```
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_numpy() {
        // numpy 2: np.quantile([3, 1, 4, 1, 5, 9, 2, 6], [0, .1, .25, .5, .9, 1])
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        for (q, expected) in [(0.0, 1.0), (0.1, 1.0), (0.25, 1.75), (0.5, 3.5), (0.9, 6.9), (1.0, 9.0)] {
            assert!((quantile(&values, q) - expected).abs() < 1e-14, "{q}");
        }
    }

    #[test]
    fn human_human_value_is_the_median_of_the_pairs() {
        // METHODS.md 1a: FFA, subject 1, univariate.
        let pairs = [0.9886, 0.975, 0.9962, 0.9627, 0.9762, 1.0453, 0.9094];
        assert_eq!(median(&pairs), 0.9762);
    }

    #[test]
    fn nothing_and_nan_have_no_median() {
        assert!(median(&[]).is_nan() && median(&[1.0, f64::NAN]).is_nan());
        assert_eq!(median(&[7.0]), 7.0);
        assert_eq!(median(&[1.0, 2.0]), 1.5);
    }
}
