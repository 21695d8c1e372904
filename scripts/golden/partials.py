"""Partial RDMs brought onto one scale and averaged: rsatoolbox's from_partials, rescale and mean.

testdata/golden/design/partials.npy      5 RDMs over different stimuli, each followed by its ids: parts of one RDM of 9 stimuli on
                                         scales of their own, with noise; some pairs in several, some in none
testdata/golden/design/partials.json     stimuli (the order of the result), and per method (evidence, setsize, simple): scaled (the
                                         RDMs on the scale of the result, NaN where they have no value), mean (plain), weighted
                                         (mean by the weights that rescale leaves); none: mean without rescaling;
                                         by_hand: per RDM a weight, and weighted (mean by them)
"""

import numpy as np
from rsatoolbox.rdm import RDMs
from rsatoolbox.rdm.combine import from_partials, rescale
from scipy.spatial.distance import pdist, squareform

from golden.files import random

PARTS = [[0, 1, 2, 3, 4], [3, 4, 5, 6], [8, 0, 4, 7], [6, 2, 1, 5, 0], [7, 3, 1]]
SCALES = [1.0, 4.0, 0.3, 2.0, 1.0]
BY_HAND = [1.0, 0.5, 2.0, 0.0, 3.0]


def make(testdata):
    rng = random(71)
    whole = squareform(pdist(rng.normal(size=(9, 5)), "correlation"))
    arrays, parts = [], []
    for stimuli, scale in zip(PARTS, SCALES):
        values = squareform(whole[np.ix_(stimuli, stimuli)])
        values = scale * np.abs(values + rng.normal(0, 0.05, values.size))
        ids = np.array([f"s{i}" for i in stimuli])
        arrays += [values, ids]
        parts.append(RDMs(values[None], pattern_descriptors={"conds": list(ids)}))
    testdata.array("golden/design/partials.npy", *arrays)
    large = from_partials(parts)
    out = {"stimuli": [int(name[1:]) for name in large.pattern_descriptors["conds"]], "none": large.mean().dissimilarities[0]}
    for method in ("evidence", "setsize", "simple"):
        scaled = rescale(large, method)
        out[method] = {
            "scaled": scaled.dissimilarities,
            "mean": scaled.mean().dissimilarities[0],
            "weighted": scaled.mean(weights="rescalingWeights").dissimilarities[0],
        }
    weights = np.where(np.isnan(large.dissimilarities), np.nan, np.array(BY_HAND)[:, None])
    out["by_hand"] = {"weights": BY_HAND, "weighted": large.mean(weights=weights).dissimilarities[0]}
    testdata.json("golden/design/partials.json", out)
