//! Where everything stands: margins from the widths of the text that is in them, panels in rows, legend, notes.

use crate::chart::{Axis, Chart, ColourBar, Group, Key, LegendItem, Mark, Panel, Scale, Thumbnail};
use crate::font::{missing_glyphs, text_width};
use crate::labels::{Labels, LeftOut, Rect, shorten, shorten_all, wrap};
use crate::marks::{Place, dashes, draw_mark, draw_picture, draw_point};
use crate::scale::{share, ticks};
use crate::style;
use crate::svg::{Svg, Text, mm, value};

/// A figure and what could not be shown in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// The whole SVG document.
    pub svg: String,
    /// Labels of points for which there was no room.
    pub n_labels_left_out: usize,
    /// Pictures beside points for which there was no room.
    pub n_pictures_left_out: usize,
    /// Letters that the embedded font lacks, each once: a PNG shows boxes for them.
    pub missing_glyphs: Vec<char>,
}

impl Drawn {
    pub(crate) fn of(svg: String, left_out: LeftOut) -> Drawn {
        let mut missing = missing_glyphs(&svg);
        missing.sort_unstable();
        missing.dedup();
        let LeftOut { labels: n_labels_left_out, pictures: n_pictures_left_out } = left_out;
        Drawn { svg, n_labels_left_out, n_pictures_left_out, missing_glyphs: missing }
    }
}

/// The longest name beside an axis, as a part of the width of a panel.
const LONGEST_NAME: f64 = 0.36;
/// The longest name under an axis, in mm, where names are turned.
const LONGEST_TURNED: f64 = 26.0;
/// The largest cell of a grid.
const LARGEST_CELL: f64 = 13.0;
/// The widest column of a grid whose rows are not names.
const WIDEST_COLUMN: f64 = 7.0;
/// Height of the strips over runs of columns.
const OVER: f64 = 1.4;
/// The narrowest page of a grid.
const NARROWEST: f64 = 50.0;
/// Between panels of a row.
const BETWEEN: f64 = 4.0;
/// Width of the strip of a colour bar.
const BAR: f64 = 3.0;
/// Distance between lines of text, in sizes of letters.
pub(crate) const LEADING: f64 = 1.25;
/// From the middle of a line of letters to its baseline, in sizes of letters.
pub(crate) const HALF: f64 = 0.36;

/// How the names under a panel stand.
#[derive(Debug, Clone, PartialEq)]
enum Under {
    /// Numbers on one line.
    Numbers,
    /// Names on lines of their own.
    Flat(Vec<Vec<String>>),
    /// Names that rise to the right.
    Turned(f64, Vec<String>),
    /// Names of runs.
    Groups(Box<Under>),
    /// Nothing.
    None,
}

/// Sizes that all panels share, in mm.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    plot: [f64; 2],
    under: Vec<Under>,
}

impl Frame {
    fn height(&self) -> f64 {
        self.top + self.plot[1] + self.bottom
    }
}

