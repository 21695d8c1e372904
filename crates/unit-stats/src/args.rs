//! What `unit-stats` can be asked.

use crate::criterion::Thresholds;
use crate::layers_args::Layers;
use array_inputs::JoinArgs;
use clap::ValueEnum;
use cli::{Common, Format, Input};

/// What selected units are worth: how many each layer has, whether another localizer finds the same ones, how they respond
/// to independent pictures, and which pictures drive them
#[derive(Debug, clap::Parser)]
#[command(name = "unit-stats", version, about, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  unit-stats layers --stimuli floc.csv --by domain layer3.npy layer4.npy > layers.csv
  unit-stats overlap floc_units.csv other_units.csv > overlap.csv
  unit-stats validate other.npy --units floc_units.csv --stimuli other.csv --by category";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Selected units of every layer and category: number, strength, specificity, spread over maps
    Layers(Layers),
    /// The units that two localizers chose: common ones, Dice, Jaccard, chance; or the curve over thresholds of t
    Overlap(Overlap),
    /// The chosen units' z-scored responses to an independent set of pictures, per category
    Validate(Validate),
    /// The pictures that drive each unit most and least, the categories among them, and ROC areas
    Probe(Probe),
}

#[derive(Debug, clap::Args)]
#[command(after_help = OVERLAP)]
pub(crate) struct Overlap {
    /// Tables of select-units: one localizer's, and another's; - is stdin
    #[arg(value_name = "UNITS", required = true, num_args = 1..=2)]
    pub tables: Vec<Input>,
    /// Keep the units with t above each T: 3,5,7 or 3..11 or 3..11:2. With one table, its curve
    #[arg(long, value_name = "T,..|T..T", allow_hyphen_values = true)]
    pub thresholds: Option<Thresholds>,
    /// Units of the array, for tables without a column n_units
    #[arg(long, value_name = "N")]
    pub n_units: Option<usize>,
    /// Of cross-validated tables, take this fold
    #[arg(long, value_name = "FOLD")]
    pub fold: Option<String>,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub common: Common,
}

const OVERLAP: &str = "\
Sets are matched by array and by the preferred side of the contrast ('faces' of 'faces >
bodies,places'), so that two localizers with other control categories can be compared. Tables
about one array each are matched whatever its name, which is said on stderr. A set that only one
table has is empty in the other where that one has rows about the array (and neither its sidecar
nor `all units` says that the contrast was never asked).

Output, one row per array and preferred side (and threshold):
  array, preferred, contrast_a, contrast_b
  threshold                with --thresholds: of each table the units with t above it
  n_a, n_b                 units of the first and of the second table
  n_intersection, n_union  units in both, in either
  dice, jaccard            2 |A and B| / (|A| + |B|), |A and B| / |A or B|
  expected                 common units of two unrelated sets of these sizes: n_a n_b / n_units
  enrichment               n_intersection / expected
  p, neg_log10_p           hypergeometric: unrelated sets have as many units in common, or more
  n_units                  units of the array
  mean_t_a, mean_dprime_a, mean_selectivity_index_a, and _b: means over the units kept
  reason                   why numbers are NaN: empty, no_partner, not_asked, n_units_unknown
With one table: array, contrast, preferred, threshold, n_selected, n_units, proportion
(n_selected / n_units), mean_t, mean_dprime, mean_selectivity_index, reason.

A table holds no units below the threshold it was made with, and other rules (q, top) cannot be
undone: such a T is refused. select-units --all writes every unit and answers any T.

Examples:
  unit-stats overlap floc_units.csv other_units.csv
  unit-stats overlap floc_all.csv other_all.csv --thresholds 3..11:2 > curve.csv
  unit-stats overlap floc_all.csv --thresholds 3,5,7,9,11";

/// Matrices, and the categories of their rows.
#[derive(Debug, clap::Args)]
pub(crate) struct Acts {
    /// Activations: .npy streams, rows = pictures, columns = units; - is stdin
    #[arg(default_value = "-", value_name = "ACTS")]
    pub inputs: Vec<Input>,
    /// Stimulus table (CSV or TSV) with the category of every picture
    #[arg(long, value_name = "TABLE")]
    pub stimuli: Input,
    /// The column of that table with the categories
    #[arg(long, value_name = "COLUMN")]
    pub by: String,
    /// Of a cross-validated table of units, take this fold
    #[arg(long, value_name = "FOLD")]
    pub fold: Option<String>,
    /// ACTS holds the columns of --units only, ascending, as `ann-acts --units` writes them
    #[arg(long)]
    pub chosen_only: bool,
    /// Names of the arrays in the order they come [default: file stem; position in a pipe]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Most memory that the responses of the chosen units may take: 500M, 4G
    #[arg(long, value_name = "SIZE", default_value = "4G", value_parser = bytes)]
    pub mem: u64,
    #[command(flatten)]
    pub join: JoinArgs,
}

/// Over what a distribution is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Over {
    /// Units: each with its mean over the pictures of the category
    Units,
    /// Pictures of the category: each with the mean over units
    Images,
}

#[derive(Debug, clap::Args)]
#[command(after_help = VALIDATE)]
pub(crate) struct Validate {
    #[command(flatten)]
    pub acts: Acts,
    /// The chosen units, as select-units writes them
    #[arg(long, value_name = "UNITS")]
    pub units: Input,
    /// What mean, median, quartiles and whiskers are over
    #[arg(long, value_enum, default_value_t = Over::Units)]
    pub over: Over,
    /// Count the units whose t of a category against all others is above T
    #[arg(long, value_name = "T", default_value_t = 3.0, allow_negative_numbers = true, value_parser = localizer::parse_threshold)]
    pub t: f64,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub common: Common,
}

