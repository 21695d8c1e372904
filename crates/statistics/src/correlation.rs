//! Correlations of two vectors.
//!
//! Every function takes two slices of the same length and gives `NaN` for a `NaN` or infinite value, and for fewer than
//! two values. A constant vector ([`crate::rounding::is_constant`]) gives `NaN`: it has no spread and no order. Only
//! [`cosine`], which takes no mean off, has a value there. No value is beyond -1 or 1 ([`bounded`]).

use std::fmt;
use std::str::FromStr;

use crate::moments::{dot, mean};
use crate::ranks::average_ranks;
use crate::rounding::is_constant;

/// A correlation, chosen by its name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Correlation {
    /// [`pearson`]
    Pearson,
    /// [`spearman`]
    Spearman,
    /// [`kendall_tau_b`]; the field writes plain `kendall`.
    Kendall,
    /// [`kendall_tau_a`]
    TauA,
    /// [`rho_a`]
    RhoA,
    /// [`cosine`]
    Cosine,
}

impl Correlation {
    /// All of them, in the order of the help text.
    pub const ALL: [Correlation; 6] = [
        Correlation::Pearson,
        Correlation::Spearman,
        Correlation::Kendall,
        Correlation::TauA,
        Correlation::RhoA,
        Correlation::Cosine,
    ];

    /// The correlation of `x` and `y`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn of(self, x: &[f64], y: &[f64]) -> f64 {
        match self {
            Correlation::Pearson => pearson(x, y),
            Correlation::Spearman => spearman(x, y),
            Correlation::Kendall => kendall_tau_b(x, y),
            Correlation::TauA => kendall_tau_a(x, y),
            Correlation::RhoA => rho_a(x, y),
            Correlation::Cosine => cosine(x, y),
        }
    }

    /// Its name on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Correlation::Pearson => "pearson",
            Correlation::Spearman => "spearman",
            Correlation::Kendall => "kendall",
            Correlation::TauA => "tau-a",
            Correlation::RhoA => "rho-a",
            Correlation::Cosine => "cosine",
        }
    }
}

impl fmt::Display for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Correlation {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Correlation::ALL.into_iter().find(|c| c.as_str() == name).ok_or_else(|| {
            let names: Vec<&str> = Correlation::ALL.iter().map(|c| c.as_str()).collect();
            format!("no correlation \"{name}\"; there are {}", names.join(", "))
        })
    }
}

/// Pearson's product-moment correlation, centred first (two passes). `NaN` when either side is constant.
///
/// ```
/// let r = statistics::pearson(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 5.0]);
/// // deviations -1.5 -.5 .5 1.5 and -1.75 .25 -.75 2.25: 5.5 / sqrt(5 * 8.75)
/// assert!((r - 5.5 / 43.75_f64.sqrt()).abs() < 1e-15);
/// ```
///
/// # Panics
/// When the lengths differ.
pub fn pearson(x: &[f64], y: &[f64]) -> f64 {
    same_length(x, y);
    // Asked first: the rounded mean of a constant such as 0.1 may leave a spread of 1e-17.
    if x.len() < 2 || !usable(x) || !usable(y) || is_constant(x) || is_constant(y) {
        return f64::NAN;
    }
    ratio(&centred(x), &centred(y))
}

/// Spearman's rank correlation: [`pearson`] of average ranks. `NaN` when either side is constant.
///
/// # Panics
/// When the lengths differ.
pub fn spearman(x: &[f64], y: &[f64]) -> f64 {
    same_length(x, y);
    if x.len() < 2 || !usable(x) || !usable(y) || is_constant(x) || is_constant(y) {
        return f64::NAN;
    }
    pearson(&average_ranks(x), &average_ranks(y))
}

/// Cosine of the angle between two vectors: not centred. `NaN` when either is all zeros.
///
/// # Panics
/// When the lengths differ.
pub fn cosine(x: &[f64], y: &[f64]) -> f64 {
    same_length(x, y);
    if x.is_empty() || !usable(x) || !usable(y) {
        return f64::NAN;
    }
    ratio(&scaled(x.to_vec()), &scaled(y.to_vec()))
}

/// Kendall's tau-b, corrected for ties on both sides; `NaN` when either side is constant. O(n log n).
///
/// `(concordant - discordant) / sqrt((pairs - ties in x) * (pairs - ties in y))`. Kendall (1945); Knight (1966).
///
/// # Panics
/// When the lengths differ.
pub fn kendall_tau_b(x: &[f64], y: &[f64]) -> f64 {
    let Some(counts) = pair_counts(x, y) else {
        return f64::NAN;
    };
    let [untied_x, untied_y] = [counts.tied_x, counts.tied_y].map(|tied| counts.pairs - tied);
    tau_b(counts.concordant_minus_discordant, untied_x, untied_y)
}

