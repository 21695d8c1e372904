use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

use crate::Real;

/// Columns that are multiplied in the input's own precision before their sum goes into `f64`.
///
/// Fixed, because the place where a sum is cut decides its last bits.
pub const PANEL: usize = 2048;

/// Rows and columns of the piece of a result that one thread multiplies at a time.
pub(crate) const TILE: usize = 256;

/// Panels whose results are held at once when threads share a tile.
const PANELS_AT_ONCE: usize = 16;

/// A rectangle of a result and the memory it is summed into.
pub(crate) struct Tile<'a> {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    /// On the diagonal of a Gram matrix only the lower triangle is needed.
    pub lower_only: bool,
    pub sum: ArrayViewMut2<'a, f64>,
}

impl Tile<'_> {
    fn panel<T: Real>(&self, out: &mut Vec<T>, a: ArrayView2<T>, b_t: ArrayView2<T>, depth: Range<usize>) {
        let a = a.slice(s![self.rows.clone(), depth.clone()]);
        out.clear();
        if self.columns.len() == 1 && !self.lower_only {
            // The backend multiplies a single column in another order: what a column gives must not depend on
            // whether another stands beside it.
            let column = b_t.slice(s![self.columns.start, depth]);
            let mut both = vec![T::default(); 2 * self.sum.len()];
            T::multiply(&mut both, a, ndarray::stack![Axis(0), column, column].view(), false);
            out.extend(both.iter().step_by(2));
            return;
        }
        out.resize(self.sum.len(), T::default());
        T::multiply(out, a, b_t.slice(s![self.columns.clone(), depth]), self.lower_only);
    }

    fn add<T: Real>(&mut self, panel: &[T]) {
        for (k, (mut row, values)) in
            self.sum.rows_mut().into_iter().zip(panel.chunks_exact(self.columns.len())).enumerate()
        {
            // Above the diagonal of a Gram matrix there is nothing.
            let used = if self.lower_only { k + 1 } else { values.len() };
            match row.as_slice_mut() {
                Some(row) => add(&mut row[..used], &values[..used]),
                None => row.iter_mut().zip(&values[..used]).for_each(|(sum, value)| *sum += value.to_f64()),
            }
        }
    }
}

fn add<T: Real>(sums: &mut [f64], values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has just said that it has AVX2.
        return unsafe { add_avx2(sums, values) };
    }
    add_plain(sums, values);
}

/// The same additions with wider registers: the bytes are the same too.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn add_avx2<T: Real>(sums: &mut [f64], values: &[T]) {
    add_plain(sums, values);
}

#[inline(always)]
fn add_plain<T: Real>(sums: &mut [f64], values: &[T]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value.to_f64();
    }
}

/// Adds `a b_t'` to the tiles, panel by panel in order. `a` and `b_t` have the same number of columns.
pub(crate) fn add_products<T: Real>(a: ArrayView2<T>, b_t: ArrayView2<T>, mut tiles: Vec<Tile<'_>>) {
    let depth = a.ncols();
    let panels: Vec<Range<usize>> = (0..depth).step_by(PANEL).map(|start| start..(start + PANEL).min(depth)).collect();
    // Either schedule adds the same panels in the same order, so this choice cannot change a byte.
    if tiles.len() >= 2 * rayon::current_num_threads() || panels.len() == 1 {
        tiles.par_iter_mut().for_each_init(Vec::new, |out, tile| {
            for panel in &panels {
                tile.panel(out, a, b_t, panel.clone());
                tile.add(out);
            }
        });
    } else {
        for tile in &mut tiles {
            for some in panels.chunks(PANELS_AT_ONCE) {
                let outs: Vec<Vec<T>> = some
                    .par_iter()
                    .map(|panel| {
                        let mut out = Vec::new();
                        tile.panel(&mut out, a, b_t, panel.clone());
                        out
                    })
                    .collect();
                for out in &outs {
                    tile.add(out);
                }
            }
        }
    }
}

/// The ranges of [`TILE`] that cover `0..n`.
pub(crate) fn tile_ranges(n: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    (0..n).step_by(TILE).map(move |start| start..(start + TILE).min(n))
}

