//! Representational similarity analysis: matrices to RDMs, RDMs to scores beside their noise ceiling.
#![warn(missing_docs)]

mod args;
mod betas;
mod compare;
mod dissimilarities;
mod fitted;
mod held;
mod inference;
mod mds_verb;
mod order_verb;
mod rdm_verb;
mod searchlight_verb;
mod sigma_k;
mod systems;

pub use args::{
    Args, Boot, Bures, ClusterDistance, CompareArgs, CvWeights, InferenceArgs, MdsArgs, Measure, Method, Metric,
    NoiseSource, OrderArgs, PairArgs, RdmArgs, SearchlightArgs, Shrink, SphereMetric, SystemArgs, Test, Verb,
};

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Rdm(args) => rdm_verb::run(&args),
        Verb::Compare(args) if args.is_of_systems() => systems::run(&args),
        Verb::Compare(args) => compare::run(&args),
        Verb::Mds(args) => mds_verb::run(&args),
        Verb::Order(args) => order_verb::run(&args),
        Verb::Searchlight(args) => searchlight_verb::run(&args),
    }
}
