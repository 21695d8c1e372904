//! Values minus their mean, and over their standard deviation.

use crate::moments::{mean, sum};
use crate::rounding::{beyond, is_constant};

/// A difference of a value and a mean that is no more than so many units in the last place of the larger one is 0: the
/// mean of two passes is off by one, and its subtraction rounds once more.
const ULPS: f64 = 4.0;

/// Where a set of values has its middle, and how wide it is.
///
/// ```
/// use statistics::Centre;
/// let centre = Centre::of(&[1.0, 2.0, 3.0, 6.0]);
/// assert_eq!((centre.mean, centre.centred(6.0)), (3.0, 3.0));
/// assert_eq!(centre.zscore(6.0), 3.0 / 3.5f64.sqrt()); // scipy.stats.zscore: n in the denominator
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Centre {
    /// The mean, by two passes; `NaN` of no values and where one is not finite.
    pub mean: f64,
    /// Standard deviation with n in the denominator, by two passes; 0 exactly where the values are equal, or would be
    /// but for rounding ([`is_constant`]).
    pub sd: f64,
}

impl Centre {
    /// Of these values. Neither the largest nor the smallest numbers leave the range of f64 on the way.
    pub fn of(values: &[f64]) -> Centre {
        if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
            return Centre { mean: f64::NAN, sd: f64::NAN };
        }
        let largest = values.iter().fold(0.0, |largest: f64, v| largest.max(v.abs()));
        if largest == 0.0 {
            return Centre { mean: 0.0, sd: 0.0 };
        }
        // A power of two changes no digit. Half of the largest: two such numbers may be as far apart as their sum.
        let unit = 2.0f64.powi((largest.log2().floor() as i32 + 1).clamp(-1000, 1023));
        let scaled: Vec<f64> = values.iter().map(|v| v / unit).collect();
        let first = mean(&scaled);
        let rest: Vec<f64> = scaled.iter().map(|v| v - first).collect();
        let middle = first + mean(&rest);
        let sd = match is_constant(values) {
            true => 0.0,
            false => {
                let squares: Vec<f64> = scaled.iter().map(|v| less(*v, middle).powi(2)).collect();
                (sum(&squares) / values.len() as f64).sqrt() * unit
            }
        };
        Centre { mean: middle * unit, sd }
    }

    /// Whether the values are equal, or would be but for rounding.
    pub fn is_constant(&self) -> bool {
        self.sd == 0.0
    }

    /// A value minus the mean: 0 exactly where only rounding is between them.
    pub fn centred(&self, value: f64) -> f64 {
        less(value, self.mean)
    }

    /// [`Centre::centred`] over the standard deviation; `NaN` where that is 0.
    pub fn zscore(&self, value: f64) -> f64 {
        // Halves, because the difference of two numbers near the end of the range is beyond it.
        let half = less(value / 2.0, self.mean / 2.0);
        if self.is_constant() { f64::NAN } else { half / (self.sd / 2.0) }
    }
}

fn less(value: f64, mean: f64) -> f64 {
    beyond(value - mean, ULPS * f64::EPSILON * value.abs().max(mean.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numpy_and_scipy() {
        // numpy 2 mean and std, scipy.stats.zscore of the same five numbers.
        let values = [0.3, 1.7, -2.2, 4.1, 0.0];
        let z =
            [-0.23100428444732002, 0.44275821185736347, -1.434151599277112, 1.5977796340939636, -0.37538196222689507];
        let centre = Centre::of(&values);
        assert!((centre.mean - 0.78).abs() < 3e-16 && (centre.sd / 2.0778835386036434 - 1.0).abs() < 1e-15);
        for (value, z) in values.into_iter().zip(z) {
            assert!((centre.zscore(value) - z).abs() < 1e-15);
            assert!((centre.centred(value) - (value - 0.78)).abs() < 1e-15);
        }
    }

    #[test]
    fn a_value_that_is_the_mean_is_0_and_a_constant_has_no_z() {
        // 0.1, 0.3 and their mean: 0.2 in exact arithmetic, 0.20000000000000001 or its neighbour here.
        let centre = Centre::of(&[0.1, 0.3, 0.2]);
        assert_eq!(centre.centred(0.2), 0.0);
        let flat = Centre::of(&[0.1; 7]);
        assert!(flat.is_constant() && flat.centred(0.1) == 0.0 && flat.zscore(0.1).is_nan());
        // Equal but for rounding.
        assert!(Centre::of(&[1.2, 1.2000000000000002, 1.2]).is_constant());
        assert!(Centre::of(&[7.5]).is_constant() && Centre::of(&[0.0, 0.0]).is_constant());
    }

    #[test]
    fn large_offsets_large_and_small_numbers_keep_their_digits() {
        let offset: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i % 7)).collect();
        let plain: Vec<f64> = (0..1000).map(|i| f64::from(i % 7)).collect();
        let (far, near) = (Centre::of(&offset), Centre::of(&plain));
        assert!((far.sd / near.sd - 1.0).abs() < 1e-7 && (far.mean - 1e9 - near.mean).abs() < 2e-7);
        for scale in [1e308, 1e-308] {
            let centre = Centre::of(&[1.5 * scale, -1.5 * scale, 0.5 * scale, -0.5 * scale]);
            assert_eq!(centre.mean, 0.0);
            assert!((centre.zscore(1.5 * scale) - 1.5 / 1.25f64.sqrt()).abs() < 1e-14, "{scale}");
        }
        let lopsided = Centre::of(&[f64::MAX, f64::MAX, -f64::MAX]);
        assert!((lopsided.zscore(-f64::MAX) + 2.0f64.sqrt()).abs() < 1e-14, "{lopsided:?}");
    }

    #[test]
    fn what_is_not_finite_has_no_mean() {
        for values in [&[][..], &[1.0, f64::NAN], &[f64::INFINITY, 1.0], &[f64::NAN, f64::INFINITY]] {
            let centre = Centre::of(values);
            assert!(centre.mean.is_nan() && centre.centred(1.0).is_nan() && centre.zscore(1.0).is_nan(), "{values:?}");
        }
    }
}
