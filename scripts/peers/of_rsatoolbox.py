"""rsatoolbox: distances, comparisons, ceilings, transforms. Its `calc_rdm` and `compare` call these by name."""

import copy

import numpy as np
from replaced import Outside, Ours, adapter, column, matrix, npy, plain, read_npy, read_table, run, table
from through_rsa import SCORE, rdm_of_rows, residuals_with_covariance

# Distances ----------------------------------------------------------------------------------------------------------


def dissimilarities(result):
    return result.dissimilarities


def with_dissimilarities(result, ours):
    new = copy.deepcopy(result)
    new.dissimilarities = np.asarray(ours).reshape(result.dissimilarities.shape)
    return new


def calc(name):
    return adapter(f"rsatoolbox.rdm.calc.{name}", "rsa rdm", take=dissimilarities, put=with_dissimilarities)


def presentations(dataset, descriptor, remove_mean=False, folds=None):
    """The measurements with the words that say which rows are of one condition, and which of one fold."""
    if not isinstance(dataset.measurements, np.ndarray) or not isinstance(dataset.obs_descriptors, dict):
        raise Outside("a mock in the data set's place")
    rows = matrix(dataset.measurements)
    if remove_mean:
        # Ours takes means from columns (--center); rsatoolbox's takes each pattern's from itself.
        raise Outside("remove_mean=")
    if descriptor is None:
        return rows, None, []
    conditions = [str(c) for c in np.asarray(dataset.obs_descriptors[descriptor])]
    ids = [f"row{i}" for i in range(len(rows))]
    columns = {"stimulus": ids, "condition": conditions}
    words = ["--by", "condition"]
    if folds is not None:
        columns["fold"] = [str(f) for f in np.asarray(folds)]
        words += ["--cv", "fold"]
    return rows, ids, ["--stimuli", table(**columns), *words]


def measured(rows, ids, metric, words):
    if ids is None:
        return rdm_of_rows(rows, metric, "--per-channel", *words)
    condensed = read_npy(run("rsa", "rdm", npy(rows, ids), "--input-is", "patterns", "--allow-nan", "--metric", metric, *words))
    return Ours(condensed, max(np.abs(rows).max() ** 2, 1e-300))


def precision(noise):
    """The words for a precision matrix: residuals whose covariance is its inverse."""
    if noise is None:
        return []
    if isinstance(noise, np.ndarray) and noise.ndim == 2:
        if not np.allclose(noise, noise.T, rtol=1e-9, atol=0):
            raise Outside("a noise precision that is not symmetric")
        return residuals_with_covariance(np.linalg.inv(noise))
    raise Outside("a noise precision per fold")


@calc("calc_rdm_euclidean")
def calc_rdm_euclidean(dataset, descriptor=None, remove_mean=False):
    rows, ids, words = presentations(dataset, descriptor, remove_mean)
    return measured(rows, ids, "sqeuclidean", words + ([] if ids is None else ["--per-channel"]))


@calc("calc_rdm_correlation")
def calc_rdm_correlation(dataset, descriptor=None):
    rows, ids, words = presentations(dataset, descriptor)
    ours = read_npy(run("rsa", "rdm", npy(rows, ids), "--input-is", "patterns", "--allow-nan", "--metric", "correlation", *words))
    return Ours(ours)


@calc("calc_rdm_mahalanobis")
def calc_rdm_mahalanobis(dataset, descriptor=None, noise=None, remove_mean=False):
    rows, ids, words = presentations(dataset, descriptor, remove_mean)
    metric = "sqeuclidean" if noise is None else "sqmahalanobis"
    return measured(rows, ids, metric, words + precision(noise) + ([] if ids is None else ["--per-channel"]))


def fold_of(dataset, descriptor, cv_descriptor):
    """The folds as given, or as rsatoolbox makes them: the k-th presentation of a condition is in fold k."""
    if cv_descriptor is not None:
        return dataset.obs_descriptors[cv_descriptor]
    seen, folds = {}, []
    for condition in np.asarray(dataset.obs_descriptors[descriptor]).tolist():
        folds.append(seen.get(condition, 0))
        seen[condition] = folds[-1] + 1
    return folds


@calc("calc_rdm_crossnobis")
def calc_rdm_crossnobis(dataset, descriptor, noise=None, cv_descriptor=None, remove_mean=False):
    rows, ids, words = presentations(dataset, descriptor, remove_mean, fold_of(dataset, descriptor, cv_descriptor))
    return measured(rows, ids, "crossnobis", words + precision(noise) + ["--per-channel"])


def poisson_words(prior_lambda, prior_weight):
    return ["--prior-rate", repr(float(prior_lambda)), "--prior-weight", repr(float(prior_weight)), "--per-channel"]


@calc("calc_rdm_poisson")
def calc_rdm_poisson(dataset, descriptor=None, prior_lambda=1.0, prior_weight=0.1):
    rows, ids, words = presentations(dataset, descriptor)
    if ids is None:
        return rdm_of_rows(rows, "poisson", *poisson_words(prior_lambda, prior_weight))
    return measured(rows, ids, "poisson", words + poisson_words(prior_lambda, prior_weight))


