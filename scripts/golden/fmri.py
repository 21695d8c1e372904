"""Group maps and clusters: SciPy, nilearn, nibabel.

testdata/golden/fmri/maps.npy        8 subjects x 210 voxels (f4): contrast maps; voxel 3 is constant, voxel 8 has a NaN
testdata/golden/fmri/one-sample.json  scipy.stats.ttest_1samp over subjects, greater than 0, from the f4 numbers widened
testdata/golden/fmri/permutations.json  tests of these maps over every relabelling, from NumPy and scipy.ndimage alone (faces touch):
                                     one-sample (256 signs), two-sample (first three subjects against the rest, 56 exchanges) and
                                     the same beside a covariate (40320 orders of residuals, Freedman and Lane)
testdata/golden/fmri/contrast-map-{0..7}.nii   the same maps as 7 x 6 x 5 volumes, C order (voxel = (i*6 + j)*5 + k), 3 mm, x flipped
testdata/golden/fmri/t-map.nii       a smooth 14 x 12 x 10 t map (f4) with an oblique, flipped affine; NaN outside a ball
testdata/golden/fmri/clusters.json   threshold -> clusters of the t map by nilearn's get_clusters_table (faces touch: connectivity 6),
                                     and sizes by scipy.ndimage.label for connectivity 6, 18 and 26
"""

import itertools

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


def least_squares_t(maps, design):
    """t of the first column, of maps (subjects x voxels, or draws x subjects x voxels)."""
    beta = np.linalg.pinv(design) @ maps
    residuals = maps - design @ beta
    df = len(design) - design.shape[1]
    variance = (residuals**2).sum(-2) / df * np.linalg.inv(design.T @ design)[0, 0]
    return beta[..., 0, :] / np.sqrt(variance)


def cluster_statistics(t, shape, usable, threshold):
    """Mass and extent of the cluster of each usable voxel above the threshold; 0 outside clusters."""
    full = np.zeros(np.prod(shape))
    full[usable] = t
    labels, n = scipy.ndimage.label(full.reshape(shape) > threshold)
    sums = np.array([0.0, *[(full[labels.ravel() == label] - threshold).sum() for label in range(1, n + 1)]])
    sizes = np.array([0, *[(labels == label).sum() for label in range(1, n + 1)]])
    return sums[labels.ravel()[usable]], sizes[labels.ravel()[usable]]


def permutations(maps):
    usable = [voxel for voxel in range(210) if voxel not in (3, 8)]
    y, n = maps.astype(np.float64)[:, usable], len(maps)
    signs = np.array([[-1.0 if number >> row & 1 else 1.0 for row in range(n)] for number in range(2**n)])
    t = np.array([least_squares_t(s[:, None] * y, np.ones((n, 1))) for s in signs])
    assert np.allclose(t[0], least_squares_t(y, np.ones((n, 1))))

    def p(observed, largest):
        return [float(np.mean(largest >= o - 1e-9 * abs(o))) for o in observed]

    mass, extent = zip(*[cluster_statistics(one, (7, 6, 5), usable, 1.5) for one in t])
    mass, extent = np.array(mass), np.array(extent)
    found = {"voxels": usable, "cluster_t": 1.5, "one_sample": {"max_t": p(t[0], t.max(1)), "two_sided": p(abs(t[0]), abs(t).max(1))}}
    found["one_sample"] |= {"cluster_mass": p(mass[0], mass.max(1)), "cluster_extent": p(extent[0], extent.max(1))}
    first = (np.arange(n) < 3).astype(float)
    age = np.array([31.0, 24, 45, 38, 22, 29, 51, 34])
    ones = np.ones(n)
    groups = [np.isin(np.arange(n), chosen).astype(float) for chosen in itertools.combinations(range(n), 3)]
    t = np.array([least_squares_t(y, np.c_[group, ones]) for group in groups])
    found["two_sample"] = {"t": t[0], "max_t": p(abs(t[0]), abs(t).max(1))}
    nuisance = np.c_[ones, age]
    residuals = y - nuisance @ np.linalg.pinv(nuisance) @ y
    orders = np.array(list(itertools.permutations(range(n))))
    design = np.c_[first, nuisance]
    largest = np.concatenate([abs(least_squares_t(residuals[part], design)).max(1) for part in np.array_split(orders, 40)])
    observed = least_squares_t(y, design)
    return found | {"covariate": age, "two_sample_covariate": {"t": observed, "max_t": p(abs(observed), largest)}}


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
    testdata.json("golden/fmri/permutations.json", permutations(maps))
    for s, values in enumerate(maps):
        testdata.write(f"golden/fmri/contrast-map-{s}.nii", volume(values.reshape(7, 6, 5), FLIPPED).to_bytes())
    image = volume(t_map(rng), OBLIQUE)
    testdata.write("golden/fmri/t-map.nii", image.to_bytes())
    voxel_mm3 = 36.0
    testdata.json("golden/fmri/clusters.json", {"affine": image.affine, "voxel_mm3": voxel_mm3} | {
        "thresholds": {threshold: clusters(image, threshold) for threshold in (2.0, 3.0, 4.0)}
    })
