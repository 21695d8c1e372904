//! Comparisons of two matrices of responses to the same stimuli, whatever their units: CKA and Procrustes.

use linear_algebra::{GramAccumulator, Real, cross_product, product, singular_values, symmetric_eigen};
use ndarray::{Array1, Array2, Axis, s};
use rayon::prelude::*;
use statistics::{Reason, bounded, median};

use crate::bures::root_of;
use crate::distance::{blocks, read_block};
use crate::{Element, Erased, Patterns, RdmError};

/// How two matrices (rows = stimuli, columns = units) are compared. No unit of one belongs to a unit of the other: all
/// are unchanged by rotations of the units, a factor common to all of them, and constants added to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatrixComparison {
    /// Linear centred kernel alignment: `|X'Y|^2 / (|X'X| |Y'Y|)` of centred columns (Frobenius norms); equally the
    /// cosine of the centred Gram matrices `XX'` and `YY'`. Between 0 and 1, and above 0 for noise, the more so the
    /// more units there are per stimulus. Kornblith et al. (2019).
    Cka,
    /// The same with the unbiased estimator of the Hilbert-Schmidt independence criterion (Song et al. 2012, eq. 5),
    /// which has no use for the diagonals of the Gram matrices: about 0 for independent noise, and below 0 by chance.
    /// Nguyen et al. (2021). It is the cosine of the U-centred Gram matrices (Székely & Rizzo 2014).
    CkaDebiased,
    /// CKA of the centred matrices of `exp(-d^2 / (2 s^2))`, d the Euclidean distances of rows and s a
    /// multiple ([`Representation::with_bandwidth`]) of the root of the median of their squares, over all `n x n` with
    /// the zeros of the diagonal as Kornblith et al. (2019) have it. Without spread where that median is 0.
    CkaRbf,
    /// `|X'Y|_* / (|X| |Y|)`, the nuclear norm over Frobenius norms, of centred columns: the largest product that any
    /// rotation (and reflection) of the units reaches after both matrices were centred and scaled to norm 1. Between 0
    /// and 1. Columns of zeros are added to the narrower matrix, so widths may differ.
    /// `scipy.spatial.procrustes` gives the disparity `1 - s^2` of this `s`.
    Procrustes,
    /// The arc cosine of [`MatrixComparison::Procrustes`], in radians, 0 to pi / 2: the angular Procrustes distance of
    /// Williams et al. (2021), which is a metric.
    ProcrustesAngle,
}

impl MatrixComparison {
    fn is_procrustes(self) -> bool {
        matches!(self, MatrixComparison::Procrustes | MatrixComparison::ProcrustesAngle)
    }
}

/// What patterns hold, found in one pass over them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// Per row the first unit whose value is NaN or infinite, if there is one.
    pub first_bad: Vec<Option<usize>>,
    /// The largest magnitude of the finite values.
    pub largest: f64,
}

/// Values that are read at a time while patterns are swept.
const SWEPT_AT_ONCE: usize = 1 << 16;

/// Looks at every value once.
pub fn sweep<'a>(patterns: impl Into<Erased<'a>>) -> Result<Sweep, RdmError> {
    sweep_of(patterns.into())
}

fn sweep_of(patterns: Erased) -> Result<Sweep, RdmError> {
    let n_units = patterns.n_units();
    let one = |row: usize| -> Result<(Option<usize>, f64), RdmError> {
        let mut values = vec![0.0; n_units.min(SWEPT_AT_ONCE)];
        let (mut first_bad, mut largest) = (None, 0.0f64);
        for from in (0..n_units).step_by(SWEPT_AT_ONCE) {
            let piece = &mut values[..SWEPT_AT_ONCE.min(n_units - from)];
            patterns.read(row, from, piece)?;
            for (unit, value) in piece.iter().map(|v| v.abs()).enumerate() {
                match value.is_finite() {
                    true => largest = largest.max(value),
                    false => first_bad = first_bad.or(Some(from + unit)),
                }
            }
        }
        Ok((first_bad, largest))
    };
    let rows: Vec<(Option<usize>, f64)> =
        (0..patterns.n_stimuli()).into_par_iter().map(one).collect::<Result<_, _>>()?;
    Ok(Sweep {
        first_bad: rows.iter().map(|(first_bad, _)| *first_bad).collect(),
        largest: rows.iter().map(|(_, largest)| *largest).fold(0.0, f64::max),
    })
}

