//! Which subjects and stimuli are held out, and the scores of one such fold.

use ndarray::Array2;

use super::fit::{fit_drawn, repeated};
use super::{Against, ModelKind, predict};
use crate::inference::{Engines, Groups};
use crate::{Comparison, Rdm, RdmError, compare_all};

/// The fewest different stimuli of a group: 3 pairs (rsatoolbox's limit).
pub(super) const FEWEST: usize = 3;

/// What one fold holds out: a group of subjects and a group of stimuli, every one of them once, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Subjects that are scored and not fitted to.
    pub subjects: Vec<usize>,
    /// Stimuli that are scored and not fitted to.
    pub stimuli: Vec<usize>,
}

/// What one fold gives.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldScores {
    /// `models x subjects of the fold`.
    pub scores: Array2<f64>,
    /// Lower and upper bound of each subject of the fold over the stimuli of the fold, pooled with all subjects; empty
    /// unless asked for.
    pub bounds: [Vec<f64>; 2],
}

/// Scores of models fitted to the subjects and stimuli that are not in the fold (to all where the fold holds all of
/// them), in data in which every stimulus and every subject stands as often as these multiplicities say.
///
/// All copies of a stimulus, and of a subject, are on the same side of the fold, and a stimulus has no distance to its
/// own copy: nothing is fitted and scored on the same data. What rsatoolbox's `_internal_cv` does to one fold of a
/// draw.
#[allow(clippy::too_many_arguments)] // the data, the models, and three questions about them
pub fn score_fold(
    models: &[Vec<Rdm>],
    subjects: &[Rdm],
    kind: ModelKind,
    how: Comparison,
    often_stimulus: &[u32],
    often_subject: &[u32],
    fold: &Fold,
    ceiling: bool,
) -> Result<FoldScores, RdmError> {
    let people = Groups::each(subjects.len());
    let against = ceiling.then_some(Against::OtherPeople);
    score_fold_of(models, subjects, kind, how, often_stimulus, often_subject, fold, &people, against)
}

/// [`score_fold`] of people of several RDMs each, who have one vote in fits and pools.
#[allow(clippy::too_many_arguments)] // as above
pub(super) fn score_fold_of(
    models: &[Vec<Rdm>],
    subjects: &[Rdm],
    kind: ModelKind,
    how: Comparison,
    often_stimulus: &[u32],
    often_subject: &[u32],
    fold: &Fold,
    people: &Groups,
    ceiling: Option<Against>,
) -> Result<FoldScores, RdmError> {
    let training_stimuli = without(often_stimulus, &fold.stimuli);
    let training_subjects = without(often_subject, &fold.subjects);
    let held_out: Vec<u32> = fold.stimuli.iter().map(|&i| often_stimulus[i]).collect();
    let drawn: Vec<usize> = repeated(&held_out).into_iter().map(|place| fold.stimuli[place]).collect();
    let weights: Vec<f64> =
        training_subjects.iter().zip(people.votes()).map(|(o, vote)| f64::from(*o) * vote).collect();
    let mut predictions = Vec::with_capacity(models.len());
    for components in models {
        let fitted = fit_drawn(components, subjects, &training_stimuli, &weights, kind, how)?;
        let components: Vec<Rdm> = components.iter().map(|c| c.drawn(&drawn)).collect::<Result<_, _>>()?;
        predictions.push(predict(&components, &fitted)?);
    }
    let test: Vec<Rdm> = fold.subjects.iter().map(|&s| subjects[s].drawn(&drawn)).collect::<Result<_, _>>()?;
    let scores = compare_all(&predictions, &test, how)?.mapv(|found| found.value);
    let mut bounds = [Vec::new(), Vec::new()];
    if let Some(against) = ceiling {
        let whole: Vec<Rdm> = subjects.iter().map(|s| s.select(&fold.stimuli)).collect::<Result<_, _>>()?;
        if let Some(found) = Engines::new(&[], &whole, how).evaluate(&[&held_out], true)?.pop() {
            // One term per different subject of the draw, of which the fold's are wanted.
            let different: Vec<usize> = (0..subjects.len()).filter(|&s| often_subject[s] > 0).collect();
            let folds = against.folds(people, &fold.subjects);
            bounds = found.bounds(often_subject, people, &folds).map(|terms| {
                let of_fold = different.iter().zip(terms).filter(|(s, _)| fold.subjects.contains(s));
                of_fold.map(|(_, term)| term).collect()
            });
        }
    }
    Ok(FoldScores { scores, bounds })
}

/// The multiplicities without those held out; all where nothing would be left.
fn without(often: &[u32], held_out: &[usize]) -> Vec<u32> {
    let mut rest = often.to_vec();
    held_out.iter().for_each(|&i| rest[i] = 0);
    if rest.iter().all(|times| *times == 0) { often.to_vec() } else { rest }
}
