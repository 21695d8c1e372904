//! The test of a mean: over subjects, over models, or of an estimate whose standard error is known.

use crate::rounding::beyond;
use crate::signed_rank::Tail;
use crate::{Reason, ln_to_neg_log10, mean, student_t_ln_sf, student_t_sf, student_t_two_sided_p, variance};

/// A mean, or another estimate, tested against a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanTest {
    /// The estimate.
    pub estimate: f64,
    /// Its standard error; 0 where the values differ by rounding alone.
    pub se: f64,
    /// Student's t; `NaN` without a spread.
    pub t: f64,
    /// Degrees of freedom.
    pub df: f64,
    /// p of t; `NaN` without a spread.
    pub p: f64,
    /// Why there is no t: [`Reason::Constant`] or [`Reason::NanInput`].
    pub reason: Option<Reason>,
}

/// Student's t of the mean of `values` against a number, with n - 1 degrees of freedom.
///
/// `rounding` is the size of what rounding may do to a value (1e-12, [`crate::rounding::OF_SCORES`], of correlations
/// and z scores). Values that differ by it alone (one subject given twice, one profile on four scales) have no spread,
/// and there is no t to take: its size would be that of the rounding.
///
/// ```
/// use statistics::mean_test::mean_test;
/// use statistics::signed_rank::Tail;
/// let found = mean_test(&[1.0, 2.0, 4.0], 0.0, Tail::TwoSided, 1e-12); // SciPy's ttest_1samp
/// assert!((found.t - 2.6457513110645907).abs() < 1e-14 && (found.p - 0.11808289631180313).abs() < 1e-13);
/// let equal = mean_test(&[0.3, 0.1 + 0.2, 0.3], 0.0, Tail::TwoSided, 1e-12);
/// assert!(equal.p.is_nan() && equal.reason == Some(statistics::Reason::Constant));
/// ```
pub fn mean_test(values: &[f64], against: f64, tail: Tail, rounding: f64) -> MeanTest {
    let n = values.len() as f64;
    estimate_test(mean(values), against, (variance(values) / n).sqrt(), n - 1.0, tail, rounding)
}

/// [`mean_test`] of an estimate with this standard error.
pub fn estimate_test(estimate: f64, against: f64, se: f64, df: f64, tail: Tail, rounding: f64) -> MeanTest {
    let se = beyond(se, rounding);
    let t = if se == 0.0 { f64::NAN } else { beyond(estimate - against, rounding) / se };
    let p = match tail {
        Tail::Greater => student_t_sf(t, df),
        Tail::TwoSided => student_t_two_sided_p(t, df),
    };
    // One value has no spread either.
    let reason = match ((se == 0.0 || se.is_nan()) && estimate.is_finite(), p.is_nan()) {
        (true, _) => Some(Reason::Constant),
        (false, true) => Some(Reason::NanInput),
        (false, false) => None,
    };
    MeanTest { estimate, se, t, df, p, reason }
}

/// p of a one-sided test by t, P(T > t), kept as a logarithm so that it never saturates.
///
/// ```
/// use statistics::mean_test::OneSidedP;
/// let p = OneSidedP::of_t(1000.0, 200.0); // 3.5e-372, below the smallest f64
/// assert!(p.p() == 0.0 && (p.neg_log10_p() - 371.4558).abs() < 1e-3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneSidedP {
    /// Its natural logarithm.
    pub ln_p: f64,
}

impl OneSidedP {
    /// Of a t with `df` degrees of freedom, whole or not; `NaN` for a `NaN`.
    pub fn of_t(t: f64, df: f64) -> OneSidedP {
        OneSidedP { ln_p: student_t_ln_sf(t, df) }
    }

    /// The p itself; 0 where f64 does not hold it.
    pub fn p(self) -> f64 {
        self.ln_p.exp()
    }

    /// `-log10(p)`
    pub fn neg_log10_p(self) -> f64 {
        ln_to_neg_log10(self.ln_p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_no_spread_and_no_difference() {
        let values = [0.25, 0.25 + 1e-16, 0.25 - 1e-16, 0.25];
        let found = mean_test(&values, 0.0, Tail::Greater, 1e-12);
        assert_eq!((found.se, found.reason), (0.0, Some(Reason::Constant)));
        assert!(found.t.is_nan() && found.p.is_nan() && found.estimate == 0.25);
        // a mean that is 0 but for rounding is not tested on its sign
        let found = mean_test(&[0.3 - 0.1, -0.2, 0.1, -0.1], 0.0, Tail::Greater, 1e-12);
        assert_eq!((found.t, found.p, found.reason), (0.0, 0.5, None));
        assert_eq!(mean_test(&[1.0, f64::NAN], 0.0, Tail::Greater, 0.0).reason, Some(Reason::NanInput));
        // small numbers whose own rounding is smaller have a spread
        assert!(mean_test(&[1e-15, 2e-15, 4e-15], 0.0, Tail::TwoSided, 1e-27).p < 0.2);
    }
}
