//! Options.

use array_inputs::JoinArgs;
use clap::Parser;
use cli::{Common, Format, Input};
use localizer_run::{CrossValidation, LocalizerArgs, RuleArgs};

const HELP: &str = "\
Input:
  One matrix or several back to back (one per layer), f4 or f8, each with the ids of its rows behind it. A file is joined
  with the table by id, in any order. A pipe brings ids after the rows, so its rows must stand in the order of the table:
  that is checked before anything is written. Every presentation counts: a picture shown twice is two rows, and the
  table has one row per picture, or one per presentation in the order of each id's rows. Pictures whose category is not
  in the contrast, is empty or n/a are not used.

Contrasts:
  'faces > bodies,places'    one sample against the others together, or against each (--versus each)
  'faces > rest'             every other category of the column
  '2*adult - house - car'    weights of category means (signs between blanks); positive and negative ones sum to 1 and -1
  Without --contrast, every category of the column against the rest, in one pass.

Output, one row per selected unit in the order of arrays, contrasts, folds and units (columns, from 0):
  array, contrast, unit         name of the matrix; the contrast; column of the unit
  fold                          (--cv) the part held out
  n_units                       units of the array
  n                             rows that the test rests on (categories, with --by-category)
  mean_preferred, mean_rest     mean response to the preferred pictures and to the others
  t, df, p, neg_log10_p         one-sided test of preferred > others; -log10(p) does not saturate
  q                             p adjusted over the units of the array (--correct), else empty
  dprime                        difference of means / root of the mean of both variances (n - 1)
  selectivity_index             (preferred - rest) / (|preferred| + |rest|); always 1 or -1 when the signs differ
  ratio                         preferred / rest; NaN where one of them is negative
  auc                           ROC area of preferred against others (--auc, --with-auc), else empty
  criterion                     test and rules
  reason                        why there are no numbers: constant, nan_input (only with --all)
  n_test ... reason_test        (--cv) the same measures on the part held out, which had no say in the choice
  t_null, p_null                (--null) mean t of this unit in the untrained twins; share of their units with a t of at
                                least this unit's, (1 + count) / (1 + units)
  unit_name                     name of the column, where those of an array have names; else there is no such column
With --versus each, t, df and mean_rest are those of the comparison with the smallest t; dprime, selectivity_index, ratio
and auc are the smallest and p and q the largest over the comparisons: a rule holds against every other category.

Rules given together must all hold, --top last; equals at its edge go to the lower unit. Units that are constant or hold
NaN are counted on stderr and never selected. To select no unit is no error.

Examples:
  select-units --stimuli floc.csv --by domain --contrast 'faces > rest' layer4.npy > units.csv
  cat layer3.npy layer4.npy | select-units --top 5% --names layer3,layer4 \\
    --stimuli floc.csv --by domain --contrast 'faces > bodies,places,objects'
  select-units --versus each --correct by --alpha .05 --stimuli floc.csv --by domain \\
    --contrast 'places > rest' --cv odd-even layer4.npy -o place_units.csv";

/// Find the units that respond more to one category of pictures than to others, as a localizer finds voxels
///
/// Every unit gets a two-sample t of its responses to the preferred pictures above its responses to the others; units
/// that pass all rules given become one row each. Rows are read once and never held, so memory does not grow with the
/// number of pictures (ROC areas excepted).
#[derive(Debug, Parser)]
#[command(name = "select-units", version, after_help = HELP, max_term_width = 120)]
pub struct Args {
    /// Activations: .npy streams, rows = pictures, columns = units; - is stdin
    #[arg(default_value = "-", value_name = "ACTS")]
    pub inputs: Vec<Input>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub localizer: LocalizerArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub join: JoinArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rules: RuleArgs,
    /// Compute the column auc, but do not select by it
    #[arg(long)]
    pub with_auc: bool,
    /// Choose units on all parts of the pictures but one and measure them on that one: odd-even, k=5, or a column
    #[arg(long, value_name = "odd-even|k=N|COLUMN")]
    pub cv: Option<CrossValidation>,
    /// The same layers of an untrained twin, in the same order: t_null and p_null, and the number of units it has
    /// itself; repeat for seeds
    #[arg(long, value_name = "ACTS")]
    pub null: Vec<Input>,
    /// Write every unit; one that cannot be tested keeps its row, with NaN and the reason
    #[arg(long, conflicts_with_all = ["t", "alpha", "dprime", "si", "ratio", "auc", "top", "min_units"])]
    pub all: bool,
    /// Names of the arrays in the order they come [default: their own, else file stem, position in a pipe]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub names: Vec<String>,
    /// How the table is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: Common,
}

impl Args {
    /// The memory for ROC areas, where they are computed.
    pub(crate) fn auc(&self) -> Option<u64> {
        (self.with_auc || self.rules.needs_auc()).then_some(self.rules.mem)
    }

    /// The rules in words, for the table and the sidecar.
    pub(crate) fn criterion(&self) -> String {
        match self.all {
            true => "all units".into(),
            false => self.rules.criterion(&self.localizer),
        }
    }
}
