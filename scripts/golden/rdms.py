"""Distances, comparisons of RDMs and their ceilings: SciPy and rsatoolbox.

testdata/golden/rdm/patterns.npy       12 stimuli x 30 units (f8), then their ids
testdata/golden/rdm/hard-patterns.npy  6 x 8, not labelled: row 1 is constant, row 2 is zero, rows 3 and 4 are equal, row 5 is -2 times row 0
testdata/golden/rdm/distances.json     {patterns, hard-patterns}: metric -> pdist (null = NaN);
                                       rsatoolbox_euclidean, rsatoolbox_correlation: what calc_rdm says
testdata/golden/rdm/models.npy         3 model RDMs x 66: smooth, categories (0 and 1: many ties), unrelated
testdata/golden/rdm/subjects.npy       5 subject RDMs x 66; the last is rounded to tenths (ties)
testdata/golden/rdm/compare.json       comparison -> scores[model][subject], ceiling {lower, upper}, and both per subject

rsatoolbox's names: corr = Pearson, kendall = tau-b, tau-a = concordant minus discordant over all pairs,
rho-a = 12 / (n^3 - n) times the product of centred ranks. Its ceilings normalise each subject before the mean:
corr z-scores, cosine divides by the root mean square, the four rank methods take ranks; then they compare the
subject with that mean by the method itself (so Spearman ranks the mean again).
"""

import numpy as np
import scipy.stats
from rsatoolbox.data import Dataset
from rsatoolbox.inference import boot_noise_ceiling, cv_noise_ceiling
from rsatoolbox.inference.crossvalsets import sets_leave_one_out_rdm
from rsatoolbox.rdm import RDMs, calc_rdm, compare
from rsatoolbox.util.inference_util import pool_rdm
from scipy.spatial.distance import pdist

from golden.files import random

METRICS = ("correlation", "euclidean", "sqeuclidean", "cosine")
# our name -> rsatoolbox's
COMPARISONS = {"pearson": "corr", "spearman": "spearman", "kendall": "kendall", "tau-a": "tau-a", "rho-a": "rho-a", "cosine": "cosine"}


def distances(x):
    out = {metric: pdist(x, metric) for metric in METRICS}
    for method in ("euclidean", "correlation"):
        out[f"rsatoolbox_{method}"] = calc_rdm(Dataset(x), method).get_vectors()[0]
    return out


def without(rdms, i):
    return RDMs(np.delete(rdms.get_vectors(), i, axis=0))


def comparison(models, subjects, method):
    lower, upper = boot_noise_ceiling(subjects, method=method)
    _, test, train = sets_leave_one_out_rdm(subjects)
    np.testing.assert_allclose(cv_noise_ceiling(subjects, train, test, method=method), (lower, upper), rtol=1e-12)
    each = range(subjects.n_rdm)
    one = [RDMs(subjects.get_vectors()[i : i + 1]) for i in each]
    lowers = [compare(pool_rdm(without(subjects, i), method), one[i], method)[0, 0] for i in each]
    uppers = [compare(pool_rdm(subjects, method), one[i], method)[0, 0] for i in each]
    np.testing.assert_allclose((np.mean(lowers), np.mean(uppers)), (lower, upper), rtol=1e-12)
    return {
        "scores": compare(models, subjects, method),
        "between_subjects": compare(subjects, subjects, method),
        "lower": lower,
        "upper": upper,
        "lower_of_subject": lowers,
        "upper_of_subject": uppers,
    }


def make(testdata):
    rng = random(3)
    n = 12
    group = np.repeat([0, 1, 2], n // 3)
    patterns = rng.normal(size=(n, 30)) + rng.normal(size=(3, 30))[group] + 5
    ids = np.array([f"image_{i:02}.png" for i in range(n)])
    hard = rng.normal(size=(6, 8))
    hard[1], hard[2], hard[4], hard[5] = 0.3, 0.0, hard[3], -2 * hard[0]
    testdata.array("golden/rdm/patterns.npy", patterns, ids)
    testdata.array("golden/rdm/hard-patterns.npy", hard)
    testdata.json("golden/rdm/distances.json", {"patterns": distances(patterns), "hard-patterns": distances(hard)})

    truth = pdist(patterns, "correlation")
    categories = pdist(group[:, None].astype(float), "hamming")
    models = np.stack([truth**2, categories, pdist(rng.normal(size=(n, 4)), "correlation")])
    subjects = np.stack([0.2 + (1 + 0.3 * s) * truth + rng.normal(0, 0.15, size=truth.size) for s in range(5)])
    subjects[4] = np.round(subjects[4], 1)
    testdata.array("golden/rdm/models.npy", models)
    testdata.array("golden/rdm/subjects.npy", subjects)
    table = {ours: comparison(RDMs(models), RDMs(subjects), theirs) for ours, theirs in COMPARISONS.items()}
    np.testing.assert_allclose(
        table["kendall"]["scores"], [[scipy.stats.kendalltau(m, s, variant="b").statistic for s in subjects] for m in models], rtol=1e-12
    )
    testdata.json("golden/rdm/compare.json", table)
