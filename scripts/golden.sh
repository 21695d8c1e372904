#!/bin/sh
# Makes testdata/golden and testdata/pictures again, in a Python environment of its own.
# Same versions, same processor family: same bytes (`git diff --exit-code testdata` afterwards proves it).
set -eu
cd "$(dirname "$0")/.."

venv=build/golden-venv
stamp=$venv/requirements.installed
if ! cmp -s scripts/golden-requirements.txt "$stamp"; then
    rm -rf "$venv"
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement scripts/golden-requirements.txt
    cp scripts/golden-requirements.txt "$stamp"
fi

if [ "${1:-}" = --environment-only ]; then exit 0; fi

# One BLAS thread and one kernel: the last bits of a matrix product otherwise depend on the machine's cores.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OPENBLAS_CORETYPE=Haswell PYTHONHASHSEED=0
# Instruction sets beyond AVX2 are switched off for the same reason (numpy's own loops round differently with them).
export NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR"
exec "$venv/bin/python" scripts/make-golden.py "$@"
