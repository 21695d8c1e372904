"""Whitened comparisons, bootstraps with given draws, their variances and tests: rsatoolbox and SciPy.

testdata/golden/inference/models.npy     3 model RDMs x 45 (10 stimuli): related, categories (ties), unrelated
testdata/golden/inference/subjects.npy   5 subject RDMs x 45; the last is rounded to tenths (ties)
testdata/golden/inference/sigma.npy      10 x 10 covariance of stimuli
testdata/golden/inference/values.json    whitened: comparison -> identity, sigma, gap (pair 7 is NaN in all): scores[model][subject];
                                         sigma_by_gradients: rsatoolbox's own, solved to 1e-5; lower, upper: its ceiling
                                         draws: stimuli[draw][stimulus], subjects[draw][subject] (multiplicities), comparison ->
                                         means[draw][model], ceiling[draw] (None where one subject only was drawn)
                                         dual: covariances of a bootstrap of both, subjects, stimuli (3 models, lower, upper) and
                                         what extract_variances makes of them
                                         tests: p of t_test_0, t_tests, t_test_nc from means, variances, dof; wilcoxon p
                                         fits: comparison -> weighted (fit_regress_nn), select, interpolate: weights of the three models
                                         monte_carlo: variances from the draws of eval_dual_bootstrap, 1000 without the constant ones
"""

import numpy as np
import scipy.stats
from rsatoolbox.inference import boot_noise_ceiling, eval_dual_bootstrap
from rsatoolbox.model import ModelFixed, ModelInterpolate, ModelSelect, ModelWeighted
from rsatoolbox.model.fitter import fit_interpolate, fit_regress_nn, fit_select
from rsatoolbox.rdm import RDMs, compare
from rsatoolbox.util import inference_util
from rsatoolbox.util.matrix import get_v
from scipy.spatial.distance import pdist

from golden.files import random

METHODS = {
    "pearson": "corr",
    "spearman": "spearman",
    "kendall": "kendall",
    "tau-a": "tau-a",
    "rho-a": "rho-a",
    "cosine": "cosine",
    "corr_cov": "corr_cov",
    "cosine_cov": "cosine_cov",
}


def solved(x, y, sigma, centre):
    """The whitened cosine with rsatoolbox's V, solved exactly (it uses conjugate gradients that stop at 1e-5)."""
    if centre:
        x, y = (v - v.mean(1, keepdims=True) for v in (x, y))
    v = get_v(sigma.shape[0], sigma).toarray()
    product = lambda a, b: a @ np.linalg.solve(v, b.T)  # noqa: E731
    return product(x, y) / np.sqrt(np.outer(np.diag(product(x, x)), np.diag(product(y, y))))


def whitened(models, subjects, sigma, method):
    gap = [m.copy() for m in (models, subjects)]
    for rdms in gap:
        rdms[:, 7] = np.nan
    lower, upper = boot_noise_ceiling(RDMs(subjects), method=method)
    return {
        "identity": compare(RDMs(models), RDMs(subjects), method),
        "sigma": solved(models, subjects, sigma, method == "corr_cov"),
        "sigma_by_gradients": compare(RDMs(models), RDMs(subjects), method, sigma_k=sigma),
        "gap": compare(RDMs(gap[0]), RDMs(gap[1]), method),
        "lower": lower,
        "upper": upper,
    }


def draw(models, subjects, stimuli, people, method):
    """One draw as rsatoolbox's eval_bootstrap makes it from the indices it drew."""
    index = np.repeat(np.arange(len(stimuli)), stimuli)
    who = np.repeat(np.arange(len(people)), people)
    sample = RDMs(subjects).subsample("index", who).subsample_pattern("index", index)
    means = [np.mean(compare(RDMs(m[None]).subsample_pattern("index", index), sample, method)) for m in models]
    ceiling = boot_noise_ceiling(sample, method=method) if np.sum(np.array(people) > 0) > 1 else (None, None)
    return means, ceiling


def draws(models, subjects, rng):
    n, k = 10, len(subjects)
    stimuli = [np.ones(n, int)] + [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(5)]
    people = [np.ones(k, int)] + [np.bincount(rng.integers(0, k, k), minlength=k) for _ in range(5)]
    out = {"stimuli": stimuli, "subjects": people}
    for ours, theirs in METHODS.items():
        made = [draw(models, subjects, s, p, theirs) for s, p in zip(stimuli, people)]
        out[ours] = {"means": [m for m, _ in made], "ceiling": [c for _, c in made]}
    return out


