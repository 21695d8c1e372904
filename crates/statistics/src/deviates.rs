//! Normal deviates: the z with the same upper tail as a t or an F.
//!
//! Both tails are taken as logarithms, so that a z is a number where its p is none (nilearn's end at 37.05).

use std::f64::consts::LN_2;

use crate::distributions::{normal_ln_sf, student_t_ln_sf};
use crate::special::{beta_fraction, ln_gamma_half_step};

/// Half the logarithm of 2π.
const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;

/// The z with `P(Z > z) = exp(ln_p)`, for `ln_p` up to `-ln 2`: z from 0 on. By Newton's method on the logarithm of the
/// tail, which is concave, so that no step goes astray.
fn upper_deviate(ln_p: f64) -> f64 {
    if ln_p.is_nan() {
        return f64::NAN;
    }
    if ln_p == f64::NEG_INFINITY {
        return f64::INFINITY;
    }
    // Where the tail is `exp(-z^2/2)` over a little: from above, for all p.
    let mut z = (-2.0 * (ln_p + LN_2)).max(0.0).sqrt();
    for _ in 0..50 {
        let ln_tail = normal_ln_sf(z);
        let slope = -(-0.5 * z * z - LN_SQRT_2PI - ln_tail).exp();
        let step = (ln_tail - ln_p) / slope;
        z = (z - step).max(0.0);
        if step.abs() <= 1e-13 * z.max(1e-3) {
            break;
        }
    }
    z
}

/// The z with the same upper tail as a t of `df` degrees of freedom. `NaN` for `NaN` in or `df <= 0`.
///
/// ```
/// // scipy: norm.isf(t.sf(4.97120761, 54))
/// assert!((statistics::z_of_t(4.97120761, 54.0) - 4.49074837).abs() < 1e-7);
/// assert_eq!(statistics::z_of_t(-2.0, 9.0), -statistics::z_of_t(2.0, 9.0));
/// ```
pub fn z_of_t(t: f64, df: f64) -> f64 {
    let z = upper_deviate(student_t_ln_sf(t.abs(), df));
    if t < 0.0 { -z } else { z }
}

/// Natural logarithms of the upper and the lower tail of F with `df1` and `df2` degrees of freedom.
///
/// With `x = df2 / (df2 + df1 f)`, P(F > f) = I_x(df2/2, df1/2). `NaN` for `NaN` in, `df1` 0 or `df2 <= 0`.
///
/// ```
/// // scipy.stats.f.logsf(3.2, 3, 20), f.logcdf(3.2, 3, 20)
/// let (upper, lower) = statistics::f_ln_tails(3.2, 3, 20.0);
/// assert!((upper.exp() + lower.exp() - 1.0).abs() < 1e-14);
/// ```
pub fn f_ln_tails(f: f64, df1: usize, df2: f64) -> (f64, f64) {
    if f.is_nan() || df1 == 0 || df2.is_nan() || df2 <= 0.0 {
        return (f64::NAN, f64::NAN);
    }
    if f <= 0.0 {
        return (0.0, f64::NEG_INFINITY);
    }
    if f == f64::INFINITY {
        return (f64::NEG_INFINITY, 0.0);
    }
    let (a, b) = (0.5 * df2, 0.5 * df1 as f64);
    let odds = df1 as f64 * f / df2;
    let (x, rest) = (1.0 / (1.0 + odds), odds / (1.0 + odds));
    // 1/B(a, b) = Γ(a + b) / (Γ(a) Γ(b)): b is a multiple of 1/2, so the ratio of the two that may be large is a
    // product, begun by half a step where df1 is odd.
    let (mut ln_ratio, first) = if df1 % 2 == 1 { (ln_gamma_half_step(a), 0.5) } else { (0.0, 0.0) };
    ln_ratio += (0..df1 / 2).map(|k| (a + first + k as f64).ln()).sum::<f64>();
    let ln_front = a * -odds.ln_1p() + b * rest.ln() + ln_ratio - crate::ln_gamma(b);
    let other = |ln_tail: f64| (-ln_tail.exp()).ln_1p();
    if x < (a + 1.0) / (a + b + 2.0) {
        let upper = ln_front - a.ln() + beta_fraction(a, b, x).ln();
        (upper, other(upper))
    } else {
        let lower = ln_front - b.ln() + beta_fraction(b, a, rest).ln();
        (other(lower), lower)
    }
}

/// The z with the same upper tail as an F: below 0 where F is less than its median.
///
/// ```
/// // scipy: norm.isf(f.sf(4, 1, 60))
/// assert!((statistics::z_of_f(4.0, 1, 60.0) - 1.644533321109188).abs() < 1e-12);
/// ```
pub fn z_of_f(f: f64, df1: usize, df2: f64) -> f64 {
    let (upper, lower) = f_ln_tails(f, df1, df2);
    if upper <= -LN_2 { upper_deviate(upper) } else { -upper_deviate(lower) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviates_go_back_to_their_tails() {
        for z in [0.0, 1e-9, 1e-3, 0.5, 1.0, 1.9999, 2.0, 2.0001, 5.0, 8.0, 37.0, 60.0, 400.0] {
            let back = upper_deviate(normal_ln_sf(z));
            assert!((back - z).abs() <= 1e-12 * f64::max(z, 1e-3), "{z}: {back}");
        }
        assert_eq!(upper_deviate(f64::NEG_INFINITY), f64::INFINITY);
        assert!(z_of_t(f64::NAN, 3.0).is_nan() && z_of_t(1.0, 0.0).is_nan());
        assert_eq!((z_of_t(0.0, 5.0), z_of_t(f64::NEG_INFINITY, 5.0)), (0.0, f64::NEG_INFINITY));
    }

    #[test]
    fn f_of_one_row_is_t_squared() {
        for (t, df) in [(0.3, 4.0), (2.0, 7.0), (5.0, 54.0), (60.0, 200.0)] {
            let (upper, _) = f_ln_tails(t * t, 1, df);
            let both = student_t_ln_sf(t, df) + LN_2;
            assert!((upper - both).abs() < 1e-12 * both.abs().max(1.0), "{t} {df}: {upper} {both}");
        }
    }

    #[test]
    fn f_with_two_rows_has_a_formula() {
        // P(F > f) = (1 + 2 f / df)^(-df/2)
        for (f, df) in [(0.01, 10.0), (1.0, 10.0), (21.99123691, 54.0), (1e4, 300.0)] {
            let expected = -0.5 * df * f64::ln_1p(2.0 * f / df);
            let (upper, _) = f_ln_tails(f, 2, df);
            assert!((upper - expected).abs() < 1e-12 * f64::max(expected.abs(), 1.0), "{f}: {upper} {expected}");
        }
        assert!(z_of_f(1e-5, 4, 30.0) < -4.0 && z_of_f(f64::INFINITY, 2, 9.0) == f64::INFINITY);
        assert_eq!(z_of_f(0.0, 2, 9.0), f64::NEG_INFINITY);
    }
}
