//! Options.

use clap::{Parser, ValueEnum};
use cli::{Common, Format, Input};
use labelled_inputs::JoinArgs;
use localizer::{Contrast, Correction, Selection, TTest, Top, Versus};

/// Find the units that respond more to one category of pictures than to others, as a localizer finds voxels
///
/// Every unit gets a two-sample t of its responses to the preferred pictures above its responses to the others; units
/// that pass all rules given become one row each. Rows are read once and never held, so memory does not grow with the
/// number of pictures.
#[derive(Debug, Parser)]
#[command(name = "select-units", version, after_help = HELP, max_term_width = 120)]
pub struct Args {
    /// Activations: .npy streams, rows = pictures, columns = units; - is stdin
    #[arg(default_value = "-", value_name = "ACTS")]
    pub inputs: Vec<Input>,
    /// Stimulus table (CSV or TSV) with the category of every picture
    #[arg(long, value_name = "TABLE")]
    pub stimuli: Input,
    /// The column of that table with the categories
    #[arg(long, value_name = "COLUMN")]
    pub by: String,
    /// Preferred categories > the others: 'faces > bodies,places', 'adult,child > rest'
    #[arg(long, value_name = "CONTRAST")]
    pub contrast: Contrast,
    /// pooled: against all others together; each: must beat every one of them, the weakest comparison is reported
    #[arg(long, value_name = "pooled|each", default_value = "pooled")]
    pub versus: Versus,
    /// t test with equal variances (student) or without that assumption (welch)
    #[arg(long, value_name = "student|welch", default_value = "student")]
    pub test: TTest,
    /// Keep units with t above T [default: 7 when no other rule is given]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = localizer::parse_threshold)]
    pub t: Option<f64>,
    /// Fill q, the p adjusted over the units of the array, and keep units with q at most --alpha
    #[arg(long, value_enum)]
    pub fdr: Option<Fdr>,
    /// The false discovery rate of --fdr [default: .05]
    #[arg(long, value_name = "ALPHA", requires = "fdr", value_parser = localizer::parse_rate)]
    pub alpha: Option<f64>,
    /// Keep the N units (or P% of all units) with the highest t among those that pass the other rules
    #[arg(long, value_name = "N|P%")]
    pub top: Option<Top>,
    /// Write every unit; one that cannot be tested keeps its row, with NaN and the reason
    #[arg(long, conflicts_with_all = ["t", "alpha", "top"])]
    pub all: bool,
    /// Names of the arrays in the order they come [default: file stem; position in a pipe]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub names: Vec<String>,
    /// How the table is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub join: JoinArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: Common,
}

/// How p is adjusted for the number of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fdr {
    /// Benjamini-Hochberg: independent or positively dependent units
    Bh,
    /// Benjamini-Yekutieli: any dependence
    By,
}

/// The field's threshold for voxels and units alike.
const DEFAULT_T: f64 = 7.0;
const DEFAULT_ALPHA: f64 = 0.05;

const HELP: &str = "\
Input:
  One matrix or several back to back (one per layer), f4 or f8, each with the ids of its rows behind it. A file is joined
  with the table by id, in any order. A pipe brings ids after the rows, so its rows must stand in the order of the table:
  that is checked before anything is written. Every presentation counts: a picture shown twice is two rows. Pictures
  whose category is not in the contrast, is empty or n/a are not used.

Output, one row per selected unit in the order of the units (columns, from 0):
  array                         name of the matrix
  unit                          column of the unit
  n                             rows that the test rests on
  mean_preferred, mean_rest     mean response to the preferred pictures and to the others
  t, df, p, neg_log10_p         one-sided test of preferred > others; -log10(p) does not saturate
  q                             p adjusted over the units of the array (--fdr), else empty
  dprime                        difference of means / root of the mean of both variances (n - 1)
  selectivity_index             (preferred - rest) / (|preferred| + |rest|)
  reason                        why there are no numbers: constant, nan_input (only with --all)
With --versus each, t, df, mean_rest, dprime and selectivity_index are those of the comparison with the smallest t, and p
and q are the largest over the comparisons.

Rules given together must all hold, --top last; equal t at its edge go to the lower unit. Units that are constant or hold
NaN are counted on stderr and never selected. To select no unit is no error.

Examples:
  select-units --stimuli floc.csv --by domain --contrast 'faces > rest' layer4.npy > units.csv
  cat layer3.npy layer4.npy | select-units --top 5% --names layer3,layer4 \\
    --stimuli floc.csv --by domain --contrast 'faces > bodies,places,objects'
  select-units --versus each --fdr by --alpha .05 --stimuli floc.csv --by domain \\
    --contrast 'places > rest' layer4.npy -o place_units.csv";

impl Args {
    /// How q is computed, when it is.
    pub(crate) fn correction(&self) -> Option<Correction> {
        self.fdr.map(|fdr| match fdr {
            Fdr::Bh => Correction::BenjaminiHochberg,
            Fdr::By => Correction::BenjaminiYekutieli,
        })
    }

    /// The rules that were given; without any, the field's `t > 7`. `None` when every unit is written.
    pub(crate) fn selection(&self) -> Option<Selection> {
        if self.all {
            return None;
        }
        let alpha = self.fdr.map(|_| self.alpha.unwrap_or(DEFAULT_ALPHA));
        let no_rule = self.t.is_none() && alpha.is_none() && self.top.is_none();
        Some(Selection { t_above: self.t.or(no_rule.then_some(DEFAULT_T)), alpha, top: self.top })
    }

    /// The rules in words, for the sidecar.
    pub(crate) fn rules(&self) -> String {
        let Some(rules) = self.selection() else { return "all units".into() };
        let mut words = Vec::new();
        if let Some(t) = rules.t_above {
            words.push(format!("t > {t}"));
        }
        if let (Some(alpha), Some(fdr)) = (rules.alpha, self.fdr) {
            let name = if fdr == Fdr::Bh { "Benjamini-Hochberg" } else { "Benjamini-Yekutieli" };
            words.push(format!("q <= {alpha} ({name})"));
        }
        match rules.top {
            Some(Top::Count(count)) => words.push(format!("top {count}")),
            Some(Top::Percent(percent)) => words.push(format!("top {percent}%")),
            None => {}
        }
        words.join(", ")
    }
}
