"""scikit-learn: ridge, least squares, partial least squares, scores, ROC areas, distances, classical scaling."""

import numpy as np
from replaced import Outside, Ours, adapter, column, matrix, new_file, npy, plain, read_npy, read_table, run, table, vector
from through_rsa import rdm_of_rows

# Regression ---------------------------------------------------------------------------------------------------------

ITERATIVE = ("sag", "saga", "lsqr", "sparse_cg", "lbfgs")


def fitted(model):
    return model.coef_, model.intercept_


def refitted(model, ours):
    model.coef_ = np.asarray(ours[0]).reshape(np.shape(model.coef_)).astype(np.asarray(model.coef_).dtype)
    intercept = np.asarray(ours[1]).reshape(np.shape(model.intercept_))
    model.intercept_ = intercept if np.ndim(model.intercept_) else type(model.intercept_)(intercept)
    return model


def encode(X, y, words, intercept, weights=None):
    """Weights and intercepts of `encode fit --save`, in scikit-learn's shape."""
    X, y = matrix(X), plain(y)
    if y.ndim not in (1, 2) or len(X) != len(y):
        raise Outside("targets of more axes, or of other rows")
    ids = [f"row{i}" for i in range(len(X))]
    words = list(words)
    if weights is not None and np.ndim(weights):
        weights = vector(weights)
        if (weights <= 0).any():
            raise Outside("sample weights of 0 or below")
        words += ["--stimuli", table(stimulus=ids, weight=[repr(float(w)) for w in weights]), "--sample-weights", "weight"]
    elif weights is not None:
        raise Outside("one sample weight for all")
    model = new_file("npz")
    run("encode", "fit", "--x", npy(X, ids), "--y", npy(y.reshape(len(y), -1), ids), "--cv", "2", "--save", model, *words,
        *([] if intercept else ["--no-intercept"]), "-o", new_file("csv"))
    with np.load(model) as saved:
        coef, offset = saved["coef"].T, saved["intercept"]
    if not intercept:
        offset = np.zeros(())
    return coef, offset


@adapter("sklearn.linear_model._ridge.Ridge.fit", "encode fit", take=fitted, put=refitted, method=True)
def ridge(self, X, y, sample_weight=None):
    if self.positive:
        raise Outside("positive=True")
    if self.solver in ITERATIVE:
        raise Outside("an iterative solver, which is right to its tol only")
    if np.ndim(self.alpha):
        raise Outside("a penalty per target")
    # Our sample weights are brought to a mean of 1 first, which divides the penalty's share by their mean.
    share = float(self.alpha / (np.mean(sample_weight) if np.ndim(sample_weight) else 1.0))
    return encode(X, y, ["--alphas", repr(share), "--absolute-alphas", "--no-extend", "--no-scale"], self.fit_intercept, sample_weight)


@adapter("sklearn.linear_model._base.LinearRegression.fit", "encode fit --method ols", take=fitted, put=refitted, method=True)
def linear_regression(self, X, y, sample_weight=None):
    if self.positive:
        raise Outside("positive=True")
    if sample_weight is not None:
        raise Outside("sample weights")
    return encode(X, y, ["--method", "ols", "--no-scale"], self.fit_intercept)


@adapter("sklearn.cross_decomposition._pls.PLSRegression.fit", "encode fit --method pls", take=lambda m: m.coef_, put=lambda m, ours: set_coef(m, ours), method=True)
def pls_regression(self, X, y):
    if plain(y).ndim == 2 and plain(y).shape[1] > 1:
        raise Outside("several targets, whose power method stops by a tolerance")
    return encode(X, y, ["--method", "pls", "--n-components", self.n_components, *([] if self.scale else ["--no-scale"])], True)[0]


def set_coef(model, ours):
    model.coef_ = np.asarray(ours).reshape(model.coef_.shape)
    return model


# Scores -------------------------------------------------------------------------------------------------------------


