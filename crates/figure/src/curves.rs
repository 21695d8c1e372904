//! `figure layers` and `figure thresholds`: measures of selected units by depth and by threshold.

use crate::look::{EmptyArgs, LabelArgs, Look, Session};
use crate::parts::{beside, curves, with_room};
use crate::rows::{Part, Rows, parts};
use anyhow::{Result, bail};
use cli::Input;
use drawing::style::{self, category};
use drawing::{Axis, Chart, Key, LegendItem, Mark, Panel, Scale, Shape, Stroke, linear_over, value};

/// Selected units by depth of the network: how many, and how strong
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: the table of `unit-stats layers`; layers stand in the order of the table. One panel per measure of
--value (and per value of --facet), one curve per contrast and model. Models of --untrained are one
grey band from the lowest to the highest of them, per contrast. Layers that `unit-stats layers
--choose` chose (column chosen) have a ring.

Examples:
  figure layers layers.csv -o layers.svg
  figure layers --value proportion,specificity --facet contrast models.csv -o layers.png
  figure layers --untrained twin models.csv --terminal")]
pub(crate) struct LayersArgs {
    /// Table of `unit-stats layers`; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    input: Input,
    /// Measures, a panel each
    #[arg(long, value_name = "COLUMN,..", value_delimiter = ',', default_value = "proportion,activation_z")]
    value: Vec<String>,
    /// Models (column model) that are untrained twins
    #[arg(long, value_name = "MODEL,..", value_delimiter = ',')]
    untrained: Vec<String>,
    /// Panels by this column [default: contrast, where there are more than 8 curves]
    #[arg(long, value_name = "COLUMN")]
    facet: Option<String>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    empty: EmptyArgs,
    #[command(flatten)]
    look: Look,
}

/// Selected units by threshold: how many, and how selective; or the overlap of two localizers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: the table of `unit-stats overlap --thresholds`, of one table of units (n_selected and
mean_selectivity_index by threshold) or of two (n_intersection and dice). One panel per measure of
--value (and per value of --facet), one curve per array and preferred category. Any other table with
the columns array, preferred and threshold will do, such as the gaps of `ceiling between --models` for
several thresholds, put together by `npy stack`.

Examples:
  figure thresholds thresholds.csv -o thresholds.svg
  figure thresholds --value proportion,mean_dprime --facet array thresholds.csv -o thresholds.png
  unit-stats overlap all.csv --thresholds 3..9:2 | figure thresholds --terminal")]
pub(crate) struct ThresholdsArgs {
    /// Table of `unit-stats overlap --thresholds`; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    input: Input,
    /// Measures, a panel each [default: n_selected,mean_selectivity_index; of two tables n_intersection,dice]
    #[arg(long, value_name = "COLUMN,..", value_delimiter = ',')]
    value: Vec<String>,
    /// Panels by this column [default: array, where there are more than 8 curves]
    #[arg(long, value_name = "COLUMN")]
    facet: Option<String>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    empty: EmptyArgs,
    #[command(flatten)]
    look: Look,
}

/// What is drawn along the x axis.
enum Along<'a> {
    /// Names in order, and the place of every row.
    Names(Vec<String>, Vec<f64>),
    /// A number per row.
    Numbers(&'a str, Vec<f64>),
}

pub(crate) fn run_layers(args: &LayersArgs) -> Result<()> {
    let session = args.look.start()?;
    let chart = layers(args, &session);
    session.finish_or_empty(args.empty, chart)
}

fn layers(args: &LayersArgs, session: &Session) -> Result<Chart> {
    let labels = args.labels.read(session)?;
    let table = Rows::read(session, &args.input, "unit-stats layers", &["array", "contrast"])?;
    let untrained: Vec<usize> = match args.untrained.as_slice() {
        [] => Vec::new(),
        names => {
            let model = table.cells("model")?;
            if let Some(other) = names.iter().find(|name| !model.contains(name)) {
                let have: Vec<String> =
                    parts(&table.all(), |row| model[row].clone()).into_iter().map(|p| p.name).collect();
                bail!("{}: no model {other:?}; its models are {}", table.source(), have.join(", "));
            }
            (0..table.n()).filter(|&row| names.contains(&model[row])).collect()
        }
    };
    table.refuse_twice(&with_column(&table, "model", &["array", "contrast"]), &table.all())?;
    let mut facet = facet(&table, args.facet.as_deref(), &["contrast", "model"], "contrast")?;
    // Layers of networks that are called otherwise are no sequence.
    if args.facet.is_none() && args.untrained.is_empty() && table.has("model") {
        let layers_of = |model: &Part| table.by("array", &model.rows).map(|l| l.into_iter().map(|l| l.name).collect());
        let models: Vec<Vec<String>> = table.by("model", &table.all())?.iter().map(layers_of).collect::<Result<_>>()?;
        if models.iter().any(|layers| *layers != models[0]) {
            facet = Some("model");
        }
    }
    // Every panel has an axis of its own: where it is of one model, other models' orders do not matter.
    let mut axis = Vec::new();
    let mut place = vec![0.0; table.n()];
    for panel in table.panels(facet.filter(|column| *column == "model"), &table.all())? {
        for layer in in_order(&table, &panel.rows)? {
            layer.rows.iter().for_each(|&row| place[row] = axis.len() as f64);
            axis.push(labels.of(&layer.name));
        }
    }
    let along = Along::Names(axis, place);
    let chosen = match table.has("chosen") {
        true => {
            let cells = table.cells("chosen")?;
            (0..table.n()).filter(|&row| cells[row].eq_ignore_ascii_case("true")).collect()
        }
        false => Vec::new(),
    };
    let what = What { values: &args.value, columns: &["contrast", "model"], facet, untrained, chosen };
    chart(session, &labels, &table, &along, &what)
}

