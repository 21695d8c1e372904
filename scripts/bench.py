#!/usr/bin/env python3
"""Our tools beside the field's Python on the same files: whole processes, answers compared before any time is printed.

    bench.py [--rounds 3] [--folder build/bench] [--only NAME]

Each task makes its input from a seed, runs the peer and our binary in turn `--rounds` times with as many threads as the
machine has, and prints the best wall time and the peak memory of each, their ratio, and how far the answers differ.
Ratios within one run travel between machines; seconds do not.
"""

import argparse
import pathlib
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "target/release"


def write_labelled(path, matrix, ids):
    with open(path, "wb") as file:
        np.save(file, matrix)
        np.save(file, np.array(ids))


# A process starts with the peak memory of the one that started it, and this one holds arrays: a small one in between
# starts the command, and says how long it took and what it needed.
STARTER = """
import os, sys, time
start = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(status, time.perf_counter() - start, usage.ru_maxrss / 1024, file=open('timed.txt', 'w'))
"""


def timed(command, cwd):
    """Wall seconds and peak MB of a whole process; its failure ends the benchmark."""
    with open(cwd / "log.txt", "wb") as log:
        subprocess.run([sys.executable, "-S", "-E", "-c", STARTER, *map(str, command)], cwd=cwd, stdout=log, stderr=subprocess.STDOUT, check=True)
    status, seconds, peak_mb = (cwd / "timed.txt").read_text().split()
    if int(status):
        sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{(cwd / 'log.txt').read_text()}")
    return float(seconds), float(peak_mb)


def python(code):
    return [sys.executable, "-c", code]


def select(folder, n_units):
    rng = np.random.default_rng(0)
    n, categories = 1440, ["faces", "bodies", "places", "characters", "objects"]
    ids = [f"s{i}" for i in range(n)]
    (folder / "stimuli.csv").write_text(
        "stimulus,domain\n" + "".join(f"{s},{categories[i % 5]}\n" for i, s in enumerate(ids)))
    if not (folder / f"acts{n_units}.npy").exists():
        acts = rng.standard_normal((n, n_units), dtype=np.float32)
        acts[::5, : n_units // 20] += 0.5
        write_labelled(folder / f"acts{n_units}.npy", acts, ids)
    peer = python(f"""
import numpy as np, scipy.stats as ss, pandas as pd
x = np.load('acts{n_units}.npy'); d = pd.read_csv('stimuli.csv')['domain'].to_numpy() == 'faces'
r = ss.ttest_ind(x[d], x[~d], alternative='greater'); q = ss.false_discovery_control(r.pvalue)
pd.DataFrame(dict(unit=np.arange(x.shape[1]), t=r.statistic, p=r.pvalue, q=q)).to_csv('peer.csv', index=False)""")
    ours = [BIN / "select-units", "--quiet", "--stimuli", "stimuli.csv", "--by", "domain", "--contrast", "faces > rest",
            "--all", f"acts{n_units}.npy", "-o", "ours.csv"]

    def agree():
        a, b = (np.genfromtxt(folder / f, delimiter=",", names=True, dtype=None, encoding="utf-8") for f in ("peer.csv", "ours.csv"))
        return f"largest difference in t {np.abs(a['t'] - b['t']).max():.1e}"

    return peer, ours, agree


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


def compare(folder, method, ours_method):
    n, rng = 515, np.random.default_rng(2)
    pairs, ids = n * (n - 1) // 2, np.array([f"s{i}" for i in range(n)])
    for name, count in (("models", 10), ("brains", 8)):
        with open(folder / f"{name}.npy", "wb") as file:
            for _ in range(count):
                np.save(file, rng.random(pairs))
                np.save(file, ids)
    load = "def load(f, k):\n f = open(f, 'rb'); out = []\n for _ in range(k):\n  out.append(np.load(f)); np.load(f)\n return rsatoolbox.rdm.RDMs(np.array(out))"
    peer = python(f"""
import numpy as np, rsatoolbox
{load}
m, b = load('models.npy', 10), load('brains.npy', 8)
np.save('peer.npy', rsatoolbox.rdm.compare(m, b, '{method}').mean(1)); rsatoolbox.inference.boot_noise_ceiling(b, method='{method}')""")
    ours = [BIN / "rsa", "compare", "models.npy", "--quiet", "--brain", "brains.npy", "--compare", ours_method, "--ceiling", "-o", "ours.csv"]

    def agree():
        rows = [line.split(",") for line in (folder / "ours.csv").read_text().splitlines()]
        means = [float(r[5]) for r in rows if r[1] == "mean"]
        return f"largest difference {np.abs(np.load(folder / 'peer.npy') - means).max():.1e}"

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


TASKS = {
    "select-units 1440 x 100k (scipy)": lambda f: select(f, 100_000),
    "rsa rdm 1000 x 10k (rsatoolbox)": rdm,
    "rsa rdm 5000 x 10k (numpy f4)": rdm_large,
    "rsa rdm crossnobis 515 x 3 x 5000 (rsatoolbox)": crossnobis,
    "rsa compare pearson 10 x 8, 515 (rsatoolbox)": lambda f: compare(f, "corr", "pearson"),
    "rsa compare spearman 10 x 8, 515 (rsatoolbox)": lambda f: compare(f, "spearman", "spearman"),
    "encode fit 600 x 1000 -> 500 (scikit-learn)": encode,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/bench")
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    print(f"{'task (peer)':48} {'peer s':>8} {'ours s':>8} {'ratio':>7} {'peer MB':>8} {'ours MB':>8}  agreement")
    for name, make in TASKS.items():
        if args.only not in name:
            continue
        peer, ours, agree = make(args.folder)
        runs = [(timed(peer, args.folder), timed(ours, args.folder)) for _ in range(args.rounds)]
        peer_s, ours_s = (min(r[i][0] for r in runs) for i in (0, 1))
        peer_mb, ours_mb = (max(r[i][1] for r in runs) for i in (0, 1))
        print(f"{name:48} {peer_s:8.2f} {ours_s:8.2f} {peer_s / ours_s:6.1f}x {peer_mb:8.0f} {ours_mb:8.0f}  {agree()}", flush=True)


if __name__ == "__main__":
    main()
