//! Bures similarity and distance of RDMs: how alike the second moments are from which their distances come.

use linear_algebra::{SymmetricEigen, cross_product, singular_values, symmetric_eigen};
use ndarray::{Array2, Axis, s};

use crate::Rdm;

/// How far below 0 an eigenvalue may be, in parts of the largest: rounding of an RDM in `f32`, not a sign that its
/// dissimilarities are no distances.
const ROUNDING: f64 = 1e-6;

/// Why an RDM has no second moment.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NoSecondMoment {
    /// Pairs without a value.
    #[error("{n_nan} pairs have no value (NaN); the second moment needs all")]
    Missing {
        /// How many.
        n_nan: usize,
    },
    /// The dissimilarities are no squared distances between points: the matrix has negative eigenvalues.
    #[error(
        "its dissimilarities are not the squared distances of any points (the eigenvalues of the second moment go from \
         {smallest:.3e} to {largest:.3e}, and none may be below 0)"
    )]
    NotEuclidean {
        /// The smallest eigenvalue.
        smallest: f64,
        /// The largest.
        largest: f64,
    },
    /// The eigenvalues could not be found.
    #[error("the eigenvalues of the {n_stimuli} x {n_stimuli} second moment did not converge")]
    NoConvergence {
        /// Number of stimuli.
        n_stimuli: usize,
    },
}

/// The centred second moment `G = -H D H / 2` of an RDM `D` of squared distances (`H` takes the mean off), as a root:
/// `G = R R'`, stimuli x dimensions.
///
/// `G` exists as a second moment only where no eigenvalue is below 0, that is where the dissimilarities are squared
/// Euclidean distances between some points. They are for correlation, cosine, squared Euclidean and Mahalanobis
/// distances, and (Schoenberg 1938) for their roots; crossnobis distances, ranks and noisy means need not be.
#[derive(Debug, Clone)]
pub struct SecondMoment {
    root: Array2<f64>,
    /// The sum of the eigenvalues of `G`.
    trace: f64,
}

impl SecondMoment {
    /// Of one RDM. Eigenvalues below 0 by rounding alone (1e-6 of the largest) count as 0, any other is
    /// [`NoSecondMoment::NotEuclidean`]: rsatoolbox sets all negative eigenvalues to 0 but keeps them in the trace,
    /// so that its similarities leave 0..=1 and depend on which RDM comes first.
    pub fn of(rdm: &Rdm) -> Result<SecondMoment, NoSecondMoment> {
        if rdm.n_nan() > 0 {
            return Err(NoSecondMoment::Missing { n_nan: rdm.n_nan() });
        }
        let n_stimuli = rdm.n_stimuli();
        let mut moment = rdm.to_square();
        moment *= -0.5;
        let means = moment.mean_axis(Axis(1)).unwrap_or_default();
        let mean = means.mean().unwrap_or(0.0);
        moment.indexed_iter_mut().for_each(|((i, j), v)| *v += mean - means[i] - means[j]);
        let eigen = symmetric_eigen(moment.view()).map_err(|_| NoSecondMoment::NoConvergence { n_stimuli })?;
        let (smallest, largest) = (eigen.values[0], eigen.values[n_stimuli - 1]);
        if smallest < -ROUNDING * largest.abs() {
            return Err(NoSecondMoment::NotEuclidean { smallest, largest });
        }
        let root = root_of(&eigen);
        Ok(SecondMoment { trace: root.iter().map(|v| v * v).sum(), root })
    }

    /// Whether all distances are 0, so that nothing can be said of their proportions.
    pub fn is_zero(&self) -> bool {
        self.trace == 0.0
    }

    /// The fidelity `tr sqrt(sqrt(A) B sqrt(A))`: the sum of the singular values of `R_a' R_b`.
    fn fidelity(&self, other: &SecondMoment) -> f64 {
        // Finite roots have finite products; the backend has no other reason to fail but convergence.
        singular_values(cross_product(self.root.view(), other.root.view()).view()).map_or(f64::NAN, |v| v.sum())
    }
}

