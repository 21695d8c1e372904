//! Vectors whose plain product is the product of two RDMs under the covariance of their dissimilarities.
//!
//! With `V` the covariance that noise of the patterns gives the squared distances of a stimulus pair (i,j) and a
//! pair (k,l), `V = ((e_i - e_j)' S (e_k - e_l))^2` where `S` is the covariance of the patterns' estimates over
//! stimuli, the whitened comparisons need `x' V^-1 y`: a system of n_pairs unknowns. None is solved here.
//!
//! * A distance is `d_ij = G_ii + G_jj - 2 G_ij`, and `V` is (up to a factor) the covariance of the distances when the
//!   entries of `G` vary as `S` says. So `x' V^-1 x` is the squared length of the shortest `G` that has these
//!   distances.
//! * `S = I`, nothing missing: that `G` is `-1/2 H D H` with `H` centring rows and columns; the comparison is linear
//!   CKA of the two RDMs (Diedrichsen et al. 2020).
//! * `S = I`, pairs missing: off-diagonal `-d_ij/2 + a_i + a_j` over the pairs that are there, diagonal `2 a_i`, with
//!   the `a` that makes `2 sum_pairs (a_i + a_j - d_ij/2)^2 + 4 sum a_i^2` smallest: `(deg_i + 2) a_i + sum_j a_j =
//!   r_i/2`, `r_i` the sum and `deg_i` the number of the pairs of stimulus i that are there.
//! * any `S`, nothing missing: `x' V^-1 y = tr(M X M Y) / 4` with `M = S^-1 - S^-1 1 1' S^-1 / (1' S^-1 1)`.
//! * any `S`, pairs missing: the module `missing`.
//!
//! Diedrichsen, Berlot, Mur, Schuett, Shahbazi, Kriegeskorte (2020), Comparing representational geometries using
//! whitened unbiased-distance-matrix similarity. The same numbers as rsatoolbox's `compare` with `corr_cov` and
//! `cosine_cov`, with three differences: it solves a given covariance by conjugate gradients to 1e-5, we solve it
//! exactly; its 1-d `sigma_k` centres before it scales, which is another number than the same variances in a matrix
//! give (we take matrices only); its ceilings and bootstraps leave `sigma_k` out without a word.

use linear_algebra::{Cholesky, product};
use ndarray::{Array2, ArrayView2};

use crate::symmetric::{Asymmetry, symmetric};
use crate::{Rdm, RdmError};

mod missing;

use missing::Completions;

/// The covariance of pattern estimates over stimuli (rsatoolbox's `sigma_k`), ready for whitening.
#[derive(Debug, Clone, PartialEq)]
pub struct StimulusCovariance {
    /// As it was given, the mean of its two triangles.
    sigma: Array2<f64>,
    /// `n x (n-1)`, `M = half half'`.
    half: Array2<f64>,
    /// What puts values in the place of missing pairs, by which pairs are missing.
    completions: Completions,
}

impl StimulusCovariance {
    /// From the `n x n` covariance, stimuli in the order of the RDMs. Only differences of stimuli matter: a constant
    /// added to all entries changes nothing, and any scale cancels in the comparisons.
    pub fn new(sigma: ArrayView2<f64>) -> Result<StimulusCovariance, RdmError> {
        let sigma = symmetric(sigma).map_err(|why| match why {
            Asymmetry::NotSquare { rows, columns } => RdmError::NotSquare { rows, columns },
            Asymmetry::NotFinite { row, column, .. } => RdmError::CovarianceNotFinite { row, column },
            Asymmetry::Differs { row, column, upper, lower } => {
                RdmError::CovarianceNotSymmetric { row, column, upper, lower }
            }
        })?;
        let rows = sigma.nrows();
        if rows < 2 {
            return Err(RdmError::TooFewStimuli { n_stimuli: rows });
        }
        // Contrasts of every stimulus with the first: P = [-1 | I], P S P' = L L', half = P' L'^-1.
        let contrasts = Array2::from_shape_fn((rows - 1, rows - 1), |(i, j)| {
            sigma[(i + 1, j + 1)] - sigma[(i + 1, 0)] - sigma[(j + 1, 0)] + sigma[(0, 0)]
        });
        let factor = Cholesky::new(contrasts.view()).map_err(|_| RdmError::CovarianceNotPositive { n: rows })?;
        let mut half = Array2::from_shape_fn((rows, rows - 1), |(stimulus, contrast)| match stimulus {
            0 => -1.0,
            _ => f64::from(u8::from(stimulus == contrast + 1)),
        });
        factor.whiten_rows(&mut half).map_err(|_| RdmError::CovarianceNotPositive { n: rows })?;
        Ok(StimulusCovariance { sigma, half, completions: Completions::default() })
    }

