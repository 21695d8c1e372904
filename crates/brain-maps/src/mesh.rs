//! Meshes of surfaces: areas of their vertices, ways along their edges, and smoothing along them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::Adjacency;
use crate::adjacency::NoSuchVertex;

/// The triangles of a surface.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    coordinates: Vec<[f64; 3]>,
    triangles: Vec<[u32; 3]>,
    adjacency: Adjacency,
}

/// Steps of time in which heat spreads. Each step's kernel has the variance that it should have, so that their number
/// changes only how near to a Gaussian the tails are.
const HEAT_STEPS: usize = 32;
/// A step is solved to this share of its right side.
const SOLVED: f64 = 1e-10;

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn inner(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn length_of_cross(a: [f64; 3], b: [f64; 3]) -> f64 {
    let cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    inner(cross, cross).sqrt()
}

impl Mesh {
    /// Of the places of its vertices (mm) and the vertices of each triangle.
    pub fn new(coordinates: Vec<[f64; 3]>, triangles: Vec<[u32; 3]>) -> Result<Mesh, NoSuchVertex> {
        let corners: Vec<[usize; 3]> = triangles.iter().map(|t| t.map(|vertex| vertex as usize)).collect();
        let adjacency = Adjacency::of_mesh(coordinates.len(), &corners)?;
        Ok(Mesh { coordinates, triangles, adjacency })
    }

    /// Number of its vertices.
    pub fn n_vertices(&self) -> usize {
        self.coordinates.len()
    }

    /// Where its vertices are (mm).
    pub fn coordinates(&self) -> &[[f64; 3]] {
        &self.coordinates
    }

    /// Vertices that share an edge.
    pub fn adjacency(&self) -> &Adjacency {
        &self.adjacency
    }

    /// Area of every vertex (mm2): a third of that of each triangle it is a corner of, as Connectome Workbench
    /// (`-surface-vertex-areas`) and FreeSurfer share it out.
    ///
    /// ```
    /// use brain_maps::mesh::Mesh;
    /// let places = vec![[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [3.0, 2.0, 0.0]];
    /// let square = Mesh::new(places, vec![[0, 1, 2], [2, 1, 3]]).unwrap();
    /// assert_eq!(square.vertex_areas(), [1.0, 2.0, 2.0, 1.0]);
    /// ```
    pub fn vertex_areas(&self) -> Vec<f64> {
        self.areas_of(|_| true)
    }

    /// [`Mesh::vertex_areas`] of the triangles that are wanted alone.
    fn areas_of(&self, wanted: impl Fn(&[u32; 3]) -> bool) -> Vec<f64> {
        let mut areas = vec![0.0; self.n_vertices()];
        for triangle in self.triangles.iter().filter(|triangle| wanted(triangle)) {
            let [a, b, c] = self.corners(triangle);
            let third = length_of_cross(minus(b, a), minus(c, a)) / 6.0;
            triangle.iter().for_each(|&vertex| areas[vertex as usize] += third);
        }
        areas
    }

    fn corners(&self, triangle: &[u32; 3]) -> [[f64; 3]; 3] {
        triangle.map(|vertex| self.coordinates[vertex as usize])
    }

    /// The vertices that are nearer than `mm` to one along the edges of the mesh, itself included; their order is that
    /// of their distance, of equal ones by number.
    ///
    /// A way along edges is up to a sixth longer than one across the triangles of a regular mesh.
    pub fn nearer_than(&self, vertex: usize, mm: f64) -> Vec<usize> {
        // Bits of distances, which are not negative, are in the order of the distances.
        let mut waiting = BinaryHeap::from([Reverse((0f64.to_bits(), vertex))]);
        let mut shortest: HashMap<usize, f64> = HashMap::from([(vertex, 0.0)]);
        let mut near = Vec::new();
        while let Some(Reverse((bits, here))) = waiting.pop() {
            let way = f64::from_bits(bits);
            if way >= mm {
                break;
            }
            if way > shortest[&here] {
                continue;
            }
            near.push(here);
            for &there in self.adjacency.neighbours(here) {
                let there = there as usize;
                let edge = minus(self.coordinates[there], self.coordinates[here]);
                let longer = way + inner(edge, edge).sqrt();
                if longer < mm && shortest.get(&there).is_none_or(|&known| longer < known) {
                    shortest.insert(there, longer);
                    waiting.push(Reverse((longer.to_bits(), there)));
                }
            }
        }
        near
    }

    /// A map smoothed along the surface by the heat kernel whose full width at half maximum is `fwhm_mm`; 0 mm smooths
    /// nothing. `values` has a number per vertex, of which those that are not `inside` are neither read nor reached,
    /// and come back as they were.
    ///
    /// Heat spreads by `du/dt = laplacian u` for the time `sigma^2 / 2`, which in the plane is a Gaussian of that
    /// sigma. The Laplacian is that of linear finite elements (cotangent weights, areas of vertices; Pinkall and
    /// Polthier 1993) on the triangles whose three corners are inside, so that nothing flows over the edge and the
    /// integral over the area stays what it was. Weights below 0 (edges between obtuse triangles) are taken for 0:
    /// otherwise a map could fall below its own smallest value. Time goes in 32 implicit steps, each solved by
    /// conjugate gradients.
    pub fn smoothed(&self, values: &[f64], inside: &[bool], fwhm_mm: f64) -> Vec<f64> {
        let mut heat = values.to_vec();
        let sigma = fwhm_mm / (8.0 * std::f64::consts::LN_2).sqrt();
        if sigma.is_nan() || sigma <= 0.0 {
            return heat;
        }
        let step = sigma * sigma / 2.0 / HEAT_STEPS as f64;
        let wanted = |triangle: &[u32; 3]| triangle.iter().all(|&vertex| inside[vertex as usize]);
        let areas = self.areas_of(wanted);
        let flow = self.cotangents(wanted, step);
        let diagonal: Vec<f64> = areas
            .iter()
            .zip(&flow)
            .map(|(area, row)| area + row.iter().map(|(_, weight)| weight).sum::<f64>())
            .collect();
        // A vertex without area takes part in no flow.
        let live: Vec<usize> = (0..areas.len()).filter(|&vertex| areas[vertex] > 0.0).collect();
        for _ in 0..HEAT_STEPS {
            solve(&mut heat, &live, &areas, &flow, &diagonal);
        }
        heat
    }

    /// For every vertex its neighbours and `step` times half the cotangents of the two angles opposite the edge.
    fn cotangents(&self, wanted: impl Fn(&[u32; 3]) -> bool, step: f64) -> Vec<Vec<(u32, f64)>> {
        let mut flow: Vec<Vec<(u32, f64)>> = (0..self.n_vertices())
            .map(|vertex| self.adjacency.neighbours(vertex).iter().map(|&other| (other, 0.0)).collect())
            .collect();
        for triangle in self.triangles.iter().filter(|triangle| wanted(triangle)) {
            let places = self.corners(triangle);
            for (apex, [a, b]) in [(0, [1, 2]), (1, [2, 0]), (2, [0, 1])] {
                let (to_a, to_b) = (minus(places[a], places[apex]), minus(places[b], places[apex]));
                let twice_area = length_of_cross(to_a, to_b);
                // A triangle folded onto a line has no angle to speak of.
                if twice_area <= 1e-12 * (inner(to_a, to_a) + inner(to_b, to_b)) {
                    continue;
                }
                let weight = step * 0.5 * inner(to_a, to_b) / twice_area;
                for (from, to) in [(triangle[a], triangle[b]), (triangle[b], triangle[a])] {
                    let row = &mut flow[from as usize];
                    if let Ok(place) = row.binary_search_by_key(&to, |(other, _)| *other) {
                        row[place].1 += weight;
                    }
                }
            }
        }
        // Also what is outside, whose values may be no numbers, is no neighbour.
        flow.iter_mut().for_each(|row| row.retain(|(_, weight)| *weight > 0.0));
        flow
    }
}

/// One implicit step: `(areas + flow) heat_after = areas heat_before`, by conjugate gradients, which begin at the heat
/// before.
fn solve(heat: &mut [f64], live: &[usize], areas: &[f64], flow: &[Vec<(u32, f64)>], diagonal: &[f64]) {
    let product = |x: &[f64], out: &mut [f64]| {
        for &vertex in live {
            let out_of: f64 = flow[vertex].iter().map(|&(other, weight)| weight * x[other as usize]).sum();
            out[vertex] = diagonal[vertex] * x[vertex] - out_of;
        }
    };
    let sum = |a: &[f64], b: &[f64]| live.iter().map(|&vertex| a[vertex] * b[vertex]).sum::<f64>();
    let n = heat.len();
    let (mut applied, mut residual, mut scaled, mut direction) =
        (vec![0.0; n], vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    product(heat, &mut applied);
    let mut wanted = 0.0;
    for &vertex in live {
        let right = areas[vertex] * heat[vertex];
        residual[vertex] = right - applied[vertex];
        scaled[vertex] = residual[vertex] / diagonal[vertex];
        wanted += right * right / diagonal[vertex];
    }
    direction.copy_from_slice(&scaled);
    let mut left = sum(&residual, &scaled);
    // A bound that rounding cannot meet ends too: there are never more directions than vertices.
    for _ in 0..live.len() {
        if left <= SOLVED * SOLVED * wanted {
            break;
        }
        product(&direction, &mut applied);
        let along = left / sum(&direction, &applied);
        for &vertex in live {
            heat[vertex] += along * direction[vertex];
            residual[vertex] -= along * applied[vertex];
            scaled[vertex] = residual[vertex] / diagonal[vertex];
        }
        let now = sum(&residual, &scaled);
        let turn = now / left;
        live.iter().for_each(|&vertex| direction[vertex] = scaled[vertex] + turn * direction[vertex]);
        left = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plane of equilateral triangles with edges of `edge` mm, `n` by `n` vertices.
    fn plane(n: usize, edge: f64) -> Mesh {
        let place = |row: usize, column: usize| {
            let shift = 0.5 * (row % 2) as f64;
            [(column as f64 + shift) * edge, row as f64 * edge * 0.75f64.sqrt(), 0.0]
        };
        let number = |row: usize, column: usize| (row * n + column) as u32;
        let mut triangles = Vec::new();
        for row in 0..n - 1 {
            for column in 0..n - 1 {
                let [a, b] = [0, 1].map(|step| number(row, column + step));
                let [c, d] = [0, 1].map(|step| number(row + 1, column + step));
                triangles.extend(if row % 2 == 0 { [[a, b, c], [c, b, d]] } else { [[a, d, c], [a, b, d]] });
            }
        }
        Mesh::new((0..n * n).map(|v| place(v / n, v % n)).collect(), triangles).unwrap()
    }

    /// A ball: an octahedron whose triangles are cut in four `times` times.
    fn ball(times: usize, radius: f64) -> Mesh {
        let mut places: Vec<[f64; 3]> =
            vec![[1., 0., 0.], [-1., 0., 0.], [0., 1., 0.], [0., -1., 0.], [0., 0., 1.], [0., 0., -1.]];
        let mut triangles: Vec<[u32; 3]> = Vec::new();
        for x in [0, 1] {
            for y in [2, 3] {
                for z in [4, 5] {
                    triangles.push([x, y, z]);
                }
            }
        }
        for _ in 0..times {
            let mut middles: HashMap<[u32; 2], u32> = HashMap::new();
            let mut cut = Vec::new();
            for [a, b, c] in triangles {
                let [ab, bc, ca] = [[a, b], [b, c], [c, a]].map(|mut edge| {
                    edge.sort_unstable();
                    *middles.entry(edge).or_insert_with(|| {
                        let [p, q] = edge.map(|vertex| places[vertex as usize]);
                        let sum = [p[0] + q[0], p[1] + q[1], p[2] + q[2]];
                        let length = inner(sum, sum).sqrt();
                        places.push(sum.map(|v| v / length));
                        places.len() as u32 - 1
                    })
                });
                cut.extend([[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]);
            }
            triangles = cut;
        }
        Mesh::new(places.into_iter().map(|place| place.map(|v| v * radius)).collect(), triangles).unwrap()
    }

    #[test]
    fn areas_add_up_to_the_surface() {
        let ball = ball(4, 10.0);
        let sum: f64 = ball.vertex_areas().iter().sum();
        // 4 pi r^2, less what 2048 flat triangles cut off.
        assert!((sum / (400.0 * std::f64::consts::PI) - 1.0).abs() < 0.005, "{sum}");
    }

    #[test]
    fn ways_along_edges_are_the_shortest() {
        let mesh = plane(9, 2.0);
        // Slow twin: every edge relaxed again and again.
        let n = mesh.n_vertices();
        let mut way = vec![f64::INFINITY; n];
        way[40] = 0.0;
        for _ in 0..n {
            for vertex in 0..n {
                for &other in mesh.adjacency().neighbours(vertex) {
                    let edge = minus(mesh.coordinates[vertex], mesh.coordinates[other as usize]);
                    way[vertex] = way[vertex].min(way[other as usize] + inner(edge, edge).sqrt());
                }
            }
        }
        for mm in [0.5, 2.0, 3.0, 5.9, 100.0] {
            let mut found = mesh.nearer_than(40, mm);
            assert!(found.windows(2).all(|pair| way[pair[0]] <= way[pair[1]] + 1e-12), "by distance");
            found.sort_unstable();
            assert_eq!(found, (0..n).filter(|&v| way[v] < mm).collect::<Vec<_>>(), "{mm}");
        }
        assert!(mesh.nearer_than(40, 0.0).is_empty());
    }

    #[test]
    fn heat_is_a_gaussian_in_the_plane_and_no_heat_is_lost() {
        let (n, edge, fwhm) = (61, 1.0, 8.0);
        let mesh = plane(n, edge);
        let middle = n * n / 2;
        let mut point = vec![0.0; n * n];
        point[middle] = 1.0;
        let heat = mesh.smoothed(&point, &vec![true; n * n], fwhm);
        let areas = mesh.vertex_areas();
        let total: f64 = heat.iter().zip(&areas).map(|(v, area)| v * area).sum();
        assert!((total / areas[middle] - 1.0).abs() < 1e-8, "{total}");
        assert!(heat.iter().all(|v| *v >= -1e-12));
        let squared = |v: usize| {
            let way = minus(mesh.coordinates[v], mesh.coordinates[middle]);
            inner(way, way)
        };
        // The variance per axis is that of the kernel that was asked for.
        let variance: f64 = (0..n * n).map(|v| heat[v] * areas[v] * squared(v)).sum::<f64>() / total / 2.0;
        let sigma = fwhm / (8.0 * 2f64.ln()).sqrt();
        assert!((variance / (sigma * sigma) - 1.0).abs() < 1e-3, "{variance} {}", sigma * sigma);
        // The summit of 32 steps is 32 / 31 of a Gaussian's, and triangles of 1 mm make it some 2 % higher.
        for v in (0..n * n).filter(|&v| squared(v) < fwhm * fwhm) {
            let gaussian =
                total / (std::f64::consts::TAU * sigma * sigma) * (-squared(v) / (2.0 * sigma * sigma)).exp();
            assert!((heat[v] - gaussian).abs() < 0.06 * heat[middle], "{v}: {} {gaussian}", heat[v]);
        }
        assert_eq!(mesh.smoothed(&point, &vec![true; n * n], 0.0), point);
    }

    #[test]
    fn heat_on_a_ball_keeps_constants_and_stays_inside() {
        let mesh = ball(3, 20.0);
        let n = mesh.n_vertices();
        let even = mesh.smoothed(&vec![0.7; n], &vec![true; n], 10.0);
        assert!(even.iter().all(|v| (v - 0.7).abs() < 1e-9));
        let inside: Vec<bool> = mesh.coordinates().iter().map(|place| place[2] >= 0.0).collect();
        let one: Vec<f64> = mesh.coordinates().iter().map(|place| if place[2] > 19.0 { 1.0 } else { 0.0 }).collect();
        let mut below = one.clone();
        below.iter_mut().zip(&inside).filter(|(_, inside)| !**inside).for_each(|(v, _)| *v = f64::NAN);
        let heat = mesh.smoothed(&below, &inside, 10.0);
        assert!((0..n).all(|v| heat[v].is_nan() != inside[v]), "what is outside is neither read nor reached");
        let areas = mesh.areas_of(|triangle| triangle.iter().all(|&v| inside[v as usize]));
        let held = |map: &[f64]| (0..n).filter(|&v| inside[v]).map(|v| map[v] * areas[v]).sum::<f64>();
        assert!((held(&heat) / held(&one) - 1.0).abs() < 1e-8);
    }

    #[test]
    fn triangles_without_area_carry_no_heat_and_no_number_is_lost() {
        let mesh = Mesh::new(vec![[0.0; 3], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]], vec![[0, 1, 1], [0, 1, 2]]).unwrap();
        assert_eq!(mesh.vertex_areas(), [0.0; 3]);
        assert_eq!(mesh.smoothed(&[1.0, 0.0, 0.5], &[true; 3], 4.0), [1.0, 0.0, 0.5]);
    }
}
