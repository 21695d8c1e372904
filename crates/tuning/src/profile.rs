//! From responses of many units to one number per presentation.

use ndarray::{ArrayView1, ArrayView2};
use statistics::{Moments, median};

/// Mean over the columns of each row, in f64.
///
/// NaN in a row makes its mean NaN; a matrix without columns has no mean (NaN).
pub(crate) fn mean_over_units<T: Copy + Into<f64>>(rows: ArrayView2<T>) -> Vec<f64> {
    rows.rows().into_iter().map(|row| row.iter().map(|&v| v.into()).sum::<f64>() / row.len() as f64).collect()
}

/// Whether the means of the rows differ by no more than rounding, as those of centred rows do (a LayerNorm, z-scored
/// patterns): such a profile is constant, and its correlation with anything would be that of rounding errors.
///
/// `epsilon` is the spacing of numbers next to 1 in the input's own precision. A centred row keeps a mean of about that
/// times the size of its values; 8 leaves room for a mean taken off values larger than what remained. One column has no
/// mean to round.
pub(crate) fn differ_by_rounding<T: Copy + Into<f64>>(rows: ArrayView2<T>, means: &[f64], epsilon: f64) -> bool {
    if rows.ncols() < 2 || means.iter().any(|m| !m.is_finite()) {
        return false;
    }
    let sizes = rows.rows().into_iter().map(|row| row.iter().map(|&v| v.into().abs()).sum::<f64>() / row.len() as f64);
    let (low, high) = means.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &m| (l.min(m), h.max(m)));
    high - low <= 8.0 * epsilon * sizes.fold(0.0, f64::max)
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
    fn centred_rows_have_no_profile_and_small_differences_do() {
        let flat = |x: ndarray::Array2<f64>| differ_by_rounding(x.view(), &mean_over_units(x.view()), f64::EPSILON);
        // Both means are 0 in exact arithmetic; in f64 they are 5.6e-17 / 3 and 0.
        let centred = array![[0.1, 0.2, -0.3], [0.1, -0.2, 0.1]];
        assert_ne!(mean_over_units(centred.view())[0], mean_over_units(centred.view())[1]);
        assert!(flat(centred));
        assert!(!flat(array![[0.1, 0.2, -0.3], [0.1, -0.2, 0.1 + 1e-13]]));
        // A single unit is taken at its word; NaN has its own reason.
        assert!(!flat(array![[1e-17], [2e-17]]));
        assert!(!flat(array![[f64::NAN, 1.0], [1.0, 1.0]]));
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
