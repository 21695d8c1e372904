//! Regression fitted to some stimuli and judged on others.

use rayon::prelude::*;
use statistics::Reason;

use super::moments::{Cases, Moments};
use super::{Regression, groups};
use crate::{Rdm, RdmError, Scale};

/// How well the weights of an outcome predict its pairs of held-out stimuli.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// `1 - e / e0` with the squared errors of the predictions and of the mean of the training pairs, each summed over
    /// all held-out pairs: 0 for predictors of no use, below 0 for weights that do worse than none.
    pub r2: f64,
    /// Per predictor `r2` minus that of all others.
    pub unique: Vec<f64>,
    /// `r2` minus the sum of `unique`.
    pub shared: f64,
    /// Held-out pairs, of all folds.
    pub n_pairs: usize,
    /// Why it is `NaN`.
    pub reason: Option<Reason>,
}

/// For every fold of stimuli the outcomes are regressed over the pairs of all other stimuli, and the pairs within the
/// fold are predicted. Pairs of a stimulus of the fold with one of the others are in neither.
///
/// `fold_of_stimulus` has one number from 0 to below `n_folds` per stimulus. With [`Scale::Ranks`] RDMs are ranked over
/// all pairs in use, before they are split. Reasons are those of [`super::regress`], of the first fold that has one;
/// [`Reason::NanPairs`] also where a fold has no pair to predict.
///
/// # Panics
/// When `fold_of_stimulus` has not one entry per stimulus.
pub fn regress_held_out(
    predictors: &[Rdm],
    outcomes: &[Rdm],
    method: Regression,
    scale: Scale,
    fold_of_stimulus: &[usize],
    n_folds: usize,
) -> Result<Vec<HeldOut>, RdmError> {
    let groups = groups(predictors, outcomes, scale)?;
    let n_stimuli = predictors[0].n_stimuli();
    assert!(fold_of_stimulus.len() == n_stimuli, "{} folds of stimuli for {n_stimuli} stimuli", fold_of_stimulus.len());
    let k = predictors.len();
    let of_group = |cases: &Cases| {
        let method = |_: usize, _: &Moments| Ok(method);
        let of_fold = |fold: usize| errors_of_fold(cases, k, &method, fold_of_stimulus, fold);
        (0..n_folds).into_par_iter().map(of_fold).collect::<Vec<_>>()
    };
    Ok(over_folds(&groups, k, outcomes.len(), of_group))
}

/// What the errors of all folds say; `of_group` has per fold and outcome the squared errors of the mean, of all
/// predictors, and without each of them.
pub(super) fn over_folds(
    groups: &[Cases],
    k: usize,
    n_outcomes: usize,
    of_group: impl Fn(&Cases) -> Vec<Vec<FoldErrors>>,
) -> Vec<HeldOut> {
    let mut all: Vec<Option<HeldOut>> = vec![None; n_outcomes];
    for cases in groups {
        let errors = of_group(cases);
        for (place, &outcome) in cases.outcomes.iter().enumerate() {
            let (mut sums, mut n_pairs, mut reason) = (vec![0.0; k + 2], 0, None);
            for fold in &errors {
                match &fold[place] {
                    Ok((errors, n)) => {
                        sums.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error);
                        n_pairs += n;
                    }
                    Err(why) => reason = reason.or(Some(*why)),
                }
            }
            // Rank-deficient outcomes: held-out pairs that are all the mean of the training pairs.
            let reason = reason.or((sums[0] == 0.0).then_some(Reason::Constant));
            let r2_of = |errors: f64| if reason.is_some() { f64::NAN } else { 1.0 - errors / sums[0] };
            let r2 = r2_of(sums[1]);
            let unique: Vec<f64> = sums[2..].iter().map(|without| r2 - r2_of(*without)).collect();
            let shared = r2 - unique.iter().sum::<f64>();
            all[outcome] = Some(HeldOut { r2, unique, shared, n_pairs, reason });
        }
    }
    all.into_iter().flatten().collect()
}

/// Squared errors (of the mean of the training pairs first), and over how many pairs.
pub(super) type FoldErrors = Result<(Vec<f64>, usize), Reason>;

/// `method` is that of an outcome, by its place, for its training pairs.
pub(super) fn errors_of_fold(
    cases: &Cases,
    k: usize,
    method: &(dyn Fn(usize, &Moments) -> Result<Regression, Reason> + Sync),
    fold_of_stimulus: &[usize],
    fold: usize,
) -> Vec<FoldErrors> {
    let errors = |place: usize, moments: &Moments, squares: &dyn Fn(&[f64]) -> f64| {
        let method = method(place, moments)?;
        let everything: Vec<usize> = (0..k).collect();
        let mut errors = vec![squares(&vec![0.0; k]), squares(&moments.weigh(method, &everything)?)];
        for j in 0..k {
            let others: Vec<usize> = everything.iter().copied().filter(|other| *other != j).collect();
            errors.push(squares(&moments.weigh(method, &others)?));
        }
        Ok(errors)
    };
    squares_of_fold(cases, &|stimulus| Some(fold_of_stimulus[stimulus]), fold, &errors)
}

/// From an outcome (by its place), the moments of its training pairs, and a function from weights to a squared error.
type ErrorsOf<'a> = dyn Fn(usize, &Moments, &dyn Fn(&[f64]) -> f64) -> Result<Vec<f64>, Reason> + 'a;

/// Per outcome what `errors` makes of the moments of the pairs outside a fold, and of a function from weights to the
/// squared error of the pairs within it. Stimuli without a fold are in no pair.
pub(super) fn squares_of_fold(
    cases: &Cases,
    fold_of: &dyn Fn(usize) -> Option<usize>,
    fold: usize,
    errors: &ErrorsOf,
) -> Vec<FoldErrors> {
    let k = cases.n_predictors();
    let of = |&(i, j): &(usize, usize)| Some((fold_of(i)? == fold, fold_of(j)? == fold));
    let training: Vec<f64> = cases.pairs.iter().map(|pair| f64::from(of(pair) == Some((false, false)))).collect();
    let test: Vec<usize> = (0..cases.pairs.len()).filter(|&p| of(&cases.pairs[p]) == Some((true, true))).collect();
    let one = |(place, moments): (usize, Moments)| {
        if test.is_empty() {
            return Err(Reason::NanPairs);
        }
        let outcome = cases.rows.row(k + 1 + place);
        let squares = |weights: &[f64]| -> f64 {
            let error = |&p: &usize| {
                let of = |j: usize| weights[j] * (cases.rows[(j + 1, p)] - moments.means[j]);
                outcome[p] - moments.means[k] - (0..k).map(of).sum::<f64>()
            };
            test.iter().map(|p| error(p).powi(2)).sum()
        };
        Ok((errors(place, &moments, &squares)?, test.len()))
    };
    cases.moments(Some(&training)).into_iter().enumerate().map(one).collect()
}
