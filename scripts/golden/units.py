"""Unit statistics of a localizer: SciPy on 120 stimuli x 24 units, hard units among them.

testdata/golden/units/acts-f8.npy, acts-f4.npy  the activations, then their ids (f4: the same numbers, rounded)
testdata/golden/units/stimuli.csv               stimulus,category,domain
testdata/golden/units/faces-{f8,f4}.json        'faces > bodies,places,objects': pooled and each, Student and Welch
testdata/golden/units/weights.json              '2*faces - bodies - places' and unequal weights: contrasts of a least-squares one-way layout
testdata/golden/units/fdr.json                  false_discovery_control on p values with NaN among them
testdata/golden/units/tails.json                log survival functions far beyond where p is 0 (mpmath, 60 digits)
"""

import mpmath
import numpy as np
import scipy.stats

from golden.files import random

CATEGORIES = {  # category -> (domain, how many): unequal on purpose
    "adult": ("faces", 18), "child": ("faces", 12),
    "body": ("bodies", 20),
    "house": ("places", 25), "corridor": ("places", 13),
    "car": ("objects", 21), "instrument": ("objects", 11),
}
OTHERS = ("bodies", "places", "objects")


def stimuli(rng):
    """Interleaved rows, as a real stimulus list has them."""
    rows = [(f"{category}/{i:02}.png", category, domain) for category, (domain, n) in CATEGORIES.items() for i in range(n)]
    return [rows[i] for i in rng.permutation(len(rows))]


def activations(rng, domains):
    x = rng.normal(size=(len(domains), 24))
    faces, bodies = domains == "faces", domains == "bodies"
    x[faces, :8] += np.linspace(0.3, 3.0, 8)
    x[bodies, 4:12] += 1.0
    x[:, 12] = np.round(x[:, 12])  # many ties
    x[:, 13] = np.maximum(x[:, 13], 0)  # rectified
    x[:, 14] = 2.5  # constant
    x[:, 15] = 0.0  # dead
    x[7, 16] = np.nan
    x[:, 17] = faces  # no variance within any group: t is infinite
    x[:, 18] = 1000 + 0.01 * x[:, 18] + 0.02 * faces  # a small signal on a large offset
    x[:, 19] = 1e-6 * x[:, 19] + faces  # t in the millions, p far below the smallest float
    x[faces, 20] = 0.75  # no variance among the preferred only
    x[:, 21] = -np.abs(x[:, 21]) - 3 * faces  # negative means
    x[:, 22] *= np.where(faces, 5, 1)  # unequal variances: Welch differs
    x[faces, 23] += 1.0
    return x


def d_prime(a, b):
    return (a.mean(0) - b.mean(0)) / np.sqrt((a.var(0, ddof=1) + b.var(0, ddof=1)) / 2)


def selectivity_index(a, b):
    return (a.mean(0) - b.mean(0)) / (np.abs(a.mean(0)) + np.abs(b.mean(0)))


def ratio(a, b):
    return np.where((a < 0) | (b < 0), np.nan, a / np.abs(b))


def roc_area(a, b):
    """Mann and Whitney's U of the first sample over the number of pairs; units with NaN have none."""
    u = np.array([scipy.stats.mannwhitneyu(x, y, method="asymptotic").statistic for x, y in zip(a.T, b.T)])
    return np.where(np.isnan(a).any(0) | np.isnan(b).any(0), np.nan, u / (len(a) * len(b)))


def weighted(x, domains, weights, test):
    """The contrast of level means: by least squares (Student), or by the definition of Satterthwaite's df (Welch)."""
    x = x.astype(np.float64)
    levels = list(weights)
    rows = np.isin(domains, levels)
    x, domains = x[rows], domains[rows]
    w = np.array([weights[level] for level in levels], float)
    w /= np.where(w > 0, w[w > 0].sum(), -w[w < 0].sum())
    with np.errstate(all="ignore"):
        if test == "student":
            design = (domains[:, None] == np.array(levels)).astype(float)
            beta, *_ = np.linalg.lstsq(design, np.nan_to_num(x), rcond=None)
            df = len(x) - len(levels)
            variance = ((np.nan_to_num(x) - design @ beta) ** 2).sum(0) / df
            t = w @ beta / np.sqrt(variance * (w @ np.linalg.inv(design.T @ design) @ w))
            df = np.full(t.shape, float(df))
        else:
            means = np.array([x[domains == level].mean(0) for level in levels])
            parts = np.array([w[i] ** 2 * scipy.stats.sem(x[domains == level], axis=0) ** 2 for i, level in enumerate(levels)])
            n = np.array([(domains == level).sum() for level in levels])[:, None]
            t = w @ means / np.sqrt(parts.sum(0))
            df = parts.sum(0) ** 2 / (parts**2 / (n - 1)).sum(0)
        return {"t": t, "df": df, "p": scipy.stats.t.sf(t, df)}


WEIGHTS = {
    "2*faces - bodies - places": {"faces": 2, "bodies": -1, "places": -1},
    "0.7*faces + 0.3*bodies - 0.9*places - 0.1*objects": {"faces": 0.7, "bodies": 0.3, "places": -0.9, "objects": -0.1},
}