    /// Number of stimuli.
    pub fn n_stimuli(&self) -> usize {
        self.half.nrows()
    }

    /// Refuses shuffles of models when some order of the stimuli could leave more missing pairs than can be solved for.
    pub(crate) fn check_shuffles(&self, models: &[Rdm], subjects: &[Rdm]) -> Result<(), RdmError> {
        let missing =
            |rdm: &Rdm| missing::n_missing(&rdm.values().iter().map(|v| v.is_finite()).collect::<Vec<bool>>());
        let most = |rdms: &[Rdm]| rdms.iter().map(missing).max().unwrap_or(0);
        let (of_models, of_subjects) = (most(models), most(subjects));
        let n_nan = of_models + of_subjects;
        if of_models > 0 && of_subjects > 0 && n_nan > missing::LARGEST {
            let n_pairs = subjects[0].values().len();
            return Err(RdmError::CovarianceWithMissingPairs { n_nan, n_pairs, largest: missing::LARGEST });
        }
        Ok(())
    }

    /// `-1/2 half' D half`, its upper triangle with the off-diagonal entries times the root of 2.
    fn embed(&self, values: &[f64]) -> Vec<f64> {
        let n = self.n_stimuli();
        let mut square = Array2::zeros((n, n));
        let mut left = values.iter();
        for i in 0..n {
            for (j, value) in (i + 1..n).zip(&mut left) {
                square[(i, j)] = -0.5 * value;
                square[(j, i)] = -0.5 * value;
            }
        }
        let w = product(self.half.t(), product(square.view(), self.half.view()).view());
        let mut vector = Vec::with_capacity(n * (n - 1) / 2);
        for i in 0..n - 1 {
            vector.push(w[(i, i)]);
            vector.extend((i + 1..n - 1).map(|j| (w[(i, j)] + w[(j, i)]) * std::f64::consts::FRAC_1_SQRT_2));
        }
        vector
    }
}

/// One vector per RDM whose products with each other are `x' V^-1 y`, up to one factor. `values` holds the pairs that
/// `kept` marks (of all pairs, in the order of an RDM).
pub(crate) fn whitened(
    values: &[Vec<f64>],
    kept: &[bool],
    sigma: Option<&StimulusCovariance>,
) -> Result<Vec<Vec<f64>>, RdmError> {
    let n = crate::matrix::n_stimuli_of(kept.len());
    let n_nan = kept.iter().filter(|kept| !**kept).count();
    if let Some(sigma) = sigma {
        if sigma.n_stimuli() != n {
            return Err(RdmError::CovarianceSize { n: sigma.n_stimuli(), n_stimuli: n });
        }
        if n_nan > 0 && n_nan < kept.len() {
            let completion = sigma.completions.of(sigma, kept)?;
            return values.iter().map(|values| completion.embed(values)).collect();
        }
        return Ok(values.iter().map(|values| sigma.embed(values)).collect());
    }
    let pairs: Vec<(usize, usize)> = (0..n)
        .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
        .zip(kept)
        .filter(|(_, kept)| **kept)
        .map(|(p, _)| p)
        .collect();
    let solve = Sums::new(n, &pairs, n_nan > 0)?;
    values
        .iter()
        .map(|values| {
            let a = solve.offsets(&pairs, values)?;
            let root = std::f64::consts::SQRT_2;
            let off_diagonal = pairs.iter().zip(values).map(|(&(i, j), d)| root * (a[i] + a[j] - 0.5 * d));
            Ok(off_diagonal.chain(a.iter().map(|a| 2.0 * a)).collect())
        })
        .collect()
}

