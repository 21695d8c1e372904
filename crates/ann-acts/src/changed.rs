//! Networks that are changed before they are shown the pictures: untrained twins and lesions.

pub mod args;
mod calibration;
pub mod check;
pub mod folded;
mod information;
pub mod lesion;
pub mod untrained;
mod weight_roles;

use crate::changed::args::ChangedArgs;
use crate::changed::calibration::{Normalization, Statistics, n_channels, training_graph, with_statistics};
use crate::changed::check::Pair;
use crate::changed::folded::Folded;
use crate::changed::lesion::{HeldAt, LayerUnits, Lesion, LesionBy, by_name, lesioned, mask, units_by_layer};
use crate::changed::untrained::{Twin, Untrained};
use crate::feed::{Shown, prepare_ahead};
use crate::graph::Graph;
use crate::graph::file::record_weights;
use crate::layers::choose;
use crate::network::tensor::Element;
use crate::network::{Network, Opener};
use crate::pictures::BadImage;
use crate::pictures::stimuli::Stimulus;
use crate::units::{channels, traced};
use anyhow::{Context, Result, bail, ensure};
use cli::{Input, Job};
use npy_stream::Block;
use serde_json::json;
use stimulus_table::Table;

/// Pictures on which batch statistics are measured, if there are as many.
const CALIBRATION_PICTURES: usize = 32;

/// Fewer than this are too few to standardize by.
const FEWEST_CALIBRATION_PICTURES: usize = 8;

/// What normalizations of a twin get.
struct Measured {
    /// Mean, then variance, of each in turn.
    statistics: Vec<Vec<f64>>,
    /// The pictures it was measured on.
    stimuli: Vec<String>,
    /// Whether the network was run once for every normalization.
    one_by_one: bool,
}

/// The network as it is in its file, and what is needed to show pictures to it.
pub struct Viewing<'a> {
    /// The run.
    pub job: &'a Job,
    /// How networks are opened.
    pub opener: Opener<'a>,
    /// All pictures, whatever the shard: what is measured on them must not depend on it.
    pub shown: &'a Shown,
    /// Pictures per forward pass.
    pub batch: usize,
}

