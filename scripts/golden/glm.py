"""First-level models: nilearn (designs, OLS, AR(1), contrasts, fixed effects), and its loop over trials for LSS.

testdata/golden/glm/odd-events.tsv    events with modulation, a repeated row, an impulse, an onset before 0 and one behind the end
testdata/golden/glm/confounds.tsv     60 rows, three columns; the first row of one is n/a
testdata/golden/glm/designs-{1,2}.json  name -> options of `fmri-roi glm`, volumes, TR, names of columns, columns
testdata/golden/glm/run-{1,2}.npy     60 and 66 volumes x 6 voxels (f8), made by formulas, no generator; turned.npy: run 1 backwards
testdata/golden/glm/run-{1,2}_events.tsv
testdata/golden/glm/fits.json         noise -> runs -> contrast -> effect, variance, t or F, z, df; and rho of each run
testdata/golden/glm/trials.json       lsa, lss -> betas of run 1 in per cent of the mean, trials x voxels
testdata/golden/glm/deviates.json     z of t and of F (scipy), with their degrees of freedom
"""

import warnings

import numpy as np
import pandas as pd
import scipy.stats
from nilearn.glm.contrasts import _compute_fixed_effects_params, compute_contrast, compute_fixed_effect_contrast
from nilearn.glm.first_level import make_first_level_design_matrix, run_glm
from nilearn.glm.first_level.first_level import mean_scaling

TR = 2.0
ODD = [
    # onset, duration, trial_type, modulation
    (4.0, 4.0, "face", 1.0),
    (-3.0, 2.5, "house", 1.0),
    (31.5, 0.0, "face", 1.5),
    (20.0, 4.0, "house", 0.5),
    (20.0, 4.0, "house", 0.75),
    (47.3, 6.1, "Zebra face", -1.0),
    (66.6, 3.3, "face", 2.0),
    (70.1, 1.0, "Zebra face", 1.0),
    (95.0, 4.0, "house", 1.0),
    (900.0, 4.0, "house", 1.0),
]
RUNS = [
    [(4, 4, "A"), (20, 4, "B"), (36, 0, "A"), (52, 4, "B"), (68, 4, "A"), (84, 4, "B"), (100, 4, "A")],
    [(6, 3, "B"), (18, 3, "A"), (33, 3, "A"), (51, 3, "B"), (70, 3, "B"), (88, 3, "A"), (109, 3, "B")],
]
DESIGNS = {
    "spm": ("--hrf spm", 60, TR, {"hrf_model": "spm"}),
    "glover": ("--hrf glover", 60, TR, {"hrf_model": "glover"}),
    "spm-time": ("--hrf spm --derivatives time --high-pass 0.02", 60, TR, {"hrf_model": "spm + derivative", "high_pass": 0.02}),
    "spm-both": ("--hrf spm --derivatives time,dispersion --slice-time-ref 0.5", 60, TR, {"hrf_model": "spm + derivative + dispersion", "slice_time_ref": 0.5}),
    "glover-both": (
        "--hrf glover --derivatives time,dispersion --slice-time-ref 0.5 --drift polynomial --drift-order 3",
        90,
        1.37,
        {"hrf_model": "glover + derivative + dispersion", "slice_time_ref": 0.5, "drift_model": "polynomial", "drift_order": 3},
    ),
    "fir": ("--hrf fir --fir-delays 0,1,2,3 --drift polynomial", 60, TR, {"hrf_model": "fir", "fir_delays": [0, 1, 2, 3], "drift_model": "polynomial"}),
    "fir-ref": ("--hrf fir --fir-delays 1,3 --slice-time-ref 0.25", 75, 0.8, {"hrf_model": "fir", "fir_delays": [1, 3], "slice_time_ref": 0.25}),
    "none": ("--hrf none --drift none", 60, TR, {"hrf_model": None, "drift_model": None}),
    "confounds": ("--hrf spm --confounds confounds.tsv --confound-columns 'rot_*' --confound-columns dvars", 60, TR, {"hrf_model": "spm", "confounds": True}),
}


