//! Where the points of a map lie: voxels of a grid, vertices of a mesh, or both one behind the other (grayordinates).

use std::ops::Range;

use crate::Adjacency;
use crate::grid::{Affine, Connectivity, place, voxel_mm3};
use crate::mesh::Mesh;
use crate::parcels::fortran_rank;
use crate::peaks::{local_maxima, peaks};
use crate::smooth::smoothed;

/// The points of a map, in their order. Points of two parts are never neighbours: two hemispheres, a hemisphere and a
/// structure below it, and, as in Connectome Workbench, two structures whose voxels touch.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Part {
    points: Range<usize>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Voxels {
        shape: [usize; 3],
        affine: Affine,
        /// Number of each point's voxel; all voxels in their order where there is none.
        voxels: Option<Vec<usize>>,
    },
    Vertices {
        mesh: Mesh,
        areas: Vec<f64>,
        /// The vertex of each point.
        vertices: Vec<usize>,
        /// The point of the part that a vertex is, where it is one.
        point_of: Vec<Option<u32>>,
    },
}

impl Layout {
    /// All voxels of a grid.
    pub fn of_grid(shape: [usize; 3], affine: Affine) -> Layout {
        let points = 0..shape.iter().product();
        Layout { parts: vec![Part { points, kind: Kind::Voxels { shape, affine, voxels: None } }] }
    }

    /// Adds some voxels of a grid, each of them once, by their numbers in any order.
    pub fn push_voxels(&mut self, shape: [usize; 3], affine: Affine, voxels: Vec<usize>) {
        let points = self.n_points()..self.n_points() + voxels.len();
        self.parts.push(Part { points, kind: Kind::Voxels { shape, affine, voxels: Some(voxels) } });
    }

    /// Adds some vertices of a mesh, each of them once, in any order.
    ///
    /// # Panics
    /// When the mesh has no such vertex.
    pub fn push_vertices(&mut self, mesh: Mesh, vertices: Vec<usize>) {
        let points = self.n_points()..self.n_points() + vertices.len();
        let mut point_of = vec![None; mesh.n_vertices()];
        vertices.iter().enumerate().for_each(|(point, &vertex)| point_of[vertex] = Some(point as u32));
        let areas = mesh.vertex_areas();
        self.parts.push(Part { points, kind: Kind::Vertices { mesh, areas, vertices, point_of } });
    }

    /// How many points there are.
    pub fn n_points(&self) -> usize {
        self.parts.last().map_or(0, |part| part.points.end)
    }

