"""SciPy: distances, correlations, t tests, z scores, ranks, linkage, Procrustes."""

import numpy as np
import replaced
from replaced import Outside, Ours, adapter, column, matrix, new_file, npy, plain, read_npy, read_table, run, table, vector, with_fields
from through_rsa import compared, metric_name, padded, rdm_of_rows, residuals_with_covariance



def capable(original, replacement):
    """SciPy's tests look up which array libraries a function takes, by the function itself."""
    from scipy._lib._array_api import xp_capabilities_table as known

    if original in known:
        known[replacement] = known[original]


replaced.registers.append(capable)

# Distances ----------------------------------------------------------------------------------------------------------


def distances(X, metric, options):
    metric = metric_name(metric)
    if metric == "mahalanobis":
        VI = options.pop("VI", None)
        if options:
            raise Outside("V=, w=")
        if VI is None:
            covariance = np.atleast_2d(np.cov(matrix(X).T))
        else:
            VI = matrix(VI)
            if not np.allclose(VI, VI.T, rtol=1e-12, atol=0):
                raise Outside("VI that is not symmetric")
            covariance = np.linalg.inv(VI)
        return rdm_of_rows(X, metric, *residuals_with_covariance(covariance))
    if any(value is not None for value in options.values()):
        raise Outside("w= (weights of columns)")
    return rdm_of_rows(X, metric)


def into(result, ours):
    result[...] = np.asarray(ours).reshape(result.shape)
    return result


@adapter("scipy.spatial.distance.pdist", "rsa rdm", put=into)
def pdist(X, metric="euclidean", *, out=None, **options):
    return distances(X, metric, options)


@adapter("scipy.spatial.distance.cdist", "rsa rdm", put=into)
def cdist(XA, XB, metric="euclidean", *, out=None, **options):
    XA, XB = matrix(XA), matrix(XB)
    if XA.shape[1] != XB.shape[1]:
        raise Outside("matrices of different widths")
    if metric_name(metric) == "mahalanobis" and "VI" not in options:
        raise Outside("mahalanobis without VI=")
    ours = distances(np.vstack([XA, XB]), metric, options)
    n = len(XA) + len(XB)
    square = np.zeros((n, n))
    square[np.triu_indices(n, 1)] = ours.numbers
    return Ours(square[: len(XA), len(XA) :], ours.scale)


def of_two_vectors(name):
    @adapter(f"scipy.spatial.distance.{name}", "rsa rdm")
    def distance(u, v, w=None):
        u, v = vector(u), vector(v)
        if u.size != v.size:
            raise Outside("vectors of different lengths")
        ours = distances(np.vstack([u, v]), name, {"w": w})
        return Ours(ours.numbers[0], ours.scale)


for name in ["euclidean", "sqeuclidean", "cityblock", "cosine"]:
    of_two_vectors(name)


@adapter("scipy.spatial.distance.correlation", "rsa rdm")
def correlation(u, v, w=None, centered=True):
    if not centered:
        raise Outside("centered=False")
    u, v = vector(u), vector(v)
    if u.size != v.size:
        raise Outside("vectors of different lengths")
    return distances(np.vstack([u, v]), "correlation", {"w": w}).numbers[0]


@adapter("scipy.spatial.distance.mahalanobis", "rsa rdm")
def mahalanobis(u, v, VI):
    ours = distances(np.vstack([vector(u), vector(v)]), "mahalanobis", {"VI": VI})
    return Ours(ours.numbers[0], ours.scale)


@adapter("scipy.spatial.distance.squareform", "rsa rdm --square")
def squareform(X, force="no", checks=True):
    X = plain(X)
    if force != "no":
        raise Outside("force=")
    if X.ndim not in (1, 2):
        raise Outside("not a vector or matrix")
    if X.ndim == 2 and not checks:
        raise Outside("checks=False (a square that is not symmetric)")
    # `rsa rdm` takes an RDM only where it has something to do with it; merged with no other it stays what it is.
    n = int((1 + np.sqrt(1 + 8 * X.size)) / 2) if X.ndim == 1 else len(X)
    return read_npy(run("rsa", "rdm", npy(X, ids=range(n)), "--input-is", "rdm", "--merge", "--allow-nan", *(["--square"] if X.ndim == 1 else [])))


@adapter("scipy.spatial.procrustes", "rsa compare --compare procrustes", take=lambda r: r[2], put=lambda r, ours: (r[0], r[1], float(ours)))
def procrustes(data1, data2):
    data1, data2 = matrix(data1), matrix(data2)
    if data1.shape != data2.shape:
        raise Outside("matrices of different shapes")
    rows = read_table(run("rsa", "compare", npy(data1), "--brain", npy(data2), "--compare", "procrustes", "--input-is", "patterns", "--assume-order"))
    return 1 - column(rows, "procrustes")[0] ** 2


