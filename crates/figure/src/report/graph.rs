//! What came from what, drawn: a box for each step, in columns by depth.

use maud::{Markup, html};

use super::history::{History, Step};

/// Sizes in pixels.
const BOX: [f64; 2] = [168.0, 36.0];
const APART: [f64; 2] = [46.0, 14.0];
const MARGIN: f64 = 8.0;
/// Letters that a box has room for.
const LETTERS: usize = 26;

/// An SVG whose boxes lead to the commands of their steps.
pub(super) fn graph(history: &History) -> Markup {
    let places = places(history);
    let (width, height) = places.iter().fold((0.0_f64, 0.0_f64), |(w, h), [x, y]| (w.max(*x), h.max(*y)));
    let (width, height) = (width + BOX[0] + MARGIN, height + BOX[1] + MARGIN);
    let arrow = |from: usize, to: usize| {
        let ([x1, y1], [x2, y2]) = (places[from], places[to]);
        let (x1, y1, y2) = (x1 + BOX[0], y1 + BOX[1] / 2.0, y2 + BOX[1] / 2.0);
        let bend = (x2 - x1).abs().max(APART[0]) / 2.0;
        format!("M{x1} {y1} C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend)
    };
    html! {
        svg.graph role="img" aria-labelledby="graph-title" xmlns="http://www.w3.org/2000/svg"
            width=(width) height=(height) viewBox=(format!("0 0 {width} {height}")) {
            title id="graph-title" { (format!("What came from what: {} steps", history.steps.len())) }
            @for &(from, to) in &history.arrows {
                path.arrow d=(arrow(from, to)) data-from=(from) data-to=(to) {}
            }
            @for (k, (step, [x, y])) in history.steps.iter().zip(&places).enumerate() {
                a href=(format!("#step-{k}")) {
                    rect.given[step.command.is_empty()].step[!step.command.is_empty()]
                        x=(x) y=(y) width=(BOX[0]) height=(BOX[1]) rx="4" {}
                    text x=(x + 8.0) y=(y + 15.0) { (shortened(&heading(step))) }
                    text.files x=(x + 8.0) y=(y + 29.0) { (shortened(&files(step))) }
                }
            }
        }
    }
}

/// Columns by depth; within a column the order in which steps first stand.
fn places(history: &History) -> Vec<[f64; 2]> {
    let mut filled: Vec<usize> = Vec::new();
    let mut columns: Vec<usize> = history.steps.iter().map(|step| step.depth).collect();
    columns.sort_unstable();
    columns.dedup();
    history
        .steps
        .iter()
        .map(|step| {
            let column = columns.binary_search(&step.depth).unwrap_or(0);
            if filled.len() <= column {
                filled.resize(column + 1, 0);
            }
            let row = filled[column];
            filled[column] += 1;
            [MARGIN + column as f64 * (BOX[0] + APART[0]), MARGIN + row as f64 * (BOX[1] + APART[1])]
        })
        .collect()
}

pub(super) fn heading(step: &Step) -> String {
    if step.command.is_empty() { "given".into() } else { step.command.clone() }
}

/// `acts.npy and 3 more`, or the folder where there are several.
pub(super) fn files(step: &Step) -> String {
    let last = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    match &step.files[..] {
        [] => String::new(),
        [one] => last(one),
        [first, rest @ ..] => format!("{} + {}", last(first), rest.len()),
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    let tail: Vec<char> = text.chars().collect();
    let half = (LETTERS - 1) / 2;
    let (head, end): (String, String) = (tail[..half].iter().collect(), tail[tail.len() - half..].iter().collect());
    format!("{head}…{end}")
}
