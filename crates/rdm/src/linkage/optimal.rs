//! Optimal leaf ordering: of the 2^(n-1) orders that a dendrogram allows the one whose neighbours are nearest.

use ndarray::Array2;
use rayon::prelude::*;

use super::Merge;
use crate::Rdm;

/// The same merges with `left` and `right` swapped where that shortens the way from leaf to leaf: the sum of the
/// dissimilarities of neighbours in [`super::leaf_order`] is then the least that the dendrogram allows. SciPy's
/// `optimal_leaf_ordering` is meant to be this and often returns a longer one (scipy/scipy#11227).
///
/// The root keeps its sides, so that the order is not the mirror image. Exact, by dynamic programming over the leaves
/// at both ends of every cluster: O(n^3) and `n x n` numbers. Bar-Joseph, Gifford and Jaakkola (2001).
///
/// # Panics
/// When the merges are not those of as many stimuli as the RDM has.
pub fn optimal_merges(rdm: &Rdm, merges: &[Merge]) -> Vec<Merge> {
    let n = rdm.n_stimuli();
    assert_eq!(merges.len() + 1, n, "merges: {} for {n} stimuli", merges.len());
    let distances = rdm.to_square();
    // The shortest way through the smallest cluster that holds two leaves, from one to the other.
    let mut ways = Array2::<f64>::zeros((n, n));
    // Of every cluster, rising.
    let mut members: Vec<Vec<usize>> = (0..n).map(|leaf| vec![leaf]).collect();
    for merge in merges {
        let (left, right) = (halves(merges, n, merge.left), halves(merges, n, merge.right));
        let found: Vec<(usize, Vec<f64>)> = members[merge.left]
            .par_iter()
            .map(|&u| {
                let inner = far_half(&members, left, u);
                // To every leaf of the right side, from u through the left one.
                let entered: Vec<f64> = members[merge.right]
                    .iter()
                    .map(|&k| {
                        let through = inner.iter().map(|&m| ways[(u, m)] + distances[(m, k)]);
                        through.fold(f64::INFINITY, f64::min)
                    })
                    .collect();
                let mut by_leaf = vec![f64::INFINITY; n];
                members[merge.right].iter().zip(&entered).for_each(|(&k, &way)| by_leaf[k] = way);
                let to = |&w: &usize| {
                    let through = far_half(&members, right, w).iter().map(|&k| by_leaf[k] + ways[(k, w)]);
                    through.fold(f64::INFINITY, f64::min)
                };
                (u, members[merge.right].iter().map(to).collect())
            })
            .collect();
        for (u, row) in found {
            for (&w, way) in members[merge.right].iter().zip(row) {
                ways[(u, w)] = way;
                ways[(w, u)] = way;
            }
        }
        let mut both = [&members[merge.left][..], &members[merge.right][..]].concat();
        both.sort_unstable();
        members.push(both);
    }
    let mut turned = merges.to_vec();
    let Some(root) = merges.last() else { return turned };
    let ends = shortest(&members[root.left], &members[root.right], |u, w| ways[(u, w)]);
    // Clusters with the leaves that stand at their two ends.
    let mut waiting = vec![(2 * n - 2, ends.0, ends.1)];
    while let Some((cluster, first, last)) = waiting.pop() {
        let Some(k) = cluster.checked_sub(n) else { continue };
        let Merge { left, right, .. } = merges[k];
        let (left, right) = if members[left].binary_search(&first).is_ok() { (left, right) } else { (right, left) };
        (turned[k].left, turned[k].right) = (left, right);
        let inner = far_half(&members, halves(merges, n, left), first);
        let outer = far_half(&members, halves(merges, n, right), last);
        let (m, k) = shortest(inner, outer, |m, k| ways[(first, m)] + distances[(m, k)] + ways[(k, last)]);
        waiting.extend([(left, first, m), (right, k, last)]);
    }
    turned
}

/// The two clusters that a cluster was made of; none of a leaf.
fn halves(merges: &[Merge], n: usize, cluster: usize) -> Option<(usize, usize)> {
    cluster.checked_sub(n).map(|k| (merges[k].left, merges[k].right))
}

/// The leaves that can stand at one end of a cluster when `leaf` stands at the other: those of the half that does not
/// hold it; the leaf itself when it is alone.
fn far_half(members: &[Vec<usize>], halves: Option<(usize, usize)>, leaf: usize) -> &[usize] {
    match halves {
        None => &members[leaf],
        Some((a, b)) => {
            if members[a].binary_search(&leaf).is_ok() {
                &members[b]
            } else {
                &members[a]
            }
        }
    }
}

/// The pair with the least value, the first of equals.
fn shortest(some: &[usize], others: &[usize], of: impl Fn(usize, usize) -> f64) -> (usize, usize) {
    let mut best = (some[0], others[0], f64::INFINITY);
    for &a in some {
        for &b in others {
            if of(a, b) < best.2 {
                best = (a, b, of(a, b));
            }
        }
    }
    (best.0, best.1)
}
