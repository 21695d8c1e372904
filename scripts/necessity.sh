#!/usr/bin/env bash
# Are a network's face and word units what predicts FFA and VWFA? Called by study.sh; alone: scripts/necessity.sh.
#   in   CATSEL_DATA/{floc,kayyeatman2017,models} (scripts/README.md, "Real data"); NETWORKS="a b" takes some of the three,
#        LABELS=REGEX some of the pictures (^NIKO: the 92 of Kriegeskorte et al. 2008 without the 23 others, among which one
#        face and one word stand in several contrasts, so that both halves have one of them)
#   out  study/necessity/NETWORK/LAYER/: responses to the localizer (floc.npy) and to the 115 pictures of Kay and Yeatman
#        (2017; pictures.npy), units with t > 5 against all other domains (faces.csv, characters.csv) and those that follow
#        FFA and VWFA best (matched-FFA.csv, ...); tables over all of them: study/necessity/{matched,profiles,ablation}.csv
# One person; the betas are means over trials, so that nothing here is corrected for noise.
set -euo pipefail
cd "$(dirname "$0")/.."
data=${CATSEL_DATA:-../shared/data}
for part in floc/stimuli.csv kayyeatman2017/responses.csv models; do
    [ -e "$data/$part" ] || { echo "study: necessity: skipped: $data/$part is absent"; exit 0; }
done
export PATH=$PWD/target/release:$PATH
out=study/necessity
mkdir -p "$out"

# NETWORK: its layers, and the steps from a picture to its input (pictures straight to the size of the input).
networks=(${NETWORKS:-efficientnet-lite0 mobilenetv2-bottleneck dlib-face-resnet})
declare -A layers=([efficientnet-lite0]="block_15 pool" [mobilenetv2-bottleneck]="features_17 pool"
    [dlib-face-resnet]="conv256_down_out pool")
declare -A steps=([efficientnet-lite0]="--preprocess efficientnet-lite --resize 224x224 --interpolation bicubic"
    [mobilenetv2-bottleneck]="--preprocess imagenet --resize 224x224" [dlib-face-resnet]="--preprocess raw255 --resize 150x150")
others() { case $1 in faces) echo bodies,places,objects,characters ;; *) echo faces,bodies,places,objects ;; esac; }
seeds=$(seq 0 9)

responses=$data/kayyeatman2017/responses.csv
awk -F, -v labels="${LABELS:-.}" 'NR == 1 { print "stimulus,FFA,VWFA"; next } $2 ~ labels { print $1 "," $4 "," $3 }' \
    "$responses" > "$out/responses.csv"
n_pictures=$(($(wc -l < "$out/responses.csv") - 1))
join=()
[ -z "${LABELS:-}" ] || join=(--inner)
for area in FFA VWFA; do npy from-csv --quiet --values "$area" "$out/responses.csv" -o "$out/$area.npy"; done

