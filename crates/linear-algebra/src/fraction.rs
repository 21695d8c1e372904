use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use crate::LinearAlgebraError;

/// Voxels that one thread solves for in one go.
const VOXELS: usize = 64;
/// Newton's method is done in about five steps; halving the bracket, the worst case, in some sixty.
const STEPS: usize = 200;
/// Which coordinates a voxel has on the axes of `X = U sqrt(L) V'`, and so what they say about weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coordinates {
    /// `V' X' y`: the weight of an axis is `c / (l + alpha)`.
    Primal,
    /// `U' y`: the weight of an axis is `sqrt(l) c / (l + alpha)`.
    Dual,
}

/// A penalty and the fraction that it gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FractionAlpha {
    /// The ridge penalty.
    pub alpha: f64,
    /// Length of the weights under that penalty over their length without one; `NaN` where that is 0.
    pub fraction: f64,
}

/// Finds the penalty under which weights have a given fraction of the length of those without a penalty.
///
/// With eigenvalues `l` of `X' X` and the share `s` of each axis in the squared length of the unpenalized weights, the
/// fraction is `g(alpha) = sqrt(sum s (l / (l + alpha))^2)`. It falls from 1 to 0, so that there is one solution; it
/// lies between those of the smallest and of the largest eigenvalue alone, `l (1 / g - 1)`. `ln(1 / g - 1)` is a
/// line of slope 1 in `ln(alpha)` for one axis, and nearly so for any: Newton's method runs on it, within that bracket.
#[derive(Debug, Clone)]
pub struct FractionSolver {
    /// Relative to the largest; 0 for axes that are left out.
    eigenvalues: Vec<f64>,
    /// What a squared coordinate adds to the squared length of the unpenalized weights, but for a common factor.
    factors: Vec<f64>,
    largest: f64,
    smallest: f64,
}

impl FractionSolver {
    /// For eigenvalues of `X' X` (those of `X X'` are the same), in any order. Axes whose singular value, the root of
    /// the eigenvalue, is at most `tolerance` times the largest are left out.
    pub fn new(eigenvalues: &[f64], coordinates: Coordinates, tolerance: f64) -> FractionSolver {
        let largest = eigenvalues.iter().copied().fold(0.0, f64::max);
        let relative = |l: &f64| if *l > tolerance * tolerance * largest { l / largest } else { 0.0 };
        let eigenvalues: Vec<f64> = eigenvalues.iter().map(relative).collect();
        let factor = |l: &f64| match coordinates {
            _ if *l == 0.0 => 0.0,
            Coordinates::Primal => 1.0 / (l * l),
            Coordinates::Dual => 1.0 / l,
        };
        FractionSolver {
            factors: eigenvalues.iter().map(factor).collect(),
            smallest: eigenvalues.iter().copied().filter(|l| *l > 0.0).fold(1.0, f64::min),
            eigenvalues,
            largest,
        }
    }

    /// Number of axes that are not left out.
    pub fn rank(&self) -> usize {
        self.eigenvalues.iter().filter(|l| **l > 0.0).count()
    }

    /// The penalty of one voxel, given its coordinates (k). A fraction of 1 is no penalty; where all coordinates are 0
    /// no weight has a length, so that the penalty is 0 and the fraction `NaN`; where one is `NaN` both are.
    pub fn solve(&self, coordinates: ArrayView1<f64>, fraction: f64) -> Result<FractionAlpha, LinearAlgebraError> {
        check(&[fraction])?;
        Ok(self.solve_shares(&self.shares(coordinates), fraction))
    }

    /// The penalties of many voxels (coordinates `k x v`) for each of some fractions: as many lists as fractions, each
    /// with one entry per voxel. They are what the errors of every fraction are measured with when one is to be chosen.
    pub fn solve_all(
        &self,
        coordinates: ArrayView2<f64>,
        fractions: &[f64],
    ) -> Result<Vec<Vec<FractionAlpha>>, LinearAlgebraError> {
        check(fractions)?;
        let blocks: Vec<ArrayView2<f64>> = coordinates.axis_chunks_iter(Axis(1), VOXELS).collect();
        let solved: Vec<Vec<Vec<FractionAlpha>>> = blocks
            .into_par_iter()
            .map(|block| {
                let shares: Vec<Vec<f64>> = block.columns().into_iter().map(|c| self.shares(c)).collect();
                let solve = |fraction: &f64| shares.iter().map(|s| self.solve_shares(s, *fraction)).collect();
                fractions.iter().map(solve).collect()
            })
            .collect();
        let of_fraction = |i: usize| solved.iter().flat_map(|block| block[i].iter().copied()).collect();
        Ok((0..fractions.len()).map(of_fraction).collect())
    }

    /// Coordinates (`k x v`) divided by `l + alpha`, one penalty per voxel; 0 on the axes that are left out, so that
    /// a penalty of 0 is allowed.
    pub fn shrink(&self, coordinates: ArrayView2<f64>, alphas: &[f64]) -> Array2<f64> {
        let mut shrunk = coordinates.to_owned();
        for (mut row, l) in shrunk.rows_mut().into_iter().zip(&self.eigenvalues) {
            if *l == 0.0 {
                row.fill(0.0);
            } else {
                row.iter_mut().zip(alphas).for_each(|(value, alpha)| *value /= l * self.largest + alpha);
            }
        }
        shrunk
    }

