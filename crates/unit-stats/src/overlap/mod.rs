//! `unit-stats overlap`: two localizers' sets of units, or the curve of one over thresholds.

mod set_overlap;
mod thresholds;

use anyhow::{Result, bail, ensure};
use cli::{Cell, Common, Format, Input, Job, Named, TableWriter};
use statistics::{Reason, ln_to_neg_log10, mean};
use unit_tables::{Criterion, UnitRow, UnitSet, UnitTable};

use set_overlap::SetOverlap;
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

A table holds no units below the threshold it was made with, and other rules (q, top) cannot be
undone: such a T is refused. select-units --all writes every unit and answers any T.

Examples:
  unit-stats overlap floc_units.csv other_units.csv
  unit-stats overlap floc_all.csv other_all.csv --thresholds 3..11:2 > curve.csv
  unit-stats overlap floc_all.csv --thresholds 3,5,7,9,11";

#[derive(Debug, clap::Args)]
#[command(after_help = OVERLAP)]
pub(crate) struct Overlap {
    /// Tables of select-units: one localizer's, and another's; - is stdin
    #[arg(value_name = "UNITS", required = true, num_args = 1..=2)]
    pub tables: Vec<Input>,
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
        [a, b] => {
            let pairs = pairs(&job, a, b, args)?;
            let of_pair = |pair| thresholds(args).into_iter().map(move |t| Pair::cells(pair, t));
            write(&job, args, &COLUMNS, pairs.iter().flat_map(of_pair))
        }
        [alone] => write(&job, args, &CURVE, curve(alone, args)?.into_iter()),
        _ => bail!("{} tables; one or two can be compared", tables.len()),
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

/// One side of a pair.
enum Side<'a> {
    Units(&'a UnitSet),
    /// The contrast was asked, and no unit found.
    Empty,
    /// The table does not speak of it; why.
    Absent(Reason),
}

impl Side<'_> {
    fn contrast(&self) -> Option<&str> {
        match self {
            Side::Units(set) => set.contrast.as_deref(),
            _ => None,
        }
    }

    /// The units above a threshold; `None` where nothing is known.
    fn kept(&self, threshold: Option<f64>) -> Option<Vec<UnitRow>> {
        match self {
            Side::Units(set) => Some(above(&set.units, threshold)),
            Side::Empty => Some(Vec::new()),
            Side::Absent(_) => None,
        }
    }
}

/// Units with t above the threshold; NaN is above none.
fn above(units: &[UnitRow], threshold: Option<f64>) -> Vec<UnitRow> {
    units.iter().filter(|row| threshold.is_none_or(|t| row.t > t)).copied().collect()
}

struct Pair<'a> {
    array: String,
    preferred: String,
    a: Side<'a>,
    b: Side<'a>,
    n_units: Option<usize>,
}

impl Pair<'_> {
    fn cells(&self, threshold: Option<f64>) -> Vec<Named<'_>> {
        let (a, b) = (self.a.kept(threshold), self.b.kept(threshold));
        let units = |kept: &Option<Vec<UnitRow>>| -> Vec<usize> { kept.iter().flatten().map(|row| row.unit).collect() };
        let both = SetOverlap::of(&units(&a), &units(&b), self.n_units);
        let known = a.is_some() && b.is_some();
        let count = |n: usize| Cell::from(known.then_some(n));
        let number = |v: f64| Cell::from(if known { v } else { f64::NAN });
        let reason = match (&self.a, &self.b) {
            (Side::Absent(why), _) | (_, Side::Absent(why)) => Some(*why),
            _ if both.n_a == 0 || both.n_b == 0 => Some(Reason::Empty),
            _ if self.n_units.is_none() => Some(Reason::NUnitsUnknown),
            _ => None,
        };
        let ln_p = both.ln_p();
        let mut cells: Vec<Named> = vec![
            ("array", self.array.as_str().into()),
            ("preferred", self.preferred.as_str().into()),
            ("contrast_a", self.a.contrast().into()),
            ("contrast_b", self.b.contrast().into()),
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
            ("n_units", self.n_units.into()),
        ];
        for (kept, names) in [(&a, MEANS_A), (&b, MEANS_B)] {
            cells.extend(means(names, kept.as_deref().unwrap_or_default()));
        }
        cells.push(("reason", reason.into()));
        cells
    }
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

