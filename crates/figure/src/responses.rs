//! `figure responses`: what selected units, or regions, answer to each category.

use crate::categories::{Categories, CategoryArgs};
use crate::look::{EmptyArgs, LabelArgs, Labels, Look, Session};
use crate::parts::{BOXES, areas, beside, box_of, share_y, tell_apart, zero};
use crate::rows::Rows;
use anyhow::{Result, bail};
use cli::Input;
use drawing::style::category;
use drawing::{Axis, Chart, Mark, Panel, Scale, value};

/// Responses of selected units, or of regions, by category: boxes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: the table of `unit-stats validate` (quartiles of chosen units on other pictures, one box per
category), or that of `tuning profile --format csv`, whose stimuli --stimuli and --by put into
categories (boxes are then over the stimuli of a category). One panel per contrast; arrays that
share a panel have a colour each.
  box, line     quartiles and median; whiskers: the most extreme values within 1.5 times the box
  diamond       the mean
  dashes        zero: the mean response to all pictures

Examples:
  figure responses validated.csv -o responses.svg
  figure responses --facet array --title 'Other pictures' validated.csv -o responses.png
  tuning profile --format csv ffa.npy | figure responses --stimuli pictures.csv --by domain")]
pub(crate) struct ResponsesArgs {
    /// Table of `unit-stats validate` or `tuning profile --format csv`; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    input: Input,
    /// Panels by this column [default: contrast, else array, where it differs]
    #[arg(long, value_name = "COLUMN")]
    facet: Option<String>,
    #[command(flatten)]
    categories: CategoryArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    empty: EmptyArgs,
    #[command(flatten)]
    look: Look,
}

/// One box before it is drawn.
struct Found {
    panel: String,
    series: String,
    category: String,
    mark: Mark,
}

pub(crate) fn run(args: &ResponsesArgs) -> Result<()> {
    let session = args.look.start()?;
    let chart = drawn(args, &session);
    session.finish_or_empty(args.empty, chart)
}

fn drawn(args: &ResponsesArgs, session: &Session) -> Result<Chart> {
    let labels = args.labels.read(session)?;
    let table = Rows::read(session, &args.input, "unit-stats validate", &[])?;
    let is_profile = table.has("response") && table.has("z");
    let categories = args.categories.read(session)?;
    let found = match (&categories, is_profile) {
        (Some(categories), true) => of_profiles(session, &table, args.facet.as_deref(), categories)?,
        (None, false) => {
            let facet = args.facet.as_deref().or_else(|| table.first_that_differs(&["contrast", "array"]));
            of_units(session, &table, facet, &labels)?
        }
        (None, true) => {
            bail!("{}: a table of profiles; --stimuli and --by say what its stimuli show", table.source())
        }
        (Some(_), false) => {
            // A table of neither kind is told which columns it lacks.
            table.cells("category")?;
            bail!("{}: its rows have a category already; leave --stimuli and --by out", table.source())
        }
    };
    let each = |of: fn(&Found) -> &String| {
        let mut names: Vec<String> = Vec::new();
        for one in &found {
            if !names.contains(of(one)) {
                names.push(of(one).clone());
            }
        }
        names
    };
    let (panels, series, names) = (each(|f| &f.panel), each(|f| &f.series), each(|f| &f.category));
    let mut chart = Chart::new("", "");
    let (mut seen, mut spoken) = (vec![0.0], Vec::new());
    for panel in &panels {
        let mut marks = vec![zero()];
        for one in found.iter().filter(|one| one.panel == *panel) {
            let k = series.iter().position(|name| *name == one.series).unwrap_or(0);
            let place = names.iter().position(|name| *name == one.category).unwrap_or(0);
            let mut mark = one.mark.clone();
            if let Mark::Box { at, width, five, mean, colour, name, .. } = &mut mark {
                *at = place as f64 + beside(k, series.len(), 0.8);
                *width = if series.len() > 1 { 0.7 / series.len() as f64 } else { 0.55 };
                *colour = category(if series.len() > 1 { k } else { place });
                if series.len() > 1 {
                    *name = format!("{}, {}", one.series, one.category);
                }
                seen.extend(five.iter().copied().chain(*mean));
                let of = [panel.as_str(), name.as_str()].into_iter().filter(|part| !part.is_empty());
                spoken.push(format!("{}: median {}", of.collect::<Vec<_>>().join(", "), value(five[2])));
            }
            marks.push(mark);
        }
        let x = Axis::new("", Scale::Names(names.iter().map(|name| labels.of(name)).collect()));
        chart.panels.push(Panel { title: panel.clone(), x, y: Axis::default(), marks });
    }
    share_y(&mut chart.panels, "response (z)", &seen, chart.columns);
    if series.len() > 1 {
        chart.legend = areas(series.iter().map(|name| labels.of(name)));
        tell_apart(&mut chart, series.len(), false)?;
    }
    let over = if is_profile { "Over the stimuli of a category." } else { "Diamond: mean." };
    chart.notes.push(format!("{BOXES} {over} Zero is the mean over all pictures."));
    chart.description = format!("Responses by category. {}.", spoken.join("; "));
    chart.aspect = if panels.len() > 1 { 0.9 } else { 0.62 };
    Ok(chart)
}

