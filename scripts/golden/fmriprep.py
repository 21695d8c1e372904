"""A dataset as fMRIPrep publishes it, made small: same names, types and fields, 320 voxels, two subjects. And what
nilearn finds in it (`first_level_from_bids`), and NumPy.

testdata/golden/fmriprep/task-*_bold.json, sub-0*/func/*_events.tsv    the raw dataset (its images are not needed)
testdata/golden/fmriprep/derivatives/fmriprep/sub-0*/func/             two localizer runs (floc: blocks of faces, bodies,
    places, objects) and one of single pictures (main), int16 in MNI152NLin2009cAsym res-2, with masks and confounds;
    of sub-01 also hemispheres in fsaverage5 (40 vertices) and 91k grayordinates (40), which hold the series of the
    first 40 voxels of the mask of run 1, in the order of NumPy
testdata/golden/fmriprep/parcels.nii.gz, parcels.tsv                   search spaces of FFA, EBA and PPA
testdata/golden/fmriprep.json   subject -> contrast -> t of the voxels inside both masks (AR(1), SPM's response, motion);
                                their numbers; the slice time that nilearn takes from the sidecars; subject -> region ->
                                voxels of its t map above 3 inside the parcel
"""

import gzip
import json
import pathlib
import tempfile

import nibabel
import numpy as np
import pandas as pd
from nibabel import cifti2
from nilearn.glm.first_level import first_level_from_bids, make_first_level_design_matrix

from golden.files import random

TR, N = 2.0, 80
# To which fMRIPrep shifts slices that were taken between 0 and 1.95 s.
START = 0.975
SHAPE = (8, 8, 5)
AFFINE = np.array([[2.0, 0, 0, -8], [0, 2, 0, -60], [0, 0, 2, -20], [0, 0, 0, 1]])
SPACE = "space-MNI152NLin2009cAsym_res-2"
SUBJECTS = ("01", "02")
KINDS = ("faces", "bodies", "places", "objects")
# i, j, k of the corner of 2 x 3 x 3 voxels
REGIONS = {"FFA": ("faces", (1, 1, 1)), "EBA": ("bodies", (5, 1, 1)), "PPA": ("places", (3, 5, 1))}
CONTRASTS = {region: f"{kind} - objects" for region, (kind, _) in REGIONS.items()}
FLOC, MAIN = ("task-floc_run-1", "task-floc_run-2"), "task-main_run-1"


def region(name):
    mask = np.zeros(SHAPE, bool)
    corner = REGIONS[name][1]
    mask[tuple(slice(c, c + size) for c, size in zip(corner, (2, 3, 3)))] = True
    return mask


def brain(run):
    """Nearly the whole grid; another voxel is missing in every run."""
    mask = np.ones(SHAPE, bool)
    mask[0, :, 0] = mask[-1, :, -1] = False
    mask[7, 7, run] = False
    return mask


def localizer(rng):
    order = np.concatenate([rng.permutation(4) for _ in range(4)])
    rows = [(round(2.5 + 9.5 * k, 1), 6.0, KINDS[kind]) for k, kind in enumerate(order)]
    return pd.DataFrame(rows, columns=["onset", "duration", "trial_type"])


def single(rng):
    """Eight pictures, three times each."""
    pictures = [f"{kind}/{kind}-{k}.png" for kind in KINDS for k in (1, 2)]
    order = np.concatenate([rng.permutation(8) for _ in range(3)])
    rows = [(round(1.2 + 6.1 * k, 1), 2.0, pictures[p].split("/")[0], pictures[p]) for k, p in enumerate(order)]
    return pd.DataFrame(rows, columns=["onset", "duration", "trial_type", "stim_file"])


