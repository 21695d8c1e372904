//! The covariance of the noise over channels, shrunk, and patterns whitened by it.

use std::sync::OnceLock;

use linear_algebra::{Cholesky, LinearAlgebraError, SymmetricEigen, cross_gram, product, symmetric_eigen};
use ndarray::{Array2, ArrayView2, Axis};

use crate::Distance;

mod given;

/// How a sample covariance is made invertible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shrinkage {
    /// Towards its diagonal: Schaefer and Strimmer (2005), rsatoolbox's `shrinkage_diag`.
    Diag,
    /// Towards a multiple of the identity: Ledoit and Wolf (2004), rsatoolbox's `shrinkage_eye`.
    Eye,
    /// Not at all: rsatoolbox's `full`. Needs more residuals than channels.
    None,
    /// All covariances are taken to be 0, so each channel is divided by its standard deviation: rsatoolbox's `diag`.
    Univariate,
}

impl Shrinkage {
    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Shrinkage::Diag => "diag",
            Shrinkage::Eye => "eye",
            Shrinkage::None => "none",
            Shrinkage::Univariate => "univariate",
        }
    }
}

/// Why there is no noise model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NoiseError {
    /// Too few residuals.
    #[error("{n_rows} residuals leave {dof} degrees of freedom; more than 0 are needed")]
    TooFew {
        /// Residuals given.
        n_rows: usize,
        /// Degrees of freedom left.
        dof: f64,
    },
    /// A residual is NaN or infinite.
    #[error("the residual in row {row}, channel {channel} is {value}; noise is estimated from finite numbers")]
    NotFinite {
        /// Row, from 0.
        row: usize,
        /// Channel, from 0.
        channel: usize,
        /// What stands there.
        value: f64,
    },
    /// A channel without noise.
    #[error(
        "channel {channel} of {n_channels} has no variance in the residuals, so nothing can be divided by it; leave it \
         out (`npy cols`)"
    )]
    ConstantChannel {
        /// The first such channel, from 0.
        channel: usize,
        /// Number of channels.
        n_channels: usize,
    },
    /// The covariance has no inverse.
    #[error(
        "the covariance of {n_channels} channels from {n_rows} residuals has no inverse; shrink it (--shrink diag or \
         eye)"
    )]
    Singular {
        /// Number of channels.
        n_channels: usize,
        /// Residuals given.
        n_rows: usize,
    },
    /// Patterns over another number of channels.
    #[error("the patterns have {units} channels, the noise {n_channels}")]
    ChannelsDiffer {
        /// Channels of the patterns.
        units: usize,
        /// Channels of the noise.
        n_channels: usize,
    },
    /// A given matrix that is no covariance: not square.
    #[error("{rows} x {columns}; the covariance of n channels, or its inverse, is n x n")]
    NotSquare {
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// A given matrix with an entry that is no number.
    #[error("row {row}, column {column} is {value}; a covariance and its inverse hold finite numbers")]
    EntryNotFinite {
        /// Its row, from 0.
        row: usize,
        /// Its column, from 0.
        column: usize,
        /// What stands there.
        value: f64,
    },
    /// The two triangles of a given matrix differ.
    #[error(
        "row {row}, column {column} is {upper}, but row {column}, column {row} is {lower}; a covariance and its inverse \
         are symmetric"
    )]
    NotSymmetric {
        /// Row of the first such entry above the diagonal, from 0.
        row: usize,
        /// Its column, from 0.
        column: usize,
        /// The entry above the diagonal.
        upper: f64,
        /// The entry below it.
        lower: f64,
    },
    /// A given matrix under which some sum of channels has no variance, or less.
    #[error(
        "the matrix of {n_channels} channels is not positive definite, so it is no covariance with an inverse; shrink \
         it, or give the residuals with --noise"
    )]
    NotPositive {
        /// Its channels.
        n_channels: usize,
    },
}

/// The noise over channels, estimated from residuals or given.
#[derive(Debug, Clone)]
pub struct NoiseModel {
    covariance: Array2<f64>,
    factor: Cholesky,
    /// The symmetric root of the inverse, made when it is first asked for.
    root: OnceLock<Array2<f64>>,
    intensity: Option<f64>,
    dof: Option<f64>,
}

