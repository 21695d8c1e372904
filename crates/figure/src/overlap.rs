//! `figure overlap`: sets of units or voxels as circles whose areas are counts.

use crate::look::{EmptyArgs, LabelArgs, Look, Session};
use crate::parts::areas;
use crate::rows::{Part, Rows, parts};
use anyhow::{Result, bail};
use cli::Input;
use drawing::style::{self, category};
use drawing::{AreaTrue, Axis, Chart, Mark, Panel, Scale, area_true, heart, text_width, value};

/// Two or three localizers' units, or maps' voxels: circles whose areas and overlaps are the counts
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: a table of `unit-stats overlap` or `fmri-roi overlap` (two sets a row, a panel each), or of one of
them with --combinations, of two or three sets. All panels have one scale: an area is a number of units
or voxels, and each part has its number.
  two sets      are exact
  three sets    circles cannot show all counts of seven parts: areas by least squares; a note says which
                part is furthest off, and the stress (0 is exact)
Rows without counts are left out and said. At most 12 panels.

Examples:
  unit-stats overlap units.csv other_units.csv | figure overlap --names floc,other -o overlap.svg
  fmri-roi overlap sub-0[123]_face_con.nii --t 1 --combinations | figure overlap -o people.png
  fmri-roi overlap sub-01_face_con.nii sub-02_face_con.nii --t 1,2 | figure overlap --terminal")]
pub(crate) struct OverlapArgs {
    /// Table of `unit-stats overlap` or `fmri-roi overlap`; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    input: Input,
    /// Names of the sets, in order [default: those of the table; else its contrasts; else first and second]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    names: Vec<String>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    empty: EmptyArgs,
    #[command(flatten)]
    look: Look,
}

const MOST_PANELS: usize = 12;
/// Width in mm of a figure of one panel: circles need no more.
const ONE_PANEL: f64 = 85.0;

/// One panel: its sets, and how many are in exactly these, as [`area_true`] takes them.
struct Sets {
    title: String,
    names: Vec<String>,
    counts: Vec<f64>,
}

impl Sets {
    /// How many are in set `k`.
    fn n(&self, k: usize) -> f64 {
        (0..self.counts.len()).filter(|m| m >> k & 1 == 1).map(|m| self.counts[m]).sum()
    }

    /// The names of a part: "a and b", "a alone".
    fn part(&self, combination: usize) -> String {
        let inside: Vec<&str> =
            (0..self.names.len()).filter(|k| combination >> k & 1 == 1).map(|k| self.names[k].as_str()).collect();
        match inside[..] {
            [one] => format!("{one} alone"),
            _ => inside.join(" and "),
        }
    }
}

pub(crate) fn run(args: &OverlapArgs) -> Result<()> {
    let session = args.look.start()?;
    let chart = drawn(args, &session);
    session.finish_or_empty(args.empty, chart)
}

