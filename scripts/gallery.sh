#!/usr/bin/env bash
# Draws testdata/gallery anew: the figures of crates/figure/README.md, of the made-up files of the examples.
# The commands are those of GALLERY in tests/figure.rs, which compares the files byte for byte.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked --workspace
GALLERY_UPDATE=1 cargo test --release --locked --test figure -- the_gallery
git status --short testdata/gallery