/// The system `(deg_i + 2) a_i + sum_j a_j = r_i / 2`.
enum Sums {
    /// Of all pairs: `n a_i + sum a = r_i / 2`.
    Complete(usize),
    Missing(Cholesky, usize),
}

impl Sums {
    fn new(n: usize, pairs: &[(usize, usize)], missing: bool) -> Result<Sums, RdmError> {
        if !missing {
            return Ok(Sums::Complete(n));
        }
        let mut system = Array2::from_diag_elem(n, 2.0);
        for &(i, j) in pairs {
            system[(i, j)] = 1.0;
            system[(j, i)] = 1.0;
            system[(i, i)] += 1.0;
            system[(j, j)] += 1.0;
        }
        // A signless Laplacian plus 2: always positive definite.
        let factor = Cholesky::new(system.view()).map_err(|_| RdmError::CovarianceNotPositive { n })?;
        Ok(Sums::Missing(factor, n))
    }

    fn offsets(&self, pairs: &[(usize, usize)], values: &[f64]) -> Result<Vec<f64>, RdmError> {
        let n = match self {
            Sums::Complete(n) | Sums::Missing(_, n) => *n,
        };
        let mut half_sums = vec![0.0; n];
        for (&(i, j), d) in pairs.iter().zip(values) {
            half_sums[i] += 0.5 * d;
            half_sums[j] += 0.5 * d;
        }
        match self {
            Sums::Complete(_) => {
                let total = half_sums.iter().sum::<f64>() / (2.0 * n as f64);
                Ok(half_sums.iter().map(|r| (r - total) / n as f64).collect())
            }
            Sums::Missing(factor, _) => {
                let right =
                    ArrayView2::from_shape((n, 1), &half_sums).map_err(|_| RdmError::CovarianceNotPositive { n })?;
                let found = factor.solve(right).map_err(|_| RdmError::CovarianceNotPositive { n })?;
                Ok(found.into_iter().collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::{StimulusCovariance, whitened};
    use crate::RdmError;
    use crate::testing::noise;

    /// `x' V^-1 y` by the system of n_pairs unknowns, pairs that are not kept struck out of `V`.
    fn slow(x: &[f64], y: &[f64], kept: &[bool], sigma: &Array2<f64>) -> f64 {
        let n = sigma.nrows();
        let pairs: Vec<(usize, usize)> = (0..n)
            .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
            .zip(kept)
            .filter(|(_, k)| **k)
            .map(|(p, _)| p)
            .collect();
        let v = Array2::from_shape_fn((pairs.len(), pairs.len()), |(p, q)| {
            let ((i, j), (k, l)) = (pairs[p], pairs[q]);
            (sigma[(i, k)] - sigma[(i, l)] - sigma[(j, k)] + sigma[(j, l)]).powi(2)
        });
        let right = Array2::from_shape_vec((y.len(), 1), y.to_vec()).unwrap();
        let solved = linear_algebra::Cholesky::new(v.view()).unwrap().solve(right.view()).unwrap();
        x.iter().zip(&solved).map(|(x, s)| x * s).sum()
    }

    fn ratio_is_constant(kept: &[bool], sigma: &Array2<f64>, given: Option<&StimulusCovariance>) {
        let n_kept = kept.iter().filter(|k| **k).count();
        let drawn = noise(3, n_kept, 5);
        let vectors: Vec<Vec<f64>> = drawn.rows().into_iter().map(|row| row.to_vec()).collect();
        let embedded = whitened(&vectors, kept, given).unwrap();
        let mut ratios = Vec::new();
        for a in 0..3 {
            for b in 0..3 {
                let fast: f64 = embedded[a].iter().zip(&embedded[b]).map(|(x, y)| x * y).sum();
                ratios.push(fast / slow(&vectors[a], &vectors[b], kept, sigma));
            }
        }
        assert!(ratios.iter().all(|r| (r / ratios[0] - 1.0).abs() < 1e-9), "{ratios:?}");
    }

    #[test]
    fn products_are_those_of_the_system_of_all_pairs() {
        for n in [3, 4, 7] {
            let n_pairs = n * (n - 1) / 2;
            ratio_is_constant(&vec![true; n_pairs], &Array2::eye(n), None);
            let mixing = noise(n, n + 2, 9);
            let sigma = mixing.dot(&mixing.t());
            let given = StimulusCovariance::new(sigma.view()).unwrap();
            ratio_is_constant(&vec![true; n_pairs], &sigma, Some(&given));
            let identity = StimulusCovariance::new(Array2::eye(n).view()).unwrap();
            ratio_is_constant(&vec![true; n_pairs], &Array2::eye(n), Some(&identity));
            if n > 3 {
                // every pair of stimulus 1, and one more
                let kept: Vec<bool> =
                    (0..n).flat_map(|i| (i + 1..n).map(move |j| i != 1 && j != 1 && (i, j) != (0, n - 1))).collect();
                ratio_is_constant(&kept, &Array2::eye(n), None);
                ratio_is_constant(&kept, &sigma, Some(&given));
                ratio_is_constant(&kept, &Array2::eye(n), Some(&identity));
                // single pairs of stimuli that have others
                let kept: Vec<bool> = (0..n_pairs).map(|pair| pair % 4 != 2).collect();
                ratio_is_constant(&kept, &sigma, Some(&given));
            }
        }
    }

    #[test]
    fn more_missing_pairs_than_can_be_put_in_are_refused() {
        let n = 150;
        let kept: Vec<bool> = (0..n * (n - 1) / 2).map(|pair| pair % 2 == 0).collect();
        let given = StimulusCovariance::new(Array2::<f64>::eye(n).view()).unwrap();
        let values = vec![1.0; kept.iter().filter(|k| **k).count()];
        assert_eq!(
            whitened(&[values], &kept, Some(&given)),
            Err(RdmError::CovarianceWithMissingPairs { n_nan: 5587, n_pairs: 11175, largest: 4096 })
        );
    }

    #[test]
    fn refuses_what_is_no_covariance() {
        let mut sigma = Array2::<f64>::eye(3);
        sigma[(0, 1)] = 0.5;
        assert!(matches!(
            StimulusCovariance::new(sigma.view()),
            Err(RdmError::CovarianceNotSymmetric { row: 0, column: 1, .. })
        ));
        sigma[(1, 0)] = f64::NAN;
        assert!(matches!(StimulusCovariance::new(sigma.view()), Err(RdmError::CovarianceNotFinite { .. })));
        let equal = Array2::<f64>::ones((3, 3));
        assert_eq!(StimulusCovariance::new(equal.view()), Err(RdmError::CovarianceNotPositive { n: 3 }));
        assert_eq!(
            StimulusCovariance::new(Array2::zeros((2, 3)).view()),
            Err(RdmError::NotSquare { rows: 2, columns: 3 })
        );
        let given = StimulusCovariance::new(Array2::<f64>::eye(4).view()).unwrap();
        assert_eq!(
            whitened(&[vec![1.0; 3]], &[true; 3], Some(&given)),
            Err(RdmError::CovarianceSize { n: 4, n_stimuli: 3 })
        );
    }
}
