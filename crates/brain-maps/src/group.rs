//! Tests over subjects' maps, and p corrected over all points by relabelling subjects.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;
use statistics::mean_test::{MeanTest, OneSidedP, estimate_test};
use statistics::rounding::resolution;
use statistics::signed_rank::Tail;
use statistics::{Reason, dot};

use crate::Adjacency;
use crate::clusters::Clusters;
use crate::relabelling::{Relabelling, Relabellings};
use crate::tfce::Enhancer;

/// Which side of 0 counts as an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Above 0.
    Greater,
    /// Below 0.
    Less,
    /// Either.
    TwoSided,
}

impl Side {
    /// Natural logarithm of the p of a t.
    pub fn ln_p(self, t: f64, df: f64) -> f64 {
        match self {
            Side::Greater => OneSidedP::of_t(t, df).ln_p,
            Side::Less => OneSidedP::of_t(-t, df).ln_p,
            // f64::min would turn NaN into 0.
            Side::TwoSided => match OneSidedP::of_t(t.abs(), df).ln_p + std::f64::consts::LN_2 {
                above if above > 0.0 => 0.0,
                ln_p => ln_p,
            },
        }
    }

    /// How far a value lies on this side.
    pub fn height(self, value: f64) -> f64 {
        match self {
            Side::Greater => value,
            Side::Less => -value,
            Side::TwoSided => value.abs(),
        }
    }

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Greater => "greater",
            Side::Less => "less",
            Side::TwoSided => "two-sided",
        }
    }

    /// Signs to look at a map with: what is above 0 of each is of this side.
    fn signs(self) -> &'static [f64] {
        match self {
            Side::Greater => &[1.0],
            Side::Less => &[-1.0],
            Side::TwoSided => &[1.0, -1.0],
        }
    }
}

/// A model that cannot be tested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// Fewer maps than columns of the model.
    #[error("{n} maps and {columns} columns of the model; a test needs at least one map more than columns")]
    TooFew {
        /// Maps.
        n: usize,
        /// Columns of the model.
        columns: usize,
    },
    /// A covariate that the others say already.
    #[error("covariate {0} (from 0) is constant, or the covariates before it say it already; leave it out")]
    Redundant(usize),
    /// The effect cannot be told from the covariates.
    #[error("the covariates say already what is tested (a group is all of one value); there is nothing left to test")]
    Confounded,
    /// A group without maps.
    #[error("{0} maps in one group and {1} in the other; each needs at least 1")]
    EmptyGroup(usize, usize),
}

/// What is tested: the mean over maps, or the difference of two groups, with covariates beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupModel {
    /// Orthonormal columns that span the covariates (and, of two groups, the mean of all maps, which comes first).
    nuisance: Vec<Vec<f64>>,
    /// What is left of the effect's column, and its squared length.
    effect: Vec<f64>,
    squared: f64,
    /// The rows of the first of two groups.
    first: Option<Vec<bool>>,
}

impl GroupModel {
    /// The mean of `n` maps; `covariates` hold a number per map each and are centred, so that the mean is that at
    /// average covariates.
    pub fn one_sample(n: usize, covariates: &[Vec<f64>]) -> Result<GroupModel, GroupError> {
        let centred: Vec<Vec<f64>> = covariates.iter().map(|column| without(column, &[constant(n)])).collect();
        GroupModel::new(vec![1.0; n], Vec::new(), &centred, covariates, None)
    }

    /// The mean of the maps of the first group minus that of the others, at equal covariates.
    pub fn two_sample(first: &[bool], covariates: &[Vec<f64>]) -> Result<GroupModel, GroupError> {
        let n_first = first.iter().filter(|first| **first).count();
        if n_first == 0 || n_first == first.len() {
            return Err(GroupError::EmptyGroup(n_first, first.len() - n_first));
        }
        let effect = first.iter().map(|&first| f64::from(first)).collect();
        GroupModel::new(effect, vec![constant(first.len())], covariates, covariates, Some(first.to_vec()))
    }

    fn new(
        effect: Vec<f64>,
        mut nuisance: Vec<Vec<f64>>,
        covariates: &[Vec<f64>],
        as_given: &[Vec<f64>],
        first: Option<Vec<bool>>,
    ) -> Result<GroupModel, GroupError> {
        let columns = 1 + nuisance.len() + covariates.len();
        if effect.len() <= columns {
            return Err(GroupError::TooFew { n: effect.len(), columns });
        }
        for (number, (column, given)) in covariates.iter().zip(as_given).enumerate() {
            let left = without(column, &nuisance);
            let length = dot(&left, &left).sqrt();
            if length <= 1e-10 * dot(given, given).sqrt() {
                return Err(GroupError::Redundant(number));
            }
            nuisance.push(left.iter().map(|v| v / length).collect());
        }
        let left = without(&effect, &nuisance);
        let squared = dot(&left, &left);
        if squared <= 1e-20 * dot(&effect, &effect) {
            return Err(GroupError::Confounded);
        }
        Ok(GroupModel { nuisance, effect: left, squared, first })
    }

