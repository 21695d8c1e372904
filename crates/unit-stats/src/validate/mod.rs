//! `unit-stats validate`: chosen units on an independent set of pictures.

pub(crate) mod numbers;

use anyhow::Result;
use clap::ValueEnum;
use cli::{Common, Format, Input, Job, Named, TableWriter};
use statistics::Reason;
use unit_tables::{UnitSet, UnitTable};

use crate::responses::{Acts, Pictures, Reader, Responses};
use numbers::{CategoryResponse, Validation, validate};

const VALIDATE: &str = "\
Units are chosen on one localizer and measured on other pictures. Every chosen unit is z-scored
over all pictures that have a category (standard deviation with n in the denominator, as
scipy.stats.zscore); pictures whose category is empty or n/a are not used. Every presentation
counts: a picture shown twice is two rows. Use pictures that were not used to select the units; the
tool cannot detect reuse, except where the sidecar of UNITS names this very file (then it warns).

Arrays are matched with the table by name. One array and one name in the table belong together
whatever they are called, which is said on stderr; otherwise every array of the table must come.
Contrasts are those of the table, and of its sidecar where it has one: empty sets keep their rows.
Memory is that of the chosen units' responses to all pictures.

Output, one row per array, contrast and category:
  array, contrast, category
  n_selected           units that the contrast chose in the array
  n_constant, n_nan    of them constant over these pictures, or with a NaN: these are left out
  n_units              units of the array
  n                    pictures of the category
  mean, median, q1, q3 of the mean z of each unit (--over units), or of the units' mean z to each
                       picture of the category (--over images); quartiles interpolate linearly
  whisker_lo           the most extreme values within 1.5 (q3 - q1) of the box
  whisker_hi
  mean_t               mean over units of Student's t of the category against all other pictures
  proportion           share of the units (without those left out) with that t above threshold
  threshold            --t
  reason               why numbers are NaN: empty, not_in_table, constant, nan_input,
                       no_usable_unit, no_stimuli, too_few_stimuli (t needs 2 on each side)

Examples:
  unit-stats validate other.npy --units floc_units.csv --stimuli other.csv --by category
  cat conv.npy other.npy | unit-stats validate --names conv,floc --units floc_units.csv \\
    --stimuli other.csv --by category
  unit-stats validate other.npy --units floc_units.csv --stimuli other.csv --by category \\
    --over images --t 5";

#[derive(Debug, clap::Args)]
#[command(after_help = VALIDATE)]
pub(crate) struct Validate {
    #[command(flatten)]
    pub acts: Acts,
    /// The chosen units, as select-units writes them
    #[arg(long, value_name = "UNITS")]
    pub units: Input,
    /// What mean, median, quartiles and whiskers are over
    #[arg(long, value_enum, default_value_t = Over::Units)]
    pub over: Over,
    /// Count the units whose t of a category against all others is above T
    #[arg(long, value_name = "T", default_value_t = 3.0, allow_negative_numbers = true, value_parser = localizer::parse_threshold)]
    pub t: f64,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub common: Common,
}

/// Over what a distribution is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Over {
    /// Units: each with its mean over the pictures of the category
    Units,
    /// Pictures of the category: each with the mean over units
    Images,
}

const COLUMNS: [&str; 18] = [
    "array",
    "contrast",
    "category",
    "n_selected",
    "n_constant",
    "n_nan",
    "n_units",
    "n",
    "mean",
    "median",
    "q1",
    "q3",
    "whisker_lo",
    "whisker_hi",
    "mean_t",
    "proportion",
    "threshold",
    "reason",
];

/// The rows of one array and contrast.
struct Block {
    array: String,
    contrast: Option<String>,
    n_selected: usize,
    n_units: Option<usize>,
    /// Whether the table has rows about this array.
    in_table: bool,
    result: Validation,
}

