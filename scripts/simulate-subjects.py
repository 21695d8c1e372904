#!/usr/bin/env python3
"""Simulate the brain responses of several subjects, with a known ground truth. Nothing here was measured on a person.

    simulate-subjects.py --features FEATURES.npy --stimuli TABLE.csv OUT_DIR

INPUT   FEATURES.npy  a labelled matrix (rows = stimuli): what the network part of the signal is made of, such as the
                      activations of one layer. The .npy matrix is followed in the same file by its ids.
        TABLE.csv     columns stimulus, --by (domain) and --split (half); both must hold the same stimuli.

OUTPUT  OUT_DIR/simulated_parameters.json     every option and the seed
        OUT_DIR/simulated_truth_regions.csv   per subject and region, from the noise-free signals (see below)
        OUT_DIR/simulated_parcels.nii.gz, .tsv  search spaces of the four areas, the same for all subjects
        OUT_DIR/sub-NN/simulated_localizer_betas.npy  (trials of one half of the pictures) x voxels, labelled
        OUT_DIR/sub-NN/simulated_main_betas.npy       (trials of all pictures) x voxels, labelled
        OUT_DIR/sub-NN/simulated_truth.csv    voxel,i,j,k,x,y,z,roi,domain,ncsnr,category,network,shared,subject
        with --nifti, per subject simulated_localizer_betas.nii.gz and simulated_localizer_trials.csv (row i is volume i)
        Trials are ordered by presentation round, and within a round as in the table. An id that occurs again is a repeat.

MODEL   Every subject has four areas of --area-voxels voxels, each around its own jittered centre in a grid of 14 x 14 x 6
        voxels of 3 mm: simFFA (faces), simEBA (bodies), simPPA (places), simLO (objects); the rest is background.
        A voxel's signal is, over all stimuli, of variance 1, in four parts with the variance shares of --shares:

          category  the mean response to each domain: the area's profile (AREA_PROFILES) and a deviation of its own
          network   principal components of FEATURES, within domains
          shared    a stimulus-level part that all subjects have and the features have not
          subject   a stimulus-level part that this subject alone has

        The last three have no differences between domains, so category is all that a localizer can find. In each,
        loadings = sqrt(m) x those of the area (the same in all subjects) + sqrt(1 - m) x those of the voxel, with m =
        --common-loading: the first makes mean profiles agree, the second makes patterns. (The area's loadings on the
        subject part are the subject's own.) Background voxels have the same parts without the first, and --background-ncsnr.

          trial = signal + noise, noise ~ N(0, 1 / ncsnr^2), of which the share --noise-correlation is common to all voxels

        ncsnr is log-normal over voxels, with median --ncsnr and standard deviation of the logarithm --ncsnr-spread.

TRUTH   simulated_truth_regions.csv: subject,roi,domain,n_voxels,ncsnr (median) and, from the noise-free signals,
          human_human_profile   median over the other subjects of the Pearson r between mean responses over the region
          human_human_rdm       the same for representational dissimilarities (1 - Pearson, compared by Pearson)
          model_max_profile     r of the mean response with its category and network parts: no model made of FEATURES
                                and category can do better, but by chance
          features_rdm          r between the dissimilarities of all FEATURES and those of the region
"""

import argparse
import csv
import gzip
import json
import pathlib
import shutil
import struct
import sys

import numpy as np

GRID = (14, 14, 6)
VOXEL_MM = 3.0
# Mean response to each domain, preferred = 1. Domains of the table that are not named here count as 0.
AREA_PROFILES = {
    "simFFA": {"faces": 1.0, "bodies": 0.3, "objects": 0.1, "characters": 0.1},
    "simEBA": {"bodies": 1.0, "faces": 0.3, "objects": 0.2},
    "simPPA": {"places": 1.0, "objects": 0.3},
    "simLO": {"objects": 1.0, "bodies": 0.4, "faces": 0.3, "places": 0.3, "characters": 0.2},
}
AREA_CENTRES = {"simFFA": (3.5, 3.5, 2.5), "simEBA": (3.5, 9.5, 2.5), "simPPA": (9.5, 3.5, 2.5), "simLO": (9.5, 9.5, 2.5)}
PARCEL_RADIUS = 4.0
BACKGROUND = "background"
PARTS = ["category", "network", "shared", "subject"]


