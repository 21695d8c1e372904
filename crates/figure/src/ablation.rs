//! `figure ablation`: are the chosen units necessary, and are they sufficient.

use crate::look::{EmptyArgs, LabelArgs, Look, Session};
use crate::parts::{BOXES, areas, beside, box_of, curves, point, share_y, zero};
use crate::rows::{Part, Rows};
use anyhow::{Result, bail};
use cli::Input;
use drawing::style::{self, category};
use drawing::{Axis, Chart, Key, LegendItem, Mark, Panel, Scale, Shape, Stroke, value};

/// Encoding models with all units, without the chosen, and with them alone, beside random others
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: tables of `encode ablate`, one file per model. One panel per array of responses (region).
With --by region a point per model, its mean (--statistic) over voxels, joined by lines; bars are the
central 95 % of the draws of other units. Without it boxes over voxels.
  all, without, only             all units; all but the chosen; the chosen alone
  without others, only others    as many units that were not chosen, drawn at random
--ceiling draws the mean r_max of a table of `ceiling voxel` about the region, where scores are r.

Examples:
  figure ablation ablate.csv -o ablation.svg
  figure ablation --ceiling voxels.csv ablate_voxels.csv -o voxels.png
  encode ablate --x acts.npy --y ffa.npy --units face_units.csv | figure ablation")]
pub(crate) struct AblationArgs {
    /// Tables of `encode ablate`, one per model; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    inputs: Vec<Input>,
    /// Of tables by region, the statistic over voxels: mean or median
    #[arg(long, value_name = "NAME", default_value = "mean")]
    statistic: String,
    /// Table of `ceiling voxel` about the voxels of the one region
    #[arg(long, value_name = "TABLE")]
    ceiling: Option<Input>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    empty: EmptyArgs,
    #[command(flatten)]
    look: Look,
}

const MODELS: [(&str, &str); 5] = [
    ("all", "all"),
    ("without", "without"),
    ("only", "only"),
    ("without_random", "without others"),
    ("only_random", "only others"),
];

pub(crate) fn run(args: &AblationArgs) -> Result<()> {
    let session = args.look.start()?;
    let chart = drawn(args, &session);
    session.finish_or_empty(args.empty, chart)
}

