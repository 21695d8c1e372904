//! Voxels of a three-dimensional grid: their numbers, their neighbours, and those within a radius.

/// Which voxels count as neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connectivity {
    /// Voxels that share a face (nilearn's and SciPy's default).
    Faces,
    /// Voxels that share a face or an edge (SPM's choice).
    Edges,
    /// Voxels that share a face, an edge or a corner (FSL's choice).
    Corners,
}

impl Connectivity {
    /// The number of neighbours of an inner voxel: 6, 18 or 26.
    pub fn n_neighbours(self) -> usize {
        match self {
            Connectivity::Faces => 6,
            Connectivity::Edges => 18,
            Connectivity::Corners => 26,
        }
    }

    /// Steps (i, j, k) from a voxel to its neighbours, in the order of voxel numbers.
    pub fn steps(self) -> Vec<[isize; 3]> {
        let furthest = match self {
            Connectivity::Faces => 1,
            Connectivity::Edges => 2,
            Connectivity::Corners => 3,
        };
        let mut steps = Vec::with_capacity(self.n_neighbours());
        for i in -1isize..=1 {
            for j in -1isize..=1 {
                for k in -1isize..=1 {
                    let axes_moved = i.abs() + j.abs() + k.abs();
                    if (1..=furthest).contains(&axes_moved) {
                        steps.push([i, j, k]);
                    }
                }
            }
        }
        steps
    }
}

/// Number of the voxel at (i, j, k).
pub fn voxel([_, ny, nz]: [usize; 3], [i, j, k]: [usize; 3]) -> usize {
    (i * ny + j) * nz + k
}

/// Place (i, j, k) of a voxel's number; the inverse of [`voxel`].
pub fn place([_, ny, nz]: [usize; 3], voxel: usize) -> [usize; 3] {
    [voxel / (ny * nz), voxel / nz % ny, voxel % nz]
}

/// Where a step from a place leads, if that is inside the grid.
fn step_inside(shape: [usize; 3], from: [usize; 3], step: [isize; 3]) -> Option<usize> {
    let mut there = [0; 3];
    for axis in 0..3 {
        there[axis] = from[axis].checked_add_signed(step[axis]).filter(|&index| index < shape[axis])?;
    }
    Some(voxel(shape, there))
}

/// The numbers of the voxels at these steps from a centre, in the order of the steps, without those outside the grid.
pub fn around(shape: [usize; 3], centre: usize, steps: &[[isize; 3]]) -> Vec<usize> {
    let from = place(shape, centre);
    steps.iter().filter_map(|&step| step_inside(shape, from, step)).collect()
}

/// Volume of a voxel in mm3, of any affine.
///
/// ```
/// let sheared = [[-2.0, 1.0, 0.0, 9.0], [0.0, 3.0, 0.0, 9.0], [0.0, 0.0, 4.0, 9.0]];
/// assert_eq!(brain_maps::grid::voxel_mm3(&sheared), 24.0);
/// ```
pub fn voxel_mm3([a, b, c]: &Affine) -> f64 {
    let minor = |p: usize, q: usize| b[p] * c[q] - b[q] * c[p];
    (a[0] * minor(1, 2) - a[1] * minor(0, 2) + a[2] * minor(0, 1)).abs()
}

/// How a radius is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Radius {
    /// In voxels, whatever their size: rsatoolbox's, but that a voxel at exactly this distance belongs.
    Voxels(f64),
    /// In millimetres, by the affine.
    Millimetres(f64),
}

/// First three rows of an affine: from (i, j, k, 1) to millimetres.
pub type Affine = [[f64; 4]; 3];

