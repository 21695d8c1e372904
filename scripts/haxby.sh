#!/usr/bin/env bash
# A REAL brain from BOLD to regions, their profiles and RDMs: subject 1 of Haxby et al. (2001), one axial slice, 12 runs
# of eight categories. Voxels are chosen on the odd runs and measured on the even ones. Called by `make demo`.
#
#   scripts/haxby.sh [FOLDER]    results go to FOLDER [demo/haxby]; build/haxby2001 comes from `make setup`
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/target/release:$PATH
data=build/haxby2001
out=${1:-demo/haxby}
rm -rf "$out" && mkdir -p "$out"

# glm "RUNS" OPTION..: the general linear model of these runs; their onsets are in FSL's three columns, a file a condition.
glm() {
    local bold=() onsets=() k
    for k in $1; do
        bold+=("$(printf '%s/sub001/BOLD/task001_run%03d/bold_1slice.nii.gz' "$data" "$k")")
        onsets+=("$(printf '%s/sub001/model/model001/onsets/task001_run%03d' "$data" "$k")")
    done
    shift
    fmri-roi glm --quiet --condition-key "$data/models/model001/condition_key.txt" --hrf spm --high-pass 0.0078125 \
        "$@" --events "${onsets[@]}" -- "${bold[@]}" 2>> "$out/warnings.txt"
}
odd='1 3 5 7 9 11' even='2 4 6 8 10 12'
declare -A contrast=([faces]='face > rest' [houses]='house > rest' [objects]='bottle,chair,scissors,shoe > rest')
regions=(faces houses objects)

# t maps of the odd runs; a beta of every block of the even ones, named by its category, which recurs from run to run.
glm "$odd" --contrast "${contrast[faces]}" --contrast "${contrast[houses]}" --contrast "${contrast[objects]}" --out-dir "$out/odd"
glm "$even" --betas lsa --trial-table "$out/trials.csv" -o "$out/betas.npy"
npy label --quiet --force --ids <(cut -d, -f2 "$out/trials.csv" | tail -n +2) "$out/betas.npy" -o "$out/even.npy"

for region in "${regions[@]}"; do
    case $region in
    faces) map=faceGtrest ;;
    houses) map=houseGtrest ;;
    objects) map=bottleAndchairAndscissorsAndshoeGtrest ;;
    esac
    fmri-roi define --quiet --stat "$out/odd/contrast-${map}_stat-t_statmap.nii.gz" --t 2 --top 30 --name "$region" -o "$out/$region.csv"
    fmri-roi extract --quiet "$out/even.npy" --roi "$out/$region.csv" -o "$out/$region.npy"
    # Every run is a subject of its own here, so that the bounds say how alike the geometries of the runs are.
    for k in 0 1 2 3 4 5; do
        npy rows --quiet --index "$((8 * k)):$((8 * k + 8))" "$out/$region.npy" | rsa rdm --quiet -o "$out/$region-run-$k.npy"
    done
    ceiling rdm --quiet "$out/$region"-run-?.npy -o "$out/$region-rdm-ceiling.csv"
done
matrices=("${regions[@]/%/.npy}")
matrices=("${matrices[@]/#/$out/}")
ceiling within --quiet "${matrices[@]}" -o "$out/within.csv"
for region in "${regions[@]}"; do npy average --quiet "$out/$region.npy" -o "$out/$region-mean.npy"; done
tuning profile --quiet --format csv "${matrices[@]/%.npy/-mean.npy}" -o "$out/profiles.csv"
figure tuning --quiet --ceiling "$out/within.csv" --title 'Haxby et al. (2001), subject 1: chosen on odd runs, shown on even runs' \
    "$out/profiles.csv" -o "$out/profiles.svg"
for region in "${regions[@]}"; do rsa rdm --quiet "$out/$region-mean.npy" -o "$out/$region-rdm.npy"; done
figure rdm --quiet "${matrices[@]/%.npy/-rdm.npy}" -o "$out/rdms.svg"

# column NAME FILE: that column of a CSV without quoted cells, header left out.
column() { awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { print $c }' "$2"; }
conditions=(face house cat chair shoe bottle scissors scrambledpix)
{
    printf 'region,voxels'
    printf ',%s' "${conditions[@]}"
    echo ,profile_r_max,rdm_lower,rdm_upper
    for region in "${regions[@]}"; do
        printf '%s,%s' "$region" "$(($(wc -l < "$out/$region.csv") - 1))"
        for condition in "${conditions[@]}"; do
            awk -F, -v region="$region" -v id="$condition" '$1 == region && $2 == id { printf ",%.2f", $6 }' "$out/profiles.csv"
        done
        awk -F, -v region="$region" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "r_max") c = i } $1 == region { printf ",%.2f", $c }' "$out/within.csv"
        printf ',%.2f,%.2f\n' "$(column lower "$out/$region-rdm-ceiling.csv")" "$(column upper "$out/$region-rdm-ceiling.csv")"
    done
} > "$out/summary.csv"
cat "$out/summary.csv"
