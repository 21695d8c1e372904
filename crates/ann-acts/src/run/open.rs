//! The network cut to its layers, shown to give a row per picture, with what is read out of each.

use crate::args::Args;
use crate::changed::Viewing;
use crate::graph::file::record_weights;
use crate::graph::omitted::check_inputs;
use crate::graph::{Graph, GraphTensor};
use crate::layers::Choice;
use crate::layers::dedup::without_repeated;
use crate::layers::probe::probe;
use crate::layers::rows::usable;
use crate::network::args::BatchSize;
use crate::network::device::Device;
use crate::network::tensor::Element;
use crate::network::{Network, Opener};
use crate::pictures::Size;
use crate::preprocessing::Preprocessing;
use crate::run::plan::{Model, Plan};
use crate::units::projection::Projection;
use crate::units::{self, LayerReadout};
use anyhow::{Context, Result, bail, ensure};
use cli::Job;
use std::collections::HashSet;

/// Input and layers of one batch under `--batch auto`.
const AUTO_BATCH_BYTES: usize = 256 << 20;

/// A network that is ready to run.
pub struct Opened {
    /// The network.
    pub network: Network,
    /// The layers that were asked for.
    pub choices: Vec<Choice>,
    /// Those that give rows, by their position in `choices`.
    pub kept: Vec<usize>,
    /// What is read out of them: the arrays that are written.
    pub readouts: Vec<LayerReadout>,
    /// How each array is projected; none where nothing is.
    pub projections: Vec<Projection>,
    /// Pictures that are prepared at once.
    pub batch: usize,
    /// Pictures that the network gets at once.
    pub n_run: usize,
}

/// Opens the network, changed if that is asked for.
pub fn open(job: &Job, args: &Args, plan: &Plan, model: Model, opener: Opener<'_>) -> Result<Opened> {
    let named = || args.model.display().to_string();
    let Model { graph, choices, .. } = model;
    let (shown, size) = (&plan.shown, plan.shown.size);
    let wanted: Vec<String> = choices.iter().map(|choice| choice.tensor.clone()).collect();
    let known = other_names(&graph, &wanted);
    let viewing = Viewing { job, opener, shown, batch: args.running.batch.at_first() };
    let (graph, pair) = match args.changed.is_asked() {
        true => viewing.changed(graph, &args.changed, &wanted).with_context(named)?,
        false => (graph, None),
    };
    // From here on the part that the layers need is the graph; the file's bytes go.
    let graph = graph.cut_to(&wanted).and_then(Graph::read).with_context(named)?;
    check_inputs(&graph).with_context(named)?;
    record_weights(job, &graph, opener.folder).with_context(named)?;
    let mut network = Network::open(graph.bytes(), opener).with_context(named)?;
    check_input(&network, &shown.steps, size).with_context(named)?;

    let input = network.input.clone();
    let probe = probe(&shown.feed(&input, args.preprocessing.bad_image, false), plan.stimuli(), size)?;
    let batch = args.running.batch;
    let mut kept = usable(job, (&graph, opener), &mut network, &choices, (&probe, size), batch).with_context(named)?;
    opener.runtime.report(job);
    if let Some(pair) = pair {
        let layers: Vec<(String, String)> =
            kept.iter().map(|&i| (choices[i].name.clone(), choices[i].tensor.clone())).collect();
        viewing.check(&pair, &layers).with_context(named)?;
    }
    if args.dedup {
        kept = without_repeated(job, &graph, &choices, &mut network, size, kept)?;
    }
    let traced = args.units.needs_axes().then(|| units::traced(&graph, &wanted, opener, size));
    let traced = traced.and_then(|traced| {
        let report = |error| {
            job.warn(format_args!(
                "the axes cannot be followed through the graph ({error:#}); they are taken by their number"
            ))
        };
        traced.map_err(report).ok()
    });
    drop(graph);
    let readouts = match args.units.needs_shapes() {
        true => {
            let layers = (size, kept.as_slice(), choices.as_slice());
            let units = (plan.chosen_units.as_ref(), known.as_slice());
            units::plan(job, &args.units, &mut network, layers, traced.as_ref(), units).with_context(named)?
        }
        false => units::whole(&kept, &choices),
    };
    let batch = batch_size(job, &mut network, batch, opener.execution.device, size, &kept)?;
    // The same number whatever the shard: numbers may depend on it in their last digits.
    let n_run = network.input.batch.fixed().unwrap_or(batch.min(shown.pictures.len()));
    Ok(Opened { network, choices, kept, readouts, projections: Vec::new(), batch, n_run })
}

/// Names of layers, by tensor, node or module, that are none of those wanted.
fn other_names(graph: &Graph, wanted: &[String]) -> Vec<String> {
    let (own, others): (Vec<_>, Vec<_>) = graph.tensors().into_iter().partition(|tensor| wanted.contains(&tensor.name));
    let names = |tensor: GraphTensor| [tensor.name, tensor.node, tensor.module];
    let own: HashSet<String> = own.into_iter().flat_map(names).collect();
    others.into_iter().flat_map(names).filter(|name| !name.is_empty() && !own.contains(name)).collect()
}

fn check_input(network: &Network, steps: &Preprocessing, size: Size) -> Result<()> {
    let input = &network.input;
    if let Some(misfit) = steps.misfit(input.channels) {
        bail!("{misfit}");
    }
    ensure!(
        input.takes(size),
        "the network takes {}x{} pixels, preprocessing makes {size}; set --resize and --crop",
        input.height,
        input.width
    );
    ensure!(
        input.element != Element::U8 || steps.keeps_levels(),
        "the network takes grey levels 0 to 255 as u1, {} scales them; use --preprocess raw255",
        steps.origin
    );
    Ok(())
}

fn batch_size(
    job: &Job,
    network: &mut Network,
    asked: BatchSize,
    device: Device,
    size: Size,
    kept: &[usize],
) -> Result<usize> {
    Ok(match (network.input.batch.fixed(), asked) {
        (Some(fixed), BatchSize::Pictures(asked)) if fixed != asked => {
            job.note(format_args!("the network takes batches of {fixed}; --batch {asked} not used"));
            fixed
        }
        (Some(fixed), _) => fixed,
        (None, BatchSize::Pictures(asked)) => asked,
        (None, BatchSize::Auto) => {
            let most = if device == Device::Cpu { 32 } else { 128 };
            let fits = (AUTO_BATCH_BYTES / bytes_per_picture(network, size, kept)?).clamp(1, most);
            // A power of two; measured speeds would choose differently from run to run, and numbers with them.
            let batch = 1 << fits.ilog2();
            job.note(format_args!("--batch auto: {batch} pictures at once"));
            batch
        }
    })
}

/// Bytes of one picture as input and in the layers `kept`, as f4.
fn bytes_per_picture(network: &mut Network, size: Size, kept: &[usize]) -> Result<usize> {
    let n_units = network.n_units(size)?;
    Ok(4 * (network.input.channels * size.height * size.width + kept.iter().map(|&i| n_units[i]).sum::<usize>()))
}
