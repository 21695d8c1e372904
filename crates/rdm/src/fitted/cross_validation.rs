//! Folds over subjects and stimuli: a model is never scored on what it was fitted to.

use ndarray::Array2;
use rayon::prelude::*;
use statistics::{Draws, mean};

use super::folds::Fold;
use super::weights::{fit_outside, folds_of_models};
use super::{ModelKind, Splits, predict};
use crate::inference::Groups;
use crate::{Compared, Comparison, NoiseCeiling, Rdm, RdmError, compare_all, noise_ceiling_in_folds};

/// How many folds; 1 does not split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folding {
    /// Groups of subjects.
    pub subjects: usize,
    /// Groups of stimuli.
    pub stimuli: usize,
    /// Of the random groups.
    pub seed: u64,
}

/// rsatoolbox's defaults: 2 groups of subjects, from 6 on 3, from 12 on 4, from 20 on 5 (one subject is not split); 2
/// groups of stimuli, from 12 on 3, from 24 on 4, from 40 on 5.
pub fn default_folding(n_subjects: usize, n_stimuli: usize, seed: u64) -> Folding {
    let groups = |n: usize, limits: [usize; 3]| 2 + limits.iter().filter(|limit| n >= **limit).count();
    let subjects = if n_subjects < 2 { 1 } else { groups(n_subjects, [6, 12, 20]) };
    Folding { subjects, stimuli: groups(n_stimuli, [12, 24, 40]), seed }
}

/// Whose pool the lower bound of a held-out subject is against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// All other people, those of the own fold too (rsatoolbox's `boot_noise_ceiling`).
    OtherPeople,
    /// The people of the other folds, to whom the models were fitted (its `cv_noise_ceiling`).
    OtherFolds,
}

impl Against {
    /// What a lower bound leaves out of the pool where these subjects are held out.
    pub(super) fn folds(self, people: &Groups, held_out: &[usize]) -> Groups {
        match self {
            Against::OtherPeople => people.clone(),
            Against::OtherFolds => {
                Groups::of(&(0..people.n_things()).map(|s| held_out.contains(&s)).collect::<Vec<bool>>())
            }
        }
    }
}

/// Scores on held-out data.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossValidated {
    /// `models x subjects`: the mean over the folds of stimuli of what the model fitted without the subject's group and
    /// without those stimuli scores; `n_pairs` and `n_nan` are summed over folds.
    pub scores: Array2<Compared>,
    /// The ceiling over the same held-out stimuli, if asked for.
    pub ceiling: Option<NoiseCeiling>,
}

/// Cross-validated scores of models of several components each, in random groups.
pub fn cross_validate(
    models: &[Vec<Rdm>],
    subjects: &[Rdm],
    kind: ModelKind,
    how: Comparison,
    folding: Folding,
    ceiling: bool,
) -> Result<CrossValidated, RdmError> {
    let splits = Splits::of(folding, subjects.len(), subjects.first().map_or(0, Rdm::n_stimuli));
    let people = Groups::each(subjects.len());
    cross_validate_in(models, subjects, kind, how, &splits, &people, ceiling.then_some(Against::OtherPeople))
}

/// [`cross_validate`] with groups of any kind and people of several RDMs each, who have one vote in fits, pools and
/// means. `ceiling` says what the lower bound is against; no ceiling otherwise. Without models it is the ceiling alone:
/// rsatoolbox's `cv_noise_ceiling`, but that it pools over all stimuli before it takes those of a fold for its upper
/// bound (over those of the fold for the lower one; here both), and has the mean over folds, not over people.
///
/// # Errors
/// Those of [`Splits::check`]; [`RdmError::TooFewFolds`] where the bound is against other folds and subjects are not
/// split.
pub fn cross_validate_in(
    models: &[Vec<Rdm>],
    subjects: &[Rdm],
    kind: ModelKind,
    how: Comparison,
    splits: &Splits,
    people: &Groups,
    ceiling: Option<Against>,
) -> Result<CrossValidated, RdmError> {
    let n_subjects = subjects.len();
    let folds = folds_of_models(models, subjects, splits, people)?;
    if ceiling == Some(Against::OtherFolds) && splits.subjects.len() < 2 {
        return Err(RdmError::TooFewFolds { n_folds: 1 });
    }
    let scored: Vec<(Array2<Compared>, Option<NoiseCeiling>)> = folds
        .par_iter()
        .map(|fold| {
            let Fold { subjects: held, stimuli } = fold;
            let cut =
                |rdms: &[Rdm]| -> Result<Vec<Rdm>, RdmError> { rdms.iter().map(|rdm| rdm.select(stimuli)).collect() };
            let held_out = cut(subjects)?;
            let test: Vec<Rdm> = held.iter().map(|&s| held_out[s].clone()).collect();
            let weights = fit_outside(models, subjects, kind, how, fold, people)?;
            let predictions: Vec<Rdm> = models
                .iter()
                .zip(&weights)
                .map(|(components, weights)| predict(&cut(components)?, weights))
                .collect::<Result<_, _>>()?;
            let bounds = ceiling
                .map(|against| noise_ceiling_in_folds(&held_out, how, None, people, &against.folds(people, held)))
                .transpose()?;
            Ok((compare_all(&predictions, &test, how)?, bounds))
        })
        .collect::<Result<_, RdmError>>()?;

    // Summed first and divided then: a mean of scores of at most 1 is at most 1.
    let n_folds = splits.stimuli.len() as f64;
    let mut scores = Array2::from_elem((models.len(), n_subjects), Compared { value: 0.0, n_pairs: 0, n_nan: 0 });
    let (mut lower, mut upper) = (vec![0.0; n_subjects], vec![0.0; n_subjects]);
    let (mut n_pairs, mut n_nan) = (0, 0);
    for (Fold { subjects: people, .. }, (found, bounds)) in folds.iter().zip(&scored) {
        for (place, &subject) in people.iter().enumerate() {
            for m in 0..models.len() {
                let (sum, one) = (&mut scores[(m, subject)], found[(m, place)]);
                sum.value += one.value;
                sum.n_pairs += one.n_pairs;
                sum.n_nan += one.n_nan;
            }
            if let Some(bounds) = bounds {
                lower[subject] += bounds.lower_by_subject[subject];
                upper[subject] += bounds.upper_by_subject[subject];
                n_pairs += bounds.n_pairs;
                n_nan += bounds.n_nan;
            }
        }
    }
    scores.iter_mut().for_each(|sum| sum.value /= n_folds);
    lower.iter_mut().chain(&mut upper).for_each(|sum| *sum /= n_folds);
    let ceiling = ceiling.map(|_| NoiseCeiling {
        lower: mean(&people.means(&lower)),
        upper: mean(&people.means(&upper)),
        lower_by_subject: lower,
        upper_by_subject: upper,
        n_pairs: n_pairs / n_subjects,
        n_nan: n_nan / n_subjects,
        constant: Vec::new(),
    });
    Ok(CrossValidated { scores, ceiling })
}