impl Viewing<'_> {
    /// The network untrained, lesioned, or both: the lesion is one of the untrained twin then. With it the trained
    /// network and its twin before the lesion, to be compared.
    pub fn changed(&self, mut graph: Graph, args: &ChangedArgs, wanted: &[String]) -> Result<(Graph, Option<Pair>)> {
        let mut pair = None;
        record_weights(self.job, &graph, self.opener.folder)?;
        let lesion = args.lesion.as_ref().map(|table| self.lesion_units(&graph, table, args)).transpose()?;
        if let Some(untrained) = args.untrained {
            let mut all = wanted.to_vec();
            all.extend(lesion.iter().flatten().map(|layer| layer.tensor.clone()));
            let twin = self.untrained(&graph, args, untrained, &all)?;
            let cut = |graph: &Graph| graph.cut_to(wanted).and_then(Graph::read);
            pair = Some(Pair { trained: cut(&graph)?, twin: cut(&twin)? });
            graph = twin;
        }
        if let Some(layers) = &lesion {
            graph = self.lesioned(&graph, layers, args, wanted)?;
        }
        Ok((graph, pair))
    }

    fn network(&self, graph: &Graph, tensors: &[String]) -> Result<Network> {
        Network::open(&graph.cut_to(tensors)?, self.opener)
    }

    /// The untrained twin of `graph`, with the normalizations that were folded into its weights, and batch statistics
    /// measured where the tensors of `wanted` depend on them.
    fn untrained(&self, graph: &Graph, args: &ChangedArgs, untrained: Untrained, wanted: &[String]) -> Result<Graph> {
        let mut twin = Twin::draw(graph, self.opener.folder, untrained)?;
        let folded = Folded::find(graph, self.opener.folder, &twin.roles, args.normalize)?;
        twin.graph = folded.unfolded(&twin.graph, &twin.roles)?;
        for doubt in [twin.doubt(), folded.doubt()].into_iter().flatten() {
            self.job.warn(doubt);
        }
        let mut record = twin.record();
        record["normalization"] = folded.record(graph);
        self.job.note(twin.summary());
        let shows = graph.nodes().iter().any(|node| normalizes(&node.op_type));
        match folded.summary() {
            summary if !summary.is_empty() && (!folded.is_empty() || !shows) => {
                self.job.note(format_args!("--untrained: {summary}"))
            }
            _ => {}
        }
        let (training, normalizations) = training_graph(&twin.graph, &twin.graph.ancestors(wanted))?;
        ensure!(
            args.calibrate_on.is_empty() || !normalizations.is_empty(),
            "--calibrate-on: this twin has no normalization to measure; leave the option out, or give --normalize all"
        );
        if !normalizations.is_empty() {
            let others = match args.calibrate_on.as_slice() {
                [] => None,
                given => Some(self.shown.others(self.job, given, "--calibrate-on")?),
            };
            let pictures = others.as_ref().unwrap_or(self.shown);
            let measured = self.measured(&twin.graph, training, &normalizations, pictures)?;
            let Measured { statistics, stimuli, one_by_one } = measured;
            let (calibrated, n_constant) = with_statistics(&twin.graph, &normalizations, &statistics)?;
            twin.graph = calibrated;
            let (layers, n) = (normalizations.len(), stimuli.len());
            self.job.note(format_args!(
                "--untrained: statistics of {layers} batch normalizations measured on {n} pictures{}",
                if one_by_one { ", layer by layer, as the network takes few at once" } else { "" }
            ));
            if n < FEWEST_CALIBRATION_PICTURES {
                self.job.warn(format_args!(
                    "--untrained: statistics of {n} pictures are hardly those of a picture set; give --calibrate-on \
                     PICTURES"
                ));
            }
            if n_constant > 0 {
                self.job.warn(format_args!(
                    "--untrained: {n_constant} channels do not vary over these pictures (or overflow); their variance \
                     stays 1"
                ));
            }
            record["calibration"] = json!({
                "stimuli": stimuli,
                "n_layers": layers,
                "n_constant_channels": n_constant,
                "one_by_one": one_by_one,
            });
        }
        self.job.record("untrained", record);
        Ok(twin.graph)
    }

    /// Mean and variance of what every normalization of `graph` gets, those before it in place; `training` is the graph
    /// that takes them from the batch it is shown.
    fn measured(
        &self,
        graph: &Graph,
        training: Graph,
        normalizations: &[Normalization],
        shown: &Shown,
    ) -> Result<Measured> {
        let tensors: Vec<String> =
            normalizations.iter().flat_map(|n| [n.batch_mean.clone(), n.batch_variance.clone()]).collect();
        let mut network = self.network(&training, &tensors)?;
        let fixed = network.input.batch.fixed();
        let n = match fixed {
            None => CALIBRATION_PICTURES.min(shown.pictures.len()),
            Some(fixed) => CALIBRATION_PICTURES.div_ceil(fixed) * fixed,
        };
        let spread: Vec<Stimulus> = (0..n).map(|i| shown.pictures[i * shown.pictures.len() / n].clone()).collect();
        let stimuli = spread.iter().map(|stimulus| stimulus.id.clone()).collect();
        if fixed.is_none_or(|fixed| fixed == n) {
            let input = network.input.clone();
            let batch = shown.feed(&input, BadImage::Stop, false).prepare(&spread)?.batch;
            // A batch axis may be open in name alone.
            let measured = network.fetch(batch, n, shown.size);
            if let Ok(statistics) = measured {
                return Ok(Measured { statistics, stimuli, one_by_one: false });
            }
        }
        drop(network);
        let mut statistics: Vec<Vec<f64>> = Vec::new();
        let progress = self.job.progress(normalizations.len(), "normalizations measured");
        for (i, n_channels) in n_channels(graph, normalizations)?.into_iter().enumerate() {
            let (so_far, _) = with_statistics(graph, &normalizations[..i], &statistics)?;
            let mut network = self.network(&so_far, std::slice::from_ref(&normalizations[i].input))?;
            let input = network.input.clone();
            let (at_once, feed) = (fixed.unwrap_or(1), shown.feed(&input, BadImage::Stop, false));
            let is_flat = network.layer_shapes(shown.size)?[0].len() == 2;
            let mut gathered = Statistics::new(n_channels);
            prepare_ahead(&feed, spread.chunks(at_once), |prepared, chunk| {
                let values = network.fetch(prepared.batch, chunk.len(), shown.size)?.remove(0);
                let n_rows = if is_flat { values.len() / n_channels.max(1) } else { chunk.len() };
                gathered.add(&values, n_rows);
                Ok(())
            })?;
            statistics.extend(gathered.finish());
            progress.advance(1);
        }
        Ok(Measured { statistics, stimuli, one_by_one: true })
    }

    /// The lesion's layers and units.
    fn lesion_units(&self, graph: &Graph, table: &Input, args: &ChangedArgs) -> Result<Vec<LayerUnits>> {
        let source = || table.to_string();
        let table = Table::read(self.job.open(table)?.reader()).with_context(source)?;
        let single = |name: &str| {
            let found = choose(&[name.to_string()], graph).ok()?;
            found.choices.first().filter(|choice| choice.named).map(|choice| choice.tensor.clone())
        };
        units_by_layer(&table, args.lesion_layer.as_deref(), args.lesion_by, |name| by_name(name, graph, single))
            .with_context(source)
    }

    /// `graph` with these units held at a value.
    fn lesioned(&self, graph: &Graph, layers: &[LayerUnits], args: &ChangedArgs, wanted: &[String]) -> Result<Graph> {
        let makers = graph.makers();
        let touched = |tensor: &String| {
            let needed = graph.ancestors(std::slice::from_ref(tensor));
            layers.iter().any(|layer| makers.get(layer.tensor.as_str()).is_some_and(|&maker| needed[maker]))
        };
        let intact: Vec<&String> = wanted.iter().filter(|tensor| !touched(tensor)).collect();
        if let Some(first) = intact.first() {
            let all = wanted.len();
            ensure!(
                intact.len() < all,
                "--lesion: layer \"{first}\" does not depend on the lesioned one; ask for a layer behind it"
            );
            self.job.note(format_args!(
                "{} of {all} layers do not depend on the lesion, such as \"{first}\"",
                intact.len()
            ));
        }
        let tensors: Vec<String> = layers.iter().map(|layer| layer.tensor.clone()).collect();
        let mut network = self.network(graph, &tensors)?;
        if let Some(reason) = network.settle(self.shown.size)?.into_iter().flatten().next() {
            bail!("--lesion: {reason}");
        }
        let shapes = network.measured(self.shown.size)?;
        let channels = match args.lesion_by {
            Some(LesionBy::Channel) => {
                let traced = traced(graph, &tensors, self.opener, self.shown.size)?;
                (0..layers.len()).map(|i| channels(&network, i, &shapes[i].0, &traced)).collect()
            }
            _ => vec![None; layers.len()],
        };
        let mut masks = Vec::new();
        for (layer, (shape, axis)) in layers.iter().zip(&shapes) {
            let mask = mask(shape, *axis, &layer.units, args.lesion_by, channels[masks.len()]);
            masks.push(mask.with_context(|| format!("layer \"{}\"", layer.tensor))?);
        }
        let values = match args.to {
            HeldAt::Number(value) => vec![vec![value]; layers.len()],
            HeldAt::Mean => self.means(&mut network)?,
        };
        let elements: Vec<Element> = network.layers.iter().map(|layer| layer.tensor.element).collect();
        let mut one_picture = Vec::new();
        for (i, (shape, axis)) in shapes.iter().enumerate() {
            let mut shape = shape.clone();
            axis.iter().for_each(|&axis| shape[axis] = 1);
            let n_lesioned = masks[i].iter().filter(|&&m| m).count();
            self.job.note(format_args!(
                "lesion: {n_lesioned} of {} units of \"{}\" held at {}",
                masks[i].len(),
                tensors[i],
                args.to
            ));
            one_picture.push(shape);
        }
        let lesions: Vec<Lesion<'_>> = (0..layers.len())
            .map(|i| Lesion {
                tensor: &tensors[i],
                element: elements[i],
                shape: &one_picture[i],
                mask: &masks[i],
                values: &values[i],
            })
            .collect();
        let record: Vec<_> = lesions
            .iter()
            .map(|lesion| {
                let n_lesioned = lesion.mask.iter().filter(|&&m| m).count();
                json!({
                    "layer": lesion.tensor, "n_lesioned": n_lesioned, "n_units": lesion.mask.len(),
                    "to": args.to.to_string()
                })
            })
            .collect();
        self.job.record("lesion", record);
        lesioned(graph, &lesions)
    }

    /// Mean of each unit of each layer over all pictures, summed in f64.
    fn means(&self, network: &mut Network) -> Result<Vec<Vec<f64>>> {
        let input = network.input.clone();
        let feed = self.shown.feed(&input, BadImage::Stop, false);
        let batch = input.batch.fixed().unwrap_or(self.batch);
        let n_run = input.batch.fixed().unwrap_or(batch.min(self.shown.pictures.len()));
        let all: Vec<usize> = (0..network.layers.len()).collect();
        let mut sums: Vec<Vec<f64>> = vec![Vec::new(); all.len()];
        let progress = self.job.progress(self.shown.pictures.len(), "images for the means");
        prepare_ahead(&feed, self.shown.pictures.chunks(batch), |prepared, chunk| {
            network.run(prepared.batch, (chunk.len(), n_run), self.shown.size, &all, |slot, block| {
                let sums = &mut sums[slot];
                sums.resize(block.n_columns(), 0.0);
                match block {
                    Block::F4(rows) => {
                        rows.rows().into_iter().for_each(|row| add(sums, row.iter().map(|&v| f64::from(v))))
                    }
                    Block::F8(rows) => rows.rows().into_iter().for_each(|row| add(sums, row.iter().copied())),
                }
                Ok(())
            })?;
            progress.advance(chunk.len());
            Ok(())
        })?;
        let n = self.shown.pictures.len() as f64;
        sums.iter_mut().flatten().for_each(|sum| *sum /= n);
        Ok(sums)
    }
}

/// Whether an operator keeps the scale of activations by itself; exports before opset 17 take layer normalization
/// apart, down to a square root.
fn normalizes(op: &str) -> bool {
    op.ends_with("Normalization") || op == "GroupNorm" || op == "Sqrt"
}

fn add(sums: &mut [f64], values: impl Iterator<Item = f64>) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}
