"""Files as numpy writes them: every element type, byte order, memory order and header version.

testdata/golden/npy/{TYPE}-{le,be}-{c,f}.npy   3 x 4; f2 f4 f8 i2 i4 i8 u2 u4 u8 have two byte orders, i1 u1 bool none (`le`)
testdata/golden/npy/header-{1,2,3}.npy         the same 3 x 4 f4 under each header version
testdata/golden/npy/labelled-{le,be}.npy       2 x 3 f4, then ids that are not ASCII, of either byte order
testdata/golden/npy/stream.npy                 two labelled matrices, an unlabelled one, an RDM with its ids, back to back
testdata/golden/npy/no-rows.npy, no-columns.npy, one-value.npy
testdata/golden/npy/expected.json              file -> its arrays in order: {dtype, shape, values or labels}
"""

import io

import numpy as np

IDS = ["Zoë/été.png", "顔 01.jpg", "🐱.webp"]


def written(array, version=None):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=version, allow_pickle=False)
    return buffer.getvalue()


def numbers(kind):
    """3 x 4 values with the extremes that the type can hold."""
    if kind == "?":
        return np.array([[1, 0, 0, 1], [0, 0, 1, 0], [1, 1, 1, 0]], bool)
    if kind[0] == "f":
        limits = np.finfo(kind)
        values = [0, -0.0, 1, -1.5, 0.1, np.nan, np.inf, -np.inf, limits.max, limits.tiny, limits.smallest_subnormal, 3]
        return np.array(values, kind).reshape(3, 4)
    limits = np.iinfo(kind)
    # of 64-bit integers only those up to 2^53: beyond that f8 cannot tell neighbours apart, and we refuse them
    high, low = min(limits.max, 2**53), max(limits.min, -(2**53))
    return np.array([0, 1, 2, 3, high, low, 5, 6, 7, 8, 100, 127], kind).reshape(3, 4)


def files():
    out = {}
    for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"):
        for order, endian in (("le", "<"), ("be", ">")):
            if order == "be" and kind in ("i1", "u1", "?"):
                continue
            array = numbers(kind).astype(endian + kind)
            for memory in ("c", "f"):
                name = f"{'bool' if kind == '?' else kind}-{order}-{memory}.npy"
                out[name] = [(np.array(array, order=memory.upper()), None)]
    for version in (1, 2, 3):
        out[f"header-{version}.npy"] = [(numbers("f4"), (version, 0))]
    rows = np.arange(6, dtype="<f4").reshape(2, 3)
    long = np.array(IDS[:2] + ["x" * 40])
    out["labelled-le.npy"] = [(np.arange(9, dtype="<f4").reshape(3, 3), None), (np.array(IDS).astype("<U12"), None)]
    out["labelled-be.npy"] = [(np.arange(9, dtype=">f8").reshape(3, 3), None), (np.array(IDS).astype(">U12"), None)]
    out["stream.npy"] = [
        (rows, None),
        (np.array(["a", "b"]), None),
        (np.arange(12, dtype=">i2").reshape(3, 4), None),
        (long, None),
        (np.asfortranarray(rows.astype("<f8")), None),
        (np.array([0.5, 1.5, 2.5]), None),
        (np.array(["a", "bb", "ccc"]), None),
    ]
    out["no-rows.npy"] = [(np.zeros((0, 5), "<f4"), None), (np.zeros(0, "<U1"), None)]
    out["no-columns.npy"] = [(np.zeros((2, 0), "<f4"), None), (np.array(["a", "b"]), None)]
    out["one-value.npy"] = [(np.array([[42]], "<i4"), None), (np.array(["only"]), None)]
    return out


def described(array):
    what = {"dtype": array.dtype.str, "shape": array.shape}
    if array.dtype.kind == "U":
        return what | {"labels": array.tolist()}
    return what | {"values": array.astype(np.float64).ravel()}


def make(testdata):
    expected = {}
    for name, arrays in files().items():
        data = b"".join(written(array, version) for array, version in arrays)
        testdata.write(f"golden/npy/{name}", data)
        expected[name] = [described(array) for array, _ in arrays]
    testdata.json("golden/npy/expected.json", expected)
