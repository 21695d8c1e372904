"""Generative modelling of signal and noise (Kay et al. 2025), its steps up to the two covariances written out in NumPy.

testdata/golden/gsn/NAME.npy   single trials x voxels (f8) in scattered order, ids behind; NAME: two, three, five, ten (trials of each stimulus), wide (2, more voxels than stimuli), uneven (1 to 4)
testdata/golden/gsn/gsn.json   {orders: {n: argsort of numpy's legacy generator}, NAME: {shrinkage_noise, shrinkage_data, n_iterations, ncsnr, mean, raw_noise, raw_signal, noise, signal}}

The authors' package is on no index, so this is a second implementation, checked once beside their code (cvnlab/GSN, `perform_gsn`, for uneven
`uneven="missing"`): the same shrinkage and iterations, covariances equal to 5e-13. It is of another shape than ours: voxels x stimuli x trials with NaN where a
stimulus has fewer trials than others, and every entry of a covariance from the trials that both voxels have, as their `missing` option has it.
Without gaps that is their plain path, which `plain` repeats step by step as a check. Stimuli are in the order of their first row.
"""

import numpy as np
from scipy.linalg import solve_triangular

from golden.files import random

LEVELS = np.linspace(0, 1, 51)


def order(n):
    return np.argsort(np.random.RandomState(42).random(n))


def split(n):
    held_out = int(np.round(n / 5))
    return order(n)[:held_out], order(n)[held_out:]


def simulated(rng, n_voxels, counts, signal_rank, noise):
    """Correlated signal and noise, rows in scattered order."""
    stimulus = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    signal = rng.normal(size=(len(counts), signal_rank)) @ rng.normal(size=(signal_rank, n_voxels)) / np.sqrt(signal_rank)
    mix = np.eye(n_voxels) + 0.4 * rng.normal(size=(n_voxels, n_voxels)) / np.sqrt(n_voxels)
    return signal[stimulus] + rng.normal(size=n_voxels) + noise * rng.normal(size=(len(stimulus), n_voxels)) @ mix, stimulus


def cube(trials, stimulus):
    """voxels x stimuli (as they first occur) x trials, NaN behind the last trial of a stimulus."""
    seen = list(dict.fromkeys(stimulus.tolist()))
    most = np.bincount(stimulus).max()
    out = np.full((trials.shape[1], len(seen), most), np.nan)
    for place, which in enumerate(seen):
        own = trials[stimulus == which]
        out[:, place, : len(own)] = own.T
    return out


def pairwise(block):
    """Covariance (n - 1) of the rows of voxels x observations, each entry over the observations that both have; how many these are."""
    have = ~np.isnan(block)
    common = have.astype(float) @ have.T
    filled = np.where(have, block, 0)
    sums = filled @ have.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return (filled @ filled.T - sums * sums.T / common) / (common - 1), common


def noise_covariance(data):
    """Mean over stimuli of the covariance within each, for entries with two trials or more."""
    total, n = 0, 0
    for stimulus in range(data.shape[1]):
        covariance, common = pairwise(data[:, stimulus])
        total = total + np.where(common >= 2, covariance, 0)
        n = n + (common >= 2)
    return total / n


def share_of_noise(data):
    """Mean over stimuli of (common trials) / (trials of one x trials of the other): 1 / T without gaps."""
    have = (~np.isnan(data)).astype(float)
    return np.mean([have[:, s] @ have[:, s].T / np.outer(have[:, s].sum(1), have[:, s].sum(1)) for s in range(data.shape[1])], axis=0)


def shrink(covariance, level):
    return level * covariance + (1 - level) * np.diag(np.diag(covariance))


def log_loss(covariance, points):
    """Mean negative log likelihood under a normal distribution around zero."""
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return np.nan
    white = solve_triangular(root, points.T, lower=True)
    return np.mean(0.5 * (white**2).sum(0)) + np.log(np.diag(root)).sum() + 0.5 * len(root) * np.log(2 * np.pi)


def best_level(covariance, points):
    return LEVELS[np.nanargmin([log_loss(shrink(covariance, level), points) for level in LEVELS])]


