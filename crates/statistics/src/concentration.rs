//! How evenly selective units are spread over feature maps: Gini, entropy, share of maps.
//!
//! All three take one count per feature map, maps without a selective unit included.

/// Gini coefficient `2 sum(i x_(i)) / (n sum x) - (n + 1) / n` of non-negative amounts, `x_(i)` the i-th smallest
/// (from 1): 0 when all are equal, `(n - 1) / n` when one has everything.
///
/// `NaN` for no values, a `NaN`, infinite or negative value, and when all are 0: nothing is spread over anything.
///
/// ```
/// // METHODS.md, test vectors
/// assert_eq!(statistics::gini(&[0.0, 0.0, 2.0, 10.0, 0.0, 0.0, 0.0, 4.0]), 0.75);
/// ```
///
/// Gini (1912), in the form for sorted values.
pub fn gini(amounts: &[f64]) -> f64 {
    let Some(total) = total(amounts) else { return f64::NAN };
    let mut sorted = amounts.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let weighted: f64 = sorted.iter().zip(1_u32..).map(|(x, i)| f64::from(i) * x).sum();
    2.0 * weighted / (n * total) - (n + 1.0) / n
}

/// Entropy of the shares, `-sum p ln p / ln n` with `p = x / sum x`: 1 when all are equal, 0 when one has everything.
///
/// `NaN` as for [`gini`], and for a single value, whose `ln n` is 0.
///
/// ```
/// let counts = [0.0, 0.0, 2.0, 10.0, 0.0, 0.0, 0.0, 4.0];
/// assert!((statistics::normalized_entropy(&counts) - 0.432932).abs() < 5e-7);
/// ```
///
/// Shannon (1948); divided by its largest value it is Pielou's (1966) evenness.
pub fn normalized_entropy(amounts: &[f64]) -> f64 {
    let Some(total) = total(amounts) else { return f64::NAN };
    if amounts.len() < 2 {
        return f64::NAN;
    }
    // x ln x goes to 0 with x.
    let terms = amounts.iter().filter(|x| **x > 0.0).map(|x| x / total * (x / total).ln());
    // Not -0 when one has everything.
    0.0 - terms.sum::<f64>() / (amounts.len() as f64).ln()
}

/// Share of the values that are above 0: feature maps with at least one selective unit.
///
/// 0 when all are 0. `NaN` for no values and for a `NaN`, infinite or negative one.
///
/// ```
/// assert_eq!(statistics::share_nonempty(&[0.0, 0.0, 2.0, 10.0, 0.0, 0.0, 0.0, 4.0]), 0.375);
/// ```
pub fn share_nonempty(amounts: &[f64]) -> f64 {
    if amounts.is_empty() || !amounts.iter().all(is_amount) {
        return f64::NAN;
    }
    amounts.iter().filter(|x| **x > 0.0).count() as f64 / amounts.len() as f64
}

fn is_amount(x: &f64) -> bool {
    x.is_finite() && *x >= 0.0
}

/// The sum, where it can be shared out.
fn total(amounts: &[f64]) -> Option<f64> {
    let total: f64 = amounts.iter().sum();
    (amounts.iter().all(is_amount) && total > 0.0 && total.is_finite()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_and_uneven() {
        // Equal: 2 * (1 + 2 + 3 + 4) / 16 - 5 / 4 = 0. One has all: 2 * 4 / 4 - 5 / 4 = 3/4.
        assert_eq!((gini(&[3.0; 4]), normalized_entropy(&[3.0; 4]), share_nonempty(&[3.0; 4])), (0.0, 1.0, 1.0));
        let one = [0.0, 9.0, 0.0, 0.0];
        assert_eq!((gini(&one), normalized_entropy(&one), share_nonempty(&one)), (0.75, 0.0, 0.25));
        assert_eq!(normalized_entropy(&one).to_bits(), 0.0_f64.to_bits());
        // Half of the differences of all pairs over n^2 times the mean: (0 + 1 + 2 + 1 + 0 + 1 + 2 + 1 + 0) / 2 / 9 /
        // 2.
        assert!((gini(&[1.0, 2.0, 3.0]) - 8.0 / 36.0).abs() < 1e-15);
    }

    #[test]
    fn order_and_scale_do_not_matter() {
        let (a, b) = ([5.0, 0.0, 2.0, 7.0], [14.0, 10.0, 0.0, 4.0]);
        assert_eq!(gini(&a), gini(&b));
        assert!((normalized_entropy(&a) - normalized_entropy(&b)).abs() < 1e-15);
    }

    #[test]
    fn nothing_to_share_out() {
        for bad in [&[][..], &[1.0, f64::NAN], &[1.0, -1.0], &[1.0, f64::INFINITY]] {
            assert!(gini(bad).is_nan() && normalized_entropy(bad).is_nan() && share_nonempty(bad).is_nan());
        }
        assert!(gini(&[0.0, 0.0]).is_nan() && normalized_entropy(&[0.0, 0.0]).is_nan());
        assert_eq!(share_nonempty(&[0.0, 0.0]), 0.0);
        assert!(normalized_entropy(&[4.0]).is_nan());
        assert_eq!(gini(&[4.0]), 0.0);
    }
}
