"""Chosen units on other pictures, what drives them, and the overlap of two localizers: SciPy, NumPy, scikit-learn and
matplotlib on 66 pictures x 14 units.

testdata/golden/unit-stats/acts-f8.npy, acts-f4.npy  activations with ids (f4: the same numbers, rounded)
testdata/golden/unit-stats/stimuli.csv               stimulus,category; four pictures have none
testdata/golden/unit-stats/a.csv, b.csv              all units of two localizers as `select-units --all` writes them
testdata/golden/unit-stats/validate-{f8,f4}.json     zscore, boxplot_stats, ttest_ind over units and over images
testdata/golden/unit-stats/probe.json                extremes, hypergeom, digitize, quantile, roc_auc_score
testdata/golden/unit-stats/overlap.json              counts, Dice, Jaccard, hypergeom at five thresholds
testdata/golden/unit-stats/compare.json              pearsonr, spearmanr, and of a's regions Dice at equal size, roc_auc_score
"""

import numpy as np
import scipy.stats
from matplotlib.cbook import boxplot_stats
from sklearn.metrics import roc_auc_score

from golden.files import random

CATEGORIES = {"face": 14, "body": 9, "scene": 21, "object": 18, "": 4}
UNITS = 14
CHOSEN = [0, 1, 2, 5, 6, 8, 9, 12]  # 8 is constant here, 9 holds a NaN
EDGES = [-1.5, -0.5, 0.0, 0.75, 2.0]
QUANTILES = 5
K = 7
N_TOTAL = 400  # units of the layer of the overlap
THRESHOLDS = [3.0, 5.0, 7.0, 9.0, 11.0]


def pictures(rng):
    rows = [(f"{name or 'none'}-{i:02}", name) for name, n in CATEGORIES.items() for i in range(n)]
    return [rows[i] for i in rng.permutation(len(rows))]


def activations(rng, category):
    x = rng.normal(size=(len(category), UNITS))
    face, scene = category == "face", category == "scene"
    x[face, :4] += [0.4, 0.8, 1.5, 2.5]
    x[scene, 4:7] += [0.6, 1.2, 2.0]
    x[:, 5] = np.maximum(x[:, 5] - 0.6, 0)  # rectified: many zeros
    x[:, 6] = np.round(x[:, 6])  # ties
    x[:, 8] = 1.25
    x[11, 9] = np.nan
    x[:, 10] = np.where(face, 3.0, 1.0)  # t is infinite
    x[:, 12] = 500 + 0.01 * x[:, 12] + 0.02 * face
    return x


def box(values):
    b = boxplot_stats(values)[0]
    return [b["mean"], b["med"], b["q1"], b["q3"], b["whislo"], b["whishi"]]


def validation(x, category, levels):
    used = category != ""
    x, category = x[used].astype(np.float64), category[used]
    units = [u for u in CHOSEN if np.isfinite(x[:, u]).all() and np.ptp(x[:, u]) > 0]
    z = scipy.stats.zscore(x[:, units], axis=0)
    out = {"n_used": len(units), "units": {}, "images": {}, "mean_t": {}, "proportion": {}}
    for level in levels:
        inside = category == level
        t = scipy.stats.ttest_ind(x[inside][:, units], x[~inside][:, units]).statistic
        out["units"][level] = box(z[inside].mean(0))
        out["images"][level] = box(z[inside].mean(1))
        out["mean_t"][level] = t.mean()
        out["proportion"][level] = (t > 2.0).mean()
    return out


def probe(x, ids, category, levels):
    used = category != ""
    x, ids, category = x[used], ids[used], category[used]
    n = len(ids)
    out = {}
    for unit in range(UNITS):
        v = x[:, unit]
        if not np.isfinite(v).all() or np.ptp(v) == 0:
            continue
        z = scipy.stats.zscore(v)
        of_unit = {"auc": {}, "enrichment": {}}
        orders = {"top": np.argsort(-v, kind="stable"), "bottom": np.argsort(v, kind="stable")}
        of_unit["pictures"] = {
            end: [[ids[i] for i in order[:K]], v[order[:K]], z[order[:K]], int((v[order[K:]] == v[order[K - 1]]).sum())]
            for end, order in orders.items()
        }
        for level in levels:
            inside = category == level
            of_unit["auc"][level] = roc_auc_score(inside, v)
            for end, order in orders.items():
                hits = int(inside[order[:K]].sum())
                of_unit["enrichment"].setdefault(end, {})[level] = [
                    hits,
                    hits / K,
                    hits / K / inside.mean(),
                    scipy.stats.hypergeom.sf(hits - 1, n, int(inside.sum()), K),
                ]
        inner = np.quantile(z, np.arange(1, QUANTILES) / QUANTILES)
        for name, edges in (("edges", EDGES), ("quantiles", inner)):
            level_of = np.digitize(z, edges)
            of_unit[name] = {
                level: [int(((level_of == b) & (category == level)).sum()) for b in range(len(edges) + 1)] for level in levels
            }
            of_unit[name]["n"] = np.bincount(level_of, minlength=len(edges) + 1)
        out[unit] = of_unit
    return out