def confounds(rng, has_outlier):
    """The columns that fMRIPrep always writes of these kinds, n/a where a volume has none before it."""
    t = np.arange(N)
    table = {}
    for name, scale in (("trans_x", 0.1), ("trans_y", 0.1), ("trans_z", 0.2), ("rot_x", 2e-3), ("rot_y", 1e-3), ("rot_z", 1e-3)):
        motion = (np.cumsum(rng.normal(size=N)) * scale / 5).round(6)
        table[name] = motion
        table[f"{name}_derivative1"] = np.concatenate([[np.nan], np.diff(motion).round(6)])
        table[f"{name}_power2"] = (motion**2).round(9)
    table["framewise_displacement"] = np.concatenate([[np.nan], rng.uniform(0.05, 0.3, N - 1).round(5)])
    table["csf"] = (500 + rng.normal(size=N)).round(4)
    table["white_matter"] = (450 + rng.normal(size=N)).round(4)
    table["cosine00"] = (np.sqrt(2 / N) * np.cos(np.pi / N * (t + 0.5))).round(8)
    if has_outlier:
        table["motion_outlier00"] = (t == 33).astype(float)
    return pd.DataFrame(table)


def bold(rng, events, motion, mask):
    """About 1000 where the brain is, with 3 % for what a region prefers, 1 % for anything else, and motion."""
    times = (np.arange(N) + START / TR) * TR
    design = make_first_level_design_matrix(times, events[["onset", "duration", "trial_type"]], hrf_model="spm", drift_model=None)
    y = 1000 + 12 * rng.normal(size=(*SHAPE, N)) + 40 * motion["trans_y"].to_numpy()
    for name, (kind, _) in REGIONS.items():
        response = sum(design[k].to_numpy() * (30 if k == kind else 10) for k in KINDS)
        y[region(name)] += response
    return np.where(mask[..., None], y, 0).round().astype("<i2")


def image(data, dtype, tr=None):
    nifti = nibabel.Nifti1Image(data.astype(dtype), AFFINE)
    nifti.header.set_xyzt_units("mm", "sec" if tr else None)
    nifti.header.set_data_dtype(dtype)
    nifti.set_sform(AFFINE, 4)
    nifti.set_qform(AFFINE, 4)
    if tr:
        nifti.header["pixdim"][4] = tr
    return gzip.compress(nifti.to_bytes(), mtime=0)


def surface(series, side):
    arrays = [
        nibabel.gifti.GiftiDataArray(row.astype("f4"), intent="NIFTI_INTENT_TIME_SERIES", datatype="NIFTI_TYPE_FLOAT32")
        for row in series
    ]
    meta = nibabel.gifti.GiftiMetaData({"AnatomicalStructurePrimary": f"Cortex{side}"})
    return nibabel.gifti.GiftiImage(darrays=arrays, meta=meta).to_bytes()


def grayordinates(series):
    rows = cifti2.SeriesAxis(0, TR, len(series), unit="SECOND")
    left = cifti2.BrainModelAxis.from_surface(np.arange(20), 32492, "CortexLeft")
    right = cifti2.BrainModelAxis.from_surface(np.arange(20), 32492, "CortexRight")
    dense = cifti2.Cifti2Image(series.astype("f4"), (rows, left + right))
    dense.update_headers()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "x.dtseries.nii"
        nibabel.save(dense, path)
        return path.read_bytes()


def tsv(table):
    return table.to_csv(sep="\t", index=False, na_rep="n/a").encode()


def text(value):
    return (json.dumps(value, indent=2) + "\n").encode()


