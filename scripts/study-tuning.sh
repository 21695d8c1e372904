#!/usr/bin/env bash
# Where do a network's face units and a person's FFA part ways, picture by picture? Called by study.sh; alone: make study.
#   in   CATSEL_DATA/{floc,kriegeskorte92,kayyeatman2017} (scripts/README.md, "Real data") and the network of make setup
#   out  study/tuning/: face units (fLoc, t > 7), their profile over the 92 pictures of Kriegeskorte et al. (2008), the FFA of
#        Kay and Yeatman (2017) to the same pictures, their correlation, the pictures by gap, human against animal faces
# The reliability of the FFA's profile is 1 - mean(se^2) / var(beta): the share of its variance that is no error of estimation.
set -euo pipefail
cd "$(dirname "$0")/.."
data=${CATSEL_DATA:-../shared/data}
for part in floc/stimuli.csv kriegeskorte92/stimuli.csv kayyeatman2017/responses.csv; do
    [ -e "$data/$part" ] || { echo "study: tuning: skipped: $data/$part is absent"; exit 0; }
done
export PATH=$PWD/target/release:$PATH
model=build/models/efficientnet-lite0.onnx
out=study/tuning
mkdir -p "$out"

for set in floc kriegeskorte92; do
    ann-acts "$model" --quiet --preprocess efficientnet-lite --resize 224x224 --interpolation bicubic --layer pool \
        "$data/$set/stimuli.csv" -o "$out/$set.npy"
done
# t > 7 over all five domains' pictures; scrambled ones are left out, as in the localizer of the 2026 paper.
select-units --quiet --stimuli "$data/floc/stimuli.csv" --by domain --contrast 'faces > bodies,places,objects,characters' \
    --t 7 "$out/floc.npy" --names pool -o "$out/face_units.csv"
tuning profile --quiet --weights "$out/face_units.csv" --names pool "$out/kriegeskorte92.npy" -o "$out/t-weighted.npy"
npy cols --quiet --units "$out/face_units.csv" --array pool "$out/kriegeskorte92.npy" | tuning profile --quiet -o "$out/face-units.npy"

# Both studies show the same 92 pictures under other numbers; the bridge gives the row of each in the other's table.
awk -F, 'BEGIN { print "stimulus,FFA,se" } FILENAME ~ /stimuli.csv$/ { if (FNR > 1) path[FNR - 2] = $1; next }
    FILENAME ~ /niko_to/ { if (FNR > 1) id[$1] = path[$3]; next } $2 in id { print id[$2] "," $4 "," $6 }' \
    "$data/kriegeskorte92/stimuli.csv" "$data/kayyeatman2017/niko_to_kriegeskorte92.csv" \
    "$data/kayyeatman2017/responses.csv" > "$out/ffa.csv"
npy from-csv --quiet --values FFA "$out/ffa.csv" -o "$out/ffa.npy"
reliability=$(awk -F, 'NR > 1 { n++; s += $2; ss += $2 * $2; e += $3 * $3 }
    END { printf "%.6f", 1 - (e / n) / ((ss - s * s / n) / (n - 1)) }' "$out/ffa.csv")
# Of the categories of the 92, two are faces; the others are in neither group.
awk -F, 'NR == 1 { print "stimulus,category,face_species"; next }
    { print $1 "," $2 "," ($2 == "human face" ? "human" : $2 == "nonhuman face" ? "animal" : "n/a") }' \
    "$data/kriegeskorte92/stimuli.csv" > "$out/pictures.csv"

echo "FFA of one person, 92 pictures, reliability $reliability; face units: $(($(wc -l < "$out/face_units.csv") - 1)) of 1280"
brain=(--brain "$out/ffa.npy" --brain-names FFA)
tuning compare --quiet "$out/face-units.npy" "$out/t-weighted.npy" "${brain[@]}" --brain-reliability "$reliability" -o "$out/scores.csv"
grep -v ',mean,' "$out/scores.csv" | cut -d, -f1-6,8
echo
echo "The ten pictures where they part most (z over the 92; difference = face units - FFA), with their category:"
tuning diverge --quiet "$out/face-units.npy" "${brain[@]}" -o "$out/pictures-by-gap.csv"
awk -F, 'NR == FNR { kind[$1] = $2; next } FNR == 1 { print "rank,picture,category,face_units_z,FFA_z,difference,residual"; next }
    FNR <= 11 { printf "%s,%s,%s,%.2f,%.2f,%.2f,%.2f\n", $3, $4, kind[$4], $5, $6, $7, $8 }' "$out/pictures.csv" "$out/pictures-by-gap.csv"
echo
echo "Human against animal faces (12 and 12), differences of z divided by the root of each reliability, 10000 draws of pictures:"
tuning diverge --quiet "$out/face-units.npy" "${brain[@]}" --stimuli "$out/pictures.csv" --group face_species \
    --contrast 'human > animal' --noise-corrected --brain-reliability "$reliability" --n-boot 10000 -o "$out/human-animal.csv"
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; print "effect,estimate,se,ci_lo,ci_hi,p,test over n_stimuli"; next }
    { printf "%s,%.3f,%.3f,%.3f,%.3f,%.4f,%s over %s %s\n", $at["effect"], $at["estimate"], $at["se"], $at["ci_lo"], $at["ci_hi"],
      $at["p"], $at["test"], $at["over"], $at["n_stimuli"] }' "$out/human-animal.csv"
