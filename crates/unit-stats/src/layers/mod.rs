//! `unit-stats layers`: what is selected in every layer.

mod brain;
mod choice;
mod consistency;
mod summary;

use anyhow::{Result, bail};
use array_inputs::{Called, JoinArgs, Names, Next, Stream};
use cli::{Common, Format, Input, Job, Named, TableWriter};
use localizer_run::{LocalizerArgs, Measured, Plan, RuleArgs};
use statistics::Reason;
use unit_tables::{FeatureMaps, Sought};

use brain::Brain;
use choice::{ChoiceArgs, Place, Score};
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
--choose RULE: one representative layer per model and contrast. Half of the pictures choose it, and
every column above is of the other half, which had no say. Behind reason stand
  rule, chosen             chosen is true for one layer per model and contrast, or for none
  rank, n_tied             1 is best where it was chosen; other layers with the same value (of equally
                           good ones the first is chosen, and stderr names them); empty without units
  n_selected_train         units selected on the pictures that choose
  value_train              what the rule goes by: selected: proportion; t, dprime: mean over the selected
                           units; tuning: Pearson r of their mean response with --brain, over pictures.
                           The highest of many layers, so too high; not a result
  value                    the same on the other pictures: of units selected anew (selected), or of the
                           units selected where the layer was chosen (t, dprime, tuning)
  reason_choice            empty: no unit selected where layers are chosen; no_usable_unit, constant,
                           nan_input, too_few_stimuli: no value
--chosen FILE: model, contrast, array, rule, n_layers, n_tied, n_selected_train, value_train, value,
reason: a row per model and contrast; array is empty where no layer has a selected unit (reason).

Examples:
  unit-stats layers --stimuli floc.csv --by domain --t 5 layer3.npy layer4.npy
  cat layer3.npy layer4.npy | unit-stats layers --stimuli floc.csv --by domain --names 3,4 --t 5
  unit-stats layers --stimuli floc.csv --by domain --t 2 --choose selected layer3.npy layer4.npy";

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
    #[command(flatten)]
    pub choice: ChoiceArgs,
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
    /// Which of the plan's contrasts.
    question: usize,
    contrast: String,
    summary: Summary,
    /// With --choose.
    choice: Option<(Score, Place)>,
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
    args.choice.check(&args.rules)?;
    let plan = match args.choice.halves() {
        Some(halves) => args.localizer.plan_in_halves(&job, args.join, &halves, args.rules.correct, auc)?,
        None => args.localizer.plan(&job, args.join, None, args.rules.correct, auc)?,
    };
    if args.choice.parts.is_some() {
        plan.ids()?;
    }
    args.choice.record(&job);
    let brain = match args.choice.brain.as_slice() {
        [] => None,
        inputs => Some(Brain::read(&job, inputs, &plan, args.join)?),
    };
    let plan = if brain.is_some() { plan.keeping(args.rules.mem) } else { plan };
    let maps = args.unit_table.as_ref().map(|input| FeatureMaps::read(&job, input)).transpose()?;
    let criterion = args.rules.criterion(&args.localizer);
    job.record("rules", criterion.as_str());
    let out = job.text_output(args.common.output.as_deref())?;
    let consistency = args.consistency.as_deref().map(|path| job.text_output(Some(path))).transpose()?;

    let text = |path: &Option<cli::OutputPath>| path.as_deref().map(|path| job.text_output(Some(path))).transpose();
    let (chosen_layers, parts) = (text(&args.choice.chosen)?, text(&args.choice.parts)?);

    let (mut rows, chosen) = read(&job, args, &plan, (maps.as_ref(), brain.as_ref()))?;
    if let Some(out) = consistency {
        consistency::write(&job, out, args.format, &plan, &chosen)?;
    }
    if let Some(rule) = args.choice.choose {
        choice::place_rows(&job, rule, &mut rows);
        if let Some(out) = chosen_layers {
            choice::write_chosen(&job, out, args.format, rule, &rows)?;
        }
        if let Some(out) = parts {
            choice::write_parts(&job, out, args.format, &plan)?;
        }
    }
    let mut table = TableWriter::new(out, args.format, &columns(args))?;
    for row in &rows {
        table.record(&cells(args, row, &rows, &criterion))?;
    }
    table.into_inner().commit(&job)
}

/// Every layer of every model, read once.
fn read(
    job: &Job,
    args: &Layers,
    plan: &Plan,
    (maps, brain): (Option<&FeatureMaps>, Option<&Brain>),
) -> Result<(Vec<Row>, Vec<Chosen>)> {
    // With --choose a contrast is asked of the half that chooses, then of the one that the table is about.
    let n_halves = if args.choice.choose.is_some() { 2 } else { 1 };
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
            let select = |half: usize| -> Result<Vec<Selected>> {
                let of = |contrast: usize| selected(args, plan, &measured, contrast * n_halves + half);
                (0..plan.contrasts.len()).map(of).collect()
            };
            let all = select(n_halves - 1)?;
            let scores = match args.choice.choose {
                Some(rule) => Some(choice::scores(job, (rule, brain), (&source, &measured), &select(0)?, &all)?),
                None => None,
            };
            let groups = measured.groups_of_half(n_halves - 1, n_halves);
            let map_of_unit = match maps {
                Some(maps) => {
                    let names = names.in_tables(&array, &called);
                    maps.of(job, Sought { names: &names, position, alone: one_array }, measured.n_units())?
                }
                None => None,
            };
            for (own, contrast) in plan.contrasts.iter().enumerate() {
                let summary = Summary::of(&measured, &groups, &all, own, map_of_unit.as_deref());
                if summary.n_nan > 0 && own == 0 {
                    job.warn(format!("{source}: {} of {} units hold NaN", summary.n_nan, summary.n_units));
                }
                let contrast = contrast.to_string();
                let choice = scores.as_ref().map(|scores| (scores[own], Place::default()));
                let (model, array) = (model.clone(), array.clone());
                rows.push(Row { model, array, question: own, contrast, summary, choice });
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

/// The units that the rules select by one question.
fn selected(args: &Layers, plan: &Plan, measured: &Measured, question: usize) -> Result<Selected> {
    let (tests, _) = measured.tests(plan, question)?;
    let mut units = args.rules.selection().select(&tests, measured.auc(question).0);
    if units.len() < args.rules.min_units {
        units.clear();
    }
    Ok(Selected { units, tests })
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
    let choice = args.choice.choose.map(|_| choice::COLUMNS);
    model
        .into_iter()
        .chain(COLUMNS)
        .chain(choice.into_iter().flatten())
        .chain(differences.into_iter().flatten())
        .collect()
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
    cells.extend(args.choice.choose.map(|rule| choice::cells(rule, row)).into_iter().flatten());
    if let Some(base) = &args.against {
        let same = |other: &&Row| {
            other.model.as_deref() == Some(base) && other.array == row.array && other.contrast == row.contrast
        };
        let base = rows.iter().find(same).map(|row| &row.summary);
        cells.extend(DIFFERENCES.map(|(name, value)| (name, base.map(|base| value(s) - value(base)).into())));
    }
    cells
}
