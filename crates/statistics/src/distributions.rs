//! Survival functions, and their logarithms that never saturate.
//!
//! A p value below 1e-308 is 0 in f64; its logarithm is an ordinary number. Ranking and multiple comparisons over
//! many units therefore use `ln_sf`, and tables print `neg_log10_p`.

use std::f64::consts::{LN_2, LN_10, PI};

use crate::special::{beta_fraction, ln_gamma_half_step};

/// Half the logarithm of 2π.
const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;

/// `-log10(p)` from `ln(p)`; 0 stays 0 (not -0).
///
/// ```
/// assert_eq!(statistics::ln_to_neg_log10(-10f64.ln()), 1.0);
/// ```
pub fn ln_to_neg_log10(ln_p: f64) -> f64 {
    0.0 - ln_p / LN_10
}

/// Upper tail of the standard normal: P(Z > z).
///
/// ```
/// // scipy.stats.norm.sf(1.96)
/// assert!((statistics::normal_sf(1.96) / 0.024997895148220435 - 1.0).abs() < 1e-13);
/// ```
pub fn normal_sf(z: f64) -> f64 {
    if z >= 2.0 {
        return normal_ln_sf(z).exp();
    }
    if z <= -2.0 {
        return 1.0 - normal_ln_sf(-z).exp();
    }
    // Marsaglia (2004): P(0 < Z < z) = density * (z + z^3/3 + z^5/15 + ...), where no term has another sign.
    let (mut term, mut series, mut odd) = (z, z, 1.0);
    while term.abs() > 1e-18 * series.abs() {
        odd += 2.0;
        term *= z * z / odd;
        series += term;
    }
    0.5 - series * (-0.5 * z * z - LN_SQRT_2PI).exp()
}

/// Natural logarithm of [`normal_sf`], accurate where that one underflows (z above 38).
///
/// ```
/// // scipy.stats.norm.logsf(100)
/// assert!((statistics::normal_ln_sf(100.0) / -5005.524208694205 - 1.0).abs() < 1e-14);
/// ```
pub fn normal_ln_sf(z: f64) -> f64 {
    if z < -1.0 {
        return (-normal_sf(-z)).ln_1p();
    }
    if z.is_nan() || z < 2.0 {
        return normal_sf(z).ln();
    }
    if z == f64::INFINITY {
        return f64::NEG_INFINITY;
    }
    // Laplace's continued fraction of the Mills ratio; at z = 2 it needs 250 terms, further out fewer.
    let mut tail = z;
    for term in (1..=300).rev() {
        tail = z + f64::from(term) / tail;
    }
    -0.5 * z * z - LN_SQRT_2PI - tail.ln()
}

/// Upper tail of Student's t with `df` degrees of freedom: P(T > t), the one-sided p of `preferred > rest`.
///
/// `df` need not be whole (Welch); infinite `df` is the normal. `NaN` for `NaN` in or `df <= 0`.
pub fn student_t_sf(t: f64, df: f64) -> f64 {
    student_t_ln_sf(t, df).exp()
}

/// P(|T| > |t|): the two-sided p.
///
/// ```
/// // METHODS.md: t 5.063217 with 7 degrees of freedom
/// assert!((statistics::student_t_two_sided_p(5.063217, 7.0) - 0.00145810).abs() < 5e-9);
/// ```
pub fn student_t_two_sided_p(t: f64, df: f64) -> f64 {
    let p = (student_t_ln_sf(t.abs(), df) + LN_2).exp();
    // f64::min would turn NaN into 1.
    if p > 1.0 { 1.0 } else { p }
}

/// Natural logarithm of [`student_t_sf`]: finite for every finite t.
///
/// With `x = df / (df + t^2)`, P(T > t) = I_x(df/2, 1/2) / 2 for t > 0, by the continued fraction of the incomplete
/// beta function with all factors kept as logarithms; above df 1e5 by the normal deviate of the same tail (Hill 1970).
/// Accuracy 1e-12 relative to p, or to ln p where that is larger than 1; above df 1e5 and t^2 of the order of df 1e-9.
///
/// ```
/// // t = 1000 with 200 degrees of freedom: p is 3.5e-372, below the smallest f64
/// let ln_p = statistics::student_t_ln_sf(1000.0, 200.0);
/// assert!((ln_p / -855.3085653532561 - 1.0).abs() < 1e-14);
/// ```
pub fn student_t_ln_sf(t: f64, df: f64) -> f64 {
    if t.is_nan() || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if df == f64::INFINITY {
        return normal_ln_sf(t);
    }
    if t < 0.0 {
        return (-student_t_ln_sf(-t, df).exp()).ln_1p();
    }
    if t == 0.0 {
        return -LN_2;
    }
    if t == f64::INFINITY {
        return f64::NEG_INFINITY;
    }
    let a = 0.5 * df;
    // t^2/df without overflow for huge t.
    let root = t / df.sqrt();
    let odds = root * root;
    if df > 1e5 && odds < 0.5 {
        // The fraction loses digits in proportion to df. Hill (1970), two terms: the normal deviate with the same
        // tail. Where t^2 is of the order of df his series is too short and ln p so large that the fraction serves.
        let b = 48.0 * (df - 0.5) * (df - 0.5);
        let y = (df - 0.5) * odds.ln_1p();
        let second = (((4.0 * y + 33.0) * y + 240.0) * y + 855.0) / (10.0 * b * (b + 0.8 * y * y + 100.0));
        return normal_ln_sf(y.sqrt() * (1.0 + (y + 3.0) / b - second));
    }
    let (ln_x, ln_rest, x, rest) = if odds < 1e300 {
        (-odds.ln_1p(), (odds / (1.0 + odds)).ln(), 1.0 / (1.0 + odds), odds / (1.0 + odds))
    } else {
        (-2.0 * root.ln(), 0.0, 0.0, 1.0)
    };
    // ln of x^a (1-x)^(1/2) / B(a, 1/2), with 1/B(a, 1/2) = Γ(a + 1/2) / (Γ(a) sqrt(π)).
    let ln_front = a * ln_x + 0.5 * ln_rest + ln_gamma_half_step(a) - 0.5 * PI.ln();
    if x < (a + 1.0) / (a + 2.5) {
        ln_front - a.ln() + beta_fraction(a, 0.5, x).ln() - LN_2
    } else {
        // Near the middle: one minus the other tail of the beta, where nothing cancels.
        let below = (ln_front - 0.5_f64.ln()).exp() * beta_fraction(0.5, a, rest);
        (0.5 * (1.0 - below)).ln()
    }
}

