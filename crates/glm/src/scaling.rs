//! In what units a time series is fitted, and which cannot be.

use ndarray::{Array2, ArrayView2, Axis};
use statistics::Reason;

/// The units of a voxel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// As they are.
    Raw,
    /// `100 (y / mean - 1)`; a mean below 1 is taken as 1, as in nilearn.
    Percent,
}

impl Scaling {
    /// Brings a block (`n x v`) into these units.
    pub fn apply(self, y: &mut Array2<f64>) {
        if self == Scaling::Raw {
            return;
        }
        let means = means(y.view());
        for mut row in y.rows_mut() {
            row.iter_mut().zip(&means).for_each(|(y, mean)| {
                // f64::max would turn a NaN into 1; such a voxel is NaN anyway.
                *y = 100.0 * (*y / mean.max(1.0) - 1.0);
            });
        }
    }
}

fn means(y: ArrayView2<f64>) -> Vec<f64> {
    (y.sum_axis(Axis(0)) / y.nrows() as f64).to_vec()
}

/// How many voxels of a block in raw units have a mean below 1, and are not constant: per cent of it mean nothing.
pub fn n_low_means(y: ArrayView2<f64>, unusable: &[Option<Reason>]) -> usize {
    means(y).iter().zip(unusable).filter(|(mean, why)| why.is_none() && **mean < 1.0).count()
}

/// Why voxels of a block cannot be fitted: a value that is not finite, or no variation but rounding.
pub fn unusable(y: ArrayView2<f64>) -> Vec<Option<Reason>> {
    let v = y.ncols();
    let (mut low, mut high) = (vec![f64::INFINITY; v], vec![f64::NEG_INFINITY; v]);
    let mut sum = vec![0.0; v];
    for row in y.rows() {
        for (k, &value) in row.iter().enumerate() {
            low[k] = low[k].min(value);
            high[k] = high[k].max(value);
            // 0 times a value that is not finite is NaN.
            sum[k] += value * 0.0;
        }
    }
    (0..v)
        .map(|k| {
            if sum[k] != 0.0 {
                return Some(Reason::NanInput);
            }
            // Only what varies by less than a millionth of its size can be rounding.
            let close = high[k] - low[k] <= 1e-5 * high[k].abs().max(low[k].abs()) || high[k] - low[k] < 1e-5;
            if close { Reason::of(&y.column(k).to_vec()) } else { None }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn per_cent_of_the_mean() {
        let mut y = array![[90.0, 0.1, 5.0], [110.0, 0.3, 5.0]];
        let why = unusable(y.view());
        assert_eq!(why, [None, None, Some(Reason::Constant)]);
        assert_eq!(n_low_means(y.view(), &why), 1);
        Scaling::Percent.apply(&mut y);
        assert!((y[(0, 0)] + 10.0).abs() < 1e-12 && (y[(0, 1)] + 90.0).abs() < 1e-12);
        let odd = array![[1.0, 2.0, f64::INFINITY], [f64::NAN, 2.0000000000000004, 1.0]];
        assert_eq!(unusable(odd.view()), [Some(Reason::NanInput), Some(Reason::Constant), Some(Reason::NanInput)]);
    }
}