impl NoiseModel {
    /// From `n_residuals x n_channels` residuals. Column means are subtracted first, as rsatoolbox does. `dof` are the
    /// degrees of freedom; [`None`](Option::None) is the number of residuals minus 1 (a GLM leaves fewer).
    ///
    /// With `s` the covariance with divisor `n` and `x` a residual, [`Shrinkage::Eye`] mixes `s` and `m I`, `m` the
    /// mean variance, with the share `b2 / d2` of `m I`: `b2` the mean of `|x x' - s|^2 / n`, `d2 = |s - m I|^2`
    /// (Frobenius), never more than 1. [`Shrinkage::Diag`] multiplies the covariances by 1 minus the sum of the
    /// variances of the correlations over the sum of their squares, within 0..1. Both as rsatoolbox 0.3.2 counts.
    ///
    /// ```
    /// use ndarray::array;
    /// use rdm::{NoiseModel, Shrinkage};
    /// let residuals = array![[1.0, 2.0], [-1.0, 0.0], [0.0, -2.0]];
    /// let noise = NoiseModel::from_residuals(residuals.view(), None, Shrinkage::None)?;
    /// assert_eq!(noise.covariance(), array![[1.0, 1.0], [1.0, 4.0]]);
    /// # Ok::<(), rdm::NoiseError>(())
    /// ```
    pub fn from_residuals(
        residuals: ArrayView2<f64>,
        dof: Option<f64>,
        shrinkage: Shrinkage,
    ) -> Result<NoiseModel, NoiseError> {
        let (n_rows, n_channels) = residuals.dim();
        let dof = dof.unwrap_or(n_rows as f64 - 1.0);
        if n_rows < 2 || dof <= 0.0 {
            return Err(NoiseError::TooFew { n_rows, dof });
        }
        if let Some(((row, channel), value)) = residuals.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(NoiseError::NotFinite { row, channel, value: *value });
        }
        let mut x = residuals.to_owned();
        if let Some(means) = x.mean_axis(Axis(0)) {
            x -= &means;
        }
        let sums = cross_gram(x.view()).to_array();
        if shrinkage != Shrinkage::Eye
            && let Some(channel) = sums.diag().iter().position(|v| *v <= 0.0)
        {
            return Err(NoiseError::ConstantChannel { channel, n_channels });
        }
        let (covariance, intensity) = match shrinkage {
            Shrinkage::None => (sums / dof, 0.0),
            Shrinkage::Univariate => (Array2::from_diag(&(&sums.diag() / dof)), 1.0),
            Shrinkage::Eye => towards_identity(&x, sums, dof),
            Shrinkage::Diag => towards_diagonal(&x, sums, dof),
        };
        let factor = Cholesky::new(covariance.view()).map_err(|error| match error {
            LinearAlgebraError::NotFinite { column: channel, .. } => {
                NoiseError::ConstantChannel { channel, n_channels }
            }
            _ => NoiseError::Singular { n_channels, n_rows },
        })?;
        Ok(NoiseModel { covariance, factor, root: OnceLock::new(), intensity: Some(intensity), dof: Some(dof) })
    }

    /// From repeated presentations: the residuals are `patterns` (`n_rows x n_channels`) minus the mean of the rows of
    /// the same condition. By default the degrees of freedom are the rows minus the conditions that occur, and rows of
    /// a condition that occurs once add nothing, as rsatoolbox's `cov_from_unbalanced` has it.
    ///
    /// # Panics
    /// When `condition` has not one entry per row.
    pub fn from_repeats(
        patterns: ArrayView2<f64>,
        condition: &[usize],
        dof: Option<f64>,
        shrinkage: Shrinkage,
    ) -> Result<NoiseModel, NoiseError> {
        assert_eq!(patterns.nrows(), condition.len(), "one condition per row");
        let n_conditions = condition.iter().max().map_or(0, |c| c + 1);
        let mut means = Array2::zeros((n_conditions, patterns.ncols()));
        let mut counts = vec![0usize; n_conditions];
        for (row, &c) in patterns.rows().into_iter().zip(condition) {
            means.row_mut(c).zip_mut_with(&row, |sum: &mut f64, v| *sum += v);
            counts[c] += 1;
        }
        for (mut mean, count) in means.rows_mut().into_iter().zip(&counts) {
            mean /= (*count).max(1) as f64;
        }
        let mut residuals = patterns.to_owned();
        for (mut row, &c) in residuals.rows_mut().into_iter().zip(condition) {
            row -= &means.row(c);
        }
        let occurring = counts.iter().filter(|n| **n > 0).count();
        let dof = dof.unwrap_or(condition.len() as f64 - occurring as f64);
        NoiseModel::from_residuals(residuals.view(), Some(dof), shrinkage)
    }

    /// The covariance, shrunk: `n_channels x n_channels`.
    pub fn covariance(&self) -> &Array2<f64> {
        &self.covariance
    }

    /// How much of the target is in the covariance, 0 to 1; none of a covariance that was given.
    pub fn intensity(&self) -> Option<f64> {
        self.intensity
    }

    /// Degrees of freedom that the sums of squares were divided by; none of a covariance that was given.
    pub fn dof(&self) -> Option<f64> {
        self.dof
    }

    /// The inverse of the covariance.
    pub fn precision(&self) -> Array2<f64> {
        let n = self.covariance.nrows();
        // A square identity fits the factor it was made from.
        self.factor.solve(Array2::eye(n).view()).unwrap_or_else(|_| Array2::zeros((n, n)))
    }

    /// Whether patterns over so many channels can be whitened.
    pub fn check_channels(&self, units: usize) -> Result<(), NoiseError> {
        match self.covariance.nrows() {
            n_channels if n_channels == units => Ok(()),
            n_channels => Err(NoiseError::ChannelsDiffer { units, n_channels }),
        }
    }

    /// Patterns (`n_rows x n_channels`) in units of the noise: squared differences of the rows that come out are
    /// squared Mahalanobis distances of those that went in. A row that holds `NaN` becomes `NaN` and spoils no other.
    ///
    /// This is by the Cholesky factor, whose channels are mixtures that depend on their order: right for lengths and
    /// angles of the rows, which are the same under any root. [`NoiseModel::whiten_each`] is for what looks at
    /// channels.
    pub fn whiten(&self, patterns: Array2<f64>) -> Result<Array2<f64>, NoiseError> {
        let (units, n_channels) = (patterns.ncols(), self.covariance.nrows());
        without_nan_rows(patterns, |patterns| {
            self.factor.whiten_rows(patterns).map_err(|_| NoiseError::ChannelsDiffer { units, n_channels })
        })
    }

    /// The same by the symmetric root of the precision: channel `k` of what comes out is the one nearest to channel
    /// `k` of what went in, in any order of the channels (ZCA, Kessy, Lewin and Strimmer 2018), so that correlations
    /// across channels, ranks and sums of absolute differences do not depend on that order.
    pub fn whiten_each(&self, patterns: Array2<f64>) -> Result<Array2<f64>, NoiseError> {
        self.check_channels(patterns.ncols())?;
        let root = match self.root.get() {
            Some(root) => root,
            None => {
                let made = symmetric_root(self.covariance.view())?;
                self.root.get_or_init(|| made)
            }
        };
        without_nan_rows(patterns, |patterns| {
            *patterns = product(patterns.view(), root.view());
            Ok(())
        })
    }

    /// [`NoiseModel::whiten`] for distances that are lengths or angles, [`NoiseModel::whiten_each`] for others.
    pub fn whiten_for(&self, distance: Distance, patterns: Array2<f64>) -> Result<Array2<f64>, NoiseError> {
        use Distance::{Cosine, Euclidean, Sqeuclidean, SqeuclideanPerChannel};
        match distance {
            Euclidean | Sqeuclidean | SqeuclideanPerChannel | Cosine => self.whiten(patterns),
            _ => self.whiten_each(patterns),
        }
    }
}

