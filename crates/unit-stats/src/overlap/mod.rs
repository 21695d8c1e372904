//! `unit-stats overlap`: two localizers' sets of units, or the curve of one over thresholds.

mod combinations;
pub(crate) mod thresholds;

use anyhow::{Result, bail, ensure};
use cli::{Cell, Common, Format, Input, Job, Named, TableWriter};
use statistics::{Reason, ln_to_neg_log10, mean};
use unit_tables::{Criterion, UnitRow, UnitTable};

use crate::pairs::{Pair, Side, pairs};

use statistics::SetOverlap;
use thresholds::Thresholds;

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
With --combinations, of two or three tables, one row per combination of sets (`figure overlap` draws
them): array, preferred, threshold, a, b, c (the tables), in_a, in_b, in_c (1 where the units are in
that set, 0 where they are not), n (units in exactly these sets), n_units, reason.

A table holds no units below the threshold it was made with, and other rules (q, top) cannot be
undone: such a T is refused. select-units --all writes every unit and answers any T.

Examples:
  unit-stats overlap floc_units.csv other_units.csv
  unit-stats overlap floc_all.csv other_all.csv --thresholds 3..11:2 > curve.csv
  unit-stats overlap floc_all.csv --thresholds 3,5,7,9,11";

#[derive(Debug, clap::Args)]
#[command(after_help = OVERLAP)]
pub(crate) struct Overlap {
    /// Tables of select-units: one localizer's, and another's (with --combinations a third); - is stdin
    #[arg(value_name = "UNITS", required = true, num_args = 1..=3)]
    pub tables: Vec<Input>,
    /// How many units are in each combination of two or three tables' sets
    #[arg(long)]
    pub combinations: bool,
    /// Names of the tables, for --combinations [default: file stems]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',', requires = "combinations")]
    pub names: Vec<String>,
    /// Keep the units with t above each T: 3,5,7 or 3..11 or 3..11:2. With one table: its counts over these T
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

const COLUMNS: [&str; 23] = [
    "array",
    "preferred",
    "contrast_a",
    "contrast_b",
    "threshold",
    "n_a",
    "n_b",
    "n_intersection",
    "n_union",
    "dice",
    "jaccard",
    "expected",
    "enrichment",
    "p",
    "neg_log10_p",
    "n_units",
    "mean_t_a",
    "mean_dprime_a",
    "mean_selectivity_index_a",
    "mean_t_b",
    "mean_dprime_b",
    "mean_selectivity_index_b",
    "reason",
];

const CURVE: [&str; 11] = [
    "array",
    "contrast",
    "preferred",
    "threshold",
    "n_selected",
    "n_units",
    "proportion",
    "mean_t",
    "mean_dprime",
    "mean_selectivity_index",
    "reason",
];

pub(crate) fn run(args: &Overlap) -> Result<()> {
    let job = Job::start("unit-stats", &args.common)?;
    let mut tables = Vec::new();
    for input in &args.tables {
        tables.push(UnitTable::read(&job, input, args.fold.as_deref())?);
    }
    for table in &tables {
        check_sets(table, args)?;
    }
    match tables.as_slice() {
        _ if args.combinations => {
            write(&job, args, &combinations::COLUMNS, combinations::rows(&job, args, &tables)?.into_iter())
        }
        [a, b] => {
            let pairs = pairs(&job, a, b, args.n_units)?;
            if args.n_units.is_none() && pairs.iter().any(|pair| pair.n_units.is_none()) {
                job.warn(
                    "no column n_units, so nothing is known of chance; say how many units the array has with --n-units",
                );
            }
            let of_pair = |pair| thresholds(args).into_iter().map(move |t| cells(pair, t));
            write(&job, args, &COLUMNS, pairs.iter().flat_map(of_pair))
        }
        [alone] => write(&job, args, &CURVE, curve(alone, args)?.into_iter()),
        _ => bail!("{} tables; one or two can be compared, three with --combinations", tables.len()),
    }
}

fn write<'a>(job: &Job, args: &Overlap, columns: &[&str], rows: impl Iterator<Item = Vec<Named<'a>>>) -> Result<()> {
    let out = job.text_output(args.common.output.as_deref())?;
    let mut table = TableWriter::new(out, args.format, columns)?;
    for row in rows {
        table.record(&row)?;
    }
    table.into_inner().commit(job)
}

