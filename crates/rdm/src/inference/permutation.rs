//! Permutation of stimulus labels: what would the scores be if the model's stimuli had nothing to do with the brain's?

use linear_algebra::product;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, Axis};
use rayon::prelude::*;
use statistics::Draws;
use statistics::rounding::OF_SCORES;

use super::{Groups, Shuffle};
use crate::compare::{compare_all_under, prepared};
use crate::{Comparison, Rdm, RdmError, StimulusCovariance};

/// Shuffled RDMs that one thread scores at a time.
const AT_ONCE: usize = 16;

/// p values of a permutation of stimulus labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Permuted {
    /// Of the mean scores over subjects.
    pub of_means: Reached,
    /// Of the scores of each subject, from the same permutations.
    pub of_subjects: Vec<Reached>,
}

/// How often permuted scores reach the models' own: one entry per model.
#[derive(Debug, Clone, PartialEq)]
pub struct Reached {
    /// `(1 + b) / (1 + N)`, b the permutations whose score reaches the model's own.
    pub p: Vec<f64>,
    /// N of each model: a permutation that gives no score (a model of few values whose pairs come to lie on missing
    /// ones) is left out; as one that falls short it would make p too small.
    pub n: Vec<usize>,
    /// The same against the largest score of any model in each permutation: controls the family-wise error over models.
    pub p_max: Vec<f64>,
}

/// One-sided permutation tests of the scores of every subject and of their means over subjects. The stimuli of all
/// models are shuffled alike and the subjects stay as they are, so that dependence between models and between subjects
/// is kept. `NaN` for a model whose own score is `NaN`; such models do not enter the largest.
///
/// Nichols & Holmes (2002) for the largest statistic.
pub fn permute_stimuli(
    models: &[Rdm],
    subjects: &[Rdm],
    how: Comparison,
    sigma: Option<&StimulusCovariance>,
    n_perm: usize,
    seed: u64,
) -> Result<Permuted, RdmError> {
    permute_stimuli_in(models, subjects, how, sigma, n_perm, seed, Shuffle::All, &Groups::each(subjects.len()))
}

/// [`permute_stimuli`] of stimuli that are not all exchangeable, with means in which every group of subjects has one
/// vote. Within groups the question is whether the model knows more than which stimuli are of one group; of whole
/// groups whether it knows how these are to one another, where stimuli of one group are alike whatever the model says.
#[allow(clippy::too_many_arguments)] // the data, the models, and how they are shuffled
pub fn permute_stimuli_in(
    models: &[Rdm],
    subjects: &[Rdm],
    how: Comparison,
    sigma: Option<&StimulusCovariance>,
    n_perm: usize,
    seed: u64,
    shuffle: Shuffle,
    groups: &Groups,
) -> Result<Permuted, RdmError> {
    if groups.n_things() != subjects.len() {
        return Err(RdmError::DrawLength { given: groups.n_things(), needed: subjects.len() });
    }
    let n = subjects.first().map_or(0, Rdm::n_stimuli);
    let n_pairs = subjects.first().map_or(0, |s| s.values().len());
    let fast = sigma.is_none()
        && !matches!(how, Comparison::Kendall | Comparison::TauA)
        && models.iter().chain(subjects).all(|rdm| rdm.n_nan() == 0);
    let sides = fast.then(|| Prepared::new(models, subjects, how, n)).transpose()?;
    // Models x subjects for every order.
    let scores = |orders: &[Vec<usize>]| -> Result<Vec<Array2<f64>>, RdmError> {
        if let Some(sides) = &sides {
            return Ok(sides.scores(orders));
        }
        let one = |order: &Vec<usize>| {
            let shuffled = models.iter().map(|m| m.select(order)).collect::<Result<Vec<Rdm>, RdmError>>()?;
            Ok(compare_all_under(&shuffled, subjects, how, sigma)?.mapv(|found| found.value))
        };
        orders.iter().map(one).collect()
    };
    if let Some(sigma) = sigma {
        sigma.check_shuffles(models, subjects)?;
    }
    let own = scores(&[(0..n).collect()])?.remove(0);
    let at_once = (AT_ONCE / models.len().min(subjects.len()).max(1)).max(1);
    let blocks: Vec<usize> = (0..n_perm).step_by(at_once).collect();
    let all: Vec<Vec<Array2<f64>>> = blocks
        .into_par_iter()
        .map(|start| {
            let orders: Vec<Vec<usize>> = (start..(start + at_once).min(n_perm))
                .map(|i| shuffle.order(n, &mut Draws::stream(seed, i as u64)))
                .collect();
            scores(&orders)
        })
        .collect::<Result<_, RdmError>>()?;
    // A score that is equal in exact arithmetic is reached too, whatever rounding made of it. A score is a sum of
    // products of unit vectors in some order, off by at most one unit in the last place of 1 per pair.
    let slack = (n_pairs as f64 * f64::EPSILON).max(OF_SCORES);
    let all: Vec<&Array2<f64>> = all.iter().flatten().collect();
    let sizes: Array1<f64> = (0..subjects.len()).map(|s| groups.size_with(s)).collect();
    let mean = |scores: &Array2<f64>| (scores / &sizes).sum_axis(Axis(1)) / groups.len() as f64;
    let means: Vec<Array1<f64>> = all.iter().map(|scores| mean(scores)).collect();
    let of_means = Reached::of(mean(&own).view(), means.iter().map(|scores| scores.view()), slack);
    let of_subject =
        |s: usize| Reached::of(own.column(s), all.iter().map(move |scores: &&Array2<f64>| scores.column(s)), slack);
    Ok(Permuted { of_means, of_subjects: (0..subjects.len()).map(of_subject).collect() })
}

