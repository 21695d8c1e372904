//! Cross-validated correlation distances.

use linear_algebra::GramAccumulator;
use rayon::prelude::*;
use statistics::Reason;

use super::{Sums, check, contrast_rounding, finish, push, total};
use crate::RdmError;
use crate::distance::{Distances, Erased, Profiles, by_row, settle};
use crate::matrix::n_pairs;

use super::design::{Design, FoldWeights};

/// Cross-validated correlation distances: `1 - c_ij / sqrt(c_ii c_jj)`, with `c_ij` the mean over pairs of different
/// folds of the covariance across units of the pattern of `i` in the one and that of `j` in the other. Noise that is
/// independent from fold to fold adds nothing to any of the three on average, so the correlation in it is that of the
/// patterns without noise (the plain one is nearer to 0), and may be above 1 or below -1.
///
/// With [`FoldWeights::Folds`] presentations are averaged within folds, and all pairs of a fold that has `i` and
/// another that has `j` weigh the same; with [`FoldWeights::Pairs`] all pairs of presentations do. A condition whose
/// `c_ii` is not above 0 has no reliable pattern and is unusable (`no_signal`). Otherwise as [`crate::crossnobis`].
///
/// Guggenmos, Sterzer, Cichy (2018), NeuroImage 173, without their limits on the variances, the root and the
/// correlation.
pub fn correlation_cv<'a>(
    patterns: impl Into<Erased<'a>>,
    design: &Design,
    weights: FoldWeights,
) -> Result<Distances, RdmError> {
    correlation_cv_of(patterns.into(), design, weights)
}

