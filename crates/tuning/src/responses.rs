//! From responses of many units to one number per presentation.

use ndarray::ArrayView2;
use rayon::prelude::*;
use statistics::{Moments, Reason, mean, median, variance};

/// One unit's part in a profile: `weight * (response - centre) * per_sd`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unit {
    /// Its column.
    pub column: usize,
    /// Its weight in the mean, above 0.
    pub weight: f64,
    /// What is taken off first; 0 for responses as they are.
    pub centre: f64,
    /// What that is multiplied with; 1 for responses as they are.
    pub per_sd: f64,
}

impl Unit {
    /// A column as it is, with weight 1.
    pub(crate) fn plain(column: usize) -> Unit {
        Unit { column, weight: 1.0, centre: 0.0, per_sd: 1.0 }
    }

    /// An infinite response says as little as a NaN: it is one here, so that no median passes over it.
    fn of<T: Copy + Into<f64>>(&self, response: T) -> f64 {
        let response: f64 = response.into();
        if response.is_finite() { (response - self.centre) * self.per_sd } else { f64::NAN }
    }
}

/// One number per row of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Profile {
    /// Response to each presentation.
    pub responses: Vec<f64>,
    /// The responses differed by rounding only; they are all set to the first.
    pub flat: bool,
}

/// Weighted mean over `units` of each row, `sum(w x) / sum(w)`, in f64; NaN where one of them is, and without units.
///
/// Responses that differ by no more than rounding, as those of centred rows do (a LayerNorm, z-scored patterns), are
/// made exactly constant: their correlation with anything would be that of rounding errors. A centred row keeps a mean
/// of about the spacing of numbers in its own precision times the size of its values; 8 leaves room for a mean taken
/// off values larger than what remained. `epsilon` is that spacing next to 1 ([`precision`]). One unit has no mean to
/// round.
pub(crate) fn mean_over_units<T: Copy + Into<f64> + Sync>(
    rows: ArrayView2<T>,
    units: &[Unit],
    epsilon: f64,
) -> Profile {
    let total: f64 = units.iter().map(|unit| unit.weight).sum();
    let of_row = |row: usize| -> (f64, f64) {
        let row = rows.row(row);
        let terms = units.iter().map(|unit| unit.weight * unit.of(row[unit.column]));
        let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
        (sum / total, size / total)
    };
    let (responses, sizes): (Vec<f64>, Vec<f64>) = (0..rows.nrows()).into_par_iter().map(of_row).unzip();
    let (low, high) = responses.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &m| (l.min(m), h.max(m)));
    let rounding = 8.0 * epsilon * sizes.into_iter().fold(0.0, f64::max);
    let usable = units.len() > 1 && responses.iter().all(|m| m.is_finite());
    let flat = usable && high > low && high - low <= rounding;
    let responses = if flat { vec![responses[0]; responses.len()] } else { responses };
    Profile { responses, flat }
}

/// Median over `units` of each row; weights are not looked at.
pub(crate) fn median_over_units<T: Copy + Into<f64> + Sync>(rows: ArrayView2<T>, units: &[Unit]) -> Profile {
    let of_row = |row: usize| -> f64 {
        let row = rows.row(row);
        median(&units.iter().map(|unit| unit.of(row[unit.column])).collect::<Vec<f64>>())
    };
    Profile { responses: (0..rows.nrows()).into_par_iter().map(of_row).collect(), flat: false }
}

/// The spacing of numbers next to 1 in the precision that f8 values were computed in: values that f4 holds exactly come
/// from f4, whatever they were saved as.
pub(crate) fn precision(rows: ArrayView2<f64>) -> f64 {
    let single = |v: &f64| v.is_nan() || f64::from(*v as f32) == *v;
    if rows.iter().all(single) { f32::EPSILON.into() } else { f64::EPSILON }
}

/// What keeps a unit from telling rows apart: `NanInput` for a NaN or an infinity in any row, `Constant` for one value
/// in all rows, one entry per column.
pub(crate) fn conditions<T: Copy + Into<f64>>(rows: ArrayView2<T>) -> Vec<Option<Reason>> {
    let first: Vec<f64> = rows.rows().into_iter().next().map_or(Vec::new(), |r| r.iter().map(|&v| v.into()).collect());
    let mut conditions = vec![Some(Reason::Constant); rows.ncols()];
    // Row by row: a column of a wide matrix is one cache miss per value.
    for row in rows.rows() {
        for ((condition, &value), &first) in conditions.iter_mut().zip(row).zip(&first) {
            let value: f64 = value.into();
            if !value.is_finite() {
                *condition = Some(Reason::NanInput);
            } else if *condition == Some(Reason::Constant) && value != first {
                *condition = None;
            }
        }
    }
    conditions
}

/// What z-scoring takes from a unit: its mean, and one over its standard deviation (n - 1) over all rows.
pub(crate) fn z_scale<T: Copy + Into<f64>>(rows: ArrayView2<T>, column: usize) -> (f64, f64) {
    let values = || rows.column(column).into_iter().map(|&v| -> f64 { v.into() });
    let scale = power_of_two(values());
    let moments: Moments = values().map(|v| v / scale).collect();
    (moments.mean * scale, 1.0 / moments.sd() / scale)
}

