//! The bootstrap around the cross-validation: how sure the scores of fitted models are.

use ndarray::Array2;
use rayon::prelude::*;
use statistics::Draws;

use super::folds::{FoldScores, score_fold_of};
use super::{Against, Folding, ModelKind, Splits};
use crate::inference::{Bootstrap, Drawn, Generalize, Groups, Replicates};
use crate::{Comparison, Rdm, RdmError};

/// The share of things that are in a sample of as many with replacement: `1 - 1/e`.
const SHARE_DRAWN: f64 = 1.0 - 0.367_879_441_171_442_33;

/// The folds of a draw: those of [`super::default_folding`] for the 63 % of subjects and stimuli that it holds on
/// average (as in rsatoolbox, whatever is resampled). The seed is that of the draw.
pub fn default_folding_of_draws(n_subjects: usize, n_stimuli: usize) -> Folding {
    let drawn = |n: usize| (SHARE_DRAWN * n as f64).floor() as usize;
    let folding = super::default_folding(drawn(n_subjects), drawn(n_stimuli), 0);
    // Two of two subjects are split, though 1.3 are drawn on average.
    Folding { subjects: if n_subjects < 2 { 1 } else { folding.subjects.max(2) }, ..folding }
}

/// Mean scores of fitted models and the ceiling in resampled data, each draw cross-validated `n_cv` times with random
/// folds of its own (`folding` gives their numbers).
///
/// A draw with fewer different subjects than groups, or fewer than 3 different stimuli a group, has no folds, and is
/// `NaN` in all tables. Every copy of a subject counts in the mean, as subjects do in the score of the data; the
/// ceiling is over the same held-out stimuli, a mean over the different subjects.
///
/// What rsatoolbox 0.3.2 calls `bootstrap_crossval` (one factor) and `eval_dual_bootstrap` (both). Where it differs:
///
/// * its mean over folds counts a subject that was drawn into a small group more than one of a large group;
/// * its lower bound pools the subjects that were not held out, and with subjects in one group the held-out one too, so
///   that lower and upper bound are one number; it pools over all stimuli of the draw, the held-out ones and the
///   others;
/// * a prediction that is constant over the held-out pairs has a similarity of 0 there, here none, and the draw is
///   left out.
pub fn bootstrap_fitted(
    models: &[Vec<Rdm>],
    subjects: &[Rdm],
    kind: ModelKind,
    how: Comparison,
    plan: Bootstrap,
    folding: Folding,
    n_cv: usize,
) -> Result<Replicates, RdmError> {
    let (n_subjects, n_stimuli) = (subjects.len(), subjects.first().map_or(0, Rdm::n_stimuli));
    let splits = Splits::of(folding, n_subjects, n_stimuli);
    let groups = [Groups::each(n_subjects), Groups::each(n_stimuli)];
    bootstrap_fitted_in(models, subjects, kind, how, plan, &splits, n_cv, &groups, Against::OtherPeople)
}

