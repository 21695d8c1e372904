use std::ops::Range;
use std::sync::OnceLock;

use linear_algebra::{
    GramAccumulator, LinearAlgebraError, Real, SymmetricEigen, cross_product, product, symmetric_eigen,
};
use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::error::RidgeError;
use crate::rotation::{Rotation, without_rounding};
use crate::rows::Rows;
use crate::scaling::{ColumnScaling, Scaling};

/// Columns of features that are scaled and multiplied at a time on the dual side.
const COLUMNS: usize = 4096;
/// Rows of features that are centred and multiplied at a time on the primal side.
const ROWS: usize = 2048;
/// A held-out block may hold so many times the sum of squares of the training rows before what it leaves of the Gram
/// matrix of all rows has lost too many digits.
const OUTWEIGHS: f64 = 1e4;

/// The features of all rows, and what is computed from them once for all training sets: the Gram matrix of a training
/// set is that of all rows minus that of the rows held out.
pub struct Features<'a, T> {
    x: Rows<'a, T>,
    bands: Vec<Range<usize>>,
    scaling: Scaling,
    intercept: bool,
    /// One per row, above 0.
    weights: Option<Vec<f64>>,
    /// Where rows are centred before they are multiplied, so that the means of training sets, taken out later, are
    /// small: the mean of all rows, or 0 without an intercept.
    origin: Vec<f64>,
    /// p x p, of all rows.
    total: OnceLock<Array2<f64>>,
    /// n x n per band, of all rows; only where nothing is divided by.
    kernels: OnceLock<Vec<Array2<f64>>>,
}

impl<'a, T: Real> Features<'a, T> {
    /// Of `x` (`n x p`), standardized or centred in every training set. Values must be finite.
    pub fn new(x: impl Into<Rows<'a, T>>, scaling: Scaling) -> Result<Features<'a, T>, RidgeError> {
        let (x, mut buffer) = (x.into(), Vec::new());
        for row in 0..x.nrows() {
            let values = x.row(row, &mut buffer);
            if let Some((column, value)) = values.iter().enumerate().find(|(_, value)| !value.to_f64().is_finite()) {
                return Err(RidgeError::FeatureNotFinite { row, column, value: value.to_f64() });
            }
        }
        let rows: Vec<usize> = (0..x.nrows()).collect();
        let origin = match rows.is_empty() {
            true => vec![0.0; x.ncols()],
            false => ColumnScaling::learn(x, &rows, Scaling::Centre).mean,
        };
        Ok(Features {
            x,
            bands: std::iter::once(0..x.ncols()).collect(),
            scaling,
            intercept: true,
            weights: None,
            origin,
            total: OnceLock::new(),
            kernels: OnceLock::new(),
        })
    }

    /// The same features in bands of neighbouring columns, one width each.
    ///
    /// # Panics
    /// When the widths do not add up to the number of columns.
    pub fn in_bands(self, widths: &[usize]) -> Features<'a, T> {
        assert_eq!(widths.iter().sum::<usize>(), self.x.ncols(), "widths of the bands");
        let mut start = 0;
        let bands = widths.iter().map(|width| {
            start += width;
            start - width..start
        });
        Features { bands: bands.collect(), ..self }
    }

