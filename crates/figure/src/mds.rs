//! `figure mds`: a map of stimuli or systems.

use crate::categories::CategoryArgs;
use crate::look::{LabelArgs, Look};
use crate::parts::{labelled, points};
use crate::rows::{Part, Rows};
use anyhow::Result;
use cli::Input;
use drawing::{Axis, Chart, Panel, Scale, value};

/// Maps of stimuli or systems, whose distances are those of an RDM
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: the table of `rsa mds`. One panel per array (RDM); both dimensions have one scale, and no numbers,
since a map may be turned. The stress (0 is perfect, .1 fair, .2 poor) stands beside the name.
--stimuli and --by give every category a colour and a shape. Names stand beside the points, where there
are at most 40 in a panel (12 with --by) and where they have room; --names writes or leaves out all.

Examples:
  figure mds map.csv --stimuli pictures.csv --by domain -o map.svg
  figure mds --names always map.csv -o map.png
  rsa mds ann.npy | figure mds --terminal")]
pub(crate) struct MdsArgs {
    /// Table of `rsa mds`; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    input: Input,
    /// Names beside the points
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = When::Few)]
    names: When,
    #[command(flatten)]
    categories: CategoryArgs,
    #[command(flatten)]
    labels: LabelArgs,
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
    let labels = args.labels.read(&session)?;
    let categories = args.categories.read(&session)?;
    let table = Rows::read(&session, &args.input, "rsa mds", &["array", "stimulus", "x", "y", "stress"])?;
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
    table.say_left_out(&session, "place", &left_out);
    if let Some(categories) = &categories {
        chart.legend = points(categories.names.iter().map(|name| labels.of(name)));
    }
    chart.aspect = 1.0;
    chart.description = format!("Maps whose distances are dissimilarities. {}.", spoken.join("; "));
    session.finish(chart)
}
