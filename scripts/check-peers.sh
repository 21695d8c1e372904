#!/bin/sh
# Runs the peers' own tests with our tools in the place of their functions (check-peers.py), in a Python environment of its own.
set -eu
cd "$(dirname "$0")/.."
[ -x target/release/rsa ] || { echo "check-peers.sh: no target/release/rsa: run make build" >&2; exit 2; }

build=${CATSEL_BUILD:-build}
venv=$build/peers-venv
stamp=$venv/requirements.installed
if ! cmp -s scripts/peers-requirements.txt "$stamp"; then
    rm -rf "$venv"
    "${PYTHON:-python3}" -m venv "$venv"
    # mne-rsa asks for Qt and VTK, which only its pictures need; everything else is in the list.
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps --requirement scripts/peers-requirements.txt
    cp scripts/peers-requirements.txt "$stamp"
fi

# Tests that no wheel has come out of source archives; of these nothing is run but the tests.
tests=$build/peers-tests
archive() {
    [ -d "$tests/$1-$2/tests" ] && return
    mkdir -p "$tests" "$build/downloads"
    "$venv/bin/python" scripts/fetch-source-archive.py "$3" "$2" "$4" "$build/downloads/$1-$2.tar.gz"
    tar -xzf "$build/downloads/$1-$2.tar.gz" -C "$tests" "$1-$2/tests"
}
archive mne_rsa 1.0 mne-rsa 1f652d5163b349f3edb6faed06ab5f59ee475952e504a20f0addcfbbdfadc784
archive rsatoolbox 0.0.4 rsatoolbox 84153fa4c686c95f3e83f2cb668b97b82b53dc2a565856db80aa5f8c96d09359

exec "$venv/bin/python" scripts/check-peers.py "$@"
