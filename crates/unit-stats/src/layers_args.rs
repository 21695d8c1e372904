//! What `unit-stats layers` can be asked.

use cli::{Common, Format, Input};
use localizer_run::{LocalizerArgs, RuleArgs};

#[derive(Debug, clap::Args)]
#[command(after_help = LAYERS)]
pub(crate) struct Layers {
    /// Activations: .npy streams, one array per layer, rows = pictures, columns = units; - is stdin
    #[arg(default_value = "-", value_name = "ACTS")]
    pub inputs: Vec<Input>,
    #[command(flatten)]
    pub localizer: LocalizerArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
    /// One name per input: each is all layers of one model, in the same order
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub models: Vec<String>,
    /// Columns with the difference of every model from this one, layer by layer
    #[arg(long, value_name = "MODEL", requires = "models")]
    pub against: Option<String>,
    /// Names of the layers in the order they come [default: file stem; with --models or in a pipe the position]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub names: Vec<String>,
    /// The feature map of every unit: table of ann-acts --unit-table (layer, column, channel)
    #[arg(long, value_name = "TABLE")]
    pub unit_table: Option<Input>,
    /// Also write how alike the selected units' RDMs are between layers; reads files a second time
    #[arg(long, value_name = "FILE")]
    pub consistency: Option<cli::OutputPath>,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub common: Common,
}

const LAYERS: &str = "\
Selects units as select-units does, by the same contrasts and rules, and sums every layer up, in
one pass over its rows. Without --contrast every category of the column is asked against the rest.

Output, one row per model, layer and contrast:
  model, array, contrast   model only with --models
  n_units, n_constant, n_nan   units of the layer; constant ones; those that hold NaN
  n_selected, proportion   selected units, and their share of n_units
  mean_t, max_t            mean t of the selected units; largest t of the layer
  mean_dprime, mean_selectivity_index   over the selected units
  n_exclusive, specificity   selected units that no other contrast of this run selects; their
                           share of n_selected
  activation               mean response of the selected units to their preferred pictures
  activation_z             the same z-scored per unit over all pictures of the contrasts (deviation
                           with n)
  activation_relative      activation / largest mean response of any unit of the layer to any group
                           of pictures
  n_maps, share_of_maps    (--unit-table) feature maps; share of them that hold a selected unit
  within_map               mean share of selected units in the maps that hold any
  gini, entropy            of selected units over maps: 0 and 1 are even, 1 and 0 all in one map
  criterion                test and rules
  reason                   why there are no means: empty (no unit selected)
  *_difference             (--against) proportion, specificity, mean_dprime, activation_z and gini
                           less those of the same layer and contrast of that model
--consistency FILE: model, contrast, array_a, array_b, n_a, n_b, n_pairs, n_nan, r: Pearson
correlation of the RDMs (1 - Pearson over the selected units, all pictures of the contrasts that every
layer has) of two layers, and reason (too_few_units: below 2). Lu & Wang (2025) describe networks so.

Examples:
  unit-stats layers --stimuli floc.csv --by domain --t 5 layer3.npy layer4.npy
  cat layer3.npy layer4.npy | unit-stats layers --stimuli floc.csv --by domain --names 3,4 --t 5
  unit-stats layers --stimuli floc.csv --by domain layer3.npy layer4.npy --consistency rdms.csv";
