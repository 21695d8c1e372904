//! Multidimensional scaling: points whose distances are the dissimilarities of an RDM, as nearly as few dimensions
//! allow.

use linear_algebra::{LinearAlgebraError, symmetric_eigen};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use statistics::Draws;

use crate::Rdm;
use crate::isotonic::Blocks;

/// An eigenvalue below this part of the largest is rounding: points on a line have no second dimension.
const ROUNDING: f64 = 1e-12;

/// What is kept of a distance of 0, which no ratio can be taken with; scikit-learn's constant.
const NEAR_ZERO: f64 = 1e-5;

/// Why an RDM has no map.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MdsError {
    /// A pair has no dissimilarity.
    #[error(
        "{n_nan} of {n_pairs} pairs have no value (NaN), the first of stimuli {first} and {second}; a map needs all"
    )]
    Missing {
        /// Pairs without a value.
        n_nan: usize,
        /// Pairs in all.
        n_pairs: usize,
        /// First stimulus of the first such pair, from 0.
        first: usize,
        /// Its second stimulus.
        second: usize,
    },
    /// A dissimilarity below 0, which no distance can be.
    #[error("{n_below} of {n_pairs} pairs are below 0 (the least is {least}); a distance cannot be")]
    Negative {
        /// Pairs below 0.
        n_below: usize,
        /// Pairs in all.
        n_pairs: usize,
        /// The least of them.
        least: f64,
    },
    /// Every dissimilarity is 0.
    #[error("all {0} dissimilarities are 0; there is nothing to map")]
    AllZero(usize),
    /// More dimensions than n points can span, or none.
    #[error("{n_dims} dimensions for {n_stimuli} stimuli; there can be 1 to {most}", most = n_stimuli - 1)]
    Dimensions {
        /// Dimensions asked for.
        n_dims: usize,
        /// Stimuli there are.
        n_stimuli: usize,
    },
    /// The eigenvectors could not be found.
    #[error(transparent)]
    LinearAlgebra(#[from] LinearAlgebraError),
}

/// Classical scaling of an RDM.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassicalMds {
    /// One row per stimulus, one column per dimension, widest first; a dimension without a positive eigenvalue is 0.
    pub points: Array2<f64>,
    /// All n eigenvalues of the doubly centred matrix, falling; those below 0 are what no Euclidean map can show.
    pub eigenvalues: Vec<f64>,
}

/// What SMACOF fits distances to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// The dissimilarities themselves.
    Metric,
    /// Any numbers that rise with the dissimilarities: only their order counts.
    NonMetric,
}

/// When SMACOF stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopping {
    /// Most iterations of one start.
    pub max_iter: usize,
    /// Stops when an iteration takes less than this part of the sum of squared distances off the raw stress.
    pub eps: f64,
}

impl Default for Stopping {
    /// scikit-learn's: 300 iterations, 1e-6.
    fn default() -> Self {
        Stopping { max_iter: 300, eps: 1e-6 }
    }
}

/// A map made by SMACOF.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// One row per stimulus, one column per dimension.
    pub points: Array2<f64>,
    /// Stress-1 (Kruskal 1964): `sqrt(sum (d - dhat)^2 / sum d^2)` over pairs, with d the distances on the map and dhat
    /// the dissimilarities (metric) or the numbers fitted to their order (non-metric).
    pub stress: f64,
    /// Iterations made.
    pub n_iter: usize,
    /// Whether the stress had settled before the iterations ran out.
    pub converged: bool,
    /// Which start it came from: 0 is classical scaling, k > 0 the k-th drawn one.
    pub start: usize,
}

/// Classical scaling (Torgerson 1952): `points points' = -J D2 J / 2`, D2 the squared dissimilarities, J centring.
///
/// Equal to scikit-learn's `ClassicalMDS` but for signs: here the largest coordinate of a dimension is positive.
///
/// ```
/// use rdm::{Rdm, classical_mds};
/// // three points on a line, at 0, 1 and 3
/// let map = classical_mds(&Rdm::from_condensed(vec![1.0, 3.0, 2.0], None)?, 1)?;
/// let x = map.points.column(0);
/// assert!(((x[0] - x[2]).abs() - 3.0).abs() < 1e-12 && ((x[0] - x[1]).abs() - 1.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn classical_mds(rdm: &Rdm, n_dims: usize) -> Result<ClassicalMds, MdsError> {
    check(rdm, n_dims)?;
    let n = rdm.n_stimuli();
    let mut b = rdm.to_square().mapv(|d| d * d);
    // The matrix is symmetric, so one vector of means centres both ways.
    let means = b.mean_axis(Axis(0)).unwrap_or_default();
    let grand = means.mean().unwrap_or(0.0);
    for ((i, j), value) in b.indexed_iter_mut() {
        *value = -0.5 * (*value - means[i] - means[j] + grand);
    }
    let eigen = symmetric_eigen(b.view())?;
    let eigenvalues: Vec<f64> = eigen.values.iter().rev().copied().collect();
    let mut points = Array2::zeros((n, n_dims));
    for (dim, mut column) in points.columns_mut().into_iter().enumerate() {
        if eigenvalues[dim] > ROUNDING * eigenvalues[0] {
            column.assign(&(&eigen.vectors.column(n - 1 - dim) * eigenvalues[dim].sqrt()));
        }
    }
    fix_signs(&mut points);
    Ok(ClassicalMds { points, eigenvalues })
}