/// The sets of both tables by array and preferred side: those of the first in its order, then what only the second has.
fn pairs<'a>(job: &Job, a: &'a UnitTable, b: &'a UnitTable, args: &Overlap) -> Result<Vec<Pair<'a>>> {
    for table in [a, b] {
        for set in &table.sets {
            let mut alike = table.sets_of(&set.array).filter(|other| other.preferred == set.preferred);
            if let (Some(one), Some(other)) = (alike.next(), alike.next()) {
                let text = |set: &UnitSet| set.contrast.clone().unwrap_or_default();
                bail!(
                    "{}: {:?} and {:?} both prefer {:?} in array {:?}; give a table with one of them",
                    table.source,
                    text(one),
                    text(other),
                    set.preferred,
                    set.array
                );
            }
        }
    }
    let arrays = matched_arrays(job, a, b)?;
    let sides = matched_sides(job, a, b)?;
    let mut pairs = Vec::new();
    for (in_a, in_b) in &arrays {
        let array = in_a.or(*in_b).unwrap_or_default();
        let known = [(a, in_a), (b, in_b)].map(|(table, name)| name.and_then(|name| table.n_units_of(name)));
        if let [Some(of_a), Some(of_b)] = known {
            ensure!(
                of_a == of_b,
                "{} says that array {array:?} has {of_a} units, {} says {of_b}; units of one layer, pooled alike, can be \
                 compared",
                a.source,
                b.source
            );
        }
        let n_units = known[0].or(known[1]).or(args.n_units);
        for preferred in &sides {
            let (of_a, of_b) =
                (side(job, a, *in_a, preferred.a, preferred.name), side(job, b, *in_b, preferred.b, preferred.name));
            // A row without any unit is written where both tables are known to have asked for this side.
            let both_looked =
                [a, b].iter().all(|table| table.was_asked(preferred.name) == Some(true) || table.sets.is_empty());
            let is_row = match (&of_a, &of_b) {
                (Side::Units(_), _) | (_, Side::Units(_)) => true,
                (Side::Empty, Side::Empty) => both_looked,
                _ => false,
            };
            if is_row {
                let (array, preferred) = (array.to_owned(), preferred.name.to_owned());
                pairs.push(Pair { array, preferred, a: of_a, b: of_b, n_units });
            }
        }
    }
    for pair in &pairs {
        for (side, table, other) in [(&pair.a, a, b), (&pair.b, b, a)] {
            if let Side::Absent(why) = side {
                let (array, preferred) = (&pair.array, &pair.preferred);
                job.warn(match *why {
                    Reason::NotAsked => {
                        format!("{}: it was not asked for {preferred:?}, which {} has", table.source, other.source)
                    }
                    _ => format!(
                        "{}: no rows about array {array:?} (it has: {}), so its set for {preferred:?} has no partner",
                        table.source,
                        table.array_names()
                    ),
                });
            }
        }
    }
    if args.n_units.is_none() && pairs.iter().any(|pair| pair.n_units.is_none()) {
        job.warn("no column n_units, so nothing is known of chance; say how many units the array has with --n-units");
    }
    Ok(pairs)
}

/// One table's side of a pair: its set in this array that prefers `own`, its own name for the side called `name`.
fn side<'a>(job: &Job, table: &'a UnitTable, array: Option<&str>, own: Option<&str>, name: &str) -> Side<'a> {
    let was_asked = table.was_asked(name);
    // A table without rows selected nothing in any array.
    if table.sets.is_empty() {
        return if was_asked == Some(false) { Side::Absent(Reason::NotAsked) } else { Side::Empty };
    }
    let Some(array) = array else { return Side::Absent(Reason::NoPartner) };
    if let Some(own) = own {
        return table.set(array, own).map_or(Side::Empty, Side::Units);
    }
    // A table of --all has rows of every contrast that was asked.
    let writes_all = table.sets.iter().any(|set| set.criterion == Some(Criterion::AllUnits));
    match was_asked {
        Some(true) => Side::Empty,
        Some(false) => Side::Absent(Reason::NotAsked),
        None if writes_all => Side::Absent(Reason::NotAsked),
        None => {
            job.warn(format!(
                "{}: no unit prefers {name:?}: counted as 0 in array {array:?}; leave that contrast out of the other \
                 table if this one was never asked",
                table.source
            ));
            Side::Empty
        }
    }
}

