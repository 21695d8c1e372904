//! `figure ceiling`: what more repeats, subjects or stimuli would buy.

use crate::look::Look;
use crate::rows::Rows;
use anyhow::{Result, bail};
use clap::ValueEnum;
use cli::Input;
use drawing::style::{self, category};
use drawing::{Axis, Chart, Key, LegendItem, Mark, Panel, Scale, Shape, Stroke, linear_over, value};

/// Noise ceilings of other studies: with more repeats, subjects or stimuli
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: the table of `ceiling design`. One panel per number that it varies (repeats, subjects, stimuli),
on a logarithmic axis; one curve per ceiling.
  curve    the ceiling that is expected of such a study
  band     95 % interval of that expected value: how well the study at hand tells it
  bars     +- 1.96 .._se: how well a study of that size would measure its ceiling
  ring     the study at hand
  dashes   the r_max of --want; the legend says from how many repeats it is reached

Examples:
  figure ceiling design.csv -o design.svg
  figure ceiling --value leave_one_out --title 'People against the others' design.csv -o design.png
  ceiling design --want 0.9,0.95 sub-*/ffa.npy | figure ceiling --terminal")]
pub(crate) struct CeilingArgs {
    /// Table of `ceiling design`; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    input: Input,
    /// Which ceilings
    #[arg(long, value_enum, value_name = "COLUMN,..", value_delimiter = ',', default_values_t = [Value::RMax, Value::LeaveOneOut])]
    value: Vec<Value>,
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Value {
    /// Bounds r within a subject
    RMax,
    /// Correlation of a subject with the mean of the others
    LeaveOneOut,
    /// Bounds r2 within a subject
    Reliability,
}

impl Value {
    fn column(self) -> &'static str {
        match self {
            Value::RMax => "r_max",
            Value::LeaveOneOut => "leave_one_out",
            Value::Reliability => "reliability",
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Value::RMax => "r_max: within a subject",
            Value::LeaveOneOut => "leave_one_out: a subject with the mean of the others",
            Value::Reliability => "reliability: within a subject (bounds r²)",
        }
    }
}

/// What the table varies: the word of its column `vary`, the column with the number, the axis.
const VARIED: [(&str, &str, &str); 3] = [
    ("repeats", "n_repeats", "repeats of every stimulus"),
    ("subjects", "n_subjects", "subjects"),
    ("stimuli", "n_stimuli", "stimuli"),
];

