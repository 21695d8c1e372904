//! The weights themselves: of every fold that the score comes from, and of draws of the data.

use rayon::prelude::*;
use statistics::Draws;

use super::cross_validation::check_folding;
use super::fit::fit_drawn;
use super::folds::{FEWEST, Fold, folds};
use super::{Folding, ModelKind, fit};
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
    let n_subjects = subjects.len();
    let n_stimuli = subjects.first().map_or(0, Rdm::n_stimuli);
    for components in models {
        crate::pool::same_sizes(components, n_stimuli)?;
    }
    check_folding(folding, n_subjects, n_stimuli)?;
    let everything = |n: usize| (0..n).collect::<Vec<usize>>();
    let folds = folds(&everything(n_subjects), &everything(n_stimuli), folding, &mut Draws::new(folding.seed));
    let one = |fold: Fold| {
        let others = |held_out: &[usize], n: usize| -> Vec<usize> {
            let rest: Vec<usize> = (0..n).filter(|i| !held_out.contains(i)).collect();
            // Not split: fitted to all.
            if rest.is_empty() { everything(n) } else { rest }
        };
        let (people, stimuli) = (others(&fold.subjects, n_subjects), others(&fold.stimuli, n_stimuli));
        let cut = |rdm: &Rdm| rdm.select(&stimuli);
        let training: Vec<Rdm> = people.iter().map(|&s| cut(&subjects[s])).collect::<Result<_, _>>()?;
        let of_model = |components: &Vec<Rdm>| {
            let components: Vec<Rdm> = components.iter().map(cut).collect::<Result<_, _>>()?;
            fit(&components, &training, kind, how)
        };
        let weights = models.iter().map(of_model).collect::<Result<_, _>>()?;
        Ok(FittedFold { fold, weights })
    };
    folds.into_par_iter().map(one).collect()
}

/// Per draw and model the weights fitted to all of the draw, in which a stimulus has no distance to its own copy. Draws
/// are those of [`crate::inference::bootstrap`] with the same plan; one with fewer than 3 different stimuli has none.
pub fn draw_weights(
    models: &[Vec<Rdm>],
    subjects: &[Rdm],
    kind: ModelKind,
    how: Comparison,
    plan: Bootstrap,
) -> Result<Vec<Option<Vec<Vec<f64>>>>, RdmError> {
    let (n_subjects, n_stimuli) = (subjects.len(), subjects.first().map_or(0, Rdm::n_stimuli));
    let one = |Drawn { subjects: people, stimuli }: Drawn| {
        if stimuli.iter().filter(|c| **c > 0).count() < FEWEST {
            return Ok(None);
        }
        let of_model = |components: &Vec<Rdm>| fit_drawn(components, subjects, &stimuli, &people, kind, how);
        models.iter().map(of_model).collect::<Result<_, _>>().map(Some)
    };
    draws_of(plan, &Groups::each(n_subjects), &Groups::each(n_stimuli)).into_par_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::{draw_weights, fold_weights};
    use crate::inference::{Bootstrap, Generalize};
    use crate::testing::noise;
    use crate::{Comparison, Folding, ModelKind, Rdm, compare, cross_validate, fit, predict};
    use statistics::mean;

    fn rdms(n: usize, seed: u64) -> Vec<Rdm> {
        noise(n, 66, seed)
            .outer_iter()
            .map(|row| Rdm::from_condensed(row.mapv(|v| v + 1.0).to_vec(), None).unwrap())
            .collect()
    }

    #[test]
    fn weights_of_folds_make_the_scores() {
        let (models, subjects) = ([rdms(3, 1), rdms(2, 2)], rdms(5, 3));
        let folding = Folding { subjects: 2, stimuli: 3, seed: 7 };
        for (kind, how) in [
            (ModelKind::Weighted, Comparison::Pearson),
            (ModelKind::Select, Comparison::Spearman),
            (ModelKind::Interpolate, Comparison::Cosine),
        ] {
            let found = fold_weights(&models, &subjects, kind, how, folding).unwrap();
            assert_eq!(found.len(), 6);
            let scores = cross_validate(&models, &subjects, kind, how, folding, false).unwrap().scores;
            for (m, components) in models.iter().enumerate() {
                for s in 0..5 {
                    let here = found.iter().filter(|fitted| fitted.fold.subjects.contains(&s));
                    let of_folds: Vec<f64> = here
                        .map(|fitted| {
                            let cut = |rdm: &Rdm| rdm.select(&fitted.fold.stimuli).unwrap();
                            let components: Vec<Rdm> = components.iter().map(cut).collect();
                            let prediction = predict(&components, &fitted.weights[m]).unwrap();
                            compare(&prediction, &cut(&subjects[s]), how).unwrap().value
                        })
                        .collect();
                    let expected = scores[(m, s)].value;
                    let same = (mean(&of_folds) - expected).abs() < 1e-14;
                    assert!(same || (mean(&of_folds).is_nan() && expected.is_nan()), "{kind:?} {m} {s}");
                }
            }
        }
    }

    #[test]
    fn draws_scatter_around_the_fit_of_all_and_threads_change_nothing() {
        let components = rdms(3, 1);
        let truth = predict(&components, &[0.8, 0.0, 0.6]).unwrap();
        let subjects: Vec<Rdm> = rdms(6, 9)
            .iter()
            .map(|own| {
                let values = truth.values().iter().zip(own.values()).map(|(t, o)| t + 0.3 * o).collect();
                Rdm::from_condensed(values, None).unwrap()
            })
            .collect();
        let (kind, how) = (ModelKind::Weighted, Comparison::Pearson);
        let all = fit(&components, &subjects, kind, how).unwrap();
        for over in [Generalize::Subjects, Generalize::Stimuli, Generalize::Both] {
            let plan = Bootstrap { over, n_boot: 200, seed: 1, ceiling: false };
            let models = [components.clone()];
            let draws = draw_weights(&models, &subjects, kind, how, plan).unwrap();
            for c in 0..3 {
                let values: Vec<f64> = draws.iter().flatten().map(|of_models| of_models[0][c]).collect();
                let sd = statistics::variance(&values).sqrt();
                // weights that stop at 0 scatter to one side
                assert!(values.len() == 200 && (mean(&values) - all[c]).abs() < 1.5 * sd + 0.02, "{over:?} {c} {sd}");
            }
            let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
            let again = pool.install(|| draw_weights(&models, &subjects, kind, how, plan).unwrap());
            assert_eq!(again, draws);
        }
    }
}
