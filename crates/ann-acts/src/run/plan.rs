//! What a run is to do, with every option checked before an output is made or a picture decoded.

use crate::args::Args;
use crate::feed::Shown;
use crate::graph::Graph;
use crate::graph::file::read_model;
use crate::layers::coupling::without_coupled;
use crate::layers::{self, Choice, Chosen};
use crate::pictures::stimuli::{self, Stimulus};
use crate::preprocessing::choose::{self, Steps};
use crate::preprocessing::final_size::final_size;
use crate::sinks::journal::need_files;
use crate::units;
use crate::units::chosen_units::ChosenUnits;
use anyhow::{Context, Result, bail, ensure};
use cli::Job;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What is shown, how, and what is kept of it.
pub struct Plan {
    /// From picture to input, and whose steps these are.
    pub steps: Steps,
    /// All pictures, those of other shards too.
    pub shown: Shown,
    /// Those of this run.
    part: Range<usize>,
    /// The units of `--units`.
    pub chosen_units: Option<ChosenUnits>,
}

/// The network's file and the layers that are asked of it.
pub struct Model {
    /// The graph, whole.
    pub graph: Graph,
    /// Where weights outside its file lie.
    pub folder: PathBuf,
    /// The layers, none of which depends on chance or the batch by what its graph shows.
    pub choices: Vec<Choice>,
}

impl Plan {
    /// Reads what the options name, but for the pixels of pictures and the weights of the network.
    pub fn new(job: &Job, args: &Args) -> Result<(Self, Model)> {
        if args.units.unit_table.as_deref() == Some(Path::new("-")) {
            bail!("--unit-table -: stdout holds the matrix; give a file");
        }
        let chosen_units = units::chosen(job, &args.units)?;
        let steps = choose::choose(job, &args.model, &args.preprocessing)?;
        let pictures = stimuli::list(job, &args.images, args.nul)?;
        let part = match args.shard {
            None => 0..pictures.len(),
            Some(shard) => {
                let (part, n) = (shard.range(pictures.len()), pictures.len());
                ensure!(
                    !part.is_empty(),
                    "shard {}/{} of {n} pictures is empty; use at most {n} shards",
                    shard.index,
                    shard.count
                );
                job.record("shard", shard.record(n));
                part
            }
        };
        let (reading, preprocessing) = (args.preprocessing.reading(), steps.preprocessing);
        // Where pictures make the size, those of all shards must agree.
        let looked_at = if preprocessing.fixed_size().is_none() { &pictures[..] } else { &pictures[part.clone()] };
        let size = final_size(looked_at, &preprocessing, &reading)?;
        let model = Model::read(job, args)?;
        if args.resume && args.out_dir.is_none() && args.common.output.is_none() {
            need_files(0, model.choices.len())?;
        }
        let shown = Shown { steps: preprocessing, reading, size, pictures };
        Ok((Self { steps, shown, part, chosen_units }, model))
    }

    /// The pictures of this run.
    pub fn stimuli(&self) -> &[Stimulus] {
        &self.shown.pictures[self.part.clone()]
    }
}

impl Model {
    fn read(job: &Job, args: &Args) -> Result<Self> {
        let named = || args.model.display().to_string();
        let (graph, folder) = read_model(job, &args.model)?;
        let addresses = layers::asked(job, &args.layer, args.layers_from.as_ref())?;
        let Chosen { choices, notes } = layers::choose(&addresses, &graph).with_context(named)?;
        notes.iter().for_each(|note| job.note(note));
        let choices = without_coupled(job, &graph, choices, &args.inputs.set).with_context(named)?;
        Ok(Self { graph, folder, choices })
    }
}
