//! From millimetres of a brain to voxels and to pixels: planes that are cut or looked through, and grids of voxels.
//!
//! Millimetres are x to the right, y to the front, z upwards, as NIfTI has them. A picture of a plane shows x (or y) to
//! the right, unless it is mirrored, and z (or y) upwards: left is left, front is right or up.

/// The axis that a plane is at right angles to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Sagittal: y to the right, z upwards.
    X,
    /// Coronal: x to the right, z upwards.
    Y,
    /// Axial: x to the right, y upwards.
    Z,
}

impl Direction {
    /// Number of its axis: 0, 1, 2.
    pub fn axis(self) -> usize {
        match self {
            Direction::X => 0,
            Direction::Y => 1,
            Direction::Z => 2,
        }
    }

    /// The axes that are drawn to the right and upwards.
    pub fn drawn(self) -> [usize; 2] {
        match self {
            Direction::X => [1, 2],
            Direction::Y => [0, 2],
            Direction::Z => [0, 1],
        }
    }

    /// `x`, `y` or `z`.
    pub fn name(self) -> &'static str {
        ["x", "y", "z"][self.axis()]
    }
}

/// A box in millimetres: the least and the largest x, y and z.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// The least.
    pub lo: [f64; 3],
    /// The largest.
    pub hi: [f64; 3],
}

impl Extent {
    /// What holds all points; `None` where there is none.
    pub fn over(points: impl IntoIterator<Item = [f64; 3]>) -> Option<Extent> {
        points.into_iter().map(|point| Extent { lo: point, hi: point }).reduce(Extent::with)
    }

    /// The box that holds both.
    pub fn with(self, other: Extent) -> Extent {
        Extent {
            lo: std::array::from_fn(|d| self.lo[d].min(other.lo[d])),
            hi: std::array::from_fn(|d| self.hi[d].max(other.hi[d])),
        }
    }
}

/// A picture of a plane of the brain, pixel by pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plane {
    /// What it is at right angles to.
    pub direction: Direction,
    /// Where it is on that axis, in mm.
    pub at: f64,
    /// The least mm of the axes that are drawn, at the edge of the picture.
    pub lo: [f64; 2],
    /// Edge of a pixel in mm.
    pub pixel: f64,
    /// Number of columns and rows.
    pub n: [usize; 2],
    /// Whether the axis to the right runs to the left instead.
    pub mirrored: bool,
}

impl Plane {
    /// The plane over a box, of as many pixels of this size as cover it.
    pub fn over(direction: Direction, at: f64, extent: &Extent, pixel: f64) -> Plane {
        let drawn = direction.drawn();
        // A box of whole pixels gains none by rounding.
        let n = drawn.map(|d| (((extent.hi[d] - extent.lo[d]) / pixel - 1e-6).ceil()).max(1.0) as usize);
        Plane { direction, at, lo: drawn.map(|d| extent.lo[d]), pixel, n, mirrored: false }
    }

    /// Millimetres of the middle of a pixel; columns from the left, rows from above.
    pub fn millimetres(&self, column: usize, row: usize) -> [f64; 3] {
        let [n_columns, n_rows] = self.n;
        let along = if self.mirrored { n_columns - 1 - column } else { column };
        let mut mm = [0.0; 3];
        let [right, up] = self.direction.drawn();
        mm[self.direction.axis()] = self.at;
        mm[right] = self.lo[0] + (along as f64 + 0.5) * self.pixel;
        mm[up] = self.lo[1] + ((n_rows - 1 - row) as f64 + 0.5) * self.pixel;
        mm
    }

    /// Where a point of the brain is in the picture, in pixels from its upper left corner.
    pub fn place(&self, mm: [f64; 3]) -> [f64; 2] {
        let [right, up] = self.direction.drawn();
        let along = (mm[right] - self.lo[0]) / self.pixel;
        let [n_columns, n_rows] = self.n.map(|n| n as f64);
        [if self.mirrored { n_columns - along } else { along }, n_rows - (mm[up] - self.lo[1]) / self.pixel]
    }

    /// All pixels, row by row, as their millimetres.
    pub fn pixels(&self) -> impl Iterator<Item = [f64; 3]> + '_ {
        let [n_columns, n_rows] = self.n;
        (0..n_rows * n_columns).map(move |k| self.millimetres(k % n_columns, k / n_columns))
    }
}

/// A grid of voxels: voxel (i, j, k) has the number `(i * nj + j) * nk + k` and the middle `affine * (i, j, k, 1)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Lattice {
    shape: [usize; 3],
    affine: [[f64; 4]; 3],
    inverse: [[f64; 4]; 3],
}