    /// Without an intercept: nothing is centred, neither features nor responses.
    pub fn without_intercept(self) -> Features<'a, T> {
        Features { intercept: false, origin: vec![0.0; self.x.ncols()], ..self }
    }

    /// With one weight per row, above 0: a row of weight 2 counts as two. Their mean becomes 1, so that the penalties
    /// mean the same.
    ///
    /// # Panics
    /// When there is not one weight per row, or one is not above 0 and finite.
    pub fn weighted(self, weights: &[f64]) -> Features<'a, T> {
        assert_eq!(weights.len(), self.x.nrows(), "one weight per row");
        assert!(weights.iter().all(|w| *w > 0.0 && w.is_finite()), "weights are above 0 and finite");
        let mean = statistics::mean(weights);
        Features { weights: Some(weights.iter().map(|w| w / mean).collect()), ..self }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.x.nrows()
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.x.ncols()
    }

    /// The columns of each band.
    pub fn bands(&self) -> &[Range<usize>] {
        &self.bands
    }

    pub(crate) fn has_intercept(&self) -> bool {
        self.intercept
    }

    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    /// Sums of products of the features of some rows, minus an origin, with responses of the same rows (`rows x v`),
    /// `p x v`. Responses have been multiplied by the weights.
    pub(crate) fn cross(&self, rows: &[usize], origin: &[f64], responses: ArrayView2<f64>) -> Array2<f64> {
        let mut sum = Array2::zeros((self.x.ncols(), responses.ncols()));
        for (rows, responses) in rows.chunks(ROWS).zip(responses.axis_chunks_iter(Axis(0), ROWS)) {
            sum += &cross_product(self.centred(rows, origin).view(), responses);
        }
        sum
    }

    fn centred(&self, rows: &[usize], origin: &[f64]) -> Array2<f64> {
        let mut out = Array2::zeros((rows.len(), self.x.ncols()));
        out.axis_iter_mut(Axis(0)).into_par_iter().zip(rows).for_each_init(Vec::new, |buffer, (mut out, &row)| {
            let values = self.x.row(row, buffer);
            out.iter_mut().zip(values).zip(origin).for_each(|((out, v), m)| *out = v.to_f64() - m);
        });
        out
    }

    /// p x p: weighted sums of products of the centred features over some rows.
    fn gram(&self, rows: &[usize], origin: &[f64]) -> Array2<f64> {
        let mut gram = GramAccumulator::<f64>::new(self.x.ncols());
        for rows in rows.chunks(ROWS) {
            let mut centred = self.centred(rows, origin);
            for (mut values, &row) in centred.rows_mut().into_iter().zip(rows) {
                if self.weights.is_some() {
                    values *= self.weight(row).sqrt();
                }
            }
            gram.push(centred.t());
        }
        gram.finish().to_array()
    }

    /// Learns scaling and products of the rows `train` (not empty) and prepares the rows `others` for prediction.
    /// `origin`: what [`Features::cross`] will subtract; by default the mean of these rows.
    pub(crate) fn training(&self, train: &[usize], others: &[usize], origin: Option<&[f64]>) -> Training<'_, 'a, T> {
        let weights = self.weights.as_deref();
        let scaling = ColumnScaling::learn_weighted(self.x, train, self.scaling, self.intercept, weights);
        let side = match self.is_dual(train.len()) {
            false => self.primal(train, others, &scaling),
            true => self.dual(train, others, &scaling),
        };
        self.assemble(train, others, origin, scaling, side)
    }

    /// The same without products, which a decomposition that was made before makes needless.
    pub(crate) fn without_products(
        &self,
        train: &[usize],
        others: &[usize],
        origin: Option<&[f64]>,
    ) -> Training<'_, 'a, T> {
        let weights = self.weights.as_deref();
        let scaling = ColumnScaling::learn_weighted(self.x, train, self.scaling, self.intercept, weights);
        let side = match self.is_dual(train.len()) {
            false => Side::Primal { gram: Array2::zeros((0, 0)), others: Array2::zeros((0, 0)) },
            true => {
                let roots = train.iter().map(|&row| self.weight(row).sqrt()).collect();
                Side::Dual { kernels: Vec::new(), crosses: Vec::new(), roots }
            }
        };
        self.assemble(train, others, origin, scaling, side)
    }

    /// Whether so many training rows, rather than the features, are decomposed.
    pub(crate) fn is_dual(&self, n_train: usize) -> bool {
        self.x.ncols() >= n_train
    }

    fn assemble(
        &self,
        train: &[usize],
        others: &[usize],
        origin: Option<&[f64]>,
        scaling: ColumnScaling,
        side: Side,
    ) -> Training<'_, 'a, T> {
        let total_weight = train.iter().map(|&row| self.weight(row)).sum();
        let origin = origin.map_or_else(|| scaling.mean.clone(), <[f64]>::to_vec);
        Training { features: self, train: train.to_vec(), others: others.to_vec(), scaling, origin, side, total_weight }
    }

    fn primal(&self, train: &[usize], others: &[usize], scaling: &ColumnScaling) -> Side {
        let p = self.x.ncols();
        let mut in_training = vec![false; self.x.nrows()];
        train.iter().for_each(|&row| in_training[row] = true);
        let removed: Vec<usize> = (0..self.x.nrows()).filter(|&row| !in_training[row]).collect();
        let weight: f64 = train.iter().map(|&row| self.weight(row)).sum();
        let mut gram = None;
        let mut origin = &self.origin;
        if removed.len() < train.len() {
            let all = || self.gram(&(0..self.x.nrows()).collect::<Vec<usize>>(), origin);
            let total = self.total.get_or_init(all);
            let removed = self.gram(&removed, origin);
            let varies = |j: &usize| scaling.divisor[*j] != 0.0;
            let outweighed = |j: usize| {
                let shift = (scaling.mean[j] - origin[j]).powi(2);
                removed[(j, j)].max(weight * shift) > OUTWEIGHS * weight * scaling.variance[j]
            };
            if !(0..p).filter(varies).any(outweighed) {
                gram = Some(total - &removed);
            }
        }
        let mut gram = gram.unwrap_or_else(|| {
            origin = &scaling.mean;
            self.gram(train, origin)
        });
        let shift: Vec<f64> = scaling.mean.iter().zip(origin).map(|(mean, origin)| mean - origin).collect();
        let factor: Vec<f64> = scaling.divisor.iter().map(|d| if *d == 0.0 { 0.0 } else { 1.0 / d }).collect();
        gram.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(i, mut row)| {
            for (j, value) in row.iter_mut().enumerate() {
                *value = (*value - weight * shift[i] * shift[j]) * factor[i] * factor[j];
            }
        });
        Side::Primal { gram, others: scaling.apply(self.x, others, 0..p) }
    }

    fn dual(&self, train: &[usize], others: &[usize], scaling: &ColumnScaling) -> Side {
        let n = train.len();
        let weights: Vec<f64> = train.iter().map(|&row| self.weight(row)).collect();
        let one_for_all = self.scaling == Scaling::Centre;
        let kernels: Vec<Array2<f64>> = match one_for_all {
            // Constant columns drop out by themselves: what they add is the same for all training rows.
            true => {
                let kernels = self.kernels.get_or_init(|| {
                    let rows: Vec<usize> = (0..self.x.nrows()).collect();
                    let scaling = ColumnScaling {
                        mean: self.origin.clone(),
                        divisor: vec![1.0; self.x.ncols()],
                        variance: vec![1.0; self.x.ncols()],
                    };
                    self.bands.iter().map(|band| self.kernel(&rows, band, &scaling)).collect()
                });
                let rows: Vec<usize> = train.iter().chain(others).copied().collect();
                let mut parts: Vec<Array2<f64>> = kernels
                    .iter()
                    .map(|kernel| Array2::from_shape_fn((rows.len(), n), |(i, j)| kernel[(rows[i], train[j])]))
                    .collect();
                if self.intercept {
                    parts.iter_mut().for_each(|part| centre_kernel(part, &weights));
                }
                parts
            }
            false => {
                let rows: Vec<usize> = train.iter().chain(others).copied().collect();
                let of = |band| self.kernel(&rows, band, scaling).slice(s![.., ..n]).to_owned();
                self.bands.iter().map(of).collect()
            }
        };
        let roots: Vec<f64> = weights.iter().map(|w| w.sqrt()).collect();
        let split = |mut all: Array2<f64>| {
            if self.weights.is_some() {
                for (j, mut column) in all.columns_mut().into_iter().enumerate() {
                    column *= roots[j];
                }
                for (i, mut row) in all.rows_mut().into_iter().take(n).enumerate() {
                    row *= roots[i];
                }
            }
            (all.slice(s![..n, ..]).to_owned(), all.slice(s![n.., ..]).to_owned())
        };
        let (kernels, crosses) = kernels.into_iter().map(split).unzip();
        Side::Dual { kernels, crosses, roots }
    }

    /// rows x rows: products of the scaled features of one band. Features stream by, so that their width costs no
    /// memory.
    fn kernel(&self, rows: &[usize], band: &Range<usize>, scaling: &ColumnScaling) -> Array2<f64> {
        let mut gram = GramAccumulator::<T>::new(rows.len());
        for columns in column_blocks(band) {
            gram.push(scaling.apply::<T, T>(self.x, rows, columns).view());
        }
        gram.finish().to_array()
    }
}

