//! `figure tuning`: the response to every stimulus.

use crate::categories::CategoryArgs;
use crate::look::{LabelArgs, Look};
use crate::parts::{areas, by_category, zero};
use crate::rows::{Part, Rows};
use anyhow::{Result, bail};
use cli::Input;
use drawing::style::{self, category};
use drawing::{Axis, Chart, Mark, Panel, Scale, Stroke, linear_over, value};
use std::collections::HashMap;

/// Response profiles: the response to every stimulus, sorted by category
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: the table of `tuning profile --format csv`. One panel per array, below each other, with the same
order of stimuli: by category with --stimuli and --by, and within a category by the response of the
first array, the highest first; trials of a stimulus stand together, by their mean.
  bars    z of the response, over the stimuli of the array; lines: the mean of a category
--ceiling writes r_max of `ceiling within` (how well any profile could agree with the array's) beside the
name of the array.

Examples:
  figure tuning profiles.csv --stimuli pictures.csv --by domain -o profiles.svg
  figure tuning --ceiling within.csv --stimuli pictures.csv --by domain ffa_profile.csv -o ffa.png
  tuning profile --format csv acts.npy | figure tuning --terminal")]
pub(crate) struct TuningArgs {
    /// Table of `tuning profile --format csv`; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    input: Input,
    /// Table of `ceiling within` (--stat profile) about these arrays
    #[arg(long, value_name = "TABLE")]
    ceiling: Option<Input>,
    #[command(flatten)]
    categories: CategoryArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    look: Look,
}

pub(crate) fn run(args: &TuningArgs) -> Result<()> {
    let session = args.look.start()?;
    let labels = args.labels.read(&session)?;
    let categories = args.categories.read(&session)?;
    let made_by = "tuning profile --format csv";
    let table = Rows::read(&session, &args.input, made_by, &["array", "stimulus", "z"])?;
    let (z, ids) = (table.numbers("z")?, table.cells("stimulus")?);
    let ceilings = match &args.ceiling {
        Some(input) => {
            let needed = ["array", "stat", "r_one_rest", "r_max"];
            let ceilings = Rows::read(&session, input, "ceiling within", &needed)?;
            if let Some(stat) = ceilings.cells("stat")?.iter().find(|stat| *stat != "profile") {
                bail!("{input}: its r_max is of {stat}; a profile needs that of `ceiling within --stat profile`");
            }
            let r_max = ceilings.numbers("r_max")?;
            ceilings.cells("array")?.iter().cloned().zip(r_max).collect()
        }
        None => HashMap::new(),
    };
    let arrays = table.by("array", &table.all())?;
    if let (Some(input), Some(array)) = (&args.ceiling, arrays.iter().find(|a| !ceilings.contains_key(&a.name))) {
        let have: Vec<&str> = ceilings.keys().map(String::as_str).collect();
        bail!("{input}: has no row about array {:?}; it is about {}", array.name, have.join(", "));
    }
    // The mean of the trials of a stimulus in the first array, by which all are sorted.
    let mut trials: HashMap<&str, Vec<f64>> = HashMap::new();
    for &row in arrays[0].rows.iter().filter(|&&row| z[row].is_finite()) {
        trials.entry(&ids[row]).or_default().push(z[row]);
    }
    let first: HashMap<&str, f64> = trials.iter().map(|(id, z)| (*id, statistics::mean(z))).collect();
    let mut appeared: HashMap<&str, usize> = HashMap::new();
    for id in ids {
        let next = appeared.len();
        appeared.entry(id).or_insert(next);
    }

    let mut chart = Chart::new("", "");
    let (mut seen, mut spoken, mut left_out) = (vec![0.0], Vec::new(), Vec::new());
    for Part { name, rows } in &arrays {
        // By the response of the first array; what it lacks comes last, in the order of the table.
        let mut rows = rows.clone();
        let height =
            |row: usize| first.get(ids[row].as_str()).copied().filter(|v| v.is_finite()).unwrap_or(f64::NEG_INFINITY);
        // Trials of one stimulus stand together, the highest first.
        let order = |row: usize| appeared.get(ids[row].as_str()).copied();
        let own = |row: usize| if z[row].is_finite() { z[row] } else { f64::NEG_INFINITY };
        rows.sort_by(|&a, &b| {
            height(b).total_cmp(&height(a)).then(order(a).cmp(&order(b))).then(own(b).total_cmp(&own(a)))
        });
        let (order, groups, of) = match &categories {
            Some(categories) => {
                let of = categories.of_all(rows.iter().map(|&row| ids[row].as_str()), table.source())?;
                let names: Vec<String> = categories.names.iter().map(|name| labels.of(name)).collect();
                let (order, groups) = by_category(&of, &names);
                (order, groups, of)
            }
            None => ((0..rows.len()).collect(), Vec::new(), vec![0; rows.len()]),
        };
        let mut marks = Vec::new();
        for (place, &k) in order.iter().enumerate() {
            let row = rows[k];
            if z[row].is_nan() {
                left_out.push(row);
                continue;
            }
            seen.push(z[row]);
            let (at, colour) = (place as f64, category(of[k]));
            marks.push(Mark::Bar { at, width: 0.8, from: 0.0, to: z[row], colour, name: ids[row].clone() });
        }
        for group in &groups {
            let places = group.first..group.first + group.n;
            let values: Vec<f64> = places.map(|place| z[rows[order[place]]]).filter(|v| v.is_finite()).collect();
            if values.is_empty() {
                continue;
            }
            let mean = statistics::mean(&values);
            spoken.push(format!("{name}, {}: mean {}", group.name, value(mean)));
            let points = vec![[group.first as f64 - 0.4, mean], [(group.first + group.n) as f64 - 0.6, mean]];
            let stroke = Stroke { colour: style::INK, width: style::LINE, dash: 0 };
            marks.push(Mark::Curve { points, stroke, name: format!("mean of {}", group.name) });
        }
        marks.push(zero());
        let title = match ceilings.get(name) {
            Some(r_max) => format!("{} (r_max {})", labels.of(name), value((r_max * 1000.0).round() / 1000.0)),
            None => labels.of(name),
        };
        let names = order.iter().map(|&k| labels.of(&ids[rows[k]])).collect();
        let mut distinct: Vec<&str> = rows.iter().map(|&row| ids[row].as_str()).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let label = match (distinct.len() == rows.len(), groups.is_empty()) {
            (true, true) => format!("{} stimuli", rows.len()),
            (true, false) => String::new(),
            (false, _) => format!("{} trials of {} stimuli", rows.len(), distinct.len()),
        };
        let x = Axis { groups, ..Axis::new(label, Scale::Names(names)) };
        chart.panels.push(Panel { title, x, y: Axis::default(), marks });
    }
    table.say_left_out(&session, "z", &left_out);
    if seen.len() == 1 {
        bail!("{}: no row has a number in column \"z\"", table.source());
    }
    let y = linear_over(seen.iter().copied());
    chart.panels.iter_mut().for_each(|panel| panel.y = Axis::new("response (z)", y.clone()));
    if let Some(categories) = &categories {
        chart.legend = areas(categories.names.iter().map(|name| labels.of(name)));
        if categories.names.len() > style::CATEGORIES.len() {
            chart.notes.push(format!("Colours recur after {} categories: see the axis.", style::CATEGORIES.len()));
        }
        chart.notes.push("Lines: mean of a category. Within it by the response of the first array.".into());
    }
    chart.columns = 1;
    chart.aspect = if chart.panels.len() > 1 { 0.2 } else { 0.35 };
    chart.description = format!("Responses of {} arrays to every stimulus. {}.", arrays.len(), spoken.join("; "));
    session.finish(chart)
}