/// `R` with `R R'` the positive semidefinite matrix that was decomposed, `n x` its rank.
///
/// Rounding makes eigenvalues that are 0 positive as often as negative, and their roots are not small: 1e-16 would
/// become 1e-8. What is no larger than twice the most negative one therefore counts as 0.
pub(crate) fn root_of(eigen: &SymmetricEigen) -> Array2<f64> {
    let n = eigen.values.len();
    let (smallest, largest) = (eigen.values[0], eigen.values[n - 1]);
    let rounding = (-2.0 * smallest).max(n as f64 * f64::EPSILON * largest);
    let first = eigen.values.iter().position(|v| *v > rounding).unwrap_or(n);
    &eigen.vectors.slice(s![.., first..]) * &eigen.values.slice(s![first..]).mapv(f64::sqrt)
}

/// Bures similarity: `tr sqrt(sqrt(A) B sqrt(A)) / sqrt(tr A tr B)` of the centred second moments, between 0 and 1.
///
/// It does not change when an RDM is multiplied by a positive number, is 1 only for proportional RDMs, and of RDMs of
/// squared Euclidean distances it is the Procrustes similarity of the patterns
/// ([`MatrixComparison::Procrustes`](crate::MatrixComparison)). `NaN` when all distances of one side are 0.
///
/// ```
/// use rdm::{Rdm, SecondMoment, bures_similarity};
/// let three = SecondMoment::of(&Rdm::from_condensed(vec![1.0, 4.0, 1.0], None)?)?; // points 0, 1, 2 on a line
/// let other = SecondMoment::of(&Rdm::from_condensed(vec![4.0, 1.0, 1.0], None)?)?; // 0, 2, 1
/// // centred points -1 0 1 and -1 1 0: their product is 1, their lengths are sqrt 2
/// assert!((bures_similarity(&three, &other) - 0.5).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Bures (1969); for representations Harvey, Lipshutz & Williams (2023); rsatoolbox `bures`.
pub fn bures_similarity(a: &SecondMoment, b: &SecondMoment) -> f64 {
    statistics::bounded(a.fidelity(b) / (a.trace.sqrt() * b.trace.sqrt()))
}

