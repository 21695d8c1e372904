"""Noise ceilings, written out in NumPy from their definitions (no library has them all).

testdata/golden/ceiling/trials.npy     20 images x 3 repeats in scattered order x 6 voxels (f8), ids behind; an id that occurs again is a repeat
testdata/golden/ceiling/unequal.npy    the same with 10 images of 3 trials, 6 of 2, 4 of 1
testdata/golden/ceiling/voxels.json    {trials, unequal} -> per voxel: total, noise and signal variance, ncsnr, nc for 1 and 3 trials (and for the mix)
testdata/golden/ceiling/split-half.json   {trials}: correlation of the repeats, stepped up (repeat = order of occurrence)
testdata/golden/ceiling/nsd.json       {unequal}: session of each row; as the Natural Scenes Dataset: z scores in sessions, noise of images with all trials
testdata/golden/ceiling/explainable.json   {trials}: explainable variance of the three repeats, raw and corrected
testdata/golden/ceiling/subject-{0..4}.npy   20 images x 6..10 voxels, ids behind
testdata/golden/ceiling/between.json   profile, rdm: pairwise Pearson, per subject the median of its pairs and leave-one-subject-out

Voxel 4 has no signal at all, voxel 5 is constant. Signal that would come out negative is 0, and so is its ceiling.
"""

import numpy as np
from scipy.spatial.distance import pdist

from golden.files import random

N_IMAGES = 20


def trials(rng, repeats):
    """One row per presentation, images in scattered order; (data, image of each row)."""
    image = rng.permutation(np.repeat(np.arange(N_IMAGES), repeats))
    signal = rng.normal(size=(N_IMAGES, 6)) * np.array([2, 1, 0.5, 1, 0, 0])
    noise = rng.normal(size=(len(image), 6)) * np.array([0.5, 1, 1, 0.25, 1, 0])
    return signal[image] + noise + 3, image


def voxel_ceiling(data, image):
    """Allen et al. 2022: variance within an image is noise, what it leaves of the total is signal."""
    counts = np.bincount(image)
    sd = data.std(0, ddof=1)  # as MATLAB's zscore, which the data set's own code calls
    z = (data - data.mean(0)) / np.where(sd > 0, sd, np.nan)
    within = np.array([z[image == i].var(0, ddof=1) for i in range(N_IMAGES) if counts[i] > 1])
    noise = within.mean(0)
    pooled = sum(z[image == i].var(0, ddof=1) * (counts[i] - 1) for i in range(N_IMAGES) if counts[i] > 1) / (counts - 1).sum()
    signal = np.maximum(0, 1 - noise)
    ncsnr = np.sqrt(signal) / np.sqrt(noise)
    inverse_n = np.mean(1 / counts)

    def nc(one_over_n):
        return 100 * ncsnr**2 / (ncsnr**2 + one_over_n)

    return {
        "total_variance": data.var(0, ddof=1),
        "noise_variance_of_z": noise,
        "noise_variance_of_z_pooled_over_df": pooled,
        "signal_variance_of_z": signal,
        "ncsnr": ncsnr,
        "nc_1": nc(1),
        "nc_3": nc(1 / 3),
        "mean_of_1_over_n": inverse_n,
        "nc_as_measured": nc(inverse_n),
    }


def occurrence(image):
    """Which repeat of its image each row is: 0 for the first in the file."""
    seen = np.zeros(N_IMAGES, int)
    out = []
    for i in image:
        out.append(seen[i])
        seen[i] += 1
    return np.array(out)


def split_half(data, image):
    """Mean correlation of single repeats over images, stepped up to the mean of three."""
    which = occurrence(image)
    repeat = [data[which == k][np.argsort(image[which == k])] for k in range(3)]
    pairs = [(a, b) for a in range(3) for b in range(a + 1, 3)]
    each = np.array([[np.corrcoef(repeat[a][:, v], repeat[b][:, v])[0, 1] for v in range(data.shape[1])] for a, b in pairs])
    r = each.mean(0)
    reliability = 3 * r / (1 + 2 * r)
    return {"pairs": pairs, "r_of_pairs": each, "r_single": r, "reliability": reliability, "r_max": np.sqrt(np.where(reliability >= 0, reliability, np.nan))}


