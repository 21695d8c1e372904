#!/usr/bin/env python3
"""Our tools beside the field's Python on the same files: whole processes, answers compared before any time is printed.

    bench.py [--rounds 3] [--folder build/bench] [--only NAME] [--wide]

Each task makes its input from a seed, runs the peer and our binary in turn `--rounds` times with as many threads as the
machine has, and prints the best wall time and the peak memory of each, their ratio, and how far the answers differ.
Ratios within one run travel between machines; seconds do not.
"""

import argparse
import csv
import gzip
import json
import pathlib
import subprocess
import sys

# A process counts the memory of the one it was forked from as its own peak, so commands are started by a small process.
STARTER = """
import json, os, subprocess, sys, time
for line in sys.stdin:
    command, cwd = json.loads(line)
    start = time.perf_counter()
    with open(os.path.join(cwd, "log.txt"), "wb") as log:
        child = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
    print(json.dumps([status, time.perf_counter() - start, usage.ru_maxrss / 1024]), flush=True)
"""
starter = subprocess.Popen([sys.executable, "-S", "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

import numpy as np  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "target/release"


def write_labelled(path, matrix, ids):
    with open(path, "wb") as file:
        np.save(file, matrix)
        np.save(file, np.array(ids))


def timed(command, cwd):
    """Wall seconds and peak MB of a whole process; its failure ends the benchmark."""
    starter.stdin.write(json.dumps([[str(word) for word in command], str(cwd)]) + "\n")
    starter.stdin.flush()
    status, seconds, megabytes = json.loads(starter.stdout.readline())
    if status:
        sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{(cwd / 'log.txt').read_text()}")
    return seconds, megabytes


def python(code):
    return [sys.executable, "-c", code]


SCIPY_ROUTE = """
import numpy as np, scipy.stats as ss, pandas as pd
x = np.load('{acts}'); d = pd.read_csv('stimuli.csv')['domain'].to_numpy() == 'faces'
r = ss.ttest_ind(x[d], x[~d], equal_var=False, alternative='greater'); q = ss.false_discovery_control(r.pvalue)
dprime = (x[d].mean(0) - x[~d].mean(0)) / np.sqrt((x[d].var(0, ddof=1) + x[~d].var(0, ddof=1)) / 2)
pd.DataFrame(dict(unit=np.arange(x.shape[1]), t=r.statistic, p=r.pvalue, q=q, dprime=dprime)).to_csv('peer.csv', index=False)"""

# What a careful user writes: mapped file, blocks of rows, sums in f8 of values shifted by a first guess of the mean.
NUMPY_BLOCKS = """
import numpy as np, scipy.stats as ss, pandas as pd
x = np.load('{acts}', mmap_mode='r'); d = pd.read_csv('stimuli.csv')['domain'].to_numpy() == 'faces'
n = np.array([d.sum(), (~d).sum()])[:, None]; shift = x[:32].mean(0, dtype=np.float64)
sums, squares = np.zeros((2, x.shape[1])), np.zeros((2, x.shape[1]))
for i in range(0, len(x), 16):
    block = x[i:i + 16] - shift
    for g, rows in enumerate((d[i:i + 16], ~d[i:i + 16])):
        part = block[rows]; sums[g] += part.sum(0); squares[g] += np.square(part).sum(0)
mean = sums / n; var = (squares - n * mean ** 2) / (n - 1); se2 = var / n
t = (mean[0] - mean[1]) / np.sqrt(se2.sum(0)); df = se2.sum(0) ** 2 / (se2 ** 2 / (n - 1)).sum(0)
p = ss.t.sf(t, df); q = ss.false_discovery_control(p)
pd.DataFrame(dict(unit=np.arange(len(t)), t=t, p=p, q=q, dprime=(mean[0] - mean[1]) / np.sqrt(var.mean(0)))).to_csv('peer.csv', index=False)"""


def select(folder, n_units, route):
    """Welch's t, its p, Benjamini-Hochberg's q and d' of every unit, as a table; our table goes through stdout."""
    rng = np.random.default_rng(0)
    n, categories = 1440, ["faces", "bodies", "places", "characters", "objects"]
    ids = [f"s{i}" for i in range(n)]
    (folder / "stimuli.csv").write_text(
        "stimulus,domain\n" + "".join(f"{s},{categories[i % 5]}\n" for i, s in enumerate(ids)))
    acts = folder / f"acts{n_units}.npy"
    if not acts.exists():
        with open(acts, "wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (n, n_units)})
            for i in range(n):
                row = rng.standard_normal(n_units, dtype=np.float32)
                row[: n_units // 20] += 0.5 * (i % 5 == 0)
                row.tofile(file)
            np.save(file, np.array(ids))
    line = f"select-units -q --stimuli stimuli.csv --by domain --contrast 'faces > rest' --test welch --correct bh --all {acts.name} > ours.csv"
    ours = ["sh", "-c", f"exec {BIN}/{line}"]

    def agree():
        a, b = (np.genfromtxt(folder / f, delimiter=",", names=True, dtype=None, encoding="utf-8") for f in ("peer.csv", "ours.csv"))
        return f"largest difference in t {np.abs(a['t'] - b['t']).max():.1e}"

    return python(route.format(acts=acts.name)), ours, agree


def rdm(folder):
    n, p = 1000, 10000
    write_labelled(folder / "patterns.npy", np.random.default_rng(1).standard_normal((n, p), dtype=np.float32), [f"s{i}" for i in range(n)])
    peer = python("""
import numpy as np, rsatoolbox
x = np.load('patterns.npy').astype(np.float64)
np.save('peer.npy', rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(x), method='correlation').dissimilarities[0])""")
    ours = [BIN / "rsa", "rdm", "--quiet", "patterns.npy", "-o", "ours.npy"]
    return peer, ours, lambda: f"largest difference {np.abs(np.load(folder / 'peer.npy') - np.load(folder / 'ours.npy')).max():.1e}"


def rdm_large(folder):
    n, p = 5000, 10000
    write_labelled(folder / "patterns5000.npy", np.random.default_rng(4).standard_normal((n, p), dtype=np.float32), [f"s{i}" for i in range(n)])
    peer = python("""
import numpy as np
x = np.load('patterns5000.npy'); z = x - x.mean(1, keepdims=True); z /= np.linalg.norm(z, axis=1, keepdims=True)
np.save('peer.npy', (1 - z @ z.T)[np.triu_indices(len(x), 1)])""")
    ours = [BIN / "rsa", "rdm", "--quiet", "patterns5000.npy", "-o", "ours.npy"]
    return peer, ours, lambda: f"largest difference {np.abs(np.load(folder / 'peer.npy') - np.load(folder / 'ours.npy')).max():.1e}"


def crossnobis(folder):
    conditions, runs, channels = 515, 3, 5000
    rng = np.random.default_rng(5)
    x = np.tile(rng.standard_normal((conditions, channels)), (runs, 1)) + rng.standard_normal((conditions * runs, channels))
    # names that sort as they come, since rsatoolbox sorts
    ids = [f"s{i:03}" for i in range(conditions)] * runs
    write_labelled(folder / "betas.npy", x, ids)
    (folder / "trials.csv").write_text("stimulus,run\n" + "".join(f"{s},{i // conditions}\n" for i, s in enumerate(ids)))
    peer = python(f"""
import numpy as np, rsatoolbox
x = np.load('betas.npy')
data = rsatoolbox.data.Dataset(x, obs_descriptors=dict(cond=np.tile(np.arange({conditions}), {runs}), run=np.repeat(np.arange({runs}), {conditions})))
np.save('peer.npy', rsatoolbox.rdm.calc_rdm_crossnobis(data, 'cond', cv_descriptor='run').dissimilarities[0])""")
    ours = [BIN / "rsa", "rdm", "--quiet", "--metric", "crossnobis", "--per-channel", "--cv", "run", "--stimuli", "trials.csv", "betas.npy", "-o", "ours.npy"]
    return peer, ours, lambda: f"largest difference {np.abs(np.load(folder / 'peer.npy') - np.load(folder / 'ours.npy')).max():.1e}"


def compare(folder, method, ours_method, models=10, subjects=8, stimuli=515, draws=None):
    """Scores and their ceiling; with `draws` the bootstrap over stimuli, whose standard errors are compared."""
    rng = np.random.default_rng(2)
    pairs = stimuli * (stimuli - 1) // 2
    ids = np.array([f"s{i}" for i in range(stimuli)])
    shared = rng.standard_normal(pairs)
    for name, count in (("models", models), ("brains", subjects)):
        with open(folder / f"{name}.npy", "wb") as file:
            for _ in range(count):
                np.save(file, np.abs(0.3 * shared + rng.standard_normal(pairs)))
                np.save(file, ids)
    load = "def load(f, k):\n f = open(f, 'rb'); out = []\n for _ in range(k):\n  out.append(np.load(f)); np.load(f)\n return rsatoolbox.rdm.RDMs(np.array(out))"
    scores = f"""np.save('peer.npy', rsatoolbox.rdm.compare(m, b, '{method}').mean(1)); rsatoolbox.inference.boot_noise_ceiling(b, method='{method}')"""
    errors = f"""np.random.seed(0)
fixed = [rsatoolbox.model.ModelFixed(str(k), v) for k, v in enumerate(m.dissimilarities)]
np.save('peer.npy', rsatoolbox.inference.eval_bootstrap_pattern(fixed, b, method='{method}', N={draws}).get_sem())"""
    peer = python(f"""
import numpy as np, rsatoolbox
{load}
m, b = load('models.npy', {models}), load('brains.npy', {subjects})
{scores if draws is None else errors}""")
    ours = [BIN / "rsa", "compare", "models.npy", "--quiet", "--brain", "brains.npy", "--compare", ours_method, "--ceiling", "-o", "ours.csv"]
    ours += [] if draws is None else ["--boot", "stimuli", "--n-boot", draws]

    def agree():
        with open(folder / "ours.csv") as file:
            means = [row for row in csv.DictReader(file) if row["subject"] == "mean"]
        peer = np.load(folder / "peer.npy")
        if draws is None:
            column = next(c for c in ("r", "rho", "tau", "cosine") if c in means[0])
            return f"largest difference {np.abs(peer - [float(row[column]) for row in means]).max():.1e}"
        return f"mean standard error {np.mean([float(row['se']) for row in means]):.5f} and {peer.mean():.5f}"

    return peer, ours, agree


def encode(folder):
    n, p, v = 600, 1000, 500
    rng = np.random.default_rng(3)
    x = rng.standard_normal((n, p))
    y = x @ rng.standard_normal((p, v)) / np.sqrt(p) + 2 * rng.standard_normal((n, v))
    ids = [f"s{i}" for i in range(n)]
    write_labelled(folder / "x.npy", x, ids)
    write_labelled(folder / "y.npy", y, ids)
    peer = python("""
import numpy as np
from sklearn.linear_model import RidgeCV
x, y = np.load('x.npy'), np.load('y.npy'); n = len(x); pred = np.empty_like(y)
for test in np.array_split(np.arange(n), 5):
    train = np.setdiff1d(np.arange(n), test); m, s = x[train].mean(0), x[train].std(0); z = (x - m) / s
    alphas = np.logspace(-5, 5, 21) * (z[train] ** 2).sum(1).mean()
    pred[test] = RidgeCV(alphas=alphas, alpha_per_target=True).fit(z[train], y[train]).predict(z[test])
np.save('peer.npy', pred)""")
    ours = [BIN / "encode", "fit", "--quiet", "--x", "x.npy", "--y", "y.npy", "--cv", "5", "--fold-order", "contiguous", "--alpha-cv", "loo",
            "--alphas", "1e-5:1e5:21", "--predictions", "ours.npy", "-o", "ours.csv"]
    return peer, ours, lambda: f"largest difference in a prediction {np.abs(np.load(folder / 'peer.npy') - np.load(folder / 'ours.npy')).max():.1e}"


def leave_one_out(folder):
    """Every voxel of every person against the mean of the others."""
    rng = np.random.default_rng(6)
    signal = rng.standard_normal((1000, 5000), dtype=np.float32)
    people = np.stack([signal + 1.5 * rng.standard_normal(signal.shape, dtype=np.float32) for _ in range(8)])
    np.save(folder / "people.npy", people)
    for k, one in enumerate(people):
        write_labelled(folder / f"person{k}.npy", one, [f"s{i}" for i in range(len(one))])
    peer = python("""
import numpy as np
def corr(x, y):
    x, y = x - x.mean(0), y - y.mean(0); return (x * y).sum(0) / np.sqrt((x * x).sum(0) * (y * y).sum(0))
people = np.load('people.npy'); total = people.sum(0)
np.save('peer.npy', [np.median(corr(one, (total - one) / (len(people) - 1))) for one in people])""")
    ours = [BIN / "ceiling", "between", "--quiet", "--stat", "voxel", *[f"person{k}.npy" for k in range(8)], "-o", "ours.csv"]

    def agree():
        found = np.genfromtxt(folder / "ours.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")["leave_one_out"][:8]
        return f"largest difference {np.abs(found - np.load(folder / 'peer.npy')).max():.1e} (the peer is f4)"

    return peer, ours, agree


def split_halves(folder):
    """All 35 ways to halve 8 presentations; the peer loops over them."""
    n, shown, voxels = 1000, 8, 1000
    rng = np.random.default_rng(7)
    trials = np.tile(rng.standard_normal((n, voxels)), (shown, 1)) + 1.5 * rng.standard_normal((n * shown, voxels))
    write_labelled(folder / "trials.npy", trials.astype(np.float32), [f"s{i}" for i in range(n)] * shown)
    peer = python(f"""
import itertools, numpy as np
x = np.load('trials.npy').reshape({shown}, {n}, {voxels}).astype(np.float64)
def corr(x, y):
    x, y = x - x.mean(0), y - y.mean(0); return (x * y).sum(0) / np.sqrt((x * x).sum(0) * (y * y).sum(0))
halves = [h for h in itertools.combinations(range({shown}), {shown // 2}) if 0 in h]
r = np.mean([corr(x[list(h)].mean(0), x[[k for k in range({shown}) if k not in h]].mean(0)) for h in halves], 0)
np.save('peer.npy', 2 * r / (1 + r))""")
    ours = [BIN / "ceiling", "voxel", "--quiet", "trials.npy", "-o", "ours.csv"]

    def agree():
        found = np.genfromtxt(folder / "ours.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")["reliability"]
        return f"largest difference {np.abs(found - np.load(folder / 'peer.npy')).max():.1e}"

    return peer, ours, agree


def gsn(folder):
    """Signal and noise covariances of 600 voxels; the peer is the NumPy twin of the golden tests, which simulates nothing."""
    n, shown, voxels = 300, 3, 600
    rng = np.random.default_rng(8)
    signal = rng.standard_normal((n, 40)) @ rng.standard_normal((40, voxels)) / 6
    trials = np.tile(signal, (shown, 1)) + 1.5 * rng.standard_normal((n * shown, voxels))
    write_labelled(folder / "region.npy", trials, [f"s{i}" for i in range(n)] * shown)
    peer = python(f"""
import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r})
import numpy as np
from golden.gsn import estimate
x = np.load('region.npy').reshape({shown}, {n}, {voxels})
np.save('peer.npy', estimate(x.transpose(2, 1, 0))['signal'])""")
    ours = [BIN / "ceiling", "gsn", "--quiet", "region.npy", "--signal-covariance", "ours.npy", "-o", "ours.csv"]
    return peer, ours, lambda: f"largest difference {np.abs(np.load(folder / 'peer.npy') - np.load(folder / 'ours.npy')).max():.1e}"


def extract(folder):
    """Nine voxels of a compressed run: the peer unpacks it, with ISA-L's igzip where that is installed, and indexes."""
    nx, ny, nz, volumes = 64, 64, 36, 300
    voxels = [3 * 11 * 997 * (k + 1) % (nx * ny * nz) for k in range(9)]
    rng = np.random.default_rng(10)
    header = np.zeros(352, np.uint8)
    header[:4] = np.array([348], "<i4").view(np.uint8)
    header[40:50] = np.array([4, nx, ny, nz, volumes], "<i2").view(np.uint8)
    header[70:74] = np.array([4, 16], "<i2").view(np.uint8)
    header[76:96] = np.array([1, 3, 3, 3.5, 2], "<f4").view(np.uint8)
    header[108:112] = np.array([352], "<f4").view(np.uint8)
    header[344:347] = list(b"n+1")
    mean = 800 * (rng.random((nz, ny, nx)) < 0.4) + 40
    with gzip.open(folder / "run.nii.gz", "wb", compresslevel=6) as file:
        file.write(header.tobytes())
        for _ in range(volumes):
            file.write(np.round(mean + 12 * rng.standard_normal(mean.shape)).astype("<i2").tobytes())
    (folder / "roi.csv").write_text("voxel\n" + "".join(f"{voxel}\n" for voxel in voxels))
    peer = python(f"""
import numpy as np
try:
    from isal import igzip as gzip
except ImportError:
    import gzip
x = np.frombuffer(gzip.open('run.nii.gz').read(), '<i2', offset=352).reshape({volumes}, {nz}, {ny}, {nx})
i, j, k = np.unravel_index({voxels}, ({nx}, {ny}, {nz}))
np.save('peer.npy', x[:, k, j, i])""")
    ours = [BIN / "fmri-roi", "extract", "--quiet", "run.nii.gz", "--roi", "roi.csv", "-o", "ours.npy"]
    return peer, ours, lambda: f"largest difference {np.abs(np.load(folder / 'peer.npy') - np.load(folder / 'ours.npy')).max():.1e}"


def lss(folder):
    """A model per trial: the peer is the loop of nilearn's example, on arrays; both without images, least squares.

    The whole loop takes minutes, so the peer fits every tenth trial and we all of them: the ratio is a tenth of the whole."""
    trials, every, tr, voxels = 400, 4, 1.0, 2000
    volumes = trials * every + 30
    rng = np.random.default_rng(9)
    onsets = 8 + every * np.arange(trials) + rng.integers(0, 3, trials)
    rows = "".join(f"{onset}\t1\tc{k % 4}\n" for onset, k in zip(onsets, rng.permutation(trials)))
    (folder / "events.tsv").write_text("onset\tduration\ttrial_type\n" + rows)
    np.save(folder / "run.npy", (500 + rng.standard_normal((volumes, voxels))).astype(np.float32))
    peer = python(f"""
import numpy as np, pandas as pd
from nilearn.glm.first_level import make_first_level_design_matrix, run_glm
y, events, betas = np.load('run.npy').astype(np.float64), pd.read_csv('events.tsv', sep='\t'), []
for k in range(0, len(events), 10):
    one = events.copy(); one.loc[k, 'trial_type'] = 'this_trial'
    design = make_first_level_design_matrix({tr} * np.arange({volumes}), one, hrf_model='spm', drift_model='cosine', high_pass=.01)
    _, results = run_glm(y, design.to_numpy(), noise_model='ols')
    betas.append(list(results.values())[0].theta[list(design.columns).index('this_trial')])
np.save('peer.npy', betas)""")
    ours = [BIN / "fmri-roi", "glm", "--quiet", "--tr", tr, "--events", "events.tsv", "--hrf", "spm", "--noise", "ols", "--scale", "none",
            "--betas", "lss", "--dtype", "f8", "-o", "ours.npy", "--", "run.npy"]
    return peer, ours, lambda: f"largest difference {np.abs(np.load(folder / 'peer.npy') - np.load(folder / 'ours.npy')[::10]).max():.1e}"


TASKS = {
    "select-units 1440 x 100k (scipy)": lambda f: select(f, 100_000, SCIPY_ROUTE),
    "select-units 1440 x 100k (numpy in blocks)": lambda f: select(f, 100_000, NUMPY_BLOCKS),
    "select-units 1440 x 1M (numpy in blocks)": lambda f: select(f, 1_000_000, NUMPY_BLOCKS),
    "rsa rdm 1000 x 10k (rsatoolbox)": rdm,
    "rsa rdm 5000 x 10k (numpy f4)": rdm_large,
    "rsa rdm crossnobis 515 x 3 x 5000 (rsatoolbox)": crossnobis,
    "rsa compare pearson 10 x 8, 515 (rsatoolbox)": lambda f: compare(f, "corr", "pearson"),
    "rsa compare spearman 10 x 8, 515 (rsatoolbox)": lambda f: compare(f, "spearman", "spearman"),
    "rsa compare tau-a 50 x 8, 515 (rsatoolbox)": lambda f: compare(f, "tau-a", "tau-a", models=50),
    "rsa compare pearson, 10 x 8, 92, 1000 draws (rsatoolbox)": lambda f: compare(f, "corr", "pearson", stimuli=92, draws=1000),
    "rsa compare rho-a, 10 x 8, 92, 200 draws (rsatoolbox)": lambda f: compare(f, "rho-a", "rho-a", stimuli=92, draws=200),
    "rsa compare corr_cov, 10 x 8, 92, 20 draws (rsatoolbox)": lambda f: compare(f, "corr_cov", "corr_cov", stimuli=92, draws=20),
    "fmri-roi extract 9 of 147456 x 300, .nii.gz (gunzip)": extract,
    "fmri-roi glm --betas lss, 400 x 2000 (nilearn, 40 of 400)": lss,
    "encode fit 600 x 1000 -> 500 (scikit-learn)": encode,
    "ceiling between voxel 8 x 1000 x 5000 (numpy)": leave_one_out,
    "ceiling voxel 8 x 1000 x 1000, 35 splits (numpy loop)": split_halves,
    "ceiling gsn 600 x 300 x 3 (numpy twin)": gsn,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/bench")
    parser.add_argument("--only", default="")
    parser.add_argument("--wide", action="store_true", help="also a layer of a million units (5.8 GB on disk)")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    print(f"{'task (peer)':56} {'peer s':>8} {'ours s':>8} {'ratio':>7} {'peer MB':>8} {'ours MB':>8}  agreement")
    for name, make in TASKS.items():
        if args.only not in name or ("1M" in name and not args.wide):
            continue
        peer, ours, agree = make(args.folder)
        runs = [(timed(peer, args.folder), timed(ours, args.folder)) for _ in range(args.rounds)]
        peer_s, ours_s = (min(r[i][0] for r in runs) for i in (0, 1))
        peer_mb, ours_mb = (max(r[i][1] for r in runs) for i in (0, 1))
        print(f"{name:56} {peer_s:8.2f} {ours_s:8.2f} {peer_s / ours_s:6.1f}x {peer_mb:8.0f} {ours_mb:8.0f}  {agree()}", flush=True)


if __name__ == "__main__":
    main()
