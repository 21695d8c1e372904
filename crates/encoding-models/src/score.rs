use std::f64::consts::SQRT_2;

use linear_algebra::Real;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use statistics::{Draws, Reason, pearson};

/// How well one voxel is predicted on rows that were held out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Pearson correlation of prediction and response; `NaN` when either is constant.
    pub r: f64,
    /// `r` squared; says nothing about the sign.
    pub r2: f64,
    /// Coefficient of determination: 1 - SS(response - prediction) / SS(response - mean of the training rows). 0 for a
    /// model that knows that mean only, below 0 for one that predicts worse.
    pub coefficient_of_determination: f64,
    /// Rows that were scored.
    pub n: usize,
    /// Why a number is missing.
    pub reason: Option<Reason>,
}

/// Over what a score is taken. The R2 of both is a sum over squares of deviations from training means; they differ in
/// `r`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScoreOver {
    /// All held-out rows together, responses and predictions in the units of their training rows. For any folds.
    #[default]
    Pooled,
    /// Each fold by itself; the mean over folds. Of small folds it lies below what all rows together show.
    Folds,
}

/// Rows with fewer than this many have no correlation worth the name, and two rows always correlate perfectly.
const FEWEST_IN_FOLD: usize = 3;

/// Held-out rows of a cross-validation.
#[derive(Debug, Clone, Copy)]
pub struct HeldOut<'a> {
    /// The fold of every row.
    pub fold_of_row: &'a [usize],
    /// `n_folds x v`: the mean response of the training rows of each fold.
    pub train_means: ArrayView2<'a, f64>,
    /// Root mean squares in the training rows, `n_folds x v` each, as deviations from that mean: of what each model
    /// fits to them, and of the responses; `None` where they are not known.
    pub train_sds: Option<[ArrayView2<'a, f64>; 2]>,
    /// Over what scores are taken.
    pub over: ScoreOver,
}

