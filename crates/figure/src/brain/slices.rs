//! Slices of a volume, and the volume looked through (glass brain).

use anyhow::{Result, bail};
use brain_formats::Geometry;
use drawing::outline::outlines;
use drawing::space::{Direction, Extent, Lattice, Plane};
use drawing::style;
use drawing::{Line, Pane, Path, Picture, SignedBar, value};

use super::regions::{self, Regions};
use super::templates::Schematic;

/// A volume and where its voxels are.
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) values: Vec<f64>,
    pub(super) grid: Geometry,
    pub(super) lattice: Lattice,
}

impl Volume {
    pub(super) fn new(name: String, values: Vec<f64>, grid: &Geometry) -> Result<Volume> {
        let Some(lattice) = Lattice::new(grid.shape, grid.affine) else {
            bail!("{name}: {grid}: its axes lie in one plane, so that voxels have no place");
        };
        Ok(Volume { name, values, grid: grid.clone(), lattice })
    }

    /// Voxels that are part of the map: those with a number other than 0.
    fn has(&self, voxel: usize) -> bool {
        self.values[voxel].is_finite() && self.values[voxel] != 0.0
    }
}

/// A volume behind the map, and the values that are black and white.
pub(super) struct Background {
    volume: Volume,
    window: [f64; 2],
}

/// Greys of a background: so many keep a picture's colours below 256.
const GREYS: f64 = 63.0;
/// Most pixels along a side of a slice.
pub(super) const MOST_PIXELS: f64 = 420.0;

impl Background {
    /// Black is somewhat below the 1st percentile of what is not 0, white its 99th percentile.
    pub(super) fn new(volume: Volume) -> Result<Background> {
        let step = volume.values.len() / 200_000 + 1;
        let mut some: Vec<f64> =
            volume.values.iter().step_by(step).copied().filter(|v| v.is_finite() && *v != 0.0).collect();
        some.sort_by(f64::total_cmp);
        let (Some(first), Some(_)) = (some.first(), some.last()) else {
            bail!("{}: all {} voxels are 0 or NaN; it shows nothing behind a map", volume.name, volume.values.len());
        };
        let at = |part: f64| some[((some.len() - 1) as f64 * part) as usize];
        let (low, high) = (at(0.01), at(0.99));
        let window = if high > low { [low - 0.2 * (high - low), high] } else { [*first - 1.0, *first] };
        Ok(Background { volume, window })
    }

    fn grey(&self, v: f64) -> Option<u8> {
        if !v.is_finite() || v == 0.0 {
            return None;
        }
        let share = ((v - self.window[0]) / (self.window[1] - self.window[0])).clamp(0.0, 1.0);
        Some((40.0 + 200.0 * (share * GREYS).round() / GREYS) as u8)
    }
}

/// What is drawn in slices.
pub(super) struct Slices<'a> {
    pub(super) map: &'a Volume,
    pub(super) bar: &'a SignedBar,
    pub(super) background: Option<&'a Background>,
    pub(super) regions: Option<(&'a Regions, Lattice)>,
}

