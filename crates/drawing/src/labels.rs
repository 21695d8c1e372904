//! Text that has to fit: lines of a width, names that are cut, labels of points that do not meet.

use std::collections::HashMap;

use crate::chart::Thumbnail;
use crate::font::text_width;
use crate::marks::draw_picture;
use crate::style::{self, Colour};
use crate::svg::{Svg, Text};

/// The words of a text on lines of this width; a word that is longer has a line of its own.
pub(crate) fn wrap(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(line, size) + text_width(" ", size) + text_width(word, size) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

/// A name cut in its middle so that it has this width.
pub(crate) fn shorten(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.into();
    }
    let letters: Vec<char> = text.chars().collect();
    let with = |kept: usize| -> String {
        let head = kept.div_ceil(2);
        let tail = letters.len() - (kept - head);
        letters[..head].iter().chain(['…'].iter()).chain(&letters[tail..]).collect()
    };
    let kept = (1..letters.len()).rev().find(|&kept| text_width(&with(kept), size) <= width).unwrap_or(1);
    with(kept)
}

/// Names of which name `k` has a width of `room(k)`, each cut as [`shorten`] does; where that makes two the same,
/// what they have in common is cut instead, and what tells them apart is kept.
pub(crate) fn shorten_all(names: &[String], size: f64, room: impl Fn(usize) -> f64) -> Vec<String> {
    let mut short: Vec<String> = (0..).zip(names).map(|(k, name)| shorten(name, size, room(k))).collect();
    let mut alike: HashMap<String, Vec<usize>> = HashMap::new();
    // In one width for all: the first name under an axis has less room than the others.
    let least = (0..names.len()).map(&room).fold(f64::INFINITY, f64::min);
    (0..).zip(names).for_each(|(k, name)| alike.entry(shorten(name, size, least)).or_default().push(k));
    for of in alike.into_values().filter(|of| of.iter().any(|&k| names[k] != names[of[0]])) {
        let letters: Vec<Vec<char>> = of.iter().map(|&k| names[k].chars().collect()).collect();
        let shortest = letters.iter().map(Vec::len).min().unwrap_or(0);
        let same = |at: &dyn Fn(&[char]) -> char| letters.iter().all(|other| at(other) == at(&letters[0]));
        let head = (0..shortest).take_while(|&k| same(&|name| name[k])).count();
        let tail = (0..shortest - head).take_while(|&k| same(&|name| name[name.len() - 1 - k])).count();
        for (&k, letters) in of.iter().zip(&letters) {
            if short[k] == names[k] {
                continue;
            }
            let told: String = letters[head..letters.len() - tail].iter().collect();
            let marks = |told: &str| {
                let [before, behind] = [head, tail].map(|cut| if cut > 0 { "…" } else { "" });
                format!("{before}{told}{behind}")
            };
            let left = room(k) - text_width(&marks(""), size);
            // As much of what stands before it as there is room for: `block-02` says more than `02`.
            let with = |kept: usize| letters[head - kept..letters.len() - tail].iter().collect::<String>();
            let kept = (0..head).rev().find(|&kept| text_width(&with(kept), size) <= left);
            short[k] = marks(&kept.map_or_else(|| shorten(&told, size, left), with));
        }
    }
    short
}

/// A rectangle in mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    from: [f64; 2],
    to: [f64; 2],
}

impl Rect {
    pub(crate) fn new([x, y]: [f64; 2], [width, height]: [f64; 2]) -> Rect {
        Rect { from: [x, y], to: [x + width, y + height] }
    }

    fn meets(&self, other: &Rect) -> bool {
        (0..2).all(|d| self.from[d] < other.to[d] && other.from[d] < self.to[d])
    }

    fn holds(&self, other: &Rect) -> bool {
        (0..2).all(|d| self.from[d] <= other.from[d] && other.to[d] <= self.to[d])
    }
}

/// The labels of a panel, which are placed when all points are known.
pub(crate) struct Labels {
    bounds: Rect,
    taken: Vec<Rect>,
    wanted: Vec<([f64; 2], f64, String)>,
    pictures: Vec<Beside>,
}

/// A picture that stands beside a point.
struct Beside {
    at: [f64; 2],
    picture: Thumbnail,
    longest: f64,
    frame: Option<Colour>,
    name: String,
}

/// What had no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LeftOut {
    pub(crate) labels: usize,
    pub(crate) pictures: usize,
}

impl Labels {
    pub(crate) fn new(bounds: Rect) -> Labels {
        Labels { bounds, taken: Vec::new(), wanted: Vec::new(), pictures: Vec::new() }
    }

    /// A point of this radius, with a label or without.
    pub(crate) fn point(&mut self, at: [f64; 2], radius: f64, label: &str) {
        let around = radius + 0.25;
        self.taken.push(Rect::new([at[0] - around, at[1] - around], [2.0 * around; 2]));
        if !label.is_empty() {
            self.wanted.push((at, radius, label.into()));
        }
    }

    /// A picture beside a point that has been drawn.
    pub(crate) fn picture(
        &mut self,
        at: [f64; 2],
        picture: Thumbnail,
        longest: f64,
        frame: Option<Colour>,
        name: &str,
    ) {
        self.pictures.push(Beside { at, picture, longest, frame, name: name.into() });
    }