fn drawn(args: &OverlapArgs, session: &Session) -> Result<Chart> {
    let labels = args.labels.read(session)?;
    let table = Rows::read(session, &args.input, "unit-stats overlap` or `fmri-roi overlap", &[])?;
    let mut left_out = Vec::new();
    let mut all = if table.has("in_a") { combinations(&table, &mut left_out)? } else { pairs(&table, &mut left_out)? };
    table.say_left_out(session, "counts", &left_out);
    if all.is_empty() {
        return Err(table.nothing("no row has counts").into());
    }
    if all.len() > MOST_PANELS {
        bail!(
            "{}: {} pairs or triples of sets; at most {MOST_PANELS} are drawn: give a table with fewer rows",
            table.source(),
            all.len()
        );
    }
    for sets in &mut all {
        if !args.names.is_empty() {
            if args.names.len() != sets.names.len() {
                bail!("--names: {} names for {} sets", args.names.len(), sets.names.len());
            }
            if let Some(empty) = args.names.iter().position(String::is_empty) {
                bail!("--names: name {empty} is empty; names stand between single commas");
            }
            sets.names.clone_from(&args.names);
        }
        sets.names.iter_mut().for_each(|name| *name = labels.of(name));
    }

    let drawn: Vec<AreaTrue> = all.iter().map(|sets| area_true(&sets.counts)).collect();
    // One scale for all panels, in both directions.
    let boxes: Vec<[[f64; 2]; 2]> = drawn.iter().map(|d| [0, 1].map(|axis| extent(d, axis))).collect();
    let half = |axis: usize| boxes.iter().map(|b| (b[axis][1] - b[axis][0]) / 2.0).fold(0.0, f64::max);
    let (wide, high) = (half(0).max(half(1) / 1.1), half(1));
    if wide <= 0.0 {
        return Err(table.nothing("all sets are empty").into());
    }
    let mut chart = Chart::new("", "");
    chart.columns = 3;
    chart.aspect = (high / wide).clamp(0.4, 1.1);
    if all.len() == 1 {
        chart.width = ONE_PANEL;
    }
    let per_mm = 2.06 * wide / session.panel_width(all.len(), chart.columns).min(ONE_PANEL);
    let same_names = all.iter().all(|sets| sets.names == all[0].names);
    let mut spoken = Vec::new();
    for ((sets, drawn), bounds) in all.iter().zip(&drawn).zip(&boxes) {
        let mut marks = Vec::new();
        for (k, &[x, y, radius]) in drawn.circles.iter().enumerate() {
            let name = sets.names[k].clone();
            marks.push(Mark::Circle { at: [x, y], radius, colour: category(k), name, n: sets.n(k) });
        }
        let mut unwritten = Vec::new();
        for m in 1..sets.counts.len() {
            let n = sets.counts[m];
            let place = heart(&drawn.circles, m);
            let text = value(n);
            let needs = (text_width(&text, style::TEXT) / 2.0).hypot(style::TEXT / 2.0) * 0.8;
            match place {
                Some((at, room)) if room >= needs * per_mm => marks.push(Mark::Note { at, text }),
                _ if n > 0.0 => unwritten.push(format!("{} {text}", sets.part(m))),
                _ => {}
            }
            spoken.push(format!("{}: {}", [sets.title.as_str(), &sets.part(m)].join(" ").trim(), value(n)));
        }
        let title = titled(sets, same_names && all.len() == 1);
        let of_panel =
            if all.len() > 1 && !sets.title.is_empty() { format!("{}: ", sets.title) } else { String::new() };
        if !unwritten.is_empty() {
            chart.notes.push(format!("{of_panel}Without room for their numbers: {}.", unwritten.join(", ")));
        }
        if sets.names.len() == 3 {
            let (worst, off) = drawn.worst(&sets.counts);
            let rounded = |v: f64| value((v * 10.0).round() / 10.0);
            let [shown, meant] = [sets.counts[worst] + off, sets.counts[worst]].map(rounded);
            let said = match shown == meant {
                true => format!("{of_panel}Areas by least squares; all are the counts, to a tenth."),
                false => format!(
                    "{of_panel}Areas by least squares; furthest off is {}, drawn as {shown} for {meant} (stress {:.3}).",
                    sets.part(worst),
                    drawn.stress(&sets.counts)
                ),
            };
            spoken.push(said.trim_end_matches('.').to_owned());
            chart.notes.push(said);
        }
        let axis = |axis: usize, half: f64| {
            let middle = (bounds[axis][0] + bounds[axis][1]) / 2.0;
            let scale = Scale::Linear { lo: middle - half, hi: middle + half };
            Axis { bare: true, unseen: true, ..Axis::new("", scale) }
        };
        let (x, y) = (axis(0, 1.03 * wide), axis(1, 1.03 * wide * chart.aspect));
        chart.panels.push(Panel { title, x, y, marks });
    }
    // Names that differ between panels stand in their titles, in the order of the colours.
    let n_sets = all.iter().map(|sets| sets.names.len()).max().unwrap_or(0);
    chart.legend = match same_names {
        true => areas(all[0].names.iter().cloned()),
        false => areas(["first", "second", "third"].map(String::from).into_iter().take(n_sets)),
    };
    if n_sets == 2 {
        let scale = if all.len() > 1 { ", on one scale in all panels" } else { "" };
        chart.notes.insert(0, format!("Areas of circles and of what they share are the counts{scale}."));
    }
    chart.description = format!("Sets as circles whose areas are counts. {}.", spoken.join("; "));
    Ok(chart)
}

/// What stands over a panel: what it is about, each set with its size, and of two their Dice coefficient.
fn titled(sets: &Sets, alone: bool) -> String {
    let sizes: Vec<String> =
        sets.names.iter().enumerate().map(|(k, name)| format!("{name} {}", value(sets.n(k)))).collect();
    let mut text = sizes.join(", ");
    if let [_, _, _, both] = sets.counts[..] {
        let dice = 2.0 * both / (sets.n(0) + sets.n(1));
        if dice.is_finite() {
            text += &format!("; Dice {}", value((dice * 1000.0).round() / 1000.0));
        }
    }
    match (sets.title.as_str(), alone) {
        ("", _) => text,
        (title, _) => format!("{title}: {text}"),
    }
}

/// From where to where circles reach along an axis.
fn extent(drawn: &AreaTrue, axis: usize) -> [f64; 2] {
    let there = drawn.circles.iter().filter(|c| c[2] > 0.0);
    let [lo, hi] =
        there.fold([f64::INFINITY, f64::NEG_INFINITY], |[lo, hi], c| [lo.min(c[axis] - c[2]), hi.max(c[axis] + c[2])]);
    if lo > hi { [0.0, 0.0] } else { [lo, hi] }
}

