#!/usr/bin/env bash
# Runs a network on the processor and on an NVIDIA card and prints pictures per second of both and how far their
# numbers agree: for whoever has a card, since the tests need none.
#
#   scripts/check-cuda.sh                                       EfficientNet-lite0 on the pictures of the set-up
#   scripts/check-cuda.sh MODEL PICTURES LAYER [OPTION...]      yours; options go to ann-acts (--preprocess ...)
#
# Libraries come into build/cuda (CATSEL_BUILD names another folder) from the package index, pinned by version and
# hash; CATSEL_CUDA_LIBRARY names a libonnxruntime.so with CUDA that is there already and nothing is fetched.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${CATSEL_BUILD:-$root/build}
acts=${ANN_ACTS:-$root/target/release/ann-acts}
python=${PYTHON:-python3}
say() { printf 'check-cuda: %s\n' "$*" >&2; }
stop() { say "$*"; exit 1; }

[[ -x $acts ]] || stop "no $acts: run make build, or name the tool by ANN_ACTS"
if [[ $# -ge 3 ]]; then
    model=$1 pictures=$2 layer=$3 options=("${@:4}")
elif [[ $# -eq 0 ]]; then
    model=$build/models/efficientnet-lite0.onnx pictures=$build/stimuli/emoji/stimuli.csv layer=head
    options=(--preprocess efficientnet-lite)
    [[ -f $model && -f $pictures ]] || stop "no $model or $pictures: run make setup, or give MODEL PICTURES LAYER"
else
    stop "give MODEL PICTURES LAYER, or nothing"
fi

library=${CATSEL_CUDA_LIBRARY:-}
if [[ -z $library ]]; then
    venv=$build/cuda
    if [[ ! -f $venv/complete ]]; then
        say "ONNX Runtime with CUDA into $venv (about 2 GB)"
        rm -rf "$venv"
        "$python" -m venv "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
            --only-binary :all: -r "$root/scripts/cuda-requirements.txt"
        touch "$venv/complete"
    fi
    library=$(echo "$venv"/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so.*)
    cuda=$(printf '%s:' "$venv"/lib/python3*/site-packages/nvidia/*/lib)
    export LD_LIBRARY_PATH=$cuda${LD_LIBRARY_PATH:-}
fi
[[ -f $library ]] || stop "no ONNX Runtime library at $library"
# Numbers are compared with numpy, of the set-up's environment or of the system.
numpy=$build/venv/bin/python
[[ -x $numpy ]] || numpy=$python
"$numpy" -c 'import numpy' 2>/dev/null || stop "no Python with numpy: run make runtime"

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# run NAME OPTION...: activations into $out/NAME.npy, seconds (loading the network included) into $out/NAME.seconds
run() {
    local name=$1 start
    shift
    start=$(date +%s.%N)
    "$acts" "$model" "$pictures" --layer "$layer" --onnxruntime "$library" "${options[@]}" "$@" -o "$out/$name.npy"
    "$numpy" -c 'import sys; print(float(sys.argv[2]) - float(sys.argv[1]))' "$start" "$(date +%s.%N)" >"$out/$name.seconds"
}
# The card first: where it cannot be used this stops here, and ann-acts names what is missing.
for batch in 16 64; do
    run "cuda-$batch" --device cuda --batch "$batch"
    run "tf32-$batch" --device cuda --tf32 --batch "$batch"
    run "cpu-$batch" --device cpu --batch "$batch"
done
# Once more: the same batch on the same card must give the same bytes.
run again --device cuda --batch 16
cmp "$out/cuda-16.npy" "$out/again.npy" && say "a second run on the card gave the same bytes"
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader >&2 || true

"$numpy" - "$out" <<'PYTHON'
import json, sys
from pathlib import Path
import numpy as np

folder = Path(sys.argv[1])
reference = np.load(folder / "cpu-16.npy").astype(np.float64)
print("device,batch,images_per_s,max_abs_difference,relative_l2,min_r,device_in_sidecar")
worst = 0.0
for name in ["cpu-16", "cpu-64", "cuda-16", "cuda-64", "tf32-16", "tf32-64"]:
    values = np.load(folder / f"{name}.npy").astype(np.float64)
    seconds = float((folder / f"{name}.seconds").read_text())
    device = json.loads((folder / f"{name}.json").read_text())["device"]
    difference = values - reference
    relative = np.linalg.norm(difference) / np.linalg.norm(reference)
    centred = [a - a.mean(axis=1, keepdims=True) for a in (values, reference)]
    r = (centred[0] * centred[1]).sum(1) / np.sqrt((centred[0] ** 2).sum(1) * (centred[1] ** 2).sum(1))
    kind, batch = name.split("-")
    print(f"{kind},{batch},{len(values) / seconds:.1f},{np.abs(difference).max():.3g},{relative:.3g},{np.nanmin(r):.9f},{device}")
    if kind == "cuda":
        worst = max(worst, relative)
# f4 arithmetic in another order: 1e-4 is a hundred times what networks of this depth show between two processors.
sys.exit(worst > 1e-4 and f"check-cuda: the card differs from the processor by {worst:.3g} (relative L2); 1e-4 was allowed")
PYTHON
