"""What one network's whole study costs, beside the Python that one would write for it; the same numbers, compared.

    build/golden-venv/bin/python scripts/bench-study.py [--pictures N] [--twins 5] [--threads 2] [--network NAME] [--only-ours]
                                                                                              # make bench-study

The study: activations of every block's output (nothing pooled) to the fLoc pictures; in every layer the units with
t > 7 for each of five domains against the other four; the same units' mean z on an independent localizer; an RDM (1 -
Pearson) over all pictures from every layer; and the selection once more in untrained twins. Pictures are those of
CATSEL_DATA (floc, second_localizer_ffaloc); networks are build/models/efficientnet-lite0.onnx of `make setup` and
CATSEL_DATA/models/mobilenetv2-bottleneck.onnx; what is missing is skipped with a line. --pictures takes that many,
evenly out of the table, for a quick look.

The peer is one process: Pillow, ONNX Runtime, scipy.stats.ttest_ind, scipy.stats.zscore, rsatoolbox. It holds the
activations of all layers, as one run of the network gives them; numpy and ONNX Runtime have the same threads as ours.
Its twins are the network with He-normal weights, without the normalizations that ours get, so their numbers are not
compared. Seconds are wall and processor (user + system) of whole processes; memory is the largest resident set.
The peer needs the packages of `make golden` and, behind them on its path, ONNX Runtime and onnx of build/venv.
"""

import argparse
import csv
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("CATSEL_DATA", ROOT / "../shared/data")).resolve()
BUILD = pathlib.Path(os.environ.get("CATSEL_BUILD", ROOT / "build")).resolve()
DOMAINS = ["faces", "bodies", "places", "characters", "objects"]
T = 7
# Model, the outputs that are block layers, ann-acts' options, and the same preprocessing in Pillow's words.
NETWORKS = {
    "efficientnet-lite0": {
        "file": BUILD / "models/efficientnet-lite0.onnx",
        "layers": ["stem", *(f"block_{i:02}" for i in range(16)), "head", "pool"],
        "options": ["--preprocess", "efficientnet-lite"],
        "resize": 256, "interpolation": "BICUBIC", "mean": [127.0] * 3, "std": [128.0] * 3, "scale": 1.0,
    },
    "mobilenetv2": {
        "file": DATA / "models/mobilenetv2-bottleneck.onnx",
        "layers": [*(f"features_{i:02}" for i in range(19)), "pool"],
        "options": ["--preprocess", "imagenet"],
        "resize": 256, "interpolation": "BILINEAR", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "scale": 255.0,
    },
}


# ---------------------------------------------------------------- the peer


