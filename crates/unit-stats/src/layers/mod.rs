//! `unit-stats layers`: what is selected in every layer.

mod consistency;
mod summary;

use anyhow::{Result, bail};
use array_inputs::{Called, JoinArgs, Names, Next, Stream};
use cli::{Common, Format, Input, Job, Named, TableWriter};
use localizer_run::{LocalizerArgs, Plan, RuleArgs};
use statistics::Reason;
use unit_tables::{FeatureMaps, Sought};

use consistency::Chosen;
use summary::{Maps, Selected, Summary};

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
layer has) of two layers, and reason (too_few_units: below 2). These are the measures of Lu & Wang (2025).

Examples:
  unit-stats layers --stimuli floc.csv --by domain --t 5 layer3.npy layer4.npy
  cat layer3.npy layer4.npy | unit-stats layers --stimuli floc.csv --by domain --names 3,4 --t 5
  unit-stats layers --stimuli floc.csv --by domain layer3.npy layer4.npy --consistency rdms.csv";

#[derive(Debug, clap::Args)]
#[command(after_help = LAYERS)]
pub(crate) struct Layers {
    /// Activations: .npy streams, one array per layer, rows = pictures, columns = units; - is stdin
    #[arg(default_value = "-", value_name = "ACTS")]
    pub inputs: Vec<Input>,
    #[command(flatten)]
    pub localizer: LocalizerArgs,
    #[command(flatten)]
    pub join: JoinArgs,
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
    /// Also write how alike the selected units' RDMs are between layers; inputs have to be files, which are read twice
    #[arg(long, value_name = "FILE")]
    pub consistency: Option<cli::OutputPath>,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub common: Common,
}

/// A row of the table before differences are taken.
struct Row {
    model: Option<String>,
    array: String,
    contrast: String,
    summary: Summary,
}

/// Runs the verb.
pub(crate) fn run(args: &Layers) -> Result<()> {
    let job = Job::start("unit-stats", &args.common)?;
    if !args.models.is_empty() && args.models.len() != args.inputs.len() {
        bail!("--models names {} models for {} inputs; one name per input", args.models.len(), args.inputs.len());
    }
    if let Some((i, twice)) = args.models.iter().enumerate().find(|(i, name)| args.models[..*i].contains(name)) {
        bail!("--models: {twice:?} is name {} and again name {}; give each model its own", i, i + 1);
    }
    if let Some(base) = &args.against
        && !args.models.contains(base)
    {
        bail!("--against {base:?} is none of the {} models: {}", args.models.len(), args.models.join(", "));
    }
    if let (Some(_), Some(Input::Stdin)) = (&args.consistency, args.inputs.iter().find(|i| **i == Input::Stdin)) {
        bail!("--consistency reads the activations a second time, which stdin cannot; give files");
    }
    let auc = args.rules.needs_auc().then_some(args.rules.mem);
    let plan = args.localizer.plan(&job, args.join, None, args.rules.correct, auc)?;
    let maps = args.unit_table.as_ref().map(|input| FeatureMaps::read(&job, input)).transpose()?;
    let criterion = args.rules.criterion(&args.localizer);
    job.record("rules", criterion.as_str());
    let out = job.text_output(args.common.output.as_deref())?;
    let consistency = args.consistency.as_deref().map(|path| job.text_output(Some(path))).transpose()?;

    let (rows, chosen) = read(&job, args, &plan, maps.as_ref())?;
    if let Some(out) = consistency {
        consistency::write(&job, out, args.format, &plan, &chosen)?;
    }
    let mut table = TableWriter::new(out, args.format, &columns(args))?;
    for row in &rows {
        table.record(&cells(args, row, &rows, &criterion))?;
    }
    table.into_inner().commit(&job)
}

