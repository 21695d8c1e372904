//! Two-sample t tests and effect sizes of one unit.

use std::str::FromStr;

use statistics::Moments;

/// Which two-sample t test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TTest {
    /// Equal variances assumed, pooled. The field's default.
    Student,
    /// Unequal variances; Satterthwaite's degrees of freedom.
    Welch,
}

impl FromStr for TTest {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "student" => Ok(TTest::Student),
            "welch" => Ok(TTest::Welch),
            _ => Err(format!("\"{name}\" is neither student nor welch")),
        }
    }
}

impl TTest {
    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            TTest::Student => "student",
            TTest::Welch => "welch",
        }
    }

    /// (t, df) of `a` above `b`.
    pub fn of(self, a: Moments, b: Moments) -> (f64, f64) {
        match self {
            TTest::Student => student_t(a, b),
            TTest::Welch => welch_t(a, b),
        }
    }

    /// (t, df) of a weighted sum of means above 0; see [`UnitTests`].
    pub(crate) fn of_weighted(self, terms: &[(f64, Moments)]) -> (f64, f64) {
        let mut sum: f64 = terms.iter().map(|(w, m)| w * m.mean).sum();
        // Flat levels whose means cancel have no t; what rounding leaves of their sum must not make it infinite.
        let size: f64 = terms.iter().map(|(w, m)| (w * m.mean).abs()).sum();
        if terms.iter().all(|(_, m)| m.m2 == 0.0) && sum.abs() <= terms.len() as f64 * f64::EPSILON * size {
            sum = 0.0;
        }
        match self {
            TTest::Student => {
                let df: f64 = terms.iter().map(|(_, m)| m.n as f64 - 1.0).sum();
                let variance = terms.iter().map(|(_, m)| m.m2).sum::<f64>() / df;
                let se = (variance * terms.iter().map(|(w, m)| w * w / m.n as f64).sum::<f64>()).sqrt();
                (sum / se, df)
            }
            TTest::Welch => {
                let part = |(w, m): &(f64, Moments)| w * w * m.variance() / m.n as f64;
                let se2: f64 = terms.iter().map(part).sum();
                let parts = terms.iter().map(|term| (part(term), term.1.n as f64 - 1.0));
                (sum / se2.sqrt(), satterthwaite(se2, parts))
            }
        }
    }
}

/// Student's two-sample t of `a` above `b` with pooled variance, and `n_a + n_b - 2` degrees of freedom.
///
/// No variance on either side but different means gives an infinite t, as SciPy does; equal means then give `NaN`.
///
/// ```
/// let a = [5.0, 6.0, 7.0, 8.0].into_iter().collect();
/// let b = [1.0, 2.0, 2.0, 3.0, 4.0].into_iter().collect();
/// let (t, df) = localizer::student_t(a, b);
/// assert!((t - 5.063217).abs() < 5e-7);
/// assert_eq!(df, 7.0);
/// ```
pub fn student_t(a: Moments, b: Moments) -> (f64, f64) {
    let df = a.n as f64 + b.n as f64 - 2.0;
    let variance = (a.m2 + b.m2) / df;
    let se = (variance * (1.0 / a.n as f64 + 1.0 / b.n as f64)).sqrt();
    ((a.mean - b.mean) / se, df)
}

/// Welch's t of `a` above `b`, and its degrees of freedom (Welch-Satterthwaite).
///
/// No variance on either side gives an infinite t (or `NaN` for equal means) with `df` 1, as SciPy does.
///
/// ```
/// let a = [5.0, 6.0, 7.0, 8.0].into_iter().collect();
/// let b = [1.0, 2.0, 2.0, 3.0, 4.0].into_iter().collect();
/// let (t, df) = localizer::welch_t(a, b);
/// assert!((t - 4.984212).abs() < 5e-7 && (df - 6.123786).abs() < 5e-7);
/// ```
pub fn welch_t(a: Moments, b: Moments) -> (f64, f64) {
    let (va, vb) = (a.variance() / a.n as f64, b.variance() / b.n as f64);
    let parts = [(va, a.n as f64 - 1.0), (vb, b.n as f64 - 1.0)];
    let df = satterthwaite(va + vb, parts.into_iter());
    ((a.mean - b.mean) / (va + vb).sqrt(), df)
}

