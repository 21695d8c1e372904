#!/bin/sh
# Makes testdata/gss again, in a Python environment of its own: funROI asks for another nilearn than the other golden
# values are made with. Same versions: same bytes.
set -eu
cd "$(dirname "$0")/.."

venv=build/golden-funroi-venv
stamp=$venv/requirements.installed
if ! cmp -s scripts/golden-funroi-requirements.txt "$stamp"; then
    rm -rf "$venv"
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps \
        --requirement scripts/golden-funroi-requirements.txt
    cp scripts/golden-funroi-requirements.txt "$stamp"
fi
exec "$venv/bin/python" scripts/golden-funroi.py
