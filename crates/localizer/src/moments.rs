//! Mean and variance per group and unit in one pass over rows, in memory that does not grow with the rows.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2, s};
use rayon::prelude::*;
use statistics::{Moments, Reason};

/// Units per tile: one task of the thread pool, whose means and deviations stay in the first cache while the rows of
/// a block run over them.
const TILE: usize = 512;

/// Rows that run over the tiles before the next ones do. More would spread each tile's reading over more memory pages
/// than the processor keeps addresses of.
const ROWS: usize = 16;

/// Tiles per strip at most: with two groups their moments take a quarter of a second cache of 1 MB.
const STRIP: usize = 16;

/// A row that is used, its group, and its share in the mean of that group.
#[derive(Debug, Clone, Copy)]
struct Step {
    row: usize,
    group: usize,
    weight: f64,
}

/// The moments of neighbouring units, waiting for their rows.
#[derive(Debug)]
pub struct Strip<'a> {
    units: Range<usize>,
    sums: &'a mut [f64],
    steps: &'a [Step],
    n_groups: usize,
    n_rows: usize,
    next: usize,
}

impl Strip<'_> {
    /// The units of this strip.
    pub fn units(&self) -> Range<usize> {
        self.units.clone()
    }

    /// The row that comes next, and how many there are.
    pub fn progress(&self) -> (usize, usize) {
        (self.next, self.n_rows)
    }

    /// Adds the next rows: rows x the units of this strip.
    pub fn add_rows<T: Copy + Into<f64>>(&mut self, block: ArrayView2<'_, T>) -> Result<(), BlockError> {
        if block.ncols() != self.units.len() {
            return Err(BlockError::Columns { expected: self.units.len(), found: block.ncols() });
        }
        let rows = self.next..self.next + block.nrows();
        if rows.end > self.n_rows {
            return Err(BlockError::Rows { rows: rows.end, groups: self.n_rows });
        }
        let from = self.steps.partition_point(|step| step.row < rows.start);
        let to = self.steps.partition_point(|step| step.row < rows.end);
        for (tile, sums) in self.sums.chunks_mut(self.n_groups * 2 * TILE).enumerate() {
            let units = tile * TILE..((tile + 1) * TILE).min(self.units.len());
            add_to_tile(sums, &self.steps[from..to], |row| block.slice_move(s![row - rows.start, units.clone()]));
        }
        self.next = rows.end;
        Ok(())
    }
}

/// Rows into the moments of one tile.
fn add_to_tile<'a, T: Copy + Into<f64> + 'a>(
    sums: &mut [f64],
    steps: &[Step],
    row_of: impl Fn(usize) -> ArrayView1<'a, T>,
) {
    let mut gathered: Vec<T> = Vec::new();
    for step in steps {
        let row = row_of(step.row);
        let (mean, m2) = sums[step.group * 2 * TILE..(step.group + 1) * 2 * TILE].split_at_mut(TILE);
        let values = match row.to_slice() {
            Some(values) => values,
            None => {
                gathered.clear();
                gathered.extend(row.iter().copied());
                &gathered
            }
        };
        welford(values, mean, m2, step.weight);
    }
}

/// A block of rows that does not fit the moments it is added to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Other number of columns.
    #[error("{found} columns, but the rows before had {expected}")]
    Columns {
        /// Units so far.
        expected: usize,
        /// Columns of this block.
        found: usize,
    },
    /// Not one group per row.
    #[error("{rows} rows, but {groups} group entries; both need one per row")]
    Rows {
        /// Rows of the block.
        rows: usize,
        /// Entries given.
        groups: usize,
    },
    /// A group that does not exist.
    #[error("group {found}, but there are only {n_groups}, counted from 0")]
    Group {
        /// The group of some row.
        found: usize,
        /// How many groups there are.
        n_groups: usize,
    },
}