/// The symmetric root of the inverse of a covariance.
fn symmetric_root(covariance: ArrayView2<f64>) -> Result<Array2<f64>, NoiseError> {
    let not_positive = || NoiseError::NotPositive { n_channels: covariance.nrows() };
    let SymmetricEigen { values, vectors } = symmetric_eigen(covariance).map_err(|_| not_positive())?;
    if values.iter().any(|v| *v <= 0.0) {
        return Err(not_positive());
    }
    let scaled = &vectors * &values.mapv(|v| 1.0 / v.sqrt());
    Ok(product(scaled.view(), vectors.t()))
}

/// Changes patterns, with 0 in the rows that hold `NaN`, which come out as `NaN`.
fn without_nan_rows(
    mut patterns: Array2<f64>,
    change: impl FnOnce(&mut Array2<f64>) -> Result<(), NoiseError>,
) -> Result<Array2<f64>, NoiseError> {
    let unusable: Vec<bool> = patterns.rows().into_iter().map(|row| row.iter().any(|v| !v.is_finite())).collect();
    for (mut row, _) in patterns.rows_mut().into_iter().zip(&unusable).filter(|(_, bad)| **bad) {
        row.fill(0.0);
    }
    change(&mut patterns)?;
    for (mut row, _) in patterns.rows_mut().into_iter().zip(&unusable).filter(|(_, bad)| **bad) {
        row.fill(f64::NAN);
    }
    Ok(patterns)
}

