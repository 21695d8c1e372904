//! Noise that remembers: its correlation from one volume to the next, and whitening.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis};

/// What is assumed of the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// Ordinary least squares: no volume knows of another.
    Ols,
    /// First-order autoregression, with one coefficient per voxel in hundredths.
    Ar1,
}

/// The autoregression of each column of residuals, in hundredths, toward 0.
///
/// `[sum y_t y_{t+1} / (n-1)] / [sum y_t^2 / n]` about the column's own mean. nilearn takes the mean over all voxels
/// and times, which is the same 0 where the design has a constant and wrong where it has none. `None` where there is no
/// number.
pub(crate) fn hundredths(residuals: ArrayView2<f64>) -> Vec<Option<i32>> {
    let (n, v) = residuals.dim();
    let mean = residuals.sum_axis(Axis(0)) / n as f64;
    let (mut squares, mut lagged) = (vec![0.0; v], vec![0.0; v]);
    for t in 0..n {
        let row = residuals.row(t);
        for (k, square) in squares.iter_mut().enumerate() {
            let y = row[k] - mean[k];
            *square += y * y;
        }
        if t + 1 < n {
            let next = residuals.row(t + 1);
            for (k, lagged) in lagged.iter_mut().enumerate() {
                *lagged += (row[k] - mean[k]) * (next[k] - mean[k]);
            }
        }
    }
    let (n, n_pairs) = (n as f64, n as f64 - 1.0);
    let rho = |(square, lagged): (&f64, &f64)| {
        let rho = (lagged / (n_pairs * n)) / (square / (n * n));
        rho.is_finite().then_some((rho * 100.0) as i32)
    };
    squares.iter().zip(&lagged).map(rho).collect()
}

/// The columns that share a coefficient.
pub(crate) fn groups(hundredths: &[Option<i32>]) -> BTreeMap<i32, Vec<usize>> {
    let mut groups: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (column, hundredths) in hundredths.iter().enumerate() {
        if let Some(rho) = hundredths {
            groups.entry(*rho).or_default().push(column);
        }
    }
    groups
}

/// `y_t - rho y_{t-1}` of some columns; the first volume stays as it is.
pub(crate) fn whitened(y: ArrayView2<f64>, columns: &[usize], hundredths: i32) -> Array2<f64> {
    let rho = f64::from(hundredths) / 100.0;
    let mut out = Array2::zeros((y.nrows(), columns.len()));
    for (t, mut to) in out.rows_mut().into_iter().enumerate() {
        let now = y.row(t);
        match t.checked_sub(1).map(|before| y.row(before)) {
            None => to.iter_mut().zip(columns).for_each(|(to, &k)| *to = now[k]),
            Some(before) => to.iter_mut().zip(columns).for_each(|(to, &k)| *to = now[k] - rho * before[k]),
        }
    }
    out
}

/// [`whitened`] of all columns.
pub(crate) fn whitened_all(x: ArrayView2<f64>, hundredths: i32) -> Array2<f64> {
    whitened(x, &(0..x.ncols()).collect::<Vec<_>>(), hundredths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn coefficients_are_cut_toward_0() {
        // (1, -1, 1, -1): lag products -3, squares 4: (-3/3) / (4/4) = -1; (1, 1, -1, -1): 1 / 3 = .333
        let residuals = array![[1.0, 1.0, f64::NAN], [-1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [-1.0, -1.0, 0.0]];
        assert_eq!(hundredths(residuals.view()), [Some(-100), Some(33), None]);
        // A mean does not make noise.
        assert_eq!(hundredths((&residuals + 5.0).view()), [Some(-100), Some(33), None]);
    }

    #[test]
    fn the_first_volume_is_left_as_it_is() {
        let y = array![[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]];
        assert_eq!(whitened(y.view(), &[1], 50), array![[10.0], [15.0], [30.0]]);
        assert_eq!(groups(&[Some(3), None, Some(-1), Some(3)]), BTreeMap::from([(-1, vec![2]), (3, vec![0, 3])]));
    }
}
