//! The tool, top to bottom: list the pictures, choose the layers, open the network, run, write.

use crate::args::Args;
use crate::bad_pictures::{BadPictures, with_nan_rows};
use crate::feed::{Feed, PictureFacts, Prepared};
use crate::graph::{Graph, GraphTensor};
use crate::headers;
use crate::images::{PicturesDigest, Stimulus, list};
use crate::layers::{Choice, choose};
use crate::network::{Element, Network, PictureInput, TensorInfo, outputs, shape_text};
use crate::picture::{Grey16, Reading};
use crate::preprocess::{Preprocessing, Size};
use crate::runtime::Runtime;
use crate::sinks::{InputDump, LayerLabel, Sinks, make_folder};
use crate::steps::{self, Steps};
use anyhow::{Context, Result, bail, ensure};
use cli::{Cell, Input, Job, Output, TableWriter};
use serde_json::json;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Batches that may wait for the network. One is enough to keep it busy; two ride out a slow picture.
const BATCHES_AHEAD: usize = 2;

/// Runs the tool.
pub fn run(args: Args) -> Result<()> {
    let job = Job::start("ann-acts", &args.common)?;
    let job = if args.out_dir.is_some() || args.dump_input.is_some() { job.with_provenance() } else { job };
    let model_name = args.model.display().to_string();
    if args.list_layers {
        let output = Output::text(args.common.output.as_deref())?;
        let graph = read_model(&job, &args.model)?;
        let runtime = Runtime::load(args.onnxruntime.as_deref())?;
        let table = TableWriter::new(output, args.format, &["index", "layer", "op", "shape", "n_units", "dtype"])?;
        return list_layers(&graph, &runtime, folder_of(&args.model), table)
            .with_context(|| model_name)?
            .into_inner()
            .commit(&job);
    }

    let output = match &args.out_dir {
        Some(folder) => {
            make_folder(folder)?;
            None
        }
        None => Some(Output::binary(args.common.output.as_deref())?),
    };
    let dump = args.dump_input.as_deref().map(|path| Output::binary(Some(path))).transpose()?;
    let chosen = steps::choose(&args, &job)?;
    let steps = chosen.preprocessing;
    let stimuli = list(&job, &args.images, args.nul)?;
    let reading = args.reading();
    let size = headers::check(&stimuli, &steps, &reading)?;
    let graph = read_model(&job, &args.model)?;
    let choices = choose(&args.layer, &graph.tensors()).with_context(|| model_name.clone())?;
    let wanted: Vec<String> = choices.iter().map(|choice| choice.tensor.clone()).collect();

    let runtime = Runtime::load(args.onnxruntime.as_deref())?;
    let cut = graph.cut_to(&wanted).with_context(|| model_name.clone())?;
    drop(graph);
    let mut network =
        Network::open(&runtime, &cut, folder_of(&args.model), job.n_threads()).with_context(|| model_name.clone())?;
    drop(cut);
    check_input(&network, &steps, size).with_context(|| model_name.clone())?;
    let unusable = network.settle(size).with_context(|| model_name.clone())?;
    let kept = usable(&job, &choices, unusable).with_context(|| model_name.clone())?;
    let batch = batch_size(&job, &network, args.batch);

    let labels: Vec<LayerLabel> = kept.iter().map(|&i| label(&network.layers[i].tensor)).collect();
    let mut sinks = match (output, &args.out_dir) {
        (Some(output), _) => Sinks::stream(output, labels, stimuli.len(), args.dtype)?,
        (None, Some(folder)) => Sinks::folder(folder, labels, stimuli.len(), args.dtype)?,
        (None, None) => bail!("nowhere to write"),
    };
    let mut dump = dump.map(|output| InputDump::new(output, stimuli.len(), size)).transpose()?;

    let input = network.input.clone();
    let with_sidecar = args.common.output.is_some() || args.out_dir.is_some() || dump.is_some();
    let feed = Feed::new(&steps, &input, size, with_sidecar).reading(reading, args.bad_image());
    let mut seen = Seen::default();
    let mut bad_pictures = BadPictures::default();
    let progress = job.progress(stimuli.len(), "images");
    prepare_ahead(&feed, stimuli.chunks(batch), |prepared, chunk| {
        let bad = bad_pictures.add(&prepared.facts, chunk);
        if let Some(dump) = &mut dump {
            dump.take(&prepared.batch, chunk.len(), &bad)?;
        }
        seen.add(&prepared.facts, chunk);
        network.run(prepared.batch, chunk.len(), size, &kept, |slot, block| {
            with_nan_rows(block, &bad, |block| sinks.take(slot, block))
        })?;
        progress.advance(chunk.len());
        Ok(())
    })?;
    drop(progress);

    seen.report(&job, stimuli.len(), reading);
    bad_pictures.report(&job, stimuli.len());
    sinks.expect_nan_rows(bad_pictures.count());
    job.record(
        "reading",
        json!({ "exif": reading.exif, "grey16": reading.grey16.name(), "bad_image": args.bad_image().name() }),
    );
    record(&job, &chosen, &input, size, batch, &runtime);
    job.record("n_stimuli", stimuli.len());
    if with_sidecar {
        job.record("pictures_sha256", seen.digest.finish());
    }
    let ids: Vec<String> = stimuli.into_iter().map(|stimulus| stimulus.id).collect();
    if let Some(dump) = dump {
        dump.finish(&job, &ids)?;
    }
    sinks.finish(&job, &ids)
}