/// Ledoit and Wolf: `x` centred, `sums = x' x`.
fn towards_identity(x: &Array2<f64>, sums: Array2<f64>, dof: f64) -> (Array2<f64>, f64) {
    let (n, p) = (x.nrows() as f64, x.ncols());
    let s = sums / n;
    // The sum over all entries of the squared outer products of a row is its squared length, squared.
    let fourth: f64 = x.rows().into_iter().map(|row| row.dot(&row).powi(2)).sum();
    let squares: f64 = s.iter().map(|v| v * v).sum();
    let m = s.diag().sum() / p as f64;
    let d2: f64 = s.indexed_iter().map(|((i, j), v)| if i == j { (v - m).powi(2) } else { v * v }).sum();
    let b2 = ((fourth / n - squares) / n).min(d2);
    let share = if d2 > 0.0 { b2 / d2 } else { 1.0 };
    let mut shrunk = s * (1.0 - share);
    shrunk.diag_mut().map_inplace(|v| *v += share * m);
    (shrunk * (n / dof), share)
}

/// Schaefer and Strimmer: `x` centred, `sums = x' x` with a positive diagonal.
fn towards_diagonal(x: &Array2<f64>, sums: Array2<f64>, dof: f64) -> (Array2<f64>, f64) {
    let n = x.nrows() as f64;
    let of_squares = cross_gram(x.mapv(|v| v * v).view()).to_array();
    let s = sums / dof;
    let variances = s.diag().to_owned();
    let (mut variance_of_correlations, mut squares) = (0.0, 0.0);
    for ((i, j), covariance) in s.indexed_iter().filter(|((i, j), _)| i != j) {
        let scale = variances[i] * variances[j];
        let mean = covariance * dof / scale.sqrt() / (n - 1.0);
        let mean_of_squares = of_squares[(i, j)] / scale / (n - 1.0);
        variance_of_correlations += n / (dof * dof) * (mean_of_squares - mean * mean);
        squares += mean * mean;
    }
    let share = if squares > 0.0 { (variance_of_correlations / squares).clamp(0.0, 1.0) } else { 1.0 };
    let mut shrunk = s * (1.0 - share);
    shrunk.diag_mut().assign(&variances);
    (shrunk, share)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};

    use super::*;
    use crate::testing::noise;

    /// The estimators with the outer products of rsatoolbox written out.
    fn slow(x: &Array2<f64>, dof: f64, shrinkage: Shrinkage) -> Array2<f64> {
        let (n, p) = (x.nrows() as f64, x.ncols());
        let x = x - &x.mean_axis(Axis(0)).unwrap();
        let sum = |f: &dyn Fn(usize) -> f64| (0..x.nrows()).map(f).sum::<f64>();
        let s_sum = Array2::from_shape_fn((p, p), |(i, j)| sum(&|k| x[(k, i)] * x[(k, j)]));
        let s2_sum = Array2::from_shape_fn((p, p), |(i, j)| sum(&|k| (x[(k, i)] * x[(k, j)]).powi(2)));
        match shrinkage {
            Shrinkage::None => s_sum / dof,
            Shrinkage::Univariate => Array2::from_diag(&(&s_sum.diag() / dof)),
            Shrinkage::Eye => {
                let s = s_sum / n;
                let m = s.diag().mean().unwrap();
                let d2: f64 = (&s - &(Array2::<f64>::eye(p) * m)).mapv(|v| v * v).sum();
                let b2 = ((s2_sum / n - &s * &s).sum() / n).min(d2);
                (Array2::<f64>::eye(p) * (b2 / d2 * m) + s * ((d2 - b2) / d2)) * (n / dof)
            }
            Shrinkage::Diag => {
                let s = &s_sum / dof;
                let scale = Array2::from_shape_fn((p, p), |(i, j)| (s[(i, i)] * s[(j, j)]).sqrt());
                let mean = &s_sum / &scale / (n - 1.0);
                let mean2 = s2_sum / &scale / &scale / (n - 1.0);
                let var = (mean2 - &mean * &mean) * (n / dof / dof);
                let off = |a: &Array2<f64>| a.sum() - a.diag().sum();
                let lambda = (off(&var) / off(&(&mean * &mean))).clamp(0.0, 1.0);
                Array2::from_shape_fn((p, p), |(i, j)| s[(i, j)] * if i == j { 1.0 } else { 1.0 - lambda })
            }
        }
    }

    const ALL: [Shrinkage; 4] = [Shrinkage::Diag, Shrinkage::Eye, Shrinkage::None, Shrinkage::Univariate];

    #[test]
    fn estimators_agree_with_outer_products_written_out() {
        let mut x = noise(40, 6, 1);
        let first = x.column(0).to_owned();
        x.column_mut(1).scaled_add(0.7, &first);
        x += 3.0;
        for shrinkage in ALL {
            for dof in [None, Some(31.0)] {
                let found = NoiseModel::from_residuals(x.view(), dof, shrinkage).unwrap();
                let expected = slow(&x, dof.unwrap_or(39.0), shrinkage);
                let close = found.covariance().iter().zip(&expected).all(|(f, e)| (f - e).abs() < 1e-14);
                assert!(close, "{shrinkage:?}");
                assert!((0.0..=1.0).contains(&found.intensity().unwrap()));
                let one = found.precision().dot(found.covariance());
                assert!(one.indexed_iter().all(|((i, j), v)| (v - f64::from(u8::from(i == j))).abs() < 1e-12));
            }
        }
    }

    #[test]
    fn few_residuals_are_shrunk_far_and_many_hardly() {
        let wide = NoiseModel::from_residuals(noise(8, 30, 2).view(), None, Shrinkage::Diag).unwrap();
        let long = NoiseModel::from_residuals(noise(30_000, 3, 2).view(), None, Shrinkage::Eye).unwrap();
        assert!(wide.intensity() > Some(0.5), "{:?}", wide.intensity());
        let mut related = noise(3000, 4, 3);
        let first = related.column(0).to_owned();
        related.column_mut(1).assign(&(first * 0.9));
        related.column_mut(1).scaled_add(0.1, &noise(3000, 1, 4).column(0));
        let related = NoiseModel::from_residuals(related.view(), None, Shrinkage::Diag).unwrap();
        assert!(related.intensity() < Some(0.01), "{:?}", related.intensity());
        assert_eq!(long.dof(), Some(29_999.0));
    }

    #[test]
    fn repeats_leave_the_condition_means_out() {
        let patterns = array![[1.0, 5.0], [3.0, 6.0], [10.0, 1.0], [12.0, 3.0], [11.0, 2.0], [7.0, 7.0]];
        let found = NoiseModel::from_repeats(patterns.view(), &[0, 0, 1, 1, 1, 2], None, Shrinkage::None).unwrap();
        // condition 0: (-1, -.5), (1, .5); condition 1: (-1, -1), (1, 1), (0, 0); condition 2: 0; 6 - 3 = 3
        assert_eq!(found.covariance(), array![[4.0 / 3.0, 3.0 / 3.0], [3.0 / 3.0, 2.5 / 3.0]]);
        // what the conditions are does not matter, nor does their order
        let moved = &patterns + &array![[9.0], [9.0], [-4.0], [-4.0], [-4.0], [1.0]];
        let again = NoiseModel::from_repeats(moved.view(), &[2, 2, 0, 0, 0, 1], None, Shrinkage::None).unwrap();
        assert!(found.covariance().iter().zip(again.covariance()).all(|(a, b)| (a - b).abs() < 1e-14));
    }

    #[test]
    fn the_symmetric_root_knows_no_order_of_channels() {
        let (x, residuals) = (noise(5, 6, 1), noise(40, 6, 2).dot(&noise(6, 6, 3)));
        let model = |e: &Array2<f64>| NoiseModel::from_residuals(e.view(), None, Shrinkage::Diag).unwrap();
        let white = model(&residuals).whiten_each(x.clone()).unwrap();
        let order = [3, 0, 5, 1, 4, 2];
        let other = model(&residuals.select(Axis(1), &order)).whiten_each(x.select(Axis(1), &order)).unwrap();
        for (a, b) in white.select(Axis(1), &order).iter().zip(&other) {
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
        // Any root gives the same lengths.
        let by_factor = model(&residuals).whiten(x.clone()).unwrap();
        for (a, b) in by_factor.dot(&by_factor.t()).iter().zip(&white.dot(&white.t())) {
            assert!((a - b).abs() < 1e-10, "{a} {b}");
        }
        let mut spoilt = x;
        spoilt[(1, 2)] = f64::NAN;
        let spoilt = model(&residuals).whiten_each(spoilt).unwrap();
        assert!(spoilt.row(1).iter().all(|v| v.is_nan()) && spoilt.row(2) == white.row(2));
    }

    #[test]
    fn whitened_differences_are_mahalanobis_distances() {
        let model = NoiseModel::from_residuals(noise(60, 5, 5).view(), None, Shrinkage::Eye).unwrap();
        let mut x = noise(4, 5, 6);
        let precision = model.precision();
        let white = model.whiten(x.clone()).unwrap();
        for (i, j) in [(0, 1), (2, 3)] {
            let difference = &x.row(i) - &x.row(j);
            let expected = difference.dot(&precision.dot(&difference));
            let found: f64 = (&white.row(i) - &white.row(j)).mapv(|v| v * v).sum();
            assert!((found / expected - 1.0).abs() < 1e-12);
        }
        x[(1, 2)] = f64::NAN;
        let spoilt = model.whiten(x).unwrap();
        assert!(spoilt.row(1).iter().all(|v| v.is_nan()));
        assert_eq!(spoilt.slice(s![2.., ..]), white.slice(s![2.., ..]));
        let error = model.whiten(noise(3, 4, 7)).unwrap_err();
        assert_eq!(error, NoiseError::ChannelsDiffer { units: 4, n_channels: 5 });
    }

    #[test]
    fn what_gives_no_noise_is_refused() {
        let of = |x: &Array2<f64>, how| NoiseModel::from_residuals(x.view(), None, how).unwrap_err();
        assert_eq!(of(&noise(4, 6, 1), Shrinkage::None), NoiseError::Singular { n_channels: 6, n_rows: 4 });
        let mut x = noise(9, 3, 2);
        x.column_mut(1).fill(0.25);
        for how in [Shrinkage::Diag, Shrinkage::None, Shrinkage::Univariate] {
            assert_eq!(of(&x, how), NoiseError::ConstantChannel { channel: 1, n_channels: 3 });
        }
        x[(4, 2)] = f64::INFINITY;
        assert_eq!(of(&x, Shrinkage::Eye), NoiseError::NotFinite { row: 4, channel: 2, value: f64::INFINITY });
        assert_eq!(of(&noise(1, 3, 2), Shrinkage::Eye), NoiseError::TooFew { n_rows: 1, dof: 0.0 });
        let once = NoiseModel::from_repeats(noise(3, 2, 1).view(), &[0, 1, 2], None, Shrinkage::Diag);
        assert_eq!(once.unwrap_err(), NoiseError::TooFew { n_rows: 3, dof: 0.0 });
    }
}