    /// Maps.
    pub fn n(&self) -> usize {
        self.effect.len()
    }

    /// Degrees of freedom of the residuals.
    pub fn df(&self) -> f64 {
        (self.n() - 1 - self.nuisance.len()) as f64
    }

    /// The effect at each column of `maps` (rows are maps), by least squares: estimate, standard error, t, and the
    /// one-sided p of an effect above 0. A column that the model leaves nothing of but rounding is `constant`.
    pub fn tests(&self, maps: ArrayView2<f64>) -> Vec<MeanTest> {
        let columns = maps.axis_iter(Axis(1)).into_par_iter();
        columns.map(|column| self.test(column)).collect()
    }

    fn test(&self, column: ArrayView1<f64>) -> MeanTest {
        let values = column.to_vec();
        let none = |reason| MeanTest { t: f64::NAN, p: f64::NAN, reason: Some(reason), ..self.of(f64::NAN, f64::NAN) };
        if let Some(reason) = Reason::of(&values) {
            return none(reason);
        }
        let left = without(&values, &self.nuisance);
        let estimate = dot(&self.effect, &left) / self.squared;
        let residuals: Vec<f64> = left.iter().zip(&self.effect).map(|(v, x)| v - estimate * x).collect();
        let squares = dot(&residuals, &residuals);
        let largest = values.iter().fold(0.0, |largest: f64, v| largest.max(v.abs()));
        let rounding = resolution(&values).max(8.0 * f64::EPSILON * largest);
        if squares <= self.n() as f64 * rounding * rounding {
            return MeanTest { estimate, se: 0.0, ..none(Reason::Constant) };
        }
        self.of(estimate, (squares / self.df() / self.squared).sqrt())
    }

    fn of(&self, estimate: f64, se: f64) -> MeanTest {
        estimate_test(estimate, 0.0, se, self.df(), Tail::Greater, 0.0)
    }

    /// The relabellings under which nothing changes where there is no effect: signs of maps for a mean, exchanges of
    /// maps for a difference of groups. With covariates it is the residuals that are relabelled (Freedman and Lane
    /// 1983; Winkler et al. 2014), so that exchanges are orders of all maps.
    pub fn relabellings(&self, wanted: u64, seed: u64) -> Relabellings {
        match &self.first {
            None => Relabellings::flips(self.n(), wanted, seed),
            Some(first) if self.nuisance.len() == 1 => Relabellings::groups(first, wanted, seed),
            Some(first) => Relabellings::orders(first.len(), wanted, seed),
        }
    }

    /// The nuisance columns that relabelling changes: all but the mean of exchanged maps.
    fn relabelled(&self) -> &[Vec<f64>] {
        &self.nuisance[usize::from(self.first.is_some())..]
    }
}

/// The column of length 1 that is the same in each of `n` rows.
fn constant(n: usize) -> Vec<f64> {
    vec![1.0 / (n as f64).sqrt(); n]
}

/// A column without what orthonormal ones say of it; taken twice, for what rounding left the first time.
fn without(column: &[f64], basis: &[Vec<f64>]) -> Vec<f64> {
    let mut left = column.to_vec();
    for _ in 0..2 {
        for q in basis {
            let share = dot(q, &left);
            left.iter_mut().zip(q).for_each(|(v, q)| *v -= share * q);
        }
    }
    left
}

/// What is compared between the observed map and relabelled ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Enhance {
    /// The t of each point.
    MaxT,
    /// The number of points of the cluster above a t.
    ClusterExtent(f64),
    /// What the t of a cluster's points are above that t, summed.
    ClusterMass(f64),
    /// The enhanced t of each point ([`crate::tfce()`]).
    Tfce,
}

/// A statistic of every point, and the cluster it is of (0 where none; 0 everywhere but for clusters).
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// The statistic.
    pub statistic: Vec<f64>,
    /// Numbers of clusters from 1: those above 0 in order of their first point, then those below.
    pub clusters: Vec<u32>,
}

/// A test over all relabellings, which keeps the largest statistic of each.
pub struct Permutations<'a> {
    model: &'a GroupModel,
    /// Maps without the nuisance columns, each point of length 1 over maps: rows are maps.
    residuals: Array2<f64>,
    adjacency: Option<&'a Adjacency>,
    relabellings: Relabellings,
    enhance: Enhance,
    side: Side,
}

/// Points that are worked on together: their residuals of 16 maps are half of a core's second-level cache.
const BLOCK: usize = 1024;
/// Relabellings that go through a block while it is there.
const BATCH: usize = 16;

