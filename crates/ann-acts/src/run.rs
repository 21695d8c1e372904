//! The tool, top to bottom: list the pictures, choose the layers, open the network, run, write.

use crate::altered::Viewing;
use crate::args::{Args, BatchSize};
use crate::bad_pictures::{BadImage, BadPictures, with_nan_rows};
use crate::company::{Kind, Probe, Verdict};
use crate::coupling::{tainted, without_coupled};
use crate::dedup::{Candidate, repeated};
use crate::device::{self, Device, DeviceChoice, Execution};
use crate::doctor::{self, Watched};
use crate::feed::{Feed, PictureFacts, prepare_ahead};
use crate::foreign;
use crate::graph::Graph;
use crate::headers;
use crate::images::{PicturesDigest, Stimulus, digest_text, list};
use crate::inputs::PictureInput;
use crate::layers::{Choice, Chosen, addresses, choose, is_too_long};
use crate::listing::{COLUMNS, list_layers};
use crate::network::{Element, Network, Proof, TensorInfo, shape_text};
use crate::noted::Noted;
use crate::omitted::{check_inputs, mended};
use crate::picture::{Grey16, Reading};
use crate::preprocess::{Preprocessing, Resize, Size};
use crate::probe::{self, Diagnosis};
use crate::projection::{FitRows, Projection, Wide};
use crate::resume::{Done, Journal, check_pictures, is_complete};
use crate::runtime::Runtime;
use crate::sinks::{InputDump, LayerLabel, Sinks, files_in, make_folder};
use crate::steps::{self, Steps};
use crate::units;
use crate::weight_files::{weight_files, with_links_followed};
use anyhow::{Context, Result, bail, ensure};
use cli::{Input, Job, Output, Shard, TableWriter};
use npy_stream::Block;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Pictures per forward pass unless --batch says otherwise.
const DEFAULT_BATCH: usize = 16;

/// Input and layers of one batch under `--batch auto`.
const AUTO_BATCH_BYTES: usize = 256 << 20;

