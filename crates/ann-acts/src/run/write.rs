//! Where everything goes that a run writes: the rows of each layer, the input, the table of units, the journal.

use crate::args::Args;
use crate::network::tensor::shape_text;
use crate::pictures::stimuli::{Stimulus, digest_text};
use crate::run::open::Opened;
use crate::run::plan::Plan;
use crate::sinks::input_dump::InputDump;
use crate::sinks::journal::{Done, Journal, check_pictures, is_complete, need_files};
use crate::sinks::{LayerLabel, Sinks, files_in};
use crate::units::LayerReadout;
use crate::units::table::write_table;
use anyhow::Result;
use cli::{Job, Output, Shard, is_too_long};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// The outputs whose places the options name.
pub struct Outputs {
    /// All layers one behind the other; `None` where each has a file, or the run can be resumed.
    stream: Option<Output>,
    dump: Option<Output>,
    unit_table: Option<Output>,
}

impl Outputs {
    /// Makes them, and the folder for files of layers.
    pub fn make(job: &Job, args: &Args) -> Result<Self> {
        if let Some(folder) = &args.out_dir {
            folder.make()?;
        }
        let to_stream = args.out_dir.is_none() && !args.resume;
        Ok(Self {
            stream: to_stream.then(|| job.binary_output(args.common.output.as_deref())).transpose()?,
            dump: args.dump_input.as_deref().map(|path| job.binary_output(Some(path))).transpose()?,
            unit_table: args.units.unit_table.as_deref().map(|path| job.text_output(Some(path))).transpose()?,
        })
    }

    /// Writes the table of units, if one was asked for.
    pub fn write_unit_table(self, job: &Job, readouts: &[LayerReadout]) -> Result<()> {
        self.unit_table.map_or(Ok(()), |output| write_table(job, output, readouts))
    }
}

/// What takes the rows while pictures stream through the network.
pub struct Rows {
    /// Takes the rows of each layer.
    pub sinks: Sinks,
    /// Takes the network's input.
    pub dump: Option<InputDump>,
    /// Keeps how far a run has come that can be resumed.
    pub journal: Option<Journal>,
    /// How far an earlier run had come.
    pub done: Done,
    /// Something that is written has a sidecar.
    pub with_sidecar: bool,
}

impl Rows {
    /// Opens the files of the layers, behind what an earlier run has written if this one goes on with it; `None` where
    /// an earlier run wrote all rows.
    pub fn open(job: &Job, args: &Args, plan: &Plan, opened: &Opened, outputs: &mut Outputs) -> Result<Option<Rows>> {
        let stimuli = plan.stimuli();
        let labels: Vec<LayerLabel> = opened.readouts.iter().map(|layer| label(opened, layer)).collect();
        let files = match (&args.out_dir, &args.common.output) {
            (Some(folder), _) => files_in(folder, labels.iter().map(|label| label.name.as_str()), args.shard),
            (None, Some(file)) if args.resume => vec![file.to_path_buf()],
            _ => Vec::new(),
        };
        if args.out_dir.is_some() {
            note_long_names(job, &labels);
        }
        let journal = match args.resume {
            false => None,
            true => match open_journal(job, args, &labels, stimuli, &files)? {
                Some(journal) => Some(journal),
                None => {
                    job.note(format_args!("all {} rows of {} are there already", stimuli.len(), files[0].display()));
                    return Ok(None);
                }
            },
        };
        let done = journal.as_ref().map(|journal| journal.done.clone()).unwrap_or_default();
        if done.rows > 0 {
            check_pictures(stimuli, &done.digests)?;
            job.note(format_args!("{} of {} rows are there already; going on", done.rows, stimuli.len()));
        }
        let mut sinks = match outputs.stream.take() {
            Some(output) => Sinks::stream(output, labels, stimuli.len(), args.dtype)?,
            None if args.resume => Sinks::resumable(job, &files, labels, stimuli.len(), args.dtype, &done)?,
            None => Sinks::files(job, &files, labels, stimuli.len(), args.dtype)?,
        };
        if args.out_dir.is_some() {
            // The names of its files have only come up now.
            stimuli.iter().try_for_each(|stimulus| job.require_unwritten(&stimulus.path))?;
        }
        for (array, layer) in opened.readouts.iter().enumerate() {
            let mut facts = layer.facts.clone();
            if let Some(projection) = opened.projections.get(array) {
                facts.insert("projection".into(), projection.record(&args.projection));
            }
            sinks.describe(array, facts);
        }
        let channels = opened.network.input.channels;
        let dump = outputs.dump.take().map(|output| InputDump::new(output, stimuli.len(), plan.shown.size, channels));
        let dump = dump.transpose()?;
        let with_sidecar = args.common.output.is_some() || args.out_dir.is_some() || dump.is_some();
        Ok(Some(Self { sinks, dump, journal, done, with_sidecar }))
    }

    /// Ends the input and, behind what `between` writes, the rows of every layer with the labels.
    pub fn finish(self, job: &Job, stimuli: &[Stimulus], between: impl FnOnce() -> Result<()>) -> Result<()> {
        let ids: Vec<String> = stimuli.iter().map(|stimulus| stimulus.id.clone()).collect();
        if let Some(dump) = self.dump {
            dump.finish(job, &ids)?;
        }
        between()?;
        self.sinks.finish(job, &ids)?;
        self.journal.map_or(Ok(()), Journal::remove)
    }
}

fn label(opened: &Opened, layer: &LayerReadout) -> LayerLabel {
    let tensor = &opened.network.layers[opened.kept[layer.slot]].tensor;
    LayerLabel { name: layer.name.clone(), tensor: tensor.name.clone(), shape: shape_text(&tensor.axes) }
}

fn note_long_names(job: &Job, labels: &[LayerLabel]) {
    let long: Vec<&str> = labels.iter().map(|label| label.name.as_str()).filter(|name| is_too_long(name)).collect();
    if let Some(first) = long.first() {
        job.note(format_args!(
            "{} layer names are too long for a file and shortened there, such as {:?}...; the sidecars have them whole",
            long.len(),
            first.chars().take(40).collect::<String>()
        ));
    }
}

/// The journal of this run; `None` where its outputs are complete already.
fn open_journal(
    job: &Job,
    args: &Args,
    labels: &[LayerLabel],
    stimuli: &[Stimulus],
    files: &[PathBuf],
) -> Result<Option<Journal>> {
    need_files(files.len(), labels.len())?;
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
