//! Small symmetric matrices as their lower triangle, row by row: a covariance per voxel.

/// Numbers in the lower triangle of an order.
pub(crate) fn size(order: usize) -> usize {
    order * (order + 1) / 2
}

fn at(i: usize, j: usize) -> usize {
    if i >= j { size(i) + j } else { size(j) + i }
}

/// The Cholesky factor; `None` where a pivot is not above 0.
fn cholesky(a: &[f64], order: usize) -> Option<Vec<f64>> {
    let mut factor = a.to_vec();
    for i in 0..order {
        for j in 0..=i {
            let inner: f64 = (0..j).map(|k| factor[at(i, k)] * factor[at(j, k)]).sum();
            let value = factor[at(i, j)] - inner;
            if i == j {
                if value.is_nan() || value <= 0.0 {
                    return None;
                }
                factor[at(i, i)] = value.sqrt();
            } else {
                factor[at(i, j)] = value / factor[at(j, j)];
            }
        }
    }
    Some(factor)
}

/// `e' a^-1 e`; NaN where `a` has no inverse.
pub(crate) fn quadratic(a: &[f64], e: &[f64]) -> f64 {
    let Some(factor) = cholesky(a, e.len()) else { return f64::NAN };
    let mut forward = vec![0.0; e.len()];
    for i in 0..e.len() {
        let inner: f64 = (0..i).map(|k| factor[at(i, k)] * forward[k]).sum();
        forward[i] = (e[i] - inner) / factor[at(i, i)];
    }
    forward.iter().map(|v| v * v).sum()
}

/// The inverse; NaN where there is none.
pub(crate) fn inverse(a: &[f64], order: usize) -> Vec<f64> {
    let Some(factor) = cholesky(a, order) else { return vec![f64::NAN; a.len()] };
    // The inverse of the factor, then its own product.
    let mut lower = vec![0.0; a.len()];
    for j in 0..order {
        lower[at(j, j)] = 1.0 / factor[at(j, j)];
        for i in j + 1..order {
            let inner: f64 = (j..i).map(|k| factor[at(i, k)] * lower[at(k, j)]).sum();
            lower[at(i, j)] = -inner / factor[at(i, i)];
        }
    }
    let mut out = vec![0.0; a.len()];
    for i in 0..order {
        for j in 0..=i {
            out[at(i, j)] = (i..order).map(|k| lower[at(k, i)] * lower[at(k, j)]).sum();
        }
    }
    out
}

/// `a e`.
pub(crate) fn times(a: &[f64], e: &[f64]) -> Vec<f64> {
    (0..e.len()).map(|i| (0..e.len()).map(|j| a[at(i, j)] * e[j]).sum()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_by_hand() {
        // [[4, 2], [2, 5]]: inverse [[5, -2], [-2, 4]] / 16; e = (1, 2): (5 - 8 + 16) / 16
        let a = [4.0, 2.0, 5.0];
        let inverse = inverse(&a, 2);
        for (got, expected) in inverse.iter().zip([5.0 / 16.0, -2.0 / 16.0, 4.0 / 16.0]) {
            assert!((got - expected).abs() < 1e-15);
        }
        assert!((quadratic(&a, &[1.0, 2.0]) - 13.0 / 16.0).abs() < 1e-15);
        assert_eq!(times(&a, &[1.0, 2.0]), [8.0, 12.0]);
        assert!(quadratic(&[1.0, 1.0, 1.0], &[1.0, 2.0]).is_nan());
    }
}
