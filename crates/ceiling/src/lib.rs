//! Noise ceilings: of voxels from repeats, of people from each other, of RDMs from subjects.
#![warn(missing_docs)]

mod args;
mod between;
mod rdm_bounds;
mod trials;
mod voxel;

pub use args::{Args, BetweenArgs, BetweenCompare, RdmArgs, SplitArgs, Stat, Verb, VoxelArgs};

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Voxel(args) => voxel::run(&args),
        Verb::Between(args) => between::run(&args),
        Verb::Rdm(args) => rdm_bounds::run(&args),
    }
}
