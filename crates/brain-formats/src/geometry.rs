//! Where the voxels of an image are: its shape, its affine, and the one voxel order of these tools.
//!
//! A voxel has a place in the grid, (i, j, k) counted from 0, and a flat number
//! `voxel = (i * ny + j) * nz + k`: C order of the (i, j, k) array, the order of
//! `nibabel.load(f).get_fdata().reshape(-1)`. The file itself stores i fastest; nothing outside
//! [`crate::volume`] ever sees that order.

use std::fmt;

use thiserror::Error;

/// Two affines are the same when no entry differs by more than this (mm): rounding of a quaternion
/// to f4 moves a far corner by about 1e-4 mm, a real shift is a visible part of a voxel.
pub const AFFINE_TOLERANCE_MM: f64 = 1e-3;

/// What can be wrong with a header's geometry.
#[derive(Debug, Error, PartialEq)]
pub enum GeometryError {
    /// The affine holds NaN or infinity.
    #[error("the affine has a value that is not finite: {0:?}")]
    NotFinite([[f64; 4]; 3]),
    /// A rotation stored as b, c, d whose squares add up to more than 1.
    #[error("the qform quaternion (b {b}, c {c}, d {d}) is longer than 1")]
    Quaternion {
        /// Quaternion b.
        b: f64,
        /// Quaternion c.
        c: f64,
        /// Quaternion d.
        d: f64,
    },
    /// A voxel size below 0 beside a qform.
    #[error("voxel size {0} is negative; a qform needs sizes of 0 or more")]
    NegativeSize(f64),
    /// A side of the third axis that readers take differently.
    #[error("pixdim[0] is {0}; beside a qform it is 1 or -1 (or 0, which means 1)")]
    Side(f64),
}

/// Shape and position of one three-dimensional grid of voxels.
#[derive(Debug, Clone, PartialEq)]
pub struct Geometry {
    /// Number of voxels along i, j and k.
    pub shape: [usize; 3],
    /// The first three rows of the affine: (i, j, k, 1) to millimetres (x right, y front, z up).
    pub affine: [[f64; 4]; 3],
    /// NIFTI_XFORM code of that affine: 1 scanner, 2 aligned, 3 Talairach, 4 MNI; 0 where a NIfTI file has neither
    /// sform nor qform, so that nothing says which way its axes run ([`Geometry::from_sizes`] is a guess).
    pub space: i16,
}

impl Geometry {
    /// Number of voxels in the grid.
    pub fn n_voxels(&self) -> usize {
        self.shape.iter().product()
    }

    /// Flat number of a voxel.
    ///
    /// ```
    /// # use brain_formats::geometry::Geometry;
    /// let grid = Geometry::from_sizes([2, 3, 4], [1.0, 1.0, 1.0]);
    /// assert_eq!(grid.voxel([1, 2, 3]), (1 * 3 + 2) * 4 + 3);
    /// assert_eq!(grid.place(23), [1, 2, 3]);
    /// ```
    pub fn voxel(&self, [i, j, k]: [usize; 3]) -> usize {
        (i * self.shape[1] + j) * self.shape[2] + k
    }

    /// Grid place (i, j, k) of a flat number; the inverse of [`Geometry::voxel`].
    pub fn place(&self, voxel: usize) -> [usize; 3] {
        let [_, ny, nz] = self.shape;
        [voxel / (ny * nz), voxel / nz % ny, voxel % nz]
    }

    /// Millimetres of a voxel's centre.
    pub fn millimetres(&self, place: [usize; 3]) -> [f64; 3] {
        let [i, j, k] = place.map(|index| index as f64);
        self.affine.map(|row| row[0] * i + row[1] * j + row[2] * k + row[3])
    }

    /// Edge lengths of a voxel in mm: the lengths of the affine's columns.
    pub fn sizes(&self) -> [f64; 3] {
        [0, 1, 2].map(|axis| self.affine.iter().map(|row| row[axis] * row[axis]).sum::<f64>().sqrt())
    }

