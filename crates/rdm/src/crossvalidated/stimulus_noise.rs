//! The covariance of mean patterns over stimuli, from how they vary over folds: the `sigma_k` of whitened comparisons.

use linear_algebra::GramAccumulator;
use ndarray::Array2;
use statistics::Reason;

use super::{Sums, check};
use crate::distance::Erased;
use crate::{Design, RdmError};

/// The `n_conditions x n_conditions` covariance of the mean patterns that noise over folds gives them, the mean over
/// units: a row and a column of `NaN` for a condition that is unusable (in a single fold, or with a value that is not
/// finite), and what makes a [`StimulusCovariance`](crate::StimulusCovariance) of the others.
///
/// With `u_if` the mean pattern of condition i in fold f, `F_i` the `n_i` folds that have it and `r_if` what `u_if`
/// departs from the mean of `u_i` over `F_i`,
///
/// `sum over f in F_i and F_j of r_if . r_jf / (n_units (n_i n_j - n_i - n_j + |F_i and F_j|))`,
///
/// which is unbiased for the covariance of the two means whichever folds each is in, where folds are independent and
/// alike; two conditions without a common fold share no noise (0). Where every condition is in all M folds it is `1 /
/// (n_units M (M - 1)) sum_f R_f R_f'`, the covariance within a fold of Diedrichsen et al. (2016), eq. 36, divided by
/// M, and what all conditions of a fold share is no contrast of them; with conditions missing it adds to their noise.
/// In blocks of columns, as the distances are.
///
/// Diedrichsen, Provost, Zareamoghaddam (2016), On the distribution of cross-validated Mahalanobis distances,
/// arXiv:1607.01371.
pub fn stimulus_covariance<'a>(patterns: impl Into<Erased<'a>>, design: &Design) -> Result<Array2<f64>, RdmError> {
    covariance_of(patterns.into(), design)
}

