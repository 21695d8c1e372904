//! `unit-stats probe`: the pictures that drive each unit.

mod numbers;

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;
use cli::{Cell, Common, Format, Input, Job, Named, TableWriter};
use rayon::prelude::*;
use statistics::{Reason, ln_to_neg_log10};
use unit_tables::{UnitSet, UnitTable};

use crate::responses::{Acts, Pictures, Reader, Responses, read_units};
use numbers::{Levels, enrichment, extreme, levels, roc_areas, usable};

const PROBE: &str = "\
Pictures whose category is empty or n/a are not used; every presentation counts. Equal responses
are ordered as the stimulus table is. z is over the pictures used, with n in the denominator.
Memory is that of the units' responses to all pictures; --mem is checked before it is taken.

Output, one row per array, contrast (empty without --units), unit and:
  --table pictures    end (top, bottom), rank (from 1), stimulus, category, response, z, n_tied:
                      pictures left out whose response equals that of the last one taken
  --table enrichment  end, category: k, n_hits (of the k in the category), n_category, n_stimuli,
                      share (n_hits / k), enrichment (share / n_category share of all), p,
                      neg_log10_p (hypergeometric: as many by chance, or more). Where ties at the
                      edge let the order of the table decide n_hits, the numbers are NaN:
                      among the many zeros of a rectified unit no k pictures are the lowest
  --table levels      level (from 0), lo, hi (edges in z; lo <= z < hi, the last with hi),
                      category: n (pictures at the level), n_hits, share = P(category | level)
  --table auc         category: n_category, n_stimuli, auc against all others (ties count half)
and reason: constant, nan_input, ties_at_edge, too_few_stimuli (below --min-count), no_stimuli.
After Goh et al. (2021).

Examples:
  unit-stats probe other.npy --units floc_units.csv --stimuli other.csv --by category \\
    --table pictures --k 9
  unit-stats probe other.npy --units floc_units.csv --stimuli other.csv --by category \\
    --table levels --edges=-1,0,1,2
  unit-stats probe floc.npy --stimuli floc.csv --by domain --table auc > auc.csv";

#[derive(Debug, clap::Args)]
#[command(after_help = PROBE)]
pub(crate) struct Probe {
    #[command(flatten)]
    pub acts: Acts,
    /// Units to look at, as select-units writes them [default: all]
    #[arg(long, value_name = "UNITS")]
    pub units: Option<Input>,
    /// What to write
    #[arg(long, value_enum)]
    pub table: ProbeTable,
    /// pictures, enrichment: how many pictures at each end [default: 10]
    #[arg(long, value_name = "K")]
    pub k: Option<usize>,
    /// levels: edges of the bins in z [default: -2,-1,0,1,2,3]
    #[arg(long, value_name = "Z,..", value_delimiter = ',', allow_hyphen_values = true, conflicts_with = "quantiles")]
    pub edges: Option<Vec<f64>>,
    /// levels: this many bins with equally many pictures instead
    #[arg(long, value_name = "N")]
    pub quantiles: Option<usize>,
    /// levels: bins with fewer pictures have no shares [default: 5]
    #[arg(long, value_name = "N")]
    pub min_count: Option<usize>,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub common: Common,
}

/// What `probe` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProbeTable {
    /// The --k pictures with the highest and with the lowest responses
    Pictures,
    /// Categories among them, against chance
    Enrichment,
    /// Share of each category at each level of activation
    Levels,
    /// ROC area of each category against all others
    Auc,
}

/// Units worked on at once: their responses are copied out of the rows together.
const UNITS_AT_A_TIME: usize = 64;

const DEFAULT_K: usize = 10;
const DEFAULT_MIN_COUNT: usize = 5;
const DEFAULT_EDGES: [f64; 6] = [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0];

/// The table that is written, with the options that belong to it.
enum Question {
    Pictures { k: usize },
    Enrichment { k: usize },
    Levels { levels: Levels, min_count: usize },
    Auc,
}