/// Tau-b from its counts: pairs in the same order minus those in opposite order, and pairs untied on either side.
pub(crate) fn tau_b(concordant_minus_discordant: i64, untied_x: i64, untied_y: i64) -> f64 {
    if untied_x == 0 || untied_y == 0 {
        return f64::NAN;
    }
    let (x, y) = (untied_x as f64, untied_y as f64);
    // Equal counts, as of a vector and its copy, have an exact root of their product.
    let scale = if x == y { x } else { x.sqrt() * y.sqrt() };
    bounded(concordant_minus_discordant as f64 / scale)
}

/// Takes off what rounding put beyond -1 or 1: the last step of everything that is a correlation or a cosine. The exact
/// value lies within (Cauchy-Schwarz), so that nothing else is taken off; `NaN` stays.
pub fn bounded(score: f64) -> f64 {
    score.clamp(-1.0, 1.0)
}

/// Kendall's tau-a: `(concordant - discordant) / pairs`, ties counting as neither. O(n log n).
///
/// The comparison for models that predict ties, since tied predictions cannot gain from it (Nili et al. 2014).
/// A constant side has only ties. rsatoolbox makes that 0, which reads as a model that was tried and failed; here it is
/// `NaN`, as SciPy's `kendalltau` of it. Fewer than two values give `NaN`.
///
/// ```
/// // pairs: 5 in order, 1 (the 3 and the 2) reversed
/// assert_eq!(statistics::kendall_tau_a(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 5.0]), 4.0 / 6.0);
/// ```
///
/// # Panics
/// When the lengths differ.
pub fn kendall_tau_a(x: &[f64], y: &[f64]) -> f64 {
    match pair_counts(x, y) {
        Some(counts) => counts.concordant_minus_discordant as f64 / counts.pairs as f64,
        None => f64::NAN,
    }
}

/// Rho-a: the expected Spearman correlation over random breaking of ties.
///
/// `12 * sum(rank_x * rank_y) / (n^3 - n)` with centred average ranks, as rsatoolbox computes it: the spread is that of
/// untied ranks, so ties shrink it. Without ties it is [`spearman`]. A constant side, which is nothing but ties, gives
/// `NaN` as for the others (rsatoolbox: 0). Schuett et al. (2023).
///
/// ```
/// let r = statistics::rho_a(&[1.0, 2.0, 3.0, 4.0], &[0.0, 0.0, 1.0, 1.0]);
/// // ranks -1.5 -.5 .5 1.5 and -1 -1 1 1: 12 * 4 / 60
/// assert_eq!(r, 0.8);
/// ```
///
/// # Panics
/// When the lengths differ.
pub fn rho_a(x: &[f64], y: &[f64]) -> f64 {
    same_length(x, y);
    if x.len() < 2 || !usable(x) || !usable(y) || is_constant(x) || is_constant(y) {
        return f64::NAN;
    }
    let n = x.len() as f64;
    let middle = (n + 1.0) / 2.0;
    let centre = |ranks: Vec<f64>| -> Vec<f64> { ranks.iter().map(|r| r - middle).collect() };
    bounded(12.0 * dot(&centre(average_ranks(x)), &centre(average_ranks(y))) / (n * n * n - n))
}

fn same_length(x: &[f64], y: &[f64]) {
    assert_eq!(x.len(), y.len(), "{} values against {}", x.len(), y.len());
}

fn usable(x: &[f64]) -> bool {
    x.iter().all(|v| v.is_finite())
}

fn centred(x: &[f64]) -> Vec<f64> {
    let centre = mean(x);
    scaled(x.iter().map(|v| v - centre).collect())
}

/// Divides by the largest magnitude when squares would leave the range of f64; else unchanged, so that ordinary
/// numbers keep their rounding.
fn scaled(mut x: Vec<f64>) -> Vec<f64> {
    let largest = x.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    if largest > 0.0 && !(1e-120..1e120).contains(&largest) {
        x.iter_mut().for_each(|v| *v /= largest);
    }
    x
}

fn ratio(x: &[f64], y: &[f64]) -> f64 {
    let (own_x, own_y) = (dot(x, x), dot(y, y));
    // The root of a square is exact, so that a vector and its copy have 1.
    let scale = if own_x == own_y { own_x } else { own_x.sqrt() * own_y.sqrt() };
    bounded(dot(x, y) / scale)
}

struct PairCounts {
    pairs: i64,
    tied_x: i64,
    tied_y: i64,
    concordant_minus_discordant: i64,
}

