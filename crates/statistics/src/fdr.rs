//! Adjusted p values over many tests.
//!
//! A `NaN` p is a test that was not made: it stays `NaN` and does not count in the number of tests. An adjusted p
//! (called `q` in the tables) at or below alpha is the rejection of the procedure at level alpha.

use std::str::FromStr;

/// How p values are adjusted for the number of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Correction {
    /// False discovery rate, independent or positively dependent tests. Benjamini & Hochberg (1995).
    BenjaminiHochberg,
    /// False discovery rate under any dependence. Benjamini & Yekutieli (2001).
    BenjaminiYekutieli,
    /// Family-wise error rate: p times the number of tests.
    Bonferroni,
    /// Not at all: each p stands for itself.
    Uncorrected,
}

impl FromStr for Correction {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "bh" => Ok(Correction::BenjaminiHochberg),
            "by" => Ok(Correction::BenjaminiYekutieli),
            "bonferroni" => Ok(Correction::Bonferroni),
            "none" => Ok(Correction::Uncorrected),
            // Names that other packages use for the first and the third.
            "fdr" => Err("\"fdr\" is bh here (by, where units depend on each other in any way)".to_string()),
            "fwe" | "fwer" | "bonf" => Err(format!("\"{name}\" is bonferroni here")),
            _ => Err(format!("\"{name}\" is none of bh, by, bonferroni, none")),
        }
    }
}

impl Correction {
    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Correction::BenjaminiHochberg => "bh",
            Correction::BenjaminiYekutieli => "by",
            Correction::Bonferroni => "bonferroni",
            Correction::Uncorrected => "none",
        }
    }

    /// Adjusted p values, in the order given, capped at 1.
    ///
    /// ```
    /// use statistics::Correction;
    /// let q = Correction::BenjaminiHochberg.adjust(&[0.01, f64::NAN, 0.04]);
    /// assert_eq!((q[0], q[2]), (0.02, 0.04));
    /// assert!(q[1].is_nan());
    /// ```
    pub fn adjust(self, p: &[f64]) -> Vec<f64> {
        match self {
            Correction::Uncorrected => p.to_vec(),
            Correction::Bonferroni => {
                let m = tests(p) as f64;
                p.iter().map(|p| if p.is_nan() { *p } else { (p * m).min(1.0) }).collect()
            }
            _ => {
                let price = self.price(tests(p));
                step_up(p, 1.0, |p, rank| p * (price / rank as f64))
            }
        }
    }

    /// The same on natural logarithms of p, which never underflow: returns ln q.
    pub fn adjust_ln(self, ln_p: &[f64]) -> Vec<f64> {
        match self {
            Correction::Uncorrected => ln_p.to_vec(),
            Correction::Bonferroni => {
                let ln_m = (tests(ln_p) as f64).ln();
                ln_p.iter().map(|p| if p.is_nan() { *p } else { (p + ln_m).min(0.0) }).collect()
            }
            _ => {
                let price = self.price(tests(ln_p));
                step_up(ln_p, 0.0, |p, rank| p + (price / rank as f64).ln())
            }
        }
    }

    /// What the smallest of m p values is multiplied by: a sum of m terms, so asked for once, not for every p.
    fn price(self, m: usize) -> f64 {
        match self {
            Correction::BenjaminiYekutieli => harmonic_sum(m) * m as f64,
            _ => m as f64,
        }
    }
}

/// `1 + 1/2 + … + 1/m`, the price of Benjamini-Yekutieli.
///
/// ```
/// assert!((statistics::fdr::harmonic_sum(8) - 2.717857).abs() < 1e-6);
/// ```
pub fn harmonic_sum(m: usize) -> f64 {
    // Smallest terms first.
    (1..=m).rev().map(|i| 1.0 / i as f64).sum()
}

fn tests(p: &[f64]) -> usize {
    p.iter().filter(|p| !p.is_nan()).count()
}

