//! Pictures of one scale in rows, with lines over them, a bar of colours for both sides of 0, legend and notes.

use crate::chart::{LegendItem, Scale};
use crate::font::text_width;
use crate::labels::LeftOut;
use crate::labels::wrap;
use crate::layout::{Drawn, LEADING, draw_bar_ticks, draw_legend, legend_rows};
use crate::picture::Picture;
use crate::scale::{minus, share, ticks};
use crate::style::{self, Colour};
use crate::svg::{Svg, Text, mm, value};

/// Pictures of one thing from several sides, all in one scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// What stands over all; a figure without is named by `description` alone.
    pub title: String,
    /// What a reader who does not see the figure is told.
    pub description: String,
    /// Panes from left to right, rows from above.
    pub rows: Vec<Vec<Pane>>,
    /// What the colours mean; `None` where nothing is coloured.
    pub bar: Option<SignedBar>,
    /// Under the panes.
    pub legend: Vec<LegendItem>,
    /// Lines of text under the legend.
    pub notes: Vec<String>,
    /// Width in mm.
    pub width: f64,
}

/// A picture with what stands over and beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pane {
    /// Over it.
    pub caption: String,
    /// What its attributes say: `data-direction`, `data-at`.
    pub data: Vec<(&'static str, String)>,
    /// Edge of a pixel, in the unit that all panes share.
    pub pixel: f64,
    /// The picture.
    pub picture: Picture,
    /// Whether pixels run into one another when they are enlarged; those of voxels do not.
    pub smooth: bool,
    /// The value shown in each pixel, NaN where none is; what characters show instead of colours.
    pub values: Vec<f64>,
    /// Drawn over the picture, in this order.
    pub lines: Vec<Line>,
    /// What is at the left and at the right: `L` and `R`.
    pub ends: [String; 2],
}

/// Lines of one look over a picture, in pixels from its upper left corner.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its class: `region`, `outline`.
    pub class: &'static str,
    /// What it is of.
    pub name: String,
    /// Its colour.
    pub colour: Colour,
    /// Its width in mm.
    pub width: f64,
    /// Where it runs.
    pub path: Path,
}

/// Where a line runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Path {
    /// Closed loops.
    Loops(Vec<Vec<[f64; 2]>>),
    /// Pieces of two, three or four points: straight lines, quadratic and cubic Bezier curves.
    Curves(Vec<Vec<[f64; 2]>>),
}

/// What colours on both sides of 0 mean, from the threshold to the largest value.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedBar {
    /// The quantity, with its unit.
    pub label: String,
    /// The value of the last colour, above 0.
    pub hi: f64,
    /// Values no farther than this from 0 are not shown.
    pub threshold: f64,
    /// Whether there are colours above 0.
    pub above: bool,
    /// Whether there are colours below 0.
    pub below: bool,
}

impl SignedBar {
    /// The colour of a value; `None` where it is not shown.
    pub fn colour(&self, v: f64) -> Option<[u8; 3]> {
        let shown = v.abs() > self.threshold && if v > 0.0 { self.above } else { self.below };
        let range = self.hi - self.threshold;
        let share = if range > 0.0 { (v.abs() - self.threshold) / range } else { 1.0 };
        shown.then(|| style::signed(share, v < 0.0))
    }

    fn scale(&self) -> Scale {
        // An empty map has a bar of some height.
        let hi = if self.hi > 0.0 { self.hi } else { 1.0 };
        Scale::Linear { lo: if self.below { -hi } else { 0.0 }, hi: if self.above { hi } else { 0.0 } }
    }

    /// Round numbers, without those that the threshold's own would meet.
    fn ticks(&self, height: f64) -> Vec<(f64, String)> {
        let Scale::Linear { lo, hi } = self.scale() else { return Vec::new() };
        let mut all: Vec<(f64, String)> = Vec::new();
        if self.threshold > 0.0 {
            let ends = [(self.threshold, self.above), (-self.threshold, self.below)];
            all.extend(ends.iter().filter(|end| end.1).map(|&(v, _)| (v, minus(&value(v)))));
        }
        let least = 1.3 * style::TEXT * (hi - lo) / height;
        // The ends in three digits, and round numbers where there is room between.
        let three = |v: f64| format!("{v:.2e}").parse().map_or_else(|_| value(v), |v: f64| minus(&value(v)));
        let ends = [(hi, self.above), (lo, self.below)].into_iter().filter(|end| end.1).map(|(v, _)| (v, three(v)));
        let round = ticks(&self.scale(), ((height / 9.0) as usize).clamp(2, 6));
        for (v, text) in ends.chain(round) {
            if all.iter().all(|(other, _)| (other - v).abs() > least) {
                all.push((v, text));
            }
        }
        all
    }
}

