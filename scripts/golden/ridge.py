"""Ridge regression in cross-validation: scikit-learn, checked against himalaya and against brute force.

testdata/golden/ridge/{tall,wide}-x.npy     features, 60 x 40 and 30 x 80 (f8), then ids; unit 3 is constant in every training set's rows
testdata/golden/ridge/{tall,wide}-y.npy     responses of 7 voxels, then ids; voxel 5 is constant, voxel 6 has one NaN
testdata/golden/ridge/{tall,wide}-fixed-predictions.npy   alphas x rows x voxels: held-out predictions at fixed_alphas
testdata/golden/ridge/{tall,wide}-loo-predictions.npy     rows x voxels: alpha per voxel by leave-one-out in the training rows
testdata/golden/ridge/{tall,wide}-folds-predictions.npy   the same, alpha by the other outer folds, each held out once
testdata/golden/ridge/{tall,wide}.json      fixed_alphas, folds, grid, scores

Five contiguous folds. Features are standardised with the mean and sd (over n, not n - 1) of the training rows, a constant
feature becoming zero; responses are centred; the penalty is alpha * |w|^2 against the sum of squared errors.
The grid is relative: alpha = factor * scale, scale the mean squared length of the standardised training rows
(the mean eigenvalue of X X'), which is the number of features that vary there: 39 and 79.
Voxels 5 and 6 have no scores (null): libraries give 0, or refuse.
"""

import numpy as np
from himalaya.ridge import Ridge as HimalayaRidge
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.metrics import r2_score

from golden.files import random

FIXED_ALPHAS = np.array([0.01, 1.0, 100.0])
FACTORS = np.logspace(-4, 2, 13)
N_FOLDS = 5
USABLE = slice(0, 5)


def standardised(x, train):
    mean, sd = x[train].mean(0), x[train].std(0)
    return (x - mean) / np.where(sd > 0, sd, 1)


def leave_one_out_errors(x, y, alpha):
    """The obvious way: refit without each row. Mean squared error per voxel."""
    errors = []
    for i in range(len(x)):
        rest = np.arange(len(x)) != i
        errors.append(Ridge(alpha, solver="cholesky").fit(x[rest], y[rest]).predict(x[i : i + 1])[0] - y[i])
    return (np.array(errors) ** 2).mean(0)


def held_out_errors(x, y, fold_of_row, alpha):
    """Mean squared error per voxel over inner folds, each with the scaling of the rows it keeps."""
    errors = np.zeros(y.shape)
    for fold in np.unique(fold_of_row):
        out = fold_of_row == fold
        z = standardised(x, ~out)
        # the penalty is a factor of what these rows' scale is, as it is outside
        model = Ridge(alpha * (z[~out] ** 2).sum(1).mean(), solver="svd").fit(z[~out], y[~out])
        errors[out] = model.predict(z[out]) - y[out]
    return (errors**2).mean(0)


def per_voxel(x, y, alphas, z):
    """Predictions of z, each voxel with its own alpha."""
    return np.stack([Ridge(a, solver="svd").fit(x, y[:, v]).predict(z) for v, a in enumerate(alphas)], axis=1)


def margin(errors):
    """How close the runner-up is: a choice by a margin of rounding size would be no test."""
    best = np.sort(errors, axis=0)
    return best[1] / best[0] - 1


def cross_validated(x, y):
    n = len(x)
    fold_of_row = np.arange(n) // (n // N_FOLDS)
    fixed = np.full((len(FIXED_ALPHAS), n, y.shape[1]), np.nan)
    loo = np.full(y.shape, np.nan)
    by_folds = np.full(y.shape, np.nan)
    folds = []
    for fold in range(N_FOLDS):
        test = fold_of_row == fold
        z = standardised(x, ~test)
        train_x, train_y = z[~test], y[~test][:, USABLE]
        for a, alpha in enumerate(FIXED_ALPHAS):
            fixed[a, test, USABLE] = Ridge(alpha, solver="svd").fit(train_x, train_y).predict(z[test])
            peer = HimalayaRidge(alpha=alpha, solver="svd", fit_intercept=True).fit(train_x, train_y).predict(z[test])
            np.testing.assert_allclose(peer, fixed[a, test, USABLE], rtol=1e-6, atol=1e-8)
        scale = (train_x**2).sum(1).mean()
        alphas = FACTORS * scale
        model = RidgeCV(alphas, alpha_per_target=True, fit_intercept=True).fit(train_x, train_y)
        errors = np.array([leave_one_out_errors(train_x, train_y, alpha) for alpha in alphas])
        np.testing.assert_array_equal(alphas[errors.argmin(0)], model.alpha_)
        loo[test, USABLE] = model.predict(z[test])
        inner = np.array([held_out_errors(x[~test], y[~test][:, USABLE], fold_of_row[~test], factor) for factor in FACTORS])
        by_folds[test, USABLE] = per_voxel(train_x, train_y, alphas[inner.argmin(0)], z[test])
        folds.append({
            "scale": scale,
            "alphas": alphas,
            "loo_choice": errors.argmin(0),
            "loo_margin": margin(errors),
            "loo_mse": errors,
            "folds_choice": inner.argmin(0),
            "folds_margin": margin(inner),
        })
    return fold_of_row, fixed, loo, by_folds, folds


def scores(y, prediction):
    out = {"r": [], "R2": []}
    for voxel in range(y.shape[1]):
        usable = np.isfinite(prediction[:, voxel]).all()
        out["r"].append(np.corrcoef(y[:, voxel], prediction[:, voxel])[0, 1] if usable else np.nan)
        out["R2"].append(r2_score(y[:, voxel], prediction[:, voxel]) if usable else np.nan)
    return out


def make(testdata):
    rng = random(4)
    for name, n, p in (("tall", 60, 40), ("wide", 30, 80)):
        x = rng.normal(size=(n, p)) * np.exp(rng.normal(size=p)) + rng.normal(size=p)
        x[:, 1] = 2 * x[:, 0] + 1  # collinear
        x[:, 3] = 4.0
        weights = rng.normal(size=(p, 7)) * (rng.uniform(size=(p, 7)) < 0.3)
        y = standardised(x, slice(None)) @ weights
        y += y.std(0) * np.array([0.1, 0.5, 1, 2, 5, 1, 1]) * rng.normal(size=(n, 7)) + 10
        y[:, 5] = 3.0
        y[n // 2, 6] = np.nan
        fold_of_row, fixed, loo, by_folds, folds = cross_validated(x, y)
        ids = np.array([f"s{i:02}" for i in range(n)])
        testdata.array(f"golden/ridge/{name}-x.npy", x, ids)
        testdata.array(f"golden/ridge/{name}-y.npy", y, ids)
        testdata.array(f"golden/ridge/{name}-fixed-predictions.npy", fixed)
        testdata.array(f"golden/ridge/{name}-loo-predictions.npy", loo)
        testdata.array(f"golden/ridge/{name}-folds-predictions.npy", by_folds)
        testdata.json(f"golden/ridge/{name}.json", {
            "fold_of_row": fold_of_row,
            "fixed_alphas": FIXED_ALPHAS,
            "factors": FACTORS,
            "folds": folds,
            "fixed_scores": [scores(y, prediction) for prediction in fixed],
            "loo_scores": scores(y, loo),
            "folds_scores": scores(y, by_folds),
        })
