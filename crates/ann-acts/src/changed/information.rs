//! What a layer's activations still say about the pictures: units that do not move, and the geometry of patterns.

use linear_algebra::gram;
use ndarray::{Array2, ArrayView2, Axis};

/// Distances of fewer pairs than this are not compared.
const FEWEST_PAIRS: usize = 20;

/// A bound that activations stop at is met by at least this share of all values.
const SHARE_AT_BOUND: f64 = 0.01;

/// A deviation below this share of the largest value is rounding of f4.
const ROUNDING: f64 = 1e-6;

/// What one layer says about some pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct Information {
    /// Every value is finite.
    pub is_finite: bool,
    /// Share of units with one value for all pictures, the layer's upper bound aside.
    pub dead: f64,
    /// Share of units that are at the layer's upper bound for at least half of the pictures.
    pub saturated: f64,
    /// Root mean square of all values.
    pub rms: f64,
    /// Root mean square of the units' deviations from their means over the pictures, over `rms`: what is not the same
    /// for every picture.
    pub variation: f64,
    /// How the patterns differ; `None` for fewer than three pictures with a pattern.
    pub geometry: Option<Geometry>,
}

/// 1 - Pearson correlation of the patterns of every pair of pictures, each unit centred over the pictures first: what
/// is the same for all of them, such as a table of positions, is no information about any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// Pictures whose pattern is not constant.
    pub n_patterns: usize,
    /// Mean within and between categories, and their difference in standard deviations of all distances.
    pub categories: Option<Categories>,
    /// Effective dimension: (sum of eigenvalues)^2 / sum of their squares, of the doubly centred matrix. `n - 1` where
    /// every picture is as far from every other, 1 where they lie on a line.
    pub dimension: f64,
}

/// Distances within and between categories.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Categories {
    /// Mean within categories.
    pub within: f64,
    /// Mean between them.
    pub between: f64,
    /// (between - within) / standard deviation of all distances.
    pub gap: f64,
    /// Pairs within categories; the gap of patterns without categories has a standard error of about 1 / sqrt of it.
    pub n_within: usize,
}

impl Information {
    /// Of `rows`, a picture each; `categories` says which category each belongs to, where that is known.
    pub fn of(rows: ArrayView2<f64>, categories: Option<&[usize]>) -> Self {
        let (n, n_units) = rows.dim();
        let all = (n * n_units).max(1) as f64;
        let is_finite = rows.iter().all(|v| v.is_finite());
        let top = rows.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let at_top = rows.iter().filter(|&&v| v == top).count() as f64 / all;
        let is_bound = at_top >= SHARE_AT_BOUND && rows.iter().any(|&v| v != top);
        let (mut dead, mut saturated) = (0usize, 0usize);
        for unit in rows.columns() {
            let first = unit[0];
            if is_bound && 2 * unit.iter().filter(|&&v| v == top).count() >= n {
                saturated += 1;
            } else if unit.iter().all(|&v| v == first) {
                dead += 1;
            }
        }
        let share = |count: usize| count as f64 / n_units.max(1) as f64;
        let rms = (rows.iter().map(|v| v * v).sum::<f64>() / all).sqrt();
        let mut centred = rows.to_owned();
        for mut unit in centred.columns_mut() {
            let mean = unit.sum() / n.max(1) as f64;
            unit.mapv_inplace(|v| v - mean);
        }
        let variation = (centred.iter().map(|v| v * v).sum::<f64>() / all).sqrt() / rms;
        let largest = rows.iter().fold(0.0f64, |most, v| most.max(v.abs()));
        let geometry = if is_finite { Geometry::of(centred, largest, categories) } else { None };
        Self { is_finite, dead: share(dead), saturated: share(saturated), rms, variation, geometry }
    }

    /// Share of units that do not move.
    pub fn stuck(&self) -> f64 {
        self.dead + self.saturated
    }
}

impl Geometry {
    /// Of centred patterns in rows; those that are constant to within what rounding of values up to `largest` leaves
    /// have no direction and are left out.
    fn of(patterns: Array2<f64>, largest: f64, categories: Option<&[usize]>) -> Option<Self> {
        let mut kept = Vec::new();
        let mut directions = Array2::zeros((0, patterns.ncols()));
        for (i, row) in patterns.rows().into_iter().enumerate() {
            let mean = row.mean()?;
            let pattern = row.mapv(|v| v - mean);
            let norm = pattern.iter().map(|v| v * v).sum::<f64>().sqrt();
            if norm > ROUNDING * largest * (row.len() as f64).sqrt() {
                directions.push_row((pattern / norm).view()).ok()?;
                kept.push(i);
            }
        }
        let n = kept.len();
        if n < 3 {
            return None;
        }
        let r = gram(directions.view()).to_array();
        let mut pairs = Pairs::default();
        let (mut within, mut between) = (Pairs::default(), Pairs::default());
        for i in 0..n {
            for j in 0..i {
                let distance = 1.0 - r[[i, j]];
                pairs.add(distance);
                if let Some(of) = categories {
                    if of[kept[i]] == of[kept[j]] { within.add(distance) } else { between.add(distance) }
                }
            }
        }
        let sd = pairs.sd();
        let enough = within.n.min(between.n) >= FEWEST_PAIRS && sd > 0.0;
        let categories = enough.then(|| Categories {
            within: within.mean(),
            between: between.mean(),
            gap: (between.mean() - within.mean()) / sd,
            n_within: within.n,
        });
        Some(Self { n_patterns: n, categories, dimension: effective_dimension(r)? })
    }
}