/// Centres the columns of a kernel (`n_train` of them) and its rows, of which the first `n_train` are the training
/// rows, by the weighted means of the training rows.
fn centre_kernel(kernel: &mut Array2<f64>, weights: &[f64]) {
    let n = weights.len();
    let total: f64 = weights.iter().sum();
    let row_means: Vec<f64> =
        kernel.rows().into_iter().map(|row| row.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>() / total).collect();
    let mean = row_means[..n].iter().zip(weights).map(|(m, w)| m * w).sum::<f64>() / total;
    for (i, mut row) in kernel.rows_mut().into_iter().enumerate() {
        // The kernel is symmetric: means of columns are those of training rows.
        row.iter_mut().zip(&row_means[..n]).for_each(|(v, m)| *v -= m + row_means[i] - mean);
    }
}

/// One training set.
pub(crate) struct Training<'f, 'a, T> {
    features: &'f Features<'a, T>,
    pub train: Vec<usize>,
    pub others: Vec<usize>,
    pub scaling: ColumnScaling,
    /// What has been subtracted from features before they are multiplied with responses.
    pub origin: Vec<f64>,
    pub total_weight: f64,
    side: Side,
}

enum Side {
    /// p x p products of scaled features over the training rows; the scaled other rows.
    Primal { gram: Array2<f64>, others: Array2<f64> },
    /// Per band: n_train x n_train products of scaled training rows; n_others x n_train. Square roots of the weights.
    Dual { kernels: Vec<Array2<f64>>, crosses: Vec<Array2<f64>>, roots: Vec<f64> },
}

