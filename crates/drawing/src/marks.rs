//! Marks as shapes of SVG, with their values beside them.

use crate::chart::{Mark, Scale, Shape, Stroke, Thumbnail};
use crate::labels::Labels;
use crate::raster::grid_as_data_uri;
use crate::scale::{minus, share};
use crate::style;
use crate::svg::{Attributes, Svg, Text, mm, value};
use crate::text_width;

/// The area between the axes, in mm.
pub(crate) struct Place<'a> {
    pub(crate) corner: [f64; 2],
    pub(crate) size: [f64; 2],
    pub(crate) x: &'a Scale,
    pub(crate) y: &'a Scale,
    pub(crate) pictures: &'a [Thumbnail],
}

impl Place<'_> {
    pub(crate) fn x_of(&self, v: f64) -> f64 {
        self.corner[0] + self.size[0] * share(self.x, v)
    }

    /// Numbers grow upwards, names are read downwards.
    pub(crate) fn y_of(&self, v: f64) -> f64 {
        let share = share(self.y, v);
        let down = if matches!(self.y, Scale::Names(_)) { share } else { 1.0 - share };
        self.corner[1] + self.size[1] * down
    }

    /// A width in units of x, in mm.
    fn wide(&self, width: f64) -> f64 {
        self.x_of(width) - self.x_of(0.0)
    }
}

/// Cells above this number are one embedded picture instead of rectangles.
const MOST_RECTANGLES: usize = 1600;
/// The same where pictures are embedded, which need the room, and where rows are no names and thus many.
const FEWER_RECTANGLES: usize = 400;

/// The attribute of a dashed line.
pub(crate) fn dashes(dash: usize) -> Vec<(&'static str, String)> {
    match dash {
        0 => Vec::new(),
        1 => vec![("stroke-dasharray", "1.6 1".into())],
        2 => vec![("stroke-dasharray", "0.5 0.7".into())],
        _ => vec![("stroke-dasharray", "2.4 0.8 0.5 0.8".into())],
    }
}

fn stroked(stroke: Stroke) -> Vec<(&'static str, String)> {
    let mut look = vec![("stroke", stroke.colour.to_string()), ("stroke-width", mm(stroke.width))];
    look.extend(dashes(stroke.dash));
    look
}

fn listed(values: impl Iterator<Item = f64>) -> String {
    values.map(value).collect::<Vec<_>>().join(" ")
}

/// A path through points, interrupted where one has no number.
fn path(points: impl Iterator<Item = [f64; 2]>) -> String {
    let (mut d, mut pen) = (String::new(), 'M');
    for [x, y] in points {
        if x.is_finite() && y.is_finite() {
            d += &format!("{pen}{} {}", mm(x), mm(y));
            pen = 'L';
        } else {
            pen = 'M';
        }
    }
    d
}