pub(crate) fn run(args: &Validate) -> Result<()> {
    let job = Job::start("unit-stats", &args.common)?;
    let units = UnitTable::read(&job, &args.units, args.acts.fold.as_deref())?;
    let pictures = Pictures::read(&job, &args.acts, 2)?;
    job.record("z", "over all pictures with a category, standard deviation with n in the denominator");
    if units.sets.is_empty() {
        job.note(format!("{}: 0 units, so every number is NaN", args.units));
    }
    // Written when all arrays have come: only then is it known whether a lone array may have another name.
    let mut blocks = Vec::new();
    Reader::new(&job, &args.acts, &pictures, Some(&units)).each(false, |responses| {
        blocks.extend(of_array(args, &units, &pictures, &responses));
    })?;
    for block in &blocks {
        report(&job, block);
    }
    // The stimulus table is compared first: hashing activations takes long, and other pictures have another table.
    if args.acts.fold.is_none() && units.chosen_from(&job, &args.acts.stimuli)? {
        for input in &args.acts.inputs {
            if units.chosen_from(&job, input)? {
                job.warn(format!(
                    "{input}: these units were selected on it (says the sidecar of {}), which makes their responses \
                     too good; validate on other pictures, or select with --cv",
                    args.units
                ));
            }
        }
    }
    let out = job.text_output(args.common.output.as_deref())?;
    let mut table = TableWriter::new(out, args.format, &COLUMNS)?;
    for block in &blocks {
        for (category, response) in pictures.categories.iter().zip(&block.result.categories) {
            table.record(&cells(block, category, response, args.t))?;
        }
    }
    table.into_inner().commit(&job)
}

/// One block per contrast of the table, also where the array has no unit of it.
fn of_array(args: &Validate, units: &UnitTable, pictures: &Pictures, responses: &Responses) -> Vec<Block> {
    let mut contrasts = units.contrasts();
    if contrasts.is_empty() {
        contrasts.push(None);
    }
    let named = responses.named.as_deref();
    contrasts
        .into_iter()
        .map(|contrast| {
            let set = named.and_then(|name| units.sets_of(name).find(|set| set.contrast.as_deref() == contrast));
            let places = places(responses, set);
            let result = validate(
                places.len(),
                |range| responses.at(&places[range]),
                &responses.category,
                pictures.categories.len(),
                args.over,
                args.t,
            );
            Block {
                array: responses.array.clone(),
                contrast: contrast.map(str::to_owned),
                n_selected: places.len(),
                n_units: responses.n_units,
                in_table: named.is_some() || units.sets.is_empty(),
                result,
            }
        })
        .collect()
}

/// Where the units of a set are among those held.
fn places(responses: &Responses, set: Option<&UnitSet>) -> Vec<usize> {
    set.iter().flat_map(|set| &set.units).filter_map(|row| responses.place_of(row.unit)).collect()
}

/// Says on stderr which units are left out.
fn report(job: &Job, block: &Block) {
    let result = &block.result;
    if result.n_constant + result.n_nan > 0 {
        job.warn(format!(
            "{}: {} of {} chosen units left out: {} constant over these pictures, {} NaN",
            block.array,
            result.n_constant + result.n_nan,
            block.n_selected,
            result.n_constant,
            result.n_nan
        ));
    }
}

fn cells<'a>(block: &'a Block, category: &'a str, response: &CategoryResponse, t_above: f64) -> [Named<'a>; 18] {
    let result = &block.result;
    let reason = match () {
        () if !block.in_table => Some(Reason::NotInTable),
        () if block.n_selected == 0 => Some(Reason::Empty),
        () if result.n_constant == block.n_selected => Some(Reason::Constant),
        () if result.n_nan == block.n_selected => Some(Reason::NanInput),
        () if result.n_used == 0 => Some(Reason::NoUsableUnit),
        () if response.n == 0 => Some(Reason::NoStimuli),
        () if response.mean_t.is_nan() => Some(Reason::TooFewStimuli),
        () => None,
    };
    let spread = &response.spread;
    [
        ("array", block.array.as_str().into()),
        ("contrast", block.contrast.as_deref().into()),
        ("category", category.into()),
        ("n_selected", block.n_selected.into()),
        ("n_constant", result.n_constant.into()),
        ("n_nan", result.n_nan.into()),
        ("n_units", block.n_units.into()),
        ("n", response.n.into()),
        ("mean", response.mean.into()),
        ("median", spread.median.into()),
        ("q1", spread.q1.into()),
        ("q3", spread.q3.into()),
        ("whisker_lo", spread.whisker_lo.into()),
        ("whisker_hi", spread.whisker_hi.into()),
        ("mean_t", response.mean_t.into()),
        ("proportion", response.proportion.into()),
        ("threshold", t_above.into()),
        ("reason", reason.into()),
    ]
}
