#!/usr/bin/env bash
# The whole job on a real network, real pictures and SIMULATED subjects; every step is a real tool in a pipe.
# Called by `make demo`, which sets up and builds first. Everything it makes is under demo/.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/target/release:$PATH
stimuli=build/stimuli/emoji/stimuli.csv
out=demo
layers=(block_05 block_10 head pool)
domains=(faces bodies places objects)
declare -A area=([faces]=simFFA [bodies]=simEBA [places]=simPPA [objects]=simLO)
threshold=5
rm -rf "$out" && mkdir -p "$out"/{units,brain,models}

say() { printf '\n%s\n' "$*"; }
median() { sort -g | awk '$1 != "NaN" { v[++n] = $1 } END { if (!n) print "NaN"; else print n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }'; }
# column NAME FILE: that column of a CSV without quoted cells, header left out.
column() { awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { print $c }' "$2"; }

say "1. Activations: four layers of EfficientNet-lite0, and the last one of its untrained twin, to $(($(wc -l < "$stimuli") - 1)) pictures"
for net in efficientnet-lite0 efficientnet-lite0-untrained; do
    [ "$net" = efficientnet-lite0 ] && wanted=("${layers[@]}") || wanted=(pool)
    ann-acts "build/models/$net.onnx" --quiet --preprocess efficientnet-lite --resize 224x224 --interpolation bicubic \
        "${wanted[@]/#/--layer=}" --out-dir "$out/acts/$net" "$stimuli"
done
npy info "$out"/acts/*/*.npy | cut -d, -f1,2,5,9,10
mv "$out/acts/efficientnet-lite0-untrained/pool.npy" "$out/acts/efficientnet-lite0/untrained.npy"
layers+=(untrained)

say "2. Category-selective units: each domain against all others, Student t > $threshold, on the odd half of the pictures"
awk -F, 'NR == 1 || $6 == "odd"' "$stimuli" > "$out/odd.csv"
awk -F, 'NR == 1 || $6 == "even"' "$stimuli" > "$out/even.csv"
for half in odd even; do
    mkdir -p "$out/$half"
    for layer in "${layers[@]}"; do
        npy rows --quiet --stimuli "$stimuli" --where "half=$half" "$out/acts/efficientnet-lite0/$layer.npy" -o "$out/$half/$layer.npy"
    done
done
for domain in "${domains[@]}"; do
    select-units --quiet --stimuli "$out/odd.csv" --by domain --contrast "$domain > rest" --t "$threshold" \
        "${layers[@]/#/$out/odd/}" -o "$out/units/$domain.csv" 2>/dev/null ||
        for layer in "${layers[@]}"; do printf '%s\n' "$out/odd/$layer.npy"; done |
            xargs select-units --quiet --stimuli "$out/odd.csv" --by domain --contrast "$domain > rest" --t "$threshold" -o "$out/units/$domain.csv"
done
