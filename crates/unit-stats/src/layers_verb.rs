//! `unit-stats layers`: open, read, check, compute, write.

use crate::consistency::{self, Chosen};
use crate::feature_maps::FeatureMaps;
use crate::layer_summary::{Maps, Selected, Summary};
use crate::layers_args::Layers;
use anyhow::{Context, Result, bail};
use array_inputs::{Names, open_npy};
use cli::{Cell, Input, Job, TableWriter};
use localizer_run::Plan;
use npy_stream::NpyError;

/// A row of the table before differences are taken.
struct Row {
    model: Option<String>,
    array: String,
    contrast: String,
    summary: Summary,
}

/// Runs the verb.
pub(crate) fn run(args: &Layers) -> Result<()> {
    let mut job = Job::start("unit-stats", &args.common)?;
    if args.consistency.is_some() {
        job = job.with_provenance();
    }
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
    let plan = args.localizer.plan(&job, None, args.rules.correct, args.rules.needs_auc())?;
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
        table.row(&cells(args, row, &rows, &criterion))?;
    }
    table.into_inner().commit(&job)
}

/// Every layer of every model, read once.
fn read(job: &Job, args: &Layers, plan: &Plan, maps: Option<&FeatureMaps>) -> Result<(Vec<Row>, Vec<Chosen>)> {
    let mut rows = Vec::new();
    let mut chosen = Vec::new();
    let mut names = Names::distinct(&args.names);
    let one_array = args.names.len() < 2 && (args.inputs.len() == 1 || !args.models.is_empty());
    for (place, input) in args.inputs.iter().enumerate() {
        let model = args.models.get(place).cloned();
        if model.is_some() {
            names = Names::distinct(&args.names);
        }
        let mut reader = open_npy(job, input)?;
        let mut position = 0;
        while let Some(acts) = reader.next_array().with_context(|| input.to_string())? {
            // The layers of several models have one set of names; a file's stem is the model's, not the layer's.
            let named = if model.is_some() { &Input::Stdin } else { input };
            let array = names.next(named, position)?;
            let source = if position == 0 { input.to_string() } else { format!("{input} (array {position})") };
            let measured = plan.measure(job, &source, acts)?;
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
                Some(maps) => maps.of(job, &array, measured.n_units(), one_array)?,
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
            position += 1;
        }
        if position == 0 {
            return Err(NpyError::Empty).with_context(|| input.to_string());
        }
        if model.is_some() {
            names.finish()?;
        }
    }
    names.finish()?;
    Ok((rows, chosen))
}

const COLUMNS: [&str; 15] = [
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
];

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

fn columns(args: &Layers) -> Vec<&'static str> {
    let mut columns = Vec::new();
    if !args.models.is_empty() {
        columns.push("model");
    }
    columns.extend(COLUMNS);
    columns.extend(["activation_relative", "n_maps", "share_of_maps", "within_map", "gini", "entropy"]);
    columns.extend(["criterion", "reason"]);
    if args.against.is_some() {
        columns.extend(DIFFERENCES.map(|(name, _)| name));
    }
    columns
}

fn cells<'a>(args: &Layers, row: &'a Row, rows: &[Row], criterion: &'a str) -> Vec<Cell<'a>> {
    let s = &row.summary;
    let mut cells: Vec<Cell> = Vec::new();
    cells.extend(row.model.as_ref().map(Cell::from));
    cells.extend([(&row.array).into(), (&row.contrast).into()]);
    cells.extend([s.n_units, s.n_constant, s.n_nan, s.n_selected].map(Cell::from));
    cells.extend([s.proportion(), s.mean_t, s.max_t, s.mean_dprime, s.mean_selectivity_index].map(Cell::from));
    cells.push(s.n_exclusive.into());
    cells.extend([s.specificity(), s.activation, s.activation_z, s.activation_relative].map(Cell::from));
    cells.push(s.maps.map(|maps| maps.n).into());
    let of_maps: [fn(Maps) -> f64; 4] = [|m| m.share, |m| m.within, |m| m.gini, |m| m.entropy];
    for value in of_maps {
        cells.push(s.maps.map(value).into());
    }
    cells.push(criterion.into());
    cells.push((s.n_selected == 0).then_some("empty").into());
    if let Some(base) = &args.against {
        let same = |other: &&Row| {
            other.model.as_deref() == Some(base) && other.array == row.array && other.contrast == row.contrast
        };
        let other = rows.iter().find(same);
        cells.extend(DIFFERENCES.map(|(_, value)| other.map(|other| value(s) - value(&other.summary)).into()));
    }
    cells
}