/// Runs the tool.
pub fn run(args: Args) -> Result<()> {
    let job = Job::start("ann-acts", &args.common)?;
    let further = args.out_dir.is_some() || args.dump_input.is_some() || args.units.unit_table.is_some();
    let job = if further { job.with_provenance() } else { job };
    let model_name = args.model.display().to_string();
    if args.list_layers {
        let output = job.text_output(args.common.output.as_deref())?;
        let (graph, folder) = read_model(&job, &args.model)?;
        check_inputs(&graph).with_context(|| model_name.clone())?;
        let runtime = Runtime::load(args.onnxruntime.as_deref())?;
        let table = TableWriter::new(output, args.format, &COLUMNS)?;
        return list_layers(&job, &graph, &runtime, &folder, table)
            .inspect(|_| runtime.report(&job))
            .with_context(|| model_name)?
            .into_inner()
            .commit(&job);
    }

    if args.doctor {
        return examine_network(&job, &args).with_context(|| model_name);
    }
    if let Some(folder) = &args.out_dir {
        make_folder(folder)?;
    }
    let to_stream = args.out_dir.is_none() && !args.resume;
    let output = to_stream.then(|| job.binary_output(args.common.output.as_deref())).transpose()?;
    let dump = args.dump_input.as_deref().map(|path| job.binary_output(Some(path))).transpose()?;
    let unit_table = units::open_table(&job, &args.units)?;
    let chosen_units = units::chosen(&job, &args.units)?;
    let chosen = steps::choose(&args, &job)?;
    let steps = chosen.preprocessing;
    let listed = list(&job, &args.images, args.nul)?;
    let n_listed = listed.len();
    let mut stimuli = listed.as_slice();
    let reading = args.reading();
    // Where pictures make the size, those of all shards must agree.
    let size_of_all = match (args.shard, steps.fixed_size()) {
        (Some(_), None) => Some(headers::check(&listed, &steps, &reading)?),
        _ => None,
    };
    if let Some(shard) = args.shard {
        let part = shard.range(n_listed);
        ensure!(
            !part.is_empty(),
            "shard {}/{} of {n_listed} pictures is empty; use at most {n_listed} shards",
            shard.index,
            shard.count
        );
        job.record("shard", shard.record(n_listed));
        stimuli = &listed[part];
    }
    let size = match size_of_all {
        Some(size) => size,
        None => headers::check(stimuli, &steps, &reading)?,
    };
    let (mut graph, folder) = read_model(&job, &args.model)?;
    let Chosen { choices, notes } =
        choose(&layer_addresses(&job, &args)?, &graph).with_context(|| model_name.clone())?;
    notes.iter().for_each(|note| job.note(note));
    let choices = without_coupled(&job, &graph, choices, &args.set).with_context(|| model_name.clone())?;
    let wanted: Vec<String> = choices.iter().map(|choice| choice.tensor.clone()).collect();

    let runtime = Runtime::load(args.onnxruntime.as_deref())?;
    let known: Vec<String> = graph.tensors().into_iter().map(|tensor| tensor.name).collect();
    let execution = execution(&job, &args, &runtime)?;
    if args.untrained.is_some() || args.lesion.is_some() {
        graph = altered(
            &job,
            &args,
            &runtime,
            &execution,
            (graph, &folder),
            &wanted,
            &Shown { steps: &steps, reading, size, listed: &listed },
        )
        .with_context(|| model_name.clone())?;
    }
    // From here on the part that the layers need is the graph; the file's bytes go.
    let graph = graph.cut_to(&wanted).and_then(Graph::read).with_context(|| model_name.clone())?;
    check_inputs(&graph).with_context(|| model_name.clone())?;
    for file in weight_files(&graph, &folder).with_context(|| model_name.clone())? {
        // Opened for the record alone: the runtime reads it.
        job.open(&Input::File(file))?;
    }
    let mut network = Network::open(&runtime, graph.bytes(), &folder, &execution, &args.inputs())
        .with_context(|| model_name.clone())?;
    check_input(&network, &steps, size).with_context(|| model_name.clone())?;
    let input = network.input.clone();
    let feed = Feed::new(&steps, &input, size, false).reading(reading, args.bad_image());
    let probe = probe::probe(&feed, stimuli, size)?;
    let at = (&runtime, &execution, folder.as_path());
    let unusable =
        prove(&job, &args, &graph, (&mut network, at), &choices, (&probe, size)).with_context(|| model_name.clone())?;
    let mut kept = usable(&job, &choices, unusable).with_context(|| model_name.clone())?;
    runtime.report(&job);
    if args.dedup {
        kept = without_repeated(&job, &graph, &choices, &mut network, size, kept)?;
    }
    let traced = args.units.needs_axes().then(|| {
        let traced = units::traced(&graph, &wanted, (&runtime, &execution, &folder), &args.inputs(), size);
        let report = |error| {
            job.warn(format_args!(
                "the axes cannot be followed through the graph ({error:#}); they are taken by their number"
            ))
        };
        traced.map_err(report).ok()
    });
    let traced = traced.flatten();
    drop(graph);
    let readouts = match args.units.needs_shapes() {
        true => {
            let layers = (size, kept.as_slice(), choices.as_slice());
            units::plan(&job, &args.units, &mut network, layers, traced.as_ref(), (chosen_units.as_ref(), &known))
                .with_context(|| model_name.clone())?
        }
        false => Vec::new(),
    };
    let batch = batch_size(&job, &mut network, &args, &execution, size, &kept)?;
    // The same number whatever the shard: numbers may depend on it in their last digits.
    let n_run = network.input.batch.fixed().unwrap_or(batch.min(n_listed));

    let shown = Shown { steps: &steps, reading, size, listed: &listed };
    let projections = match args.projection.is_asked() {
        true => projections(&job, &args, &mut network, (&kept, &choices, &readouts), &shown, (batch, n_run))
            .with_context(|| model_name.clone())?,
        false => Vec::new(),
    };
    let input = network.input.clone();
    record(&job, &chosen, &input, size, batch, &runtime, &execution);
    job.record(
        "reading",
        json!({
            "exif": reading.exif, "grey16": reading.grey16.name(), "bad_image": args.bad_image().name(),
            "background": reading.background
        }),
    );
    job.record("units", args.units.record());
    let labels: Vec<LayerLabel> = kept.iter().map(|&i| label(&choices[i].name, &network.layers[i].tensor)).collect();
    let files = match (&args.out_dir, &args.common.output) {
        (Some(folder), _) => files_in(folder, labels.iter().map(|label| label.name.as_str()), args.shard),
        (None, Some(file)) if args.resume => vec![file.to_path_buf()],
        _ => Vec::new(),
    };
    let long: Vec<&str> = labels
        .iter()
        .map(|label| label.name.as_str())
        .filter(|name| args.out_dir.is_some() && is_too_long(name))
        .collect();
    if let Some(first) = long.first() {
        job.note(format_args!(
            "{} layer names are too long for a file and shortened there, such as {:?}...; the sidecars have them whole",
            long.len(),
            first.chars().take(40).collect::<String>()
        ));
    }
    let mut journal = None;
    if args.resume {
        match open_journal(&job, &args, &labels, stimuli, &files)? {
            Some(opened) => journal = Some(opened),
            None => {
                job.note(format_args!("all {} rows of {} are there already", stimuli.len(), files[0].display()));
                if let Some(output) = unit_table {
                    units::write_table(&job, output, &readouts)?;
                }
                return Ok(());
            }
        }
    }
    let done = journal.as_ref().map(|journal| journal.done.clone()).unwrap_or_default();
    if done.rows > 0 {
        check_pictures(stimuli, &done.digests)?;
        job.note(format_args!("{} of {} rows are there already; going on", done.rows, stimuli.len()));
    }
    let mut sinks = match output {
        Some(output) => Sinks::stream(output, labels, stimuli.len(), args.dtype)?,
        None if args.resume => Sinks::resumable(&job, &files, labels, stimuli.len(), args.dtype, &done)?,
        None => Sinks::files(&job, &files, labels, stimuli.len(), args.dtype)?,
    };
    if args.out_dir.is_some() {
        // The names of the files have only come up now.
        listed.iter().try_for_each(|stimulus| job.require_unwritten(&stimulus.path))?;
    }
    for slot in 0..kept.len() {
        let mut facts = readouts.get(slot).map(|layer| layer.facts.clone()).unwrap_or_default();
        if let Some(projection) = projections.get(slot) {
            facts.insert("projection".into(), projection.record(&args.projection));
        }
        sinks.describe(slot, facts);
    }
    let mut dump = dump.map(|output| InputDump::new(output, stimuli.len(), size, input.channels)).transpose()?;

    let with_sidecar = args.common.output.is_some() || args.out_dir.is_some() || dump.is_some();
    let feed = Feed::new(&steps, &input, size, with_sidecar).reading(reading, args.bad_image());
    let mut seen = Seen::after(&done, stimuli);
    let progress = job.progress(stimuli.len(), "images");
    progress.advance(done.rows);
    prepare_ahead(&feed, stimuli[done.rows..].chunks(batch), |prepared, chunk| {
        let bad = seen.bad.add(&prepared.facts, chunk);
        if let Some(dump) = &mut dump {
            dump.take(&prepared.batch, chunk.len(), &bad)?;
        }
        seen.add(&prepared.facts, chunk);
        network.run(prepared.batch, (chunk.len(), n_run), size, &kept, |slot, block| {
            let mut write = |block: Block<'_>| {
                let mut finish = |block: Block<'_>| with_nan_rows(block, &bad, |block| sinks.take(slot, block));
                match projections.get(slot) {
                    Some(projection) => projection.apply(block, finish),
                    None => finish(block),
                }
            };
            match readouts.get(slot) {
                Some(layer) => layer.readout.apply(block, write),
                None => write(block),
            }
        })?;
        if let Some(journal) = &mut journal {
            let digests = prepared.facts.iter().map(|facts| digest_text(&facts.digest)).collect();
            journal.push(seen.n, &sinks.checkpoint()?, seen.to_json(), digests)?;
        }
        progress.advance(chunk.len());
        Ok(())
    })?;
    drop(progress);
    runtime.report(&job);

    seen.report(&job, stimuli.len(), reading);
    seen.bad.report(&job, stimuli.len());
    sinks.expect_nan_rows(seen.bad.count());
    job.record("n_stimuli", stimuli.len());
    if with_sidecar {
        job.record("pictures_sha256", seen.digest.finish());
    }
    let ids: Vec<String> = stimuli.iter().map(|stimulus| stimulus.id.clone()).collect();
    if let Some(dump) = dump {
        dump.finish(&job, &ids)?;
    }
    if let Some(output) = unit_table {
        units::write_table(&job, output, &readouts)?;
    }
    sinks.finish(&job, &ids)?;
    journal.map_or(Ok(()), Journal::remove)
}