fn covariance_of(patterns: Erased, design: &Design) -> Result<Array2<f64>, RdmError> {
    let unusable: Vec<Option<Reason>> = check(patterns, design)?;
    let (n, n_folds) = (design.n_conditions(), design.n_folds());
    let n_of: Vec<usize> = (0..n).map(|c| design.n_folds_of(c)).collect();
    let mut gram = GramAccumulator::<f64>::new(n);
    let mut sums = Sums::new(patterns, design);
    for piece in sums.pieces() {
        let folds = sums.means(piece)?;
        for (c, of) in n_of.iter().enumerate() {
            let mut mean = ndarray::Array1::<f64>::zeros(piece.1);
            // A condition has 0 where it is not.
            folds.iter().for_each(|fold| mean += &fold.row(c));
            mean /= (*of).max(1) as f64;
            for f in (0..n_folds).filter(|f| design.count(c, *f) > 0) {
                let mut row = folds[f].row_mut(c);
                row -= &mean;
            }
        }
        folds.iter().for_each(|fold| gram.push(fold.view()));
    }
    let gram = gram.finish();
    let n_units = patterns.n_units() as f64;
    Ok(Array2::from_shape_fn((n, n), |(i, j)| {
        if unusable[i].is_some() || unusable[j].is_some() {
            return f64::NAN;
        }
        let common = (0..n_folds).filter(|f| design.count(i, *f) > 0 && design.count(j, *f) > 0).count();
        match common {
            0 => 0.0,
            // Two folds or more each, so this is 1 at least.
            _ => gram.get(i.min(j), i.max(j)) / (n_units * (n_of[i] * n_of[j] + common - n_of[i] - n_of[j]) as f64),
        }
    }))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::InMemory;
    use crate::testing::noise;

    fn of(x: &Array2<f64>, condition: &[usize], fold: &[usize]) -> Array2<f64> {
        stimulus_covariance(&InMemory::new(x.view()), &Design::new(condition, fold).unwrap()).unwrap()
    }

    #[test]
    fn two_conditions_in_two_folds_by_hand() {
        // residuals of a: (1, 0), (-1, 0); of b: (1, 2), (-1, -2); sums 2, 2, 10 over 2 units and 2 (2 - 1)
        let x = array![[3.0, 1.0], [2.0, 4.0], [1.0, 1.0], [0.0, 0.0]];
        assert_eq!(of(&x, &[0, 1, 0, 1], &[0, 0, 1, 1]), array![[0.5, 0.5], [0.5, 2.5]]);
        // b in other folds than a
        assert_eq!(of(&x, &[0, 1, 0, 1], &[0, 2, 1, 3]), array![[0.5, 0.0], [0.0, 2.5]]);
    }

    /// Conditions that miss folds, one that is twice in a fold, one in a single fold.
    const CONDITION: [usize; 14] = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 1, 2];
    const FOLD: [usize; 14] = [0, 1, 2, 3, 0, 1, 3, 1, 2, 3, 3, 2, 0, 0];

    #[test]
    fn missing_cells_and_repeats_as_written_out() {
        let mut x = noise(14, 23, 4) + 3.0;
        let found = of(&x, &CONDITION, &FOLD);
        let mean = |c: usize, f: usize| -> Option<Vec<f64>> {
            let rows: Vec<usize> = (0..14).filter(|r| CONDITION[*r] == c && FOLD[*r] == f).collect();
            let sum = |u: usize| rows.iter().map(|r| x[(*r, u)]).sum::<f64>() / rows.len() as f64;
            (!rows.is_empty()).then(|| (0..23).map(sum).collect())
        };
        let cells: Vec<Vec<Option<Vec<f64>>>> = (0..3).map(|c| (0..4).map(|f| mean(c, f)).collect()).collect();
        for i in 0..3 {
            for j in 0..3 {
                let mut total = 0.0;
                let n = |c: usize| cells[c].iter().flatten().count() as f64;
                let grand = |c: usize, u: usize| cells[c].iter().flatten().map(|m| m[u]).sum::<f64>() / n(c);
                let mut common = 0.0;
                for (a, b) in cells[i].iter().zip(&cells[j]) {
                    let (Some(a), Some(b)) = (a, b) else { continue };
                    common += 1.0;
                    total += (0..23).map(|u| (a[u] - grand(i, u)) * (b[u] - grand(j, u))).sum::<f64>();
                }
                // the covariance within a fold, then that of the two means
                let within = total / 23.0 / (common * (1.0 - 1.0 / n(i) - 1.0 / n(j) + common / (n(i) * n(j))));
                let expected = within * common / (n(i) * n(j));
                assert!((found[(i, j)] - expected).abs() < 1e-13, "{i} {j}: {} {expected}", found[(i, j)]);
            }
        }
        assert!((0..4).all(|c| found[(3, c)].is_nan() && found[(c, 3)].is_nan()));
        x[(4, 2)] = f64::NAN;
        let spoilt = of(&x, &CONDITION, &FOLD);
        assert!((0..4).all(|c| spoilt[(1, c)].is_nan()) && spoilt[(0, 2)] == found[(0, 2)]);
    }

    #[test]
    fn it_is_the_covariance_of_the_means_on_average() {
        // noise of a fold: a mixture of 4 sources, so that conditions share some
        let mixing: Array2<f64> =
            array![[1.0, 0.0, 0.0, 0.4], [0.6, 0.5, 0.0, 0.0], [0.0, 0.7, 1.2, 0.3], [0.0, 0.0, 0.0, 0.0]];
        let cells: Vec<(usize, usize)> = (0..13).map(|r| (CONDITION[r], FOLD[r])).filter(|(c, _)| *c < 3).collect();
        let single: Vec<(usize, usize)> = {
            let mut seen = std::collections::BTreeSet::new();
            cells.into_iter().filter(|cell| seen.insert(*cell)).collect()
        };
        let n_units = 400_000;
        let sources: Vec<Array2<f64>> = (0..4).map(|f| noise(4, n_units, 60 + f)).collect();
        let folds: Vec<Array2<f64>> = sources.iter().map(|s| mixing.dot(s)).collect();
        let x = Array2::from_shape_fn((single.len(), n_units), |(r, u)| {
            let (c, f) = single[r];
            folds[f][(c, u)] + c as f64
        });
        let (condition, fold): (Vec<usize>, Vec<usize>) = single.iter().copied().unzip();
        let found = of(&x, &condition, &fold);
        // uniform noise has a variance of 1/12
        let within = mixing.dot(&mixing.t()) / 12.0;
        let n_of = |c: usize| condition.iter().filter(|k| **k == c).count() as f64;
        for i in 0..3 {
            for j in 0..3 {
                let in_folds =
                    |c: usize| -> Vec<usize> { single.iter().filter(|(k, _)| *k == c).map(|(_, f)| *f).collect() };
                let common = in_folds(i).iter().filter(|f| in_folds(j).contains(f)).count() as f64;
                let expected = within[(i, j)] * common / (n_of(i) * n_of(j));
                // 400k units: a standard error of about .0002
                assert!((found[(i, j)] - expected).abs() < 1e-3, "{i} {j}: {} {expected}", found[(i, j)]);
            }
        }
    }
}