impl HeldOut<'_> {
    /// The smallest fold that cannot be scored by itself, and its rows.
    pub fn too_small(&self) -> Option<(usize, usize)> {
        let mut counts = vec![0; self.train_means.nrows()];
        self.fold_of_row.iter().for_each(|&fold| counts[fold] += 1);
        let small = counts.into_iter().enumerate().filter(|(_, n)| *n < FEWEST_IN_FOLD);
        small.min_by_key(|(fold, n)| (*n, *fold))
    }

    /// Scores every voxel of predictions and responses (`n x v` each).
    ///
    /// Predictions of different folds come from models with different means. The mean of a fold's training rows lies
    /// below the total mean where its held-out mean lies above, so that plain predictions of all folds together run
    /// against the responses, and noise scores below 0 (in leave-one-out, where predictions are little but that mean,
    /// -1). Here both are deviations from the mean of the training rows, and a model that knows that mean only has a
    /// coefficient of determination of exactly 0, whatever the number of folds (the out-of-sample R2 of Campbell and
    /// Thompson 2008).
    ///
    /// That leaves half of it: predictions are small where the chance relations of folds cancel, where they also run
    /// against the responses, and a correlation divides by their size. In units of what each model fits to its training
    /// rows, which knows nothing of the held-out ones, predictions have the same size, and noise an r of 0. Responses
    /// are taken in units of their training rows likewise, so that perfect predictions have an r of 1.
    ///
    /// A voxel with `NaN` or infinity (`nan_input`) or a constant response (`constant`; with [`ScoreOver::Folds`] in
    /// any fold) has no score. Where only the prediction is constant, `r` is `NaN` with reason `constant` and the
    /// coefficient of determination stands.
    ///
    /// # Panics
    /// When the shapes differ.
    pub fn score<T: Real>(&self, predictions: ArrayView2<f64>, responses: ArrayView2<T>) -> Vec<Score> {
        self.check(predictions, responses.dim());
        let rows = self.rows_by_fold();
        (0..responses.ncols())
            .into_par_iter()
            .map(|voxel| self.voxel(&rows, voxel, predictions, responses).score(self.over))
            .collect()
    }

    /// How much of `r` and of the coefficient of determination comes from each part of the predictions (`n x v` each,
    /// deviations from the training mean): per part `[r, R2]` of every voxel, then what is left over (`bias`). They sum
    /// to the scores of the predictions.
    ///
    /// R2 is split by the product measure: part p_k of prediction P has `sum(2 y p_k - p_k P) / sum(y y)`; r in
    /// proportion to the part's covariance with the response (St-Yves and Naselaris 2018; Dupre la Tour et al. 2022).
    ///
    /// # Panics
    /// When the shapes differ.
    pub fn split<T: Real>(
        &self,
        parts: &[ArrayView2<f64>],
        predictions: ArrayView2<f64>,
        responses: ArrayView2<T>,
    ) -> Vec<Vec<[f64; 2]>> {
        self.check(predictions, responses.dim());
        parts.iter().for_each(|part| self.check(*part, responses.dim()));
        let rows = self.rows_by_fold();
        let of_voxel = |voxel: usize| {
            let whole = self.voxel(&rows, voxel, predictions, responses);
            let score = whole.score(self.over);
            let total = [score.r, score.coefficient_of_determination];
            let mut left = total;
            let mut shares: Vec<[f64; 2]> = Vec::with_capacity(parts.len() + 1);
            for part in parts {
                let part: Vec<f64> = rows.order.iter().map(|&row| part[(row, voxel)]).collect();
                let own = whole.split(&part, self.over);
                left = [left[0] - own[0], left[1] - own[1]];
                shares.push(own);
            }
            shares.push(left);
            shares
        };
        let voxels: Vec<Vec<[f64; 2]>> = (0..responses.ncols()).into_par_iter().map(of_voxel).collect();
        (0..=parts.len()).map(|k| voxels.iter().map(|rows| rows[k]).collect()).collect()
    }

    /// How often the correlation of permuted responses is at least that of the responses, per voxel, of `n`
    /// permutations (Phipson and Smyth 2010: p = (1 + count) / (1 + n)); `NaN` without a correlation.
    ///
    /// Stimuli change places within their fold, all presentations of one together, with stimuli presented as often. In
    /// folds of one stimulus they change places over all folds.
    ///
    /// The models stay as they were fitted, and models of several folds share training rows: whatever chance relation
    /// two folds have counts twice, once as trained on the first and judged on the second, once the other way round.
    /// The scores of noise therefore have twice the variance that permutations of the responses alone give, for any
    /// number of folds, and 12 % of voxels without a relation would have p at or below .05. The correlations of
    /// permutations are therefore taken times the root of 2, unless all rows are one fold, predicted by one model, for
    /// which permutations are exact.
    ///
    /// # Panics
    /// When the shapes differ.
    pub fn permutation_p<T: Real>(
        &self,
        predictions: ArrayView2<f64>,
        responses: ArrayView2<T>,
        stimulus_of_row: &[usize],
        n: usize,
        seed: u64,
    ) -> Vec<f64> {
        self.check(predictions, responses.dim());
        let rows = self.rows_by_fold();
        let fold: Vec<usize> = rows.order.iter().map(|&row| self.fold_of_row[row]).collect();
        let stimulus: Vec<usize> = rows.order.iter().map(|&row| stimulus_of_row[row]).collect();
        let blocks = exchangeable(&fold, &stimulus);
        let spread = if rows.lengths.len() < 2 { 1.0 } else { SQRT_2 };
        // The same for all voxels, so that it does not matter which are tested together.
        let permutations: Vec<Vec<usize>> = (0..n)
            .into_par_iter()
            .map(|permutation| permuted(&blocks, &mut Draws::stream(seed, permutation as u64), fold.len()))
            .collect();
        let p_of = |voxel: usize| {
            let voxel = self.voxel(&rows, voxel, predictions, responses);
            let r = voxel.score(self.over).r;
            if r.is_nan() {
                return f64::NAN;
            }
            let responses = match self.over {
                ScoreOver::Pooled => &voxel.standard_response,
                ScoreOver::Folds => &voxel.response,
            };
            let mut moved = vec![0.0; responses.len()];
            let mut count = 0;
            for places in &permutations {
                moved.iter_mut().zip(places.iter()).for_each(|(to, &from)| *to = responses[from]);
                let permuted = match self.over {
                    ScoreOver::Pooled => pearson(&voxel.standard, &moved),
                    ScoreOver::Folds => voxel.mean_over_folds(&moved, pearson),
                };
                count += usize::from(spread * permuted >= r);
            }
            (1 + count) as f64 / (1 + n) as f64
        };
        (0..responses.ncols()).into_par_iter().map(p_of).collect()
    }

    fn check(&self, predictions: ArrayView2<f64>, responses: (usize, usize)) {
        assert_eq!(predictions.dim(), responses, "predictions and responses differ in shape");
        assert_eq!(responses, (self.fold_of_row.len(), self.train_means.ncols()), "folds or means of another shape");
    }

    fn rows_by_fold(&self) -> RowsByFold {
        let mut order: Vec<usize> = (0..self.fold_of_row.len()).collect();
        order.sort_by_key(|&row| (self.fold_of_row[row], row));
        let folds = order.chunk_by(|a, b| self.fold_of_row[*a] == self.fold_of_row[*b]);
        let lengths = folds.map(<[usize]>::len).collect();
        RowsByFold { order, lengths }
    }

    fn voxel<'r, T: Real>(
        &self,
        rows: &'r RowsByFold,
        voxel: usize,
        predictions: ArrayView2<f64>,
        responses: ArrayView2<T>,
    ) -> Voxel<'r> {
        let order = &rows.order;
        let raw: Vec<f64> = order.iter().map(|&row| responses[(row, voxel)].to_f64()).collect();
        let means = order.iter().map(|&row| self.train_means[(self.fold_of_row[row], voxel)]);
        let prediction: Vec<f64> =
            order.iter().zip(means.clone()).map(|(&row, mean)| predictions[(row, voxel)] - mean).collect();
        let response: Vec<f64> = raw.iter().zip(means.clone()).map(|(value, mean)| value - mean).collect();
        let sds = |of: usize| -> Vec<f64> {
            let sd = |row: &usize| self.train_sds.map_or(1.0, |sds| sds[of][(self.fold_of_row[*row], voxel)]);
            order.iter().map(sd).collect()
        };
        let (sds, response_sds) = (sds(0), sds(1));
        // A model without any weight predicts its mean, and what is left of that is rounding.
        let largest = means.fold(0.0f64, |m, v| m.max(v.abs()));
        let rounding = prediction.iter().all(|p| p.abs() <= 4.0 * f64::EPSILON * largest);
        let flat = if rounding { Some(Reason::Constant) } else { Reason::of(&prediction) };
        let (standard, standard_response) = (in_units(&prediction, &sds), in_units(&response, &response_sds));
        Voxel {
            standard_response,
            reason: Reason::of(&raw),
            flat,
            prediction,
            standard,
            sds,
            response,
            lengths: &rows.lengths,
        }
    }
}

