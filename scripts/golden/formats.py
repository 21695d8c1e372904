"""Files of surfaces and grayordinates: nibabel.

testdata/golden/formats/nibabel.json   what nibabel reads in the files that its wheel has for its own tests (not committed here):
                                       shape, sum, first and last numbers of each array, labels, structure, affine
testdata/golden/formats/*              small files that nibabel writes, of what its wheel lacks: CIFTI-2 dscalar, dtseries (big
                                       numbers of time points), dlabel, ptseries; GIFTI column-major and big-endian;
                                       MGH of every kind of number; an annotation of each version
testdata/golden/formats/made.json      what nibabel reads in them
"""

import io
import pathlib
import tempfile
import warnings

import nibabel
import numpy as np
from nibabel import cifti2, gifti
from nibabel.freesurfer import io as freesurfer

from golden.files import random

PACKAGE = pathlib.Path(nibabel.__file__).parent
GIFTI = (
    "ascii ascii_flat_data base64bin external gzipbase64 label rh.aparc.annot rh.shape.curv task.func"
).split()
AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2.0, 0, -126], [0, 0, 2.0, -72], [0, 0, 0, 1]])


def summary(array):
    numbers = np.asarray(array).astype(np.float64)
    flat = numbers.reshape(-1)
    return {"shape": numbers.shape, "sum": flat.sum(), "first": flat[:5], "last": flat[-5:], "middle": flat[len(flat) // 2]}


def of_gifti(image):
    metadata = [image.meta] + [array.meta for array in image.darrays]
    structures = [meta["AnatomicalStructurePrimary"] for meta in metadata if meta.get("AnatomicalStructurePrimary")]
    return {
        "structure": structures[0] if structures else "",
        "labels": {label.key: label.label for label in image.labeltable.labels},
        "arrays": [summary(array.data) | {"intent": nibabel.nifti1.intent_codes.niistring[array.intent]} for array in image.darrays],
    }


def of_mgh(image):
    frames = image.get_fdata()
    frames = frames if frames.ndim == 4 else frames[..., None]
    return {"affine": image.affine[:3], "frames": [summary(frames[..., frame]) for frame in range(frames.shape[3])]}


def of_cifti(image):
    data = image.get_fdata()
    rows, columns = image.header.get_axis(0), image.header.get_axis(1)
    said = {"maps": [summary(row) for row in data]}
    if isinstance(rows, cifti2.SeriesAxis):
        said["series"] = {"n": rows.size, "start": rows.start, "step": rows.step, "unit": rows.unit}
    else:
        said["names"] = list(rows.name)
    if isinstance(rows, cifti2.LabelAxis):
        said["labels"] = [{key: name for key, (name, _) in table.items()} for table in rows.label]
    if isinstance(columns, cifti2.BrainModelAxis):
        said["structure"] = list(columns.name)
        said["vertex"] = columns.vertex
        said["voxel"] = columns.voxel
    else:
        said["parcels"] = list(columns.name)
    return said


def models():
    left = cifti2.BrainModelAxis.from_surface(np.array([0, 2, 3, 11]), 12, name="CortexLeft")
    right = cifti2.BrainModelAxis.from_surface(np.array([1, 5]), 10, name="CortexRight")
    mask = np.zeros((4, 5, 6), dtype=bool)
    mask[1, 2, 3] = mask[3, 4, 5] = mask[0, 0, 1] = True
    return left + right + cifti2.BrainModelAxis.from_mask(mask, name="thalamus_left", affine=AFFINE)


def parcels():
    brain = models()
    names = [("V1", brain[:3]), ("right & all", brain[4:6]), ("LGN", brain[6:])]
    return cifti2.ParcelsAxis.from_brain_models(names)


def bytes_of(image):
    holder = nibabel.FileHolder(fileobj=io.BytesIO())
    image.to_file_map({"image": holder})
    return holder.fileobj.getvalue()


def ciftis(rng):
    brain = models()
    n = len(brain)
    scalars = cifti2.ScalarAxis(["faces > places", "bodies & more"])
    series = cifti2.SeriesAxis(0.5, 0.72, 30)
    table = {0: ("???", (0, 0, 0, 0)), 4: ("FFA", (1, 0, 0, 1)), 7: ("PPA <left>", (0, 1, 0, 1))}
    labels = cifti2.LabelAxis(["areas"], [table])
    yield "maps.dscalar.nii", cifti2.Cifti2Image(rng.normal(size=(2, n)).astype("f4"), (scalars, brain))
    yield "run.dtseries.nii", cifti2.Cifti2Image(rng.normal(size=(30, n)).astype("f4"), (series, brain))
    yield "areas.dlabel.nii", cifti2.Cifti2Image(rng.choice([0, 4, 7], size=(1, n)).astype("i4"), (labels, brain))
    yield "run.ptseries.nii", cifti2.Cifti2Image(rng.normal(size=(30, 3)).astype("f4"), (series, parcels()))


def giftis(rng):
    numbers = rng.normal(size=(5, 3))
    for name, kind, order, endian, encoding in (
        ("columns", "NIFTI_TYPE_FLOAT32", "F", "little", "GIFTI_ENCODING_B64GZ"),
        ("big", "NIFTI_TYPE_FLOAT32", "C", "big", "GIFTI_ENCODING_B64BIN"),
        ("bytes", "NIFTI_TYPE_UINT8", "C", "little", "GIFTI_ENCODING_B64GZ"),
    ):
        data = (np.abs(numbers) * 90).astype("u1") if kind.endswith("UINT8") else numbers.astype("f4")
        array = gifti.GiftiDataArray(data, intent="NIFTI_INTENT_NONE", datatype=kind, ordering=order, endian=endian, encoding=encoding)
        yield f"{name}.func.gii", gifti.GiftiImage(darrays=[array])


def mghs(rng):
    turned = AFFINE @ np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    for kind in ("u1", "i2", "i4", "f4"):
        data = (rng.normal(size=(3, 4, 2, 2)) * 50).astype("i4" if kind == "u1" else kind)
        data = np.abs(data).astype(">u1") if kind == "u1" else data.astype(">" + kind)
        yield f"volume-{kind}.mgh", nibabel.MGHImage(data, turned)
    yield "overlay.mgh", nibabel.MGHImage(rng.normal(size=(12, 1, 1, 3)).astype(">f4"), np.eye(4))


def annotations():
    colours = np.array([[25, 5, 25, 0, 0], [10, 20, 30, 0, 0], [200, 1, 99, 0, 0]])
    parcels = np.array([0, 1, 2, 2, -1, 1, 1])
    for name, version in (("new", 2), ("old", 1)):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/x.annot"
            if version == 2:
                freesurfer.write_annot(path, parcels, colours, ["unknown", "V1", "fusiform"], fill_ctab=True)
            else:
                old_annotation(path, parcels, colours, ["unknown", "V1", "fusiform"])
            read, _, names = freesurfer.read_annot(path)
            yield f"{name}.annot", pathlib.Path(path).read_bytes(), {"parcels": read, "names": [n.decode() for n in names]}


def old_annotation(path, parcels, colours, names):
    """Version 1, which nibabel reads and does not write."""
    codes = colours[:, 0] + 256 * colours[:, 1] + 65536 * colours[:, 2]
    values = np.where(parcels < 0, 0, codes[parcels])
    words = np.stack([np.arange(len(parcels)), values], axis=1)
    with open(path, "wb") as out:
        out.write(np.array([len(parcels)], ">i4").tobytes() + words.astype(">i4").tobytes())
        out.write(np.array([1, len(names)], ">i4").tobytes())
        for name in (None, *names):
            text = (name or "colours.ctab").encode() + b"\0"
            out.write(np.array([len(text)], ">i4").tobytes() + text)
            if name:
                out.write(colours[names.index(name), :4].astype(">i4").tobytes())


def make(testdata):
    rng = random(15)
    warnings.simplefilter("ignore")
    own = {f"gifti/tests/data/{name}.gii": of_gifti(nibabel.load(PACKAGE / f"gifti/tests/data/{name}.gii")) for name in GIFTI}
    own["tests/data/test.mgz"] = of_mgh(nibabel.load(PACKAGE / "tests/data/test.mgz"))
    testdata.json("golden/formats/nibabel.json", {"version": nibabel.__version__, "files": own})
    made = {}
    for name, image in ciftis(rng):
        data = bytes_of(image)
        testdata.write(f"golden/formats/{name}", data)
        made[name] = of_cifti(cifti2.Cifti2Image.from_bytes(data))
    for name, image in giftis(rng):
        data = image.to_bytes()
        testdata.write(f"golden/formats/{name}", data)
        made[name] = of_gifti(gifti.GiftiImage.from_bytes(data))
    for name, image in mghs(rng):
        data = image.to_bytes()
        testdata.write(f"golden/formats/{name}", data)
        made[name] = of_mgh(nibabel.MGHImage.from_bytes(data))
    for name, data, said in annotations():
        testdata.write(f"golden/formats/{name}", data)
        made[name] = said
    testdata.json("golden/formats/made.json", made)
