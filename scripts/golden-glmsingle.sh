#!/bin/sh
# Makes testdata/glmsingle again, in a Python environment of its own. GLMsingle is on no package registry: the argument is
# the folder of a checkout of github.com/cvnlab/GLMsingle at 1ab54a6. Same versions: same choices, betas to 1e-9.
set -eu
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "golden-glmsingle.sh: needs the folder of a checkout of github.com/cvnlab/GLMsingle" >&2; exit 2; }

venv=build/golden-glmsingle-venv
stamp=$venv/requirements.installed
if ! cmp -s scripts/golden-glmsingle-requirements.txt "$stamp"; then
    rm -rf "$venv"
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps \
        --requirement scripts/golden-glmsingle-requirements.txt
    cp scripts/golden-glmsingle-requirements.txt "$stamp"
fi
exec "$venv/bin/python" scripts/golden-glmsingle.py "$@"
