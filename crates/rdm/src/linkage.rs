//! Hierarchical clustering of an RDM, and the order in which its dendrogram shows the stimuli.

use statistics::Reason;
use statistics::rounding::{EQUAL_ULPS, resolution};

use crate::Rdm;

mod centroid;
mod optimal;
mod single;

pub use optimal::optimal_merges;

/// The distance between two clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linkage {
    /// Mean over all pairs (UPGMA).
    Average,
    /// Largest of all pairs.
    Complete,
    /// Smallest of all pairs.
    Single,
    /// Mean of the distances of a cluster's two parts, however large each is (WPGMA, McQuitty).
    Weighted,
    /// Between the means of the clusters' points; for Euclidean distances. A merge may lie below the one before.
    Centroid,
    /// Ward (1963): rise of the within-cluster sum of squares; for Euclidean distances.
    Ward,
}

/// One merge of two clusters: stimuli are 0 .. n-1, the cluster of merge k is n + k.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merge {
    /// The cluster with the smaller number.
    pub left: usize,
    /// The other.
    pub right: usize,
    /// Their distance.
    pub height: f64,
    /// Stimuli in both.
    pub n_stimuli: usize,
}

/// A pair without a value, so that clusters have no distance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{n_nan} of {n_pairs} pairs have no value (NaN); clusters need all")]
pub struct MissingPairs {
    /// Pairs without a value.
    pub n_nan: usize,
    /// Pairs in all.
    pub n_pairs: usize,
}

/// The n - 1 merges, from the lowest up: SciPy's `linkage`, ties included.
///
/// Means of the same distances in another order differ in their last digit (.1 + .7 - .3 is not .5), and a sum that is
/// equal on paper must not decide who merges first: distances that differ by no more than the rounding of the updates
/// (a few units in the last place of f64 per merge) and of the stored distances are tied, and ties go as SciPy's do
/// where they are exact: the first in the order of stimuli. So RDMs whose ties are exact give one tree in f4 and in f8.
/// Of [`Linkage::Complete`] and [`Linkage::Single`], which compute nothing, every difference counts; of
/// [`Linkage::Centroid`] too, whose merges need not rise and so have no ties to be put in order, as in SciPy. All
/// distances of a constant RDM are tied.
///
/// ```
/// use rdm::{Linkage, Rdm, leaf_order, linkage};
/// // 0 and 2 are close, 1 is far from both
/// let merges = linkage(&Rdm::from_condensed(vec![5.0, 1.0, 4.0], None)?, Linkage::Average)?;
/// assert_eq!((merges[0].left, merges[0].right, merges[1].height), (0, 2, 4.5));
/// assert_eq!(leaf_order(&merges), [1, 0, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Nearest-neighbour chains (Murtagh 1983; Muellner 2011), O(n^2); centroids as in Muellner's generic algorithm.
pub fn linkage(rdm: &Rdm, how: Linkage) -> Result<Vec<Merge>, MissingPairs> {
    let n_nan = rdm.n_nan();
    if n_nan > 0 {
        return Err(MissingPairs { n_nan, n_pairs: rdm.values().len() });
    }
    let n = rdm.n_stimuli();
    let ties = Ties::of(rdm, how);
    let mut distances = rdm.to_square();
    if rdm.reason() == Some(Reason::Constant) {
        let value = rdm.values()[0];
        distances.mapv_inplace(|d| if d == 0.0 { d } else { value });
    }
    match how {
        Linkage::Single => return Ok(numbered(n, ties.sorted(single::merges(&distances)))),
        Linkage::Centroid => return Ok(centroid::merges(distances)),
        Linkage::Average | Linkage::Complete | Linkage::Weighted | Linkage::Ward => {}
    }
    // 0: the cluster is gone, its stimuli are in the other one of its merge.
    let mut sizes = vec![1usize; n];
    let mut chain: Vec<usize> = Vec::with_capacity(n);
    let mut merges: Vec<Merge> = Vec::with_capacity(n - 1);
    while merges.len() < n - 1 {
        if chain.is_empty() {
            chain.extend(sizes.iter().position(|&size| size > 0));
        }
        let (mut x, mut y, height) = loop {
            let x = chain[chain.len() - 1];
            // The one before in the chain wins ties, or the chain could go round in circles.
            let before = chain.len().checked_sub(2).map(|place| chain[place]);
            let (mut y, mut least) = before.map_or((x, f64::INFINITY), |b| (b, distances[(x, b)]));
            for other in (0..n).filter(|&other| sizes[other] > 0 && other != x) {
                if ties.is_less(distances[(x, other)], least) {
                    least = distances[(x, other)];
                    y = other;
                }
            }
            if before == Some(y) {
                break (x, y, least);
            }
            chain.push(y);
        };
        chain.truncate(chain.len() - 2);
        if x > y {
            std::mem::swap(&mut x, &mut y);
        }
        let (n_x, n_y) = (sizes[x] as f64, sizes[y] as f64);
        merges.push(Merge { left: x, right: y, height, n_stimuli: sizes[x] + sizes[y] });
        sizes[y] += sizes[x];
        sizes[x] = 0;
        for other in (0..n).filter(|&other| sizes[other] > 0 && other != y) {
            let (to_x, to_y) = (distances[(other, x)], distances[(other, y)]);
            let merged = match how {
                Linkage::Average => (n_x * to_x + n_y * to_y) / (n_x + n_y),
                Linkage::Complete => to_x.max(to_y),
                Linkage::Weighted => 0.5 * (to_x + to_y),
                Linkage::Single | Linkage::Centroid => unreachable!("merged above"),
                Linkage::Ward => {
                    let n_i = sizes[other] as f64;
                    let t = 1.0 / (n_x + n_y + n_i);
                    ((n_i + n_x) * t * to_x * to_x + (n_i + n_y) * t * to_y * to_y - n_i * t * height * height).sqrt()
                }
            };
            distances[(other, y)] = merged;
            distances[(y, other)] = merged;
        }
    }
    Ok(numbered(n, ties.sorted(merges)))
}

