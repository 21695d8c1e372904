use ndarray::{Array1, Array2, ArrayView2, s};

use crate::Real;
use crate::product::{PANEL, TILE, Tile, add_products, tile_ranges};

/// A symmetric matrix of sums of products, of which one triangle is kept.
///
/// Half the memory of a square array; [`Gram::to_array`] makes that array where one is needed.
#[derive(Debug, Clone)]
pub struct Gram {
    n: usize,
    /// Tiles (0,0), (1,0), (1,1), (2,0), ... of the lower triangle.
    tiles: Vec<Array2<f64>>,
}

impl Gram {
    fn zeros(n: usize) -> Gram {
        let mut tiles = Vec::new();
        for (i, rows) in tile_ranges(n).enumerate() {
            for columns in tile_ranges(n).take(i + 1) {
                tiles.push(Array2::zeros((rows.len(), columns.len())));
            }
        }
        Gram { n, tiles }
    }

    /// Number of rows, which is the number of columns.
    pub fn n(&self) -> usize {
        self.n
    }

    /// The entry of row `i`, column `j`.
    ///
    /// # Panics
    /// When `i` or `j` is not below [`Gram::n`].
    #[inline]
    pub fn get(&self, i: usize, j: usize) -> f64 {
        let (i, j) = if i >= j { (i, j) } else { (j, i) };
        let (tile_i, tile_j) = (i / TILE, j / TILE);
        self.tiles[tile_i * (tile_i + 1) / 2 + tile_j][(i % TILE, j % TILE)]
    }

    /// The entries of row `i` from column `from`, at most `i`, to the diagonal, as far as they lie together.
    ///
    /// # Panics
    /// When `i` is not below [`Gram::n`], `from` is above `i`, or the columns were forgotten.
    #[inline]
    pub fn part_of_row(&self, i: usize, from: usize) -> &[f64] {
        assert!(from <= i && i < self.n, "columns {from} to {i} of a Gram matrix of {}", self.n);
        let (tile_i, tile_j) = (i / TILE, from / TILE);
        let tile = &self.tiles[tile_i * (tile_i + 1) / 2 + tile_j];
        let width = tile.ncols();
        let start = (i % TILE) * width;
        // Tiles are made in C order and never turned.
        let values = tile.as_slice().unwrap_or_default();
        let end = if tile_i == tile_j { i % TILE + 1 } else { width };
        &values[start + from % TILE..start + end]
    }

    /// Gives back memory: of the entries `(i, j)` with `j <= i`, those whose `j` is below `columns` may not be read any
    /// more, for all `i`. Whoever turns the matrix into something else column by column so holds it once, not twice.
    pub fn forget_columns(&mut self, columns: usize) {
        let n_tiles = self.n.div_ceil(TILE);
        let done = if columns >= self.n { n_tiles } else { columns / TILE };
        for j in 0..done {
            for i in j..n_tiles {
                self.tiles[i * (i + 1) / 2 + j] = Array2::zeros((0, 0));
            }
        }
    }

    /// The sums of squares of the rows.
    pub fn diagonal(&self) -> Array1<f64> {
        (0..self.n).map(|i| self.get(i, i)).collect()
    }

    /// The whole square matrix, exactly symmetric.
    pub fn to_array(&self) -> Array2<f64> {
        Array2::from_shape_fn((self.n, self.n), |(i, j)| self.get(i, j))
    }

    fn add<T: Real>(&mut self, x: ArrayView2<T>) {
        let ranges = tile_ranges(self.n);
        let places = ranges.clone().enumerate().flat_map(|(i, rows)| {
            ranges.clone().take(i + 1).enumerate().map(move |(j, columns)| (rows.clone(), columns, i == j))
        });
        let tiles = places
            .zip(&mut self.tiles)
            .map(|((rows, columns, lower_only), sum)| Tile { rows, columns, lower_only, sum: sum.view_mut() })
            .collect();
        add_products(x, x, tiles);
    }
}

/// `x x'`: the products of all pairs of rows of `x` (`n x p`), `n x n`.
///
/// ```
/// use ndarray::array;
/// let x = array![[1.0f32, 2.0, 2.0], [3.0, 0.0, -1.0]];
/// assert_eq!(linear_algebra::gram(x.view()).to_array(), array![[9.0, 1.0], [1.0, 10.0]]);
/// ```
pub fn gram<T: Real>(x: ArrayView2<T>) -> Gram {
    let mut gram = Gram::zeros(x.nrows());
    gram.add(x);
    gram
}

/// `x' x`: the products of all pairs of columns of `x` (`n x p`), `p x p`.
pub fn cross_gram<T: Real>(x: ArrayView2<T>) -> Gram {
    gram(x.reversed_axes())
}

/// `x x'` of a matrix whose columns come in blocks and are never held together.
///
/// The result has the bytes of [`gram`] on the whole matrix, however the columns were cut.
///
/// ```
/// use linear_algebra::GramAccumulator;
/// use ndarray::{array, s};
/// let x = array![[1.0f32, 2.0, 2.0], [3.0, 0.0, -1.0]];
/// let mut rows = GramAccumulator::new(2);
/// rows.push(x.slice(s![.., ..1]));
/// rows.push(x.slice(s![.., 1..]));
/// assert_eq!(rows.finish().get(1, 0), 1.0);
/// ```
pub struct GramAccumulator<T> {
    gram: Gram,
    /// Columns that do not fill a panel yet.
    pending: Array2<T>,
    n_pending: usize,
}

