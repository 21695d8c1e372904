//! Who is whose neighbour, of voxels and of vertices alike.

use crate::grid::{Connectivity, place};

/// The neighbours of every point of a map. Points are numbered from 0 in the order in which their values stand; which
/// voxel or vertex a point is, the caller knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjacency {
    /// Where the neighbours of each point begin; one more than there are points.
    starts: Vec<usize>,
    neighbours: Vec<u32>,
}

impl Default for Adjacency {
    /// Of no point.
    fn default() -> Adjacency {
        Adjacency { starts: vec![0], neighbours: Vec::new() }
    }
}

/// A triangle of a mesh that names a vertex the mesh does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("triangle {triangle} names vertex {vertex}; the mesh has {n_vertices}, counted from 0")]
pub struct NoSuchVertex {
    /// The triangle, from 0.
    pub triangle: usize,
    /// The vertex it names.
    pub vertex: usize,
    /// Vertices of the mesh.
    pub n_vertices: usize,
}

impl Adjacency {
    /// Of some voxels of a grid of this shape. `voxels` ascend without repeats; point `p` is `voxels[p]`.
    ///
    /// ```
    /// use brain_maps::{Adjacency, Connectivity};
    /// let row = Adjacency::of_grid([1, 1, 6], &[0, 1, 3, 5], Connectivity::Faces);
    /// assert_eq!(row.neighbours(0), [1]);
    /// assert!(row.neighbours(2).is_empty());
    /// ```
    pub fn of_grid(shape: [usize; 3], voxels: &[usize], connectivity: Connectivity) -> Adjacency {
        let steps = connectivity.steps();
        // What a step adds to a voxel's number. Voxels ascend, so the voxel that a step leads to ascends with them, and
        // one cursor per step finds it.
        let offsets: Vec<isize> =
            steps.iter().map(|[i, j, k]| (i * shape[1] as isize + j) * shape[2] as isize + k).collect();
        let mut cursors = vec![0usize; steps.len()];
        let mut starts = Vec::with_capacity(voxels.len() + 1);
        let mut neighbours = Vec::new();
        starts.push(0);
        for &voxel in voxels {
            let here = place(shape, voxel);
            for ((step, offset), cursor) in steps.iter().zip(&offsets).zip(&mut cursors) {
                let inside = (0..3)
                    .all(|axis| here[axis].checked_add_signed(step[axis]).is_some_and(|index| index < shape[axis]));
                let Some(there) = voxel.checked_add_signed(*offset).filter(|_| inside) else { continue };
                while *cursor < voxels.len() && voxels[*cursor] < there {
                    *cursor += 1;
                }
                if voxels.get(*cursor) == Some(&there) {
                    neighbours.push(*cursor as u32);
                }
            }
            starts.push(neighbours.len());
        }
        Adjacency { starts, neighbours }
    }

    /// Of the vertices of a mesh: two that share an edge of a triangle are neighbours.
    ///
    /// ```
    /// use brain_maps::Adjacency;
    /// // a square of two triangles
    /// let mesh = Adjacency::of_mesh(4, &[[0, 1, 2], [2, 1, 3]]).unwrap();
    /// assert_eq!(mesh.neighbours(0), [1, 2]);
    /// assert_eq!(mesh.neighbours(1), [0, 2, 3]);
    /// ```
    pub fn of_mesh(n_vertices: usize, triangles: &[[usize; 3]]) -> Result<Adjacency, NoSuchVertex> {
        let mut of_vertex: Vec<Vec<u32>> = vec![Vec::new(); n_vertices];
        for (number, triangle) in triangles.iter().enumerate() {
            if let Some(&vertex) = triangle.iter().find(|&&vertex| vertex >= n_vertices) {
                return Err(NoSuchVertex { triangle: number, vertex, n_vertices });
            }
            for (a, b) in [(0, 1), (1, 2), (2, 0)] {
                let (a, b) = (triangle[a], triangle[b]);
                // A triangle that is folded onto an edge makes no vertex its own neighbour.
                if a != b {
                    of_vertex[a].push(b as u32);
                    of_vertex[b].push(a as u32);
                }
            }
        }
        let mut starts = vec![0];
        let mut neighbours = Vec::new();
        for mut others in of_vertex {
            others.sort_unstable();
            others.dedup();
            neighbours.extend(others);
            starts.push(neighbours.len());
        }
        Ok(Adjacency { starts, neighbours })
    }