/// The journal of this run; `None` where its outputs are complete already.
fn open_journal(
    job: &Job,
    args: &Args,
    labels: &[LayerLabel],
    stimuli: &[Stimulus],
    files: &[PathBuf],
) -> Result<Option<Journal>> {
    ensure!(
        !files.is_empty() && files.len() == labels.len(),
        "--resume needs a file for each of {} layers; give --out-dir{}",
        labels.len(),
        if labels.len() == 1 { " or -o" } else { "" }
    );
    let path = match (&args.out_dir, args.shard) {
        (Some(folder), None) => folder.join("ann-acts.journal"),
        (Some(folder), Some(Shard { index, count })) => {
            folder.join(format!("ann-acts.shard-{index}-of-{count}.journal"))
        }
        (None, _) => {
            let name = files[0].file_name().unwrap_or_default().to_string_lossy();
            files[0].with_file_name(format!("{name}.journal"))
        }
    };
    let mut run = job.identity()?;
    if !path.exists() {
        let complete: Vec<bool> = files.iter().map(|file| is_complete(file, &run)).collect::<Result<_>>()?;
        if complete.iter().all(|&complete| complete) {
            return Ok(None);
        }
    }
    let ids =
        stimuli.iter().fold(Sha256::new(), |digest, stimulus| digest.chain_update(&stimulus.id).chain_update([0]));
    run.insert("ids_sha256".into(), digest_text(&ids.finalize().into()).into());
    run.insert("layers".into(), labels.iter().map(|label| label.tensor.as_str()).collect());
    run.insert("dtype".into(), args.dtype.map(|dtype| dtype.name()).into());
    let partials: Vec<PathBuf> = files.iter().map(|file| Output::partial_of(file)).collect();
    Journal::open(path, &run, &partials).map(Some)
}

