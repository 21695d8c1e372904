"""Encoding models: banded ridge of himalaya, and the methods beside ridge of scikit-learn and fracridge.

testdata/golden/encoding/x.npy, y.npy          80 stimuli x 102 features (f8) and x 12 voxels, then ids. Rows 0 to 59 train, 60 to 79 test.
                                               Bands are the columns 0-6, 7-11, 12-101. Both are centred once, on the 60 training rows, and
                                               himalaya runs with fit_intercept=False: its folds then take no means out, and neither
                                               may whoever compares (no intercept, no scaling).
testdata/golden/encoding/banded.json           gammas (8 x 3, the first equal), alphas, fold_of_row (KFold(5)), and per solver the chosen gamma and
                                               alpha, cv scores (negative mean squared errors), splits of R2 and r on the test rows
testdata/golden/encoding/NAME-weights.npy      102 x 12 primal weights, NAME = ridge (all features together), banded, winner (gammas np.eye(3))
testdata/golden/encoding/NAME-predictions.npy  20 x 12; banded: 3 x 20 x 12, per band
testdata/golden/encoding/{tall,wide}-x.npy     40 x 15 and 24 x 50 raw features: column 1 is 2 x column 0 + 1, column 3 constant
testdata/golden/encoding/{tall,wide}-y.npy     responses of 6 voxels
testdata/golden/encoding/{tall,wide}.json      Lasso, LassoCV, PLSRegression, LinearRegression, exact fractional ridge

himalaya adds 1e-10 ln(alpha) to every score, so that ties go to the larger penalty: cv_scores have it, mean_squared_errors are
the scores worked out again without. The script asserts that kernel and primal solvers agree, and both with solved normal equations.
Fractional ridge is exact from the singular values (a root found by SciPy); fracridge interpolates, and how far it misses is recorded.
"""

import numpy as np
from fracridge import fracridge
from himalaya.kernel_ridge import KernelRidgeCV, MultipleKernelRidgeCV
from himalaya.ridge import GroupRidgeCV, RidgeCV
from himalaya.scoring import correlation_score_split, r2_score_split
from scipy.optimize import brentq
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Lasso, LassoCV, LinearRegression
from sklearn.model_selection import KFold

from golden.files import random

BANDS = (slice(0, 7), slice(7, 12), slice(12, 102))
N_TRAIN = 60
ALPHAS = np.logspace(-1, 4, 6)
CV = KFold(5)
FRACTIONS = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0])
FEATURES = slice(4, None)  # of fractional ridge: fracridge divides by singular values that collinear features make 0


def banded_problem(rng):
    x = rng.normal(size=(80, 102))
    x[:, BANDS[1]] += x[:, 2:7]  # bands share variance
    y = np.zeros((80, 12))
    for v in range(12):
        for band, share in zip(BANDS, rng.dirichlet([0.5] * 3)):
            weights = rng.normal(size=band.stop - band.start)
            part = x[:, band] @ weights
            y[:, v] += np.sqrt(share) * part / part.std()
    y += np.linspace(0.2, 3, 12) * rng.normal(size=y.shape)
    return x - x[:N_TRAIN].mean(0), y - y[:N_TRAIN].mean(0)


def errors_by_solving(x, y, gamma):
    """Mean over folds of the mean squared error, alphas x voxels, from the normal equations of the rows."""
    weighted = [np.sqrt(g) * x[:, band] for g, band in zip(gamma, BANDS)]
    kernel = sum(w @ w.T for w in weighted)
    errors = np.zeros((len(ALPHAS), y.shape[1]))
    for train, test in CV.split(x):
        for a, alpha in enumerate(ALPHAS):
            dual = np.linalg.solve(kernel[np.ix_(train, train)] + alpha * np.eye(len(train)), y[train])
            errors[a] += ((kernel[np.ix_(test, train)] @ dual - y[test]) ** 2).mean(0) / CV.n_splits
    return errors


def search(x, y, gammas):
    """Best gamma and alpha of every voxel, the errors of all, and by how much the runner-up is worse."""
    errors = np.array([errors_by_solving(x, y, gamma) for gamma in gammas])
    flat = errors.reshape(-1, y.shape[1])
    best = flat.argmin(0)
    ordered = np.sort(flat, axis=0)
    margin = ordered[1] / ordered[0] - 1 if len(flat) > 1 else None
    assert margin.min() > 1e-6
    return best // len(ALPHAS), best % len(ALPHAS), errors, margin


def splits(y, predictions):
    """himalaya's, with responses and predictions as they are, and with the means over the test rows taken out of both."""
    centred = y - y.mean(0), predictions - predictions.mean(1, keepdims=True)
    return {
        "r2_split": r2_score_split(y, predictions),
        "r2_split_centred": r2_score_split(*centred),
        "r_split": correlation_score_split(y, predictions),
    }