def read_labelled(path):
    with open(path, "rb") as file:
        matrix = np.load(file)
        try:
            labels = np.load(file)
        except (EOFError, ValueError):
            sys.exit(f"simulate-subjects: {path}: no ids behind the matrix; make it with ann-acts, or add them with npy label")
    if matrix.ndim != 2 or labels.shape != matrix.shape[:1]:
        sys.exit(f"simulate-subjects: {path}: {labels.shape} ids for a matrix of shape {matrix.shape}")
    return matrix.astype(np.float64), labels.tolist()


def read_inputs(arguments):
    """Features in the order of the table, and of each stimulus its id, domain and half."""
    features, labels = read_labelled(arguments.features)
    with open(arguments.stimuli, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ids = [row["stimulus"] for row in rows]
    if len(set(labels)) != len(labels) or set(labels) != set(ids):
        sys.exit(
            f"simulate-subjects: {len(labels)} rows of {arguments.features} and {len(ids)} stimuli of {arguments.stimuli} "
            f"are not the same set ({len(set(labels) & set(ids))} in common)"
        )
    row_of = {label: row for row, label in enumerate(labels)}
    features = features[[row_of[i] for i in ids]]
    if not np.isfinite(features).all():
        sys.exit(f"simulate-subjects: {arguments.features}: values that are not finite")
    domains = np.array([row[arguments.by] for row in rows])
    halves = np.array([row[arguments.split] for row in rows])
    return features, np.array(ids), domains, halves


def within_domains(matrix, domains):
    """Columns with the mean of each domain removed."""
    centred = matrix.copy()
    for domain in np.unique(domains):
        centred[domains == domain] -= matrix[domains == domain].mean(axis=0)
    return centred


def unit_variance(matrix):
    """Columns of mean 0 and variance 1; a column without variance becomes 0."""
    centred = matrix - matrix.mean(axis=0)
    deviation = centred.std(axis=0)
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 1e-12)


def principal_components(features, domains, n_components):
    """Scores of the leading components within domains, each unit scaled first; their spread is kept."""
    left, singular, _ = np.linalg.svd(within_domains(unit_variance(features), domains), full_matrices=False)
    scores = left[:, :n_components] * singular[:n_components]
    # The sign of a component is the library's choice: its largest score is made positive.
    largest = np.abs(scores).argmax(axis=0)
    return scores * np.sign(scores[largest, np.arange(scores.shape[1])])


def grid_coordinates():
    """(n_voxels, 3) grid places in voxel order: voxel = (i * ny + j) * nz + k."""
    return np.stack(np.meshgrid(*map(np.arange, GRID), indexing="ij"), axis=-1).reshape(-1, 3)


def affine():
    """Grid place to millimetres, with the middle of the grid at 0."""
    matrix = np.diag([VOXEL_MM] * 3 + [1.0])
    matrix[:3, 3] = [-VOXEL_MM * (n - 1) / 2 for n in GRID]
    return matrix


def place_areas(random, n_area, jitter):
    """Name of each voxel's area, or background: the voxels nearest to the area's jittered centre."""
    grid = grid_coordinates()
    roi = np.full(len(grid), BACKGROUND, dtype="<U10")
    for name, centre in AREA_CENTRES.items():
        distance = np.linalg.norm(grid - (np.array(centre) + random.uniform(-jitter, jitter, 3)), axis=1)
        distance[roi != BACKGROUND] = np.inf
        roi[np.argsort(distance, kind="stable")[:n_area]] = name
    return roi


def stimulus_part(random, scores, area_loadings, roi, common):
    """Signal of one stimulus-level part: scores times loadings that are partly the area's, partly the voxel's."""
    own = random.standard_normal((scores.shape[1], len(roi)))
    for name, loadings in area_loadings.items():
        inside = roi == name
        own[:, inside] = np.sqrt(common) * loadings[:, None] + np.sqrt(1 - common) * own[:, inside]
    return unit_variance(scores @ own)


def category_part(random, domains, roi, deviation):
    """Mean response of each voxel to each domain: the area's profile and a deviation of the voxel's own; 0 outside."""
    names = np.unique(domains)
    means = np.zeros((len(names), len(roi)))
    for area, profile in AREA_PROFILES.items():
        inside = roi == area
        means[:, inside] = np.array([profile.get(name, 0.0) for name in names])[:, None]
        means[:, inside] += deviation * random.standard_normal((len(names), inside.sum()))
    return unit_variance(means[np.searchsorted(names, domains)])


