//! Cross products of subjects at every voxel: all that correlations between subjects need, in one pass over the bytes.

use ndarray::ArrayView2;
use rayon::prelude::*;

/// Columns that are in registers together.
const LANES: usize = 8;
/// Groups of [`LANES`] columns whose rows are fetched together: long enough for the prefetcher.
const GROUPS: usize = 96;
/// Rows that are centred before they are multiplied: a group of 8 subjects stays in the nearest cache.
const ROWS: usize = 16;

/// Sums over rows of the products of every two subjects' centred values.
///
/// Values are centred on the mean of the first rows, and the sums are moved to the mean of all in the end.
pub(super) struct Products {
    /// Subjects x subjects in row order, symmetric; what is not finite has NaN.
    pub of_pairs: Vec<f64>,
    /// The largest share that moving took off a subject's sum of squares: 1 of a constant, near 0 where the first rows
    /// are like the others.
    pub moved: f64,
    pub n_subjects: usize,
    pub n_rows: usize,
}

impl Products {
    pub fn of(&self, i: usize, j: usize) -> f64 {
        self.of_pairs[i * self.n_subjects + j]
    }

    /// Of the sum of some subjects with itself.
    pub fn of_sum(&self, subjects: &[usize]) -> f64 {
        subjects.iter().map(|&j| subjects.iter().map(|&k| self.of(j, k)).sum::<f64>()).sum()
    }
}

/// Calls `of_voxel(voxel, products)` for every column in parallel and gives the results in column order. The matrices
/// have one shape and C order.
pub(super) fn map_products<T, R>(
    subjects: &[ArrayView2<'_, T>],
    of_voxel: impl Fn(usize, &Products) -> R + Sync,
) -> Vec<R>
where
    T: Copy + Into<f64> + Send + Sync,
    R: Send,
{
    let (n_rows, n_voxels) = subjects.first().map_or((0, 0), |subject| subject.dim());
    let width = LANES * GROUPS;
    let parts: Vec<Vec<R>> = (0..n_voxels.div_ceil(width))
        .into_par_iter()
        .map(|part| {
            let first = part * width;
            let n_columns = width.min(n_voxels - first);
            let sums = Sums::of_part(subjects, first, n_columns);
            let n = subjects.len();
            let mut products = Products { of_pairs: vec![0.0; n * n], moved: 0.0, n_subjects: n, n_rows };
            (0..n_columns)
                .map(|column| {
                    sums.write(column, &mut products);
                    of_voxel(first + column, &products)
                })
                .collect()
        })
        .collect();
    parts.into_iter().flatten().collect()
}

/// Every pair once, with that of a subject and itself.
fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |i| (i..n).map(move |j| (i, j)))
}

/// Of [`GROUPS`] groups of columns, centred on the mean of the first rows.
struct Sums {
    /// `[(group * pairs + pair)][lane]`
    of_products: Vec<[f64; LANES]>,
    /// `[subject * groups + group][lane]`
    of_values: Vec<[f64; LANES]>,
    n_groups: usize,
}

