//! Single linkage: the edges of a minimum spanning tree.

use ndarray::Array2;

use super::Merge;

/// The merges in the order in which Prim's tree grows from stimulus 0, each naming the stimulus that the tree took
/// before and the one that it takes now: sorted by height they are SciPy's, ties included. O(n^2).
///
/// The stimulus taken before stands for its whole tree: of the edges of a smaller height one ties it to the true end of
/// the edge before this merge is made.
pub(super) fn merges(distances: &Array2<f64>) -> Vec<Merge> {
    let n = distances.nrows();
    let mut in_tree = vec![false; n];
    let mut nearest = vec![f64::INFINITY; n];
    let mut merges = Vec::with_capacity(n - 1);
    let mut last = 0;
    for _ in 1..n {
        in_tree[last] = true;
        let (mut next, mut least) = (last, f64::INFINITY);
        for other in (0..n).filter(|&other| !in_tree[other]) {
            nearest[other] = nearest[other].min(distances[(last, other)]);
            if nearest[other] < least || next == last {
                (next, least) = (other, nearest[other]);
            }
        }
        merges.push(Merge { left: last, right: next, height: least, n_stimuli: 0 });
        last = next;
    }
    merges
}