class Population:
    """What all subjects have in common: the latent scores of each part and the areas' loadings on them."""

    def __init__(self, features, domains, arguments):
        random = np.random.Generator(np.random.PCG64([arguments.seed, 0]))
        self.domains = domains
        n_latent = arguments.components
        self.network = principal_components(features, domains, n_latent)
        self.shared = within_domains(random.standard_normal((len(domains), n_latent)), domains)
        self.loadings = {
            part: self.area_loadings(random, n) for part, n in (("network", self.network.shape[1]), ("shared", n_latent))
        }

    @staticmethod
    def area_loadings(random, n_latent):
        return {name: random.standard_normal(n_latent) for name in AREA_PROFILES}


class Subject:
    """One simulated subject: its areas, its noise-free signal by part, and its ncsnr."""

    def __init__(self, number, population, arguments):
        self.random = random = np.random.Generator(np.random.PCG64([arguments.seed, number]))
        self.name = f"sub-{number:02}"
        domains, common = population.domains, arguments.common_loading
        self.roi = place_areas(random, arguments.area_voxels, arguments.jitter)
        own_scores = within_domains(random.standard_normal((len(domains), arguments.components)), domains)
        own_loadings = population.area_loadings(random, arguments.components)
        parts = {
            "category": category_part(random, domains, self.roi, arguments.category_deviation),
            "network": stimulus_part(random, population.network, population.loadings["network"], self.roi, common),
            "shared": stimulus_part(random, population.shared, population.loadings["shared"], self.roi, common),
            "subject": stimulus_part(random, own_scores, own_loadings, self.roi, common),
        }
        background = self.roi == BACKGROUND
        shares = np.repeat(np.array(arguments.shares)[:, None], len(self.roi), axis=1)
        shares[0, background] = 0
        shares /= shares.sum(axis=0)
        self.parts = {part: np.sqrt(share) * parts[part] for part, share in zip(PARTS, shares, strict=True)}
        # The stimulus-level parts are nearly, not exactly, uncorrelated: one scale per voxel makes the variance 1 again.
        total = sum(self.parts.values())
        scale = 1 / total.std(axis=0)
        self.parts = {part: signal * scale for part, signal in self.parts.items()}
        self.signal = total * scale - (total * scale).mean(axis=0)
        self.shares = {part: signal.var(axis=0) for part, signal in self.parts.items()}
        self.ncsnr = arguments.ncsnr * np.exp(arguments.ncsnr_spread * random.standard_normal(len(self.roi)))
        self.ncsnr[background] *= arguments.background_ncsnr / arguments.ncsnr
        self.noise_correlation = arguments.noise_correlation

    def trials(self, rows, n_trials):
        """(n_trials * len(rows), n_voxels) single-trial betas, one round of presentations after another."""
        signal = np.tile(self.signal[rows], (n_trials, 1))
        own = self.random.standard_normal(signal.shape)
        common = self.random.standard_normal((len(signal), 1))
        noise = np.sqrt(1 - self.noise_correlation) * own + np.sqrt(self.noise_correlation) * common
        return (signal + noise / self.ncsnr).astype(np.float32)

    def profile(self, name):
        return self.signal[:, self.roi == name].mean(axis=1)

    def model_part_profile(self, name):
        return (self.parts["category"] + self.parts["network"])[:, self.roi == name].mean(axis=1)

    def rdm(self, name):
        return correlation_distances(self.signal[:, self.roi == name])


def correlation_distances(patterns):
    """Strict upper triangle of 1 - Pearson between rows."""
    return (1 - np.corrcoef(patterns))[np.triu_indices(len(patterns), 1)]


def pearson(a, b):
    return float(np.corrcoef(a, b)[0, 1])


def region_truth(subjects, features):
    features_rdm = correlation_distances(features)
    for name, profile in AREA_PROFILES.items():
        profiles = [subject.profile(name) for subject in subjects]
        rdms = [subject.rdm(name) for subject in subjects]
        for i, subject in enumerate(subjects):
            others = [j for j in range(len(subjects)) if j != i]
            yield {
                "subject": subject.name,
                "roi": name,
                "domain": max(profile, key=profile.get),
                "n_voxels": int((subject.roi == name).sum()),
                "ncsnr": float(np.median(subject.ncsnr[subject.roi == name])),
                "human_human_profile": float(np.median([pearson(profiles[i], profiles[j]) for j in others]))
                if others
                else float("nan"),
                "human_human_rdm": float(np.median([pearson(rdms[i], rdms[j]) for j in others])) if others else float("nan"),
                "model_max_profile": pearson(profiles[i], subject.model_part_profile(name)),
                "features_rdm": pearson(rdms[i], features_rdm),
            }


