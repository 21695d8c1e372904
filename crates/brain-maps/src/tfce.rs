//! Threshold-free cluster enhancement (Smith and Nichols 2009), exactly.

use crate::Adjacency;

/// The weight of a cluster's extent (E).
pub const EXTENT_POWER: f64 = 0.5;
/// The weight of height (H).
pub const HEIGHT_POWER: f64 = 2.0;

/// The enhanced value of every point: the integral from 0 to its value over h of `extent(h)^E h^H`, where `extent(h)`
/// is the number of points of the cluster that holds it above h; E = 0.5 and H = 2. Values of 0 and below, and NaN, are
/// enhanced to 0.
///
/// There are no steps: between two values that occur, no cluster changes, so each stretch of h is `extent^0.5 (hi^3 -
/// lo^3) / 3`. That makes the value of a point depend on its own cluster alone. Steps that are a share of the map's own
/// maximum (nilearn, 100 of them) make one strong voxel anywhere change the scale of all others, and of the null
/// distribution from map to map.
///
/// ```
/// use brain_maps::{Adjacency, Connectivity, tfce};
/// // two neighbours of 3 and 2, and one of 1 that is alone
/// let row = Adjacency::of_grid([1, 1, 4], &[0, 1, 3], Connectivity::Faces);
/// let enhanced = tfce(&row, &[3.0, 2.0, 1.0]);
/// let exact = [19.0 / 3.0 + 2f64.sqrt() * 8.0 / 3.0, 2f64.sqrt() * 8.0 / 3.0, 1.0 / 3.0];
/// assert!(enhanced.iter().zip(exact).all(|(a, b)| (a - b).abs() < 1e-15));
/// ```
pub fn tfce(adjacency: &Adjacency, values: &[f64]) -> Vec<f64> {
    let mut enhancer = Enhancer::default();
    let mut enhanced = vec![0.0; values.len()];
    enhancer.enhance(adjacency, values, &mut enhanced);
    enhanced
}

/// Does what [`tfce`] does, and keeps its memory from one map to the next.
///
/// Points join from the highest down. A point that joins becomes the top of the cluster that it makes or merges: a tree
/// in which each point knows the point at which its cluster changed next. What a point is worth is then what its
/// cluster gathered until that change, and all that is below it: sums of positive numbers alone, in which nothing
/// cancels.
#[derive(Debug, Clone, Default)]
pub struct Enhancer {
    /// Points with values above 0, highest first: bits of the value, and the point.
    order: Vec<(u64, u32)>,
    /// The point at which a point's cluster changed next; itself while it has not.
    next: Vec<u32>,
    /// A shortcut along `next` to where it ends.
    root: Vec<u32>,
    extent: Vec<u32>,
}

/// A point that has not joined.
const OUTSIDE: u32 = u32::MAX;

impl Enhancer {
    /// Puts the enhanced values into `enhanced`, and returns the largest.
    pub fn enhance(&mut self, adjacency: &Adjacency, values: &[f64], enhanced: &mut [f64]) -> f64 {
        assert_eq!(values.len(), adjacency.len(), "{} values, {} points", values.len(), adjacency.len());
        let n = values.len();
        self.order.clear();
        // Bits of positive numbers are in the order of the numbers.
        self.order.extend(values.iter().enumerate().filter(|(_, v)| **v > 0.0).map(|(p, v)| (v.to_bits(), p as u32)));
        self.order.sort_unstable_by(|a, b| b.cmp(a));
        self.root.clear();
        self.root.resize(n, OUTSIDE);
        self.next.resize(n, 0);
        self.extent.resize(n, 0);
        for place in 0..self.order.len() {
            let point = self.order[place].1;
            let at = point as usize;
            (self.root[at], self.next[at], self.extent[at]) = (point, point, 1);
            for &neighbour in adjacency.neighbours(at) {
                if self.root[neighbour as usize] == OUTSIDE {
                    continue;
                }
                let top = self.top_of(neighbour);
                if top != point {
                    self.root[top as usize] = point;
                    self.next[top as usize] = point;
                    self.extent[at] += self.extent[top as usize];
                }
            }
        }
        enhanced.fill(0.0);
        let mut largest = 0.0;
        for &(bits, point) in self.order.iter().rev() {
            let (at, below) = (point as usize, self.next[point as usize] as usize);
            let high = f64::from_bits(bits);
            let (low, gathered) = if below == at { (0.0, 0.0) } else { (values[below], enhanced[below]) };
            // hi^3 - lo^3 as a product, which loses no digits where they are close.
            let cubes = (high - low) * (high * high + high * low + low * low);
            let value = gathered + f64::from(self.extent[at]).sqrt() * cubes / 3.0;
            enhanced[at] = value;
            largest = f64::max(largest, value);
        }
        largest
    }