/// Over a pane.
const HEAD: f64 = LEADING * style::TEXT + 0.4;
/// Between panes, and between them and the bar.
const BETWEEN: f64 = 3.0;
/// Width of the strip of the bar.
const BAR: f64 = 3.0;
/// The tallest bar.
const TALLEST: f64 = 45.0;
/// The tallest page.
const PAGE: f64 = 240.0;
/// A unit of the panes is at most so many mm.
const LARGEST: f64 = 0.55;

fn size_of(pane: &Pane) -> [f64; 2] {
    [pane.picture.n_columns as f64 * pane.pixel, pane.picture.n_rows() as f64 * pane.pixel]
}

/// How captions are written: as they are where they fit over their panes, else without their unit, smaller, and at last
/// with panes farther apart.
struct Captions {
    /// Size of their letters.
    size: f64,
    /// Without ` mm` at their end.
    short: bool,
    /// A row has no more room than this.
    room: f64,
}

/// The least size of a caption, of that of other text.
const SMALLEST_CAPTION: f64 = 0.72;
/// What a caption may stand out over its pane, both sides together.
const OVERHANG: f64 = BETWEEN - style::GAP;

impl Captions {
    /// For rows of any number of panes: nothing is known yet of how large these are.
    fn of(rows: &[Vec<Pane>], room: f64) -> Captions {
        let all = Captions { size: style::TEXT, short: false, room };
        match rows.iter().all(|row| all.in_a_row(row) >= row.len()) {
            true => all,
            false => Captions { size: SMALLEST_CAPTION * style::TEXT, short: true, room },
        }
    }

    /// How many panes of a row find room beside each other, were they no wider than their captions.
    fn in_a_row(&self, row: &[Pane]) -> usize {
        let widest = row.iter().map(|pane| self.width(pane) - OVERHANG).fold(0.0, f64::max);
        let most = ((self.room + BETWEEN) / (widest + BETWEEN)).floor().max(1.0) as usize;
        // As many in each line.
        row.len().max(1).div_ceil(row.len().max(1).div_ceil(most))
    }

    /// For panes of this scale.
    fn at(self, rows: &[&[Pane]], scale: f64) -> Captions {
        let share = |captions: &Captions| {
            let of = |pane: &Pane| (size_of(pane)[0] * scale + OVERHANG) / captions.width(pane).max(1e-9);
            rows.iter().flat_map(|row| row.iter()).map(of).fold(f64::INFINITY, f64::min)
        };
        let whole = Captions { size: style::TEXT, short: false, room: self.room };
        if share(&whole) >= 1.0 {
            return whole;
        }
        let short = Captions { short: true, ..whole };
        let size = style::TEXT * share(&short).clamp(SMALLEST_CAPTION, 1.0);
        Captions { size, ..short }
    }

    fn text<'a>(&self, pane: &'a Pane) -> &'a str {
        pane.caption.strip_suffix(" mm").filter(|_| self.short).unwrap_or(&pane.caption)
    }

    fn width(&self, pane: &Pane) -> f64 {
        text_width(self.text(pane), self.size)
    }

    /// The room of a pane of this scale with its caption.
    fn slot(&self, pane: &Pane, scale: f64) -> f64 {
        (size_of(pane)[0] * scale).max(self.width(pane) - OVERHANG)
    }

    fn width_of(&self, row: &[Pane], scale: f64) -> f64 {
        let slots: f64 = row.iter().map(|pane| self.slot(pane, scale)).sum();
        slots + BETWEEN * (row.len().max(1) - 1) as f64
    }
}

/// Draws a sheet as SVG.
pub fn draw_sheet(sheet: &Sheet) -> Drawn {
    drawn(sheet, false)
}

/// The same for an SVG that is made a PNG at once ([`crate::png`]): larger, and sooner there.
pub fn draw_sheet_quickly(sheet: &Sheet) -> Drawn {
    drawn(sheet, true)
}

