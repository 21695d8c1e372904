//! How sure a score is: bootstrap over subjects, stimuli or both, and permutation of stimulus labels.
//!
//! A resampled RDM is never gathered. Stimulus i drawn `c_i` times gives the pair (i, j) the weight `c_i c_j`; a
//! stimulus has no distance to itself, so that the pairs of its copies are left out (as rsatoolbox does). Sums of
//! products, ranks and counts of pairs in order all follow from these weights.
//!
//! Schuett, Kipnis, Diedrichsen, Kriegeskorte (2023), Statistical inference on representational geometries, eLife 12.
//! The formulas are those of rsatoolbox 0.3.2 (`eval_bootstrap*`, `eval_dual_bootstrap`, `extract_variances`). Where it
//! does something that its text does not say, or that would mislead:
//!
//! * its point estimate under a bootstrap is the mean over draws; ours is the score of the data, which is what the row
//!   shows;
//! * a draw of one subject several times has a ceiling of 1 there (the subject against itself); here it has none, and
//!   is left out of what concerns the ceiling;
//! * it asks whether the first model has a value in a draw, and lets other models' NaN spoil all variances; here a draw
//!   in which any model is NaN is left out for all, and counted;
//! * a model that is constant over the pairs of a draw (two categories, all stimuli drawn from one) has a similarity
//!   of 0 there instead of none: an outlier, which in 10 stimuli adds half to the variance; such draws are left out
//!   here;
//! * its p of a bootstrap without t is `(1 + b) / N`, which can exceed 1; ours is `(1 + b) / (1 + N)`;
//! * its ceiling in a draw averages over the different subjects, each once, while the models' mean counts a subject as
//!   often as it was drawn (kept, for equal numbers).

mod groups;
mod permutation;
mod ranked;
mod sums;
#[cfg(test)]
mod tests;
mod variance;

use ndarray::Array2;
use rayon::prelude::*;
use statistics::{Draws, bounded};

pub use groups::{Drawn, Groups, Shuffle, draws_of};
pub use permutation::{Permuted, Reached, permute_stimuli, permute_stimuli_in};
pub use variance::{Generalize, Spread, corrected_variance};

use crate::compare::by_missing_pairs;
use crate::{Comparison, Rdm, RdmError, StimulusCovariance};
use ranked::Ranked;
use sums::Sums;

/// Draws that one thread evaluates at a time. Fixed, as the place where sums are cut decides their last bits.
const DRAWS_AT_ONCE: usize = 8;

/// The fewest different stimuli a draw needs (rsatoolbox's limit too).
pub const FEWEST_STIMULI: usize = 3;

/// Scores of resampled data. One table for subjects and for stimuli; for both three: both resampled, subjects alone,
/// stimuli alone, from the same draws.
#[derive(Debug, Clone, PartialEq)]
pub struct Replicates {
    /// Per table draws x (models, then lower and upper bound of the ceiling). `NaN` where a draw gives no number.
    pub tables: Vec<Array2<f64>>,
    /// Of fitted models per table one such array per repetition of the folds; `tables` holds their means. Empty
    /// otherwise.
    pub repeats: Vec<Vec<Array2<f64>>>,
}

/// What is resampled and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// What is drawn with replacement.
    pub over: Generalize,
    /// How many draws.
    pub n_boot: usize,
    /// Draw i uses stream i of this seed.
    pub seed: u64,
    /// Whether the ceiling's bounds are wanted; they are `NaN` otherwise.
    pub ceiling: bool,
}

/// Scores of the data under a weighting of stimuli, before subjects are averaged.
pub(crate) struct Evaluated {
    /// `models x subjects`
    pub scores: Array2<f64>,
    pub subjects: SubjectPart,
}

/// What the ceiling of any weighting of subjects needs.
pub(crate) enum SubjectPart {
    /// Inner products under the comparison of the subjects as they are pooled.
    Products(Array2<f64>),
    Ranked(ranked::SubjectRanks),
}

impl Evaluated {
    /// Lower and upper bound with these multiplicities of subjects: means over the different people of the means over
    /// their RDMs.
    pub fn ceiling(&self, subjects: &[u32], people: &Groups, folds: &Groups) -> Result<[f64; 2], RdmError> {
        let distinct: Vec<usize> = (0..subjects.len()).filter(|&s| subjects[s] > 0).collect();
        let of_group: Vec<usize> = distinct.iter().map(|&s| people.numbers()[s]).collect();
        let drawn = Groups::of(&of_group);
        let mean = |terms: Vec<f64>| drawn.means(&terms).iter().sum::<f64>() / drawn.len() as f64;
        Ok(self.bounds(subjects, people, folds).map(mean))
    }