/// [`bootstrap_fitted`] with folds of any kind, of people and kinds of stimuli (`groups`) that are drawn together: a
/// person has one vote in fits, means and bounds. A given group of subjects of which nobody was drawn is left out of a
/// draw, if two are there; of a given group of stimuli at least 3 have to be. Where no fold is random `n_cv` is best 1:
/// all repetitions are equal.
#[allow(clippy::too_many_arguments)] // the data, the models, the draws and their folds
pub fn bootstrap_fitted_in(
    models: &[Vec<Rdm>],
    subjects: &[Rdm],
    kind: ModelKind,
    how: Comparison,
    plan: Bootstrap,
    splits: &Splits,
    n_cv: usize,
    [people, kinds]: &[Groups; 2],
    against: Against,
) -> Result<Replicates, RdmError> {
    let (n_subjects, n_stimuli) = (subjects.len(), subjects.first().map_or(0, Rdm::n_stimuli));
    for components in models {
        crate::pool::same_sizes(components, n_stimuli)?;
    }
    crate::pool::same_sizes(subjects, n_stimuli)?;
    splits.check(n_subjects, n_stimuli)?;
    for (groups, needed) in [(people, n_subjects), (kinds, n_stimuli)] {
        if groups.n_things() != needed {
            return Err(RdmError::DrawLength { given: groups.n_things(), needed });
        }
    }
    let ceiling = plan.ceiling.then_some(against);
    let votes = people.votes();
    let n_columns = models.len() + 2;
    let n_tables = if plan.over == Generalize::Both { 3 } else { 1 };
    let (each_subject, each_stimulus) = (vec![1; n_subjects], vec![1; n_stimuli]);
    // draws x tables x repeats x columns
    let made: Vec<Vec<Vec<Vec<f64>>>> = (0..plan.n_boot)
        .into_par_iter()
        .map(|draw| {
            let mut draws = Draws::stream(plan.seed, draw as u64);
            let drawn = Drawn::next(plan.over, people, kinds, &mut draws);
            let mut tables = vec![(&drawn.subjects, &drawn.stimuli)];
            if plan.over == Generalize::Both {
                tables.extend([(&drawn.subjects, &each_stimulus), (&each_subject, &drawn.stimuli)]);
            }
            // In which the draw has no folds, all of it has none.
            let nothing = || vec![vec![vec![f64::NAN; n_columns]; n_cv]; n_tables];
            let table = |(often, stimuli): (&Vec<u32>, &Vec<u32>)| {
                (0..n_cv)
                    .map(|_| {
                        let Some(folds) = splits.folds(&different(often), &different(stimuli), &mut draws) else {
                            return Ok(None);
                        };
                        let found = folds
                            .iter()
                            .map(|fold| {
                                score_fold_of(models, subjects, kind, how, stimuli, often, fold, people, ceiling)
                            })
                            .collect::<Result<Vec<FoldScores>, RdmError>>()?;
                        let held_out: Vec<&[usize]> = folds.iter().map(|f| f.subjects.as_slice()).collect();
                        Ok(Some(row(&found, &held_out, often, &votes, models.len(), plan.ceiling)))
                    })
                    .collect::<Result<Option<Vec<Vec<f64>>>, RdmError>>()
            };
            let tables: Option<Vec<Vec<Vec<f64>>>> = tables.into_iter().map(table).collect::<Result<_, _>>()?;
            Ok(tables.unwrap_or_else(nothing))
        })
        .collect::<Result<_, RdmError>>()?;
    let repeat = |t: usize, r: usize| Array2::from_shape_fn((plan.n_boot, n_columns), |(d, c)| made[d][t][r][c]);
    let repeats: Vec<Vec<Array2<f64>>> = (0..n_tables).map(|t| (0..n_cv).map(|r| repeat(t, r)).collect()).collect();
    let mean_of = |of: &Vec<Array2<f64>>| {
        let sum = of.iter().fold(Array2::<f64>::zeros((plan.n_boot, n_columns)), |sum, one| sum + one);
        sum / n_cv as f64
    };
    Ok(Replicates { tables: repeats.iter().map(mean_of).collect(), repeats })
}

/// The models' means over all copies of people, then the bounds' means over different people.
fn row(
    found: &[FoldScores],
    held_out: &[&[usize]],
    often: &[u32],
    votes: &[f64],
    n_models: usize,
    ceiling: bool,
) -> Vec<f64> {
    let of_copies: f64 = often.iter().zip(votes).map(|(often, vote)| f64::from(*often) * vote).sum();
    let there = different(often);
    let of_different: f64 = there.iter().map(|&s| votes[s]).sum();
    // Every subject is in as many folds as there are groups of stimuli.
    let in_folds = held_out.iter().map(|h| h.len() as f64).sum::<f64>() / there.len() as f64;
    let mut row = vec![0.0; n_models];
    let mut bounds = [0.0; 2];
    for (fold, subjects) in found.iter().zip(held_out) {
        for (place, &subject) in subjects.iter().enumerate() {
            for (m, sum) in row.iter_mut().enumerate() {
                *sum += f64::from(often[subject]) * votes[subject] * fold.scores[(m, place)];
            }
        }
        for (sum, terms) in bounds.iter_mut().zip(&fold.bounds) {
            *sum += terms.iter().zip(*subjects).map(|(term, &subject)| votes[subject] * term).sum::<f64>();
        }
    }
    // Divided last: a mean of scores of at most 1 is at most 1.
    row.iter_mut().for_each(|sum| *sum /= of_copies * in_folds);
    bounds.iter_mut().for_each(|sum| *sum /= of_different * in_folds);
    row.extend(if ceiling { bounds } else { [f64::NAN; 2] });
    row
}

fn different(often: &[u32]) -> Vec<usize> {
    (0..often.len()).filter(|&i| often[i] > 0).collect()
}
