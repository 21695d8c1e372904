//! How much of the covariances between voxels to keep: by the likelihood of held-out rows.

use linear_algebra::{cross_gram, gram, product, symmetric_eigen};
use ndarray::{Array1, Array2, ArrayView2, Axis};

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

/// The factor under which `points` (rows, deviations from the mean) are likeliest, where `rows' rows` is the
/// covariance; the first of several. `None` where the covariance is singular under every factor, which means that a
/// variance is 0.
pub(super) fn best_factor(rows: ArrayView2<f64>, points: &Array2<f64>) -> Option<f64> {
    if rows.nrows() < rows.ncols() {
        Along::of_few_rows(rows, points)?.best_factor()
    } else {
        Along::of_covariance(&cross_gram(rows).to_array(), points)?.best_factor()
    }
}

/// Points in the coordinates in which every shrunken covariance is diagonal.
///
/// Variances stay under every factor, so that all covariances are one correlation matrix, mixed with the identity: they
/// share its eigenvectors, and one decomposition gives the likelihood of each.
struct Along {
    /// Eigenvalues of the correlation matrix.
    values: Vec<f64>,
    /// Mean squares of the points along its eigenvectors, in units of standard deviations.
    squares: Vec<f64>,
}

impl Along {
    fn of_covariance(covariance: &Array2<f64>, points: &Array2<f64>) -> Option<Along> {
        let sds = usable(covariance.diag().mapv(f64::sqrt))?;
        let correlation = Array2::from_shape_fn(covariance.dim(), |(i, j)| match i == j {
            true => 1.0,
            false => covariance[[i, j]] / (sds[i] * sds[j]),
        });
        let eigen = symmetric_eigen(correlation.view()).ok()?;
        let turned = product((points / &sds).view(), eigen.vectors.view());
        Some(Along { values: eigen.values.to_vec(), squares: mean_squares(&turned).to_vec() })
    }

    /// The same of a covariance `rows' rows` with fewer rows than columns. The other eigenvalues are those of
    /// `rows rows'`, and what they leave of the points lies along eigenvectors of 0, which share one value, so that it
    /// does not matter how it is divided among them.
    fn of_few_rows(rows: ArrayView2<f64>, points: &Array2<f64>) -> Option<Along> {
        let sds = usable(rows.map_axis(Axis(0), |column| column.dot(&column).sqrt()))?;
        let (rows, points) = (&rows / &sds, points / &sds);
        let eigen = symmetric_eigen(gram(rows.view()).to_array().view()).ok()?;
        let turned = product(product(points.view(), rows.t()).view(), eigen.vectors.view());
        let squares = mean_squares(&turned);
        let largest = eigen.values.iter().copied().fold(0.0, f64::max);
        let rounding = rows.ncols() as f64 * f64::EPSILON * largest;
        let (mut values, mut squares): (Vec<f64>, Vec<f64>) = eigen
            .values
            .iter()
            .zip(&squares)
            .filter(|(value, _)| **value > rounding)
            .map(|(value, square)| (*value, square / value))
            .unzip();
        let n_left = rows.ncols() - values.len();
        let left = (mean_squares(&points).sum() - squares.iter().sum::<f64>()).max(0.0) / n_left as f64;
        values.extend(std::iter::repeat_n(0.0, n_left));
        squares.extend(std::iter::repeat_n(left, n_left));
        Some(Along { values, squares })
    }

    fn best_factor(&self) -> Option<f64> {
        let mut best: Option<(f64, f64)> = None;
        for factor in (0..=STEPS).map(|step| step as f64 / STEPS as f64) {
            if let Some(cost) = self.cost(factor)
                && best.is_none_or(|(_, least)| cost < least)
            {
                best = Some((factor, cost));
            }
        }
        best.map(|(factor, _)| factor)
    }

    /// Mean over points of twice their negative log likelihood, without the constants that all factors share: the
    /// logarithms of the variances, and of 2 pi.
    fn cost(&self, factor: f64) -> Option<f64> {
        let mixed: Vec<f64> = self.values.iter().map(|value| 1.0 + factor * (value - 1.0)).collect();
        // Where one voxel follows from the others, what is left of it is rounding, and so is whether the matrix has an
        // inverse.
        let rounding = mixed.len() as f64 * f64::EPSILON;
        if mixed.iter().any(|value| *value <= rounding) {
            return None;
        }
        let terms: Vec<f64> =
            mixed.iter().zip(&self.squares).map(|(value, square)| square / value + value.ln()).collect();
        Some(statistics::sum(&terms))
    }
}

