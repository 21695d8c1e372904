//! Where a map is cut when nobody says it: nilearn's `find_xyz_cut_coords` and `find_cut_slices` (0.14.1).

use brain_maps::{Adjacency, Connectivity, clusters};
use drawing::space::{Direction, Extent, Lattice};

/// Part of the values other than 0 that are below the threshold where none is given.
const PERCENTILE: f64 = 80.0;
/// A core of fewer voxels is no core.
const LEAST_CORE: usize = 50;

/// The middle (mm) of the largest cluster of a map: of voxels farther from 0 than the threshold (else the 80th
/// percentile), the centre of mass of those in its core, which lie farther from 0 than its mean. NaN count as 0; a map
/// of zeros has no such place.
pub(super) fn middle_of_largest(
    values: &[f64],
    shape: [usize; 3],
    lattice: &Lattice,
    threshold: Option<f64>,
) -> Option<[f64; 3]> {
    let height = |voxel: usize| if values[voxel].is_finite() { values[voxel].abs() } else { 0.0 };
    let mut heights: Vec<f64> = (0..values.len()).map(height).filter(|v| *v != 0.0).collect();
    if heights.is_empty() {
        return None;
    }
    let threshold = threshold.unwrap_or_else(|| {
        let at = (heights.len() as f64 * 0.01 * PERCENTILE) as usize;
        *heights.select_nth_unstable_by(at, f64::total_cmp).1
    });
    let above: Vec<usize> = (0..values.len())
        .filter(|&voxel| height(voxel) > threshold - 2.0 * f64::EPSILON && height(voxel) > 0.0)
        .collect();
    // Where nothing is above the threshold, everything counts.
    let everything = || (0..values.len()).filter(|&voxel| height(voxel) > 0.0).collect();
    let mut members = if above.is_empty() { everything() } else { largest(&above, shape) };
    if !above.is_empty() {
        let signed = |voxel: usize| if values[voxel].is_finite() { values[voxel] } else { 0.0 };
        let mean = (members.iter().map(|&voxel| signed(voxel)).sum::<f64>() / members.len() as f64).abs();
        let core: Vec<usize> = members.iter().copied().filter(|&voxel| height(voxel) > mean).collect();
        if core.len() > LEAST_CORE {
            members = largest(&core, shape);
        }
    }
    let mass: f64 = members.iter().map(|&voxel| height(voxel)).sum();
    let [_, nj, nk] = shape;
    let mut middle = [0.0; 3];
    for &voxel in &members {
        for (d, at) in [voxel / (nj * nk), voxel / nk % nj, voxel % nk].into_iter().enumerate() {
            middle[d] += at as f64 * height(voxel) / mass;
        }
    }
    Some(lattice.millimetres(middle))
}

/// The largest cluster of voxels that share faces; the first of equals.
fn largest(voxels: &[usize], shape: [usize; 3]) -> Vec<usize> {
    let found = clusters(&Adjacency::of_grid(shape, voxels, Connectivity::Faces));
    let most = found.iter().map(Vec::len).max().unwrap_or(0);
    let first = found.into_iter().find(|members| members.len() == most).unwrap_or_default();
    first.into_iter().map(|point| voxels[point]).collect()
}

/// A map on a grid whose axes are x, y and z; an axis may run backwards.
struct Upright {
    n: [usize; 3],
    /// Heights, z fastest.
    heights: Vec<f64>,
    /// Millimetres of the first voxel, and from one to the next.
    first: [f64; 3],
    step: [f64; 3],
}

