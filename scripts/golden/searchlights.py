"""Searchlights: rsatoolbox.

testdata/golden/searchlight/betas.nii   10 patterns (f4), 7 x 6 x 5 voxels of 3 x 3 x 4 mm turned and flipped (the affine of fmri.py)
testdata/golden/searchlight/mask.nii    an ellipsoid in that grid
testdata/golden/searchlight/models.npy  2 model RDMs x 45: three groups, and a noisy line
testdata/golden/searchlight/scores.json {centers: voxels of the mask in their order, n_voxels: of each sphere (radius 2.5, in the mask),
                                        corr, spearman: [centre][model], share_70: centres with 70 % of the sphere in the mask}

rsatoolbox takes what is nearer than the radius (2.5: no voxel is at that distance), and with truncate_at_boundary=False
voxels outside the mask; its threshold then counts them, and with truncate_at_boundary=True it is always met.
"""

import nibabel
import numpy as np
from rsatoolbox.rdm import RDMs, compare
from rsatoolbox.util.searchlight import get_searchlight_RDMs, get_volume_searchlight
from scipy.spatial.distance import pdist

from golden.files import random
from golden.fmri import OBLIQUE

SHAPE = (7, 6, 5)
RADIUS = 2.5


def image(data):
    made = nibabel.Nifti1Image(data, OBLIQUE)
    made.header.set_xyzt_units("mm")
    return made.to_bytes()


def make(testdata):
    rng = random(23)
    group = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 2])
    i, j, k = np.indices(SHAPE)
    mask = ((i - 3) / 3.2) ** 2 + ((j - 2.5) / 2.9) ** 2 + ((k - 2) / 2.4) ** 2 < 1
    # The groups are told apart on one side of the grid, the line on the other.
    line = np.linspace(-1, 1, len(group))
    betas = rng.normal(size=(len(group), *SHAPE))
    betas += (i / 6) * rng.normal(size=(3, *SHAPE))[group] * 2 + (1 - i / 6) * line[:, None, None, None] * rng.normal(size=SHAPE) * 2
    betas = betas.astype("<f4")
    testdata.write("golden/searchlight/betas.nii", image(np.moveaxis(betas, 0, -1)))
    testdata.write("golden/searchlight/mask.nii", image(mask.astype("u1")))
    models = np.stack([pdist(group[:, None], "hamming") + 0.01 * rng.uniform(size=45), pdist(line[:, None]) + 0.1 * rng.uniform(size=45)])
    testdata.array("golden/searchlight/models.npy", models)

    centers, neighbors = get_volume_searchlight(mask, radius=RADIUS, truncate_at_boundary=True)
    share_70, _ = get_volume_searchlight(mask, radius=RADIUS, threshold=0.7)
    rdms = get_searchlight_RDMs(betas.reshape(len(group), -1).astype(float), centers, neighbors, np.arange(len(group)), verbose=False)
    out = {"centers": centers, "n_voxels": [len(n) for n in neighbors], "share_70": share_70}
    out |= {method: compare(rdms, RDMs(models), method) for method in ("corr", "spearman")}
    testdata.json("golden/searchlight/scores.json", out)
