"""Ridge models without, and of only, some units: normal equations of the columns that are left, in NumPy alone.

testdata/golden/ablation/x.npy, y.npy   48 x 16 features and 48 x 3 responses, then ids; unit 2 is constant, 5 is twice 4
testdata/golden/ablation/sets.json      sets of units; for each the held-out r and R2 of every voxel, and the penalty of every fold and voxel

Four contiguous folds. Features are standardised on the training rows, responses centred; alpha is a factor times the mean
squared length of the standardised training rows of the units that are left; it is chosen per voxel by leaving out each
training row in turn and solving again. r and R2 are taken in every fold by itself and averaged; R2 is 1 - the squared
errors over the squared deviations of the held-out responses from the mean of the training responses.
"""

import numpy as np

from golden.files import random

FACTORS = np.logspace(-2, 2, 9)
N_FOLDS = 4
SETS = [[1, 2, 7], [0, 2, 4], [2, 9, 10], [2, 5, 13], [3, 6, 8]]


def weights(x, y, alpha):
    """Weights and intercept; x and y need not be centred."""
    z, t = x - x.mean(0), y - y.mean(0)
    w = np.linalg.solve(z.T @ z + alpha * np.eye(z.shape[1]), z.T @ t)
    return w, y.mean(0) - x.mean(0) @ w


def predict(model, x):
    return x @ model[0] + model[1]


def left_out_errors(x, y, alpha):
    squares = np.zeros(y.shape[1])
    for i in range(len(x)):
        rest = np.arange(len(x)) != i
        squares += (predict(weights(x[rest], y[rest], alpha), x[i]) - y[i]) ** 2
    return squares


def held_out(x, y):
    """r and R2 per voxel, and the penalty of every fold and voxel."""
    r, explained, chosen = [], [], []
    fold_of_row = np.arange(len(x)) * N_FOLDS // len(x)
    for fold in range(N_FOLDS):
        test = fold_of_row == fold
        mean, sd = x[~test].mean(0), x[~test].std(0)
        z = (x - mean) / np.where(sd > 0, sd, 1)
        alphas = FACTORS * (z[~test] ** 2).sum(1).mean()
        errors = np.array([left_out_errors(z[~test], y[~test], alpha) for alpha in alphas])
        best = np.sort(errors, axis=0)
        assert (best[1] / best[0] > 1 + 1e-7).all(), "a choice by a margin of rounding size would be no test"
        chosen.append(alphas[errors.argmin(0)])
        columns = [predict(weights(z[~test], y[~test][:, [v]], alpha), z[test]) for v, alpha in enumerate(chosen[-1])]
        predicted = np.hstack(columns)
        r.append([np.corrcoef(predicted[:, v], y[test, v])[0, 1] for v in range(y.shape[1])])
        deviations = y[test] - y[~test].mean(0)
        explained.append(1 - ((predicted - y[test]) ** 2).sum(0) / (deviations**2).sum(0))
    return {"r": np.mean(r, axis=0), "R2": np.mean(explained, axis=0), "alpha": chosen}


def make(testdata):
    rng = random(13)
    x = rng.normal(size=(48, 16)) * np.exp(rng.normal(size=16))
    x[:, 2] = 1.5
    x[:, 5] = 2 * x[:, 4]
    w = rng.normal(size=(16, 3)) / np.where(x.std(0) > 0, x.std(0), 1)[:, None]
    w[[0, 3, 6, 8], 0] *= 3
    y = x @ w + np.array([1.0, 3.0, 8.0]) * rng.normal(size=(48, 3)) + 5
    ids = np.array([f"s{i:02}" for i in range(48)])
    testdata.array("golden/ablation/x.npy", x, ids)
    testdata.array("golden/ablation/y.npy", y, ids)
    rows = []
    for units in [[]] + SETS:
        rest = [k for k in range(16) if k not in units]
        row = {"units": units, "without": held_out(x[:, rest], y)}
        if units:
            row["only"] = held_out(x[:, units], y)
        rows.append(row)
    testdata.json("golden/ablation/sets.json", {"factors": FACTORS, "sets": rows})
