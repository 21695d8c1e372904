//! Of many units, the one whose tuning follows a voxel best: a running maximum over blocks of units.

use linear_algebra::product;
use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use statistics::rounding::OF_SCORES;
use statistics::{Correlation, Reason, average_ranks, mean};

/// Voxels whose correlations with a block of units are held at once.
const VOXELS_AT_ONCE: usize = 1024;

/// Tunings over some stimuli as vectors of mean 0 and length 1 (of their ranks under Spearman), so that products of two
/// are correlations: one row per unit or voxel. Rows of 0 where there is a reason.
pub(crate) struct Tunings {
    unit_vectors: Array2<f64>,
    pub reasons: Vec<Option<Reason>>,
}

impl Tunings {
    /// Those of `responses` (units x stimuli) over the stimuli in `over`; Pearson, or for any other the ranks.
    pub(crate) fn of(responses: ArrayView2<f64>, over: &[usize], how: Correlation) -> Tunings {
        let mut unit_vectors = Array2::zeros((responses.nrows(), over.len()));
        let reasons = unit_vectors
            .axis_iter_mut(Axis(0))
            .into_par_iter()
            .zip(responses.axis_iter(Axis(0)))
            .map(|(mut to, row)| {
                let values: Vec<f64> = over.iter().map(|&stimulus| row[stimulus]).collect();
                let reason = Reason::of(&values);
                if reason.is_none() {
                    let values = if how == Correlation::Spearman { average_ranks(&values) } else { values };
                    to.iter_mut().zip(unit_vector(&values)).for_each(|(to, v)| *to = v);
                }
                reason
            })
            .collect();
        Tunings { unit_vectors, reasons }
    }
}

/// Values less their mean, over their length. The largest goes first, so that no square leaves the range of f64.
fn unit_vector(values: &[f64]) -> Vec<f64> {
    let centre = mean(values);
    let largest = values.iter().fold(0.0, |largest: f64, v| largest.max((v - centre).abs()));
    let scaled: Vec<f64> = values.iter().map(|v| (v - centre) / largest).collect();
    let length = scaled.iter().map(|v| v * v).sum::<f64>().sqrt();
    scaled.into_iter().map(|v| v / length).collect()
}

/// For every voxel the best unit so far and its correlation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Best {
    pub found: Vec<Option<(usize, f64)>>,
}

impl Best {
    pub(crate) fn of_none(n_voxels: usize) -> Best {
        Best { found: vec![None; n_voxels] }
    }

