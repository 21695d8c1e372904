//! The hypergeometric distribution: how many marked ones a draw without replacement catches by chance.

use std::f64::consts::TAU;

/// `marked` among a `population`, of which `drawn` are drawn without replacement. The number X of marked ones drawn is
/// the overlap of two unrelated sets of these sizes, or the number of faces among the k pictures that drive a unit
/// most.
///
/// Tails come as natural logarithms, which neither underflow nor overflow.
///
/// ```
/// use statistics::Hypergeometric;
/// // 5 of 20 pictures are faces, 4 are taken: at least 3 faces, (C(5,3) 15 + C(5,4)) / C(20,4) = 155 / 4845.
/// let by_chance = Hypergeometric::new(20, 5, 4).unwrap();
/// assert!((by_chance.ln_at_least(3).exp() - 155.0 / 4845.0).abs() < 1e-15);
/// assert_eq!(by_chance.mean(), 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hypergeometric {
    population: u64,
    marked: u64,
    drawn: u64,
}

impl Hypergeometric {
    /// `None` when more are marked or drawn than there are, or the population is 2^53 or larger, which f64 cannot
    /// count.
    pub fn new(population: u64, marked: u64, drawn: u64) -> Option<Hypergeometric> {
        let possible = marked <= population && drawn <= population && population < 1 << 53;
        possible.then_some(Hypergeometric { population, marked, drawn })
    }

    /// The expected number, `marked * drawn / population`; `NaN` for an empty population.
    pub fn mean(&self) -> f64 {
        self.marked as f64 * self.drawn as f64 / self.population as f64
    }

    /// Fewest and most marked ones that can be drawn.
    pub fn range(&self) -> (u64, u64) {
        ((self.marked + self.drawn).saturating_sub(self.population), self.marked.min(self.drawn))
    }

    /// ln P(X = k); negative infinity where k cannot be.
    ///
    /// By Loader's saddle point: log binomials as differences of log gammas would lose 7 of 16 digits at a population
    /// of 1e6. Accuracy 1e-13 relative to p, or to ln p where that is larger than 1.
    pub fn ln_pmf(&self, k: u64) -> f64 {
        let (fewest, most) = self.range();
        if k < fewest || k > most {
            return f64::NEG_INFINITY;
        }
        if fewest == most {
            return 0.0;
        }
        // C(K, k) C(N - K, n - k) / C(N, n) with each C(m, x) times p^x q^(m - x): the powers of p and q cancel.
        let (population, drawn) = (self.population as f64, self.drawn as f64);
        let (p, q) = (drawn / population, (population - drawn) / population);
        ln_binomial(k, self.marked, p, q) + ln_binomial(self.drawn - k, self.population - self.marked, p, q)
            - ln_binomial(self.drawn, self.population, p, q)
    }

    /// ln P(X >= k): the upper tail, k included; SciPy's `hypergeom.logsf(k - 1, population, marked, drawn)`.
    pub fn ln_at_least(&self, k: u64) -> f64 {
        let (fewest, most) = self.range();
        if k <= fewest {
            return 0.0;
        }
        if k > most {
            return f64::NEG_INFINITY;
        }
        // Below the mean the tail is the larger part: one minus the other, where nothing cancels.
        if (k as f64) <= self.mean() { one_minus(self.ln_sum_down(k - 1)) } else { self.ln_sum_up(k) }
    }

    /// P(X = k) + P(X = k + 1) + ..., for k above the mean, where the terms fall.
    fn ln_sum_up(&self, k: u64) -> f64 {
        let (_, most) = self.range();
        let left_over = (self.population - self.marked) as f64 - self.drawn as f64;
        let mut term = 1.0;
        let mut sum = 1.0;
        for x in k..most {
            let x = x as f64;
            // P(x + 1) / P(x)
            term *= (self.marked as f64 - x) / (x + 1.0) * ((self.drawn as f64 - x) / (left_over + x + 1.0));
            sum += term;
            if term < 1e-18 * sum {
                break;
            }
        }
        self.ln_pmf(k) + f64::ln(sum)
    }

    /// P(X = k) + P(X = k - 1) + ..., for k below the mean.
    fn ln_sum_down(&self, k: u64) -> f64 {
        let (fewest, _) = self.range();
        let left_over = (self.population - self.marked) as f64 - self.drawn as f64;
        let mut term = 1.0;
        let mut sum = 1.0;
        for x in (fewest + 1..=k).rev() {
            let x = x as f64;
            // P(x - 1) / P(x)
            term *= x / (self.marked as f64 - x + 1.0) * ((left_over + x) / (self.drawn as f64 - x + 1.0));
            sum += term;
            if term < 1e-18 * sum {
                break;
            }
        }
        self.ln_pmf(k) + f64::ln(sum)
    }
}

/// ln(1 - e^x), never above 0 although x was rounded.
fn one_minus(ln_other: f64) -> f64 {
    (-ln_other.min(0.0).exp()).ln_1p()
}