/// Draws a chart as SVG.
pub fn draw(chart: &Chart) -> Drawn {
    let n_columns = chart.columns.min(chart.panels.len()).max(1);
    let n_rows = chart.panels.len().div_ceil(n_columns);
    let inner = chart.width - 2.0 * style::MARGIN;
    let bar_width = chart.colour_bar.as_ref().map_or(0.0, bar_width);
    let cell = ((inner - bar_width - (n_columns - 1) as f64 * BETWEEN) / n_columns as f64).max(15.0);
    let frame = frame(chart, cell);
    // A grid of few cells is narrower than it might be, and the page with it.
    let (mut cell, mut width) = (cell, chart.width);
    if chart.panels.iter().any(|panel| matches!(panel.marks.first(), Some(Mark::Cells { .. }))) {
        cell = cell.min(frame.left + frame.plot[0] + frame.right);
        let needed = n_columns as f64 * (cell + BETWEEN) - BETWEEN + bar_width + 2.0 * style::MARGIN;
        width = width.min(needed.max(NARROWEST));
    }
    let inner = width - 2.0 * style::MARGIN;

    let title = wrap(&chart.title, style::TITLE, inner);
    let head = if title.is_empty() { 0.0 } else { title.len() as f64 * LEADING * style::TITLE + style::GAP };
    let body = n_rows as f64 * frame.height() + (n_rows.max(1) - 1) as f64 * BETWEEN;
    let legend = legend_rows(&chart.legend, inner);
    let notes: Vec<String> = chart.notes.iter().flat_map(|note| wrap(note, style::TEXT, inner)).collect();
    let line = LEADING * style::TEXT;
    let mut foot = 0.0;
    if !legend.is_empty() {
        foot += 2.0 * style::GAP + legend.len() as f64 * line;
    }
    if !notes.is_empty() {
        foot += style::GAP + notes.len() as f64 * line;
    }
    let height = 2.0 * style::MARGIN + head + body + foot;

    let called = if chart.title.is_empty() { &chart.description } else { &chart.title };
    let mut svg = Svg::new(width, height, called, &chart.description);
    if !chart.pictures.is_empty() {
        svg.open("defs", &[]);
        for Thumbnail { id, uri, size: [w, h] } in &chart.pictures {
            let side = |v: u32| mm(f64::from(v) / f64::from((*w).max(*h).max(1)));
            let own = [("id", id.clone()), ("width", side(*w)), ("height", side(*h)), ("href", uri.clone())];
            svg.leaf("image", &own);
        }
        svg.close("defs");
    }
    let mut left_out = LeftOut::default();
    let mut y = style::MARGIN;
    for line in &title {
        y += style::TITLE;
        svg.text([style::MARGIN, y], Text { size: style::TITLE, bold: true, ..Text::new("start") }, line);
        y += (LEADING - 1.0) * style::TITLE;
    }
    let top = style::MARGIN + head;
    for (k, panel) in chart.panels.iter().enumerate() {
        let (row, column) = (k / n_columns, k % n_columns);
        let corner = [style::MARGIN + column as f64 * (cell + BETWEEN), top + row as f64 * (frame.height() + BETWEEN)];
        let of_panel = draw_panel(&mut svg, panel, &chart.pictures, corner, cell, &frame, &frame.under[k]);
        left_out.labels += of_panel.labels;
        left_out.pictures += of_panel.pictures;
    }
    if let Some(bar) = &chart.colour_bar {
        let at = [style::MARGIN + n_columns as f64 * (cell + BETWEEN), top + frame.top];
        draw_bar(&mut svg, bar, at, frame.plot[1]);
    }
    let mut y = top + body;
    if !legend.is_empty() {
        y += 2.0 * style::GAP;
        draw_legend(&mut svg, &legend, [style::MARGIN, y]);
        y += legend.len() as f64 * line;
    }
    if !notes.is_empty() {
        y += style::GAP;
        for note in &notes {
            svg.text([style::MARGIN, y + style::TEXT], Text { colour: style::GREY, ..Text::new("start") }, note);
            y += line;
        }
    }
    Drawn::of(svg.finish(), left_out)
}