/// What tells rows apart, as words: the cells of these columns that differ or that name the thing.
fn title(table: &Rows, columns: &[&str], row: usize) -> Result<String> {
    let mut words = Vec::new();
    for column in columns.iter().filter(|column| table.has(column)) {
        let cell = table.cells(column)?[row].as_str();
        match *column {
            _ if cell.is_empty() => {}
            "threshold" => words.push(format!("t > {cell}")),
            _ => words.push(cell.to_owned()),
        }
    }
    Ok(words.join(", "))
}

/// A count of the table: a whole number that is not negative.
fn count(table: &Rows, column: &str, n: f64, row: usize) -> Result<f64> {
    if n < 0.0 || n.fract() != 0.0 {
        bail!("{}: column {column:?} has {n} in row {row}; a count is a whole number from 0", table.source());
    }
    Ok(n)
}

/// The rows of tables about two sets.
fn pairs(table: &Rows, left_out: &mut Vec<usize>) -> Result<Vec<Sets>> {
    let columns = ["n_a", "n_b", "n_intersection"];
    let numbers = [table.numbers(columns[0])?, table.numbers(columns[1])?, table.numbers(columns[2])?];
    let (a, b) = if table.has("a") { ("a", "b") } else { ("contrast_a", "contrast_b") };
    let (names_a, names_b) = (table.cells(a)?, table.cells(b)?);
    let told = ["array", "preferred", "threshold", "a", "b", "rule"].into_iter().filter(|c| table.has(c));
    table.refuse_twice(&told.collect::<Vec<_>>(), &table.all())?;
    let mut all = Vec::new();
    for row in 0..table.n() {
        if numbers.iter().any(|n| n[row].is_nan()) {
            left_out.push(row);
            continue;
        }
        let mut n = [0.0; 3];
        for k in 0..3 {
            n[k] = count(table, columns[k], numbers[k][row], row)?;
        }
        let [n_a, n_b, both] = n;
        if both > n_a.min(n_b) {
            bail!("{}: row {row} has {both} in common of {n_a} and {n_b}", table.source());
        }
        let names = match (names_a[row].as_str(), names_b[row].as_str()) {
            (one, other) if one != other && !one.is_empty() && !other.is_empty() => [one, other],
            _ => ["first", "second"],
        };
        let title = title(table, &["array", "preferred", "threshold", "rule"], row)?;
        all.push(Sets {
            title,
            names: names.map(String::from).to_vec(),
            counts: vec![0.0, n_a - both, n_b - both, both],
        });
    }
    Ok(all)
}

/// The rows of tables of --combinations: all of a panel, or it is refused.
fn combinations(table: &Rows, left_out: &mut Vec<usize>) -> Result<Vec<Sets>> {
    let n = table.numbers("n")?;
    let names = [table.cells("a")?, table.cells("b")?, table.cells("c")?];
    let is_in = [table.numbers("in_a")?, table.numbers("in_b")?, table.numbers("in_c")?];
    let keys = ["array", "preferred", "threshold", "rule", "a", "b", "c"].into_iter().filter(|c| table.has(c));
    let keys = keys.map(|column| table.cells(column)).collect::<Result<Vec<_>>>()?;
    let key = |row: usize| keys.iter().map(|cells| cells[row].as_str()).collect::<Vec<_>>().join("\u{1f}");
    let mut all = Vec::new();
    for Part { rows, .. } in parts(&table.all(), key) {
        let first = rows[0];
        let names: Vec<String> =
            names.iter().map(|cells| cells[first].clone()).filter(|name| !name.is_empty()).collect();
        let mut counts = vec![f64::NAN; 1 << names.len()];
        counts[0] = 0.0;
        if rows.iter().any(|&row| n[row].is_nan()) {
            left_out.extend(&rows);
            continue;
        }
        for &row in &rows {
            let mask: usize = (0..names.len()).map(|k| usize::from(is_in[k][row] == 1.0) << k).sum();
            if !counts[mask].is_nan() {
                bail!("{}: row {row} is of a combination that an earlier row has too", table.source());
            }
            counts[mask] = count(table, "n", n[row], row)?;
        }
        if let Some(lacking) = counts.iter().position(|n| n.is_nan()) {
            let sets = Sets { title: String::new(), names, counts };
            bail!("{}: no row about {}; give all rows of --combinations", table.source(), sets.part(lacking));
        }
        let title = title(table, &["array", "preferred", "threshold", "rule"], first)?;
        all.push(Sets { title, names, counts });
    }
    Ok(all)
}
