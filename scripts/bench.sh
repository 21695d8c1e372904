#!/usr/bin/env bash
# Times our tools beside the Python peers on the same made-up files, answers compared first. Called by `make bench`.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/golden.sh --environment-only
exec build/golden-venv/bin/python scripts/bench.py "$@"