fn frame(chart: &Chart, cell: f64) -> Frame {
    let widest = |of: &dyn Fn(&Panel) -> f64| chart.panels.iter().map(of).fold(0.0, f64::max);
    let left = widest(&|panel| beside(&panel.y, cell));
    let right = widest(&|panel| match &panel.x.scale {
        Scale::Names(_) => 0.5,
        scale if !panel.x.bare => ticks(scale, 5).last().map_or(0.5, |(_, text)| text_width(text, style::TEXT) / 2.0),
        _ => 0.5,
    });
    let titles: Vec<usize> = chart.panels.iter().map(|panel| wrap(&panel.title, style::TEXT, cell).len()).collect();
    let n_lines = titles.into_iter().max().unwrap_or(0) as f64;
    let over = if chart.panels.iter().any(|panel| !panel.x.over.is_empty()) { OVER + 0.5 } else { 0.0 };
    let top = over + style::TEXT / 2.0 + if n_lines > 0.0 { n_lines * LEADING * style::TEXT + style::GAP } else { 0.0 };
    let mut plot_width = cell - left - right;
    let ratio = chart.panels.iter().find_map(|panel| match (panel.marks.first(), &panel.y.scale) {
        (Some(Mark::Cells { values, n_columns, .. }), Scale::Names(_)) if *n_columns > 0 => {
            Some(((values.len() / n_columns) as f64 / *n_columns as f64, *n_columns))
        }
        _ => None,
    });
    // Rows that are no names have any height: the panel keeps the form it is given.
    let height = chart.aspect * plot_width;
    let columns = chart.panels.iter().filter_map(|panel| match panel.marks.first() {
        Some(Mark::Cells { n_columns, .. }) if ratio.is_none() => Some(*n_columns as f64 * WIDEST_COLUMN),
        _ => None,
    });
    if let Some(widest) = columns.reduce(f64::max) {
        plot_width = plot_width.min(widest);
    }
    // A grid is no larger than it has to be for its names.
    if let Some((ratio, n)) = ratio {
        plot_width = plot_width.min(110.0 / ratio.max(1.0)).min(LARGEST_CELL * n as f64);
    }
    let plot = [plot_width, ratio.map_or(height, |(ratio, _)| plot_width * ratio.clamp(0.1, 3.0))];
    let under: Vec<Under> = chart.panels.iter().map(|panel| under(&panel.x, plot[0], left)).collect();
    let bottom =
        chart.panels.iter().zip(&under).map(|(panel, under)| under_height(&panel.x, under)).fold(0.0, f64::max);
    Frame { left, right, top, bottom, plot, under }
}

/// Whether runs are named instead of their members.
fn only_groups(axis: &Axis, n_names: usize) -> bool {
    !axis.groups.is_empty() && n_names > 12
}

/// Room to the left of a panel.
fn beside(axis: &Axis, cell: f64) -> f64 {
    let limit = LONGEST_NAME * cell;
    let words = |names: &mut dyn Iterator<Item = &String>| {
        names.map(|name| text_width(name, style::TEXT)).fold(0.0, f64::max).min(limit)
    };
    let labels = match &axis.scale {
        Scale::Names(names) if only_groups(axis, names.len()) => {
            words(&mut axis.groups.iter().map(|group| &group.name)) + 2.0 * style::GAP
        }
        Scale::Names(names) => words(&mut names.iter()) + style::GAP,
        _ if axis.bare => 0.0,
        scale => {
            let labels = ticks(scale, 5);
            labels.iter().map(|(_, text)| text_width(text, style::TEXT)).fold(0.0, f64::max) + style::TICK + style::GAP
        }
    };
    labels + picture_room(axis) + if axis.label.is_empty() { 0.0 } else { style::TEXT + style::GAP }
}

/// How names stand under a panel of this width; `left` is free for those that begin before it.
fn under(axis: &Axis, width: f64, left: f64) -> Under {
    let Scale::Names(names) = &axis.scale else {
        return if axis.bare { Under::None } else { Under::Numbers };
    };
    if only_groups(axis, names.len()) {
        let each = width / names.len() as f64;
        let named: Vec<String> = axis.groups.iter().map(|group| group.name.clone()).collect();
        let narrowest = axis.groups.iter().map(|group| group.n as f64 * each).fold(f64::INFINITY, f64::min);
        return Under::Groups(Box::new(of_names(&named, narrowest, left)));
    }
    of_names(names, width / names.len().max(1) as f64, left)
}

fn of_names(names: &[String], each: f64, left: f64) -> Under {
    let fits = |lines: &Vec<String>| {
        lines.len() <= 3 && lines.iter().all(|line| text_width(line, style::TEXT) <= each - style::GAP / 2.0)
    };
    let flat: Vec<Vec<String>> = names.iter().map(|name| wrap(name, style::TEXT, each - style::GAP / 2.0)).collect();
    if flat.iter().all(fits) {
        return Under::Flat(flat);
    }
    // Turned by 45 degrees, lines are .71 of their distance along the axis apart. Where that is too little for the
    // smallest letters every second or third is named, and none where even these would meet.
    let room_for = |step: usize| each * step as f64 * 0.75;
    let Some(step) = (1..=3).find(|&step| room_for(step) >= style::SMALLEST_TEXT) else { return Under::None };
    let size = room_for(step).min(style::TEXT);
    // The first one leans over the left margin.
    let room = |k: usize| ((left + (k as f64 + 0.5) * each) * std::f64::consts::SQRT_2).min(LONGEST_TURNED);
    let short = shorten_all(names, size, room);
    let written = |(k, name): (usize, String)| if k % step == 0 { name } else { String::new() };
    Under::Turned(size, short.into_iter().enumerate().map(written).collect())
}