def nsd_ceiling(data, image, session):
    """The steps of the data set's export_noiseceiling.m: images with all trials, z scores per session, total variance 1."""
    z = np.full(data.shape, np.nan)
    for s in np.unique(session):
        sd = data[session == s].std(0, ddof=1)
        z[session == s] = (data[session == s] - data[session == s].mean(0)) / np.where(sd > 0, sd, np.nan)
    counts = np.bincount(image)
    complete = np.flatnonzero(counts == counts.max())
    noise = np.array([z[image == i].var(0, ddof=1) for i in complete]).mean(0)
    ncsnr = np.sqrt(np.maximum(0, 1 - noise)) / np.sqrt(noise)
    a, b, c = (np.sum(counts == n) for n in (3, 2, 1))
    inverse_n = (a / 3 + b / 2 + c / 1) / (a + b + c)
    return {
        "session": session,
        "n_complete": len(complete),
        "noise_variance": noise,
        "ncsnr": ncsnr,
        "nc_3": 100 * ncsnr**2 / (ncsnr**2 + 1 / 3),
        "nc_as_measured": 100 * ncsnr**2 / (ncsnr**2 + inverse_n),
    }


def explainable_variance(data, image):
    """Variance of the mean over z-scored repeats, over their mean variance; with and without its bias (voxelwise tutorials)."""
    which = occurrence(image)
    repeat = np.array([data[which == k][np.argsort(image[which == k])] for k in range(3)])
    sd = repeat.std(1, keepdims=True)
    z = (repeat - repeat.mean(1, keepdims=True)) / np.where(sd > 0, sd, np.nan)
    ev = z.mean(0).var(0, ddof=1) / z.var(1, ddof=1).mean(0)
    return {"ev": ev, "ev_corrected": ev - (1 - ev) / (len(repeat) - 1)}


def between(vectors):
    """Subjects as vectors over the same images (or pairs of images)."""
    r = np.corrcoef(vectors)
    others = ~np.eye(len(r), dtype=bool)
    mean_of_others = [np.delete(vectors, i, axis=0).mean(0) for i in range(len(vectors))]
    z = (vectors - vectors.mean(1, keepdims=True)) / vectors.std(1, keepdims=True)
    mean_of_z = [np.delete(z, i, axis=0).mean(0) for i in range(len(z))]
    return {
        "pairwise": r,
        "median_of_pairs": [np.median(r[i][others[i]]) for i in range(len(r))],
        "mean_of_pairs": [np.mean(r[i][others[i]]) for i in range(len(r))],
        "leave_one_out": [np.corrcoef(vectors[i], mean_of_others[i])[0, 1] for i in range(len(r))],
        "leave_one_out_of_z": [np.corrcoef(vectors[i], mean_of_z[i])[0, 1] for i in range(len(r))],
    }


def make(testdata):
    rng = random(5)
    ids = np.array([f"image_{i:02}.png" for i in range(N_IMAGES)])
    tables = {}
    for name, repeats in (("trials", np.full(N_IMAGES, 3)), ("unequal", np.repeat([3, 2, 1], [10, 6, 4]))):
        data, image = trials(rng, repeats)
        testdata.array(f"golden/ceiling/{name}.npy", data, ids[image])
        tables[name] = voxel_ceiling(data, image)
        if name == "trials":
            testdata.json("golden/ceiling/split-half.json", split_half(data, image))
            testdata.json("golden/ceiling/explainable.json", explainable_variance(data, image))
        else:
            testdata.json("golden/ceiling/nsd.json", nsd_ceiling(data, image, np.arange(len(image)) // 16))
    testdata.json("golden/ceiling/voxels.json", tables)

    shared = rng.normal(size=(N_IMAGES, 3))
    subjects = [shared @ rng.normal(1, 0.5, size=(3, v)) + rng.normal(size=(N_IMAGES, v)) for v in (6, 7, 8, 9, 10)]
    for s, data in enumerate(subjects):
        testdata.array(f"golden/ceiling/subject-{s}.npy", data, ids)
    testdata.json("golden/ceiling/between.json", {
        "profile": between(np.array([data.mean(1) for data in subjects])),
        "rdm": between(np.array([pdist(data, "correlation") for data in subjects])),
    })
