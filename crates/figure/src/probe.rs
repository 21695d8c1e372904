//! `figure probe`: the pictures that drive units most and least, on a contact sheet.

use crate::look::{LabelArgs, Look};
use crate::pictures::ImageArgs;
use crate::rows::{Part, Rows, parts};
use anyhow::{Context, Result, bail};
use cli::Input;
use drawing::style;
use drawing::{Axis, Chart, Mark, Panel, Scale, value};

/// Contact sheet: the pictures with the highest and the lowest responses of each unit
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: the table of `unit-stats probe --table pictures`, and the pictures. One row per unit: on the left
those with the highest responses, the highest first; on the right those with the lowest, the lowest first.
Under each stands the response in z over all pictures (--raw: as the unit gave it). --k draws fewer at each
end than the table has, --units more rows than 12. Where pictures that are not shown have the same response
as the last one that is, the name of the unit says how many: which of them is shown is chance.

Examples:
  figure probe probed.csv --images pictures.csv -o probed.svg
  figure probe --k 3 --units 4 --title 'Units of layer4' probed.csv --images pictures -o probed.png
  unit-stats probe acts.npy --stimuli pictures.csv --by domain --table pictures --k 5 | \\
    figure probe --images pictures.csv --terminal")]
pub(crate) struct ProbeArgs {
    /// Table of `unit-stats probe --table pictures`; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    input: Input,
    /// Pictures at each end [default: those of the table, at most 6]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=20))]
    k: Option<u32>,
    /// Units that are drawn, the first ones of the table
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=60))]
    units: u32,
    /// Responses as the unit gave them, instead of z
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    images: ImageArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    look: Look,
}

const MADE_BY: &str = "unit-stats probe --table pictures";
/// Pictures at each end where nobody says how many.
const USUAL: usize = 6;
/// Height of the number under a picture, in heights of a row.
const UNDER: f64 = 0.22;