impl Upright {
    fn of(values: &[f64], shape: [usize; 3], lattice: &Lattice) -> Upright {
        let all = Extent::over((0..8).map(|corner| {
            lattice.millimetres(std::array::from_fn(|d| if corner >> d & 1 == 1 { shape[d] as f64 - 1.0 } else { 0.0 }))
        }));
        let all = all.unwrap_or(Extent { lo: [0.0; 3], hi: [0.0; 3] });
        let origin = lattice.millimetres([0.0; 3]);
        let (mut n, mut first, mut step) = ([1; 3], all.lo, [lattice.finest(); 3]);
        if lattice.is_upright() {
            let mut in_order = true;
            for (c, n_along) in shape.into_iter().enumerate() {
                let one = lattice.millimetres(std::array::from_fn(|d| f64::from(u8::from(d == c))));
                let moved: [f64; 3] = std::array::from_fn(|d| one[d] - origin[d]);
                let axis = (0..3).max_by(|&a, &b| moved[a].abs().total_cmp(&moved[b].abs())).unwrap_or(c);
                in_order &= axis == c;
                (n[axis], first[axis], step[axis]) = (n_along, origin[axis], moved[axis]);
            }
            // Axes that are x, y and z in this order stay as the file has them; others are put in order, and forwards.
            for d in 0..3 {
                if !in_order && step[d] < 0.0 {
                    (first[d], step[d]) = (all.lo[d], -step[d]);
                }
            }
        } else {
            n = std::array::from_fn(|d| ((all.hi[d] - all.lo[d]) / step[d]).floor() as usize + 1);
        }
        let mut heights = Vec::with_capacity(n.iter().product());
        for x in 0..n[0] {
            for y in 0..n[1] {
                for z in 0..n[2] {
                    let at = [x, y, z];
                    let mm = std::array::from_fn(|d| first[d] + at[d] as f64 * step[d]);
                    let v = lattice.voxel_at(mm).map_or(0.0, |voxel| values[voxel].abs());
                    heights.push(if v.is_finite() { v } else { 0.0 });
                }
            }
        }
        Upright { n, heights, first, step }
    }

    fn along(&self, at: usize, axis: usize) -> usize {
        let [_, ny, nz] = self.n;
        [at / (ny * nz), at / nz % ny, at % nz][axis]
    }

    /// Each voxel and a fifth of each neighbour, over 2.2.
    fn smoothed(&self) -> Vec<f64> {
        let [_, ny, nz] = self.n;
        let strides = [ny * nz, nz, 1];
        let one = |at: usize| {
            let mut sum = self.heights[at];
            for (axis, stride) in strides.into_iter().enumerate() {
                let place = self.along(at, axis);
                if place + 1 < self.n[axis] {
                    sum += 0.2 * self.heights[at + stride];
                }
                if place > 0 {
                    sum += 0.2 * self.heights[at - stride];
                }
            }
            sum / 2.2
        };
        (0..self.heights.len()).map(one).collect()
    }
}

/// Places (mm, rising) of `n` cuts along an axis: through the highest peaks, which are half an n-th of the map apart;
/// where there are fewer, between and beside them. All slices where there are not more than `n`.
pub(super) fn through_peaks(
    values: &[f64],
    shape: [usize; 3],
    lattice: &Lattice,
    direction: Direction,
    n: usize,
) -> Vec<f64> {
    let map = Upright::of(values, shape, lattice);
    let axis = direction.axis();
    let n_slices = map.n[axis];
    let mut cuts: Vec<usize> = if n > n_slices { (0..n_slices).collect() } else { peaks(&map, axis, n) };
    cuts.sort_unstable();
    let mut places: Vec<f64> = cuts.into_iter().map(|at| map.first[axis] + at as f64 * map.step[axis]).collect();
    places.sort_by(f64::total_cmp);
    places
}