/// Running count, mean and sum of squared deviations of every unit within every group (Welford's update in f64).
///
/// Memory is 16 bytes per group and unit, whatever the number of rows. Rows are added one after the other within
/// each unit and only units are shared out among threads (of the current rayon pool), so the result has the same
/// bytes for any number of threads and any cutting of the rows into blocks. Welford's update keeps the digits of a
/// tiny variance on a large mean, also when the first row is an outlier, where sums shifted by it would not.
///
/// ```
/// use localizer::CategoryMoments;
/// use ndarray::array;
/// let mut moments = CategoryMoments::new(2, 1);
/// let block = array![[5.0_f32], [1.0], [7.0]];
/// moments.add_rows(block.view(), &[Some(0), Some(1), Some(0)]).unwrap();
/// assert_eq!(moments.moments(0, 0).mean, 6.0);
/// assert_eq!(moments.moments(0, 0).variance(), 2.0);
/// assert_eq!(moments.count(1), 1);
/// ```
#[derive(Debug, Clone)]
pub struct CategoryMoments {
    counts: Vec<usize>,
    n_units: usize,
    /// Tile by tile: for each group, `TILE` means and then `TILE` sums of squared deviations.
    tiles: Vec<f64>,
}

impl CategoryMoments {
    /// No rows yet. `n_groups` is the number of groups (categories), `n_units` of columns.
    pub fn new(n_groups: usize, n_units: usize) -> CategoryMoments {
        let n_tiles = n_units.div_ceil(TILE);
        CategoryMoments { counts: vec![0; n_groups], n_units, tiles: vec![0.0; n_tiles * n_groups * 2 * TILE] }
    }

