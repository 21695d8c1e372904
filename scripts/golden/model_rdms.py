"""Model RDMs from a table of stimuli: rsatoolbox and SciPy.

testdata/golden/model/pictures.csv   12 stimuli: category and pose (names), code (category as numbers), rating (tenths), x, y (x is wide);
                                     rows 2 and 7 lack their gap (a rating), row 5 its hole (a category)
testdata/golden/model/values.json    category, pose, code: get_categorical_rdm of the labels; both: of category and pose together;
                                     rating, plane, plane_cityblock, plane_sqeuclidean, plane_zscore: pdist;
                                     hole, gap: the pairs of the stimuli that have one, in their places, null elsewhere
                                     compare: rsatoolbox's compare(category, rating) for corr, spearman, kendall, tau-a, rho-a, cosine
"""

import numpy as np
import scipy.stats
from rsatoolbox.rdm import RDMs, compare, get_categorical_rdm
from scipy.spatial.distance import pdist, squareform

from golden.files import random


def same_or_different(*labels):
    """Of the categories as numbers: get_categorical_rdm compares words letter by letter, as far as the first one goes."""
    codes = [np.unique(of_column, return_inverse=True)[1] for of_column in labels]
    vector = codes[0].tolist() if len(codes) == 1 else np.stack(codes, 1).tolist()
    return get_categorical_rdm(vector).get_vectors()[0]


def with_missing(of_present, present):
    """Distances of those that are there, as a triangle over all."""
    square = np.full((len(present),) * 2, np.nan)
    square[np.ix_(present, present)] = squareform(of_present)
    return square[np.triu_indices(len(present), 1)]


def make(testdata):
    rng = random(77)
    n = 12
    category = np.array(["face", "house", "face", "tool", "body", "house", "tool", "body", "face", "tool", "house", "body"])
    pose = np.array(["left", "right"])[rng.integers(0, 2, n)]
    code = np.array([{"face": 2, "house": 7, "tool": 3, "body": 11}[c] for c in category])
    rating = np.round(rng.uniform(0, 3, n), 1)
    x, y = np.round(rng.normal(size=n) * 30, 2), np.round(rng.normal(size=n), 3)
    has_gap, has_hole = np.ones(n, bool), np.ones(n, bool)
    has_gap[[2, 7]] = False
    has_hole[5] = False
    gap = ["n/a" if not there else value for value, there in zip(rating, has_gap)]
    hole = ["" if not there else value for value, there in zip(category, has_hole)]
    header = ("stimulus", "category", "pose", "code", "rating", "x", "y", "gap", "hole")
    ids = [f"p{i}" for i in rng.permutation(n)]
    testdata.csv("golden/model/pictures.csv", header, zip(ids, category, pose, code, rating, x, y, gap, hole))
    plane = np.stack([x, y], 1)
    models = {
        "category": same_or_different(category),
        "pose": same_or_different(pose),
        "code": same_or_different(code),
        "both": same_or_different(category, pose),
        "rating": pdist(rating[:, None], "euclidean"),
        "rating_sqeuclidean": pdist(rating[:, None], "sqeuclidean"),
        "plane": pdist(plane, "euclidean"),
        "plane_cityblock": pdist(plane, "cityblock"),
        "plane_sqeuclidean": pdist(plane, "sqeuclidean"),
        "plane_zscore": pdist(scipy.stats.zscore(plane), "euclidean"),
        "gap": with_missing(pdist(rating[has_gap, None], "euclidean"), has_gap),
        "hole": with_missing(same_or_different(category[has_hole]), has_hole),
    }
    methods = ("corr", "spearman", "kendall", "tau-a", "rho-a", "cosine")
    # 1.4 - 1.3 and 1.3 - 1.2 are one distance: of tenths, whole numbers over ten say so exactly.
    ratings = pdist(np.round(10 * rating)[:, None], "euclidean")
    scores = {method: compare(RDMs(models["category"]), RDMs(ratings), method)[0, 0] for method in methods}
    testdata.json("golden/model/values.json", {**models, "compare": scores})
