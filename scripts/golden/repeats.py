"""Distances that count or take maxima and powers, and distances of repeated presentations.

testdata/golden/design/rounded.npy     12 x 30 (f8): golden/rdm/patterns.npy minus 5 in whole numbers, many of them 0; row 3 is 0, row 7 equals row 1
testdata/golden/design/pairwise.json   scipy pdist: chebyshev and minkowski (by p) of golden/rdm/patterns.npy; hamming and jaccard of rounded.npy
testdata/golden/design/repeats.json    design (balanced, unbalanced, once) -> the triangle over the stimuli in the order in which they first occur:
                                       unbalanced_*: rsatoolbox calc_rdm_unbalanced, with cv_descriptor="run" for *_cv;
                                       correlation_cv: 1 - c_ij / sqrt(c_ii c_jj) with numpy.cov over pairs of runs (Guggenmos et al. 2018 without their limits),
                                       of the means within runs (folds) and of all pairs of presentations (pairs)

rsatoolbox divides all but correlation by the number of channels (9).
"""

import csv
import io
import itertools
import warnings

import numpy as np
from rsatoolbox.data import Dataset
from rsatoolbox.data.noise import prec_from_residuals
from rsatoolbox.rdm.calc_unbalanced import calc_rdm_unbalanced
from scipy.spatial.distance import pdist

from golden.distances import first_seen, in_order


def load(testdata, name):
    file = io.BytesIO(testdata.files[f"golden/{name}"])
    return np.load(file), np.load(file) if file.tell() < len(file.getvalue()) else None


def across(x, stimulus, run, i, j, weights):
    """The mean covariance over pairs of different runs."""
    out = []
    for a, b in itertools.permutations(sorted(set(run)), 2):
        left, right = x[(stimulus == i) & (run == a)], x[(stimulus == j) & (run == b)]
        if weights == "folds" and len(left) and len(right):
            left, right = left.mean(0, keepdims=True), right.mean(0, keepdims=True)
        out += [np.cov(u, v)[0, 1] for u in left for v in right]
    return np.mean(out)


def correlation_cv(x, stimulus, run, order, weights):
    c = {(i, j): across(x, stimulus, run, i, j, weights) for i in order for j in order}
    return [1 - c[i, j] / np.sqrt(c[i, i] * c[j, j]) for i, j in itertools.combinations(order, 2)]


def make(testdata):
    patterns, _ = load(testdata, "rdm/patterns.npy")
    rounded = np.rint(patterns - 5) + 0.0
    rounded[3], rounded[7] = 0, rounded[1]
    testdata.array("golden/design/rounded.npy", rounded)
    testdata.json("golden/design/pairwise.json", {
        "chebyshev": pdist(patterns, "chebyshev"),
        **{f"minkowski {p}": pdist(patterns, "minkowski", p=float(p)) for p in ("0.5", "1", "1.5", "2", "2.7", "3", "inf")},
        "hamming": pdist(rounded, "hamming"),
        "jaccard": pdist(rounded, "jaccard"),
    })

    precision = prec_from_residuals(load(testdata, "design/residuals.npy")[0], method="shrinkage_diag")
    out = {}
    for design in ("balanced", "unbalanced", "once"):
        x, stimulus = load(testdata, f"design/{design}.npy")
        table = list(csv.DictReader(io.StringIO(testdata.files[f"golden/design/{design}.csv"].decode())))
        run = np.array([row["run"] for row in table])
        data, order = Dataset(x, obs_descriptors={"stimulus": stimulus, "run": run}), first_seen(stimulus)

        def unbalanced(method, **more):
            return in_order(calc_rdm_unbalanced(data, method, "stimulus", **more), "stimulus", order)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out[design] = {
                "unbalanced_correlation": unbalanced("correlation"),
                "unbalanced_correlation_cv": unbalanced("correlation", cv_descriptor="run"),
                "unbalanced_euclidean": unbalanced("euclidean"),
                "unbalanced_mahalanobis": unbalanced("mahalanobis", noise=precision),
                "unbalanced_poisson": unbalanced("poisson"),
                "unbalanced_poisson_prior": unbalanced("poisson", prior_lambda=2.5, prior_weight=0.4),
                **{f"correlation_cv_{w}": correlation_cv(x, stimulus, run, order, w) for w in ("folds", "pairs")},
            }
    testdata.json("golden/design/repeats.json", out)
