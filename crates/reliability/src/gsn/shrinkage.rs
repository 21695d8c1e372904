//! How much of the covariances between voxels to keep: by the likelihood of held-out rows.

use linear_algebra::Cholesky;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::mersenne::order_of_42;

/// Factors tried: 0, .02, .. 1.
const STEPS: usize = 50;

/// The fifth of `n` that is held out (rounded to nearest), and the others.
pub(super) fn held_out(n: usize) -> (Vec<usize>, Vec<usize>) {
    let mut order = order_of_42(n);
    let others = order.split_off((n as f64 / 5.0).round() as usize);
    (order, others)
}

/// The covariance with everything but the variances multiplied by `factor`.
pub(super) fn shrunken(mut covariance: Array2<f64>, factor: f64) -> Array2<f64> {
    let variances = covariance.diag().to_owned();
    covariance *= factor;
    covariance.diag_mut().assign(&variances);
    covariance
}

/// The factor under which `points` (rows, deviations from the mean) are likeliest; the first of several. `None` where
/// the covariance is singular under every factor, which means that a variance is 0.
pub(super) fn best_factor(covariance: &Array2<f64>, points: &Array2<f64>) -> Option<f64> {
    let factors: Vec<f64> = (0..=STEPS).map(|step| step as f64 / STEPS as f64).collect();
    let costs: Vec<Option<f64>> =
        factors.par_iter().map(|&factor| cost(shrunken(covariance.clone(), factor).view(), points.view())).collect();
    let mut best: Option<(f64, f64)> = None;
    for (factor, cost) in factors.into_iter().zip(costs) {
        if let Some(cost) = cost
            && best.is_none_or(|(_, least)| cost < least)
        {
            best = Some((factor, cost));
        }
    }
    best.map(|(factor, _)| factor)
}

/// Mean over points of twice their negative log likelihood, without the constant that all factors share.
fn cost(covariance: ArrayView2<f64>, points: ArrayView2<f64>) -> Option<f64> {
    let n = covariance.nrows();
    let cholesky = Cholesky::new(covariance).ok()?;
    let diagonal = cholesky.diagonal();
    // Where one voxel follows from the others, what is left of it is rounding, and so is whether a factor exists.
    let rounding = n as f64 * f64::EPSILON;
    if diagonal.iter().zip(covariance.diag()).any(|(pivot, variance)| pivot * pivot <= rounding * variance) {
        return None;
    }
    let ln_determinant = 2.0 * diagonal.mapv(f64::ln).sum();
    let mut white = points.to_owned();
    cholesky.whiten_rows(&mut white).ok()?;
    let squares: Vec<f64> = white.iter().map(|v| v * v).collect();
    Some(statistics::sum(&squares) / points.nrows() as f64 + ln_determinant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_fifth_is_held_out_to_the_nearest_number() {
        for (n, held) in [(3, 1), (7, 1), (8, 2), (12, 2), (13, 3), (300, 60)] {
            let (out, others) = held_out(n);
            assert_eq!(out.len(), held, "{n}");
            let mut all = [out, others].concat();
            all.sort_unstable();
            assert_eq!(all, (0..n).collect::<Vec<_>>());
        }
        assert_eq!(held_out(12).0, [10, 6]);
    }

    #[test]
    fn variances_stay() {
        assert_eq!(shrunken(array![[4.0, 2.0], [2.0, 5.0]], 0.25), array![[4.0, 0.5], [0.5, 5.0]]);
    }

    #[test]
    fn cost_is_that_of_the_normal_density() {
        // Inverse of [2 1; 1 2] is [2 -1; -1 2] / 3, its determinant 3: (1, 0) has a square of 2/3, (1, 1) too.
        let found = cost(array![[2.0, 1.0], [1.0, 2.0]].view(), array![[1.0, 0.0], [1.0, 1.0]].view()).unwrap();
        assert!((found - (2.0 / 3.0 + f64::ln(3.0))).abs() < 1e-14);
        assert_eq!(cost(array![[1.0, 1.0], [1.0, 1.0 + 1e-16]].view(), array![[1.0, 0.0]].view()), None);
    }

    #[test]
    fn points_along_the_correlation_keep_it_and_points_across_do_not() {
        let covariance = array![[1.0, 0.9], [0.9, 1.0]];
        // With correlation c both points cost q / (1 + c) + ln(1 - c^2), where q is half their squared length.
        let along = best_factor(&covariance, &array![[1.0, 1.0], [-1.4, -1.4]]).unwrap();
        assert!(along > 0.5, "{along}");
        assert_eq!(best_factor(&covariance, &array![[1.0, -1.0]]), Some(0.0));
        // One voxel: all factors are alike, and the first is taken.
        assert_eq!(best_factor(&array![[2.0]], &array![[1.0]]), Some(0.0));
        assert_eq!(best_factor(&array![[2.0, 0.0], [0.0, 0.0]], &array![[1.0, 0.0]]), None);
        // Two equal voxels: every factor below 1.
        let equal = best_factor(&array![[1.0, 1.0], [1.0, 1.0]], &array![[1.0, 1.0]]).unwrap();
        assert!(equal < 1.0 && equal > 0.9, "{equal}");
    }
}