fn under_height(axis: &Axis, under: &Under) -> f64 {
    fn names(under: &Under) -> f64 {
        match under {
            Under::Numbers => style::TICK + style::GAP + style::TEXT,
            Under::Flat(names) => {
                let n = names.iter().map(Vec::len).max().unwrap_or(0);
                style::GAP + n as f64 * LEADING * style::TEXT
            }
            Under::Turned(size, names) => {
                let longest = names.iter().map(|name| text_width(name, *size)).fold(0.0, f64::max);
                style::GAP + (longest + size) * std::f64::consts::FRAC_1_SQRT_2
            }
            Under::Groups(inner) => style::GAP + names(inner),
            Under::None => 0.0,
        }
    }
    names(under) + picture_room(axis) + if axis.label.is_empty() { 0.5 } else { style::GAP + LEADING * style::TEXT }
}

fn draw_panel(
    svg: &mut Svg,
    panel: &Panel,
    pictures: &[Thumbnail],
    corner: [f64; 2],
    cell: f64,
    frame: &Frame,
    under: &Under,
) -> LeftOut {
    let place = Place {
        corner: [corner[0] + frame.left, corner[1] + frame.top],
        size: frame.plot,
        x: &panel.x.scale,
        y: &panel.y.scale,
        pictures,
    };
    svg.open("g", &[("class", "panel".into()), ("data-name", panel.title.clone())]);
    let mut y = corner[1] + style::TEXT;
    for line in wrap(&panel.title, style::TEXT, cell) {
        // Over the plot; where it is longer than that, from further left.
        let longest = corner[0] + cell - text_width(&line, style::TEXT);
        svg.text([longest.min(place.corner[0]).max(corner[0]), y], Text { bold: true, ..Text::new("start") }, &line);
        y += LEADING * style::TEXT;
    }
    let mut labels = Labels::new(Rect::new(place.corner, place.size));
    panel.marks.iter().for_each(|mark| draw_mark(svg, &place, mark, &mut labels));
    let left_out = labels.draw(svg);
    draw_x(svg, &panel.x, &place, under, corner[1] + frame.height());
    draw_y(svg, &panel.y, &place, corner[0], cell);
    separate_groups(svg, panel, &place);
    svg.close("g");
    left_out
}

/// Room that the pictures of an axis take.
fn picture_room(axis: &Axis) -> f64 {
    if axis.pictures.iter().any(Option::is_some) { axis.picture_size + style::GAP } else { 0.0 }
}

/// Where on the axis the picture of name `k` stands.
fn middle_of_run(axis: &Axis, k: usize) -> f64 {
    k as f64 + (axis.picture_run.max(1) - 1) as f64 / 2.0
}

/// What the pictures of an axis are of: the names on it.
fn names_of(axis: &Axis) -> &[String] {
    match &axis.scale {
        Scale::Names(names) => names,
        _ => &[],
    }
}

/// White lines between the runs of a grid.
fn separate_groups(svg: &mut Svg, panel: &Panel, place: &Place) {
    let [left, top] = place.corner;
    let [width, height] = place.size;
    let borders = |groups: &[Group]| groups.iter().skip(1).map(|group| group.first as f64 - 0.5).collect::<Vec<_>>();
    let over: Vec<Group> = panel.x.over.iter().map(|(group, _)| group.clone()).collect();
    for at in borders(&panel.x.groups).into_iter().chain(borders(&over)) {
        let x = place.x_of(at);
        svg.line([x, top], [x, top + height], style::PAPER, style::LINE);
    }
    for at in borders(&panel.y.groups) {
        let y = place.y_of(at);
        svg.line([left, y], [left + width, y], style::PAPER, style::LINE);
    }
}