/// Knight's algorithm: sort by x then y, and count the exchanges a merge sort by y needs.
fn pair_counts(x: &[f64], y: &[f64]) -> Option<PairCounts> {
    same_length(x, y);
    if x.len() < 2 || !usable(x) || !usable(y) || is_constant(x) || is_constant(y) {
        return None;
    }
    let n = x.len();
    // Adding 0.0 turns -0.0 into 0.0, which total_cmp would order apart.
    let mut sorted: Vec<(f64, f64)> = x.iter().zip(y).map(|(x, y)| (x + 0.0, y + 0.0)).collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let tied_x = tied_pairs(&sorted, |a, b| a.0 == b.0);
    let tied_both = tied_pairs(&sorted, |a, b| a == b);
    let mut by_y: Vec<f64> = sorted.iter().map(|p| p.1).collect();
    let mut spare = vec![0.0; n];
    let discordant = count_exchanges(&mut by_y, &mut spare);
    let tied_y = tied_pairs(&by_y, |a, b| a == b);
    let pairs = n as i64 * (n as i64 - 1) / 2;
    Some(PairCounts {
        pairs,
        tied_x,
        tied_y,
        concordant_minus_discordant: pairs - tied_x - tied_y + tied_both - 2 * discordant,
    })
}

/// Pairs within runs of equal neighbours.
fn tied_pairs<T>(sorted: &[T], equal: impl Fn(&T, &T) -> bool) -> i64 {
    sorted.chunk_by(equal).map(|run| run.len() as i64 * (run.len() as i64 - 1) / 2).sum()
}

