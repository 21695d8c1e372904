"""Distances over designs: rsatoolbox's calc_rdm, calc_rdm_unbalanced, noise estimators, transforms and partial RDMs.

testdata/golden/design/balanced.npy    48 presentations x 9 channels (f8, positive), then their ids: 6 stimuli twice in each of 4 runs
testdata/golden/design/balanced.csv    stimulus, category, run of those rows
testdata/golden/design/unbalanced.npy, unbalanced.csv  29 of those rows: every stimulus once or twice in each of two to four runs
testdata/golden/design/once.npy, once.csv  24 of those rows: every stimulus once in every run
testdata/golden/design/residuals.npy   40 x 9, correlated
testdata/golden/design/rdms.json       design -> metric -> triangle over the stimuli in the order in which they first occur
testdata/golden/design/noise.json      estimator -> precision: of the residuals, of the same with dof 31, of the repeats of both designs
testdata/golden/design/plain.json      scipy: spearman, cityblock, mahalanobis (SciPy's root) of golden/rdm/patterns.npy; rsatoolbox: poisson of their absolute values
testdata/golden/design/transforms.json values (66) and what each transform makes of them; parts: three partial RDMs, their mean

rsatoolbox's crossnobis, mahalanobis, euclidean and poissons are divided by the number of channels (9), and its mahalanobis is squared.
Its calc_rdm(poisson_cv) keeps the last fold alone (the loop overwrites its result), so each fold is made the last one here in turn and
the mean is kept; its calc_rdm_unbalanced pools all pairs of presentations of different runs.
"""

import itertools

import numpy as np
import scipy.spatial.distance
import scipy.stats
from rsatoolbox.cengine.similarity import calc_one
from rsatoolbox.data import Dataset
from rsatoolbox.data.noise import prec_from_measurements, prec_from_residuals, prec_from_unbalanced
from rsatoolbox.rdm import RDMs, calc_rdm
from rsatoolbox.rdm.calc_unbalanced import calc_rdm_unbalanced
from rsatoolbox.rdm.combine import from_partials
from rsatoolbox.rdm.transform import geotopological_transform, minmax_transform, positive_transform, rank_transform, sqrt_transform, transform

from golden.files import random

STIMULI = ["pear", "apple", "fox", "dog", "house", "car"]
CATEGORY = {"pear": "fruit", "apple": "fruit", "fox": "animal", "dog": "animal", "house": "thing", "car": "thing"}
METHODS = {"diag": "shrinkage_diag", "eye": "shrinkage_eye", "none": "full", "univariate": "diag"}


def first_seen(labels):
    return list(dict.fromkeys(labels))


def in_order(rdm, descriptor, order):
    """The triangle over the stimuli in our order; rsatoolbox sorts them."""
    names = list(rdm.pattern_descriptors[descriptor])
    rows = [names.index(name) for name in order]
    square = rdm.get_matrices()[0][np.ix_(rows, rows)]
    return square[np.triu_indices(len(rows), 1)]


def poisson_cv(x, stimulus, run, order):
    """The mean over folds of what rsatoolbox says of the fold that it comes to last."""
    folds = sorted(set(run))
    each = []
    for last in folds:
        renamed = np.array([len(folds) if r == last else folds.index(r) for r in run])
        each.append(in_order(calc_rdm(Dataset(x, obs_descriptors={"stimulus": stimulus, "run": renamed}), "poisson_cv", "stimulus", cv_descriptor="run"), "stimulus", order))
    return np.mean(each, axis=0)


def across_runs(x, stimulus, run, order):
    """1 minus the mean correlation over presentations of different runs; calc_one gives half of that mean."""
    out = []
    for a, b in itertools.combinations(order, 2):
        i, j = stimulus == a, stimulus == b
        value, _ = calc_one(x[i], x[j], run[i].astype(np.int64), run[j].astype(np.int64), int(i.sum()), int(j.sum()), 2)
        out.append(1 - 2 * value)
    return out


def of_design(x, stimulus, run, precision):
    category = np.array([CATEGORY[s] for s in stimulus])
    data = Dataset(x, obs_descriptors={"stimulus": stimulus, "run": run, "category": category})
    order, categories = first_seen(stimulus), first_seen(category)
    out = {"stimuli": order, "across_runs_correlation": across_runs(x, stimulus, run, order)}
    for method in ("euclidean", "correlation", "poisson"):
        out[f"by_category_{method}"] = in_order(calc_rdm(data, method, "category"), "category", categories)
    out["by_category_mahalanobis"] = in_order(calc_rdm(data, "mahalanobis", "category", noise=precision), "category", categories)
    for name, noise in (("", None), ("_noise", precision)):
        out[f"pairs_crossnobis{name}"] = in_order(calc_rdm_unbalanced(data, "crossnobis", "stimulus", noise=noise, cv_descriptor="run"), "stimulus", order)
    out["pairs_poisson_cv"] = in_order(calc_rdm_unbalanced(data, "poisson_cv", "stimulus", cv_descriptor="run"), "stimulus", order)
    counts = np.array([[np.sum((stimulus == s) & (run == r)) for r in sorted(set(run))] for s in order])
    if (counts == counts[0, 0]).all():
        for name, noise in (("", None), ("_noise", precision)):
            out[f"crossnobis{name}"] = in_order(calc_rdm(data, "crossnobis", "stimulus", noise=noise, cv_descriptor="run"), "stimulus", order)
            np.testing.assert_allclose(out[f"crossnobis{name}"], out[f"pairs_crossnobis{name}"], rtol=1e-9)
        out["poisson_cv"] = poisson_cv(x, stimulus, run, order)
        # fold k is the k-th presentation
        if counts[0, 0] == 1:
            out["default_crossnobis"] = in_order(calc_rdm(data, "crossnobis", "stimulus"), "stimulus", order)
    return out