def dataset():
    files = {"dataset_description.json": text({"Name": "made up", "BIDSVersion": "1.8.0", "DatasetType": "raw"})}
    files["derivatives/fmriprep/dataset_description.json"] = text(
        {"Name": "fMRIPrep - fMRI PREProcessing workflow", "BIDSVersion": "1.4.0", "DatasetType": "derivative", "GeneratedBy": [{"Name": "fMRIPrep", "Version": "23.2.0"}]}
    )
    for task in ("floc", "main"):
        files[f"task-{task}_bold.json"] = text({"RepetitionTime": TR, "TaskName": task})
    corrected = {"RepetitionTime": TR, "SkullStripped": False, "SliceTimingCorrected": True, "StartTime": START}
    labels = np.zeros(SHAPE)
    for k, name in enumerate(REGIONS):
        labels[region(name)] = k + 1
    files["parcels.nii.gz"] = image(labels, "<i2")
    files["parcels.tsv"] = ("index\tname\n" + "".join(f"{k + 1}\t{name}\n" for k, name in enumerate(REGIONS))).encode()
    for s, subject in enumerate(SUBJECTS):
        for r, run in enumerate((*FLOC, MAIN)):
            rng = random(700 + 10 * s + r)
            stem = f"sub-{subject}/func/sub-{subject}_{run}"
            published = f"derivatives/fmriprep/{stem}"
            events = single(rng) if run == MAIN else localizer(rng)
            motion = confounds(rng, r == 1)
            mask = brain(r)
            y = bold(rng, events, motion, mask)
            files[f"{stem}_events.tsv"] = tsv(events)
            files[f"{published}_desc-confounds_timeseries.tsv"] = tsv(motion)
            files[f"{published}_desc-confounds_timeseries.json"] = text({name: {"Method": "made up"} for name in motion.columns[:1]})
            files[f"{published}_{SPACE}_desc-preproc_bold.nii.gz"] = image(y, "<i2", TR)
            files[f"{published}_{SPACE}_desc-preproc_bold.json"] = text(corrected | {"TaskName": run[5:9]})
            files[f"{published}_{SPACE}_desc-brain_mask.nii.gz"] = image(mask, "|u1")
            files[f"{published}_{SPACE}_desc-brain_mask.json"] = text({"Type": "Brain"})
            files[f"{published}_{SPACE}_boldref.nii.gz"] = image(y.mean(3), "<i2")
            if subject == "01" and run in FLOC:
                series = y[brain(0)][:40].T
                for side, half in (("L", "Left"), ("R", "Right")):
                    files[f"{published}_hemi-{side}_space-fsaverage5_bold.func.gii"] = surface(series, half)
                    files[f"{published}_hemi-{side}_space-fsaverage5_bold.json"] = text({"SliceTimingCorrected": True, "StartTime": START})
                files[f"{published}_space-fsLR_den-91k_bold.dtseries.nii"] = grayordinates(series)
                files[f"{published}_space-fsLR_den-91k_bold.json"] = text(corrected | {"Density": "91k"})
    return files


def nilearns(folder):
    """t of every contrast, by nilearn's own way through such a folder."""
    inside = brain(0) & brain(1)
    found = {"inside": np.flatnonzero(inside.reshape(-1)), "t": {}, "above_3": {}}
    models, runs, events, motion = first_level_from_bids(
        folder,
        "floc",
        space_label="MNI152NLin2009cAsym",
        img_filters=[("desc", "preproc")],
        hrf_model="spm",
        mask_img=nibabel.Nifti1Image(inside.astype("u1"), AFFINE),
        derivatives_folder="derivatives/fmriprep",
        confounds_strategy=("motion",),
        confounds_motion="basic",
    )
    for subject, model, images, tables, regressors in zip(SUBJECTS, models, runs, events, motion):
        assert len(images) == 2 and model.t_r == TR
        found["slice_time_ref"] = model.slice_time_ref
        # In f8 from the first: nilearn would scale to per cent in the f4 in which it loads images.
        images = [nibabel.Nifti1Image(nibabel.load(i).get_fdata(), AFFINE) for i in images]
        model.fit(images, events=tables, confounds=regressors)
        t = {name: model.compute_contrast(contrast, output_type="stat").get_fdata() for name, contrast in CONTRASTS.items()}
        found["t"][subject] = {name: values[inside] for name, values in t.items()}
        found["above_3"][subject] = {name: np.flatnonzero(((values > 3) & region(name) & inside).reshape(-1)) for name, values in t.items()}
    return found


def make(testdata):
    files = dataset()
    for name, data in files.items():
        testdata.write(f"golden/fmriprep/{name}", data)
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        found = nilearns(folder)
    testdata.json("golden/fmriprep.json", found)
