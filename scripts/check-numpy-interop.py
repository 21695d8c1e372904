"""Proves both ways that our streams are plain NumPy: what numpy wrote we read, and what we write numpy.load reads.

    python scripts/check-numpy-interop.py target/release

Every stream that a tool writes is read by calling numpy.load on the open file until it ends, and written again by
numpy.save: the bytes must be the tool's own. Needs nothing but numpy and the built tools.
"""

import io
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

IDS = ["Zoë/été.png", "顔 01.jpg", "🐱.webp"]
# what holds each element type exactly: f4 for the narrow ones, f8 for the others
HELD = {"f2": "f4", "f4": "f4", "i1": "f4", "u1": "f4", "b1": "f4", "i2": "f4", "u2": "f4"}
KINDS = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]

failures = []
n_checked = 0


def check(what, ok):
    global n_checked
    n_checked += 1
    if not ok:
        failures.append(what)
        print(f"FAILED: {what}")


def load_all(stream):
    """numpy.load, again and again, on one open file."""
    file, arrays = io.BytesIO(stream), []
    while file.tell() < len(stream):
        arrays.append(np.load(file, allow_pickle=False))
    return arrays


def save_all(arrays):
    file = io.BytesIO()
    for array in arrays:
        np.save(file, array, allow_pickle=False)
    return file.getvalue()


def run(folder, bin_dir, tool, *arguments, stdin=b""):
    result = subprocess.run([bin_dir / tool, *arguments], cwd=folder, input=stdin, capture_output=True)
    if result.returncode != 0:
        check(f"{tool} {' '.join(arguments)}: {result.stderr.decode().strip()}", False)
        return b""
    return result.stdout


def same(a, b):
    """Values and shape; NaN equals NaN."""
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def ours_is_numpys(what, stream, expected):
    """The stream holds these arrays, and numpy would have written it so."""
    arrays = load_all(stream)
    check(f"{what}: {len(arrays)} arrays, not {len(expected)}", len(arrays) == len(expected))
    for got, want in zip(arrays, expected):
        check(f"{what}: numpy.load gives {got!r}, not {want!r}", same(got, want))
    check(f"{what}: numpy.save writes other bytes", save_all(arrays) == stream)


def extremes(kind):
    if kind == "b1":
        return np.arange(12).reshape(3, 4) % 2 == 0
    if kind[0] == "f":
        limits = np.finfo(kind)
        return np.array([0, -0.0, 1, -1.5, 0.1, np.nan, np.inf, -np.inf, limits.max, limits.tiny, limits.smallest_subnormal, 3], kind).reshape(3, 4)
    limits = np.iinfo(kind)
    return np.array([0, 1, 2, 3, min(limits.max, 2**53), max(limits.min, -(2**53)), 5, 6, 7, 8, 9, 10], kind).reshape(3, 4)


def every_kind_of_matrix(folder, bin_dir):
    """Read from a file and from a pipe, written as f4 or f8: the same bytes, the values numpy has."""
    labels = np.array(IDS)
    for kind in KINDS:
        for byte_order in "<>":
            for memory in "CF":
                for version in ((1, 0), (2, 0), (3, 0)):
                    array = np.array(extremes(kind).astype(np.dtype(kind).newbyteorder(byte_order)), order=memory)
                    file = io.BytesIO()
                    np.lib.format.write_array(file, array, version=version)
                    np.lib.format.write_array(file, labels.astype(labels.dtype.newbyteorder(byte_order)), version=version)
                    (folder / "in.npy").write_bytes(file.getvalue())
                    what = f"{byte_order}{kind} {memory} version {version[0]}"
                    from_file = run(folder, bin_dir, "npy", "rows", "--index", "0:3", "in.npy")
                    from_pipe = run(folder, bin_dir, "npy", "rows", "--index", "0:3", stdin=file.getvalue())
                    check(f"{what}: file and pipe differ", from_file == from_pipe)
                    ours_is_numpys(what, from_file, [array.astype(HELD.get(kind, "f8")), labels])


