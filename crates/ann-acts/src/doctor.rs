//! `--doctor`: which preprocessing a network was made for, and how much it matters.
//!
//! One picture is shown to the network in every combination of resizing, interpolation, colour order and
//! normalization that networks are commonly trained with; what the classifier then says, if there is one, and
//! how far the chosen layer moves, tell a wrong step by sight.

mod variants;

use crate::args::Args;
use crate::doctor::variants::{Variant, variants};
use crate::feed::Shown;
use crate::graph::Graph;
use crate::graph::file::{read_model, record_weights};
use crate::graph::omitted::check_inputs;
use crate::layers::coupling::tainted;
use crate::layers::{Chosen, choose};
use crate::network::tensor::{Element, TensorInfo, shape_text};
use crate::network::{Network, Opener};
use crate::pictures::stimuli::list;
use crate::pictures::{BadImage, Size};
use crate::preprocessing::final_size::final_size;
use crate::preprocessing::{self, Preprocessing, Resize};
use anyhow::{Context, Result, bail, ensure};
use cli::{Job, Named, TableWriter};
use npy_stream::Block;
use std::io::Read;

const COLUMNS: [&str; 11] = [
    "variant",
    "resize",
    "crop",
    "interpolation",
    "color",
    "normalization",
    "rank",
    "label",
    "score",
    "r",
    "relative_l2",
];

/// Writes the table: for each variant the classes of the highest scores (one line without any where there is no
/// classifier), and how far the layer has moved.
pub fn run(job: &Job, args: &Args) -> Result<()> {
    examine(job, args).with_context(|| args.model.display().to_string())
}

fn examine(job: &Job, args: &Args) -> Result<()> {
    let steps = preprocessing::choose::choose(job, &args.model, &args.preprocessing)?.preprocessing;
    let pictures = list(job, &args.images, args.nul)?;
    ensure!(pictures.len() == 1, "--doctor looks at one picture, {} are given", pictures.len());
    let labels = labels(job, args)?;
    let (graph, folder) = read_model(job, &args.model)?;
    let (wanted, asked) = wanted(job, args, &graph)?;
    let graph = Graph::read(graph.cut_to(&wanted)?)?;
    check_inputs(&graph)?;
    let tainted = tainted(&graph, &args.inputs.set);
    if let Some((name, why)) = wanted.iter().find_map(|name| Some((name, tainted.get(name.as_str())?))) {
        bail!("layer \"{name}\" depends on {why}");
    }
    record_weights(job, &graph, &folder)?;
    let runtime = args.running.runtime()?;
    let execution = args.running.execution(job, &runtime)?;
    let opener = Opener { runtime: &runtime, execution: &execution, folder: &folder, inputs: &args.inputs };
    let mut network = Network::open(graph.bytes(), opener)?;

    let reading = args.preprocessing.reading();
    let size = match (network.input.height.fixed(), network.input.width.fixed(), steps.fixed_size()) {
        (Some(height), Some(width), _) => Size { height, width },
        (_, _, Some(size)) => size,
        _ => final_size(&pictures, &steps, &reading)?,
    };
    let steps = ending_with(job, steps, size);
    let watched = Watched::find(job, &mut network, size, (asked, graph.outputs()))?;
    ensure!(
        watched.classes.is_some() || labels.is_empty(),
        "--labels: the network has no classifier whose classes could be named"
    );
    if let Some(misfit) = steps.misfit(network.input.channels) {
        bail!("{misfit}");
    }
    let shown = Shown { steps, reading, size, pictures };
    let mut table = TableWriter::new(job.text_output(args.common.output.as_deref())?, args.format, &COLUMNS)?;
    fill(&mut table, &mut network, shown, &watched, (&labels, args.top))?;
    table.into_inner().commit(job)
}

/// The names of the classes; none where no file was given.
fn labels(job: &Job, args: &Args) -> Result<Vec<String>> {
    let mut text = String::new();
    if let Some(labels) = &args.labels {
        job.open(labels)?.reader().read_to_string(&mut text).with_context(|| labels.to_string())?;
    }
    Ok(text.lines().map(|line| line.trim().to_string()).collect())
}