pub(crate) fn run(args: &CeilingArgs) -> Result<()> {
    let session = args.look.start()?;
    let needed = ["vary", "n_subjects", "n_repeats", "n_stimuli", "want"];
    let table = Rows::read(&session, &args.input, "ceiling design", &needed)?;
    table.refuse_twice(&["vary", "n_subjects", "n_repeats", "n_stimuli", "want"], &table.all())?;
    let vary = table.cells("vary")?;
    let observed = vary.iter().position(|vary| vary == "observed");
    let want = table.numbers("want")?;

    let mut chart = Chart::new("", "");
    let mut panels: Vec<(Panel, &str)> = Vec::new();
    let mut seen = Vec::new();
    let mut spoken = Vec::new();
    let mut left_out = Vec::new();
    for (word, column, label) in VARIED {
        let of_word: Vec<usize> = (0..table.n()).filter(|&row| vary[row] == word).collect();
        let n = table.numbers(column)?;
        if of_word.is_empty() {
            continue;
        }
        let mut marks = Vec::new();
        let mut points = Vec::new();
        for (k, &which) in args.value.iter().enumerate() {
            let name = which.column();
            let of = |suffix: &str| table.numbers(&format!("{name}{suffix}"));
            let (middle, lo, hi) = (table.numbers(name)?, of("_ci_lo")?, of("_ci_hi")?);
            let se = if which == Value::Reliability { vec![f64::NAN; table.n()] } else { of("_se")? };
            let mut rows: Vec<usize> = of_word.iter().copied().filter(|&row| middle[row].is_finite()).collect();
            left_out.extend(of_word.iter().copied().filter(|&row| !middle[row].is_finite()));
            rows.sort_by(|&a, &b| n[a].total_cmp(&n[b]));
            let colour = category(k);
            let ribbon = rows.iter().map(|&row| [n[row], lo[row], hi[row]]).collect();
            marks.push(Mark::Ribbon { points: ribbon, colour, name: name.into() });
            let curve: Vec<[f64; 2]> = rows.iter().map(|&row| [n[row], middle[row]]).collect();
            points.push(Mark::Curve { points: curve, stroke: Stroke::of(k), name: name.into() });
            for &row in &rows {
                let size = style::POINT * 0.8;
                let at = [n[row], middle[row]];
                if se[row].is_finite() {
                    let (lo, hi) = (middle[row] - 1.96 * se[row], middle[row] + 1.96 * se[row]);
                    points.push(Mark::Range { at: n[row], lo, hi, colour, name: name.into() });
                    seen.extend([lo, hi]);
                }
                points.push(Mark::Point {
                    at,
                    colour,
                    shape: Shape::of(k),
                    size,
                    name: name.into(),
                    label: String::new(),
                });
                seen.extend([middle[row], lo[row], hi[row]]);
            }
            if let Some(row) = observed.filter(|&row| middle[row].is_finite() && n[row] > 0.0) {
                points.push(Mark::Point {
                    at: [n[row], middle[row]],
                    colour: style::INK,
                    shape: Shape::Ring,
                    size: style::POINT * 1.9,
                    name: format!("{name}, the study at hand"),
                    label: String::new(),
                });
                seen.push(middle[row]);
            }
            if let (Some(&first), Some(&last)) = (rows.first(), rows.last()) {
                let of = |row: usize| format!("{} at {}", value(middle[row]), n[row]);
                spoken.push(format!("{name} over {word}: {} to {}", of(first), of(last)));
            }
        }
        marks.extend(points);
        let mut ticks: Vec<f64> = of_word.iter().map(|&row| n[row]).collect();
        ticks.extend(observed.map(|row| n[row]));
        ticks.sort_by(f64::total_cmp);
        ticks.dedup();
        let (Some(&lo), Some(&hi)) = (ticks.first(), ticks.last()) else { continue };
        if lo <= 0.0 || !hi.is_finite() {
            bail!(
                "{}: column {column:?} of vary = {word} has {lo} to {hi}; numbers above 0 are needed",
                table.source()
            );
        }
        // A tenth of the width is free at both ends, for points that stand there.
        let room = (hi / lo).max(1.5).powf(0.06);
        let x = Axis { ticks: Some(ticks), ..Axis::new(label, Scale::Log { lo: lo / room, hi: hi * room }) };
        panels.push((Panel { title: String::new(), x, y: Axis::default(), marks }, word));
    }
    table.say_left_out(&session, "ceiling", &left_out);
    if panels.is_empty() || seen.is_empty() {
        bail!(
            "{}: no row varies repeats, subjects or stimuli and has a number; `ceiling design` without --components \
             writes such rows",
            table.source()
        );
    }

    for (k, which) in args.value.iter().enumerate() {
        chart.legend.push(LegendItem { key: Key::Curve(Stroke::of(k), Shape::of(k)), text: which.in_words().into() });
    }
    if observed.is_some() {
        chart.legend.push(LegendItem { key: Key::Point(style::INK, Shape::Ring), text: "the study at hand".into() });
    }
    let wanted: Vec<usize> = (0..table.n()).filter(|&row| vary[row] == "want" && want[row].is_finite()).collect();
    if args.value.contains(&Value::RMax) {
        let (n, lo, hi) =
            (table.numbers("n_repeats")?, table.numbers("n_repeats_ci_lo")?, table.numbers("n_repeats_ci_hi")?);
        for (k, &row) in wanted.iter().enumerate() {
            let stroke = Stroke { colour: style::INK, width: style::LINE, dash: 1 + k % 3 };
            let from = match n[row].is_finite() {
                true => format!("from {} repeats{}", n[row], interval(lo[row], hi[row])),
                false => "by no number of repeats".into(),
            };
            let text = format!("r_max {} wanted: reached {from}", value(want[row]));
            spoken.push(text.clone());
            let level = Mark::Level { at: want[row], stroke, name: format!("wanted r_max {}", value(want[row])) };
            // In the panel of repeats alone, whose number --want asks for.
            for (panel, _) in panels.iter_mut().filter(|(_, word)| *word == "repeats") {
                panel.marks.push(level.clone());
            }
            chart.legend.push(LegendItem { key: Key::Line(stroke), text });
            seen.push(want[row]);
        }
    }
    let y = linear_over(seen.iter().copied().filter(|v| *v >= -1.0));
    let label = if args.value == [Value::Reliability] { "reliability (bounds r²)" } else { "noise ceiling (r)" };
    for (mut panel, _) in panels {
        panel.y = Axis::new(if chart.panels.is_empty() { label } else { "" }, y.clone());
        chart.panels.push(panel);
    }
    chart.aspect = if chart.panels.len() > 1 { 0.95 } else { 0.62 };
    chart.notes.push(
        "Bands: 95 % interval of the expected value. Bars: ± 1.96 standard deviations of studies of that size.".into(),
    );
    chart.description = format!("Expected noise ceilings of other studies. {}.", spoken.join("; "));
    session.finish(chart)
}

fn interval(lo: f64, hi: f64) -> String {
    let end = |v: f64| if v.is_finite() { value(v) } else { "none".into() };
    if lo.is_nan() && hi.is_nan() { String::new() } else { format!(" [{}, {}]", end(lo), end(hi)) }
}