fn drawn(sheet: &Sheet, quick: bool) -> Drawn {
    let inner = sheet.width - 2.0 * style::MARGIN;
    let bar_width = sheet.bar.as_ref().map_or(0.0, |bar| {
        let widest = bar.ticks(TALLEST).iter().map(|(_, text)| text_width(text, style::TEXT)).fold(0.0, f64::max);
        BETWEEN + BAR + style::TICK + 2.0 * style::GAP + widest + style::TEXT
    });
    let bar_width = bar_width.min(0.5 * inner);
    let captions = Captions::of(&sheet.rows, inner - bar_width);
    let rows: Vec<&[Pane]> = sheet.rows.iter().flat_map(|row| row.chunks(captions.in_a_row(row))).collect();
    // One scale: as large as the widest row and the page allow.
    let row_sizes: Vec<[f64; 2]> = rows
        .iter()
        .map(|row| {
            let sizes: Vec<[f64; 2]> = row.iter().map(size_of).collect();
            [sizes.iter().map(|s| s[0]).sum(), sizes.iter().map(|s| s[1]).fold(0.0, f64::max)]
        })
        .collect();
    let n_rows = rows.len() as f64;
    let fits = rows
        .iter()
        .zip(&row_sizes)
        .map(|(row, size)| (inner - bar_width - BETWEEN * (row.len().max(1) - 1) as f64).max(10.0) / size[0].max(1e-9));
    let tall: f64 = row_sizes.iter().map(|size| size[1]).sum();
    let mut scale = fits.fold(LARGEST, f64::min).min((PAGE - n_rows * (HEAD + BETWEEN)) / tall.max(1e-9));
    // Where captions are wider than their panes, panes give way.
    let captions = captions.at(&rows, scale);
    let wide = |scale: f64| rows.iter().map(|row| captions.width_of(row, scale)).fold(0.0, f64::max);
    while wide(scale) > (inner - bar_width).max(10.0) && scale > 1e-3 * LARGEST {
        scale *= 0.95;
    }

    let title = wrap(&sheet.title, style::TITLE, inner);
    let head = if title.is_empty() { 0.0 } else { title.len() as f64 * LEADING * style::TITLE + style::GAP };
    let body = row_sizes.iter().map(|size| HEAD + size[1] * scale).sum::<f64>() + (n_rows - 1.0).max(0.0) * BETWEEN;
    let legend = legend_rows(&sheet.legend, inner);
    let notes: Vec<String> = sheet.notes.iter().flat_map(|note| wrap(note, style::TEXT, inner)).collect();
    let line = LEADING * style::TEXT;
    let bar_height = TALLEST.min((body - HEAD).max(15.0));
    let body = body.max(bar_height + HEAD);
    let legend_height = if legend.is_empty() { 0.0 } else { 2.0 * style::GAP + legend.len() as f64 * line };
    let notes_height = if notes.is_empty() { 0.0 } else { 2.0 * style::GAP + notes.len() as f64 * line };
    let height = 2.0 * style::MARGIN + head + body + legend_height + notes_height;

    let called = if sheet.title.is_empty() { &sheet.description } else { &sheet.title };
    let mut svg = Svg::new(sheet.width, height, called, &sheet.description);
    let mut y = style::MARGIN;
    for line in &title {
        y += style::TITLE;
        svg.text([style::MARGIN, y], Text { size: style::TITLE, bold: true, ..Text::new("start") }, line);
        y += (LEADING - 1.0) * style::TITLE;
    }
    let top = style::MARGIN + head;
    let mut y = top;
    let mut widest = 0.0f64;
    for (row, size) in rows.iter().zip(&row_sizes) {
        let mut x = style::MARGIN;
        for pane in *row {
            let [w, h] = size_of(pane).map(|v| v * scale);
            let slot = captions.slot(pane, scale);
            // Panes of a row stand on one line.
            draw_pane(&mut svg, pane, [x + (slot - w) / 2.0, y + HEAD + size[1] * scale - h], scale, &captions, quick);
            x += slot + BETWEEN;
        }
        widest = widest.max(x);
        y += HEAD + size[1] * scale + BETWEEN;
    }
    if let Some(bar) = &sheet.bar {
        draw_bar(&mut svg, bar, [widest, top + HEAD + ((body - HEAD - bar_height) / 2.0).max(0.0)], bar_height);
    }
    let mut y = top + body;
    if !legend.is_empty() {
        draw_legend(&mut svg, &legend, [style::MARGIN, y + 2.0 * style::GAP]);
        y += legend_height;
    }
    y += 2.0 * style::GAP;
    for note in &notes {
        svg.text([style::MARGIN, y + style::TEXT], Text { colour: style::GREY, ..Text::new("start") }, note);
        y += line;
    }
    Drawn::of(svg.finish(), LeftOut::default())
}