/// The tensors to look at: the layer that was asked for (and whether one was), then the network's outputs.
fn wanted(job: &Job, args: &Args, graph: &Graph) -> Result<(Vec<String>, bool)> {
    let mut wanted = Vec::new();
    if !args.layer.is_empty() {
        let Chosen { choices, notes } = choose(&args.layer, graph)?;
        notes.iter().for_each(|note| job.note(note));
        ensure!(choices.len() == 1, "--doctor watches one layer, {} are asked for", choices.len());
        wanted.push(choices[0].tensor.clone());
    }
    let asked = !wanted.is_empty();
    let others: Vec<String> = graph.outputs().iter().filter(|output| !wanted.contains(output)).cloned().collect();
    wanted.extend(others);
    Ok((wanted, asked))
}

/// The steps made to end with `size`, where they end with another one or with the picture's own.
fn ending_with(job: &Job, steps: Preprocessing, size: Size) -> Preprocessing {
    match steps.fixed_size() {
        Some(made) if made != size => {
            job.note(format_args!(
                "the network takes {size} pixels, the preprocessing makes {made}; variant 0 ends with {size}"
            ));
            let short_side = Resize::ShortSide(size.height.min(size.width));
            Preprocessing { resize: short_side, crop: Some(size), ..steps }
        }
        None => Preprocessing { crop: Some(size), ..steps },
        _ => steps,
    }
}

/// Where the layer and the classifier stand among the network's outputs.
struct Watched {
    /// The layer whose movement is measured.
    layer: usize,
    /// The classifier.
    classes: Option<usize>,
}

impl Watched {
    /// The layer that was `asked` for, which stands first then, else the last output; and what looks like a classifier.
    fn find(job: &Job, network: &mut Network, size: Size, (asked, own): (bool, &[String])) -> Result<Self> {
        let unusable = network.settle(size)?;
        let usable = |i: &usize| unusable[*i].is_none();
        let is_classifier = |i: &usize| {
            let axes = &network.layers[*i].tensor.axes;
            usable(i) && axes.len() == 2 && axes[1].fixed().is_some_and(|n| n > 1)
        };
        let outputs = usize::from(asked)..network.layers.len();
        // A layer that is an output itself stands first and is not repeated.
        let itself = || {
            Some(0)
                .filter(|i| own.first() == network.layers.first().map(|layer| &layer.tensor.name) && is_classifier(i))
        };
        let classes = outputs.clone().rev().find(is_classifier).or_else(itself);
        let layer = match (asked, unusable.first()) {
            (true, Some(Some(reason))) => bail!("{reason}"),
            (true, _) => 0,
            _ => outputs.rev().find(usable).context("no output of the network gives a row of numbers per picture")?,
        };
        match classes {
            Some(classes) => {
                let TensorInfo { name, axes, .. } = &network.layers[classes].tensor;
                job.note(format_args!("output \"{name}\" ({}) is taken for a classifier", shape_text(axes)));
            }
            None => {
                job.note("no output looks like a classifier's (pictures x classes); only the layer's movement is shown")
            }
        }
        Ok(Self { layer, classes })
    }
}

