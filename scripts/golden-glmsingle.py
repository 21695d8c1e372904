"""Writes testdata/glmsingle: single-trial betas by GLMsingle, in an environment of its own (scripts/golden-glmsingle.sh).

GLMsingle (BSD-3-Clause, Copyright (c) 2021 Kendrick Kay) is on no package registry: give the folder of a checkout of
github.com/cvnlab/GLMsingle at 1ab54a6. Its code runs here as it is but for two things, so that it can be compared
closely: float32 is float64 throughout, and the penalty of a fraction is the exact one (package fracridge interpolates
between a grid of penalties; `fractions_interpolated` has what it chooses then).

testdata/glmsingle/run-{1,2,3}.npy         110 volumes x 24 voxels (f4); voxel k responds with response k of the library
                                           to 12 pictures (voxels from 20 on to none); four levels of noise, drift
testdata/glmsingle/run-{1,2,3}_events.tsv  16 trials of 2.5 s; the trial_type is the picture, onsets are on volumes
testdata/glmsingle/expected.json           HRFindex from 0, FRACvalue, R2 of type B (0 to 1), betas of types B (unpenalized)
                                           and D (trials x voxels) in the units of the runs, without GLMdenoise
testdata/glmsingle/library.tsv             every other response of GLMsingle's table, .1 s x response
testdata/glmsingle/expected-library.json   the same with that library

`--responses` prints the constants of crates/glm/src/hrf_library.rs: the parameters of SPM's response (spm_hrf) under
which it gives the columns of GLMsingle's table, which getcanonicalhrflibrary.m says it was made from.
"""

import contextlib
import io
import json
import pathlib
import re
import shutil
import sys
import tempfile

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq, least_squares
from scipy.special import gammaln

TIMES = np.arange(501) * 0.1


def gamma_density(x, shape, scale):
    with np.errstate(divide="ignore", invalid="ignore"):
        log = (shape - 1) * np.log(x / scale) - x / scale - gammaln(shape)
    return np.where(x > 0, np.exp(log) / scale, 0)


def spm_response(p):
    """Delay of response and undershoot, their dispersions, ratio, onset; sampled at .1 s, its sum 1."""
    u = TIMES - p[5]
    response = gamma_density(u, p[0] / p[2], p[2]) - gamma_density(u, p[1] / p[3], p[3]) / p[4]
    return response / response.sum()


def parameters(table):
    """The parameters of every column of a table of 5 digits, and the largest difference from it."""
    found = []
    start = np.array([6, 16, 1, 1, 6, 0.0])
    options = dict(ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=3000)
    for column in table.T:
        random, best = np.random.Generator(np.random.PCG64(1)), None
        for k in range(20):
            begin = start * np.exp(random.normal(0, 0.3, 6)) if k else start
            fit = least_squares(
                lambda p: (spm_response(p) - column) / column.max(),
                begin,
                x_scale=[1, 1, 0.3, 0.3, 1, 1],
                bounds=([0.5, 0.5, 0.01, 0.01, 0.1, -5], [60, 80, 30, 30, 1000, 5]),
                **options,
            )
            best = fit if best is None or fit.cost < best.cost else best
        # Then in units of the last digit of each number.
        digits = np.floor(np.log10(np.where(column == 0, 1e-4, np.abs(column)))) - 4
        unit = np.maximum(10**digits / 2, 5e-9)
        close = least_squares(lambda p: (spm_response(p) - column) / unit, best.x, x_scale=np.abs(best.x) + 1e-3, **options)
        tidy = [np.array([float(f"{v:.9g}") if abs(v) > 1e-4 else 0.0 for v in x]) for x in (best.x, close.x)]
        error = [np.abs(spm_response(p) - column).max() for p in tidy]
        found.append((tidy[int(np.argmin(error))], min(error), column.max()))
    return found


def exact_fraction(x, y, frac):
    """fracridge of one fraction without interpolation: coefficients, penalties."""
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    kept = s > 1e-10 * s[0]
    u, s, vt = u[:, kept], s[kept], vt[kept]
    c = u.T @ y
    alphas = np.zeros(y.shape[1])
    if frac != 1:
        for k in range(y.shape[1]):
            full = np.sum((c[:, k] / s) ** 2)
            off = lambda log: np.sqrt(np.sum((c[:, k] * s / (s**2 + np.exp(log))) ** 2) / full) - frac
            alphas[k] = np.exp(brentq(off, -60, 60, xtol=1e-14, rtol=1e-15))
    return vt.T @ (c * s[:, None] / (s[:, None] ** 2 + alphas)), alphas


def glmsingle(folder):
    """The package with float64 for float32."""
    copy = pathlib.Path(tempfile.mkdtemp()) / "glmsingle"
    shutil.copytree(pathlib.Path(folder) / "glmsingle", copy)
    for file in copy.rglob("*.py"):
        file.write_text(file.read_text().replace("float32", "float64"))
    sys.path.insert(0, str(copy.parent))
    import glmsingle.glmsingle
    import glmsingle.ols.fit_model
    import matplotlib.pyplot

    # Pictures that nobody looks at.
    matplotlib.pyplot.savefig = matplotlib.pyplot.imsave = lambda *_, **__: None
    return glmsingle


TR, N_VOLUMES, DURATION, N_PICTURES = 1.5, 110, 2.5, 12
N_VOXELS, N_RUNS = 24, 3


