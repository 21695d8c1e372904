#!/usr/bin/env python3
"""Writes a folder as the Natural Scenes Dataset publishes it, with made-up numbers: to try crates/fmri-roi/from-nsd.md
without the data.

    build/golden-venv/bin/python scripts/make-nsd-folder.py nsd --subjects 2 --sessions 3 --pictures 100

In: nothing. Out: betas_sessionNN.hdf5, the drawings floc-{faces,bodies,places} with their names, and responses.tsv of
every subject, at the paths and in the types of NSD. Needs numpy, h5py and nibabel (the Python of `make golden`).
"""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True

from golden import nsd  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--subjects", type=int, default=2)
    parser.add_argument("--sessions", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=16, help="three trials of each (a multiple of the sessions)")
    parser.add_argument("--shape", type=int, nargs=3, metavar=("X", "Y", "Z"), help="81 104 83 is subj01's")
    parser.add_argument("--seed", type=int, default=31)
    args = parser.parse_args()
    if args.pictures * 3 % args.sessions:
        parser.error(f"--pictures {args.pictures}: {args.pictures * 3} trials do not fill {args.sessions} sessions alike")
    if args.folder.exists():
        parser.error(f"{args.folder} is there already")
    shape = tuple(args.shape) if args.shape else None
    files, _ = nsd.folder(args.subjects, args.sessions, args.pictures, args.seed, shape)
    for path, data in files.items():
        (args.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (args.folder / path).write_bytes(data)
    print(f"{args.folder}: {len(files)} files, {sum(map(len, files.values()))} bytes")


if __name__ == "__main__":
    main()