pub(crate) fn run(args: &Probe) -> Result<()> {
    let job = Job::start("unit-stats", &args.common)?;
    let question = question(args)?;
    ensure!(args.units.is_some() || !args.acts.chosen_only, "--chosen-only speaks of --units, which is not given");
    let units = read_units(&job, args.units.as_ref(), args.acts.fold.as_deref())?;
    let pictures = Pictures::read(&job, &args.acts, if matches!(question, Question::Pictures { .. }) { 1 } else { 2 })?;
    let mut arrays: Vec<Responses> = Vec::new();
    // All arrays are read before anything is written, so that an error in a later one leaves no half table.
    Reader::new(&job, &args.acts, &pictures, units.as_ref()).each(true, |responses| arrays.push(responses))?;
    if let Question::Pictures { k } | Question::Enrichment { k } = question {
        for array in &arrays {
            ensure!(
                k <= array.n_pictures(),
                "array {:?}: --k {k}, but only {} pictures have a category",
                array.array,
                array.n_pictures()
            );
        }
    }
    let out = job.text_output(args.common.output.as_deref())?;
    let mut table = TableWriter::new(out, args.format, &question.columns())?;
    let (mut n_units, mut n_unusable) = (0, 0);
    for array in &arrays {
        let counts = counts(array, pictures.categories.len());
        for (contrast, places) in sets(array, units.as_ref()) {
            n_units += places.len();
            let place = Place { array, contrast, pictures: &pictures, counts: &counts };
            for places in places.chunks(UNITS_AT_A_TIME) {
                let columns = array.at(places);
                let rows: Vec<(bool, Vec<Vec<Named>>)> = columns
                    .into_par_iter()
                    .zip(places)
                    .map(|(values, &held)| place.rows(&question, array.units[held], values))
                    .collect();
                for (is_usable, rows) in &rows {
                    n_unusable += usize::from(!is_usable);
                    rows.iter().try_for_each(|row| table.record(row))?;
                }
            }
        }
    }
    if n_units == 0 {
        job.note("0 units: the table has no rows");
    }
    if n_unusable > 0 {
        job.warn(format!("{n_unusable} of {n_units} units are constant over these pictures, or have a NaN"));
    }
    table.into_inner().commit(&job)
}

/// Options of another table than the one asked for are refused, not ignored.
fn question(args: &Probe) -> Result<Question> {
    let takes_k = matches!(args.table, ProbeTable::Pictures | ProbeTable::Enrichment);
    if args.k.is_some() && !takes_k {
        bail!("--k is for --table pictures and enrichment; leave it out");
    }
    let of_levels = args.edges.is_some() || args.quantiles.is_some() || args.min_count.is_some();
    if of_levels && args.table != ProbeTable::Levels {
        bail!("--edges, --quantiles and --min-count are for --table levels; leave them out");
    }
    let k = args.k.unwrap_or(DEFAULT_K);
    ensure!(k > 0, "--k 0; at least 1 picture");
    Ok(match args.table {
        ProbeTable::Pictures => Question::Pictures { k },
        ProbeTable::Enrichment => Question::Enrichment { k },
        ProbeTable::Auc => Question::Auc,
        ProbeTable::Levels => {
            let levels = match (args.quantiles, &args.edges) {
                (Some(n), _) => {
                    ensure!((2..=10_000).contains(&n), "--quantiles {n}; between 2 and 10000 levels");
                    Levels::Quantiles(n)
                }
                (None, edges) => {
                    let edges = edges.clone().unwrap_or_else(|| DEFAULT_EDGES.to_vec());
                    ensure!(
                        edges.iter().all(|e| e.is_finite()) && edges.windows(2).all(|e| e[0] < e[1]),
                        "--edges {edges:?}; finite numbers, each above the one before"
                    );
                    Levels::Edges(edges)
                }
            };
            Question::Levels { levels, min_count: args.min_count.unwrap_or(DEFAULT_MIN_COUNT) }
        }
    })
}

