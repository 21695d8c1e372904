//! Clusters: connected sets of voxels in a three-dimensional grid, and their peaks.

use std::collections::{HashMap, VecDeque};

use brain_formats::geometry::Geometry;

/// Which voxels count as neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connectivity {
    /// Voxels that share a face (nilearn's and SciPy's default).
    Faces,
    /// Voxels that share a face or an edge (SPM's choice).
    Edges,
    /// Voxels that share a face, an edge or a corner.
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

    /// Steps from a voxel to its neighbours.
    fn steps(self) -> Vec<[isize; 3]> {
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

/// Flat numbers of the neighbours of `voxel` that lie inside the grid.
fn neighbours<'a>(voxel: usize, geometry: &'a Geometry, steps: &'a [[isize; 3]]) -> impl Iterator<Item = usize> + 'a {
    let place = geometry.place(voxel);
    steps.iter().filter_map(move |step| {
        let mut there = [0; 3];
        for axis in 0..3 {
            there[axis] = place[axis].checked_add_signed(step[axis]).filter(|&index| index < geometry.shape[axis])?;
        }
        Some(geometry.voxel(there))
    })
}

/// The clusters of a set of voxels, in order of their first voxel; within one, voxels in ascending order.
///
/// `voxels` are flat numbers in ascending order without repeats. Every voxel is in exactly one cluster.
///
/// ```
/// # use fmri_roi::cluster::{clusters, Connectivity};
/// use brain_formats::Geometry;
/// let row = Geometry::from_sizes([1, 1, 6], [1.0; 3]);
/// assert_eq!(clusters(&[0, 1, 3, 5], &row, Connectivity::Faces), [vec![0, 1], vec![3], vec![5]]);
/// ```
pub fn clusters(voxels: &[usize], geometry: &Geometry, connectivity: Connectivity) -> Vec<Vec<usize>> {
    let steps = connectivity.steps();
    let mut waiting = vec![false; geometry.n_voxels()];
    for &voxel in voxels {
        waiting[voxel] = true;
    }
    let mut found = Vec::new();
    let mut frontier = VecDeque::new();
    for &seed in voxels {
        if !std::mem::take(&mut waiting[seed]) {
            continue;
        }
        let mut members = vec![seed];
        frontier.push_back(seed);
        while let Some(voxel) = frontier.pop_front() {
            for neighbour in neighbours(voxel, geometry, &steps) {
                if std::mem::take(&mut waiting[neighbour]) {
                    members.push(neighbour);
                    frontier.push_back(neighbour);
                }
            }
        }
        members.sort_unstable();
        found.push(members);
    }
    found
}

/// How far, relative to their height, voxels of one plateau may differ: a few roundings of the f4 that maps are stored
/// in.
const PLATEAU: f64 = 4.0 * f32::EPSILON as f64;

/// The peaks of one cluster, highest first: local maxima within the cluster (26 neighbours) that are at least
/// `distance_mm` from every higher peak of the same cluster.
///
/// Neighbouring voxels of one height are a plateau: one peak, if no neighbour of any of them is higher, that stands at
/// its highest voxel, of equal ones that with the smallest number. `members` ascend; `t` covers the whole grid.
pub fn peaks(members: &[usize], t: &[f64], geometry: &Geometry, distance_mm: f64) -> Vec<usize> {
    let maxima = local_maxima(members, t, geometry);
    // None is nearer to itself.
    if distance_mm <= 0.0 {
        return maxima;
    }
    let mut kept: Vec<usize> = Vec::new();
    // Peaks by the cube that they are in: one that is too near is in the same cube or in one beside it.
    let mut cubes: HashMap<[i64; 3], Vec<[f64; 3]>> = HashMap::new();
    for candidate in maxima {
        let here = geometry.millimetres(geometry.place(candidate));
        let cube = here.map(|mm| (mm / distance_mm).floor() as i64);
        let near = Connectivity::Corners.steps().into_iter().chain([[0; 3]]);
        let near = near.map(|step| [0, 1, 2].map(|axis| cube[axis] + step[axis] as i64));
        let free = near.filter_map(|cube| cubes.get(&cube)).flatten().all(|there| {
            let squared: f64 = here.iter().zip(there).map(|(a, b)| (a - b) * (a - b)).sum();
            squared.sqrt() >= distance_mm
        });
        if free {
            cubes.entry(cube).or_default().push(here);
            kept.push(candidate);
        }
    }
    kept
}

/// One voxel for each local maximum, single or a plateau, highest first, equal ones by number.
fn local_maxima(members: &[usize], t: &[f64], geometry: &Geometry) -> Vec<usize> {
    let steps = Connectivity::Corners.steps();
    // Members that no plateau has claimed yet, by their place: memory of the cluster, not of the grid.
    let mut waiting = vec![true; members.len()];
    let place = |voxel: usize| members.binary_search(&voxel).ok();
    let mut from_top = members.to_vec();
    from_top.sort_by(|&a, &b| t[b].total_cmp(&t[a]).then(a.cmp(&b)));
    let mut maxima = Vec::new();
    let mut frontier = Vec::new();
    for top in from_top {
        if !place(top).is_some_and(|place| std::mem::take(&mut waiting[place])) {
            continue;
        }
        let lowest = t[top] - PLATEAU * t[top].abs();
        let mut highest = true;
        frontier.push(top);
        while let Some(voxel) = frontier.pop() {
            for neighbour in neighbours(voxel, geometry, &steps) {
                let Some(place) = place(neighbour) else { continue };
                highest &= t[neighbour] <= t[top];
                if t[neighbour] >= lowest && std::mem::take(&mut waiting[place]) {
                    frontier.push(neighbour);
                }
            }
        }
        if highest {
            maxima.push(top);
        }
    }
    maxima
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cube(n: usize) -> Geometry {
        Geometry::from_sizes([n; 3], [1.0; 3])
    }

    /// Slow twin: merge labels of touching pairs until nothing changes.
    fn clusters_by_pairs(voxels: &[usize], geometry: &Geometry, connectivity: Connectivity) -> Vec<Vec<usize>> {
        let mut label: Vec<usize> = (0..voxels.len()).collect();
        let furthest = match connectivity {
            Connectivity::Faces => 1,
            Connectivity::Edges => 2,
            Connectivity::Corners => 3,
        };
        loop {
            let mut changed = false;
            for a in 0..voxels.len() {
                for b in 0..voxels.len() {
                    let (p, q) = (geometry.place(voxels[a]), geometry.place(voxels[b]));
                    let gaps: Vec<usize> = (0..3).map(|axis| p[axis].abs_diff(q[axis])).collect();
                    let touch = gaps.iter().all(|&gap| gap <= 1) && gaps.iter().sum::<usize>() <= furthest;
                    if touch && label[a] != label[b] {
                        let lower = label[a].min(label[b]);
                        (label[a], label[b]) = (lower, lower);
                        changed = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        let mut order: Vec<usize> = label.clone();
        order.sort_unstable();
        order.dedup();
        order
            .iter()
            .map(|&wanted| (0..voxels.len()).filter(|&at| label[at] == wanted).map(|at| voxels[at]).collect())
            .collect()
    }

    #[test]
    fn agrees_with_the_slow_twin_on_speckle() {
        let geometry = Geometry::from_sizes([4, 5, 3], [1.0; 3]);
        // A fixed multiplicative sequence stands in for noise; a third of the voxels is set.
        let mut state = 12345u64;
        for _ in 0..20 {
            let mut voxels = Vec::new();
            for voxel in 0..geometry.n_voxels() {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                if (state >> 33).is_multiple_of(3) {
                    voxels.push(voxel);
                }
            }
            for connectivity in [Connectivity::Faces, Connectivity::Edges, Connectivity::Corners] {
                assert_eq!(
                    clusters(&voxels, &geometry, connectivity),
                    clusters_by_pairs(&voxels, &geometry, connectivity)
                );
            }
        }
    }

    #[test]
    fn an_edge_joins_under_18_and_a_corner_only_under_26() {
        let grid = cube(3);
        let edge = [grid.voxel([0, 0, 0]), grid.voxel([0, 1, 1])];
        let corner = [grid.voxel([0, 0, 0]), grid.voxel([1, 1, 1])];
        let count = |voxels: &[usize], connectivity| clusters(voxels, &grid, connectivity).len();
        assert_eq!([count(&edge, Connectivity::Faces), count(&corner, Connectivity::Faces)], [2, 2]);
        assert_eq!([count(&edge, Connectivity::Edges), count(&corner, Connectivity::Edges)], [1, 2]);
        assert_eq!([count(&edge, Connectivity::Corners), count(&corner, Connectivity::Corners)], [1, 1]);
        for connectivity in [Connectivity::Faces, Connectivity::Edges, Connectivity::Corners] {
            assert_eq!(connectivity.steps().len(), connectivity.n_neighbours());
        }
    }

    #[test]
    fn the_end_of_a_row_does_not_touch_the_start_of_the_next() {
        let grid = cube(3);
        let voxels = [grid.voxel([0, 0, 2]), grid.voxel([0, 1, 0])];
        assert_eq!(clusters(&voxels, &grid, Connectivity::Corners).len(), 2);
    }

    #[test]
    fn no_voxels_make_no_clusters() {
        assert!(clusters(&[], &cube(2), Connectivity::Faces).is_empty());
    }

    #[test]
    fn peaks_are_apart_and_a_plateau_has_one() {
        // Twelve voxels of 2 mm along k. Tops at 1 (t 5), 3 (t 4, 4 mm away), 8 and 9 (t 3, a plateau).
        let row = Geometry::from_sizes([1, 1, 12], [2.0; 3]);
        let t = [1.0, 5.0, 2.0, 4.0, 2.0, 1.0, 1.5, 2.0, 3.0, 3.0, 2.0, 1.0];
        let members: Vec<usize> = (0..12).collect();
        assert_eq!(peaks(&members, &t, &row, 0.0), [1, 3, 8]);
        assert_eq!(peaks(&members, &t, &row, 8.0), [1, 8]);
        assert_eq!(peaks(&members, &t, &row, 4.0), [1, 3, 8]);
    }

    #[test]
    fn a_shelf_below_a_top_is_no_peak_and_rounding_does_not_break_a_plateau() {
        let row = Geometry::from_sizes([1, 1, 9], [10.0; 3]);
        let members: Vec<usize> = (0..9).collect();
        // A shelf of 3s that leads up to the 5.
        assert_eq!(peaks(&members, &[1., 3., 3., 3., 5., 1., 1., 1., 1.], &row, 0.0), [4]);
        // f8 values of one height that differ by roundings; two plateaus apart are two peaks.
        let up = 5f64.next_up();
        assert_eq!(peaks(&members, &[5., up, 5., 1., 5., 5., up, 5., up], &row, 0.0), [1, 6]);
        // A plateau in three dimensions, with its corners touching.
        let cube = cube(4);
        let mut t = vec![1.0; 64];
        let plateau = [[0, 0, 0], [1, 1, 1], [2, 2, 2], [2, 2, 3], [3, 3, 2]].map(|place| cube.voxel(place));
        plateau.iter().for_each(|&voxel| t[voxel] = 4.0);
        assert_eq!(peaks(&(0..64).collect::<Vec<_>>(), &t, &cube, 0.0), [0]);
        // One voxel above a part of it is the only peak.
        t[cube.voxel([3, 2, 3])] = 4.1;
        assert_eq!(peaks(&(0..64).collect::<Vec<_>>(), &t, &cube, 0.0), [cube.voxel([3, 2, 3])]);
    }

    #[test]
    fn peaks_apart_are_those_of_a_pairwise_search() {
        let grid = Geometry::from_sizes([12, 11, 10], [2.0, 1.5, 3.0]);
        let t: Vec<f64> = (0..grid.n_voxels()).map(|v| ((v * 2_654_435_761) % 1_000_003) as f64).collect();
        let members: Vec<usize> = (0..grid.n_voxels()).filter(|v| v % 7 != 0).collect();
        let all = peaks(&members, &t, &grid, 0.0);
        for distance in [0.5, 2.0, 4.5, 9.0, 100.0] {
            let mut slow: Vec<usize> = Vec::new();
            for &candidate in &all {
                let place = |v: usize| grid.millimetres(grid.place(v));
                let apart = |a: usize, b: usize| -> f64 {
                    place(a).iter().zip(place(b)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
                };
                if slow.iter().all(|&peak| apart(candidate, peak) >= distance) {
                    slow.push(candidate);
                }
            }
            assert_eq!(peaks(&members, &t, &grid, distance), slow, "{distance}");
        }
        assert!(all.len() > 30);
    }
}