fn draw_pane(svg: &mut Svg, pane: &Pane, [left, top]: [f64; 2], scale: f64, captions: &Captions, quick: bool) {
    let [width, height] = size_of(pane).map(|v| v * scale);
    svg.open("g", &[&[("class", "pane".into()), ("data-name", pane.caption.clone())][..], &pane.data].concat());
    let mut look = vec![
        ("x", mm(left)),
        ("y", mm(top)),
        ("width", mm(width)),
        ("height", mm(height)),
        ("preserveAspectRatio", "none".into()),
    ];
    if !pane.smooth {
        look.extend([("image-rendering", "optimizeSpeed".into()), ("style", "image-rendering:pixelated".into())]);
    }
    look.push(("href", pane.picture.data_uri(quick)));
    svg.leaf("image", &look);
    let step = pane.pixel * scale;
    let at = |[x, y]: [f64; 2]| format!("{} {}", short(left + x * step), short(top + y * step));
    for line in &pane.lines {
        let mut d = String::new();
        match &line.path {
            Path::Loops(loops) => {
                for points in loops.iter().filter(|points| points.len() > 2) {
                    for (k, point) in points.iter().enumerate() {
                        d.push(if k == 0 { 'M' } else { 'L' });
                        d += &at(*point);
                    }
                    d.push('z');
                }
            }
            Path::Curves(pieces) => {
                let mut pen = None;
                for piece in pieces.iter().filter(|piece| (2..=4).contains(&piece.len())) {
                    if pen != Some(piece[0]) {
                        d.push('M');
                        d += &at(piece[0]);
                    }
                    d.push([' ', ' ', 'L', 'Q', 'C'][piece.len()]);
                    let points: Vec<String> = piece[1..].iter().map(|point| at(*point)).collect();
                    d += &points.join(" ");
                    pen = piece.last().copied();
                }
            }
        }
        if d.is_empty() {
            continue;
        }
        let own = [
            ("class", line.class.to_string()),
            ("data-name", line.name.clone()),
            ("d", d),
            ("fill", "none".into()),
            ("stroke", line.colour.into()),
            ("stroke-width", mm(line.width)),
            ("stroke-linejoin", "round".into()),
        ];
        svg.leaf("path", &own);
    }
    let x = left + width / 2.0;
    let text = Text { size: captions.size, ..Text::new("middle") };
    svg.text([x, top - 0.3 * style::TEXT], text, captions.text(pane));
    let size = style::TEXT.min(0.2 * width);
    for (end, (x, anchor)) in pane.ends.iter().zip([(left, "start"), (left + width, "end")]) {
        if !end.is_empty() {
            svg.text([x, top + size], Text { size, bold: true, ..Text::new(anchor) }, end);
        }
    }
    svg.close("g");
}

/// A length in mm to a hundredth, which is a pixel of 2540 dots per inch.
fn short(v: f64) -> String {
    let rounded = (v * 100.0).round() / 100.0;
    format!("{rounded}")
}

fn draw_bar(svg: &mut Svg, bar: &SignedBar, [left, top]: [f64; 2], height: f64) {
    const STEPS: usize = 96;
    let scale = bar.scale();
    let Scale::Linear { lo, hi } = scale else { return };
    let data = [
        ("class", "colour-bar".to_string()),
        ("data-lo", value(lo)),
        ("data-hi", value(hi)),
        ("data-threshold", value(bar.threshold)),
        ("data-name", bar.label.clone()),
    ];
    svg.open("g", &data);
    for k in 0..STEPS {
        let middle = lo + (hi - lo) * (k as f64 + 0.5) / STEPS as f64;
        let colour = bar.colour(middle).map_or(style::LIGHT.to_string(), style::hex);
        let (from, each) = (top + height * (STEPS - 1 - k) as f64 / STEPS as f64, height / STEPS as f64);
        // Each reaches under the next one, or the page shines through between them.
        let tall = if k == 0 { each } else { each * 1.5 };
        let place = [("x", mm(left)), ("y", mm(from)), ("width", mm(BAR)), ("height", mm(tall)), ("fill", colour)];
        svg.leaf("rect", &place);
    }
    let ticks = bar.ticks(height).into_iter().map(|(v, text)| (share(&scale, v), text));
    draw_bar_ticks(svg, ticks, &bar.label, [left + BAR, top], height);
    svg.close("g");
}