/// The squared Bures distance: `tr A + tr B - 2 tr sqrt(sqrt(A) B sqrt(A))`, what rsatoolbox calls `bures_metric`.
///
/// Its root is a metric; both keep the scale of the RDMs.
pub fn bures_squared_distance(a: &SecondMoment, b: &SecondMoment) -> f64 {
    // Below 0 by rounding only: the fidelity is at most the geometric mean of the traces.
    (a.trace + b.trace - 2.0 * a.fidelity(b)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;
    use crate::{Distance, distances};

    fn moment(values: &[f64]) -> Result<SecondMoment, NoSecondMoment> {
        SecondMoment::of(&Rdm::from_condensed(values.to_vec(), None).unwrap())
    }

    /// The definition with eigenvectors on both sides, as a paper writes it.
    fn slow_fidelity(a: &Rdm, b: &Rdm) -> f64 {
        let centred = |rdm: &Rdm| {
            let n = rdm.n_stimuli();
            let h = Array2::<f64>::eye(n) - 1.0 / n as f64;
            h.dot(&rdm.to_square()).dot(&h) * -0.5
        };
        let eigen = symmetric_eigen(centred(a).view()).unwrap();
        let root = (&eigen.vectors * &eigen.values.mapv(|v| v.max(0.0).sqrt())).dot(&eigen.vectors.t());
        let inner = root.dot(&centred(b)).dot(&root);
        symmetric_eigen(inner.view()).unwrap().values.iter().map(|v| v.max(0.0).sqrt()).sum()
    }

    #[test]
    fn agrees_with_the_definition_for_every_distance_that_is_one() {
        for metric in [Distance::Correlation, Distance::Cosine, Distance::Sqeuclidean, Distance::Euclidean] {
            for (n, p) in [(6, 3), (6, 30), (25, 8)] {
                let a = distances(noise(n, p, 1).view(), metric).unwrap().rdm;
                let b = distances(noise(n, 2 * p, 2).view(), metric).unwrap().rdm;
                let (left, right) = (SecondMoment::of(&a).unwrap(), SecondMoment::of(&b).unwrap());
                let expected = slow_fidelity(&a, &b) / (left.trace * right.trace).sqrt();
                let found = bures_similarity(&left, &right);
                // 1e-6: the twin takes roots of eigenvalues that are 0 but for rounding
                assert!((found - expected).abs() < 1e-6, "{metric:?} {found} {expected}");
                assert!((found - bures_similarity(&right, &left)).abs() < 1e-13 && found > 0.0 && found < 1.0);
                assert!((bures_similarity(&left, &left) - 1.0).abs() < 1e-13);
                assert!(bures_squared_distance(&left, &left) < 1e-12);
            }
        }
    }

    #[test]
    fn rounding_of_what_is_zero_is_not_blown_up_by_its_root() {
        // rank 3 of 20 against full rank: 16 directions in which one side has nothing
        let low = distances(noise(20, 3, 1).view(), Distance::Sqeuclidean).unwrap().rdm;
        let full = distances(noise(20, 60, 2).view(), Distance::Sqeuclidean).unwrap().rdm;
        let between = |a: &Rdm, b: &Rdm| bures_similarity(&SecondMoment::of(a).unwrap(), &SecondMoment::of(b).unwrap());
        let order: Vec<usize> = (0..20).map(|k| k * 7 % 20).collect();
        let moved = between(&low.select(&order).unwrap(), &full.select(&order).unwrap());
        let found = between(&low, &full);
        assert!((found - moved).abs() < 1e-14, "{found} {moved}");
        let single =
            |rdm: &Rdm| Rdm::from_condensed(rdm.values().iter().map(|v| f64::from(*v as f32)).collect(), None).unwrap();
        let of_f4 = between(&single(&low), &single(&full));
        assert!((found - of_f4).abs() < 1e-5, "{found} {of_f4}");
    }

    #[test]
    fn scale_matters_to_the_distance_only() {
        let rdm = distances(noise(8, 5, 3).view(), Distance::Sqeuclidean).unwrap().rdm;
        let four = Rdm::from_condensed(rdm.values().iter().map(|v| 4.0 * v).collect(), None).unwrap();
        let (one, four) = (SecondMoment::of(&rdm).unwrap(), SecondMoment::of(&four).unwrap());
        assert!((bures_similarity(&one, &four) - 1.0).abs() < 1e-13);
        // patterns twice as large: tr + 4 tr - 2 * 2 tr
        assert!((bures_squared_distance(&one, &four) - one.trace).abs() < 1e-12 * one.trace);
    }

    #[test]
    fn what_is_no_squared_distance_is_said_to_be_none() {
        // 0 to 2 is farther than any two points at 1 from a third can be (squared: 4)
        let error = moment(&[1.0, 9.0, 1.0]).unwrap_err();
        assert!(matches!(error, NoSecondMoment::NotEuclidean { smallest, .. } if smallest < -0.5), "{error:?}");
        assert_eq!(moment(&[1.0, f64::NAN, 1.0]).unwrap_err(), NoSecondMoment::Missing { n_nan: 1 });
        // exactly on a line, and off it by f4 rounding
        moment(&[1.0, 4.0, 1.0]).unwrap();
        moment(&[1.0, 4.0 + 4e-7, 1.0]).unwrap();
        let zero = moment(&[0.0; 3]).unwrap();
        assert!(zero.is_zero());
        assert!(bures_similarity(&zero, &moment(&[1.0, 4.0, 1.0]).unwrap()).is_nan());
    }
}
