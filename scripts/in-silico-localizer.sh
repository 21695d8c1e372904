#!/bin/sh
# Does an encoding model have the localizer's regions? Fit on natural pictures, shown the localizer in silico
# (the idea of TRIBE v2, d'Ascoli et al. 2026, for pictures).
#
#   in-silico-localizer.sh T FLOC.csv FLOC-ACTS.npy FLOC-BETAS.npy ACTS.npy BETAS.npy [CONTRAST ...]
#
# ACTS.npy are a network's responses to natural pictures and BETAS.npy a person's (trials or averages): the model is
# fitted to them. FLOC-ACTS.npy are the network's responses to the localizer's pictures, which the model turns into
# predictions, and FLOC-BETAS.npy the person's own to the same pictures. FLOC.csv is their table, with a column `domain`
# (BY=COLUMN names another). The same contrast of both, voxel by voxel: one row per contrast (default: each domain
# against all others), with the region measured at t > T. The localizer's betas are never part of the fit; that its
# pictures are not among the natural ones is for the user to see to (`encode predict` counts them on stderr).
#
# t of noiseless predictions are not comparable with measured ones: they vary between pictures only. There order and
# correlation are compared, not size (sd_ratio says how far they are apart). A second row has what the model missed of
# held-out averages added back as noise (`encode predict --noise`; NOISE=SEED, default 1; NOISE= for none), which brings
# t to the size of measured ones where rows of FLOC-BETAS.npy are averages of as many trials as those of BETAS.npy.
set -eu
if [ $# -lt 6 ]; then
    sed -n '5p' "$0" | cut -c3- >&2
    exit 2
fi
t=$1 floc=$2 floc_acts=$3 floc_betas=$4 acts=$5 betas=$6
shift 6
by=${BY:-domain}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for contrast in "$@"; do printf '%s\n' "$contrast"; done > "$work/contrasts"
# localizer ACTIVATIONS TABLE: every voxel's t, for each contrast.
localizer() {
    set -- "$1" "$2" -q --all --stimuli "$floc" --by "$by" --names voxels
    while IFS= read -r contrast; do set -- "$@" --contrast "$contrast"; done < "$work/contrasts"
    from=$1 to=$2
    shift 2
    select-units "$@" "$from" -o "$to"
}

npy average -q "$betas" -o "$work/averages.npy"
encode fit -q --x "$acts" --y "$work/averages.npy" --save "$work/model.npz" -o "$work/scores.csv" 2> "$work/fit.txt" ||
    { cat "$work/fit.txt" >&2; exit 1; }
localizer "$floc_betas" "$work/measured.csv"
# compare PREDICTIONS NAME: the rows of `unit-stats compare` behind a column that says what was added.
compare() {
    localizer "$1" "$work/predicted.csv"
    unit-stats compare -q --t "$t" "$work/measured.csv" "$work/predicted.csv" | sed "1s/^/noise,/; 1!s/^/$2,/"
}
encode predict -q "$work/model.npz" "$floc_acts" -o "$work/predicted.npy"
compare "$work/predicted.npy" none
seed=${NOISE-1}
if [ -n "$seed" ]; then
    encode predict -q --noise "$seed" "$work/model.npz" "$floc_acts" -o "$work/noisy.npy"
    compare "$work/noisy.npy" "seed $seed" | sed 1d
fi
echo "in-silico-localizer: t of predictions without noise are not comparable with measured ones: no threshold is the" \
    "same for both; compare by r, rho, dice (at equal size) and auc" >&2