/// Which distances between clusters are tied.
struct Ties {
    /// Ward's distances are roots of sums, and keep no small difference: their squares are compared.
    squared: bool,
    rounding: f64,
}

impl Ties {
    /// A cluster's distances are updated once per merge; every update rounds four times, by a unit in the last place of
    /// the largest distance (Ward: of its square) at most. And the distances themselves were rounded when they were
    /// stored, by half a unit of their own precision: means of them that are equal on paper (of .1 and .3, and .2
    /// alone) differ by up to a unit, and Ward's squares by four.
    fn of(rdm: &Rdm, how: Linkage) -> Ties {
        let largest = rdm.values().iter().fold(0.0, |largest: f64, v| largest.max(v.abs()));
        let per_update = 4.0 * rdm.n_stimuli() as f64 * f64::EPSILON;
        let stored = resolution(rdm.values()) / EQUAL_ULPS;
        match how {
            Linkage::Average | Linkage::Weighted => Ties { squared: false, rounding: per_update * largest + stored },
            Linkage::Complete | Linkage::Single | Linkage::Centroid => Ties { squared: false, rounding: 0.0 },
            Linkage::Ward => Ties { squared: true, rounding: (per_update * largest + 4.0 * stored) * largest },
        }
    }

    fn is_less(&self, a: f64, b: f64) -> bool {
        match self.squared {
            true => a * a + self.rounding < b * b,
            false => a + self.rounding < b,
        }
    }

    /// From the lowest up. Chains find merges out of order; those of tied heights stay as they were found (a cluster
    /// after its parts), and no height is below the one before.
    fn sorted(&self, merges: Vec<Merge>) -> Vec<Merge> {
        let mut found: Vec<(usize, Merge)> = merges.into_iter().enumerate().collect();
        found.sort_by(|a, b| a.1.height.total_cmp(&b.1.height).then(a.0.cmp(&b.0)));
        let mut start = 0;
        while start < found.len() {
            let rest = &found[start..];
            let end = start + rest.partition_point(|m| !self.is_less(rest[0].1.height, m.1.height));
            found[start..end].sort_by_key(|m| m.0);
            start = end;
        }
        let mut highest = f64::NEG_INFINITY;
        let rising = found.into_iter().map(|(_, merge)| {
            highest = merge.height.max(highest);
            Merge { height: highest, ..merge }
        });
        rising.collect()
    }
}

