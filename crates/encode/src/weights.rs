//! `encode weights`: what a saved model gives to every feature.

use std::ops::Range;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use cli::{Common, Format, Job, Named, TableWriter};
use ndarray::{Array2, Axis};
use npy_stream::{Dtype, Labels, RowWriter};
use unit_tables::columns::{ARRAY, N_UNITS, UNIT, UNIT_NAME};

use crate::predict::read_model;
use crate::saved_model::SavedModel;

/// Weights of a saved model: a labelled matrix, or a table with one row per unit
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Output:
  A matrix of units x voxels: rows are named by the names of the features, else by their numbers, columns
  by the names of the voxels. One row is a map: `npy rows --index 3 weights.npy | fmri-roi define --stat -`.
  --transpose gives voxels x units. Weights are per unit of a feature as it came to `encode fit`; those of
  features that were constant in training are 0, those of voxels that could not be fitted NaN.
Columns of --table (one row per unit, over the voxels that were fitted):
  array      band, else name of the features; absent where neither has a name
  unit       column of the features (of the band), from 0
  delay      with delays
  n_units    columns of the features (of the band)
  n_voxels   voxels in use
  mean, mean_abs, rms
             mean of the weights, of their size, root of the mean of their squares
  voxel_max, max
             voxel with the largest weight, and that weight
  unit_name  only where features have names
It is a table of units: `npy cols --units` takes those that you keep of its rows.

Examples:
  encode weights model.npz -o weights.npy
  encode weights model.npz --standardized --table > units.csv
  encode weights model.npz --unit 0,3 --transpose | npy info")]