/// The layers of these rows in an order that every model among them has them in: that of the table where models leave
/// a choice. Models that have two of them the other way round (a `pool` before and after a `block`) have no common
/// axis.
fn in_order(table: &Rows, rows: &[usize]) -> Result<Vec<Part>> {
    let mut left = table.by("array", rows)?;
    let models = if table.has("model") { table.by("model", rows)? } else { Vec::new() };
    let orders: Vec<Vec<Part>> = models.iter().map(|model| table.by("array", &model.rows)).collect::<Result<_>>()?;
    let place = |order: &[Part], layer: &str| order.iter().position(|own| own.name == layer);
    let before = |order: &[Part], a: &str, b: &str| place(order, a).zip(place(order, b)).is_some_and(|(a, b)| a < b);
    let mut ordered: Vec<Part> = Vec::new();
    while !left.is_empty() {
        let waits = |layer: &Part| {
            let ahead = |other: &&Part| orders.iter().any(|order| before(order, &other.name, &layer.name));
            left.iter().find(ahead)
        };
        if let Some(next) = left.iter().position(|layer| waits(layer).is_none()) {
            ordered.push(left.remove(next));
            continue;
        }
        let contrary = left.iter().flat_map(|a| left.iter().map(move |b| (&a.name, &b.name))).find_map(|(a, b)| {
            let first = orders.iter().position(|order| before(order, a, b))?;
            let second = orders.iter().position(|order| before(order, b, a))?;
            Some((a, b, &models[first].name, &models[second].name))
        });
        match contrary {
            Some((a, b, first, second)) => bail!(
                "{}: {a} comes before {b} in {first} and behind it in {second}, so they have no common axis; say --facet \
                 model, or draw models whose layers are called otherwise one by one",
                table.source(),
            ),
            None => bail!(
                "{}: the layers of its {} models have no order that holds for all of them; say --facet model",
                table.source(),
                models.len()
            ),
        }
    }
    Ok(ordered)
}

pub(crate) fn run_thresholds(args: &ThresholdsArgs) -> Result<()> {
    let session = args.look.start()?;
    let chart = thresholds(args, &session);
    session.finish_or_empty(args.empty, chart)
}

fn thresholds(args: &ThresholdsArgs, session: &Session) -> Result<Chart> {
    let labels = args.labels.read(session)?;
    let made_by = "unit-stats overlap --thresholds";
    let table = Rows::read(session, &args.input, made_by, &["array", "preferred", "threshold"])?;
    let default = if table.has("dice") { ["n_intersection", "dice"] } else { ["n_selected", "mean_selectivity_index"] };
    let values = if args.value.is_empty() { default.map(String::from).to_vec() } else { args.value.clone() };
    let threshold = table.numbers("threshold")?;
    if threshold.iter().all(|t| t.is_nan()) {
        bail!("{}: no row has a threshold; `{made_by} 3,5,7` writes the curve", table.source());
    }
    let along = Along::Numbers("threshold (t)", threshold);
    // The contrast says more than its preferred side; two tables may have two for one side.
    let side = if table.has("contrast") && !table.has("dice") { "contrast" } else { "preferred" };
    let columns = ["array", side];
    let facet = facet(&table, args.facet.as_deref(), &columns, "array")?;
    let mut apart = vec!["array", "preferred", "threshold"];
    apart.extend([side].into_iter().chain(facet).filter(|column| !["array", "preferred"].contains(column)));
    table.refuse_twice(&apart, &table.all())?;
    let what = What { values: &values, columns: &columns, facet, untrained: Vec::new(), chosen: Vec::new() };
    chart(session, &labels, &table, &along, &what)
}

