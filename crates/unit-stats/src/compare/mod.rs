//! `unit-stats compare`: how alike two maps of t are, unit by unit.

mod agreement;

use anyhow::{Result, ensure};
use cli::{Common, Format, Input, Job, Named, TableWriter};
use statistics::{Reason, ln_to_neg_log10};
use unit_tables::{UnitRow, UnitTable};

use crate::overlap::thresholds::Thresholds;
use crate::pairs::{Pair, Side, pairs};
use agreement::TwoMaps;

const COMPARE: &str = "\
Input: the t of every unit or voxel, as `select-units --all` and `fmri-roi contrast --table` write
them. The first map is the one to go by (a measured localizer), the second the one to judge (the same
localizer on an encoding model's predictions, a second run, another localizer). Maps are matched by
array and by the preferred side of the contrast, as by `overlap`; units by number.

Output, one row per array, preferred side and threshold:
  array, preferred, contrast_a, contrast_b
  n, n_nan                 units with a t in both maps; units left out because one map has none
  r, rho                   Pearson and Spearman correlation of the two maps over units
  sd_ratio                 standard deviation of the second map's t over that of the first
  threshold                of --t: the region are the units with t above it in the first map
  n_region                 its size
  n_intersection, dice     units of the region among as many of the second map, those with the highest
                           t (of equal ones the lowest numbers); Dice = n_intersection / n_region here
  expected, enrichment     common units by chance, n_region^2 / n; n_intersection / expected
  p, neg_log10_p           hypergeometric: unrelated maps have as many in common, or more. It takes
                           units for independent, which neighbouring voxels are not
  auc                      ROC area: the second map's t as a score for being in the region; .5 is chance
  reason                   why numbers are NaN: constant (no correlation), empty (no unit in the region,
                           or none outside: no area), nan_input, no_partner, not_asked

Sizes of t are not compared: predictions of a model vary between pictures only, without the noise of
trials, and are as many as pictures, so that no threshold is the same for both maps. Order and
correlation are compared; `encode predict --noise` adds the noise of the voxels back.

Examples:
  unit-stats compare measured.csv predicted.csv
  unit-stats compare measured.csv predicted.csv --t 3,5,7 > in_silico.csv
  unit-stats compare odd_runs.csv even_runs.csv";

#[derive(Debug, clap::Args)]
#[command(after_help = COMPARE)]
pub(crate) struct Compare {
    /// Table of every unit's t: the map to go by; - is stdin
    #[arg(value_name = "MEASURED")]
    measured: Input,
    /// The map to judge; - is stdin
    #[arg(value_name = "PREDICTED")]
    predicted: Input,
    /// Regions of the first map, t above each T: 3,5,7 or 3..11 or 3..11:2
    #[arg(long = "t", value_name = "T,..|T..T", default_value = "3", allow_hyphen_values = true)]
    thresholds: Thresholds,
    /// Of cross-validated tables, take this fold
    #[arg(long, value_name = "FOLD")]
    fold: Option<String>,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: [&str; 19] = [
    "array",
    "preferred",
    "contrast_a",
    "contrast_b",
    "n",
    "n_nan",
    "r",
    "rho",
    "sd_ratio",
    "threshold",
    "n_region",
    "n_intersection",
    "dice",
    "expected",
    "enrichment",
    "p",
    "neg_log10_p",
    "auc",
    "reason",
];

const CAVEAT: &str =
    "sizes of t are not compared: t of predictions without noise are not comparable with measured ones";

pub(crate) fn run(args: &Compare) -> Result<()> {
    let job = Job::start("unit-stats", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    let read = |input| UnitTable::read(&job, input, args.fold.as_deref());
    let (a, b) = (read(&args.measured)?, read(&args.predicted)?);
    for table in [&a, &b] {
        ensure!(table.has_t, "{}: no column t; give the table of `select-units --all`", table.source);
    }
    job.record("caveat", CAVEAT);
    let mut table = TableWriter::new(out, args.format, &COLUMNS)?;
    for pair in &pairs(&job, &a, &b, None)? {
        let maps = maps_of(pair, [&a, &b])?;
        if let Ok(maps) = &maps {
            sum_up(&job, pair, [&a, &b], maps);
        }
        for &threshold in &args.thresholds.0 {
            table.record(&cells(pair, &maps, threshold))?;
        }
    }
    table.into_inner().commit(&job)
}

/// The two maps of a pair, or why one of them is not there. Maps of other units, or of some of them, are an error.
fn maps_of(pair: &Pair, tables: [&UnitTable; 2]) -> Result<Result<TwoMaps, Reason>> {
    let mut both: Vec<&[UnitRow]> = Vec::new();
    for side in [&pair.a, &pair.b] {
        match side {
            Side::Absent(why) => return Ok(Err(*why)),
            Side::Empty | Side::Units(_) => both.push(side.units().unwrap_or_default()),
        }
    }
    let (a, b) = (both[0], both[1]);
    for (units, table) in both.iter().zip(tables) {
        if let Some(n_units) = pair.n_units {
            ensure!(
                units.len() == n_units,
                "{}: {} of the {n_units} units of array {:?} for {:?}; a map needs all of them: write it with \
                 `select-units --all`",
                table.source,
                units.len(),
                pair.array,
                pair.preferred
            );
        }
    }
    let differs = a.iter().zip(b).find(|(a, b)| a.unit != b.unit).map(|(a, b)| (a.unit, b.unit));
    ensure!(
        a.len() == b.len() && differs.is_none(),
        "{} has {} units of array {:?} for {:?}, {} has {}{}; two maps need the same units: write every unit of both with \
         `select-units --all`",
        tables[0].source,
        a.len(),
        pair.array,
        pair.preferred,
        tables[1].source,
        b.len(),
        differs.map_or(String::new(), |(a, b)| format!(" (the first to differ are {a} and {b})"))
    );
    Ok(Ok(TwoMaps::of(a, b)))
}

/// What the reader of the table must know, on stderr.
fn sum_up(job: &Job, pair: &Pair, [a, b]: [&UnitTable; 2], maps: &TwoMaps) {
    let names = [pair.array.as_str(), pair.preferred.as_str()].into_iter().filter(|name| !name.is_empty());
    let name = names.collect::<Vec<_>>().join(", ");
    job.note(format!(
        "{name}: t of {} are {:.2} times as spread as those of {}; {CAVEAT}",
        b.source,
        maps.sd_ratio(),
        a.source
    ));
    if maps.n_nan > 0 {
        job.warn(format!("{name}: {} of {} units have no t in one of the maps", maps.n_nan, maps.n() + maps.n_nan));
    }
}

fn cells<'a>(pair: &'a Pair, maps: &Result<TwoMaps, Reason>, threshold: f64) -> Vec<Named<'a>> {
    let mut cells: Vec<Named> = vec![
        ("array", pair.array.as_str().into()),
        ("preferred", pair.preferred.as_str().into()),
        ("contrast_a", pair.a.contrast().into()),
        ("contrast_b", pair.b.contrast().into()),
    ];
    let maps = match maps {
        Ok(maps) => maps,
        Err(why) => {
            let numbers = ["r", "rho", "sd_ratio", "dice", "expected", "enrichment", "p", "neg_log10_p", "auc"];
            cells.extend(numbers.map(|name| (name, f64::NAN.into())));
            cells.push(("threshold", threshold.into()));
            cells.extend(["n", "n_nan", "n_region", "n_intersection"].map(|name| (name, None::<usize>.into())));
            cells.push(("reason", (*why).into()));
            return cells;
        }
    };
    let [r, rho] = maps.correlations();
    let region = maps.region(threshold);
    let ln_p = region.sets.ln_p();
    cells.extend([
        ("n", maps.n().into()),
        ("n_nan", maps.n_nan.into()),
        ("r", r.into()),
        ("rho", rho.into()),
        ("sd_ratio", maps.sd_ratio().into()),
        ("threshold", threshold.into()),
        ("n_region", region.sets.n_a.into()),
        ("n_intersection", region.sets.n_intersection.into()),
        ("dice", region.sets.dice().into()),
        ("expected", region.sets.expected().into()),
        ("enrichment", region.sets.enrichment().into()),
        ("p", ln_p.exp().into()),
        ("neg_log10_p", ln_to_neg_log10(ln_p).into()),
        ("auc", region.auc.into()),
        ("reason", maps.reason().or(region.reason).into()),
    ]);
    cells
}
