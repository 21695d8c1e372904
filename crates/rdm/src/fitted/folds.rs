//! Which subjects and stimuli are held out, and the scores of one such fold.

use ndarray::Array2;
use statistics::Draws;

use super::fit::{fit_drawn, repeated};
use super::{Folding, ModelKind, predict};
use crate::inference::Engines;
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

/// All folds of these subjects and stimuli. Stimuli are grouped anew for every group of subjects, as rsatoolbox does.
pub(super) fn folds(subjects: &[usize], stimuli: &[usize], folding: Folding, draws: &mut Draws) -> Vec<Fold> {
    let mut folds = Vec::new();
    for people in groups(subjects, folding.subjects, draws) {
        for stimuli in groups(stimuli, folding.stimuli, draws) {
            folds.push(Fold { subjects: people.clone(), stimuli });
        }
    }
    folds
}

/// `items` in k random groups whose sizes differ by at most 1.
fn groups(items: &[usize], k: usize, draws: &mut Draws) -> Vec<Vec<usize>> {
    let order = draws.permutation(items.len());
    (0..k)
        .map(|group| {
            let mut members: Vec<usize> = order.iter().skip(group).step_by(k).map(|&place| items[place]).collect();
            members.sort_unstable();
            members
        })
        .collect()
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
    let training_stimuli = without(often_stimulus, &fold.stimuli);
    let training_subjects = without(often_subject, &fold.subjects);
    let held_out: Vec<u32> = fold.stimuli.iter().map(|&i| often_stimulus[i]).collect();
    let drawn: Vec<usize> = repeated(&held_out).into_iter().map(|place| fold.stimuli[place]).collect();
    let mut predictions = Vec::with_capacity(models.len());
    for components in models {
        let weights = fit_drawn(components, subjects, &training_stimuli, &training_subjects, kind, how)?;
        let components: Vec<Rdm> = components.iter().map(|c| c.drawn(&drawn)).collect::<Result<_, _>>()?;
        predictions.push(predict(&components, &weights)?);
    }
    let test: Vec<Rdm> = fold.subjects.iter().map(|&s| subjects[s].drawn(&drawn)).collect::<Result<_, _>>()?;
    let scores = compare_all(&predictions, &test, how)?.mapv(|found| found.value);
    let mut bounds = [Vec::new(), Vec::new()];
    if ceiling {
        let whole: Vec<Rdm> = subjects.iter().map(|s| s.select(&fold.stimuli)).collect::<Result<_, _>>()?;
        if let Some(found) = Engines::new(&[], &whole, how).evaluate(&[&held_out], true)?.pop() {
            // One term per different subject of the draw, of which the fold's are wanted.
            let different: Vec<usize> = (0..subjects.len()).filter(|&s| often_subject[s] > 0).collect();
            bounds = found.bounds(often_subject).map(|terms| {
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

#[cfg(test)]
mod tests {
    use super::groups;
    use statistics::Draws;

    #[test]
    fn groups_hold_everything_once() {
        let items: Vec<usize> = (0..11).map(|i| 3 * i).collect();
        let made = groups(&items, 3, &mut Draws::new(1));
        let mut all: Vec<usize> = made.iter().flatten().copied().collect();
        all.sort_unstable();
        assert_eq!(all, items);
        assert!(made.iter().all(|g| g.len() == 3 || g.len() == 4));
    }
}