@adapter("sklearn.metrics._regression.r2_score", "encode score")
def r2_score(y_true, y_pred, *, sample_weight=None, multioutput="uniform_average", force_finite=True):
    if sample_weight is not None:
        raise Outside("sample weights")
    if not isinstance(multioutput, str) or multioutput == "variance_weighted":
        raise Outside("weights of outputs")
    true, predicted = plain(y_true), plain(y_pred)
    if true.shape != predicted.shape or true.ndim not in (1, 2):
        raise Outside("other shapes")
    rows = read_table(run("encode", "score", npy(predicted.reshape(len(true), -1)), npy(true.reshape(len(true), -1)), "--assume-order"))
    scores = column(rows, "R2")
    return scores if multioutput == "raw_values" else scores.mean()


@adapter("sklearn.metrics._ranking.roc_auc_score", "select-units --with-auc")
def roc_auc_score(y_true, y_score, *, average="macro", sample_weight=None, max_fpr=None, multi_class="raise", labels=None):
    if sample_weight is not None or max_fpr is not None:
        raise Outside("sample weights, part of the curve")
    try:
        labels = np.asarray(y_true)
    except ValueError as error:
        raise Outside("more than two classes") from error
    if labels.ndim != 1 or len(np.unique(labels)) != 2:
        raise Outside("more than two classes, or labels in columns")
    scores = vector(y_score)
    if len(scores) != len(labels):
        raise Outside("other shapes")
    ids = [f"row{i}" for i in range(len(scores))]
    upper = labels == np.unique(labels)[1]
    stimuli = table(stimulus=ids, side=["a" if u else "b" for u in upper])
    rows = read_table(run("select-units", npy(scores[:, None], ids), "--stimuli", stimuli, "--by", "side", "--contrast", "a > b", "--all", "--with-auc"))
    return column(rows, "auc")[0]


# Distances ----------------------------------------------------------------------------------------------------------


def block(X, Y, metric, *words):
    X = matrix(X)
    Y = X if Y is None else matrix(Y)
    if X.shape[1] != Y.shape[1]:
        raise Outside("matrices of different widths")
    rows = np.vstack([X, Y])
    ours = rdm_of_rows(rows, metric, *words)
    square = np.zeros((len(rows), len(rows)))
    square[np.triu_indices(len(rows), 1)] = ours.numbers
    return Ours(square[: len(X), len(X) :], ours.scale)


@adapter("sklearn.metrics.pairwise.euclidean_distances", "rsa rdm")
def euclidean_distances(X, Y=None, *, Y_norm_squared=None, squared=False, X_norm_squared=None):
    if np.isnan(matrix(X)).any():
        raise Outside("NaN in the values")
    ours = block(X, Y, "sqeuclidean" if squared else "euclidean")
    if not squared:
        # |a|^2 + |b|^2 - 2 a.b is 0 up to the rounding of |a|^2, and its root up to the root of that.
        ours.scale *= 1e4
    return ours


@adapter("sklearn.metrics.pairwise.cosine_distances", "rsa rdm")
def cosine_distances(X, Y=None):
    return block(X, Y, "cosine")


@adapter("sklearn.metrics.pairwise.manhattan_distances", "rsa rdm")
def manhattan_distances(X, Y=None):
    return block(X, Y, "cityblock")


# Scaling ------------------------------------------------------------------------------------------------------------


@adapter("sklearn.manifold._classical_mds.ClassicalMDS.fit_transform", "rsa mds --method classical", method=True)
def classical_mds(self, X, y=None):
    X = matrix(X)
    if self.metric == "precomputed":
        condensed = X[np.triu_indices(len(X), 1)]
    elif self.metric == "euclidean" and not self.metric_params:
        condensed = rdm_of_rows(X, "euclidean").numbers
    else:
        raise Outside("another metric of the rows")
    rows = read_table(run("rsa", "mds", "--method", "classical", "--dims", self.n_components, npy(condensed)))
    names = ["x", "y", "z", *(f"d{i}" for i in range(4, 100))][: self.n_components]
    return np.stack([column(rows, name) for name in names], axis=1)
