use std::fmt;
use std::str::FromStr;

use linear_algebra::{GramAccumulator, PANEL, Real};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use statistics::Reason;

use crate::matrix::n_pairs;
use crate::{Rdm, RdmError};

/// How dissimilar two patterns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Distance {
    /// 1 minus the Pearson correlation across units.
    Correlation,
    /// The root of the sum of squared differences, as in SciPy. rsatoolbox's `euclidean` is
    /// [`Distance::SqeuclideanPerChannel`].
    Euclidean,
    /// The sum of squared differences.
    Sqeuclidean,
    /// The sum of squared differences divided by the number of units: what rsatoolbox calls `euclidean`.
    SqeuclideanPerChannel,
    /// 1 minus the cosine of the angle between the patterns.
    Cosine,
}

impl Distance {
    /// All of them, in the order of the help text.
    pub const ALL: [Distance; 5] = [
        Distance::Correlation,
        Distance::Euclidean,
        Distance::Sqeuclidean,
        Distance::SqeuclideanPerChannel,
        Distance::Cosine,
    ];

    /// Its name on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Distance::Correlation => "correlation",
            Distance::Euclidean => "euclidean",
            Distance::Sqeuclidean => "sqeuclidean",
            Distance::SqeuclideanPerChannel => "sqeuclidean-per-channel",
            Distance::Cosine => "cosine",
        }
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Distance {
    type Err = RdmError;

    fn from_str(name: &str) -> Result<Distance, RdmError> {
        let known = Distance::ALL.into_iter().find(|d| d.as_str() == name);
        known.ok_or_else(|| RdmError::UnknownDistance(name.to_owned()))
    }
}

/// A pattern without distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnusableRow {
    /// Its row, from 0.
    pub row: usize,
    /// Why.
    pub reason: Reason,
}

/// An RDM and the patterns that have no part in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Distances {
    /// All pairs; those with an unusable row are `NaN`.
    pub rdm: Rdm,
    /// The unusable rows, in order.
    pub unusable: Vec<UnusableRow>,
}

/// The dissimilarities of all pairs of rows of `patterns` (`n_stimuli x n_units`).
///
/// A row that holds `NaN` or infinity (`nan_input`), a row without variance under [`Distance::Correlation`] and
/// a row of zeros under [`Distance::Cosine`] (`constant`) has `NaN` with every other row and is reported.
///
/// Every metric here is a squared distance between rows that were first left alone, scaled to length 1, or
/// centred and scaled (for those two half of it is 1 minus the cosine or the correlation). Squared distances
/// come from a Gram matrix of the rows minus their common mean, in the precision of the input; where that
/// difference of large sums would lose digits (close pairs) the pair is summed again directly in `f64`. So
/// equal rows have distance 0 exactly, nothing is negative, and a common offset or a common pattern costs no
/// accuracy.
///
/// Errors against exact arithmetic: about 1e-7 absolute for `f32` correlation distances, 1e-15 for `f64`.
///
/// ```
/// use ndarray::array;
/// use rdm::{Distance, distances};
/// let patterns = array![[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [5.0, 5.0, 5.0]];
/// let found = distances(patterns.view(), Distance::Correlation)?;
/// assert!((found.rdm.get(0, 1) - 2.0).abs() < 1e-15);
/// assert!(found.rdm.get(0, 2).is_nan());
/// assert_eq!(found.unusable[0].row, 2);
/// # Ok::<(), rdm::RdmError>(())
/// ```
pub fn distances<T: Real>(patterns: ArrayView2<T>, distance: Distance) -> Result<Distances, RdmError> {
    let (n_stimuli, n_units) = patterns.dim();
    if n_stimuli < 2 {
        return Err(RdmError::TooFewStimuli { n_stimuli });
    }
    if n_units == 0 {
        return Err(RdmError::NoUnits { n_stimuli });
    }
    let rows_in_memory = patterns.as_standard_layout();
    let rows = Rows::new(rows_in_memory.view(), distance);
    let squared = rows.squared_distances();
    let values = squared
        .into_iter()
        .map(|d2| match distance {
            Distance::Sqeuclidean => d2,
            Distance::Euclidean => d2.sqrt(),
            Distance::SqeuclideanPerChannel => d2 / n_units as f64,
            Distance::Correlation | Distance::Cosine => d2 / 2.0,
        })
        .collect();
    let unusable = rows.scales.iter().enumerate().filter_map(|(row, scale)| match scale {
        Err(reason) => Some(UnusableRow { row, reason: *reason }),
        Ok(_) => None,
    });
    Ok(Distances { unusable: unusable.collect(), rdm: Rdm::from_condensed(values, None)? })
}