/// One matrix, ready to be compared: `n x min(n, p)` numbers of its `n` stimuli and `p` units.
#[derive(Debug, Clone)]
pub struct Representation {
    how: MatrixComparison,
    form: Form,
    /// What its products are divided by; its own product with itself has this squared.
    norm: f64,
}

#[derive(Debug, Clone)]
enum Form {
    /// Centred columns, or (Procrustes of wide matrices) coordinates that have the same Gram matrix.
    Units {
        x: Array2<f64>,
        /// The diagonal of `XX'`, which the debiased estimator takes out.
        diagonal: Array1<f64>,
    },
    /// The centred Gram matrix `XX'`, U-centred for the debiased estimator.
    Products(Array2<f64>),
}

impl Representation {
    /// Reads the patterns once, which must be finite. `largest` is the magnitude of their largest value
    /// ([`sweep`]), for numbers whose squares would leave the range of their type.
    ///
    /// Columns are centred in `f64` before anything is multiplied. With fewer units than stimuli the centred columns
    /// are kept, `n x p`; else blocks of columns go into the Gram matrix, `n x n`, so that width is unbounded.
    pub fn of<'a>(
        patterns: impl Into<Erased<'a>>,
        how: MatrixComparison,
        largest: f64,
    ) -> Result<Representation, RdmError> {
        Representation::with_bandwidth(patterns, how, largest, 1.0)
    }

    /// [`Representation::of`] with the bandwidth of [`MatrixComparison::CkaRbf`], a multiple of the root of the median
    /// squared distance; the others have none.
    pub fn with_bandwidth<'a>(
        patterns: impl Into<Erased<'a>>,
        how: MatrixComparison,
        largest: f64,
        bandwidth: f64,
    ) -> Result<Representation, RdmError> {
        Representation::of_erased(patterns.into(), how, largest, bandwidth)
    }

    fn of_erased(
        patterns: Erased,
        how: MatrixComparison,
        largest: f64,
        bandwidth: f64,
    ) -> Result<Representation, RdmError> {
        let (n, p) = (patterns.n_stimuli(), patterns.n_units());
        let needed = if how == MatrixComparison::CkaDebiased { 4 } else { 2 };
        if n < needed {
            return Err(RdmError::TooFewRows { n_stimuli: n, needed });
        }
        if p == 0 {
            return Err(RdmError::NoUnits { n_stimuli: n });
        }
        // A power of two changes no digit.
        let unit = if largest > 0.0 { largest.log2().floor().clamp(-1000.0, 1000.0).exp2().recip() } else { 1.0 };
        let form = match p < n && how != MatrixComparison::CkaRbf {
            true => columns(patterns, unit)?,
            false => match patterns {
                Erased::Single(patterns) => products(patterns, unit, how, bandwidth)?,
                Erased::Double(patterns) => products(patterns, unit, how, bandwidth)?,
            },
        };
        let mut made = Representation { how, form, norm: 1.0 };
        let square = match (&made.form, how.is_procrustes()) {
            (Form::Units { diagonal, .. }, true) => diagonal.sum(),
            _ => made.inner(&made),
        };
        made.norm = square.sqrt();
        if how == MatrixComparison::CkaDebiased && square <= made.rounding() {
            made.norm = 0.0;
        }
        Ok(made)
    }

    /// Why it can be compared with nothing: all rows are equal (or, debiased, equally far from each other).
    pub fn reason(&self) -> Option<Reason> {
        (self.norm == 0.0 || self.norm.is_nan()).then_some(Reason::Constant)
    }

    /// The similarity (for the angle: the distance) of two matrices of the same stimuli in the same order; `NaN` when
    /// one of them has a [`Representation::reason`].
    ///
    /// # Panics
    /// When the two were made for different comparisons or numbers of stimuli.
    pub fn compare(&self, other: &Representation) -> f64 {
        assert_eq!((self.how, self.n_stimuli()), (other.how, other.n_stimuli()), "two of a kind");
        if self.reason().or(other.reason()).is_some() {
            return f64::NAN;
        }
        let cosine = self.inner(other) / self.norm / other.norm;
        let cosine = bounded(cosine);
        match self.how {
            MatrixComparison::ProcrustesAngle => cosine.max(0.0).acos(),
            _ => cosine,
        }
    }

    /// Number of rows.
    pub fn n_stimuli(&self) -> usize {
        match &self.form {
            Form::Units { x, .. } => x.nrows(),
            Form::Products(gram) => gram.nrows(),
        }
    }

    fn inner(&self, other: &Representation) -> f64 {
        let debiased = self.how == MatrixComparison::CkaDebiased;
        match (&self.form, &other.form) {
            (Form::Units { x, .. }, Form::Units { x: y, .. }) if self.how.is_procrustes() => {
                singular_values(cross_product(x.view(), y.view()).view()).map_or(f64::NAN, |values| values.sum())
            }
            (Form::Units { x, diagonal: a }, Form::Units { x: y, diagonal: b }) => {
                let whole = sum_of(&cross_product(x.view(), y.view()), |v| v * v);
                match debiased {
                    true => without_diagonals(whole, a, b),
                    false => whole,
                }
            }
            // U-centred matrices are orthogonal to what U-centring takes off the other one, so one of them is enough.
            (Form::Units { x, .. }, Form::Products(gram)) | (Form::Products(gram), Form::Units { x, .. }) => {
                (product(gram.view(), x.view()) * x).sum()
            }
            (Form::Products(a), Form::Products(b)) => {
                let rows = a.outer_iter().into_par_iter().zip(b.outer_iter());
                // Summed in order, whatever thread had which row.
                rows.map(|(a, b)| a.dot(&b)).collect::<Vec<f64>>().iter().sum()
            }
        }
    }

    /// The square of the norm below which a debiased product with itself is nothing but the rounding of `f32` products.
    fn rounding(&self) -> f64 {
        let n = self.n_stimuli() as f64;
        match &self.form {
            Form::Units { diagonal, .. } => 1e-12 * n * diagonal.dot(diagonal),
            // The diagonal is gone; `products` sets what is below this to 0.
            Form::Products(_) => 0.0,
        }
    }
}