fn draw_x(svg: &mut Svg, axis: &Axis, place: &Place, under: &Under, bottom: f64) {
    let [left, top] = place.corner;
    let [width, height] = place.size;
    let base = top + height;
    for (group, colour) in &axis.over {
        let each = width / axis_n(axis) as f64;
        let own = [("class", "over".to_string()), ("data-name", group.name.clone()), ("data-n", group.n.to_string())];
        let place = [
            ("x", mm(left + group.first as f64 * each + 0.15)),
            ("y", mm(top - OVER - 0.3)),
            ("width", mm((group.n as f64 * each - 0.3).max(0.1))),
            ("height", mm(OVER)),
            ("fill", colour.to_string()),
        ];
        svg.leaf("rect", &[&own[..], &place].concat());
    }
    if !matches!(axis.scale, Scale::Names(_)) && !axis.unseen {
        svg.line([left, base], [left + width, base], style::INK, style::THIN);
    }
    let places = |k: f64| left + width * share(&axis.scale, k);
    for (k, name) in names_of(axis).iter().enumerate() {
        if let Some(picture) = axis.pictures.get(k).copied().flatten().and_then(|at| place.pictures.get(at)) {
            let at = [places(middle_of_run(axis, k)), base + style::GAP / 2.0 + axis.picture_size / 2.0];
            draw_picture(svg, picture, at, axis.picture_size, None, name);
        }
    }
    let base = base + picture_room(axis);
    match under {
        Under::Numbers => {
            let n = ((width / 14.0) as usize).clamp(2, 6);
            let marked = match &axis.ticks {
                Some(own) => own.iter().map(|&v| (v, crate::scale::minus(&value(v)))).collect(),
                None => ticks(&axis.scale, n),
            };
            let mut free_from = f64::NEG_INFINITY;
            for (v, text) in marked {
                let x = place.x_of(v);
                svg.line([x, base], [x, base + style::TICK], style::INK, style::THIN);
                let half = text_width(&text, style::TEXT) / 2.0;
                if x - half >= free_from {
                    svg.text([x, base + style::TICK + style::GAP / 2.0 + style::TEXT], Text::new("middle"), &text);
                    free_from = x + half + style::GAP;
                }
            }
        }
        Under::Groups(inner) => {
            let each = width / axis_n(axis) as f64;
            for group in &axis.groups {
                let from = left + group.first as f64 * each;
                let (a, b) = (from + 0.3, from + group.n as f64 * each - 0.3);
                svg.line([a, base + style::GAP], [b, base + style::GAP], style::GREY, style::LINE);
            }
            let middle = |k: usize| left + (axis.groups[k].first as f64 + axis.groups[k].n as f64 / 2.0) * each;
            draw_names(svg, inner, middle, base + style::GAP);
        }
        names => draw_names(svg, names, |k: usize| places(k as f64), base),
    }
    if !axis.label.is_empty() {
        let y = bottom - (LEADING - 1.0) * style::TEXT;
        svg.text([left + width / 2.0, y], Text::new("middle"), &axis.label);
    }
}

fn axis_n(axis: &Axis) -> usize {
    match &axis.scale {
        Scale::Names(names) => names.len().max(1),
        _ => 1,
    }
}

fn draw_names(svg: &mut Svg, names: &Under, place: impl Fn(usize) -> f64, base: f64) {
    match names {
        Under::Flat(names) => {
            for (k, lines) in names.iter().enumerate() {
                for (i, line) in lines.iter().enumerate() {
                    let y = base + style::GAP + style::TEXT * (0.8 + LEADING * i as f64);
                    svg.text([place(k), y], Text::new("middle"), line);
                }
            }
        }
        Under::Turned(size, names) => {
            for (k, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
                let at = [place(k) + HALF * size, base + style::GAP + HALF * size];
                svg.text(at, Text { size: *size, turn: -45.0, ..Text::new("end") }, name);
            }
        }
        _ => {}
    }
}

