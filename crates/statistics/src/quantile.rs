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

/// What a box plot draws: quartiles, and whiskers at the most extreme values within 1.5 interquartile ranges of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoxPlot {
    /// First quartile (linear interpolation, as NumPy).
    pub q1: f64,
    /// Median.
    pub median: f64,
    /// Third quartile.
    pub q3: f64,
    /// Smallest value that is at least `q1 - 1.5 (q3 - q1)`.
    pub whisker_lo: f64,
    /// Largest value that is at most `q3 + 1.5 (q3 - q1)`.
    pub whisker_hi: f64,
}

impl BoxPlot {
    /// The five numbers of these values; all `NaN` for no values or any `NaN` among them.
    ///
    /// A whisker never ends inside the box: where interpolation has put a quartile beyond every value within reach, the
    /// whisker is the quartile, as in matplotlib's `boxplot_stats`.
    ///
    /// ```
    /// // Quartiles 2 and 4 reach from -1 to 7; 20 is an outlier.
    /// let plot = statistics::BoxPlot::of(&[1.0, 2.0, 3.0, 4.0, 20.0]);
    /// assert_eq!((plot.q1, plot.median, plot.q3), (2.0, 3.0, 4.0));
    /// assert_eq!((plot.whisker_lo, plot.whisker_hi), (1.0, 4.0));
    /// ```
    ///
    /// Tukey (1977).
    pub fn of(values: &[f64]) -> BoxPlot {
        let [q1, median, q3] = [0.25, 0.5, 0.75].map(|q| quantile(values, q));
        let reach = 1.5 * (q3 - q1);
        let above = values.iter().copied().filter(|v| *v >= q1 - reach).fold(q1, f64::min);
        let below = values.iter().copied().filter(|v| *v <= q3 + reach).fold(q3, f64::max);
        BoxPlot { q1, median, q3, whisker_lo: above, whisker_hi: below }
    }
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

    #[test]
    fn whiskers_as_matplotlib() {
        let of = |values: &[f64]| {
            let b = BoxPlot::of(values);
            [b.whisker_lo, b.q1, b.median, b.q3, b.whisker_hi]
        };
        // matplotlib 3: cbook.boxplot_stats of the same values: whislo, q1, med, q3, whishi
        assert_eq!(of(&[3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]), [1.0, 1.75, 3.5, 5.25, 9.0]);
        assert_eq!(of(&[-30.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 30.0]), [0.0, 0.75, 2.5, 4.25, 5.0]);
        // Reach of q1 = 0, q3 = 2.5 is 6.25 and every value above q3 is an outlier: the whisker is the quartile.
        assert_eq!(of(&[0.0, 0.0, 0.0, 10.0]), [0.0, 0.0, 0.0, 2.5, 2.5]);
        assert_eq!(of(&[7.0]), [7.0; 5]);
        assert!(of(&[]).iter().chain(&of(&[1.0, f64::NAN])).all(|v| v.is_nan()));
    }
}