def voxel_truth(subject):
    grid = grid_coordinates()
    millimetres = grid @ affine()[:3, :3].T + affine()[:3, 3]
    for voxel, (name, ncsnr) in enumerate(zip(subject.roi.tolist(), subject.ncsnr.tolist(), strict=True)):
        profile = AREA_PROFILES.get(name)
        yield {
            "voxel": voxel,
            **dict(zip("ijk", grid[voxel].tolist(), strict=True)),
            **dict(zip("xyz", millimetres[voxel].tolist(), strict=True)),
            "roi": name,
            "domain": max(profile, key=profile.get) if profile else "",
            "ncsnr": ncsnr,
            **{part: float(subject.shares[part][voxel]) for part in PARTS},
        }


def write_table(path, rows, delimiter=","):
    rows = list(rows)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_labelled(path, matrix, ids):
    with open(path, "wb") as file:
        np.save(file, matrix)
        np.save(file, np.asarray(ids, dtype=str))


def write_nifti(path, volumes):
    """NIfTI-1, one gzip file. `volumes` is (n_voxels,) or (n_volumes, n_voxels), in voxel order; i runs fastest on disk."""
    codes = {np.dtype("<f4"): 16, np.dtype("<i2"): 4}
    grids = np.atleast_2d(volumes).reshape(-1, *GRID)
    dimensions = [4 if volumes.ndim == 2 else 3, *GRID, len(grids), 1, 1, 1]
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, *dimensions)
    struct.pack_into("<2h", header, 70, codes[volumes.dtype], volumes.dtype.itemsize * 8)
    struct.pack_into("<8f", header, 76, 1, VOXEL_MM, VOXEL_MM, VOXEL_MM, 1, 0, 0, 0)
    struct.pack_into("<3f", header, 108, 352, 1, 0)  # vox_offset, scl_slope, scl_inter
    struct.pack_into("<B", header, 123, 2)  # xyzt_units: millimetres
    struct.pack_into("<80s", header, 148, b"simulated")
    struct.pack_into("<h", header, 254, 1)  # sform_code: scanner coordinates
    struct.pack_into("<12f", header, 280, *affine()[:3].ravel())
    struct.pack_into("<4s", header, 344, b"n+1")
    data = b"".join(grid.ravel(order="F").tobytes() for grid in grids)
    # A fixed time, so that the same numbers give the same file.
    path.write_bytes(gzip.compress(bytes(header) + data, compresslevel=4, mtime=0))


def write_parcels(out):
    grid = grid_coordinates()
    parcels = np.zeros(len(grid), "<i2")
    distances = np.stack([np.linalg.norm(grid - np.array(centre), axis=1) for centre in AREA_CENTRES.values()])
    nearest = distances.argmin(axis=0)
    inside = distances.min(axis=0) <= PARCEL_RADIUS
    parcels[inside] = nearest[inside] + 1
    write_nifti(out / "simulated_parcels.nii.gz", parcels)
    rows = [{"index": index, "name": name} for index, name in enumerate(AREA_CENTRES, start=1)]
    write_table(out / "simulated_parcels.tsv", rows, delimiter="\t")