impl<T: Real> Training<'_, '_, T> {
    pub fn is_dual(&self) -> bool {
        matches!(self.side, Side::Dual { .. })
    }

    /// Gives back the memory of the products, once they have been decomposed; bands can then no longer be told apart.
    pub fn forget(&mut self) {
        match &mut self.side {
            Side::Primal { gram, others } => {
                *gram = Array2::zeros((0, 0));
                *others = Array2::zeros((0, 0));
            }
            Side::Dual { kernels, crosses, .. } => {
                kernels.clear();
                crosses.clear();
            }
        }
    }

    /// Mean over the bands of the mean squared length of a scaled training row: the same scale for all weights of the
    /// bands, so that penalties can be compared between them.
    pub fn alpha_scale(&self) -> f64 {
        let bands = &self.features.bands;
        bands.iter().map(|band| self.scaling.mean_squared_length(band.clone())).sum::<f64>() / bands.len() as f64
    }

    /// The principal axes under these weights of the bands; a band of weight 0 is left out. `rows`: also what
    /// leave-one-out needs.
    pub fn rotate(&self, gammas: &[f64], rows: bool) -> Result<Rotation, LinearAlgebraError> {
        let leverage = self.leverage();
        match &self.side {
            Side::Primal { gram, others } => {
                let columns = self.used(gammas);
                let roots = self.root_gammas(gammas, &columns);
                let plain = columns.len() == gram.nrows() && roots.iter().all(|root| *root == 1.0);
                let part;
                let weighted = match plain {
                    true => gram.view(),
                    false => {
                        part = Array2::from_shape_fn((columns.len(), columns.len()), |(i, j)| {
                            gram[(columns[i], columns[j])] * roots[i] * roots[j]
                        });
                        part.view()
                    }
                };
                let SymmetricEigen { values, mut vectors } = symmetric_eigen(weighted)?;
                vectors.rows_mut().into_iter().zip(&roots).for_each(|(mut row, root)| row *= *root);
                let others = match plain {
                    true => product(others.view(), vectors.view()),
                    false => product(others.select(Axis(1), &columns).view(), vectors.view()),
                };
                let rows = match rows {
                    true => self.row_basis(&columns, &vectors),
                    false => Array2::zeros((0, 0)),
                };
                Ok(Rotation {
                    eigenvalues: without_rounding(values),
                    basis: vectors,
                    others,
                    rows,
                    dual: false,
                    leverage,
                })
            }
            Side::Dual { kernels, crosses, roots } => {
                let mix = |parts: &[Array2<f64>]| {
                    let mut sum = &parts[0] * gammas[0];
                    parts.iter().zip(gammas).skip(1).for_each(|(part, gamma)| sum.scaled_add(*gamma, part));
                    sum
                };
                let mut kernel = mix(kernels);
                let cross = mix(crosses);
                let n = kernel.nrows();
                let kept = if self.features.intercept { n - 1 } else { n };
                if self.features.intercept {
                    // The centred features leave the constant vector in the null space, mixed with whatever else is
                    // there. Lifted above all other eigenvalues (the largest row sum bounds them) it comes out alone,
                    // as the last.
                    let sums = kernel.rows().into_iter().map(|row| row.iter().map(|v| v.abs()).sum::<f64>());
                    let bound = sums.fold(0.0, f64::max);
                    let lift = if bound > 0.0 { 1.1 * bound } else { 1.0 } / self.total_weight;
                    for (i, mut row) in kernel.rows_mut().into_iter().enumerate() {
                        row.iter_mut().zip(roots).for_each(|(v, root)| *v += lift * roots[i] * root);
                    }
                }
                let SymmetricEigen { values, vectors } = symmetric_eigen(kernel.view())?;
                let vectors = vectors.slice(s![.., ..kept]).to_owned();
                Ok(Rotation {
                    eigenvalues: without_rounding(values.slice(s![..kept]).to_owned()),
                    others: product(cross.view(), vectors.view()),
                    basis: vectors,
                    rows: Array2::zeros((0, 0)),
                    dual: true,
                    leverage,
                })
            }
        }
    }

