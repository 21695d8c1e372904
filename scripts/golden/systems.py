"""Comparisons of whole systems: CKA, Procrustes, Bures, and correlations of RDMs with controls taken out.

testdata/golden/systems/narrow.npy, wide.npy, middle.npy
                                   20 stimuli x 6, 50, 19 units (f8) and their ids; the rows of wide.npy stand in another order
testdata/golden/systems/rdms.npy   5 RDMs x 190 and their ids, back to back: correlation, sqeuclidean, cosine and euclidean
                                   distances of those matrices (and of noise), and one of ranks that no points have
testdata/golden/systems/matrices.json
                                   comparison -> [3][3] in the order of the three files; disparity: scipy.spatial.procrustes
testdata/golden/systems/bures.json rsatoolbox `bures` and `bures_metric` [5][5] in the order of rdms.npy
testdata/golden/systems/partial.json
                                   {partial, semipartial}-{pearson, spearman} -> controls (RDMs 3, or 3 and 4) -> [2][1]:
                                   models 0 and 1, brain 2

CKA by Gram matrices (Kornblith et al. 2019) and Song et al. (2012) eq. 5 as they are printed; Procrustes by
scipy.linalg.orthogonal_procrustes of matrices padded with zeros; controls by numpy.linalg.lstsq and scipy's pearsonr, checked
against the inverse of the correlation matrix.
"""

import numpy as np
import scipy.linalg
import scipy.spatial
import scipy.stats
from rsatoolbox.rdm import RDMs, compare
from scipy.spatial.distance import pdist

from golden.files import random

N = 20


def cka(x, y):
    h = np.eye(N) - 1 / N
    k, l = h @ x @ x.T @ h, h @ y @ y.T @ h
    return np.sum(k * l) / np.sqrt(np.sum(k * k) * np.sum(l * l))


def hsic_1(x, y):
    k, l = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    one = np.ones(N)
    terms = np.trace(k @ l) + one @ k @ one * (one @ l @ one) / ((N - 1) * (N - 2)) - 2 / (N - 2) * (one @ k @ l @ one)
    return terms / (N * (N - 3))


def cka_debiased(x, y):
    return hsic_1(x, y) / np.sqrt(hsic_1(x, x) * hsic_1(y, y))


def prepared(x, width):
    x = x - x.mean(axis=0)
    return np.pad(x / np.linalg.norm(x), ((0, 0), (0, width - x.shape[1])))


def procrustes(x, y):
    width = max(x.shape[1], y.shape[1])
    x, y = prepared(x, width), prepared(y, width)
    rotation, scale = scipy.linalg.orthogonal_procrustes(x, y)
    np.testing.assert_allclose(np.sum((x @ rotation) * y), scale, rtol=1e-12)
    return min(scale, 1.0)


def disparity(x, y):
    width = max(x.shape[1], y.shape[1])
    padded = [np.pad(m, ((0, 0), (0, width - m.shape[1]))) for m in (x, y)]
    found = scipy.spatial.procrustes(*padded)[2]
    np.testing.assert_allclose(found, 1 - procrustes(x, y) ** 2, atol=1e-12)
    return found


def residual(values, controls):
    design = np.column_stack([np.ones(len(values)), *controls])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def controlled(model, brain, controls, semi, ranks):
    if ranks:
        model, brain, *controls = (scipy.stats.rankdata(v) for v in (model, brain, *controls))
    other = brain if semi else residual(brain, controls)
    found = scipy.stats.pearsonr(residual(model, controls), other).statistic
    if not semi:
        precision = np.linalg.inv(np.corrcoef(np.stack([model, brain, *controls])))
        np.testing.assert_allclose(found, -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1]), rtol=1e-10)
    return found


def make(testdata):
    rng = random(29)
    ids = np.array([f"picture_{i:02}.png" for i in range(N)])
    common = rng.normal(size=(N, 4))
    narrow = common @ rng.normal(size=(4, 6)) + rng.normal(size=(N, 6)) + 3
    wide = common @ rng.normal(size=(4, 50)) + 2 * rng.normal(size=(N, 50)) - 1
    middle = rng.normal(size=(N, 19)) * 0.3
    order = rng.permutation(N)
    testdata.array("golden/systems/narrow.npy", narrow, ids)
    testdata.array("golden/systems/wide.npy", wide[order], ids[order])
    testdata.array("golden/systems/middle.npy", middle, ids)
    matrices = (narrow, wide, middle)
    table = {
        name: [[of(x, y) for y in matrices] for x in matrices]
        for name, of in (("cka", cka), ("cka-debiased", cka_debiased), ("procrustes", procrustes), ("disparity", disparity))
    }
    table["procrustes-angle"] = np.arccos(table["procrustes"])
    testdata.json("golden/systems/matrices.json", table)

    rdms = np.stack(
        [
            pdist(narrow, "correlation"),
            pdist(wide, "sqeuclidean"),
            pdist(middle, "cosine"),
            pdist(rng.normal(size=(N, 8)) + common @ rng.normal(size=(4, 8)), "euclidean"),
            scipy.stats.rankdata(pdist(common, "sqeuclidean") + rng.normal(size=N * (N - 1) // 2)),
        ]
    )
    testdata.array("golden/systems/rdms.npy", *(part for rdm in rdms for part in (rdm, ids)))
    testdata.json("golden/systems/bures.json", {how: compare(RDMs(rdms), RDMs(rdms), how) for how in ("bures", "bures_metric")})

    testdata.json(
        "golden/systems/partial.json",
        {
            f"{kind}-{how}": {
                str(n): [controlled(rdms[m], rdms[2], rdms[3 : 3 + n], kind == "semipartial", how == "spearman") for m in (0, 1)]
                for n in (1, 2)
            }
            for kind in ("partial", "semipartial")
            for how in ("pearson", "spearman")
        },
    )