/// The folds of data in which everything stands once.
pub(super) fn folds_of_data(splits: &Splits, people: &Groups, n_stimuli: usize) -> Result<Vec<Fold>, RdmError> {
    let n_subjects = people.n_things();
    splits.check(n_subjects, n_stimuli)?;
    let everything = |n: usize| (0..n).collect::<Vec<usize>>();
    let folds = splits.folds(&everything(n_subjects), &everything(n_stimuli), &mut Draws::new(splits.seed));
    folds.ok_or(RdmError::FoldTooSmall { given: splits.stimuli.smallest(), needed: super::folds::FEWEST })
}

/// What is not chosen; all where that is nothing, as in what is not split.
pub(super) fn others(chosen: &[usize], n: usize) -> Vec<usize> {
    let rest: Vec<usize> = (0..n).filter(|i| !chosen.contains(i)).collect();
    if rest.is_empty() { chosen.to_vec() } else { rest }
}

#[cfg(test)]
mod tests {
    use super::{Folding, cross_validate, default_folding};
    use crate::testing::noise;
    use crate::{Comparison, ModelKind, Rdm, RdmError};

    fn rdm(seed: u64) -> Rdm {
        Rdm::from_condensed(noise(1, 66, seed).iter().map(|v| v + 1.0).collect(), None).unwrap()
    }

    #[test]
    fn many_useless_components_gain_nothing_on_held_out_data() {
        let subjects: Vec<Rdm> = (0..6).map(rdm).collect();
        let useless: Vec<Rdm> = (100..130).map(rdm).collect();
        let folding = Folding { subjects: 3, stimuli: 3, seed: 1 };
        let kind = ModelKind::Weighted;
        let found = cross_validate(&[useless], &subjects, kind, Comparison::Pearson, folding, true).unwrap();
        let mean = found.scores.iter().map(|s| s.value).sum::<f64>() / 6.0;
        // 6 subjects x 3 folds of 6 pairs: sd of the mean about 0.1
        assert!(mean.abs() < 0.3, "{mean}");
        assert_eq!(found.scores[(0, 0)].n_pairs, 18);
        assert_eq!(found.ceiling.unwrap().lower_by_subject.len(), 6);
    }

    #[test]
    fn a_component_that_is_the_truth_scores_1_and_folds_are_checked() {
        let subjects: Vec<Rdm> = (0..4).map(|_| rdm(1)).collect();
        let folding = default_folding(4, 12, 0);
        assert_eq!((folding.subjects, folding.stimuli), (2, 3));
        for kind in [ModelKind::Weighted, ModelKind::Select, ModelKind::Interpolate] {
            let models = [vec![rdm(2), rdm(1), rdm(3)]];
            let found = cross_validate(&models, &subjects, kind, Comparison::CosineCov, folding, false).unwrap();
            assert!(found.scores.iter().all(|s| (s.value - 1.0).abs() < 1e-6), "{kind:?} {:?}", found.scores);
        }
        let of = |subjects_k: usize, stimuli_k: usize| {
            let folding = Folding { subjects: subjects_k, stimuli: stimuli_k, seed: 0 };
            cross_validate(&[vec![rdm(2)]], &subjects, ModelKind::Select, Comparison::Pearson, folding, false)
                .unwrap_err()
        };
        assert_eq!(of(1, 1), RdmError::TooFewFolds { n_folds: 1 });
        assert_eq!(of(5, 2), RdmError::TooManyFolds { folds: 5, needed: 5, given: 4 });
        assert_eq!(of(2, 5), RdmError::TooManyFolds { folds: 5, needed: 15, given: 12 });
    }
}