    /// Number of principal axes where all features have a weight.
    pub fn n_axes(&self) -> usize {
        match self.is_dual() {
            true => self.train.len() - usize::from(self.features.intercept),
            false => self.features.n_columns(),
        }
    }

    /// What the intercept takes of the leverage of every training row.
    pub fn leverage(&self) -> Vec<f64> {
        let of = |&row: &usize| match self.features.intercept {
            true => self.features.weight(row) / self.total_weight,
            false => 0.0,
        };
        self.train.iter().map(of).collect()
    }

    /// The features of bands with a weight.
    fn used(&self, gammas: &[f64]) -> Vec<usize> {
        let bands = self.features.bands.iter().zip(gammas).filter(|(_, gamma)| **gamma > 0.0);
        bands.flat_map(|(band, _)| band.clone()).collect()
    }

    fn root_gammas(&self, gammas: &[f64], columns: &[usize]) -> Vec<f64> {
        let of = |column: &usize| {
            let band = self.features.bands.iter().position(|band| band.contains(column));
            band.map_or(0.0, |band| gammas[band].sqrt())
        };
        columns.iter().map(of).collect()
    }

    /// n_train x k: weighted scaled training rows in the principal axes.
    fn row_basis(&self, columns: &[usize], vectors: &Array2<f64>) -> Array2<f64> {
        let mut basis = Array2::zeros((self.train.len(), vectors.ncols()));
        for (rows, mut out) in self.train.chunks(ROWS).zip(basis.axis_chunks_iter_mut(Axis(0), ROWS)) {
            let mut scaled: Array2<f64> = self.scaling.apply(self.features.x, rows, 0..self.features.x.ncols());
            if columns.len() < scaled.ncols() {
                scaled = scaled.select(Axis(1), columns);
            }
            if self.features.weights.is_some() {
                for (mut values, &row) in scaled.rows_mut().into_iter().zip(rows) {
                    values *= self.features.weight(row).sqrt();
                }
            }
            out.assign(&product(scaled.view(), vectors.view()));
        }
        basis
    }