/// `a b` in `f64`: `n x k` times `k x m`.
///
/// ```
/// use ndarray::array;
/// let a = array![[1.0f32, 2.0], [3.0, 4.0]];
/// let b = array![[1.0f32], [10.0]];
/// assert_eq!(linear_algebra::product(a.view(), b.view()), array![[21.0], [43.0]]);
/// ```
///
/// # Panics
/// When `a` has not as many columns as `b` has rows.
pub fn product<T: Real>(a: ArrayView2<T>, b: ArrayView2<T>) -> Array2<f64> {
    assert!(
        a.ncols() == b.nrows(),
        "a product needs as many columns on the left ({}) as rows on the right ({})",
        a.ncols(),
        b.nrows()
    );
    let mut out = Array2::zeros((a.nrows(), b.ncols()));
    let mut tiles = Vec::new();
    let mut below = out.view_mut();
    for rows in tile_ranges(a.nrows()) {
        let (mut beside, rest) = below.split_at(Axis(0), rows.len());
        below = rest;
        for columns in tile_ranges(b.ncols()) {
            let (sum, rest) = beside.split_at(Axis(1), columns.len());
            beside = rest;
            tiles.push(Tile { rows: rows.clone(), columns, lower_only: false, sum });
        }
    }
    add_products(a, b.reversed_axes(), tiles);
    out
}

/// `a b` (`n x k` times `k x m`) in the input's own precision, written row by row over what is in `out`, on one thread.
/// For depths `k` up to [`PANEL`] it is what [`product`] sums in that precision, too.
///
/// # Panics
/// When `a` has not as many columns as `b` has rows, or `out` is not as long as the product.
pub fn plain_product<T: Real>(a: ArrayView2<T>, b: ArrayView2<T>, out: &mut [T]) {
    assert!(
        a.ncols() == b.nrows() && out.len() == a.nrows() * b.ncols(),
        "a product of {:?} and {:?} with {} values",
        a.dim(),
        b.dim(),
        out.len()
    );
    if b.ncols() == 1 {
        // As above: a column must not depend on whether another stands beside it.
        let both = ndarray::concatenate![Axis(1), b, b];
        let mut twice = vec![T::default(); 2 * out.len()];
        T::multiply(&mut twice, a, both.t(), false);
        return out.iter_mut().zip(twice.iter().step_by(2)).for_each(|(out, value)| *out = *value);
    }
    T::multiply(out, a, b.reversed_axes(), false);
}