    /// The terms of [`Evaluated::ceiling`], one per subject with a multiplicity. A person has one vote in a pool; the
    /// lower bound of a subject leaves out its whole fold (at least the person, so that another session does not
    /// predict this one). `NaN` where all that are there are in one fold.
    pub fn bounds(&self, subjects: &[u32], people: &Groups, folds: &Groups) -> [Vec<f64>; 2] {
        let distinct: Vec<usize> = (0..subjects.len()).filter(|&s| subjects[s] > 0).collect();
        if folds.n_drawn(subjects) < 2 {
            return [vec![f64::NAN; distinct.len()], vec![f64::NAN; distinct.len()]];
        }
        let weights: Vec<f64> =
            subjects.iter().zip(people.votes()).map(|(often, vote)| f64::from(*often) * vote).collect();
        match &self.subjects {
            SubjectPart::Products(q) => bounds_of_products(q, &weights, &distinct, folds.numbers()),
            SubjectPart::Ranked(ranked) => ranked.bounds(&weights, &distinct, folds.numbers()),
        }
    }

    /// Per model its mean over subjects; a group has one vote, however many RDMs it has.
    fn means(&self, subjects: &[u32], groups: &Groups) -> Vec<f64> {
        let weights: Vec<f64> =
            subjects.iter().enumerate().map(|(s, often)| f64::from(*often) / groups.size_with(s)).collect();
        let total: f64 = weights.iter().sum();
        let drawn = |row: ndarray::ArrayView1<f64>| -> f64 {
            let terms =
                row.into_iter().zip(&weights).filter(|(_, weight)| **weight > 0.0).map(|(v, weight)| weight * v);
            terms.sum::<f64>() / total
        };
        self.scores.rows().into_iter().map(drawn).collect()
    }
}

/// With `q_jk` the products of pooled-as-needed subjects and `s` their weights, a subject i against the pool of
/// others is `sum_j s_j q_ji / sqrt(q_ii sum_jk s_j s_k q_jk)`, sums without the group of i; with all for the upper
/// bound.
fn bounds_of_products(q: &Array2<f64>, s: &[f64], distinct: &[usize], group: &[usize]) -> [Vec<f64>; 2] {
    let bound = |left_out: Option<usize>, i: usize| {
        let pool: Vec<usize> = distinct.iter().copied().filter(|j| Some(group[*j]) != left_out).collect();
        let with: f64 = pool.iter().map(|&j| s[j] * q[(j, i)]).sum();
        let own: f64 = pool.iter().map(|&j| s[j] * pool.iter().map(|&k| s[k] * q[(j, k)]).sum::<f64>()).sum();
        bounded(with / (own * q[(i, i)]).sqrt())
    };
    let lower = distinct.iter().map(|&i| bound(Some(group[i]), i)).collect();
    let upper = distinct.iter().map(|&i| bound(None, i)).collect();
    [lower, upper]
}

/// RDMs over the pairs that all of them have.
enum Engine<'a> {
    Sums(Sums<'a>),
    Ranked(Ranked<'a>),
}

impl<'a> Engine<'a> {
    fn new(models: Vec<&'a [f64]>, subjects: Vec<&'a [f64]>, kept: Vec<bool>, how: Comparison) -> Engine<'a> {
        match how {
            Comparison::Spearman | Comparison::RhoA | Comparison::Kendall | Comparison::TauA => {
                Engine::Ranked(Ranked::new(&models, &subjects, &kept, how))
            }
            _ => Engine::Sums(Sums::new(&models, &subjects, kept, how)),
        }
    }

    fn evaluate(&self, draws: &[&[u32]]) -> Result<Vec<Evaluated>, RdmError> {
        match self {
            Engine::Sums(sums) => sums.evaluate(draws),
            Engine::Ranked(ranked) => Ok(draws.iter().map(|c| ranked.evaluate(c)).collect()),
        }
    }
}

/// Engines for groups of RDMs that miss the same pairs (almost always one), and for the ceiling.
pub(crate) struct Engines<'a> {
    groups: Vec<(Vec<usize>, Vec<usize>, Engine<'a>)>,
    /// In place of the only group, where there are several.
    ceiling: Option<Engine<'a>>,
    n_models: usize,
    n_subjects: usize,
}

