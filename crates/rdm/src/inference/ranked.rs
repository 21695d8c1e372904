//! Rank comparisons under weights: the order of every RDM is known before the first draw.

use linear_algebra::product;
use ndarray::Array2;
use statistics::bounded;
use statistics::concordance::{Order, Scratch, concordance};
use statistics::rounding::resolution;

use super::{Evaluated, SubjectPart};
use crate::Comparison;

/// Orders of the values over the pairs in use, models before subjects.
pub(crate) struct Ranked<'a> {
    how: Comparison,
    n_models: usize,
    /// The two stimuli of the pairs in use, and where they stand in an RDM.
    pairs: Vec<(u32, u32)>,
    places: Vec<u32>,
    orders: Vec<Order>,
    /// The RDMs as they were given, and the difference up to which two of their values are equal but for rounding.
    values: Vec<(&'a [f64], f64)>,
}

/// The subjects of one draw.
pub(crate) struct SubjectRanks {
    how: Comparison,
    weights: Vec<u32>,
    orders: Vec<Order>,
    /// Average ranks.
    ranks: Vec<Vec<f64>>,
    /// Which are constant over the pairs drawn.
    constant: Vec<bool>,
}

impl<'a> Ranked<'a> {
    pub fn new(models: &[&'a [f64]], subjects: &[&'a [f64]], kept: &[bool], how: Comparison) -> Ranked<'a> {
        let n = crate::matrix::n_stimuli_of(kept.len()) as u32;
        let all_pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
        let pairs = all_pairs.zip(kept).filter(|(_, kept)| **kept).map(|(pair, _)| pair).collect();
        let places = (0u32..).zip(kept).filter(|(_, kept)| **kept).map(|(place, _)| place).collect();
        let cut = |values: &[f64]| -> Vec<f64> {
            values.iter().zip(kept).filter(|(_, kept)| **kept).map(|(v, _)| *v).collect()
        };
        let of = |values: &'a [f64]| {
            let used = cut(values);
            (Order::of(&used), (values, resolution(&used)))
        };
        let (orders, values) = models.iter().chain(subjects).map(|values| of(values)).unzip();
        Ranked { how, n_models: models.len(), pairs, places, orders, values }
    }

    /// Whether an RDM is constant over the pairs drawn, whose places among those in use `drawn` holds.
    fn is_constant(&self, rdm: usize, order: &Order, drawn: &[u32]) -> bool {
        let (values, resolution) = self.values[rdm];
        let value = |place: usize| values[self.places[drawn[place] as usize] as usize];
        order.ends().is_none_or(|(least, most)| value(most) - value(least) <= resolution)
    }

    /// Scores when stimulus i was drawn `c[i]` times.
    pub fn evaluate(&self, c: &[u32]) -> Evaluated {
        let mut place = vec![u32::MAX; self.pairs.len()];
        let (mut weights, mut drawn) = (Vec::new(), Vec::new());
        for ((pair, place), &(i, j)) in (0u32..).zip(place.iter_mut()).zip(&self.pairs) {
            let weight = c[i as usize] * c[j as usize];
            if weight > 0 {
                *place = weights.len() as u32;
                weights.push(weight);
                drawn.push(pair);
            }
        }
        let mut orders: Vec<Order> = self.orders.iter().map(|order| order.select(&place, &weights)).collect();
        let constant: Vec<bool> =
            orders.iter().enumerate().map(|(rdm, order)| self.is_constant(rdm, order, &drawn)).collect();
        let brains = orders.split_off(self.n_models);
        let ranks: Vec<Vec<f64>> = brains.iter().map(|order| order.average_ranks(&weights)).collect();
        let mut scores = match self.how {
            Comparison::Spearman | Comparison::RhoA => {
                let models: Vec<Vec<f64>> = orders.iter().map(|order| order.average_ranks(&weights)).collect();
                similarities(&models, &ranks, &weights, self.how)
            }
            _ => {
                let mut scratch = Scratch::default();
                Array2::from_shape_fn((orders.len(), brains.len()), |(m, s)| {
                    tau(&orders[m], &brains[s], &weights, self.how, &mut scratch)
                })
            }
        };
        for ((m, s), score) in scores.indexed_iter_mut() {
            if constant[m] || constant[self.n_models + s] {
                *score = f64::NAN;
            }
        }
        let constant = constant[self.n_models..].to_vec();
        let subjects = SubjectPart::Ranked(SubjectRanks { how: self.how, weights, orders: brains, ranks, constant });
        Evaluated { scores, subjects }
    }
}

