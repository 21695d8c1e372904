#!/usr/bin/env bash
# The same analyses on real brain data (scripts/README.md, "Real data", says how the folder is laid out). Called by `make study`.
set -euo pipefail
cd "$(dirname "$0")/.."
data=${CATSEL_DATA:-../shared/data}
if [ ! -d "$data" ]; then
    echo "study: skipped: there is no folder $data; say make study CATSEL_DATA=DIR (scripts/README.md, \"Real data\")"
    exit 0
fi
make --no-print-directory setup build
export PATH=$PWD/target/release:$PATH
model=build/models/efficientnet-lite0.onnx
out=study
mkdir -p "$out"

say() { printf '\n%s\n' "$*"; }
have() { [ -e "$data/$1" ] || { say "skipped: $data/$1 is absent"; return 1; }; }

acts() { # acts PICTURES: every named output of the network, pictures straight to 224x224
    ann-acts "$model" --quiet --preprocess efficientnet-lite --resize 224x224 --interpolation bicubic \
        --layer stem --layer block_05 --layer block_10 --layer head --layer pool --layer logits --out-dir "$out/$2" "$1"
}

if have kriegeskorte92/stimuli.csv; then
    say "1. Kriegeskorte et al. (2008): 92 pictures, hIT of four people; Spearman of RDMs, and the ceiling (Nili et al. 2014)"
    acts "$data/kriegeskorte92/stimuli.csv" kriegeskorte92
    build/venv/bin/python scripts/kriegeskorte92-rdms.py "$data/kriegeskorte92" > "$out/hIT.npy"
    layers=(stem block_05 block_10 head pool logits)
    for layer in "${layers[@]}"; do cat "$out/kriegeskorte92/$layer.npy"; done |
        rsa rdm --quiet -o "$out/kriegeskorte92/rdms.npy"
    rsa compare "$out/kriegeskorte92/rdms.npy" --names "$(IFS=,; echo "${layers[*]}")" --brain "$out/hIT.npy" \
        --brain-names BE,KO,SN,TI --compare spearman --ceiling -o "$out/kriegeskorte92-scores.csv"
    grep -E '^model|,mean,' "$out/kriegeskorte92-scores.csv"
fi

if have kayyeatman2017/responses.csv && have kriegeskorte92/stimuli.csv; then
    say "2. Kay and Yeatman (2017): one person's FFA predicted from lite0 pool on the same 92 pictures, ten shuffled folds"
    # The two studies number the pictures differently; the bridge gives the row of each in the other's table.
    awk -F, 'NR == FNR { if (FNR > 1) path[FNR - 2] = $1; next } FNR > 1 { print $1 "," path[$3] }' \
        "$data/kriegeskorte92/stimuli.csv" "$data/kayyeatman2017/niko_to_kriegeskorte92.csv" > "$out/bridge.csv"
    awk -F, 'BEGIN { print "stimulus,FFA" } NR == FNR { id[$1] = $2; next } $2 in id { print id[$2] "," $4 }' \
        "$out/bridge.csv" "$data/kayyeatman2017/responses.csv" > "$out/ffa.csv"
    npy from-csv --values FFA "$out/ffa.csv" -o "$out/ffa.npy"
    for seed in 0 1 2 3 4; do
        encode fit --quiet --x "$out/kriegeskorte92/pool.npy" --y "$out/ffa.npy" --cv 10 --seed "$seed" -o "$out/ffa-fit-$seed.csv" 2>> "$out/warnings.txt"
        tail -n +2 "$out/ffa-fit-$seed.csv" | awk -F, -v seed="$seed" '{ print "seed " seed ": r " $2 ", R2 " $4 ", n " $7 }'
    done
fi

if have haxby2001_sub001/sub001/BOLD; then
    say "3. Haxby et al. (2001), subject 1, one slice: house > face. A t map per run (volumes from 5 s after a block began to 5 s"
    echo "   after its end; no GLM yet), then one-sample t over the odd and over the even runs, and how well the two maps agree"
    mkdir -p "$out/haxby"
    for run in "$data"/haxby2001_sub001/sub001/BOLD/task001_run0*; do
        number=$((10#${run##*run}))
        # One row per volume, TR 2.5 s.
        awk -v run="$number" 'NR > 1 { for (v = int(($1 + 5) / 2.5 + .999); v < ($1 + $2 + 5) / 2.5; v++) what[v] = $3 }
            END { print "stimulus,condition"
                  for (v = 0; v < 121; v++) print "run" run "-" v "," (v in what ? what[v] : "n/a") }' \
            "$run/bold_events.tsv" > "$out/haxby/volumes-$number.csv"
        fmri-roi contrast --quiet --stimuli "$out/haxby/volumes-$number.csv" --by condition --contrast 'house > face' \
            --assume-order "$run/bold_1slice.nii.gz" -o "$out/haxby/half$((number % 2))-run$number.nii.gz" 2>> "$out/haxby/warnings.txt"
    done
    for half in 1 0; do
        fmri-roi contrast --quiet --one-sample "$out/haxby/half$half"-run*.nii.gz -o "$out/haxby/half$half.npy"
        npy to-csv "$out/haxby/half$half.npy" -o "$out/haxby/half$half.csv"
    done
    tail -qn 1 "$out/haxby/half1.csv" "$out/haxby/half0.csv" | tr , '\n' | awk '
        $1 == "t" { half++; next } { value[half, n[half]++] = $1 }
        END { for (v = 0; v < n[1]; v++) { x = value[1, v]; y = value[2, v]
                  if (x == "NaN" || y == "NaN" || x ~ /inf/ || y ~ /inf/) continue
                  k++; sx += x; sy += y; xx += x * x; yy += y * y; xy += x * y }
              r = (xy - sx * sy / k) / sqrt((xx - sx * sx / k) * (yy - sy * sy / k))
              printf "odd against even runs: r %.3f over %d voxels\n", r, k }'
fi

if have face_con_16subj; then
    say "4. 16 people's face-contrast maps: one-sample t, peaks in mm (FFA near 42,-49,-17 and -42,-58,-23; OFA near -39,-85,-14 and 36,-88,-8)"
    fmri-roi contrast --quiet --one-sample "$data"/face_con_16subj/sub-*_face_con.nii.gz -o "$out/faces_t.nii.gz"
    fmri-roi define --quiet --stat "$out/faces_t.nii.gz" --t 6 --peaks -o "$out/faces_peaks.csv"
    cat "$out/faces_peaks.csv"
fi
say "5. Face units (fLoc, t > 7) of lite0 pool against one person's FFA, picture by picture"
CATSEL_DATA=$data scripts/study-tuning.sh
say "6. Face and word units of three networks against FFA and VWFA; the units that follow these best"
CATSEL_DATA=$data scripts/necessity.sh
say "files: $out/"
