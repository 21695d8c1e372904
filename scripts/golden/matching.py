"""The unit whose tuning follows a voxel best, and how well it does on stimuli that did not choose it: SciPy, unit by unit.

testdata/golden/matching/acts.npy      30 units (f4) and ids of 24 stimuli, the last stimuli first; unit 3 is constant over
                                       the odd half, unit 9 is twice unit 2 (and 1 more), unit 5 has one NaN
testdata/golden/matching/brain.npy     60 trials of the 24 stimuli (two or three each, shuffled) x 7 voxels (f8), ids; voxel 0
                                       follows unit 2, voxel 4 is constant, voxel 5 has one NaN in an even trial, voxel 6
                                       is minus the mean of all units
testdata/golden/matching/stimuli.csv   stimulus, half (odd, even)
testdata/golden/matching/best.json     compare -> half that chooses -> voxel -> [unit, r_train, r]; null: none

Trials are averaged; a unit with a NaN is nobody's best, a constant one neither; of equal ones numpy.argmax takes the first.
"""

import numpy as np
import scipy.stats

from golden.files import random

N, N_UNITS = 24, 30


def correlation(how, x, y):
    if np.isnan(x).any() or np.isnan(y).any() or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    return {"pearson": scipy.stats.pearsonr, "spearman": scipy.stats.spearmanr}[how](x, y).statistic


def best(how, acts, voxel, train, test):
    usable = [not np.isnan(unit).any() for unit in acts.T]
    r = np.array([correlation(how, unit[train], voxel[train]) if ok else np.nan for unit, ok in zip(acts.T, usable)])
    if np.isnan(r).all():
        return [None, None, None]
    # Unit 9 is a linear function of unit 2, so that rounding alone tells their correlations apart.
    unit = int(np.argmax(np.where(np.isnan(r), -2, r.round(12))))
    return [unit, r[unit], correlation(how, acts[test, unit], voxel[test])]


def make(testdata):
    generator = random(2026)
    ids = np.array([f"s{i:02}" for i in range(N)])
    odd = np.arange(N) % 2 == 1
    acts = generator.standard_normal((N, N_UNITS)).astype("f4")
    acts[odd, 3] = 0.5
    acts[:, 9] = 2 * acts[:, 2] + 1
    with_nan = acts.copy()
    with_nan[4, 5] = np.nan
    of_trial = generator.permutation(np.concatenate([np.tile(np.arange(N), 2), np.arange(0, N, 2)]))
    signal = generator.standard_normal((N, 7))
    signal[:, 0] = acts[:, 2] + 0.3 * signal[:, 0]
    signal[:, 6] = -acts.mean(1)
    trials = signal[of_trial] + 0.5 * generator.standard_normal((len(of_trial), 7))
    trials[:, 4] = 0.1
    trials[np.flatnonzero(of_trial == 6)[0], 5] = np.nan
    averages = np.array([trials[of_trial == i].mean(0) for i in range(N)])
    averages[:, 4] = 0.1  # a mean of equal numbers, but for rounding

    testdata.array("golden/matching/acts.npy", with_nan[::-1], ids[::-1])
    testdata.array("golden/matching/brain.npy", trials, ids[of_trial])
    testdata.csv("golden/matching/stimuli.csv", ["stimulus", "half"], [[i, "odd" if o else "even"] for i, o in zip(ids, odd)])
    halves = {"odd": odd, "even": ~odd}
    testdata.json(
        "golden/matching/best.json",
        {
            how: {
                name: [best(how, with_nan.astype(float), voxel, half, ~half) for voxel in averages.T]
                for name, half in halves.items()
            }
            for how in ("pearson", "spearman")
        },
    )
