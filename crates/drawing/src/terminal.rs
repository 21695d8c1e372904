//! The same chart in characters: braille for curves, blocks for bars, shades for grids.

use crate::chart::{Axis, Chart, Group, Key, Mark, Panel, Scale, Shape, Stroke};
use crate::marks::short;
use crate::scale::{minus, share, ticks};
use crate::style;
use crate::svg::value;

/// Columns of a figure.
const WIDTH: usize = 80;
/// Rows between the axes.
const HEIGHT: usize = 16;
/// The longest name beside an axis.
const LONGEST: usize = 20;
/// Signs of series, in the order of the legend.
const SIGNS: [char; 8] = ['●', '■', '▲', '◆', '○', '□', '△', '◇'];
/// Shades of cells from the lowest to the highest value.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// Draws a chart with characters, panels one below the other, on lines of at most 80 columns (of letters that are one
/// column wide).
pub fn text(chart: &Chart) -> String {
    let mut lines: Vec<String> = Vec::new();
    if !chart.title.is_empty() {
        lines.extend([chart.title.clone(), String::new()]);
    }
    // What has a colour in the legend has a sign here.
    let mut colours: Vec<&str> = Vec::new();
    for item in &chart.legend {
        let (Key::Point(colour, _)
        | Key::Area(colour)
        | Key::Line(Stroke { colour, .. })
        | Key::Curve(Stroke { colour, .. }, _)) = item.key;
        if ![style::INK, style::GREY, style::LIGHT].contains(&colour) && !colours.contains(&colour) {
            colours.push(colour);
        }
    }
    for panel in &chart.panels {
        lines.extend(draw_panel(panel, &colours));
        lines.push(String::new());
    }
    if let Some(bar) = &chart.colour_bar {
        let n = SHADES.len() as f64;
        let from = |k: usize| bar.lo + (bar.hi - bar.lo) * k as f64 / n;
        let steps: Vec<String> =
            SHADES.iter().enumerate().map(|(k, shade)| format!("{shade}{shade} {}", short(from(k)))).collect();
        lines.push(format!("{}: {} to {}", bar.label, steps.join("  "), short(bar.hi)));
    }
    for item in &chart.legend {
        let sign = |colour: &str| sign_of(&colours, colour, Shape::Ring);
        let key = match item.key {
            Key::Line(stroke) if stroke.colour == style::INK || stroke.colour == style::GREY => {
                dash_of(stroke.dash).to_string().repeat(3)
            }
            Key::Line(stroke) | Key::Curve(stroke, _) => format!(" {} ", sign(stroke.colour)),
            Key::Point(colour, shape) => format!(" {} ", sign_of(&colours, colour, shape)),
            Key::Area(colour) if colours.contains(&colour) => format!(" {} ", sign(colour)),
            Key::Area(_) => "░░░".into(),
        };
        lines.push(format!("{key} {}", item.text));
    }
    lines.extend(chart.notes.iter().cloned());
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    let trimmed: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    trimmed.join("\n") + "\n"
}

fn sign_of(colours: &[&str], colour: &str, shape: Shape) -> char {
    match colours.iter().position(|c| *c == colour) {
        Some(k) => SIGNS[k % SIGNS.len()],
        None => match shape {
            Shape::Disc => '•',
            Shape::Ring => '◎',
            Shape::Square => '▪',
            Shape::Triangle => '▴',
            Shape::Diamond => '⬩',
        },
    }
}

fn dash_of(dash: usize) -> char {
    ['─', '╌', '┄', '┈'][dash.min(3)]
}

/// Characters, and behind them a grid of dots that is finer: 2 x 4 in each.
struct Grid {
    cells: Vec<Vec<char>>,
    dots: Vec<Vec<u8>>,
}

impl Grid {
    fn new(columns: usize, rows: usize) -> Grid {
        Grid { cells: vec![vec![' '; columns]; rows], dots: vec![vec![0; columns]; rows] }
    }