fn draw_y(svg: &mut Svg, axis: &Axis, place: &Place, outer: f64, cell: f64) {
    let [left, top] = place.corner;
    let height = place.size[1];
    let limit = LONGEST_NAME * cell;
    for (k, name) in names_of(axis).iter().enumerate() {
        if let Some(picture) = axis.pictures.get(k).copied().flatten().and_then(|at| place.pictures.get(at)) {
            let at = [left - style::GAP / 2.0 - axis.picture_size / 2.0, place.y_of(middle_of_run(axis, k))];
            draw_picture(svg, picture, at, axis.picture_size, None, name);
        }
    }
    let left = left - picture_room(axis);
    match &axis.scale {
        Scale::Names(names) if only_groups(axis, names.len()) => {
            let each = height / names.len() as f64;
            for group in &axis.groups {
                let from = top + group.first as f64 * each;
                let to = from + group.n as f64 * each;
                let x = left - style::GAP;
                svg.line([x, from + 0.3], [x, to - 0.3], style::GREY, style::LINE);
                let size = (to - from).min(style::TEXT);
                if size >= style::SMALLEST_TEXT {
                    let at = [x - style::GAP, (from + to) / 2.0 + HALF * size];
                    svg.text(at, Text { size, ..Text::new("end") }, &shorten(&group.name, size, limit));
                }
            }
        }
        Scale::Names(names) => {
            let size = (0.95 * height / names.len().max(1) as f64).min(style::TEXT);
            if size >= style::SMALLEST_TEXT {
                for (k, name) in shorten_all(names, size, |_| limit).iter().enumerate() {
                    let at = [left - style::GAP, place.y_of(k as f64) + HALF * size];
                    svg.text(at, Text { size, ..Text::new("end") }, name);
                }
            }
        }
        scale => {
            if !axis.unseen {
                svg.line([left, top], [left, top + height], style::INK, style::THIN);
            }
            if !axis.bare {
                for (v, text) in ticks(scale, ((height / 9.0) as usize).clamp(2, 6)) {
                    let y = place.y_of(v);
                    svg.line([left - style::TICK, y], [left, y], style::INK, style::THIN);
                    svg.text([left - style::TICK - style::GAP / 2.0, y + HALF * style::TEXT], Text::new("end"), &text);
                }
            }
        }
    }
    if !axis.label.is_empty() {
        let at = [outer + style::TEXT * 0.8, top + height / 2.0];
        let size = size_along(&axis.label, height);
        svg.text(at, Text { size, turn: -90.0, ..Text::new("middle") }, &axis.label);
    }
}

/// The size of a label along an axis of this height: one that is longer is set smaller.
pub(crate) fn size_along(label: &str, height: f64) -> f64 {
    let fits = style::TEXT * (height + 8.0) / text_width(label, style::TEXT).max(1.0);
    fits.clamp(style::SMALLEST_TEXT, style::TEXT)
}

fn bar_scale(bar: &ColourBar) -> Scale {
    Scale::Linear { lo: bar.lo, hi: if bar.hi > bar.lo { bar.hi } else { bar.lo + 1.0 } }
}

fn bar_width(bar: &ColourBar) -> f64 {
    let numbers = ticks(&bar_scale(bar), 5).iter().map(|(_, text)| text_width(text, style::TEXT)).fold(0.0, f64::max);
    BETWEEN + BAR + style::TICK + style::GAP + numbers + style::GAP + style::TEXT
}

fn draw_bar(svg: &mut Svg, bar: &ColourBar, [left, top]: [f64; 2], height: f64) {
    const STEPS: usize = 64;
    let scale = bar_scale(bar);
    let data = [("data-lo", value(bar.lo)), ("data-hi", value(bar.hi)), ("data-name", bar.label.clone())];
    svg.open("g", &[&[("class", "colour-bar".into())][..], &data].concat());
    for k in 0..STEPS {
        let colour = style::hex(style::continuous(k as f64 / (STEPS - 1) as f64));
        let (from, each) = (top + height * (STEPS - 1 - k) as f64 / STEPS as f64, height / STEPS as f64);
        // Each reaches under the next one, or the page shines through between them.
        let tall = if k == 0 { each } else { each * 1.5 };
        svg.leaf(
            "rect",
            &[("x", mm(left)), ("y", mm(from)), ("width", mm(BAR)), ("height", mm(tall)), ("fill", colour)],
        );
    }
    if bar.lo < 0.0 && bar.hi > 0.0 {
        let y = top + height * (1.0 - share(&scale, 0.0));
        svg.line([left - 0.6, y], [left + BAR + style::TICK, y], style::INK, style::LINE);
    }
    let ticks = ticks(&scale, ((height / 9.0) as usize).clamp(2, 6));
    let ticks = ticks.into_iter().map(|(v, text)| (share(&scale, v), text));
    draw_bar_ticks(svg, ticks, &bar.label, [left + BAR, top], height);
    svg.close("g");
}

