use std::collections::BTreeMap;
use std::f64::consts::SQRT_2;

use linear_algebra::Real;
use ndarray::ArrayView2;
use rayon::prelude::*;
use statistics::{Draws, Reason};

use crate::score::{HeldOut, ScoreOver};

/// Two models of one voxel, judged on the same rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// Coefficient of determination of the first model minus that of the second.
    pub difference: f64,
    /// Two-sided p of that difference.
    pub p: f64,
}

/// Tests, voxel by voxel, whether one of two models explains more (`n x v` each), by `n` sign flips.
///
/// The difference of two coefficients of determination is a sum over stimuli: of what the squared error of the second
/// model exceeds that of the first. Where the models are equally good, the sign of each stimulus' share is a matter of
/// chance, and the p value is that of the sum among sums with signs drawn at random (all presentations of a stimulus
/// together), `(1 + count) / (1 + n)`. Pairs of correlations that share the responses have tests of their own
/// (Williams, Steiger), which take rows for independent and normal; here neither is asked for.
///
/// As for [`HeldOut::permutation_p`], models of several folds share training rows, and what two folds have in common by
/// chance counts twice: sums with drawn signs are then taken times the root of 2. That is too much where differences
/// come from the held-out rows' own noise alone, so that the test errs on the safe side.
///
/// `NaN` where a model or the response has no score.
///
/// # Panics
/// When the shapes differ.
pub fn paired_test<T: Real>(
    rows: &HeldOut,
    models: [ArrayView2<f64>; 2],
    responses: ArrayView2<T>,
    stimulus_of_row: &[usize],
    n: usize,
    seed: u64,
) -> Vec<Paired> {
    models.iter().for_each(|model| assert_eq!(model.dim(), responses.dim(), "predictions of another shape"));
    let mut place: BTreeMap<usize, usize> = stimulus_of_row.iter().map(|stimulus| (*stimulus, 0)).collect();
    place.values_mut().enumerate().for_each(|(i, place)| *place = i);
    let one_fold = rows.fold_of_row.windows(2).all(|pair| pair[0] == pair[1]);
    let spread = if one_fold { 1.0 } else { SQRT_2 };
    let shares = |voxel: usize| -> Option<Vec<f64>> {
        let raw: Vec<f64> = responses.column(voxel).iter().map(|y| y.to_f64()).collect();
        let finite = models.iter().all(|model| model.column(voxel).iter().all(|p| p.is_finite()));
        if Reason::of(&raw).is_some() || !finite {
            return None;
        }
        let n_folds = rows.train_means.nrows();
        let mut totals = vec![0.0; n_folds];
        for (&fold, y) in rows.fold_of_row.iter().zip(&raw) {
            let at = if rows.over == ScoreOver::Folds { fold } else { 0 };
            totals[at] += (y - rows.train_means[(fold, voxel)]).powi(2);
        }
        let mut shares = vec![0.0; place.len()];
        for (row, y) in raw.iter().enumerate() {
            let missed = |model: &ArrayView2<f64>| (y - model[(row, voxel)]).powi(2);
            let scale = match rows.over {
                ScoreOver::Folds => totals[rows.fold_of_row[row]] * n_folds as f64,
                ScoreOver::Pooled => totals[0],
            };
            shares[place[&stimulus_of_row[row]]] += (missed(&models[1]) - missed(&models[0])) / scale;
        }
        Some(shares)
    };
    let voxels: Vec<Option<Vec<f64>>> = (0..responses.ncols()).into_par_iter().map(shares).collect();
    // One draw of signs for all voxels: what voxels have in common stays.
    let mut counts = vec![0usize; voxels.len()];
    for draw in 0..n {
        let mut draws = Draws::stream(seed, draw as u64);
        let signs: Vec<f64> = (0..place.len()).map(|_| if draws.below(2) == 0 { -1.0 } else { 1.0 }).collect();
        counts.par_iter_mut().zip(&voxels).for_each(|(count, shares)| {
            let Some(shares) = shares else { return };
            let (mut flipped, mut plain) = (0.0, 0.0);
            for (share, sign) in shares.iter().zip(&signs) {
                flipped += share * sign;
                plain += share;
            }
            // Equal sums, such as of all signs turned, differ by rounding.
            let rounding = 1e-12 * shares.iter().map(|share| share.abs()).sum::<f64>();
            *count += usize::from(spread * flipped.abs() >= plain.abs() - rounding);
        });
    }
    let found = |(shares, count): (&Option<Vec<f64>>, usize)| match shares {
        None => Paired { difference: f64::NAN, p: f64::NAN },
        Some(shares) => Paired { difference: shares.iter().sum(), p: (1 + count) as f64 / (1 + n) as f64 },
    };
    voxels.iter().zip(counts).map(found).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};
    use statistics::{Draws, FoldOrder, k_folds};

    use super::paired_test;
    use crate::alphas::AlphaGrid;
    use crate::features::Features;
    use crate::ridge::{Inner, RidgeOptions, cross_validate};
    use crate::scaling::Scaling;
    use crate::score::{HeldOut, ScoreOver};

    fn normal(n: usize, p: usize, seed: u64) -> Array2<f64> {
        let mut draws = Draws::new(seed);
        Array2::from_shape_simple_fn((n, p), || draws.normal_pair()[0])
    }

    #[test]
    fn three_stimuli_by_hand() {
        // errors of the first 0 1 1, of the second 2 1 3: shares 4 0 8 over squares 1 + 0 + 1 around 2
        let (first, second) = (array![[1.0], [3.0], [2.0]], array![[3.0], [1.0], [6.0]]);
        let responses = array![[1.0], [2.0], [3.0]];
        let means = array![[2.0]];
        let rows =
            HeldOut { fold_of_row: &[0, 0, 0], train_means: means.view(), train_sds: None, over: ScoreOver::Pooled };
        let models = [first.view(), second.view()];
        let found = paired_test(&rows, models, responses.view(), &[0, 1, 2], 2000, 1)[0];
        assert_eq!(found.difference, 6.0);
        // of the 4 sums 12, 4, -4, -12 half are as large
        assert!((found.p - 0.5).abs() < 0.06, "{}", found.p);
        let turned = [models[1], models[0]];
        let turned = paired_test(&rows, turned, responses.view(), &[0, 1, 2], 2000, 1)[0];
        assert_eq!((turned.difference, turned.p), (-6.0, found.p));
        // both presentations of a stimulus turn together: then all sums are as large
        let found = paired_test(&rows, models, responses.view(), &[0, 0, 0], 99, 1)[0];
        assert_eq!(found.p, 1.0);
    }

    /// Shares of voxels with p at or below .05, of models of `p` features each that share `k` folds.
    fn share(n: usize, k: usize, strength: [f64; 3], over: ScoreOver) -> (f64, f64) {
        let (a, b) = (normal(n, 12, 21), normal(n, 12, 22));
        let weights = normal(12, 600, 23);
        let mut y = normal(n, 600, 24);
        y.scaled_add(strength[0], &a.dot(&weights));
        y.scaled_add(strength[1], &b.dot(&weights));
        y.scaled_add(strength[2], &a.slice(s![.., ..1]).dot(&normal(1, 600, 25)));
        let stimuli: Vec<usize> = (0..n).collect();
        let outer = k_folds(&stimuli, k, FoldOrder::Shuffled(1)).unwrap();
        let options = RidgeOptions::new(AlphaGrid::default(), Inner::LeaveOneOut);
        let fit = |x: &Array2<f64>| {
            let features = Features::new(x.view(), Scaling::Standardize).unwrap();
            cross_validate(&features, y.view(), &outer, &options, || ()).unwrap()
        };
        let (first, second) = (fit(&a), fit(&b));
        let rows =
            HeldOut { fold_of_row: &outer.fold_of_row, train_means: first.train_means.view(), train_sds: None, over };
        let models = [first.predictions.view(), second.predictions.view()];
        let found = paired_test(&rows, models, y.view(), &stimuli, 199, 1);
        let scores = models.map(|model| rows.score(model, y.view()));
        for (voxel, found) in found.iter().enumerate() {
            let [first, second] = [0, 1].map(|model| scores[model][voxel].coefficient_of_determination);
            assert!((found.difference - (first - second)).abs() < 1e-12);
        }
        let below = found.iter().filter(|found| found.p <= 0.05).count() as f64 / 600.0;
        (below, found.iter().map(|found| found.difference).sum::<f64>() / 600.0)
    }

    #[test]
    fn equally_good_models_differ_no_more_often_than_said() {
        for over in [ScoreOver::Pooled, ScoreOver::Folds] {
            // both explain nothing, and both explain as much; 5 % of 600 is 30, sd 5.3
            for strength in [[0.0, 0.0, 0.0], [0.2, 0.2, 0.0]] {
                let (below, difference) = share(120, 5, strength, over);
                assert!(below <= 0.08, "{strength:?} {over:?}: {below}");
                assert!(difference.abs() < 0.02, "{strength:?} {over:?}: {difference}");
            }
            let (below, difference) = share(120, 5, [0.5, 0.0, 0.0], over);
            assert!(below > 0.9 && difference > 0.2, "{over:?}: {below} {difference}");
        }
    }

    #[test]
    fn what_has_no_score_has_no_difference() {
        let predictions = normal(8, 3, 1);
        let mut other = normal(8, 3, 2);
        let mut responses = normal(8, 3, 3);
        other[(2, 1)] = f64::NAN;
        responses.column_mut(2).fill(4.0);
        let means = array![[0.0, 0.0, 4.0]];
        let rows =
            HeldOut { fold_of_row: &[0; 8], train_means: means.view(), train_sds: None, over: ScoreOver::Pooled };
        let stimuli: Vec<usize> = (0..8).collect();
        let found = paired_test(&rows, [predictions.view(), other.view()], responses.view(), &stimuli, 9, 1);
        assert!(!found[0].p.is_nan());
        assert!(found[1..].iter().all(|found| found.p.is_nan() && found.difference.is_nan()));
        let same = paired_test(&rows, [predictions.view(), predictions.view()], responses.view(), &stimuli, 9, 1);
        assert_eq!((same[0].difference, same[0].p), (0.0, 1.0));
    }
}
