//! A penalty that is chosen: the one whose weights best predict the pairs of held-out stimuli.

use rayon::prelude::*;
use statistics::Reason;

use super::held_out::{FoldErrors, HeldOut, errors_of_fold, over_folds, squares_of_fold};
use super::moments::{Cases, Moments};
use super::{Regression, groups};
use crate::{Rdm, RdmError, Scale};

/// Penalties of ridge to choose from, relative to the predictors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Penalties<'a> {
    /// Each times the mean eigenvalue of `X'X` over the pairs in use is a penalty (`alpha` of [`Regression::Ridge`]):
    /// times the number of pairs where predictors are divided by their standard deviation. So one grid serves few
    /// stimuli and many, and all folds. Not below 0, in any order.
    pub factors: &'a [f64],
    /// As in [`Regression::Ridge`].
    pub standardized: bool,
}

impl Penalties<'_> {
    fn alpha(&self, place: usize, moments: &Moments) -> f64 {
        self.factors[place] * moments.mean_eigenvalue(self.standardized)
    }

    fn ridge(&self, place: usize, moments: &Moments) -> Regression {
        Regression::Ridge { alpha: self.alpha(place, moments), standardized: self.standardized }
    }
}

/// The penalty of one outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenPenalty {
    /// Its place among the factors.
    pub place: usize,
    /// The penalty of all pairs.
    pub alpha: f64,
    /// Per factor [`HeldOut::r2`] of the folds it was chosen by; `NaN` for 0 where predictors depend on each other in a
    /// fold.
    pub r2: Vec<f64>,
}

/// Per outcome the penalty with the smallest squared error over the pairs within held-out groups of stimuli, of weights
/// from the pairs of all other stimuli; the first of equal ones. What the weights then explain is as optimistic as a
/// choice among so many; [`regress_held_out_choosing`] says what they explain of others.
///
/// `fold_of_stimulus` has one number from 0 to below `n_folds` per stimulus. Reasons as in [`super::regress_held_out`].
///
/// # Panics
/// When `fold_of_stimulus` has not one entry per stimulus, or there is no factor.
pub fn choose_penalties(
    predictors: &[Rdm],
    outcomes: &[Rdm],
    penalties: Penalties,
    scale: Scale,
    fold_of_stimulus: &[usize],
    n_folds: usize,
) -> Result<Vec<Result<ChosenPenalty, Reason>>, RdmError> {
    let groups = groups(predictors, outcomes, scale)?;
    let n = predictors[0].n_stimuli();
    assert!(fold_of_stimulus.len() == n, "{} folds of stimuli for {n} stimuli", fold_of_stimulus.len());
    let mut all = vec![Err(Reason::NanPairs); outcomes.len()];
    for cases in &groups {
        let whole = cases.moments(None);
        let fold_of = |stimulus: usize| Some(fold_of_stimulus[stimulus]);
        let errors = errors(cases, penalties, &fold_of, n_folds);
        for (place, (&outcome, errors)) in cases.outcomes.iter().zip(errors).enumerate() {
            all[outcome] = errors.map(|errors| {
                let best = best(&errors);
                let alpha = penalties.alpha(best, &whole[place]);
                let r2 = errors[1..].iter().map(|e| if e.is_finite() { 1.0 - e / errors[0] } else { f64::NAN });
                ChosenPenalty { place: best, alpha, r2: r2.collect() }
            });
        }
    }
    Ok(all)
}

/// [`super::regress_held_out`] in which the penalty of every outcome and fold is chosen by folds of the other stimuli
/// alone: nothing that is predicted had a say. `inner[fold]` has the fold of every stimulus that is not in `fold` (what
/// stands for the others is not looked at), and how many there are.
///
/// # Panics
/// When a list of folds has not one entry per stimulus, or there is no factor.
pub fn regress_held_out_choosing(
    predictors: &[Rdm],
    outcomes: &[Rdm],
    penalties: Penalties,
    scale: Scale,
    fold_of_stimulus: &[usize],
    inner: &[(Vec<usize>, usize)],
) -> Result<Vec<HeldOut>, RdmError> {
    let groups = groups(predictors, outcomes, scale)?;
    let n = predictors[0].n_stimuli();
    let lists = inner.iter().map(|(list, _)| list.len()).chain([fold_of_stimulus.len()]);
    lists.for_each(|len| assert!(len == n, "{len} folds of stimuli for {n} stimuli"));
    let of_group = |cases: &Cases| {
        let of_fold = |fold: usize| {
            let (inner, n_inner) = &inner[fold];
            let fold_of = |stimulus: usize| (fold_of_stimulus[stimulus] != fold).then(|| inner[stimulus]);
            let chosen: Vec<Result<usize, Reason>> = errors(cases, penalties, &fold_of, *n_inner)
                .into_iter()
                .map(|errors| errors.map(|errors| best(&errors)))
                .collect();
            let method = |place: usize, moments: &Moments| Ok(penalties.ridge(chosen[place]?, moments));
            errors_of_fold(cases, predictors.len(), &method, fold_of_stimulus, fold)
        };
        (0..inner.len()).into_par_iter().map(of_fold).collect::<Vec<_>>()
    };
    Ok(over_folds(&groups, predictors.len(), outcomes.len(), of_group))
}

/// Per outcome the squared errors over all held-out pairs: of the mean of the training pairs, then of every factor,
/// infinite where one has no weights. Stimuli without a fold are in no pair.
fn errors(
    cases: &Cases,
    penalties: Penalties,
    fold_of: &(dyn Fn(usize) -> Option<usize> + Sync),
    n_folds: usize,
) -> Vec<Result<Vec<f64>, Reason>> {
    assert!(!penalties.factors.is_empty(), "no penalty to choose");
    let of_fold = |fold: usize| {
        let squares = |_: usize, moments: &Moments, squares: &dyn Fn(&[f64]) -> f64| {
            let everything: Vec<usize> = (0..cases.n_predictors()).collect();
            let mut errors = vec![squares(&vec![0.0; everything.len()])];
            for factor in 0..penalties.factors.len() {
                errors.push(match moments.weigh(penalties.ridge(factor, moments), &everything) {
                    Ok(weights) => squares(&weights),
                    Err(Reason::Collinear) => f64::INFINITY,
                    Err(reason) => return Err(reason),
                });
            }
            Ok(errors)
        };
        squares_of_fold(cases, fold_of, fold, &squares)
    };
    let folds: Vec<Vec<FoldErrors>> = (0..n_folds).into_par_iter().map(of_fold).collect();
    (0..cases.outcomes.len())
        .map(|place| {
            let mut sums = vec![0.0; 1 + penalties.factors.len()];
            for fold in &folds {
                let (errors, _) = fold[place].as_ref().map_err(|reason| *reason)?;
                sums.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error);
            }
            match sums[0] == 0.0 {
                true => Err(Reason::Constant),
                false if sums[1..].iter().all(|sum| sum.is_infinite()) => Err(Reason::Collinear),
                false => Ok(sums),
            }
        })
        .collect()
}

/// The factor with the smallest error, the first of equal ones.
fn best(errors: &[f64]) -> usize {
    let mut best = 0;
    for (place, error) in errors[1..].iter().enumerate() {
        if *error < errors[1 + best] {
            best = place;
        }
    }
    best
}