# column NAME FILE: that column of a table without quoted cells; mean: of numbers, one a line, NaN left out.
column() { awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { print $c }' "$2"; }
mean() { awk '$1 != "NaN" { s += $1; n++ } END { if (n) printf "%.3f", s / n; else printf "NaN" }'; }
show() { sed 's/^/   /' "$1"; echo; }

echo network,layer,area,n_units,n_matched,n_halvings,r_train,r > "$out/matched.csv"
echo network,layer,units,n_selected,n_units,area,r > "$out/profiles.csv"
for network in "${networks[@]}"; do
    [ -e "$data/models/$network.onnx" ] || { echo "necessity: skipped: $data/models/$network.onnx is absent"; continue; }
    for layer in ${layers[$network]}; do
        dir=$out/$network/$layer
        mkdir -p "$dir"
        # Made once: the activations are what takes minutes.
        for set in "floc $data/floc/stimuli.csv" "pictures $responses"; do
            # shellcheck disable=SC2086 # the steps are words
            [ -e "$dir/${set%% *}.npy" ] || ann-acts "$data/models/$network.onnx" --quiet ${steps[$network]} \
                --layer "$layer" "${set#* }" -o "$dir/${set%% *}.npy"
        done
        n_units=$(npy info "$dir/pictures.npy" | column shape /dev/stdin | cut -dx -f2)
        for units in faces characters; do
            select-units --quiet --stimuli "$data/floc/stimuli.csv" --by domain --contrast "$units > $(others $units)" --t 5 \
                --names "$layer" "$dir/floc.npy" -o "$dir/$units.csv"
            n=$(($(wc -l < "$dir/$units.csv") - 1))
            for area in FFA VWFA; do
                r=NaN
                [ "$n" -eq 0 ] || r=$(npy cols --quiet --units "$dir/$units.csv" --array "$layer" "$dir/pictures.npy" |
                    tuning compare --quiet - --brain "$out/$area.npy" "${join[@]}" | column r /dev/stdin | head -1 | mean)
                echo "$network,$layer,$units,$n,$n_units,$area,$r" >> "$out/profiles.csv"
            done
        done
        for area in FFA VWFA; do
            # The set to go on with: chosen on one half of the pictures, so that the other can judge (--parts).
            tuning match --quiet --model "$dir/pictures.npy" --names "$layer" --brain "$out/$area.npy" "${join[@]}" \
                --parts "$dir/halves.csv" -o "$dir/matched-$area.csv"
            # How well such a unit follows: halves both ways round, ten times.
            for seed in $seeds; do
                tuning match --quiet --model "$dir/pictures.npy" --names "$layer" --brain "$out/$area.npy" "${join[@]}" \
                    --cv 2 --seed "$seed" --voxels "$dir/matched-$area-$seed.csv" -o "$dir/folds.csv" 2>> "$out/warnings.txt"
                awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next } $at["fold"] == "mean" {
                    print $at["r_train"], $at["r"] }' "$dir/matched-$area-$seed.csv"
            done > "$dir/over-seeds.txt"
            n=$(awk -F, 'FNR == 1 { next } { print $4 }' "$dir/matched-$area"-?.csv | sort -u | grep -c .)
            n_halvings=$(grep -vc NaN "$dir/over-seeds.txt" || true)
            echo "$network,$layer,$area,$n_units,$n,$n_halvings,$(cut -d, -f1 "$dir/over-seeds.txt" | mean),$(cut -d, -f2 "$dir/over-seeds.txt" | mean)" \
                >> "$out/matched.csv"
        done
    done
done
echo "Mean profile of the units that a localizer selects (t > 5, each domain against all others), and an area: Pearson r over $n_pictures pictures"
show "$out/profiles.csv"
echo "The unit that follows an area best, chosen on a half of the $n_pictures pictures (r_train) and judged on the other (r): means over both"
echo "directions and ten ways to halve (n_halvings: those in which the unit varies in both halves); n_matched: different units among"
echo "the twenty"
show "$out/matched.csv"

# Necessity and sufficiency: the encoding model of an area from all units, without these, from these only, from as many others.
for network in "${networks[@]}"; do
    for layer in ${layers[$network]}; do
        dir=$out/$network/$layer
        [ -e "$dir/pictures.npy" ] || continue
        for units in faces characters; do
            [ "$(wc -l < "$dir/$units.csv")" -gt 1 ] || continue
            for area in FFA VWFA; do
                # Other options (--draws, --seed, --cv) as the verb has them by default; ABLATE="..." gives more.
                # shellcheck disable=SC2086
                encode ablate --quiet --x "$dir/pictures.npy" --y "$out/$area.npy" --units "$dir/$units.csv" "${join[@]}" ${ABLATE:-} \
                    -o "$dir/ablate-$units-$area.csv"
                awk -v what="$network,$layer,$units,$area" 'NR == 1 { print "network,layer,units,area," $0; next } { print what "," $0 }' \
                    "$dir/ablate-$units-$area.csv"
            done
        done
    done
done | awk 'NR == 1 || !/^network,/' > "$out/ablation.csv"
show "$out/ablation.csv"
