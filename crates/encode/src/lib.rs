//! Voxelwise encoding models: ridge regression from features to responses, judged on held-out stimuli.
//!
//! The maths is in `encoding-models`; here files are read, joined and written. [`run`] is the tool.
#![warn(missing_docs)]

mod ablate;
mod archive;
mod compare;
mod fit;
mod folds;
mod model_args;
mod predict;
mod presentations;
mod responses;
mod saved_model;
mod score;
mod scores;
mod voxel_table;
mod weights;

/// Voxelwise encoding models: predict the responses of voxels from the features of a network, on held-out stimuli
///
/// Ridge regression with one penalty per voxel. Rows of features and responses are joined by stimulus id; scaling and
/// penalty are learned on training rows only; all presentations of one stimulus stand in the same fold.
#[derive(Debug, clap::Parser)]
#[command(name = "encode", version, about, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  encode fit --x acts.npy --y ffa.npy --save model.npz --predictions held_out.npy -o scores.csv
  encode predict model.npz acts.npy > predicted.npy
  encode score held_out.npy ffa.npy > scores.csv";

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Fit(Box<fit::Fit>),
    Predict(predict::Predict),
    Ablate(Box<ablate::Ablate>),
    Score(Box<score::ScoreVerb>),
    Compare(compare::Compare),
    Weights(weights::Weights),
}

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Fit(args) => fit::run(&args),
        Verb::Predict(args) => predict::run(&args),
        Verb::Ablate(args) => ablate::run(&args),
        Verb::Score(args) => score::run(&args),
        Verb::Compare(args) => compare::run(&args),
        Verb::Weights(args) => weights::run(&args),
    }
}
