//! `figure mds`: a map of stimuli or systems.

use crate::categories::CategoryArgs;
use crate::look::{EmptyArgs, LabelArgs, Look, Session};
use crate::parts::{labelled, points, tell_apart};
use crate::pictures::ImageArgs;
use crate::rows::{Part, Rows};
use anyhow::Result;
use cli::Input;
use drawing::style;
use drawing::{Axis, Chart, Mark, Panel, Scale, value};

/// Maps of stimuli or systems, whose distances are those of an RDM
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: the table of `rsa mds`. One panel per array (RDM); both dimensions have one scale, and no numbers,
since a map may be turned. The stress (0 is perfect, .1 fair, .2 poor) stands beside the name.
--stimuli and --by give every category a colour and a shape. Names stand beside the points, where there
are at most 40 in a panel (12 with --by) and where they have room; --names writes or leaves out all.
--images draws the pictures themselves, as large as most of them have room; those that would cover
another one stay points, and a note says how many.

Examples:
  figure mds map.csv --stimuli pictures.csv --by domain -o map.svg
  figure mds --images pictures.csv --stimuli pictures.csv --by domain map.csv -o map.png
  rsa mds ann.npy | figure mds --terminal")]
pub(crate) struct MdsArgs {
    /// Table of `rsa mds`; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    input: Input,
    /// Names beside the points
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = When::Few)]
    names: When,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum When {
    /// Where there are few
    Few,
    /// Wherever they have room
    Always,
    /// Nowhere
    Never,
}

pub(crate) fn run(args: &MdsArgs) -> Result<()> {
    let session = args.look.start()?;
    let chart = drawn(args, &session);
    session.finish_or_empty(args.empty, chart)
}