fn sum_of(values: &Array2<f64>, of: impl Fn(f64) -> f64) -> f64 {
    values.iter().map(|v| of(*v)).sum()
}

/// `n (n - 3)` times the unbiased estimator (Song et al. 2012, eq. 5) for centred columns, from the sum `whole` of the
/// products of all entries of both Gram matrices and their diagonals. With centred columns every row of a Gram matrix
/// sums to 0, hence every row without its diagonal to minus that diagonal.
fn without_diagonals(whole: f64, a: &Array1<f64>, b: &Array1<f64>) -> f64 {
    let n = a.len() as f64;
    whole - n / (n - 2.0) * a.dot(b) + a.sum() * b.sum() / ((n - 1.0) * (n - 2.0))
}

fn columns(patterns: Erased, unit: f64) -> Result<Form, RdmError> {
    let mut x = crate::gather(patterns)?;
    centre(&mut x, unit);
    Ok(units(x))
}

fn units(x: Array2<f64>) -> Form {
    let diagonal = x.outer_iter().map(|row| row.dot(&row)).collect();
    Form::Units { x, diagonal }
}

fn products<T: Element>(
    patterns: &dyn Patterns<Value = T>,
    unit: f64,
    how: MatrixComparison,
    bandwidth: f64,
) -> Result<Form, RdmError> {
    let (n, p) = (patterns.n_stimuli(), patterns.n_units());
    let mut sum = GramAccumulator::<T>::new(n);
    for (from, width) in blocks(n, size_of::<T>(), p) {
        let mut block = read_block(patterns, from, width)?;
        centre(&mut block, unit);
        sum.push(block.view());
    }
    let mut gram = sum.finish().to_array();
    match how {
        MatrixComparison::Cka => Ok(Form::Products(gram)),
        MatrixComparison::CkaRbf => {
            radial(&mut gram, bandwidth);
            Ok(Form::Products(gram))
        }
        MatrixComparison::CkaDebiased => {
            let diagonal = gram.diag().to_owned();
            u_centre(&mut gram);
            if sum_of(&gram, |v| v * v) <= 1e-12 * n as f64 * diagonal.dot(&diagonal) {
                gram.fill(0.0);
            }
            Ok(Form::Products(gram))
        }
        MatrixComparison::Procrustes | MatrixComparison::ProcrustesAngle => {
            let eigen = symmetric_eigen(gram.view()).map_err(|e| RdmError::Unreadable(e.to_string()))?;
            Ok(units(root_of(&eigen)))
        }
    }
}