def streams(folder, bin_dir):
    """Several arrays back to back; labels of any length; no rows; ids put behind a matrix that had none."""
    x = np.arange(12, dtype="<f4").reshape(3, 4)
    long_ids = np.array(["x" * 300, "z", "y"])
    stream = save_all([x, np.array(IDS), x.astype("<f8"), long_ids, x])
    ours_is_numpys("stream", run(folder, bin_dir, "npy", "rows", "--index", "0:3", stdin=stream), load_all(stream))

    none = [x[:0], np.array([], dtype="<U1")]
    ours_is_numpys("no rows", run(folder, bin_dir, "npy", "cols", "--index", "0:4", stdin=save_all(none)), none)

    (folder / "ids.txt").write_text("".join(f"{i}\n" for i in IDS), encoding="utf-8")
    ours_is_numpys("label", run(folder, bin_dir, "npy", "label", "--ids", "ids.txt", stdin=save_all([x])), [x, np.array(IDS)])

    trials = [np.vstack([x, x + 2]), np.array(IDS + IDS)]
    ours_is_numpys("average", run(folder, bin_dir, "npy", "average", stdin=save_all(trials)), [x + 1, np.array(IDS)])

    table = "stimulus,a,b\n" + "".join(f"{name},{i}.1,NaN\n" for i, name in enumerate(IDS))
    for dtype in ("<f2", "<f4", "<f8"):
        want = np.array([[float(f"{i}.1"), np.nan] for i in range(3)], dtype)
        got = run(folder, bin_dir, "npy", "from-csv", "--dtype", dtype[1:], stdin=table.encode())
        ours_is_numpys(f"from-csv {dtype}", got, [want, np.array(IDS), np.array(["a", "b"])])


def names(folder, bin_dir):
    """Names of columns and of the array behind the ids, in every combination: kept, byte for byte as numpy has them."""
    x, two = np.arange(12, dtype="<f4").reshape(3, 4), np.array(["FFA", "VWFA-1"])
    ids, columns, name, none = np.array(IDS), np.array(["a", "b", "a", "Zoë 顔"]), np.array("layer 4"), np.array([], str)
    for i in (ids, None):
        for c in (columns, None):
            for n in (name, None):
                item = [x] + [part for part in (i if i is not None or c is None else none, c, n) if part is not None]
                stream = save_all(item + item)
                (folder / "in.npy").write_bytes(stream)
                what = f"names {[part is not None for part in (i, c, n)]}"
                ours_is_numpys(what, run(folder, bin_dir, "npy", "rows", "--index", "0:3", "in.npy"), item + item)
                ours_is_numpys(what, run(folder, bin_dir, "npy", "rows", "--index", "0:3", stdin=stream), item + item)
                cut = [x[:, 1:3]] + [np.array(part[1:3].tolist()) if part is c else part for part in item[1:]]
                ours_is_numpys(f"{what}, cols", run(folder, bin_dir, "npy", "cols", "--index", "1:3", "in.npy"), cut + cut)
    table = "stimulus,FFA,VWFA-1\na,1,2\nb,3,4\n"
    got = run(folder, bin_dir, "npy", "from-csv", stdin=table.encode())
    ours_is_numpys("from-csv", got, [np.array([[1.0, 2], [3, 4]]), np.array(["a", "b"]), two])
    item = save_all([np.random.default_rng(1).normal(size=(5, 6)), np.array(list("abcde")), name])
    arrays = load_all(run(folder, bin_dir, "rsa", "rdm", stdin=item))
    check("rsa rdm: other name", len(arrays) == 3 and same(arrays[2], name))
    for save in (np.savez, np.savez_compressed):
        save(folder / "in.npz", acts=x, other=x + 1)
        ours_is_numpys("npz", run(folder, bin_dir, "npy", "cat", "in.npz:other"), [x + 1, np.array("other")])


def rdms(folder, bin_dir):
    """An RDM is a vector and its ids; two matrices in give two RDMs out."""
    rng = np.random.Generator(np.random.PCG64(7))
    x = rng.normal(size=(5, 6))
    ids = np.array([f"s{i}" for i in range(5)])
    out = run(folder, bin_dir, "rsa", "rdm", "--metric", "sqeuclidean", stdin=save_all([x, ids, x + 1, ids]))
    arrays = load_all(out)
    check(f"rsa rdm: {[a.shape for a in arrays]}", [a.shape for a in arrays] == [(10,), (5,), (10,), (5,)])
    check("rsa rdm: numpy.save writes other bytes", save_all(arrays) == out)
    i, j = np.triu_indices(5, 1)
    check("rsa rdm: other distances", len(arrays) == 4 and np.allclose(arrays[0], ((x[i] - x[j]) ** 2).sum(1), rtol=1e-6))
    check("rsa rdm: other ids", len(arrays) == 4 and np.array_equal(arrays[1], ids))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    bin_dir = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        for part in (every_kind_of_matrix, streams, names, rdms):
            part(pathlib.Path(folder), bin_dir)
    print(f"numpy {np.__version__}: {n_checked - len(failures)} of {n_checked} checks agree")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