/// A point of a shape and radius.
pub(crate) fn draw_point(svg: &mut Svg, at: [f64; 2], r: f64, colour: &str, shape: Shape, more: Attributes) {
    let [x, y] = at;
    let with = |own: &[(&'static str, String)]| [own, more].concat();
    let fill = ("fill", colour.to_string());
    let d = match shape {
        Shape::Disc => {
            return svg.leaf("circle", &with(&[("cx", mm(x)), ("cy", mm(y)), ("r", mm(r)), fill]));
        }
        Shape::Ring => {
            let line = [("stroke", colour.to_string()), ("stroke-width", mm(style::LINE / 1.5))];
            let own = [("cx", mm(x)), ("cy", mm(y)), ("r", mm(r * 0.85)), ("fill", "none".to_string())];
            return svg.leaf("circle", &with(&[&own[..], &line].concat()));
        }
        Shape::Square => {
            let s = r * 0.9;
            format!("M{} {}h{}v{}h{}z", mm(x - s), mm(y - s), mm(2.0 * s), mm(2.0 * s), mm(-2.0 * s))
        }
        Shape::Triangle => {
            let s = r * 1.15;
            format!(
                "M{} {}L{} {}L{} {}z",
                mm(x),
                mm(y - s),
                mm(x + 0.9 * s),
                mm(y + 0.7 * s),
                mm(x - 0.9 * s),
                mm(y + 0.7 * s)
            )
        }
        Shape::Diamond => {
            let s = r * 1.25;
            format!("M{} {}L{} {}L{} {}L{} {}z", mm(x), mm(y - s), mm(x + s), mm(y), mm(x), mm(y + s), mm(x - s), mm(y))
        }
    };
    svg.leaf("path", &with(&[("d", d), fill]));
}

/// A picture whose middle is at a place.
pub(crate) fn draw_picture(
    svg: &mut Svg,
    picture: &Thumbnail,
    [x, y]: [f64; 2],
    longest: f64,
    frame: Option<&str>,
    name: &str,
) {
    let [w, h] = picture.fit(longest);
    let own = [
        ("class", "picture".to_string()),
        ("data-name", name.to_string()),
        ("href", format!("#{}", picture.id)),
        ("transform", format!("translate({} {}) scale({})", mm(x - w / 2.0), mm(y - h / 2.0), mm(longest))),
    ];
    svg.leaf("use", &own);
    if let Some(colour) = frame {
        let look = [("fill", "none".to_string()), ("stroke", colour.into()), ("stroke-width", mm(style::LINE))];
        svg.leaf("rect", &[&rect([x - w / 2.0, y - h / 2.0], [w, h])[..], &look].concat());
    }
}

fn rect([x, y]: [f64; 2], [width, height]: [f64; 2]) -> Vec<(&'static str, String)> {
    vec![("x", mm(x)), ("y", mm(y)), ("width", mm(width)), ("height", mm(height))]
}

/// Draws one mark; points leave their labels with `labels`.
pub(crate) fn draw_mark(svg: &mut Svg, place: &Place, mark: &Mark, labels: &mut Labels) {
    let class = |name: &str| ("class", name.to_string());
    let called = |name: &str| ("data-name", name.to_string());
    match mark {
        Mark::Curve { points, stroke, name } => {
            let d = path(points.iter().map(|&[x, y]| [place.x_of(x), place.y_of(y)]));
            let own = [
                class("curve"),
                called(name),
                ("data-x", listed(points.iter().map(|p| p[0]))),
                ("data-y", listed(points.iter().map(|p| p[1]))),
                ("d", d),
                ("fill", "none".into()),
                ("stroke-linejoin", "round".into()),
            ];
            svg.leaf("path", &[&own[..], &stroked(*stroke)].concat());
        }
        Mark::Ribbon { points, colour, name } => {
            // One closed area per stretch without gaps.
            let whole = |p: &[f64; 3]| p.iter().all(|v| v.is_finite());
            let mut d = String::new();
            for stretch in points.split(|p| !whole(p)).filter(|stretch| !stretch.is_empty()) {
                let there = stretch.iter().map(|p| [place.x_of(p[0]), place.y_of(p[1])]);
                let back = stretch.iter().rev().map(|p| [place.x_of(p[0]), place.y_of(p[2])]);
                d += &(path(there.chain(back)) + "z");
            }
            let own = [
                class("ribbon"),
                called(name),
                ("data-x", listed(points.iter().map(|p| p[0]))),
                ("data-lo", listed(points.iter().map(|p| p[1]))),
                ("data-hi", listed(points.iter().map(|p| p[2]))),
                ("d", d),
                ("fill", (*colour).into()),
                ("fill-opacity", "0.22".into()),
            ];
            svg.leaf("path", &own);
        }
        Mark::Level { at, stroke, name } => {
            let (y, [x, _]) = (place.y_of(*at), place.corner);
            let ends = [("x1", mm(x)), ("y1", mm(y)), ("x2", mm(x + place.size[0])), ("y2", mm(y))];
            let own = [class("level"), called(name), ("data-y", value(*at))];
            svg.leaf("line", &[&own[..], &ends, &stroked(*stroke)].concat());
        }
        Mark::Strip { lo, hi, colour, name } => {
            let (top, bottom) = (place.y_of(*hi), place.y_of(*lo));
            let own = [class("strip"), called(name), ("data-lo", value(*lo)), ("data-hi", value(*hi))];
            let look = [("fill", colour.to_string())];
            let area = rect([place.corner[0], top], [place.size[0], (bottom - top).max(style::THIN)]);
            svg.leaf("rect", &[&own[..], &area, &look].concat());
        }
        Mark::Box { at, width, five, mean, colour, name, n } => {
            let [lo, q1, median, q3, hi] = *five;
            let own = [
                class("box"),
                called(name),
                ("data-whisker-lo", value(lo)),
                ("data-q1", value(q1)),
                ("data-median", value(median)),
                ("data-q3", value(q3)),
                ("data-whisker-hi", value(hi)),
                ("data-n", n.to_string()),
            ];
            svg.open("g", &own);
            let (x, half) = (place.x_of(*at), place.wide(*width) / 2.0);
            let y = |v: f64| place.y_of(v);
            svg.line([x, y(lo)], [x, y(q1)], colour, style::THIN * 1.4);
            svg.line([x, y(q3)], [x, y(hi)], colour, style::THIN * 1.4);
            for end in [lo, hi] {
                svg.line([x - half / 2.0, y(end)], [x + half / 2.0, y(end)], colour, style::THIN * 1.4);
            }
            let look = [
                ("fill", colour.to_string()),
                ("fill-opacity", "0.22".into()),
                ("stroke", colour.to_string()),
                ("stroke-width", mm(style::THIN * 1.4)),
            ];
            let area = rect([x - half, y(q3)], [2.0 * half, (y(q1) - y(q3)).max(0.0)]);
            svg.leaf("rect", &[&area[..], &look].concat());
            svg.line([x - half, y(median)], [x + half, y(median)], colour, style::LINE * 1.6);
            if let Some(mean) = mean.filter(|mean| mean.is_finite()) {
                let own = [class("mean"), ("data-y", value(mean))];
                draw_point(svg, [x, y(mean)], style::POINT * 0.8, colour, Shape::Diamond, &own);
            }
            svg.close("g");
        }
        Mark::Point { at, colour, shape, size, name, label } => {
            let place_of = [place.x_of(at[0]), place.y_of(at[1])];
            let own = [class("point"), called(name), ("data-x", value(at[0])), ("data-y", value(at[1]))];
            draw_point(svg, place_of, *size, colour, *shape, &own);
            labels.point(place_of, *size, label);
        }
        Mark::Picture { at, picture, size, frame, beside, name, label } => {
            let Some(picture) = place.pictures.get(*picture) else { return };
            let at = [place.x_of(at[0]), place.y_of(at[1])];
            if *beside {
                labels.picture(at, picture.clone(), *size, *frame, name);
            } else {
                draw_picture(svg, picture, at, *size, *frame, name);
                labels.point(at, size / 2.0, label);
            }
        }
        Mark::Range { at, lo, hi, colour, name } => {
            let own = [class("range"), called(name), ("data-lo", value(*lo)), ("data-hi", value(*hi))];
            svg.open("g", &own);
            let (x, low, high) = (place.x_of(*at), place.y_of(*lo), place.y_of(*hi));
            svg.line([x, low], [x, high], colour, style::LINE);
            [low, high].iter().for_each(|&y| svg.line([x - 0.7, y], [x + 0.7, y], colour, style::LINE));
            svg.close("g");
        }
        Mark::Bar { at, width, from, to, colour, name } => {
            let (x, w) = (place.x_of(*at), place.wide(*width));
            let (a, b) = (place.y_of(*from), place.y_of(*to));
            let own = [class("bar"), called(name), ("data-from", value(*from)), ("data-to", value(*to))];
            let area = rect([x - w / 2.0, a.min(b)], [w, (a - b).abs()]);
            svg.leaf("rect", &[&own[..], &area, &[("fill", colour.to_string())]].concat());
        }
        Mark::Cells { values, n_columns, lo, hi, written } => {
            draw_cells(svg, place, values, (*n_columns).max(1), [*lo, *hi], *written);
        }
        Mark::Circle { at, radius, colour, name, n } => {
            let own = [
                class("circle"),
                called(name),
                ("data-n", value(*n)),
                ("cx", mm(place.x_of(at[0]))),
                ("cy", mm(place.y_of(at[1]))),
                ("r", mm(place.wide(*radius))),
                ("fill", colour.to_string()),
                ("fill-opacity", "0.25".into()),
            ];
            let line = Stroke { colour, width: style::LINE, dash: 0 };
            svg.leaf("circle", &[&own[..], &stroked(line)].concat());
        }
        Mark::Note { at, text } => {
            svg.text([place.x_of(at[0]), place.y_of(at[1])], Text::new("middle"), text);
        }
    }
}

/// How far a value is from one end to the other; NaN where it is none.
fn share_of(v: f64, [lo, hi]: [f64; 2]) -> f64 {
    match v.is_finite() {
        true if hi > lo => (v - lo) / (hi - lo),
        true => 0.5,
        false => f64::NAN,
    }
}

/// The colour of a value between two ends.
fn colour_of(v: f64, ends: [f64; 2]) -> Option<[u8; 3]> {
    let share = share_of(v, ends);
    (!share.is_nan()).then(|| style::continuous(share))
}

fn draw_cells(svg: &mut Svg, place: &Place, values: &[f64], n_columns: usize, ends: [f64; 2], written: bool) {
    let n_rows = values.len() / n_columns;
    let own = [
        ("class", "cells".to_string()),
        ("data-rows", n_rows.to_string()),
        ("data-columns", n_columns.to_string()),
        ("shape-rendering", "crispEdges".into()),
    ];
    svg.open("g", &own);
    let [width, height] = [place.size[0] / n_columns as f64, place.size[1] / n_rows.max(1) as f64];
    let [left, top] = place.corner;
    let named = matches!(place.y, Scale::Names(_));
    let most = if named && place.pictures.is_empty() { MOST_RECTANGLES } else { FEWER_RECTANGLES };
    if values.len() > most {
        let shares: Vec<f64> = values.iter().map(|&v| share_of(v, ends)).collect();
        let area = rect(place.corner, place.size);
        let look = [
            ("preserveAspectRatio", "none".to_string()),
            ("image-rendering", "optimizeSpeed".into()),
            ("style", "image-rendering:pixelated".into()),
            ("href", grid_as_data_uri(&shares, n_columns)),
        ];
        svg.leaf("image", &[&area[..], &look].concat());
        svg.close("g");
        return;
    }
    for (k, &v) in values.iter().enumerate() {
        let corner = [left + (k % n_columns) as f64 * width, top + (k / n_columns) as f64 * height];
        let colour = colour_of(v, ends).map_or(style::MISSING.to_string(), style::hex);
        let own = [("data-value", value(v)), ("fill", colour)];
        svg.leaf("rect", &[&rect(corner, [width, height])[..], &own].concat());
    }
    // Two digits behind the point, as tables of correlations have them; none where they would not fit.
    let text = |v: f64| if v.is_nan() { "–".to_string() } else { minus(&short(v)) };
    let longest = values.iter().map(|&v| text_width(&text(v), style::TEXT)).fold(0.0, f64::max);
    let size = (style::TEXT * 0.9 * width / longest.max(0.1)).min(0.7 * height).min(style::TEXT);
    if written && size >= style::SMALLEST_TEXT {
        for (k, &v) in values.iter().enumerate() {
            let x = left + (k % n_columns) as f64 * width + width / 2.0;
            let y = top + (k / n_columns) as f64 * height + height / 2.0 + 0.36 * size;
            let colour = colour_of(v, ends).map_or(style::INK, style::readable_on);
            svg.text([x, y], Text { size, colour, ..Text::new("middle") }, &text(v));
        }
    }
    svg.close("g");
}

/// A number for a cell: `.42`, `-.05`, `1.00`, `12.3`.
pub(crate) fn short(v: f64) -> String {
    let magnitude = v.abs();
    let decimals = if magnitude < 10.0 { 2 } else { usize::from(magnitude < 100.0) };
    let text = format!("{v:.decimals$}");
    // What rounds to zero has no sign.
    let text = if text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { text } else { text.replace('-', "") };
    text.strip_prefix("0.").map(|rest| format!(".{rest}")).unwrap_or_else(|| text.replacen("-0.", "-.", 1))
}
