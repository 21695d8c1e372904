"""Fitted models in resampled data: folds of given draws, and variances of bootstraps around the cross-validation (rsatoolbox).

testdata/golden/fitted/components.npy    5 component RDMs x 120 (16 stimuli): 3 of the first model, 2 of the second
testdata/golden/fitted/subjects.npy      6 subject RDMs x 120
testdata/golden/fitted/values.json       draws: per draw stimuli and subjects (multiplicities) and "kind comparison" -> one entry per
                                         fold: subjects, stimuli (held out, once each), scores (per model, a mean over copies),
                                         lower, upper (per different subject of the fold, over the held-out stimuli)
                                         monte_carlo: subjects, stimuli, both -> folds, n_boot, model (variances), difference
"""

import numpy as np
import scipy.optimize
from rsatoolbox.inference import bootstrap_crossval, eval_dual_bootstrap
from rsatoolbox.inference.crossvalsets import sets_k_fold
from rsatoolbox.inference.evaluate import _concat_sampling, crossval
from rsatoolbox.model import ModelInterpolate, ModelSelect, ModelWeighted
from rsatoolbox.model.fitter import fit_interpolate, fit_regress_nn, fit_select
from rsatoolbox.rdm import RDMs, compare
from rsatoolbox.util.inference_util import pool_rdm
from scipy.spatial.distance import pdist

from golden.files import random

KINDS = {
    "weighted": (ModelWeighted, fit_regress_nn),
    "select": (ModelSelect, fit_select),
    "interpolate": (ModelInterpolate, fit_interpolate),
}
ASKED = [
    ("weighted", "pearson", "corr"),
    ("weighted", "cosine", "cosine"),
    ("weighted", "corr_cov", "corr_cov"),
    ("weighted", "cosine_cov", "cosine_cov"),
    ("select", "pearson", "corr"),
    ("select", "spearman", "spearman"),
    ("select", "tau-a", "tau-a"),
    ("interpolate", "pearson", "corr"),
]
N_BOOT = 600


def models(components, kind):
    made, fitter = KINDS[kind]
    return [made("a", RDMs(components[:3])), made("b", RDMs(components[3:]))], fitter


def bounds(sample, who, stimuli, method):
    """The terms of boot_noise_ceiling over the stimuli of a fold, for the subjects of the fold."""
    part = sample.subset_pattern("index", stimuli)
    everyone = np.unique(part.rdm_descriptors["index"])
    against = lambda pool, subject: float(np.mean(compare(pool_rdm(pool, method=method), part.subset("index", subject), method)))  # noqa: E731
    lower = [against(part.subset("index", [s for s in everyone if s != subject]), subject) for subject in who]
    upper = [against(part, subject) for subject in who]
    return lower, upper


def draw(components, subjects, stimuli, people, kind, method, seed):
    """One draw as _internal_cv scores it, fold by fold."""
    index = np.repeat(np.arange(len(stimuli)), stimuli)
    who = np.repeat(np.arange(len(people)), people)
    sample = RDMs(subjects).subsample("index", who).subsample_pattern("index", index)
    np.random.seed(seed)  # sets_k_fold shuffles with the global generator
    train, test, _ = sets_k_fold(sample, k_rdm=2, k_pattern=2, random=True)
    folds = []
    for held_out in test:
        of_fold = np.unique(held_out[0].rdm_descriptors["index"])
        lower, upper = bounds(sample, of_fold, held_out[1], method)
        folds.append({"subjects": of_fold, "stimuli": np.sort(held_out[1]), "lower": lower, "upper": upper})
    for part in (*train, *test):
        part[1] = _concat_sampling(index, part[1])
    fitted, fitter = models(components, kind)
    scores = crossval(fitted, sample, train, test, method=method, fitter=fitter, calc_noise_ceil=False).evaluations[0]
    for fold, of_models in zip(folds, scores.T):
        fold["scores"] = of_models
    return folds


def draws(components, subjects, rng):
    out = []
    while len(out) < 4:
        stimuli, people = (np.bincount(rng.integers(0, n, n), minlength=n) for n in (16, 6))
        if np.sum(stimuli > 0) < 9 or np.sum(people > 0) < 3:
            continue
        made = {f"{kind} {ours}": draw(components, subjects, stimuli, people, kind, theirs, len(out)) for kind, ours, theirs in ASKED}
        out.append({"stimuli": stimuli, "subjects": people, **made})
    return out


def fit_by_scipy(model, data, method, pattern_idx, pattern_descriptor):
    """fit_regress_nn for corr, solved by SciPy: rsatoolbox's own solver stops at 100 eps of unscaled values and in about one of
    1000 draws never does."""
    assert method == "corr"
    a = model.rdm_obj.subsample_pattern(pattern_descriptor, pattern_idx).get_vectors()
    y = pool_rdm(data, method=method).get_vectors()[0]
    kept = np.isfinite(y)
    weights, _ = scipy.optimize.nnls((a[:, kept] - a[:, kept].mean(1, keepdims=True)).T, y[kept])
    return weights / max(np.sqrt(np.sum(weights**2)), 1e-300)


def monte_carlo(components, subjects):
    """Subjects are in one group where they are resampled: rsatoolbox weighs groups of unequal size alike, we weigh copies."""
    fitted, _ = models(components, "weighted")
    common = {"method": "corr", "fitter": fit_by_scipy, "N": N_BOOT, "n_cv": 2}
    data = RDMs(subjects)
    out = {}
    for name, folds, call in (
        ("subjects", [1, 2], lambda k: bootstrap_crossval(fitted, data, k_rdm=k[0], k_pattern=k[1], boot_type="rdm", **common)),
        ("stimuli", [2, 2], lambda k: bootstrap_crossval(fitted, data, k_rdm=k[0], k_pattern=k[1], boot_type="pattern", **common)),
        ("both", [1, 2], lambda k: eval_dual_bootstrap(fitted, data, k_rdm=k[0], k_pattern=k[1], **common)),
    ):
        np.random.seed(0)  # rsatoolbox draws from the global generator
        result = call(folds)
        out[name] = {"folds": folds, "n_boot": N_BOOT, "model": result.model_var, "difference": result.diff_var}
    return out


def make(testdata):
    rng = random(53)
    n = 16
    basis = np.stack([pdist(rng.normal(size=(n, 6)), "correlation") for _ in range(4)])
    truth = 0.8 * basis[0] + 0.5 * basis[1] + 0.3 * basis[3]
    noisy = lambda rdm, sd: rdm + rng.normal(0, sd, rdm.size)  # noqa: E731
    components = np.stack([noisy(basis[0], 0.1), noisy(basis[1], 0.1), noisy(basis[2], 0.1), noisy(basis[0], 0.3), noisy(basis[3], 0.2)])
    subjects = np.stack([0.3 + (1 + 0.2 * s) * noisy(truth, 0.5) for s in range(6)])
    testdata.array("golden/fitted/components.npy", components)
    testdata.array("golden/fitted/subjects.npy", subjects)
    testdata.json("golden/fitted/values.json", {"draws": draws(components, subjects, rng), "monte_carlo": monte_carlo(components, subjects)})