    /// The geometry of a file that states only voxel sizes: the centre of the grid is (0, 0, 0) and x falls with i,
    /// as nibabel reads such files.
    ///
    /// ```
    /// # use brain_formats::geometry::Geometry;
    /// let grid = Geometry::from_sizes([3, 5, 7], [3.0, 2.0, 1.0]);
    /// assert_eq!(grid.millimetres([0, 0, 0]), [3.0, -4.0, -3.0]);
    /// ```
    pub fn from_sizes(shape: [usize; 3], sizes: [f64; 3]) -> Self {
        let mut affine = [[0.0; 4]; 3];
        for axis in 0..3 {
            let step = if axis == 0 { -sizes[axis] } else { sizes[axis] };
            affine[axis][axis] = step;
            affine[axis][3] = -step * (shape[axis] as f64 - 1.0) / 2.0;
        }
        Geometry { shape, affine, space: 2 }
    }

    /// Refuses an affine with NaN or infinity in it.
    pub fn checked(self) -> Result<Self, GeometryError> {
        if self.affine.iter().flatten().all(|value| value.is_finite()) {
            Ok(self)
        } else {
            Err(GeometryError::NotFinite(self.affine))
        }
    }

    /// Whether both grids have the same shape, and the same affine within [`AFFINE_TOLERANCE_MM`].
    pub fn agrees_with(&self, other: &Geometry) -> bool {
        let mut entries = self.affine.iter().flatten().zip(other.affine.iter().flatten());
        self.shape == other.shape && entries.all(|(mine, theirs)| (mine - theirs).abs() <= AFFINE_TOLERANCE_MM)
    }
}

impl fmt::Display for Geometry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [nx, ny, nz] = self.shape;
        let [x, y, z] = &self.affine;
        write!(out, "{nx}x{ny}x{nz} voxels with affine {x:?} {y:?} {z:?}")
    }
}

/// Voxel sizes as NIfTI's C library and nibabel take them: 0 says nothing, so it is 1.
pub fn usable_sizes(sizes: [f64; 3]) -> [f64; 3] {
    sizes.map(|size| if size == 0.0 { 1.0 } else { size })
}

/// The side of the third axis that `pixdim[0]` states: -1, or 1 for anything that is not negative. Other negative
/// numbers are -1 to NIfTI's C library and 1 to nibabel.
pub fn qfac(stated: f64) -> Result<f64, GeometryError> {
    if stated == -1.0 {
        Ok(-1.0)
    } else if stated < 0.0 {
        Err(GeometryError::Side(stated))
    } else {
        Ok(1.0)
    }
}

/// Roundings by which the squares of a unit quaternion may miss 1 (nibabel's `quaternion_threshold`).
const ROUNDINGS: f64 = 3.0;

