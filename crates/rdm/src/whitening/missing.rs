//! A given covariance of stimuli with RDMs that miss pairs.
//!
//! Over the pairs that are there, `x' V^-1 y` wants the inverse of that part of `V`, which is no part of the inverse.
//! It is what is left where the missing dissimilarities are put in so that `x' W x` with `W = V^-1` of all pairs is
//! smallest: their gradient is then 0, and `W` times the completed `x` is the smaller inverse times `x`. With
//! `W(x, y) = tr(M X M Y) / 4` that is a system of as many unknowns as pairs are missing: the missing (k,l) solve
//! `sum_kl (M_ik M_jl + M_il M_jk) x_kl = -(M X M)_ij` for every missing (i,j), `X` with 0 in their place.
//!
//! A stimulus that misses all its pairs is left out of the covariance, which says the same of the others.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use linear_algebra::{Cholesky, product};
use ndarray::{Array2, Axis};

use super::StimulusCovariance;
use crate::RdmError;
use crate::matrix::n_stimuli_of;

/// Missing pairs between stimuli that have others, up to which the system is solved (a matrix of their number squared).
pub(super) const LARGEST: usize = 4096;

fn pairs_of(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)))
}

/// Which stimuli have a pair that is there.
fn have_pairs(n: usize, kept: &[bool]) -> Vec<bool> {
    let mut used = vec![false; n];
    pairs_of(n).zip(kept).filter(|(_, kept)| **kept).for_each(|((i, j), _)| (used[i], used[j]) = (true, true));
    used
}

/// How many pairs are missing between stimuli that have others.
pub(super) fn n_missing(kept: &[bool]) -> usize {
    let n = n_stimuli_of(kept.len());
    let used = have_pairs(n, kept);
    pairs_of(n).zip(kept).filter(|((i, j), kept)| !**kept && used[*i] && used[*j]).count()
}

/// Completions that were made under one covariance: those of a ceiling or of many models are asked for again and again.
/// The last ones are kept, of at most two of the largest systems.
#[derive(Default)]
pub(super) struct Completions(Box<Mutex<VecDeque<Made>>>);

/// The pairs that are there, and the completion of the others.
type Made = (Vec<bool>, Arc<Completion>);

impl Completions {
    /// The completion for these pairs, made when it is not there.
    pub fn of(&self, covariance: &StimulusCovariance, kept: &[bool]) -> Result<Arc<Completion>, RdmError> {
        // Nothing is left half done by a thread that stopped here.
        let made = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = made().iter().find(|(of, _)| of == kept) {
            return Ok(Arc::clone(found));
        }
        // Not under the lock: others go on, and at worst two threads make the same.
        let new = Arc::new(Completion::new(covariance, kept)?);
        let mut made = made();
        made.push_back((kept.to_vec(), Arc::clone(&new)));
        let size = |(_, one): &Made| one.missing.len().pow(2) + one.m.len();
        while made.len() > 1 && made.iter().map(size).sum::<usize>() > 2 * LARGEST * LARGEST {
            made.pop_front();
        }
        Ok(new)
    }
}

impl Clone for Completions {
    /// Empty: they are made again where they are needed.
    fn clone(&self) -> Completions {
        Completions::default()
    }
}

impl PartialEq for Completions {
    /// They follow from the covariance.
    fn eq(&self, _: &Completions) -> bool {
        true
    }
}

impl fmt::Debug for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Completions")
    }
}

/// What puts dissimilarities in the place of missing ones.
pub(super) struct Completion {
    covariance: StimulusCovariance,
    m: Array2<f64>,
    /// Place of every pair that is there.
    kept: Vec<(usize, usize)>,
    missing: Vec<(usize, usize)>,
    factor: Cholesky,
}