    /// Whether there are vertices among the points.
    pub fn has_vertices(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.kind, Kind::Vertices { .. }))
    }

    fn part_of(&self, point: usize) -> &Part {
        &self.parts[self.parts.partition_point(|part| part.points.end <= point)]
    }

    /// Where a point is (mm).
    pub fn millimetres(&self, point: usize) -> [f64; 3] {
        let part = self.part_of(point);
        let at = point - part.points.start;
        match &part.kind {
            Kind::Voxels { shape, affine, voxels } => {
                let voxel = voxels.as_ref().map_or(at, |voxels| voxels[at]);
                let [i, j, k] = place(*shape, voxel).map(|index| index as f64);
                affine.map(|row| row[0] * i + row[1] * j + row[2] * k + row[3])
            }
            Kind::Vertices { mesh, vertices, .. } => mesh.coordinates()[vertices[at]],
        }
    }

    /// Volume of those of the points that are voxels (mm3).
    pub fn mm3(&self, points: &[usize]) -> f64 {
        let mut sum = 0.0;
        for part in &self.parts {
            if let Kind::Voxels { affine, .. } = &part.kind {
                sum += points.iter().filter(|point| part.points.contains(point)).count() as f64 * voxel_mm3(affine);
            }
        }
        sum
    }

    /// Area of those of the points that are vertices (mm2).
    pub fn mm2(&self, points: &[usize]) -> f64 {
        let area = |&point: &usize| {
            let part = self.part_of(point);
            match &part.kind {
                Kind::Vertices { areas, vertices, .. } => areas[vertices[point - part.points.start]],
                Kind::Voxels { .. } => 0.0,
            }
        };
        points.iter().map(area).sum()
    }

    /// Who is whose neighbour among some of the points, which ascend without repeats; point `p` of the adjacency is
    /// `points[p]`. Vertices share an edge; the connectivity is that of voxels.
    ///
    /// ```
    /// use brain_maps::{Connectivity, Layout, mesh::Mesh};
    /// let affine = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
    /// let mesh = Mesh::new(vec![[0.0; 3]; 4], vec![[0, 1, 2], [2, 1, 3]]).unwrap();
    /// let mut both = Layout::default();
    /// both.push_vertices(mesh, vec![0, 2, 3]);
    /// both.push_voxels([1, 1, 3], affine, vec![2, 1]);
    /// let all = both.adjacency(&[0, 1, 2, 3, 4], Connectivity::Faces);
    /// assert_eq!(all.neighbours(1), [0, 2]);
    /// assert_eq!(all.neighbours(3), [4]);
    /// ```
    pub fn adjacency(&self, points: &[usize], connectivity: Connectivity) -> Adjacency {
        let mut all = Adjacency::default();
        let mut from = 0;
        for part in &self.parts {
            let to = from + points[from..].partition_point(|&point| point < part.points.end);
            let some = &points[from..to];
            let found = match &part.kind {
                Kind::Voxels { shape, voxels: None, .. } => Adjacency::of_grid(*shape, some, connectivity),
                Kind::Voxels { shape, voxels: Some(voxels), .. } => {
                    // Files may list voxels in the order of their first axis; a grid wants their numbers to ascend.
                    let numbered = some.iter().enumerate().map(|(at, &point)| (voxels[point - part.points.start], at));
                    let mut numbered: Vec<(usize, usize)> = numbered.collect();
                    numbered.sort_unstable();
                    let ascending: Vec<usize> = numbered.iter().map(|(voxel, _)| *voxel).collect();
                    let order: Vec<usize> = numbered.iter().map(|(_, at)| *at).collect();
                    Adjacency::of_grid(*shape, &ascending, connectivity).renumbered(&order)
                }
                Kind::Vertices { mesh, vertices, point_of, .. } => {
                    // The place in `some` of each of the part's points.
                    let mut place = vec![None; vertices.len()];
                    some.iter().enumerate().for_each(|(at, &point)| place[point - part.points.start] = Some(at as u32));
                    let neighbours = |&point: &usize| {
                        let around = mesh.adjacency().neighbours(vertices[point - part.points.start]).iter();
                        around.filter_map(|&vertex| place[point_of[vertex as usize]? as usize])
                    };
                    Adjacency::of_lists(some.iter().map(neighbours))
                }
            };
            all.append(found);
            from = to;
        }
        all
    }

    /// The peaks of one cluster (its points ascend, `heights` are theirs), highest first, by their place in `members`.
    /// They are at least `distance_mm` from every higher one: in a straight line between voxels, whose neighbours are
    /// 26; along the edges of a mesh, on which two banks of a fold are not near each other.
    pub fn peaks(&self, members: &[usize], heights: &[f64], distance_mm: f64) -> Vec<usize> {
        let adjacency = self.adjacency(members, Connectivity::Corners);
        let Some(part) = members.first().map(|&point| self.part_of(point)) else { return Vec::new() };
        match &part.kind {
            Kind::Voxels { .. } => {
                let places: Vec<[f64; 3]> = members.iter().map(|&point| self.millimetres(point)).collect();
                peaks(&adjacency, heights, &places, distance_mm)
            }
            Kind::Vertices { mesh, vertices, .. } => {
                let vertex = |at: usize| vertices[members[at] - part.points.start];
                let mut too_near = vec![false; mesh.n_vertices()];
                let mut kept = local_maxima(&adjacency, heights);
                kept.retain(|&candidate| {
                    let free = !too_near[vertex(candidate)];
                    if free {
                        mesh.nearer_than(vertex(candidate), distance_mm).iter().for_each(|&v| too_near[v] = true);
                    }
                    free
                });
                kept
            }
        }
    }

    /// A map smoothed within each part: voxels with SPM's kernel ([`smoothed`]; outside the part everything is 0),
    /// vertices with the heat kernel ([`Mesh::smoothed`]; nothing flows over the edge of the part).
    pub fn smoothed(&self, values: &[f64], fwhm_mm: f64) -> Vec<f64> {
        let mut out = Vec::with_capacity(values.len());
        for part in &self.parts {
            let values = &values[part.points.clone()];
            match &part.kind {
                Kind::Voxels { shape, affine, voxels } => {
                    let sizes = [0, 1, 2].map(|a| affine.iter().map(|row| row[a] * row[a]).sum::<f64>().sqrt());
                    match voxels {
                        None => out.extend(smoothed(values, *shape, sizes, fwhm_mm)),
                        Some(voxels) => {
                            let mut volume = vec![0.0; shape.iter().product()];
                            voxels.iter().zip(values).for_each(|(&voxel, value)| volume[voxel] = *value);
                            let volume = smoothed(&volume, *shape, sizes, fwhm_mm);
                            out.extend(voxels.iter().map(|&voxel| volume[voxel]));
                        }
                    }
                }
                Kind::Vertices { mesh, vertices, point_of, .. } => {
                    let inside: Vec<bool> = point_of.iter().map(Option::is_some).collect();
                    let mut map = vec![0.0; mesh.n_vertices()];
                    vertices.iter().zip(values).for_each(|(&vertex, value)| map[vertex] = *value);
                    let map = mesh.smoothed(&map, &inside, fwhm_mm);
                    out.extend(vertices.iter().map(|&vertex| map[vertex]));
                }
            }
        }
        out
    }

    /// Where a point stands among equal ones in a watershed: voxels of a whole grid as SPM numbers them, all others in
    /// their own order.
    pub fn rank(&self, point: usize) -> usize {
        match &self.part_of(point).kind {
            Kind::Voxels { shape, voxels: None, .. } => fortran_rank(*shape, point),
            _ => point,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clusters, tfce};
    use statistics::Draws;

    const SHAPE: [usize; 3] = [4, 5, 3];
    const AFFINE: Affine = [[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]];

    /// The grid as a mesh: every pair of neighbours an edge, folded into a triangle.
    fn as_mesh(connectivity: Connectivity) -> Layout {
        let all: Vec<usize> = (0..60).collect();
        let grid = Adjacency::of_grid(SHAPE, &all, connectivity);
        let edge = |v: u32| grid.neighbours(v as usize).iter().filter(move |&&n| n > v).map(move |&n| [v, n, n]);
        let triangles: Vec<[u32; 3]> = (0..60).flat_map(edge).collect();
        let of_grid = Layout::of_grid(SHAPE, AFFINE);
        let mesh = Mesh::new(all.iter().map(|&v| of_grid.millimetres(v)).collect(), triangles).unwrap();
        let mut layout = Layout::default();
        layout.push_vertices(mesh, all);
        layout
    }

    #[test]
    fn a_volume_as_a_mesh_of_its_neighbours_has_the_volumes_clusters_and_tfce() {
        let mut draws = Draws::new(5);
        let values: Vec<f64> = (0..60).map(|_| draws.normal_pair()[0]).collect();
        let part: Vec<usize> = (0..60).filter(|v| v % 7 != 2).collect();
        let of_part: Vec<f64> = part.iter().map(|&v| values[v]).collect();
        for connectivity in [Connectivity::Faces, Connectivity::Edges, Connectivity::Corners] {
            let grid = Layout::of_grid(SHAPE, AFFINE).adjacency(&part, connectivity);
            let mesh = as_mesh(connectivity).adjacency(&part, Connectivity::Faces);
            assert_eq!(grid, mesh);
            assert_eq!(tfce(&grid, &of_part), tfce(&mesh, &of_part));
        }
    }

    #[test]
    fn voxels_in_another_order_have_the_same_neighbours() {
        // Fortran order, as CIFTI lists them.
        let mut order: Vec<usize> = (0..60).filter(|v| v % 4 != 1).collect();
        order.sort_by_key(|&v| fortran_rank(SHAPE, v));
        let mut layout = Layout::default();
        layout.push_voxels(SHAPE, AFFINE, order.clone());
        let points: Vec<usize> = (0..order.len()).filter(|p| p % 5 != 3).collect();
        let found = layout.adjacency(&points, Connectivity::Edges);
        let mut ascending: Vec<usize> = points.iter().map(|&p| order[p]).collect();
        ascending.sort_unstable();
        let wanted = Adjacency::of_grid(SHAPE, &ascending, Connectivity::Edges);
        for (at, &point) in points.iter().enumerate() {
            let mut voxels: Vec<usize> = found.neighbours(at).iter().map(|&n| order[points[n as usize]]).collect();
            voxels.sort_unstable();
            let place = ascending.binary_search(&order[point]).unwrap();
            let around: Vec<usize> = wanted.neighbours(place).iter().map(|&n| ascending[n as usize]).collect();
            assert_eq!(voxels, around);
            assert_eq!(layout.millimetres(point), Layout::of_grid(SHAPE, AFFINE).millimetres(order[point]));
        }
        assert_eq!(layout.mm3(&points), 12.0 * points.len() as f64);
    }

    #[test]
    fn parts_do_not_touch_and_have_their_own_measures() {
        let square = || {
            let places = vec![[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [3.0, 2.0, 0.0]];
            Mesh::new(places, vec![[0, 1, 2], [2, 1, 3]]).unwrap()
        };
        let mut layout = Layout::default();
        layout.push_vertices(square(), vec![0, 1, 3]);
        layout.push_vertices(square(), vec![3, 2, 1]);
        layout.push_voxels([1, 1, 4], AFFINE, vec![0, 1]);
        layout.push_voxels([1, 1, 4], AFFINE, vec![2, 3]);
        let all: Vec<usize> = (0..layout.n_points()).collect();
        let found = clusters(&layout.adjacency(&all, Connectivity::Faces));
        assert_eq!(found, [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7], vec![8, 9]]);
        assert_eq!((layout.mm2(&[0, 1, 6]), layout.mm3(&[0, 1, 6])), (3.0, 12.0));
        assert_eq!(layout.millimetres(4), [0.0, 2.0, 0.0]);
        assert_eq!(layout.adjacency(&[1, 3, 5, 9], Connectivity::Faces).neighbours(1), [2]);
    }

    #[test]
    fn peaks_on_a_mesh_are_apart_along_it() {
        // A strip folded into a hairpin: its ends are 1 mm apart in space, 9 mm along it.
        let places: Vec<[f64; 3]> = (0..10)
            .map(|n| if n < 5 { [n as f64, 0.0, 0.0] } else { [(9 - n) as f64, 1.0, 0.0] })
            .flat_map(|[x, y, _]| [[x, y, 0.0], [x, y, 1.0]])
            .collect();
        let strip = |n: u32| [[2 * n, 2 * n + 1, 2 * n + 2], [2 * n + 1, 2 * n + 3, 2 * n + 2]];
        let mesh = Mesh::new(places, (0..9).flat_map(strip).collect()).unwrap();
        let mut layout = Layout::default();
        layout.push_vertices(mesh, (0..20).collect());
        let mut heights = vec![1.0; 20];
        (heights[0], heights[18], heights[4]) = (5.0, 4.0, 3.0);
        let all: Vec<usize> = (0..20).collect();
        assert_eq!(layout.peaks(&all, &heights, 3.0), [0, 18]);
        assert_eq!(layout.peaks(&all, &heights, 1.5), [0, 18, 4]);
        assert_eq!(layout.peaks(&all, &heights, 9.5), [0]);
    }

    #[test]
    fn smoothing_stays_within_parts() {
        let mut layout = Layout::default();
        layout.push_voxels([1, 1, 6], AFFINE, vec![2, 0, 1]);
        layout.push_voxels([1, 1, 6], AFFINE, vec![3, 4, 5]);
        let out = layout.smoothed(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], 6.0);
        assert_eq!(out[3..], [0.0; 3]);
        let alone = smoothed(&[0.0, 0.0, 1.0, 0.0, 0.0, 0.0], [1, 1, 6], [2.0, 2.0, 3.0], 6.0);
        assert_eq!(out[..3], [alone[2], alone[0], alone[1]]);
        let whole = Layout::of_grid([1, 1, 6], AFFINE).smoothed(&[0.0, 0.0, 1.0, 0.0, 0.0, 0.0], 6.0);
        assert_eq!(whole, alone);
    }
}
