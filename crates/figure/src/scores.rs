//! `figure scores`: models beside people, and the ceiling of both.

use crate::look::{EmptyArgs, LabelArgs, Look, Session};
use crate::parts::{BOXES, beside, box_of, point, share_y, zero};
use crate::rows::{Part, Rows};
use anyhow::{Result, bail};
use cli::Input;
use drawing::style::{self, category};
use drawing::{Axis, Chart, Key, LegendItem, Mark, Panel, Scale, Shape, value};
use stimulus_table::is_missing;

/// Scores of models against people: points over boxes, people against each other, the noise ceiling
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: a table of `rsa compare` or `tuning compare` (one row per model and subject, and a row `mean` or
`median` per model).
  points    the subjects; boxes over them, where they are 3 or more
  diamond   the row over subjects, with its 95 % interval where the table has one (--boot, --test t)
  band      lower to upper noise ceiling of `rsa compare --ceiling`
  *         q (or p) of the row over subjects is at most .05; the note names test, side and correction
--humans draws people against each other, of `ceiling between` with the same --stat and --compare: its
median_pairwise, or median_pairwise_norm beside a --value that ends in _norm.

Examples:
  figure scores scores.csv -o scores.svg
  figure scores --humans humans.csv --value r_norm tuning_scores.csv -o profiles.png
  rsa compare ann.npy --brain ffa_rdms.npy --ceiling --test t | figure scores --terminal")]
pub(crate) struct ScoresArgs {
    /// Table of `rsa compare` or `tuning compare`; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    input: Input,
    /// Column of the score [default: that of the comparison: r, rho, tau, ..]
    #[arg(long, value_name = "COLUMN")]
    value: Option<String>,
    /// Table of `ceiling between`: people against each other
    #[arg(long, value_name = "TABLE")]
    humans: Option<Input>,
    /// Panels by this column
    #[arg(long, value_name = "COLUMN")]
    facet: Option<String>,
    /// Draw the N models with the highest scores over subjects, the highest first; more than 50 have no room
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50))]
    top: Option<u32>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    empty: EmptyArgs,
    #[command(flatten)]
    look: Look,
}

/// Models in one panel whose names can be read.
const MOST_MODELS: usize = 50;

/// Columns of scores, as `rsa compare` and `tuning compare` name them for their comparison.
const SCORES: [&str; 10] =
    ["r", "rho", "tau", "cosine", "bures", "bures_squared", "bures_distance", "cka", "procrustes", "angle"];

/// The column of the score: what is asked for, else the one that the comparison names.
pub(crate) fn score_column<'a>(table: &Rows, asked: Option<&'a str>) -> Result<&'a str> {
    let column = asked.or_else(|| SCORES.into_iter().find(|column| table.has(column))).unwrap_or(SCORES[0]);
    // The error of the first one lists what the table has.
    table.cells(column).map(|_| column)
}

/// What a score is called on an axis.
pub(crate) fn score_label(table: &Rows, column: &str) -> String {
    let compare = table.cells("compare").ok().and_then(|cells| cells.first()).filter(|text| !text.is_empty());
    let corrected = if column.ends_with("_norm") { ", corrected for noise" } else { "" };
    match compare {
        Some(compare) if column != compare => format!("{column} ({compare}{corrected})"),
        _ => format!("{column}{corrected}"),
    }
}

/// One place on the axis: a model, or people.
#[derive(Clone)]
struct Place {
    name: String,
    values: Vec<(String, f64)>,
    middle: f64,
    interval: [f64; 2],
    significant: bool,
    is_people: bool,
}

pub(crate) fn run(args: &ScoresArgs) -> Result<()> {
    let session = args.look.start()?;
    let chart = drawn(args, &session);
    session.finish_or_empty(args.empty, chart)
}