/// The thresholds of --thresholds; without them `None`: the sets as they are.
fn thresholds(args: &Overlap) -> Vec<Option<f64>> {
    match &args.thresholds {
        Some(list) => list.0.iter().copied().map(Some).collect(),
        None => vec![None],
    }
}

/// An error where a set cannot say which units lie above a threshold.
fn check_sets(table: &UnitTable, args: &Overlap) -> Result<()> {
    let source = &table.source;
    for (array, known) in &table.arrays {
        if let (Some(known), Some(given)) = (known, args.n_units) {
            ensure!(
                *known == given,
                "{source}: array {array:?} has {known} units by its column n_units, but --n-units says {given}; leave \
                 --n-units out"
            );
        }
    }
    for set in &table.sets {
        let n_units = table.n_units_of(&set.array).or(args.n_units);
        let largest = set.units.last().map_or(0, |row| row.unit);
        if let Some(n_units) = n_units {
            ensure!(
                largest < n_units,
                "{source}: unit {largest} of array {:?}, but --n-units says that there are {n_units}",
                set.array
            );
        }
        let writes_all = set.criterion == Some(Criterion::AllUnits);
        let complete = n_units.map_or(writes_all, |n| n == set.units.len());
        let Some(thresholds) = &args.thresholds else {
            // A table without criterion that holds every unit was written with --all.
            let no_choice = complete && matches!(set.criterion, None | Some(Criterion::AllUnits));
            ensure!(
                !no_choice,
                "{source}: all {} units of array {:?} are in it, so it holds no choice of units; choose by --thresholds",
                set.units.len(),
                set.array
            );
            continue;
        };
        ensure!(table.has_t, "{source}: no column t, which --thresholds needs; the units must come from select-units");
        let lowest = thresholds.0[0];
        match set.criterion {
            _ if complete => {}
            Some(Criterion::AllUnits) => bail!(
                "{source}: {} of the {} units of array {:?}, though its criterion says all units: rows were left out, so \
                 nothing says whether all with t > {lowest} are there; give the table as select-units wrote it",
                set.units.len(),
                n_units.unwrap_or_default(),
                set.array
            ),
            Some(criterion) if criterion.answers(lowest) => {}
            Some(Criterion::TAbove(made)) => bail!(
                "{source}: made with t > {made}, so it cannot tell which units have t > {lowest}; write every unit with \
                 `select-units --all`, or those with `select-units --t {lowest}`"
            ),
            Some(_) => bail!(
                "{source}: made with {:?}, which no threshold of t can undo (asked for t > {lowest}); write every unit \
                 with `select-units --all`, or those with `select-units --t {lowest}`",
                set.criterion_text
            ),
            None => bail!(
                "{source}: {} units and no column criterion, so nothing says whether all with t > {lowest} are there; \
                 write every unit with `select-units --all`",
                set.units.len()
            ),
        }
    }
    if args.thresholds.is_some() && table.sets.is_empty() {
        bail!("{source}: 0 units, and nothing says with which threshold; write every unit with `select-units --all`");
    }
    Ok(())
}

/// Units with t above the threshold; NaN is above none.
fn above(units: &[UnitRow], threshold: Option<f64>) -> Vec<UnitRow> {
    units.iter().filter(|row| threshold.is_none_or(|t| row.t > t)).copied().collect()
}