def odd_events():
    return pd.DataFrame(ODD, columns=["onset", "duration", "trial_type", "modulation"])


def events(run):
    return pd.DataFrame(run, columns=["onset", "duration", "trial_type"])


def confounds():
    t = np.arange(60)
    table = pd.DataFrame({"rot_x": np.sin(t / 7), "other": t * 1.0, "rot_y": np.cos(t * t / 50), "dvars": 30 + (t * 7919 % 13)})
    return table.astype(float).round(6)


def design(n, tr, options):
    options = dict(options)
    ref = options.pop("slice_time_ref", 0.0)
    times = np.linspace(ref * tr, (n - 1 + ref) * tr, n)
    if options.pop("confounds", False):
        taken = confounds()[["rot_x", "rot_y", "dvars"]]
        taken.loc[0, "dvars"] = taken["dvars"][1:].mean()
        options["add_regs"] = taken
    return make_first_level_design_matrix(times, odd_events(), **options)


def bold(run, d):
    """Two conditions and noise of three kinds, in six voxels."""
    n = len(d)
    t = np.arange(n)
    A, B = d["A"].to_numpy(), d["B"].to_numpy()
    voxels = [
        100 + 3 * A + np.sin(1.7 * t) + 0.5 * np.cos(0.9 * t * t % 7),
        80 + 2 * B + np.sin(0.31 * t * t % 5) + ((t * 7919) % 13) / 13,
        50 + ((t * 104729) % 17) / 17 + 0.3 * np.sin(t),
        1200 + 40 * A + 25 * B + 5 * np.sin(t / 3.0) + 3 * np.cos(t * t / 11.0),
        900 + 30 * (A - B) + np.cumsum(np.sin(t * t * 0.7)) + 0.1 * t,
        20 + 0.01 * ((t * t * 31) % 29) - 0.2 * A,
    ]
    return np.stack([v * (1 + 0.1 * run) for v in voxels], 1)


def numbers(contrast):
    value = {"effect": contrast.effect, "variance": contrast.variance, "stat": contrast.stat(), "z": contrast.z_score(), "df": contrast.dof}
    return {k: v for k, v in value.items() if k == "df" or k in ("stat", "z") or np.ndim(v) == 1 and contrast.stat_type == "t"}


def fits(Y, X):
    weights = {
        "A > B": lambda d: np.array([1.0, -1.0] + [0.0] * (d.shape[1] - 2)),
        "A": lambda d: np.array([1.0] + [0.0] * (d.shape[1] - 1)),
    }
    found = {}
    for noise in ("ols", "ar1"):
        results = [run_glm(y, x.to_numpy(), noise_model=noise) for y, x in zip(Y, X)]
        labels, regressions = [r[0] for r in results], [r[1] for r in results]
        own = {"rho": [np.array([float(label) for label in some]) for some in labels], "one": {}, "both": {}, "precision": {}}
        for name, weight in weights.items():
            of = [weight(x) for x in X]
            own["one"][name] = numbers(compute_contrast(labels[0], regressions[0], of[0]))
            own["both"][name] = numbers(compute_fixed_effect_contrast(labels, regressions, of))
            each = [compute_contrast(*some) for some in zip(labels, regressions, of)]
            effect, variance, t, z = _compute_fixed_effects_params(
                [c.effect for c in each], [c.variance for c in each], True, [c.dof for c in each]
            )
            own["precision"][name] = {"effect": effect, "variance": variance, "stat": t, "z": z, "df": sum(c.dof for c in each)}
        rows = np.eye(2, X[0].shape[1])
        own["one"]["A; B"] = numbers(compute_contrast(labels[0], regressions[0], rows))
        # Of two runs with one design nilearn's sum of whitened effects is exact too.
        again = run_glm(Y[0][::-1], X[0].to_numpy(), noise_model="ols")
        if noise == "ols":
            own["turned"] = numbers(compute_fixed_effect_contrast([labels[0], again[0]], [regressions[0], again[1]], [rows, rows]))
        found[noise] = own
    ols = run_glm(Y[0], X[0].to_numpy(), noise_model="ols")[1][0.0]
    residuals = Y[0] - X[0].to_numpy() @ ols.theta
    squares = (residuals**2).sum(0)
    found["sd"] = np.sqrt(squares / (len(Y[0]) - X[0].shape[1]))
    found["R2"] = 1 - squares / ((Y[0] - Y[0].mean(0)) ** 2).sum(0)
    return found