def make(testdata):
    rng = random(71)
    truth = {s: rng.gamma(3.0, 1.0, size=9) for s in STIMULI}
    rows = [(s, r) for s in STIMULI for r in range(4) for _ in range(2)]
    rows = [rows[i] for i in rng.permutation(len(rows))]
    mixing = np.eye(9) + 0.3 * rng.normal(size=(9, 9))
    x = np.stack([np.abs(truth[s] + 0.7 * rng.normal(size=9) @ mixing + 0.4 * r) + 0.05 for s, r in rows])
    residuals = rng.normal(size=(40, 9)) @ mixing + 0.2
    testdata.array("golden/design/residuals.npy", residuals)

    seen, once, unbalanced = {}, [], []
    for i, (s, r) in enumerate(rows):
        seen[s, r] = seen.get((s, r), 0) + 1
        if seen[s, r] == 1:
            once.append(i)
        left_out = (s == "fox" and r == 2) or (s == "car" and r in (0, 1)) or (s == "dog" and r == 3)
        # of those that stay a second presentation stays only where the sum is even
        if not left_out and (seen[s, r] == 1 or (STIMULI.index(s) + r) % 2 == 0):
            unbalanced.append(i)
    parts = {"balanced": list(range(len(rows))), "unbalanced": unbalanced, "once": once}

    precision = prec_from_residuals(residuals, method="shrinkage_diag")
    noise = {ours: {"residuals": prec_from_residuals(residuals, method=theirs), "residuals_dof_31": prec_from_residuals(residuals, dof=31, method=theirs)} for ours, theirs in METHODS.items()}
    rdms = {}
    for name, keep in parts.items():
        stimulus, run = np.array([rows[i][0] for i in keep]), np.array([rows[i][1] for i in keep])
        testdata.array(f"golden/design/{name}.npy", x[keep], stimulus)
        testdata.csv(f"golden/design/{name}.csv", ["stimulus", "category", "run"], [(s, CATEGORY[s], f"run-{r}") for s, r in zip(stimulus, run)])
        rdms[name] = of_design(x[keep], stimulus, run, precision)
        data = Dataset(x[keep], obs_descriptors={"stimulus": stimulus})
        for ours, theirs in METHODS.items():
            noise[ours][f"repeats_{name}"] = prec_from_unbalanced(data, "stimulus", method=theirs)
            if name == "balanced":
                # its degrees of freedom are (stimuli - 1) * repeats = 40 here, where rows - stimuli are 42
                noise[ours]["measurements_balanced"] = prec_from_measurements(data, "stimulus", method=theirs)
    testdata.json("golden/design/rdms.json", rdms)
    testdata.json("golden/design/noise.json", noise)

    rng = random(3)
    n = 12
    group = np.repeat([0, 1, 2], n // 3)
    patterns = rng.normal(size=(n, 30)) + rng.normal(size=(3, 30))[group] + 5  # those of golden/rdm/patterns.npy
    wide = random(72).normal(size=(80, 30)) * np.linspace(0.5, 2, 30)
    full = prec_from_residuals(wide, method="full")
    testdata.array("golden/design/wide-residuals.npy", wide)
    pairs = list(itertools.combinations(range(n), 2))
    plain = {
        "spearman": [1 - scipy.stats.spearmanr(patterns[i], patterns[j]).statistic for i, j in pairs],
        "cityblock": scipy.spatial.distance.pdist(patterns, "cityblock"),
        "mahalanobis": scipy.spatial.distance.pdist(patterns, "mahalanobis", VI=full),
        "rsatoolbox_mahalanobis": calc_rdm(Dataset(patterns), "mahalanobis", noise=full).get_vectors()[0],
        "rsatoolbox_poisson": calc_rdm(Dataset(np.abs(patterns)), "poisson").get_vectors()[0],
        "rsatoolbox_poisson_prior": calc_rdm(Dataset(np.abs(patterns)), "poisson", prior_lambda=2.5, prior_weight=0.4).get_vectors()[0],
    }
    testdata.json("golden/design/plain.json", plain)

    # Squared distances well above 1, some equal, two negative: rsatoolbox's geotopological goes wrong below 1 and below 0.
    values = np.round(random(73).gamma(2.0, 8.0, size=66), 1)
    values[[4, 30]] = [-1.5, -0.25]
    # Its transforms write into the RDMs that they are given, so each gets its own.
    def one():
        return RDMs(values[None].copy())

    above = RDMs(np.abs(values[None]) + 20)
    parts = [[0, 1, 2, 3, 4], [3, 5, 1, 6], [7, 2, 0]]
    square = scipy.spatial.distance.squareform(values)
    partial = []
    for k, part in enumerate(parts):
        triangle = (square[np.ix_(part, part)] + k * (1 - np.eye(len(part))))[np.triu_indices(len(part), 1)]
        partial.append(RDMs(triangle[None], pattern_descriptors={"conds": [f"s{i}" for i in part]}))
    together = from_partials(partial)
    testdata.json("golden/design/transforms.json", {
        "values": values,
        "rank": rank_transform(one()).get_vectors()[0],
        "sqrt": sqrt_transform(one()).get_vectors()[0],
        "positive": positive_transform(one()).get_vectors()[0],
        "minmax": minmax_transform(one()).get_vectors()[0],
        "square": transform(one(), np.square).get_vectors()[0],
        "geotopological(0.2,0.8) of |values| + 20": geotopological_transform(above, 0.2, 0.8).get_vectors()[0],
        "parts": [{"stimuli": p.pattern_descriptors["conds"], "values": p.get_vectors()[0]} for p in partial],
        "merged": {"stimuli": together.pattern_descriptors["conds"], "values": together.mean().get_vectors()[0]},
    })