/// Columns of a terminal.
const COLUMNS: usize = 80;
/// Most panes beside one another there.
const BESIDE: usize = 3;

/// What one half of a character shows.
#[derive(Clone, Copy, PartialEq)]
enum Half {
    Nothing,
    /// A colour, and the sign of a value that is shown, or 0.
    Some([u8; 3], i8),
}

/// Draws a sheet with characters, two pixels in each: with 24-bit colours as terminals have them, or without, where
/// `█▀▄` is above 0, `▒` below, `·` what is there.
pub fn sheet_text(sheet: &Sheet, colours: bool) -> String {
    let mut lines: Vec<String> = Vec::new();
    if !sheet.title.is_empty() {
        lines.extend([sheet.title.clone(), String::new()]);
    }
    let rows: Vec<&[Pane]> = sheet.rows.iter().flat_map(|row| row.chunks(BESIDE)).collect();
    let widest = rows.iter().map(|row| row.iter().map(|pane| size_of(pane)[0]).sum::<f64>()).fold(0.0, f64::max);
    let n_most = rows.iter().map(|row| row.len()).max().unwrap_or(1);
    let unit = widest / (COLUMNS - 2 * (n_most - 1)) as f64;
    for row in rows {
        let blocks: Vec<Vec<Vec<Half>>> = row.iter().map(|pane| halves(pane, unit)).collect();
        let n_lines = blocks.iter().map(|block| block.len().div_ceil(2)).max().unwrap_or(0);
        let mut head = String::new();
        for (pane, block) in row.iter().zip(&blocks) {
            let n = block.first().map_or(0, Vec::len);
            let [left, right] = &pane.ends;
            let taken = left.chars().count() + right.chars().count();
            head += &format!("{left}{:^room$}{right}  ", pane.caption, room = n.saturating_sub(taken));
        }
        lines.push(head.trim_end().into());
        for k in 0..n_lines {
            let mut line = String::new();
            for block in &blocks {
                let n = block.first().map_or(0, Vec::len);
                // Panes of a row stand on one line.
                let first = (2 * k + block.len() + block.len() % 2).checked_sub(2 * n_lines);
                let at = |row: Option<usize>, column: usize| {
                    row.and_then(|row| block.get(row)).map_or(Half::Nothing, |row| row[column])
                };
                for column in 0..n {
                    let pair = [at(first, column), at(first.map(|row| row + 1), column)];
                    line += &if colours { coloured(pair) } else { plain(pair).to_string() };
                }
                line += "  ";
            }
            lines.push(line.trim_end().into());
        }
        lines.push(String::new());
    }
    if let Some(bar) = &sheet.bar {
        let number = |v: f64| minus(&value(v));
        let mut said = Vec::new();
        let sign = |v: f64, plain: &str| match bar.colour(v) {
            Some([r, g, b]) if colours => format!("\u{1b}[38;2;{r};{g};{b}m█\u{1b}[0m"),
            _ => plain.to_string(),
        };
        if bar.above {
            let ends = [sign(bar.threshold.next_up(), "█"), sign(bar.hi, "")];
            said.push(format!("{} {} to {} {}", ends[0], number(bar.threshold), ends[1], number(bar.hi)));
        }
        if bar.below {
            let ends = [sign(-bar.threshold.next_up(), "▒"), sign(-bar.hi, "")];
            said.push(format!("{} {} to {} {}", ends[0], number(-bar.threshold), ends[1], number(-bar.hi)));
        }
        lines.push(format!("{}: {}", bar.label, said.join(", ").replace("to  ", "to ")));
    }
    lines.extend(sheet.notes.iter().cloned());
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.join("\n") + "\n"
}

