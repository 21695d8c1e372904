#!/usr/bin/env bash
# Builds everything, then runs every test there is and closes with the count over all of them.
set -euo pipefail
cd "$(dirname "$0")/.."
export CATSEL_DATA=${CATSEL_DATA:-../shared/data}
case $CATSEL_DATA in /*) ;; *) CATSEL_DATA=$PWD/$CATSEL_DATA ;; esac
log=$(mktemp)
trap 'rm -f "$log"' EXIT

cargo fmt --all --check
cargo clippy --release --locked --workspace --all-targets -- -D warnings
# The tests of real binaries look for them beside themselves.
cargo build --release --locked --workspace
status=0
cargo test --release --locked --workspace --no-fail-fast -- --show-output 2>&1 | tee "$log" | grep -vE '^(test .* ok|running|$)' || true
status=${PIPESTATUS[0]}

skipped=$(grep -c '^skipped: ' "$log" || true)
awk -v skipped="$skipped" '/^test result:/ { passed += $4; failed += $6 }
    END { printf "\n%d passed, %d failed, %d skipped\n", passed - skipped, failed, skipped }' "$log"
exit "$status"