/// The column of panels: as asked, else one where all curves would be too many for one.
fn facet<'a>(table: &Rows, asked: Option<&'a str>, columns: &[&str], else_by: &'a str) -> Result<Option<&'a str>> {
    if asked.is_some() {
        return Ok(asked);
    }
    Ok(Some(else_by)
        .filter(|_| table.series(columns, None, &table.all(), &table.all()).is_ok_and(|series| series.len() > 8)))
}

/// These columns, and another one where the table has it.
fn with_column<'a>(table: &Rows, column: &'a str, columns: &[&'a str]) -> Vec<&'a str> {
    columns.iter().copied().chain(table.has(column).then_some(column)).collect()
}

struct What<'a> {
    values: &'a [String],
    columns: &'a [&'a str],
    facet: Option<&'a str>,
    untrained: Vec<usize>,
    /// Rows of chosen layers.
    chosen: Vec<usize>,
}

/// What a column of measures is called on an axis.
fn in_words(column: &str) -> String {
    match column {
        "proportion" => "selected units (share of the layer)",
        "n_selected" => "selected units (number)",
        "specificity" => "specificity (share selected by no other)",
        "activation" => "response to preferred pictures",
        "activation_z" => "response to preferred pictures (z)",
        "mean_t" => "mean t of selected units",
        "mean_dprime" => "mean d′ of selected units",
        "mean_selectivity_index" => "mean selectivity index",
        "n_intersection" => "units of both localizers (number)",
        "dice" => "overlap (Dice)",
        "gap" => "people among themselves less people and model",
        "gap_norm" => "the same, corrected for noise",
        other => other,
    }
    .into()
}