/// Satterthwaite's degrees of freedom of a sum of squared standard errors, of which each part has its own; 1 of a sum
/// of 0.
///
/// The parts are brought near 1 by a power of two, which changes no digit, so that the squares of very large and very
/// small variances stay within the range of f8.
fn satterthwaite(sum: f64, parts: impl Iterator<Item = (f64, f64)>) -> f64 {
    if sum == 0.0 {
        return 1.0;
    }
    // Two factors: the inverse of the smallest numbers is beyond the range itself.
    let half = f64::powi(2.0, -(sum.log2().floor() as i32) / 2);
    let scaled = |value: f64| value * half * half;
    scaled(sum) * scaled(sum) / parts.map(|(part, df)| scaled(part) * scaled(part) / df).sum::<f64>()
}

/// Sensitivity d': difference of two means over the root of the mean of the two variances (n - 1), unweighted.
///
/// ```
/// // {5, 6, 7, 8} and {1, 2, 2, 3, 4}
/// assert!((localizer::dprime(6.5 - 2.4, [5.0 / 3.0, 1.3]) - 3.366390).abs() < 5e-7);
/// ```
pub fn dprime(difference: f64, variances: [f64; 2]) -> f64 {
    difference / ((variances[0] + variances[1]) / 2.0).sqrt()
}

/// Selectivity index `(A - B) / (|A| + |B|)` of two mean responses, in -1..=1; `NaN` when both are 0.
///
/// With responses of one sign it is the usual `(A - B) / (A + B)`; 1/3 is twice the response. With mixed signs it is
/// always 1 or -1 and says nothing.
///
/// ```
/// assert!((localizer::selectivity_index(6.5, 2.4) - 0.460674).abs() < 5e-7);
/// ```
pub fn selectivity_index(preferred: f64, rest: f64) -> f64 {
    (preferred - rest) / (preferred.abs() + rest.abs())
}

/// Ratio of two mean responses; `NaN` where one of them is negative (the ratio of -4 to -2 is no preference) or both
/// are 0.
///
/// ```
/// assert_eq!(localizer::mean_ratio(3.0, 1.5), 2.0);
/// assert!(localizer::mean_ratio(-1.0, -2.0).is_nan());
/// ```
pub fn mean_ratio(preferred: f64, rest: f64) -> f64 {
    if preferred < 0.0 || rest < 0.0 { f64::NAN } else { preferred / rest.abs() }
}

/// Of one unit, the mean response to each category, and Student's t of it above all others together; `category` has
/// that of each response, below `n_categories`. A mean of nothing is `NaN`, and so is a t with fewer than 2 responses
/// on a side.
///
/// ```
/// let responses = [5.0, 6.0, 7.0, 8.0, 1.0, 2.0, 2.0, 3.0, 4.0];
/// let found = localizer::each_against_rest(&responses, &[0, 0, 0, 0, 1, 1, 1, 1, 1], 2);
/// assert_eq!(found[0].0, 6.5);
/// assert!((found[0].1 - 5.063217).abs() < 5e-7 && found[1].1 == -found[0].1);
/// ```
pub fn each_against_rest(responses: &[f64], category: &[usize], n_categories: usize) -> Vec<(f64, f64)> {
    let mut moments = vec![Moments::default(); n_categories];
    for (response, &c) in responses.iter().zip(category) {
        moments[c].push(*response);
    }
    let of_category = |c: usize| {
        let own = moments[c];
        let others = (0..n_categories).filter(|other| *other != c).map(|other| moments[other]);
        let rest = others.fold(Moments::default(), Moments::merge);
        let t = if own.n < 2 || rest.n < 2 { f64::NAN } else { student_t(own, rest).0 };
        (if own.n == 0 { f64::NAN } else { own.mean }, t)
    };
    (0..n_categories).map(of_category).collect()
}