fn drawn(args: &ScoresArgs, session: &Session) -> Result<Chart> {
    let labels = args.labels.read(session)?;
    let table = Rows::read(session, &args.input, "rsa compare` or `tuning compare", &["model", "subject"])?;
    let column = score_column(&table, args.value.as_deref())?;
    let score = table.numbers(column)?;
    let subject = table.cells("subject")?;
    let is_summary = |row: usize| matches!(subject[row].as_str(), "mean" | "median");
    let people = match &args.humans {
        Some(input) => Some(people(session, input, &table, column)?),
        None => None,
    };
    // Intervals, bounds and tests are of the score that the comparison names, and of no other column.
    let tested = SCORES.contains(&column);
    let optional = |name: &str| match tested && table.has(name) {
        true => table.numbers(name),
        false => Ok(vec![f64::NAN; table.n()]),
    };
    let (ci_lo, ci_hi) = (optional("ci_lo")?, optional("ci_hi")?);
    let (lower, upper) = (optional("lower")?, optional("upper")?);
    let (p, q) = (optional("p")?, optional("q")?);
    let (decides, deciding) = if q.iter().any(|q| q.is_finite()) { ("q", &q) } else { ("p", &p) };

    let mut chart = Chart::new("", "");
    let (mut seen, mut spoken, mut left_out) = (vec![0.0], Vec::new(), Vec::new());
    let (mut any_ceiling, mut any_box, mut any_interval, mut starred) = (false, false, false, None);
    let (mut tops, mut nameless): (Vec<f64>, Vec<String>) = Default::default();
    let mut middles: Vec<&str> = Vec::new();
    for panel in table.panels(args.facet.as_deref(), &table.all())? {
        let mut places: Vec<Place> = people.iter().cloned().collect();
        let n_people = places.len();
        let mut ceiling = [f64::NAN; 2];
        for Part { name, rows } in table.by("model", &panel.rows)? {
            table.refuse_twice(&["model", "subject"], &rows)?;
            let (summary, own): (Vec<usize>, Vec<usize>) = rows.iter().partition(|&&row| is_summary(row));
            middles.extend(summary.iter().map(|&row| subject[row].as_str()));
            let (there, without): (Vec<usize>, Vec<usize>) = own.iter().partition(|&&row| score[row].is_finite());
            left_out.extend(without);
            let values = there.iter().map(|&row| (subject[row].clone(), score[row])).collect();
            let mut place =
                Place { name, values, middle: f64::NAN, interval: [f64::NAN; 2], significant: false, is_people: false };
            if let Some(&row) = summary.first() {
                place.middle = score[row];
                place.interval = [ci_lo[row], ci_hi[row]];
                place.significant = deciding[row] <= 0.05;
                if lower[row].is_finite() && ceiling[0].is_nan() {
                    ceiling = [lower[row], upper[row]];
                }
                if place.significant {
                    starred = Some(row);
                }
            }
            if place.middle.is_finite() || !place.values.is_empty() {
                places.push(place);
            } else {
                // The figure is looked at without its table: who is not in it, and why.
                left_out.extend(summary);
                nameless.push(format!("{}{}", labels.of(&place.name), table.why(&rows)));
            }
        }
        if places.len() == n_people {
            continue;
        }
        let n_models = places.len() - n_people;
        if let Some(top) = args.top.map(|top| top as usize) {
            let middle = |place: &Place| match place.middle.is_finite() {
                true => place.middle,
                false => statistics::median(&place.values.iter().map(|(_, v)| *v).collect::<Vec<_>>()),
            };
            places[n_people..].sort_by(|a, b| middle(b).total_cmp(&middle(a)));
            places.truncate(n_people + top);
            if n_models > top {
                let note = format!("The {top} highest of {n_models} models.");
                if !chart.notes.contains(&note) {
                    chart.notes.push(note);
                }
            }
        } else if n_models > MOST_MODELS {
            bail!(
                "{}: {n_models} models; the names of at most {MOST_MODELS} can be read: draw the best with --top, or make                  panels with --facet",
                table.source()
            );
        }
        let mut marks = Vec::new();
        if ceiling[0].is_finite() {
            any_ceiling = true;
            let [lo, hi] = ceiling;
            marks.push(Mark::Strip { lo, hi, colour: style::LIGHT, name: "noise ceiling".into() });
            seen.extend(ceiling);
            spoken.push(format!("noise ceiling {} to {}", value(lo), value(hi)));
        }
        marks.push(zero());
        for (k, place) in places.iter().enumerate() {
            // Above the number of colours that are told apart, one for all: the axis names them.
            let many = places.len() - n_people > style::CATEGORIES.len() - 1;
            let colour = match place.is_people {
                true => style::GREY,
                false => category(if many { 0 } else { k - n_people }),
            };
            let values: Vec<f64> = place.values.iter().map(|(_, v)| *v).collect();
            let at = k as f64;
            if values.len() >= 3 {
                any_box = true;
                marks.push(box_of(&values, at, 0.5, colour, &place.name));
            }
            for (i, (who, v)) in place.values.iter().enumerate() {
                let x = at + beside(i, values.len(), 0.4);
                marks.push(point([x, *v], colour, Shape::Disc, &format!("{}, {who}", place.name)));
            }
            let [lo, hi] = place.interval;
            if lo.is_finite() && hi.is_finite() {
                any_interval = true;
                marks.push(Mark::Range { at: at + 0.36, lo, hi, colour: style::INK, name: place.name.clone() });
            }
            if place.middle.is_finite() {
                let name = format!("{}, over subjects", place.name);
                marks.push(point([at + 0.36, place.middle], style::INK, Shape::Diamond, &name));
                spoken.push(format!("{} {}", place.name, value(place.middle)));
            }
            let all = values.iter().copied().chain([place.middle, lo, hi]).filter(|v| v.is_finite());
            let top = all.clone().fold(f64::NEG_INFINITY, f64::max);
            seen.extend(all);
            if place.significant {
                tops.push(top);
                marks.push(Mark::Note { at: [at, top], text: "*".into() });
            }
        }
        let names = places.iter().map(|place| labels.of(&place.name)).collect();
        let x = Axis::new("", Scale::Names(names));
        chart.panels.push(Panel { title: labels.of(&panel.name), x, y: Axis::default(), marks });
    }
    table.say_left_out(session, column, &left_out);
    // Stars stand above what they speak of.
    let (lo, hi) = seen.iter().fold((0.0f64, 0.0f64), |(lo, hi), &v| (lo.min(v), hi.max(v)));
    let above = 0.02 * (hi - lo);
    seen.extend(tops.iter().map(|top| top + 4.0 * above));
    for mark in chart.panels.iter_mut().flat_map(|panel| &mut panel.marks) {
        if let Mark::Note { at, .. } = mark {
            at[1] += above;
        }
    }
    share_y(&mut chart.panels, &score_label(&table, column), &seen, chart.columns);
    chart.aspect = if chart.panels.len() > 1 { 0.9 } else { 0.62 };
    let key = |key, text: &str| LegendItem { key, text: text.into() };
    if any_ceiling {
        chart.legend.push(key(Key::Area(style::LIGHT), "noise ceiling (lower to upper)"));
    }
    chart.legend.push(key(Key::Point(style::GREY, Shape::Disc), "one subject"));
    middles.sort_unstable();
    middles.dedup();
    let mut over = match middles[..] {
        [one] => format!("{one} over subjects"),
        _ => "over subjects".to_owned(),
    };
    if people.is_some() {
        over = format!("models: {over}; human–human: medians");
        // A line of the legend does not wrap; notes do.
        chart.notes.push("Human–human: median of each person's pairs, median over people.".into());
    }
    if any_interval {
        over += ", 95 % interval";
    }
    chart.legend.push(key(Key::Point(style::INK, Shape::Diamond), &over));
    if any_box {
        chart.notes.push(BOXES.into());
    }
    if let Some(row) = starred {
        let cell = |name: &str| table.cells(name).map(|cells| cells[row].clone()).unwrap_or_default();
        let correct = match cell("correct").as_str() {
            "" | "none" => String::new(),
            correct => format!(", corrected by {correct}"),
        };
        let said = match (cell("test").as_str(), cell("alternative").as_str(), cell("generalize_to").as_str()) {
            ("", ..) | (_, "", _) | (.., "") => "the table does not say of which test".to_owned(),
            (test, "greater", to) => format!("test {test} (greater than 0), generalizes to {to}{correct}"),
            (test, side, to) => format!("test {test} ({side}, against 0), generalizes to {to}{correct}"),
        };
        chart.notes.push(format!("* {decides} ≤ .05: {said}."));
    }
    nameless.dedup();
    if !nameless.is_empty() {
        chart.notes.push(format!("Without a number: {}.", nameless.join(", ")));
    }
    chart.description = format!("Scores of models against people, {column}. {}.", spoken.join("; "));
    Ok(chart)
}