    fn put(&mut self, column: i64, row: i64, sign: char) {
        if let (Ok(column), Ok(row)) = (usize::try_from(column), usize::try_from(row))
            && let Some(cell) = self.cells.get_mut(row).and_then(|row| row.get_mut(column))
        {
            *cell = sign;
        }
    }

    fn dot(&mut self, x: i64, y: i64) {
        // The order of Unicode's braille patterns, U+2800.
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y))
            && let Some(cell) = self.dots.get_mut(y / 4).and_then(|row| row.get_mut(x / 2))
        {
            *cell |= BITS[y % 4][x % 2];
        }
    }

    fn lines(&self) -> Vec<String> {
        let one = |(cells, dots): (&Vec<char>, &Vec<u8>)| {
            let merged = cells.iter().zip(dots).map(|(&cell, &dots)| match (cell, dots) {
                (' ' | '░' | '─' | '╌' | '┄' | '┈', 1..) => {
                    char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ')
                }
                (cell, _) => cell,
            });
            merged.collect()
        };
        self.cells.iter().zip(&self.dots).map(one).collect()
    }
}

fn cut(name: &str, n: usize) -> String {
    if name.chars().count() <= n { name.into() } else { name.chars().take(n - 1).chain(['…']).collect() }
}

fn draw_panel(panel: &Panel, colours: &[&str]) -> Vec<String> {
    if let Some(Mark::Cells { values, n_columns, lo, hi, written }) = panel.marks.first() {
        let mut lines = draw_cells(panel, values, (*n_columns).max(1), [*lo, *hi], *written);
        let over = &panel.x.over;
        if !over.is_empty() {
            let named = |group: &Group| format!("{} ({} to {})", group.name, group.first, group.first + group.n - 1);
            let runs: Vec<String> = over.iter().map(|(group, _)| named(group)).collect();
            lines.push(format!("columns from the left: {}", runs.join(", ")));
        }
        return lines;
    }
    // Rows of the left margin: the number whose tick is there, or the name.
    let mut left: Vec<String> = vec![String::new(); HEIGHT];
    let row_of = |v: f64| -> f64 {
        let share = share(&panel.y.scale, v);
        let down = if matches!(panel.y.scale, Scale::Names(_)) { share } else { 1.0 - share };
        down * (HEIGHT as f64 - 1.0)
    };
    if !panel.y.bare {
        for (v, text) in ticks(&panel.y.scale, 5) {
            let row = row_of(v).round().clamp(0.0, HEIGHT as f64 - 1.0) as usize;
            left[row] = cut(&text, LONGEST);
        }
    }
    let margin = left.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let columns = WIDTH - margin - 3;
    let column_of = |v: f64| -> f64 {
        let share = share(&panel.x.scale, v);
        let last = columns as f64 - 1.0;
        if matches!(panel.x.scale, Scale::Names(_)) { share * columns as f64 - 0.5 } else { share * last }
    };
    let mut grid = Grid::new(columns, HEIGHT);
    // Points last, or what stands before them hides them.
    for points in [false, true] {
        let marks = panel.marks.iter().filter(|mark| matches!(mark, Mark::Point { .. }) == points);
        marks.for_each(|mark| draw_mark(&mut grid, mark, &column_of, &row_of, colours));
    }

    let mut lines = Vec::new();
    let heading: Vec<&str> =
        [panel.title.as_str(), panel.y.label.as_str()].into_iter().filter(|t| !t.is_empty()).collect();
    if !heading.is_empty() {
        lines.push(heading.join("; "));
    }
    for (text, row) in left.iter().zip(grid.lines()) {
        let tick = if text.is_empty() { '│' } else { '┤' };
        lines.push(format!("{text:>margin$} {tick}{row}"));
    }
    lines.push(format!("{:>margin$} └{}", "", "─".repeat(columns)));
    lines.extend(under(&panel.x, margin + 2, columns, &column_of));
    lines
}