def write_subject(out, subject, ids, halves, arguments):
    folder = out / subject.name
    folder.mkdir()
    localizer_rows = np.flatnonzero(halves == arguments.localizer_half)
    localizer = subject.trials(localizer_rows, arguments.localizer_trials)
    localizer_ids = np.tile(ids[localizer_rows], arguments.localizer_trials)
    main = subject.trials(np.arange(len(ids)), arguments.main_trials)
    write_labelled(folder / "simulated_localizer_betas.npy", localizer, localizer_ids)
    write_labelled(folder / "simulated_main_betas.npy", main, np.tile(ids, arguments.main_trials))
    write_table(folder / "simulated_truth.csv", voxel_truth(subject))
    if arguments.nifti:
        write_nifti(folder / "simulated_localizer_betas.nii.gz", localizer)
        domain_of = dict(zip(ids.tolist(), arguments.domains.tolist(), strict=True))
        rows = [{"stimulus": i, arguments.by: domain_of[i]} for i in localizer_ids.tolist()]
        write_table(folder / "simulated_localizer_trials.csv", rows)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--features", type=pathlib.Path, required=True)
    add("--stimuli", type=pathlib.Path, required=True)
    add("--by", default="domain", help="column of the domains [%(default)s]")
    add("--split", default="half", help="column of the halves [%(default)s]")
    add("--localizer-half", default="odd", help="the half shown in the localizer [%(default)s]")
    add("--subjects", type=int, default=8, help="[%(default)s]")
    add("--seed", type=int, default=0, help="[%(default)s]")
    add("--localizer-trials", type=int, default=4, help="presentations of each localizer picture [%(default)s]")
    add("--main-trials", type=int, default=3, help="presentations of each picture in the main runs [%(default)s]")
    add("--area-voxels", type=int, default=80, help="voxels of each area [%(default)s]")
    add("--jitter", type=float, default=1.0, help="largest shift of an area's centre along each axis, in voxels [%(default)s]")
    add("--components", type=int, default=20, help="latent dimensions of each stimulus-level part [%(default)s]")
    add(
        "--shares",
        type=float,
        nargs=4,
        default=[0.3, 0.15, 0.4, 0.15],
        metavar=tuple(PARTS),
        help="variance shares [%(default)s]",
    )
    add("--common-loading", type=float, default=0.4, help="share of the loadings that is the area's [%(default)s]")
    add("--category-deviation", type=float, default=0.4, help="spread of the voxels' own means to a domain [%(default)s]")
    add("--ncsnr", type=float, default=0.9, help="median ratio of signal to noise standard deviation [%(default)s]")
    add("--ncsnr-spread", type=float, default=0.3, help="standard deviation of its logarithm [%(default)s]")
    add("--background-ncsnr", type=float, default=0.2, help="median outside the areas [%(default)s]")
    add("--noise-correlation", type=float, default=0.05, help="share of noise variance common to all voxels [%(default)s]")
    add("--nifti", action="store_true", help="also write the localizer as NIfTI")
    add("out", type=pathlib.Path)
    arguments = parser.parse_args()
    if min(arguments.shares) < 0 or sum(arguments.shares[1:]) <= 0:
        parser.error("--shares: none may be negative, and the last three must not all be 0")
    if not 0 <= arguments.common_loading <= 1 or not 0 <= arguments.noise_correlation <= 1:
        parser.error("--common-loading and --noise-correlation lie between 0 and 1")
    if (
        min(arguments.subjects, arguments.localizer_trials, arguments.main_trials, arguments.area_voxels, arguments.components)
        < 1
    ):
        parser.error("--subjects, --localizer-trials, --main-trials, --area-voxels and --components are at least 1")
    if min(arguments.ncsnr, arguments.background_ncsnr) <= 0:
        parser.error("--ncsnr and --background-ncsnr are greater than 0")
    return arguments


def main():
    arguments = parse_arguments()
    features, ids, domains, halves = read_inputs(arguments)
    if not (halves == arguments.localizer_half).any():
        sys.exit(f"simulate-subjects: {arguments.stimuli}: no stimulus has {arguments.split} = {arguments.localizer_half}")
    parameters = {"simulated": True} | {name: str(v) if isinstance(v, pathlib.Path) else v for name, v in vars(arguments).items()}
    arguments.domains = domains

    marker = "simulated_parameters.json"
    if arguments.out.exists() and not (arguments.out / marker).exists():
        sys.exit(f"simulate-subjects: {arguments.out}: exists and is not an earlier simulation; name another folder")
    part = arguments.out.with_name(arguments.out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)

    population = Population(features, domains, arguments)
    subjects = [Subject(number, population, arguments) for number in range(1, arguments.subjects + 1)]
    for subject in subjects:
        write_subject(part, subject, ids, halves, arguments)
    write_parcels(part)
    write_table(part / "simulated_truth_regions.csv", region_truth(subjects, features))
    (part / marker).write_text(json.dumps(parameters, indent=2) + "\n", encoding="utf-8")

    if arguments.out.exists():
        shutil.rmtree(arguments.out)
    part.rename(arguments.out)
    n_localizer = int((halves == arguments.localizer_half).sum())
    print(
        f"simulate-subjects: {len(subjects)} SIMULATED subjects, {len(subjects[0].roi)} voxels each, {n_localizer} localizer pictures "
        f"x {arguments.localizer_trials} trials, {len(ids)} pictures x {arguments.main_trials} trials, in {arguments.out}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
