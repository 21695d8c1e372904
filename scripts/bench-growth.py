"""How the time of every verb grows with each of its dimensions: each is run at n, 4 n and 16 n of one dimension, the
others as they are, and the exponent of the growth is printed.

    build/venv/bin/python scripts/bench-growth.py [--bin target/release] [--repeats 3] [WORD...]   # make bench-growth

A WORD keeps the verbs whose name has it. Seconds are of the processor in user mode, the least of some runs, with
--threads 1; inputs are drawn here from one seed and are gone afterwards. With t = a + b n^k the start-up a cancels in
(t(16 n) - t(4 n)) / (t(4 n) - t(n)) = 4^k: that k is the exponent. Where a step takes under 8 or 30 ms there is too
little to tell, and the row has none. `scripts/README.md` says which verbs grow faster than their input, and why.
"""

import argparse
import math
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

LEVELS = ["faces", "bodies", "places", "objects", "characters"]
SMALLEST_STEP = 0.03


def ids(n):
    return np.array([f"s{i:06d}" for i in range(n)])


class Inputs:
    """Files in one folder, drawn anew for every case."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.rng = np.random.default_rng(1)

    def path(self, name):
        return str(self.folder / name)

    def matrix(self, name, rows, columns, trials=1, labels=None, levels=0):
        """A labelled f4 matrix; with `levels` a fifth of the columns prefers one level of the row."""
        n = rows * trials
        values = self.rng.standard_normal((n, columns), dtype=np.float32)
        if levels:
            prefers = self.rng.integers(0, 5 * levels, columns)
            values += 2 * (prefers == (np.arange(n) % levels)[:, None])
        labels = np.tile(ids(rows), trials) if labels is None else labels
        with open(self.path(name), "wb") as file:
            np.save(file, values)
            np.save(file, labels)
        return self.path(name)

    def table(self, name, rows, levels=5, trials=1):
        """`stimulus,category,half,run`, one row per presentation."""
        lines = ["stimulus,category,half,run"]
        for trial in range(trials):
            for row in range(rows):
                lines.append(f"s{row:06d},c{row % levels},{'odd' if row // levels % 2 else 'even'},r{trial}")
        (self.folder / name).write_text("\n".join(lines) + "\n")
        return self.path(name)

    def rdm(self, name, stimuli, count=1):
        with open(self.path(name), "wb") as file:
            for _ in range(count):
                np.save(file, self.rng.random(stimuli * (stimuli - 1) // 2) + 0.5)
                np.save(file, ids(stimuli))
        return self.path(name)

    def units(self, name, arrays, units, of):
        lines = ["array,contrast,unit,n_units,t,criterion,reason"]
        for array in arrays:
            for unit in range(units):
                lines.append(f"{array},c0 > rest,{unit},{of},{3 + unit % 7},all units,")
        (self.folder / name).write_text("\n".join(lines) + "\n")
        return self.path(name)

    def image(self, name, shape, kind=np.float32, values=None):
        """A NIfTI-1 image of one file, of volumes where `shape` has four axes."""
        values = self.rng.standard_normal(shape).astype(kind) if values is None else values.astype(kind)
        header = bytearray(352)
        header[0:4] = np.array(348, "<i4").tobytes()
        dim = np.ones(8, "<i2")
        dim[0], dim[1 : 1 + len(shape)] = len(shape), shape
        header[40:56] = dim.tobytes()
        header[70:72] = np.array({"float32": 16, "int16": 4}[np.dtype(kind).name], "<i2").tobytes()
        header[72:74] = np.array(8 * np.dtype(kind).itemsize, "<i2").tobytes()
        header[76:108] = np.array([1, 2, 2, 2, 1, 0, 0, 0], "<f4").tobytes()
        header[108:112] = np.array(352, "<f4").tobytes()
        header[112:116] = np.array(1, "<f4").tobytes()
        header[254:256] = np.array(1, "<i2").tobytes()
        affine = np.array([[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]], "<f4")
        header[280:328] = affine.tobytes()
        header[344:348] = b"n+1\0"
        (self.folder / name).write_bytes(bytes(header) + values.tobytes(order="F"))
        return self.path(name)


def localizer(table):
    return ["--stimuli", table, "--by", "category"]


# Each case: name, base sizes, and what makes the command line of given sizes. `n` of a size is the base; 16 n of every
# one takes some tenths of a second and some hundred MB at most.
def select_units(inputs, s, *more):
    table = inputs.table("t.csv", s["stimuli"], s["categories"])
    acts = [
        inputs.matrix(f"a{i}.npy", s["stimuli"], s["units"], levels=s["categories"]) for i in range(s["arrays"])
    ]
    return ["select-units", *acts, *localizer(table), *more]


def layers(inputs, s, *more):
    return ["unit-stats", "layers", *select_units(inputs, s)[1:], *more]


def overlap(inputs, s):
    arrays = [f"a{i}" for i in range(s["arrays"])]
    tables = [inputs.units(name, arrays, s["units"], s["units"]) for name in ("u.csv", "v.csv")]
    return ["unit-stats", "overlap", *tables, "--thresholds", ",".join(map(str, range(s["thresholds"])))]


def validate(inputs, s, verb="validate", *more):
    table = inputs.table("t.csv", s["stimuli"], s["categories"])
    acts = inputs.matrix("a0.npy", s["stimuli"], 2 * s["units"], levels=s["categories"])
    units = inputs.units("u.csv", ["a0"], s["units"], 2 * s["units"])
    return ["unit-stats", verb, acts, "--units", units, *localizer(table), *more]


def contrast(inputs, s):
    table = inputs.table("t.csv", s["volumes"], 5)
    side = s["slices"]
    betas = inputs.image("b.nii", (20, 20, side, s["volumes"]))
    asked = ["--contrast", "c0 > rest"]
    return ["fmri-roi", "contrast", betas, *localizer(table), *asked, "--assume-order", "-o", inputs.path("o.nii")]


def contrast_of_subjects(inputs, s):
    maps = [inputs.image(f"m{i}.nii", (20, 20, s["slices"])) for i in range(s["subjects"])]
    return ["fmri-roi", "contrast", "--one-sample", *maps, "-o", inputs.path("o.nii")]


def define(inputs, s, *more):
    shape = (40, 40, s["slices"])
    places = np.arange(np.prod(shape)) * s["parcels"] // np.prod(shape) + 1
    parcels = inputs.image("p.nii", shape, np.int16, places.reshape(shape, order="F"))
    stat = inputs.image("t.nii", shape)
    return ["fmri-roi", "define", "--stat", stat, "--parcels", parcels, *more]


def extract(inputs, s):
    shape = (20, 20, s["slices"])
    places = np.arange(np.prod(shape)) * s["regions"] // np.prod(shape) + 1
    regions = inputs.image("r.nii", shape, np.int16, places.reshape(shape, order="F"))
    table = inputs.table("t.csv", s["volumes"])
    betas = inputs.image("b.nii", (*shape, s["volumes"]))
    return ["fmri-roi", "extract", betas, "--roi", regions, "--stimuli", table, "--assume-order"]


def profile(inputs, s):
    return ["tuning", "profile", *(inputs.matrix(f"a{i}.npy", s["stimuli"], s["units"]) for i in range(s["arrays"]))]


def tuning(inputs, s, verb, *more):
    models = [inputs.matrix(f"m{i}.npy", s["stimuli"], 20) for i in range(s["models"])]
    brains = [inputs.matrix(f"b{i}.npy", s["stimuli"], s["voxels"], s["trials"]) for i in range(s["subjects"])]
    command = ["tuning", verb, *models, "--brain", *brains, *more]
    return [*command, "--stimuli", inputs.table("t.csv", s["stimuli"], 2)] if "--group" in more else command


def rdm(inputs, s, *more):
    matrices = [inputs.matrix(f"a{i}.npy", s["stimuli"], s["units"]) for i in range(s["arrays"])]
    return ["rsa", "rdm", *matrices, *more]


def crossnobis(inputs, s):
    table = inputs.table("t.csv", s["stimuli"], trials=s["folds"])
    acts = inputs.matrix("a.npy", s["stimuli"], s["units"], s["folds"])
    return ["rsa", "rdm", "--metric", "crossnobis", "--cv", "run", "--stimuli", table, acts]


def compare(inputs, s, *more):
    models, brains = inputs.rdm("m.npy", s["stimuli"], s["models"]), inputs.rdm("b.npy", s["stimuli"], s["subjects"])
    return ["rsa", "compare", models, "--brain", brains, *more]


def compare_matrices(inputs, s):
    models = [inputs.matrix(f"m{i}.npy", s["stimuli"], s["units"]) for i in range(s["models"])]
    brain = inputs.matrix("b.npy", s["stimuli"], s["units"])
    return ["rsa", "compare", *models, "--brain", brain, "--compare", "cka"]


def all_pairs(inputs, s):
    return ["rsa", "compare", "--all-pairs", inputs.rdm("m.npy", s["stimuli"], s["systems"])]


def of_rdm(inputs, s, verb, *more):
    return ["rsa", verb, inputs.rdm("m.npy", s["stimuli"], s["rdms"]), *more]


def searchlight(inputs, s):
    mask = inputs.image("mask.nii", (10, 10, s["slices"]), np.int16, np.ones((10, 10, s["slices"])))
    betas = inputs.matrix("b.npy", s["stimuli"], 100 * s["slices"])
    models = inputs.rdm("m.npy", s["stimuli"], s["models"])
    return ["rsa", "searchlight", betas, "--mask", mask, "--radius", str(s["radius"]), "--models", models]


def fit(inputs, s, *more):
    x = inputs.matrix("x.npy", s["stimuli"], s["features"])
    y = inputs.matrix("y.npy", s["stimuli"], s["voxels"])
    return ["encode", "fit", "--x", x, "--y", y, "--cv", str(s["folds"]), *more]


def predict(inputs, s):
    x = inputs.matrix("x.npy", 100, s["features"])
    y = inputs.matrix("y.npy", 100, s["voxels"])
    model = inputs.path("model.npz")
    quiet = ["--quiet", "--threads", "1", "-o", inputs.path("scores.csv")]
    subprocess.run([BIN / "encode", "fit", "--x", x, "--y", y, "--cv", "2", "--save", model, *quiet], check=True)
    return ["encode", "predict", model, inputs.matrix("new.npy", s["stimuli"], s["features"])]


def ceiling(inputs, s, verb, *more):
    arrays = [inputs.matrix(f"b{i}.npy", s["stimuli"], s["voxels"], s["trials"]) for i in range(s["subjects"])]
    return ["ceiling", verb, *arrays, *more]


def ceiling_rdm(inputs, s, *more):
    return ["ceiling", "rdm", inputs.rdm("b.npy", s["stimuli"], s["subjects"]), *more]


def npy(inputs, s, verb, *more):
    arrays = [inputs.matrix(f"a{i}.npy", s["rows"], s["columns"], s.get("trials", 1)) for i in range(s.get("arrays", 1))]
    return ["npy", verb, *arrays, *more]


def npy_rows(inputs, s):
    table = inputs.table("t.csv", s["rows"])
    return npy(inputs, s, "rows", "--stimuli", table, "--where", "half=odd")


def npy_cols(inputs, s):
    arrays = [f"a{i}" for i in range(s["arrays"])]
    return npy(inputs, s, "cols", "--units", inputs.units("u.csv", arrays, s["columns"] // 2, s["columns"]))


def npy_label(inputs, s):
    return npy(inputs, s, "label", "--stimuli", inputs.table("t.csv", s["rows"]), "--force")


def npy_from_csv(inputs, s):
    names = ",".join(f"u{i}" for i in range(s["columns"]))
    cells = inputs.rng.random((s["rows"], s["columns"]))
    lines = [f"s{i:06d}," + ",".join(f"{v:.6f}" for v in row) for i, row in enumerate(cells)]
    pathlib.Path(inputs.path("a.csv")).write_text("stimulus," + names + "\n" + "\n".join(lines) + "\n")
    return ["npy", "from-csv", inputs.path("a.csv")]


def shards(inputs, s):
    parts = [inputs.matrix(f"p{i}.npy", s["rows"], s["columns"], labels=ids(s["rows"])) for i in range(s["arrays"])]
    return ["npy", "cat", "--columns", *parts]


LOCALIZER = dict(stimuli=400, units=2000, arrays=1, categories=5)
TUNING = dict(stimuli=400, voxels=200, trials=4, models=4, subjects=4)
CASES = [
    ("select-units", LOCALIZER, lambda i, s: select_units(i, s, "--t", "3")),
    ("select-units --all --correct by", LOCALIZER, lambda i, s: select_units(i, s, "--all", "--correct", "by")),
    ("select-units --auc", LOCALIZER, lambda i, s: select_units(i, s, "--auc", ".8")),
    ("select-units --versus each --cv odd-even", LOCALIZER | dict(categories=3),
     lambda i, s: select_units(i, s, "--versus", "each", "--cv", "odd-even", "--t", "3")),
    ("unit-stats layers", LOCALIZER, layers),
    ("unit-stats layers --consistency", LOCALIZER, lambda i, s: layers(i, s, "--consistency", i.path("c.csv"))),
    ("unit-stats overlap", dict(units=5000, arrays=2, thresholds=4), overlap),
    ("unit-stats validate", dict(stimuli=400, units=2000, categories=5), validate),
    ("unit-stats probe --table pictures", dict(stimuli=400, units=1000, categories=5),
     lambda i, s: validate(i, s, "probe", "--table", "pictures")),
    ("unit-stats probe --table auc", dict(stimuli=400, units=1000, categories=5),
     lambda i, s: validate(i, s, "probe", "--table", "auc")),
    ("fmri-roi contrast", dict(volumes=200, slices=20), contrast),
    ("fmri-roi contrast --one-sample", dict(subjects=16, slices=80), contrast_of_subjects),
    ("fmri-roi define --top", dict(slices=40, parcels=20), lambda i, s: define(i, s, "--top", "10%")),
    ("fmri-roi define --t --min-cluster", dict(slices=40, parcels=20),
     lambda i, s: define(i, s, "--t", ".2", "--min-cluster", "3", "--peaks")),
    ("fmri-roi extract", dict(volumes=200, slices=20, regions=10), extract),
    ("tuning profile", dict(stimuli=500, units=4000, arrays=1), profile),
    ("tuning compare", TUNING, lambda i, s: tuning(i, s, "compare")),
    ("tuning diverge", TUNING, lambda i, s: tuning(i, s, "diverge")),
    ("tuning diverge --group", TUNING, lambda i, s: tuning(i, s, "diverge", "--group", "category")),
    ("rsa rdm", dict(stimuli=200, units=4000, arrays=2), rdm),
    ("rsa rdm --metric euclidean", dict(stimuli=200, units=4000, arrays=2),
     lambda i, s: rdm(i, s, "--metric", "euclidean")),
    ("rsa rdm --metric crossnobis", dict(stimuli=100, units=1000, folds=3), crossnobis),
    ("rsa compare", dict(stimuli=100, models=8, subjects=8), compare),
    ("rsa compare --compare spearman --ceiling", dict(stimuli=60, models=4, subjects=8),
     lambda i, s: compare(i, s, "--compare", "spearman", "--ceiling")),
    ("rsa compare --compare tau-a --ceiling", dict(stimuli=40, models=4, subjects=8),
     lambda i, s: compare(i, s, "--compare", "tau-a", "--ceiling")),
    ("rsa compare --boot stimuli --n-boot 100", dict(stimuli=60, models=8, subjects=8),
     lambda i, s: compare(i, s, "--boot", "stimuli", "--n-boot", "100")),
    ("rsa compare --perm 100", dict(stimuli=60, models=8, subjects=8), lambda i, s: compare(i, s, "--perm", "100")),
    ("rsa compare --compare corr_cov", dict(stimuli=100, models=8, subjects=8),
     lambda i, s: compare(i, s, "--compare", "corr_cov")),
    ("rsa compare --compare cka", dict(stimuli=200, units=2000, models=2), compare_matrices),
    ("rsa compare --all-pairs", dict(stimuli=80, systems=20), all_pairs),
    ("rsa mds", dict(stimuli=60, rdms=4), lambda i, s: of_rdm(i, s, "mds")),
    ("rsa mds --method classical", dict(stimuli=40, rdms=2), lambda i, s: of_rdm(i, s, "mds", "--method", "classical")),
    ("rsa order", dict(stimuli=100, rdms=2), lambda i, s: of_rdm(i, s, "order")),
    ("rsa searchlight", dict(stimuli=20, slices=4, radius=2, models=1), searchlight),
    ("encode fit", dict(stimuli=200, features=200, voxels=500, folds=4), fit),
    ("encode predict", dict(stimuli=1000, features=300, voxels=300), predict),
    ("ceiling voxel", dict(stimuli=200, voxels=200, trials=4, subjects=1), lambda i, s: ceiling(i, s, "voxel")),
    ("ceiling between", dict(stimuli=400, voxels=400, trials=3, subjects=4), lambda i, s: ceiling(i, s, "between")),
    ("ceiling between --stat voxel", dict(stimuli=100, voxels=100, trials=3, subjects=4),
     lambda i, s: ceiling(i, s, "between", "--stat", "voxel")),
    ("ceiling between --stat rdm", dict(stimuli=60, voxels=300, trials=2, subjects=4),
     lambda i, s: ceiling(i, s, "between", "--stat", "rdm")),
    ("ceiling rdm", dict(stimuli=100, subjects=16), ceiling_rdm),
    ("npy info", dict(rows=500, columns=4000, arrays=1), lambda i, s: npy(i, s, "info")),
    ("npy cat", dict(rows=500, columns=4000, arrays=2), lambda i, s: npy(i, s, "cat")),
    ("npy cat --columns", dict(rows=500, columns=4000, arrays=2), shards),
    ("npy rows --where", dict(rows=4000, columns=500, arrays=1), npy_rows),
    ("npy cols --units", dict(rows=500, columns=4000, arrays=1), npy_cols),
    ("npy label", dict(rows=4000, columns=500, arrays=1), npy_label),
    ("npy average", dict(rows=1000, columns=500, arrays=1, trials=3), lambda i, s: npy(i, s, "average")),
    ("npy scale --zscore columns", dict(rows=300, columns=300, arrays=1),
     lambda i, s: npy(i, s, "scale", "--zscore", "columns")),
    ("npy to-csv", dict(rows=100, columns=300), lambda i, s: npy(i, s, "to-csv")),
    ("npy from-csv", dict(rows=100, columns=300), npy_from_csv),
]


def seconds(argv, repeats):
    """User time of the quickest run."""
    best = math.inf
    for _ in range(repeats):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen([BIN / argv[0], *argv[1:], "--quiet", "--threads", "1"], stdout=out, stderr=err)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                err.seek(0)
                sys.exit(f"{' '.join(argv)}: {err.read().decode()}")
        best = min(best, usage.ru_utime)
    return best


def growth(times):
    """The exponent, from the last step where that is long enough to be measured."""
    first, last = times[1] - times[0], times[2] - times[1]
    return math.log(last / first, 4) if last >= SMALLEST_STEP and first >= 0.008 else math.nan


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("target/release"))
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    global BIN
    BIN = args.bin.resolve()
    print("| verb | dimension | n | s at n | at 4 n | at 16 n | exponent |\n|---|---|---|---|---|---|---|")
    for name, base, command in CASES:
        if args.words and not any(word in name for word in args.words):
            continue
        for dimension in base:
            times = []
            for factor in (1, 4, 16):
                with tempfile.TemporaryDirectory() as folder:
                    argv = command(Inputs(folder), base | {dimension: base[dimension] * factor})
                    times.append(seconds(argv, args.repeats))
            exponent = growth(times)
            shown = "" if math.isnan(exponent) else f"{exponent:.1f}"
            cells = " | ".join(f"{t:.3f}" for t in times)
            print(f"| {name} | {dimension} | {base[dimension]} | {cells} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