/// Held-out rows, fold by fold.
struct RowsByFold {
    order: Vec<usize>,
    /// Rows of each fold.
    lengths: Vec<usize>,
}

/// The held-out rows of one voxel, fold by fold, as deviations from the training means.
struct Voxel<'r> {
    prediction: Vec<f64>,
    /// Predictions in units of what their model fits to its training rows, and these units.
    standard: Vec<f64>,
    sds: Vec<f64>,
    response: Vec<f64>,
    /// Responses in units of the training responses.
    standard_response: Vec<f64>,
    /// Rows of each fold.
    lengths: &'r [usize],
    /// Why responses have no score.
    reason: Option<Reason>,
    /// Why predictions have no correlation.
    flat: Option<Reason>,
}

impl Voxel<'_> {
    fn score(&self, over: ScoreOver) -> Score {
        let n = self.response.len();
        let none = |reason| Score {
            r: f64::NAN,
            r2: f64::NAN,
            coefficient_of_determination: f64::NAN,
            n,
            reason: Some(reason),
        };
        if let Some(reason) = self.reason.or(self.flat.filter(|flat| *flat == Reason::NanInput)) {
            return none(reason);
        }
        if over == ScoreOver::Folds && self.folds(&self.response).any(|(_, response)| Reason::of(response).is_some()) {
            return none(Reason::Constant);
        }
        let r = if self.flat.is_some() { f64::NAN } else { self.correlation(over) };
        let explained = |prediction: &[f64], response: &[f64]| {
            let residual: f64 = prediction.iter().zip(response).map(|(p, y)| (y - p).powi(2)).sum();
            1.0 - residual / response.iter().map(|y| y * y).sum::<f64>()
        };
        let coefficient_of_determination = match over {
            ScoreOver::Pooled => explained(&self.prediction, &self.response),
            ScoreOver::Folds => self.mean_over_folds(&self.response, explained),
        };
        let reason = r.is_nan().then_some(Reason::Constant);
        Score { r, r2: r * r, coefficient_of_determination, n, reason }
    }

    fn correlation(&self, over: ScoreOver) -> f64 {
        match over {
            ScoreOver::Pooled => pearson(&self.standard, &self.standard_response),
            ScoreOver::Folds => self.mean_over_folds(&self.response, pearson),
        }
    }

    fn folds<'v>(&'v self, responses: &'v [f64]) -> impl Iterator<Item = (&'v [f64], &'v [f64])> {
        let mut start = 0;
        self.lengths.iter().map(move |length| {
            let rows = start..start + length;
            start = rows.end;
            (&self.prediction[rows.clone()], &responses[rows])
        })
    }

    fn mean_over_folds(&self, responses: &[f64], of: impl Fn(&[f64], &[f64]) -> f64) -> f64 {
        self.folds(responses).map(|(prediction, response)| of(prediction, response)).sum::<f64>()
            / self.lengths.len() as f64
    }

    /// `[r, R2]` of one part of the predictions.
    fn split(&self, part: &[f64], over: ScoreOver) -> [f64; 2] {
        let explained = |part: &[f64], prediction: &[f64], response: &[f64]| {
            let rows = part.iter().zip(prediction).zip(response);
            let sum: f64 = rows.map(|((p, whole), y)| 2.0 * y * p - p * whole).sum();
            sum / response.iter().map(|y| y * y).sum::<f64>()
        };
        match over {
            ScoreOver::Pooled => {
                let r = share_of_r(&in_units(part, &self.sds), &self.standard, &self.standard_response);
                [r, explained(part, &self.prediction, &self.response)]
            }
            ScoreOver::Folds => {
                let mut sums = [0.0; 2];
                let mut start = 0;
                for (prediction, response) in self.folds(&self.response) {
                    let own = &part[start..start + prediction.len()];
                    sums[0] += share_of_r(own, prediction, response);
                    sums[1] += explained(own, prediction, response);
                    start += prediction.len();
                }
                sums.map(|sum| sum / self.lengths.len() as f64)
            }
        }
    }
}