/// (trace)^2 / (sum of squares) of a matrix of products of unit vectors, doubly centred.
fn effective_dimension(mut products: Array2<f64>) -> Option<f64> {
    let columns = products.mean_axis(Axis(0))?;
    let all = columns.mean()?;
    for ((i, j), value) in products.indexed_iter_mut() {
        *value += all - columns[i] - columns[j];
    }
    let trace: f64 = products.diag().sum();
    let squares: f64 = products.iter().map(|v| v * v).sum();
    (squares > 0.0).then(|| trace * trace / squares)
}

#[derive(Default)]
struct Pairs {
    n: usize,
    sum: f64,
    squares: f64,
}

impl Pairs {
    fn add(&mut self, distance: f64) {
        self.n += 1;
        self.sum += distance;
        self.squares += distance * distance;
    }

    fn mean(&self) -> f64 {
        self.sum / self.n as f64
    }

    fn sd(&self) -> f64 {
        (self.squares / self.n as f64 - self.mean().powi(2)).max(0.0).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn units_that_do_not_move() {
        // Upper bound 6: the first unit is there for two of three pictures, the second always; the third is dead.
        let rows = array![[6.0, 6.0, 0.0, 1.0], [6.0, 6.0, 0.0, 2.0], [1.0, 6.0, 0.0, 4.0]];
        let information = Information::of(rows.view(), None);
        assert_eq!((information.saturated, information.dead, information.stuck()), (0.5, 0.25, 0.75));
        assert!((information.rms - (202.0f64 / 12.0).sqrt()).abs() < 1e-12);
        // Without a bound the largest value is just a value.
        let free = Information::of(array![[1.0, 3.0], [2.0, 3.0], [5.0, 3.0]].view(), None);
        assert_eq!((free.saturated, free.dead), (0.0, 0.5));
        let still = Information::of(Array2::from_elem((4, 3), 2.0).view(), None);
        assert_eq!((still.saturated, still.dead, still.geometry), (0.0, 1.0, None));
        assert!(!Information::of(array![[f64::NAN], [1.0]].view(), None).is_finite);
    }

    fn geometry(rows: &Array2<f64>, categories: Option<&[usize]>) -> Option<Geometry> {
        Information::of(rows.view(), categories).geometry
    }

    #[test]
    fn dimension_is_the_number_of_directions() {
        // Equally far from each other: as many as can be. Unit vectors of 8 axes, as patterns.
        let all_apart = geometry(&Array2::eye(8), None).unwrap();
        assert!((all_apart.dimension - 7.0).abs() < 1e-9, "{}", all_apart.dimension);
        // Two patterns, each shown eight times: a line.
        let two = Array2::from_shape_fn((16, 4), |(i, j)| if (i < 8) == (j < 2) { 1.0 } else { 0.0 });
        let of = [[0; 8], [1; 8]].concat();
        let line = geometry(&two, Some(&of)).unwrap();
        assert!((line.dimension - 1.0).abs() < 1e-9);
        let categories = line.categories.unwrap();
        assert!(categories.within.abs() < 1e-12 && (categories.between - 2.0).abs() < 1e-12);
        // 56 pairs at 0 and 64 at 2: sd 2 sqrt(7/15 * 8/15).
        assert!((categories.gap - 1.0 / (56.0f64 / 225.0).sqrt()).abs() < 1e-9);
        assert_eq!(categories.n_within, 56);
        // What is the same for all pictures changes nothing, but for what it is in itself.
        let placed = &two + &ndarray::array![[5.0, -700.0, 20.0, 3.0]];
        assert!((geometry(&placed, Some(&of)).unwrap().categories.unwrap().gap - categories.gap).abs() < 1e-9);
        assert!(Information::of(placed.view(), None).variation < 0.01);
        // Patterns that differ by rounding alone are one pattern.
        let rounded =
            Array2::from_shape_fn((16, 4), |(i, j)| (j as f64 + 1.0) * (1.0 + 1e-8 * ((i * 7 + j) % 5) as f64));
        assert_eq!(geometry(&rounded, None), None);
    }
}