/// The centred kernel of [`MatrixComparison::CkaRbf`] instead of the products of rows.
fn radial(gram: &mut Array2<f64>, bandwidth: f64) {
    let diagonal = gram.diag().to_owned();
    // Rounding takes equal rows a digit below 0.
    gram.indexed_iter_mut().for_each(|((i, j), v)| {
        *v = if i == j { 0.0 } else { (diagonal[i] + diagonal[j] - 2.0 * *v).max(0.0) };
    });
    let squares: Vec<f64> = gram.iter().copied().collect();
    let width = 2.0 * bandwidth * bandwidth * median(&squares);
    // Rows that are equal but for the rounding of products have no distance to be measured by.
    if width <= 1e-14 * bandwidth * bandwidth * diagonal.iter().fold(0.0, |largest: f64, v| largest.max(*v)) {
        gram.fill(0.0);
        return;
    }
    gram.mapv_inplace(|square| (-square / width).exp());
    let means = gram.mean_axis(Axis(0)).unwrap_or_default();
    let whole = means.mean().unwrap_or(0.0);
    gram.indexed_iter_mut().for_each(|((i, j), v)| *v += whole - means[i] - means[j]);
}

/// Takes off each entry its row's and column's sums over `n - 2` and gives back the whole sum over `(n - 1)(n - 2)`,
/// all without the diagonal, which becomes 0 (Székely & Rizzo 2014, eq. 2.1).
fn u_centre(gram: &mut Array2<f64>) {
    let n = gram.nrows() as f64;
    gram.diag_mut().fill(0.0);
    let sums = gram.sum_axis(Axis(1));
    let whole = sums.sum() / ((n - 1.0) * (n - 2.0));
    let sums = sums / (n - 2.0);
    gram.indexed_iter_mut().for_each(|((i, j), v)| *v += whole - sums[i] - sums[j]);
    gram.diag_mut().fill(0.0);
}

/// Columns whose means are summed by one thread; fixed, and each column is summed in the order of its rows.
const COLUMNS_AT_ONCE: usize = 256;

/// Multiplies by `unit` and takes the mean off each column, in `f64`.
///
/// Subtracting a value of the column itself first keeps the digits of small differences on a large offset, and makes a
/// constant column exactly 0.
pub(crate) fn centre<T: Real>(x: &mut Array2<T>, unit: f64) {
    let n = x.nrows() as f64;
    let first: Vec<f64> = x.row(0).iter().map(|v| v.to_f64() * unit).collect();
    let mut means = vec![0.0; first.len()];
    means.par_chunks_mut(COLUMNS_AT_ONCE).enumerate().for_each(|(chunk, sums)| {
        let from = chunk * COLUMNS_AT_ONCE;
        let first = &first[from..from + sums.len()];
        for row in x.outer_iter() {
            let row = row.slice_move(s![from..from + sums.len()]);
            let values = row.iter().zip(first);
            sums.iter_mut().zip(values).for_each(|(sum, (v, first))| *sum += v.to_f64() * unit - first);
        }
        sums.iter_mut().for_each(|sum| *sum /= n);
    });
    x.axis_iter_mut(Axis(0)).into_par_iter().for_each(|mut row| {
        let columns = row.iter_mut().zip(first.iter().zip(&means));
        columns.for_each(|(v, (first, mean))| *v = T::from_f64((v.to_f64() * unit - first) - mean));
    });
}

#[cfg(test)]
#[path = "representation_tests.rs"]
mod tests;
