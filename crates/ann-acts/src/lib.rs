//! Activations of any layer of an ONNX network to pictures on disk, one labelled row per picture.
//!
//! The rooms, each of which knows those before it: `pictures` (files to 8-bit RGB), `preprocessing` (the steps to a
//! network's input), `graph` (the ONNX file), `network` (ONNX Runtime, inputs, running), `feed` (pictures to batches,
//! ahead of the network), `layers` (which layers are meant, and which give a row per picture), `units` (what is read
//! out of a layer), `changed` (untrained twins and lesions), `sinks` (where the rows go). What is asked for stands in
//! `args`, and is done by `run`, `list_layers` or `doctor`.
#![warn(missing_docs)]

mod args;
mod changed;
mod doctor;
mod feed;
mod graph;
mod layers;
mod list_layers;
mod network;
mod pictures;
mod preprocessing;
mod run;
mod sinks;
mod units;

pub use args::Args;

/// Runs the tool.
pub fn run(args: Args) -> anyhow::Result<()> {
    let job = cli::Job::start("ann-acts", &args.common)?;
    match (args.list_layers, args.doctor) {
        (true, _) => list_layers::run(&job, &args),
        (_, true) => doctor::run(&job, &args),
        _ => run::run(&job, &args),
    }
}