impl Lattice {
    /// `affine` holds the first three rows, (i, j, k, 1) to mm; `None` where it flattens the grid and has no inverse.
    pub fn new(shape: [usize; 3], affine: [[f64; 4]; 3]) -> Option<Lattice> {
        let m = affine;
        let minor = |r: usize, c: usize| {
            let ([r1, r2], [c1, c2]) = ([(r + 1) % 3, (r + 2) % 3], [(c + 1) % 3, (c + 2) % 3]);
            m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
        };
        let determinant: f64 = (0..3).map(|c| m[0][c] * minor(0, c)).sum();
        let scale: f64 = (0..3).map(|c| (0..3).map(|r| m[r][c].abs()).fold(0.0, f64::max)).product();
        if !determinant.is_finite() || determinant.abs() <= 1e-9 * scale {
            return None;
        }
        let row = |r: usize| {
            let [a, b, c]: [f64; 3] = std::array::from_fn(|c| minor(c, r) / determinant);
            [a, b, c, -(a * m[0][3] + b * m[1][3] + c * m[2][3])]
        };
        let inverse = std::array::from_fn(row);
        Some(Lattice { shape, affine, inverse })
    }

    /// Where a point is between the middles of the voxels.
    fn within(&self, mm: [f64; 3]) -> [f64; 3] {
        self.inverse.map(|row| row[0] * mm[0] + row[1] * mm[1] + row[2] * mm[2] + row[3])
    }

    /// Millimetres of a voxel's middle, or of a place between voxels.
    pub fn millimetres(&self, at: [f64; 3]) -> [f64; 3] {
        self.affine.map(|row| row[0] * at[0] + row[1] * at[1] + row[2] * at[2] + row[3])
    }

    /// The number of the voxel that a point is in; `None` outside the grid. A point between two is in the one with the
    /// higher index.
    pub fn voxel_at(&self, mm: [f64; 3]) -> Option<usize> {
        let mut number = 0;
        for (d, at) in self.within(mm).into_iter().enumerate() {
            // Rounding of an affine must not decide which of two voxels a point between them is in.
            let index = (at + 0.5 + 1e-7).floor();
            if !(index >= 0.0 && index < self.shape[d] as f64) {
                return None;
            }
            number = number * self.shape[d] + index as usize;
        }
        Some(number)
    }

    /// The value at a point, linear between the middles of eight voxels; NaN beyond the outermost middles, and where
    /// one of the eight that counts is NaN.
    pub fn linear(&self, values: &[f64], mm: [f64; 3]) -> f64 {
        let mut at = self.within(mm);
        let (mut low, mut part) = ([0usize; 3], [0.0; 3]);
        for d in 0..3 {
            let last = self.shape[d] as f64 - 1.0;
            // What rounding puts just outside is on the edge.
            if at[d] > -1e-6 && at[d] < last + 1e-6 {
                at[d] = at[d].clamp(0.0, last);
            } else {
                return f64::NAN;
            }
            low[d] = (at[d] as usize).min(self.shape[d].saturating_sub(2));
            part[d] = at[d] - low[d] as f64;
        }
        let [_, nj, nk] = self.shape;
        let mut sum = 0.0;
        for corner in 0..8usize {
            let up: [usize; 3] = std::array::from_fn(|d| corner >> d & 1);
            let weight: f64 = (0..3).map(|d| if up[d] == 1 { part[d] } else { 1.0 - part[d] }).product();
            if weight > 0.0 {
                sum += weight * values[((low[0] + up[0]) * nj + low[1] + up[1]) * nk + low[2] + up[2]];
            }
        }
        sum
    }

    /// The box around some voxels, to their edges; `None` where there is none.
    pub fn extent_of(&self, inside: impl Fn(usize) -> bool) -> Option<Extent> {
        let [ni, nj, nk] = self.shape;
        let (mut lo, mut hi) = ([usize::MAX; 3], [0; 3]);
        for i in 0..ni {
            for j in 0..nj {
                for k in (0..nk).filter(|k| inside((i * nj + j) * nk + k)) {
                    for (d, at) in [i, j, k].into_iter().enumerate() {
                        lo[d] = lo[d].min(at);
                        hi[d] = hi[d].max(at);
                    }
                }
            }
        }
        if lo[0] == usize::MAX {
            return None;
        }
        let ends = [lo.map(|at| at as f64 - 0.5), hi.map(|at| at as f64 + 0.5)];
        let corner = |c: usize| self.millimetres(std::array::from_fn(|d| ends[c >> d & 1][d]));
        Extent::over((0..8).map(corner))
    }

    /// The shortest edge of a voxel in mm.
    pub fn finest(&self) -> f64 {
        let edge = |c: usize| (0..3).map(|r| self.affine[r][c].powi(2)).sum::<f64>().sqrt();
        (0..3).map(edge).fold(f64::INFINITY, f64::min)
    }

