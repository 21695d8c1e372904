use ndarray::ArrayView2;

/// Columns of a panel: two registers of AVX-512, four of AVX2.
const WIDTH: usize = 16;

type Line = [f64; WIDTH];

/// A matrix cut into panels of a few columns, in each of which the rows follow one another.
#[derive(Debug, Clone, PartialEq)]
pub struct Panels {
    n_rows: usize,
    n_columns: usize,
    /// Panel by panel, row by row; columns that are not there are 0.
    lines: Vec<Line>,
}

impl Panels {
    /// Copies a matrix.
    pub fn new(matrix: ArrayView2<f64>) -> Panels {
        let (n_rows, n_columns) = matrix.dim();
        let mut lines = vec![[0.0; WIDTH]; n_rows * n_columns.div_ceil(WIDTH)];
        for (i, row) in matrix.rows().into_iter().enumerate() {
            for (j, &value) in row.iter().enumerate() {
                lines[j / WIDTH * n_rows + i][j % WIDTH] = value;
            }
        }
        Panels { n_rows, n_columns, lines }
    }

    /// Some of the columns, in this order.
    ///
    /// # Panics
    /// When there is no such column.
    pub fn columns(&self, columns: &[usize]) -> Panels {
        assert!(columns.iter().all(|&column| column < self.n_columns), "a column beyond {}", self.n_columns);
        let mut lines = vec![[0.0; WIDTH]; self.n_rows * columns.len().div_ceil(WIDTH)];
        if self.n_rows > 0 {
            for (to, columns) in lines.chunks_exact_mut(self.n_rows).zip(columns.chunks(WIDTH)) {
                for (lane, &column) in columns.iter().enumerate() {
                    let from = self.panel(column / WIDTH);
                    to.iter_mut().zip(from).for_each(|(to, from)| to[lane] = from[column % WIDTH]);
                }
            }
        }
        Panels { n_rows: self.n_rows, n_columns: columns.len(), lines }
    }

    fn panel(&self, panel: usize) -> &[Line] {
        &self.lines[panel * self.n_rows..(panel + 1) * self.n_rows]
    }
}

/// Sums over rows of `(weight (base + left right))^2`, one per column, where the sums in brackets are nowhere held.
///
/// `base` is `n x m` (none is 0), `left` is `n x k`, `right` is `k x m`; there is one weight per row (none is 1). For
/// small `k` the product alone would cost less than writing it down. Runs on one thread.
///
/// ```
/// use linear_algebra::{Panels, residual_squares};
/// use ndarray::array;
/// let base = Panels::new(array![[1.0], [2.0]].view());
/// // Rows 1 + 3 and 2 - 3, the second counted twice as large: 16 + 4.
/// let sums = residual_squares(Some(&base), array![[1.0], [-1.0]].view(), array![[3.0]].view(), Some(&[1.0, 2.0]));
/// assert_eq!(sums, [20.0]);
/// ```
///
/// # Panics
/// When the shapes do not fit together.
pub fn residual_squares(
    base: Option<&Panels>,
    left: ArrayView2<f64>,
    right: ArrayView2<f64>,
    weights: Option<&[f64]>,
) -> Vec<f64> {
    let ((n, k), m) = (left.dim(), right.ncols());
    assert!(
        k == right.nrows(),
        "a product needs as many columns on the left ({k}) as rows on the right ({})",
        right.nrows()
    );
    if let Some(base) = base {
        assert!((base.n_rows, base.n_columns) == (n, m), "{} x {} beside {n} x {m}", base.n_rows, base.n_columns);
    }
    assert!(weights.is_none_or(|weights| weights.len() == n), "one weight for each of {n} rows");
    let kernel = Kernel::of_this_processor();
    let rows_at_once = kernel.rows_at_once();
    // Row groups by depth: what is multiplied at once stands together.
    let n_groups = n.div_ceil(rows_at_once);
    let mut packed = vec![0.0; n_groups * k * rows_at_once];
    for (i, row) in left.rows().into_iter().enumerate() {
        let group = &mut packed[i / rows_at_once * k * rows_at_once..];
        let places = group.iter_mut().skip(i % rows_at_once).step_by(rows_at_once);
        places.zip(row).for_each(|(to, &value)| *to = value);
    }
    let right = Panels::new(right);
    let mut sums = vec![0.0; m];
    for (panel, sums) in sums.chunks_mut(WIDTH).enumerate() {
        let operands =
            Operands { base: base.map(|base| base.panel(panel)), left: &packed, right: right.panel(panel), weights, n };
        sums.copy_from_slice(&kernel.run(&operands)[..sums.len()]);
    }
    sums
}

/// What the sums of one panel are made of.
struct Operands<'a> {
    base: Option<&'a [Line]>,
    left: &'a [f64],
    right: &'a [Line],
    weights: Option<&'a [f64]>,
    n: usize,
}

