//! Clusters: connected sets of points, their extent and mass.

use crate::Adjacency;

/// The clusters of all points of an adjacency, in order of their first point; within one, points ascend. Every point is
/// in exactly one cluster.
///
/// ```
/// use brain_maps::{Adjacency, Connectivity, clusters};
/// let row = Adjacency::of_grid([1, 1, 6], &[0, 1, 3, 5], Connectivity::Faces);
/// assert_eq!(clusters(&row), [vec![0, 1], vec![2], vec![3]]);
/// ```
pub fn clusters(adjacency: &Adjacency) -> Vec<Vec<usize>> {
    let ones = vec![1.0; adjacency.len()];
    let mut found = Clusters::default();
    found.find(adjacency, &ones, 0.0);
    let mut members = vec![Vec::new(); found.n_clusters()];
    for (point, &label) in found.labels.iter().enumerate() {
        members[label as usize - 1].push(point);
    }
    members
}

/// The clusters of a map above a threshold; its memory is kept from one map to the next.
#[derive(Debug, Clone, Default)]
pub struct Clusters {
    /// Number of each point's cluster, from 1 in order of their first point; 0 where the map is not above.
    pub labels: Vec<u32>,
    /// Points of each cluster.
    pub extents: Vec<usize>,
    /// What the values of each cluster are above the threshold, summed (Bullmore et al. 1999; nilearn's mass).
    pub masses: Vec<f64>,
    frontier: Vec<u32>,
}

impl Clusters {
    /// Finds the clusters of the points whose value is greater than the threshold. NaN is not.
    pub fn find(&mut self, adjacency: &Adjacency, values: &[f64], threshold: f64) {
        assert_eq!(values.len(), adjacency.len(), "{} values, {} points", values.len(), adjacency.len());
        self.labels.clear();
        self.labels.resize(values.len(), 0);
        self.extents.clear();
        self.masses.clear();
        for seed in 0..values.len() {
            if self.labels[seed] != 0 || values[seed].is_nan() || values[seed] <= threshold {
                continue;
            }
            let label = self.extents.len() as u32 + 1;
            let (mut extent, mut mass) = (0, 0.0);
            self.labels[seed] = label;
            self.frontier.push(seed as u32);
            while let Some(point) = self.frontier.pop() {
                extent += 1;
                mass += values[point as usize] - threshold;
                for &neighbour in adjacency.neighbours(point as usize) {
                    let there = neighbour as usize;
                    if self.labels[there] == 0 && values[there] > threshold {
                        self.labels[there] = label;
                        self.frontier.push(neighbour);
                    }
                }
            }
            self.extents.push(extent);
            self.masses.push(mass);
        }
    }

    /// How many there are.
    pub fn n_clusters(&self) -> usize {
        self.extents.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Connectivity, place, voxel};
    use statistics::Draws;

    fn clusters_of(voxels: &[usize], shape: [usize; 3], connectivity: Connectivity) -> Vec<Vec<usize>> {
        let found = clusters(&Adjacency::of_grid(shape, voxels, connectivity));
        found.into_iter().map(|points| points.into_iter().map(|p| voxels[p]).collect()).collect()
    }

    /// Slow twin: merge labels of touching pairs until nothing changes.
    fn clusters_by_pairs(voxels: &[usize], shape: [usize; 3], connectivity: Connectivity) -> Vec<Vec<usize>> {
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
                    let (p, q) = (place(shape, voxels[a]), place(shape, voxels[b]));
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
        let (shape, mut draws) = ([4, 5, 3], Draws::new(3));
        for _ in 0..20 {
            let voxels: Vec<usize> = (0..60).filter(|_| draws.below(3) == 0).collect();
            for connectivity in [Connectivity::Faces, Connectivity::Edges, Connectivity::Corners] {
                let slow = clusters_by_pairs(&voxels, shape, connectivity);
                assert_eq!(clusters_of(&voxels, shape, connectivity), slow);
            }
        }
    }

    #[test]
    fn an_edge_joins_under_18_and_a_corner_only_under_26() {
        let shape = [3; 3];
        let edge = [voxel(shape, [0, 0, 0]), voxel(shape, [0, 1, 1])];
        let corner = [voxel(shape, [0, 0, 0]), voxel(shape, [1, 1, 1])];
        let count = |voxels: &[usize], connectivity| clusters_of(voxels, shape, connectivity).len();
        assert_eq!([count(&edge, Connectivity::Faces), count(&corner, Connectivity::Faces)], [2, 2]);
        assert_eq!([count(&edge, Connectivity::Edges), count(&corner, Connectivity::Edges)], [1, 2]);
        assert_eq!([count(&edge, Connectivity::Corners), count(&corner, Connectivity::Corners)], [1, 1]);
    }

    #[test]
    fn the_end_of_a_row_does_not_touch_the_start_of_the_next() {
        let shape = [3; 3];
        let voxels = [voxel(shape, [0, 0, 2]), voxel(shape, [0, 1, 0])];
        assert_eq!(clusters_of(&voxels, shape, Connectivity::Corners).len(), 2);
        assert!(clusters_of(&[], shape, Connectivity::Faces).is_empty());
    }

    #[test]
    fn extent_and_mass_count_what_is_above() {
        let row = Adjacency::of_grid([1, 1, 8], &(0..8).collect::<Vec<_>>(), Connectivity::Faces);
        let mut found = Clusters::default();
        found.find(&row, &[5.0, 4.0, 3.0, f64::NAN, 3.5, 1.0, 3.0, 9.0], 3.0);
        assert_eq!(found.labels, [1, 1, 0, 0, 2, 0, 0, 3]);
        assert_eq!(
            (found.extents.as_slice(), found.masses.as_slice()),
            ([2, 1, 1].as_slice(), [3.0, 0.5, 6.0].as_slice())
        );
        // Nothing is left of one map in the next.
        found.find(&row, &[0.0; 8], 3.0);
        assert_eq!((found.n_clusters(), found.labels.as_slice()), (0, [0; 8].as_slice()));
    }
}