    /// Adds rows: `block` is rows x units in any memory order, `groups` has the group of each row, or `None` for
    /// rows that are not used. An error leaves the moments as they were.
    ///
    /// Blocks of 16 rows or more let the update run near the speed of memory; single rows are correct but slower.
    pub fn add_rows<T>(&mut self, block: ArrayView2<'_, T>, groups: &[Option<usize>]) -> Result<(), BlockError>
    where
        T: Copy + Into<f64> + Send + Sync,
    {
        let n_groups = self.counts.len();
        if block.ncols() != self.n_units {
            return Err(BlockError::Columns { expected: self.n_units, found: block.ncols() });
        }
        if block.nrows() != groups.len() {
            return Err(BlockError::Rows { rows: block.nrows(), groups: groups.len() });
        }
        if let Some(&found) = groups.iter().flatten().find(|&&g| g >= n_groups) {
            return Err(BlockError::Group { found, n_groups });
        }
        let steps = self.count_rows(groups);
        if self.n_units == 0 || steps.is_empty() {
            return Ok(());
        }
        let n_units = self.n_units;
        for steps in steps.chunks(ROWS) {
            self.tiles.par_chunks_mut(n_groups * 2 * TILE).enumerate().with_min_len(4).for_each(|(tile, sums)| {
                let units = tile * TILE..((tile + 1) * TILE).min(n_units);
                add_to_tile(sums, steps, |row| block.slice_move(s![row, units.clone()]));
            });
        }
        Ok(())
    }

    /// Adds rows in strips of neighbouring units, each by one task that reads them itself: for matrices whose parts can
    /// be read in any order. `groups` has the group of every row. `feed` is given the units of its strip and adds the
    /// rows from the first to the last, in blocks of any height; after an error the moments are of no use.
    ///
    /// The same numbers as [`CategoryMoments::add_rows`], but neither rows nor moments travel through memory twice.
    pub fn add_strips<E: Send + From<BlockError>>(
        &mut self,
        groups: &[Option<usize>],
        feed: impl Fn(&mut Strip<'_>) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        let n_groups = self.counts.len();
        if let Some(&found) = groups.iter().flatten().find(|&&g| g >= n_groups) {
            return Err(BlockError::Group { found, n_groups }.into());
        }
        let steps = self.count_rows(groups);
        let (n_units, n_rows) = (self.n_units, groups.len());
        // Narrow layers are still shared out among the threads.
        let tiles = STRIP.min(n_units.div_ceil(TILE).div_ceil(rayon::current_num_threads())).max(1);
        self.tiles.par_chunks_mut(n_groups * 2 * TILE * tiles).enumerate().try_for_each(|(strip, sums)| {
            let first = strip * tiles * TILE;
            let units = first..(first + tiles * TILE).min(n_units);
            let mut strip = Strip { units, sums, steps: &steps, n_groups, n_rows, next: 0 };
            feed(&mut strip)?;
            match strip.next {
                rows if rows == n_rows => Ok(()),
                rows => Err(BlockError::Rows { rows, groups: n_rows }.into()),
            }
        })
    }

    /// Counts rows into their groups; each used row with the weight 1/n that it has after that, once for all units.
    fn count_rows(&mut self, groups: &[Option<usize>]) -> Vec<Step> {
        let mut steps = Vec::with_capacity(groups.len());
        for (row, group) in groups.iter().enumerate() {
            if let Some(group) = *group {
                self.counts[group] += 1;
                steps.push(Step { row, group, weight: 1.0 / self.counts[group] as f64 });
            }
        }
        steps
    }

    /// How many units.
    pub fn n_units(&self) -> usize {
        self.n_units
    }

    /// How many groups.
    pub fn n_groups(&self) -> usize {
        self.counts.len()
    }

    /// Rows added to a group so far.
    pub fn count(&self, group: usize) -> usize {
        self.counts[group]
    }

    /// Moments of one unit within one group.
    pub fn moments(&self, group: usize, unit: usize) -> Moments {
        let start = (unit / TILE * self.counts.len() + group) * 2 * TILE + unit % TILE;
        Moments { n: self.counts[group], mean: self.tiles[start], m2: self.tiles[start + TILE] }
    }

    /// Why a unit cannot be tested: `nan_input` when a value it was given is NaN or infinite, `constant` when all
    /// its values over all groups are equal.
    ///
    /// Welford's update leaves a constant exactly where it is, so this needs no memory of its own and is exact for
    /// f4 input; f8 values that differ only in their last bit, or by less than 1e-154, count as equal.
    pub fn reason(&self, unit: usize) -> Option<Reason> {
        self.reason_in(unit, 0..self.n_groups())
    }

    /// The same over some groups only: what a contrast does not look at does not make a unit unusable for it.
    pub fn reason_in(&self, unit: usize, groups: impl Iterator<Item = usize>) -> Option<Reason> {
        let mut groups = groups.map(|g| self.moments(g, unit)).filter(|m| m.n > 0).peekable();
        let first = groups.peek().map(|m| m.mean);
        let mut constant = true;
        for group in groups {
            if !group.mean.is_finite() || !group.m2.is_finite() {
                return Some(Reason::NanInput);
            }
            constant &= group.m2 == 0.0 && Some(group.mean) == first;
        }
        constant.then_some(Reason::Constant)
    }
}

/// One row of one group into its means and sums of squared deviations; `weight` is 1 / n after this row.
fn welford<T: Copy + Into<f64>>(values: &[T], mean: &mut [f64], m2: &mut [f64], weight: f64) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has just said that it has AVX-512.
        return unsafe { welford_avx512(values, mean, m2, weight) };
    } else if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has just said that it has AVX2.
        return unsafe { welford_avx2(values, mean, m2, weight) };
    }
    welford_plain(values, mean, m2, weight);
}

/// The same code with wider registers. Multiplication and addition are not fused, so the bytes are the same too.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn welford_avx512<T: Copy + Into<f64>>(values: &[T], mean: &mut [f64], m2: &mut [f64], weight: f64) {
    welford_plain(values, mean, m2, weight);
}

/// The same code with wider registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn welford_avx2<T: Copy + Into<f64>>(values: &[T], mean: &mut [f64], m2: &mut [f64], weight: f64) {
    welford_plain(values, mean, m2, weight);
}

