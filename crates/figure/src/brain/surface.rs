//! Hemispheres as they are seen from their sides, with a map on them.

use anyhow::{Result, bail};
use brain_formats::gifti::Mesh;
use drawing::mesh::{Eye, Hemisphere, Seen, View, seen_from};
use drawing::space::Lattice;
use drawing::{Pane, Picture, SignedBar, value};

use super::maps::name;
use super::regions;

/// A hemisphere with what is drawn on it.
pub(super) struct Side {
    pub(super) hemisphere: Hemisphere,
    pub(super) mesh: Mesh,
    /// Sulcal depth of each vertex (above 0 in sulci), which shades the surface.
    pub(super) depth: Option<Vec<f64>>,
    /// The map, NaN where it has no number.
    pub(super) values: Vec<f64>,
    /// Names of regions, and that of each vertex (from 1), one list per layer.
    pub(super) regions: Option<(Vec<String>, Vec<Vec<u32>>)>,
}

/// Samples between the two surfaces, as in nilearn's `vol_to_surf(kind="depth")`.
const SAMPLES: usize = 10;

/// The values of a volume at the vertices of a cortex: means over ten places from the pial to the white surface, linear
/// between voxels; places outside the volume and beside NaN do not count. Agrees with nilearn (0.14.1) where the volume
/// is finite. Coordinates in mm of the volume.
pub(super) fn onto_cortex(values: &[f64], lattice: &Lattice, pial: &Mesh, white: &Mesh) -> Result<Vec<f64>> {
    if pial.coordinates.len() != white.coordinates.len() {
        bail!("the pial surface has {} vertices, the white one {}", pial.coordinates.len(), white.coordinates.len());
    }
    let one = |(outer, inner): (&[f64; 3], &[f64; 3])| {
        let samples = (0..SAMPLES).map(|k| {
            let depth = k as f64 / (SAMPLES - 1) as f64;
            lattice.linear(values, std::array::from_fn(|d| outer[d] + depth * (inner[d] - outer[d])))
        });
        let (sum, n) = samples.filter(|v| v.is_finite()).fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
        if n > 0.0 { sum / n } else { f64::NAN }
    };
    Ok(pial.coordinates.iter().zip(&white.coordinates).map(one).collect())
}

/// Pixels of a picture for each one that is sampled along a side: edges are smooth.
const OVER: usize = 2;
/// Steps of a colour channel: fewer make a smaller file, and are not seen.
const CHANNEL_STEP: f64 = 4.0;