def dual(rng):
    root = rng.normal(size=(3, 5, 7)) * np.array([1.0, 0.55, 0.5])[:, None, None]
    covariances = np.einsum("kij,klj->kil", root, root) / 7 / 100
    out = {"covariances": covariances, "n_subjects": 8, "n_stimuli": 92}
    for name, part, n_rdm, n_pattern in (
        ("both", covariances, 8, 92),
        ("subjects", covariances[1], 8, None),
        ("stimuli", covariances[2], None, 92),
    ):
        model, difference, ceiling = inference_util.extract_variances(part, True, n_rdm, n_pattern)
        out[name] = {"model": model, "difference": difference, "lower": ceiling[:, 0]}
    return out


def tests():
    means, variances, dof, lower = np.array([0.31, 0.12, -0.02]), np.array([0.004, 0.009, 0.001]), 7, 0.45
    evaluations = means[None, :]
    differences, ceiling = np.array([0.003, 0.005, 0.007]), np.array([0.006, 0.008, 0.004])
    values = np.array([0.3, -0.1, 0.7, 0.2, -0.25, 0.9, 0.15])
    ties = np.array([0.3, -0.1, 0.3, 0.2, -0.2, 0.9, 0.1, 0.4, 0.5, 0.6, 0.7, 0.8, 0.2])
    return {
        "means": means,
        "variances": variances,
        "dof": dof,
        "lower": lower,
        "difference_variances": differences,
        "ceiling_variances": ceiling,
        "p_zero": inference_util.t_test_0(evaluations, variances, dof),
        "p_pairs": inference_util.t_tests(evaluations, differences, dof)[np.triu_indices(3, 1)],
        "p_ceiling": inference_util.t_test_nc(evaluations, ceiling, lower, dof),
        "wilcoxon_values": values,
        "wilcoxon_greater": scipy.stats.wilcoxon(values, alternative="greater").pvalue,
        "wilcoxon_two_sided": scipy.stats.wilcoxon(values).pvalue,
        "wilcoxon_ties": ties,
        "wilcoxon_ties_two_sided": scipy.stats.wilcoxon(ties).pvalue,
    }


def fits(models, subjects):
    data, components = RDMs(subjects), RDMs(models)
    out = {}
    for ours in ("pearson", "cosine", "corr_cov", "cosine_cov"):
        method = METHODS[ours]
        out[ours] = {
            "weighted": fit_regress_nn(ModelWeighted("w", components), data, method=method),
            "select": np.eye(3)[fit_select(ModelSelect("s", components), data, method=method)],
            "interpolate": fit_interpolate(ModelInterpolate("i", components), data, method=method),
        }
    return out


def monte_carlo(models, subjects):
    np.random.seed(0)  # rsatoolbox draws from the global generator
    fixed = [ModelFixed(f"m{i}", m) for i, m in enumerate(models)]
    result = eval_dual_bootstrap(fixed, RDMs(subjects), method="corr", N=1000)
    # A model of two categories is constant when all stimuli drawn are of one. rsatoolbox gives it 0 there, an outlier that
    # adds half to its variance; such draws are left out, as we do.
    table = np.concatenate([result.evaluations[:, :, 0, 0], result.noise_ceiling[:, :, 0].transpose(1, 0, 2)], 1)
    used = np.isfinite(table).all((1, 2)) & (table != 0).all((1, 2))
    covariances = np.stack([np.cov(table[used, :, factor].T) for factor in range(3)])
    model, _, ceiling = inference_util.extract_variances(covariances, True, subjects.shape[0], 10)
    return {"variances": model, "lower": ceiling[:, 0], "constant": np.sum(~used)}


def make(testdata):
    rng = random(31)
    n = 10
    group = np.repeat([0, 1], n // 2)
    patterns = rng.normal(size=(n, 20)) + rng.normal(size=(2, 20))[group]
    truth = pdist(patterns, "correlation")
    models = np.stack([truth + rng.normal(0, 0.1, truth.size), pdist(group[:, None].astype(float), "hamming"), pdist(rng.normal(size=(n, 4)))])
    subjects = np.stack([0.2 + (1 + 0.3 * s) * truth + rng.normal(0, 0.15, truth.size) for s in range(5)])
    subjects[4] = np.round(subjects[4], 1)
    mixing = rng.normal(size=(n, 2 * n))
    sigma = mixing @ mixing.T / n
    testdata.array("golden/inference/models.npy", models)
    testdata.array("golden/inference/subjects.npy", subjects)
    testdata.array("golden/inference/sigma.npy", sigma)
    values = {
        "whitened": {method: whitened(models, subjects, sigma, method) for method in ("corr_cov", "cosine_cov")},
        "draws": draws(models, subjects, rng),
        "dual": dual(rng),
        "tests": tests(),
        "fits": fits(models, subjects),
        "monte_carlo": monte_carlo(models, subjects),
    }
    testdata.json("golden/inference/values.json", values)
