"""What several adapters ask of `rsa`: distances of rows, and comparisons of two vectors of numbers."""

import numpy as np
from replaced import Outside, Ours, column, matrix, npy, read_npy, read_table, run, vector

NAMES = {
    "euclidean": ("euclidean", "euclid", "eu", "e"),
    "sqeuclidean": ("sqeuclidean", "sqe", "sqeuclid"),
    "cityblock": ("cityblock", "cblock", "cb", "c", "manhattan"),
    "cosine": ("cosine", "cos"),
    "correlation": ("correlation", "co"),
    "mahalanobis": ("mahalanobis", "mahal", "mah"),
}
OURS = {alias: name for name, aliases in NAMES.items() for alias in aliases}


def metric_name(metric):
    if callable(metric) and getattr(metric, "__module__", "").startswith("scipy.spatial"):
        metric = metric.__name__
    if not isinstance(metric, str):
        raise Outside("a metric that is a function")
    if metric.lower() not in OURS:
        raise Outside("another metric")
    return OURS[metric.lower()]


def residuals_with_covariance(covariance):
    """Rows whose mean is 0 and whose second moment is exactly this covariance, as `--noise` takes them: (file, options)."""
    covariance = matrix(covariance)
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise Outside("a noise covariance that is not positive definite") from error
    rows = np.vstack([root.T, -root.T])
    # Their sum of squares and products is twice the covariance, which --dof 2 divides by.
    return ["--noise", npy(rows), "--shrink", "none", "--dof", "2"]


def rdm_of_rows(rows, metric, *options):
    """`rsa rdm` of a matrix: condensed distances, compared in units of the data's size."""
    rows = matrix(rows)
    condensed = read_npy(run("rsa", "rdm", npy(rows), "--input-is", "patterns", "--allow-nan", "--metric", metric, *options))
    size = np.abs(rows[np.isfinite(rows)]).max(initial=0.0)
    # |a|^2 + |b|^2 - 2 a.b, as several peers compute it, is 0 up to the rounding of |a|^2, and its root of eps only up to sqrt.
    sums = {"sqeuclidean": rows.shape[1] * size**2, "sqmahalanobis": rows.shape[1] * size**2, "cityblock": rows.shape[1] * size, "euclidean": size}
    return Ours(condensed, max(sums.get(metric, 1.0), 1e-300))


def padded(values):
    """An RDM of these values: NaN, which `rsa` leaves out pair by pair, fills it up to a number of pairs that there is."""
    values = vector(values)
    stimuli = 3
    while stimuli * (stimuli - 1) // 2 < values.size:
        stimuli += 1
    full = np.full(stimuli * (stimuli - 1) // 2, np.nan)
    full[: values.size] = values
    return full


SCORE = {"pearson": "r", "spearman": "rho", "rho-a": "rho", "kendall": "tau", "tau-a": "tau", "cosine": "cosine", "corr_cov": "r", "cosine_cov": "cosine",
         "bures": "bures", "bures_metric": "bures_squared", "cka": "cka", "cka-debiased": "cka", "procrustes": "procrustes", "procrustes-angle": "angle"}


def compared(a, b, how, *options):
    """`rsa compare` of two vectors of the same length."""
    a, b = vector(a), vector(b)
    if a.size != b.size:
        raise Outside("vectors of different lengths")
    rows = read_table(run("rsa", "compare", npy(padded(a)), "--brain", npy(padded(b)), "--compare", how, "--assume-order", "--allow-nan", *options))
    return column(rows, SCORE[how])[0]
