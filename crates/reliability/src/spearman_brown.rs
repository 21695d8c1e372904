//! From the correlation of parts to the reliability of the whole.

use statistics::Reason;

/// Reliability of an average over `k` times as many trials as the correlated parts had: `k r / (1 + (k - 1) r)`.
///
/// `r` is the correlation of two parts of equal size; for halves of all trials `k` is 2, for single trials of three it
/// is 3. The result bounds **r²** between a noiseless model and the average. Negative `r` gives a negative value, not
/// 0: a clipped ceiling hides bad voxels. It is itself a correlation, that of the average with another like it, so the
/// formula has a meaning only where its value is -1 or more, `r >= -1 / (2 k - 1)` (-1/3 for halves). Below, it runs to
/// `-inf` at `r = -1 / (k - 1)` and turns positive behind it: `NaN` is given there.
///
/// ```
/// use reliability::spearman_brown;
/// assert_eq!(spearman_brown(0.5, 2.0), 1.0 / 1.5);
/// assert_eq!(spearman_brown(0.25, 3.0), 0.5);
/// assert_eq!(spearman_brown(0.3, 1.0), 0.3);
/// ```
///
/// Spearman (1910); Brown (1910).
pub fn spearman_brown(r: f64, k: f64) -> f64 {
    let below = 1.0 + (k - 1.0) * r;
    let stepped = k * r / below;
    if below > 0.0 && stepped >= -1.0 { stepped } else { f64::NAN }
}

/// The largest **r** a noiseless model can reach: the root of a reliability (a bound on r²).
///
/// A negative reliability has no root: `NaN` with the reason. `NaN` in is `NaN` out, with no reason of its own.
///
/// ```
/// use reliability::r_max;
/// use statistics::Reason;
/// assert_eq!(r_max(0.25), (0.5, None));
/// let (root, reason) = r_max(-0.1);
/// assert!(root.is_nan() && reason == Some(Reason::NegativeReliability));
/// ```
pub fn r_max(reliability: f64) -> (f64, Option<Reason>) {
    if reliability < 0.0 { (f64::NAN, Some(Reason::NegativeReliability)) } else { (reliability.sqrt(), None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges() {
        assert_eq!(spearman_brown(0.0, 5.0), 0.0);
        assert_eq!(spearman_brown(1.0, 5.0), 1.0);
        assert_eq!(spearman_brown(-0.25, 2.0), -0.5 / 0.75);
        // -inf, -2, -19, -1.8e16 and, behind the pole, 3.375.
        for (r, k) in [(-1.0, 2.0), (-0.5, 2.0), (-19.0 / 21.0, 2.0), (-1.0 + 1e-16, 2.0), (-0.5, 3.0), (-0.9, 3.0)] {
            assert!(spearman_brown(r, k).is_nan(), "{r} {k}");
        }
        // Fewer trials than the parts had: no pole.
        assert_eq!(spearman_brown(-1.0, 0.5), -0.5 / 1.5);
        assert!(spearman_brown(f64::NAN, 2.0).is_nan());
        assert!(r_max(f64::NAN).0.is_nan() && r_max(f64::NAN).1.is_none());
        assert_eq!(r_max(1.2), (1.2_f64.sqrt(), None));
    }

    #[test]
    fn stepping_twice_is_stepping_once() {
        let twice = spearman_brown(spearman_brown(0.3, 2.0), 3.0);
        assert!((twice - spearman_brown(0.3, 6.0)).abs() < 1e-15);
    }
}