/// What stands under the axis.
fn under(axis: &Axis, margin: usize, columns: usize, column_of: &impl Fn(f64) -> f64) -> Vec<String> {
    let mut lines = Vec::new();
    let marks: Vec<(f64, String)> = match &axis.scale {
        Scale::Names(_) if !axis.groups.is_empty() => {
            let middle = |first: usize, n: usize| first as f64 + (n as f64 - 1.0) / 2.0;
            axis.groups.iter().map(|group| (middle(group.first, group.n), group.name.clone())).collect()
        }
        _ if axis.bare => Vec::new(),
        scale => match &axis.ticks {
            Some(own) => own.iter().map(|&v| (v, minus(&value(v)))).collect(),
            None => ticks(scale, 6),
        },
    };
    let wide = marks.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0);
    let is_name = matches!(axis.scale, Scale::Names(_));
    let by_letter = is_name && (wide + 1) * marks.len() > columns;
    let letter = |k: usize| -> String {
        let code = u32::try_from(k % 26).unwrap_or(0) + u32::from('a');
        let one = char::from_u32(code).unwrap_or('?').to_string();
        if k < 26 { one } else { format!("{one}{}", k / 26) }
    };
    let mut line: Vec<char> = vec![' '; margin + columns];
    let mut free = 0;
    for (k, (v, text)) in marks.iter().enumerate() {
        let text = if by_letter { letter(k) } else { text.clone() };
        let n = text.chars().count();
        let middle = margin as f64 + column_of(*v);
        let from =
            ((middle - n as f64 / 2.0 + 0.5).round().max(0.0) as usize).min((margin + columns).saturating_sub(n));
        if from >= free {
            text.chars().enumerate().for_each(|(i, c)| line[from + i] = c);
            free = from + n + 1;
        }
    }
    if !marks.is_empty() {
        lines.push(line.into_iter().collect());
    }
    if !axis.label.is_empty() {
        let n = axis.label.chars().count();
        lines.push(format!("{}{}", " ".repeat(margin + columns.saturating_sub(n) / 2), axis.label));
    }
    if by_letter {
        lines.extend(
            marks.iter().enumerate().map(|(k, (_, text))| format!("{}{} {text}", " ".repeat(margin), letter(k))),
        );
    }
    lines
}