pub(crate) fn run(args: &ProbeArgs) -> Result<()> {
    let session = args.look.start()?;
    let labels = args.labels.read(&session)?;
    let pictures = args.images.read(&session)?.context("--images is not given; it says where the pictures are")?;
    let needed = ["array", "contrast", "unit", "end", "rank", "stimulus", "response", "z", "n_tied"];
    let table = Rows::read(&session, &args.input, MADE_BY, &needed)?;
    let [array, contrast, unit, end, stimulus] =
        ["array", "contrast", "unit", "end", "stimulus"].map(|column| table.cells(column));
    let (array, contrast, unit, end, stimulus) = (array?, contrast?, unit?, end?, stimulus?);
    let (rank, tied) = (table.numbers("rank")?, table.numbers("n_tied")?);
    let shown = table.numbers(if args.raw { "response" } else { "z" })?;
    table.refuse_twice(&["array", "contrast", "unit", "end", "rank"], &table.all())?;

    let key = |row: usize| [array[row].as_str(), &contrast[row], &unit[row]].join("\u{1f}");
    let all = parts(&table.all(), key);
    let usable = |part: &Part| part.rows.iter().any(|&row| shown[row].is_finite() && !stimulus[row].is_empty());
    let without: Vec<usize> = all.iter().filter(|part| !usable(part)).map(|part| part.rows[0]).collect();
    table.say_left_out(&session, "response", &without);
    let mut units: Vec<Part> = all.into_iter().filter(usable).collect();
    let n_units = units.len();
    if n_units == 0 {
        bail!("{}: no unit has a response", table.source());
    }
    units.truncate(args.units as usize);
    let in_table = (0..table.n()).filter_map(|row| Some(rank[row]).filter(|r| r.is_finite())).fold(0.0, f64::max);
    let k = args.k.map_or((in_table as usize).min(USUAL), |k| k as usize);
    if k > in_table as usize {
        bail!(
            "{}: --k {k}, but it has {in_table} pictures at each end; make it with `{MADE_BY} --k {k}`",
            table.source()
        );
    }
    // Names say no more than is needed to tell units apart.
    let differ = |cells: &[String]| units.iter().any(|part| cells[part.rows[0]] != cells[units[0].rows[0]]);
    let (by_array, by_contrast) = (differ(array), differ(contrast));
    let ends = ["top", "bottom"].into_iter().filter(|side| end.iter().any(|cell| cell == side)).collect::<Vec<_>>();
    if ends.is_empty() {
        bail!("{}: column \"end\" says neither top nor bottom; it is not a table of `{MADE_BY}`", table.source());
    }
    // A free column between both ends.
    let n_columns = ends.len() * (k + 1) - 1;
    let mut names = Vec::new();
    let mut marks = Vec::new();
    let mut wanted: Vec<(&str, [f64; 2])> = Vec::new();
    let mut spoken = Vec::new();
    for (place, part) in units.iter().enumerate() {
        let first = part.rows[0];
        let mut name = vec![format!("unit {}", unit[first])];
        name.extend(by_array.then(|| labels.of(&array[first])));
        name.extend(by_contrast.then(|| labels.of(&contrast[first])).filter(|name| !name.is_empty()));
        let mut of_unit = Vec::new();
        let mut ties = Vec::new();
        for (side, &which) in ends.iter().enumerate() {
            let mut rows: Vec<usize> = part
                .rows
                .iter()
                .copied()
                .filter(|&row| end[row] == which && rank[row] <= k as f64 && shown[row].is_finite())
                .collect();
            rows.sort_by(|&a, &b| rank[a].total_cmp(&rank[b]));
            for &row in &rows {
                let x = (side * (k + 1)) as f64 + rank[row] - 1.0;
                wanted.push((stimulus[row].as_str(), [x, place as f64]));
                let text = short(shown[row]);
                marks.push(Mark::Note { at: [x, place as f64 + 0.5 - UNDER / 2.0], text: text.clone() });
                of_unit.push(format!("{which} {} {}", stimulus[row], value(shown[row])));
            }
            // With --k fewer than the table, what follows in the table is tied as well.
            let last = rows.last().copied();
            if let Some(last) = last {
                let further = part
                    .rows
                    .iter()
                    .filter(|&&row| end[row] == which && rank[row] > k as f64 && shown[row] == shown[last]);
                let beyond = if further.clone().count() as f64 == in_table - k as f64 && tied[last] > 0.0 {
                    tied[last]
                } else {
                    0.0
                };
                let n = further.count() as f64 + beyond;
                if n > 0.0 {
                    ties.push(format!("{which}: {n} more are equal"));
                }
            }
        }
        let name = name.join(", ");
        spoken.push(format!("{name}: {}", of_unit.join(", ")));
        names.push(if ties.is_empty() { name } else { format!("{name} ({})", ties.join("; ")) });
    }
    let mut chart = Chart::new("", "");
    chart.width = style::WIDE;
    let n_rows = units.len();
    let column_names: Vec<String> =
        (0..n_columns).map(|c| if c % (k + 1) == k { String::new() } else { (c % (k + 1) + 1).to_string() }).collect();
    let called = |which: &str| if which == "top" { "highest responses" } else { "lowest responses" };
    let mut title: Vec<String> = Vec::new();
    title.extend((!by_array).then(|| labels.of(&array[units[0].rows[0]])));
    title.extend((!by_contrast).then(|| labels.of(&contrast[units[0].rows[0]])).filter(|name| !name.is_empty()));
    let title = match ends[..] {
        [one] => format!("{}: {}", title.join(", "), called(one)),
        _ => format!("{}: {} on the left, {} on the right", title.join(", "), called(ends[0]), called(ends[1])),
    };
    let title = title.trim_start_matches(": ").to_owned();
    let x = Axis::new("rank", Scale::Names(column_names));
    let y = Axis { unseen: true, ..Axis::new("", Scale::Names(names)) };
    // A fifth of the page may be names of units.
    let each = (0.78 * session.panel_width(1, 1).max(drawing::style::WIDE - 5.0) / n_columns as f64).min(16.0);
    chart.aspect = n_rows as f64 * each * (1.0 + UNDER) / (n_columns as f64 * each);
    let size = 0.92 * each;
    chart.panels.push(Panel { title, x, y, marks });
    let ids: Vec<&str> = wanted.iter().map(|(id, _)| *id).collect();
    let embedded = pictures.embed(&session, &mut chart, &ids, ids.len(), size)?;
    for ((id, [x, y]), picture) in wanted.iter().zip(embedded.places) {
        let at = [*x, y - UNDER / 2.0 / (1.0 + UNDER)];
        let (name, label) = (id.to_string(), String::new());
        if let Some(picture) = picture {
            chart.panels[0].marks.push(Mark::Picture { at, picture, size, frame: None, beside: false, name, label });
        }
    }
    let of = if args.raw { "the response" } else { "the response, z over all pictures of the unit" };
    chart.notes.push(format!("Under each picture: {of}."));
    if n_units > n_rows {
        session.job.note(format!("{}: the first {n_rows} of {n_units} units are drawn (--units)", table.source()));
        chart.notes.push(format!("The first {n_rows} of {n_units} units."));
    }
    chart.description =
        format!("Pictures with the highest and lowest responses of {n_rows} units. {}.", spoken.join("; "));
    session.finish(chart)
}

/// A response as it stands under a picture.
fn short(v: f64) -> String {
    let text = if v.abs() < 1000.0 { format!("{v:.2}") } else { value(v) };
    text.replace('-', "−")
}