impl Completion {
    /// `kept` marks the pairs that are there, some of all.
    pub fn new(covariance: &StimulusCovariance, kept: &[bool]) -> Result<Completion, RdmError> {
        let n = n_stimuli_of(kept.len());
        let has_pairs = have_pairs(n, kept);
        let used: Vec<usize> = (0..n).filter(|i| has_pairs[*i]).collect();
        let mut place = vec![None; n];
        used.iter().enumerate().for_each(|(k, i)| place[*i] = Some(k));
        let (mut there, mut missing) = (Vec::new(), Vec::new());
        for ((i, j), kept) in pairs_of(n).zip(kept) {
            if let (Some(i), Some(j)) = (place[i], place[j]) {
                if *kept { &mut there } else { &mut missing }.push((i, j));
            }
        }
        if missing.len() > LARGEST {
            return Err(RdmError::CovarianceWithMissingPairs {
                n_nan: missing.len(),
                n_pairs: kept.len(),
                largest: LARGEST,
            });
        }
        let sigma = covariance.sigma.select(Axis(0), &used).select(Axis(1), &used);
        let covariance = StimulusCovariance::new(sigma.view())?;
        let m = product(covariance.half.view(), covariance.half.t());
        let system = Array2::from_shape_fn((missing.len(), missing.len()), |(p, q)| {
            let ((i, j), (k, l)) = (missing[p], missing[q]);
            m[(i, k)] * m[(j, l)] + m[(i, l)] * m[(j, k)]
        });
        // A principal part of the inverse of a covariance of distances.
        let not_positive = |_| RdmError::CovarianceNotPositive { n: used.len() };
        let factor = Cholesky::new(system.view()).map_err(not_positive)?;
        Ok(Completion { covariance, m, kept: there, missing, factor })
    }

    /// The whitened vector of the values that are there.
    pub fn embed(&self, values: &[f64]) -> Result<Vec<f64>, RdmError> {
        let n = self.covariance.n_stimuli();
        let mut square = Array2::zeros((n, n));
        for (&(i, j), value) in self.kept.iter().zip(values) {
            square[(i, j)] = *value;
            square[(j, i)] = *value;
        }
        if !self.missing.is_empty() {
            let gradient = product(self.m.view(), product(square.view(), self.m.view()).view());
            let right = Array2::from_shape_fn((self.missing.len(), 1), |(p, _)| -gradient[self.missing[p]]);
            let solved = self.factor.solve(right.view()).map_err(|_| RdmError::CovarianceNotPositive { n })?;
            for (&(i, j), value) in self.missing.iter().zip(&solved) {
                square[(i, j)] = *value;
                square[(j, i)] = *value;
            }
        }
        let all: Vec<f64> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).map(|pair| square[pair]).collect();
        Ok(self.covariance.embed(&all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;

    #[test]
    fn one_completion_for_each_pattern_of_missing_pairs() {
        let mixing = noise(7, 9, 3);
        let sigma = StimulusCovariance::new(mixing.dot(&mixing.t()).view()).unwrap();
        let patterns: Vec<Vec<bool>> = (2..5).map(|by| (0..21).map(|pair| pair % by != 1).collect()).collect();
        for kept in patterns.iter().chain(&patterns) {
            let values: Vec<f64> = (0..kept.iter().filter(|k| **k).count()).map(|k| k as f64 + 0.5).collect();
            let fresh = Completion::new(&sigma, kept).unwrap().embed(&values).unwrap();
            assert_eq!(sigma.completions.of(&sigma, kept).unwrap().embed(&values).unwrap(), fresh);
        }
        assert_eq!(sigma.completions.0.lock().unwrap().len(), 3);
        let first = sigma.completions.of(&sigma, &patterns[1]).unwrap();
        assert!(Arc::ptr_eq(&first, &sigma.completions.of(&sigma, &patterns[1]).unwrap()));
        assert_eq!(sigma.clone(), sigma);
        assert!(sigma.completions.of(&sigma, &patterns[1]).is_ok());
    }
}