/// The projection of each layer of `kept`, its components found on the pictures of `--pca-fit`.
fn projections(
    job: &Job,
    args: &Args,
    network: &mut Network,
    (kept, choices, readouts): (&[usize], &[Choice], &[units::LayerUnits]),
    shown: &Shown<'_>,
    (batch, n_run): (usize, usize),
) -> Result<Vec<Projection>> {
    let asked = &args.projection;
    let n_units = network.n_units(shown.size)?;
    let layers: Vec<Wide<'_>> = kept
        .iter()
        .enumerate()
        .map(|(slot, &i)| {
            let n_units = readouts.get(slot).map_or(n_units[i], |layer| layer.readout.n_units());
            Wide { name: &choices[i].name, named: choices[i].named, n_units }
        })
        .collect();
    let mut projections = Projection::plan(job, asked, &layers, shown.listed.len())?;
    let mut record = json!({ "seed": asked.seed });
    if let Some(n_components) = asked.pca {
        let pictures = list(job, &asked.pca_fit, false).context("--pca-fit")?;
        let size = headers::check(&pictures, shown.steps, &shown.reading).context("--pca-fit")?;
        ensure!(size == shown.size, "--pca-fit: its pictures end with {size} pixels, the others with {}", shown.size);
        let measured: HashSet<&Path> = shown.listed.iter().map(|stimulus| stimulus.path.as_path()).collect();
        let n_both = pictures.iter().filter(|stimulus| measured.contains(stimulus.path.as_path())).count();
        if n_both > 0 {
            job.warn(format_args!(
                "{n_both} of {} pictures of --pca-fit are also measured: components and responses are not independent",
                pictures.len()
            ));
        }
        let mut rows = FitRows::new(asked, &projections, &layers, pictures.len())?;
        let input = network.input.clone();
        let feed = Feed::new(shown.steps, &input, shown.size, true).reading(shown.reading, BadImage::Stop);
        let progress = job.progress(pictures.len(), "images of --pca-fit");
        let mut digest = PicturesDigest::default();
        prepare_ahead(&feed, pictures.chunks(batch), |prepared, chunk| {
            for (facts, stimulus) in prepared.facts.iter().zip(chunk) {
                digest.add(&digest_text(&facts.digest), &stimulus.id);
            }
            network.run(prepared.batch, (chunk.len(), n_run.max(chunk.len())), shown.size, kept, |slot, block| {
                rows.take(slot, &projections[slot], readouts.get(slot).map(|layer| &layer.readout), block)
            })?;
            progress.advance(chunk.len());
            Ok(())
        })?;
        drop(progress);
        record["pca_fit"] = json!({ "n_stimuli": pictures.len(), "pictures_sha256": digest.finish() });
        rows.fit(n_components, &layers, &mut projections)?;
    }
    job.record("projection", record);
    Ok(projections)
}