/// The size of the largest value. Squares of values near the ends of the f64 range over- or underflow, so that every z
/// would be 0 or infinite; divided by a power of two no value loses a digit.
fn power_of_two(values: impl Iterator<Item = f64>) -> f64 {
    let largest = values.fold(0.0, |largest: f64, v| largest.max(v.abs()));
    if largest.is_normal() { largest.log2().floor().exp2() } else { 1.0 }
}

/// z of each value over all of them (n - 1), or why there is none.
///
/// ```text
/// 1, 2, 6: mean 3, standard deviation sqrt(7): -2, -1, 3 over sqrt(7)
/// ```
pub(crate) fn z_scores(values: &[f64]) -> Result<Vec<f64>, Reason> {
    if let Some(reason) = Reason::of(values) {
        return Err(reason);
    }
    let scale = power_of_two(values.iter().copied());
    let values: Vec<f64> = values.iter().map(|v| v / scale).collect();
    let (centre, sd) = (mean(&values), variance(&values).sqrt());
    Ok(values.iter().map(|v| (v - centre) / sd).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    fn plain(n: usize) -> Vec<Unit> {
        (0..n).map(Unit::plain).collect()
    }

    #[test]
    fn means_and_medians_over_units() {
        let x = array![[1.0f32, 2.0, 6.0], [0.0, f32::NAN, 1.0]];
        let m = mean_over_units(x.view(), &plain(3), 1e-7).responses;
        let d = median_over_units(x.view(), &plain(3)).responses;
        assert_eq!((m[0], d[0]), (3.0, 2.0));
        assert!(m[1].is_nan() && d[1].is_nan());
        assert!(mean_over_units(Array2::<f64>::zeros((1, 0)).view(), &[], 0.0).responses[0].is_nan());
        // Weights 3 and 1 of columns 2 and 0: (3 * 6 + 1) / 4.
        let weighted = [Unit { weight: 3.0, ..Unit::plain(2) }, Unit::plain(0)];
        assert_eq!(mean_over_units(x.view(), &weighted, 1e-7).responses, [4.75, 0.75]);
    }

    #[test]
    fn centred_rows_have_no_profile_and_small_differences_do() {
        let flat = |x: Array2<f64>| mean_over_units(x.view(), &plain(x.ncols()), f64::EPSILON);
        // Both means are 0 in exact arithmetic; in f64 they are 5.6e-17 / 3 and 0.
        let centred = flat(array![[0.1, 0.2, -0.3], [0.1, -0.2, 0.1]]);
        assert!(centred.flat && centred.responses[0] == centred.responses[1] && centred.responses[0] != 0.0);
        assert!(!flat(array![[0.1, 0.2, -0.3], [0.1, -0.2, 0.1 + 1e-13]]).flat);
        // A single unit is taken at its word; NaN has its own reason.
        assert!(!flat(array![[1e-17], [2e-17]]).flat);
        assert!(!flat(array![[f64::NAN, 1.0], [1.0, 1.0]]).flat);
    }

    #[test]
    fn f8_made_from_f4_has_the_precision_of_f4() {
        assert_eq!(precision(array![[0.5, f64::from(0.1f32)], [f64::NAN, 3.0]].view()), f64::from(f32::EPSILON));
        assert_eq!(precision(array![[0.5, 0.1]].view()), f64::EPSILON);
    }

    #[test]
    fn constant_and_nan_units_are_told_apart() {
        let x = array![[1.0, 5.0, f64::NAN, 2.0], [3.0, 5.0, 1.0, f64::INFINITY], [3.0, 5.0, 1.0, 2.0]];
        let found = conditions(x.view());
        assert_eq!(found, [None, Some(Reason::Constant), Some(Reason::NanInput), Some(Reason::NanInput)]);
    }

    #[test]
    fn z_scores_have_mean_0_and_sd_1() {
        // 1, 3 have mean 2 and standard deviation sqrt(2).
        assert_eq!(z_scale(array![[1.0], [3.0]].view(), 0), (2.0, 1.0 / 2f64.sqrt()));
        let z = z_scores(&[1.0, 3.0]).unwrap();
        assert!((z[0] + 0.5f64.sqrt()).abs() < 1e-15 && (z[1] - 0.5f64.sqrt()).abs() < 1e-15);
        for size in [2f64.powi(1000), 2f64.powi(-1000)] {
            assert_eq!(z_scores(&[size, 3.0 * size]).unwrap(), z);
            let (centre, per_sd) = z_scale(array![[size], [3.0 * size]].view(), 0);
            assert_eq!(centre, 2.0 * size);
            assert!((per_sd * size - 0.5f64.sqrt()).abs() < 1e-15);
        }
        assert_eq!(z_scores(&[0.1; 3]), Err(Reason::Constant));
        assert_eq!(z_scores(&[0.1, f64::NAN]), Err(Reason::NanInput));
    }
}