    /// Shares of the axes in the squared length of the unpenalized weights; empty where that is 0 or `NaN`.
    fn shares(&self, coordinates: ArrayView1<f64>) -> Vec<f64> {
        // Divided by the largest, so that squares neither overflow nor vanish.
        let kept = || coordinates.iter().zip(&self.factors).filter(|(_, factor)| **factor > 0.0);
        let scale = kept().map(|(c, factor)| c.abs() * factor.sqrt()).fold(0.0, f64::max);
        let lengths: Vec<f64> = coordinates
            .iter()
            .zip(&self.factors)
            .map(|(c, factor)| if *factor > 0.0 { (c * factor.sqrt() / scale).powi(2) } else { 0.0 })
            .collect();
        let total: f64 = lengths.iter().sum();
        match kept().any(|(c, _)| !c.is_finite()) {
            true => vec![f64::NAN],
            false if scale == 0.0 => Vec::new(),
            false => lengths.into_iter().map(|l| l / total).collect(),
        }
    }

    fn solve_shares(&self, shares: &[f64], fraction: f64) -> FractionAlpha {
        match shares {
            [] => return FractionAlpha { alpha: 0.0, fraction: f64::NAN },
            [share, ..] if share.is_nan() => return FractionAlpha { alpha: f64::NAN, fraction: f64::NAN },
            _ if fraction == 1.0 => return FractionAlpha { alpha: 0.0, fraction: 1.0 },
            _ => {}
        }
        let odds = (1.0 - fraction) / fraction;
        let (mut low, mut high) = (self.smallest * odds, odds);
        let mut best = (f64::INFINITY, high, f64::NAN);
        let mut alpha = (low * high).sqrt();
        let mut last = f64::INFINITY;
        for _ in 0..STEPS {
            let (g, excess, slope) = self.length(shares, alpha);
            let error = (g - fraction).abs();
            if error < best.0 {
                best = (error, alpha, g);
            }
            let off = (excess / odds).ln();
            if error <= f64::EPSILON * fraction || high <= low * (1.0 + 2.0 * f64::EPSILON) {
                break;
            }
            if off < 0.0 {
                low = low.max(alpha);
            } else {
                high = high.min(alpha);
            }
            let newton = alpha * (-off / slope).exp();
            // A step that leaves the bracket, or comes after one that did not halve the error, is not trusted.
            let trusted = newton > low && newton < high && off.abs() <= 0.5 * last;
            let next = if trusted { newton } else { (low * high).sqrt() };
            last = off.abs();
            if next == alpha {
                break;
            }
            alpha = next;
        }
        FractionAlpha { alpha: best.1 * self.largest, fraction: best.2 }
    }

    /// The fraction g under this (relative) penalty, 1 / g - 1 without cancellation, and the slope of the logarithm of
    /// that in ln(alpha).
    fn length(&self, shares: &[f64], alpha: f64) -> (f64, f64, f64) {
        let (mut square, mut lost, mut steep) = (0.0, 0.0, 0.0);
        for (share, l) in shares.iter().zip(&self.eigenvalues) {
            let kept = if *l > 0.0 { l / (l + alpha) } else { 0.0 };
            // alpha / (l + alpha): 1 less what is kept, without cancellation
            let dropped = if *l > 0.0 { alpha / (l + alpha) } else { 0.0 };
            square += share * kept * kept;
            lost += share * dropped * (1.0 + kept);
            steep += share * kept * kept * dropped;
        }
        let g = square.sqrt();
        let excess = lost / (g * (1.0 + g));
        (g, excess, steep / (square * g * excess))
    }
}

