//! One-sample t over a stack of maps: rows are subjects (or runs), columns voxels.

use ndarray::ArrayView2;
use statistics::mean_test::OneSidedP;
use statistics::{Moments, Reason};

use crate::moments::CategoryMoments;

/// Too few maps for a test.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} maps; a one-sample t needs at least 2")]
pub struct TooFewMaps(
    /// Maps given.
    pub usize,
);

/// The test of one voxel's mean over subjects against 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneSample {
    /// Subjects.
    pub n: usize,
    /// Mean over subjects.
    pub mean: f64,
    /// Standard deviation over subjects (n - 1).
    pub sd: f64,
    /// `mean / (sd / sqrt(n))`
    pub t: f64,
    /// `n - 1`
    pub df: f64,
    /// One-sided p for a mean above 0.
    pub p: f64,
    /// `-log10(p)`, which does not saturate.
    pub neg_log10_p: f64,
    /// Why there are no numbers. A voxel with the same value in every subject (0 outside the brain) is `constant`.
    pub reason: Option<Reason>,
}

/// Tests every column of a stack of signed maps (contrast estimates, differences of correlations) against 0.
///
/// The unit of generalization is the row: subjects for a group map. Never give squared values: they are above 0
/// without any effect. Fewer than two rows is an error.
///
/// ```
/// let maps = ndarray::array![[1.0_f32], [2.0], [3.0]];
/// let voxel = localizer::one_sample(maps.view()).unwrap()[0];
/// // mean 2, sd 1: t = 2 sqrt(3)
/// assert!((voxel.t - 12f64.sqrt()).abs() < 1e-14);
/// assert_eq!(voxel.df, 2.0);
/// ```
pub fn one_sample<T>(maps: ArrayView2<'_, T>) -> Result<Vec<OneSample>, TooFewMaps>
where
    T: Copy + Into<f64> + Send + Sync,
{
    let n = maps.nrows();
    if n < 2 {
        return Err(TooFewMaps(n));
    }
    let mut moments = CategoryMoments::new(1, maps.ncols());
    moments.add_rows(maps, &vec![Some(0); n]).expect("one group, and one entry for each row");
    let voxels = 0..maps.ncols();
    Ok(voxels.map(|voxel| against_zero(moments.moments(0, voxel), moments.reason(voxel))).collect())
}

fn against_zero(moments: Moments, reason: Option<Reason>) -> OneSample {
    let mean = if reason == Some(Reason::NanInput) { f64::NAN } else { moments.mean };
    let df = (moments.n - 1) as f64;
    let mut voxel =
        OneSample { n: moments.n, mean, sd: f64::NAN, t: f64::NAN, df, p: f64::NAN, neg_log10_p: f64::NAN, reason };
    if reason.is_none() {
        voxel.sd = moments.sd();
        voxel.t = mean / (voxel.sd / (moments.n as f64).sqrt());
        let p = OneSidedP::of_t(voxel.t, df);
        (voxel.p, voxel.neg_log10_p) = (p.p(), p.neg_log10_p());
    }
    voxel
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn golden_scipy() {
        // scipy 1.17.1: ttest_1samp([.3, -.1, .8, .4, .9], 0, alternative='greater')
        let maps = array![[0.3], [-0.1], [0.8], [0.4], [0.9]];
        let voxel = one_sample(maps.view()).unwrap()[0];
        assert!((voxel.t - GOLDEN_T).abs() < 1e-14, "{}", voxel.t);
        assert!((voxel.p - GOLDEN_P).abs() < 1e-15, "{}", voxel.p);
    }
    const GOLDEN_T: f64 = 2.547704367859872;
    const GOLDEN_P: f64 = 0.031729880395286604;

    #[test]
    fn outside_the_brain_and_missing_voxels() {
        let maps = array![[0.0, f64::NAN, 1.0], [0.0, 1.0, -1.0]];
        let voxels = one_sample(maps.view()).unwrap();
        assert_eq!(voxels[0].reason, Some(Reason::Constant));
        assert_eq!(voxels[1].reason, Some(Reason::NanInput));
        assert!(voxels[..2].iter().all(|v| v.t.is_nan() && v.p.is_nan()));
        assert_eq!((voxels[2].t, voxels[2].p), (0.0, 0.5));
        let one = one_sample(Array2::<f32>::zeros((1, 4)).view()).unwrap_err();
        assert_eq!(one.to_string(), "1 maps; a one-sample t needs at least 2");
    }
}