/// What turns a value of a row into its coordinate: `((x - first) * unit - mean) * gain`.
///
/// Subtracting a value of the row itself keeps the digits of small differences on a large offset, and the
/// factor `unit` keeps squares of very large or small numbers in range.
#[derive(Clone, Copy)]
struct Scale {
    first: f64,
    unit: f64,
    mean: f64,
    gain: f64,
}

impl Scale {
    const AS_IT_IS: Scale = Scale { first: 0.0, unit: 1.0, mean: 0.0, gain: 1.0 };

    #[inline]
    fn apply<T: Real>(&self, x: T) -> f64 {
        ((x.to_f64() - self.first) * self.unit - self.mean) * self.gain
    }

    fn of_row<T: Real>(row: &[T], distance: Distance) -> Result<Scale, Reason> {
        // One pass finds every NaN and infinity: 0 x is 0 for all other numbers.
        if lane_sum(row, |x| x * 0.0) != 0.0 {
            return Err(Reason::NanInput);
        }
        let centre = match distance {
            Distance::Euclidean | Distance::Sqeuclidean | Distance::SqeuclideanPerChannel => {
                return Ok(Scale::AS_IT_IS);
            }
            Distance::Correlation => true,
            Distance::Cosine => false,
        };
        let first = if centre { row[0].to_f64() } else { 0.0 };
        let largest = lane_fold(row, 0.0, |x| (x - first).abs(), f64::max);
        if largest == 0.0 {
            return Err(Reason::Constant);
        }
        // Powers of two lose no digit.
        let unit = 2.0f64.powi(-largest.log2().floor().clamp(-1000.0, 1000.0) as i32);
        let n = row.len() as f64;
        let mut mean = 0.0;
        if centre {
            mean = lane_sum(row, |x| (x - first) * unit) / n;
            // The rounding of the first mean is itself averaged away.
            mean += lane_sum(row, |x| (x - first) * unit - mean) / n;
        }
        let length = lane_sum(row, |x| ((x - first) * unit - mean).powi(2)).sqrt();
        Ok(Scale { first, unit, mean, gain: 1.0 / length })
    }
}

/// Additions that do not wait for each other; a fixed number, so that the sum is the same everywhere.
const LANES: usize = 16;

fn lane_fold<T: Real>(row: &[T], start: f64, value: impl Fn(f64) -> f64, join: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [start; LANES];
    let chunks = row.chunks_exact(LANES);
    for (lane, x) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane = join(*lane, value(x.to_f64()));
    }
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = join(*lane, value(x.to_f64()));
        }
    }
    lanes.into_iter().fold(start, join)
}

fn lane_sum<T: Real>(row: &[T], value: impl Fn(f64) -> f64) -> f64 {
    lane_fold(row, 0.0, value, |a, b| a + b)
}

/// Columns that are copied, centred and multiplied at a time.
const BLOCK: usize = 2 * PANEL;

/// A pair whose squared distance is below this part of the sum of the two squared lengths is summed again:
/// the difference of sums has lost two digits of seven (`f32`) or four of sixteen (`f64`).
fn close<T: Real>() -> f64 {
    if size_of::<T>() == 4 { 1e-2 } else { 1e-4 }
}

struct Rows<'a, T> {
    /// C order.
    patterns: ArrayView2<'a, T>,
    scales: Vec<Result<Scale, Reason>>,
}

