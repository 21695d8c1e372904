//! The voxels around a voxel, for searchlights.

use crate::Geometry;

/// How a radius is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Radius {
    /// In voxels, whatever their size: rsatoolbox's, but that a voxel at exactly this distance belongs.
    Voxels(f64),
    /// In millimetres, by the affine.
    Millimetres(f64),
}

/// Steps (i, j, k) from a voxel to every voxel not farther than `radius`, itself included, in the order of voxel
/// numbers.
///
/// ```
/// use brain_formats::Geometry;
/// use brain_formats::sphere::{Radius, steps_within};
/// let grid = Geometry::from_sizes([9, 9, 9], [2.0, 2.0, 4.0]);
/// assert_eq!(steps_within(&grid, Radius::Voxels(1.0)).len(), 7);
/// // one voxel along k is 4 mm
/// assert_eq!(steps_within(&grid, Radius::Millimetres(2.0)).len(), 5);
/// ```
pub fn steps_within(grid: &Geometry, radius: Radius) -> Vec<[isize; 3]> {
    // Squared length of a step: a' M a, with M = I or (affine' affine).
    let metric: [[f64; 3]; 3] = match radius {
        Radius::Voxels(_) => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        Radius::Millimetres(_) => {
            [0, 1, 2].map(|a| [0, 1, 2].map(|b| grid.affine.iter().map(|row| row[a] * row[b]).sum()))
        }
    };
    let (Radius::Voxels(r) | Radius::Millimetres(r)) = radius;
    // No step is longer than the grid, nor than the radius allows along its axis: r times the length of the axis' row
    // in the inverse of the affine.
    let widths = match radius {
        Radius::Voxels(_) => [1.0; 3],
        Radius::Millimetres(_) => inverse_row_lengths(grid),
    };
    let most = [0, 1, 2].map(|axis| {
        let reach = (r * widths[axis] * (1.0 + 1e-6)).floor();
        // A reach that is not finite (an affine that flattens the grid) is the whole grid.
        if reach < grid.shape[axis] as f64 { reach as isize } else { grid.shape[axis] as isize - 1 }
    });
    // Rounding of an f4 affine must not decide whether a voxel at exactly the radius belongs.
    let limit = r * r * (1.0 + 1e-6);
    let mut steps = Vec::new();
    for i in -most[0]..=most[0] {
        for j in -most[1]..=most[1] {
            for k in -most[2]..=most[2] {
                let step = [i as f64, j as f64, k as f64];
                let squared: f64 = (0..3).map(|a| (0..3).map(|b| step[a] * metric[a][b] * step[b]).sum::<f64>()).sum();
                if squared <= limit {
                    steps.push([i, j, k]);
                }
            }
        }
    }
    steps
}

/// Lengths of the rows of the inverse of the affine's 3 x 3 part: how many voxels a millimetre can be, per axis.
fn inverse_row_lengths(grid: &Geometry) -> [f64; 3] {
    let column = |axis: usize| [0, 1, 2].map(|row| grid.affine[row][axis]);
    let cross =
        |a: [f64; 3], b: [f64; 3]| [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    [0, 1, 2].map(|axis| {
        let normal = cross(column((axis + 1) % 3), column((axis + 2) % 3));
        let volume = dot(normal, column(axis)).abs();
        if volume > 0.0 { dot(normal, normal).sqrt() / volume } else { f64::INFINITY }
    })
}

/// The numbers of the voxels at these steps from a centre, rising, without those outside the grid.
pub fn around(grid: &Geometry, centre: usize, steps: &[[isize; 3]]) -> Vec<usize> {
    let from = grid.place(centre);
    let inside =
        |axis: usize, step: isize| from[axis].checked_add_signed(step).filter(|&place| place < grid.shape[axis]);
    steps.iter().filter_map(|s| Some(grid.voxel([inside(0, s[0])?, inside(1, s[1])?, inside(2, s[2])?]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ball_of_radius_3_has_123_voxels() {
        let grid = Geometry::from_sizes([20, 20, 20], [3.0; 3]);
        let steps = steps_within(&grid, Radius::Voxels(3.0));
        assert_eq!(steps.len(), 123);
        assert_eq!(steps, steps_within(&grid, Radius::Millimetres(9.0)));
        assert_eq!(steps_within(&grid, Radius::Voxels(0.5)), [[0, 0, 0]]);
    }

    #[test]
    fn a_sphere_stops_at_the_edge_of_the_grid() {
        let grid = Geometry::from_sizes([3, 4, 5], [1.0; 3]);
        let steps = steps_within(&grid, Radius::Voxels(1.0));
        assert_eq!(around(&grid, 0, &steps), [0, 1, 5, 20]);
        let middle = grid.voxel([1, 1, 1]);
        let found = around(&grid, middle, &steps);
        assert_eq!(found, [middle - 20, middle - 5, middle - 1, middle, middle + 1, middle + 5, middle + 20]);
    }

    #[test]
    fn millimetres_follow_a_sheared_affine() {
        let mut grid = Geometry::from_sizes([9, 9, 9], [2.0; 3]);
        grid.affine = [[2.0, 1.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]];
        let steps = steps_within(&grid, Radius::Millimetres(2.1));
        for step in &steps {
            let mm: f64 = grid.affine.iter().map(|r| (0..3).map(|a| r[a] * step[a] as f64).sum::<f64>().powi(2)).sum();
            assert!(mm <= 2.1f64.powi(2), "{step:?}");
        }
        // Along j a step is sqrt(5) mm; i or k alone is 2.
        assert_eq!(steps.len(), 5);
    }
}
