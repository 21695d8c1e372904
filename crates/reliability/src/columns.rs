//! Columns of a row-major matrix, a few at a time.

use ndarray::ArrayView2;
use rayon::prelude::*;

/// Columns fetched together: one cache line of f4, so that a pass down the rows wastes nothing it reads.
const GROUP: usize = 16;

/// Calls `of_column(column, values)` for every column in parallel and gives the results in column order.
///
/// All matrices have the same shape; `values` has that column of each of them, in f64.
pub(crate) fn map_columns<T, R>(
    matrices: &[ArrayView2<'_, T>],
    of_column: impl Fn(usize, &[&[f64]]) -> R + Sync,
) -> Vec<R>
where
    T: Copy + Into<f64> + Send + Sync,
    R: Send,
{
    let (n_rows, n_columns) = matrices.first().map_or((0, 0), |matrix| matrix.dim());
    let groups: Vec<Vec<R>> = (0..n_columns.div_ceil(GROUP))
        .into_par_iter()
        .map(|group| {
            let first = group * GROUP;
            let width = GROUP.min(n_columns - first);
            let mut values = vec![0.0; matrices.len() * width * n_rows];
            let place = |matrix: usize, offset: usize| (matrix * width + offset) * n_rows;
            for (index, matrix) in matrices.iter().enumerate() {
                for (row, responses) in matrix.rows().into_iter().enumerate() {
                    for offset in 0..width {
                        values[place(index, offset) + row] = responses[first + offset].into();
                    }
                }
            }
            (0..width)
                .map(|offset| {
                    let of_each: Vec<&[f64]> =
                        (0..matrices.len()).map(|matrix| &values[place(matrix, offset)..][..n_rows]).collect();
                    of_column(first + offset, &of_each)
                })
                .collect()
        })
        .collect();
    groups.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn every_column_once_and_in_order() {
        for n_columns in [0, 1, GROUP - 1, GROUP, GROUP + 1, 5 * GROUP + 2] {
            let matrix = Array2::from_shape_fn((3, n_columns), |(row, column)| (100 * row + column) as f32);
            let double = matrix.mapv(|v| 2.0 * v);
            let sums = map_columns(&[matrix.view(), double.view()], |column, values| {
                (column, values[0].iter().sum::<f64>(), values[1][2])
            });
            let expected: Vec<(usize, f64, f64)> =
                (0..n_columns).map(|c| (c, (300 + 3 * c) as f64, (400 + 2 * c) as f64)).collect();
            assert_eq!(sums, expected);
        }
    }
}
