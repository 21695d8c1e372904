//! The special functions that the tails of t and F need, and gamma densities.

/// `ln Γ(a + 1/2) - ln Γ(a)` for `a > 0`.
///
/// A difference of two log gammas would lose digits in proportion to their size (7 of 16 at a = 1e6). Instead the
/// ratio is taken up to `a >= 20` by its recurrence and read from the asymptotic series there.
pub(crate) fn ln_gamma_half_step(a: f64) -> f64 {
    let mut a = a;
    let mut factor = 1.0;
    while a < 20.0 {
        factor *= a / (a + 0.5);
        a += 1.0;
    }
    // Tricomi & Erdelyi (1951): ln ratio = ln(a)/2 - 1/8a + 1/192a^3 - 1/640a^5 + 17/14336a^7 - ...
    let w = 1.0 / (a * a);
    let series =
        (-1.0 / 8.0 + w * (1.0 / 192.0 + w * (-1.0 / 640.0 + w * (17.0 / 14336.0 - w * (31.0 / 18432.0))))) / a;
    0.5 * a.ln() + series + factor.ln()
}

/// `ln Γ(x)` for `x > 0`.
///
/// ```
/// assert!((statistics::ln_gamma(6.0) - 120f64.ln()).abs() < 1e-14);
/// assert!((statistics::ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-14);
/// ```
pub fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut factor) = (x, 1.0);
    // Down from 20, where five terms of Stirling's series are exact to rounding.
    while x < 20.0 {
        factor *= x;
        x += 1.0;
    }
    let w = 1.0 / (x * x);
    let series = (1.0 / 12.0 - w * (1.0 / 360.0 - w * (1.0 / 1260.0 - w * (1.0 / 1680.0 - w / 1188.0)))) / x;
    (x - 0.5) * x.ln() - x + 0.918_938_533_204_672_8 + series - f64::ln(factor)
}

/// The continued fraction in
/// `I_x(a, b) = x^a (1-x)^b / (a B(a,b)) * fraction`, by Lentz's method; quick for `x < (a+1)/(a+b+2)`.
pub(crate) fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guarded = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / guarded(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    let mut m = 1.0;
    // The number of steps grows with the square root of the larger parameter.
    while m < 1e6 {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guarded(1.0 + even * d);
        c = guarded(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guarded(1.0 + odd * d);
        c = guarded(1.0 + odd / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() < 3e-16 {
            break;
        }
        m += 1.0;
    }
    fraction
}
