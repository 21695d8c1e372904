//! The bootstrap around the cross-validation: how sure the scores of fitted models are.

use ndarray::Array2;
use rayon::prelude::*;
use statistics::Draws;

use super::folds::{FEWEST, FoldScores, folds, score_fold};
use super::{Folding, ModelKind};
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
    for components in models {
        crate::pool::same_sizes(components, n_stimuli)?;
    }
    crate::pool::same_sizes(subjects, n_stimuli)?;
    super::check_folding(folding, n_subjects, n_stimuli)?;
    let n_columns = models.len() + 2;
    let n_tables = if plan.over == Generalize::Both { 3 } else { 1 };
    let (each_subject, each_stimulus) = (vec![1; n_subjects], vec![1; n_stimuli]);
    let (of_subjects, of_stimuli) = (Groups::each(n_subjects), Groups::each(n_stimuli));
    // draws x tables x repeats x columns
    let made: Vec<Vec<Vec<Vec<f64>>>> = (0..plan.n_boot)
        .into_par_iter()
        .map(|draw| {
            let mut draws = Draws::stream(plan.seed, draw as u64);
            let Drawn { subjects: people, stimuli } = Drawn::next(plan.over, &of_subjects, &of_stimuli, &mut draws);
            if different(&people).len() < folding.subjects || different(&stimuli).len() < FEWEST * folding.stimuli {
                return Ok(vec![vec![vec![f64::NAN; n_columns]; n_cv]; n_tables]);
            }
            let mut tables = vec![(&people, &stimuli)];
            if plan.over == Generalize::Both {
                tables.extend([(&people, &each_stimulus), (&each_subject, &stimuli)]);
            }
            let table = |(people, stimuli): (&Vec<u32>, &Vec<u32>)| {
                (0..n_cv)
                    .map(|_| {
                        let folds = folds(&different(people), &different(stimuli), folding, &mut draws);
                        let found = folds
                            .iter()
                            .map(|fold| score_fold(models, subjects, kind, how, stimuli, people, fold, plan.ceiling))
                            .collect::<Result<Vec<FoldScores>, RdmError>>()?;
                        let held_out: Vec<&[usize]> = folds.iter().map(|f| f.subjects.as_slice()).collect();
                        Ok(row(&found, &held_out, people, models.len(), plan.ceiling))
                    })
                    .collect::<Result<Vec<Vec<f64>>, RdmError>>()
            };
            tables.into_iter().map(table).collect()
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

/// The models' means over all copies of subjects, then the bounds' means over different subjects.
fn row(found: &[FoldScores], held_out: &[&[usize]], people: &[u32], n_models: usize, ceiling: bool) -> Vec<f64> {
    let copies: f64 = people.iter().map(|p| f64::from(*p)).sum();
    let n_different = different(people).len() as f64;
    // Every subject is in as many folds as there are groups of stimuli.
    let in_folds = held_out.iter().map(|h| h.len() as f64).sum::<f64>() / n_different;
    let mut row = vec![0.0; n_models];
    let mut bounds = [0.0; 2];
    for (fold, subjects) in found.iter().zip(held_out) {
        for (place, &subject) in subjects.iter().enumerate() {
            for (m, sum) in row.iter_mut().enumerate() {
                *sum += f64::from(people[subject]) * fold.scores[(m, place)];
            }
        }
        for (sum, terms) in bounds.iter_mut().zip(&fold.bounds) {
            *sum += terms.iter().sum::<f64>();
        }
    }
    // Divided last: a mean of scores of at most 1 is at most 1.
    row.iter_mut().for_each(|sum| *sum /= copies * in_folds);
    bounds.iter_mut().for_each(|sum| *sum /= n_different * in_folds);
    row.extend(if ceiling { bounds } else { [f64::NAN; 2] });
    row
}

fn different(often: &[u32]) -> Vec<usize> {
    (0..often.len()).filter(|&i| often[i] > 0).collect()
}
