//! `tuning`: mean response profiles over units or voxels, and how alike they are between systems.
#![warn(missing_docs)]

mod args;
mod compare;
mod profile;
mod profile_verb;

pub use args::Args;
use args::Verb;

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Profile(a) => profile_verb::run(&a),
        Verb::Compare(a) => compare::run(&a),
    }
}