fn tau(x: &Order, y: &Order, weights: &[u32], how: Comparison, scratch: &mut Scratch) -> f64 {
    let counts = concordance(x, y, weights, scratch);
    if how == Comparison::TauA { counts.tau_a() } else { counts.tau_b() }
}

/// Spearman or rho-a of average ranks: `sum w x y` of centred ranks over the root of the products of their squares, or
/// over `(W^3 - W) / 12` with `W = sum w`.
fn similarities(models: &[Vec<f64>], subjects: &[Vec<f64>], weights: &[u32], how: Comparison) -> Array2<f64> {
    let total: f64 = weights.iter().map(|w| f64::from(*w)).sum();
    let middle = (total + 1.0) / 2.0;
    let n = weights.len();
    let centred = |ranks: &[Vec<f64>], weigh: bool| {
        let mut all = Vec::with_capacity(ranks.len() * n);
        for ranks in ranks {
            match weigh {
                true => all.extend(ranks.iter().zip(weights).map(|(r, w)| f64::from(*w) * (r - middle))),
                false => all.extend(ranks.iter().map(|r| r - middle)),
            }
        }
        Array2::from_shape_vec((ranks.len(), n), all).unwrap_or_default()
    };
    let mut scores = product(centred(models, false).view(), centred(subjects, true).t());
    if how == Comparison::RhoA {
        scores.mapv_inplace(|score| bounded(score * 12.0 / (total * total * total - total)));
        return scores;
    }
    let length = |ranks: &Vec<f64>| -> f64 {
        let squares = ranks.iter().zip(weights).map(|(r, w)| f64::from(*w) * (r - middle) * (r - middle));
        squares.sum::<f64>().sqrt()
    };
    let (of_models, of_subjects): (Vec<f64>, Vec<f64>) =
        (models.iter().map(length).collect(), subjects.iter().map(length).collect());
    for ((m, s), score) in scores.indexed_iter_mut() {
        // 0 / 0, the NaN that a constant has.
        *score = bounded(*score / (of_models[m] * of_subjects[s]));
    }
    scores
}

impl SubjectRanks {
    /// The pool of ranks is ranked again in every draw, the one thing here that needs sorting.
    /// `group` has the number of every subject's group, all of which is left out of the lower bound; `weights` say how
    /// much each subject counts in a pool.
    pub fn bounds(&self, weights: &[f64], distinct: &[usize], group: &[usize]) -> [Vec<f64>; 2] {
        let n = self.weights.len();
        let mut all = vec![0.0; n];
        for &s in distinct {
            all.iter_mut().zip(&self.ranks[s]).for_each(|(sum, rank)| *sum += weights[s] * rank);
        }
        let pool_of_all = order_of(&all, &self.weights);
        let mut scratch = Scratch::default();
        let (mut lower, mut upper) = (Vec::new(), Vec::new());
        for &s in distinct {
            // Ranks are multiples of 1/2 and weights whole: their sums and differences are exact, and so are ties.
            let mut others = all.clone();
            for &own in distinct.iter().filter(|own| group[**own] == group[s]) {
                others.iter_mut().zip(&self.ranks[own]).for_each(|(sum, rank)| *sum -= weights[own] * rank);
            }
            lower.push(self.against(&order_of(&others, &self.weights), s, &mut scratch));
            upper.push(self.against(&pool_of_all, s, &mut scratch));
        }
        [lower, upper]
    }

    fn against(&self, pool: &Order, subject: usize, scratch: &mut Scratch) -> f64 {
        if self.constant[subject] {
            return f64::NAN;
        }
        match self.how {
            Comparison::Spearman | Comparison::RhoA => {
                let pool = pool.average_ranks(&self.weights);
                similarities(&[pool], &self.ranks[subject..=subject], &self.weights, self.how)[(0, 0)]
            }
            _ => tau(pool, &self.orders[subject], &self.weights, self.how, scratch),
        }
    }
}

/// Sums of ranks sort as integers, unless weights were no whole numbers.
fn order_of(sums: &[f64], weights: &[u32]) -> Order {
    let as_they_are: Vec<u32> = (0..weights.len() as u32).collect();
    sorted(sums).select(&as_they_are, weights)
}

fn sorted(sums: &[f64]) -> Order {
    let largest = sums.iter().fold(0.0, |largest: f64, v| largest.max(*v));
    if 2.0 * largest < f64::from(u32::MAX) && sums.iter().all(|v| (2.0 * v).fract() == 0.0) {
        let doubled: Vec<u32> = sums.iter().map(|v| (2.0 * v) as u32).collect();
        return Order::of_integers(&doubled);
    }
    Order::of(sums)
}
