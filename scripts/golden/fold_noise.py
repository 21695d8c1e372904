"""Noise that differs between folds, the noise of mean patterns over stimuli, and shortest ways.

testdata/golden/design/folds.json      design (balanced, once) -> crossnobis: rsatoolbox calc_rdm with noise=[one precision per run], run k's from
                                       rows 10 k to 10 k + 9 of golden/design/residuals.npy (shrinkage_diag);
                                       design (balanced, unbalanced, once) -> sigma_k: the covariance of the means over runs, by loops in numpy from
                                       its definition (with all stimuli in all runs: numpy.cov over runs, averaged over channels, over the number of runs);
                                       corr_cov, cosine_cov: rsatoolbox compare of the design's crossnobis with its correlation RDM under that sigma_k
testdata/golden/design/geodesic.json   of the values of transforms.json: shortest ways by Floyd's loops, and the same of those values stretched between
                                       their quantiles 0.2 and 0.6; the script holds the loops against rsatoolbox's geodesic_transform, which differs
                                       in that a pair of the smallest value is no link (its networkx takes an entry of 0 for no edge)

Triangles are over the stimuli in the order in which they first occur; crossnobis is divided by the number of channels (9).
rsatoolbox's compare solves by conjugate gradients to 1e-5, so corr_cov and cosine_cov are made with its _get_v and numpy.linalg.solve.
"""

import csv
import io
import itertools
import json

import numpy as np
import scipy.spatial.distance
from rsatoolbox.data import Dataset
from rsatoolbox.data.noise import prec_from_residuals
from rsatoolbox.rdm import RDMs, calc_rdm, compare
from rsatoolbox.rdm.calc_unbalanced import calc_rdm_unbalanced
from rsatoolbox.rdm.compare import _get_v
from rsatoolbox.rdm.transform import geodesic_transform

from golden.distances import first_seen, in_order
from golden.repeats import load


def sigma_k(x, stimulus, run, order):
    runs = sorted(set(run))
    cells = {(s, r): x[(stimulus == s) & (run == r)].mean(0) for s in order for r in runs if np.any((stimulus == s) & (run == r))}
    folds = {s: [r for r in runs if (s, r) in cells] for s in order}
    grand = {s: np.mean([cells[s, r] for r in folds[s]], axis=0) for s in order}
    out = np.zeros((len(order), len(order)))
    for (a, i), (b, j) in itertools.product(enumerate(order), repeat=2):
        common = [r for r in folds[i] if r in folds[j]]
        total = sum(np.mean((cells[i, r] - grand[i]) * (cells[j, r] - grand[j])) for r in common)
        n, m, c = len(folds[i]), len(folds[j]), len(common)
        if c:
            within = total / (c * (1 - 1 / n - 1 / m + c / (n * m)))  # what the means took off is put back
            out[a, b] = within * c / (n * m)
    if len(cells) == len(order) * len(runs):
        each = [np.cov([[cells[s, r][u] for r in runs] for s in order]) for u in range(x.shape[1])]
        np.testing.assert_allclose(out, np.mean(each, axis=0) / len(runs), rtol=1e-10)
    return out


def whitened(a, b, sigma, centre):
    if centre:
        a, b = a - a.mean(), b - b.mean()
    v = _get_v(len(sigma), sigma).toarray()
    product = lambda x, y: x @ np.linalg.solve(v, y)
    return product(a, b) / np.sqrt(product(a, a) * product(b, b))


def make(testdata):
    residuals = load(testdata, "design/residuals.npy")[0]
    precisions = prec_from_residuals([residuals[10 * k : 10 * k + 10] for k in range(4)], method="shrinkage_diag")
    out = {}
    for design in ("balanced", "unbalanced", "once"):
        x, stimulus = load(testdata, f"design/{design}.npy")
        table = list(csv.DictReader(io.StringIO(testdata.files[f"golden/design/{design}.csv"].decode())))
        run = np.array([row["run"] for row in table])
        order = first_seen(stimulus)
        data = Dataset(x, obs_descriptors={"stimulus": stimulus, "run": run})
        sigma = sigma_k(x, stimulus, run, order)
        found = {"sigma_k": sigma}
        if design != "unbalanced":
            # it replaces what it is given, so a copy
            found["crossnobis"] = in_order(calc_rdm(data, "crossnobis", "stimulus", noise=list(precisions), cv_descriptor="run"), "stimulus", order)
        a = in_order(calc_rdm_unbalanced(data, "crossnobis", "stimulus", cv_descriptor="run"), "stimulus", order)
        b = in_order(calc_rdm(data, "correlation", "stimulus"), "stimulus", order)
        for method in ("corr_cov", "cosine_cov"):
            found[method] = whitened(a, b, sigma, method == "corr_cov")
            theirs = compare(RDMs(a[None]), RDMs(b[None]), method, sigma_k=sigma)[0, 0]
            np.testing.assert_allclose(theirs, found[method], rtol=1e-3)
        out[design] = found
    testdata.json("golden/design/folds.json", out)

    values = np.array(json.loads(testdata.files["golden/design/transforms.json"])["values"])
    testdata.json("golden/design/geodesic.json", {
        "geodesic": geodesic(values, as_there=False),
        "geotopological, geodesic": geodesic(stretched(values, 0.2, 0.6), as_there=False),
    })


def stretched(values, low, up):
    """rsatoolbox's geotopological_transform of values that its order of assignments spoils where they are near 0 and 1."""
    lowest, highest = np.quantile(values, low), np.quantile(values, up)
    return np.clip((values - lowest) / (highest - lowest), 0, 1)


def geodesic(values, as_there):
    """Shortest ways; as_there: over pairs that are not 0, as rsatoolbox's has it."""
    values = (values - values.min()) / (values.max() - values.min())
    square = scipy.spatial.distance.squareform(values)
    edge = (square != 0 if as_there else ~np.eye(len(square), dtype=bool)) & (square != 1)
    i, j = np.nonzero(np.triu(edge))
    graph = np.full(square.shape, np.inf)
    graph[i, j] = graph[j, i] = square[i, j]
    np.fill_diagonal(graph, 0)
    for k in range(len(graph)):
        graph = np.minimum(graph, graph[:, [k]] + graph[[k], :])
    found = graph[np.triu_indices(len(graph), 1)]
    if not as_there:
        # theirs is the same function of the graph that has no way of length 0
        theirs = geodesic_transform(RDMs(values[None].copy())).get_vectors()[0]
        np.testing.assert_allclose(theirs, geodesic(values, as_there=True), rtol=1e-12)
    return found