def convolved(responses):
    """What getcanonicalhrflibrary makes of responses of .1 s, in f64: sampled at the TR, each of peak 1."""
    boxes = np.ones(int(round(DURATION / 0.1)))
    summed = np.array([np.convolve(column, boxes) for column in responses.T])
    sampler = np.arange(0, (summed.shape[1] - 1) * 0.1, TR)
    sampled = PchipInterpolator(np.arange(summed.shape[1]) * 0.1, summed, axis=1)(sampler)
    return (sampled / sampled.max(axis=1, keepdims=True)).T


def simulated(library):
    """Designs (volumes x pictures) and runs (volumes x voxels, f4)."""
    random = np.random.Generator(np.random.PCG64(77))
    amplitudes = 2 + random.normal(size=(N_PICTURES, N_VOXELS))
    amplitudes[:, 20:] = 0
    noise = np.repeat([0.2, 0.4, 0.8, 1.6], 6)
    noise = random.permutation(noise)
    designs, runs = [], []
    for _ in range(N_RUNS):
        order = random.permutation(np.r_[np.arange(N_PICTURES), random.choice(N_PICTURES, 4, replace=False)])
        design = np.zeros((N_VOLUMES, N_PICTURES))
        design[2 + np.cumsum(random.permutation(np.repeat([4, 5, 7, 8], 4))) - 4, order] = 1
        t = np.linspace(-1, 1, N_VOLUMES)[:, None]
        y = 500 + 4 * t + 0.2 * t**2 + noise * random.normal(size=(N_VOLUMES, N_VOXELS))
        for voxel in range(20):
            kernel = library[:, voxel]
            for picture in range(N_PICTURES):
                y[:, voxel] += amplitudes[picture, voxel] * np.convolve(design[:, picture], kernel)[:N_VOLUMES]
        designs.append(design)
        runs.append(y.astype("<f4"))
    return designs, runs


def fitted(package, designs, runs, library):
    params = {"wantglmdenoise": 0, "wantfracridge": 1, "wantfileoutputs": [0, 0, 0, 0], "hrflibrary": library}
    params["wantmemoryoutputs"] = [1, 1, 0, 1]
    out = tempfile.mkdtemp()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        single = package.glmsingle.GLM_single(params)
        found = single.fit(designs, [y.T.astype(float) for y in runs], DURATION, TR, outputdir=out + "/o", figuredir=out + "/f")
    b, d = found["typeb"], found["typed"]
    flat = lambda x: np.asarray(x).reshape(N_VOXELS, -1)
    back = np.abs(flat(d["meanvol"])) / 100
    return {
        "response": flat(d["HRFindex"])[:, 0].astype(int).tolist(),
        "fraction": [round(float(f), 2) for f in flat(d["FRACvalue"])[:, 0]],
        "R2": (flat(b["FitHRFR2"]).max(axis=1) / 100).tolist(),
        "unpenalized": (flat(b["betasmd"]) * back).T.tolist(),
        "betas": (flat(d["betasmd"]) * back).T.tolist(),
    }


def rounded(value):
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def main(folder):
    table = np.genfromtxt(pathlib.Path(folder) / "glmsingle/hrf/getcanonicalhrflibrary.tsv")
    if "--responses" in sys.argv:
        for p, error, peak in parameters(table):
            print("    [" + ", ".join(f"{v:.9g}" if v else "0.0" for v in p) + f"],  // {error:.1e} {error / peak:.1e}")
        return
    root = pathlib.Path(__file__).resolve().parent.parent
    source = (root / "crates/glm/src/hrf_library.rs").read_text()
    source = source[source.index("const NSD") : source.index("\n];", source.index("const NSD"))]
    constants = [[float(v) for v in row.split(",")] for row in re.findall(r"\[([-0-9., e]+)\],", source)]
    assert np.shape(constants) == (20, 6)
    responses = np.array([spm_response(np.array(p)) for p in constants]).T
    assert np.abs(responses - table).max() < 6.5e-7
    out = root / "testdata/glmsingle"
    out.mkdir(exist_ok=True)
    designs, runs = simulated(convolved(responses))
    for k, (design, run) in enumerate(zip(designs, runs), 1):
        np.save(out / f"run-{k}.npy", run)
        rows = [f"{t * TR:g}\t{DURATION:g}\tp{picture:02}" for t, picture in np.argwhere(design)]
        (out / f"run-{k}_events.tsv").write_text("onset\tduration\ttrial_type\n" + "\n".join(rows) + "\n")
    np.savetxt(out / "library.tsv", table[:, ::2], fmt="%.5g", delimiter="\t")
    package = glmsingle(folder)
    interpolated = fitted(package, designs, runs, convolved(responses))["fraction"]
    package.ols.fit_model.fracridge = exact_fraction
    expected = fitted(package, designs, runs, convolved(responses))
    expected["fractions_interpolated"] = interpolated
    own = fitted(package, designs, runs, convolved(table[:, ::2]))
    for name, content in [("expected.json", expected), ("expected-library.json", own)]:
        (out / name).write_text(json.dumps(rounded(content)).replace("], ", "],\n") + "\n")
    print("interpolated fractions that differ:", sum(a != b for a, b in zip(interpolated, expected["fraction"])), "of", N_VOXELS)
    print(expected["response"], expected["fraction"])


if __name__ == "__main__":
    main(sys.argv[1])
