//! Representational similarity analysis: matrices to RDMs, RDMs to scores beside their noise ceiling.
#![warn(missing_docs)]

mod args;
mod compare;
mod rdm_verb;

pub use args::{Args, CompareArgs, CvWeights, Metric, NoiseSource, RdmArgs, Shrink, Verb};

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Rdm(args) => rdm_verb::run(&args),
        Verb::Compare(args) => compare::run(&args),
    }
}