/// The pane of a view. `pixel` is the edge of a pixel in mm of the brain.
pub(super) fn pane(side: &Side, view: View, bar: &SignedBar, pixel: f64) -> Pane {
    let eye = view.eye(side.hemisphere);
    let scene = seen_from(&side.mesh.coordinates, &side.mesh.triangles, &eye, pixel / OVER as f64);
    let n = [scene.n_columns.div_ceil(OVER), scene.n_rows().div_ceil(OVER)];
    let (scene_columns, scene_rows) = (scene.n_columns, scene.n_rows());
    let at = |column: usize, row: usize| match column < scene_columns && row < scene_rows {
        true => scene.seen[row * scene_columns + column],
        false => None,
    };
    // Of the three corners the nearest: colours are those of vertices, none between them.
    let vertex = |seen: &Seen| {
        let corners = side.mesh.triangles[seen.triangle as usize];
        let nearest = (0..3).fold(0, |best, k| if seen.weights[k] > seen.weights[best] { k } else { best });
        corners[nearest] as usize
    };
    let greys: Option<Vec<f64>> = side.depth.as_ref().map(|depth| depth.iter().map(|&d| grey_of(d)).collect());
    let colours: Vec<Option<[f64; 3]>> =
        side.values.iter().map(|&v| bar.colour(v).map(|colour| colour.map(f64::from))).collect();
    let colour = |seen: &Seen| -> [f64; 3] {
        let light = f64::from(seen.light);
        if let Some(colour) = colours[vertex(seen)] {
            // Lit less, or a colour would not be that of the bar.
            return colour.map(|part| part * (0.72 + 0.28 * light));
        }
        let corners = side.mesh.triangles[seen.triangle as usize];
        let grey = greys.as_ref().map_or(205.0, |greys| {
            corners.iter().zip(seen.weights).map(|(&v, w)| greys[v as usize] * f64::from(w)).sum()
        });
        [grey * (0.45 + 0.55 * light); 3]
    };
    let (mut pixels, mut values) = (Vec::with_capacity(n[0] * n[1]), Vec::with_capacity(n[0] * n[1]));
    let n_layers = side.regions.as_ref().map_or(0, |(_, layers)| layers.len());
    let mut of_pixel: Vec<Vec<u32>> = vec![vec![0; n[0] * n[1]]; n_layers];
    for row in 0..n[1] {
        for column in 0..n[0] {
            let (mut sum, mut count) = ([0.0; 3], 0.0);
            for k in 0..OVER * OVER {
                if let Some(seen) = at(column * OVER + k % OVER, row * OVER + k / OVER) {
                    colour(&seen).iter().zip(&mut sum).for_each(|(part, sum)| *sum += part);
                    count += 1.0;
                }
            }
            let whole = |part: f64| ((part / count / CHANNEL_STEP).round() * CHANNEL_STEP).clamp(0.0, 255.0) as u8;
            let opacity = (255.0 * count / (OVER * OVER) as f64) as u8;
            pixels.push(match count > 0.0 {
                true => [whole(sum[0]), whole(sum[1]), whole(sum[2]), opacity],
                false => [255, 255, 255, 0],
            });
            let first = at(column * OVER, row * OVER).map(|seen| vertex(&seen));
            let v = first.map_or(f64::NAN, |vertex| side.values[vertex]);
            values.push(if first.is_some_and(|vertex| colours[vertex].is_some()) { v } else { f64::NAN });
            if let (Some(vertex), Some((_, layers))) = (first, &side.regions) {
                let place = row * n[0] + column;
                of_pixel.iter_mut().zip(layers).for_each(|(of, layer)| of[place] = layer[vertex]);
            }
        }
    }
    let lines = match &side.regions {
        Some((names, _)) => regions::lines(names, &of_pixel, n[0], 0.7),
        None => Vec::new(),
    };
    let shown = || side.values.iter().copied().filter(|v| bar.colour(*v).is_some());
    let ends = shown().fold((f64::NAN, f64::NAN), |(lo, hi), v| (v.min(lo), v.max(hi)));
    let data = vec![
        ("data-hemisphere", name(side.hemisphere).to_string()),
        ("data-view", view.name().to_string()),
        ("data-pixel", value(pixel)),
        ("data-n-vertices-shown", shown().count().to_string()),
        ("data-lowest", value(ends.0)),
        ("data-highest", value(ends.1)),
    ];
    let caption = format!("{} hemisphere, {}", name(side.hemisphere), view.name());
    let picture = Picture { n_columns: n[0], pixels };
    Pane { caption, data, pixel, picture, smooth: true, values, lines, ends: ends_of(&eye) }
}

/// Gyri are lighter than sulci, with a soft border between them.
fn grey_of(depth: f64) -> f64 {
    let share = (depth / 0.6).clamp(-1.0, 1.0);
    if share.is_nan() { 205.0 } else { 200.0 - 38.0 * share }
}