/// Merges that name any stimulus of a cluster, made to name clusters by their number.
fn numbered(n: usize, mut merges: Vec<Merge>) -> Vec<Merge> {
    let mut parent: Vec<usize> = (0..2 * n - 1).collect();
    let root = |parent: &[usize], mut of: usize| {
        while parent[of] != of {
            of = parent[of];
        }
        of
    };
    let mut sizes = vec![1usize; 2 * n - 1];
    for (k, merge) in merges.iter_mut().enumerate() {
        let (x, y) = (root(&parent, merge.left), root(&parent, merge.right));
        (merge.left, merge.right) = (x.min(y), x.max(y));
        sizes[n + k] = sizes[x] + sizes[y];
        merge.n_stimuli = sizes[n + k];
        parent[x] = n + k;
        parent[y] = n + k;
    }
    merges
}

/// The stimuli from left to right under the dendrogram: SciPy's `leaves_list`.
pub fn leaf_order(merges: &[Merge]) -> Vec<usize> {
    let n = merges.len() + 1;
    let mut order = Vec::with_capacity(n);
    let mut waiting = vec![2 * n - 2];
    while let Some(cluster) = waiting.pop() {
        match cluster.checked_sub(n) {
            None => order.push(cluster),
            Some(k) => waiting.extend([merges[k].right, merges[k].left]),
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use statistics::Draws;

    /// Every step the two nearest clusters, distances from their members: O(n^4), obviously right.
    fn slow(rdm: &Rdm, how: Linkage) -> Vec<(f64, usize)> {
        let mut clusters: Vec<Vec<usize>> = (0..rdm.n_stimuli()).map(|i| vec![i]).collect();
        let between = |a: &[usize], b: &[usize]| -> f64 {
            let pairs: Vec<f64> = a.iter().flat_map(|&i| b.iter().map(move |&j| rdm.get(i, j))).collect();
            match how {
                Linkage::Complete => pairs.iter().copied().fold(0.0, f64::max),
                Linkage::Single => pairs.iter().copied().fold(f64::INFINITY, f64::min),
                _ => pairs.iter().sum::<f64>() / pairs.len() as f64,
            }
        };
        let mut merges = Vec::new();
        while clusters.len() > 1 {
            let pairs = (0..clusters.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
            let near = |&(i, j): &(usize, usize)| between(&clusters[i], &clusters[j]);
            let (i, j) = pairs.min_by(|a, b| near(a).total_cmp(&near(b))).unwrap();
            let height = between(&clusters[i], &clusters[j]);
            let joined = clusters.remove(i);
            clusters[j].extend(joined);
            merges.push((height, clusters[j].len()));
        }
        merges
    }

    #[test]
    fn heights_and_sizes_are_those_of_the_slow_twin() {
        let mut draws = Draws::new(4);
        for n in [2usize, 3, 10, 25] {
            let values: Vec<f64> = (0..n * (n - 1) / 2).map(|_| draws.uniform()).collect();
            let rdm = Rdm::from_condensed(values, None).unwrap();
            for how in [Linkage::Average, Linkage::Complete, Linkage::Single] {
                let merges = linkage(&rdm, how).unwrap();
                for (merge, (height, size)) in merges.iter().zip(slow(&rdm, how)) {
                    assert!((merge.height - height).abs() < 1e-13 && merge.n_stimuli == size, "{how:?} {n}");
                }
                let mut leaves = leaf_order(&merges);
                leaves.sort_unstable();
                assert_eq!(leaves, (0..n).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn ward_by_hand() {
        // 0, 1, 5 on a line: 0 and 1 at 1; their mean .5 to 5: sqrt(2 * 2 * 1 / 3) * 4.5 = sqrt(27).
        let merges = linkage(&Rdm::from_condensed(vec![1.0, 5.0, 4.0], None).unwrap(), Linkage::Ward).unwrap();
        assert!((merges[1].height - 27f64.sqrt()).abs() < 1e-14, "{merges:?}");
    }

    #[test]
    fn rounding_of_means_and_of_the_file_does_not_order_ties() {
        let mut draws = Draws::new(6);
        for trial in 0..200 {
            let n = 6 + trial % 30;
            // Few levels, so that means of them are often equal on paper; none is exact in binary.
            let levels: Vec<usize> = (0..n * (n - 1) / 2).map(|_| 1 + draws.below(4)).collect();
            let tree = |unit: f64, how| {
                let values = levels.iter().map(|l| *l as f64 * unit).collect();
                let merges = linkage(&Rdm::from_condensed(values, None).unwrap(), how).unwrap();
                assert!(merges.windows(2).all(|m| m[0].height <= m[1].height));
                merges.iter().map(|m| (m.left, m.right)).collect::<Vec<_>>()
            };
            for how in [Linkage::Average, Linkage::Complete, Linkage::Single, Linkage::Weighted, Linkage::Ward] {
                // levels of 3.0: sums of whole numbers are exact until they are divided
                let exact = tree(3.0, how);
                for unit in [0.1, 0.7, 1.1e-15, f64::from(0.1f32), 1e9 / 7.0] {
                    assert_eq!(tree(unit, how), exact, "{how:?} {trial} {unit}");
                }
                let single = levels.iter().map(|l| f64::from(*l as f32 * 0.1)).collect();
                let merges = linkage(&Rdm::from_condensed(single, None).unwrap(), how).unwrap();
                assert_eq!(merges.iter().map(|m| (m.left, m.right)).collect::<Vec<_>>(), exact, "{how:?} {trial} f4");
            }
        }
        let flat = |v: [f64; 6]| linkage(&Rdm::from_condensed(v.to_vec(), None).unwrap(), Linkage::Complete).unwrap();
        assert_eq!(leaf_order(&flat([1.2, 1.2, 1.2, 1.2, 1.2, 1.1999999999999997])), leaf_order(&flat([1.0; 6])));
    }

    #[test]
    fn weighted_and_centroid_by_hand() {
        // 0, 1, 5, 8 on a line: 0 and 1 merge at 1, 5 and 8 at 3. Weighted: 5 to the first pair (5 + 4) / 2, 8 to it
        // 7.5, the two of them to it 6. Centroids .5 and 6.5: 6.
        let line = Rdm::from_condensed(vec![1.0, 5.0, 8.0, 4.0, 7.0, 3.0], None).unwrap();
        for how in [Linkage::Weighted, Linkage::Centroid] {
            let heights: Vec<f64> = linkage(&line, how).unwrap().iter().map(|m| m.height).collect();
            assert!(heights.iter().zip([1.0, 3.0, 6.0]).all(|(h, e)| (h - e).abs() < 1e-14), "{how:?} {heights:?}");
        }
        // An equilateral triangle: the middle of two corners is nearer to the third than they are to each other.
        let triangle = Rdm::from_condensed(vec![1.0, 1.0, 1.0], None).unwrap();
        let merges = linkage(&triangle, Linkage::Centroid).unwrap();
        assert!((merges[1].height - 0.75f64.sqrt()).abs() < 1e-15, "{merges:?}");
    }

    #[test]
    fn centroids_are_the_distances_of_means_of_points() {
        let points = crate::testing::noise(30, 3, 5);
        let rdm = crate::distances(points.view(), crate::Distance::Euclidean).unwrap().rdm;
        let mut clusters: Vec<Vec<usize>> = (0..30).map(|i| vec![i]).collect();
        let mean = |some: &[usize]| points.select(ndarray::Axis(0), some).mean_axis(ndarray::Axis(0)).unwrap();
        for merge in linkage(&rdm, Linkage::Centroid).unwrap() {
            let (a, b) = (&clusters[merge.left], &clusters[merge.right]);
            let gap = mean(a) - mean(b);
            // 1e-12: squares of distances of order 1, updated 29 times
            assert!((gap.dot(&gap).sqrt() - merge.height).abs() < 1e-12, "{merge:?}");
            let both = [&a[..], &b[..]].concat();
            clusters.push(both);
        }
    }

    /// All 2^(n-1) orders that swaps allow, and the shortest of their ways.
    fn slow_optimum(rdm: &Rdm, merges: &[Merge]) -> f64 {
        let mut shortest = f64::INFINITY;
        for swaps in 0..1usize << merges.len() {
            let turned: Vec<Merge> = merges
                .iter()
                .enumerate()
                .map(|(k, m)| match swaps >> k & 1 {
                    0 => *m,
                    _ => Merge { left: m.right, right: m.left, ..*m },
                })
                .collect();
            shortest = shortest.min(way(rdm, &leaf_order(&turned)));
        }
        shortest
    }

    fn way(rdm: &Rdm, order: &[usize]) -> f64 {
        order.windows(2).map(|pair| rdm.get(pair[0], pair[1])).sum()
    }

    #[test]
    fn no_swap_shortens_an_optimal_order() {
        let mut draws = Draws::new(8);
        for n in [2usize, 3, 4, 9, 12] {
            for how in [Linkage::Average, Linkage::Single, Linkage::Ward, Linkage::Centroid] {
                let points = crate::testing::noise(n, 4, draws.below(1000) as u64);
                let rdm = crate::distances(points.view(), crate::Distance::Euclidean).unwrap().rdm;
                let merges = linkage(&rdm, how).unwrap();
                let turned = optimal_merges(&rdm, &merges);
                let (found, expected) = (way(&rdm, &leaf_order(&turned)), slow_optimum(&rdm, &merges));
                // sums of up to 11 numbers of order 1
                assert!((found - expected).abs() < 1e-13, "{how:?} {n}: {found} {expected}");
                let sides = |m: &Merge| (m.left.min(m.right), m.left.max(m.right), m.height.to_bits(), m.n_stimuli);
                assert!(turned.iter().map(sides).eq(merges.iter().map(sides)));
                assert_eq!(turned.last().map(|m| m.left), merges.last().map(|m| m.left), "{how:?} {n}");
            }
        }
    }

    #[test]
    fn an_order_that_scipy_misses() {
        // The matrix of scipy/scipy#11227, complete linkage: 0, 1, 2, 3 is the shortest of the orders.
        let values = vec![0.46680166, 0.7747411, 0.79942054, 0.28626558, 0.68441929, 0.74692541];
        let rdm = Rdm::from_condensed(values, None).unwrap();
        let merges = linkage(&rdm, Linkage::Complete).unwrap();
        let order = leaf_order(&optimal_merges(&rdm, &merges));
        let shortest = slow_optimum(&rdm, &merges);
        assert!((way(&rdm, &order) - shortest).abs() < 1e-15, "{order:?}");
        assert!(order == [0, 1, 2, 3] || order == [3, 2, 1, 0], "{order:?}");
    }

    #[test]
    fn a_missing_pair_is_refused() {
        let rdm = Rdm::from_condensed(vec![1.0, f64::NAN, 4.0], None).unwrap();
        // Dissimilarities below 0 are no distances, and still come to an end.
        let below = Rdm::from_condensed(vec![-5.0, 1.0, 1.0, -2.0, 0.5, 3.0], None).unwrap();
        assert_eq!(linkage(&below, Linkage::Centroid).unwrap().len(), 3);
        for how in [Linkage::Ward, Linkage::Single, Linkage::Centroid] {
            assert_eq!(linkage(&rdm, how).unwrap_err(), MissingPairs { n_nan: 1, n_pairs: 3 });
        }
    }
}
