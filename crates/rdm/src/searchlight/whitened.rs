//! Searchlights over patterns whitened by the noise of each region.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::Models;
use crate::distance::InMemory;
use crate::{Compared, Distance, Element, NoiseModel, RdmError, Shrinkage, distances_of};

/// Residuals of the voxels of a searchlight, and what becomes of their covariance.
#[derive(Debug, Clone, Copy)]
pub struct Residuals<'a, R> {
    /// `n_residuals x n_voxels`, the voxels of the patterns.
    pub values: ArrayView2<'a, R>,
    /// Degrees of freedom; [`None`] is the number of residuals minus 1.
    pub dof: Option<f64>,
    /// How each covariance is shrunk.
    pub shrinkage: Shrinkage,
}

/// [`crate::searchlight`], with the patterns of every region whitened by the covariance of the region's own residuals
/// ([`NoiseModel::from_residuals`]): the RDM that the region alone would have. The noise over all voxels at once would
/// need a matrix of their number squared, and another shrinkage.
///
/// A region whose residuals have no invertible covariance is [`RdmError::Noise`].
pub fn searchlight_whitened<T: Element, R: Element>(
    patterns: ArrayView2<T>,
    residuals: Residuals<R>,
    regions: &[Vec<usize>],
    distance: Distance,
    models: &Models,
) -> Result<Vec<Vec<Compared>>, RdmError> {
    let one = |columns: &Vec<usize>| {
        let noise =
            NoiseModel::from_residuals(cut(residuals.values, columns).view(), residuals.dof, residuals.shrinkage)
                .map_err(RdmError::Noise)?;
        let white = noise.whiten_for(distance, cut(patterns, columns)).map_err(RdmError::Noise)?;
        // A whitened value is a sum over all voxels.
        let white = InMemory::new(white.view()).with_rounding(4.0 * columns.len() as f64 * f64::EPSILON);
        models.compare(&distances_of(&white, distance)?.rdm)
    };
    regions.par_iter().map(one).collect()
}

/// Some columns, in `f64`.
fn cut<T: Element>(values: ArrayView2<T>, columns: &[usize]) -> Array2<f64> {
    Array2::from_shape_fn((values.nrows(), columns.len()), |(row, k)| values[(row, columns[k])].to_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;
    use crate::{Comparison, NoiseError, distances};
    use ndarray::Axis;

    #[test]
    fn each_region_is_whitened_by_its_own_residuals() {
        let patterns = noise(8, 30, 3).mapv(|v| v as f32);
        let mut values = noise(40, 30, 4);
        for column in 1..30 {
            let before = values.column(column - 1).to_owned();
            values.column_mut(column).scaled_add(0.5, &before);
        }
        let model = distances(noise(8, 5, 9).view(), Distance::Euclidean).unwrap().rdm;
        let models = Models::new(vec![model], Comparison::Spearman);
        let regions = [vec![0, 1, 2, 9], vec![29, 3, 4], (0..30).collect()];
        for shrinkage in [Shrinkage::Diag, Shrinkage::Eye, Shrinkage::None, Shrinkage::Univariate] {
            let residuals = Residuals { values: values.view(), dof: Some(35.0), shrinkage };
            for distance in [Distance::Correlation, Distance::Euclidean] {
                let found = searchlight_whitened(patterns.view(), residuals, &regions, distance, &models).unwrap();
                for (region, found) in regions.iter().zip(found) {
                    let (x, e) = (patterns.select(Axis(1), region).mapv(f64::from), values.select(Axis(1), region));
                    let noise = NoiseModel::from_residuals(e.view(), Some(35.0), shrinkage).unwrap();
                    let white = noise.whiten_for(distance, x).unwrap();
                    let expected = models.compare(&distances(white.view(), distance).unwrap().rdm).unwrap();
                    assert_eq!(found, expected);
                }
            }
        }
        let few = Residuals { values: values.slice(ndarray::s![..20, ..]), dof: None, shrinkage: Shrinkage::None };
        let error = searchlight_whitened(patterns.view(), few, &regions, Distance::Correlation, &models).unwrap_err();
        assert_eq!(error, RdmError::Noise(NoiseError::Singular { n_channels: 30, n_rows: 20 }));
    }
}
