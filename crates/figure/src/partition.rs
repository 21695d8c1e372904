//! `figure partition`: what bands of features explain alone and together.

use crate::look::{LabelArgs, Look};
use crate::parts::{BOXES, box_of, share_y, zero};
use crate::rows::{Rows, parts};
use anyhow::{Result, bail};
use cli::Input;
use drawing::style::{self, category};
use drawing::{Axis, Chart, Mark, Panel, Scale, value};

/// Banded encoding models: what each set of bands explains alone, together, and in all
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: the table of `encode fit --partition`. Boxes over voxels: what a band alone explains (unique), what
bands explain together (shared), and the whole model (total). Unique and shared parts of a voxel sum
to its total; a part may be below 0. --models draws R2 of the models of every set of bands instead.

Examples:
  figure partition parts.csv -o partition.svg
  figure partition --models --title 'Bands' parts.csv -o models.png
  figure partition parts.csv --terminal")]
pub(crate) struct PartitionArgs {
    /// Table of `encode fit --partition`; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    input: Input,
    /// R2 of the models of every set of bands, instead of the parts
    #[arg(long)]
    models: bool,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    look: Look,
}

pub(crate) fn run(args: &PartitionArgs) -> Result<()> {
    let session = args.look.start()?;
    let labels = args.labels.read(&session)?;
    let table = Rows::read(&session, &args.input, "encode fit --partition", &["voxel", "part", "bands", "R2"])?;
    let (part, bands, r2) = (table.cells("part")?, table.cells("bands")?, table.numbers("R2")?);
    let wanted: Vec<usize> = (0..table.n()).filter(|&row| (part[row] == "model") == args.models).collect();
    if wanted.is_empty() {
        bail!("{}: no row is about {}", table.source(), if args.models { "a model" } else { "a part" });
    }
    let told = ["voxel", "part", "bands"].into_iter().chain(table.has("array").then_some("array"));
    table.refuse_twice(&told.collect::<Vec<_>>(), &wanted)?;
    let mut sets = parts(&wanted, |row| format!("{}: {}", part[row], labels.of(&bands[row])));
    // Unique parts first, then shared ones; within them the order of the table.
    let rank = |name: &str| ["unique", "shared", "total", "model"].iter().position(|kind| name.starts_with(kind));
    sets.sort_by_key(|set| rank(&set.name));
    let mut chart = Chart::new("", "");
    let (mut marks, mut names, mut seen) = (vec![zero()], Vec::new(), vec![0.0]);
    let (mut spoken, mut left_out) = (Vec::new(), Vec::new());
    for (k, set) in sets.iter().enumerate() {
        let (there, without): (Vec<usize>, Vec<usize>) = set.rows.iter().partition(|&&row| r2[row].is_finite());
        left_out.extend(without);
        // A total is of all bands, and says so by itself.
        let is_total = set.name.starts_with("total");
        names.push(if is_total { "total".into() } else { set.name.clone() });
        let values: Vec<f64> = there.iter().map(|&row| r2[row]).collect();
        if values.is_empty() {
            continue;
        }
        let colour = if is_total { style::INK } else { category(k) };
        let mark = box_of(&values, k as f64, 0.55, colour, &set.name);
        if let Mark::Box { five, .. } = &mark {
            seen.extend([five[0], five[4]]);
            spoken.push(format!("{}: median {}", set.name, value(five[2])));
        }
        marks.push(mark);
    }
    table.say_left_out(&session, "R2", &left_out);
    if spoken.is_empty() {
        bail!("{}: no voxel has a number", table.source());
    }
    let x = Axis::new("", Scale::Names(names));
    let n_voxels = sets.iter().map(|set| set.rows.len()).max().unwrap_or(0);
    let about = table.common(&["array"]);
    let title = if about.is_empty() { format!("{n_voxels} voxels") } else { format!("{about} ({n_voxels} voxels)") };
    chart.panels.push(Panel { title, x, y: Axis::default(), marks });
    let label = if args.models { "R² of the model (voxels)" } else { "part of R² (voxels)" };
    share_y(&mut chart.panels, label, &seen, 1);
    chart.notes.push(BOXES.into());
    chart.description = format!("Parts of the variance that bands of features explain. {}.", spoken.join("; "));
    session.finish(chart)
}
