"""Writes testdata/golden and testdata/pictures: what the reference libraries say about small seeded inputs.

Run it through scripts/golden.sh, which pins the libraries; testdata/README.md says what each file is.
"""

import pathlib
import sys
import warnings

sys.dont_write_bytecode = True

from golden import (  # noqa: E402
    ablation,
    alignments,
    brain_pictures,
    ceilings,
    distances,
    distributions,
    encoding,
    fitted,
    fold_noise,
    formats,
    fmri,
    fmriprep,
    glm,
    grouped,
    gsn,
    hdf5,
    hypergeometric,
    inference,
    input_tensors,
    matching,
    meshes,
    model_rdms,
    npy_files,
    nsd,
    odd_pictures,
    partials,
    pictures,
    projection,
    rdms,
    repeats,
    regressions,
    resampled,
    ridge,
    scaling,
    searchlights,
    systems,
    unit_stats,
    units,
)
from golden.files import Testdata  # noqa: E402


def main():
    warnings.simplefilter("ignore")  # the hard inputs are there to be warned about
    testdata = Testdata()
    made = (distributions, hypergeometric, npy_files, pictures, odd_pictures, input_tensors, units, unit_stats, rdms, distances, repeats, fold_noise, ridge, encoding, ceilings, gsn)
    brains = (fmri, fmriprep, meshes, resampled, glm, formats, hdf5, nsd)
    for part in (*made, *brains, projection, scaling, searchlights, systems, alignments, inference, fitted, grouped, model_rdms, regressions, partials, matching, ablation, brain_pictures):
        part.make(testdata)
    testdata.save(pathlib.Path(__file__).resolve().parent.parent / "testdata")
    total = sum(len(data) for data in testdata.files.values())
    print(f"golden: {len(testdata.files)} files, {total} bytes in testdata/golden and testdata/pictures")


if __name__ == "__main__":
    main()
