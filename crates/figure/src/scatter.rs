//! `figure scatter`: a model against the brain, stimulus by stimulus.

use crate::categories::CategoryArgs;
use crate::look::{EmptyArgs, LabelArgs, Look, Session};
use crate::parts::{labelled, points, tell_apart, with_room};
use crate::pictures::ImageArgs;
use crate::rows::{Part, Rows};
use anyhow::{Result, bail};
use cli::Input;
use drawing::style;
use drawing::{Axis, Chart, Key, LegendItem, Mark, Panel, Scale, Stroke, value};
use stimulus_table::is_missing;

/// A model against the brain, one point per stimulus; the widest gaps are named
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: the table of `tuning diverge` without --group. One panel per model; of several subjects the row
over them (subject mean), or --subject. Both axes are z, on one scale; on the dashed line model and
brain agree. The --label stimuli with the widest gaps (column rank) are named, where there is room; with --images
they are shown.

Examples:
  figure scatter diverge.csv --stimuli pictures.csv --by domain -o scatter.svg
  figure scatter --subject sub-01/ffa --label 10 --images pictures.csv diverge.csv -o sub-01.png
  tuning diverge faces.npy --brain sub-*/ffa.npy | figure scatter --terminal")]
pub(crate) struct ScatterArgs {
    /// Table of `tuning diverge`; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    input: Input,
    /// Subject to draw [default: mean, or the only one]
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Stimuli with the widest gaps that are named
    #[arg(long, value_name = "N", default_value_t = 5)]
    label: usize,
    #[command(flatten)]
    images: ImageArgs,
    #[command(flatten)]
    categories: CategoryArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    empty: EmptyArgs,
    #[command(flatten)]
    look: Look,
}

pub(crate) fn run(args: &ScatterArgs) -> Result<()> {
    let session = args.look.start()?;
    let chart = drawn(args, &session);
    session.finish_or_empty(args.empty, chart)
}

