//! Sums of squared residuals of some voxels, where these follow one another in memory.

use linear_algebra::plain_product;
use ndarray::{Array2, ArrayView2};

/// Voxels whose residuals are held at once: they stay in the cache.
const AT_ONCE: usize = 48;
/// Sums that are added up side by side.
const LANES: usize = 8;

/// Sums over rows of `(weight (base + left right))^2`, one for each of some voxels.
///
/// `base` is `v x n`, of all voxels (none is 0), `left` is `m x n`, `right` is `m x v`, of all voxels, by row
/// and column; there is one weight per row (none is 1). Runs on one thread.
pub fn residual_squares(
    base: Option<&Array2<f64>>,
    left: ArrayView2<f64>,
    right: impl Fn(usize, usize) -> f64,
    weights: Option<&[f64]>,
    voxels: &[usize],
) -> Vec<f64> {
    let n = left.ncols();
    let mut residuals = Vec::new();
    let mut sums = Vec::with_capacity(voxels.len());
    for voxels in voxels.chunks(AT_ONCE) {
        let factors = Array2::from_shape_fn((voxels.len(), left.nrows()), |(i, j)| right(j, voxels[i]));
        residuals.resize(voxels.len() * n, 0.0);
        plain_product(factors.view(), left, &mut residuals);
        for (residuals, &voxel) in residuals.chunks_exact_mut(n.max(1)).zip(voxels) {
            if let Some(base) = base {
                residuals.iter_mut().zip(base.row(voxel)).for_each(|(residual, base)| *residual += base);
            }
            if let Some(weights) = weights {
                residuals.iter_mut().zip(weights).for_each(|(residual, weight)| *residual *= weight);
            }
            sums.push(squares(residuals));
        }
    }
    sums
}

fn squares(values: &[f64]) -> f64 {
    let (lines, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    lines.iter().for_each(|line| sums.iter_mut().zip(line).for_each(|(sum, v)| *sum += v * v));
    sums.iter().sum::<f64>() + rest.iter().map(|v| v * v).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::{AT_ONCE, residual_squares};
    use ndarray::Array2;
    use statistics::Draws;

    #[test]
    fn agrees_with_loops() {
        let mut draws = Draws::new(3);
        let mut noise = |n: usize, p: usize| Array2::from_shape_simple_fn((n, p), || draws.normal_pair()[0]);
        for (n, m, v) in [(1, 1, 1), (19, 4, 3), (40, 7, 2 * AT_ONCE + 5), (16, 3, 0)] {
            let (base, left, right) = (noise(v, n), noise(m, n), noise(m, v));
            let weights: Vec<f64> = (0..n).map(|i| 1.0 + i as f64).collect();
            for voxels in [(0..v).collect::<Vec<usize>>(), (0..v).rev().step_by(2).collect()] {
                for (base, weights) in [(Some(&base), Some(weights.as_slice())), (None, None)] {
                    let found = residual_squares(base, left.view(), |j, voxel| right[(j, voxel)], weights, &voxels);
                    assert_eq!(found.len(), voxels.len());
                    for (&voxel, found) in voxels.iter().zip(found) {
                        let residual = |i: usize| {
                            let product: f64 = (0..m).map(|j| left[(j, i)] * right[(j, voxel)]).sum();
                            weights.map_or(1.0, |w| w[i]) * (base.map_or(0.0, |base| base[(voxel, i)]) + product)
                        };
                        let slow: f64 = (0..n).map(|i| residual(i).powi(2)).sum();
                        assert!((found - slow).abs() <= 1e-12 * slow, "{n} {m} {voxel}: {found} {slow}");
                    }
                }
            }
        }
    }
}