    /// Whether each axis of the grid runs along one of x, y and z.
    pub fn is_upright(&self) -> bool {
        (0..3).all(|c| {
            let column: [f64; 3] = std::array::from_fn(|r| self.affine[r][c].abs());
            let largest = column.into_iter().fold(0.0, f64::max);
            column.into_iter().filter(|v| *v > 1e-4 * largest).count() == 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grids that cover the same corner of space: as it is, x flipped, axes permuted, turned about z by 30 degrees.
    fn lattices() -> [Lattice; 4] {
        let (c, s) = (2.0 * 30f64.to_radians().cos(), 2.0 * 30f64.to_radians().sin());
        [
            Lattice::new([20, 24, 16], [[2.0, 0.0, 0.0, -19.0], [0.0, 2.0, 0.0, -23.0], [0.0, 0.0, 2.0, -15.0]]),
            Lattice::new([20, 24, 16], [[-2.0, 0.0, 0.0, 19.0], [0.0, 2.0, 0.0, -23.0], [0.0, 0.0, 2.0, -15.0]]),
            Lattice::new([16, 20, 24], [[0.0, 2.0, 0.0, -19.0], [0.0, 0.0, 2.0, -23.0], [-2.0, 0.0, 0.0, 15.0]]),
            Lattice::new([40, 40, 16], [[c, -s, 0.0, -15.0], [s, c, 0.0, -60.0], [0.0, 0.0, 2.0, -15.0]]),
        ]
        .map(|lattice| lattice.unwrap())
    }

    #[test]
    fn a_voxel_at_known_millimetres_is_in_the_right_pixel() {
        for (n, lattice) in lattices().into_iter().enumerate() {
            // Right, in front, below: no two axes and no two signs can be exchanged unseen.
            let target = [11.0, 5.0, -7.0];
            let voxel = lattice.voxel_at(target).unwrap();
            let mut values = vec![0.0; lattice.shape.iter().product()];
            values[voxel] = 1.0;
            let extent = Extent { lo: [-20.0, -24.0, -16.0], hi: [20.0, 24.0, 16.0] };
            for direction in [Direction::X, Direction::Y, Direction::Z] {
                for mirrored in [false, true] {
                    let plane = Plane { mirrored, ..Plane::over(direction, target[direction.axis()], &extent, 2.0) };
                    let lit: Vec<usize> = plane
                        .pixels()
                        .enumerate()
                        .filter(|(_, mm)| lattice.voxel_at(*mm).is_some_and(|voxel| values[voxel] == 1.0))
                        .map(|(k, _)| k)
                        .collect();
                    let [x, y] = plane.place(target).map(|v| v as usize);
                    assert!(lit.contains(&(y * plane.n[0] + x)), "{n} {direction:?} {mirrored}: {lit:?} {x} {y}");
                    if n < 3 {
                        assert_eq!(lit.len(), 1, "{n} {direction:?}");
                    }
                }
            }
        }
        // By hand: of 40 mm from -20, x = 11 is in column 15; of 48 mm from above 24, y = 5 is in row 9.
        let extent = Extent { lo: [-20.0, -24.0, -16.0], hi: [20.0, 24.0, 16.0] };
        let axial = Plane::over(Direction::Z, -7.0, &extent, 2.0);
        assert_eq!(axial.n, [20, 24]);
        assert_eq!(axial.place([11.0, 5.0, -7.0]), [15.5, 9.5]);
        assert_eq!(axial.millimetres(15, 9), [11.0, 5.0, -7.0]);
    }

    #[test]
    fn middles_come_back_and_what_is_flat_is_refused() {
        for lattice in lattices() {
            let [ni, nj, nk] = lattice.shape;
            for voxel in (0..ni * nj * nk).step_by(37) {
                let place = [voxel / (nj * nk), voxel / nk % nj, voxel % nk].map(|v| v as f64);
                assert_eq!(lattice.voxel_at(lattice.millimetres(place)), Some(voxel));
            }
            let out = lattice.millimetres([-0.6, 0.0, 0.0]);
            assert_eq!(lattice.voxel_at(out), None);
            assert!((lattice.finest() - 2.0).abs() < 1e-12);
        }
        assert_eq!(lattices().map(|lattice| lattice.is_upright()), [true, true, true, false]);
        assert!(Lattice::new([2, 2, 2], [[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]).is_none());
    }

    #[test]
    fn linear_is_exact_for_a_linear_field_and_nan_outside() {
        for lattice in lattices() {
            let [ni, nj, nk] = lattice.shape;
            let field = |mm: [f64; 3]| 3.0 * mm[0] - 2.0 * mm[1] + mm[2] + 5.0;
            let values: Vec<f64> = (0..ni * nj * nk)
                .map(|v| field(lattice.millimetres([v / (nj * nk), v / nk % nj, v % nk].map(|v| v as f64))))
                .collect();
            for at in [[0.0, 0.0, 0.0], [3.3, 5.1, 7.9], [ni as f64 - 1.0, nj as f64 - 1.0, nk as f64 - 1.0]] {
                let mm = lattice.millimetres(at);
                assert!((lattice.linear(&values, mm) - field(mm)).abs() < 1e-9);
            }
            assert!(lattice.linear(&values, lattice.millimetres([-0.1, 0.0, 0.0])).is_nan());
        }
    }

    #[test]
    fn a_box_reaches_to_the_edges_of_its_voxels() {
        let flipped = &lattices()[1];
        let one = flipped.voxel_at([11.0, 5.0, -7.0]).unwrap();
        let extent = flipped.extent_of(|voxel| voxel == one).unwrap();
        assert_eq!((extent.lo, extent.hi), ([10.0, 4.0, -8.0], [12.0, 6.0, -6.0]));
        assert_eq!(flipped.extent_of(|_| false), None);
    }
}
