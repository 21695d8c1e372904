"""RDMs of subjects as weighted sums of model RDMs: golden/fitted/components.npy (5 predictors) and subjects.npy (6 outcomes).

testdata/golden/fitted/regressions.json
    ols, ranks          per subject intercept, weights (numpy lstsq; of average ranks), standardized (of z scores), R2, unique
                        (R2 of all minus R2 of the other predictors)
    nnls                the same by SciPy's nnls, of RDMs without their means
    ridge, ridge_raw    the same by scikit-learn's Ridge, behind StandardScaler (weights divided by its scale) and alone; alpha
    corr, corr_nn       per subject rsatoolbox's fit_regress and fit_regress_nn, method corr: weights of length 1
    pooled              fit_regress (corr) of all subjects: that of the mean of their z scores
    held_out            folds (of stimuli), and per method (ols, nnls, ridge) per subject R2 and unique: scikit-learn's r2_score of
                        held-out pairs against the mean of the training pairs, squares summed over folds
    chosen              factors, and for ridge, ridge_raw per subject: R2 (per factor, over the same folds; the penalty is the factor
                        times the mean eigenvalue of X'X of the training pairs), alpha (the best, of all pairs), and nested: R2 of
                        the folds, each with the factor that is best over the other three
"""

import io

import numpy as np
import scipy.optimize
from rsatoolbox.model import ModelWeighted
from rsatoolbox.model.fitter import fit_regress, fit_regress_nn
from rsatoolbox.rdm import RDMs
from scipy.stats import rankdata, zscore
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ALPHA = 20.0
RAW_ALPHA = 0.3
FACTORS = [0.0, 0.01, 0.1, 0.3, 1.0, 10.0]
FOLDS = [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 3, 2, 1, 0]


def ols(x, y):
    found = np.linalg.lstsq(np.column_stack([np.ones(len(y)), x]), y, rcond=None)[0]
    return found[0], found[1:]


def nnls(x, y):
    weights, _ = scipy.optimize.nnls(x - x.mean(0), y - y.mean())
    return y.mean() - x.mean(0) @ weights, weights


def ridge(x, y):
    model = make_pipeline(StandardScaler(), Ridge(ALPHA, solver="cholesky")).fit(x, y)
    weights = model[1].coef_ / model[0].scale_
    return y.mean() - x.mean(0) @ weights, weights


def ridge_raw(x, y):
    model = Ridge(RAW_ALPHA, solver="cholesky").fit(x, y)
    return model.intercept_, model.coef_


def r2(fit, x, y):
    intercept, weights = fit(x, y)
    return 1 - np.sum((y - intercept - x @ weights) ** 2) / np.sum((y - y.mean()) ** 2)


def regression(fit, x, y):
    intercept, weights = fit(x, y)
    all_of_them = r2(fit, x, y)
    return {
        "intercept": intercept,
        "weights": weights,
        "standardized": weights * x.std(0) / y.std(),
        "R2": all_of_them,
        "unique": [all_of_them - r2(fit, np.delete(x, j, 1), y) for j in range(x.shape[1])],
    }


def held_out(fit, x, y):
    i, j = np.triu_indices(len(FOLDS), 1)
    folds = np.array(FOLDS)
    errors = whole = 0
    for fold in range(4):
        training, test = (folds[i] != fold) & (folds[j] != fold), (folds[i] == fold) & (folds[j] == fold)
        intercept, weights = fit(x[training], y[training])
        errors += np.sum((y[test] - intercept - x[test] @ weights) ** 2)
        whole += np.sum((y[test] - y[training].mean()) ** 2)
    return 1 - errors / whole


def penalty(x, factor, raw):
    x = x - x.mean(0)
    return factor * np.mean(np.linalg.eigvalsh((x if raw else x / x.std(0)).T @ (x if raw else x / x.std(0))))


