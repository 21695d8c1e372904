//! Group parcels: the watershed of a map of how many subjects have a voxel (group-constrained subject-specific method,
//! Fedorenko et al. 2010; spm_ss).

use crate::Adjacency;

/// The parcels of a map: labels from 1 in the order in which their summits are met from the highest point down; 0 where
/// a point borders two parcels, and where the map is NaN.
///
/// A point without a labelled neighbour starts a parcel, one whose labelled neighbours are of one parcel joins it, and
/// one between parcels stays out: borders are one point wide (`spm_ss_watershed`). Of equal points that with the
/// smallest `rank` comes first; SPM's is the Fortran order of voxels, [`fortran_rank`].
///
/// ```
/// use brain_maps::{Adjacency, Connectivity, parcels::watershed};
/// let row = Adjacency::of_grid([1, 1, 5], &[0, 1, 2, 3, 4], Connectivity::Corners);
/// assert_eq!(watershed(&row, &[2.0, 3.0, 1.0, 4.0, f64::NAN], |point| point), [2, 2, 0, 1, 0]);
/// ```
pub fn watershed(adjacency: &Adjacency, map: &[f64], rank: impl Fn(usize) -> usize) -> Vec<u32> {
    assert_eq!(map.len(), adjacency.len(), "{} values, {} points", map.len(), adjacency.len());
    let mut order: Vec<usize> = (0..map.len()).filter(|&point| !map[point].is_nan()).collect();
    order.sort_by(|&a, &b| map[b].total_cmp(&map[a]).then_with(|| rank(a).cmp(&rank(b))));
    let mut labels = vec![0u32; map.len()];
    let mut n_parcels = 0;
    for point in order {
        let mut around = adjacency.neighbours(point).iter().map(|&n| labels[n as usize]).filter(|&label| label > 0);
        labels[point] = match around.next() {
            None => {
                n_parcels += 1;
                n_parcels
            }
            Some(first) if around.all(|label| label == first) => first,
            Some(_) => 0,
        };
    }
    labels
}

/// Where a voxel stands when i is fastest, as MATLAB and SPM number voxels.
pub fn fortran_rank([nx, ny, nz]: [usize; 3], voxel: usize) -> usize {
    let [i, j, k] = crate::grid::place([nx, ny, nz], voxel);
    (k * ny + j) * nx + i
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Connectivity;

    #[test]
    fn ties_go_by_rank_and_a_mesh_has_parcels_too() {
        let shape = [2, 1, 3];
        let all: Vec<usize> = (0..6).collect();
        let grid = Adjacency::of_grid(shape, &all, Connectivity::Faces);
        // Two ends of equal height: the one first in its order is parcel 1.
        let map = [1.0, 0.5, 2.0, 2.0, 0.5, 1.0];
        assert_eq!(watershed(&grid, &map, |voxel| voxel), [2, 0, 1, 2, 0, 1]);
        // Voxel 3 is (1, 0, 0): second when i is fastest; voxel 2 is (0, 0, 2), the fifth.
        assert_eq!(watershed(&grid, &map, |voxel| fortran_rank(shape, voxel)), [1, 0, 2, 1, 0, 2]);
        let mesh = Adjacency::of_mesh(5, &[[0, 1, 2], [2, 3, 4]]).unwrap();
        assert_eq!(watershed(&mesh, &[3.0, 2.0, 1.0, 2.0, 4.0], |v| v), [2, 2, 0, 1, 1]);
        assert_eq!(watershed(&mesh, &[f64::NAN; 5], |v| v), [0; 5]);
    }
}