/// Hands each chunk's batch to `take`, in order, while the next ones are being prepared.
fn prepare_ahead<'a>(
    feed: &Feed,
    chunks: impl Iterator<Item = &'a [Stimulus]> + Send,
    mut take: impl FnMut(Prepared, &'a [Stimulus]) -> Result<()>,
) -> Result<()> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(BATCHES_AHEAD);
        scope.spawn(move || {
            for chunk in chunks {
                let prepared = feed.prepare(chunk);
                let failed = prepared.is_err();
                // A receiver that is gone has failed and says so itself.
                if sender.send((prepared, chunk)).is_err() || failed {
                    return;
                }
            }
        });
        receiver.iter().try_for_each(|(prepared, chunk)| take(prepared?, chunk))
    })
}

fn read_model(job: &Job, path: &Path) -> Result<Graph> {
    let mut bytes = Vec::new();
    let name = || path.display().to_string();
    job.open(&Input::File(path.to_path_buf()))?.reader().read_to_end(&mut bytes).with_context(name)?;
    Graph::read(bytes).with_context(name)
}

/// Where weights that are not in the file itself lie.
fn folder_of(model: &Path) -> &Path {
    match model.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn list_layers<W: std::io::Write>(
    graph: &Graph,
    runtime: &Runtime,
    folder: &Path,
    mut table: TableWriter<W>,
) -> Result<TableWriter<W>> {
    let tensors = graph.tensors();
    let names: Vec<String> = tensors.iter().map(|tensor| tensor.name.clone()).collect();
    let known: HashMap<String, (TensorInfo, Option<usize>)> = outputs(runtime, &graph.with_outputs(&names), folder)?
        .into_iter()
        .map(|(info, n_units)| (info.name.clone(), (info, n_units)))
        .collect();
    for (index, GraphTensor { name, op, .. }) in tensors.iter().enumerate() {
        let info = known.get(name);
        let row: [Cell; 6] = [
            index.into(),
            name.into(),
            op.into(),
            info.map(|(info, _)| shape_text(&info.axes)).into(),
            info.and_then(|(_, n_units)| *n_units).into(),
            info.map(|(info, _)| info.element.name()).into(),
        ];
        table.row(&row)?;
    }
    Ok(table)
}

fn label(tensor: &TensorInfo) -> LayerLabel<'_> {
    LayerLabel { name: &tensor.name, shape: shape_text(&tensor.axes) }
}

fn check_input(network: &Network, steps: &Preprocessing, size: Size) -> Result<()> {
    let input = &network.input;
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

/// The layers that give rows. One that was named and cannot is an error; one met by a glob is left out.
fn usable(job: &Job, choices: &[Choice], unusable: Vec<Option<String>>) -> Result<Vec<usize>> {
    let mut kept = Vec::new();
    let mut left_out: Vec<String> = Vec::new();
    for (i, (choice, reason)) in choices.iter().zip(unusable).enumerate() {
        match reason {
            None => kept.push(i),
            Some(reason) if choice.named => bail!("{reason}"),
            Some(reason) => left_out.push(reason),
        }
    }
    if let Some(first) = left_out.first() {
        ensure!(!kept.is_empty(), "none of {} tensors gives a row per picture: {first}", choices.len());
        job.note(format_args!("{} of {} tensors left out: {first}", left_out.len(), choices.len()));
    }
    Ok(kept)
}

fn batch_size(job: &Job, network: &Network, asked: usize) -> usize {
    match network.input.batch.fixed() {
        Some(fixed) if fixed != asked => {
            job.note(format_args!("the network takes batches of {fixed}; --batch {asked} not used"));
            fixed
        }
        _ => asked,
    }
}

/// What was met in the pictures.
#[derive(Default)]
struct Seen {
    deep_grey: usize,
    padded: usize,
    digest: PicturesDigest,
}

impl Seen {
    fn add(&mut self, facts: &[PictureFacts], stimuli: &[Stimulus]) {
        for (facts, stimulus) in facts.iter().zip(stimuli) {
            self.deep_grey += usize::from(facts.deep_grey);
            self.padded += usize::from(facts.padded);
            self.digest.add(&facts.digest, &stimulus.id);
        }
    }

    fn report(&self, job: &Job, n: usize, reading: Reading) {
        if self.deep_grey > 0 {
            let done = match reading.grey16 {
                Grey16::High => "their high byte was taken (Pillow clips them at 255: --grey16 clip)",
                Grey16::Clip => "they were clipped at 255 as Pillow does (--grey16 high takes their high byte)",
            };
            job.warn(format_args!("{} of {n} pictures are 16-bit grey; {done}", self.deep_grey));
        }
        if self.padded > 0 {
            job.warn(format_args!(
                "{} of {n} pictures are smaller than the crop; black was put around them",
                self.padded
            ));
        }
    }
}

fn record(job: &Job, steps: &Steps, input: &PictureInput, size: Size, batch: usize, runtime: &Runtime) {
    job.record("preprocessing", steps.record(input, size));
    job.record("batch", batch);
    job.record("device", "cpu");
    job.record("onnxruntime", runtime.version.clone());
}
