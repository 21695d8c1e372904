//! The weights themselves: of every fold that the score comes from, and of draws of the data.

use rayon::prelude::*;

use super::cross_validation::{folds_of_data, others};
use super::fit::fit_drawn;
use super::folds::{FEWEST, Fold};
use super::{Folding, ModelKind, Splits, fit_of_groups};
use crate::inference::{Bootstrap, Drawn, Groups, draws_of};
use crate::{Comparison, Rdm, RdmError};

/// A fold and what was fitted without it.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedFold {
    /// What was held out.
    pub fold: Fold,
    /// Per model the weights of its components.
    pub weights: Vec<Vec<f64>>,
}

/// The weights behind the scores of [`super::cross_validate`] with the same folding.
pub fn fold_weights(
    models: &[Vec<Rdm>],
    subjects: &[Rdm],
    kind: ModelKind,
    how: Comparison,
    folding: Folding,
) -> Result<Vec<FittedFold>, RdmError> {
    let splits = Splits::of(folding, subjects.len(), subjects.first().map_or(0, Rdm::n_stimuli));
    fold_weights_in(models, subjects, kind, how, &splits, &Groups::each(subjects.len()))
}

/// The weights behind the scores of [`super::cross_validate_in`] with the same splits and people.
pub fn fold_weights_in(
    models: &[Vec<Rdm>],
    subjects: &[Rdm],
    kind: ModelKind,
    how: Comparison,
    splits: &Splits,
    people: &Groups,
) -> Result<Vec<FittedFold>, RdmError> {
    let one = |fold: Fold| {
        let weights = fit_outside(models, subjects, kind, how, &fold, people)?;
        Ok(FittedFold { fold, weights })
    };
    folds_of_models(models, subjects, splits, people)?.into_par_iter().map(one).collect()
}

/// The folds of these data, whose components have their size.
pub(super) fn folds_of_models(
    models: &[Vec<Rdm>],
    subjects: &[Rdm],
    splits: &Splits,
    people: &Groups,
) -> Result<Vec<Fold>, RdmError> {
    let n_stimuli = subjects.first().map_or(0, Rdm::n_stimuli);
    models.iter().try_for_each(|components| crate::pool::same_sizes(components, n_stimuli))?;
    folds_of_data(splits, people, n_stimuli)
}

/// The weights of every model, fitted to the subjects and stimuli that a fold does not hold out.
pub(super) fn fit_outside(
    models: &[Vec<Rdm>],
    subjects: &[Rdm],
    kind: ModelKind,
    how: Comparison,
    fold: &Fold,
    people: &Groups,
) -> Result<Vec<Vec<f64>>, RdmError> {
    let n_stimuli = subjects.first().map_or(0, Rdm::n_stimuli);
    let (trained, stimuli) = (others(&fold.subjects, subjects.len()), others(&fold.stimuli, n_stimuli));
    let cut = |rdm: &Rdm| rdm.select(&stimuli);
    let training: Vec<Rdm> = trained.iter().map(|&s| cut(&subjects[s])).collect::<Result<_, _>>()?;
    let of_training = Groups::of(&trained.iter().map(|&s| people.numbers()[s]).collect::<Vec<_>>());
    let of_model = |components: &Vec<Rdm>| {
        let components: Vec<Rdm> = components.iter().map(cut).collect::<Result<_, _>>()?;
        fit_of_groups(&components, &training, kind, how, &of_training)
    };
    models.iter().map(of_model).collect()
}

/// Per draw and model the weights fitted to all of the draw, in which a stimulus has no distance to its own copy. Draws
/// are those of [`crate::inference::bootstrap_drawn`] with the same plan and groups (of subjects, of stimuli); one with
/// fewer than 3 different stimuli has none.
pub fn draw_weights(
    models: &[Vec<Rdm>],
    subjects: &[Rdm],
    kind: ModelKind,
    how: Comparison,
    plan: Bootstrap,
    [people, kinds]: &[Groups; 2],
) -> Result<Vec<Option<Vec<Vec<f64>>>>, RdmError> {
    let votes = people.votes();
    let one = |drawn: Drawn| {
        if drawn.stimuli.iter().filter(|c| **c > 0).count() < FEWEST {
            return Ok(None);
        }
        let weights: Vec<f64> = drawn.subjects.iter().zip(&votes).map(|(o, vote)| f64::from(*o) * vote).collect();
        let of_model = |components: &Vec<Rdm>| fit_drawn(components, subjects, &drawn.stimuli, &weights, kind, how);
        models.iter().map(of_model).collect::<Result<_, _>>().map(Some)
    };
    draws_of(plan, people, kinds).into_par_iter().map(one).collect()
}