/// Which instructions are used. The bytes are the same for any number of threads, and for one kind of processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Plain,
}

impl Kernel {
    fn of_this_processor() -> Kernel {
        #[cfg(target_arch = "x86_64")]
        {
            let has_fma = std::arch::is_x86_feature_detected!("fma");
            if has_fma && std::arch::is_x86_feature_detected!("avx512f") {
                return Kernel::Avx512;
            }
            if has_fma && std::arch::is_x86_feature_detected!("avx2") {
                return Kernel::Avx2;
            }
        }
        Kernel::Plain
    }

    /// As many as their sums fill the registers.
    fn rows_at_once(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => 8,
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => 3,
            Kernel::Plain => 1,
        }
    }

    fn run(self, operands: &Operands) -> Line {
        match self {
            // SAFETY: `of_this_processor` has asked the processor for these instructions.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => unsafe { sums_avx512(operands) },
            // SAFETY: the same.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => unsafe { sums_avx2(operands) },
            Kernel::Plain => sums::<1, false>(operands),
        }
    }
}

/// The rows of a group: those beyond the last row are 0, and so are their residuals.
#[inline(always)]
fn base_of<const ROWS: usize>(operands: &Operands, first: usize) -> [Line; ROWS] {
    let line = |row: usize| operands.base.and_then(|base| base.get(first + row)).copied();
    std::array::from_fn(|row| line(row).unwrap_or([0.0; WIDTH]))
}

#[inline(always)]
fn weight_of(operands: &Operands, row: usize) -> f64 {
    operands.weights.map_or(1.0, |weights| weights.get(row).copied().unwrap_or(0.0))
}

/// Written out, since from loops the compiler makes sums that live in memory.
#[cfg(target_arch = "x86_64")]
#[expect(clippy::needless_range_loop, reason = "counts that are fixed keep the sums in registers")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn sums_avx512(operands: &Operands) -> Line {
    use std::arch::x86_64::{__m512d, _mm512_storeu_pd};
    use std::arch::x86_64::{_mm512_fmadd_pd, _mm512_loadu_pd, _mm512_mul_pd, _mm512_set1_pd, _mm512_setzero_pd};
    const ROWS: usize = 8;
    let k = operands.right.len();
    let left = operands.left.as_chunks::<ROWS>().0;
    // SAFETY: a line holds 16 numbers, two registers full.
    let load = |line: &Line| unsafe { [_mm512_loadu_pd(line.as_ptr()), _mm512_loadu_pd(line.as_ptr().add(8))] };
    let mut sums = [_mm512_setzero_pd(); 2];
    for group in 0..operands.n.div_ceil(ROWS) {
        let first = group * ROWS;
        let base = base_of::<ROWS>(operands, first);
        let mut residuals: [[__m512d; 2]; ROWS] = [[_mm512_setzero_pd(); 2]; ROWS];
        for row in 0..ROWS {
            residuals[row] = load(&base[row]);
        }
        for (left, right) in left[group * k..(group + 1) * k].iter().zip(operands.right) {
            let right = load(right);
            for row in 0..ROWS {
                let left = _mm512_set1_pd(left[row]);
                residuals[row][0] = _mm512_fmadd_pd(left, right[0], residuals[row][0]);
                residuals[row][1] = _mm512_fmadd_pd(left, right[1], residuals[row][1]);
            }
        }
        for row in 0..ROWS {
            let weight = _mm512_set1_pd(weight_of(operands, first + row));
            for half in 0..2 {
                let residual = _mm512_mul_pd(residuals[row][half], weight);
                sums[half] = _mm512_fmadd_pd(residual, residual, sums[half]);
            }
        }
    }
    let mut line = [0.0; WIDTH];
    // SAFETY: as above.
    unsafe {
        _mm512_storeu_pd(line.as_mut_ptr(), sums[0]);
        _mm512_storeu_pd(line.as_mut_ptr().add(8), sums[1]);
    }
    line
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn sums_avx2(operands: &Operands) -> Line {
    sums::<3, true>(operands)
}

#[inline(always)]
fn sums<const ROWS: usize, const FUSED: bool>(operands: &Operands) -> Line {
    let k = operands.right.len();
    let left = operands.left.as_chunks::<ROWS>().0;
    let mut sums = [0.0; WIDTH];
    for group in 0..operands.n.div_ceil(ROWS) {
        let first = group * ROWS;
        let start = base_of::<ROWS>(operands, first);
        let residuals = add_products::<ROWS, FUSED>(start, &left[group * k..(group + 1) * k], operands.right);
        for (row, residuals) in residuals.iter().enumerate() {
            let weight = weight_of(operands, first + row);
            for column in 0..WIDTH {
                let residual = residuals[column] * weight;
                sums[column] += residual * residual;
            }
        }
    }
    sums
}