/// What of the brain is at the left and at the right of a view.
fn ends_of(eye: &Eye) -> [String; 2] {
    let letters = match eye.right {
        [_, y, _] if y > 0.5 => ["P", "A"],
        [_, y, _] if y < -0.5 => ["A", "P"],
        [x, ..] if x > 0.5 => ["L", "R"],
        _ => ["R", "L"],
    };
    letters.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tetrahedron whose vertices are at the left, right, front and top.
    fn mesh() -> Mesh {
        Mesh {
            structure: None,
            coordinates: vec![[-30.0, 0.0, 0.0], [30.0, 0.0, 0.0], [0.0, 60.0, 0.0], [0.0, 0.0, 40.0]],
            triangles: vec![[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]],
        }
    }

    #[test]
    fn a_lateral_view_shows_the_outer_vertex_and_not_the_inner_one() {
        let bar = SignedBar { label: "t".into(), hi: 9.0, threshold: 1.0, above: true, below: true };
        let side = |values| Side { hemisphere: Hemisphere::Left, mesh: mesh(), depth: None, values, regions: None };
        let shown = |values: [f64; 4], view| {
            let pane = pane(&side(values.to_vec()), view, &bar, 1.0);
            pane.values.iter().filter(|v| v.is_finite()).count()
        };
        let (outer, inner) = ([5.0, 0.0, 0.0, 0.0], [0.0, 5.0, 0.0, 0.0]);
        assert!(shown(outer, View::Lateral) > 100 && shown(inner, View::Lateral) == 0);
        assert!(shown(outer, View::Medial) == 0 && shown(inner, View::Medial) > 100);
        // Its front is at the left of the lateral view.
        let front = pane(&side(vec![0.0, 0.0, 5.0, 0.0]), View::Lateral, &bar, 1.0);
        let n = front.picture.n_columns;
        let columns: Vec<usize> =
            (0..front.values.len()).filter(|&k| front.values[k].is_finite()).map(|k| k % n).collect();
        // A vertex is the nearest of three down to a third of its weight.
        assert!(columns.iter().any(|&column| column < 3) && columns.iter().all(|&column| 10 * column < 7 * n));
        assert_eq!(front.ends, ["A", "P"]);
    }

    #[test]
    fn a_volume_on_a_surface_is_that_of_nilearn() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/brain-pictures");
        let text = std::fs::read_to_string(format!("{folder}/nilearn.json")).unwrap();
        let said: serde_json::Value = serde_json::from_str(&text).unwrap();
        let said = &said["surface"];
        let number = |v: &serde_json::Value| v.as_f64().unwrap_or(f64::NAN);
        let points = |key: &str| -> Vec<[f64; 3]> {
            let rows = said[key].as_array().unwrap().iter();
            rows.map(|row| std::array::from_fn(|d| number(&row[d]))).collect()
        };
        // The field of the script, whose numbers the plain grid has before NaN are put outside.
        let [low, high] = [[-53.0, -89.0, -43.0], [61.0, 49.0, 59.0]];
        let shape: [usize; 3] = [20, 24, 18];
        let step: [f64; 3] = std::array::from_fn(|d| (high[d] - low[d]) / (shape[d] as f64 - 1.0));
        assert_eq!(step, [6.0; 3]);
        let affine = std::array::from_fn(|d| {
            let mut row = [0.0; 4];
            (row[d], row[3]) = (6.0, low[d]);
            row
        });
        let lattice = Lattice::new(shape, affine).unwrap();
        let field = |mm: [f64; 3]| {
            let blobs = [
                ([-38.0, -50.0, -14.0], 9.0f64, 8.0),
                ([26.0, 22.0, 30.0], 6.0, 6.5),
                ([8.0, -70.0, 20.0], 12.0, -6.0),
                ([40.0, -10.0, -8.0], 5.0, -9.0),
            ];
            let wave = 0.3 * (mm[0] / 17.0).sin() + 0.2 * (mm[1] / 13.0 + mm[2] / 11.0).cos();
            let of_blob = |(middle, width, height): ([f64; 3], f64, f64)| {
                let square: f64 = (0..3).map(|d| (mm[d] - middle[d]).powi(2)).sum();
                height * (-square / (2.0 * width * width)).exp()
            };
            wave + blobs.into_iter().map(of_blob).sum::<f64>()
        };
        let at = |voxel: usize| [voxel / (24 * 18), voxel / 18 % 24, voxel % 18].map(|v| v as f64);
        let values: Vec<f64> = (0..20 * 24 * 18).map(|voxel| field(lattice.millimetres(at(voxel)))).collect();
        let of = |key: &str| Mesh { structure: None, coordinates: points(key), triangles: vec![[0, 1, 2]] };
        let found = onto_cortex(&values, &lattice, &of("pial"), &of("white")).unwrap();
        let expected: Vec<f64> = said["values"].as_array().unwrap().iter().map(number).collect();
        assert!(found[0].is_nan() && expected[0].is_nan());
        for (a, b) in found.iter().zip(&expected).skip(1) {
            // Both in f8; the script's vertices have all their digits.
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }

    #[test]
    fn a_volume_is_averaged_between_the_surfaces() {
        // A field that is linear in x: the mean between two places is that in the middle.
        let lattice = Lattice::new([9, 3, 3], [[2.0, 0.0, 0.0, -8.0], [0.0, 2.0, 0.0, -2.0], [0.0, 0.0, 2.0, -2.0]]);
        let lattice = lattice.unwrap();
        let values: Vec<f64> = (0..81).map(|voxel| (voxel / 9) as f64 * 2.0 - 8.0).collect();
        let of = |x: f64| Mesh { coordinates: vec![[x, 0.0, 0.0], [90.0, 0.0, 0.0]], ..mesh() };
        let sampled = onto_cortex(&values, &lattice, &of(5.0), &of(2.0)).unwrap();
        assert!((sampled[0] - 3.5).abs() < 1e-12 && sampled[1].is_nan(), "{sampled:?}");
        let fewer = Mesh { coordinates: vec![[0.0; 3]], ..mesh() };
        assert!(onto_cortex(&values, &lattice, &of(5.0), &fewer).is_err());
    }
}