/// SMACOF (de Leeuw 1977; Borg and Groenen 2005) from one configuration, `n_stimuli x n_dims`.
///
/// Iterate by iterate scikit-learn's `smacof`, but for one thing: a dissimilarity of 0 is one here (the smallest),
/// where scikit-learn's non-metric scaling takes it for missing. The numbers of the non-metric fit are scaled to a sum
/// of squares of n(n-1)/2 over the pairs, so that its map has a scale of its own; the stress is that of the last fit.
///
/// # Panics
/// When `start` has not one row per stimulus.
pub fn smacof(rdm: &Rdm, start: ArrayView2<f64>, how: Scaling, stopping: Stopping) -> Result<Embedding, MdsError> {
    assert_eq!(start.nrows(), rdm.n_stimuli(), "start: {} rows for {} stimuli", start.nrows(), rdm.n_stimuli());
    check(rdm, start.ncols())?;
    let blocks = (how == Scaling::NonMetric).then(|| Blocks::of(rdm.values()));
    Ok(iterate(rdm, blocks.as_ref(), start.to_owned(), stopping))
}

/// SMACOF from several starts, the map with the least stress (the first of equals): classical scaling as start 0, where
/// it has all dimensions, and `n_init` in all, the others drawn (uniform, start k from stream k of the seed).
///
/// The map is turned to its principal axes, so that the first dimension is the widest, with the largest coordinate of
/// each dimension positive. Starts run side by side and do not depend on threads.
pub fn smacof_of_starts(
    rdm: &Rdm,
    n_dims: usize,
    how: Scaling,
    n_init: usize,
    seed: u64,
    stopping: Stopping,
) -> Result<Embedding, MdsError> {
    let n = rdm.n_stimuli();
    let classical = classical_mds(rdm, n_dims)?.points;
    // A column of zeros would stay one: such a start could never use its dimension.
    let flat = classical.columns().into_iter().any(|c| c.iter().all(|v| *v == 0.0));
    let blocks = (how == Scaling::NonMetric).then(|| Blocks::of(rdm.values()));
    let first = usize::from(flat);
    let maps: Vec<Embedding> = (first..first + n_init.max(1))
        .into_par_iter()
        .map(|start| {
            let mut draws = Draws::stream(seed, start as u64);
            let from = match start {
                0 => classical.clone(),
                _ => Array2::from_shape_simple_fn((n, n_dims), || draws.uniform()),
            };
            Embedding { start, ..iterate(rdm, blocks.as_ref(), from, stopping) }
        })
        .collect();
    let mut best = &maps[0];
    for map in &maps[1..] {
        if map.stress < best.stress {
            best = map;
        }
    }
    let mut best = best.clone();
    best.points = on_principal_axes(&best.points)?;
    Ok(best)
}

/// Stress-1 of a map against the dissimilarities themselves (see [`Embedding::stress`]).
///
/// # Panics
/// When `points` has not one row per stimulus.
pub fn stress_1(rdm: &Rdm, points: ArrayView2<f64>) -> f64 {
    assert_eq!(points.nrows(), rdm.n_stimuli(), "points: {} rows for {} stimuli", points.nrows(), rdm.n_stimuli());
    stress_of(&distances_of(points), rdm.values())
}