/// Sorts `values` and returns how many pairs stood in falling order.
fn count_exchanges(values: &mut [f64], spare: &mut [f64]) -> i64 {
    let n = values.len();
    if n <= 16 {
        let mut exchanges = 0;
        for i in 1..n {
            let mut j = i;
            while j > 0 && values[j - 1] > values[j] {
                values.swap(j - 1, j);
                j -= 1;
            }
            exchanges += (i - j) as i64;
        }
        return exchanges;
    }
    let half = n / 2;
    let mut exchanges = {
        let (left, right) = values.split_at_mut(half);
        let (spare_left, spare_right) = spare.split_at_mut(half);
        count_exchanges(left, spare_left) + count_exchanges(right, spare_right)
    };
    let (mut i, mut j) = (0, half);
    for slot in spare.iter_mut() {
        if j < n && (i == half || values[j] < values[i]) {
            // Everything left of the cut that is still waiting stands before this smaller value.
            exchanges += (half - i) as i64;
            *slot = values[j];
            j += 1;
        } else {
            *slot = values[i];
            i += 1;
        }
    }
    values.copy_from_slice(spare);
    exchanges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Draws;

    fn slow_counts(x: &[f64], y: &[f64]) -> (i64, i64, i64, i64) {
        let (mut c, mut tx, mut ty, mut pairs) = (0, 0, 0, 0);
        for i in 0..x.len() {
            for j in 0..i {
                pairs += 1;
                let (dx, dy) = (x[i] - x[j], y[i] - y[j]);
                tx += i64::from(dx == 0.0);
                ty += i64::from(dy == 0.0);
                if dx * dy > 0.0 {
                    c += 1;
                } else if dx * dy < 0.0 {
                    c -= 1;
                }
            }
        }
        (pairs, tx, ty, c)
    }

    #[test]
    fn kendall_agrees_with_all_pairs() {
        let mut draws = Draws::new(3);
        for n in [2, 3, 15, 16, 17, 33, 64, 257] {
            for levels in [1, 2, 5, 100_000] {
                let x: Vec<f64> = (0..n).map(|_| draws.below(levels) as f64).collect();
                let y: Vec<f64> = (0..n).map(|_| draws.below(levels) as f64).collect();
                let (pairs, tx, ty, c) = slow_counts(&x, &y);
                let (a, b) = (kendall_tau_a(&x, &y), kendall_tau_b(&x, &y));
                if tx == pairs || ty == pairs {
                    assert!(a.is_nan() && b.is_nan());
                } else {
                    assert_eq!(a, c as f64 / pairs as f64);
                    let expected = c as f64 / (((pairs - tx) as f64) * ((pairs - ty) as f64)).sqrt();
                    assert!((b - expected).abs() < 1e-14, "{b} {expected}");
                }
            }
        }
    }

    // scipy 1.17.1: pearsonr, spearmanr, kendalltau (tau-b) of
    // x = [3,1,4,1,5,9,2,6,5,3], y = [2,7,1,8,2,8,1,8,2,8]; rho-a by rsatoolbox's formula on rankdata.
    #[test]
    fn golden_scipy_with_ties() {
        let x = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0];
        let y = [2.0, 7.0, 1.0, 8.0, 2.0, 8.0, 1.0, 8.0, 2.0, 8.0];
        let golden = GOLDEN;
        for (correlation, expected) in Correlation::ALL.into_iter().zip(golden) {
            let value = correlation.of(&x, &y);
            assert!((value - expected).abs() < 1e-14, "{correlation}: {value} {expected}");
        }
    }
    const GOLDEN: [f64; 6] = [
        0.10492284287735881,
        0.13471506281091267,
        0.13041013273932525,
        1.0 / 9.0,
        0.12727272727272726,
        0.7432806947222905,
    ];

    #[test]
    fn constant_input_has_no_correlation() {
        let x = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
        let mut rounded = [1.2; 7];
        rounded[3] = 1.2000000000000002;
        for flat in [[0.1; 7], rounded] {
            for correlation in Correlation::ALL.into_iter().filter(|c| *c != Correlation::Cosine) {
                assert!(correlation.of(&flat, &x).is_nan() && correlation.of(&x, &flat).is_nan(), "{correlation}");
            }
            assert!(!cosine(&flat, &x).is_nan());
        }
        assert!(cosine(&[0.0; 7], &x).is_nan());
    }

    #[test]
    fn a_vector_and_its_copy_have_1_and_no_scale_goes_beyond() {
        let mut draws = Draws::new(12);
        for n in 2..200 {
            let x: Vec<f64> = (0..n).map(|_| draws.uniform()).collect();
            let scaled: Vec<f64> = x.iter().map(|v| v * 0.7).collect();
            let turned: Vec<f64> = x.iter().map(|v| -v).collect();
            for correlation in Correlation::ALL {
                assert_eq!(correlation.of(&x, &x), 1.0, "{correlation} {n}");
                assert!((0.999_999_999_999..=1.0).contains(&correlation.of(&x, &scaled)), "{correlation} {n}");
                assert!((-1.0..=-0.999_999_999_999).contains(&correlation.of(&x, &turned)), "{correlation} {n}");
            }
        }
    }

    #[test]
    fn nan_and_single_values_have_none_either() {
        for correlation in Correlation::ALL {
            assert!(correlation.of(&[1.0, f64::NAN, 2.0], &[1.0, 2.0, 3.0]).is_nan());
            assert!(correlation.of(&[1.0, 2.0, 3.0], &[1.0, f64::INFINITY, 3.0]).is_nan());
            assert!(correlation.of(&[], &[]).is_nan());
        }
        assert!(pearson(&[1.0], &[2.0]).is_nan() && rho_a(&[1.0], &[2.0]).is_nan());
    }

    #[test]
    fn any_scale_and_shift_keep_pearson() {
        let x = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0];
        let y = [2.0, 7.0, 1.0, 8.0, 2.5, 8.0];
        let r = pearson(&x, &y);
        for factor in [1e-300, 1e-170, 2.5, 1e200, 1e300] {
            let scaled: Vec<f64> = x.iter().map(|v| v * factor).collect();
            assert!((pearson(&scaled, &y) - r).abs() < 1e-14, "{factor}");
            assert!((cosine(&scaled, &y) - cosine(&x, &y)).abs() < 1e-14, "{factor}");
        }
        let shifted: Vec<f64> = x.iter().map(|v| v + 1e6).collect();
        // 1e-9: at 1e6 the inputs keep 1e-10.
        assert!((pearson(&shifted, &y) - r).abs() < 1e-9);
        assert_eq!(pearson(&x, &x), 1.0);
    }

    #[test]
    fn rank_correlations_see_only_the_order() {
        let x = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0];
        let y = [2.0, 7.0, 1.0, 8.0, 2.5, 8.0];
        let bent: Vec<f64> = x.iter().map(|v: &f64| v.exp()).collect();
        for correlation in [Correlation::Spearman, Correlation::Kendall, Correlation::TauA, Correlation::RhoA] {
            assert_eq!(correlation.of(&x, &y), correlation.of(&bent, &y));
        }
        assert!(
            (rho_a(&x, &[1.0, 7.0, 2.0, 8.0, 2.5, 9.0]) - spearman(&x, &[1.0, 7.0, 2.0, 8.0, 2.5, 9.0])).abs() < 1e-15
        );
        assert_eq!(kendall_tau_b(&[0.0, 1.0], &[-0.0, 1.0]), 1.0);
    }

    #[test]
    fn names_read_back() {
        for correlation in Correlation::ALL {
            assert_eq!(correlation.as_str().parse(), Ok(correlation));
        }
        assert!("kendal".parse::<Correlation>().unwrap_err().contains("kendall"));
    }
}