fn fill<W: std::io::Write>(
    table: &mut TableWriter<W>,
    network: &mut Network,
    mut shown: Shown,
    watched: &Watched,
    (labels, top): (&[String], usize),
) -> Result<()> {
    let levels_only = network.input.element == Element::U8;
    let mut first: Option<Vec<f64>> = None;
    for (i, variant) in variants(shown.steps, shown.size, levels_only, network.input.channels).into_iter().enumerate() {
        let Variant { steps, normalization } = variant;
        shown.steps = steps;
        let answer = answer(network, &shown, watched)?;
        let reference = first.get_or_insert_with(|| answer.layer.clone());
        let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
        let moved = square(&mut reference.iter().zip(&answer.layer).map(|(a, b)| a - b)).sqrt();
        let of_variant: [Named; 8] = [
            ("variant", i.into()),
            ("resize", steps.resize.to_string().into()),
            ("crop", steps.crop.map_or("none".to_string(), |crop| crop.to_string()).into()),
            ("interpolation", steps.interpolation.name().into()),
            ("color", steps.color.name().into()),
            ("normalization", normalization.into()),
            ("r", statistics::pearson(reference, &answer.layer).into()),
            ("relative_l2", (moved / square(&mut reference.iter().copied()).sqrt()).into()),
        ];
        for of_class in ranked(answer.classes, labels, top)? {
            table.record(&[&of_variant[..], &of_class].concat())?;
        }
    }
    Ok(())
}

/// Rank, label and score of the `top` classes; one row of empty cells where there is no classifier.
fn ranked(classes: Option<Vec<f64>>, labels: &[String], top: usize) -> Result<Vec<[Named<'_>; 3]>> {
    let Some(classes) = classes else { return Ok(vec![row(None, None, None)]) };
    let scores = probabilities(classes);
    ensure!(
        labels.is_empty() || labels.len() == scores.len(),
        "--labels has {} lines, the classifier {} classes",
        labels.len(),
        scores.len()
    );
    let mut ranked: Vec<usize> = (0..scores.len()).collect();
    // Stable: of equal scores the lower class comes first.
    ranked.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let label = |class: usize| labels.get(class).cloned().unwrap_or_else(|| class.to_string());
    let rows = ranked.into_iter().take(top).enumerate();
    let rows: Vec<_> = rows.map(|(i, class)| row(Some(i + 1), Some(label(class)), Some(scores[class]))).collect();
    Ok(if rows.is_empty() { vec![row(None, None, None)] } else { rows })
}

fn row<'a>(rank: Option<usize>, label: Option<String>, score: Option<f64>) -> [Named<'a>; 3] {
    [("rank", rank.into()), ("label", label.into()), ("score", score.into())]
}

/// What the network makes of one variant: the layer, and the classifier's output if there is one.
struct Answer {
    layer: Vec<f64>,
    classes: Option<Vec<f64>>,
}

fn answer(network: &mut Network, shown: &Shown, watched: &Watched) -> Result<Answer> {
    let input = network.input.clone();
    let batch = shown.feed(&input, BadImage::Stop, false).prepare(&shown.pictures)?.batch;
    let n_run = input.batch.fixed().unwrap_or(1);
    let wanted: Vec<usize> = [watched.layer].into_iter().chain(watched.classes).collect();
    let mut rows: Vec<Vec<f64>> = vec![Vec::new(); wanted.len()];
    network.run(batch, (1, n_run), shown.size, &wanted, |slot, block| {
        rows[slot] = match block {
            Block::F4(block) => block.iter().map(|&v| f64::from(v)).collect(),
            Block::F8(block) => block.iter().copied().collect(),
        };
        Ok(())
    })?;
    let classes = watched.classes.and_then(|_| rows.pop());
    Ok(Answer { layer: rows.swap_remove(0), classes })
}

/// The values themselves where they are probabilities already, else their softmax.
fn probabilities(values: Vec<f64>) -> Vec<f64> {
    let sum: f64 = values.iter().sum();
    if values.iter().all(|v| (0.0..=1.0).contains(v)) && (sum - 1.0).abs() < 1e-3 {
        return values;
    }
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let raised: Vec<f64> = values.iter().map(|v| (v - largest).exp()).collect();
    let sum: f64 = raised.iter().sum();
    raised.into_iter().map(|v| v / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_probabilities() {
        assert_eq!(probabilities(vec![0.25, 0.75]), [0.25, 0.75]);
        let soft = probabilities(vec![0.0, 3f64.ln()]);
        assert!((soft[0] - 0.25).abs() < 1e-12 && (soft[1] - 0.75).abs() < 1e-12);
    }
}