# Correlations, ranks, z scores --------------------------------------------------------------------------------------


def two_vectors(x, y):
    x, y = vector(x), vector(y)
    if x.size != y.size:
        raise Outside("vectors of different lengths")
    if np.isnan(x).any() or np.isnan(y).any():
        raise Outside("NaN in the values (we leave that pair out, SciPy propagates it)")
    return x, y


def statistic(result, ours):
    return with_fields(result, statistic=ours, **({"correlation": ours} if hasattr(result, "correlation") else {}))


@adapter("scipy.stats.pearsonr", "rsa compare", take=lambda r: r.statistic, put=statistic)
def pearsonr(x, y, *, alternative="two-sided", method=None, axis=0):
    if plain(x).ndim != 1:
        raise Outside("arrays of more axes")
    return compared(*two_vectors(x, y), "pearson")


@adapter("scipy.stats.spearmanr", "rsa compare, rsa rdm", take=lambda r: r.statistic, put=statistic)
def spearmanr(a, b=None, axis=0, nan_policy="propagate", alternative="two-sided"):
    if b is not None:
        return compared(*two_vectors(a, b), "spearman")
    a = matrix(a)
    if axis not in (0, 1):
        raise Outside("axis=None")
    rows = a.T if axis == 0 else a
    if np.isnan(rows).any() and nan_policy != "propagate":
        raise Outside("nan_policy=omit")
    condensed = rdm_of_rows(rows, "spearman").numbers
    if len(rows) == 2:
        return 1 - condensed[0]
    square = np.zeros((len(rows), len(rows)))
    square[np.triu_indices(len(rows), 1)] = 1 - condensed
    # SciPy has NaN on the diagonal of a column without ranks, too; an RDM has no diagonal.
    known = np.where([np.isnan(row).any() or (row == row[0]).all() for row in rows], np.nan, 1.0)
    return square + square.T + np.diag(known)


@adapter("scipy.stats.kendalltau", "rsa compare", take=lambda r: r.statistic, put=statistic)
def kendalltau(x, y, *, method="auto", variant="b", alternative="two-sided", nan_policy="propagate", axis=None, keepdims=False):
    if variant != "b":
        raise Outside("variant=c")
    if keepdims:
        raise Outside("keepdims=")
    return compared(*two_vectors(np.ravel(plain(x)), np.ravel(plain(y))), "kendall")


@adapter("scipy.stats.rankdata", "rsa rdm --transform rank")
def rankdata(a, method="average", *, axis=None, nan_policy="propagate"):
    if method != "average":
        raise Outside("method other than average")
    a = plain(a)
    if axis is not None and a.ndim != 1:
        raise Outside("axis=")
    if np.isnan(a).any():
        raise Outside("NaN in the values")
    full = padded(a.ravel())
    return read_npy(run("rsa", "rdm", npy(full), "--input-is", "rdm", "--transform", "rank", "--allow-nan"))[: a.size]


@adapter("scipy.stats.zscore", "npy scale --zscore")
def zscore(a, axis=0, ddof=0, nan_policy="propagate"):
    if ddof != 0:
        raise Outside("ddof=")
    if nan_policy != "propagate":
        raise Outside("nan_policy=omit")
    a = plain(a)
    if a.ndim not in (1, 2) or (axis is None and a.ndim == 2):
        raise Outside("arrays of more axes, axis=None")
    rows = a[:, None] if a.ndim == 1 else a
    return read_npy(run("npy", "scale", "--zscore", "rows" if axis in (1, -1) and a.ndim == 2 else "columns", npy(rows))).reshape(a.shape)


# Tests of means -----------------------------------------------------------------------------------------------------

TAIL = {"two-sided": "two-sided", "greater": "greater", "less": "less"}


def columns_of(a, axis):
    """Observations x columns, as a t test along an axis sees an array of one or two axes."""
    a = plain(a)
    if a.ndim == 1 and axis in (0, -1, None):
        return a[:, None], ()
    if a.ndim == 2 and axis == 0:
        return a, (a.shape[1],)
    if a.ndim == 2 and axis in (1, -1):
        return a.T, (a.shape[0],)
    raise Outside("arrays of more axes, axis=None")


def t_fields(result, ours):
    return with_fields(result, statistic=ours[0], pvalue=ours[1])


def t_numbers(result):
    """t, p and the degrees of freedom of a t that there is."""
    return result.statistic, result.pvalue, np.where(np.isnan(result.statistic), np.nan, result.df)


def tested(rows, shape):
    t, p, df = (column(rows, name).reshape(shape) for name in ("t", "p", "df"))
    return t, p, np.where(np.isnan(t), np.nan, df)


