//! Pieces that several figures are made of.

use anyhow::{Result, bail};
use drawing::style::{self, Colour, category};
use drawing::{Axis, Chart, Group, Key, LegendItem, Mark, Panel, Scale, Shape, Stroke, linear_over};
use statistics::BoxPlot;

/// What boxes are, for the notes of a figure.
pub(crate) const BOXES: &str =
    "Boxes: quartiles and median; whiskers: the most extreme values within 1.5 times the box.";

/// The place of part `k` of `n` around the middle of a category, all of them `width` wide.
pub(crate) fn beside(k: usize, n: usize, width: f64) -> f64 {
    (k as f64 - (n as f64 - 1.0) / 2.0) * width / n.max(1) as f64
}

/// A line at zero, behind the data.
pub(crate) fn zero() -> Mark {
    Mark::Level { at: 0.0, stroke: Stroke { colour: style::GREY, width: style::THIN, dash: 1 }, name: String::new() }
}

/// A box of these values, which are all numbers.
pub(crate) fn box_of(values: &[f64], at: f64, width: f64, colour: Colour, name: &str) -> Mark {
    let BoxPlot { q1, median, q3, whisker_lo, whisker_hi } = BoxPlot::of(values);
    let five = [whisker_lo, q1, median, q3, whisker_hi];
    Mark::Box { at, width, five, mean: None, colour, name: name.into(), n: values.len() }
}

/// A point without a label.
pub(crate) fn point(at: [f64; 2], colour: Colour, shape: Shape, name: &str) -> Mark {
    Mark::Point { at, colour, shape, size: style::POINT, name: name.into(), label: String::new() }
}

/// A point with a label.
pub(crate) fn labelled(at: [f64; 2], kind: usize, name: &str, label: String) -> Mark {
    let (colour, shape) = (category(kind), Shape::of(kind));
    Mark::Point { at, colour, shape, size: style::POINT * 1.1, name: name.into(), label }
}

/// Entries of a legend: areas, one colour each.
pub(crate) fn areas(names: impl IntoIterator<Item = String>) -> Vec<LegendItem> {
    let items = names.into_iter().enumerate();
    items.map(|(k, text)| LegendItem { key: Key::Area(category(k)), text }).collect()
}

/// The same with points of the shapes of series.
pub(crate) fn points(names: impl IntoIterator<Item = String>) -> Vec<LegendItem> {
    let items = names.into_iter().enumerate();
    items.map(|(k, text)| LegendItem { key: Key::Point(category(k), Shape::of(k)), text }).collect()
}

/// The same with curves.
pub(crate) fn curves(names: impl IntoIterator<Item = String>) -> Vec<LegendItem> {
    let items = names.into_iter().enumerate();
    items.map(|(k, text)| LegendItem { key: Key::Curve(Stroke::of(k), Shape::of(k)), text }).collect()
}

/// How many categories have a colour of their own, and a colour and a shape.
const COLOURS: usize = style::CATEGORIES.len();
const WITH_SHAPES: usize = 5 * COLOURS;

/// Says in the figure that colours recur, where there are more categories than colours: `otherwise` shapes (or the
/// names on an axis) tell them apart. Without that, and where shapes recur as well, it is refused.
pub(crate) fn tell_apart(chart: &mut Chart, n: usize, otherwise: bool) -> Result<()> {
    if n <= COLOURS {
        return Ok(());
    }
    if !otherwise {
        bail!("{n} colours are needed, and {COLOURS} are told apart; make panels (--facet), or give fewer rows");
    }
    if n > WITH_SHAPES {
        bail!("{n} categories; {WITH_SHAPES} are told apart by colour and shape: give --by a column with fewer");
    }
    chart.notes.push(format!("{n} categories have {COLOURS} colours: see the shapes, too."));
    Ok(())
}

/// Gives all panels one y axis that holds these values; only the first of each row says what it is.
pub(crate) fn share_y(panels: &mut [Panel], label: &str, seen: &[f64], columns: usize) {
    let scale = linear_over(seen.iter().copied());
    for (k, panel) in panels.iter_mut().enumerate() {
        panel.y = Axis::new(if k % columns.max(1) == 0 { label } else { "" }, scale.clone());
    }
}

/// A scale that holds these values and a little room.
pub(crate) fn with_room(values: impl IntoIterator<Item = f64>) -> Scale {
    let all: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
    let (lo, hi) = all.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)));
    if lo > hi {
        return Scale::default();
    }
    let room = if hi > lo { 0.06 * (hi - lo) } else { 0.5 };
    Scale::Linear { lo: lo - room, hi: hi + room }
}

/// Items in the order of their categories, and the runs of these; items of one category stay in their order.
pub(crate) fn by_category(of: &[usize], names: &[String]) -> (Vec<usize>, Vec<Group>) {
    let mut order: Vec<usize> = (0..of.len()).collect();
    order.sort_by_key(|&item| of[item]);
    let mut groups: Vec<Group> = Vec::new();
    for (place, &item) in order.iter().enumerate() {
        let is_next = place == 0 || of[item] != of[order[place - 1]];
        match groups.last_mut().filter(|_| !is_next) {
            Some(group) => group.n += 1,
            None => groups.push(Group { name: names[of[item]].clone(), first: place, n: 1 }),
        }
    }
    (order, groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_grouped_and_keep_their_order() {
        let names = ["a".to_string(), "b".to_string(), "c".to_string()];
        let (order, groups) = by_category(&[2, 0, 2, 0], &names);
        assert_eq!(order, [1, 3, 0, 2]);
        let found: Vec<_> = groups.iter().map(|g| (g.name.as_str(), g.first, g.n)).collect();
        assert_eq!(found, [("a", 0, 2), ("c", 2, 2)]);
    }

    #[test]
    fn parts_of_a_category_stand_around_its_middle() {
        assert_eq!((beside(0, 1, 0.8), beside(0, 2, 0.8), beside(1, 2, 0.8)), (0.0, -0.2, 0.2));
    }
}