impl<'a> Engines<'a> {
    pub fn new(models: &'a [Rdm], subjects: &'a [Rdm], how: Comparison) -> Engines<'a> {
        fn of<'a>(rdms: &'a [Rdm], chosen: &[usize]) -> Vec<&'a [f64]> {
            chosen.iter().map(|&r| rdms[r].values()).collect()
        }
        let mut groups = Vec::new();
        let subject_groups = by_missing_pairs(subjects);
        for (missing_in_models, here) in by_missing_pairs(models) {
            for (missing_in_subjects, there) in &subject_groups {
                let kept: Vec<bool> =
                    missing_in_models.iter().zip(missing_in_subjects).map(|(m, s)| !m && !s).collect();
                let engine = Engine::new(of(models, &here), of(subjects, there), kept, how);
                groups.push((here.clone(), there.clone(), engine));
            }
        }
        let ceiling =
            (groups.len() != 1 || subject_groups.len() != 1 || models.iter().any(|m| m.n_nan() > 0)).then(|| {
                let n_pairs = subjects.first().map_or(0, |s| s.values().len());
                let kept = (0..n_pairs).map(|k| subjects.iter().all(|s| s.values()[k].is_finite())).collect();
                Engine::new(Vec::new(), subjects.iter().map(Rdm::values).collect(), kept, how)
            });
        Engines { groups, ceiling, n_models: models.len(), n_subjects: subjects.len() }
    }

    /// Scores under every weighting, and what its ceilings need (`ceiling` says whether they are wanted).
    pub fn evaluate(&self, draws: &[&[u32]], ceiling: bool) -> Result<Vec<Evaluated>, RdmError> {
        let mut parts: Vec<Vec<Evaluated>> = Vec::new();
        for (_, _, engine) in &self.groups {
            parts.push(engine.evaluate(draws)?);
        }
        let mut pools = match &self.ceiling {
            Some(engine) if ceiling => Some(engine.evaluate(draws)?),
            _ => None,
        };
        let mut all = Vec::with_capacity(draws.len());
        for _ in draws {
            let mut scores = Array2::from_elem((self.n_models, self.n_subjects), f64::NAN);
            let mut subjects = None;
            for ((models, brains, _), part) in self.groups.iter().zip(&mut parts) {
                let Some(part) = part.pop() else { continue };
                for (i, &model) in models.iter().enumerate() {
                    for (j, &brain) in brains.iter().enumerate() {
                        scores[(model, brain)] = part.scores[(i, j)];
                    }
                }
                subjects = Some(part.subjects);
            }
            if let Some(pool) = pools.as_mut().and_then(Vec::pop) {
                subjects = Some(pool.subjects);
            }
            let nothing = || SubjectPart::Products(Array2::from_elem((self.n_subjects, self.n_subjects), f64::NAN));
            all.push(Evaluated { scores, subjects: subjects.unwrap_or_else(nothing) });
        }
        all.reverse();
        Ok(all)
    }
}

/// Mean scores of the models, then lower and upper bound of the ceiling, when each stimulus and each subject stands as
/// often in the data as these multiplicities say: one draw of [`bootstrap`].
pub fn resampled(
    models: &[Rdm],
    subjects: &[Rdm],
    how: Comparison,
    often_stimulus: &[u32],
    often_subject: &[u32],
) -> Result<Vec<f64>, RdmError> {
    let Some(found) = Engines::new(models, subjects, how).evaluate(&[often_stimulus], true)?.pop() else {
        return Ok(Vec::new());
    };
    let each = Groups::each(subjects.len());
    let mut row = found.means(often_subject, &each);
    row.extend(found.ceiling(often_subject, &each, &each)?);
    Ok(row)
}

/// How often each of `n` things is drawn in `n` draws with replacement.
pub(crate) fn multiplicities(n: usize, draws: &mut Draws) -> Vec<u32> {
    let mut counts = vec![0; n];
    for _ in 0..n {
        counts[draws.below(n)] += 1;
    }
    counts
}

/// Mean scores of the models, and the ceiling, in resampled data: see [`crate::inference`].
///
/// `sigma` is for the whitened comparisons and needs stimuli that are not resampled: copies of a stimulus would have
/// the same noise, and no covariance says what is then independent. Pairs without a value are left out of the one
/// comparison, as in [`crate::compare_all`].
pub fn bootstrap(
    models: &[Rdm],
    subjects: &[Rdm],
    how: Comparison,
    sigma: Option<&StimulusCovariance>,
    plan: Bootstrap,
) -> Result<Replicates, RdmError> {
    let n_stimuli = subjects.first().map_or(0, Rdm::n_stimuli);
    let groups = [Groups::each(subjects.len()), Groups::each(n_stimuli)];
    let draws = draws_of(plan, &groups[0], &groups[1]);
    bootstrap_drawn(models, subjects, how, sigma, plan, &draws, &groups)
}

/// [`bootstrap`] of draws that are given, made by [`draws_of`] or elsewhere; of the plan, its seed and number of draws
/// are not looked at. `groups` are those of the subjects and of the stimuli: the lower bound of the ceiling leaves out
/// the whole group of a subject, a group has one vote in means, pools and bounds, and a draw needs 3 different groups
/// of stimuli. Of groups of one size the numbers are those of rsatoolbox's `eval_bootstrap` with `rdm_descriptor` and
/// `pattern_descriptor`; of others its mean, and its pool, count a person as often as it has RDMs.
///
/// # Errors
/// As [`bootstrap`]; [`RdmError::DrawLength`] where a draw or a list of groups has another length than the data.
pub fn bootstrap_drawn(
    models: &[Rdm],
    subjects: &[Rdm],
    how: Comparison,
    sigma: Option<&StimulusCovariance>,
    plan: Bootstrap,
    draws: &[Drawn],
    groups: &[Groups; 2],
) -> Result<Replicates, RdmError> {
    bootstrap_drawn_in_folds(models, subjects, how, sigma, plan, draws, groups, &groups[0])
}