def peer(job):
    """The whole study in one process; prints seconds per stage, saves the numbers."""
    import numpy as np

    site = [str(path) for path in (BUILD / "venv/lib").glob("python*/site-packages")]
    sys.path += [path for path in site if path not in sys.path]
    import onnx
    import onnxruntime
    import rsatoolbox
    import scipy.stats
    from PIL import Image

    net, stages = job["network"], {}

    def stage(name, work):
        start, cpu = time.perf_counter(), time.process_time()
        found = work()
        old = stages.get(name, [0.0, 0.0])
        stages[name] = [old[0] + time.perf_counter() - start, old[1] + time.process_time() - cpu]
        return found

    def picture(path):
        image = Image.open(path).convert("RGB")
        short = min(image.size)
        size = [net["resize"] * side // short for side in image.size]
        image = image.resize(size, getattr(Image, net["interpolation"]))
        left, top = (round((side - 224) / 2) for side in size)
        pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32) / np.float32(net["scale"])
        return ((pixels - np.float32(net["mean"])) / np.float32(net["std"])).transpose(2, 0, 1)

    def session(model):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job["threads"]
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def activations(session, paths):
        name = session.get_inputs()[0].name
        kept = [[] for _ in net["layers"]]
        for first in range(0, len(paths), 16):
            batch = np.stack([picture(path) for path in paths[first : first + 16]])
            for layer, values in zip(kept, session.run(net["layers"], {name: batch})):
                layer.append(values.reshape(len(batch), -1))
        return {layer: np.concatenate(values) for layer, values in zip(net["layers"], kept)}

    domain = np.array(job["domains"])
    others = np.isin(domain, DOMAINS)

    def select(acts):
        return {
            layer: np.stack([
                scipy.stats.ttest_ind(values[domain == one], values[others & (domain != one)]).statistic for one in DOMAINS
            ])
            for layer, values in acts.items()
        }

    trained = session(net["file"])
    acts = stage("activations", lambda: activations(trained, job["paths"]))
    t = stage("selection", lambda: select(acts))
    second = stage("validation", lambda: activations(trained, job["second_paths"]))
    second_domain = np.array(job["second_domains"])

    def validate():
        found = []
        for layer, values in second.items():
            for k, one in enumerate(DOMAINS):
                units = np.flatnonzero(t[layer][k] > T)
                z = scipy.stats.zscore(values[:, units].astype(np.float64), axis=0)
                usable = np.isfinite(z).all(axis=0)
                for category in sorted(set(job["second_domains"])):
                    means = z[second_domain == category][:, usable].mean(axis=0)
                    found.append([layer, one, category, int(usable.sum()), float(means.mean()) if usable.any() else None])
        return found

    validated = stage("validation", validate)
    del second
    rdms = stage("RDMs", lambda: {
        layer: rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(values), method="correlation").dissimilarities[0]
        for layer, values in acts.items()
    })
    head = {layer: values[:4].copy() for layer, values in acts.items()}
    del acts

    def twins():
        for seed in range(1, job["twins"] + 1):
            rng = np.random.default_rng(seed)
            model = onnx.load(net["file"])
            for weight in model.graph.initializer:
                values = onnx.numpy_helper.to_array(weight)
                if values.dtype == np.float32 and values.ndim >= 2:
                    drawn = rng.standard_normal(values.shape, dtype=np.float32) * np.float32(np.sqrt(2 / np.prod(values.shape[1:])))
                    weight.CopyFrom(onnx.numpy_helper.from_array(drawn, weight.name))
            select(activations(session(model.SerializeToString()), job["paths"]))

    stage("twins", twins)
    out = pathlib.Path(job["folder"])
    np.savez(out / "peer.npz", **{f"t.{k}": v for k, v in t.items()}, **{f"rdm.{k}": v for k, v in rdms.items()},
             **{f"head.{k}": v for k, v in head.items()})
    (out / "peer.json").write_text(json.dumps({"stages": stages, "validated": validated}))


# ---------------------------------------------------------------- ours, and the comparison


class Costs:
    """Wall and processor seconds and peak MB, by stage."""

    def __init__(self, log):
        self.log, self.stages, self.mb = log, {}, {}

    def run(self, stage, command):
        """Runs a whole process; its failure ends the benchmark. A child is forked from this small process, whose own
        memory is no part of what wait4 says of it."""
        start = time.perf_counter()
        with open(self.log, "wb") as out:
            child = subprocess.Popen([str(part) for part in command], stdout=out, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(child.pid, 0)
        if status:
            sys.exit(f"bench-study: {' '.join(map(str, command))[:300]} failed:\n{self.log.read_text(errors='replace')[-3000:]}")
        wall, cpu = self.stages.get(stage, (0.0, 0.0))
        self.stages[stage] = (wall + time.perf_counter() - start, cpu + usage.ru_utime + usage.ru_stime)
        self.mb[stage] = max(self.mb.get(stage, 0), usage.ru_maxrss / 1024)


def table_of(folder, name, rows):
    path = folder / name
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["stimulus", "path", "domain"])
        writer.writerows(rows)
    return path


