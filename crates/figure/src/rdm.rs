//! `figure rdm`: dissimilarities of all pairs of stimuli as a grid of colours.

use crate::categories::CategoryArgs;
use crate::look::{LabelArgs, Look};
use crate::parts::by_category;
use crate::pictures::ImageArgs;
use anyhow::{Result, bail};
use array_inputs::JoinArgs;
use cli::Input;
use drawing::style::category;
use drawing::{Axis, Chart, ColourBar, Group, Key, LegendItem, Mark, Panel, Scale, value};
use rdm::Rdm;
use rdm_inputs::{into_one_order, read_rdms};
use statistics::average_ranks;

/// RDMs side by side, on one scale of colours, their stimuli grouped by category
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: RDMs as `rsa rdm` writes them, one panel each. Several are brought into the order of the stimuli
of the first one, by id, and share one scale of colours; --percentile colours each value by its rank
within its own RDM (100 is the largest), so that RDMs of any metric can be compared. With --stimuli and --by stimuli are put into the order of their
categories, whose names stand on the axes instead of theirs where there are more than 12.
Grey cells are pairs without a value. --images puts the pictures on both axes: all, or of many stimuli every
second, third, ..., so that each is 3 mm or more.

Examples:
  figure rdm ann.npy --images pictures.csv -o rdm.svg
  figure rdm --percentile ann.npy ffa_rdms.npy --stimuli pictures.csv --by domain -o rdms.png
  rsa rdm acts.npy | figure rdm --terminal")]
pub(crate) struct RdmArgs {
    /// RDMs, each file possibly a stream of several; - is stdin
    #[arg(value_name = "RDM", default_value = "-")]
    inputs: Vec<Input>,
    /// Names of the RDMs, in order [default: their own, else file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    names: Vec<String>,
    /// Percentiles within each RDM instead of the values
    #[arg(long)]
    percentile: bool,
    #[command(flatten)]
    images: ImageArgs,
    #[command(flatten)]
    categories: CategoryArgs,
    #[command(flatten)]
    join: JoinArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    look: Look,
}

/// Stimuli above this number cannot be told apart on a page, and their SVG would be large.
const MOST_STIMULI: usize = 2000;

