use linear_algebra::Real;
use ndarray::ArrayView2;
use rayon::prelude::*;
use statistics::{Reason, mean, pearson};

/// How well one voxel is predicted on rows that were held out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Pearson correlation of prediction and response; `NaN` when either is constant.
    pub r: f64,
    /// `r` squared; says nothing about the sign.
    pub r2: f64,
    /// Coefficient of determination, 1 - SS(response - prediction) / SS(response - its mean). Below 0 when the
    /// mean of the held-out responses would have predicted better.
    pub coefficient_of_determination: f64,
    /// Rows that were scored.
    pub n: usize,
    /// Why a number is missing.
    pub reason: Option<Reason>,
}

/// Scores every voxel over all held-out rows together (`n x n_voxels` each).
///
/// Predictions of different folds come from different models, each with its own training mean. The mean of a
/// fold's training rows lies below the total mean where its held-out mean lies above, so the correlation over
/// all rows is biased *downwards*: a model that predicts nothing scores a little below 0, the more the smaller
/// the folds (with one row per fold the training mean alone has r = -1).
///
/// A voxel with `NaN` or infinity (`nan_input`) or a constant response (`constant`) has no score. Where only the
/// prediction is constant, `r` is `NaN` with reason `constant` and the coefficient of determination stands.
///
/// # Panics
/// When the shapes differ.
pub fn score<T: Real>(predictions: ArrayView2<f64>, responses: ArrayView2<T>) -> Vec<Score> {
    assert_eq!(predictions.dim(), responses.dim(), "predictions and responses differ in shape");
    (0..responses.ncols())
        .into_par_iter()
        .map(|voxel| {
            let response: Vec<f64> = responses.column(voxel).iter().map(|v| v.to_f64()).collect();
            score_voxel(&predictions.column(voxel).to_vec(), &response)
        })
        .collect()
}

fn score_voxel(prediction: &[f64], response: &[f64]) -> Score {
    let n = response.len();
    let none =
        |reason| Score { r: f64::NAN, r2: f64::NAN, coefficient_of_determination: f64::NAN, n, reason: Some(reason) };
    if let Some(reason) = Reason::of(response) {
        return none(reason);
    }
    let r = match Reason::of(prediction) {
        Some(Reason::NanInput) => return none(Reason::NanInput),
        constant => (pearson(prediction, response), constant),
    };
    let centre = mean(response);
    let residual: f64 = prediction.iter().zip(response).map(|(p, y)| (y - p).powi(2)).sum();
    let total: f64 = response.iter().map(|y| (y - centre).powi(2)).sum();
    Score { r: r.0, r2: r.0 * r.0, coefficient_of_determination: 1.0 - residual / total, n, reason: r.1 }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use statistics::Reason;

    use super::score;

    #[test]
    fn three_numbers_by_hand() {
        // deviations of the prediction -1.5 -.5 .5 1.5, of the response -1.75 .25 -.75 2.25
        let predictions = array![[1.0], [2.0], [3.0], [4.0]];
        let responses = array![[1.0f32], [3.0], [2.0], [5.0]];
        let found = score(predictions.view(), responses.view())[0];
        let r = 5.5 / 43.75f64.sqrt();
        assert!((found.r - r).abs() < 1e-15 && (found.r2 - r * r).abs() < 1e-15);
        // residuals 0 1 -1 1, total 8.75
        assert!((found.coefficient_of_determination - (1.0 - 3.0 / 8.75)).abs() < 1e-15);
        assert_eq!((found.n, found.reason), (4, None));
    }

    #[test]
    fn r2_and_coefficient_of_determination_are_not_the_same_quantity() {
        let responses = array![[1.0], [2.0], [3.0]];
        let found = score(array![[30.0], [20.0], [10.0]].view(), responses.view())[0];
        assert!((found.r + 1.0).abs() < 1e-15 && (found.r2 - 1.0).abs() < 1e-15);
        assert!(found.coefficient_of_determination < -400.0);
    }

    #[test]
    fn unusable_voxels_say_why() {
        let nan = f64::NAN;
        let responses = array![[1.0, 7.0, 1.0, 1.0], [2.0, 7.0, nan, 2.0], [4.0, 7.0, 3.0, 3.0]];
        let predictions = array![[1.0, 1.0, 1.0, 2.5], [3.0, 2.0, 2.0, 2.5], [3.0, 3.0, 3.0, 2.5]];
        let found = score(predictions.view(), responses.view());
        let reasons: Vec<_> = found.iter().map(|s| s.reason).collect();
        assert_eq!(reasons, [None, Some(Reason::Constant), Some(Reason::NanInput), Some(Reason::Constant)]);
        assert!(found[1].r.is_nan() && found[1].coefficient_of_determination.is_nan());
        // residuals -1.5 -.5 .5 around 2.5, total 2
        assert!(found[3].r.is_nan() && (found[3].coefficient_of_determination - (1.0 - 2.75 / 2.0)).abs() < 1e-15);
    }

    #[test]
    fn the_training_mean_alone_correlates_negatively() {
        let responses = Array2::from_shape_fn((12, 1), |(i, _)| ((i * 7) % 12) as f64);
        let total = responses.sum();
        let leave_one_out = Array2::from_shape_fn((12, 1), |(i, _)| (total - responses[(i, 0)]) / 11.0);
        assert!((score(leave_one_out.view(), responses.view())[0].r + 1.0).abs() < 1e-12);
    }
}
