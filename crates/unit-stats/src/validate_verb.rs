//! `unit-stats validate`: chosen units on an independent set of pictures.

use crate::args::{Over as OverArg, Validate};
use crate::responses::{Pictures, Reader, Responses};
use crate::unit_table::{UnitSet, UnitTable};
use crate::validation::{CategoryResponse, Over, Validation, validate};
use anyhow::Result;
use cli::{Cell, Job, TableWriter};

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
    /// The table has no rows about this array at all.
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
    // By array of the table; those of a lone array under another name are settled when all have come.
    let mut blocks = Vec::new();
    Reader::new(&job, &args.acts, &pictures, Some(&units)).each(false, |responses| {
        blocks.extend(of_array(args, &units, &pictures, &responses));
    })?;
    for block in &blocks {
        report(&job, block);
    }
    // The small file first: activations may take a while to hash, and other pictures have another table.
    if args.acts.fold.is_none() && units.chosen_from(&job, &args.acts.stimuli)? {
        for input in &args.acts.inputs {
            if units.chosen_from(&job, input)? {
                job.warn(format!(
                    "{input}: chose these units itself (so the sidecar of {} says), which makes their responses too \
                     good; validate on other pictures, or select with --cv",
                    args.units
                ));
            }
        }
    }
    let out = job.text_output(args.common.output.as_deref())?;
    let mut table = TableWriter::new(out, args.format, &COLUMNS)?;
    for block in &blocks {
        for (category, response) in pictures.categories.iter().zip(&block.result.categories) {
            table.row(&cells(block, category, response, args.t))?;
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
    let over = match args.over {
        OverArg::Units => Over::Units,
        OverArg::Images => Over::Images,
    };
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
                over,
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

/// Units that are left out are worth a line.
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

fn cells<'a>(block: &'a Block, category: &'a str, response: &CategoryResponse, t_above: f64) -> [Cell<'a>; 18] {
    let result = &block.result;
    let reason = match () {
        () if !block.in_table => Some("not_in_table"),
        () if block.n_selected == 0 => Some("empty"),
        () if result.n_constant == block.n_selected => Some("constant"),
        () if result.n_nan == block.n_selected => Some("nan_input"),
        () if result.n_used == 0 => Some("no_usable_unit"),
        () if response.n == 0 => Some("no_stimuli"),
        () if response.mean_t.is_nan() => Some("too_few_stimuli"),
        () => None,
    };
    let spread = &response.spread;
    [
        block.array.as_str().into(),
        block.contrast.as_deref().into(),
        category.into(),
        block.n_selected.into(),
        result.n_constant.into(),
        result.n_nan.into(),
        block.n_units.into(),
        response.n.into(),
        response.mean.into(),
        spread.median.into(),
        spread.q1.into(),
        spread.q3.into(),
        spread.whisker_lo.into(),
        spread.whisker_hi.into(),
        response.mean_t.into(),
        response.proportion.into(),
        t_above.into(),
        reason.into(),
    ]
}