impl Question {
    fn columns(&self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Question::Pictures { .. } => &["end", "rank", "stimulus", "category", "response", "z", "n_tied"],
            Question::Enrichment { .. } => &[
                "end",
                "category",
                "k",
                "n_hits",
                "n_category",
                "n_stimuli",
                "share",
                "enrichment",
                "p",
                "neg_log10_p",
            ],
            Question::Levels { .. } => &["level", "lo", "hi", "category", "n", "n_hits", "share"],
            Question::Auc => &["category", "n_category", "n_stimuli", "auc"],
        };
        ["array", "contrast", "unit"].iter().chain(own).chain(&["reason"]).copied().collect()
    }
}

/// Pictures per category.
fn counts(array: &Responses, n_categories: usize) -> Vec<usize> {
    let mut counts = vec![0; n_categories];
    array.category.iter().for_each(|&c| counts[c] += 1);
    counts
}

/// The units of each contrast, as places among those held; all of them without a table.
fn sets<'a>(array: &'a Responses, units: Option<&'a UnitTable>) -> Vec<(Option<&'a str>, Vec<usize>)> {
    let Some(table) = units else { return vec![(None, (0..array.units.len()).collect())] };
    let Some(named) = array.named.as_deref() else { return Vec::new() };
    let place = |set: &UnitSet| set.units.iter().filter_map(|row| array.place_of(row.unit)).collect();
    table.sets_of(named).map(|set| (set.contrast.as_deref(), place(set))).collect()
}

/// The array and contrast of the units.
struct Place<'a> {
    array: &'a Responses,
    contrast: Option<&'a str>,
    pictures: &'a Pictures,
    /// Pictures per category.
    counts: &'a [usize],
}

impl<'a> Place<'a> {
    /// The rows of one unit, and whether it could be used.
    fn rows(&self, question: &Question, unit: usize, values: Vec<f64>) -> (bool, Vec<Vec<Named<'a>>>) {
        let of_unit = usable(values);
        let is_usable = of_unit.is_ok();
        let rows = match question {
            Question::Pictures { k } => self.extreme_pictures(of_unit, *k),
            Question::Enrichment { k } => self.enrichments(of_unit, *k),
            Question::Levels { levels, min_count } => self.levels(of_unit, levels, *min_count),
            Question::Auc => self.areas(of_unit),
        };
        let head: [Named; 3] =
            [("array", self.array.array.as_str().into()), ("contrast", self.contrast.into()), ("unit", unit.into())];
        (is_usable, rows.into_iter().map(|row| head.iter().cloned().chain(row).collect()).collect())
    }

