//! From responses of many units to one number per presentation.

use ndarray::{ArrayView1, ArrayView2};
use statistics::{Moments, median};

/// Mean over the columns of each row, in f64.
///
/// NaN in a row makes its mean NaN; a matrix without columns has no mean (NaN).
pub(crate) fn mean_over_units<T: Copy + Into<f64>>(rows: ArrayView2<T>) -> Vec<f64> {
    rows.rows().into_iter().map(|row| row.iter().map(|&v| v.into()).sum::<f64>() / row.len() as f64).collect()
}

/// Median over the columns of each row.
pub(crate) fn median_over_units<T: Copy + Into<f64>>(rows: ArrayView2<T>) -> Vec<f64> {
    rows.rows().into_iter().map(|row| median(&row.iter().map(|&v| v.into()).collect::<Vec<f64>>())).collect()
}

/// What z-scoring takes from each unit: its mean, and one over its standard deviation (n - 1) over all rows; `None` for
/// a constant unit, which has no z.
pub(crate) fn scales<T: Copy + Into<f64>>(rows: ArrayView2<T>) -> Vec<Option<(f64, f64)>> {
    let scale = |column: ArrayView1<T>| {
        let moments: Moments = column.iter().map(|&v| v.into()).collect();
        let first: Option<f64> = column.first().map(|&v| v.into());
        // Exactly constant: a rounding error in the variance must not turn into a z.
        let constant = column.iter().all(|&v| Some(v.into()) == first);
        (!constant).then(|| (moments.mean, 1.0 / moments.sd()))
    };
    rows.columns().into_iter().map(scale).collect()
}

/// z-scored responses of the units that have a z.
pub(crate) fn z_scored<T: Copy + Into<f64>>(
    rows: ArrayView2<T>,
    scales: &[Option<(f64, f64)>],
) -> ndarray::Array2<f64> {
    let kept: Vec<usize> = (0..scales.len()).filter(|&u| scales[u].is_some()).collect();
    ndarray::Array2::from_shape_fn((rows.nrows(), kept.len()), |(row, k)| {
        let (mean, per_sd) = scales[kept[k]].unwrap_or((f64::NAN, f64::NAN));
        (rows[[row, kept[k]]].into() - mean) * per_sd
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn means_and_medians_over_units() {
        let x = array![[1.0f32, 2.0, 6.0], [0.0, f32::NAN, 1.0]];
        let (m, d) = (mean_over_units(x.view()), median_over_units(x.view()));
        assert_eq!((m[0], d[0]), (3.0, 2.0));
        assert!(m[1].is_nan() && d[1].is_nan());
        assert!(mean_over_units(ndarray::Array2::<f64>::zeros((1, 0)).view())[0].is_nan());
    }

    #[test]
    fn z_scores_have_mean_0_and_sd_1_and_constant_units_none() {
        // 1, 3 have mean 2 and standard deviation sqrt(2).
        let x = array![[1.0, 5.0], [3.0, 5.0]];
        let scales = scales(x.view());
        assert!(scales[1].is_none());
        let z = z_scored(x.view(), &scales);
        assert_eq!(z.ncols(), 1);
        assert!((z[[0, 0]] + 0.5f64.sqrt()).abs() < 1e-15 && (z[[1, 0]] - 0.5f64.sqrt()).abs() < 1e-15);
    }
}