/// Steps (i, j, k) from a voxel to every voxel not farther than `radius`, itself included, in the order of voxel
/// numbers.
///
/// ```
/// use brain_maps::grid::{Radius, steps_within};
/// let affine = [[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 4.0, 0.0]];
/// assert_eq!(steps_within([9, 9, 9], &affine, Radius::Voxels(1.0)).len(), 7);
/// // one voxel along k is 4 mm
/// assert_eq!(steps_within([9, 9, 9], &affine, Radius::Millimetres(2.0)).len(), 5);
/// ```
pub fn steps_within(shape: [usize; 3], affine: &Affine, radius: Radius) -> Vec<[isize; 3]> {
    // Squared length of a step: a' M a, with M = I or (affine' affine).
    let metric: [[f64; 3]; 3] = match radius {
        Radius::Voxels(_) => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        Radius::Millimetres(_) => [0, 1, 2].map(|a| [0, 1, 2].map(|b| affine.iter().map(|row| row[a] * row[b]).sum())),
    };
    let (Radius::Voxels(r) | Radius::Millimetres(r)) = radius;
    // No step is longer than the grid, nor than the radius allows along its axis: r times the length of the axis' row
    // in the inverse of the affine.
    let widths = match radius {
        Radius::Voxels(_) => [1.0; 3],
        Radius::Millimetres(_) => inverse_row_lengths(affine),
    };
    let most = [0, 1, 2].map(|axis| {
        let reach = (r * widths[axis] * (1.0 + 1e-6)).floor();
        // A reach that is not finite (an affine that flattens the grid) is the whole grid.
        if reach < shape[axis] as f64 { reach as isize } else { shape[axis] as isize - 1 }
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

/// For every voxel of the grid `to` the voxel of the grid `from` whose centre is nearest to its own, along the axes of
/// `from`; `None` where its centre lies outside the voxels of `from`. Grids are shapes and affines. No answer where the
/// affine of `from` cannot be inverted.
///
/// A centre half-way between two goes to the one with the larger index, as in SciPy (`order=0`). SciPy, and nilearn
/// with it, leave out what lies beyond the outermost centres; here the outer half of those voxels is inside.
pub fn nearest_voxels(
    (from_shape, from): ([usize; 3], &Affine),
    (to_shape, to): ([usize; 3], &Affine),
) -> Option<Vec<Option<usize>>> {
    let inverse = inverse(from)?;
    // from's indices of a place = inverse * (to * indices - offset)
    let mut steps = [[0.0; 4]; 3];
    for row in 0..3 {
        for column in 0..4 {
            let offset = |axis: usize| if column == 3 { from[axis][3] } else { 0.0 };
            steps[row][column] = (0..3).map(|axis| inverse[row][axis] * (to[axis][column] - offset(axis))).sum();
        }
    }
    let nearest = |number: usize| {
        let [i, j, k] = place(to_shape, number).map(|index| index as f64);
        let mut found = [0; 3];
        for axis in 0..3 {
            let row = steps[axis];
            let at = row[0] * i + row[1] * j + row[2] * k + row[3];
            // What an f4 affine's rounding took from a half is given back.
            let index = (at + 0.5 + 1e-6).floor();
            if !(index >= 0.0 && index < from_shape[axis] as f64) {
                return None;
            }
            found[axis] = index as usize;
        }
        Some(voxel(from_shape, found))
    };
    Some((0..to_shape.iter().product()).map(nearest).collect())
}

/// The inverse of the affine's 3 x 3 part; `None` where it has none.
fn inverse(affine: &Affine) -> Option<[[f64; 3]; 3]> {
    let [a, b, c] = [0, 1, 2].map(|row| [affine[row][0], affine[row][1], affine[row][2]]);
    let cross =
        |p: [f64; 3], q: [f64; 3]| [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]];
    let columns = [cross(b, c), cross(c, a), cross(a, b)];
    let determinant: f64 = a.iter().zip(columns[0]).map(|(x, y)| x * y).sum();
    let usable = determinant.is_finite() && determinant != 0.0;
    usable.then(|| [0, 1, 2].map(|row| [0, 1, 2].map(|column| columns[column][row] / determinant)))
}

/// Lengths of the rows of the inverse of the affine's 3 x 3 part: how many voxels a millimetre can be, per axis.
fn inverse_row_lengths(affine: &Affine) -> [f64; 3] {
    let column = |axis: usize| [0, 1, 2].map(|row| affine[row][axis]);
    let cross =
        |a: [f64; 3], b: [f64; 3]| [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    [0, 1, 2].map(|axis| {
        let normal = cross(column((axis + 1) % 3), column((axis + 2) % 3));
        let volume = dot(normal, column(axis)).abs();
        if volume > 0.0 { dot(normal, normal).sqrt() / volume } else { f64::INFINITY }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(mm: f64) -> Affine {
        [[-mm, 0.0, 0.0, 0.0], [0.0, mm, 0.0, 0.0], [0.0, 0.0, mm, 0.0]]
    }

    #[test]
    fn the_nearest_voxel_is_that_of_a_search_over_all() {
        // A turned and sheared grid of 2 x 3 x 2.5 mm against one of 3 mm.
        let from: Affine = [[-1.6, -1.8, 0.2, 7.0], [1.2, -2.4, 0.0, 5.0], [0.1, 0.0, 2.5, -4.0]];
        let (shape, to_shape, to) = ([6, 5, 4], [5, 6, 4], [[-3.0, 0., 0., 6.], [0., 3., 0., -9.], [0., 0., 3., -4.]]);
        let found = nearest_voxels((shape, &from), (to_shape, &to)).unwrap();
        let mm =
            |affine: &Affine, at: [f64; 3]| affine.map(|row| row[0] * at[0] + row[1] * at[1] + row[2] * at[2] + row[3]);
        let back = inverse(&from).unwrap();
        let mut n_inside = 0;
        for (number, nearest) in found.iter().enumerate() {
            let there = mm(&to, place(to_shape, number).map(|index| index as f64));
            // In units of from's axes, where a cube of one voxel is where it is nearest.
            let at = back.map(|row| (0..3).map(|axis| row[axis] * (there[axis] - from[axis][3])).sum::<f64>());
            let slow = (0..120).find(|&v| (0..3).all(|a| (place(shape, v)[a] as f64 - at[a]).abs() < 0.5));
            assert_eq!(*nearest, slow, "{number} {at:?}");
            n_inside += usize::from(slow.is_some());
        }
        assert!(n_inside > 20 && n_inside < 100, "{n_inside}");
        let same = nearest_voxels((shape, &from), (shape, &from)).unwrap();
        assert_eq!(same, (0..120).map(Some).collect::<Vec<_>>());
        assert!(nearest_voxels((shape, &[[1.0; 4]; 3]), (to_shape, &to)).is_none());
        // Half-way goes up: 2 mm voxels under 3 mm ones.
        let row = |mm: f64| [[mm, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        let half = nearest_voxels(([4, 1, 1], &row(2.0)), ([4, 1, 1], &row(3.0))).unwrap();
        assert_eq!(half, [Some(0), Some(2), Some(3), None]);
    }

    #[test]
    fn a_ball_of_radius_3_has_123_voxels() {
        let steps = steps_within([20; 3], &sizes(3.0), Radius::Voxels(3.0));
        assert_eq!(steps.len(), 123);
        assert_eq!(steps, steps_within([20; 3], &sizes(3.0), Radius::Millimetres(9.0)));
        assert_eq!(steps_within([20; 3], &sizes(3.0), Radius::Voxels(0.5)), [[0, 0, 0]]);
    }

    #[test]
    fn a_sphere_stops_at_the_edge_of_the_grid() {
        let shape = [3, 4, 5];
        let steps = steps_within(shape, &sizes(1.0), Radius::Voxels(1.0));
        assert_eq!(around(shape, 0, &steps), [0, 1, 5, 20]);
        let middle = voxel(shape, [1, 1, 1]);
        let found = around(shape, middle, &steps);
        assert_eq!(found, [middle - 20, middle - 5, middle - 1, middle, middle + 1, middle + 5, middle + 20]);
        assert_eq!(place(shape, middle), [1, 1, 1]);
    }

    #[test]
    fn millimetres_follow_a_sheared_affine() {
        let affine = [[2.0, 1.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]];
        let steps = steps_within([9; 3], &affine, Radius::Millimetres(2.1));
        for step in &steps {
            let mm: f64 = affine.iter().map(|r| (0..3).map(|a| r[a] * step[a] as f64).sum::<f64>().powi(2)).sum();
            assert!(mm <= 2.1f64.powi(2), "{step:?}");
        }
        // Along j a step is sqrt(5) mm; i or k alone is 2.
        assert_eq!(steps.len(), 5);
    }
}