def t_options(nan_policy, keepdims, method=None):
    if nan_policy != "propagate":
        raise Outside("nan_policy=omit")
    if keepdims:
        raise Outside("keepdims=")
    if method is not None:
        raise Outside("permutations=, method=")


@adapter("scipy.stats.ttest_ind", "select-units", take=t_numbers, put=t_fields)
def ttest_ind(a, b, *, axis=0, equal_var=True, nan_policy="propagate", alternative="two-sided", trim=0, method=None, keepdims=False):
    t_options(nan_policy, keepdims, method)
    if trim:
        raise Outside("trim=")
    (a, shape), (b, other) = columns_of(a, axis), columns_of(b, axis)
    if shape != other:
        raise Outside("arrays of different widths")
    ids = [f"p{i}" for i in range(len(a) + len(b))]
    activations = npy(np.vstack([a, b]), ids)
    stimuli = table(stimulus=ids, side=["a"] * len(a) + ["b"] * len(b))

    def greater(contrast):
        return read_table(run("select-units", activations, "--stimuli", stimuli, "--by", "side", "--contrast", contrast, "--all", "--test", "student" if equal_var else "welch"))

    above, below = greater("a > b"), greater("b > a")
    t, p, df = tested(above, shape)
    less = column(below, "p").reshape(shape)
    # The tool's p is of one side, as localizers are; of both sides it is twice the smaller.
    return t, {"greater": p, "less": less, "two-sided": 2 * np.minimum(p, less)}[alternative], df


@adapter("scipy.stats.ttest_1samp", "fmri-roi contrast --one-sample", take=t_numbers, put=t_fields)
def ttest_1samp(a, popmean, axis=0, nan_policy="propagate", alternative="two-sided", *, keepdims=False):
    t_options(nan_policy, keepdims)
    if np.ndim(popmean) and np.size(popmean) != 1:
        raise Outside("a mean per column")
    a, shape = columns_of(a, axis)
    return maps(a - np.ravel(plain(popmean))[0], shape, ["--one-sample"], alternative)


@adapter("scipy.stats.ttest_rel", "fmri-roi contrast --paired", take=t_numbers, put=t_fields)
def ttest_rel(a, b, axis=0, nan_policy="propagate", alternative="two-sided", *, keepdims=False):
    t_options(nan_policy, keepdims)
    (a, shape), (b, other) = columns_of(a, axis), columns_of(b, axis)
    if shape != other or len(a) != len(b):
        raise Outside("arrays of different shapes")
    n = len(a)
    ids = [f"m{i}" for i in range(2 * n)]
    subjects = table(map=ids, subject=[f"s{i}" for i in range(n)] * 2, group=["a"] * n + ["b"] * n)
    return maps(np.vstack([a, b]), shape, ["--paired", "a > b", "--subjects", subjects], alternative, ids)


def maps(rows, shape, words, alternative, ids=None):
    out = new_file("csv")
    run("fmri-roi", "contrast", npy(rows, ids), *words, "--tail", TAIL[alternative], "--table", out, "-o", new_file("npy"))
    with open(out, "rb") as file:
        return tested(read_table(file.read()), shape)


@adapter("scipy.stats.mannwhitneyu", "select-units --with-auc", take=lambda r: r.statistic, put=lambda r, ours: with_fields(r, statistic=ours))
def mannwhitneyu(x, y, use_continuity=True, alternative="two-sided", axis=0, method="auto", *, nan_policy="propagate", keepdims=False):
    t_options(nan_policy, keepdims)
    (a, shape), (b, other) = columns_of(x, axis), columns_of(y, axis)
    if shape != other:
        raise Outside("arrays of different widths")
    ids = [f"p{i}" for i in range(len(a) + len(b))]
    stimuli = table(stimulus=ids, side=["a"] * len(a) + ["b"] * len(b))
    rows = read_table(run("select-units", npy(np.vstack([a, b]), ids), "--stimuli", stimuli, "--by", "side", "--contrast", "a > b", "--all", "--with-auc"))
    return column(rows, "auc").reshape(shape) * len(a) * len(b)


# Clusters -----------------------------------------------------------------------------------------------------------


@adapter("scipy.cluster.hierarchy.linkage", "rsa order --tree")
def linkage(y, method="single", metric="euclidean", optimal_ordering=False):
    if method not in ("average", "complete", "ward"):
        raise Outside("another linkage")
    if optimal_ordering:
        raise Outside("optimal_ordering=")
    y = plain(y)
    if y.ndim == 2:
        y = distances(y, metric, {}).numbers
    rows = read_table(run("rsa", "order", "--tree", "--linkage", method, npy(y)))
    return np.stack([column(rows, name) for name in ("left", "right", "height", "n_stimuli")], axis=1)