type Matched<'a> = Vec<(Option<&'a str>, Option<&'a str>)>;

/// Arrays by name; one array each belong together whatever their names.
fn matched_arrays<'a>(job: &Job, a: &'a UnitTable, b: &'a UnitTable) -> Result<Matched<'a>> {
    let names = |table: &'a UnitTable| -> Vec<&'a str> { table.arrays.iter().map(|(name, _)| name.as_str()).collect() };
    let (of_a, of_b) = (names(a), names(b));
    if let ([one], [other]) = (of_a.as_slice(), of_b.as_slice()) {
        if one != other {
            job.note(format!(
                "array {one:?} of {} and {other:?} of {} are the only ones there: taken for the same",
                a.source, b.source
            ));
        }
        return Ok(vec![(Some(*one), Some(*other))]);
    }
    if !of_a.is_empty() && !of_b.is_empty() && !of_a.iter().any(|name| of_b.contains(name)) {
        bail!(
            "{} is about {} and {} about {}: 0 arrays in common; name them alike with `select-units --names`",
            a.source,
            a.array_names(),
            b.source,
            b.array_names()
        );
    }
    for (empty, full) in [(a, b), (b, a)] {
        if empty.sets.is_empty() && !full.sets.is_empty() {
            job.note(format!("{}: 0 units: its sets are empty in every array of {}", empty.source, full.source));
        }
    }
    let there = |list: &[&'a str], name: &'a str| list.contains(&name).then_some(name);
    let mut all: Matched<'a> = of_a.iter().map(|name| (Some(*name), there(&of_b, name))).collect();
    all.extend(of_b.iter().filter(|name| !of_a.contains(name)).map(|name| (None, Some(*name))));
    // Two empty tables are about an array that neither names.
    if all.is_empty() {
        job.note(format!("{} and {}: 0 units in both", a.source, b.source));
        all.push((None, None));
    }
    Ok(all)
}

/// A preferred side, and what each table calls it where it has units that prefer it.
struct Preferred<'a> {
    name: &'a str,
    a: Option<&'a str>,
    b: Option<&'a str>,
}

/// Preferred sides by name; a table without contrasts has the one side that the other has.
fn matched_sides<'a>(job: &Job, a: &'a UnitTable, b: &'a UnitTable) -> Result<Vec<Preferred<'a>>> {
    let (of_a, of_b) = (a.sides(), b.sides());
    if a.sets.is_empty() || b.sets.is_empty() || a.has_contrasts == b.has_contrasts {
        let mut names: Vec<&str> = Vec::new();
        for name in of_a.iter().chain(&of_b).copied().chain(a.asked_sides()).chain(b.asked_sides()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        // Two empty tables of which nothing more is known.
        if names.is_empty() {
            names.push("");
        }
        let there = |list: &[&'a str], name: &'a str| list.contains(&name).then_some(name);
        let all = names.into_iter().map(|name| Preferred { name, a: there(&of_a, name), b: there(&of_b, name) });
        return Ok(all.collect());
    }
    let (without, with, sides) = if a.has_contrasts { (b, a, &of_a) } else { (a, b, &of_b) };
    let [name] = sides.as_slice() else {
        bail!(
            "{} has no column contrast, but {} prefers {}; which of them its units prefer cannot be told",
            without.source,
            with.source,
            sides.join(" and ")
        );
    };
    job.note(format!("{} has no column contrast: its units are taken to prefer {name:?}", without.source));
    Ok(vec![Preferred { name, a: of_a.first().copied(), b: of_b.first().copied() }])
}

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