fn draw_mark(
    grid: &mut Grid,
    mark: &Mark,
    column_of: &impl Fn(f64) -> f64,
    row_of: &impl Fn(f64) -> f64,
    colours: &[&str],
) {
    let at = |v: f64| v.round() as i64;
    let n_columns = grid.cells.first().map_or(0, Vec::len) as i64;
    let upright = |grid: &mut Grid, column: i64, lo: f64, hi: f64| {
        if lo.is_finite() && hi.is_finite() {
            (at(row_of(hi))..=at(row_of(lo))).for_each(|row| grid.put(column, row, '│'));
        }
    };
    match mark {
        Mark::Curve { points, .. } => {
            for pair in points.windows(2) {
                let ends = [pair[0], pair[1]].map(|[x, y]| [column_of(x) * 2.0 + 1.0, row_of(y) * 4.0 + 2.0]);
                if ends.iter().flatten().all(|v| v.is_finite()) {
                    let n = (0..2).map(|d| (ends[1][d] - ends[0][d]).abs()).fold(1.0, f64::max).ceil();
                    for k in 0..=n as i64 {
                        let part = k as f64 / n;
                        let [x, y] = [0, 1].map(|d| ends[0][d] + part * (ends[1][d] - ends[0][d]));
                        grid.dot(at(x), at(y));
                    }
                }
            }
        }
        Mark::Ribbon { points, .. } => {
            for pair in points.windows(2) {
                let [a, b] = [pair[0], pair[1]];
                if a.iter().chain(&b).all(|v| v.is_finite()) {
                    let (from, to) = (column_of(a[0]), column_of(b[0]));
                    for column in at(from)..=at(to) {
                        let part = if to > from { ((column as f64 - from) / (to - from)).clamp(0.0, 1.0) } else { 0.0 };
                        let [lo, hi] = [1, 2].map(|d| a[d] + part * (b[d] - a[d]));
                        (at(row_of(hi))..=at(row_of(lo))).for_each(|row| grid.put(column, row, '░'));
                    }
                }
            }
        }
        Mark::Level { at: y, stroke, .. } => {
            (0..n_columns).for_each(|column| grid.put(column, at(row_of(*y)), dash_of(stroke.dash)));
        }
        Mark::Strip { lo, hi, .. } => {
            for row in at(row_of(*hi))..=at(row_of(*lo)) {
                (0..n_columns).for_each(|column| grid.put(column, row, '░'));
            }
        }
        Mark::Box { at: x, width, five, colour, .. } => {
            let [lo, q1, median, q3, hi] = five.map(|v| at(row_of(v)));
            let middle = at(column_of(*x));
            let half = (((column_of(x + width / 2.0) - column_of(*x)) as i64) - 1).clamp(1, 4);
            (hi..=lo).for_each(|row| grid.put(middle, row, '│'));
            for row in q3..=q1 {
                (middle - half..=middle + half).for_each(|column| grid.put(column, row, '▒'));
            }
            (middle - half..=middle + half).for_each(|column| grid.put(column, median, '━'));
            if colours.contains(colour) {
                grid.put(middle, median, sign_of(colours, colour, Shape::Disc));
            }
        }
        Mark::Point { at: [x, y], colour, shape, .. } => {
            if x.is_finite() && y.is_finite() {
                grid.put(at(column_of(*x)), at(row_of(*y)), sign_of(colours, colour, *shape));
            }
        }
        Mark::Range { at: x, lo, hi, .. } => upright(grid, at(column_of(*x)), *lo, *hi),
        Mark::Bar { at: x, width, from, to, .. } => {
            let half = (column_of(x + width / 2.0) - column_of(*x)).max(0.0);
            let (a, b) = (row_of(*from), row_of(*to));
            for column in at(column_of(*x) - half)..=at(column_of(*x) + half) {
                (at(a.min(b))..=at(a.max(b))).for_each(|row| grid.put(column, row, '█'));
            }
        }
        Mark::Picture { at: [x, y], beside: false, .. } => {
            // A number that stands there says more.
            let (column, row) = (at(column_of(*x)), at(row_of(*y)));
            let free = |grid: &Grid| {
                let cell = grid.cells.get(usize::try_from(row).ok()?)?.get(usize::try_from(column).ok()?)?;
                Some(*cell == ' ')
            };
            if free(grid) == Some(true) {
                grid.put(column, row, '▣');
            }
        }
        Mark::Circle { at: [x, y], radius, .. } => {
            const STEPS: usize = 720;
            for k in 0..STEPS {
                let angle = k as f64 * std::f64::consts::TAU / STEPS as f64;
                let (u, v) = (x + radius * angle.cos(), y + radius * angle.sin());
                grid.dot(at(column_of(u) * 2.0 + 1.0), at(row_of(v) * 4.0 + 2.0));
            }
        }
        Mark::Note { at: [x, y], text } => {
            let from = at(column_of(*x)) - text.chars().count() as i64 / 2;
            text.chars().enumerate().for_each(|(k, c)| grid.put(from + k as i64, at(row_of(*y)), c));
        }
        Mark::Cells { .. } | Mark::Picture { .. } => {}
    }
}