/// `x' y` in `f64`: the sums of products of the columns of `x` (`n x p`) and of `y` (`n x v`), `p x v`.
///
/// # Panics
/// When the numbers of rows differ.
pub fn cross_product<T: Real>(x: ArrayView2<T>, y: ArrayView2<T>) -> Array2<f64> {
    product(x.reversed_axes(), y)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_column_has_the_same_bytes_alone_and_beside_others() {
        for (n, k) in [(300, 500), (13, 30), (2, 40)] {
            let (a, b) = (noise::<f64>(n, k, 1), noise::<f64>(k, TILE + 1, 2));
            let all = product(a.view(), b.view());
            for (start, width) in [(0, 1), (7, 1), (TILE, 1), (3, 2), (8, 5), (1, 100)] {
                let some = s![.., start..start + width];
                assert_eq!(product(a.view(), b.slice(some)), all.slice(some), "{n} x {k}: {width} from {start}");
            }
        }
    }

    use ndarray::{Array2, ArrayView2, ShapeBuilder, array, s};

    use super::{PANEL, TILE, cross_product, product};
    use crate::Real;
    use crate::testing::{noise, with_threads};

    fn slow_product<T: Real>(a: ArrayView2<T>, b: ArrayView2<T>) -> Array2<f64> {
        Array2::from_shape_fn((a.nrows(), b.ncols()), |(i, j)| {
            (0..a.ncols()).map(|k| a[(i, k)].to_f64() * b[(k, j)].to_f64()).sum()
        })
    }

    fn largest_difference(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
        assert_eq!(a.dim(), b.dim());
        a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn product_agrees_with_three_loops_at_tile_and_panel_edges() {
        for (n, k, m) in [
            (1, 1, 1),
            (3, 0, 2),
            (0, 4, 2),
            (TILE - 1, 7, TILE + 1),
            (TILE, 3, 2 * TILE),
            (5, PANEL - 1, 4),
            (5, PANEL, 4),
            (5, PANEL + 1, 4),
            (2, 20 * PANEL + 3, 3),
        ] {
            let (a, b) = (noise::<f64>(n, k, 1), noise::<f64>(k, m, 2));
            let expected = slow_product(a.view(), b.view());
            // 1e-15 of the sum of k products below 1/4 in size, taken generously
            let tolerance = 1e-15 * (k as f64 + 1.0);
            assert!(largest_difference(&product(a.view(), b.view()), &expected) <= tolerance, "{n} {k} {m}");
            let (a4, b4) = (a.mapv(|v| v as f32), b.mapv(|v| v as f32));
            let expected = slow_product(a4.view(), b4.view());
            // f32 products summed over at most one panel: 2^-24 times the root of its length, generously
            let tolerance = 1e-6 * (k.min(PANEL) as f64).sqrt() * (k as f64 / PANEL as f64 + 1.0).sqrt();
            assert!(largest_difference(&product(a4.view(), b4.view()), &expected) <= tolerance, "f4 {n} {k} {m}");
        }
    }

    #[test]
    fn transposed_and_strided_views_give_the_same_product() {
        let a = noise::<f64>(40, 30, 3);
        let b = noise::<f64>(30, 20, 4);
        let expected = product(a.view(), b.view());
        let mut fortran = Array2::zeros((40, 30).f());
        fortran.assign(&a);
        assert_eq!(product(fortran.view(), b.view()), expected);
        let wide = noise::<f64>(80, 90, 5);
        let every_second = wide.slice(s![..;2, ..;3]);
        let copied = every_second.to_owned();
        assert_eq!(product(every_second, b.view()), product(copied.view(), b.view()));
        let backwards = a.slice(s![..;-1, ..]);
        assert_eq!(product(backwards, b.view()), expected.slice(s![..;-1, ..]));
    }

    #[test]
    fn cross_product_sums_over_rows() {
        // columns (1,3), (2,4) with (1,2): 1*1+3*2 = 7, 2*1+4*2 = 10
        let (x, y) = (array![[1.0, 2.0], [3.0, 4.0]], array![[1.0], [2.0]]);
        assert_eq!(cross_product(x.view(), y.view()), array![[7.0], [10.0]]);
    }

    #[test]
    fn f4_error_does_not_grow_with_width() {
        // All products are 0.1f32 * 1: a running f32 sum of 4 million of them is off by per cents.
        let n = 4_000_000;
        let a = Array2::from_elem((1, n), 0.1f32);
        let b = Array2::from_elem((n, 1), 1.0f32);
        let exact = f64::from(0.1f32) * n as f64;
        let got = product(a.view(), b.view())[(0, 0)];
        assert!((got / exact - 1.0).abs() < 1e-5, "{got} {exact}");
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        for (n, k, m) in [(3, 6 * PANEL + 5, 2), (3 * TILE + 1, 300, 2 * TILE + 9)] {
            let (a, b) = (noise::<f32>(n, k, 6), noise::<f32>(k, m, 7));
            let one = with_threads(1, || product(a.view(), b.view()));
            for threads in [2, 3, 8] {
                assert_eq!(with_threads(threads, || product(a.view(), b.view())), one);
            }
        }
    }

    #[test]
    fn nan_stays_in_its_row() {
        let mut a = noise::<f32>(4, 10, 8);
        a[(2, 3)] = f32::NAN;
        let got = product(a.view(), noise::<f32>(10, 3, 9).view());
        for ((i, _), value) in got.indexed_iter() {
            assert_eq!(value.is_nan(), i == 2);
        }
    }

    #[test]
    #[should_panic(expected = "columns on the left (3) as rows on the right (2)")]
    fn refuses_depths_that_differ() {
        product(Array2::<f64>::zeros((2, 3)).view(), Array2::zeros((2, 2)).view());
    }
}
