"""Group maps and clusters: SciPy, nilearn, nibabel.

testdata/golden/fmri/maps.npy        8 subjects x 210 voxels (f4): contrast maps; voxel 3 is constant, voxel 8 has a NaN
testdata/golden/fmri/one-sample.json  scipy.stats.ttest_1samp over subjects, greater than 0, from the f4 numbers widened
testdata/golden/fmri/contrast-map-{0..7}.nii   the same maps as 7 x 6 x 5 volumes, C order (voxel = (i*6 + j)*5 + k), 3 mm, x flipped
testdata/golden/fmri/t-map.nii       a smooth 14 x 12 x 10 t map (f4) with an oblique, flipped affine; NaN outside a ball
testdata/golden/fmri/clusters.json   threshold -> clusters of the t map by nilearn's get_clusters_table (faces touch: connectivity 6),
                                     and sizes by scipy.ndimage.label for connectivity 6, 18 and 26
"""

import nibabel
import numpy as np
import scipy.ndimage
import scipy.stats
from nilearn.reporting import get_clusters_table

from golden.files import random
from golden.units import log_sf

FLIPPED = np.array([[-3.0, 0, 0, 9.0], [0, 3.0, 0, -6.0], [0, 0, 3.0, -3.0], [0, 0, 0, 1]])
# turned about z (3-4-5 triangle) and then about x (5-12-13), voxels 3 x 3 x 4 mm, x flipped
TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, 12 / 13, -5 / 13], [0, 5 / 13, 12 / 13]])
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = TURN * np.array([-3.0, 3.0, 4.0])
OBLIQUE[:3, 3] = (18.5, -16.0, -12.25)
CONNECTIVITY = {6: 1, 18: 2, 26: 3}


def volume(data, affine):
    image = nibabel.Nifti1Image(data.astype("<f4"), affine)
    image.header.set_xyzt_units("mm")
    return image


def one_sample(maps):
    maps = maps.astype(np.float64)
    result = scipy.stats.ttest_1samp(maps, 0, axis=0, alternative="greater")
    logs = np.array([log_sf(t, len(maps) - 1) for t in result.statistic])
    return {"n": len(maps), "mean": maps.mean(0), "sd": maps.std(0, ddof=1), "t": result.statistic, "p": result.pvalue, "neg_log10_p": -logs / np.log(10)}


def t_map(rng):
    t = scipy.ndimage.gaussian_filter(rng.normal(size=(14, 12, 10)), 1.0)
    t = 2.2 * t / t.std()
    i, j, k = np.indices(t.shape)
    t[((i - 6.5) / 7) ** 2 + ((j - 5.5) / 6) ** 2 + ((k - 4.5) / 5) ** 2 > 1] = np.nan
    return t.astype("<f4")


def clusters(image, threshold):
    t = np.nan_to_num(np.asarray(image.dataobj), nan=0.0)
    filled = volume(t, image.affine)
    table = get_clusters_table(filled, stat_threshold=threshold, two_sided=False)
    # sub-peaks have letters ("1a") and no size; keep the peak of each cluster
    table = table[table["Cluster ID"].astype(str).str.fullmatch(r"\d+")]
    peaks = table[["X", "Y", "Z", "Peak Stat", "Cluster Size (mm3)"]].astype(float)
    peaks.columns = ["x", "y", "z", "t", "mm3"]
    assert len(peaks) == scipy.ndimage.label(t > threshold)[1]
    sizes = {}
    for name, rank in CONNECTIVITY.items():
        labels, n = scipy.ndimage.label(t > threshold, scipy.ndimage.generate_binary_structure(3, rank))
        sizes[name] = sorted((int((labels == c).sum()) for c in range(1, n + 1)), reverse=True)
    return {"nilearn": peaks.to_dict("records"), "sizes": sizes}


def make(testdata):
    rng = random(6)
    maps = (rng.normal(size=(8, 7 * 6 * 5)) + np.linspace(-1, 3, 210)).astype("<f4")
    maps[:, 3] = 1.5
    maps[2, 8] = np.nan
    testdata.array("golden/fmri/maps.npy", maps)
    testdata.json("golden/fmri/one-sample.json", one_sample(maps))
    for s, values in enumerate(maps):
        testdata.write(f"golden/fmri/contrast-map-{s}.nii", volume(values.reshape(7, 6, 5), FLIPPED).to_bytes())
    image = volume(t_map(rng), OBLIQUE)
    testdata.write("golden/fmri/t-map.nii", image.to_bytes())
    voxel_mm3 = 36.0
    testdata.json("golden/fmri/clusters.json", {"affine": image.affine, "voxel_mm3": voxel_mm3} | {
        "thresholds": {threshold: clusters(image, threshold) for threshold in (2.0, 3.0, 4.0)}
    })