impl Sums {
    fn of_part<T: Copy + Into<f64>>(subjects: &[ArrayView2<'_, T>], first: usize, n_columns: usize) -> Sums {
        #[cfg(target_arch = "x86_64")]
        {
            // The same operations in the same order, four or eight columns an instruction instead of two: the same
            // bytes.
            #[target_feature(enable = "avx512f")]
            fn widest<T: Copy + Into<f64>>(subjects: &[ArrayView2<'_, T>], first: usize, n_columns: usize) -> Sums {
                Sums::of_part_here(subjects, first, n_columns)
            }
            #[target_feature(enable = "avx2")]
            fn wide<T: Copy + Into<f64>>(subjects: &[ArrayView2<'_, T>], first: usize, n_columns: usize) -> Sums {
                Sums::of_part_here(subjects, first, n_columns)
            }
            if std::arch::is_x86_feature_detected!("avx512f") {
                // SAFETY: the processor has what the function is compiled for.
                return unsafe { widest(subjects, first, n_columns) };
            }
            if std::arch::is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has what the function is compiled for.
                return unsafe { wide(subjects, first, n_columns) };
            }
        }
        Sums::of_part_here(subjects, first, n_columns)
    }

    #[inline(always)]
    fn of_part_here<T: Copy + Into<f64>>(subjects: &[ArrayView2<'_, T>], first: usize, n_columns: usize) -> Sums {
        let n = subjects.len();
        let n_rows = subjects[0].nrows();
        let n_groups = n_columns.div_ceil(LANES);
        let n_pairs = n * (n + 1) / 2;
        let mut centres = vec![[0.0; LANES]; n * n_groups];
        for (subject, centres) in subjects.iter().zip(centres.chunks_mut(n_groups)) {
            centres.as_flattened_mut()[..n_columns].copy_from_slice(&of_first_rows(subject, first, n_columns));
        }
        let mut sums = Sums {
            of_products: vec![[0.0; LANES]; n_groups * n_pairs],
            of_values: vec![[0.0; LANES]; n * n_groups],
            n_groups,
        };
        // Of one group: [subject * ROWS + row][lane].
        let mut centred = vec![[0.0; LANES]; n * ROWS];
        for start in (0..n_rows).step_by(ROWS) {
            let height = ROWS.min(n_rows - start);
            // Along the rows, as they lie in memory, which fetches them for the groups below.
            for (s, subject) in subjects.iter().enumerate() {
                let (centres, totals) = (&centres[s * n_groups..], &mut sums.of_values[s * n_groups..][..n_groups]);
                for row in start..start + height {
                    let values = part_of_row(subject, row, first, n_columns);
                    for (group, total) in totals.iter_mut().enumerate() {
                        let centred = group_of(values, group, &centres[group]);
                        (0..LANES).for_each(|lane| total[lane] += centred[lane]);
                    }
                }
            }
            for group in 0..n_groups {
                for (s, (subject, centred)) in subjects.iter().zip(centred.chunks_mut(ROWS)).enumerate() {
                    for (row, centred) in centred[..height].iter_mut().enumerate() {
                        let values = part_of_row(subject, start + row, first, n_columns);
                        *centred = group_of(values, group, &centres[s * n_groups + group]);
                    }
                }
                let of = |s: usize| &centred[s * ROWS..][..height];
                let mut totals = &mut sums.of_products[group * n_pairs..][..n_pairs];
                for i in 0..n {
                    let (own, others) = totals.split_at_mut(n - i);
                    totals = others;
                    let (fours, rest) = own.as_chunks_mut::<4>();
                    let first_of_rest = i + 4 * fours.len();
                    for (k, four) in fours.iter_mut().enumerate() {
                        let j = i + 4 * k;
                        add_products(of(i), [of(j), of(j + 1), of(j + 2), of(j + 3)], four);
                    }
                    // A loop, as a closure might not be compiled for the wide registers.
                    for (k, one) in rest.iter_mut().enumerate() {
                        add_products(of(i), [of(first_of_rest + k)], std::array::from_mut(one));
                    }
                }
            }
        }
        sums
    }

    /// Of one column, moved to the mean of all rows.
    fn write(&self, column: usize, products: &mut Products) {
        let (group, lane) = (column / LANES, column % LANES);
        let n = products.n_subjects;
        let n_pairs = n * (n + 1) / 2;
        let off = |s: usize| self.of_values[s * self.n_groups + group][lane];
        products.moved = 0.0;
        for ((i, j), sum) in pairs(n).zip(&self.of_products[group * n_pairs..]) {
            let taken_off = off(i) * off(j) / products.n_rows as f64;
            let moved = sum[lane] - taken_off;
            if i == j {
                // Not a number stays out of a maximum; such a product is none itself.
                products.moved = products.moved.max(taken_off / sum[lane]);
            }
            products.of_pairs[i * n + j] = moved;
            products.of_pairs[j * n + i] = moved;
        }
    }
}

/// Values of one group of columns less their centres; 0 behind the last column.
#[inline(always)]
fn group_of<T: Copy + Into<f64>>(values: &[T], group: usize, centres: &[f64; LANES]) -> [f64; LANES] {
    let values = &values[group * LANES..];
    let mut centred = [0.0; LANES];
    match values.first_chunk::<LANES>() {
        Some(values) => (0..LANES).for_each(|lane| centred[lane] = values[lane].into() - centres[lane]),
        None => values.iter().enumerate().for_each(|(lane, value)| centred[lane] = (*value).into() - centres[lane]),
    }
    centred
}

/// Sums over rows of the products of `x`, loaded once, with each of `K` others; added to the totals.
#[inline(always)]
fn add_products<const K: usize>(x: &[[f64; LANES]], others: [&[[f64; LANES]]; K], totals: &mut [[f64; LANES]; K]) {
    let others = others.map(|other| &other[..x.len()]);
    let mut sums = [[0.0; LANES]; K];
    for (row, x) in x.iter().enumerate() {
        for k in 0..K {
            for lane in 0..LANES {
                sums[k][lane] += x[lane] * others[k][row][lane];
            }
        }
    }
    for k in 0..K {
        for lane in 0..LANES {
            totals[k][lane] += sums[k][lane];
        }
    }
}

/// Mean of the first [`ROWS`] rows, taken around the first: exact for constants.
fn of_first_rows<T: Copy + Into<f64>>(subject: &ArrayView2<'_, T>, first: usize, n_columns: usize) -> Vec<f64> {
    let n_rows = subject.nrows().min(ROWS);
    let around: Vec<f64> = match n_rows {
        0 => return vec![f64::NAN; n_columns],
        _ => part_of_row(subject, 0, first, n_columns).iter().map(|&v| v.into()).collect(),
    };
    let mut sums = vec![0.0; n_columns];
    for row in 1..n_rows {
        let values = part_of_row(subject, row, first, n_columns);
        for ((sum, value), around) in sums.iter_mut().zip(values).zip(&around) {
            *sum += (*value).into() - around;
        }
    }
    sums.iter().zip(&around).map(|(sum, around)| around + sum / n_rows as f64).collect()
}

fn part_of_row<'a, T>(subject: &ArrayView2<'a, T>, row: usize, first: usize, n_columns: usize) -> &'a [T] {
    let n_voxels = subject.ncols();
    let all = subject.to_slice().unwrap_or_default();
    &all[row * n_voxels + first..][..n_columns]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use statistics::{Draws, dot, mean};

    #[test]
    fn every_pair_of_every_column_in_order() {
        let mut draws = Draws::new(4);
        for (n_rows, n_voxels) in [(1, 1), (2, 7), (8, 8), (9, 63), (17, 64), (30, 65), (5, 130)] {
            // Six: four others at a time, and fewer.
            let subjects: Vec<Array2<f32>> = (0..6)
                .map(|s| Array2::from_shape_fn((n_rows, n_voxels), |_| (draws.uniform() + 100.0 * s as f64) as f32))
                .collect();
            let views: Vec<ArrayView2<f32>> = subjects.iter().map(|s| s.view()).collect();
            let found = map_products(&views, |voxel, products| (voxel, products.of_pairs.clone()));
            assert_eq!(found.len(), n_voxels);
            for (voxel, (at, products)) in found.iter().enumerate() {
                assert_eq!(voxel, *at);
                let centred: Vec<Vec<f64>> = subjects
                    .iter()
                    .map(|s| {
                        let column = s.column(voxel).mapv(f64::from).to_vec();
                        column.iter().map(|v| v - mean(&column)).collect()
                    })
                    .collect();
                for i in 0..6 {
                    for j in 0..6 {
                        let expected = dot(&centred[i], &centred[j]);
                        assert!((products[6 * i + j] - expected).abs() < 1e-14 * n_rows as f64, "{i} {j}");
                    }
                }
            }
        }
    }

    #[test]
    fn constants_have_exactly_no_product_and_infinity_none_that_is_a_number() {
        let subjects = [Array2::from_elem((47, 3), 0.1), Array2::from_elem((47, 3), f64::INFINITY)];
        let views: Vec<ArrayView2<f64>> = subjects.iter().map(|s| s.view()).collect();
        for products in map_products(&views, |_, products| products.of_pairs.clone()) {
            assert_eq!(products[0], 0.0);
            assert!(products[3].is_nan());
        }
    }

    #[test]
    fn says_how_much_moving_the_centre_took_off() {
        // from which the sums are moved
        let values = Array2::from_shape_fn((32, 1), |(row, _)| if row < 16 { 0.0 } else { 100.0 + (row % 2) as f64 });
        let found = map_products(&[values.view()], |_, products| (products.of_pairs[0], products.moved));
        let (squares, sum) = (8.0 * 100f64.powi(2) + 8.0 * 101f64.powi(2), 8.0 * 201.0);
        assert_eq!(found, [(squares - sum * sum / 32.0, sum * sum / 32.0 / squares)]);
    }
}
