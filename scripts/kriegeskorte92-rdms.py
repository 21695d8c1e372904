#!/usr/bin/env python3
"""The four people's hIT RDMs of Kriegeskorte et al. (2008) as one stream: session means, one square RDM per subject.

    kriegeskorte92-rdms.py FOLDER > brains.npy

FOLDER/hIT_rdms_subj4_sess2.npy is (4 subjects, 2 sessions, 92, 92); FOLDER/stimuli.csv names the 92 rows (column path).
Written back to back: a 92 x 92 matrix and its 92 ids, four times; `rsa compare --brain` reads that.
"""

import csv
import pathlib
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1])
rdms = np.load(folder / "hIT_rdms_subj4_sess2.npy").mean(axis=1, dtype=np.float64)
with open(folder / "stimuli.csv", newline="", encoding="utf-8") as table:
    ids = np.array([row["path"] for row in csv.DictReader(table)])
if rdms.shape[1:] != (len(ids), len(ids)):
    sys.exit(f"kriegeskorte92-rdms: {rdms.shape[1:]} dissimilarities for {len(ids)} stimuli")
for square in rdms:
    # The diagonal of the published files is 0 up to rounding; an RDM's is 0.
    np.fill_diagonal(square, 0)
    np.save(sys.stdout.buffer, (square + square.T) / 2)
    np.save(sys.stdout.buffer, ids)