    /// Draws the labels and pictures that have room beside their points, and gives the number of the others.
    pub(crate) fn draw(self, svg: &mut Svg) -> LeftOut {
        let Labels { bounds, mut taken, wanted, pictures } = self;
        let mut left_out = LeftOut::default();
        // Pictures first, which are larger: free of points where that can be, else of each other.
        let mut placed: Vec<Rect> = Vec::new();
        for beside in &pictures {
            let size = beside.picture.fit(beside.longest);
            let mut places = (1..=7).flat_map(|ring| around(beside.at, size, 1.2 + 2.2 * f64::from(ring - 1)));
            let free = |rect: &Rect, of: &[Rect]| bounds.holds(rect) && !of.iter().any(|other| rect.meets(other));
            let found =
                places.clone().find(|rect| free(rect, &taken)).or_else(|| places.find(|rect| free(rect, &placed)));
            let Some(rect) = found else {
                left_out.pictures += 1;
                continue;
            };
            let near: [f64; 2] = std::array::from_fn(|d| beside.at[d].clamp(rect.from[d], rect.to[d]));
            svg.line(beside.at, near, style::GREY, style::THIN);
            let middle = std::array::from_fn(|d| (rect.from[d] + rect.to[d]) / 2.0);
            draw_picture(svg, &beside.picture, middle, beside.longest, beside.frame, &beside.name);
            let room = 0.4;
            let rect = Rect::new([rect.from[0] - room, rect.from[1] - room], size.map(|v| v + 2.0 * room));
            taken.push(rect);
            placed.push(rect);
        }
        let size = if wanted.len() > 25 { style::TEXT * 0.8 } else { style::TEXT };
        for ([x, y], radius, label) in wanted {
            let (w, h) = (text_width(&label, size), size);
            let d = radius + 0.5;
            // Beside, above, below, then at the corners.
            let corners = [
                [x + d, y - h / 2.0],
                [x - d - w, y - h / 2.0],
                [x - w / 2.0, y - d - h],
                [x - w / 2.0, y + d],
                [x + d * 0.7, y - d * 0.7 - h],
                [x + d * 0.7, y + d * 0.7],
                [x - d * 0.7 - w, y - d * 0.7 - h],
                [x - d * 0.7 - w, y + d * 0.7],
            ];
            let rects = corners.map(|corner| Rect::new(corner, [w, h]));
            match rects.into_iter().find(|rect| bounds.holds(rect) && !taken.iter().any(|other| rect.meets(other))) {
                Some(rect) => {
                    svg.text([rect.from[0], rect.to[1] - 0.2 * size], Text { size, ..Text::new("start") }, &label);
                    taken.push(rect);
                }
                None => left_out.labels += 1,
            }
        }
        left_out
    }
}

/// Places of a rectangle at a distance from a point: to its sides, above and below, at its corners.
fn around([x, y]: [f64; 2], [w, h]: [f64; 2], d: f64) -> impl Iterator<Item = Rect> + Clone {
    const DIRECTIONS: [[f64; 2]; 8] =
        [[1.0, 0.0], [-1.0, 0.0], [0.0, -1.0], [0.0, 1.0], [0.7, -0.7], [0.7, 0.7], [-0.7, -0.7], [-0.7, 0.7]];
    DIRECTIONS.into_iter().map(move |[u, v]| {
        // Its nearest side or corner is this far away.
        let along =
            |middle: f64, side: f64, step: f64| middle + step * d + side * step.signum() * f64::from(step != 0.0) / 2.0;
        Rect::new([along(x, w, u) - w / 2.0, along(y, h, v) - h / 2.0], [w, h])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_blanks_and_names_are_cut_in_the_middle() {
        assert_eq!(wrap("one two  three", 2.0, text_width("one two", 2.0)), ["one two", "three"]);
        assert!(wrap(" ", 2.0, 10.0).is_empty());
        let cut = shorten("efficientnet_lite0_block_13", 2.0, 20.0);
        assert!(cut.starts_with("eff") && cut.ends_with("13") && cut.contains('…'), "{cut}");
        assert!(text_width(&cut, 2.0) <= 20.0);
        assert_eq!(shorten("V1", 2.0, 20.0), "V1");
        // What would be the same when it is cut in its middle is told apart, in its room; others stay as they are.
        let name = |k: usize| format!("efficientnet-lite0-block-{k:02}-of-the-second-run");
        let names: Vec<String> = (0..12).map(name).chain(["V1".into(), name(3)]).collect();
        let short = shorten_all(&names, 2.0, |_| 22.0);
        assert!(short.iter().all(|text| text_width(text, 2.0) <= 22.0), "{short:?}");
        assert!(short[7].contains("block-07") && short[11].contains("11") && short[12] == "V1", "{short:?}");
        let distinct: std::collections::HashSet<&String> = short.iter().collect();
        assert_eq!((distinct.len(), &short[13]), (13, &short[3]));
    }

    #[test]
    fn labels_never_meet() {
        let mut labels = Labels::new(Rect::new([0.0, 0.0], [30.0, 30.0]));
        (0..60).for_each(|_| labels.point([15.0, 15.0], 0.8, "name"));
        let mut svg = Svg::new(30.0, 30.0, "", "");
        assert_eq!(labels.draw(&mut svg).labels, 60 - svg.finish().matches("<text").count());
    }
}