fn chart(
    session: &crate::look::Session,
    labels: &crate::look::Labels,
    table: &Rows,
    along: &Along,
    what: &What,
) -> Result<Chart> {
    let (Along::Names(_, at) | Along::Numbers(_, at)) = along;
    let is_twin = |row: usize| what.untrained.contains(&row);
    let own: Vec<usize> = (0..table.n()).filter(|&row| !is_twin(row)).collect();
    if own.is_empty() {
        bail!("{}: all its models are --untrained; nothing is left to draw beside them", table.source());
    }
    // The colour of a series is the same in all panels.
    let all_series: Vec<String> =
        table.series(what.columns, what.facet, &own, &own)?.into_iter().map(|part| part.name).collect();
    let mut drawn = Chart::new("", "");
    let mut spoken = Vec::new();
    let panels = table.panels(what.facet, &table.all())?;
    let mut by_value: Vec<Vec<Panel>> = Vec::new();
    for column in what.values {
        let y = table.numbers(column)?;
        let mut seen = vec![];
        let mut left_out = Vec::new();
        let mut of_value = Vec::new();
        for Part { name: panel, rows } in &panels {
            let mut marks = Vec::new();
            // A panel has the layers that it has rows of, in their order.
            let mut own_places: Vec<f64> = rows.iter().map(|&row| at[row]).filter(|v| v.is_finite()).collect();
            own_places.sort_by(f64::total_cmp);
            own_places.dedup();
            let placed = |row: usize| match along {
                Along::Names(..) => own_places.partition_point(|&place| place < at[row]) as f64,
                Along::Numbers(..) => at[row],
            };
            let (twins, rows): (Vec<usize>, Vec<usize>) = rows.iter().partition(|&&row| is_twin(row));
            if !twins.is_empty() {
                for twin in table.series(&["contrast"], what.facet, &twins, &twins)? {
                    let mut points: Vec<[f64; 3]> = Vec::new();
                    let mut places: Vec<f64> = twin.rows.iter().map(|&row| placed(row)).collect();
                    places.sort_by(f64::total_cmp);
                    places.dedup();
                    for x in places {
                        let here = twin.rows.iter().filter(|&&row| placed(row) == x).map(|&row| y[row]);
                        let here: Vec<f64> = here.filter(|v| v.is_finite()).collect();
                        let lo = here.iter().copied().fold(f64::INFINITY, f64::min);
                        let hi = here.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                        if !here.is_empty() {
                            points.push([x, lo, hi]);
                            seen.extend([lo, hi]);
                        }
                    }
                    let name = format!("untrained, {}", twin.name);
                    // One twin has no width: its band is a line.
                    let curve = points.iter().map(|p| [p[0], (p[1] + p[2]) / 2.0]).collect();
                    let stroke = Stroke { colour: style::GREY, width: style::LINE, dash: 0 };
                    marks.push(Mark::Ribbon { points, colour: style::GREY, name: name.clone() });
                    marks.push(Mark::Curve { points: curve, stroke, name });
                }
            }
            for series in table.series(what.columns, what.facet, &own, &rows)? {
                let name = series.name;
                let k = all_series.iter().position(|other| *other == name).unwrap_or(0);
                let mut ordered = series.rows.clone();
                ordered.sort_by(|&a, &b| at[a].total_cmp(&at[b]));
                left_out.extend(ordered.iter().copied().filter(|&row| y[row].is_nan()));
                // Names have places, not numbers: curves of equal values then stand beside each other.
                let aside = match along {
                    Along::Names(..) => beside(k, all_series.len(), 0.25),
                    Along::Numbers(..) => 0.0,
                };
                let points: Vec<[f64; 2]> = ordered.iter().map(|&row| [placed(row) + aside, y[row]]).collect();
                seen.extend(points.iter().map(|p| p[1]));
                let numbers: Vec<&[f64; 2]> = points.iter().filter(|p| p[1].is_finite()).collect();
                if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
                    let of = [panel.as_str(), name.as_str(), column].into_iter().filter(|part| !part.is_empty());
                    let of = of.collect::<Vec<_>>().join(", ");
                    spoken.push(format!("{of}: {} to {}", value(first[1]), value(last[1])));
                }
                let shape = Shape::of(k);
                let dots = numbers.iter().map(|&&at| Mark::Point {
                    at,
                    colour: category(k),
                    shape,
                    size: style::POINT * 0.8,
                    name: name.clone(),
                    label: String::new(),
                });
                let dots: Vec<Mark> = dots.collect();
                // A ring around the point, so that its shape and place still say the series and the value.
                let is_chosen =
                    |(row, at): (&usize, &[f64; 2])| (what.chosen.contains(row) && at[1].is_finite()).then_some(*at);
                let rings: Vec<Mark> = ordered
                    .iter()
                    .zip(&points)
                    .filter_map(is_chosen)
                    .map(|at| Mark::Point {
                        at,
                        colour: category(k),
                        shape: Shape::Ring,
                        size: style::POINT * 2.0,
                        name: format!("{name}, chosen"),
                        label: String::new(),
                    })
                    .collect();
                marks.push(Mark::Curve { points, stroke: Stroke::of(k), name });
                marks.extend(dots);
                marks.extend(rings);
            }
            let x = match along {
                Along::Names(names, _) => {
                    let own = own_places.iter().map(|&place| names[place as usize].clone());
                    Axis::new("", Scale::Names(own.collect()))
                }
                Along::Numbers(label, numbers) => {
                    let mut ticks: Vec<f64> = numbers.iter().copied().filter(|v| v.is_finite()).collect();
                    ticks.sort_by(f64::total_cmp);
                    ticks.dedup();
                    Axis { ticks: Some(ticks), ..Axis::new(*label, with_room(numbers.iter().copied())) }
                }
            };
            // One series has no entry in a legend: the panel says what it is of.
            let title = match (panel.as_str(), all_series.as_slice()) {
                ("", [one]) if one.is_empty() => {
                    let about = with_column(table, "model", what.columns);
                    table.common(&if about.contains(&"array") { about } else { [&about[..], &["array"]].concat() })
                }
                _ => labels.of(panel),
            };
            of_value.push(Panel { title, x, y: Axis::default(), marks });
        }
        table.say_left_out(session, column, &left_out);
        seen.push(0.0);
        let y = linear_over(seen.iter().copied());
        of_value.iter_mut().for_each(|panel| panel.y = Axis::new(in_words(column), y.clone()));
        by_value.push(of_value);
    }
    if spoken.is_empty() {
        return Err(table.nothing(format!("no row has a number in {}", what.values.join(" or "))).into());
    }
    // The measures of one facet stand side by side.
    drawn.columns = what.values.len().clamp(1, 3);
    for k in 0..panels.len() {
        drawn.panels.extend(by_value.iter().map(|of_value| of_value[k].clone()));
    }
    if all_series.len() > 1 || !all_series.iter().all(String::is_empty) {
        drawn.legend = curves(all_series.iter().map(|name| labels.of(name)));
    }
    if !what.untrained.is_empty() {
        let stroke = Stroke { colour: style::GREY, width: style::LINE, dash: 0 };
        let text = "untrained (lowest to highest)".into();
        drawn.legend.push(LegendItem { key: Key::Line(stroke), text });
    }
    if what.chosen.iter().any(|row| own.contains(row)) {
        drawn.legend.push(LegendItem { key: Key::Point(style::GREY, Shape::Ring), text: "chosen layer".into() });
    }
    drawn.aspect = if drawn.panels.len() > 1 { 0.8 } else { 0.62 };
    drawn.description = format!("{}. {}.", what.values.join(", "), spoken.join("; "));
    Ok(drawn)
}