/// Memory of one thread.
#[derive(Default)]
struct Scratch {
    t: Vec<f64>,
    turned: Vec<f64>,
    enhanced: Vec<f64>,
    clusters: Clusters,
    enhancer: Enhancer,
}

impl<'a> Permutations<'a> {
    /// Of maps (rows) whose every column has a t. `adjacency` is of the columns; all but [`Enhance::MaxT`] need it.
    ///
    /// # Panics
    /// When there is no adjacency where one is needed, or it is of another number of points.
    pub fn new(
        model: &'a GroupModel,
        maps: Array2<f64>,
        adjacency: Option<&'a Adjacency>,
        relabellings: Relabellings,
        (enhance, side): (Enhance, Side),
    ) -> Permutations<'a> {
        assert!(enhance == Enhance::MaxT || adjacency.is_some(), "clusters need to know who is whose neighbour");
        adjacency.iter().for_each(|a| assert_eq!(a.len(), maps.ncols(), "points of the adjacency, of the maps"));
        let mut maps = if maps.is_standard_layout() { maps } else { maps.as_standard_layout().into_owned() };
        maps.axis_iter_mut(Axis(1)).into_par_iter().for_each(|mut column| {
            let left = without(&column.to_vec(), &model.nuisance);
            let length = dot(&left, &left).sqrt();
            column.iter_mut().zip(left).for_each(|(to, v)| *to = v / length);
        });
        Permutations { model, residuals: maps, adjacency, relabellings, enhance, side }
    }

    /// The relabellings that it goes through.
    pub fn relabellings(&self) -> &Relabellings {
        &self.relabellings
    }

    /// The statistic of every point as observed.
    pub fn observed(&self) -> Observed {
        let mut scratch = Scratch::default();
        self.t_map(&Relabelling::AS_OBSERVED, &mut scratch.t);
        let n = scratch.t.len();
        let mut observed = Observed { statistic: vec![0.0; n], clusters: vec![0; n] };
        let mut n_clusters = 0;
        for &sign in self.side.signs() {
            let turned: Vec<f64> = scratch.t.iter().map(|t| sign * t).collect();
            match self.enhance {
                Enhance::MaxT => {}
                Enhance::Tfce => {
                    scratch.enhanced.resize(n, 0.0);
                    scratch.enhancer.enhance(self.neighbours(), &turned, &mut scratch.enhanced);
                    observed.statistic.iter_mut().zip(&scratch.enhanced).for_each(|(sum, one)| *sum += one);
                }
                Enhance::ClusterExtent(threshold) | Enhance::ClusterMass(threshold) => {
                    let found = &mut scratch.clusters;
                    found.find(self.neighbours(), &turned, threshold);
                    for (point, &label) in found.labels.iter().enumerate().filter(|(_, label)| **label > 0) {
                        observed.clusters[point] = n_clusters + label;
                        observed.statistic[point] = match self.enhance {
                            Enhance::ClusterExtent(_) => found.extents[label as usize - 1] as f64,
                            _ => found.masses[label as usize - 1],
                        };
                    }
                    n_clusters += found.n_clusters() as u32;
                }
            }
        }
        if self.enhance == Enhance::MaxT {
            observed.statistic = scratch.t.iter().map(|&t| self.side.height(t)).collect();
        }
        observed
    }

    /// The largest statistic over all points of each of these relabellings; the same whatever thread took which.
    pub fn maxima(&self, numbers: Range<u64>) -> Vec<f64> {
        let numbers: Vec<u64> = numbers.collect();
        let plain = self.enhance == Enhance::MaxT && self.model.relabelled().is_empty();
        let batches = numbers.par_chunks(if plain { BATCH } else { 1 });
        let found = batches.map_init(Scratch::default, |scratch, batch| match plain {
            true => self.largest_shares(batch),
            false => batch.iter().map(|&number| self.maximum(number, scratch)).collect(),
        });
        found.flatten_iter().collect()
    }

    /// The p of each point: how many of the maxima are at least its statistic.
    pub fn corrected(&self, statistic: &[f64], maxima: &[f64]) -> Vec<f64> {
        let mut sorted = maxima.to_vec();
        sorted.sort_by(f64::total_cmp);
        let p = |statistic: f64| {
            // Relabellings that are the observed one in other words differ from it by rounding alone.
            let bound = statistic - 1e-10 * statistic.abs();
            self.relabellings.p(sorted.len() - sorted.partition_point(|&largest| largest < bound))
        };
        statistic.iter().map(|&statistic| if statistic.is_nan() { f64::NAN } else { p(statistic) }).collect()
    }

    fn neighbours(&self) -> &Adjacency {
        self.adjacency.expect("`new` asks for it")
    }

    /// A column of the model, relabelled, times the residuals of some points.
    fn project(&self, weights: &[f64], points: Range<usize>, out: &mut [f64]) {
        out.fill(0.0);
        let n = weights.len();
        let row = |i: usize| &self.residuals.row(i).to_slice().expect("rows lie together")[points.clone()];
        let mut i = 0;
        while i + 4 <= n {
            let (a, b, c, d) = (row(i), row(i + 1), row(i + 2), row(i + 3));
            let w = &weights[i..i + 4];
            for (at, out) in out.iter_mut().enumerate() {
                *out += (w[0] * a[at] + w[1] * b[at]) + (w[2] * c[at] + w[3] * d[at]);
            }
            i += 4;
        }
        for (i, weight) in weights.iter().enumerate().skip(i) {
            out.iter_mut().zip(row(i)).for_each(|(out, v)| *out += weight * v);
        }
    }

    /// The largest t of relabellings that leave the nuisance as it is: t rises with the share of a point's length that
    /// the effect's column takes, so the largest share is looked for and one t made of it.
    fn largest_shares(&self, batch: &[u64]) -> Vec<f64> {
        let unit = self.unit_effect();
        let weights: Vec<Vec<f64>> = batch.iter().map(|&number| self.relabellings.get(number).of(&unit)).collect();
        let mut largest = vec![f64::NEG_INFINITY; batch.len()];
        let mut shares = [0.0; BLOCK];
        let n = self.residuals.ncols();
        for start in (0..n).step_by(BLOCK) {
            let points = start..n.min(start + BLOCK);
            let shares = &mut shares[..points.len()];
            for (weights, largest) in weights.iter().zip(&mut largest) {
                self.project(weights, points.clone(), shares);
                *largest = match self.side {
                    Side::Greater => shares.iter().fold(*largest, |most, &v| if v > most { v } else { most }),
                    Side::Less => shares.iter().fold(*largest, |most, &v| if -v > most { -v } else { most }),
                    Side::TwoSided => {
                        shares.iter().fold(*largest, |most, v| if v.abs() > most { v.abs() } else { most })
                    }
                };
            }
        }
        largest.into_iter().map(|share| self.t_of(share, 1.0)).collect()
    }

    fn unit_effect(&self) -> Vec<f64> {
        let length = self.model.squared.sqrt();
        self.model.effect.iter().map(|v| v / length).collect()
    }

    /// t of the effect's share in a point's residuals, of which the nuisance leaves `left` of a squared length of 1.
    fn t_of(&self, share: f64, left: f64) -> f64 {
        share * (self.model.df() / (left - share * share).max(0.0)).sqrt()
    }

    /// The t map of a relabelling.
    fn t_map(&self, relabelling: &Relabelling, t: &mut Vec<f64>) {
        let n = self.residuals.ncols();
        t.resize(n, 0.0);
        let effect = relabelling.of(&self.unit_effect());
        let nuisance: Vec<Vec<f64>> = self.model.relabelled().iter().map(|q| relabelling.of(q)).collect();
        let (mut left, mut share) = ([1.0; BLOCK], [0.0; BLOCK]);
        for start in (0..n).step_by(BLOCK) {
            let points = start..n.min(start + BLOCK);
            let out = &mut t[points.clone()];
            let (left, share) = (&mut left[..out.len()], &mut share[..out.len()]);
            left.fill(1.0);
            for q in &nuisance {
                self.project(q, points.clone(), share);
                left.iter_mut().zip(&*share).for_each(|(left, share)| *left -= share * share);
            }
            self.project(&effect, points, out);
            out.iter_mut().zip(&*left).for_each(|(t, &left)| *t = self.t_of(*t, left));
        }
    }

    fn maximum(&self, number: u64, scratch: &mut Scratch) -> f64 {
        self.t_map(&self.relabellings.get(number), &mut scratch.t);
        let mut largest = if self.enhance == Enhance::MaxT { f64::NEG_INFINITY } else { 0.0 };
        for &sign in self.side.signs() {
            let turned = &mut scratch.turned;
            turned.clear();
            turned.extend(scratch.t.iter().map(|t| sign * t));
            let one = match self.enhance {
                Enhance::MaxT => turned.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                Enhance::Tfce => {
                    scratch.enhanced.resize(turned.len(), 0.0);
                    scratch.enhancer.enhance(self.neighbours(), turned, &mut scratch.enhanced)
                }
                Enhance::ClusterExtent(threshold) => {
                    scratch.clusters.find(self.neighbours(), turned, threshold);
                    scratch.clusters.extents.iter().copied().max().unwrap_or(0) as f64
                }
                Enhance::ClusterMass(threshold) => {
                    scratch.clusters.find(self.neighbours(), turned, threshold);
                    scratch.clusters.masses.iter().copied().fold(0.0, f64::max)
                }
            };
            largest = largest.max(one);
        }
        largest
    }
}

#[cfg(test)]
mod tests;
