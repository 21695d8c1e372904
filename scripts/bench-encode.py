"""`encode fit` and `encode ablate` beside himalaya and the shortest numpy that does the same, interleaved.

    build/golden-venv/bin/python scripts/bench-encode.py [--bin target/release] [--repeats 3] [CASE...]   # make bench-encode

Cases: primal (8000 x 2000 features, 5000 voxels, 20 penalties, 5 folds, a test set of 1000), many (the same with 40000
voxels), dual (2000 x 10000), banded (3 bands of 800 features, 2000 rows and 2000 voxels, 20 rows of weights, 10
penalties, 5 folds), blocks (125000, 250000 and 500000 voxels of 600 rows x 300 features with --mem 4G), ablate (100
draws, beside one fit). Inputs are f4, drawn here from one seed, and gone afterwards. Seconds are of the processor (user
and system), the least of the repeats; memory is the largest resident set. Needs the packages of `make golden`;
himalaya's torch back end is used where torch is there.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

LOW, HIGH, N_ALPHAS, N_FOLDS = -4, 3, 20, 5


def draw(folder, n, p, v, n_test, seed=1):
    rng = np.random.default_rng(seed)
    decay = np.float32(1) / np.sqrt(1 + np.arange(p, dtype=np.float32) / 50)
    x = rng.standard_normal((n + n_test, p), dtype=np.float32) * decay
    ids = np.array([f"s{i:05d}" for i in range(n + n_test)])
    with open(folder / "x.npy", "wb") as file:
        np.save(file, x)
        np.save(file, ids)
    with open(folder / "y.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (n + n_test, v)}
        )
        weights = rng.standard_normal((p, v), dtype=np.float32) * (decay / np.sqrt(np.float32(p)))[:, None]
        strength = rng.uniform(0, 2, v).astype(np.float32)
        for first in range(0, n + n_test, 200):
            rows = x[first : first + 200] @ weights * strength
            file.write((rows + rng.standard_normal(rows.shape, dtype=np.float32)).tobytes())
        np.save(file, ids)
    (folder / "test.csv").write_text("stimulus\n" + "".join(f"{i}\n" for i in ids[n:]))
    folds = np.arange(n + n_test) * N_FOLDS // n
    (folder / "folds.csv").write_text(
        "stimulus,fold\n" + "".join(f"{i},{min(f, N_FOLDS - 1)}\n" for i, f in zip(ids, folds))
    )
    return float((x[:n] ** 2).sum() / n)


def peer(name, folder, n, scale, n_bands):
    """One run of a peer: centred features, blocks of rows as folds, a penalty per voxel by squared error."""
    from sklearn.model_selection import KFold

    x, y = np.load(folder / "x.npy"), np.load(folder / "y.npy")
    xt, yt, x, y = x[n:], y[n:], x[:n], y[:n]
    mean, offset = x.mean(0), y.mean(0)
    x, xt, y = x - mean, xt - mean, y - offset
    alphas = (np.logspace(LOW, HIGH, N_ALPHAS) * scale).astype(np.float32)
    folds = list(KFold(N_FOLDS).split(x))
    if name == "numpy":
        predicted = by_numpy(x, y, xt, alphas, folds)
    else:
        from himalaya import backend, kernel_ridge, ridge, scoring

        found = backend.set_backend("torch" if name.endswith("torch") else "numpy")
        if n_bands > 1:
            bands = np.array_split(np.arange(x.shape[1]), n_bands)
            kernels = np.stack([x[:, band] @ x[:, band].T for band in bands])
            gammas = np.random.default_rng(0).dirichlet(np.ones(n_bands), 20).astype(np.float32)
            model = kernel_ridge.MultipleKernelRidgeCV(
                kernels="precomputed",
                cv=KFold(N_FOLDS),
                solver_params=dict(n_iter=gammas, alphas=alphas[::2], n_targets_batch=500, progress_bar=False),
            )
            model.fit(found.asarray(kernels), found.asarray(y))
            return
        kind = ridge.RidgeCV if x.shape[1] < n else kernel_ridge.KernelRidgeCV
        model = kind(alphas=alphas, cv=KFold(N_FOLDS), solver_params=dict(n_targets_batch=5000))
        model.fit(found.asarray(x), found.asarray(y))
        predicted = found.to_numpy(model.predict(found.asarray(xt)))
    residual = yt - offset - predicted
    print(f"{name}: mean r2 {1 - (residual**2).sum() / ((yt - offset) ** 2).sum():.4f}")


def by_numpy(x, y, xt, alphas, folds):
    """One decomposition per fold, one product per penalty."""
    n, p = x.shape
    loss = np.zeros((len(alphas), y.shape[1]), np.float32)
    gram = x.T @ x if p < n else None
    for train, held in folds:
        out, inside = x[held], x[train]
        if p < n:
            values, basis = np.linalg.eigh(gram - out.T @ out)
            left, right = out @ basis, basis.T @ (inside.T @ y[train])
        else:
            values, basis = np.linalg.eigh(inside @ inside.T)
            left, right = (out @ inside.T) @ basis, basis.T @ y[train]
        values = np.maximum(values, 0)
        for k, alpha in enumerate(alphas):
            residual = (left / (values + alpha)) @ right - y[held]
            loss[k] += np.einsum("ij,ij->j", residual, residual)
    best = alphas[loss.argmin(0)]
    values, basis = np.linalg.eigh(gram if p < n else x @ x.T)
    right = basis.T @ (x.T @ y if p < n else y)
    right /= np.maximum(values, 0)[:, None] + best
    return (xt @ basis if p < n else (xt @ x.T) @ basis) @ right


def measure(command):
    """Seconds of the processor and MB of one command."""
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(map(str, command))}\n{errors}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare(title, commands, repeats):
    """Runs all in turn, and prints each beside the first."""
    found = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            found[name].append(measure(command))
    least = {name: (min(s for s, _ in runs), max(mb for _, mb in runs)) for name, runs in found.items()}
    own, own_mb = least["encode"]
    for name, (seconds, megabytes) in least.items():
        beside = f"{seconds / own:6.2f} x the time, {megabytes / own_mb:5.2f} x the memory of encode"
        print(f"{title:8} {name:16} {seconds:8.1f} s {megabytes:7.0f} MB  {'' if name == 'encode' else beside}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="target/release")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*", default=[])
    args = parser.parse_args()
    if args.peer:
        name, folder, n, scale, n_bands = args.peer
        return peer(name, pathlib.Path(folder), int(n), float(scale), int(n_bands))
    encode = pathlib.Path(args.bin) / "encode"
    grid = f"1e{LOW}:1e{HIGH}:{N_ALPHAS}"
    try:
        import torch  # noqa: F401

        himalaya = ["himalaya-numpy", "himalaya-torch"]
    except ImportError:
        himalaya = ["himalaya-numpy"]
    sizes = {"primal": (8000, 2000, 5000), "many": (8000, 2000, 40000), "dual": (2000, 10000, 5000)}
    for case in args.cases or ["primal", "many", "dual", "banded", "blocks", "ablate"]:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            own = lambda scale, n, bands: lambda peer: [  # noqa: E731
                sys.executable, __file__, "--peer", peer, folder, n, scale, bands,
            ]  # fmt: skip
            fit = [encode, "fit", "-q", "--y", folder / "y.npy", "-o", folder / "o.csv"]
            held = ["--test", f"@{folder}/test.csv", "--cv", f"@{folder}/folds.csv", "--no-scale", "--no-extend"]
            if case in sizes:
                n, p, v = sizes[case]
                run = own(draw(folder, n, p, v, n // 8), n, 1)
                commands = {"encode": [*fit, "--x", folder / "x.npy", *held, "--alphas", grid], "numpy": run("numpy")}
                commands |= {peer: run(peer) for peer in himalaya}
                compare(case, commands, args.repeats)
            elif case == "banded":
                n, n_bands, width = 2000, 3, 800
                run = own(draw(folder, n, n_bands * width, 2000, n // 8), n, n_bands)
                x = np.load(folder / "x.npy")
                ids = np.array([f"s{i:05d}" for i in range(len(x))])
                bands = []
                for k in range(n_bands):
                    with open(folder / f"band{k}.npy", "wb") as file:
                        np.save(file, x[:, k * width : (k + 1) * width])
                        np.save(file, ids)
                    bands += ["--band", f"b{k}={folder}/band{k}.npy"]
                np.save(folder / "g.npy", np.random.default_rng(0).dirichlet(np.ones(n_bands), 20))
                gammas = ["--gammas", folder / "g.npy", "--alphas", f"1e{LOW}:1e{HIGH}:10"]
                commands = {"encode": [*fit, *bands, *held, *gammas]}
                compare(case, commands | {peer: run(peer) for peer in himalaya}, args.repeats)
            elif case == "blocks":
                for v in (125_000, 250_000, 500_000):
                    draw(folder, 600, 300, v, 75)
                    options = ["--x", folder / "x.npy", *held, "--alphas", "1e-2:1e2:5", "--mem", "4G"]
                    compare(f"{v // 1000}k", {"encode": [*fit, *options]}, 1)
            elif case == "ablate":
                for n, p, v, m in ((1000, 1280, 200, 50), (92, 1280, 200, 50), (1000, 512, 5000, 25)):
                    draw(folder, n, p, v, 0)
                    chosen = np.linspace(3, p - 1, m).astype(int)
                    (folder / "u.csv").write_text("unit\n" + "".join(f"{unit}\n" for unit in chosen))
                    options = ["--x", folder / "x.npy", "--y", folder / "y.npy", "--units", folder / "u.csv"]
                    commands = {
                        "encode": [*fit, "--x", folder / "x.npy", "--no-extend", "--score-over", "folds"],
                        "ablate, 100": [encode, "ablate", "-q", *options, "-o", folder / "a.csv"],
                    }
                    compare(f"{n} x {p}", commands, args.repeats)
            else:
                sys.exit(f"{case}: no such case")


if __name__ == "__main__":
    main()