/// Boxes that `unit-stats validate` has summed up.
fn of_units(session: &Session, table: &Rows, facet: Option<&str>, labels: &Labels) -> Result<Vec<Found>> {
    let of = table.cells("category")?;
    let told = ["array", "contrast", "category"].into_iter().chain(table.has("threshold").then_some("threshold"));
    table.refuse_twice(&told.collect::<Vec<_>>(), &table.all())?;
    let mut five: Vec<Vec<f64>> = Vec::new();
    for column in ["whisker_lo", "q1", "median", "q3", "whisker_hi"] {
        five.push(table.numbers(column)?);
    }
    let (mean, n) = (table.numbers("mean")?, table.numbers("n_selected")?);
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    for panel in table.panels(facet, &table.all())? {
        let n_units = n[panel.rows[0]];
        let same = panel.rows.iter().all(|&row| n[row] == n_units);
        let about = if panel.name.is_empty() { table.common(&["array", "contrast"]) } else { panel.name.clone() };
        let name = match (about.as_str(), same) {
            ("", _) => String::new(),
            (name, true) => format!("{} ({n_units} units)", labels.of(name)),
            (name, false) => labels.of(name),
        };
        for series in table.series(&["array", "contrast"], facet, &table.all(), &panel.rows)? {
            for &row in &series.rows {
                if five.iter().any(|numbers| numbers[row].is_nan()) {
                    left_out.push(row);
                    continue;
                }
                let mark = Mark::Box {
                    at: 0.0,
                    width: 0.0,
                    five: std::array::from_fn(|k| five[k][row]),
                    mean: Some(mean[row]),
                    colour: category(0),
                    name: of[row].clone(),
                    n: n[row] as usize,
                };
                let (panel, series) = (name.clone(), series.name.clone());
                found.push(Found { panel, series, category: of[row].clone(), mark });
            }
        }
    }
    table.say_left_out(session, "response", &left_out);
    Ok(found)
}

/// Boxes over the stimuli of each category.
fn of_profiles(session: &Session, table: &Rows, facet: Option<&str>, categories: &Categories) -> Result<Vec<Found>> {
    let (z, ids) = (table.numbers("z")?, table.cells("stimulus")?);
    let of = categories.of_all(ids.iter().map(String::as_str), table.source())?;
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    for panel in table.panels(facet, &table.all())? {
        for series in table.series(&["array"], facet, &table.all(), &panel.rows)? {
            for (k, name) in categories.names.iter().enumerate() {
                let rows = series.rows.iter().copied().filter(|&row| of[row] == k);
                let (there, without): (Vec<usize>, Vec<usize>) = rows.partition(|&row| z[row].is_finite());
                left_out.extend(without);
                if there.is_empty() {
                    continue;
                }
                let values: Vec<f64> = there.iter().map(|&row| z[row]).collect();
                let mark = box_of(&values, 0.0, 0.0, category(0), name);
                let about = if panel.name.is_empty() { table.common(&["array"]) } else { panel.name.clone() };
                let (panel, series) = (about, series.name.clone());
                found.push(Found { panel, series, category: name.clone(), mark });
            }
        }
    }
    table.say_left_out(session, "z", &left_out);
    Ok(found)
}
