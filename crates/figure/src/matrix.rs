//! `figure matrix`: every pair of systems.

use crate::look::{EmptyArgs, LabelArgs, Look, Session};
use crate::rows::{Rows, parts};
use crate::scores::{score_column, score_label};
use anyhow::{Result, bail};
use cli::Input;
use drawing::{Axis, Chart, ColourBar, Group, Mark, Panel, Scale, value};
use std::collections::HashMap;

/// All pairs of systems (models and people): a grid of scores
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: the table of `rsa compare --all-pairs`, one row per pair of systems; each number stands in both
halves of the grid. The diagonal is empty, since no system is compared with itself; pairs without a
score are grey. A white line parts models and brains.

Examples:
  figure matrix pairs.csv -o matrix.svg
  figure matrix pairs.csv --label-from names.csv -o matrix.png
  rsa compare ann.npy --brain r1.npy r2.npy --all-pairs | figure matrix --terminal")]
pub(crate) struct MatrixArgs {
    /// Table of `rsa compare --all-pairs`; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    input: Input,
    /// Column of the score [default: that of the comparison: r, rho, tau, ..]
    #[arg(long, value_name = "COLUMN")]
    value: Option<String>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    empty: EmptyArgs,
    #[command(flatten)]
    look: Look,
}

pub(crate) fn run(args: &MatrixArgs) -> Result<()> {
    let session = args.look.start()?;
    let chart = drawn(args, &session);
    session.finish_or_empty(args.empty, chart)
}

fn drawn(args: &MatrixArgs, session: &Session) -> Result<Chart> {
    let labels = args.labels.read(session)?;
    let needed = ["a", "block_a", "b", "block_b"];
    let table = Rows::read(session, &args.input, "rsa compare --all-pairs", &needed)?;
    let column = score_column(&table, args.value.as_deref())?;
    let score = table.numbers(column)?;
    let [a, block_a, b, block_b] = needed.map(|name| table.cells(name));
    let (a, block_a, b, block_b) = (a?, block_a?, b?, block_b?);

    // Two systems may have one name, of which one is a model and one a brain.
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    let mut systems: Vec<(&str, &str)> = Vec::new();
    for k in 0..table.n() {
        for system in [(block_a[k].as_str(), a[k].as_str()), (block_b[k].as_str(), b[k].as_str())] {
            places.entry(system).or_insert_with(|| {
                systems.push(system);
                systems.len() - 1
            });
        }
    }
    // Blocks are runs: the first name of a brain may come before the last model's.
    let mut order: Vec<usize> = Vec::new();
    let mut groups: Vec<Group> = Vec::new();
    for block in parts(&(0..systems.len()).collect::<Vec<_>>(), |k| systems[k].0.to_string()) {
        groups.push(Group { name: block.name, first: order.len(), n: block.rows.len() });
        order.extend(block.rows);
    }
    let n = systems.len();
    let mut place_of = vec![0; n];
    order.iter().enumerate().for_each(|(place, &system)| place_of[system] = place);
    let mut values = vec![f64::NAN; n * n];
    for row in 0..table.n() {
        let of = |block: &str, name: &str| places.get(&(block, name)).map_or(0, |&system| place_of[system]);
        let (i, j) = (of(&block_a[row], &a[row]), of(&block_b[row], &b[row]));
        if !values[i * n + j].is_nan() {
            bail!(
                "{}: the pair {:?} and {:?} stands there twice; give the rows of one comparison",
                table.source(),
                a[row],
                b[row]
            );
        }
        (values[i * n + j], values[j * n + i]) = (score[row], score[row]);
    }
    let without: Vec<usize> = (0..table.n()).filter(|&row| score[row].is_nan()).collect();
    table.say_left_out(session, column, &without);
    let (lo, hi) = score
        .iter()
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)));
    if lo > hi {
        return Err(table.nothing(format!("no pair has a number in column {column:?}")).into());
    }
    // One number has no range of colours: it stands in the middle of one.
    let (lo, hi) = if lo == hi { (lo - 0.5, hi + 0.5) } else { (lo, hi) };
    let mut chart = Chart::new("", "");
    let names: Vec<String> = order.iter().map(|&system| labels.of(systems[system].1)).collect();
    let label = if n > 60 { format!("{n} systems") } else { String::new() };
    let axis = Axis { groups, ..Axis::new(label, Scale::Names(names)) };
    let axis = if n > 12 { Axis { groups: Vec::new(), ..axis } } else { axis };
    let marks = vec![Mark::Cells { values, n_columns: n, lo, hi, written: true }];
    chart.panels.push(Panel { title: String::new(), x: axis.clone(), y: axis, marks });
    let label = score_label(&table, column);
    chart.description = format!("{label} of all pairs of {n} systems, from {} to {}.", value(lo), value(hi));
    chart.colour_bar = Some(ColourBar { label, lo, hi });
    Ok(chart)
}