/// The t with `P(T > t) = upper`, for `upper` in (0, 1/2]: half the width of a confidence interval in standard errors.
/// By bisection on [`student_t_ln_sf`] down to neighbouring numbers. `NaN` outside that range and for df not above 0.
///
/// ```
/// // the 2.5 % point of 9 degrees of freedom, scipy.stats.t.isf(0.025, 9)
/// assert!((statistics::student_t_quantile(0.025, 9.0) - 2.2621571627982053).abs() < 1e-12);
/// ```
pub fn student_t_quantile(upper: f64, df: f64) -> f64 {
    if !(upper > 0.0 && upper <= 0.5) || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    let target = upper.ln();
    let (mut low, mut high) = (0.0, 1.0);
    while student_t_ln_sf(high, df) > target {
        low = high;
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if student_t_ln_sf(middle, df) > target {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/distributions.rs"));

    #[test]
    fn student_t_agrees_with_mpmath() {
        for &(t, df, ln_sf) in STUDENT_T {
            let value = student_t_ln_sf(t, df);
            // Relative in ln p, or absolute (= relative in p) where ln p is small.
            let error = (value - ln_sf).abs() / ln_sf.abs().max(1.0);
            // The fraction starts from 1 - x, which keeps 1 part in df of its digits, up to df 1e5.
            assert!(error < 2e-13 + 1e-17 * df.min(1e5), "t {t} df {df}: {value} {ln_sf} {error:e}");
        }
    }

    #[test]
    fn normal_agrees_with_mpmath() {
        for &(z, ln_sf) in NORMAL {
            let value = normal_ln_sf(z);
            let error = (value - ln_sf).abs() / ln_sf.abs().max(1e-300);
            assert!(error < 1e-13, "z {z}: {value} {ln_sf} {error:e}");
        }
    }

    #[test]
    fn tails_and_limits() {
        assert!(normal_sf(f64::NAN).is_nan() && normal_ln_sf(f64::NAN).is_nan());
        assert_eq!(normal_sf(f64::NEG_INFINITY), 1.0);
        assert_eq!(normal_sf(0.0), 0.5);
        assert_eq!(student_t_sf(0.0, 5.0), 0.5);
        assert_eq!(student_t_ln_sf(f64::INFINITY, 5.0), f64::NEG_INFINITY);
        assert_eq!(student_t_sf(f64::NEG_INFINITY, 5.0), 1.0);
        assert!(student_t_ln_sf(f64::NAN, 5.0).is_nan() && student_t_ln_sf(1.0, 0.0).is_nan());
        assert!(student_t_two_sided_p(f64::NAN, 5.0).is_nan() && student_t_two_sided_p(0.0, 5.0) == 1.0);
        assert_eq!(student_t_ln_sf(3.0, f64::INFINITY), normal_ln_sf(3.0));
        assert_eq!(normal_ln_sf(f64::INFINITY), f64::NEG_INFINITY);
        assert_eq!(ln_to_neg_log10(0.0).to_bits(), 0.0_f64.to_bits());
        for t in [0.3, 1.0, 2.5, 8.0] {
            assert!((student_t_sf(t, 9.0) + student_t_sf(-t, 9.0) - 1.0).abs() < 1e-15);
            // df = 1 is Cauchy: P(T > t) = 1/2 - atan(t)/π.
            assert!((student_t_sf(t, 1.0) - (0.5 - t.atan() / PI)).abs() < 1e-15);
        }
        assert!(student_t_ln_sf(1e300, 4.0).is_finite());
    }

    #[test]
    fn falls_as_t_grows_across_the_switch() {
        for df in [1.0, 2.7, 30.0, 1438.0, 1e5] {
            let values: Vec<f64> = (0..2000).map(|i| student_t_ln_sf(f64::from(i) * 0.005, df)).collect();
            assert!(values.windows(2).all(|w| w[1] < w[0]), "{df}");
        }
    }
}