/// A pane in pixels of this size: of those that are one the value farthest from 0, else the mean colour.
fn halves(pane: &Pane, unit: f64) -> Vec<Vec<Half>> {
    let (n_columns, n_rows) = (pane.picture.n_columns, pane.picture.n_rows());
    let step = (unit / pane.pixel).max(1e-9);
    let n = [n_columns, n_rows].map(|n| ((n as f64 / step).round() as usize).max(1));
    let range = |k: usize, n: usize, all: usize| {
        let from = k * all / n;
        from..((k + 1) * all / n).max(from + 1).min(all)
    };
    let one = |row: usize, column: usize| {
        let (mut extreme, mut colour) = (0.0f64, [0u8; 3]);
        let (mut sum, mut count, mut all) = ([0.0; 3], 0.0, 0.0);
        for r in range(row, n[1], n_rows) {
            for c in range(column, n[0], n_columns) {
                let at = r * n_columns + c;
                let [red, green, blue, opacity] = pane.picture.pixels[at];
                all += 1.0;
                if opacity < 128 {
                    continue;
                }
                let v = pane.values[at];
                if v.abs() > extreme.abs() {
                    (extreme, colour) = (v, [red, green, blue]);
                }
                [red, green, blue].iter().zip(&mut sum).for_each(|(part, sum)| *sum += f64::from(*part));
                count += 1.0;
            }
        }
        if extreme != 0.0 {
            return Half::Some(colour, if extreme > 0.0 { 1 } else { -1 });
        }
        if 2.0 * count < all || count == 0.0 {
            return Half::Nothing;
        }
        Half::Some(sum.map(|part| (part / count) as u8), 0)
    };
    (0..n[1]).map(|row| (0..n[0]).map(|column| one(row, column)).collect()).collect()
}

fn plain(pair: [Half; 2]) -> char {
    let sign = |half: Half| if let Half::Some(_, sign) = half { sign } else { 0 };
    match pair.map(sign) {
        [1, 1] => '█',
        [1, _] => '▀',
        [_, 1] => '▄',
        [-1, _] | [_, -1] => '▒',
        _ if pair.iter().any(|half| *half != Half::Nothing) => '·',
        _ => ' ',
    }
}