pub(crate) fn run(args: &RdmArgs) -> Result<()> {
    let session = args.look.start()?;
    let labels = args.labels.read(&session)?;
    let categories = args.categories.read(&session)?;
    let pictures = args.images.read(&session)?;
    let mut rdms = read_rdms(&session.job, &args.inputs, &args.names)?;
    if rdms.len() > 1 {
        into_one_order(&session.job, args.join, &mut rdms)?;
    }
    if let Some(large) = rdms.iter().find(|named| named.rdm.n_stimuli() > MOST_STIMULI) {
        bail!(
            "{}: {} stimuli; at most {MOST_STIMULI} are drawn: average them by category (`rsa rdm --by`), or take fewer",
            large.source,
            large.rdm.n_stimuli()
        );
    }
    let drawn: Vec<Rdm> = match args.percentile {
        true => rdms.iter().map(|named| percentiles(&named.rdm)).collect::<Result<_>>()?,
        false => rdms.iter().map(|named| named.rdm.clone()).collect(),
    };
    let finite = drawn.iter().flat_map(Rdm::values).copied().filter(|v| v.is_finite());
    let (lo, hi) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if lo > hi {
        bail!("no pair of stimuli has a value");
    }
    // 0 is the diagonal of any RDM.
    let lo = lo.min(0.0);

    let mut chart = Chart::new("", "");
    let mut spoken = Vec::new();
    let mut shown: Vec<Vec<String>> = Vec::new();
    for (named, drawn) in rdms.iter().zip(&drawn) {
        let n = named.rdm.n_stimuli();
        let ids: Vec<String> = match named.rdm.labels() {
            Some(ids) => ids.to_vec(),
            None => (0..n).map(|k| k.to_string()).collect(),
        };
        let (order, groups): (Vec<usize>, Vec<Group>) = match &categories {
            Some(categories) => {
                if named.rdm.labels().is_none() {
                    bail!("{}: has no ids, by which --by knows its stimuli; `npy label` writes them", named.source);
                }
                let of = categories.of_all(ids.iter().map(String::as_str), &named.source)?;
                let names: Vec<String> = categories.names.iter().map(|name| labels.of(name)).collect();
                by_category(&of, &names)
            }
            None => ((0..n).collect(), Vec::new()),
        };
        let values: Vec<f64> =
            order.iter().flat_map(|&i| order.iter().map(move |&j| (i, j))).map(|(i, j)| drawn.get(i, j)).collect();
        let names: Vec<String> = order.iter().map(|&k| labels.of(&ids[k])).collect();
        // Names of categories stand instead of those of many stimuli; few have both.
        let over: Vec<(Group, &str)> = match (&categories, n <= 12) {
            (Some(categories), true) => {
                let place = |name: &str| categories.names.iter().position(|other| labels.of(other) == *name);
                groups.iter().map(|group| (group.clone(), category(place(&group.name).unwrap_or(0)))).collect()
            }
            _ => Vec::new(),
        };
        if !over.is_empty() {
            for (group, colour) in &over {
                if !chart.legend.iter().any(|item| item.text == group.name) {
                    chart.legend.push(LegendItem { key: Key::Area(colour), text: group.name.clone() });
                }
            }
        }
        // So many names have no room.
        let label = if groups.is_empty() && n > 40 { format!("{n} stimuli") } else { String::new() };
        let axis = Axis { groups, ..Axis::new(label, Scale::Names(names)) };
        let x = Axis { over, ..axis.clone() };
        let marks = vec![Mark::Cells { values, n_columns: n, lo, hi, written: false }];
        spoken.push(format!("{}: {n} stimuli", named.name));
        if pictures.is_some() {
            if named.rdm.labels().is_none() {
                bail!("{}: has no ids, by which --images knows its stimuli; `npy label` writes them", named.source);
            }
            shown.push(order.iter().map(|&k| ids[k].clone()).collect());
        }
        chart.panels.push(Panel { title: labels.of(&named.name), x, y: axis, marks });
    }
    let metrics = metrics(&args.inputs);
    let what = match metrics.as_slice() {
        [one] => format!("{one} distance"),
        _ => "dissimilarity".into(),
    };
    if metrics.len() > 1 && !args.percentile {
        session.job.note(format!(
            "the RDMs are of {} and share one scale of colours; --percentile makes them comparable",
            metrics.join(" and ")
        ));
    }
    let label = if args.percentile { format!("{what} (percentile)") } else { what };
    if lo < 0.0 {
        chart.notes.push("The line in the colour bar is 0: no difference on average.".into());
    }
    chart.colour_bar = Some(ColourBar { label, lo, hi });
    chart.description =
        format!("Dissimilarities of all pairs of stimuli, from {} to {}. {}.", value(lo), value(hi), spoken.join("; "));
    if let Some(pictures) = &pictures {
        // A third of a panel is for names, the pictures and what stands between.
        let n = shown.iter().map(Vec::len).max().unwrap_or(1);
        let each = 0.66 * session.panel_width(chart.panels.len(), chart.columns) / n as f64;
        let step = (3.0 / each).ceil().max(1.0) as usize;
        let size = (0.95 * step as f64 * each).min(9.0);
        // A run at the end that is not whole has no room for a picture of that size.
        let has_picture = |ids: &[String], k: usize| k.is_multiple_of(step) && k + step <= ids.len();
        let wanted: Vec<&str> = shown
            .iter()
            .flat_map(|ids| (0..ids.len()).filter(|&k| has_picture(ids, k)).map(|k| ids[k].as_str()))
            .collect();
        // On both axes.
        let n_uses = 2 * wanted.len();
        let mut places = pictures.embed(&session, &mut chart, &wanted, n_uses, size)?.places.into_iter();
        for (panel, ids) in chart.panels.iter_mut().zip(&shown) {
            let of_panel: Vec<Option<usize>> =
                (0..ids.len()).map(|k| if has_picture(ids, k) { places.next().flatten() } else { None }).collect();
            for axis in [&mut panel.x, &mut panel.y] {
                (axis.pictures, axis.picture_size, axis.picture_run) = (of_panel.clone(), size, step);
            }
        }
        if step > 1 {
            chart.notes.push(format!("Pictures: of {step} stimuli that follow each other the first."));
        }
    }
    session.finish(chart)
}

/// The metrics that the records beside the files name, each once; none where a file has no record.
fn metrics(inputs: &[Input]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for input in inputs {
        let record = input.path().and_then(cli::sidecar_of);
        let Some(metric) = record.as_ref().and_then(|record| record["metric"].as_str()) else { return Vec::new() };
        if !found.iter().any(|other| other == metric) {
            found.push(metric.to_owned());
        }
    }
    found
}

/// The ranks of the values, equal ones alike, from just above 0 to 100; NaN stay NaN.
fn percentiles(rdm: &Rdm) -> Result<Rdm> {
    let places: Vec<usize> = (0..rdm.values().len()).filter(|&k| rdm.values()[k].is_finite()).collect();
    let finite: Vec<f64> = places.iter().map(|&k| rdm.values()[k]).collect();
    let ranks = average_ranks(&finite);
    let mut values = vec![f64::NAN; rdm.values().len()];
    places.iter().zip(ranks).for_each(|(&k, rank)| values[k] = 100.0 * rank / finite.len() as f64);
    Ok(Rdm::from_condensed(values, rdm.labels().map(<[String]>::to_vec))?)
}
