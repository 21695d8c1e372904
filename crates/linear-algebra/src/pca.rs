use crate::{LinearAlgebraError, Real, cross_gram, gram, product, symmetric_eigen};
use ndarray::{Array1, Array2, ArrayView2, Axis};

/// Principal components of rows (`n x d`).
///
/// The components are the right singular vectors of the centred rows, found from the products of rows (`n x n`) or of
/// columns (`d x d`), whichever are fewer; signs are scikit-learn's (since 1.5): the loading that is largest in size
/// is positive.
#[derive(Debug, Clone)]
pub struct Pca {
    mean: Array1<f64>,
    /// `k x d`, orthonormal rows.
    components: Array2<f64>,
    explained_variance: Array1<f64>,
    explained_variance_ratio: Array1<f64>,
}

impl Pca {
    /// Finds the first `n_components` components.
    ///
    /// # Errors
    /// When more are asked for than the rows span (`n - 1`, `d`, or fewer where rows repeat one another), and when a
    /// value is NaN or infinite.
    pub fn fit<T: Real>(rows: ArrayView2<T>, n_components: usize) -> Result<Pca, LinearAlgebraError> {
        let (n, d) = rows.dim();
        if let Some(((row, column), &value)) = rows.indexed_iter().find(|(_, v)| !v.to_f64().is_finite()) {
            return Err(LinearAlgebraError::NotFinite { row, column, value: value.to_f64() });
        }
        let most = n.saturating_sub(1).min(d);
        if n_components > most {
            return Err(LinearAlgebraError::TooManyComponents { asked: n_components, rank: most });
        }
        let mut mean = Array1::zeros(d);
        for row in rows.rows() {
            mean.zip_mut_with(&row, |sum: &mut f64, v| *sum += v.to_f64());
        }
        mean /= n as f64;
        let mut centred = rows.mapv(|v| v.to_f64());
        centred -= &mean;
        // The first mean carries the rounding of a long sum; what is left over on average is that rounding.
        let left_over = centred.sum_axis(Axis(0)) / n as f64;
        mean += &left_over;
        centred.assign(&rows.mapv(|v| v.to_f64()));
        centred -= &mean;
        let by_rows = n <= d;
        let products = if by_rows { gram(centred.view()) } else { cross_gram(centred.view()) };
        let eigen = symmetric_eigen(products.to_array().view())?;
        // Ascending: the last are the largest. Sums of squares this small against the largest are rounding.
        let values: Vec<f64> = eigen.values.iter().rev().map(|&v| v.max(0.0)).collect();
        let total: f64 = values.iter().sum();
        let negligible = values.first().copied().unwrap_or(0.0) * n.max(d) as f64 * f64::EPSILON;
        let rank = values.iter().filter(|&&v| v > negligible).count().min(most);
        if n_components > rank {
            return Err(LinearAlgebraError::TooManyComponents { asked: n_components, rank });
        }
        let order = values.len();
        let mut vectors = Array2::zeros((n_components, order));
        for (k, mut row) in vectors.rows_mut().into_iter().enumerate() {
            row.assign(&eigen.vectors.column(order - 1 - k));
            if by_rows {
                row /= values[k].sqrt();
            }
        }
        let mut components = if by_rows { product(vectors.view(), centred.view()) } else { vectors };
        for mut component in components.rows_mut() {
            let largest = component.iter().fold(0.0f64, |a, &b| if b.abs() > a.abs() { b } else { a });
            if largest < 0.0 {
                component.mapv_inplace(|v| -v);
            }
        }
        let kept = &values[..n_components];
        Ok(Pca {
            mean,
            components,
            explained_variance: kept.iter().map(|v| v / (n - 1) as f64).collect(),
            explained_variance_ratio: kept.iter().map(|v| v / total).collect(),
        })
    }