impl<T: Real> GramAccumulator<T> {
    /// For matrices of `n` rows.
    pub fn new(n: usize) -> GramAccumulator<T> {
        GramAccumulator { gram: Gram::zeros(n), pending: Array2::from_elem((n, 0), T::default()), n_pending: 0 }
    }

    /// Adds the products of the next columns, `n x` any width. Widths that are multiples of [`PANEL`] are
    /// read in place; what is left over is copied.
    ///
    /// # Panics
    /// When the block has another number of rows.
    pub fn push(&mut self, block: ArrayView2<T>) {
        let n = self.gram.n;
        assert!(block.nrows() == n, "a block of {} rows for a Gram matrix of {n}", block.nrows());
        let mut start = 0;
        if self.n_pending > 0 {
            start = (PANEL - self.n_pending).min(block.ncols());
            self.keep(block.slice(s![.., ..start]));
            if self.n_pending == PANEL {
                self.flush();
            }
        }
        let whole = (block.ncols() - start) / PANEL * PANEL;
        if whole > 0 {
            self.gram.add(block.slice(s![.., start..start + whole]));
        }
        self.keep(block.slice(s![.., start + whole..]));
    }

    /// The products over all columns that were pushed.
    pub fn finish(mut self) -> Gram {
        self.flush();
        self.gram
    }

    fn keep(&mut self, columns: ArrayView2<T>) {
        if columns.ncols() == 0 {
            return;
        }
        let end = self.n_pending + columns.ncols();
        // As wide as what comes: for the many small matrices of a searchlight, zeroing a panel costs more than
        // products.
        if end > self.pending.ncols() {
            let mut wider = Array2::from_elem((self.gram.n, end.next_power_of_two().min(PANEL)), T::default());
            wider.slice_mut(s![.., ..self.n_pending]).assign(&self.pending.slice(s![.., ..self.n_pending]));
            self.pending = wider;
        }
        self.pending.slice_mut(s![.., self.n_pending..end]).assign(&columns);
        self.n_pending = end;
    }

    fn flush(&mut self) {
        self.gram.add(self.pending.slice(s![.., ..self.n_pending]));
        self.n_pending = 0;
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};

    use super::{GramAccumulator, cross_gram, gram};
    use crate::product::{PANEL, TILE};
    use crate::testing::{noise, with_threads};

    #[test]
    fn gram_agrees_with_pairwise_sums_at_tile_edges() {
        for n in [1, 2, TILE - 1, TILE, TILE + 1, 2 * TILE + 3] {
            let x = noise::<f64>(n, 11, 1);
            let g = gram(x.view());
            assert_eq!(g.n(), n);
            for i in 0..n {
                for j in 0..n {
                    let expected: f64 = (0..11).map(|k| x[(i, k)] * x[(j, k)]).sum();
                    assert!((g.get(i, j) - expected).abs() < 1e-14, "{n}: {i} {j}");
                }
            }
            let square = g.to_array();
            assert_eq!(square, square.t());
            assert_eq!(square.diag(), g.diagonal());
        }
    }

    #[test]
    fn columns_that_are_left_after_others_were_forgotten_are_what_they_were() {
        let x = noise::<f64>(2 * TILE + 3, 5, 4);
        let whole = gram(x.view());
        let mut rest = gram(x.view());
        for columns in [TILE - 1, TILE, 2 * TILE + 2] {
            rest.forget_columns(columns);
            for j in columns / TILE * TILE..2 * TILE + 3 {
                assert!((j..2 * TILE + 3).all(|i| rest.get(i, j) == whole.get(i, j)), "{columns}: {j}");
                for i in j..2 * TILE + 3 {
                    let part = rest.part_of_row(i, j);
                    assert!(!part.is_empty() && (0..part.len()).all(|k| part[k] == whole.get(i, j + k)));
                    assert!(j + part.len() <= i + 1);
                }
            }
        }
    }

    #[test]
    fn cross_gram_is_the_gram_of_the_columns() {
        // columns (1,3), (2,4): 1+9, 2+12, 4+16
        let x = array![[1.0f32, 2.0], [3.0, 4.0]];
        assert_eq!(cross_gram(x.view()).to_array(), array![[10.0, 14.0], [14.0, 20.0]]);
    }

    #[test]
    fn blocks_of_columns_give_the_bytes_of_the_whole() {
        let p = 3 * PANEL + 17;
        let x = noise::<f32>(70, p, 2);
        let whole = gram(x.view()).to_array();
        for width in [1000, PANEL - 1, PANEL, PANEL + 1, 2 * PANEL, p] {
            let mut rows = GramAccumulator::new(70);
            for start in (0..p).step_by(width) {
                rows.push(x.slice(s![.., start..(start + width).min(p)]));
            }
            assert_eq!(rows.finish().to_array(), whole, "blocks of {width}");
        }
        // the same numbers lying the other way round in memory
        let fortran = x.t().as_standard_layout().into_owned();
        assert_eq!(gram(fortran.t()).to_array(), whole);
        let mut nothing = GramAccumulator::<f32>::new(2);
        nothing.push(Array2::zeros((2, 0)).view());
        assert_eq!(nothing.finish().to_array(), Array2::<f64>::zeros((2, 2)));
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        for (n, p) in [(5, 9 * PANEL + 1), (3 * TILE + 10, 500)] {
            let x = noise::<f32>(n, p, 3);
            let one = with_threads(1, || gram(x.view()).to_array());
            for threads in [2, 3, 8] {
                assert_eq!(with_threads(threads, || gram(x.view()).to_array()), one);
            }
        }
    }
}
