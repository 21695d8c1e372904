"""Maps and dendrograms of RDMs: scikit-learn's MDS and SciPy's hierarchical clustering.

testdata/golden/scaling/rdm.npy      24 stimuli (f8 upper triangle): 1 - Pearson of three noisy groups; no zeros
testdata/golden/scaling/ties.npy     the same rounded to tenths: many ties, none 0
testdata/golden/scaling/start.npy    24 x 2 (f8): where SMACOF starts
testdata/golden/scaling/mds.json     {rdm, ties}: classical {points, eigenvalues}, metric and nonmetric {points, stress, n_iter}
testdata/golden/scaling/linkage.json {rdm, ties}: average, complete, ward -> {merges: linkage(), leaves: leaves_list()}

scikit-learn's stress is here Stress-1 (normalized_stress=True); without it, it is the raw sum over pairs. Its non-metric
scaling takes a dissimilarity of 0 for missing, so there is none here.
"""

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
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
    merges = {how: linkage(condensed, how) for how in ("average", "complete", "ward")}
    return {how: {"merges": tree, "leaves": leaves_list(tree)} for how, tree in merges.items()}


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
    testdata.json("golden/scaling/linkage.json", {"rdm": trees(rdm), "ties": trees(ties)})