@calc("calc_rdm_poisson_cv")
def calc_rdm_poisson_cv(dataset, descriptor=None, prior_lambda=1.0, prior_weight=0.1, cv_descriptor=None):
    rows, ids, words = presentations(dataset, descriptor, False, fold_of(dataset, descriptor, cv_descriptor))
    return measured(rows, ids, "poisson_cv", words + poisson_words(prior_lambda, prior_weight))


# Comparisons and ceilings -------------------------------------------------------------------------------------------


def vectors(rdms):
    rdms = rdms if isinstance(rdms, np.ndarray) else rdms.get_vectors()
    return matrix(np.atleast_2d(rdms))


def compare_by(name, how):
    def scores(rdm1, rdm2, *words):
        one, two = vectors(rdm1), vectors(rdm2)
        if one.shape[1] != two.shape[1]:
            raise Outside("RDMs of different sizes")
        missing = np.isnan(np.vstack([one, two])).any(axis=0)
        if (np.isnan(one) != missing).any() or (np.isnan(two) != missing).any():
            # rsatoolbox leaves a pair that is NaN in one RDM out of all; ours out of the scores of that RDM.
            raise Outside("NaN in other pairs of one RDM than of another")
        models = [npy(v) for v in one]
        brains = [w for v in two for w in ("--brain", npy(v))]
        rows = read_table(run("rsa", "compare", *models, *brains, "--compare", how, "--assume-order", "--allow-nan", *words))
        rows = [row for row in rows if len(two) == 1 or row["subject"] != "mean"]
        found = column(rows, SCORE[how])
        return found.reshape(len(one), -1)[:, : len(two)]

    if name.endswith("cov_weighted"):

        @adapter(f"rsatoolbox.rdm.compare.{name}", "rsa compare")
        def whitened(rdm1, rdm2, sigma_k=None):
            words = []
            if sigma_k is not None:
                covariance = plain(sigma_k)
                words = ["--sigma-k", npy(np.diag(covariance) if covariance.ndim == 1 else covariance)]
            return scores(rdm1, rdm2, *words)

    else:

        @adapter(f"rsatoolbox.rdm.compare.{name}", "rsa compare")
        def plainly(rdm1, rdm2):
            return scores(rdm1, rdm2)


for name, how in {
    "compare_cosine": "cosine",
    "compare_correlation": "pearson",
    "compare_cosine_cov_weighted": "cosine_cov",
    "compare_correlation_cov_weighted": "corr_cov",
    "compare_spearman": "spearman",
    "compare_rho_a": "rho-a",
    "compare_kendall_tau": "kendall",
    "compare_kendall_tau_a": "tau-a",
    "compare_bures_similarity": "bures",
    "compare_bures_metric": "bures_metric",
}.items():
    compare_by(name, how)

METHOD = {"corr": "pearson", "tau-b": "kendall"}


@adapter("rsatoolbox.inference.noise_ceiling.boot_noise_ceiling", "ceiling rdm")
def boot_noise_ceiling(rdms, method="cosine", rdm_descriptor="index"):
    values = vectors(rdms)
    groups = np.asarray(rdms.rdm_descriptors.get(rdm_descriptor, np.arange(len(values))))
    if len(set(groups.tolist())) != len(values):
        raise Outside("several RDMs of one subject")
    if method in ("neg_riem_dist", "bures", "bures_metric"):
        raise Outside("another comparison")
    rows = read_table(run("ceiling", "rdm", *[npy(v) for v in values], "--compare", METHOD.get(method, method), "--assume-order", "--allow-nan"))
    return column(rows, "lower")[0], column(rows, "upper")[0]


# Transforms ---------------------------------------------------------------------------------------------------------


def transformed(name, word):
    @adapter(f"rsatoolbox.rdm.transform.{name}", "rsa rdm --transform", take=dissimilarities, put=with_dissimilarities)
    def transform(rdms, method="average"):
        if method != "average":
            raise Outside("ranks other than average")
        values = vectors(rdms)
        return np.array([read_npy(run("rsa", "rdm", npy(v), "--input-is", "rdm", "--transform", word, "--allow-nan")) for v in values])


for name, word in {"rank_transform": "rank", "sqrt_transform": "sqrt", "positive_transform": "positive", "minmax_transform": "minmax"}.items():
    transformed(name, word)


@adapter("rsatoolbox.rdm.combine._mean", "rsa rdm --merge")
def mean(vectors, weights=None):
    if weights is not None:
        raise Outside("weights=")
    vectors = matrix(vectors)
    n = int((1 + np.sqrt(1 + 8 * vectors.shape[1])) / 2)
    ids = [f"s{i}" for i in range(n)]
    return read_npy(run("rsa", "rdm", *[npy(v, ids) for v in vectors], "--input-is", "rdm", "--merge", "--allow-nan"))
