//! Surfaces of a brain as they are seen from a side: orthographic projection, hidden parts removed, light and shade.

/// A hemisphere of the brain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hemisphere {
    /// x below 0.
    Left,
    /// x above 0.
    Right,
}

/// The side from which a hemisphere is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// From outside.
    Lateral,
    /// From between the hemispheres.
    Medial,
    /// From below.
    Ventral,
    /// From above.
    Dorsal,
    /// From the front.
    Anterior,
    /// From behind.
    Posterior,
}

/// Where the eye is: three directions at right angles (x right, y front, z up of the brain).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Eye {
    /// What is to the right in the picture.
    pub right: [f64; 3],
    /// What is up in the picture.
    pub up: [f64; 3],
    /// From the brain to the eye.
    pub towards: [f64; 3],
}

impl View {
    /// Where the eye is for this view of a hemisphere.
    ///
    /// Views from below and from above keep the front where the lateral view of the same hemisphere has it, as if the
    /// hemisphere were rolled towards the eye; so the front is at the left of a left hemisphere, but for its medial
    /// view.
    pub fn eye(self, hemisphere: Hemisphere) -> Eye {
        // Outwards along x.
        let out = if hemisphere == Hemisphere::Left { -1.0 } else { 1.0 };
        let (towards, right) = match self {
            View::Lateral => ([out, 0.0, 0.0], [0.0, out, 0.0]),
            View::Medial => ([-out, 0.0, 0.0], [0.0, -out, 0.0]),
            View::Ventral => ([0.0, 0.0, -1.0], [0.0, out, 0.0]),
            View::Dorsal => ([0.0, 0.0, 1.0], [0.0, out, 0.0]),
            View::Anterior => ([0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]),
            View::Posterior => ([0.0, -1.0, 0.0], [1.0, 0.0, 0.0]),
        };
        Eye { right, up: cross(towards, right), towards }
    }

    /// Its name, as anatomists have it.
    pub fn name(self) -> &'static str {
        match self {
            View::Lateral => "lateral",
            View::Medial => "medial",
            View::Ventral => "ventral",
            View::Dorsal => "dorsal",
            View::Anterior => "anterior",
            View::Posterior => "posterior",
        }
    }
}

/// What is seen in a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// The triangle.
    pub triangle: u32,
    /// Weights of its three corners, which sum to 1.
    pub weights: [f32; 3],
    /// Light, from 0 (edge on) to 1 (faces the eye).
    pub light: f32,
}

/// A surface as it is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Pixels of a row.
    pub n_columns: usize,
    /// What is seen in each pixel, row by row from the upper left; `None` beside the surface.
    pub seen: Vec<Option<Seen>>,
    /// Edge of a pixel in mm.
    pub pixel: f64,
}

impl Scene {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.seen.len() / self.n_columns.max(1)
    }
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// The directions in which the surface faces at its vertices: means of those of the triangles around, by area.
fn normals(vertices: &[[f64; 3]], triangles: &[[u32; 3]]) -> Vec<[f64; 3]> {
    let mut sums = vec![[0.0; 3]; vertices.len()];
    for triangle in triangles {
        let [a, b, c] = triangle.map(|vertex| vertices[vertex as usize]);
        let normal = cross(minus(b, a), minus(c, a));
        for vertex in triangle {
            (0..3).for_each(|d| sums[*vertex as usize][d] += normal[d]);
        }
    }
    for sum in &mut sums {
        let length = dot(*sum, *sum).sqrt();
        if length > 0.0 {
            *sum = sum.map(|v| v / length);
        }
    }
    sums
}

/// No triangle.
const NONE: u32 = u32::MAX;

/// A number that changes evenly from left to right.
#[derive(Debug, Clone, Copy)]
struct Along {
    at_0: f64,
    step: f64,
}

impl Along {
    fn at(self, x: f64) -> f64 {
        self.at_0 + self.step * x
    }
}

/// A triangle in pixels: its corners' weights and its depth are linear in x and y.
struct Face {
    /// Of each corner the weight at (0, 0), and its change in x and in y.
    weights: [[f64; 3]; 3],
    depths: [f64; 3],
    rows: [f64; 2],
}

/// Points on a border belong to both sides, whatever is rounded.
const BORDER: f64 = 1e-9;

