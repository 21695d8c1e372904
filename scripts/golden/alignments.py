"""Alignments of the units of two matrices: canonical correlations, matchings, and CKA of Gaussian kernels.

testdata/golden/alignments/{a,b,c,d}.npy  40 stimuli x 5, 5, 8, 12 units (f8) and their ids
testdata/golden/alignments/scores.json    {cca, svcca, pwcca, permutation, soft-matching, cka-rbf, cka-rbf-half}[4][4], all stimuli;
                                          held: {cca, svcca, permutation, soft-matching}[4][4], fitted to the even rows and scored
                                          on the odd ones

Canonical correlations by numpy's QR and SVD (Bjorck & Golub 1973), checked against sklearn.cross_decomposition.CCA; pwcca after
Morcos et al. (2018), the weights of the narrower side, of equal ones the mean of both; matchings by
scipy.optimize.linear_sum_assignment and the linear programme of the transport by scipy.optimize.linprog (HiGHS); the bandwidth of
cka-rbf is 1 (half: 0.5) times the root of numpy's median of the squared distances, diagonal and all, as in the notebook of
Kornblith et al. (2019).
"""

import numpy as np
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist
from sklearn.cross_decomposition import CCA

from golden.files import random

N = 40
ALL, EVEN, ODD = np.arange(N), np.arange(0, N, 2), np.arange(1, N, 2)


def centred(x, rows):
    return x[rows] - x[rows].mean(axis=0)


def leading(x, rows, variance):
    """Projects all rows on the leading right singular vectors of the centred rows."""
    values, right = np.linalg.svd(centred(x, rows))[1:]
    share = np.cumsum(values**2) / np.sum(values**2)
    return x @ right[: 1 + np.argmax(share >= variance)].T


def canonical(x, y, rows):
    """Maps of x and y to canonical variates, and the correlations."""
    (q_x, r_x), (q_y, r_y) = (np.linalg.qr(centred(side, rows)) for side in (x, y))
    left, values, right = np.linalg.svd(q_x.T @ q_y, full_matrices=False)
    return np.linalg.solve(r_x, left), np.linalg.solve(r_y, right.T), np.minimum(values, 1)


def columns(x, y):
    return [np.corrcoef(x[:, k], y[:, k])[0, 1] for k in range(x.shape[1])]


def cca(x, y, fit, held=None):
    a, b, values = canonical(x, y, fit)
    if held is not None:
        return np.mean(columns(x[held] @ a, y[held] @ b))
    if x is not y:
        model = CCA(n_components=len(values), scale=False, max_iter=20000, tol=1e-12).fit(x[fit], y[fit])
        np.testing.assert_allclose(columns(*model.transform(x[fit], y[fit])), values, atol=1e-3)
    return np.mean(values)


def svcca(x, y, fit, held=None):
    return cca(leading(x, fit, 0.9), leading(y, fit, 0.9), fit, held)


def pwcca(x, y, fit):
    a, b, values = canonical(x, y, fit)
    found = []
    for side, other, weights in ((x, y, a), (y, x, b)):
        if side.shape[1] <= other.shape[1]:
            alpha = np.abs((centred(side, fit) @ weights).T @ centred(side, fit)).sum(axis=1)
            found.append(np.sum(alpha * values) / alpha.sum())
    return np.mean(found)


def correlations(x, y, rows):
    return np.corrcoef(x[rows].T, y[rows].T)[: x.shape[1], x.shape[1] :]


def permutation(x, y, fit, held=None):
    place = linear_sum_assignment(correlations(x, y, fit), maximize=True)
    return correlations(x, y, fit if held is None else held)[place].mean()


def soft_matching(x, y, fit, held=None):
    r = correlations(x, y, fit)
    p, q = r.shape
    rows, sums = np.kron(np.eye(p), np.ones(q)), np.kron(np.ones(p), np.eye(q))
    found = linprog(-r.ravel(), A_eq=np.vstack([rows, sums]), b_eq=np.r_[np.full(p, 1 / p), np.full(q, 1 / q)], method="highs")
    assert found.success
    return found.x @ correlations(x, y, fit if held is None else held).ravel()


def cka_rbf(x, y, bandwidth):
    h = np.eye(N) - 1 / N
    k, l = (np.exp(-d / (2 * bandwidth**2 * np.median(d))) for d in (cdist(m, m, "sqeuclidean") for m in (x, y)))
    k, l = h @ k @ h, h @ l @ h
    return np.sum(k * l) / np.sqrt(np.sum(k * k) * np.sum(l * l))


def make(testdata):
    rng = random(41)
    ids = np.array([f"picture_{i:02}.png" for i in range(N)])
    common = rng.normal(size=(N, 4))
    made = [common @ rng.normal(size=(4, p)) + rng.normal(size=(N, p)) + rng.normal(size=p) for p in (5, 5, 8, 12)]
    for name, x in zip("abcd", made):
        testdata.array(f"golden/alignments/{name}.npy", x, ids)
    square = lambda of: [[of(x, y) for y in made] for x in made]
    scores = {
        name: square(lambda x, y: of(x, y, ALL))
        for name, of in (("cca", cca), ("svcca", svcca), ("pwcca", pwcca), ("permutation", permutation), ("soft-matching", soft_matching))
    }
    scores["cka-rbf"] = square(lambda x, y: cka_rbf(x, y, 1))
    scores["cka-rbf-half"] = square(lambda x, y: cka_rbf(x, y, 0.5))
    scores["held"] = {
        name: square(lambda x, y: of(x, y, EVEN, ODD))
        for name, of in (("cca", cca), ("svcca", svcca), ("permutation", permutation), ("soft-matching", soft_matching))
    }
    testdata.json("golden/alignments/scores.json", scores)