def nearest(matrix):
    """The nearest positive semidefinite matrix, a little inside."""
    matrix = (matrix + matrix.T) / 2
    try:
        np.linalg.cholesky(matrix)
        return matrix
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(matrix)
    clipped = vectors @ np.diag(np.maximum(values, 0)) @ vectors.T
    clipped = (clipped + clipped.T) / 2
    try:
        np.linalg.cholesky(clipped)
    except np.linalg.LinAlgError:
        clipped += 1e-10 * np.eye(len(clipped))
    return clipped


def estimate(data):
    n = data.shape[1]
    held_out, others = split(n)
    averages = np.nanmean(data, axis=2)
    residuals = [data[:, s][:, ~np.isnan(data[0, s])] for s in held_out]
    residuals = np.hstack([own - own.mean(1, keepdims=True) for own in residuals if own.shape[1] > 1])
    noise_level = best_level(noise_covariance(data[:, others]), residuals.T)
    data_level = best_level(pairwise(averages[:, others])[0], (averages[:, held_out] - averages[:, others].mean(1, keepdims=True)).T)
    raw_noise = shrink(noise_covariance(data), noise_level)
    of_averages = shrink(pairwise(averages)[0], data_level)
    share = share_of_noise(data)
    raw_signal = of_averages - raw_noise * share

    t = np.mean((~np.isnan(data[0])).sum(1))
    whole = n * t**2 * (t - 1) + n - 1
    noise, before, n_iterations = raw_noise, (raw_signal, raw_noise), 0
    while True:
        signal = nearest(of_averages - noise * share)
        noise = nearest(n * (t - 1) * t**2 / whole * raw_noise + (n - 1) / whole * t * (of_averages - signal))
        if min(np.corrcoef(old.ravel(), new.ravel())[0, 1] for old, new in zip(before, (signal, noise))) > 0.999:
            break
        n_iterations += 1
        before = signal, noise
    return {
        "shrinkage_noise": noise_level,
        "shrinkage_data": data_level,
        "n_iterations": n_iterations,
        "ncsnr": np.sqrt(np.maximum(np.diag(raw_signal), 0)) / np.sqrt(np.diag(raw_noise)),
        "mean": averages.mean(1),
        "raw_noise": raw_noise,
        "raw_signal": raw_signal,
        "noise": noise,
        "signal": signal,
    }


def plain(data):
    """Raw covariances where all stimuli have as many trials: numpy.cov, stimulus by stimulus."""
    held_out, others = split(data.shape[1])
    within = [np.cov(data[:, s]) for s in range(data.shape[1])]
    centred = np.hstack([data[:, s] - data[:, s].mean(1, keepdims=True) for s in held_out])
    noise = shrink(np.mean(within, axis=0), best_level(np.mean([within[s] for s in others], axis=0), centred.T))
    averages = data.mean(2)
    points = averages[:, held_out] - averages[:, others].mean(1, keepdims=True)
    return noise, shrink(np.cov(averages), best_level(np.cov(averages[:, others]), points.T)) - noise / data.shape[2]


def make(testdata):
    rng = random(31)
    designs = {
        "two": (10, np.full(30, 2), 3, 1.0),
        "three": (12, np.full(24, 3), 2, 1.5),
        "five": (8, np.full(17, 5), 8, 2.0),
        "ten": (9, np.full(12, 10), 2, 4.0),
        "wide": (24, np.full(15, 2), 4, 3.0),
        "uneven": (11, np.tile([1, 2, 3, 4, 2, 1], 5), 3, 1.2),
    }
    results = {"orders": {n: order(n) for n in (3, 12, 30, 700)}}
    for name, (n_voxels, counts, signal_rank, noise) in designs.items():
        trials, stimulus = simulated(rng, n_voxels, counts, signal_rank, noise)
        ids = np.array([f"image_{i:02}" for i in stimulus])
        testdata.array(f"golden/gsn/{name}.npy", trials, ids)
        data = cube(trials, stimulus)
        results[name] = estimate(data)
        if name != "uneven":
            noise, signal = plain(data)
            assert np.allclose(results[name]["raw_noise"], noise, atol=1e-12)
            assert np.allclose(results[name]["raw_signal"], signal, atol=1e-12)
    testdata.json("golden/gsn/gsn.json", results)