    /// What [`Rotation::coordinates`] takes. `cross` (`p x v`) are the sums of products of the centred features with
    /// the weighted responses over the training rows (primal); `responses` the responses of the training rows (dual).
    /// Of both the training mean of the responses is taken out here.
    pub fn right_side(
        &self,
        gammas: &[f64],
        cross: impl FnOnce() -> Array2<f64>,
        responses: impl FnOnce() -> Array2<f64>,
        mean: &[f64],
    ) -> Array2<f64> {
        match &self.side {
            Side::Primal { .. } => {
                let mut cross = cross();
                let features = self.scaling.mean.iter().zip(&self.origin).zip(&self.scaling.divisor);
                for (mut row, ((feature_mean, origin), divisor)) in cross.rows_mut().into_iter().zip(features) {
                    let shift = self.total_weight * (feature_mean - origin);
                    let factor = if *divisor == 0.0 { 0.0 } else { 1.0 / divisor };
                    row.iter_mut().zip(mean).for_each(|(v, m)| *v = (*v - shift * m) * factor);
                }
                let columns = self.used(gammas);
                if columns.len() < cross.nrows() { cross.select(Axis(0), &columns) } else { cross }
            }
            Side::Dual { roots, .. } => {
                let mut targets = responses();
                for (mut row, root) in targets.rows_mut().into_iter().zip(roots) {
                    row.iter_mut().zip(mean).for_each(|(v, m)| *v = (*v - m) * root);
                }
                targets
            }
        }
    }

    /// Predictions of the other rows by each band alone (their sum is that of all), from shrunk coordinates.
    pub fn predict_by_band(&self, rotation: &Rotation, gammas: &[f64], shrunk: ArrayView2<f64>) -> Vec<Array2<f64>> {
        let weights = product(rotation.basis.view(), shrunk);
        let empty = || Array2::zeros((self.others.len(), shrunk.ncols()));
        let mut start = 0;
        let bands = self.features.bands.iter().enumerate();
        bands
            .map(|(k, band)| match &self.side {
                _ if gammas[k] <= 0.0 => empty(),
                Side::Primal { others, .. } => {
                    let used = start..start + band.len();
                    start = used.end;
                    product(others.slice(s![.., band.clone()]), weights.slice(s![used, ..]))
                }
                Side::Dual { crosses, .. } => product(crosses[k].view(), weights.view()) * gammas[k],
            })
            .collect()
    }

    /// Weights of the unscaled features from shrunk coordinates, `p x v`; 0 in bands of weight 0 and where a feature
    /// is constant.
    pub fn weights(&self, rotation: &Rotation, gammas: &[f64], shrunk: ArrayView2<f64>) -> Array2<f64> {
        let x = self.features.x;
        let by_axis = product(rotation.basis.view(), shrunk);
        let mut weights = Array2::zeros((x.ncols(), shrunk.ncols()));
        match &self.side {
            Side::Primal { .. } => {
                let columns = self.used(gammas);
                for (row, &column) in by_axis.rows().into_iter().zip(&columns) {
                    weights.row_mut(column).assign(&row);
                }
            }
            Side::Dual { roots, .. } => {
                let mut by_row = by_axis;
                by_row.rows_mut().into_iter().zip(roots).for_each(|(mut row, root)| row *= *root);
                for (band, gamma) in self.features.bands.iter().zip(gammas).filter(|(_, gamma)| **gamma > 0.0) {
                    for columns in column_blocks(band) {
                        let scaled: Array2<f64> = self.scaling.apply(x, &self.train, columns.clone());
                        let part = cross_product(scaled.view(), by_row.view()) * *gamma;
                        weights.slice_mut(s![columns, ..]).assign(&part);
                    }
                }
            }
        }
        for (mut row, divisor) in weights.rows_mut().into_iter().zip(&self.scaling.divisor) {
            if *divisor == 0.0 {
                row.fill(0.0);
            } else {
                row /= *divisor;
            }
        }
        weights
    }
}

fn column_blocks(columns: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
    let Range { start, end } = *columns;
    (start..end).step_by(COLUMNS).map(move |from| from..(from + COLUMNS).min(end))
}