/// Values over units; 0 where a unit is 0, as of a model without any weight.
fn in_units(values: &[f64], units: &[f64]) -> Vec<f64> {
    values.iter().zip(units).map(|(value, unit)| if *unit > 0.0 { value / unit } else { 0.0 }).collect()
}

/// The part of a correlation that comes from one part of the predictions.
fn share_of_r(part: &[f64], prediction: &[f64], response: &[f64]) -> f64 {
    let mean = |values: &[f64]| statistics::mean(values);
    let (own, centre, level) = (mean(part), mean(prediction), mean(response));
    let (mut shared, mut squares, mut spread) = (0.0, 0.0, 0.0);
    for ((p, whole), y) in part.iter().zip(prediction).zip(response) {
        shared += (p - own) * (y - level);
        squares += (whole - centre).powi(2);
        spread += (y - level).powi(2);
    }
    shared / (squares * spread).sqrt()
}

/// Stimuli that may change places: groups of blocks of places, one block per stimulus, all of one length.
fn exchangeable(fold: &[usize], stimulus: &[usize]) -> Vec<Vec<Vec<usize>>> {
    let mut blocks: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
    stimulus.iter().enumerate().for_each(|(place, stimulus)| blocks.entry(*stimulus).or_default().push(place));
    let mut in_fold: std::collections::HashMap<usize, usize> = std::collections::HashMap::new();
    blocks.values().for_each(|places| *in_fold.entry(fold[places[0]]).or_default() += 1);
    let alone = in_fold.values().all(|n| *n == 1);
    let mut groups: std::collections::BTreeMap<(usize, usize), Vec<Vec<usize>>> = std::collections::BTreeMap::new();
    for places in blocks.into_values() {
        let of = if alone { 0 } else { fold[places[0]] };
        groups.entry((of, places.len())).or_default().push(places);
    }
    groups.into_values().collect()
}

/// Where the response of every place comes from.
fn permuted(groups: &[Vec<Vec<usize>>], draws: &mut Draws, n: usize) -> Vec<usize> {
    let mut places = vec![0; n];
    for blocks in groups {
        for (to, from) in blocks.iter().zip(draws.permutation(blocks.len())) {
            to.iter().zip(&blocks[from]).for_each(|(to, from)| places[*to] = *from);
        }
    }
    places
}

