//! Noise ceilings: of voxels from repeats, of people from each other, of RDMs from subjects.
#![warn(missing_docs)]

mod between;
mod design;
mod gsn;
mod rdm_bounds;
mod sessions;
mod trials;
mod voxel;
mod within;

/// Noise ceilings: how well any model could do on these data, and whether that bounds r or r2
///
/// A ceiling within a person comes from repeated presentations, which are told by their stimulus id; a ceiling between
/// people from several subjects who saw the same stimuli. Every column says in the help of its verb what it bounds.
#[derive(Debug, clap::Parser)]
#[command(name = "ceiling", version, about, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  ceiling voxel trials.npy > voxels.csv
  cat sub-*/ffa.npy | ceiling between --stat rdm > humans.csv
  ceiling rdm ffa_rdms.npy --compare spearman";

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Voxel(voxel::Voxel),
    Within(within::Within),
    Between(between::Between),
    Rdm(rdm_bounds::RdmBounds),
    Design(design::Design),
    Gsn(gsn::GsnArgs),
}

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Voxel(args) => voxel::run(&args),
        Verb::Within(args) => within::run(&args),
        Verb::Between(args) => between::run(&args),
        Verb::Rdm(args) => rdm_bounds::run(&args),
        Verb::Design(args) => design::run(&args),
        Verb::Gsn(args) => gsn::run(&args),
    }
}
