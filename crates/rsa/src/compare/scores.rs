//! The scores of models with brains, their means over subjects, and the bounds beside them.

use super::args::CompareArgs;
use super::fitted::{self, Folds};
use super::groups::Together;
use super::measure::{Bures, Measure};
use super::system::{Content, Score, Systems, WholeRdms};
use anyhow::{Result, anyhow};
use cli::Job;
use ndarray::Array2;
use rdm::{NoiseCeiling, noise_ceiling_in_folds};
use statistics::{Reason, mean, rounding};

/// What the table of scores shows.
pub(super) struct Scores {
    /// Models x brains; brains that are not used have no value.
    pub all: Array2<Score>,
    /// The brains that means, bounds and tests are over.
    pub used: Vec<usize>,
    /// Per model one score per used brain.
    pub by_subject: Vec<Vec<f64>>,
    /// Per model its mean over them, in which a person has one vote.
    pub means: Vec<f64>,
    /// Why a mean is NaN.
    pub reasons: Vec<Option<Reason>>,
    /// What rounding may do to a score.
    pub rounding: f64,
    /// Over the used brains.
    pub ceiling: Option<NoiseCeiling>,
}

/// The brains that are not constant, which means, bounds and tests are over; all of them where none would be left. How
/// many are left out is said on stderr.
pub(super) fn subjects_in_use(job: &Job, systems: &Systems) -> Vec<usize> {
    let all = 0..systems.n_brains;
    let used: Vec<usize> = all.clone().filter(|&s| !systems.constant[s]).collect();
    if used.is_empty() {
        return all.collect();
    }
    if used.len() < all.len() {
        job.warn(format!(
            "{} of {} subjects are constant and have no score; means, bounds and tests are over the other {}",
            all.len() - used.len(),
            all.len(),
            used.len()
        ));
    }
    used
}

impl Scores {
    /// All models with all brains; RDMs, where that was asked for, with their ceiling, and on held-out `folds`.
    pub fn of(
        job: &Job,
        args: &CompareArgs,
        systems: &Systems,
        used: Vec<usize>,
        folds: Option<&Folds>,
        together: &Together,
    ) -> Result<Scores> {
        let models: Vec<usize> = (systems.n_brains..systems.names.len()).collect();
        let brains: Vec<usize> = (0..systems.n_brains).collect();
        let (all, ceiling) = match &systems.content {
            Content::Other { score, .. } => (score(&models, &brains)?, None),
            Content::Whole(whole) => {
                let (found, ceiling) = match folds {
                    None => (whole.scores(&models, &used)?, bounds(job, args, systems, whole, &used, together)?),
                    Some(folds) => {
                        job.record("seed", folds.of_data.seed);
                        let found = fitted::score(args, whole, &whole.of(&used), folds, &together.subjects)?;
                        (found.scores.mapv(Score::from), found.ceiling)
                    }
                };
                (over_all(whole, &models, &brains, &used, &found), ceiling)
            }
        };
        let rows = || all.rows().into_iter();
        let by_subject: Vec<Vec<f64>> = rows().map(|row| used.iter().map(|&s| row[s].value).collect()).collect();
        let means = by_subject.iter().map(|values| mean(&together.subjects.means(values))).collect();
        let reasons = rows().map(|row| used.iter().find_map(|&s| row[s].reason)).collect();
        let rounding = rounding::OF_SCORES * size_of_scores(args.compare, &by_subject);
        Ok(Scores { by_subject, means, reasons, rounding, ceiling, used, all })
    }

    /// The mean of a model; `untested` is why one that has a value has no p.
    pub fn mean(&self, model: usize, untested: Option<Reason>) -> Score {
        // The pairs that every term of the mean rests on; equal for all unless some are NaN.
        let n_pairs = self.used.iter().filter_map(|&s| self.all[(model, s)].n_pairs).min();
        Score { value: self.means[model], n_pairs, reason: self.reasons[model].or(untested) }
    }

    /// Lower and upper bound of a brain, or of the mean.
    pub fn bounds(&self, brain: Option<usize>) -> [Option<f64>; 2] {
        let Some(ceiling) = &self.ceiling else { return [None, None] };
        let Some(brain) = brain else { return [Some(ceiling.lower), Some(ceiling.upper)] };
        let place = self.used.iter().position(|&s| s == brain);
        [&ceiling.lower_by_subject, &ceiling.upper_by_subject].map(|of| Some(place.map_or(f64::NAN, |s| of[s])))
    }
}

/// The bounds of `--ceiling`, if it was asked for.
fn bounds(
    job: &Job,
    args: &CompareArgs,
    systems: &Systems,
    whole: &WholeRdms,
    used: &[usize],
    together: &Together,
) -> Result<Option<NoiseCeiling>> {
    if !args.ceiling {
        return Ok(None);
    }
    if together.subjects.len() == 1 {
        return Ok(Some(NoiseCeiling::none(used.len())));
    }
    let (people, left_out) = (&together.subjects, &together.left_out);
    let found = noise_ceiling_in_folds(&whole.of(used), whole.how, whole.sigma.as_ref(), people, left_out)
        .map_err(|error| anyhow!("--ceiling: {error}"))?;
    for &brain in found.constant.iter().map(|&s| &used[s]).filter(|brain| !systems.constant[**brain]) {
        job.warn(format!(
            "{}: is constant over the pairs that all {} subjects have; it is left out of the bounds",
            systems.sources[brain],
            used.len()
        ));
    }
    Ok(Some(found))
}

/// `found` has the used brains; the others are constant.
fn over_all(
    whole: &WholeRdms,
    models: &[usize],
    brains: &[usize],
    used: &[usize],
    found: &Array2<Score>,
) -> Array2<Score> {
    Array2::from_shape_fn((models.len(), brains.len()), |(m, b)| match used.iter().position(|&s| s == brains[b]) {
        Some(place) => found[(m, place)],
        None => {
            let values = |system: usize| whole.rdms[system].values().iter();
            let both = values(models[m]).zip(values(brains[b])).filter(|(x, y)| x.is_finite() && y.is_finite());
            Score { value: f64::NAN, n_pairs: Some(both.count()), reason: Some(Reason::Constant) }
        }
    })
}

/// The size that rounding is measured by: 1 for what lies between -1 and 1, the largest score where RDMs keep their
/// scale.
fn size_of_scores(measure: Measure, scores: &[Vec<f64>]) -> f64 {
    match measure {
        Measure::Bures(Bures::Squared | Bures::Distance) => {
            scores.iter().flatten().fold(0.0, |largest: f64, v| largest.max(v.abs()))
        }
        _ => 1.0,
    }
}
