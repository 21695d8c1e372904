"""Betas per trial in HDF5, as NSD and GLMsingle write them: h5py.

testdata/golden/hdf5/nsd.hdf5        /betas as NSD publishes a session: int16, h5py's shape (trials, Z, Y, X), contiguous
testdata/golden/hdf5/kinds.hdf5      the same numbers as every type, byte order, chunking and compression that is read
testdata/golden/hdf5/v1*.hdf5        written for later versions of HDF5, whose chunks have other indexes
testdata/golden/hdf5/glmsingle.hdf5  arrays under the names and with the axes of GLMsingle's TYPED_... (wanthdf5=1)
testdata/golden/hdf5/matlab.mat      a file as MATLAB 7.3 begins it, 512 bytes of text before the HDF5
testdata/golden/hdf5/odd.hdf5        what is not read: text, compounds, one axis, other files, nothing written
testdata/golden/hdf5/latest.hdf5     chunks in the layout that HDF5 2.0 introduced, which is not read
testdata/golden/hdf5/read.json       what h5py reads in them, as rows of voxels in C order of (x, y, z)
"""

import io
import pathlib
import tempfile

import h5py
import numpy as np

from golden.files import random


def voxels(betas):
    """Rows of voxels of (trials, Z, Y, X) or (trials, vertices)."""
    return betas.transpose(0, 3, 2, 1).reshape(len(betas), -1) if betas.ndim == 4 else betas


def trials_last(betas):
    """The same of (X, Y, Z, trials) or (vertices, trials)."""
    return betas.reshape(-1, betas.shape[-1]).T


def in_memory(fill, **settings):
    holder = io.BytesIO()
    with h5py.File(holder, "w", **settings) as file:
        fill(file)
    return holder.getvalue()


