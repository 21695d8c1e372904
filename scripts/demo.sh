#!/usr/bin/env bash
# A real brain from BOLD to regions; then the whole study (scripts/study.mk, with the settings of scripts/demo.mk) on a
# real network, real pictures and SIMULATED subjects, and one page about it. Called by `make demo`, which sets up and builds
# first. Everything it makes is under demo/; a second run makes what is missing or older than what it comes from.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/target/release:$PATH
out=demo
mkdir -p "$out"

say() { printf '\n%s\n' "$*"; }
study() {
    make --no-print-directory --silent -f scripts/demo.mk "$@" 2>> "$out/warnings.txt" || { tail -5 "$out/warnings.txt" >&2; exit 1; }
}
# table COLUMNS FILE [--where ..]: these columns of a CSV in step, numbers with three digits.
table() {
    npy stack -q --columns "$1" --format tsv "${@:3}" "$2" | awk -F'\t' '
        { for (i = 1; i <= NF; i++) {
              v = $i
              if (v ~ /^-?[0-9]*\.[0-9]+(e-?[0-9]+)?$/) v = sprintf("%.3f", v)
              cell[NR, i] = v
              if (length(v) > w[i]) w[i] = length(v)
          }
          n = NF }
        END { for (r = 1; r <= NR; r++) {
                  line = "   "
                  for (i = 1; i <= n; i++) line = line sprintf("%-" (w[i] + 2) "s", cell[r, i])
                  sub(/ +$/, "", line)
                  print line
              } }'
}
some="--where subject=median,efficientnet-lite0,efficientnet-lite0-untrained-1,efficientnet-lite0-untrained-2"

say "0. A REAL brain (Haxby et al. 2001, subject 1, one slice): BOLD to regions, chosen on odd runs, measured on even ones"
echo "   per cent signal change of each category; profile_r_max and the bounds of the RDM (lower, upper) say how far runs agree"
study haxby
table region,voxels,face,house,cat,chair,shoe,bottle,scissors,scrambledpix,profile_r_max,rdm_lower,rdm_upper "$out/haxby/summary.csv"
echo "   House voxels hold up in the runs that did not choose them; this slice has hardly a face voxel (largest t 3.1), and they do not."
echo "   From here on network and pictures are real, the people SIMULATED."

say "1. Finding 1: EfficientNet-lite0 and five untrained twins; the layer that represents each for a domain, chosen on one part of"
echo "   the localizer's pictures (value_train) and judged on the other (value): the share of units with t > 5"
study finding1
table network,contrast,array,n_selected_train,value_train,value "$out/finding1.csv"
echo "   The units' response (z) to pictures that did not choose them:"
table model,contrast,category,n_selected,mean,proportion "$out/validated.csv" --where model=efficientnet-lite0

say "2. Finding 2: mean response to each picture. Simulated people among themselves (median), the network, two of the twins"
study finding2
# shellcheck disable=SC2086 # words
table region,of,subject,n_voxels,median_pairwise,median_pairwise_norm,gap "$out/humans.csv" --where of=profile $some

say "3. Finding 3: the same of the dissimilarities of the pictures' patterns"
study finding3
# shellcheck disable=SC2086
table region,of,subject,n_voxels,median_pairwise,median_pairwise_norm,gap "$out/humans.csv" --where of=rdm $some

say "   Other thresholds: people among themselves less people and the network (gap; profiles)"
study robustness
table preferred,threshold,n_units,median_pairwise,gap "$out/gaps.csv" --where array=efficientnet-lite0 --where stat=profile

say "4. Finding 4: encoding models of every voxel from all units, without the selected ones, from these only (mean held-out r)"
study finding4
table region,all,without,without_percentile,only,only_percentile,n_chosen "$out/finding4.csv" --where statistic=mean

say "5. Finding 5: human against animal faces, z of the ones less the others: in the simulated FFA, and network less FFA"
study finding5
table region,effect,subject,estimate,test,over,p "$out/finding5.csv" --where subject=mean

say "6. Lu & Wang (2025): number, specificity, strength of the selected units, layer by layer"
study lu-wang
table array,contrast,proportion,specificity,mean_dprime,activation_z "$out/lu-wang.csv" --where 'contrast=faces > rest,places > rest'

say "7. The localizer in silico: a model of every voxel, fitted on the pictures that people saw, predicts the localizer (person 1)"
study in-silico
table noise,preferred,n_region,r,rho,sd_ratio,dice,auc "$out/in-silico.csv" --where person=sub-01
echo "   t of predictions without noise are not comparable with measured ones (sd_ratio: spread of predicted over measured t),"
echo "   so regions are compared at equal size (dice) and by the order of t (rho, auc; chance .5), not by one threshold."

say "8. One page of it all"
study study
echo "   $out/report.html: open it in a browser"
cat <<END

A network is like a brain where it agrees with people as they agree with each other. In this simulation it must not: the truth, in
$out/simulated/simulated_truth_regions.csv, has a part that all simulated people share and the network does not have.
Files: tables in $out/*.csv, figures in $out/*/*.svg; beside each, a .json says how it was made. Warnings of the tools: $out/warnings.txt.
Your networks and people: copy scripts/study.mk and fill in its settings.
END