impl Face {
    /// `None` of a triangle without an area, or seen edge on.
    fn of(corners: [[f64; 3]; 3]) -> Option<Face> {
        let [a, b, c] = corners;
        let area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        if area == 0.0 || !area.is_finite() {
            return None;
        }
        // Twice the area of (p, q, here) over that of all.
        let part =
            |p: [f64; 3], q: [f64; 3]| [(p[0] * q[1] - p[1] * q[0]) / area, (p[1] - q[1]) / area, (q[0] - p[0]) / area];
        let rows = corners.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[lo, hi], v| [lo.min(v[1]), hi.max(v[1])]);
        Some(Face { weights: [part(b, c), part(c, a), part(a, b)], depths: corners.map(|v| v[2]), rows })
    }

    fn weights(&self, x: f64, y: f64) -> [f64; 3] {
        self.weights.map(|[at_0, dx, dy]| at_0 + dx * x + dy * y)
    }

    /// From where to where the triangle reaches at this height.
    fn columns(&self, y: f64) -> Option<[f64; 2]> {
        let (mut lo, mut hi) = (f64::NEG_INFINITY, f64::INFINITY);
        for [at_0, dx, dy] in self.weights {
            let here = at_0 + dy * y + BORDER;
            // Where here + dx x reaches 0.
            if dx > 0.0 {
                lo = lo.max(-here / dx);
            } else if dx < 0.0 {
                hi = hi.min(-here / dx);
            } else if here < 0.0 {
                return None;
            }
        }
        (lo <= hi).then_some([lo, hi])
    }

    fn depth_in(&self, y: f64) -> Along {
        let sum = |k: usize| self.weights.iter().zip(self.depths).map(|(weight, depth)| weight[k] * depth).sum::<f64>();
        Along { at_0: sum(0) + sum(2) * y, step: sum(1) }
    }
}

/// The first and the last of `n` pixels whose middle lies between.
fn between([lo, hi]: [f64; 2], n: usize) -> Option<(usize, usize)> {
    let (first, last) = ((lo - 0.5).ceil().max(0.0), (hi - 0.5).floor().min(n as f64 - 1.0));
    (first <= last).then_some((first as usize, last as usize))
}

/// How many triangles have no area: two corners in one place, or all three on a line.
///
/// ```
/// let vertices = [[0.0; 3], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
/// assert_eq!(drawing::mesh::n_without_area(&vertices, &[[0, 1, 3], [0, 1, 2], [3, 3, 0]]), 2);
/// ```
pub fn n_without_area(vertices: &[[f64; 3]], triangles: &[[u32; 3]]) -> usize {
    let is_flat = |triangle: &&[u32; 3]| {
        let [a, b, c] = triangle.map(|vertex| vertices[vertex as usize]);
        cross(minus(b, a), minus(c, a)) == [0.0; 3]
    };
    triangles.iter().filter(is_flat).count()
}