/// What the two sets have in common above a threshold.
fn cells<'a>(pair: &'a Pair, threshold: Option<f64>) -> Vec<Named<'a>> {
    let kept = |side: &Side| side.units().map(|units| above(units, threshold));
    let (a, b) = (kept(&pair.a), kept(&pair.b));
    let units = |kept: &Option<Vec<UnitRow>>| -> Vec<usize> { kept.iter().flatten().map(|row| row.unit).collect() };
    let both = SetOverlap::of(&units(&a), &units(&b), pair.n_units);
    let known = a.is_some() && b.is_some();
    let count = |n: usize| Cell::from(known.then_some(n));
    let number = |v: f64| Cell::from(if known { v } else { f64::NAN });
    let reason = match (&pair.a, &pair.b) {
        (Side::Absent(why), _) | (_, Side::Absent(why)) => Some(*why),
        _ if both.n_a == 0 || both.n_b == 0 => Some(Reason::Empty),
        _ if pair.n_units.is_none() => Some(Reason::NUnitsUnknown),
        _ => None,
    };
    let ln_p = both.ln_p();
    let mut cells: Vec<Named> = vec![
        ("array", pair.array.as_str().into()),
        ("preferred", pair.preferred.as_str().into()),
        ("contrast_a", pair.a.contrast().into()),
        ("contrast_b", pair.b.contrast().into()),
        ("threshold", threshold.into()),
        ("n_a", a.as_ref().map(Vec::len).into()),
        ("n_b", b.as_ref().map(Vec::len).into()),
        ("n_intersection", count(both.n_intersection)),
        ("n_union", count(both.n_union())),
        ("dice", number(both.dice())),
        ("jaccard", number(both.jaccard())),
        ("expected", number(both.expected())),
        ("enrichment", number(both.enrichment())),
        ("p", number(ln_p.exp())),
        ("neg_log10_p", number(ln_to_neg_log10(ln_p))),
        ("n_units", pair.n_units.into()),
    ];
    for (kept, names) in [(&a, MEANS_A), (&b, MEANS_B)] {
        cells.extend(means(names, kept.as_deref().unwrap_or_default()));
    }
    cells.push(("reason", reason.into()));
    cells
}

/// Mean t, d' and selectivity index under their names; NaN for no units.
fn means(names: [&'static str; 3], units: &[UnitRow]) -> [Named<'static>; 3] {
    let over = |f: fn(&UnitRow) -> f64| Cell::Float(mean(&units.iter().map(f).collect::<Vec<f64>>()));
    let [t, dprime, selectivity_index] = names;
    [(t, over(|row| row.t)), (dprime, over(|row| row.dprime)), (selectivity_index, over(|row| row.selectivity_index))]
}

const MEANS: [&str; 3] = ["mean_t", "mean_dprime", "mean_selectivity_index"];
const MEANS_A: [&str; 3] = ["mean_t_a", "mean_dprime_a", "mean_selectivity_index_a"];
const MEANS_B: [&str; 3] = ["mean_t_b", "mean_dprime_b", "mean_selectivity_index_b"];

/// Count and selectivity of one localizer over thresholds.
fn curve<'a>(table: &'a UnitTable, args: &Overlap) -> Result<Vec<Vec<Named<'a>>>> {
    if args.thresholds.is_none() {
        bail!(
            "{}: one table has no overlap; give a second one, or --thresholds for the curve of this one",
            table.source
        );
    }
    let mut rows = Vec::new();
    for set in &table.sets {
        let n_units = table.n_units_of(&set.array).or(args.n_units);
        for threshold in thresholds(args) {
            let kept = above(&set.units, threshold);
            let reason = match (kept.len(), n_units) {
                (0, _) => Some(Reason::Empty),
                (_, None) => Some(Reason::NUnitsUnknown),
                _ => None,
            };
            let mut cells: Vec<Named> = vec![
                ("array", set.array.as_str().into()),
                ("contrast", set.contrast.as_deref().into()),
                ("preferred", set.preferred.as_str().into()),
                ("threshold", threshold.into()),
                ("n_selected", kept.len().into()),
                ("n_units", n_units.into()),
                ("proportion", n_units.map_or(f64::NAN, |n| kept.len() as f64 / n as f64).into()),
            ];
            cells.extend(means(MEANS, &kept));
            cells.push(("reason", reason.into()));
            rows.push(cells);
        }
    }
    Ok(rows)
}