/// Numbers to the right of a colour bar, each at its share of the height from below, and what they are.
pub(crate) fn draw_bar_ticks(
    svg: &mut Svg,
    ticks: impl Iterator<Item = (f64, String)>,
    label: &str,
    [right, top]: [f64; 2],
    height: f64,
) {
    let mut widest = 0.0f64;
    for (share, text) in ticks {
        let y = top + height * (1.0 - share);
        svg.line([right, y], [right + style::TICK, y], style::INK, style::THIN);
        svg.text([right + style::TICK + style::GAP / 2.0, y + HALF * style::TEXT], Text::new("start"), &text);
        widest = widest.max(text_width(&text, style::TEXT));
    }
    let at = [right + style::TICK + 1.5 * style::GAP + widest + style::TEXT * 0.8, top + height / 2.0];
    let size = size_along(label, height);
    svg.text(at, Text { size, turn: -90.0, ..Text::new("middle") }, label);
}

/// Width of what stands before the text of an entry.
const KEY: f64 = 6.0;

/// Entries in rows, each with its distance from the left.
pub(crate) fn legend_rows(items: &[LegendItem], width: f64) -> Vec<Vec<(f64, &LegendItem)>> {
    let mut rows: Vec<Vec<(f64, &LegendItem)>> = Vec::new();
    let mut used = f64::INFINITY;
    for item in items {
        let needs = KEY + style::GAP + text_width(&item.text, style::TEXT);
        if used + needs > width || rows.is_empty() {
            rows.push(Vec::new());
            used = 0.0;
        }
        if let Some(row) = rows.last_mut() {
            row.push((used, item));
        }
        used += needs + 3.0;
    }
    rows
}

pub(crate) fn draw_legend(svg: &mut Svg, rows: &[Vec<(f64, &LegendItem)>], [left, top]: [f64; 2]) {
    svg.open("g", &[("class", "legend".into())]);
    for (k, row) in rows.iter().enumerate() {
        let base = top + k as f64 * LEADING * style::TEXT + style::TEXT;
        let middle = base - HALF * style::TEXT;
        for (from, item) in row {
            let x = left + from;
            match item.key {
                Key::Line(stroke) | Key::Curve(stroke, _) => {
                    let ends = [("x1", mm(x)), ("y1", mm(middle)), ("x2", mm(x + KEY)), ("y2", mm(middle))];
                    let look = [("stroke", stroke.colour.to_string()), ("stroke-width", mm(stroke.width))];
                    svg.leaf("line", &[&ends[..], &look, &dashes(stroke.dash)].concat());
                    if let Key::Curve(stroke, shape) = item.key {
                        draw_point(svg, [x + KEY / 2.0, middle], style::POINT, stroke.colour, shape, &[]);
                    }
                }
                Key::Point(colour, shape) => {
                    draw_point(svg, [x + KEY / 2.0, middle], style::POINT * 1.2, colour, shape, &[]);
                }
                Key::Area(colour) => {
                    let [w, h] = [KEY - 1.0, style::TEXT * 0.8];
                    svg.leaf(
                        "rect",
                        &[
                            ("x", mm(x)),
                            ("y", mm(middle - h / 2.0)),
                            ("width", mm(w)),
                            ("height", mm(h)),
                            ("fill", colour.into()),
                        ],
                    );
                }
            }
            svg.text([x + KEY + style::GAP, base], Text::new("start"), &item.text);
        }
    }
    svg.close("g");
}