fn draw_cells(panel: &Panel, values: &[f64], n_columns: usize, ends: [f64; 2], written: bool) -> Vec<String> {
    let n_rows = values.len() / n_columns;
    let names: Vec<String> = match &panel.y.scale {
        Scale::Names(names) if n_rows <= 40 => names.iter().map(|name| cut(name, LONGEST)).collect(),
        _ => vec![String::new(); n_rows],
    };
    // Rows that are numbers are drawn as high as other panels are, and have their ticks.
    let rows_together = if matches!(panel.y.scale, Scale::Names(_)) { 0 } else { n_rows.div_ceil(HEIGHT) };
    let together = rows_together.max(1);
    let mut names = names;
    if rows_together > 0 {
        for (v, text) in ticks(&panel.y.scale, 5) {
            let row = (share(&panel.y.scale, v) * n_rows as f64).round();
            let row = n_rows - 1 - (row as usize).min(n_rows - 1);
            names[row / together * together] = text;
        }
    }
    let margin = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let room = WIDTH - margin - 1;
    let mut lines = vec![panel.title.clone()];
    if panel.title.is_empty() {
        lines.clear();
    }
    if written && 6 * n_columns <= room {
        let heads: Vec<String> = match &panel.x.scale {
            Scale::Names(names) => names.iter().map(|name| cut(name, room / n_columns - 1)).collect(),
            _ => Vec::new(),
        };
        let wide = heads.iter().map(|head| head.chars().count()).max().unwrap_or(0).max(5) + 1;
        let head: String = heads.iter().map(|head| format!("{head:>wide$}")).collect();
        lines.push(format!("{:margin$}{head}", ""));
        for (row, name) in values.chunks(n_columns).zip(&names) {
            let cells: String =
                row.iter().map(|&v| format!("{:>wide$}", if v.is_nan() { "–".into() } else { short(v) })).collect();
            lines.push(format!("{name:>margin$}{cells}"));
        }
        return lines;
    }
    // Blocks of so many cells are one, their mean.
    let block = n_columns.div_ceil(room);
    let repeat = if block == 1 { (room / n_columns).clamp(1, 2) } else { 1 };
    let tall = if rows_together > 0 { rows_together } else { block };
    let repeat = if rows_together > 0 { repeat.max(room / n_columns.max(1)).clamp(1, 6) } else { repeat };
    for first in (0..n_rows).step_by(tall) {
        let mut line = String::new();
        for from in (0..n_columns).step_by(block) {
            let (mut sum, mut n) = (0.0, 0.0);
            for row in first..(first + tall).min(n_rows) {
                for column in from..(from + block).min(n_columns) {
                    let v = values[row * n_columns + column];
                    if v.is_finite() {
                        (sum, n) = (sum + v, n + 1.0);
                    }
                }
            }
            let share = (sum / n - ends[0]) / (ends[1] - ends[0]).max(f64::MIN_POSITIVE);
            let last = SHADES.len() - 1;
            let shade = if n == 0.0 { '·' } else { SHADES[((share * SHADES.len() as f64) as usize).min(last)] };
            (0..repeat).for_each(|_| line.push(shade));
        }
        lines.push(format!("{:>margin$} {line}", names[first]));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_rises_from_the_lower_left_to_the_upper_right() {
        let mut chart = Chart::new("t", "");
        let points = vec![[0.0, 0.0], [1.0, 1.0]];
        chart.panels.push(Panel {
            title: String::new(),
            x: Axis::new("x", Scale::default()),
            y: Axis::new("y", Scale::default()),
            marks: vec![Mark::Curve { points, stroke: Stroke::of(0), name: String::new() }],
        });
        let text = text(&chart);
        let lines: Vec<&str> = text.lines().collect();
        let braille = |line: &str| line.chars().position(|c| ('\u{2801}'..='\u{28ff}').contains(&c));
        let places: Vec<usize> = lines.iter().filter_map(|line| braille(line)).collect();
        assert_eq!(places.len(), HEIGHT, "{text}");
        assert!(places.windows(2).all(|pair| pair[1] < pair[0]), "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn cells_are_shades_or_numbers() {
        let names = |n: usize| Scale::Names((0..n).map(|k| format!("n{k}")).collect());
        let chart = |n: usize, written: bool| {
            let mut chart = Chart::new("", "");
            let values = (0..n * n).map(|k| k as f64 / (n * n - 1) as f64).collect();
            let marks = vec![Mark::Cells { values, n_columns: n, lo: 0.0, hi: 1.0, written }];
            let axis = Axis::new("", names(n));
            chart.panels.push(Panel { title: String::new(), x: axis.clone(), y: axis, marks });
            text(&chart)
        };
        assert_eq!(chart(2, false), "n0   ░░\nn1 ▓▓██\n");
        assert_eq!(chart(2, true), "      n0    n1\nn0   .00   .33\nn1   .67  1.00\n");
        // Many are drawn as the means of blocks.
        assert!(chart(200, false).lines().all(|line| line.chars().count() <= WIDTH));
    }
}