/// The people of `ceiling between`, against each other.
fn people(session: &Session, input: &Input, scores: &Rows, column: &str) -> Result<Place> {
    let wanted = if column.ends_with("_norm") { "median_pairwise_norm" } else { "median_pairwise" };
    let table = Rows::read(session, input, "ceiling between", &["subject", "role", wanted])?;
    let (role, subject, pairwise) = (table.cells("role")?, table.cells("subject")?, table.numbers(wanted)?);
    // RDMs are compared over pairs of stimuli, profiles over stimuli.
    let stat = if scores.has("n_pairs") { "rdm" } else { "profile" };
    // Rows of those that have no number do not say by what they would have been compared.
    let first = |table: &Rows, column: &str| -> Result<Option<String>> {
        Ok(table.cells(column)?.iter().find(|cell| !is_missing(cell)).cloned())
    };
    let Some(compare) = first(scores, "compare")? else {
        return Err(scores.nothing("no row says by what it was compared").into());
    };
    let [own_stat, own_compare] =
        ["stat", "compare"].map(|column| first(&table, column).map(Option::unwrap_or_default));
    let (own_stat, own_compare) = (own_stat?, own_compare?);
    if (own_stat.as_str(), own_compare.as_str()) != (stat, compare.as_str()) {
        bail!(
            "{}: people are compared by {own_stat} and {own_compare}, and the models of {} by {stat} and {compare}; make it \
             with `ceiling between --stat {stat} --compare {compare}`",
            table.source(),
            scores.source()
        );
    }
    let rows = (0..table.n()).filter(|&row| role[row] == "subject");
    let (values, without): (Vec<usize>, Vec<usize>) = rows.partition(|&row| pairwise[row].is_finite());
    table.say_left_out(session, wanted, &without);
    if values.is_empty() {
        bail!("{}: no subject has a number in {wanted}; it needs repeated trials of all subjects", table.source());
    }
    let summary = |name: &str| {
        let row = (0..table.n()).find(|&row| role[row] == "summary" && subject[row] == name);
        row.map_or(f64::NAN, |row| pairwise[row])
    };
    Ok(Place {
        name: "human–human".into(),
        values: values.iter().map(|&row| (subject[row].clone(), pairwise[row])).collect(),
        middle: summary("median"),
        interval: [summary("ci_lo"), summary("ci_hi")],
        significant: false,
        is_people: true,
    })
}