const VALIDATE: &str = "\
Units are chosen on one localizer and measured on other pictures. Every chosen unit is z-scored
over all pictures that have a category (standard deviation with n in the denominator, as
scipy.stats.zscore); pictures whose category is empty or n/a are not used. Every presentation
counts: a picture shown twice is two rows. Give pictures that did not choose the units: nothing
here can tell.

Arrays are matched with the table by name. One array and one name in the table belong together
whatever they are called, which is said on stderr; otherwise every array of the table must come.
Contrasts are those of the table, and of its sidecar where it has one: empty sets keep their rows.
Memory is that of the chosen units' responses to all pictures.

Output, one row per array, contrast and category:
  array, contrast, category
  n_selected           units that the contrast chose in the array
  n_constant, n_nan    of them constant over these pictures, or with a NaN: these are left out
  n_units              units of the array
  n                    pictures of the category
  mean, median, q1, q3 of the mean z of each unit (--over units), or of the units' mean z to each
                       picture of the category (--over images); quartiles interpolate linearly
  whisker_lo           the most extreme values within 1.5 (q3 - q1) of the box
  whisker_hi
  mean_t               mean over units of Student's t of the category against all other pictures
  proportion           share of the units (without those left out) with that t above threshold
  threshold            --t
  reason               why numbers are NaN: empty, not_in_table, constant, nan_input,
                       no_usable_unit, no_stimuli, too_few_stimuli (t needs 2 on each side)

Examples:
  unit-stats validate other.npy --units floc_units.csv --stimuli other.csv --by category
  cat conv.npy other.npy | unit-stats validate --names conv,floc --units floc_units.csv \\
    --stimuli other.csv --by category
  unit-stats validate other.npy --units floc_units.csv --stimuli other.csv --by category \\
    --over images --t 5";

/// What `probe` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProbeTable {
    /// The --k pictures with the highest and with the lowest responses
    Pictures,
    /// Categories among them, against chance
    Enrichment,
    /// Share of each category at each level of activation
    Levels,
    /// ROC area of each category against all others
    Auc,
}

#[derive(Debug, clap::Args)]
#[command(after_help = PROBE)]
pub(crate) struct Probe {
    #[command(flatten)]
    pub acts: Acts,
    /// Units to look at, as select-units writes them [default: all]
    #[arg(long, value_name = "UNITS")]
    pub units: Option<Input>,
    /// What to write
    #[arg(long, value_enum)]
    pub table: ProbeTable,
    /// pictures, enrichment: how many pictures at each end [default: 10]
    #[arg(long, value_name = "K")]
    pub k: Option<usize>,
    /// levels: edges of the bins in z [default: -2,-1,0,1,2,3]
    #[arg(long, value_name = "Z,..", value_delimiter = ',', allow_hyphen_values = true, conflicts_with = "quantiles")]
    pub edges: Option<Vec<f64>>,
    /// levels: this many bins with equally many pictures instead
    #[arg(long, value_name = "N")]
    pub quantiles: Option<usize>,
    /// levels: bins with fewer pictures have no shares [default: 5]
    #[arg(long, value_name = "N")]
    pub min_count: Option<usize>,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub common: Common,
}

const PROBE: &str = "\
Pictures whose category is empty or n/a are not used; every presentation counts. Equal responses
are ordered as the stimulus table is. z is over the pictures used, with n in the denominator.
Memory is that of the units' responses to all pictures; --mem is checked before it is taken.

Output, one row per array, contrast (empty without --units), unit and:
  --table pictures    end (top, bottom), rank (from 1), stimulus, category, response, z, n_tied:
                      pictures left out whose response equals that of the last one taken
  --table enrichment  end, category: k, n_hits (of the k in the category), n_category, n_stimuli,
                      share (n_hits / k), enrichment (share / n_category share of all), p,
                      neg_log10_p (hypergeometric: as many by chance, or more). Where ties at the
                      edge let the order of the table decide n_hits, the numbers are NaN: the
                      many zeros of a rectified unit have no last k
  --table levels      level (from 0), lo, hi (edges in z; lo <= z < hi, the last with hi),
                      category: n (pictures at the level), n_hits, share = P(category | level)
  --table auc         category: n_category, n_stimuli, auc against all others (ties count half)
and reason: constant, nan_input, ties_at_edge, too_few_stimuli (below --min-count), no_stimuli.
After Goh et al. (2021).

Examples:
  unit-stats probe other.npy --units floc_units.csv --stimuli other.csv --by category \\
    --table pictures --k 9
  unit-stats probe other.npy --units floc_units.csv --stimuli other.csv --by category \\
    --table levels --edges=-1,0,1,2
  unit-stats probe floc.npy --stimuli floc.csv --by domain --table auc > auc.csv";

/// `500M`, `4G`: bytes, with K, M, G, T as powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim().trim_end_matches(['b', 'B']).trim_end_matches('i');
    let (digits, power) = match text.char_indices().last() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => {
            let power = ['k', 'm', 'g', 't'].iter().position(|u| *u == unit.to_ascii_lowercase());
            (&text[..at], power.map(|p| p as i32 + 1))
        }
        _ => (text, Some(0)),
    };
    let size = digits.trim().parse::<f64>().ok().zip(power).map(|(size, power)| size * 1024_f64.powi(power));
    match size.filter(|size| *size >= 1.0 && *size < 1e18) {
        Some(size) => Ok(size as u64),
        None => Err(format!("{text:?} is no size; write 500M or 4G")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, size) in
            [("4G", 4 << 30), ("500M", 500 << 20), ("1.5k", 1536), ("7", 7), ("2GiB", 2 << 30), ("1 t", 1 << 40)]
        {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for bad in ["", "G", "-1G", "0", "4X", "nan"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
