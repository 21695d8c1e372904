"""MNE-RSA: distances of patterns, and every comparison of RDMs but regression."""

import numpy as np
from replaced import Outside, adapter, matrix, npy, plain, vector
from through_rsa import compared, metric_name, padded, rdm_of_rows


@adapter("mne_rsa.rdm.compute_rdm", "rsa rdm")
def compute_rdm(data, metric="correlation", **options):
    rows = plain(data)
    if options:
        raise Outside("options of the metric")
    name = metric_name(metric)
    if name == "mahalanobis":
        raise Outside("mahalanobis by the patterns' own covariance")
    return rdm_of_rows(rows.reshape(len(rows), -1), name)


@adapter("mne_rsa.rdm.compute_rdm_cv", "rsa rdm")
def compute_rdm_cv(folds, metric="correlation", **options):
    raise Outside("distances between the mean of the training folds and the fold left out, of any metric")


HOW = {"spearman": "spearman", "pearson": "pearson", "kendall-tau-a": "tau-a"}


# What rsa, rsa_gen and rsa_array all come down to.
@adapter("mne_rsa.rsa._rsa_single_rdm", "rsa compare", take=list, put=lambda result, ours: [np.float64(o) for o in ours])
def rsa_single(rdm_data, rdm_model, metric, masks, ignore_nan):
    if metric in ("partial", "partial-spearman"):
        return list(partial(rdm_data, rdm_model, masks, metric.removeprefix("partial-") if "-" in metric else "pearson"))
    if metric not in HOW:
        raise Outside("regression")
    scores = []
    for model, mask in zip(rdm_model, masks):
        data, model = plain(rdm_data)[mask], plain(model)[mask]
        if np.isnan(data).any() or np.isnan(model).any():
            raise Outside("ignore_nan=False with NaN (we leave the pair out)")
        scores.append(compared(data, model, HOW[metric]))
    return scores


def partial(data, models, masks, how):
    if masks is not None:
        keep = np.ones(len(data), bool)
        for mask in masks:
            if not isinstance(mask, slice):
                keep &= mask
        data, models = np.asarray(data)[keep], [np.asarray(m)[keep] for m in models]
    scores = []
    for i, model in enumerate(models):
        others = [npy(padded(m)) for j, m in enumerate(models) if j != i]
        scores.append(compared(vector(model), vector(data), how, *(w for o in others for w in ("--partial", o))))
    return np.array(scores)


@adapter("mne_rsa.rsa._partial_correlation", "rsa compare --partial")
def partial_correlation(rdm_data, rdm_model, masks=None, type="pearson"):
    if type not in ("pearson", "spearman"):
        raise Outside("another correlation")
    return partial(rdm_data, rdm_model, masks, type)


@adapter("mne_rsa.rsa._kendall_tau_a", "rsa compare --compare tau-a")
def kendall_tau_a(x, y):
    return compared(np.ravel(x), np.ravel(y), "tau-a")
