//! How sure the weights and the parts of the variance are: the bootstrap over subjects, stimuli or both.

use ndarray::Array2;
use rayon::prelude::*;
use statistics::Draws;

use super::moments::Cases;
use super::{Regression, groups};
use crate::inference::{Bootstrap, Drawn, FEWEST_STIMULI, Generalize, Groups, Replicates};
use crate::{Rdm, RdmError, Scale};

/// The column of [`bootstrap_regression`] that has the unique part of a predictor.
pub fn column_of_unique(predictor: usize, n_predictors: usize) -> usize {
    n_predictors + predictor
}

/// The column of [`bootstrap_regression`] that has the shared part; R2 stands before it.
pub fn column_of_shared(n_predictors: usize) -> usize {
    2 * n_predictors + 1
}

/// Means over subjects in resampled data. The columns of the tables are the standardized weights of the predictors,
/// their unique parts, R2, and the shared part.
///
/// Draws are those of [`crate::inference::bootstrap`] with the same plan. A draw with fewer than 3 different stimuli,
/// with fewer pairs than weights and two more, or in which the outcome of a drawn subject or a predictor is constant or
/// predictors depend on each other, is `NaN` in all tables. RDMs that are ranked keep the ranks of the data.
pub fn bootstrap_regression(
    predictors: &[Rdm],
    outcomes: &[Rdm],
    method: Regression,
    scale: Scale,
    plan: Bootstrap,
) -> Result<Replicates, RdmError> {
    bootstrap_regression_each(predictors, outcomes, &vec![method; outcomes.len()], scale, plan)
}

/// [`bootstrap_regression`] with a method for every outcome; a penalty that was chosen stays in all draws.
///
/// # Panics
/// When there is not one method per outcome.
pub fn bootstrap_regression_each(
    predictors: &[Rdm],
    outcomes: &[Rdm],
    methods: &[Regression],
    scale: Scale,
    plan: Bootstrap,
) -> Result<Replicates, RdmError> {
    assert!(methods.len() == outcomes.len(), "{} methods for {} outcomes", methods.len(), outcomes.len());
    let groups = groups(predictors, outcomes, scale)?;
    let (n_subjects, n_stimuli) = (outcomes.len(), predictors[0].n_stimuli());
    let n_columns = 2 * predictors.len() + 2;
    let (each_subject, each_stimulus) = (vec![1; n_subjects], vec![1; n_stimuli]);
    let (subjects, of_stimuli) = (Groups::each(n_subjects), Groups::each(n_stimuli));
    let whole = evaluate(&groups, n_subjects, n_columns, methods, &each_stimulus);
    let n_tables = if plan.over == Generalize::Both { 3 } else { 1 };
    let made: Vec<Vec<Vec<f64>>> = (0..plan.n_boot)
        .into_par_iter()
        .map(|draw| {
            let mut draws = Draws::stream(plan.seed, draw as u64);
            let Drawn { subjects: people, stimuli } = Drawn::next(plan.over, &subjects, &of_stimuli, &mut draws);
            if plan.over == Generalize::Subjects {
                return vec![means(&whole, &people)];
            }
            if stimuli.iter().filter(|c| **c > 0).count() < FEWEST_STIMULI {
                return vec![vec![f64::NAN; n_columns]; n_tables];
            }
            let here = evaluate(&groups, n_subjects, n_columns, methods, &stimuli);
            match plan.over {
                Generalize::Both => vec![means(&here, &people), means(&whole, &people), means(&here, &each_subject)],
                _ => vec![means(&here, &people)],
            }
        })
        .collect();
    let table = |t: usize| Array2::from_shape_fn((plan.n_boot, n_columns), |(d, c)| made[d][t][c]);
    Ok(Replicates { tables: (0..n_tables).map(table).collect(), repeats: Vec::new() })
}

/// `subjects x columns` where every stimulus stands in the data as often as this says; `NaN` for a subject without a
/// regression.
fn evaluate(
    groups: &[Cases],
    n_subjects: usize,
    n_columns: usize,
    methods: &[Regression],
    often: &[u32],
) -> Array2<f64> {
    let mut all = Array2::from_elem((n_subjects, n_columns), f64::NAN);
    for cases in groups.iter().filter(|cases| cases.constant_predictor.is_none()) {
        let weights: Vec<f64> = cases.pairs.iter().map(|&(i, j)| f64::from(often[i] * often[j])).collect();
        for (&subject, moments) in cases.outcomes.iter().zip(cases.moments(Some(&weights))) {
            if let Ok(fit) = moments.fit_all(methods[subject]) {
                let shared = fit.r2 - fit.unique.iter().sum::<f64>();
                let values = fit.standardized.into_iter().chain(fit.unique).chain([fit.r2, shared]);
                all.row_mut(subject).iter_mut().zip(values).for_each(|(cell, value)| *cell = value);
            }
        }
    }
    all
}

/// Every copy of a subject counts; those not drawn do not, whatever they have.
fn means(of_subjects: &Array2<f64>, often: &[u32]) -> Vec<f64> {
    let copies: f64 = often.iter().map(|c| f64::from(*c)).sum();
    let drawn = |column: ndarray::ArrayView1<f64>| -> f64 {
        let terms = column.into_iter().zip(often).filter(|(_, c)| **c > 0);
        terms.map(|(v, c)| f64::from(*c) * v).sum::<f64>() / copies
    };
    of_subjects.columns().into_iter().map(drawn).collect()
}