    fn top_of(&mut self, mut point: u32) -> u32 {
        loop {
            let above = self.root[point as usize];
            if above == point {
                return point;
            }
            let further = self.root[above as usize];
            self.root[point as usize] = further;
            point = further;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clusters::Clusters;
    use crate::grid::Connectivity;
    use statistics::Draws;

    fn grid(shape: [usize; 3], connectivity: Connectivity) -> Adjacency {
        Adjacency::of_grid(shape, &(0..shape.iter().product()).collect::<Vec<_>>(), connectivity)
    }

    fn noise(n: usize, seed: u64) -> Vec<f64> {
        let mut draws = Draws::new(seed);
        (0..n).map(|_| draws.normal_pair()[0]).collect()
    }

    /// The obvious way: clusters at the middle of many small steps.
    fn by_steps(adjacency: &Adjacency, values: &[f64], n_steps: usize) -> Vec<f64> {
        let highest = values.iter().copied().fold(0.0, f64::max);
        let dh = highest / n_steps as f64;
        let (mut found, mut sums) = (Clusters::default(), vec![0.0; values.len()]);
        for step in 0..n_steps {
            let h = (step as f64 + 0.5) * dh;
            found.find(adjacency, values, h);
            for (point, &label) in found.labels.iter().enumerate().filter(|(_, label)| **label > 0) {
                let extent = found.extents[label as usize - 1] as f64;
                sums[point] += extent.powf(EXTENT_POWER) * h.powf(HEIGHT_POWER) * dh;
            }
        }
        sums
    }

    #[test]
    fn the_vector_worked_by_hand() {
        let row = Adjacency::of_grid([1, 1, 4], &[0, 1, 3], Connectivity::Faces);
        let enhanced = tfce(&row, &[3.0, 2.0, 1.0]);
        for (found, wanted) in enhanced.iter().zip([10.104569499661586, 3.771236166328254, 1.0 / 3.0]) {
            assert!((found / wanted - 1.0).abs() < 4.0 * f64::EPSILON, "{found} {wanted}");
        }
        assert_eq!(tfce(&row, &[-3.0, 0.0, f64::NAN]), [0.0; 3]);
    }

    #[test]
    fn many_small_steps_come_near_it() {
        for connectivity in [Connectivity::Faces, Connectivity::Edges, Connectivity::Corners] {
            let adjacency = grid([6, 7, 5], connectivity);
            let mut values = noise(210, 4);
            values[10..40].iter_mut().for_each(|v| *v += 1.5);
            values[100] = values[101]; // a tie of neighbours
            let (exact, stepped) = (tfce(&adjacency, &values), by_steps(&adjacency, &values, 20_000));
            for (point, (a, b)) in exact.iter().zip(&stepped).enumerate() {
                // A step is 2e-4 high: at the end of a stretch that much of its extent's share is off.
                assert!((a - b).abs() < 2e-3 * a.max(0.05), "{connectivity:?} {point}: {a} {b}");
            }
            assert!(exact.iter().copied().fold(0.0, f64::max) > 5.0);
        }
    }

    #[test]
    fn a_strong_voxel_elsewhere_lowers_no_other() {
        let adjacency = grid([9, 8, 7], Connectivity::Faces);
        let mut values = noise(504, 7);
        let before = tfce(&adjacency, &values);
        values[0] = 20.0;
        let after = tfce(&adjacency, &values);
        let mut n_same = 0;
        for (point, (a, b)) in before.iter().zip(&after).enumerate().skip(1) {
            assert!(b >= a, "{point}: {a} {b}");
            n_same += usize::from(a.to_bits() == b.to_bits());
        }
        // Far from it nothing changes at all.
        assert!(n_same > 100, "{n_same}");
    }

    #[test]
    fn the_order_of_the_points_does_not_matter() {
        let voxels: Vec<usize> = (0..120).collect();
        let adjacency = Adjacency::of_grid([4, 6, 5], &voxels, Connectivity::Faces);
        let values: Vec<f64> = noise(120, 9).iter().map(|v| (v * 4.0).round()).collect();
        // The grid turned round: the last voxel is the first.
        let turned: Vec<f64> = values.iter().rev().copied().collect();
        let (a, b) = (tfce(&adjacency, &values), tfce(&adjacency, &turned));
        assert!(a.iter().zip(b.iter().rev()).all(|(a, b)| (a - b).abs() <= 1e-13 * a), "ties in another order");
    }

    #[test]
    fn a_mesh_and_a_memory_that_was_used_before() {
        let mesh = Adjacency::of_mesh(4, &[[0, 1, 2]]).unwrap();
        let mut enhancer = Enhancer::default();
        let mut out = vec![0.0; 4];
        enhancer.enhance(&mesh, &[1.0, 2.0, 3.0, 4.0], &mut out);
        let largest = enhancer.enhance(&mesh, &[1.0, 1.0, 1.0, 0.0], &mut out);
        assert_eq!(out, [3f64.sqrt() / 3.0, 3f64.sqrt() / 3.0, 3f64.sqrt() / 3.0, 0.0]);
        assert_eq!(largest, out[0]);
    }
}
