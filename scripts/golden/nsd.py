"""A folder as the Natural Scenes Dataset publishes it, small and made up, and numpy's matrices of its regions.

Names, types and scale factors are NSD's (Allen et al. 2022, and its data manual); numbers and drawings are made up.
`scripts/make-nsd-folder.py` writes such a folder of any size; this one is in testdata:

testdata/golden/nsd/folder/...                the files of two subjects, two sessions each
testdata/golden/nsd/{subj01,subj02}-FFA.npy   z scores of per cent within sessions (n in the denominator), averaged over the
                          EBA.npy PPA.npy     trials of a picture, in the order in which pictures first appear; then their ids
"""

import gzip
import io

import h5py
import nibabel
import numpy as np

from golden.files import random

BETAS = "betas_fithrf_GLMdenoise_RR"
NAMES = {
    "floc-faces": ["Unknown", "OFA", "FFA-1", "FFA-2", "mTL-faces", "aTL-faces"],
    "floc-bodies": ["Unknown", "EBA", "FBA-1", "FBA-2", "mTL-bodies"],
    "floc-places": ["Unknown", "OPA", "PPA", "RSC"],
}
REGIONS = {"FFA": ("floc-faces", [2, 3]), "EBA": ("floc-bodies", [1]), "PPA": ("floc-places", [2])}
SHAPES = [(7, 6, 5), (6, 5, 7)]  # every subject has a grid of its own
COLUMNS = "SUBJECT SESSION RUN TRIAL 73KID 10KID TIME ISOLD ISCORRECT RT".split()


def nifti(data, affine):
    """Bytes of a .nii.gz without a time in its header."""
    image = nibabel.Nifti1Image(data, affine)
    return gzip.compress(image.to_bytes(), mtime=0)


def hdf5(betas):
    holder = io.BytesIO()
    with h5py.File(holder, "w") as file:
        file.create_dataset("betas", data=betas)
    return holder.getvalue()


def subject(number, n_sessions, n_pictures, shape, rng):
    """The files of one subject, and its betas, pictures, sessions and drawings for whoever compares."""
    name = f"subj{number:02d}"
    ppdata, files = f"nsddata/ppdata/{name}", {}
    affine = np.diag([1.8, 1.8, 1.8, 1.0])
    affine[:3, 3] = -0.9 * (np.array(shape) - 1)
    drawings = {}
    for kind, names in NAMES.items():
        # Left and right of the middle are drawn apart; -1 is outside the surface that was drawn on.
        drawn = rng.choice(np.arange(-1, len(names)), size=shape, p=[0.3] + [0.7 / len(names)] * len(names)).astype("<i2")
        drawings[kind] = drawn
        left = np.arange(shape[0]) < shape[0] // 2
        sides = {"": drawn, "lh.": np.where(left[:, None, None], drawn, -1), "rh.": np.where(left[:, None, None], -1, drawn)}
        for side, data in sides.items():
            files[f"{ppdata}/func1pt8mm/roi/{side}{kind}.nii.gz"] = nifti(data.astype("<i2"), affine)
        table = "".join(f"{label} {text}\n" for label, text in enumerate(names))
        files[f"nsddata/freesurfer/{name}/label/{kind}.mgz.ctab"] = table.encode()

    # Every picture three times, over all sessions; ids are places among the 73000 pictures, from 1.
    pictures = np.sort(rng.choice(np.arange(1, 73001), size=n_pictures, replace=False))
    trials = rng.permutation(np.repeat(pictures, 3))
    per_session = len(trials) // n_sessions
    sessions = np.repeat(np.arange(1, n_sessions + 1), per_session)
    trials = trials[: len(sessions)]
    pattern = {picture: rng.normal(size=shape) for picture in pictures}
    gain = rng.uniform(0.5, 2.0, size=shape)
    betas = np.stack([gain * (pattern[trial] + rng.normal(size=shape)) + session for trial, session in zip(trials, sessions)])
    stored = np.clip(np.rint(betas * 300), -32768, 32767).astype("<i2")
    # A voxel at the edge has no data in the last session: NSD writes 0.
    edge = tuple(np.argwhere(drawings["floc-bodies"] == 1)[0])
    stored[(sessions == n_sessions, *edge)] = 0
    for session in range(1, n_sessions + 1):
        # MATLAB writes X, Y, Z, trials; h5py sees the axes the other way round.
        data = stored[sessions == session].transpose(0, 3, 2, 1)
        path = f"nsddata_betas/ppdata/{name}/func1pt8mm/{BETAS}/betas_session{session:02d}.hdf5"
        files[path] = hdf5(np.ascontiguousarray(data))

    # The sessions that are not there (yet) have rows in the table of responses too.
    lines = ["\t".join(COLUMNS)]
    more = [(n_sessions + 1, trial) for trial in rng.permutation(pictures)[:6]]
    for at, (session, trial) in enumerate([*zip(sessions, trials), *more]):
        within = at % per_session
        cells = [number, session, within // 8 + 1, within % 8 + 1, trial, np.searchsorted(pictures, trial) + 1]
        lines.append("\t".join(map(str, [*cells, f"{0.5 + at / 86400:.6f}", int(at > 40), "NaN", f"{800 + 7 * at}"])))
    files[f"{ppdata}/behav/responses.tsv"] = ("\n".join(lines) + "\n").encode()
    return files, {"betas": stored, "trials": trials, "sessions": sessions, "drawings": drawings}


def folder(n_subjects, n_sessions, n_pictures, seed=31, shape=None):
    """Paths below the folder of NSD with their bytes, and what is in them, by subject."""
    rng, files, made = random(seed), {}, {}
    for number in range(1, n_subjects + 1):
        own, truth = subject(number, n_sessions, n_pictures, shape or SHAPES[(number - 1) % 2], rng)
        files |= own
        made[f"subj{number:02d}"] = truth
    return files, made


def region(truth, kind, labels):
    """One row per picture: per cent, z scores within each session, averaged; and the pictures."""
    inside = np.isin(truth["drawings"][kind], labels)
    z = truth["betas"][:, inside] / 300
    for session in np.unique(truth["sessions"]):
        rows = truth["sessions"] == session
        with np.errstate(invalid="ignore"):
            z[rows] = (z[rows] - z[rows].mean(axis=0)) / z[rows].std(axis=0)
    pictures = list(dict.fromkeys(truth["trials"].tolist()))
    rows = np.stack([z[truth["trials"] == picture].mean(axis=0) for picture in pictures])
    return rows, np.array([str(picture) for picture in pictures])


def make(testdata):
    files, made = folder(2, 2, 16)
    for path, data in files.items():
        testdata.write(f"golden/nsd/folder/{path}", data)
    for name, truth in made.items():
        for roi, (kind, labels) in REGIONS.items():
            testdata.array(f"golden/nsd/{name}-{roi}.npy", *region(truth, kind, labels))