fn drawn(args: &AblationArgs, session: &Session) -> Result<Chart> {
    let labels = args.labels.read(session)?;
    let mut needed = vec!["array", "score"];
    needed.extend(MODELS.map(|(column, _)| column));
    let mut tables = Vec::new();
    for input in &args.inputs {
        tables.push((input.array_name(0), Rows::read(session, input, "encode ablate", &needed)?));
    }
    let by_region = tables[0].1.has("statistic");
    if let Some((_, other)) = tables.iter().find(|(_, table)| table.has("statistic") != by_region) {
        bail!(
            "{}: one of {} and this table is by region and the other by voxel; make both in one way",
            other.source(),
            tables[0].1.source()
        );
    }
    for (_, table) in &tables {
        let told = ["array", if by_region { "statistic" } else { "voxel" }];
        table.refuse_twice(&told, &table.all())?;
    }
    let score = tables[0].1.cells("score")?[0].clone();
    for (_, table) in &tables {
        if let Some(other) = table.cells("score")?.iter().find(|other| **other != score) {
            bail!("{}: its score is {other}, that of the first row {score}; draw one of them", table.source());
        }
    }

    let mut arrays: Vec<String> = Vec::new();
    for (_, table) in &tables {
        for Part { name, .. } in table.by("array", &table.all())? {
            if !arrays.contains(&name) {
                arrays.push(name);
            }
        }
    }
    let mut chart = Chart::new("", "");
    let (mut seen, mut spoken) = (vec![0.0], Vec::new());
    for array in &arrays {
        let mut marks = vec![zero()];
        for (k, (model, table)) in tables.iter().enumerate() {
            let cells = table.cells("array")?;
            let mut rows: Vec<usize> = (0..table.n()).filter(|&row| cells[row] == *array).collect();
            if by_region {
                let statistic = table.cells("statistic")?;
                rows.retain(|&row| statistic[row] == args.statistic);
                if rows.is_empty() && (0..table.n()).all(|row| statistic[row] != args.statistic) {
                    bail!(
                        "{}: no row has the statistic {:?}; mean and median are there",
                        table.source(),
                        args.statistic
                    );
                }
            }
            if rows.is_empty() {
                continue;
            }
            let shift = beside(k, tables.len(), if by_region { 0.4 } else { 0.8 });
            let mut joined = Vec::new();
            for (place, (column, _)) in MODELS.iter().enumerate() {
                let numbers = table.numbers(column)?;
                let (values, without): (Vec<usize>, Vec<usize>) =
                    rows.iter().partition(|&&row| numbers[row].is_finite());
                table.say_left_out(session, column, &without);
                let values: Vec<f64> = values.iter().map(|&row| numbers[row]).collect();
                let (at, name) = (place as f64 + shift, format!("{model}, {column}"));
                if values.is_empty() {
                    continue;
                }
                spoken.push(format!("{array}, {name}: {}", value(statistics::median(&values))));
                if !by_region {
                    let BoxEnds { lo, hi, mark } = boxed(&values, at, 0.6 / tables.len() as f64, k, &name);
                    seen.extend([lo, hi]);
                    marks.push(mark);
                    continue;
                }
                let v = values[0];
                seen.push(v);
                joined.push([at, v]);
                if column.ends_with("_random") {
                    let end = |suffix: &str| table.numbers(&format!("{column}{suffix}")).map(|all| all[rows[0]]);
                    let (lo, hi) = (end("_lo")?, end("_hi")?);
                    if lo.is_finite() && hi.is_finite() {
                        seen.extend([lo, hi]);
                        marks.push(Mark::Range { at, lo, hi, colour: category(k), name: name.clone() });
                    }
                }
                marks.push(point([at, v], category(k), Shape::of(k), &name));
            }
            if by_region {
                // The chosen units: all, without, only. Others are beside them, not joined.
                let of_chosen = |p: &&[f64; 2]| p[0] - shift < 2.5;
                let points = joined.iter().filter(of_chosen).copied().collect();
                marks.insert(1, Mark::Curve { points, stroke: Stroke::of(k), name: model.clone() });
            }
        }
        let x = Axis::new("units in the model", Scale::Names(MODELS.map(|(_, name)| name.into()).into()));
        chart.panels.push(Panel { title: labels.of(array), x, y: Axis::default(), marks });
    }
    if spoken.is_empty() {
        return Err(tables[0].1.nothing("no row has a score").into());
    }
    if let Some(input) = &args.ceiling {
        if arrays.len() != 1 || score != "r" {
            bail!(
                "{input}: --ceiling is of one region and scores in r; these tables have {} arrays and the score {score}",
                arrays.len()
            );
        }
        let ceilings = Rows::read(session, input, "ceiling voxel", &["r_max"])?;
        let r_max = ceilings.numbers("r_max")?;
        let finite: Vec<f64> = r_max.iter().copied().filter(|v| v.is_finite()).collect();
        let without: Vec<usize> = (0..r_max.len()).filter(|&row| r_max[row].is_nan()).collect();
        ceilings.say_left_out(session, "r_max", &without);
        if finite.is_empty() {
            bail!("{input}: no voxel has an r_max");
        }
        let at = statistics::mean(&finite);
        seen.push(at);
        let stroke = Stroke { colour: style::INK, width: style::LINE, dash: 1 };
        chart.panels[0].marks.push(Mark::Level { at, stroke, name: "noise ceiling, mean r_max of voxels".into() });
        let text = "noise ceiling (mean r_max of voxels)".into();
        chart.legend.push(LegendItem { key: Key::Line(stroke), text });
        spoken.push(format!("ceiling {}", value(at)));
    }
    let label =
        if by_region { format!("{score} ({} over voxels)", args.statistic) } else { format!("{score} of voxels") };
    share_y(&mut chart.panels, &label, &seen, chart.columns);
    if tables.len() > 1 {
        let names = tables.iter().map(|(name, _)| labels.of(name));
        chart.legend.extend(if by_region { curves(names) } else { areas(names) });
    }
    chart.notes.push(match by_region {
        true => "Others: as many units that were not chosen; mean over draws, and the central 95 % of them.".into(),
        false => format!("{BOXES} Others: mean over draws of as many units that were not chosen."),
    });
    chart.aspect = if chart.panels.len() > 1 { 0.9 } else { 0.62 };
    chart.description = format!("Encoding models with and without the chosen units. {}.", spoken.join("; "));
    Ok(chart)
}

struct BoxEnds {
    lo: f64,
    hi: f64,
    mark: Mark,
}

fn boxed(values: &[f64], at: f64, width: f64, k: usize, name: &str) -> BoxEnds {
    let mark = box_of(values, at, width, category(k), name);
    let Mark::Box { five: [lo, .., hi], .. } = mark else { return BoxEnds { lo: 0.0, hi: 0.0, mark } };
    BoxEnds { lo, hi, mark }
}