/// By value, so that the sums stay in registers.
#[inline(always)]
fn add_products<const ROWS: usize, const FUSED: bool>(
    start: [Line; ROWS],
    left: &[[f64; ROWS]],
    right: &[Line],
) -> [Line; ROWS] {
    let mut sums = start;
    for (left, right) in left.iter().zip(right) {
        for row in 0..ROWS {
            for column in 0..WIDTH {
                sums[row][column] = match FUSED {
                    true => left[row].mul_add(right[column], sums[row][column]),
                    false => sums[row][column] + left[row] * right[column],
                };
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ArrayView2};

    use super::{Kernel, Operands, Panels, WIDTH, residual_squares, sums};
    use crate::testing::noise;

    fn slow(base: Option<&Array2<f64>>, left: ArrayView2<f64>, right: ArrayView2<f64>, weights: &[f64]) -> Vec<f64> {
        let one = |i: usize, j: usize| {
            let product: f64 = (0..left.ncols()).map(|k| left[(i, k)] * right[(k, j)]).sum();
            (weights[i] * (base.map_or(0.0, |base| base[(i, j)]) + product)).powi(2)
        };
        (0..right.ncols()).map(|j| (0..left.nrows()).map(|i| one(i, j)).sum()).collect()
    }

    #[test]
    fn agrees_with_three_loops_at_all_edges() {
        for n in [0, 1, 2, 3, 7, 8, 9, 40] {
            for m in [0, 1, WIDTH - 1, WIDTH, WIDTH + 1, 50] {
                for k in [0, 1, 5] {
                    let (base, left, right) = (noise::<f64>(n, m, 1), noise::<f64>(n, k, 2), noise::<f64>(k, m, 3));
                    let weights: Vec<f64> = (0..n).map(|i| 1.0 + i as f64).collect();
                    let ones = vec![1.0; n];
                    let panels = Panels::new(base.view());
                    for (base, panels) in [(None, None), (Some(&base), Some(&panels))] {
                        for (given, weights) in [(Some(weights.as_slice()), &weights), (None, &ones)] {
                            let fast = residual_squares(panels, left.view(), right.view(), given);
                            let slow = slow(base, left.view(), right.view(), weights);
                            assert_eq!(fast.len(), m);
                            assert!(fast.iter().zip(&slow).all(|(a, b)| (a - b).abs() <= 1e-13 * b), "{n} {k} {m}");
                        }
                    }
                    let turned = left.t().to_owned();
                    let other = residual_squares(None, turned.t(), right.view(), None);
                    assert_eq!(other, residual_squares(None, left.view(), right.view(), None));
                }
            }
        }
    }

    #[test]
    fn every_kind_of_processor_gives_the_same_but_for_rounding() {
        let (left, right) = (noise::<f64>(25, 6, 2), noise::<f64>(6, WIDTH, 3));
        let expected = slow(None, left.view(), right.view(), &[1.0; 25]);
        let right = Panels::new(right.view());
        let close = |found: [f64; WIDTH]| found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-14 * b);
        let flat: Vec<f64> = left.iter().copied().collect();
        assert!(close(sums::<1, false>(&Operands {
            base: None,
            left: &flat,
            right: right.panel(0),
            weights: None,
            n: 25
        })));
        let mut by_three = vec![0.0; 9 * 6 * 3];
        for ((i, k), &value) in left.indexed_iter() {
            by_three[(i / 3 * 6 + k) * 3 + i % 3] = value;
        }
        let operands = Operands { base: None, left: &by_three, right: right.panel(0), weights: None, n: 25 };
        assert!(close(sums::<3, true>(&operands)));
        assert!(Kernel::of_this_processor().rows_at_once() > 0);
    }

    #[test]
    fn chosen_columns_are_those_of_the_matrix() {
        let matrix = noise::<f64>(7, 40, 1);
        let panels = Panels::new(matrix.view());
        for columns in [vec![], vec![39], vec![17, 3, 3, 16], (0..40).rev().collect()] {
            let chosen = matrix.select(ndarray::Axis(1), &columns);
            assert_eq!(panels.columns(&columns), Panels::new(chosen.view()));
        }
        assert_eq!(Panels::new(Array2::zeros((0, 3)).view()).columns(&[2]).n_columns, 1);
    }

    #[test]
    fn nan_stays_in_its_column() {
        let mut base = noise::<f64>(10, 20, 1);
        base[(4, 7)] = f64::NAN;
        let sums =
            residual_squares(Some(&Panels::new(base.view())), noise(10, 3, 2).view(), noise(3, 20, 3).view(), None);
        assert!(sums.iter().enumerate().all(|(column, sum)| sum.is_nan() == (column == 7)));
    }
}