impl Slices<'_> {
    /// What all panes show, in mm, and the edge of a pixel: that of the finest voxels, or a multiple of it where a side
    /// would have more than `most` pixels.
    pub(super) fn frame(&self, most: f64) -> Result<(Extent, f64)> {
        let shown = self.map.lattice.extent_of(|voxel| self.bar.colour(self.map.values[voxel]).is_some());
        let around = match self.background {
            Some(Background { volume, .. }) => volume.lattice.extent_of(|voxel| volume.has(voxel)),
            None => self.map.lattice.extent_of(|voxel| self.map.has(voxel)),
        };
        let Some(extent) = around.into_iter().chain(shown).reduce(Extent::with) else {
            bail!("{}: all {} voxels are 0 or NaN; there is nothing to draw", self.map.name, self.map.values.len());
        };
        let mut lattices = vec![&self.map.lattice];
        lattices.extend(self.background.map(|background| &background.volume.lattice));
        lattices.extend(self.regions.as_ref().map(|(_, lattice)| lattice));
        let mut pixel = lattices.iter().map(|lattice| lattice.finest()).fold(f64::INFINITY, f64::min);
        let longest = (0..3).map(|d| extent.hi[d] - extent.lo[d]).fold(0.0, f64::max);
        while longest / pixel > most {
            pixel *= 2.0;
        }
        // A pixel of room, so that outlines at the border are whole.
        let (lo, hi) = (extent.lo.map(|v| v - pixel), extent.hi.map(|v| v + pixel));
        Ok((Extent { lo, hi }, pixel))
    }

    /// The slice in a plane. Colours are those of voxels, none between them.
    pub(super) fn pane(&self, plane: &Plane) -> Pane {
        let points: Vec<[f64; 3]> = plane.pixels().collect();
        let values: Vec<f64> = points
            .iter()
            .map(|mm| self.map.lattice.voxel_at(*mm).map_or(f64::NAN, |voxel| self.map.values[voxel]))
            .map(|v| if self.bar.colour(v).is_some() { v } else { f64::NAN })
            .collect();
        let inside: Vec<bool> =
            points.iter().map(|mm| self.map.lattice.voxel_at(*mm).is_some_and(|voxel| self.map.has(voxel))).collect();
        let behind = |at: usize| match self.background {
            Some(background) => {
                let Background { volume, .. } = background;
                let exact = volume.lattice.is_upright() && volume.lattice.finest() >= plane.pixel;
                let v = match exact {
                    true => volume.lattice.voxel_at(points[at]).map_or(f64::NAN, |voxel| volume.values[voxel]),
                    false => volume.lattice.linear(&volume.values, points[at]),
                };
                background.grey(v).map(|grey| [grey; 3])
            }
            None => inside[at].then_some([0xe6; 3]),
        };
        let pixels = values
            .iter()
            .enumerate()
            .map(|(at, &v)| match self.bar.colour(v).or_else(|| behind(at)) {
                Some([r, g, b]) => [r, g, b, 255],
                None => [255, 255, 255, 0],
            })
            .collect();
        let mut lines = Vec::new();
        if self.background.is_none() {
            lines.push(outline_of(&inside, plane.n[0], "voxels with a value"));
        }
        if let Some((all, lattice)) = &self.regions {
            let of_pixel: Vec<Vec<u32>> = all
                .layers
                .iter()
                .map(|layer| points.iter().map(|mm| lattice.voxel_at(*mm).map_or(0, |v| layer[v])).collect())
                .collect();
            lines.extend(regions::lines(&all.names, &of_pixel, plane.n[0], 0.0));
        }
        let mut data = attributes(plane, &values);
        data.push(("data-at", value(plane.at)));
        pane(format!("{} = {} mm", plane.direction.name(), signed(plane.at)), plane, values, pixels, lines, data)
    }

    /// All slices of a direction behind one another: of the values along a line of sight the farthest from 0 is seen.
    /// `side` keeps what is left (-1) or right (1) of the middle.
    pub(super) fn glass(
        &self,
        plane: &Plane,
        extent: &Extent,
        side: f64,
        schematic: Option<&Schematic>,
        caption: &str,
    ) -> Pane {
        let axis = plane.direction.axis();
        let finest = self.map.lattice.finest();
        // Between the axes of the grid a line of sight crosses corners of voxels.
        let step = if self.map.lattice.is_upright() { finest } else { finest / 2.0 };
        let n_steps = ((extent.hi[axis] - extent.lo[axis]) / step).ceil() as usize;
        let mut values = vec![f64::NAN; plane.n[0] * plane.n[1]];
        let mut inside = vec![false; values.len()];
        for (at, mut mm) in plane.pixels().enumerate() {
            let mut most = 0.0f64;
            for k in 0..n_steps {
                mm[axis] = extent.lo[axis] + (k as f64 + 0.5) * step;
                if mm[0] * side < 0.0 {
                    continue;
                }
                let Some(voxel) = self.map.lattice.voxel_at(mm).filter(|&voxel| self.map.has(voxel)) else { continue };
                inside[at] = true;
                let v = self.map.values[voxel];
                if v.abs() > most.abs() && self.bar.colour(v).is_some() {
                    most = v;
                }
            }
            if most != 0.0 {
                values[at] = most;
            }
        }
        let pixels = values
            .iter()
            .zip(&inside)
            .map(|(&v, inside)| match (self.bar.colour(v), inside) {
                (Some([r, g, b]), _) => [r, g, b, 255],
                (None, true) if schematic.is_none() => [0xef, 0xef, 0xef, 255],
                _ => [255, 255, 255, 0],
            })
            .collect();
        let lines = match schematic {
            None => vec![outline_of(&inside, plane.n[0], "voxels with a value")],
            Some(schematic) => {
                let place = |&[right, up]: &[f64; 2]| {
                    let mut mm = [0.0; 3];
                    let drawn = plane.direction.drawn();
                    (mm[drawn[0]], mm[drawn[1]]) = (right, up);
                    plane.place(mm)
                };
                let line = |pieces: &[Vec<[f64; 2]>], colour, width| Line {
                    class: "outline",
                    name: "schematic brain (MNI152)".into(),
                    colour,
                    width,
                    path: Path::Curves(pieces.iter().map(|piece| piece.iter().map(place).collect()).collect()),
                };
                let faint = line(&schematic.faint, style::MISSING, style::THIN);
                vec![faint, line(&schematic.strong, style::GREY, style::THIN * 1.3)]
            }
        };
        let data = attributes(plane, &values);
        pane(caption.into(), plane, values, pixels, lines, data)
    }
}