/// Scores of predictions of which nothing is known but that they stand in one fold: around the mean of the responses
/// themselves, as scikit-learn's `r2_score` has it.
///
/// # Panics
/// When the shapes differ.
pub fn score<T: Real>(predictions: ArrayView2<f64>, responses: ArrayView2<T>) -> Vec<Score> {
    let means = own_means(responses);
    let fold_of_row = vec![0; responses.nrows()];
    HeldOut { fold_of_row: &fold_of_row, train_means: means.view(), train_sds: None, over: ScoreOver::Pooled }
        .score(predictions, responses)
}

/// `1 x v`: means of the responses.
pub fn own_means<T: Real>(responses: ArrayView2<T>) -> Array2<f64> {
    let mean = |(_, voxel): (usize, usize)| {
        statistics::mean(&responses.column(voxel).iter().map(|v| v.to_f64()).collect::<Vec<f64>>())
    };
    Array2::from_shape_fn((1, responses.ncols()), mean)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};
    use statistics::{Draws, FoldOrder, Reason, k_folds};

    use super::{HeldOut, ScoreOver, score};
    use crate::alphas::AlphaGrid;
    use crate::features::Features;
    use crate::ridge::{CrossValidation, Inner, RidgeOptions, Split, cross_validate};
    use crate::scaling::Scaling;

    fn normal(n: usize, p: usize, seed: u64) -> Array2<f64> {
        let mut draws = Draws::new(seed);
        Array2::from_shape_simple_fn((n, p), || draws.normal_pair()[0])
    }

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
    fn two_folds_by_hand() {
        let predictions = array![[1.0], [2.0], [3.0], [6.0], [4.0], [8.0]];
        let responses = array![[1.0], [3.0], [2.0], [9.0], [5.0], [7.0]];
        let train_means = array![[2.0], [5.0]];
        let fold_of_row = [0, 0, 0, 1, 1, 1];
        let by = |over| HeldOut { fold_of_row: &fold_of_row, train_means: train_means.view(), train_sds: None, over };
        // deviations: predictions -1 0 1 | 1 -1 3, responses -1 1 0 | 4 0 2
        let pooled = by(ScoreOver::Pooled).score(predictions.view(), responses.view())[0];
        // sums 3 and 6, products 1 + 0 + 0 + 4 + 0 + 6 = 11, squares 13 and 22; centred 11 - 3, 13 - 1.5, 22 - 6
        assert!((pooled.r - 8.0 / (11.5f64 * 16.0).sqrt()).abs() < 1e-15);
        // residuals 0 1 -1 3 1 -1: 13 of 22
        assert!((pooled.coefficient_of_determination - (1.0 - 13.0 / 22.0)).abs() < 1e-15);
        let folds = by(ScoreOver::Folds).score(predictions.view(), responses.view())[0];
        // predictions of the second fold in units of 2: -1 0 1 | .5 -.5 1.5, sum 1.5, products 6, squares 4.75
        let (sds, ones) = (array![[1.0], [2.0]], Array2::ones((2, 1)));
        let scaled = HeldOut { train_sds: Some([sds.view(), ones.view()]), ..by(ScoreOver::Pooled) };
        let scaled = scaled.score(predictions.view(), responses.view())[0];
        assert!((scaled.r - (6.0 - 1.5) / ((4.75 - 0.375) * 16.0f64).sqrt()).abs() < 1e-15);
        assert_eq!(scaled.coefficient_of_determination, pooled.coefficient_of_determination);
        // r = .5; and around means 1 and 2: 0 -2 2 and 2 -2 0, so 4 / 8 = .5
        assert!((folds.r - 0.5).abs() < 1e-15);
        // 1 - 2 / 2 and 1 - 11 / 20
        assert!((folds.coefficient_of_determination - 0.5 * (0.0 + 9.0 / 20.0)).abs() < 1e-15);
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

    /// Mean and standard error over voxels.
    fn mean_and_error(values: &[f64]) -> (f64, f64) {
        (statistics::mean(values), (statistics::variance(values) / values.len() as f64).sqrt())
    }

    #[test]
    fn noise_scores_0_whatever_the_folds() {
        // plain pooling of the same predictions, as others have it, is the last number
        for (n, k, over, plain_below) in [
            (1200, 5, ScoreOver::Pooled, -0.03),
            (150, 5, ScoreOver::Pooled, -0.08),
            (150, 5, ScoreOver::Folds, -0.08),
            (120, 2, ScoreOver::Pooled, -0.05),
            (60, 12, ScoreOver::Folds, -0.2),
            (40, 40, ScoreOver::Pooled, -0.4),
        ] {
            let (x, y) = (normal(n, 10, 1), normal(n, 1500, 2) + 3.0);
            let ids: Vec<usize> = (0..n).collect();
            let outer = k_folds(&ids, k, FoldOrder::Shuffled(1)).unwrap();
            let features = Features::new(x.view(), Scaling::Standardize).unwrap();
            let options = RidgeOptions::new(AlphaGrid::default(), Inner::LeaveOneOut);
            let found = cross_validate(&features, y.view(), &outer, &options, || ()).unwrap();
            let held_out = HeldOut {
                fold_of_row: &outer.fold_of_row,
                train_means: found.train_means.view(),
                train_sds: Some([found.fitted_sds.view(), found.train_sds.view()]),
                over,
            };
            let scores = held_out.score(found.predictions.view(), y.view());
            let r: Vec<f64> = scores.iter().map(|score| score.r).collect();
            let (mean, error) = mean_and_error(&r);
            assert!(mean.abs() < 4.0 * error, "{n} {k} {over:?}: {mean} +- {error}");
            // what is left of R2 is what weights that are not 0 cost
            let explained: Vec<f64> = scores.iter().map(|score| score.coefficient_of_determination).collect();
            let (mean, _) = mean_and_error(&explained);
            assert!((-0.06..=0.0).contains(&mean), "{n} {k} {over:?}: {mean}");
            let plain: Vec<f64> = score(found.predictions.view(), y.view()).iter().map(|score| score.r).collect();
            assert!(statistics::mean(&plain) < plain_below, "{n} {k}: {}", statistics::mean(&plain));
        }
    }

    #[test]
    fn a_model_that_knows_the_training_mean_only_explains_nothing() {
        let y = normal(30, 4, 3);
        let outer = k_folds(&(0..30).collect::<Vec<_>>(), 30, FoldOrder::Contiguous).unwrap();
        let features = Features::new(y.slice(s![.., ..1]), Scaling::Standardize).unwrap();
        let strongest = RidgeOptions::new(AlphaGrid::list(vec![1e300]).unwrap(), Inner::LeaveOneOut);
        let found = cross_validate(&features, y.view(), &outer, &strongest, || ()).unwrap();
        let held_out = HeldOut {
            fold_of_row: &outer.fold_of_row,
            train_means: found.train_means.view(),
            train_sds: Some([found.fitted_sds.view(), found.train_sds.view()]),
            over: ScoreOver::Pooled,
        };
        for score in held_out.score(found.predictions.view(), y.view()) {
            assert!(score.r.is_nan() && score.reason == Some(Reason::Constant));
            assert!(score.coefficient_of_determination.abs() < 1e-14);
        }
    }

    #[test]
    fn parts_and_bias_sum_to_the_scores() {
        let x = normal(48, 9, 5);
        let y = x.slice(s![.., ..3]).dot(&normal(3, 6, 6)) + normal(48, 6, 7) + 5.0;
        let outer = k_folds(&(0..48).collect::<Vec<_>>(), 4, FoldOrder::Shuffled(2)).unwrap();
        let features = Features::new(x.view(), Scaling::Centre).unwrap().in_bands(&[3, 6]);
        let gammas = array![[0.5, 0.5], [1.0, 0.0], [0.9, 0.1]];
        let options = RidgeOptions {
            gammas: Some(gammas),
            ..RidgeOptions::new(AlphaGrid::default(), Inner::Folds(outer.clone()))
        };
        let prepared =
            CrossValidation::prepare(&features, Split::of_folds(&outer), &options, false, None, || ()).unwrap();
        let found = prepared.predict(y.view(), crate::solver::Want { bands: true, models: false }).unwrap();
        for over in [ScoreOver::Pooled, ScoreOver::Folds] {
            let held_out = HeldOut {
                fold_of_row: &outer.fold_of_row,
                train_means: found.train_means.view(),
                train_sds: Some([found.fitted_sds.view(), found.train_sds.view()]),
                over,
            };
            let parts: Vec<_> = found.bands.iter().map(|band| band.view()).collect();
            let split = held_out.split(&parts, found.predictions.view(), y.view());
            let scores = held_out.score(found.predictions.view(), y.view());
            assert_eq!(split.len(), 3);
            for (v, score) in scores.iter().enumerate() {
                let sum = |k: usize| split.iter().map(|rows| rows[v][k]).sum::<f64>();
                assert!((sum(0) - score.r).abs() < 1e-12);
                assert!((sum(1) - score.coefficient_of_determination).abs() < 1e-12);
                // nothing is left over but rounding: the bands have no mean of their own
                assert!(split[2][v].iter().all(|left| left.abs() < 1e-12), "{:?}", split[2][v]);
            }
        }
    }

    #[test]
    fn permutations_find_what_is_there_and_are_even_where_nothing_is() {
        let n = 60;
        let outer = k_folds(&(0..n).collect::<Vec<_>>(), 5, FoldOrder::Shuffled(3)).unwrap();
        let means = Array2::zeros((5, 400));
        let held_out = HeldOut {
            fold_of_row: &outer.fold_of_row,
            train_means: means.view(),
            train_sds: None,
            over: ScoreOver::Pooled,
        };
        let predictions = normal(n, 400, 8);
        let mut responses = normal(n, 400, 9);
        responses.column_mut(0).assign(&predictions.column(0));
        responses.column_mut(1).fill(2.0);
        let stimuli: Vec<usize> = (0..n).collect();
        let p = held_out.permutation_p(predictions.view(), responses.view(), &stimuli, 199, 1);
        assert_eq!(p[0], 1.0 / 200.0);
        assert!(p[1].is_nan());
        // one set of test rows: 398 voxels at 5 %, 19.9, sd 4.3
        let one = HeldOut { fold_of_row: &[0; 60], train_means: means.slice(s![..1, ..]), ..held_out };
        let p_of_one = one.permutation_p(predictions.view(), responses.view(), &stimuli, 199, 1);
        let below = p_of_one[2..].iter().filter(|p| **p <= 0.05).count();
        assert!((3..=38).contains(&below), "{below}");
        // a block of voxels has the p values that it has among all
        let some = s![.., 5..9];
        let part = HeldOut { train_means: means.slice(s![.., 5..9]), ..held_out };
        assert_eq!(part.permutation_p(predictions.slice(some), responses.slice(some), &stimuli, 199, 1), p[5..9]);
        // presentations of a stimulus move together: two of each, and the second repeats the first
        let twice: Vec<usize> = (0..n).map(|row| row / 2).collect();
        let pairs = Array2::from_shape_fn((n, 200), |(row, v)| predictions[(row / 2, v)]);
        let others = Array2::from_shape_fn((n, 200), |(row, v)| responses[(row / 2, v + 100)]);
        let one = HeldOut { train_means: means.slice(s![..1, ..200]), ..one };
        let p = one.permutation_p(pairs.view(), others.view(), &twice, 199, 1);
        let below = p.iter().filter(|p| **p <= 0.05).count();
        // 10 of 200, sd 3.1; as single rows they would be about 40
        assert!(below <= 23, "{below}");
    }

    #[test]
    fn cross_validated_noise_is_called_significant_no_more_often_than_said() {
        let share = |p: &[f64]| p.iter().filter(|p| **p <= 0.05).count() as f64 / p.len() as f64;
        for (n, n_features, k, over) in [
            (100, 20, 5, ScoreOver::Pooled),
            (100, 20, 5, ScoreOver::Folds),
            (60, 90, 10, ScoreOver::Pooled),
            (60, 20, 2, ScoreOver::Pooled),
            (40, 10, 40, ScoreOver::Pooled),
        ] {
            let (x, y) = (normal(n, n_features, 11), normal(n, 600, 12));
            let stimuli: Vec<usize> = (0..n).collect();
            let outer = k_folds(&stimuli, k, FoldOrder::Shuffled(1)).unwrap();
            let features = Features::new(x.view(), Scaling::Standardize).unwrap();
            let options = RidgeOptions::new(AlphaGrid::default(), Inner::LeaveOneOut);
            let found = cross_validate(&features, y.view(), &outer, &options, || ()).unwrap();
            let held_out = HeldOut {
                fold_of_row: &outer.fold_of_row,
                train_means: found.train_means.view(),
                train_sds: Some([found.fitted_sds.view(), found.train_sds.view()]),
                over,
            };
            let p = held_out.permutation_p(found.predictions.view(), y.view(), &stimuli, 199, 1);
            // 5 % of 600, sd .9 %; voxels share stimuli and folds, though not noise
            assert!(share(&p) < 0.08, "{n} {n_features} {k} {over:?}: {}", share(&p));
            assert!(share(&p) > 0.01, "{n} {n_features} {k} {over:?}: {}", share(&p));
        }
    }
}