/// From the largest p down, the running minimum of `scaled(p, rank)`. Works alike on p and on ln p.
fn step_up(p: &[f64], cap: f64, scaled: impl Fn(f64, usize) -> f64) -> Vec<f64> {
    let mut order: Vec<u32> = (0..p.len() as u32).filter(|&i| !p[i as usize].is_nan()).collect();
    // Ties need no order of their own: the running minimum gives equal p the same q.
    order.sort_unstable_by(|&a, &b| p[a as usize].total_cmp(&p[b as usize]));
    let mut adjusted = vec![f64::NAN; p.len()];
    let mut least = cap;
    for (place, &index) in order.iter().enumerate().rev() {
        least = least.min(scaled(p[index as usize], place + 1));
        adjusted[index as usize] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    // METHODS.md, test vectors (scipy.stats.false_discovery_control, bh and by).
    const P: [f64; 8] = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205];
    const BH: [f64; 8] = [0.008, 0.032, 0.0672, 0.0672, 0.0672, 0.08, 0.084571, 0.205];
    const BY: [f64; 8] = [0.021743, 0.086971, 0.18264, 0.18264, 0.18264, 0.217429, 0.229853, 0.557161];

    fn close(a: &[f64], b: &[f64], tolerance: f64) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= tolerance || (a.is_nan() && b.is_nan()), "{a} {b}");
        }
    }

    #[test]
    fn methods_vectors() {
        // Half a unit of the sixth decimal, as they are printed.
        close(&Correction::BenjaminiHochberg.adjust(&P), &BH, 5e-7);
        close(&Correction::BenjaminiYekutieli.adjust(&P), &BY, 5e-7);
        assert!((harmonic_sum(8) - 761.0 / 280.0).abs() < 1e-15);
        close(&Correction::Bonferroni.adjust(&P), &[0.008, 0.064, 0.312, 0.328, 0.336, 0.48, 0.592, 1.0], 1e-15);
    }

    #[test]
    fn names_read_back() {
        for name in ["bh", "by", "bonferroni"] {
            assert_eq!(name.parse::<Correction>().unwrap().as_str(), name);
        }
        assert!("fdr".parse::<Correction>().is_err());
    }

    #[test]
    fn order_and_nan_change_nothing() {
        for correction in [Correction::BenjaminiHochberg, Correction::BenjaminiYekutieli, Correction::Bonferroni] {
            let plain = correction.adjust(&P);
            let mut mixed: Vec<f64> = P.iter().rev().copied().collect();
            mixed.insert(3, f64::NAN);
            let mut q = correction.adjust(&mixed);
            assert!(q.remove(3).is_nan());
            q.reverse();
            close(&q, &plain, 0.0);
        }
    }

    #[test]
    fn logarithms_agree_and_do_not_saturate() {
        for correction in [Correction::BenjaminiHochberg, Correction::BenjaminiYekutieli, Correction::Bonferroni] {
            let ln_p: Vec<f64> = P.iter().map(|p| p.ln()).collect();
            let q: Vec<f64> = correction.adjust_ln(&ln_p).iter().map(|q| q.exp()).collect();
            close(&q, &correction.adjust(&P), 1e-15);
        }
        // Two tests far below the smallest f64: ln q = ln p + ln(2 / rank).
        let q = Correction::BenjaminiHochberg.adjust_ln(&[-5000.0, -2000.0, f64::NAN]);
        close(&q, &[-5000.0 + 2f64.ln(), -2000.0, f64::NAN], 1e-12);
    }

    #[test]
    fn ties_share_one_q_and_none_is_none() {
        close(&Correction::BenjaminiHochberg.adjust(&[0.5, 0.01, 0.01]), &[0.5, 0.015, 0.015], 1e-16);
        assert!(Correction::BenjaminiYekutieli.adjust(&[]).is_empty());
        assert!(Correction::Bonferroni.adjust(&[f64::NAN])[0].is_nan());
        assert_eq!(Correction::BenjaminiHochberg.adjust(&[0.0, 1.0]), [0.0, 1.0]);
    }
}
