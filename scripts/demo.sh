#!/usr/bin/env bash
# A real brain from BOLD to regions; then the whole job on a real network, real pictures and SIMULATED subjects. Every step
# is a real tool in a pipe.
# Called by `make demo`, which sets up and builds first. Everything it makes is under demo/.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/target/release:$PATH
stimuli=build/stimuli/emoji/stimuli.csv
out=demo
layers=(block_05 block_10 head pool)
domains=(faces bodies places objects)
categories=("${domains[@]}" characters)
declare -A area=([faces]=simFFA [bodies]=simEBA [places]=simPPA [objects]=simLO)
threshold=5
rm -rf "$out" && mkdir -p "$out"/{units,brain,models}

show() { awk -F, '{ for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > w[i]) w[i] = length($i) } n = NF }
    END { for (r = 1; r <= NR; r++) { line = "   "; for (i = 1; i <= n; i++) line = line sprintf("%-" (w[i] + 2) "s", cell[r, i]); sub(/ +$/, "", line); print line } }' "$1"; }
say() { printf '\n%s\n' "$*"; }
median() { sort -g | awk '$1 != "NaN" { v[++n] = $1 } END { if (!n) print "NaN"; else printf "%.3f\n", n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }'; }
# column NAME FILE: that column of a CSV without quoted cells, header left out.
column() { awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { print $c }' "$2"; }

say "0. A REAL brain (Haxby et al. 2001, subject 1, one slice): BOLD to regions, chosen on odd runs, measured on even ones"
echo "   per cent signal change of each category; profile_r_max and the bounds of the RDM (lower, upper) say how far runs agree"
scripts/haxby.sh "$out/haxby" > /dev/null
show "$out/haxby/summary.csv"
echo "   House voxels hold up in the runs that did not choose them; this slice has hardly a face voxel (largest t 3.1), and they do not."
echo "   Figures: $out/haxby/profiles.svg, $out/haxby/rdms.svg. From here on network and pictures are real, the people SIMULATED."

say "1. Activations: four layers of EfficientNet-lite0, and the last one of its untrained twin, to $(($(wc -l < "$stimuli") - 1)) pictures"
acts() { ann-acts build/models/efficientnet-lite0.onnx --quiet --preprocess efficientnet-lite --resize 224x224 --interpolation bicubic "$@" "$stimuli"; }
acts "${layers[@]/#/--layer=}" --out-dir "$out/acts/efficientnet-lite0"
# The normalizations that are folded into the network's convolutions are given back to the twin.
acts --untrained 1 --layer pool -o "$out/acts/efficientnet-lite0/untrained.npy"
npy info "$out"/acts/*/*.npy | cut -d, -f1,2,5,9,10
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
odd=("${layers[@]/%/.npy}")
odd=("${odd[@]/#/$out/odd/}")
for domain in "${categories[@]}"; do
    select-units --quiet --stimuli "$out/odd.csv" --by domain --contrast "$domain > rest" --t "$threshold" \
        "${odd[@]}" -o "$out/units/$domain.csv"
done
{
    echo layer,n_units,faces,bodies,places,objects,characters
    for layer in "${layers[@]}"; do
        n_units=$(npy info "$out/odd/$layer.npy" | column shape /dev/stdin | cut -dx -f2)
        printf '%s,%s' "$layer" "$n_units"
        for domain in "${categories[@]}"; do
            n=$(column array "$out/units/$domain.csv" | grep -cx "$layer" || true)
            awk -v n="$n" -v total="$n_units" 'BEGIN { printf ",%d (%.1f %%)", n, 100 * n / total }'
        done
        echo
    done
} > "$out/units.csv"
show "$out/units.csv"

say "3. Are they what they were chosen for? Units of pool, response to the even half (pictures that did not choose them):"
echo "   mean z per unit over the preferred domain, human faces, animal faces, and everything else"
{
    echo domain,n_units,preferred,others,human_faces,animal_faces
    for domain in "${categories[@]}"; do
        awk -F, 'NR == 1 || $1 == "pool"' "$out/units/$domain.csv" > "$out/units/pool-$domain.csv"
        npy cols --quiet --units "$out/units/pool-$domain.csv" "$out/even/pool.npy" -o "$out/even/pool-$domain.npy"
        tuning profile --quiet --zscore --format csv "$out/even/pool-$domain.npy" -o "$out/even/pool-$domain-profile.csv"
        awk -F, -v domain="$domain" 'NR == FNR { what[$1] = $4; species[$1] = $5; next }
            FNR == 1 { for (i = 1; i <= NF; i++) { if ($i == "stimulus") s = i; if ($i == "response") r = i; if ($i == "n_units") u = i }; next }
            { n = $u; k = what[$s] == domain ? "own" : "rest"; sum[k] += $r; count[k]++
              if (species[$s] != "") { sum[species[$s]] += $r; count[species[$s]]++ } }
            END { printf "%s,%d,%.2f,%.2f,%.2f,%.2f\n", domain, n, sum["own"] / count["own"], sum["rest"] / count["rest"],
                      sum["human"] / count["human"], sum["animal"] / count["animal"] }' \
            "$out/even.csv" "$out/even/pool-$domain-profile.csv"
    done
} > "$out/validation.csv"
show "$out/validation.csv"

say "4. Eight SIMULATED subjects (scripts/simulate-subjects.py): localizer trials of the odd half, main trials of all pictures"
build/venv/bin/python scripts/simulate-subjects.py --features "$out/acts/efficientnet-lite0/pool.npy" --stimuli "$stimuli" "$out/simulated"

say "5. Regions: the same contrast on each simulated subject's localizer trials, t > $threshold in the area's search space"
parcels=$out/simulated/simulated_parcels
for subject in "$out"/simulated/sub-*; do
    id=simulated_${subject##*/}
    for domain in "${domains[@]}"; do
        roi=${area[$domain]}
        mkdir -p "$out/brain/$roi"
        fmri-roi contrast --quiet --stimuli "$out/odd.csv" --by domain --contrast "$domain > rest" "$subject/simulated_localizer_betas.npy" |
            fmri-roi define --quiet --stat - --like "$parcels.nii.gz" --parcels "$parcels.nii.gz" --labels "$parcels.tsv" \
                --name "$roi" --t "$threshold" -o "$out/brain/$roi/$id.csv"
        # Trials of the even half: neither the region nor the units were chosen with these pictures.
        fmri-roi extract --quiet --roi "$out/brain/$roi/$id.csv" "$subject/simulated_main_betas.npy" |
            npy rows --quiet --stimuli "$stimuli" --where half=even -o "$out/brain/$roi/$id.npy"
    done
done
wc -l "$out"/brain/*/*.csv | awk '!/total/ { split($2, part, "/"); n[part[3]] = n[part[3]] " " $1 - 1 } END { for (r in n) print r ": voxels per subject" n[r] }' | sort

say "6. Simulated humans against each other and against the network, on the even half"
{
    echo region,human_human_uni,model_human_uni,untrained_uni,human_human_multi,model_human_multi,untrained_multi,encoding_r,r_max
    for domain in "${domains[@]}"; do
        roi=${area[$domain]}
        brains=("$out"/brain/"$roi"/simulated_sub-*.npy)
        models=() names=()
        for model in pool untrained; do
            awk -F, -v layer="$model" 'NR == 1 || $1 == layer' "$out/units/$domain.csv" > "$out/units/$model-$domain.csv"
            # A network without such units has no profile and no geometry of them: NaN below.
            [ "$(wc -l < "$out/units/$model-$domain.csv")" -gt 1 ] || continue
            npy cols --quiet --units "$out/units/$model-$domain.csv" "$out/even/$model.npy" -o "$out/models/$model-$domain.npy"
            models+=("$out/models/$model-$domain.npy") names+=("$model-$domain")
        done
        # Univariate: the mean response to each picture, over the region's voxels or over the selected units.
        ceiling between --quiet --stat profile "${brains[@]}" -o "$out/$roi-human-human-uni.csv"
        tuning compare --quiet "${models[@]}" --brain "${brains[@]}" -o "$out/$roi-model-human-uni.csv"
        # Multivariate: the geometry, 1 - Pearson between patterns, compared by Pearson.
        ceiling between --quiet --stat rdm "${brains[@]}" -o "$out/$roi-human-human-multi.csv"
        rsa rdm --quiet --allow-nan "${models[@]}" -o "$out/models/rdm-$domain.npy" 2>> "$out/warnings.txt"
        for brain in "${brains[@]}"; do npy average --quiet "$brain"; done | rsa rdm --quiet -o "$out/brain/$roi/rdms.npy"
        rsa compare --quiet --allow-nan "$out/models/rdm-$domain.npy" --names "$(IFS=,; echo "${names[*]}")" \
            --brain "$out/brain/$roi/rdms.npy" --ceiling -o "$out/$roi-model-human-multi.csv" 2>> "$out/warnings.txt"
        # Encoding: every voxel from all units of pool; each voxel's own ceiling beside it.
        for brain in "${brains[@]}"; do
            name=$(basename "$brain" .npy)
            npy average --quiet "$brain" |
                encode fit --quiet --x "$out/even/pool.npy" --y - --cv 5 --seed 0 -o "$out/brain/$roi/$name-encoding.csv"
            ceiling voxel --quiet "$brain" -o "$out/brain/$roi/$name-ceiling.csv"
        done
        of_subjects() { awk -F, -v want="$1" -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) { if ($i == "model") m = i; if ($i == "subject") s = i; if ($i == name) c = i }; next }
            $s !~ /^(mean|median|min|max)$/ && (want == "" || $m ~ want) { print $c }' "$3" | median; }
        printf '%s' "$roi"
        printf ',%s' "$(of_subjects "" median_pairwise "$out/$roi-human-human-uni.csv")" \
            "$(of_subjects pool r "$out/$roi-model-human-uni.csv")" "$(of_subjects untrained r "$out/$roi-model-human-uni.csv")" \
            "$(of_subjects "" median_pairwise "$out/$roi-human-human-multi.csv")" \
            "$(of_subjects pool r "$out/$roi-model-human-multi.csv")" "$(of_subjects untrained r "$out/$roi-model-human-multi.csv")" \
            "$(for f in "$out"/brain/"$roi"/*-encoding.csv; do column r "$f"; done | median)" \
            "$(for f in "$out"/brain/"$roi"/*-ceiling.csv; do column r_max "$f"; done | median)"
        echo
    done
} > "$out/summary.csv"
show "$out/summary.csv"
say "7. The localizer in silico: a model of every voxel, fitted on the even half of the main trials, predicts the localizer (odd half)."
echo "   The same contrasts of predicted and measured responses, region measured at t > $threshold (medians over the simulated subjects):"
for subject in "$out"/simulated/sub-*; do
    id=simulated_${subject##*/}
    npy rows --quiet --stimuli "$stimuli" --where half=even "$subject/simulated_main_betas.npy" -o "$out/brain/$id-even.npy"
    scripts/in-silico-localizer.sh "$threshold" "$out/odd.csv" "$out/odd/pool.npy" "$subject/simulated_localizer_betas.npy" \
        "$out/even/pool.npy" "$out/brain/$id-even.npy" "${domains[@]/%/ > rest}" \
        > "$out/brain/$id-in-silico.csv" 2>> "$out/warnings.txt"
