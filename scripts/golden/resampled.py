"""Labels on another grid: nilearn.

testdata/golden/resample/labels.nii   a label image (i2) of 9 x 8 x 7 voxels of 2 mm, x flipped, turned about z (3-4-5)
testdata/golden/resample/to-{0,1,2}.nii   maps (f4) on other grids: 3 mm upright, shifted by half a voxel of it; 2 mm turned otherwise
                                      and larger; the same axes as the labels with 4 mm voxels
testdata/golden/resample/nearest.json for each: nilearn's resample_to_img(interpolation="nearest") of the labels, in C order, and
                                      where the voxel's centre lies within the outermost centres of the labels' grid: beyond them
                                      nilearn (SciPy) fills in 0, though half a voxel of the image is left
"""

import nibabel
import numpy as np
from nilearn.image import resample_to_img

from golden.files import random

TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])


def affine_of(axes, offset):
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = offset
    return affine


def grids():
    source = affine_of(TURN * [-2.0, 2.0, 2.0], (11.3, -9.1, -6.2))
    yield "labels", (9, 8, 7), source
    yield "to-0", (6, 7, 5), affine_of(np.diag([-3.0, 3.0, 3.0]), (8.17, -9.46, -6.89))
    yield "to-1", (12, 11, 9), affine_of(TURN.T * [2.0, 2.0, 2.0], (-12.37, -10.21, -8.13))
    yield "to-2", (5, 4, 4), affine_of(source[:3, :3] * 2, source[:3, 3])


def make(testdata):
    rng = random(83)
    (_, shape, affine), *others = grids()
    data = rng.integers(0, 4, size=shape).astype("<i2")
    data[1:4, 2:5, 1:4] = 7
    labels = nibabel.Nifti1Image(data, affine)
    testdata.write("golden/resample/labels.nii", labels.to_bytes())
    found = {}
    for name, other_shape, other in others:
        target = nibabel.Nifti1Image(rng.normal(size=other_shape).astype("<f4"), other)
        testdata.write(f"golden/resample/{name}.nii", target.to_bytes())
        image = resample_to_img(labels, target, interpolation="nearest", force_resample=True, copy_header=True)
        places = np.stack([*np.indices(other_shape).reshape(3, -1), np.ones(np.prod(other_shape))])
        at = (np.linalg.inv(affine) @ other @ places)[:3]
        last = np.array(shape)[:, None] - 1
        # On the outermost centres themselves rounding decides whether nilearn sees them.
        inside = ((at > 1e-6) & (at < last - 1e-6)).all(0)
        outside = ((at < -1e-6) | (at > last + 1e-6)).any(0)
        nearest = np.asarray(image.dataobj).astype(int).reshape(-1)
        assert not nearest[outside].any()
        found[name] = {"labels": nearest, "inside": inside.astype(int)}
    testdata.json("golden/resample/nearest.json", found)