/// Every layer of every model, read once.
fn read(job: &Job, args: &Layers, plan: &Plan, maps: Option<&FeatureMaps>) -> Result<(Vec<Row>, Vec<Chosen>)> {
    let mut rows = Vec::new();
    let mut chosen = Vec::new();
    let mut names = Names::distinct(&args.names);
    if args.models.is_empty() {
        names = names.of_files(&args.inputs);
    }
    let one_array = args.names.len() < 2 && (args.inputs.len() == 1 || !args.models.is_empty());
    for (place, input) in args.inputs.iter().enumerate() {
        let model = args.models.get(place).cloned();
        if model.is_some() {
            names = Names::distinct(&args.names);
        }
        Stream::open(job, input)?.each(|Next { position, source, array: acts, .. }| {
            // The layers of several models have one set of names; a file's stem is the model's, not the layer's.
            let named = if model.is_some() { &Input::Stdin } else { input };
            let measured = plan.measure(job, &source, acts)?;
            let called = Called::new(named, position, measured.name());
            let array = names.next(&called)?;
            let mut all = Vec::with_capacity(plan.contrasts.len());
            for question in 0..plan.contrasts.len() {
                let (tests, _) = measured.tests(plan, question)?;
                let mut units = args.rules.selection().select(&tests, measured.auc(question).0);
                if units.len() < args.rules.min_units {
                    units.clear();
                }
                all.push(Selected { units, tests });
            }
            let map_of_unit = match maps {
                Some(maps) => {
                    let names = names.in_tables(&array, &called);
                    maps.of(job, Sought { names: &names, position, alone: one_array }, measured.n_units())?
                }
                None => None,
            };
            for (own, contrast) in plan.contrasts.iter().enumerate() {
                let summary = Summary::of(&measured, &all, own, map_of_unit.as_deref());
                if summary.n_nan > 0 && own == 0 {
                    job.warn(format!("{source}: {} of {} units hold NaN", summary.n_nan, summary.n_units));
                }
                let contrast = contrast.to_string();
                rows.push(Row { model: model.clone(), array: array.clone(), contrast, summary });
            }
            if args.consistency.is_some() {
                let units = all.into_iter().map(|selected| selected.units).collect();
                let rows = measured.rows().to_vec();
                chosen.push(Chosen { model: model.clone(), array, input: input.clone(), position, units, rows });
            }
            Ok(())
        })?;
        if model.is_some() {
            names.finish()?;
        }
    }
    names.finish()?;
    Ok((rows, chosen))
}

/// A column and its value.
type Difference = (&'static str, fn(&Summary) -> f64);

/// What `--against` takes the difference of.
const DIFFERENCES: [Difference; 5] = [
    ("proportion_difference", Summary::proportion),
    ("specificity_difference", Summary::specificity),
    ("mean_dprime_difference", |s| s.mean_dprime),
    ("activation_z_difference", |s| s.activation_z),
    ("gini_difference", |s| s.maps.map_or(f64::NAN, |maps| maps.gini)),
];

const COLUMNS: [&str; 23] = [
    "array",
    "contrast",
    "n_units",
    "n_constant",
    "n_nan",
    "n_selected",
    "proportion",
    "mean_t",
    "max_t",
    "mean_dprime",
    "mean_selectivity_index",
    "n_exclusive",
    "specificity",
    "activation",
    "activation_z",
    "activation_relative",
    "n_maps",
    "share_of_maps",
    "within_map",
    "gini",
    "entropy",
    "criterion",
    "reason",
];

fn columns(args: &Layers) -> Vec<&'static str> {
    let model = (!args.models.is_empty()).then_some("model");
    let differences = args.against.is_some().then(|| DIFFERENCES.map(|(name, _)| name));
    model.into_iter().chain(COLUMNS).chain(differences.into_iter().flatten()).collect()
}

fn cells<'a>(args: &Layers, row: &'a Row, rows: &[Row], criterion: &'a str) -> Vec<Named<'a>> {
    let s = &row.summary;
    let of_maps = |value: fn(Maps) -> f64| s.maps.map(value).into();
    let mut cells: Vec<Named> = row.model.as_ref().map(|model| ("model", model.into())).into_iter().collect();
    cells.extend([
        ("array", (&row.array).into()),
        ("contrast", (&row.contrast).into()),
        ("n_units", s.n_units.into()),
        ("n_constant", s.n_constant.into()),
        ("n_nan", s.n_nan.into()),
        ("n_selected", s.n_selected.into()),
        ("proportion", s.proportion().into()),
        ("mean_t", s.mean_t.into()),
        ("max_t", s.max_t.into()),
        ("mean_dprime", s.mean_dprime.into()),
        ("mean_selectivity_index", s.mean_selectivity_index.into()),
        ("n_exclusive", s.n_exclusive.into()),
        ("specificity", s.specificity().into()),
        ("activation", s.activation.into()),
        ("activation_z", s.activation_z.into()),
        ("activation_relative", s.activation_relative.into()),
        ("n_maps", s.maps.map(|maps| maps.n).into()),
        ("share_of_maps", of_maps(|maps| maps.share)),
        ("within_map", of_maps(|maps| maps.within)),
        ("gini", of_maps(|maps| maps.gini)),
        ("entropy", of_maps(|maps| maps.entropy)),
        ("criterion", criterion.into()),
        ("reason", (s.n_selected == 0).then_some(Reason::Empty).into()),
    ]);
    if let Some(base) = &args.against {
        let same = |other: &&Row| {
            other.model.as_deref() == Some(base) && other.array == row.array && other.contrast == row.contrast
        };
        let base = rows.iter().find(same).map(|row| &row.summary);
        cells.extend(DIFFERENCES.map(|(name, value)| (name, base.map(|base| value(s) - value(base)).into())));
    }
    cells
}