fn pane(
    caption: String,
    plane: &Plane,
    values: Vec<f64>,
    pixels: Vec<[u8; 4]>,
    lines: Vec<Line>,
    data: Vec<(&'static str, String)>,
) -> Pane {
    let mut ends = match plane.direction {
        Direction::X => ["P".to_string(), "A".to_string()],
        Direction::Y | Direction::Z => ["L".to_string(), "R".to_string()],
    };
    if plane.mirrored {
        ends.swap(0, 1);
    }
    let picture = Picture { n_columns: plane.n[0], pixels };
    Pane { caption, data, pixel: plane.pixel, picture, smooth: false, values, lines, ends }
}

fn outline_of(inside: &[bool], n_columns: usize, name: &str) -> Line {
    let path = Path::Loops(outlines(inside, n_columns));
    Line { class: "outline", name: name.into(), colour: style::GREY, width: style::THIN * 0.7, path }
}

/// What a reader of the SVG needs to find a pixel's millimetres, and what the picture shows.
fn attributes(plane: &Plane, values: &[f64]) -> Vec<(&'static str, String)> {
    let shown = || values.iter().copied().filter(|v| v.is_finite());
    let ends = shown().fold((f64::NAN, f64::NAN), |(lo, hi), v| (v.min(lo), v.max(hi)));
    let first = plane.millimetres(0, 0);
    let drawn = plane.direction.drawn();
    vec![
        ("data-direction", plane.direction.name().into()),
        ("data-pixel", value(plane.pixel)),
        ("data-first-pixel", format!("{} {}", value(first[drawn[0]]), value(first[drawn[1]]))),
        ("data-n-shown", shown().count().to_string()),
        ("data-lowest", value(ends.0)),
        ("data-highest", value(ends.1)),
    ]
}

/// A number with the sign of print, at most one decimal.
pub(super) fn signed(v: f64) -> String {
    let rounded = (v * 10.0).round() / 10.0;
    format!("{}", if rounded == 0.0 { 0.0 } else { rounded }).replace('-', "−")
}