fn drawn(args: &MdsArgs, session: &Session) -> Result<Chart> {
    let labels = args.labels.read(session)?;
    let categories = args.categories.read(session)?;
    let pictures = args.images.read(session)?;
    let table = Rows::read(session, &args.input, "rsa mds", &["array", "stimulus", "x", "y", "stress"])?;
    table.refuse_twice(&["array", "stimulus", "x", "y"], &table.all())?;
    let (x, y, stress) = (table.numbers("x")?, table.numbers("y")?, table.numbers("stress")?);
    let ids = table.cells("stimulus")?;
    let of = match &categories {
        Some(categories) => Some(categories.of_all(ids.iter().map(String::as_str), table.source())?),
        None => None,
    };
    let mut chart = Chart::new("", "");
    let (mut spoken, mut left_out) = (Vec::new(), Vec::new());
    for Part { name, rows } in table.by("array", &table.all())? {
        let (placed, without): (Vec<usize>, Vec<usize>) =
            rows.iter().partition(|&&row| x[row].is_finite() && y[row].is_finite());
        left_out.extend(without);
        if placed.is_empty() {
            continue;
        }
        let written = match args.names {
            When::Few => placed.len() <= if of.is_some() { 12 } else { 40 },
            when => when == When::Always,
        };
        let mut marks = Vec::new();
        for &row in &placed {
            let kind = of.as_ref().map_or(0, |of| of[row]);
            let label = if written { labels.of(&ids[row]) } else { String::new() };
            marks.push(labelled([x[row], y[row]], kind, &ids[row], label));
        }
        // Both directions have one scale, or distances would not be what they look like.
        let reach = placed.iter().map(|&row| x[row].abs().max(y[row].abs())).fold(0.0, f64::max);
        let reach = if reach > 0.0 { 1.1 * reach } else { 1.0 };
        let axis = |label: &str| Axis { bare: true, ..Axis::new(label, Scale::Linear { lo: -reach, hi: reach }) };
        let of_map = stress[placed[0]];
        let title = match of_map.is_finite() {
            true => format!("{} (stress {of_map:.2})", labels.of(&name)),
            false => labels.of(&name),
        };
        spoken.push(format!("{name}: {} points, stress {}", placed.len(), value(of_map)));
        chart.panels.push(Panel { title, x: axis("dimension 1"), y: axis("dimension 2"), marks });
    }
    table.say_left_out(session, "place", &left_out);
    if let Some(categories) = &categories {
        chart.legend = points(categories.names.iter().map(|name| labels.of(name)));
        tell_apart(&mut chart, categories.names.len(), true)?;
    }
    chart.aspect = 1.0;
    if let Some(pictures) = &pictures {
        let panel_mm = session.panel_width(chart.panels.len(), chart.columns);
        let (size, shown) = room_for(&chart.panels, panel_mm);
        let names: Vec<&str> = shown.iter().map(|&(panel, mark)| name_of(&chart.panels[panel].marks[mark])).collect();
        let ids: Vec<String> = names.into_iter().map(String::from).collect();
        let all: usize = chart.panels.iter().map(|panel| panel.marks.len()).sum();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let embedded = pictures.embed(session, &mut chart, &ids, ids.len(), size)?;
        let mut n_drawn = 0;
        // The points that stay points are drawn over them.
        let mut over: Vec<Vec<Mark>> = vec![Vec::new(); chart.panels.len()];
        let mut gone: Vec<Vec<usize>> = vec![Vec::new(); chart.panels.len()];
        for (&(panel, mark), picture) in shown.iter().zip(&embedded.places) {
            let (Some(picture), Mark::Point { at, colour, name, label, .. }) =
                (*picture, &chart.panels[panel].marks[mark])
            else {
                continue;
            };
            let frame = Some(if of.is_some() { *colour } else { style::GREY });
            let (at, name, label) = (*at, name.clone(), label.clone());
            over[panel].push(Mark::Picture { at, picture, size, frame, beside: false, name, label });
            gone[panel].push(mark);
            n_drawn += 1;
        }
        for ((panel, pictures), gone) in chart.panels.iter_mut().zip(over).zip(gone) {
            let mut k = 0;
            panel.marks.retain(|_| {
                k += 1;
                !gone.contains(&(k - 1))
            });
            panel.marks.splice(0..0, pictures);
        }
        if n_drawn < all {
            chart.notes.push(format!(
                "{n_drawn} of {all} stimuli have a picture; the others, which would cover them, a point{}.",
                if embedded.n_left_out > 0 { " (or have no room in the file)" } else { "" }
            ));
        }
    }
    chart.description = format!("Maps whose distances are dissimilarities. {}.", spoken.join("; "));
    Ok(chart)
}

fn name_of(mark: &Mark) -> &str {
    match mark {
        Mark::Point { name, .. } => name,
        _ => "",
    }
}

/// How long pictures are in mm, and the points that have room for one, as panel and mark: the largest size at which
/// nearly all have room, and of these those that do not cover an earlier one by more than a quarter of their side.
fn room_for(panels: &[Panel], panel_mm: f64) -> (f64, Vec<(usize, usize)>) {
    let with_room = |size: f64| -> Vec<(usize, usize)> {
        let mut shown = Vec::new();
        for (k, panel) in panels.iter().enumerate() {
            let Scale::Linear { lo, hi } = panel.x.scale else { continue };
            let least = 0.75 * size * (hi - lo) / panel_mm;
            let mut taken: Vec<[f64; 2]> = Vec::new();
            for (mark, of) in panel.marks.iter().enumerate() {
                let Mark::Point { at, .. } = of else { continue };
                let covers = |other: &[f64; 2]| (0..2).all(|d| (at[d] - other[d]).abs() < least);
                if !taken.iter().any(covers) {
                    taken.push(*at);
                    shown.push((k, mark));
                }
            }
        }
        shown
    };
    let all: usize = panels.iter().map(|panel| panel.marks.len()).sum();
    const SIZES: [f64; 5] = [10.0, 8.0, 6.5, 5.0, 4.0];
    for size in SIZES {
        let shown = with_room(size);
        if shown.len() * 10 >= all * 9 {
            return (size, shown);
        }
    }
    (SIZES[4], with_room(SIZES[4]))
}