/// Pictures and how they are shown.
struct Shown<'a> {
    steps: &'a Preprocessing,
    reading: Reading,
    size: Size,
    listed: &'a [Stimulus],
}

/// The network untrained, lesioned, or both: the lesion is one of the untrained twin then.
fn altered(
    job: &Job,
    args: &Args,
    runtime: &Runtime,
    execution: &Execution,
    (mut graph, folder): (Graph, &Path),
    wanted: &[String],
    shown: &Shown<'_>,
) -> Result<Graph> {
    for file in weight_files(&graph, folder)? {
        job.open(&Input::File(file))?;
    }
    let viewing = Viewing {
        job,
        runtime,
        execution,
        folder,
        inputs: args.inputs(),
        steps: shown.steps,
        reading: shown.reading,
        size: shown.size,
        pictures: shown.listed,
        batch: match args.batch {
            BatchSize::Pictures(n) => n,
            BatchSize::Auto => DEFAULT_BATCH,
        },
    };
    let lesion = args.lesion();
    let lesion =
        lesion.map(|asked| Ok::<_, anyhow::Error>((viewing.lesion_units(&graph, &asked)?, asked))).transpose()?;
    if let Some(untrained) = args.untrained {
        let mut all = wanted.to_vec();
        all.extend(lesion.iter().flat_map(|(layers, _)| layers.iter().map(|layer| layer.tensor.clone())));
        graph = viewing.untrained(&graph, untrained, &all)?;
    }
    if let Some((layers, asked)) = &lesion {
        graph = viewing.lesioned(&graph, layers, asked, wanted)?;
    }
    Ok(graph)
}

fn execution(job: &Job, args: &Args, runtime: &Runtime) -> Result<Execution> {
    let choice = args.device.unwrap_or(DeviceChoice::Auto);
    let (device, why_not_cuda) = device::settle(runtime, choice)?;
    // A library without CUDA leaves no choice, of which nobody need be told who did not ask.
    if choice == DeviceChoice::Auto && (args.device.is_some() || device::has_cuda_provider(runtime)) {
        let why = why_not_cuda.map_or(String::new(), |why| format!(" ({why})"));
        job.note(format_args!("running on {device}{why}"));
    }
    Ok(Execution { device, tf32: args.tf32, threads: job.n_threads() })
}

