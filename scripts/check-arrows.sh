#!/usr/bin/env bash
# The arrows of the house, as crates/README.md draws them: what a room may depend on, and which room alone owns an idea.
# Called by `make check` and `make test`; prints every arrow that points the wrong way and exits with 1.
set -euo pipefail
cd "$(dirname "$0")/.."
wrong=0
complain() { printf 'arrows: %s\n' "$*" >&2; wrong=1; }

# crate and one of its own or borrowed crates it must not reach, however indirectly
readonly maths=(statistics linear-algebra rdm reliability localizer encoding-models brain-maps glm drawing)
readonly formats=(npy-stream brain-formats foreign-formats)
readonly outside='clap|csv|cli|npy-stream|brain-formats|array-inputs|rdm-inputs|voxel-inputs|unit-tables|ceiling-tables|stimulus-table|ort'
for crate in "${maths[@]}"; do
    reached=$(cargo tree --locked --offline --quiet -p "$crate" -e normal --prefix none | awk '{ print $1 }' | sort -u)
    for name in $(grep -xE "$outside" <<< "$reached" || true); do
        complain "$crate reaches $name: maths knows no files, no streams and no command line"
    done
done
for crate in "${formats[@]}"; do
    reached=$(cargo tree --locked --offline --quiet -p "$crate" -e normal --prefix none | awk '{ print $1 }' | sort -u)
    for name in $(grep -xE 'clap|cli|statistics|localizer|rdm|stimulus-table' <<< "$reached" || true); do
        complain "$crate reaches $name: a format knows bytes and arrays"
    done
    for file in $(grep -rlE 'std::path|\bPathBuf\b|File::(open|create)' "crates/$crate/src" || true); do
        # Behind the tests' line a file may open what it likes.
        if sed '/#\[cfg(test)\]/,$d' "$file" | grep -qE 'std::path|\bPathBuf\b|File::(open|create)'; then
            complain "$file: a format knows no paths"
        fi
    done
done
for crate in crates/*/; do
    manifest=$crate/Cargo.toml name=$(basename "$crate")
    [ "$name" = ann-acts ] || ! grep -qE '^ort\b' "$manifest" || complain "$name names ort, which only ann-acts does"
    [ "$name" = drawing ] || ! grep -qE '^resvg\b' "$manifest" || complain "$name names resvg, which only drawing does"
    [ "$name" = brain-formats ] || ! grep -qE '^hdf5-pure\b' "$manifest" || complain "$name names hdf5-pure, which only brain-formats does"
    [ "$name" = linear-algebra ] || ! grep -qE '^faer\b' "$manifest" || complain "$name names faer, which only linear-algebra does"
    [ "$(grep -vc '^//!' "$crate/src/main.rs" 2>/dev/null || echo 0)" -le 4 ] || complain "$crate/src/main.rs: a main is three lines"
done

# alone OWNER PATTERN WHAT: non-test code that matches stands in that crate only.
alone() {
    local owner=$1 pattern=$2 what=$3 file
    for file in $(grep -rlE --include='*.rs' "$pattern" crates/*/src | grep -vE "^crates/($owner)/" || true); do
        if sed '/#\[cfg(test)\]/,$d' "$file" | grep -vE '^ *//' | grep -qE "$pattern"; then
            complain "$file: $what"
        fi
    done
}
alone 'localizer|localizer-run' 'CategoryMoments::new' 'moments of categories are built by the localizer'
alone statistics 'student_t_(sf|ln_sf|two_sided_p)' 'the tails of t are called in statistics'
alone stimulus-table '"(n/a|N/A)"' 'what a missing cell is, stimulus-table knows'
alone cli 'File::create|fs::write|NamedTempFile' 'files are made by cli'
alone cli 'fn [a-z_]*bytes\(text: &str\) -> Result<u64' 'sizes are parsed by cli'
# Comments are read beside the code they stand in.
while read -r place; do complain "$place: a comment line of more than 120 characters"; done < <(
    find crates tests -name '*.rs' -exec awk 'length > 120 && /^ *\/\// { print FILENAME ":" FNR }' {} +
)
exit $wrong
