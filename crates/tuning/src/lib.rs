//! `tuning`: mean response profiles over units or voxels, how alike they are between systems, and where they part.
#![warn(missing_docs)]

mod args;
mod compare;
mod diverge;
mod divergence;
mod group_rows;
mod group_test;
mod profile;
mod profile_verb;
mod systems;

pub use args::Args;
use args::Verb;

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Profile(a) => profile_verb::run(&a),
        Verb::Compare(a) => compare::run(&a),
        Verb::Diverge(a) => diverge::run(&a),
    }
}
