//! `tuning`: mean response profiles over units or voxels, how alike they are between systems, and where they part.
#![warn(missing_docs)]

mod annotations;
mod compare;
mod diverge;
mod matching;
mod profile;
mod responses;
mod systems;

/// Response profiles: the mean response of a region, or of selected units, to each stimulus; how alike they are between
/// systems, and where a model and a brain part ways
#[derive(Debug, clap::Parser)]
#[command(name = "tuning", version, about, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  tuning profile --weights face_units.csv acts.npy > faces.npy
  tuning compare faces.npy --brain sub-*/ffa.npy > scores.csv
  tuning diverge faces.npy --brain sub-*/ffa.npy --top 10 > apart.csv
  tuning match --model acts.npy --brain ffa.npy > matched.csv";

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Profile(profile::Profile),
    Compare(compare::Compare),
    Diverge(Box<diverge::Diverge>),
    Match(Box<matching::Match>),
}

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Profile(args) => profile::run(&args),
        Verb::Compare(args) => compare::run(&args),
        Verb::Diverge(args) => diverge::run(&args),
        Verb::Match(args) => matching::run(&args),
    }
}
