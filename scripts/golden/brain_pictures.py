"""Where a map is cut, and a volume on a surface: nilearn.

testdata/golden/brain-pictures/{plain,flipped,permuted,oblique}.nii.gz  one made-up brain map on four grids: as it is, x falling with i,
                                       axes exchanged, turned about two axes; float32, NaN outside an ellipsoid
testdata/golden/brain-pictures/nilearn.json  for each grid: shape, inverse of the affine (numpy), `find_xyz_cut_coords` at thresholds,
                                       `find_cut_slices` along x, y, z (not of the oblique grid, which nilearn resamples);
                                       for the plain grid: `vol_to_surf(kind="depth")` at made-up vertices, without NaN
"""

import gzip
import io

import nibabel
import numpy as np
from nilearn.plotting.find_cuts import find_cut_slices, find_xyz_cut_coords
from nilearn.surface import InMemoryMesh, vol_to_surf

from golden.files import random


def rotation(x, z):
    cx, sx, cz, sz = np.cos(x), np.sin(x), np.cos(z), np.sin(z)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_x


def affine(linear, shape):
    """The middle of the grid is at (4, -20, 8) mm."""
    whole = np.eye(4)
    whole[:3, :3] = linear
    whole[:3, 3] = np.array([4.0, -20.0, 8.0]) - linear @ ((np.array(shape) - 1) / 2)
    return whole


GRIDS = {
    "plain": ((20, 24, 18), np.diag([6.0, 6.0, 6.0])),
    "flipped": ((20, 24, 18), np.diag([-6.0, 6.0, 6.0])),
    "permuted": ((18, 20, 24), np.array([[0.0, 6, 0], [0, 0, -6], [6, 0, 0]])),
    "oblique": ((24, 26, 22), 6.0 * rotation(0.2, 0.35)),
}
# Middle (mm), width and height: left and low, right and in front, two below 0.
BLOBS = [((-38, -50, -14), 9, 8.0), ((26, 22, 30), 6, 6.5), ((8, -70, 20), 12, -6.0), ((40, -10, -8), 5, -9.0)]


def field(mm):
    value = 0.3 * np.sin(mm[..., 0] / 17) + 0.2 * np.cos(mm[..., 1] / 13 + mm[..., 2] / 11)
    for middle, width, height in BLOBS:
        value = value + height * np.exp(-((mm - np.array(middle)) ** 2).sum(-1) / (2 * width**2))
    return value


def image_of(name):
    shape, linear = GRIDS[name]
    whole = affine(linear, shape)
    places = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1)
    mm = places @ whole[:3, :3].T + whole[:3, 3]
    data = field(mm)
    outside = (((mm - np.array([4.0, -20, 8])) / np.array([56, 66, 50])) ** 2).sum(-1) > 1
    data[outside] = np.nan
    image = nibabel.Nifti1Image(data.astype(np.float32), whole)
    image.header.set_sform(whole, 4)
    image.header.set_qform(None, 0)
    image.header.set_intent("t test", (15,))
    return image


def make(testdata):
    said = {}
    for name in GRIDS:
        image = image_of(name)
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, compresslevel=9) as out:
            out.write(image.to_bytes())
        testdata.write(f"golden/brain-pictures/{name}.nii.gz", packed.getvalue())
        # nilearn puts zeros where a number is missing; here as its plots do, before it looks.
        finite = nibabel.Nifti1Image(np.nan_to_num(image.get_fdata()), image.affine)
        said[name] = {
            "shape": image.shape,
            "inverse": np.linalg.inv(image.affine)[:3],
            "middle": {str(t): find_xyz_cut_coords(finite, activation_threshold=t) for t in (2.0, 3.0, 7.0)},
            "middle_without_threshold": find_xyz_cut_coords(finite),
        }
        if name != "oblique":
            said[name]["cuts"] = {axis: {str(n): find_cut_slices(finite, axis, n) for n in (1, 4, 7)} for axis in "xyz"}
    plain = image_of("plain")
    finite = nibabel.Nifti1Image(field_without_nan(plain), plain.affine)
    draw = random(20261130)
    inner = draw.uniform([-40, -70, -30], [46, 30, 46], size=(40, 3))
    outer = inner + draw.normal(size=(40, 3)) * 3
    outer[0] = inner[0] = [500.0, 0, 0]
    faces = np.array([[0, 1, 2]])
    sampled = vol_to_surf(finite, InMemoryMesh(outer, faces), inner_mesh=InMemoryMesh(inner, faces), kind="depth")
    said["surface"] = {"pial": outer, "white": inner, "values": sampled}
    testdata.json("golden/brain-pictures/nilearn.json", said)


def field_without_nan(image):
    places = np.stack(np.meshgrid(*[np.arange(n) for n in image.shape], indexing="ij"), -1)
    return field(places @ image.affine[:3, :3].T + image.affine[:3, 3])
