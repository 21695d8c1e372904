"""Maps and dendrograms of RDMs: scikit-learn's MDS and SciPy's hierarchical clustering.

testdata/golden/scaling/rdm.npy      24 stimuli (f8 upper triangle): 1 - Pearson of three noisy groups; no zeros
testdata/golden/scaling/ties.npy     the same rounded to tenths: many ties, none 0
testdata/golden/scaling/start.npy    24 x 2 (f8): where SMACOF starts
testdata/golden/scaling/mds.json     {rdm, ties}: classical {points, eigenvalues}, metric and nonmetric {points, stress, n_iter}
testdata/golden/scaling/linkage.json {rdm, ties, levels}: average, complete, single, weighted, centroid, ward ->
                                     {merges: linkage(), leaves: leaves_list(), optimal: leaves_list(optimal_leaf_ordering()),
                                     way: its length}
testdata/golden/scaling/levels.npy   Euclidean distances of 40 points on a grid of 5 x 5 x 5: many ties, and points that coincide

scikit-learn's stress is here Stress-1 (normalized_stress=True); without it, it is the raw sum over pairs. Its non-metric
scaling takes a dissimilarity of 0 for missing, so there is none here.
"""

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import pdist, squareform
from sklearn.manifold import ClassicalMDS, smacof

from golden.files import random

N_STIMULI = 24


def maps(condensed, start):
    square = squareform(condensed)
    classical = ClassicalMDS(n_components=3, metric="precomputed").fit(square)
    out = {"classical": {"points": classical.embedding_, "eigenvalues": classical.eigenvalues_}}
    for name, metric in (("metric", True), ("nonmetric", False)):
        points, stress, n_iter = smacof(
            square, metric=metric, init=start, n_init=1, max_iter=300, eps=1e-6, normalized_stress=True, return_n_iter=True
        )
        out[name] = {"points": points, "stress": stress, "n_iter": n_iter}
    return out


def trees(condensed):
    out = {}
    for how in ("average", "complete", "single", "weighted", "centroid", "ward"):
        tree = linkage(condensed, how)
        optimal = leaves_list(optimal_leaf_ordering(tree, condensed))
        way = squareform(condensed)[optimal[:-1], optimal[1:]].sum()
        out[how] = {"merges": tree, "leaves": leaves_list(tree), "optimal": optimal, "way": way}
    return out


def make(testdata):
    rng = random(17)
    group = np.repeat([0, 1, 2], N_STIMULI // 3)
    patterns = rng.normal(size=(N_STIMULI, 40)) + 0.8 * rng.normal(size=(3, 40))[group]
    rdm = pdist(patterns, "correlation")
    ties = np.maximum(np.round(rdm, 1), 0.1)
    start = rng.uniform(size=(N_STIMULI, 2))
    testdata.array("golden/scaling/rdm.npy", rdm)
    testdata.array("golden/scaling/ties.npy", ties)
    testdata.array("golden/scaling/start.npy", start)
    testdata.json("golden/scaling/mds.json", {"rdm": maps(rdm, start), "ties": maps(ties, start)})
    levels = pdist(rng.integers(0, 5, size=(40, 3)).astype(float))
    testdata.array("golden/scaling/levels.npy", levels)
    testdata.json("golden/scaling/linkage.json", {"rdm": trees(rdm), "ties": trees(ties), "levels": trees(levels)})
