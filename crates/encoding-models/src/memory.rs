use std::collections::HashSet;

use crate::ridge::{Inner, RidgeOptions, Split};
use crate::solver::{VOXELS, Want};

/// Bytes that a cross-validation takes, from the sizes alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Decompositions, and what is held while they are made; without the features themselves.
    pub fixed: u128,
    /// For each voxel of a block: predictions, responses and what scoring copies.
    pub per_voxel: u128,
}

/// Copies of the rows of a voxel in f64 that stand at a time: predictions by fold, joined, responses, and what scores
/// centre.
const COPIES: u128 = 6;
/// Products of the features, and matrices as large, that one decomposition holds.
const WORK: u128 = 6;

impl Memory {
    /// Of features with `n_columns` columns of `item` bytes; `narrow`: whether penalties are judged in `f32`.
    pub fn of(
        n_columns: usize,
        item: usize,
        splits: &[Split],
        options: &RidgeOptions,
        narrow: bool,
        want: Want,
    ) -> Memory {
        let p = n_columns as u128;
        let threads = rayon::current_num_threads() as u128;
        let judged = if narrow { 4 } else { 8 };
        let (mut kept, mut largest, mut n_rows) = (0, 0, 0);
        let (mut n_inner, mut longest) = (0, 0);
        for split in splits {
            let (n, n_test) = (split.train.len() as u128, split.test.len() as u128);
            let inner = match &options.inner {
                _ if options.alphas.factors().len() == 1 && options.gammas.is_none() => 0,
                Inner::LeaveOneOut => 0,
                Inner::Folds(folds) => {
                    split.train.iter().map(|&row| folds.fold_of_row[row]).collect::<HashSet<_>>().len() as u128
                }
            };
            let side = if p < n { p } else { n };
            // Basis and rows to predict; the rows themselves for leave-one-out; the same of the inner folds.
            let rotations = 8 * (side * side + n_test * side)
                + if inner == 0 && p < n { 8 * n * side } else { 0 }
                + inner * (if p < n { 8 } else { judged }) * side * side
                + judged * n * side;
            kept += rotations;
            // Products of all inner folds are made before they are decomposed; features of a dual block are scaled.
            let products = 8 * ((1 + inner) * side * side + n * side);
            let scaled = if p < n { 8 * 2048 * p } else { item as u128 * n * 4096 };
            largest = largest.max(products + 8 * WORK * side * side + scaled);
            n_rows = n_rows.max(n + n_test);
            n_inner = n_inner.max(inner);
            longest = longest.max(n);
        }
        let total = if p < longest { 8 * p * p } else { 0 };
        // What one thread holds for its voxels: responses, coordinates by fold, products under some penalties; and
        // centred features while these are multiplied with responses.
        let axes = p.min(longest);
        let centred = if p < longest { 8 * longest.min(2048) * p } else { 0 };
        let per_thread =
            centred + VOXELS as u128 * 8 * (3 * longest + (3 + 2 * n_inner) * axes + 20 * longest / n_inner.max(1));
        let n_bands = if want.bands { options.gammas.as_ref().map_or(1, |gammas| gammas.ncols()) as u128 } else { 0 };
        let models = if want.models { 4 * 8 * p } else { 0 };
        Memory {
            fixed: total + kept + threads.min(splits.len() as u128) * largest + threads * per_thread,
            per_voxel: 8 * n_rows * (COPIES + 2 * n_bands) + models + 64 * splits.len() as u128,
        }
    }

    /// How many voxels a block may have within so many bytes, in whole blocks of threads; `None` where not even one
    /// such block fits.
    pub fn voxels_within(&self, bytes: u128) -> Option<usize> {
        let blocks = bytes.checked_sub(self.fixed)? / (self.per_voxel * VOXELS as u128);
        (blocks > 0).then(|| usize::try_from(blocks).unwrap_or(usize::MAX).saturating_mul(VOXELS))
    }

    /// The least that a run takes.
    pub fn least(&self) -> u128 {
        self.fixed + self.per_voxel * VOXELS as u128
    }
}