def banded(testdata, rng):
    x, y = banded_problem(rng)
    gammas = np.array([rng.dirichlet([concentration] * 3) for concentration in (0.1, 1.0) * 4])
    gammas[0] = 1 / 3
    assert gammas.min() > 1e-12  # GroupRidgeCV divides by their roots
    train_x, train_y, test_x, test_y = x[:N_TRAIN], y[:N_TRAIN], x[N_TRAIN:], y[N_TRAIN:]
    kernels = np.array([train_x[:, band] @ train_x[:, band].T for band in BANDS])
    parts = [train_x[:, band] for band in BANDS]
    fold_of_row = np.zeros(N_TRAIN, int)
    for fold, (_, test) in enumerate(CV.split(train_x)):
        fold_of_row[test] = fold
    out = {"gammas": gammas, "alphas": ALPHAS, "fold_of_row": fold_of_row, "n_train": N_TRAIN, "bands": [[b.start, b.stop] for b in BANDS]}

    plain = RidgeCV(alphas=ALPHAS, cv=CV).fit(train_x, train_y)
    dual = KernelRidgeCV(alphas=ALPHAS, cv=CV, kernel="linear").fit(train_x, train_y)
    np.testing.assert_allclose(plain.best_alphas_, dual.best_alphas_, rtol=1e-12)
    np.testing.assert_allclose(train_x.T @ dual.dual_coef_, plain.coef_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(dual.cv_scores_, plain.cv_scores_, rtol=1e-9)
    _, alpha, errors, margin = search(train_x, train_y, np.ones((1, 3)))
    np.testing.assert_allclose(ALPHAS[alpha], plain.best_alphas_, rtol=1e-12)
    np.testing.assert_allclose(-errors[0].min(0) + 1e-10 * np.log(ALPHAS[alpha]), plain.cv_scores_.reshape(-1), rtol=1e-9)
    testdata.array("golden/encoding/ridge-weights.npy", plain.coef_)
    testdata.array("golden/encoding/ridge-predictions.npy", plain.predict(test_x))
    out["ridge"] = {"alpha": alpha, "cv_scores": plain.cv_scores_.reshape(-1), "mean_squared_errors": errors[0], "margin": margin}

    for name, tried in (("banded", gammas), ("winner", np.eye(3))):
        params = dict(n_iter=tried, alphas=ALPHAS, progress_bar=False)
        model = MultipleKernelRidgeCV(kernels="precomputed", solver_params=params, cv=CV).fit(kernels, train_y)
        gamma, alpha, errors, margin = search(train_x, train_y, tried)
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(np.exp(model.deltas_), (tried[gamma] / ALPHAS[alpha, None]).T, rtol=1e-12)
        best = errors.min(1)
        np.testing.assert_allclose(model.cv_scores_, -best + 1e-10 * np.log(ALPHAS[errors.argmin(1)]), rtol=1e-9)
        weights = np.concatenate(model.get_primal_coef(parts))
        predictions = np.array([test_x[:, band] @ weights[band] for band in BANDS])
        cross = np.array([test_x[:, band] @ train_x[:, band].T for band in BANDS])
        np.testing.assert_allclose(model.predict(cross, split=True), predictions, rtol=1e-8, atol=1e-10)
        if name == "banded":
            group = GroupRidgeCV(groups="input", solver_params=params, cv=CV).fit(parts, train_y)
            np.testing.assert_allclose(group.coef_, weights, rtol=1e-8, atol=1e-9)
            np.testing.assert_allclose(group.cv_scores_, model.cv_scores_, rtol=1e-9)
        testdata.array(f"golden/encoding/{name}-weights.npy", weights)
        testdata.array(f"golden/encoding/{name}-predictions.npy", predictions)
        out[name] = {
            "gamma": gamma,
            "alpha": alpha,
            "cv_scores": model.cv_scores_,
            "mean_squared_errors": best,
            "margin": margin,
            **splits(test_y, predictions),
        }
    ids = np.array([f"s{i:02}" for i in range(len(x))])
    testdata.array("golden/encoding/x.npy", x, ids)
    testdata.array("golden/encoding/y.npy", y, ids)
    testdata.json("golden/encoding/banded.json", out)


def lasso(x, y):
    tight = dict(tol=1e-12, max_iter=1_000_000)
    out = {}
    for name, positive, alpha in (("positive", True, 0.1), ("signed", False, 0.1), ("positive_small", True, 0.01)):
        models = [Lasso(alpha=alpha, positive=positive, **tight).fit(x, column) for column in y.T]
        out[name] = {
            "alpha": alpha,
            "weights": np.array([m.coef_ for m in models]).T,
            "intercept": [m.intercept_ for m in models],
            "dual_gap": [m.dual_gap_ for m in models],
        }
    tight["tol"] = 1e-10
    models = [LassoCV(positive=True, cv=CV, **tight).fit(x, column) for column in y.T]
    errors = [m.mse_path_.mean(1) for m in models]
    out["chosen"] = {
        "alpha": [m.alpha_ for m in models],
        "weights": np.array([m.coef_ for m in models]).T,
        "intercept": [m.intercept_ for m in models],
        "held_out_error": [e.min() for e in errors],
        "margin": [np.sort(e)[1] / e.min() - 1 for e in errors],
    }
    return out


def pls(x, y, most=4):
    """By both of its algorithms; the power method stops by a tolerance, which here is below rounding."""
    out = {}
    for name, scale in (("scaled", True), ("raw", False)):
        out[name] = []
        for k in range(1, most + 1):
            model = PLSRegression(k, scale=scale, tol=1e-30, max_iter=100_000).fit(x, y)
            out[name].append({"weights": model.coef_.T, "intercept": model.predict(np.zeros((1, x.shape[1])))[0]})
    return out


def ols(x, y):
    model = LinearRegression().fit(x, y)
    return {"weights": model.coef_.T, "intercept": model.intercept_, "rank": model.rank_}


def fractional(x, y):
    """Exact penalties from the singular values of the centred features, and how far fracridge's are from them."""
    x, y = x[:, FEATURES] - x[:, FEATURES].mean(0), y - y.mean(0)
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    kept = s > 1e-10 * s[0]
    u, s, vt = u[:, kept], s[kept], vt[kept]
    c = u.T @ y
    alphas = np.zeros((len(FRACTIONS), y.shape[1]))
    weights = np.zeros((len(FRACTIONS), x.shape[1], y.shape[1]))
    for v in range(y.shape[1]):
        full = np.linalg.norm(c[:, v] / s)
        for f, fraction in enumerate(FRACTIONS):
            def excess(log_alpha):
                return np.linalg.norm(s * c[:, v] / (s**2 + np.exp(log_alpha))) / full - fraction

            if fraction < 1:
                alphas[f, v] = np.exp(brentq(excess, np.log(1e-6 * s[-1] ** 2), np.log(1e6 * s[0] ** 2), xtol=1e-15, rtol=1e-15))
            weights[f, :, v] = vt.T @ (s * c[:, v] / (s**2 + alphas[f, v]))
    out = {"alphas": alphas, "weights": weights[[1, 3]], "weights_of": FRACTIONS[[1, 3]], "rank": int(kept.sum())}
    if kept.all() and x.shape[0] > x.shape[1]:
        found, _ = fracridge(x, y, fracs=FRACTIONS, jit=False)
        length = np.linalg.norm(found, axis=0) / np.linalg.norm(vt.T @ (c / s[:, None]), axis=0)
        out["fracridge_misses_fraction_by"] = np.abs(length - FRACTIONS[:, None]).max()
        out["fracridge_weights_off_by"] = np.abs(found.transpose(1, 0, 2) - weights).max() / np.abs(weights).max()
        assert out["fracridge_misses_fraction_by"] < 5e-3
    return out


def methods(testdata, rng):
    for name, n, p in (("tall", 40, 15), ("wide", 24, 50)):
        x = rng.normal(size=(n, p)) * np.exp(0.5 * rng.normal(size=p)) + rng.normal(size=p)
        x[:, 1] = 2 * x[:, 0] + 1
        x[:, 3] = 4.0
        weights = rng.normal(size=(p, 6)) * (rng.uniform(size=(p, 6)) < 0.3)
        y = x @ weights
        y += y.std(0) * np.array([0.05, 0.2, 0.5, 1, 2, 5]) * rng.normal(size=y.shape) + 10
        ids = np.array([f"s{i:02}" for i in range(n)])
        testdata.array(f"golden/encoding/{name}-x.npy", x, ids)
        testdata.array(f"golden/encoding/{name}-y.npy", y, ids)
        fold_of_row = np.zeros(n, int)
        for fold, (_, test) in enumerate(CV.split(x)):
            fold_of_row[test] = fold
        testdata.json(f"golden/encoding/{name}.json", {
            "fold_of_row": fold_of_row,
            "lasso": lasso(x, y),
            "pls": pls(x, y),
            "ols": ols(x, y),
            "fractions": FRACTIONS,
            "fractional": fractional(x, y),
        })


def make(testdata):
    rng = random(21)
    banded(testdata, rng)
    methods(testdata, rng)