def corrected(p, method):
    """SciPy's correction refuses NaN: leave those units out, as not tested, and put NaN back."""
    q = np.full(len(p), np.nan)
    tested = ~np.isnan(p)
    q[tested] = scipy.stats.false_discovery_control(p[tested], method=method)
    return q


def log_sf(t, df):
    """ln of the upper tail of Student's t, exact where scipy's underflows."""
    with mpmath.workdps(60):
        if np.isnan(t) or np.isnan(df):
            return np.nan
        if np.isinf(t):
            return -np.inf if t > 0 else 0.0
        t, df = mpmath.mpf(float(t)), mpmath.mpf(float(df))
        tail = mpmath.betainc(df / 2, mpmath.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2
        return float(mpmath.log(tail if t > 0 else 1 - tail))


def compared(a, b, test):
    """One row per statistic, one column per unit."""
    with np.errstate(all="ignore"):
        result = scipy.stats.ttest_ind(a, b, axis=0, equal_var=test == "student", alternative="greater")
        logs = np.array([log_sf(t, df) for t, df in zip(result.statistic, np.broadcast_to(result.df, result.statistic.shape))])
        table = {
            "n_preferred": len(a),
            "n_rest": len(b),
            "mean_preferred": a.mean(0),
            "mean_rest": b.mean(0),
            "t": result.statistic,
            "df": np.broadcast_to(result.df, result.statistic.shape),
            "p": result.pvalue,
            "neg_log10_p": -logs / np.log(10),
            "dprime": d_prime(a, b),
            "selectivity_index": selectivity_index(a, b),
            "q_bh": corrected(result.pvalue, "bh"),
            "q_by": corrected(result.pvalue, "by"),
            "q_bonferroni": np.minimum(result.pvalue * np.sum(~np.isnan(result.pvalue)), 1),
            "ratio": ratio(a.mean(0), b.mean(0)),
            "auc": roc_area(a, b),
        }
    seen = np.isfinite(logs) & (logs > -600)
    np.testing.assert_allclose(np.exp(logs[seen]), result.pvalue[seen], rtol=1e-9)
    return table


def tables(x, domains):
    """Computed from the numbers as stored: f4 input is widened first, so nothing is summed in f4."""
    x = x.astype(np.float64)
    # A unit that met NaN is out of every comparison, also of those whose rows have none: it does not count as a test.
    x[:, np.isnan(x).any(0)] = np.nan
    preferred = x[domains == "faces"]
    out = {}
    for test in ("student", "welch"):
        each = {other: compared(preferred, x[domains == other], test) for other in OTHERS}
        # Prince et al. 2024: selective = better than every other domain, each comparison corrected on its own
        conjunction = np.all([(each[o]["q_by"] < 0.05) & (each[o]["t"] > 0) for o in OTHERS], axis=0)
        out[test] = {
            "pooled": compared(preferred, x[np.isin(domains, OTHERS)], test),
            "each": each,
            "each_by_05": np.flatnonzero(conjunction),
        }
    return out


def tails():
    t_rows, z_rows = [], []
    for df in (1, 2.5, 7, 30, 118, 1000, 1e6):
        for t in (-40.0, -3.0, -1e-3, 0.0, 1e-8, 0.5, 1.0, 2.0, 5.0, 12.0, 38.0, 75.0, 1e3, 1e5):
            t_rows.append([t, df, log_sf(t, df)])
    with mpmath.workdps(60):
        for z in (-39.0, -8.0, -1.0, -1e-8, 0.0, 0.5, 1.0, 3.0, 8.0, 20.0, 37.0, 38.5, 60.0, 1e3, 1e6):
            z_rows.append([z, float(mpmath.log(mpmath.erfc(mpmath.mpf(z) / mpmath.sqrt(2)) / 2))])
    return {"student_t": {"columns": ["t", "df", "ln_sf"], "rows": t_rows}, "normal": {"columns": ["z", "ln_sf"], "rows": z_rows}}


def make(testdata):
    rng = random(2)
    rows = stimuli(rng)
    domains = np.array([domain for _, _, domain in rows])
    x = activations(rng, domains)
    ids = np.array([stimulus for stimulus, _, _ in rows])
    testdata.csv("golden/units/stimuli.csv", ["stimulus", "category", "domain"], rows)
    for dtype in ("f8", "f4"):
        stored = x.astype(dtype)
        testdata.array(f"golden/units/acts-{dtype}.npy", stored, ids)
        testdata.json(f"golden/units/faces-{dtype}.json", tables(stored, domains))

    stored = {dtype: x.astype(dtype) for dtype in ("f8", "f4")}
    testdata.json("golden/units/weights.json", {
        dtype: {text: {test: weighted(acts, domains, weights, test) for test in ("student", "welch")} for text, weights in WEIGHTS.items()}
        for dtype, acts in stored.items()
    })

    p = np.concatenate([rng.uniform(size=40) ** 4, [0.0, 1.0, 0.01, 0.01, np.nan, 1e-300, np.nan]])
    testdata.json("golden/units/fdr.json", {"p": p, "bh": corrected(p, "bh"), "by": corrected(p, "by")})
    testdata.json("golden/units/tails.json", tails())
