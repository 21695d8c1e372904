"""Writes testdata/gss: parcels of made-up subjects by funROI, in an environment of its own (scripts/golden-funroi.sh).

testdata/gss/masks.npy    12 subjects x 1680 voxels (u1): which voxels of a 14 x 12 x 10 grid each activates; C order
testdata/gss/parcels.json shape, voxel sizes, and for each FWHM the labels of ParcelsGenerator._run (overlap .1 and .25)
                          with the share of subjects in each parcel
funROI keeps the labels of parcels that it filters out, and so do we; its spm_ss ancestor numbers them anew.
"""

import json
import pathlib

import numpy as np
from funROI.analysis.parcels_gen import ParcelsGenerator
from scipy.ndimage import gaussian_filter

SHAPE, SIZES, N = (14, 12, 10), (3.0, 2.5, 4.0), 12


def masks():
    rng = np.random.Generator(np.random.PCG64(20))
    i, j, k = np.indices(SHAPE)
    true = sum(np.exp(-((i - a) ** 2 + (j - b) ** 2 + (k - c) ** 2) / 6) for a, b, c in [(3, 3, 3), (10, 8, 6), (9, 3, 2)])
    maps = [2.5 * true + 4 * gaussian_filter(rng.normal(size=SHAPE), 1.2) for _ in range(N)]
    return np.array([(m > 1.0).ravel() for m in maps])


def main():
    folder = pathlib.Path(__file__).resolve().parent.parent / "testdata/gss"
    folder.mkdir(exist_ok=True)
    data = masks()
    np.save(folder / "masks.npy", data.astype("u1"))
    affine = np.diag([-SIZES[0], SIZES[1], SIZES[2], 1.0])
    found = []
    for fwhm in (0, 6, 8):
        for overlap in (0.1, 0.25):
            _, labels = ParcelsGenerator._run(data, SHAPE, affine, fwhm, overlap, True)
            flat = labels.ravel().astype(int)
            share = [float(np.mean([m[flat == label].any() for m in data])) for label in range(1, flat.max() + 1)]
            found.append({"fwhm": fwhm, "voxel_overlap": overlap, "labels": flat.tolist(), "share": share})
    text = json.dumps({"shape": SHAPE, "sizes": SIZES, "parcels": found}, separators=(",", ":"))
    (folder / "parcels.json").write_text(text.replace("},{", "},\n{") + "\n")


if __name__ == "__main__":
    main()