    /// The components, `k x d`.
    pub fn components(&self) -> ArrayView2<'_, f64> {
        self.components.view()
    }

    /// Variance along each component (divided by `n - 1`).
    pub fn explained_variance(&self) -> &Array1<f64> {
        &self.explained_variance
    }

    /// That variance as a share of the variance of all columns.
    pub fn explained_variance_ratio(&self) -> &Array1<f64> {
        &self.explained_variance_ratio
    }

    /// Rows (`m x d`) as their coordinates on the components, `m x k`; NaN spreads over its row.
    pub fn transform<T: Real>(&self, rows: ArrayView2<T>) -> Result<Array2<f64>, LinearAlgebraError> {
        if rows.ncols() != self.mean.len() {
            return Err(LinearAlgebraError::ColumnsDiffer { columns: rows.ncols(), n: self.mean.len() });
        }
        let mut centred = rows.mapv(|v| v.to_f64());
        centred -= &self.mean.view().insert_axis(Axis(0));
        Ok(product(centred.view(), self.components.t()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;
    use ndarray::{array, s};

    #[test]
    fn components_are_eigenvectors_of_the_covariance() {
        let mut rows: Array2<f64> = noise(12, 30, 4);
        rows.column_mut(3).mapv_inplace(|v| v * 5.0 + 100.0);
        let pca = Pca::fit(rows.view(), 6).unwrap();
        let centred = &rows - &rows.mean_axis(Axis(0)).unwrap();
        let covariance = centred.t().dot(&centred) / 11.0;
        for (k, component) in pca.components().rows().into_iter().enumerate() {
            let along = covariance.dot(&component);
            let expected = &component * pca.explained_variance()[k];
            assert!((along - expected).iter().all(|d| d.abs() < 1e-10), "component {k}");
            let largest = component.iter().fold(0.0f64, |a, &b| if b.abs() > a.abs() { b } else { a });
            assert!(largest > 0.0);
        }
        let products = pca.components().dot(&pca.components().t());
        assert!((products - Array2::<f64>::eye(6)).iter().all(|d| d.abs() < 1e-12));
        let all = Pca::fit(rows.view(), 11).unwrap();
        assert!((all.explained_variance_ratio().sum() - 1.0).abs() < 1e-12);
        // All components together give the rows back.
        let back = all.transform(rows.view()).unwrap().dot(&all.components()) + rows.mean_axis(Axis(0)).unwrap();
        assert!((back - &rows).iter().all(|d| d.abs() < 1e-10));
    }

    #[test]
    fn more_rows_than_columns_give_the_same_as_fewer() {
        // The same 8 columns among 30 of which 22 are 0: found from 20 x 20 products of rows and from 8 x 8 of columns.
        let narrow: Array2<f64> = noise(20, 8, 6);
        let mut wide = Array2::zeros((20, 30));
        wide.slice_mut(s![.., ..8]).assign(&narrow);
        let (narrow_pca, wide_pca) = (Pca::fit(narrow.view(), 8).unwrap(), Pca::fit(wide.view(), 8).unwrap());
        let difference = &narrow_pca.components() - &wide_pca.components().slice(s![.., ..8]);
        assert!(difference.iter().all(|d| d.abs() < 1e-10));
        let difference = narrow_pca.explained_variance() - wide_pca.explained_variance();
        assert!(difference.iter().all(|d| d.abs() < 1e-12));
        let error = Pca::fit(wide.view(), 9).unwrap_err();
        assert_eq!(error, LinearAlgebraError::TooManyComponents { asked: 9, rank: 8 });
        let error = Pca::fit(narrow.view(), 9).unwrap_err();
        assert_eq!(error, LinearAlgebraError::TooManyComponents { asked: 9, rank: 8 });
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        for (n, d) in [(12, 30), (30, 12)] {
            let rows: Array2<f64> = noise(n, d, 7);
            let (one, other) = (Pca::fit(rows.view(), 5).unwrap(), Pca::fit(rows.slice(s![..;-1, ..]), 5).unwrap());
            assert!((&one.components() - &other.components()).iter().all(|d| d.abs() < 1e-10), "{n} x {d}");
        }
    }

    #[test]
    fn a_line_has_one_component() {
        let rows = array![[0.0f32, 0.0], [3.0, 4.0], [6.0, 8.0]];
        let pca = Pca::fit(rows.view(), 1).unwrap();
        assert!((pca.components()[(0, 0)] - 0.6).abs() < 1e-7 && (pca.components()[(0, 1)] - 0.8).abs() < 1e-7);
        let coordinates = pca.transform(rows.view()).unwrap();
        assert!((coordinates - array![[-5.0], [0.0], [5.0]]).iter().all(|d: &f64| d.abs() < 1e-6));
        assert_eq!(Pca::fit(rows.view(), 2).unwrap_err(), LinearAlgebraError::TooManyComponents { asked: 2, rank: 1 });
        assert!(pca.transform(rows.slice(s![.., ..1])).is_err());
    }

    #[test]
    fn what_spans_nothing_is_refused() {
        let constant = Array2::<f64>::ones((5, 3));
        let refused = |rows: ArrayView2<f64>, k| Pca::fit(rows, k).unwrap_err();
        assert_eq!(refused(constant.view(), 1), LinearAlgebraError::TooManyComponents { asked: 1, rank: 0 });
        // 0.1 and 1000/3 have means that are off in the last digits, at 10 rows and more so at 1000.
        for (n, d) in [(10, 40), (1000, 40), (40, 1000)] {
            for value in [0.1, 1000.0 / 3.0] {
                let constant = Array2::from_elem((n, d), value);
                let expected = LinearAlgebraError::TooManyComponents { asked: 1, rank: 0 };
                assert_eq!(refused(constant.view(), 1), expected, "{value} {n} x {d}");
            }
        }
        let rows: Array2<f64> = noise(4, 50, 1);
        assert_eq!(refused(rows.view(), 4), LinearAlgebraError::TooManyComponents { asked: 4, rank: 3 });
        let mut holed = rows;
        holed[(2, 7)] = f64::NAN;
        assert!(matches!(refused(holed.view(), 1), LinearAlgebraError::NotFinite { row: 2, column: 7, .. }));
    }
}