def stimuli(folder, n):
    """Stimulus, absolute path and domain of n pictures, evenly out of the table; all of them without n."""
    with open(folder / "stimuli.csv", newline="") as file:
        rows = [(row["path"], str(folder / row["path"]), row["domain"]) for row in csv.DictReader(file)]
    return rows if not n or n >= len(rows) else [rows[i * len(rows) // n] for i in range(n)]


def ours(net, costs, folder, first, second, options):
    binaries = ROOT / "target/release"
    layers = [part for layer in net["layers"] for part in ("--layer", layer)]
    threads = ["--threads", options.threads, "-q"]
    files = lambda acts: [acts / f"{layer}.npy" for layer in net["layers"]]
    acts, others = folder / "acts", folder / "second"
    run_net = [binaries / "ann-acts", net["file"], *net["options"], *layers, *threads, "--device", "cpu"]
    localizer = ["--stimuli", first, "--by", "domain", "--t", T, *threads]
    for one in DOMAINS:
        localizer += ["--contrast", f"{one} > {','.join(other for other in DOMAINS if other != one)}"]
    costs.run("activations", [*run_net, "--out-dir", acts, first])
    costs.run("selection", [binaries / "select-units", *localizer, *files(acts), "-o", folder / "units.csv"])
    costs.run("validation", [*run_net, "--out-dir", others, second])
    costs.run("validation", [binaries / "unit-stats", "validate", "--units", folder / "units.csv", "--stimuli", second, "--by", "domain",
                             *threads, *files(others), "-o", folder / "validated.csv"])
    costs.run("RDMs", [binaries / "rsa", "rdm", *threads, *files(acts), "-o", folder / "rdms.npy"])
    for seed in range(1, options.twins + 1):
        twin = folder / "twin"
        costs.run("twins", [*run_net, "--untrained", seed, "--out-dir", twin, first])
        costs.run("twins", [binaries / "select-units", *localizer, *files(twin), "-o", folder / f"twin_{seed}.csv"])
        shutil.rmtree(twin)


def apart(ours, theirs, what):
    """The largest difference; an end where one of the two has a number and the other has none."""
    import numpy as np

    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    if (np.isnan(ours) != np.isnan(theirs)).any():
        sys.exit(f"bench-study: {what}: {np.isnan(ours).sum()} NaN of ours, {np.isnan(theirs).sum()} of the peer's; times of other numbers mean nothing")
    return float(np.nanmax(np.abs(ours - theirs), initial=0.0))


def agreement(net, folder, n):
    """The largest differences between the two, in words."""
    import numpy as np

    arrays = np.load(folder / "peer.npz")
    said = json.loads((folder / "peer.json").read_text())
    with open(folder / "units.csv", newline="") as file:
        rows = [(row["array"], row["contrast"].split(" ")[0], int(row["unit"]), float(row["t"])) for row in csv.DictReader(file)]
    units, in_t = {}, 0.0
    for layer, domain, unit, t in rows:
        units.setdefault((layer, domain), set()).add(unit)
        in_t = max(in_t, apart(t, arrays[f"t.{layer}"][DOMAINS.index(domain)][unit], f"t of {layer}") / t)
    theirs = {(layer, domain): set(np.flatnonzero(arrays[f"t.{layer}"][k] > T)) for layer in net["layers"] for k, domain in enumerate(DOMAINS)}
    both = sum(len(theirs[key] & units.get(key, set())) for key in theirs)
    either = sum(len(theirs[key] ^ units.get(key, set())) for key in theirs)
    rdm, activation, pixels = 0.0, 0.0, 0
    with open(folder / "rdms.npy", "rb") as file:
        for layer in net["layers"]:
            ours_of = np.load(file)
            labels = np.load(file)
            if file.tell() < os.fstat(file.fileno()).st_size:
                at = file.tell()
                if np.load(file).ndim:
                    file.seek(at)
            assert len(labels) == n, layer
            rdm = max(rdm, apart(ours_of, arrays[f"rdm.{layer}"], f"RDM of {layer}"))
    for layer in net["layers"]:
        with open(folder / "acts" / f"{layer}.npy", "rb") as file:
            head = np.load(file, mmap_mode=None)[:4] if layer == "pool" else rows_of(file, 4)
        peer_head = arrays[f"head.{layer}"]
        activation = max(activation, apart(head, peer_head, layer) / float(np.abs(peer_head).max()))
    with open(folder / "validated.csv", newline="") as file:
        means = {(row["array"], row["contrast"].split(" ")[0], row["category"]): row["mean"] for row in csv.DictReader(file)}
    z = 0.0
    for layer, domain, category, n_units, mean in said["validated"]:
        if mean is not None and (layer, domain) in units:
            z = max(z, apart(float(means[layer, domain, category]), mean, f"mean of {layer}"))
    return (f"{both} selected units in common, {either} in one only; largest differences: t {in_t:.1e} (relative), mean z "
            f"{z:.1e}, RDM {rdm:.1e}, activations of 4 pictures {activation:.1e} (of the layer's largest)"), said["stages"]


def rows_of(file, n):
    """The first rows of a .npy matrix, without the others."""
    import numpy as np

    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return np.fromfile(file, dtype, n * shape[1]).reshape(n, shape[1])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pictures", type=int, help="so many of the fLoc pictures, evenly [default: all]")
    arguments.add_argument("--twins", type=int, default=5)
    arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments.add_argument("--network", choices=NETWORKS, action="append", help="[default: all that are there]")
    arguments.add_argument("--only-ours", action="store_true", help="without the peer")
    arguments.add_argument("--folder", type=pathlib.Path, help="where the activations are put [default: a temporary folder in build]")
    arguments.add_argument("--peer", type=pathlib.Path, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.peer:
        return peer(json.loads(options.peer.read_text()))
    if not (DATA / "floc/stimuli.csv").is_file() or not (DATA / "second_localizer_ffaloc/stimuli.csv").is_file():
        print(f"bench-study: skipped: no floc and second_localizer_ffaloc in {DATA} (CATSEL_DATA)")
        return
    first, second = stimuli(DATA / "floc", options.pictures), stimuli(DATA / "second_localizer_ffaloc", None)
    os.environ.setdefault("ORT_DYLIB_PATH", str(BUILD / "onnxruntime/libonnxruntime.so"))
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)
    for name in options.network or NETWORKS:
        net = NETWORKS[name]
        if not net["file"].is_file():
            print(f"bench-study: {name}: skipped: no {net['file']}")
            continue
        BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=options.folder or BUILD, prefix="bench-study-") as folder:
            one_network(name, net, pathlib.Path(folder), first, second, options)


def one_network(name, net, folder, first, second, options):
    tables = table_of(folder, "floc.csv", first), table_of(folder, "second.csv", second)
    us = Costs(folder / "log.txt")
    ours(net, us, folder, *tables, options)
    print(f"{name}: {len(net['layers'])} layers, {len(first)} pictures, {options.twins} twins, {options.threads} threads")
    them, said, peer_mb = None, {}, None
    if not options.only_ours:
        them = Costs(folder / "log.txt")
        job = {
            "network": {**net, "file": str(net["file"])}, "folder": str(folder), "threads": options.threads, "twins": options.twins,
            "paths": [row[1] for row in first], "domains": [row[2] for row in first],
            "second_paths": [row[1] for row in second], "second_domains": [row[2] for row in second],
        }
        (folder / "job.json").write_text(json.dumps(job))
        them.run("peer", [sys.executable, __file__, "--peer", folder / "job.json"])
        text, said = agreement(net, folder, len(first))
        print(f"  {text}")
        peer_mb = them.mb["peer"]
    out = io.StringIO()
    out.write("  stage        peer: wall s   cpu s    ours: wall s   cpu s   MB     cpu ratio\n")
    for stage, (wall, cpu) in us.stages.items():
        theirs = said.get(stage)
        left = f"{theirs[0]:12.1f} {theirs[1]:7.1f}" if theirs else " " * 20
        ratio = f"{theirs[1] / cpu:10.1f}x" if theirs else ""
        out.write(f"  {stage:12} {left} {wall:15.1f} {cpu:7.1f} {us.mb[stage]:6.0f} {ratio}\n")
    wall, cpu = (sum(part) for part in zip(*us.stages.values()))
    mb = max(us.mb.values())
    if them:
        peer_wall, peer_cpu = them.stages["peer"]
        out.write(f"  {'all':12} {peer_wall:12.1f} {peer_cpu:7.1f} {wall:15.1f} {cpu:7.1f} {mb:6.0f} {peer_cpu / cpu:10.1f}x\n")
        out.write(f"  peak memory: peer {peer_mb:.0f} MB, ours {mb:.0f} MB, {mb / peer_mb:.3f} of it; wall {peer_wall / wall:.1f}x\n")
    else:
        out.write(f"  {'all':12} {'':20} {wall:15.1f} {cpu:7.1f} {mb:6.0f}\n")
    print(out.getvalue(), end="")


if __name__ == "__main__":
    main()