/// Standard deviations by which can be divided.
fn usable(sds: Array1<f64>) -> Option<Array1<f64>> {
    sds.iter().all(|sd| *sd > 0.0 && sd.is_finite()).then_some(sds)
}

/// Of every column.
fn mean_squares(rows: &Array2<f64>) -> Array1<f64> {
    rows.mapv(|v| v * v).sum_axis(Axis(0)) / rows.nrows() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use linear_algebra::Cholesky;
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

    /// The density itself, a decomposition per factor.
    fn cost_by_cholesky(covariance: &Array2<f64>, points: &Array2<f64>) -> f64 {
        let cholesky = Cholesky::new(covariance.view()).unwrap();
        let mut white = points.clone();
        cholesky.whiten_rows(&mut white).unwrap();
        white.mapv(|v| v * v).sum() / points.nrows() as f64 + 2.0 * cholesky.diagonal().mapv(f64::ln).sum()
    }

    #[test]
    fn cost_is_that_of_the_normal_density() {
        // Inverse of [2 1; 1 2] is [2 -1; -1 2] / 3, its determinant 3: (1, 0) has a square of 2/3, (1, 1) too.
        let by_hand = cost_by_cholesky(&array![[2.0, 1.0], [1.0, 2.0]], &array![[1.0, 0.0], [1.0, 1.0]]);
        assert!((by_hand - (2.0 / 3.0 + f64::ln(3.0))).abs() < 1e-14);
        let mut draws = statistics::Draws::new(3);
        for (n_rows, n_voxels) in [(40, 6), (9, 20)] {
            let mut rows =
                |n: usize| Array2::from_shape_fn((n, n_voxels), |(_, v)| draws.normal_pair()[0] + 0.2 * v as f64);
            let (x, points) = (rows(n_rows), rows(5));
            let covariance = x.t().dot(&x) / n_rows as f64;
            let costs: Vec<f64> = (0..STEPS)
                .map(|step| cost_by_cholesky(&shrunken(covariance.clone(), step as f64 / STEPS as f64), &points))
                .collect();
            let least = (0..STEPS).min_by(|a, b| costs[*a].total_cmp(&costs[*b])).unwrap();
            let found = Along::of_covariance(&covariance, &points).unwrap().best_factor();
            assert_eq!(found, Some(least as f64 / STEPS as f64), "{n_voxels} voxels");
            assert_eq!(best_factor((x / (n_rows as f64).sqrt()).view(), &points), found, "{n_voxels} voxels");
        }
    }

    #[test]
    fn few_rows_cost_what_their_covariance_costs() {
        let mut draws = statistics::Draws::new(4);
        let mut rows = |n: usize| Array2::from_shape_fn((n, 30), |(_, v)| (1.0 + v as f64) * draws.normal_pair()[0]);
        let (x, points) = (rows(12), rows(7));
        // The last follows from the others, as of centred rows.
        let x = &x - &x.mean_axis(Axis(0)).unwrap();
        let [few, all] =
            [Along::of_few_rows(x.view(), &points), Along::of_covariance(&x.t().dot(&x), &points)].map(Option::unwrap);
        assert_eq!(few.values.iter().filter(|value| **value > 0.0).count(), 11);
        for step in 0..STEPS {
            let factor = step as f64 / STEPS as f64;
            let [few, all] = [&few, &all].map(|along| along.cost(factor).unwrap());
            assert!((few - all).abs() < 1e-11 * all.abs(), "{factor}: {few} and {all}");
        }
        assert_eq!((few.cost(1.0), all.cost(1.0)), (None, None));
    }

    #[test]
    fn points_along_the_correlation_keep_it_and_points_across_do_not() {
        let covariance = array![[1.0, 0.9], [0.9, 1.0]];
        // With correlation c both points cost q / (1 + c) + ln(1 - c^2), where q is half their squared length.
        let of =
            |covariance: &Array2<f64>, points: &Array2<f64>| Along::of_covariance(covariance, points)?.best_factor();
        let along = of(&covariance, &array![[1.0, 1.0], [-1.4, -1.4]]).unwrap();
        assert!(along > 0.5, "{along}");
        assert_eq!(of(&covariance, &array![[1.0, -1.0]]), Some(0.0));
        // One voxel: all factors are alike, and the first is taken.
        assert_eq!(of(&array![[2.0]], &array![[1.0]]), Some(0.0));
        assert_eq!(of(&array![[2.0, 0.0], [0.0, 0.0]], &array![[1.0, 0.0]]), None);
        // Two equal voxels: every factor below 1.
        let equal = of(&array![[1.0, 1.0], [1.0, 1.0]], &array![[1.0, 1.0]]).unwrap();
        assert!(equal < 1.0 && equal > 0.9, "{equal}");
    }
}