fn drawn(args: &ScatterArgs, session: &Session) -> Result<Chart> {
    let labels = args.labels.read(session)?;
    let categories = args.categories.read(session)?;
    let pictures = args.images.read(session)?;
    let needed = ["model", "subject", "rank", "stimulus", "model_z", "brain_z"];
    let table = Rows::read(session, &args.input, "tuning diverge", &needed)?;
    let (subject, ids) = (table.cells("subject")?, table.cells("stimulus")?);
    let (model_z, brain_z, rank) = (table.numbers("model_z")?, table.numbers("brain_z")?, table.numbers("rank")?);
    // The row of a model without units is about no stimulus.
    let about: Vec<usize> = (0..ids.len()).filter(|&row| !is_missing(&ids[row])).collect();
    let of = match &categories {
        Some(categories) => {
            let found = categories.of_all(about.iter().map(|&row| ids[row].as_str()), table.source())?;
            let mut of = vec![0; ids.len()];
            about.iter().zip(found).for_each(|(&row, category)| of[row] = category);
            Some(of)
        }
        None => None,
    };
    if about.is_empty() {
        return Err(table.nothing(format!("no row is about a stimulus{}", table.why(&table.all()))).into());
    }
    let have: Vec<String> = table.by("subject", &about)?.into_iter().map(|part| part.name).collect();
    let who = match &args.subject {
        Some(name) => name.clone(),
        None if have.len() == 1 => have[0].clone(),
        None => "mean".into(),
    };
    if !have.contains(&who) {
        bail!("{}: no rows about subject {who:?}; --subject takes one of {}", table.source(), have.join(", "));
    }
    let mut chart = Chart::new("", "");
    let (mut spoken, mut left_out, mut seen, mut nameless) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // Rows whose stimuli are named or shown, with their panels; the widest gap first.
    let mut widest: Vec<(usize, usize)> = Vec::new();
    for Part { name, rows } in table.by("model", &table.all())? {
        let own: Vec<usize> = rows.iter().copied().filter(|&row| subject[row] == who).collect();
        table.refuse_twice(&["stimulus"], &own)?;
        let (placed, without): (Vec<usize>, Vec<usize>) =
            own.into_iter().partition(|&row| model_z[row].is_finite() && brain_z[row].is_finite());
        left_out.extend(without);
        if placed.is_empty() {
            nameless.push(format!("{}{}", labels.of(&name), table.why(&rows)));
            continue;
        }
        let mut marks = Vec::new();
        for &row in &placed {
            let kind = of.as_ref().map_or(0, |of| of[row]);
            let is_named = rank[row] <= args.label as f64;
            if is_named {
                widest.push((row, chart.panels.len()));
            }
            let label = if is_named && pictures.is_none() { labels.of(&ids[row]) } else { String::new() };
            marks.push(labelled([model_z[row], brain_z[row]], kind, &ids[row], label));
        }
        seen.extend(placed.iter().flat_map(|&row| [model_z[row], brain_z[row]]));
        let [x, y]: [Vec<f64>; 2] = [&model_z, &brain_z].map(|z| placed.iter().map(|&row| z[row]).collect());
        let r = statistics::pearson(&x, &y);
        let n = placed.len();
        spoken.push(format!("{name}: r {} over {n} stimuli", value(r)));
        let title = format!("{} (r {}, {n} stimuli)", labels.of(&name), value((r * 1000.0).round() / 1000.0));
        chart.panels.push(Panel { title, x: Axis::default(), y: Axis::default(), marks });
    }
    table.say_left_out(session, "z", &left_out);
    let scale = with_room(seen);
    let whose = if who == "mean" { "brain (z, mean over subjects)".into() } else { format!("{} (z)", labels.of(&who)) };
    for (k, panel) in chart.panels.iter_mut().enumerate() {
        panel.x = Axis::new("model (z)", scale.clone());
        panel.y = Axis::new(if k % chart.columns == 0 { whose.as_str() } else { "" }, scale.clone());
        if let Scale::Linear { lo, hi } = scale {
            let stroke = Stroke { colour: style::GREY, width: style::THIN, dash: 1 };
            let name = "model and brain agree".into();
            panel.marks.insert(0, Mark::Curve { points: vec![[lo, lo], [hi, hi]], stroke, name });
        }
    }
    if let Some(categories) = &categories {
        chart.legend = points(categories.names.iter().map(|name| labels.of(name)));
        tell_apart(&mut chart, categories.names.len(), true)?;
    }
    let stroke = Stroke { colour: style::GREY, width: style::THIN, dash: 1 };
    chart.legend.push(LegendItem { key: Key::Line(stroke), text: "model and brain agree".into() });
    chart.aspect = 1.0;
    if let Some(pictures) = &pictures {
        let size = if chart.panels.len() > 1 { 7.0 } else { 10.0 };
        widest.sort_by(|a, b| rank[a.0].total_cmp(&rank[b.0]));
        let wanted: Vec<&str> = widest.iter().map(|&(row, _)| ids[row].as_str()).collect();
        let embedded = pictures.embed(session, &mut chart, &wanted, wanted.len(), size)?;
        for (&(row, panel), picture) in widest.iter().zip(embedded.places) {
            let Some(picture) = picture else { continue };
            let frame = of.as_ref().map_or(style::GREY, |of| style::category(of[row]));
            let at = [model_z[row], brain_z[row]];
            let (name, label) = (ids[row].clone(), String::new());
            chart.panels[panel].marks.push(Mark::Picture {
                at,
                picture,
                size,
                frame: Some(frame),
                beside: true,
                name,
                label,
            });
        }
        chart.notes.push(format!("Pictures: the {} stimuli with the widest gaps.", args.label));
    }
    if !nameless.is_empty() {
        chart.notes.push(format!("Without a number: {}.", nameless.join(", ")));
    }
    chart.description = format!("Model against brain, {who}. {}.", spoken.join("; "));
    Ok(chart)
}