#[inline(always)]
fn welford_plain<T: Copy + Into<f64>>(values: &[T], mean: &mut [f64], m2: &mut [f64], weight: f64) {
    for ((x, mean), m2) in values.iter().zip(mean).zip(m2) {
        let x: f64 = (*x).into();
        let delta = x - *mean;
        *mean += delta * weight;
        *m2 += delta * (x - *mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, ShapeBuilder, s};
    use statistics::Draws;

    fn random(rows: usize, units: usize, seed: u64) -> Array2<f64> {
        let mut draws = Draws::new(seed);
        Array2::from_shape_fn((rows, units), |_| draws.uniform() - 0.5)
    }

    fn groups_of(rows: usize, n_groups: usize) -> Vec<Option<usize>> {
        let mut draws = Draws::new(99);
        (0..rows).map(|_| draws.below(n_groups + 1).checked_sub(1)).collect()
    }

    fn two_pass(data: &Array2<f64>, groups: &[Option<usize>], group: usize, unit: usize) -> (f64, f64) {
        let rows = (0..data.nrows()).filter(|r| groups[*r] == Some(group));
        let values: Vec<f64> = rows.map(|r| data[[r, unit]]).collect();
        (statistics::mean(&values), statistics::variance(&values))
    }

    fn streamed<T: Copy + Into<f64> + Send + Sync>(
        data: &Array2<T>,
        groups: &[Option<usize>],
        n_groups: usize,
        block: usize,
    ) -> CategoryMoments {
        let mut moments = CategoryMoments::new(n_groups, data.ncols());
        for start in (0..data.nrows()).step_by(block) {
            let end = (start + block).min(data.nrows());
            moments.add_rows(data.slice(s![start..end, ..]), &groups[start..end]).unwrap();
        }
        moments
    }

    #[test]
    fn agrees_with_two_passes_at_tile_edges() {
        for units in [1, TILE - 1, TILE, TILE + 1, 2 * TILE + 7] {
            let data = random(60, units, 1);
            let groups = groups_of(60, 3);
            let moments = streamed(&data, &groups, 3, 7);
            for group in 0..3 {
                for unit in 0..units {
                    let (mean, variance) = two_pass(&data, &groups, group, unit);
                    let m = moments.moments(group, unit);
                    // 1e-13: 20 values of order 1 in f64.
                    assert!((m.mean - mean).abs() < 1e-14);
                    assert!((m.variance() / variance - 1.0).abs() < 1e-13);
                }
            }
        }
    }

    #[test]
    fn large_means_with_tiny_variances_keep_their_digits() {
        // Mean 1e6, variance 1e-4; the first row of unit 0 is 0, which ruins sums shifted by the first row.
        let mut draws = Draws::new(5);
        let rows = 2000;
        let mut data = Array2::from_shape_fn((rows, 3), |_| 1e6 + 0.01 * 12f64.sqrt() * (draws.uniform() - 0.5));
        data[[0, 0]] = 0.0;
        let groups: Vec<Option<usize>> = (0..rows).map(|r| Some(usize::from(r > 0))).collect();
        let moments = streamed(&data, &groups, 2, 64);
        for unit in 0..3 {
            let (mean, variance) = two_pass(&data, &groups, 1, unit);
            let m = moments.moments(1, unit);
            assert!((0.9e-4..1.1e-4).contains(&variance));
            assert!((m.mean / mean - 1.0).abs() < 1e-15, "{}", m.mean / mean - 1.0);
            // Each step rounds the mean by 1e-10 against a spread of 1e-2: 1e-8 per step, averaging out.
            assert!((m.variance() / variance - 1.0).abs() < 1e-9, "{:e}", m.variance() / variance - 1.0);
        }
    }

    #[test]
    fn same_bytes_for_any_threads_blocks_and_memory_order() {
        let units = 5 * TILE + 3;
        let data = random(50, units, 2).mapv(|v| v as f32);
        let groups = groups_of(50, 4);
        let expected = streamed(&data, &groups, 4, 50).tiles;
        for threads in [1, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for block in [1, 7, 49, 50] {
                let found = pool.install(|| streamed(&data, &groups, 4, block)).tiles;
                assert!(found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
        }
        let mut fortran = Array2::<f32>::zeros((50, units).f());
        fortran.assign(&data);
        let found = streamed(&fortran, &groups, 4, 50).tiles;
        assert!(found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));
    }

    #[test]
    fn wide_registers_give_the_same_bytes() {
        let data = random(40, 333, 8).mapv(|v| v as f32);
        let (mut mean, mut m2) = (vec![0.0; 333], vec![0.0; 333]);
        let (mut mean_wide, mut m2_wide) = (mean.clone(), m2.clone());
        for (i, row) in data.rows().into_iter().enumerate() {
            let weight = 1.0 / (i + 1) as f64;
            welford_plain(row.to_slice().unwrap(), &mut mean, &mut m2, weight);
            welford(row.to_slice().unwrap(), &mut mean_wide, &mut m2_wide, weight);
        }
        assert_eq!((mean, m2), (mean_wide, m2_wide));
    }

    #[test]
    fn strips_give_the_same_bytes_as_rows() {
        for units in [1, TILE + 1, 3 * STRIP * TILE + 5] {
            let data = random(40, units, 12).mapv(|v| v as f32);
            let groups = groups_of(40, 3);
            let expected = streamed(&data, &groups, 3, 40).tiles;
            for (threads, height) in [(1, 40), (3, 7), (2, 1)] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut moments = CategoryMoments::new(3, units);
                pool.install(|| {
                    moments.add_strips(&groups, |strip| {
                        while strip.progress().0 < 40 {
                            let from = strip.progress().0;
                            strip.add_rows(data.slice(s![from..(from + height).min(40), strip.units()]))?;
                        }
                        Ok::<(), BlockError>(())
                    })
                })
                .unwrap();
                assert!(moments.tiles.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
        }
        let mut moments = CategoryMoments::new(1, 2);
        let short = moments.add_strips(&[Some(0), None], |_| Ok::<(), BlockError>(()));
        assert_eq!(short, Err(BlockError::Rows { rows: 0, groups: 2 }));
    }

    #[test]
    fn f4_is_summed_in_f8() {
        let data = random(30, 5, 3).mapv(|v| v as f32);
        let groups = groups_of(30, 2);
        let wide = data.mapv(f64::from);
        assert_eq!(streamed(&data, &groups, 2, 4).tiles, streamed(&wide, &groups, 2, 9).tiles);
    }

    #[test]
    fn constant_and_nan_units_are_found() {
        let mut data = random(9, 6, 4).mapv(|v| v as f32);
        data.column_mut(0).fill(0.1);
        data.column_mut(1).fill(0.0);
        data[[4, 2]] = f32::NAN;
        data[[5, 3]] = f32::INFINITY;
        // Constant within each group, but not over both.
        (0..9).for_each(|r| data[[r, 4]] = if r % 2 == 0 { 1.0 } else { 2.0 });
        let groups: Vec<Option<usize>> = (0..9).map(|r| Some(r % 2)).collect();
        let moments = streamed(&data, &groups, 3, 2);
        let reasons: Vec<Option<Reason>> = (0..6).map(|u| moments.reason(u)).collect();
        let (constant, nan) = (Some(Reason::Constant), Some(Reason::NanInput));
        assert_eq!(reasons, [constant, constant, nan, nan, None, None]);
        // A NaN in a row that is not used is not seen.
        let mut unused = groups.clone();
        unused[4] = None;
        assert_eq!(streamed(&data, &unused, 3, 2).reason(2), None);
        // The smallest step of f4 is seen.
        let mut step = Array2::from_elem((4, 1), 1.0_f32);
        step[[3, 0]] = 1.0_f32.next_up();
        assert_eq!(streamed(&step, &[Some(0); 4], 1, 4).reason(0), None);
    }

    #[test]
    fn blocks_that_do_not_fit_are_refused_and_change_nothing() {
        let mut moments = CategoryMoments::new(2, 3);
        let block = Array2::<f32>::zeros((2, 3));
        let narrow = Array2::<f32>::zeros((2, 2));
        let error = moments.add_rows(narrow.view(), &[None, None]).unwrap_err();
        assert_eq!(error.to_string(), "2 columns, but the rows before had 3");
        let error = moments.add_rows(block.view(), &[Some(0)]).unwrap_err();
        assert_eq!(error.to_string(), "2 rows, but 1 group entries; both need one per row");
        let error = moments.add_rows(block.view(), &[Some(0), Some(2)]).unwrap_err();
        assert_eq!(error.to_string(), "group 2, but there are only 2, counted from 0");
        assert_eq!((moments.count(0), moments.count(1)), (0, 0));
    }
}
