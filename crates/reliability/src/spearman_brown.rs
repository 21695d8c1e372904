//! From the correlation of parts to the reliability of the whole.

use statistics::Reason;

/// Reliability of an average over `k` times as many trials as the correlated parts had: `k r / (1 + (k - 1) r)`.
///
/// `r` is the correlation of two parts of equal size; for halves of all trials `k` is 2, for single trials of three
/// it is 3. The result bounds **r²** between a noiseless model and the average. Negative `r` gives a negative value,
/// not 0: a clipped ceiling hides bad voxels. `r = -1 / (k - 1)` gives `-inf`, below it the formula has no meaning
/// and turns positive again, so `NaN` is given there.
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
    if below < 0.0 { f64::NAN } else { k * r / below }
}

/// The largest **r** a noiseless model can reach: the root of a reliability (a bound on r²).
///
/// A negative reliability has no root: `NaN` with the reason. `NaN` in is `NaN` out, with no reason of its own.
///
/// ```
/// use reliability::{Reason, r_max};
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
        assert_eq!(spearman_brown(-1.0, 2.0), f64::NEG_INFINITY);
        assert_eq!(spearman_brown(-0.5, 2.0), -2.0);
        assert!(spearman_brown(-0.9, 3.0).is_nan());
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