fn correlation_cv_of(patterns: Erased, design: &Design, weights: FoldWeights) -> Result<Distances, RdmError> {
    let mut unusable = check(patterns, design)?;
    let profiles = Profiles::new(patterns, false)?;
    let n = design.n_conditions;
    let (mut together, mut within) = (GramAccumulator::<f64>::new(n), GramAccumulator::<f64>::new(n));
    let mut sums = Sums::new((&profiles).into(), design);
    for piece in sums.pieces() {
        let folds = match weights {
            FoldWeights::Folds => sums.means(piece)?,
            FoldWeights::Pairs => sums.of(piece, |v| v)?,
        };
        for fold in &*folds {
            push(&mut within, fold);
        }
        push(&mut together, total(folds));
    }
    let (together, within) = (together.finish(), within.finish());
    // A fold counts once, or as often as it has presentations.
    let weight = |c: usize, f: usize| match weights {
        FoldWeights::Folds => usize::from(design.count(c, f) > 0),
        FoldWeights::Pairs => design.count(c, f),
    };
    let all: Vec<usize> = (0..n).map(|c| (0..design.n_folds).map(|f| weight(c, f)).sum()).collect();
    let covariance = |i: usize, j: usize| {
        let same: usize = (0..design.n_folds).map(|f| weight(i, f) * weight(j, f)).sum();
        (together.get(i, j) - within.get(i, j)) / (all[i] * all[j] - same) as f64
    };
    let rounding = contrast_rounding((&profiles).into(), design);
    // What rounding leaves of a covariance, relative to the squares that went in.
    let sizes: Vec<f64> = (0..n).map(|i| together.get(i, i) + within.get(i, i)).collect();
    let errors: Vec<f64> = (0..n).map(|i| rounding * sizes[i] / (all[i] * all[i] - all[i]).max(1) as f64).collect();
    let mut own = vec![f64::NAN; n];
    for (i, reason) in unusable.iter_mut().enumerate().filter(|(_, reason)| reason.is_none()) {
        own[i] = covariance(i, i);
        if own[i] <= errors[i] {
            *reason = Some(Reason::NoSignal);
        }
    }
    let mut values = vec![f64::NAN; n_pairs(n)];
    by_row(&mut values, n).into_par_iter().enumerate().filter(|(i, _)| unusable[*i].is_none()).for_each(|(i, row)| {
        for (value, j) in row.iter_mut().zip(i + 1..).filter(|(_, j)| unusable[*j].is_none()) {
            *value = 1.0 - covariance(i, j) / (own[i] * own[j]).sqrt();
        }
    });
    let relative: Vec<f64> = errors.iter().zip(&own).map(|(error, own)| error / own).collect();
    let bound = |i: usize, j: usize, value: f64| 2.0 * (1.0 + value.abs()) * (relative[i] + relative[j]);
    settle(&mut values, n, None, None, bound, bound);
    finish(values, unusable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InMemory;
    use crate::testing::noise;
    use ndarray::{Array1, Array2, Axis};
    use statistics::Draws;

    /// Fold by fold, covariance by covariance.
    fn slow(x: &Array2<f64>, condition: &[usize], fold: &[usize], weights: FoldWeights) -> Vec<f64> {
        let (n, n_folds) = (condition.iter().max().unwrap() + 1, fold.iter().max().unwrap() + 1);
        let centred = |row: Array1<f64>| &row - row.mean().unwrap();
        let covariance = |i: usize, j: usize| {
            let rows = |c: usize, f: usize| -> Vec<usize> {
                (0..x.nrows()).filter(|r| condition[*r] == c && fold[*r] == f).collect()
            };
            let mut all = Vec::new();
            for (f, g) in (0..n_folds).flat_map(|f| (0..n_folds).map(move |g| (f, g))).filter(|(f, g)| f != g) {
                let (a, b) = (rows(i, f), rows(j, g));
                match weights {
                    FoldWeights::Folds if a.is_empty() || b.is_empty() => {}
                    FoldWeights::Folds => {
                        let mean = |rows: &[usize]| centred(x.select(Axis(0), rows).mean_axis(Axis(0)).unwrap());
                        all.push(mean(&a).dot(&mean(&b)));
                    }
                    FoldWeights::Pairs => {
                        let one = |row: &usize| centred(x.row(*row).to_owned());
                        all.extend(
                            a.iter().flat_map(|a| b.iter().map(move |b| (a, b))).map(|(a, b)| one(a).dot(&one(b))),
                        );
                    }
                }
            }
            all.iter().sum::<f64>() / all.len() as f64
        };
        let mut values = Vec::new();
        for i in 0..n {
            values.extend((i + 1..n).map(|j| 1.0 - covariance(i, j) / (covariance(i, i) * covariance(j, j)).sqrt()));
        }
        values
    }

    #[test]
    fn is_what_pairs_of_folds_say_one_by_one() {
        // stimulus 3 is not in fold 1, stimulus 0 twice in fold 2
        let condition = [0, 1, 2, 3, 2, 0, 1, 0, 3, 2, 1, 0];
        let fold = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2];
        let truth = noise(4, 45, 3);
        let x = Array2::from_shape_fn((12, 45), |(r, u)| truth[(condition[r], u)]) + noise(12, 45, 4) * 0.3 + 20.0;
        let design = Design::new(&condition, &fold).unwrap();
        for weights in [FoldWeights::Folds, FoldWeights::Pairs] {
            let found = correlation_cv(&InMemory::new(x.view()), &design, weights).unwrap();
            assert!(found.unusable.is_empty());
            for (f, e) in found.rdm.values().iter().zip(slow(&x, &condition, &fold, weights)) {
                assert!((f - e).abs() < 1e-12, "{weights:?} {f} {e}");
            }
            // any scale and offset of single presentations' own mean changes nothing that counts
            let moved = correlation_cv(&InMemory::new((&x * 3.0 - 7.0).view()), &design, weights).unwrap();
            for (f, e) in moved.rdm.values().iter().zip(found.rdm.values()) {
                assert!((f - e).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn noise_does_not_pull_it_to_1_and_two_folds_are_the_papers() {
        // r = 0.8 without noise; with noise of the same variance the plain correlation is about 0.4
        let (mut draws, d) = (Draws::new(4), 20_000);
        let mut normal = || Array1::from_shape_simple_fn(d, || draws.normal_pair()[0]);
        let a = normal();
        let b = &a * 0.8 + normal() * 0.6;
        let mut x = Array2::zeros((4, d));
        for (row, truth) in [&a, &b, &a, &b].into_iter().enumerate() {
            x.row_mut(row).assign(&(truth + &normal()));
        }
        let design = Design::new(&[0, 1, 0, 1], &[0, 0, 1, 1]).unwrap();
        let found = correlation_cv(&InMemory::new(x.view()), &design, FoldWeights::Folds).unwrap();
        // standard error of the estimate about 2 / sqrt(20,000)
        assert!((found.rdm.get(0, 1) - 0.2).abs() < 0.05, "{}", found.rdm.get(0, 1));
        let cov = |i: usize, j: usize| {
            let (a, b) = (x.row(i), x.row(j));
            (&a - a.mean().unwrap()).dot(&(&b - b.mean().unwrap()))
        };
        let r = (cov(0, 3) + cov(1, 2)) / 2.0 / (cov(0, 2) * cov(1, 3)).sqrt();
        assert!((found.rdm.get(0, 1) - (1.0 - r)).abs() < 1e-12);
    }

    #[test]
    fn a_stimulus_without_a_reliable_pattern_has_none() {
        let mut x = noise(6, 30, 8);
        // stimulus 1 is its own opposite in the other fold, stimulus 2 is flat there
        let opposite = x.row(1).mapv(|v| -v);
        x.row_mut(4).assign(&opposite);
        x.row_mut(5).fill(2.5);
        let first = x.row(0).to_owned();
        x.row_mut(3).assign(&first);
        let design = Design::new(&[0, 1, 2, 0, 1, 2], &[0, 0, 0, 1, 1, 1]).unwrap();
        for weights in [FoldWeights::Folds, FoldWeights::Pairs] {
            let found = correlation_cv(&InMemory::new(x.view()), &design, weights).unwrap();
            let reasons: Vec<(usize, Reason)> = found.unusable.iter().map(|u| (u.row, u.reason)).collect();
            assert_eq!(reasons, [(1, Reason::NoSignal), (2, Reason::NoSignal)]);
            assert_eq!(found.rdm.n_nan(), 3);
        }
        x[(0, 4)] = f64::INFINITY;
        let found = correlation_cv(&InMemory::new(x.view()), &design, FoldWeights::Folds).unwrap();
        assert_eq!(found.unusable[0].reason, Reason::NanInput);
    }
}