done
{
    echo noise,domain,n_region,r,rho,sd_ratio,dice,chance_dice,auc
    awk -F, 'FNR > 1 { print $1 "," $3 }' "$out"/brain/*-in-silico.csv | awk '!seen[$0]++' | while IFS=, read -r noise domain; do
        of() { awk -F, -v noise="$noise" -v domain="$domain" -v name="$1" 'FNR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next }
            $1 == noise && $3 == domain { print $c }' "$out"/brain/*-in-silico.csv | median; }
        chance=$(awk -F, -v noise="$noise" -v domain="$domain" 'FNR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
            $1 == noise && $3 == domain { print $at["n_region"] / $at["n"] }' "$out"/brain/*-in-silico.csv | median)
        printf '%s,%s,%.0f' "$noise" "$domain" "$(of n_region)"
        printf ',%s' "$(of r)" "$(of rho)" "$(of sd_ratio)" "$(of dice)" "$chance" "$(of auc)"
        echo
    done
} > "$out/in-silico.csv"
show "$out/in-silico.csv"
echo "   t of predictions without noise are not comparable with measured ones (sd_ratio: spread of predicted over measured t),"
echo "   so regions are compared at equal size (dice) and by the order of t (rho, auc; chance .5), not by one threshold."
say "8. Figures, and one page of it all"
mkdir -p "$out/figures"
for domain in "${domains[@]}"; do
    roi=${area[$domain]}
    figure scores --quiet "$out/$roi-model-human-uni.csv" --humans "$out/$roi-human-human-uni.csv" \
        --title "$roi (SIMULATED people): response to each picture" -o "$out/figures/$roi-univariate.svg"
    figure scores --quiet "$out/$roi-model-human-multi.csv" --humans "$out/$roi-human-human-multi.csv" \
        --title "$roi (SIMULATED people): dissimilarities" -o "$out/figures/$roi-multivariate.svg" 2>> "$out/warnings.txt"
done
figure report --quiet "$out" --title 'catsel demo' --rows 20 --answer scripts/demo-answer.txt -o "$out/report.html" \
    --question 'Do units that a face, body, place or object localizer finds in a network answer as the regions that it finds in people?'
echo "   $out/report.html: open it in a browser"
cat <<EOF

How to read it (medians over the eight SIMULATED subjects; Pearson r, not corrected for noise)
  human_human_uni     mean response of the region to each picture: a subject against every other subject
  model_human_uni     the same, mean response of the selected units of pool against each subject's region
  untrained_uni       the same for the untrained twin's selected units
  *_multi             the same for the dissimilarities of the patterns (RDMs)
  encoding_r          held-out r of a voxel predicted from all units of pool (ridge, 5 folds), median over voxels
  r_max               the most that a perfect model could reach there, given the voxel's own noise
  NaN                 the untrained twin has no unit of this kind, or one, which has no pattern over units, so no RDM
A model is like a brain where model_human comes up to human_human. In this simulation it must not: the truth, in
$out/simulated/simulated_truth_regions.csv, has a part that all subjects share and the network does not have.

Files: $out/units.csv, $out/validation.csv, $out/summary.csv, $out/in-silico.csv; per region $out/sim*.csv; activations $out/acts/,
selected units $out/units/, simulated subjects $out/simulated/, warnings of the tools $out/warnings.txt. Beside each result, a .json says how it was made.
EOF
