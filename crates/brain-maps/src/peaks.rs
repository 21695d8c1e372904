//! Peaks: local maxima of a map within a cluster, plateaus included.

use std::collections::HashMap;

use crate::Adjacency;
use crate::grid::Connectivity;

/// How far, relative to their height, points of one plateau may differ: a few roundings of the f4 that maps are stored
/// in.
const PLATEAU: f64 = 4.0 * f32::EPSILON as f64;

/// The peaks of one cluster, highest first: local maxima that are at least `distance_mm` from every higher peak.
///
/// `adjacency` is that of the cluster's points alone (on a grid, 26 neighbours), with their heights and their places in
/// mm. Neighbouring points of one height are a plateau: one peak, if no neighbour of any of them is higher, that stands
/// at its highest point, of equal ones at that with the smallest number.
pub fn peaks(adjacency: &Adjacency, heights: &[f64], places: &[[f64; 3]], distance_mm: f64) -> Vec<usize> {
    let maxima = local_maxima(adjacency, heights);
    // None is nearer to itself.
    if distance_mm <= 0.0 {
        return maxima;
    }
    let mut kept: Vec<usize> = Vec::new();
    // Peaks by the cube that they are in: one that is too near is in the same cube or in one beside it.
    let mut cubes: HashMap<[i64; 3], Vec<[f64; 3]>> = HashMap::new();
    for candidate in maxima {
        let here = places[candidate];
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

/// One point for each local maximum, single or a plateau, highest first, equal ones by number.
pub(crate) fn local_maxima(adjacency: &Adjacency, heights: &[f64]) -> Vec<usize> {
    // Points that no plateau has claimed yet.
    let mut waiting = vec![true; heights.len()];
    let mut from_top: Vec<usize> = (0..heights.len()).collect();
    from_top.sort_by(|&a, &b| heights[b].total_cmp(&heights[a]).then(a.cmp(&b)));
    let mut maxima = Vec::new();
    let mut frontier = Vec::new();
    for top in from_top {
        if !std::mem::take(&mut waiting[top]) {
            continue;
        }
        let lowest = heights[top] - PLATEAU * heights[top].abs();
        let mut highest = true;
        frontier.push(top);
        while let Some(point) = frontier.pop() {
            for &neighbour in adjacency.neighbours(point) {
                let neighbour = neighbour as usize;
                highest &= heights[neighbour] <= heights[top];
                if heights[neighbour] >= lowest && std::mem::take(&mut waiting[neighbour]) {
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
    use crate::grid::{place, voxel};

    /// Of some voxels of a grid with these voxel sizes.
    fn found(shape: [usize; 3], sizes: [f64; 3], members: &[usize], t: &[f64], distance: f64) -> Vec<usize> {
        let adjacency = Adjacency::of_grid(shape, members, Connectivity::Corners);
        let heights: Vec<f64> = members.iter().map(|&v| t[v]).collect();
        let mm = |v: usize| [0, 1, 2].map(|axis| place(shape, v)[axis] as f64 * sizes[axis]);
        let places: Vec<[f64; 3]> = members.iter().map(|&v| mm(v)).collect();
        peaks(&adjacency, &heights, &places, distance).into_iter().map(|p| members[p]).collect()
    }

    #[test]
    fn peaks_are_apart_and_a_plateau_has_one() {
        // Twelve voxels of 2 mm along k. Tops at 1 (t 5), 3 (t 4, 4 mm away), 8 and 9 (t 3, a plateau).
        let t = [1.0, 5.0, 2.0, 4.0, 2.0, 1.0, 1.5, 2.0, 3.0, 3.0, 2.0, 1.0];
        let members: Vec<usize> = (0..12).collect();
        let row = |distance| found([1, 1, 12], [2.0; 3], &members, &t, distance);
        assert_eq!(row(0.0), [1, 3, 8]);
        assert_eq!(row(8.0), [1, 8]);
        assert_eq!(row(4.0), [1, 3, 8]);
    }

    #[test]
    fn a_shelf_below_a_top_is_no_peak_and_rounding_does_not_break_a_plateau() {
        let members: Vec<usize> = (0..9).collect();
        let row = |t: &[f64]| found([1, 1, 9], [10.0; 3], &members, t, 0.0);
        // A shelf of 3s that leads up to the 5.
        assert_eq!(row(&[1., 3., 3., 3., 5., 1., 1., 1., 1.]), [4]);
        // f8 values of one height that differ by roundings; two plateaus apart are two peaks.
        let up = 5f64.next_up();
        assert_eq!(row(&[5., up, 5., 1., 5., 5., up, 5., up]), [1, 6]);
        // A plateau in three dimensions, with its corners touching.
        let cube = [4; 3];
        let mut t = vec![1.0; 64];
        let plateau = [[0, 0, 0], [1, 1, 1], [2, 2, 2], [2, 2, 3], [3, 3, 2]].map(|place| voxel(cube, place));
        plateau.iter().for_each(|&voxel| t[voxel] = 4.0);
        let all: Vec<usize> = (0..64).collect();
        assert_eq!(found(cube, [1.0; 3], &all, &t, 0.0), [0]);
        // One voxel above a part of it is the only peak.
        t[voxel(cube, [3, 2, 3])] = 4.1;
        assert_eq!(found(cube, [1.0; 3], &all, &t, 0.0), [voxel(cube, [3, 2, 3])]);
    }

    #[test]
    fn peaks_apart_are_those_of_a_pairwise_search() {
        let (shape, sizes) = ([12, 11, 10], [2.0, 1.5, 3.0]);
        let t: Vec<f64> = (0..1320).map(|v| ((v * 2_654_435_761usize) % 1_000_003) as f64).collect();
        let members: Vec<usize> = (0..1320).filter(|v| v % 7 != 0).collect();
        let all = found(shape, sizes, &members, &t, 0.0);
        for distance in [0.5, 2.0, 4.5, 9.0, 100.0] {
            let mut slow: Vec<usize> = Vec::new();
            for &candidate in &all {
                let mm = |v: usize| [0, 1, 2].map(|axis| place(shape, v)[axis] as f64 * sizes[axis]);
                let apart = |a: usize, b: usize| -> f64 {
                    mm(a).iter().zip(mm(b)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
                };
                if slow.iter().all(|&peak| apart(candidate, peak) >= distance) {
                    slow.push(candidate);
                }
            }
            assert_eq!(found(shape, sizes, &members, &t, distance), slow, "{distance}");
        }
        assert!(all.len() > 30);
    }

    #[test]
    fn a_mesh_has_peaks_too() {
        // Two triangles: the vertex that both share is the lowest.
        let mesh = Adjacency::of_mesh(5, &[[0, 1, 2], [2, 3, 4]]).unwrap();
        let places = [0.0, 1.0, 2.0, 3.0, 4.0].map(|x| [x, 0.0, 0.0]);
        assert_eq!(peaks(&mesh, &[1.0, 4.0, 0.5, 3.0, 3.0], &places, 0.0), [1, 3]);
        assert_eq!(peaks(&mesh, &[1.0, 4.0, 0.5, 3.0, 3.0], &places, 2.5), [1]);
    }
}