/// ln of `C(n, x) p^x q^(n - x)`. Loader (2000), "Fast and accurate computation of binomial probabilities", as in R.
fn ln_binomial(x: u64, n: u64, p: f64, q: f64) -> f64 {
    let (whole, x, rest) = (n as f64, x as f64, (n - x) as f64);
    if n == 0 {
        return 0.0;
    }
    // A deviance is x ln(x / m) and a linear term; the linear ones cancel where p + q = 1, and over the three
    // binomials.
    let deviances = deviance(x, whole * p) + deviance(rest, whole * q);
    if x == 0.0 || rest == 0.0 {
        return -deviances;
    }
    stirling_error(whole) - stirling_error(x) - stirling_error(rest) - deviances + 0.5 * (whole / (TAU * x * rest)).ln()
}

/// `x ln(x / m) + m - x` for `m > 0`, without the cancellation near x = m.
fn deviance(x: f64, m: f64) -> f64 {
    if x == 0.0 {
        return m;
    }
    let difference = x - m;
    if difference.abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() - difference;
    }
    // With v = (x - m) / (x + m): (x - m) v + 2 x (v^3/3 + v^5/5 + ...)
    let v = difference / (x + m);
    let mut sum = difference * v;
    let mut power = 2.0 * x * v;
    let mut odd = 1.0;
    loop {
        power *= v * v;
        odd += 2.0;
        let next = sum + power / odd;
        if next == sum {
            return sum;
        }
        sum = next;
    }
}

/// `ln n! - ln(sqrt(2 pi n) (n / e)^n)` for whole n above 0.
fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        // 15! is exact in f64, and the difference keeps 14 digits after the point.
        let factorial: f64 = (1..=n as u32).map(f64::from).product();
        return factorial.ln() - 0.5 * (TAU * n).ln() - n * n.ln() + n;
    }
    let w = 1.0 / (n * n);
    (1.0 / 12.0 - w * (1.0 / 360.0 - w * (1.0 / 1260.0 - w * (1.0 / 1680.0 - w / 1188.0)))) / n
}

#[cfg(test)]
mod tests {
    use super::*;
    include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/hypergeometric.rs"));

    #[test]
    fn tails_agree_with_exact_integers() {
        for &(population, marked, drawn, k, expected, _) in HYPERGEOMETRIC {
            let found = Hypergeometric::new(population, marked, drawn).unwrap().ln_at_least(k);
            // Relative in ln p, or absolute (= relative in p) where ln p is small. 1e-12: the sum of the terms
            // multiplies up to some thousand ratios of three roundings each.
            let error = if found == expected { 0.0 } else { (found - expected).abs() / expected.abs().max(1.0) };
            assert!(error < 1e-12, "{population} {marked} {drawn} {k}: {found} {expected} {error:e}");
        }
    }

    #[test]
    fn small_ones_by_counting() {
        let choose = |n: u64, k: u64| (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
        for population in 1..12_u64 {
            for marked in 0..=population {
                for drawn in 0..=population {
                    let chance = Hypergeometric::new(population, marked, drawn).unwrap();
                    let (fewest, most) = chance.range();
                    let pmf = |k: u64| {
                        let other = population - marked;
                        choose(marked, k) * choose(other, drawn - k) / choose(population, drawn)
                    };
                    for k in fewest..=most {
                        let up: f64 = (k..=most).map(pmf).sum();
                        assert!((chance.ln_pmf(k).exp() - pmf(k)).abs() < 1e-14, "{chance:?} {k}");
                        assert!((chance.ln_at_least(k).exp() - up).abs() < 1e-14, "{chance:?} {k}");
                    }
                    assert_eq!(chance.ln_at_least(most + 1), f64::NEG_INFINITY);
                    assert_eq!(chance.ln_pmf(most + 1), f64::NEG_INFINITY);
                }
            }
        }
    }

    #[test]
    fn impossible_draws_are_refused() {
        assert!(Hypergeometric::new(10, 11, 1).is_none() && Hypergeometric::new(10, 1, 11).is_none());
        assert!(Hypergeometric::new(1 << 53, 1, 1).is_none());
        let empty = Hypergeometric::new(0, 0, 0).unwrap();
        assert!(empty.mean().is_nan());
        assert_eq!((empty.ln_at_least(0), empty.ln_pmf(0)), (0.0, 0.0));
    }

    #[test]
    fn sets_and_draws_may_be_swapped() {
        let (a, b) = (Hypergeometric::new(5000, 300, 70).unwrap(), Hypergeometric::new(5000, 70, 300).unwrap());
        for k in [0, 1, 4, 5, 20, 70] {
            assert!((a.ln_at_least(k) - b.ln_at_least(k)).abs() <= 1e-12 * a.ln_at_least(k).abs().max(1.0));
        }
    }
}