impl Reached {
    /// `own` and every one of `drawn` have a score per model.
    fn of<'s>(own: ArrayView1<f64>, drawn: impl Iterator<Item = ArrayView1<'s, f64>>, slack: f64) -> Reached {
        let n_models = own.len();
        let with_score: Vec<usize> = (0..n_models).filter(|&m| !own[m].is_nan()).collect();
        let (mut reached, mut reached_by_any) = (vec![1.0; n_models], vec![1.0; n_models]);
        let (mut n, mut n_of_all) = (vec![0; n_models], 0);
        for drawn in drawn {
            let complete = with_score.iter().all(|&m| !drawn[m].is_nan());
            let largest = with_score.iter().fold(f64::NEG_INFINITY, |largest, &m| largest.max(drawn[m]));
            n_of_all += usize::from(complete);
            for m in 0..n_models {
                n[m] += usize::from(!drawn[m].is_nan());
                reached[m] += f64::from(u8::from(drawn[m] >= own[m] - slack));
                reached_by_any[m] += f64::from(u8::from(complete && largest >= own[m] - slack));
            }
        }
        let share = |b: f64, n: usize, m: usize| if own[m].is_nan() { f64::NAN } else { b / (1.0 + n as f64) };
        let p: Vec<f64> = (0..n_models).map(|m| share(reached[m], n[m], m)).collect();
        // Never surer than the model alone, though other models may leave out permutations.
        let p_max = (0..n_models).map(|m| share(reached_by_any[m], n_of_all, m).max(p[m])).collect();
        Reached { p, n, p_max }
    }
}

/// Unit vectors whose products are the scores: all permutations are products of one side with the other, shuffled.
struct Prepared {
    models: Array2<f64>,
    subjects: Array2<f64>,
    n_stimuli: usize,
}

impl Prepared {
    fn new(models: &[Rdm], subjects: &[Rdm], how: Comparison, n_stimuli: usize) -> Result<Prepared, RdmError> {
        let kept = vec![true; n_stimuli * n_stimuli.saturating_sub(1) / 2];
        let all = |rdms: &[Rdm]| {
            let values: Vec<&[f64]> = rdms.iter().map(Rdm::values).collect();
            prepared(&values, how, &kept, None)
        };
        Ok(Prepared { models: all(models)?, subjects: all(subjects)?, n_stimuli })
    }

    /// Scores with the subjects in these orders, or, where they are fewer, the models in the inverse ones: the same.
    fn scores(&self, orders: &[Vec<usize>]) -> Vec<Array2<f64>> {
        let of_models = self.models.nrows() < self.subjects.nrows();
        let (stay, moved) = if of_models { (&self.subjects, &self.models) } else { (&self.models, &self.subjects) };
        let mut shuffled = Array2::zeros((orders.len() * moved.nrows(), moved.ncols()));
        let places = shuffled.rows_mut().into_iter();
        let mut inverse = vec![0; self.n_stimuli];
        for (k, mut to) in places.enumerate() {
            let (order, from) = (&orders[k / moved.nrows()], moved.row(k % moved.nrows()));
            order.iter().enumerate().for_each(|(place, &stimulus)| inverse[stimulus] = place);
            self.shuffle(from, if of_models { &inverse } else { order }, &mut to);
        }
        let found = product(stay.view(), shuffled.t());
        let of_order = |found: ArrayView2<f64>| if of_models { found.t().to_owned() } else { found.to_owned() };
        found.axis_chunks_iter(Axis(1), moved.nrows()).map(of_order).collect()
    }

    fn shuffle(&self, from: ArrayView1<f64>, order: &[usize], to: &mut ArrayViewMut1<f64>) {
        let n = self.n_stimuli;
        let mut cells = to.iter_mut();
        for i in 0..n {
            for (j, cell) in (i + 1..n).zip(&mut cells) {
                let (a, b) = (order[i].min(order[j]), order[i].max(order[j]));
                *cell = from[a * (2 * n - a - 1) / 2 + (b - a - 1)];
            }
        }
        // The diagonal that whitening appends.
        cells.enumerate().for_each(|(i, cell)| *cell = from[n * n.saturating_sub(1) / 2 + order[i]]);
    }
}