def trials(y, run):
    y = mean_scaling(y)[0]
    table = events(run)
    times = np.arange(len(y)) * TR
    beta = lambda ev, names: (lambda d: np.linalg.pinv(d.to_numpy())[[list(d.columns).index(n) for n in names]] @ y)(  # noqa: E731
        make_first_level_design_matrix(times, ev, hrf_model="spm", high_pass=1 / 64)
    )
    own = [f"t{i:02}" for i in range(len(table))]
    lsa = beta(table.assign(trial_type=own), own)
    lss = []
    for i in range(len(table)):
        one = table.copy()
        one.loc[i, "trial_type"] = "this"
        lss.append(beta(one, ["this"])[0])
    return {"lsa": lsa, "lss": np.array(lss)}


def deviates():
    t = [(t, df) for t in (-30.0, -5.0, -1.5, -1e-3, 0.0, 0.2, 1.0, 2.5, 4.97120761, 12.0, 25.0) for df in (3, 17.5, 54, 300, 5000)]
    f = [(f, a, b) for f in (1e-3, 0.3, 1.0, 2.2, 8.0, 23.62055096) for a in (1, 2, 3, 7, 40) for b in (5, 54, 1200)]
    z = lambda sf, cdf: np.where(sf < 0.5, scipy.stats.norm.isf(sf), scipy.stats.norm.ppf(cdf))  # noqa: E731
    of_t, of_f = scipy.stats.t, scipy.stats.f
    return {
        "t": [(a, df, float(z(of_t.sf(a, df), of_t.cdf(a, df)))) for a, df in t],
        "f": [(a, d1, d2, float(z(of_f.sf(a, d1, d2), of_f.cdf(a, d1, d2)))) for a, d1, d2 in f],
    }


def make(testdata):
    warnings.simplefilter("ignore")
    tsv = lambda table, **k: table.to_csv(sep="\t", index=False, lineterminator="\n", **k).encode()  # noqa: E731
    testdata.write("golden/glm/odd-events.tsv", tsv(odd_events()))
    table = confounds()
    table["dvars"] = ["n/a"] + [str(v) for v in table["dvars"][1:]]
    testdata.write("golden/glm/confounds.tsv", tsv(table))
    made = {}
    for name, (arguments, n, tr, options) in DESIGNS.items():
        d = design(n, tr, options)
        made[name] = {"arguments": arguments, "n_volumes": n, "tr": tr, "names": list(d.columns), "columns": d.to_numpy().T}
    half = [{name: made[name] for name in some} for some in (list(made)[:5], list(made)[5:])]
    testdata.json("golden/glm/designs-1.json", half[0])
    testdata.json("golden/glm/designs-2.json", half[1])
    X = [make_first_level_design_matrix(np.arange(n) * TR, events(run), hrf_model="spm", high_pass=1 / 64) for n, run in zip((60, 66), RUNS)]
    Y = [bold(k, x) for k, x in enumerate(X)]
    for k, (y, run) in enumerate(zip(Y, RUNS), 1):
        testdata.array(f"golden/glm/run-{k}.npy", y)
        testdata.write(f"golden/glm/run-{k}_events.tsv", tsv(events(run)))
    testdata.array("golden/glm/turned.npy", Y[0][::-1])
    testdata.json("golden/glm/fits.json", fits(Y, X))
    testdata.json("golden/glm/trials.json", trials(Y[0], RUNS[0]))
    testdata.json("golden/glm/deviates.json", deviates())