/// Draws a surface: of what lies behind one another in a pixel the nearest to the eye is seen (z-buffer). `vertices` in
/// mm, `triangles` numbers of vertices (below their number), `pixel` the edge of a pixel in mm. The picture is as large
/// as the surface, with a pixel around it.
pub fn seen_from(vertices: &[[f64; 3]], triangles: &[[u32; 3]], eye: &Eye, pixel: f64) -> Scene {
    let used = || triangles.iter().flatten().map(|&vertex| vertices[vertex as usize]);
    let ends = |axis: [f64; 3]| {
        used().map(|v| dot(v, axis)).fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)))
    };
    let ((left, right), (bottom, top)) = (ends(eye.right), ends(eye.up));
    if left > right {
        return Scene { n_columns: 0, seen: Vec::new(), pixel };
    }
    let n_columns = ((right - left) / pixel).ceil() as usize + 2;
    let n_rows = ((top - bottom) / pixel).ceil() as usize + 2;
    // In pixels from the upper left, and the distance towards the eye.
    let flat: Vec<[f64; 3]> = vertices
        .iter()
        .map(|&v| [(dot(v, eye.right) - left) / pixel + 1.0, (top - dot(v, eye.up)) / pixel + 1.0, dot(v, eye.towards)])
        .collect();
    // First which triangle is the nearest in each pixel; light and weights are needed of these alone.
    let mut nearest = vec![(f64::NEG_INFINITY, NONE); n_columns * n_rows];
    for (number, triangle) in triangles.iter().enumerate() {
        let Some(face) = Face::of(triangle.map(|vertex| flat[vertex as usize])) else { continue };
        let number = u32::try_from(number).unwrap_or(NONE);
        let Some((from_y, to_y)) = between(face.rows, n_rows) else { continue };
        for row in from_y..=to_y {
            let Some((from_x, to_x)) = face.columns(row as f64 + 0.5).and_then(|ends| between(ends, n_columns)) else {
                continue;
            };
            let depth = face.depth_in(row as f64 + 0.5);
            for (column, place) in nearest[row * n_columns..][from_x..=to_x].iter_mut().enumerate() {
                let here = depth.at((from_x + column) as f64 + 0.5);
                if here > place.0 {
                    *place = (here, number);
                }
            }
        }
    }
    let lights: Vec<f64> = normals(vertices, triangles).iter().map(|&normal| dot(normal, eye.towards).abs()).collect();
    let mut last: Option<(u32, Face)> = None;
    let mut seen = Vec::with_capacity(nearest.len());
    for (row, line) in nearest.chunks(n_columns).enumerate() {
        for (column, &(_, number)) in line.iter().enumerate() {
            if number == NONE {
                seen.push(None);
                continue;
            }
            let corners = triangles[number as usize];
            // Pixels side by side are mostly of one triangle.
            if last.as_ref().is_none_or(|(known, _)| *known != number) {
                last = Face::of(corners.map(|vertex| flat[vertex as usize])).map(|face| (number, face));
            }
            seen.push(last.as_ref().map(|(_, face)| {
                let weights = face.weights(column as f64 + 0.5, row as f64 + 0.5);
                let light: f64 = weights.iter().zip(corners).map(|(w, v)| w * lights[v as usize]).sum();
                Seen { triangle: number, weights: weights.map(|w| w as f32), light: light.clamp(0.0, 1.0) as f32 }
            }));
        }
    }
    Scene { n_columns, seen, pixel }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An octahedron, every triangle divided in four `times` times, on a sphere of radius `r`.
    fn sphere(r: f64, times: usize) -> (Vec<[f64; 3]>, Vec<[u32; 3]>) {
        let mut vertices: Vec<[f64; 3]> = Vec::new();
        for d in 0..3 {
            for sign in [1.0, -1.0] {
                let mut v = [0.0; 3];
                v[d] = sign * r;
                vertices.push(v);
            }
        }
        let mut triangles = Vec::new();
        for x in 0..2 {
            for y in 2..4 {
                // Every triangle faces outwards, whichever octant it is in.
                triangles.extend((4..6).map(|z| if (x + y + z) % 2 == 0 { [x, y, z] } else { [x, z, y] }));
            }
        }
        for _ in 0..times {
            let mut finer = Vec::new();
            for [a, b, c] in triangles {
                let mut middle = |p: u32, q: u32| {
                    let sum: [f64; 3] = std::array::from_fn(|d| vertices[p as usize][d] + vertices[q as usize][d]);
                    let length = dot(sum, sum).sqrt();
                    vertices.push(sum.map(|v| v * r / length));
                    u32::try_from(vertices.len()).unwrap() - 1
                };
                let (ab, bc, ca) = (middle(a, b), middle(b, c), middle(c, a));
                finer.extend([[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]);
            }
            triangles = finer;
        }
        (vertices, triangles)
    }

    #[test]
    fn the_silhouette_of_a_sphere_is_a_disc_and_its_middle_is_brightest() {
        let (vertices, triangles) = sphere(50.0, 4);
        for view in [View::Lateral, View::Ventral, View::Posterior] {
            let scene = seen_from(&vertices, &triangles, &view.eye(Hemisphere::Left), 0.5);
            let n = scene.seen.iter().flatten().count() as f64;
            let disc = std::f64::consts::PI * 100.0 * 100.0;
            assert!((n - disc).abs() < 0.01 * disc, "{view:?}: {n} pixels of {disc}");
            let middle = scene.seen[scene.n_rows() / 2 * scene.n_columns + scene.n_columns / 2].unwrap();
            assert!(middle.light > 0.99, "{middle:?}");
            let brightest = scene.seen.iter().flatten().map(|seen| seen.light).fold(0.0, f32::max);
            assert!(brightest <= 1.0);
            // What is seen is the half that faces the eye.
            let eye = view.eye(Hemisphere::Left);
            for seen in scene.seen.iter().flatten() {
                let corners = triangles[seen.triangle as usize].map(|v| dot(vertices[v as usize], eye.towards));
                assert!(corners.into_iter().fold(f64::NEG_INFINITY, f64::max) > -2.5);
            }
        }
    }

    #[test]
    fn the_nearer_of_two_is_seen_whatever_their_order() {
        // Two squares at right angles to x; the eye of the left lateral view is at negative x.
        let square = |x: f64, half: f64| [[x, -half, -half], [x, half, -half], [x, half, half], [x, -half, half]];
        let vertices = [square(-5.0, 1.0), square(5.0, 2.0)].concat();
        let both = [[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]];
        for order in [[0, 1, 2, 3], [2, 3, 0, 1]] {
            let triangles = order.map(|k: usize| both[k]);
            let scene = seen_from(&vertices, &triangles, &View::Lateral.eye(Hemisphere::Left), 0.1);
            let near = |seen: &Seen| triangles[seen.triangle as usize][0] < 4;
            let n_near = scene.seen.iter().flatten().filter(|seen| near(seen)).count();
            let n_all = scene.seen.iter().flatten().count();
            assert_eq!((n_near, n_all), (20 * 20, 40 * 40));
        }
        let other = seen_from(&vertices, &both, &View::Medial.eye(Hemisphere::Left), 0.1);
        assert!(other.seen.iter().flatten().all(|seen| seen.triangle >= 2));
    }

    #[test]
    fn views_are_where_anatomy_has_them() {
        use Hemisphere::{Left, Right};
        // (view, hemisphere, a point, where it must be): the column and row of the largest triangle are compared
        // between a marked end and the middle.
        let front = [0.0, 60.0, 0.0];
        let above = [0.0, 0.0, 60.0];
        let at = |view: View, hemisphere: Hemisphere, point: [f64; 3]| {
            let eye = view.eye(hemisphere);
            [dot(point, eye.right), dot(point, eye.up)]
        };
        // Seen from its outside, the front of the left hemisphere is at the left, that of the right one at the right.
        assert_eq!(at(View::Lateral, Left, front), [-60.0, 0.0]);
        assert_eq!(at(View::Lateral, Right, front), [60.0, 0.0]);
        assert_eq!(at(View::Medial, Left, front), [60.0, 0.0]);
        assert_eq!(at(View::Medial, Right, front), [-60.0, 0.0]);
        for view in [View::Lateral, View::Medial, View::Anterior, View::Posterior] {
            for hemisphere in [Left, Right] {
                assert_eq!(at(view, hemisphere, above), [0.0, 60.0], "{view:?}");
            }
        }
        // Facing a person, their left is at the right; from behind it is not.
        assert_eq!(at(View::Anterior, Left, [-1.0, 0.0, 0.0]), [1.0, 0.0]);
        assert_eq!(at(View::Posterior, Left, [-1.0, 0.0, 0.0]), [-1.0, 0.0]);
        assert_eq!(at(View::Ventral, Left, front), [-60.0, 0.0]);
        assert_eq!(at(View::Dorsal, Right, front), [60.0, 0.0]);
        // No view is a mirror image: right, up and towards are a right-handed system.
        for view in [View::Lateral, View::Medial, View::Ventral, View::Dorsal, View::Anterior, View::Posterior] {
            for hemisphere in [Left, Right] {
                let eye = view.eye(hemisphere);
                assert_eq!(cross(eye.right, eye.up), eye.towards, "{view:?} {hemisphere:?}");
            }
        }
        // The lateral view of the left hemisphere shows what has the lowest x.
        let (vertices, triangles) = sphere(50.0, 3);
        let scene = seen_from(&vertices, &triangles, &View::Lateral.eye(Left), 1.0);
        let middle = scene.seen[scene.n_rows() / 2 * scene.n_columns + scene.n_columns / 2].unwrap();
        assert!(triangles[middle.triangle as usize].iter().all(|&v| vertices[v as usize][0] < -45.0));
    }

    #[test]
    fn nothing_is_an_empty_scene() {
        let scene = seen_from(&[], &[], &View::Dorsal.eye(Hemisphere::Right), 1.0);
        assert_eq!((scene.n_columns, scene.n_rows()), (0, 0));
    }
}