def localizer(rng, shared, strength):
    """t of every unit of one localizer; d' and the index only have to be numbers that go with it."""
    t = strength * shared + 2 * rng.normal(size=N_TOTAL)
    t[13] = np.nan
    return np.column_stack([t, t / 8, np.tanh(t / 10)])


def unit_table(testdata, name, contrast, numbers):
    header = ["array", "contrast", "unit", "n_units", "n", "t", "dprime", "selectivity_index", "criterion", "reason"]
    rows = [
        ["conv", f'"{contrast}"', unit, N_TOTAL, 60, *(repr(float(v)).replace("nan", "NaN") for v in row), "all units",
         "constant" if np.isnan(row[0]) else ""]
        for unit, row in enumerate(numbers)
    ]
    testdata.csv(f"golden/unit-stats/{name}.csv", header, rows)


def overlap(a, b):
    rows = []
    for threshold in THRESHOLDS:
        in_a, in_b = a[:, 0] > threshold, b[:, 0] > threshold
        n_a, n_b, both = int(in_a.sum()), int(in_b.sum()), int((in_a & in_b).sum())
        rows.append({
            "threshold": threshold, "n_a": n_a, "n_b": n_b, "n_intersection": both, "n_union": int((in_a | in_b).sum()),
            "dice": 2 * both / (n_a + n_b), "jaccard": both / int((in_a | in_b).sum()),
            "expected": n_a * n_b / N_TOTAL, "enrichment": both / (n_a * n_b / N_TOTAL),
            "p": scipy.stats.hypergeom.sf(both - 1, N_TOTAL, n_a, n_b),
            "neg_log10_p": -scipy.stats.hypergeom.logsf(both - 1, N_TOTAL, n_a, n_b) / np.log(10),
            "mean_t_a": a[in_a, 0].mean(), "mean_dprime_a": a[in_a, 1].mean(),
            "mean_selectivity_index_b": b[in_b, 2].mean(),
        })  # fmt: skip
    return rows


def compare(a, b):
    """The map b about the regions of a: unit 13 has no t."""
    usable = ~np.isnan(a[:, 0])
    a, b = a[usable, 0], b[usable, 0]
    regions = []
    for threshold in THRESHOLDS:
        region = a > threshold
        highest = np.zeros(len(b), bool)
        highest[np.argsort(-b, kind="stable")[: region.sum()]] = True
        both = int((region & highest).sum())
        regions.append([
            threshold, int(region.sum()), both, 2 * both / (region.sum() + highest.sum()),
            scipy.stats.hypergeom.sf(both - 1, len(a), region.sum(), region.sum()), roc_auc_score(region, b),
        ])  # fmt: skip
    whole = [scipy.stats.pearsonr(a, b).statistic, scipy.stats.spearmanr(a, b).statistic, b.std(ddof=1) / a.std(ddof=1)]
    return {"n": len(a), "whole": whole, "regions": regions}


def make(testdata):
    rng = random(20261121)
    rows = pictures(rng)
    ids, category = (np.array(column) for column in zip(*rows))
    x = activations(rng, category)
    levels = list(dict.fromkeys(c for c in category if c))
    testdata.csv("golden/unit-stats/stimuli.csv", ["stimulus", "category"], rows)
    for dtype in ("f8", "f4"):
        cast = x.astype(dtype)
        testdata.array(f"golden/unit-stats/acts-{dtype}.npy", cast, ids)
        testdata.json(f"golden/unit-stats/validate-{dtype}.json", validation(cast, category, levels))
    testdata.json("golden/unit-stats/probe.json", probe(x, ids, category, levels))
    shared = 3 * rng.normal(size=N_TOTAL)
    a, b = localizer(rng, shared, 1.6), localizer(rng, shared, 1.3)
    unit_table(testdata, "a", "faces > bodies,places", a)
    unit_table(testdata, "b", "faces > objects", b)
    testdata.json("golden/unit-stats/overlap.json", overlap(a, b))
    testdata.json("golden/unit-stats/compare.json", compare(a, b))