    /// Looks at more units, the first of which is number `first`; blocks come in rising order. A unit takes the place
    /// of a lower one only where its correlation is higher by more than rounding, so that of equal tunings (also of a
    /// unit and twice that unit) the lowest number stands.
    pub(crate) fn consider(&mut self, first: usize, units: &Tunings, voxels: &Tunings) {
        let chunks = self.found.chunks_mut(VOXELS_AT_ONCE).enumerate();
        for (chunk, found) in chunks {
            let from = chunk * VOXELS_AT_ONCE;
            let tunings = voxels.unit_vectors.slice(s![from..from + found.len(), ..]);
            let r = product(tunings, units.unit_vectors.t());
            let reasons = &voxels.reasons[from..from + found.len()];
            found.par_iter_mut().zip(r.axis_iter(Axis(0))).zip(reasons).for_each(|((best, r), reason)| {
                if reason.is_some() {
                    return;
                }
                for (unit, r) in r.iter().enumerate().filter(|(unit, _)| units.reasons[*unit].is_none()) {
                    if best.is_none_or(|(_, highest)| *r > highest + OF_SCORES) {
                        *best = Some((first + unit, *r));
                    }
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, concatenate};
    use statistics::{Draws, median};

    fn noise(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
        let mut draws = Draws::new(seed);
        Array2::from_shape_simple_fn((rows, columns), || draws.normal_pair()[0])
    }

    fn best(units: &Array2<f64>, voxels: &Array2<f64>, over: &[usize], how: Correlation, width: usize) -> Best {
        let mut best = Best::of_none(voxels.nrows());
        let voxels = Tunings::of(voxels.view(), over, how);
        for first in (0..units.nrows()).step_by(width) {
            let block = units.slice(s![first..(first + width).min(units.nrows()), ..]);
            best.consider(first, &Tunings::of(block, over, how), &voxels);
        }
        best
    }

    /// All units one by one.
    fn slow(units: &Array2<f64>, voxel: &[f64], over: &[usize], how: Correlation) -> (usize, f64) {
        let pick = |row: &[f64]| -> Vec<f64> { over.iter().map(|&stimulus| row[stimulus]).collect() };
        let r = units.rows().into_iter().map(|unit| how.of(&pick(&unit.to_vec()), &pick(voxel))).enumerate();
        r.filter(|(_, r)| !r.is_nan()).fold((usize::MAX, f64::NEG_INFINITY), |a, b| if b.1 > a.1 { b } else { a })
    }

    #[test]
    fn agrees_with_all_units_one_by_one_whatever_the_blocks() {
        let mut units = noise(37, 24, 1);
        units.row_mut(3).fill(0.1);
        units[[5, 2]] = f64::NAN;
        units.row_mut(20).mapv_inplace(|v| v * 1e200);
        let voxels = noise(9, 24, 2);
        let over: Vec<usize> = (0..24).step_by(2).collect();
        for how in [Correlation::Pearson, Correlation::Spearman] {
            let all = best(&units, &voxels, &over, how, 64);
            for (voxel, found) in all.found.iter().enumerate() {
                let (unit, r) = found.unwrap();
                let expected = slow(&units, &voxels.row(voxel).to_vec(), &over, how);
                assert_eq!(unit, expected.0, "{how}");
                assert!((r - expected.1).abs() < 1e-14, "{how}: {r} {}", expected.1);
            }
            for width in [1, 5, 36, 37] {
                let of_blocks = best(&units, &voxels, &over, how, width);
                let units_of = |b: &Best| b.found.iter().map(|f| f.unwrap().0).collect::<Vec<_>>();
                assert_eq!(units_of(&of_blocks), units_of(&all));
            }
        }
    }

    #[test]
    fn equal_tunings_go_to_the_lowest_unit() {
        let mut draws = Draws::new(3);
        let voxel: Vec<f64> = (0..30).map(|_| draws.normal_pair()[0]).collect();
        let near: Vec<f64> = voxel.iter().map(|v| v + 0.1 * draws.normal_pair()[0]).collect();
        // Unit 2 and its multiples; a linear function of a tuning is the same tuning.
        let rows = [1usize, 2, 3].map(|k| near.iter().map(|v| v * k as f64 / 3.0 - k as f64).collect::<Vec<f64>>());
        let mut units = noise(2, 30, 4);
        for row in &rows {
            units = concatenate![Axis(0), units, Array2::from_shape_vec((1, 30), row.clone()).unwrap()];
        }
        let voxels = Array2::from_shape_vec((1, 30), voxel).unwrap();
        let all: Vec<usize> = (0..30).collect();
        for width in [1, 2, 3, 5] {
            assert_eq!(best(&units, &voxels, &all, Correlation::Pearson, width).found[0].unwrap().0, 2);
        }
    }

    #[test]
    fn what_has_no_tuning_is_no_match_and_has_none() {
        let voxels = array![[1.0, 2.0, 4.0], [5.0, 5.0, 5.0], [1.0, f64::NAN, 2.0]];
        // The only usable unit runs against the voxel; it is the best there is, not the constant one's 0.
        let units = array![[2.0, 2.0, 2.0], [4.0, 2.0, 1.0], [1.0, 2.0, f64::INFINITY]];
        let found = best(&units, &voxels, &[0, 1, 2], Correlation::Pearson, 2).found;
        assert!(found[0].is_some_and(|(unit, r)| unit == 1 && r < -0.7));
        assert_eq!(found[1..], [None, None]);
        let reasons = Tunings::of(voxels.view(), &[0, 1, 2], Correlation::Pearson).reasons;
        assert_eq!(reasons, [None, Some(Reason::Constant), Some(Reason::NanInput)]);
        // NaN in a stimulus that is not looked at is no matter.
        assert_eq!(Tunings::of(voxels.view(), &[0, 2], Correlation::Pearson).reasons[2], None);
    }

    /// The reason for the verb: the best of many correlations is high where there is nothing, and tells nothing.
    #[test]
    fn of_noise_the_training_correlation_is_large_and_the_held_out_one_zero() {
        let (n_units, n_voxels, n) = (2000, 300, 40);
        let (units, voxels) = (noise(n_units, n, 5), noise(n_voxels, n, 6));
        let (train, test): (Vec<usize>, Vec<usize>) = (0..n).partition(|s| s % 2 == 0);
        let found = best(&units, &voxels, &train, Correlation::Pearson, 512).found;
        let pick =
            |row: ndarray::ArrayView1<f64>, over: &[usize]| -> Vec<f64> { over.iter().map(|&s| row[s]).collect() };
        let held_out: Vec<f64> = (0..n_voxels)
            .map(|v| statistics::pearson(&pick(voxels.row(v), &test), &pick(units.row(found[v].unwrap().0), &test)))
            .collect();
        let r_train: Vec<f64> = found.iter().map(|f| f.unwrap().1).collect();
        // Half of all voxels have a unit of 2000 whose t (18 df) is above 4.06, which 3.5 in 10000 are: r = .69. Over
        // 20 other stimuli r has the standard deviation 1 / sqrt(19).
        let of_mean = (1.0 / 19f64.sqrt()) / (n_voxels as f64).sqrt();
        assert!((median(&r_train) - 0.69).abs() < 0.02, "{}", median(&r_train));
        assert!(mean(&held_out).abs() < 3.0 * of_mean, "{} +- {of_mean}", mean(&held_out));
    }
}