fn check(fractions: &[f64]) -> Result<(), LinearAlgebraError> {
    // Below the smallest normal number 1 / fraction is no number.
    match fractions.iter().find(|f| !(**f <= 1.0 && **f > 0.0 && f.is_normal())) {
        Some(fraction) => Err(LinearAlgebraError::NotAFraction(*fraction)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::{Coordinates, FractionSolver};
    use crate::testing::noise;
    use crate::{LinearAlgebraError, cross_product, thin_svd};

    #[test]
    fn one_axis_by_hand() {
        // l / (l + alpha) = 1/4 at alpha = 3 l
        for kind in [Coordinates::Primal, Coordinates::Dual] {
            let solver = FractionSolver::new(&[5.0, 0.0], kind, 1e-10);
            let found = solver.solve(array![-7.0, 3.0].view(), 0.25).unwrap();
            assert!((found.alpha - 15.0).abs() < 1e-13 && (found.fraction - 0.25).abs() < 1e-16);
            assert_eq!(solver.rank(), 1);
            assert_eq!(solver.shrink(array![[10.0], [3.0]].view(), &[0.0]), array![[2.0], [0.0]]);
        }
    }

    #[test]
    fn fractions_are_exact_over_steep_spectra() {
        // spectra of up to 18 decades, with the length on either end, and fractions close to both ends
        for (seed, decades) in [(1, 0.5), (2, 4.0), (3, 12.0), (4, 18.0)] {
            let eigenvalues: Vec<f64> = (0..40).map(|k| 10f64.powf(3.0 - decades * f64::from(k) / 39.0)).collect();
            for kind in [Coordinates::Primal, Coordinates::Dual] {
                let solver = FractionSolver::new(&eigenvalues, kind, 1e-10);
                for power in [0.0, 0.5, 1.0, 1.5] {
                    let noise = noise::<f64>(40, 1, seed);
                    let c: Array1<f64> = noise.iter().zip(&eigenvalues).map(|(e, l)| e * l.powf(power)).collect();
                    let factor = |l: f64| if kind == Coordinates::Primal { 1.0 } else { l };
                    let length = |alpha: f64| {
                        let axes = c.iter().zip(&eigenvalues).filter(|(_, l)| **l > 1e-20 * 1e3);
                        axes.map(|(c, l)| factor(*l) * (c / (l + alpha)).powi(2)).sum::<f64>().sqrt()
                    };
                    for fraction in [1e-12, 1e-3, 0.05, 0.3, 0.9, 0.999, 1.0 - 1e-9] {
                        let found = solver.solve(c.view(), fraction).unwrap();
                        let achieved = length(found.alpha) / length(0.0);
                        let what = format!("{decades} decades, {kind:?}, power {power}, fraction {fraction}");
                        assert!((achieved - fraction).abs() < 1e-14, "{what}: {achieved}");
                        assert!((found.fraction - fraction).abs() < 1e-14, "{what}: {found:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_plateau_between_two_far_eigenvalues_is_crossed() {
        // g stays at .1 over ten decades of alpha; both sides of it and the plateau itself are found
        let solver = FractionSolver::new(&[1.0, 1e-12], Coordinates::Primal, 1e-10);
        let c = array![0.1, 0.99f64.sqrt() * 1e-12];
        for fraction in [0.05, 0.1, 0.1 + 1e-9, 0.100001, 0.2] {
            let found = solver.solve(c.view(), fraction).unwrap();
            assert!((found.fraction - fraction).abs() < 1e-15, "{fraction}: {found:?}");
        }
    }

    #[test]
    fn both_sides_of_the_decomposition_give_the_same_penalty() {
        for (n, p) in [(30, 8), (12, 40)] {
            let (x, y) = (noise::<f64>(n, p, 5), noise::<f64>(n, 70, 6));
            let svd = thin_svd(x.view()).unwrap();
            let squares: Vec<f64> = svd.values.iter().map(|s| s * s).collect();
            let dual = cross_product(svd.left.view(), y.view());
            let primal = cross_product(svd.right.view(), cross_product(x.view(), y.view()).view());
            let fractions = [0.1, 0.5, 1.0];
            let solve = |kind, c: &Array2<f64>| {
                FractionSolver::new(&squares, kind, 1e-10).solve_all(c.view(), &fractions).unwrap()
            };
            let (a, b) = (solve(Coordinates::Primal, &primal), solve(Coordinates::Dual, &dual));
            for (a, b) in a.iter().flatten().zip(b.iter().flatten()) {
                assert!((a.alpha - b.alpha).abs() <= 1e-11 * a.alpha, "{a:?} {b:?}");
            }
            assert!(a[2].iter().all(|found| found.alpha == 0.0 && found.fraction == 1.0));
            assert_eq!(a.iter().map(Vec::len).collect::<Vec<_>>(), [70; 3]);
        }
    }

    #[test]
    fn voxels_without_weights_and_unusable_ones() {
        let solver = FractionSolver::new(&[2.0, 1.0, 0.0], Coordinates::Primal, 1e-10);
        let found = solver.solve(array![0.0, 0.0, 5.0].view(), 0.5).unwrap();
        assert!(found.alpha == 0.0 && found.fraction.is_nan());
        let found = solver.solve(array![0.0, f64::NAN, 5.0].view(), 0.5).unwrap();
        assert!(found.alpha.is_nan() && found.fraction.is_nan());
        // squares of these would be 0 or infinite
        for size in [1e-200, 1e200] {
            let found = solver.solve(array![size, size, 0.0].view(), 0.5).unwrap();
            assert!((found.fraction - 0.5).abs() < 1e-15);
        }
        let none = FractionSolver::new(&[0.0, 0.0], Coordinates::Dual, 1e-10);
        assert_eq!(none.rank(), 0);
        assert_eq!(none.solve(array![1.0, 2.0].view(), 0.5).unwrap().alpha, 0.0);
    }

    #[test]
    fn what_is_no_fraction_is_refused() {
        let solver = FractionSolver::new(&[1.0], Coordinates::Primal, 1e-10);
        for fraction in [0.0, -0.1, 1.0 + 1e-15, f64::INFINITY, 1e-310] {
            let error = solver.solve(array![1.0].view(), fraction).unwrap_err();
            assert_eq!(error, LinearAlgebraError::NotAFraction(fraction));
        }
        assert!(solver.solve_all(array![[1.0]].view(), &[0.5, f64::NAN]).is_err());
    }
}