def errors(x, y, factor, raw, folds, fold):
    """Squared errors of a fold, and of the mean, by scikit-learn; stimuli of fold -1 are in no pair."""
    i, j = np.triu_indices(len(folds), 1)
    used = (folds[i] >= 0) & (folds[j] >= 0)
    training, test = used & (folds[i] != fold) & (folds[j] != fold), used & (folds[i] == fold) & (folds[j] == fold)
    ridge = Ridge(penalty(x[training], factor, raw), solver="cholesky")
    model = (ridge if raw else make_pipeline(StandardScaler(), ridge)).fit(x[training], y[training])
    return np.array([np.sum((y[test] - model.predict(x[test])) ** 2), np.sum((y[test] - y[training].mean()) ** 2)])


def scores(x, y, raw, folds):
    of = lambda factor: sum(errors(x, y, factor, raw, folds, fold) for fold in range(4) if fold in folds)  # noqa: E731
    return [1 - found[0] / found[1] for found in map(of, FACTORS)]


def chosen(x, y, raw):
    folds = np.array(FOLDS)
    of_all = scores(x, y, raw, folds)
    nested = 0
    for fold in range(4):
        others = np.where(folds == fold, -1, folds)
        nested = nested + errors(x, y, FACTORS[int(np.argmax(scores(x, y, raw, others)))], raw, folds, fold)
    return {"R2": of_all, "alpha": penalty(x, FACTORS[int(np.argmax(of_all))], raw), "nested": 1 - nested[0] / nested[1]}


def without_weights_below_0(rdms, y):
    """rsatoolbox's own solver, whose stopping rule is about unscaled values: the weights are those of SciPy to 1e-6."""
    return fit_regress_nn(ModelWeighted("m", rdms), RDMs(y[None]), method="corr")


def make(testdata):
    load = lambda name: np.load(io.BytesIO(testdata.files[f"golden/fitted/{name}.npy"]))  # noqa: E731
    components, subjects = load("components"), load("subjects")
    x = components.T
    rdms = RDMs(components)
    # what two libraries say about one subject is one thing
    for y in subjects:
        assert np.allclose(ols(x, y)[1], LinearRegression().fit(x, y).coef_, rtol=0, atol=1e-12)
        assert np.allclose(ols(zscore(x), zscore(y))[1], regression(ols, x, y)["standardized"], rtol=0, atol=1e-12)
        theirs, own = without_weights_below_0(rdms, y), nnls(x, y)[1]
        assert np.allclose(theirs, own / np.linalg.norm(own), rtol=0, atol=1e-6)
    testdata.json("golden/fitted/regressions.json", {
        "ols": [regression(ols, x, y) for y in subjects],
        "ranks": [regression(ols, rankdata(x, axis=0), rankdata(y)) for y in subjects],
        "nnls": [regression(nnls, x, y) for y in subjects],
        "ridge": {"alpha": ALPHA, "fits": [regression(ridge, x, y) for y in subjects]},
        "ridge_raw": {"alpha": RAW_ALPHA, "fits": [regression(ridge_raw, x, y) for y in subjects]},
        "corr": [fit_regress(ModelWeighted("m", rdms), RDMs(y[None]), method="corr") for y in subjects],
        "corr_nn": [without_weights_below_0(rdms, y) for y in subjects],
        "pooled": fit_regress(ModelWeighted("m", rdms), RDMs(subjects), method="corr"),
        "chosen": {
            "factors": FACTORS,
            "ridge": [chosen(x, y, False) for y in subjects],
            "ridge_raw": [chosen(x, y, True) for y in subjects],
        },
        "held_out": {
            "folds": FOLDS,
            **{
                fit.__name__: [
                    {"R2": held_out(fit, x, y), "unique": [held_out(fit, x, y) - held_out(fit, np.delete(x, j, 1), y) for j in range(5)]}
                    for y in subjects
                ]
                for fit in (ols, nnls, ridge)
            },
        },
    })
