//! One-sample t over a stack of maps: rows are subjects (or runs), columns voxels.

use ndarray::ArrayView2;
use statistics::Reason;
use statistics::mean_test::{MeanTest, estimate_test};
use statistics::signed_rank::Tail;

use crate::moments::{BlockError, CategoryMoments};

/// Too few maps for a test.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} maps; a one-sample t needs at least 2")]
pub struct TooFewMaps(
    /// Maps given.
    pub usize,
);

/// Signed maps (contrast estimates, differences of correlations), added one by one, whose mean is tested against 0.
///
/// The unit of generalization is the row: subjects for a group map. Never give squared values: they are above 0 without
/// any effect.
///
/// ```
/// let mut maps = localizer::OneSample::default();
/// maps.add_rows(ndarray::array![[1.0_f32], [2.0], [3.0]].view()).unwrap();
/// let voxel = maps.tests().unwrap()[0];
/// // mean 2, sd 1: t = 2 sqrt(3)
/// assert!((voxel.t - 12f64.sqrt()).abs() < 1e-14);
/// assert_eq!(voxel.df, 2.0);
/// ```
#[derive(Debug, Clone, Default)]
pub struct OneSample {
    /// Memory is taken when the first rows are there: a header alone is not believed.
    sums: Option<CategoryMoments>,
}

impl OneSample {
    /// Adds maps: rows are maps, columns voxels. Other numbers of voxels than before are an error.
    pub fn add_rows<T>(&mut self, maps: ArrayView2<'_, T>) -> Result<(), BlockError>
    where
        T: Copy + Into<f64> + Send + Sync,
    {
        let sums = self.sums.get_or_insert_with(|| CategoryMoments::new(1, maps.ncols()));
        sums.add_rows(maps, &vec![Some(0); maps.nrows()])
    }

    /// How many maps were added.
    pub fn n_maps(&self) -> usize {
        self.sums.as_ref().map_or(0, |sums| sums.count(0))
    }

    /// The test of every voxel, for a mean above 0. A voxel with one value in every map (0 outside the brain), or
    /// values that differ by rounding alone, is `constant`. Fewer than two maps are an error.
    pub fn tests(&self) -> Result<Vec<MeanTest>, TooFewMaps> {
        match &self.sums {
            Some(sums) if sums.count(0) >= 2 => Ok((0..sums.n_units()).map(|voxel| above_zero(sums, voxel)).collect()),
            _ => Err(TooFewMaps(self.n_maps())),
        }
    }
}

fn above_zero(sums: &CategoryMoments, voxel: usize) -> MeanTest {
    let moments = sums.moments(0, voxel);
    let (n, reason) = (moments.n as f64, sums.reason(voxel));
    let (mean, se) = match reason {
        None => (moments.mean, (moments.variance() / n).sqrt()),
        Some(Reason::Constant) => (moments.mean, 0.0),
        Some(_) => (f64::NAN, f64::NAN),
    };
    estimate_test(mean, 0.0, se, n - 1.0, Tail::Greater, 4.0 * f64::EPSILON * mean.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    fn tests(maps: &Array2<f64>) -> Result<Vec<MeanTest>, TooFewMaps> {
        let mut sums = OneSample::default();
        sums.add_rows(maps.view()).unwrap();
        sums.tests()
    }

    #[test]
    fn golden_scipy() {
        // scipy 1.17.1: ttest_1samp([.3, -.1, .8, .4, .9], 0, alternative='greater')
        let voxel = tests(&array![[0.3], [-0.1], [0.8], [0.4], [0.9]]).unwrap()[0];
        assert!((voxel.t - GOLDEN_T).abs() < 1e-14, "{}", voxel.t);
        assert!((voxel.p - GOLDEN_P).abs() < 1e-15, "{}", voxel.p);
    }
    const GOLDEN_T: f64 = 2.547704367859872;
    const GOLDEN_P: f64 = 0.031729880395286604;

    #[test]
    fn outside_the_brain_and_missing_voxels() {
        let voxels = tests(&array![[0.0, f64::NAN, 1.0, 0.3], [0.0, 1.0, -1.0, 0.1 + 0.2]]).unwrap();
        assert_eq!(voxels[0].reason, Some(Reason::Constant));
        assert_eq!(voxels[1].reason, Some(Reason::NanInput));
        assert_eq!(voxels[3].reason, Some(Reason::Constant));
        assert!([0, 1, 3].iter().all(|v| voxels[*v].t.is_nan() && voxels[*v].p.is_nan()));
        assert_eq!((voxels[2].t, voxels[2].p), (0.0, 0.5));
        let one = tests(&Array2::zeros((1, 4))).unwrap_err();
        assert_eq!(one.to_string(), "1 maps; a one-sample t needs at least 2");
    }
}
