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
    say "3. Haxby et al. (2001), subject 1, one slice: house > face by the GLM of the odd and of the even runs, and how alike the two t maps are"
    for half in odd even; do
        bold=() events=()
        for k in $([ "$half" = odd ] && seq 1 2 11 || seq 2 2 12); do
            folder=$(printf '%s/haxby2001_sub001/sub001/BOLD/task001_run%03d' "$data" "$k")
            [ -d "$folder" ] || continue
            bold+=("$folder/bold_1slice.nii.gz")
            events+=("$folder/bold_events.tsv")
        done
        fmri-roi glm --quiet --hrf spm --high-pass 0.0078125 --contrast 'house > face' --out-dir "$out/haxby/$half" \
            --events "${events[@]}" -- "${bold[@]}" 2>> "$out/warnings.txt"
    done
    fmri-roi overlap --quiet --names odd,even "$out"/haxby/{odd,even}/contrast-houseGtface_stat-t_statmap.nii.gz |
        cut -d, -f1,2,4,5
fi

if have face_con_16subj; then
    say "4. 16 people's face-contrast maps: one-sample t, peaks in mm (FFA near 42,-49,-17 and -42,-58,-23; OFA near -39,-85,-14 and 36,-88,-8)"
    fmri-roi contrast --quiet --one-sample "$data"/face_con_16subj/sub-*_face_con.nii.gz -o "$out/faces_t.nii.gz"
    fmri-roi define --quiet --stat "$out/faces_t.nii.gz" --t 6 --peaks -o "$out/faces_peaks.csv"
    cat "$out/faces_peaks.csv"
fi
if have floc/stimuli.csv && have second_localizer_ffaloc/stimuli.csv && have kayyeatman2017/responses.csv && have kriegeskorte92/stimuli.csv && have models; then
    say "5. Findings 1 to 5 and Lu & Wang: three networks, their untrained twins, two localizers, one person's FFA and VWFA (scripts/study-data.mk)"
    CATSEL_DATA=$data make --no-print-directory -f scripts/study-data.mk
    say "the layers: $out/finding1.csv; units on other pictures: $out/validated.csv; both localizers: $out/localizers.csv"
    say "mean profiles and the person's regions, corrected for the errors of estimation:"
    npy stack -q --columns region,model,n_stimuli,r,r_norm "$out/finding2.csv"
    say "encoding models from all units, without the selected, from these only (10 folds):"
    npy stack -q --where statistic=mean --columns region,model,all,without,without_percentile,only,only_percentile,n_chosen "$out/finding4.csv"
    say "human against animal faces:"
    npy stack -q --columns region,effect,model,estimate,ci_lo,ci_hi,p "$out/finding5.csv"
    say "page: $out/report.html"
fi
say "6. Face and word units of three networks against FFA and VWFA; the units that follow these best"
CATSEL_DATA=$data scripts/necessity.sh
say "files: $out/"
