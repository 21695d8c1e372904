#!/bin/sh
# Do units that one localizer finds respond as they should to the pictures of another, and do untrained ones?
# (Finding 1 of Dipani & Ratan Murty 2026, for any network.)
#
#   two-localizers.sh T FLOC.csv OTHER.csv TRAINED-FLOC.npy TRAINED-OTHER.npy [UNTRAINED-FLOC.npy UNTRAINED-OTHER.npy ...]
#
# A twin is one network only if its normalizations are measured on the same pictures for both sets:
#
#   ann-acts net.onnx --untrained 1 --layer pool floc.csv -o twin-floc.npy
#   ann-acts net.onnx --untrained 1 --calibrate-on floc.csv --layer pool other.csv -o twin-other.npy
#
# FLOC.csv and OTHER.csv are stimulus tables with a column `domain` (faces, places, objects in both; more in FLOC.csv);
# every pair of matrices is one network's layer to the pictures of both. Units with t > T on the first set are measured
# on the second: one row per network and domain, with the mean z-scored response of the chosen units to each domain of
# the second set, the share of them with t > 3 there, and the overlap with the units that the second set itself selects.
set -eu
if [ $# -lt 5 ]; then
    sed -n '5p' "$0" | cut -c3- >&2
    exit 2
fi
t=$1 floc=$2 other=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
domains="faces places objects"
echo "network,domain,n_selected,n_units,z_faces,z_places,z_objects,proportion_t3,n_other,dice,expected,p"
while [ $# -ge 2 ]; do
    network=$(basename "$1" .npy)
    select-units -q --stimuli "$floc" --by domain --t "$t" --names layer "$1" -o "$work/a.csv" \
        --contrast 'faces > bodies,places,characters,objects' --contrast 'places > faces,bodies,characters,objects' \
        --contrast 'objects > faces,bodies,places,characters' --inner
    select-units -q --stimuli "$other" --by domain --t "$t" --names layer "$2" -o "$work/b.csv"
    unit-stats validate -q --names layer --units "$work/a.csv" --stimuli "$other" --by domain "$2" -o "$work/v.csv"
    unit-stats overlap -q "$work/a.csv" "$work/b.csv" -o "$work/o.csv"
    for domain in $domains; do
        awk -F, -v network="$network" -v domain="$domain" '
            function unquoted(line,   out, i, c, quoted) {  # commas inside quotes are no separators
                out = ""; quoted = 0
                for (i = 1; i <= length(line); i++) {
                    c = substr(line, i, 1)
                    if (c == "\"") quoted = !quoted
                    else out = out ((c == "," && quoted) ? ";" : c)
                }
                return out
            }
            { n = split(unquoted($0), cell, ",") }
            FNR == 1 { for (i = 1; i <= n; i++) place[FILENAME, cell[i]] = i; next }
            { name = FILENAME }
            function of(column) { return cell[place[name, column]] }
            name ~ /v\.csv$/ && of("contrast") ~ "^" domain " >" {
                z[of("category")] = of("mean"); n_selected = of("n_selected"); n_units = of("n_units")
                if (of("category") == domain) proportion = of("proportion")
            }
            name ~ /o\.csv$/ && of("preferred") == domain {
                n_other = of("n_b"); dice = of("dice"); expected = of("expected"); p = of("p"); n_units = of("n_units")
            }
            END { print network "," domain "," n_selected+0 "," n_units "," z["faces"] "," z["places"] "," z["objects"] "," \
                        proportion "," n_other "," dice "," expected "," p }
        ' "$work/v.csv" "$work/o.csv"
    done
    shift 2
done