fn peaks(map: &Upright, axis: usize, n: usize) -> Vec<usize> {
    let n_slices = map.n[axis];
    let mut heights = map.smoothed();
    let spacing = ((0.5 / n as f64 * n_slices as f64) as usize).max(1);
    let mut cuts: Vec<usize> = Vec::new();
    for _ in 0..n {
        let first_highest = (0..heights.len()).fold(0, |best, at| if heights[at] > heights[best] { at } else { best });
        let slice = map.along(first_highest, axis);
        let around = slice.saturating_sub(spacing)..slice + spacing;
        // Not to 0, so that further rounds find what is left.
        for (at, height) in heights.iter_mut().enumerate() {
            if around.contains(&map.along(at, axis)) {
                *height *= 1e-3;
            }
        }
        cuts.push(slice);
    }
    cuts.sort_unstable();
    cuts.dedup();
    let mut sums = vec![0.0; n_slices];
    map.heights.iter().enumerate().for_each(|(at, height)| sums[map.along(at, axis)] += height);
    while cuts.len() < n {
        let (lowest, highest) = (cuts[0], cuts[cuts.len() - 1]);
        let mut candidates = vec![highest + 2];
        let gap = |k: usize| cuts[k + 1] - cuts[k];
        if cuts.len() > 1 {
            let widest = (0..cuts.len() - 1).fold(0, |best, k| if gap(k) > gap(best) { k } else { best });
            let between = (cuts[widest] + cuts[widest + 1]) / 2;
            if !cuts.contains(&between) {
                candidates.push(between);
            }
        }
        if lowest >= 2 {
            candidates.push(lowest - 2);
        }
        let weight = |slice: usize| sums.get(slice).copied().unwrap_or(0.0);
        let best = candidates.iter().copied().reduce(|best, c| if weight(c) > weight(best) { c } else { best });
        let Some(best) = best else { break };
        cuts.push(best);
        cuts.sort_unstable();
        cuts.dedup();
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use brain_formats::VolumeReader;
    use serde_json::Value;

    #[test]
    fn cuts_are_those_of_nilearn_whatever_the_axes() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/golden/brain-pictures");
        let text = std::fs::read_to_string(format!("{folder}/nilearn.json")).unwrap();
        let said: Value = serde_json::from_str(&text).unwrap();
        for name in ["plain", "flipped", "permuted", "oblique"] {
            let file = std::fs::File::open(format!("{folder}/{name}.nii.gz")).unwrap();
            let mut reader = VolumeReader::new(file, None).unwrap();
            let grid = reader.geometry().clone();
            let mut values = Vec::new();
            reader.next_volume(&mut values).unwrap();
            let lattice = Lattice::new(grid.shape, grid.affine).unwrap();
            let said = &said[name];
            let near = |found: &[f64], expected: &Value| {
                let expected: Vec<f64> = expected.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
                assert_eq!(found.len(), expected.len(), "{name}");
                // Sums of f4 there, of f8 here.
                let off = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(off < 1e-3, "{name}: {found:?} {expected:?}");
            };
            for (threshold, expected) in said["middle"].as_object().unwrap() {
                let threshold = Some(threshold.parse().unwrap());
                near(&middle_of_largest(&values, grid.shape, &lattice, threshold).unwrap(), expected);
            }
            let expected = &said["middle_without_threshold"];
            near(&middle_of_largest(&values, grid.shape, &lattice, None).unwrap(), expected);
            let Some(cuts) = said["cuts"].as_object() else { continue };
            for (axis, by_n) in cuts {
                let direction = match axis.as_str() {
                    "x" => Direction::X,
                    "y" => Direction::Y,
                    _ => Direction::Z,
                };
                for (n, expected) in by_n.as_object().unwrap() {
                    let mut expected: Vec<Value> = expected.as_array().unwrap().clone();
                    expected.sort_by(|a, b| a.as_f64().unwrap().total_cmp(&b.as_f64().unwrap()));
                    let found = through_peaks(&values, grid.shape, &lattice, direction, n.parse().unwrap());
                    near(&found, &Value::Array(expected));
                }
            }
        }
    }

    #[test]
    fn the_middle_is_that_of_the_largest_cluster_wherever_its_axes_run() {
        // x falls with i; a block of 27 voxels and a higher one of a single voxel.
        let affine = [[-2.0, 0.0, 0.0, 20.0], [0.0, 2.0, 0.0, -10.0], [0.0, 0.0, 2.0, -4.0]];
        let (shape, mut values) = ([12, 12, 12], vec![f64::NAN; 12 * 12 * 12]);
        let lattice = Lattice::new(shape, affine).unwrap();
        for (i, j, k) in (0..27).map(|n| (n / 9, n / 3 % 3, n % 3)) {
            values[((i + 1) * 12 + j + 6) * 12 + k + 4] = -5.0;
        }
        values[(9 * 12 + 1) * 12 + 1] = 9.0;
        let middle = middle_of_largest(&values, shape, &lattice, Some(3.0)).unwrap();
        let expected = lattice.millimetres([2.0, 7.0, 5.0]);
        assert!((0..3).all(|d| (middle[d] - expected[d]).abs() < 1e-9), "{middle:?} {expected:?}");
        assert_eq!(expected, [16.0, 4.0, 6.0]);
        assert_eq!(middle_of_largest(&[0.0, f64::NAN], [1, 1, 2], &lattice, None), None);
    }

    #[test]
    fn cuts_go_through_the_peaks_and_never_past_the_number_of_slices() {
        let lattice = Lattice::new([1, 1, 10], [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 3.0, -9.0]]);
        let lattice = lattice.unwrap();
        let values = [0.0, 0.0, 8.0, 0.0, 0.0, 0.0, 0.0, -6.0, 0.0, 0.0];
        let along = |n: usize| through_peaks(&values, [1, 1, 10], &lattice, Direction::Z, n);
        assert_eq!(along(1), [-3.0]);
        assert_eq!(along(2), [-3.0, 12.0]);
        assert_eq!(along(11).len(), 10);
        assert_eq!(through_peaks(&values, [1, 1, 10], &lattice, Direction::X, 1), [0.0]);
    }
}