/// [`bootstrap_drawn`] in which the lower bound of a subject leaves out its fold of people, which is the same in every
/// draw ([`crate::noise_ceiling_in_folds`]). A draw that holds people of one fold only has no bounds.
///
/// # Errors
/// As [`bootstrap_drawn`], of folds as well.
#[allow(clippy::too_many_arguments)] // the data, the draws, and what belongs together in them
pub fn bootstrap_drawn_in_folds(
    models: &[Rdm],
    subjects: &[Rdm],
    how: Comparison,
    sigma: Option<&StimulusCovariance>,
    plan: Bootstrap,
    draws: &[Drawn],
    groups: &[Groups; 2],
    folds: &Groups,
) -> Result<Replicates, RdmError> {
    let expected = subjects.first().map_or(0, Rdm::n_stimuli);
    crate::pool::same_sizes(models, expected)?;
    crate::pool::same_sizes(subjects, expected)?;
    if sigma.is_some() && plan.over != Generalize::Subjects {
        return Err(RdmError::CovarianceResampled);
    }
    let (n_models, n_subjects) = (models.len(), subjects.len());
    let [people, kinds] = groups;
    let lengths = [people, folds].map(|groups| (groups.n_things(), n_subjects)).into_iter();
    let lengths = lengths.chain([(kinds.n_things(), expected)]);
    let of_draws = draws.iter().flat_map(|d| [(d.subjects.len(), n_subjects), (d.stimuli.len(), expected)]);
    if let Some((given, needed)) = lengths.chain(of_draws).find(|(given, needed)| given != needed) {
        return Err(RdmError::DrawLength { given, needed });
    }
    let once = vec![1; expected];
    let engines = Engines::new(models, subjects, how);
    let whole = match sigma {
        None => engines.evaluate(&[&once], plan.ceiling)?.pop(),
        Some(sigma) => Some(sums::under_covariance(models, subjects, how, sigma)?),
    };
    let Some(whole) = whole else {
        return Err(RdmError::TooFewRdms { given: 0, needed: 1 });
    };
    let row = |evaluated: &Evaluated, s: &[u32]| -> Result<Vec<f64>, RdmError> {
        let mut row = evaluated.means(s, people);
        row.extend(if plan.ceiling { evaluated.ceiling(s, people, folds)? } else { [f64::NAN; 2] });
        Ok(row)
    };
    let each_once = vec![1; n_subjects];
    let made: Vec<Vec<Vec<Vec<f64>>>> = draws
        .par_chunks(DRAWS_AT_ONCE)
        .map(|drawn| {
            if plan.over == Generalize::Subjects {
                return drawn.iter().map(|draw| Ok(vec![row(&whole, &draw.subjects)?])).collect();
            }
            let usable: Vec<bool> = drawn.iter().map(|draw| kinds.n_drawn(&draw.stimuli) >= FEWEST_STIMULI).collect();
            let stimuli: Vec<&[u32]> =
                drawn.iter().zip(&usable).filter(|(_, u)| **u).map(|(draw, _)| draw.stimuli.as_slice()).collect();
            let mut evaluated = engines.evaluate(&stimuli, plan.ceiling)?.into_iter();
            drawn
                .iter()
                .zip(usable)
                .map(|(Drawn { subjects: s, .. }, usable)| {
                    let here = if usable { evaluated.next() } else { None };
                    let Some(here) = here else {
                        let nothing = vec![f64::NAN; n_models + 2];
                        return Ok(if plan.over == Generalize::Both { vec![nothing; 3] } else { vec![nothing] });
                    };
                    Ok(match plan.over {
                        Generalize::Both => vec![row(&here, s)?, row(&whole, s)?, row(&here, &each_once)?],
                        _ => vec![row(&here, s)?],
                    })
                })
                .collect()
        })
        .collect::<Result<_, RdmError>>()?;
    let n_tables = if plan.over == Generalize::Both { 3 } else { 1 };
    let rows: Vec<Vec<Vec<f64>>> = made.into_iter().flatten().collect();
    let table = |t: usize| Array2::from_shape_fn((draws.len(), n_models + 2), |(draw, column)| rows[draw][t][column]);
    Ok(Replicates { tables: (0..n_tables).map(table).collect(), repeats: Vec::new() })
}