/// The network, and the folder in which weights outside its file lie.
fn read_model(job: &Job, path: &Path) -> Result<(Graph, PathBuf)> {
    let mut bytes = Vec::new();
    let name = || path.display().to_string();
    job.open(&Input::File(path.to_path_buf()))?.reader().read_to_end(&mut bytes).with_context(name)?;
    if let Some(refusal) = foreign::refusal(&bytes, foreign::Wanted::Model) {
        bail!("{}: {refusal}", path.display());
    }
    let graph = Graph::read(bytes).with_context(name)?;
    let (graph, folder) = with_links_followed(graph, folder_of(path)).with_context(name)?;
    Ok((mended(job, graph).with_context(name)?, folder))
}

/// Where weights that are not in the file itself lie.
fn folder_of(model: &Path) -> &Path {
    match model.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn label(name: &str, tensor: &TensorInfo) -> LayerLabel {
    LayerLabel { name: name.into(), tensor: tensor.name.clone(), shape: shape_text(&tensor.axes) }
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

/// Shows that each row of each layer is one picture's, or says why it is not.
fn prove(
    job: &Job,
    args: &Args,
    graph: &Graph,
    (network, (runtime, execution, folder)): (&mut Network, (&Runtime, &Execution, &Path)),
    choices: &[Choice],
    ((probe, picture), size): (&(Probe, String), Size),
) -> Result<Vec<Option<String>>> {
    let open_batch = network.input.batch.fixed().is_none();
    let batch = match args.batch {
        BatchSize::Pictures(n) => n,
        BatchSize::Auto => DEFAULT_BATCH,
    };
    let precision = probe::precision(graph, execution.tf32)?;
    let Proof { verdicts, one_at_a_time } = network.prove(probe, size, batch, precision)?;
    if let Some(why) = one_at_a_time {
        job.note(format_args!("the network can only run one picture at a time, whatever its input says ({why})"));
    }
    let diagnosis = |layer: &str| {
        let open = |graph: &Graph| Network::open(runtime, graph.bytes(), folder, execution, &args.inputs());
        probe::diagnose(graph, layer, open, (probe, size, batch), precision)
    };
    // One picture at a time meets no other.
    let alone = matches!(args.batch, BatchSize::Pictures(1)) && open_batch;
    let mut unusable = Vec::new();
    for (choice, verdict) in choices.iter().zip(verdicts) {
        unusable.push(match verdict {
            Verdict::Fine => None,
            Verdict::NoRows { reason, .. } if choice.named => {
                Some(format!("{reason}{}", probe::nearest_text(&diagnosis(&choice.tensor))))
            }
            Verdict::NoRows { reason, .. } => Some(reason),
            Verdict::Coupled(Kind::Company | Kind::Size, _) if alone => {
                job.note(format_args!(
                    "layer \"{}\" depends on the pictures that are run together; each is run alone",
                    choice.name
                ));
                None
            }
            Verdict::Coupled(kind, found) => {
                let diagnosis = match choice.named {
                    true => diagnosis(&choice.tensor),
                    false => Diagnosis { culprit: None, nearest: None },
                };
                Some(probe::refusal(&choice.name, picture, kind, found, &diagnosis))
            }
        });
    }
    Ok(unusable)
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

/// `--doctor`.
fn examine_network(job: &Job, args: &Args) -> Result<()> {
    let output = job.text_output(args.common.output.as_deref())?;
    let own = steps::choose(args, job)?.preprocessing;
    let pictures = list(job, &args.images, args.nul)?;
    let [picture] = pictures.as_slice() else { bail!("--doctor looks at one picture, {} are given", pictures.len()) };
    let mut text = String::new();
    if let Some(labels) = &args.labels {
        job.open(labels)?.reader().read_to_string(&mut text).with_context(|| labels.to_string())?;
    }
    let labels: Vec<String> = text.lines().map(|line| line.trim().to_string()).collect();
    let (graph, folder) = read_model(job, &args.model)?;
    let mut wanted = match args.layer.as_slice() {
        [] => Vec::new(),
        layers => {
            let Chosen { choices, notes } = choose(layers, &graph)?;
            notes.iter().for_each(|note| job.note(note));
            ensure!(choices.len() == 1, "--doctor watches one layer, {} are asked for", choices.len());
            vec![choices[0].tensor.clone()]
        }
    };
    let asked = !wanted.is_empty();
    wanted.extend(graph.outputs().iter().filter(|output| !wanted.contains(output)).cloned().collect::<Vec<_>>());
    let graph = Graph::read(graph.cut_to(&wanted)?)?;
    check_inputs(&graph)?;
    if let Some((name, why)) =
        wanted.iter().find_map(|name| Some((name, tainted(&graph, &args.set).remove(name.as_str())?)))
    {
        bail!("layer \"{name}\" depends on {why}");
    }
    for file in weight_files(&graph, &folder)? {
        job.open(&Input::File(file))?;
    }
    let runtime = Runtime::load(args.onnxruntime.as_deref())?;
    let execution = execution(job, args, &runtime)?;
    let mut network = Network::open(&runtime, graph.bytes(), &folder, &execution, &args.inputs())?;
    let size = match (network.input.height.fixed(), network.input.width.fixed(), own.fixed_size()) {
        (Some(height), Some(width), _) => Size { height, width },
        (_, _, Some(size)) => size,
        _ => headers::check(&pictures, &own, &args.reading())?,
    };
    let own = match own.fixed_size() {
        Some(made) if made != size => {
            job.note(format_args!(
                "the network takes {size} pixels, the preprocessing makes {made}; variant 0 ends with {size}"
            ));
            Preprocessing { resize: Resize::ShortSide(size.height.min(size.width)), crop: Some(size), ..own }
        }
        None => Preprocessing { crop: Some(size), ..own },
        _ => own,
    };
    let unusable = network.settle(size)?;
    let usable = |i: &usize| unusable[*i].is_none();
    let is_classifier = |i: &usize| {
        let axes = &network.layers[*i].tensor.axes;
        usable(i) && axes.len() == 2 && axes[1].fixed().is_some_and(|n| n > 1)
    };
    let outputs = usize::from(asked)..network.layers.len();
    // A layer that is an output itself stands first and is not repeated.
    let classes = outputs
        .clone()
        .rev()
        .find(is_classifier)
        .or_else(|| Some(0).filter(|i| graph.outputs()[0] == network.layers[0].tensor.name && is_classifier(i)));
    let layer = match asked {
        true => {
            if let Some(reason) = &unusable[0] {
                bail!("{reason}");
            }
            0
        }
        false => outputs.rev().find(usable).context("no output of the network gives a row of numbers per picture")?,
    };
    if let Some(classes) = classes {
        let TensorInfo { name, axes, .. } = &network.layers[classes].tensor;
        job.note(format_args!("output \"{name}\" ({}) is taken for a classifier", shape_text(axes)));
    } else {
        job.note("no output looks like a classifier's (pictures x classes); only the layer's movement is shown");
        ensure!(labels.is_empty(), "--labels: the network has no classifier whose classes could be named");
    }
    let table = TableWriter::new(output, args.format, &doctor::COLUMNS)?;
    let watched = Watched { layer, classes };
    doctor::examine(&mut network, picture, (own, size, args.reading()), &watched, (&labels, args.top), table)?
        .into_inner()
        .commit(job)
}

/// The layers as they were asked for, those of `--layers-from` last.
fn layer_addresses(job: &Job, args: &Args) -> Result<Vec<String>> {
    let mut asked = args.layer.clone();
    if let Some(file) = &args.layers_from {
        let mut text = String::new();
        job.open(file)?.reader().read_to_string(&mut text).with_context(|| file.to_string())?;
        asked.extend(addresses(&text).with_context(|| file.to_string())?);
    }
    Ok(asked)
}

/// Leaves out layers that hold the values of an earlier one in the same order.
fn without_repeated(
    job: &Job,
    graph: &Graph,
    choices: &[Choice],
    network: &mut Network,
    size: Size,
    kept: Vec<usize>,
) -> Result<Vec<usize>> {
    let n_units = network.n_units(size)?;
    let candidate = |&i: &usize| Candidate {
        tensor: &choices[i].tensor,
        element: network.layers[i].tensor.element,
        n_units: n_units[i],
        pictures_first: network.layers[i].pictures_first(),
    };
    let repeated = repeated(graph, &kept.iter().map(candidate).collect::<Vec<_>>());
    let mut rest = Vec::new();
    for (&i, earlier) in kept.iter().zip(repeated) {
        match earlier {
            Some(earlier) => job.note(format_args!(
                "layer \"{}\" only renames \"{}\"; left out",
                choices[i].name, choices[kept[earlier]].name
            )),
            None => rest.push(i),
        }
    }
    Ok(rest)
}

fn batch_size(
    job: &Job,
    network: &mut Network,
    args: &Args,
    execution: &Execution,
    size: Size,
    kept: &[usize],
) -> Result<usize> {
    Ok(match (network.input.batch.fixed(), args.batch) {
        (Some(fixed), BatchSize::Pictures(asked)) if fixed != asked => {
            job.note(format_args!("the network takes batches of {fixed}; --batch {asked} not used"));
            fixed
        }
        (Some(fixed), _) => fixed,
        (None, BatchSize::Pictures(asked)) => asked,
        (None, BatchSize::Auto) => {
            let most = if execution.device == Device::Cpu { 32 } else { 128 };
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

/// What was met in the pictures.
#[derive(Default)]
struct Seen {
    n: usize,
    deep_grey: usize,
    padded: usize,
    noted: Noted,
    bad: BadPictures,
    digest: PicturesDigest,
}

impl Seen {
    /// What an earlier run had met.
    fn after(done: &Done, stimuli: &[Stimulus]) -> Self {
        let count = |key: &str| done.seen[key].as_u64().unwrap_or(0) as usize;
        let mut seen = Self {
            n: done.rows,
            deep_grey: count("deep_grey"),
            padded: count("padded"),
            noted: Noted::from_json(&done.seen["noted"]),
            bad: BadPictures::from_json(&done.seen["bad"]),
            ..Self::default()
        };
        for (digest, stimulus) in done.digests.iter().zip(stimuli) {
            seen.digest.add(digest, &stimulus.id);
        }
        seen
    }

    fn to_json(&self) -> Value {
        json!({
            "deep_grey": self.deep_grey, "padded": self.padded, "noted": self.noted.to_json(),
            "bad": self.bad.to_json()
        })
    }

    fn add(&mut self, facts: &[PictureFacts], stimuli: &[Stimulus]) {
        self.n += stimuli.len();
        for (facts, stimulus) in facts.iter().zip(stimuli) {
            self.deep_grey += usize::from(facts.deep_grey);
            self.padded += usize::from(facts.padded);
            self.noted.add(facts, &stimulus.path);
            self.digest.add(&digest_text(&facts.digest), &stimulus.id);
        }
    }

    fn report(&self, job: &Job, n: usize, reading: Reading) {
        self.noted.report(job, n, &reading);
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

fn record(
    job: &Job,
    steps: &Steps,
    input: &PictureInput,
    size: Size,
    batch: usize,
    runtime: &Runtime,
    execution: &Execution,
) {
    job.record("preprocessing", steps.record(input, size));
    job.record("batch", batch);
    job.record("device", execution.device.to_string());
    if execution.device != Device::Cpu {
        job.record("tf32", execution.tf32);
    }
    job.record("onnxruntime", runtime.version.clone());
}