    /// Of some of the points alone, which ascend without repeats; point `p` of the new one is `points[p]`.
    pub fn within(&self, points: &[usize]) -> Adjacency {
        let mut starts = vec![0];
        let mut neighbours = Vec::new();
        for &point in points {
            let left = self.neighbours(point).iter().filter_map(|&n| points.binary_search(&(n as usize)).ok());
            neighbours.extend(left.map(|place| place as u32));
            starts.push(neighbours.len());
        }
        Adjacency { starts, neighbours }
    }

    /// Of the neighbours of every point, one list behind the other.
    pub(crate) fn of_lists<I: Iterator<Item = u32>>(lists: impl Iterator<Item = I>) -> Adjacency {
        let mut all = Adjacency::default();
        for list in lists {
            all.neighbours.extend(list);
            all.starts.push(all.neighbours.len());
        }
        all
    }

    /// The same points under other numbers: point `p` becomes `order[p]`.
    pub(crate) fn renumbered(&self, order: &[usize]) -> Adjacency {
        let mut old = vec![0; order.len()];
        order.iter().enumerate().for_each(|(point, &new)| old[new] = point);
        Adjacency::of_lists(old.iter().map(|&point| self.neighbours(point).iter().map(|&n| order[n as usize] as u32)))
    }

    /// Puts more points behind these, which are no neighbours of theirs.
    pub(crate) fn append(&mut self, more: Adjacency) {
        if self.is_empty() {
            *self = more;
            return;
        }
        let (first, before) = (self.len() as u32, self.neighbours.len());
        self.neighbours.extend(more.neighbours.iter().map(|n| n + first));
        self.starts.extend(more.starts[1..].iter().map(|start| start + before));
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The neighbours of a point.
    pub fn neighbours(&self, point: usize) -> &[u32] {
        &self.neighbours[self.starts[point]..self.starts[point + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::around;

    const ALL: [Connectivity; 3] = [Connectivity::Faces, Connectivity::Edges, Connectivity::Corners];

    #[test]
    fn voxels_of_a_mask_have_the_neighbours_that_a_look_around_finds() {
        let shape = [4, 5, 3];
        let voxels: Vec<usize> = (0..60).filter(|voxel| voxel * 7 % 5 != 0).collect();
        for connectivity in ALL {
            let adjacency = Adjacency::of_grid(shape, &voxels, connectivity);
            assert_eq!(adjacency.len(), voxels.len());
            for (point, &voxel) in voxels.iter().enumerate() {
                let found: Vec<usize> = adjacency.neighbours(point).iter().map(|&p| voxels[p as usize]).collect();
                let mut wanted = around(shape, voxel, &connectivity.steps());
                wanted.retain(|voxel| voxels.contains(voxel));
                assert_eq!(found, wanted, "{connectivity:?} {voxel}");
            }
            assert_eq!(connectivity.steps().len(), connectivity.n_neighbours());
        }
    }

    #[test]
    fn a_part_of_a_grid_is_the_grid_of_a_part() {
        let all: Vec<usize> = (0..60).collect();
        let part: Vec<usize> = (0..60).filter(|voxel| voxel % 3 != 1).collect();
        for connectivity in ALL {
            let whole = Adjacency::of_grid([4, 5, 3], &all, connectivity);
            assert_eq!(whole.within(&part), Adjacency::of_grid([4, 5, 3], &part, connectivity));
        }
        assert!(Adjacency::of_grid([4, 5, 3], &[], Connectivity::Faces).is_empty());
    }

    #[test]
    fn a_mesh_knows_edges_and_refuses_a_vertex_it_does_not_have() {
        let ring = Adjacency::of_mesh(5, &[[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4], [4, 4, 0]]).unwrap();
        assert_eq!(ring.neighbours(4), [0, 1, 2, 3]);
        assert_eq!(ring.neighbours(0), [1, 3, 4]);
        let error = Adjacency::of_mesh(3, &[[0, 1, 2], [0, 1, 3]]).unwrap_err();
        assert_eq!(error.to_string(), "triangle 1 names vertex 3; the mesh has 3, counted from 0");
    }
}