fn coloured(pair: [Half; 2]) -> String {
    match pair {
        [Half::Nothing, Half::Nothing] => " ".into(),
        [Half::Some([r, g, b], _), Half::Nothing] => format!("\u{1b}[38;2;{r};{g};{b}m▀\u{1b}[0m"),
        [Half::Nothing, Half::Some([r, g, b], _)] => format!("\u{1b}[38;2;{r};{g};{b}m▄\u{1b}[0m"),
        [Half::Some([r, g, b], _), Half::Some([s, h, c], _)] => {
            format!("\u{1b}[38;2;{r};{g};{b};48;2;{s};{h};{c}m▀\u{1b}[0m")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar() -> SignedBar {
        SignedBar { label: "t".into(), hi: 10.0, threshold: 3.0, above: true, below: true }
    }

    /// Four by four pixels: above 0 in the upper left corner, below 0 in the lower right one, nothing in the upper
    /// right one.
    fn sheet() -> Sheet {
        let values: Vec<f64> = (0..16)
            .map(|k| match (k % 4 < 2, k / 4 < 2) {
                (true, true) => 5.0,
                (false, false) => -5.0,
                _ => f64::NAN,
            })
            .collect();
        let pixels = values
            .iter()
            .enumerate()
            .map(|(k, v)| match bar().colour(*v) {
                Some([r, g, b]) => [r, g, b, 255],
                None if k / 4 < 2 => [0; 4],
                None => [200, 200, 200, 255],
            })
            .collect();
        let pane = Pane {
            caption: "z = 0".into(),
            data: vec![("data-at", "0".into())],
            pixel: 20.0,
            picture: Picture { n_columns: 4, pixels },
            smooth: false,
            values,
            lines: vec![Line {
                class: "region",
                name: "FFA".into(),
                colour: style::INK,
                width: 0.3,
                path: Path::Loops(vec![vec![[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]]),
            }],
            ends: ["L".into(), "R".into()],
        };
        Sheet {
            title: "t".into(),
            description: "A map.".into(),
            rows: vec![vec![pane.clone(), pane]],
            bar: Some(bar()),
            legend: Vec::new(),
            notes: vec!["Left is left.".into()],
            width: 100.0,
        }
    }

    #[test]
    fn colours_start_at_the_threshold_and_end_at_the_largest_value() {
        assert_eq!(bar().colour(3.0), None);
        assert_eq!(bar().colour(3.0f64.next_up()), Some(style::signed(0.0, false)));
        assert_eq!(bar().colour(-10.0), Some(style::signed(1.0, true)));
        assert_eq!(bar().colour(99.0), bar().colour(10.0));
        assert_eq!(bar().colour(f64::NAN), None);
        assert_eq!(SignedBar { below: false, ..bar() }.colour(-9.0), None);
        let labels: Vec<String> = bar().ticks(40.0).into_iter().map(|tick| tick.1).collect();
        assert_eq!(labels, ["3", "−3", "10", "−10", "−5", "0", "5"]);
        // A label that would meet that of the threshold is left out.
        let labels: Vec<String> = bar().ticks(20.0).into_iter().map(|tick| tick.1).collect();
        assert_eq!(labels, ["3", "−3", "10", "−10"]);
    }

    #[test]
    fn lines_lie_over_the_pixels_that_they_enclose() {
        let svg = draw_sheet(&sheet()).svg;
        assert_eq!(svg.matches("<image").count(), 2);
        let number = |tag: &str, key: &str| -> f64 {
            tag.split_once(&format!(" {key}=\"")).unwrap().1.split('"').next().unwrap().parse().unwrap()
        };
        let image = svg.split("<image").nth(1).unwrap();
        let (x, y, width) = (number(image, "x"), number(image, "y"), number(image, "width"));
        let d = svg.split_once("class=\"region\"").unwrap().1.split_once(" d=\"").unwrap().1.split('"').next().unwrap();
        let half = width / 2.0;
        let r = |v: f64| format!("{}", (v * 100.0).round() / 100.0);
        let [left, right, top, bottom] = [r(x), r(x + half), r(y), r(y + half)];
        assert_eq!(d, format!("M{left} {top}L{right} {top}L{right} {bottom}L{left} {bottom}z"));
        assert!(svg.contains("data-threshold=\"3\"") && svg.contains(">Left is left.<"));
    }

    #[test]
    fn characters_show_both_signs_and_what_is_there() {
        let mut one = sheet();
        one.rows[0].truncate(1);
        let text = sheet_text(&one, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "t");
        assert!(lines[2].starts_with('L') && lines[2].ends_with('R') && lines[2].contains("z = 0"), "{text}");
        assert_eq!(lines[3], "█".repeat(40));
        assert_eq!(lines[3 + 39], format!("{}{}", "·".repeat(40), "▒".repeat(40)));
        assert!(text.contains("t: █ 3 to 10, ▒ −3 to −10"), "{text}");
        let colour = sheet_text(&one, true);
        let [r, g, b] = bar().colour(5.0).unwrap();
        assert!(colour.contains(&format!("\u{1b}[38;2;{r};{g};{b};48;2;{r};{g};{b}m▀")));
    }

    #[test]
    fn captions_of_narrow_panes_do_not_meet() {
        let pane = |k: usize| Pane { caption: format!("z = −{k}.5 mm"), ..sheet().rows[0][0].clone() };
        for width in [45.0, 60.0, 85.0, 120.0, 180.0] {
            let sheet = Sheet { width, bar: Some(bar()), rows: vec![(10..17).map(pane).collect()], ..sheet() };
            let svg = draw_sheet(&sheet).svg;
            let number = |tag: &str, key: &str| -> f64 {
                tag.split_once(&format!(" {key}=\"")).unwrap().1.split('"').next().unwrap().parse().unwrap()
            };
            let mut captions: Vec<[f64; 3]> = Vec::new();
            for tag in svg.split("<text").filter(|tag| tag.contains(">z = ")) {
                let text = tag.split_once('>').unwrap().1.split('<').next().unwrap();
                let size = if tag.contains("font-size") { number(tag, "font-size") } else { style::TEXT };
                let half = text_width(text, size) / 2.0;
                captions.push([number(tag, "y"), number(tag, "x") - half, number(tag, "x") + half]);
            }
            assert_eq!(captions.len(), 7, "{width}: {svg}");
            for two in captions.windows(2) {
                assert!(two[0][0] < two[1][0] || two[0][2] < two[1][1], "{width}: {captions:?}");
            }
            assert!(captions.iter().all(|c| c[1] > 0.0 && c[2] < width), "{width}: {captions:?}");
            assert_eq!(width > 170.0, svg.contains("z = −10.5 mm<"), "{width}");
        }
    }
}