impl<'a, T: Real> Rows<'a, T> {
    fn new(patterns: ArrayView2<'a, T>, distance: Distance) -> Rows<'a, T> {
        let scales = patterns
            .axis_iter(Axis(0))
            .into_par_iter()
            .map(|row| Scale::of_row(row.as_slice().unwrap_or_default(), distance))
            .collect();
        Rows { patterns, scales }
    }

    fn slice(&self, row: usize, from: usize, to: usize) -> &[T] {
        let n_units = self.patterns.ncols();
        let all = self.patterns.as_slice().unwrap_or_default();
        &all[row * n_units + from..row * n_units + to]
    }

    /// The largest coordinate decides a power of two that keeps `f32` squares in range.
    fn range(&self) -> f64 {
        let largest = (0..self.scales.len()).into_par_iter().filter_map(|row| {
            let scale = self.scales[row].ok()?;
            Some(lane_fold(
                self.slice(row, 0, self.patterns.ncols()),
                0.0,
                |x| ((x - scale.first) * scale.unit - scale.mean).abs() * scale.gain,
                f64::max,
            ))
        });
        let largest = largest.reduce(|| 0.0, f64::max);
        if largest > 0.0 { 2.0f64.powi(-largest.log2().floor().clamp(-1000.0, 1000.0) as i32) } else { 1.0 }
    }

    /// Coordinates of columns `from..to` minus their mean over the usable rows, times `range`; 0 in unusable rows.
    fn block(&self, from: usize, to: usize, range: f64) -> Array2<T> {
        let n_usable = self.scales.iter().filter(|s| s.is_ok()).count().max(1) as f64;
        let mut mean = vec![0.0; to - from];
        // Column chunks are independent, and each is summed from the first row to the last.
        mean.par_chunks_mut(512).enumerate().for_each(|(chunk, mean)| {
            let start = from + chunk * 512;
            let end = start + mean.len();
            for (row, scale) in self.scales.iter().enumerate() {
                let Ok(scale) = scale else { continue };
                for (sum, x) in mean.iter_mut().zip(self.slice(row, start, end)) {
                    *sum += scale.apply(*x) / n_usable;
                }
            }
        });
        let mut block = Array2::from_elem((self.scales.len(), to - from), T::default());
        block.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, out)| {
            if let Ok(scale) = &self.scales[row] {
                let values = self.slice(row, from, to).iter().zip(&mean);
                for (out, (x, mean)) in out.into_iter().zip(values) {
                    *out = T::from_f64((scale.apply(*x) - mean) * range);
                }
            }
        });
        block
    }

    fn squared_distances(&self) -> Vec<f64> {
        let (n, n_units) = self.patterns.dim();
        let range = self.range();
        let mut gram = GramAccumulator::new(n);
        for from in (0..n_units).step_by(BLOCK) {
            gram.push(self.block(from, (from + BLOCK).min(n_units), range).view());
        }
        let gram = gram.finish();
        let lengths = gram.diagonal();
        let mut values = vec![f64::NAN; n_pairs(n)];
        let mut rest = values.as_mut_slice();
        let mut by_row = Vec::with_capacity(n);
        for row in 0..n {
            let (mine, others) = rest.split_at_mut(n - 1 - row);
            by_row.push(mine);
            rest = others;
        }
        by_row.into_par_iter().enumerate().for_each(|(i, values)| {
            let Ok(scale_i) = &self.scales[i] else { return };
            for (value, j) in values.iter_mut().zip(i + 1..) {
                let Ok(scale_j) = &self.scales[j] else { continue };
                let both = lengths[i] + lengths[j];
                let d2 = both - 2.0 * gram.get(i, j);
                *value =
                    if d2 > close::<T>() * both { d2 / (range * range) } else { self.direct(i, scale_i, j, scale_j) };
            }
        });
        values
    }

    fn direct(&self, i: usize, scale_i: &Scale, j: usize, scale_j: &Scale) -> f64 {
        let n_units = self.patterns.ncols();
        let (a, b) = (self.slice(i, 0, n_units), self.slice(j, 0, n_units));
        let mut lanes = [0.0; LANES];
        for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
            for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
                *lane += (scale_i.apply(*a) - scale_j.apply(*b)).powi(2);
            }
        }
        lanes.into_iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use linear_algebra::{PANEL, Real};
    use ndarray::{Array2, ArrayView2, array, s};
    use statistics::Reason;

    use super::{Distance, UnusableRow, distances};
    use crate::RdmError;

    fn noise(n: usize, p: usize, seed: u64) -> Array2<f64> {
        let mut state = seed;
        Array2::from_shape_simple_fn((n, p), || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        })
    }

    /// Pair by pair in `f64`, as SciPy does it.
    fn slow<T: Real>(x: ArrayView2<T>, distance: Distance) -> Vec<f64> {
        let rows: Vec<Vec<f64>> = x.rows().into_iter().map(|r| r.iter().map(|v| v.to_f64()).collect()).collect();
        let one_minus_cosine = |a: &[f64], b: &[f64]| {
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        let centred = |a: &[f64]| {
            let mean = a.iter().sum::<f64>() / a.len() as f64;
            a.iter().map(|v| v - mean).collect::<Vec<f64>>()
        };
        let mut all = Vec::new();
        for (i, a) in rows.iter().enumerate() {
            for b in &rows[i + 1..] {
                let d2: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
                all.push(match distance {
                    Distance::Sqeuclidean => d2,
                    Distance::SqeuclideanPerChannel => d2 / a.len() as f64,
                    Distance::Euclidean => d2.sqrt(),
                    Distance::Cosine => one_minus_cosine(a, b),
                    Distance::Correlation => one_minus_cosine(&centred(a), &centred(b)),
                });
            }
        }
        all
    }

    fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len());
        for (k, (f, e)) in found.iter().zip(expected).enumerate() {
            assert!((f - e).abs() <= tolerance * e.abs().max(1.0), "pair {k}: {f} {e}");
        }
    }

    #[test]
    fn four_patterns_as_scipy_and_rsatoolbox_have_them() {
        let x = array![[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0], [4.0, 3.0, 2.0, 1.0], [1.0, 3.0, 2.0, 5.0]];
        let values = |d| distances(x.view(), d).unwrap().rdm.into_values();
        let expected = [0.4, 2.0, 0.16847815937970023, 1.6, 0.9244071053981545, 1.8315218406203];
        assert_close(&values(Distance::Correlation), &expected, 1e-15);
        let expected = [2.0, 4.47213595499958, 1.7320508075688772, 4.0, 3.605551275463989, 5.0];
        assert_close(&values(Distance::Euclidean), &expected, 1e-15);
        assert_close(&values(Distance::Sqeuclidean), &[4.0, 20.0, 3.0, 16.0, 13.0, 25.0], 1e-15);
        // rsatoolbox 0.3.2 calc_rdm(method="euclidean")
        assert_close(&values(Distance::SqeuclideanPerChannel), &[1.0, 5.0, 0.75, 4.0, 3.25, 6.25], 1e-15);
        let expected = [
            0.06666666666666665,
            0.33333333333333337,
            0.03523617876226792,
            0.2666666666666667,
            0.1814125153134395,
            0.35682411917484536,
        ];
        assert_close(&values(Distance::Cosine), &expected, 1e-15);
        let f4 = x.mapv(|v| v as f32);
        let found = distances(f4.view(), Distance::Cosine).unwrap().rdm.into_values();
        assert_close(&found, &expected, 1e-7);
    }

    #[test]
    fn agrees_with_pairs_summed_one_by_one_at_block_edges() {
        for (n, p) in [(2, 1), (5, 2), (30, 2 * PANEL - 1), (30, 2 * PANEL), (300, 50), (7, 4 * PANEL + 1)] {
            let x = noise(n, p, 1) + 0.3;
            let x4 = x.mapv(|v| v as f32);
            for distance in Distance::ALL {
                if p == 1 && distance == Distance::Correlation {
                    continue;
                }
                let found = distances(x.view(), distance).unwrap();
                assert!(found.unusable.is_empty());
                assert_close(found.rdm.values(), &slow(x.view(), distance), 1e-13);
                let found = distances(x4.view(), distance).unwrap();
                // relative to 1 or to the distance: f32 sums over at most a panel
                assert_close(found.rdm.values(), &slow(x4.view(), distance), 1e-6);
            }
        }
    }

    #[test]
    fn tiny_differences_on_a_large_offset_keep_their_digits() {
        let x = noise(20, 500, 2).mapv(|v| 1e6 + 1e-4 * v);
        for distance in [Distance::Euclidean, Distance::Sqeuclidean] {
            let found = distances(x.view(), distance).unwrap().rdm.into_values();
            for (f, e) in found.iter().zip(slow(x.view(), distance)) {
                assert!((f / e - 1.0).abs() < 1e-11, "{f} {e}");
            }
        }
        // Pearson does not see the offset; 1e6 in f64 leaves 1e-10 of the 1e-4
        let bare = x.mapv(|v| v - 1e6);
        let found = distances(x.view(), Distance::Correlation).unwrap().rdm.into_values();
        assert_close(&found, &slow(bare.view(), Distance::Correlation), 1e-14);
        // the same in f4, where 1e6 is a multiple of 1/16
        let x4 = noise(20, 500, 3).mapv(|v| (1e6 + 4.0 * v) as f32);
        let found = distances(x4.view(), Distance::Euclidean).unwrap().rdm.into_values();
        for (f, e) in found.iter().zip(slow(x4.view(), Distance::Euclidean)) {
            assert!((f / e - 1.0).abs() < 1e-6, "{f} {e}");
        }
    }

    #[test]
    fn nearly_equal_patterns_keep_relative_accuracy() {
        // two bundles of rows: pairs inside a bundle differ by 1e-6 of their length
        let base = noise(2, 400, 4);
        let jitter = noise(12, 400, 5);
        let x = Array2::from_shape_fn((12, 400), |(i, j)| base[(i % 2, j)] + 1e-6 * jitter[(i, j)]);
        for distance in [Distance::Euclidean, Distance::Sqeuclidean] {
            for (f, e) in distances(x.view(), distance).unwrap().rdm.values().iter().zip(slow(x.view(), distance)) {
                assert!((f / e - 1.0).abs() < 1e-9, "{distance}: {f} {e}");
            }
        }
        // 1 - r of neighbours is about 1e-12, which 1 minus a rounded r could hold to 4 digits only
        let found = distances(x.view(), Distance::Correlation).unwrap().rdm;
        let scaled = x.mapv(|v| v * 3.0 + 7.0);
        let again = distances(scaled.view(), Distance::Correlation).unwrap().rdm;
        assert!(found.get(0, 2) > 1e-14 && found.get(0, 2) < 1e-11);
        assert!((found.get(0, 2) / again.get(0, 2) - 1.0).abs() < 1e-7);
    }

    #[test]
    fn equal_rows_have_distance_zero_and_nothing_is_negative() {
        let few = noise(3, 777, 6);
        let x = Array2::from_shape_fn((300, 777), |(i, j)| few[(i % 3, j)] * 1e3 + 1e5);
        let x4 = x.mapv(|v| v as f32);
        for distance in Distance::ALL {
            for rdm in [distances(x.view(), distance).unwrap().rdm, distances(x4.view(), distance).unwrap().rdm] {
                for i in 0..300 {
                    for j in 0..i {
                        let d = rdm.get(i, j);
                        assert!(if i % 3 == j % 3 { d == 0.0 } else { d > 0.0 }, "{distance} {i} {j} {d}");
                    }
                }
            }
        }
    }

    #[test]
    fn permuted_units_and_rescaled_rows_change_nothing_that_counts() {
        let x = noise(15, 60, 7);
        let backwards = x.slice(s![.., ..;-1]);
        for distance in Distance::ALL {
            let a = distances(x.view(), distance).unwrap().rdm.into_values();
            let b = distances(backwards, distance).unwrap().rdm.into_values();
            assert_close(&a, &b, 1e-14);
        }
        let affine = Array2::from_shape_fn(x.dim(), |(i, j)| x[(i, j)] * (i as f64 + 0.5) - 3.0 * i as f64);
        let a = distances(x.view(), Distance::Correlation).unwrap().rdm.into_values();
        let b = distances(affine.view(), Distance::Correlation).unwrap().rdm.into_values();
        assert_close(&a, &b, 1e-13);
        let scaled = Array2::from_shape_fn(x.dim(), |(i, j)| x[(i, j)] * (i as f64 + 0.5));
        let a = distances(x.view(), Distance::Cosine).unwrap().rdm.into_values();
        let b = distances(scaled.view(), Distance::Cosine).unwrap().rdm.into_values();
        assert_close(&a, &b, 1e-14);
    }

    #[test]
    fn unusable_rows_keep_their_place_and_spoil_no_other() {
        let mut x = noise(6, 40, 8).mapv(|v| v as f32);
        x.row_mut(1).fill(0.1);
        x[(3, 7)] = f32::NAN;
        x[(4, 39)] = f32::NEG_INFINITY;
        let found = distances(x.view(), Distance::Correlation).unwrap();
        let row = |row, reason| UnusableRow { row, reason };
        assert_eq!(found.unusable, [row(1, Reason::Constant), row(3, Reason::NanInput), row(4, Reason::NanInput)]);
        assert_eq!(found.rdm.n_nan(), 15 - 3);
        let good = x.select(ndarray::Axis(0), &[0, 2, 5]);
        let expected = slow(good.view(), Distance::Correlation);
        assert_close(found.rdm.select(&[0, 2, 5]).unwrap().values(), &expected, 1e-7);
        // a constant pattern is fine where it has a length, and one of zeros where lengths do not matter
        let found = distances(x.view(), Distance::Cosine).unwrap();
        assert_eq!(found.unusable.len(), 2);
        x.row_mut(1).fill(0.0);
        assert_eq!(distances(x.view(), Distance::Cosine).unwrap().unusable[0], row(1, Reason::Constant));
        assert_eq!(distances(x.view(), Distance::Euclidean).unwrap().unusable.len(), 2);
        x.fill(f32::NAN);
        assert_eq!(distances(x.view(), Distance::Euclidean).unwrap().rdm.n_nan(), 15);
    }

    #[test]
    fn very_large_and_very_small_numbers_do_not_overflow() {
        let x = noise(5, 30, 9);
        let expected = distances(x.view(), Distance::Correlation).unwrap().rdm.into_values();
        let euclid = distances(x.view(), Distance::Euclidean).unwrap().rdm.into_values();
        let large4 = x.mapv(|v| (v * 1e30) as f32);
        assert_close(distances(large4.view(), Distance::Correlation).unwrap().rdm.values(), &expected, 3e-7);
        let found = distances(large4.view(), Distance::Euclidean).unwrap().rdm;
        let rescaled: Vec<f64> = found.values().iter().map(|v| v / 1e30).collect();
        assert_close(&rescaled, &euclid, 3e-7);
        for factor in [1e200, 1e-200] {
            let scaled = x.mapv(|v| v * factor);
            assert_close(distances(scaled.view(), Distance::Correlation).unwrap().rdm.values(), &expected, 1e-14);
        }
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads_or_the_memory_order() {
        let x = noise(280, 3000, 10).mapv(|v| v as f32);
        let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        let transposed = x.t().as_standard_layout().into_owned();
        for distance in Distance::ALL {
            let one = pool(1).install(|| distances(x.view(), distance).unwrap());
            assert_eq!(pool(4).install(|| distances(x.view(), distance).unwrap()), one);
            assert_eq!(distances(transposed.t(), distance).unwrap(), one);
        }
    }

    #[test]
    fn refuses_what_has_no_pairs_or_no_units() {
        let one = Array2::<f32>::zeros((1, 5));
        assert_eq!(distances(one.view(), Distance::Cosine).unwrap_err(), RdmError::TooFewStimuli { n_stimuli: 1 });
        let none = Array2::<f32>::zeros((3, 0));
        assert_eq!(distances(none.view(), Distance::Cosine).unwrap_err(), RdmError::NoUnits { n_stimuli: 3 });
    }
}