def kinds(file, betas):
    for kind in ("<i2", ">i2", "<i4", ">i4", "<i8", "<f4", ">f4", "<f8", ">f8", "i1", "u1", "<u2", ">u4", "<u8"):
        data = (betas // 30 if kind.endswith("1") else betas).astype(kind) if kind[-2] == "i" else np.abs(betas // 30).astype(kind)
        data = (betas / 7).astype(kind) if kind[-2] == "f" else data
        file.create_dataset(f"kind/{kind[-2:] if kind[0] in '<iu' else 'big-' + kind[-2:]}", data=data)
    floats = (betas / 7).astype("f4")
    chunks = (4, 2, 2, 3)  # does not divide most axes
    for name, settings in (
        ("plain", {}),
        ("gzip", {"compression": "gzip"}),
        ("gzip-shuffle", {"compression": "gzip", "shuffle": True}),
        ("lzf", {"compression": "lzf"}),
        ("fletcher32", {"fletcher32": True}),
        ("all", {"compression": "gzip", "shuffle": True, "fletcher32": True}),
    ):
        file.create_dataset(f"chunks/{name}", data=floats, chunks=chunks, **settings)
    file.create_dataset("chunks/tall", data=floats, chunks=(len(betas), 1, 1, 1), compression="gzip")
    file.create_dataset("chunks/big-gzip", data=floats.astype(">f4"), chunks=chunks, compression="gzip", shuffle=True)
    file.create_dataset("surface/first", data=floats.reshape(len(betas), -1))
    file.create_dataset("surface/last", data=floats.reshape(len(betas), -1).T, chunks=(7, 3))
    part = file.create_dataset("part", floats.shape, "f4", chunks=(1, *floats.shape[1:]), fillvalue=-1)
    part[:5] = floats[:5]  # the program that wrote it has ended before


def later(file, betas):
    floats = (betas / 7).astype("f4")
    file.create_dataset("fixed", data=floats, chunks=(2, 3, 2, 4), compression="gzip", shuffle=True)
    file.create_dataset("grows", data=floats, chunks=(2, 3, 2, 4), maxshape=(None, *floats.shape[1:]))
    # An index that is not read:
    file.create_dataset("grows-twice", data=floats, chunks=(2, 3, 2, 4), maxshape=(None, None, *floats.shape[2:]))
    file.create_dataset("one", data=floats, chunks=floats.shape)


def glmsingle(file, betas):
    typed = np.ascontiguousarray((betas / 300).astype("f4").transpose(3, 2, 1, 0))
    file.create_dataset("betasmd", data=typed)
    file.create_dataset("R2", data=typed[..., 0])
    file.create_dataset("R2run", data=typed[..., :2])
    file.create_dataset("meanvol", data=typed[..., 1])
    file.create_dataset("pcnum", data=3)
    file.create_dataset("xvaltrend", data=typed[0, 0, 0])
    file.create_dataset("without_grid/betasmd", data=typed.reshape(-1, 1, 1, typed.shape[-1]))


def odd(file):
    file["text"] = np.array([[b"a", b"b"]] * 3)
    file["texts"] = np.array(["a", "bb"], dtype=h5py.string_dtype())
    file["compound"] = np.zeros((3, 4), dtype=[("a", "<i4"), ("b", "<f4")])
    file["complex"] = np.zeros((3, 4), "<c8")
    file["bool"] = np.zeros((3, 4), bool)
    file["half"] = np.zeros((3, 4), "<f2")
    file["one_axis"] = np.zeros(3, "<f4")
    file["three_axes"] = np.zeros((3, 4, 5), "<f4")
    file["scalar"] = 3.0
    file["square"] = np.zeros((4, 4), "<f4")
    file["cube"] = np.zeros((3, 4, 5, 3), "<f4")
    file["group/deep"] = np.zeros((2, 3), "<i2")
    file.create_dataset("never", shape=(4, 5), dtype="<i2")
    file.create_dataset("nothing", shape=(0, 5), dtype="<i2")
    file.create_dataset("external", (3, 4), "<i2", external=[("numbers.raw", 0, 24)])
    file["link"] = h5py.SoftLink("/group/deep")


def datasets(data, take):
    said = {}
    with h5py.File(io.BytesIO(data), "r") as file:

        def visit(name, item):
            if isinstance(item, h5py.Dataset) and item.ndim in (2, 4) and name != "grows-twice":
                said[f"/{name}"] = {"shape": item.shape, "rows": take(name, item[:])}

        file.visititems(visit)
    return said


def make(testdata):
    betas = np.rint(random(31).normal(size=(6, 3, 2, 4)) * 600).astype("<i2")
    betas[:, 0, 0, 0] = 0  # what NSD writes outside the brain
    said = {"version": h5py.__version__}

    def add(name, data, take=lambda name, data: voxels(data)):
        testdata.write(f"golden/hdf5/{name}", data)
        said[name] = datasets(data, take)

    add("nsd.hdf5", in_memory(lambda file: file.create_dataset("betas", data=betas)))
    last = lambda name, data: trials_last(data) if name in ("surface/last", "betasmd", "without_grid/betasmd") else voxels(data)
    add("kinds.hdf5", in_memory(lambda file: kinds(file, betas)), last)
    for version in ("v110", "v114"):
        add(f"{version}.hdf5", in_memory(lambda file: later(file, betas), libver=(version, version)))
    add("glmsingle.hdf5", in_memory(lambda file: glmsingle(file, betas)), last)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "matlab.mat"
        with h5py.File(path, "w", userblock_size=512) as file:
            file.create_dataset("modelmd", data=betas / 300, chunks=(4, 3, 2, 4), compression="gzip")
        text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024 HDF5 schema 1.00 ."
        data = path.read_bytes()
        add("matlab.mat", text.ljust(512, b" ") + data[512:])
    testdata.write("golden/hdf5/odd.hdf5", in_memory(odd))
    chunked = lambda file: file.create_dataset("betas", data=betas, chunks=(2, 3, 2, 4), compression="gzip")
    testdata.write("golden/hdf5/latest.hdf5", in_memory(chunked, libver="latest"))
    testdata.json("golden/hdf5/read.json", said)