    fn category(&self, c: usize) -> Named<'a> {
        ("category", (&self.pictures.categories[c]).into())
    }

    fn extreme_pictures(&self, unit: Result<(Vec<f64>, Vec<f64>), Reason>, k: usize) -> Vec<Vec<Named<'a>>> {
        let mut rows = Vec::new();
        for (end, top) in [("top", true), ("bottom", false)] {
            let (values, z) = match &unit {
                Ok(unit) => unit,
                Err(reason) => {
                    rows.push(vec![
                        ("end", end.into()),
                        ("rank", Cell::Empty),
                        ("stimulus", Cell::Empty),
                        ("category", Cell::Empty),
                        ("response", f64::NAN.into()),
                        ("z", f64::NAN.into()),
                        ("n_tied", Cell::Empty),
                        ("reason", reason.as_str().into()),
                    ]);
                    continue;
                }
            };
            let found = extreme(values, k, top);
            for (place, &picture) in found.pictures.iter().enumerate() {
                rows.push(vec![
                    ("end", end.into()),
                    ("rank", (place + 1).into()),
                    ("stimulus", (&self.pictures.ids[self.array.stimulus[picture]]).into()),
                    self.category(self.array.category[picture]),
                    ("response", values[picture].into()),
                    ("z", z[picture].into()),
                    ("n_tied", found.n_tied.into()),
                    ("reason", Cell::Empty),
                ]);
            }
        }
        rows
    }

    fn enrichments(&self, unit: Result<(Vec<f64>, Vec<f64>), Reason>, k: usize) -> Vec<Vec<Named<'a>>> {
        let mut rows = Vec::new();
        for (end, top) in [("top", true), ("bottom", false)] {
            let found = unit.as_ref().map(|(values, _)| extreme(values, k, top));
            for (c, &n_category) in self.counts.iter().enumerate() {
                let of_category = found
                    .as_ref()
                    .map_err(|reason| **reason)
                    .map(|found| enrichment(found, &self.array.category, c, n_category));
                let (n_hits, numbers, reason) = match of_category {
                    Ok(e) => {
                        let reason = match e.n_hits {
                            None => Some(Reason::TiesAtEdge),
                            Some(_) if n_category == 0 => Some(Reason::NoStimuli),
                            Some(_) => None,
                        };
                        (e.n_hits, [e.share, e.enrichment, e.ln_p.exp(), ln_to_neg_log10(e.ln_p)], reason)
                    }
                    Err(reason) => (None, [f64::NAN; 4], Some(reason)),
                };
                let [share, enrichment, p, neg_log10_p] = numbers;
                rows.push(vec![
                    ("end", end.into()),
                    self.category(c),
                    ("k", k.into()),
                    ("n_hits", n_hits.into()),
                    ("n_category", n_category.into()),
                    ("n_stimuli", self.array.n_pictures().into()),
                    ("share", share.into()),
                    ("enrichment", enrichment.into()),
                    ("p", p.into()),
                    ("neg_log10_p", neg_log10_p.into()),
                    ("reason", reason.into()),
                ]);
            }
        }
        rows
    }

    fn levels(
        &self,
        unit: Result<(Vec<f64>, Vec<f64>), Reason>,
        wanted: &Levels,
        min_count: usize,
    ) -> Vec<Vec<Named<'a>>> {
        let n_categories = self.counts.len();
        let found = unit.map(|(_, z)| levels(&z, &self.array.category, n_categories, wanted));
        let mut rows = Vec::new();
        for index in 0..wanted.count() {
            for c in 0..n_categories {
                let (lo, hi, n, n_hits, share, reason) = match &found {
                    Ok(found) => {
                        let level = &found[index];
                        let enough = level.n >= min_count.max(1);
                        let share = if enough { level.n_hits[c] as f64 / level.n as f64 } else { f64::NAN };
                        let reason = (!enough).then_some(Reason::TooFewStimuli);
                        (level.lo, level.hi, Some(level.n), Some(level.n_hits[c]), share, reason)
                    }
                    Err(reason) => (f64::NAN, f64::NAN, None, None, f64::NAN, Some(*reason)),
                };
                rows.push(vec![
                    ("level", index.into()),
                    ("lo", lo.into()),
                    ("hi", hi.into()),
                    self.category(c),
                    ("n", n.into()),
                    ("n_hits", n_hits.into()),
                    ("share", share.into()),
                    ("reason", reason.into()),
                ]);
            }
        }
        rows
    }

    fn areas(&self, unit: Result<(Vec<f64>, Vec<f64>), Reason>) -> Vec<Vec<Named<'a>>> {
        let n = self.array.n_pictures();
        let areas = unit.map(|(values, _)| roc_areas(&values, &self.array.category, self.counts));
        let of_category = |c: usize| match &areas {
            Ok(areas) => {
                let reason = (self.counts[c] == 0 || self.counts[c] == n).then_some(Reason::NoStimuli);
                (areas[c], reason)
            }
            Err(reason) => (f64::NAN, Some(*reason)),
        };
        (0..self.counts.len())
            .map(|c| {
                let (area, reason) = of_category(c);
                vec![
                    self.category(c),
                    ("n_category", self.counts[c].into()),
                    ("n_stimuli", n.into()),
                    ("auc", area.into()),
                    ("reason", reason.into()),
                ]
            })
            .collect()
    }
}