pub(crate) struct Weights {
    /// A model of `encode fit --save`
    #[arg(value_name = "MODEL.npz")]
    model: PathBuf,
    /// Weights per standard deviation of a feature in training, which can be compared across features (without an
    /// intercept: per root mean square)
    #[arg(long)]
    standardized: bool,
    /// Features of this band only
    #[arg(long, value_name = "NAME")]
    band: Option<String>,
    /// Features of this delay only
    #[arg(long, value_name = "N")]
    delay: Option<usize>,
    /// These units only, numbers (within --band) or names
    #[arg(long = "unit", value_name = "LIST", value_delimiter = ',')]
    units: Vec<String>,
    /// These voxels only, numbers or names
    #[arg(long = "voxels", value_name = "LIST", value_delimiter = ',')]
    voxels: Vec<String>,
    /// Voxels x units
    #[arg(long, conflicts_with = "table")]
    transpose: bool,
    /// A table with one row per unit instead
    #[arg(long)]
    table: bool,
    /// Table format
    #[arg(long, value_enum, default_value_t, requires = "table")]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// One feature of the model.
#[derive(Debug, Clone)]
struct Feature {
    /// Row of `coef`.
    row: usize,
    array: Option<String>,
    /// Column of what was given to the fit.
    unit: usize,
    n_units: usize,
    delay: Option<usize>,
    /// With its delay, as the fit calls it.
    name: Option<String>,
}

pub(crate) fn run(args: &Weights) -> Result<()> {
    let job = Job::start("encode", &args.common)?;
    let mut out = match args.table {
        true => job.text_output(args.common.output.as_deref())?,
        false => job.binary_output(args.common.output.as_deref())?,
    };
    let model = read_model(&job, &args.model)?;
    let features = chosen(args, &model).with_context(|| args.model.display().to_string())?;
    let names = model.voxel_names.as_deref();
    let voxels = picked(&args.voxels, names, model.coef.ncols(), "--voxels", "voxel")?;
    job.record("standardized", args.standardized);
    let rows: Vec<usize> = features.iter().map(|feature| feature.row).collect();
    let mut weights = model.coef.select(Axis(0), &rows).select(Axis(1), &voxels);
    if args.standardized {
        // 0 marks a feature that was constant; without scaling all others are 1.
        if model.x_scale.iter().all(|scale| *scale == 1.0 || *scale == 0.0) && model.x_scale.contains(&1.0) {
            bail!(
                "--standardized: {} was fitted with --no-scale, so that it does not say how its {} features vary; fit \
                 it with scaling",
                args.model.display(),
                model.x_scale.len()
            );
        }
        weights.rows_mut().into_iter().zip(&rows).for_each(|(mut weights, row)| weights *= model.x_scale[*row]);
    }
    if args.table {
        write_table(args, out, &features, &voxels, &weights)?.commit(&job)
    } else {
        let called = |feature: &Feature| match (&feature.name, &feature.array, feature.delay) {
            (Some(name), _, _) => name.clone(),
            (None, Some(array), delay) if model.bands.iter().any(|(band, _)| band == array) => {
                delay.map_or_else(|| format!("{array}:{}", feature.unit), |d| format!("{array}:{}@{d}", feature.unit))
            }
            (None, _, delay) => delay.map_or_else(|| feature.unit.to_string(), |d| format!("{}@{d}", feature.unit)),
        };
        let units: Vec<String> = features.iter().map(called).collect();
        let voxel_names: Option<Vec<String>> =
            names.map(|names| voxels.iter().map(|&voxel| names[voxel].clone()).collect());
        let (values, labels) = match args.transpose {
            false => (weights, Labels { ids: Some(units), columns: voxel_names, name: model.x_name.clone() }),
            true => {
                let numbers = || voxels.iter().map(ToString::to_string).collect();
                let ids = Some(voxel_names.unwrap_or_else(numbers));
                (weights.reversed_axes(), Labels { ids, columns: Some(units), name: model.x_name.clone() })
            }
        };
        let mut rows = RowWriter::new(&mut out, values.nrows(), values.ncols(), Dtype::F8)?;
        rows.write_rows(values.view())?;
        rows.finish(&labels)?;
        out.commit(&job)
    }
}

/// The features that are asked for, in the order of the model, or of `--unit`.
fn chosen(args: &Weights, model: &SavedModel) -> Result<Vec<Feature>> {
    if let Some(band) = &args.band
        && !model.bands.iter().any(|(name, _)| name == band)
    {
        let names: Vec<&str> = model.bands.iter().map(|(name, _)| name.as_str()).collect();
        match names.is_empty() {
            true => bail!("--band {band}: the model has no bands"),
            false => bail!("--band {band}: the bands are {}", names.join(", ")),
        }
    }
    if let Some(delay) = args.delay
        && !model.delays.contains(&delay)
    {
        match model.delays.is_empty() {
            true => bail!("--delay {delay}: the model has no delays"),
            false => bail!("--delay {delay}: the delays are {:?}", model.delays),
        }
    }
    let bands: Vec<(Option<String>, Range<usize>)> = match model.bands.is_empty() {
        true => vec![(model.x_name.clone(), 0..model.coef.nrows())],
        false => {
            let mut from = 0;
            let mut next = |width: usize| {
                from += width;
                from - width..from
            };
            model.bands.iter().map(|(name, width)| (Some(name.clone()), next(*width))).collect()
        }
    };
    let mut features = Vec::new();
    for (array, rows) in bands {
        if args.band.is_some() && array != args.band {
            continue;
        }
        let n_units = model.undelayed(rows.len());
        for row in rows.clone() {
            let delay = model.delays.get((row - rows.start) / n_units.max(1)).copied();
            if args.delay.is_none() || args.delay == delay {
                let name = model.feature_names.as_ref().map(|names| names[row].clone());
                let unit = (row - rows.start) % n_units.max(1);
                features.push(Feature { row, array: array.clone(), unit, n_units, delay, name });
            }
        }
    }
    if args.units.is_empty() {
        return Ok(features);
    }
    let mut found = Vec::new();
    for wanted in &args.units {
        let number = wanted.parse::<usize>().ok();
        let bare =
            |name: &str| name.rsplit_once('@').filter(|_| !model.delays.is_empty()).map(|(bare, _)| bare == wanted);
        let is_it = |feature: &&Feature| match (&feature.name, number) {
            (Some(name), _) if name == wanted || bare(name) == Some(true) => true,
            (_, Some(number)) => feature.unit == number,
            _ => false,
        };
        let own: Vec<Feature> = features.iter().filter(is_it).cloned().collect();
        if own.is_empty() {
            bail!("--unit {wanted}: no such unit among the {} features", features.len());
        }
        let arrays = own.iter().filter(|feature| feature.array != own[0].array).count();
        if arrays > 0 {
            bail!("--unit {wanted}: is in several bands; say which with --band");
        }
        found.extend(own);
    }
    Ok(found)
}

/// Columns by number or name; all where none are asked for.
fn picked(wanted: &[String], names: Option<&[String]>, n: usize, option: &str, kind: &str) -> Result<Vec<usize>> {
    if wanted.is_empty() {
        return Ok((0..n).collect());
    }
    let find = |wanted: &String| -> Result<usize> {
        let named: Vec<usize> = names
            .iter()
            .flat_map(|names| names.iter().enumerate())
            .filter(|(_, name)| *name == wanted)
            .map(|(i, _)| i)
            .collect();
        match (named.as_slice(), wanted.parse::<usize>()) {
            ([one], _) => Ok(*one),
            ([], Ok(number)) if number < n => Ok(number),
            ([], Ok(number)) => bail!("{option} {number}: the model has {n} of them, counted from 0"),
            ([], Err(_)) => bail!("{option} {wanted}: no {kind} of that name"),
            (several, _) => bail!("{option} {wanted}: {} have that name; give numbers", several.len()),
        }
    };
    wanted.iter().map(find).collect()
}

fn write_table(
    args: &Weights,
    out: cli::Output,
    features: &[Feature],
    voxels: &[usize],
    weights: &Array2<f64>,
) -> Result<cli::Output> {
    let has_array = features.iter().any(|feature| feature.array.is_some());
    let has_delay = features.iter().any(|feature| feature.delay.is_some());
    let has_name = features.iter().any(|feature| feature.name.is_some());
    let all = [
        (ARRAY, has_array),
        (UNIT, true),
        ("delay", has_delay),
        (N_UNITS, true),
        ("n_voxels", true),
        ("mean", true),
        ("mean_abs", true),
        ("rms", true),
        ("voxel_max", true),
        ("max", true),
        (UNIT_NAME, has_name),
    ];
    let columns: Vec<&str> = all.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for (feature, weights) in features.iter().zip(weights.rows()) {
        let fitted: Vec<(usize, f64)> =
            voxels.iter().copied().zip(weights.iter().copied()).filter(|(_, weight)| !weight.is_nan()).collect();
        let n = fitted.len() as f64;
        let mean = |of: &dyn Fn(f64) -> f64| fitted.iter().map(|(_, weight)| of(*weight)).sum::<f64>() / n;
        // The first of equal ones.
        let largest = fitted.iter().copied().reduce(|best, next| if next.1 > best.1 { next } else { best });
        let cells: Vec<Named> = vec![
            (ARRAY, feature.array.as_ref().into()),
            (UNIT, feature.unit.into()),
            ("delay", feature.delay.into()),
            (N_UNITS, feature.n_units.into()),
            ("n_voxels", fitted.len().into()),
            ("mean", mean(&|w| w).into()),
            ("mean_abs", mean(&f64::abs).into()),
            ("rms", mean(&|w| w * w).sqrt().into()),
            ("voxel_max", largest.map(|(voxel, _)| voxel).into()),
            ("max", largest.map_or(f64::NAN, |(_, weight)| weight).into()),
            (UNIT_NAME, feature.name.as_ref().into()),
        ];
        let cells: Vec<Named> = cells.into_iter().filter(|(name, _)| columns.contains(name)).collect();
        table.record(&cells)?;
    }
    Ok(table.into_inner())
}