fn check(rdm: &Rdm, n_dims: usize) -> Result<(), MdsError> {
    let (n_stimuli, n_pairs) = (rdm.n_stimuli(), rdm.values().len());
    if n_dims == 0 || n_dims >= n_stimuli {
        return Err(MdsError::Dimensions { n_dims, n_stimuli });
    }
    let n_nan = rdm.n_nan();
    if n_nan > 0 {
        let pairs = (0..n_stimuli).flat_map(|i| (i + 1..n_stimuli).map(move |j| (i, j)));
        let (first, second) = pairs.into_iter().find(|&(i, j)| !rdm.get(i, j).is_finite()).unwrap_or((0, 0));
        return Err(MdsError::Missing { n_nan, n_pairs, first, second });
    }
    let n_below = rdm.values().iter().filter(|v| **v < 0.0).count();
    if n_below > 0 {
        let least = rdm.values().iter().copied().fold(f64::INFINITY, f64::min);
        return Err(MdsError::Negative { n_below, n_pairs, least });
    }
    if rdm.values().iter().all(|v| *v == 0.0) {
        return Err(MdsError::AllZero(n_pairs));
    }
    Ok(())
}

/// The upper triangle of Euclidean distances between points.
fn distances_of(points: ArrayView2<f64>) -> Vec<f64> {
    let n = points.nrows();
    let mut distances = Vec::with_capacity(n * n.saturating_sub(1) / 2);
    for i in 0..n {
        for j in i + 1..n {
            let squares = points.row(i).iter().zip(points.row(j)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
            distances.push(squares.sqrt());
        }
    }
    distances
}

fn raw_stress(distances: &[f64], disparities: &[f64]) -> f64 {
    distances.iter().zip(disparities).map(|(d, h)| (d - h) * (d - h)).sum()
}

fn stress_of(distances: &[f64], disparities: &[f64]) -> f64 {
    (raw_stress(distances, disparities) / distances.iter().map(|d| d * d).sum::<f64>()).sqrt()
}

fn iterate(rdm: &Rdm, blocks: Option<&Blocks>, mut points: Array2<f64>, stopping: Stopping) -> Embedding {
    let (n, n_dims) = points.dim();
    let dissimilarities = rdm.values();
    let mut distances = distances_of(points.view());
    let mut last: Option<f64> = None;
    let (mut n_iter, mut converged, mut stress) = (0, false, f64::NAN);
    while n_iter < stopping.max_iter.max(1) && !converged {
        let disparities = match blocks {
            None => dissimilarities.to_vec(),
            Some(blocks) => {
                // The first fit is to the dissimilarities: distances of a random start say nothing yet.
                let fitted = if n_iter == 0 { dissimilarities.to_vec() } else { blocks.fit(&distances) };
                let scale = (fitted.len() as f64 / fitted.iter().map(|f| f * f).sum::<f64>()).sqrt();
                fitted.into_iter().map(|f| f * scale).collect()
            }
        };
        // The Guttman transform: x_i becomes the mean over j of (dhat_ij / d_ij) (x_i - x_j).
        let mut moved = Array2::<f64>::zeros((n, n_dims));
        let mut pair = 0;
        for i in 0..n {
            for j in i + 1..n {
                let ratio = disparities[pair] / if distances[pair] == 0.0 { NEAR_ZERO } else { distances[pair] };
                for dim in 0..n_dims {
                    let step = ratio * (points[(i, dim)] - points[(j, dim)]);
                    moved[(i, dim)] += step;
                    moved[(j, dim)] -= step;
                }
                pair += 1;
            }
        }
        points = moved / n as f64;
        distances = distances_of(points.view());
        let raw = raw_stress(&distances, &disparities);
        stress = stress_of(&distances, &disparities);
        n_iter += 1;
        let size: f64 = distances.iter().map(|d| d * d).sum();
        converged = last.is_some_and(|last| (last - raw) / size < stopping.eps);
        last = Some(raw);
    }
    Embedding { points, stress, n_iter, converged, start: 0 }
}

/// The same points, centred and turned so that the spread falls from the first dimension to the last.
fn on_principal_axes(points: &Array2<f64>) -> Result<Array2<f64>, MdsError> {
    let mean = points.mean_axis(Axis(0)).unwrap_or_default();
    let centred = points - &mean;
    let eigen = symmetric_eigen(centred.t().dot(&centred).view())?;
    let mut turned = centred.dot(&eigen.vectors);
    turned.invert_axis(Axis(1));
    let mut turned = turned.as_standard_layout().into_owned();
    fix_signs(&mut turned);
    Ok(turned)
}

/// Makes the coordinate of largest size positive in every dimension (the first of equals): signs are arbitrary
/// otherwise.
fn fix_signs(points: &mut Array2<f64>) {
    for mut column in points.columns_mut() {
        let largest = column.iter().fold(0.0f64, |l, &v| if v.abs() > l.abs() { v } else { l });
        if largest < 0.0 {
            column.mapv_inplace(|v| -v);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn rdm_of(points: &Array2<f64>) -> Rdm {
        Rdm::from_condensed(distances_of(points.view()), None).unwrap()
    }

    /// Twelve points in the plane.
    fn plane() -> Array2<f64> {
        let mut draws = Draws::new(3);
        Array2::from_shape_simple_fn((12, 2), || draws.normal_pair()[0])
    }

    #[test]
    fn euclidean_distances_come_back() {
        let rdm = rdm_of(&plane());
        let classical = classical_mds(&rdm, 2).unwrap();
        assert!(stress_1(&rdm, classical.points.view()) < 1e-14);
        assert!(classical.eigenvalues[2..].iter().all(|v| v.abs() < 1e-12));
        for how in [Scaling::Metric, Scaling::NonMetric] {
            let stopping = Stopping { max_iter: 5000, eps: 1e-14 };
            let map = smacof_of_starts(&rdm, 2, how, 4, 1, stopping).unwrap();
            // From classical scaling the metric fit is there at once; 1e-4 for the slow tail of SMACOF.
            assert!(map.stress < 1e-4 && map.converged, "{how:?}: {map:?}");
        }
    }

    #[test]
    fn non_metric_sees_only_the_order() {
        let rdm = rdm_of(&plane());
        let bent = Rdm::from_condensed(rdm.values().iter().map(|d| d.powi(3)).collect(), None).unwrap();
        let of =
            |rdm: &Rdm| smacof_of_starts(rdm, 2, Scaling::NonMetric, 1, 0, Stopping { max_iter: 2000, eps: 1e-12 });
        assert!(of(&rdm).unwrap().stress < 0.01 && of(&bent).unwrap().stress < 0.01);
        let metric = smacof_of_starts(&bent, 2, Scaling::Metric, 1, 0, Stopping::default()).unwrap();
        assert!(metric.stress > 0.1, "{}", metric.stress);
    }

    #[test]
    fn stress_never_rises_and_more_starts_never_hurt() {
        let mut draws = Draws::new(5);
        let rough = Rdm::from_condensed((0..190).map(|_| 0.2 + draws.uniform()).collect(), None).unwrap();
        let of = |max_iter, n_init| {
            smacof_of_starts(&rough, 2, Scaling::Metric, n_init, 2, Stopping { max_iter, eps: 0.0 }).unwrap().stress
        };
        let one: Vec<f64> = (1..40).map(|i| of(i, 1)).collect();
        assert!(one.windows(2).all(|w| w[1] <= w[0] + 1e-12), "{one:?}");
        assert!(of(200, 8) <= of(200, 1));
        // 1 or 2 dimensions of points on a line.
        let line = rdm_of(&array![[0.0], [1.0], [3.0], [7.0]]);
        assert_eq!(classical_mds(&line, 2).unwrap().points.column(1), array![0.0, 0.0, 0.0, 0.0]);
        assert_eq!(smacof_of_starts(&line, 2, Scaling::Metric, 2, 0, Stopping::default()).unwrap().start.min(1), 1);
    }

    #[test]
    fn axes_are_fixed() {
        let turned = on_principal_axes(&array![[0.0, 1.0], [0.0, -5.0], [0.1, 1.0]]).unwrap();
        assert!(turned.column(0).iter().map(|v| v * v).sum::<f64>() > turned.column(1).iter().map(|v| v * v).sum());
        for column in turned.columns() {
            let largest = column.iter().fold(0.0f64, |l, &v| if v.abs() > l.abs() { v } else { l });
            assert!(largest > 0.0 && column.sum().abs() < 1e-12);
        }
    }

    #[test]
    fn what_has_no_map_is_refused() {
        let rdm = |values: &[f64]| Rdm::from_condensed(values.to_vec(), None).unwrap();
        let error = |values: &[f64], dims| classical_mds(&rdm(values), dims).unwrap_err();
        let missing = MdsError::Missing { n_nan: 1, n_pairs: 3, first: 0, second: 2 };
        assert_eq!(error(&[1.0, f64::NAN, 1.0], 2), missing);
        assert_eq!(error(&[1.0, -0.5, -1.0], 2), MdsError::Negative { n_below: 2, n_pairs: 3, least: -1.0 });
        assert_eq!(error(&[0.0; 3], 2), MdsError::AllZero(3));
        assert_eq!(error(&[1.0; 3], 3).to_string(), "3 dimensions for 3 stimuli; there can be 1 to 2");
        let start = array![[0.0], [1.0], [2.0]];
        assert!(smacof(&rdm(&[f64::NAN; 3]), start.view(), Scaling::Metric, Stopping::default()).is_err());
    }
}
