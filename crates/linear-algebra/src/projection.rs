use crate::{LinearAlgebraError, Real};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

/// Rows that are projected together: the values of one feature fill a cache line.
const ROWS_TOGETHER: usize = 16;

/// Components that one thread takes at a time.
const COMPONENTS_TOGETHER: usize = 64;

/// A very sparse random matrix (Li, Hastie and Church 2006, "Very sparse random projections"), features x components.
///
/// Each entry is `+s` or `-s`, each with probability `density / 2`, and 0 otherwise, with `s = sqrt(1 / (density *
/// n_components))`: lengths and distances of projected rows are right on average. The default density is `1 /
/// sqrt(n_features)`. These are the conventions of scikit-learn's `SparseRandomProjection`; the draws are our own.
#[derive(Debug, Clone)]
pub struct SparseProjection {
    n_features: usize,
    density: f64,
    scale: f64,
    /// Per component: features that are not 0, ascending, with the sign in the lowest bit (1 is minus).
    components: Vec<Vec<u64>>,
}

impl SparseProjection {
    /// Draws the matrix. `uniform(k)` gives the k-th of independent sequences of uniform numbers in `[0, 1)`.
    ///
    /// Component k takes sequence k: for each entry that is not 0 one number for the gap of zeros before it
    /// (geometric) and one for its sign. It therefore depends on nothing but its sequence, the number of
    /// features and the density.
    pub fn new<U: FnMut() -> f64>(
        n_features: usize,
        n_components: usize,
        uniform: impl Fn(u64) -> U + Sync,
    ) -> SparseProjection {
        let density = 1.0 / (n_features.max(1) as f64).sqrt();
        let draw = |k: usize| {
            let mut uniform = uniform(k as u64);
            let mut entries = Vec::with_capacity((density * n_features as f64 * 1.2) as usize + 8);
            let mut feature = 0usize;
            loop {
                // Number of zeros before the next entry: P(gap >= g) = (1 - density)^g. A density of 1 leaves none.
                let gap = match density < 1.0 {
                    true => ((1.0 - uniform()).ln() / (-density).ln_1p()).floor(),
                    false => 0.0,
                };
                if gap >= (n_features - feature) as f64 {
                    return entries;
                }
                feature += gap as usize;
                entries.push((feature as u64) << 1 | u64::from(uniform() < 0.5));
                feature += 1;
                if feature >= n_features {
                    return entries;
                }
            }
        };
        let components = match n_features {
            0 => vec![Vec::new(); n_components],
            _ => (0..n_components).into_par_iter().map(draw).collect(),
        };
        let scale = (1.0 / (density * n_components.max(1) as f64)).sqrt();
        SparseProjection { n_features, density, scale, components }
    }

    /// Number of features of a row.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Number of components of a projected row.
    pub fn n_components(&self) -> usize {
        self.components.len()
    }

    /// The share of entries that are expected not to be 0.
    pub fn density(&self) -> f64 {
        self.density
    }

    /// The rows (`n x n_features`) projected, `n x n_components`; sums in f64, the same bytes for any number of
    /// threads.
    ///
    /// NaN goes into every component that reads it.
    pub fn project<T: Real>(&self, rows: ArrayView2<T>) -> Result<Array2<f64>, LinearAlgebraError> {
        if rows.ncols() != self.n_features {
            return Err(LinearAlgebraError::ColumnsDiffer { columns: rows.ncols(), n: self.n_features });
        }
        let mut projected = Array2::zeros((rows.nrows(), self.components.len()));
        for (rows, mut out) in
            rows.axis_chunks_iter(Axis(0), ROWS_TOGETHER).zip(projected.axis_chunks_iter_mut(Axis(0), ROWS_TOGETHER))
        {
            // Features first, so that one visit serves all rows.
            let n = rows.nrows();
            let mut by_feature = vec![T::from_f64(0.0); self.n_features * n];
            by_feature.par_chunks_mut(n * 4096).enumerate().for_each(|(block, values)| {
                for (i, row) in rows.rows().into_iter().enumerate() {
                    let features = row.iter().skip(block * 4096).take(values.len() / n);
                    values.iter_mut().skip(i).step_by(n).zip(features).for_each(|(value, &feature)| *value = feature);
                }
            });
            let sums: Vec<Vec<[f64; ROWS_TOGETHER]>> = self
                .components
                .par_chunks(COMPONENTS_TOGETHER)
                .map(|components| components.iter().map(|entries| sum(entries, &by_feature, n)).collect())
                .collect();
            for (k, sums) in sums.into_iter().flatten().enumerate() {
                for (i, sum) in sums.into_iter().take(n).enumerate() {
                    out[(i, k)] = sum * self.scale;
                }
            }
        }
        Ok(projected)
    }
}

