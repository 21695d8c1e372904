#!/usr/bin/env bash
# Builds everything, then runs every test there is and closes with the count over all of them.
set -euo pipefail
cd "$(dirname "$0")/.."
export CATSEL_DATA=${CATSEL_DATA:-../shared/data}
case $CATSEL_DATA in /*) ;; *) CATSEL_DATA=$PWD/$CATSEL_DATA ;; esac
log=$(mktemp)
trap 'rm -f "$log"' EXIT

echo "test: arrows, format, lint, build"
scripts/check-arrows.sh
cargo fmt --all --check
cargo clippy --release --locked --workspace --all-targets -- -D warnings
# The tests of real binaries look for them beside themselves.
cargo build --release --locked --workspace
# --show-output, because a test that skips says so on its stdout; the log keeps everything, the terminal what matters.
echo "test: running every test; the log comes at the end"
set +e
cargo test --release --locked --workspace --no-fail-fast -- --show-output > "$log" 2>&1
status=$?
set -e
if [ "$status" -ne 0 ]; then
    grep -vE '^test .* ok$' "$log"
fi
grep -E '^(     Running|   Doc-tests|skipped: |test result:)' "$log" || true

skipped=$(grep -c '^skipped: ' "$log" || true)
awk -v skipped="$skipped" '/^test result:/ { passed += $4; failed += $6 }
    END { printf "\n%d passed, %d failed, %d skipped\n", passed - skipped, failed, skipped }' "$log"
exit "$status"