/// The affine of a qform: rotation by the unit quaternion (a, b, c, d) with a >= 0, times the voxel sizes, the third
/// one by `qfac` (+1 or -1), then the offset.
///
/// The NIfTI-1 header definition (Cox and others, 2003), method 2. Only b, c and d are stored, and a is the root of
/// what their squares leave of 1. Near a half turn that is rounding, whose root would turn the image by up to 6e-4 (.09
/// mm at a distance of 150 mm), so there a is 0, as in nibabel; NIfTI's C library does the same below 1e-7.
pub fn quaternion_affine(
    [b, c, d]: [f64; 3],
    offset: [f64; 3],
    sizes: [f64; 3],
    qfac: f64,
) -> Result<[[f64; 4]; 3], GeometryError> {
    if let Some(&size) = sizes.iter().find(|&&size| size < 0.0) {
        return Err(GeometryError::NegativeSize(size));
    }
    let a_squared = 1.0 - (b * b + c * c + d * d);
    // NIfTI-1 stores f4; NIfTI-2 stores f8, into which numbers that were f4 are often copied.
    let were_f4 = [b, c, d].iter().all(|&part| f64::from(part as f32) == part);
    let epsilon = if were_f4 { f64::from(f32::EPSILON) } else { f64::EPSILON };
    if a_squared < -ROUNDINGS * f64::from(f32::EPSILON) || a_squared.is_nan() {
        return Err(GeometryError::Quaternion { b, c, d });
    }
    let mut a = if a_squared < ROUNDINGS * epsilon { 0.0 } else { a_squared.sqrt() };
    let (mut b, mut c, mut d) = (b, c, d);
    let length = (a * a + b * b + c * c + d * d).sqrt();
    for part in [&mut a, &mut b, &mut c, &mut d] {
        *part /= length;
    }
    let rotation = [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ];
    let steps = [sizes[0], sizes[1], sizes[2] * qfac];
    let mut affine = [[0.0; 4]; 3];
    for row in 0..3 {
        for column in 0..3 {
            affine[row][column] = rotation[row][column] * steps[column];
        }
        affine[row][3] = offset[row];
    }
    Ok(affine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_voxel_number_comes_back() {
        let grid = Geometry::from_sizes([3, 1, 4], [1.0; 3]);
        let numbers: Vec<usize> = (0..grid.n_voxels()).map(|voxel| grid.voxel(grid.place(voxel))).collect();
        assert_eq!(numbers, (0..12).collect::<Vec<_>>());
        // k is fastest: the second voxel is one step along k.
        assert_eq!(grid.place(1), [0, 0, 1]);
    }

    #[test]
    fn a_half_turn_about_x_flips_y_and_z() {
        let affine = quaternion_affine([1.0, 0.0, 0.0], [5.0, 6.0, 7.0], [2.0, 3.0, 4.0], 1.0).unwrap();
        assert_eq!(affine, [[2.0, 0.0, 0.0, 5.0], [0.0, -3.0, 0.0, 6.0], [0.0, 0.0, -4.0, 7.0]]);
    }

    #[test]
    fn a_quarter_turn_about_z_sends_i_along_y() {
        let half = 0.5f64.sqrt();
        let affine = quaternion_affine([0.0, 0.0, half], [0.0; 3], [2.0, 3.0, 4.0], -1.0).unwrap();
        let expected = [[0.0, -3.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0], [0.0, 0.0, -4.0, 0.0]];
        for (row, wanted) in affine.iter().flatten().zip(expected.iter().flatten()) {
            assert!((row - wanted).abs() < 1e-12, "{affine:?}");
        }
    }

    #[test]
    fn near_a_half_turn_what_rounding_leaves_is_no_turn() {
        // A half turn about (1, 1, 0), its quaternion rounded to f4: the squares miss 1 by 1.4e-8.
        let part = f64::from(0.5f64.sqrt() as f32);
        let affine = quaternion_affine([part, part, 0.0], [0.0; 3], [1.0; 3], 1.0).unwrap();
        let expected = [[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0]];
        for (entry, wanted) in affine.iter().flatten().zip(expected.iter().flatten()) {
            assert!((entry - wanted).abs() < 1e-15, "{affine:?}");
        }
        // In f8 the same distance from 1 is a turn that was meant.
        let b = (1.0f64 - 1e-8).sqrt();
        let affine = quaternion_affine([b, 0.0, 0.0], [0.0; 3], [1.0; 3], 1.0).unwrap();
        assert!((affine[1][2] + 2e-4).abs() < 1e-10, "{affine:?}");
    }

    #[test]
    fn sides_and_sizes_that_say_nothing_are_1() {
        assert_eq!((qfac(0.0), qfac(4.0), qfac(-1.0)), (Ok(1.0), Ok(1.0), Ok(-1.0)));
        assert_eq!(qfac(-2.0), Err(GeometryError::Side(-2.0)));
        assert_eq!(usable_sizes([0.0, -2.0, 3.0]), [1.0, -2.0, 3.0]);
    }

    #[test]
    fn refuses_a_quaternion_longer_than_one() {
        assert!(matches!(
            quaternion_affine([1.0, 0.1, 0.0], [0.0; 3], [1.0; 3], 1.0),
            Err(GeometryError::Quaternion { .. })
        ));
    }

    #[test]
    fn a_shift_of_a_hundredth_of_a_millimetre_is_another_geometry() {
        let grid = Geometry::from_sizes([2, 2, 2], [3.0; 3]);
        let mut shifted = grid.clone();
        shifted.affine[1][3] += 0.0005;
        assert!(grid.agrees_with(&shifted));
        shifted.affine[1][3] += 0.01;
        assert!(!grid.agrees_with(&shifted));
        assert!(!grid.agrees_with(&Geometry::from_sizes([2, 2, 3], [3.0; 3])));
        assert!(format!("{grid}").contains("2x2x2 voxels") && format!("{grid}").contains("[0.0, 3.0, 0.0, -1.5]"));
    }
}