/// Signed sums of the entries' features, for each of `n` rows.
fn sum<T: Real>(entries: &[u64], by_feature: &[T], n: usize) -> [f64; ROWS_TOGETHER] {
    let mut sums = [0.0; ROWS_TOGETHER];
    for &entry in entries {
        let feature = (entry >> 1) as usize;
        let sign = if entry & 1 == 1 { -1.0 } else { 1.0 };
        let values = &by_feature[feature * n..(feature + 1) * n];
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += sign * value.to_f64());
    }
    sums
}

/// The number of components that keeps the squared distances of `n_samples` points within `1 - eps` to `1 + eps` of
/// themselves with good probability (Johnson and Lindenstrauss 1984; Dasgupta and Gupta 2003): `4 ln n / (eps^2 / 2 -
/// eps^3 / 3)`, cut to a whole number as scikit-learn's `johnson_lindenstrauss_min_dim` does.
///
/// ```
/// assert_eq!(linear_algebra::johnson_lindenstrauss_dim(1_000_000, 0.5), 663);
/// assert_eq!(linear_algebra::johnson_lindenstrauss_dim(1_000_000, 0.1), 11841);
/// ```
pub fn johnson_lindenstrauss_dim(n_samples: usize, eps: f64) -> usize {
    (4.0 * (n_samples as f64).ln() / (eps * eps / 2.0 - eps * eps * eps / 3.0)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{noise, with_threads};

    /// A small generator: the sequences only have to be uniform and distinct.
    fn uniform(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
        move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    fn dense(projection: &SparseProjection) -> Array2<f64> {
        let mut matrix = Array2::zeros((projection.n_features(), projection.n_components()));
        for (k, entries) in projection.components.iter().enumerate() {
            for entry in entries {
                matrix[((entry >> 1) as usize, k)] = projection.scale * if entry & 1 == 1 { -1.0 } else { 1.0 };
            }
        }
        matrix
    }

    #[test]
    fn projecting_is_the_product_with_the_matrix() {
        let rows: Array2<f64> = noise(37, 5000, 3);
        let projection = SparseProjection::new(5000, 70, uniform);
        let difference = projection.project(rows.view()).unwrap() - rows.dot(&dense(&projection));
        assert!(difference.iter().all(|d| d.abs() < 1e-12));
        let single: Array2<f32> = noise(3, 5000, 3);
        let wide = single.mapv(f64::from);
        assert_eq!(projection.project(single.view()).unwrap(), projection.project(wide.view()).unwrap());
        let wrong = projection.project(rows.slice(ndarray::s![.., 1..])).unwrap_err();
        assert_eq!(wrong, LinearAlgebraError::ColumnsDiffer { columns: 4999, n: 5000 });
    }

    #[test]
    fn entries_have_mean_0_and_variance_1_over_components() {
        let projection = SparseProjection::new(10_000, 400, uniform);
        let entries = dense(&projection);
        let n = entries.len() as f64;
        let n_entries = entries.iter().filter(|e| **e != 0.0).count() as f64;
        // 1 % of 4 million entries; sd of the count 199, of the mean sqrt(1/400/4e6), of the variance as the count's.
        assert!((n_entries - 40_000.0).abs() < 1000.0, "{n_entries}");
        assert!((entries.sum() / n).abs() < 5.0 * (1.0 / 400.0 / n).sqrt());
        let variance = entries.mapv(|e| e * e).sum() / n;
        assert!((variance * 400.0 - 1.0).abs() < 0.025, "{variance}");
    }

    #[test]
    fn distances_are_kept_at_the_johnson_lindenstrauss_size() {
        let eps = 0.5;
        let rows: Array2<f64> = noise(40, 3000, 8);
        let k = johnson_lindenstrauss_dim(40, eps);
        let projected = SparseProjection::new(3000, k, uniform).project(rows.view()).unwrap();
        let square = |a: &Array2<f64>, i, j| (&a.row(i) - &a.row(j)).mapv(|d| d * d).sum();
        for i in 0..40 {
            for j in 0..i {
                let ratio = square(&projected, i, j) / square(&rows, i, j);
                assert!((1.0 - eps..=1.0 + eps).contains(&ratio), "{i} {j} {ratio}");
            }
        }
    }

    #[test]
    fn threads_change_nothing() {
        let rows: Array2<f32> = noise(20, 9000, 5);
        let run = || SparseProjection::new(9000, 130, uniform).project(rows.view()).unwrap();
        assert_eq!(with_threads(1, run), with_threads(3, run));
    }

    #[test]
    fn one_feature_has_density_1() {
        let projection = SparseProjection::new(1, 4, uniform);
        let projected = projection.project(ndarray::array![[2.0f64]].view()).unwrap();
        assert!(projected.iter().all(|v| v.abs() == 1.0), "2 times 1/sqrt(4)");
    }
}
